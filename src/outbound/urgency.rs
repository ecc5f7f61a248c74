//! How urgent a call is, and the line in which calls wait: the most urgent first.
//!
//! The end of timed access goes before everything else, a person's change goes before looking, and among
//! equals the call that began first goes first. Like who hears of waits, this goes with the task:
//! none of the layers between a call and its requests has anything to add.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::futures::TaskLocalFuture;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Look,
    Change,
    /// The end of access that was given for a time.
    End,
}

tokio::task_local! {
    static RANK: Arc<Rank>;
}

/// The urgency of one call, as long as it runs. It rises when something more urgent waits for it.
#[derive(Debug)]
pub struct Rank {
    urgency: AtomicU8,
    /// The older of two calls has the lower number.
    number: u64,
}

/// Those who wait for one thing.
#[derive(Default)]
pub struct Line(Mutex<Vec<Arc<Waiter>>>);

struct Waiter {
    rank: Arc<Rank>,
    woken: Notify,
}

/// A spot in a line; given up when it is dropped.
pub struct Spot<'l> {
    line: &'l Line,
    waiter: Arc<Waiter>,
}

/// How long a call waits at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A call of this urgency. Futures of calls are large, so nothing is put around this one.
pub fn urgent<F: Future>(urgency: Urgency, call: F) -> TaskLocalFuture<Arc<Rank>, F> {
    RANK.scope(Arc::new(Rank::new(urgency)), call)
}

impl Rank {
    fn new(urgency: Urgency) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { urgency: AtomicU8::new(urgency as u8), number: NEXT.fetch_add(1, Relaxed) }
    }

    /// The rank of the call that is running, or that of a look.
    pub fn own() -> Arc<Self> {
        RANK.try_with(Arc::clone).unwrap_or_else(|_| Arc::new(Self::new(Urgency::Look)))
    }

    pub fn urgency(&self) -> Urgency {
        match self.urgency.load(Relaxed) {
            0 => Urgency::Look,
            1 => Urgency::Change,
            _ => Urgency::End,
        }
    }

    /// Makes a call that another waits for at least as urgent as that other one.
    pub fn raise(&self, other: &Self) {
        self.urgency.fetch_max(other.urgency.load(Relaxed), Relaxed);
    }

    /// The smallest goes first.
    fn order(&self) -> (std::cmp::Reverse<u8>, u64) {
        (std::cmp::Reverse(self.urgency.load(Relaxed)), self.number)
    }
}

impl Line {
    /// A spot for the call that is running.
    pub fn stand(&self) -> Spot<'_> {
        let waiter = Arc::new(Waiter { rank: Rank::own(), woken: Notify::new() });
        self.waiting().push(waiter.clone());
        Spot { line: self, waiter }
    }

    /// Has whoever is first look again.
    pub fn wake(&self) {
        if let Some(first) = first(&self.waiting()) {
            first.woken.notify_one();
        }
    }

    /// How many wait.
    pub fn length(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Waiter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests of one call have one rank: among them whoever came first goes first.
fn first(waiting: &[Arc<Waiter>]) -> Option<&Arc<Waiter>> {
    waiting.iter().min_by_key(|waiter| waiter.rank.order())
}

impl Spot<'_> {
    /// Whether it is this one's turn. Whoever is not first hands on what it may have been woken for:
    /// another may have become more urgent since.
    pub fn is_first(&self) -> bool {
        let waiting = self.line.waiting();
        let Some(first) = first(&waiting) else { return false };
        let is_own = Arc::ptr_eq(first, &self.waiter);
        if !is_own {
            first.woken.notify_one();
        }
        is_own
    }

    pub fn rank(&self) -> &Arc<Rank> {
        &self.waiter.rank
    }

    pub fn urgency(&self) -> Urgency {
        self.waiter.rank.urgency()
    }

    /// Until it is worth looking again whether this is the first, and what it waits for is there. A
    /// call that became more urgent meanwhile may have more places than it had: nobody tells it of that.
    pub async fn woken(&self) {
        let _ = tokio::time::timeout(LOOK_AGAIN, self.waiter.woken.notified()).await;
    }
}

impl Drop for Spot<'_> {
    /// Whoever is first then looks again: this may have been told something meant for the first.
    fn drop(&mut self) {
        self.line.waiting().retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
        self.line.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stands(line: &Line, urgency: Urgency) -> Spot<'_> {
        urgent(urgency, async { line.stand() }).await
    }

    #[tokio::test]
    async fn the_most_urgent_is_first_and_among_equals_the_oldest() {
        use Urgency::{Change, End, Look};
        let line = Line::default();
        let mut spots = Vec::new();
        for urgency in [Look, Change, Look, End, Change, End] {
            spots.push(stands(&line, urgency).await);
        }
        let mut order = Vec::new();
        while let Some(at) = spots.iter().position(Spot::is_first) {
            order.push(spots[at].rank().number);
            spots.remove(at);
        }
        let mut wanted = order.clone();
        wanted.sort_unstable();
        let [look, change, later_look, end, later_change, later_end] = wanted[..] else { panic!() };
        assert_eq!(order, [end, later_end, change, later_change, look, later_look]);
    }

    #[tokio::test]
    async fn who_is_waited_for_is_as_urgent_as_who_waits() {
        let line = Line::default();
        let look = stands(&line, Urgency::Look).await;
        let change = stands(&line, Urgency::Change).await;
        let end = stands(&Line::default(), Urgency::End).await.rank().clone();
        assert!(change.is_first());
        look.rank().raise(&end);
        assert!(look.is_first());
        look.rank().raise(change.rank());
        assert_eq!(look.urgency(), Urgency::End, "it does not sink");
    }

    /// One that was woken and finds another before it, which became more urgent since, wakes that one.
    #[tokio::test]
    async fn who_is_woken_too_late_hands_it_on() {
        let line = Line::default();
        let first = stands(&line, Urgency::Change).await;
        let second = stands(&line, Urgency::Change).await;
        let end = stands(&Line::default(), Urgency::End).await.rank().clone();
        line.wake();
        second.rank().raise(&end);
        assert!(futures_util::poll!(std::pin::pin!(first.woken())).is_ready());
        assert!(!first.is_first());
        assert!(futures_util::poll!(std::pin::pin!(second.woken())).is_ready());
        assert!(second.is_first());
    }

    /// Whoever was woken and goes away wakes the next.
    #[tokio::test]
    async fn nobody_is_forgotten() {
        let line = Line::default();
        let first = stands(&line, Urgency::Look).await;
        let second = stands(&line, Urgency::Look).await;
        line.wake();
        drop(first);
        assert!(second.is_first());
        assert!(futures_util::poll!(std::pin::pin!(second.woken())).is_ready());
    }
}
