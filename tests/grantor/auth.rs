use std::collections::BTreeSet;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use grantor::sandbox::{FaultKind, Modes, Seen};
use serde_json::{Value, json};

use super::harness::{Server, World, parsed, status};
use super::proxy::{Proxy, Then, reply};
use super::writes::GRANTS;

/// Vendors whose tokens are fetched, and where.
const FETCHED: [(&str, &str); 2] = [("outsystems", "/token"), ("redox", "/v2/auth/token")];

/// A look that is asked of the vendor every time.
async fn look(server: &Server, vendor: &str) {
    let answer = server.call("find_principals", json!({ "vendor": vendor, "query": "a" })).await;
    assert!(!answer.is_error, "{vendor}: {:#}", answer.body);
}

fn refused(world: &World) -> usize {
    world.sandbox.journal().iter().filter(|seen| seen.status == 401).count()
}

#[tokio::test]
async fn a_token_is_used_for_many_calls() {
    for (vendor, path) in FETCHED {
        let world = World::new().await;
        let server = world.serve().await;
        for _ in 0..5 {
            look(&server, vendor).await;
        }
        assert_eq!(world.count("POST", path), 1, "{vendor}");
    }
}

#[tokio::test]
async fn a_token_that_was_refused_is_renewed_once() {
    for (vendor, path) in FETCHED {
        let world = World::new().await;
        let server = world.serve().await;
        look(&server, vendor).await;
        world.inject(vendor, "GET", "/", status(401));
        look(&server, vendor).await;
        assert_eq!(world.count("POST", path), 2, "{vendor}");
        look(&server, vendor).await;
        assert_eq!(world.count("POST", path), 2, "{vendor}");
    }
}

/// Also where the call that finds the token expired is not the only one.
#[tokio::test]
async fn those_who_need_a_token_at_the_same_time_share_one() {
    let modes =
        || Modes { outsystems_token_seconds: 1, redox_token_seconds: 1, ..Modes::default() };
    for (vendor, path) in FETCHED {
        let world = World::with(modes()).await;
        let server = world.serve().await;
        let all = (0..12).map(|_| look(&server, vendor));
        futures_util::future::join_all(all).await;
        assert_eq!(world.count("POST", path), 1, "{vendor}");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let all = (0..12).map(|_| look(&server, vendor));
        futures_util::future::join_all(all).await;
        assert_eq!(world.count("POST", path), 2, "{vendor}");
        // Its life was told, so it was never tried beyond it.
        assert_eq!(refused(&world), 0, "{vendor}");
    }
}

#[tokio::test]
async fn each_assertion_has_an_id_of_its_own() {
    let world = World::with(Modes { redox_token_seconds: 1, ..Modes::default() }).await;
    let server = world.serve().await;
    for _ in 0..3 {
        look(&server, "redox").await;
        world.inject("redox", "GET", "/role-assignment", status(401));
        look(&server, "redox").await;
    }
    let journal = world.sandbox.journal();
    let asked = journal.iter().filter(|seen| seen.path == "/v2/auth/token");
    let ids: Vec<String> = asked.map(|seen| claims(seen)["jti"].to_string()).collect();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert!(ids.len() >= 4 && distinct.len() == ids.len(), "{ids:?}");
}

fn claims(seen: &Seen) -> Value {
    let assertion = assertion(seen).unwrap();
    let part = assertion.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn assertion(seen: &Seen) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(&seen.body);
    let found = fields.find(|(name, _)| name == "client_assertion");
    found.map(|(_, value)| value.into_owned())
}

/// A discovery document may be anybody's; the secret goes to the configured authority alone.
#[tokio::test]
async fn a_discovered_token_endpoint_elsewhere_is_refused_and_named() {
    let world = World::new().await.tokens_straight().await;
    let elsewhere = world.variable("OUTSYSTEMS_TOKEN_URL").to_owned();
    let document = reply(200, &json!({ "token_endpoint": elsewhere }).to_string());
    let portal = Proxy::start(Some(world.variable("OUTSYSTEMS_PORTAL_URL")), move |_, path| {
        let discovery = path == "/identity/.well-known/openid-configuration";
        if discovery { Then::Answer(document.clone()) } else { Then::Pass }
    });
    let portal = portal.await;
    let told = world.variable("OUTSYSTEMS_TOKEN_URL").to_owned();
    let world = world.unset("OUTSYSTEMS_TOKEN_URL").set("OUTSYSTEMS_PORTAL_URL", &portal.url);
    let grant = &GRANTS[0];
    let before = world.sandbox.journal().len();
    let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "unavailable", "{:#}", answer.body);
    let authority = elsewhere.split("/auth").next().unwrap();
    for words in [authority, "OUTSYSTEMS_TOKEN_URL"] {
        assert!(answer.summary().contains(words), "{}", answer.summary());
    }
    assert_eq!(world.sandbox.journal().len(), before, "the secret stays here");
    // Said by the operator, it is right.
    let world = world.set("OUTSYSTEMS_TOKEN_URL", told);
    let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
}

/// A look that no change of a vendor does without, whichever comes first.
fn needed_look(vendor: &str) -> &'static str {
    match vendor {
        "outsystems" => "/identity/v1/users",
        "dfns" => "/auth/users",
        "redox" => "/platform/v1/organizations/",
        "snaplogic" => "/assetapi/acl/",
        "centrasite" => "/assets",
        other => panic!("{other} is no vendor"),
    }
}

