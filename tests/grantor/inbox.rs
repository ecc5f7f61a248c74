//! The way from a call over HTTP to the page where people approve: the link, and what a client says of it.

use serde_json::{Value, json};

use super::harness::{World, parsed};
use super::issuer::{BOTH, Came, Issuer, Key, Team};

const SAM: &str = "user@example.com";
const LOGIN: &str = "client_id = \"inbox\"";
const INBOX: &str = "https://grantor.example.com/inbox";

fn on_finance(who: &str) -> Value {
    json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who,
        "permission_list": ["R"], "reason": "OPS-7, the audit" })
}

/// A call of the modern protocol, by a client that can open addresses or not, with what it brings back.
async fn called(team: &Team, token: &str, able: Value, back: Value) -> Value {
    let mut params = json!({ "name": "set_project_acl", "arguments": on_finance(SAM), "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": able },
    } });
    params.as_object_mut().unwrap().extend(back.as_object().unwrap().clone());
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "set_project_acl"),
    ];
    let came: Came = team.post_with(token, &headers, &message.to_string()).await;
    assert_eq!(came.status, 200, "{came:?}");
    parsed(&came.body)["result"].clone()
}

/// A client of the older protocol that has begun a session, for the calls of one person.
struct Older<'t> {
    team: &'t Team,
    token: &'t str,
    session: Option<String>,
    version: &'static str,
}

impl<'t> Older<'t> {
    async fn begin(team: &'t Team, token: &'t str, version: &'static str, able: Value) -> Self {
        let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": version, "capabilities": { "elicitation": able },
            "clientInfo": { "name": "test", "version": "7" } } });
        let begun = team.post(token, &hello).await;
        let named = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("mcp-session-id").then(|| value.to_owned())
        };
        let session = begun.raw_head.lines().find_map(named);
        assert!(session.is_some(), "{begun:?}");
        Self { team, token, session, version }
    }

    async fn asks(&self, who: &str) -> Value {
        let params = json!({ "name": "set_project_acl", "arguments": on_finance(who) });
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
        let session = self.session.as_deref().map(|id| ("mcp-session-id", id));
        let headers: Vec<_> =
            session.into_iter().chain([("mcp-protocol-version", self.version)]).collect();
        let came = self.team.post_with(self.token, &headers, &call.to_string()).await;
        assert_eq!(came.status, 200, "{came:?}");
        parsed(&came.body)
    }
}

fn hint(body: &Value) -> &str {
    body["hint"].as_str().unwrap_or_else(|| panic!("{body:#}"))
}

