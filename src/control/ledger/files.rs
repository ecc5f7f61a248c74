//! Lines in files of one machine.
//!
//! ```text
//!  Files ──threads, keys──► journal ──lock, append, flush──► segment: lines.jsonl; head: ledger.head
//!                              ├──── index (SQLite) finds; what a line says is read from the line
//!                              └──── presence, locks: files that living processes hold
//! ```
//!
//! All of it waits for a disk, on threads that may.

mod aside;
mod head;
mod index;
mod journal;
mod locks;
mod presence;
mod room;
mod segment;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::OnceCell;

pub use aside::SetAside;
pub use journal::MOVED;
pub(super) use locks::Lock;

use super::audit::{Audit, Head};
use super::chain::{Keys, Link};
use super::entry::Entry;
use super::locks::LockOn;
use super::noted::{Bookmark, NotedPage};
use super::shelf::Changes;
use super::unless::{Objection, Question, Unless};
use super::whose::{Names, Whose};
use super::{Past, PastEntry, PastPage, Record, Request, State, Trouble};
use crate::access::Access;
use crate::control::permit::InFlight;
use crate::control::requester::Requester;
use crate::failure::{Failure, Kind};
use crate::secret::Secret;
use journal::{Journal, Reading};
use locks::Locks;

pub(super) struct Files {
    journal: Arc<Journal>,
    locks: Locks,
    /// Where the keys are kept, if not beside the lines.
    key: Option<Secret>,
    keys: OnceCell<Arc<Keys>>,
    /// The chain of a database that they are the copy of.
    chain: Option<String>,
}

const READ: &str = "cannot be read";
const WRITE: &str = "cannot be written";
const KEY: &str = "has no key";
const NOT_SENT: &str =
    "nothing was sent; make the state directory writable, or set GRANTOR_STATE_DIR";

impl Files {
    pub(super) fn new(dir: &Path, key: Option<Secret>) -> Self {
        let journal = Arc::new(Journal::new(dir));
        Self { journal, locks: Locks::beside(dir), key, keys: OnceCell::new(), chain: None }
    }

    /// The copy of a chain.
    pub(super) fn copy_of(chain: &str, dir: &Path, key: Option<Secret>) -> Self {
        Self { chain: Some(chain.to_owned()), ..Self::new(dir, key) }
    }

    pub(super) fn know(&self, names: Names) {
        self.journal.know(names);
    }

    pub(super) async fn append(
        &self,
        entry: Entry,
        unless: Option<Unless>,
    ) -> Result<Result<(), Objection>, Failure> {
        let comes_after = entry.comes_after();
        let entry = entry.fitted()?;
        let append =
            move |journal: &Journal, keys: &Keys| journal.append(keys, entry, unless.as_ref());
        let added = self.work(append, WRITE).await;
        added.map_err(|failure| {
            failure.or_hint(if comes_after {
                "make the state directory writable, or set GRANTOR_STATE_DIR"
            } else {
                NOT_SENT
            })
        })
    }

