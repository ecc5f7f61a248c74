//! Where lines are kept: the one seam between what lines mean and how they are stored.
//!
//! ```text
//!  Ledger ──entry, unless──► Shelf::append ──┐
//!         ──Changes, Past────► Shelf finds ──┤   Files: files of this machine (`files.rs`)
//!         ──LockOn────────────► Shelf locks ──┘
//! ```
//!
//! A shelf knows where lines are. What they mean is told by [`Record`], [`Request`], [`Told`] and
//! [`Trail`], which are pure functions of lines, and what stands against a line by [`Unless`], which is
//! pure as well: every store calls the same ones. A second store is a variant of [`Shelf`] and a file
//! beside `files.rs`; the compiler then names each method that it has to have. What holds for all of them:
//!
//! - **Lines are only added.** Each is sealed and chained to the one before it, whoever else writes.
//! - **Whoever looks sees every line** whose [`append`](Shelf::append) had come back before, of this
//!   process and of all others.
//! - **An index finds and never decides**: a record or a request is read from its lines, seals and all.
//!   One that somebody may still act on is read from every line since its question.
//! - **Where nothing was ever written, looking makes nothing**: no file, no folder, no key.
//! - **An error is [`Kind::Unavailable`](crate::failure::Kind)**, in words that say what to mend, and never
//!   an old state in its place. Damaged lines are no error: they are a [`Trouble`], or the damage of a
//!   record, and give nothing.
//!
//! [`Told`]: super::told::Told
//! [`Trail`]: super::trail::Trail

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::audit::{Audit, Head};
pub(super) use super::changes::Changes;
use super::entry::Entry;
use super::files::{Files, SetAside};
use super::locks::{Lock, LockOn};
use super::noted::{Bookmark, NotedPage};
use super::postgres::{Durability, Kept, Postgres, SharedStore};
use super::unless::{Objection, Question, Unless};
use super::whose::{Names, Whose};
use super::{Past, PastEntry, PastPage, Record, Request, State, Trouble};
use crate::access::Access;
use crate::control::permit::InFlight;
use crate::failure::Failure;
use crate::secret::Secret;

/// A store of lines; a copy is the same store.
#[derive(Clone)]
pub(super) enum Shelf {
    /// Files in a folder of this machine, which any number of its processes may have open.
    Files(Arc<Files>),
    /// A database that any number of machines share, each with a copy in files of its own.
    Postgres(Arc<Postgres>),
}

/// How often a lease that another process has is asked for.
const PAUSE: Duration = Duration::from_millis(200);
/// For as many as there are.
pub(super) const ALL: usize = usize::MAX;

impl Shelf {
    /// Files in a folder, sealed by `key` or else by a key kept beside them. Touches nothing.
    pub(super) fn files(dir: &Path, key: Option<Secret>) -> Self {
        Self::Files(Arc::new(Files::new(dir, key)))
    }

    /// A database, of which a folder has the copy; sealed by `key`. Touches nothing.
    pub(super) fn postgres(dir: &Path, store: SharedStore, key: Option<Secret>) -> Self {
        Self::Postgres(Arc::new(Postgres::new(dir, store, key)))
    }

    /// The files that lines are looked for in, with every line that there is now.
    async fn current(&self) -> Result<&Files, Failure> {
        match self {
            Self::Files(files) => Ok(files),
            Self::Postgres(database) => Box::pin(database.current()).await,
        }
    }

    /// The same as they are, whatever came since.
    fn known(&self) -> &Files {
        match self {
            Self::Files(files) => files,
            Self::Postgres(database) => database.copied(),
        }
    }

    /// Learns the names that each tenant has and had: what was done under one of them is that tenant's.
    pub(super) fn know(&self, names: Names) {
        self.known().know(names);
    }

    /// Adds a line, unless what the store has stands against it: nobody else can write between the look
    /// and the line. An entry that is to be flushed is durable when this comes back; a yes
    /// is seen by nobody before it is. Whoever has added a line is known to live until its process ends.
    /// What stands against a line is no failure.
    ///
    /// # Errors
    /// The line is not there, or may not be durable: nothing that counts was done. One that is too long and
    /// comes before anything is sent is refused.
    pub(super) async fn append(
        &self,
        entry: Entry,
        unless: Option<Unless>,
    ) -> Result<Result<(), Objection>, Failure> {
        match self {
            Self::Files(files) => files.append(entry, unless).await,
            Self::Postgres(database) => Box::pin(database.clone().append(entry, unless)).await,
        }
    }

