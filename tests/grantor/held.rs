//! The time of a grant is over, and the vendor's own approvers have a say in its end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use grantor::sandbox::Modes;
use serde_json::{Value, json};

use super::harness::{Ran, World, parsed, time_is_over};
use super::proxy::{Proxy, Then, reply};
use super::traps::approval;

const SAM: &str = "user@example.com";

async fn call(world: &World, tool: &str, arguments: &Value) -> Value {
    parsed(&world.run(&["call", tool, &arguments.to_string()]).await.stdout)
}

async fn checked(world: &World, receipt: &str) -> Value {
    call(world, "check_change", &json!({ "receipt": receipt })).await
}

async fn decide(world: &World, approve: bool) {
    world.sandbox.decide_approval(&approval(world).await, approve).unwrap();
}

async fn expire(world: &World) -> (i32, String) {
    let Ran { status, stdout, stderr } = world.run(&["expire"]).await;
    (status, stdout + &stderr)
}

/// A timed grant that waits for the vendor's approvers.
async fn asked(world: &World) -> String {
    let arguments = json!({ "permissionId": "Payments Approver", "identityId": SAM,
        "expires_in": "PT1H" });
    let waiting = call(world, "assign_permission", &arguments).await;
    assert_eq!(waiting["outcome"], "pending_vendor_approval", "{waiting:#}");
    waiting["receipt"].as_str().unwrap().to_owned()
}

/// A grant that was approved, whose end the vendor's approvers hold.
async fn held(modes: Modes) -> (World, String) {
    let world = World::with(modes).await;
    let receipt = asked(&world).await;
    decide(&world, true).await;
    time_is_over(&world, &receipt).await;
    // Nobody has looked since: the sweep finds out by itself that there is something to end.
    let (status, said) = expire(&world).await;
    assert_eq!(world.writes().len(), 2, "the end was sent: {said}");
    assert!(status == 1 && said.contains("approvers hold"), "{status}: {said}");
    (world, receipt)
}

async fn overdue(world: &World) -> Vec<Value> {
    let listed = parsed(&world.run(&["requests", "list", "--json"]).await.stdout);
    let rows = listed["overdue"].as_array().unwrap().iter();
    rows.map(|row| row["receipt"].clone()).collect()
}

