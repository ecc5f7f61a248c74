//! Sessions of the protocols up to 2025-11-25, of which nothing is kept: what a client said of itself as it began is
//! in the session's id, sealed, so that whichever process holds the ledger's key can open it.
//!
//! A session opens nothing to anybody: who calls is said by the token of each request, and a client that brings no
//! session is served all the same.

use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, ProtocolVersion};
use rmcp::service::RequestContext;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::Body;
use crate::ledger::Ledger;
use crate::requester::Requester;
use crate::server::Face;
use crate::text;

/// Seals sessions, and opens them.
#[derive(Default)]
pub(super) struct Sessions {
    /// Made of the ledger's key when a session is first needed.
    key: OnceCell<hmac::Key>,
}

/// What a client said as its session began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::server) struct Session {
    /// The protocol that was agreed on.
    version: String,
    /// What the client calls itself.
    pub client: String,
    /// Whether it can show its person a form, and a link.
    pub shows_forms: bool,
    pub shows_links: bool,
}

/// A session as its id says it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    session: Session,
    /// When it is over, in seconds since 1970.
    until: i64,
    /// No two sessions are one.
    nonce: String,
}

/// No session, or somebody else's, or one that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotThere;

pub(super) const HEADER: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// How long a session lasts; a client begins another then.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// The most of what a client calls itself that goes to and fro.
const LONGEST_CLIENT: usize = 100;
/// The most of it that a ledger keeps.
const LONGEST_KEPT: usize = 256;
/// Longer than any id that is made here.
const LONGEST: usize = 1_024;
const PURPOSE: &str = "session";

impl Session {
    /// What a client says that begins a session.
    pub(super) fn begun_by(message: &ClientJsonRpcMessage) -> Option<Self> {
        let JsonRpcMessage::Request(request) = message else { return None };
        let ClientRequest::InitializeRequest(begun) = &request.request else { return None };
        let (client, able) = (&begun.params.client_info, &begun.params.capabilities.elicitation);
        let client = format!("{} {}", client.name, client.version);
        // An empty object, too, means forms.
        let forms =
            |able: &rmcp::model::ElicitationCapability| able.form.is_some() || able.url.is_none();
        Some(Self {
            version: String::new(),
            client: text::short(&text::clean(&client), LONGEST_CLIENT).into_owned(),
            shows_forms: able.as_ref().is_some_and(forms),
            shows_links: able.as_ref().is_some_and(|able| able.url.is_some()),
        })
    }
}

impl Sessions {
    /// The answer to a client that begins a session, with the session's id where one was begun.
    pub(super) async fn begin(
        &self,
        mut session: Session,
        requester: &Requester,
        ledger: &Ledger,
        answer: Response<Body>,
    ) -> Response<Body> {
        let (mut parts, body) = answer.into_parts();
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes);
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        let agreed =
            said.as_ref().and_then(|said| said.pointer("/result/protocolVersion")?.as_str());
        if let Some(agreed) = agreed {
            agreed.clone_into(&mut session.version);
            let id = self
                .key(ledger)
                .await
                .and_then(|key| sealed(key, session, requester, Timestamp::now()));
            if let Some(id) = id {
                parts.headers.insert(HEADER, id);
            }
        }
        Response::from_parts(parts, Full::new(body).boxed())
    }

    /// The session that a request brings, where it brings one.
    ///
    /// # Errors
    /// It is none of this caller's.
    pub(super) async fn enter(
        &self,
        headers: &mut HeaderMap,
        message: &ClientJsonRpcMessage,
        requester: &Requester,
        ledger: &Ledger,
    ) -> Result<Option<Session>, NotThere> {
        let version =
            headers.get(&VERSION).map(|version| version.to_str().unwrap_or_default().to_owned());
        let is_modern = version.as_deref() >= Some(ProtocolVersion::V_2026_07_28.as_str());
        if is_modern || Session::begun_by(message).is_some() {
            return Ok(None);
        }
        let Some(id) = headers.get(&HEADER) else { return Ok(None) };
        let id = id.to_str().map_err(|_| NotThere)?;
        let key = self.key(ledger).await.ok_or(NotThere)?;
        let session = opened(key, id, requester, Timestamp::now()).ok_or(NotThere)?;
        // The protocols before 2025-06-18 have no header for it.
        if let (None, Ok(agreed)) = (version, HeaderValue::from_str(&session.version)) {
            headers.insert(VERSION, agreed);
        }
        Ok(Some(session))
    }

    /// The key, which is the ledger's own for another purpose; nothing where that cannot be had now.
    async fn key(&self, ledger: &Ledger) -> Option<&hmac::Key> {
        let made = self.key.get_or_try_init(|| async {
            let secret = ledger.seal(PURPOSE, &[]).await?;
            Ok::<_, crate::failure::Failure>(hmac::Key::new(hmac::HMAC_SHA256, &secret))
        });
        made.await.inspect_err(|failure| tracing::warn!(%failure, "there are no sessions")).ok()
    }
}

