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
mod token;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::draft::Base;
use crate::outbound::Wire;
use crate::requester::Requester;
use keys::Keys;
use login::Provider;
pub use login::{Answered, LoggedIn, LoginError, LoginSettings, Once};

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
    /// How people log in there with a browser, where they may.
    pub login: Option<LoginSettings>,
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
}

/// Whoever a token names, and what it lets its bearer ask for.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub requester: Requester,
    pub scopes: BTreeSet<String>,
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It never will; in a few words of ours.
    Invalid(&'static str),
    /// Nobody can tell for now: its issuer's keys cannot be had.
    Unavailable,
}

/// The issuers whose tokens count here.
pub struct Identity {
    issuers: Vec<(IssuerSettings, Keys)>,
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
        }
    }
}

impl Identity {
    pub fn new(issuers: Vec<IssuerSettings>) -> Self {
        let providers = issuers.iter().map(|_| Provider::default()).collect();
        let issuers = issuers.into_iter().map(|settings| {
            let keys = Keys::of(&settings);
            (settings, keys)
        });
        Self { issuers: issuers.collect(), providers, wire: Wire::default() }
    }

    /// The issuers' identifiers, in the order of the configuration.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|(settings, _)| settings.issuer.as_str())
    }

    /// Whom a token names.
    ///
    /// # Errors
    /// It does not count here, or nobody can tell.
    pub async fn check(&self, token: &str) -> Result<Bearer, Rejected> {
        let read = token::Read::of(token)?;
        let issuer = self.issuers.iter().find(|(settings, _)| settings.issuer == read.issuer);
        let (settings, keys) = issuer.ok_or(Rejected::Invalid("its issuer is not trusted here"))?;
        let key = keys.find(&read, &self.wire).await?;
        token::check(token, &read, &key, settings)
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
