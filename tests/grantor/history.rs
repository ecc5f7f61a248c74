//! What was asked for, refused and done: found by whom, by when and by where it stands, to its end, and
//! with who said yes or no and why.

use std::collections::BTreeSet;

use grantor::ledger::Ledger;
use serde_json::{Value, json};

use super::harness::{Answer, Era, Server, World, example, parsed, requester, time_is_over};
use super::person::{Client, yes};

const SAM: &str = "user@example.com";

fn on_finance(who: &str) -> Value {
    json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who,
        "permission_list": ["R"], "reason": "OPS-7, the audit" })
}

fn receipt(answer: &Answer) -> String {
    answer.body["receipt"].as_str().unwrap_or_else(|| panic!("{:#}", answer.body)).to_owned()
}

async fn look(server: &Server, arguments: Value) -> Vec<Value> {
    let answer = server.call("check_change", arguments.clone()).await;
    assert!(!answer.is_error, "{arguments}: {:#}", answer.body);
    answer.body["changes"].as_array().unwrap().clone()
}

fn receipts(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["receipt"].as_str().unwrap()).collect()
}

/// What somebody got, why, and who approved it: by address, by name, by both and by id.
#[tokio::test]
async fn what_somebody_got_is_told_with_who_approved_it_and_why() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let (_, granted) = client.call("set_project_acl", &on_finance(SAM), yes).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    let other = on_finance("marta.lindqvist@example.com");
    let waiting = client.ask("set_project_acl", &other, json!({})).await;
    drop(waiting);
    let own = receipt(&granted);
    let server = world.serve().await;
    for who in [SAM, "Sam Rivera", "USER@example.com", "Sam Rivera <user@example.com>"] {
        let rows = look(&server, json!({ "principal": who, "since": "P1M" })).await;
        assert_eq!(receipts(&rows), [own.as_str()], "{who}: {rows:#?}");
        let row = &rows[0];
        assert_eq!((&row["state"], &row["outcome"]), (&json!("done"), &json!("confirmed")));
        assert_eq!(row["reason"], "OPS-7, the audit", "{row:#}");
        assert_eq!(row["approved_by"], row["requester"], "they sat before the client: {row:#}");
        assert_eq!(row["principal"]["email"], SAM, "{row:#}");
        assert!(row["summary"].to_string().contains("/Harbor/Finance"), "{row:#}");
        for key in ["at", "tool", "vendor"] {
            assert!(row[key].is_string(), "{key}: {row:#}");
        }
    }
    // Nobody else's, nothing of another time, and nothing that another asked for.
    let later = json!({ "principal": SAM, "until": "P1D" });
    let strangers = json!({ "principal": SAM, "requester": "nobody-here" });
    let elsewhere = json!({ "principal": SAM, "vendor": "dfns" });
    for none in [later, strangers, elsewhere] {
        assert_eq!(look(&server, none.clone()).await, Vec::<Value>::new(), "{none}");
    }
    let unknown = server.call("check_change", json!({ "principal": "Sam Riviera" })).await;
    let note = unknown.body["note"].as_str().unwrap();
    assert!(note.contains("nothing that is recorded here names “Sam Riviera”"), "{note}");
}

