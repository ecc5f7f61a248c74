//! Proof to a vendor of who is asking, made afresh for each attempt.
//!
//! [`Signed`] is made here and nowhere else, and it is all the wire takes: a request that nobody
//! signed does not compile. Credentials live in [`crate::secret`] types and never print.

mod basic;
mod bearer;
mod client_credentials;
mod code;
mod jwt_assertion;
mod key;
mod token;
mod user_action;

use std::num::NonZeroU32;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::Value;

pub use basic::Basic;
pub use bearer::Bearer;
pub use client_credentials::{ClientCredentials, TokenEndpoint};
pub use code::{Client, redeem, userinfo};
pub use jwt_assertion::JwtAssertion;
pub use token::Fetched;
pub use user_action::{Steps, UserAction};

use crate::draft::Base;
use crate::failure::{Failure, Kind};
use crate::input;
use crate::observe::Leg;
use crate::outbound::{Attempt, Frozen, Reply, Wire};
use crate::secret::{Secret, SecretError};

/// Proves to a vendor who is asking.
///
/// [`sign`](Self::sign) is called once for each attempt, because a proof may be spent by use; it may send
/// requests of its own (a token, a challenge), within the time of one attempt. Where the vendor answers 401,
/// [`forget`](Self::forget) is called with the generation of that signature, and `sign` once more. Calls come
/// from several tasks at once: those that wait for the same token share one request. No error and no log line
/// may hold a credential, or what was made of one; what is sent of one is named in [`Signed`], so that answers
/// are searched for it.
pub trait Authorize: Send + Sync {
    /// Makes a request that proves who is asking, good for one attempt.
    ///
    /// # Errors
    /// It could not be signed; the request itself did not leave.
    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        wire: &'a Wire,
    ) -> BoxFuture<'a, Result<Signed, AuthError>>;

    /// Forgets the credential of `generation` after the vendor has refused it, so that the next
    /// signature is made with a fresh one. An older generation is none of our business: somebody
    /// else has renewed it since.
    fn forget(&self, generation: u64) -> BoxFuture<'_, ()>;

    /// What the token in use says of whom it stands for, where it is a JWT. Nothing is checked:
    /// not who signed it, and not whether the vendor agrees.
    fn claims<'a>(&'a self, _: &'a Wire) -> BoxFuture<'a, Option<Value>> {
        Box::pin(std::future::ready(None))
    }

    /// What can be told of each secret while nothing is sent: it is read, and a key makes a
    /// signature that nobody sees.
    fn trials(&self) -> BoxFuture<'_, Vec<Trial>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// How many requests a signed write is, signing included, where the vendor counts those too.
    fn requests(&self) -> NonZeroU32 {
        NonZeroU32::MIN
    }
}

/// A request that proves who is asking, good for one attempt.
pub struct Signed {
    frozen: Frozen,
    headers: Vec<(&'static str, SecretString)>,
    /// What must not come back in a message: the proofs themselves.
    secrets: Vec<SecretString>,
    generation: u64,
}

/// What came of trying one secret: what it was good for, or why it is good for nothing.
pub struct Trial {
    pub name: String,
    pub found: Result<&'static str, AuthError>,
    /// Why it may not be what was meant, in words that follow its name.
    pub odd: Option<&'static str>,
    /// What is shown nowhere.
    pub value: Option<SecretString>,
}

/// Why a request could not be signed; the request itself did not leave.
#[derive(Clone, Debug)]
pub enum AuthError {
    /// The token or signing service cannot be reached or has failed.
    Unreachable(String),
    /// It asks to slow down.
    Throttled { message: String, retry_after: Option<std::time::Duration> },
    /// It answered no.
    Refused { status: u16, message: String },
    /// Its answer cannot be read.
    Garbled(String),
    /// The credential cannot be read or used here.
    Unusable(String),
    /// Something else here stands in the way: a setting of this machine.
    Unready(String),
}

impl Signed {
    /// A request without proof: for the token and discovery endpoints, which need none.
    fn bare(frozen: Frozen) -> Self {
        Self { frozen, headers: Vec::new(), secrets: Vec::new(), generation: 0 }
    }

    fn header(mut self, name: &'static str, prefix: &str, proof: &SecretString) -> Self {
        let value = format!("{prefix}{}", crate::secret::expose(proof));
        self.headers.push((name, SecretString::from(value)));
        self.hiding(proof)
    }

