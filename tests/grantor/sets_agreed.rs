//! A yes to a set is a yes to that set: whatever else it would be asks again, and nothing is sent meanwhile. And
//! no limit is passed by asking for several at once, or for the same again and again.

use serde_json::{Value, json};

use super::harness::{Era, World, example};
use super::person::{Client, Heard, types, yes};
use super::terminal::Terminal;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
const SET: &str = "apply_changes";
const GRACE: &str = "grace.okafor@example.com";

fn agrees(form: &Value) -> Value {
    if form["properties"]["grantee"].is_object() { types(form) } else { yes(form) }
}

fn role(tool: &str, who: &str, what: &str, asset: &str) -> Value {
    json!({ "tool": tool, "arguments": { "userKey": who, "roleKey": what, "assetKeys": [asset] } })
}

fn grant(who: &str, what: &str, asset: &str) -> Value {
    role("grant_asset_role", who, what, asset)
}

/// Grace tests Orders no longer and develops it; Sam tests Billing.
fn changes() -> Vec<Value> {
    vec![
        role("revoke_asset_role", GRACE, "Tester", "Orders"),
        grant(GRACE, "Developer", "Orders"),
        grant("user@example.com", "Tester", "Billing"),
    ]
}

fn set(changes: Vec<Value>) -> Value {
    json!({ "changes": changes })
}

/// Somebody else takes Grace's role while a person thinks.
async fn moves(world: &World) {
    let rules = world.path("elsewhere.cedar");
    std::fs::write(&rules, "@id(\"all\") permit (principal, action, resource);\n").unwrap();
    let state = world.path("elsewhere");
    let variables = [
        ("GRANTOR_POLICY", rules.to_str().unwrap()),
        ("GRANTOR_STATE_DIR", state.to_str().unwrap()),
    ];
    let other = world.serve_with(&variables).await;
    let taken = role("revoke_asset_role", GRACE, "Tester", "Orders");
    let answer = other.call("revoke_asset_role", taken["arguments"].clone()).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    other.stop().await;
}

