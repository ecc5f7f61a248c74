//! Where things are in the ledger, so that nobody has to read all of it.
//!
//! A database beside the ledger, made from it and never the other way round: it says which lines
//! are of a receipt, and what is open, due or waiting. It finds, and never decides: what a line says
//! is read from the line, seal and all, and compared with what was asked for. It may be deleted at
//! any time, and is then made anew; so it is where it does not say what the lines say.

mod intake;
mod late;
mod meaning;
mod trail;

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::chain::{Keys, Link, Place};
use super::files::{self, Segment};
use super::{Record, Request};
use crate::access::Access;
use crate::text::hex;
use intake::NOWHERE;
pub(super) use meaning::{ACCEPTED, BROKEN, accepts, reported, understood};

pub(super) struct Index {
    database: Connection,
    /// It was seen to say something else than the lines.
    is_suspect: Cell<bool>,
}

/// Something in the ledger that cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Where it is, for a person.
    pub place: String,
    pub what: String,
    /// Of the line that it is about: what is accepted is named by it.
    pub hash: String,
}

impl Trouble {
    /// Of a file beside the lines.
    pub(super) fn of_file(name: &str, what: &str) -> Self {
        let hash = super::chain::hash(&format!("{name} {what}"));
        Self { place: name.to_owned(), what: what.to_owned(), hash }
    }

    pub(super) fn recorded(&self) -> Value {
        serde_json::json!({ "place": self.place, "what": self.what, "hash": self.hash })
    }
}

/// The lines of a receipt, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub lines: Vec<Value>,
    /// Why nothing is given on the word of these lines.
    pub damage: Option<String>,
    /// The last of them, as the next one names it.
    pub last: Link,
}

/// How far the ledger has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// The number of the first line of the file.
    segment: u64,
    offset: u64,
    /// Where the last line begins that held its seal.
    start: u64,
    link: Link,
}

/// Raised with every change of [`SCHEMA`], and of what its columns mean.
const VERSION: i64 = 3;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const SCHEMA: &str = "
    CREATE TABLE position (keys TEXT, segment INTEGER, offset INTEGER, start INTEGER, seq INTEGER,
        hash TEXT, standing TEXT);
    CREATE TABLE line (receipt TEXT, segment INTEGER, offset INTEGER, length INTEGER, seq INTEGER,
        PRIMARY KEY (receipt, segment, offset)) WITHOUT ROWID;
    CREATE TABLE trouble (segment INTEGER, offset INTEGER, hash TEXT, what TEXT, lost INTEGER,
        accepted INTEGER,
        PRIMARY KEY (segment, offset, hash)) WITHOUT ROWID;
    CREATE TABLE change (receipt TEXT PRIMARY KEY, seq INTEGER, opened INTEGER, requester TEXT,
        process TEXT, access TEXT, undoes TEXT, ends TEXT, expires INTEGER, open INTEGER,
        remains INTEGER, overdue INTEGER, takes INTEGER, taken INTEGER) WITHOUT ROWID;
    CREATE INDEX change_open ON change (opened) WHERE open;
    CREATE INDEX change_opened ON change (opened);
    CREATE INDEX change_by ON change (requester, opened) WHERE ends IS NULL;
    CREATE INDEX change_due ON change (expires) WHERE remains AND NOT taken AND expires IS NOT NULL;
    CREATE INDEX change_timed ON change (access, seq) WHERE remains AND NOT taken AND expires IS NOT NULL;
    CREATE INDEX change_overdue ON change (seq) WHERE overdue AND remains AND NOT taken;
    CREATE INDEX change_undoes ON change (undoes) WHERE undoes IS NOT NULL;
    CREATE INDEX change_ends ON change (ends) WHERE ends IS NOT NULL;
    CREATE TABLE moved (access TEXT, receipt TEXT, seq INTEGER, made INTEGER,
        PRIMARY KEY (access, seq, made)) WITHOUT ROWID;
    CREATE INDEX moved_by ON moved (receipt);
    CREATE TABLE request (receipt TEXT PRIMARY KEY, seq INTEGER, asked INTEGER, until INTEGER,
        live INTEGER) WITHOUT ROWID;
    CREATE INDEX request_asked ON request (asked);
    CREATE INDEX request_live ON request (until) WHERE live;
";

