//! Answers: closed words and rows, cleaned of whatever vendors may have put into text.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::Pending;
use super::fitting::fit;
use super::several::{after_what_is_left, several};
use super::step_result::StepResult;
use super::walk::Stop;
use crate::access::{Access, Named, Outcome};
use crate::cache::Shared;
use crate::failure::{Candidate, Failure, Kind};
use crate::guard::Policy;
use crate::invocation;
use crate::json;
use crate::ledger::{Trouble, describe, warned};
use crate::text;
use crate::tools::{Problem, Rows, Spec};

/// What a call answers: structured content, and whether it is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub body: Value,
    pub is_error: bool,
    /// How a change ended; a look that asked somebody has no such word.
    pub outcome: Option<Outcome>,
    /// What the client is to ask a person before it calls again.
    pub pending: Option<Pending>,
    /// What of the ledger that it was read from cannot be acted on.
    pub troubles: Vec<Trouble>,
}

/// The answer to a change.
#[derive(Serialize)]
struct Changed {
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<&'static str>,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<Access>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Vec<Access>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Value>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Candidate>,
}

/// The answer to a look, for others who ask the same; one with a trouble in it may be better in a
/// moment.
impl Shared for Arc<Answer> {
    fn lasts(&self) -> bool {
        let problems = self.body.get("problems").and_then(Value::as_array);
        !self.is_error && problems.is_none_or(Vec::is_empty)
    }
}

impl Answer {
    pub(super) fn new(body: Value, is_error: bool, outcome: Option<Outcome>) -> Self {
        Self { body, is_error, outcome, pending: None, troubles: Vec::new() }
    }

    /// The same, read from a ledger of which this cannot be acted on: it warns of that.
    pub(super) fn read_from(mut self, troubles: Vec<Trouble>) -> Self {
        if !troubles.is_empty() {
            json::put(&mut self.body, "warnings", describe(&troubles));
        }
        Self { troubles, ..self }
    }

    /// The same, of a change that rests on a ledger of which this cannot be acted on.
    pub(super) fn resting_on(mut self, troubles: &[Trouble]) -> Self {
        let warnings = self.body.get_mut("warnings").and_then(Value::as_array_mut);
        if let (Some(warnings), Some(warning)) = (warnings, warned(troubles)) {
            warnings.push(warning.into());
        }
        self
    }

    /// The same, of a change at that tenant of its vendor.
    pub(super) fn at(mut self, tenant: Option<&str>) -> Self {
        if let Some(tenant) = tenant {
            json::put_after(&mut self.body, "vendor", "tenant", tenant);
        }
        self
    }

    /// The receipt of the whole, where there is one.
    pub fn receipt(&self) -> Option<&str> {
        self.body.get("receipt")?.as_str()
    }

    /// That, and those of its items.
    pub fn receipts(&self) -> impl Iterator<Item = &str> {
        let items = self.body.get("items").and_then(Value::as_array).into_iter().flatten();
        self.receipt().into_iter().chain(items.filter_map(|item| item.get("receipt")?.as_str()))
    }

    /// Grantor failed inside, and how far it came is not known.
    pub fn broken(body: Value) -> Self {
        Self::new(body, true, Some(Outcome::Unknown))
    }

