use grantor::catalogue::Supposed;
use grantor::config::{Config, Flags, Sources};
use grantor::guard::{Circumstances, Declared, Guard, Verdict};
use grantor::requester::Requester;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::harness::{Ran, World, parsed};

const GRANT: &str = "grant_asset_role";
const REVOKE: &str = "revoke_asset_role";
const NOW: &str = "2026-07-03T22:30:00Z";

const DECLARED: &str = r#"
[grantor]
time_zone = "Europe/Berlin"

[teams.payments]
members = ["ada", "ben"]

[teams.idle]

[accounts.ada]
addresses = ["Ada@Example.com"]
outsystems = ["u-ada"]

[[labels]]
label = "production"
resource = "*PROD*"

[[labels]]
label = "test"
tenant = "odc-test"
vendor = "outsystems"
"#;

/// What a configuration declares.
fn declared(file: &str) -> Result<(Declared, Vec<String>), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let flags =
        Flags { config: Some(path), state_dir: Some(dir.path().into()), ..Flags::default() };
    let sources = Sources { flags: &flags, environment: &|_| None, floor: None, sandbox: None };
    let config = Config::load(&sources).map_err(|error| error.to_string())?;
    Ok((config.declared, config.warnings))
}

fn verdict(guard: &Guard, tool: &str, supposed: &Value) -> &'static str {
    let mut supposed: Supposed = serde_json::from_value(supposed.clone()).unwrap();
    let requester = supposed.requester.take().unwrap_or_else(|| "ada".to_owned());
    let requester = Requester::named(requester);
    let now = supposed.now(NOW.parse().unwrap());
    let at = Circumstances { requester: &requester, changes_this_hour: 0, now };
    match guard.judge(supposed.intent(tool, now).unwrap(), &at) {
        Verdict::Allow(_) => "allow",
        Verdict::Ask(_) => "ask",
        Verdict::Deny(denied) => {
            assert!(!denied.policy.rules.is_empty() || denied.message.contains("no rule"));
            "deny"
        }
    }
}

/// Whether this is so of a change, and that its opposite is not.
fn so(when: &str, declared: &Declared, tool: &str, supposed: &Value, is: bool) {
    for (condition, allowed) in [("when", is), ("unless", !is)] {
        let text = format!(
            "@id(\"it\") permit (principal, action, resource is Resource) {condition} {{ {when} }};"
        );
        let guard = Guard::compile("test.cedar", &text, false).unwrap_or_else(|e| panic!("{e}"));
        let verdict = verdict(&guard.declaring(declared.clone()), tool, supposed);
        let expected = if allowed { "allow" } else { "deny" };
        assert_eq!(verdict, expected, "{condition} {when}: {supposed}");
    }
}

