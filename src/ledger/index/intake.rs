//! Taking in the lines that came since: what they say of their receipts is worked out anew.

use std::collections::HashMap;
use std::io::{self, BufReader, Seek as _, SeekFrom};

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde_json::Value;

use super::{Position, access, at, lines, trouble};
use crate::ledger::chain::{Keys, Place};
use crate::ledger::files::{self, Segment};
use crate::ledger::{Record, Request, State};

/// A line, and where it is.
pub(super) struct Found {
    seq: u64,
    segment: u64,
    offset: u64,
    length: u64,
    line: Value,
}

/// Lines that are taken in at a time.
pub(super) const BATCH: usize = 2_000;

/// The sealed lines from a position on, at most a batch, which moves the position.
pub(super) fn read_on(
    segments: &[Segment],
    next: &mut Position,
    keys: &Keys,
) -> io::Result<Vec<Found>> {
    let mut batch = Vec::new();
    let begun = next.segment;
    for segment in segments.iter().filter(|segment| segment.first >= begun) {
        if segment.first > next.segment {
            (next.segment, next.offset) = (segment.first, 0);
        }
        let mut file = segment.open()?;
        file.seek(SeekFrom::Start(next.offset))?;
        let (from, link) = (next.offset, &mut next.link);
        let read = files::each_line(BufReader::new(file), |at, line| {
            if let Some(place) = Place::of(line) {
                if !place.follows(link) {
                    tracing::warn!(
                        seq = place.seq,
                        "the ledger's chain is broken here; `grantor ledger verify` says more"
                    );
                }
                *link = place.link(line);
                match keys.check(line) {
                    Ok(()) => batch.extend(found(&place, segment.first, from + at, line)),
                    Err(why) => tracing::warn!(
                        seq = place.seq,
                        ?why,
                        "a line of the ledger does not hold its seal, and is not acted on"
                    ),
                }
            } else {
                tracing::warn!("a line of the ledger cannot be read");
            }
            Ok(batch.len() < BATCH)
        })?;
        next.offset += read;
        if batch.len() >= BATCH {
            break;
        }
    }
    Ok(batch)
}

fn found(place: &Place, segment: u64, offset: u64, line: &str) -> Option<Found> {
    let length = line.len() as u64;
    let line = serde_json::from_str(line).ok()?;
    Some(Found { seq: place.seq, segment, offset, length, line })
}

/// Takes in lines, and works out anew what they say of their receipts.
pub(super) fn take_lines(
    change: &Transaction<'_>,
    segments: &[Segment],
    keys: &Keys,
    batch: Vec<Found>,
) -> io::Result<()> {
    let mut receipts = HashMap::<String, Vec<Value>>::new();
    let mut insert = change
        .prepare_cached("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?)")
        .map_err(trouble)?;
    let mut order = Vec::new();
    for Found { seq, segment, offset, length, line } in batch {
        let Some(receipt) = line.get("receipt").and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        let known = match receipts.get_mut(&receipt) {
            Some(known) => known,
            None => {
                order.push(receipt.clone());
                let earlier = lines(change, segments, keys, &receipt)?;
                receipts.entry(receipt.clone()).or_insert(earlier)
            }
        };
        known.push(line);
        insert.execute(params![receipt, seq, segment, offset, length]).map_err(trouble)?;
    }
    let now = Timestamp::now();
    for receipt in order {
        let lines = receipts.remove(&receipt).unwrap_or_default();
        if let Some(record) = Record::of(&lines) {
            keep_change(change, &record)?;
        }
        keep_request(change, &receipt, Request::of(&lines, now))?;
    }
    Ok(())
}

fn keep_change(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
    let receipt = &record.receipt;
    let opened = record.time.parse::<Timestamp>().map_or(0, at);
    let seq = "(SELECT min(seq) FROM line WHERE receipt = ?1)";
    let keep = format!(
        "INSERT OR REPLACE INTO change VALUES
         (?1, {seq}, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0)"
    );
    let values = params![
        receipt,
        opened,
        record.requester,
        record.process,
        access(&record.key()),
        record.undoes,
        record.ends,
        record.expires_at.map(at),
        record.end.is_none(),
        record.has_left_something(),
        record.overdue.is_some(),
        record.takes_back(),
    ];
    let mut keep = change.prepare_cached(&keep).map_err(trouble)?;
    keep.execute(values).map_err(trouble)?;
    keep_moved(change, record)?;
    settle(change, record)
}

/// Keeps what came and went with a change.
fn keep_moved(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
    let receipt = &record.receipt;
    change
        .prepare_cached("DELETE FROM moved WHERE receipt = ?")
        .and_then(|mut forget| forget.execute([receipt]))
        .map_err(trouble)?;
    let keep = "INSERT OR IGNORE INTO moved VALUES
        (?1, ?2, (SELECT seq FROM change WHERE receipt = ?2), ?3)";
    let mut keep = change.prepare_cached(keep).map_err(trouble)?;
    for (rows, made) in [(record.made(), true), (record.unmade(), false)] {
        for row in rows {
            keep.execute(params![access(&row), receipt, made]).map_err(trouble)?;
        }
    }
    Ok(())
}

/// Works out anew which changes are taken back: this one, and those that it takes back.
fn settle(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
    let settle = "UPDATE change SET taken =
            EXISTS (SELECT 1 FROM change AS taker
                WHERE taker.undoes = change.receipt AND taker.takes)
            OR EXISTS (SELECT 1 FROM change AS taker
                WHERE taker.ends = change.receipt AND taker.takes)
         WHERE receipt IN (?1, ?2, ?3)";
    let values = params![record.receipt, record.undoes, record.ends];
    change
        .prepare_cached(settle)
        .and_then(|mut settle| settle.execute(values))
        .map(|_| ())
        .map_err(trouble)
}

/// Keeps a request until it is used: then its receipt is of a change.
fn keep_request(
    change: &Transaction<'_>,
    receipt: &str,
    request: Option<Request>,
) -> io::Result<()> {
    let Some(request) = request.filter(|request| request.state != State::Spent) else {
        return change
            .prepare_cached("DELETE FROM request WHERE receipt = ?")
            .and_then(|mut forget| forget.execute([receipt]))
            .map(|_| ())
            .map_err(trouble);
    };
    let approved = request.answered.as_ref().filter(|_| request.state == State::Approved);
    let until = approved.and_then(|answered| answered.until).unwrap_or(request.until);
    let keep = "INSERT OR REPLACE INTO request VALUES
        (?1, (SELECT min(seq) FROM line WHERE receipt = ?1), ?2, ?3, ?4)";
    let is_live = matches!(request.state, State::Waiting | State::Approved);
    let values = params![receipt, at(request.time), at(until), is_live];
    change.prepare_cached(keep).and_then(|mut keep| keep.execute(values)).map_err(trouble)?;
    Ok(())
}
