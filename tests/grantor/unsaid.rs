//! What no vendor's document says, said otherwise by the sandbox: nothing may have come to rely on it.

use std::time::Duration;

use futures_util::future::join_all;
use grantor::sandbox::{Area, Claims, Errors, Idle, Inherits, Modes, Told};
use serde_json::{Value, json};

use super::harness::{World, parsed};
use super::writes::{GRANTS, Grant};

const ERRORS: [Errors; 4] = [Errors::Told, Errors::Otherwise, Errors::Bare, Errors::Silent];

/// The words of a change, of the same again, and of what takes it back.
async fn there_and_back(world: &World, grant: &Grant) -> [String; 3] {
    let server = world.serve().await;
    let arguments = parsed(grant.arguments);
    let first = server.call(grant.tool, arguments.clone()).await;
    let again = server.call(grant.tool, arguments).await;
    let undone = server.call("undo_change", json!({ "receipt": first.body["receipt"] })).await;
    server.stop().await;
    [first, again, undone].map(|answer| answer.outcome().to_owned())
}

async fn all_are_as_usual(modes: fn() -> Modes, of: &[&str]) {
    let cases = GRANTS.iter().filter(|grant| of.contains(&grant.vendor));
    join_all(cases.map(async |grant| {
        let usual = there_and_back(&World::new().await, grant).await;
        let world = World::with(modes()).await;
        let found = there_and_back(&world, grant).await;
        assert_eq!(found, usual, "{} {}", grant.tool, grant.arguments);
        assert_eq!(found[0], "confirmed");
    }))
    .await;
}

/// Names and ids that mean nothing, places that may not be changed, and credentials that are none.
const REFUSED: [(&str, &str); 7] = [
    (
        "grant_asset_role",
        r#"{"userKey": "00000000-0000-4000-8000-000000000000", "roleKey": "Tester", "assetKeys": ["Orders"]}"#,
    ),
    (
        "assign_permission",
        r#"{"permissionId": "Treasury Viewer", "identityId": "us-00000-00000-0000000000000000"}"#,
    ),
    (
        "assign_environment_role",
        r#"{"environmentId": "00000000-0000-4000-8000-000000000000", "role": {"name": "engineer"}, "user": {"name": "user@example.com"}}"#,
    ),
    (
        "set_project_acl",
        r#"{"project_or_space_path": "/Harbor/Nowhere", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R"]}"#,
    ),
    (
        "set_project_acl",
        r#"{"project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": "nobody@example.com", "permission_list": ["R"]}"#,
    ),
    (
        "set_project_acl",
        r#"{"project_or_space_path": "/Harbor/apim", "grant_type": "GROUP", "grantee": "finance-team", "permission_list": ["R"]}"#,
    ),
    (
        "set_asset_permissions",
        r#"{"asset": "uddi:nowhere", "userGroupAssetPermission": [{"group": "API Team", "permission": "Modify"}]}"#,
    ),
];
const CREDENTIALS: [&str; 4] =
    ["OUTSYSTEMS_CLIENT_SECRET", "DFNS_AUTH_TOKEN", "SNAPLOGIC_PASSWORD", "CENTRASITE_PASSWORD"];

/// What an error says besides its status is repeated, and decides nothing.
#[tokio::test]
async fn what_an_error_says_decides_nothing() {
    let told = join_all(ERRORS.map(async |errors| {
        let mut words = Vec::new();
        let world = World::with(Modes { errors, ..Modes::default() }).await;
        let server = world.serve().await;
        for (tool, arguments) in REFUSED {
            let answer = server.call(tool, parsed(arguments)).await;
            words.push((tool, answer.outcome().to_owned(), Vec::new()));
        }
        server.stop().await;
        let mut world = world;
        for name in CREDENTIALS {
            world = world.set(name, "wrong");
        }
        let world = world.set("REDOX_KEY_ID", "wrong");
        let server = world.serve().await;
        let answer = server.call("list_access", json!({ "principal": "user@example.com" })).await;
        let problems = answer.body["problems"].as_array().unwrap();
        let kinds = problems.iter().map(|one| (one["vendor"].clone(), one["kind"].clone()));
        words.push(("list_access", String::new(), kinds.collect()));
        for grant in &GRANTS[..5] {
            let answer = server.call(grant.tool, parsed(grant.arguments)).await;
            words.push((grant.tool, answer.outcome().to_owned(), Vec::new()));
        }
        server.stop().await;
        words
    }))
    .await;
    for (errors, words) in ERRORS.iter().zip(&told) {
        assert_eq!(words, &told[0], "{errors:?}");
    }
    let refusals = told[0].iter().take(REFUSED.len());
    assert!(refusals.clone().all(|(_, word, _)| word != "confirmed"), "{:#?}", told[0]);
    let (_, _, problems) = &told[0][REFUSED.len()];
    let refused = problems.iter().filter(|(_, kind)| kind == "not_permitted").count();
    assert!(refused >= CREDENTIALS.len(), "{problems:#?}");
}

