use grantor::tools::TOOLS;
use serde_json::{Value, json};

use super::harness::{Era, Raw, World};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER: &str = "io.modelcontextprotocol/serverInfo";
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const MODERN: &str = "2026-07-28";
const INVALID_PARAMS: i64 = -32602;
const UNSUPPORTED_VERSION: i64 = -32022;

/// Parameters of a modern request.
fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({ VERSION: MODERN, CAPABILITIES: {} });
    params
}

fn a_call() -> Value {
    json!({ "name": "list_roles", "arguments": { "vendor": "centrasite" } })
}

async fn raw() -> (World, Raw) {
    let world = World::new().await;
    let raw = world.serve_raw();
    (world, raw)
}

fn error_code(response: &Value) -> i64 {
    response["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {response}"))
}

#[tokio::test]
async fn every_legacy_revision_is_served_as_it_was() {
    for version in LEGACY {
        let (_world, mut raw) = raw().await;
        let hello = raw.hello(version).await;
        let hello = &hello["result"];
        assert_eq!(hello["protocolVersion"], version);
        assert_eq!(hello["serverInfo"]["name"], "grantor");
        assert_eq!(hello["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(hello["capabilities"]["tools"].is_object());
        let list = raw.ask(1, "tools/list", json!({})).await;
        assert_eq!(list["result"]["tools"].as_array().unwrap().len(), TOOLS.len());
        let call = raw.ask(2, "tools/call", a_call()).await;
        assert_eq!(call["result"]["isError"], false);
        assert!(call["result"]["structuredContent"]["rows"].is_array());
        assert!(raw.ask(3, "ping", json!({})).await["result"].is_object());
        for result in [hello, &list["result"], &call["result"]] {
            for modern in ["resultType", "ttlMs", "cacheScope", "_meta"] {
                assert!(result.get(modern).is_none(), "{version} knows no {modern}: {result}");
            }
        }
        let (status, rest) = raw.finish().await;
        assert_eq!((status, rest), (0, vec![]), "{version}");
    }
}

/// `initialize` belongs to the legacy era, so the newest revision of that era is answered.
#[tokio::test]
async fn initialize_never_leads_into_the_modern_era() {
    for asked in [MODERN, "2099-01-01", "1999-01-01"] {
        let (_world, mut raw) = raw().await;
        let hello = raw.hello(asked).await;
        let version = hello["result"]["protocolVersion"].as_str().unwrap();
        assert!(LEGACY.contains(&version), "{asked}: {version}");
        let list = raw.ask(1, "tools/list", json!({})).await;
        assert!(list["result"]["tools"].is_array() && list["result"].get("ttlMs").is_none());
    }
}

#[tokio::test]
async fn discover_says_what_a_modern_client_needs() {
    let (_world, mut raw) = raw().await;
    let found = raw.ask(1, "server/discover", modern(json!({}))).await;
    let found = &found["result"];
    let versions = found["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)), "{versions:?}");
    assert!(found["capabilities"]["tools"].is_object());
    assert!(found["instructions"].as_str().unwrap().contains("unknown = "));
    is_modern(found);
    is_cacheable(found);
}

/// No handshake: each request stands for itself, and the first may be any.
#[tokio::test]
async fn the_first_modern_request_may_be_any() {
    let (_world, mut first_lists) = raw().await;
    let list = first_lists.ask(1, "tools/list", modern(json!({}))).await;
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), TOOLS.len());
    is_modern(&list["result"]);
    is_cacheable(&list["result"]);
    let (_world, mut first_calls) = raw().await;
    let call = first_calls.ask(1, "tools/call", modern(a_call())).await;
    assert!(call["result"]["structuredContent"]["rows"].is_array());
    is_modern(&call["result"]);
    assert_eq!(first_calls.finish().await.0, 0);
}

fn is_modern(result: &Value) {
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(result["_meta"][SERVER]["name"], "grantor", "{result}");
}

fn is_cacheable(result: &Value) {
    assert!(result["ttlMs"].as_u64().is_some_and(|milliseconds| milliseconds > 0), "{result}");
    assert!(["public", "private"].iter().any(|scope| result["cacheScope"] == *scope), "{result}");
}

#[tokio::test]
async fn a_modern_request_that_is_wrong_is_an_error_of_its_own() {
    let meta = |version: Value| json!({ "_meta": { VERSION: version, CAPABILITIES: {} } });
    let no_capabilities = json!({ "_meta": { VERSION: MODERN } });
    let unknown = modern(json!({ "name": "grant_everything", "arguments": {} }));
    for (method, params, code) in [
        ("tools/list", meta(json!("2099-01-01")), UNSUPPORTED_VERSION),
        ("server/discover", meta(json!("2099-01-01")), UNSUPPORTED_VERSION),
        ("tools/list", json!({}), INVALID_PARAMS),
        ("tools/list", no_capabilities, INVALID_PARAMS),
        ("tools/call", unknown, INVALID_PARAMS),
        ("tools/list", modern(json!({ "cursor": "made up" })), INVALID_PARAMS),
    ] {
        let (world, mut raw) = raw().await;
        let response = raw.ask(1, method, params.clone()).await;
        assert_eq!(error_code(&response), code, "{method} {params}: {response}");
        if code == UNSUPPORTED_VERSION {
            let data = &response["error"]["data"];
            assert!(data["supported"].as_array().unwrap().contains(&json!(MODERN)), "{data}");
            assert_eq!(data["requested"], "2099-01-01");
        }
        let next = raw.ask(2, "tools/list", modern(json!({}))).await;
        assert!(next["result"]["tools"].is_array(), "the connection lives");
        assert!(world.sandbox.journal().is_empty());
    }
}

#[tokio::test]
async fn a_legacy_request_that_is_wrong_is_an_error_of_its_own() {
    let (_world, mut raw) = raw().await;
    raw.hello("2025-11-25").await;
    let unknown = json!({ "name": "grant_everything", "arguments": {} });
    let response = raw.ask(1, "tools/call", unknown).await;
    assert_eq!(error_code(&response), INVALID_PARAMS, "{response}");
    assert!(response["error"]["message"].as_str().unwrap().contains("grant_everything"));
    let response = raw.ask(2, "tools/list", json!({ "cursor": "made up" })).await;
    assert_eq!(error_code(&response), INVALID_PARAMS, "{response}");
    assert!(raw.ask(3, "tools/list", json!({})).await["result"]["tools"].is_array());
}

/// The list depends on the configuration alone: not on the era, the client or earlier calls.
#[tokio::test]
async fn the_list_is_the_same_for_everybody_and_after_calls() {
    let world = World::new().await;
    let (legacy, modern) = (world.serve_in(Era::Legacy).await, world.serve_in(Era::Modern).await);
    let first = serde_json::to_value(legacy.tools().await).unwrap();
    legacy.call("list_roles", json!({})).await;
    assert_eq!(serde_json::to_value(legacy.tools().await).unwrap(), first);
    assert_eq!(serde_json::to_value(modern.tools().await).unwrap(), first);
}

/// A change ends the same way in both eras.
#[tokio::test]
async fn a_change_is_the_same_in_both_eras() {
    for era in [Era::Legacy, Era::Modern] {
        let world = World::new().await;
        let server = world.serve_in(era).await;
        let arguments = json!({
            "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"],
        });
        let answer = server.call("grant_asset_role", arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{era:?}: {:#}", answer.body);
        assert!(!answer.is_error && world.writes().len() == 1);
        server.stop().await;
    }
}

/// A client may probe with a process it throws away.
#[tokio::test]
async fn start_up_touches_neither_vendors_nor_ledger() {
    let world = World::new().await;
    let mut raw = world.serve_raw();
    raw.ask(1, "server/discover", modern(json!({}))).await;
    raw.ask(2, "tools/list", modern(json!({}))).await;
    assert_eq!(raw.finish().await.0, 0);
    assert!(world.sandbox.journal().is_empty());
    assert!(!world.path("state").exists(), "nothing is made before it is needed");
}

#[tokio::test]
async fn an_end_of_input_before_any_message_is_no_error() {
    let (_world, raw) = raw().await;
    assert_eq!(raw.finish().await, (0, vec![]));
}