impl Index {
    /// The index of a ledger under these keys, made anew where there is none that fits.
    pub(super) fn open(path: &Path, keys: &Keys) -> io::Result<Self> {
        match Self::at(path, keys) {
            Ok(index) => Ok(index),
            Err(error) if is_permission(&error) => Self::in_memory(keys),
            Err(error) => {
                tracing::warn!(%error, "the index of the ledger is made anew");
                Self::remove(path);
                Self::at(path, keys)
            }
        }
    }

    /// Takes an index away that is of no use.
    pub(super) fn remove(path: &Path) {
        for end in ["", "-wal", "-shm"] {
            let mut path = path.as_os_str().to_owned();
            path.push(end);
            let _ = std::fs::remove_file(path);
        }
    }

    /// An index that lasts as long as the process.
    pub(super) fn in_memory(keys: &Keys) -> io::Result<Self> {
        Self::with(Connection::open_in_memory().map_err(trouble)?, keys)
    }

    fn at(path: &Path, keys: &Keys) -> io::Result<Self> {
        // The database takes the mode of a file that is there.
        crate::private::open(path)?;
        Self::with(Connection::open(path).map_err(trouble)?, keys)
    }

    fn with(mut database: Connection, keys: &Keys) -> io::Result<Self> {
        database.busy_timeout(PATIENCE).map_err(trouble)?;
        database.pragma_update(None, "journal_mode", "WAL").map_err(trouble)?;
        database.pragma_update(None, "synchronous", "NORMAL").map_err(trouble)?;
        database.pragma_update(None, "cache_size", -1024).map_err(trouble)?;
        let change = begin(&mut database)?;
        let version: i64 =
            change.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(trouble)?;
        if version != VERSION {
            empty(&change, version)?;
            change.execute_batch(SCHEMA).map_err(trouble)?;
            change.pragma_update(None, "user_version", VERSION).map_err(trouble)?;
        }
        change.commit().map_err(trouble)?;
        let mut index = Self { database, is_suspect: Cell::new(false) };
        if index.keys()?.is_some_and(|known| known != keys.ids()) {
            tracing::info!("the ledger is read anew under other keys");
            index.forget()?;
        }
        Ok(index)
    }

    /// The keys under which the lines were read.
    fn keys(&self) -> io::Result<Option<String>> {
        let keys = self.database.query_row("SELECT keys FROM position", [], |row| row.get(0));
        keys.optional().map_err(trouble)
    }

    fn forget(&mut self) -> io::Result<()> {
        let tables = ["position", "line", "change", "moved", "request", "trouble"];
        let clear: String = tables.iter().map(|table| format!("DELETE FROM {table};")).collect();
        let change = begin(&mut self.database)?;
        change.execute_batch(&clear).map_err(trouble)?;
        change.commit().map_err(trouble)
    }

