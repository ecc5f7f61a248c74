//! Access reviews: what is exported is what is listed, what was broken off goes on, and what came and went
//! is told with its receipt.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::harness::{Ran, World, status_after};

const GRANT: &str = r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#;

async fn world() -> World {
    World::new().await.set("SNAPLOGIC_INTERNAL_READS", "1")
}

fn exported(world: &World, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(world.path(name)).unwrap()).unwrap()
}

/// What tells one row from another, of an export or an answer.
fn key(row: &Value) -> String {
    let part = |name: &str| row[name]["id"].clone();
    json!([row["vendor"], part("principal"), part("role"), part("resource"), part("via")])
        .to_string()
}

async fn export(world: &World, format: &str, name: &str) -> Ran {
    let file = world.path(name);
    world.run(&["access", "export", "--format", format, "-o", file.to_str().unwrap()]).await
}

/// Row by row what the tool lists to its end, and nothing is left beside the file.
#[tokio::test]
async fn an_export_is_all_that_is_listed() {
    let world = world().await;
    let server = world.serve().await;
    let (mut listed, mut look) = (BTreeSet::new(), json!({ "limit": 7 }));
    loop {
        let answer = server.call("list_access", look.clone()).await;
        for row in answer.body["rows"].as_array().unwrap() {
            assert!(listed.insert(key(row)), "twice: {row:#}");
        }
        match answer.body["next_cursor"].as_str() {
            Some(next) => look["cursor"] = json!(next),
            None => break,
        }
    }
    let ran = export(&world, "json", "review.json").await;
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let review = exported(&world, "review.json");
    let rows = review["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(key).collect::<BTreeSet<_>>(), listed);
    assert_eq!(rows.len(), listed.len(), "no row twice");
    assert!(!world.path("review.json.partial").exists());
    // What a vendor never shows is said, and is no failure.
    assert!(review["unread"].as_array().unwrap().iter().all(|one| one["kind"] == "not_listable"));
    assert_eq!(export(&world, "csv", "review.csv").await.status, 0);
    let text = std::fs::read_to_string(world.path("review.csv")).unwrap();
    let lines = csv::Reader::from_reader(text.as_bytes()).into_records().count();
    assert_eq!(lines, rows.len() + review["unread"].as_array().unwrap().len());
    assert_eq!(export(&world, "html", "review.html").await.status, 0);
    let page = std::fs::read_to_string(world.path("review.html")).unwrap();
    let (_, table) = page.split_once("id=\"rows\"").unwrap();
    assert_eq!(table.matches("<tr><td>").count(), rows.len());
    assert!(!page.contains("http://") && !page.contains("https://"), "the page is whole by itself");
}

/// What could not be read is in the review, and the status says so.
#[tokio::test]
async fn what_cannot_be_read_is_a_part_of_the_review() {
    let world = world().await;
    world.inject("dfns", "GET", "/permissions", super::harness::status(403));
    let ran = export(&world, "json", "review.json").await;
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let review = exported(&world, "review.json");
    let unread = review["unread"].as_array().unwrap();
    assert!(unread.iter().any(|one| one["vendor"] == "dfns" && one["kind"] == "not_permitted"));
    assert!(ran.stderr.contains("dfns"), "{}", ran.stderr);
}

/// Where it cannot be written, that is said before anything is read, with the file.
#[tokio::test]
async fn a_file_that_cannot_be_written_is_named_at_once() {
    let world = world().await;
    let ran = export(&world, "csv", "none/review.csv").await;
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("none/review.csv"), "{}", ran.stderr);
    assert_eq!(world.count("GET", "/permissions"), 0, "nothing was read");
}

/// A run that dies leaves what it read, and the next one goes on with it.
#[tokio::test]
async fn a_review_that_was_broken_off_goes_on() {
    let world = world().await;
    assert_eq!(export(&world, "json", "whole.json").await.status, 0);
    let whole = exported(&world, "whole.json");
    world.inject("outsystems", "GET", "/organization-roles", status_after(429, "90"));
    let file = world.path("review.json");
    let arguments = ["access", "export", "--format", "json", "-o", file.to_str().unwrap()];
    let mut first = world.command(arguments).spawn().unwrap();
    let partial = world.path("review.json.partial");
    for _ in 0..200 {
        let lines = std::fs::read_to_string(&partial).unwrap_or_default().lines().count();
        if lines > 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    first.kill().await.unwrap();
    assert!(partial.exists() && !file.exists());
    let kept = std::fs::read_to_string(&partial).unwrap();
    let begun: Value = serde_json::from_str(kept.lines().next().unwrap()).unwrap();
    assert_eq!(export(&world, "json", "review.json").await.status, 0);
    let review = exported(&world, "review.json");
    assert_eq!(review["begun"], begun["begun"], "it is the same review");
    let keys = |review: &Value| -> BTreeSet<String> {
        review["rows"].as_array().unwrap().iter().map(key).collect()
    };
    assert_eq!(keys(&review), keys(&whole));
    assert_eq!(review["rows"].as_array().unwrap().len(), whole["rows"].as_array().unwrap().len());
}

/// What came and went is told, by which receipt, and what was not done through Grantor.
#[tokio::test]
async fn what_came_and_went_is_told_with_its_receipt() {
    let world = world().await;
    assert_eq!(export(&world, "json", "old.json").await.status, 0);
    let grant = world.run(&["call", "assign_permission", GRANT]).await;
    let receipt = super::harness::parsed(&grant.stdout)["receipt"].as_str().unwrap().to_owned();
    let old = world.path("old.json");
    let diff = async || {
        let ran = world.run(&["access", "diff", old.to_str().unwrap()]).await;
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        super::harness::parsed(&ran.stdout)
    };
    let moves = diff().await;
    assert_eq!(moves.as_array().unwrap().len(), 1, "{moves:#}");
    assert_eq!((&moves[0]["what"], &moves[0]["by"]), (&json!("came"), &json!(receipt)));
    assert_eq!(export(&world, "json", "new.json").await.status, 0);
    let row = exported(&world, "new.json")["rows"].as_array().unwrap().clone();
    assert!(row.iter().any(|row| row["receipt"] == json!(receipt) && row["granted_here"] == true));
    assert_eq!(world.run(&["call", "revoke_permission", GRANT]).await.status, 0);
    assert_eq!(diff().await, json!([]), "what came has gone");
    // Between the two exports it went; somebody else's row that comes is nobody's change from here.
    let mut other = exported(&world, "new.json");
    let mut stranger = other["rows"][0].clone();
    stranger["principal"]["id"] = json!("us-somebody");
    other["rows"].as_array_mut().unwrap().push(stranger);
    std::fs::write(world.path("other.json"), other.to_string()).unwrap();
    let [new, other] = ["new.json", "other.json"].map(|name| world.path(name));
    let ran = world.run(&["access", "diff", new.to_str().unwrap(), other.to_str().unwrap()]).await;
    let moves = super::harness::parsed(&ran.stdout);
    assert_eq!((&moves[0]["what"], moves[0].get("by")), (&json!("came"), None), "{moves:#}");
    let ran = world.run(&["access", "diff", world.path("none.json").to_str().unwrap()]).await;
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("none.json"), "{}", ran.stderr);
}
