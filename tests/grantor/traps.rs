use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use grantor::sandbox::{
    Area, Claims, FaultKind, Inherits, KeyKind, Modes, OtherRole, Pages, SecondGrant, SnapLogicAcl,
    SnapLogicPost, Told,
};
use serde_json::{Value, json};

use super::harness::{Answer, Era, World, example, parsed, status};
use super::person::{Client, types};
use super::proxy::{Proxy, Then, get, reply};
use super::writes::GRANTS;

/// One call in a fresh world, after the calls that lead up to it.
struct Trap {
    modes: Modes,
    first: &'static [(&'static str, &'static str)],
    tool: &'static str,
    arguments: &'static str,
    outcome: &'static str,
    /// Writes that left, those of the first calls not counted.
    sent: usize,
    /// What summary, hint and warnings together must say.
    says: &'static [&'static str],
}

impl Default for Trap {
    fn default() -> Self {
        Self {
            modes: Modes::default(),
            first: &[],
            tool: "",
            arguments: "{}",
            outcome: "",
            sent: 0,
            says: &[],
        }
    }
}

async fn check(trap: Trap) -> Answer {
    let Trap { modes, first, tool, arguments, outcome, sent, says } = trap;
    let world = World::with(modes).await;
    let server = world.serve().await;
    for (tool, arguments) in first {
        let answer = server.call(tool, parsed(arguments)).await;
        assert!(!answer.is_error, "{tool} {arguments}: {:#}", answer.body);
    }
    let already = world.writes().len();
    let answer = server.call(tool, parsed(arguments)).await;
    let body = &answer.body;
    assert_eq!(answer.outcome(), outcome, "{body:#}");
    assert_eq!(world.writes().len() - already, sent, "writes; {body:#}");
    let told = format!("{}\n{}\n{}", answer.summary(), answer.hint(), answer.warnings());
    for words in says {
        assert!(told.contains(words), "{words:?} is not said:\n{told}");
    }
    answer
}

const DEVELOPER_ON_ORDERS: (&str, &str) = (
    "grant_asset_role",
    r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
);

#[tokio::test]
async fn outsystems_no_assets_would_be_the_whole_organization() {
    check(Trap {
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": []}"#,
        outcome: "refused",
        says: &["assetKeys", "whole organization", "at least one"],
        ..Trap::default()
    })
    .await;
}

#[tokio::test]
async fn outsystems_each_asset_is_a_write_of_its_own() {
    let world = World::new().await;
    let server = world.serve().await;
    let answer = server
        .call(
            "grant_asset_role",
            json!({
                "userKey": "user@example.com",
                "roleKey": "Developer",
                "assetKeys": ["Orders", "Billing", "Customer Portal", "Billing"],
            }),
        )
        .await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let sent: Vec<Value> = world.writes().iter().map(|seen| body(&seen.body)).collect();
    let assets: Vec<usize> =
        sent.iter().map(|body| body["assetKeys"].as_array().unwrap().len()).collect();
    assert_eq!(assets, [1, 1, 1], "one POST an asset, each asset once");
    let items = answer.body["items"].as_array().unwrap();
    let outcomes: Vec<&str> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["confirmed"; 3]);
    for item in items {
        let look = json!({ "receipt": item["receipt"] });
        let now = server.call("check_change", look).await.body["now"].clone();
        assert_eq!(now.as_array().unwrap().len(), 3, "all of the user's organization roles");
    }
}

#[tokio::test]
async fn outsystems_a_second_grant_that_adds_keeps_the_first() {
    let answer = check(Trap {
        modes: Modes { second_grant: SecondGrant::Add, ..Modes::default() },
        first: &[DEVELOPER_ON_ORDERS],
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Billing"]}"#,
        outcome: "confirmed",
        sent: 1,
        ..Trap::default()
    })
    .await;
    assert_eq!(answer.rows("before").len(), 1);
    assert_eq!(answer.rows("after").len(), 2);
}

#[tokio::test]
async fn outsystems_a_second_grant_that_replaces_is_a_mismatch_naming_what_was_lost() {
    let answer = check(Trap {
        modes: Modes { second_grant: SecondGrant::Replace, ..Modes::default() },
        first: &[DEVELOPER_ON_ORDERS],
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Billing", "Customer Portal"]}"#,
        outcome: "mismatch",
        sent: 1,
        ..Trap::default()
    })
    .await;
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(items[0]["outcome"], "mismatch");
    let note = items[0]["note"].as_str().unwrap();
    let orders = "b120a366-f0bb-49cf-82f2-dc05873f9bd0";
    assert!(note.contains("Developer") && note.contains(orders), "{note}");
    assert_eq!(
        items[1]["outcome"], "unavailable",
        "the call stops, and says what it did not start"
    );
}

/// A lost role must be visible where a single asset was asked for too.
#[tokio::test]
async fn outsystems_what_was_lost_is_in_before_and_not_in_after() {
    let answer = check(Trap {
        modes: Modes { second_grant: SecondGrant::Replace, ..Modes::default() },
        first: &[DEVELOPER_ON_ORDERS],
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Billing"]}"#,
        outcome: "mismatch",
        sent: 1,
        says: &["b120a366-f0bb-49cf-82f2-dc05873f9bd0", "grant it again"],
    })
    .await;
    assert_eq!(answer.rows("before").len(), 1);
    assert_eq!(answer.rows("after").len(), 1);
    assert_ne!(answer.rows("before"), answer.rows("after"));
}

#[tokio::test]
async fn outsystems_another_role_on_the_asset_stops_the_call() {
    for other_role in [OtherRole::Replace, OtherRole::Reject] {
        let answer = check(Trap {
            modes: Modes { other_role, ..Modes::default() },
            tool: "grant_asset_role",
            arguments: r#"{"userKey": "grace.okafor@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
            outcome: "refused",
            says: &["Tester", "Orders", "call again with replace: true"],
            ..Trap::default()
        })
        .await;
        assert!(answer.is_error);
    }
}

#[tokio::test]
async fn outsystems_a_role_in_the_organization_is_told_and_granted_beside() {
    check(Trap {
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "Marta Lindqvist", "roleKey": "Tester", "assetKeys": ["Orders"]}"#,
        outcome: "confirmed",
        sent: 1,
        says: &["every asset", "Developer"],
        ..Trap::default()
    })
    .await;
}

#[tokio::test]
async fn outsystems_a_role_that_is_there_is_not_sent_again() {
    check(Trap {
        first: &[DEVELOPER_ON_ORDERS],
        tool: DEVELOPER_ON_ORDERS.0,
        arguments: DEVELOPER_ON_ORDERS.1,
        outcome: "already_present",
        ..Trap::default()
    })
    .await;
}

/// A call in a world where the list of the user's roles is another one.
async fn seen_otherwise(
    tool: &str,
    arguments: Value,
    change: impl Fn(&mut Value, bool) + Send + Sync + 'static,
) -> (Answer, usize) {
    let world = World::new().await.tokens_straight().await;
    let (world, _proxy) = world.with_role_pages(change).await;
    let server = world.serve().await;
    let answer = server.call(tool, arguments).await;
    (answer, world.writes().len())
}

fn told(answer: &Answer) -> String {
    format!("{}\n{}\n{}", answer.summary(), answer.hint(), answer.warnings())
}

const ALEX_ON_ORDERS: &str =
    r#"{"userKey": "alex.kim@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#;