    /// Whether it says something else than the lines do.
    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.get()
    }

    /// Takes in the lines that came since.
    pub(super) fn catch_up(&mut self, segments: &[Segment], keys: &Keys) -> io::Result<()> {
        let position = position(&self.database)?;
        let lost = match &position {
            Some(position) if !is_there(position, segments)? => Some(position.clone()),
            _ => None,
        };
        if lost.is_some() {
            tracing::warn!("lines of the ledger that were read before are missing or were changed");
            self.forget()?;
        }
        if lost.is_none() && is_current(&self.database, segments)? {
            return Ok(());
        }
        while self.take_in(segments, keys)? {}
        match lost {
            Some(lost) if !self.has(segments, &lost.link)? => self.keep_lost(segments, &lost.link),
            _ => Ok(()),
        }
    }

    /// Whether a line is among those that were read.
    fn has(&self, segments: &[Segment], link: &Link) -> io::Result<bool> {
        let query = "SELECT segment, offset, length FROM line WHERE seq = ?";
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let places = query.query_map([link.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let places: Vec<(u64, u64, u64)> = places.and_then(Iterator::collect).map_err(trouble)?;
        for (segment, offset, length) in places {
            if let Some(part) = segments.iter().find(|known| known.first == segment)
                && super::chain::hash(&files::read_at(&mut part.open()?, offset, length)?)
                    == link.hash
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps that lines are missing which were read before: the lines themselves cannot show it.
    fn keep_lost(&mut self, segments: &[Segment], last: &Link) -> io::Result<()> {
        let end = position(&self.database)?;
        let (segment, offset) = end.map_or_else(
            || (segments.first().map_or(0, |segment| segment.first), 0),
            |end| (end.segment, end.offset),
        );
        let change = begin(&mut self.database)?;
        let found = intake::Found::lost(segment, offset, last);
        intake::keep_troubles(&change, &[found])?;
        change.commit().map_err(trouble)
    }

    /// Takes in some lines; whether there may be more.
    fn take_in(&mut self, segments: &[Segment], keys: &Keys) -> io::Result<bool> {
        let change = begin(&mut self.database)?;
        let position = position(&change)?;
        let mut next = position.clone().unwrap_or_else(|| Position {
            segment: segments.first().map_or(0, |segment| segment.first),
            offset: 0,
            start: NOWHERE,
            link: Link::start(),
        });
        let batch = intake::read_on(segments, &mut next, position.is_none(), keys)?;
        if position.as_ref() == Some(&next) {
            return Ok(false);
        }
        let more = batch.is_full();
        intake::keep_troubles(&change, &batch.troubles)?;
        intake::take_lines(&change, segments, keys, batch.lines)?;
        intake::accept(&change, &batch.accepted)?;
        set_position(&change, keys, &next)?;
        change.commit().map_err(trouble)?;
        Ok(more)
    }

    /// What stands of the ledger's word: receipts that are open, or due at some time. Sealed with
    /// the position, because a receipt that is not found here is looked at by nobody.
    pub(super) fn standing_holds(&self, keys: &Keys) -> io::Result<bool> {
        let kept = self
            .database
            .query_row("SELECT standing FROM position", [], |row| row.get::<_, String>(0))
            .optional()
            .map_err(trouble)?;
        Ok(kept.is_none_or(|kept| standing(&self.database, keys).is_ok_and(|made| made == kept)))
    }

    /// What cannot be acted on and was not accepted, in the order of the lines.
    pub(super) fn troubles(&self, segments: &[Segment]) -> io::Result<Vec<Trouble>> {
        self.kept(segments, false)
    }

    /// Those of them that no line shows: lines that were read before, and are missing.
    pub(super) fn lost(&self, segments: &[Segment]) -> io::Result<Vec<Trouble>> {
        self.kept(segments, true)
    }

    fn kept(&self, segments: &[Segment], only_lost: bool) -> io::Result<Vec<Trouble>> {
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

    /// Receipts that stand, with lines that do not hold.
    pub(super) fn damaged(
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
    pub(super) fn is_as(&self, other: &Self) -> io::Result<bool> {
        for table in ["line", "change", "moved", "request"] {
            if rows(&self.database, table)? != rows(&other.database, table)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An index that is made from these lines now.
    pub(super) fn anew(segments: &[Segment], keys: &Keys) -> io::Result<Self> {
        // A database of no name is in a file that is gone with it.
        let mut index = Self::with(Connection::open("").map_err(trouble)?, keys)?;
        index.catch_up(segments, keys)?;
        Ok(index)
    }

    pub(super) fn record(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<Record>> {
        let Told { lines, damage, .. } = self.told(segments, keys, receipt)?;
        let Some(mut record) = Record::of(&lines) else { return Ok(None) };
        record.damage = damage;
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
    pub(super) fn given_back(
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

    /// The lines of a receipt, oldest first. An index that names others is not relied on again.
    pub(super) fn told(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Told> {
        let (told, fits) = told(&self.database, segments, keys, receipt)?;
        if !fits {
            self.is_suspect.set(true);
        }
        Ok(told)
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

    pub(super) fn request(
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

    /// Receipts of requests that nobody has answered, or whose approval was not used, and that
    /// have not lapsed; oldest first.
    pub(super) fn live_requests(&self, now: Timestamp) -> io::Result<Vec<String>> {
        let query = "SELECT receipt FROM request WHERE live AND until >= ? ORDER BY seq";
        self.receipts(query, [at(now)])
    }

    /// Receipts of live requests, newest first, then of those asked since then that are not live
    /// and were not used.
    pub(super) fn asked(&self, since: Timestamp, now: Timestamp) -> io::Result<Vec<String>> {
        self.receipts(
            "SELECT receipt FROM request WHERE asked >= ?1 OR (live AND until >= ?2)
             ORDER BY live AND until >= ?2 DESC, seq DESC",
            [at(since), at(now)],
        )
    }

    /// Changes that were opened since then, or are open, or overdue, newest first.
    pub(super) fn recent(&self, since: Timestamp) -> io::Result<Vec<String>> {
        self.receipts(
            "SELECT receipt FROM (SELECT receipt, seq FROM change WHERE opened >= ?
                UNION SELECT receipt, seq FROM change WHERE open
                UNION SELECT receipt, seq FROM change WHERE overdue AND remains AND NOT taken)
             ORDER BY seq DESC",
            [at(since)],
        )
    }

    /// Changes without an end that were opened before then, with the process that opened them.
    pub(super) fn open_before(&self, then: Timestamp) -> io::Result<Vec<(String, String)>> {
        let mut query = self
            .database
            .prepare_cached(
                "SELECT receipt, process FROM change WHERE open AND opened < ? ORDER BY seq",
            )
            .map_err(trouble)?;
        let rows = query.query_map([at(then)], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect).map_err(trouble)
    }

    /// Changes that left something behind whose time has come, and that nothing has taken back.
    pub(super) fn due(&self, now: Timestamp) -> io::Result<Vec<String>> {
        self.receipts(
            "SELECT receipt FROM change
             WHERE remains AND NOT taken AND expires IS NOT NULL AND expires <= ? ORDER BY expires",
            [at(now)],
        )
    }

    /// The last timed change of an access that still stands.
    pub(super) fn timed(&self, access: &str) -> io::Result<Option<String>> {
        let found = self.receipts(
            "SELECT receipt FROM change WHERE remains AND NOT taken AND expires IS NOT NULL
             AND access = ? ORDER BY seq DESC LIMIT 1",
            [access],
        )?;
        Ok(found.into_iter().next())
    }

    /// Whether a change from here made this access.
    pub(super) fn is_made(&self, access: &str) -> io::Result<bool> {
        let found = self
            .database
            .prepare_cached("SELECT 1 FROM moved WHERE access = ? AND made")
            .and_then(|mut query| query.exists([access]));
        found.map_err(trouble)
    }

    /// How many changes a requester opened since then, the ends of timed ones aside.
    pub(super) fn count_since(&self, requester: &str, since: Timestamp) -> io::Result<u32> {
        let query =
            "SELECT count(*) FROM change WHERE requester = ? AND opened >= ? AND ends IS NULL";
        let counted = self
            .database
            .prepare_cached(query)
            .and_then(|mut query| query.query_row(params![requester, at(since)], |row| row.get(0)));
        counted.map_err(trouble)
    }

    fn receipts(&self, query: &str, parameters: impl rusqlite::Params) -> io::Result<Vec<String>> {
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let rows = query.query_map(parameters, |row| row.get(0));
        rows.and_then(Iterator::collect).map_err(trouble)
    }
}

/// An access by ids, as the index knows it.
pub(super) fn access<S: AsRef<str>>(parts: &[S; 4]) -> String {
    serde_json::json!(parts.each_ref().map(AsRef::as_ref)).to_string()
}

fn at(time: Timestamp) -> i64 {
    time.as_millisecond()
}

fn trouble(error: rusqlite::Error) -> io::Error {
    io::Error::other(format!("its index: {error}"))
}

fn is_permission(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// For writing from the start, so that two processes never both begin with reading.
fn begin(database: &mut Connection) -> io::Result<Transaction<'_>> {
    database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(trouble)
}

/// Takes out what another version made.
fn empty(change: &Transaction<'_>, version: i64) -> io::Result<()> {
    if version == 0 {
        return Ok(());
    }
    let mut query =
        change.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").map_err(trouble)?;
    let tables: Vec<String> =
        query.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(trouble)?;
    tables.iter().try_for_each(|table| {
        change.execute_batch(&format!("DROP TABLE \"{table}\"")).map_err(trouble)
    })
}

fn position(database: &Connection) -> io::Result<Option<Position>> {
    let query = "SELECT segment, offset, start, seq, hash FROM position";
    let position = database.prepare_cached(query).and_then(|mut query| {
        let position = query.query_row([], |row| {
            let link = Link { seq: row.get(3)?, hash: row.get(4)? };
            Ok(Position { segment: row.get(0)?, offset: row.get(1)?, start: row.get(2)?, link })
        });
        position.optional()
    });
    position.map_err(trouble)
}

fn set_position(change: &Transaction<'_>, keys: &Keys, position: &Position) -> io::Result<()> {
    let Position { segment, offset, start, link } = position;
    let standing = standing(change, keys)?;
    change.execute("DELETE FROM position", []).map_err(trouble)?;
    let values = params![keys.ids(), segment, offset, start, link.seq, link.hash, standing];
    change.execute("INSERT INTO position VALUES (?, ?, ?, ?, ?, ?, ?)", values).map_err(trouble)?;
    Ok(())
}

const STANDING: &str = "SELECT receipt FROM change WHERE open
    UNION SELECT receipt FROM change WHERE remains AND NOT taken AND expires IS NOT NULL";

/// A seal over the receipts that stand, and when they end.
fn standing(database: &Connection, keys: &Keys) -> io::Result<String> {
    let query = "SELECT receipt, open, expires FROM change WHERE open
        UNION SELECT receipt, open, expires FROM change
        WHERE remains AND NOT taken AND expires IS NOT NULL ORDER BY receipt";
    let mut query = database.prepare_cached(query).map_err(trouble)?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let rows: Vec<(String, bool, Option<i64>)> =
        rows.and_then(Iterator::collect).map_err(trouble)?;
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

/// Whether the ledger still reaches as far as it was read, and says there what it said.
fn is_there(position: &Position, segments: &[Segment]) -> io::Result<bool> {
    let segment = segments.iter().find(|segment| segment.first == position.segment);
    let Some(segment) = segment else { return Ok(false) };
    if segment.length()? < position.offset {
        return Ok(false);
    }
    if position.start == NOWHERE {
        return Ok(true);
    }
    let line = files::line_at(&mut segment.open()?, position.start, position.offset)?;
    Ok(super::chain::hash(&line) == position.link.hash)
}

/// Whether nothing came since: then nobody has to wait for the right to write.
fn is_current(database: &Connection, segments: &[Segment]) -> io::Result<bool> {
    let (Some(position), Some(last)) = (position(database)?, segments.last()) else {
        return Ok(segments.is_empty());
    };
    let length = last.length()?;
    Ok(position.segment == last.first && position.offset == length)
}

/// The sealed lines of a receipt, oldest first, and whether the index fits them.
fn told(
    database: &Connection,
    segments: &[Segment],
    keys: &Keys,
    receipt: &str,
) -> io::Result<(Told, bool)> {
    let query =
        "SELECT segment, offset, length FROM line WHERE receipt = ? ORDER BY segment, offset";
    let mut query = database.prepare_cached(query).map_err(trouble)?;
    let places = query.query_map([receipt], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let places: Vec<(u64, u64, u64)> = places.and_then(Iterator::collect).map_err(trouble)?;
    let (mut told, mut fits, mut opened) = (Told::default(), true, None::<(u64, File)>);
    for (segment, offset, length) in places {
        let file = match &mut opened {
            Some((first, file)) if *first == segment => file,
            _ => {
                let Some(found) = segments.iter().find(|known| known.first == segment) else {
                    told.spoil("a file with lines of it is not here");
                    continue;
                };
                &mut opened.insert((segment, found.open()?)).1
            }
        };
        let line = files::read_at(file, offset, length)?;
        match Place::of(&line).filter(|_| keys.check(&line).is_ok()) {
            None => told.spoil("a line of it was changed"),
            Some(place) if place.receipt.as_deref() != Some(receipt) => {
                fits = false;
                told.spoil("a line that was found for it is another receipt's");
            }
            Some(place) => told.take(&place, &line),
        }
    }
    if let Some(damage) = &told.damage {
        tracing::warn!(receipt, damage, "a line of the ledger was changed, or is missing");
    }
    Ok((told, fits))
}

impl Told {
    /// Takes the next line, which holds its seal.
    pub(super) fn take(&mut self, place: &Place, line: &str) {
        if !place.continues(&self.last) {
            self.spoil("a line of it is missing, or there twice");
        }
        self.last = place.own_link(line, &self.last);
        match understood(line) {
            Ok(line) => self.lines.push(line),
            Err(what) => self.spoil(&format!("a line of it {what}")),
        }
    }

    pub(super) fn spoil(&mut self, what: &str) {
        self.damage.get_or_insert_with(|| what.to_owned());
    }
}
