//! The keys that an issuer signs with.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::token::Read;
use super::{Clock, IssuerSettings, Rejected};
use crate::draft::Base;
use crate::outbound::{Wire, auth};

/// The keys of one issuer, as last fetched.
pub(super) struct Keys {
    issuer: String,
    jwks: Option<Base>,
    held: Mutex<Held>,
    /// One fetches, and those who wait take what it has found.
    fetching: tokio::sync::Mutex<()>,
    clock: Clock,
}

/// What is held, and since when.
#[derive(Default)]
struct Held {
    keys: Vec<Key>,
    /// When these keys were what the issuer said.
    at: Option<Instant>,
    /// Counts up whenever they are fetched.
    generation: u64,
    /// When a key was last looked for that is not among them.
    sought: Option<Instant>,
    /// Whether that look could not be had.
    is_cut_off: bool,
}

/// A key that may check a signature.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// What is to be done for a token whose key is looked for.
#[derive(Debug, PartialEq)]
enum Next {
    Use(usize),
    Fetch,
    No,
    CannotTell,
}

/// A key that is not held is looked for once in that time, whoever asks for it.
const COOLDOWN: Duration = Duration::from_secs(30);
/// How long keys count after the issuer last said so.
const STALE: Duration = Duration::from_secs(60 * 60);
/// How long one fetch may take, discovery included.
const PATIENCE: Duration = Duration::from_secs(10);
/// More keys than an issuer has.
const MOST: usize = 100;
const DISCOVERY: &str = "/.well-known/openid-configuration";

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl Keys {
    pub(super) fn of(settings: &IssuerSettings, clock: Clock) -> Self {
        let (issuer, jwks) = (settings.issuer.clone(), settings.jwks.clone());
        Self { issuer, jwks, held: Mutex::default(), fetching: tokio::sync::Mutex::new(()), clock }
    }

    /// The key that a token says it is signed with, and of which generation it is.
    pub(super) async fn find(&self, token: &Read, wire: &Wire) -> Result<(Key, u64), Rejected> {
        if self.held().next(token, (self.clock)()) == Next::Fetch {
            let _one = self.fetching.lock().await;
            // Whoever waited here may find that another has fetched meanwhile.
            if self.held().next(token, (self.clock)()) == Next::Fetch {
                let fetched = self.fetched(wire).await;
                self.held().looked(fetched.ok(), (self.clock)());
            }
        }
        let held = self.held();
        match held.next(token, (self.clock)()) {
            Next::Use(at) => {
                let key = held.keys.get(at).cloned().ok_or(Rejected::Unavailable)?;
                Ok((key, held.generation))
            }
            Next::No => Err(Rejected::Invalid("its key is not one of its issuer's")),
            Next::Fetch | Next::CannotTell => Err(Rejected::Unavailable),
        }
    }

    /// Fetches the keys, whatever is held.
    ///
    /// # Errors
    /// They cannot be had; what is held stays.
    pub(super) async fn refresh(&self, wire: &Wire) -> Result<(), String> {
        let _one = self.fetching.lock().await;
        let keys = self.fetched(wire).await?;
        self.held().take(keys, (self.clock)());
        Ok(())
    }

    /// Whether there are keys to check with.
    pub(super) fn are_held(&self) -> bool {
        self.held().counts((self.clock)())
    }

    /// Which keys these are, while they may be used.
    pub(super) fn generation(&self) -> Option<u64> {
        let held = self.held();
        held.counts((self.clock)()).then_some(held.generation)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetched(&self, wire: &Wire) -> Result<Vec<Key>, String> {
        let late = |_| "its answer took too long".to_owned();
        tokio::time::timeout(PATIENCE, self.fetch(wire)).await.map_err(late).flatten()
    }

    async fn fetch(&self, wire: &Wire) -> Result<Vec<Key>, String> {
        let at = match &self.jwks {
            Some(at) => at.clone(),
            None => self.discovered(wire).await?,
        };
        let told = |error: auth::AuthError| error.failure().message;
        let body = auth::document("the issuer's keys", &at, wire).await.map_err(told)?;
        let published: Published =
            serde_json::from_slice(&body).map_err(|_| "its keys cannot be read".to_owned())?;
        let keys: Vec<_> = published.keys.into_iter().take(MOST).filter_map(Key::of).collect();
        if keys.is_empty() {
            return Err("it publishes no key that may check a signature".to_owned());
        }
        Ok(keys)
    }

    async fn discovered(&self, wire: &Wire) -> Result<Base, String> {
        let at = Base::parse(&discovery(&self.issuer))
            .map_err(|trouble| format!("its address {trouble}"))?;
        let told = |error: auth::AuthError| error.failure().message;
        let body = auth::document("the issuer's discovery document", &at, wire).await;
        let found: Discovered = serde_json::from_slice(&body.map_err(told)?)
            .map_err(|_| "its discovery document cannot be read".to_owned())?;
        if found.issuer != self.issuer {
            return Err("its discovery document is another issuer's".to_owned());
        }
        Base::parse(&found.jwks_uri).map_err(|trouble| format!("the address of its keys {trouble}"))
    }
}

/// Where an issuer says what it is.
pub(super) fn discovery(issuer: &str) -> String {
    format!("{}{DISCOVERY}", issuer.trim_end_matches('/'))
}

impl Held {
    /// Whether what is held may still be used.
    fn counts(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| now.saturating_duration_since(at) < STALE)
    }

    /// What to do for a token: pure.
    fn next(&self, token: &Read, now: Instant) -> Next {
        let counts = self.counts(now);
        if counts && let Some(at) = self.position(token) {
            return Next::Use(at);
        }
        let looked = self.sought.is_some_and(|at| now.saturating_duration_since(at) < COOLDOWN);
        match (looked, counts && !self.is_cut_off) {
            (false, _) => Next::Fetch,
            (true, true) => Next::No,
            (true, false) => Next::CannotTell,
        }
    }

    /// The key of a token: the one it names, or the only one that fits where it names none.
    fn position(&self, token: &Read) -> Option<usize> {
        let fits = |key: &Key| key.algorithms.contains(&token.algorithm);
        let is_it = |key: &Key| token.key.is_none() || key.id == token.key;
        let mut all = self.keys.iter().enumerate().filter(|(_, key)| fits(key) && is_it(key));
        let (at, _) = all.next()?;
        (token.key.is_some() || all.next().is_none()).then_some(at)
    }

    fn take(&mut self, keys: Vec<Key>, now: Instant) {
        (self.keys, self.at, self.is_cut_off) = (keys, Some(now), false);
        self.generation += 1;
    }

    /// A key was looked for that was not held.
    fn looked(&mut self, found: Option<Vec<Key>>, now: Instant) {
        self.sought = Some(now);
        match found {
            Some(keys) => self.take(keys, now),
            None => self.is_cut_off = true,
        }
    }
}

