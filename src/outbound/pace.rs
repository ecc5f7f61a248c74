//! How fast a vendor is asked: under the rate it documents, and a few requests at a time.
//!
//! Shared by all calls of a process, and by all replicas where there are several ([`shared`]). What
//! other programs of the same organization send is not known here: their share shows as 429, which the
//! retry rule obeys; and where the vendor says for how long, every call waits.

mod shared;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

pub use shared::KeptByAll;
use shared::Shared;

use super::Deadline;
use super::progress::tell;
use super::urgency::{Line, Urgency};

/// The pace of one vendor.
#[derive(Default)]
pub struct Pace {
    /// None where no rate is documented.
    limiter: Option<DefaultDirectRateLimiter>,
    /// The most requests in a window, for those who share it.
    documented: Option<(u32, Duration)>,
    /// None where no other process is known to ask the vendor as well.
    shared: Option<Shared>,
    /// Who waits for a turn: the most urgent has the next one.
    line: Line,
    /// How many requests are under way.
    under_way: AtomicUsize,
    /// Until when the vendor wants no requests.
    paused: Mutex<Option<Instant>>,
}

/// One of the requests that are under way.
pub(super) struct PaceSlot<'p>(&'p Pace);

/// Why it is no turn of the first in the line yet.
enum NotYet {
    /// As many requests are under way as may be.
    Full,
    Early(Duration),
}

/// Requests that are under way at the same time.
const AT_ONCE: usize = 16;
/// How many more a change may add, so that it does not wait for looks that hang; and as many
/// again an end.
const KEPT_FREE: usize = 2;
/// One call is spent on finding out whether a vendor that asked for a longer pause still means it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Pace {
    /// At most `most` requests in any `window`: three fifths of them at once, the others spread
    /// over it, so that no window holds more, wherever it begins.
    pub fn of(most: u32, window: Duration) -> Self {
        let window = hastened(window);
        let limiter = quota(most, window).map(RateLimiter::direct);
        Self { limiter, documented: Some((most, window)), ..Self::default() }
    }

    /// Keeps rate and pauses together with all who keep the account's there.
    pub fn share(&mut self, kept: Box<dyn KeptByAll>) {
        self.shared = Some(Shared::new(kept, self.documented));
    }

    /// Sends nobody's requests for this long: a vendor that has told one call to wait means all.
    pub(super) async fn pause(&self, wait: Duration) {
        let wait = wait.min(LONGEST_PAUSE);
        self.pause_here(wait);
        if let Some(shared) = &self.shared {
            Box::pin(shared.pause(wait)).await;
        }
    }

    fn pause_here(&self, wait: Duration) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = (*paused).max(Some(Instant::now() + wait));
    }

    /// Waits for a turn of `requests` requests.
    ///
    /// # Errors
    /// How long it would take, where that is past the deadline.
    pub(super) async fn turn(
        &self,
        requests: NonZeroU32,
        host: &str,
        deadline: Deadline,
    ) -> Result<PaceSlot<'_>, Duration> {
        let spot = self.line.stand();
        let (mut told, mut is_counted) = (false, false);
        loop {
            let early = match spot.is_first() {
                false => None,
                true => match self.begin(requests, spot.urgency(), &mut is_counted).await {
                    Ok(place) => return Ok(place),
                    Err(NotYet::Early(wait)) => Some(wait),
                    Err(NotYet::Full) => None,
                },
            };
            let left = deadline.left();
            if left.is_zero() || early.is_some_and(|wait| wait >= left) {
                return Err(early.unwrap_or_default());
            }
            if let Some(wait) = early.filter(|_| !told) {
                told = true;
                tracing::debug!(?wait, "waiting for the vendor's rate limit");
                tell(|| format!("waiting {} s for the rate limit of {host}", wait.as_secs() + 1));
            }
            // Either it is worth looking again, or the time is over.
            let _ = tokio::time::timeout(early.unwrap_or(left), spot.woken()).await;
        }
    }

    /// Begins a request of whoever is first. It is counted here once, however often the others are asked.
    async fn begin(
        &self,
        requests: NonZeroU32,
        urgency: Urgency,
        is_counted: &mut bool,
    ) -> Result<PaceSlot<'_>, NotYet> {
        let most = AT_ONCE + KEPT_FREE * urgency as usize;
        let free = most.saturating_sub(self.under_way.load(SeqCst));
        if free == 0 {
            return Err(NotYet::Full);
        }
        if let Some(wait) = self.paused() {
            return Err(NotYet::Early(wait));
        }
        if !*is_counted && let Some(wait) = self.early(requests) {
            return Err(NotYet::Early(wait));
        }
        *is_counted = true;
        if let Some(shared) = &self.shared {
            let waiting = self.line.length().min(free);
            if let Some(wait) = Box::pin(shared.early(requests.get(), waiting)).await {
                return Err(NotYet::Early(wait));
            }
        }
        self.under_way.fetch_add(1, SeqCst);
        Ok(PaceSlot(self))
    }

    /// For how much longer the vendor wants no requests.
    fn paused(&self) -> Option<Duration> {
        let paused = *self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let left = paused.map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero())
    }

    /// By how much it is too early for `requests` requests; where it is not, they are counted.
    fn early(&self, requests: NonZeroU32) -> Option<Duration> {
        // More than a burst never fits: then the vendor's own limit is the one that counts.
        let early = self.limiter.as_ref()?.check_n(requests).ok()?.err()?;
        Some(early.wait_time_from(DefaultClock::default().now()))
    }
}

