//! Answers: closed words and rows, which stay data until a face has them written.

use std::sync::Arc;

use serde_json::Value;

use super::Pending;
use super::aside::Aside;
use super::body::{Body, Changed, Checked, Item, LeftOut, Looked, Of, Problem, Unasked};
use super::linked::Waits;
use super::listed::Listed;
use super::round::Stop;
use super::several::{self as set, after_what_is_left, several};
use super::short::rows;
use super::step_result::StepResult;
use crate::access::Outcome;
use crate::cache::Shared;
use crate::failure::{Failure, Kind};
use crate::guard::VerdictRecord;
use crate::ledger::{Trouble, describe, warned};
use crate::text;
use crate::tools::{self, Rows, Spec, Wholesale};

/// What a call answers. What it tells leaves only by `write` and `shown`, which clean it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub(super) body: Body,
    is_error: bool,
    waits: Waits,
    troubles: Vec<Trouble>,
    pub(super) sandbox: bool,
}

/// The answer to a look, for others who ask the same; one with a trouble in it may be better in a
/// moment.
impl Shared for Arc<Answer> {
    fn lasts(&self) -> bool {
        matches!(&self.body, Body::Looked(found) if found.problems.is_empty()) && !self.is_error
    }
}

impl Answer {
    fn new(body: Body, is_error: bool) -> Self {
        Self { body, is_error, waits: Waits::default(), troubles: Vec::new(), sandbox: false }
    }

    /// An answer that tells this.
    #[cfg(test)]
    pub(super) fn of(body: Body) -> Self {
        let is_error = body.outcome().is_some_and(Outcome::is_error);
        Self::new(body, is_error)
    }

    /// Whether a client should treat it as an error.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// How a change ended; a look that asked somebody has no such word.
    pub fn outcome(&self) -> Option<Outcome> {
        self.body.outcome()
    }

    /// The same; of a look at one change, how that ended.
    pub fn ended(&self) -> Option<Outcome> {
        self.body.ended()
    }

    /// What the client is to ask a person before it calls again.
    pub fn pending(&self) -> Option<&Pending> {
        self.waits.pending.as_ref()
    }

    /// Whether it waits for a person whom no earlier call has asked for it.
    pub fn asks_anew(&self) -> bool {
        self.waits.is_new
    }

    /// What of the ledger that it was read from cannot be acted on.
    pub fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    /// The receipt of the whole, where there is one.
    pub(super) fn receipt(&self) -> Option<&str> {
        self.body.receipt()
    }

    /// That, and those of its items.
    pub fn receipts(&self) -> impl Iterator<Item = String> {
        let items = self.body.items().iter();
        let items = items.filter_map(|item| item.receipt.as_deref());
        self.receipt().into_iter().chain(items).map(text::clean)
    }

    /// The outcome, and the summary with its hint, in words that nothing has been done to.
    pub(super) fn describe(&self) -> (Outcome, String) {
        self.body.describe()
    }

