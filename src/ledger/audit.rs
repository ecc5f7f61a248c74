//! Whether the ledger is whole: every line read, and what holds them together checked.

use std::path::Path;

use super::chain::{Keys, Link, Place, Unsealed};

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
    last: Option<Link>,
    /// Lines that cannot be read, until the next one says whether something was built on them.
    unreadable: Vec<Break>,
    file: String,
    number: usize,
    noted_seen: bool,
}

/// Where and how the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub file: String,
    pub line: usize,
    pub what: String,
}

/// A line of the ledger, by its number and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: String,
}

const MOST: usize = 100;

impl Audit {
    /// Whether nothing was found to be wrong.
    pub fn is_whole(&self) -> bool {
        self.breaks.is_empty()
    }

    pub(super) fn begin(&mut self, path: &Path) {
        self.files += 1;
        self.number = 0;
        self.file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }

    pub(super) fn line(&mut self, line: &str, keys: &Keys, noted: Option<&Head>) {
        self.number += 1;
        self.lines += 1;
        let Some(place) = Place::of(line) else {
            self.unreadable.push(self.at("cannot be read".to_owned()));
            return;
        };
        let follows = match &self.last {
            Some(last) => place.follows(last),
            None => place.seq > 1 || place.follows(&Link::start()),
        };
        let unreadable = std::mem::take(&mut self.unreadable);
        if follows {
            self.torn += unreadable.len();
        } else {
            unreadable.into_iter().for_each(|found| self.found(found));
            let what = self.gap(&place);
            self.wrong(what);
        }
        match keys.check(line) {
            Ok(()) => {}
            Err(Unsealed::UnknownKey(key)) => {
                self.wrong(format!("is sealed under key {key}, which is not among those given"));
            }
            Err(Unsealed::Unreadable) => self.wrong("has no seal".to_owned()),
            Err(Unsealed::Forged) => {
                self.wrong("was changed, or written without the key: its seal is wrong".to_owned());
            }
        }
        self.first.get_or_insert(place.seq);
        let link = place.link(line);
        if noted.is_some_and(|noted| noted.seq == link.seq) {
            self.noted_seen = true;
            if noted.is_some_and(|noted| noted.hash != link.hash) {
                self.wrong("is not the line that was noted as the head".to_owned());
            }
        }
        self.last = Some(link);
    }

    pub(super) fn end(mut self, noted: Option<&Head>) -> Self {
        // The last lines, half written: nothing could be built on them yet.
        self.torn += std::mem::take(&mut self.unreadable).len();
        self.head = self.last.take().map(|Link { seq, hash }| Head { seq, hash });
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
            self.wrong(what);
        }
        self
    }

    fn gap(&self, place: &Place) -> String {
        let last = self.last.as_ref().map_or(0, |last| last.seq);
        match place.seq {
            seq if seq > last + 1 => format!("is number {seq} after {last}: lines are missing"),
            seq if seq <= last => format!("is number {seq} after {last}: it was put in or moved"),
            _ => {
                "does not follow the line before it: that one was changed, or this one put in its \
                  place"
                    .to_owned()
            }
        }
    }

    fn wrong(&mut self, what: String) {
        self.found(self.at(what));
    }

    fn found(&mut self, found: Break) {
        if self.breaks.len() < MOST {
            self.breaks.push(found);
        } else {
            self.more += 1;
        }
    }

    fn at(&self, what: String) -> Break {
        Break { file: self.file.clone(), line: self.number, what }
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
