use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cedar_policy::SchemaFragment;
use grantor::catalogue::Supposed;
use grantor::guard::{Circumstances, Guard, Verdict, VerdictRecord};
use grantor::requester::Requester;
use grantor::tools::{Effect, TOOLS};
use serde_json::{Value, json};

use super::golden;
use super::harness::{PATIENCE, Ran, World, example, parsed};
use super::writes::GRANTS;

/// A Saturday, in working hours if it were none.
const NOW: &str = "2026-07-04T10:00:00Z";
const MONDAY: &str = "2026-07-06T10:00:00Z";
const GRANT: &str = "grant_asset_role";
const REVOKE: &str = "revoke_asset_role";

/// What a policy says of a change that is supposed.
fn judge(guard: &Guard, tool: &str, supposed: &Value) -> VerdictRecord {
    let mut supposed: Supposed = serde_json::from_value(supposed.clone()).unwrap();
    let requester = supposed.requester.take().unwrap_or_else(|| "alice".to_owned());
    let requester = Requester::named(requester);
    let now = supposed.now(NOW.parse().unwrap());
    let changes_this_hour = supposed.changes_this_hour;
    let at = Circumstances { requester: &requester, changes_this_hour, now };
    let intent = supposed.intent(tool, now).unwrap();
    let explained = guard.explain(&intent, &at).policy;
    let judged = match guard.judge(intent, &at) {
        Verdict::Allow(permitted) => permitted.policy().clone(),
        Verdict::Ask(asked) => asked.policy().clone(),
        Verdict::Deny(denied) => {
            assert!(!denied.message.is_empty() && !denied.hint.is_empty());
            denied.policy.clone()
        }
    };
    assert_eq!(explained, judged, "an explanation explains the verdict");
    judged
}

