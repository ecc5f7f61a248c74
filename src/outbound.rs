//! Attempts: sign, send, decide.
//!
//! The retry rule is one pure function, `next`; the loops obey it. A read may be asked again. A
//! write is sent again only after an answer that says it was not done: 401 and 429. A write whose
//! fate is unclear is never sent again; the desk reads it back.

mod address;
pub mod auth;
#[cfg(feature = "otel")]
mod courier;
mod frozen;
mod network;
mod pace;
mod progress;
mod reply;
mod shown;
mod urgency;
mod wire;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

#[cfg(feature = "otel")]
pub use courier::Courier;
pub use frozen::Frozen;
pub use network::network;
pub use pace::{KeptByAll, Pace};
pub use progress::{Listener, telling};
pub use reply::{Attempt, Reply, refusal};
pub use urgency::{Line, Rank, Spot, Urgency, urgent};
pub use wire::{Posted, Wire, post};

use crate::control::permit::Opened;
use crate::draft::{Base, Query};
use crate::failure::{Failure, Kind};
use crate::observe::Leg;
use auth::{AuthError, Authorize};
use progress::tell;

/// The longest one attempt may take, reading the answer included; making its signature may take
/// as long again.
pub const ATTEMPT: Duration = Duration::from_secs(20);
/// The longest a whole call may take; clients give up at 60 seconds.
pub const CALL: Duration = Duration::from_secs(55);
/// Kept back from a write for reading it back.
pub const READ_BACK: Duration = Duration::from_secs(10);

/// Where a vendor lives and how to prove to it who is asking.
pub struct Account {
    pub base: Base,
    pub authorize: Box<dyn Authorize>,
    pub pace: Pace,
}

/// When a call must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

/// What became of a write that was permitted and recorded.
#[derive(Debug)]
pub enum Fate {
    /// The vendor answered something other than a failure of its own.
    Answered(Reply),
    /// The vendor never got it, or said it did nothing with it.
    NotDone(Failure),
    /// It may have happened.
    Unclear { trouble: String, status: Option<u16> },
}

/// What the retry rule decides.
#[derive(Debug, PartialEq)]
enum Next {
    Done,
    Again { after: Duration, fresh: bool },
}

/// What the retry rule knows: nothing else may matter.
#[derive(Clone, Copy, Debug)]
struct Tries {
    write: bool,
    made: u32,
    refused_before: bool,
    left: Duration,
    /// Uniform in `0.0..1.0`.
    jitter: f64,
}

/// How one signed attempt ended.
#[derive(Debug)]
enum Tried {
    /// Not even tried: the vendor's rate limit leaves no room before the deadline.
    Early(Duration),
    Unsigned(AuthError),
    Sent(Attempt),
}

const MOST_TRIES: u32 = 4;
const STALLED: &str = "the answer took too long";

