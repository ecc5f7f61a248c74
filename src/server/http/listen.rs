//! Connections: how many there are, how long one may say nothing, and how they end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answers::later;
use super::limits::Held;
use super::places::{ConnectionSlot, Places};
use super::{HttpOptions, SOON, Site, tls};

/// How much of a request may come before its body.
const LONGEST_HEAD: usize = 64 * 1024;
/// Files that are open for something else: the ledger, vendors, programs that print a secret.
const OWN_FILES: usize = 256;
/// How long answers that are on their way have at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Listens where it is told, with what it needs for TLS.
///
/// # Errors
/// It must not listen there so, or cannot.
pub(super) fn open(options: &HttpOptions) -> Result<(TcpListener, Option<TlsAcceptor>), String> {
    let address = options.address;
    if !address.ip().is_loopback() && options.tls.is_none() && !options.behind_proxy {
        return Err(format!(
            "{address} can be reached from other machines, which would send their tokens in the clear: \
             give --tls-cert and --tls-key, or --behind-proxy where a proxy in front of it has TLS"
        ));
    }
    let acceptor =
        options.tls.as_ref().map(|(chain, key)| tls::acceptor(chain, key)).transpose()?;
    let listener = bind(address).map_err(|error| format!("{address}: {error}"))?;
    Ok((listener, acceptor))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// How many connections there is room for: each is an open file, and so is what Grantor itself works with.
fn room(wanted: usize) -> usize {
    match open_files(wanted + OWN_FILES) {
        Some(files) => wanted.min(files.saturating_sub(OWN_FILES).max(files / 2)),
        None => wanted,
    }
}

/// How many files this process may have open, if that is bounded: as many as are wanted, where it may say so.
#[cfg(unix)]
fn open_files(wanted: usize) -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(wanted).ok()?;
    let more = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = current?;
    let raised = Rlimit { current: Some(more), maximum };
    let may = current < more && setrlimit(Resource::Nofile, raised).is_ok();
    usize::try_from(if may { more } else { current }).ok()
}

#[cfg(not(unix))]
fn open_files(_: usize) -> Option<usize> {
    None
}

/// Serves connections until `closing`, and lets what is being answered end.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    closing: CancellationToken,
) {
    let most = site.limits.most();
    let (places, connections) = (Places::new(room(most.connections)), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: some will be free again.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Some(place) = places.take() else { continue };
        let (site, tls, closing) = (site.clone(), tls.clone(), closing.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection(stream, tls, site, &place, closing) => {}
                () = place.given_up.cancelled() => {}
            }
        });
    }
    connections.close();
    let _ = tokio::time::timeout(LAST_WORDS, connections.wait()).await;
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    place: &Arc<ConnectionSlot>,
    closing: CancellationToken,
) {
    // Without it answers are only slower.
    let _ = stream.set_nodelay(true);
    match tls {
        None => exchange(stream, site, place, closing).await,
        Some(tls) => {
            let patience = site.limits.most().idle_timeout;
            if let Ok(Ok(stream)) = tokio::time::timeout(patience, tls.accept(stream)).await {
                exchange(stream, site, place, closing).await;
            }
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    site: Arc<Site>,
    place: &Arc<ConnectionSlot>,
    closing: CancellationToken,
) {
    let patience = site.limits.most().idle_timeout;
    let service = service_fn(move |request| {
        let (site, place) = (site.clone(), place.clone());
        // A connection that asks nothing keeps no room for an answer.
        Box::pin(async move {
            let Some(busy) = place.busy() else {
                let why = "too many are connected\n";
                return Ok::<_, Infallible>(later(StatusCode::SERVICE_UNAVAILABLE, SOON, why));
            };
            let answer = site.answer(request, &place).await;
            Ok(answer.map(|body| Held::busy(body, busy).boxed()))
        })
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(LONGEST_HEAD);
    let mut exchange = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    // However it ends, the client notices.
    let _ = tokio::select! {
        ended = exchange.as_mut() => ended,
        () = closing.cancelled() => {
            exchange.as_mut().graceful_shutdown();
            exchange.await
        }
    };
}
