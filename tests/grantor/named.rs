//! People as commands and tools name them: who would approve and see, and who asked.

use serde_json::{Value, json};

use super::harness::{Ran, World, parsed};
use super::issuer::{BOTH, Issuer, Key, Team};

const RULES: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("ask") @ask @approvers("https://id.example.com#crew")
permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("approve") permit (principal, action == Action::"approve", resource)
when { principal in Group::"https://id.example.com#crew" || principal in Group::"https://id.example.com#night" };
@id("audit") permit (principal in Group::"https://id.example.com#audit", action == Action::"see", resource);
"#;

fn one_of(subject: &str, more: Value) -> String {
    let mut said = json!({ "name": format!("https://id.example.com#{subject}") });
    said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    said.to_string()
}

fn of_group(subject: &str, group: &str) -> String {
    one_of(subject, json!({ "groups": [format!("https://id.example.com#{group}")] }))
}

/// What `policy explain` says of somebody's right, of a change that is supposed or of a call.
async fn explained(world: &World, options: &[&str]) -> (Ran, Value) {
    let change = ["policy", "explain", "set_project_acl"];
    let ran = world.run(&[&change, options].concat()).await;
    let judged = parsed(&ran.stdout)["judged"][0].clone();
    (ran, judged)
}

async fn ruled() -> World {
    let world = World::new().await;
    let policy = world.path("ruled.cedar");
    std::fs::write(&policy, RULES).unwrap();
    world.set("GRANTOR_POLICY", policy.to_str().unwrap())
}

