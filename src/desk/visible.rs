//! What of the ledger a requester may see: whoever is at the machine all of it, a caller what is theirs.

use super::Desk;
use super::check::unknown;
use crate::failure::Failure;
use crate::ledger::Past;
use crate::requester::Requester;

impl Desk {
    /// Whether somebody may see what stands under a receipt. What they may not see is answered as a receipt
    /// that there is not, in the same words.
    pub(super) async fn may_see(&self, receipt: &str, by: &Requester) -> Result<bool, Failure> {
        if by.caller().is_none() {
            return Ok(true);
        }
        let entry = self.ledger.entry(receipt).await?;
        Ok(entry.is_some_and(|entry| by.may_see(entry.requester())))
    }

    /// # Errors
    /// They may not see it.
    pub(super) async fn seen(&self, receipt: &str, by: &Requester) -> Result<(), Failure> {
        match self.may_see(receipt, by).await? {
            true => Ok(()),
            false => Err(unknown(receipt)),
        }
    }
}

/// Leaves of a list what somebody may see; none, where they ask for what another asked for.
pub(super) fn narrowed(find: Past, by: &Requester) -> Option<Past> {
    if by.caller().is_none() {
        return Some(find);
    }
    let asks_for_others = find.requester.as_ref().is_some_and(|asked_by| !by.may_see(asked_by));
    (!asks_for_others).then(|| Past { requester: Some(by.name().to_owned()), ..find })
}
