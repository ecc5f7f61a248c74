//! User action signing: a challenge, a signature over it, and a token good for one request.
//!
//! From "User Action Signing" in the vendor's documents and its SDKs' signers.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::keys::{PublicKey, random_text};
use super::super::message::{Ask, Reply, ensure};
use super::catalogue::CREDENTIAL_ID;
use super::{misread, refusal, web_token};

/// How long a challenge waits to be signed.
const CHALLENGE_LIFE: Duration = Duration::from_secs(15 * 60);

pub(super) struct Signing {
    key: PublicKey,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    challenges: HashMap<String, Challenge>,
    actions: HashMap<String, Action>,
    spent: HashSet<String>,
}

struct Challenge {
    text: String,
    made: Instant,
    action: Action,
}

/// The one request a signature is for.
#[derive(PartialEq)]
struct Action {
    method: String,
    path: String,
    payload: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Init {
    user_action_payload: String,
    user_action_http_method: String,
    user_action_http_path: String,
    user_action_server_kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Complete {
    challenge_identifier: String,
    first_factor: Factor,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Factor {
    kind: String,
    credential_assertion: Assertion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Assertion {
    cred_id: String,
    client_data: String,
    signature: String,
    #[serde(rename = "algorithm")]
    _algorithm: Option<String>,
}

impl Signing {
    pub fn new(key: PublicKey) -> Signing {
        Signing { key, memory: Mutex::default() }
    }

    /// `POST /auth/action/init`
    pub fn init(&self, ask: &Ask) -> Result<Reply, Reply> {
        let init: Init = ask.json().map_err(misread)?;
        let methods = ["POST", "PUT", "DELETE", "GET"];
        if !methods.contains(&init.user_action_http_method.as_str()) {
            return Err(refusal(400, "userActionHttpMethod is unknown"));
        }
        if !init.user_action_http_path.starts_with('/') {
            return Err(refusal(400, "userActionHttpPath must be a path"));
        }
        if init.user_action_server_kind.is_some_and(|kind| kind != "Api") {
            return Err(refusal(400, "userActionServerKind is unknown"));
        }
        let (text, identifier) = (token()?, web_token(&json!({ "use": "sign" }), &token()?));
        let challenge = Challenge {
            text: text.clone(),
            made: Instant::now(),
            action: Action {
                method: init.user_action_http_method,
                path: init.user_action_http_path,
                payload: init.user_action_payload.into_bytes(),
            },
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.challenges.insert(identifier.clone(), challenge);
        let body = json!({
            "challenge": text,
            "challengeIdentifier": identifier,
            "supportedCredentialKinds": [
                { "kind": "Key", "factor": "either", "requiresSecondFactor": false },
            ],
            "userVerification": "required",
            "attestation": "direct",
            "allowCredentials": {
                "key": [{ "type": "public-key", "id": CREDENTIAL_ID }],
                "webauthn": [],
            },
            "externalAuthenticationUrl": "",
        });
        Ok(Reply::json(200, &body))
    }

    /// `POST /auth/action`
    pub fn complete(&self, ask: &Ask) -> Result<Reply, Reply> {
        let complete: Complete = ask.json().map_err(misread)?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let challenge = memory.challenges.remove(&complete.challenge_identifier);
        let challenge = challenge
            .filter(|challenge| challenge.made.elapsed() < CHALLENGE_LIFE)
            .ok_or_else(|| refusal(400, "The challenge token is not valid"))?;
        let factor = complete.first_factor;
        let assertion = factor.credential_assertion;
        if factor.kind != "Key" || assertion.cred_id != CREDENTIAL_ID {
            return Err(refusal(401, "There is no usable credential"));
        }
        let client_data = unpadded(&assertion.client_data, "clientData")?;
        let signature = unpadded(&assertion.signature, "signature")?;
        check_client_data(&client_data, &challenge.text)?;
        self.key
            .verify(&client_data, &signature)
            .map_err(|_| refusal(401, "The signature is not valid"))?;
        let token = token()?;
        memory.actions.insert(token.clone(), challenge.action);
        Ok(Reply::json(200, &json!({ "userAction": token })))
    }

    /// A user action is spent by being sent, with whichever request.
    pub fn spend(&self, ask: &Ask) -> Result<(), Reply> {
        let invalid = || refusal(403, "User action signature is missing or invalid");
        let token = ask.header("x-dfns-useraction").ok_or_else(invalid)?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.spent.contains(token) {
            return Err(refusal(400, "User action has already been used"));
        }
        let action = memory.actions.remove(token).ok_or_else(invalid)?;
        memory.spent.insert(token.to_owned());
        let sent = Action {
            method: ask.method.clone(),
            path: ask.path.clone(),
            payload: ask.body.clone(),
        };
        ensure(action == sent, invalid)
    }
}

/// Fields besides these two are allowed: some SDKs send `origin` and `crossOrigin`.
fn check_client_data(client_data: &[u8], challenge: &str) -> Result<(), Reply> {
    let read: Value =
        serde_json::from_slice(client_data).map_err(|_| refusal(400, "clientData must be JSON"))?;
    if read.get("type").and_then(Value::as_str) != Some("key.get") {
        return Err(refusal(400, "clientData.type must be key.get"));
    }
    if read.get("challenge").and_then(Value::as_str) != Some(challenge) {
        return Err(refusal(400, "clientData.challenge is another one"));
    }
    Ok(())
}

fn unpadded(text: &str, name: &str) -> Result<Vec<u8>, Reply> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|_| refusal(400, &format!("{name} must be base64url without padding")))
}

fn token() -> Result<String, Reply> {
    random_text(32).map_err(|error| refusal(500, &error.to_string()))
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, RSA_PKCS1_SHA256,
    };
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use rustls_pki_types::pem::PemObject;

    use super::super::super::client::{Answer, Client, Request, start};
    use super::super::super::{KeyKind, Modes, people};
    use super::super::catalogue::TREASURY_VIEWER;
    use super::*;

    pub fn own<'a>(client: &'a Client, method: &str, path: &str) -> Request<'a> {
        let request = client.request("dfns", method, path);
        request.bearer(client.variable("DFNS_AUTH_TOKEN"))
    }

