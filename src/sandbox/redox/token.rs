//! Tokens for a signed assertion.
//!
//! From "Authenticate with JWT" and "JWT authentication errors" in the vendor's documents.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::keys::{PublicKey, random_text};
use super::super::message::{Ask, Reply, ensure};
use super::super::modes::Modes;
use super::{CLIENT_ID, KEY_ID, refusal};

pub(super) const PATH: &str = "/v2/auth/token";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far the client's clock may be ahead.
const SKEW: i64 = 10;

pub(super) struct Tokens {
    audience: String,
    key: PublicKey,
    seconds: u32,
    behind: Duration,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    good_until: HashMap<String, Instant>,
    seen: HashSet<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    iat: i64,
    exp: i64,
    jti: String,
}

impl Tokens {
    pub fn new(audience: String, key: PublicKey, modes: &Modes) -> Tokens {
        let (seconds, behind) = (modes.redox_token_seconds, modes.redox_behind);
        Tokens { audience, key, seconds, behind, memory: Mutex::default() }
    }

    pub fn admit(&self, ask: &Ask) -> Result<(), Reply> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let until = ask.bearer().and_then(|token| memory.good_until.get(token));
        ensure(until.is_some_and(|until| *until > Instant::now()), || {
            refusal(401, "The access token is missing, unknown or expired")
        })
    }

    /// An answer, whatever it is, with the date as this clock has it.
    pub fn issue(&self, ask: &Ask) -> Result<Reply, Reply> {
        let date =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.now());
        let dated = |reply: Reply| match &date {
            Ok(date) if !self.behind.is_zero() => reply.with("date", date.clone()),
            _ => reply,
        };
        self.issued(ask).map(dated).map_err(dated)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now().checked_sub(self.behind).unwrap_or_default()
    }

    fn issued(&self, ask: &Ask) -> Result<Reply, Reply> {
        let claims = self.verify(&assertion(ask)?)?;
        self.check(&claims)?;
        let token = random_text(32).map_err(|error| refusal(500, &error.to_string()))?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.jti.is_empty() || !memory.seen.insert(claims.jti) {
            return Err(invalid_client("JWT jti is missing or has been used"));
        }
        let until = Instant::now() + Duration::from_secs(self.seconds.into());
        memory.good_until.insert(token.clone(), until);
        let body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.seconds,
        });
        Ok(Reply::json(200, &body))
    }

    fn verify(&self, assertion: &str) -> Result<Claims, Reply> {
        let malformed = || invalid_client("client assertion is not a JWT");
        let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let header: Header = part(header).ok_or_else(malformed)?;
        let kid =
            header.kid.ok_or_else(|| invalid_client("JWT header kid property is required"))?;
        let typed = header.typ.is_none_or(|typ| typ == "JWT");
        if header.alg != "RS384" || !typed {
            return Err(invalid_client("JWT header alg must be RS384 and typ JWT"));
        }
        let claims: Claims = part(claims).ok_or_else(malformed)?;
        if kid != KEY_ID || claims.iss != CLIENT_ID {
            let why = "Public key not found, check client_id, kid and Redox dashboard settings";
            return Err(invalid_client(why));
        }
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|_| malformed())?;
        self.key
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| invalid_client("JWT signature is invalid"))?;
        Ok(claims)
    }

    fn check(&self, claims: &Claims) -> Result<(), Reply> {
        let now = self.now().as_second();
        let meant = match &claims.aud {
            Value::Array(several) => several.iter().any(|one| *one == *self.audience),
            one => *one == *self.audience,
        };
        if claims.sub != claims.iss || !meant {
            return Err(invalid_client("JWT iss, sub or aud is wrong"));
        }
        let fresh = claims.iat <= now + SKEW && claims.exp > now;
        let brief = claims.exp > claims.iat && claims.exp - claims.iat <= 300;
        ensure(fresh && brief, || {
            invalid_client("JWT has expired or lives longer than five minutes")
        })
    }
}

/// The form, field by field: nothing missing, nothing besides.
fn assertion(ask: &Ask) -> Result<String, Reply> {
    let form = ask
        .form()
        .ok_or_else(|| invalid_request("Content-Type must be application/x-www-form-urlencoded"))?;
    let (mut grant, mut kind, mut assertion) = (None, None, None);
    for (name, value) in form {
        let slot = match name.as_str() {
            "grant_type" => &mut grant,
            "client_assertion_type" => &mut kind,
            "client_assertion" => &mut assertion,
            _ => return Err(invalid_request(&format!("unknown field {name}"))),
        };
        if slot.replace(value).is_some() {
            return Err(invalid_request(&format!("{name} is given twice")));
        }
    }
    if grant.as_deref() != Some("client_credentials") {
        return Err(oauth(400, "unsupported_grant_type", "missing or incorrect grant_type"));
    }
    if kind.as_deref() != Some(ASSERTION_TYPE) {
        return Err(invalid_request("missing or invalid client assertion type"));
    }
    assertion.ok_or_else(|| invalid_request("missing client assertion"))
}

fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?;
    serde_json::from_slice(&decoded).ok()
}

fn invalid_request(description: &str) -> Reply {
    oauth(400, "invalid_request", description)
}

