//! From a permitted intent to an outcome: record, send, read back, record.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;
use tracing::Instrument as _;

use super::consent::Given;
use super::prepare::{Prepared, Sendable};
use super::{Call, Desk, Item, Order};
use crate::access::{Access, Outcome};
use crate::failure::{Failure, Kind};
use crate::guard::{Permitted, Verdict};
use crate::intent::Cause;
use crate::ledger::{Closing, Opened, Spent};
use crate::tools::{Finding, Heard, Standing, Step, label};
use crate::transport::{self, Fate};
use crate::vendors::Asker;

/// How long to wait before reading again, for vendors that take a moment to show a write.
const MOMENTS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];

/// What the vendor said, or could not say, to a write that left.
enum Said {
    Heard(Heard),
    Unclear(String),
}

impl Desk {
    /// Carries the steps out one after the other, and stops at the first that fails: what was not
    /// started is said.
    pub(super) async fn carry(
        &self,
        order: &Order<'_>,
        steps: &[Box<dyn Step>],
        prepared: Vec<Prepared>,
        given: Option<&Given>,
        ask: &Asker<'_>,
        call: &Call,
    ) -> Vec<Item> {
        self.forget_names();
        let (mut items, mut sent, mut stopped) = (Vec::new(), false, false);
        for (index, (step, mut one)) in steps.iter().zip(prepared).enumerate() {
            let step = step.as_ref();
            if stopped || (call.withdrawn)() {
                stopped = true;
                items.push(Item::not_started(step, one.before()));
                continue;
            }
            (call.progress)(format!("{} ({} of {})", step.summary(), index + 1, steps.len()));
            if sent {
                // An earlier item may have changed what this one rests on.
                match self.prepare(order, step, ask).await {
                    Ok(again) => one = again,
                    Err(failure) => {
                        items.push(Item::stopped(step, one.before(), &failure));
                        stopped = true;
                        continue;
                    }
                }
            }
            let agreed =
                given.map(|given| given.covers(index, &one.digest(steps, order.term.from)));
            let item = match self.permit(step, one, agreed).await {
                Ok((permitted, before)) => {
                    sent = true;
                    let receipt = given.map(|given| given.receipt(index, steps.len()));
                    self.act(step, permitted, receipt, &before, ask).await
                }
                Err(item) => *item,
            };
            stopped = item.outcome.is_error();
            items.push(item);
        }
        // What others read meanwhile may no longer be so.
        self.forget_names();
        items
    }

    /// The permit of one step, or how it ends without one.
    async fn permit(
        &self,
        step: &dyn Step,
        one: Prepared,
        agreed: Option<Result<&Spent, Failure>>,
    ) -> Result<(Box<Permitted>, Standing), Box<Item>> {
        if let Prepared::Judged(Verdict::Deny(denied), _) = &one {
            self.ledger.refuse(denied).await;
        }
        let (sendable, before) = match one.settled(step) {
            Ok(item) => return Err(Box::new(item)),
            Err(open) => open,
        };
        let asked = match sendable {
            Sendable::Allowed(permitted) => return Ok((permitted, before)),
            Sendable::Asked(asked) => asked,
        };
        match agreed {
            Some(Ok(spent)) => Ok((asked.approved(spent), before)),
            Some(Err(failure)) => Err(Box::new(Item::stopped(step, &before.rows, &failure))),
            None => {
                let failure = Failure::refused("a person must approve this, and was not asked")
                    .hint("call again: the person is asked then");
                Err(Box::new(Item::stopped(step, &before.rows, &failure)))
            }
        }
    }

    async fn act(
        &self,
        step: &dyn Step,
        permitted: Box<Permitted>,
        receipt: Option<String>,
        before: &Standing,
        ask: &Asker<'_>,
    ) -> Item {
        match &permitted.intent().cause {
            Cause::Extension(of) => self.extend(step, of, &permitted).await,
            Cause::Request | Cause::Undo(_) | Cause::Expiry(_) => {
                self.send(step, permitted, receipt, before, ask).await
            }
        }
    }

    /// Moves the end of an earlier grant: only the ledger knows of it.
    async fn extend(&self, step: &dyn Step, of: &str, permitted: &Permitted) -> Item {
        let intent = permitted.intent();
        let content = json!({ "extension": intent.recorded(), "policy": permitted.policy(),
            "consent": permitted.consent() });
        match self.ledger.extend(of, intent.expires_at, content).await {
            Ok(()) => Item::extended(step, of, intent, permitted.policy().clone()),
            Err(failure) => Item::stopped(step, &intent.before, &failure),
        }
    }

