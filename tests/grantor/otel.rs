use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{World, status_after};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Requests: their paths and bodies.
type Got = Vec<(String, Vec<u8>)>;

/// A collector that keeps the requests it gets.
struct Collector {
    url: String,
    got: Arc<Mutex<Got>>,
}

/// A span as it was exported.
#[derive(Debug)]
struct Exported {
    trace: String,
    span: String,
    parent: String,
    name: String,
    kind: u64,
    attributes: BTreeMap<String, Value>,
    /// 2 is an error.
    status: u64,
}

const SERVER: u64 = 2;
const CLIENT: u64 = 3;

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(take(stream, kept.clone()));
            }
        });
        Self { url, got }
    }

    fn spans(&self) -> Vec<Exported> {
        let got = self.got.lock().unwrap();
        let mut spans = Vec::new();
        for (_, body) in got.iter() {
            for resource in all(body, 1) {
                for scope in all(&resource, 2) {
                    spans.extend(all(&scope, 2).iter().map(|span| Exported::read(span)));
                }
            }
        }
        spans
    }

    fn resource(&self) -> BTreeMap<String, Value> {
        let got = self.got.lock().unwrap();
        attributes(&all(&all(&got[0].1, 1)[0], 1)[0], 1)
    }
}

/// Requests of one connection, each answered with an empty 200.
async fn take(mut stream: TcpStream, kept: Arc<Mutex<Got>>) {
    let mut bytes = Vec::new();
    loop {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().trim().parse().unwrap();
        while bytes.len() < length {
            stream.read_buf(&mut bytes).await.unwrap();
        }
        kept.lock().unwrap().push((head, bytes.drain(..length).collect()));
        stream.write_all(b"HTTP/1.1 200 -\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    }
}

impl Exported {
    /// The fields of `opentelemetry.proto.trace.v1.Span` that matter here, by their numbers.
    fn read(span: &[u8]) -> Self {
        let hex = |field| all(span, field).concat().iter().map(|b| format!("{b:02x}")).collect();
        let status = all(span, 15).first().and_then(|status| number(status, 3));
        Self {
            trace: hex(1),
            span: hex(2),
            parent: hex(4),
            name: String::from_utf8(all(span, 5).concat()).unwrap(),
            kind: number(span, 6).unwrap(),
            attributes: attributes(span, 9),
            status: status.unwrap_or(0),
        }
    }
}

/// Repeated `KeyValue`s.
fn attributes(message: &[u8], field: u64) -> BTreeMap<String, Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let value = |bytes: &[u8]| match (all(bytes, 1).first(), number(bytes, 3)) {
        (Some(string), _) => json!(text(string)),
        (None, Some(number)) => json!(number),
        (None, None) => {
            let array = all(&all(bytes, 5).concat(), 1);
            array.iter().map(|item| text(&all(item, 1).concat())).collect()
        }
    };
    let pairs = all(message, field);
    pairs.iter().map(|pair| (text(&all(pair, 1).concat()), value(&all(pair, 2).concat()))).collect()
}

/// One field of a protobuf message: its number, and its bytes or its value.
enum Field {
    Bytes(u64, Vec<u8>),
    Number(u64, u64),
}

fn all(message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let fields = fields(message).into_iter();
    let bytes = fields.filter_map(|field| match field {
        Field::Bytes(number, bytes) if number == wanted => Some(bytes),
        _ => None,
    });
    bytes.collect()
}

fn number(message: &[u8], wanted: u64) -> Option<u64> {
    fields(message).into_iter().find_map(|field| match field {
        Field::Number(number, value) if number == wanted => Some(value),
        _ => None,
    })
}

fn fields(mut rest: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let (field, kind) = (tag >> 3, tag & 7);
        let length = match kind {
            0 => {
                fields.push(Field::Number(field, varint(&mut rest)));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (bytes, after) = rest.split_at(length);
        fields.push(Field::Bytes(field, bytes.to_vec()));
        rest = after;
    }
    fields
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            break;
        }
    }
    value
}

async fn exporting() -> (World, Collector) {
    let collector = Collector::start().await;
    let world = World::new().await.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    (world.set("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=t1"), collector)
}

async fn call(world: &World, tool: &str, arguments: Value) -> Value {
    let mut server = world.serve_raw_logged();
    server.hello("2025-11-25").await;
    let meta = json!({ "traceparent": format!("00-{ID}-{SPAN}-01") });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let answer = server.ask(7, "tools/call", params).await;
    assert_eq!(server.finish().await.0, 0);
    answer
}

fn grant() -> Value {
    json!({ "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"] })
}

