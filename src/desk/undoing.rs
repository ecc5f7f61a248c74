//! What must still be so where an earlier change is taken back.

use super::Desk;
use super::review::unknown_tool;
use crate::access::Access;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::tools::{Inverse, Run, Standing, Step, TOOLS};
use crate::transport::{CALL, Deadline};
use crate::vendors::Asker;

/// What an earlier change left, which must still be so when it is taken back.
pub(super) struct Undoing {
    /// The change, with what others made of the same list since.
    pub record: Record,
    /// What the vendor showed then.
    pub earlier: Vec<Access>,
    /// What an undo gave back of it since, maybe under another id.
    given_back: Vec<Access>,
}

impl Desk {
    /// What must still be so where this change is taken back.
    pub(super) async fn undoing(&self, mut record: Record) -> Result<Undoing, Failure> {
        let given_back = self.ledger.given_back(&record.receipt).await?;
        let earlier = shown_then(&record);
        let tenant = self.tenant_of(&record)?;
        let deadline = Deadline::after(CALL);
        let ask = Asker { tenant, wire: &self.wire, deadline, memo: None, earlier: &earlier };
        if let Some(Run::Change { rebase, .. }) = run_of(&record.tool) {
            rebase(&mut record, &ask).await?;
        }
        Ok(Undoing { record, earlier, given_back })
    }
}

impl Undoing {
    /// # Errors
    /// The access is not as the change left it: somebody changed it since.
    pub(super) fn check(&self, step: &dyn Step, now: &Standing) -> Result<(), Failure> {
        let after = self.record.end.as_ref().map(|end| end.after.as_slice()).unwrap_or_default();
        let left: Vec<_> = after.iter().filter(|row| step.touches(row)).collect();
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
        let by = match &self.record.superseded_by {
            Some(by) => format!(", by {by}"),
            None if same => return Ok(()),
            None => String::new(),
        };
        Err(Failure::refused(format!("the access was changed since {}{by}", self.record.receipt))
            .hint("look at it with list_access, and grant or revoke what should be so"))
    }
}

/// The change that restores what was there before another.
pub(super) fn inverse(record: &Record) -> Result<Inverse, Failure> {
    match run_of(&record.tool) {
        Some(Run::Change { inverse, .. }) => inverse(record),
        Some(_) => Err(Failure::invalid("this receipt is not of a change")),
        None => Err(unknown_tool(&record.tool)),
    }
}

fn run_of(tool: &str) -> Option<&'static Run> {
    TOOLS.iter().find(|known| known.spec.name == tool).map(|known| &known.run)
}

/// The rows that a change met, and the one it was for: ids and names as the vendor gave them.
pub(super) fn shown_then(record: &Record) -> Vec<Access> {
    record.before.iter().cloned().chain([record.wanted()]).collect()
}