/// What the client calls itself. Without a session one of the older protocols does so only as it begins.
pub(in crate::server) fn client(
    face: &Face,
    context: &RequestContext<RoleServer>,
) -> Option<String> {
    let said = match face {
        Face::Stdio(_) => context.client_info(),
        Face::Http(_) => context.meta.client_info(),
    };
    let said = said.map(|client| format!("{} {}", client.name, client.version));
    let said = said.or_else(|| session(context).map(|session| session.client.clone()));
    said.map(|client| text::short(&client, LONGEST_KEPT).into_owned())
}

/// Whether the client that calls said as its session began that it leads its person to addresses, in a protocol that
/// has a way to ask for that.
pub(in crate::server) fn shows_links(context: &RequestContext<RoleServer>) -> bool {
    session(context).is_some_and(|session| {
        session.shows_links && session.version == ProtocolVersion::V_2025_11_25.as_str()
    })
}

/// What the client said of itself that calls, where it did so as its session began.
fn session(context: &RequestContext<RoleServer>) -> Option<&Session> {
    context.extensions.get::<hyper::http::request::Parts>()?.extensions.get::<Session>()
}

fn sealed(
    key: &hmac::Key,
    session: Session,
    requester: &Requester,
    now: Timestamp,
) -> Option<HeaderValue> {
    let until = now.as_second() + i64::try_from(LASTS.as_secs()).ok()?;
    let said = serde_json::to_vec(&Sealed { session, until, nonce: crate::random::id() }).ok()?;
    let said = BASE64_URL_SAFE_NO_PAD.encode(said);
    let seal = BASE64_URL_SAFE_NO_PAD.encode(seal(key, &said, requester).as_ref());
    HeaderValue::from_str(&format!("{said}.{seal}")).ok()
}

fn opened(key: &hmac::Key, id: &str, requester: &Requester, now: Timestamp) -> Option<Session> {
    let (said, given) = id.split_once('.').filter(|_| id.len() <= LONGEST)?;
    let given = BASE64_URL_SAFE_NO_PAD.decode(given).ok()?;
    constant_time::verify_slices_are_equal(seal(key, said, requester).as_ref(), &given).ok()?;
    let sealed: Sealed = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
    (now.as_second() < sealed.until).then_some(sealed.session)
}

/// Over what the id says, and whose it is, which it does not say.
fn seal(key: &hmac::Key, said: &str, requester: &Requester) -> hmac::Tag {
    let mut seal = hmac::Context::with_key(key);
    for part in [said, ".", requester.name()] {
        seal.update(part.as_bytes());
    }
    seal.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let (version, client) = ("2025-11-25".to_owned(), "test 1".to_owned());
        Session { version, client, shows_forms: false, shows_links: true }
    }

    fn key(secret: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, secret)
    }

    #[test]
    fn a_session_opens_to_whom_it_was_given_with_the_same_key_until_it_is_over() {
        let (one, other, now) = (key(b"one"), key(b"two"), Timestamp::UNIX_EPOCH);
        let (ada, eve) = (Requester::named("https://id#ada"), Requester::named("https://id#eve"));
        let id = sealed(&one, session(), &ada, now).unwrap();
        let id = id.to_str().unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(opened(&key(b"one"), id, &ada, now), Some(session()));
        assert_eq!(opened(&one, id, &ada, at(24 * 60 * 60 - 1)), Some(session()));
        assert_eq!(opened(&one, id, &ada, at(24 * 60 * 60)), None, "it is over");
        assert_eq!(opened(&one, id, &eve, now), None, "it is another's");
        assert_eq!(opened(&other, id, &ada, now), None, "another key");
        for at in 0..id.len() {
            let mut altered = id.as_bytes().to_vec();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            // The last letter of base64 holds bits that mean nothing.
            let altered = String::from_utf8(altered).unwrap();
            let opens = opened(&one, &altered, &ada, now).is_some();
            assert!(!opens, "{at}: {altered}");
        }
        for odd in ["", ".", "x", "x.y", &format!("{id}.x"), &"a.".repeat(2_000)] {
            assert_eq!(opened(&one, odd, &ada, now), None, "{odd}");
        }
        assert_ne!(sealed(&one, session(), &ada, now), sealed(&one, session(), &ada, now));
        let said = String::from_utf8(
            BASE64_URL_SAFE_NO_PAD.decode(id.split_once('.').unwrap().0).unwrap(),
        );
        assert!(!said.unwrap().contains("ada"), "it says not whose it is");
    }
}