/// A redirect would carry the credential wherever the answer says.
#[tokio::test]
async fn no_redirect_is_followed() {
    let world = World::new().await;
    let trap = Proxy::start(None, |_, _| Then::Answer(reply(200, "{}"))).await;
    let server = world.serve().await;
    let location = vec![("location", format!("{}/caught", trap.url))];
    for grant in &GRANTS {
        let redirect =
            FaultKind::Status { status: 307, headers: location.clone(), body: String::new() };
        world.inject(grant.vendor, "GET", needed_look(grant.vendor), redirect.clone());
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert!(answer.is_error, "{}: {:#}", grant.tool, answer.body);
        world.inject(grant.vendor, grant.method, grant.path, redirect);
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "rejected", "{}: {:#}", grant.tool, answer.body);
    }
    assert_eq!(trap.asked(), 0);
}

/// A password that was changed is read again after the vendor refuses the old one.
#[tokio::test]
async fn a_secret_file_is_read_again_after_a_401() {
    let world = World::new().await;
    let (right, file) = (world.variable("SNAPLOGIC_PASSWORD").to_owned(), world.path("password"));
    std::fs::write(&file, "old\n").unwrap();
    let world = world.unset("SNAPLOGIC_PASSWORD");
    let world = world.set("SNAPLOGIC_PASSWORD_FILE", file.to_str().unwrap());
    let server = world.serve().await;
    let grant = &GRANTS[3];
    let answer = server.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
    std::fs::write(&file, format!("{right}\n")).unwrap();
    let answer = server.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    assert_eq!(world.writes().len(), 1);
}

/// An error page that repeats what it was sent, as it came and URL-encoded.
fn echo(status: u16, secrets: &BTreeSet<String>) -> FaultKind {
    let encoded =
        |secret: &str| url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let message = secrets.iter().map(|secret| format!("not {secret} or {}", encoded(secret)));
    let message = message.collect::<Vec<_>>().join(" ");
    let body = json!({ "error": { "message": message }, "message": message }).to_string();
    FaultKind::Status { status, headers: Vec::new(), body }
}

/// What was last shown to one vendor as a proof, which that vendor may echo.
fn proofs(world: &World, vendor: &str) -> BTreeSet<String> {
    let journal = world.sandbox.journal();
    let own = journal.iter().filter(|seen| seen.vendor == vendor);
    let values = own.flat_map(|seen| &seen.headers).filter(|(name, _)| name == "authorization");
    values.filter_map(|(_, value)| value.split(' ').nth(1)).map(str::to_owned).collect()
}

/// A token endpoint's error page may echo the form it was sent.
#[tokio::test]
async fn a_token_endpoint_that_echoes_the_secret_is_not_believed() {
    let world = World::new().await.set("OUTSYSTEMS_CLIENT_SECRET", "s3cret/with+odd=signs");
    let secrets: BTreeSet<String> = ["s3cret/with+odd=signs".to_owned()].into();
    world.inject("outsystems", "POST", "/token", echo(400, &secrets));
    let grant = &GRANTS[0];
    let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
    let shown = answer.body.to_string();
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!shown.contains("s3cret%2Fwith"), "{shown}");
}

/// Where tokens come from is asked without the secret, and the answer may hold it all the same.
#[tokio::test]
async fn a_discovery_that_knows_the_secret_does_not_show_it() {
    let secrets: BTreeSet<String> = ["s3cret/with+odd=signs".to_owned()].into();
    for status in [200, 401, 500] {
        let world = World::new().await.set("OUTSYSTEMS_CLIENT_SECRET", "s3cret/with+odd=signs");
        (0..ALWAYS).for_each(|_| {
            world.inject("outsystems", "GET", "/openid-configuration", echo(status, &secrets));
        });
        let grant = &GRANTS[0];
        let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
        assert!(answer.is_error, "{status}: {:#}", answer.body);
        let shown = answer.body.to_string();
        assert!(!shown.contains("s3cret"), "{status}: {shown}");
    }
}

/// More often than anything is asked again.
const ALWAYS: usize = 9;

/// JSON has several ways to write one text, and an echo may use any of them.
#[tokio::test]
async fn an_echo_in_json_is_taken_out_however_it_is_written() {
    let secret = "pa$$ \"w+rd\"/\\é";
    let plain = json!({ "message": format!("not {secret}") }).to_string();
    let slashes = plain.replace('/', "\\/");
    let ascii = plain.replace('é', "\\u00e9");
    for body in [plain, slashes, ascii] {
        let world = World::new().await.set("CENTRASITE_PASSWORD", secret);
        let fault = FaultKind::Status { status: 403, headers: vec![], body: body.clone() };
        world.inject("centrasite", "GET", "/assets", fault);
        let grant = &GRANTS[4];
        let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
        assert!(!answer.summary().contains("w+rd"), "{body}: {}", answer.summary());
    }
}

/// A no may come under 200, and its message may repeat as much as any other.
#[tokio::test]
async fn an_echo_under_200_is_taken_out() {
    for (grant, shape) in [
        (&GRANTS[2], json!({ "payload": { "success": false, "message": "ECHO" } })),
        (
            &GRANTS[3],
            json!({ "response_map": { "error_list": [{ "message": "ECHO" }] }, "http_status_code": 403 }),
        ),
    ] {
        let world = World::new().await;
        let server = world.serve().await;
        let mut dry = parsed(grant.arguments);
        dry["dry_run"] = json!(true);
        server.call(grant.tool, dry).await;
        let proof = proofs(&world, grant.vendor).pop_first().unwrap();
        let body = shape.to_string().replace("ECHO", &proof);
        let fault = FaultKind::Status { status: 200, headers: vec![], body };
        world.inject(grant.vendor, grant.method, grant.path, fault);
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
        assert!(!answer.summary().contains(&proof), "{}: {}", grant.tool, answer.summary());
    }
}
