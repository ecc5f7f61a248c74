//! Who may call over HTTP: metadata, challenges, hostile tokens, keys that change and issuers that are gone.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::harness::{World, parsed};
use super::issuer::{AUDIENCE, BOTH, Came, Issuer, Key, Team, call, encoded};

const METADATA: &str = "/.well-known/oauth-protected-resource";

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} })
}

/// The challenge, without where the metadata is.
fn challenge(came: &Came) -> String {
    let line = came.head.lines().find(|line| line.starts_with("www-authenticate: "));
    let line = line.unwrap_or_else(|| panic!("no challenge: {came:?}"));
    let own = "resource_metadata=\"https://grantor.example.com/.well-known/oauth-protected-resource/mcp\", ";
    assert!(line.contains(own), "{line}");
    line.replace("www-authenticate: ", "").replace(own, "")
}

#[tokio::test]
async fn the_resource_is_named_as_it_is_configured_whatever_a_request_says() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await;
    assert_eq!(team.url, AUDIENCE);
    let own = team.get(&format!("{METADATA}/mcp")).await;
    assert_eq!(own.status, 200);
    let document = parsed(&own.body);
    assert_eq!(document["resource"], AUDIENCE);
    assert_eq!(document["authorization_servers"], json!([issuer.url]));
    assert_eq!(document["scopes_supported"], json!(["grantor:read", "grantor:change"]));
    let headers = [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http")];
    let root = team.send("GET", METADATA, &headers, "").await;
    assert_eq!(root.body, own.body);
    let localhost = team.host.replace("127.0.0.1", "localhost");
    let other = team.send("GET", METADATA, &[("host", &localhost)], "").await;
    assert_eq!(other.body, own.body);
    let read_only = Team::begin(&world, {
        let mut command = world.command(["serve", "--read-only", "--http", "127.0.0.1:0"]);
        command.env("GRANTOR_CONFIG", world.path("team.toml"));
        command
    });
    let shown = read_only.await.get(METADATA).await.body;
    assert_eq!(parsed(&shown)["scopes_supported"], json!(["grantor:read"]));
}

#[tokio::test]
async fn whoever_may_not_call_is_told_how_they_may() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let all = "scope=\"grantor:read grantor:change\"";
    let nobody = team.send("POST", "/mcp", &[], &list().to_string()).await;
    assert_eq!((nobody.status, challenge(&nobody)), (401, format!("bearer {all}")));
    for authorization in ["Basic YTpi", "Bearer", "Bearer a b", "Bearer x"] {
        let headers = [("authorization", authorization)];
        let odd = team.send("POST", "/mcp", &headers, &list().to_string()).await;
        let said = challenge(&odd);
        assert!(said.starts_with(&format!("bearer {all}, error=\"invalid_token\"")), "{said}");
        assert_eq!(odd.status, 401, "{authorization}");
    }
    let token = issuer.token(&key, "ada", BOTH);
    let twice = [("authorization", format!("Bearer {token}"))];
    let twice: Vec<_> = twice.iter().cycle().take(2).map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(team.send("POST", "/mcp", &twice, &list().to_string()).await.status, 401);
    let without = issuer.token(&key, "ada", "openid profile");
    let refused = team.post(&without, &list()).await;
    let said = "bearer scope=\"grantor:read\", error=\"insufficient_scope\"";
    assert!(challenge(&refused).starts_with(said), "{}", challenge(&refused));
    assert_eq!(refused.status, 403);
    let in_query = team.send("POST", &format!("/mcp?access_token={token}"), &[], "{}").await;
    assert_eq!(in_query.status, 401, "a token in a URL is no token");
    assert_eq!(team.post(&token, &list()).await.status, 200, "and with it they may");
}

