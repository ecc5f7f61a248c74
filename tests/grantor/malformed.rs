use std::collections::BTreeMap;

use grantor::tools::{TOOLS, Tool};
use serde_json::{Map, Value, json};

use super::harness::{Raw, World, parsed};

/// Calls of each tool.
const EACH: usize = 20;

/// Words of a decoder, or of the language it is written in: no caller has use for them.
const FOREIGN: [&str; 24] = [
    "serde",
    "struct",
    "expected",
    "unknown field",
    "missing field",
    "duplicate field",
    "invalid type",
    "invalid value",
    "invalid length",
    "variant",
    "sequence",
    "a map",
    "a string",
    "boolean",
    "unit",
    "option",
    "some(",
    "vec<",
    "usize",
    "u64",
    "i64",
    "f64",
    "panicked",
    "trailing",
];

/// The same numbers in each run.
struct Dice(u64);

/// A call with several things wrong, and what must be said of each.
struct Malformed {
    tool: &'static str,
    arguments: Map<String, Value>,
    said: Vec<String>,
}

impl Dice {
    fn next(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.next(all.len())]
    }
}

fn kind(schema: &Value) -> &str {
    schema["type"].as_str().unwrap_or_default()
}

/// Values that cannot mean anything where this schema stands.
fn wrong_values(schema: &Value) -> Vec<Value> {
    let mut wrong = match kind(schema) {
        "string" => vec![json!(7), json!(true), json!({ "surprise": 1 }), json!(["a", "b"])],
        "integer" => {
            vec![json!("many"), json!(0), json!(501), json!(1.5), json!(false), json!("1,5")]
        }
        "boolean" => vec![json!("yes"), json!(1), json!("True"), json!({}), json!([true, false])],
        "array" => vec![json!(7), json!(true), json!("[\"a\""), json!("a, b"), json!("7")],
        "object" => vec![json!("engineer"), json!(7), json!([]), json!("[1]"), json!("{\"id\"")],
        other => panic!("a schema of the kind {other}"),
    };
    if schema.get("enum").is_some() || schema.get("format").is_some() {
        wrong.push(json!("no such thing"));
    }
    if schema.get("minLength").is_some() {
        wrong.extend([json!("x".repeat(257)), json!("a\nb")]);
    }
    wrong
}

/// Makes up to three of a tool's arguments wrong, each in one way.
fn malformed(tool: &'static Tool, dice: &mut Dice) -> Malformed {
    let schema = tool.schema.clone();
    let properties = schema["properties"].as_object().unwrap();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map_or(Vec::new(), |names| names.iter().map(|name| name.as_str().unwrap()).collect());
    let Value::Object(mut arguments) = parsed(tool.spec.example) else { panic!("no object") };
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..=dice.next(3) {
        let (name, of) = dice.pick(&properties.iter().collect::<Vec<_>>()).to_owned();
        if said.contains_key(name) {
            continue;
        }
        let is_required = required.contains(&name.as_str());
        let told = match dice.next(6) {
            0 if is_required => {
                arguments.remove(name);
                format!("{name}: is missing; it must be ")
            }
            1 if is_required => {
                let blank = ["", "  ", "\u{200b}", "\t"];
                arguments.insert(name.clone(), json!(dice.pick(&blank)));
                format!("{name}: must not be empty; it must be ")
            }
            2 if is_required => {
                arguments.insert(name.clone(), Value::Null);
                format!("{name}: must not be null; it must be ")
            }
            3 => {
                let extra = format!("{}_{}", ["force", "confirm", "x"][dice.next(3)], said.len());
                arguments.insert(extra.clone(), json!(true));
                said.insert(extra.clone(), format!("there is no argument \"{extra}\""));
                continue;
            }
            4 if kind(of) == "array" => {
                let item = dice.pick(&wrong_values(&of["items"])).to_owned();
                arguments.insert(name.clone(), json!([item, item]));
                format!("{name}[1]: ")
            }
            _ => {
                let value = dice.pick(&wrong_values(of)).to_owned();
                arguments.insert(name.clone(), value);
                format!("{name}: must ")
            }
        };
        said.insert(name.clone(), told);
    }
    Malformed { tool: tool.spec.name, arguments, said: said.into_values().collect() }
}

