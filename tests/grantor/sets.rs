//! Several changes as one: planned each upon what those before it leave, one question, one yes, a receipt for
//! all and one for each.

use std::time::Duration;

use grantor::sandbox::FaultKind;
use serde_json::{Value, json};

use super::harness::{Answer, Era, World, parsed, status};
use super::person::{Client, no, types, yes};
use super::writes::{GRANTS, Grant};

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
const SET: &str = "apply_changes";

fn agrees(form: &Value) -> Value {
    if form["properties"]["grantee"].is_object() { types(form) } else { yes(form) }
}

fn change(tool: &str, arguments: Value) -> Value {
    json!({ "tool": tool, "arguments": arguments })
}

fn set(changes: impl IntoIterator<Item = Value>) -> Value {
    json!({ "changes": changes.into_iter().collect::<Vec<_>>() })
}

fn role(tool: &str, who: &str, role: &str, asset: &str) -> Value {
    change(tool, json!({ "userKey": who, "roleKey": role, "assetKeys": [asset] }))
}

fn grant(who: &str, what: &str, asset: &str) -> Value {
    role("grant_asset_role", who, what, asset)
}

fn revoke(who: &str, what: &str, asset: &str) -> Value {
    role("revoke_asset_role", who, what, asset)
}

/// One change at each vendor.
fn everywhere() -> Value {
    let all = [0, 1, 7, 3, 4].map(|at| &GRANTS[at]);
    set(all.map(|grant| change(grant.tool, parsed(grant.arguments))))
}

fn items(answer: &Answer) -> Vec<&str> {
    let items = answer.body["items"].as_array().unwrap_or_else(|| panic!("{:#}", answer.body));
    items.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

const SAM: &str = "user@example.com";
const GRACE: &str = "grace.okafor@example.com";

#[tokio::test]
async fn one_question_one_yes_and_a_receipt_for_all_and_for_each() {
    for era in ERAS {
        let world = World::asking().await;
        let mut client = Client::start(&world, era).await;
        let (asked, answer) = client.call(SET, &everywhere(), agrees).await;
        assert_eq!(answer.outcome(), "confirmed", "{era:?}: {:#}", answer.body);
        assert_eq!(asked.len(), 1, "{asked:#?}");
        println!("{}", asked[0].message);
        assert_eq!(items(&answer), ["confirmed"; 5]);
        assert_eq!(world.writes().len(), 5);
        let receipt = answer.body["receipt"].as_str().unwrap();
        for (index, item) in answer.body["items"].as_array().unwrap().iter().enumerate() {
            assert_eq!(item["receipt"], format!("{receipt}.{}", index + 1), "{item:#}");
            assert_eq!(item["vendor"], GRANTS[index].vendor);
        }
        let check = json!({ "receipt": receipt });
        let shown = client.ask("check_change", &check, json!({})).await.answer();
        assert_eq!(shown.outcome(), "confirmed", "{:#}", shown.body);
        assert_eq!(shown.body["changes"].as_array().unwrap().len(), 5);
        assert!(shown.body.get("remaining").is_none(), "{:#}", shown.body);
        let (asked, undone) = client.call("undo_change", &check, agrees).await;
        assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
        assert_eq!((asked.len(), items(&undone).len()), (1, 5), "{asked:#?}");
        let again = client.call("undo_change", &check, agrees).await.1;
        assert_eq!(again.outcome(), "refused", "{:#}", again.body);
    }
}

#[tokio::test]
async fn each_is_planned_on_what_those_before_it_leave() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Modern).await;
    let changes = set([revoke(GRACE, "Tester", "Orders"), grant(GRACE, "Developer", "Orders")]);
    let (asked, answer) = client.call(SET, &changes, agrees).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let lines: Vec<_> = asked[0].message.lines().skip(1).take(2).collect();
    assert_eq!(
        lines,
        [
            "1. − “Grace Okafor” (grace.okafor@example.com): “Tester” on “Orders” — outsystems",
            "2. + “Grace Okafor” (grace.okafor@example.com): “Developer” on “Orders” — outsystems",
        ]
    );
    let receipt = json!({ "receipt": answer.body["receipt"] });
    let (_, undone) = client.call("undo_change", &receipt, agrees).await;
    assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
    let there = json!({ "vendor": "outsystems", "principal": GRACE, "resource": "Orders" });
    let there = client.ask("list_access", &there, json!({})).await.answer();
    assert_eq!(there.rows("rows"), ["Tester on Orders"], "{:#}", there.body);
}

