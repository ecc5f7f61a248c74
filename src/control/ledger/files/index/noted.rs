//! Reading the lines on from a bookmark: nothing before it is looked at again.

use std::io::{self, BufReader, Seek as _, SeekFrom};

use jiff::Timestamp;
use rusqlite::params;
use serde_json::Value;

use super::ingest::NOWHERE;
use super::{Index, Position, at, is_there, position};
use crate::control::ledger::chain::{self, Keys, LinePosition, Link};
use crate::control::ledger::files::segment::{self, Segment};
use crate::control::ledger::noted::{Bookmark, Noted, NotedPage, event, may_be_noted};

/// How many lines are read at a time.
const LINES: usize = 500;

impl Index {
    /// Behind the last line.
    pub(in crate::control::ledger::files) fn end(&self) -> io::Result<Bookmark> {
        let behind = |at: Position| {
            let Position { segment, offset, start, link: Link { seq, hash } } = at;
            Bookmark { segment, offset, start, seq, hash }
        };
        Ok(position(&self.database)?.map(behind).unwrap_or_default())
    }

    /// What the lines behind a bookmark are to those who are told of it: only of lines that hold their seal.
    pub(in crate::control::ledger::files) fn noted(
        &self,
        segments: &[Segment],
        keys: &Keys,
        from: &Bookmark,
    ) -> io::Result<NotedPage> {
        if !is_reached(from, segments)? {
            return Ok(NotedPage { read: self.end()?, is_lost: true, ..NotedPage::default() });
        }
        let (lines, read) = lines_after(segments, keys, from)?;
        let more = lines.len() >= LINES;
        let mut noted = Vec::new();
        for (seq, receipt) in lines.into_iter().flatten() {
            let mut told = self.told(segments, keys, &receipt)?.lines;
            let number = |line: &Value| line.get("seq").and_then(Value::as_u64);
            told.retain(|line| number(line).is_some_and(|own| own <= seq));
            if told.last().and_then(number) == Some(seq) {
                noted.extend(Noted::of(&told));
            }
        }
        Ok(NotedPage { noted, read, more, is_lost: false })
    }

    /// Receipts of requests whose time ended within that, without an answer or with a yes that was not used.
    pub(in crate::control::ledger::files) fn lapsed(
        &self,
        (after, until): (Timestamp, Timestamp),
    ) -> io::Result<Vec<String>> {
        let query = "SELECT receipt FROM request WHERE live AND until > ? AND until <= ? \
                     ORDER BY until, seq";
        self.receipts(query, params![at(after), at(until)])
    }

    /// Changes that left something behind and whose end is within that.
    pub(in crate::control::ledger::files) fn ending(
        &self,
        (after, until): (Timestamp, Timestamp),
    ) -> io::Result<Vec<String>> {
        let query = "SELECT receipt FROM change WHERE remains AND NOT taken \
                     AND expires IS NOT NULL AND expires > ? AND expires <= ? ORDER BY expires, seq";
        self.receipts(query, params![at(after), at(until)])
    }
}

/// Whether the lines still reach as far as a bookmark, and say there what they said.
fn is_reached(from: &Bookmark, segments: &[Segment]) -> io::Result<bool> {
    let Bookmark { segment, offset, start, seq, hash } = from.clone();
    if seq == 0 {
        return Ok(true);
    }
    is_there(&Position { segment, offset, start, link: Link { seq, hash } }, segments)
}

/// The number and the receipt of each line that may be of interest, and nothing of each that is not.
type Numbered = Vec<Option<(u64, String)>>;

fn lines_after(
    segments: &[Segment],
    keys: &Keys,
    from: &Bookmark,
) -> io::Result<(Numbered, Bookmark)> {
    let (mut lines, mut next) = (Vec::new(), from.clone());
    for segment in segments.iter().filter(|segment| segment.first >= from.segment) {
        if segment.first > next.segment {
            (next.segment, next.offset, next.start) = (segment.first, 0, NOWHERE);
        }
        let mut file = segment.open()?;
        file.seek(SeekFrom::Start(next.offset))?;
        let base = next.offset;
        let read = segment::each_line(BufReader::new(file), |at, line| {
            lines.push(None);
            if let Some(place) = LinePosition::of(line).filter(|_| keys.check(line).is_ok()) {
                (next.start, next.seq, next.hash) = (base + at, place.seq, chain::hash(line));
                let is_one = serde_json::from_str::<Value>(line)
                    .is_ok_and(|line| event(&line).is_some_and(may_be_noted));
                if let (Some(last), true) = (lines.last_mut(), is_one) {
                    *last = place.receipt.map(|receipt| (place.seq, receipt));
                }
            }
            Ok(lines.len() < LINES)
        })?;
        next.offset += read;
        if lines.len() >= LINES {
            break;
        }
    }
    Ok((lines, next))
}
