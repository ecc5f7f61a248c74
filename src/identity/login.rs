//! A log-in with a browser: OpenID Connect's code flow with PKCE (RFC 7636).
//!
//! Where the browser is sent, what comes back with it, and whom that shows. What binds one log-in to one
//! browser ([`Once`]) is the page's to make and to keep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::token::{Claims, Read};
use super::{Identity, IssuerSettings, Rejected, id_token};
use crate::draft::Base;
use crate::outbound::{Wire, auth};
use crate::requester::Requester;
use crate::secret::Secret;

/// How people log in at an issuer.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// As whom it knows this server's page.
    pub client_id: String,
    pub client_secret: Option<Arc<Secret>>,
    /// What is asked for, with blanks between.
    pub scopes: String,
    /// The claim of an ID token that has what the subject claim of an access token has; the same one where
    /// that is not said.
    pub subject: Option<String>,
}

/// What is good for one log-in, and known to one browser and to this server alone.
#[derive(Debug)]
pub struct Once {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// The key to the code.
    pub verifier: String,
}

/// What a browser brings back.
#[derive(Debug, Default)]
pub struct Answered {
    pub code: String,
    pub state: String,
    /// Who answers (RFC 9207).
    pub issuer: Option<String>,
}

/// Somebody who has logged in.
#[derive(Debug)]
pub struct LoggedIn {
    pub requester: Requester,
    /// When they proved to their issuer who they are, in seconds since 1970, where it says so.
    pub authenticated_at: Option<i64>,
}

/// Why nobody is logged in; in words for whoever sits before the browser.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginError {
    /// It will not do, however often it is tried.
    Refused(String),
    /// The issuer cannot be asked for now.
    Unavailable(String),
}

/// What an issuer says of itself, as last fetched.
#[derive(Default)]
pub(super) struct Provider(Mutex<Option<(Instant, Arc<Discovered>)>>);

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: Option<SecretString>,
}

/// How long what an issuer says of itself is taken to be so.
const FRESH: Duration = Duration::from_secs(5 * 60);
const PATIENCE: Duration = Duration::from_secs(10);
const SCOPES: &str = "openid profile email";

impl Once {
    /// Whether a browser that brings this state back is the one whose log-in it is.
    pub fn is_of(&self, state: &str) -> bool {
        verify_slices_are_equal(self.state.as_bytes(), state.as_bytes()).is_ok()
    }
}

impl LoginSettings {
    pub fn new(client_id: String) -> Self {
        Self { client_id, client_secret: None, scopes: SCOPES.to_owned(), subject: None }
    }
}

impl Identity {
    /// What the configuration calls the issuers at which people log in.
    pub fn logins(&self) -> impl Iterator<Item = &str> {
        let all = self.issuers.iter().filter(|(settings, _)| settings.login.is_some());
        all.map(|(settings, _)| settings.name.as_str())
    }

