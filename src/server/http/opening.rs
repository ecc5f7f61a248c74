//! A server that is about to begin: it listens, and knows what its addresses are.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::front::Front;
use super::{HttpOptions, listen};
use crate::config::Config;
use crate::page;

/// Where it listens, and what is to be found there.
pub(super) struct Opening {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) address: SocketAddr,
    pub(super) front: Front,
    /// Where people approve, if they can log in anywhere.
    pub(super) page: Option<page::PageUrls>,
}

impl Opening {
    /// # Errors
    /// It cannot listen there, or must not.
    pub(super) fn new(
        config: &Config,
        options: &HttpOptions,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (listener, tls) = listen::open(options)?;
        let address = listener.local_addr()?;
        let front = Front::new(&config.http, address)?;
        let logs_in = config.http.issuers.iter().any(|issuer| issuer.login.is_some());
        let page = logs_in.then(|| page::PageUrls::beside(front.public_url())).transpose()?;
        Ok(Self { listener, tls, address, front, page })
    }
}
