use std::collections::BTreeMap;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::harness::{Raw, World};
use super::stdio::{META, greeted, request};

/// What a server may take beyond its program, in kB.
#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 32_000;

/// The most that the server ever took, beside the pages of its program, which a debug build has
/// many of.
#[cfg(target_os = "linux")]
fn is_small(raw: &Raw) {
    let (peak, program) = (raw.memory("VmHWM"), raw.memory("RssFile"));
    println!("peak {peak} kB, of which the program is {program} kB");
    assert!(peak - program < MOST_MEMORY, "{peak} kB, of which the program is {program} kB");
}

#[cfg(not(target_os = "linux"))]
fn is_small(_: &Raw) {}

/// One look that asks no vendor, and sometimes the whole list of tools.
fn ordinary(legacy: bool, id: u64) -> Vec<u8> {
    let look = json!({ "name": "list_roles", "arguments": { "vendor": "centrasite" } });
    let request = match id % 10 {
        0 => request(legacy, id, "tools/list", json!({})),
        _ => request(legacy, id, "tools/call", look),
    };
    format!("{request}\n").into_bytes()
}

/// More requests than are worked on at once wait; each is answered once, and none is lost. A
/// client that sends all of them before it reads anything costs no more.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_are_answered_completely_in_little_memory() {
    const MANY: u64 = 10_000;
    for (legacy, late) in [(true, false), (false, false), (true, true)] {
        let world = World::new().await;
        let mut raw = greeted(&world, legacy).await;
        let flood = (1..=MANY).flat_map(|id| ordinary(legacy, id)).collect();
        let writing = raw.send_bytes_meanwhile(flood);
        if late {
            // Time to take in too much; all that a longer wait could do is to find more.
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            assert!(!writing.is_finished(), "what nobody reads the answers of is not read");
            is_small(&raw);
        }
        let mut seen = vec![false; 1 + usize::try_from(MANY).unwrap()];
        for _ in 0..MANY {
            let answer = raw.next_line().await.expect("the server ended");
            let rest = answer.strip_prefix(r#"{"jsonrpc":"2.0","id":"#).expect("an answer");
            let (id, result) = rest.split_once(',').unwrap();
            assert!(result.starts_with(r#""result":"#), "{answer}");
            let before = std::mem::replace(&mut seen[id.parse::<usize>().unwrap()], true);
            assert!(!before, "answered twice: {id}");
        }
        let _open = writing.await.unwrap();
        is_small(&raw);
    }
}

/// Heavy lines wait by what they weigh, not only by their number.
#[tokio::test(flavor = "multi_thread")]
async fn heavy_lines_do_not_pile_up() {
    const MANY: u64 = 30;
    let world = World::new().await;
    let mut raw = greeted(&world, true).await;
    let padding = "x".repeat(900 << 10);
    let heavy = move |id| {
        let arguments = json!({ "vendor": "centrasite", "query": padding.clone() });
        let params = json!({ "name": "list_roles", "arguments": arguments });
        format!("{}\n", request(true, id, "tools/call", params)).into_bytes()
    };
    let writing = raw.send_bytes_meanwhile((1..=MANY).flat_map(heavy).collect());
    for _ in 0..MANY {
        let answer = raw.next().await.expect("the server ended");
        assert_eq!(answer["result"]["isError"], true);
    }
    let _open = writing.await.unwrap();
    is_small(&raw);
}

/// A burst of the same look is one request, though no more than sixty a minute may be sent.
#[tokio::test]
async fn a_burst_of_looks_at_roles_is_one_request() {
    const MANY: u64 = 200;
    let world = World::new().await;
    let mut raw = greeted(&world, true).await;
    let look = json!({ "name": "list_roles", "arguments": { "vendor": "outsystems" } });
    for id in 1..=MANY {
        raw.send(&request(true, id, "tools/call", look.clone())).await;
    }
    for _ in 0..MANY {
        let answer = raw.next().await.expect("the server ended");
        assert!(answer["result"]["structuredContent"]["rows"].is_array(), "{answer}");
    }
    // The process may be slow, and an answer is good for five seconds.
    let asked = world.count("GET", "organization-roles");
    assert!(asked < 10, "{asked}");
}

/// A generator that gives the same numbers every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn value(&mut self) -> Value {
        match self.below(8) {
            0 => json!(null),
            1 => json!(true),
            2 => json!(1.5),
            3 => json!(-7),
            4 => json!("x"),
            5 => json!({}),
            6 => json!(u64::MAX),
            _ => (0..50).fold(json!(0), |inner, _| json!([inner])),
        }
    }
}