    /// Where a browser goes to log in, and comes back to `back` afterwards. `anew`: whoever is logged in
    /// there already proves once more who they are.
    ///
    /// # Errors
    /// Nobody logs in there, or it cannot be asked.
    pub async fn login_at(
        &self,
        name: &str,
        back: &str,
        once: &Once,
        anew: bool,
    ) -> Result<Url, LoginError> {
        let (settings, login, provider) = self.of_login(name)?;
        let provider = provider.get(settings, &self.wire).await?;
        let at = endpoint(&provider.authorization_endpoint)?;
        let mut url = at.url().clone();
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, once.verifier.as_bytes()));
        let mut query = url.query_pairs_mut();
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &login.client_id),
            ("redirect_uri", back),
            ("scope", &login.scopes),
            ("state", &once.state),
            ("nonce", &once.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if anew {
            query.extend_pairs([("prompt", "login"), ("max_age", "0")]);
        }
        drop(query);
        Ok(url)
    }

    /// Whom a browser that comes back shows.
    ///
    /// # Errors
    /// It does not come from there, or the issuer does not say who it is.
    pub async fn logged_in(
        &self,
        name: &str,
        back: &str,
        once: &Once,
        answered: &Answered,
    ) -> Result<LoggedIn, LoginError> {
        let (settings, login, provider) = self.of_login(name)?;
        if !once.is_of(&answered.state) {
            return Err(refused("it was begun in another browser, or too long ago"));
        }
        let provider = provider.get(settings, &self.wire).await?;
        let expects_issuer = provider.authorization_response_iss_parameter_supported;
        let is_foreign = match &answered.issuer {
            Some(issuer) => *issuer != settings.issuer,
            None => expects_issuer,
        };
        if is_foreign {
            return Err(refused("another identity provider answered"));
        }
        let tokens = self.redeemed(login, &provider, back, once, answered).await?;
        let token = &tokens.id_token;
        let read = Read::of_id_token(token).map_err(of_token)?;
        let keys = self.issuers.iter().find(|(known, _)| known.name == settings.name);
        let (_, keys) = keys.ok_or_else(|| refused("nobody logs in there"))?;
        let (key, _) = keys.find(&read, &self.wire).await.map_err(of_token)?;
        let checked = id_token::check(token, &read, &key, (settings, login), &once.nonce);
        let mut checked = checked.map_err(of_token)?;
        if checked.leaves_out(&settings.claims)
            && let (Some(at), Some(token)) = (&provider.userinfo_endpoint, &tokens.access_token)
        {
            match self.said_beside(at, token).await {
                Ok(beside) => checked.complete(&beside, &settings.claims).map_err(of_token)?,
                // Without an address somebody is who they are, and without groups perhaps another.
                Err(_) if !checked.leaves_out_groups(&settings.claims) => {}
                Err(error) => return Err(error),
            }
        }
        let shown = checked.shown((settings, login), &once.nonce);
        let id_token::Shown { requester, authenticated_at } = shown.map_err(of_token)?;
        Ok(LoggedIn { requester, authenticated_at })
    }

    /// What the issuer says of whoever has logged in, beside their ID token. Where it says that it does, and cannot
    /// be asked, nobody is let in as if they were in no group.
    async fn said_beside(&self, at: &str, token: &SecretString) -> Result<Claims, LoginError> {
        let at = endpoint(at)?;
        let asked = auth::userinfo(&at, token, &self.wire);
        let body = tokio::time::timeout(PATIENCE, asked).await;
        let body = body.map_err(|_| unavailable("its answer took too long"))?;
        let body = body.map_err(|error| {
            let why = error.failure().message;
            tracing::info!(target: "grantor", why, "a log-in fails");
            unavailable("the identity provider does not say which groups you are in")
        })?;
        serde_json::from_slice(&body)
            .map_err(|_| refused("what the identity provider says of you cannot be read"))
    }

    /// The tokens that a code is good for.
    async fn redeemed(
        &self,
        login: &LoginSettings,
        provider: &Discovered,
        back: &str,
        once: &Once,
        answered: &Answered,
    ) -> Result<Tokens, LoginError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", answered.code.as_str()),
            ("redirect_uri", back),
            ("code_verifier", once.verifier.as_str()),
        ];
        // Where nothing is said, the header is what every issuer takes (OpenID Connect Discovery 1.0, 3).
        let methods = provider.token_endpoint_auth_methods_supported.as_ref();
        let takes_header = |all: &Vec<String>| all.iter().any(|one| one == "client_secret_basic");
        let client = auth::Client {
            id: &login.client_id,
            secret: login.client_secret.as_deref(),
            in_header: methods.is_none_or(takes_header),
        };
        let at = endpoint(&provider.token_endpoint)?;
        let redeemed = auth::redeem(&at, &fields, &client, &self.wire);
        let body = tokio::time::timeout(PATIENCE, redeemed).await;
        let body = body.map_err(|_| unavailable("its answer took too long"))?;
        let body = body.map_err(|error| {
            let why = error.failure().message;
            tracing::info!(target: "grantor", why, "a log-in fails");
            match error {
                auth::AuthError::Refused { .. } => refused("the identity provider says no to it"),
                _ => unavailable("the identity provider's token endpoint does not do"),
            }
        })?;
        // The error would quote the document, which holds tokens.
        serde_json::from_slice(&body)
            .map_err(|_| refused("the identity provider gave no ID token: is the scope openid?"))
    }

    fn of_login(
        &self,
        name: &str,
    ) -> Result<(&IssuerSettings, &LoginSettings, &Provider), LoginError> {
        let found =
            self.issuers.iter().zip(&self.providers).find_map(|((settings, _), provider)| {
                let login = settings.login.as_ref().filter(|_| settings.name == name)?;
                Some((settings, login, provider))
            });
        found.ok_or_else(|| refused("nobody logs in there"))
    }
}

impl Provider {
    async fn get(
        &self,
        settings: &IssuerSettings,
        wire: &Wire,
    ) -> Result<Arc<Discovered>, LoginError> {
        let mut held = self.0.lock().await;
        if let Some((at, found)) = held.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(found.clone());
        }
        let found = Arc::new(fetched(settings, wire).await?);
        *held = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

async fn fetched(settings: &IssuerSettings, wire: &Wire) -> Result<Discovered, LoginError> {
    let at = endpoint(&super::keys::discovery(&settings.issuer))?;
    let document = auth::document("the issuer's discovery document", &at, wire);
    let body = tokio::time::timeout(PATIENCE, document).await;
    let body = body.map_err(|_| unavailable("its answer took too long"))?;
    let body = body.map_err(|error| {
        let why = error.failure().message;
        tracing::warn!(target: "grantor", issuer = %settings.name, why, "nobody can log in there");
        unavailable("the identity provider cannot be asked")
    })?;
    let found: Discovered = serde_json::from_slice(&body)
        .map_err(|_| refused("what the identity provider says of itself cannot be read"))?;
    match found.issuer == settings.issuer {
        true => Ok(found),
        false => Err(refused("the identity provider calls itself by another name")),
    }
}

fn endpoint(text: &str) -> Result<Base, LoginError> {
    Base::parse(text).map_err(|trouble| refused(&format!("an address of its provider {trouble}")))
}

fn refused(why: &str) -> LoginError {
    LoginError::Refused(why.to_owned())
}

fn unavailable(why: &str) -> LoginError {
    LoginError::Unavailable(why.to_owned())
}

fn of_token(rejected: Rejected) -> LoginError {
    match rejected {
        Rejected::Invalid(why) => refused(&format!("the ID token does not count: {why}")),
        Rejected::Unavailable => unavailable("the identity provider's keys cannot be had"),
    }
}
