//! Rules that load and do not mean what they say, and calls that a reader of the rules would not expect to
//! pass: each by a server and what it answers. What the rules ought to have said stands beside them.
//!
//! Others are live elsewhere. A harmless row beside a forbidden one: `policy`, `a_list_with_one_who_may_not_be_given_it_is_refused_whole`.
//! The undo of a removal and what is left of the end: `ends`, `undoing_a_removal_keeps_the_end_of_what_was_removed`.
//! Addresses of those who gain: `facts`, `addresses_are_told_at_the_vendors_that_have_them`.
//! A date that is a subtraction: `policy`, `check_fails_by_what_is_found_and_serving_does_not`.
//! Ends that no rule lets through: `ends`, `a_grant_that_could_not_end_is_refused`.
//! Extensions without end: `facts`, `extensions_are_counted`.
//! A question about looking: `policy`, `rules_that_say_more_than_they_seem_to_are_named`.
//! What an explanation rests on: `facts`, `an_explanation_shows_the_facts`.

use serde_json::{Value, json};

use super::facts::{ALL, forbid, role, world};
use super::harness::World;

const SAM: &str = "user@example.com";
const TABLE: &str = "set_asset_permissions";
const PERMISSION: &str = "assign_permission";
const ENVIRONMENT: &str = "assign_environment_role";
const SPACE: &str = "set_project_acl";
const GRANT: &str = "grant_asset_role";

fn environment(environment: &str, role: &str) -> Value {
    json!({ "environmentId": environment, "role": { "name": role }, "user": { "name": SAM } })
}

fn permission(name: &str) -> Value {
    json!({ "permissionId": name, "identityId": SAM })
}

fn space(path: &str) -> Value {
    json!({ "project_or_space_path": path, "grant_type": "USER", "grantee": SAM,
        "permission_list": ["R"] })
}

/// Whether a server refuses a change by the rule `no`, and sends nothing.
async fn refuses(world: &World, tool: &str, arguments: &Value) -> bool {
    let writes = world.writes().len();
    let answer = world.serve().await.call(tool, arguments.clone()).await;
    let refused = answer.outcome() == "refused";
    assert_eq!(world.writes().len() == writes, refused, "{tool} {arguments}: {:#}", answer.body);
    match refused {
        true => assert_eq!(answer.body["policy"]["rules"], json!(["no"]), "{:#}", answer.body),
        false => assert_eq!(answer.outcome(), "confirmed", "{tool}: {:#}", answer.body),
    }
    refused
}

/// `*prod*` finds no "Production", and what has only an id has no name at all.
#[tokio::test]
async fn production_is_found_by_folded_names_where_its_exact_name_is_not() {
    let by_name = forbid("resource has name && resource.name like \"*prod*\"");
    let folded = forbid("resource.folded like \"*prod*\"");
    let path = forbid("resource.folded like \"*FIN*\"");
    let right = forbid("resource.folded like \"*fin*\"");
    for (rules, tool, arguments, refused) in [
        (&by_name, ENVIRONMENT, environment("Production", "engineer"), false),
        (&folded, ENVIRONMENT, environment("Production", "engineer"), true),
        (&folded, ENVIRONMENT, environment("Staging", "engineer"), false),
        (&path, SPACE, space("/Harbor/Finance"), false),
        (&right, SPACE, space("/Harbor/Finance"), true),
    ] {
        let world = world(rules, "").await;
        assert_eq!(refuses(&world, tool, &arguments).await, refused, "{rules}{arguments}");
    }
}

/// What nobody has labelled is production to a rule that says what is not.
#[tokio::test]
async fn what_has_no_label_is_not_taken_for_test() {
    let rules = forbid("!resource.labels.contains(\"test\")");
    let label = "[[labels]]\nlabel = \"test\"\nvendor = \"redox\"\nresource = \"stag*\"\n";
    for (file, name, refused) in
        [(label, "Production", true), (label, "Staging", false), ("", "Staging", true)]
    {
        let world = world(&rules, file).await;
        let arguments = environment(name, "engineer");
        assert_eq!(refuses(&world, ENVIRONMENT, &arguments).await, refused, "{name} {file}");
    }
    // So it is with every permission of a vendor whose access is to nothing of a name.
    let world = world(&rules, label).await;
    assert!(refuses(&world, PERMISSION, &permission("Wallet Operator")).await);
}