/// What a call answers, as one text; an error of the protocol too.
fn told(answer: &Value) -> (bool, String) {
    match answer.get("error") {
        Some(error) => (true, error["message"].as_str().unwrap().to_owned()),
        None => {
            let body = &answer["result"]["structuredContent"];
            let outcome = body["outcome"].as_str().unwrap_or_default();
            let refused = ["invalid", "refused"].contains(&outcome);
            let is_error = answer["result"]["isError"] == true && refused;
            (is_error, format!("{} {}", body["summary"], body["hint"]).replace("\\\"", "\""))
        }
    }
}

async fn call(server: &mut Raw, id: u64, tool: &str, arguments: &str) -> Value {
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    );
    server.send_bytes(format!("{line}\n").as_bytes()).await;
    server.next().await.expect("the server ended")
}

fn foreign(told: &str) -> Vec<&'static str> {
    let words = told.to_lowercase();
    let is_word = |word: &&&str| {
        words.match_indices(**word).any(|(place, _)| {
            let before = words[..place].chars().next_back();
            !before.is_some_and(char::is_alphanumeric)
        })
    };
    FOREIGN.iter().filter(is_word).copied().collect()
}

/// Nobody is asked and nothing is sent, and all that is wrong is told at once, by the caller's names.
#[tokio::test]
async fn three_hundred_malformed_calls_are_told_and_go_nowhere() {
    let world = World::new().await;
    let mut server = world.serve_raw();
    server.hello("2025-11-25").await;
    let (mut dice, mut troubles, mut id) = (Dice(20_261_127), Vec::new(), 0);
    for tool in &TOOLS {
        for _ in 0..EACH {
            id += 1;
            let Malformed { tool, arguments, said } = malformed(tool, &mut dice);
            let arguments = Value::Object(arguments).to_string();
            let (is_error, told) = told(&call(&mut server, id, tool, &arguments).await);
            let unsaid: Vec<_> = said.iter().filter(|words| !told.contains(*words)).collect();
            let foreign = foreign(&told);
            if !is_error || !unsaid.is_empty() || !foreign.is_empty() {
                troubles.push(format!(
                    "{tool} {arguments}\n  {told}\n  unsaid: {unsaid:?} foreign: {foreign:?}"
                ));
            }
        }
    }
    assert!(id >= 300, "{id} calls");
    assert!(troubles.is_empty(), "{}\n{} of {id}", troubles.join("\n"), troubles.len());
    assert!(world.sandbox.journal().is_empty(), "nobody is asked");
    assert!(world.ledger().is_empty(), "nothing was judged, so nothing is recorded");
}

