//! Sessions of the older protocols, of which a server keeps nothing, and programs whose issuers call scopes otherwise.

use serde_json::{Value, json};

use super::harness::{World, parsed};
use super::issuer::{AUDIENCE, BOTH, Came, Issuer, Key, Team, call};

const LEDGER_KEY: &str = "0123456789abcdef0123456789abcdef";

fn hello() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": { "elicitation": { "url": {} } },
        "clientInfo": { "name": "test", "version": "7" } } })
}

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} })
}

fn grant() -> Value {
    call(
        "set_project_acl",
        json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
            "grantee": "user@example.com", "permission_list": ["R"], "reason": "OPS-7" }),
    )
}

/// The session that an answer begins.
fn session(came: &Came) -> Option<&str> {
    // Names of headers are in small letters here, and so is what stands in them: the raw head is looked at.
    came.raw_head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("mcp-session-id").then_some(value)
    })
}

async fn within(team: &Team, token: &str, session: &str, message: &Value) -> Came {
    let headers = [("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")];
    team.post_with(token, &headers, &message.to_string()).await
}

/// Whoever holds the key opens it, and keeps nothing: replicas need no more in common.
#[tokio::test]
async fn a_session_opens_wherever_the_key_is_and_to_nobody_else() {
    let key = Key::new("a");
    let issuer = Issuer::start(&key).await;
    let with_key = async || World::new().await.set("GRANTOR_LEDGER_KEY", LEDGER_KEY);
    let (here, there, apart) = (with_key().await, with_key().await, World::new().await);
    let one = Team::start(&here, &issuer, "").await.ready().await;
    let other = Team::start(&there, &issuer, "").await.ready().await;
    let stranger = Team::start(&apart, &issuer, "").await.ready().await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let begun = one.post(&ada, &hello()).await;
    let id = session(&begun).unwrap_or_else(|| panic!("{begun:?}")).to_owned();
    let again = one.post(&ada, &hello()).await;
    assert_ne!(session(&again), Some(id.as_str()), "no two are one");

    assert_eq!(within(&one, &ada, &id, &list()).await.status, 200);
    let granted = within(&other, &ada, &id, &grant()).await;
    assert_eq!(parsed(&granted.body)["result"]["structuredContent"]["outcome"], "confirmed");
    let opened = there.ledger().remove(0);
    assert_eq!(opened["client"], "test 7", "the other process knows who began: {opened:#}");

    let mut altered = id.clone();
    let first = if altered.remove(0) == 'A' { 'B' } else { 'A' };
    altered.insert(0, first);
    for (what, team, token, id) in [
        ("another's", &one, &eve, id.as_str()),
        ("altered", &one, &ada, &altered),
        ("cut short", &one, &ada, &id[..id.len() - 1]),
        ("made up", &one, &ada, "8a6c1f2e"),
        ("of a server with another key", &stranger, &ada, &id),
    ] {
        let came = within(team, token, id, &list()).await;
        assert_eq!(came.status, 404, "{what}: {came:?}");
        let said = parsed(&came.body);
        assert_eq!((&said["id"], &said["error"]["code"]), (&json!(1), &json!(-32001)), "{what}");
    }
    for method in ["DELETE", "GET"] {
        let bearer = format!("Bearer {ada}");
        let headers = [("authorization", bearer.as_str()), ("mcp-session-id", &id)];
        assert_eq!(one.send(method, "/mcp", &headers, "").await.status, 405, "{method}");
    }
    assert_eq!(within(&one, &ada, &id, &list()).await.status, 200, "nothing ended it");
}

/// A session is no condition, and none of the newest protocol's.
#[tokio::test]
async fn who_brings_no_session_is_served_all_the_same() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    let granted = team.post(&token, &grant()).await;
    assert_eq!(parsed(&granted.body)["result"]["structuredContent"]["outcome"], "confirmed");
    let opened = world.ledger().remove(0);
    assert!(opened.get("client").is_none_or(Value::is_null), "nobody said: {opened:#}");
    let mut list = list();
    list["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let modern = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
        ("mcp-session-id", "8a6c1f2e"),
    ];
    assert_eq!(team.post_with(&token, &modern, &list.to_string()).await.status, 200);
    let old = [("mcp-session-id", "8a6c1f2e")];
    let began = team.post_with(&token, &old, &hello().to_string()).await;
    assert_eq!(began.status, 200, "who begins anew needs no old one");
    let mut wrong = hello();
    wrong["params"]["protocolVersion"] = 7.into();
    let refused = team.post(&token, &wrong).await;
    assert!(session(&refused).is_none(), "{refused:?}");
    // An issuer's list of scopes comes first: no session is begun for who may do nothing.
    let nothing = issuer.token(&key, "ada", "openid");
    let refused = team.post(&nothing, &hello()).await;
    assert_eq!((refused.status, session(&refused)), (403, None), "{refused:?}");
}