fn the_end(world: &World) -> String {
    let ends = |line: &&Value| line["event"] == "open" && line["ends"].is_string();
    world.ledger().iter().find(ends).unwrap()["receipt"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_end_that_approvers_hold_is_not_done_and_not_sent_again() {
    for dfns_approval_id in [true, false] {
        let modes = Modes { dfns_approval_id, ..Modes::default() };
        let (world, receipt) = held(modes).await;
        for _ in 0..2 {
            let (status, said) = expire(&world).await;
            assert!(status == 1 && said.contains("approvers hold"), "{status}: {said}");
            let shown = checked(&world, &receipt).await;
            let note = shown["note"].as_str().unwrap();
            assert!(note.contains("time is over") && note.contains("approvers hold"), "{note}");
            assert!(shown["ended_by"].is_null() && shown["overdue"].is_string(), "{shown:#}");
            assert_eq!(overdue(&world).await, [receipt.as_str()]);
        }
        let undo = call(&world, "undo_change", &json!({ "receipt": receipt })).await;
        assert_eq!(undo["outcome"], "refused", "{undo:#}");
        assert_eq!(world.writes().len(), 2, "nothing is sent while it waits");
    }
}

#[tokio::test]
async fn an_end_that_approvers_agree_to_is_done() {
    for (dfns_approval_id, checks) in [(true, false), (false, false), (true, true)] {
        let modes = Modes { dfns_approval_id, ..Modes::default() };
        let (world, receipt) = held(modes).await;
        decide(&world, true).await;
        if checks {
            let shown = checked(&world, &receipt).await;
            assert_eq!(shown["note"], "its time was over, and it was taken back");
        } else {
            let (status, said) = expire(&world).await;
            assert!(status == 0 && said.contains("confirmed"), "{status}: {said}");
        }
        assert_eq!(expire(&world).await, (0, String::new()));
        let shown = checked(&world, &receipt).await;
        assert_eq!(shown["ended_by"], the_end(&world).as_str(), "{shown:#}");
        assert!(shown["overdue"].is_null(), "{shown:#}");
        assert_eq!(overdue(&world).await, [""; 0]);
        assert_eq!(world.writes().len(), 2);
    }
}

/// Whoever finds out first, the end is not sent a second time: that is for a person.
#[tokio::test]
async fn an_end_that_approvers_deny_is_overdue_for_good() {
    for (dfns_approval_id, looked_at) in
        [(true, "nothing"), (false, "the grant"), (true, "the end")]
    {
        let modes = Modes { dfns_approval_id, ..Modes::default() };
        let (world, receipt) = held(modes).await;
        decide(&world, false).await;
        match looked_at {
            "the grant" => drop(checked(&world, &receipt).await),
            "the end" => drop(checked(&world, &the_end(&world)).await),
            _ => {}
        }
        for _ in 0..2 {
            let (status, said) = expire(&world).await;
            assert!(status == 1 && said.contains("denied"), "{looked_at}: {status}: {said}");
            assert!(!said.contains("approvers hold"), "{looked_at}: {said}");
        }
        let shown = checked(&world, &receipt).await;
        assert!(shown["overdue"].as_str().unwrap().contains("denied"), "{shown:#}");
        assert_eq!(
            (&shown["outcome"], &shown["note"]),
            (&json!("confirmed"), &json!("it stands: the vendor shows it so now"))
        );
        assert_eq!(overdue(&world).await, [receipt.as_str()]);
        assert_eq!(world.writes().len(), 2, "{looked_at}: the end is not sent again");
        // A person takes it back.
        let undo = call(&world, "undo_change", &json!({ "receipt": receipt })).await;
        assert_eq!(undo["outcome"], "pending_vendor_approval", "{undo:#}");
    }
}

/// Not access yet, and not to be taken back yet, whether the list shows it or not. What is approved
/// after its time is taken back; what is denied needs nothing more.
#[tokio::test]
async fn a_grant_that_is_still_held_when_its_time_is_over_is_looked_after() {
    for dfns_lists_pending in [true, false] {
        for approve in [true, false] {
            let modes = Modes { dfns_lists_pending, ..Modes::default() };
            let world = World::with(modes).await;
            let receipt = asked(&world).await;
            time_is_over(&world, &receipt).await;
            for _ in 0..2 {
                let (status, said) = expire(&world).await;
                assert!(status == 1 && said.contains("no access yet"), "{status}: {said}");
            }
            decide(&world, approve).await;
            let (status, said) = expire(&world).await;
            assert_eq!(
                (status, world.writes().len()),
                if approve { (1, 2) } else { (0, 1) },
                "{said}"
            );
            if !approve {
                assert_eq!(expire(&world).await, (0, String::new()));
            }
        }
    }
}

/// A second undo is not sent while the vendor holds the first, which is not called done either.
#[tokio::test]
async fn an_undo_that_approvers_hold_is_not_done_and_not_sent_again() {
    for approve in [true, false] {
        let world = World::new().await;
        let arguments = json!({ "permissionId": "Payments Approver", "identityId": SAM });
        let waiting = call(&world, "assign_permission", &arguments).await;
        let undo = json!({ "receipt": waiting["receipt"] });
        decide(&world, true).await;
        let undone = call(&world, "undo_change", &undo).await;
        assert_eq!(undone["outcome"], "pending_vendor_approval", "{undone:#}");
        let shown = call(&world, "check_change", &undo).await;
        assert!(shown["note"].as_str().unwrap().contains("approvers hold"), "{shown:#}");
        let again = call(&world, "undo_change", &undo).await;
        assert_eq!((&again["outcome"], world.writes().len()), (&json!("refused"), 2), "{again:#}");
        decide(&world, approve).await;
        let shown = call(&world, "check_change", &undo).await;
        let note = if approve { "it was undone" } else { "it stands: the vendor shows it so now" };
        assert_eq!(shown["note"], note, "{shown:#}");
        let again = call(&world, "undo_change", &undo).await;
        let outcome = if approve { "refused" } else { "pending_vendor_approval" };
        assert_eq!(again["outcome"], outcome, "{again:#}");
    }
}

/// A 202 that says itself that it came to nothing is a no.
#[tokio::test]
async fn a_change_request_that_has_failed_already_does_not_wait() {
    for (status, outcome) in
        [("Failed", "rejected"), ("Rejected", "rejected"), ("Pending", "pending_vendor_approval")]
    {
        for (tool, kind, who) in [
            ("assign_permission", "Create", SAM),
            ("revoke_permission", "Delete", "hiro.tanaka@example.com"),
        ] {
            let request = json!({ "id": "cr-1", "kind": "Assignment", "operationKind": kind,
                "status": status, "entityId": "as-1" });
            let world = World::new().await;
            let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), move |method, path| {
                let writes = method != "GET" && path.contains("/assignments");
                let answer = || Then::Answer(reply(202, &request.to_string()));
                if writes { answer() } else { Then::Pass }
            });
            let proxy = proxy.await;
            let world = world.set("DFNS_API_URL", &proxy.url);
            let arguments = json!({ "permissionId": "Wallet Operator", "identityId": who });
            let answer = call(&world, tool, &arguments).await;
            assert_eq!(answer["outcome"], outcome, "{tool} {status}: {answer:#}");
            assert_eq!(world.ledger().last().unwrap()["vendor_status"], 202);
        }
    }
}

