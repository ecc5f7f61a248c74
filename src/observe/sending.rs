//! One request on its way to a vendor.

use std::time::Instant;

use url::Url;

use super::{TRACE, Trace, export, millis, shown};

/// What a request is to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// What the call is about, sent for this time, from 1.
    Attempt(u32),
    /// A token or a signature. It may go to another host than the vendor's, and is no part of the
    /// client's trace.
    Credential,
}

/// What is told of a request that leaves.
pub(crate) struct Outgoing<'a> {
    pub method: &'static str,
    pub url: &'a Url,
    /// The path as the vendor sees it, without a gateway's prefix and without the query.
    #[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "only spans tell of it"))]
    pub path: &'a str,
    /// The same without what fills it: for logs, which name nobody.
    pub template: &'a str,
}

pub(crate) struct Sending {
    method: &'static str,
    host: String,
    path: String,
    leg: Leg,
    started: Instant,
    headers: Vec<(&'static str, String)>,
    exported: export::Request,
}

impl Sending {
    pub(crate) fn start(outgoing: &Outgoing<'_>, leg: Leg) -> Self {
        let trace = TRACE.try_with(Clone::clone).ok().flatten();
        let exported = export::Request::start(outgoing, leg, trace.as_ref());
        let onward = exported.trace().or_else(|| trace.as_ref().map(Trace::onward));
        let headers = match (leg, onward) {
            (Leg::Attempt(_), Some(onward)) => headers(&onward),
            _ => Vec::new(),
        };
        Self {
            method: outgoing.method,
            host: outgoing.url.host_str().unwrap_or_default().to_owned(),
            path: outgoing.template.to_string(),
            leg,
            started: Instant::now(),
            headers,
            exported,
        }
    }

    /// What tells the vendor which trace this belongs to.
    pub(crate) fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// It ended with this status, or with this trouble.
    pub(crate) fn end(self, ended: Result<u16, &'static str>) {
        let Self { method, host, path, leg, started, exported, .. } = self;
        let attempt = match leg {
            Leg::Attempt(number) => Some(number),
            Leg::Credential => None,
        };
        tracing::debug!(
            target: "grantor",
            method = shown(method),
            host = shown(host),
            path = shown(path),
            status = ended.ok(),
            error = ended.err().map(shown),
            attempt,
            took_ms = millis(started.elapsed()),
            "vendor request"
        );
        exported.end(ended);
    }
}

fn headers(trace: &Trace) -> Vec<(&'static str, String)> {
    let state = trace.state.clone().map(|state| ("tracestate", state));
    [("traceparent", trace.traceparent())].into_iter().chain(state).collect()
}
