//! Logging in and out.

use hyper::StatusCode;

use super::form::cookie;
use super::html::{Html, html};
use super::rates::LOGINS;
use super::reply::Reply;
use super::seal::Begun;
use super::sessions::LASTS;
use super::{Page, Visit};
use crate::clock;
use crate::identity::{Answered, LoginError};
use crate::text;

/// Where an issuer sends a browser back to.
pub(super) const BACK: &str = "back";
/// Whose log-ins are counted: everybody's together.
const ALL: &str = "";
/// What a browser keeps of a log-in that it has begun, in seconds.
const BEGUN: i64 = 15 * 60;

impl Page {
    /// The page of somebody of whom it is not known who they are. Nothing is told of what they asked for.
    pub(super) fn door(&self, visit: &Visit, status: StatusCode, says: Option<&str>) -> Reply {
        let mut content = Html::default();
        if let Some(says) = says {
            html!(content; "<p class=\"alert\" role=\"alert\">" (says) "</p>\n");
        }
        html!(content; "<p>Here people see and approve what assistants ask for. Your company’s log-in says who you are.</p>\n\
            <p class=\"actions\">\n");
        let names: Vec<_> = self.identity.logins().collect();
        for name in &names {
            let query = format!(
                "login?issuer={}&to={}",
                text::encode(name),
                text::encode(&visit.wanted(&self.place))
            );
            html!(content; "<a class=\"button\" href=\"" (self.place.path(&query)) "\">Log in");
            if names.len() > 1 {
                html!(content; " at " (name));
            }
            html!(content; "</a>\n");
        }
        html!(content; "</p>\n");
        self.framed(visit, status, "Log in", content)
    }

    /// Sends a browser to its issuer. It decides nothing, whoever follows the link.
    pub(super) async fn begin_login(&self, visit: &Visit) -> Reply {
        let name = visit.query.get("issuer").unwrap_or_default();
        let to = self.place.led_back(visit.query.get("to"));
        let begun = Begun::now(name, &to, clock::now().as_second());
        let anew = visit.query.get("anew").is_some();
        let back = self.place.url(BACK);
        match self.identity.login_at(name, &back, &self.seals.once(&begun), anew).await {
            Ok(at) => {
                let kept = self.place.set(&self.place.login_cookie(), &begun.kept(), BEGUN);
                Reply::lead(at.into()).with(kept)
            }
            Err(error) => self.no_login(visit, &error),
        }
    }

    /// A browser comes back from its issuer. Whoever it shows has a session of a new name from then on; one
    /// that the browser brought is ended, whosever it was.
    pub(super) async fn end_login(&self, visit: &Visit) -> Reply {
        let now = clock::now().as_second();
        let kept = cookie(&visit.headers, &self.place.login_cookie());
        let begun = kept.and_then(|kept| Begun::of_kept(&kept, now));
        let Some(begun) = begun else {
            let why = "it was begun in another browser, or too long ago".to_owned();
            return self.no_login(visit, &LoginError::Refused(why));
        };
        if visit.query.get("error").is_some() {
            let why = "the identity provider says no to it".to_owned();
            return self.forgetting(self.no_login(visit, &LoginError::Refused(why)));
        }
        let said = |name: &str| visit.query.get(name).unwrap_or_default().to_owned();
        let issuer = visit.query.get("iss").map(str::to_owned);
        let answered = Answered { code: said("code"), state: said("state"), issuer };
        let (once, back) = (self.seals.once(&begun), self.place.url(BACK));
        // An issuer is asked about each that was begun once, however often a browser comes back with it.
        if once.is_of(&answered.state) {
            match self.admit(ALL, LOGINS).await {
                Ok(Ok(())) => {}
                Ok(Err(wait)) => return self.too_often(visit, wait),
                Err(failure) => return self.failed(visit, &failure),
            }
            match self.comes_back_first(&begun, now).await {
                Ok(true) => {}
                Ok(false) => {
                    let why = "it was tried already".to_owned();
                    return self.forgetting(self.no_login(visit, &LoginError::Refused(why)));
                }
                Err(failure) => return self.failed(visit, &failure),
            }
        }
        match self.identity.logged_in(&begun.issuer, &back, &once, &answered).await {
            Ok(found) => {
                let begun_anew = self.begin_session(visit.session.as_deref(), found, now).await;
                let session = match begun_anew {
                    Ok(session) => session,
                    Err(failure) => return self.failed(visit, &failure),
                };
                let kept = self.place.set(self.place.session_cookie(), &session.id, LASTS);
                let to = self.place.led_back(Some(&begun.to));
                self.forgetting(Reply::lead(to).with(kept))
            }
            Err(error) => self.forgetting(self.no_login(visit, &error)),
        }
    }

    /// Ends a session.
    pub(super) async fn log_out(&self, visit: &Visit) -> Reply {
        if let Some(session) = &visit.session
            && let Err(failure) = self.end_session(session).await
        {
            return self.failed(visit, &failure);
        }
        let gone = self.place.set(self.place.session_cookie(), "", 0);
        let visit = Visit { session: None, ..visit.again("") };
        self.door(
            &visit,
            StatusCode::OK,
            Some("You are logged out here. Your company’s log-in may still know you: end that too on a \
                  computer that others use."),
        )
        .with(gone)
    }

    /// The browser keeps nothing more of the log-in that it has begun.
    fn forgetting(&self, reply: Reply) -> Reply {
        reply.with(self.place.set(&self.place.login_cookie(), "", 0))
    }

    fn no_login(&self, visit: &Visit, error: &LoginError) -> Reply {
        let (status, why) = match error {
            LoginError::Refused(why) => (StatusCode::FORBIDDEN, why),
            LoginError::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        let visit = visit.again("");
        self.door(&visit, status, Some(&format!("You are not logged in: {why}. Please try again.")))
    }
}
