//! A request, and what was sent of it: one change, or several under receipts of their own.

use serde_json::{Map, Value};

use super::Desk;
use super::body::{ChangeLeft, Checked, Marks, Of};
use super::rights::takes;
use super::step_result::StepResult;
use crate::access::Outcome;
use crate::catalogue;
use crate::failure::Failure;
use crate::ledger::{Channel, Content, Decision, Record, Request, State};
use crate::requester::Requester;
use crate::text::{self, Word};
use crate::tools::{LASTING, STARTS, set_expiry, undo_change};

/// More than a call has items.
const MOST: usize = 100;
const NONE_RECORDED: &str = "it was to be carried out, and no change of it is recorded";
/// What to do about changes that were not done.
const REMAINING: &str = "what is listed under remaining was not done, and is not sent on that consent any \
    more: give it as changes of apply_changes to ask for it again";

impl Desk {
    /// A receipt that is no change: a request, perhaps for several. Items whose end is not settled
    /// are looked at.
    pub(super) async fn asked_for(
        &self,
        receipt: &str,
        by: &Requester,
    ) -> Result<Checked, Failure> {
        let Some(request) = self.ledger.request(receipt).await? else {
            let refused = self.ledger.entry(receipt).await?;
            return match refused.and_then(|entry| self.refused(&entry)) {
                Some(refused) => Ok(refused),
                None => Err(self.not_found(receipt).await),
            };
        };
        let body = self.asked_as(&request);
        if request.state != State::Spent {
            return Ok(body);
        }
        let mut changes = Vec::new();
        for item in self.items(&request).await? {
            changes.push(self.item(item, by).await);
        }
        changes.extend(self.moved_ends(&request).await?);
        // Whoever carried it out is not who asked.
        changes.iter_mut().for_each(|one| one.requester.clone_from(&request.requester));
        let is_set = request.content.is_set();
        let remaining = if is_set { self.remaining(&request, &changes) } else { Vec::new() };
        if changes.is_empty() {
            return Ok(Checked { remaining, ..body });
        }
        let is_back = |change: &&Checked| {
            let number = change.receipt.rsplit('.').next().and_then(|number| number.parse().ok());
            number.is_some_and(|number: usize| request.content.backs.contains(&number))
        };
        let backs = changes.iter().filter(is_back).count();
        let unsent = intents(&request).saturating_sub(changes.len() - backs);
        let outcomes: Vec<_> = changes.iter().map(|item| item.outcome).collect();
        let (mut outcome, note) = together(&outcomes, unsent);
        if is_set {
            let unsent = std::iter::repeat_n(Outcome::Unavailable, unsent);
            outcome = word(&outcomes.into_iter().chain(unsent).collect::<Vec<_>>());
        }
        let hint = (!remaining.is_empty()).then(|| REMAINING.to_owned());
        Ok(Checked { outcome, changes, remaining, hint, ..body }.noted(note))
    }

    /// The ends that a set moved: each is told under its own receipt, and stands in the lines of its grant.
    async fn moved_ends(&self, request: &Request) -> Result<Vec<Checked>, Failure> {
        let Content { intents, numbers, .. } = &request.content;
        let mut moved = Vec::new();
        for (number, intent) in numbers.iter().zip(intents) {
            let Some(of) = intent.get("extends").and_then(Value::as_str) else { continue };
            let receipt = format!("{}.{number}", request.receipt);
            let Some(record) = self.ledger.find(of).await? else { continue };
            if !record.extended.iter().any(|end| end.item.as_ref() == Some(&receipt)) {
                continue;
            }
            let summary = intent.get("summary").and_then(Value::as_str).unwrap_or(&record.summary);
            let (summary, outcome) = (summary.to_owned(), Outcome::Confirmed);
            moved.push(Checked { receipt, summary, outcome, ..self.shown(&record) });
        }
        Ok(moved)
    }

    /// The changes of a set that were not begun, or not done, as another call lists them.
    fn remaining(&self, request: &Request, done: &[Checked]) -> Vec<ChangeLeft> {
        let Content { intents, numbers, .. } = &request.content;
        let is_left = |number: &usize| {
            let receipt = format!("{}.{number}", request.receipt);
            let own = done.iter().find(|one| one.receipt == receipt);
            own.is_none_or(|own| own.outcome == Outcome::Unavailable)
        };
        let left = numbers.iter().zip(intents).filter(|(number, _)| is_left(number));
        left.filter_map(|(_, intent)| self.as_call(intent)).collect()
    }

