//! A copy of lines that stand in a database, in the files of this machine: looked at as if it were the
//! ledger itself, and never ahead of it.

use std::io::{self, Write as _};

use jiff::Timestamp;

use super::Journal;
use crate::control::ledger::chain::{Keys, LinePosition, Link};
use crate::control::ledger::entry::Entry;
use crate::control::ledger::files::{head, segment};
use crate::control::ledger::meaning::ACCEPTED;
use crate::control::ledger::unless::{Objection, Unless};

impl Journal {
    /// The last line of the copy.
    pub(in crate::control::ledger) fn last_copied(&self) -> io::Result<Link> {
        for segment in segment::segments(&self.dir)?.iter().rev() {
            let mut last = None;
            segment::each_line_back(&mut segment.open()?, |line| {
                last = Link::of(line);
                last.is_none()
            })?;
            if let Some(last) = last {
                return Ok(last);
            }
        }
        Ok(Link::start())
    }

    /// Adds lines that came after those of the copy; what another process has added already is passed over.
    ///
    /// # Errors
    /// They do not go on where the copy ends, or it cannot be written.
    pub(in crate::control::ledger) fn copy(&self, keys: &Keys, lines: &[String]) -> io::Result<()> {
        let _lock = self.lock()?;
        let mut last = self.last_copied()?;
        for line in lines {
            let place =
                LinePosition::of(line).ok_or_else(|| broken("a line of it says no place"))?;
            if place.seq <= last.seq {
                continue;
            }
            if place.seq != last.seq + 1 {
                return Err(broken(&format!("line {} comes after {}", place.seq, last.seq)));
            }
            // Every copy is cut into files at the same lines.
            let (mut file, length) = self.open_for_adding()?;
            if segment::is_torn(&mut file)? {
                let whole = segment::whole_length(&mut file, length)?;
                file.set_len(whole)?;
            }
            file.write_all(format!("{line}\n").as_bytes())?;
            last = place.link(line);
        }
        head::write(&self.dir, keys, &last)
    }

    /// The line that an entry becomes behind the last one of the copy, unless what the copy has stands
    /// against it.
    pub(in crate::control::ledger) fn composed(
        &self,
        keys: &Keys,
        entry: &Entry,
        unless: Option<&Unless>,
        (last, now): (&Link, Timestamp),
    ) -> io::Result<Result<String, Objection>> {
        let mut held = self.held();
        if let Some(unless) = unless
            && let Err(objection) =
                self.reading(&mut held, keys, |reading| reading.check(unless))?
        {
            return Ok(Err(objection));
        }
        if entry.event != ACCEPTED {
            self.goes_on_under(keys)?;
        }
        let own = self.own(&mut held, keys, entry, u64::MAX)?;
        let line = keys.line(self.content_at(entry, now), last, &own)?;
        Ok(Ok(line.trim_end().to_owned()))
    }

    /// # Errors
    /// The last line does not hold its seal: nothing is built on it.
    pub(in crate::control::ledger) fn goes_on_under(&self, keys: &Keys) -> io::Result<()> {
        let segments = segment::segments(&self.dir)?;
        let Some(last) = segments.last() else { return Ok(()) };
        let mut holds = true;
        segment::each_line_back(&mut last.open()?, |line| {
            holds = keys.check(line).is_ok();
            false
        })?;
        if holds {
            return Ok(());
        }
        Err(io::Error::other(
            "its last line is not sealed under the key that is given: give the key that all others have, as \
             GRANTOR_LEDGER_KEY; where somebody changed the line, `grantor ledger verify` names it",
        ))
    }

    /// What the lines of this process are marked with.
    pub(in crate::control::ledger) fn process(&self) -> &str {
        &self.process
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!(
        "the database's lines do not follow one another ({what}): somebody wrote or removed lines there by hand; \
         a machine that has run longer has them in its copy"
    ))
}