    /// A change, signed as the SDKs do it.
    pub async fn signed(client: &Client, method: &str, path: &str, body: &str) -> Answer {
        let action = user_action(client, method, path, body).await;
        with_action(client, method, path, body, &action).await
    }

    async fn with_action(
        client: &Client,
        method: &str,
        path: &str,
        body: &str,
        action: &str,
    ) -> Answer {
        let request = own(client, method, path).header("X-DFNS-USERACTION", action);
        match body {
            "" => request.send().await,
            body => request.text("application/json", body).send().await,
        }
    }

    async fn user_action(client: &Client, method: &str, path: &str, body: &str) -> String {
        let path = path.split('?').next().unwrap();
        let challenge = init(client, method, path, body).await;
        let client_data = client_data(&challenge);
        let signature = sign(client, KeyKind::Ed25519, client_data.as_bytes());
        let answer = complete(client, &challenge, &client_data, &signature).await;
        answer.at("/userAction").as_str().unwrap().to_owned()
    }

    async fn init(client: &Client, method: &str, path: &str, body: &str) -> Answer {
        let init = json!({
            "userActionPayload": body,
            "userActionHttpMethod": method,
            "userActionHttpPath": path,
        });
        own(client, "POST", "/auth/action/init").json(&init).send().await
    }

    fn client_data(challenge: &Answer) -> String {
        let challenge = challenge.at("/challenge");
        format!(r#"{{"type":"key.get","challenge":{challenge}}}"#)
    }

    async fn complete(
        client: &Client,
        challenge: &Answer,
        client_data: &str,
        signature: &[u8],
    ) -> Answer {
        let body = json!({
            "challengeIdentifier": challenge.at("/challengeIdentifier"),
            "firstFactor": { "kind": "Key", "credentialAssertion": {
                "credId": challenge.at("/allowCredentials/key/0/id"),
                "clientData": BASE64_URL_SAFE_NO_PAD.encode(client_data),
                "signature": BASE64_URL_SAFE_NO_PAD.encode(signature),
            } },
        });
        own(client, "POST", "/auth/action").json(&body).send().await
    }

    fn sign(client: &Client, kind: KeyKind, data: &[u8]) -> Vec<u8> {
        let pem = client.variable("DFNS_PRIVATE_KEY");
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let der = der.secret_pkcs8_der();
        let random = SystemRandom::new();
        let ecdsa = |curve| {
            let pair = EcdsaKeyPair::from_pkcs8(curve, der).unwrap();
            pair.sign(&random, data).unwrap().as_ref().to_vec()
        };
        match kind {
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(der).unwrap();
                pair.sign(data).as_ref().to_vec()
            }
            KeyKind::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyKind::Secp256k1 => ecdsa(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
            KeyKind::Rsa => {
                let pair = rsa::KeyPair::from_pkcs8(der).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, data, &mut signature).unwrap();
                signature
            }
        }
    }

