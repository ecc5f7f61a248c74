//! What time it is where the ledger is kept: whoever shares a ledger counts by one clock.
//!
//! What a person agreed to holds for a time, and access ends at one. Where the ledger is in a database, that
//! clock counts, however wrong this machine's own is or becomes; elsewhere it is this machine's.

use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// What the other clock said, and when that was by one that nobody sets.
static OTHER: RwLock<Option<(Timestamp, Instant)>> = RwLock::new(None);

/// The time by the clock that counts.
pub fn now() -> Timestamp {
    let known = *OTHER.read().unwrap_or_else(PoisonError::into_inner);
    let other = known.and_then(|(then, at)| {
        let since = SignedDuration::try_from(at.elapsed()).ok()?;
        then.checked_add(since).ok()
    });
    other.unwrap_or_else(Timestamp::now)
}

/// Goes by another clock, which said this at that moment.
pub(crate) fn follow(said: Timestamp, at: Instant) {
    *OTHER.write().unwrap_or_else(PoisonError::into_inner) = Some((said, at));
}

/// How far this machine's clock is behind the one that counts.
pub fn behind() -> SignedDuration {
    now().duration_since(Timestamp::now())
}