/// Two duties are kept apart by what somebody holds at the vendor, whatever the change itself is about.
#[tokio::test]
async fn what_somebody_holds_elsewhere_is_seen_where_before_and_after_do_not_show_it() {
    for (tool, first, second, held) in [
        (
            PERMISSION,
            permission("Treasury Viewer"),
            permission("Wallet Operator"),
            "Treasury Viewer",
        ),
        (
            ENVIRONMENT,
            environment("Staging", "engineer"),
            environment("Development", "support"),
            "engineer on Staging",
        ),
        (GRANT, role("Tester", "Billing"), role("Developer", "Orders"), "Tester on Billing"),
    ] {
        let after = forbid(&format!("context.before.contains({held:?})"));
        let holds = forbid(&format!("!context.holds_all || context.holds.contains({held:?})"));
        for (rules, refused) in [(after, false), (holds, true)] {
            let world = world(ALL, "").await;
            let given = world.serve().await.call(tool, first.clone()).await;
            assert_eq!(given.outcome(), "confirmed", "{:#}", given.body);
            std::fs::write(world.path("own.cedar"), &rules).unwrap();
            // Dfns reads one permission, Redox one environment, and OutSystems tells other assets' ids.
            assert_eq!(refuses(&world, tool, &second).await, refused, "{rules}");
        }
    }
}

/// A list of harmless permissions has none in it that is not known.
#[tokio::test]
async fn a_role_whose_permissions_nobody_tells_passes_a_list_unless_that_is_asked() {
    let listed = "[\"R\", \"X\", \"View\", \"Wallets:Read\"].containsAll(context.role.permissions)";
    let bare = forbid(&format!("!({listed})"));
    let known = forbid(&format!("!(context.role.known && {listed})"));
    for (rules, tool, arguments, refused) in [
        (&bare, ENVIRONMENT, environment("Staging", "engineer"), false),
        (&known, ENVIRONMENT, environment("Staging", "engineer"), true),
        (&known, SPACE, space("/Harbor/Finance"), false),
        (&bare, PERMISSION, permission("Wallet Operator"), true),
        (&known, PERMISSION, permission("Wallet Operator"), true),
    ] {
        let world = world(rules, "").await;
        assert_eq!(refuses(&world, tool, &arguments).await, refused, "{rules}{arguments}");
    }
}

/// A client says "NAME VERSION" of itself.
#[tokio::test]
async fn a_client_is_known_by_its_name_apart_from_its_version() {
    let explain = world(ALL, "").await;
    let server = explain.serve().await;
    let done = server.call(GRANT, role("Tester", "Billing")).await;
    assert_eq!(done.outcome(), "confirmed", "{:#}", done.body);
    let lines = explain.ledger();
    let client = lines.iter().find_map(|line| line["client"].as_str()).unwrap().to_owned();
    let (name, _) = client.rsplit_once(' ').unwrap();
    for (condition, refused) in [
        (format!("context has client && context.client == {name:?}"), false),
        (format!("context has client_name && context.client_name == {name:?}"), true),
        (format!("context has client && context.client == {client:?}"), true),
    ] {
        let world = world(&forbid(&condition), "").await;
        let arguments = role("Tester", "Billing");
        assert_eq!(refuses(&world, GRANT, &arguments).await, refused, "{condition}");
    }
}

/// Whoever is taken off a list is among those it changes, and gains nothing by it.
#[tokio::test]
async fn whoever_is_taken_off_a_list_does_not_count_as_gaining() {
    // Alex is taken off, and a group gets more.
    let setup = json!({ "asset": "CustomerPortalApi", "userGroupAssetPermission": [
        { "user": "HARBOR\\akim", "permission": "View" }] });
    let list = json!({ "asset": "CustomerPortalApi", "removeExistingPermission": true,
        "userGroupAssetPermission": [{ "group": "API Team", "permission": "View" }] });
    for (condition, refused) in [
        ("context.kinds.contains(\"user\")", true),
        ("context.gains.kinds.contains(\"user\")", false),
        ("context.gains.kinds.contains(\"group\")", true),
        ("context.narrows", false),
    ] {
        let world = world(ALL, "").await;
        let given = world.serve().await.call(TABLE, setup.clone()).await;
        assert_eq!(given.outcome(), "confirmed", "{:#}", given.body);
        std::fs::write(world.path("own.cedar"), forbid(condition)).unwrap();
        assert_eq!(refuses(&world, TABLE, &list).await, refused, "{condition}");
    }
}

