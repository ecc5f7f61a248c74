//! What the ledger tells: requests, changes, what is open and what is due.

use jiff::{SignedDuration, Timestamp};

use super::shelf::{ALL, Changes};
use super::{
    Bookmark, Ledger, Noted, NotedPage, Past, PastEntry, PastPage, Record, Request, Trouble, Whose,
};
use crate::access::Access;
use crate::control::requester::Requester;
use crate::failure::Failure;

impl Ledger {
    /// # Errors
    /// The ledger cannot be read.
    pub async fn request(&self, receipt: &str) -> Result<Option<Request>, Failure> {
        self.shelf.request(receipt).await
    }

    /// The requests that wait or are approved and not used, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn requests(&self) -> Result<Vec<Request>, Failure> {
        let mut requests = self.shelf.live_requests(crate::clock::now()).await?;
        requests.retain(|request| request.state.is_live());
        Ok(requests)
    }

    /// The change of this receipt.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn find(&self, receipt: &str) -> Result<Option<Record>, Failure> {
        self.shelf.record(receipt).await
    }

    /// Changes that were opened before then, have no end, and that nobody is carrying out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn orphans(&self, before: Timestamp) -> Result<Vec<Record>, Failure> {
        self.shelf.orphans(before, &self.in_flight).await
    }

    /// Changes whose time has come, that may stand, and that nothing has taken back.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Record>, Failure> {
        self.changes(Changes::Due(now)).await
    }

    /// All changes that are looked for.
    pub(super) async fn changes(&self, find: Changes) -> Result<Vec<Record>, Failure> {
        self.shelf.changes(find, ALL).await.map(|(found, _)| found)
    }

    /// What cannot be acted on and was not accepted: lines that do not hold or cannot be read,
    /// lines that are missing, receipts whose lines do not hang together.
    ///
    /// # Errors
    /// The ledger cannot be read, or its key is not the one that is given.
    pub async fn troubles(&self) -> Result<Vec<Trouble>, Failure> {
        self.shelf.troubles().await
    }

    /// The standing timed change of a tenant's `[principal, role, resource]`, by ids.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn timed(&self, whose: &Whose, access: [&str; 3]) -> Result<Option<Record>, Failure> {
        let timed = Changes::Timed(whose.clone(), access.map(str::to_owned));
        Ok(self.changes(timed).await?.pop())
    }

    /// The rows that the last undo left which gave back what this change made: a vendor may have
    /// given it anew, under another id.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn given_back(&self, receipt: &str) -> Result<Vec<Access>, Failure> {
        self.shelf.given_back(receipt).await
    }

    /// For each `[principal, role, resource]` of a tenant, by ids, the receipt of the change from here
    /// that left it, where one did.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn granted(
        &self,
        accesses: Vec<(Whose, [String; 3])>,
    ) -> Result<Vec<Option<String>>, Failure> {
        self.shelf.granted_by(accesses).await
    }

    /// Whether lines since then may be missing: something did not hold, whether it was accepted or not.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn broke_since(&self, since: Timestamp) -> Result<bool, Failure> {
        self.shelf.broke_since(since).await
    }

    /// How many changes this requester opened since then, the ends of timed ones aside, and how many such
    /// ends they had moved.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn changes_since(
        &self,
        requester: &Requester,
        since: Timestamp,
    ) -> Result<u32, Failure> {
        self.shelf.count_since(requester.name(), since).await
    }

    /// What was asked for, refused and done, the newest first, at most so many.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn past(&self, find: Past, most: usize) -> Result<PastPage, Failure> {
        self.shelf.past(find, most).await
    }

    /// Behind the last line.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn end(&self) -> Result<Bookmark, Failure> {
        self.shelf.end().await
    }

    /// What the lines behind a bookmark are to those who are told of it, some at a time.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn noted(&self, from: Bookmark) -> Result<NotedPage, Failure> {
        self.shelf.noted(from).await
    }

    /// What time alone brought within that: requests that lapsed, and then changes whose end is as near as
    /// `ahead`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn noted_by_time(
        &self,
        (after, now): (Timestamp, Timestamp),
        ahead: SignedDuration,
    ) -> Result<Vec<Noted>, Failure> {
        let lapsed = self.shelf.lapsed((after, now)).await?;
        let mut noted: Vec<_> = lapsed.iter().filter_map(Noted::lapsed).collect();
        let later = |time: Timestamp| time.saturating_add(ahead).unwrap_or(time);
        let ending = self.changes(Changes::Ending(later(after), later(now))).await?;
        noted.extend(ending.iter().filter_map(|record| Noted::due_soon(record, ahead, now)));
        Ok(noted)
    }

    /// One entry.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn entry(&self, receipt: &str) -> Result<Option<PastEntry>, Failure> {
        self.shelf.entry(receipt).await
    }
}