#[tokio::test]
async fn a_call_and_its_requests_are_spans_of_the_clients_trace() {
    let (world, collector) = exporting().await;
    world.inject("outsystems", "POST", "/organization-roles/", status_after(429, "0"));
    let answer = call(&world, "grant_asset_role", grant()).await;
    let receipt = &answer["result"]["structuredContent"]["receipt"];
    let spans = collector.spans();
    let one = spans.iter().find(|span| span.kind == SERVER).unwrap();
    assert_eq!(one.name, "tools/call grant_asset_role");
    assert_eq!((&*one.trace, &*one.parent, one.status), (ID, SPAN, 0));
    let wanted = json!({
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "grant_asset_role",
        "grantor.outcome": "confirmed",
        "grantor.receipts": [receipt],
        "grantor.vendor": "outsystems",
        "jsonrpc.request.id": "7",
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2025-11-25",
        "network.transport": "pipe",
    });
    assert_eq!(json!(one.attributes), wanted);

    let requests: Vec<_> = spans.iter().filter(|span| span.kind == CLIENT).collect();
    assert_eq!(requests.len(), world.sandbox.journal().len());
    assert!(requests.iter().all(|span| span.trace == ID && span.parent == one.span));
    let path = "/api/identity/v1/users/{key}/organization-roles/{roleKey}";
    let writes: Vec<_> =
        requests.iter().filter(|span| span.name == format!("POST {path}")).collect();
    let [first, second] = &*writes else { panic!("{requests:#?}") };
    let url: Vec<_> = world.variable("OUTSYSTEMS_PORTAL_URL").split(':').collect();
    let port: u64 = url[2].split('/').next().unwrap().parse().unwrap();
    let prefix = world.variable("OUTSYSTEMS_PORTAL_URL");
    let scrubbed = "/api/identity/v1/users/REDACTED/organization-roles/REDACTED";
    let wanted = json!({
        "error.type": "429",
        "http.request.method": "POST",
        "http.response.status_code": 429,
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": format!("{prefix}{scrubbed}"),
        "url.template": path,
    });
    assert_eq!((json!(first.attributes), first.status), (wanted, 2));
    assert_eq!(second.attributes["http.request.resend_count"], 1);
    assert_eq!(second.attributes.get("error.type"), None);

    // What the vendor is told is the span it can be found by.
    let told = world.sandbox.journal().into_iter().filter_map(|seen| {
        seen.headers.into_iter().find(|(name, _)| name == "traceparent").map(|(_, value)| value)
    });
    for parent in told {
        let known = |span: &&Exported| parent == format!("00-{ID}-{}-01", span.span);
        assert!(requests.iter().any(known), "{parent} is nobody's");
    }
    let text = format!("{spans:?}");
    assert!(!text.contains("user@example.com") && !text.contains("Orders"), "{text}");
}

#[tokio::test]
async fn the_environment_says_where_to_and_as_whom() {
    let (world, collector) = exporting().await;
    call(&world, "list_roles", json!({ "vendor": "outsystems" })).await;
    assert_eq!(collector.resource()["service.name"], "grantor");
    let head = collector.got.lock().unwrap()[0].0.clone();
    assert!(head.starts_with("post /v1/traces ") && head.contains("x-tenant: t1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let (world, collector) = exporting().await;
    let world = world.set("OTEL_SERVICE_NAME", "desk-7");
    call(&world, "list_roles", json!({ "vendor": "outsystems" })).await;
    assert_eq!(collector.resource()["service.name"], "desk-7");
}

#[tokio::test]
async fn a_failing_tool_is_an_error_and_an_unknown_one_the_clients_mistake() {
    let (world, collector) = exporting().await;
    let nobody = json!({ "userKey": "no@example.com", "roleKey": "x", "assetKeys": ["y"] });
    call(&world, "grant_asset_role", nobody).await;
    let spans = collector.spans();
    let one = spans.iter().find(|span| span.kind == SERVER).unwrap();
    assert_eq!((one.status, &one.attributes["error.type"]), (2, &json!("tool_error")));
    let (world, collector) = exporting().await;
    call(&world, "sam@example.com", json!({})).await;
    let spans = collector.spans();
    let [one] = &*spans else { panic!("{spans:#?}") };
    assert_eq!((&*one.name, one.status), ("tools/call", 0));
    assert_eq!(one.attributes["rpc.response.status_code"], "-32602");
    assert!(!format!("{one:?}").contains("sam@example.com"));
}

/// A collector that does not answer, or is not there, costs a call nothing and ends nothing.
#[tokio::test]
async fn a_dead_collector_is_nobodys_trouble() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for endpoint in [silent, "http://127.0.0.1:1".to_owned()] {
        let world = World::new().await.set("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        let answer = call(&world, "grant_asset_role", grant()).await;
        assert_eq!(answer["result"]["structuredContent"]["outcome"], "confirmed");
    }
}

#[tokio::test]
async fn nothing_is_exported_where_no_collector_is_named() {
    let (world, collector) = exporting().await;
    let world = world.set("OTEL_SDK_DISABLED", "true");
    call(&world, "list_roles", json!({ "vendor": "outsystems" })).await;
    assert!(collector.got.lock().unwrap().is_empty());
}
