use std::sync::Arc;

use grantor::sandbox::{Modes, SnapLogicAcl};
use serde_json::{Value, json};

use super::harness::{Answer, Era, World, status};
use super::person::{Client, yes};
use super::proxy::{Proxy, Then};

const SPACE: &str = "/Harbor/Integrations";
const JONAS: &str = "jonas.weber@example.com";

fn told(answer: &Answer) -> String {
    format!("{}\n{}\n{}", answer.summary(), answer.hint(), answer.warnings())
}

fn entry(grantee: &str) -> Value {
    json!({ "project_or_space_path": SPACE, "grant_type": "USER", "grantee": grantee })
}

fn entry_of(grantee: &str, letters: Value, inherit: bool) -> Value {
    let mut entry = entry(grantee);
    entry["permission_list"] = letters;
    entry["inherit"] = json!(inherit);
    entry
}

/// With rules of the test's own.
async fn ruled(rules: &str) -> World {
    let world = World::new().await;
    let path = world.path("rules.cedar");
    std::fs::write(&path, rules).unwrap();
    world.set("GRANTOR_POLICY", path.to_str().unwrap())
}

const ALL: &str = "@id(\"all\") permit (principal, action, resource);\n";

/// Jonas has Read & Execute through a group, whatever becomes of what he has himself.
#[tokio::test]
async fn snaplogic_access_that_a_group_gives_is_said_before_all_else() {
    let world = World::new().await;
    let server = world.serve().await;
    let given = server.call("set_project_acl", entry_of(JONAS, json!(["R"]), false)).await;
    assert_eq!(given.outcome(), "confirmed", "{:#}", given.body);
    let first = "Access is left: “Jonas Weber” (jonas.weber@example.com) has “Read & Execute, and all assets \
                 inside” on /Harbor/Integrations through the group integration-team. ";
    for outcome in ["preview", "confirmed", "already_absent"] {
        let mut arguments = entry(JONAS);
        if outcome == "preview" {
            arguments["dry_run"] = json!(true);
        }
        let already = world.count("GET", "/groups/Harbor/");
        let answer = server.call("remove_project_acl", arguments).await;
        assert_eq!(answer.outcome(), outcome, "{:#}", answer.body);
        let warning = answer.body["warnings"][0].as_str().unwrap();
        assert!(warning.starts_with("access is left: "), "{:#}", answer.body);
        assert!(warning.ends_with("through the group integration-team"), "{warning}");
        if outcome != "preview" {
            assert!(answer.summary().starts_with(first), "{}", answer.summary());
        }
        let read = world.count("GET", "/groups/Harbor/") - already;
        assert_eq!(read, 2, "the members of the groups on the list alone, each once");
    }
    // Nobody's: there is nothing to say of who is in no group.
    let alex = server.call("remove_project_acl", entry("alex.kim@example.com")).await;
    assert_eq!(alex.outcome(), "confirmed", "{:#}", alex.body);
    assert!(!told(&alex).contains("left"), "{}", told(&alex));
}

/// Where groups or the list itself are not shown, that is said, and stops nothing.
#[tokio::test]
async fn snaplogic_groups_that_are_not_seen_are_said() {
    let world = World::new().await;
    for _ in 0..8 {
        world.inject("snaplogic", "GET", "/groups/Harbor/integration-team", status(403));
    }
    let answer = world.serve().await.call("remove_project_acl", entry(JONAS)).await;
    assert_eq!(answer.outcome(), "already_absent", "{:#}", answer.body);
    let said =
        "through a group is not seen, because the members of integration-team cannot be read";
    assert!(answer.summary().contains(said), "{}", answer.summary());
    let modes = Modes { snaplogic_acl: SnapLogicAcl::CallerOnly, ..Modes::default() };
    let world = World::with(modes).await;
    let answer = world.serve().await.call("remove_project_acl", entry(JONAS)).await;
    assert_eq!(answer.outcome(), "unconfirmed", "{:#}", answer.body);
    assert!(answer.summary().contains("only its own entries"), "{}", answer.summary());
}

