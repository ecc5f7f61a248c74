//! What becomes of a yes: taken twice, taken elsewhere, and read from a ledger that was tampered
//! with.

use std::path::PathBuf;

use grantor::ledger::{Answered, Channel, Decision, Ledger};
use serde_json::{Value, json};

use super::harness::{Era, Ran, World, approved, parsed, requester, time_is_over};
use super::person::{Client, yes as agrees};
use super::terminal::Terminal;
use super::writes::{GRANTS, Grant};

/// Read and execute on a space: a plain yes is enough.
const PLAIN: &Grant = &GRANTS[3];
const OTHER: &Grant = &GRANTS[4];
/// Keeps the ledger's key where whoever writes the ledger cannot read it.
const KEY: &str = "5c1a3f0e9b7d42868e13a6f2c4d7905b5c1a3f0e9b7d42868e13a6f2c4d7905b";

async fn sealed() -> World {
    World::asking().await.set("GRANTOR_LEDGER_KEY", KEY)
}

async fn request(world: &World, grant: &Grant) -> String {
    request_because(world, grant, "").await
}

/// The same change for another reason is another request.
async fn request_because(world: &World, grant: &Grant, reason: &str) -> String {
    let ran = world.run(&["call", grant.tool, grant.arguments, "--reason", reason]).await;
    let body = parsed(&ran.stdout);
    assert_eq!((ran.status, &body["outcome"]), (3, &json!("awaiting_consent")), "{body:#}");
    body["receipt"].as_str().unwrap().to_owned()
}

fn ledger(world: &World) -> Ledger {
    let key =
        grantor::secret::Secret::new("KEY", grantor::secret::SecretSource::Inline(KEY.into()));
    Ledger::new(&world.path("state"), Some(key))
}

/// Records a yes as a terminal does, without carrying it out.
async fn approve(world: &World, receipt: &str) {
    ledger(world).answer(receipt, &approved("root"), &requester()).await.unwrap();
}

async fn state(world: &World, receipt: &str) -> &'static str {
    ledger(world).request(receipt).await.unwrap().unwrap().state.as_str()
}

async fn check(world: &World, receipt: &str) -> Value {
    let ran =
        world.run(&["call", "check_change", &json!({ "receipt": receipt }).to_string()]).await;
    parsed(&ran.stdout)
}

fn path(world: &World) -> PathBuf {
    world.path("state/lines.jsonl")
}

fn lines(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(path(world)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn write(world: &World, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(path(world), text).unwrap();
}

/// Where the line of an event stands.
fn at(lines: &[String], event: &str) -> usize {
    lines.iter().position(|line| parsed(line)["event"] == event).unwrap()
}

/// Two requests for one change, both agreed to: the second finds it done, and its yes is gone too.
#[tokio::test]
async fn a_yes_to_what_is_so_already_is_gone_with_it() {
    let world = sealed().await;
    let mut receipts = Vec::new();
    for reason in ["tests", "more tests", "others ask"] {
        receipts.push(request_because(&world, PLAIN, reason).await);
    }
    let [first, second, third] = <[String; 3]>::try_from(receipts).unwrap();
    approve(&world, &first).await;
    approve(&world, &third).await;
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
    // Agreed to after the change, its yes is taken and finds it done.
    approve(&world, &second).await;
    assert_eq!(world.run(&["requests", "run"]).await.status, 0);
    assert_eq!(state(&world, &first).await, "spent");
    assert_eq!(state(&world, &second).await, "spent");
    let said = check(&world, &second).await;
    assert_eq!(said["outcome"], "already_present", "{said:#}");
    assert_eq!(state(&world, &third).await, "spent");
    // Somebody takes it back: nothing gives it again.
    let path = serde_json::from_str::<Value>(PLAIN.arguments).unwrap();
    let removal = json!({ "project_or_space_path": path["project_or_space_path"],
        "grant_type": path["grant_type"], "grantee": path["grantee"] });
    let free = World::path(&world, "free.cedar");
    std::fs::write(&free, FREE).unwrap();
    let mut command = world.command(["call", "remove_project_acl", &removal.to_string()]);
    command.env("GRANTOR_POLICY", &free);
    assert_eq!(super::harness::run(command).await.status, 0);
    let writes = world.writes().len();
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, writes), "{ran:#?}");
}

const FREE: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("change") permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("expire") permit (principal, action == Action::"expire", resource);
"#;

