use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use hyper::body::Bytes;
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::harness::World;
use super::proxy;

/// Both protocols a vendor may offer, as ALPN names them.
pub const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// Where each vendor is.
const VARIABLES: [&str; 5] = [
    "OUTSYSTEMS_PORTAL_URL",
    "DFNS_API_URL",
    "REDOX_API_URL",
    "SNAPLOGIC_URL",
    "CENTRASITE_BRIDGE_URL",
];

/// TLS in front of five fake vendors.
pub struct Fronts(Vec<Front>);

struct Front {
    behind: Arc<Behind>,
    listening: AbortHandle,
}

/// What becomes of a request that came over HTTP/2, once.
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    /// Nothing is applied; the stream is reset.
    Reset(Reason),
    /// It is applied, and the stream is reset.
    ResetAfter(Reason),
    /// It is applied; the answer begins, and then the stream is reset.
    ResetInside(Reason),
    /// It is applied, and the connection is ended with GOAWAY.
    GoAwayAfter(Reason),
    /// Nothing is applied: GOAWAY says that no stream was processed.
    GoAwayBefore(Reason),
    /// It is applied and answered, and the connection takes no more.
    GoAwayGently,
    /// Nothing is applied; the connection ends without a word.
    Close,
    /// It is applied; the connection ends without a word.
    CloseAfter,
}

struct Behind {
    protocol: &'static str,
    upstream: String,
    /// Requests by protocol and method.
    seen: Mutex<BTreeMap<(String, String), usize>>,
    /// Whether a connection that was used takes no write any more.
    fresh: AtomicBool,
    /// For the next request with this method, to a path with this part.
    mishap: Mutex<Option<(&'static str, String, Mishap)>>,
}

impl Fronts {
    /// Each vendor is reached over TLS, and offers this protocol first; so are its tokens.
    pub async fn start(world: World, protocol: &'static str) -> (Self, World) {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let pem = world.path("authority.pem");
        let certificate = BASE64_STANDARD.encode(own.cert.der());
        let certificate =
            format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
        std::fs::write(&pem, certificate).unwrap();
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        // Who prefers HTTP/2 speaks the other as well.
        let offered = PROTOCOLS.iter().skip_while(|known| **known != protocol);
        config.alpn_protocols = offered.map(|name| name.as_bytes().to_owned()).collect();
        let config = Arc::new(config);
        let plain = world.tokens_straight().await;
        let mut world = plain.set("SSL_CERT_FILE", pem.to_str().unwrap());
        let mut fronts = Vec::new();
        for variable in VARIABLES {
            let upstream = world.variable(variable).to_owned();
            let (front, url) = Front::start(config.clone(), &upstream, protocol).await;
            // The fake knows itself by its own address.
            if variable == "REDOX_API_URL" {
                let audience = world.variable("REDOX_TOKEN_URL").to_owned();
                world = world.set("REDOX_TOKEN_AUDIENCE", audience);
            }
            for token in ["REDOX_TOKEN_URL", "OUTSYSTEMS_TOKEN_URL"] {
                let moved = world.variable(token).replace(&upstream, &url);
                world = world.set(token, moved);
            }
            world = world.set(variable, url);
            fronts.push(front);
        }
        (Self(fronts), world)
    }

    /// The next such request over HTTP/2 meets this.
    pub fn inject(&self, method: &'static str, part: &str, mishap: Mishap) {
        for front in &self.0 {
            *front.behind.mishap.lock().unwrap() = Some((method, part.to_owned(), mishap));
        }
    }

    /// From now on a connection that was used is closed when a write comes over it.
    pub fn fresh_for_writes(&self) {
        self.0.iter().for_each(|front| front.behind.fresh.store(true, SeqCst));
    }

    /// Whether what was injected has met its request.
    pub fn met(&self) -> bool {
        self.0.iter().any(|front| front.behind.mishap.lock().unwrap().is_none())
    }

    /// How many requests came, by protocol and method, whatever became of them.
    pub fn seen(&self) -> BTreeMap<(String, String), usize> {
        let mut all = BTreeMap::new();
        for front in &self.0 {
            for (key, count) in front.behind.seen.lock().unwrap().iter() {
                *all.entry(key.clone()).or_default() += count;
            }
        }
        all
    }
}

impl Front {
    async fn start(
        config: Arc<ServerConfig>,
        upstream: &str,
        protocol: &'static str,
    ) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let behind = Arc::new(Behind {
            protocol,
            upstream: upstream.trim_start_matches("http://").to_owned(),
            seen: Mutex::default(),
            fresh: AtomicBool::new(false),
            mishap: Mutex::default(),
        });
        let (acceptor, shared) = (TlsAcceptor::from(config), behind.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(acceptor.accept(stream), shared.clone()));
            }
        });
        (Self { behind, listening: serving.abort_handle() }, url)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn connection(accepting: tokio_rustls::Accept<TcpStream>, behind: Arc<Behind>) {
    let Ok(mut stream) = accepting.await else { return };
    let agreed = stream.get_ref().1.alpn_protocol().unwrap_or_default();
    let agreed = String::from_utf8(agreed.to_owned()).unwrap();
    assert_eq!(agreed, behind.protocol, "what is offered first is taken");
    if agreed == "h2" {
        over_h2(stream, behind).await;
    } else {
        let Some((head, body)) = proxy::request(&mut stream).await else { return };
        behind.note(head.split(' ').next().unwrap());
        let answer = proxy::pass(&behind.upstream, &head, &body).await;
        proxy::finish(&mut stream, &answer).await;
    }
}