    async fn send(
        &self,
        step: &dyn Step,
        permitted: Box<Permitted>,
        receipt: Option<String>,
        before: &Standing,
        ask: &Asker<'_>,
    ) -> Item {
        let policy = permitted.policy().clone();
        let opened = match self.ledger.open(permitted, receipt).await {
            Ok(opened) => opened,
            Err(failure) => return Item::stopped(step, &before.rows, &failure),
        };
        let mut item = Item::sent(step, opened.receipt(), opened.intent(), policy);
        // What is open in the ledger is closed, whatever happens.
        let exchange = AssertUnwindSafe(self.exchange(step, &opened, before, ask, &mut item));
        let request_id = exchange.catch_unwind().await.unwrap_or_else(|_| {
            item.break_off();
            None
        });
        let closing = Closing {
            outcome: item.outcome,
            status: item.status,
            request_id: request_id.as_deref(),
            after: &item.after,
            note: item.note.as_deref(),
            held: item.held.as_ref(),
        };
        self.ledger.close(opened.receipt(), &closing).await;
        item
    }

    /// Sends, and finds out what came of it; gives the vendor's name for the exchange.
    async fn exchange(
        &self,
        step: &dyn Step,
        opened: &Opened,
        before: &Standing,
        ask: &Asker<'_>,
        item: &mut Item,
    ) -> Option<String> {
        let span = tracing::info_span!(target: "grantor", "write", receipt = %opened.receipt());
        let sending = transport::write(&ask.tenant.account, ask.wire, opened, ask.deadline);
        match sending.instrument(span).await {
            Fate::NotDone(failure) => {
                item.fail(&failure);
                None
            }
            Fate::Answered(reply) => {
                item.status = Some(reply.status);
                self.find_out(step, Said::Heard(step.heard(&reply)), before, ask, item).await;
                reply.request_id
            }
            Fate::Unclear { trouble, status } => {
                item.status = status;
                self.find_out(step, Said::Unclear(trouble), before, ask, item).await;
                None
            }
        }
    }

    /// Finds out what is so now, and what to call it.
    async fn find_out(
        &self,
        step: &dyn Step,
        said: Said,
        before: &Standing,
        ask: &Asker<'_>,
        item: &mut Item,
    ) {
        let said = match said {
            Said::Heard(Heard::No(failure)) => {
                let hint = format!("the credential needs {}", item.needs);
                item.fail(&if failure.status == Some(403) { failure.hint(hint) } else { failure });
                item.outcome = Outcome::Rejected;
                return;
            }
            Said::Heard(Heard::Yes { warnings }) => {
                item.warnings.extend(warnings.iter().cloned());
                Said::Heard(Heard::Yes { warnings })
            }
            Said::Heard(Heard::Held(kept)) => {
                item.held = Some(kept.clone());
                Said::Heard(Heard::Held(kept))
            }
            Said::Heard(Heard::Garbled(trouble)) => Said::Unclear(trouble),
            said => said,
        };
        let patient = matches!(said, Said::Heard(Heard::Yes { .. }) | Said::Unclear(_));
        let found = read_back(step, before, ask, patient).await;
        if let Ok((standing, _)) = &found {
            item.after.clone_from(&standing.rows);
        }
        let (outcome, note) = conclude(&said, found.map(|(_, finding)| finding), step.reached());
        item.outcome = outcome;
        item.note = note;
    }
}

/// Reads back; where the wanted state may only be slow to show, a few times.
async fn read_back(
    step: &dyn Step,
    before: &Standing,
    ask: &Asker<'_>,
    patient: bool,
) -> Result<(Standing, Finding), Failure> {
    let mut moments = MOMENTS.iter();
    loop {
        let now = step.current(ask).await?;
        let finding = step.verify(before, &now);
        let moment = moments.next().filter(|_| patient && matches!(finding, Finding::Elsewise(_)));
        let Some(moment) = moment.filter(|moment| **moment < ask.deadline.left()) else {
            return Ok((now, finding));
        };
        tokio::time::sleep(*moment).await;
    }
}