/// One name may be several people, and a vendor without addresses records no address: both are said.
#[tokio::test]
async fn a_name_that_several_have_and_an_address_that_not_all_show_are_told() {
    let world = World::unguarded().await;
    let server = world.serve().await;
    for who in ["alex.kim@example.com", "a.kim@example.com"] {
        let answer = server.call("set_project_acl", on_finance(who)).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    let on_asset = json!({ "asset": "BillingService",
        "userGroupAssetPermission": [{ "user": r"HARBOR\akim2", "permission": "View" }] });
    let answer = server.call("set_asset_permissions", on_asset).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let by_name = server.call("check_change", json!({ "principal": "Alex Kim" })).await;
    assert_eq!(by_name.body["changes"].as_array().unwrap().len(), 3, "{:#}", by_name.body);
    let note = by_name.body["note"].as_str().unwrap();
    assert!(note.contains("“Alex Kim” may be 3 different ones"), "{note}");
    assert!(note.contains("a.kim@example.com"), "{note}");
    let by_address = server.call("check_change", json!({ "principal": "a.kim@example.com" })).await;
    assert_eq!(by_address.body["changes"].as_array().unwrap().len(), 1, "{:#}", by_address.body);
    let note = by_address.body["note"].as_str().unwrap();
    assert!(note.contains("at centrasite, “Alex Kim” is recorded without an address"), "{note}");
    let by_id = look(&server, json!({ "principal": r"HARBOR\akim2" })).await;
    assert_eq!(by_id.len(), 1, "{by_id:#?}");
}

/// Following the cursor reaches the end, whatever is added or answered meanwhile: every row once, the
/// newest first, and no answer too long.
#[tokio::test]
async fn a_list_is_followed_to_its_end_while_lines_are_added() {
    let world = World::asking().await;
    let waiting = world.run(&["call", "set_project_acl", &on_finance(SAM).to_string()]).await;
    let waiting = parsed(&waiting.stdout)["receipt"].as_str().unwrap().to_owned();
    let ledger = Ledger::new(&world.path("state"), None);
    let refusal =
        |words: &str| json!({ "tool": "t", "vendor": "dfns", "summary": words, "note": "n" });
    let long = "x".repeat(1_900);
    let mut all = BTreeSet::from([waiting.clone()]);
    for _ in 0..40 {
        all.insert(ledger.refuse_plainly(refusal(&long), &requester()).await);
    }
    let server = world.serve().await;
    for limit in [7, 500] {
        let (mut seen, mut asked) = (Vec::new(), json!({ "since": "P1D", "limit": limit }));
        for page in 0.. {
            let answer = server.call("check_change", asked.clone()).await;
            let length = answer.body.to_string().len();
            assert!(length < 48_000, "{length}");
            let rows = answer.body["changes"].as_array().unwrap();
            seen.extend(rows.iter().map(|row| (row["at"].clone(), row["receipt"].clone())));
            // Neither what is new nor what becomes of what is old moves a row that was not seen yet.
            ledger.refuse_plainly(refusal("new"), &requester()).await;
            if page == 0 && limit == 7 {
                let deny = ["requests", "deny", &waiting];
                assert_eq!(world.run(&deny).await.status, 0);
            }
            let Some(next) = answer.body["next_cursor"].as_str() else { break };
            asked["cursor"] = json!(next);
        }
        assert!(seen.is_sorted_by(|one, other| one.0.as_str() >= other.0.as_str()), "{seen:#?}");
        let listed: Vec<_> = seen.iter().map(|(_, receipt)| receipt.as_str().unwrap()).collect();
        let once: BTreeSet<_> = listed.iter().map(|receipt| (*receipt).to_owned()).collect();
        assert_eq!(listed.len(), once.len(), "no row twice");
        assert!(once.is_superset(&all), "{limit}: every row there was");
    }
    for cursor in ["x", "eyJhIjoxfQ"] {
        let answer = server.call("check_change", json!({ "cursor": cursor })).await;
        assert!(answer.is_error && answer.summary().contains("cursor"), "{:#}", answer.body);
    }
}

/// What a person or the rules refused is there, with who, which rule, why and what would do; and each
/// state lists what stands so, and nothing else.
#[tokio::test]
async fn each_state_lists_what_stands_so() {
    let world = World::asking().await;
    let server = world.serve().await;
    let grant = |role: &str| json!({ "userKey": SAM, "roleKey": role, "assetKeys": ["Orders"] });
    let waits = server.call("grant_asset_role", grant("Developer")).await;
    let denied = server.call("set_project_acl", on_finance(SAM)).await;
    let deny = ["requests", "deny", &receipt(&denied), "--reason", "the wrong Sam"];
    assert_eq!(world.run(&deny).await.status, 0);
    let refused = server.call("grant_asset_role", grant("Administrator")).await;
    assert_eq!(refused.outcome(), "refused", "{:#}", refused.body);
    let mut client = Client::start(&world, Era::Legacy).await;
    let on_staging = json!({ "environmentId": "Staging", "role": { "name": "engineer" },
        "user": { "name": SAM }, "expires_in": "PT1H" });
    let (_, done) = client.call("assign_environment_role", &on_staging, yes).await;
    assert_eq!(done.outcome(), "confirmed", "{:#}", done.body);

    let rows = look(&server, json!({})).await;
    assert_eq!(rows.len(), 4, "{rows:#?}");
    for row in &rows {
        let state = row["state"].as_str().unwrap();
        let own = look(&server, json!({ "state": state })).await;
        assert_eq!(own.as_slice(), std::slice::from_ref(row), "{state}");
    }
    for state in ["approved", "withdrawn", "lapsed", "open", "due", "overdue"] {
        assert_eq!(look(&server, json!({ "state": state })).await, Vec::<Value>::new(), "{state}");
    }
    let of = |state: &str| rows.iter().find(|row| row["state"] == state).unwrap();
    let waiting = of("waiting");
    assert_eq!(waiting["receipt"], receipt(&waits), "{waiting:#}");
    assert!(waiting["waits_for"].to_string().contains("any person at a terminal"), "{waiting:#}");
    assert!(waiting["hint"].to_string().contains("requests approve"), "{waiting:#}");
    let no = of("denied");
    assert_eq!(
        (&no["receipt"], &no["denial_reason"]),
        (&json!(receipt(&denied)), &json!("the wrong Sam"))
    );
    assert!(no["denied_by"].is_string() && no.get("approved_by").is_none(), "{no:#}");
    let rule = of("refused");
    assert_eq!(rule["rules"], refused.body["policy"]["rules"], "{rule:#}");
    assert!(!rule["rules"].as_array().unwrap().is_empty(), "{rule:#}");
    assert_eq!(rule["hint"], refused.hint(), "{rule:#}");
    assert!(refused.summary().contains(rule["note"].as_str().unwrap()), "{rule:#}");
    // The receipt of a refusal is one that can be looked at.
    let one = server.call("check_change", json!({ "receipt": rule["receipt"] })).await;
    assert_eq!((one.outcome(), one.hint()), ("refused", refused.hint()), "{:#}", one.body);

    // What the vendor refused changed nothing either, and says what it said.
    world.inject("outsystems", "POST", "/organization-roles/", super::harness::status(403));
    let (_, rejected) = client.call("grant_asset_role", &grant("Tester"), yes).await;
    assert_eq!(rejected.outcome(), "rejected", "{:#}", rejected.body);
    let by_vendor = look(&server, json!({ "state": "refused", "limit": 1 })).await;
    assert_eq!(receipts(&by_vendor), [receipt(&rejected)], "{by_vendor:#?}");
    assert!(by_vendor[0]["note"].to_string().contains("403"), "{by_vendor:#?}");

    // Time alone makes a done one due, and what keeps it from ending makes that overdue.
    let timed = receipt(&done);
    time_is_over(&world, &timed).await;
    let due = look(&server, json!({ "state": "due" })).await;
    assert_eq!(receipts(&due), [timed.as_str()], "{due:#?}");
    let ledger = Ledger::new(&world.path("state"), None);
    ledger.overdue(&timed, "somebody changed it", &requester()).await.unwrap();
    let overdue = look(&server, json!({ "state": "overdue" })).await;
    assert_eq!(receipts(&overdue), [timed.as_str()], "{overdue:#?}");
    assert_eq!(overdue[0]["overdue"], "somebody changed it");
    assert_eq!(look(&server, json!({ "state": "due" })).await, Vec::<Value>::new());
}

/// Open is what was sent and is not finished: the vendor's approvers hold it, or nobody knows how it ended.
#[tokio::test]
async fn what_is_sent_and_not_finished_is_open() {
    let world = World::new().await.set("GRANTOR_POLICY", example("automation").to_str().unwrap());
    let server = world.serve().await;
    let permission = |name: &str| json!({ "permissionId": name, "identityId": SAM });
    let held = server.call("assign_permission", permission("Payments Approver")).await;
    assert_eq!(held.outcome(), "pending_vendor_approval", "{:#}", held.body);
    let done = server.call("assign_permission", permission("Treasury Viewer")).await;
    assert_eq!(done.outcome(), "confirmed", "{:#}", done.body);
    let open = look(&server, json!({ "state": "open" })).await;
    assert_eq!(receipts(&open), [receipt(&held)], "{open:#?}");
    assert_eq!(open[0]["waits_for"], "the vendor's approvers", "{open:#?}");
    // It is not finished until somebody has found out, and then it is.
    world.sandbox.decide_approval(&super::traps::approval(&world).await, true).unwrap();
    let found = server.call("check_change", json!({ "receipt": receipt(&held) })).await;
    assert_eq!(found.outcome(), "confirmed", "{:#}", found.body);
    assert_eq!(look(&server, json!({ "state": "open" })).await, Vec::<Value>::new());
    let finished = look(&server, json!({ "state": "done" })).await;
    assert_eq!(receipts(&finished).len(), 2, "{finished:#?}");
}

/// Where a signature is needed, whoever asks learns whose.
#[tokio::test]
async fn what_waits_for_approvers_names_them() {
    let world = World::asking().await;
    let file = world.path("approvers");
    let key = "A".repeat(43) + "=";
    std::fs::write(&file, format!("ada {key}\ngrace {}\n", key.replacen('A', "B", 1))).unwrap();
    let world = world.set("GRANTOR_APPROVERS", file.to_str().unwrap());
    let server = world.serve().await;
    let asked = server.call("set_project_acl", on_finance(SAM)).await;
    assert_eq!(asked.outcome(), "awaiting_consent", "{:#}", asked.body);
    let rows = look(&server, json!({ "state": "waiting" })).await;
    let one = server.call("check_change", json!({ "receipt": receipt(&asked) })).await;
    for told in [&rows[0], &one.body] {
        assert_eq!(told["waits_for"], "one of the approvers: ada, grace", "{told:#}");
    }
}

/// A call for several is told by what was sent of it, each a part of the whole; asked by whoever asked.
#[tokio::test]
async fn the_parts_of_a_call_for_several_name_it() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let both =
        json!({ "userKey": SAM, "roleKey": "Developer", "assetKeys": ["Orders", "Billing"] });
    let (_, answer) = client.call("grant_asset_role", &both, yes).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let server = world.serve().await;
    let rows = look(&server, json!({ "principal": SAM })).await;
    assert_eq!(rows.len(), 2, "the question is not listed beside its changes: {rows:#?}");
    for row in &rows {
        let (own, whole) = (row["receipt"].as_str().unwrap(), row["of"].as_str().unwrap());
        assert!(own.starts_with(&format!("{whole}.")), "{row:#}");
        assert!(row["approved_by"].is_string(), "{row:#}");
    }
    let undone = server.call("undo_change", json!({ "receipt": rows[0]["receipt"] })).await;
    assert_eq!(undone.outcome(), "awaiting_consent", "{:#}", undone.body);
    let waiting = look(&server, json!({ "state": "waiting", "principal": SAM })).await;
    assert_eq!(receipts(&waiting), [receipt(&undone)], "{waiting:#?}");
}

