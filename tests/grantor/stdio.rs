use serde_json::{Value, json};

use super::harness::{Raw, World};

pub const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"}}"#;

/// Writes lines as they are and reads `count` answers, before or after the era is chosen.
async fn answers(legacy: bool, lines: &[Vec<u8>], count: usize) -> Vec<Value> {
    let world = World::new().await;
    let mut raw = world.serve_raw();
    if legacy {
        raw.hello("2025-11-25").await;
    }
    for line in lines {
        raw.send_bytes(line).await;
    }
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(raw.next().await.expect("the server ended"));
    }
    let (status, _) = raw.finish().await;
    assert_eq!(status, 0, "the connection lives until its end");
    answers
}

fn line(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

/// A request of the era.
pub fn request(legacy: bool, id: u64, method: &str, mut params: Value) -> Value {
    if !legacy {
        params["_meta"] = super::harness::parsed(META);
    }
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A server that was greeted, where its era greets.
pub async fn greeted(world: &World, legacy: bool) -> Raw {
    let mut raw = world.serve_raw();
    if legacy {
        raw.hello("2025-11-25").await;
    }
    raw
}

/// A request that works in either era: what comes after a bad line must still be answered.
fn list(id: u64) -> Vec<u8> {
    line(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{"_meta":{META}}}}}"#
    ))
}