/// One decision table: tool, what is supposed, verdict, deciding rules.
fn check(name: &str, guard: &Guard, table: &[(&str, Value, &str, &[&str])]) {
    for (tool, supposed, verdict, rules) in table {
        let policy = judge(guard, tool, supposed);
        assert_eq!(
            (policy.verdict, &policy.rules[..]),
            (*verdict, &strings(rules)[..]),
            "{name}: {tool} {supposed}"
        );
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn load(name: &str) -> Guard {
    Guard::load(Some(&example(name)), false).unwrap_or_else(|error| panic!("{error}"))
}

fn compile(text: &str) -> Guard {
    Guard::compile("test.cedar", text, false).unwrap_or_else(|error| panic!("{error}"))
}

/// What every policy that is handed out says, but the one that grants nothing.
fn common(asks: &str, rule: &str) -> Vec<(&'static str, Value, String, Vec<String>)> {
    let grants = |supposed: Value, verdict: &str, rules: &[&str]| {
        (GRANT, supposed, verdict.to_owned(), strings(rules))
    };
    vec![
        grants(json!({}), asks, &[rule]),
        grants(json!({ "privileged": "manages users" }), "deny", &["privileged-role"]),
        grants(json!({ "own": true }), "deny", &["own-identity"]),
        grants(
            json!({ "own": true, "privileged": "x" }),
            "deny",
            &["privileged-role", "own-identity"],
        ),
        // Undoing a revocation grants.
        grants(json!({ "undoes": "gr-1" }), asks, &[rule]),
        grants(json!({ "undoes": "gr-1", "privileged": "x" }), "deny", &["privileged-role"]),
        grants(json!({ "undoes": "gr-1", "own": true }), "deny", &["own-identity"]),
        // The end of a timed role can be the earlier one, whatever it was.
        grants(json!({ "ends": "gr-1", "privileged": "x" }), "allow", &["expire"]),
        (REVOKE, json!({}), asks.to_owned(), strings(&[rule])),
        (REVOKE, json!({ "own": true }), asks.to_owned(), strings(&[rule])),
        (REVOKE, json!({ "undoes": "gr-1" }), asks.to_owned(), strings(&[rule])),
        (REVOKE, json!({ "ends": "gr-1" }), "allow".to_owned(), strings(&["expire"])),
    ]
}

fn check_common(name: &str, guard: &Guard, plus: &Value, asks: &str, rule: &str) {
    for (tool, mut supposed, verdict, rules) in common(asks, rule) {
        let fields = supposed.as_object_mut().unwrap();
        for (key, value) in plus.as_object().unwrap() {
            fields.entry(key).or_insert(value.clone());
        }
        let policy = judge(guard, tool, &supposed);
        assert_eq!(
            (policy.verdict, policy.rules),
            (verdict.as_str(), rules),
            "{name}: {tool} {supposed}"
        );
    }
}

#[test]
fn the_built_in_policy_asks_for_every_change_and_grants_no_privilege() {
    let guard = Guard::load(None, false).unwrap();
    check_common("built in", &guard, &json!({}), "ask", "ask");
    for tool in TOOLS.iter().map(|tool| tool.spec) {
        let at = Circumstances {
            requester: &Requester::named("alice"),
            changes_this_hour: 0,
            now: NOW.parse().unwrap(),
        };
        match tool.effect {
            Effect::Grant | Effect::Revoke => {
                assert_eq!(judge(&guard, tool.name, &json!({})).verdict, "ask", "{}", tool.name);
            }
            Effect::Look => assert!(guard.look(tool.name, None, &at).is_ok(), "{}", tool.name),
            // It is judged as the change it makes, or as each of them.
            Effect::Undo | Effect::Set => {}
        }
    }
}

#[test]
fn automation_asks_nobody_and_grants_no_privilege_either() {
    check_common("automation", &load("automation"), &json!({}), "allow", "change");
}

#[test]
fn read_mostly_takes_away_and_never_grants() {
    check(
        "read-mostly",
        &load("read-mostly"),
        &[
            (GRANT, json!({}), "deny", &["no-grants"]),
            (GRANT, json!({ "undoes": "gr-1" }), "deny", &["no-grants"]),
            (GRANT, json!({ "ends": "gr-1" }), "allow", &["expire"]),
            (REVOKE, json!({}), "ask", &["ask-before-revoking"]),
            (REVOKE, json!({ "undoes": "gr-1" }), "ask", &["ask-before-revoking"]),
            (REVOKE, json!({ "ends": "gr-1" }), "allow", &["expire"]),
        ],
    );
}

#[test]
fn ticket_required_wants_a_ticket_for_what_it_grants() {
    let guard = load("ticket-required");
    check_common("ticket-required", &guard, &json!({ "reason": "OPS-7" }), "ask", "ask");
    check(
        "ticket-required",
        &guard,
        &[
            (GRANT, json!({}), "deny", &["ticket-required"]),
            (GRANT, json!({ "reason": "" }), "deny", &["ticket-required"]),
            (GRANT, json!({ "reason": "please" }), "deny", &["ticket-required"]),
            (GRANT, json!({ "reason": "ops-12" }), "deny", &["ticket-required"]),
            (GRANT, json!({ "reason": "see SEC-12, urgent" }), "ask", &["ask"]),
            (GRANT, json!({ "undoes": "gr-1" }), "deny", &["ticket-required"]),
            (REVOKE, json!({}), "ask", &["ask"]),
        ],
    );
}

#[test]
fn working_hours_are_those_of_utc() {
    let guard = load("working-hours");
    check_common("working-hours", &guard, &json!({ "now": MONDAY }), "ask", "ask");
    let at = |now: &str| json!({ "now": now });
    check(
        "working-hours",
        &guard,
        &[
            (GRANT, at(NOW), "deny", &["working-hours"]),
            (GRANT, at("2026-07-05T10:00:00Z"), "deny", &["working-hours"]),
            (GRANT, at("2026-07-06T07:59:59Z"), "deny", &["working-hours"]),
            (GRANT, at("2026-07-06T08:00:00Z"), "ask", &["ask"]),
            (GRANT, at("2026-07-10T17:59:59Z"), "ask", &["ask"]),
            (GRANT, at("2026-07-10T18:00:00Z"), "deny", &["working-hours"]),
            (GRANT, at("2026-07-10T19:30:00+02:00"), "ask", &["ask"]),
            (REVOKE, at(NOW), "ask", &["ask"]),
        ],
    );
}

#[test]
fn production_asks_and_ends_where_the_rest_does_not() {
    let guard = load("production-stricter");
    check_common("production-stricter", &guard, &json!({}), "allow", "change");
    let asked: &[&str] = &["ask-in-production"];
    let denied: &[&str] = &["production-ends"];
    let named = |name: &str, more: Value| {
        let mut supposed = json!({ "resource": { "id": "r-1", "name": name } });
        supposed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        supposed
    };
    let timely = json!({ "reason": "on call", "expires_in": "PT8H" });
    check(
        "production-stricter",
        &guard,
        &[
            (GRANT, named("Orders", json!({})), "allow", &["change"]),
            (GRANT, named("Orders prod", timely.clone()), "ask", asked),
            (GRANT, named("Production", timely.clone()), "ask", asked),
            (GRANT, named("Production", json!({ "reason": "on call" })), "deny", denied),
            (GRANT, named("Production", json!({ "expires_in": "PT8H" })), "deny", denied),
            (
                GRANT,
                named("Production", json!({ "reason": "x", "expires_in": "PT8H1S" })),
                "deny",
                denied,
            ),
            // Whatever the letters, and where there is no name, by the id.
            (GRANT, named("Orders PROD", json!({})), "deny", denied),
            (GRANT, named("ORDERS-PROD", json!({})), "deny", denied),
            (GRANT, named("Próducción", json!({})), "deny", denied),
            (GRANT, json!({ "resource": { "id": "/Harbor/Production" } }), "deny", denied),
            (REVOKE, named("PROD", json!({})), "ask", asked),
            (GRANT, json!({ "tenant": "prod.example.com" }), "deny", denied),
            (GRANT, json!({ "tenant": "staging.example.com" }), "allow", &["change"]),
            (REVOKE, named("Production", json!({})), "ask", asked),
        ],
    );
}

#[test]
fn a_cap_counts_what_the_call_itself_would_add() {
    let guard = load("cap-per-hour");
    check_common("cap-per-hour", &guard, &json!({ "changes_this_hour": 19 }), "ask", "ask");
    assert!(guard.counts_changes() && !load("ticket-required").counts_changes());
    let hidden = r#"@id("cap") forbid (principal, action, resource)
        when { action in Action::"grant" && context["changes\u{5f}this_hour"] > 9 };"#;
    assert!(compile(hidden).counts_changes(), "however the name is written");
    let after =
        |changes: u32, width: usize| json!({ "changes_this_hour": changes, "width": width });
    check(
        "cap-per-hour",
        &guard,
        &[
            (GRANT, after(20, 1), "deny", &["cap-per-hour"]),
            (GRANT, after(0, 20), "ask", &["ask"]),
            (GRANT, after(0, 21), "deny", &["cap-per-hour"]),
            (GRANT, after(u32::MAX, 1), "deny", &["cap-per-hour"]),
            (REVOKE, after(20, 1), "ask", &["ask"]),
        ],
    );
}

#[test]
fn service_accounts_are_granted_nothing_where_the_policy_says_so() {
    let guard = load("service-accounts-never");
    check_common("service-accounts-never", &guard, &json!({}), "ask", "ask");
    let kind = |kind: &str| json!({ "grantee": { "id": "x-1", "kind": kind } });
    check(
        "service-accounts-never",
        &guard,
        &[
            (GRANT, kind("service_account"), "deny", &["service-accounts-never"]),
            (GRANT, kind("token"), "deny", &["service-accounts-never"]),
            (GRANT, kind("group"), "ask", &["ask"]),
            (REVOKE, kind("token"), "ask", &["ask"]),
        ],
    );
}

#[test]
fn every_policy_that_is_handed_out_loads_and_has_a_table() {
    let folder = example("automation").parent().unwrap().to_owned();
    let names = std::fs::read_dir(&folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let of = |end: &str| -> Vec<String> {
        names.iter().filter_map(|name| Some(name.strip_suffix(end)?.to_owned())).collect()
    };
    let (policies, tables) = (of(".cedar"), of(".test.toml"));
    assert_eq!(policies, tables, "each has its table, and each table its policy");
    assert_eq!(policies.len() + tables.len(), names.len(), "{names:?}");
    assert!(policies.len() >= 16, "{policies:?}");
    let readme = include_str!("../../README.md");
    for name in policies {
        let guard = load(&name);
        assert_eq!(guard.warnings(), Vec::<String>::new(), "{name}");
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in the README");
        let text = std::fs::read_to_string(example(&name)).unwrap();
        let head: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//")).collect();
        let first = head.split(|line| line.trim().is_empty()).next().unwrap().concat();
        assert!(first.starts_with(" It does not stop"), "{name} begins with what it lets through");
        assert!(first.matches(" It does not ").count() == 2, "{name}: {first}");
    }
}

#[test]
fn the_rules_in_the_readme_load() {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```cedar\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<&str> = blocks.collect();
    for block in &blocks {
        compile(block);
    }
    let rule = blocks.iter().find(|block| block.contains("production-ends")).unwrap();
    let guard = compile(&format!("{rule}\n@id(\"all\") {PERMIT};"));
    for (resource, verdict) in [
        (json!({ "id": "r-1", "name": "Production" }), "deny"),
        (json!({ "id": "r-1", "name": "PROD" }), "deny"),
        (json!({ "id": "r-1", "name": "Orders PROD" }), "deny"),
        (json!({ "id": "ORDERS-PROD" }), "deny"),
        (json!({ "id": "/Harbor/Production" }), "deny"),
        (json!({ "id": "r-1", "name": "Orders" }), "allow"),
    ] {
        let supposed = json!({ "resource": resource });
        assert_eq!(judge(&guard, GRANT, &supposed).verdict, verdict, "{supposed}");
    }
}

const SET: &str = "set_asset_permissions";

fn row(name: &str, role: &str) -> Value {
    json!({ "grantee": { "id": name, "name": name }, "role": { "name": role } })
}

/// One harmless row beside another changes nothing about the other.
#[test]
fn a_call_for_several_is_judged_row_by_row() {
    let full = "@id(\"no-full\") @hint(\"not here\") forbid (principal, action in Action::\"grant\", resource)
        when { context.role has name && context.role.name == \"Full\" };";
    let any = "@id(\"all\") permit (principal, action in [Action::\"grant\", Action::\"revoke\"], resource);";
    let rows = |rows: &[Value]| json!({ "rows": rows });
    let both = rows(&[row("srivera", "Full"), row("akim", "View")]);
    let mut machine = row("bot", "View");
    machine["grantee"]["kind"] = json!("token");
    let machine = rows(&[row("akim", "View"), machine]);
    let mut taken = row("srivera", "Full");
    taken["loses"] = json!(true);
    let taken = rows(&[row("akim", "View"), taken]);
    let mut great = row("Everyone", "Full");
    great["privileged"] = json!("lets everybody grant access");
    let great = rows(&[row("akim", "View"), great]);
    let whole = |when: &str| {
        format!(
            "{any} @id(\"it\") forbid (principal, action in Action::\"grant\", resource) when {{ {when} }};"
        )
    };
    let check_one = |text: &str, supposed: &Value, verdict: &str, rules: &[&str]| {
        let policy = judge(&compile(text), SET, supposed);
        assert_eq!((policy.verdict, policy.rules), (verdict, strings(rules)), "{text} {supposed}");
    };
    let no_full = format!("{any} {full}");
    check_one(&no_full, &both, "deny", &["no-full"]);
    check_one(&no_full, &rows(&[row("a", "View"), row("b", "Modify")]), "allow", &["all"]);
    // Whoever is taken off is given nothing, and that is a revocation.
    check_one(&no_full, &taken, "allow", &["all"]);
    check_one(
        &format!("{any} @id(\"keep\") forbid (principal, action in Action::\"revoke\", resource);"),
        &taken,
        "deny",
        &["keep"],
    );
    check_one(
        "@id(\"grants\") permit (principal, action in Action::\"grant\", resource);",
        &taken,
        "deny",
        &[],
    );
    check_one(
        "@id(\"grants\") permit (principal, action in Action::\"grant\", resource);
         @id(\"asked\") @ask permit (principal, action in Action::\"revoke\", resource);",
        &taken,
        "ask",
        &["asked"],
    );
    check_one(&whole("context.grantee.kind == \"token\""), &machine, "deny", &["it"]);
    check_one(
        &whole("context.grantee.id == \"akim\" && context.privileged"),
        &great,
        "allow",
        &["all"],
    );
    check_one(
        &whole("context.grantee.id == \"Everyone\" && context.privileged"),
        &great,
        "deny",
        &["it"],
    );
    // Counted is the whole call, and so are those it is for.
    check_one(&whole("context.width > 1"), &both, "deny", &["it"]);
    check_one(
        &whole("context.grantees.contains(\"akim\") && context.role.folded like \"full*\""),
        &both,
        "deny",
        &["it"],
    );
    check_one(&whole("context.after == [\"View on something\"]"), &both, "deny", &["it"]);
    // A rule that speaks of several is about the call as a whole, a permit too.
    check_one(&whole("context.grantee.kind == \"several\""), &both, "deny", &["it"]);
    let alone = "@id(\"alone\") permit (principal, action in Action::\"grant\", resource) unless { context.grantee.kind == \"several\" };";
    check_one(alone, &both, "deny", &[]);
    // What each may be given alone, they may be given together.
    let views = "@id(\"views\") permit (principal, action in Action::\"grant\", resource) when { context.role has name && context.role.name == \"View\" };";
    check_one(views, &rows(&[row("a", "View"), row("b", "View")]), "allow", &["views"]);
    check_one(views, &both, "deny", &[]);
    let now = NOW.parse().unwrap();
    let at = Circumstances { requester: &Requester::named("alice"), changes_this_hour: 0, now };
    let supposed: Supposed = serde_json::from_value(both).unwrap();
    let Verdict::Deny(denied) = compile(&no_full).judge(supposed.intent(SET, now).unwrap(), &at)
    else {
        panic!()
    };
    let said = "“Full” for “srivera”: the policy forbids this (rule no-full)";
    assert_eq!((denied.message.as_str(), denied.hint.as_str()), (said, "not here"));
}

proptest::proptest! {
    // Each case compiles a policy, which takes a tenth of a second in a debug build.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whoever is put beside somebody else, what is said of the one is never less strict.
    #[test]
    fn no_row_is_judged_less_strictly_for_standing_beside_others(
        parts in proptest::collection::vec((0..3_usize, 0..3_usize, 0..3_usize, proptest::bool::ANY), 1..6),
        rules in proptest::sample::subsequence(RULES.to_vec(), 1..RULES.len()),
    ) {
        let guard = compile(&rules.concat());
        let row = |&(name, role, kind, loses): &(usize, usize, usize, bool)| json!({
            "grantee": { "id": (["ada", "ben", "eve"][name]), "kind": (["user", "group", "token"][kind]) },
            "role": { "name": (["View", "Modify", "Full"][role]) },
            "loses": loses,
        });
        let rank = |rows: Vec<Value>| {
            let verdict = judge(&guard, SET, &json!({ "rows": rows })).verdict;
            ["allow", "ask", "deny"].iter().position(|known| *known == verdict).unwrap()
        };
        let together = rank(parts.iter().map(row).collect());
        // No list can be set that only takes away, so that what takes is judged beside what gives.
        for part in parts.iter().filter(|(_, _, _, loses)| !loses) {
            proptest::prop_assert!(together >= rank(vec![row(part)]), "{part:?}");
            for taken in parts.iter().filter(|(_, _, _, loses)| *loses) {
                proptest::prop_assert!(together >= rank(vec![row(taken), row(part)]), "{part:?}");
            }
        }
    }
}

const RULES: [&str; 7] = [
    "@id(\"grants\") permit (principal, action in Action::\"grant\", resource);",
    "@id(\"revokes\") permit (principal, action in Action::\"revoke\", resource);",
    "@id(\"asks\") @ask permit (principal, action, resource is Resource) when { context.role.id == \"Modify\" };",
    "@id(\"ada\") permit (principal, action in Action::\"grant\", resource) when { context.grantee.id == \"ada\" };",
    "@id(\"full\") forbid (principal, action in Action::\"grant\", resource) when { context.role.id == \"Full\" };",
    "@id(\"tokens\") forbid (principal, action, resource is Resource) when { context.grantee.kind == \"token\" };",
    "@id(\"several\") forbid (principal, action, resource is Resource) when { context.grantee.kind == \"several\" };",
];

/// The assistant chooses who stands in a call: a second one takes no rule away from the first.
#[tokio::test]
async fn a_list_with_one_who_may_not_be_given_it_is_refused_whole() {
    let rules = "@id(\"all\") permit (principal, action in [Action::\"grant\", Action::\"revoke\"], resource);
        @id(\"no-full\") forbid (principal, action in Action::\"grant\", resource)
        when { context.role has name && context.role.name == \"Full\" };";
    let (world, _) = world(rules).await;
    let both = r#"{"asset": "BillingService", "userGroupAssetPermission": [
        {"user": "HARBOR\\srivera", "permission": "Full"},
        {"user": "HARBOR\\akim", "permission": "View"}]}"#;
    let ran = world.run(&["call", SET, both]).await;
    let body = parsed(&ran.stdout);
    assert_eq!((ran.status, &body["outcome"]), (1, &json!("refused")), "{body:#}");
    assert_eq!(body["policy"], json!({ "verdict": "deny", "rules": ["no-full"] }), "{body:#}");
    let summary = body["summary"].as_str().unwrap();
    assert!(summary.contains("Full") && summary.contains("srivera"), "{body:#}");
    assert!(world.writes().is_empty());
    let ran = world.run(&["policy", "explain", SET, both]).await;
    let rows = &parsed(&ran.stdout)["judged"][0]["rows"];
    let verdict = |level: &str| {
        let mut each = rows.as_array().unwrap().iter();
        let row = each.find(|row| row["summary"].as_str().unwrap().contains(level));
        row.unwrap_or_else(|| panic!("{rows:#}"))["policy"]["verdict"].clone()
    };
    assert_eq!(
        (ran.status, verdict("“Full”"), verdict("“View”")),
        (1, json!("deny"), json!("allow")),
        "{rows:#}"
    );
}

#[test]
fn a_policy_has_a_hash_that_its_text_alone_decides() {
    let text = format!("@id(\"one\")\n{PERMIT};\n");
    let hash = |file: &str, text: &str, read_only: bool| {
        Guard::compile(file, text, read_only).unwrap().hash().to_owned()
    };
    let one = hash("one.cedar", &text, false);
    assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    assert_eq!(hash("two.cedar", &text, true), one);
    assert_ne!(hash("one.cedar", &format!("{text}// Another comment.\n"), false), one);
    let built_in = Guard::load(None, false).unwrap();
    assert_eq!(built_in.hash(), Guard::built_in(true).hash());
    assert_ne!(built_in.hash(), one);
}

/// The groups of actions are what the tools do, and a rule for one of them is about no other.
#[test]
fn every_tool_is_an_action_in_its_group() {
    let group = |name: &str| {
        compile(&format!("@id(\"it\") permit (principal, action in Action::{name:?}, resource);"))
    };
    let (looks, grants, revokes) = (group("look"), group("grant"), group("revoke"));
    let (undos, ends) = (group("undo"), group("expire"));
    let at = Circumstances {
        requester: &Requester::named("alice"),
        changes_this_hour: 0,
        now: NOW.parse().unwrap(),
    };
    for spec in TOOLS.iter().map(|tool| tool.spec) {
        let (granting, revoking) = (spec.effect == Effect::Grant, spec.effect == Effect::Revoke);
        if !granting && !revoking {
            assert_eq!(looks.look(spec.name, None, &at).is_ok(), spec.effect == Effect::Look);
            assert!(grants.look(spec.name, None, &at).is_err(), "{}", spec.name);
            continue;
        }
        let allows =
            |guard: &Guard, supposed: Value| judge(guard, spec.name, &supposed).verdict == "allow";
        assert_eq!(allows(&grants, json!({})), granting, "{}", spec.name);
        assert_eq!(allows(&revokes, json!({})), revoking, "{}", spec.name);
        assert!(!allows(&undos, json!({})) && !allows(&ends, json!({})), "{}", spec.name);
        let undoing = json!({ "undoes": "gr-1" });
        assert!(allows(&undos, undoing.clone()) && !allows(&ends, undoing.clone()));
        assert_eq!(allows(&grants, undoing.clone()), granting, "{}", spec.name);
        assert_eq!(allows(&revokes, undoing), revoking, "{}", spec.name);
        let ending = json!({ "ends": "gr-1" });
        assert!(allows(&ends, ending.clone()) && !allows(&undos, ending.clone()));
        assert!(!allows(&grants, ending.clone()) && !allows(&revokes, ending), "{}", spec.name);
    }
}

/// The schema that Grantor reads at its start is the one that people read.
#[test]
fn the_schema_is_the_same_in_both_its_forms() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let text = std::fs::read_to_string(folder.join("grantor.cedarschema")).unwrap();
    let (schema, _) = SchemaFragment::from_cedarschema_str(&text).unwrap();
    let mut schema = schema.to_json_value().unwrap();
    name_kinds(&mut schema);
    schema.sort_all_objects();
    let read = folder.join("grantor.cedarschema.json");
    if golden::updating() {
        std::fs::write(read, format!("{schema:#}\n")).unwrap();
        return;
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(read).unwrap()).unwrap();
    assert_eq!(kept, schema, "{}", golden::how("policy::the_schema"));
}

/// The kind of each group of actions, as a name that Cedar need not parse: at a start that takes as long as the rules do.
fn name_kinds(schema: &mut Value) {
    let actions = schema.pointer_mut("//actions").and_then(Value::as_object_mut).unwrap();
    let groups =
        actions.values_mut().filter_map(|action| action.get_mut("memberOf")?.as_array_mut());
    for group in groups.flatten() {
        group.as_object_mut().unwrap().entry("type").or_insert_with(|| json!("Action"));
    }
}

/// What is written of a change in the schema is what a rule sees.
#[test]
fn a_rule_sees_what_the_change_is() {
    let supposed = json!({
        "grantee": { "id": "u-1", "name": "Sam Rivera", "kind": "user" },
        "role": { "id": "r-1", "name": "Developer" },
        "permissions": ["Change", "Deploy"],
        "resource": { "id": "a-1", "name": "Orders", "kind": "asset" },
        "holds": [{ "role": "Tester", "resource": "Billing" }],
        "tenant": "portal.example.com",
        "tenant_name": "odc-prod",
        "width": 3,
        "reason": "OPS-1",
        "client": "some-client 1.0",
        "expires_in": "PT90S",
        "changes_this_hour": 4,
        "requester": "bob",
        "now": "2026-07-06T09:05:00Z",
    });
    for so in [
        r#"principal == Requester::"bob""#,
        r#"resource == Resource::"outsystems:asset:a-1""#,
        r#"resource.vendor == "outsystems" && resource.kind == "asset" && resource.id == "a-1""#,
        r#"resource has name && resource.name == "Orders""#,
        r#"resource.tenant == "portal.example.com""#,
        r#"context.tool == "grant_asset_role" && context.effect == "grant""#,
        r#"context.tenant == "odc-prod""#,
        r#"context.grantee.id == "u-1" && context.grantee.kind == "user""#,
        r#"context.grantee has name && context.grantee.name == "Sam Rivera""#,
        r#"context.grantees.containsAll(["u-1", "Sam Rivera"]) && context.kinds == ["user"]"#,
        r#"context.role.id == "r-1" && context.role has name && context.role.name == "Developer""#,
        r#"context.role.permissions == ["Deploy", "Change"]"#,
        "context.privileged == false && !(context has privilege) && !context.own",
        r#"context.scope == "asset" && context.width == 3 && !context.wide"#,
        r#"context.before == ["Tester on Billing"]"#,
        r#"context.after == ["Tester on Billing", "Developer on Orders"]"#,
        "context has expires_in_minutes && context.expires_in_minutes == 2",
        r#"context has reason && context.reason == "OPS-1""#,
        r#"context has client && context.client == "some-client 1.0""#,
        "context.changes_this_hour == 4 && !(context has undoes) && !(context has ends)",
        "context.now.date == 20260706 && context.now.hour == 9 && context.now.minute == 5",
        "context.now.weekday == 1",
        // The same names, written so that they are not found in the text.
        r#"context["\u{77}idth"] == 3 && context has "\u{72}eason" && resource has "n\x61me""#,
    ] {
        let text = format!(
            "@id(\"it\") permit (principal, action in Action::\"grant\", resource) when {{ {so} }};"
        );
        assert_eq!(judge(&compile(&text), GRANT, &supposed).verdict, "allow", "{so}");
        let not = text.replace("when {", "unless {");
        assert_eq!(judge(&compile(&not), GRANT, &supposed).verdict, "deny", "{so}");
    }
}

#[test]
fn what_reaches_far_is_typed_out_by_the_person_who_approves() {
    let text = r#"@id("it") @ask permit (principal, action in Action::"grant", resource);"#;
    for (supposed, typed) in [
        (json!({}), false),
        (json!({ "width": 10 }), false),
        (json!({ "width": 11 }), true),
        (json!({ "scope": "organization" }), true),
        (json!({ "scope": "environment" }), false),
        (json!({ "privileged": "manages users" }), true),
    ] {
        let supposed: Supposed = serde_json::from_value(supposed).unwrap();
        let now = NOW.parse().unwrap();
        let at = Circumstances { requester: &Requester::named("alice"), changes_this_hour: 0, now };
        let shown = format!("{supposed:?}");
        let intent = supposed.intent(GRANT, now).unwrap();
        let Verdict::Ask(asked) = compile(text).judge(intent, &at) else { panic!("{shown}") };
        assert_eq!(asked.typed(), typed, "{shown}");
    }
}

/// One permit that asks outweighs any number that do not; what it says is handed on.
#[test]
fn a_question_outweighs_a_yes_and_a_no_outweighs_both() {
    let rules = r#"
        @id("all") permit (principal, action in Action::"grant", resource);
        @id("some") @ask("Is it so?") permit (principal, action in Action::"grant", resource)
        when { context.width > 1 };
        @id("more") @ask permit (principal, action in Action::"grant", resource)
        when { context.width > 2 };
        @id("none") @hint("not so many") forbid (principal, action in Action::"grant", resource)
        when { context.width > 3 };
    "#;
    let width = |width: usize| json!({ "width": width });
    check(
        "weights",
        &compile(rules),
        &[
            (GRANT, width(1), "allow", &["all"]),
            (GRANT, width(2), "ask", &["some"]),
            (GRANT, width(3), "ask", &["some", "more"]),
            (GRANT, width(4), "deny", &["none"]),
            (REVOKE, width(1), "deny", &[]),
        ],
    );
    let now = NOW.parse().unwrap();
    let at = Circumstances { requester: &Requester::named("alice"), changes_this_hour: 0, now };
    let intent = |width: usize| {
        serde_json::from_value::<Supposed>(json!({ "width": width }))
            .unwrap()
            .intent(GRANT, now)
            .unwrap()
    };
    let Verdict::Ask(asked) = compile(rules).judge(intent(3), &at) else { panic!() };
    assert_eq!(asked.why(), "Is it so?");
    let Verdict::Deny(denied) = compile(rules).judge(intent(4), &at) else { panic!() };
    assert_eq!(denied.hint, "not so many");
    assert!(denied.message.contains("none"), "{}", denied.message);
}

/// Cedar leaves a rule out that fails; a forbid that is left out would be a yes.
#[test]
fn a_rule_that_cannot_be_evaluated_denies() {
    for broken in [
        "forbid (principal, action in Action::\"grant\", resource) when",
        "permit (principal, action in Action::\"grant\", resource) when",
    ] {
        let text = format!(
            "@id(\"all\") permit (principal, action in Action::\"grant\", resource);\n\
             @id(\"broken\") {broken} {{ context.width + 9223372036854775807 > 0 }};"
        );
        let guard = compile(&text);
        let policy = judge(&guard, GRANT, &json!({}));
        assert_eq!((policy.verdict, &policy.rules[..]), ("deny", &strings(&["broken"])[..]));
    }
}

#[test]
fn read_only_is_above_every_policy() {
    let guard = Guard::load(Some(&example("automation")), true).unwrap();
    for (tool, supposed) in
        [(GRANT, json!({})), (REVOKE, json!({})), (REVOKE, json!({ "ends": "gr-1" }))]
    {
        let policy = judge(&guard, tool, &supposed);
        assert_eq!((policy.verdict, &policy.rules[..]), ("deny", &strings(&["read-only"])[..]));
    }
}

/// A world with a policy of its own, and where that is.
async fn world(text: &str) -> (World, PathBuf) {
    let world = World::new().await;
    let path = world.path("own.cedar");
    std::fs::write(&path, text).unwrap();
    (world.set("GRANTOR_POLICY", path.to_str().unwrap()), path)
}

const PERMIT: &str = "permit (principal, action in Action::\"grant\", resource)";

/// Text, the line that is at fault, and what is said of it.
fn mistakes() -> Vec<(String, usize, &'static str)> {
    let after = |text: &str| format!("@id(\"one\")\n{PERMIT};\n\n{text}\n");
    vec![
        (after(&format!("{PERMIT};")), 4, "no @id"),
        (after(&format!("@id\n{PERMIT};")), 4, "no @id"),
        (after(&format!("@id(\"one\")\n{PERMIT};")), 4, "line 1"),
        (after(&format!("@id(\"a rule\")\n{PERMIT};")), 4, "letters"),
        (after(&format!("@id(\"read-only\")\n{PERMIT};")), 4, "Grantor's own"),
        (after(&format!("@id(\"two\") @aks\n{PERMIT};")), 4, "@aks"),
        (
            after("@id(\"two\") @ask\nforbid (principal, action in Action::\"grant\", resource);"),
            4,
            "@ask",
        ),
        (after(&format!("@id(\"two\") @hint(\"x\")\n{PERMIT};")), 4, "@hint"),
        (
            after(&format!("@id(\"two\")\n{PERMIT}\nwhen {{ context.width == \"3\" }};")),
            6,
            "not compatible",
        ),
        (
            after(&format!("@id(\"two\")\n{PERMIT}\nwhen {{\n  context.privlieged\n}};")),
            7,
            "privlieged",
        ),
        (
            after(&format!("@id(\"two\")\n{PERMIT}\nwhen {{ context.reason == \"x\" }};")),
            6,
            "has reason",
        ),
        (after(&format!("@id(\"two\")\n{PERMIT}\nwhen {{ false }};")), 4, "impossible"),
        (
            after("@id(\"two\")\npermit (principal, action in Action::\"grnat\", resource);"),
            5,
            "grnat",
        ),
        (after("@id(\"two\")\npermit (principal == User::\"x\", action, resource);"), 5, "User"),
        (
            after(
                "@id(\"two\")\npermit (principal == ?principal, action in Action::\"grant\", resource);",
            ),
            4,
            "?principal",
        ),
        (after(&format!("@id(\"two\")\n{PERMIT}")), 5, "unexpected end"),
        (after("@id(\"two\")\nallow (principal, action, resource);"), 5, "allow"),
    ]
}

#[tokio::test]
async fn a_policy_with_a_mistake_stops_the_server_and_names_the_line() {
    for (text, line, says) in mistakes() {
        let (world, path) = world(&text).await;
        let place = format!("{}:{line}: ", path.display());
        for arguments in [&["serve"][..], &["policy", "check"]] {
            let ran = world.run(arguments).await;
            assert_eq!(ran.status, 1, "{text}: {ran:#?}");
            assert!(ran.stdout.is_empty(), "{text}: {ran:#?}");
            assert!(ran.stderr.contains(&place), "{place} {text}: {}", ran.stderr);
            assert!(ran.stderr.contains(says), "{says:?} {text}: {}", ran.stderr);
        }
        assert!(world.sandbox.journal().is_empty());
    }
}

#[tokio::test]
async fn a_policy_that_is_not_there_or_says_nothing_stops_the_server_too() {
    for text in ["", "// nothing\n"] {
        let (world, path) = world(text).await;
        let ran = world.run(&["serve"]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains(path.to_str().unwrap()), "{}", ran.stderr);
    }
    let world = World::new().await.set("GRANTOR_POLICY", "/nowhere.cedar");
    let ran = world.run(&["serve"]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stderr.contains("/nowhere.cedar"), "{}", ran.stderr);
    let ran = world.run(&["doctor"]).await;
    assert!(ran.status == 1 && ran.stdout.contains("/nowhere.cedar"), "{ran:#?}");
}

#[tokio::test]
async fn every_mistake_is_listed_at_once() {
    let text = format!("{PERMIT};\n{PERMIT};\n@id(\"x\") @y\n{PERMIT};\n");
    let (world, path) = world(&text).await;
    let ran = world.run(&["policy", "check"]).await;
    let places: Vec<bool> =
        (1..=3).map(|line| ran.stderr.contains(&format!("{}:{line}: ", path.display()))).collect();
    assert_eq!(places, [true; 3], "{}", ran.stderr);
}

/// What a grant comes to, by a new process.
async fn grant(world: &World, flags: &[&str]) -> (Ran, Value) {
    let mut line = vec!["call", GRANTS[0].tool, GRANTS[0].arguments];
    line.extend(flags);
    let ran = world.run(&line).await;
    let body = parsed(&ran.stdout);
    (ran, body)
}

#[tokio::test]
async fn a_file_that_changes_changes_nothing_for_a_server_that_runs() {
    let (world, path) = world(&std::fs::read_to_string(example("automation")).unwrap()).await;
    let server = world.serve().await;
    // Tools are listed once the server serves, so that the first policy is the one it has read.
    server.tools().await;
    std::fs::copy(example("read-mostly"), &path).unwrap();
    let answer = server.call(GRANTS[1].tool, parsed(GRANTS[1].arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    std::fs::remove_file(&path).unwrap();
    let answer = server.call(GRANTS[3].tool, parsed(GRANTS[3].arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    std::fs::copy(example("read-mostly"), &path).unwrap();
    let (ran, body) = grant(&world, &[]).await;
    assert_eq!((ran.status, &body["outcome"]), (1, &json!("refused")), "{body:#}");
    assert_eq!(body["policy"], json!({ "verdict": "deny", "rules": ["no-grants"] }));
    assert!(body["hint"].as_str().unwrap().contains("console"), "{body:#}");
}

#[tokio::test]
async fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let world = World::new().await;
    let config = world.path("config.toml");
    std::fs::copy(example("read-mostly"), world.path("beside.cedar")).unwrap();
    // Beside the file, wherever the process was started.
    std::fs::write(&config, "[grantor]\npolicy = \"beside.cedar\"\n").unwrap();
    let world = world.set("GRANTOR_CONFIG", config.to_str().unwrap());
    let automation = example("automation");
    let (_, body) = grant(&world, &["--dry-run"]).await;
    assert_eq!(body["policy"]["rules"], json!(["change"]), "{body:#}");
    let world = world.set("GRANTOR_POLICY", "");
    let (_, body) = grant(&world, &["--dry-run"]).await;
    assert_eq!(body["policy"]["rules"], json!(["no-grants"]), "{body:#}");
    let (_, body) = grant(&world, &["--dry-run", "--policy", automation.to_str().unwrap()]).await;
    assert_eq!(body["policy"]["rules"], json!(["change"]), "{body:#}");
}

#[tokio::test]
async fn without_a_policy_a_dry_run_says_that_a_person_is_asked() {
    let world = World::new().await.set("GRANTOR_POLICY", "");
    let (ran, body) = grant(&world, &["--dry-run"]).await;
    assert_eq!((ran.status, &body["outcome"]), (0, &json!("preview")), "{body:#}");
    assert_eq!(body["policy"], json!({ "verdict": "ask", "rules": ["ask"] }));
    assert!(world.writes().is_empty() && world.ledger().is_empty());
}

#[tokio::test]
async fn no_policy_loosens_read_only() {
    let world = World::new().await.argument("--read-only");
    let automation = example("automation");
    let (ran, body) = grant(&world, &["--policy", automation.to_str().unwrap()]).await;
    assert_eq!((ran.status, &body["outcome"]), (1, &json!("refused")), "{body:#}");
    assert!(world.writes().is_empty());
}

/// A name says nothing: these hold what makes an administrator one.
#[tokio::test]
async fn a_role_that_is_only_called_otherwise_is_privileged_all_the_same() {
    for (tool, arguments, holds) in [
        (
            "grant_asset_role",
            r#"{"userKey": "user@example.com", "roleKey": "Release Manager", "assetKeys": ["Orders"]}"#,
            "Release Manager",
        ),
        (
            "assign_permission",
            r#"{"permissionId": "Access Manager", "identityId": "user@example.com"}"#,
            "Access Manager",
        ),
    ] {
        for policy in ["", example("automation").to_str().unwrap()] {
            let world = World::new().await.set("GRANTOR_POLICY", policy);
            let ran = world.run(&["call", tool, arguments, "--dry-run"]).await;
            let body = parsed(&ran.stdout);
            assert_eq!(body["outcome"], "refused", "{body:#}");
            let policy = json!({ "verdict": "deny", "rules": ["privileged-role"] });
            assert_eq!(body["policy"], policy, "{body:#}");
            assert!(body["summary"].as_str().unwrap().contains(holds), "{body:#}");
            assert!(body["hint"].as_str().unwrap().contains("administrator"), "{body:#}");
            assert!(world.writes().is_empty());
        }
    }
}

#[tokio::test]
async fn who_may_not_look_is_told_before_any_vendor_is_asked() {
    let (world, _) = world(&format!("@id(\"grants\")\n{PERMIT};\n")).await;
    let answer = world.serve().await.call("list_roles", json!({})).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.is_error && answer.summary().contains("no rule"), "{:#}", answer.body);
    assert!(world.sandbox.journal().is_empty());
    // What is looked up for a change is part of the change.
    let (_, body) = grant(&world, &[]).await;
    assert_eq!(body["outcome"], "confirmed", "{body:#}");
}

#[tokio::test]
async fn changes_are_counted_where_a_rule_asks() {
    let cap = "@id(\"cap\") forbid (principal, action in Action::\"grant\", resource)\n\
               when { context.changes_this_hour + context.width > 1 };";
    let (world, _) = world(&format!("@id(\"all\")\n{PERMIT};\n{cap}\n")).await;
    let (_, body) = grant(&world, &[]).await;
    assert_eq!(body["outcome"], "confirmed", "{body:#}");
    let ran = world.run(&["call", GRANTS[1].tool, GRANTS[1].arguments]).await;
    let body = parsed(&ran.stdout);
    assert_eq!(body["outcome"], "refused", "{body:#}");
    assert_eq!(body["policy"]["rules"], json!(["cap"]));
    // The items of one call count too, before any of them is sent.
    let (world, _) = self::world(&format!("@id(\"all\")\n{PERMIT};\n{cap}\n")).await;
    let two = r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders", "Billing"]}"#;
    let ran = world.run(&["call", GRANTS[0].tool, two]).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "refused", "{}", ran.stdout);
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn a_policy_is_listed_rule_by_rule() {
    let world = World::new().await.set("GRANTOR_POLICY", "");
    let ran = world.run(&["policy", "check"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let firsts: Vec<Vec<&str>> =
        ran.stdout.lines().skip(1).map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(
        firsts,
        [
            ["permit", "look"],
            ["ask", "ask"],
            ["permit", "expire"],
            ["forbid", "privileged-role"],
            ["forbid", "own-identity"],
        ]
    );
    assert!(ran.stdout.contains("an administrator grants it"), "{}", ran.stdout);
    let named = example("ticket-required");
    let ran = world.run(&["policy", "check", named.to_str().unwrap()]).await;
    assert!(ran.status == 0 && ran.stdout.contains("ticket-required"), "{ran:#?}");
}

/// Of several, whichever is asked about or denied: the whole call is, and the answer says by which rule.
#[tokio::test]
async fn the_strictest_verdict_on_one_of_several_is_that_of_the_call() {
    let assets = ["Orders", "Billing", "Customer Portal"];
    let call = json!({ "userKey": "user@example.com", "roleKey": "Tester", "assetKeys": assets });
    for asset in assets {
        for (head, verdict, outcome) in
            [("@ask permit", "ask", "awaiting_consent"), ("forbid", "deny", "refused")]
        {
            let rules = format!(
                "@id(\"all\")\n{PERMIT};\n@id(\"one\") {head} (principal, action in Action::\"grant\", \
                 resource)\nwhen {{ resource has name && resource.name == {asset:?} }};\n"
            );
            let (world, _) = world(&rules).await;
            let preview = world.run(&["call", GRANT, &call.to_string(), "--dry-run"]).await;
            let policy = json!({ "verdict": verdict, "rules": ["one"] });
            let preview = parsed(&preview.stdout);
            assert_eq!(preview["policy"], policy, "{asset}: {preview:#}");
            let body = parsed(&world.run(&["call", GRANT, &call.to_string()]).await.stdout);
            assert_eq!(
                (&body["outcome"], &body["policy"]),
                (&json!(outcome), &policy),
                "{asset}: {body:#}"
            );
            assert!(world.writes().is_empty());
        }
    }
}

/// How `policy explain` ends, and what it says of one rule.
async fn explain(arguments: &[&str], ends: i32, rule: &str) -> Value {
    let world = World::new().await.set("GRANTOR_POLICY", "");
    let mut line = vec!["policy", "explain"];
    line.extend(arguments);
    let ran = world.run(&line).await;
    assert_eq!(ran.status, ends, "{arguments:?}: {ran:#?}");
    assert!(world.writes().is_empty() && world.ledger().is_empty(), "nothing comes of it");
    let body = parsed(&ran.stdout);
    let rules = body["judged"][0]["rules"].as_array().cloned().unwrap_or_default();
    rules.into_iter().find(|known| known["id"] == rule).unwrap_or(body)
}

#[tokio::test]
async fn a_change_is_explained_rule_by_rule() {
    let ask = explain(&[GRANTS[0].tool, GRANTS[0].arguments], 3, "ask").await;
    assert_eq!(ask["satisfied"], true, "{ask:#}");
    let privileged = explain(&[GRANTS[0].tool, GRANTS[0].arguments], 3, "privileged-role").await;
    assert_eq!(privileged["satisfied"], false, "{privileged:#}");
    assert!(privileged["why"].as_str().unwrap().contains("context.privileged"), "{privileged:#}");
    let manager = r#"{"permissionId": "Access Manager", "identityId": "user@example.com"}"#;
    let privileged = explain(&["assign_permission", manager], 1, "privileged-role").await;
    assert_eq!(privileged["satisfied"], true, "{privileged:#}");
    // A name that means nothing is never judged.
    let nobody = r#"{"permissionId": "Access Manager", "identityId": "nobody"}"#;
    let body = explain(&["assign_permission", nobody], 4, "ask").await;
    assert_eq!(body["answer"]["outcome"], "invalid", "{body:#}");
    assert_eq!(body["judged"], json!([]));
}

#[tokio::test]
async fn a_change_can_be_supposed_where_there_is_no_vendor() {
    let ending = r#"{"ends": "gr-1"}"#;
    let expire = explain(&[REVOKE, "--offline", ending], 0, "expire").await;
    assert_eq!(expire["satisfied"], true, "{expire:#}");
    let look = explain(&[GRANT, "--offline", "{}"], 3, "look").await;
    assert!(look["why"].as_str().unwrap().contains("other"), "{look:#}");
    let flag = example("ticket-required");
    let supposed = r#"{"reason": "please"}"#;
    let arguments = [GRANT, "--offline", supposed, "--policy", flag.to_str().unwrap()];
    let ticket = explain(&arguments, 1, "ticket-required").await;
    assert_eq!(ticket["satisfied"], true, "{ticket:#}");
    let supposed = r#"{"reason": "OPS-1"}"#;
    let arguments = [GRANT, "--offline", supposed, "--policy", flag.to_str().unwrap()];
    let ticket = explain(&arguments, 3, "ticket-required").await;
    assert!(ticket["why"].as_str().unwrap().contains("context.reason like"), "{ticket:#}");
    let world = World::new().await;
    for (arguments, ends, says) in [
        (&["policy", "explain", "undo_change", "gr-1", "--offline"][..], 2, "undo_change"),
        (&["policy", "explain", "list_roles"], 2, "list_roles"),
        (&["policy", "explain", GRANT, "[]"], 2, "JSON object"),
        (&["policy", "explain", GRANT, "--offline", r#"{"grante": 1}"#], 2, "grante"),
        (&["policy", "explain", GRANT, "--offline", "own=maybe"], 2, "own is of another kind"),
    ] {
        let ran = world.run(arguments).await;
        assert_eq!(ran.status, ends, "{arguments:?}: {ran:#?}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    assert!(world.sandbox.journal().is_empty());
}

/// As many conditions as nobody writes by hand are judged like any others.
#[test]
fn a_rule_of_a_thousand_conditions_is_judged() {
    let many = r#"when { context.role.id != "x" } "#.repeat(1_000);
    let text = format!(
        r#"@id("all") permit (principal, action, resource);
        @id("other") forbid (principal, action, resource) when {{ context has ends }};
        @id("many") forbid (principal, action, resource) {many};"#
    );
    let text =
        text.replace("action, resource) when", "action in Action::\"grant\", resource) when");
    let policy = judge(&compile(&text), GRANT, &json!({}));
    assert_eq!((policy.verdict, policy.rules), ("deny", vec!["many".to_owned()]));
}

/// What is to be known of rules is said once the client has been greeted, while it is served; and before the end
/// where it leaves without a greeting.
#[tokio::test]
async fn a_server_says_what_is_to_be_known_of_its_rules_and_nobody_waits_for_it() {
    const SAID: &str = "policy: line 1: freeze names no action";
    let rules = r#"@id("freeze") forbid (principal == Requester::"ada", action, resource);
@id("all") permit (principal, action, resource);
"#;
    for is_greeted in [true, false] {
        let world = World::new().await;
        let path = world.path("mine.cedar");
        std::fs::write(&path, rules).unwrap();
        let world = world.set("GRANTOR_POLICY", path.to_str().unwrap());
        let mut server = world.serve_raw_logged();
        if is_greeted {
            server.hello("2025-11-25").await;
            let said = async {
                while !world.stderr().contains(SAID) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(PATIENCE, said).await.expect("it is said while it serves");
        }
        assert_eq!(server.finish().await.0, 0);
        assert_eq!(world.stderr().matches(SAID).count(), 1, "{}", world.stderr());
    }
}

/// A question that a rule puts about looking is nobody's: looks pass, and the rule is named as the
/// policy loads; so is a forbid that stops more than its author thought of.
#[tokio::test]
async fn rules_that_say_more_than_they_seem_to_are_named() {
    let world = World::new().await;
    let path = world.path("mine.cedar");
    let rules = r#"@id("look") permit (principal, action in Action::"look", resource);
@id("all")
@ask("a person approves")
permit (principal, action, resource);
@id("freeze") forbid (principal == Requester::"ada", action, resource);
@id("ends") permit (principal, action == Action::"expire", resource);
"#;
    std::fs::write(&path, rules).unwrap();
    let world = world.set("GRANTOR_POLICY", path.to_str().unwrap());
    let ran = world.run(&["policy", "check", path.to_str().unwrap()]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    for said in ["line 2: all asks about looking too", "line 5: freeze names no action"] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    for unsaid in ["look asks", "ends names"] {
        assert!(!ran.stderr.contains(unsaid), "{}", ran.stderr);
    }
    let looked = world.run(&["call", "list_roles", r#"{"vendor": "redox"}"#]).await;
    assert_eq!(looked.status, 0, "{looked:#?}");
    assert!(!parsed(&looked.stdout)["rows"].as_array().unwrap().is_empty());
    let asked = json!({ "userKey": "user@example.com", "roleKey": "Tester",
        "assetKeys": ["Billing"] });
    let asked = world.run(&["call", "grant_asset_role", &asked.to_string()]).await;
    assert_eq!(parsed(&asked.stdout)["outcome"], "awaiting_consent", "{asked:#?}");
}

/// What everybody's policy says, and nothing is found in.
const SOUND: &str = r#"@id("look") permit (principal, action in Action::"look", resource);
@id("change") permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("privileged-role") forbid (principal, action in Action::"grant", resource) when { context.privileged };
@id("own-identity") forbid (principal, action in Action::"grant", resource) when { context.own };
"#;

/// What a new author writes, and the kind of what is found in it.
const WRONG: [(&str, &str); 11] = [
    (
        "action in Action::\"grant\", resource) when { context.privlieged && context.wide }",
        "unknown_field",
    ),
    (
        "action in Action::\"grant\", resource) when { resource.vendor == \"Redox\" }",
        "unknown_word",
    ),
    ("action in Action::\"grant\", resource) when { context.now.date < 2027-01-07 }", "date"),
    ("action in Action::\"grant\", resource) when { !context has reason }", "precedence"),
    ("action in Action::\"grant\", resource) when { context.kinds == \"token\" }", "set"),
    ("action in Action::\"grant\", resource) when { resource.id == \"Orders\" }", "name_for_id"),
    (
        "action in Action::\"grant\", resource) when { context has for_self && context.for_self }",
        "fails_open",
    ),
    (
        "action in Action::\"grant\", resource) when { resource.id like \"HARBOR\\*\" }",
        "literal_star",
    ),
    ("action == Action::\"grant\", resource)", "action"),
    (
        "action in Action::\"grant\", resource) when { context has expires_in && context.expires_in > 480 }",
        "unknown_field",
    ),
    (
        "action in Action::\"grant\", resource) unless { context.expires_in <= 480 }",
        "unknown_field",
    ),
];

#[tokio::test]
async fn what_check_would_write_in_a_line_loads_and_is_not_found_again() {
    let world = World::new().await;
    let path = world.path("mine.cedar");
    for (wrong, kind) in WRONG {
        let text = format!("{SOUND}@id(\"mine\") forbid (principal, {wrong};\n");
        std::fs::write(&path, &text).unwrap();
        let ran = world.run(&["policy", "check", path.to_str().unwrap(), "--json"]).await;
        let body = parsed(&ran.stdout);
        let findings = body["findings"].as_array().unwrap();
        let found = findings.iter().find(|found| found["kind"] == kind);
        let found = found.unwrap_or_else(|| panic!("{wrong}: {body:#}"));
        assert_eq!((&found["line"], &found["rule"]), (&json!(6), &json!("mine")), "{body:#}");
        assert!(found["message"].as_str().is_some_and(|said| !said.is_empty()), "{body:#}");
        let is_warned_of = found["severity"] == "warning";
        let ok = findings.iter().all(|found| found["severity"] == "warning");
        assert_eq!((ran.status, &body["ok"]), (i32::from(!ok), &json!(ok)), "{body:#}");
        let new = found["replacement"].as_str().unwrap_or_else(|| panic!("{wrong}: {body:#}"));
        std::fs::write(&path, format!("{SOUND}{new}\n")).unwrap();
        let ran = world.run(&["policy", "check", path.to_str().unwrap(), "--json"]).await;
        let body = parsed(&ran.stdout);
        let kinds: Vec<_> =
            body["findings"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
        let loads = body["rules"].as_array().unwrap().len() == 6;
        assert!(loads && !kinds.contains(&&json!(kind)), "{wrong} {is_warned_of}: {new} {body:#}");
    }
}

#[tokio::test]
async fn check_fails_by_what_is_found_and_serving_does_not() {
    let world = World::new().await;
    let path = world.path("mine.cedar");
    let named = path.to_str().unwrap().to_owned();
    let freeze = "@id(\"freeze\")\nforbid (principal, action in Action::\"grant\", resource)\n\
        when { context.now.date < 2026-12-24 };\n";
    std::fs::write(&path, format!("{SOUND}{freeze}")).unwrap();
    let ran = world.run(&["policy", "check", &named]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    for said in [
        "line 8: freeze compares context.now.date with 2026-12-24, a subtraction that comes to 1990",
        "it says:   when { context.now.date < 2026-12-24 };",
        "should be: when { context.now.date < 20261224 };",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    assert!(ran.stdout.contains("forbid  freeze"), "{}", ran.stdout);
    // What loads goes on being served, with a word about it.
    let world = world.set("GRANTOR_POLICY", &named);
    let (_, body) = grant(&world, &["--dry-run"]).await;
    assert_eq!(body["outcome"], "preview", "{body:#}");
    let ran = world.run(&["doctor"]).await;
    assert!(ran.stdout.contains("line 8: freeze compares"), "{}", ran.stdout);
    // What may be meant is only said.
    let hours = "@id(\"hours\") forbid (principal, action in Action::\"grant\", resource) \
        unless { context.now.hour < 24 };\n";
    std::fs::write(&path, format!("{SOUND}{hours}")).unwrap();
    let ran = world.run(&["policy", "check", &named, "--json"]).await;
    let body = parsed(&ran.stdout);
    assert_eq!((ran.status, &body["ok"]), (0, &json!(true)), "{body:#}");
    assert_eq!(body["findings"][0]["kind"], "always_true", "{body:#}");
    assert_eq!(
        body["rules"][5],
        json!({ "id": "hours", "effect": "forbid", "line": 6 }),
        "{body:#}"
    );
    std::fs::write(&path, SOUND).unwrap();
    let ran = world.run(&["policy", "check", &named]).await;
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    assert_eq!(world.run(&["policy", "check", "--jsn"]).await.status, 2);
}

/// The end of access that moves is counted from when the access was first given.
#[test]
fn an_extension_is_as_long_as_all_of_it() {
    let rules = r#"@id("all") permit (principal, action, resource);
        @id("eight-hours") forbid (principal, action in Action::"grant", resource)
        when { context has expires_in_minutes && context.expires_in_minutes > 480 };"#;
    let guard = Guard::compile("eight.cedar", rules, false).unwrap();
    let now: jiff::Timestamp = NOW.parse().unwrap();
    let at = Circumstances { requester: &Requester::named("alice"), changes_this_hour: 0, now };
    for (hours_ago, verdict) in [(0, "allow"), (6, "allow"), (7, "deny")] {
        let supposed: Supposed =
            serde_json::from_value(json!({ "expires_in": "PT2H", "extends": "gr-1" })).unwrap();
        let mut intent = supposed.intent(GRANT, now).unwrap();
        intent.since = Some(now - jiff::SignedDuration::from_hours(hours_ago));
        let found = match guard.judge(intent, &at) {
            Verdict::Allow(_) => "allow",
            Verdict::Ask(_) => "ask",
            Verdict::Deny(_) => "deny",
        };
        assert_eq!(found, verdict, "first given {hours_ago} hours ago");
    }
}
