//! The ledger as a whole: tried, checked, handed on, accepted as it is, and put aside.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::chain::Link;
use super::entry::Entry;
use super::files::Files;
use super::postgres::Postgres;
use super::{
    Audit, Durability, Head, Kept, Ledger, SetAside, SharedStore, Trouble, meaning, new_receipt,
};
use crate::control::requester::Requester;
use crate::failure::{Failure, Kind};
use crate::secret::Secret;

impl Ledger {
    /// Records that a person accepts what is wrong with the ledger, each thing by its place and
    /// hash. It gives nothing: a yes from before stays gone, and a receipt whose lines do not hold
    /// stays as it is.
    ///
    /// # Errors
    /// The line cannot be written and flushed.
    pub async fn accept(&self, troubles: &[Trouble], by: &Requester) -> Result<(), Failure> {
        let accepts: Vec<_> = troubles.iter().map(Trouble::recorded).collect();
        let content = json!({ "accepts": accepts, "by": by.name() });
        self.write(Entry::first(meaning::ACCEPTED, &new_receipt(), content, by).flushed()).await
    }

    /// Puts the files of a ledger aside that cannot be read any more, because its key is lost or its
    /// lines are, and begins a new one. Gives the folder, and the ends that the old lines name,
    /// which nothing vouches for.
    ///
    /// # Errors
    /// The files cannot be moved, or the new ledger not begun.
    pub async fn begin_anew(&self, by: &Requester) -> Result<SetAside, Failure> {
        let aside = self.shelf.set_aside().await?;
        let content =
            json!({ "accepts": [], "by": by.name(), "set_aside": aside.folder, "due": aside.due });
        self.write(Entry::first(meaning::ACCEPTED, &new_receipt(), content, by).flushed()).await?;
        Ok(aside)
    }

    /// Whether there can be lines: tries the key, and leaves nothing behind.
    ///
    /// # Errors
    /// The key cannot be read or is none, or the ledger cannot be read.
    pub async fn try_out(&self) -> Result<(), Failure> {
        self.shelf.try_key().await
    }

    /// Whether lines can be written: tries it, and leaves nothing behind.
    ///
    /// # Errors
    /// They cannot, in words that say what to mend.
    pub async fn try_writing(&self) -> Result<(), Failure> {
        self.shelf.try_writing().await
    }

    /// What is to be said of the room there is for lines, where it is little.
    pub fn scarce(&self) -> Option<String> {
        self.shelf.scarce()
    }

    /// A seal for something that leaves and comes back.
    ///
    /// # Errors
    /// The key cannot be read or made.
    pub async fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], Failure> {
        self.shelf.seal(purpose, bytes).await
    }

    /// Reads every line and checks that the chain is whole; where a head was noted before, also
    /// that it is still part of it.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn audit(&self, noted: Option<Head>) -> Result<Audit, Failure> {
        self.shelf.audit(noted, |_, _| Ok(())).await
    }

    /// The same, and gives every line, oldest first, with whether it holds its seal.
    ///
    /// # Errors
    /// The ledger cannot be read, or `take` fails.
    pub async fn audit_each(
        &self,
        take: impl FnMut(&str, bool) -> io::Result<()> + Send + 'static,
    ) -> Result<Audit, Failure> {
        self.shelf.audit(None, take).await
    }

    /// Gives every line, oldest first, as long as `take` wants more. Seals are not looked at.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn walk(
        &self,
        take: impl FnMut(&str) -> io::Result<bool> + Send + 'static,
    ) -> Result<(), Failure> {
        self.shelf.walk(take).await
    }

    /// Goes on in a database: every line of the files in `dir` as it is, and the files take no more. Gives
    /// the last line that was taken over.
    ///
    /// # Errors
    /// A line does not hold, a process may still write to the files, or the database's chain has lines.
    pub async fn import(
        (dir, key): (&Path, Option<Secret>),
        store: SharedStore,
        by: &Requester,
    ) -> Result<Head, Failure> {
        let database = Arc::new(Postgres::new(dir, store, None));
        let Link { seq, hash } = database.import(&Files::new(dir, key), by).await?;
        Ok(Head { seq, hash })
    }

    /// Makes anew what this machine finds lines by.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn reindex(&self) -> Result<(), Failure> {
        self.shelf.reindex().await
    }

    /// Where lines are added, for a person.
    pub async fn place(&self) -> String {
        self.shelf.place().await
    }

    /// Whether this process can add lines, as far as that shows without trying: where several share the ledger,
    /// one that cannot should not be asked.
    ///
    /// # Errors
    /// It cannot, in words that say what to mend.
    pub async fn is_fit(&self) -> Result<(), Failure> {
        self.shelf.try_key().await?;
        match self.shelf.unfit().await? {
            None => Ok(()),
            Some(trouble) => Err(Failure::new(Kind::Unavailable, trouble.to_string())),
        }
    }

    /// Where replicas share what is no line. None where the ledger is one machine's: each of its processes has
    /// such things for itself, or in files.
    pub fn kept_by_all(&self) -> Option<Kept> {
        self.shelf.kept()
    }

    /// How safe a line is that was added, where that is another machine's to say.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn durability(&self) -> Result<Option<Durability>, Failure> {
        self.shelf.durability().await
    }
}
