//! How one step of a change ended, as it comes about on the road.

use std::collections::HashSet;

use serde_json::Value;

use crate::access::{Access, Outcome};
use crate::draft::Draft;
use crate::failure::Failure;
use crate::guard::{Denied, VerdictRecord};
use crate::intent::Intent;
use crate::ledger::Channel;
use crate::tools::{Part, Step};

/// One step of a change, and how it ended.
pub(super) struct StepResult {
    pub(super) outcome: Outcome,
    pub(super) receipt: Option<String>,
    /// What was only to be made in another's place was to be made.
    pub(super) is_due: bool,
    pub(super) summary: String,
    pub(super) wanted: Access,
    pub(super) expires_at: Option<String>,
    /// None where nothing was read.
    pub(super) before: Option<Vec<Access>>,
    /// What was read last, or what would be so; none where nothing was read.
    pub(super) after: Option<Vec<Access>>,
    /// What the ledger keeps of it: what was meant, where it was not seen.
    pub(super) left: Vec<Access>,
    /// The vendor said yes, and it does not show yet.
    pub(super) unseen: bool,
    pub(super) parts: Vec<Part>,
    /// What access stays through something else, in sentences.
    pub(super) remains: Vec<String>,
    /// Who takes it back, and when.
    pub(super) ending: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) policy: Option<VerdictRecord>,
    /// Who agreed to what was sent, where somebody was asked.
    pub(super) approved_by: Option<String>,
    pub(super) request: Option<Value>,
    /// The vendor permission it takes.
    pub(super) needs: &'static str,
    pub(super) status: Option<u16>,
    /// What the vendor said of a change it holds.
    pub(super) held: Option<Value>,
    /// What a reader should know about the outcome.
    pub(super) note: Option<String>,
    pub(super) hint: Option<String>,
    /// Something stands against it, and the others of its set go on without it.
    pub(super) is_left_out: bool,
}

impl StepResult {
    fn new(step: &dyn Step, outcome: Outcome, before: Option<&[Access]>) -> Self {
        let read = before.map(<[Access]>::to_vec);
        Self {
            outcome,
            receipt: None,
            is_due: false,
            summary: step.summary(),
            wanted: step.wanted().clone(),
            expires_at: None,
            left: read.clone().unwrap_or_default(),
            after: read.clone(),
            before: read,
            unseen: false,
            parts: Vec::new(),
            remains: Vec::new(),
            warnings: Vec::new(),
            ending: None,
            policy: None,
            approved_by: None,
            request: None,
            needs: "",
            status: None,
            held: None,
            note: None,
            hint: None,
            is_left_out: false,
        }
    }

    pub(super) fn already(
        step: &dyn Step,
        outcome: Outcome,
        before: &[Access],
        warnings: Vec<String>,
    ) -> Self {
        Self { warnings, ..Self::new(step, outcome, Some(before)) }
    }

    pub(super) fn preview(step: &dyn Step, intent: &Intent, policy: VerdictRecord) -> Self {
        Self {
            after: Some(intent.after.clone()),
            ..Self::planned(step, Outcome::Preview, intent, policy)
        }
    }

    pub(super) fn refused(step: &dyn Step, denied: &Denied) -> Self {
        Self {
            note: Some(denied.message.clone()),
            hint: Some(denied.hint.clone()),
            ..Self::planned(step, Outcome::Refused, &denied.intent, denied.policy.clone())
        }
    }

    /// A step on its way; its outcome is still to be found out.
    pub(super) fn sent(
        step: &dyn Step,
        receipt: &str,
        intent: &Intent,
        policy: VerdictRecord,
    ) -> Self {
        let (receipt, left) = (Some(receipt.to_owned()), intent.after.clone());
        Self { receipt, left, after: None, ..Self::planned(step, Outcome::Unknown, intent, policy) }
    }