impl Key {
    /// A key as it is published, where it may check a signature that counts here.
    fn of(published: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(published).ok()?;
        let common = &jwk.common;
        if common.public_key_use == Some(PublicKeyUse::Encryption) {
            return None;
        }
        let is_for = |all: &Vec<KeyOperations>| all.contains(&KeyOperations::Verify);
        if !common.key_operations.as_ref().is_none_or(is_for) {
            return None;
        }
        let mut algorithms = algorithms(&jwk.algorithm)?;
        if let Some(own) = common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == own);
        }
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

/// The algorithms that count here with a key of this kind; a key that both sides share is none.
fn algorithms(key: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    match key {
        AlgorithmParameters::RSA(_) => Some(vec![Algorithm::RS256, Algorithm::PS256]),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some(vec![Algorithm::ES256]),
            EllipticCurve::P384 => Some(vec![Algorithm::ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) => {
            (key.curve == EllipticCurve::Ed25519).then(|| vec![Algorithm::EdDSA])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn published(more: Value) -> Value {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        crate::json::extend(&mut key, more);
        key
    }

    fn key(id: &str) -> Key {
        Key::of(published(json!({ "kid": id }))).unwrap()
    }

    fn token(id: Option<&str>) -> Read {
        let key = id.map(str::to_owned);
        Read { issuer: String::new(), algorithm: Algorithm::EdDSA, key }
    }

    #[test]
    fn a_key_checks_signatures_only_where_it_is_published_for_that() {
        for (more, counts) in [
            (json!({}), true),
            (json!({ "use": "sig" }), true),
            (json!({ "use": "enc" }), false),
            (json!({ "alg": "EdDSA" }), true),
            (json!({ "alg": "HS256" }), false),
            (json!({ "alg": "ES256" }), false),
            (json!({ "key_ops": ["verify"] }), true),
            (json!({ "key_ops": ["wrapKey"] }), false),
            (json!({ "crv": "X25519" }), false),
            (json!({ "kty": "oct", "k": "c2VjcmV0" }), false),
            (json!({ "kty": "new" }), false),
        ] {
            assert_eq!(Key::of(published(more.clone())).is_some(), counts, "{more}");
        }
    }

    #[test]
    fn an_unknown_key_is_looked_for_once_in_a_while() {
        let begun = Instant::now();
        let mut held = Held::default();
        held.take(vec![key("a")], begun);
        assert_eq!(held.next(&token(Some("a")), begun), Next::Use(0));
        assert_eq!(held.next(&token(Some("b")), begun), Next::Fetch);
        held.looked(Some(vec![key("a")]), begun);
        assert_eq!(held.next(&token(Some("b")), begun + COOLDOWN / 2), Next::No);
        assert_eq!(held.next(&token(Some("b")), begun + COOLDOWN), Next::Fetch);
        held.looked(Some(vec![key("b")]), begun + COOLDOWN);
        assert_eq!(held.next(&token(Some("b")), begun + COOLDOWN), Next::Use(0));
        assert_eq!(held.next(&token(Some("a")), begun + COOLDOWN), Next::No, "it was taken back");
    }

    #[test]
    fn keys_count_for_a_while_after_their_issuer_is_gone() {
        let begun = Instant::now();
        let mut held = Held::default();
        assert_eq!(held.next(&token(Some("a")), begun), Next::Fetch);
        held.looked(None, begun);
        assert_eq!(held.next(&token(Some("a")), begun), Next::CannotTell, "there never were any");
        held.take(vec![key("a")], begun);
        let late = begun + STALE - Duration::from_secs(1);
        held.looked(None, late);
        assert_eq!(held.next(&token(Some("a")), late), Next::Use(0));
        assert_eq!(held.next(&token(Some("b")), late), Next::CannotTell, "it may be a new one");
        let over = begun + STALE;
        assert_eq!(held.next(&token(Some("a")), over), Next::CannotTell);
        assert!(held.counts(late) && !held.counts(over));
    }

    #[test]
    fn a_token_that_names_no_key_is_checked_where_only_one_fits() {
        let begun = Instant::now();
        let mut held = Held::default();
        held.take(vec![key("a")], begun);
        assert_eq!(held.next(&token(None), begun), Next::Use(0));
        held.take(vec![key("a"), key("b")], begun);
        assert_eq!(held.next(&token(None), begun), Next::Fetch);
        let other = Read { algorithm: Algorithm::RS256, ..token(Some("a")) };
        assert_eq!(held.next(&other, begun), Next::Fetch, "the key is not for that");
    }
}
