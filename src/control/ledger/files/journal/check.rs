//! Whether the ledger is whole, and what of it cannot be acted on.

use std::io::{self, BufReader};

use super::{INDEX, Journal, MOVED, Reading};
use crate::control::ledger::State;
use crate::control::ledger::Trouble;
use crate::control::ledger::audit::{Audit, Head};
use crate::control::ledger::chain::Keys;
use crate::control::ledger::files::index::Index;
use crate::control::ledger::files::segment;

impl Journal {
    /// Reads every line and checks what holds them together; gives each, and whether it holds its seal.
    pub(in crate::control::ledger) fn audit(
        &self,
        keys: &Keys,
        noted: Option<&Head>,
        mut take: impl FnMut(&str, bool) -> io::Result<()>,
    ) -> io::Result<Audit> {
        let mut audit = Audit::default();
        let segments = self.segments(keys)?;
        // They are none of the ledger: a folder that cannot be listed is no trouble of it.
        audit.passed_over = segment::passed_over(&self.dir, &segments).unwrap_or_default();
        for segment in segments {
            audit.begin(&segment.path);
            let file = BufReader::new(segment.open()?);
            segment::each_line(file, |_, line| {
                let holds = audit.line(line, keys, noted);
                take(line, holds).map(|()| true)
            })?;
        }
        self.audit_beside(&mut audit, keys)?;
        Ok(audit.end(noted))
    }

    /// What stands beside the lines: the head, the index, and what is left of other files.
    fn audit_beside(&self, audit: &mut Audit, keys: &Keys) -> io::Result<()> {
        // Where no line is under these keys, the lines say so themselves.
        for trouble in self.beside(keys).unwrap_or_default() {
            audit.beside(trouble);
        }
        if keys.is_none() || !self.dir.join(INDEX).exists() {
            return Ok(());
        }
        let segments = self.segments(keys)?;
        if segments.is_empty() {
            return Ok(());
        }
        let made = Index::anew(&segments, keys)?;
        let (same, lost) = self.read(keys, |reading| {
            Ok((reading.index.is_as(&made)?, reading.index.lost(reading.segments)?))
        })?;
        lost.into_iter().for_each(|found| audit.beside(found));
        if !same {
            Index::remove(&self.dir.join(INDEX));
            self.held().index = None;
            audit
                .beside(Trouble::of_file(INDEX, "did not say what the lines say; it is made anew"));
        }
        Ok(())
    }

    /// What cannot be acted on, and was not accepted.
    pub(in crate::control::ledger) fn troubles(&self, keys: &Keys) -> io::Result<Vec<Trouble>> {
        let mut troubles = self.beside(keys)?;
        troubles.extend(self.ended()?);
        let segments = self.segments(keys)?;
        let Some(last) = segments.last() else { return Ok(troubles) };
        // What was read before may have been changed since: the newest file is read again.
        let mut audit = if segments.len() > 1 { Audit::part() } else { Audit::default() };
        audit.begin(&last.path);
        segment::each_line(BufReader::new(last.open()?), |_, line| {
            audit.line(line, keys, None);
            Ok(true)
        })?;
        troubles.extend(audit.end(None).troubles());
        let known = self.checked(keys, |reading| {
            let known = reading.index.troubles(reading.segments)?;
            let is_new = |found: &Trouble| troubles.iter().all(|other| other.hash != found.hash);
            let mut known: Vec<_> = known.into_iter().filter(is_new).collect();
            for (receipt, what) in reading.index.damaged(reading.segments, keys)? {
                let hash = String::new();
                known.push(Trouble { place: receipt, what, hash });
            }
            known.extend(broken_request(reading)?);
            Ok(known)
        })?;
        troubles.extend(known);
        Ok(troubles)
    }

    /// What is missing, as the files beside the lines show it.
    fn beside(&self, keys: &Keys) -> io::Result<Vec<Trouble>> {
        let segments = segment::segments(&self.dir)?;
        if segments.is_empty() {
            let traces = self.traces()?;
            return Ok(traces.iter().map(|name| Trouble::of_file(name, MOVED)).collect());
        }
        if keys.is_none() {
            return Ok(Vec::new());
        }
        self.tail_of(keys, &segments).map(|(_, found)| found)
    }
}

/// The oldest request that somebody may still act on and that nothing known has broken, where the
/// lines since its question do not hold: an older file is read whole by nobody else.
fn broken_request(reading: &Reading<'_>) -> io::Result<Option<Trouble>> {
    for receipt in reading.index.live_requests(crate::clock::now())? {
        if reading.index.is_before_trouble(&receipt)? {
            continue;
        }
        let request = reading.traced(&receipt)?;
        let holds = request.is_some_and(|request| request.state != State::Broken);
        let what =
            "a line since this request was asked was changed or is missing: it is not acted \
            on, nor is any after it"
                .to_owned();
        return Ok((!holds).then(|| Trouble { place: receipt, what, hash: String::new() }));
    }
    Ok(None)
}

impl Reading<'_> {
    /// Why the lines of a receipt are not to be relied on, whether they tell a change or not.
    pub(in crate::control::ledger) fn damage(&self, receipt: &str) -> io::Result<Option<String>> {
        Ok(self.index.told(self.segments, self.keys, receipt)?.damage)
    }
}
