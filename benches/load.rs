//! What one server does when it is kept busy: `cargo bench --bench load`.
//!
//! The built server over real pipes, against a vendor that answers at once, in a process of its
//! own. The bare HTTP client asks the same vendor in the same run: figures are read as ratios.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark waits, prints, and fails loudly where it cannot run"
)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Requests that a client has sent and not yet got answers to.
const PIPELINED: usize = 64;
const CALLS: usize = 50_000;
const ASKING: usize = 10_000;

fn main() {
    if std::env::args().any(|argument| argument == "--vendor") {
        return vendor();
    }
    let mut vendor = Vendor::start();
    println!("{PIPELINED} requests pipelined; each line is one run of its own server");
    let look = |vendor: &str| call("list_roles", &format!(r#"{{"vendor":"{vendor}"}}"#));
    let asking = call("find_principals", r#"{"vendor":"centrasite","query":"a"}"#);
    let list = r#""method":"tools/list","params":{}"#.to_owned();
    measure("tools/list", &vendor.url, CALLS / 5, &list);
    measure("list_roles, asks nobody", &vendor.url, CALLS, &look("centrasite"));
    measure("list_roles, of a vendor", &vendor.url, CALLS, &look("outsystems"));
    let road = measure("find_principals, a request each", &vendor.url, ASKING, &asking);
    let bare = bare(&vendor.url);
    println!(
        "{:<34} {bare:>8.0} a second; the road is {:.2} of it",
        "bare HTTP client",
        road / bare
    );
    vendor.child.kill().unwrap();
    vendor.child.wait().unwrap();
}

fn call(tool: &str, arguments: &str) -> String {
    format!(r#""method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}"#)
}

/// Sends `count` requests, so many at a time, and prints calls a second, times and memory.
fn measure(what: &str, url: &str, count: usize, request: &str) -> f64 {
    let state = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_grantor"))
        .env_clear()
        .env("GRANTOR_STATE_DIR", state.path())
        .env("HOME", state.path())
        .envs([
            ("OUTSYSTEMS_PORTAL_URL", url),
            ("OUTSYSTEMS_TOKEN_URL", &format!("{url}/token")),
            ("OUTSYSTEMS_CLIENT_ID", "id"),
            ("OUTSYSTEMS_CLIENT_SECRET", "secret"),
            ("CENTRASITE_BRIDGE_URL", url),
            ("CENTRASITE_USERNAME", "user"),
            ("CENTRASITE_PASSWORD", "password"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = server.stdin.take().unwrap();
    let mut stdout = BufReader::with_capacity(1 << 16, server.stdout.take().unwrap());
    let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
    writeln!(stdin, "{hello}").unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    // One to warm up: a token, a connection.
    ask(&mut stdin, 1, request);
    stdout.read_line(&mut line).unwrap();
    let started = Instant::now();
    let (mut sent, mut times) = (HashMap::new(), Vec::with_capacity(count));
    let mut batch = Vec::new();
    let mut next = 2;
    while times.len() < count {
        while sent.len() < PIPELINED && next < count + 2 {
            ask(&mut batch, next, request);
            sent.insert(next, Instant::now());
            next += 1;
        }
        stdin.write_all(&batch).unwrap();
        batch.clear();
        loop {
            line.clear();
            stdout.read_line(&mut line).unwrap();
            let rest = line.strip_prefix(r#"{"jsonrpc":"2.0","id":"#).unwrap();
            let (id, result) = rest.split_once(',').unwrap();
            assert!(
                result.starts_with(r#""result":"#) && !result.contains(r#""isError":true"#),
                "{line}"
            );
            times.push(sent.remove(&id.parse().unwrap()).unwrap().elapsed());
            if stdout.buffer().is_empty() {
                break;
            }
        }
    }
    let rate = f64::from(u32::try_from(count).unwrap()) / started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: usize| *times.get(times.len() * part / 100).unwrap();
    let memory = memory(&server);
    println!("{what:<34} {rate:>8.0} a second  p50 {:?}  p99 {:?}  {memory}", at(50), at(99));
    drop(stdin);
    server.wait().unwrap();
    rate
}

fn ask(to: &mut impl std::io::Write, id: usize, request: &str) {
    writeln!(to, r#"{{"jsonrpc":"2.0","id":{id},{request}}}"#).unwrap();
}

fn memory(server: &Child) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()));
    let status = status.unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("memory unknown").to_owned()
}

/// As many requests as `find_principals` makes, by the bare client, as many at a time as Grantor
/// allows itself.
fn bare(url: &str) -> f64 {
    const AT_ONCE: usize = 16;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let started = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (client, url) = (client.clone(), format!("{url}/principals?limit=100"));
                tokio::spawn(async move {
                    for _ in 0..ASKING / AT_ONCE {
                        let request = client.get(&url).timeout(Duration::from_secs(20));
                        request.send().await.unwrap().bytes().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    f64::from(u32::try_from(ASKING).unwrap()) / started.elapsed().as_secs_f64()
}

/// The vendor in its process.
struct Vendor {
    child: Child,
    url: String,
}

impl Vendor {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--vendor")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }
}

/// Answers every request at once, by its path alone.
fn vendor() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(Mutex::new(HashMap::new()));
    for stream in listener.incoming() {
        let (stream, answers) = (stream.unwrap(), answers.clone());
        std::thread::spawn(move || serve(stream, &answers));
    }
}

fn serve(mut stream: TcpStream, answers: &Mutex<HashMap<String, Arc<Vec<u8>>>>) {
    stream.set_nodelay(true).unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut chunk) {
                Ok(count @ 1..) => bytes.extend(chunk.iter().take(count)),
                _ => return,
            }
        };
        let head = String::from_utf8(bytes.drain(..end).collect()).unwrap();
        let path = head.split(' ').nth(1).unwrap();
        let path = path.split('?').next().unwrap().to_owned();
        if path == "/token" {
            // Its form comes in the same packet, and is nobody's business.
            bytes.clear();
        }
        let answer = answers.lock().unwrap().entry(path).or_insert_with_key(|path| {
            let body = body(path);
            let length = body.len();
            let head = format!("HTTP/1.1 200 -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            Arc::new(format!("{head}{body}").into_bytes())
        }).clone();
        stream.write_all(&answer).unwrap();
    }
}

fn body(path: &str) -> String {
    let rows = |row: fn(usize) -> String| (0..20).map(row).collect::<Vec<_>>().join(",");
    match path {
        "/token" => r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#.to_owned(),
        "/principals" => {
            let rows = rows(|n| format!(r#"{{"kind":"user","id":"u{n}","name":"anna.{n}"}}"#));
            format!(r#"{{"principals":[{rows}],"total":20}}"#)
        }
        _ => {
            let rows = rows(|n| {
                format!(
                    r#"{{"key":"00000000-0000-0000-0000-0000000000{n:02}","name":"Role {n}",
                    "permissions":[{{"name":"Asset management > View"}}]}}"#
                )
            });
            format!(r#"{{"results":[{rows}],"page":{{"totalResults":20}}}}"#)
        }
    }
}
