//! What carries spans to a collector: no vendor's request, so it needs no proof and belongs to no call.

use std::sync::Arc;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

use super::Wire;

/// The SDK exports on a thread of its own; the wire needs the runtime.
#[derive(Clone)]
pub struct Courier {
    runtime: tokio::runtime::Handle,
    wire: Arc<Wire>,
}

impl Courier {
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { runtime, wire: Arc::default() }
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Courier")
    }
}

#[async_trait::async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let wire = self.wire.clone();
        self.runtime.spawn(async move { wire.deliver(request).await }).await?
    }
}
