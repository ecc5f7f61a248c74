//! What a vendor has been shown to prove who asks, for as long as it may repeat it.
//!
//! An answer may repeat the proof of an earlier request: a token that has been renewed since, or what
//! was signed to get it. None of them is shown, whoever repeats which.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;

use crate::secret::{Sought, expose};

/// Proofs by the authority that they were sent to, the latest last.
#[derive(Default)]
pub(super) struct Shown(Mutex<BTreeMap<String, VecDeque<Sought>>>);

/// As many of one authority are kept. What is older has been spent by its use, or has expired.
const MOST: usize = 16;

impl Shown {
    /// Keeps what this authority is shown now, and gives it behind what it was shown before.
    pub(super) fn with(&self, authority: &str, now: &[SecretString]) -> Vec<Sought> {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = shown.entry(authority.to_owned()).or_default();
        let is = |known: &Sought, one: &SecretString| expose(known.secret()) == expose(one);
        let sought = |one: &SecretString| {
            let known = shown.iter().find(|known| is(known, one)).cloned();
            known.unwrap_or_else(|| Sought::of(one))
        };
        let latest: Vec<_> = now.iter().map(sought).collect();
        shown.retain(|known| !now.iter().any(|one| is(known, one)));
        shown.extend(latest);
        let over = shown.len().saturating_sub(MOST.max(now.len()));
        shown.drain(..over);
        shown.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_remembered_by_what_it_was_shown_last() {
        let shown = Shown::default();
        let with = |authority: &str, now: &[&str]| -> Vec<String> {
            let now: Vec<_> = now.iter().map(|one| SecretString::from(*one)).collect();
            shown.with(authority, &now).iter().map(|one| expose(one.secret()).to_owned()).collect()
        };
        assert_eq!(with("a", &["key", "one"]), ["key", "one"]);
        assert_eq!(with("a", &["key", "two"]), ["one", "key", "two"]);
        assert_eq!(with("b", &["key"]), ["key"], "another's are none of its business");
        for number in 0..40 {
            let known = with("a", &["key", &number.to_string()]);
            assert!(known.len() <= MOST && known.contains(&"key".to_owned()), "{known:?}");
        }
        let many: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(with("a", &many), many, "what is shown now is never left out");
    }
}
