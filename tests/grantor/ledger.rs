use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Raw, World, parsed};
use super::proxy::{Proxy, Then};
use super::writes::{GRANTS, Grant};

/// A world whose server finds a proxy that holds the grant's write back.
pub async fn holding(grant: &Grant) -> (World, Proxy) {
    let world = World::new().await.tokens_straight().await;
    let (method, path) = (grant.method, grant.path);
    let proxy = Proxy::start(Some(world.variable(grant.variable)), move |asked, asked_path| {
        let held = asked == method && asked_path.contains(path);
        if held { Then::Hold } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.set(grant.variable, &proxy.url);
    (world, proxy)
}

/// The same with a server whose write has left.
async fn holding_a_call_of(grant: &Grant) -> (World, Proxy, Raw) {
    let (world, proxy) = holding(grant).await;
    let mut raw = world.serve_raw();
    raw.hello("2025-11-25").await;
    let params = json!({ "name": grant.tool, "arguments": parsed(grant.arguments) });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    raw.send(&call).await;
    proxy.held.notified().await;
    (world, proxy, raw)
}

#[tokio::test]
async fn a_change_is_on_disk_before_it_leaves() {
    for grant in &GRANTS {
        let (world, proxy) = holding(grant).await;
        let server = world.serve().await;
        let look = async {
            proxy.held.notified().await;
            let ledger = world.ledger();
            assert!(world.writes().is_empty(), "the vendor has nothing yet");
            proxy.release.notify_one();
            ledger
        };
        let call = server.call(grant.tool, parsed(grant.arguments));
        let (answer, early) = tokio::join!(call, look);
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        let [open] = early.as_slice() else { panic!("{}: {early:?}", grant.tool) };
        assert_eq!(open["event"], "open");
        assert_eq!(open["tool"], grant.tool);
        assert_eq!(open["vendor"], grant.vendor);
        assert_eq!(open["request"]["method"], grant.method, "{}", grant.tool);
        for known in
            ["receipt", "time", "requester", "base", "wanted", "arguments", "before", "after"]
        {
            assert!(!open[known].is_null(), "{}: {known} is not kept", grant.tool);
        }
        let ledger = world.ledger();
        assert_eq!(ledger.len(), 2);
        assert_eq!(ledger[0], open.clone(), "lines are added, never changed");
        assert_eq!(ledger[1]["event"], "close");
        assert_eq!(ledger[1]["outcome"], "confirmed");
        assert_eq!(ledger[1]["receipt"], answer.body["receipt"]);
    }
}

/// What was done is told as done where that cannot be recorded, and nobody reads that nothing was sent.
#[tokio::test]
async fn an_end_that_cannot_be_recorded_is_told_beside_the_outcome() {
    let (world, proxy) = holding(&GRANTS[0]).await;
    let mut raw = world.serve_raw_logged();
    raw.hello("2025-11-25").await;
    let params = json!({ "name": GRANTS[0].tool, "arguments": parsed(GRANTS[0].arguments) });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    raw.send(&call).await;
    proxy.held.notified().await;
    // A folder in the ledger's place takes no line, whoever the user is.
    let lines = world.path("state/lines.jsonl");
    std::fs::rename(&lines, world.path("state/aside")).unwrap();
    std::fs::create_dir(&lines).unwrap();
    proxy.release.notify_one();
    let answer = loop {
        let message = raw.next().await.expect("the server ended");
        if message["id"] == 1 {
            break message["result"]["structuredContent"].clone();
        }
    };
    assert_eq!(answer["outcome"], "confirmed", "{answer:#}");
    let warning = answer["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.starts_with("how it ended is not recorded: "), "{answer:#}");
    assert!(warning.ends_with("`grantor reconcile` looks at it again"), "{answer:#}");
    raw.kill().await;
    let log = world.stderr();
    assert!(log.contains("the change was sent, and how it ended is not recorded"), "{log}");
    assert!(!log.contains("nothing was sent") && !warning.contains("nothing was sent"), "{log}");
}

/// A client that goes does not take a write with it.
#[tokio::test]
async fn a_write_in_flight_is_finished_and_recorded_after_the_client_has_gone() {
    let (world, proxy, raw) = holding_a_call_of(&GRANTS[3]).await;
    let release = async {
        // Time for the server to notice that nobody listens any more.
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.release.notify_one();
    };
    let ((status, _), ()) = tokio::join!(raw.finish(), release);
    assert_eq!(status, 0);
    let ledger = world.ledger();
    assert_eq!(ledger.len(), 2, "{ledger:?}");
    assert_eq!(ledger[1]["outcome"], "confirmed");
    assert_eq!(world.writes().len(), 1);
}

/// A process that dies leaves its change open: the truth, and what a person has to look at.
#[tokio::test]
async fn a_process_that_dies_leaves_the_change_open() {
    let (world, _proxy, raw) = holding_a_call_of(&GRANTS[3]).await;
    raw.kill().await;
    let ledger = world.ledger();
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    assert_eq!(ledger[0]["event"], "open");
}

#[tokio::test]
async fn a_refusal_by_the_guard_is_a_line() {
    for (tool, arguments) in [
        (
            "grant_asset_role",
            json!({ "userKey": "user@example.com", "roleKey": "Administrator", "assetKeys": ["Orders"] }),
        ),
        (
            "assign_permission",
            json!({ "permissionId": "ManagedFullAdminAccess", "identityId": "user@example.com" }),
        ),
        (
            "set_project_acl",
            json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "GROUP",
                    "grantee": "members", "permission_list": ["R"] }),
        ),
        (
            "set_asset_permissions",
            json!({ "asset": "BillingService",
                    "userGroupAssetPermission": [{ "group": "Everyone", "permission": "Full" }] }),
        ),
    ] {
        let world = World::new().await;
        let mut arguments: Value = arguments;
        arguments["reason"] = json!("because I say so");
        let answer = world.serve().await.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "refused", "{tool}: {:#}", answer.body);
        let ledger = world.ledger();
        let [line] = ledger.as_slice() else { panic!("{tool}: {ledger:?}") };
        assert_eq!(line["event"], "refused");
        assert_eq!(line["outcome"], "refused");
        assert_eq!(line["tool"], tool);
        assert_eq!(line["reason"], "because I say so");
        assert_eq!(line["policy"]["verdict"], "deny");
        assert_eq!(line["request"], answer.body["request"]);
        assert!(world.writes().is_empty());
    }
}

/// What cannot be recorded is not done.
#[tokio::test]
async fn where_the_ledger_cannot_be_written_nothing_leaves() {
    for grant in &GRANTS {
        let world = World::new().await;
        let file = world.path("file");
        std::fs::write(&file, "in the way").unwrap();
        let below = file.join("state");
        let world = world.set("GRANTOR_STATE_DIR", below.to_str().unwrap());
        let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "unavailable", "{:#}", answer.body);
        assert!(answer.summary().contains("ledger"), "{}", answer.summary());
        assert!(answer.hint().contains("GRANTOR_STATE_DIR"), "{}", answer.hint());
        assert!(world.writes().is_empty(), "{}", grant.tool);
        let signed = world.count("POST", "/auth/action");
        assert_eq!(signed, 0, "not even a signature is asked for");
    }
}