/// A shell whose rules ask nobody leaves a yes to those under whose rules it was asked: one yes, one
/// write.
#[tokio::test]
async fn a_yes_is_not_carried_out_under_other_rules() {
    let world = sealed().await;
    let receipt = request(&world, PLAIN).await;
    let free = world.path("free.cedar");
    std::fs::write(&free, FREE).unwrap();
    let mut command = world.command(["requests", "approve", &receipt]);
    command.env("GRANTOR_POLICY", &free);
    let mut terminal = Terminal::start(command);
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    let (status, seen) = terminal.ends().await;
    assert_eq!((status, world.writes().len()), (3, 0), "{seen}");
    assert!(seen.contains("asked under another policy"), "{seen}");
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
    assert_eq!(world.run(&["requests", "run"]).await.status, 0);
    assert_eq!(world.writes().len(), 1);
}

/// Two tenants on one ledger: a yes to a question of one is nothing to the other.
#[tokio::test]
async fn a_yes_is_carried_out_at_its_own_tenant_alone() {
    let (one, other) = (sealed().await, sealed().await);
    let state_dir = one.path("state");
    let other = other.set("GRANTOR_STATE_DIR", state_dir.to_str().unwrap());
    let receipt = request(&one, PLAIN).await;
    approve(&one, &receipt).await;
    let ran = other.run(&["requests", "run"]).await;
    assert_eq!((ran.status, other.writes().len()), (0, 0), "{ran:#?}");
    assert_eq!(state(&one, &receipt).await, "approved", "it is left to its own");
    assert_eq!(one.run(&["requests", "run"]).await.status, 0);
    assert_eq!((one.writes().len(), other.writes().len()), (1, 0));
    // What the client brings back to another tenant's server is no yes there either.
    let mut client = Client::start(&one, Era::Modern).await;
    let arguments = parsed(OTHER.arguments);
    let asked = client.question(OTHER.tool, &arguments).await;
    let mut elsewhere = Client::start(&other, Era::Modern).await;
    let _ = elsewhere.reply(OTHER.tool, &arguments, &asked, agrees(&json!({}))).await;
    assert_eq!(other.writes().len(), 0);
}

/// Each kind of damage between a yes and its use: nothing is sent, and it is said.
#[tokio::test]
async fn no_yes_outlives_damage_to_the_ledger() {
    type Damage = fn(&World, &mut Vec<String>);
    let cases: [(&str, Damage); 8] = [
        ("a byte of the answer", |_, lines| flip(lines, "answered")),
        ("a byte of a line after it", |_, lines| flip(lines, "refused")),
        ("the line after it is taken out", |_, lines| {
            let place = at(lines, "refused");
            drop(lines.remove(place));
        }),
        ("a line is repeated", |_, lines| lines.push(lines[at(lines, "answered")].clone())),
        ("lines change places", |_, lines| {
            let place = at(lines, "answered");
            lines.swap(place, place + 1);
        }),
        ("a line with no number that there can be", |_, lines| {
            lines.push(r#"{"event":"over","seq":18446744073709551615,"prev":"","key":""}"#.into());
            let last = lines.len() - 1;
            lines[last] = lines[last].replace("18446744073709551615", "9223372036854775806");
        }),
        ("the head is gone", |world, _| {
            std::fs::remove_file(world.path("state/ledger.head")).unwrap();
        }),
        ("the head is changed", |world, _| {
            let head = world.path("state/ledger.head");
            let text = std::fs::read_to_string(&head).unwrap();
            std::fs::write(head, text.replacen(' ', "0 ", 1)).unwrap();
        }),
    ];
    for (what, damage) in cases {
        let world = sealed().await;
        let receipt = request(&world, PLAIN).await;
        approve(&world, &receipt).await;
        // A line that the answer is not, and that has to be on disk as well.
        refuse(&world).await;
        let mut changed = lines(&world);
        damage(&world, &mut changed);
        write(&world, &changed);
        let ran = world.run(&["requests", "run"]).await;
        assert_eq!((ran.status, world.writes().len()), (1, 0), "{what}: {ran:#?}");
        assert_ne!(state(&world, &receipt).await, "approved", "{what}");
        assert_eq!(world.run(&["expire"]).await.status, 1, "{what}: it is not silent");
        assert_eq!(world.run(&["requests"]).await.status, 1, "{what}");
    }
}

/// Changes one byte of a line so that it can still be read.
fn flip(lines: &mut [String], event: &str) {
    let place = at(lines, event);
    lines[place] = lines[place].replacen("\"time\":\"2", "\"time\":\"3", 1);
}

async fn refuse(world: &World) {
    ledger(world).refuse_plainly(json!({ "note": "no" }), &requester()).await;
    // What comes after it is flushed, so that the head names it.
    let receipt = request(world, OTHER).await;
    ledger(world)
        .answer(&receipt, &Answered::new(Decision::Denied, "root", Channel::Command), &requester())
        .await
        .unwrap();
}

/// The last lines are cut off, so that the yes was never taken: the head beside them knows better.
#[tokio::test]
async fn a_yes_that_was_taken_stays_so_when_lines_are_cut_off() {
    for keep in ["answered", "spent"] {
        let world = sealed().await;
        let receipt = request(&world, PLAIN).await;
        approve(&world, &receipt).await;
        assert_eq!(world.run(&["requests", "run"]).await.status, 0);
        assert_eq!(world.writes().len(), 1);
        let all = lines(&world);
        write(&world, &all[..=at(&all, keep)]);
        let ran = world.run(&["requests", "run"]).await;
        assert_eq!((ran.status, world.writes().len()), (1, 1), "{keep}: {ran:#?}");
        assert!(ran.stderr.contains("cut off") || ran.stderr.contains("missing"), "{}", ran.stderr);
        // Without the index the same.
        let _ = std::fs::remove_file(world.path("state/ledger.index"));
        assert_eq!(world.run(&["requests", "run"]).await.status, 1);
        assert_eq!(world.writes().len(), 1, "{keep}");
    }
}

fn database(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.path("state/ledger.index")).unwrap()
}

