//! Taking an earlier change back: its inverse enters the road.

use serde_json::{Map, Value};

use super::aside::Aside;
use super::body::{LeftOut, Of};
use super::change::{Asked, SetTerms, Wish};
use super::status::{holds, unknown_tool};
use super::undo_precondition::{Outlook, UndoPrecondition, run_of};
use super::{Answer, Call, Desk, OriginalCall, UnknownTool};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::intent::Cause;
use crate::ledger::{End, Record, State};
use crate::requester::Requester;
use crate::tools::undo_change::{self, UndoChange};
use crate::tools::{Inverse, Run, parse};

impl Desk {
    /// What an undo would do, up to the point of sending it: the rules judge it as they would then.
    pub async fn try_undo(&self, call: Call) -> Result<Answer, UnknownTool> {
        let called = OriginalCall { tool: call.tool.clone(), arguments: call.arguments.clone() };
        let answer = self.undo_or_try(call, called, true).await;
        Ok(answer.finish(self.config.sandbox))
    }

    pub(super) async fn undo(&self, call: Call, called: OriginalCall) -> Answer {
        self.undo_or_try(call, called, false).await
    }

    async fn undo_or_try(&self, mut call: Call, called: OriginalCall, is_dry_run: bool) -> Answer {
        let arguments = std::mem::take(&mut call.arguments);
        let asked = match self.undo_of(arguments, called, &call.requester, is_dry_run).await {
            Ok(asked) => asked,
            Err(failure) => return Answer::stopped(&undo_change::SPEC, &failure),
        };
        self.change(asked, call).await
    }

    /// What undoing a receipt asks for: one change, or those of a set in reverse order.
    async fn undo_of(
        &self,
        arguments: Map<String, Value>,
        called: OriginalCall,
        by: &Requester,
        dry_run: bool,
    ) -> Result<Asked<'_>, Failure> {
        let UndoChange { receipt, reason } = parse(Value::Object(arguments))?;
        let receipt = receipt.as_str();
        self.seen(receipt, by).await?;
        if let Some(record) = self.ledger.find(receipt).await? {
            let undoing = self.undoable(record, by).await?;
            let cause = Cause::Undo(receipt.to_owned());
            let mut wish = self.inverse_of(undoing, cause, reason).await?;
            if dry_run {
                wish.arguments.insert("dry_run".to_owned(), true.into());
            }
            return Ok(Asked::one(called, wish));
        }
        let items = match self.ledger.request(receipt).await? {
            Some(request) if request.state == State::Spent => self.items(&request).await?,
            _ => Vec::new(),
        };
        if items.is_empty() {
            return Err(self.no_change(receipt).await?);
        }
        let (wishes, left_out) = self.undo_all(items, reason, by).await?;
        if wishes.is_empty() {
            return Err(Failure::refused(format!(
                "nothing of {receipt} stands that could be undone"
            ))
            .hint(format!("check_change {receipt} says where each of its changes is")));
        }
        let aside = Aside { left_out, ..Aside::default() };
        let set = Some(SetTerms { dry_run, aside, expands: None });
        Ok(Asked { called, spec: &undo_change::SPEC, wishes, set })
    }

    /// The undo of each of several changes that stands, the latest first.
    ///
    /// # Errors
    /// What one of them did is not settled: all of it is undone, or nothing.
    async fn undo_all(
        &self,
        items: Vec<Record>,
        reason: Option<String>,
        by: &Requester,
    ) -> Result<(Vec<Wish<'_>>, Vec<LeftOut>), Failure> {
        let (mut wishes, mut left_out) = (Vec::new(), Vec::new());
        for record in items.into_iter().rev() {
            let receipt = record.receipt.clone();
            if let Some(why) = is_nothing_to_undo(&record) {
                let of = Of::new(record.vendor.clone());
                left_out.push(LeftOut { of, summary: record.summary, why, hint: None });
                continue;
            }
            let undoing = self.undoable(record, by).await?;
            let wish = self.inverse_of(undoing, Cause::Undo(receipt.clone()), reason.clone());
            let wish = wish.await?;
            wishes.push(Wish { label: Some(receipt), ..wish });
        }
        Ok((wishes, left_out))
    }

    /// The undo of one change, among others.
    pub(super) async fn undo_wish(
        &self,
        arguments: Map<String, Value>,
        by: &Requester,
    ) -> Result<Wish<'_>, Failure> {
        let UndoChange { receipt, reason } = parse(Value::Object(arguments))?;
        let receipt = receipt.as_str();
        self.seen(receipt, by).await?;
        let Some(record) = self.ledger.find(receipt).await? else {
            return Err(self.no_change(receipt).await?);
        };
        let undoing = self.undoable(record, by).await?;
        self.inverse_of(undoing, Cause::Undo(receipt.to_owned()), reason).await
    }

    /// The change that takes another back, as a wish.
    pub(super) async fn inverse_of(
        &self,
        undoing: UndoPrecondition,
        cause: Cause,
        reason: Option<String>,
    ) -> Result<Wish<'_>, Failure> {
        let (tenant, _) = self.tenant_of(&undoing.record).await?;
        let inverse = inverse(&undoing.record)?;
        let grants = inverse.grants();
        let mut arguments = match inverse.arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        if let Some(reason) = reason {
            arguments.insert("reason".to_owned(), reason.into());
        }
        if grants {
            undoing.keep_end(&mut arguments)?;
        }
        let tool = self.known_tool(inverse.tool)?;
        Ok(Wish { cause, undoing: Some(undoing), ..Wish::new(tool, tenant, arguments) })
    }

    /// What undoing a change rests on.
    ///
    /// # Errors
    /// There is nothing to undo, or it is not known what it did.
    pub(super) async fn undoable(
        &self,
        record: Record,
        by: &Requester,
    ) -> Result<UndoPrecondition, Failure> {
        let mut record = self.followed_up(record, by).await?;
        let receipt = &record.receipt.clone();
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
            return refused(holds(by, record.is_over(crate::clock::now())));
        }
        if let Some(by) = self.taker(&record).await? {
            let by = by.receipt;
            return refused(format!(
                "{by} is to take it back, and is not seen to have done so yet"
            ));
        }
        if record.is_unsettled() || end.outcome == Outcome::PendingVendorApproval {
            let found = self.status_of(&record).await?;
            self.learn(&record, &found, by).await;
            if found.outcome != Outcome::Confirmed {
                let word = found.outcome.as_str();
                return refused(format!("{receipt} is {word}: what it did is not settled"));
            }
            record.end = record.end.map(|end| End { after: found.rows, ..end });
        }
        match self.outlook(record, false).await? {
            Outlook::Open(undoing) => Ok(*undoing),
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
            State::Spent => nothing("was approved, and no change of it is recorded"),
            _ => nothing(&request.words()).hint(format!("check_change {receipt} says more")),
        })
    }
}

/// Why there is nothing to undo of one of several changes, where that is so.
fn is_nothing_to_undo(record: &Record) -> Option<String> {
    if let Some(by) = record.undone_by.as_ref().or(record.ended_by.as_ref()) {
        return Some(format!("{by} has taken it back already"));
    }
    let outcome = record.outcome().filter(|outcome| outcome.is_nothing())?;
    Some(format!("it is {}: there is nothing to undo", outcome.as_str()))
}

/// What of a change stays where it is taken back.
pub(super) fn stays(record: &Record) -> Option<&'static str> {
    match run_of(&record.tool) {
        Some(Run::Change { stays, .. }) => stays(record),
        _ => None,
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
