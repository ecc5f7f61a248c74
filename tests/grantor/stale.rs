//! Keys of an issuer that cannot be reached, by a clock that goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use grantor::identity::{ClaimNames, Identity, IssuerSettings, Rejected, ScopeNames};

use super::issuer::{AUDIENCE, BOTH, Issuer, Key};

const MINUTE: u64 = 60;

/// An hour after the issuer last said so, and not before, nobody can tell any more who calls.
#[tokio::test]
async fn keys_count_for_an_hour_without_their_issuer_and_then_nobody_can_tell() {
    let (key, other) = (Key::new("a"), Key::new("b"));
    let issuer = Issuer::start(&key).await;
    let settings = IssuerSettings {
        name: "test".to_owned(),
        issuer: issuer.url.clone(),
        audiences: vec![AUDIENCE.to_owned()],
        jwks: None,
        claims: ClaimNames::default(),
        scopes: ScopeNames::default(),
        login: None,
    };
    let (begun, passed) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let clock = {
        let passed = passed.clone();
        move || begun + Duration::from_secs(passed.load(SeqCst))
    };
    let identity = Identity::by(vec![settings], Arc::new(clock));
    // Neither is remembered from before: each is checked by a key.
    let token = |number: usize| issuer.token(&key, &format!("ada-{number}"), BOTH);
    assert!(identity.check(&token(0)).await.is_ok());
    issuer.go_down(true);
    let seen = token(0);
    for (number, minute) in [1, 30, 59].into_iter().enumerate() {
        passed.store(minute * MINUTE, SeqCst);
        assert!(identity.check(&token(number + 1)).await.is_ok(), "after {minute} minutes");
        assert!(identity.check(&seen).await.is_ok(), "after {minute} minutes");
        assert!(identity.is_ready());
    }
    let unknown = identity.check(&issuer.token(&other, "ada", BOTH)).await;
    assert_eq!(unknown.err(), Some(Rejected::Unavailable), "it may be a new key");
    passed.store(60 * MINUTE, SeqCst);
    for token in [&token(9), &seen] {
        assert_eq!(identity.check(token).await.err(), Some(Rejected::Unavailable));
    }
    assert!(!identity.is_ready(), "and a proxy sends nobody here");
    issuer.go_down(false);
    assert_eq!(identity.check(&seen).await.err(), Some(Rejected::Unavailable), "it was just asked");
    passed.store(61 * MINUTE, SeqCst);
    assert!(identity.check(&seen).await.is_ok(), "once it is there again");
    assert!(identity.is_ready());
}
