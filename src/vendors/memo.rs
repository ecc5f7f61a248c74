//! Answers that were read a moment ago, or are on their way, and need not be read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::failure::Failure;
use crate::transport::Reply;

/// Replies by vendor and question, each for a while from when it was asked for.
pub struct Memo {
    life: Duration,
    /// The answer to everything, where that is given.
    always: Option<Reply>,
    known: Mutex<HashMap<String, Arc<Entry>>>,
}

/// Whoever asks while another does so already waits for the same answer.
struct Entry {
    asked: Instant,
    answer: OnceCell<Result<Arc<Reply>, Failure>>,
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

    /// The answer that is known or on its way, or else the one that `fresh` brings. A failure is
    /// shared with those who waited for it, and not kept.
    pub(super) async fn answer(
        &self,
        key: String,
        fresh: impl Future<Output = Result<Reply, Failure>>,
    ) -> Result<Arc<Reply>, Failure> {
        if let Some(reply) = &self.always {
            return Ok(Arc::new(reply.clone()));
        }
        let entry = self.entry(&key);
        let answer = entry.answer.get_or_init(|| async { fresh.await.map(Arc::new) }).await;
        if answer.as_ref().map_or(true, |reply| reply.body.len() > LONGEST) {
            self.forget(&key, &entry);
        }
        answer.clone()
    }

    fn entry(&self, key: &str) -> Arc<Entry> {
        let fresh = || Arc::new(Entry { asked: Instant::now(), answer: OnceCell::new() });
        let Ok(mut known) = self.known.lock() else { return fresh() };
        let young = |entry: &Arc<Entry>| entry.asked.elapsed() < self.life;
        if let Some(entry) = known.get(key).filter(|entry| young(entry)) {
            return entry.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, entry| young(entry));
        }
        let entry = fresh();
        if known.len() < MOST {
            known.insert(key.to_owned(), entry.clone());
        }
        entry
    }

    fn forget(&self, key: &str, entry: &Arc<Entry>) {
        let Ok(mut known) = self.known.lock() else { return };
        if known.get(key).is_some_and(|kept| Arc::ptr_eq(kept, entry)) {
            known.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::failure::Kind;

    fn reply(size: usize) -> Reply {
        Reply { status: 200, body: vec![b' '; size], ..Reply::default() }
    }

    /// Asks for `key`, which brings a reply of this size; whether it was asked for afresh.
    async fn asks(memo: &Memo, key: &str, size: usize) -> bool {
        let asked = AtomicUsize::new(0);
        let fresh = async {
            asked.fetch_add(1, SeqCst);
            Ok(reply(size))
        };
        assert!(memo.answer(key.to_owned(), fresh).await.is_ok());
        asked.load(SeqCst) == 1
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_life_and_within_bounds() {
        let memo = Memo::lasting(Duration::from_secs(60));
        assert!(asks(&memo, "a", 1).await && !asks(&memo, "a", 1).await);
        assert!(asks(&memo, "big", LONGEST + 1).await && asks(&memo, "big", LONGEST + 1).await);
        for number in 0..2 * MOST {
            asks(&memo, &number.to_string(), 1).await;
        }
        assert!(memo.known.lock().unwrap().len() <= MOST);
        memo.clear();
        assert!(asks(&memo, "a", 1).await);
        let short = Memo::lasting(Duration::ZERO);
        assert!(asks(&short, "a", 1).await && asks(&short, "a", 1).await);
    }

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_one_answer_and_a_failure_is_not_kept() {
        let memo = Memo::lasting(Duration::from_secs(60));
        let asked = AtomicUsize::new(0);
        let failing = || async {
            tokio::task::yield_now().await;
            asked.fetch_add(1, SeqCst);
            Err(Failure::new(Kind::Unavailable, "down"))
        };
        let both = tokio::join!(
            memo.answer("a".to_owned(), failing()),
            memo.answer("a".to_owned(), failing())
        );
        assert!(both.0.is_err() && both.1.is_err());
        assert_eq!(asked.load(SeqCst), 1);
        assert!(asks(&memo, "a", 1).await, "the failure is not kept");
    }

    /// What is forgotten while it is on its way is asked for anew.
    #[tokio::test]
    async fn nobody_joins_what_was_forgotten() {
        let memo = Memo::lasting(Duration::from_secs(60));
        let slow = async {
            memo.clear();
            Ok(reply(1))
        };
        assert!(memo.answer("a".to_owned(), slow).await.is_ok());
        assert!(asks(&memo, "a", 1).await);
    }
}
