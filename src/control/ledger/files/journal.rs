//! The files at work: lines are added under a lock, and found by an index.

mod check;
mod copy;
mod moved;
mod orphans;
mod reading;
mod tail;
mod unkept;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::aside::{self, SetAside};
use super::head;
use super::index::Index;
use super::presence::Presence;
use super::segment::{self, CURRENT, FULL, Segment};
use crate::control::ledger::chain::{Kept, Keys, LinePosition, Link};
use crate::control::ledger::entry::Entry;
use crate::control::ledger::meaning::BROKEN;
use crate::control::ledger::trouble::Trouble;
use crate::control::ledger::unless::{Objection, Unless};
use crate::control::ledger::whose::Names;
pub(super) use reading::Reading;
use tail::Tail;

pub(super) struct Journal {
    dir: PathBuf,
    process: String,
    held: Mutex<Held>,
    /// The names that are of one tenant each, where one has several.
    names: OnceLock<Names>,
}

/// What a process keeps between two uses of the files.
#[derive(Default)]
struct Held {
    index: Option<Index>,
    /// The last line as this process wrote it, with the length of its file then.
    last: Option<(u64, Link)>,
    /// The last lines of receipts that this process began and has not closed.
    own: HashMap<String, Link>,
    presence: Option<Presence>,
}

/// What is said of a file whose ledger has no lines any more.
pub const MOVED: &str = "is here, and the lines of its ledger are not: they were moved or deleted";
const LOCK: &str = "ledger.lock";
/// What is read from every line since the question is written behind them too.
const OF_A_YES: [&str; 4] = ["answered", "spent", "open", "concluded"];
const INDEX: &str = "ledger.index";
const KEY: &str = "seal.key";

impl Journal {
    pub(super) fn new(dir: &Path) -> Self {
        let (dir, process) = (dir.to_owned(), crate::random::id());
        Self { dir, process, held: Mutex::default(), names: OnceLock::new() }
    }

    /// Learns which names are of one tenant.
    pub(super) fn know(&self, names: Names) {
        let _ = self.names.set(names);
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(CURRENT)
    }

    /// Whether there is a line, or was one.
    pub(super) fn is_begun(&self) -> io::Result<bool> {
        Ok(!segment::segments(&self.dir)?.is_empty() || !self.traces()?.is_empty())
    }

    /// What shows that there were lines here, where there are none.
    fn traces(&self) -> io::Result<Vec<String>> {
        segment::traces(&self.dir, &[INDEX, head::NAME])
    }

    /// The key kept beside the ledger, made by whoever is first.
    pub(super) fn own_key(&self) -> io::Result<String> {
        let path = self.dir.join(KEY);
        let _lock = match self.lock() {
            // Who can write nothing here can still read.
            Err(error) if is_unwritable(&error) && path.is_file() => None,
            lock => Some(lock?),
        };
        let kept = crate::owner_only::read(&path).and_then(|bytes| crate::input::whole(&bytes));
        let is_absent = match &kept {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            // Whoever was to write it died, or had no room.
            Ok(key) => key.trim().is_empty(),
        };
        if !is_absent {
            return kept;
        }
        if self.is_begun()? {
            return Err(io::Error::other(format!(
                "there are lines, and the key that sealed them is not given: set \
                 GRANTOR_LEDGER_KEY as before, or put {KEY} back; where the key is lost, \
                 `grantor ledger accept` begins a new ledger"
            )));
        }
        if kept.is_ok() {
            std::fs::remove_file(&path)?;
        }
        let key = format!("{}{}\n", crate::random::id(), crate::random::id());
        crate::owner_only::create_new(&path, key.as_bytes())?;
        Ok(key)
    }

    /// Whether lines can be written where the ledger is.
    pub(super) fn try_writing(&self) -> Result<(), String> {
        super::room::try_out(&self.dir, &[LOCK, INDEX])
    }

    /// What is to be said of the room there is for lines, where it is little.
    pub(super) fn scarce(&self) -> Option<String> {
        super::room::scarce(&self.dir)
    }

    /// Moves every file of the ledger out of the way. The key beside it stays as well where this
    /// process seals with it.
    pub(super) fn set_aside(&self, key_stays: bool) -> io::Result<SetAside> {
        let mut held = self.held();
        let _lock = self.lock()?;
        let presence = held.presence.take();
        *held = Held { presence, ..Held::default() };
        let (wal, shm) = (&*format!("{INDEX}-wal"), &*format!("{INDEX}-shm"));
        let stays = key_stays.then_some(KEY);
        aside::put(&self.dir, &[INDEX, wal, shm, head::NAME, KEY], stays)
    }

