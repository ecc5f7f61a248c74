//! What must still be so where an earlier change is taken back.

use super::Desk;
use crate::access::Access;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::tools::{Standing, Step};

/// What an earlier change left, which must still be so when it is taken back.
pub(super) struct Undoing {
    receipt: String,
    /// What the vendor showed then.
    pub earlier: Vec<Access>,
    /// All rows there were when the change had been made.
    pub after: Vec<Access>,
    /// What an undo gave back of it since, maybe under another id.
    given_back: Vec<Access>,
    /// A later change from here, after which the access is no longer this one's.
    superseded_by: Option<String>,
}

impl Desk {
    /// What must still be so where this change is taken back.
    pub(super) async fn undoing(&self, record: &Record) -> Result<Undoing, Failure> {
        Ok(Undoing::of(record, self.ledger.given_back(&record.receipt).await?))
    }
}

impl Undoing {
    /// What a record says that its change left.
    fn of(record: &Record, given_back: Vec<Access>) -> Self {
        let after = record.end.as_ref().map(|end| end.after.clone()).unwrap_or_default();
        let (receipt, superseded_by) = (record.receipt.clone(), record.superseded_by.clone());
        Self { receipt, earlier: shown_then(record), after, given_back, superseded_by }
    }

    /// # Errors
    /// The access is not as the change left it: somebody changed it since.
    pub(super) fn check(&self, step: &dyn Step, now: &Standing) -> Result<(), Failure> {
        let left: Vec<_> = self.after.iter().filter(|row| step.touches(row)).collect();
        let there: Vec<_> = now.rows.iter().filter(|row| step.touches(row)).collect();
        let as_left = |row: &&Access| {
            let told = |row: &Access| (row.within.clone(), row.expires_at.clone());
            let ours = |other: &Access| {
                let given = self.given_back.iter().any(|it| it.is(other) && it.id == other.id);
                row.id == other.id || given
            };
            there.iter().any(|other| row.is(other) && told(row) == told(other) && ours(other))
        };
        let same = left.len() == there.len() && left.iter().all(as_left);
        let by = match &self.superseded_by {
            Some(by) => format!(", by {by}"),
            None if same => return Ok(()),
            None => String::new(),
        };
        Err(Failure::refused(format!("the access was changed since {}{by}", self.receipt))
            .hint("look at it with list_access, and grant or revoke what should be so"))
    }
}

/// The rows that a change met, and the one it was for: ids and names as the vendor gave them.
pub(super) fn shown_then(record: &Record) -> Vec<Access> {
    record.before.iter().cloned().chain([record.wanted()]).collect()
}
