//! A process that is killed at any change of a set: nothing is sent twice, nothing is unrecorded, nothing is sent
//! on the old yes afterwards, and the receipt of the set tells of each change and gives those that are left.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use grantor::sandbox::FaultKind;
use serde_json::{Value, json};

use super::harness::{Era, World, parsed};
use super::person::{Client, Heard, types, yes};

const SET: &str = "apply_changes";
/// Two at each vendor.
const CHANGES: &str = r#"{"changes": [
    {"tool": "grant_asset_role", "arguments": {"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}},
    {"tool": "assign_permission", "arguments": {"permissionId": "Treasury Viewer", "identityId": "user@example.com"}},
    {"tool": "assign_environment_role", "arguments": {"environmentId": "Staging", "role": {"name": "engineer"}, "user": {"name": "user@example.com"}}},
    {"tool": "set_project_acl", "arguments": {"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R"]}},
    {"tool": "set_asset_permissions", "arguments": {"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "View"}]}},
    {"tool": "grant_asset_role", "arguments": {"userKey": "user@example.com", "roleKey": "Tester", "assetKeys": ["Billing"]}},
    {"tool": "assign_permission", "arguments": {"permissionId": "Reports Reader", "identityId": "user@example.com"}},
    {"tool": "assign_environment_role", "arguments": {"environmentId": "Development", "role": {"name": "engineer"}, "user": {"name": "user@example.com"}}},
    {"tool": "set_project_acl", "arguments": {"project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R"]}},
    {"tool": "set_asset_permissions", "arguments": {"asset": "OrderArchive", "userGroupAssetPermission": [{"group": "API Team", "permission": "View"}]}}]}"#;
const COUNT: usize = 10;
const LONG: Duration = Duration::from_secs(600);

fn agrees(form: &Value) -> Value {
    if form["properties"]["grantee"].is_object() { types(form) } else { yes(form) }
}

/// Lines of an event, each with its receipt.
fn lines(world: &World, event: &str) -> Vec<String> {
    let own = world.ledger().into_iter().filter(|line| line["event"] == event);
    own.map(|line| line["receipt"].as_str().unwrap().to_owned()).collect()
}

/// How often each change reached its vendor.
fn sent(world: &World) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    for write in world.writes() {
        *sent.entry(format!("{} {} {}", write.vendor, write.method, write.path)).or_default() += 1;
    }
    sent
}

/// Kills a process whose change of this number has reached the vendor, which never answers.
async fn killed_at(number: usize, is_asked: bool) {
    let world = if is_asked { World::asking().await } else { World::new().await };
    let mut arguments = parsed(CHANGES);
    let mut client = Client::start(&world, Era::Legacy).await;
    arguments["dry_run"] = true.into();
    let Heard::Answer(preview) = client.ask(SET, &arguments, json!({})).await else {
        panic!("nobody is asked about a preview")
    };
    let item = &preview.body["items"][number];
    let vendors = ["outsystems", "dfns", "redox", "snaplogic", "centrasite"];
    let vendor = vendors.into_iter().find(|vendor| item["vendor"] == *vendor).unwrap();
    let method: &'static str = if item["request"]["method"] == "PUT" { "PUT" } else { "POST" };
    let path = item["request"]["path"].as_str().unwrap();
    let path = path.split('?').next().unwrap();
    world.inject(vendor, method, path, FaultKind::StallAfter(LONG));
    arguments["dry_run"] = false.into();
    client.send(SET, &arguments, json!({})).await;
    if is_asked {
        let Heard::Question(asked) = client.next().await else {
            panic!("{number}: nobody is asked")
        };
        client.say(&asked, agrees(&asked.form)).await;
    }
    // The others go on to their ends; what comes after it at its tenant does not begin.
    let is_first = number < COUNT / 2;
    let (opened, closed) = if is_first { (COUNT - 1, COUNT - 2) } else { (COUNT, COUNT - 1) };
    until(|| lines(&world, "open").len() == opened && lines(&world, "close").len() == closed).await;
    until(|| world.writes().len() == opened).await;
    client.raw.kill().await;
    let begun = sent(&world);
    assert!(begun.values().all(|times| *times == 1), "{number}: {begun:#?}");
    assert_eq!(begun.len(), opened, "{number}: {begun:#?}");
    let receipt = lines(&world, if is_asked { "asked" } else { "set" }).pop().unwrap();

    let mut client = Client::start(&world, Era::Modern).await;
    let check = json!({ "receipt": receipt });
    let shown = client.ask("check_change", &check, json!({})).await.answer();
    let changes = shown.body["changes"].as_array().unwrap_or_else(|| panic!("{:#}", shown.body));
    assert_eq!(changes.len(), opened, "{number}: {:#}", shown.body);
    let own = format!("{receipt}.{}", number + 1);
    for change in changes {
        assert_eq!(change["outcome"], "confirmed", "{number}: {change:#}");
    }
    assert!(changes.iter().any(|change| change["receipt"] == own), "{:#}", shown.body);
    let none = Vec::new();
    let left = shown.body["remaining"].as_array().unwrap_or(&none);
    assert_eq!(left.len(), COUNT - opened, "{number}: {:#}", shown.body);
    assert_eq!(shown.outcome(), if is_first { "partly_done" } else { "confirmed" });
    world.run(&["requests", "run"]).await;
    assert_eq!(sent(&world), begun, "{number}: something was sent on the old yes");
    if is_first {
        let again = json!({ "changes": left });
        let (asked, done) = client.call(SET, &again, agrees).await;
        assert_eq!(done.outcome(), "confirmed", "{number}: {:#}", done.body);
        assert_eq!(asked.len(), usize::from(is_asked));
        assert_eq!(world.writes().len(), COUNT);
        assert!(sent(&world).values().all(|times| *times == 1), "{number}");
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn killed(times: usize) {
    let cases = (0..times).flat_map(|round| (0..COUNT).map(move |number| (number, round % 2 == 0)));
    let kills = cases.map(|(number, is_asked)| killed_at(number, is_asked));
    let all: Vec<()> = futures_util::stream::iter(kills).buffer_unordered(2).collect().await;
    println!("{} processes were killed", all.len());
}

#[tokio::test]
async fn a_set_whose_process_is_killed_is_told_and_never_sent_again() {
    killed(2).await;
}

#[tokio::test]
#[ignore = "it takes many minutes: .ci/full runs it"]
async fn a_set_whose_process_is_killed_at_length() {
    killed(20).await;
}