    /// The change of this receipt, and what later ones made of it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn record(&self, receipt: &str) -> Result<Option<Record>, Failure> {
        self.current().await?.record(receipt).await
    }

    /// The request of this receipt.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn request(&self, receipt: &str) -> Result<Option<Request>, Failure> {
        self.current().await?.request(receipt).await
    }

    /// Changes, at most so many, and how many were left out. Ends that are due and changes that are open
    /// are never missed: what finds them is checked first.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn changes(
        &self,
        find: Changes,
        most: usize,
    ) -> Result<(Vec<Record>, usize), Failure> {
        self.current().await?.changes(find, most).await
    }

    /// The requests that wait, or are approved and not used, and have not lapsed by then, the oldest first. What
    /// one has become by the time it is read is in its state.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn live_requests(&self, now: Timestamp) -> Result<Vec<Request>, Failure> {
        self.current().await?.live_requests(now).await
    }

    /// Entries of the past that fit what is looked for, the newest first, at most so many. One whose lines
    /// tell nothing is among those that could not be read.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn past(&self, find: Past, most: usize) -> Result<PastPage, Failure> {
        self.current().await?.past(find, most).await
    }

    /// What one receipt tells.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn entry(&self, receipt: &str) -> Result<Option<PastEntry>, Failure> {
        self.current().await?.entry(receipt).await
    }

    /// The live requests as their own lines alone tell them, the oldest first: enough to end one, and never
    /// to act on one.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn known_requests(&self, now: Timestamp) -> Result<Vec<Request>, Failure> {
        self.current().await?.known_requests(now).await
    }

    /// The first live request that is this question and stands so.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn same(
        &self,
        question: Question,
        state: State,
    ) -> Result<Option<Request>, Failure> {
        self.current().await?.same(question, state).await
    }

    /// Changes that were opened before then, have no end, and that nobody is carrying out: their process is
    /// gone, or it is this one and they are not among those in flight. A process that cannot be told is
    /// taken to live.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn orphans(
        &self,
        before: Timestamp,
        in_flight: &InFlight,
    ) -> Result<Vec<Record>, Failure> {
        match self {
            Self::Files(files) => files.orphans(before, in_flight).await,
            Self::Postgres(database) => Box::pin(database.orphans(before, in_flight)).await,
        }
    }

    /// The rows that the last undo left which gave back what this change made.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn given_back(&self, receipt: &str) -> Result<Vec<Access>, Failure> {
        self.current().await?.given_back(receipt).await
    }

    /// For each `[principal, role, resource]` of a tenant, by ids, the receipt of the change from here that left it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn granted_by(
        &self,
        accesses: Vec<(Whose, [String; 3])>,
    ) -> Result<Vec<Option<String>>, Failure> {
        self.current().await?.granted_by(accesses).await
    }

    /// Whether a later change from here is known to have taken the access away that this one was for.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn was_taken_since(&self, receipt: &str) -> Result<bool, Failure> {
        self.current().await?.was_taken_since(receipt).await
    }

    /// Whether lines since then may be missing: something did not hold, whether it was accepted or not.
    ///
    /// # Errors
    /// It cannot be told.
    pub(super) async fn broke_since(&self, since: Timestamp) -> Result<bool, Failure> {
        self.current().await?.broke_since(since).await
    }

    /// How many changes a requester opened since then, the ends of timed ones aside, and how many such
    /// ends they had moved.
    ///
    /// # Errors
    /// They cannot be counted.
    pub(super) async fn count_since(
        &self,
        requester: &str,
        since: Timestamp,
    ) -> Result<u32, Failure> {
        self.current().await?.count_since(requester, since).await
    }

    /// Behind the last line.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn end(&self) -> Result<Bookmark, Failure> {
        self.current().await?.end().await
    }

    /// What the lines behind a bookmark are to those who are told of it, some at a time. What it costs does
    /// not grow with the lines before it.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn noted(&self, from: Bookmark) -> Result<NotedPage, Failure> {
        self.current().await?.noted(from).await
    }

    /// The requests that lapsed within that, the earliest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn lapsed(
        &self,
        within: (Timestamp, Timestamp),
    ) -> Result<Vec<Request>, Failure> {
        self.current().await?.lapsed(within).await
    }

    /// Why the lines of a receipt are not to be relied on, where they are not.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn damage(&self, receipt: &str) -> Result<Option<String>, Failure> {
        self.current().await?.damage(receipt).await
    }

    /// What cannot be acted on and was not accepted, of the newest lines and of all that was read before.
    ///
    /// # Errors
    /// It cannot be read, or no line is sealed under the key that is given.
    pub(super) async fn troubles(&self) -> Result<Vec<Trouble>, Failure> {
        match self {
            Self::Files(files) => files.troubles().await,
            Self::Postgres(database) => Box::pin(database.troubles()).await,
        }
    }

    /// Reads every line and checks what holds them together; gives each, the oldest first, and whether it
    /// holds its seal.
    ///
    /// # Errors
    /// They cannot be read, or `take` fails.
    pub(super) async fn audit(
        &self,
        noted: Option<Head>,
        take: impl FnMut(&str, bool) -> io::Result<()> + Send + 'static,
    ) -> Result<Audit, Failure> {
        match self {
            Self::Files(files) => files.audit(noted, take).await,
            Self::Postgres(database) => Box::pin(database.audit(noted, take)).await,
        }
    }

    /// Gives every line, the oldest first, as long as `take` wants more. It takes no key.
    ///
    /// # Errors
    /// They cannot be read, or `take` fails.
    pub(super) async fn walk(
        &self,
        take: impl FnMut(&str) -> io::Result<bool> + Send + 'static,
    ) -> Result<(), Failure> {
        self.current().await?.walk(take).await
    }

    /// Puts every line out of the way, where they can still be looked at; what is written then begins anew.
    ///
    /// # Errors
    /// They cannot be put aside.
    pub(super) async fn set_aside(&self) -> Result<SetAside, Failure> {
        match self {
            Self::Files(files) => files.set_aside().await,
            Self::Postgres(database) => Box::pin(database.set_aside()).await,
        }
    }

    /// Makes anew what finds lines.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) async fn reindex(&self) -> Result<(), Failure> {
        self.current().await?.reindex().await
    }

    /// Tries the key that there is.
    ///
    /// # Errors
    /// It cannot be read or is none.
    pub(super) async fn try_key(&self) -> Result<(), Failure> {
        self.known().try_key().await
    }

    /// Tries whether lines can be written, and leaves nothing behind.
    ///
    /// # Errors
    /// They cannot, in words that say what to mend.
    pub(super) async fn try_writing(&self) -> Result<(), Failure> {
        match self {
            Self::Files(files) => files.try_writing().await,
            Self::Postgres(database) => Box::pin(database.try_writing()).await,
        }
    }

    /// What is to be said of the room there is for lines, where it is little.
    pub(super) fn scarce(&self) -> Option<String> {
        self.known().scarce()
    }

    /// A seal under the key of the lines, for something else; it makes the key where there is none.
    ///
    /// # Errors
    /// The key cannot be read or made.
    pub(super) async fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], Failure> {
        self.known().seal(purpose, bytes).await
    }

    /// Where lines are added, for a person.
    pub(super) async fn place(&self) -> String {
        match self {
            Self::Files(files) => files.place(),
            Self::Postgres(database) => database.place().await,
        }
    }

    /// Why no line can be added, where that shows without trying.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn unfit(&self) -> Result<Option<Trouble>, Failure> {
        match self {
            Self::Files(_) => Ok(None),
            Self::Postgres(database) => Box::pin(database.unfit()).await,
        }
    }

    /// Where replicas share what is no line, where there may be several.
    pub(super) fn kept(&self) -> Option<Kept> {
        match self {
            Self::Files(_) => None,
            Self::Postgres(database) => Some(Kept::of(database.clone())),
        }
    }

    /// How safe a line is that was added, where that is another machine's to say.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(super) async fn durability(&self) -> Result<Option<Durability>, Failure> {
        match self {
            Self::Files(_) => Ok(None),
            Self::Postgres(database) => database.durability().await.map(Some),
        }
    }

    /// A lock, unless another process has it. It is given back when the lock is dropped, and however the
    /// process ends.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub(super) async fn try_lock(&self, on: LockOn) -> Result<Option<Lock>, Failure> {
        match self {
            Self::Files(files) => Ok(files.try_lock(on)?.map(Lock::from)),
            Self::Postgres(database) => Ok(Box::pin(database.try_lock(on)).await?.map(Lock::from)),
        }
    }

    /// A lock, once no other process has it.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub(super) async fn lock(&self, on: LockOn) -> Result<Lock, Failure> {
        match self {
            Self::Files(files) => files.lock(on).await.map(Lock::from),
            Self::Postgres(database) => loop {
                if let Some(lease) = Box::pin(database.try_lock(on)).await? {
                    return Ok(lease.into());
                }
                tokio::time::sleep(PAUSE).await;
            },
        }
    }

    /// Whether there is anything yet that locks could be on.
    pub(super) async fn is_begun(&self) -> bool {
        match self {
            Self::Files(files) => files.is_begun(),
            Self::Postgres(_) => true,
        }
    }
}
