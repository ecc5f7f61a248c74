use std::collections::BTreeMap;

use assert_json_diff::{CompareMode, Config, assert_json_matches_no_panic};
use grantor::tools::TOOLS;
use serde_json::Value;
use std::path::Path;

use super::golden;
use super::harness::{Era, Server, World};

const FOLDER: &str = "tool-schemas";

/// Every tool as the real server lists it, with all vendors configured.
pub async fn served() -> Vec<Value> {
    let world = World::new().await;
    let server: Server = world.serve_in(Era::Legacy).await;
    let tools = server.tools().await;
    tools.into_iter().map(|tool| serde_json::to_value(tool).unwrap()).collect()
}

#[tokio::test]
async fn each_tool_is_served_as_its_file_says() {
    let served = served().await;
    let names: Vec<&str> = served.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let all: Vec<&str> = TOOLS.iter().map(|tool| tool.spec.name).collect();
    assert_eq!(names, all, "every tool is listed where every vendor is configured, in order");
    let mut files = BTreeMap::new();
    for (tool, served) in TOOLS.iter().zip(&served) {
        let path = format!("{}/{}.json", tool.spec.vendor.unwrap_or("access"), tool.spec.name);
        if !golden::updating()
            && let Some(kept) = kept(&path)
        {
            let strict = Config::new(CompareMode::Strict);
            if let Err(difference) = assert_json_matches_no_panic(&kept, served, strict) {
                let how = golden::how("each_tool_is_served_as_its_file_says");
                panic!("{FOLDER}/{path} (left) is not what is served (right)\n{difference}\n{how}");
            }
        }
        files.insert(path, format!("{served:#}\n"));
    }
    golden::check(FOLDER, "each_tool_is_served_as_its_file_says", &files);
}

fn kept(path: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(path);
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{FOLDER}: {error}")))
}
