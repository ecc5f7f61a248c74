//! An answer to a browser, with what every answer says of itself.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE};
use hyper::{Response, StatusCode};

/// What a browser is answered.
pub(super) struct Reply {
    status: StatusCode,
    kind: &'static str,
    body: String,
    location: Option<String>,
    cookies: Vec<String>,
    /// In how many seconds somebody may try again.
    again: Option<u64>,
}

/// Nothing runs, nothing is loaded but the style of our own, forms go to us, and nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";
/// Where a page leads to is told to nobody else; a form's origin is told to us, which `no-referrer` would
/// keep from us.
const ALWAYS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

impl Reply {
    pub(super) fn page(status: StatusCode, body: String) -> Self {
        let kind = "text/html; charset=utf-8";
        Self { status, kind, body, location: None, cookies: Vec::new(), again: None }
    }

    pub(super) fn style(body: &'static str) -> Self {
        let kind = "text/css; charset=utf-8";
        Self { kind, ..Self::page(StatusCode::OK, body.to_owned()) }
    }

    /// Leads to another page, which is then asked for with GET.
    pub(super) fn lead(to: String) -> Self {
        Self { location: Some(to), ..Self::page(StatusCode::SEE_OTHER, String::new()) }
    }

    pub(super) fn with(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// Of what was too much: when somebody may try again, in seconds.
    pub(super) fn later(self, seconds: u64) -> Self {
        Self { again: Some(seconds), ..self }
    }

    pub(super) fn finish(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.insert("content-type", HeaderValue::from_static(self.kind));
        if let Some(seconds) = self.again {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        let values = self.cookies.into_iter().map(|cookie| (SET_COOKIE, cookie));
        for (name, value) in values.chain(self.location.map(|to| (LOCATION, to))) {
            // Both are made of what was checked to be plain.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(name, value);
            }
        }
        response
    }
}