impl Drop for PaceSlot<'_> {
    /// The next may begin.
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, SeqCst);
        self.0.line.wake();
    }
}

/// A test may make a vendor's minute shorter, at both sides alike; a release knows nothing of that.
#[cfg(debug_assertions)]
fn hastened(window: Duration) -> Duration {
    let times =
        crate::settings::environment("GRANTOR_TEST_HASTE").and_then(|text| text.parse().ok());
    window / times.filter(|&times| times > 0).unwrap_or(1)
}

#[cfg(not(debug_assertions))]
fn hastened(window: Duration) -> Duration {
    window
}

/// How many requests may go at once, and how many more are spread over the window.
fn parts(most: u32) -> (u32, u32) {
    let burst = most / 5 * 3;
    (burst, most - burst)
}

fn quota(most: u32, window: Duration) -> Option<Quota> {
    let (burst, spread) = parts(most);
    let quota = (spread > 0).then(|| Quota::with_period(window / spread)).flatten()?;
    Some(quota.allow_burst(NonZeroU32::new(burst)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    async fn turns(pace: &Pace, count: usize) -> usize {
        let one = NonZeroU32::MIN;
        let soon = || Deadline::after(Duration::from_millis(1));
        let mut made = 0;
        for _ in 0..count {
            made += usize::from(pace.turn(one, "vendor", soon()).await.is_ok());
        }
        made
    }

    #[tokio::test]
    async fn a_burst_stays_under_the_documented_rate() {
        let pace = Pace::of(100, Duration::from_secs(60));
        assert_eq!(turns(&pace, 200).await, 60);
    }

    #[tokio::test]
    async fn a_vendor_without_a_rate_is_not_slowed() {
        assert_eq!(turns(&Pace::default(), 1_000).await, 1_000);
    }

    #[tokio::test]
    async fn who_cannot_wait_is_told_how_long_it_would_take() {
        let pace = Pace::of(100, Duration::from_secs(60));
        turns(&pace, 60).await;
        let soon = Deadline::after(Duration::from_millis(1));
        let wait = pace.turn(NonZeroU32::MIN, "vendor", soon).await;
        assert!(wait.is_err_and(|wait| wait > Duration::from_millis(500)));
    }

    /// Callers that always ask as soon as they may, for three windows of every documented rate.
    #[test]
    fn no_window_ever_holds_more_than_the_vendor_documents() {
        let minute = Duration::from_mins(1);
        for (most, window) in [(100, minute), (1_000, minute), (7_500, 5 * minute)] {
            let clock = FakeRelativeClock::default();
            let limiter =
                RateLimiter::direct_with_clock(quota(most, window).unwrap(), clock.clone());
            let step = window / most / 4;
            let (mut now, mut sent) = (Duration::ZERO, Vec::new());
            while now < 3 * window {
                while limiter.check().is_ok() {
                    sent.push(now);
                }
                clock.advance(step);
                now += step;
            }
            let most = usize::try_from(most).unwrap();
            let crowded = sent.windows(most + 1).find(|some| some[most] - some[0] < window);
            assert_eq!(crowded, None, "more than {most}");
            assert!(sent.len() > most, "{} is slower than it need be", sent.len());
        }
    }

    /// The most accesses that a set changes, each looked at, sent and read back at the slowest documented rate,
    /// come to their end while the yes to it is good.
    #[test]
    fn the_largest_set_ends_within_the_life_of_its_yes() {
        let (accesses, requests_each, good) = (100, 4, Duration::from_mins(10));
        let clock = FakeRelativeClock::default();
        let quota = quota(100, Duration::from_mins(1)).unwrap();
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        // What came before has used up what may be sent at once.
        while limiter.check().is_ok() {}
        let (mut sent, mut taken) = (0, Duration::ZERO);
        while sent < accesses * requests_each {
            match limiter.check() {
                Ok(()) => sent += 1,
                Err(early) => {
                    let wait = early.wait_time_from(clock.now());
                    clock.advance(wait);
                    taken += wait;
                }
            }
        }
        assert!(taken <= good, "{taken:?}");
    }

    #[tokio::test]
    async fn a_pause_is_everybodys_and_never_for_good() {
        let pace = Pace::default();
        pace.pause(Duration::from_hours(24)).await;
        pace.pause(Duration::ZERO).await;
        assert_eq!(turns(&pace, 3).await, 0, "a shorter one does not end it");
        let left = pace.paused().unwrap();
        assert!(left <= LONGEST_PAUSE, "{left:?}");
        let other = Pace::default();
        other.pause(Duration::from_millis(30)).await;
        let later = Deadline::after(Duration::from_secs(20));
        assert!(other.turn(NonZeroU32::MIN, "vendor", later).await.is_ok(), "it ends");
    }
}
