//! What is not over yet though it should be, and what is on its way to taking it back.

use jiff::Timestamp;

use super::shelf::Changes;
use super::{Ledger, Record, Trouble, Whose};
use crate::failure::Failure;

impl Ledger {
    /// Whether a later change from here is known to have taken the access away that this one was
    /// for: then its absence is no old news.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn was_taken_since(&self, receipt: &str) -> Result<bool, Failure> {
        self.shelf.was_taken_since(receipt).await
    }

    /// Changes whose time has come and that stand, as far as is known; those that have no end yet
    /// among them.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn late(&self, now: Timestamp) -> Result<Vec<Record>, Failure> {
        let mut late = self.changes(Changes::DueOrOpen(now)).await?;
        late.retain(|record| record.is_over(now));
        Ok(late)
    }

    /// A tenant's changes of what a principal, by id, has access to that were opened since then and
    /// have not shown; newest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn unseen_since(
        &self,
        since: Timestamp,
        whose: &Whose,
        principal: &str,
    ) -> Result<Vec<Record>, Failure> {
        let (whose, principal) = (whose.clone(), principal.to_owned());
        self.changes(Changes::UnseenSince(since, whose, principal)).await
    }

    /// Why the lines of this receipt cannot be acted on, where they cannot, however old they are.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn damage_of(&self, receipt: &str) -> Result<Option<Trouble>, Failure> {
        let (damage, place) = (self.shelf.damage(receipt).await?, receipt.to_owned());
        Ok(damage.map(|what| Trouble { place, what, hash: String::new() }))
    }

    /// The changes that were to undo or to end this one, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn takers(&self, receipt: &str) -> Result<Vec<Record>, Failure> {
        self.changes(Changes::Takers(receipt.to_owned())).await
    }
}