    fn assignments() -> String {
        format!("/permissions/{TREASURY_VIEWER}/assignments")
    }

    fn body() -> String {
        json!({ "identityId": people::SAM.dfns }).to_string()
    }

    #[tokio::test]
    async fn every_kind_of_key_signs() {
        for kind in [KeyKind::Ed25519, KeyKind::P256, KeyKind::Secp256k1, KeyKind::Rsa] {
            let modes = Modes { dfns_key: kind, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let challenge = init(&client, "POST", &assignments(), &body()).await;
            let data = client_data(&challenge);
            let signature = sign(&client, kind, data.as_bytes());
            let answer = complete(&client, &challenge, &data, &signature).await;
            assert_eq!(answer.status, 200, "{kind:?}: {}", answer.body);
        }
    }

    #[tokio::test]
    async fn a_signature_is_over_this_challenge_and_used_once() {
        let (_sandbox, client) = start(Modes::default()).await;
        let sign = |data: &str| sign(&client, KeyKind::Ed25519, data.as_bytes());
        let extra = |challenge: &Answer| {
            let data = client_data(challenge);
            data.replace('}', r#","origin":"https://example.com","crossOrigin":false}"#)
        };
        let other_type =
            |challenge: &Answer| client_data(challenge).replace("key.get", "key.create");
        let other_text = |_: &Answer| r#"{"type":"key.get","challenge":"x"}"#.to_owned();
        let cases: [fn(&Answer) -> String; 4] = [client_data, extra, other_type, other_text];
        for (data, status) in cases.into_iter().zip([200, 200, 400, 400]) {
            let challenge = init(&client, "POST", &assignments(), &body()).await;
            let data = data(&challenge);
            let answer = complete(&client, &challenge, &data, &sign(&data)).await;
            assert_eq!(answer.status, status, "{data}");
            let again = complete(&client, &challenge, &data, &sign(&data)).await;
            assert_eq!(again.status, 400, "a challenge is good once");
        }
        let challenge = init(&client, "POST", &assignments(), &body()).await;
        let data = client_data(&challenge);
        let wrong = complete(&client, &challenge, &data, &sign("something else")).await;
        assert_eq!((wrong.status, wrong.at("/error/status")), (401, json!(401)));
    }

    #[tokio::test]
    async fn the_steps_check_their_bodies() {
        let (_sandbox, client) = start(Modes::default()).await;
        let good = json!({
            "userActionPayload": "",
            "userActionHttpMethod": "DELETE",
            "userActionHttpPath": "/permissions",
            "userActionServerKind": "Api",
        });
        for (field, value, status) in [
            ("userActionServerKind", json!("Api"), 200),
            ("userActionHttpMethod", json!("PATCH"), 400),
            ("userActionHttpPath", json!("permissions"), 400),
            ("userActionPayload", json!({}), 400),
            ("userActionNonce", json!("x"), 400),
        ] {
            let mut body = good.clone();
            body.as_object_mut().unwrap().insert(field.into(), value);
            let answer = own(&client, "POST", "/auth/action/init").json(&body).send().await;
            assert_eq!(answer.status, status, "{field}");
        }
        let unsigned = client.request("dfns", "POST", "/auth/action/init").json(&good);
        assert_eq!(unsigned.send().await.status, 401);
    }

    #[tokio::test]
    async fn a_user_action_is_for_one_request_exactly() {
        let (_sandbox, client) = start(Modes::default()).await;
        let (path, body) = (assignments(), body());
        let spaced = body.replace(':', ": ");
        let elsewhere = path.replace(TREASURY_VIEWER, super::super::WALLET_OPERATOR);
        for (method, sent_path, sent_body) in
            [("POST", &path, &spaced), ("POST", &elsewhere, &body), ("PUT", &path, &body)]
        {
            let action = user_action(&client, "POST", &path, &body).await;
            let answer = with_action(&client, method, sent_path, sent_body, &action).await;
            assert_eq!(answer.status, 403, "{method} {sent_path} {sent_body}");
            let answer = with_action(&client, "POST", &path, &body, &action).await;
            assert_eq!(answer.status, 400, "it is spent by being sent");
        }
        let missing = own(&client, "POST", &path).text("application/json", &body);
        assert_eq!(missing.send().await.status, 403);
        let action = user_action(&client, "POST", &path, &body).await;
        assert_eq!(with_action(&client, "POST", &path, &body, &action).await.status, 200);
        let replayed = with_action(&client, "POST", &path, &body, &action).await;
        assert_eq!(replayed.status, 400);
    }
}
