//! From a permitted intent to an outcome: record, send, read back, record.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;
use tracing::Instrument as _;

use super::lag::{NOT_YET, look_again};
use super::task::ChangeContext;
use super::{Desk, StepResult, sending};
use crate::access::{Access, Outcome};
use crate::failure::{Failure, Kind};
use crate::guard::Permitted;
use crate::intent::{Cause, Intent, LONGEST_LINE};
use crate::ledger::{Closing, Opened};
use crate::outbound::{self, Fate};
use crate::requester::Requester;
use crate::tools::{Snapshot, Step, Verification, WriteReply};
use crate::vendors::VendorReader;

/// How long to wait before reading again, for vendors that take a moment to show a write.
const MOMENTS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];

/// What the vendor said, or could not say, to a write that left.
enum Said {
    WriteReply(WriteReply),
    Unclear(String),
}

impl Desk {
    /// Sends what may be sent, or moves an end that the ledger keeps; under its own receipt or that which it
    /// is given.
    pub(super) async fn act(
        &self,
        context: &ChangeContext,
        step: &dyn Step,
        permitted: Box<Permitted>,
        receipt: Option<String>,
        before: &Snapshot,
        reader: &VendorReader<'_>,
    ) -> StepResult {
        match &permitted.intent().cause {
            Cause::Extension(of) => {
                self.extend(step, of, &permitted, receipt, &context.caller).await
            }
            Cause::Request | Cause::Undo(_) | Cause::Expiry(_) => {
                self.send(context, step, permitted, receipt, before, reader).await
            }
        }
    }

    /// Moves the end of an earlier grant: only the ledger knows of it.
    async fn extend(
        &self,
        step: &dyn Step,
        of: &str,
        permitted: &Permitted,
        item: Option<String>,
        by: &Requester,
    ) -> StepResult {
        let intent = permitted.intent();
        let Some(_right) = sending::begin() else {
            return StepResult::not_started(step, &intent.before);
        };
        let content = json!({ "extension": intent.recorded(), "policy": permitted.policy(),
            "consent": permitted.consent(), "item": item });
        match self.ledger.extend(of, intent.expires_at, content, by).await {
            Ok(()) => StepResult::extended(step, of, intent, permitted.policy().clone()),
            Err(failure) => StepResult::stopped(step, Some(&intent.before), &failure),
        }
    }

    async fn send(
        &self,
        context: &ChangeContext,
        step: &dyn Step,
        permitted: Box<Permitted>,
        receipt: Option<String>,
        before: &Snapshot,
        reader: &VendorReader<'_>,
    ) -> StepResult {
        let Some(_right) = sending::begin() else {
            return StepResult::not_started(step, &before.rows);
        };
        let policy = permitted.policy().clone();
        let opened = match self.ledger.open(permitted, receipt, &context.caller).await {
            Ok(opened) => opened,
            Err(failure) => return StepResult::stopped(step, Some(&before.rows), &failure),
        };
        let mut item = StepResult::sent(step, opened.receipt(), opened.intent(), policy);
        // What is open in the ledger is closed, whatever happens.
        let exchange = AssertUnwindSafe(self.exchange(step, &opened, before, reader, &mut item));
        let request_id = exchange.catch_unwind().await.unwrap_or_else(|_| {
            item.break_off();
            None
        });
        let after = kept(&item.left, opened.intent());
        let closing = Closing {
            outcome: item.outcome,
            status: item.status,
            request_id: request_id.as_deref(),
            after: &after,
            note: item.note.as_deref(),
            held: item.held.as_ref(),
            unseen: item.unseen,
        };
        if let Err(failure) = self.ledger.close(opened.receipt(), &closing, &context.caller).await {
            item.warnings.push(format!(
                "how it ended is not recorded: {}; `grantor reconcile` looks at it again",
                failure.message
            ));
        }
        item
    }

    /// Sends, and finds out what came of it; gives the vendor's name for the exchange.
    async fn exchange(
        &self,
        step: &dyn Step,
        opened: &Opened,
        before: &Snapshot,
        reader: &VendorReader<'_>,
        item: &mut StepResult,
    ) -> Option<String> {
        let span = tracing::info_span!(target: "grantor", "write", receipt = %opened.receipt());
        let sending = outbound::write(&reader.tenant.account, reader.wire, opened, reader.deadline);
        match sending.instrument(span).await {
            Fate::NotDone(failure) => {
                item.fail(&failure);
                None
            }
            Fate::Answered(reply) => {
                item.status = Some(reply.status);
                self.find_out(step, Said::WriteReply(step.interpret(&reply)), before, reader, item)
                    .await;
                reply.request_id
            }
            Fate::Unclear { trouble, status } => {
                item.status = status;
                self.find_out(step, Said::Unclear(trouble), before, reader, item).await;
                None
            }
        }
    }