/// The index finds and never decides: another receipt's yes is not this one's.
#[tokio::test]
async fn an_edited_index_gives_nobody_a_yes() {
    let world = sealed().await;
    let [mine, theirs] = [request(&world, PLAIN).await, request(&world, OTHER).await];
    approve(&world, &theirs).await;
    assert_eq!(world.run(&["requests"]).await.status, 0);
    {
        let database = database(&world);
        let moved = "UPDATE OR REPLACE line SET receipt = ?1 WHERE receipt = ?2
            AND offset = (SELECT max(offset) FROM line WHERE receipt = ?2)";
        assert_eq!(database.execute(moved, [&mine, &theirs]).unwrap(), 1);
        database.execute("UPDATE request SET live = 1", []).unwrap();
    }
    let ran = world.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stderr.contains("ledger.index"), "{}", ran.stderr);
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!(state(&world, &mine).await, "waiting");
    // The other one's own yes is as good as before.
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
    assert!(world.writes()[0].path.contains("centrasite") || !world.writes()[0].path.is_empty());
}

/// An end that the index hides comes all the same, also where lines came after the edit.
#[tokio::test]
async fn an_edited_index_hides_no_end() {
    for edit in [
        "UPDATE change SET taken = 1",
        "UPDATE change SET receipt = receipt || 'x'",
        "DELETE FROM line",
        "DELETE FROM line WHERE seq = 2",
        "UPDATE line SET receipt = receipt || 'x'",
    ] {
        for later in [false, true] {
            let world = World::new().await.set("GRANTOR_LEDGER_KEY", KEY);
            let mut arguments = parsed(PLAIN.arguments);
            arguments["expires_in"] = "PT1S".into();
            assert_eq!(world.run(&["call", PLAIN.tool, &arguments.to_string()]).await.status, 0);
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            assert_eq!(world.run(&["requests"]).await.status, 0, "the index is there");
            assert!(database(&world).execute(edit, []).unwrap() > 0, "{edit}");
            if later {
                let ran = world.run(&["call", OTHER.tool, OTHER.arguments]).await;
                assert_eq!(ran.status, 0, "{edit}: {ran:#?}");
            }
            let listed = world.run(&["requests"]).await;
            assert!(listed.stdout.contains("overdue"), "{edit}, {later}: {listed:#?}");
            let ran = world.run(&["expire"]).await;
            let writes = 2 + usize::from(later);
            assert_eq!(
                (ran.status, world.writes().len()),
                (0, writes),
                "{edit}, {later}: {ran:#?}"
            );
            assert!(ran.stdout.contains("confirmed"), "{edit}, {later}: {ran:#?}");
        }
    }
}

