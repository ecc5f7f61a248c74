//! From a socket to a fake and back, with whatever is to go wrong on the way.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::faults::{FaultKind, Faults};
use super::journal::Journal;
use super::message::{Ask, Reply};
use super::modes::Errors;
use super::state::{Store, World};
use super::unsaid::worded;

/// A vendor: what it answers, decided by the request and the world alone.
/// `Err` is a refusal; both travel the same way.
pub(super) trait Fake: Send + Sync + 'static {
    /// A GET, which changes nothing.
    fn look(&self, world: &World, ask: &Ask) -> Result<Reply, Reply>;
    /// Anything else.
    fn change(&self, world: &mut World, ask: &Ask) -> Result<Reply, Reply>;
}

/// What the five sites share.
pub(super) struct Office {
    pub store: Store,
    pub journal: Journal,
    pub faults: Faults,
}

/// One vendor's address.
pub(super) struct Site {
    pub vendor: &'static str,
    pub fake: Arc<dyn Fake>,
    pub office: Arc<Office>,
    pub errors: Errors,
}

/// Serves until dropped, and its connections with it.
pub(super) async fn serve(listener: TcpListener, site: Site) -> Infallible {
    let site = Arc::new(site);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, site.clone()));
                    }
                    // Out of file descriptors, most likely: some will be free again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, site: Arc<Site>) {
    // Either only makes this connection slower or shorter, which is the client's to notice.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { site.answer(request).await }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Site {
    /// hyper closes the connection, without a reply, on an error.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Wire>, Gone> {
        let ask = read(request).await?;
        let entry = self.office.journal.open(self.vendor, &ask);
        let fault = self.office.faults.take(self.vendor, &ask);
        let (reply, wire) = self.suffer(fault, ask).await?;
        self.office.journal.close(entry, reply.status);
        respond(&reply, wire)
    }

    async fn suffer(&self, fault: Option<FaultKind>, ask: Ask) -> Result<(Reply, Extent), Gone> {
        match fault {
            None => Ok((self.apply(ask).await, Extent::Whole)),
            Some(FaultKind::Status { status, headers, body }) => {
                let body = body.into_bytes();
                let reply = Reply { status, headers, body };
                Ok((reply, Extent::Whole))
            }
            Some(FaultKind::DropBefore) => Err(Gone),
            Some(FaultKind::DropAfter) => {
                self.apply(ask).await;
                Err(Gone)
            }
            Some(FaultKind::Stall(silence)) => {
                tokio::time::sleep(silence).await;
                Err(Gone)
            }
            Some(FaultKind::StallAfter(silence)) => {
                self.apply(ask).await;
                tokio::time::sleep(silence).await;
                Err(Gone)
            }
            Some(FaultKind::Truncate) => {
                let mut reply = self.apply(ask).await;
                if reply.status == 204 {
                    reply.status = 200;
                }
                Ok((reply, Extent::Cut))
            }
            Some(FaultKind::Garble) => {
                self.apply(ask).await;
                let mut reply = Reply::empty(200).with("content-type", "text/html");
                reply.body = b"<html>".to_vec();
                Ok((reply, Extent::Whole))
            }
            Some(FaultKind::Alter { status, headers, body }) => {
                let mut reply = self.apply(ask).await;
                reply.status = status.unwrap_or(reply.status);
                reply.body = body.map_or(reply.body, String::into_bytes);
                for (name, value) in headers {
                    reply.headers.retain(|(known, _)| *known != name);
                    reply = reply.with(name, value);
                }
                Ok((reply, Extent::Whole))
            }
            Some(FaultKind::Flood(mebibytes)) => {
                self.apply(ask).await;
                let mut reply = Reply::empty(200).with("content-type", "application/json");
                reply.body = vec![b' '; 1024 * 1024];
                Ok((reply, Extent::Repeated(mebibytes)))
            }
        }
    }

    /// Off the async threads: the state may wait for another process's lock.
    async fn apply(&self, ask: Ask) -> Reply {
        let (fake, office) = (self.fake.clone(), self.office.clone());
        let done = tokio::task::spawn_blocking(move || match ask.method.as_str() {
            "GET" => office.store.look(|world| fake.look(world, &ask)),
            _ => office.store.change(|world| fake.change(world, &ask)),
        });
        let answer = done.await.map_err(io::Error::other).flatten();
        match answer {
            Ok(Ok(reply) | Err(reply)) => worded(reply, self.errors),
            Err(error) => {
                let mut reply = Reply::empty(500).with("content-type", "text/plain");
                reply.body = format!("sandbox: {error}").into_bytes();
                reply
            }
        }
    }
}

async fn read(request: Request<Incoming>) -> Result<Ask, Gone> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Ask {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: body.collect().await.map_err(|_| Gone)?.to_bytes().to_vec(),
    })
}

fn respond(reply: &Reply, extent: Extent) -> Result<Response<Wire>, Gone> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    if extent == Extent::Cut {
        response = response.header("content-length", reply.body.len() + 64);
    }
    let copies = if let Extent::Repeated(copies) = extent { copies } else { 1 };
    let bytes = Bytes::copy_from_slice(&reply.body);
    let body = Wire { bytes, copies, cut: extent == Extent::Cut, flushed: false };
    response.body(body).map_err(|_| Gone)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Fewer bytes than announced.
    Cut,
    /// The same bytes so many times.
    Repeated(usize),
}

/// The connection ends here, without a reply.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was closed on purpose")
    }
}

impl std::error::Error for Gone {}

/// A reply's body on its way out.
struct Wire {
    bytes: Bytes,
    /// How often they are still to be sent.
    copies: usize,
    /// Whether it breaks off then.
    cut: bool,
    flushed: bool,
}

impl Body for Wire {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        if self.copies > 0 {
            self.copies -= 1;
            return Poll::Ready(Some(Ok(Frame::data(self.bytes.clone()))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // hyper sends what it has only when the body makes it wait.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Gone)))
    }

    fn is_end_stream(&self) -> bool {
        !self.cut && (self.copies == 0 || self.bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        if self.cut {
            return SizeHint::default();
        }
        SizeHint::with_exact((self.bytes.len() * self.copies) as u64)
    }
}
