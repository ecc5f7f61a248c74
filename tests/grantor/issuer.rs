//! An issuer that a test makes, with keys of its own: it signs whatever it is told to.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Child;

use super::harness::{PATIENCE, World, parsed};
use super::proxy::{Proxy, Then, reply};

pub struct Issuer {
    pub url: String,
    public: Arc<Mutex<Public>>,
    _listening: Proxy,
}

/// What it shows.
#[derive(Default)]
struct Public {
    url: String,
    keys: Vec<Value>,
    is_down: bool,
    /// How often somebody has fetched the keys.
    fetched: usize,
    /// The ID token and the claims of whoever logs in next with a browser, where people log in there.
    next: Option<(String, Value)>,
    /// How often somebody has asked for the claims, and for tokens.
    claims_asked: usize,
    tokens_asked: usize,
}

pub struct Key {
    pub id: &'static str,
    pair: Ed25519KeyPair,
}

/// A server over HTTP as a child, and where it is.
pub struct Team {
    pub child: Child,
    pub host: String,
    pub url: String,
    pub log: PathBuf,
}

/// What came back over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Came {
    pub status: u16,
    pub head: String,
    /// The head as it came, in which letters are large or small.
    pub raw_head: String,
    pub body: String,
}

pub const AUDIENCE: &str = "https://grantor.example.com/mcp";
pub const BOTH: &str = "grantor:read grantor:change";

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    pub fn new(id: &'static str) -> Self {
        Self { id, pair: Ed25519KeyPair::generate().unwrap() }
    }

    pub fn public(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// As an issuer publishes it.
    pub fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig", "alg": "EdDSA",
            "x": encoded(self.public()) })
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = encoded(self.pair.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": self.id })
    }
}

impl Public {
    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.url);
        let mut document = json!({ "issuer": self.url, "jwks_uri": at("keys") });
        if self.next.is_some() {
            document["authorization_endpoint"] = at("authorize").into();
            document["token_endpoint"] = at("token").into();
            document["userinfo_endpoint"] = at("userinfo").into();
        }
        document
    }
}

impl Issuer {
    /// With this key, published.
    pub async fn start(key: &Key) -> Self {
        let public = Arc::new(Mutex::new(Public { keys: vec![key.jwk()], ..Public::default() }));
        let shown = public.clone();
        let listening = Proxy::start(None, move |_, path| {
            let mut public = shown.lock().unwrap();
            if public.is_down {
                return Then::Answer(reply(503, "{}"));
            }
            let document = match path {
                "/.well-known/openid-configuration" => public.discovery(),
                "/keys" => {
                    public.fetched += 1;
                    json!({ "keys": public.keys })
                }
                "/token" => {
                    public.tokens_asked += 1;
                    let next = public.next.as_ref().map(|(token, _)| token.clone());
                    json!({ "token_type": "Bearer", "access_token": "opaque", "id_token": next })
                }
                "/userinfo" => {
                    public.claims_asked += 1;
                    public.next.as_ref().map(|(_, claims)| claims.clone()).unwrap_or_default()
                }
                _ => return Then::Answer(reply(404, "{}")),
            };
            Then::Answer(reply(200, &document.to_string()))
        })
        .await;
        let url = listening.url.clone();
        public.lock().unwrap().url.clone_from(&url);
        Self { url, public, _listening: listening }
    }

    pub fn publish(&self, keys: Vec<Value>) {
        self.public.lock().unwrap().keys = keys;
    }

    pub fn go_down(&self, is_down: bool) {
        self.public.lock().unwrap().is_down = is_down;
    }

    /// Has people log in there with a browser: whoever does next has this ID token, and these claims beside it.
    pub fn logs_in(&self, token: String, claims: Value) {
        self.public.lock().unwrap().next = Some((token, claims));
    }

    /// How often somebody has asked for claims beside an ID token.
    pub fn claims_asked(&self) -> usize {
        self.public.lock().unwrap().claims_asked
    }

    /// How often somebody has asked for tokens.
    pub fn tokens_asked(&self) -> usize {
        self.public.lock().unwrap().tokens_asked
    }

