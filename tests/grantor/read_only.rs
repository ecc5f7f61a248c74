use grantor::tools::TOOLS;

use super::harness::{Era, World, parsed};

async fn check(world: World, era: Era) {
    let server = world.serve_in(era).await;
    let listed: Vec<String> =
        server.tools().await.into_iter().map(|tool| tool.name.into_owned()).collect();
    let looks = TOOLS.iter().filter(|tool| !tool.spec.effect.writes());
    let looks: Vec<&str> = looks.map(|tool| tool.spec.name).collect();
    assert_eq!(listed, looks, "{era:?}");
    for tool in TOOLS.iter().filter(|tool| tool.spec.effect.writes()) {
        let (name, mut arguments) = (tool.spec.name, parsed(tool.spec.example));
        for dry_run in [false, true] {
            arguments["dry_run"] = dry_run.into();
            let answer = server.call(name, arguments.clone()).await;
            // A dry run may show what it would be, where no vendor is asked for it.
            let shown = dry_run && answer.outcome() == "preview";
            assert!(answer.outcome() == "refused" || shown, "{name}: {:#}", answer.body);
            assert!(shown || answer.is_error);
            assert!(shown || answer.summary().contains("read-only"), "{}", answer.summary());
        }
    }
    assert!(world.sandbox.journal().is_empty(), "{era:?}: nothing leaves, not even a question");
    let ledger = world.ledger();
    assert!(ledger.iter().all(|line| line["event"] == "refused"), "{ledger:?}");
}

#[tokio::test]
async fn no_changing_tool_is_listed_or_carried_out_however_it_is_said() {
    for era in [Era::Legacy, Era::Modern] {
        check(World::new().await.argument("--read-only"), era).await;
        check(World::new().await.set("GRANTOR_READ_ONLY", "1"), era).await;
        let world = World::new().await;
        let config = world.path("config.toml");
        std::fs::write(&config, "[grantor]\nread_only = true\n").unwrap();
        check(world.set("GRANTOR_CONFIG", config.to_str().unwrap()), era).await;
    }
}

/// The weaker word never wins over the stronger one.
#[tokio::test]
async fn what_one_source_forbids_no_other_allows() {
    let world = World::new().await.argument("--read-only").set("GRANTOR_READ_ONLY", "0");
    check(world, Era::Legacy).await;
}

#[tokio::test]
async fn looking_still_works() {
    let world = World::new().await.argument("--read-only");
    let answer = world.serve().await.call("list_roles", serde_json::json!({})).await;
    assert!(!answer.is_error && answer.body["rows"].as_array().unwrap().len() > 10);
}
