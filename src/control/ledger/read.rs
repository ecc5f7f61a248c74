//! What the ledger tells: requests, changes, what is open and what is due.

use jiff::Timestamp;

use super::journal::{Journal, Reading};
use super::{Ledger, Record, Request, State, Trouble, index};
use crate::access::Access;
use crate::failure::Failure;

impl Ledger {
    /// # Errors
    /// The ledger cannot be read.
    pub async fn request(&self, receipt: &str) -> Result<Option<Request>, Failure> {
        let receipt = receipt.to_owned();
        self.store.read(move |reading| reading.request(&receipt)).await
    }

    /// The requests that wait or are approved and not used, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn requests(&self) -> Result<Vec<Request>, Failure> {
        self.store
            .read(|reading| {
                let receipts = reading.index().live_requests(Timestamp::now())?;
                let requests = reading.each(receipts, Reading::request)?;
                let live =
                    |request: &Request| matches!(request.state, State::Waiting | State::Approved);
                Ok(requests.into_iter().filter(live).collect())
            })
            .await
    }

    /// Requests that wait or are approved and not used, and those asked since then that came to
    /// nothing; what is open first, then newest first, at most so many; and how many were left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn asked(
        &self,
        since: Timestamp,
        most: usize,
    ) -> Result<(Vec<Request>, usize), Failure> {
        self.store
            .read(move |reading| {
                let receipts = reading.index().asked(since, Timestamp::now())?;
                reading.first(most, receipts, Reading::request)
            })
            .await
    }

    /// The change of this receipt.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn find(&self, receipt: &str) -> Result<Option<Record>, Failure> {
        let receipt = receipt.to_owned();
        self.store.read(move |reading| reading.record(&receipt)).await
    }

    /// Changes that were opened since then, or are open, or overdue, newest first and at most so
    /// many; and how many were left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn recent(
        &self,
        since: Timestamp,
        most: usize,
    ) -> Result<(Vec<Record>, usize), Failure> {
        self.store
            .read(move |reading| {
                reading.first(most, reading.index().recent(since)?, Reading::record)
            })
            .await
    }

    /// Changes that were opened before then, have no end, and that nobody is carrying out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn orphans(&self, before: Timestamp) -> Result<Vec<Record>, Failure> {
        self.store.look(move |journal, keys| journal.orphans(keys, before)).await
    }

    /// Changes whose time has come, that may stand, and that nothing has taken back.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Record>, Failure> {
        self.store
            .look(move |journal, keys| {
                journal.checked(keys, |reading| {
                    reading.each(reading.index().due(now)?, Reading::record)
                })
            })
            .await
    }

    /// What cannot be acted on and was not accepted: lines that do not hold or cannot be read,
    /// lines that are missing, receipts whose lines do not hang together.
    ///
    /// # Errors
    /// The ledger cannot be read, or its key is not the one that is given.
    pub async fn troubles(&self) -> Result<Vec<Trouble>, Failure> {
        self.store.look(Journal::troubles).await
    }

    /// The standing timed change of `[tenant, principal, role, resource]`, by ids.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn timed(&self, access: [&str; 4]) -> Result<Option<Record>, Failure> {
        let access = index::access(&access);
        self.store
            .read(move |reading| {
                Ok(reading.each(reading.index().timed(&access)?, Reading::record)?.pop())
            })
            .await
    }

    /// The rows that the last undo left which gave back what this change made: a vendor may have
    /// given it anew, under another id.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn given_back(&self, receipt: &str) -> Result<Vec<Access>, Failure> {
        let receipt = receipt.to_owned();
        self.store.read(move |reading| reading.given_back(&receipt)).await
    }

    /// For each `[tenant, principal, role, resource]`, by ids, whether it is what a
    /// change from here left.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn granted(&self, accesses: &[[String; 4]]) -> Result<Vec<bool>, Failure> {
        let accesses: Vec<_> = accesses.iter().map(index::access).collect();
        self.store
            .read(move |reading| {
                accesses.iter().map(|access| reading.index().is_from_here(access)).collect()
            })
            .await
    }

    /// How many changes this requester opened since then, the ends of timed ones aside.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn changes_since(&self, since: Timestamp) -> Result<u32, Failure> {
        let requester = self.requester().to_owned();
        self.store.read(move |reading| reading.index().count_since(&requester, since)).await
    }
}
