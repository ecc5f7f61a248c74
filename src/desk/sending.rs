//! Whether a call can be given up: at any time but while a change of it is on its way, from the line
//! that opens it to the one that closes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static SENDING: Sending;
}

/// What is known of one call from outside it.
#[derive(Clone)]
pub struct Sending {
    /// Whoever sends holds one, and those of several tenants do at the same time; all are gone once the
    /// call is given up.
    rights: Arc<Semaphore>,
    begun: Arc<AtomicBool>,
}

/// More than a call has tenants.
const AT_ONCE: u32 = 1_024;

impl Default for Sending {
    fn default() -> Self {
        Self { rights: Arc::new(Semaphore::new(AT_ONCE as usize)), begun: Arc::default() }
    }
}

impl Sending {
    /// A call that can be given up.
    pub fn of<F: Future>(&self, call: F) -> TaskLocalFuture<Self, F> {
        SENDING.scope(self.clone(), call)
    }

    /// Waits until nothing is on its way; after that, nothing is sent any more.
    pub async fn give_up(&self) {
        // Closed, it has nothing to wait for.
        if let Ok(rights) = self.rights.acquire_many(AT_ONCE).await {
            rights.forget();
        }
    }

    /// Whether a change of this call was on its way at some time.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }
}

/// The right to send, held while a change is on its way. None where the call was given up; whoever
/// calls without being told of this may always send.
pub(super) fn begin() -> Option<Option<OwnedSemaphorePermit>> {
    let Ok(sending) = SENDING.try_with(Clone::clone) else { return Some(None) };
    let right = sending.rights.try_acquire_owned().ok()?;
    sending.begun.store(true, Relaxed);
    Some(Some(right))
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn what_is_on_its_way_is_waited_for_and_nothing_follows_it() {
        let sending = Sending::default();
        sending
            .of(async {
                let first = begin().expect("the right");
                assert!(sending.has_begun());
                let mut giving_up = std::pin::pin!(sending.give_up());
                assert!(poll!(&mut giving_up).is_pending());
                drop(first);
                assert!(begin().is_none(), "it is given up as soon as nothing is on its way");
                assert!(poll!(&mut giving_up).is_ready());
                assert!(begin().is_none());
            })
            .await;
        let idle = Sending::default();
        idle.give_up().await;
        assert!(idle.of(async { begin().is_none() }).await && !idle.has_begun());
        assert!(begin().is_some(), "nobody was told of this one");
    }
}