    pub fn fetched(&self) -> usize {
        self.public.lock().unwrap().fetched
    }

    /// The claims of a token that counts.
    pub fn claims(&self, subject: &str, scope: &str) -> Value {
        let now = Timestamp::now().as_second();
        json!({ "iss": self.url, "aud": AUDIENCE, "sub": subject, "client_id": "assistant",
            "iat": now, "nbf": now, "exp": now + 600, "scope": scope })
    }

    pub fn token(&self, key: &Key, subject: &str, scope: &str) -> String {
        key.sign(&key.header(), &self.claims(subject, scope))
    }

    /// The configuration of a server that trusts it, with more.
    pub fn configuration(&self, more: &str) -> String {
        let url = &self.url;
        format!(
            "[http]\npublic_url = \"{AUDIENCE}\"\n[http.issuers.test]\nissuer = \"{url}\"\n{more}\n"
        )
    }
}

impl Team {
    /// Starts a server that trusts this issuer.
    pub async fn start(world: &World, issuer: &Issuer, more: &str) -> Self {
        let file = world.path("team.toml");
        std::fs::write(&file, issuer.configuration(more)).unwrap();
        let mut command = world.command(["serve", "--http", "127.0.0.1:0"]);
        command.env("GRANTOR_CONFIG", &file);
        Self::begin(world, command).await
    }

    pub async fn begin(world: &World, mut command: tokio::process::Command) -> Self {
        let log = world.path("team.log");
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    panic!("{status}: {}", std::fs::read_to_string(&log).unwrap());
                }
                let text = std::fs::read_to_string(&log).unwrap();
                let said = text.split_once("serving MCP over HTTP at ");
                let said = said.and_then(|(_, rest)| rest.split_once("; clients find it at "));
                if let Some((host, rest)) = said
                    && let Some((url, _)) = rest.split_once('\n')
                {
                    return (host.to_owned(), url.trim().to_owned());
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        let (host, url) = found.await.expect("it does not start");
        Self { child, host, url, log }
    }

    /// A server whose issuer's keys are held.
    pub async fn ready(self) -> Self {
        let ready = async {
            while self.get("/readyz").await.status != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("it is not ready");
        self
    }

    pub async fn get(&self, path: &str) -> Came {
        self.send("GET", path, &[], "").await
    }

    /// Sends one request on a connection of its own.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Came {
        let given = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !given("host") {
            head.push_str(&format!("host: {}\r\n", self.host));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.exchange(format!("{head}\r\n{body}").as_bytes()).await
    }

    pub async fn exchange(&self, request: &[u8]) -> Came {
        let exchange = async {
            let mut stream = TcpStream::connect(&self.host).await.unwrap();
            // It may answer, and end, before it has read all.
            let _ = stream.write_all(request).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await.expect("no answer comes");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let (head, raw_head) = (head.to_lowercase(), head.to_owned());
        Came { status, head, raw_head, body: body.to_owned() }
    }

    /// A message to the endpoint, with a token.
    pub async fn post(&self, token: &str, message: &Value) -> Came {
        self.post_with(token, &[], &message.to_string()).await
    }

    pub async fn post_with(&self, token: &str, more: &[(&str, &str)], body: &str) -> Came {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        headers.extend_from_slice(more);
        self.send("POST", "/mcp", &headers, body).await
    }

    /// Calls a tool as a client of the older protocols does, and gives what it answered.
    pub async fn call(&self, token: &str, tool: &str, arguments: Value) -> Value {
        let came = self.post(token, &call(tool, arguments)).await;
        assert_eq!(came.status, 200, "{came:?}");
        parsed(&came.body)["result"]["structuredContent"].clone()
    }

    /// Asks it to end.
    #[cfg(unix)]
    pub async fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        let sent = tokio::process::Command::new("kill").args(["-s", "TERM", &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Its exit status, once it has ended.
    pub async fn ended(mut self) -> i32 {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it does not end").unwrap().code().unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

pub fn call(tool: &str, arguments: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": arguments } })
}