#[tokio::test]
async fn looking_and_dry_runs_leave_no_line() {
    let world = World::new().await;
    let server = world.serve().await;
    for grant in &GRANTS {
        let mut arguments = parsed(grant.arguments);
        arguments["dry_run"] = json!(true);
        let answer = server.call(grant.tool, arguments).await;
        assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
        assert!(answer.body.get("receipt").is_none() && answer.body["request"].is_object());
    }
    let mut privileged = parsed(GRANTS[1].arguments);
    privileged["permissionId"] = json!("ManagedFullAdminAccess");
    privileged["dry_run"] = json!(true);
    let answer = server.call(GRANTS[1].tool, privileged).await;
    assert_eq!(answer.outcome(), "refused", "a dry run shows the verdict too");
    server.call("list_roles", json!({})).await;
    assert!(world.writes().is_empty());
    assert!(!world.path("state").exists());
}

/// What a dry run shows is what is sent.
#[tokio::test]
async fn a_dry_run_shows_the_very_request() {
    for grant in &GRANTS {
        let world = World::new().await;
        let server = world.serve().await;
        let mut dry = parsed(grant.arguments);
        dry["dry_run"] = json!(true);
        let shown = server.call(grant.tool, dry).await.body["request"].clone();
        let done = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(done.outcome(), "confirmed", "{:#}", done.body);
        assert_eq!(world.ledger()[0]["request"], shown, "{}", grant.tool);
        let writes = world.writes();
        assert_eq!(writes.len(), 1);
        assert_eq!(shown["method"], writes[0].method.as_str());
        let query = if writes[0].query.is_empty() { "" } else { "?" };
        assert_eq!(shown["path"], format!("{}{query}{}", writes[0].path, writes[0].query));
        let body = serde_json::from_slice(&writes[0].body).unwrap_or(Value::Null);
        assert_eq!(shown["body"], body, "{}", grant.tool);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_ledger() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    world.serve().await.call(GRANTS[3].tool, parsed(GRANTS[3].arguments)).await;
    for (path, expected) in [("state", 0o700), ("state/lines.jsonl", 0o600)] {
        let mode = std::fs::metadata(world.path(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "{path}");
    }
}

/// Several servers, as several clients start them, and one ledger.
#[tokio::test]
async fn servers_share_a_ledger_and_no_line_is_torn() {
    let world = World::new().await;
    let servers = [world.serve().await, world.serve().await, world.serve().await];
    let people = ["Sam Rivera", "Tomás Ferreira", "Hiro Tanaka", "Grace Okafor"];
    let calls = servers.iter().flat_map(|server| {
        people.iter().map(move |person| {
            let arguments = json!({
                "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
                "grantee": person, "permission_list": ["R"], "reason": "x".repeat(900),
            });
            server.call("set_project_acl", arguments)
        })
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| !answer.is_error));
    let ledger = world.ledger();
    let opened: Vec<&Value> = ledger.iter().filter(|line| line["event"] == "open").collect();
    assert_eq!(opened.len(), world.writes().len());
    assert_eq!(ledger.len(), 2 * opened.len());
    for open in opened {
        let same = ledger.iter().filter(|line| line["receipt"] == open["receipt"]);
        assert_eq!(same.count(), 2, "opened and closed once");
    }
}