fn invalid_client(description: &str) -> Reply {
    oauth(401, "invalid_client", description)
}

fn oauth(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({ "error": error, "error_description": description }))
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa;
    use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaEncoding};
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use rustls_pki_types::pem::PemObject;

    use super::super::super::client::{Answer, Client, start};
    use super::*;

    pub async fn token(client: &Client) -> String {
        let answer = ask(client, &assertion(client, header(), claims(client))).await;
        answer.at("/access_token").as_str().unwrap().to_owned()
    }

    async fn ask(client: &Client, assertion: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
        ];
        client.request("redox", "POST", PATH).form(&form).send().await
    }

    fn header() -> Value {
        json!({ "alg": "RS384", "kid": KEY_ID, "typ": "JWT" })
    }

    fn claims(client: &Client) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "iss": client.variable("REDOX_CLIENT_ID"),
            "sub": client.variable("REDOX_CLIENT_ID"),
            "aud": format!("{}{PATH}", client.url("redox")),
            "iat": now,
            "exp": now + 300,
            "jti": random_text(16).unwrap(),
        })
    }

    fn assertion(client: &Client, header: Value, claims: Value) -> String {
        assertion_by(client, &RSA_PKCS1_SHA384, header, claims)
    }

    fn assertion_by(
        client: &Client,
        algorithm: &'static dyn RsaEncoding,
        header: Value,
        claims: Value,
    ) -> String {
        let pem = client.variable("REDOX_PRIVATE_KEY");
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let pair = rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(algorithm, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The value with one field changed, or removed by `Null`.
    fn but(mut value: Value, field: &str, changed: Value) -> Value {
        let fields = value.as_object_mut().unwrap();
        fields.remove(field);
        if !changed.is_null() {
            fields.insert(field.to_owned(), changed);
        }
        value
    }

    #[tokio::test]
    async fn every_claim_is_checked() {
        let (_sandbox, client) = start(Modes::default()).await;
        let now = Timestamp::now().as_second();
        for (field, value) in [
            ("iss", json!("another")),
            ("sub", json!("another")),
            ("aud", json!("https://api.redoxengine.com/v2/auth/token")),
            ("aud", Value::Null),
            ("exp", json!(now + 400)),
            ("exp", json!(now - 1)),
            ("iat", json!(now + 3600)),
            ("jti", json!("")),
            ("jti", Value::Null),
        ] {
            let claims = but(claims(&client), field, value.clone());
            let answer = ask(&client, &assertion(&client, header(), claims)).await;
            assert_eq!(answer.status, 401, "{field}: {value}");
            assert_eq!(answer.at("/error"), "invalid_client");
        }
        for (field, value) in [
            ("alg", json!("RS256")),
            ("kid", json!("another")),
            ("kid", Value::Null),
            ("typ", json!("at+jwt")),
        ] {
            let header = but(header(), field, value.clone());
            let answer = ask(&client, &assertion(&client, header, claims(&client))).await;
            assert_eq!(answer.status, 401, "{field}: {value}");
        }
    }

    #[tokio::test]
    async fn the_signature_and_the_nonce_count() {
        let (_sandbox, client) = start(Modes::default()).await;
        let weaker = assertion_by(&client, &RSA_PKCS1_SHA256, header(), claims(&client));
        assert_eq!(ask(&client, &weaker).await.status, 401);
        let good = assertion(&client, header(), claims(&client));
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (head, _) = signed.split_once('.').unwrap();
        let other = BASE64_URL_SAFE_NO_PAD.encode(claims(&client).to_string());
        let forged = format!("{head}.{other}.{signature}");
        assert_eq!(ask(&client, &forged).await.status, 401);
        let granted = ask(&client, &good).await;
        assert_eq!((granted.status, granted.at("/expires_in")), (200, json!(300)));
        assert_eq!(ask(&client, &good).await.status, 401, "the nonce was used");
    }

    #[tokio::test]
    async fn the_form_is_checked_field_by_field() {
        let (_sandbox, client) = start(Modes::default()).await;
        let good = assertion(&client, header(), claims(&client));
        let grant = ("grant_type", "client_credentials");
        let kind = ("client_assertion_type", ASSERTION_TYPE);
        let signed = ("client_assertion", good.as_str());
        for form in [
            vec![kind, signed],
            vec![grant, signed],
            vec![grant, kind],
            vec![grant, kind, signed, ("scope", "openid")],
            vec![grant, grant, kind, signed],
        ] {
            let answer = client.request("redox", "POST", PATH).form(&form);
            assert_eq!(answer.send().await.status, 400, "{form:?}");
        }
        let untyped = client.request("redox", "POST", PATH);
        let answer = untyped.text("text/plain", "grant_type=client_credentials");
        assert_eq!(answer.send().await.status, 400);
    }

    #[tokio::test]
    async fn a_token_ends() {
        for (seconds, status) in [(300, 200), (0, 401)] {
            let modes = Modes { redox_token_seconds: seconds, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let token = token(&client).await;
            let path = "/platform/v1/organizations/4271/role-assignment";
            let request = client.request("redox", "GET", path).bearer(&token);
            assert_eq!(request.send().await.status, status);
        }
    }
}