/// A receipt is looked at by itself, and whatever does not fit is told at once.
#[tokio::test]
async fn what_does_not_fit_is_told() {
    let world = World::new().await;
    let server = world.serve().await;
    for (arguments, says) in [
        (json!({ "receipt": "gr-1", "state": "done" }), "receipt: is looked at by itself"),
        (json!({ "receipt": "gr-1", "tenant": "dfns" }), "receipt: is looked at by itself"),
        (json!({ "since": "PT1H", "until": "P1D" }), "since: is not before until"),
        (json!({ "since": "soon", "until": "later" }), "until: must be an RFC 3339 time"),
        (json!({ "state": "finished" }), "state"),
    ] {
        let answer = server.call("check_change", arguments.clone()).await;
        assert!(answer.is_error, "{arguments}: {:#}", answer.body);
        assert!(answer.body.to_string().contains(says), "{arguments}: {:#}", answer.body);
    }
    assert!(world.sandbox.journal().is_empty());
}

/// A line that was changed leaves a hole, and the list says where.
#[tokio::test]
async fn a_hole_in_the_record_is_told_with_the_list() {
    let world = World::unguarded().await;
    let server = world.serve().await;
    let first = receipt(&server.call("set_project_acl", on_finance(SAM)).await);
    let second =
        receipt(&server.call("set_project_acl", on_finance("marta.lindqvist@example.com")).await);
    assert_eq!(look(&server, json!({})).await.len(), 2);
    let path = world.path("state/lines.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    // As long as it was, so that nothing else moves.
    let text = text.replacen("the audit", "my audits", 1);
    std::fs::write(&path, text).unwrap();
    let answer = server.call("check_change", json!({ "since": "P1D" })).await;
    let rows = answer.body["changes"].as_array().unwrap();
    assert_eq!(receipts(rows), [second.as_str()], "{:#}", answer.body);
    let warnings = answer.warnings();
    assert!(warnings.contains(&format!("{first} is missing from this list")), "{warnings}");
    let ran = world.run(&["changes", "--json"]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
}

/// The same list at a terminal and for programs: headings and local times, and no cell a formula.
#[tokio::test]
async fn the_list_is_a_table_a_sheet_or_data() {
    let world = World::asking().await.set("TZ", "Asia/Tokyo");
    let mut arguments = on_finance(SAM);
    arguments["reason"] = json!("=HYPERLINK(\"x\")");
    let asked = world.run(&["call", "set_project_acl", &arguments.to_string()]).await;
    let own = parsed(&asked.stdout)["receipt"].as_str().unwrap().to_owned();
    let data = world.run(&["changes", "--person", SAM, "--state", "waiting"]).await;
    assert_eq!(data.status, 0, "{data:#?}");
    let row = parsed(&data.stdout)["changes"][0].clone();
    assert_eq!(row["receipt"], own, "{row:#}");
    let sheet = world.run(&["changes", "--format", "csv"]).await.stdout;
    let mut reader = csv::Reader::from_reader(sheet.as_bytes());
    let heads = reader.headers().unwrap().clone();
    let lines: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cell = |name: &str| &lines[0][heads.iter().position(|head| head == name).unwrap()];
    assert_eq!(lines.len(), 1, "{sheet}");
    assert_eq!((cell("receipt"), cell("state")), (own.as_str(), "waiting"));
    assert_eq!((cell("reason"), cell("principal_email")), ("'=HYPERLINK(\"x\")", SAM));
    let table = world.run(&["changes", "--format", "table"]).await.stdout;
    let at: jiff::Timestamp = row["at"].as_str().unwrap().parse().unwrap();
    let tokyo = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
    let local = at.to_zoned(tokyo).strftime("%Y-%m-%d %H:%M").to_string();
    for part in ["WHEN", "STATE", "ASKED BY", "WHAT", "waiting", "waits for", &local] {
        assert!(table.contains(part), "{part}: {table}");
    }
    // A command that a person has to run names it all the same.
    assert!(!table.contains(&format!("receipt {own}")), "{table}");
    let table = world.run(&["changes", "--format", "table", "--ids"]).await.stdout;
    assert!(table.contains(&format!("receipt {own}")), "{table}");
    // The person is told apart from nobody: nothing is found is no failure, and is said why.
    let none = world.run(&["changes", "--person", "Nobody", "--format", "table"]).await;
    assert_eq!(none.status, 0, "{none:#?}");
    assert!(none.stderr.contains("nothing that is recorded here names"), "{none:#?}");
    let wrong = world.run(&["changes", "--since", "soon"]).await;
    assert_eq!((wrong.status, wrong.stdout.as_str()), (2, ""), "{wrong:#?}");
    assert!(wrong.stderr.contains("since: must be an RFC 3339 time"), "{wrong:#?}");
}

/// As many as are asked for, however many answers that takes; and all there are.
#[tokio::test]
async fn a_command_lists_as_many_as_are_wanted() {
    let world = World::new().await.set("GRANTOR_POLICY", example("automation").to_str().unwrap());
    let ledger = Ledger::new(&world.path("state"), None);
    let refusal =
        json!({ "tool": "t", "vendor": "dfns", "summary": "y".repeat(1_900), "note": "n" });
    for _ in 0..60 {
        ledger.refuse_plainly(refusal.clone(), &requester()).await;
    }
    for (options, rows, more) in [
        (&["--limit", "5"][..], 5, true),
        (&["--limit", "40"], 40, true),
        (&[], 50, true),
        (&["--all"], 60, false),
        (&["--all", "--vendor", "redox"], 0, false),
    ] {
        let ran = world.run(&[&["changes", "--state", "refused"][..], options].concat()).await;
        let told = parsed(&ran.stdout);
        let listed = told["changes"].as_array().unwrap().len();
        assert_eq!((listed, told["next_cursor"].is_string()), (rows, more), "{options:?}");
    }
}