/// A line is numbered as a person counts the changes, and so are its warnings; what does not end says so
/// where others do.
#[tokio::test]
async fn lines_and_warnings_count_alike_and_each_says_its_end() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let developer = json!({ "userKey": GRACE, "roleKey": "Developer", "assetKeys": ["Orders"],
        "replace": true });
    let listed = |at: usize| change(GRANTS[at].tool, parsed(GRANTS[at].arguments));
    let engineer = json!({ "environmentId": "Staging", "role": { "name": "engineer" },
        "user": { "name": GRACE }, "expires_in": "PT1H" });
    let timed = change("assign_environment_role", engineer);
    let changes = set([change("grant_asset_role", developer), listed(1), timed]);
    let (asked, answer) = client.call(SET, &changes, |_| json!({ "action": "decline" })).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    let lines: Vec<_> = asked[0].message.lines().collect();
    let grace = "“Grace Okafor” (grace.okafor@example.com)";
    let expected = [
        format!("1. − {grace}: “Tester” on “Orders” — outsystems"),
        format!("2. + {grace}: “Developer” on “Orders” — outsystems, without an end"),
        format!(
            "   if 2 is not done: + {grace}: “Tester” on “Orders” — outsystems, without an end"
        ),
        "3. + “Sam Rivera” (user@example.com): “Treasury Viewer” on organization — dfns, without an end"
            .to_owned(),
        format!(
            "4. ± {grace}: “engineer” on “Staging” in place of “support” on “Staging” — redox, \
             for 1 hour from then"
        ),
        "Ends: as the lines say; Grantor then takes it back, without asking again".to_owned(),
    ];
    assert_eq!(lines[1..7], expected, "{lines:#?}");
    let warnings: Vec<_> = lines.iter().filter(|line| line.starts_with("Warning")).collect();
    let backed = format!("at its end comes back: “support” on “Staging” for {grace}");
    let expected = ["this replaces the role “support”", &backed];
    assert_eq!(warnings, expected.map(|warning| format!("Warning (4): {warning}")).each_ref());
}