impl Deadline {
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Asks a vendor a question, again where that can help, until `deadline`.
///
/// # Errors
/// Every way a read can fail, sorted by whose problem it is.
pub async fn read(
    account: &Account,
    wire: &Wire,
    query: &Query,
    deadline: Deadline,
) -> Result<Reply, Failure> {
    let frozen = Frozen::read(&account.base, query)?;
    match persist(account, wire, &frozen, deadline, false).await {
        Tried::Early(wait) => Err(early(account.base.host(), wait)),
        Tried::Unsigned(error) => Err(error.failure()),
        Tried::Sent(Attempt::Reply(reply)) if reply.is_success() => Ok(reply),
        Tried::Sent(Attempt::Reply(reply)) => Err(refusal(&reply, account.base.host())),
        Tried::Sent(Attempt::NotSent(trouble)) => Err(unreachable(account.base.host(), &trouble)),
        Tried::Sent(Attempt::Unready(trouble)) => Err(unready(account.base.host(), &trouble)),
        Tried::Sent(Attempt::Broken(trouble)) => Err(broken(account.base.host(), &trouble)),
        Tried::Sent(Attempt::Stalled) => Err(broken(account.base.host(), STALLED)),
        Tried::Sent(Attempt::Oversized) => Err(Failure::garbled(oversized())),
    }
}

/// Sends a write that the guard permitted and the ledger opened: the only way one leaves.
pub async fn write(account: &Account, wire: &Wire, opened: &Opened, deadline: Deadline) -> Fate {
    let Some(draft) = opened.draft() else {
        return Fate::NotDone(Failure::invalid("there is nothing to send"));
    };
    let frozen = match Frozen::write(&account.base, draft) {
        Ok(frozen) => frozen,
        Err(failure) => return Fate::NotDone(failure),
    };
    let deadline = Deadline::after(deadline.left().saturating_sub(READ_BACK));
    if deadline.left().is_zero() {
        let failure = Failure::new(Kind::Unavailable, "no time was left to send this safely");
        return Fate::NotDone(failure.hint("nothing was sent; ask again, for fewer items at once"));
    }
    let host = account.base.host();
    match persist(account, wire, &frozen, deadline, true).await {
        Tried::Early(wait) => Fate::NotDone(early(host, wait)),
        Tried::Unsigned(error) => Fate::NotDone(error.failure()),
        Tried::Sent(Attempt::NotSent(trouble)) => Fate::NotDone(unreachable(host, &trouble)),
        Tried::Sent(Attempt::Unready(trouble)) => Fate::NotDone(unready(host, &trouble)),
        Tried::Sent(Attempt::Broken(trouble)) => Fate::Unclear { trouble, status: None },
        Tried::Sent(Attempt::Stalled) => {
            Fate::Unclear { trouble: STALLED.to_owned(), status: None }
        }
        Tried::Sent(Attempt::Oversized) => Fate::Unclear { trouble: oversized(), status: None },
        Tried::Sent(Attempt::Reply(reply)) if reply.says_nothing() => {
            Fate::Unclear { trouble: reply.describe(host), status: Some(reply.status) }
        }
        Tried::Sent(Attempt::Reply(reply)) if reply.status == 429 => {
            Fate::NotDone(refusal(&reply, host))
        }
        Tried::Sent(Attempt::Reply(reply)) => Fate::Answered(reply),
    }
}

fn early(host: &str, wait: Duration) -> Failure {
    let wait = wait.as_secs() + 1;
    Failure::new(Kind::RateLimited, format!("{host} takes no more requests for {wait} s"))
        .hint("its rate is used up, or it asked for a pause; nothing was sent, try again then")
}

fn oversized() -> String {
    format!("the vendor's answer is longer than {} bytes", wire::LARGEST)
}

fn unreachable(host: &str, trouble: &str) -> Failure {
    let hint = if trouble.contains("certificate") {
        "its certificate is not accepted here: check the address and this machine's clock, or name \
         the authority that signed it in SSL_CERT_FILE"
    } else {
        "check the address, the proxy settings and the network, then try again"
    };
    Failure::new(Kind::Unavailable, format!("{host} could not be reached: {trouble}")).hint(hint)
}

fn unready(host: &str, trouble: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("{host} was not asked: {trouble}"))
        .hint("nothing was sent; mend what is named, on this machine")
}

fn broken(host: &str, trouble: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("{host} gave no whole answer: {trouble}"))
        .hint("the vendor or the network has trouble; try again later")
}

async fn persist(
    account: &Account,
    wire: &Wire,
    frozen: &Frozen,
    deadline: Deadline,
    write: bool,
) -> Tried {
    let (mut made, mut refused_before) = (0, false);
    let host = account.base.host();
    loop {
        let requests = if write { account.authorize.requests() } else { NonZeroU32::MIN };
        let (tried, generation) = match account.pace.turn(requests, host, deadline).await {
            Ok(_place) => attempt(account, wire, frozen, deadline, Leg::Attempt(made + 1)).await,
            Err(wait) => (Tried::Early(wait), 0),
        };
        made += 1;
        if let Some(wait) = tried.pause() {
            account.pace.pause(wait).await;
        }
        let jitter = crate::random::unit();
        let tries = Tries { write, made, refused_before, left: deadline.left(), jitter };
        let Next::Again { after, fresh } = next(&tried, tries) else { return tried };
        tracing::debug!(target: "grantor", made, ?after, fresh, "trying again");
        if fresh {
            refused_before = true;
            account.authorize.forget(generation).await;
        }
        if after >= Duration::from_secs(1) {
            let trouble = tried.trouble();
            tell(|| format!("asking {host} again in {} s: {trouble}", after.as_secs()));
        }
        tokio::time::sleep(after).await;
    }
}

async fn attempt(
    account: &Account,
    wire: &Wire,
    frozen: &Frozen,
    deadline: Deadline,
    leg: Leg,
) -> (Tried, u64) {
    // Signing may take requests of its own, so it has a limit of its own.
    let signing = account.authorize.sign(frozen, wire);
    match tokio::time::timeout(deadline.left().min(ATTEMPT), signing).await {
        Err(_) => {
            let trouble = "the credential could not be made in time".to_owned();
            (Tried::Unsigned(AuthError::Unreachable(trouble)), 0)
        }
        Ok(Err(error)) => (Tried::Unsigned(error), 0),
        Ok(Ok(signed)) => {
            let generation = signed.generation();
            let limit = deadline.left().min(ATTEMPT);
            if limit.is_zero() {
                // A process that stood still meanwhile may have lost its turn to another.
                let trouble = "this machine stood still until it was too late".to_owned();
                return (Tried::Sent(Attempt::Unready(trouble)), generation);
            }
            (Tried::Sent(wire.send(signed, limit, leg).await), generation)
        }
    }
}

