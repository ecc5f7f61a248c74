//! Where it is known who sits before a browser: in this process, or with all replicas that share a ledger.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Request;
use tokio::sync::OnceCell;

use super::form::cookie;
use super::rates::Rate;
use super::seal::Begun;
use super::sessions::Session;
use super::shared::Shared;
use super::{Page, STYLE_AT, Visit};
use crate::clock;
use crate::failure::Failure;
use crate::identity::LoggedIn;
use crate::ledger::Durability;

/// What is shared with other replicas, and what is to be said of where the ledger is.
#[derive(Default)]
pub(super) struct Together {
    shared: OnceCell<Option<Shared>>,
    warned: Mutex<Option<(Instant, Option<&'static str>)>>,
}

/// Whoever sits before a browser, as far as that is known.
pub struct Visitor(Option<Arc<Session>>);

/// How long what a database says of itself is taken to be so.
const SAID: Duration = Duration::from_secs(60);
const NOT_KEPT: &str = "This server’s database does not wait for its disk: what is decided here can be lost in a \
                        crash. Whoever administers it can change that.";
const ALONE: &str = "This server’s record is on one machine alone: if that is lost, the newest decisions are too. \
                     Whoever administers its database can have another one waited for.";

impl Visitor {
    /// Their name, where they have logged in.
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|session| session.who.name())
    }

    pub(super) fn session(self) -> Option<Arc<Session>> {
        self.0
    }
}

impl Page {
    /// Who sits before a browser.
    ///
    /// # Errors
    /// It cannot be told now.
    pub async fn visitor<B>(&self, request: &Request<B>) -> Result<Visitor, Failure> {
        if self.place.below(request.uri().path()) == Some(STYLE_AT) {
            return Ok(Visitor(None));
        }
        let shared = self.shared().await?;
        let Some(id) = cookie(request.headers(), self.place.session_cookie()) else {
            return Ok(Visitor(None));
        };
        let now = clock::now().as_second();
        let found = match shared {
            Some(shared) => shared.find(&id).await?.filter(|one| one.is_good(now)).map(Arc::new),
            None => self.sessions.find(&id, now),
        };
        if found.is_some() {
            self.ask_of_the_store().await;
        }
        Ok(Visitor(found))
    }

    /// What replicas share, where there may be several; from then on seals are theirs, too.
    async fn shared(&self) -> Result<Option<&Shared>, Failure> {
        let ledger = self.desk.ledger();
        let found = self.together.shared.get_or_try_init(|| async {
            let shared = Shared::of(ledger).await?;
            if let Some(shared) = &shared {
                self.seals.share(shared.key());
            }
            Ok::<_, Failure>(shared)
        });
        Ok(found.await?.as_ref())
    }

    /// A session of somebody who has just logged in; the one that their browser had is over.
    pub(super) async fn begin_session(
        &self,
        before: Option<&Session>,
        who: LoggedIn,
        now: i64,
    ) -> Result<Arc<Session>, Failure> {
        if let Some(before) = before {
            self.end_session(before).await?;
        }
        let LoggedIn { requester, authenticated_at } = who;
        match self.shared().await? {
            Some(shared) => {
                // What is over is taken out now and then, and nothing hangs on it.
                if let Err(failure) = shared.sweep().await {
                    tracing::debug!(%failure, "what is over stays");
                }
                shared.begin(requester, authenticated_at, now).await.map(Arc::new)
            }
            None => Ok(self.sessions.begin(requester, authenticated_at, now)),
        }
    }

    pub(super) async fn end_session(&self, session: &Session) -> Result<(), Failure> {
        match self.shared().await? {
            Some(shared) => shared.end(&session.id).await,
            None => {
                self.sessions.end(&session.id);
                Ok(())
            }
        }
    }

    /// Whether a browser comes back from this log-in for the first time.
    pub(super) async fn comes_back_first(&self, begun: &Begun, now: i64) -> Result<bool, Failure> {
        match self.shared().await? {
            Some(shared) => shared.first_time(begun, now).await,
            None => Ok(self.sessions.first_time(begun, now)),
        }
    }

    /// The others who look at a request; from now on whoever visits does as well.
    pub(super) async fn looking(&self, session: &Session, receipt: &str) -> Vec<String> {
        let name = session.who.name();
        match self.shared().await {
            // It is a courtesy, and no reason to show nothing.
            Ok(Some(shared)) => shared.looking(receipt, name).await.unwrap_or_default(),
            Ok(None) => self.viewers.with(receipt, name, clock::now().as_second()),
            Err(_) => Vec::new(),
        }
    }

    /// Takes one of what somebody may do in a while; in how many seconds the next may come where it is too much.
    ///
    /// # Errors
    /// It cannot be told now.
    pub(super) async fn admit(&self, who: &str, rate: Rate) -> Result<Result<(), u64>, Failure> {
        if let Err(wait) = self.rates.take(who, rate, Instant::now()) {
            return Ok(Err(wait));
        }
        match self.shared().await? {
            Some(shared) => shared.take(who, rate, clock::now().as_second()).await,
            None => Ok(Ok(())),
        }
    }

    /// Asks now and then how safe a line is where the ledger is.
    async fn ask_of_the_store(&self) {
        let known = self.together.said().map(|(at, _)| at);
        if known.is_some_and(|at| at.elapsed() < SAID) {
            return;
        }
        let said = self.desk.ledger().durability().await.ok().flatten().and_then(told);
        *self.together.warned.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), said));
    }

    /// What whoever decides should know of where their decisions are kept.
    pub(super) fn said_of_the_store(&self, visit: &Visit) -> Option<&'static str> {
        visit.session.as_ref()?;
        self.together.said()?.1
    }
}

impl Together {
    fn said(&self) -> Option<(Instant, Option<&'static str>)> {
        *self.warned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A plain sentence on how safe a line is, where one could be lost.
fn told(found: Durability) -> Option<&'static str> {
    match found {
        Durability { is_kept: false, .. } => Some(NOT_KEPT),
        Durability { waits_for_standby: false, .. } => Some(ALONE),
        Durability { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_decides_is_told_where_a_decision_can_be_lost() {
        let found = |is_kept, waits_for_standby| Durability {
            is_kept,
            may_change: false,
            waits_for_standby,
            standbys: 0,
        };
        assert_eq!(told(found(true, true)), None);
        assert_eq!(told(found(true, false)), Some(ALONE));
        assert_eq!(told(found(false, true)), Some(NOT_KEPT));
    }
}