/// What nobody finds fault with.
const SOUND: &str = r#"@id("look") permit (principal, action in Action::"look", resource);
@id("change") permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("privileged-role") forbid (principal, action in Action::"grant", resource) when { context.privileged };
@id("own-identity") forbid (principal, action in Action::"grant", resource) when { context.own };
"#;

/// A policy that does not mean what it says is served, and a server says so as it starts.
#[tokio::test]
async fn a_server_says_as_it_starts_what_its_rules_do_not_mean() {
    let forbids = |when: &str| {
        format!(
            "{SOUND}@id(\"mine\") forbid (principal, action in Action::\"grant\", resource) when {{ {when} }};\n"
        )
    };
    let with = |rule: &str| format!("{SOUND}{rule}\n");
    let without = |id: &str| {
        let kept = SOUND.lines().filter(|line| !line.contains(&format!("@id({id:?})")));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    for (rules, says) in [
        (forbids("context.now.date < 2026-12-24"), "a subtraction that comes to 1990"),
        (forbids("context.now.date < 20271301"), "mine compares context.now.date with 20271301"),
        (forbids("context.now.weekday == 0"), "mine compares context.now.weekday with 0"),
        (forbids("context.now.hour > 24"), "mine compares context.now.hour with 24"),
        (
            with(
                "@id(\"mine\") @ask(\"Two people must approve this.\") permit (principal, action in Action::\"grant\", resource) when { context.wide };",
            ),
            "one yes is enough",
        ),
        (
            forbids("(resource has nmae && resource.nmae like \"*prod*\") || context.wide"),
            "asks whether there is resource.nmae",
        ),
        (forbids("resource.vendor == \"OutSystems\""), "which it never is"),
        (forbids("resource.kind == \"project\""), "which it never is"),
        (forbids("resource.id == \"Orders\""), "which looks like a name"),
        (forbids("principal == Requester::\"Root\""), "letter case counts"),
        (
            forbids("context has client && context.client == \"Claude Desktop\""),
            "it is \"NAME VERSION\"",
        ),
        (forbids("context.role.id like \"HARBOR\\*\""), "looks for a star itself"),
        (
            with(
                "@id(\"mine\") @ask permit (principal, action in [Action::\"grant\", Action::\"revoke\"], resource);",
            ),
            "change has no effect: mine in line 6 asks",
        ),
        (
            with("@id(\"mine\") @ask permit (principal, action, resource);"),
            "mine asks about looking too",
        ),
        (without("expire"), "no rule permits `expire`"),
        (
            with("@id(\"mine\") forbid (principal == Requester::\"x\", action, resource);"),
            "mine names no action",
        ),
        (without("privileged-role"), "grants privileged roles too"),
        (without("own-identity"), "the identity behind Grantor's own credential too"),
    ] {
        let world = world(&rules, "").await;
        let server = world.serve().await;
        assert!(!server.tools().await.is_empty(), "{rules}");
        // What is to be known of rules is said once the client was greeted, and before the end.
        server.stop().await;
        let said = world.stderr();
        assert!(said.contains(says), "{says}: {rules}{said}");
    }
    let world = world(SOUND, "").await;
    let server = world.serve().await;
    server.tools().await;
    server.stop().await;
    assert_eq!(world.stderr(), "", "nothing is said of what is sound");
}

/// One person's yes carries out what a rule in words wants two for.
#[tokio::test]
async fn one_yes_is_enough_whatever_a_question_says() {
    let rules = format!(
        "{SOUND}@id(\"mine\") @ask(\"Two people must approve this.\") permit (principal, action in Action::\"grant\", resource);\n"
    );
    let world = world(&rules, "").await;
    let mut client = super::person::Client::start(&world, super::harness::Era::Legacy).await;
    let arguments = role("Tester", "Billing");
    let asked = client.question(GRANT, &arguments).await;
    assert!(asked.message.contains("Two people must approve this."), "{}", asked.message);
    let yes = super::person::yes(&asked.form);
    let answer = client.reply(GRANT, &arguments, &asked, yes).await.answer();
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
}
