//! The end of the ledger: what the next line is put behind, and what is missing there.

use std::fs::File;
use std::io::{self, Write as _};

use super::{Held, Journal};
use crate::control::ledger::Trouble;
use crate::control::ledger::chain::{self, Kept, Keys, LinePosition, Link};
use crate::control::ledger::files::head;
use crate::control::ledger::files::segment::{self, Segment};

/// What the next line is put behind.
pub(super) struct Tail {
    /// The last line that holds its seal: nothing is built on any other.
    pub link: Link,
    pub length: u64,
    /// What stands after it, or is missing.
    pub found: Vec<Trouble>,
}

impl Journal {
    /// Makes sure that a line can be put behind what there is, before any file is touched.
    pub(super) fn can_go_on(&self, keys: &Keys) -> io::Result<()> {
        let segments = segment::segments(&self.dir)?;
        if !segments.is_empty() {
            // One line that holds is enough here: what is missing is looked for later.
            return last_lines(keys, &segments, &Kept::Missing).map(|_| ());
        }
        let traces = self.traces()?;
        if traces.is_empty() {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "there are traces of another ledger here ({}) and no lines of it: put its files back, or \
             accept that they are gone with `grantor ledger accept`",
            traces.join(", ")
        )))
    }

    /// What the next line is put behind. A line that has no end gets one: its writer died over it.
    pub(super) fn tail(
        &self,
        held: &Held,
        keys: &Keys,
        file: &mut File,
        length: u64,
    ) -> io::Result<Tail> {
        if let Some((known, link)) = &held.last
            && *known == length
        {
            return Ok(Tail { link: link.clone(), length, found: Vec::new() });
        }
        let segments = segment::segments(&self.dir)?;
        let torn = segment::is_torn(file)?;
        if torn {
            file.write_all(b"\n")?;
        }
        let length = length + u64::from(torn);
        let (last, found) = self.tail_of(keys, &segments)?;
        let Some(link) = last else {
            head::write(&self.dir, keys, &Link::start())?;
            return Ok(Tail { link: Link::start(), length, found });
        };
        if found.is_empty() && head::read(&self.dir, keys)? == Kept::Missing {
            // Before there is a line that needs one.
            head::write(&self.dir, keys, &link)?;
        }
        Ok(Tail { link, length, found })
    }

    /// The last line that holds its seal, what stands after it, and what the head shows to be
    /// missing.
    pub(super) fn tail_of(
        &self,
        keys: &Keys,
        segments: &[Segment],
    ) -> io::Result<(Option<Link>, Vec<Trouble>)> {
        last_lines(keys, segments, &head::read(&self.dir, keys)?)
    }
}

/// The same, with what the head says.
fn last_lines(
    keys: &Keys,
    segments: &[Segment],
    kept: &Kept,
) -> io::Result<(Option<Link>, Vec<Trouble>)> {
    let mut end = LastLines { keys, kept, last: None, found: Vec::new(), is_kept: None };
    for segment in segments.iter().rev() {
        let file = segment.path.file_name().unwrap_or_default().to_string_lossy();
        let mut more = true;
        segment::each_line_back(&mut segment.open()?, |line| {
            more = end.take(&file, line);
            more
        })?;
        if !more {
            break;
        }
    }
    end.done(!segments.is_empty())
}

/// Lines from the last one back, as far as is needed.
struct LastLines<'a> {
    keys: &'a Keys,
    kept: &'a Kept,
    /// The last line that holds its seal, and its format.
    last: Option<(Link, u64)>,
    found: Vec<Trouble>,
    /// Whether the line that the head names is here, once that is known.
    is_kept: Option<bool>,
}

impl LastLines<'_> {
    /// Takes the line before those taken; whether another is needed.
    fn take(&mut self, file: &str, line: &str) -> bool {
        let Some(place) = LinePosition::of(line) else { return true };
        if let Err(why) = self.keys.check(line) {
            if self.last.is_none() {
                let hash = chain::hash(line);
                self.found.push(Trouble { place: file.to_owned(), what: why.words(), hash });
            }
            return true;
        }
        let link = place.link(line);
        if let Kept::At(head) = self.kept
            && link.seq <= head.seq
        {
            self.is_kept.get_or_insert(link == *head);
        }
        self.last.get_or_insert((link, place.format));
        matches!(self.kept, Kept::At(head) if head.seq > 0 && self.is_kept.is_none())
    }

    fn done(mut self, is_begun: bool) -> io::Result<(Option<Link>, Vec<Trouble>)> {
        if is_begun && self.last.is_none() && !self.found.is_empty() {
            return Err(io::Error::other(
                "none of its lines is sealed under the key that is given: give the key that it was \
                 written with; where that is lost, `grantor ledger accept` begins a new ledger",
            ));
        }
        let missing = |seq: u64, hash: &str| Trouble {
            place: head::NAME.to_owned(),
            what: format!("names line {seq}, which is not here: the last lines were cut off"),
            hash: hash.to_owned(),
        };
        let is_new = self.last.as_ref().is_some_and(|(_, format)| *format > 1);
        match self.kept {
            Kept::At(head) if head.seq > 0 && self.is_kept != Some(true) => {
                self.found.push(missing(head.seq, &head.hash));
            }
            Kept::Wrong => {
                self.found.push(Trouble::of_file(head::NAME, "was changed: it holds no seal"));
            }
            Kept::Missing if is_new => {
                self.found.push(Trouble::of_file(head::NAME, "is gone: lines may be missing"));
            }
            Kept::At(_) | Kept::Missing => {}
        }
        Ok((self.last.map(|(link, _)| link), self.found))
    }
}
