//! One server over HTTP, and others like it: what a request costs, what many cost that ask nothing or never finish
//! asking, and what becomes of one caller while another floods.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};

/// Connections by which one caller asks as fast as it can.
const AT_ONCE: usize = 16;
const FLOODING: usize = 64;
const IDLE: usize = 1_000;
const SLOW: usize = 10_000;
/// How long a flood lasts, and how often the other caller asks meanwhile.
const FLOOD: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
/// What idle callers may cost, in kB.
const MOST_MEMORY: usize = 60 * 1024;

/// Signs tokens, and shows the key.
pub struct Issuer {
    url: String,
    key: Ed25519KeyPair,
}

/// A server that can be asked over HTTP, until dropped.
pub struct Served {
    child: Child,
    host: String,
}

/// A connection that is kept.
struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Ed25519KeyPair::generate().unwrap();
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string();
        let x = encoded(key.public_key().as_ref());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "a", "x": x }] });
        let keys = keys.to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = String::new();
                BufReader::new(stream.try_clone().unwrap()).read_line(&mut head).unwrap();
                let body = if head.contains("/keys") { &keys } else { &discovery };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 -\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { url, key }
    }

    fn token(&self, subject: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "a" });
        let claims = json!({ "iss": self.url, "aud": "bench", "sub": subject, "client_id": "bench",
            "iat": now, "exp": now + 3_600, "scope": "grantor:read" });
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = encoded(self.key.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    /// A request of somebody of this name.
    fn request(&self, subject: &str, host: &str, message: &str) -> Vec<u8> {
        let (token, length) = (self.token(subject), message.len());
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             mcp-protocol-version: 2025-11-25\r\ncontent-length: {length}\r\n\r\n{message}"
        )
        .into_bytes()
    }
}

impl Served {
    /// Grantor by this command, with these lines in its `[http]`.
    pub fn grantor(mut command: Command, state: &Path, issuer: &Issuer, limits: &str) -> Self {
        let (file, said) = (state.join("http.toml"), state.join("http.log"));
        let url = &issuer.url;
        let configuration = format!(
            "[http]\n{limits}\n[http.issuers.bench]\nissuer = \"{url}\"\naudiences = [\"bench\"]\n"
        );
        std::fs::write(&file, configuration).unwrap();
        command.env("GRANTOR_CONFIG", &file).args(["serve", "--http", "127.0.0.1:0"]);
        let log = std::fs::File::create(&said).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let host = loop {
            let text = std::fs::read_to_string(&said).unwrap();
            let found =
                text.split_once("over HTTP at ").and_then(|(_, rest)| rest.split_once("; clients"));
            if let Some((host, _)) = found {
                break host.to_owned();
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let served = Self { child, host };
        while served.get("/readyz") != 200 {
            std::thread::sleep(Duration::from_millis(10));
        }
        served
    }

    /// A server that answers every request alike, at once.
    fn bare() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--bare")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut host = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut host).unwrap();
        Self { child, host: host.trim().to_owned() }
    }

    fn get(&self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        Connection::to(&self.host).ask(request.as_bytes()).unwrap()
    }

    /// What it holds now, in kB.
    fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Connection {
    fn to(host: &str) -> Self {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, bytes: Vec::new() }
    }

    /// The status of the answer; nothing where the server has closed.
    fn ask(&mut self, request: &[u8]) -> Option<u16> {
        self.stream.write_all(request).ok()?;
        let (mut chunk, mut whole) = ([0; 8_192], None);
        self.bytes.clear();
        while whole.is_none_or(|whole| self.bytes.len() < whole) {
            let count = self.stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
            self.bytes.extend_from_slice(chunk.get(..count)?);
            let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let (None, Some(end)) = (whole, end) {
                let head = String::from_utf8_lossy(self.bytes.get(..end)?).to_lowercase();
                let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest);
                whole = Some(end + 4 + length.lines().next()?.parse::<usize>().ok()?);
            }
        }
        std::str::from_utf8(self.bytes.get(9..12)?).ok()?.parse().ok()
    }
}

/// How many requests a second one caller has answered, by connections that are kept.
pub fn rate(what: &str, served: &Served, issuer: &Issuer, message: &str, count: usize) -> f64 {
    let request = issuer.request("ada", &served.host, message);
    Connection::to(&served.host).ask(&request).unwrap();
    let started = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::to(&served.host);
                    let ask = |_| {
                        let begun = Instant::now();
                        assert_eq!(connection.ask(&request), Some(200));
                        begun.elapsed()
                    };
                    (0..count / AT_ONCE).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
    });
    let rate = f64::from(u32::try_from(times.len()).unwrap()) / started.elapsed().as_secs_f64();
    times.sort_unstable();
    println!("{what:<34} {rate:>8.0} a second  {}  RSS {} kB", parts(&times), served.memory());
    rate
}

