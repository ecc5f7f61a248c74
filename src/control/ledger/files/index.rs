//! Where things are in the ledger, so that nobody has to read all of it.
//!
//! A database beside the ledger, made from it and never the other way round: it says which lines
//! are of a receipt, and what is open, due or waiting. It finds, and never decides: what a line says
//! is read from the line, seal and all, and compared with what was asked for. It may be deleted at
//! any time, and is then made anew; so it is where it does not say what the lines say.

mod check;
mod here;
mod ingest;
mod late;
mod noted;
mod past;
mod records;
mod told;
mod trace;
mod whose;

use std::cell::Cell;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::segment::{self, Segment};
use crate::control::ledger::chain::{Keys, Link};
use crate::control::ledger::whose::Names;
use check::standing;
use ingest::NOWHERE;
use told::told;

pub(super) struct Index {
    database: Connection,
    /// It was seen to say something else than the lines.
    is_suspect: Cell<bool>,
    /// The names that are of one tenant each.
    names: Names,
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
const VERSION: i64 = 10;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const SCHEMA: &str = "
    CREATE TABLE position (keys TEXT, segment INTEGER, offset INTEGER, start INTEGER, seq INTEGER,
        hash TEXT, standing TEXT);
    CREATE TABLE file (first INTEGER PRIMARY KEY, length INTEGER);
    CREATE TABLE line (receipt TEXT, segment INTEGER, offset INTEGER, length INTEGER, seq INTEGER,
        PRIMARY KEY (receipt, segment, offset)) WITHOUT ROWID;
    CREATE TABLE trouble (segment INTEGER, offset INTEGER, hash TEXT, what TEXT, lost INTEGER,
        accepted INTEGER,
        PRIMARY KEY (segment, offset, hash)) WITHOUT ROWID;
    CREATE TABLE change (receipt TEXT PRIMARY KEY, seq INTEGER, opened INTEGER, requester TEXT,
        process TEXT, access TEXT, undoes TEXT, ends TEXT, expires INTEGER, open INTEGER,
        remains INTEGER, overdue INTEGER, takes INTEGER, unseen INTEGER, taken INTEGER,
        whose TEXT) WITHOUT ROWID;
    CREATE INDEX change_open ON change (opened) WHERE open;
    CREATE INDEX change_opened ON change (opened);
    CREATE INDEX change_unseen ON change (opened) WHERE unseen;
    CREATE INDEX change_by ON change (requester, opened) WHERE ends IS NULL;
    CREATE INDEX change_due ON change (expires) WHERE remains AND NOT taken AND expires IS NOT NULL;
    CREATE INDEX change_timed ON change (access, seq) WHERE remains AND NOT taken AND expires IS NOT NULL;
    CREATE INDEX change_overdue ON change (seq) WHERE overdue AND remains AND NOT taken;
    CREATE INDEX change_undoes ON change (undoes) WHERE undoes IS NOT NULL;
    CREATE INDEX change_ends ON change (ends) WHERE ends IS NOT NULL;
    CREATE TABLE moved (access TEXT, receipt TEXT, seq INTEGER, made INTEGER, folded TEXT,
        PRIMARY KEY (access, seq, made)) WITHOUT ROWID;
    CREATE INDEX moved_folded ON moved (folded, seq);
    CREATE INDEX moved_by ON moved (receipt);
    CREATE TABLE request (receipt TEXT PRIMARY KEY, seq INTEGER, until INTEGER, live INTEGER)
        WITHOUT ROWID;
    CREATE TABLE extended (receipt TEXT, at INTEGER, requester TEXT,
        PRIMARY KEY (receipt, at, requester)) WITHOUT ROWID;
    CREATE INDEX extended_by ON extended (requester, at);
    CREATE INDEX extended_at ON extended (at);
    CREATE INDEX request_live ON request (until) WHERE live;
    CREATE TABLE entry (receipt TEXT PRIMARY KEY, first INTEGER, seq INTEGER, last INTEGER,
        standing TEXT, until INTEGER, requester TEXT) WITHOUT ROWID;
    CREATE INDEX entry_first ON entry (first, seq);
    CREATE INDEX entry_last ON entry (last, first);
    CREATE INDEX entry_standing ON entry (standing, first, seq);
    CREATE INDEX entry_by ON entry (requester, first, seq);
    CREATE TABLE whom (word TEXT, first INTEGER, seq INTEGER, receipt TEXT,
        PRIMARY KEY (word, first, seq)) WITHOUT ROWID;
    CREATE INDEX whom_of ON whom (receipt);
";

impl Index {
    /// The index of a ledger under these keys, made anew where there is none that fits.
    pub(super) fn open(path: &Path, keys: &Keys) -> io::Result<Self> {
        match Self::at(path, keys) {
            Ok(index) => Ok(index),
            Err(error) if super::journal::is_unwritable(&error) => Self::in_memory(keys),
            Err(error) => {
                tracing::warn!(%error, "the index of the ledger is made anew");
                Self::remove(path);
                Self::at(path, keys).or_else(|_| Self::in_memory(keys))
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
        crate::owner_only::open(path)?;
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
        let mut index = Self { database, is_suspect: Cell::new(false), names: Names::new() };
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
        let tables = [
            "position", "file", "line", "change", "moved", "extended", "request", "entry", "whom",
            "trouble",
        ];
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
            Some(position)
                if !is_there(position, segments)?
                    || !files_are_there(&self.database, position, segments)? =>
            {
                Some(position.clone())
            }
            _ => None,
        };
        if lost.is_some() {
            tracing::warn!("lines of the ledger that were read before are missing or were changed");
            self.forget()?;
        }
        if lost.is_none() && is_current(&self.database, segments)? {
            return Ok(());
        }
        if lost.is_none() && !self.standing_holds(keys)? {
            // What comes now would be sealed with what somebody wrote into it.
            tracing::warn!("the index of the ledger was changed, and is made anew");
            self.forget()?;
        }
        while self.take_in(segments, keys)? {}
        match lost {
            Some(lost) if !self.has(segments, &lost.link)? => self.keep_lost(segments, &lost.link),
            _ => Ok(()),
        }
    }

    /// Keeps that lines are missing which were read before: the lines themselves cannot show it.
    fn keep_lost(&mut self, segments: &[Segment], last: &Link) -> io::Result<()> {
        let end = position(&self.database)?;
        let (segment, offset) = end.map_or_else(
            || (segments.first().map_or(0, |segment| segment.first), 0),
            |end| (end.segment, end.offset),
        );
        let change = begin(&mut self.database)?;
        let found = ingest::Found::lost(segment, offset, last);
        ingest::keep_troubles(&change, &[found])?;
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
        let batch = ingest::read_on(segments, &mut next, position.is_none(), keys)?;
        if position.as_ref() == Some(&next) {
            return Ok(false);
        }
        let more = batch.is_full();
        ingest::keep_troubles(&change, &batch.troubles)?;
        ingest::take_lines(&change, segments, keys, batch.lines)?;
        ingest::accept(&change, &batch.accepted)?;
        if position.is_none_or(|position| position.segment != next.segment) {
            keep_files(&change, &next, segments)?;
        }
        set_position(&change, keys, &next)?;
        change.commit().map_err(trouble)?;
        Ok(more)
    }

    /// An index that is made from these lines now.
    pub(super) fn anew(segments: &[Segment], keys: &Keys) -> io::Result<Self> {
        // A database of no name is in a file that is gone with it.
        let mut index = Self::with(Connection::open("").map_err(trouble)?, keys)?;
        index.catch_up(segments, keys)?;
        Ok(index)
    }

    /// Receipts of requests that nobody has answered, or whose approval was not used, and that
    /// have not lapsed; oldest first.
    pub(super) fn live_requests(&self, now: Timestamp) -> io::Result<Vec<String>> {
        let query = "SELECT receipt FROM request WHERE live AND until >= ? ORDER BY seq";
        self.receipts(query, [at(now)])
    }

    /// Changes that were opened since then, or are open, or overdue, newest first.
    pub(super) fn recent(&self, since: Timestamp) -> io::Result<Vec<String>> {
        self.receipts(
            "SELECT receipt FROM (SELECT receipt, seq FROM change WHERE opened >= ?1
                UNION SELECT change.receipt, change.seq FROM extended
                    JOIN change ON change.receipt = extended.receipt WHERE extended.at >= ?1
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

    /// How many changes a requester opened since then, the ends of timed ones aside, and how many such
    /// ends they had moved.
    pub(super) fn count_since(&self, requester: &str, since: Timestamp) -> io::Result<u32> {
        let query = "SELECT (SELECT count(*) FROM change WHERE requester = ?1 AND opened >= ?2 \
                     AND ends IS NULL) + (SELECT count(*) FROM extended WHERE requester = ?1 \
                     AND at >= ?2)";
        let counted = self
            .database
            .prepare_cached(query)
            .and_then(|mut query| query.query_row(params![requester, at(since)], |row| row.get(0)));
        counted.map_err(trouble)
    }

    fn receipt(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
    ) -> io::Result<Option<String>> {
        Ok(self.receipts(query, parameters)?.into_iter().next())
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

/// An access, letter case aside.
fn folded(access: &str) -> String {
    access.to_lowercase()
}

fn at(time: Timestamp) -> i64 {
    time.as_millisecond()
}

fn trouble(error: rusqlite::Error) -> io::Error {
    io::Error::other(format!("its index: {error}"))
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
    let line = segment::line_at(&mut segment.open()?, position.start, position.offset)?;
    Ok(crate::control::ledger::chain::hash(&line) == position.link.hash)
}

/// The files before the one that is read on, with their lengths: nothing is added to them any more.
fn full_files(position: &Position, segments: &[Segment]) -> io::Result<Vec<(u64, u64)>> {
    let full = segments.iter().filter(|segment| segment.first < position.segment);
    full.map(|segment| Ok((segment.first, segment.length()?))).collect()
}

fn keep_files(
    change: &Transaction<'_>,
    position: &Position,
    segments: &[Segment],
) -> io::Result<()> {
    change.execute("DELETE FROM file", []).map_err(trouble)?;
    full_files(position, segments)?.into_iter().try_for_each(|(first, length)| {
        let keep = change.execute("INSERT INTO file VALUES (?, ?)", params![first, length]);
        keep.map(|_| ()).map_err(trouble)
    })
}

/// Whether the files that were full are those that were read: one that was moved away, cut or put
/// back shows nowhere else until every line is read.
fn files_are_there(
    database: &Connection,
    position: &Position,
    segments: &[Segment],
) -> io::Result<bool> {
    let query = "SELECT first, length FROM file ORDER BY first";
    let mut query = database.prepare_cached(query).map_err(trouble)?;
    let known = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let known: Vec<(u64, u64)> = known.and_then(Iterator::collect).map_err(trouble)?;
    Ok(known == full_files(position, segments)?)
}

/// Whether nothing came since: then nobody has to wait for the right to write.
fn is_current(database: &Connection, segments: &[Segment]) -> io::Result<bool> {
    let (Some(position), Some(last)) = (position(database)?, segments.last()) else {
        return Ok(segments.is_empty());
    };
    let length = last.length()?;
    Ok(position.segment == last.first && position.offset == length)
}
