//! What holds the lines together: each has the hash of the one before it, and a seal under a key.
//!
//! A line is a JSON object whose last members are `format`, `receipt_seq`, `receipt_prev`, `seq`,
//! `prev`, `key` and `seal`. The seal is over the line's own bytes before it, so that nobody has to
//! agree on how JSON is written. The lines of one receipt hang together by themselves as well:
//! `receipt_seq` counts them, and `receipt_prev` is the hash of the one before.

use std::io;

use aws_lc_rs::{constant_time, digest, hmac};
use serde::Deserialize;
use serde_json::Value;

use crate::text::hex;

/// The keys of a ledger: the first one seals, the others still open what they sealed.
pub(super) struct Keys {
    all: Vec<Key>,
    /// The chain of a database whose lines they seal: one that was copied from another holds no seal here.
    chain: Option<String>,
}

struct Key {
    id: String,
    key: hmac::Key,
}

/// A line's place in the chain, and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub seq: u64,
    pub hash: String,
}

/// What the head says that is kept beside the lines: the last line that had to be on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Missing,
    /// It is no head under the keys that are given.
    Wrong,
    At(Link),
}

/// What a line says of its place, whoever wrote it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LinePosition {
    pub seq: u64,
    pub prev: String,
    /// Which key sealed it.
    pub key: String,
    /// The first release wrote none.
    #[serde(default = "first_format")]
    pub format: u64,
    /// The chain of a database that it was written to.
    #[serde(default)]
    pub chain: Option<String>,
    #[serde(default)]
    pub receipt: Option<String>,
    /// Its number among the lines of its receipt, from 1.
    #[serde(default)]
    pub receipt_seq: Option<u64>,
    #[serde(default)]
    pub receipt_prev: Option<String>,
}

/// The format of the lines that are written here; those of the first release have format 1.
pub(super) const FORMAT: u64 = 2;
/// The database that finds lines counts in signed numbers, and no ledger comes near.
const LAST: u64 = i64::MAX as u64;

fn first_format() -> u64 {
    1
}

/// Why a line is not taken for one of the ledger's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsealed {
    /// It says no place that there can be.
    PutIn,
    Unreadable,
    UnknownKey(String),
    Forged,
}

/// A short key can be found by trying.
const SHORTEST: usize = 32;
const SEAL: &str = ",\"seal\":\"";
const LINE: &str = "ledger line";
const KEY_ID: &str = "key id";

