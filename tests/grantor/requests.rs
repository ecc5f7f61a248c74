use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use grantor::sandbox::Seen;
use grantor::sandbox::story::{RECEIPT, SCENES, Scene};
use grantor::tools::TOOLS;
use serde_json::{Value, json};

use super::golden;
use super::harness::{World, parsed};

/// Headers that every request carries, and those that say nothing about it.
const UNTOLD: [&str; 4] = ["accept", "user-agent", "host", "content-length"];

#[tokio::test]
async fn the_requests_of_each_tool_are_as_its_file_says() {
    let mut files = BTreeMap::new();
    for tool in &TOOLS {
        let name = tool.spec.name;
        let mut text = String::new();
        if !SCENES.iter().any(|scene| scene.arguments == tool.spec.example) {
            text.push_str(&told("The example", name, tool.spec.example, None).await);
        }
        let mut before = None;
        for scene in &SCENES {
            if scene.tool == name {
                text.push_str(&told(scene.asks, name, scene.arguments, before).await);
            }
            before = Some(scene);
        }
        files.insert(format!("{name}.txt"), text);
    }
    golden::check("tests/golden/requests", "the_requests_of_each_tool", &files);
}

/// One call in a fresh world: what left, in order, and how it ended. A call that needs a receipt
/// gets that of the scene before it.
async fn told(title: &str, tool: &str, arguments: &str, before: Option<&Scene>) -> String {
    let world = World::new().await;
    let server = world.serve().await;
    let mut given = arguments.to_owned();
    if let Some(before) = before.filter(|_| arguments.contains(RECEIPT)) {
        let answer = server.call(before.tool, parsed(before.arguments)).await;
        given = given.replace(RECEIPT, answer.body["receipt"].as_str().unwrap());
    }
    let earlier = world.sandbox.journal().len();
    let answer = server.call(tool, parsed(&given)).await;
    let mut journal = world.sandbox.journal().split_off(earlier);
    let mut text = format!("# {title}\n# {arguments}\n\n");
    // Vendors are asked at the same time.
    journal.sort_by_key(|seen| seen.vendor);
    // Reads that are asked at the same time arrive in any order.
    for run in journal.chunk_by(|one, other| one.method == "GET" && other.method == "GET") {
        let mut shown: Vec<String> = run.iter().map(|seen| shown(&world, seen)).collect();
        shown.sort();
        text.extend(shown);
    }
    if journal.is_empty() {
        text.push_str("nothing is sent\n\n");
    }
    let end = match answer.body["outcome"].as_str() {
        Some(outcome) => outcome.to_owned(),
        None => {
            let rows = answer.body["rows"].as_array().or(answer.body["changes"].as_array());
            format!("{} rows", rows.unwrap().len())
        }
    };
    writeln!(text, "=> {end}\n").unwrap();
    text
}

fn shown(world: &World, seen: &Seen) -> String {
    let header_of = |name: &str| {
        let found = seen.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    assert_eq!(header_of("accept"), "application/json");
    assert_eq!(header_of("user-agent"), concat!("grantor/", env!("CARGO_PKG_VERSION")));
    let query = if seen.query.is_empty() { String::new() } else { format!("?{}", seen.query) };
    let mut text = format!("{} {}{query}\n", seen.method, seen.path);
    let mut headers: Vec<String> = seen
        .headers
        .iter()
        .filter(|(name, _)| !UNTOLD.contains(&name.as_str()))
        .map(|(name, value)| format!("  {name}: {}\n", header(name, value)))
        .collect();
    headers.sort();
    text.extend(headers);
    let body = std::str::from_utf8(&seen.body).unwrap();
    for line in body_lines(seen, body) {
        writeln!(text, "  {line}").unwrap();
    }
    text.push('\n');
    hosts_hidden(world, text)
}

fn header(name: &str, value: &str) -> String {
    match (name, value.split_once(' ')) {
        ("authorization", Some((scheme, _))) => format!("{scheme} [CREDENTIAL]"),
        ("x-dfns-useraction", _) => "[USER ACTION]".to_owned(),
        _ => value.to_owned(),
    }
}

fn body_lines(seen: &Seen, body: &str) -> Vec<String> {
    if seen.path.ends_with("/token") {
        let fields = url::form_urlencoded::parse(body.as_bytes());
        return fields
            .map(|(name, value)| format!("{name}={}", form_value(&name, &value)))
            .collect();
    }
    if body.is_empty() {
        return Vec::new();
    }
    let mut value = parsed(body);
    if value.get("challengeIdentifier").is_some() {
        value["challengeIdentifier"] = json!("[CHALLENGE IDENTIFIER]");
        let assertion = &mut value["firstFactor"]["credentialAssertion"];
        let data = assertion["clientData"].as_str().unwrap();
        let mut data = decoded(data);
        data["challenge"] = json!("[CHALLENGE]");
        assertion["clientData"] = json!(format!("base64url of {data}"));
        assertion["signature"] = json!("[SIGNATURE]");
    }
    format!("{value:#}").lines().map(str::to_owned).collect()
}

fn form_value(name: &str, value: &str) -> String {
    match name {
        "client_secret" => "[CREDENTIAL]".to_owned(),
        "client_assertion" => {
            let parts: Vec<&str> = value.split('.').collect();
            let mut claims = decoded(parts[1]);
            assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
            for (name, stands_for) in [("iat", "[NOW]"), ("exp", "[NOW + 300]"), ("jti", "[FRESH]")]
            {
                claims[name] = json!(stands_for);
            }
            format!("{} . {claims} . [SIGNATURE]", decoded(parts[0]))
        }
        _ => value.to_owned(),
    }
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The fakes' ports differ from run to run.
fn hosts_hidden(world: &World, text: String) -> String {
    let vendors = world.sandbox.vendors().into_iter();
    vendors.fold(text, |text, (vendor, url)| text.replace(&url, &format!("https://{vendor}")))
}
