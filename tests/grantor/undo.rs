use serde_json::{Value, json};

use super::harness::{Answer, Server, World, parsed, status};
use super::writes::{GRANTS, Grant};

async fn done(server: &Server, grant: &Grant) -> (Answer, String) {
    let answer = server.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{}: {:#}", grant.tool, answer.body);
    let receipt = answer.body["receipt"].as_str().unwrap().to_owned();
    (answer, receipt)
}

async fn undo(server: &Server, receipt: &str) -> Answer {
    server.call("undo_change", json!({ "receipt": receipt, "reason": "a mistake" })).await
}

async fn checked(server: &Server, receipt: &str) -> Value {
    let answer = server.call("check_change", json!({ "receipt": receipt })).await;
    assert!(!answer.is_error, "{:#}", answer.body);
    answer.body
}

/// Undoing is a change of its own, through the same guard and ledger, and is done once.
#[tokio::test]
async fn a_change_that_is_undone_leaves_what_was_there_before() {
    let mut kept = Vec::new();
    for grant in &GRANTS {
        let world = World::new().await;
        let server = world.serve().await;
        let (change, receipt) = done(&server, grant).await;
        let answer = undo(&server, &receipt).await;
        if answer.outcome() != "confirmed" {
            kept.push(format!("{}: {}", grant.tool, answer.summary()));
            continue;
        }
        // Where a whole list is put back, the answer shows everybody on it.
        let own = |rows: &Value| -> Vec<(Value, Value)> {
            let id = &change.body["principal"]["id"];
            let rows = rows.as_array().unwrap().iter();
            let rows = rows.filter(|row| row["principal"]["id"] == *id);
            rows.map(|row| (row["role"]["id"].clone(), row["resource"]["id"].clone())).collect()
        };
        let (restored, before) = (own(&answer.body["after"]), own(&change.body["before"]));
        assert_eq!(restored, before, "{}", grant.tool);
        assert_ne!(answer.body["receipt"], receipt.as_str(), "a change of its own");
        assert_eq!(world.writes().len(), 2, "{}", grant.tool);
        let ledger = world.ledger();
        assert_eq!(ledger[2]["undoes"], receipt.as_str(), "{:?}", ledger[2]);
        assert_eq!(ledger[2]["reason"], "a mistake");
        let shown = checked(&server, &receipt).await;
        assert_eq!(shown["undone_by"], answer.body["receipt"], "{shown:#}");
        let again = undo(&server, &receipt).await;
        assert_eq!(again.outcome(), "refused", "{}: {:#}", grant.tool, again.body);
        assert_eq!(world.writes().len(), 2, "an undone change is not undone again");
    }
    assert!(kept.is_empty(), "{kept:#?}");
}

#[tokio::test]
async fn a_change_that_somebody_changed_since_is_not_undone() {
    for (grant, since) in [
        (&GRANTS[2], r#"{"role": {"name": "member"}, "user": {"name": "user@example.com"}}"#),
        (
            &GRANTS[3],
            r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "W"]}"#,
        ),
        (
            &GRANTS[4],
            r#"{"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Full"}]}"#,
        ),
    ] {
        let world = World::new().await;
        let server = world.serve().await;
        let (_, receipt) = done(&server, grant).await;
        let other = server.call(grant.tool, parsed(since)).await;
        assert_eq!(other.outcome(), "confirmed", "{:#}", other.body);
        let answer = undo(&server, &receipt).await;
        assert_eq!(answer.outcome(), "refused", "{}: {:#}", grant.tool, answer.body);
        assert!(answer.summary().contains("changed since"), "{}", answer.summary());
        assert_eq!(world.writes().len(), 2, "{}", grant.tool);
    }
}

#[tokio::test]
async fn where_a_change_stands_is_asked_of_the_vendor_and_nothing_is_written() {
    for grant in &GRANTS {
        let world = World::new().await;
        let server = world.serve().await;
        let (_, receipt) = done(&server, grant).await;
        assert_eq!(checked(&server, &receipt).await["outcome"], "confirmed", "{}", grant.tool);
        world.sandbox.reset().unwrap();
        let shown = checked(&server, &receipt).await;
        assert_eq!(shown["outcome"], "mismatch", "{}: {shown:#}", grant.tool);
        assert_eq!(world.writes().len(), 1, "{}", grant.tool);
        assert_eq!(world.ledger().len(), 2, "{}", grant.tool);
    }
}

/// A write whose fate is unclear is found out later, not sent again.
#[tokio::test]
async fn an_unknown_change_is_settled_by_looking() {
    let grant = &GRANTS[3];
    for (applied, outcome) in [(false, "unavailable"), (true, "confirmed")] {
        let world = World::new().await;
        let server = world.serve().await;
        world.inject(grant.vendor, grant.method, grant.path, status(500));
        let unclear = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(unclear.outcome(), "unknown");
        let receipt = unclear.body["receipt"].as_str().unwrap();
        let refused = undo(&server, receipt).await;
        assert_eq!(refused.outcome(), "refused", "what is not settled is not undone");
        if applied {
            // Late, and by itself, as a queue at the vendor's would.
            let (_, _) = done(&server, grant).await;
        }
        let shown = checked(&server, receipt).await;
        assert_eq!(shown["outcome"], outcome, "{shown:#}");
    }
}

#[tokio::test]
async fn an_approvers_decision_is_found_out() {
    let pending = json!({ "permissionId": "Payments Approver", "identityId": "user@example.com" });
    for (approve, outcome) in [(true, "confirmed"), (false, "rejected")] {
        let world = World::new().await;
        let server = world.serve().await;
        let waiting = server.call("assign_permission", pending.clone()).await;
        let receipt = waiting.body["receipt"].as_str().unwrap();
        assert_eq!(checked(&server, receipt).await["outcome"], "pending_vendor_approval");
        let approval = super::traps::approval(&world).await;
        world.sandbox.decide_approval(&approval, approve).unwrap();
        let shown = checked(&server, receipt).await;
        assert_eq!(shown["outcome"], outcome, "{shown:#}");
        assert_eq!(world.writes().len(), 1);
    }
}

#[tokio::test]
async fn a_receipt_nobody_has_is_invalid() {
    let world = World::new().await;
    let server = world.serve().await;
    for tool in ["check_change", "undo_change"] {
        let answer = server.call(tool, json!({ "receipt": "gr-nobody" })).await;
        assert!(answer.is_error, "{tool}: {:#}", answer.body);
        assert!(answer.summary().contains("gr-nobody"), "{tool}: {}", answer.summary());
    }
    let none = server.call("check_change", json!({})).await;
    assert_eq!(none.body["changes"], json!([]), "{:#}", none.body);
    assert!(world.sandbox.journal().is_empty());
}

#[tokio::test]
async fn the_latest_changes_are_listed_without_a_receipt() {
    let world = World::new().await;
    let server = world.serve().await;
    let (_, first) = done(&server, &GRANTS[1]).await;
    let (_, second) = done(&server, &GRANTS[3]).await;
    let before = world.sandbox.journal().len();
    let answer = server.call("check_change", json!({})).await;
    let listed = answer.body["changes"].as_array().unwrap();
    let receipts: Vec<&str> = listed.iter().map(|row| row["receipt"].as_str().unwrap()).collect();
    assert_eq!(receipts, [second.as_str(), first.as_str()], "the latest first");
    assert_eq!(world.sandbox.journal().len(), before, "the ledger knows");
}
