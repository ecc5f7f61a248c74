//! What an answer says of a change is so: no row that nobody read, no end of what does not stand, no
//! word that is more than was asked.

use serde_json::{Value, json};

use std::sync::Arc;

use super::harness::{Answer, Era, World, example, parsed};
use super::person::{Client, no};
use super::proxy::{Proxy, Then};
use super::terminal::Terminal;

const ON_BILLING: &str = r#"{"asset": "BillingService",
    "userGroupAssetPermission": [{"user": "HARBOR\\srivera", "permission": "Modify"}]}"#;

async fn call(world: &World, tool: &str, arguments: Value) -> Answer {
    let server = world.serve().await;
    let answer = server.call(tool, arguments).await;
    server.stop().await;
    answer
}

fn grant(user: &str, role: &str, asset: &str) -> Value {
    json!({ "userKey": user, "roleKey": role, "assetKeys": [asset] })
}

/// Somebody who holds another role there: the answer shows it. Where nothing was read it shows
/// nothing, and where nothing is there it shows that.
#[tokio::test]
async fn what_was_read_is_shown_and_nothing_else() {
    let world = World::new().await;
    let conflict =
        call(&world, "grant_asset_role", grant("alex.kim@example.com", "Tester", "Orders")).await;
    assert_eq!(conflict.outcome(), "refused", "{:#}", conflict.body);
    assert_eq!(conflict.body["before"][0]["role"]["name"], "Developer", "{:#}", conflict.body);
    let unread = call(&world, "grant_asset_role", grant("nobody@example.com", "Tester", "Orders"));
    let unread = unread.await;
    assert_eq!(unread.outcome(), "invalid", "{:#}", unread.body);
    assert!(unread.body.get("before").is_none() && unread.body.get("after").is_none());
    let mut preview = grant("user@example.com", "Tester", "Billing");
    preview["dry_run"] = true.into();
    let preview = call(&world, "grant_asset_role", preview).await;
    assert_eq!(preview.body["before"], json!([]), "{:#}", preview.body);
}

/// The end of what was refused or rejected is none, and nobody takes it back.
#[tokio::test]
async fn what_does_not_stand_has_no_end() {
    let world = World::new().await;
    let conflict = json!({ "userKey": "alex.kim@example.com", "roleKey": "Tester",
        "assetKeys": ["Orders"], "expires_in": "PT1H" });
    let refused = call(&world, "grant_asset_role", conflict).await;
    world.inject("snaplogic", "POST", "/acl", super::harness::status(403));
    let timed = json!({ "project_or_space_path": "/Harbor/Finance", "permission_list": ["R"],
        "grant_type": "USER", "grantee": "user@example.com", "expires_in": "PT1H" });
    let rejected = call(&world, "set_project_acl", timed).await;
    assert_eq!((refused.outcome(), rejected.outcome()), ("refused", "rejected"));
    for answer in [refused, rejected] {
        assert_eq!(answer.body["expires_at"], Value::Null, "{:#}", answer.body);
        assert!(!answer.body.to_string().contains("takes it back at"), "{:#}", answer.body);
    }
}

/// Less than there is: nothing is called done that was not asked, and the way to lower it is named.
#[tokio::test]
async fn less_than_there_is_is_refused() {
    let world = World::new().await;
    let first = parsed(ON_BILLING);
    assert_eq!(call(&world, "set_asset_permissions", first.clone()).await.outcome(), "confirmed");
    assert_eq!(call(&world, "set_asset_permissions", first).await.outcome(), "already_present");
    let lower = parsed(&ON_BILLING.replace("Modify", "View"));
    let answer = call(&world, "set_asset_permissions", lower).await;
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.summary().contains("Modify") && answer.hint().contains("removeExisting"));
    let timed = |end: &str| {
        json!({ "project_or_space_path": "/Harbor/Finance", "permission_list": ["R"],
            "grant_type": "USER", "grantee": "user@example.com", "expires_in": end })
    };
    let granted = call(&world, "set_project_acl", timed("PT2H")).await;
    let receipt = granted.body["receipt"].as_str().unwrap().to_owned();
    let sooner = call(&world, "set_project_acl", timed("PT1H")).await;
    assert_eq!(sooner.outcome(), "refused", "{:#}", sooner.body);
    assert!(sooner.hint().contains(&receipt), "{}", sooner.hint());
    assert_eq!(world.writes().len(), 2);
}

