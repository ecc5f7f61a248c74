//! Tokens that were found to count a moment ago, so that not every request costs a signature. They are known by
//! their hash, and count for as long as they would have been found to: until they expire, their issuer's keys are
//! others, or those are too old.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::Bearer;

#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<Hash, Found>>);

pub(super) type Hash = [u8; 32];

#[derive(Clone)]
pub(super) struct Found {
    pub(super) bearer: Bearer,
    /// When it is too late for it, leeway included.
    pub(super) until: Timestamp,
    /// Whose it is, among the issuers, and by which of their keys it was checked.
    pub(super) issuer: usize,
    pub(super) keys: u64,
}

/// More than people work at a time; then what is known is forgotten.
const MOST: usize = 4_096;

pub(super) fn hash(token: &str) -> Option<Hash> {
    digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into().ok()
}

impl Seen {
    pub(super) fn find(&self, hash: &Hash, now: Timestamp) -> Option<Found> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(hash).filter(|found| now <= found.until).cloned()
    }

    pub(super) fn keep(&self, hash: Hash, found: Found, now: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.retain(|_, known| now <= known.until);
        }
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(hash, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Rights, ScopeNames};
    use crate::requester::Requester;

    #[test]
    fn a_token_is_known_until_it_is_too_old_and_few_are_remembered() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let bearer = Bearer {
            requester: Requester::named("ada"),
            rights: Rights { read: true, change: false },
            scopes: ScopeNames::default(),
        };
        let found = Found { bearer, until: at(100), issuer: 0, keys: 1 };
        let (seen, one) = (Seen::default(), hash("a.b.c").unwrap());
        seen.keep(one, found.clone(), at(0));
        assert!(seen.find(&one, at(100)).is_some() && seen.find(&one, at(101)).is_none());
        assert!(seen.find(&hash("a.b.d").unwrap(), at(0)).is_none());
        for number in 0..2 * MOST {
            seen.keep(hash(&number.to_string()).unwrap(), found.clone(), at(0));
        }
        assert!(seen.0.lock().unwrap().len() <= MOST);
    }
}
