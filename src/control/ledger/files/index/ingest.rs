//! Taking in the lines that came since: what they say of their receipts is worked out anew.

use std::collections::HashMap;
use std::io::{self, BufReader, Seek as _, SeekFrom};

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::{Position, access, at, folded, past, told, trouble};
use crate::control::ledger::chain::{Keys, Link};
use crate::control::ledger::files::segment::{self, Segment};
use crate::control::ledger::follow::{Follow, Seen};
use crate::control::ledger::told::Told;
use crate::control::ledger::{MovedEnd, Record, Request, State, Trouble, meaning};

/// What was read on.
#[derive(Default)]
pub(super) struct Batch {
    pub lines: Vec<Line>,
    pub troubles: Vec<Found>,
    /// Hashes of what was accepted.
    pub accepted: Vec<String>,
}

/// A line that holds its seal, and where it is.
pub(super) struct Line {
    place: crate::control::ledger::chain::LinePosition,
    segment: u64,
    offset: u64,
    text: String,
}

/// Something that cannot be acted on, and where it was found.
pub(super) struct Found {
    segment: u64,
    offset: u64,
    hash: String,
    what: String,
    /// No line shows it.
    is_lost: bool,
}

/// Lines that are taken in at a time.
const BATCH: usize = 2_000;
/// No line of this file has held its seal yet.
pub(super) const NOWHERE: u64 = i64::MAX as u64;

/// The lines from a position on, at most a batch, which moves the position.
pub(super) fn read_on(
    segments: &[Segment],
    next: &mut Position,
    is_start: bool,
    keys: &Keys,
) -> io::Result<Batch> {
    let mut batch = Batch::default();
    let mut follow = if is_start { Follow::default() } else { Follow::after(next.link.clone()) };
    let begun = next.segment;
    for segment in segments.iter().filter(|segment| segment.first >= begun) {
        if segment.first > next.segment {
            (next.segment, next.offset, next.start) = (segment.first, 0, NOWHERE);
        }
        let mut file = segment.open()?;
        file.seek(SeekFrom::Start(next.offset))?;
        let (from, begins) = (next.offset, &mut next.start);
        let read = segment::each_line(BufReader::new(file), |at, line| {
            let at = from + at;
            if let Seen::Sealed(..) = batch.take(&mut follow, keys, segment.first, at, line) {
                *begins = at;
            }
            Ok(!batch.is_full())
        })?;
        next.offset += read;
        if batch.is_full() {
            break;
        }
    }
    next.link = follow.last.unwrap_or_else(Link::start);
    Ok(batch)
}

impl Batch {
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() + self.troubles.len() >= BATCH
    }

    fn take(
        &mut self,
        follow: &mut Follow,
        keys: &Keys,
        segment: u64,
        offset: u64,
        line: &str,
    ) -> Seen {
        let seen = follow.take(line, keys);
        let mut wrong = |what: String| {
            let hash = crate::control::ledger::chain::hash(line);
            self.troubles.push(Found { segment, offset, hash, what, is_lost: false });
        };
        match &seen {
            // Whether something was built on it shows in the next line.
            Seen::Unreadable => {}
            Seen::Unsealed(_, why) => wrong(why.words()),
            Seen::Sealed(place, follows) => {
                if let Err(gap) = follows {
                    wrong(gap.words());
                }
                let text = line;
                match meaning::understood(text) {
                    Err(what) => wrong(what),
                    Ok(line) => {
                        let told = meaning::reported(&line).into_iter();
                        let found = |told: Trouble| Found {
                            segment,
                            offset,
                            hash: told.hash,
                            what: told.what,
                            is_lost: false,
                        };
                        self.troubles.extend(told.map(found));
                        self.accepted.extend(meaning::accepts(&line));
                        if meaning::is_acceptance(&line) {
                            // What came before is not whole, though nobody need act on that any more.
                            let hash = crate::control::ledger::chain::hash(text);
                            let what = "what came before was accepted as it is".to_owned();
                            let found =
                                Found { segment, offset, hash: hash.clone(), what, is_lost: false };
                            self.troubles.push(found);
                            self.accepted.push(hash);
                        }
                    }
                }
                let (place, text) = (place.clone(), line.to_owned());
                self.lines.push(Line { place, segment, offset, text });
            }
        }
        seen
    }
}

impl Found {
    /// Lines were read before that are missing now: the last of them.
    pub(super) fn lost(segment: u64, offset: u64, last: &Link) -> Self {
        let what = format!("line {} was read before and is not here: lines are missing", last.seq);
        Self { segment, offset, hash: last.hash.clone(), what, is_lost: true }
    }
}

pub(super) fn keep_troubles(change: &Transaction<'_>, found: &[Found]) -> io::Result<()> {
    let keep = "INSERT OR IGNORE INTO trouble VALUES (?, ?, ?, ?, ?, FALSE)";
    let mut keep = change.prepare_cached(keep).map_err(trouble)?;
    for Found { segment, offset, hash, what, is_lost } in found {
        tracing::debug!(segment, offset, what, "a line of the ledger cannot be acted on");
        keep.execute(params![segment, offset, hash, what, is_lost]).map_err(trouble)?;
    }
    Ok(())
}