/// The same question by the same requester is one request, whoever asks for it at the same time.
#[tokio::test]
async fn the_same_request_is_one() {
    let world = World::asking().await;
    let arguments = json!({ "project_or_space_path": "/Harbor/Finance", "permission_list": ["R"],
        "grant_type": "USER", "grantee": "user@example.com", "expires_in": "PT2H" });
    let text = arguments.to_string();
    let command = ["call", "set_project_acl", text.as_str()];
    let (one, two) = tokio::join!(world.run(&command), world.run(&command));
    let three = world.run(&command).await;
    let receipts = [one, two, three].map(|ran| parsed(&ran.stdout)["receipt"].clone());
    assert!(receipts.iter().all(|receipt| receipt.is_string() && *receipt == receipts[0]));
    let because = world.run(&[&command[..], &["--reason", "audit"]].concat()).await;
    assert_ne!(parsed(&because.stdout)["receipt"], receipts[0], "another reason, another request");
    let asked = world.ledger().iter().filter(|line| line["event"] == "asked").count();
    assert_eq!(asked, 2);
}

/// What is a set to the vendor is one set to Grantor, in whatever order it is named: one request, the
/// same question, and the same to the vendor.
#[tokio::test]
async fn a_set_is_asked_for_once_in_whatever_order_it_is_named() {
    let people = |list: Value| {
        json!({ "asset": "BillingService", "userGroupAssetPermission": list,
            "removeExistingPermission": true })
    };
    let sam = |profiles: Value| json!({ "user": "Sam Rivera", "permission": "View", "profilePermissions": profiles });
    let team = json!({ "permission": "Modify", "group": "API Team" });
    let (one, two) = (
        json!({ "name": "Summary", "permission": "View" }),
        json!({ "permission": "Modify", "name": "Technical" }),
    );
    let acl = |letters: Value| {
        json!({ "project_or_space_path": "/Harbor/Finance", "permission_list": letters,
            "grant_type": "USER", "grantee": "user@example.com" })
    };
    let roles = |assets: Value| json!({ "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": assets });
    for (tool, asked) in [
        ("set_project_acl", vec![acl(json!(["R", "X"])), acl(json!(["X", "R"]))]),
        (
            "grant_asset_role",
            vec![
                roles(json!(["Orders", "Billing"])),
                roles(json!(["Billing", "Orders"])),
                roles(json!(["Billing", "Orders", "Billing"])),
            ],
        ),
        (
            "set_asset_permissions",
            vec![
                people(json!([sam(json!([one, two])), team])),
                people(json!([team, sam(json!([two, one]))])),
                people(json!([team, sam(json!([two, one, two]))])),
            ],
        ),
    ] {
        let world = World::asking().await;
        let mut answers = Vec::new();
        for arguments in &asked {
            let answer = call(&world, tool, arguments.clone()).await;
            assert_eq!(answer.outcome(), "awaiting_consent", "{tool}: {:#}", answer.body);
            answers.push(answer);
        }
        let first = &answers[0];
        for answer in &answers {
            assert_eq!(answer.body["receipt"], first.body["receipt"], "{tool}: {:#}", answer.body);
            assert_eq!(answer.summary(), first.summary(), "{tool}");
        }
        let asked = world.ledger().iter().filter(|line| line["event"] == "asked").count();
        assert_eq!(asked, 1, "{tool}");
    }
    // One profile with two permissions is no set.
    let world = World::asking().await;
    let other = json!({ "name": "Technical", "permission": "View" });
    let twice = people(json!([sam(json!([two, other]))]));
    let answer = call(&world, "set_asset_permissions", twice).await;
    assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
    assert!(answer.summary().contains("“Technical” twice"), "{}", answer.summary());
}

/// A person's no and their reason reach whoever asked, and the auditors; so does who said yes.
#[tokio::test]
async fn who_said_no_and_why_is_told() {
    let world = World::asking().await;
    let arguments = r#"{"project_or_space_path": "/Harbor/Finance", "permission_list": ["R"],
        "grant_type": "USER", "grantee": "user@example.com"}"#;
    let ran = world.run(&["call", "set_project_acl", arguments]).await;
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    let denial = ["requests", "deny", &receipt, "--reason", "not before the audit"];
    assert_eq!(world.run(&denial).await.status, 0);
    let look = json!({ "receipt": receipt }).to_string();
    let found = parsed(&world.run(&["call", "check_change", &look]).await.stdout);
    assert_eq!(found["outcome"], "refused", "{found:#}");
    assert_eq!(found["denial_reason"], "not before the audit", "{found:#}");
    assert!(found["denied_by"].is_string() && found["note"].to_string().contains("the audit"));
    let ran = world.run(&["ledger", "export", "--format", "ocsf"]).await;
    let events: Vec<Value> = ran.stdout.lines().map(parsed).collect();
    assert_eq!(events.len(), 1, "{}", ran.stdout);
    let event = &events[0];
    assert_eq!(
        (&event["status"], &event["metadata"]["uid"]),
        (&json!("Failure"), &found["receipt"])
    );
    assert_eq!(event["status_detail"], "not before the audit");
    assert_eq!(event["unmapped"]["denial"]["by"], found["denied_by"]);
    assert_eq!(event["unmapped"]["denial"]["reason"], "not before the audit");
    assert_eq!(event["resources"][0]["name"], "/Harbor/Finance");
}

