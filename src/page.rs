//! The page where people see and approve what assistants ask for.
//!
//! Rendered here, whole without a script, for whoever has logged in at an issuer. What is seen, approved, denied
//! and withdrawn the desk says; this shows it, and makes sure that a decision is that of the person who was shown
//! the question.
//!
//! - `place` is its addresses; `reply` what every answer says of itself; `html` the one way from text to markup.
//! - `login` and `sessions` say who sits before the browser, and `together` where that is known: in this process, or in
//!   what replicas `shared` have; `seal` what a browser holds for us and brings back;
//!   `rates` how often either is tried.
//! - `frame`, `lists`, `request` and `access` are what is shown; `decide` takes a decision.

mod access;
mod decide;
mod form;
mod frame;
mod html;
mod lists;
mod login;
mod place;
mod rates;
mod reply;
mod request;
mod seal;
mod sessions;
mod shared;
mod together;
mod viewers;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio_util::task::TaskTracker;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::identity::Identity;
use form::Fields;
pub use place::PageUrls;
use rates::{FORMS, Rates};
use reply::Reply;
use seal::Seals;
use sessions::{Session, Sessions};
use together::Together;
pub use together::Visitor;
use viewers::Viewers;

/// What the page is made of.
pub struct Page {
    desk: Arc<Desk>,
    identity: Arc<Identity>,
    place: PageUrls,
    seals: Seals,
    sessions: Sessions,
    viewers: Viewers,
    rates: Rates,
    together: Together,
    /// What goes on after its answer: the process waits for it at its end.
    works: TaskTracker,
}

/// One request of a browser.
struct Visit {
    method: Method,
    headers: HeaderMap,
    /// The path below the page's own.
    below: String,
    query: Fields,
    asked: Option<String>,
    session: Option<Arc<Session>>,
}

/// The largest form that is read, and how long reading it may take.
const LARGEST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
const STYLE_AT: &str = "style.css";
const STYLE: &str = include_str!("page/style.css");

impl Page {
    /// `works` is told of what goes on after an answer.
    pub fn new(
        desk: Arc<Desk>,
        identity: Arc<Identity>,
        place: PageUrls,
        works: TaskTracker,
    ) -> Self {
        let (seals, sessions, viewers, rates, together) = Default::default();
        Self { desk, identity, place, seals, sessions, viewers, rates, together, works }
    }

    pub fn place(&self) -> &PageUrls {
        &self.place
    }

