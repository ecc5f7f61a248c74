//! Taking an earlier change back: its inverse enters the road.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::change::Origin;
use super::status::{holds, unknown_tool};
use super::undo_precondition::{Outlook, UndoPrecondition, run_of};
use super::{Answer, Call, Desk, OriginalCall, UnknownTool};
use crate::access::Outcome;
use crate::catalogue::{self, Found};
use crate::failure::Failure;
use crate::intent::Cause;
use crate::ledger::{End, Record, State};
use crate::tools::undo_change::{self, UndoChange};
use crate::tools::{Inverse, Run, parse};

impl Desk {
    /// What an undo would do, up to the point of sending it: the rules judge it as they would then.
    pub async fn try_undo(&self, mut call: Call) -> Result<Answer, UnknownTool> {
        let called = OriginalCall { tool: call.tool.clone(), arguments: call.arguments.clone() };
        let (undoing, reason) = match self.undoable(&call).await {
            Ok(found) => found,
            Err(failure) => return Ok(Answer::stopped(&undo_change::SPEC, &failure)),
        };
        call.arguments.clear();
        let cause = Cause::Undo(undoing.record.receipt.clone());
        let answer = self.take_back_or_try(undoing, call, (called, cause), reason, true).await;
        Ok(answer.finish(self.config.sandbox))
    }

    pub(super) async fn undo(
        &self,
        call: Call,
        called: OriginalCall,
    ) -> Result<Answer, UnknownTool> {
        let (undoing, reason) = match self.undoable(&call).await {
            Ok(found) => found,
            Err(failure) => return Ok(Answer::stopped(&undo_change::SPEC, &failure)),
        };
        let cause = Cause::Undo(undoing.record.receipt.clone());
        Ok(self.take_back(undoing, call, (called, cause), reason).await)
    }

    /// Enters the road with the inverse of a change.
    pub(super) async fn take_back(
        &self,
        undoing: UndoPrecondition,
        call: Call,
        (called, cause): (OriginalCall, Cause),
        reason: Option<String>,
    ) -> Answer {
        self.take_back_or_try(undoing, call, (called, cause), reason, false).await
    }

    async fn take_back_or_try(
        &self,
        undoing: UndoPrecondition,
        call: Call,
        (called, cause): (OriginalCall, Cause),
        reason: Option<String>,
        is_dry_run: bool,
    ) -> Answer {
        let record = &undoing.record;
        let found = self.tenant_of(record).await;
        let (tenant, inverse) = match found.and_then(|(tenant, _)| Ok((tenant, inverse(record)?))) {
            Ok(found) => found,
            Err(failure) => return Answer::stopped(&undo_change::SPEC, &failure),
        };
        let grants = inverse.grants();
        let mut arguments = match inverse.arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        if let Some(reason) = reason {
            arguments.insert("reason".to_owned(), reason.into());
        }
        if is_dry_run {
            arguments.insert("dry_run".to_owned(), true.into());
        }
        if grants && let Err(failure) = undoing.keep_end(&mut arguments) {
            return Answer::stopped(&undo_change::SPEC, &failure);
        }
        let tool = match catalogue::find(inverse.tool, &self.config) {
            Found::On(tool) => tool,
            Found::Off(tool, failure) => return Answer::stopped(tool.spec, &failure),
            Found::Unknown => {
                return Answer::stopped(&undo_change::SPEC, &unknown_tool(inverse.tool));
            }
        };
        let origin = Origin { called, cause, undoing: Some(undoing) };
        self.change(tool, tenant, Call { arguments, ..call }, origin).await
    }

    /// The change a call wants undone, what it left, and why.
    async fn undoable(&self, call: &Call) -> Result<(UndoPrecondition, Option<String>), Failure> {
        let UndoChange { receipt, reason } = parse(Value::Object(call.arguments.clone()))?;
        let receipt = receipt.as_str();
        let Some(record) = self.ledger.find(receipt).await? else {
            return Err(self.no_change(receipt).await?);
        };
        let mut record = self.followed_up(record, &call.requester).await?;
        let hint = "check_change says where it stands";
        let refused = |why: String| Err(Failure::refused(why).hint(hint));
        if let Some(damage) = &record.damage {
            return refused(format!("nothing is done on the word of {receipt}: {damage}"));
        }
        let Some(end) = record.end.as_ref().filter(|end| end.outcome.may_stand()) else {
            let word = record.outcome().map_or("still open", Outcome::as_str);
            return refused(format!("{receipt} is {word}: there is nothing known to undo"));
        };
        if let Some(by) = record.undone_by.as_ref().or(record.ended_by.as_ref()) {
            return refused(format!("{receipt} was undone by {by}"));
        }
        if let Some(by) = &record.held_by {
            return refused(holds(by, record.is_over(Timestamp::now())));
        }
        if let Some(by) = self.taker(&record).await? {
            let by = by.receipt;
            return refused(format!(
                "{by} is to take it back, and is not seen to have done so yet"
            ));
        }
        if record.is_unsettled() || end.outcome == Outcome::PendingVendorApproval {
            let found = self.status_of(&record).await?;
            self.learn(&record, &found, &call.requester).await;
            if found.outcome != Outcome::Confirmed {
                let word = found.outcome.as_str();
                return refused(format!("{receipt} is {word}: what it did is not settled"));
            }
            record.end = record.end.map(|end| End { after: found.rows, ..end });
        }
        match self.outlook(record, false).await? {
            Outlook::Open(undoing) => Ok((*undoing, reason)),
            Outlook::Closed(why) => refused(why),
        }
    }

    /// Why there is nothing to undo under a receipt that is no change.
    async fn no_change(&self, receipt: &str) -> Result<Failure, Failure> {
        let Some(request) = self.ledger.request(receipt).await? else {
            return Ok(self.not_found(receipt).await);
        };
        let nothing = |words: &str| {
            Failure::refused(format!("that request {words}; there is nothing to undo"))
        };
        Ok(match request.state {
            State::Waiting | State::Approved => nothing("is not carried out yet")
                .hint(format!("`grantor requests deny {receipt}` stops it")),
            State::Spent => {
                let items = self.items(&request).await?;
                let items: Vec<_> = items.iter().map(|item| item.receipt.as_str()).collect();
                if items.is_empty() {
                    nothing("was approved, and no change of it is recorded")
                } else {
                    Failure::refused("that request was for several changes")
                        .hint(format!("undo each of them: {}", items.join(", ")))
                }
            }
            _ => nothing(&request.words()).hint(format!("check_change {receipt} says more")),
        })
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
