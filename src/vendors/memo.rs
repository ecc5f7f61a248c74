//! Answers that were read a moment ago and need not be read again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::transport::Reply;

/// Replies by vendor and question, each for a while.
pub struct Memo {
    life: Duration,
    /// The answer to everything, where that is given.
    always: Option<Reply>,
    known: Mutex<HashMap<String, (Instant, Reply)>>,
}

/// A burst of calls asks for the same names again and again; more than these are not kept.
const MOST: usize = 64;
const LONGEST: usize = 64 * 1024;

impl Memo {
    pub fn lasting(life: Duration) -> Self {
        Self { life, always: None, known: Mutex::default() }
    }

    /// The same answer to every question, which is then asked nowhere: to try out what is made of it.
    pub fn answering(reply: Reply) -> Self {
        Self { always: Some(reply), ..Self::lasting(Duration::ZERO) }
    }

    /// Forgets everything: something has changed, or a name was not found.
    pub fn clear(&self) {
        if let Ok(mut known) = self.known.lock() {
            known.clear();
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Reply> {
        if let Some(reply) = &self.always {
            return Some(reply.clone());
        }
        let known = self.known.lock().ok()?;
        known.get(key).filter(|(at, _)| at.elapsed() < self.life).map(|(_, reply)| reply.clone())
    }

    pub(super) fn keep(&self, key: String, reply: &Reply) {
        let Ok(mut known) = self.known.lock() else { return };
        if known.len() >= MOST {
            known.retain(|_, (at, _)| at.elapsed() < self.life);
        }
        if known.len() < MOST && reply.body.len() <= LONGEST {
            known.insert(key, (Instant::now(), reply.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(size: usize) -> Reply {
        Reply { status: 200, body: vec![b' '; size], ..Reply::default() }
    }

    #[test]
    fn an_answer_is_kept_for_its_life_and_within_bounds() {
        let memo = Memo::lasting(Duration::from_secs(60));
        memo.keep("a".to_owned(), &reply(1));
        memo.keep("big".to_owned(), &reply(LONGEST + 1));
        assert!(memo.get("a").is_some() && memo.get("big").is_none() && memo.get("b").is_none());
        (0..2 * MOST).for_each(|n| memo.keep(n.to_string(), &reply(1)));
        assert!(memo.known.lock().unwrap().len() <= MOST);
        memo.clear();
        assert!(memo.get("a").is_none());
        let short = Memo::lasting(Duration::ZERO);
        short.keep("a".to_owned(), &reply(1));
        assert!(short.get("a").is_none());
    }
}
