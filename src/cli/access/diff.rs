//! `grantor access diff`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::collect::collect;
use super::export::told;
use super::report::{FORMAT, Report};
use crate::access::Access;
use crate::cli::paint::{BAD, DIM, GOOD, WAITS, with};
use crate::cli::table::{self, Row};
use crate::cli::{Ran, paint};
use crate::desk::{AccessRow, Desk};
use crate::ledger::Record;
use crate::{input, text};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The earlier export, as JSON
    old: PathBuf,
    /// The later one [default: the access there is now]
    new: Option<PathBuf>,
    /// Show the receipts in the table
    #[arg(long)]
    ids: bool,
}

/// One access that came, went, or has another end.
#[derive(Debug, PartialEq, Serialize)]
struct Move {
    what: What,
    #[serde(flatten)]
    row: AccessRow,
    /// The change that did it; none where it was not done through Grantor, as far as its ledger shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Came,
    Went,
    EndMoved,
}

pub(super) async fn run(desk: &Desk, arguments: &Arguments, as_json: bool) -> Ran {
    let old = read(&arguments.old)?;
    let new = match &arguments.new {
        Some(file) => read(file)?,
        None => collect(desk, None).await?,
    };
    if old.sandbox != new.sandbox {
        return Err("one of the reviews is of a sandbox, and the other is not".into());
    }
    let (since, until): (Timestamp, Timestamp) = (old.begun.parse()?, new.ended.parse()?);
    let mut changes = desk.ledger().since(since).await?;
    // Times of a review are to the second.
    changes.retain(|change| change.opened() <= until + SignedDuration::from_secs(1));
    let missing = not_compared(&old, &new);
    let moves = compare(&old, &new, &changes, &missing);
    if as_json || !io::IsTerminal::is_terminal(&io::stdout()) {
        paint::raw(format!("{}\n", serde_json::to_string_pretty(&moves)?).as_bytes())?;
    } else {
        paint::lines(&table(&moves, arguments.ids))?;
    }
    for place in &missing {
        paint::complain(&format!(
            "{place} is not compared: one of the reviews does not have all of it"
        ));
    }
    let status = told(&new);
    Ok(if missing.is_empty() { status } else { ExitCode::FAILURE })
}

/// The places of which one of the reviews lacks something: what is not in it is not known to have gone, or
/// to have come.
fn not_compared(old: &Report, new: &Report) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    for (one, other) in [(old, new), (new, old)] {
        missing.extend(one.asked.iter().filter(|place| !other.asked.contains(place)).cloned());
        let unread = one.unread.iter().filter(|unread| unread.kind != "not_listable");
        missing.extend(unread.map(|unread| unread.place().to_owned()));
    }
    missing
}

fn read(file: &Path) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let wrong = |why: String| format!("{}: {why}", file.display());
    let bytes = input::read(file).map_err(|error| {
        wrong(format!("{error}; `grantor access export --format json -o FILE` makes one"))
    })?;
    let report: Report = serde_json::from_slice(&bytes).map_err(|error| {
        wrong(format!("it is no export of `grantor access export --format json`: {error}"))
    })?;
    if report.format != FORMAT {
        return Err(wrong(format!(
            "its form is {}, and {FORMAT} is read",
            text::quoted(&report.format)
        ))
        .into());
    }
    Ok(report)
}

/// What tells one access from another.
fn key(row: &AccessRow) -> [&str; 9] {
    let access = &row.access;
    let via = access.via.as_ref().map_or("", |via| &via.id);
    let (kind, within) = (access.principal.kind.as_deref(), access.within.as_deref());
    [
        &row.vendor,
        row.place(),
        &access.principal.id,
        kind.unwrap_or_default(),
        &access.role.id,
        &access.resource.id,
        via,
        within.unwrap_or_default(),
        if access.pending { "pending" } else { "" },
    ]
}

/// The rows of the places that both reviews have whole.
fn by_key<'r>(
    report: &'r Report,
    missing: &BTreeSet<String>,
) -> BTreeMap<[&'r str; 9], &'r AccessRow> {
    let known = report.rows.iter().filter(|row| !missing.contains(row.place()));
    known.map(|row| (key(row), row)).collect()
}

/// What came, went or moved, in the order of the later review; and by which of the changes. Pure.
fn compare(
    old: &Report,
    new: &Report,
    changes: &[Record],
    missing: &BTreeSet<String>,
) -> Vec<Move> {
    let (before, after) = (by_key(old, missing), by_key(new, missing));
    let moved = |what, row: &AccessRow| {
        let by = changes.iter().rev().find(|change| did(change, what, row));
        Move { what, row: row.clone(), by: by.map(|change| change.receipt.clone()) }
    };
    let came = after.iter().filter(|(key, _)| !before.contains_key(*key));
    let went = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let ends = after.iter().filter(|(key, row)| {
        before.get(*key).is_some_and(|was| was.access.expires_at != row.access.expires_at)
    });
    let came = came.map(|(_, row)| moved(What::Came, row));
    let went = went.map(|(_, row)| moved(What::Went, row));
    came.chain(went).chain(ends.map(|(_, row)| moved(What::EndMoved, row))).collect()
}

/// Whether a change did that to a row.
fn did(change: &Record, what: What, row: &AccessRow) -> bool {
    let is_it = |one: &Access| one.is(&row.access);
    let left = change.end.as_ref().is_some_and(|end| end.after.iter().any(is_it));
    let was = change.before.iter().any(is_it);
    let at = change.tenant_name.as_deref().unwrap_or(&change.vendor);
    change.vendor == row.vendor
        && row.tenant.as_deref().is_none_or(|tenant| tenant == at)
        && match what {
            What::Came => left && !was,
            What::Went => was && !left && change.end.is_some(),
            What::EndMoved => left && was,
        }
}

fn table(moves: &[Move], ids: bool) -> String {
    if moves.is_empty() {
        return format!("  {}\n", with(DIM, "nothing came and nothing went"));
    }
    let row = |one: &Move| {
        let sign = match one.what {
            What::Came => with(GOOD, "came"),
            What::Went => with(BAD, "went"),
            What::EndMoved => with(WAITS, "end moved"),
        };
        let by = match &one.by {
            Some(receipt) if ids => format!("by {receipt}"),
            Some(_) => "through Grantor".to_owned(),
            None => "not through Grantor".to_owned(),
        };
        Row {
            cells: [sign, one.row.place().to_owned()],
            text: paint::access(&one.row.access),
            more: vec![with(DIM, &by)],
        }
    };
    let rows: Vec<_> = moves.iter().map(row).collect();
    table::table(["WHAT", "WHERE"], "WHO: ROLE on WHAT", &rows)
}
