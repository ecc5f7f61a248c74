//! How much may be asked for over HTTP, and how that is said; what becomes of who is slow, and of what the end of a
//! server breaks off.

use std::time::Duration;

use grantor::sandbox::FaultKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{PATIENCE, World, parsed, run};
use super::issuer::{BOTH, Issuer, Key, Team, call};

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} })
}

/// A server whose `[http]` says this as well.
async fn limited(world: &World, issuer: &Issuer, limits: &str) -> Team {
    let said = issuer.configuration("").replace("[http]\n", &format!("[http]\n{limits}\n"));
    std::fs::write(world.path("team.toml"), said).unwrap();
    let mut command = world.command(["serve", "--http", "127.0.0.1:0"]);
    command.env("GRANTOR_CONFIG", world.path("team.toml"));
    Team::begin(world, command).await.ready().await
}

#[tokio::test]
async fn an_administrator_says_how_much_may_be_asked_for() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let limits = "caller_burst = 3\ncaller_rate = 1\nbody_limit = 500";
    let team = limited(&world, &issuer, limits).await;
    let (ada, eve) = (issuer.token(&key, "ada", BOTH), issuer.token(&key, "eve", BOTH));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(team.post(&ada, &list()).await.status);
    }
    assert_eq!(statuses, [200; 3]);
    let large = format!("{{\"x\": \"{}\"}}", "x".repeat(500));
    let came = team.post_with(&eve, &[], &large).await;
    assert_eq!(came.status, 413);
    assert!(came.body.contains("larger than 500 bytes"), "{came:?}");
    let message = list();
    let flood = (0..20).map(|_| team.post(&ada, &message));
    let flood = futures_util::future::join_all(flood).await;
    assert!(flood.iter().any(|came| came.status == 429), "{flood:?}");
    for (limits, part) in [
        ("caller_burst = 0", "line 2: caller_burst in [http] must be a whole number from 1 to"),
        ("connections = \"many\"", "line 2: connections in [http] must be a whole number"),
        ("burst = 5", "there is no setting \"burst\" in [http]; there are public_url"),
        ("burst = 5", "caller_concurrency, concurrency, caller_rate, caller_burst"),
    ] {
        let said = issuer.configuration("").replace("[http]\n", &format!("[http]\n{limits}\n"));
        std::fs::write(world.path("odd.toml"), said).unwrap();
        let mut command = world.command(["serve", "--http", "127.0.0.1:0"]);
        command.env("GRANTOR_CONFIG", world.path("odd.toml"));
        let ran = run(command).await;
        assert!(ran.status == 1 && ran.stderr.contains(part), "{limits}: {}", ran.stderr);
    }
}

/// Many times as many as there are places, each of which begins a request and does not go on.
#[tokio::test]
async fn who_is_slow_makes_room_for_who_is_not() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = limited(&world, &issuer, "connections = 8\nidle_timeout = 3600").await;
    let token = issuer.token(&key, "ada", BOTH);
    let mut known = TcpStream::connect(&team.host).await.unwrap();
    let request = format!(
        "GET /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\r\n",
        team.host
    );
    answered(&mut known, &request).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(&team.host).await.unwrap();
        stream.write_all(b"POST /mcp HTTP/1.1\r\nhost: ").await.unwrap();
        slow.push(stream);
        if slow.len() % 20 == 0 {
            let came = team.post(&token, &list()).await;
            assert_eq!(came.status, 200, "after {}: {came:?}", slow.len());
        }
    }
    // The first of them have been closed, though nobody waits for an hour.
    let mut left = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, slow[0].read_to_end(&mut left)).await;
    assert!(closed.is_ok(), "the slowest has kept its place");
    answered(&mut known, &request).await;
}

/// Sends a request on a connection that is kept, and waits for its answer's head.
async fn answered(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"all there is\n") {
        let mut chunk = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut chunk)).await;
        let count = read.expect("no answer comes").unwrap();
        assert!(count > 0, "closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..count]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 405 "), "{}", String::from_utf8_lossy(&answer));
}

/// A watcher, a proxy and a client's own retry read the status: a call that was given up is no 200.
#[cfg(unix)]
#[tokio::test]
async fn a_call_that_the_end_breaks_off_is_told_by_its_status() {
    let (world, key) = (World::new().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let team = Team::start(&world, &issuer, "").await.ready().await;
    let token = issuer.token(&key, "ada", BOTH);
    world.inject("snaplogic", "GET", "/assetapi/acl/", FaultKind::Stall(Duration::from_secs(50)));
    let grant = json!({ "project_or_space_path": "/Harbor/Finance", "grant_type": "USER",
        "grantee": "user@example.com", "permission_list": ["R"] });
    let message = call("set_project_acl", grant);
    let asked = team.post(&token, &message);
    let ending = async {
        while world.count("GET", "/assetapi/acl/") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        team.terminate().await;
    };
    let (came, ()) = tokio::join!(asked, ending);
    assert_eq!(came.status, 503, "{came:?}");
    assert!(came.head.contains("retry-after: "), "nothing was done: {came:?}");
    let said = parsed(&came.body);
    assert_eq!(said["error"]["code"], -32000, "{came:?}");
    assert!(said["error"]["message"].as_str().unwrap().contains("changed nothing"), "{came:?}");
    assert_eq!(team.ended().await, 0);
    assert!(world.writes().is_empty());
}
