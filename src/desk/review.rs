//! After a change: where it stands now, and taking it back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Answer, Call, Desk, UnknownTool};
use crate::access::{Access, Approval, Outcome};
use crate::catalogue::{self, Found};
use crate::failure::{Failure, Kind};
use crate::json::put;
use crate::ledger::Record;
use crate::tools::check_change::CheckChange;
use crate::tools::undo_change::{self, UndoChange};
use crate::tools::{Finding, Inverse, Run, Standing, Step, parse};
use crate::transport::{CALL, Deadline};
use crate::vendors::Asker;

/// Which change a call undoes, and what must still be so.
pub(super) struct Undoing {
    pub receipt: String,
    after: Vec<Access>,
}

/// How far back a look without a receipt goes.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The most receipts one answer lists.
const MOST: usize = 50;

impl Desk {
    pub(super) async fn check(&self, arguments: Map<String, Value>) -> Answer {
        match self.try_check(arguments).await {
            Ok(body) => Answer { body, is_error: false, outcome: None },
            Err(failure) => Answer::unasked(&failure),
        }
    }

    async fn try_check(&self, arguments: Map<String, Value>) -> Result<Value, Failure> {
        let CheckChange { receipt } = parse(Value::Object(arguments))?;
        let records = self.ledger.history().await?;
        let Some(receipt) = receipt else { return Ok(recent(&records)) };
        let record = find(&records, receipt.as_str())?;
        let mut shown = shown(record, &records);
        if undone(record, &records).is_some() {
            put(&mut shown, "note", "it was undone");
        } else if record.end.as_ref().is_none_or(|end| may_stand(end.outcome)) {
            let (outcome, note, rows) = self.stands(record).await?;
            put(&mut shown, "outcome", json!(outcome));
            put(&mut shown, "note", note);
            put(&mut shown, "now", json!(rows));
        }
        Ok(shown)
    }

    /// Asks the vendor whether the change still stands.
    async fn stands(&self, record: &Record) -> Result<(Outcome, String, Vec<Access>), Failure> {
        let (Found::On(tool) | Found::Off(tool, _)) = catalogue::find(&record.tool, &self.config)
        else {
            return Err(Failure::invalid(format!("{} is not a tool of this version", record.tool)));
        };
        let tenant = self.tenant(tool).ok_or_else(|| {
            Failure::new(Kind::Unavailable, format!("{} is not configured here", record.vendor))
                .hint("`grantor doctor` says what is missing")
        })?;
        let Run::Change { resolve, .. } = tool.run else {
            return Err(Failure::invalid("this receipt is not of a change"));
        };
        let deadline = Deadline::after(CALL);
        let ask = Asker { tenant, wire: &self.wire, deadline, memo: None };
        let steps = resolve(record.arguments.clone(), &ask).await?;
        let step = steps.into_iter().next();
        let step = step.ok_or_else(|| Failure::invalid("this receipt has no step"))?;
        let now = step.current(&ask).await?;
        let before = Standing {
            rows: record.before.clone(),
            conclusive: record.conclusive,
            ..Standing::default()
        };
        let finding = step.verify(&before, &now);
        let held = record.end.as_ref().and_then(|end| end.held.as_ref());
        let approval = match held {
            Some(held) if finding != Finding::There => step.approval(held, &ask).await?,
            _ => None,
        };
        let (outcome, note) = standing(record, finding, approval, &now);
        let rows = now.rows.into_iter().filter(|row| step.bears(row)).collect();
        Ok((outcome, note, rows))
    }

    pub(super) async fn undo(&self, call: Call) -> Result<Answer, UnknownTool> {
        let (undoing, inverse, reason) = match self.inverse(&call).await {
            Ok(found) => found,
            Err(failure) => return Ok(Answer::stopped(&undo_change::SPEC, &failure)),
        };
        let mut arguments = match inverse.arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        if let Some(reason) = reason {
            arguments.insert("reason".to_owned(), reason.into());
        }
        let tool = match catalogue::find(inverse.tool, &self.config) {
            Found::On(tool) => tool,
            Found::Off(tool, failure) => return Ok(Answer::stopped(tool.spec, &failure)),
            Found::Unknown => return Err(UnknownTool),
        };
        let Some(tenant) = self.tenant(tool) else { return Err(UnknownTool) };
        Ok(self.change(tool, tenant, Call { arguments, ..call }, Some(&undoing)).await)
    }

    async fn inverse(&self, call: &Call) -> Result<(Undoing, Inverse, Option<String>), Failure> {
        let UndoChange { receipt, reason } = parse(Value::Object(call.arguments.clone()))?;
        let records = self.ledger.history().await?;
        let record = find(&records, receipt.as_str())?;
        let end = record.end.as_ref().filter(|end| may_stand(end.outcome)).ok_or_else(|| {
            let word = record.outcome().map_or("still open", Outcome::as_str);
            Failure::refused(format!(
                "{} is {word}: there is nothing known to undo",
                record.receipt
            ))
            .hint("check_change says where it stands")
        })?;
        if matches!(end.outcome, Outcome::Unknown | Outcome::PendingVendorApproval) {
            return Err(Failure::refused(format!(
                "{} is {}: what it did is not settled",
                record.receipt,
                end.outcome.as_str()
            ))
            .hint("check_change says where it stands; undo it when it is settled"));
        }
        if let Some(undone) = undone(record, &records) {
            return Err(Failure::refused(format!("{} was undone by {undone}", record.receipt)));
        }
        let Some(tool) = crate::tools::TOOLS.iter().find(|tool| tool.spec.name == record.tool)
        else {
            return Err(Failure::invalid(format!("{} is not a tool of this version", record.tool)));
        };
        let Run::Change { inverse, .. } = tool.run else {
            return Err(Failure::invalid("this receipt is not of a change"));
        };
        let undoing = Undoing { receipt: record.receipt.clone(), after: end.after.clone() };
        Ok((undoing, inverse(record)?, reason))
    }
}