/// What the index says of a receipt's lines takes no request away.
#[tokio::test]
async fn an_edited_index_hides_no_request() {
    let world = sealed().await;
    let [waiting, yes] = [request(&world, PLAIN).await, request(&world, OTHER).await];
    approve(&world, &yes).await;
    for edit in ["DELETE FROM line", "UPDATE line SET receipt = receipt || 'x'"] {
        assert_eq!(world.run(&["requests"]).await.status, 0, "the index is there");
        assert!(database(&world).execute(edit, []).unwrap() > 0, "{edit}");
        let ran = world.run(&["requests", "--ids"]).await;
        assert_eq!(ran.status, 0, "{edit}: {ran:#?}");
        assert!(ran.stdout.contains(&waiting) && ran.stdout.contains(&yes), "{edit}: {ran:#?}");
    }
    database(&world).execute("DELETE FROM line", []).unwrap();
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
}

/// What says that there was a ledger, and a key that is not its own: never "nothing is due".
#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_never_silent() {
    type Loss = fn(&World);
    let cases: [(&str, Loss); 4] = [
        ("the lines are renamed", |world| {
            std::fs::rename(path(world), world.path("state/lines.jsonl.1")).unwrap();
        }),
        ("the lines are gone", |world| std::fs::remove_file(path(world)).unwrap()),
        ("the key beside it is gone", |world| {
            std::fs::remove_file(world.path("state/seal.key")).unwrap();
        }),
        ("the key is another", |world| {
            std::fs::write(world.path("state/seal.key"), KEY).unwrap();
        }),
    ];
    for (what, loss) in cases {
        let world = World::new().await;
        let mut arguments = parsed(PLAIN.arguments);
        arguments["expires_in"] = "PT1S".into();
        assert_eq!(world.run(&["call", PLAIN.tool, &arguments.to_string()]).await.status, 0);
        loss(&world);
        let key = std::fs::read_to_string(world.path("state/seal.key")).ok();
        let silent = |ran: &Ran| ran.status == 0 || ran.stderr.trim().is_empty();
        for command in [&["expire"][..], &["requests"], &["ledger", "verify"], &["doctor"]] {
            let ran = world.run(command).await;
            let said = format!("{}{}", ran.stderr, ran.stdout);
            assert!(ran.status != 0 && said.contains("ledger"), "{what} {command:?}: {ran:#?}");
            assert!(command[0] == "doctor" || !silent(&ran), "{what} {command:?}: {ran:#?}");
        }
        // Nothing is put behind what cannot be read, and no key is made for it.
        let ran = world.run(&["call", OTHER.tool, OTHER.arguments]).await;
        assert_eq!(parsed(&ran.stdout)["outcome"], "unavailable", "{what}: {ran:#?}");
        assert_eq!(world.writes().len(), 1, "{what}");
        assert_eq!(std::fs::read_to_string(world.path("state/seal.key")).ok(), key, "{what}");
    }
}

/// Types a word where `ledger accept` asks for it.
async fn accepts(world: &World, word: &str) -> (i32, String) {
    let mut terminal = Terminal::start(world.command(["ledger", "accept"]));
    terminal.shows(&format!("type: {word}")).await;
    terminal.types(word).await;
    terminal.ends().await
}

/// A person accepts the damage: all goes on, and no yes from before comes back.
#[tokio::test]
async fn what_is_accepted_gives_nobody_anything() {
    let world = sealed().await;
    let receipt = request(&world, PLAIN).await;
    approve(&world, &receipt).await;
    refuse(&world).await;
    let mut changed = lines(&world);
    flip(&mut changed, "refused");
    write(&world, &changed);
    assert_eq!(world.run(&["expire"]).await.status, 1);
    assert_eq!(world.run(&["ledger", "accept"]).await.status, 2, "it takes a person");
    let (status, seen) = accepts(&world, "accept").await;
    assert_eq!(status, 0, "{seen}");
    for command in [&["expire"][..], &["requests"], &["ledger", "verify"], &["doctor"]] {
        let ran = world.run(command).await;
        assert_eq!(ran.status, 0, "{command:?}: {ran:#?}");
    }
    assert_eq!(world.run(&["requests", "run"]).await.status, 0);
    assert!(world.writes().is_empty());
    assert_eq!(state(&world, &receipt).await, "broken");
    // What is asked anew is carried out.
    let receipt = request(&world, PLAIN).await;
    approve(&world, &receipt).await;
    assert_eq!(world.run(&["requests", "run"]).await.status, 0);
    assert_eq!(world.writes().len(), 1);
}

