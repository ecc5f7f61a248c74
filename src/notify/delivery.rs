//! One endpoint's notices, one after the other: tried, tried again later, or given up.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::outbox::{Failing, Outbox};
use super::settings::{Endpoint, Kind};
use super::{Link, Notifier, Trouble, message, signature};
use crate::failure::Failure;
use crate::ledger::{Ledger, Noted};
use crate::outbound::{Posted, post};

/// What is to be done after a try. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// It was taken.
    Told,
    /// The endpoint does not want any more.
    Gone,
    /// It is tried again at that time.
    Later(Timestamp),
    /// This one is left out, and the next is tried at that time.
    GiveUp(Timestamp),
}

/// The wait after the first failure, which doubles, up to the longest.
const FIRST: SignedDuration = SignedDuration::from_secs(5);
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// The longest that an endpoint may put itself off.
const LONGEST_ASKED: SignedDuration = SignedDuration::from_hours(24);
/// How long a notice is tried.
const PATIENCE: SignedDuration = SignedDuration::from_hours(72);
/// The most that is told in one pass: others may want the right to.
const AT_ONCE: usize = 500;

impl Notifier {
    /// Tells one endpoint what waits for it; why not, where it was not told.
    pub(super) async fn deliver_to(
        &self,
        endpoint: &Endpoint,
        ledger: &Ledger,
        link: Link<'_>,
    ) -> Option<Trouble> {
        let told = self.deliver_all(endpoint, ledger, link).await;
        let why = told.unwrap_or_else(|failure| Some(failure.message))?;
        Some(Trouble { endpoint: endpoint.name.clone(), why })
    }

    async fn deliver_all(
        &self,
        endpoint: &Endpoint,
        ledger: &Ledger,
        link: Link<'_>,
    ) -> Result<Option<String>, Failure> {
        let mut outbox = Outbox::open(&self.dir, endpoint, ledger, (self.clock)()).await?;
        if self.is_gone(endpoint) {
            return Ok(Some(GONE.to_owned()));
        }
        for _ in 0..AT_ONCE {
            if !outbox.fill(endpoint, ledger, (self.clock)()).await? {
                break;
            }
            let failing = outbox.failing.clone();
            if let Some(failing) = failing.filter(|failing| failing.next > (self.clock)()) {
                return Ok(Some(failing.why));
            }
            let Some(noted) = outbox.waiting.front().cloned() else { break };
            let (posted, fingerprint) = match endpoint.address().await {
                Ok(url) => {
                    let fingerprint = endpoint.fingerprint(&url);
                    if outbox.gone.as_ref() == Some(&fingerprint) {
                        return Ok(Some(self.gone(endpoint)));
                    }
                    (self.post(endpoint, &url, &noted, link).await, fingerprint)
                }
                Err(why) => (Err(why), String::new()),
            };
            let settled = self.settle(endpoint, &mut outbox, (&noted, posted), fingerprint).await?;
            if settled.is_some() {
                return Ok(settled);
            }
        }
        Ok(None)
    }

    /// Whether it has said so to this process, whose settings do not change, or before.
    fn is_gone(&self, endpoint: &Endpoint) -> bool {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).contains(&endpoint.name)
    }

    fn gone(&self, endpoint: &Endpoint) -> String {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.name.clone());
        GONE.to_owned()
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        url: &url::Url,
        noted: &Noted,
        link: Link<'_>,
    ) -> Result<Posted, String> {
        let link = noted.receipt.as_deref().and_then(link);
        let body = message::body(noted, endpoint.kind, endpoint.detail, link.as_deref());
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if endpoint.kind == Kind::Webhook {
            let (id, seconds) = (message::id(noted), (self.clock)().as_second());
            let keys = endpoint.keys().await?;
            headers.push(("webhook-signature", signature::sign(&keys, &id, seconds, &body)));
            headers.push(("webhook-timestamp", seconds.to_string()));
            headers.push(("webhook-id", id));
        }
        let way = (endpoint.allow_private, endpoint.through_proxy);
        let posted = post(url, &headers, body, way).await;
        tracing::debug!(
            target: "grantor",
            endpoint = endpoint.name,
            what = noted.what.as_str(),
            receipt = noted.receipt,
            posted = ?posted,
            "a notice was sent"
        );
        posted
    }

    /// Keeps what became of a try; why the endpoint is left for now, where it is.
    async fn settle(
        &self,
        endpoint: &Endpoint,
        outbox: &mut Outbox,
        (noted, posted): (&Noted, Result<Posted, String>),
        fingerprint: String,
    ) -> Result<Option<String>, Failure> {
        let now = (self.clock)();
        let why = words(&posted);
        let next = next(&posted, outbox.failing.as_ref(), noted.time, (now, crate::random::unit()));
        let (name, receipt) = (&endpoint.name, &noted.receipt);
        match &next {
            Next::Told => {
                outbox.waiting.pop_front();
                (outbox.failing, outbox.gone) = (None, None);
                (outbox.told, outbox.last) = (outbox.told + 1, Some(now));
            }
            Next::Gone => {
                outbox.gone = Some(fingerprint);
                outbox.failing = None;
            }
            Next::Later(at) | Next::GiveUp(at) => {
                let before = outbox.failing.take();
                let (since, tries) =
                    before.map_or((now, 0), |failing| (failing.since, failing.tries));
                let tries = tries.saturating_add(1);
                outbox.failing = Some(Failing { since, tries, next: *at, why: why.clone() });
                outbox.failed += 1;
                // What is refused may be signed with what was replaced.
                for secret in endpoint.secrets.iter().chain([&endpoint.url]) {
                    secret.forget().await;
                }
            }
        }
        if let Next::GiveUp(_) = next {
            outbox.waiting.pop_front();
            outbox.given_up += 1;
            let what = noted.what.as_str();
            tracing::warn!(endpoint = name, receipt, what, why, "a notice was given up");
        }
        outbox.save().await?;
        Ok(match next {
            Next::Told => None,
            Next::Gone => Some(self.gone(endpoint)),
            Next::Later(_) | Next::GiveUp(_) => Some(why),
        })
    }
}

