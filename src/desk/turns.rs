//! Changes to one principal's access at one vendor go one after the other: each rests on what it
//! has read, and compares what it reads afterwards with that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// Who is waiting for whom, by vendor and principal.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Weak<Queue<()>>>>);

impl Turns {
    /// Waits until no other call changes the access of any of `keys`; given back when dropped.
    pub(super) async fn take(&self, mut keys: Vec<String>) -> Vec<OwnedMutexGuard<()>> {
        // In one order, so that two calls never wait for each other.
        keys.sort_unstable();
        keys.dedup();
        let mut held = Vec::new();
        for key in keys {
            held.push(self.queue(key).lock_owned().await);
        }
        held
    }

    fn queue(&self, key: String) -> Arc<Queue<()>> {
        let Ok(mut queues) = self.0.lock() else { return Arc::default() };
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(&key).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::default();
        queues.insert(key, Arc::downgrade(&queue));
        queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_after_the_other_and_nobody_for_ever() {
        let turns = Turns::default();
        let keys = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let first = turns.take(keys(&["b", "a", "a"])).await;
        let mut second = std::pin::pin!(turns.take(keys(&["a"])));
        assert!(futures_util::poll!(&mut second).is_pending());
        let other = turns.take(keys(&["c"])).await;
        drop((first, other));
        assert_eq!(second.await.len(), 1);
        drop(turns.take(keys(&["z"])).await);
        assert_eq!(turns.0.lock().unwrap().len(), 1, "queues nobody stands in are forgotten");
    }
}
