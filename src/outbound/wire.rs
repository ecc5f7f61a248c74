//! The HTTP client: the only file that names reqwest.
//!
//! Redirects and the client's own retries are off; answers are read up to a limit. Made when it is
//! first used, so that a server starts without loading certificates.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::OnceCell;

use super::shown::Shown;
use super::{Attempt, Reply};
use crate::observe::{Leg, Sending};
use crate::outbound::auth::Signed;
use crate::secret::{Sought, expose, redact, scrub};
use crate::text;

#[derive(Default)]
pub struct Wire {
    client: Pair,
    /// For plain http, which stays on this machine: no proxy sees it.
    local: Pair,
    shown: Shown,
}

/// What no answer may show.
struct Hidden {
    /// What earlier requests proved themselves with, and then this one.
    secrets: Vec<Sought>,
    /// How many of them are this one's own.
    own: usize,
    /// Whether the answer may be a proof, which may be one that was had before.
    is_proof: bool,
}

/// What may be asked again goes over connections that are kept. A write does not: the other side may
/// close one that is idle at any moment, and then nobody knows whether what was sent on it got there.
#[derive(Default)]
struct Pair {
    kept: OnceCell<Result<reqwest::Client, String>>,
    fresh: OnceCell<Result<reqwest::Client, String>>,
}

/// Whether a connection is used for what comes later as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    Kept,
    Fresh,
}

const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of an answer that are kept; a longer one is not read to its end.
pub(super) const LARGEST: usize = 8 * 1024 * 1024;
/// The most of the vendor's name for an exchange that is kept.
const LONGEST_ID: usize = 128;
const LONGEST_CAUSE: usize = 300;

impl Wire {
    /// Sends once and reads the whole answer, within `limit`.
    pub(in crate::outbound) async fn send(
        &self,
        signed: Signed,
        limit: Duration,
        leg: Leg,
    ) -> Attempt {
        let connection = match signed.frozen().method {
            "GET" => Connection::Kept,
            _ => Connection::Fresh,
        };
        let is_plain = signed.frozen().url.scheme() == "http";
        let client = match self.client(is_plain, connection).await {
            Ok(client) => client,
            Err(trouble) => return Attempt::Unready(trouble.clone()),
        };
        let sending = Sending::start(&signed.frozen().traced(), leg);
        let (method, url, headers) = match head(&signed, sending.headers()) {
            Ok(head) => head,
            Err(trouble) => {
                sending.end(Err("not_sent"));
                return Attempt::Unready(trouble);
            }
        };
        let secrets = self.shown.with(signed.frozen().url.authority(), signed.secrets());
        let (own, is_proof) = (signed.secrets().len(), matches!(leg, Leg::Credential));
        let hidden = Hidden { secrets, own, is_proof };
        let mut request = client.request(method, url).headers(headers).timeout(limit);
        if let Some(body) = signed.into_body() {
            request = request.body(body);
        }
        let attempt = match request.send().await {
            Ok(response) => receive(response, hidden).await,
            Err(error) if error.is_connect() || error.is_builder() => {
                Attempt::NotSent(describe(&error, &hidden.secrets))
            }
            Err(error) => lost(&error, &hidden.secrets),
        };
        sending.end(match &attempt {
            Attempt::Reply(reply) => Ok(reply.status),
            Attempt::NotSent(_) | Attempt::Unready(_) => Err("not_sent"),
            Attempt::Broken(_) => Err("broken"),
            Attempt::Stalled => Err("timeout"),
            Attempt::Oversized => Err("oversized"),
        });
        attempt
    }

    async fn client(
        &self,
        plain: bool,
        connection: Connection,
    ) -> Result<&reqwest::Client, &String> {
        let pair = if plain { &self.local } else { &self.client };
        let slot = match connection {
            Connection::Kept => &pair.kept,
            Connection::Fresh => &pair.fresh,
        };
        slot.get_or_init(|| async { client(plain, connection) }).await.as_ref()
    }
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    Answered {
        status: u16,
        /// How long it is not to be sent again.
        wait: Option<Duration>,
    },
    /// It may have arrived or not, and why nothing is known of it.
    Lost(String),
}

/// A name is looked up where its addresses are judged, and nowhere else.
struct NoLookUp;