/// What begins later is not access now, and is not given back as if it were.
#[tokio::test]
async fn outsystems_a_role_that_begins_later_is_not_there_yet() {
    let later = |page: &mut Value, _: bool| {
        let period = json!({ "startTime": "2099-01-01T00:00:00Z", "endTime": null });
        page["results"][0]["grantPeriod"] = period;
    };
    let (answer, sent) = seen_otherwise("grant_asset_role", parsed(ALEX_ON_ORDERS), later).await;
    assert_eq!((answer.outcome(), sent), ("refused", 0), "{:#}", answer.body);
    assert!(told(&answer).contains("begins at “2099-01-01T00:00:00Z” only"), "{}", told(&answer));
    let look = json!({ "principal": "alex.kim@example.com", "vendor": "outsystems" });
    let (answer, _) = seen_otherwise("list_access", look, later).await;
    assert_eq!(answer.body["rows"][0]["starts_at"], "2099-01-01T00:00:00Z", "{:#}", answer.body);
}

/// The vendor says yes, and with the role on the asset comes one for the whole organization.
#[tokio::test]
async fn outsystems_wider_access_than_was_asked_for_is_a_mismatch() {
    let wider = |page: &mut Value, granted: bool| {
        let rows = page["results"].as_array_mut().unwrap();
        if granted {
            let mut whole = rows[0].clone();
            (whole["assetKey"], whole["portfolioKey"]) = (Value::Null, Value::Null);
            rows.push(whole);
        }
    };
    let arguments = on_orders("Developer");
    let (answer, sent) = seen_otherwise("grant_asset_role", arguments, wider).await;
    assert_eq!((answer.outcome(), sent), ("mismatch", 1), "{:#}", answer.body);
    let says = "wider access than was asked for came with it: “Developer”";
    assert!(told(&answer).contains(says), "{}", told(&answer));
}

/// Neither "not there" nor "no other role there": nobody has seen the rows.
#[tokio::test]
async fn outsystems_an_empty_page_that_says_there_is_more_is_not_the_end() {
    for fields in [
        json!({ "nextPageOffset": 100, "totalResults": 1 }),
        json!({ "nextPageOffset": null, "totalResults": 1 }),
    ] {
        for tool in ["grant_asset_role", "revoke_asset_role"] {
            let fields = fields.clone();
            let empty = move |page: &mut Value, _: bool| {
                page["results"] = json!([]);
                page["page"] = json!({ "count": 0, "limit": 100, "offset": 0 });
                for (key, value) in fields.as_object().unwrap() {
                    page["page"][key] = value.clone();
                }
            };
            let (answer, sent) = seen_otherwise(tool, parsed(ALEX_ON_ORDERS), empty).await;
            assert_eq!((answer.outcome(), sent), ("unavailable", 0), "{tool}: {:#}", answer.body);
        }
    }
}

#[tokio::test]
async fn outsystems_keys_mean_the_same_in_either_letter_case() {
    let upper = |page: &mut Value, _: bool| {
        for key in ["key", "assetKey", "portfolioKey"] {
            if let Some(text) = page["results"][0][key].as_str() {
                page["results"][0][key] = json!(text.to_uppercase());
            }
        }
    };
    let (answer, sent) = seen_otherwise("revoke_asset_role", parsed(ALEX_ON_ORDERS), upper).await;
    assert_eq!((answer.outcome(), sent), ("confirmed", 1), "{:#}", answer.body);
    let look = json!({ "principal": "alex.kim@example.com", "vendor": "outsystems", "role": "Developer", "resource": "Orders" });
    let (answer, _) = seen_otherwise("list_access", look, upper).await;
    assert_eq!(answer.body["rows"].as_array().unwrap().len(), 1, "{:#}", answer.body);
}

const UNSHOWN: &str = "its permissions are not shown, so it counts as privileged";

fn on_orders(role: &str) -> Value {
    json!({ "userKey": "user@example.com", "roleKey": role, "assetKeys": ["Orders"] })
}

/// However a role tells its permissions: who manages access is not made, and where a role tells
/// nothing at all, nobody knows that it is harmless.
#[tokio::test]
async fn outsystems_privilege_is_known_however_permissions_are_told() {
    for (outsystems_told, developer) in [
        (Told::Names, "confirmed"),
        (Told::ShortNames, "confirmed"),
        (Told::EmptyNames, "confirmed"),
        (Told::NullNames, "confirmed"),
        (Told::KeysAlone, "confirmed"),
        (Told::ClaimsAlone, "confirmed"),
        (Told::NullList, "refused"),
        (Told::NoList, "refused"),
    ] {
        let world = World::with(Modes { outsystems_told, ..Modes::default() }).await;
        let server = world.serve().await;
        for role in ["Administrator", "Release Manager"] {
            let answer = server.call("grant_asset_role", on_orders(role)).await;
            assert_eq!(
                answer.outcome(),
                "refused",
                "{role} {outsystems_told:?}: {:#}",
                answer.body
            );
            assert_eq!(answer.body["policy"]["verdict"], "deny");
        }
        assert!(world.writes().is_empty());
        let answer = server.call("grant_asset_role", on_orders("Developer")).await;
        assert_eq!(answer.outcome(), developer, "{outsystems_told:?}: {:#}", answer.body);
        let unshown = answer.body.to_string().contains(UNSHOWN);
        assert_eq!(unshown, developer == "refused", "{:#}", answer.body);
        // What comes with a permission only the vendor's own list tells: once a role is told at all,
        // it is read, a page a look.
        let asked = world.count("GET", "/identity/v1/permissions");
        assert_eq!(asked > 0, developer == "confirmed", "{outsystems_told:?}: {asked}");
        let roles = server.call("list_roles", json!({ "vendor": "outsystems" })).await;
        for row in roles.body["rows"].as_array().unwrap() {
            let name = row["name"].as_str().unwrap();
            let manages = ["Administrator", "Release Manager"].contains(&name);
            assert_eq!(row["privileged"], manages || unshown, "{outsystems_told:?}: {row}");
        }
    }
}

/// The vendor's own pages call the area in two ways, and no document says how a reply does, nor how
/// it writes claims. Managing end users is another area.
#[tokio::test]
async fn outsystems_privilege_is_known_in_either_vocabulary() {
    for outsystems_area in [Area::UserManagement, Area::UserAndAccessManagement] {
        for outsystems_claims in [Claims::Telling, Claims::Opaque] {
            // Only the vendor's own list tells what a key is.
            let outsystems_told = Told::KeysAlone;
            let modes =
                Modes { outsystems_area, outsystems_claims, outsystems_told, ..Modes::default() };
            let case = format!("{outsystems_area:?} {outsystems_claims:?}");
            let world = World::with(modes).await;
            let server = world.serve().await;
            for (role, outcome) in
                [("Release Manager", "refused"), ("Support Engineer", "confirmed")]
            {
                let answer = server.call("grant_asset_role", on_orders(role)).await;
                assert_eq!(answer.outcome(), outcome, "{case} {role}: {:#}", answer.body);
                assert!(!answer.body.to_string().contains(UNSHOWN), "{case} {role}");
            }
        }
    }
}

