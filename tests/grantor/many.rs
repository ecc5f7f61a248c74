//! One call for many: its answer is still one that a model reads.

use std::collections::BTreeSet;

use grantor::sandbox::Modes;
use serde_json::{Value, json};

use super::harness::{Answer, World, status};

const MOST_TOKENS: usize = 20_000;

fn tokens(answer: &Answer) -> usize {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(&answer.body.to_string()).len()
}

fn fifty() -> Value {
    let assets: Vec<_> = (1..=50).map(|number| format!("App {number:03}")).collect();
    json!({ "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": assets })
}

/// OutSystems' answer that somebody is a Developer on the first so many apps.
fn held(count: usize) -> Value {
    let row = |number: usize| {
        json!({
            "key": "9dfb369b-ab13-4fae-a276-55daa05f1119",
            "name": "Developer",
            "assetKey": format!("00000000-0000-4000-8000-0003{number:08}"),
            "portfolioKey": "c498b6e7-3648-445e-9afa-3a387f006745",
            "grantPeriod": { "startTime": null, "endTime": null },
        })
    };
    let rows: Vec<_> = (1..=count).map(row).collect();
    let page = json!({ "count": count, "limit": 1_000, "offset": 0, "totalResults": count });
    json!({ "results": rows, "page": page })
}

/// As many rows as a call may ask for are too many for one answer: it goes on at its cursor, to the end.
#[tokio::test]
async fn a_long_list_goes_on_at_its_cursor() {
    const ALL: usize = 500;
    let world = World::new().await.tokens_straight().await;
    let (world, _proxy) = world.with_role_pages(|page, _| *page = held(ALL)).await;
    let server = world.serve().await;
    let (mut seen, mut answers) = (BTreeSet::new(), 0);
    let mut look = json!({ "vendor": "outsystems", "principal": "user@example.com", "limit": ALL });
    loop {
        let answer = server.call("list_access", look.clone()).await;
        assert!(tokens(&answer) < MOST_TOKENS, "{} tokens", tokens(&answer));
        let rows = answer.body["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{:#}", answer.body);
        let new = rows.iter().filter(|row| seen.insert(row["resource"]["id"].to_string()));
        assert_eq!(new.count(), rows.len(), "no row is told twice");
        answers += 1;
        match answer.body["next_cursor"].as_str() {
            Some(next) => look["cursor"] = json!(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), ALL);
    assert!(answers > 1, "one answer held them all");
}

/// A dry run, a question that waits, and what check_change says of it: each names all fifty.
#[tokio::test]
async fn an_answer_for_fifty_assets_names_them_all_and_stays_short() {
    let world = World::with(Modes { many_assets: true, ..Modes::default() }).await;
    let server = world.serve().await;
    let mut preview = fifty();
    preview["dry_run"] = json!(true);
    let answer = server.call("grant_asset_role", preview).await;
    assert_eq!(answer.outcome(), "preview", "{:#}", answer.body);
    assert!(tokens(&answer) < MOST_TOKENS, "{} tokens", tokens(&answer));
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 50);
    for (item, number) in items.iter().zip(1..) {
        assert_eq!(item["resource"]["name"], format!("App {number:03}"), "{item:#}");
        assert_eq!(item["outcome"], "preview");
    }
    server.stop().await;
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/default.cedar");
    let world = world.set("GRANTOR_POLICY", policy);
    let server = world.serve().await;
    let answer = server.call("grant_asset_role", fifty()).await;
    assert_eq!(answer.outcome(), "awaiting_consent", "{:#}", answer.body);
    assert!(tokens(&answer) < MOST_TOKENS, "{} tokens", tokens(&answer));
    assert_eq!(answer.body["items"].as_array().unwrap().len(), 50);
    let look = json!({ "receipt": answer.body["receipt"] });
    let answer = server.call("check_change", look).await;
    assert!(tokens(&answer) < MOST_TOKENS, "{} tokens", tokens(&answer));
}

/// Nearly all is there already, the vendor refuses one, and another is not begun: those two are told in
/// full, and the others are all there.
#[tokio::test]
async fn what_is_there_already_is_told_more_briefly_than_what_goes_wrong() {
    let world = World::with(Modes { many_assets: true, ..Modes::default() }).await;
    let there = |page: &mut Value, _: bool| *page = held(48);
    let (world, _proxy) = world.tokens_straight().await.with_role_pages(there).await;
    world.inject("outsystems", "POST", "/organization-roles/", status(400));
    let answer = world.serve().await.call("grant_asset_role", fifty()).await;
    assert!(tokens(&answer) < MOST_TOKENS, "{} tokens", tokens(&answer));
    assert_eq!((answer.outcome(), answer.is_error), ("rejected", true), "{:#}", answer.body);
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 50);
    for (item, number) in items.iter().zip(1..) {
        assert_eq!(item["resource"]["name"], format!("App {number:03}"), "{item:#}");
        let well = item["outcome"] == "already_present";
        assert_eq!(well, number <= 48, "{item:#}");
        assert!(well || item["note"].is_string(), "{item:#}");
    }
    assert_eq!(world.writes().len(), 1);
}