/// What an earlier one gives is there for a later one: it is no change any more, and nobody is asked about it.
#[tokio::test]
async fn what_an_earlier_one_gives_is_not_given_again() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let changes = set([grant(SAM, "Tester", "Billing"), grant(SAM, "Tester", "Billing")]);
    let (asked, answer) = client.call(SET, &changes, agrees).await;
    assert_eq!(items(&answer), ["confirmed", "already_present"], "{:#}", answer.body);
    assert!(asked[0].message.contains(" to 1 change:"), "{}", asked[0].message);
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn what_fails_stops_what_rests_on_it_and_nothing_else() {
    let world = World::new().await;
    let server = world.serve().await;
    world.inject("outsystems", "DELETE", "/organization-roles/", status(403));
    let changes = set([
        revoke(GRACE, "Tester", "Orders"),
        grant(GRACE, "Developer", "Orders"),
        grant(SAM, "Tester", "Billing"),
        change(GRANTS[1].tool, parsed(GRANTS[1].arguments)),
    ]);
    let answer = server.call(SET, changes.clone()).await;
    assert_eq!(answer.outcome(), "partly_done", "{:#}", answer.body);
    assert_eq!(items(&answer), ["rejected", "unavailable", "confirmed", "confirmed"]);
    assert!(answer.is_error);
    let check = json!({ "receipt": answer.body["receipt"] });
    let shown = server.call("check_change", check).await;
    assert_eq!(shown.outcome(), "partly_done", "{:#}", shown.body);
    let left = &shown.body["remaining"];
    assert_eq!(left.as_array().unwrap().len(), 1, "{left:#}");
    assert_eq!(left[0]["tool"], "grant_asset_role");
    let again = server.call(SET, json!({ "changes": left })).await;
    assert_eq!(items(&again), ["refused"], "Tester still stands there: {:#}", again.body);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_nothing_is_sent() {
    let world = World::new().await;
    let server = world.serve().await;
    for (changes, parts) in [
        (
            set([grant("Nobody", "Tester", "Orders"), grant(SAM, "Tester", "Nowhere")]),
            &["changes[0].arguments.userKey: ", "changes[1].arguments.assetKeys"][..],
        ),
        (set([change("grant_role", json!({}))]), &["changes[0].tool: ", "grant_asset_role"]),
        (set([change("list_access", json!({}))]), &["changes[0].tool: "]),
        (set([change(SET, everywhere())]), &["changes[0].tool: "]),
        (
            set([change("grant_asset_role", json!({ "userkey": SAM }))]),
            &["changes[0]", "userkey", "changes[0].arguments.roleKey"],
        ),
        (
            set([change("grant_asset_role", json!({ "dry_run": true }))]),
            &["changes[0].arguments.dry_run: "],
        ),
        (json!({ "changes": [] }), &["changes: needs at least one entry"]),
        (set(vec![grant(SAM, "Tester", "Orders"); 51]), &["changes: may hold at most 50"]),
        (set([change("undo_change", json!({ "receipt": "gr-none" }))]), &["changes[0]: receipt: "]),
    ] {
        let answer = server.call(SET, changes.clone()).await;
        assert_eq!(answer.outcome(), "invalid", "{changes}: {:#}", answer.body);
        for part in parts {
            let said = format!("{} {}", answer.summary(), answer.hint());
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn one_denial_stops_the_set_and_says_which() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Modern).await;
    let changes = set([grant(SAM, "Tester", "Billing"), grant(SAM, "Administrator", "Orders")]);
    let (asked, answer) = client.call(SET, &changes, agrees).await;
    assert_eq!((answer.outcome(), asked.len()), ("refused", 0), "{:#}", answer.body);
    assert!(answer.summary().contains("“Administrator”"), "{:#}", answer.body);
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn what_the_access_there_stands_against_is_left_out_and_named() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let changes = set([grant(GRACE, "Developer", "Orders"), grant(SAM, "Tester", "Billing")]);
    let (asked, answer) = client.call(SET, &changes, agrees).await;
    assert_eq!(answer.outcome(), "partly_done", "{:#}", answer.body);
    assert_eq!(items(&answer), ["refused", "confirmed"]);
    let question = &asked[0].message;
    assert!(question.contains("\nLeft out: grant “Developer” on “Orders”"), "{question}");
    assert!(
        question.starts_with("An assistant") && question.contains(" to 1 change:"),
        "{question}"
    );
    let (_, refused) = client.call(SET, &everywhere(), no).await;
    assert_eq!(refused.outcome(), "refused", "{:#}", refused.body);
}

/// What comes of the second write, and what stands then: the new, the old, or neither as far as is known.
struct Second {
    fault: fn() -> FaultKind,
    /// The word for the new one, and whether the old one is given back.
    outcome: &'static str,
    back: bool,
    /// Whether it got there.
    applied: bool,
}

const fn second(
    fault: fn() -> FaultKind,
    outcome: &'static str,
    back: bool,
    applied: bool,
) -> Second {
    Second { fault, outcome, back, applied }
}

const SILENCE: Duration = Duration::from_secs(600);
const SECONDS: [Second; 13] = [
    second(|| status(400), "rejected", true, false),
    second(|| status(401), "confirmed", false, true),
    second(|| status(403), "rejected", true, false),
    second(|| status(404), "rejected", true, false),
    second(|| status(409), "rejected", true, false),
    second(|| status(422), "rejected", true, false),
    second(|| status(500), "unknown", false, false),
    second(|| status(503), "unknown", false, false),
    second(|| FaultKind::DropBefore, "unknown", false, false),
    second(|| FaultKind::DropAfter, "confirmed", false, true),
    second(|| FaultKind::Truncate, "confirmed", false, true),
    second(|| FaultKind::Garble, "confirmed", false, true),
    second(|| FaultKind::StallAfter(SILENCE), "confirmed", false, true),
];

/// The old one is given back only where the new one is known not to have come, and with its own end.
#[tokio::test]
async fn what_was_taken_is_given_back_where_the_new_is_known_not_to_have_come() {
    for case in &SECONDS {
        let Second { fault, outcome, back, applied } = case;
        let fault = fault();
        let what = format!("{fault:?}");
        let world = World::asking().await;
        let mut client = Client::start(&world, Era::Modern).await;
        let developer = json!({ "userKey": GRACE, "roleKey": "Developer", "assetKeys": ["Orders"],
            "replace": true });
        world.inject("outsystems", "POST", "/organization-roles/", fault);
        let (asked, answer) = client.call("grant_asset_role", &developer, agrees).await;
        let told: Vec<_> =
            ["confirmed", outcome].into_iter().chain(back.then_some("confirmed")).collect();
        assert_eq!(items(&answer), told, "{what}: {:#}", answer.body);
        let word = if *outcome == "confirmed" { "confirmed" } else { "partly_done" };
        assert_eq!(answer.outcome(), word, "{what}: {:#}", answer.body);
        let question = &asked[0].message;
        assert!(question.contains("\n   if 2 is not done: + “Grace Okafor”"), "{question}");
        let there = json!({ "vendor": "outsystems", "principal": GRACE, "resource": "Orders" });
        let now = client.ask("list_access", &there, json!({})).await.answer();
        let stands = match (applied, back) {
            (true, _) => vec!["Developer on Orders"],
            (false, true) => vec!["Tester on Orders"],
            (false, false) => vec![],
        };
        assert_eq!(now.rows("rows"), stands, "{what}: {:#}", now.body);
        if *outcome == "unknown" {
            let check = json!({ "receipt": answer.body["receipt"] });
            let shown = client.ask("check_change", &check, json!({})).await.answer();
            let told = shown.body.to_string();
            assert!(told.contains("“Tester”") && told.contains("“Developer”"), "{what}: {told}");
        }
    }
}

/// The same where the end of a grant moves outward that OutSystems keeps.
#[tokio::test]
async fn an_end_that_cannot_move_outward_is_given_back_as_it_was() {
    for case in &SECONDS {
        let Second { fault, outcome, back, applied } = case;
        let fault = fault();
        let what = format!("{fault:?}");
        let world = World::asking().await;
        let mut client = Client::start(&world, Era::Legacy).await;
        let mut timed = parsed(GRANTS[0].arguments);
        timed["expires_at"] = "2099-01-01T00:00:00Z".into();
        let (_, granted) = client.call(GRANTS[0].tool, &timed, agrees).await;
        world.inject("outsystems", "POST", "/organization-roles/", fault);
        let longer =
            json!({ "receipt": granted.body["receipt"], "expires_at": "2099-02-01T00:00:00Z" });
        let (asked, answer) = client.call("set_expiry", &longer, agrees).await;
        assert_eq!(asked.len(), 1, "{what}: {asked:#?}");
        let told: Vec<_> =
            ["confirmed", outcome].into_iter().chain(back.then_some("confirmed")).collect();
        assert_eq!(items(&answer), told, "{what}: {:#}", answer.body);
        let there = json!({ "vendor": "outsystems", "principal": SAM, "resource": "Orders" });
        let now = client.ask("list_access", &there, json!({})).await.answer();
        let end = now.body.pointer("/rows/0/expires_at").and_then(Value::as_str);
        let stands = match (applied, back) {
            (true, _) => Some("2099-02-01T00:00:00Z"),
            (false, true) => Some("2099-01-01T00:00:00Z"),
            (false, false) => None,
        };
        assert_eq!(end, stands, "{what}: {:#}", now.body);
    }
}

#[tokio::test]
async fn a_role_that_took_anothers_place_is_undone_with_the_old_one() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Modern).await;
    let developer = json!({ "userKey": GRACE, "roleKey": "Developer", "assetKeys": ["Orders"], "replace": true });
    let (_, answer) = client.call("grant_asset_role", &developer, agrees).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let receipt = json!({ "receipt": answer.body["receipt"] });
    // What would have been given back is none of what is left to do.
    let shown = client.ask("check_change", &receipt, json!({})).await.answer();
    assert_eq!(shown.outcome(), "confirmed", "{:#}", shown.body);
    assert!(shown.body.get("remaining").is_none(), "{:#}", shown.body);
    let (_, undone) = client.call("undo_change", &receipt, agrees).await;
    assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
    let there = json!({ "vendor": "outsystems", "principal": GRACE, "resource": "Orders" });
    let now = client.ask("list_access", &there, json!({})).await.answer();
    assert_eq!(now.rows("rows"), ["Tester on Orders"], "{:#}", now.body);
}

