//! Who has logged in: a browser holds the name of its session, and all else stays here. A session that is ended is
//! gone. In memory they are this process's and end with it; replicas that share a ledger share them too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seal::Begun;
use crate::random;
use crate::requester::{Caller, Requester};

/// Somebody who has logged in with one browser.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) who: Requester,
    /// When they proved to their issuer who they are, in seconds since 1970, where it says so.
    authenticated_at: Option<i64>,
    begun: i64,
}

/// Those of this process, where no other has the same ledger.
#[derive(Default)]
pub(super) struct Sessions {
    all: Mutex<HashMap<String, Arc<Session>>>,
    /// Log-ins that a browser has come back from, and until when it could once more.
    tried: Mutex<HashMap<String, i64>>,
}

/// How long one lasts, in seconds: what an issuer says of somebody, such as their groups, is no older.
pub(super) const LASTS: i64 = 60 * 60;
/// How long ago somebody may have proved who they are for what takes a fresh log-in, in seconds.
const FRESH: i64 = 5 * 60;
/// How far an issuer's clock may be ahead, in seconds.
const AHEAD: i64 = 30;
/// As many of one person at a time; the oldest goes.
pub(super) const MOST_OF_ONE: usize = 10;
const MOST: usize = 10_000;

impl Sessions {
    /// A new one, under a name that nobody has had before.
    pub(super) fn begin(
        &self,
        who: Requester,
        authenticated_at: Option<i64>,
        now: i64,
    ) -> Arc<Session> {
        let session = Arc::new(Session::new(random::id(), who, authenticated_at, now));
        let mut all = self.all();
        all.retain(|_, one| one.is_good(now));
        let of_one = |one: &&Arc<Session>| one.who.name() == session.who.name();
        if all.values().filter(of_one).count() >= MOST_OF_ONE {
            drop_oldest(&mut all, |one| one.who.name() == session.who.name());
        }
        if all.len() >= MOST {
            drop_oldest(&mut all, |_| true);
        }
        all.insert(session.id.clone(), session.clone());
        session
    }

    pub(super) fn find(&self, id: &str, now: i64) -> Option<Arc<Session>> {
        self.all().get(id).filter(|session| session.is_good(now)).cloned()
    }

    pub(super) fn end(&self, id: &str) {
        self.all().remove(id);
    }

    /// Whether a browser comes back from this log-in for the first time.
    pub(super) fn first_time(&self, begun: &Begun, now: i64) -> bool {
        let (secret, until) = begun.mark();
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|_, until| now <= *until);
        tried.insert(secret.to_owned(), until).is_none()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_oldest(all: &mut HashMap<String, Arc<Session>>, among: impl Fn(&Session) -> bool) {
    let oldest = all.values().filter(|one| among(one)).min_by_key(|one| one.begun);
    if let Some(id) = oldest.map(|one| one.id.clone()) {
        all.remove(&id);
    }
}

impl Session {
    pub(super) fn new(
        id: String,
        who: Requester,
        authenticated_at: Option<i64>,
        begun: i64,
    ) -> Self {
        Self { id, who, authenticated_at, begun }
    }

    /// Whom an issuer calls them, and what else there is to keep; nobody else has logged in.
    pub(super) fn told(&self) -> Option<(Caller, Option<i64>, i64)> {
        Some((self.who.caller()?.clone(), self.authenticated_at, self.begun))
    }

    pub(super) fn is_good(&self, now: i64) -> bool {
        now < self.begun + LASTS
    }

    /// Whether they proved a moment ago who they are.
    pub(super) fn is_fresh(&self, now: i64) -> bool {
        self.authenticated_at.is_some_and(|at| at <= now + AHEAD && now < at + FRESH)
    }

    /// Whether their issuer says when they proved it.
    pub(super) fn is_dated(&self) -> bool {
        self.authenticated_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Requester {
        Requester::named(name)
    }

    #[test]
    fn a_session_ends_by_itself_or_when_it_is_ended() {
        let sessions = Sessions::default();
        let one = sessions.begin(who("ada"), None, 0);
        let other = sessions.begin(who("ada"), None, 0);
        assert_ne!(one.id, other.id);
        assert!(sessions.find(&one.id, LASTS - 1).is_some());
        assert!(sessions.find(&one.id, LASTS).is_none());
        sessions.end(&one.id);
        assert!(sessions.find(&one.id, 1).is_none() && sessions.find(&other.id, 1).is_some());
        assert!(sessions.find("", 1).is_none());
    }

    #[test]
    fn one_person_has_some_at_a_time() {
        let sessions = Sessions::default();
        let first = sessions.begin(who("ada"), None, 0);
        let eve = sessions.begin(who("eve"), None, 0);
        for at in 0..10 {
            sessions.begin(who("ada"), None, at + 1);
        }
        assert!(sessions.find(&first.id, 10).is_none());
        assert!(sessions.find(&eve.id, 10).is_some());
        assert_eq!(sessions.all().len(), MOST_OF_ONE + 1);
    }

    #[test]
    fn fresh_is_what_an_issuer_says_was_a_moment_ago() {
        let sessions = Sessions::default();
        for (at, now, is_fresh) in [
            (None, 0, false),
            (Some(0), 0, true),
            (Some(0), FRESH - 1, true),
            (Some(0), FRESH, false),
            (Some(AHEAD), 0, true),
            (Some(AHEAD + 1), 0, false),
            (Some(i64::MAX - 600), 0, false),
        ] {
            assert_eq!(sessions.begin(who("a"), at, 0).is_fresh(now), is_fresh, "{at:?} {now}");
        }
    }
}