    fn hiding(mut self, secret: &SecretString) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    fn of(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    pub(in crate::outbound) fn generation(&self) -> u64 {
        self.generation
    }

    pub(in crate::outbound) fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    pub(in crate::outbound) fn headers(&self) -> &[(&'static str, SecretString)] {
        &self.headers
    }

    pub(in crate::outbound) fn secrets(&self) -> &[SecretString] {
        &self.secrets
    }

    pub(in crate::outbound) fn into_body(self) -> Option<Vec<u8>> {
        self.frozen.body
    }
}

impl AuthError {
    /// The same trouble as a failure of the call that needed the signature.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Unreachable(message) => Failure::new(Kind::Unavailable, message)
                .hint("nothing was sent; try again later")
                .for_doctor(),
            Self::Throttled { message, .. } => Failure::new(Kind::RateLimited, message)
                .hint("nothing was sent; the vendor asks to slow down: try again in a minute"),
            Self::Garbled(message) => Failure::garbled(message)
                .hint("nothing was sent; a proxy may have answered in the vendor's place"),
            Self::Unusable(message) => Failure::new(Kind::Unavailable, message)
                .hint("nothing was sent; mend the credential")
                .for_doctor(),
            Self::Unready(message) => Failure::new(Kind::Unavailable, message)
                .hint("nothing was sent; mend what is named, on this machine"),
            Self::Refused { status: 300..=399, message } => Failure::new(Kind::Rejected, message)
                .hint("nothing was sent; redirects are not followed: check the configured URLs"),
            Self::Refused { status, message } => {
                let failure = Failure::new(Kind::NotPermitted, message).hint(
                    "the credential was refused: check that it is current and belongs to this \
                     vendor and region, and that this machine's clock is right",
                );
                let mut failure = failure.for_doctor();
                failure.status = Some(*status);
                failure
            }
        }
    }
}

impl Trial {
    /// Of a secret that is sent as it is.
    async fn reading(secret: &Secret) -> Self {
        Self::of_text(secret, secret.read().await).await
    }

    /// Of a secret that a header carries.
    async fn token(secret: &Secret) -> Self {
        Self::of_text(secret, secret.token().await).await
    }

    async fn of_text(secret: &Secret, read: Result<SecretString, SecretError>) -> Self {
        let odd = read.as_ref().ok().and_then(|text| input::odd(crate::secret::expose(text)));
        let found = read.map(|_| "can be read").map_err(AuthError::from);
        Self { odd, ..Self::of(secret, found).await }
    }

    /// Of a private key that was to sign something.
    async fn signing<T>(key: &Secret, signed: Result<T, AuthError>) -> Self {
        Self::of(key, signed.map(|_| "signs")).await
    }

    async fn of(secret: &Secret, found: Result<&'static str, AuthError>) -> Self {
        Self { name: secret.name().to_owned(), found, odd: None, value: secret.known().await }
    }
}

impl From<SecretError> for AuthError {
    fn from(error: SecretError) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// Reads a document that anybody may read, such as the keys that an issuer signs with; `what` names it for
/// messages.
///
/// # Errors
/// It cannot be had whole.
pub async fn document(what: &str, at: &Base, wire: &Wire) -> Result<Vec<u8>, AuthError> {
    exchange(what, Signed::bare(Frozen::document(at)), wire).await.map(|reply| reply.body)
}

/// Sends a request of `auth`'s own and sorts what comes back; `what` names the step for messages.
async fn exchange(what: &str, request: Signed, wire: &Wire) -> Result<Reply, AuthError> {
    match wire.send(request, crate::outbound::ATTEMPT, Leg::Credential).await {
        Attempt::Reply(reply) if reply.is_success() => Ok(reply),
        Attempt::Reply(reply) if reply.status == 429 => {
            let message = reply.describe(what);
            Err(AuthError::Throttled { message, retry_after: reply.retry_after })
        }
        Attempt::Reply(reply) if reply.is_half_success() => {
            Err(AuthError::Garbled(reply.describe(what)))
        }
        Attempt::Reply(reply) if reply.status >= 500 => {
            Err(AuthError::Unreachable(reply.describe(what)))
        }
        Attempt::Reply(reply) => {
            Err(AuthError::Refused { status: reply.status, message: reply.describe(what) })
        }
        Attempt::NotSent(trouble) | Attempt::Broken(trouble) => {
            Err(AuthError::Unreachable(format!("{what}: {trouble}")))
        }
        Attempt::Unready(trouble) => Err(AuthError::Unready(format!("{what}: {trouble}"))),
        Attempt::Stalled => Err(AuthError::Unreachable(format!("{what} took too long to answer"))),
        Attempt::Oversized => {
            Err(AuthError::Garbled(format!("{what} sent an answer that is too long")))
        }
    }
}

/// A token that a service has made, as a header carries it.
fn carried(what: &str, token: &SecretString) -> Result<SecretString, AuthError> {
    let token = input::token(crate::secret::expose(token)).map(SecretString::from);
    token.map_err(|trouble| AuthError::Garbled(format!("the token of {what} {trouble}")))
}

/// The claims of a JWT (RFC 7519).
fn claims(token: &SecretString) -> Option<Value> {
    let part = crate::secret::expose(token).split('.').nth(1)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Decodes the reply of a request of `auth`'s own.
fn decode<T: serde::de::DeserializeOwned>(what: &str, reply: &Reply) -> Result<T, AuthError> {
    // The error of serde may quote the document, and the document may hold a token.
    serde_json::from_slice(&reply.body)
        .map_err(|_| AuthError::Garbled(format!("{what} sent an answer that cannot be read")))
}
