//! The journal and its keys, on threads that may wait for a disk.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::chain::Keys;
use super::journal::{Entry, Journal, Reading};
use super::unless::{Objection, Unless};
use crate::failure::{Failure, Kind};
use crate::secret::Secret;

pub(super) struct Store {
    pub journal: Arc<Journal>,
    /// Where the keys are kept, if not beside the ledger.
    key: Option<Secret>,
    keys: OnceCell<Arc<Keys>>,
}

pub(super) const READ: &str = "cannot be read";
pub(super) const WRITE: &str = "cannot be written";
const KEY: &str = "has no key";

impl Store {
    pub(super) fn new(dir: &Path, key: Option<Secret>) -> Self {
        let requester = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
        Self { journal: Arc::new(Journal::new(dir, requester)), key, keys: OnceCell::new() }
    }

    pub(super) async fn write(&self, entry: Entry) -> Result<(), Failure> {
        Ok(self.append(entry, None).await??)
    }

    /// Writes a line, unless something in the ledger stands against it; nobody can write between.
    pub(super) async fn write_unless(
        &self,
        entry: Entry,
        unless: Unless,
    ) -> Result<Result<(), Objection>, Failure> {
        self.append(entry, Some(unless)).await
    }

    async fn append(
        &self,
        entry: Entry,
        unless: Option<Unless>,
    ) -> Result<Result<(), Objection>, Failure> {
        let comes_after =
            matches!(entry.event, "close" | "found" | "over" | "overdue" | "concluded");
        let content = super::length::fit(entry.event, entry.content)?;
        let entry = Entry { content, ..entry };
        let append =
            move |journal: &Journal, keys: &Keys| journal.append(keys, entry, unless.as_ref());
        let added = self.work(append, WRITE).await;
        added.map_err(|failure| {
            failure.or_hint(if comes_after {
                "make the state directory writable, or set GRANTOR_STATE_DIR"
            } else {
                "nothing was sent; make the state directory writable, or set GRANTOR_STATE_DIR"
            })
        })
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl Fn(&Reading<'_>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.look(move |journal, keys| journal.read(keys, look)).await
    }

    /// Work that changes nothing, and makes nothing either where there is no ledger.
    pub(super) async fn look<T: Send + 'static>(
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

    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal, &Keys) -> io::Result<T> + Send + 'static,
        trouble: &str,
    ) -> Result<T, Failure> {
        let (journal, keys) = (self.journal.clone(), self.keys().await?);
        self.blocking(move || work(&journal, &keys), trouble).await
    }

    /// Tries the keys that there are; makes none where there is no ledger.
    pub(super) async fn try_keys(&self) -> Result<(), Failure> {
        let keys = if self.key.is_some() { self.keys().await } else { self.known_keys().await };
        keys.map(|_| ())
    }

    /// Whether the key that is kept beside the ledger was read, and is used from then on.
    pub(super) fn has_own_key(&self) -> bool {
        self.key.is_none() && self.keys.initialized()
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
            keys.map(Arc::new).map_err(|error| wrong(format!("{}: {error}", secret.name())))
        });
        keys.await.cloned()
    }

    /// Files make a thread wait: it is one of those that may.
    pub(super) async fn blocking<T: Send + 'static>(
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
