//! What replicas share of the page, where their ledger is one: sessions, log-ins that were tried, who looks at what,
//! and how often somebody tries.
//!
//! Whoever reads it can use none of it: a session is found by a hash of its name, and the name alone is what a
//! browser shows. Whoever writes there and does not have the ledger's key makes none that counts.

use std::time::Duration;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::rates::Rate;
use super::seal::{Begun, over, same};
use super::sessions::{LASTS, MOST_OF_ONE, Session};
use super::viewers::LOOKS;
use crate::failure::Failure;
use crate::ledger::{Kept, Ledger};
use crate::random;
use crate::requester::{Caller, Requester};

pub(super) struct Shared {
    kept: Kept,
    key: hmac::Key,
}

/// A session as it is kept, under its seal.
#[derive(Serialize, Deserialize)]
struct Written {
    who: Caller,
    authenticated_at: Option<i64>,
    begun: i64,
}

/// What the ledger's key is used for here.
const PURPOSE: &str = "page";
const SESSION: &str = "page-session";
const TRIED: &str = "page-login";
const LOOKING: &str = "page-looking";
const RATE: &str = "page-rate";
/// Over how many seconds it is counted how often somebody tries, and how often counting is tried.
const WINDOW: i64 = 60;
const TRIES: usize = 5;
/// As much of a hash as tells people apart.
const TAG: usize = 16;

impl Shared {
    /// What is shared by all who have this ledger, where there may be several.
    ///
    /// # Errors
    /// The ledger's key cannot be read.
    pub(super) async fn of(ledger: &Ledger) -> Result<Option<Self>, Failure> {
        let Some(kept) = ledger.kept_by_all() else { return Ok(None) };
        let secret = ledger.seal(PURPOSE, &[]).await?;
        Ok(Some(Self { kept, key: hmac::Key::new(hmac::HMAC_SHA256, &secret) }))
    }

    pub(super) fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// A new session, under a name that nobody has had before; of one person the oldest goes where there are many.
    pub(super) async fn begin(
        &self,
        who: Requester,
        authenticated_at: Option<i64>,
        begun: i64,
    ) -> Result<Session, Failure> {
        let tag = self.tag(who.name());
        let others = self.kept.list(SESSION, &format!("{tag}.")).await?;
        if others.len() >= MOST_OF_ONE {
            let begun =
                |(key, text): &(String, String)| self.opened(key, text).map(|one| one.begun);
            if let Some((oldest, _)) = others.iter().min_by_key(|one| begun(one)) {
                self.kept.take(SESSION, oldest).await?;
            }
        }
        let session = Session::new(format!("{tag}-{}", random::id()), who, authenticated_at, begun);
        let key = self.named(&session.id);
        if let Some(text) = self.written(&key, &session) {
            let lasts = Duration::from_secs(LASTS.unsigned_abs());
            self.kept.put((SESSION, &key), &text, lasts).await?;
        }
        Ok(session)
    }

    pub(super) async fn find(&self, id: &str) -> Result<Option<Session>, Failure> {
        let key = self.named(id);
        let Some(text) = self.kept.get(SESSION, &key).await? else { return Ok(None) };
        Ok(self.opened(&key, &text).map(|Written { who, authenticated_at, begun }| {
            Session::new(id.to_owned(), Requester::calling(who), authenticated_at, begun)
        }))
    }

    pub(super) async fn end(&self, id: &str) -> Result<(), Failure> {
        self.kept.take(SESSION, &self.named(id)).await.map(drop)
    }

    /// Whether a browser comes back from this log-in for the first time, at whichever replica.
    pub(super) async fn first_time(&self, begun: &Begun, now: i64) -> Result<bool, Failure> {
        let (secret, until) = begun.mark();
        let lasts = Duration::from_secs((until - now).max(1).unsigned_abs());
        let key = over(&self.key, &["tried", secret]);
        self.kept.swap((TRIED, &key), (None, ""), lasts).await
    }

    /// The others who look at a request; from now on `who` does as well.
    pub(super) async fn looking(&self, receipt: &str, who: &str) -> Result<Vec<String>, Failure> {
        let mut others = self.kept.list(LOOKING, &format!("{receipt}/")).await?;
        others.retain(|(_, name)| name != who);
        let key = format!("{receipt}/{}", self.tag(who));
        let lasts = Duration::from_secs(LOOKS.unsigned_abs());
        self.kept.put((LOOKING, &key), who, lasts).await?;
        Ok(others.into_iter().map(|(_, name)| name).collect())
    }

    /// Takes one of what may be done in a while by all replicas together; in how many seconds the next may come
    /// where it is too much.
    pub(super) async fn take(
        &self,
        what: &str,
        rate: Rate,
        now: i64,
    ) -> Result<Result<(), u64>, Failure> {
        let most = rate.most_in(WINDOW);
        let key = format!("{}.{}", self.tag(what), now / WINDOW);
        for _ in 0..TRIES {
            let before = self.kept.get(RATE, &key).await?;
            let count = before.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
            if count >= most {
                return Ok(Err((WINDOW - now % WINDOW).unsigned_abs()));
            }
            let next = (count + 1).to_string();
            let lasts = Duration::from_secs(2 * WINDOW.unsigned_abs());
            if self.kept.swap((RATE, &key), (before.as_deref(), &next), lasts).await? {
                return Ok(Ok(()));
            }
        }
        // Many count at the same moment: each replica's own bounds hold.
        Ok(Ok(()))
    }

    /// Takes out what is over.
    pub(super) async fn sweep(&self) -> Result<(), Failure> {
        self.kept.sweep().await
    }

    /// The place of a session: whose it is, as a hash, and a hash of its name.
    fn named(&self, id: &str) -> String {
        let tag = id.split_once('-').map_or("", |(tag, _)| tag);
        format!("{tag}.{}", over(&self.key, &["name", id]))
    }

    fn tag(&self, who: &str) -> String {
        over(&self.key, &["who", who]).chars().take(TAG).collect()
    }

    fn written(&self, key: &str, session: &Session) -> Option<String> {
        let (who, authenticated_at, begun) = session.told()?;
        let text = serde_json::to_string(&Written { who, authenticated_at, begun }).ok()?;
        Some(format!("{}{text}", self.seal(key, &text)))
    }

    fn opened(&self, key: &str, sealed: &str) -> Option<Written> {
        let (seal, text) = sealed.split_at_checked(64)?;
        same(seal, &self.seal(key, text)).then(|| serde_json::from_str(text).ok()).flatten()
    }

    fn seal(&self, key: &str, text: &str) -> String {
        over(&self.key, &["session", key, text])
    }
}