/// An end that was moved is something that was done, though nothing was sent.
#[tokio::test]
async fn an_end_that_was_moved_is_exported() {
    let world = World::new().await;
    for lasts in ["PT1H", "PT2H"] {
        let arguments = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
            "grantee": "user@example.com", "permission_list": ["R"], "expires_in": lasts });
        let ran = world.run(&["call", "set_project_acl", &arguments.to_string()]).await;
        assert_eq!(parsed(&ran.stdout)["outcome"], "confirmed", "{ran:#?}");
    }
    let ran = world.run(&["ledger", "export", "--format", "ocsf"]).await;
    let events: Vec<Value> = ran.stdout.lines().map(parsed).collect();
    let ends = events.iter().map(|event| event["unmapped"]["expires_at"].as_str().unwrap());
    let ends: Vec<_> = ends.collect();
    assert!(ends.len() == 2 && ends[0] < ends[1], "{}", ran.stdout);
    for event in &events {
        assert_eq!((&event["status"], &event["type_uid"]), (&json!("Success"), &json!(300_501)));
        assert_eq!(event["resources"][0]["name"], "/Harbor/Finance", "{event:#}");
        assert!(event["actor"]["user"]["name"].is_string(), "{event:#}");
    }
}

/// A question that is closed was not answered: nobody is said to have said no.
#[tokio::test]
async fn a_closed_question_is_no_answer() {
    let world = World::asking().await;
    let arguments = json!({ "project_or_space_path": "/Harbor/Finance", "permission_list": ["R"],
        "grant_type": "USER", "grantee": "user@example.com" });
    let closed = (closes as fn(&Value) -> Value, "closed without an answer", "withdrawn");
    let denied = (no as fn(&Value) -> Value, "the person said no", "denied");
    for (era, (reply, says, state)) in
        [(Era::Legacy, closed), (Era::Modern, closed), (Era::Legacy, denied), (Era::Modern, denied)]
    {
        let mut client = Client::start(&world, era).await;
        let (_, answer) = client.call("set_project_acl", &arguments, reply).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        assert!(answer.summary().contains(says), "{}", answer.summary());
        let ledger = world.ledger();
        let answered = ledger.iter().rfind(|line| line["event"] == "answered").unwrap();
        assert_eq!(answered["decision"], state);
    }
}

fn closes(_: &Value) -> Value {
    json!({ "action": "cancel" })
}

fn on_finance(more: &Value) -> Value {
    let mut arguments = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
        "grantee": "user@example.com", "permission_list": ["R"] });
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    arguments
}

async fn events(world: &World) -> Vec<Value> {
    let ran = world.run(&["ledger", "export", "--format", "ocsf"]).await;
    ran.stdout.lines().map(parsed).collect()
}

/// A person's no is one thing that happened, however they were asked: one event, and each change of
/// the call is told as refused. A question that nobody answered is none.
#[tokio::test]
async fn a_no_is_one_event_however_it_is_said() {
    let both = json!({ "userKey": "user@example.com", "roleKey": "Developer",
        "assetKeys": ["Billing", "Orders"] });
    for era in [Era::Legacy, Era::Modern] {
        let world = World::asking().await;
        let mut client = Client::start(&world, era).await;
        let (_, answer) = client.call("grant_asset_role", &both, no).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        let told = events(&world).await;
        assert_eq!(told.len(), 1, "{era:?}: {told:#?}");
        assert!(told[0]["unmapped"]["denial"]["by"].is_string(), "{told:#?}");
        let (_, answer) = client.call("grant_asset_role", &both, closes).await;
        assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
        assert!(answer.hint().contains("asked anew"), "{}", answer.hint());
        assert_eq!(events(&world).await.len(), 1, "{era:?}");
    }
    let world = World::asking().await;
    let mut client = Client::start(&world, Era::Legacy).await;
    let (_, answer) = client.call("grant_asset_role", &both, no).await;
    let items = answer.body["items"].as_array().unwrap();
    let told: Vec<_> = items.iter().map(|item| &item["resource"]["name"]).collect();
    assert_eq!(told, ["Billing", "Orders"], "{:#}", answer.body);
    assert!(items.iter().all(|item| item["outcome"] == "refused"), "{:#}", answer.body);
}