    /// Finds out what is so now, and what to call it.
    async fn find_out(
        &self,
        step: &dyn Step,
        said: Said,
        before: &Snapshot,
        reader: &VendorReader<'_>,
        item: &mut StepResult,
    ) {
        let said = match said {
            Said::WriteReply(WriteReply::No(failure)) => {
                item.fail(&forbidden(failure, item.needs));
                item.outcome = Outcome::Rejected;
                return;
            }
            Said::WriteReply(WriteReply::Yes { warnings }) => {
                item.warnings.extend(warnings.iter().cloned());
                Said::WriteReply(WriteReply::Yes { warnings })
            }
            Said::WriteReply(WriteReply::Held(kept)) => {
                item.held = Some(kept.clone());
                Said::WriteReply(WriteReply::Held(kept))
            }
            Said::WriteReply(WriteReply::Garbled(trouble)) => Said::Unclear(trouble),
            said => said,
        };
        let patient = matches!(said, Said::WriteReply(WriteReply::Yes { .. }) | Said::Unclear(_));
        let found = read_back(step, before, reader, patient).await;
        let as_before = match &found {
            Ok((snapshot, _)) => before.is_unchanged(snapshot, step),
            Err(_) => false,
        };
        let (found, rows) = match found {
            Ok((snapshot, finding)) => (Ok((finding, as_before)), Some(snapshot.rows)),
            Err(failure) => (Err(failure), None),
        };
        let WriteConclusion { outcome, note, unseen } =
            conclude(&said, found, step.already_outcome());
        let is_open = unseen || outcome == Outcome::Unknown;
        if let Some(rows) = rows {
            if !(is_open && as_before) {
                item.left.clone_from(&rows);
            }
            item.after = Some(rows);
        } else if !is_open && outcome != Outcome::Unconfirmed {
            item.left = item.before.clone().unwrap_or_default();
        }
        item.outcome = outcome;
        item.note = note;
        item.unseen = unseen;
        if unseen && let Some(receipt) = item.receipt() {
            item.hint = Some(look_again(receipt));
        }
    }
}

/// A refusal with what helps against it: the permission it takes, unless the vendor speaks of a
/// policy of its own.
fn forbidden(failure: Failure, needs: &str) -> Failure {
    if failure.status != Some(403) {
        return failure;
    }
    let words = failure.message.to_lowercase();
    if words.contains("policy") || words.contains("policies") {
        return failure.hint(
            "a policy at the vendor forbids it: whoever keeps that policy decides, and asking \
             again changes nothing",
        );
    }
    failure.hint(format!(
        "the change takes {needs}; where the credential has that, the vendor's own words say why"
    ))
}

/// The rows that the closing line keeps: all of them, or, where they are too many for one line, those
/// of the principal alone, as many as there is room for.
fn kept<'a>(rows: &'a [Access], intent: &Intent) -> Cow<'a, [Access]> {
    let length = |row: &Access| json!(row).to_string().len();
    if rows.iter().map(length).sum::<usize>() <= LONGEST_LINE {
        return Cow::Borrowed(rows);
    }
    let own = rows.iter().filter(|row| row.principal.id == intent.wanted.principal.id);
    let mut room = LONGEST_LINE;
    let fits = |row: &&Access| match room.checked_sub(length(row)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    own.take_while(fits).cloned().collect()
}

/// Reads back; where the wanted state may only be slow to show, a few times.
async fn read_back(
    step: &dyn Step,
    before: &Snapshot,
    reader: &VendorReader<'_>,
    patient: bool,
) -> Result<(Snapshot, Verification), Failure> {
    let mut moments = MOMENTS.iter();
    loop {
        let now = step.current(reader).await?;
        let finding = step.verify(before, &now);
        let moment =
            moments.next().filter(|_| patient && matches!(finding, Verification::Elsewise(_)));
        let Some(moment) = moment.filter(|moment| **moment < reader.deadline.left()) else {
            return Ok((now, finding));
        };
        tokio::time::sleep(*moment).await;
    }
}

