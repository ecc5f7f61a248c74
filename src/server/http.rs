//! MCP over HTTP, for several callers: no sessions, and the same handler as over stdio.
//!
//! ```text
//!  connection ─► front: whose host and page, which path ─► bearer: who calls ─► limits ─► scope, from the body
//!             ─► rmcp ─► Handler, told the requester
//! ```
//!
//! What comes before `bearer` costs next to nothing, and nobody's body is read who may not call.

mod answers;
mod challenge;
mod front;
mod limits;
mod listen;
mod metrics;
mod opening;
mod places;
mod scope;
mod sessions;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use rmcp::ServerHandler;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::shutdown::{BrokenOff, Shutdown};
use super::stdio::{Line, understand};
use super::{Face, Handler, Served, Signals};
use crate::desk::Desk;
use crate::identity::{Bearer, Identity, Rejected};
use crate::page::{self, Page};
use answers::{FORBIDDEN, NO_SESSION, later, plain, refusal, wrong};
use challenge::Challenge;
use front::Front;
pub(super) use limits::slot;
use limits::{Limits, Slot};
use metrics::Metrics;
use opening::Opening;
use places::ConnectionSlot;
use scope::Needs;
use sessions::{Session, Sessions};
pub(super) use sessions::{client, shows_links};

type Body = BoxBody<Bytes, Infallible>;
/// What answers a message that was let through.
type Mcp = Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    pub address: SocketAddr,
    /// The files of a certificate chain and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Somebody else ends TLS in front of this, and passes the host on.
    pub behind_proxy: bool,
}

/// What answers a request.
struct Site {
    desk: Arc<Desk>,
    front: Front,
    challenge: Challenge,
    identity: Arc<Identity>,
    page: Option<Arc<Page>>,
    limits: Arc<Limits>,
    metrics: Metrics,
    sessions: Sessions,
    /// How many may wait for a no.
    refusals: Semaphore,
    mcp: Mcp,
    shutdown: Shutdown,
}

/// What may be sent to rmcp, which is given what was read here, written anew.
const LARGEST: usize = 32 * 1024 * 1024;
/// How long what was asked for may take once the process is asked to end.
const GRACE: Duration = Duration::from_secs(3);
/// How long a caller who asks too much waits to be told so, and how many at once.
const PAUSE: Duration = Duration::from_millis(100);
const REFUSALS: usize = 128;
/// How soon somebody may try again where nothing is known of when it will do, in seconds.
const SOON: u64 = 5;

/// Serves until the process is asked to end; `listening` is told where, and where clients find it.
///
/// # Errors
/// It cannot listen there, or must not.
pub async fn serve_http(
    desk: Desk,
    options: &HttpOptions,
    listening: impl FnOnce(SocketAddr, &str),
) -> Served {
    let (shutdown, opening) = (Shutdown::new(), Opening::new(desk.config(), options)?);
    let handler = Handler::new(desk, Face::Http(opening.page.clone()), shutdown.clone());
    serve(&handler, mcp(handler.clone()), shutdown, opening, listening).await
}

/// The same front with another handler behind it, for checks of the protocol that need tools which Grantor has not.
///
/// # Errors
/// It cannot listen there, or must not.
#[doc(hidden)]
pub async fn serve_http_to(
    desk: Desk,
    options: &HttpOptions,
    other: impl ServerHandler + Clone,
    listening: impl FnOnce(SocketAddr, &str),
) -> Served {
    let (shutdown, opening) = (Shutdown::new(), Opening::new(desk.config(), options)?);
    let handler = Handler::new(desk, Face::Http(None), shutdown.clone());
    serve(&handler, mcp(other), shutdown, opening, listening).await
}

