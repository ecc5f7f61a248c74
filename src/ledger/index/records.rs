//! Changes and requests, put together from their lines.

use std::io;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use super::{Index, Told, trouble};
use crate::access::Access;
use crate::ledger::chain::Keys;
use crate::ledger::files::Segment;
use crate::ledger::{Record, Request};

impl Index {
    pub(in crate::ledger) fn record(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<Record>> {
        let Told { lines, damage, .. } = self.told(segments, keys, receipt)?;
        let Some(mut record) = Record::of(&lines) else { return Ok(None) };
        record.damage = damage.or(record.damage);
        record.undone_by = self.taker("undoes", receipt)?;
        record.ended_by = self.taker("ends", receipt)?;
        record.superseded_by = self.superseder(receipt)?;
        if record.undone_by.is_some() || record.ended_by.is_some() {
            record.overdue = None;
        } else {
            record.held_by = self.holder(segments, keys, receipt)?;
        }
        Ok(Some(record))
    }

    /// The rows that the last undo left which gave back what this one made.
    pub(in crate::ledger) fn given_back(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Vec<Access>> {
        let undo = self.last(
            segments,
            keys,
            "SELECT undo.receipt FROM change, moved AS later, change AS undo
             WHERE change.receipt = ? AND later.access = change.access AND later.seq > change.seq
             AND later.made AND undo.receipt = later.receipt AND undo.undoes IS NOT NULL
             ORDER BY later.seq DESC LIMIT 1",
            receipt,
        )?;
        Ok(undo.and_then(|undo| undo.end).map(|end| end.after).unwrap_or_default())
    }

    /// The last change that was to take this one back, where the vendor holds it.
    fn holder(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<String>> {
        let last = self.last(
            segments,
            keys,
            "SELECT receipt FROM (SELECT receipt, seq FROM change WHERE undoes = ?1
                UNION SELECT receipt, seq FROM change WHERE ends = ?1)
             ORDER BY seq DESC LIMIT 1",
            receipt,
        )?;
        Ok(last.filter(Record::is_held).map(|record| record.receipt))
    }

    /// The change that a query finds for a receipt, by its own lines alone.
    fn last(
        &self,
        segments: &[Segment],
        keys: &Keys,
        query: &str,
        receipt: &str,
    ) -> io::Result<Option<Record>> {
        let found = self.receipts(query, [receipt])?;
        let Some(found) = found.into_iter().next() else { return Ok(None) };
        Ok(Record::of(&self.told(segments, keys, &found)?.lines))
    }

    /// The last change that took this one back.
    fn taker(&self, column: &str, receipt: &str) -> io::Result<Option<String>> {
        let query = format!(
            "SELECT receipt FROM change WHERE {column} = ? AND takes ORDER BY seq DESC LIMIT 1"
        );
        let taker = self
            .database
            .prepare_cached(&query)
            .and_then(|mut query| query.query_row([receipt], |row| row.get(0)).optional());
        taker.map_err(trouble)
    }

    /// The first later change in which the access that this one was for came or went. Undoing is
    /// no change of its own here: it brings back what was there, as it was.
    fn superseder(&self, receipt: &str) -> io::Result<Option<String>> {
        let query = "SELECT later.receipt FROM change, moved AS later
            WHERE change.receipt = ? AND later.access = change.access AND later.seq > change.seq
            AND NOT EXISTS (SELECT 1 FROM change AS undo
                WHERE undo.undoes = later.receipt AND undo.takes)
            AND NOT EXISTS (SELECT 1 FROM change AS undo
                WHERE undo.receipt = later.receipt AND undo.undoes IS NOT NULL AND later.made)
            ORDER BY later.seq LIMIT 1";
        let found = self
            .database
            .prepare_cached(query)
            .and_then(|mut query| query.query_row([receipt], |row| row.get(0)).optional());
        found.map_err(trouble)
    }

    pub(in crate::ledger) fn request(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        let told = self.told(segments, keys, receipt)?;
        let asked = "SELECT EXISTS (SELECT 1 FROM trouble, line WHERE line.receipt = ?
            AND (trouble.segment, trouble.offset) > (line.segment, line.offset))";
        let after: bool = self
            .database
            .prepare_cached(asked)
            .and_then(|mut query| query.query_row([receipt], |row| row.get(0)))
            .map_err(trouble)?;
        Ok(Request::of(&told.lines, after || told.damage.is_some(), None, Timestamp::now()))
    }
}