    pub(super) fn asking(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// The same as it leaves a desk, which may be one of a sandbox.
    pub(super) fn finish(self, sandbox: bool) -> Self {
        Self { sandbox, ..self }
    }

    /// The same, read from a ledger of which this cannot be acted on: it warns of that.
    pub(super) fn read_from(mut self, troubles: Vec<Trouble>) -> Self {
        self.body.warnings().extend(describe(&troubles));
        Self { troubles, ..self }
    }

    /// The same, of a change that rests on a ledger of which this cannot be acted on.
    pub(super) fn resting_on(mut self, troubles: &[Trouble]) -> Self {
        if let Body::Changed(changed) = &mut self.body {
            changed.warnings.extend(warned(troubles));
        }
        self
    }

    /// The same, of a change at that tenant of its vendor.
    pub(super) fn at(mut self, tenant: Option<&str>) -> Self {
        if let Body::Changed(changed) = &mut self.body
            && let Some(of) = &mut changed.of
        {
            of.tenant = tenant.map(str::to_owned);
        }
        self
    }

    /// Grantor failed inside, and how far it came is not known.
    pub fn broken() -> Self {
        let said = "Grantor failed inside; whether anything was sent is in its ledger".to_owned();
        let hint = "look at the end of the ledger, and report this with the lines on stderr";
        let hint = Some(hint.to_owned());
        Self::of_change(Changed { hint, ..Changed::new(Outcome::Unknown, said) })
    }

    /// A call that ended before there was a step.
    pub(super) fn stopped(spec: &Spec, failure: &Failure) -> Self {
        Self::of_change(Changed {
            of: spec.vendor.map(Of::new),
            vendor_status: failure.status,
            hint: Some(failure.next_step().to_owned()),
            candidates: failure.candidates.clone(),
            ..ended(failure.outcome(), &failure.message)
        })
    }

    /// A call that ended at a step, with nothing sent.
    pub(super) fn stopped_at(stop: &Stop<'_>) -> Self {
        let Stop { task, failure, read } = stop;
        let step = task.step.as_ref();
        let mut item = StepResult::stopped(step, read.as_deref(), failure);
        item.show(step);
        Self::changed(task.request.tool.spec, vec![item])
    }

    /// What an administrator enters by hand, because there is no way to send it.
    pub(super) fn by_hand(spec: &Spec, shown: Value, failure: &Failure) -> Self {
        let summary = "To be entered by hand: from here nothing would be sent".to_owned();
        Self::of_change(Changed {
            of: spec.vendor.map(Of::new),
            request: Some(shown),
            warnings: vec![format!("nothing was read or changed: {}", failure.message)],
            hint: Some("enter these parameters in the vendor's own console".to_owned()),
            ..Changed::new(Outcome::Preview, summary)
        })
    }

    pub(super) fn changed(spec: &Spec, mut items: Vec<StepResult>) -> Self {
        if items.len() == 1
            && let Some(only) = items.pop()
        {
            return Self::of_change(only.alone(spec));
        }
        let outcome = items.iter().map(|item| item.outcome).max().unwrap_or(Outcome::Unavailable);
        let done = items.iter().filter(|item| !item.outcome.is_error()).count();
        let worst = items.iter().find(|item| item.outcome == outcome);
        let mut changed = Changed {
            of: spec.vendor.map(Of::new),
            principal: items.first().map(|item| item.wanted.principal.clone()),
            role: items.first().map(|item| item.wanted.role.clone()),
            before: items.first().and_then(|item| item.before.as_deref()).map(rows),
            after: items
                .iter()
                .rev()
                .find(|item| item.status.is_some())
                .or(items.last())
                .and_then(|item| item.after.as_deref())
                .map(rows),
            expires_at: items.iter().find_map(|item| item.expires_at.clone()),
            hint: worst.and_then(|item| item.hint.clone()),
            policy: VerdictRecord::strictest(
                items
                    .iter()
                    .filter(|item| item.outcome == outcome)
                    .filter_map(|item| item.policy.as_ref()),
            ),
            approved_by: items.iter().find_map(|item| item.approved_by.clone()),
            ..ended(outcome, &several(done, &items, worst))
        };
        let left = items.iter().find_map(|item| item.remains.first());
        changed.summary = after_what_is_left(left, changed.summary);
        for item in &items {
            let fresh = item.warnings.iter().filter(|text| !changed.warnings.contains(text));
            let fresh: Vec<_> = fresh.cloned().collect();
            changed.warnings.extend(fresh);
        }
        changed.items = items.into_iter().map(StepResult::among).collect();
        Self::of_change(changed)
    }

    /// What became of several changes that were asked for as one.
    pub(super) fn of_set(
        spec: &Spec,
        receipt: Option<String>,
        items: Vec<(StepResult, Of)>,
        left_out: Vec<LeftOut>,
    ) -> Self {
        let outcomes: Vec<_> = items.iter().map(|(item, _)| item.outcome).collect();
        let outcome = set::word(&outcomes);
        let worst = items.iter().max_by_key(|(item, _)| item.outcome).map(|(item, _)| item);
        let worst = worst.filter(|item| item.outcome.is_error());
        let waits = items.iter().find(|(item, _)| item.outcome == Outcome::AwaitingConsent);
        let mut changed = Changed {
            of: spec.vendor.map(Of::new),
            receipt,
            left_out,
            hint: worst.or(waits.map(|(item, _)| item)).and_then(|item| item.hint.clone()),
            policy: worst.and_then(|item| item.policy.clone()),
            approved_by: items.iter().find_map(|(item, _)| item.approved_by.clone()),
            ..ended(outcome, &set::counted(&outcomes, worst))
        };
        let remains = items.iter().find_map(|(item, _)| item.remains.first().cloned());
        changed.summary = after_what_is_left(remains.as_ref(), changed.summary);
        for warning in items.iter().flat_map(|(item, _)| &item.warnings) {
            if !changed.warnings.contains(warning) {
                changed.warnings.push(warning.clone());
            }
        }
        let waits = outcome == Outcome::AwaitingConsent;
        changed.items = items.into_iter().map(|(item, of)| item.of_set(of, waits)).collect();
        Self::of_change(changed)
    }

    /// The same of a set whose call names no changes, with what stands beside them.
    pub(super) fn beside(self, of: Wholesale, aside: Aside) -> Self {
        match self.body {
            Body::Changed(changed) => Self::of_change(changed.beside(of, aside)),
            _ => self,
        }
    }

    fn of_change(mut changed: Changed) -> Self {
        let outcome = changed.outcome;
        if changed.hint.is_none() {
            changed.hint = next_step(outcome, changed.receipt.as_deref());
        }
        Self::new(Body::Changed(Box::new(changed)), outcome.is_error())
    }

    /// Rows, and the vendors that had none to give; an error when every vendor asked has failed.
    pub(super) fn rows(rows: Rows) -> Self {
        let failed = rows.problems.iter().filter(|problem| !problem.partial).count();
        let problems = rows.problems.iter().map(Problem::from).collect();
        if let Some(failure) = &rows.unknown {
            return Self::nobody_asked(Unasked { problems, ..unasked(failure) });
        }
        let is_error = rows.asked > 0 && failed == rows.asked;
        let Rows { rows, next_cursor, note, troubles, .. } = rows;
        let found = Looked { rows, problems, note, next_cursor, warnings: Vec::new() };
        Self::new(Body::Looked(found), is_error).read_from(troubles)
    }

    /// A look that asked nobody: its arguments do not fit, or there is nobody to ask.
    pub(super) fn unasked(failure: &Failure) -> Self {
        Self::nobody_asked(unasked(failure))
    }

    fn nobody_asked(unasked: Unasked) -> Self {
        Self::new(Body::Unasked(unasked), true)
    }

    /// Where one receipt stands.
    pub(super) fn checked(checked: Checked) -> Self {
        Self::new(Body::Checked(Box::new(checked)), false)
    }

    /// What happened lately.
    pub(super) fn listed(listed: Listed) -> Self {
        Self::new(Body::Listed(listed), false)
    }
}

fn ended(outcome: Outcome, what: &str) -> Changed {
    Changed::new(outcome, format!("{}: {what}", phrase(outcome)))
}

fn unasked(failure: &Failure) -> Unasked {
    let outcome = failure.outcome();
    Unasked {
        outcome,
        summary: format!("{}: {}", unlooked(outcome), failure.message),
        rows: [],
        problems: Vec::new(),
        hint: failure.next_step().to_owned(),
        candidates: failure.candidates.clone(),
        warnings: Vec::new(),
    }
}

impl From<&tools::Problem> for Problem {
    fn from(problem: &tools::Problem) -> Self {
        let failure = &problem.failure;
        Self {
            of: Of::new(problem.vendor).at(problem.tenant.clone()),
            kind: failure.problem().into(),
            message: failure.message.clone(),
            hint: failure.next_step().to_owned(),
            candidates: failure.candidates.clone(),
        }
    }
}

impl StepResult {
    fn alone(self, spec: &Spec) -> Changed {
        let what = match &self.note {
            Some(note) => format!("{} ({note})", self.summary),
            None => self.summary.clone(),
        };
        let mut changed = ended(self.outcome, &what);
        if self.outcome == Outcome::AlreadyAbsent && !self.remains.is_empty() {
            changed.summary = changed.summary.replacen(phrase(self.outcome), NOT_OTHERWISE, 1);
        }
        Changed {
            summary: after_what_is_left(self.remains.first(), changed.summary),
            receipt: self.receipt,
            of: spec.vendor.map(Of::new),
            expires_at: self.expires_at,
            principal: Some(self.wanted.principal),
            role: Some(self.wanted.role),
            resource: Some(self.wanted.resource),
            before: self.before.as_deref().map(rows),
            after: self.after.as_deref().map(rows),
            items: self.parts.into_iter().map(Item::from).collect(),
            warnings: self.warnings,
            policy: self.policy,
            approved_by: self.approved_by,
            request: self.request,
            vendor_status: self.status,
            hint: self.hint,
            ..Changed::new(self.outcome, String::new())
        }
    }