impl Keys {
    /// One key a line.
    ///
    /// # Errors
    /// There is none, or one is too short to keep anybody out.
    pub(super) fn parse(text: &str) -> io::Result<Self> {
        let keys: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if keys.is_empty() || keys.iter().any(|key| key.len() < SHORTEST) {
            return Err(io::Error::other(format!(
                "a ledger key has at least {SHORTEST} characters; `openssl rand -hex 32` makes one"
            )));
        }
        let key = |text: &&str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
            let id = hex(mac(&key, KEY_ID, b"").as_ref()).chars().take(8).collect();
            Key { id, key }
        };
        Ok(Self { all: keys.iter().map(key).collect(), chain: None })
    }

    /// Those of a ledger that nobody has written to.
    pub(super) fn none() -> Self {
        Self { all: Vec::new(), chain: None }
    }

    /// The same for the lines of this chain alone, and for those that say none: they were taken over.
    pub(super) fn of_chain(self, chain: Option<String>) -> Self {
        Self { chain, ..self }
    }

    pub(super) fn is_none(&self) -> bool {
        self.all.is_empty()
    }

    /// What tells these keys from others.
    pub(super) fn ids(&self) -> String {
        self.all.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A seal for something other than a line.
    pub(super) fn seal(&self, purpose: &str, bytes: &[u8]) -> io::Result<[u8; 32]> {
        mac(&self.sealing()?.key, purpose, bytes).as_ref().try_into().map_err(io::Error::other)
    }

    /// The seal for the same thing under each of the keys.
    pub(super) fn seals(&self, purpose: &str, bytes: &[u8]) -> Vec<[u8; 32]> {
        let seal = |key: &Key| mac(&key.key, purpose, bytes).as_ref().try_into().ok();
        self.all.iter().filter_map(seal).collect()
    }

    /// A line after `last`, with its end; `own` is the last line of its receipt.
    pub(super) fn line(&self, mut content: Value, last: &Link, own: &Link) -> io::Result<String> {
        let key = self.sealing()?;
        if let Some(chain) = &self.chain {
            crate::json::put(&mut content, "chain", chain.as_str());
        }
        crate::json::put(&mut content, "format", FORMAT);
        crate::json::put(&mut content, "receipt_seq", own.seq + 1);
        crate::json::put(&mut content, "receipt_prev", own.hash.as_str());
        crate::json::put(&mut content, "seq", last.seq + 1);
        crate::json::put(&mut content, "prev", last.hash.as_str());
        crate::json::put(&mut content, "key", key.id.as_str());
        let mut line = content.to_string();
        line.pop();
        let seal = hex(mac(&key.key, LINE, line.as_bytes()).as_ref());
        line.push_str(SEAL);
        line.push_str(&seal);
        line.push_str("\"}\n");
        Ok(line)
    }

    /// Whether one of these keys sealed the line, given without its end.
    pub(super) fn check(&self, line: &str) -> Result<(), Unsealed> {
        let place = LinePosition::of(line).ok_or(Unsealed::Unreadable)?;
        if place.chain.is_some() && place.chain != self.chain {
            return Err(Unsealed::PutIn);
        }
        let (sealed, seal) = line.rsplit_once(SEAL).ok_or(Unsealed::Unreadable)?;
        let seal = seal.strip_suffix("\"}").ok_or(Unsealed::Unreadable)?;
        let key = self.all.iter().find(|key| key.id == place.key);
        let key = key.ok_or(Unsealed::UnknownKey(place.key))?;
        let made = hex(mac(&key.key, LINE, sealed.as_bytes()).as_ref());
        let same = constant_time::verify_slices_are_equal(made.as_bytes(), seal.as_bytes());
        same.map_err(|_| Unsealed::Forged)
    }

    fn sealing(&self) -> io::Result<&Key> {
        self.all.first().ok_or_else(|| io::Error::other("there is no key"))
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::start()
    }
}

impl Link {
    /// Before the first line.
    pub(super) fn start() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// Of a line, given without its end; none if it is not one of a ledger.
    pub(super) fn of(line: &str) -> Option<Self> {
        LinePosition::of(line).map(|place| place.link(line))
    }
}

impl LinePosition {
    /// What a line says of its place; none where it says none that there can be.
    pub(super) fn of(line: &str) -> Option<Self> {
        let place: Self = serde_json::from_str(line).ok()?;
        (1..LAST).contains(&place.seq).then_some(place)
    }

    pub(super) fn link(&self, line: &str) -> Link {
        Link { seq: self.seq, hash: hash(line) }
    }

    /// Whether it comes right after `last`.
    pub(super) fn follows(&self, last: &Link) -> bool {
        self.seq == last.seq + 1 && self.prev == last.hash
    }

    /// Whether it is the line of its receipt that comes right after `own`. The first release's
    /// lines say nothing of that, and count in the order of the file.
    pub(super) fn continues(&self, own: &Link) -> bool {
        match (self.receipt_seq, &self.receipt_prev) {
            (Some(seq), Some(prev)) => seq == own.seq + 1 && *prev == own.hash,
            (None, None) => self.format == 1,
            _ => false,
        }
    }

    /// The line as the last one of its receipt, after `own`.
    pub(super) fn own_link(&self, line: &str, own: &Link) -> Link {
        Link { seq: self.receipt_seq.unwrap_or(own.seq + 1), hash: hash(line) }
    }
}

/// The hash of a line, given without its end.
pub(super) fn hash(line: &str) -> String {
    hex(digest::digest(&digest::SHA256, line.as_bytes()).as_ref())
}

