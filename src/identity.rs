//! Who a bearer is: whether an issuer that is trusted here signed a token for this server, and whom it names.
//! The only room that names the JWT library.
//!
//! - `token` reads a token and decides; it is pure, given a key.
//! - `keys` holds an issuer's keys: fetched ahead of need, anew for one that is unknown, and for a while after
//!   the issuer cannot be reached.
//! - `login` has a person log in at an issuer with a browser, and `id_token` decides whom that shows.
//!
//! A token is in no message, no log line and no value that leaves this room.

mod id_token;
mod keys;
mod login;
mod seen;
mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::draft::Base;
use crate::outbound::Wire;
use crate::requester::Requester;
use keys::Keys;
use login::Provider;
pub use login::{Answered, LoggedIn, LoginError, LoginSettings, Once};
use seen::{Found, Seen};

/// An issuer whose tokens count, as the configuration describes it.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// What the configuration calls it.
    pub name: String,
    /// Its identifier: what its tokens say in `iss`, byte for byte.
    pub issuer: String,
    /// What its tokens may say in `aud` to be for this server; never empty.
    pub audiences: Vec<String>,
    /// Where its keys are; where that is not said its discovery document says it.
    pub jwks: Option<Base>,
    pub claims: ClaimNames,
    pub scopes: ScopeNames,
    /// How people log in there with a browser, where they may.
    pub login: Option<LoginSettings>,
}

/// What clients ask an issuer for. Some issuers put only what follows the last `/` into their tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeNames {
    pub read: String,
    pub change: String,
}

/// Which claims of its tokens say what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Whom the token is about, in a way that never changes and is never given to somebody else.
    pub subject: String,
    /// The client that it was made for.
    pub client: String,
    pub email: String,
    /// The groups they are in; none are asked for where this is not said.
    pub groups: Option<String>,
    /// What only a token has that a program got in its own name, with the value it has there, or any.
    pub service: Option<(String, Option<String>)>,
    /// Where such a token says what its bearer may do, beside its scopes.
    pub roles: Option<String>,
}

/// Whoever a token names, and what it lets its bearer ask for.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub requester: Requester,
    pub rights: Rights,
    /// What their issuer calls these rights.
    pub scopes: ScopeNames,
}

/// What a token lets its bearer ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    read: bool,
    change: bool,
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It never will; in a few words of ours.
    Invalid(&'static str),
    /// Nobody can tell for now: its issuer's keys cannot be had.
    Unavailable,
}

/// What says how late it is.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The issuers whose tokens count here.
pub struct Identity {
    issuers: Vec<(IssuerSettings, Keys)>,
    seen: Seen,
    /// What those say of themselves at which people log in.
    providers: Vec<Provider>,
    wire: Wire,
}

/// How often an issuer's keys are fetched anew: one that it has taken back is refused within that time.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// How soon after a failure.
const RETRY: Duration = Duration::from_secs(15);

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            client: "client_id".to_owned(),
            email: "email".to_owned(),
            groups: None,
            service: None,
            roles: None,
        }
    }
}

impl Default for ScopeNames {
    fn default() -> Self {
        Self { read: "grantor:read".to_owned(), change: "grantor:change".to_owned() }
    }
}

impl ScopeNames {
    /// Whether no token can mean one of them by the other.
    pub fn are_told_apart(&self) -> bool {
        let in_tokens = |asked: &str| [asked.to_owned(), last(asked).to_owned()];
        in_tokens(&self.read).iter().all(|name| !in_tokens(&self.change).contains(name))
    }

    /// What a list of scopes, or of roles, lets somebody do.
    fn rights<'t>(&self, told: impl Iterator<Item = &'t str>) -> Rights {
        let is = |asked: &str, told: &str| asked == told || last(asked) == told;
        told.fold(Rights { read: false, change: false }, |rights, told| Rights {
            read: rights.read || is(&self.read, told),
            change: rights.change || is(&self.change, told),
        })
    }
}

/// What is left of a scope in a token, where an issuer leaves the address of the resource out.
fn last(asked: &str) -> &str {
    asked.rsplit_once('/').map_or(asked, |(_, last)| last)
}

impl Rights {
    /// Whoever may change may look as well.
    pub fn may_read(self) -> bool {
        self.read || self.change
    }

    pub fn may_change(self) -> bool {
        self.change
    }
}

impl Identity {
    pub fn new(issuers: Vec<IssuerSettings>) -> Self {
        Self::by(issuers, Arc::new(Instant::now))
    }

    /// The same by another clock, which says how old the issuers' keys are.
    pub fn by(issuers: Vec<IssuerSettings>, clock: Clock) -> Self {
        let providers = issuers.iter().map(|_| Provider::default()).collect();
        let issuers = issuers.into_iter().map(|settings| {
            let keys = Keys::of(&settings, clock.clone());
            (settings, keys)
        });
        let (issuers, seen, wire) = (issuers.collect(), Seen::default(), Wire::default());
        Self { issuers, providers, seen, wire }
    }

    /// The issuers' identifiers, in the order of the configuration.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerSettings> {
        self.issuers.iter().map(|(settings, _)| settings)
    }

    /// Whom a token names.
    ///
    /// # Errors
    /// It does not count here, or nobody can tell.
    pub async fn check(&self, token: &str) -> Result<Bearer, Rejected> {
        let (hash, now) = (seen::hash(token), Timestamp::now());
        if let Some(found) = hash.and_then(|hash| self.seen.find(&hash, now))
            && let Some((_, keys)) = self.issuers.get(found.issuer)
            && keys.generation() == Some(found.keys)
        {
            return Ok(found.bearer);
        }
        let read = token::Read::of(token)?;
        let is_its = |(settings, _): &(IssuerSettings, Keys)| settings.issuer == read.issuer;
        let issuer = self.issuers.iter().position(is_its);
        let trusted = issuer.and_then(|at| Some((at, self.issuers.get(at)?)));
        let (issuer, (settings, keys)) =
            trusted.ok_or(Rejected::Invalid("its issuer is not trusted here"))?;
        let (key, generation) = keys.find(&read, &self.wire).await?;
        let (bearer, until) = token::check(token, &read, &key, settings)?;
        if let Some(hash) = hash {
            let found = Found { bearer: bearer.clone(), until, issuer, keys: generation };
            self.seen.keep(hash, found, now);
        }
        Ok(bearer)
    }

    /// Whether tokens of every issuer can be checked now.
    pub fn is_ready(&self) -> bool {
        self.issuers.iter().all(|(_, keys)| keys.are_held())
    }

    /// Fetches all issuers' keys, and again before they are old, for ever.
    pub async fn keep_keys(&self) {
        futures_util::future::join_all(self.issuers.iter().map(|(settings, keys)| async move {
            loop {
                let pause = match keys.refresh(&self.wire).await {
                    Ok(()) => REFRESH,
                    Err(trouble) => {
                        tracing::warn!(issuer = %settings.name, %trouble, "its keys cannot be had");
                        RETRY
                    }
                };
                tokio::time::sleep(pause).await;
            }
        }))
        .await;
    }
}