/// What comes with a permission counts, through however many others; a circle ends, and what is
/// nowhere described may be anything.
#[tokio::test]
async fn outsystems_inherited_permissions_count() {
    for (outsystems_inherits, outcome, unshown) in [
        (Inherits::Nothing, "confirmed", false),
        (Inherits::Managing, "refused", false),
        (Inherits::Circle, "confirmed", false),
        (Inherits::Unknown, "refused", true),
    ] {
        for outsystems_told in [Told::Names, Told::KeysAlone] {
            let modes = Modes { outsystems_inherits, outsystems_told, ..Modes::default() };
            let world = World::with(modes).await;
            let server = world.serve().await;
            let answer = server.call("grant_asset_role", on_orders("Support Engineer")).await;
            assert_eq!(answer.outcome(), outcome, "{outsystems_inherits:?}: {:#}", answer.body);
            assert_eq!(answer.body.to_string().contains(UNSHOWN), unshown, "{:#}", answer.body);
            let answer = server.call("grant_asset_role", on_orders("Tester")).await;
            let other = if outcome == "confirmed" { "refused" } else { "confirmed" };
            assert_eq!(answer.outcome(), other, "one role an app: {:#}", answer.body);
        }
    }
}

/// Where neither total nor next page is told, a page that is not full is not the last one: the
/// vendor may send fewer rows than it is asked for.
#[tokio::test]
async fn outsystems_pages_of_the_vendors_own_size_are_followed_to_the_end() {
    let modes = Modes { many_roles: true, outsystems_pages: Pages::Capped(50), ..Modes::default() };
    let world = World::with(modes).await;
    let server = world.serve().await;
    let all = json!({ "vendor": "outsystems", "limit": 500 });
    let answer = server.call("list_roles", all).await;
    assert_eq!(answer.body["rows"].as_array().unwrap().len(), 246, "{:#}", answer.body["problems"]);
    let modes = Modes { outsystems_pages: Pages::Capped(1), ..Modes::default() };
    let world = World::with(modes).await;
    let server = world.serve().await;
    let mut both = on_orders("Developer");
    both["assetKeys"] = json!(["Orders", "Billing"]);
    let answer = server.call("grant_asset_role", both.clone()).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let look = json!({ "vendor": "outsystems", "principal": "user@example.com" });
    let rows = server.call("list_access", look).await;
    assert_eq!(rows.body["rows"].as_array().unwrap().len(), 2, "{:#}", rows.body);
    let answer = server.call("revoke_asset_role", both).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert_eq!(world.writes().len(), 4);
}

/// `results` and `page` may both be null: that is no word that there are no rows.
#[tokio::test]
async fn outsystems_no_list_is_not_an_empty_one() {
    for (results, page, outcome) in [
        (Value::Null, Value::Null, "unavailable"),
        (Value::Null, json!({ "count": 0, "limit": 100, "offset": 0 }), "already_absent"),
        (json!([]), Value::Null, "already_absent"),
    ] {
        let nothing = move |body: &mut Value, _: bool| {
            *body = json!({ "results": results, "page": page });
        };
        let (answer, sent) =
            seen_otherwise("revoke_asset_role", parsed(ALEX_ON_ORDERS), nothing).await;
        assert_eq!((answer.outcome(), sent), (outcome, 0), "{:#}", answer.body);
    }
}

#[tokio::test]
async fn snaplogic_pages_of_the_vendors_own_size_are_followed_to_the_end() {
    let mut arguments = parsed(SPACE.1);
    arguments["grantee"] = json!("Sam Rivera");
    let arguments: &'static str = arguments.to_string().leak();
    check(Trap {
        modes: Modes { snaplogic_page: 4, ..Modes::default() },
        tool: SPACE.0,
        arguments,
        outcome: "confirmed",
        sent: 1,
        ..Trap::default()
    })
    .await;
}

/// A key says nothing where the vendor's list of permissions cannot be read.
#[tokio::test]
async fn outsystems_permissions_that_cannot_be_looked_up_count_as_privileged() {
    let world = World::with(Modes { outsystems_told: Told::KeysAlone, ..Modes::default() }).await;
    world.inject("outsystems", "GET", "/identity/v1/permissions", status(403));
    let answer = world.serve().await.call("grant_asset_role", on_orders("Developer")).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.body.to_string().contains(UNSHOWN), "{:#}", answer.body);
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn outsystems_names_on_the_last_page_of_a_list_resolve() {
    check(Trap {
        modes: Modes { many_roles: true, ..Modes::default() },
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "Contractor 240", "roleKey": "Project 240 Viewer", "assetKeys": ["Orders"]}"#,
        outcome: "confirmed",
        sent: 1,
        ..Trap::default()
    })
    .await;
}

#[tokio::test]
async fn outsystems_the_end_of_a_grant_is_sent_and_a_later_one_refused() {
    const UNTIL_MAY: (&str, &str) = (
        "grant_asset_role",
        r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"], "expires_at": "2099-05-01T00:00:00Z"}"#,
    );
    let timed = |arguments, outcome, says| Trap {
        first: &[UNTIL_MAY],
        tool: UNTIL_MAY.0,
        arguments,
        outcome,
        says,
        ..Trap::default()
    };
    check(Trap {
        tool: UNTIL_MAY.0,
        arguments: UNTIL_MAY.1,
        outcome: "confirmed",
        sent: 1,
        says: &["takes it back at 2099-05-01"],
        ..Trap::default()
    })
    .await;
    check(timed(UNTIL_MAY.1, "already_present", &[])).await;
    check(timed(DEVELOPER_ON_ORDERS.1, "refused", &["2099-05-01", "revoke it and grant it again"]))
        .await;
    check(timed(
        r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"], "expires_at": "2099-06-01T00:00:00Z"}"#,
        "refused",
        &["cannot change the end"],
    ))
    .await;
    check(timed(
        r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"], "expires_in": "P1D"}"#,
        "refused",
        &["a grant shortens nothing", "grant it again with that end"],
    ))
    .await;
    let lasting = check(Trap {
        first: &[DEVELOPER_ON_ORDERS],
        tool: UNTIL_MAY.0,
        arguments: UNTIL_MAY.1,
        outcome: "refused",
        says: &["without an end", "a grant shortens nothing"],
        ..Trap::default()
    })
    .await;
    assert_eq!(lasting.body["expires_at"], Value::Null, "nothing ends then: {:#}", lasting.body);
}

const PAYMENTS: (&str, &str) = (
    "assign_permission",
    r#"{"permissionId": "Payments Approver", "identityId": "user@example.com"}"#,
);

#[tokio::test]
async fn dfns_a_202_waits_for_approval_and_is_no_access() {
    for dfns_lists_pending in [true, false] {
        for dfns_approval_id in [true, false] {
            let answer = check(Trap {
                modes: Modes { dfns_lists_pending, dfns_approval_id, ..Modes::default() },
                tool: PAYMENTS.0,
                arguments: PAYMENTS.1,
                outcome: "pending_vendor_approval",
                sent: 1,
                says: &["approvers", "access is as before"],
                ..Trap::default()
            })
            .await;
            assert!(!answer.is_error);
            let after = answer.body["after"].as_array().unwrap();
            assert!(after.iter().all(|row| row["pending"] == true), "{after:?}");
        }
    }
}

#[tokio::test]
async fn dfns_what_waits_already_is_not_asked_again_where_that_shows() {
    check(Trap {
        first: &[PAYMENTS],
        tool: PAYMENTS.0,
        arguments: PAYMENTS.1,
        outcome: "pending_vendor_approval",
        sent: 0,
        says: &["already waits"],
        ..Trap::default()
    })
    .await;
    // Where the list hides what waits, the vendor's 409 is all there is, and nothing is listed.
    check(Trap {
        modes: Modes { dfns_lists_pending: false, ..Modes::default() },
        first: &[PAYMENTS],
        tool: PAYMENTS.0,
        arguments: PAYMENTS.1,
        outcome: "rejected",
        sent: 1,
        ..Trap::default()
    })
    .await;
}