/// What a write is called.
#[derive(Debug, PartialEq)]
struct WriteConclusion {
    outcome: Outcome,
    note: Option<String>,
    /// The vendor said yes, and what shows may be too old to show it.
    unseen: bool,
}

/// The outcome of a write, from what was said and what reading back shows, just after; and whether
/// that is exactly what was there before. Pure.
fn conclude(
    said: &Said,
    found: Result<(Verification, bool), Failure>,
    reached: Outcome,
) -> WriteConclusion {
    let yes = matches!(said, Said::WriteReply(WriteReply::Yes { .. }));
    if yes && matches!(found, Ok((Verification::Elsewise(_), true))) {
        let note = Some(NOT_YET.to_owned());
        return WriteConclusion { outcome: Outcome::Unconfirmed, note, unseen: true };
    }
    let (outcome, note) = outcome_of(said, found.map(|(finding, _)| finding), reached);
    WriteConclusion { outcome, note, unseen: false }
}

/// The outcome where what shows is no older than the write, or nobody said yes to it.
fn outcome_of(
    said: &Said,
    found: Result<Verification, Failure>,
    reached: Outcome,
) -> (Outcome, Option<String>) {
    let unclear = match said {
        Said::Unclear(trouble) => Some(trouble),
        Said::WriteReply(_) => None,
    };
    let found = match found {
        Ok(found) => found,
        Err(failure) => return unread(said, &failure),
    };
    let says = |text: &str| Some(text.to_owned());
    match (found, said) {
        (Verification::There, Said::WriteReply(WriteReply::Exists(_))) => (reached, None),
        (Verification::There, _) => (Outcome::Confirmed, None),
        (Verification::Held, _) | (_, Said::WriteReply(WriteReply::Held(_))) => (
            Outcome::PendingVendorApproval,
            says("the vendor holds it for its own approvers; access is as before"),
        ),
        (Verification::Lost(rows), _) => (Outcome::Mismatch, Some(lost(&rows))),
        (Verification::Wider(rows), _) => (Outcome::Mismatch, Some(wider(&rows))),
        (_, Said::WriteReply(WriteReply::Exists(failure) | WriteReply::No(failure))) => {
            (Outcome::Rejected, Some(failure.message.clone()))
        }
        (Verification::Elsewise(what), Said::WriteReply(_)) => (
            Outcome::Mismatch,
            Some(format!("the vendor said yes, and reading back shows otherwise: {what}")),
        ),
        (Verification::CannotTell, Said::WriteReply(_)) => (
            Outcome::Unconfirmed,
            says("the vendor said yes, and shows this credential too little to read it back"),
        ),
        (Verification::Elsewise(_) | Verification::CannotTell, Said::Unclear(_)) => {
            let trouble = unclear.map_or("", String::as_str);
            let note =
                format!("it may have happened and does not show: {trouble}; it is not sent again");
            (Outcome::Unknown, Some(note))
        }
    }
}

/// What a write is called whose result could not be read.
fn unread(said: &Said, failure: &Failure) -> (Outcome, Option<String>) {
    let why = format!("reading back failed: {}", failure.message);
    match said {
        Said::WriteReply(WriteReply::Held(_)) => (Outcome::PendingVendorApproval, Some(why)),
        Said::WriteReply(WriteReply::Yes { .. }) if failure.kind == Kind::NotPermitted => {
            (Outcome::Unconfirmed, Some(format!("the vendor said yes; {why}")))
        }
        Said::WriteReply(WriteReply::Exists(refused) | WriteReply::No(refused)) => {
            (Outcome::Rejected, Some(format!("{}; {why}", refused.message)))
        }
        Said::WriteReply(_) => (Outcome::Unknown, Some(format!("the vendor said yes; {why}"))),
        Said::Unclear(trouble) => (Outcome::Unknown, Some(format!("{trouble}; {why}"))),
    }
}

fn lost(rows: &[Access]) -> String {
    let rows = named(rows);
    format!(
        "the vendor took away access that was there before: {rows}; grant it again to restore it"
    )
}

fn wider(rows: &[Access]) -> String {
    let rows = named(rows);
    format!("wider access than was asked for came with it: {rows}; take it away at the vendor")
}