async fn serve(
    handler: &Handler,
    mcp: Mcp,
    shutdown: Shutdown,
    opening: Opening,
    listening: impl FnOnce(SocketAddr, &str),
) -> Served {
    let signals = Signals::listen()?;
    let (calls, maintenance) = (handler.calls.clone(), handler.maintenance.clone());
    let Opening { listener, tls, address, front, page } = opening;
    let site = Arc::new(Site::new(handler, mcp, (front, page), &shutdown));
    maintenance.call();
    listening(address, site.front.public_url());
    let keeping = tokio::spawn({
        let site = site.clone();
        async move { site.identity.keep_keys().await }
    });
    let closing = CancellationToken::new();
    let serving = tokio::spawn(listen::serve(listener, tls, site, closing.clone()));
    signals.any().await;
    shutdown.asked.cancel();
    calls.close();
    if tokio::time::timeout(GRACE, calls.wait()).await.is_err() {
        shutdown.abandon_unsent.cancel();
        if tokio::time::timeout(super::FAREWELL, calls.wait()).await.is_err() {
            tracing::error!("calls were still in flight; what they sent is open in the ledger");
        }
    }
    closing.cancel();
    let _ = serving.await;
    keeping.abort();
    Ok(())
}

/// rmcp's HTTP, without sessions.
fn mcp(handler: impl ServerHandler + Clone) -> Mcp {
    // Host and origin are judged in front of it, before anybody is asked who they are.
    let own = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_retry(None)
        .with_max_request_body_bytes(LARGEST)
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let sessions = Arc::<NeverSessionManager>::default();
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, own);
    Box::new(move |request| {
        let service = service.clone();
        Box::pin(async move { service.handle(request).await })
    })
}

impl Site {
    fn new(
        handler: &Handler,
        mcp: Mcp,
        (front, page): (Front, Option<page::PageUrls>),
        shutdown: &Shutdown,
    ) -> Self {
        let desk = handler.desk.clone();
        let config = desk.config();
        let mut issuers = config.http.issuers.clone();
        for issuer in issuers.iter_mut().filter(|issuer| issuer.audiences.is_empty()) {
            issuer.audiences.push(front.public_url().to_owned());
        }
        let identity = Arc::new(Identity::new(issuers));
        let (calls, known) = (handler.calls.clone(), identity.clone());
        let page = page.map(|place| Arc::new(Page::new(desk.clone(), known, place, calls)));
        let challenge = Challenge::new(&front, config.read_only, config.http.issuers.iter());
        let limits = Arc::new(Limits::new(config.http.limits));
        let (metrics, sessions, shutdown) =
            (Metrics::default(), Sessions::default(), shutdown.clone());
        let refusals = Semaphore::new(REFUSALS);
        Self {
            desk,
            front,
            challenge,
            identity,
            page,
            limits,
            metrics,
            sessions,
            refusals,
            mcp,
            shutdown,
        }
    }

