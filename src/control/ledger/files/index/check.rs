//! Whether the index says what the lines say, and what of the lines cannot be acted on.

use std::io;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::{Index, trouble};
use crate::control::ledger::Trouble;
use crate::control::ledger::chain::{self, Keys, Link};
use crate::control::ledger::files::segment::{self, Segment};
use crate::text::hex;

impl Index {
    /// Whether a line is among those that were read.
    pub(super) fn has(&self, segments: &[Segment], link: &Link) -> io::Result<bool> {
        let query = "SELECT segment, offset, length FROM line WHERE seq = ?";
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let places = query.query_map([link.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let places: Vec<(u64, u64, u64)> = places.and_then(Iterator::collect).map_err(trouble)?;
        for (segment, offset, length) in places {
            if let Some(part) = segments.iter().find(|known| known.first == segment)
                && chain::hash(&segment::read_at(&mut part.open()?, offset, length)?) == link.hash
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What stands of the ledger's word: receipts that are open, or due at some time. Sealed with
    /// the position, because a receipt that is not found here is looked at by nobody.
    pub(in crate::control::ledger) fn standing_holds(&self, keys: &Keys) -> io::Result<bool> {
        let kept = self
            .database
            .query_row("SELECT standing FROM position", [], |row| row.get::<_, String>(0))
            .optional()
            .map_err(trouble)?;
        Ok(kept.is_none_or(|kept| standing(&self.database, keys).is_ok_and(|made| made == kept)))
    }

    /// What cannot be acted on and was not accepted, in the order of the lines.
    pub(in crate::control::ledger) fn troubles(
        &self,
        segments: &[Segment],
    ) -> io::Result<Vec<Trouble>> {
        self.kept(segments, false)
    }

    /// Those of them that no line shows: lines that were read before, and are missing.
    pub(in crate::control::ledger) fn lost(
        &self,
        segments: &[Segment],
    ) -> io::Result<Vec<Trouble>> {
        self.kept(segments, true)
    }

    pub(super) fn kept(&self, segments: &[Segment], only_lost: bool) -> io::Result<Vec<Trouble>> {
        let query = "SELECT segment, offset, hash, what FROM trouble
            WHERE NOT accepted AND lost >= ? ORDER BY segment, offset";
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let rows = query.query_map([only_lost], |row| {
            let (segment, offset): (u64, u64) = (row.get(0)?, row.get(1)?);
            Ok((segment, offset, row.get(2)?, row.get(3)?))
        });
        let rows: Vec<(u64, u64, String, String)> =
            rows.and_then(Iterator::collect).map_err(trouble)?;
        let place = |segment: u64, offset: u64| {
            let found = segments.iter().find(|known| known.first == segment);
            let name = found.and_then(|found| found.path.file_name()).unwrap_or_default();
            format!("{} at byte {offset}", name.to_string_lossy())
        };
        let trouble =
            |(segment, offset, hash, what)| Trouble { place: place(segment, offset), what, hash };
        Ok(rows.into_iter().map(trouble).collect())
    }

    /// Whether something did not hold since then, accepted or not: before the first change that was opened
    /// by then and came after it, nobody knows what is missing.
    pub(in crate::control::ledger) fn broke_since(&self, since: Timestamp) -> io::Result<bool> {
        let query = "SELECT EXISTS (SELECT 1 FROM trouble WHERE NOT EXISTS (
                SELECT 1 FROM change JOIN line ON line.receipt = change.receipt AND line.seq = change.seq
                WHERE change.opened < ?
                    AND (line.segment, line.offset) > (trouble.segment, trouble.offset)))";
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        query.query_row([super::at(since)], |row| row.get(0)).map_err(trouble)
    }

    /// Receipts that stand, with lines that do not hold.
    pub(in crate::control::ledger) fn damaged(
        &self,
        segments: &[Segment],
        keys: &Keys,
    ) -> io::Result<Vec<(String, String)>> {
        let standing = self.receipts(STANDING, [])?;
        let mut damaged = Vec::new();
        for receipt in standing {
            if let Some(damage) = self.told(segments, keys, &receipt)?.damage {
                damaged.push((receipt, damage));
            }
        }
        Ok(damaged)
    }

    /// Whether the two say the same, position aside.
    pub(in crate::control::ledger) fn is_as(&self, other: &Self) -> io::Result<bool> {
        for table in ["line", "change", "moved", "extended", "request", "entry", "whom"] {
            if rows(&self.database, table)? != rows(&other.database, table)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

const STANDING: &str = "SELECT receipt FROM change WHERE open
    UNION SELECT receipt FROM change WHERE remains AND NOT taken AND expires IS NOT NULL";

/// A seal over the receipts that stand, when they end, and where their lines are.
pub(super) fn standing(database: &Connection, keys: &Keys) -> io::Result<String> {
    let query = "SELECT stands.receipt, open, expires, segment, offset, length FROM (
            SELECT receipt, open, expires FROM change WHERE open
            UNION SELECT receipt, open, expires FROM change
            WHERE remains AND NOT taken AND expires IS NOT NULL
        ) AS stands LEFT JOIN line ON line.receipt = stands.receipt
        ORDER BY stands.receipt, segment, offset";
    let mut query = database.prepare_cached(query).map_err(trouble)?;
    let rows = query.query_map([], |row| {
        let line: (Option<u64>, Option<u64>, Option<u64>) = (row.get(3)?, row.get(4)?, row.get(5)?);
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, line))
    });
    type Row = (String, bool, Option<i64>, (Option<u64>, Option<u64>, Option<u64>));
    let rows: Vec<Row> = rows.and_then(Iterator::collect).map_err(trouble)?;
    let text = serde_json::to_vec(&rows).map_err(io::Error::other)?;
    keys.seal("standing", &text).map(|seal| hex(&seal))
}

/// Everything in a table, as text, in one order.
fn rows(database: &Connection, table: &str) -> io::Result<Vec<String>> {
    let mut query = database.prepare(&format!("SELECT * FROM {table}")).map_err(trouble)?;
    let columns = query.column_count();
    let rows = query.query_map([], |row| {
        let value = |column| row.get::<_, rusqlite::types::Value>(column);
        let values: Result<Vec<_>, _> = (0..columns).map(value).collect();
        values.map(|values| format!("{values:?}"))
    });
    let mut rows: Vec<_> = rows.and_then(Iterator::collect).map_err(trouble)?;
    rows.sort_unstable();
    Ok(rows)
}