    pub(super) fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    /// A step that a person must agree to first.
    pub(super) fn waiting(
        step: &dyn Step,
        intent: &Intent,
        policy: VerdictRecord,
        request: &str,
    ) -> Self {
        Self {
            after: Some(intent.after.clone()),
            receipt: Some(request.to_owned()),
            hint: Channel::LATER
                .approves_later(request)
                .map(|way| format!("{way} within 24 hours; check_change then says how it ended")),
            ..Self::planned(step, Outcome::AwaitingConsent, intent, policy)
        }
    }

    /// An access whose end was moved, in the ledger alone.
    pub(super) fn extended(
        step: &dyn Step,
        of: &str,
        intent: &Intent,
        policy: VerdictRecord,
    ) -> Self {
        let (receipt, after) = (Some(of.to_owned()), Some(intent.after.clone()));
        Self { receipt, after, ..Self::planned(step, Outcome::Confirmed, intent, policy) }
    }

    pub(super) fn not_started(step: &dyn Step, before: &[Access]) -> Self {
        let mut item = Self::new(step, Outcome::Unavailable, Some(before));
        item.note = Some(
            "not started: the call was withdrawn, or another of its items did not succeed"
                .to_owned(),
        );
        item
    }

    pub(super) fn left_out(step: &dyn Step, before: &[Access], failure: &Failure) -> Self {
        Self { is_left_out: true, ..Self::stopped(step, Some(before), failure) }
    }

    pub(super) fn stopped(step: &dyn Step, before: Option<&[Access]>, failure: &Failure) -> Self {
        let mut item = Self::new(step, failure.outcome(), before);
        item.fail(failure);
        item
    }

    pub(super) fn is_denied(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.verdict == "deny")
    }

    /// Sorts the rows for a reader: part by part, without those that do not matter.
    pub(super) fn show(&mut self, step: &dyn Step) {
        let [before, after] =
            [&self.before, &self.after].map(|read| read.as_deref().unwrap_or_default());
        self.parts = step.parts(self.outcome, before, after);
        if matches!(
            self.outcome,
            Outcome::AlreadyAbsent | Outcome::Confirmed | Outcome::Unconfirmed
        ) {
            self.remains = step.remaining(after);
        }
        if self.outcome.is_nothing() {
            // What is said of a change that does not stand would be taken for its end.
            self.expires_at = None;
            self.ending = None;
        }
        self.warnings.extend(self.ending.take());
        let mut told = HashSet::new();
        self.warnings.retain(|warning| told.insert(warning.clone()));
        for read in [&mut self.before, &mut self.after].into_iter().flatten() {
            read.retain(|row| step.is_relevant(row));
        }
    }

    /// Ends with a failure before or instead of the vendor's yes.
    pub(super) fn fail(&mut self, failure: &Failure) {
        self.outcome = failure.outcome();
        self.left = self.before.clone().unwrap_or_default();
        self.after.clone_from(&self.before);
        self.note = Some(failure.message.clone());
        self.hint = Some(failure.next_step().to_owned());
        self.status = failure.status.or(self.status);
    }

    /// It failed inside, after it was recorded: the write may have left.
    pub(super) fn break_off(&mut self) {
        self.outcome = Outcome::Unknown;
        self.note = Some("Grantor failed inside, and the write may have left".to_owned());
        self.hint = Some("look before it is sent again, and report the lines on stderr".to_owned());
    }

    fn planned(step: &dyn Step, outcome: Outcome, intent: &Intent, policy: VerdictRecord) -> Self {
        let back = intent.expires_at.map(|end| {
            format!("a running Grantor that is not read-only, or `grantor expire`, takes it back at {end}")
        });
        Self {
            warnings: intent.warnings.clone(),
            ending: back,
            policy: Some(policy),
            summary: intent.summary.clone(),
            request: intent.draft.as_ref().map(Draft::shown),
            expires_at: intent.expires_at.map(|end| end.to_string()),
            needs: intent.needs,
            ..Self::new(step, outcome, Some(&intent.before))
        }
    }
}
