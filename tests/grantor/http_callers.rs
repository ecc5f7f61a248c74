//! What callers see and do over HTTP: each what is theirs, and nobody a yes.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use grantor::sandbox::FaultKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::{World, approved, parsed, requester};
use super::issuer::{BOTH, Issuer, Key, Team, call};

const SAM: &str = "user@example.com";

fn on_finance(who: &str) -> Value {
    json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER", "grantee": who,
        "permission_list": ["R"], "reason": "OPS-7, the audit" })
}

fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

#[tokio::test]
async fn both_eras_shake_hands_and_call() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } } });
    let came = team.post(&token, &hello).await;
    assert_eq!(parsed(&came.body)["result"]["protocolVersion"], "2025-11-25", "{came:?}");
    assert!(came.head.contains("mcp-session-id: "), "sealed, and nothing of it is kept: {came:?}");
    assert!(came.head.contains("cache-control: no-store"), "{came:?}");
    let begun = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(team.post(&token, &begun).await.status, 202);
    let looked = team.call(&token, "list_roles", json!({ "vendor": "redox" })).await;
    assert!(!looked["rows"].as_array().unwrap().is_empty(), "{looked:#}");

    let headers = |method| [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    let discover = modern("server/discover", json!({})).to_string();
    let came = team.post_with(&token, &headers("server/discover"), &discover).await;
    let found = &parsed(&came.body)["result"];
    let versions = found["supportedVersions"].as_array().unwrap_or_else(|| panic!("{came:?}"));
    assert!(versions.contains(&json!("2026-07-28")), "{came:?}");
    let list = modern("tools/list", json!({})).to_string();
    let came = team.post_with(&token, &headers("tools/list"), &list).await;
    assert_eq!(
        parsed(&came.body)["result"]["tools"].as_array().map(Vec::len),
        Some(20),
        "{came:?}"
    );
    let look = json!({ "name": "list_roles", "arguments": { "vendor": "redox" } });
    let look = modern("tools/call", look).to_string();
    let named = [headers("tools/call").as_slice(), &[("mcp-name", "list_roles")]].concat();
    let came = team.post_with(&token, &named, &look).await;
    let result = &parsed(&came.body)["result"];
    assert_eq!(
        (&result["resultType"], &result["isError"]),
        (&json!("complete"), &json!(false)),
        "{came:?}"
    );
}

/// The same answer as to a receipt that there is not, whatever is tried.
#[tokio::test]
async fn what_another_asked_for_is_not_there() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let mut timed = on_finance(SAM);
    timed["expires_in"] = "PT2H".into();
    let granted = team.call(&ada, "set_project_acl", timed).await;
    assert_eq!(granted["outcome"], "confirmed", "{granted:#}");
    let set = json!({ "changes": [
        { "tool": "set_project_acl", "arguments": on_finance("marta.lindqvist@example.com") },
        { "tool": "set_project_acl", "arguments": on_finance("hiro.tanaka@example.com") },
    ] });
    let both = team.call(&ada, "apply_changes", set).await;
    let receipt =
        |body: &Value| body["receipt"].as_str().unwrap_or_else(|| panic!("{body:#}")).to_owned();
    let (own, of_set) = (receipt(&granted), receipt(&both));
    let none = "gr-aaaaaaaaaaaaaaaaaaaaaaaaaa";
    for of in [&own, &of_set, &format!("{of_set}.1")] {
        for (tool, more) in [
            ("check_change", json!({})),
            ("undo_change", json!({})),
            ("set_expiry", json!({ "expires_in": "P1D" })),
            (
                "apply_changes",
                json!({ "changes": [{ "tool": "undo_change", "arguments": { "receipt": "R" } }] }),
            ),
            (
                "apply_changes",
                json!({ "changes": [{ "tool": "set_expiry", "arguments": { "receipt": "R", "never": true } }] }),
            ),
        ] {
            let asked = |receipt: &str| {
                let mut arguments =
                    parsed(&more.to_string().replace("\"R\"", &format!("{receipt:?}")));
                if tool != "apply_changes" {
                    arguments["receipt"] = receipt.into();
                }
                arguments
            };
            let there =
                team.call(&eve, tool, asked(of)).await.to_string().replace(of.as_str(), none);
            let not_there = team.call(&eve, tool, asked(none)).await.to_string();
            assert_eq!(there, not_there, "{tool} {of}");
        }
    }
    let listed = |token: String, more: Value| {
        let team = &team;
        async move {
            let answer = team.call(&token, "check_change", more).await;
            let rows = answer["changes"].as_array().unwrap_or_else(|| panic!("{answer:#}")).len();
            (rows, answer)
        }
    };
    let ada_is = format!("{}#ada", issuer.url);
    for more in [
        json!({}),
        json!({ "principal": SAM, "since": "P1D" }),
        json!({ "requester": ada_is }),
        json!({ "state": "done" }),
        json!({ "vendor": "snaplogic" }),
    ] {
        let (rows, answer) = listed(eve.clone(), more.clone()).await;
        assert_eq!(rows, 0, "{more}: {answer:#}");
        let said = answer.to_string();
        assert!(!said.contains("ada") && !said.contains("gr-"), "{said}");
        assert!(listed(ada.clone(), more).await.0 > 0);
    }
    let someone = listed(eve.clone(), json!({ "principal": SAM, "since": "P1D" })).await.1;
    let nobody =
        listed(eve.clone(), json!({ "principal": "no@example.com", "since": "P1D" })).await.1;
    assert_eq!(someone, nobody, "whom others asked about does not show");
    let checked = team.call(&ada, "check_change", json!({ "receipt": own })).await;
    assert_eq!((&checked["outcome"], &checked["requester"]), (&json!("confirmed"), &json!(ada_is)));
    let at_the_machine = world.run(&["changes", "--json"]).await.stdout;
    assert!(at_the_machine.contains(&own) && at_the_machine.contains(&ada_is), "{at_the_machine}");
    let undone = team.call(&ada, "undo_change", json!({ "receipt": own })).await;
    assert_eq!(undone["outcome"], "confirmed", "{undone:#}");
}

