//! The forms of a list of changes that are for people and for spreadsheets. Pure.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answered;
use crate::access::Named;
use crate::cli::access::report::inert;
use crate::cli::paint::{BAD, BOLD, DIM, GOOD, WAITS, with};
use crate::cli::table::{self, Row};
use crate::desk::{HistoryRow, Listed};
use crate::text::{self, Word};

const HEADS: [&str; 5] = ["WHEN", "STATE", "ASKED BY", "ANSWERED", "ENDS"];
const COLUMNS: [&str; 27] = [
    "receipt",
    "at",
    "sent_at",
    "state",
    "outcome",
    "vendor",
    "tenant",
    "tool",
    "summary",
    "principal_id",
    "principal_name",
    "principal_email",
    "requester",
    "reason",
    "approved_by",
    "denied_by",
    "denial_reason",
    "waits_for",
    "rules",
    "ends_at",
    "of",
    "undoes",
    "ends",
    "undone_by",
    "ended_by",
    "overdue",
    "note",
];

/// A line for each, with headings and local times, and a second one for why.
pub(in crate::cli) fn table(told: &Listed, ids: bool, zone: &TimeZone) -> String {
    if told.changes.is_empty() {
        return format!("  {}\n", with(DIM, "nothing is found"));
    }
    let line = |row: &HistoryRow| {
        let more: Vec<_> = about(row, ids).iter().map(|one| text::clean(one)).collect();
        let more = Some(more.join("; ")).filter(|more| !more.is_empty());
        Row {
            cells: cells(row, zone),
            text: with(BOLD, &text::clean(&row.summary)),
            more: more.iter().map(|more| with(DIM, more)).collect(),
        }
    };
    let rows: Vec<_> = told.changes.iter().map(line).collect();
    table::table(HEADS, "WHAT", &rows)
}

fn cells(row: &HistoryRow, zone: &TimeZone) -> [String; HEADS.len()] {
    let end = row.ends_at.as_deref().map(|end| local(end, zone)).unwrap_or_default();
    let requester = text::clean(&row.requester);
    let state = with(style(&row.state), &row.state);
    [local(&row.at, zone), state, requester, answered(row), end]
}

fn style(state: &str) -> anstyle::Style {
    match state {
        "done" => GOOD,
        "denied" | "refused" | "overdue" => BAD,
        "withdrawn" | "lapsed" => DIM,
        _ => WAITS,
    }
}

/// What else there is to say of a row, in words.
fn about(row: &HistoryRow, ids: bool) -> Vec<String> {
    let marks = &row.marks;
    let place = row.of_vendor.as_ref().map(|of| match &of.tenant {
        Some(tenant) => format!("{} ({tenant})", of.vendor),
        None => of.vendor.to_string(),
    });
    let said = |title: &str, words: Option<&String>| words.map(|words| format!("{title}{words}"));
    let quoted = |title: &str, words: Option<&String>| {
        words.map(|words| format!("{title}{}", text::quote(Word::Reason, words)))
    };
    let is_told = row.note.as_deref().is_some_and(|note| !note.is_empty());
    let rules = (!row.rules.is_empty()).then(|| format!("rule {}", row.rules.join(", ")));
    // What was said of a no is in the note.
    let denial = marks.denial_reason.as_ref().filter(|_| !is_told);
    let named = [
        said("receipt ", Some(&row.receipt)),
        said("id ", row.principal.as_ref().map(|one| &one.id)),
        said("part of ", row.of.as_ref()),
        said("undoes ", marks.undoes.as_ref()),
        said("ends ", marks.ends.as_ref()),
        said("undone by ", marks.undone_by.as_ref()),
        said("ended by ", marks.ended_by.as_ref()),
    ];
    let plain = [
        marks.undone_by.as_ref().map(|_| "it was undone".to_owned()),
        marks.ended_by.as_ref().map(|_| "its time was over, and it was taken back".to_owned()),
    ];
    let plain = plain.into_iter().filter(|_| !ids);
    let named = named.into_iter().filter(|_| ids);
    let words = [
        place,
        quoted("for ", row.reason.as_ref()),
        rules,
        row.note.clone(),
        quoted("because ", denial),
        said("overdue: ", marks.overdue.as_ref()),
        said("waits for ", marks.waits_for.as_ref()),
        said("hint: ", row.hint.as_ref()),
    ];
    named.chain(words).chain(plain).flatten().collect()
}

/// A time as the clock on the wall here has it, to the minute.
fn local(time: &str, zone: &TimeZone) -> String {
    let read = time.parse::<Timestamp>();
    read.map_or_else(
        |_| text::clean(time),
        |time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
    )
}

/// A line for each, in which no cell is a formula.
pub(super) fn csv(rows: &[HistoryRow]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in rows {
        writer.write_record(fields(row).map(|cell| inert(&cell)))?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn fields(row: &HistoryRow) -> [String; COLUMNS.len()] {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let (marks, of) = (&row.marks, row.of_vendor.as_ref());
    let principal = row.principal.clone().unwrap_or(Named {
        id: String::new(),
        name: None,
        kind: None,
        email: None,
    });
    [
        row.receipt.clone(),
        row.at.clone(),
        or_none(&row.sent_at),
        row.state.clone(),
        row.outcome.as_str().to_owned(),
        of.map(|of| of.vendor.to_string()).unwrap_or_default(),
        of.and_then(|of| of.tenant.clone()).unwrap_or_default(),
        row.tool.clone(),
        row.summary.clone(),
        principal.id.clone(),
        or_none(&principal.name),
        or_none(&principal.email),
        row.requester.clone(),
        or_none(&row.reason),
        or_none(&marks.approved_by),
        or_none(&marks.denied_by),
        or_none(&marks.denial_reason),
        or_none(&marks.waits_for),
        row.rules.join(" "),
        or_none(&row.ends_at),
        or_none(&row.of),
        or_none(&marks.undoes),
        or_none(&marks.ends),
        or_none(&marks.undone_by),
        or_none(&marks.ended_by),
        or_none(&marks.overdue),
        or_none(&row.note),
    ]
}
