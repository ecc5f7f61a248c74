use std::collections::{BTreeMap, BTreeSet};

use grantor::sandbox::Modes;
use serde_json::{Value, json};

use super::harness::{Answer, Server, World, status, status_after};
use super::proxy::{Proxy, Then};

fn rows(answer: &Answer) -> &Vec<Value> {
    answer.body["rows"].as_array().unwrap_or_else(|| panic!("no rows: {:#}", answer.body))
}

fn problem<'a>(answer: &'a Answer, vendor: &str) -> &'a Value {
    let problems = answer.body["problems"].as_array().unwrap();
    let found = problems.iter().find(|problem| problem["vendor"] == vendor);
    found.unwrap_or_else(|| panic!("no problem at {vendor}: {:#}", answer.body))
}

/// For each vendor: not there, granted and listed, revoked and gone, undone and back.
#[tokio::test]
async fn an_access_is_seen_through_its_whole_life() {
    let who = json!("user@example.com");
    let cases = [
        (
            "outsystems",
            (
                "grant_asset_role",
                json!({ "userKey": who, "roleKey": "Developer", "assetKeys": ["Billing"] }),
            ),
            (
                "revoke_asset_role",
                json!({ "userKey": who, "roleKey": "Developer", "assetKeys": ["Billing"] }),
            ),
            json!({ "principal": who, "resource": "Billing", "role": "Developer" }),
        ),
        (
            "dfns",
            ("assign_permission", json!({ "permissionId": "Treasury Viewer", "identityId": who })),
            ("revoke_permission", json!({ "permissionId": "Treasury Viewer", "identityId": who })),
            json!({ "principal": who, "role": "Treasury Viewer" }),
        ),
        (
            "redox",
            (
                "assign_environment_role",
                json!({ "environmentId": "Staging", "role": { "name": "engineer" }, "user": { "name": who } }),
            ),
            (
                "remove_environment_role",
                json!({ "environmentId": "Staging", "user": { "name": who } }),
            ),
            json!({ "principal": who, "resource": "Staging" }),
        ),
        (
            "snaplogic",
            (
                "set_project_acl",
                json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who, "permission_list": ["R"] }),
            ),
            (
                "remove_project_acl",
                json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who }),
            ),
            json!({ "principal": who, "resource": "/Harbor/Finance" }),
        ),
        (
            "centrasite",
            (
                "set_asset_permissions",
                json!({ "asset": "BillingService", "userGroupAssetPermission": [{ "group": "API Team", "permission": "Modify" }] }),
            ),
            ("undo_change", Value::Null),
            json!({ "principal": "API Team", "resource": "BillingService" }),
        ),
    ];
    for (vendor, (grant, granting), (revoke, revoking), look) in cases {
        let world = World::new().await;
        let server = world.serve().await;
        let mut look = look.clone();
        look["vendor"] = json!(vendor);
        let listed = async || rows(&server.call("list_access", look.clone()).await).clone();
        assert!(listed().await.is_empty(), "{vendor}: there before");
        let granted = server.call(grant, granting).await;
        assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
        let there = listed().await;
        assert_eq!(there.len(), 1, "{vendor}: {there:#?}");
        assert_eq!(there[0]["granted_here"], true, "{vendor}");
        let revoking = match revoking {
            Value::Null => json!({ "receipt": granted.body["receipt"] }),
            arguments => arguments,
        };
        let revoked = server.call(revoke, revoking).await;
        assert_eq!(revoked.outcome(), "confirmed", "{:#}", revoked.body);
        assert!(listed().await.is_empty(), "{vendor}: still there");
        let receipt = json!({ "receipt": revoked.body["receipt"] });
        let undone = server.call("undo_change", receipt).await;
        assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
        assert_eq!(listed().await.len(), 1, "{vendor}: not back");
    }
}

