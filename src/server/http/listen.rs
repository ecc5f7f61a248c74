//! Connections: how many there are, how long one may say nothing, and how they end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{HttpOptions, Site, tls};

/// Connections at a time; one more is closed at once.
const MOST: usize = 2_048;
/// How long a connection may take to say what it wants, TLS included; also the longest it may stay idle.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a request may come before its body.
const LONGEST_HEAD: usize = 64 * 1024;
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

/// Serves connections until `closing`, and lets what is being answered end.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    closing: CancellationToken,
) {
    let (places, connections) = (Arc::new(Semaphore::new(MOST)), TaskTracker::new());
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
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (site, tls, closing) = (site.clone(), tls.clone(), closing.clone());
        connections.spawn(async move {
            connection(stream, tls, site, closing).await;
            drop(place);
        });
    }
    connections.close();
    let _ = tokio::time::timeout(LAST_WORDS, connections.wait()).await;
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    closing: CancellationToken,
) {
    // Without it answers are only slower.
    let _ = stream.set_nodelay(true);
    match tls {
        None => exchange(stream, site, closing).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                exchange(stream, site, closing).await;
            }
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    site: Arc<Site>,
    closing: CancellationToken,
) {
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEAD);
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