/// Somebody else was faster, and it does not show yet: the vendor takes it as done, or says no.
#[tokio::test]
async fn a_change_that_changes_nothing_is_said_to_be_done_by_nobody() {
    let silent = ["outsystems", "redox", "snaplogic"];
    let grants = GRANTS.iter().filter(|grant| silent.contains(&grant.vendor));
    let cases = grants.flat_map(|grant| {
        let by_status = if grant.vendor == "redox" { &[false, true][..] } else { &[false] };
        by_status
            .iter()
            .flat_map(move |by| [Idle::Done, Idle::Refused].map(|idle| (grant, idle, *by)))
    });
    join_all(cases.map(async |(grant, idle, redox_refuses_by_status)| {
        let reads_lag = Duration::from_secs(600);
        let modes = Modes { reads_lag, idle, redox_refuses_by_status, ..Modes::default() };
        let world = World::with(modes).await;
        let elsewhere = world.path("elsewhere").to_str().unwrap().to_owned();
        let mut other = world.command(["call", grant.tool, grant.arguments]);
        let other = super::harness::run_any(other.env("GRANTOR_STATE_DIR", elsewhere)).await;
        assert_eq!(parsed(&other.stdout)["outcome"], "unconfirmed", "{other:?}");
        let own = world.run(&["call", grant.tool, grant.arguments]).await;
        let own = parsed(&own.stdout);
        let word = own["outcome"].as_str().unwrap();
        let case = format!("{} {idle:?} {redox_refuses_by_status}: {own:#}", grant.tool);
        assert!(["unconfirmed", "rejected", "unknown"].contains(&word), "{case}");
        if idle == Idle::Done {
            assert_eq!(word, "unconfirmed", "{case}");
        }
        assert_eq!(world.writes().len(), 2, "{case}");
    }))
    .await;
}

#[tokio::test]
async fn redox_may_refuse_by_status_and_have_numbers_for_ids() {
    let modes = || Modes { redox_numbers: true, redox_refuses_by_status: true, ..Modes::default() };
    all_are_as_usual(modes, &["redox"]).await;
}

/// The type of a body is on each request, one without a body too; and the status of a change that is
/// done is told nowhere.
#[tokio::test]
async fn snaplogic_may_take_no_request_without_a_type() {
    for done in [200, 201, 204] {
        let modes: fn() -> Modes = match done {
            200 => || Modes { snaplogic_wants_type: true, ..Modes::default() },
            201 => || Modes { snaplogic_wants_type: true, snaplogic_done: 201, ..Modes::default() },
            _ => || Modes { snaplogic_wants_type: true, snaplogic_done: 204, ..Modes::default() },
        };
        all_are_as_usual(modes, &["snaplogic"]).await;
    }
    let modes = Modes { snaplogic_wants_type: true, ..Modes::default() };
    let world = World::with(modes).await.set("SNAPLOGIC_INTERNAL_READS", "1");
    let server = world.serve().await;
    for (tool, look) in [
        ("find_principals", json!({ "vendor": "snaplogic", "query": "team" })),
        ("find_principals", json!({ "vendor": "snaplogic", "query": "Alex" })),
        ("find_resources", json!({ "vendor": "snaplogic" })),
        ("list_access", json!({ "vendor": "snaplogic", "resource": "/Harbor/Finance" })),
        ("list_access", json!({ "vendor": "snaplogic", "principal": "alex.kim@example.com" })),
    ] {
        let answer = server.call(tool, look).await;
        assert!(!answer.body["rows"].as_array().unwrap().is_empty(), "{tool}: {:#}", answer.body);
        let failed = |problem: &Value| problem["kind"] != "not_listable";
        let problems = answer.body["problems"].as_array().unwrap();
        assert!(!problems.iter().any(failed), "{tool}: {:#}", answer.body);
    }
    server.stop().await;
    let ran = world.run(&["doctor"]).await;
    assert!(ran.stdout.contains("ok      users of the environment"), "{}", ran.stdout);
    let seen = world.sandbox.journal().into_iter().filter(|seen| seen.vendor == "snaplogic");
    for seen in seen {
        let typed = |(name, value): &(String, String)| {
            name == "content-type" && value == "application/json"
        };
        assert!(seen.headers.iter().any(typed), "{} {}", seen.method, seen.path);
    }
}

/// In either vocabulary, however a role tells its permissions, and whatever claims are called: what a
/// permission brings with it is held.
#[tokio::test]
async fn outsystems_inherits_in_either_vocabulary() {
    let areas = [Area::UserManagement, Area::UserAndAccessManagement];
    let told = [
        (Told::Names, Claims::Opaque),
        (Told::KeysAlone, Claims::Telling),
        (Told::ClaimsAlone, Claims::Opaque),
        (Told::ClaimsAlone, Claims::Telling),
    ];
    let inherits = [
        (Inherits::Nothing, "confirmed"),
        (Inherits::Managing, "refused"),
        (Inherits::Unknown, "refused"),
    ];
    let mut cases = Vec::new();
    for outsystems_area in areas {
        for (outsystems_told, outsystems_claims) in told {
            for (outsystems_inherits, outcome) in inherits {
                let modes = Modes {
                    outsystems_area,
                    outsystems_claims,
                    outsystems_told,
                    outsystems_inherits,
                    ..Modes::default()
                };
                cases.push((modes, outcome));
            }
        }
    }
    for some in cases.chunks(8) {
        join_all(some.iter().map(async |(modes, outcome)| {
            let world = World::with(modes.clone()).await;
            let server = world.serve().await;
            let grant = json!({ "userKey": "user@example.com", "roleKey": "Support Engineer",
                "assetKeys": ["Orders"] });
            let answer = server.call("grant_asset_role", grant).await;
            assert_eq!(answer.outcome(), *outcome, "{modes:?}: {:#}", answer.body);
            let look = json!({ "vendor": "outsystems", "query": "Support" });
            let roles = server.call("list_roles", look).await;
            let row = &roles.body["rows"][0];
            assert_eq!(row["privileged"], *outcome == "refused", "{modes:?}: {row:#}");
            let brought = modes.outsystems_inherits == Inherits::Managing;
            let named = row["permissions"].to_string().contains("Manage users");
            assert_eq!(named, brought, "{modes:?}: {row:#}");
            server.stop().await;
        }))
        .await;
    }
}