impl Tried {
    /// How long the vendor asks everybody to wait.
    fn pause(&self) -> Option<Duration> {
        match self {
            Self::Sent(Attempt::Reply(reply)) if reply.status == 429 => reply.retry_after,
            Self::Unsigned(AuthError::Throttled { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// Why it is tried again, in a few words.
    fn trouble(&self) -> String {
        match self {
            Self::Sent(Attempt::Reply(reply)) => format!("it answered {}", reply.status),
            Self::Unsigned(_) => "no credential could be had".to_owned(),
            _ => "it gave no whole answer".to_owned(),
        }
    }
}

/// The retry rule.
fn next(tried: &Tried, tries: Tries) -> Next {
    if tries.made >= MOST_TRIES {
        return Next::Done;
    }
    let backoff =
        Duration::from_millis(200 * 4_u64.pow(tries.made - 1)).mul_f64(0.5 + tries.jitter);
    let wait = |after: Duration| {
        if after < tries.left { Next::Again { after, fresh: false } } else { Next::Done }
    };
    match tried {
        Tried::Unsigned(AuthError::Refused { status: 401, .. }) => once_more(tries),
        Tried::Sent(Attempt::Reply(reply)) if reply.status == 401 => once_more(tries),
        Tried::Sent(Attempt::Reply(reply)) if reply.status == 429 => {
            wait(reply.retry_after.unwrap_or(backoff * 2))
        }
        Tried::Unsigned(AuthError::Throttled { retry_after, .. }) => {
            wait(retry_after.unwrap_or(backoff * 2))
        }
        Tried::Early(_) => Next::Done,
        _ if tries.write => Next::Done,
        Tried::Unsigned(AuthError::Unreachable(_)) => wait(backoff),
        Tried::Sent(Attempt::NotSent(_) | Attempt::Broken(_)) => wait(backoff),
        Tried::Sent(Attempt::Reply(reply)) if matches!(reply.status, 500 | 502 | 503 | 504) => {
            wait(reply.retry_after.unwrap_or(backoff))
        }
        _ => Next::Done,
    }
}

fn once_more(tries: Tries) -> Next {
    if tries.refused_before {
        Next::Done
    } else {
        Next::Again { after: Duration::ZERO, fresh: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<u64>) -> Tried {
        let retry_after = retry_after.map(Duration::from_secs);
        Tried::Sent(Attempt::Reply(Reply { status, retry_after, ..Reply::default() }))
    }

    fn rule(tried: &Tried, write: bool, made: u32, refused_before: bool) -> Next {
        let left = Duration::from_secs(40);
        next(tried, Tries { write, made, refused_before, left, jitter: 0.5 })
    }

    #[test]
    fn a_write_is_sent_again_only_when_the_vendor_did_nothing() {
        let broken = || Tried::Sent(Attempt::Broken("reset".to_owned()));
        let not_sent = || Tried::Sent(Attempt::NotSent("refused".to_owned()));
        for tried in [
            reply(500, None),
            reply(503, Some(1)),
            reply(200, None),
            reply(403, None),
            reply(302, None),
            broken(),
            not_sent(),
        ] {
            assert_eq!(rule(&tried, true, 1, false), Next::Done, "{tried:?}");
        }
        let again = Next::Again { after: Duration::ZERO, fresh: true };
        assert_eq!(rule(&reply(401, None), true, 1, false), again);
        assert_eq!(rule(&reply(401, None), true, 2, true), Next::Done);
        let later = Next::Again { after: Duration::from_secs(7), fresh: false };
        assert_eq!(rule(&reply(429, Some(7)), true, 1, false), later);
        let retry_after = Some(Duration::from_secs(7));
        let throttled = AuthError::Throttled { message: String::new(), retry_after };
        assert_eq!(rule(&Tried::Unsigned(throttled), true, 1, false), later);
        let down = Tried::Unsigned(AuthError::Unreachable(String::new()));
        assert_eq!(rule(&down, true, 1, false), Next::Done);
    }

    #[test]
    fn a_read_is_asked_again_a_few_times_and_never_past_the_deadline() {
        for tried in [
            reply(502, None),
            Tried::Sent(Attempt::Broken("reset".to_owned())),
            Tried::Unsigned(AuthError::Unreachable("down".to_owned())),
        ] {
            assert!(matches!(rule(&tried, false, 1, false), Next::Again { .. }), "{tried:?}");
            assert_eq!(rule(&tried, false, MOST_TRIES, false), Next::Done);
        }
        assert_eq!(rule(&reply(429, Some(41)), false, 1, false), Next::Done);
        assert_eq!(rule(&reply(404, None), false, 1, false), Next::Done);
        assert_eq!(rule(&Tried::Sent(Attempt::Stalled), false, 1, false), Next::Done);
    }

    #[test]
    fn a_pause_that_the_vendor_asks_for_is_everybodys() {
        assert_eq!(reply(429, Some(7)).pause(), Some(Duration::from_secs(7)));
        assert_eq!(reply(429, None).pause(), None);
        assert_eq!(reply(503, Some(7)).pause(), None, "trouble of its own is one call's");
    }
}
