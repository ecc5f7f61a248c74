use serde_json::{Value, json};

use super::harness::World;
use super::writes::GRANTS;

/// Arguments that are wrong in one way, how the call ends, and what its words must hold.
struct Case {
    tool: &'static str,
    arguments: Value,
    outcome: &'static str,
    says: Vec<&'static str>,
}

/// Everything is tried on one server: nothing of it may leave a mark.
async fn check(cases: Vec<Case>) {
    let world = World::new().await;
    let server = world.serve().await;
    let mut troubles = Vec::new();
    for Case { tool, arguments, outcome, says } in cases {
        let answer = server.call(tool, arguments.clone()).await;
        let told = format!("{} {}", answer.summary(), answer.hint());
        let unsaid: Vec<_> = says.iter().filter(|words| !told.contains(**words)).collect();
        if answer.outcome() != outcome || !answer.is_error || !unsaid.is_empty() {
            let ended = answer.outcome();
            troubles.push(format!("{tool} {arguments}\n  {ended}: {told}\n  unsaid: {unsaid:?}"));
        }
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    assert!(world.writes().is_empty());
    assert!(world.ledger().is_empty(), "nothing was judged, so nothing is recorded");
}

fn invalid(tool: &'static str, arguments: Value, says: &[&'static str]) -> Case {
    Case { tool, arguments, outcome: "invalid", says: says.to_vec() }
}

/// The arguments that work, with one field changed; `null` as value of `Value::Null` stays.
fn with(tool: &str, field: &str, value: Value) -> Value {
    let grant = GRANTS.iter().find(|grant| grant.tool == tool).unwrap();
    let mut arguments: Value = serde_json::from_str(grant.arguments).unwrap();
    arguments[field] = value;
    arguments
}

fn without(tool: &str, field: &str) -> Value {
    let mut arguments = with(tool, field, json!(0));
    arguments.as_object_mut().unwrap().remove(field);
    arguments
}

/// Each tool with each of its required fields and a value of another type than it takes.
const REQUIRED: [(&str, &str); 13] = [
    ("grant_asset_role", "userKey"),
    ("grant_asset_role", "roleKey"),
    ("grant_asset_role", "assetKeys"),
    ("assign_permission", "permissionId"),
    ("assign_permission", "identityId"),
    ("assign_organization_role", "role"),
    ("assign_organization_role", "user"),
    ("set_project_acl", "project_or_space_path"),
    ("set_project_acl", "grant_type"),
    ("set_project_acl", "grantee"),
    ("set_project_acl", "permission_list"),
    ("set_asset_permissions", "asset"),
    ("set_asset_permissions", "userGroupAssetPermission"),
];