    /// A change that the ledger keeps, as a call for it.
    fn as_call(&self, intent: &Value) -> Option<ChangeLeft> {
        let text = |field: &str| intent.get(field).and_then(Value::as_str);
        if let Some(receipt) = text("undoes") {
            let arguments = Map::from_iter([("receipt".to_owned(), receipt.into())]);
            return Some(ChangeLeft { tool: undo_change::SPEC.name.to_owned(), arguments });
        }
        if let Some(receipt) = text("extends") {
            return Some(end_left(receipt, intent));
        }
        let tool = text("tool")?.to_owned();
        let Value::Object(mut arguments) = intent.get("arguments")?.clone() else { return None };
        let own = ["lasts", "expires_at"].iter().find_map(|name| Some((*name, text(name)?)));
        if let Some((name, end)) = own {
            let name = if name == "lasts" { LASTING[0] } else { LASTING[1] };
            arguments.insert(name.to_owned(), end.into());
        }
        let starts = intent.pointer("/wanted/starts_at").map(|at| (STARTS.to_owned(), at.clone()));
        arguments.extend(starts);
        let reason = text("reason").map(|reason| ("reason".to_owned(), reason.into()));
        arguments.extend(reason);
        if let Some(name) = self.config.said(text("vendor")?, text("tenant_name")) {
            arguments.insert(catalogue::TENANT.to_owned(), name.into());
        }
        Some(ChangeLeft { tool, arguments })
    }

    /// A request among changes, with its tenant where answers name that.
    pub(super) fn asked_as(&self, request: &Request) -> Checked {
        let content = &request.content;
        let vendor = content.vendor.as_deref().unwrap_or_default();
        let tenant = self.config.said(vendor, content.tenant_name.as_deref());
        let mut asked = asked(request).at(tenant.map(str::to_owned));
        asked.marks.waits_for = self.waits_for(request);
        if request.state == State::Waiting && content.caller.is_some() {
            asked.hint = Some(format!("{}; check_change says how it ended", self.who_answers()));
        }
        asked
    }

    /// One of several changes, as it stands; one that cannot be looked at now as it was last found.
    async fn item(&self, record: Record, by: &Requester) -> Checked {
        let last = self.shown(&record);
        let is_held = record.is_held() || record.held_by.is_some();
        let is_open = record.is_unsettled() || record.outcome() == Some(Outcome::Unconfirmed);
        if !is_open && !is_held {
            return last;
        }
        let now = self.looked_at(record, by).await;
        now.unwrap_or_else(|failure| {
            last.noted(format!("it cannot be looked at now: {}", failure.message))
        })
    }

    /// What was sent of a request for several changes. What was so already has a number too, and
    /// nothing under it.
    pub(super) async fn items(&self, request: &Request) -> Result<Vec<Record>, Failure> {
        let (mut items, sent) = (Vec::new(), intents(request));
        let numbers = match request.content.is_set() {
            true => [request.content.numbers.clone(), request.content.backs.clone()].concat(),
            false => (1..=MOST).collect(),
        };
        for number in numbers {
            if items.len() == sent && !request.content.is_set() {
                break;
            }
            items.extend(self.ledger.find(&format!("{}.{number}", request.receipt)).await?);
        }
        Ok(items)
    }
}

impl Desk {
    /// What became of a set whose yes was taken, as far as is recorded, in a word; none of what is no such set.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn came_of_set(&self, receipt: &str) -> Result<Option<&'static str>, Failure> {
        let request = self.ledger.request(receipt).await?;
        let is_taken = |one: &Request| {
            one.content.is_set() && one.state == State::Spent && one.concluded.is_none()
        };
        let Some(request) = request.filter(is_taken) else { return Ok(None) };
        let items = self.items(&request).await?;
        Ok(in_a_word(&items.iter().map(Record::outcome).collect::<Vec<_>>()))
    }
}

/// What became of the changes of a set that were sent; an outcome that is not known yet is none. Pure.
fn in_a_word(outcomes: &[Option<Outcome>]) -> Option<&'static str> {
    let known: Option<Vec<Outcome>> = outcomes.iter().copied().collect();
    let Some(known) = known else { return Some("open") };
    let failed = known.iter().filter(|outcome| outcome.is_error()).count();
    match (known.len(), failed) {
        (0, _) => None,
        (_, 0) => Some("done"),
        (all, failed) if all == failed => Some("failed"),
        _ => Some("partly done"),
    }
}