    /// The answer to one request, whatever it is.
    async fn answer(&self, request: Request<Incoming>, place: &ConnectionSlot) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let health = match path.as_str() {
            "/livez" => Some(plain(StatusCode::OK, "ok\n")),
            "/readyz" => Some(self.ready().await),
            "/metrics" => Some(plain(StatusCode::OK, self.counts().await)),
            _ => None,
        };
        if let Some(answer) = health {
            return answer;
        }
        let origin = match self.front.admits(&request) {
            Ok(origin) => origin,
            Err(trouble) => {
                let is_message = path == self.front.path();
                return self.metrics.counted(match is_message {
                    true => refusal(StatusCode::FORBIDDEN, (FORBIDDEN, trouble, None), None),
                    false => plain(StatusCode::FORBIDDEN, trouble),
                });
            }
        };
        if let Some(page) = &self.page
            && page.place().below(&path).is_some()
        {
            // Nobody else's page may read it, or have it do anything.
            return self.metrics.counted(self.browse(page, request, place).await);
        }
        let mut answer = match request.method() {
            &Method::OPTIONS if origin.is_some() => plain(StatusCode::NO_CONTENT, ""),
            &Method::GET | &Method::HEAD if self.challenge.is_at(&path) => {
                self.challenge.metadata()
            }
            _ if path == self.front.path() => self.enter(request, place).await,
            _ => plain(StatusCode::NOT_FOUND, "there is nothing here\n"),
        };
        // Nobody between keeps what was told to one.
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.metrics.counted(front::shared(answer, origin))
    }

    /// All counts, as Prometheus reads them.
    async fn counts(&self) -> String {
        let backlogs = self.desk.backlogs().await;
        self.metrics.text(&self.limits) + &metrics::notices(&backlogs, jiff::Timestamp::now())
    }

    /// Whether it can serve: tokens can be checked, and the ledger be read. How safe a line is there is said,
    /// and keeps nobody from serving.
    async fn ready(&self) -> Response<Body> {
        let trouble = if self.shutdown.asked.is_cancelled() {
            "it is ending\n"
        } else if !self.identity.is_ready() {
            "the keys of an issuer are not held\n"
        } else if self.desk.ledger().requests().await.is_err() {
            "the ledger cannot be read\n"
        } else if let Err(failure) = self.desk.ledger().is_fit().await {
            tracing::warn!(target: "grantor", %failure, "no line can be added to the ledger");
            "no line can be added to the ledger\n"
        } else {
            let warning = match self.desk.ledger().durability().await {
                Ok(Some(durability)) => durability.warning(),
                Ok(None) | Err(_) => None,
            };
            let said = warning.map_or_else(String::new, |warning| format!("{warning}\n"));
            return plain(StatusCode::OK, format!("ok\n{said}"));
        };
        plain(StatusCode::SERVICE_UNAVAILABLE, trouble)
    }

    /// A request to the page, which says itself who is asked who they are.
    async fn browse(
        &self,
        page: &Arc<Page>,
        request: Request<Incoming>,
        place: &ConnectionSlot,
    ) -> Response<Body> {
        if self.shutdown.asked.is_cancelled() {
            return later(StatusCode::SERVICE_UNAVAILABLE, SOON, "this server is ending\n");
        }
        let Ok(visitor) = page.visitor(&request).await else {
            let why = "it cannot be told now who you are\n";
            return later(StatusCode::SERVICE_UNAVAILABLE, SOON, why);
        };
        if visitor.name().is_some() {
            place.know();
        }
        // A person's page is not kept busy by their assistant, nor anybody's by strangers, who send nothing here.
        let admit = |who: &str| self.limits.admit(&format!("{who} in a browser"));
        let slot = visitor.name().map(admit).transpose();
        let Ok(slot) = slot else {
            let why = "too much is asked at once\n";
            return later(StatusCode::TOO_MANY_REQUESTS, SOON, why);
        };
        // A task of its own: what is decided is done, though the browser goes, and a panic in it is an answer.
        let page = page.clone();
        match tokio::spawn(async move { page.answer(request, visitor).await }).await {
            Ok(answer) => answer.map(|body| match slot {
                Some(slot) => limits::Held::new(body.boxed(), slot).boxed(),
                None => body.boxed(),
            }),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "this went wrong here\n"),
        }
    }

    /// A request to the MCP endpoint: who calls, whether it is too much, and then what they ask for.
    async fn enter(&self, request: Request<Incoming>, place: &ConnectionSlot) -> Response<Body> {
        if self.shutdown.asked.is_cancelled() {
            return later(StatusCode::SERVICE_UNAVAILABLE, SOON, "this server is ending\n");
        }
        let bearer = match self.bearer(&request).await {
            Ok(bearer) => bearer,
            Err(answer) => return *answer,
        };
        place.know();
        if !Needs::Read.are_met(bearer.rights) {
            return self.challenge.insufficient(Needs::Read, &bearer.scopes, None);
        }
        if request.method() != Method::POST {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "POST is all there is\n");
            answer.headers_mut().insert("allow", HeaderValue::from_static("POST"));
            return answer;
        }
        match self.limits.admit(bearer.requester.name()) {
            Ok(slot) => self.serve(request, bearer, slot).await,
            Err(limits::TooMuch::OfCaller(wait)) => {
                // Who floods waits for each no, and leaves others the time: few at once, who take nobody's place.
                if let Ok(_waiting) = self.refusals.try_acquire() {
                    tokio::time::sleep(PAUSE).await;
                }
                later(StatusCode::TOO_MANY_REQUESTS, wait, "this caller asks too much at once\n")
            }
            Err(limits::TooMuch::OfAll) => {
                later(StatusCode::SERVICE_UNAVAILABLE, SOON, "too much is asked at once\n")
            }
        }
    }

    async fn bearer(&self, request: &Request<Incoming>) -> Result<Bearer, Box<Response<Body>>> {
        let mut given = request.headers().get_all(AUTHORIZATION).iter();
        let token = match (given.next(), given.next()) {
            (None, _) => return Err(Box::new(self.challenge.unknown())),
            (Some(only), None) => challenge::token(only.to_str().unwrap_or_default()),
            (Some(_), Some(_)) => None,
        };
        let Some(token) = token else {
            self.metrics.rejected();
            return Err(Box::new(self.challenge.invalid("it is no bearer token")));
        };
        let checked = self.identity.check(token).await;
        checked.map_err(|rejected| {
            self.metrics.rejected();
            Box::new(match rejected {
                Rejected::Invalid(why) => {
                    tracing::info!(target: "grantor", why, "a token does not count");
                    self.challenge.invalid(why)
                }
                Rejected::Unavailable => later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    SOON,
                    "the issuer's keys cannot be had\n",
                ),
            })
        })
    }

    /// What somebody who may call asks for.
    async fn serve(
        &self,
        request: Request<Incoming>,
        bearer: Bearer,
        slot: Arc<Slot>,
    ) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let message = match self.read(body).await {
            Ok(message) => message,
            Err(answer) => return *answer,
        };
        let needs = scope::needs(&message);
        if !needs.are_met(bearer.rights) {
            return self.challenge.insufficient(needs, &bearer.scopes, id(&message));
        }
        let (requester, ledger) = (bearer.requester, self.desk.ledger());
        let entered = self.sessions.enter(&mut parts.headers, &message, &requester, ledger).await;
        match entered {
            Ok(Some(session)) => drop(parts.extensions.insert(session)),
            Ok(None) => {}
            Err(sessions::NotThere) => {
                let why = (NO_SESSION, "there is no such session", None);
                return refusal(StatusCode::NOT_FOUND, why, id(&message));
            }
        }
        // What was judged is what is served: rmcp reads what was read here, written anew.
        let Ok(body) = serde_json::to_vec(&message) else {
            return plain(StatusCode::BAD_REQUEST, "the message cannot be read\n");
        };
        parts.headers.remove(AUTHORIZATION);
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        parts.extensions.insert(requester.clone());
        parts.extensions.insert(slot.clone());
        let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
        let mut answer = (self.mcp)(request).await;
        if let Some(session) = Session::begun_by(&message) {
            answer = self.sessions.begin(session, &requester, ledger, answer).await;
        }
        if let Some(BrokenOff { has_begun }) = slot.broken_off() {
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            // What has begun is not to be sent again by a program that only reads this.
            if !has_begun {
                answer.headers_mut().insert(RETRY_AFTER, SOON.into());
            }
        }
        answer.map(|body| limits::Held::new(body, slot).boxed())
    }

    /// The message that a body holds, or what is answered where it holds none.
    async fn read(&self, body: Incoming) -> Result<Box<ClientJsonRpcMessage>, Box<Response<Body>>> {
        let most = self.limits.most();
        let read = http_body_util::Limited::new(body, most.body_limit).collect();
        let refused = |status, why: &'static str| Err(Box::new(plain(status, why)));
        let body = match tokio::time::timeout(most.body_timeout, read).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                let why = format!("the body is larger than {} bytes\n", most.body_limit);
                return Err(Box::new(plain(StatusCode::PAYLOAD_TOO_LARGE, why)));
            }
            Ok(Err(_)) => return refused(StatusCode::BAD_REQUEST, "the body did not come whole\n"),
            Err(_) => return refused(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
        };
        match understand(&body) {
            Line::Message(message) => Ok(message),
            Line::Wrong { id, error } => Err(Box::new(wrong(StatusCode::BAD_REQUEST, id, error))),
            Line::Nothing => refused(StatusCode::BAD_REQUEST, "a message is missing\n"),
        }
    }
}

/// The id of a message that is to be answered.
fn id(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}
