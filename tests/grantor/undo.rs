use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use grantor::ledger::{Ledger, Past};
use grantor::sandbox::{Modes, SnapLogicAcl};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::harness::{Answer, Server, World, parsed, status};
use super::proxy::{Proxy, Then};
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
        let world = World::unguarded().await;
        let server = world.serve().await;
        let (change, receipt) = done(&server, grant).await;
        let answer = undo(&server, &receipt).await;
        if answer.outcome() != "confirmed" {
            kept.push(format!("{}: {}", grant.tool, answer.summary()));
            continue;
        }
        // Where a whole list is put back, the answer shows everybody on it.
        let own = |rows: &Value| -> Vec<(Value, Value)> {
            // Whose it is and on what is said where that is not the answer's own.
            let id = &change.body["principal"]["id"];
            let rows = rows.as_array().unwrap().iter();
            let rows = rows
                .filter(|row| row.get("principal").is_none_or(|principal| principal["id"] == *id));
            rows.map(|row| (row["role"]["name"].clone(), row["resource"]["id"].clone())).collect()
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

/// The same role on the same asset in another portfolio would be another grant.
#[tokio::test]
async fn outsystems_a_role_is_given_back_in_the_portfolio_it_was_in() {
    let world = World::new().await;
    let server = world.serve().await;
    let (change, receipt) = done(&server, &GRANTS[5]).await;
    let portfolio = &change.body["before"][0]["within"];
    assert!(portfolio.is_string(), "{:#}", change.body);
    let answer = undo(&server, &receipt).await;
    assert_eq!(answer.outcome(), "confirmed");
    let request = &world.ledger()[2]["request"];
    assert_eq!(request["body"]["portfolioKey"], *portfolio, "{request:#}");
}

#[tokio::test]
async fn a_change_that_somebody_changed_since_is_not_undone() {
    for (grant, since) in [
        (
            &GRANTS[2],
            r#"{"role": {"name": "owner"}, "user": {"name": "marta.lindqvist@example.com"}}"#,
        ),
        (
            &GRANTS[3],
            r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "W"]}"#,
        ),
        (
            &GRANTS[4],
            r#"{"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Full"}]}"#,
        ),
    ] {
        let world = World::unguarded().await;
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

/// A list is put back by ids: whoever is called like somebody who is gone is somebody else.
#[tokio::test]
async fn centrasite_a_name_is_not_taken_for_the_id_of_somebody_who_is_gone() {
    let world = World::new().await;
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    // The asset's owner, as JSON writes the id.
    let priya = r"HARBOR\\praman";
    let change: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(move |body: &str| {
        let without = body.replace(&format!("\"id\":\"{priya}\""), "\"id\":\"stranger\"");
        without.replace("Priya Raman", priya)
    });
    let proxy = Proxy::start(Some(world.variable("CENTRASITE_BRIDGE_URL")), move |_, path| {
        let changes = path.contains("/principals") && is_gone.load(SeqCst);
        if changes { Then::Change(change.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.set("CENTRASITE_BRIDGE_URL", &proxy.url);
    let server = world.serve().await;
    let (_, receipt) = done(&server, &GRANTS[4]).await;
    gone.store(true, SeqCst);
    let answer = undo(&server, &receipt).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.summary().contains("any more"), "{}", answer.summary());
    assert_eq!(world.writes().len(), 1);
}

/// What stands on other assets is not what the change was about.
#[tokio::test]
async fn outsystems_what_came_or_went_on_other_assets_does_not_stop_an_undo() {
    let world = World::new().await;
    let server = world.serve().await;
    let role = |role: &str, assets: Value| json!({ "userKey": "user@example.com", "roleKey": role, "assetKeys": assets });
    let billing = server.call("grant_asset_role", role("Tester", json!(["Billing"]))).await;
    let both = role("Developer", json!(["Orders", "Customer Portal"]));
    let granted = server.call("grant_asset_role", both).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    // One row beside them goes, another comes.
    assert_eq!(
        undo(&server, billing.body["receipt"].as_str().unwrap()).await.outcome(),
        "confirmed"
    );
    server
        .call("grant_asset_role", role("Tester", json!(["c1acc990-6424-450a-a36b-f9b3ddcb369d"])))
        .await;
    server.call("grant_asset_role", role("Support Engineer", json!(["Billing"]))).await;
    for item in granted.body["items"].as_array().unwrap() {
        let receipt = item["receipt"].as_str().unwrap();
        assert_eq!(checked(&server, receipt).await["outcome"], "confirmed", "{item:#}");
        let answer = undo(&server, receipt).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        let (before, after) = (answer.rows("before"), answer.rows("after"));
        assert_eq!(before.len(), after.len() + 1, "nothing else came or went");
    }
}

/// Another role on the asset, and the same one in another portfolio, are somebody else's.
#[tokio::test]
async fn outsystems_what_changed_on_the_asset_itself_stops_an_undo() {
    let since: [fn(&mut Value); 3] = [
        |row| row["portfolioKey"] = json!("0f5b8d1e-1f7a-4f0e-9f77-0a3b6a1d2c3e"),
        |row| row["key"] = json!("6fced11d-2bd8-41e6-847a-8387cdde8d51"),
        |row| row["grantPeriod"] = json!({ "startTime": null, "endTime": "2099-01-01T00:00:00Z" }),
    ];
    for (index, change) in since.into_iter().enumerate() {
        let world = World::new().await.tokens_straight().await;
        let changed = Arc::new(AtomicBool::new(false));
        let since = changed.clone();
        let (world, _proxy) = world
            .with_role_pages(move |page, _| {
                if since.load(SeqCst) {
                    page["results"].as_array_mut().unwrap().iter_mut().for_each(change);
                }
            })
            .await;
        let server = world.serve().await;
        let (_, receipt) = done(&server, &GRANTS[0]).await;
        changed.store(true, SeqCst);
        let answer = undo(&server, &receipt).await;
        assert_eq!(answer.outcome(), "refused", "{index}: {:#}", answer.body);
        assert!(answer.summary().contains("changed since"), "{index}: {}", answer.summary());
        assert_eq!(world.writes().len(), 1, "{index}");
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
    // Within a minute, that it does not show says nothing.
    for (applied, outcome) in [(false, "unknown"), (true, "confirmed")] {
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

/// A request has a receipt too, and is said to be one. One that came to nothing is among the latest.
#[tokio::test]
async fn a_request_is_no_change_that_could_be_undone() {
    let world = World::asking().await;
    let server = world.serve().await;
    let mut receipts = Vec::new();
    for grant in [&GRANTS[1], &GRANTS[3]] {
        let waiting = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(waiting.outcome(), "awaiting_consent", "{:#}", waiting.body);
        receipts.push(waiting.body["receipt"].as_str().unwrap().to_owned());
    }
    let [waiting, denied] = &receipts[..] else { panic!() };
    let ran = world.run(&["requests", "deny", denied]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    for (receipt, says, hint) in [
        (waiting, "that request is not carried out yet", format!("requests deny {waiting}")),
        (
            denied,
            "that request was denied; there is nothing to undo",
            format!("check_change {denied}"),
        ),
    ] {
        let answer = undo(&server, receipt).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        assert!(answer.summary().contains(says), "{}", answer.summary());
        assert!(answer.hint().contains(&hint), "{}", answer.hint());
    }
    let listed = server.call("check_change", json!({})).await.body["changes"].clone();
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        [text("receipt"), text("outcome"), text("note")]
    };
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(row).collect();
    let expected = [
        [denied.as_str(), "refused", "the request was denied"],
        [waiting.as_str(), "awaiting_consent", "a person has to approve it"],
    ];
    assert_eq!(listed, expected, "the newest first");
    // After a day only what is open is left.
    let ledger = Ledger::new(&world.path("state"), None);
    let now = Timestamp::now();
    for (since, receipts) in
        [(now, &[waiting][..]), (Timestamp::UNIX_EPOCH, &[denied, waiting][..])]
    {
        let find = Past { since: Some(since), unfinished_too: true, ..Past::all(now) };
        let found = ledger.past(find, 10).await.unwrap();
        let found: Vec<_> = found.entries.iter().map(|entry| &entry.receipt).collect();
        assert_eq!(found, receipts, "since {since}");
    }
    assert!(world.writes().is_empty());
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

/// Redox lists only roles that somebody holds; a receipt knows the one that nobody holds any more.
#[tokio::test]
async fn a_role_that_only_the_receipt_knows_is_restored() {
    let marta = json!({ "name": "marta.lindqvist@example.com" });
    let grace = json!({ "name": "grace.okafor@example.com" });
    let engineer = json!({ "name": "engineer" });
    let no_longer_there =
        ("remove_environment_role", json!({ "environmentId": "Production", "user": grace }));
    let cases = [
        (None, "assign_organization_role", json!({ "role": { "name": "member" }, "user": marta })),
        (
            Some(no_longer_there.clone()),
            "assign_environment_role",
            json!({ "environmentId": "Staging", "role": engineer, "user": grace }),
        ),
        (
            Some(no_longer_there),
            "remove_environment_role",
            json!({ "environmentId": "Staging", "user": grace }),
        ),
    ];
    for (first, tool, arguments) in cases {
        let world = World::unguarded().await;
        let server = world.serve().await;
        if let Some((tool, arguments)) = first {
            let answer = server.call(tool, arguments).await;
            assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        }
        let change = server.call(tool, arguments).await;
        assert_eq!(change.outcome(), "confirmed", "{:#}", change.body);
        let answer = undo(&server, change.body["receipt"].as_str().unwrap()).await;
        assert_eq!(answer.outcome(), "confirmed", "{tool}: {:#}", answer.body);
        assert_eq!(answer.rows("after"), change.rows("before"), "{tool}");
        let ledger = world.ledger();
        let own =
            |line: &&Value| line["event"] == "open" && line["receipt"] == answer.body["receipt"];
        let sent = &ledger.iter().find(own).unwrap()["request"]["body"]["role"];
        let held = &change.body["before"][0]["role"];
        assert_eq!((&sent["id"], &sent["name"]), (&held["id"], &held["name"]), "{tool}");
    }
}

/// What a receipt knows is no use to anybody who only names it.
#[tokio::test]
async fn a_role_that_nobody_holds_is_known_to_its_receipt_alone() {
    let world = World::unguarded().await;
    let server = world.serve().await;
    let promotion = Grant {
        arguments: r#"{"role": {"name": "admin"}, "user": {"name": "user@example.com"}}"#,
        ..GRANTS[2]
    };
    let (change, promoted) = done(&server, &promotion).await;
    let admin = change.body["role"].clone();
    for user in ["marta.lindqvist@example.com", "user@example.com"] {
        let member = json!({ "role": { "name": "member" }, "user": { "name": user } });
        let answer = server.call("assign_organization_role", member).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    let writes = world.writes().len();
    for role in [json!({ "id": admin["id"] }), json!({ "id": admin["id"], "name": admin["name"] })]
    {
        let arguments = json!({ "role": role, "user": { "name": "user@example.com" } });
        let answer = server.call("assign_organization_role", arguments).await;
        assert_eq!(answer.outcome(), "invalid", "{role}: {:#}", answer.body);
    }
    assert_eq!(world.writes().len(), writes);
    let shown = checked(&server, &promoted).await;
    assert_eq!(shown["outcome"], "mismatch", "{shown:#}");
}

/// Without an organization nobody lists whom an environment's role was taken from.
#[tokio::test]
async fn a_user_that_only_the_receipt_knows_gets_the_role_back() {
    let world = World::new().await.unset("REDOX_ORGANIZATION_ID");
    let server = world.serve().await;
    let development = "614d292e-1f1e-4bfa-a300-3324c470d28b";
    let tomas = json!({ "name": "tomas.ferreira@example.com" });
    let removal = json!({ "environmentId": development, "user": tomas });
    let change = server.call("remove_environment_role", removal).await;
    assert_eq!(change.outcome(), "confirmed", "{:#}", change.body);
    let again =
        json!({ "environmentId": development, "role": { "name": "engineer" }, "user": tomas });
    let unknown = server.call("assign_environment_role", again).await;
    assert_eq!(unknown.outcome(), "invalid", "{:#}", unknown.body);
    let answer = undo(&server, change.body["receipt"].as_str().unwrap()).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
}

/// What cannot be put back, or perhaps not from here, is said before.
#[tokio::test]
async fn a_change_that_cannot_be_undone_says_so_before() {
    let world = World::with(Modes { snaplogic_acl: SnapLogicAcl::CallerOnly, ..Modes::default() });
    let world = world.await;
    let server = world.serve().await;
    for (tool, mut arguments, warning) in [
        (
            "assign_organization_role",
            json!({ "role": { "name": "member" }, "user": { "name": "priya.raman@example.com" } }),
            "undoing this grants “owner”",
        ),
        ("set_project_acl", parsed(GRANTS[3].arguments), "cannot be undone from here"),
    ] {
        arguments["dry_run"] = json!(true);
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
        assert!(answer.warnings().contains(warning), "{tool}: {}", answer.warnings());
    }
}
