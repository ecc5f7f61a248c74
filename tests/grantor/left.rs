//! How `requests run` ends, and what is said of a yes that is left to others.

use std::time::Duration;

use grantor::ledger::Ledger;
use serde_json::json;

use super::harness::{World, example, parsed, requester, run};
use super::terminal::Terminal;
use super::writes::{GRANTS, Grant, NOBODY};

/// Asks for a change, and records a yes as a terminal does, without carrying it out.
async fn approved(world: &World, grant: &Grant, arguments: &str) -> String {
    let ran = world.run(&["call", grant.tool, arguments]).await;
    assert_eq!(ran.status, 3, "{ran:#?}");
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    let yes = super::harness::approved("root");
    Ledger::new(&world.path("state"), None).answer(&receipt, &yes, &requester()).await.unwrap();
    receipt
}

/// What was done, what a person or the vendor's approvers have to agree to, and what failed.
#[tokio::test]
async fn requests_run_ends_with_the_worst_of_its_outcomes() {
    let pending = r#"{"permissionId": "Payments Approver", "identityId": "user@example.com"}"#;
    let plain = GRANTS[3].arguments;
    let other = plain.replace(r#"["R", "X"]"#, r#"["R", "W", "X"]"#);
    for (grant, arguments, meanwhile, fault, word, status) in [
        (&GRANTS[3], plain, None, None, "confirmed", 0),
        (&GRANTS[3], plain, Some(plain), None, "already_present", 0),
        (&GRANTS[3], plain, Some(other.as_str()), None, "awaiting_consent", 3),
        (&GRANTS[1], pending, None, None, "pending_vendor_approval", 3),
        (&GRANTS[3], plain, None, Some(400), "rejected", 1),
        (&GRANTS[3], plain, None, Some(500), "unknown", 1),
    ] {
        let world = World::asking().await;
        approved(&world, grant, arguments).await;
        if let Some(meanwhile) = meanwhile {
            let mut call = world.command(["call", grant.tool, meanwhile]);
            call.env("GRANTOR_POLICY", example("automation"));
            assert_eq!(run(call).await.status, 0, "{word}");
        }
        if let Some(fault) = fault {
            world.inject(grant.vendor, grant.method, grant.path, super::harness::status(fault));
        }
        let ran = world.run(&["requests", "run"]).await;
        assert_eq!(ran.status, status, "{word}: {ran:#?}");
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(word), "{word}: {ran:#?}");
    }
    // What failed outweighs what waits.
    let world = World::asking().await;
    approved(&world, &GRANTS[1], pending).await;
    approved(&world, &GRANTS[3], plain).await;
    world.inject("snaplogic", GRANTS[3].method, GRANTS[3].path, super::harness::status(400));
    assert_eq!(world.run(&["requests", "run"]).await.status, 1);
}

/// Set up otherwise than whoever asked, `requests run` names each yes, why it is left, and what to
/// do.
#[tokio::test]
async fn a_yes_that_is_left_to_others_is_named() {
    let world = World::asking().await;
    let receipt = approved(&world, &GRANTS[3], GRANTS[3].arguments).await;
    let automation = example("automation").display().to_string();
    for (variable, value, why) in [
        ("GRANTOR_POLICY", automation.as_str(), "another policy"),
        ("SNAPLOGIC_URL", NOBODY, "it was asked for"),
        ("GRANTOR_VENDORS", "dfns", "snaplogic is not configured here"),
    ] {
        let mut command = world.command(["requests", "run"]);
        command.env(variable, value);
        let ran = run(command).await;
        assert_eq!(ran.status, 0, "{why}: {ran:#?}");
        for part in [receipt.as_str(), why, "`requests run` there"] {
            assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
        }
    }
    assert!(world.writes().is_empty());
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
}

/// A server tells of it once, and not before the one that it is for has had its turn.
#[tokio::test]
async fn a_server_tells_once_of_a_yes_that_is_left_to_others() {
    let world = World::asking().await;
    let receipt = approved(&world, &GRANTS[3], GRANTS[3].arguments).await;
    let policy = example("automation");
    let server = world.serve_with(&[("GRANTOR_POLICY", policy.to_str().unwrap())]).await;
    server.call("list_roles", json!({ "vendor": "redox" })).await;
    let begun = std::time::Instant::now();
    while !world.stderr().contains("not for this server") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", world.stderr());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    server.stop().await;
    let log = world.stderr();
    assert_eq!(log.matches("not for this server").count(), 1, "{log}");
    assert!(log.contains(&receipt) && log.contains("another policy"), "{log}");
    assert!(world.writes().is_empty());
}

/// A disk that does not keep what is flushed to the lines of the ledger.
const BROKEN_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int fdatasync(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        if (strstr(path, "lines.jsonl")) { errno = EIO; return -1; }
    }
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}
"#;

/// The yes was written and may not be kept: it is no yes, and nobody sends it later.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_yes_that_cannot_be_flushed_is_none() {
    let world = World::asking().await;
    let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    let (source, library) = (world.path("disk.c"), world.path("disk.so"));
    std::fs::write(&source, BROKEN_DISK).unwrap();
    let mut compiler = tokio::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    assert!(compiler.status().await.unwrap().success());
    let mut command = world.command(["requests", "approve", &receipt]);
    command.env("LD_PRELOAD", &library);
    let mut terminal = Terminal::start(command);
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 1, "{seen}");
    assert!(seen.contains("not approved"), "{seen}");
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 0), "{ran:#?}");
    assert_eq!(world.run(&["ledger", "verify"]).await.status, 0);
    let check = json!({ "receipt": receipt }).to_string();
    let ran = world.run(&["call", "check_change", &check]).await;
    assert!(ran.stdout.contains("withdrawn"), "{ran:#?}");
    // It can be asked for anew.
    approved(&world, &GRANTS[3], GRANTS[3].arguments).await;
    assert_eq!(world.run(&["requests", "run"]).await.status, 0);
    assert_eq!(world.writes().len(), 1);
}
