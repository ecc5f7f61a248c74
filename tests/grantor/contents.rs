//! What a role contains when a person is asked about it is part of what they agree to.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::harness::{Era, World, parsed};
use super::person::{Client, Heard, types, yes as agrees};
use super::proxy::{Proxy, Then};
use super::terminal::Terminal;
use super::writes::GRANTS;

/// What comes of a yes after the role has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    Sent,
    /// The person is asked about what the role contains now.
    AskedAnew,
    /// The same, and the name has to be typed.
    Typed,
    Refused,
}

#[derive(Clone, Copy)]
struct Case {
    what: &'static str,
    /// Where in [`GRANTS`].
    grant: usize,
    /// What the vendor says from some moment on, of everything it lists.
    change: fn(&mut Value),
    comes: Comes,
    /// Whether the policy lets a person agree to what is privileged.
    privileged_may_be: bool,
}

const OUTSYSTEMS: usize = 0;
const DFNS: usize = 1;

/// A policy that asks about everything, what is privileged among it.
const ASKS: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("asks") @ask("a person agrees")
permit (principal, action in [Action::"grant", Action::"revoke"], resource);
"#;

fn operations(value: &mut Value, edit: impl Fn(&mut Vec<Value>)) {
    if value["name"] == "Treasury Viewer"
        && let Some(operations) = value["operations"].as_array_mut()
    {
        edit(operations);
    }
}

fn held(value: &mut Value, edit: impl Fn(&mut Vec<Value>)) {
    if value["name"] == "Developer"
        && let Some(held) = value["permissions"].as_array_mut()
    {
        edit(held);
    }
}

/// What the Developer holds, and a right to manage users.
const SEE_LOGS: &str = "c1b87f1a-7323-491b-99f9-cbef0f69a4d0";
const MANAGE_USERS: &str = "bafe9bd1-20c5-4152-9127-c47089bf36a2";
const DEPLOY: &str = "c498b6e7-92ab-445e-9afa-2c387f006703";

fn inherits(value: &mut Value, of: &str, key: &str) {
    if value["key"] == of
        && let Some(inherits) = value["inherits"].as_array_mut()
    {
        inherits.push(json!({ "key": key, "realmStages": null, "realmPortfolio": null }));
    }
}

fn cases() -> Vec<Case> {
    let case = |what, grant, comes, change| Case {
        what,
        grant,
        change,
        comes,
        privileged_may_be: comes == Comes::Typed,
    };
    vec![
        case("an operation more", DFNS, Comes::AskedAnew, |value| {
            operations(value, |all| all.push("Wallets:Transfers:Create".into()));
        }),
        case("an operation less", DFNS, Comes::AskedAnew, |value| {
            operations(value, |all| drop(all.pop()));
        }),
        case("an operation in another's place", DFNS, Comes::AskedAnew, |value| {
            operations(value, |all| all[2] = "Keys:Import".into());
        }),
        case("another order of operations", DFNS, Comes::Sent, |value| {
            operations(value, |all| all.reverse());
        }),
        case("an operation that is privileged", DFNS, Comes::Refused, |value| {
            operations(value, |all| all.push("Permissions:Assign".into()));
        }),
        case("the same, where a person may agree to it", DFNS, Comes::Typed, |value| {
            operations(value, |all| all.push("Permissions:Assign".into()));
        }),
        case("no operations any more", DFNS, Comes::Refused, |value| {
            operations(value, Vec::clear);
        }),
        case("a permission more", OUTSYSTEMS, Comes::AskedAnew, |value| {
            let more = json!({ "permissionKey": DEPLOY, "name": "Release management > Deploy" });
            held(value, |all| all.push(more.clone()));
        }),
        case("a permission less", OUTSYSTEMS, Comes::AskedAnew, |value| {
            held(value, |all| drop(all.pop()));
        }),
        case("a permission of the same name", OUTSYSTEMS, Comes::AskedAnew, |value| {
            held(value, |all| {
                let logs = all.iter_mut().find(|held| held["permissionKey"] == SEE_LOGS);
                logs.unwrap()["permissionKey"] = DEPLOY.into();
            });
        }),
        case("another order of permissions", OUTSYSTEMS, Comes::Sent, |value| {
            held(value, |all| all.reverse());
        }),
        case("a permission that is privileged", OUTSYSTEMS, Comes::Refused, |value| {
            let more =
                json!({ "permissionKey": MANAGE_USERS, "name": "User management > Manage users" });
            held(value, |all| all.push(more.clone()));
        }),
        case("the same, where a person may agree to it", OUTSYSTEMS, Comes::Typed, |value| {
            let more =
                json!({ "permissionKey": MANAGE_USERS, "name": "User management > Manage users" });
            held(value, |all| all.push(more.clone()));
        }),
        case("a permission that inherits a privileged one", OUTSYSTEMS, Comes::Refused, |value| {
            inherits(value, SEE_LOGS, MANAGE_USERS);
        }),
        case("the same, where a person may agree to it", OUTSYSTEMS, Comes::Typed, |value| {
            inherits(value, SEE_LOGS, MANAGE_USERS);
        }),
        case("a permission that inherits another", OUTSYSTEMS, Comes::AskedAnew, |value| {
            inherits(value, SEE_LOGS, DEPLOY);
        }),
    ]
}

