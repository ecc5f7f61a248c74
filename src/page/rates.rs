//! How often somebody may try, so that neither an issuer nor the ledger is kept busy by one browser.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is left to each of what they may do.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, Left>>);

/// How much of one thing may be done at once, and how much more each second.
#[derive(Clone, Copy)]
pub(super) struct Rate {
    burst: f64,
    each_second: f64,
}

struct Left {
    now: f64,
    at: Instant,
    rate: Rate,
}

/// Log-ins of everybody that an issuer is asked about: whose browser it is, nobody knows before.
pub(super) const LOGINS: Rate = Rate { burst: 200.0, each_second: 20.0 };
/// Forms of one person.
pub(super) const FORMS: Rate = Rate { burst: 30.0, each_second: 0.5 };
/// More people than decide at a time; then those are forgotten who have done nothing for a while.
const MOST: usize = 10_000;

impl Rates {
    /// Takes one.
    ///
    /// # Errors
    /// It is too much; in how many seconds the next may come.
    pub(super) fn take(&self, who: &str, rate: Rate, now: Instant) -> Result<(), u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(who) {
            all.retain(|_, left| left.at_time(now) < left.rate.burst);
        }
        let left = all.entry(who.to_owned()).or_insert(Left { now: rate.burst, at: now, rate });
        (left.now, left.at) = (left.at_time(now), now);
        if left.now < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - left.now) / rate.each_second);
            return Err(wait.as_secs() + 1);
        }
        left.now -= 1.0;
        Ok(())
    }
}

impl Rate {
    /// As many as may come in so many seconds.
    pub(super) fn most_in(self, seconds: i64) -> u64 {
        let all = self.burst
            + self.each_second * Duration::from_secs(seconds.unsigned_abs()).as_secs_f64();
        Duration::from_secs_f64(all).as_secs()
    }
}

impl Left {
    fn at_time(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.now + passed * self.rate.each_second).min(self.rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_at_once_and_more_with_time_and_each_by_themselves() {
        let (rates, begun) = (Rates::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        for _ in 0..30 {
            assert_eq!(rates.take("ada", FORMS, begun), Ok(()));
        }
        assert_eq!(rates.take("ada", FORMS, begun), Err(3));
        assert_eq!(rates.take("eve", FORMS, begun), Ok(()), "another's are another's");
        assert_eq!(rates.take("ada", FORMS, after(1)), Err(2));
        assert_eq!(rates.take("ada", FORMS, after(2)), Ok(()));
        assert_eq!(rates.take("ada", FORMS, after(2)), Err(3));
        for _ in 0..30 {
            assert_eq!(rates.take("ada", FORMS, after(1_000)), Ok(()), "no more than at the first");
        }
        assert!(rates.take("ada", FORMS, after(1_000)).is_err());
        let at_once = (0..1_000).filter(|_| rates.take("", LOGINS, begun).is_ok()).count();
        assert_eq!(at_once, 200);
    }

    #[test]
    fn few_are_remembered() {
        let (rates, begun) = (Rates::default(), Instant::now());
        for number in 0..3 * MOST {
            let late = begun + Duration::from_secs(60 * number as u64);
            assert!(rates.take(&number.to_string(), FORMS, late).is_ok());
        }
        assert!(rates.0.lock().unwrap().len() <= MOST);
    }
}