/// What is to begin later and is moved begins no sooner for that.
#[tokio::test]
async fn what_begins_later_begins_no_sooner_when_its_end_moves() {
    let world = World::new().await;
    let server = world.serve().await;
    let mut later = parsed(GRANTS[0].arguments);
    later["starts_at"] = "2099-05-01T00:00:00Z".into();
    later["expires_at"] = "2099-05-10T00:00:00Z".into();
    let granted = server.call(GRANTS[0].tool, later).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    let longer =
        json!({ "receipt": granted.body["receipt"], "expires_at": "2099-05-20T00:00:00Z" });
    let moved = server.call("set_expiry", longer).await;
    assert_eq!(moved.outcome(), "confirmed", "{:#}", moved.body);
    let there =
        server.call("list_access", json!({ "vendor": "outsystems", "principal": SAM })).await;
    let row = &there.body["rows"][0];
    assert_eq!(row["starts_at"], "2099-05-01T00:00:00Z", "{:#}", there.body);
    assert_eq!(row["expires_at"], "2099-05-20T00:00:00Z", "{:#}", there.body);
}

/// Access begins with the yes: the vendor is told so, and whoever thinks before is asked once.
#[tokio::test]
async fn who_takes_a_moment_to_agree_is_not_asked_again() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the person takes this long, and nobody else is here"
    )]
    let thinks = |form: &Value| {
        std::thread::sleep(Duration::from_millis(1_100));
        agrees(form)
    };
    for era in ERAS {
        let world = World::asking().await;
        let mut client = Client::start(&world, era).await;
        let mut timed = parsed(GRANTS[0].arguments);
        timed["expires_at"] = "2099-01-01T00:00:00Z".into();
        let (asked, answer) = client.call(GRANTS[0].tool, &timed, thinks).await;
        assert_eq!((answer.outcome(), asked.len()), ("confirmed", 1), "{era:?}: {:#}", answer.body);
    }
}

