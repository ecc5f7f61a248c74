//! Answers that were given a moment ago, or are on their way, and need not be found again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::outbound::Rank;

/// Answers by question, each for a while from when it was asked for.
pub struct Cache<T> {
    life: Duration,
    /// The answer to everything, where that is given.
    always: Option<T>,
    known: Mutex<HashMap<String, Arc<Entry<T>>>>,
}

/// An answer that others may be given, too.
pub trait Shared: Clone {
    /// Whether it is as good in a moment; if not, only those who wait for it already get it.
    fn lasts(&self) -> bool;
}

/// Whoever asks while another does so already waits for the same answer.
struct Entry<T> {
    asked: Instant,
    /// Who asked first: as urgent as the most urgent who waits for the answer.
    asker: Arc<Rank>,
    answer: OnceCell<T>,
}

/// A burst of calls asks the same again and again; more than these are not kept.
const MOST: usize = 64;

impl<T: Shared> Cache<T> {
    pub fn lasting(life: Duration) -> Self {
        Self { life, always: None, known: Mutex::default() }
    }

    /// The same answer to every question, which is then asked nowhere: to try out what is made of it.
    pub fn answering(answer: T) -> Self {
        Self { always: Some(answer), ..Self::lasting(Duration::ZERO) }
    }

    /// Forgets everything: something has changed, or a name was not found.
    pub fn clear(&self) {
        if let Ok(mut known) = self.known.lock() {
            known.clear();
        }
    }

    /// The answer that is known or on its way, or else the one that `fresh` brings.
    pub async fn answer(&self, question: String, fresh: impl Future<Output = T>) -> T {
        if let Some(answer) = &self.always {
            return answer.clone();
        }
        let own = Rank::own();
        let entry = self.entry(&question, &own);
        if !entry.answer.initialized() {
            entry.asker.raise(&own);
        }
        let answer = entry.answer.get_or_init(|| fresh).await;
        if !answer.lasts() {
            self.forget(&question, &entry);
        }
        answer.clone()
    }

    fn entry(&self, question: &str, own: &Arc<Rank>) -> Arc<Entry<T>> {
        let fresh = || {
            let (asked, asker) = (Instant::now(), own.clone());
            Arc::new(Entry { asked, asker, answer: OnceCell::new() })
        };
        let Ok(mut known) = self.known.lock() else { return fresh() };
        let young = |entry: &Arc<Entry<T>>| entry.asked.elapsed() < self.life;
        if let Some(entry) = known.get(question).filter(|entry| young(entry)) {
            return entry.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, entry| young(entry));
        }
        let entry = fresh();
        if known.len() < MOST {
            known.insert(question.to_owned(), entry.clone());
        }
        entry
    }

    fn forget(&self, question: &str, entry: &Arc<Entry<T>>) {
        let Ok(mut known) = self.known.lock() else { return };
        if known.get(question).is_some_and(|kept| Arc::ptr_eq(kept, entry)) {
            known.remove(question);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::outbound::{Urgency, urgent};

    /// Whether it lasts.
    impl Shared for bool {
        fn lasts(&self) -> bool {
            *self
        }
    }

    /// Asks a question; whether it was asked afresh, for an answer that lasts or not.
    async fn asks(cache: &Cache<bool>, question: &str, lasts: bool) -> bool {
        let asked = AtomicUsize::new(0);
        let fresh = async {
            asked.fetch_add(1, SeqCst);
            lasts
        };
        assert_eq!(cache.answer(question.to_owned(), fresh).await, lasts);
        asked.load(SeqCst) == 1
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_life_and_within_bounds() {
        let cache = Cache::lasting(Duration::from_secs(60));
        assert!(asks(&cache, "a", true).await && !asks(&cache, "a", true).await);
        assert!(asks(&cache, "b", false).await && asks(&cache, "b", false).await);
        for number in 0..2 * MOST {
            asks(&cache, &number.to_string(), true).await;
        }
        assert!(cache.known.lock().unwrap().len() <= MOST);
        cache.clear();
        assert!(asks(&cache, "a", true).await);
        let short = Cache::lasting(Duration::ZERO);
        assert!(asks(&short, "a", true).await && asks(&short, "a", true).await);
    }

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_one_answer_that_may_not_last() {
        let cache = Cache::lasting(Duration::from_secs(60));
        let asked = AtomicUsize::new(0);
        let failing = || async {
            tokio::task::yield_now().await;
            asked.fetch_add(1, SeqCst);
            false
        };
        let both = tokio::join!(
            cache.answer("a".to_owned(), failing()),
            cache.answer("a".to_owned(), failing())
        );
        assert_eq!(both, (false, false));
        assert_eq!(asked.load(SeqCst), 1);
        assert!(asks(&cache, "a", true).await, "it is not kept");
    }

    #[tokio::test]
    async fn who_asks_for_others_is_as_urgent_as_they_are() {
        let cache = Cache::lasting(Duration::from_secs(60));
        let rank = Mutex::new(None);
        let asking = urgent(Urgency::Look, async {
            *rank.lock().unwrap() = Some(Rank::own());
            let slow = async {
                tokio::task::yield_now().await;
                true
            };
            cache.answer("a".to_owned(), slow).await
        });
        let waiting = urgent(Urgency::End, cache.answer("a".to_owned(), async { true }));
        tokio::join!(asking, waiting);
        assert_eq!(rank.lock().unwrap().as_ref().unwrap().urgency(), Urgency::End);
    }

    /// What is forgotten while it is on its way is asked for anew.
    #[tokio::test]
    async fn nobody_joins_what_was_forgotten() {
        let cache = Cache::lasting(Duration::from_secs(60));
        let slow = async {
            cache.clear();
            true
        };
        assert!(cache.answer("a".to_owned(), slow).await);
        assert!(asks(&cache, "a", true).await);
    }
}