/// A slip of the hand at a terminal is no answer; a no is one.
#[tokio::test]
async fn a_slip_at_a_terminal_is_no_answer() {
    let world = World::asking().await;
    let arguments = on_finance(&json!({})).to_string();
    for (line, decision, hint) in [
        ("", "withdrawn", "the same command asks you anew"),
        ("y", "withdrawn", "the same command asks you anew"),
        ("No", "denied", "the same command asks you again"),
    ] {
        let call = ["call", "set_project_acl", &arguments, "--reason", "audit"];
        let mut terminal = Terminal::start(world.command(call));
        terminal.shows("or press Enter to leave it").await;
        terminal.types(line).await;
        let (status, seen) = terminal.ends().await;
        assert!(status == 1 && seen.contains(hint), "{line:?}: {seen}");
        // Nobody but the person at the terminal gave the reason.
        assert!(seen.contains("The reason given: “audit”"), "{seen}");
        let ledger = world.ledger();
        let answered = ledger.iter().rfind(|line| line["event"] == "answered").unwrap();
        assert_eq!(answered["decision"], decision, "{line:?}");
    }
}

/// A question about access that would no longer end says both: that it was to end, and that it never
/// will.
#[tokio::test]
async fn a_question_about_access_without_an_end_says_so() {
    let world = World::asking().await;
    let automation = example("automation");
    let free = world.serve_with(&[("GRANTOR_POLICY", automation.to_str().unwrap())]).await;
    let timed = on_finance(&json!({ "expires_in": "PT2H" }));
    assert_eq!(free.call("set_project_acl", timed).await.outcome(), "confirmed");
    for (more, says) in [
        (json!({}), ["Ends: never", "and no longer ends"]),
        (json!({ "expires_in": "PT5H" }), ["Ends: 5 hours after your yes", "and ends later"]),
    ] {
        let mut client = Client::start(&world, Era::Legacy).await;
        let text = client.question("set_project_acl", &on_finance(&more)).await.message;
        assert_eq!(text.lines().filter(|line| line.starts_with("Ends:")).count(), 1, "{text}");
        for part in says {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}

/// What is said twice is read once.
#[tokio::test]
async fn a_warning_is_said_once() {
    let world = World::new().await;
    let twice: Arc<dyn Fn(&str) -> String + Send + Sync> = Arc::new(|body| {
        let mut body = parsed(body);
        body["warnings"] = json!(["one", "one", "two"]);
        body.to_string()
    });
    let proxy = Proxy::start(Some(world.variable("CENTRASITE_BRIDGE_URL")), move |_, path| {
        if path.ends_with("/permissions") { Then::Change(twice.clone()) } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.set("CENTRASITE_BRIDGE_URL", &proxy.url);
    let answer = call(&world, "set_asset_permissions", parsed(ON_BILLING)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    let warnings = answer.body["warnings"].as_array().unwrap();
    for word in ["one", "two"] {
        let said = warnings.iter().filter(|said| said.as_str().unwrap().contains(word));
        assert_eq!(said.count(), 1, "{warnings:#?}");
    }
}

/// Nobody asked for the end of a grant for a time when it came.
#[tokio::test]
async fn an_end_that_came_is_asked_for_by_nobody() {
    let world = World::new().await;
    let granted = call(&world, "set_project_acl", on_finance(&json!({ "expires_in": "PT1S" })));
    let granted = granted.await;
    let receipt = granted.body["receipt"].as_str().unwrap().to_owned();
    let ended = || world.ledger().into_iter().any(|line| line["ends"] == receipt.as_str());
    for _ in 0..20 {
        world.run(&["expire"]).await;
        if ended() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let shown = world.run(&["ledger", "tail", "--ids"]).await.stdout;
    let opened: Vec<_> = shown.lines().filter(|line| line.contains("  open ")).collect();
    let [first, last] = opened[..] else { panic!("{shown}") };
    assert!(first.contains("asked by") && !first.contains("at the end of"), "{first}");
    let at_its_end = format!("at the end of {receipt}");
    assert!(last.contains(&at_its_end) && !last.contains("asked by"), "{last}");
}

/// Nor is a name that is typed wrongly: it is asked for once more, and then left for later.
#[tokio::test]
async fn a_name_mistyped_at_a_terminal_is_asked_for_once_more() {
    for (lines, ends, events) in [
        (&["Somebody", "Somebody Else"][..], 3, &["asked"][..]),
        (&["Somebody", "no"], 1, &["asked", "answered"]),
        (&["Somebody", "NAME"], 0, &["asked", "answered", "spent", "open", "close"]),
    ] {
        let world = World::asking().await;
        let grant = &super::writes::GRANTS[1];
        let mut terminal = Terminal::start(world.command(["call", grant.tool, grant.arguments]));
        terminal.shows("Type it to agree").await;
        let asked = world.ledger().remove(0);
        let name = asked["content"]["typed"].as_str().unwrap();
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                terminal.shows("please try once more").await;
            }
            terminal.types(&line.replace("NAME", name)).await;
        }
        let (status, seen) = terminal.ends().await;
        assert_eq!(status, ends, "{lines:?}: {seen}");
        let ledger = world.ledger();
        let told: Vec<_> = ledger.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(told, events, "{lines:?}: {seen}");
    }
}
