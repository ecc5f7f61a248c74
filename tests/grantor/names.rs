use std::sync::Arc;

use serde_json::{Value, json};

use super::harness::{World, parsed};
use super::proxy::{Proxy, Then};
use super::terminal::Terminal;

/// What a person is asked about the request that waits.
async fn question(world: &World) -> String {
    let listed = parsed(&world.run(&["requests", "list", "--json"]).await.stdout);
    let lines = listed["requests"][0]["question"].as_array().unwrap();
    lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Several of a name are told as that, by the caller's argument, with what tells them apart.
#[tokio::test]
async fn a_name_of_several_is_ambiguous_in_json_and_on_a_screen() {
    let world = World::new().await;
    let server = world.serve().await;
    let arguments = json!({ "principal": "Alex Kim" });
    let answer = server.call("list_access", arguments.clone()).await;
    assert!(answer.is_error, "{:#}", answer.body);
    let problems = answer.body["problems"].as_array().unwrap();
    for vendor in ["outsystems", "dfns", "redox", "centrasite"] {
        let own = problems.iter().find(|one| one["vendor"] == vendor).unwrap();
        assert_eq!(own["kind"], "ambiguous", "{own:#}");
        assert!(own["message"].as_str().unwrap().starts_with("principal: 2 have"), "{own:#}");
        assert_eq!(own["candidates"].as_array().unwrap().len(), 2, "{own:#}");
    }
    let text = answer.body.to_string();
    for field in ["userKey", "identityId", "grantee", "roleKey"] {
        assert!(!text.contains(field), "{field} in {text}");
    }
    let command = world.command(["call", "list_access", &arguments.to_string()]);
    let (status, seen) = Terminal::start(command).ends().await;
    assert_eq!(status, 1, "{seen}");
    for part in ["principal: 2 have", "candidate", "alex.kim@example.com", "a.kim@example.com"] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
}

/// Where one vendor can answer, the others' candidates are on the screen all the same.
#[tokio::test]
async fn candidates_stand_beside_rows() {
    let world = World::new().await;
    let arguments = json!({ "principal": "Alex Kim", "resource": "/Harbor/Integrations" });
    let command = world.command(["call", "list_access", &arguments.to_string()]);
    let (_, seen) = Terminal::start(command).ends().await;
    assert!(seen.contains("candidate") && seen.contains("(a.kim@example.com)"), "{seen}");
}

/// Two people of one name are two people wherever somebody reads of them.
#[tokio::test]
async fn twins_are_told_apart_by_address_everywhere() {
    let world = World::asking().await;
    let find = world.command(["call", "find_principals", r#"{"query": "alex"}"#]);
    let (_, seen) = Terminal::start(find).ends().await;
    for part in
        ["Alex Kim (alex.kim@example.com)", "Alex Kim (a.kim@example.com)", r"(HARBOR\akim2)"]
    {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert!(!seen.contains("17be3111"), "an id tells a reader nothing: {seen}");
    let server = world.serve().await;
    let cases = [
        (
            "grant_asset_role",
            json!({ "userKey": "Alex Kim <a.kim@example.com>", "roleKey": "Tester",
            "assetKeys": ["Billing"] }),
        ),
        (
            "assign_permission",
            json!({ "permissionId": "Treasury Viewer",
            "identityId": "Alex Kim (a.kim@example.com)" }),
        ),
        (
            "set_project_acl",
            json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
            "grantee": "Alex Kim <a.kim@example.com>", "permission_list": ["R"] }),
        ),
        (
            "assign_environment_role",
            json!({ "environmentId": "Staging", "role": { "name": "engineer" },
            "user": { "name": "Alex Kim <a.kim@example.com>" } }),
        ),
    ];
    for (tool, mut arguments) in cases {
        let asked = server.call(tool, arguments.clone()).await;
        assert_eq!(asked.outcome(), "awaiting_consent", "{:#}", asked.body);
        let said = "“Alex Kim” (a.kim@example.com)";
        assert!(asked.summary().contains(said), "{}", asked.summary());
        let text = question(&world).await;
        assert!(text.contains(said), "{tool}: {text}");
        let receipt = asked.body["receipt"].as_str().unwrap();
        assert_eq!(world.run(&["requests", "deny", receipt]).await.status, 0);
        arguments["dry_run"] = json!(true);
        let preview = server.call(tool, arguments).await;
        assert!(preview.summary().contains(said), "{}", preview.summary());
        let history = server.call("check_change", json!({})).await;
        assert!(history.body["changes"].to_string().contains(said), "{:#}", history.body);
    }
    let listed = json!({ "vendor": "outsystems", "principal": "alex.kim@example.com" });
    let list = world.command(["call", "list_access", &listed.to_string()]);
    let (_, seen) = Terminal::start(list).ends().await;
    assert!(seen.contains("Alex Kim (alex.kim@example.com): "), "{seen}");
}

/// Whoever changes a whole list is asked about what each gains or loses, each by their own name.
#[tokio::test]
async fn a_question_about_a_list_says_the_difference() {
    let world = World::asking().await;
    let server = world.serve().await;
    let set = json!({ "asset": "CustomerPortalApi", "removeExistingPermission": true,
        "userGroupAssetPermission": [
            { "group": "Users", "permission": "View" },
            { "user": "Sam Rivera", "permission": "Modify" },
            { "group": "API Team", "permission": "View" }] });
    let before = server
        .call("list_access", json!({ "vendor": "centrasite", "resource": "CustomerPortalApi" }));
    let before = before.await;
    let asked = server.call("set_asset_permissions", set).await;
    assert_eq!(asked.outcome(), "awaiting_consent", "{:#}", asked.body);
    let text = question(&world).await;
    assert!(text.contains(r"“Sam Rivera” (HARBOR\srivera) gets “Modify”"), "{text}");
    assert!(text.contains("“API Team” (group:api-team) gets “View”"), "{text}");
    for row in before.body["rows"].as_array().unwrap() {
        let name = row["principal"]["name"].as_str().unwrap();
        let line = text.lines().find(|line| line.starts_with('•')).unwrap();
        // Those who stay as they are, are no part of the question.
        let is_kept = name == "Users";
        assert_eq!(line.contains(&format!("“{name}”")), !is_kept, "{name} in {text}");
    }
    assert!(
        !text.contains("Rivera, ") && !text.contains("“View, ") && !text.contains("Modify, "),
        "{text}"
    );
}

/// A kind that a vendor has not is no question to it, and no trouble.
#[tokio::test]
async fn a_kind_that_a_vendor_has_not_is_no_question_to_it() {
    let world = World::new().await;
    let server = world.serve().await;
    for (tool, kind, asked) in [
        ("find_principals", "token", &["dfns"][..]),
        ("find_principals", "service_account", &["dfns"]),
        ("find_principals", "group", &["dfns", "snaplogic", "centrasite"]),
        ("find_resources", "environment", &["redox"]),
        ("find_resources", "asset", &["outsystems", "centrasite"]),
    ] {
        let answer = server.call(tool, json!({ "query": "a", "kind": kind })).await;
        assert!(!answer.is_error, "{:#}", answer.body);
        let said = |list: &str| answer.body[list].as_array().unwrap().clone();
        for row in said("rows").iter().chain(&said("problems")) {
            assert!(asked.contains(&row["vendor"].as_str().unwrap()), "{kind}: {row:#}");
        }
    }
    let lone = world.serve_with(&[("GRANTOR_VENDORS", "centrasite")]).await;
    let answer = lone.call("find_principals", json!({ "query": "a", "kind": "token" })).await;
    let said = (answer.is_error, &answer.body["rows"], &answer.body["problems"]);
    assert_eq!(said, (false, &json!([]), &json!([])), "{:#}", answer.body);
    let note = answer.body["note"].as_str().unwrap();
    assert!(note.contains("centrasite has user, group"), "{note}");
    let answer = lone.call("find_resources", json!({ "kind": "folder" })).await;
    assert!(
        answer.is_error && answer.summary().contains("kind: there is no kind"),
        "{:#}",
        answer.body
    );
}

/// The letters that are asked for and no others; a list that reaches further is that list too.
#[tokio::test]
async fn a_snaplogic_role_is_listed_as_it_is_called() {
    let world = World::new().await;
    let server = world.serve().await;
    for (who, letters, inherit) in [
        ("user@example.com", json!(["R"]), false),
        ("jonas.weber@example.com", json!(["R", "W"]), true),
        ("marta.lindqvist@example.com", json!(["R", "W"]), false),
    ] {
        let set = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
            "grantee": who, "permission_list": letters, "inherit": inherit });
        let answer = server.call("set_project_acl", set).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    for (role, found) in [
        ("R", &["user@example.com"][..]),
        ("R,W", &["jonas.weber@example.com", "marta.lindqvist@example.com"]),
        ("Read & Write", &["jonas.weber@example.com", "marta.lindqvist@example.com"]),
        ("R,W+inherit", &["jonas.weber@example.com"]),
    ] {
        let look = json!({ "vendor": "snaplogic", "resource": "/Harbor/Finance", "role": role });
        let answer = server.call("list_access", look).await;
        let rows = answer.body["rows"].as_array().unwrap().iter();
        let mut ids: Vec<_> = rows.map(|row| row["principal"]["id"].as_str().unwrap()).collect();
        ids.retain(|id| {
            ["user@example.com", "jonas.weber@example.com", "marta.lindqvist@example.com"]
                .contains(id)
        });
        ids.sort_unstable();
        assert_eq!(ids, found, "{role}");
    }
}

/// A vendor compares letters, a reader does not: whoever looks like the one that is named is seen,
/// though the vendor's own search would leave them out.
#[tokio::test]
async fn people_who_look_alike_to_a_reader_are_candidates_at_a_vendor_that_compares_letters() {
    for (own, twin) in [
        ("Tomás Ferreira", "Toma\u{301}s Ferreira"),
        ("Sam Rivera", "Sаm Rivera"),
        ("Sam Rivera", "Sam  Rivera"),
        ("Sam Rivera", "SAM RIVERA"),
        ("Sam Rivera", "Sam\u{200b} Rivera"),
    ] {
        for (variable, tool, field, arguments) in [
            (
                "OUTSYSTEMS_PORTAL_URL",
                "grant_asset_role",
                "userKey",
                json!({ "roleKey": "Tester", "assetKeys": ["Orders"] }),
            ),
            (
                "CENTRASITE_BRIDGE_URL",
                "set_asset_permissions",
                "userGroupAssetPermission",
                json!({ "asset": "BillingService" }),
            ),
        ] {
            let world = World::new().await.tokens_straight().await;
            let upstream = world.variable(variable).to_owned();
            let proxy = Proxy::start(Some(&upstream), move |_, path| {
                match path.ends_with("/users") || path.ends_with("/principals") {
                    true => Then::Change(Arc::new(move |body| body.replace("Jonas Weber", twin))),
                    false => Then::Pass,
                }
            });
            let proxy = proxy.await;
            let world = world.set(variable, proxy.url.clone());
            let server = world.serve().await;
            for name in [own, twin] {
                let mut arguments = arguments.clone();
                arguments[field] = match field {
                    "userKey" => json!(name),
                    _ => json!([{ "user": name, "permission": "View" }]),
                };
                let answer = server.call(tool, arguments).await;
                assert_eq!(answer.outcome(), "invalid", "{name:?} {tool}: {:#}", answer.body);
                let ids: Vec<&Value> = answer.body["candidates"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| &one["id"])
                    .collect();
                assert_eq!(ids.len(), 2, "{name:?} beside {twin:?} {tool}: {:#}", answer.body);
            }
            assert!(world.writes().is_empty());
        }
    }
}
