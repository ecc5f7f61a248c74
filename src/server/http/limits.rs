//! How much one caller may ask for, and all of them together, so that nobody keeps the others waiting.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use super::Body;
use super::places::Busy;
use crate::config::HttpLimits;
use crate::server::shutdown::BrokenOff;

/// Who asks for how much.
pub(in crate::server) struct Limits {
    most: HttpLimits,
    uses: Mutex<Uses>,
}

#[derive(Default)]
struct Uses {
    of: HashMap<String, Use>,
    /// Of all of them.
    in_flight: usize,
}

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
    /// How the end of the server broke the work off, where it did.
    broken_off: OnceLock<BrokenOff>,
}

/// Why a request is not served now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// This caller's; how soon they may try again, in seconds.
    OfCaller(u64),
    OfAll,
}

/// The answer's body, with what it holds until it is sent or its client has gone.
pub(super) struct Held {
    body: Body,
    _slot: Option<Arc<Slot>>,
    _busy: Option<Busy>,
}

/// Callers that are remembered before those are forgotten who ask for nothing.
const CALLERS: usize = 1_024;

impl Limits {
    pub(super) fn new(most: HttpLimits) -> Self {
        Self { most, uses: Mutex::default() }
    }

    /// A place for one more request of this caller.
    pub(super) fn admit(self: &Arc<Self>, caller: &str) -> Result<Arc<Slot>, TooMuch> {
        self.take(caller, Instant::now())?;
        let (limits, caller, broken_off) = (self.clone(), caller.to_owned(), OnceLock::new());
        Ok(Arc::new(Slot { limits, caller, broken_off }))
    }

    pub(super) fn most(&self) -> &HttpLimits {
        &self.most
    }

    /// How many requests are worked on.
    pub(super) fn in_flight(&self) -> usize {
        self.uses().in_flight
    }

    fn take(&self, caller: &str, now: Instant) -> Result<(), TooMuch> {
        let most = &self.most;
        let burst = f64::from(most.caller_burst);
        let mut uses = self.uses();
        let Uses { of, in_flight } = &mut *uses;
        if of.len() >= CALLERS && !of.contains_key(caller) {
            of.retain(|_, one| one.in_flight > 0 || one.left_at(now, most) < burst);
        }
        let own = of.entry(caller.to_owned()).or_insert(Use { in_flight: 0, left: burst, at: now });
        (own.left, own.at) = (own.left_at(now, most), now);
        if own.left < 1.0 || own.in_flight >= most.caller_concurrency {
            return Err(TooMuch::OfCaller(1));
        }
        if *in_flight >= most.concurrency {
            return Err(TooMuch::OfAll);
        }
        own.left -= 1.0;
        own.in_flight += 1;
        *in_flight += 1;
        Ok(())
    }

    fn give_back(&self, caller: &str) {
        let mut uses = self.uses();
        if let Some(own) = uses.of.get_mut(caller) {
            own.in_flight -= 1;
            uses.in_flight -= 1;
        }
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    fn left_at(&self, now: Instant, most: &HttpLimits) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + passed * f64::from(most.caller_rate)).min(most.caller_burst.into())
    }
}

impl Slot {
    pub(in crate::server) fn break_off(&self, how: BrokenOff) {
        let _ = self.broken_off.set(how);
    }

    pub(super) fn broken_off(&self) -> Option<BrokenOff> {
        self.broken_off.get().copied()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limits.give_back(&self.caller);
    }
}

/// The place that a request has among those in flight.
pub(in crate::server) fn slot(context: &RequestContext<RoleServer>) -> Option<Arc<Slot>> {
    context.extensions.get::<hyper::http::request::Parts>()?.extensions.get::<Arc<Slot>>().cloned()
}

impl Held {
    pub(super) fn new(body: Body, slot: Arc<Slot>) -> Self {
        Self { body, _slot: Some(slot), _busy: None }
    }

    pub(super) fn busy(body: Body, busy: Busy) -> Self {
        Self { body, _slot: None, _busy: Some(busy) }
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
    use std::time::Duration;

    #[test]
    fn a_caller_who_asks_too_much_waits_and_others_do_not() {
        let (limits, begun) = (Limits::new(HttpLimits::default()), Instant::now());
        let most = HttpLimits::default().caller_concurrency;
        let taken = |who: &str, at| limits.take(who, at);
        for _ in 0..most {
            assert_eq!(taken("eve", begun), Ok(()));
        }
        assert_eq!(taken("eve", begun), Err(TooMuch::OfCaller(1)), "so many at a time");
        assert_eq!(taken("ada", begun), Ok(()));
        (0..most).for_each(|_| limits.give_back("eve"));
        let mut made = 0;
        while limits.take("eve", begun).is_ok() {
            limits.give_back("eve");
            made += 1;
        }
        assert_eq!(made, 200 - most, "so many at once");
        assert_eq!(taken("ada", begun), Ok(()));
        assert_eq!(taken("eve", begun + Duration::from_secs(1)), Ok(()), "a second later again");
    }

    #[test]
    fn all_callers_together_are_bounded_and_the_idle_are_forgotten() {
        let (limits, begun) = (Limits::new(HttpLimits::default()), Instant::now());
        let most = HttpLimits::default().concurrency;
        for caller in 0..most {
            assert_eq!(limits.take(&caller.to_string(), begun), Ok(()));
        }
        assert_eq!(limits.take("one more", begun), Err(TooMuch::OfAll));
        (0..most).for_each(|caller| limits.give_back(&caller.to_string()));
        assert_eq!(limits.in_flight(), 0);
        for caller in 0..4 * CALLERS {
            let (caller, later) = (format!("later {caller}"), begun + Duration::from_secs(60));
            assert_eq!(limits.take(&caller, later), Ok(()));
            limits.give_back(&caller);
            limits.uses().of.values_mut().for_each(|one| one.left = 200.0);
        }
        assert!(limits.uses().of.len() <= CALLERS, "{}", limits.uses().of.len());
    }
}
