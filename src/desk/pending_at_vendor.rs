//! Taking back that the vendor holds for its own approvers: neither done nor to be sent again.

use super::Desk;
use super::review::{ChangeStatus, unknown};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::ledger::Record;

impl Desk {
    /// Where an end that the vendor held has not come, its grant is overdue.
    pub(super) async fn leave_over(
        &self,
        record: &Record,
        found: &ChangeStatus,
    ) -> Result<(), Failure> {
        let Some(timed) = record.ends.as_ref().filter(|_| record.is_held()) else { return Ok(()) };
        let by = &record.receipt;
        let why = match found.outcome {
            Outcome::Confirmed => return Ok(()),
            Outcome::PendingVendorApproval => holds(by, true),
            _ => format!("{by} was to end it: {}", found.note),
        };
        self.ledger.overdue(timed, &why).await
    }

    /// Finds out what became of the change that is to take a record back and that the vendor
    /// holds, and gives its receipt.
    pub(super) async fn follow_up(&self, record: &Record) -> Result<String, Failure> {
        let by = record.held_by.as_deref().unwrap_or_default();
        let holder = self.ledger.find(by).await?.ok_or_else(|| unknown(by))?;
        let found = self.status_of(&holder).await?;
        self.learn(&holder, &found).await;
        Ok(holder.receipt)
    }

    /// The same record, after what is not settled of taking it back was looked at.
    pub(super) async fn followed_up(&self, record: Record) -> Result<Record, Failure> {
        if record.held_by.is_some() {
            self.follow_up(&record).await?;
        } else if let Some(taker) = self.taker(&record).await?.filter(|taker| taker.end.is_some()) {
            self.look_and_learn(&taker).await?;
        } else {
            return Ok(record);
        }
        Ok(self.ledger.find(&record.receipt).await?.unwrap_or(record))
    }
}

/// What to say of a change that another is to take back which the vendor holds.
pub(super) fn holds(by: &str, is_over: bool) -> String {
    let when = if is_over { "its time is over, and " } else { "" };
    format!(
        "{when}the vendor's approvers hold {by}, which is to take it back: until they agree, the \
         access is there"
    )
}
