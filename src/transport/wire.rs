//! The HTTP client: the only file that names reqwest.
//!
//! Redirects and the client's own retries are off; answers are read up to a limit. Made when it is
//! first used, so that a server starts without loading certificates.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use super::{Attempt, Reply};
use crate::auth::Signed;
use crate::secret::{expose, scrub};

#[derive(Default)]
pub struct Wire {
    client: OnceCell<Result<reqwest::Client, String>>,
    /// For plain http, which stays on this machine: no proxy sees it.
    local: OnceCell<Result<reqwest::Client, String>>,
}

const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are kept; a longer one is not read to its end.
pub(super) const LARGEST: usize = 8 * 1024 * 1024;

impl Wire {
    /// Sends once and reads the whole answer, within `limit`.
    pub async fn send(&self, signed: Signed, limit: Duration) -> Attempt {
        let plain = signed.frozen().url.scheme() == "http";
        let slot = if plain { &self.local } else { &self.client };
        let client = match slot.get_or_init(|| async { client(plain) }).await {
            Ok(client) => client,
            Err(trouble) => return Attempt::NotSent(trouble.clone()),
        };
        let Some((method, url, headers)) = head(&signed) else {
            return Attempt::NotSent("a header of the request holds a forbidden byte".to_owned());
        };
        let secrets = signed.secrets().to_vec();
        let started = std::time::Instant::now();
        let mut request =
            client.request(method.clone(), url.clone()).headers(headers).timeout(limit);
        if let Some(body) = signed.into_body() {
            request = request.body(body);
        }
        let attempt = match request.send().await {
            Ok(response) => receive(response, secrets).await,
            Err(error) if error.is_connect() || error.is_builder() => {
                Attempt::NotSent(describe(&error))
            }
            Err(error) => lost(&error),
        };
        let status = match &attempt {
            Attempt::Reply(reply) => reply.status,
            _ => 0,
        };
        let (path, host) = (url.path(), url.host_str().unwrap_or_default());
        tracing::debug!(%method, host, path, status, took = ?started.elapsed(), "vendor request");
        attempt
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where a client is built")]
fn client(plain: bool) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder();
    let builder = if plain { builder.no_proxy() } else { builder };
    builder
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .user_agent(concat!("grantor/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("the HTTP client cannot start: {}", describe(&error)))
}

fn head(signed: &Signed) -> Option<(reqwest::Method, url::Url, HeaderMap)> {
    let frozen = signed.frozen();
    let mut headers = HeaderMap::new();
    for (name, value) in &frozen.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    }
    for (name, secret) in signed.headers() {
        let mut value = HeaderValue::from_str(expose(secret)).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Some((reqwest::Method::from_bytes(frozen.method.as_bytes()).ok()?, frozen.url.clone(), headers))
}

async fn receive(mut response: reqwest::Response, secrets: Vec<SecretString>) -> Attempt {
    let status = response.status().as_u16();
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let retry_after = header("retry-after").and_then(|text| wait(&text));
    let request_id = header("x-request-id").map(|id| crate::text::clean(&id));
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Attempt::Oversized,
            Ok(None) => break,
            Err(error) => return lost(&error),
        }
    }
    let body = scrub(body, &secrets);
    Attempt::Reply(Reply { status, body, retry_after, request_id, secrets })
}

/// `Retry-After` in either of its forms: seconds, or a date.
fn wait(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// What became of a request that left and was not answered.
fn lost(error: &reqwest::Error) -> Attempt {
    if error.is_timeout() { Attempt::Stalled } else { Attempt::Broken(describe(error)) }
}

/// The innermost cause, without the URL: a query may hold a person's address.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "connecting took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, error) {
        "the exchange failed".to_owned()
    } else {
        cause.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Fri, 31 Dec 2100 23:59:59 GMT").unwrap() > Duration::from_secs(3600));
        assert_eq!(wait("soon"), None);
    }
}