/// A vendor that says something else from the moment the flag is set.
async fn world(case: Case) -> (World, Arc<AtomicBool>, Proxy) {
    fn everywhere(value: &mut Value, change: fn(&mut Value)) {
        change(value);
        match value {
            Value::Array(all) => all.iter_mut().for_each(|one| everywhere(one, change)),
            Value::Object(all) => all.values_mut().for_each(|one| everywhere(one, change)),
            _ => {}
        }
    }
    let mut world = World::asking().await.tokens_straight().await;
    if case.privileged_may_be {
        let rules = world.path("asks.cedar");
        std::fs::write(&rules, ASKS).unwrap();
        world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    }
    let variable = GRANTS[case.grant].variable;
    let changed = Arc::new(AtomicBool::new(false));
    let is_changed = changed.clone();
    let change: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(move |body: &str| {
        let Ok(mut body) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
        everywhere(&mut body, case.change);
        body.to_string()
    });
    let proxy = Proxy::start(Some(world.variable(variable)), move |method, _| {
        let changes = method == "GET" && is_changed.load(SeqCst);
        if changes { Then::Change(change.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    (world.set(variable, proxy.url.clone()), changed, proxy)
}

async fn through_a_client(case: Case, era: Era) {
    let (world, changed, _proxy) = world(case).await;
    let (what, grant) = (case.what, &GRANTS[case.grant]);
    let arguments = parsed(grant.arguments);
    let mut client = Client::start(&world, era).await;
    let asked = client.question(grant.tool, &arguments).await;
    changed.store(true, SeqCst);
    // A permission for the whole organization takes the name of who gets it in any case.
    let is_typed = |form: &Value| form.pointer("/properties/grantee").is_some();
    let yes = if is_typed(&asked.form) { types(&asked.form) } else { agrees(&asked.form) };
    let heard = client.reply(grant.tool, &arguments, &asked, yes).await;
    let came = match &heard {
        Heard::Question(anew) if case.comes == Comes::Typed && is_typed(&anew.form) => Comes::Typed,
        Heard::Question(_) => Comes::AskedAnew,
        Heard::Answer(answer) if answer.outcome() == "confirmed" => Comes::Sent,
        Heard::Answer(answer) if answer.outcome() == "refused" => Comes::Refused,
        Heard::Answer(answer) => panic!("{what}: {:#}", answer.body),
    };
    assert_eq!(came, case.comes, "{what}: {} {era:?}: {heard:?}", grant.vendor);
    let sent = usize::from(case.comes == Comes::Sent);
    assert_eq!(world.writes().len(), sent, "{what}: {} {era:?}", grant.vendor);
}

async fn at_a_terminal(case: Case) {
    let (world, changed, _proxy) = world(case).await;
    let (what, grant) = (case.what, &GRANTS[case.grant]);
    let ran = world.run(&["call", grant.tool, grant.arguments]).await;
    assert_eq!(ran.status, 3, "{what}: {ran:#?}");
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    let approve = ["requests", "approve", &receipt, "--vendor", "snaplogic"];
    let mut terminal = Terminal::start(world.command(approve));
    let is_wide = grant.vendor == "dfns";
    terminal.shows(if is_wide { "Type it to agree" } else { "Type yes" }).await;
    terminal.types(if is_wide { "Sam Rivera" } else { "yes" }).await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 3, "{what}: {seen}");
    changed.store(true, SeqCst);
    let ran = world.run(&["requests", "run"]).await;
    let word = match case.comes {
        Comes::Sent => "confirmed",
        Comes::AskedAnew | Comes::Typed => "awaiting_consent",
        Comes::Refused => "refused",
    };
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains(word), "{what}: {} {said}", grant.vendor);
    let sent = usize::from(case.comes == Comes::Sent);
    assert_eq!(world.writes().len(), sent, "{what}: {said}");
}

/// The role is another one than the person read about: nothing is sent on their yes.
#[tokio::test]
async fn a_role_that_changes_after_the_question_is_not_granted_on_the_old_yes() {
    for cases in cases().chunks(4) {
        join_all(cases.iter().map(|case| through_a_client(*case, Era::Legacy))).await;
        join_all(cases.iter().map(|case| through_a_client(*case, Era::Modern))).await;
        join_all(cases.iter().map(|case| at_a_terminal(*case))).await;
    }
}

/// The same in a set: what the other changes want does not go either, until a person has agreed anew.
#[tokio::test]
async fn a_set_with_a_role_that_changes_is_not_sent_on_the_old_yes() {
    for case in cases().into_iter().filter(|case| case.grant == DFNS && case.comes != Comes::Sent) {
        for era in [Era::Legacy, Era::Modern] {
            let (world, changed, _proxy) = world(case).await;
            let what = case.what;
            let mut client = Client::start(&world, era).await;
            let change = |at: usize| {
                let grant = &GRANTS[at];
                json!({ "tool": grant.tool, "arguments": parsed(grant.arguments) })
            };
            let set = json!({ "changes": [change(OUTSYSTEMS), change(DFNS)] });
            let asked = client.question("apply_changes", &set).await;
            changed.store(true, SeqCst);
            let types = types(&asked.form);
            let heard = client.reply("apply_changes", &set, &asked, types).await;
            assert_eq!(world.writes().len(), 0, "{era:?} {what}");
            match (case.comes, heard) {
                (Comes::Refused, Heard::Answer(answer)) => {
                    assert_eq!(answer.outcome(), "refused", "{what}: {:#}", answer.body);
                }
                (Comes::AskedAnew | Comes::Typed, Heard::Question(again)) => {
                    assert!(again.message.contains(" to 2 changes:"), "{what}: {}", again.message);
                }
                (comes, heard) => panic!("{era:?} {what}: {comes:?}, {heard:?}"),
            }
        }
    }
}