async fn over_h2(stream: TlsStream<TcpStream>, behind: Arc<Behind>) {
    let cut = Arc::new(Cut::default());
    let Ok(mut connection) = h2::server::handshake(Cuttable(stream, cut.clone())).await else {
        return;
    };
    let (end, mut ends) = mpsc::channel(1);
    let mut is_used = false;
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let is_write = request.method() != "GET";
                if is_used && is_write && behind.fresh.load(SeqCst) {
                    return;
                }
                is_used = true;
                let mishap = behind.meets(&request);
                if let Some(Mishap::GoAwayGently) = mishap {
                    connection.graceful_shutdown();
                }
                let ends = Ends { cut: cut.clone(), with: end.clone() };
                tokio::spawn(exchange(request, respond, mishap, behind.clone(), ends));
            }
            Some(reason) = ends.recv() => connection.abrupt_shutdown(reason),
        }
    }
}

/// The ways to end a connection from inside one of its exchanges.
struct Ends {
    cut: Arc<Cut>,
    with: mpsc::Sender<Reason>,
}

async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    mishap: Option<Mishap>,
    behind: Arc<Behind>,
    ends: Ends,
) {
    match mishap {
        Some(Mishap::Reset(reason)) => respond.send_reset(reason),
        Some(Mishap::ResetAfter(reason)) => {
            behind.pass(request).await;
            respond.send_reset(reason);
        }
        Some(Mishap::ResetInside(reason)) => {
            let (response, body) = behind.pass(request).await;
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(body.slice(..body.len() / 2), false).unwrap();
            // What has not left yet would be taken back by the reset.
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.send_reset(reason);
        }
        Some(Mishap::GoAwayAfter(reason)) => {
            behind.pass(request).await;
            ends.with.send(reason).await.unwrap();
            // Letting go of the stream would reset it.
            std::future::pending::<()>().await;
        }
        Some(Mishap::GoAwayBefore(reason)) => ends.cut.now(goaway(reason), &mut respond),
        Some(Mishap::Close) => ends.cut.now(Vec::new(), &mut respond),
        Some(Mishap::CloseAfter) => {
            behind.pass(request).await;
            ends.cut.now(Vec::new(), &mut respond);
        }
        Some(Mishap::GoAwayGently) | None => {
            let (response, body) = behind.pass(request).await;
            // A client that has given up is its own affair.
            if let Ok(mut stream) = respond.send_response(response, false) {
                let _ = stream.send_data(body, true);
            }
        }
    }
}

/// A frame which says that no stream was processed, and why.
fn goaway(reason: Reason) -> Vec<u8> {
    let code = u32::from(reason).to_be_bytes();
    [&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &code].concat()
}

impl Behind {
    fn note(&self, method: &str) {
        let key = (self.protocol.to_owned(), method.to_owned());
        *self.seen.lock().unwrap().entry(key).or_default() += 1;
    }

    fn meets(&self, request: &Request<RecvStream>) -> Option<Mishap> {
        self.note(request.method().as_str());
        self.mishap
            .lock()
            .unwrap()
            .take_if(|(method, part, _)| {
                request.method() == *method && request.uri().path().contains(part.as_str())
            })
            .map(|(_, _, mishap)| mishap)
    }

    /// Hands a request on to the fake, which speaks HTTP/1.1.
    async fn pass(&self, request: Request<RecvStream>) -> (Response<()>, Bytes) {
        let (head, mut incoming) = request.into_parts();
        let mut body = Vec::new();
        while let Some(chunk) = incoming.data().await {
            let chunk = chunk.unwrap();
            incoming.flow_control().release_capacity(chunk.len()).unwrap();
            body.extend_from_slice(&chunk);
        }
        let path = head.uri.path_and_query().unwrap();
        let mut text = format!("{} {path} HTTP/1.1\r\nhost: {}\r\n", head.method, self.upstream);
        for (name, value) in &head.headers {
            if name != "content-length" {
                text += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
        }
        text += &format!("content-length: {}\r\n\r\n", body.len());
        let answer = proxy::pass(&self.upstream, &text, &body).await;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&answer[..end]).unwrap();
        let mut lines = head.trim_end().lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut response = Response::builder().status(status);
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            if name != "connection" {
                response = response.header(name, value);
            }
        }
        (response.body(()).unwrap(), Bytes::copy_from_slice(&answer[end..]))
    }
}

/// Where a connection is cut: these are its last bytes, in place of what it would have written.
#[derive(Default)]
struct Cut {
    is_cut: AtomicBool,
    last: Mutex<Vec<u8>>,
}

impl Cut {
    fn now(&self, last: Vec<u8>, respond: &mut SendResponse<Bytes>) {
        *self.last.lock().unwrap() = last;
        self.is_cut.store(true, SeqCst);
        // Something to be written, which is not.
        respond.send_reset(Reason::CANCEL);
    }
}

struct Cuttable<S>(S, Arc<Cut>);

impl<S: AsyncRead + Unpin> AsyncRead for Cuttable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cuttable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.1.is_cut.load(SeqCst) {
            return Pin::new(&mut self.0).poll_write(context, bytes);
        }
        let last = std::mem::take(&mut *self.1.last.lock().unwrap());
        if !last.is_empty() {
            // So few bytes go out at once.
            let _ = Pin::new(&mut self.0).poll_write(context, &last);
            let _ = Pin::new(&mut self.0).poll_flush(context);
        }
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
