//! Where things are in the ledger, so that nobody has to read all of it.
//!
//! A database beside the ledger, made from it and never the other way round: it says which lines
//! are of a receipt, and what is open, due or waiting. What a line says is read from the line, seal
//! and all. It may be deleted at any time, and is then made anew.

mod intake;
mod late;

use std::fs::File;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::chain::{Keys, Link};
use super::files::{self, Segment};
use super::{Record, Request};
use crate::access::Access;
use intake::BATCH;

pub(super) struct Index {
    database: Connection,
}

/// How far the ledger has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    /// The number of the first line of the file.
    segment: u64,
    offset: u64,
    link: Link,
}

/// Raised with every change of [`SCHEMA`], and of what its columns mean.
const VERSION: i64 = 2;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const SCHEMA: &str = "
    CREATE TABLE position (keys TEXT, segment INTEGER, offset INTEGER, seq INTEGER, hash TEXT);
    CREATE TABLE line (receipt TEXT, seq INTEGER, segment INTEGER, offset INTEGER, length INTEGER,
        PRIMARY KEY (receipt, seq)) WITHOUT ROWID;
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
        let mut index = Self { database };
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
        let tables = ["position", "line", "change", "moved", "request"];
        let clear: String = tables.iter().map(|table| format!("DELETE FROM {table};")).collect();
        let change = begin(&mut self.database)?;
        change.execute_batch(&clear).map_err(trouble)?;
        change.commit().map_err(trouble)
    }

    /// Takes in the lines that came since.
    pub(super) fn catch_up(&mut self, segments: &[Segment], keys: &Keys) -> io::Result<()> {
        if let Some(position) = position(&self.database)?
            && !is_there(&position, segments)?
        {
            tracing::warn!("the ledger is shorter than when it was last read: lines are missing");
            self.forget()?;
        }
        if is_current(&self.database, segments)? {
            return Ok(());
        }
        while self.take_in(segments, keys)? {}
        Ok(())
    }

    /// Takes in some lines; whether there may be more.
    fn take_in(&mut self, segments: &[Segment], keys: &Keys) -> io::Result<bool> {
        let change = begin(&mut self.database)?;
        let position = position(&change)?;
        let mut next = position.clone().unwrap_or_else(|| Position {
            segment: segments.first().map_or(0, |segment| segment.first),
            offset: 0,
            link: Link::start(),
        });
        let batch = intake::read_on(segments, &mut next, keys)?;
        if position.as_ref() == Some(&next) {
            return Ok(false);
        }
        let more = batch.len() >= BATCH;
        intake::take_lines(&change, segments, keys, batch)?;
        set_position(&change, keys, &next)?;
        change.commit().map_err(trouble)?;
        Ok(more)
    }

    pub(super) fn record(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Option<Record>> {
        let lines = lines(&self.database, segments, keys, receipt)?;
        let Some(mut record) = Record::of(&lines) else { return Ok(None) };
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
        Ok(Record::of(&lines(&self.database, segments, keys, &found)?))
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
        let lines = lines(&self.database, segments, keys, receipt)?;
        Ok(Request::of(&lines, Timestamp::now()))
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
    let query = "SELECT segment, offset, seq, hash FROM position";
    let position = database.prepare_cached(query).and_then(|mut query| {
        let position = query.query_row([], |row| {
            let link = Link { seq: row.get(2)?, hash: row.get(3)? };
            Ok(Position { segment: row.get(0)?, offset: row.get(1)?, link })
        });
        position.optional()
    });
    position.map_err(trouble)
}

fn set_position(change: &Transaction<'_>, keys: &Keys, position: &Position) -> io::Result<()> {
    let Position { segment, offset, link } = position;
    change.execute("DELETE FROM position", []).map_err(trouble)?;
    let values = params![keys.ids(), segment, offset, link.seq, link.hash];
    change.execute("INSERT INTO position VALUES (?, ?, ?, ?, ?)", values).map_err(trouble)?;
    Ok(())
}

/// Whether the ledger still reaches as far as it was read.
fn is_there(position: &Position, segments: &[Segment]) -> io::Result<bool> {
    let segment = segments.iter().find(|segment| segment.first == position.segment);
    let Some(segment) = segment else { return Ok(false) };
    Ok(segment.length()? >= position.offset)
}

/// Whether nothing came since: then nobody has to wait for the right to write.
fn is_current(database: &Connection, segments: &[Segment]) -> io::Result<bool> {
    let (Some(position), Some(last)) = (position(database)?, segments.last()) else {
        return Ok(segments.is_empty());
    };
    let length = last.length()?;
    Ok(position.segment == last.first && position.offset == length)
}

/// The sealed lines of a receipt, oldest first.
fn lines(
    database: &Connection,
    segments: &[Segment],
    keys: &Keys,
    receipt: &str,
) -> io::Result<Vec<Value>> {
    let query = "SELECT segment, offset, length FROM line WHERE receipt = ? ORDER BY seq";
    let mut query = database.prepare_cached(query).map_err(trouble)?;
    let places = query.query_map([receipt], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let places: Vec<(u64, u64, u64)> = places.and_then(Iterator::collect).map_err(trouble)?;
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let (mut lines, mut opened) = (Vec::new(), None::<(u64, File)>);
    for (segment, offset, length) in places {
        let file = match &mut opened {
            Some((first, file)) if *first == segment => file,
            _ => {
                let Some(found) = segments.iter().find(|known| known.first == segment) else {
                    continue;
                };
                &mut opened.insert((segment, found.open()?)).1
            }
        };
        let line = files::read_at(file, offset, length)?;
        match keys.check(&line) {
            Ok(()) => lines.extend(serde_json::from_str::<Value>(&line)),
            Err(why) => tracing::warn!(receipt, ?why, "a line of the ledger was changed"),
        }
    }
    Ok(lines)
}