/// The outcome of a write, from what was said and what reading back shows. Pure.
fn conclude(
    said: &Said,
    found: Result<Finding, Failure>,
    reached: Outcome,
) -> (Outcome, Option<String>) {
    let unclear = match said {
        Said::Unclear(trouble) => Some(trouble),
        Said::Heard(_) => None,
    };
    let found = match found {
        Ok(found) => found,
        Err(failure) => return unread(said, &failure),
    };
    let says = |text: &str| Some(text.to_owned());
    match (found, said) {
        (Finding::There, Said::Heard(Heard::Exists(_))) => (reached, None),
        (Finding::There, _) => (Outcome::Confirmed, None),
        (Finding::Held, _) | (_, Said::Heard(Heard::Held(_))) => (
            Outcome::PendingVendorApproval,
            says("the vendor holds it for its own approvers; access is as before"),
        ),
        (Finding::Lost(rows), _) => (Outcome::Mismatch, Some(lost(&rows))),
        (Finding::Wider(rows), _) => (Outcome::Mismatch, Some(wider(&rows))),
        (_, Said::Heard(Heard::Exists(failure) | Heard::No(failure))) => {
            (Outcome::Rejected, Some(failure.message.clone()))
        }
        (Finding::Elsewise(what), Said::Heard(_)) => (
            Outcome::Mismatch,
            Some(format!("the vendor said yes, and reading back shows otherwise: {what}")),
        ),
        (Finding::CannotTell, Said::Heard(_)) => (
            Outcome::Unconfirmed,
            says("the vendor said yes, and shows this credential too little to read it back"),
        ),
        (Finding::Elsewise(_) | Finding::CannotTell, Said::Unclear(_)) => {
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
        Said::Heard(Heard::Held(_)) => (Outcome::PendingVendorApproval, Some(why)),
        Said::Heard(Heard::Yes { .. }) if failure.kind == Kind::NotPermitted => {
            (Outcome::Unconfirmed, Some(format!("the vendor said yes; {why}")))
        }
        Said::Heard(Heard::Exists(refused) | Heard::No(refused)) => {
            (Outcome::Rejected, Some(format!("{}; {why}", refused.message)))
        }
        Said::Heard(_) => (Outcome::Unknown, Some(format!("the vendor said yes; {why}"))),
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
    let rows = rows.iter().map(|row| format!("{} on {}", label(&row.role), label(&row.resource)));
    rows.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: Said, found: Result<Finding, Failure>, outcome: Outcome) {
        assert_eq!(conclude(&said, found, Outcome::AlreadyPresent).0, outcome);
    }

    fn yes() -> Said {
        Said::Heard(Heard::Yes { warnings: Vec::new() })
    }

    fn unclear() -> Said {
        Said::Unclear("reset".to_owned())
    }

    fn held() -> Said {
        Said::Heard(Heard::Held(serde_json::Value::Null))
    }

    fn exists() -> Said {
        Said::Heard(Heard::Exists(Failure::invalid("409")))
    }

    #[test]
    fn every_answer_and_every_reading_has_one_word() {
        use Outcome::*;
        let elsewise = || Ok(Finding::Elsewise("other".to_owned()));
        let down = || Err(Failure::new(Kind::Unavailable, "down"));
        let closed = || Err(Failure::new(Kind::NotPermitted, "403"));
        for (said, found, outcome) in [
            (yes(), Ok(Finding::There), Confirmed),
            (yes(), Ok(Finding::Held), PendingVendorApproval),
            (yes(), elsewise(), Mismatch),
            (yes(), Ok(Finding::Lost(vec![])), Mismatch),
            (yes(), Ok(Finding::Wider(vec![])), Mismatch),
            (yes(), Ok(Finding::CannotTell), Unconfirmed),
            (yes(), down(), Unknown),
            (yes(), closed(), Unconfirmed),
            (held(), elsewise(), PendingVendorApproval),
            (held(), down(), PendingVendorApproval),
            (exists(), Ok(Finding::There), AlreadyPresent),
            (exists(), Ok(Finding::Held), PendingVendorApproval),
            (exists(), elsewise(), Rejected),
            (unclear(), Ok(Finding::There), Confirmed),
            (unclear(), Ok(Finding::Held), PendingVendorApproval),
            (unclear(), elsewise(), Unknown),
            (unclear(), Ok(Finding::CannotTell), Unknown),
            (unclear(), down(), Unknown),
            (unclear(), Ok(Finding::Lost(vec![])), Mismatch),
            (unclear(), Ok(Finding::Wider(vec![])), Mismatch),
        ] {
            check(said, found, outcome);
        }
    }
}