/// Of two values of one key neither is taken, wherever it is and whatever else is right.
#[tokio::test]
async fn a_key_that_is_given_twice_goes_nowhere() {
    let world = World::new().await;
    let mut server = world.serve_raw();
    server.hello("2025-11-25").await;
    for (number, tool) in TOOLS.iter().enumerate() {
        let Value::Object(example) = parsed(tool.spec.example) else { panic!("no object") };
        for name in tool.schema.clone()["properties"].as_object().unwrap().keys() {
            let value = example.get(name).cloned().unwrap_or(json!("x"));
            let whole = Value::Object(example.clone()).to_string();
            let twice = format!(r#"{{"{name}": {value}, "{name}": {value}"#);
            let rest = whole.strip_prefix('{').unwrap();
            let comma = if rest == "}" { "" } else { ", " };
            let arguments = format!("{twice}{comma}{rest}");
            let answer = call(&mut server, number as u64, tool.spec.name, &arguments).await;
            let (is_error, told) = told(&answer);
            assert!(
                is_error && told.contains(&format!("given twice: {name}")),
                "{arguments} {told}"
            );
        }
    }
    for (arguments, named) in [
        (r#"{"role": {"name": "admin", "name": "owner"}, "user": {"id": "1"}}"#, "role.name"),
        (r#"{"role": "{\"name\": \"a\", \"name\": \"b\"}", "user": {"id": "1"}}"#, "role"),
        (r#"{"user": {"id": "1"}, "dry_run": true, "dry\u005frun": false}"#, "dry_run"),
    ] {
        let answer = call(&mut server, 99, "assign_organization_role", arguments).await;
        let (is_error, told) = told(&answer);
        assert!(is_error && told.contains(named) && told.contains("twice"), "{arguments} {told}");
    }
    for arguments in
        [r#"{"query": "a", "query": "b"}"#, r#"{"query": "a", "kind": "user", "kind": "user"}"#]
    {
        let ran = world.run(&["call", "find_principals", arguments]).await;
        assert_eq!(ran.status, 2, "{arguments} {}", ran.stdout);
        assert!(ran.stderr.contains("given twice: "), "{}", ran.stderr);
    }
    let contrary =
        ["call", "undo_change", r#"{"receipt": "gr-1", "reason": "a"}"#, "--reason", "b"];
    let ran = world.run(&contrary).await;
    assert!(ran.status == 2 && ran.stderr.contains("--reason"), "{}", ran.stderr);
    assert!(world.sandbox.journal().is_empty(), "nobody is asked");
}

/// What can only mean one thing does what it means.
#[tokio::test]
async fn a_call_as_models_write_it_does_what_it_says() {
    let world = World::new().await;
    let server = world.serve().await;
    for (tool, arguments) in [
        (
            "grant_asset_role",
            json!({ "userKey": ["user@example.com"], "roleKey": "Developer",
                "assetKeys": "[\"Orders\"]", "portfolioKey": "", "expires_in": null,
                "dry_run": "false" }),
        ),
        (
            "assign_environment_role",
            json!({ "environmentId": "Staging", "role": "{\"name\": \"engineer\"}",
                "user": "{\"id\": null, \"name\": \"user@example.com\"}" }),
        ),
        (
            "set_project_acl",
            json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
                "grantee": "user@example.com", "permission_list": "[\"R\", \"X\"]", "inherit": "true" }),
        ),
        (
            "set_asset_permissions",
            json!({ "asset": "BillingService",
                "userGroupAssetPermission": "[{\"group\": \"API Team\", \"permission\": \"Modify\"}]" }),
        ),
    ] {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    let look = json!({ "query": "alex", "limit": 10.0, "vendor": ["dfns"], "cursor": "" });
    let answer = server.call("find_principals", look).await;
    assert_eq!(answer.body["rows"].as_array().unwrap().len(), 2, "{:#}", answer.body);
}

/// All names that mean nothing, or several things, are told with their candidates, at once.
#[tokio::test]
async fn all_names_that_do_not_resolve_are_told_at_once() {
    let world = World::new().await;
    let server = world.serve().await;
    for (tool, arguments, named) in [
        (
            "grant_asset_role",
            json!({ "userKey": "Alex Kim", "roleKey": "Emperor", "assetKeys": ["Orders", "Nowhere", "Reports"] }),
            &["userKey", "roleKey", "assetKeys[1]", "assetKeys[2]"][..],
        ),
        (
            "assign_permission",
            json!({ "permissionId": "Emperor", "identityId": "Alex Kim" }),
            &["permissionId", "identityId"],
        ),
        (
            "revoke_permission",
            json!({ "permissionId": "Emperor", "identityId": "Alex Kim" }),
            &["permissionId", "identityId"],
        ),
        (
            "assign_organization_role",
            json!({ "role": { "name": "Emperor" }, "user": { "name": "Alex Kim" } }),
            &["role", "user"],
        ),
        (
            "assign_environment_role",
            json!({ "environmentId": "Nowhere", "role": { "name": "Emperor" }, "user": { "name": "Alex Kim" } }),
            &["environmentId", "role", "user"],
        ),
        (
            "remove_environment_role",
            json!({ "environmentId": "Nowhere", "user": { "name": "Alex Kim" } }),
            &["environmentId", "user"],
        ),
        (
            "set_project_acl",
            json!({ "project_or_space_path": "/Harbor/Nowhere", "grant_type": "USER",
                "grantee": "Alex Kim", "permission_list": ["R"] }),
            &["project_or_space_path", "grantee"],
        ),
        (
            "set_asset_permissions",
            json!({ "asset": "Nowhere", "userGroupAssetPermission": [
                { "user": "Alex Kim", "permission": "View" }, { "group": "Nobody", "permission": "View" }] }),
            &["asset", "userGroupAssetPermission[0].user", "userGroupAssetPermission[1].group"],
        ),
    ] {
        let answer = server.call(tool, arguments).await;
        assert_eq!(answer.outcome(), "invalid", "{:#}", answer.body);
        for name in named {
            assert!(answer.summary().contains(&format!("{name}: ")), "{name}: {:#}", answer.body);
        }
        let candidates = answer.body["candidates"].as_array().unwrap();
        let twins = candidates.iter().filter(|one| one["name"] == "Alex Kim");
        let told: Vec<_> = twins.map(|one| (&one["email"], &one["id"], &one["argument"])).collect();
        assert!(told.len() == 2 && told[0].1 != told[1].1, "{candidates:?}");
        assert!(told.iter().all(|one| named.iter().any(|name| *one.2 == *name)), "{candidates:?}");
    }
    assert!(world.writes().is_empty());
}