/// The middle of sorted times, and the longest but a hundredth.
fn parts(times: &[Duration]) -> String {
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    format!("p50 {:?}  p99 {:?}", at(50), at(99))
}

/// A thousand callers who have asked once and keep their connections.
pub fn idle(served: &Served, issuer: &Issuer, message: &str) {
    let before = served.memory();
    let mut callers = Vec::new();
    for number in 0..IDLE {
        let mut connection = Connection::to(&served.host);
        let request = issuer.request(&format!("caller-{number}"), &served.host, message);
        assert_eq!(connection.ask(&request), Some(200));
        callers.push(connection);
    }
    let memory = served.memory();
    println!("{:<34} {memory:>8} kB, {before} kB before", format!("{IDLE} idle callers"));
    assert!(memory < MOST_MEMORY, "{memory} kB");
}

/// Ten thousand connections that never finish what they ask, while one caller goes on, on a connection that is kept
/// and on new ones.
pub fn slow(served: &Served, issuer: &Issuer, message: &str) {
    let request = issuer.request("ada", &served.host, message);
    let (is_over, opened) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut times, mut anew) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut held = Vec::new();
            for _ in 0..SLOW {
                let Ok(mut stream) = TcpStream::connect(&served.host) else { continue };
                let _ = stream.write_all(b"POST /mcp HTTP/1.1\r\nhost: ");
                held.push(stream);
                opened.fetch_add(1, Relaxed);
            }
            std::thread::sleep(Duration::from_secs(1));
            is_over.store(true, Relaxed);
        });
        let mut kept = Connection::to(&served.host);
        while !is_over.load(Relaxed) {
            for (connection, times) in
                [(&mut kept, &mut times), (&mut Connection::to(&served.host), &mut anew)]
            {
                let begun = Instant::now();
                assert_eq!(connection.ask(&request), Some(200), "after {}", opened.load(Relaxed));
                times.push(begun.elapsed());
            }
            std::thread::sleep(PAUSE);
        }
    });
    for (what, mut times) in [("kept", times), ("new", anew)] {
        times.sort_unstable();
        let count = times.len();
        println!(
            "{:<34} {count:>8} answered  {}",
            format!("{SLOW} slow ones; a {what} connection"),
            parts(&times)
        );
    }
    println!("{:<34} {:>8} kB", "", served.memory());
}

/// One caller's median while another asks as fast as it can.
fn beside_a_flood(served: &Served, issuer: &Issuer, message: &str) -> Duration {
    let (eve, ada) = (
        issuer.request("eve", &served.host, message),
        issuer.request("ada", &served.host, message),
    );
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut times: Vec<Duration> = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..FLOODING {
            scope.spawn(|| {
                let mut connection = Connection::to(&served.host);
                while !is_over.load(Relaxed) {
                    if connection.ask(&eve).is_none() {
                        connection = Connection::to(&served.host);
                    }
                    answered.fetch_add(1, Relaxed);
                }
            });
        }
        let (begun, mut connection) = (Instant::now(), Connection::to(&served.host));
        while begun.elapsed() < FLOOD {
            let asked = Instant::now();
            assert_eq!(connection.ask(&ada), Some(200));
            times.push(asked.elapsed());
            std::thread::sleep(PAUSE);
        }
        is_over.store(true, Relaxed);
    });
    times.sort_unstable();
    let flood = f64::from(u32::try_from(answered.load(Relaxed)).unwrap()) / FLOOD.as_secs_f64();
    println!("{:<34} {flood:>8.0} a second  the other's {}", "  a flood", parts(&times));
    *times.get(times.len() / 2).unwrap()
}

/// The same flood against Grantor and against a bare server, in turn.
pub fn flood(served: &Served, issuer: &Issuer, message: &str) {
    let bare = Served::bare();
    let mut ratios: Vec<f64> = (0..3)
        .map(|_| {
            let own = beside_a_flood(served, issuer, message).as_secs_f64();
            own / beside_a_flood(&bare, issuer, message).as_secs_f64()
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = *ratios.get(1).unwrap();
    println!("{:<34} {ratio:>8.2} of the other's median at a bare server", "one caller floods");
    assert!(ratio <= 1.5, "{ratios:?}");
}

/// Answers as a bare server does: nothing is known of who asks, and nothing is looked up.
#[tokio::main]
pub async fn serve_bare() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let answer: Value =
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "text": "x".repeat(1_000) } });
    let answer = Arc::new(Bytes::from(answer.to_string()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(hyper::Response::new(Full::new((*answer).clone())))
                }
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
        });
    }
}