const GONE: &str = "it said that it is gone (410), and is told nothing until its settings change";

/// What a try came to, in words.
fn words(posted: &Result<Posted, String>) -> String {
    match posted {
        Ok(Posted::Answered { status: 300..=399, .. }) => {
            "it answered with another address, which is not followed".to_owned()
        }
        Ok(Posted::Answered { status, .. }) => format!("it answered {status}"),
        Ok(Posted::Lost(why)) | Err(why) => why.clone(),
    }
}

/// What follows from a try, at a time and with a chance from 0 to 1.
fn next(
    posted: &Result<Posted, String>,
    failing: Option<&Failing>,
    come: Timestamp,
    (now, chance): (Timestamp, f64),
) -> Next {
    let asked = match posted {
        Ok(Posted::Answered { status: 200..=299, .. }) => return Next::Told,
        Ok(Posted::Answered { status: 410, .. }) => return Next::Gone,
        Ok(Posted::Answered { wait, .. }) => wait.unwrap_or_default(),
        Ok(Posted::Lost(_)) | Err(_) => Duration::ZERO,
    };
    let tries = failing.map_or(0, |failing| failing.tries).min(20);
    let usual = FIRST.saturating_mul(2_i32.saturating_pow(tries)).min(LONGEST);
    // Not all of them at the same moment, and none sooner than it asked.
    let usual = SignedDuration::try_from_secs_f64(usual.as_secs_f64() * (0.75 + chance / 4.0));
    let usual = usual.unwrap_or(LONGEST);
    let asked = SignedDuration::try_from(asked).unwrap_or(LONGEST_ASKED).min(LONGEST_ASKED);
    let at = now.checked_add(usual.max(asked)).unwrap_or(now);
    let is_old = now.duration_since(come) >= PATIENCE;
    let since = failing.map_or(now, |failing| failing.since);
    match is_old && now.duration_since(since) >= PATIENCE {
        true => Next::GiveUp(at),
        false => Next::Later(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, wait: Option<u64>) -> Result<Posted, String> {
        Ok(Posted::Answered { status, wait: wait.map(Duration::from_secs) })
    }

    #[test]
    fn what_follows_a_try_is_a_table() {
        let now: Timestamp = "2027-01-31T18:00:00Z".parse().unwrap();
        let hours = |hours: i64| now - SignedDuration::from_hours(hours);
        let failing = |since, tries| Some(Failing { since, tries, next: now, why: String::new() });
        let later = |seconds| Next::Later(now + SignedDuration::from_secs(seconds));
        let lost = || Ok(Posted::Lost("x".to_owned()));
        for (posted, failing, come, expected) in [
            (answered(200, None), None, now, Next::Told),
            (answered(204, None), failing(hours(90), 40), hours(90), Next::Told),
            (answered(410, None), None, now, Next::Gone),
            (answered(500, None), None, now, later(5)),
            (answered(400, None), failing(hours(0), 1), now, later(10)),
            (answered(302, None), failing(hours(0), 2), now, later(20)),
            (lost(), failing(hours(1), 30), now, later(3600)),
            (Err("no address".to_owned()), None, now, later(5)),
            (answered(429, Some(120)), None, now, later(120)),
            (answered(503, Some(1)), failing(hours(0), 4), now, later(80)),
            (answered(429, Some(9_000_000)), None, now, later(86_400)),
            // Three days, of the notice and of the trouble: what waited while nobody sent is tried.
            (lost(), failing(hours(71), 70), hours(90), later(3600)),
            (lost(), failing(hours(90), 90), hours(71), later(3600)),
            (lost(), None, hours(90), later(5)),
            (lost(), failing(hours(72), 70), hours(72), Next::GiveUp(hours(-1))),
        ] {
            let shown = format!("{posted:?} {failing:?} {come}");
            assert_eq!(next(&posted, failing.as_ref(), come, (now, 1.0)), expected, "{shown}");
        }
        let spread = next(&lost(), None, now, (now, 0.0));
        assert_eq!(spread, Next::Later(now + SignedDuration::from_millis(3_750)));
    }
}