#[test]
fn what_is_declared_and_what_is_said_can_be_spoken_of() {
    let (declared, warnings) = declared(DECLARED).unwrap();
    let unknown = warnings.iter().any(|warning| warning.contains("no tenant \"odc-test\""));
    assert!(unknown, "{warnings:?}");
    let ada = json!({ "id": "u-1", "email": "ADA@example.com" });
    for (when, supposed) in [
        (
            r#"context has client_name && context.client_name == "Claude Desktop""#,
            json!({ "client": "Claude Desktop 1.2.3" }),
        ),
        (
            r#"context.ticket_projects == ["OPS", "SEC"] && context.reason_length == 13"#,
            json!({ "reason": " SEC-1,\u{200b} OPS-22 " }),
        ),
        ("context.ticket_projects.isEmpty() && context.reason_length == 0", json!({})),
        ("context.role.known", json!({ "permissions": ["R"] })),
        ("!context.role.known", json!({})),
        (
            r#"resource has organization && resource.organization == "acme""#,
            json!({ "organization": "acme" }),
        ),
        ("!(resource has organization)", json!({})),
        (r#"resource.labels == ["production"]"#, json!({ "resource": { "name": "Prod 1" } })),
        (
            r#"resource.labels == ["production", "test"]"#,
            json!({ "resource": { "name": "Prod 1" }, "tenant_name": "odc-test" }),
        ),
        (r#"resource.labels == ["unlabelled"]"#, json!({ "resource": { "name": "Orders" } })),
        // It is half past midnight in Berlin, and a Saturday.
        (
            "context.here.hour == 0 && context.here.date == 20260704 && context.here.weekday == 6",
            json!({}),
        ),
        ("context.now.hour == 22 && context.now.date == 20260703", json!({})),
        (r#"principal in Team::"payments""#, json!({ "requester": "ben" })),
        (r#"!(principal in Team::"payments")"#, json!({ "requester": "eve" })),
        (r#"!(principal in Team::"idle") && !(principal in Group::"idle")"#, json!({})),
        ("context has for_self && context.for_self", json!({ "grantee": ada })),
        ("context has for_self && context.for_self", json!({ "grantee": { "id": "u-ada" } })),
        ("context has for_self && !context.for_self", json!({ "grantee": { "id": "u-2" } })),
        ("!(context has for_self)", json!({ "grantee": { "id": "g", "kind": "group" } })),
        ("!(context has for_self)", json!({ "grantee": ada, "requester": "eve" })),
        (
            r#"context.holds.containsAll(["Tester", "Tester on Billing", "a-role on something"])"#,
            json!({ "holds": [{ "role": "Tester", "resource": "Billing" }] }),
        ),
        ("context.holds_all", json!({})),
        ("!context.holds_all", json!({ "holds_all": false })),
        ("!(context has history)", json!({})),
        (
            "context has history && context.history.extends && context.history.extensions == 2",
            json!({ "history": { "extends": true, "extensions": 2 } }),
        ),
    ] {
        so(when, &declared, GRANT, &supposed, true);
    }
    // Whoever loses a role holds it no longer.
    let revoked = json!({ "role": { "name": "Tester" }, "resource": { "name": "Billing" } });
    so(r#"context.holds.contains("Tester on Billing")"#, &declared, REVOKE, &revoked, false);
}

/// Who gains, and whether nobody does.
#[test]
fn who_gains_is_told_by_address_domain_and_kind() {
    let none = Declared::default();
    let person = |email: &str| json!({ "grantee": { "id": "u-1", "email": email } });
    let row = |id: &str, email: &str, loses: bool| json!({ "grantee": { "id": id, "email": email }, "loses": loses });
    let kind = |kind: &str| json!({ "grantee": { "id": "x@example.com", "kind": kind } });
    let gains = |emails: &str, domains: &str| {
        format!("context.gains.emails == {emails} && context.gains.domains == {domains}")
    };
    let ada = gains(r#"["ada@example.com"]"#, r#"["example.com"]"#);
    let nobody = "context.gains.emails.isEmpty() && context.gains.domains.isEmpty() && context.gains.kinds.isEmpty()".to_owned();
    let unknown = gains(r#"[""]"#, r#"[""]"#);
    let extended =
        json!({ "grantee": { "id": "u-1", "email": "ada@example.com" }, "extends": "gr-1" });
    let set = "set_asset_permissions";
    for (when, tool, supposed, narrows) in [
        (&ada, GRANT, person("Ada@EXAMPLE.com"), false),
        (
            &gains(r#"["ada@xn--mnchen-3ya.de"]"#, r#"["xn--mnchen-3ya.de"]"#),
            GRANT,
            person("ada@münchen.de"),
            false,
        ),
        (&unknown, GRANT, person("nobody"), false),
        (&unknown, GRANT, kind("group"), false),
        (&unknown, GRANT, kind("token"), false),
        (&ada, GRANT, extended, false),
        (&nobody, REVOKE, person("ada@example.com"), true),
        (
            &ada,
            REVOKE,
            json!({ "grantee": { "id": "u-1", "email": "ada@example.com" }, "extends": "gr-1" }),
            false,
        ),
        (
            &ada,
            set,
            json!({ "rows": [row("a", "ada@example.com", false), row("b", "ben@evil.org", true)] }),
            false,
        ),
        (
            &gains(r#"["ada@example.com", "ben@evil.org"]"#, r#"["example.com", "evil.org"]"#),
            set,
            json!({ "rows": [row("a", "ada@example.com", false), row("b", "ben@evil.org", false)] }),
            false,
        ),
        (&nobody, set, json!({ "rows": [row("b", "ben@evil.org", true)] }), true),
    ] {
        so(when, &none, tool, &supposed, true);
        so("context.narrows", &none, tool, &supposed, narrows);
    }
    so(r#"context.gains.kinds == ["group"]"#, &none, GRANT, &kind("group"), true);
}

#[test]
fn what_is_declared_is_part_of_the_hash() {
    let text = "@id(\"it\") permit (principal, action, resource);";
    let hash = |file: &str| {
        let guard = Guard::compile("test.cedar", text, false).unwrap();
        guard.declaring(declared(file).unwrap().0).hash().to_owned()
    };
    let plain = Guard::compile("test.cedar", text, false).unwrap().hash().to_owned();
    let labels = |one: &str, two: &str| {
        format!("[[labels]]\nlabel = \"{one}\"\n[[labels]]\nlabel = \"{two}\"\n")
    };
    assert_eq!(hash(""), plain, "nothing is declared");
    assert_eq!(hash(&labels("a", "b")), hash(&labels("b", "a")), "one meaning");
    let files = [
        String::new(),
        labels("a", "b"),
        labels("a", "c"),
        "[grantor]\ntime_zone = \"Europe/Berlin\"\n".to_owned(),
        "[grantor]\ntime_zone = \"Europe/Paris\"\n".to_owned(),
        "[teams.a]\nmembers = [\"ada\"]\n".to_owned(),
        "[teams.a]\nmembers = [\"ben\"]\n".to_owned(),
        "[accounts.a]\naddresses = [\"a@example.com\"]\n".to_owned(),
        "[accounts.a]\ndfns = [\"us-1\"]\n".to_owned(),
    ];
    let mut hashes: Vec<_> = files.iter().map(|file| hash(file)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), files.len());
}

#[test]
fn a_mistake_in_what_is_declared_is_told_with_its_line() {
    for (file, says) in [
        ("[teams]\nx = 1\n", "line 2: x must be a section, [teams.x]"),
        ("[teams.x]\nmembers = \"ada\"\n", "line 2: members in [teams.x]: it must be a list"),
        ("[teams.x]\nmembers = [\"ada\", \" \"]\n", "line 2: members"),
        ("[teams.x]\nmembres = []\n", "line 2: membres in [teams.x]: there is no setting"),
        ("teams = 1\n", "line 1: teams holds sections"),
        (
            "[accounts.ada]\naddresses = [\"ada\"]\n",
            "line 2: addresses in [accounts.ada]: \"ada\" is no address",
        ),
        ("[accounts.ada]\ndfns = 7\n", "line 2: dfns in [accounts.ada]"),
        ("[labels]\nlabel = \"x\"\n", "line 1: labels are written as [[labels]]"),
        ("[[labels]]\nvendor = \"dfns\"\n", "line 1: [[labels]] needs a label"),
        (
            "[[labels]]\nlabel = \"a\"\n\n[[labels]]\nlabel = \"A b\"\n",
            "line 5: label in [[labels]] must be",
        ),
        (
            "[[labels]]\nlabel = \"unlabelled\"\n",
            "line 2: label in [[labels]] is what has no label",
        ),
        (
            "[[labels]]\nlabel = \"a\"\nvendor = \"acme\"\n",
            "line 3: vendor in [[labels]] must be one of",
        ),
        ("[[labels]]\nlabel = \"a\"\nnmae = \"acme\"\n", "line 3: there is no setting \"nmae\""),
        (
            "[[labels]]\nlabel = \"a\"\nresource = 3\n",
            "line 3: resource in [[labels]] must be text",
        ),
        ("[grantor]\ntime_zone = 3\n", "line 2: time_zone in [grantor] must be a name such as"),
        ("[grantor]\ntime_zone = \"Mars/Base\"\n", "time_zone \"Mars/Base\""),
        ("[grantor]\ntime_zone = \"../../etc/passwd\"\n", "time_zone"),
        ("[grantor]\ntime_zone = \"localtime\"\n", "time_zone"),
    ] {
        let error = declared(file).err().unwrap_or_else(|| panic!("{file}"));
        assert!(error.contains(says), "{file:?}: {error}");
    }
    let (_, warnings) = declared("[accounts.ada]\noutsystem = [\"x\"]\n").unwrap();
    assert!(warnings.concat().contains("outsystem in [accounts.ada] is no vendor"), "{warnings:?}");
}

/// Whoever is bound by rules does not say what they mean. As root, whose file it then is.
#[cfg(unix)]
#[test]
fn the_administrators_file_alone_declares_where_it_is_there() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let dir = tempfile::tempdir().unwrap();
    let [own, floor] = ["own.toml", "floor.toml"].map(|name| dir.path().join(name));
    std::fs::write(&own, DECLARED).unwrap();
    let load = |text: &str| {
        std::fs::write(&floor, text).unwrap();
        std::fs::set_permissions(&floor, std::fs::Permissions::from_mode(0o644)).unwrap();
        let flags = Flags {
            config: Some(own.clone()),
            state_dir: Some(dir.path().into()),
            ..Flags::default()
        };
        let sources =
            Sources { flags: &flags, environment: &|_| None, floor: Some(&floor), sandbox: None };
        Config::load(&sources)
    };
    let config = load("[teams.night]\nmembers = [\"eve\"]\n");
    if std::fs::metadata(&floor).unwrap().uid() != 0 {
        assert!(config.is_err());
        return;
    }
    let config = config.unwrap();
    let Declared { time_zone, teams, accounts, labels } = &config.declared;
    assert!(time_zone.is_none() && accounts.is_empty() && labels.is_empty());
    assert_eq!(teams.keys().collect::<Vec<_>>(), ["night"]);
    for over in ["[teams]", "[accounts]", "[labels]", "time_zone"] {
        let told = config.warnings.iter().any(|warning| warning.starts_with(over));
        assert!(told, "{over}: {:?}", config.warnings);
    }
    let idle = config.warnings.iter().any(|warning| warning.contains("bounds nobody"));
    assert!(config.ledger_is_chosen && !idle, "{:?}", config.warnings);
    let state = dir.path().join("state");
    let config = load(&format!("[grantor]\nstate_dir = {state:?}\ntime_zone = \"UTC\"\n")).unwrap();
    assert!(!config.ledger_is_chosen && config.declared.time_zone.is_some());
}

/// What a rule says of teams that there are not, it says of nobody.
#[test]
fn a_team_that_nobody_declares_is_told() {
    let text = "@id(\"a\") permit (principal in Team::\"payments\", action, resource);\n\
                @id(\"b\") forbid (principal, action in Action::\"grant\", resource)\n\
                when { principal in Team::\"paymnets\" || principal in Group::\"x\"\n\
                || principal in Group::\"https://id.example.com#x\" };";
    let guard = Guard::compile("test.cedar", text, false).unwrap();
    assert!(!guard.warnings().iter().any(|warning| warning.contains("team")));
    let (declared, _) = declared(DECLARED).unwrap();
    let warnings = guard.declaring(declared).warnings();
    let about: Vec<_> =
        warnings.iter().filter(|warning| warning.contains("nobody is in it")).collect();
    assert_eq!(about.len(), 1 + 1, "{warnings:?}");
    assert!(about[1].contains("line 3: b names the group \"x\""), "{about:?}");
    assert!(about[0].contains("line 2: b names the team \"paymnets\""), "{about:?}");
}

#[test]
fn a_denial_says_whom_to_turn_to() {
    let denied = |annotations: &str| -> Result<String, String> {
        let text =
            format!("{annotations} forbid (principal, action in Action::\"grant\", resource);");
        let guard = Guard::compile("test.cedar", &text, false).map_err(|e| e.to_string())?;
        let at = Circumstances {
            requester: &Requester::named("ada"),
            changes_this_hour: 0,
            now: NOW.parse().unwrap(),
        };
        match guard.judge(Supposed::default().intent(GRANT, at.now).unwrap(), &at) {
            Verdict::Deny(denied) => Ok(denied.hint),
            other => panic!("{other:?}"),
        }
    };
    let both =
        denied("@id(\"a\") @hint(\"give a ticket\") @contact(\"#access, or ada@example.com\")");
    assert_eq!(both.unwrap(), "give a ticket; turn to #access, or ada@example.com");
    assert_eq!(denied("@id(\"a\") @contact(\"#access\")").unwrap(), "turn to #access");
    for (annotations, says) in [
        ("@id(\"a\") @contact(\" \")", "its @contact names nobody"),
        ("@id(\"a\") @contact", "its @contact names nobody"),
        (
            "@id(\"a\") @contcat(\"x\")",
            "there are @id, @ask, @hint, @contact, @approvals, @approvers",
        ),
        ("@id(\"a\") @approvals(\"2\")", "put them on a permit with @ask"),
        ("@id(\"a\") @approvers(\"team\")", "put them on a permit with @ask"),
        ("@id(\"a\") @approvals(\"0\")", "from \"1\" to \"9\""),
        ("@id(\"a\") @approvals(\"two\")", "from \"1\" to \"9\""),
        ("@id(\"a\") @approvers(\" \")", "@approvers names nobody"),
    ] {
        let error = denied(annotations).err().unwrap();
        assert!(error.contains(says), "{annotations}: {error}");
    }
    let permit = "@id(\"a\") @contact(\"x\") permit (principal, action, resource);";
    let error = Guard::compile("test.cedar", permit, false).err().unwrap().to_string();
    assert!(error.contains("@contact is shown where a forbid denies"), "{error}");
}

/// A world with rules and a configuration of its own.
pub async fn world(rules: &str, file: &str) -> World {
    let world = World::new().await;
    let [rules_at, file_at] = ["own.cedar", "own.toml"].map(|name| world.path(name));
    std::fs::write(&rules_at, rules).unwrap();
    std::fs::write(&file_at, file).unwrap();
    let world = world.set("GRANTOR_POLICY", rules_at.to_str().unwrap());
    world.set("GRANTOR_CONFIG", file_at.to_str().unwrap())
}

pub const ALL: &str = "@id(\"all\") permit (principal, action, resource);\n";

pub fn forbid(when: &str) -> String {
    format!(
        "{ALL}@id(\"no\") forbid (principal, action in Action::\"grant\", resource is Resource) when {{ {when} }};\n"
    )
}

async fn call(world: &World, tool: &str, arguments: &Value) -> (Ran, Value) {
    let ran = world.run(&["call", tool, &arguments.to_string()]).await;
    let body = parsed(&ran.stdout);
    (ran, body)
}

pub fn role(role: &str, asset: &str) -> Value {
    json!({ "userKey": "user@example.com", "roleKey": role, "assetKeys": [asset] })
}

/// The address of everybody who gains is the vendor's, and so is the organization.
#[tokio::test]
async fn addresses_are_told_at_the_vendors_that_have_them() {
    let world = world(&forbid("context.gains.domains.contains(\"example.com\")"), "").await;
    for (tool, arguments, denied) in [
        (GRANT, role("Developer", "Orders"), true),
        (
            "assign_permission",
            json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com" }),
            true,
        ),
        (
            "set_project_acl",
            json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER",
            "grantee": "user@example.com", "permission_list": ["R", "X"] }),
            true,
        ),
        (
            "set_asset_permissions",
            json!({ "asset": "BillingService",
            "userGroupAssetPermission": [{ "group": "API Team", "permission": "Modify" }] }),
            false,
        ),
        (
            REVOKE,
            json!({ "userKey": "grace.okafor@example.com", "roleKey": "Tester", "assetKeys": ["Orders"] }),
            false,
        ),
    ] {
        let (_, body) = call(&world, tool, &arguments).await;
        let expected = if denied { "refused" } else { "confirmed" };
        assert_eq!(body["outcome"], expected, "{tool}: {body:#}");
    }
}

#[tokio::test]
async fn what_is_declared_bounds_a_server() {
    let file = "[[labels]]\nlabel = \"test\"\nresource = \"Bill*\"\n[teams.night]\nmembers = [\"nobody-else\"]\n";
    let rules = forbid("!resource.labels.contains(\"test\")")
        + "@id(\"night\") forbid (principal in Team::\"night\", action, resource);\n";
    let world = world(&rules, file).await;
    let server = world.serve().await;
    let denied = server.call(GRANT, role("Developer", "Orders")).await;
    assert_eq!(denied.outcome(), "refused", "{:#}", denied.body);
    let done = server.call(GRANT, role("Tester", "Billing")).await;
    assert_eq!(done.outcome(), "confirmed", "{:#}", done.body);
    let who = world.run(&["policy", "explain", GRANT, &role("Tester", "Orders").to_string()]).await;
    let who = parsed(&who.stdout)["judged"][0]["principal"].as_str().unwrap().to_owned();
    let file = file.replace("nobody-else", &who);
    std::fs::write(world.path("own.toml"), file).unwrap();
    let (ran, _) = call(&world, "list_roles", &json!({ "vendor": "redox" })).await;
    assert_eq!(ran.status, 1, "who is in that team may not even look: {ran:#?}");
}

/// What somebody holds elsewhere at the vendor counts, and only where it could be read.
#[tokio::test]
async fn what_is_held_at_the_vendor_is_read_where_a_rule_names_it() {
    let together =
        "context.holds.contains(\"Tester on Billing\") && context.holds.contains(\"Developer\")";
    let world = world(&forbid(&format!("!context.holds_all || ({together})")), "").await;
    let (_, body) = call(&world, GRANT, &role("Tester", "Billing")).await;
    assert_eq!(body["outcome"], "confirmed", "{body:#}");
    let (_, body) = call(&world, GRANT, &role("Developer", "Orders")).await;
    assert_eq!(
        (&body["outcome"], &body["policy"]["rules"]),
        (&json!("refused"), &json!(["no"])),
        "{body:#}"
    );
    let explained =
        world.run(&["policy", "explain", GRANT, &role("Developer", "Orders").to_string()]).await;
    let holds = parsed(&explained.stdout)["judged"][0]["facts"]["context"]["holds"].clone();
    let holds: Vec<_> = holds.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for held in ["Tester", "Tester on Billing", "Developer", "Developer on Orders"] {
        assert!(holds.contains(&held), "{held}: {holds:?}");
    }
    // The items of one call are held together.
    let both = forbid("context.holds.containsAll([\"Tester on Billing\", \"Tester on Orders\"])");
    let world = self::world(&both, "").await;
    let two = json!({ "userKey": "user@example.com", "roleKey": "Tester", "assetKeys": ["Orders", "Billing"] });
    let (_, body) = call(&world, GRANT, &two).await;
    assert_eq!(body["outcome"], "refused", "{body:#}");
    assert!(world.writes().is_empty(), "neither is sent");
    // Without such a rule nobody asks.
    let reads = |world: &World| world.sandbox.journal().len();
    let world = self::world(ALL, "").await;
    call(&world, GRANT, &role("Tester", "Billing")).await;
    let without = reads(&world);
    let world = self::world(&forbid("!context.holds_all"), "").await;
    call(&world, GRANT, &role("Tester", "Billing")).await;
    assert!(reads(&world) > without);
}

/// It is read of the account itself: through its groups, and whatever the configuration calls by its
/// address.
#[tokio::test]
async fn what_is_held_is_that_of_the_account_and_of_its_groups() {
    let alias = "[people.\"jonas.weber@example.com\"]\nsnaplogic = \"hiro.tanaka@example.com\"\n";
    for file in ["", alias] {
        let rule = forbid("!context.holds_all || context.holds.contains(\"Owner\")");
        let world = world(&rule, file).await;
        let world = world.set("SNAPLOGIC_INTERNAL_READS", "1");
        let arguments = json!({
            "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": "Jonas Weber",
            "permission_list": ["R"],
        });
        let explained =
            world.run(&["policy", "explain", "set_project_acl", &arguments.to_string()]).await;
        let judged = parsed(&explained.stdout)["judged"][0].clone();
        let context = &judged["facts"]["context"];
        assert_eq!(context["grantee"]["id"], "jonas.weber@example.com", "{explained:#?}");
        let holds: Vec<_> =
            context["holds"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let of_group = |one: &&str| one.ends_with(" on /Harbor/Integrations");
        assert!(holds.iter().any(of_group), "{file}: {holds:?}");
        assert_eq!(context["holds_all"], true, "{file}: {context:#}");
    }
}

#[tokio::test]
async fn how_often_and_how_long_an_access_was_given_is_counted() {
    let rules = forbid(
        "if context has history then context.history.total_minutes > 600
        || context.history.grantee_today >= 2 else true",
    );
    let world = world(&rules, &noon()).await;
    let timed = |role_: &str, asset: &str, lasts: &str| {
        let mut arguments = role(role_, asset);
        arguments["expires_in"] = lasts.into();
        arguments
    };
    let server = world.serve().await;
    let grant = async |arguments: Value| server.call(GRANT, arguments).await;
    let first = grant(timed("Tester", "Billing", "PT1H")).await;
    assert_eq!(first.outcome(), "confirmed", "{:#}", first.body);
    let without_end = grant(role("Tester", "Orders")).await;
    assert_eq!(without_end.outcome(), "refused", "{:#}", without_end.body);
    let too_long = grant(timed("Tester", "Orders", "PT11H")).await;
    assert_eq!(too_long.outcome(), "refused", "{:#}", too_long.body);
    let second = grant(timed("Tester", "Orders", "PT1H")).await;
    assert_eq!(second.outcome(), "confirmed", "{:#}", second.body);
    let third = grant(timed("Developer", "Orders", "PT1H")).await;
    assert_eq!(third.body["policy"]["rules"], json!(["no"]), "{:#}", third.body);
    // Somebody else has had none.
    let mut other = timed("Developer", "Billing", "PT1H");
    other["userKey"] = "alex.kim@example.com".into();
    let other = grant(other).await;
    assert_ne!(other.outcome(), "refused", "{:#}", other.body);
}

/// A time zone in which it is about noon: no day ends while a test counts what was done in one.
fn noon() -> String {
    let hour = Timestamp::now().to_zoned(TimeZone::UTC).hour();
    // These zones are named with the sign the other way round.
    let zone = match 12 - hour {
        0 => "UTC".to_owned(),
        ahead if ahead > 0 => format!("Etc/GMT-{ahead}"),
        behind => format!("Etc/GMT+{}", behind.abs()),
    };
    format!("[grantor]\ntime_zone = \"{zone}\"\n")
}

/// An end that is moved is a change like any other.
#[tokio::test]
async fn extensions_are_counted() {
    let acl = |lasts: &str| json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com", "expires_in": lasts });
    let tool = "assign_permission";
    let rules = forbid("if context has history then context.history.extensions >= 1 else true");
    let world = world(&rules, &noon()).await;
    for (lasts, outcome) in [("PT1H", "confirmed"), ("PT2H", "confirmed"), ("PT3H", "refused")] {
        let (_, body) = call(&world, tool, &acl(lasts)).await;
        assert_eq!(body["outcome"], outcome, "{lasts}: {body:#}");
    }
    let explain = world.run(&["policy", "explain", tool, &acl("PT3H").to_string()]).await;
    let history = parsed(&explain.stdout)["judged"][0]["facts"]["context"]["history"].clone();
    assert_eq!(history["extends"], true, "{history:#}");
    assert_eq!(
        (&history["extensions"], &history["grantee_today"]),
        (&json!(1), &json!(2)),
        "{history:#}"
    );
    assert_eq!(
        (&history["requester_today"], &history["undone_minutes"]),
        (&json!(2), &json!(9_007_199_254_740_991_i64))
    );
    assert!((179..=181).contains(&history["total_minutes"].as_i64().unwrap()), "{history:#}");
    let rules = forbid("context.changes_this_hour >= 2");
    let world = self::world(&rules, "").await;
    for (lasts, outcome) in [("PT1H", "confirmed"), ("PT2H", "confirmed"), ("PT3H", "refused")] {
        let (_, body) = call(&world, tool, &acl(lasts)).await;
        assert_eq!(body["outcome"], outcome, "{lasts}: {body:#}");
    }
}

/// A grant that is older than thirty days was given long ago, and its end may have moved since.
#[tokio::test]
async fn the_extension_of_an_old_grant_is_counted() {
    let rules = forbid("if context has history then context.history.extensions >= 9 else true");
    let world = world(&rules, "").await;
    let tool = "assign_permission";
    let days = |days: u8| json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com", "expires_in": format!("P{days}D") });
    for lasts in [60, 70] {
        let (_, body) = call(&world, tool, &days(lasts)).await;
        assert_eq!(body["outcome"], "confirmed", "{body:#}");
    }
    let lines = world.ledger();
    let time = |event: &str| -> Timestamp {
        let line = lines.iter().find(|line| line["event"] == event);
        line.unwrap()["time"].as_str().unwrap().parse().unwrap()
    };
    // A moment from which thirty days reach back to between the two.
    let (granted, moved) = (time("open"), time("extended"));
    let between = granted + moved.duration_since(granted) / 2;
    let thirty = SignedDuration::from_hours(30 * 24);
    let after = SignedDuration::from_secs(1);
    let minutes = |days: i64| days * 24 * 60;
    // What began longer ago began thirty days ago.
    for (now, extensions, total) in [
        (moved, 1, minutes(80)),
        (between + thirty, 1, minutes(110)),
        (moved + thirty + after, 0, minutes(110)),
    ] {
        let (asked, now) = (days(80).to_string(), now.to_string());
        let ran = world.run(&["policy", "explain", tool, &asked, "--now", &now]).await;
        let body = parsed(&ran.stdout);
        let history = &body["judged"][0]["facts"]["context"]["history"];
        assert_eq!(history["extensions"], extensions, "{now}: {body:#}");
        let told = history["total_minutes"].as_i64().unwrap();
        assert!((total..total + 2).contains(&told), "{now}: {told} for {total}");
    }
}

/// Whoever starts the program does not choose what time it is where its rules are.
#[tokio::test]
async fn a_variable_does_not_move_the_time_zone_of_the_rules() {
    let world = world(ALL, "[grantor]\ntime_zone = \"Europe/Berlin\"\n").await;
    let zones = world.path("zones");
    std::fs::create_dir_all(zones.join("Europe")).unwrap();
    std::fs::copy("/usr/share/zoneinfo/Asia/Tokyo", zones.join("Europe/Berlin")).unwrap();
    let world = world.set("TZDIR", zones.to_str().unwrap()).set("TZ", "Asia/Tokyo");
    let arguments = role("Tester", "Billing").to_string();
    let ran = world.run(&["policy", "explain", GRANT, &arguments, "--now", NOW]).await;
    let body = parsed(&ran.stdout);
    let here = &body["judged"][0]["facts"]["context"]["here"];
    assert_eq!((&here["hour"], &here["minute"]), (&json!(0), &json!(30)), "{body:#}");
}

/// What a vendor's approvers have not agreed to is nobody's yet, and may be somebody's in a moment.
#[tokio::test]
async fn what_waits_for_a_vendors_approvers_is_not_held() {
    let rules = forbid("!context.holds_all || context.holds.contains(\"Vault Custodian\")");
    let world = world(&rules, "").await;
    let permission = |name: &str| json!({ "permissionId": name, "identityId": "user@example.com" });
    let (_, body) = call(&world, "assign_permission", &permission("Payments Approver")).await;
    assert_eq!(body["outcome"], "pending_vendor_approval", "{body:#}");
    let explained = async |status: i32| {
        let arguments = permission("Treasury Viewer").to_string();
        let ran = world.run(&["policy", "explain", "assign_permission", &arguments]).await;
        assert_eq!(ran.status, status, "{ran:#?}");
        let context = parsed(&ran.stdout)["judged"][0]["facts"]["context"].clone();
        let holds = context["holds"].as_array().unwrap().clone();
        (context["holds_all"].clone(), holds.contains(&json!("Payments Approver")))
    };
    assert_eq!(explained(1).await, (json!(false), false));
    world.sandbox.decide_approval(&super::traps::approval(&world).await, true).unwrap();
    assert_eq!(explained(0).await, (json!(true), true));
}

/// What a group gives stays, whatever becomes of one's own.
#[tokio::test]
async fn who_loses_what_they_hold_themselves_still_holds_what_a_group_gives() {
    let holds = forbid("!context.holds_all || context.holds.contains(\"nothing\")");
    let world = world(ALL, "").await.set("SNAPLOGIC_INTERNAL_READS", "1");
    let entry = |who: &str| json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": who });
    let same = json!("Read & Execute, and all assets inside on /Harbor/Integrations");
    for (who, stays) in [("jonas.weber@example.com", true), ("user@example.com", false)] {
        std::fs::write(world.path("own.cedar"), ALL).unwrap();
        let mut given = entry(who);
        (given["permission_list"], given["inherit"]) = (json!(["R", "X"]), json!(true));
        let (_, body) = call(&world, "set_project_acl", &given).await;
        assert_eq!(body["outcome"], "confirmed", "{body:#}");
        std::fs::write(world.path("own.cedar"), &holds).unwrap();
        let asked = entry(who).to_string();
        let ran = world.run(&["policy", "explain", "remove_project_acl", &asked]).await;
        let context = parsed(&ran.stdout)["judged"][0]["facts"]["context"].clone();
        let has = |set: &str| context[set].as_array().unwrap().contains(&same);
        assert_eq!((has("before"), has("holds")), (true, stays), "{who}: {context:#}");
        assert_eq!(context["holds_all"], true, "{who}: {context:#}");
    }
}

/// Where lines do not hold, what was before is not known.
#[tokio::test]
async fn history_is_absent_after_a_break() {
    let world = world(&forbid("!(context has history)"), "").await;
    let (_, body) = call(&world, GRANT, &role("Tester", "Billing")).await;
    assert_eq!(body["outcome"], "confirmed", "{body:#}");
    let lines = std::fs::read_dir(world.path("state")).unwrap();
    let lines = lines.map(|entry| entry.unwrap().path());
    let lines = lines.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    for path in lines.filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("Billing", "Filling", 1)).unwrap();
    }
    let (_, body) = call(&world, GRANT, &role("Tester", "Orders")).await;
    assert_eq!(body["outcome"], "refused", "{body:#}");
}

/// An explanation shows what it rests on, offline too.
#[tokio::test]
async fn an_explanation_shows_the_facts() {
    let world = world(ALL, DECLARED).await;
    let explain = async |arguments: &[&str], status: i32| {
        let ran = world.run(&[&["policy", "explain"], arguments].concat()).await;
        assert_eq!(ran.status, status, "{arguments:?}: {ran:#?}");
        parsed(&ran.stdout)
    };
    let arguments = role("Developer", "Orders").to_string();
    let told = ["--client", "Claude Desktop 1.0", "--now", NOW, "--requester", "ben"];
    let real = explain(&[&[GRANT, &*arguments], &told[..]].concat(), 0).await;
    let offline = explain(&[&[GRANT, "--offline", "{}"], &told[..]].concat(), 0).await;
    for body in [&real, &offline] {
        let judged = &body["judged"][0];
        let context = &judged["facts"]["context"];
        assert_eq!(
            (&judged["principal"], &judged["action"]),
            (&json!("ben"), &json!(GRANT)),
            "{body:#}"
        );
        assert_eq!(context["client_name"], "Claude Desktop", "{body:#}");
        assert_eq!(context["now"]["hour"], 22, "{body:#}");
        assert_eq!(
            (&context["here"]["hour"], &context["here"]["date"]),
            (&json!(0), &json!(20_260_704))
        );
        // What no rule names was not read.
        assert!(context["holds"].is_null() && context["changes_this_hour"].is_null(), "{body:#}");
    }
    assert_eq!(
        real["judged"][0]["facts"]["context"]["gains"]["emails"],
        json!(["user@example.com"])
    );
    assert!(real["supposed"].is_null());
    let supposed: Vec<_> =
        offline["supposed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(supposed.contains(&"grantee") && !supposed.contains(&"client"), "{supposed:?}");
    // What is so already is judged by nobody.
    let (_, body) = call(&world, GRANT, &role("Developer", "Orders")).await;
    let receipt = body["receipt"].as_str().unwrap().to_owned();
    explain(&[GRANT, &arguments], 4).await;
    let writes = world.writes().len();
    for given in [receipt.clone(), json!({ "receipt": receipt }).to_string()] {
        let undo = explain(&["undo_change", &given], 0).await;
        let judged = &undo["judged"][0];
        assert_eq!(judged["action"], "undo_by_revoking", "{undo:#}");
        assert_eq!(judged["facts"]["context"]["narrows"], true, "{undo:#}");
        assert_eq!(judged["facts"]["context"]["undoes"], *receipt, "{undo:#}");
    }
    assert_eq!(world.writes().len(), writes, "nothing is sent");
    explain(&["undo_change", "gr-nothing"], 4).await;
    let ran = world.run(&["policy", "explain", "undo_change", &receipt, "--offline"]).await;
    assert!(ran.status == 2 && ran.stderr.contains("offline name the tool"), "{ran:#?}");
}

#[test]
fn what_a_supposed_change_may_have_is_listed() {
    for field in Supposed::FIELDS {
        let given = json!({ (field): null });
        let error = serde_json::from_value::<Supposed>(given).err();
        let is_unknown = error.is_some_and(|error| error.to_string().contains("unknown field"));
        assert!(!is_unknown, "{field}");
    }
    let unknown = serde_json::from_value::<Supposed>(json!({ "x": 1 })).unwrap_err().to_string();
    for named in unknown.split('`').skip(3).step_by(2) {
        assert!(Supposed::FIELDS.contains(&named), "{named}");
    }
}
