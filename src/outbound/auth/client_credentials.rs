//! OAuth 2.0 client credentials (RFC 6749, 4.4), with the token endpoint given or discovered
//! (OpenID Connect Discovery 1.0).

use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::token::{Issued, Issuer};
use super::{AuthError, Signed, Trial, decode, exchange};
use crate::draft::{Base, Source};
use crate::outbound::{Frozen, Wire};
use crate::secret::{Secret, expose};

pub struct ClientCredentials {
    endpoint: TokenEndpoint,
    client_id: String,
    client_secret: Secret,
    scope: Option<String>,
    discovered: OnceCell<Base>,
}

/// Where tokens come from.
pub enum TokenEndpoint {
    Given(Base),
    /// Named by the discovery document at `source` below `base`, on the same authority.
    Discovered {
        base: Base,
        source: &'static Source,
        variable: &'static str,
    },
}

#[derive(Deserialize)]
struct Discovery {
    token_endpoint: String,
}

impl ClientCredentials {
    pub fn new(
        endpoint: TokenEndpoint,
        client_id: String,
        client_secret: Secret,
        scope: Option<String>,
    ) -> Self {
        Self { endpoint, client_id, client_secret, scope, discovered: OnceCell::new() }
    }

    /// `secret` is not sent to find it, and may be in the answer all the same.
    async fn endpoint(&self, secret: &SecretString, wire: &Wire) -> Result<&Base, AuthError> {
        match &self.endpoint {
            TokenEndpoint::Given(endpoint) => Ok(endpoint),
            TokenEndpoint::Discovered { base, source, variable } => {
                let discover = || discover(base, source, (*variable, secret), wire);
                self.discovered.get_or_try_init(discover).await
            }
        }
    }
}

impl Issuer for ClientCredentials {
    async fn issue(&self, wire: &Wire) -> Result<Issued, AuthError> {
        let secret = self.client_secret.read().await?;
        let endpoint = self.endpoint(&secret, wire).await?;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", expose(&secret)),
        ];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let request = Signed::bare(Frozen::form(&endpoint, &form)).hiding(&secret);
        let what = "the token endpoint";
        decode(what, &exchange(what, request, wire).await?)
    }

    async fn sent(&self) -> Option<SecretString> {
        self.client_secret.read().await.ok()
    }

    async fn trial(&self) -> Trial {
        Trial::reading(&self.client_secret).await
    }

    async fn forget(&self) {
        self.client_secret.forget().await;
    }
}

async fn discover(
    base: &Base,
    source: &Source,
    (variable, secret): (&str, &SecretString),
    wire: &Wire,
) -> Result<Base, AuthError> {
    let what = "the OpenID discovery document";
    let unusable = |trouble: String| AuthError::Unusable(format!("{what} {trouble}"));
    let query = source.ask(&[]).and_then(|query| Frozen::read(&base, &query));
    let query = query.map_err(|failure| unusable(failure.message))?;
    let reply = exchange(what, Signed::bare(query).hiding(secret), wire).await?;
    let found: Discovery = decode(what, &reply)?;
    let endpoint = Base::parse(&found.token_endpoint)
        .map_err(|trouble| unusable(format!("names a token endpoint that {trouble}")))?;
    if endpoint.authority() != base.authority() {
        return Err(unusable(format!(
            "names a token endpoint on another authority, {}; set {variable} if that is right",
            endpoint.authority(),
        )));
    }
    Ok(endpoint)
}