pub(super) fn accept(change: &Transaction<'_>, hashes: &[String]) -> io::Result<()> {
    let accept = "UPDATE trouble SET accepted = TRUE WHERE hash = ?";
    let mut accept = change.prepare_cached(accept).map_err(trouble)?;
    hashes.iter().try_for_each(|hash| accept.execute([hash]).map(|_| ()).map_err(trouble))
}

/// Takes in lines, and works out anew what they say of their receipts.
pub(super) fn take_lines(
    change: &Transaction<'_>,
    segments: &[Segment],
    keys: &Keys,
    batch: Vec<Line>,
) -> io::Result<()> {
    let mut receipts = HashMap::<String, Told>::new();
    let mut insert = change
        .prepare_cached("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?)")
        .map_err(trouble)?;
    let mut order = Vec::new();
    let lost: bool = change
        .query_row("SELECT EXISTS (SELECT 1 FROM trouble WHERE lost)", [], |row| row.get(0))
        .map_err(trouble)?;
    for Line { place, segment, offset, text } in batch {
        if lost {
            // What was missing is here again.
            let hash = crate::control::ledger::chain::hash(&text);
            change
                .execute("DELETE FROM trouble WHERE lost AND hash = ?", [hash])
                .map_err(trouble)?;
        }
        let Some(receipt) = place.receipt.clone() else { continue };
        let known = match receipts.get_mut(&receipt) {
            Some(known) => known,
            None => {
                order.push(receipt.clone());
                let (earlier, _) = told(change, segments, keys, &receipt)?;
                receipts.entry(receipt.clone()).or_insert(earlier)
            }
        };
        known.take(&place, &text);
        let values = params![receipt, segment, offset, text.len() as u64, place.seq];
        insert.execute(values).map_err(trouble)?;
    }
    for receipt in order {
        let Told { lines, damage, .. } = receipts.remove(&receipt).unwrap_or_default();
        let record = Record::of(&lines);
        if let Some(record) = &record {
            keep_change(change, record)?;
        }
        // What time alone ends is told by until when it is good.
        let request = Request::of(&lines, damage.is_some(), None, Timestamp::MIN);
        keep_request(change, &receipt, request.as_ref())?;
        past::keep(change, &receipt, &lines, (record, request))?;
    }
    Ok(())
}

fn keep_change(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
    let receipt = &record.receipt;
    let opened = record.time.parse::<Timestamp>().map_or(0, at);
    let seq = "(SELECT min(seq) FROM line WHERE receipt = ?1)";
    let keep = format!(
        "INSERT OR REPLACE INTO change VALUES
         (?1, {seq}, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, ?14)"
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
        record.is_unseen(),
        record.mark().written(),
    ];
    let mut keep = change.prepare_cached(&keep).map_err(trouble)?;
    keep.execute(values).map_err(trouble)?;
    keep_moved(change, record)?;
    keep_extended(change, record)?;
    index_end(change, record)
}

/// Keeps what came and went with a change.
fn keep_moved(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
    let receipt = &record.receipt;
    change
        .prepare_cached("DELETE FROM moved WHERE receipt = ?")
        .and_then(|mut forget| forget.execute([receipt]))
        .map_err(trouble)?;
    let keep = "INSERT OR IGNORE INTO moved VALUES
        (?1, ?2, (SELECT seq FROM change WHERE receipt = ?2), ?3, ?4)";
    let mut keep = change.prepare_cached(keep).map_err(trouble)?;
    for (rows, made) in [(record.made(), true), (record.unmade(), false)] {
        for row in rows {
            let access = access(&row);
            let values = params![access, receipt, made, folded(&access)];
            keep.execute(values).map_err(trouble)?;
        }
    }
    Ok(())
}

/// Keeps when the end of a change was moved.
fn keep_extended(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
    for MovedEnd { at: time, by: requester, .. } in &record.extended {
        change
            .prepare_cached("INSERT OR IGNORE INTO extended VALUES (?, ?, ?)")
            .and_then(|mut keep| keep.execute(params![record.receipt, at(*time), requester]))
            .map_err(trouble)?;
    }
    Ok(())
}

/// Works out anew which changes are taken back: this one, and those that it takes back.
fn index_end(change: &Transaction<'_>, record: &Record) -> io::Result<()> {
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
    request: Option<&Request>,
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
        (?1, (SELECT min(seq) FROM line WHERE receipt = ?1), ?2, ?3)";
    let is_live = request.state.is_live();
    let values = params![receipt, at(until), is_live];
    change.prepare_cached(keep).and_then(|mut keep| keep.execute(values)).map_err(trouble)?;
    Ok(())
}