/// A permission that is archived is given to nobody; who has it can be seen, and can lose it.
#[tokio::test]
async fn an_assignment_of_an_archived_permission_is_shown_and_can_be_taken_back() {
    let archived = Arc::new(AtomicBool::new(false));
    let is_archived = archived.clone();
    let world = World::new().await;
    let change: Arc<dyn Fn(&str) -> String + Send + Sync> =
        Arc::new(|body: &str| body.replace(r#""isArchived":false"#, r#""isArchived":true"#));
    let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), move |method, _| {
        let changes = method == "GET" && is_archived.load(SeqCst);
        if changes { Then::Change(change.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.set("DFNS_API_URL", &proxy.url);
    let grant = |timed: bool| {
        let mut arguments = json!({ "permissionId": "Treasury Viewer", "identityId": SAM });
        if timed {
            arguments["expires_in"] = json!("PT1H");
        }
        arguments
    };
    for way in ["id", "name", "assignment", "undo", "end"] {
        archived.store(false, SeqCst);
        let granted = call(&world, "assign_permission", &grant(way == "end")).await;
        assert_eq!(granted["outcome"], "confirmed", "{way}: {granted:#}");
        archived.store(true, SeqCst);
        let look = json!({ "vendor": "dfns", "principal": SAM });
        let listed = call(&world, "list_access", &look).await;
        let rows = listed["rows"].as_array().unwrap();
        assert_eq!((rows.len(), &listed["problems"]), (1, &json!([])), "{way}: {listed:#}");
        let shown = call(&world, "check_change", &json!({ "receipt": granted["receipt"] })).await;
        assert_eq!(shown["note"], "it stands: the vendor shows it so now", "{way}: {shown:#}");
        let (permission, assignment) = (&granted["role"]["id"], &granted["after"][0]["id"]);
        let mut revoke = json!({ "permissionId": permission, "identityId": SAM });
        let taken = match way {
            "undo" => call(&world, "undo_change", &json!({ "receipt": granted["receipt"] })).await,
            "end" => {
                time_is_over(&world, granted["receipt"].as_str().unwrap()).await;
                let (status, said) = expire(&world).await;
                assert!(status == 0 && said.contains("confirmed"), "{status}: {said}");
                continue;
            }
            "name" => call(&world, "revoke_permission", &grant(false)).await,
            "assignment" => {
                revoke = json!({ "permissionId": permission, "assignmentId": assignment });
                call(&world, "revoke_permission", &revoke).await
            }
            _ => call(&world, "revoke_permission", &revoke).await,
        };
        assert_eq!(taken["outcome"], "confirmed", "{way}: {taken:#}");
        let writes = world.writes().len();
        revoke = json!({ "permissionId": permission, "identityId": SAM });
        for (tool, arguments) in [
            ("assign_permission", revoke),
            ("assign_permission", grant(false)),
            ("undo_change", json!({ "receipt": taken["receipt"] })),
        ] {
            let again = call(&world, tool, &arguments).await;
            assert_eq!(again["outcome"], "invalid", "{way}: {again:#}");
        }
        assert_eq!(world.writes().len(), writes, "{way}");
    }
}
