//! Seals: what a browser holds for us and brings back is our own, and unchanged. They are this process's, or those of
//! all replicas that share a ledger.

use std::sync::OnceLock;

use aws_lc_rs::hmac;

use crate::identity::Once;
use crate::{random, text};

/// Seals that are good for as long as this process runs, or where replicas share a key, as long as that is the same.
#[derive(Default)]
pub(super) struct Seals(OnceLock<hmac::Key>);

/// A log-in that a browser has begun: it holds this, and nobody else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    secret: String,
    /// When it is too late, in seconds since 1970.
    until: i64,
    /// What the configuration calls the issuer.
    pub(super) issuer: String,
    /// Where whoever logs in wanted to go.
    pub(super) to: String,
}

/// How long a log-in may take.
const LOGIN: i64 = 15 * 60;

impl Seals {
    /// Seals by a key that others have as well, before the first one is made.
    pub(super) fn share(&self, key: &hmac::Key) {
        let _ = self.0.set(key.clone());
    }

    fn over(&self, parts: &[&str]) -> String {
        let own = || {
            let secret = [random::id(), random::id()].concat();
            hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
        };
        over(self.0.get_or_init(own), parts)
    }

    /// The seal of a form about a request, for one session and the question that it shows.
    pub(super) fn of_form(&self, session: &str, receipt: &str, digest: &str) -> String {
        self.over(&["form", session, receipt, digest])
    }

    pub(super) fn is_of_form(
        &self,
        seal: &str,
        session: &str,
        receipt: &str,
        digest: &str,
    ) -> bool {
        same(&self.of_form(session, receipt, digest), seal)
    }

    /// What is good for the one log-in that is begun so.
    pub(super) fn once(&self, begun: &Begun) -> Once {
        let kept = begun.kept();
        let of = |what| self.over(&[what, &kept]);
        Once { state: of("state"), nonce: of("nonce"), verifier: of("verifier") }
    }
}

impl Begun {
    pub(super) fn now(issuer: &str, to: &str, now: i64) -> Self {
        let (issuer, to) = (issuer.to_owned(), to.to_owned());
        Self { secret: random::id(), until: now + LOGIN, issuer, to }
    }

    /// The secret of it, and when it is too late for it.
    pub(super) fn mark(&self) -> (&str, i64) {
        (&self.secret, self.until)
    }

    /// As a cookie keeps it.
    pub(super) fn kept(&self) -> String {
        let Self { secret, until, issuer, to } = self;
        format!("{secret}.{until}.{}.{}", text::hex(issuer.as_bytes()), text::hex(to.as_bytes()))
    }

    /// What a cookie keeps, where it is not too late. Whether it was begun here the state says, which is over
    /// all of it.
    pub(super) fn of_kept(kept: &str, now: i64) -> Option<Self> {
        let [secret, until, issuer, to] =
            <[&str; 4]>::try_from(kept.split('.').collect::<Vec<_>>()).ok()?;
        let begun = Self {
            secret: secret.to_owned(),
            until: until.parse().ok()?,
            issuer: unhexed(issuer)?,
            to: unhexed(to)?,
        };
        (begun.until >= now).then_some(begun)
    }
}

fn unhexed(text: &str) -> Option<String> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits?;
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect();
    String::from_utf8(bytes?).ok()
}

/// A seal over parts, in hexadecimal.
pub(super) fn over(key: &hmac::Key, parts: &[&str]) -> String {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        // Each with its length before it: no two lists of parts are one text.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    text::hex(context.sign().as_ref())
}

pub(super) fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_of_one_session_one_request_and_one_question() {
        let (seals, other) = (Seals::default(), Seals::default());
        let seal = seals.of_form("s", "gr-1", "d");
        for (seals, session, receipt, digest, is) in [
            (&seals, "s", "gr-1", "d", true),
            (&seals, "t", "gr-1", "d", false),
            (&seals, "s", "gr-2", "d", false),
            (&seals, "s", "gr-1", "e", false),
            (&seals, "sg", "r-1", "d", false),
            (&other, "s", "gr-1", "d", false),
        ] {
            let found = seals.is_of_form(&seal, session, receipt, digest);
            assert_eq!(found, is, "{session} {receipt} {digest}");
        }
        assert!(!seals.is_of_form("", "s", "gr-1", "d"));
    }

    #[test]
    fn a_log_in_is_bound_to_all_that_its_browser_keeps() {
        let seals = Seals::default();
        let begun = Begun::now("company", "/inbox/gr-1?a=ü", 100);
        assert_eq!(Begun::of_kept(&begun.kept(), 100 + LOGIN), Some(begun.clone()));
        assert_eq!(Begun::of_kept(&begun.kept(), 101 + LOGIN), None, "too late");
        let once = seals.once(&begun);
        let all = [&once.state, &once.nonce, &once.verifier];
        assert!(all.iter().all(|one| one.len() == 64) && once.state != once.nonce);
        for other in [
            Begun { to: "/inbox".to_owned(), ..begun.clone() },
            Begun { issuer: "other".to_owned(), ..begun.clone() },
            Begun { until: begun.until + 1, ..begun.clone() },
            Begun::now("company", "/inbox/gr-1?a=ü", 100),
        ] {
            assert_ne!(seals.once(&other).state, once.state, "{other:?}");
        }
        for odd in ["", "a", "a.b.c.d", "a.1.x.y", "a.99999.6.61", "a.99999.61.61.61"] {
            assert_eq!(Begun::of_kept(odd, 0), None, "{odd}");
        }
    }
}