/// The move of an end that was not made, as a call for it.
fn end_left(receipt: &str, intent: &Value) -> ChangeLeft {
    let own = |name: &str| intent.get(name).filter(|end| !end.is_null()).cloned();
    let end = match (own("lasts"), own("expires_at")) {
        (Some(lasts), _) => (LASTING[0], lasts),
        (None, Some(at)) => (LASTING[1], at),
        (None, None) => ("never", true.into()),
    };
    let reason = own("reason").map(|reason| ("reason", reason));
    let all = [("receipt", receipt.into()), end].into_iter().chain(reason);
    let arguments = all.map(|(name, value)| (name.to_owned(), value)).collect();
    ChangeLeft { tool: set_expiry::SPEC.name.to_owned(), arguments }
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

/// The word for the changes of a set: the worst of theirs, or that some are done and some are not. Pure.
pub(super) fn word(outcomes: &[Outcome]) -> Outcome {
    let any = |outcome| outcomes.contains(&outcome);
    let worst = outcomes.iter().copied().max().unwrap_or(Outcome::AlreadyPresent);
    if any(Outcome::AwaitingConsent) {
        // Nothing was sent yet, of what is left out neither.
        return Outcome::AwaitingConsent;
    }
    let is_done = |outcome: &Outcome| !outcome.is_error() && *outcome != Outcome::Preview;
    match worst.is_error() && outcomes.iter().any(is_done) {
        true => Outcome::PartlyDone,
        false => worst,
    }
}

/// How many changes of a set ended how, and what the worst of them says. Pure.
pub(super) fn counted(outcomes: &[Outcome], worst: Option<&StepResult>) -> String {
    let (_, told) = together(outcomes, 0);
    // Where all have one word, the answer has said it.
    let is_one = outcomes.iter().all(|outcome| Some(outcome) == outcomes.first());
    let told = told.split(": ").next().filter(|_| is_one).unwrap_or(&told).to_owned();
    match worst.and_then(|item| item.note.as_ref().map(|note| (&item.summary, note))) {
        Some((summary, note)) => format!("{told}; {summary} ({note})"),
        None => told,
    }
}

/// What a request still takes, in words.
fn waits(request: &Request) -> String {
    let by: Vec<_> = request.yeses.iter().map(|yes| text::quote(Word::Id, &yes.by)).collect();
    match (takes(&request.content.demands), by.as_slice()) {
        (Some(takes), []) => format!("it takes the yes of {takes}"),
        (Some(takes), by) => {
            format!("it takes the yes of {takes}, and has that of {}", by.join(", "))
        }
        (None, _) => "a person has to approve it".to_owned(),
    }
}

/// A request for consent, among changes.
fn asked(request: &Request) -> Checked {
    let (outcome, note) = match request.state {
        State::Waiting => (Outcome::AwaitingConsent, waits(request)),
        State::Approved => (Outcome::AwaitingConsent, "approved, and not sent yet".to_owned()),
        State::Spent => match &request.concluded {
            Some(concluded) => (
                concluded.outcome,
                format!("its approval was taken, and nothing was sent: {}", concluded.note),
            ),
            None => (Outcome::Unavailable, NONE_RECORDED.to_owned()),
        },
        _ => (Outcome::Refused, format!("the request {}", request.words())),
    };
    let denied = request.answered.as_ref().filter(|_| request.state == State::Denied);
    let reason = denied.and_then(|answered| answered.reason.as_deref());
    let note = match reason {
        Some(reason) => format!("{note}: {}", text::quoted(reason)),
        None => note,
    };
    let concluded = request.concluded.as_ref().and_then(|known| known.followed_by.as_ref());
    let followed_by = request.followed_by.as_ref().or(concluded).cloned();
    let waits = request.state == State::Waiting;
    let hint = match &followed_by {
        _ if waits => Channel::LATER.approves_later(&request.receipt),
        Some(next) => Some(format!("{next} asks for what is so now")),
        None => None,
    };
    let [approved_by, denied_by] = deciders(request);
    Checked {
        receipt: request.receipt.clone(),
        outcome,
        time: request.time.to_string(),
        requester: request.requester.clone(),
        of: request.content.vendor.clone().map(Of::new),
        tool: request.content.tool.clone(),
        summary: request.content.summary.clone(),
        note: Some(note),
        marks: Marks {
            approved_by,
            denied_by,
            denial_reason: reason.map(str::to_owned),
            followed_by,
            follows: request.content.follows.clone(),
            until: waits.then(|| request.until.to_string()),
            ..Marks::default()
        },
        hint,
        now: None,
        changes: Vec::new(),
        remaining: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Who said yes, and who said no.
fn deciders(request: &Request) -> [Option<String>; 2] {
    let Some(answered) = &request.answered else { return [None, None] };
    let by = Some(answered.by.clone());
    match answered.decision {
        Decision::Approved => [by, None],
        // A signature that does not hold is nobody's no.
        Decision::Denied if !answered.how.is_a_persons() => [None, None],
        Decision::Denied => [None, by],
        Decision::Withdrawn | Decision::Moved => [None, None],
    }
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
    fn what_became_of_a_set_is_a_word() {
        use Outcome::*;
        for (outcomes, word) in [
            (&[][..], None),
            (&[Some(Confirmed), Some(AlreadyPresent)], Some("done")),
            (&[Some(Confirmed), None], Some("open")),
            (&[Some(Confirmed), Some(Rejected)], Some("partly done")),
            (&[Some(Rejected), Some(Unavailable)], Some("failed")),
        ] {
            assert_eq!(in_a_word(outcomes), word, "{outcomes:?}");
        }
    }

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