/// The pages of these APIs ask for the type of a body on requests that have none.
#[tokio::test]
async fn snaplogic_is_told_that_we_speak_json() {
    let world = World::new().await;
    let answer =
        world.serve().await.call("remove_project_acl", entry("alex.kim@example.com")).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    for seen in world.sandbox.journal() {
        let kind = seen.headers.iter().find(|(name, _)| name == "content-type");
        let kind = kind.map(|(_, value)| value.as_str());
        assert_eq!(kind, Some("application/json"), "{} {}", seen.method, seen.path);
    }
}

/// Whoever manages an organization manages its environments.
#[tokio::test]
async fn redox_an_admin_of_the_organization_keeps_access_to_an_environment() {
    let world = World::new().await;
    let server = world.serve().await;
    let marta = json!({ "name": "marta.lindqvist@example.com" });
    let given = json!({ "environmentId": "Staging", "role": { "name": "support" }, "user": marta });
    let answer = server.call("assign_environment_role", given).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let gone = json!({ "environmentId": "Staging", "user": marta });
    for outcome in ["confirmed", "already_absent"] {
        let answer = server.call("remove_environment_role", gone.clone()).await;
        assert_eq!(answer.outcome(), outcome, "{:#}", answer.body);
        assert!(
            answer.summary().starts_with("Access is left: “Marta Lindqvist”"),
            "{:#}",
            answer.body
        );
        assert!(answer.summary().contains("is “admin”"), "{}", answer.summary());
    }
    let grace =
        json!({ "environmentId": "Staging", "user": { "name": "grace.okafor@example.com" } });
    let answer = server.call("remove_environment_role", grace).await;
    assert!(answer.summary().starts_with("Done"), "{}", answer.summary());
}

/// A role through the organization reaches the asset whatever is revoked on it.
#[tokio::test]
async fn outsystems_what_the_organization_gives_is_said_before_all_else() {
    let world = World::new().await;
    let server = world.serve().await;
    let marta = json!({ "userKey": "Marta Lindqvist", "roleKey": "Tester",
        "assetKeys": ["Orders", "Billing"] });
    let answer = server.call("revoke_asset_role", marta.clone()).await;
    assert_eq!(answer.outcome(), "already_absent", "{:#}", answer.body);
    assert!(answer.summary().starts_with("Access is left: “Marta Lindqvist”"), "{:#}", answer.body);
    assert!(answer.summary().contains("through the organization"), "{}", answer.summary());
    let granted = server.call("grant_asset_role", marta.clone()).await;
    assert_eq!(granted.outcome(), "confirmed", "{:#}", granted.body);
    let answer = server.call("revoke_asset_role", marta).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert!(answer.summary().starts_with("Access is left: “Marta Lindqvist”"), "{:#}", answer.body);
}

/// A list that is replaced may leave to somebody through a group what it takes from them.
#[tokio::test]
async fn centrasite_groups_that_stay_on_the_list_are_said() {
    let world = World::new().await;
    let server = world.serve().await;
    let set = |group: &str| {
        json!({ "asset": "OrderService", "removeExistingPermission": true,
            "userGroupAssetPermission": [{ "group": group, "permission": "View" }] })
    };
    for (group, says) in [
        ("API Team", "access may be left through a group: “API Team”"),
        ("Everyone", "access is left: “Everyone”"),
    ] {
        let mut arguments = set(group);
        arguments["dry_run"] = json!(true);
        let answer = server.call("set_asset_permissions", arguments).await;
        assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
        assert!(answer.warnings().contains(says), "{group}: {}", answer.warnings());
    }
}

/// Nobody is told to give a role up for one that the policy then denies.
#[tokio::test]
async fn the_policy_speaks_before_what_stands_in_the_way() {
    let orders = |role: &str, assets: Value| {
        json!({ "userKey": "grace.okafor@example.com",
        "roleKey": role, "assetKeys": assets })
    };
    for dry_run in [false, true] {
        let world = World::asking().await;
        let server = world.serve().await;
        for (arguments, rules) in [
            (orders("Release Manager", json!(["Orders"])), json!(["privileged-role"])),
            (orders("Release Manager", json!(["Orders", "Billing"])), json!(["privileged-role"])),
            (orders("Release Manager", json!(["Billing", "Orders"])), json!(["privileged-role"])),
        ] {
            let mut arguments = arguments;
            arguments["dry_run"] = json!(dry_run);
            let answer = server.call("grant_asset_role", arguments.clone()).await;
            assert_eq!(answer.outcome(), "refused", "{arguments}: {:#}", answer.body);
            assert_eq!(answer.body["policy"]["rules"], rules, "{arguments}: {:#}", answer.body);
            assert!(!answer.body.to_string().contains("replace: true"), "{arguments}");
        }
        let mut arguments = orders("Developer", json!(["Orders"]));
        arguments["dry_run"] = json!(dry_run);
        let answer = server.call("grant_asset_role", arguments).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        assert!(answer.hint().contains("replace: true"), "{:#}", answer.body);
        // What is so already needs no judgement.
        let mut arguments = orders("Tester", json!(["Orders"]));
        arguments["dry_run"] = json!(dry_run);
        let answer = server.call("grant_asset_role", arguments).await;
        assert_eq!(answer.outcome(), "already_present", "{:#}", answer.body);
        assert!(world.writes().is_empty());
    }
}