/// What a line is due, by its JSON text alone.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// One answer with this id.
    Answer(String),
    /// One error without an id.
    Error,
    /// One error; an id may have been made out behind the damage, or not.
    ErrorAnyhow,
    /// A notification: nothing, or an error without an id where it is malformed.
    AtMostAnError,
}

fn due(line: &[u8]) -> Due {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Due::Nothing;
    }
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return match id_before_the_damage(line) {
            Some(id) => Due::Answer(id.to_string()),
            None => Due::ErrorAnyhow,
        };
    };
    match value.get("id") {
        Some(id) if is_id(id) => Due::Answer(id.to_string()),
        None if value["method"].is_string() => Due::AtMostAnError,
        _ => Due::Error,
    }
}

fn is_id(value: &Value) -> bool {
    value.is_string() || value.as_i64().is_some()
}

/// The id that a reader of JSON has met, and seen the end of, before the text breaks.
fn id_before_the_damage(line: &[u8]) -> Option<Value> {
    struct Reader<'a>(&'a mut Option<Value>);
    impl<'de> Visitor<'de> for Reader<'_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut met = None;
            while let Some(key) = map.next_key::<String>()? {
                if self.0.is_none() {
                    *self.0 = met.take();
                }
                if key == "id" && self.0.is_none() {
                    met = Some(map.next_value::<Value>()?).filter(is_id);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }
    let mut found = None;
    let read = serde_json::Deserializer::from_slice(line).deserialize_map(Reader(&mut found));
    read.err().and(found)
}

