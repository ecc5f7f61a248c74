//! A request, and what was sent of it: one change, or several under receipts of their own.

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Desk;
use super::step_result::StepResult;
use crate::access::Outcome;
use crate::failure::Failure;
use crate::json::{put, put_after};
use crate::ledger::{Decision, Record, Request, SIGNATURE, State};
use crate::text;

/// More than a call has items.
const MOST: usize = 100;

impl Desk {
    /// A receipt that is no change: a request, perhaps for several. Items whose end is not settled
    /// are looked at.
    pub(super) async fn asked_for(&self, receipt: &str) -> Result<Value, Failure> {
        let Some(request) = self.ledger.request(receipt).await? else {
            return Err(self.not_found(receipt).await);
        };
        let mut body = self.asked_as(&request);
        if request.state != State::Spent {
            return Ok(body);
        }
        let mut changes = Vec::new();
        for item in self.items(&request).await? {
            changes.push(self.item(item).await);
        }
        if !changes.is_empty() {
            let unsent = intents(&request).saturating_sub(changes.len());
            let outcomes: Vec<_> = changes
                .iter()
                .map(|item| Outcome::deserialize(item.get("outcome")?).ok())
                .collect();
            let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
            let (worst, note) = together(&outcomes, unsent);
            put(&mut body, "outcome", json!(worst));
            put(&mut body, "note", note);
            put(&mut body, "changes", changes);
        }
        Ok(body)
    }

    /// A request among changes, with its tenant where answers name that.
    pub(super) fn asked_as(&self, request: &Request) -> Value {
        let (mut shown, content) = (asked(request), &request.content);
        let vendor = content.vendor.as_deref().unwrap_or_default();
        if let Some(tenant) = self.config.said(vendor, content.tenant_name.as_deref()) {
            put_after(&mut shown, "vendor", "tenant", tenant);
        }
        shown
    }

    /// One of several changes, as it stands; one that cannot be looked at now as it was last found.
    async fn item(&self, record: Record) -> Value {
        let mut last = self.shown(&record);
        let is_held = record.is_held() || record.held_by.is_some();
        let is_open = record.is_unsettled() || record.outcome() == Some(Outcome::Unconfirmed);
        if !is_open && !is_held {
            return last;
        }
        match self.looked_at(record).await {
            Ok(now) => now,
            Err(failure) => {
                put(&mut last, "note", format!("it cannot be looked at now: {}", failure.message));
                last
            }
        }
    }

    /// What was sent of a request for several changes. What was so already has a number too, and
    /// nothing under it.
    pub(super) async fn items(&self, request: &Request) -> Result<Vec<Record>, Failure> {
        let (mut items, sent) = (Vec::new(), intents(request));
        for number in 1..=MOST {
            if items.len() == sent {
                break;
            }
            items.extend(self.ledger.find(&format!("{}.{number}", request.receipt)).await?);
        }
        Ok(items)
    }
}

/// The word for several changes, of which the worst counts, and how many ended how. Pure.
fn together(outcomes: &[Outcome], unsent: usize) -> (Outcome, String) {
    let never = (unsent > 0).then_some(Outcome::Unavailable);
    let worst = outcomes.iter().copied().chain(never).max().unwrap_or(Outcome::Unavailable);
    let mut counts: Vec<(Outcome, usize)> = Vec::new();
    for outcome in outcomes {
        match counts.iter_mut().find(|(known, _)| known == outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((*outcome, 1)),
        }
    }
    let told = counts.iter().map(|(outcome, count)| format!("{count} {}", outcome.as_str()));
    let told = told.chain((unsent > 0).then(|| format!("{unsent} not sent")));
    let told = told.collect::<Vec<_>>().join(", ");
    let count = outcomes.len() + unsent;
    let changes = if count == 1 { "change" } else { "changes" };
    (worst, format!("{count} {changes}: {told}"))
}