fn mac(key: &hmac::Key, purpose: &str, bytes: &[u8]) -> hmac::Tag {
    let mut seal = hmac::Context::with_key(key);
    seal.update(purpose.as_bytes());
    seal.update(&[0]);
    seal.update(bytes);
    seal.sign()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(text: &str) -> Keys {
        Keys::parse(text).unwrap()
    }

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_line_that_is_changed_anywhere_loses_its_seal() {
        let keys = keys(ONE);
        let content = json!({ "event": "open", "note": r#"he said ,"seal":"x"} "# });
        let line = keys.line(content, &Link::start(), &Link::start()).unwrap();
        let line = line.strip_suffix('\n').unwrap();
        assert_eq!(keys.check(line), Ok(()));
        for place in 0..line.len() {
            let mut changed = line.as_bytes().to_vec();
            changed[place] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(keys.check(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn an_earlier_key_still_opens_and_a_strange_one_does_not() {
        let line = keys(ONE).line(json!({}), &Link::start(), &Link::start()).unwrap();
        let line = line.trim_end();
        assert_eq!(keys(&format!("{TWO}\n{ONE}\n")).check(line), Ok(()));
        assert!(matches!(keys(TWO).check(line), Err(Unsealed::UnknownKey(_))));
    }

    #[test]
    fn a_line_of_another_chain_is_put_in_and_one_of_files_is_taken_over() {
        let of = |chain: Option<&str>| keys(ONE).of_chain(chain.map(str::to_owned));
        let line = |chain: Option<&str>| {
            let line = of(chain).line(json!({}), &Link::start(), &Link::start()).unwrap();
            line.trim_end().to_owned()
        };
        for (written, read, holds) in [
            (None, None, true),
            (None, Some("a"), true),
            (Some("a"), Some("a"), true),
            (Some("a"), Some("b"), false),
            (Some("a"), None, false),
        ] {
            assert_eq!(of(read).check(&line(written)).is_ok(), holds, "{written:?} {read:?}");
        }
    }

    #[test]
    fn a_key_that_could_be_guessed_is_not_taken() {
        for text in ["", "\n", "short", &format!("{ONE}\nshort")] {
            assert!(Keys::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_line_follows_the_one_before_it() {
        let keys = keys(ONE);
        let first = keys.line(json!({ "event": "a" }), &Link::start(), &Link::start()).unwrap();
        let link = Link::of(first.trim_end()).unwrap();
        let second = keys.line(json!({ "event": "b" }), &link, &Link::start()).unwrap();
        let place = LinePosition::of(second.trim_end()).unwrap();
        assert!(place.follows(&link) && !place.follows(&Link::start()));
    }

    #[test]
    fn the_lines_of_a_receipt_hang_together_by_themselves() {
        let keys = keys(ONE);
        let line = |last: &Link, own: &Link| {
            let line = keys.line(json!({ "receipt": "gr-a" }), last, own).unwrap();
            line.trim_end().to_owned()
        };
        let start = Link::start();
        let first = line(&start, &start);
        let own = LinePosition::of(&first).unwrap().own_link(&first, &start);
        let between = Link::of(&first).unwrap();
        let second = LinePosition::of(&line(&between, &own)).unwrap();
        assert!(second.continues(&own) && !second.continues(&start));
        // The same place, after another line.
        let other = Link { hash: "0".repeat(64), ..own };
        assert!(!second.continues(&other));
        let old = r#"{"receipt":"gr-a","seq":7,"prev":"","key":""}"#;
        assert!(
            LinePosition::of(old).unwrap().continues(&other),
            "the first release said nothing of it"
        );
        let half = r#"{"receipt":"gr-a","format":2,"seq":7,"prev":"","key":""}"#;
        assert!(!LinePosition::of(half).unwrap().continues(&start), "a line of today says it");
    }

    #[test]
    fn a_place_that_cannot_be_is_none() {
        for seq in ["0", "18446744073709551615", "9223372036854775807", "-1", "\"1\""] {
            let line = format!(r#"{{"seq":{seq},"prev":"","key":""}}"#);
            assert!(LinePosition::of(&line).is_none(), "{seq}");
        }
    }
}