#[tokio::test]
async fn a_field_that_is_missing_or_of_another_type_is_named() {
    let cases = REQUIRED.iter().flat_map(|&(tool, field)| {
        [json!(7), json!(true), Value::Null, json!({ "surprise": 1 })]
            .map(|wrong| invalid(tool, with(tool, field, wrong), &[field]))
            .into_iter()
            .chain([invalid(tool, without(tool, field), &[field])])
    });
    check(cases.collect()).await;
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_named() {
    let mut cases: Vec<Case> = GRANTS
        .iter()
        .map(|grant| invalid(grant.tool, with(grant.tool, "force", json!(true)), &["force"]))
        .collect();
    // Consent is never an argument.
    cases.extend(
        GRANTS.iter().map(|grant| {
            invalid(grant.tool, with(grant.tool, "confirm", json!(true)), &["confirm"])
        }),
    );
    let inner = json!({ "name": "admin", "scope": "all" });
    cases.push(invalid(
        "assign_organization_role",
        with("assign_organization_role", "role", inner),
        &["role", "scope"],
    ));
    let entry = json!([{ "group": "API Team", "permission": "View", "inherit": true }]);
    cases.push(invalid(
        "set_asset_permissions",
        with("set_asset_permissions", "userGroupAssetPermission", entry),
        &["userGroupAssetPermission[0]", "inherit"],
    ));
    check(cases).await;
}

/// All that a tool takes: what it has in common with others, too.
#[tokio::test]
async fn an_argument_that_nobody_knows_brings_those_there_are() {
    let unknown = |tool, field: &str, known| invalid(tool, with(tool, field, json!(1)), &[known]);
    check(vec![
        unknown(
            "grant_asset_role",
            "until",
            "there is no argument \"until\"; there are userKey, roleKey, assetKeys, portfolioKey, \
             replace, starts_at, expires_in, expires_at, reason, dry_run",
        ),
        unknown(
            "revoke_asset_role",
            "expires_in",
            "\"expires_in\"; there are userKey, roleKey, assetKeys, reason, dry_run",
        ),
        unknown(
            "assign_permission",
            "force",
            "there are permissionId, identityId, expires_in, expires_at, reason, dry_run",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_wrong_value_of_a_common_argument_is_named() {
    let long = "x".repeat(1001);
    let cases = GRANTS.iter().flat_map(|grant| {
        let tool = grant.tool;
        [
            invalid(tool, with(tool, "dry_run", json!("yes")), &["dry_run"]),
            invalid(tool, with(tool, "reason", json!(["because", "so"])), &["reason"]),
            invalid(tool, with(tool, "reason", json!(long.clone())), &["reason", "1000"]),
        ]
    });
    check(cases.collect()).await;
}

/// Text fields that name something, each with the words that name the field in a message.
const NAMES: [(&str, &str); 7] = [
    ("grant_asset_role", "userKey"),
    ("grant_asset_role", "roleKey"),
    ("assign_permission", "permissionId"),
    ("assign_permission", "identityId"),
    ("set_project_acl", "project_or_space_path"),
    ("set_project_acl", "grantee"),
    ("set_asset_permissions", "asset"),
];

#[tokio::test]
async fn a_name_that_is_empty_too_long_or_holds_control_characters_is_refused_as_read() {
    let long = "x".repeat(257);
    let bad = ["", "   ", "a\nb", "a\u{0}b", "\u{1b}[31mred", long.as_str()];
    let cases = NAMES.iter().flat_map(|&(tool, field)| {
        bad.map(|bad| invalid(tool, with(tool, field, json!(bad)), &[field]))
    });
    check(cases.collect()).await;
}

/// A path trick is a name that nobody has, or a segment that is refused; never another path.
#[tokio::test]
async fn path_tricks_reach_nothing() {
    let world = World::new().await;
    let server = world.serve().await;
    let tricks = [
        "..",
        "../..",
        "%2e%2e",
        "../admin",
        "%2e%2e%2fadmin",
        "a/../../b",
        "x?y=1",
        "x#y",
        "..;/x",
    ];
    let organization = ("assign_organization_role", "organizationId");
    for &(tool, field) in NAMES.iter().chain([&organization]) {
        for trick in tricks {
            let arguments = with(tool, field, json!(trick));
            let answer = server.call(tool, arguments).await;
            assert_eq!(answer.outcome(), "invalid", "{tool} {field} {trick}: {:#}", answer.body);
        }
    }
    for trick in [
        "/Harbor/../Harbor/Finance",
        "/Harbor/%2e%2e/Finance",
        "/Harbor//Finance",
        "/Harbor/Finance/",
    ] {
        let arguments = with("set_project_acl", "project_or_space_path", json!(trick));
        let answer = server.call("set_project_acl", arguments).await;
        assert_eq!(answer.outcome(), "invalid", "{trick}: {:#}", answer.body);
        assert!(answer.summary().contains("project"), "{trick}: {}", answer.summary());
    }
    assert!(world.writes().is_empty());
    for seen in world.sandbox.journal() {
        let segments: Vec<&str> = seen.path.split('/').collect();
        assert!(!segments.contains(&"..") && !segments.contains(&"admin"), "{}", seen.path);
        let known =
            ["api", "auth", "identity", "permissions", "platform", "assets", "principals", "v2"];
        assert!(known.contains(&segments[1]), "{} left its template", seen.path);
    }
}

/// Some gateways decode a slash before they route.
#[tokio::test]
async fn a_dot_segment_behind_an_encoded_slash_is_refused() {
    let world = World::new().await;
    let server = world.serve().await;
    for trick in ["../admin", "x/../../admin", r"..\admin"] {
        let tool = "assign_organization_role";
        let answer = server.call(tool, with(tool, "organizationId", json!(trick))).await;
        assert_eq!(answer.outcome(), "invalid", "{trick}: {:#}", answer.body);
    }
    let paths: Vec<String> = world.sandbox.journal().into_iter().map(|seen| seen.path).collect();
    assert!(paths.iter().all(|path| !path.contains("..")), "{paths:?}");
}

#[tokio::test]
async fn an_end_that_is_past_names_its_argument() {
    let past = with("grant_asset_role", "expires_at", json!("2001-01-01T00:00:00Z"));
    check(vec![invalid("grant_asset_role", past, &["expires_at"])]).await;
}

#[tokio::test]
async fn a_name_that_nobody_has_brings_candidates() {
    let none = |tool: &'static str, field: &'static str, value: Value| {
        invalid(tool, with(tool, field, value), &[field])
    };
    check(vec![
        none("grant_asset_role", "userKey", json!("nobody@example.com")),
        none("grant_asset_role", "roleKey", json!("Emperor")),
        none("grant_asset_role", "assetKeys", json!(["Nowhere"])),
        none("grant_asset_role", "assetKeys", json!(["Orders", "Nowhere"])),
        none("assign_permission", "permissionId", json!("Emperor")),
        none("assign_permission", "permissionId", json!("pm-00000-00000-0000000000000000")),
        none("assign_permission", "identityId", json!("nobody@example.com")),
        none("assign_permission", "identityId", json!("us-00000-00000-0000000000000000")),
        none("assign_organization_role", "role", json!({ "name": "Emperor" })),
        none("assign_organization_role", "user", json!({ "name": "nobody@example.com" })),
        none("assign_organization_role", "user", json!({})),
        none("set_project_acl", "grantee", json!("nobody@example.com")),
        none("set_project_acl", "grantee", json!("No Body")),
        none("set_asset_permissions", "asset", json!("Nowhere")),
        invalid(
            "set_asset_permissions",
            with(
                "set_asset_permissions",
                "userGroupAssetPermission",
                json!([{ "group": "Nobody", "permission": "View" }]),
            ),
            &["group"],
        ),
    ])
    .await;
}

/// Near is not a match, and of two people of one name neither is taken.
#[tokio::test]
async fn several_of_a_name_bring_each_as_a_candidate() {
    let world = World::new().await;
    let server = world.serve().await;
    let mut cases = vec![
        ("grant_asset_role", with("grant_asset_role", "userKey", json!("Alex Kim"))),
        ("grant_asset_role", with("grant_asset_role", "assetKeys", json!(["Reports"]))),
        ("assign_permission", with("assign_permission", "identityId", json!("Alex Kim"))),
        ("set_project_acl", with("set_project_acl", "grantee", json!("Alex Kim"))),
        ("set_asset_permissions", with("set_asset_permissions", "asset", json!("Reports"))),
    ];
    let user = json!({ "name": "Alex Kim" });
    cases.push(("assign_organization_role", with("assign_organization_role", "user", user)));
    for (tool, arguments) in cases {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "invalid", "{tool}: {:#}", answer.body);
        let candidates = answer.body["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), 2, "{tool}: {candidates:?}");
        for key in ["id", "name", "kind"] {
            assert!(candidates.iter().all(|one| one[key].is_string()), "{tool}: {candidates:?}");
        }
        assert_ne!(candidates[0]["id"], candidates[1]["id"]);
    }
    assert!(world.writes().is_empty());
}

/// An optional field is one that is left out; a client that sends null for it means the same.
#[tokio::test]
async fn null_is_as_good_as_left_out_for_what_is_optional() {
    let world = World::new().await;
    let server = world.serve().await;
    for (tool, field) in [
        ("grant_asset_role", "portfolioKey"),
        ("grant_asset_role", "expires_in"),
        ("grant_asset_role", "expires_at"),
        ("assign_organization_role", "organizationId"),
        ("set_project_acl", "inherit"),
        ("set_asset_permissions", "removeExistingPermission"),
        ("assign_permission", "reason"),
        ("assign_permission", "dry_run"),
    ] {
        let mut arguments = with(tool, field, Value::Null);
        if field != "dry_run" {
            arguments["dry_run"] = json!(true);
        }
        let answer = server.call(tool, arguments).await;
        assert!(!answer.is_error, "{tool} {field}: {:#}", answer.body);
    }
}

#[tokio::test]
async fn values_out_of_bounds_are_named() {
    let many: Vec<String> = (0..51).map(|number| format!("asset {number}")).collect();
    let grant = |field, value, says: &[&'static str]| {
        invalid("grant_asset_role", with("grant_asset_role", field, value), says)
    };
    let acl = |field, value, says: &[&'static str]| {
        invalid("set_project_acl", with("set_project_acl", field, value), says)
    };
    let both = {
        let mut both = with("grant_asset_role", "expires_in", json!("P1D"));
        both["expires_at"] = json!("2099-01-01T00:00:00Z");
        both
    };
    check(vec![
        grant("assetKeys", json!(many), &["assetKeys", "50"]),
        grant("assetKeys", json!([""]), &["assetKeys[0]"]),
        grant("assetKeys", json!("Orders, Billing"), &["assetKeys"]),
        grant("portfolioKey", json!("main"), &["portfolioKey", "UUID"]),
        grant("expires_in", json!("7 days"), &["expires_in", "P7D"]),
        grant("expires_in", json!("PT0S"), &["expires_in"]),
        grant("expires_at", json!("tomorrow"), &["expires_at", "RFC 3339"]),
        grant("expires_at", json!("2001-01-01T00:00:00Z"), &[]),
        invalid("grant_asset_role", both, &["expires_in and expires_at"]),
        acl("grant_type", json!("user"), &["grant_type", "USER"]),
        acl("permission_list", json!([]), &["permission_list"]),
        acl("permission_list", json!(["R", "R"]), &["permission_list", "twice"]),
        acl("permission_list", json!(["O"]), &["permission_list[0]"]),
        invalid(
            "set_asset_permissions",
            with("set_asset_permissions", "userGroupAssetPermission", json!([])),
            &["userGroupAssetPermission", "at least one"],
        ),
        invalid(
            "set_asset_permissions",
            with(
                "set_asset_permissions",
                "userGroupAssetPermission",
                json!([{ "permission": "View" }]),
            ),
            &["userGroupAssetPermission[0]", "user or group"],
        ),
        invalid(
            "set_asset_permissions",
            with(
                "set_asset_permissions",
                "userGroupAssetPermission",
                json!([{ "user": "Sam Rivera", "group": "API Team", "permission": "View" }]),
            ),
            &["userGroupAssetPermission[0]", "user or group"],
        ),
        invalid(
            "assign_permission",
            with("assign_permission", "permissionId", json!("p".repeat(65))),
            &["permissionId", "64"],
        ),
    ])
    .await;
}

/// A look's wrong arguments are told as a problem, and no vendor is asked.
#[tokio::test]
async fn a_look_names_what_is_wrong_too() {
    let world = World::new().await;
    let server = world.serve().await;
    for (arguments, says) in [
        (json!({ "vendor": "acme" }), "vendor"),
        (json!({ "vendor": 7 }), "vendor"),
        (json!({ "limit": 0 }), "limit"),
        (json!({ "limit": 501 }), "limit"),
        (json!({ "limit": -1 }), "limit"),
        (json!({ "limit": "many" }), "limit"),
        (json!({ "cursor": "made up" }), "cursor"),
        (json!({ "cursor": "bm90IGpzb24" }), "cursor"),
        (json!({ "page": 2 }), "page"),
    ] {
        let answer = server.call("list_roles", arguments.clone()).await;
        let told = format!("{} {} {}", answer.summary(), answer.hint(), answer.body["problems"]);
        assert!(answer.is_error && told.contains(says), "{arguments}: {:#}", answer.body);
    }
    assert!(world.sandbox.journal().is_empty());
}
