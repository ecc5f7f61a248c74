use std::path::Path;

use grantor::sandbox::Seen;
use serde_json::{Value, json};

use super::harness::{World, status, status_after};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const EXAMPLE: &str = "grant_asset_role";

/// A client's call, with `_meta` as it likes.
async fn call(world: &World, tool: &str, arguments: Value, meta: Value) -> Value {
    let mut server = world.serve_raw_logged();
    server.hello("2025-11-25").await;
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let answer = server.ask(7, "tools/call", params).await;
    assert_eq!(server.finish().await.0, 0);
    answer
}

fn grant() -> Value {
    json!({
        "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"],
        "reason": "the secret plan",
    })
}

/// Grantor's own lines: the protocol's crate has some too.
fn lines(world: &World) -> Vec<String> {
    let own = |line: &&str| line.contains(" grantor: ") || line.contains(r#""target":"grantor""#);
    world.stderr().lines().filter(own).map(str::to_owned).collect()
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    let found = seen.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_call_is_one_line_that_names_its_end_and_nobody() {
    let world = World::new().await.set("GRANTOR_LOG", "info");
    let answer = call(&world, EXAMPLE, grant(), json!({})).await;
    let receipt = answer["result"]["structuredContent"]["receipt"].as_str().unwrap();
    let lines = lines(&world);
    let [line] = &*lines else { panic!("{lines:#?}") };
    let wanted = format!(
        "call tool=grant_asset_role vendor=outsystems outcome=confirmed receipt={receipt} took_ms="
    );
    assert!(line.contains(&wanted), "{line}");
    let stderr = world.stderr();
    for part in ["user@example.com", "secret plan", "Orders", "Developer", "\u{1b}"] {
        assert!(!stderr.contains(part), "{part:?} is in {stderr}");
    }
}

/// A client's own words stay out of the log, whatever it asks for.
#[tokio::test]
async fn a_method_that_there_is_not_puts_nothing_into_the_log() {
    let world = World::new().await.set("GRANTOR_LOG", "info");
    let mut server = world.serve_raw_logged();
    server.hello("2025-11-25").await;
    let method = format!("forged\nWARN grantor: all is well {}", "x".repeat(100_000));
    let answer = server.ask(7, &method, json!({})).await;
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let params = json!({ "name": 7, "arguments": "forged too" });
    let answer = server.ask(8, "tools/call", params).await;
    assert!(answer["error"]["code"].is_i64(), "{answer}");
    assert_eq!(server.finish().await.0, 0);
    let stderr = world.stderr();
    assert!(!stderr.contains("forged") && !stderr.contains("xxxx"), "{stderr:.2000}");
}

#[tokio::test]
async fn every_end_of_a_call_is_told() {
    let check = async |tool: &str, arguments: Value, wanted: &str| {
        let world = World::new().await.set("GRANTOR_LOG", "grantor=info");
        call(&world, tool, arguments, json!({})).await;
        let lines = lines(&world);
        assert!(lines.len() == 1 && lines[0].contains(wanted), "{tool}: {lines:#?}");
    };
    let look = json!({ "vendor": "outsystems", "query": "Developer" });
    check("list_roles", look, "call tool=list_roles rows=1 problems=0 took_ms=").await;
    let nobody = json!({ "userKey": "no@example.com", "roleKey": "x", "assetKeys": ["y"] });
    check(EXAMPLE, nobody, "vendor=outsystems outcome=invalid took_ms=").await;
    check("sam@example.com", json!({}), "call error=unknown_tool took_ms=").await;
}

#[tokio::test]
async fn every_vendor_request_is_a_line_without_what_names_a_person() {
    let world = World::new().await.set("GRANTOR_LOG", "grantor=debug");
    world.inject("outsystems", "POST", "/organization-roles/", status_after(429, "0"));
    let answer = call(&world, EXAMPLE, grant(), json!({})).await;
    let receipt = answer["result"]["structuredContent"]["receipt"].as_str().unwrap();
    let lines = lines(&world);
    let requests: Vec<_> = lines.iter().filter(|line| line.contains("vendor request")).collect();
    assert_eq!(requests.len(), world.sandbox.journal().len(), "{lines:#?}");
    let path = "path=/api/identity/v1/users/{key}/organization-roles/{roleKey}";
    let writes: Vec<_> = requests
        .iter()
        .filter(|line| line.contains("method=POST") && line.contains(path))
        .collect();
    let [first, second] = &*writes else { panic!("{requests:#?}") };
    let context = format!(
        "call{{tool=grant_asset_role vendor=outsystems}}:write{{receipt={receipt}}}: grantor: "
    );
    assert!(first.contains(&context), "{first}");
    assert!(first.contains("host=127.0.0.1") && first.contains("status=429 attempt=1"), "{first}");
    assert!(second.contains("attempt=2") && !second.contains("status=429"), "{second}");
    // The path of this look-up holds an address.
    let groups = json!({ "vendor": "snaplogic", "principal": "user@example.com" });
    call(&world, "list_access", groups, json!({})).await;
    assert!(!world.stderr().contains("@example.com"), "{}", world.stderr());
}

/// The protocol's and the HTTP client's own lines would hold whole messages.
#[tokio::test]
async fn no_level_alone_logs_what_is_in_a_message() {
    let world = World::new().await.set("GRANTOR_LOG", "trace");
    call(&world, EXAMPLE, grant(), json!({})).await;
    let stderr = world.stderr();
    assert!(stderr.contains("vendor request"), "{stderr}");
    for part in ["user@example.com", "secret plan", "Bearer", "Orders"] {
        assert!(!stderr.contains(part), "{part:?} is in {stderr}");
    }
}

#[tokio::test]
async fn a_log_collector_gets_one_object_a_line() {
    let world = World::new().await.set("GRANTOR_LOG", "grantor=debug");
    let world = world.set("GRANTOR_LOG_FORMAT", "json").unset("CENTRASITE_PASSWORD");
    let meta = json!({ "traceparent": format!("00-{ID}-{SPAN}-01") });
    call(&world, EXAMPLE, grant(), meta).await;
    let stderr = world.stderr();
    let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    let lines: Vec<Value> = stderr.lines().map(read).collect();
    assert!(lines[0]["message"].as_str().unwrap().starts_with("centrasite is left out"));
    let end = lines.last().unwrap();
    assert_eq!(
        (&end["level"], &end["tool"], &end["vendor"], &end["outcome"], &end["trace_id"]),
        (&json!("INFO"), &json!(EXAMPLE), &json!("outsystems"), &json!("confirmed"), &json!(ID))
    );
    assert!(end["took_ms"].is_u64() && end["receipt"].is_string(), "{end}");
    let write = lines.iter().find(|line| line["method"] == "POST" && line["attempt"] == 1).unwrap();
    assert_eq!((&write["status"], &write["spans"][0]["trace_id"]), (&json!(201), &json!(ID)));
    assert_eq!(write["spans"][1]["receipt"], end["receipt"]);
}

#[tokio::test]
async fn a_format_that_does_not_exist_names_those_that_do() {
    let world = World::new().await;
    let ran = world.set("GRANTOR_LOG_FORMAT", "xml").run(&["tools"]).await;
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("GRANTOR_LOG_FORMAT is human or json, not \"xml\""), "{ran:?}");
}

#[tokio::test]
async fn the_file_can_choose_the_format() {
    let world = World::new().await.set("GRANTOR_LOG", "grantor=info");
    let path = world.path("config.toml");
    std::fs::write(&path, "[grantor]\nlog_format = \"json\"\n").unwrap();
    let world = world.set("GRANTOR_CONFIG", path.to_str().unwrap());
    call(&world, "list_roles", json!({ "vendor": "outsystems" }), json!({})).await;
    let line: Value = serde_json::from_str(world.stderr().lines().next().unwrap()).unwrap();
    assert_eq!(line["tool"], "list_roles");
}

/// The trace goes on, from a span of its own for each request, and to nobody but the vendor.
#[tokio::test]
async fn a_clients_trace_goes_on_at_the_vendor() {
    let world = World::new().await;
    let state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
    let meta = json!({ "traceparent": format!("00-{ID}-{SPAN}-01"), "tracestate": state });
    call(&world, EXAMPLE, grant(), meta).await;
    let journal = world.sandbox.journal();
    let is_credential = |seen: &&Seen| seen.path.contains("token") || seen.path.contains("openid");
    let (credentials, own): (Vec<_>, Vec<_>) = journal.iter().partition(is_credential);
    assert!(!credentials.is_empty() && own.len() >= 5, "{journal:#?}");
    for seen in credentials {
        assert_eq!((header(seen, "traceparent"), header(seen, "tracestate")), (None, None));
    }
    let mut spans = vec![SPAN];
    for seen in own {
        let parts: Vec<_> = header(seen, "traceparent").unwrap().split('-').collect();
        let [version, id, span, flags] = *parts else { panic!("{parts:?}") };
        assert_eq!((version, id, flags, span.len()), ("00", ID, "01", 16));
        assert!(!spans.contains(&span), "{span} is another span's");
        assert_eq!(header(seen, "tracestate"), Some(state));
        spans.push(span);
    }
}

#[tokio::test]
async fn what_is_no_trace_is_ignored() {
    let good = format!("00-{ID}-{SPAN}-01");
    for (meta, state) in [
        (json!({}), None),
        (json!({ "tracestate": "a=1" }), None),
        (json!({ "traceparent": 7 }), None),
        (json!({ "traceparent": good.to_uppercase() }), None),
        (json!({ "traceparent": format!("01-{ID}-{SPAN}-01"), "tracestate": "a=1" }), None),
        (json!({ "traceparent": format!("{good}\r\nx-more: 1") }), None),
        (json!({ "traceparent": good, "tracestate": "a=1\r\nx-more: 1" }), Some(())),
    ] {
        let world = World::new().await.set("GRANTOR_LOG", "grantor=info");
        let look = json!({ "vendor": "outsystems" });
        let answer = call(&world, "list_roles", look, meta.clone()).await;
        assert_eq!(answer["result"]["isError"], false, "{meta}");
        let journal = world.sandbox.journal();
        let traced = |seen: &Seen| header(seen, "traceparent").is_some();
        assert_eq!(journal.iter().any(traced), state.is_some(), "{meta}");
        for seen in journal {
            assert_eq!((header(&seen, "tracestate"), header(&seen, "x-more")), (None, None));
        }
        assert_eq!(lines(&world)[0].contains("trace_id="), state.is_some(), "{meta}");
    }
}

/// A write whose answer does not come is told as what it is.
#[tokio::test]
async fn a_failure_of_the_vendor_is_told_with_its_status() {
    let world = World::new().await.set("GRANTOR_LOG", "grantor=debug");
    world.inject("outsystems", "POST", "/organization-roles/", status(500));
    call(&world, EXAMPLE, grant(), json!({})).await;
    let lines = lines(&world);
    assert!(lines.iter().any(|line| line.contains("status=500 attempt=1")), "{lines:#?}");
    assert!(lines.last().unwrap().contains("outcome=unknown receipt=gr-"), "{lines:#?}");
}

#[test]
fn the_readme_names_the_variables_of_observing() {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(text).unwrap();
    for name in ["GRANTOR_LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT", "traceparent", "tracestate"] {
        assert!(text.contains(name), "{name} is not in README.md");
    }
}