#[tokio::test]
async fn where_one_has_moved_nothing_is_sent_and_the_new_question_names_the_old() {
    for era in ERAS {
        let world = World::asking().await;
        let mut client = Client::start(&world, era).await;
        let arguments = set(changes());
        let asked = client.question(SET, &arguments).await;
        assert!(asked.message.contains(" to 3 changes:"), "{}", asked.message);
        moves(&world).await;
        let writes = world.writes().len();
        let again = client.reply(SET, &arguments, &asked, agrees(&asked.form)).await.question();
        assert!(again.message.contains(" to 2 changes:"), "{era:?}: {}", again.message);
        assert_eq!(world.writes().len(), writes, "{era:?}: something was sent on the old yes");
        let done = client.reply(SET, &arguments, &again, agrees(&again.form)).await.answer();
        assert_eq!(done.outcome(), "confirmed", "{era:?}: {:#}", done.body);
        let outcomes: Vec<_> =
            done.body["items"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
        assert_eq!(outcomes, ["already_absent", "confirmed", "confirmed"], "{:#}", done.body);
        let follows: Vec<_> = world
            .ledger()
            .into_iter()
            .filter(|line| line["event"] == "asked")
            .map(|line| line["content"]["follows"].clone())
            .collect();
        assert!(follows[0].is_null() && follows[1].is_string(), "{era:?}: {follows:?}");
    }
}

#[tokio::test]
async fn a_yes_to_one_set_is_none_to_another() {
    let all = changes();
    let mut reordered = all.clone();
    reordered.swap(1, 2);
    let mut another = all.clone();
    another[2] = grant("hiro.tanaka@example.com", "Tester", "Billing");
    let mut grown = all.clone();
    grown.push(grant("hiro.tanaka@example.com", "Tester", "Billing"));
    let mut longer = set(all.clone());
    longer["changes"][2]["arguments"]["expires_in"] = "PT8H".into();
    for (what, other) in [
        ("reordered", set(reordered)),
        ("changed", set(another)),
        ("shortened", set(all[..2].to_vec())),
        ("grown", set(grown)),
        ("split", set(all[2..].to_vec())),
        ("with another end", longer),
    ] {
        let world = World::asking().await;
        let mut client = Client::start(&world, Era::Modern).await;
        let asked = client.question(SET, &set(all.clone())).await;
        let heard = client.reply(SET, &other, &asked, agrees(&asked.form)).await;
        assert!(matches!(heard, Heard::Question(_)), "{what}: {heard:#?}");
        assert_eq!(world.writes().len(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_yes_to_a_set_is_good_once() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Modern).await;
    let arguments = set(changes());
    let asked = client.question(SET, &arguments).await;
    let done = client.reply(SET, &arguments, &asked, agrees(&asked.form)).await.answer();
    assert_eq!(done.outcome(), "confirmed", "{:#}", done.body);
    let writes = world.writes().len();
    let replayed = client.reply(SET, &arguments, &asked, agrees(&asked.form)).await.answer();
    assert_eq!(replayed.outcome(), "refused", "{:#}", replayed.body);
    assert_eq!(world.writes().len(), writes);
}

#[tokio::test]
async fn whoever_types_another_number_has_not_agreed() {
    let world = World::asking().await;
    let wide = set(vec![
        json!({ "tool": "assign_permission", "arguments": {
        "permissionId": "Treasury Viewer", "identityId": "user@example.com" } }),
        grant("user@example.com", "Tester", "Billing"),
    ]);
    for (typed, outcome) in [("3 changes", "refused"), ("2 changes", "confirmed")] {
        let arguments = wide.to_string();
        let mut terminal = Terminal::start(world.command(["call", SET, &arguments]));
        terminal.shows("“2 changes”").await;
        terminal.types(typed).await;
        if outcome == "refused" {
            terminal.shows("once more").await;
            terminal.types("no").await;
        }
        let (_, shown) = terminal.ends().await;
        assert!(shown.contains(outcome), "{typed}: {shown}");
    }
    assert_eq!(world.writes().len(), 2);
}

/// At a terminal, too: what moved while somebody reads is not sent.
#[tokio::test]
async fn at_a_terminal_what_moved_asks_again() {
    let world = World::asking().await;
    let arguments = set(changes()).to_string();
    let mut terminal = Terminal::start(world.command(["call", SET, &arguments]));
    terminal.shows("to 3 changes:").await;
    terminal.shows("Type yes").await;
    moves(&world).await;
    let writes = world.writes().len();
    terminal.types("yes").await;
    terminal.shows("to 2 changes:").await;
    assert_eq!(world.writes().len(), writes);
    terminal.types("no").await;
    let (status, shown) = terminal.ends().await;
    assert_eq!(status, 1, "{shown}");
    assert_eq!(world.writes().len(), writes);
}

/// Extending counts from when the access was first given, however it is done.
#[tokio::test]
async fn no_limit_is_passed_by_extending_again_and_again() {
    let rules = r#"
        @id("all") permit (principal, action, resource);
        @id("eight-hours") forbid (principal, action in Action::"grant", resource)
        unless { context has expires_in_minutes && context.expires_in_minutes <= 480 };"#;
    for (tool, arguments) in [
        (
            "grant_asset_role",
            json!({ "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"] }),
        ),
        (
            "assign_permission",
            json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com" }),
        ),
    ] {
        let world = World::new().await;
        let file = world.path("eight.cedar");
        std::fs::write(&file, rules).unwrap();
        let world = world.set("GRANTOR_POLICY", file.to_str().unwrap());
        let server = world.serve().await;
        let for_hours = |hours: &str| {
            let mut timed = arguments.clone();
            timed["expires_in"] = hours.into();
            timed
        };
        let granted = server.call(tool, for_hours("PT5H")).await;
        assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
        let mut receipt = granted.body["receipt"].clone();
        for (end, outcome) in [("PT7H", "confirmed"), ("PT9H", "refused"), ("PT6H", "confirmed")] {
            let moved =
                server.call("set_expiry", json!({ "receipt": receipt, "expires_in": end })).await;
            assert_eq!(moved.outcome(), outcome, "{tool} {end}: {:#}", moved.body);
            if let Some(anew) = moved.body.pointer("/items/1/receipt").filter(|it| it.is_string()) {
                receipt = anew.clone();
            }
        }
        let never = server.call("set_expiry", json!({ "receipt": receipt, "never": true })).await;
        assert_eq!(never.outcome(), "refused", "{tool}: {:#}", never.body);
        let longer = server.call(tool, for_hours("PT20H")).await;
        assert_eq!(longer.outcome(), "refused", "{tool}: {:#}", longer.body);
    }
}

/// What rules allow is a part of what a person agreed to, too: its line names the yes, and the yes it is for.
#[tokio::test]
async fn what_no_rule_asks_about_is_sent_on_the_yes_to_all() {
    let world = World::asking().await;
    let rules = world.path("some.cedar");
    let some = r#"@id("free") permit (principal, action, resource);
        @id("asks") @ask("a person agrees") permit (principal, action in Action::"grant", resource)
        when { context.role has name && context.role.name == "Developer" };"#;
    std::fs::write(&rules, some).unwrap();
    let world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    for (era, asset) in ERAS.into_iter().zip(["Billing", "Customer Portal"]) {
        let mut client = Client::start(&world, era).await;
        let wanted = set(vec![
            grant("tomas.ferreira@example.com", "Developer", asset),
            grant("user@example.com", "Tester", asset),
        ]);
        let (asked, answer) = client.call(SET, &wanted, agrees).await;
        assert_eq!((asked.len(), answer.outcome()), (1, "confirmed"), "{:#}", answer.body);
        let receipt = answer.body["receipt"].as_str().unwrap();
        let own = |line: &Value| {
            line["event"] == "open" && line["receipt"].as_str().unwrap().starts_with(receipt)
        };
        let opened: Vec<_> = world.ledger().into_iter().filter(own).collect();
        assert_eq!(opened.len(), 2, "{opened:#?}");
        for line in opened {
            assert_eq!(line["consent"], *receipt, "{line:#}");
        }
    }
}

/// Rules know by which tool the end of a grant moves, and that it is undone.
#[tokio::test]
async fn rules_know_the_tool_that_was_called() {
    let world = World::unguarded().await;
    let rules = world.path("called.cedar");
    let called = r#"@id("all") permit (principal, action, resource);
        @id("no-moving") forbid (principal, action, resource)
        when { context has called && context.called == "set_expiry" };
        @id("no-undo") forbid (principal, action, resource)
        when { context has called && context.called == "undo_change" };"#;
    std::fs::write(&rules, called).unwrap();
    let world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    let server = world.serve().await;
    let acl = json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER",
        "grantee": "user@example.com", "permission_list": ["R"] });
    let granted = server.call("set_project_acl", acl).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    let receipt = &granted.body["receipt"];
    for (tool, arguments, rule) in [
        ("set_expiry", json!({ "receipt": receipt, "expires_in": "PT1H" }), "no-moving"),
        ("undo_change", json!({ "receipt": receipt }), "no-undo"),
    ] {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "refused", "{tool}: {:#}", answer.body);
        assert!(answer.body.to_string().contains(rule), "{tool}: {:#}", answer.body);
    }
}