    /// Adds a line, unless something in the ledger stands against it.
    pub(super) fn append(
        &self,
        keys: &Keys,
        entry: Entry,
        unless: Option<&Unless>,
    ) -> io::Result<Result<(), Objection>> {
        let mut held = self.held();
        let lock = self.lock()?;
        if let Some(unless) = unless
            && let Err(objection) =
                self.reading(&mut held, keys, |reading| reading.check(unless))?
        {
            return Ok(Err(objection));
        }
        if held.presence.is_none() {
            held.presence = Some(Presence::claim(&self.dir, &self.process)?);
        }
        if held.last.is_none() {
            self.can_go_on(keys)?;
        }
        if held.last.is_none() {
            self.goes_on()?;
        }
        segment::close_former(&self.dir)?;
        let (mut file, length) = self.open_for_adding()?;
        let Tail { mut link, length, found } = self.tail(&held, keys, &mut file, length)?;
        let mut text = String::new();
        let is_broken = !found.is_empty();
        if is_broken {
            let content =
                json!({ "found": found.iter().map(Trouble::recorded).collect::<Vec<_>>() });
            let report = Entry::first(
                BROKEN,
                &crate::control::ledger::new_receipt(),
                content,
                &entry.requester,
            );
            text = keys.line(self.content(&report), &link, &Link::start())?;
            link = Link::of(text.trim_end()).unwrap_or(link);
        }
        let own = self.own(&mut held, keys, &entry, length)?;
        let line = keys.line(self.content(&entry), &link, &own)?;
        text.push_str(&line);
        file.write_all(text.as_bytes())?;
        let line = line.trim_end();
        let link = Link::of(line).unwrap_or(link);
        if entry.flush || is_broken {
            head::write(&self.dir, keys, &link)?;
        }
        if entry.event == "close" {
            held.own.remove(&entry.receipt);
        } else if let Some(place) = LinePosition::of(line) {
            held.own.insert(entry.receipt.clone(), place.own_link(line, &own));
        }
        held.last = Some((length + text.len() as u64, link.clone()));
        if entry.gives() {
            // Nobody takes the yes before it is known to be kept.
            if let Err(error) = file.sync_data() {
                let own =
                    LinePosition::of(line).map_or(own.clone(), |place| place.own_link(line, &own));
                held.last = None;
                let back = self.take_back(keys, &mut file, &entry, [&link, &own]);
                return back.and(Err(error));
            }
        }
        drop((lock, held));
        // Others may write meanwhile: the order is settled.
        if entry.flush && !entry.gives() {
            file.sync_data()?;
        }
        Ok(Ok(()))
    }

    /// The last line of the receipt that a line is for.
    fn own(&self, held: &mut Held, keys: &Keys, entry: &Entry, length: u64) -> io::Result<Link> {
        if entry.begins {
            return Ok(Link::start());
        }
        let alone = held.last.as_ref().is_some_and(|(known, _)| *known == length);
        if alone && let Some(own) = held.own.get(&entry.receipt) {
            return Ok(own.clone());
        }
        self.reading(held, keys, |reading| {
            let Reading { index, segments, head, .. } = reading;
            if OF_A_YES.contains(&entry.event) {
                return index.last_of(segments, keys, head, &entry.receipt);
            }
            Ok(index.told(segments, keys, &entry.receipt)?.last)
        })
    }