    /// One of a set; what waits has no receipt of its own yet.
    fn of_set(self, of: Of, waits: bool) -> Item {
        // The access there is is shown where something went wrong with a change that was sent.
        let is_shown = self.outcome.is_error() && self.status.is_some();
        let summary = self.summary.clone();
        let item = self.among();
        Item {
            of: Some(of),
            summary: Some(summary),
            resource: None,
            before: item.before.filter(|_| is_shown),
            after: item.after.filter(|_| is_shown),
            receipt: item.receipt.filter(|_| !waits),
            hint: item.hint.filter(|_| !waits),
            ..item
        }
    }

    fn among(self) -> Item {
        Item {
            of: None,
            summary: None,
            principal: None,
            resource: Some(self.wanted.resource),
            outcome: self.outcome,
            before: self.before.as_deref().map(rows),
            after: self.after.as_deref().map(rows),
            receipt: self.receipt,
            note: self.note,
            hint: self.hint,
            request: self.request,
            vendor_status: self.status,
        }
    }
}

/// What is said where nothing was there to be taken, and something else gives the access.
const NOT_OTHERWISE: &str = "Not held otherwise, nothing changed";

/// The same for a look, of which nobody expects that something is sent.
fn unlooked(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Invalid => "Cannot be looked up as asked",
        Outcome::Refused => "Refused",
        outcome => phrase(outcome),
    }
}