/// A request for consent, among changes.
fn asked(request: &Request) -> Value {
    let (outcome, note) = match request.state {
        State::Waiting => (Outcome::AwaitingConsent, "a person has to approve it".to_owned()),
        State::Approved => (Outcome::AwaitingConsent, "approved, and not sent yet".to_owned()),
        State::Spent => match &request.concluded {
            Some(concluded) => (
                concluded.outcome,
                format!("its approval was taken, and nothing was sent: {}", concluded.note),
            ),
            None => (Outcome::Unavailable, "approved, and no change of it is recorded".to_owned()),
        },
        _ => (Outcome::Refused, format!("the request {}", request.words())),
    };
    let denied = request.answered.as_ref().filter(|_| request.state == State::Denied);
    let reason = denied.and_then(|answered| answered.reason.as_deref());
    let note = match reason {
        Some(reason) => format!("{note}: {}", text::quoted(reason)),
        None => note,
    };
    let mut shown = json!({
        "receipt": request.receipt,
        "outcome": outcome,
        "time": request.time.to_string(),
        "requester": request.requester,
        "vendor": request.content.vendor,
        "tool": request.content.tool,
        "summary": request.content.summary,
        "note": note,
    });
    if let Some(answered) = &request.answered {
        let word = match answered.decision {
            Decision::Approved => Some("approved_by"),
            // A signature that does not hold is nobody's no.
            Decision::Denied if answered.how == SIGNATURE => None,
            Decision::Denied => Some("denied_by"),
            Decision::Withdrawn | Decision::Moved => None,
        };
        if let Some(word) = word {
            put(&mut shown, word, answered.by.as_str());
        }
    }
    if let Some(reason) = reason {
        put(&mut shown, "denial_reason", reason);
    }
    let concluded = request.concluded.as_ref().and_then(|known| known.followed_by.as_ref());
    if let Some(next) = request.followed_by.as_ref().or(concluded) {
        put(&mut shown, "followed_by", next.as_str());
        put(&mut shown, "hint", format!("{next} asks for what is so now"));
    }
    if let Some(old) = &request.content.follows {
        put(&mut shown, "follows", old.as_str());
    }
    if request.state == State::Waiting {
        put(&mut shown, "until", request.until.to_string());
        let hint =
            format!("a person runs `grantor requests approve {}` at a terminal", request.receipt);
        put(&mut shown, "hint", hint);
    }
    shown
}

/// How many changes a request is for.
fn intents(request: &Request) -> usize {
    request.content.intents.len()
}

/// A summary behind what access stays all the same: that is what a reader must not miss.
pub(super) fn after_what_is_left(left: Option<&String>, summary: String) -> String {
    let Some(left) = left else { return summary };
    let mut letters = left.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}. {summary}", first.unwrap_or_default(), letters.as_str())
}

/// How many items went well, and what the worst of them says.
pub(super) fn several(done: usize, items: &[StepResult], worst: Option<&StepResult>) -> String {
    let count = format!("{done} of {} without an error", items.len());
    match worst.and_then(|item| item.note.as_ref().map(|note| (&item.summary, note))) {
        Some((summary, note)) => format!("{count}; {summary} ({note})"),
        None => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_is_the_word_and_each_is_counted() {
        use Outcome::*;
        for (outcomes, unsent, worst, note) in [
            (&[Confirmed, Confirmed][..], 0, Confirmed, "2 changes: 2 confirmed"),
            (&[Confirmed, Rejected], 0, Rejected, "2 changes: 1 confirmed, 1 rejected"),
            (
                &[Confirmed, Unconfirmed, Confirmed],
                0,
                Unconfirmed,
                "3 changes: 2 confirmed, 1 unconfirmed",
            ),
            (&[Confirmed, Unknown], 2, Unknown, "4 changes: 1 confirmed, 1 unknown, 2 not sent"),
            (&[Confirmed], 1, Unavailable, "2 changes: 1 confirmed, 1 not sent"),
        ] {
            assert_eq!(together(outcomes, unsent), (worst, note.to_owned()));
        }
    }
}