/// As Entra has it: what clients ask for has an address before it that tokens leave out, and programs have roles.
#[tokio::test]
async fn an_issuer_may_call_scopes_otherwise_and_give_programs_roles() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let settings = "read_scope = \"api://app/grantor.read\"\n\
        change_scope = \"api://app/grantor.change\"\nroles_claim = \"roles\"\nservice = \"idtyp=app\"\n";
    let team = Team::start(&world, &issuer, settings).await.ready().await;
    let all = "api://app/grantor.read api://app/grantor.change";
    let nobody = team.send("POST", "/mcp", &[], &list().to_string()).await;
    assert!(nobody.head.contains(&format!("scope=\"{all}\"")), "{nobody:?}");
    let shown = team.get("/.well-known/oauth-protected-resource").await;
    let supported = json!(all.split(' ').collect::<Vec<_>>());
    assert_eq!(parsed(&shown.body)["scopes_supported"], supported);
    let of = |more: Value| {
        let mut claims = issuer.claims("ada", "");
        claims.as_object_mut().unwrap().remove("scope");
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key.sign(&key.header(), &claims)
    };
    for (more, reads, changes) in [
        (json!({ "scp": "grantor.read" }), 200, 403),
        (json!({ "scp": "openid grantor.read grantor.change" }), 200, 200),
        (json!({ "scp": "api://app/grantor.read" }), 200, 403),
        (json!({ "scp": "api://other/grantor.read" }), 403, 403),
        (json!({ "scp": "grantor:change" }), 403, 403),
        (json!({ "idtyp": "app", "roles": ["grantor.read"] }), 200, 403),
        (json!({ "idtyp": "app", "roles": ["grantor.read", "grantor.change"] }), 200, 200),
        (json!({ "idtyp": "app" }), 403, 403),
        // A person's roles do not widen what they let their client do.
        (json!({ "scp": "grantor.read", "roles": ["grantor.change"] }), 200, 403),
        (json!({ "roles": ["grantor.change"] }), 403, 403),
    ] {
        let token = of(more.clone());
        assert_eq!(team.post(&token, &list()).await.status, reads, "{more}");
        let came = team.post(&token, &grant()).await;
        assert_eq!(came.status, changes, "{more}: {came:?}");
        if changes == 403 {
            assert!(came.head.contains("error=\"insufficient_scope\""), "{more}: {came:?}");
            assert!(came.head.contains("scope=\"api://app/grantor.read"), "{more}: {came:?}");
            // Who may look is read, and answered under the message's own id.
            let said = parsed(&came.body);
            let id = if reads == 200 { json!(1) } else { Value::Null };
            assert_eq!((&said["id"], &said["jsonrpc"]), (&id, &json!("2.0")), "{more}: {said:#}");
            assert_eq!(said["error"]["data"]["error"], "insufficient_scope", "{more}: {said:#}");
            let scopes = said["error"]["data"]["scope"].as_str().unwrap();
            assert!(came.head.contains(&format!("scope=\"{scopes}\"")), "{more}: {said:#}");
        }
    }
}

/// Where two issuers call the same otherwise, nobody knows whom a client will ask.
#[tokio::test]
async fn a_challenge_names_no_scopes_that_an_issuer_would_not_know() {
    let (world, key) = (World::new().await, Key::new("a"));
    let (one, other) = (Issuer::start(&key).await, Issuer::start(&key).await);
    let more = format!("[http.issuers.other]\nissuer = \"{}\"\nread_scope = \"look\"\n", other.url);
    let team = Team::start(&world, &one, &more).await.ready().await;
    let nobody = team.send("POST", "/mcp", &[], &list().to_string()).await;
    assert_eq!(nobody.status, 401);
    assert!(
        nobody.head.contains("resource_metadata=") && !nobody.head.contains("scope="),
        "{nobody:?}"
    );
    let shown = parsed(&team.get("/.well-known/oauth-protected-resource/mcp").await.body);
    assert_eq!(shown["scopes_supported"], json!(["look", "grantor:change", "grantor:read"]));
    assert_eq!(shown["resource"], AUDIENCE);
    let asked = other.token(&key, "ada", "look");
    assert_eq!(team.post(&asked, &list()).await.status, 200);
    let came = team.post(&asked, &grant()).await;
    assert!(came.head.contains("scope=\"look grantor:change\""), "{came:?}");
    assert_eq!(team.post(&one.token(&key, "ada", "look"), &list()).await.status, 403);
    let same = "read_scope = \"api://app/x\"\nchange_scope = \"x\"\n";
    std::fs::write(world.path("odd.toml"), one.configuration(same)).unwrap();
    let mut command = world.command(["serve", "--http", "127.0.0.1:0"]);
    command.env("GRANTOR_CONFIG", world.path("odd.toml"));
    let ran = super::harness::run(command).await;
    assert!(ran.status == 1 && ran.stderr.contains("are one in its tokens"), "{ran:?}");
}

/// Prompts and completions are looks like any other, and ask no vendor.
#[tokio::test]
async fn prompts_and_completions_go_by_scopes_and_ask_nobody() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let reader = issuer.token(&key, "grace", "grantor:read");
    let nothing = issuer.token(&key, "grace", "openid");
    let asked = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let argument = |name: &str, value: &str| {
        json!({ "ref": { "type": "ref/prompt", "name": "offboard" },
            "argument": { "name": name, "value": value } })
    };
    let offboard = json!({ "name": "offboard", "arguments": { "person": "user@example.com" } });
    for (message, at, wanted) in [
        (asked("prompts/list", json!({})), "/result/prompts/1/name", json!("offboard")),
        (asked("prompts/get", offboard), "/result/messages/0/role", json!("user")),
        (
            asked("completion/complete", argument("vendor", "sn")),
            "/result/completion/values",
            json!(["snaplogic"]),
        ),
        (
            asked("completion/complete", argument("person", "us")),
            "/result/completion/values",
            json!([]),
        ),
    ] {
        let came = team.post(&reader, &message).await;
        assert_eq!(parsed(&came.body).pointer(at), Some(&wanted), "{message}: {came:?}");
        assert_eq!(team.post(&nothing, &message).await.status, 403, "{message}");
        assert_eq!(team.send("POST", "/mcp", &[], &message.to_string()).await.status, 401);
    }
    assert!(world.sandbox.journal().is_empty(), "{:?}", world.sandbox.journal());
}
