use serde_json::{Value, json};

use super::harness::World;

const TABLE: &str = include_str!("utterances.toml");

/// As many as a model is shown to pick from.
const LEAST: usize = 60;

/// Each goes to a tool there is, with arguments that it takes and names that there are; a change is only
/// shown. Whether the tool is the one that a person would pick is for who reads the table.
#[tokio::test]
async fn what_people_say_has_a_call() {
    let world = World::new().await.set("GRANTOR_TEST_HASTE", "60");
    let server = world.serve().await;
    let table: toml::Table = TABLE.parse().unwrap();
    let table = serde_json::to_value(table).unwrap();
    let utterances = table["utterance"].as_array().unwrap();
    assert!(utterances.len() >= LEAST, "{}", utterances.len());
    let tools = server.tools().await;
    let mut unused: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let mut wrong = Vec::new();
    for utterance in utterances {
        let (said, tool) = (&utterance["said"], utterance["tool"].as_str().unwrap());
        unused.retain(|name| *name != tool);
        let mut arguments = utterance["arguments"].clone();
        let definition = tools.iter().find(|one| one.name == tool).unwrap();
        if definition.input_schema["properties"].get("dry_run").is_some() {
            arguments["dry_run"] = json!(true);
        }
        let answer = server.call(tool, arguments).await;
        let usual = if answer.body.get("outcome").is_some() { "preview" } else { "" };
        let expected = utterance.get("ends").and_then(Value::as_str).unwrap_or(usual);
        let ends = answer.body.get("outcome").and_then(Value::as_str).unwrap_or_default();
        // What is so already needs no preview.
        if ends != expected && !ends.starts_with("already_") {
            wrong.push(format!("{said}: {:#}", answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unused.is_empty(), "nobody asks for {unused:?}");
    assert!(world.writes().is_empty());
}