/// An end that nothing could keep, the last owner, an access that was changed since: all of it is
/// told to those alone whom the policy lets change it.
#[tokio::test]
async fn whatever_stands_in_the_way_is_told_after_the_policy() {
    let priya =
        json!({ "role": { "name": "member" }, "user": { "name": "priya.raman@example.com" } });
    let own = json!({ "role": { "name": "member" }, "user": { "name": "grantor@example.com" } });
    let forbids = "@id(\"never\") forbid (principal, action in [Action::\"grant\", Action::\"revoke\"], \
                   resource) unless { context has reason };\n";
    let world = ruled(&format!("{ALL}{forbids}")).await;
    let server = world.serve().await;
    let mut first = priya;
    first["reason"] = json!("steps back");
    assert_eq!(server.call("assign_organization_role", first).await.outcome(), "confirmed");
    for (reason, says) in [(None, "rule never"), (Some("why not"), "last owner")] {
        let mut arguments = own.clone();
        if let Some(reason) = reason {
            arguments["reason"] = json!(reason);
        }
        let answer = server.call("assign_organization_role", arguments).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        assert!(answer.summary().contains(says), "{says}: {}", answer.summary());
    }
    // An undo, too.
    let given = |letters: Value| {
        let mut given = entry_of("user@example.com", letters, false);
        given["reason"] = json!("on call");
        given
    };
    let granted = server.call("set_project_acl", given(json!(["R"]))).await;
    assert_eq!(
        server.call("set_project_acl", given(json!(["R", "W"]))).await.outcome(),
        "confirmed"
    );
    for (reason, says) in [(None, "rule never"), (Some("a slip"), "changed since")] {
        let mut arguments = json!({ "receipt": granted.body["receipt"] });
        if let Some(reason) = reason {
            arguments["reason"] = json!(reason);
        }
        let answer = server.call("undo_change", arguments).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        assert!(answer.summary().contains(says), "{says}: {}", answer.summary());
    }
    assert_eq!(world.writes().len(), 3);
}

/// Who has R, W, X and all inside, and is set to R: less than before, and said so everywhere.
#[tokio::test]
async fn less_than_there_is_is_said_as_what_it_is() {
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let less = entry_of("alex.kim@example.com", json!(["R"]), false);
    let asked = client.question("set_project_acl", &less).await;
    let lower = "lower access: “Alex Kim” (alex.kim@example.com) on /Harbor/Integrations: “Full Access, and all \
                 assets inside” → “Read Only”";
    let lost = "; lost is W, X, all assets inside";
    let warning = lower.replace("lower access", "Warning: access is lowered") + lost;
    for words in [lower, &warning, "before: ", "after: "] {
        assert!(asked.message.contains(words), "{words:?}: {}", asked.message);
    }
    let answer = client.reply("set_project_acl", &less, &asked, yes(&asked.form)).await.answer();
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert!(answer.summary().contains(lower), "{}", answer.summary());
    assert!(answer.warnings().contains(lost), "{}", answer.warnings());
    assert_eq!(
        answer.rows("before"),
        ["Full Access, and all assets inside on /Harbor/Integrations"]
    );
    assert_eq!(answer.rows("after"), ["Read Only on /Harbor/Integrations"]);
}