/// Each of these is one change away from a token that counts.
#[tokio::test]
async fn no_token_counts_that_is_not_just_so() {
    let (world, key, other) = (World::new().await, Key::new("a"), Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let encryption = Key::new("enc");
    let mut not_for_this = encryption.jwk();
    not_for_this["use"] = "enc".into();
    let shared = json!({ "kty": "oct", "kid": "shared", "alg": "HS256", "k": encoded("secret") });
    issuer.publish(vec![key.jwk(), not_for_this, shared]);
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let good = issuer.claims("ada", BOTH);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        key.sign(&key.header(), &claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        key.sign(&key.header(), &claims)
    };
    let headed = |name: &str, value: Value| {
        let mut header = key.header();
        header[name] = value;
        key.sign(&header, &good)
    };
    let now = good["iat"].as_i64().unwrap();
    let header = json!({ "typ": "at+jwt", "alg": "HS256", "kid": "a" });
    let signed = format!("{}.{}", encoded(header.to_string()), encoded(good.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.public()), signed.as_bytes());
    let none = format!("{}.{}", encoded(r#"{"alg":"none"}"#), encoded(good.to_string()));
    let token = key.sign(&key.header(), &good);
    let hostile = [
        ("alg none", format!("{none}.")),
        ("alg none, and a signature", format!("{none}.{}", encoded("x"))),
        ("the public key as a secret", format!("{signed}.{}", encoded(tag))),
        ("a shared secret", {
            let header = json!({ "alg": "HS256", "kid": "shared" });
            let signed = format!("{}.{}", encoded(header.to_string()), encoded(good.to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), signed.as_bytes());
            format!("{signed}.{}", encoded(tag))
        }),
        ("another key of the same name", other.sign(&key.header(), &good)),
        ("a key for encryption", encryption.sign(&encryption.header(), &good)),
        ("an unknown key", headed("kid", "b".into())),
        ("another algorithm", headed("alg", "ES256".into())),
        ("no signature", token.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("a part more", format!("{token}.x")),
        ("an extension that is critical", headed("crit", json!(["b64"]))),
        ("an ID token's kind", headed("typ", "id_token+jwt".into())),
        ("a log-out token's kind", headed("typ", "logout+jwt".into())),
        ("an ID-JAG", headed("typ", "oauth-id-jag+jwt".into())),
        ("an ID token's claim", with("at_hash", "x".into())),
        ("a log-out token's claim", with("events", json!({}))),
        ("an ID token's kind among the claims", with("typ", "ID".into())),
        ("bound to a key", with("cnf", json!({ "jkt": "x" }))),
        ("another's audience", with("aud", "https://other.example.com".into())),
        ("no audience", without("aud")),
        ("an empty list of audiences", with("aud", json!([]))),
        ("another issuer", with("iss", "https://other.example.com".into())),
        ("an issuer with a slash more", with("iss", format!("{}/", issuer.url).into())),
        ("several issuers", with("iss", json!([issuer.url]))),
        ("no issuer", without("iss")),
        ("no subject", without("sub")),
        ("an empty subject", with("sub", "".into())),
        ("a subject that hides something", with("sub", "ada\u{200b}".into())),
        ("no end", without("exp")),
        ("an end in words", with("exp", "tomorrow".into())),
        ("expired", with("exp", (now - 40).into())),
        ("not yet", with("nbf", (now + 90).into())),
        ("not yet, in words", with("nbf", "now".into())),
        ("too long", "a".repeat(17_000)),
    ];
    for (what, token) in &hostile {
        let came = team.post(token, &list()).await;
        assert_eq!(came.status, 401, "{what}: {came:?}");
        assert!(challenge(&came).contains("error=\"invalid_token\""), "{what}");
    }
    for (what, token) in [
        ("as it is", token.clone()),
        ("for several", with("aud", json!(["https://other.example.com", AUDIENCE]))),
        ("of a plain kind", headed("typ", "JWT".into())),
        ("clocks differ a little", with("exp", (now - 5).into())),
        ("of a bearer", with("typ", "Bearer".into())),
        ("its scopes in a list", {
            let mut claims = good.clone();
            claims["scope"].take();
            claims["scp"] = json!(["grantor:read"]);
            key.sign(&key.header(), &claims)
        }),
    ] {
        let came = team.post(&token, &list()).await;
        assert_eq!(came.status, 200, "{what}: {came:?}");
    }
    assert!(issuer.fetched() <= 2, "unknown keys were looked for {} times", issuer.fetched());
    assert_eq!(world.ledger(), Vec::<Value>::new());
    let counted = team.get("/metrics").await.body;
    let rejected = format!("grantor_http_tokens_rejected_total {}\n", hostile.len());
    assert!(counted.contains(&rejected), "{counted}");
}

#[tokio::test]
async fn a_new_key_counts_when_it_is_first_seen_and_one_taken_back_no_more() {
    let (world, old, new) = (World::new().await, Key::new("old"), Key::new("new"));
    let issuer = Issuer::start(&old).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let of_old = issuer.token(&old, "ada", BOTH);
    assert_eq!(team.post(&of_old, &list()).await.status, 200);
    issuer.publish(vec![new.jwk()]);
    assert_eq!(team.post(&of_old, &list()).await.status, 200, "it is not asked about each time");
    assert_eq!(team.post(&issuer.token(&new, "ada", BOTH), &list()).await.status, 200);
    assert_eq!(team.post(&of_old, &list()).await.status, 401, "its issuer has taken it back");
    let fetched = issuer.fetched();
    for _ in 0..5 {
        let unknown = Key::new("unknown");
        assert_eq!(team.post(&issuer.token(&unknown, "ada", BOTH), &list()).await.status, 401);
    }
    assert_eq!(issuer.fetched(), fetched, "one look for an unknown key does for a while");
}

#[tokio::test]
async fn an_issuer_that_is_down_is_no_reason_to_throw_a_token_away() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let token = issuer.token(&key, "ada", BOTH);
    let team = Team::start(&world, &issuer, "").await.ready().await;
    issuer.go_down(true);
    assert_eq!(team.post(&token, &list()).await.status, 200, "what is held counts");
    assert_eq!(team.get("/readyz").await.status, 200);
    let unknown = issuer.token(&Key::new("new"), "ada", BOTH);
    let came = team.post(&unknown, &list()).await;
    assert_eq!(came.status, 503, "it may be a new key: {came:?}");

    let late = Team::start(&world, &issuer, "").await;
    let came = late.post(&token, &list()).await;
    assert_eq!(came.status, 503, "{came:?}");
    assert!(came.head.contains("retry-after: "), "{came:?}");
    assert_eq!(late.get("/readyz").await.status, 503);
    assert_eq!(late.get("/livez").await.status, 200, "a restart would mend nothing");
    issuer.go_down(false);
    let late = late.ready().await;
    assert_eq!(late.post(&token, &list()).await.status, 200);
}

/// Neither costs a signature: they are refused with a token that counts, too.
#[tokio::test]
async fn another_host_or_page_is_refused_before_anybody_is_asked_who_they_are() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let host = team.host.clone();
    let rebound = host.replace("127.0.0.1", "evil.example");
    for (status, headers) in [
        (200, vec![("origin", "http://localhost:6274")]),
        (200, vec![("origin", "https://grantor.example.com")]),
        (200, vec![("host", "grantor.example.com")]),
        (403, vec![("origin", "https://evil.example")]),
        (403, vec![("origin", "null")]),
        (403, vec![("origin", "http://localhost:6274"), ("origin", "https://evil.example")]),
        (403, vec![("host", rebound.as_str())]),
        (403, vec![("host", "evil.example")]),
    ] {
        let came = team.post_with(&token, &headers, &list().to_string()).await;
        assert_eq!(came.status, status, "{headers:?}: {came:?}");
        let bare = team.send("POST", "/mcp", &headers, &list().to_string()).await;
        assert_eq!(bare.status, if status == 200 { 401 } else { 403 }, "{headers:?}: {bare:?}");
    }
    let absolute = format!(
        "POST http://evil.example/mcp HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(team.exchange(absolute.as_bytes()).await.status, 403);
    let asked = [("origin", "http://localhost:6274"), ("access-control-request-method", "POST")];
    let allowed = team.send("OPTIONS", "/mcp", &asked, "").await;
    assert_eq!(allowed.status, 204);
    assert!(allowed.head.contains("access-control-allow-origin: http://localhost:6274"));
}

#[tokio::test]
async fn a_body_is_read_for_whoever_may_call_and_up_to_a_limit() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let large = format!("{{\"x\": \"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(team.post_with(&token, &[], &large).await.status, 413);
    for body in ["", "nothing", "[]", "{}", &"[".repeat(100_000)] {
        let came = team.post_with(&token, &[("content-length", "x")][..0], body).await;
        assert_eq!(came.status, 400, "{}: {came:?}", &body[..body.len().min(20)]);
    }
    for (method, status) in [("GET", 405), ("DELETE", 405), ("PUT", 405)] {
        let bearer = format!("Bearer {token}");
        let came = team.send(method, "/mcp", &[("authorization", &bearer)], "").await;
        assert_eq!(came.status, status, "{method}: {came:?}");
    }
    assert_eq!(team.get("/").await.status, 404);
    assert_eq!(team.post(&token, &list()).await.status, 200);
}

/// What a request asks for is in its body, whatever stands before it.
#[tokio::test]
async fn a_scope_is_decided_by_the_body_before_anything_leaves() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let reader = issuer.token(&key, "grace", "grantor:read");
    let arguments = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
        "grantee": "user@example.com", "permission_list": ["R"] });
    for tool in ["set_project_acl", "undo_change", "apply_changes", "set_expiry", "copy_access"] {
        let body = call(tool, arguments.clone()).to_string();
        for headers in [&[][..], &[("mcp-method", "tools/call"), ("mcp-name", "list_roles")]] {
            let came = team.post_with(&reader, headers, &body).await;
            assert_eq!(came.status, 403, "{tool}: {came:?}");
            let said = "bearer scope=\"grantor:read grantor:change\", error=\"insufficient_scope\"";
            assert!(challenge(&came).starts_with(said), "{}", challenge(&came));
        }
    }
    let twice = call("list_roles", json!({})).to_string();
    let twice = twice
        .replace("\"name\":\"list_roles\"", "\"name\":\"list_roles\",\"name\":\"set_project_acl\"");
    assert!(twice.contains("set_project_acl"));
    assert_eq!(team.post_with(&reader, &[], &twice).await.status, 400);
    assert!(world.sandbox.journal().is_empty(), "{:?}", world.sandbox.journal());
    assert_eq!(world.ledger(), Vec::<Value>::new());
    let looked = team.call(&reader, "list_roles", json!({ "vendor": "redox" })).await;
    assert!(!looked["rows"].as_array().unwrap().is_empty(), "{looked:#}");
    let changer = issuer.token(&key, "ada", "grantor:change");
    let looked = team.call(&changer, "list_roles", json!({ "vendor": "redox" })).await;
    assert!(!looked["rows"].as_array().unwrap().is_empty(), "whoever may change may look");
}

