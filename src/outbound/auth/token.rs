//! Tokens that are fetched: kept until they expire, fetched by one caller at a time.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{AuthError, Authorize, Signed, Trial, claims};
use crate::outbound::{Frozen, Wire};

/// A way to get tokens.
pub trait Issuer: Send + Sync {
    fn issue(&self, wire: &Wire) -> impl Future<Output = Result<Issued, AuthError>> + Send;

    /// What proves who we are and is itself sent, if anything is: no answer may repeat it.
    fn sent(&self) -> impl Future<Output = Option<SecretString>> + Send {
        std::future::ready(None)
    }

    /// As [`Authorize::trials`], of the one secret there is.
    fn trial(&self) -> impl Future<Output = Trial> + Send;

    /// Forgets what proved who we are, so that it is read again.
    fn forget(&self) -> impl Future<Output = ()> + Send;
}

/// A bearer token that is fetched when there is none in use.
pub struct Fetched<I> {
    issuer: I,
    tokens: Tokens,
}

/// A token endpoint's answer, as OAuth 2.0 words it. `expires_in` is in seconds.
#[derive(Deserialize)]
pub struct Issued {
    access_token: SecretString,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<f64>,
}

/// Some endpoints write the number as text; what is neither says nothing.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()))
}

/// The token in use, if any, and how many there have been.
#[derive(Default)]
struct Tokens(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    generation: u64,
    token: Option<Kept>,
    failed: Option<(Instant, AuthError)>,
}

struct Kept {
    token: SecretString,
    until: Instant,
}

/// How long a token is used whose endpoint did not say; a 401 ends it sooner.
const UNSAID: Duration = Duration::from_secs(60);
/// Renewed this long before its end, or a tenth of its life where that is less.
const EARLY: Duration = Duration::from_secs(10);

impl<I> Fetched<I> {
    pub fn new(issuer: I) -> Self {
        Self { issuer, tokens: Tokens::default() }
    }
}

impl<I: Issuer> Authorize for Fetched<I> {
    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        wire: &'a Wire,
    ) -> BoxFuture<'a, Result<Signed, AuthError>> {
        Box::pin(async move {
            let (token, generation) = self.tokens.get(self.issuer.issue(wire)).await?;
            let signed = Signed::bare(request.clone()).header("authorization", "Bearer ", &token);
            let sent = self.issuer.sent().await;
            Ok(sent.iter().fold(signed, Signed::hiding).of(generation))
        })
    }

    fn trials(&self) -> BoxFuture<'_, Vec<Trial>> {
        Box::pin(async move { vec![self.issuer.trial().await] })
    }

    fn forget(&self, generation: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.tokens.forget(generation).await {
                self.issuer.forget().await;
            }
        })
    }

    fn claims<'a>(&'a self, wire: &'a Wire) -> BoxFuture<'a, Option<Value>> {
        Box::pin(async move {
            let (token, _) = self.tokens.get(self.issuer.issue(wire)).await.ok()?;
            claims(&token)
        })
    }
}

impl Tokens {
    /// The token in use, or a fresh one from `fetch`. Callers that wait while another fetches
    /// share its result, also when it fails.
    async fn get(
        &self,
        fetch: impl Future<Output = Result<Issued, AuthError>>,
    ) -> Result<(SecretString, u64), AuthError> {
        let asked = Instant::now();
        let mut slot = self.0.lock().await;
        if let Some(kept) = &slot.token
            && Instant::now() < kept.until
        {
            return Ok((kept.token.clone(), slot.generation));
        }
        if let Some((at, error)) = &slot.failed
            && *at >= asked
        {
            return Err(error.clone());
        }
        match fetch.await {
            Ok(issued) => {
                slot.generation += 1;
                let until = Instant::now() + issued.expires_in.map_or(UNSAID, usable);
                slot.token = Some(Kept { token: issued.access_token.clone(), until });
                Ok((issued.access_token, slot.generation))
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Drops the token of this generation; whether it was still the one in use.
    async fn forget(&self, generation: u64) -> bool {
        let mut slot = self.0.lock().await;
        let current = slot.generation == generation;
        if current {
            slot.token = None;
        }
        current
    }
}

fn usable(seconds: f64) -> Duration {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX / 4);
    // A life that overflows the clock is as good as none stated beyond a day.
    let whole = whole.min(Duration::from_hours(24 * 30));
    whole - EARLY.min(whole / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn issued(seconds: f64) -> Result<Issued, AuthError> {
        Ok(Issued { access_token: "t".into(), expires_in: Some(seconds) })
    }

    #[tokio::test]
    async fn a_token_is_reused_until_it_expires_or_is_forgotten() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        let get = |seconds| {
            tokens.get({
                let fetched = &fetched;
                async move {
                    fetched.fetch_add(1, SeqCst);
                    issued(seconds)
                }
            })
        };
        let (_, first) = get(3600.0).await.unwrap();
        get(3600.0).await.unwrap();
        assert_eq!(fetched.load(SeqCst), 1);
        assert!(tokens.forget(first).await);
        get(0.0).await.unwrap();
        assert!(!tokens.forget(first).await, "somebody renewed it since");
        get(3600.0).await.unwrap();
        assert_eq!(fetched.load(SeqCst), 3, "a token with no life left is not used again");
    }

    #[test]
    fn a_life_is_a_number_or_the_text_of_one() {
        for (said, life) in [("3599", Some(3599.0)), ("\"3599\"", Some(3599.0)), ("\"soon\"", None)]
        {
            let answer = format!(r#"{{"access_token":"t","expires_in":{said}}}"#);
            let issued: Issued = serde_json::from_str(&answer).unwrap();
            assert_eq!(issued.expires_in, life, "{said}");
        }
    }

    #[tokio::test]
    async fn those_who_wait_share_one_fetch_and_one_failure() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        let slow = || async {
            fetched.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err::<Issued, _>(AuthError::Unreachable("down".to_owned()))
        };
        let all = tokio::join!(tokens.get(slow()), tokens.get(slow()), tokens.get(slow()));
        assert!(all.0.is_err() && all.1.is_err() && all.2.is_err());
        assert_eq!(fetched.load(SeqCst), 1);
        let _ = tokens.get(slow()).await;
        assert_eq!(fetched.load(SeqCst), 2, "a later caller tries again");
    }

    #[test]
    fn a_token_is_renewed_a_little_early() {
        assert_eq!(usable(300.0), Duration::from_secs(290));
        assert_eq!(usable(10.0), Duration::from_secs(9));
        assert_eq!(usable(-5.0), Duration::ZERO);
        assert_eq!(usable(f64::MAX), Duration::from_hours(24 * 30) - EARLY);
    }
}
