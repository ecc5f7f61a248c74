//! How much one caller may ask for, and all of them together, so that nobody keeps the others waiting.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use super::Body;

/// Who asks for how much.
#[derive(Default)]
pub(in crate::server) struct Limits(Mutex<HashMap<String, Use>>);

/// What one caller has in hand.
struct Use {
    in_flight: usize,
    /// How many requests may come at once now.
    left: f64,
    at: Instant,
}

/// A place among the requests in flight; free again when the work and its answer are done.
pub(in crate::server) struct Slot {
    limits: Arc<Limits>,
    caller: String,
}

/// Why a request is not served now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// This caller's; how soon they may try again, in seconds.
    OfCaller(u64),
    OfAll,
}

/// The answer's body, with the place that it takes.
pub(super) struct Held {
    body: Body,
    _slot: Arc<Slot>,
}

/// Requests of one caller that are worked on at the same time.
const MOST_OF_CALLER: usize = 16;
/// Requests of all callers that are worked on at the same time.
const MOST: usize = 256;
/// How many requests of one caller may come at once, and how many more each second.
const BURST: f64 = 200.0;
const RATE: f64 = 100.0;
/// Callers that are remembered before those are forgotten who ask for nothing.
const CALLERS: usize = 1_024;

impl Limits {
    /// A place for one more request of this caller.
    pub(super) fn admit(self: &Arc<Self>, caller: &str) -> Result<Arc<Slot>, TooMuch> {
        self.take(caller, Instant::now())?;
        Ok(Arc::new(Slot { limits: self.clone(), caller: caller.to_owned() }))
    }

    /// How many requests are worked on.
    pub(super) fn in_flight(&self) -> usize {
        self.uses().values().map(|one| one.in_flight).sum()
    }

    fn take(&self, caller: &str, now: Instant) -> Result<(), TooMuch> {
        let mut uses = self.uses();
        if uses.len() >= CALLERS && !uses.contains_key(caller) {
            uses.retain(|_, one| one.in_flight > 0 || one.left_at(now) < BURST);
        }
        let all: usize = uses.values().map(|one| one.in_flight).sum();
        let own =
            uses.entry(caller.to_owned()).or_insert(Use { in_flight: 0, left: BURST, at: now });
        (own.left, own.at) = (own.left_at(now), now);
        if own.left < 1.0 || own.in_flight >= MOST_OF_CALLER {
            return Err(TooMuch::OfCaller(1));
        }
        if all >= MOST {
            return Err(TooMuch::OfAll);
        }
        own.left -= 1.0;
        own.in_flight += 1;
        Ok(())
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<String, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    fn left_at(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).min(Duration::from_secs(60));
        (self.left + passed.as_secs_f64() * RATE).min(BURST)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(own) = self.limits.uses().get_mut(&self.caller) {
            own.in_flight = own.in_flight.saturating_sub(1);
        }
    }
}

impl Held {
    pub(super) fn new(body: Body, slot: Arc<Slot>) -> Self {
        Self { body, _slot: slot }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_asks_too_much_waits_and_others_do_not() {
        let (limits, begun) = (Limits::default(), Instant::now());
        let taken = |who: &str, at| limits.take(who, at);
        for _ in 0..MOST_OF_CALLER {
            assert_eq!(taken("eve", begun), Ok(()));
        }
        assert_eq!(taken("eve", begun), Err(TooMuch::OfCaller(1)), "so many at a time");
        assert_eq!(taken("ada", begun), Ok(()));
        limits.uses().get_mut("eve").unwrap().in_flight = 0;
        let mut made = 0;
        while limits.take("eve", begun).is_ok() {
            limits.uses().get_mut("eve").unwrap().in_flight = 0;
            made += 1;
        }
        assert_eq!(made, 200 - MOST_OF_CALLER, "so many at once");
        assert_eq!(taken("ada", begun), Ok(()));
        assert_eq!(taken("eve", begun + Duration::from_secs(1)), Ok(()), "a second later again");
    }

    #[test]
    fn all_callers_together_are_bounded_and_the_idle_are_forgotten() {
        let (limits, begun) = (Limits::default(), Instant::now());
        for caller in 0..MOST {
            assert_eq!(limits.take(&caller.to_string(), begun), Ok(()));
        }
        assert_eq!(limits.take("one more", begun), Err(TooMuch::OfAll));
        limits.uses().values_mut().for_each(|one| one.in_flight = 0);
        for caller in 0..4 * CALLERS {
            let later = begun + Duration::from_secs(60);
            assert_eq!(limits.take(&format!("later {caller}"), later), Ok(()));
            limits.uses().values_mut().for_each(|one| (one.in_flight, one.left) = (0, BURST));
        }
        assert!(limits.uses().len() <= CALLERS, "{}", limits.uses().len());
    }
}
