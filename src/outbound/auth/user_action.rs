//! A bearer token, and for every write a signature by a private key over that very request:
//! challenge, answer, and a single-use token bound to method, path and body.

use std::num::NonZeroU32;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::key::PrivateKey;
use super::{AuthError, Authorize, Signed, Trial, carried, claims, decode, exchange};
use crate::draft::{Base, Endpoint};
use crate::outbound::{Frozen, Wire};
use crate::secret::Secret;

pub struct UserAction {
    pub base: Base,
    pub token: Secret,
    pub credential_id: String,
    pub private_key: Secret,
    pub steps: &'static Steps,
}

/// Where challenge and answer go, and the header that carries what they earn.
pub struct Steps {
    pub init: Endpoint,
    pub complete: Endpoint,
    pub header: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Challenge {
    challenge: String,
    challenge_identifier: String,
    #[serde(default)]
    allow_credentials: Allowed,
}

#[derive(Default, Deserialize)]
struct Allowed {
    #[serde(default)]
    key: Vec<AllowedKey>,
}

#[derive(Deserialize)]
struct AllowedKey {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Earned {
    user_action: SecretString,
}

impl UserAction {
    async fn earn(
        &self,
        request: &Frozen,
        bearer: &SecretString,
        wire: &Wire,
    ) -> Result<(SecretString, [SecretString; 2]), AuthError> {
        let challenge = self.challenge(request, bearer, wire).await?;
        let allowed = &challenge.allow_credentials.key;
        if !allowed.iter().any(|key| key.id == self.credential_id) {
            return Err(AuthError::Refused {
                status: 403,
                message: "the vendor does not accept this credential id for signing".to_owned(),
            });
        }
        let (answer, signature) = self.answer(&challenge).await?;
        let what = "the signing service";
        let shown = [signature, challenge.challenge_identifier.into()];
        let request = self.step(&self.steps.complete, answer, bearer)?;
        let request = shown.iter().fold(request, Signed::hiding);
        let earned: Earned = decode(what, &exchange(what, request, wire).await?)?;
        Ok((carried(what, &earned.user_action)?, shown))
    }

    async fn challenge(
        &self,
        request: &Frozen,
        bearer: &SecretString,
        wire: &Wire,
    ) -> Result<Challenge, AuthError> {
        let payload = std::str::from_utf8(request.body.as_deref().unwrap_or_default())
            .map_err(|_| AuthError::Unusable("the body to sign is not UTF-8".to_owned()))?;
        let init = json!({
            "userActionPayload": payload,
            "userActionHttpMethod": request.method,
            "userActionHttpPath": request.path,
            "userActionServerKind": "Api",
        });
        let what = "the signing service";
        let request = self.step(&self.steps.init, init, bearer)?;
        decode(what, &exchange(what, request, wire).await?)
    }

    /// What is answered, and the signature in it.
    async fn answer(&self, challenge: &Challenge) -> Result<(Value, SecretString), AuthError> {
        // Compact, in this order, the challenge as it came: these bytes are what is signed.
        let client_data =
            json!({ "type": "key.get", "challenge": challenge.challenge }).to_string();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.signature(&client_data).await?);
        let answer = json!({
            "challengeIdentifier": challenge.challenge_identifier,
            "firstFactor": {
                "kind": "Key",
                "credentialAssertion": {
                    "credId": self.credential_id,
                    "clientData": BASE64_URL_SAFE_NO_PAD.encode(client_data),
                    "signature": &signature,
                },
            },
        });
        Ok((answer, signature.into()))
    }

    async fn signature(&self, message: &str) -> Result<Vec<u8>, AuthError> {
        let name = self.private_key.name();
        let key = PrivateKey::read(name, &self.private_key.read().await?)?;
        let signed = key.sign(message.as_bytes());
        signed.ok_or_else(|| AuthError::Unusable(format!("{name} could not sign")))
    }

    fn step(
        &self,
        endpoint: &Endpoint,
        body: Value,
        bearer: &SecretString,
    ) -> Result<Signed, AuthError> {
        let frozen =
            endpoint.draft(&[]).and_then(|draft| Frozen::write(&self.base, &draft.body(body)));
        let frozen = frozen.map_err(|failure| AuthError::Unusable(failure.message))?;
        Ok(Signed::bare(frozen).header("authorization", "Bearer ", bearer))
    }
}

impl Authorize for UserAction {
    fn claims<'a>(&'a self, _: &'a Wire) -> BoxFuture<'a, Option<Value>> {
        Box::pin(async move { claims(&self.token.token().await.ok()?) })
    }

    /// The challenge, its answer, and the write.
    fn requests(&self) -> NonZeroU32 {
        const { NonZeroU32::new(3).unwrap() }
    }

    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        wire: &'a Wire,
    ) -> BoxFuture<'a, Result<Signed, AuthError>> {
        Box::pin(async move {
            let bearer = self.token.token().await?;
            let signed = Signed::bare(request.clone()).header("authorization", "Bearer ", &bearer);
            if request.method == "GET" {
                return Ok(signed);
            }
            let (action, shown) = self.earn(request, &bearer, wire).await?;
            let signed = signed.header(self.steps.header, "", &action);
            Ok(shown.iter().fold(signed, Signed::hiding))
        })
    }

    fn trials(&self) -> BoxFuture<'_, Vec<Trial>> {
        Box::pin(async move {
            let token = Trial::token(&self.token).await;
            vec![token, Trial::signing(&self.private_key, self.signature("a trial").await)]
        })
    }

    fn forget(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.token.forget().await;
            self.private_key.forget().await;
        })
    }
}