impl reqwest::dns::Resolve for NoLookUp {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let told = format!("{} was not looked up", name.as_str());
        Box::pin(async move { Err(told.into()) })
    }
}

/// Tells somebody something: no vendor's request, and nobody's call. It goes to an address that was judged, or
/// through the proxy that the environment names; what is answered beside the status is not read. No message holds
/// the path, which may be a secret.
pub async fn post(
    url: &url::Url,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
    (allow_private, through_proxy): (bool, bool),
) -> Result<Posted, String> {
    let is_plain = url.scheme() == "http";
    let builder = base(is_plain)?.no_proxy();
    let builder = if through_proxy {
        let named = super::network::proxy_for_https();
        let named =
            named.ok_or("proxy is true, and neither HTTPS_PROXY nor ALL_PROXY names one")?;
        // It asks for the host by its name, whatever else the environment says.
        let proxy = reqwest::Proxy::https(named).map_err(|_| "the proxy's URL cannot be read")?;
        builder.proxy(proxy)
    } else {
        let found = super::address::reachable(url, allow_private).await?;
        let host = url.host_str().unwrap_or_default();
        builder.dns_resolver(std::sync::Arc::new(NoLookUp)).resolve_to_addrs(host, &found)
    };
    let client = builder.pool_max_idle_per_host(0).build();
    let client = client.map_err(|error| describe(&error, &[]))?;
    let mut request = client.post(url.clone()).timeout(super::ATTEMPT).body(body);
    for (name, text) in headers {
        request = request.header(*name, text);
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Ok(Posted::Lost(super::STALLED.to_owned())),
        Err(error) => return Ok(Posted::Lost(describe(&error, &[]))),
    };
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    let date = header("date").and_then(date);
    let ahead = date.map(|date| date.duration_since(Timestamp::now())).unwrap_or_default();
    let wait = header("retry-after").and_then(|text| wait(text, ahead));
    Ok(Posted::Answered { status: response.status().as_u16(), wait })
}

/// What a collector is sent: no vendor's request, so it needs no proof and belongs to no call.
#[cfg(feature = "otel")]
impl Wire {
    pub(in crate::outbound) async fn deliver(
        &self,
        request: opentelemetry_http::Request<opentelemetry_http::Bytes>,
    ) -> Result<
        opentelemetry_http::Response<opentelemetry_http::Bytes>,
        opentelemetry_http::HttpError,
    > {
        let plain = request.uri().scheme_str() == Some("http");
        let client = self.client(plain, Connection::Kept).await.map_err(Clone::clone)?;
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(super::ATTEMPT);
        match receive(client.execute(request).await?, Hidden::nothing()).await {
            Attempt::Reply(reply) => {
                let mut response = opentelemetry_http::Response::builder().status(reply.status);
                if let Some(wait) = reply.retry_after {
                    response = response.header("retry-after", wait.as_secs());
                }
                Ok(response.body(reply.body.into())?)
            }
            _ => Err("the answer did not come whole".into()),
        }
    }
}

fn client(plain: bool, connection: Connection) -> Result<reqwest::Client, String> {
    let builder = match connection {
        Connection::Kept => base(plain)?,
        Connection::Fresh => base(plain)?.pool_max_idle_per_host(0),
    };
    builder
        .build()
        .map_err(|error| format!("the HTTP client cannot start: {}", describe(&error, &[])))
}

/// What holds for every client.
#[expect(clippy::disallowed_methods, reason = "the one place where a client is built")]
fn base(plain: bool) -> Result<reqwest::ClientBuilder, String> {
    let builder = reqwest::Client::builder();
    let builder = if plain {
        // No certificate counts there, so none is read.
        builder.no_proxy().tls_certs_only([])
    } else {
        super::network()?;
        builder
    };
    Ok(builder
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .user_agent(concat!("grantor/", env!("CARGO_PKG_VERSION"))))
}

