//! Changes to one principal's access at one tenant go one after the other: each rests on what it
//! has read, and compares what it reads afterwards with that. The most urgent is next, and whoever
//! it waits for becomes as urgent.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::failure::{Failure, Kind};
use crate::ledger::{Lock, LockOn, Locks};
use crate::outbound::{CALL, Deadline, Line, Rank, Spot};

/// Who is waiting for whom.
pub(super) struct Turns {
    /// In this process, by tenant and principal, and by the place of a lock.
    queues: Mutex<HashMap<String, Weak<Queue>>>,
    /// Where the locks are that other processes respect.
    locks: Locks,
}

/// The turn of a call; given back when it is dropped.
pub(super) struct Turn {
    // Dropped in this order: whoever is woken finds the lock free.
    _locks: Vec<Lock>,
    _queues: Vec<Ahead>,
}

/// Whose turn it is, and who waits for theirs.
#[derive(Default)]
struct Queue {
    holder: Mutex<Option<Arc<Rank>>>,
    line: Line,
}

/// The turn in one queue.
struct Ahead(Arc<Queue>);

/// Files that stand for all principals there may be.
const LOCKS: u8 = 64;
const PAUSE: Duration = Duration::from_millis(20);

impl Turns {
    pub(super) fn new(locks: Locks) -> Self {
        Self { queues: Mutex::default(), locks }
    }

    /// Waits until no other call, of this process or another, changes the access of any of `keys`.
    /// A call that sends nothing waits for those of its own process alone.
    ///
    /// # Errors
    /// The state directory cannot be written, or others do not come to an end.
    pub(super) async fn take(
        &self,
        mut keys: Vec<String>,
        sends_nothing: bool,
    ) -> Result<Turn, Failure> {
        // In one order, so that two calls never wait for each other.
        keys.sort_unstable();
        keys.dedup();
        let mut queues = Vec::new();
        for key in &keys {
            queues.push(self.queue(key.clone()).turn().await);
        }
        let (mut locks, deadline) = (Vec::new(), Deadline::after(CALL));
        if !sends_nothing {
            // Several principals have one place: who waits for one of this process is woken, and
            // only for another process is the lock tried again and again.
            for place in places(&keys) {
                queues.push(self.queue(format!("lock {place}")).turn().await);
                locks.push(self.lock(place, deadline).await?);
            }
        }
        Ok(Turn { _locks: locks, _queues: queues })
    }

    /// Waits for other processes.
    async fn lock(&self, place: u8, deadline: Deadline) -> Result<Lock, Failure> {
        loop {
            match self.locks.try_take(LockOn::Turn(place)).await? {
                Some(lock) => return Ok(lock),
                None if deadline.left().is_zero() => {
                    return Err(Failure::new(
                        Kind::Unavailable,
                        "another process is still changing the same access",
                    )
                    .hint("nothing was sent; try again in a minute"));
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn queue(&self, key: String) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(&key).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::default();
        queues.insert(key, Arc::downgrade(&queue));
        queue
    }
}

impl Queue {
    async fn turn(self: Arc<Self>) -> Ahead {
        let spot = self.line.stand();
        while !self.is_given_to(&spot) {
            spot.woken().await;
        }
        drop(spot);
        Ahead(self)
    }

    /// Gives the turn to whoever is first, where nobody has it.
    fn is_given_to(&self, spot: &Spot<'_>) -> bool {
        let mut holder = self.holder();
        if let Some(other) = &*holder {
            other.raise(spot.rank());
            return false;
        }
        let is_first = spot.is_first();
        if is_first {
            *holder = Some(spot.rank().clone());
        }
        is_first
    }

    fn holder(&self) -> MutexGuard<'_, Option<Arc<Rank>>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        *self.0.holder() = None;
        self.0.line.wake();
    }
}

/// The files that stand for these principals, among others; in one order.
fn places(keys: &[String]) -> BTreeSet<u8> {
    keys.iter().map(|key| place(key)).collect()
}

/// The file that stands for a principal, among others.
fn place(key: &str) -> u8 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
    digest.as_ref().first().copied().unwrap_or_default() % LOCKS
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::ledger::Ledger;
    use crate::outbound::{Urgency, urgent};

    fn keys(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[tokio::test]
    async fn one_after_the_other_and_nobody_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::new(Ledger::new(dir.path(), None).locks());
        let first = turns.take(keys(&["b", "a", "a"]), true).await.unwrap();
        let mut second = std::pin::pin!(turns.take(keys(&["a"]), true));
        assert!(futures_util::poll!(&mut second).is_pending());
        let other = turns.take(keys(&["c"]), true).await.unwrap();
        drop((first, other));
        drop(second.await.unwrap());
        drop(turns.take(keys(&["z"]), true).await.unwrap());
        assert_eq!(turns.queues.lock().unwrap().len(), 1, "queues nobody stands in are forgotten");
        assert!(!dir.path().join("turns").exists(), "who sends nothing leaves nothing behind");
    }

    /// Two principals may have one lock.
    #[tokio::test]
    async fn who_waits_in_the_same_process_goes_on_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::new(Ledger::new(dir.path(), None).locks());
        let twin = (0..).map(|n| n.to_string()).find(|name| place(name) == place("a")).unwrap();
        let first = turns.take(keys(&["a"]), false).await.unwrap();
        let mut second = std::pin::pin!(turns.take(keys(&[&twin]), false));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_ready(), "and not after a pause");
    }

    #[tokio::test]
    async fn the_most_urgent_is_next_and_hurries_whom_it_waits_for() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Turns::new(Ledger::new(dir.path(), None).locks());
        let take = |urgency| urgent(urgency, turns.take(keys(&["a"]), true));
        let first = take(Urgency::Look).await.unwrap();
        let mut change = std::pin::pin!(take(Urgency::Change));
        assert!(futures_util::poll!(&mut change).is_pending());
        let holder = turns.queue("a".to_owned()).holder().clone().unwrap();
        assert_eq!(holder.urgency(), Urgency::Change);
        let mut end = std::pin::pin!(take(Urgency::End));
        assert!(futures_util::poll!(&mut end).is_pending());
        assert_eq!(holder.urgency(), Urgency::End);
        drop(first);
        assert!(futures_util::poll!(&mut change).is_pending());
        let Poll::Ready(ended) = futures_util::poll!(&mut end) else { panic!("it waits") };
        drop(ended);
        assert!(futures_util::poll!(&mut change).is_ready());
    }

    #[tokio::test]
    async fn another_process_waits_for_its_turn_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = [(), ()].map(|()| Turns::new(Ledger::new(dir.path(), None).locks()));
        let first = one.take(keys(&["a", "b"]), false).await.unwrap();
        let mut second = std::pin::pin!(other.take(keys(&["b", "c"]), false));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_ok());
    }
}
