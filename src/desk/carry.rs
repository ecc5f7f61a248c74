//! From a permitted intent to an outcome: record, send, read back, record.

use std::time::Duration;

use super::{Call, Desk, Item, Order, Prepared};
use crate::access::Outcome;
use crate::failure::{Failure, Kind};
use crate::guard::{Permitted, Verdict};
use crate::ledger::Closing;
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
        ask: &Asker<'_>,
        call: &Call,
    ) -> Vec<Item> {
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
                match self.prepare(order, step, ask).await.map(Prepared::unasked) {
                    Ok(again) => one = again,
                    Err(failure) => {
                        items.push(Item::stopped(step, one.before(), &failure));
                        stopped = true;
                        continue;
                    }
                }
            }
            let item = self.finish(step, one, ask, &mut sent).await;
            stopped = item.outcome.is_error();
            items.push(item);
        }
        items
    }

    async fn finish(
        &self,
        step: &dyn Step,
        one: Prepared,
        ask: &Asker<'_>,
        sent: &mut bool,
    ) -> Item {
        match one {
            Prepared::Already(outcome, before, warnings) => {
                Item::already(step, outcome, &before.rows, warnings)
            }
            Prepared::Judged(verdict, before) => match verdict {
                Verdict::Deny(denied) => {
                    self.ledger.refuse(&denied).await;
                    Item::refused(step, &denied)
                }
                Verdict::Allow(permitted) => {
                    *sent = true;
                    self.send(step, permitted, &before, ask).await
                }
                Verdict::Ask(_) => Item::not_started(step, &before.rows),
            },
        }
    }

    async fn send(
        &self,
        step: &dyn Step,
        permitted: Box<Permitted>,
        before: &Standing,
        ask: &Asker<'_>,
    ) -> Item {
        let policy = permitted.policy().clone();
        let opened = match self.ledger.open(permitted, None).await {
            Ok(opened) => opened,
            Err(failure) => return Item::stopped(step, &before.rows, &failure),
        };
        let fate = transport::write(&ask.tenant.account, ask.wire, &opened, ask.deadline).await;
        let mut item = Item::sent(step, opened.receipt(), opened.intent(), policy);
        let mut request_id = None;
        match fate {
            Fate::NotDone(failure) => item.fail(&failure),
            Fate::Answered(reply) => {
                item.status = Some(reply.status);
                request_id.clone_from(&reply.request_id);
                self.find_out(step, Said::Heard(step.heard(&reply)), before, ask, &mut item).await;
            }
            Fate::Unclear { trouble, status } => {
                item.status = status;
                self.find_out(step, Said::Unclear(trouble), before, ask, &mut item).await;
            }
        }
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

fn lost(rows: &[crate::access::Access]) -> String {
    let rows = rows.iter().map(|row| format!("{} on {}", label(&row.role), label(&row.resource)));
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!(
        "the vendor took away access that was there before: {rows}; grant it again to restore it"
    )
}

impl Prepared {
    fn before(&self) -> &[crate::access::Access] {
        match self {
            Self::Already(_, before, _) | Self::Judged(_, before) => &before.rows,
        }
    }
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
        ] {
            check(said, found, outcome);
        }
    }
}