    /// The answer to one request of a visitor, whatever it is.
    pub async fn answer<B>(&self, request: Request<B>, visitor: Visitor) -> Response<Full<Bytes>>
    where
        B: Body<Data: Send, Error: Display + Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        let (parts, body) = request.into_parts();
        let below = self.place.below(parts.uri.path()).unwrap_or_default().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let visit = Visit {
            session: visitor.session(),
            query: Fields::of(query.as_bytes()),
            asked: parts.uri.path_and_query().map(|asked| asked.as_str().to_owned()),
            method: parts.method,
            headers: parts.headers,
            below,
        };
        let reply = match visit.method {
            Method::GET | Method::HEAD => self.show(&visit).await,
            Method::POST => self.take(&visit, body).await,
            _ => {
                let says = ["GET and POST are all there is."];
                self.notice(&visit, StatusCode::METHOD_NOT_ALLOWED, "Not here", &says)
            }
        };
        reply.finish()
    }

    /// Shows something. Nothing that is decided or logged out hangs on it, however often it is asked for.
    async fn show(&self, visit: &Visit) -> Reply {
        if visit.below == STYLE_AT {
            return Reply::style(STYLE);
        }
        if !self.place.is_asked(&visit.headers) {
            // Cookies are of one host: a log-in begun at another name of this machine would not end here.
            let to = visit.asked.as_deref().unwrap_or_default();
            let (path, query) = to.split_once('?').unwrap_or((to, ""));
            let below = self.place.below(path).unwrap_or_default();
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            return Reply::lead(format!("{}{query}", self.place.url(below)));
        }
        match visit.below.as_str() {
            "login" => return self.begin_login(visit).await,
            login::BACK => return self.end_login(visit).await,
            _ => {}
        }
        let Some(session) = visit.session.clone() else {
            return self.door(visit, StatusCode::OK, None);
        };
        let now = crate::clock::now();
        let shown = match visit.below.as_str() {
            "" => self.waiting(visit, &session.who, now).await,
            "mine" | "decided" | "due" | "history" => self.past(visit, &session.who, now).await,
            "access" => self.access(visit, &session.who, now).await,
            receipt if is_receipt(receipt) => self.request(visit, &session, receipt, None).await,
            _ => Ok(self.nothing_here(visit)),
        };
        shown.unwrap_or_else(|failure| self.failed(visit, &failure))
    }

    /// Takes a form: from a page of its own, of a session that is good, with the seal that was in it.
    async fn take<B>(&self, visit: &Visit, body: B) -> Reply
    where
        B: Body<Data: Send, Error: Display + Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        if !self.place.is_origin_of(&visit.headers) {
            let says = ["This was not sent from a page of this server. Nothing was decided."];
            return self.notice(visit, StatusCode::FORBIDDEN, "Not taken", &says);
        }
        // Nobody's form is read who has not logged in.
        let Some(session) = visit.session.clone() else {
            let visit = visit.again(&visit.below);
            let says =
                "You are not logged in any more, and nothing was decided. Log in and look again.";
            return self.door(&visit, StatusCode::FORBIDDEN, Some(says));
        };
        let read = tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
        let Ok(Ok(body)) = read else {
            let says = ["What was sent did not come whole. Nothing was decided."];
            return self.notice(visit, StatusCode::BAD_REQUEST, "Not taken", &says);
        };
        let fields = Fields::of(&body.to_bytes());
        let seal = fields.get("seal").unwrap_or_default();
        match visit.below.as_str() {
            "logout" if self.seals.is_of_form(seal, &session.id, "", "logout") => {
                self.log_out(visit).await
            }
            receipt if is_receipt(receipt) => {
                match self.admit(session.who.name(), FORMS).await {
                    Ok(Ok(())) => {}
                    Ok(Err(wait)) => return self.too_often(visit, wait),
                    Err(failure) => return self.failed(visit, &failure),
                }
                let digest = fields.get("digest").unwrap_or_default();
                if self.seals.is_of_form(seal, &session.id, receipt, digest) {
                    self.decide(visit, &session, receipt, &fields).await
                } else {
                    self.stolen(visit)
                }
            }
            _ => self.stolen(visit),
        }
    }

    /// Too many forms, or log-ins.
    fn too_often(&self, visit: &Visit, wait: u64) -> Reply {
        let says = [
            "This was tried too often in a short time. Nothing was decided.",
            "Wait a moment, and try again.",
        ];
        self.notice(visit, StatusCode::TOO_MANY_REQUESTS, "Too often", &says).later(wait)
    }

    /// A form that was not made for this session, or not for this.
    fn stolen(&self, visit: &Visit) -> Reply {
        let says = [
            "This form was not made for you, or you have logged in anew since. Nothing was decided.",
            "Open the request again and answer what you see then.",
        ];
        self.notice(visit, StatusCode::FORBIDDEN, "Not taken", &says)
    }

    /// Why something cannot be shown.
    fn failed(&self, visit: &Visit, failure: &Failure) -> Reply {
        let status = match failure.kind {
            Kind::Invalid | Kind::Ambiguous => StatusCode::BAD_REQUEST,
            Kind::Refused => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let hint = failure.hint.as_deref().unwrap_or_default();
        self.notice(visit, status, "It cannot be shown", &[&failure.message, hint])
    }
}

impl Visit {
    /// What somebody wanted to see who has to log in first.
    fn wanted(&self, place: &PageUrls) -> String {
        let asked = self.asked.as_deref().filter(|_| self.method == Method::GET);
        match self.below.as_str() {
            "login" | login::BACK | "logout" => place.path(""),
            below => place.led_back(Some(asked.unwrap_or(&place.path(below)))),
        }
    }

    /// The same browser at another page, where it is not to be led back to this one.
    fn again(&self, below: &str) -> Self {
        Self {
            method: Method::POST,
            headers: self.headers.clone(),
            below: below.to_owned(),
            query: Fields::default(),
            asked: None,
            session: None,
        }
    }
}

/// Whether a path may name a request or a change.
fn is_receipt(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    text.starts_with("gr-") && text.len() <= 64 && text.chars().all(fits)
}