/// What does not start is not half protected.
#[tokio::test]
async fn a_server_that_could_not_tell_who_calls_does_not_start() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let tokens = format!("[http.issuers.test]\nissuer = \"{}\"\n", issuer.url);
    let public = "[http]\npublic_url = \"https://grantor.example.com/mcp\"\n";
    for (configuration, arguments, part) in [
        (String::new(), &["127.0.0.1:0"][..], "needs an issuer"),
        (tokens.clone(), &["0.0.0.0:0"], "send their tokens in the clear"),
        (tokens.clone(), &["0.0.0.0:0", "--behind-proxy"], "public_url in [http] must say"),
        (format!("{tokens}audiences = []\n"), &["127.0.0.1:0"], "must name at least one"),
        (tokens.replace("http://", "http://id.example.com@"), &["127.0.0.1:0"], "user name"),
        ("[http.issuers.a]\naudiences = [\"x\"]\n".to_owned(), &["127.0.0.1:0"], "needs an issuer"),
        (
            format!("{tokens}audience = \"x\"\n"),
            &["127.0.0.1:0"],
            "line 3: audience in [http.issuers.test]",
        ),
        ("[http]\nport = 1\n".to_owned(), &["127.0.0.1:0"], "line 2: there is no setting"),
        (format!("{public}{tokens}").replace("/mcp", ""), &["127.0.0.1:0"], "must have a path"),
        (format!("{public}{tokens}").replace("https", "http"), &["127.0.0.1:0"], "must be https"),
        (
            format!("{public}{tokens}"),
            &["0.0.0.0:0", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"],
            "/nowhere",
        ),
    ] {
        let file = world.path("odd.toml");
        std::fs::write(&file, &configuration).unwrap();
        let mut command = world.command(["serve", "--http"]);
        command.args(arguments).env("GRANTOR_CONFIG", &file);
        let ran = super::harness::run(command).await;
        assert_eq!(ran.status, 1, "{configuration}: {ran:?}");
        assert!(ran.stderr.contains(part), "{configuration}: {}", ran.stderr);
        assert!(!ran.stderr.contains("serving MCP"), "{}", ran.stderr);
    }
    let sandbox = super::harness::run(world.command([
        "--sandbox",
        "serve",
        "--http",
        "0.0.0.0:0",
        "--behind-proxy",
    ]));
    let sandbox = sandbox.await;
    assert_eq!(sandbox.status, 1, "{sandbox:?}");
    assert!(sandbox.stderr.contains("to this machine alone"), "{}", sandbox.stderr);
}
