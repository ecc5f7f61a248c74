//! A log-in of a sandbox: a browser chooses who to be, and brings a code back that is good for one ID token.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use url::{Url, form_urlencoded};

use super::{Office, SOMEBODY, Somebody, answered, document};

/// The codes that were given out and not brought back.
#[derive(Default)]
pub(super) struct Logins(Mutex<HashMap<String, Asked>>);

/// What a code is good for.
struct Asked {
    who: &'static Somebody,
    at: i64,
    client: String,
    back: String,
    nonce: String,
    challenge: String,
}

/// How long a code is good for, in seconds.
const CODE: i64 = 60;
const LASTS: i64 = 600;
const PAGE: &str = "text/html; charset=utf-8";
const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <meta name=\"color-scheme\" content=\"light dark\"><title>Who are you? · sandbox</title><style>\
    body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}\
    ul{list-style:none;padding:0}a{display:block;border:1px solid;border-radius:.4rem;padding:.75rem 1rem;margin:.5rem 0;\
    color:inherit;text-decoration:none}a:focus-visible,a:hover{outline:3px solid}</style></head><body><main>\
    <h1>Who are you?</h1><p>This is the sandbox’s own log-in. It asks for no password: choose.</p><ul>";

impl Office {
    /// The page where a browser chooses who to be.
    pub(super) fn choice(&self, query: &str) -> Response<Full<Bytes>> {
        if !is_own(query) {
            return odd();
        }
        let mut page = HEAD.to_owned();
        for one in people() {
            let mut to = form_urlencoded::Serializer::new(String::new());
            let to = to.append_pair("who", one.name).extend_pairs(pairs(query)).finish();
            // Percent-encoded, so that only `&` is a letter of HTML's.
            let to = to.replace('&', "&amp;");
            let (name, part) = (one.name, one.part);
            page.push_str(&format!(
                "<li><a href=\"/chosen?{to}\"><strong>{name}</strong> {part}</a></li>"
            ));
        }
        page.push_str("</ul></main></body></html>");
        answered(StatusCode::OK, PAGE, page)
    }

    /// Sends a browser back that has chosen.
    pub(super) fn chosen(&self, query: &str) -> Response<Full<Bytes>> {
        let get = |name: &str| {
            pairs(query)
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
                .unwrap_or_default()
        };
        let who = people().find(|one| one.name == get("who"));
        let (Some(who), true, Ok(mut to)) = (who, is_own(query), Url::parse(&get("redirect_uri")))
        else {
            return odd();
        };
        let mut code = [0; 16];
        if aws_lc_rs::rand::fill(&mut code).is_err() {
            return odd();
        }
        let (code, now) = (BASE64_URL_SAFE_NO_PAD.encode(code), Timestamp::now().as_second());
        let asked = Asked {
            who,
            at: now,
            client: get("client_id"),
            back: get("redirect_uri"),
            nonce: get("nonce"),
            challenge: get("code_challenge"),
        };
        let mut all = self.logins.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, asked| now <= asked.at + CODE);
        all.insert(code.clone(), asked);
        let state = get("state");
        to.query_pairs_mut().extend_pairs([("code", &code), ("state", &state), ("iss", &self.url)]);
        let mut response = answered(StatusCode::SEE_OTHER, PAGE, String::new());
        if let Ok(to) = HeaderValue::from_str(to.as_str()) {
            response.headers_mut().insert(LOCATION, to);
        }
        response
    }

    /// The ID token that a code is good for, once.
    pub(super) fn redeem(&self, form: &[u8]) -> Response<Full<Bytes>> {
        let form: HashMap<_, _> = form_urlencoded::parse(form).into_owned().collect();
        let get = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let mut all = self.logins.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now().as_second();
        let Some(asked) = all.remove(get("code")).filter(|asked| now <= asked.at + CODE) else {
            return no("invalid_grant");
        };
        let key = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, get("code_verifier").as_bytes()));
        let Asked { who, at, client, back, nonce, challenge } = asked;
        if key != challenge || get("client_id") != client || get("redirect_uri") != back {
            return no("invalid_grant");
        }
        let mut claims = json!({ "iss": self.url, "aud": client, "sub": who.subject, "nonce": nonce,
            "iat": now, "exp": now + LASTS, "auth_time": at });
        who.told(&mut claims);
        let id_token = self.signed("JWT", &claims);
        document(
            &json!({ "token_type": "Bearer", "access_token": self.token(who), "id_token": id_token }),
        )
    }
}

/// Those who sit before a browser.
fn people() -> impl Iterator<Item = &'static Somebody> {
    SOMEBODY.iter().filter(|one| one.email.is_some())
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// Whether it asks for a code, with PKCE, to be brought to this machine.
fn is_own(query: &str) -> bool {
    let is = |name: &str, value: &str| {
        pairs(query).any(|pair| pair == (name.to_owned(), value.to_owned()))
    };
    let back = pairs(query).find(|(name, _)| name == "redirect_uri").map(|(_, value)| value);
    let local = [Ipv4Addr::LOCALHOST.to_string(), "localhost".to_owned()];
    let is_local = |back: &Url| {
        back.scheme() == "http"
            && back.host_str().is_some_and(|host| local.iter().any(|own| own == host))
    };
    is("response_type", "code")
        && is("code_challenge_method", "S256")
        && back.and_then(|back| Url::parse(&back).ok()).is_some_and(|back| is_local(&back))
}

fn odd() -> Response<Full<Bytes>> {
    let text = "this is the sandbox's log-in, for its own page alone\n".to_owned();
    answered(StatusCode::BAD_REQUEST, "text/plain", text)
}

/// A refusal of the token endpoint.
pub(super) fn no(error: &str) -> Response<Full<Bytes>> {
    let mut response = document(&json!({ "error": error }));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