impl Undoing {
    /// # Errors
    /// The access is not as the change left it: somebody changed it since.
    pub(super) fn check(&self, step: &dyn Step, now: &Standing) -> Result<(), Failure> {
        let left: Vec<_> = self.after.iter().filter(|row| step.bears(row)).collect();
        let there: Vec<_> = now.rows.iter().filter(|row| step.bears(row)).collect();
        let same = left.len() == there.len()
            && left.iter().all(|row| there.iter().any(|other| row.is(other)));
        if same {
            return Ok(());
        }
        Err(Failure::refused(format!("the access was changed since {}", self.receipt))
            .hint("look at it with list_access, and grant or revoke what should be so"))
    }
}

/// Whether a change that ended so may have left something behind.
fn may_stand(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Confirmed
            | Outcome::Unconfirmed
            | Outcome::PendingVendorApproval
            | Outcome::Mismatch
            | Outcome::Unknown
    )
}

/// What a change is called now. Pure.
fn standing(
    record: &Record,
    finding: Finding,
    approval: Option<Approval>,
    now: &Standing,
) -> (Outcome, String) {
    let as_before = now.rows.len() == record.before.len()
        && now.rows.iter().all(|row| record.before.iter().any(|other| row.is(other)));
    let settled = matches!(record.outcome(), Some(Outcome::Confirmed | Outcome::Mismatch));
    let (outcome, note) = match (finding, approval) {
        (Finding::There, _) => (Outcome::Confirmed, "it is so"),
        (_, Some(Approval::Denied)) => (Outcome::Rejected, "an approver denied it"),
        (_, Some(Approval::Expired)) => (Outcome::Rejected, "nobody approved it in time"),
        (Finding::Held, _) | (_, Some(Approval::Waiting)) => {
            (Outcome::PendingVendorApproval, "it waits for the vendor's approvers")
        }
        (_, Some(Approval::Approved)) => {
            (Outcome::Unknown, "an approver approved it, and the vendor has not applied it")
        }
        (Finding::CannotTell, None) => {
            (Outcome::Unconfirmed, "the vendor shows this credential too little to tell")
        }
        (Finding::Lost(_), None) => (Outcome::Mismatch, "other access was lost with it"),
        (Finding::Elsewise(_), None) if as_before && !settled => {
            (Outcome::Unavailable, "it did not happen: the access is as before")
        }
        (Finding::Elsewise(what), None) => {
            return (Outcome::Mismatch, format!("it is not so now: {what}"));
        }
    };
    (outcome, note.to_owned())
}

fn find<'a>(records: &'a [Record], receipt: &str) -> Result<&'a Record, Failure> {
    records.iter().find(|record| record.receipt == receipt).ok_or_else(|| {
        Failure::invalid(format!("receipt: the ledger has no change {receipt}"))
            .hint("check_change without a receipt lists those of the last 24 hours")
    })
}

/// The receipt that undid a change.
fn undone<'a>(record: &Record, records: &'a [Record]) -> Option<&'a str> {
    let undoes = |other: &&Record| {
        other.undoes.as_ref() == Some(&record.receipt)
            && other.outcome().is_some_and(|outcome| !outcome.is_error())
    };
    records.iter().rev().find(undoes).map(|other| other.receipt.as_str())
}

fn recent(records: &[Record]) -> Value {
    let since = Timestamp::now() - RECENT;
    let fresh = |record: &&Record| {
        let time = record.time.parse::<Timestamp>();
        record.end.is_none() || time.is_ok_and(|time| time >= since)
    };
    let mut changes: Vec<Value> =
        records.iter().rev().filter(fresh).map(|record| shown(record, records)).collect();
    let more = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    let mut body = json!({ "changes": changes });
    if more > 0 {
        put(&mut body, "note", format!("{more} older ones are left out"));
    }
    body
}

fn shown(record: &Record, records: &[Record]) -> Value {
    let mut shown = json!({
        "receipt": record.receipt,
        "outcome": record.outcome(),
        "time": record.time,
        "requester": record.requester,
        "vendor": record.vendor,
        "tool": record.tool,
        "summary": record.summary,
    });
    if record.end.is_none() {
        put(&mut shown, "outcome", json!(Outcome::Unknown));
        put(&mut shown, "note", "it was about to be sent, and how it ended was not recorded");
    }
    if let Some(undone) = undone(record, records) {
        put(&mut shown, "undone_by", undone);
    }
    if let Some(undoes) = &record.undoes {
        put(&mut shown, "undoes", undoes.as_str());
    }
    shown
}