/// What to do about an outcome that is no good, where nothing nearer to its cause says so.
fn next_step(outcome: Outcome, receipt: Option<&str>) -> Option<String> {
    let receipt = receipt.map(|receipt| format!(" {receipt}")).unwrap_or_default();
    match outcome {
        Outcome::Mismatch => Some(format!(
            "tell the requester what is so now; undo_change{receipt} takes back what was done"
        )),
        Outcome::Unknown => Some(format!(
            "check_change{receipt} looks at what is so now; do not ask for it again before that"
        )),
        Outcome::PartlyDone => Some(format!(
            "check_change{receipt} tells of each, and gives the changes that are left for a new call"
        )),
        Outcome::Refused => Some(Kind::Refused.next_step().to_owned()),
        Outcome::Rejected => Some(Kind::Rejected.next_step().to_owned()),
        Outcome::Unavailable => Some("call again later".to_owned()),
        Outcome::Unconfirmed => {
            Some("look at the vendor whether it is so; this credential cannot".to_owned())
        }
        Outcome::Preview
        | Outcome::AlreadyPresent
        | Outcome::AlreadyAbsent
        | Outcome::Confirmed
        | Outcome::PendingVendorApproval
        | Outcome::AwaitingConsent
        | Outcome::Invalid => None,
    }
}

/// An outcome in a few plain words, for summaries.
pub(super) fn phrase(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Preview => "Would be sent",
        Outcome::AlreadyPresent => "Already so, nothing changed",
        Outcome::AlreadyAbsent => "Already gone, nothing changed",
        Outcome::Confirmed => "Done and read back",
        Outcome::Unconfirmed => "Accepted, and not read back",
        Outcome::PendingVendorApproval => "Waits for the vendor's approvers",
        Outcome::AwaitingConsent => "Waits for a person to approve it, nothing was sent",
        Outcome::Unavailable => "Not done, can be tried again",
        Outcome::Refused => "Refused, nothing was sent",
        Outcome::Invalid => "Cannot be done as asked, nothing was sent",
        Outcome::Rejected => "The vendor said no",
        Outcome::PartlyDone => "Done in part",
        Outcome::Mismatch => "Sent, and not as asked",
        Outcome::Unknown => "May have happened, is not sent again",
    }
}
