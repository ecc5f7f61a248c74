//! What the ledger tells: requests, changes, what is open and what is due.

use jiff::Timestamp;

use super::journal::{Journal, Reading};
use super::{Ledger, Record, Request, State, Trouble, Whose, index};
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

    /// The standing timed change of a tenant's `[principal, role, resource]`, by ids.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn timed(&self, whose: &Whose, access: [&str; 3]) -> Result<Option<Record>, Failure> {
        let (whose, access) = (whose.clone(), at(whose, access));
        self.store
            .read(move |reading| {
                let timed = reading.index().timed(&whose, &access)?;
                Ok(reading.each(timed, Reading::record)?.pop())
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

    /// For each `[principal, role, resource]` of a tenant, by ids, whether it is what a change from
    /// here left.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn granted(&self, accesses: Vec<(Whose, [String; 3])>) -> Result<Vec<bool>, Failure> {
        self.store
            .read(move |reading| {
                let is_from_here = |(whose, access): &(Whose, [String; 3])| {
                    let access = at(whose, access.each_ref().map(String::as_str));
                    reading.index().is_from_here(whose, &access)
                };
                accesses.iter().map(is_from_here).collect()
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

/// An access by ids, as the index knows it.
fn at(whose: &Whose, [principal, role, resource]: [&str; 3]) -> String {
    index::access(&[&*whose.place, principal, role, resource])
}