    pub(super) async fn record(&self, receipt: &str) -> Result<Option<Record>, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |reading| reading.record(&receipt)).await
    }

    pub(super) async fn request(&self, receipt: &str) -> Result<Option<Request>, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |reading| reading.request(&receipt)).await
    }

    pub(super) async fn changes(
        &self,
        find: Changes,
        most: usize,
    ) -> Result<(Vec<Record>, usize), Failure> {
        self.look(move |journal, keys| {
            let look = |reading: &Reading<'_>| reading.changes(&find, most);
            match find.are_looked_after() {
                true => journal.checked(keys, look),
                false => journal.read(keys, look),
            }
        })
        .await
    }

    pub(super) async fn live_requests(&self, now: Timestamp) -> Result<Vec<Request>, Failure> {
        self.read(move |reading| reading.live_requests(now)).await
    }

    pub(super) async fn past(&self, find: Past, most: usize) -> Result<PastPage, Failure> {
        self.read(move |reading| reading.past(&find, most)).await
    }

    pub(super) async fn entry(&self, receipt: &str) -> Result<Option<PastEntry>, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |reading| reading.entry(&receipt)).await
    }

    pub(super) async fn known_requests(&self, now: Timestamp) -> Result<Vec<Request>, Failure> {
        self.read(move |reading| reading.known_requests(now)).await
    }

    pub(super) async fn same(
        &self,
        question: Question,
        state: State,
    ) -> Result<Option<Request>, Failure> {
        self.read(move |reading| reading.same(&question, state)).await
    }

    pub(super) async fn orphans(
        &self,
        before: Timestamp,
        in_flight: &InFlight,
    ) -> Result<Vec<Record>, Failure> {
        let in_flight = in_flight.clone();
        let look = move |journal: &Journal, keys: &Keys| {
            let is_gone = |process: &str| journal.is_gone(process);
            let orphans = journal.orphans(keys, before, &in_flight, is_gone);
            journal.sweep();
            orphans
        };
        self.look(look).await
    }

    /// The same where these processes live, and no others.
    pub(super) async fn orphans_beside(
        &self,
        living: HashSet<String>,
        before: Timestamp,
        in_flight: &InFlight,
    ) -> Result<Vec<Record>, Failure> {
        let in_flight = in_flight.clone();
        let is_gone = move |process: &str| !living.contains(process);
        self.look(move |journal, keys| journal.orphans(keys, before, &in_flight, is_gone)).await
    }

    /// The last line of the copy that these files are.
    pub(super) async fn last_copied(&self) -> Result<Link, Failure> {
        let journal = self.journal.clone();
        self.blocking(move || journal.last_copied(), READ).await
    }

    /// Adds lines to the copy.
    pub(super) async fn copy(&self, lines: Vec<String>) -> Result<(), Failure> {
        self.work(move |journal, keys| journal.copy(keys, &lines), "cannot be copied").await
    }

    /// The line that an entry becomes, unless what the copy has stands against it.
    pub(super) async fn composed(
        &self,
        entry: &Arc<Entry>,
        unless: &Arc<Option<Unless>>,
        (last, now): (Link, Timestamp),
    ) -> Result<Result<String, Objection>, Failure> {
        let (entry, unless) = (entry.clone(), unless.clone());
        let compose = move |journal: &Journal, keys: &Keys| {
            journal.composed(keys, &entry, unless.as_ref().as_ref(), (&last, now))
        };
        self.work(compose, WRITE).await
    }

    /// Gives every line to whoever takes them over, and then ends.
    pub(super) async fn hand_over(
        &self,
        to: String,
        by: &Requester,
        take: impl FnOnce(Vec<String>) -> io::Result<Link> + Send + 'static,
    ) -> Result<Link, Failure> {
        let by = by.clone();
        let hand_over =
            move |journal: &Journal, keys: &Keys| journal.hand_over(keys, (&to, &by), take);
        let (journal, keys) = (self.journal.clone(), self.known_keys().await?);
        let handed = self.blocking(move || hand_over(&journal, &keys), "is not taken over").await;
        handed.map_err(|failure| failure.or_hint("it is as it was, and goes on here"))
    }

    /// That the last line does not hold its seal under the key that is given.
    pub(super) async fn unsealed_end(&self) -> Result<Option<Trouble>, Failure> {
        let look = |journal: &Journal, keys: &Keys| Ok(journal.goes_on_under(keys).err());
        let found = self.look(look).await?;
        let trouble = |error: io::Error| Trouble {
            place: String::new(),
            what: error.to_string(),
            hash: String::new(),
        };
        Ok(found.map(trouble))
    }

    /// What is to be known of lines here where they are to be looked for in a database that has none.
    pub(super) async fn forgotten(&self) -> Result<Option<Trouble>, Failure> {
        let journal = self.journal.clone();
        self.blocking(move || journal.forgotten(), READ).await
    }

    /// Makes anew what lines are found by.
    pub(super) async fn reindex(&self) -> Result<(), Failure> {
        self.look(Journal::reindex).await
    }

    /// What the lines of this process are marked with.
    pub(super) fn process(&self) -> &str {
        self.journal.process()
    }

    pub(super) async fn given_back(&self, receipt: &str) -> Result<Vec<Access>, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |reading| reading.given_back(&receipt)).await
    }

    pub(super) async fn granted_by(
        &self,
        accesses: Vec<(Whose, [String; 3])>,
    ) -> Result<Vec<Option<String>>, Failure> {
        self.read(move |reading| reading.granted_by(&accesses)).await
    }

    pub(super) async fn was_taken_since(&self, receipt: &str) -> Result<bool, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |reading| reading.was_taken_since(&receipt)).await
    }

    pub(super) async fn count_since(
        &self,
        requester: &str,
        since: Timestamp,
    ) -> Result<u32, Failure> {
        let requester = requester.to_owned();
        self.read(move |reading| reading.count_since(&requester, since)).await
    }

    pub(super) async fn broke_since(&self, since: Timestamp) -> Result<bool, Failure> {
        self.read(move |reading| reading.broke_since(since)).await
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's own path is of one lifetime alone"
    )]
    pub(super) async fn end(&self) -> Result<Bookmark, Failure> {
        self.read(|reading| reading.end()).await
    }

    pub(super) async fn noted(&self, from: Bookmark) -> Result<NotedPage, Failure> {
        self.read(move |reading| reading.noted(&from)).await
    }

    pub(super) async fn lapsed(
        &self,
        within: (Timestamp, Timestamp),
    ) -> Result<Vec<Request>, Failure> {
        self.read(move |reading| reading.lapsed(within)).await
    }

    pub(super) async fn damage(&self, receipt: &str) -> Result<Option<String>, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |reading| reading.damage(&receipt)).await
    }

    pub(super) async fn troubles(&self) -> Result<Vec<Trouble>, Failure> {
        self.look(Journal::troubles).await
    }

    pub(super) async fn audit(
        &self,
        noted: Option<Head>,
        take: impl FnMut(&str, bool) -> io::Result<()> + Send + 'static,
    ) -> Result<Audit, Failure> {
        self.look(move |journal, keys| journal.audit(keys, noted.as_ref(), take)).await
    }

    pub(super) async fn walk(
        &self,
        take: impl FnMut(&str) -> io::Result<bool> + Send + 'static,
    ) -> Result<(), Failure> {
        let journal = self.journal.clone();
        self.blocking(move || journal.walk(take), READ).await
    }

    pub(super) async fn set_aside(&self) -> Result<SetAside, Failure> {
        let journal = self.journal.clone();
        // The key beside the lines was read, and is used from then on.
        let key_stays = self.key.is_none() && self.keys.initialized();
        self.blocking(move || journal.set_aside(key_stays), "cannot be put aside").await
    }

    pub(super) async fn try_writing(&self) -> Result<(), Failure> {
        let journal = self.journal.clone();
        let tried = self.blocking(move || Ok(journal.try_writing()), WRITE).await?;
        tried.map_err(|trouble| Failure::new(Kind::Unavailable, trouble))
    }

    pub(super) fn scarce(&self) -> Option<String> {
        self.journal.scarce()
    }

    pub(super) async fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], Failure> {
        let (purpose, bytes) = (purpose.to_owned(), bytes.to_owned());
        self.work(move |_, keys| keys.seal(&purpose, &bytes), "cannot be sealed").await
    }

    pub(super) fn place(&self) -> String {
        self.journal.path().display().to_string()
    }

    pub(super) fn try_lock(&self, on: LockOn) -> Result<Option<Lock>, Failure> {
        self.locks.try_take(on).map_err(|error| {
            let dir = self.locks.folder().display();
            let said = format!("the ledger's folder {dir} cannot be written: {error}");
            Failure::new(Kind::Unavailable, said).hint(NOT_SENT)
        })
    }

    pub(super) async fn lock(&self, on: LockOn) -> Result<Lock, Failure> {
        let locks = self.locks.clone();
        let locked = tokio::task::spawn_blocking(move || locks.take(on)).await;
        let locked = locked.map_err(io::Error::other).and_then(|locked| locked);
        locked.map_err(|error| Failure::new(Kind::Unavailable, error.to_string()))
    }

    pub(super) fn is_begun(&self) -> bool {
        self.locks.is_begun()
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl Fn(&Reading<'_>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.look(move |journal, keys| journal.read(keys, look)).await
    }

    /// Work that changes nothing, and makes nothing either where there is no ledger.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Journal, &Keys) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let looked = async {
            let (journal, keys) = (self.journal.clone(), self.known_keys().await?);
            self.blocking(move || look(&journal, &keys), READ).await
        };
        looked.await.map_err(|failure| {
            failure.or_hint("make it readable for this user, or set GRANTOR_STATE_DIR")
        })
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal, &Keys) -> io::Result<T> + Send + 'static,
        trouble: &str,
    ) -> Result<T, Failure> {
        let (journal, keys) = (self.journal.clone(), self.keys().await?);
        self.blocking(move || work(&journal, &keys), trouble).await
    }

    /// Tries the keys that there are; makes none where there is no ledger.
    pub(super) async fn try_key(&self) -> Result<(), Failure> {
        let keys = if self.key.is_some() { self.keys().await } else { self.known_keys().await };
        keys.map(|_| ())
    }

    /// The keys of the ledger there is.
    async fn known_keys(&self) -> Result<Arc<Keys>, Failure> {
        let journal = self.journal.clone();
        if self.keys.initialized() || self.blocking(move || journal.is_begun(), READ).await? {
            return self.keys().await;
        }
        Ok(Arc::new(Keys::none()))
    }

    async fn keys(&self) -> Result<Arc<Keys>, Failure> {
        let keys = self.keys.get_or_try_init(|| async {
            let Some(secret) = &self.key else {
                let journal = self.journal.clone();
                return self.blocking(move || Keys::parse(&journal.own_key()?), KEY).await.map(Arc::new);
            };
            let wrong = |trouble: String| {
                Failure::new(Kind::Unavailable, trouble)
                    .hint("nothing was sent; give the key, or leave it out to have one kept beside the ledger")
            };
            let text = secret.read().await.map_err(|error| wrong(error.to_string()))?;
            let keys = Keys::parse(crate::secret::expose(&text));
            let keys = keys.map(|keys| keys.of_chain(self.chain.clone()));
            keys.map(Arc::new).map_err(|error| wrong(format!("{}: {error}", secret.name())))
        });
        keys.await.cloned()
    }

    /// Files make a thread wait: it is one of those that may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
        trouble: &str,
    ) -> Result<T, Failure> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(io::Error::other).and_then(|done| done).map_err(|error| {
            let path = self.journal.path();
            let path = path.display();
            Failure::new(Kind::Unavailable, format!("the ledger {path} {trouble}: {error}"))
        })
    }
}
