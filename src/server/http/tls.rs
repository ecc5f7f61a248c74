//! TLS of our own, where no proxy has it.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// Takes a certificate chain and its key from their files.
///
/// # Errors
/// One of them cannot be read or used, in words that name the file.
pub(super) fn acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let read = |path: &Path| {
        crate::input::read(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let named =
        |path: &Path, what: &str| format!("{}: it holds no {what} in PEM form", path.display());
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&read(chain)?).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Err(named(chain, "certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?);
    let private = private.map_err(|_| named(key, "private key"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(certificates, private);
    let mut config = config.map_err(|error| format!("{}: {error}", chain.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
