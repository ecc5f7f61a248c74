//! What the end of a timed change will give back, and whether the rules let it.

use jiff::Timestamp;

use super::Desk;
use super::undo::inverse;
use super::undo_precondition::{holds, places};
use crate::access::Access;
use crate::failure::Failure;
use crate::guard::Circumstances;
use crate::intent::{Cause, Intent};
use crate::ledger::Record;
use crate::requester::Requester;
use crate::tools::{Effect, Given, Inverse, Step};

/// Where approvers sign, the ledger's word alone gives nobody anything: it can be written by others.
const UNSIGNED_END: &str =
    "it would give access back, and what gives access is signed by an approver";

impl Desk {
    /// What will come back at the end of a timed change, in words.
    ///
    /// # Errors
    /// Nothing could bring that end about, or the rules would not let it come.
    pub(super) async fn foresee(
        &self,
        step: &dyn Step,
        intent: &Intent,
    ) -> Result<Option<String>, Failure> {
        let Some(until) = intent.expires_at else { return Ok(None) };
        let nobody = Requester::named("");
        let at = Circumstances { requester: &nobody, changes_this_hour: 0, now: until };
        let mut given = Given::default();
        if intent.draft.is_some() || matches!(intent.cause, Cause::Extension(_)) {
            let record = self.ending(intent, until).await?;
            let given_then = record.end.iter().flat_map(|end| &end.after);
            let there: Vec<_> = intent.after.iter().chain(given_then).cloned().collect();
            let (inverse, left) = self.leaves(intent, record, until).await?;
            if inverse.grants() {
                given = step.given(&there, &left);
            }
            let end = end_of(intent, &inverse, &intent.after, &left);
            self.guard.end(&end, &at).map_err(|why| kept_not(&why))?;
            self.may_give(&end, &given, &at).map_err(|why| kept_not(&why))?;
        } else {
            let inverse = Inverse { tool: intent.tool, arguments: intent.arguments.clone() };
            let end = end_of(intent, &inverse, &intent.after, &[]);
            self.guard.end(&end, &at).map_err(|why| kept_not(&why))?;
        }
        let comes_back = !given.rows.is_empty();
        Ok(comes_back.then(|| format!("at its end comes back: {}", named(&given.rows))))
    }

    /// What will be ended: an earlier grant where its end moves, or else what this change will have left.
    async fn ending(&self, intent: &Intent, until: Timestamp) -> Result<Record, Failure> {
        if let Cause::Extension(receipt) = &intent.cause {
            let Some(mut record) = self.ledger.find(receipt).await? else {
                return Err(self.not_found(receipt).await);
            };
            record.expires_at = Some(until);
            return Ok(record);
        }
        let mut record = Record::foreseen(intent)?;
        record.time = crate::clock::now().to_string();
        Ok(record)
    }

    /// The change that will end that one, as things are, and what it leaves of the rows there are.
    async fn leaves(
        &self,
        intent: &Intent,
        mut record: Record,
        until: Timestamp,
    ) -> Result<(Inverse, Vec<Access>), Failure> {
        let holds = holds(intent.tool);
        let places = places(&record, holds);
        if holds != crate::tools::Holds::Many {
            let remainders = self.remainders(&record, &places, until).await?;
            let is_own = |row: &Access| remainders.iter().any(|(place, _)| place.has(row));
            let mut left: Vec<_> =
                intent.after.iter().filter(|row| !is_own(row)).cloned().collect();
            left.extend(remainders.iter().filter_map(|(_, left)| left.row()));
            record.before = left;
        }
        let inverse = inverse(&record).map_err(|why| kept_not(&why))?;
        Ok((inverse, record.before))
    }

    /// Whether an end that has come may leave what it is to leave.
    ///
    /// # Errors
    /// It would give back what the rules forbid, or what an approver signs.
    pub(super) fn may_leave(
        &self,
        step: &dyn Step,
        intent: &Intent,
        at: &Circumstances<'_>,
    ) -> Result<(), Failure> {
        if intent.draft.is_none() || intent.effect != Effect::Grant {
            return Ok(());
        }
        let given = step.given(&intent.before, &intent.after);
        self.may_give(intent, &given, at)
    }

    fn may_give(&self, end: &Intent, given: &Given, at: &Circumstances<'_>) -> Result<(), Failure> {
        if given.rows.is_empty() {
            return Ok(());
        }
        if self.approvers.is_some() {
            return Err(Failure::refused(UNSIGNED_END));
        }
        let Given { rows, privileged, own, contains } = given;
        for row in rows {
            let giving = Intent {
                wanted: row.clone(),
                privileged: privileged.clone(),
                own: *own,
                contains: contains.clone(),
                width: rows.len(),
                ..end.clone()
            };
            self.guard.giving(&giving, at).map_err(|why| Failure {
                message: format!("it would give back {}, and {}", named(rows), why.message),
                ..why
            })?;
        }
        Ok(())
    }
}

/// The end of a timed change, as the rules are asked about it.
fn end_of(intent: &Intent, inverse: &Inverse, now: &[Access], left: &[Access]) -> Intent {
    let effect = if inverse.grants() { Effect::Grant } else { Effect::Revoke };
    Intent {
        tool: inverse.tool,
        effect,
        cause: Cause::Expiry("this".to_owned()),
        summary: format!("the end of: {}", intent.summary),
        arguments: inverse.arguments.clone(),
        draft: None,
        before: now.to_vec(),
        after: left.to_vec(),
        privileged: None,
        expires_at: None,
        lasts: None,
        warnings: Vec::new(),
        ..intent.clone()
    }
}

fn kept_not(why: &Failure) -> Failure {
    let hint = why.hint.clone().unwrap_or_default();
    let otherwise = "grant it without an end, and take it back by hand";
    let hint =
        if hint.is_empty() { otherwise.to_owned() } else { format!("{otherwise}; or {hint}") };
    Failure::refused(format!("an end cannot be kept here: {}", why.message)).hint(hint)
}

fn named(rows: &[Access]) -> String {
    let row = |row: &Access| {
        let (who, on) = (row.principal.label(), row.resource.label());
        format!("{} on {on} for {who}", row.role.said())
    };
    rows.iter().map(row).collect::<Vec<_>>().join("; ")
}
