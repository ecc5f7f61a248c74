//! What one receipt tells, for whoever may see it.

use super::Desk;
use super::check::unknown;
use crate::failure::Failure;
use crate::ledger::PastEntry;
use crate::requester::Requester;

impl Desk {
    /// What stands under a receipt, as it is recorded: no vendor is asked.
    ///
    /// # Errors
    /// There is nothing that they may see.
    pub async fn entry_for(&self, receipt: &str, who: &Requester) -> Result<PastEntry, Failure> {
        self.seen(receipt, who).await?;
        self.ledger.entry(receipt).await?.ok_or_else(|| unknown(receipt))
    }
}
