//! Changes and requests, put together from their lines.

use std::io;

use super::{Index, trouble};
use crate::access::Access;
use crate::control::ledger::chain::Keys;
use crate::control::ledger::files::segment::Segment;
use crate::control::ledger::told::Told;
use crate::control::ledger::{Record, Request};

impl Index {
    pub(in crate::control::ledger) fn record(
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
    pub(in crate::control::ledger) fn given_back(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Vec<Access>> {
        let undo = self.of_same_tenant(
            receipt,
            "SELECT undo.receipt, undo.whose FROM change, moved AS later, change AS undo
             WHERE change.receipt = ? AND later.access = change.access AND later.seq > change.seq
             AND later.made AND undo.receipt = later.receipt AND undo.undoes IS NOT NULL
             ORDER BY later.seq DESC",
        )?;
        let undo = self.of_its_lines(segments, keys, undo.into_iter().next())?;
        Ok(undo.and_then(|undo| undo.end).map(|end| end.after).unwrap_or_default())
    }

    /// The last change that was to take this one back, where the vendor holds it.
    fn holder(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<String>> {
        let last = self.of_its_lines(segments, keys, self.takers(receipt)?.pop())?;
        Ok(last.filter(Record::is_held).map(|record| record.receipt))
    }

    /// A change by its own lines alone.
    fn of_its_lines(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: Option<String>,
    ) -> io::Result<Option<Record>> {
        let Some(receipt) = receipt else { return Ok(None) };
        Ok(Record::of(&self.told(segments, keys, &receipt)?.lines))
    }

    /// The last change that took this one back.
    fn taker(&self, column: &str, receipt: &str) -> io::Result<Option<String>> {
        let query = format!(
            "SELECT receipt FROM change WHERE {column} = ? AND takes ORDER BY seq DESC LIMIT 1"
        );
        self.receipt(&query, [receipt])
    }

    /// The first later change in which the access that this one was for came or went. What brings
    /// back what was there, as it was, is no change of its own here.
    fn superseder(&self, receipt: &str) -> io::Result<Option<String>> {
        let later = self.of_same_tenant(
            receipt,
            "SELECT later.receipt, mover.whose FROM change, moved AS later JOIN change AS mover
            ON mover.receipt = later.receipt
            WHERE change.receipt = ? AND later.access = change.access AND later.seq > change.seq
            AND NOT EXISTS (SELECT 1 FROM change AS undo
                WHERE undo.undoes = later.receipt AND undo.takes)
            AND NOT EXISTS (SELECT 1 FROM change AS back WHERE back.receipt = later.receipt
                AND (back.undoes IS NOT NULL OR back.ends IS NOT NULL) AND later.made)
            ORDER BY later.seq",
        )?;
        Ok(later.into_iter().next())
    }

    pub(in crate::control::ledger) fn request(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        let told = self.told(segments, keys, receipt)?;
        let is_broken = self.is_before_trouble(receipt)? || told.damage.is_some();
        Ok(Request::of(&told.lines, is_broken, None, crate::clock::now()))
    }

    /// Whether something that cannot be acted on is known after the first line of a receipt.
    pub(in crate::control::ledger) fn is_before_trouble(&self, receipt: &str) -> io::Result<bool> {
        let asked = "SELECT EXISTS (SELECT 1 FROM trouble, line WHERE line.receipt = ?
            AND (trouble.segment, trouble.offset) > (line.segment, line.offset))";
        self.database
            .prepare_cached(asked)
            .and_then(|mut query| query.query_row([receipt], |row| row.get(0)))
            .map_err(trouble)
    }
}