/// Access is the vendor's word, and who asked for it is not; neither is where the ledger is damaged.
#[tokio::test]
async fn neither_access_nor_damage_names_a_receipt_of_another() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let granted = team.call(&ada, "set_project_acl", on_finance(SAM)).await;
    let receipt = granted["receipt"].as_str().unwrap().to_owned();
    let sought =
        json!({ "vendor": "snaplogic", "resource": "/Harbor/Finance", "granted_here": true });
    let own = team.call(&ada, "list_access", sought.clone()).await;
    assert_eq!(own["rows"][0]["receipt"], receipt.as_str(), "{own:#}");
    let others = team.call(&eve, "list_access", sought.clone()).await;
    assert_eq!(others["rows"][0]["granted_here"], true, "{others:#}");
    assert!(!others.to_string().contains(&receipt), "{others:#}");

    let lines = world.path("state/lines.jsonl");
    let text = std::fs::read_to_string(&lines).unwrap();
    std::fs::write(&lines, text.replacen("OPS-7", "OPS-8", 2)).unwrap();
    let at_the_machine = world.run(&["call", "check_change"]).await.stdout;
    assert!(at_the_machine.contains(&receipt), "{at_the_machine}");
    // Whoever only reads looks at it now and then.
    let noticed = async {
        while !team.call(&eve, "check_change", json!({})).await.to_string().contains("ledger") {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(super::harness::PATIENCE, noticed).await.expect("nobody notices");
    let change = on_finance("marta.lindqvist@example.com");
    for (tool, arguments) in
        [("check_change", json!({})), ("list_access", sought), ("set_project_acl", change)]
    {
        let told = team.call(&eve, tool, arguments).await.to_string();
        assert!(!told.contains(&receipt), "{tool}: {told}");
        assert!(told.contains("cannot be acted on"), "{tool} says nothing of it: {told}");
    }
}

/// A client that says it can ask its person is not asked: whoever calls is not who approves. A yes said at the
/// machine is carried out, and stays theirs who asked.
#[tokio::test]
async fn a_caller_approves_nothing_and_what_is_approved_stays_theirs() {
    let (world, key) = (World::asking().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let waiting = team.call(&ada, "set_project_acl", on_finance(SAM)).await;
    assert_eq!(waiting["outcome"], "awaiting_consent", "{waiting:#}");
    let mut receipt = waiting["receipt"].as_str().unwrap().to_owned();
    for more in [
        json!({}),
        json!({ "requestState": receipt, "inputResponses": { "consent": { "action": "accept", "content": {} } } }),
    ] {
        let mut params = json!({ "name": "set_project_acl", "arguments": on_finance(SAM) });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = modern("tools/call", params).to_string();
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "set_project_acl"),
        ];
        let came = team.post_with(&ada, &headers, &body).await;
        let result = &parsed(&came.body)["result"];
        assert_eq!(result["structuredContent"]["outcome"], "awaiting_consent", "{came:?}");
        // Another client asks in the place of the first.
        receipt = result["structuredContent"]["receipt"].as_str().unwrap().to_owned();
    }
    assert!(world.writes().is_empty());
    let other = team.call(&eve, "set_project_acl", on_finance(SAM)).await;
    assert_ne!(other["receipt"], receipt.as_str(), "each asks for themselves");
    let ledger = grantor::ledger::Ledger::new(&world.path("state"), None);
    ledger.answer(&receipt, &approved("root"), &requester()).await.unwrap();
    let done = async {
        loop {
            let checked = team.call(&ada, "check_change", json!({ "receipt": receipt })).await;
            if checked["outcome"] == "confirmed" {
                return checked;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let done = tokio::time::timeout(super::harness::PATIENCE, done).await.expect("nobody does it");
    assert_eq!(done["requester"], format!("{}#ada", issuer.url), "{done:#}");
    assert_eq!(world.writes().len(), 1);
    let theirs = team.call(&eve, "check_change", json!({ "receipt": receipt })).await;
    assert!(theirs.to_string().contains("the ledger has no change"), "{theirs:#}");
}

/// Rules go by what an issuer says of groups: when somebody asks, and later, when what was approved is carried
/// out by a process that is in none.
#[tokio::test]
async fn rules_know_the_groups_of_a_caller_and_those_of_who_asked() {
    let key = Key::new("a");
    let issuer = Issuer::start(&key).await;
    let world = World::new().await;
    let rules = world.path("groups.cedar");
    let group = |name: &str| format!("Group::\"{}#{name}\"", issuer.url);
    let text = format!(
        "@id(\"admins\") permit (principal in {}, action, resource);\n\
         @id(\"helpers\") @ask(\"May they?\") permit (principal in {}, action, resource);\n",
        group("admins"),
        group("helpers")
    );
    std::fs::write(&rules, text).unwrap();
    let world = world.set("GRANTOR_POLICY", rules.to_str().unwrap());
    let team = Team::start(&world, &issuer, "groups_claim = \"groups\"").await.ready().await;
    let of = |who: &str, more: Value| {
        let mut claims = issuer.claims(who, BOTH);
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key.sign(&key.header(), &claims)
    };
    for (more, outcome, part) in [
        (json!({ "groups": ["users"] }), "refused", "no rule"),
        (json!({}), "refused", "no rule"),
        (json!({ "roles": ["admins"] }), "refused", "no rule"),
        (json!({ "groups": [format!("{}#admins", issuer.url)] }), "refused", "no rule"),
        (json!({ "groups": ["admins", 3] }), "refused", "does not say which groups"),
        (json!({ "_claim_names": { "groups": "src1" } }), "refused", "does not say which groups"),
        (json!({ "hasgroups": true }), "refused", "does not say which groups"),
        (json!({ "groups": ["users", "admins"] }), "confirmed", ""),
    ] {
        let answer = team.call(&of("ada", more.clone()), "set_project_acl", on_finance(SAM)).await;
        assert_eq!(answer["outcome"], outcome, "{more}: {answer:#}");
        assert!(answer.to_string().contains(part), "{more}: {answer:#}");
    }
    let helper = of("eve", json!({ "groups": ["helpers"] }));
    let other = on_finance("marta.lindqvist@example.com");
    let waiting = team.call(&helper, "set_project_acl", other).await;
    assert_eq!(waiting["outcome"], "awaiting_consent", "{waiting:#}");
    let receipt = waiting["receipt"].as_str().unwrap();
    let ledger = grantor::ledger::Ledger::new(&world.path("state"), None);
    ledger.answer(receipt, &approved("root"), &requester()).await.unwrap();
    let log = world.run(&["requests", "run"]).await;
    let checked = team.call(&helper, "check_change", json!({ "receipt": receipt })).await;
    assert_eq!(checked["outcome"], "confirmed", "{checked:#} {log:?}");
}

/// Whoever reads what the server leaves behind cannot call as somebody else.
#[tokio::test]
async fn no_token_is_left_anywhere() {
    let (world, key) = (
        World::new().await.set("GRANTOR_LOG", "trace,rmcp=trace,hyper=trace,reqwest=trace"),
        Key::new("a"),
    );
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let bad = issuer.token(&Key::new("a"), "ada", BOTH);
    let granted = team.call(&token, "set_project_acl", on_finance(SAM)).await;
    assert_eq!(granted["outcome"], "confirmed", "{granted:#}");
    assert_eq!(team.post(&bad, &call("list_roles", json!({}))).await.status, 401);
    let looked = team.call(&token, "list_access", json!({ "principal": SAM })).await;
    let log = team.log();
    assert!(log.contains("does not count"), "it logs: {log}");
    let mut left = format!("{looked}{log}{:?}", world.sandbox.journal());
    for entry in std::fs::read_dir(world.path("state")).unwrap() {
        left.push_str(&String::from_utf8_lossy(
            &std::fs::read(entry.unwrap().path()).unwrap_or_default(),
        ));
    }
    assert!(left.contains("#ada"), "what is left is looked at");
    for token in [&token, &bad] {
        for part in token.split('.').skip(1) {
            assert!(!left.contains(part), "a part of a token is left");
        }
    }
}

#[tokio::test]
async fn a_caller_who_asks_for_much_keeps_nobody_waiting() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let flood = (0..400).map(|_| {
        let (team, eve) = (&team, &eve);
        async move { team.post(eve, &call("list_roles", json!({ "vendor": "redox" }))).await }
    });
    let (came, other) = tokio::join!(
        futures_util::future::join_all(flood),
        team.call(&ada, "list_roles", json!({ "vendor": "redox" })),
    );
    assert!(!other["rows"].as_array().unwrap().is_empty(), "{other:#}");
    let refused: Vec<_> = came.iter().filter(|came| came.status == 429).collect();
    assert!(!refused.is_empty() && came.iter().any(|came| came.status == 200));
    assert!(came.iter().all(|came| [200, 429].contains(&came.status)));
    assert!(refused.iter().all(|came| came.head.contains("retry-after: 1")));
}

/// What is one person's own is nobody's where many ask.
#[tokio::test]
async fn me_is_nobody_where_several_ask() {
    let (world, key) = (World::new().await.set("GRANTOR_ME", SAM), Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let answer = team.call(&token, "set_project_acl", on_finance("me")).await;
    assert_eq!(answer["outcome"], "invalid", "{answer:#}");
    assert!(world.writes().is_empty());
    assert!(team.log().contains("“me” names nobody over HTTP"), "{}", team.log());
}

/// What has left is finished and told; what comes then is refused, and a watcher sees why.
#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_asked_to_end_finishes_what_has_left() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let grant = &super::writes::GRANTS[3];
    let silence = FaultKind::StallAfter(std::time::Duration::from_secs(3));
    world.inject(grant.vendor, grant.method, grant.path, silence);
    let asked = team.call(&token, "set_project_acl", on_finance(SAM));
    let ending = async {
        while world.writes().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        team.terminate().await;
        while team.get("/readyz").await.status == 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        (team.get("/livez").await, team.post(&token, &call("list_roles", json!({}))).await)
    };
    let (answer, (alive, late)) = tokio::join!(asked, ending);
    assert_eq!(alive.status, 200);
    assert_eq!(late.status, 503, "{late:?}");
    assert!(late.head.contains("retry-after: "), "{late:?}");
    assert_eq!(answer["outcome"], "confirmed", "{answer:#}");
    assert_eq!(team.ended().await, 0);
    let events: Vec<_> = world.ledger().iter().map(|line| line["event"].to_string()).collect();
    assert_eq!(events, ["\"open\"", "\"close\""]);
    assert_eq!(world.writes().len(), 1);
}

/// With a certificate of its own it speaks TLS, and nothing else.
#[tokio::test]
async fn it_may_have_tls_of_its_own() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let own = rcgen::generate_simple_self_signed(["grantor.example.com".to_owned()]).unwrap();
    let (chain, secret) = (world.path("chain.pem"), world.path("key.pem"));
    let pem = |of: &str, der: &[u8]| {
        let text = BASE64_STANDARD.encode(der);
        format!("-----BEGIN {of}-----\n{text}\n-----END {of}-----\n")
    };
    std::fs::write(&chain, pem("CERTIFICATE", own.cert.der())).unwrap();
    std::fs::write(&secret, pem("PRIVATE KEY", &own.signing_key.serialize_der())).unwrap();
    std::fs::write(world.path("team.toml"), issuer.configuration("")).unwrap();
    let mut command = world.command(["serve", "--http", "0.0.0.0:0", "--tls-cert"]);
    command.arg(&chain).arg("--tls-key").arg(&secret);
    command.env("GRANTOR_CONFIG", world.path("team.toml"));
    let team = Team::begin(&world, command).await;
    let address = team.host.replace("0.0.0.0", "127.0.0.1");
    let mut trusted = tokio_rustls::rustls::RootCertStore::empty();
    trusted.add(own.cert.der().clone()).unwrap();
    let config = tokio_rustls::rustls::ClientConfig::builder()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let name = "grantor.example.com".try_into().unwrap();
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let token = issuer.token(&key, "ada", BOTH);
    let body = call("list_roles", json!({ "vendor": "redox" })).to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: grantor.example.com\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut plain = tokio::net::TcpStream::connect(&address).await.unwrap();
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}