#[tokio::test]
async fn a_line_that_is_no_message_is_answered_and_the_connection_lives() {
    let deep = format!(r#"{{"jsonrpc":"2.0","id":4,"method":"x","params":{}"#, "[".repeat(300));
    // Short text, and much to keep.
    let wide = format!(r#"{{"jsonrpc":"2.0","id":10,"x":[0{}]}}"#, ",0".repeat(200_000));
    let long = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"{}"}}"#, "x".repeat(5 << 20));
    for (bad, code, id) in [
        (line(r#"{"jsonrpc":"2.0","id":1,"method":"#), -32700, json!(1)),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":\"two\",\"method\":\"\xff\xfe\"}\n".to_vec(),
            -32700,
            json!("two"),
        ),
        (line(r#"{"jsonrpc":"2.0","id":3,"method":"\ud800"}"#), -32700, json!(3)),
        (line(&deep), -32700, json!(4)),
        (line(&long), -32700, json!(5)),
        (line("what?"), -32700, Value::Null),
        (line("42"), -32600, Value::Null),
        (line("[]"), -32600, Value::Null),
        (
            line(r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}]"#),
            -32600,
            Value::Null,
        ),
        (line(&wide), -32700, json!(10)),
        (line(r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#), -32600, Value::Null),
        (line(r#"{"id":6,"method":"tools/list"}"#), -32600, json!(6)),
        (line(r#"{"jsonrpc":"2.0","id":true,"method":"tools/list"}"#), -32600, Value::Null),
        (line(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#), -32602, json!(7)),
        (
            line(r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":5}}"#),
            -32602,
            json!(8),
        ),
        (
            line(
                r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"list_roles","arguments":[]}}"#,
            ),
            -32602,
            json!(9),
        ),
    ] {
        for legacy in [true, false] {
            let answers = answers(legacy, &[bad.clone(), list(99)], 2).await;
            let shown = String::from_utf8_lossy(&bad[..bad.len().min(80)]).into_owned();
            let wrong = answers.iter().find(|answer| answer.get("error").is_some());
            let wrong = wrong.unwrap_or_else(|| panic!("{shown}: {answers:?}"));
            assert_eq!((&wrong["error"]["code"], &wrong["id"]), (&json!(code), &id), "{shown}");
            let next = answers.iter().find(|answer| answer["id"] == 99);
            assert!(next.is_some_and(|next| next["result"]["tools"].is_array()), "{shown}");
        }
    }
}

/// A probe that changes its mind, and answers to nothing: neither ends the server.
#[tokio::test]
async fn what_comes_before_the_era_is_chosen_is_ignored() {
    let discover = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"_meta":{META}}}}}"#
    );
    let cancelled =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let answers = answers(
        false,
        &[
            line(cancelled),
            line(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#),
            line(&discover),
            line(cancelled),
            line(""),
            list(2),
        ],
        2,
    )
    .await;
    assert!(answers[0]["result"]["supportedVersions"].is_array(), "{answers:?}");
    assert!(answers[1]["result"]["tools"].is_array(), "{answers:?}");
}

#[tokio::test]
async fn the_last_line_counts_without_its_end() {
    for legacy in [true, false] {
        let world = World::new().await;
        let mut raw = greeted(&world, legacy).await;
        let mut last = list(1);
        last.pop();
        raw.send_bytes(&last).await;
        let (status, rest) = raw.finish().await;
        assert_eq!(status, 0);
        assert!(rest[0]["result"]["tools"].is_array(), "{rest:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_in_flight_is_refused_a_second_time() {
    for legacy in [true, false] {
        let world = World::new().await;
        world.inject("outsystems", "GET", "organization-roles", super::harness::slow());
        let mut raw = greeted(&world, legacy).await;
        let params = json!({ "name": "list_roles", "arguments": { "vendor": "outsystems" } });
        let call = request(legacy, 1, "tools/call", params);
        raw.send(&call).await;
        raw.send(&call).await;
        let refused = raw.next().await.unwrap();
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32600), &json!(1)));
        let answered = raw.next().await.unwrap();
        assert!(answered["result"]["structuredContent"]["rows"].is_array(), "{answered}");
        // Once it is answered, the id is as good as any.
        raw.send(&call).await;
        let again = raw.next().await.unwrap();
        assert!(again["result"]["structuredContent"]["rows"].is_array(), "{again}");
    }
}

#[tokio::test]
async fn an_argument_that_nobody_knows_is_named_in_both_eras() {
    for legacy in [true, false] {
        let world = World::new().await;
        let mut raw = greeted(&world, legacy).await;
        let params = json!({ "name": "list_roles", "arguments": { "vendor": "dfns", "all": 1 } });
        raw.send(&request(legacy, 1, "tools/call", params)).await;
        let answer = raw.next().await.unwrap();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let told = answer["result"]["structuredContent"]["summary"].as_str().unwrap();
        assert!(told.contains("all"), "{told}");
    }
}

/// Whatever is said to it later, a connection stays in its era.
#[tokio::test]
async fn an_era_is_never_left() {
    for asked in ["2026-07-28", "2025-06-18"] {
        let world = World::new().await;
        let mut raw = greeted(&world, true).await;
        let hello = raw.hello(asked).await;
        let version = hello["result"]["protocolVersion"].as_str().unwrap_or("refused");
        assert_ne!(version, "2026-07-28");
        let list = raw.ask(2, "tools/list", json!({})).await;
        assert!(list["result"]["tools"].is_array(), "{list}");
        assert!(list["result"].get("ttlMs").is_none() && list["result"].get("_meta").is_none());
    }
}

/// A client that no longer reads has gone, even if it keeps the other end open.
#[tokio::test]
async fn a_closed_stdout_is_the_end() {
    for legacy in [true, false] {
        let world = World::new().await;
        let raw = greeted(&world, legacy).await;
        let status = raw.stop_reading(&list(1)).await;
        assert_eq!(status, 0);
    }
}

/// Clients give up on a call that is silent for a minute.
#[tokio::test]
async fn a_call_that_takes_long_says_so() {
    let world = World::new().await;
    let stall = grantor::sandbox::FaultKind::Stall(std::time::Duration::from_secs(6));
    world.inject("outsystems", "GET", "organization-roles", stall);
    let mut raw = world.serve_raw();
    raw.hello("2025-11-25").await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "list_roles",
        "arguments": { "vendor": "outsystems" },
        "_meta": { "progressToken": "p" },
    }});
    raw.send(&call).await;
    let told = raw.next().await.unwrap();
    assert_eq!(told["method"], "notifications/progress", "{told}");
    assert_eq!(told["params"]["progressToken"], "p");
    assert!(told["params"]["message"].as_str().unwrap().starts_with("still waiting"), "{told}");
    let answer = raw.next().await.unwrap();
    assert!(answer["result"]["structuredContent"]["rows"].is_array(), "{answer}");
}