    /// A call that ended before there was a step.
    pub(super) fn stopped(spec: &Spec, failure: &Failure) -> Self {
        Self::of_change(Changed {
            vendor: spec.vendor,
            vendor_status: failure.status,
            hint: Some(failure.next_step().to_owned()),
            candidates: failure.candidates.clone(),
            ..Changed::new(failure.outcome(), failure.message.clone())
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
        Self::of_change(Changed {
            vendor: spec.vendor,
            request: Some(shown),
            warnings: vec![format!("nothing was read or changed: {}", failure.message)],
            hint: Some("enter these parameters in the vendor's own console".to_owned()),
            summary: "To be entered by hand: from here nothing would be sent".to_owned(),
            ..Changed::new(Outcome::Preview, String::new())
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
            vendor: spec.vendor,
            principal: items.first().map(|item| item.wanted.principal.clone()),
            role: items.first().map(|item| item.wanted.role.clone()),
            before: items.first().and_then(|item| item.before.clone()),
            after: items
                .iter()
                .rev()
                .find(|item| item.status.is_some())
                .or(items.last())
                .and_then(|item| item.after.clone()),
            expires_at: items.iter().find_map(|item| item.expires_at.clone()),
            hint: worst.and_then(|item| item.hint.clone()),
            policy: worst.and_then(|item| item.policy.clone()),
            ..Changed::new(outcome, several(done, &items, worst))
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

    fn of_change(mut changed: Changed) -> Self {
        let outcome = changed.outcome;
        if changed.hint.is_none() {
            changed.hint = next_step(outcome, changed.receipt.as_deref());
        }
        let body = serde_json::to_value(changed).unwrap_or_else(|_| json!({ "outcome": outcome }));
        Self::new(body, outcome.is_error(), Some(outcome))
    }

    /// Rows, and the vendors that had none to give; an error when every vendor asked has failed.
    pub(super) fn rows(rows: Rows) -> Self {
        let failed = rows.problems.iter().filter(|problem| !problem.partial).count();
        let problems: Vec<_> = rows.problems.iter().map(problem).collect();
        if let Some(failure) = &rows.unknown {
            let mut unasked = Self::unasked(failure);
            json::put(&mut unasked.body, "problems", problems);
            return unasked;
        }
        let mut body = json!({ "rows": rows.rows, "problems": problems });
        if let Some(note) = rows.note {
            json::put(&mut body, "note", note);
        }
        if let Some(cursor) = rows.next_cursor {
            json::put(&mut body, "next_cursor", cursor);
        }
        Self::new(body, rows.asked > 0 && failed == rows.asked, None).read_from(rows.troubles)
    }

    /// A look that asked nobody: its arguments do not fit, or there is nobody to ask.
    pub(super) fn unasked(failure: &Failure) -> Self {
        let outcome = failure.outcome();
        let mut body = json!({
            "outcome": outcome,
            "summary": format!("{}: {}", unlooked(outcome), failure.message),
            "rows": [],
            "problems": [],
        });
        json::put(&mut body, "hint", failure.next_step());
        if !failure.candidates.is_empty() {
            json::put(&mut body, "candidates", json!(failure.candidates));
        }
        Self::new(body, true, Some(outcome))
    }

    /// The last stop of every answer: vendor text is cleaned, what there is no room for is left out,
    /// and a sandbox says that it is one.
    pub(super) fn finish(mut self, sandbox: bool) -> Self {
        text::clean_value(&mut self.body);
        complete_commands(&mut self.body, false, sandbox);
        fit(&mut self.body);
        if sandbox {
            json::put(&mut self.body, "sandbox", true);
        }
        self
    }
}

/// What of an answer is our own words, with what it quotes.
const WORDS: [&str; 6] = ["hint", "summary", "warnings", "note", "message", "overdue"];

/// Words with the commands in them as this process's caller has to type them.
fn complete_commands(body: &mut Value, is_ours: bool, sandbox: bool) {
    match body {
        Value::Object(fields) => {
            // What is sent is shown as it is.
            for (name, value) in fields.iter_mut().filter(|(name, _)| *name != "request") {
                complete_commands(value, WORDS.contains(&name.as_str()), sandbox);
            }
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| complete_commands(value, is_ours, sandbox));
        }
        Value::String(words) if is_ours => {
            *words = match sandbox {
                true => invocation::commands_in_sandbox(words),
                false => invocation::commands(words),
            };
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn problem(problem: &Problem) -> Value {
    let failure = &problem.failure;
    let mut shown = json!({
        "vendor": problem.vendor,
        "kind": failure.problem(),
        "message": failure.message,
    });
    if let Some(tenant) = &problem.tenant {
        json::put_after(&mut shown, "vendor", "tenant", tenant.as_str());
    }
    json::put(&mut shown, "hint", failure.next_step());
    if !failure.candidates.is_empty() {
        json::put(&mut shown, "candidates", json!(failure.candidates));
    }
    shown
}

impl Changed {
    fn new(outcome: Outcome, what: String) -> Self {
        Self {
            outcome,
            receipt: None,
            vendor: None,
            summary: format!("{}: {what}", phrase(outcome)),
            principal: None,
            role: None,
            resource: None,
            before: None,
            after: None,
            items: Vec::new(),
            warnings: Vec::new(),
            policy: None,
            request: None,
            vendor_status: None,
            expires_at: None,
            hint: None,
            candidates: Vec::new(),
        }
    }
}

impl StepResult {
    fn alone(self, spec: &Spec) -> Changed {
        let what = match &self.note {
            Some(note) => format!("{} ({note})", self.summary),
            None => self.summary.clone(),
        };
        let mut changed = Changed::new(self.outcome, what);
        if self.outcome == Outcome::AlreadyAbsent && !self.remains.is_empty() {
            changed.summary = changed.summary.replacen(phrase(self.outcome), NOT_OTHERWISE, 1);
        }
        Changed {
            summary: after_what_is_left(self.remains.first(), changed.summary),
            receipt: self.receipt,
            vendor: spec.vendor,
            expires_at: self.expires_at,
            principal: Some(self.wanted.principal),
            role: Some(self.wanted.role),
            resource: Some(self.wanted.resource),
            before: self.before,
            after: self.after,
            items: self.parts,
            warnings: self.warnings,
            policy: self.policy,
            request: self.request,
            vendor_status: self.status,
            hint: self.hint,
            ..Changed::new(self.outcome, String::new())
        }
    }

    fn among(self) -> Value {
        let mut item = json!({
            "resource": self.wanted.resource,
            "outcome": self.outcome,
        });
        let extras = [
            ("before", self.before.map(|rows| json!(rows))),
            ("after", self.after.map(|rows| json!(rows))),
            ("receipt", self.receipt.map(Value::from)),
            ("note", self.note.map(Value::from)),
            ("hint", self.hint.map(Value::from)),
            ("request", self.request),
            ("vendor_status", self.status.map(Value::from)),
        ];
        for (key, value) in extras {
            if let Some(value) = value {
                json::put(&mut item, key, value);
            }
        }
        item
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
fn phrase(outcome: Outcome) -> &'static str {
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
        Outcome::Mismatch => "Sent, and not as asked",
        Outcome::Unknown => "May have happened, is not sent again",
    }
}
