//! Whether the ledger is whole: every line read, and what holds them together checked.

use std::path::Path;

use super::chain::{self, Keys, LinePosition, Link};
use super::follow::{Follow, Seen};
use super::{Trouble, meaning};

/// What reading every line showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub files: usize,
    pub lines: u64,
    /// The number of the first line that is here.
    pub first: Option<u64>,
    /// The last line: worth noting where nobody who can write the ledger can write.
    pub head: Option<Head>,
    /// Where the chain breaks, at most a hundred places.
    pub breaks: Vec<Break>,
    /// Breaks beyond those.
    pub more: usize,
    /// Lines that were cut off while they were written, and that nothing was built on.
    pub torn: usize,
    follow: Follow,
    /// Lines that cannot be read, until the next one says whether something was built on them.
    unreadable: Vec<Break>,
    file: String,
    number: usize,
    noted_seen: bool,
    /// How many breaks were accepted.
    pub known: usize,
    /// Files that lie beside the ledger's, look like them, and were not read.
    pub passed_over: Vec<String>,
}

/// Where and how the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub file: String,
    pub line: usize,
    pub what: String,
    /// Of the line.
    pub hash: String,
}

/// A line of the ledger, by its number and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: String,
}

const MOST: usize = 100;

impl Audit {
    /// Of lines that begin in the middle of a ledger.
    pub(super) fn part() -> Self {
        Self { follow: Follow::part(), ..Self::default() }
    }

    /// Whether nothing was found to be wrong.
    pub fn is_whole(&self) -> bool {
        self.breaks.is_empty()
    }

    /// The same as what cannot be acted on.
    pub fn troubles(&self) -> Vec<Trouble> {
        let place = |found: &Break| match found.line {
            0 => found.file.clone(),
            line => format!("{}:{line}", found.file),
        };
        let trouble = |found: &Break| {
            let Break { what, hash, .. } = found.clone();
            Trouble { place: place(found), what, hash }
        };
        self.breaks.iter().map(trouble).collect()
    }

    pub(super) fn begin(&mut self, path: &Path) {
        self.files += 1;
        self.number = 0;
        self.file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }

    /// Whether the line holds its seal.
    pub(super) fn line(&mut self, line: &str, keys: &Keys, noted: Option<&Head>) -> bool {
        self.number += 1;
        self.lines += 1;
        let place = match self.follow.take(line, keys) {
            Seen::Unreadable => {
                self.unreadable.push(self.at(line, "cannot be read".to_owned()));
                return false;
            }
            Seen::Unsealed(place, why) => {
                self.found(self.at(line, why.words()));
                self.first = self.first.or(place.map(|place| place.seq));
                return false;
            }
            Seen::Sealed(place, follows) => {
                let unreadable = std::mem::take(&mut self.unreadable);
                match follows {
                    Ok(()) => self.torn += unreadable.len(),
                    Err(gap) => {
                        unreadable.into_iter().for_each(|found| self.found(found));
                        self.found(self.at(line, gap.words()));
                    }
                }
                place
            }
        };
        self.first.get_or_insert(place.seq);
        self.read(line, &place, noted);
        true
    }

    /// What a line that holds its seal says.
    fn read(&mut self, line: &str, place: &LinePosition, noted: Option<&Head>) {
        match meaning::understood(line) {
            Ok(line) => {
                let accepted = meaning::accepts(&line);
                let before = self.breaks.len();
                self.breaks.retain(|found| !accepted.contains(&found.hash));
                self.known += before - self.breaks.len();
                for Trouble { what, hash, .. } in meaning::reported(&line) {
                    let found = self.at("", what);
                    self.found(Break { hash, ..found });
                }
            }
            Err(what) => self.found(self.at(line, what)),
        }
        let link = place.link(line);
        if noted.is_some_and(|noted| noted.seq == link.seq) {
            self.noted_seen = true;
            if noted.is_some_and(|noted| noted.hash != link.hash) {
                self.found(self.at(line, "is not the line that was noted as the head".to_owned()));
            }
        }
    }

    /// A break that is none of a line that is here.
    pub(super) fn beside(&mut self, trouble: Trouble) {
        let Trouble { place, what, hash } = trouble;
        self.found(Break { file: place, line: 0, what, hash });
    }

    pub(super) fn end(mut self, noted: Option<&Head>) -> Self {
        // The last lines, half written: nothing could be built on them yet.
        self.torn += std::mem::take(&mut self.unreadable).len();
        self.head = self.follow.last.take().map(|Link { seq, hash }| Head { seq, hash });
        if let Some(noted) = noted.filter(|_| !self.noted_seen) {
            let end = self.head.as_ref().map_or(0, |head| head.seq);
            let what = if end < noted.seq {
                format!(
                    "the ledger ends at line {end}; line {} was its head: lines were cut off",
                    noted.seq
                )
            } else {
                format!("line {}, which was its head, is not here", noted.seq)
            };
            self.found(self.at("", what));
        }
        self
    }

    fn found(&mut self, found: Break) {
        if self.breaks.len() < MOST {
            self.breaks.push(found);
        } else {
            self.more += 1;
        }
    }

    fn at(&self, line: &str, what: String) -> Break {
        let hash = chain::hash(line);
        Break { file: self.file.clone(), line: self.number, what, hash }
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not NUMBER:HASH, as `grantor ledger verify` prints it");
        let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let seq = seq.parse().ok().filter(|_| is_hash).ok_or_else(wrong)?;
        Ok(Self { seq, hash: hash.to_ascii_lowercase() })
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}
