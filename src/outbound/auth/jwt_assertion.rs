//! A token for a signed JWT: OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523),
//! RS384, as SMART backend services profile it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::SecretString;
use serde_json::json;

use super::key::PrivateKey;
use super::token::{Issued, Issuer};
use super::{AuthError, Signed, Trial, decode, exchange};
use crate::draft::Base;
use crate::outbound::{Frozen, Wire};
use crate::secret::{Secret, expose};

pub struct JwtAssertion {
    token_url: Base,
    audience: String,
    client_id: String,
    key_id: String,
    private_key: Secret,
}

/// How long an assertion is good for, in seconds.
const LIFE: u64 = 300;
/// How far a clock may be ahead of the vendor's for which a time is none that is still to come: it is
/// set back by so much, so that ours may be as far ahead again as the vendor tolerates.
const BACK: u64 = 10;

impl JwtAssertion {
    pub fn new(
        token_url: Base,
        audience: String,
        client_id: String,
        key_id: String,
        private_key: Secret,
    ) -> Self {
        Self { token_url, audience, client_id, key_id, private_key }
    }

    async fn assertion(&self) -> Result<SecretString, AuthError> {
        let pem = self.private_key.read().await?;
        let key = PrivateKey::read(self.private_key.name(), &pem)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let issued = now.saturating_sub(BACK);
        let header = json!({ "alg": "RS384", "kid": self.key_id, "typ": "JWT" });
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "iat": issued,
            "exp": issued + LIFE,
            "jti": crate::random::id(),
        });
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let [header, claims] = [header, claims].map(|part| encode(part.to_string().as_bytes()));
        let signature =
            key.sign_rs384(format!("{header}.{claims}").as_bytes()).ok_or_else(|| {
                AuthError::Unusable(format!("{} is not an RSA key", self.private_key.name()))
            })?;
        Ok(format!("{header}.{claims}.{}", encode(&signature)).into())
    }
}

impl Issuer for JwtAssertion {
    async fn issue(&self, wire: &Wire) -> Result<Issued, AuthError> {
        let assertion = self.assertion().await?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", expose(&assertion)),
        ];
        let request = Signed::bare(Frozen::form(&self.token_url, &form)).hiding(&assertion);
        let what = "the token endpoint";
        decode(what, &exchange(what, request, wire).await?)
    }

    async fn trial(&self) -> Trial {
        Trial::signing(&self.private_key, self.assertion().await)
    }

    async fn forget(&self) {
        self.private_key.forget().await;
    }
}