/// A whole list is sent to change one row of it: the others were there before.
#[tokio::test]
async fn only_the_rows_that_a_change_made_are_marked_as_granted_here() {
    let world = World::new().await;
    let server = world.serve().await;
    let marked = async || {
        let look = json!({ "vendor": "centrasite", "resource": "CustomerPortalApi" });
        let answer = server.call("list_access", look).await;
        let here = rows(&answer).iter().filter(|row| row["granted_here"] == true);
        here.map(|row| row["principal"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let users = json!({ "group": "Users", "permission": "View" });
    let replace = async |entries: Value| {
        let arguments = json!({
            "asset": "CustomerPortalApi",
            "userGroupAssetPermission": entries,
            "removeExistingPermission": true,
        });
        let answer = server.call("set_asset_permissions", arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        json!({ "receipt": answer.body["receipt"] })
    };
    replace(json!([users])).await;
    assert!(marked().await.is_empty(), "who was there is not made");
    let team = json!({ "group": "API Team", "permission": "Modify" });
    let receipt = replace(json!([users, team])).await;
    assert_eq!(marked().await, ["group:api-team"]);
    let undone = server.call("undo_change", receipt).await;
    assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
    assert!(marked().await.is_empty(), "an undo sends the rest of the list again");
    let summary = undone.summary();
    assert!(summary.ends_with("“API Team” (group:api-team) loses “Modify”"), "{summary}");
}

/// Access until an approver agrees that it goes: listed as what it is, and that is said.
#[tokio::test]
async fn dfns_access_whose_removal_waits_is_listed_and_told() {
    let world = World::new().await;
    let server = world.serve().await;
    let marta = "marta.lindqvist@example.com";
    let look = json!({ "vendor": "dfns", "principal": marta });
    let before = server.call("list_access", look.clone()).await;
    assert_eq!(before.body["problems"], json!([]), "nothing waits yet");
    let revoke = json!({ "permissionId": "Payments Approver", "identityId": marta });
    let waiting = server.call("revoke_permission", revoke).await;
    assert_eq!(waiting.outcome(), "pending_vendor_approval", "{:#}", waiting.body);
    let after = server.call("list_access", look).await;
    assert_eq!(rows(&after), rows(&before), "it is access still, and no grant that waits");
    let told = problem(&after, "dfns")["message"].as_str().unwrap();
    let said = format!("there is access: “Payments Approver” of “Marta Lindqvist” ({marta})");
    assert!(told.ends_with(&said), "{told}");
    assert!(!after.is_error);
}

/// An asset's list has ids alone; who they are is looked up, and not missed where it cannot be.
#[tokio::test]
async fn who_may_use_an_asset_is_named() {
    let world = World::new().await;
    let server = world.serve().await;
    for (look, names) in [
        (
            json!({ "vendor": "centrasite", "resource": "BillingService" }),
            vec!["Priya Raman", "Users", "Marta Lindqvist"],
        ),
        (json!({ "vendor": "centrasite", "role": "Modify" }), vec!["API Team", "Marta Lindqvist"]),
    ] {
        let answer = server.call("list_access", look.clone()).await;
        let found: Vec<_> = rows(&answer).iter().map(|row| &row["principal"]["name"]).collect();
        assert_eq!(found, names, "{look}");
    }
    world.inject("centrasite", "GET", "/principals", status(403));
    let answer = server
        .call("list_access", json!({ "vendor": "centrasite", "resource": "BillingService" }))
        .await;
    assert_eq!(rows(&answer).len(), 3, "{:#}", answer.body);
    assert_eq!(answer.body["problems"], json!([]));
}

#[tokio::test]
async fn one_vendors_trouble_hides_no_others_rows() {
    let world = World::new().await.set("DFNS_API_URL", "http://127.0.0.1:1");
    world.inject("redox", "GET", "role-assignment", status(403));
    let server = world.serve().await;
    let answer = server.call("list_access", json!({ "principal": "alex.kim@example.com" })).await;
    assert!(!answer.is_error);
    assert!(rows(&answer).iter().all(|row| row["vendor"] == "outsystems"), "{:#}", answer.body);
    assert!(!rows(&answer).is_empty());
    assert_eq!(problem(&answer, "dfns")["kind"], "unavailable");
    assert_eq!(problem(&answer, "redox")["kind"], "not_permitted");
    assert!(problem(&answer, "redox")["hint"].as_str().unwrap().contains("owner or admin"));
    assert_eq!(problem(&answer, "snaplogic")["kind"], "not_listable");
}

/// What is set already is not asked for.
#[tokio::test]
async fn redox_says_only_what_is_left_to_set() {
    let name = "name other roles under [redox.roles] in the configuration file";
    for (set, hint) in
        [(true, name.to_owned()), (false, format!("set REDOX_ORGANIZATION_ID, and {name}"))]
    {
        let world = World::new().await;
        let world = if set { world } else { world.unset("REDOX_ORGANIZATION_ID") };
        let answer = world.serve().await.call("list_roles", json!({ "vendor": "redox" })).await;
        assert_eq!(problem(&answer, "redox")["hint"], hint.as_str(), "{:#}", answer.body);
    }
}

#[tokio::test]
async fn where_every_vendor_asked_has_failed_the_answer_is_an_error() {
    let world = World::new().await.set("DFNS_API_URL", "http://127.0.0.1:1");
    let server = world.serve().await;
    let answer = server.call("list_roles", json!({ "vendor": "dfns" })).await;
    assert!(answer.is_error);
    assert_eq!(problem(&answer, "dfns")["kind"], "unavailable");
}

/// Organization-wide access reaches an asset too, and is shown as what it is.
#[tokio::test]
async fn who_reaches_an_asset_includes_the_whole_organizations_roles() {
    let world = World::new().await;
    let server = world.serve().await;
    let look = json!({ "vendor": "outsystems", "resource": "Orders" });
    let answer = server.call("list_access", look).await;
    let scopes: BTreeSet<_> =
        rows(&answer).iter().map(|row| row["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, BTreeSet::from(["asset", "organization"]), "{:#}", answer.body);
}

#[tokio::test]
async fn a_name_that_several_have_brings_candidates_and_one_that_nobody_has_is_invalid() {
    let world = World::new().await;
    let server = world.serve().await;
    let several =
        server.call("list_access", json!({ "vendor": "dfns", "principal": "Alex Kim" })).await;
    assert_eq!(problem(&several, "dfns")["candidates"].as_array().unwrap().len(), 2);
    let nobody = server.call("list_access", json!({ "principal": "nobody@example.com" })).await;
    assert_eq!(nobody.outcome(), "invalid", "{:#}", nobody.body);
    for vendor in ["outsystems", "dfns", "redox", "centrasite"] {
        let told = problem(&nobody, vendor);
        assert_eq!(told["kind"], "not_found", "{told}");
        assert!(told["message"].as_str().unwrap().starts_with("principal: nothing"), "{told}");
    }
}

/// The rows of all answers, by what tells them apart; no row comes twice.
async fn to_the_end(server: &Server, mut look: Value) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    loop {
        let answer = server.call("list_access", look.clone()).await;
        assert!(!answer.is_error, "{:#}", answer.body);
        for row in rows(&answer) {
            let part = |name: &str| row[name]["id"].as_str().unwrap_or_default().to_owned();
            let key = ["principal", "role", "resource", "via"].map(part);
            let key = format!("{} {key:?} {}", row["vendor"], row["starts_at"]);
            assert!(all.insert(key, row.clone()).is_none(), "twice: {row:#}");
        }
        match answer.body["next_cursor"].as_str() {
            Some(next) => look["cursor"] = json!(next),
            None => return all,
        }
    }
}

/// All access there is takes no word, and is the same however it is cut; what is asked of somebody, or of
/// a kind of role, is a part of it.
#[tokio::test]
async fn all_access_is_listed_to_its_end() {
    let world = World::new().await.set("SNAPLOGIC_INTERNAL_READS", "1");
    let server = world.serve().await;
    let all = to_the_end(&server, json!({})).await;
    for vendor in ["outsystems", "dfns", "redox", "snaplogic", "centrasite"] {
        assert!(all.values().any(|row| row["vendor"] == vendor), "nothing at {vendor}");
    }
    assert_eq!(to_the_end(&server, json!({ "limit": 3 })).await, all);
    let of = |fits: &dyn Fn(&Value) -> bool| -> BTreeMap<_, _> {
        all.iter()
            .filter(|(_, row)| fits(row))
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect()
    };
    let own = to_the_end(&server, json!({ "principal": "user@example.com", "limit": 2 })).await;
    let direct: BTreeMap<_, _> =
        own.into_iter().filter(|(_, row)| row.get("via").is_none()).collect();
    assert_eq!(
        direct,
        of(&|row| row["principal"]["email"] == "user@example.com"
            || row["principal"]["id"] == "user@example.com")
    );
    let privileged = to_the_end(&server, json!({ "privileged": true, "limit": 2 })).await;
    let others = to_the_end(&server, json!({ "privileged": false })).await;
    assert!(!privileged.is_empty() && !others.is_empty());
    assert_eq!(
        privileged.keys().chain(others.keys()).collect::<BTreeSet<_>>(),
        all.keys().collect()
    );
    let role = |row: &Value| row["role"]["name"].as_str().unwrap_or_default().to_owned();
    assert!(privileged.values().any(|row| role(row) == "Administrator"), "{privileged:#?}");
    assert!(others.values().any(|row| role(row) == "Developer"), "{others:#?}");
}

/// What Grantor granted, and when it ends, is asked for as any other access.
#[tokio::test]
async fn what_was_granted_here_and_what_ends_are_found() {
    let world = World::new().await;
    let server = world.serve().await;
    let grant = json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com",
        "expires_in": "PT8H" });
    assert_eq!(server.call("assign_permission", grant).await.outcome(), "confirmed");
    let found =
        async |look: Value| to_the_end(&server, look).await.into_values().collect::<Vec<_>>();
    let here = found(json!({ "granted_here": true })).await;
    assert_eq!(here.len(), 1, "{here:#?}");
    assert_eq!(here[0]["role"]["name"], "Treasury Viewer");
    let end = here[0]["expires_at"].as_str().expect("the end that Grantor keeps").to_owned();
    let all = found(json!({})).await;
    assert_eq!(found(json!({ "granted_here": false })).await.len(), all.len() - 1);
    let soon = found(json!({ "vendor": "dfns", "expires_before": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(soon, here);
    assert_eq!(found(json!({ "vendor": "dfns", "expires_before": end })).await, [] as [Value; 0]);
}

/// Roles are found by a permission that they contain, and access by it.
#[tokio::test]
async fn a_permission_leads_to_its_roles_and_to_who_holds_them() {
    let world = World::new().await;
    let server = world.serve().await;
    let roles = server.call("list_roles", json!({ "vendor": "dfns" })).await;
    let viewer = rows(&roles).iter().find(|role| role["name"] == "Treasury Viewer").unwrap();
    let permission = viewer["permissions"][0].clone();
    let with =
        server.call("list_roles", json!({ "vendor": "dfns", "permission": permission })).await;
    let has =
        |role: &Value| role["permissions"].as_array().is_some_and(|all| all.contains(&permission));
    let mut expected: Vec<_> = rows(&roles).iter().filter(|role| has(role)).collect();
    expected.sort_by_key(|role| role["permissions"].as_array().map(Vec::len));
    assert!(!expected.is_empty() && expected.len() < rows(&roles).len(), "{permission}");
    assert_eq!(rows(&with).iter().collect::<Vec<_>>(), expected);
    let ids: BTreeSet<_> = expected.iter().map(|role| role["id"].to_string()).collect();
    let all = to_the_end(&server, json!({ "vendor": "dfns" })).await;
    let by_role = all.iter().filter(|(_, row)| ids.contains(&row["role"]["id"].to_string()));
    let held = to_the_end(&server, json!({ "vendor": "dfns", "permission": permission })).await;
    assert_eq!(held.keys().collect::<Vec<_>>(), by_role.map(|(key, _)| key).collect::<Vec<_>>());
    let none =
        server.call("list_access", json!({ "vendor": "dfns", "permission": "No:Such" })).await;
    assert_eq!(rows(&none).len(), 0);
}

/// Of the roles that contain a permission the one that contains least else comes first, on whatever page.
#[tokio::test]
async fn roles_with_a_permission_are_listed_by_how_much_else_they_contain() {
    let world = World::new().await;
    let server = world.serve().await;
    for (vendor, permission, first, count) in
        [("outsystems", "View logs", "Tester", 5), ("dfns", "Wallets:Read", "Reports Reader", 4)]
    {
        let whole = json!({ "vendor": vendor, "permission": permission });
        let all = server.call("list_roles", whole.clone()).await;
        let sizes: Vec<_> =
            rows(&all).iter().map(|row| row["permissions"].as_array().unwrap().len()).collect();
        assert!(sizes.is_sorted() && sizes.len() >= count, "{vendor}: {:#}", all.body);
        assert_eq!(rows(&all)[0]["name"], first, "{:#}", all.body);
        // The vendor's own list is in another order.
        let plain = server.call("list_roles", json!({ "vendor": vendor })).await;
        assert_ne!(rows(&plain)[0]["name"], first, "{:#}", plain.body);
        let mut paged = Vec::new();
        let mut look = whole;
        look["limit"] = json!(1);
        for _ in 0..=sizes.len() {
            let page = server.call("list_roles", look.clone()).await;
            paged.extend(rows(&page).iter().cloned());
            match page.body["next_cursor"].as_str() {
                Some(cursor) => look["cursor"] = json!(cursor),
                None => break,
            }
        }
        assert_eq!(&paged, rows(&all), "{vendor}");
    }
    // Part of a name still counts.
    let named = json!({ "vendor": "outsystems", "permission": "View logs", "query": "e" });
    let named = server.call("list_roles", named).await;
    assert!(rows(&named).iter().all(|row| row["name"].as_str().unwrap().contains('e')));
}

/// A list that the vendor's rate cuts short goes on where it stopped.
#[tokio::test]
async fn what_a_rate_limit_cuts_short_goes_on_at_its_cursor() {
    let world = World::new().await;
    let whole = to_the_end(&world.serve().await, json!({ "vendor": "outsystems" })).await;
    let server = world.serve().await;
    // Longer than a call waits.
    world.inject("outsystems", "GET", "/organization-roles", status_after(429, "90"));
    let answer = server.call("list_access", json!({ "vendor": "outsystems" })).await;
    let told = problem(&answer, "outsystems");
    assert_eq!(told["kind"], "rate_limited", "{told:#}");
    let cursor = answer.body["next_cursor"].as_str().expect("a cursor").to_owned();
    // Another process has not been told to wait.
    let rest =
        to_the_end(&world.serve().await, json!({ "vendor": "outsystems", "cursor": cursor })).await;
    let first = answer.body["rows"].as_array().map_or(0, Vec::len);
    assert_eq!(first + rest.len(), whole.len());
}

/// Whoever is named is accounted for by each vendor that is asked: a row, or why there is none.
#[tokio::test]
async fn somebody_who_is_named_is_passed_over_by_nobody_in_silence() {
    let world = World::new().await.set("SNAPLOGIC_INTERNAL_READS", "1");
    let server = world.serve().await;
    let alex = server.call("list_access", json!({ "principal": "alex.kim@example.com" })).await;
    assert!(!alex.is_error, "{:#}", alex.body);
    for vendor in ["outsystems", "dfns", "redox", "snaplogic"] {
        let own = rows(&alex).iter().any(|row| row["vendor"] == vendor);
        let dfns = vendor == "dfns";
        assert!(own || dfns, "{vendor}: {:#}", alex.body);
    }
    let told = problem(&alex, "centrasite");
    assert_eq!(told["kind"], "not_found", "{told}");
    assert!(told["message"].as_str().unwrap().contains("alex.kim@example.com"), "{told}");
    assert!(told["hint"].as_str().unwrap().contains(r"DOMAIN\user"), "{told}");
    let twins = server.call("list_access", json!({ "principal": "Alex Kim" })).await;
    for vendor in ["outsystems", "dfns", "redox", "centrasite"] {
        let told = problem(&twins, vendor);
        assert_eq!(told["kind"], "ambiguous", "{told}");
        assert!(told["message"].as_str().unwrap().starts_with("principal: 2 have"), "{told}");
        assert_eq!(told["candidates"].as_array().unwrap().len(), 2, "{told}");
    }
    // A name that one vendor alone has: the others say that they have it not.
    let team = server.call("list_access", json!({ "principal": "API Team" })).await;
    assert!(rows(&team).iter().all(|row| row["vendor"] == "centrasite"), "{:#}", team.body);
    for vendor in ["outsystems", "dfns", "redox", "snaplogic"] {
        assert_eq!(problem(&team, vendor)["kind"], "not_found", "{:#}", team.body);
    }
    // A search is no question about somebody.
    let found = server.call("find_principals", json!({ "query": "API Team" })).await;
    assert!(problem_kinds(&found).iter().all(|kind| kind != "not_found"), "{:#}", found.body);
}

fn problem_kinds(answer: &Answer) -> Vec<String> {
    let problems = answer.body["problems"].as_array().unwrap();
    problems.iter().map(|problem| problem["kind"].as_str().unwrap().to_owned()).collect()
}

/// Who is in a group a bridge does not show: what somebody holds through one is not seen.
#[tokio::test]
async fn centrasite_access_through_groups_is_said_not_to_be_seen() {
    let world = World::new().await;
    let server = world.serve().await;
    let look = json!({ "vendor": "centrasite", "principal": r"HARBOR\akim" });
    let answer = server.call("list_access", look).await;
    assert!(rows(&answer).iter().any(|row| row["role"]["name"] == "Full"), "{:#}", answer.body);
    let told = problem(&answer, "centrasite")["message"].as_str().unwrap();
    assert!(told.contains("through a group is not seen"), "{told}");
}

/// Members that cannot be read hide nobody's own access.
#[tokio::test]
async fn snaplogic_groups_that_cannot_be_read_are_said() {
    let world = World::new().await;
    for _ in 0..8 {
        world.inject("snaplogic", "GET", "/groups/Harbor/", status(403));
    }
    let look = json!({ "vendor": "snaplogic", "principal": "alex.kim@example.com",
        "resource": "/Harbor/Integrations" });
    let answer = world.serve().await.call("list_access", look).await;
    assert_eq!(rows(&answer).len(), 1, "{:#}", answer.body);
    let told = problem(&answer, "snaplogic")["message"].as_str().unwrap();
    assert!(told.contains("integration-team"), "{told}");
}

/// Pages of any size, over all vendors, bring every row once; also in another process.
#[tokio::test]
async fn a_cursor_goes_on_where_it_stopped_and_loses_nothing() {
    let world = World::with(Modes { many_roles: true, ..Modes::default() }).await;
    let server = world.serve().await;
    let id = |row: &Value| format!("{} {}", row["vendor"], row["id"]);
    // As long as an answer may be, and the little that is left of them.
    let first = server.call("list_roles", json!({ "limit": 500 })).await;
    let rest = json!({ "limit": 500, "cursor": first.body["next_cursor"] });
    let rest = server.call("list_roles", rest).await;
    let whole: Vec<_> = rows(&first).iter().chain(rows(&rest)).map(id).collect();
    assert!(whole.len() > 240 && rest.body.get("next_cursor").is_none(), "{}", whole.len());
    for limit in [7, 100] {
        let (mut seen, mut cursor) = (Vec::new(), None::<Value>);
        loop {
            let mut arguments = json!({ "limit": limit });
            if let Some(cursor) = &cursor {
                arguments["cursor"] = cursor.clone();
            }
            let page = world.serve().await.call("list_roles", arguments).await;
            assert!(rows(&page).len() <= limit);
            seen.extend(rows(&page).iter().map(id));
            let Some(next) = page.body.get("next_cursor") else { break };
            cursor = Some(next.clone());
        }
        let once: BTreeSet<_> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "limit {limit}: a row came twice");
        assert_eq!(once, whole.iter().collect(), "limit {limit}: rows are missing");
    }
}

/// 240 roles are three pages of a hundred: three requests, no page twice.
#[tokio::test]
async fn all_pages_are_followed_once() {
    let world = World::with(Modes { many_roles: true, ..Modes::default() }).await;
    let server = world.serve().await;
    let all = json!({ "vendor": "outsystems", "limit": 500 });
    let answer = server.call("list_roles", all).await;
    assert!(rows(&answer).len() >= 240);
    assert_eq!(world.count("GET", "organization-roles"), 3);
}

/// An empty page ends a list, unless its own total says that there are rows nobody has seen.
#[tokio::test]
async fn centrasite_an_empty_page_that_says_there_is_more_is_incomplete() {
    let world = World::new().await;
    let empty = |_: &str| r#"{"principals": [], "total": 10}"#.to_owned();
    let empty: std::sync::Arc<dyn Fn(&str) -> String + Send + Sync> = std::sync::Arc::new(empty);
    let upstream = world.variable("CENTRASITE_BRIDGE_URL").to_owned();
    let proxy = Proxy::start(Some(&upstream), move |_, path| match path.ends_with("/principals") {
        true => Then::Change(empty.clone()),
        false => Then::Pass,
    })
    .await;
    let world = world.set("CENTRASITE_BRIDGE_URL", proxy.url.clone());
    let server = world.serve().await;
    let look = json!({ "vendor": "centrasite", "query": "API" });
    let answer = server.call("find_principals", look).await;
    assert_eq!(problem(&answer, "centrasite")["kind"], "incomplete", "{:#}", answer.body);
    let set = json!({ "asset": "BillingService",
        "userGroupAssetPermission": [{ "group": "API Team", "permission": "Modify" }] });
    let answer = server.call("set_asset_permissions", set).await;
    assert_eq!((answer.outcome(), world.writes().len()), ("unavailable", 0), "{:#}", answer.body);
}
