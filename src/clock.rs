//! What time it is where the ledger is kept: whoever shares a ledger counts by one clock.
//!
//! What a person agreed to holds for a time, and access ends at one. Where the ledger is in a database, that
//! clock counts, however wrong this machine's own is; elsewhere it is this machine's.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// By how many milliseconds the other clock is ahead of this machine's.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// The time by the clock that counts.
pub fn now() -> Timestamp {
    let own = Timestamp::now();
    let ahead = SignedDuration::from_millis(AHEAD.load(Ordering::Relaxed));
    own.saturating_add(ahead).unwrap_or(own)
}

/// Goes by another clock, which was at `other` when this machine's was at `own`.
pub(crate) fn follow(other: Timestamp, own: Timestamp) {
    let ahead = other.duration_since(own).as_millis();
    AHEAD.store(i64::try_from(ahead).unwrap_or_default(), Ordering::Relaxed);
}

/// How far this machine's clock is behind the one that counts.
pub fn behind() -> SignedDuration {
    SignedDuration::from_millis(AHEAD.load(Ordering::Relaxed))
}