#[tokio::test]
async fn dfns_an_approved_assignment_is_access() {
    let world = World::new().await;
    let server = world.serve().await;
    let waiting = server.call(PAYMENTS.0, parsed(PAYMENTS.1)).await;
    assert_eq!(waiting.outcome(), "pending_vendor_approval");
    let approval = approval(&world).await;
    world.sandbox.decide_approval(&approval, true).unwrap();
    let answer = server.call(PAYMENTS.0, parsed(PAYMENTS.1)).await;
    assert_eq!(answer.outcome(), "already_present", "{:#}", answer.body);
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn dfns_a_denied_assignment_can_be_asked_for_again() {
    let world = World::new().await;
    let server = world.serve().await;
    server.call(PAYMENTS.0, parsed(PAYMENTS.1)).await;
    world.sandbox.decide_approval(&approval(&world).await, false).unwrap();
    let answer = server.call(PAYMENTS.0, parsed(PAYMENTS.1)).await;
    assert_eq!(answer.outcome(), "pending_vendor_approval", "{:#}", answer.body);
    assert_eq!(world.writes().len(), 2);
}

/// The id of the one approval that waits, asked for as its approver would.
pub async fn approval(world: &World) -> String {
    let url = format!("{}/v2/policy-approvals?status=Pending", world.variable("DFNS_API_URL"));
    let shown = get(&url, &format!("Bearer {}", world.variable("DFNS_AUTH_TOKEN"))).await;
    parsed(&shown)["items"][0]["id"].as_str().unwrap().to_owned()
}

/// A 409 is read back: the assignment is there, waits, or is not listed at all.
#[tokio::test]
async fn dfns_a_409_is_read_back() {
    for (name, outcome) in
        [("Treasury Viewer", "already_present"), ("Payments Approver", "pending_vendor_approval")]
    {
        let arguments = json!({ "permissionId": name, "identityId": "user@example.com" });
        let grant = ("assign_permission", arguments.clone());
        let world = World::new().await;
        let answer = overtaken(&world, "DFNS_API_URL", "/assignments", &grant, &grant).await;
        assert_eq!(answer.outcome(), outcome, "{name}: {:#}", answer.body);
    }
    let world = World::new().await;
    world.inject("dfns", "POST", "/assignments", status(409));
    let arguments = json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com" });
    let answer = world.serve().await.call("assign_permission", arguments).await;
    assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
}

/// Removed by somebody else a moment before: what is gone is gone, whoever did it.
#[tokio::test]
async fn a_404_to_a_removal_is_read_back() {
    for grant in GRANTS.iter().filter(|grant| grant.method == "DELETE") {
        let world = World::new().await.tokens_straight().await;
        let call = (grant.tool, parsed(grant.arguments));
        let at = (grant.method, grant.path);
        let gone = || world.inject(grant.vendor, grant.method, grant.path, status(404));
        let answer = overtaken_with(&world, grant.variable, at, &call, &call, gone).await;
        assert_eq!(answer.outcome(), "already_absent", "{}: {:#}", grant.tool, answer.body);
        assert_eq!(world.writes().len(), 2, "{}", grant.tool);
        let ledger = world.ledger();
        let line = ledger.last().unwrap();
        assert_eq!(line["outcome"], "already_absent", "{line}");
        assert_eq!(line["vendor_status"], 404, "{line}");
    }
}

/// Redox says the same under 200, where nothing was there to take away.
#[tokio::test]
async fn redox_success_false_to_a_removal_is_read_back() {
    let world = World::new().await.tokens_straight().await;
    let removal = GRANTS.iter().find(|grant| grant.tool == "remove_environment_role").unwrap();
    let call = (removal.tool, parsed(removal.arguments));
    let at = (removal.method, removal.path);
    let answer = overtaken_with(&world, removal.variable, at, &call, &call, || ()).await;
    assert_eq!(answer.outcome(), "already_absent", "{:#}", answer.body);
    assert_eq!(world.ledger().last().unwrap()["vendor_status"], 200);
}

type Call = (&'static str, Value);

/// The answer to `slow`, whose write is held back until `quick` has been carried out.
async fn overtaken(
    world: &World,
    variable: &'static str,
    path: &'static str,
    slow: &Call,
    quick: &Call,
) -> Answer {
    overtaken_with(world, variable, ("POST", path), slow, quick, || ()).await
}

/// The same for a method, and with something that happens between the two writes.
async fn overtaken_with(
    world: &World,
    variable: &'static str,
    (method, path): (&'static str, &'static str),
    slow: &Call,
    quick: &Call,
    between: impl FnOnce(),
) -> Answer {
    let proxy = Proxy::start(Some(world.variable(variable)), move |asked, at| {
        if asked == method && at.contains(path) { Then::Hold } else { Then::Pass }
    });
    let proxy = proxy.await;
    let held_back = world.serve_with(&[(variable, &proxy.url)]).await;
    // Somebody on another machine: on this one, they would wait for their turn.
    let elsewhere = world.path("elsewhere");
    let straight = world.serve_with(&[("GRANTOR_STATE_DIR", elsewhere.to_str().unwrap())]).await;
    let overtake = async {
        proxy.held.notified().await;
        let answer = straight.call(quick.0, quick.1.clone()).await;
        assert!(!answer.is_error, "{:#}", answer.body);
        between();
        proxy.release.notify_one();
    };
    let (answer, ()) = tokio::join!(held_back.call(slow.0, slow.1.clone()), overtake);
    answer
}

fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[tokio::test]
async fn dfns_every_kind_of_key_signs() {
    for dfns_key in [KeyKind::Ed25519, KeyKind::P256, KeyKind::Secp256k1, KeyKind::Rsa] {
        check(Trap {
            modes: Modes { dfns_key, ..Modes::default() },
            tool: "assign_permission",
            arguments: r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#,
            outcome: "confirmed",
            sent: 1,
            ..Trap::default()
        })
        .await;
    }
}

#[tokio::test]
async fn dfns_privilege_is_what_a_permission_contains_and_is_refused() {
    for (permission, outcome) in [
        ("ManagedFullAdminAccess", "refused"),
        ("Access Manager", "refused"),
        ("Wallet Operator", "confirmed"),
        // A policy of the tenant blocks it.
        ("Vault Custodian", "rejected"),
        // Archived: nobody can be given it.
        ("Legacy Operator", "invalid"),
    ] {
        let world = World::new().await;
        let arguments = json!({ "permissionId": permission, "identityId": "user@example.com" });
        let answer = world.serve().await.call("assign_permission", arguments).await;
        assert_eq!(answer.outcome(), outcome, "{permission}: {:#}", answer.body);
        let sent = usize::from(!["refused", "invalid"].contains(&outcome));
        assert_eq!(world.writes().len(), sent, "{permission}");
    }
}

#[tokio::test]
async fn dfns_a_permission_that_does_not_tell_its_operations_counts_as_privileged() {
    let world = World::with(Modes { dfns_tells_operations: false, ..Modes::default() }).await;
    let server = world.serve().await;
    let (tool, arguments) = (GRANTS[1].tool, parsed(GRANTS[1].arguments));
    let answer = server.call(tool, arguments).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.body.to_string().contains(UNSHOWN), "{:#}", answer.body);
    assert!(world.writes().is_empty());
    let roles = server.call("list_roles", json!({ "vendor": "dfns" })).await;
    assert!(roles.body["rows"].as_array().unwrap().iter().all(|row| row["privileged"] == true));
}

const HIRO: &str =
    r#"{"permissionId": "Wallet Operator", "identityId": "hiro.tanaka@example.com"}"#;

/// The assignment that somebody was asked about is gone, and another is in its place: it is asked
/// about by itself, and it is the one that is revoked.
#[tokio::test]
async fn dfns_an_assignment_that_was_replaced_meanwhile_is_asked_for_anew() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Modern).await;
    let arguments = parsed(HIRO);
    let asked = client.question("revoke_permission", &arguments).await;
    replace(&world).await;
    let already = world.writes().len();
    let again =
        client.reply("revoke_permission", &arguments, &asked, types(&asked.form)).await.question();
    assert_eq!(world.writes().len(), already, "nothing is sent for another assignment");
    let answer =
        client.reply("revoke_permission", &arguments, &again, types(&again.form)).await.answer();
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let sent = &world.writes()[already..];
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].path.contains("/assignments/as-") && !sent[0].path.ends_with(HIROS),
        "{sent:?}"
    );
}

