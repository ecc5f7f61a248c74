use std::collections::BTreeSet;
use std::time::Duration;

use grantor::sandbox::Modes;
use serde_json::{Value, json};

use super::harness::{Raw, World};

/// How much shorter a minute of the vendor's rate is here, for the vendor and for Grantor alike.
const HASTE: u32 = 40;
/// The most memory of its own that the process may have: the pages of its program, of which an unoptimized one
/// has 40 MiB more than a release, are the file's.
const MOST_KIB: u64 = 40 * 1024;

async fn world() -> World {
    let modes = Modes {
        crowd: true,
        outsystems_per_minute: Some(100),
        minute: Duration::from_mins(1) / HASTE,
        ..Modes::default()
    };
    World::with(modes).await.set("GRANTOR_TEST_HASTE", HASTE.to_string())
}

/// `[user, role, asset]` of all that the sandbox holds at the vendor.
fn held(world: &World) -> BTreeSet<String> {
    let now = world.sandbox.now().unwrap();
    let grants = now["outsystems"].as_array().unwrap().iter();
    let place = |grant: &Value| grant["asset"].as_str().unwrap_or("organization").to_owned();
    grants.map(|one| json!([one["user"], one["role"], place(one)]).to_string()).collect()
}

fn key(row: &Value) -> String {
    json!([row["principal"]["id"], row["role"]["id"], row["resource"]["id"]]).to_string()
}

/// How much memory of its own a process has now.
fn own_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn refused_for_haste(world: &World) -> usize {
    world.sandbox.journal().iter().filter(|seen| seen.status == 429).count()
}

/// Exports, is broken off, goes on, and has each row once; what the process needed is printed.
#[tokio::test]
#[ignore = "takes minutes: .ci/full"]
async fn a_crowd_is_exported_whole() {
    let world = world().await;
    let file = world.path("review.json");
    let vendor = ["--vendor", "outsystems", "--format", "json", "-o", file.to_str().unwrap()];
    let export = || world.command(["access", "export"].iter().chain(&vendor));
    let mut first = export().spawn().unwrap();
    let partial = world.path("review.json.partial");
    let lines = || std::fs::read_to_string(&partial).unwrap_or_default().lines().count();
    // A line holds what one look brought, of which there are some sixty.
    while lines() < 20 {
        assert!(first.try_wait().unwrap().is_none(), "it ended before it was broken off");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.kill().await.unwrap();
    let (asked, kept) = (world.sandbox.received(), lines());
    let mut second = export().spawn().unwrap();
    let (process, mut most) = (second.id().unwrap(), 0);
    let status = loop {
        most = most.max(own_memory(process).unwrap_or_default());
        match tokio::time::timeout(Duration::from_millis(50), second.wait()).await {
            Ok(status) => break status.unwrap(),
            Err(_) => continue,
        }
    };
    assert!(status.success(), "{status}");
    let review: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let rows = review["rows"].as_array().unwrap();
    let (listed, held) = (rows.iter().map(key).collect::<BTreeSet<_>>(), held(&world));
    assert_eq!(listed.len(), rows.len(), "a row is there twice");
    assert!(listed == held, "{:?}", listed.symmetric_difference(&held).next());
    let again = world.sandbox.received() - asked;
    println!(
        "{} rows; {asked} requests for the first {kept} lines, {again} for the rest; at most {most} KiB",
        rows.len()
    );
    // A line for each hundred rows, and one in which the review begins: about as many requests each.
    let rest = rows.len() / 100 + 1 - kept;
    let most_again = asked / kept * rest * 11 / 10;
    assert!(again < most_again, "it began anew: {again} requests, and not {most_again}");
    assert_eq!(refused_for_haste(&world), 0, "the vendor's rate was not kept");
    assert!(most > 0 && most < MOST_KIB, "{most} KiB");
}

/// The same by the cursors of the tool.
#[tokio::test]
#[ignore = "takes minutes: .ci/full"]
async fn a_crowd_is_listed_to_its_end() {
    let world = world().await;
    let mut server: Raw = world.serve_raw();
    server.hello("2025-11-25").await;
    let mut look = json!({ "vendor": "outsystems", "limit": 100 });
    let (mut listed, mut calls, mut most) = (BTreeSet::new(), 0, 0);
    loop {
        calls += 1;
        let call = json!({ "name": "list_access", "arguments": look });
        let answer = server.ask(calls, "tools/call", call).await;
        most = most.max(server.memory("RssAnon"));
        let body = &answer["result"]["structuredContent"];
        for row in body["rows"].as_array().unwrap_or_else(|| panic!("{answer:#}")) {
            assert!(listed.insert(key(row)), "twice: {row:#}");
        }
        match body["next_cursor"].as_str() {
            Some(next) => look["cursor"] = json!(next),
            None => break,
        }
    }
    let held = held(&world);
    assert!(listed == held, "{:?}", listed.symmetric_difference(&held).next());
    println!("{} rows in {calls} calls; at most {most} KiB", listed.len());
    assert_eq!(refused_for_haste(&world), 0, "the vendor's rate was not kept");
    assert!(most > 0 && most < MOST_KIB, "{most} KiB");
}