/// The link names the request, and nothing else of it.
#[tokio::test]
async fn a_client_is_led_to_the_page_and_what_it_says_of_that_decides_nothing() {
    let (world, key) = (World::asking().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, LOGIN).await.ready().await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let led = called(&team, &ada, json!({ "url": {} }), json!({})).await;
    assert_eq!(led["resultType"], "input_required", "{led:#}");
    let asked = &led["inputRequests"]["page"];
    assert_eq!(
        (&asked["method"], &asked["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    let url = asked["params"]["url"].as_str().unwrap();
    let receipt = url.strip_prefix(&format!("{INBOX}/")).unwrap_or_else(|| panic!("{url}"));
    assert!(receipt.starts_with("gr-") && receipt.len() == 29, "{url}");
    let said = asked["params"]["message"].as_str().unwrap();
    assert!(!said.contains("Sam") && !said.contains("Finance"), "{said}");
    let state = led["requestState"].as_str().unwrap().to_owned();
    for action in ["accept", "decline", "cancel"] {
        let answer =
            json!({ "requestState": state, "inputResponses": { "page": { "action": action } } });
        let still = called(&team, &ada, json!({ "url": {} }), answer).await;
        let body = &still["structuredContent"];
        assert_eq!(
            (&body["outcome"], &body["receipt"]),
            (&json!("awaiting_consent"), &json!(receipt)),
            "{action}"
        );
        assert!(hint(body).contains(url), "{body:#}");
    }
    let unanswered =
        called(&team, &ada, json!({ "url": {} }), json!({ "requestState": state })).await;
    assert_eq!(unanswered["structuredContent"]["outcome"], "awaiting_consent", "{unanswered:#}");
    let others = called(&team, &eve, json!({}), json!({ "requestState": state })).await;
    assert_ne!(
        others["structuredContent"]["receipt"], receipt,
        "another's state says nothing: {others:#}"
    );
    let denied = world.run(&["requests", "deny", receipt, "--reason", "the wrong Sam"]).await;
    assert_eq!(denied.status, 0, "{denied:?}");
    let told = called(&team, &ada, json!({ "url": {} }), json!({ "requestState": state })).await;
    let body = &told["structuredContent"];
    assert_eq!(
        (&body["outcome"], &body["receipt"]),
        (&json!("refused"), &json!(receipt)),
        "{told:#}"
    );
    assert!(hint(body).contains("the wrong Sam"), "{body:#}");
    assert!(!world.ledger().iter().any(|line| line["event"] == "open"), "nothing was sent");
}

/// A client that cannot open an address tells its person the link.
#[tokio::test]
async fn the_link_is_in_the_text_whatever_a_client_can() {
    let (world, key) = (World::asking().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, LOGIN).await.ready().await;
    let ada = issuer.token(&key, "ada", BOTH);
    for able in [json!({}), json!({ "form": {} })] {
        let answer = called(&team, &ada, able.clone(), json!({})).await;
        let body = &answer["structuredContent"];
        let link = format!("{INBOX}/{}", body["receipt"].as_str().unwrap());
        assert!(hint(body).contains(&link), "{able}: {body:#}");
    }
    let legacy = team.call(&ada, "set_project_acl", on_finance("hiro.tanaka@example.com")).await;
    let link = format!("{INBOX}/{}", legacy["receipt"].as_str().unwrap());
    assert!(hint(&legacy).contains(&link), "{legacy:#}");
}

/// Nothing is kept of it: what the client can do stands in its session, and that it was told, in the request.
#[tokio::test]
async fn an_older_client_that_opens_addresses_is_led_there_once_by_an_error() {
    let (world, key) = (World::asking().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, LOGIN).await.ready().await;
    let ada = issuer.token(&key, "ada", BOTH);
    let client = Older::begin(&team, &ada, "2025-11-25", json!({ "url": {}, "form": {} })).await;
    let led = client.asks(SAM).await;
    assert_eq!(led["error"]["code"], -32042, "{led:#}");
    let elicitations = &led["error"]["data"]["elicitations"];
    let asked = &elicitations[0];
    assert_eq!(elicitations.as_array().map(Vec::len), Some(1), "{led:#}");
    assert_eq!(asked["mode"], "url", "{led:#}");
    let url = asked["url"].as_str().unwrap();
    let receipt = url.strip_prefix(&format!("{INBOX}/")).unwrap_or_else(|| panic!("{url}"));
    assert_eq!(asked["elicitationId"], receipt, "{led:#}");
    let all = led["error"].to_string();
    assert!(!all.contains("Sam") && !all.contains("Finance"), "it names nobody: {all}");
    let text = led["error"]["message"].as_str().unwrap();
    assert!(text.contains(url) && text.contains(receipt), "who shows the text alone: {text}");
    let waits = world.ledger();
    let events: Vec<_> = waits.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["asked"], "nothing was sent, and nothing else is kept");

    // The client calls again, whether its person went there or not.
    let again = client.asks(SAM).await;
    let body = &again["result"]["structuredContent"];
    assert_eq!(
        (&body["outcome"], &body["receipt"]),
        (&json!("awaiting_consent"), &json!(receipt)),
        "{again:#}"
    );
    assert!(hint(body).contains(url), "{again:#}");
    assert_eq!(world.ledger().len(), waits.len());
}

/// Each of these would not know what to do with the error, and has the link in the answer's text.
#[tokio::test]
async fn no_other_client_of_the_older_protocols_is_led_by_an_error() {
    let (world, key) = (World::asking().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, LOGIN).await.ready().await;
    let ada = issuer.token(&key, "ada", BOTH);
    let both = || json!({ "url": {}, "form": {} });
    let of = |version, able| Older::begin(&team, &ada, version, able);
    let forms = of("2025-11-25", json!({ "form": {} })).await;
    let empty = of("2025-11-25", json!({})).await;
    let older = of("2025-06-18", both()).await;
    let unsealed = Older { session: None, ..of("2025-11-25", both()).await };
    for (what, client, who) in [
        ("which shows forms", forms, "hiro.tanaka@example.com"),
        ("which says nothing", empty, "priya.raman@example.com"),
        ("of an older protocol", older, "lena.novak@example.com"),
        ("without its session", unsealed, "jonas.weber@example.com"),
    ] {
        let answer = client.asks(who).await;
        let body = &answer["result"]["structuredContent"];
        assert_eq!(body["outcome"], "awaiting_consent", "{what}: {answer:#}");
        let link = format!("{INBOX}/{}", body["receipt"].as_str().unwrap());
        assert!(hint(body).contains(&link), "{what}: {body:#}");
    }
    let without = Team::start(&world, &issuer, "").await.ready().await;
    let client = Older::begin(&without, &ada, "2025-11-25", both()).await;
    let answer = client.asks("grace.okafor@example.com").await;
    let body = &answer["result"]["structuredContent"];
    assert_eq!(body["outcome"], "awaiting_consent", "there is no page to lead to: {answer:#}");
}

/// Without a log-in there is no page, and nobody is sent to one.
#[tokio::test]
async fn there_is_a_page_where_somebody_can_log_in() {
    let (world, key) = (World::asking().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    assert_eq!(team.get("/inbox").await.status, 404);
    let ada = issuer.token(&key, "ada", BOTH);
    let answer = called(&team, &ada, json!({ "url": {} }), json!({})).await;
    let body = &answer["structuredContent"];
    assert!(!hint(body).contains("inbox"), "{body:#}");
    assert!(hint(body).starts_with("somebody at the machine that Grantor runs on"), "{body:#}");
    assert!(!hint(body).contains('`'), "nobody there can run a command: {body:#}");
    let open = Team::start(&world, &issuer, LOGIN).await.ready().await;
    let page = open.send("GET", "/inbox", &[("host", "grantor.example.com")], "").await;
    assert_eq!(page.status, 200, "{page:?}");
    for said in [
        "content-security-policy: default-src 'none'; style-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
        "referrer-policy: same-origin",
        "cache-control: no-store",
    ] {
        assert!(page.head.contains(said), "{said}: {}", page.head);
    }
    assert!(!page.head.contains("access-control-allow-origin"), "{}", page.head);
    let elsewhere = open.get("/inbox/mine?a=b").await;
    assert_eq!(elsewhere.status, 303);
    let to = "location: https://grantor.example.com/inbox/mine?a=b";
    assert!(elsewhere.head.contains(to), "cookies are of one host: {}", elsewhere.head);
    let unset =
        open.send("GET", "/inbox/login?issuer=test", &[("host", "grantor.example.com")], "").await;
    assert_eq!(unset.status, 403, "an issuer that names no place to log in: {unset:?}");
}
