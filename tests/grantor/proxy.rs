use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Something of the tests' own between a server and a fake vendor, or in a vendor's place.
pub struct Proxy {
    pub url: String,
    /// Told when a request is held.
    pub held: Arc<Notify>,
    /// Lets a held request go on.
    pub release: Arc<Notify>,
    asked: Arc<AtomicUsize>,
    listening: AbortHandle,
}

/// What becomes of a request.
pub enum Then {
    Pass,
    /// Passes it on when it is released.
    Hold,
    /// These bytes of HTTP in the vendor's place; none close the connection.
    Answer(String),
    /// Passes it on, and changes the body of what comes back.
    Change(Arc<dyn Fn(&str) -> String + Send + Sync>),
}

type Decide = dyn Fn(&str, &str) -> Then + Send + Sync;

impl Proxy {
    /// `decide` is given method and path. Without `upstream` what it passes on is a 404.
    pub async fn start(
        upstream: Option<&str>,
        decide: impl Fn(&str, &str) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.map(|url| url.trim_start_matches("http://").to_owned());
        let decide: Arc<Decide> = Arc::new(decide);
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let behind = Behind { upstream, decide, held: held.clone(), release: release.clone() };
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, SeqCst);
                tokio::spawn(exchange(stream, behind.clone()));
            }
        });
        Self { url, held, release, asked, listening: serving.abort_handle() }
    }
}

impl Proxy {
    /// How many connections were made to it.
    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

#[derive(Clone)]
struct Behind {
    upstream: Option<String>,
    decide: Arc<Decide>,
    held: Arc<Notify>,
    release: Arc<Notify>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// JSON under a status, after which the connection ends.
pub fn reply(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

/// The body at a URL, for whom the credential lets see it.
pub async fn get(url: &str, authorization: &str) -> String {
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {authorization}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// One request on one connection.
async fn exchange(mut client: TcpStream, behind: Behind) {
    let Some((head, body)) = request(&mut client).await else { return };
    let line: Vec<&str> = head.lines().next().unwrap().split(' ').collect();
    let path = line[1].split('?').next().unwrap();
    let answer = match ((behind.decide)(line[0], path), &behind.upstream) {
        (Then::Answer(answer), _) => answer.into_bytes(),
        (Then::Hold, Some(upstream)) => {
            behind.held.notify_one();
            behind.release.notified().await;
            pass(upstream, &head, &body).await
        }
        (Then::Change(change), Some(upstream)) => {
            changed(&pass(upstream, &head, &body).await, &*change).into_bytes()
        }
        (Then::Pass, Some(upstream)) => pass(upstream, &head, &body).await,
        (_, None) => reply(404, "{}").into_bytes(),
    };
    finish(&mut client, &answer).await;
}

/// Answers, and ends the connection. A client that has given up is its own affair.
pub async fn finish(client: &mut (impl AsyncWrite + Unpin), answer: &[u8]) {
    let _ = client.write_all(answer).await;
    let _ = client.shutdown().await;
}

/// What a vendor answers to a request, as the bytes of both.
pub async fn pass(upstream: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut vendor = TcpStream::connect(upstream).await.unwrap();
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    vendor.write_all(head.as_bytes()).await.unwrap();
    vendor.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    vendor.read_to_end(&mut answer).await.unwrap();
    answer
}

fn changed(answer: &[u8], change: &dyn Fn(&str) -> String) -> String {
    let answer = std::str::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    reply(status, &change(body))
}

/// The head and the body of the next request on a connection.
pub async fn request(client: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        client.read_buf(&mut body).await.ok()?;
    }
    Some((head, body))
}
