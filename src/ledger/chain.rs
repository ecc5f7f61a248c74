//! What holds the lines together: each has the hash of the one before it, and a seal under a key.
//!
//! A line is a JSON object whose last members are `prev`, `key` and `seal`. The seal is over the
//! line's own bytes before it, so that nobody has to agree on how JSON is written.

use std::io;

use aws_lc_rs::{constant_time, digest, hmac};
use serde::Deserialize;
use serde_json::Value;

use crate::text::hex;

/// The keys of a ledger: the first one seals, the others still open what they sealed.
pub(super) struct Keys(Vec<Key>);

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

/// What a line says of its place, whoever wrote it.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    pub seq: u64,
    pub prev: String,
    /// Which key sealed it.
    pub key: String,
}

/// Why a line is not taken for one of the ledger's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsealed {
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
        Ok(Self(keys.iter().map(key).collect()))
    }

    /// Those of a ledger that nobody has written to.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// What tells these keys from others.
    pub(super) fn ids(&self) -> String {
        self.0.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A seal for something other than a line.
    pub(super) fn seal(&self, purpose: &str, bytes: &[u8]) -> io::Result<[u8; 32]> {
        mac(&self.sealing()?.key, purpose, bytes).as_ref().try_into().map_err(io::Error::other)
    }

    /// A line after `last`, with its end.
    pub(super) fn line(&self, mut content: Value, last: &Link) -> io::Result<String> {
        let key = self.sealing()?;
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
        let place = Place::of(line).ok_or(Unsealed::Unreadable)?;
        let (sealed, seal) = line.rsplit_once(SEAL).ok_or(Unsealed::Unreadable)?;
        let seal = seal.strip_suffix("\"}").ok_or(Unsealed::Unreadable)?;
        let key = self.0.iter().find(|key| key.id == place.key);
        let key = key.ok_or(Unsealed::UnknownKey(place.key))?;
        let made = hex(mac(&key.key, LINE, sealed.as_bytes()).as_ref());
        let same = constant_time::verify_slices_are_equal(made.as_bytes(), seal.as_bytes());
        same.map_err(|_| Unsealed::Forged)
    }

    fn sealing(&self) -> io::Result<&Key> {
        self.0.first().ok_or_else(|| io::Error::other("there is no key"))
    }
}

impl Link {
    /// Before the first line.
    pub(super) fn start() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// Of a line, given without its end; none if it is not one of a ledger.
    pub(super) fn of(line: &str) -> Option<Self> {
        Place::of(line).map(|place| place.link(line))
    }
}

impl Place {
    pub(super) fn of(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    pub(super) fn link(&self, line: &str) -> Link {
        let hash = hex(digest::digest(&digest::SHA256, line.as_bytes()).as_ref());
        Link { seq: self.seq, hash }
    }

    /// Whether it comes right after `last`.
    pub(super) fn follows(&self, last: &Link) -> bool {
        self.seq == last.seq + 1 && self.prev == last.hash
    }
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
        let line = keys.line(content, &Link::start()).unwrap();
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
        let line = keys(ONE).line(json!({}), &Link::start()).unwrap();
        let line = line.trim_end();
        assert_eq!(keys(&format!("{TWO}\n{ONE}\n")).check(line), Ok(()));
        assert!(matches!(keys(TWO).check(line), Err(Unsealed::UnknownKey(_))));
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
        let first = keys.line(json!({ "event": "a" }), &Link::start()).unwrap();
        let link = Link::of(first.trim_end()).unwrap();
        let second = keys.line(json!({ "event": "b" }), &link).unwrap();
        let place = Place::of(second.trim_end()).unwrap();
        assert!(place.follows(&link) && !place.follows(&Link::start()));
    }
}
