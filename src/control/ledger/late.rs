//! What is not over yet though it should be, and what is on its way to taking it back.

use jiff::Timestamp;

use super::journal::Reading;
use super::{Ledger, Record, Trouble, Whose};
use crate::failure::Failure;

impl Ledger {
    /// Whether a later change from here is known to have taken the access away that this one was
    /// for: then its absence is no old news.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn was_taken_since(&self, receipt: &str) -> Result<bool, Failure> {
        let receipt = receipt.to_owned();
        self.store.read(move |reading| reading.index().was_taken_since(&receipt)).await
    }

    /// Changes whose time has come and that stand, as far as is known; those that have no end yet
    /// among them.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn late(&self, now: Timestamp) -> Result<Vec<Record>, Failure> {
        let late = move |reading: &Reading<'_>| {
            let open = reading.index().open_before(now)?.into_iter().map(|(receipt, _)| receipt);
            let receipts = reading.index().due(now)?.into_iter().chain(open);
            let mut late = reading.each(receipts, Reading::record)?;
            late.retain(Record::is_over);
            Ok(late)
        };
        self.store.look(move |journal, keys| journal.checked(keys, late)).await
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
        self.store
            .read(move |reading| {
                let unseen = reading.index().unseen_since(since, &whose, &principal)?;
                reading.each(unseen, Reading::record)
            })
            .await
    }

    /// Why the lines of this receipt cannot be acted on, where they cannot, however old they are.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn damage_of(&self, receipt: &str) -> Result<Option<Trouble>, Failure> {
        let (of, place) = (receipt.to_owned(), receipt.to_owned());
        let damage = self.store.read(move |reading| reading.damage(&of)).await?;
        Ok(damage.map(|what| Trouble { place, what, hash: String::new() }))
    }

    /// The changes that were to undo or to end this one, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn takers(&self, receipt: &str) -> Result<Vec<Record>, Failure> {
        let receipt = receipt.to_owned();
        self.store
            .read(move |reading| reading.each(reading.index().takers(&receipt)?, Reading::record))
            .await
    }
}
