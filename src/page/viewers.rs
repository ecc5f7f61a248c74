//! Who looks at a request just now, so that two people do not work on one without knowing. In memory, of this
//! process alone, where no other has the same ledger; it decides nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub(super) struct Viewers(Mutex<HashMap<String, Vec<(String, i64)>>>);

/// How long somebody is taken to look at what they were shown, in seconds.
pub(super) const LOOKS: i64 = 2 * 60;
/// More requests than are looked at at a time.
const MOST: usize = 1_000;

impl Viewers {
    /// The others who look at it; from now on `who` does as well.
    pub(super) fn with(&self, receipt: &str, who: &str, now: i64) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for looking in all.values_mut() {
            looking.retain(|(_, at)| now < at + LOOKS);
        }
        all.retain(|_, looking| !looking.is_empty());
        if all.len() >= MOST && !all.contains_key(receipt) {
            return Vec::new();
        }
        let looking = all.entry(receipt.to_owned()).or_default();
        looking.retain(|(name, _)| name != who);
        let others = looking.iter().map(|(name, _)| name.clone()).collect();
        looking.push((who.to_owned(), now));
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looked_a_moment_ago_looks() {
        let viewers = Viewers::default();
        assert!(viewers.with("gr-1", "ada", 0).is_empty());
        assert_eq!(viewers.with("gr-1", "bo", 1), ["ada"]);
        assert_eq!(viewers.with("gr-1", "ada", LOOKS), ["bo"]);
        assert!(viewers.with("gr-2", "ada", 1).is_empty());
        assert!(viewers.with("gr-1", "cy", 2 * LOOKS).is_empty());
    }
}
