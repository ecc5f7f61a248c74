//! What the tables of this room have in common: a plan, a reading, an answer and an inverse, each as one
//! line that can stand in a table.

use serde_json::{Value, json};

use super::{Inverse, Plan, Snapshot, Step, Verification, WriteReply};
use crate::access::Access;
use crate::failure::Failure;
use crate::intent::Shift;
use crate::ledger::Record;
use crate::outbound::Reply;

/// What would be sent, or why nothing is: `POST /path {…}`, `already_present`, `Refused: why`.
pub(super) fn planned(step: &dyn Step, now: &Snapshot) -> String {
    match step.plan(now) {
        Ok(Plan::Send { draft, .. }) => {
            let text =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let shown = draft.shown();
            let parts =
                ["method", "path", "body"].iter().filter_map(|part| shown.get(part)).map(text);
            let version = draft.version().map(|version| format!("If-Match: {version}"));
            parts.chain(version).collect::<Vec<_>>().join(" ")
        }
        Ok(Plan::Already { outcome, .. }) => outcome.as_str().to_owned(),
        Err(failure) => stopped(&failure),
    }
}

/// The rows that a plan expects.
pub(super) fn expected(step: &dyn Step, now: &Snapshot) -> Vec<String> {
    match step.plan(now) {
        Ok(Plan::Send { after, .. }) => after.iter().map(said).collect(),
        other => panic!("nothing is sent: {other:?}"),
    }
}

/// What a plan warns of.
pub(super) fn warned(step: &dyn Step, now: &Snapshot) -> Vec<String> {
    match step.plan(now) {
        Ok(Plan::Send { warnings, .. } | Plan::Already { warnings, .. }) => warnings,
        Err(failure) => panic!("there is no plan: {failure}"),
    }
}

/// What reading back shows, in words.
pub(super) fn found(step: &dyn Step, before: &Snapshot, now: &Snapshot) -> String {
    let all = |rows: &[Access]| rows.iter().map(said).collect::<Vec<_>>().join(", ");
    match step.verify(before, now) {
        Verification::There => "there".to_owned(),
        Verification::Held => "held".to_owned(),
        Verification::Elsewise(what) => format!("elsewise: {what}"),
        Verification::Lost(rows) => format!("lost: {}", all(&rows)),
        Verification::Wider(rows) => format!("wider: {}", all(&rows)),
        Verification::CannotTell => "cannot tell".to_owned(),
    }
}

/// What a change between two rows does, and what is lost by it.
pub(super) fn moved(step: &dyn Step, was: &[Access], is: &[Access]) -> (Shift, Option<String>) {
    (step.shift(was, is), step.goes(&was[0], &is[0]))
}

/// What an answer to the write means, in a word.
pub(super) fn heard(step: &dyn Step, status: u16, body: &str) -> &'static str {
    match step.interpret(&Reply::made(status, body.into())) {
        WriteReply::Yes { .. } => "yes",
        WriteReply::Held(_) => "held",
        WriteReply::Exists(_) => "exists",
        WriteReply::No(_) => "no",
        WriteReply::Garbled(_) => "nothing",
    }
}

/// A row by its ids: `ana: developer on orders`.
pub(super) fn said(row: &Access) -> String {
    format!("{}: {} on {}", row.principal.id, row.role.id, row.resource.id)
}

/// What the change of a record is undone by.
pub(super) fn undone(inverse: Result<Inverse, Failure>) -> String {
    match inverse {
        Ok(Inverse { tool, arguments }) => format!("{tool} {arguments}"),
        Err(failure) => stopped(&failure),
    }
}

/// A change as the ledger keeps it.
pub(super) fn record(wanted: &Access, before: &[Access], conclusive: bool) -> Record {
    let mut record =
        json!({ "wanted": wanted, "before": before, "conclusive": conclusive, "arguments": {} });
    for field in ["receipt", "time", "requester", "process", "vendor", "tenant", "tool", "summary"]
    {
        crate::json::put(&mut record, field, "");
    }
    serde_json::from_value(record).unwrap()
}

fn stopped(failure: &Failure) -> String {
    format!("{:?}: {}", failure.kind, failure.message)
}
