//! Ends that overlap, ends that give, and ends that could not come.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use grantor::sandbox::Modes;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::consent::agrees;
use super::harness::{Answer, Era, World, parsed, time_is_over};
use super::person::Client;
use super::proxy::{Proxy, Then};

const SAM: &str = "user@example.com";
const SPACE: &str = "/Harbor/Integrations";

async fn call(world: &World, tool: &str, arguments: &Value) -> Value {
    let ran = world.run(&["call", tool, &arguments.to_string()]).await;
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"))
}

async fn done(world: &World, tool: &str, arguments: &Value) -> String {
    let body = call(world, tool, arguments).await;
    assert_eq!(body["outcome"], "confirmed", "{arguments}: {body:#}");
    body["receipt"].as_str().unwrap().to_owned()
}

/// A change from a Grantor that this one's ledger knows nothing of.
async fn elsewhere(world: &World, tool: &str, arguments: &Value) {
    let mut command = world.command(["call", tool, &arguments.to_string()]);
    command.env("GRANTOR_STATE_DIR", world.path("elsewhere"));
    let ran = super::harness::run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

async fn until(end: Timestamp) {
    while Timestamp::now() <= end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A grant for a time, by a vendor whose ends Grantor keeps.
async fn timed(world: &World, tool: &str, arguments: &Value) -> String {
    let mut arguments = arguments.clone();
    arguments["expires_in"] = "PT1H".into();
    done(world, tool, &arguments).await
}

/// Whether a vendor that keeps ends may have kept this one: it is sent in whole seconds.
fn has_come(end: Timestamp) -> bool {
    Timestamp::now().as_second() >= end.as_second()
}

/// The grant and its end, or nothing where the end came before the grant was sent, or before it was
/// read back: a busy machine may be slow to start a process.
async fn in_time(
    world: &World,
    tool: &str,
    arguments: &Value,
    seconds: i64,
) -> Option<(String, Timestamp)> {
    let mut arguments = arguments.clone();
    let end = Timestamp::now() + seconds.seconds();
    arguments["expires_at"] = json!(end.to_string());
    let body = call(world, tool, &arguments).await;
    let said = body["summary"].as_str().unwrap();
    let late = ["its end has come", "in the past", "in the future"];
    match body["outcome"].as_str().unwrap() {
        "confirmed" => Some((body["receipt"].as_str().unwrap().to_owned(), end)),
        "unconfirmed" if has_come(end) => None,
        _ if late.iter().any(|words| said.contains(words)) => None,
        _ => panic!("{body:#}"),
    }
}

async fn expire(world: &World) -> (i32, String) {
    let ran = world.run(&["expire"]).await;
    (ran.status, ran.stdout + &ran.stderr)
}

/// Who has what on a resource, in the vendor's words.
async fn rows(world: &World, vendor: &str, key: &str, of: &str) -> Vec<String> {
    let body = call(world, "list_access", &json!({ "vendor": vendor, key: of })).await;
    let row = |row: &Value| {
        let text = |place: &str| row.pointer(place).and_then(Value::as_str).unwrap_or("?");
        format!("{} {}", text("/principal/id"), text("/role/name"))
    };
    let mut rows: Vec<_> = body["rows"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

fn acl(letters: &[&str]) -> Value {
    json!({ "project_or_space_path": SPACE, "grant_type": "USER", "grantee": SAM,
        "permission_list": letters })
}

fn environment(role: &str) -> Value {
    json!({ "environmentId": "Staging", "role": { "name": role }, "user": { "name": SAM } })
}

fn on_asset(kind: &str, who: &str, level: &str) -> Value {
    json!({ "asset": "BillingService",
        "userGroupAssetPermission": [{ kind: who, "permission": level }] })
}

fn permission(name: &str) -> Value {
    json!({ "permissionId": name, "identityId": SAM })
}

/// A vendor, its tool, three grants that overlap, what others gave before, and where to look.
struct Overlap {
    vendor: &'static str,
    tool: &'static str,
    grants: [Value; 3],
    before: Option<Value>,
    look: (&'static str, &'static str),
    /// Each grant has its own row, rather than the place of the one before.
    apart: bool,
}

fn overlaps() -> Vec<Overlap> {
    let acls = || [acl(&["R"]), acl(&["R", "X"]), acl(&["R", "W"])];
    let snaplogic = |before| Overlap {
        vendor: "snaplogic",
        tool: "set_project_acl",
        grants: acls(),
        before,
        look: ("resource", SPACE),
        apart: false,
    };
    vec![
        snaplogic(None),
        snaplogic(Some(acl(&["X"]))),
        Overlap {
            vendor: "redox",
            tool: "assign_environment_role",
            grants: [environment("engineer"), environment("support"), environment("engineer")],
            before: None,
            look: ("principal", SAM),
            apart: false,
        },
        Overlap {
            vendor: "centrasite",
            tool: "set_asset_permissions",
            grants: [
                on_asset("group", "API Team", "Modify"),
                on_asset("user", "Sam Rivera", "View"),
                on_asset("user", "Lena Novak", "Modify"),
            ],
            before: None,
            look: ("resource", "BillingService"),
            apart: true,
        },
        Overlap {
            vendor: "dfns",
            tool: "assign_permission",
            grants: [
                permission("Treasury Viewer"),
                permission("Wallet Operator"),
                permission("Reports Reader"),
            ],
            before: None,
            look: ("principal", SAM),
            apart: true,
        },
    ]
}

/// One order of three ends: at each moment there is what still runs, and what others gave.
async fn overlap(case: &Overlap, order: [usize; 3]) -> String {
    let world = World::with(Modes::default()).await;
    if let Some(before) = &case.before {
        elsewhere(&world, case.tool, before).await;
    }
    let (key, of) = case.look;
    let look = async || rows(&world, case.vendor, key, of).await;
    let mut stands = vec![look().await];
    let begun = Timestamp::now();
    let (mut came, mut receipts) = (Vec::new(), Vec::new());
    for (index, grant) in case.grants.iter().enumerate() {
        let end = begun + (i64::try_from(order[index]).unwrap() + 1).hours();
        let mut grant = grant.clone();
        grant["expires_at"] = json!(end.to_string());
        let body = call(&world, case.tool, &grant).await;
        assert_eq!(body["outcome"], "confirmed", "{} {order:?}: {body:#}", case.vendor);
        receipts.push(body["receipt"].as_str().unwrap().to_owned());
        let now = look().await;
        let before = stands.last().unwrap();
        came.push(now.iter().filter(|row| !before.contains(row)).cloned().collect::<Vec<_>>());
        stands.push(now);
    }
    for moment in 0..3_usize {
        for (receipt, _) in receipts.iter().zip(order).filter(|(_, at)| *at == moment) {
            time_is_over(&world, receipt).await;
        }
        let (status, said) = expire(&world).await;
        assert_eq!(status, 0, "{} {order:?} at {moment}: {said}", case.vendor);
        let running: Vec<usize> = (0..3).filter(|index| order[*index] > moment).collect();
        let wanted = if case.apart {
            let mut rows = stands[0].clone();
            rows.extend(running.iter().flat_map(|index| came[*index].clone()));
            rows.sort();
            rows
        } else {
            stands[running.last().map_or(0, |index| index + 1)].clone()
        };
        let there = look().await;
        assert_eq!(there, wanted, "{} {order:?} at {moment}: {said}", case.vendor);
    }
    assert_eq!(expire(&world).await, (0, String::new()), "{} {order:?}", case.vendor);
    format!("{:12} ends in the order {order:?}: nothing more than before", case.vendor)
}

#[tokio::test]
async fn grants_that_overlap_end_in_any_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 0, 0]];
    for case in &overlaps() {
        let each = orders.iter().map(|order| overlap(case, *order));
        for line in futures_util::future::join_all(each).await {
            println!("{line}");
        }
    }
}

/// What others put there since is theirs, and an end does not write over it.
#[tokio::test]
async fn what_others_made_of_it_since_is_overdue_and_named() {
    let world = World::new().await;
    let receipt = timed(&world, "set_project_acl", &acl(&["R"])).await;
    time_is_over(&world, &receipt).await;
    elsewhere(&world, "set_project_acl", &acl(&["R", "W", "X"])).await;
    let before = rows(&world, "snaplogic", "resource", SPACE).await;
    let (status, said) = expire(&world).await;
    assert!(status == 1 && said.contains(&receipt) && said.contains("changed since"), "{said}");
    assert_eq!(rows(&world, "snaplogic", "resource", SPACE).await, before);
}

/// Whose access was there before a grant for a time is not what Grantor granted.
#[tokio::test]
async fn what_was_there_before_an_overlay_is_not_granted_here() {
    let world = World::new().await;
    elsewhere(&world, "set_project_acl", &acl(&["R"])).await;
    let receipt = timed(&world, "set_project_acl", &acl(&["R", "X"])).await;
    let own = async || {
        let look = json!({ "vendor": "snaplogic", "resource": SPACE });
        let body = call(&world, "list_access", &look).await;
        let rows = body["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["principal"]["id"] == SAM).unwrap()
    };
    assert_eq!(own().await["granted_here"], true);
    time_is_over(&world, &receipt).await;
    assert_eq!(expire(&world).await.0, 0);
    let row = own().await;
    assert_eq!(row["role"]["id"], "R");
    assert_eq!(row["granted_here"], Value::Null, "{row:#}");
}

/// What stands is granted here only where the last change of Grantor's left it: not where an undo or
/// an end gave back what was others', nor where others gave anew what was taken away.
#[tokio::test]
async fn what_grantor_did_not_leave_is_not_granted_here() {
    let world = World::new().await;
    let here = async || {
        let look = json!({ "vendor": "snaplogic", "resource": SPACE });
        let body = call(&world, "list_access", &look).await;
        let rows = body["rows"].as_array().unwrap().clone();
        let row = rows.into_iter().find(|row| row["principal"]["id"] == SAM).unwrap();
        (row["role"]["id"].as_str().unwrap().to_owned(), row["granted_here"] == true)
    };
    let undone = async |receipt: &str| {
        done(&world, "undo_change", &json!({ "receipt": receipt })).await;
    };
    // Granted and undone here; then others give the same.
    let receipt = done(&world, "set_project_acl", &acl(&["R"])).await;
    assert_eq!(here().await, ("R".to_owned(), true));
    undone(&receipt).await;
    elsewhere(&world, "set_project_acl", &acl(&["R"])).await;
    assert_eq!(here().await, ("R".to_owned(), false));
    // An undo gives back what others gave: of a grant upon it, and of a removal.
    let receipt = done(&world, "set_project_acl", &acl(&["R", "X"])).await;
    assert_eq!(here().await, ("R,X".to_owned(), true));
    undone(&receipt).await;
    assert_eq!(here().await, ("R".to_owned(), false));
    let mut who = acl(&[]);
    who.as_object_mut().unwrap().remove("permission_list");
    let receipt = done(&world, "remove_project_acl", &who).await;
    undone(&receipt).await;
    assert_eq!(here().await, ("R".to_owned(), false));
    // A grant for a time upon a grant of Grantor's own gives that back.
    done(&world, "remove_project_acl", &who).await;
    done(&world, "set_project_acl", &acl(&["R"])).await;
    let receipt = timed(&world, "set_project_acl", &acl(&["R", "W"])).await;
    assert_eq!(here().await, ("R,W".to_owned(), true));
    time_is_over(&world, &receipt).await;
    assert_eq!(expire(&world).await.0, 0);
    assert_eq!(here().await, ("R".to_owned(), true));
    let receipt = done(&world, "remove_project_acl", &who).await;
    undone(&receipt).await;
    assert_eq!(here().await, ("R".to_owned(), true), "given back as it was given");
    // What was gone when its end came is nobody's any more.
    done(&world, "remove_project_acl", &who).await;
    let receipt = timed(&world, "set_project_acl", &acl(&["R"])).await;
    elsewhere(&world, "remove_project_acl", &who).await;
    time_is_over(&world, &receipt).await;
    assert_eq!(expire(&world).await.0, 0);
    elsewhere(&world, "set_project_acl", &acl(&["R"])).await;
    assert_eq!(here().await, ("R".to_owned(), false));
}

/// A vendor does not write an id in the same letters everywhere.
#[tokio::test]
async fn what_was_granted_here_is_known_in_other_letters() {
    let world = World::new().await;
    let other = Arc::new(AtomicBool::new(false));
    let is_other = other.clone();
    let change: Arc<dyn Fn(&str) -> String + Send + Sync> =
        Arc::new(|body: &str| body.replace(SAM, "User@Example.COM"));
    let proxy = Proxy::start(Some(world.variable("SNAPLOGIC_URL")), move |_, path| {
        let changes = path.contains("/acl/") && is_other.load(SeqCst);
        if changes { Then::Change(change.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.set("SNAPLOGIC_URL", &proxy.url);
    done(&world, "set_project_acl", &acl(&["R"])).await;
    other.store(true, SeqCst);
    let look = json!({ "vendor": "snaplogic", "resource": SPACE });
    let body = call(&world, "list_access", &look).await;
    let here = |row: &&Value| row["granted_here"] == true;
    let here: Vec<_> = body["rows"].as_array().unwrap().iter().filter(here).collect();
    assert_eq!(here.len(), 1, "{body:#}");
    assert_eq!(here[0]["principal"]["id"], "User@Example.COM");
}

/// An end that gives is judged as a grant when it is agreed to.
#[tokio::test]
async fn an_end_that_would_give_what_is_forbidden_is_not_agreed_to() {
    let world = World::new().await;
    let owner = json!({ "role": { "name": "member" }, "expires_in": "PT1H",
        "user": { "name": "priya.raman@example.com" } });
    let body = call(&world, "assign_organization_role", &owner).await;
    assert_eq!(body["outcome"], "refused", "{body:#}");
    let said = body["summary"].as_str().unwrap();
    assert!(said.contains("an end cannot be kept here: it would give back"), "{said}");
    assert!(said.contains("privileged-role"), "{said}");
    // What is not forbidden comes back, and the question says so.
    let admin = json!({ "role": { "name": "admin" }, "expires_in": "PT1H", "dry_run": true,
        "user": { "name": SAM } });
    let free = World::unguarded().await;
    let body = call(&free, "assign_organization_role", &admin).await;
    assert!(body["warnings"].to_string().contains("at its end comes back: “member”"), "{body:#}");
    assert!(world.writes().is_empty() && free.writes().is_empty());
}

/// The same where an end is put on what had none: what comes back then was never agreed to before.
#[tokio::test]
async fn an_end_that_is_put_on_later_says_what_comes_back() {
    let world = World::unguarded().await;
    let admin = json!({ "role": { "name": "admin" }, "user": { "name": SAM } });
    let receipt = done(&world, "assign_organization_role", &admin).await;
    let ends = json!({ "receipt": receipt, "expires_in": "PT1H", "dry_run": true });
    let body = call(&world, "set_expiry", &ends).await;
    assert!(body["warnings"].to_string().contains("at its end comes back: “member”"), "{body:#}");
    let path = world.path("rules.cedar");
    let rules = r#"@id("all") permit (principal, action, resource);
        @id("no-members") forbid (principal, action in Action::"grant", resource)
        when { context.role has name && context.role.name == "member" };"#;
    std::fs::write(&path, rules).unwrap();
    let mut command = world.command(["call", "set_expiry", &ends.to_string()]);
    command.env("GRANTOR_POLICY", &path);
    let body = parsed(&super::harness::run(command).await.stdout);
    assert_eq!(body["outcome"], "refused", "{body:#}");
    assert!(body["summary"].as_str().unwrap().contains("it would give back “member”"), "{body:#}");
}

/// A rule that was made since is asked again when the end comes.
#[tokio::test]
async fn an_end_that_gives_is_judged_again_when_it_comes() {
    let world = World::unguarded().await;
    let admin = json!({ "role": { "name": "admin" }, "user": { "name": SAM } });
    let receipt = timed(&world, "assign_organization_role", &admin).await;
    time_is_over(&world, &receipt).await;
    let path = world.path("rules.cedar");
    let rules = r#"@id("all") permit (principal, action, resource);
        @id("no-members") forbid (principal, action in Action::"grant", resource)
        when { context.role has name && context.role.name == "member" };"#;
    std::fs::write(&path, rules).unwrap();
    let mut command = world.command(["expire"]);
    command.env("GRANTOR_POLICY", &path);
    let ran = super::harness::run(command).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stderr.contains("no-members") && ran.stderr.contains(&receipt), "{ran:#?}");
    assert_eq!(world.writes().len(), 1);
}

/// A grant whose end the rules would not let through is refused, and the policy says so as it loads.
#[tokio::test]
async fn a_grant_that_could_not_end_is_refused() {
    for (rules, says, warns) in [
        (
            r#"@id("all") permit (principal, action in [Action::"look", Action::"grant"], resource);"#,
            "no rule of the policy permits `expire`",
            true,
        ),
        (
            r#"@id("all") permit (principal, action, resource);
            @id("frozen") forbid (principal, action, resource) when { context has ends };"#,
            "frozen",
            false,
        ),
        (
            r#"@id("all") permit (principal, action in [Action::"look", Action::"grant"], resource);
            @id("asked") @ask permit (principal, action == Action::"expire", resource);"#,
            "asked",
            true,
        ),
    ] {
        let world = World::new().await;
        let path = world.path("rules.cedar");
        std::fs::write(&path, rules).unwrap();
        let world = world.set("GRANTOR_POLICY", path.to_str().unwrap());
        let mut timed = acl(&["R", "X"]);
        timed["expires_in"] = "PT1H".into();
        let body = call(&world, "set_project_acl", &timed).await;
        assert_eq!(body["outcome"], "refused", "{body:#}");
        let said = body["summary"].as_str().unwrap();
        assert!(said.contains("an end cannot be kept here") && said.contains(says), "{said}");
        assert!(world.writes().is_empty());
        let warning = "no rule permits `expire`: timed grants will be refused";
        let path = path.to_str().unwrap();
        for command in [&["policy", "check", path][..], &["expire"], &["doctor"]] {
            let ran = world.run(command).await;
            let said = ran.stdout + &ran.stderr;
            assert_eq!(said.contains(warning), warns, "{command:?}: {said}");
        }
        done(&world, "set_project_acl", &acl(&["R", "X"])).await;
    }
}

/// The undo of a removal brings back what is left of the end, and nothing once that is over.
#[tokio::test]
async fn undoing_a_removal_keeps_the_end_of_what_was_removed() {
    let of_space = json!({ "project_or_space_path": SPACE, "grant_type": "USER", "grantee": SAM });
    let of_environment = json!({ "environmentId": "Staging", "user": { "name": SAM } });
    let orders = json!({ "userKey": SAM, "roleKey": "Developer", "assetKeys": ["Orders"] });
    let ends = Modes { outsystems_ends: false, ..Modes::default() };
    for (tool, grant, back, removal, modes) in [
        ("set_project_acl", acl(&["R"]), "remove_project_acl", of_space, Modes::default()),
        (
            "assign_environment_role",
            environment("engineer"),
            "remove_environment_role",
            of_environment,
            Modes::default(),
        ),
        (
            "assign_permission",
            permission("Wallet Operator"),
            "revoke_permission",
            permission("Wallet Operator"),
            Modes::default(),
        ),
        ("grant_asset_role", orders.clone(), "revoke_asset_role", orders.clone(), ends.clone()),
        ("grant_asset_role", orders.clone(), "revoke_asset_role", orders, Modes::default()),
    ] {
        for late in [false, true] {
            for again in [false, true] {
                // Taken away by a removal, or by undoing the grant; a vendor's own end may come before
                // a busy machine has sent that, and then both are tried again with a later one.
                let mut seconds = if late { 4 } else { 3_600 };
                let (world, granted, end, removed) = loop {
                    assert!(seconds < 10_000, "{tool}: nothing was granted and taken away in time");
                    let world = World::with(modes.clone()).await;
                    let granted = in_time(&world, tool, &grant, seconds).await;
                    seconds *= 3;
                    let Some((granted, end)) = granted else { continue };
                    let (taker, arguments) = match again {
                        true => ("undo_change", json!({ "receipt": granted })),
                        false => (back, removal.clone()),
                    };
                    let body = call(&world, taker, &arguments).await;
                    if body["outcome"] == "confirmed" {
                        break (world, granted, end, body["receipt"].as_str().unwrap().to_owned());
                    }
                    assert!(has_come(end), "{arguments}: {body:#}");
                };
                let case = format!("{tool}, late: {late}, undone twice: {again}");
                if late {
                    until(end).await;
                    let (status, said) = expire(&world).await;
                    assert_eq!(status, 0, "{case}: {said}");
                }
                let writes = world.writes().len();
                let undone = call(&world, "undo_change", &json!({ "receipt": removed })).await;
                if late {
                    assert_eq!(undone["outcome"], "refused", "{case}: {undone:#}");
                    let said = undone["summary"].as_str().unwrap();
                    assert!(said.contains("left to give back"), "{case}: {said}");
                    assert_eq!(world.writes().len(), writes, "{case}");
                    continue;
                }
                assert_eq!(undone["outcome"], "confirmed", "{case}: {undone:#}");
                let kept: Timestamp = undone["expires_at"].as_str().unwrap().parse().unwrap();
                assert_eq!(kept.as_second(), end.as_second(), "{case}");
                if modes.outsystems_ends && tool == "grant_asset_role" {
                    // The vendor's own end, which nobody here can have come.
                    continue;
                }
                for receipt in [&granted, undone["receipt"].as_str().unwrap()] {
                    time_is_over(&world, receipt).await;
                }
                let (status, said) = expire(&world).await;
                assert_eq!(status, 0, "{case}: {said}");
                let shown = call(&world, "undo_change", &json!({ "receipt": granted })).await;
                assert_eq!(shown["outcome"], "refused", "{case}: it is gone: {shown:#}");
                let now = call(&world, back, &removal).await;
                assert_eq!(now["outcome"], "already_absent", "{case}: {now:#}");
            }
        }
    }
}

/// "For a minute" is a minute from the grant, whenever the answer comes.
#[tokio::test]
async fn a_relative_end_counts_from_the_grant() {
    for era in [Era::Legacy, Era::Modern] {
        for grant in [
            (
                "grant_asset_role",
                json!({ "userKey": SAM, "roleKey": "Developer",
                "assetKeys": ["Orders"], "expires_in": "PT1M" }),
            ),
            ("set_project_acl", {
                let mut arguments = acl(&["R", "X"]);
                arguments["expires_in"] = "PT1M".into();
                arguments
            }),
        ] {
            let (tool, arguments) = grant;
            let world = World::asking().await;
            let mut client = Client::start(&world, era).await;
            let asked = client.question(tool, &arguments).await;
            assert!(asked.message.contains("Ends: 1 minute after the grant"), "{}", asked.message);
            tokio::time::sleep(Duration::from_millis(2_100)).await;
            let agreed = Timestamp::now();
            let answer: Answer =
                client.reply(tool, &arguments, &asked, agrees(&asked.form)).await.answer();
            assert_eq!(answer.outcome(), "confirmed", "{era:?} {tool}: {:#}", answer.body);
            let end: Timestamp = answer.body["expires_at"].as_str().unwrap().parse().unwrap();
            assert!(end.as_second() >= agreed.as_second() + 60, "{era:?} {tool}: {end}");
            assert_eq!(world.writes().len(), 1);
        }
    }
}

/// An end that has come by the time of a yes is no grant any more, also where the vendor holds ends.
#[tokio::test]
async fn an_end_that_has_come_before_the_yes_is_refused() {
    for era in [Era::Legacy, Era::Modern] {
        for (tool, arguments) in [
            (
                "grant_asset_role",
                json!({ "userKey": SAM, "roleKey": "Developer",
                "assetKeys": ["Orders"] }),
            ),
            ("set_project_acl", acl(&["R", "X"])),
            ("assign_permission", permission("Wallet Operator")),
            ("set_asset_permissions", on_asset("group", "API Team", "Modify")),
        ] {
            let world = World::asking().await;
            let mut client = Client::start(&world, era).await;
            let end = Timestamp::now() + 6.seconds();
            let mut arguments = arguments;
            arguments["expires_at"] = json!(end.to_string());
            let asked = client.question(tool, &arguments).await;
            until(end).await;
            let answer = client.reply(tool, &arguments, &asked, agrees(&asked.form)).await.answer();
            assert_eq!(answer.outcome(), "refused", "{era:?} {tool}: {:#}", answer.body);
            assert!(answer.summary().contains("its end has come"), "{}", answer.summary());
            assert!(world.writes().is_empty());
            let listed = parsed(&world.run(&["requests", "list", "--json"]).await.stdout);
            assert!(!listed.to_string().contains("waiting"), "it is not tried again: {listed}");
        }
    }
}
