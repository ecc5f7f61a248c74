//! What one receipt tells, for whoever may see it.

use super::Desk;
use super::check::unknown;
use crate::failure::Failure;
use crate::ledger::{PastEntry, Request};
use crate::requester::Requester;

impl Desk {
    /// What stands under a receipt, as it is recorded: no vendor is asked.
    ///
    /// # Errors
    /// There is nothing that they may see.
    pub async fn entry_for(&self, receipt: &str, who: &Requester) -> Result<PastEntry, Failure> {
        self.seen(receipt, who).await?;
        let mut entry = self.ledger.entry(receipt).await?.ok_or_else(|| unknown(receipt))?;
        self.hide_in(&mut entry, who).await?;
        Ok(entry)
    }

    /// Whether somebody's no to a request counts that another made: theirs who could approve it, however that
    /// is said.
    pub fn may_deny(&self, request: &Request, who: &Requester) -> bool {
        who.caller().is_none() || self.has_right_to_approve(request, who).is_ok()
    }
}