    /// Looks something up in the ledger as it is now; again, where the index turned out to say something
    /// else than the lines.
    pub(super) fn read<T>(
        &self,
        keys: &Keys,
        look: impl Fn(&Reading<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut held = self.held();
        match self.looked(&mut held, keys, &look)? {
            (found, true) => Ok(found),
            (_, false) => self.reading(&mut held, keys, &look),
        }
    }

    /// Gives every line, oldest first, as long as `take` wants more.
    pub(super) fn walk(&self, mut take: impl FnMut(&str) -> io::Result<bool>) -> io::Result<()> {
        for segment in segment::segments(&self.dir)? {
            let mut more = true;
            let file = BufReader::new(segment.open()?);
            segment::each_line(file, |_, line| {
                more = take(line)?;
                Ok(more)
            })?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// The ends and the open changes that the index knows, once it says what the lines say.
    pub(super) fn checked<T>(
        &self,
        keys: &Keys,
        look: impl Fn(&Reading<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut held = self.held();
        let holds = self.reading(&mut held, keys, |reading| reading.index.standing_holds(keys))?;
        if !holds {
            tracing::warn!("the index of the ledger was changed, and is made anew");
            self.drop_index(&mut held);
        }
        drop(held);
        self.read(keys, look)
    }

    /// Makes the index anew from the lines.
    pub(super) fn reindex(&self, keys: &Keys) -> io::Result<()> {
        self.drop_index(&mut self.held());
        self.read(keys, |_| Ok(()))
    }

    fn drop_index(&self, held: &mut Held) {
        held.index = None;
        Index::remove(&self.dir.join(INDEX));
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to add lines, for one process at a time, until it is dropped.
    fn lock(&self) -> io::Result<File> {
        let path = self.dir.join(LOCK);
        let lock = match crate::owner_only::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                crate::owner_only::directory(&self.dir)?;
                crate::owner_only::open(&path)?
            }
            lock => lock?,
        };
        lock.lock().map(|()| lock)
    }

    /// The files. Whoever has no keys looked before there was a line, whatever came since.
    fn segments(&self, keys: &Keys) -> io::Result<Vec<Segment>> {
        if keys.is_none() { Ok(Vec::new()) } else { segment::segments(&self.dir) }
    }

    fn reading<T>(
        &self,
        held: &mut Held,
        keys: &Keys,
        look: impl FnOnce(&Reading<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.looked(held, keys, look).map(|(found, _)| found)
    }

    /// Looks at the ledger as far as it reaches now; and whether its index said what the lines say.
    fn looked<T>(
        &self,
        held: &mut Held,
        keys: &Keys,
        look: impl FnOnce(&Reading<'_>) -> io::Result<T>,
    ) -> io::Result<(T, bool)> {
        let segments = &self.segments(keys)?;
        let head = &if keys.is_none() { Kept::Missing } else { head::read(&self.dir, keys)? };
        if segments.is_empty() {
            // What nobody has written yet needs no file either.
            let found = look(&Reading { index: &Index::in_memory(keys)?, segments, keys, head })?;
            return Ok((found, true));
        }
        let path = self.dir.join(INDEX);
        let index = match held.index.take() {
            Some(index) => index,
            None => Index::open(&path, keys)?,
        };
        let index = match caught_up(index, segments, keys) {
            Ok(index) => index,
            Err(error) => {
                tracing::warn!(%error, "the index of the ledger is made anew");
                Index::remove(&path);
                let anew =
                    Index::open(&path, keys).and_then(|anew| caught_up(anew, segments, keys));
                match anew {
                    Ok(index) => index,
                    // Where nothing can be written, on a full disk too, the lines can still be read.
                    Err(_) => caught_up(Index::in_memory(keys)?, segments, keys)?,
                }
            }
        };
        let index = held.index.insert(index.knowing(self.names.get()));
        let looked = look(&Reading { index, segments, keys, head });
        let fits = !index.is_suspect();
        if !fits {
            tracing::warn!("the index of the ledger names other lines, and is made anew");
            self.drop_index(held);
        }
        Ok((looked?, fits))
    }

    /// The file that lines go to, and its length.
    fn open_for_adding(&self) -> io::Result<(File, u64)> {
        let path = self.path();
        let mut file = crate::owner_only::append(&path)?;
        let mut length = file.metadata()?.len();
        if length >= FULL
            && let Some(first) = segment::first_number(&mut file)?
        {
            std::fs::rename(&path, segment::full_name(&self.dir, first))?;
            file = crate::owner_only::append(&path)?;
            length = 0;
        }
        if length == 0 {
            // The name of the file, too, has to survive.
            File::open(&self.dir)?.sync_all()?;
        }
        Ok((file, length))
    }

    fn content(&self, entry: &Entry) -> Value {
        self.content_at(entry, crate::clock::now())
    }

    fn content_at(&self, entry: &Entry, now: Timestamp) -> Value {
        let mut content = json!({
            "event": entry.event,
            "receipt": entry.receipt,
            "time": now.to_string(),
            "requester": entry.requester.name(),
            "process": self.process,
        });
        crate::json::extend(&mut content, entry.content.clone());
        content
    }
}

/// Whether an error says that nothing can be written here.
pub(super) fn is_unwritable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn caught_up(mut index: Index, segments: &[Segment], keys: &Keys) -> io::Result<Index> {
    index.catch_up(segments, keys)?;
    Ok(index)
}
