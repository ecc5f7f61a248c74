//! How fast a vendor is asked: under the rate it documents, and a few requests at a time.
//!
//! Shared by all calls of a process. What other programs of the same organization send is not
//! known here: their share shows as 429, which the retry rule obeys.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Deadline;

/// The pace of one vendor.
pub struct Pace {
    limiter: Option<DefaultDirectRateLimiter>,
    places: Semaphore,
}

/// Requests that are under way at the same time.
const AT_ONCE: usize = 16;

impl Default for Pace {
    /// No documented rate.
    fn default() -> Self {
        Self { limiter: None, places: Semaphore::new(AT_ONCE) }
    }
}

impl Pace {
    /// At most `most` requests in any `window`: three fifths of them at once, the others spread
    /// over it, so that no window holds more, wherever it begins.
    pub fn of(most: u32, window: Duration) -> Self {
        let (burst, spread) = (most / 5 * 3, most - most / 5 * 3);
        let quota = (spread > 0)
            .then(|| Quota::with_period(window / spread))
            .flatten()
            .zip(NonZeroU32::new(burst))
            .map(|(quota, burst)| quota.allow_burst(burst));
        Self { limiter: quota.map(RateLimiter::direct), ..Self::default() }
    }

    /// Waits for a turn of `requests` requests.
    ///
    /// # Errors
    /// How long it would take, where that is past the deadline.
    pub(super) async fn turn(
        &self,
        requests: NonZeroU32,
        deadline: Deadline,
    ) -> Result<Option<SemaphorePermit<'_>>, Duration> {
        let place = tokio::time::timeout(deadline.left(), self.places.acquire()).await;
        let place = place.map_err(|_| deadline.left())?.ok();
        let Some(limiter) = &self.limiter else { return Ok(place) };
        // More than a burst never fits: then the vendor's own limit is the one that counts.
        while let Ok(Err(early)) = limiter.check_n(requests) {
            let wait = early.wait_time_from(DefaultClock::default().now());
            if wait >= deadline.left() {
                return Err(wait);
            }
            tracing::debug!(?wait, "waiting for the vendor's rate limit");
            tokio::time::sleep(wait).await;
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn turns(pace: &Pace, count: usize) -> usize {
        let one = NonZeroU32::MIN;
        let soon = || Deadline::after(Duration::from_millis(1));
        let mut made = 0;
        for _ in 0..count {
            made += usize::from(pace.turn(one, soon()).await.is_ok());
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
        let wait = pace.turn(NonZeroU32::MIN, Deadline::after(Duration::from_millis(1))).await;
        assert!(wait.is_err_and(|wait| wait > Duration::from_millis(500)));
    }
}