/// What takes is judged as a revocation, what gives as a grant, and what does both as both.
#[tokio::test]
async fn a_tool_that_sets_is_judged_by_what_it_does() {
    let alex = |letters: Value, inherit| entry_of("alex.kim@example.com", letters, inherit);
    let org =
        |role: &str, user: &str| json!({ "role": { "name": role }, "user": { "name": user } });
    let list = |entries: Value| {
        json!({ "asset": "OrderService", "removeExistingPermission": true,
        "userGroupAssetPermission": entries })
    };
    let team = json!({ "group": "API Team", "permission": "View" });
    let sam = json!({ "user": "Sam Rivera", "permission": "View" });
    let (space, asset, member) =
        ("set_project_acl", "set_asset_permissions", "assign_organization_role");
    let no = |group: &str| {
        format!("{ALL}@id(\"no\") forbid (principal, action in Action::\"{group}\", resource);\n")
    };
    for (tool, arguments, gives, takes) in [
        (space, alex(json!(["R"]), false), false, true),
        (space, alex(json!(["R", "W", "X"]), false), false, true),
        (space, entry_of("user@example.com", json!(["R"]), false), true, false),
        (member, org("member", "marta.lindqvist@example.com"), false, true),
        (member, org("owner", "marta.lindqvist@example.com"), true, false),
        (asset, list(json!([team])), false, true),
        (asset, list(json!([team, sam])), true, true),
        (asset, json!({ "asset": "OrderService", "userGroupAssetPermission": [sam] }), true, false),
    ] {
        for (group, refused) in [("grant", gives), ("revoke", takes)] {
            let world = ruled(&no(group)).await;
            let mut arguments = arguments.clone();
            arguments["dry_run"] = json!(true);
            let answer = world.serve().await.call(tool, arguments.clone()).await;
            let outcome = if refused { "refused" } else { "preview" };
            assert_eq!(answer.outcome(), outcome, "{group} {tool} {arguments}: {:#}", answer.body);
            let lowers = answer.body["summary"].as_str().unwrap().contains("lower access");
            assert_eq!(lowers, takes && !gives, "{tool} {arguments}: {}", answer.summary());
        }
    }
}

/// A grant that goes through where only half of what it does is allowed would be a way round a rule;
/// taking a raise back is no grant, and giving back what was lowered is one.
#[tokio::test]
async fn an_undo_of_what_was_set_is_judged_by_what_it_does() {
    for (letters, refused_with) in [(json!(["R", "W", "X"]), "revoke"), (json!(["R"]), "grant")] {
        let world = World::unguarded().await;
        let server = world.serve().await;
        let start = entry_of("user@example.com", json!(["R", "X"]), true);
        assert_eq!(server.call("set_project_acl", start).await.outcome(), "confirmed");
        let change = entry_of("user@example.com", letters, true);
        let change = server.call("set_project_acl", change).await;
        assert_eq!(change.outcome(), "confirmed", "{:#}", change.body);
        for group in ["grant", "revoke"] {
            let rules = world.path("rules.cedar");
            let no = format!(
                "{ALL}@id(\"no\") forbid (principal, action in Action::\"{group}\", resource);\n"
            );
            std::fs::write(&rules, no).unwrap();
            let judged = world.serve_with(&[("GRANTOR_POLICY", rules.to_str().unwrap())]).await;
            let undo = json!({ "receipt": change.body["receipt"] });
            let answer = judged.call("undo_change", undo).await;
            let outcome = if group == refused_with { "refused" } else { "confirmed" };
            assert_eq!(answer.outcome(), outcome, "{group}: {:#}", answer.body);
            if outcome == "confirmed" {
                break;
            }
        }
    }
}

/// Members are listed by user name or address, in whatever letter case.
#[tokio::test]
async fn snaplogic_a_member_in_another_letter_case_is_the_same_user() {
    let world = World::new().await;
    let url = world.variable("SNAPLOGIC_URL").to_owned();
    let shout = |body: &str| body.replace(JONAS, "Jonas.Weber@Example.com");
    let shout: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(shout);
    let proxy = Proxy::start(Some(&url), move |_, path| match path.contains("/groups/") {
        true => Then::Change(shout.clone()),
        false => Then::Pass,
    });
    let proxy = proxy.await;
    let server = world.serve_with(&[("SNAPLOGIC_URL", &proxy.url)]).await;
    let answer = server.call("remove_project_acl", entry(JONAS)).await;
    assert_eq!(answer.outcome(), "already_absent", "{:#}", answer.body);
    assert!(answer.summary().starts_with("Access is left"), "{}", answer.summary());
}