/// Whoever names an assignment means that one: another of the same role is left alone, and told.
#[tokio::test]
async fn dfns_an_assignment_that_was_named_is_the_only_one_meant() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let arguments = json!({ "permissionId": "Wallet Operator", "assignmentId": HIROS });
    let asked = client.question("revoke_permission", &arguments).await;
    replace(&world).await;
    let already = world.writes().len();
    let heard = client.reply("revoke_permission", &arguments, &asked, types(&asked.form)).await;
    let answer = heard.answer();
    // What was agreed to is looked up anew: there is no such assignment any more.
    assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
    assert!(answer.summary().contains("has no assignment as-"), "{:#}", answer.body);
    assert_eq!(world.writes().len(), already);
}

const HIROS: &str = "as-ccc7l-sukyg-suu5rfuwvqxiwrv2";

/// Between looking it up and revoking it, another comes in its place, which nobody asked about.
#[tokio::test]
async fn dfns_an_assignment_in_the_place_of_the_one_that_was_named_stays() {
    const OTHER: &str = "as-ddd8m-tvlzh-tvv6sgvxwryjxsw3";
    let world = World::new().await;
    let first = AtomicBool::new(true);
    let change: Arc<dyn Fn(&str) -> String + Send + Sync> =
        Arc::new(|body: &str| body.replace(HIROS, OTHER));
    let proxy = Proxy::start(Some(world.variable("DFNS_API_URL")), move |method, path| {
        let listed = method == "GET" && path.ends_with("/assignments");
        let again = listed && !first.swap(false, SeqCst);
        if again { Then::Change(change.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let server = world.serve_with(&[("DFNS_API_URL", &proxy.url)]).await;
    let arguments = json!({ "permissionId": "Wallet Operator", "assignmentId": HIROS });
    let answer = server.call("revoke_permission", arguments).await;
    assert_eq!(answer.outcome(), "already_absent", "{:#}", answer.body);
    assert!(answer.warnings().contains(OTHER), "{:#}", answer.body);
    assert!(world.writes().is_empty());
}

/// Somebody else revokes Hiro's permission and assigns it again.
async fn replace(world: &World) {
    let unasked = example("automation");
    let other = world.serve_with(&[("GRANTOR_POLICY", unasked.to_str().unwrap())]).await;
    for tool in ["revoke_permission", "assign_permission"] {
        let answer = other.call(tool, parsed(HIRO)).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
}

/// Somebody else's token cannot be listed, so nobody can say whose it is.
#[tokio::test]
async fn dfns_a_token_that_cannot_be_seen_gets_nothing() {
    check(Trap {
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Treasury Viewer", "identityId": "to-chu3u-kixzt-zirokkzpav7nb6ig"}"#,
        outcome: "invalid",
        says: &["own tokens"],
        ..Trap::default()
    })
    .await;
}

const MARTA_MEMBER: (&str, &str) = (
    "assign_organization_role",
    r#"{"role": {"name": "member"}, "user": {"name": "marta.lindqvist@example.com"}}"#,
);

#[tokio::test]
async fn redox_the_role_that_is_replaced_is_shown() {
    let answer = check(Trap {
        tool: MARTA_MEMBER.0,
        arguments: MARTA_MEMBER.1,
        outcome: "confirmed",
        sent: 1,
        says: &["replaces the role “admin”", "undoing this grants “admin”"],
        ..Trap::default()
    })
    .await;
    assert_eq!(answer.rows("before"), ["admin on 4271"]);
    assert_eq!(answer.rows("after"), ["member on 4271"]);
    check(Trap {
        first: &[MARTA_MEMBER],
        tool: MARTA_MEMBER.0,
        arguments: MARTA_MEMBER.1,
        outcome: "already_present",
        ..Trap::default()
    })
    .await;
}

/// Under 200, and still a no.
#[tokio::test]
async fn redox_success_false_is_rejected() {
    let world = World::new().await;
    let body = r#"{"meta": {}, "payload": {"success": false, "message": "not today"}}"#.to_owned();
    let no = FaultKind::Status { status: 200, headers: vec![], body };
    world.inject("redox", "PUT", "/role-assignment", no);
    let answer = world.serve().await.call(MARTA_MEMBER.0, parsed(MARTA_MEMBER.1)).await;
    assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
    assert!(answer.summary().contains("success: false: “not today”"), "{}", answer.summary());
    assert_eq!(answer.body["vendor_status"], 200);
    assert_eq!(world.writes().len(), 1);
}

/// Both manage what others may do: an admin invites people and gives roles in every environment.
#[tokio::test]
async fn redox_an_owner_and_an_admin_are_made_by_hand() {
    for (role, says) in [
        ("owner", &["privileged", "an owner may change"][..]),
        ("admin", &["privileged", "an admin invites people"]),
    ] {
        let world = World::new().await;
        let server = world.serve().await;
        let arguments = json!({ "role": { "name": role }, "user": { "name": "user@example.com" } });
        let answer = server.call("assign_organization_role", arguments).await;
        assert_eq!(answer.outcome(), "refused", "{role}: {:#}", answer.body);
        assert_eq!(answer.body["policy"]["rules"], json!(["privileged-role"]), "{role}");
        for words in says {
            assert!(told(&answer).contains(words), "{words:?}: {}", told(&answer));
        }
        assert!(world.writes().is_empty());
    }
}

/// However the vendor or the configuration spells it; a role of an environment manages nobody's.
#[tokio::test]
async fn redox_privilege_is_known_by_the_name_in_any_spelling() {
    let world = World::new().await;
    let config = world.path("config.toml");
    let known = "[redox.roles]\n\"Admin \" = { id = \"77\", scope = \"organization\" }\n\
                 auditor = { id = \"78\" }\n\
                 ADMIN = { id = \"79\", scope = \"environment\" }\n";
    std::fs::write(&config, known).unwrap();
    let world = world.set("GRANTOR_CONFIG", config.to_str().unwrap());
    let url = world.variable("REDOX_API_URL").trim_end_matches('/').to_owned();
    let spelt = |body: &str| body.replace("\"owner\"", "\" OWNER\"");
    let spelt: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(spelt);
    let proxy = Proxy::start(Some(&url), move |method, _| match method {
        "GET" => Then::Change(spelt.clone()),
        _ => Then::Pass,
    });
    let proxy = proxy.await;
    let tokens = format!("{url}/v2/auth/token");
    let variables = [("REDOX_API_URL", proxy.url.as_str()), ("REDOX_TOKEN_URL", &tokens)];
    let server = world.serve_with(&variables).await;
    let roles = server.call("list_roles", json!({ "vendor": "redox" })).await;
    let roles = roles.body["rows"].as_array().unwrap().clone();
    for (id, privileged) in [
        ("98daa4bf-7559-4f89-b3fb-95ee22432045", true),
        ("b6d9f6f4-5cdc-48b9-9a64-00c790010259", true),
        ("23961c52-2970-4819-ae6f-8f356f02bfb4", false),
        ("77", true),
        ("78", false),
        ("79", false),
    ] {
        let row = roles.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {id}"));
        assert_eq!(row["privileged"], privileged, "{row}");
        if privileged {
            let arguments = json!({ "role": { "id": id }, "user": { "name": "user@example.com" } });
            let answer = server.call("assign_organization_role", arguments).await;
            assert_eq!(answer.outcome(), "refused", "{id}: {:#}", answer.body);
        }
    }
    assert!(world.writes().is_empty());
}

/// No document says that these lists come in pages. Where one says so itself, nobody is said to be
/// missing from it.
#[tokio::test]
async fn redox_a_list_that_says_it_goes_on_is_not_the_whole() {
    let world = World::new().await;
    let url = world.variable("REDOX_API_URL").trim_end_matches('/').to_owned();
    let page = |body: &str| {
        let mut body: Value = serde_json::from_str(body).unwrap();
        body["meta"] = json!({ "page": { "links": { "next": "/v1/more" } } });
        body.to_string()
    };
    let page: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(page);
    let proxy = Proxy::start(Some(&url), move |method, path| {
        let list = method == "GET" && path.ends_with("/role-assignment");
        if list { Then::Change(page.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let tokens = format!("{url}/v2/auth/token");
    let variables = [("REDOX_API_URL", proxy.url.as_str()), ("REDOX_TOKEN_URL", &tokens)];
    let server = world.serve_with(&variables).await;
    let grant = &GRANTS[2];
    let answer = server.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "unavailable", "{:#}", answer.body);
    let query = json!({ "vendor": "redox", "query": "a" });
    let looked = server.call("find_principals", query).await;
    assert_eq!(looked.body["problems"][0]["kind"], "incomplete", "{:#}", looked.body);
    assert!(world.writes().is_empty());
}

/// One of two owners may step back; the last one may not, or nobody could undo it.
#[tokio::test]
async fn redox_the_last_owner_is_not_demoted() {
    check(Trap {
        first: &[(
            "assign_organization_role",
            r#"{"role": {"name": "member"}, "user": {"name": "priya.raman@example.com"}}"#,
        )],
        tool: "assign_organization_role",
        arguments: r#"{"role": {"name": "member"}, "user": {"name": "grantor@example.com"}}"#,
        outcome: "refused",
        says: &["last owner", "make somebody else owner first"],
        ..Trap::default()
    })
    .await;
}

#[tokio::test]
async fn redox_id_and_name_must_mean_the_same() {
    check(Trap {
        tool: "assign_organization_role",
        arguments: r#"{"role": {"id": "98daa4bf-7559-4f89-b3fb-95ee22432045", "name": "member"}, "user": {"name": "user@example.com"}}"#,
        outcome: "invalid",
        says: &["role", "the name means"],
        ..Trap::default()
    })
    .await;
}

/// No list shows a role that nobody holds; the configuration may know it.
#[tokio::test]
async fn redox_a_role_nobody_holds_is_known_from_the_configuration() {
    let arguments =
        json!({ "role": { "name": "auditor" }, "user": { "name": "user@example.com" } });
    let world = World::new().await;
    let answer = world.serve().await.call(MARTA_MEMBER.0, arguments.clone()).await;
    assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
    assert!(answer.hint().contains("[redox.roles]"), "{}", answer.hint());
    let config = world.path("config.toml");
    let known = "[redox.roles]\nauditor = { id = \"77\", scope = \"organization\" }\n\
                 analyst = { id = \"78\", scope = \"environment\" }\n";
    std::fs::write(&config, known).unwrap();
    let world = world.set("GRANTOR_CONFIG", config.to_str().unwrap());
    let server = world.serve().await;
    let mut dry = arguments.clone();
    dry["dry_run"] = json!(true);
    let answer = server.call(MARTA_MEMBER.0, dry).await;
    assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
    assert_eq!(answer.body["request"]["body"]["role"], json!({ "id": "77", "name": "auditor" }));
    let other = json!({ "role": { "name": "analyst" }, "user": { "name": "user@example.com" } });
    let answer = server.call(MARTA_MEMBER.0, other).await;
    assert_eq!(answer.outcome(), "invalid", "an environment's role is none of the organization's");
    assert!(world.writes().is_empty());
}

const SPACE: (&str, &str) = (
    "set_project_acl",
    r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R"]}"#,
);

#[tokio::test]
async fn snaplogic_a_project_is_widened_to_its_space_and_that_is_said() {
    let world = World::new().await;
    let arguments = json!({
        "project_or_space_path": "/Harbor/Integrations/Orders",
        "grant_type": "USER",
        "grantee": "user@example.com",
        "permission_list": ["R"],
    });
    let answer = world.serve().await.call("set_project_acl", arguments).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert!(answer.warnings().contains("shared folder"), "{}", answer.warnings());
    assert!(answer.warnings().contains("third segment is not used"), "{}", answer.warnings());
    assert!(!answer.warnings().contains("Orders"), "what is not sent is not repeated");
    assert_eq!(answer.body["resource"]["id"], "/Harbor/Integrations");
    let writes = world.writes();
    assert_eq!(writes.len(), 1);
    assert!(writes[0].path.ends_with("/acl/Harbor/Integrations"), "{}", writes[0].path);
}

#[tokio::test]
async fn snaplogic_paths_are_case_sensitive_and_apim_is_out_of_reach() {
    let to = |path: &'static str, outcome, says| {
        let arguments = json!({
            "project_or_space_path": path,
            "grant_type": "USER",
            "grantee": "user@example.com",
            "permission_list": ["R"],
        });
        let arguments: &'static str = arguments.to_string().leak();
        Trap { tool: "set_project_acl", arguments, outcome, says, ..Trap::default() }
    };
    check(to("/Harbor/integrations", "invalid", &["/Harbor/integrations", "case-sensitive"])).await;
    check(to("/Harbor/apim", "refused", &["apim"])).await;
    check(to("/Harbor/APIM/x", "refused", &["apim"])).await;
    check(to("/Harbor", "invalid", &["project_or_space_path", "/org/space"])).await;
    check(to("/Harbor/a/b/c", "invalid", &["project_or_space_path", "/org/space"])).await;
}

/// Where others are listed, an absent row is evidence; where not, it is none.
#[tokio::test]
async fn snaplogic_an_absent_row_is_evidence_only_where_others_are_listed() {
    let (everyone, caller) = (SnapLogicAcl::Everyone, SnapLogicAcl::CallerOnly);
    for (snaplogic_acl, outcome, says) in [
        (everyone, "confirmed", &[][..]),
        (caller, "unconfirmed", &["too little to tell", "too little to read it back"][..]),
    ] {
        let modes = Modes { snaplogic_acl, ..Modes::default() };
        check(Trap {
            modes,
            tool: SPACE.0,
            arguments: SPACE.1,
            outcome,
            sent: 1,
            says,
            ..Trap::default()
        })
        .await;
    }
    for (snaplogic_acl, outcome, sent) in
        [(everyone, "already_present", 0), (caller, "unconfirmed", 1)]
    {
        let modes = Modes { snaplogic_acl, ..Modes::default() };
        check(Trap {
            modes,
            first: &[SPACE],
            tool: SPACE.0,
            arguments: SPACE.1,
            outcome,
            sent,
            ..Trap::default()
        })
        .await;
    }
}

/// A token may call the caller otherwise than the list does: one lone row may be the caller's own.
#[tokio::test]
async fn snaplogic_a_lone_row_is_no_evidence_to_a_token() {
    let modes = Modes { snaplogic_acl: SnapLogicAcl::CallerOnly, ..Modes::default() };
    let world = World::with(modes).await;
    let token = world.sandbox.snaplogic_token();
    let world = world.unset("SNAPLOGIC_USERNAME").unset("SNAPLOGIC_PASSWORD");
    let world = world.set("SNAPLOGIC_TOKEN", token);
    let answer = world.serve().await.call(SPACE.0, parsed(SPACE.1)).await;
    assert_eq!(answer.outcome(), "unconfirmed", "{:#}", answer.body);
}

/// A token says whom it stands for, in one claim or another: nobody is granted anything by
/// themselves, however the token was had.
#[tokio::test]
async fn snaplogic_a_token_is_not_used_to_grant_its_own_user_access() {
    for snaplogic_username_claim in [false, true] {
        for fetched in [false, true] {
            let world = World::with(Modes { snaplogic_username_claim, ..Modes::default() }).await;
            let token = world.sandbox.snaplogic_token();
            let issued = json!({ "access_token": token, "expires_in": 3600 }).to_string();
            let issuer = Proxy::start(None, move |_, _| Then::Answer(reply(200, &issued))).await;
            let world = world.unset("SNAPLOGIC_USERNAME").unset("SNAPLOGIC_PASSWORD");
            let world = if fetched {
                let world = world.set("SNAPLOGIC_TOKEN_URL", issuer.url.as_str());
                world.set("SNAPLOGIC_CLIENT_ID", "id").set("SNAPLOGIC_CLIENT_SECRET", "secret")
            } else {
                world.set("SNAPLOGIC_TOKEN", token)
            };
            let server = world.serve().await;
            for (grantee, outcome) in
                [("grantor@example.com", "refused"), ("user@example.com", "confirmed")]
            {
                let mut arguments = parsed(SPACE.1);
                arguments["grantee"] = grantee.into();
                arguments["permission_list"] = json!(["R"]);
                let answer = server.call(SPACE.0, arguments).await;
                assert_eq!(answer.outcome(), outcome, "{grantee} {fetched}: {:#}", answer.body);
            }
            assert_eq!(world.writes().len(), 1);
        }
    }
}

/// Whether a second POST sets or merges shows only afterwards.
#[tokio::test]
async fn snaplogic_a_second_grant_is_read_back_as_what_it_became() {
    let less = r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "alex.kim@example.com", "permission_list": ["R"], "inherit": true}"#;
    for (snaplogic_post, outcome, after) in [
        (SnapLogicPost::Set, "confirmed", "Read Only"),
        // Exactly what was there before may be a read that lags: it is certain in a minute.
        (SnapLogicPost::Merge, "unconfirmed", "Full Access"),
    ] {
        let modes = Modes { snaplogic_post, ..Modes::default() };
        let answer = check(Trap {
            modes,
            tool: "set_project_acl",
            arguments: less,
            outcome,
            sent: 1,
            says: &["Full Access", "replaces or adds is not documented"],
            ..Trap::default()
        })
        .await;
        assert!(answer.rows("after")[0].starts_with(after), "{:?}", answer.rows("after"));
        assert!(answer.rows("before")[0].starts_with("Full Access"));
    }
}

/// A user is an address, whose letter case says nothing: the list may write it otherwise than the
/// directory does.
#[tokio::test]
async fn snaplogic_an_address_in_another_letter_case_is_the_same_user() {
    let world = World::new().await;
    let url = world.variable("SNAPLOGIC_URL").to_owned();
    let shout = |body: &str| body.replace("alex.kim@example.com", "Alex.Kim@Example.com");
    let shout: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(shout);
    let proxy = Proxy::start(Some(&url), move |method, path| {
        if method == "GET" && path.contains("/acl/") {
            Then::Change(shout.clone())
        } else {
            Then::Pass
        }
    });
    let proxy = proxy.await;
    let server = world.serve_with(&[("SNAPLOGIC_URL", &proxy.url)]).await;
    let space = "/Harbor/Integrations";
    let entry = json!({ "project_or_space_path": space, "grant_type": "USER",
        "grantee": "alex.kim@example.com" });
    let held = || {
        server.call(
            "list_access",
            json!({ "vendor": "snaplogic", "resource": space,
        "principal": "alex.kim@example.com" }),
        )
    };
    assert_eq!(held().await.body["rows"].as_array().unwrap().len(), 1);
    let mut less = entry.clone();
    less["permission_list"] = json!(["R"]);
    let answer = server.call("set_project_acl", less).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let answer = server.call("remove_project_acl", entry).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert_eq!(world.writes().len(), 2);
    assert_eq!(held().await.body["rows"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn snaplogic_the_groups_of_the_whole_environment_are_refused() {
    for (group, outcome) in
        [("admins", "refused"), ("members", "refused"), ("finance-team", "confirmed")]
    {
        let world = World::new().await;
        let arguments = json!({
            "project_or_space_path": "/Harbor/Integrations",
            "grant_type": "GROUP",
            "grantee": group,
            "permission_list": ["W", "R"],
        });
        let answer = world.serve().await.call("set_project_acl", arguments).await;
        // `admins` is on the list already, with other permissions.
        assert_eq!(answer.outcome(), outcome, "{group}: {:#}", answer.body);
        assert_eq!(world.writes().len(), usize::from(outcome == "confirmed"));
    }
}

fn centrasite(arguments: &Value) -> Call {
    ("set_asset_permissions", arguments.clone())
}

/// One call in a fresh world, with what was sent.
async fn set_permissions(modes: Modes, arguments: Value) -> (Answer, Vec<Value>) {
    let world = World::with(modes).await;
    let answer = world.serve().await.call("set_asset_permissions", arguments).await;
    (answer, world.writes().iter().map(|seen| body(&seen.body)).collect())
}

#[tokio::test]
async fn centrasite_combining_never_lowers() {
    let (answer, sent) = set_permissions(
        Modes::default(),
        json!({
            "asset": "OrderService",
            "userGroupAssetPermission": [{ "group": "API Team", "permission": "View" }],
        }),
    )
    .await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.hint().contains("removeExistingPermission"), "{}", answer.hint());
    assert!(sent.is_empty());
}

/// Lowering takes the whole list, and whoever is not on it loses what they have.
#[tokio::test]
async fn centrasite_replacing_the_list_names_who_loses_and_the_owner_keeps_full() {
    let (answer, sent) = set_permissions(
        Modes::default(),
        json!({
            "asset": "OrderService",
            "userGroupAssetPermission": [{ "group": "API Team", "permission": "View" }],
            "removeExistingPermission": true,
        }),
    )
    .await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["removeExistingPermission"], true);
    for loser in
        ["“Users” (group:users)", r"“Alex Kim” (HARBOR\akim)", r"“Priya Raman” (HARBOR\praman)"]
    {
        assert!(answer.summary().contains(loser), "{}", answer.summary());
        assert!(answer.warnings().contains(&format!("{loser} loses")), "{}", answer.warnings());
    }
    assert_eq!(answer.rows("before").len(), 4);
    assert_eq!(answer.rows("after"), ["Full on OrderService", "View on OrderService"]);
}

/// Lowering and taking away are read back as exactly that: a list that stayed as it was is no success,
/// whatever the bridge said of it.
#[tokio::test]
async fn centrasite_a_list_that_was_not_set_is_seen() {
    let lowered = json!([{ "user": r"HARBOR\akim", "permission": "View" }]);
    let taken = json!([
        { "user": "Priya Raman", "permission": "Full" },
        { "group": "Users", "permission": "View" },
        { "group": "API Team", "permission": "Modify",
            "profilePermissions": [{ "name": "Technical Details", "permission": "Modify" }] },
    ]);
    let dropped = json!([
        { "user": "Priya Raman", "permission": "Full" },
        { "user": r"HARBOR\akim", "permission": "Full" },
        { "group": "Users", "permission": "View" },
        { "group": "API Team", "permission": "Modify" },
    ]);
    for entries in [lowered, taken, dropped] {
        // A list of the same version may be a read that lags.
        for (status, outcome) in [(200, "unconfirmed"), (500, "unknown")] {
            let world = World::new().await;
            let url = world.variable("CENTRASITE_BRIDGE_URL").to_owned();
            let yes = r#"{"asset": "it", "version": "2", "permissions": []}"#;
            let proxy = Proxy::start(Some(&url), move |method, _| match method {
                "POST" => Then::Answer(reply(status, yes)),
                _ => Then::Pass,
            });
            let proxy = proxy.await;
            let server = world.serve_with(&[("CENTRASITE_BRIDGE_URL", &proxy.url)]).await;
            let arguments = json!({
                "asset": "OrderService",
                "userGroupAssetPermission": entries,
                "removeExistingPermission": true,
            });
            let answer = server.call("set_asset_permissions", arguments).await;
            assert_eq!(answer.outcome(), outcome, "{status} {entries}: {:#}", answer.body);
        }
    }
}

/// Who was lowered was not there before at what they have now.
#[tokio::test]
async fn centrasite_each_who_was_lowered_is_confirmed() {
    let (answer, _) = set_permissions(
        Modes::default(),
        json!({
            "asset": "OrderService",
            "userGroupAssetPermission": [
                { "user": r"HARBOR\akim", "permission": "View" },
                { "group": "API Team", "permission": "View" },
                { "group": "Users", "permission": "View" },
            ],
            "removeExistingPermission": true,
        }),
    )
    .await;
    let items = answer.body["items"].as_array().unwrap();
    let outcomes = ["Alex Kim", "API Team", "Users"].map(|name| {
        let item = items.iter().find(|item| item["principal"]["name"] == name);
        item.unwrap_or_else(|| panic!("{name}: {:#}", answer.body))["outcome"].as_str().unwrap()
    });
    assert_eq!(outcomes, ["confirmed", "confirmed", "already_present"], "{:#}", answer.body);
}

#[tokio::test]
async fn centrasite_a_version_is_sent_back_whether_it_is_text_or_a_number() {
    for centrasite_text_versions in [false, true] {
        let world = World::with(Modes { centrasite_text_versions, ..Modes::default() }).await;
        let server = world.serve().await;
        for (level, version) in [("View", "\"1\""), ("Modify", "\"2\"")] {
            let arguments = json!({
                "asset": "BillingService",
                "userGroupAssetPermission": [{ "group": "API Team", "permission": level }],
            });
            let answer = server.call("set_asset_permissions", arguments).await;
            assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
            let writes = world.writes();
            let headers = &writes.last().unwrap().headers;
            let sent = headers.iter().find(|(name, _)| name == "if-match").unwrap();
            assert_eq!(sent.1, version);
        }
    }
}

#[tokio::test]
async fn centrasite_a_list_that_was_changed_since_is_not_overwritten() {
    let to = |permission| {
        centrasite(&json!({
            "asset": "BillingService",
            "userGroupAssetPermission": [{ "group": "API Team", "permission": permission }],
        }))
    };
    let world = World::new().await;
    let (slow, quick) = (to("View"), to("Modify"));
    let answer = overtaken(&world, "CENTRASITE_BRIDGE_URL", "/permissions", &slow, &quick).await;
    assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
    assert_eq!(answer.body["vendor_status"], 412);
    assert!(answer.hint().contains("changed since; ask again"), "{}", answer.hint());
    assert_eq!(world.writes().len(), 2, "each once");
}

#[tokio::test]
async fn centrasite_full_for_everybody_is_refused_and_full_on_a_profile_is_invalid() {
    for (entry, outcome) in [
        (json!({ "group": "Everyone", "permission": "Full" }), "refused"),
        (json!({ "group": "Members", "permission": "Full" }), "refused"),
        (json!({ "group": "group:users", "permission": "Full" }), "refused"),
        (json!({ "group": "Users", "permission": "Modify" }), "confirmed"),
        (
            json!({
                "group": "API Team",
                "permission": "View",
                "profilePermissions": [{ "name": "Technical Details", "permission": "Full" }],
            }),
            "invalid",
        ),
    ] {
        let arguments = json!({ "asset": "BillingService", "userGroupAssetPermission": [entry] });
        let (answer, sent) = set_permissions(Modes::default(), arguments.clone()).await;
        assert_eq!(answer.outcome(), outcome, "{arguments}: {:#}", answer.body);
        assert_eq!(sent.len(), usize::from(outcome == "confirmed"), "{arguments}");
    }
}

/// What the bridge skipped on the way to dependents reaches the reader.
#[tokio::test]
async fn centrasite_the_bridges_own_warnings_are_passed_on() {
    let (answer, _) = set_permissions(
        Modes::default(),
        json!({
            "asset": "OrderService",
            "userGroupAssetPermission": [{ "user": "Sam Rivera", "permission": "View" }],
            "propagatePermissionsToDependentObjects": true,
        }),
    )
    .await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert!(answer.warnings().contains("OrderArchive was skipped"), "{}", answer.warnings());
    assert!(answer.warnings().contains("dependent objects change too"), "{}", answer.warnings());
}

/// What was passed on to dependent objects is not taken back there, by an end or by hand, and that is said.
#[tokio::test]
async fn centrasite_what_was_passed_on_stays_and_is_named() {
    let world = World::unguarded().await;
    let server = world.serve().await;
    let arguments = json!({
        "asset": "OrderService",
        "userGroupAssetPermission": [{ "user": "Sam Rivera", "permission": "View" }],
        "propagatePermissionsToDependentObjects": true,
    });
    let granted = server.call("set_asset_permissions", arguments).await;
    let stays = "an undo or an end takes nothing back there";
    assert!(granted.warnings().contains(stays), "{:#}", granted.body);
    let receipt = &granted.body["receipt"];
    let ends = json!({ "receipt": receipt, "expires_in": "PT1H" });
    let answer = server.call("set_expiry", ends).await;
    assert_eq!(answer.outcome(), "confirmed", "the access is there: {:#}", answer.body);
    assert!(answer.warnings().contains(stays), "{:#}", answer.body);
    let undone = server.call("undo_change", json!({ "receipt": receipt })).await;
    let named = "what was passed on to dependent objects stays there";
    assert!(undone.warnings().contains(named), "{:#}", undone.body);
}
