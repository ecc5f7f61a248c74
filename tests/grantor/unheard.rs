//! What a command has changed is told somewhere, also where stdout takes nothing.

use std::fs::File;
use std::process::Stdio;

use grantor::ledger::Ledger;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::harness::{Ran, World, approved, parsed, requester};
use super::writes::GRANTS;

/// What stands where a reader should.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stdout {
    /// A disk that is full.
    Full,
    /// A pipe that nobody reads.
    Gone,
}

const BOTH: [Stdout; 2] = [Stdout::Full, Stdout::Gone];

async fn run(world: &World, stdout: Stdout, arguments: &[&str]) -> Ran {
    let mut command = world.command(arguments);
    match stdout {
        Stdout::Full => command.stdout(File::options().write(true).open("/dev/full").unwrap()),
        Stdout::Gone => command.stdout(std::io::pipe().unwrap().1),
    };
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Ran { status: output.status.code().unwrap(), stdout: String::new(), stderr }
}

/// How it ended is on stderr, with its receipt, and a script sees that its answer is missing.
fn is_told(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.status, 1, "{ran:?}");
    for words in [&["could not be written to stdout"], words].concat() {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
}

#[tokio::test]
async fn a_change_is_told_on_stderr_where_stdout_takes_nothing() {
    for stdout in BOTH {
        let world = World::new().await;
        let receipt = |at: usize| world.ledger()[at]["receipt"].as_str().unwrap().to_owned();
        let ran = run(&world, stdout, &["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        let first = receipt(0);
        is_told(&ran, &[&format!("{first}: confirmed"), "grantor call check_change"]);
        let ran = run(&world, stdout, &["undo", &first]).await;
        is_told(&ran, &[&format!("{}: confirmed", receipt(2))]);
        let mut arguments = parsed(GRANTS[3].arguments);
        arguments["expires_in"] = "PT1S".into();
        assert_eq!(world.run(&["call", GRANTS[3].tool, &arguments.to_string()]).await.status, 0);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let ran = run(&world, stdout, &["expire"]).await;
        is_told(&ran, &[&receipt(4), "confirmed"]);
        // Each of several changes.
        let mut arguments = parsed(GRANTS[0].arguments);
        arguments["assetKeys"] = json!(["Orders", "Billing"]);
        let ran = run(&world, stdout, &["call", GRANTS[0].tool, &arguments.to_string()]).await;
        is_told(&ran, &[&receipt(8), &receipt(10)]);
        // What came to nothing has no receipt, and is told all the same.
        let ran = run(&world, stdout, &["call", GRANTS[0].tool, r#"{"userKey": "nobody"}"#]).await;
        is_told(&ran, &["invalid"]);
    }
}

#[tokio::test]
async fn what_becomes_of_a_request_is_told_on_stderr_where_stdout_takes_nothing() {
    for stdout in BOTH {
        let world = World::asking().await;
        let ran = run(&world, stdout, &["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        let receipt = world.ledger()[0]["receipt"].as_str().unwrap().to_owned();
        is_told(&ran, &[&format!("{receipt}: awaiting_consent")]);
        let ran = run(&world, stdout, &["requests", "deny", &receipt]).await;
        is_told(&ran, &[&format!("{receipt} is denied")]);
        let ran = world.run(&["call", GRANTS[4].tool, GRANTS[4].arguments]).await;
        let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
        let ledger = Ledger::new(&world.path("state"), None);
        ledger.answer(&receipt, &approved("root"), &requester()).await.unwrap();
        let ran = run(&world, stdout, &["requests", "run"]).await;
        is_told(&ran, &[&receipt, "confirmed"]);
        assert_eq!(world.writes().len(), 1);
    }
}

/// Whoever stops reading a list, as `head` does, has read what they wanted.
#[tokio::test]
async fn a_list_may_be_left_early_and_not_lost() {
    let world = World::new().await;
    let dry_run = ["call", GRANTS[3].tool, GRANTS[3].arguments, "--dry-run"];
    let explain = ["policy", "explain", GRANTS[3].tool, GRANTS[3].arguments];
    for arguments in [
        &["call", "list_roles"][..],
        &["tools"],
        &["tools", "--json"],
        &["tools", "--hash"],
        &["--vendor", "snaplogic", "doctor"],
        &dry_run,
        &explain,
        &["policy", "check"],
        &["requests", "list", "--json"],
        &["completions", "bash"],
        &["demo"],
        &["--help"],
        &["call", "--help"],
        &["help", "ledger"],
        &["--version"],
    ] {
        is_only_read(&world, arguments).await;
    }
    assert!(world.writes().is_empty());
    world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
    for arguments in [
        &["ledger", "tail"][..],
        &["ledger", "tail", "--json"],
        &["ledger", "verify"],
        &["ledger", "export"],
        &["ledger", "export", "--format", "ocsf"],
        &["call", "check_change"],
    ] {
        is_only_read(&world, arguments).await;
    }
}

/// It is the writing that is named, not what was read; nobody's loss is no trouble.
async fn is_only_read(world: &World, arguments: &[&str]) {
    let ran = run(world, Stdout::Gone, arguments).await;
    assert_eq!(ran.status, 0, "{arguments:?}: {ran:?}");
    assert!(!ran.stderr.contains("stdout"), "{arguments:?}: {ran:?}");
    let ran = run(world, Stdout::Full, arguments).await;
    assert_eq!(ran.status, 1, "{arguments:?}: {ran:?}");
    assert_eq!(ran.stderr.matches("could not be written to stdout").count(), 1, "{ran:?}");
    assert!(!ran.stderr.contains("ledger cannot"), "{arguments:?}: {ran:?}");
    let mut quiet = world.command(arguments);
    let quiet = quiet.stdout(File::options().write(true).open("/dev/null").unwrap());
    assert_eq!(quiet.status().await.unwrap().code(), Some(0), "{arguments:?}");
}

/// A client that has stopped reading is told on stderr what it has not heard of.
#[tokio::test]
async fn what_a_client_does_not_read_is_told_on_stderr() {
    let world = World::new().await;
    let mut command = world.command(["serve"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut stdin = server.stdin.take().unwrap();
    let mut send = async |message: serde_json::Value| {
        stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    };
    send(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "raw", "version": "1" } } }))
    .await;
    let mut stdout = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(stdout.next_line().await.unwrap().is_some());
    drop(stdout);
    send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let arguments = parsed(GRANTS[3].arguments);
    send(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": GRANTS[3].tool, "arguments": arguments } }))
    .await;
    let output = server.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let receipt = world.ledger()[0]["receipt"].as_str().unwrap().to_owned();
    assert!(stderr.contains("the client does not read"), "{stderr}");
    let told = format!("the client has not read what became of {receipt}");
    assert!(stderr.contains(&told), "{stderr}");
    // One that reads its answer has heard of it, and nothing is said.
    let answered = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
    assert_eq!(answered.stderr, "");
    let world = World::new().await;
    let server = world.serve().await;
    server.call(GRANTS[3].tool, parsed(GRANTS[3].arguments)).await;
    server.stop().await;
    assert!(!world.stderr().contains("has not read"), "{}", world.stderr());
}
