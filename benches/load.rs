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

mod common;
#[path = "common/http.rs"]
mod http;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::Server;
use serde_json::{Value, json};

/// Requests that a client has sent and not yet got answers to.
const PIPELINED: usize = 64;
const CALLS: usize = 50_000;
const ASKING: usize = 10_000;
const GRANTS: usize = 1_000;

fn main() {
    if std::env::args().any(|argument| argument == "--vendor") {
        return vendor();
    }
    if std::env::args().any(|argument| argument == "--bare") {
        return http::serve_bare();
    }
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mut vendor = Vendor::start();
    println!("{PIPELINED} requests pipelined; each line is one run of its own server");
    if wanted("looks") {
        looks(&vendor.url);
    }
    if wanted("grants") {
        grants(&vendor.url);
    }
    over_http(&vendor.url, wanted);
    vendor.child.kill().unwrap();
    vendor.child.wait().unwrap();
}

/// The same over HTTP as over stdio, in one run; and what a server for many must bear.
fn over_http(url: &str, wanted: impl Fn(&str) -> bool) {
    let issuer = http::Issuer::start();
    let look = call("list_roles", &json!({ "vendor": "centrasite" }));
    let asking = call("find_principals", &json!({ "vendor": "centrasite", "query": "a" }));
    let message = |request: &str| format!(r#"{{"jsonrpc":"2.0","id":1,{request}}}"#);
    let served = |limits: &str| {
        let state = common::state();
        let served =
            http::Served::grantor(command(url, state.path()), state.path(), &issuer, limits);
        (served, state)
    };
    // One caller may ask for this much nowhere else.
    let open = "caller_rate = 100000\ncaller_burst = 100000\ncaller_concurrency = 64";
    for (what, request, count, least) in [
        ("find_principals", &asking, ASKING, Some(0.5)),
        ("list_roles, asks nobody", &look, CALLS, None),
    ] {
        if !wanted("http rate") {
            continue;
        }
        let state = common::state();
        let sent = |_| request.clone();
        let piped = measure(&format!("{what}, stdio"), url, state.path(), count, sent, |_| ());
        let (server, _state) = served(open);
        let what = format!("{what}, HTTP");
        let ratio = http::rate(&what, &server, &issuer, &message(request), count) / piped;
        println!("{:<34} {ratio:>8.2} of stdio's", "");
        assert!(least.is_none_or(|least| ratio >= least), "{what}: {ratio}");
    }
    for (name, limits, bear) in [
        ("http idle", "", http::idle as fn(&http::Served, &http::Issuer, &str)),
        // It is about connections: whoever is served meanwhile must not come to an end of what they may ask.
        ("http slow", open, http::slow),
        ("http flood", "", http::flood),
    ] {
        if wanted(name) {
            let (server, _state) = served(limits);
            bear(&server, &issuer, &message(&look));
        }
    }
}

fn looks(url: &str) {
    let look = |vendor: &str| call("list_roles", &json!({ "vendor": vendor }));
    let asking = call("find_principals", &json!({ "vendor": "centrasite", "query": "a" }));
    let list = r#""method":"tools/list","params":{}"#.to_owned();
    let run = |what: &str, count: usize, request: String| {
        let state = common::state();
        measure(what, url, state.path(), count, |_| request.clone(), |_| ())
    };
    run("tools/list", CALLS / 5, list);
    run("list_roles, asks nobody", CALLS, look("centrasite"));
    run("list_roles, of a vendor", CALLS, look("outsystems"));
    let road = run("find_principals, a request each", ASKING, asking);
    let bare = bare(url);
    println!(
        "{:<34} {bare:>8.0} a second; the road is {:.2} of it",
        "bare HTTP client",
        road / bare
    );
}

/// As many changes, each of somebody else's access to something else: every one is confirmed, sent
/// once, and in the ledger.
fn grants(url: &str) {
    let state = common::state();
    let grant = |number: usize| {
        let arguments = json!({
            "project_or_space_path": format!("/Bench/space-{number}"),
            "grant_type": "USER",
            "grantee": format!("user-{number}@example.com"),
            "permission_list": ["R"],
        });
        call("set_project_acl", &arguments)
    };
    let confirmed = |result: &str| {
        let answer: Value = serde_json::from_str(result).unwrap();
        let outcome = answer.pointer("/result/structuredContent/outcome");
        assert_eq!(outcome, Some(&json!("confirmed")), "{answer:#}");
    };
    measure("set_project_acl, four requests", url, state.path(), GRANTS, grant, confirmed);
    let ledger = std::fs::read_to_string(state.path().join("lines.jsonl")).unwrap();
    let lines = ledger.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let confirmed = lines.filter(|line| line.get("outcome") == Some(&json!("confirmed")));
    let receipts: HashSet<String> =
        confirmed.filter_map(|line| Some(line.get("receipt")?.as_str()?.to_owned())).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writes = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("{url}{WRITES}")).send().await.unwrap().text().await.unwrap()
    });
    let verified = common::command(state.path(), &[]).args(["ledger", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    // The first one is to warm up.
    assert_eq!((receipts.len(), writes.as_str()), (GRANTS + 1, format!("{}", GRANTS + 1).as_str()));
    println!("{:<34} {writes} writes at the vendor, {} receipts, whole", "", receipts.len());
}

fn call(tool: &str, arguments: &Value) -> String {
    format!(r#""method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}"#)
}

/// Sends `count` requests, so many at a time, and prints calls a second, times and memory.
fn measure(
    what: &str,
    url: &str,
    state: &Path,
    count: usize,
    request: impl Fn(usize) -> String,
    check: impl Fn(&str),
) -> f64 {
    let mut server = start(url, state);
    let mut line = String::new();
    // One to warm up: a token, a connection.
    ask(&mut server.stdin, 1, &request(1));
    server.stdout.read_line(&mut line).unwrap();
    let started = Instant::now();
    let (mut sent, mut times) = (HashMap::new(), Vec::with_capacity(count));
    let mut batch = Vec::new();
    let mut next = 2;
    while times.len() < count {
        while sent.len() < PIPELINED && next < count + 2 {
            ask(&mut batch, next, &request(next));
            sent.insert(next, Instant::now());
            next += 1;
        }
        server.stdin.write_all(&batch).unwrap();
        batch.clear();
        loop {
            line.clear();
            server.stdout.read_line(&mut line).unwrap();
            let rest = line.strip_prefix(r#"{"jsonrpc":"2.0","id":"#).unwrap();
            let (id, result) = rest.split_once(',').unwrap();
            assert!(
                result.starts_with(r#""result":"#) && !result.contains(r#""isError":true"#),
                "{line}"
            );
            times.push(sent.remove(&id.parse().unwrap()).unwrap().elapsed());
            check(&line);
            if server.stdout.buffer().is_empty() {
                break;
            }
        }
    }
    let rate = f64::from(u32::try_from(count).unwrap()) / started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: usize| *times.get(times.len() * part / 100).unwrap();
    let memory = server.memory("VmHWM");
    println!("{what:<34} {rate:>8.0} a second  p50 {:?}  p99 {:?}  {memory}", at(50), at(99));
    server.finish();
    rate
}

fn start(url: &str, state: &Path) -> Server {
    Server::of(command(url, state))
}

fn command(url: &str, state: &Path) -> Command {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples/automation.cedar");
    common::command(
        state,
        &[
            ("GRANTOR_POLICY", policy.to_str().unwrap()),
            ("OUTSYSTEMS_PORTAL_URL", url),
            ("OUTSYSTEMS_TOKEN_URL", &format!("{url}/token")),
            ("OUTSYSTEMS_CLIENT_ID", "id"),
            ("OUTSYSTEMS_CLIENT_SECRET", "secret"),
            ("SNAPLOGIC_URL", url),
            ("SNAPLOGIC_TOKEN", "token"),
            ("CENTRASITE_BRIDGE_URL", url),
            ("CENTRASITE_USERNAME", "user"),
            ("CENTRASITE_PASSWORD", "password"),
        ],
    )
}

fn ask(to: &mut impl std::io::Write, id: usize, request: &str) {
    writeln!(to, r#"{{"jsonrpc":"2.0","id":{id},{request}}}"#).unwrap();
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

/// Answers every request at once: by its path alone, but for access control lists, which it keeps.
fn vendor() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Kept::default()));
    for stream in listener.incoming() {
        let (stream, kept) = (stream.unwrap(), kept.clone());
        std::thread::spawn(move || serve(stream, &kept));
    }
}

#[derive(Default)]
struct Kept {
    answers: HashMap<String, Arc<Vec<u8>>>,
    /// The entries of each list, as they are answered.
    lists: HashMap<String, Vec<Value>>,
    writes: usize,
}

const LISTS: &str = "/api/1/rest/public/assetapi/acl/";
const USERS: &str = "/api/1/rest/public/users/";
/// Where the vendor says how many writes it has seen.
const WRITES: &str = "/writes";

fn serve(mut stream: TcpStream, kept: &Mutex<Kept>) {
    stream.set_nodelay(true).unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let (mut head, mut whole) = (None, usize::MAX);
        while bytes.len() < whole {
            if head.is_none()
                && let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let text = String::from_utf8_lossy(bytes.get(..end).unwrap()).to_lowercase();
                let length = text.split_once("content-length: ").map_or("0", |(_, rest)| rest);
                let length = length.lines().next().unwrap();
                whole = end + 4 + length.parse::<usize>().unwrap();
                head = Some(end + 4);
                continue;
            }
            match stream.read(&mut chunk) {
                Ok(count @ 1..) => bytes.extend(chunk.iter().take(count)),
                _ => return,
            }
        }
        let request: Vec<u8> = bytes.drain(..whole).collect();
        let (head, body) = request.split_at(head.unwrap());
        let head = std::str::from_utf8(head).unwrap();
        let (method, rest) = head.split_once(' ').unwrap();
        let path = rest.split([' ', '?']).next().unwrap();
        let answer = kept.lock().unwrap().answer(method, path, body);
        stream.write_all(&answer).unwrap();
    }
}

impl Kept {
    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> Arc<Vec<u8>> {
        if let Some(list) = path.strip_prefix(LISTS) {
            let entries = self.lists.entry(list.to_owned()).or_default();
            if method == "POST" {
                self.writes += 1;
                let set: Value = serde_json::from_slice(body).unwrap();
                let part = |name: &str| set.get(name).unwrap().clone();
                entries.push(json!({
                    "subject_type": "user",
                    "subject": part("grantee"),
                    "perms": part("permission_list"),
                    "inherit": part("inherit"),
                }));
            }
            return whole(&json!({ "acl": entries }).to_string());
        }
        if let Some(user) = path.strip_prefix(USERS) {
            let name = percent_encoding::percent_decode_str(user).decode_utf8().unwrap();
            return whole(&json!({ "username": name }).to_string());
        }
        if path == WRITES {
            return whole(&self.writes.to_string());
        }
        let canned = self.answers.entry(path.to_owned());
        canned.or_insert_with_key(|path| whole(&canned_body(path))).clone()
    }
}

fn whole(body: &str) -> Arc<Vec<u8>> {
    let mut answer = String::from("HTTP/1.1 200 -\r\ncontent-type: application/json\r\n");
    write!(answer, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    Arc::new(answer.into_bytes())
}

fn canned_body(path: &str) -> String {
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