fn named(rows: &[Access]) -> String {
    let rows = rows.iter().map(|row| format!("{} on {}", row.role.label(), row.resource.label()));
    rows.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &Said, found: Result<(Verification, bool), Failure>, outcome: Outcome) {
        let told = format!("{found:?}");
        let concluded = conclude(said, found, Outcome::AlreadyPresent);
        assert_eq!(concluded.outcome, outcome, "{told}");
        assert!(!concluded.unseen || outcome == Outcome::Unconfirmed, "{told}");
    }

    fn yes() -> Said {
        Said::WriteReply(WriteReply::Yes { warnings: Vec::new() })
    }

    fn unclear() -> Said {
        Said::Unclear("reset".to_owned())
    }

    fn held() -> Said {
        Said::WriteReply(WriteReply::Held(serde_json::Value::Null))
    }

    fn exists() -> Said {
        Said::WriteReply(WriteReply::Exists(Failure::invalid("409")))
    }

    #[test]
    fn every_answer_and_every_reading_has_one_word() {
        use Outcome::*;
        let other = || Verification::Elsewise("other".to_owned());
        let elsewise = || Ok(other());
        let down = || Err(Failure::new(Kind::Unavailable, "down"));
        let closed = || Err(Failure::new(Kind::NotPermitted, "403"));
        for (said, found, outcome) in [
            (yes(), Ok(Verification::There), Confirmed),
            (yes(), Ok(Verification::Held), PendingVendorApproval),
            (yes(), elsewise(), Mismatch),
            (yes(), Ok(Verification::Lost(vec![])), Mismatch),
            (yes(), Ok(Verification::Wider(vec![])), Mismatch),
            (yes(), Ok(Verification::CannotTell), Unconfirmed),
            (yes(), down(), Unknown),
            (yes(), closed(), Unconfirmed),
            (held(), elsewise(), PendingVendorApproval),
            (held(), down(), PendingVendorApproval),
            (exists(), Ok(Verification::There), AlreadyPresent),
            (exists(), Ok(Verification::Held), PendingVendorApproval),
            (exists(), elsewise(), Rejected),
            (unclear(), Ok(Verification::There), Confirmed),
            (unclear(), Ok(Verification::Held), PendingVendorApproval),
            (unclear(), elsewise(), Unknown),
            (unclear(), Ok(Verification::CannotTell), Unknown),
            (unclear(), down(), Unknown),
            (unclear(), Ok(Verification::Lost(vec![])), Mismatch),
            (unclear(), Ok(Verification::Wider(vec![])), Mismatch),
        ] {
            check(&said, found.map(|finding| (finding, false)), outcome);
        }
        // The same where exactly what was before is shown: that says nothing yet.
        for (said, found, outcome) in [
            (yes(), other(), Unconfirmed),
            (yes(), Verification::There, Confirmed),
            (yes(), Verification::CannotTell, Unconfirmed),
            (yes(), Verification::Lost(vec![]), Mismatch),
            (held(), other(), PendingVendorApproval),
            (exists(), other(), Rejected),
            (unclear(), other(), Unknown),
        ] {
            check(&said, Ok((found, true)), outcome);
        }
    }

    #[test]
    fn a_refusal_says_what_helps() {
        for (status, words, hint) in [
            (403, "403: “A policy blocks this activity”", "a policy at the vendor"),
            (403, "403: “Blocked by Policies”", "a policy at the vendor"),
            (403, "403: “Forbidden”", "the change takes Permissions:Assign"),
            (400, "400: “policy”", "as it was"),
        ] {
            let mut failure = Failure::new(Kind::NotPermitted, words).hint("as it was");
            failure.status = Some(status);
            let found = forbidden(failure, "Permissions:Assign").hint.unwrap();
            assert!(found.starts_with(hint), "{words}: {found}");
        }
    }

    #[test]
    fn only_a_yes_that_does_not_show_is_unseen() {
        let other = || Verification::Elsewise("other".to_owned());
        for (said, found, as_before, unseen) in [
            (yes(), other(), true, true),
            (yes(), other(), false, false),
            (yes(), Verification::CannotTell, true, false),
            (unclear(), other(), true, false),
            (exists(), other(), true, false),
        ] {
            let concluded = conclude(&said, Ok((found, as_before)), Outcome::AlreadyPresent);
            assert_eq!(concluded.unseen, unseen, "{concluded:?}");
        }
    }
}