/// A request that is answered at once; every one has an id of its own.
fn valid(legacy: bool, id: u64, dice: &mut Dice) -> String {
    let (method, params) = match dice.below(if legacy { 60 } else { 59 }) {
        0 => ("tools/list", ""),
        1..=19 => ("tools/call", r#""name":"list_roles","arguments":{"vendor":"centrasite"}"#),
        20..=39 => ("tools/call", r#""name":"list_roles","arguments":{"limit":0,"query":["x"]}"#),
        40..=49 => ("tools/call", r#""name":"nobody_knows","arguments":{}"#),
        50..=57 => ("ping", ""),
        58 => ("resources/list", r#""cursor":"x""#),
        _ => ("initialize", HELLO),
    };
    let meta = match (legacy, params) {
        (true, _) => String::new(),
        (false, "") => format!(r#""_meta":{META}"#),
        (false, _) => format!(r#","_meta":{META}"#),
    };
    let id = if id % 2 == 0 { id.to_string() } else { format!("\"q{id}\"") };
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{meta}}}}}"#)
}

const HELLO: &str =
    r#""protocolVersion":"2026-07-28","capabilities":{},"clientInfo":{"name":"x","version":"1"}"#;

fn mutated(line: String, dice: &mut Dice) -> Vec<u8> {
    let kind = dice.below(10);
    if kind > 4 {
        return broken(line.into_bytes(), dice);
    }
    let mut request: Value = serde_json::from_str(&line).unwrap();
    let fields = request.as_object_mut().unwrap();
    let key = fields.keys().nth(dice.below(fields.len())).unwrap().clone();
    match kind {
        0 => drop(fields.shift_remove(&key)),
        1 => drop(fields.insert(key, dice.value())),
        2 => drop(fields.insert("more".to_owned(), dice.value())),
        3 => {
            if let Some(params) = fields.get_mut("params").and_then(Value::as_object_mut)
                && let Some(key) = params.keys().next().cloned()
            {
                params.insert(key, dice.value());
            }
        }
        _ => request = json!([request]),
    }
    request.to_string().into_bytes()
}

fn broken(mut line: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    for _ in 0..=dice.below(3) {
        let place = dice.below(line.len().max(1)).min(line.len().saturating_sub(1));
        match dice.below(6) {
            0 => line.truncate(place),
            1 => line.insert(place, dice.byte()),
            2 if !line.is_empty() => drop(line.remove(place)),
            3 => drop(line.splice(place..place, *br#"\ud800"#)),
            4 => drop(line.splice(place..place, vec![b'['; 200])),
            _ if !line.is_empty() => line[place] = dice.byte(),
            _ => {}
        }
    }
    line
}

fn noise(dice: &mut Dice) -> Vec<u8> {
    // Half of it is made of what JSON is made of.
    let letters = br#"{}[]",:\ "id"1.-truefalsenull"jsonrpc""2.0""method""#;
    let json = dice.below(2) == 0;
    let byte =
        |dice: &mut Dice| if json { letters[dice.below(letters.len())] } else { dice.byte() };
    (0..dice.below(60)).map(|_| byte(dice)).collect()
}

/// Whatever comes, the server lives, and whoever said a readable id is answered once.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_left_alone_and_none_is_answered_twice() {
    let (legacy, modern) =
        tokio::join!(tokio::spawn(survives(true, Dice(1))), tokio::spawn(survives(false, Dice(2))));
    legacy.unwrap();
    modern.unwrap();
}

async fn survives(legacy: bool, mut dice: Dice) {
    const OF_EACH: u64 = 50_000;
    // No vendor is asked, whatever a request is made into.
    let world = World::new().await.set("GRANTOR_VENDORS", "centrasite").set("GRANTOR_LOG", "off");
    let mut raw = greeted(&world, legacy).await;
    let mut input = Vec::new();
    for id in 1..=OF_EACH {
        input.extend(mutated(valid(legacy, id, &mut dice), &mut dice));
        input.push(b'\n');
        input.extend(noise(&mut dice));
        input.push(b'\n');
    }
    let last = format!(
        r#"{{"jsonrpc":"2.0","id":"last","method":"tools/list","params":{{"_meta":{META}}}}}"#
    );
    input.extend(last.bytes());
    let all: Vec<Due> = input.split(|&byte| byte == b'\n').map(due).collect();
    // Whatever becomes of this handle, stdin is closed when all is sent.
    drop(raw.send_bytes_meanwhile(input));
    let (mut answers, mut idless, mut read) = (BTreeMap::<String, i64>::new(), 0_i64, 0);
    while let Some(answer) = raw.next_line().await {
        let answer: Value = serde_json::from_str(&answer).unwrap();
        match &answer["id"] {
            Value::Null => idless += 1,
            id => *answers.entry(id.to_string()).or_default() += 1,
        }
        read += 1;
        if read % 20_000 == 0 {
            is_small(&raw);
        }
    }
    assert_eq!(raw.finish().await.0, 0);
    let count =
        |wanted: &Due| i64::try_from(all.iter().filter(|due| *due == wanted).count()).unwrap();
    for due in &all {
        if let Due::Answer(id) = due {
            *answers.entry(id.clone()).or_default() -= 1;
        }
    }
    let missing: Vec<_> = answers.iter().filter(|(_, left)| **left < 0).collect();
    assert!(missing.is_empty(), "never answered: {missing:?}");
    // What is left was made out behind the damage of a line that is owed one error.
    let beyond: i64 = answers.values().sum();
    let (certain, anyhow) = (count(&Due::Error), count(&Due::ErrorAnyhow));
    let least = certain + anyhow;
    let most = least + count(&Due::AtMostAnError);
    println!(
        "legacy: {legacy}, {} lines, {beyond} ids beyond, {idless} errors without one, {least} to {most} due",
        all.len()
    );
    assert!(
        (least..=most).contains(&(beyond + idless)),
        "{beyond} + {idless}, not {least} to {most}"
    );
    assert!(beyond <= anyhow);
}