fn head(
    signed: &Signed,
    trace: &[(&'static str, String)],
) -> Result<(reqwest::Method, url::Url, HeaderMap), String> {
    let value = |name: &str, text: &str| {
        let wrong = |_| format!("the header {name} cannot be built: its value holds a line end");
        HeaderValue::from_str(text).map_err(wrong)
    };
    let frozen = signed.frozen();
    let mut headers = HeaderMap::new();
    for (name, text) in frozen.headers.iter().chain(trace) {
        headers.insert(HeaderName::from_static(name), value(name, text)?);
    }
    for (name, secret) in signed.headers() {
        let mut value = value(name, expose(secret))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    let method = reqwest::Method::from_bytes(frozen.method.as_bytes());
    let method = method.map_err(|_| format!("{:?} is no method", frozen.method))?;
    Ok((method, frozen.url.clone(), headers))
}

impl Hidden {
    #[cfg(feature = "otel")]
    fn nothing() -> Self {
        Self { secrets: Vec::new(), own: 0, is_proof: false }
    }
}

async fn receive(mut response: reqwest::Response, hidden: Hidden) -> Attempt {
    let Hidden { secrets, own, is_proof } = hidden;
    let status = response.status().as_u16();
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let date = header("date").and_then(|text| date(&text));
    let ahead = date.map(|date| date.duration_since(Timestamp::now())).unwrap_or_default();
    let retry_after = header("retry-after").and_then(|text| wait(&text, ahead));
    let request_id = header("x-request-id").map(|id| named(&id, &secrets));
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Attempt::Oversized,
            Ok(None) => break,
            Err(error) => return lost(&error, &secrets),
        }
    }
    let earlier = secrets.len().saturating_sub(own);
    let from = if is_proof && (200..300).contains(&status) { earlier } else { 0 };
    let kept = secrets.get(from..).unwrap_or_default();
    let body = scrub(crate::input::unmarked(&body).to_vec(), kept);
    Attempt::Reply(Reply { status, body, retry_after, request_id, ahead, secrets })
}

/// The vendor's name for an exchange: a short one, as any other text of its answer.
fn named(id: &str, secrets: &[Sought]) -> String {
    text::short(&text::clean(&redact(id, secrets)), LONGEST_ID).into_owned()
}

/// `Retry-After` in either of its forms: seconds, or a date by a clock that is `ahead` of ours.
fn wait(text: &str, ahead: SignedDuration) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = date(text)?.duration_since(Timestamp::now()).checked_sub(ahead)?;
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp())
}

/// What became of a request that left and was not answered.
fn lost(error: &reqwest::Error, secrets: &[Sought]) -> Attempt {
    if error.is_timeout() { Attempt::Stalled } else { Attempt::Broken(describe(error, secrets)) }
}

/// The innermost cause, without the URL: a query may hold a person's address. Why a connection is
/// closed, the other side may say in words of its own.
fn describe(error: &reqwest::Error, secrets: &[Sought]) -> String {
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
        text::short(&text::clean(&redact(&cause.to_string(), secrets)), LONGEST_CAUSE).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_exchange_is_short_and_no_secret() {
        let secrets = [Sought::of(&"Bearer-abcdefgh".into())];
        assert_eq!(named("req-1", &secrets), "req-1");
        assert_eq!(named("x Bearer-abcdefgh", &secrets), "x [REDACTED]");
        for hidden in
            ["QmVhcmVyLWFiY2RlZmdo", "4265617265722d6162636465666768", "Bearer-\tabcdefgh"]
        {
            assert_eq!(named(hidden, &secrets), "[REDACTED]", "{hidden}");
        }
        assert_eq!(named(&"x".repeat(9_999), &secrets).chars().count(), LONGEST_ID + 1);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let wait = |text| wait(text, SignedDuration::ZERO);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Fri, 31 Dec 2100 23:59:59 GMT").unwrap() > Duration::from_secs(3600));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_date_to_wait_for_is_by_the_vendors_clock() {
        let text = "Fri, 31 Dec 2100 23:59:59 GMT";
        let ahead = date(text).unwrap().duration_since(Timestamp::now());
        let ten = SignedDuration::from_secs(10);
        assert_eq!(wait(text, ahead + ten), Some(Duration::ZERO));
        let left = wait(text, ahead - ten).unwrap();
        assert!(left > Duration::from_secs(8) && left <= Duration::from_secs(10), "{left:?}");
        assert_eq!(wait("7", ahead), Some(Duration::from_secs(7)));
    }
}
