//! An issuer for a sandbox that is served over HTTP: on this machine alone, with a key that is new each run. It gives
//! bearers to whoever asks, and has a browser say who it wants to be. It is no identity provider, and nothing but a
//! sandbox trusts it.

mod login;

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use login::Logins;

/// An issuer, until dropped.
pub struct Issuer {
    url: String,
    listening: AbortHandle,
}

struct Office {
    url: String,
    host: String,
    audience: String,
    key: Ed25519KeyPair,
    logins: Logins,
}

/// Whom it gives bearers to.
struct Somebody {
    name: &'static str,
    subject: &'static str,
    email: Option<&'static str>,
    scope: &'static str,
    /// The group they are in, where they are in one.
    group: Option<&'static str>,
    /// What they are there for, on the page where one chooses who to be.
    part: &'static str,
}

/// Who approves there, and who sees what everybody asks for.
pub const APPROVERS: &str = "access-team";
pub const READERS: &str = "auditors";

const SOMEBODY: [Somebody; 5] = [
    Somebody {
        name: "alex",
        subject: "person-alex",
        email: Some("alex.kim@example.com"),
        scope: "grantor:read grantor:change",
        group: None,
        part: "asks for access",
    },
    Somebody {
        name: "marta",
        subject: "person-marta",
        email: Some("marta.lindqvist@example.com"),
        scope: "grantor:read grantor:change",
        group: Some(APPROVERS),
        part: "approves what others ask for",
    },
    Somebody {
        name: "tomas",
        subject: "person-tomas",
        email: Some("tomas.ferreira@example.com"),
        scope: "grantor:read grantor:change",
        group: Some(APPROVERS),
        part: "approves as well",
    },
    Somebody {
        name: "grace",
        subject: "person-grace",
        email: Some("grace.okafor@example.com"),
        scope: "grantor:read",
        group: Some(READERS),
        part: "sees what is asked for, and decides nothing",
    },
    Somebody {
        name: "pipeline",
        subject: "pipeline",
        email: None,
        scope: "grantor:read grantor:change",
        group: None,
        part: "is a program",
    },
];
const KEY_ID: &str = "this-run";
/// How long a bearer is good for, in seconds.
const LASTS: i64 = 3_600;
/// More than a code's form has.
const LARGEST: usize = 16 * 1024;

impl Issuer {
    /// Listens on 127.0.0.1, and gives bearers that are for `audience`.
    ///
    /// # Errors
    /// It cannot listen, or make a key.
    pub async fn start(audience: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?.to_string();
        let url = format!("http://{host}");
        let key = Ed25519KeyPair::generate().map_err(io::Error::other)?;
        let (audience, own) = (audience.to_owned(), url.clone());
        let logins = Logins::default();
        let office = Arc::new(Office { url: own, host, audience, key, logins });
        let listening = tokio::spawn(serve(listener, office)).abort_handle();
        Ok(Self { url, listening })
    }

    /// Its identifier, and where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The names that bearers can be had for, and what each may ask for.
    pub fn people() -> impl Iterator<Item = (&'static str, &'static str)> {
        SOMEBODY.iter().map(|one| (one.name, one.scope))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(listener: TcpListener, office: Arc<Office>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let office = office.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let office = office.clone();
                        async move { Ok::<_, Infallible>(office.answer(request).await) }
                    });
                    // Whoever asked notices how it ended.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Office {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() == Method::POST && request.uri().path() == "/token" {
            let read = Limited::new(request.into_body(), LARGEST).collect().await;
            return match read {
                Ok(body) => self.redeem(&body.to_bytes()),
                Err(_) => login::no("invalid_request"),
            };
        }
        self.shown(&request)
    }

    fn shown(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        if host != Some(self.host.as_str()) {
            // A page in a browser could have a name of its own lead here.
            return answered(
                StatusCode::FORBIDDEN,
                "text/plain",
                "this is another host\n".to_owned(),
            );
        }
        match request.uri().path() {
            "/.well-known/openid-configuration" => document(&json!({
                "issuer": self.url,
                "jwks_uri": format!("{}/keys", self.url),
                "authorization_endpoint": format!("{}/authorize", self.url),
                "token_endpoint": format!("{}/token", self.url),
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "authorization_response_iss_parameter_supported": true,
            })),
            "/authorize" => self.choice(request.uri().query().unwrap_or_default()),
            "/chosen" => self.chosen(request.uri().query().unwrap_or_default()),
            "/keys" => {
                let x = BASE64_URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
                document(&json!({ "keys": [
                    { "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": x },
                ] }))
            }
            "/token" => {
                let query = request.uri().query().unwrap_or_default();
                let named = SOMEBODY.iter().find(|one| query == format!("who={}", one.name));
                match named {
                    Some(one) => answered(StatusCode::OK, "text/plain", self.token(one)),
                    None => {
                        let names: Vec<_> = SOMEBODY.iter().map(|one| one.name).collect();
                        let text = format!("who is one of {}\n", names.join(", "));
                        answered(StatusCode::BAD_REQUEST, "text/plain", text)
                    }
                }
            }
            _ => {
                answered(StatusCode::NOT_FOUND, "text/plain", "there is nothing here\n".to_owned())
            }
        }
    }

    /// A signed token (RFC 9068).
    fn token(&self, of: &Somebody) -> String {
        let now = Timestamp::now().as_second();
        let client = if of.email.is_some() { "sandbox" } else { of.subject };
        let mut claims = json!({
            "iss": self.url, "aud": self.audience, "sub": of.subject, "client_id": client,
            "iat": now, "exp": now + LASTS, "scope": of.scope,
        });
        of.told(&mut claims);
        self.signed("at+jwt", &claims)
    }

    fn signed(&self, kind: &str, claims: &Value) -> String {
        let header = json!({ "typ": kind, "alg": "EdDSA", "kid": KEY_ID });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

impl Somebody {
    /// What all tokens say of them.
    fn told(&self, claims: &mut Value) {
        let Value::Object(claims) = claims else { return };
        claims.extend(self.email.map(|email| ("email".to_owned(), email.into())));
        claims.extend(self.group.map(|group| ("groups".to_owned(), json!([group]))));
    }
}

fn document(value: &Value) -> Response<Full<Bytes>> {
    answered(StatusCode::OK, "application/json", value.to_string())
}

fn answered(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