/// What is counted is counted over the whole set, and over sets.
#[tokio::test]
async fn no_cap_is_passed_by_asking_for_several_at_once() {
    let policy = example("cap-per-hour");
    let world = World::asking().await.set("GRANTOR_POLICY", policy.to_str().unwrap());
    let world = world.set("GRANTOR_TEST_HASTE", "60");
    let mut client = Client::start(&world, Era::Modern).await;
    let assets = json!(["Orders", "Billing", "Customer Portal"]);
    let people = [
        "user@example.com",
        "alex.kim@example.com",
        "a.kim@example.com",
        "hiro.tanaka@example.com",
        "tomas.ferreira@example.com",
        "jonas.weber@example.com",
        "marta.lindqvist@example.com",
    ];
    let of = |who: &str| {
        json!({ "tool": "grant_asset_role", "arguments": {
        "userKey": who, "roleKey": "Tester", "assetKeys": assets } })
    };
    let all = set(people.iter().map(|who| of(who)).collect());
    let (asked, answer) = client.call(SET, &all, agrees).await;
    assert_eq!((answer.outcome(), asked.len()), ("refused", 0), "{:#}", answer.body);
    assert!(answer.body.to_string().contains("cap-per-hour"), "{:#}", answer.body);
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn what_was_undone_by_itself_is_left_out_of_the_undo_of_its_set() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let (_, done) = client.call(SET, &set(changes()), agrees).await;
    let receipt = done.body["receipt"].as_str().unwrap();
    let third = json!({ "receipt": format!("{receipt}.3") });
    let (_, undone) = client.call("undo_change", &third, agrees).await;
    assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
    let (asked, rest) = client.call("undo_change", &json!({ "receipt": receipt }), agrees).await;
    assert_eq!(rest.outcome(), "confirmed", "{:#}", rest.body);
    assert!(asked[0].message.contains(" to 2 changes:"), "{}", asked[0].message);
    let left = &rest.body["left_out"][0]["why"];
    assert!(left.as_str().unwrap().contains("has taken it back already"), "{:#}", rest.body);
}