/// Without its key a ledger is put aside, with a list of what it would have ended.
#[tokio::test]
async fn a_ledger_without_its_key_is_put_aside() {
    let world = World::new().await;
    let mut arguments = parsed(PLAIN.arguments);
    arguments["expires_in"] = "PT1H".into();
    let ran = world.run(&["call", PLAIN.tool, &arguments.to_string()]).await;
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    std::fs::remove_file(world.path("state/seal.key")).unwrap();
    let (status, seen) = accepts(&world, "set aside").await;
    assert_eq!(status, 0, "{seen}");
    assert!(seen.contains(&receipt) && seen.contains("nothing ends it now"), "{seen}");
    assert_eq!(world.run(&["ledger", "verify"]).await.status, 0);
    let first = &world.ledger()[0];
    assert_eq!(
        (&first["event"], &first["due"][0]["receipt"]),
        (&json!("accepted"), &json!(receipt))
    );
    let ran = world.run(&["call", OTHER.tool, OTHER.arguments]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

/// A line under a good seal that this version cannot read is said, and others go on.
#[tokio::test]
async fn a_line_that_cannot_be_understood_is_loud() {
    let world = World::new().await.set("GRANTOR_LEDGER_KEY", KEY);
    assert_eq!(world.run(&["call", PLAIN.tool, PLAIN.arguments]).await.status, 0);
    for (content, says) in [
        (json!({ "event": "open", "receipt": "gr-half" }), "cannot be read as"),
        (json!({ "event": "quantum", "receipt": "gr-new" }), "does not know"),
    ] {
        let world = World::new().await.set("GRANTOR_LEDGER_KEY", KEY);
        assert_eq!(world.run(&["call", PLAIN.tool, PLAIN.arguments]).await.status, 0);
        append(&world, content);
        let ran = world.run(&["expire"]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        let ran = world.run(&["ledger", "verify"]).await;
        assert!(ran.status == 1 && ran.stderr.contains(says), "{ran:#?}");
        let ran = world.run(&["call", OTHER.tool, OTHER.arguments]).await;
        assert_eq!(ran.status, 0, "others go on: {ran:#?}");
    }
}

/// What somebody who has the key writes, as the ledger does.
fn append(world: &World, mut content: Value) {
    let all = lines(world);
    let last = all.last().unwrap();
    let seq = parsed(last)["seq"].as_u64().unwrap();
    let zeros = "0".repeat(64);
    let key = parsed(last)["key"].clone();
    for (name, value) in [
        ("format", json!(2)),
        ("receipt_seq", json!(1)),
        ("receipt_prev", json!(zeros)),
        ("seq", json!(seq + 1)),
        ("prev", json!(sha256(last))),
        ("key", key),
    ] {
        content[name] = value;
    }
    let text = content.to_string();
    let text = text.strip_suffix('}').unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, KEY.as_bytes());
    let bytes = [b"ledger line\0", text.as_bytes()].concat();
    let seal = hex(aws_lc_rs::hmac::sign(&key, &bytes).as_ref());
    write(world, &[all, vec![format!("{text},\"seal\":\"{seal}\"}}")]].concat());
}

fn sha256(text: &str) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Two customers of a vendor at one address: what is not there for one of them is not gone.
#[tokio::test]
async fn what_another_customer_holds_is_not_taken_for_gone() {
    let world = World::new().await;
    // A permission of Dfns for an hour that is over at once.
    let mut arguments = parsed(GRANTS[1].arguments);
    arguments["expires_in"] = "PT1H".into();
    let ran = world.run(&["call", GRANTS[1].tool, &arguments.to_string()]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    time_is_over(&world, &receipt).await;
    let token = |claims: Value| {
        use base64::Engine as _;
        let part = |value: &Value| {
            base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value.to_string().as_bytes())
        };
        format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "EdDSA" })), part(&claims))
    };
    let stranger = token(json!({ "https://custom/app_metadata": { "orgId": "or-other" } }));
    let right = world.variable("DFNS_AUTH_TOKEN").to_owned();
    for (what, credential) in [("another's", stranger.as_str()), ("nobody's", "opaque")] {
        let mut command = world.command(["expire"]);
        command.env("DFNS_AUTH_TOKEN", credential);
        let ran = super::harness::run(command).await;
        assert_eq!((ran.status, world.writes().len()), (1, 1), "{what}: {ran:#?}");
        assert!(ran.stderr.contains(&receipt), "{what}: {}", ran.stderr);
    }
    let mut command = world.command(["expire"]);
    command.env("DFNS_AUTH_TOKEN", right);
    let ran = super::harness::run(command).await;
    assert_eq!((ran.status, world.writes().len()), (0, 2), "{ran:#?}");
}