#[tokio::test]
async fn a_policys_author_is_told_whose_yes_counts_and_why_not() {
    let world = ruled().await;
    let ada = "https://id.example.com#ada";
    let (bo, night) = (of_group("bo", "crew"), of_group("nyx", "night"));
    let own = of_group("ada", "crew");
    let service =
        one_of("bot", json!({ "kind": "service", "groups": ["https://id.example.com#crew"] }));
    for (who, status, says) in [
        (bo.as_str(), 0, ""),
        (&night, 1, "would not be one of those it takes"),
        (&of_group("eve", "sales"), 1, "no rule of the policy permits"),
        ("https://id.example.com#eve", 1, "no rule of the policy permits"),
        ("root", 1, "no rule of the policy permits"),
        (&own, 1, "you asked for it"),
        (&service, 1, "a service never approves"),
    ] {
        let (ran, judged) =
            explained(&world, &["--offline", "--requester", ada, "--approver", who]).await;
        assert_eq!(ran.status, status, "{who}: {ran:#?}");
        assert_eq!(judged["takes"], "one person of https://id.example.com#crew", "{who}");
        let told = judged["says"].as_str().unwrap_or_default();
        assert!(told.contains(says) && told.is_empty() == says.is_empty(), "{who}: {told}");
        let rules = judged["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["id"] == "approve"), "{who}: {judged:#}");
    }
    // The same of a call as the vendor knows it.
    let arguments = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
        "grantee": "user@example.com", "permission_list": ["R"] });
    let arguments = arguments.to_string();
    let call = [arguments.as_str(), "--requester", ada, "--approver", &bo];
    assert_eq!(explained(&world, &call).await.0.status, 0);
    let gains = one_of(
        "sam",
        json!({ "email": "user@example.com",
        "groups": ["https://id.example.com#crew"] }),
    );
    let (ran, judged) =
        explained(&world, &[&arguments, "--requester", ada, "--approver", &gains]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(judged["says"].as_str().unwrap().contains("access to themselves"), "{judged:#}");
    assert!(world.ledger().is_empty(), "nothing is asked");
}

#[tokio::test]
async fn a_policys_author_is_told_who_sees_and_what_is_built_in() {
    let world = ruled().await;
    let ada = "https://id.example.com#ada";
    for (who, status) in [(of_group("gus", "audit"), 0), (of_group("bo", "crew"), 1)] {
        let options = ["--offline", "--requester", ada, "--viewer", &who];
        let (ran, judged) = explained(&world, &options).await;
        assert_eq!((ran.status, &judged["action"]), (status, &json!("see")), "{who}: {ran:#?}");
    }
    let plain = World::asking().await;
    for (option, who, status, says) in [
        ("--approver", "https://id.example.com#bo", 1, "no rule names approve, and nobody"),
        ("--approver", "root", 0, "no rule names approve"),
        ("--viewer", "https://id.example.com#bo", 1, "no rule names see, and a caller"),
        ("--viewer", ada, 0, "no rule names see"),
    ] {
        let (ran, judged) =
            explained(&plain, &["--offline", "--requester", ada, option, who]).await;
        assert_eq!(ran.status, status, "{option} {who}: {ran:#?}");
        assert!(judged["says"].as_str().unwrap().starts_with(says), "{judged:#}");
    }
    let odd = world.run(&["policy", "explain", "set_project_acl", "--offline", "--approver", "{}"]);
    assert_eq!(odd.await.status, 2);
}

#[tokio::test]
async fn a_permit_for_approve_that_is_of_services_alone_is_found() {
    let world = World::new().await;
    let file = world.path("services.cedar");
    for (condition, is_found) in [
        (r#"principal.kind == "service""#, true),
        (r#"context.effect == "grant" && "service" == principal.kind"#, true),
        (r#"principal.kind == "person""#, false),
        (r#"principal.kind == "service" || principal.kind == "person""#, false),
        (r#"context.requester.kind == "service""#, false),
    ] {
        let rules = RULES.replace("@id(\"audit\")", &format!(
            "@id(\"it\") permit (principal, action in [Action::\"see\", Action::\"approve\"], resource)\n\
             when {{ {condition} }};\n@id(\"audit\")"
        ));
        std::fs::write(&file, rules).unwrap();
        let ran = world.run(&["policy", "check", file.to_str().unwrap(), "--json"]).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(told.contains("no service's yes counts"), is_found, "{condition}: {ran:#?}");
    }
}

/// Each is called `ISSUER#SUBJECT` by the lines; whoever looks says less.
#[tokio::test]
async fn who_asked_is_found_by_what_they_are_called_where_that_is_one() {
    let (world, key) = (World::new().await, Key::new("a"));
    let (one, other) = (Issuer::start(&key).await, Issuer::start(&key).await);
    let more = format!(
        "[http.issuers.other]\nissuer = \"{}\"\n\
        audiences = [\"https://grantor.example.com/mcp\"]",
        other.url
    );
    let team = Team::start(&world, &one, &more).await.ready().await;
    let grant = |who: &str| {
        json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
        "grantee": who, "permission_list": ["R"], "reason": "OPS-7" })
    };
    let mut ada = one.claims("ada", BOTH);
    ada["email"] = "ada@example.com".into();
    let tokens = [
        key.sign(&key.header(), &ada),
        other.token(&key, "ada", BOTH),
        one.token(&key, "pipeline", BOTH),
    ];
    let people = ["hiro.tanaka@example.com", "priya.raman@example.com", "lena.novak@example.com"];
    for (token, who) in tokens.iter().zip(people) {
        let granted = team.call(token, "set_project_acl", grant(who)).await;
        assert_eq!(granted["outcome"], "confirmed", "{granted:#}");
    }
    let look = async |who: &str| {
        let ran =
            world.run(&["call", "check_change", &json!({ "requester": who }).to_string()]).await;
        parsed(&ran.stdout)
    };
    let full = format!("{}#pipeline", one.url);
    for said in ["pipeline", "Pipeline", full.as_str()] {
        let found = look(said).await;
        let rows = found["changes"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{said}: {found:#}");
        assert_eq!(rows[0]["requester"], full, "{said}");
        let note = found["note"].as_str().unwrap_or_default();
        assert_eq!(note.contains(&full), said != full, "{said}: {note}");
    }
    let several = look("ada").await;
    let mut all: Vec<_> =
        several["candidates"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    all.sort_by_key(Value::to_string);
    let mut wanted = [json!(format!("{}#ada", one.url)), json!(format!("{}#ada", other.url))];
    wanted.sort_by_key(Value::to_string);
    assert_eq!(all, wanted, "{several:#}");
    assert_eq!(look("pipe").await["changes"], json!([]), "no part of a name is one");
    // A caller is told of nobody whose requests they may not see.
    let eve = other.token(&key, "eve", BOTH);
    let hidden = team.call(&eve, "check_change", json!({ "requester": "ada" })).await;
    assert_eq!(
        (&hidden["changes"], &hidden["candidates"]),
        (&json!([]), &Value::Null),
        "{hidden:#}"
    );
    let own = team.call(&tokens[2], "check_change", json!({ "requester": "pipeline" })).await;
    assert_eq!(own["changes"].as_array().map(Vec::len), Some(1), "{own:#}");
}