/// A grant at each vendor, as one of [`GRANTS`], and what lists it in few requests.
const LISTED: [(usize, &str); 5] = [
    (0, r#"{"principal": "user@example.com"}"#),
    (1, r#"{"principal": "user@example.com"}"#),
    (7, r#"{"resource": "Staging"}"#),
    (3, r#"{"resource": "/Harbor/Integrations"}"#),
    (4, r#"{"resource": "BillingService"}"#),
];

#[tokio::test]
async fn an_end_moves_out_in_and_away_at_every_vendor() {
    for (at, listed) in LISTED {
        let Grant { tool, vendor, arguments, .. } = GRANTS[at];
        // Nobody waits for a vendor's minute.
        let world = World::asking().await.set("GRANTOR_TEST_HASTE", "60");
        let mut client = Client::start(&world, Era::Legacy).await;
        let mut arguments = parsed(arguments);
        arguments["expires_in"] = "PT8H".into();
        let (_, granted) = client.call(tool, &arguments, agrees).await;
        assert_eq!(granted.outcome(), "confirmed", "{tool}: {:#}", granted.body);
        let mut receipt = granted.body["receipt"].clone();
        let is_vendors = tool == "grant_asset_role";
        for (end, moves_vendor) in [
            (json!({ "expires_in": "P2D" }), is_vendors),
            (json!({ "expires_in": "PT1H" }), false),
            (json!({ "never": true }), is_vendors),
            (json!({ "expires_in": "PT4H" }), false),
        ] {
            let mut moved = end.clone();
            moved["receipt"] = receipt.clone();
            let writes = world.writes().len();
            let (asked, answer) = client.call("set_expiry", &moved, agrees).await;
            assert_eq!(answer.outcome(), "confirmed", "{tool} {end}: {:#}", answer.body);
            assert_eq!(asked.len(), 1, "{tool} {end}: {asked:#?}");
            let sent = world.writes().len() - writes;
            assert_eq!(sent, if moves_vendor { 2 } else { 0 }, "{tool} {end}: {:#}", answer.body);
            if is_vendors && end["expires_in"] == "PT1H" {
                // The vendor's own end is later, and is not what the access ends by.
                let after = &answer.body["after"][0]["expires_at"];
                assert_eq!(*after, answer.body["expires_at"], "{tool}: {:#}", answer.body);
            }
            if moves_vendor {
                receipt = answer.body["items"][1]["receipt"].clone();
            }
            let mut list = parsed(listed);
            list["vendor"] = vendor.into();
            list["granted_here"] = true.into();
            let rows = client.ask("list_access", &list, json!({})).await.answer();
            let row = &rows.body["rows"][0];
            let is_open = end.get("never").is_some();
            assert!(row.is_object(), "{tool}: {:#}", rows.body);
            assert_eq!(row.get("expires_at").is_none(), is_open, "{tool} {end}: {:#}", rows.body);
        }
        let undo = json!({ "receipt": receipt });
        let (_, undone) = client.call("undo_change", &undo, agrees).await;
        assert_eq!(undone.outcome(), "confirmed", "{tool}: {:#}", undone.body);
        let over = json!({ "receipt": receipt, "never": true });
        let (_, over) = client.call("set_expiry", &over, agrees).await;
        assert_eq!(over.outcome(), "refused", "{tool}: {:#}", over.body);
    }
}

#[tokio::test]
async fn what_waits_is_listed_at_each_of_its_vendors() {
    let world = World::asking().await;
    let server = world.serve().await;
    let waits = server.call(SET, everywhere()).await;
    assert_eq!(waits.outcome(), "awaiting_consent", "{:#}", waits.body);
    for vendor in ["outsystems", "dfns", "redox", "snaplogic", "centrasite"] {
        let list =
            server.call("check_change", json!({ "vendor": vendor, "state": "waiting" })).await;
        let receipt = list.body.pointer("/changes/0/receipt");
        assert_eq!(receipt, waits.body.get("receipt"), "{vendor}: {:#}", list.body);
    }
    let who = json!({ "principal": "marta.lindqvist@example.com", "state": "waiting" });
    let list = server.call("check_change", who).await;
    assert_eq!(list.body["changes"], json!([]), "she is in none of them");
}

/// An end that moves as one of several is told under the receipt of the set, and is not left to be done.
#[tokio::test]
async fn an_end_that_moves_among_others_is_told_with_them() {
    let world = World::new().await;
    let server = world.serve().await;
    let mut timed = parsed(GRANTS[1].arguments);
    timed["expires_in"] = "PT8H".into();
    let granted = server.call(GRANTS[1].tool, timed).await;
    let longer = json!({ "receipt": granted.body["receipt"], "expires_in": "P2D" });
    let changes = set([change("set_expiry", longer), grant(SAM, "Tester", "Billing")]);
    let answer = server.call(SET, changes).await;
    assert_eq!(items(&answer), ["confirmed", "confirmed"], "{:#}", answer.body);
    let shown = server.call("check_change", json!({ "receipt": answer.body["receipt"] })).await;
    assert_eq!(shown.outcome(), "confirmed", "{:#}", shown.body);
    assert_eq!(shown.body["changes"].as_array().unwrap().len(), 2, "{:#}", shown.body);
    assert!(shown.body.get("remaining").is_none(), "{:#}", shown.body);
}
