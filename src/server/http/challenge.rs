//! What a client is told that has to get a token: the metadata of this resource (RFC 9728) and the challenges
//! (RFC 6750).

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::front::Front;
use super::scope::{CHANGE, Needs, READ};
use super::{Body, json as answer};

pub(super) struct Challenge {
    /// What the metadata calls this server, byte for byte as it is configured, whatever a request says.
    resource: String,
    metadata_url: String,
    /// The same document is at the host's own place, for clients that look there alone.
    places: [String; 2],
    /// What a client is to ask for that has no token yet: all there is, because clients seldom ask twice.
    scopes: Vec<&'static str>,
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Challenge {
    pub(super) fn new(front: &Front, is_read_only: bool) -> Self {
        let own = format!("{WELL_KNOWN}{}", front.path());
        Self {
            resource: front.public_url().to_owned(),
            metadata_url: format!("{}{own}", front.origin()),
            places: [WELL_KNOWN.to_owned(), own],
            scopes: if is_read_only { vec![READ] } else { vec![READ, CHANGE] },
        }
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        self.places.iter().any(|place| place == path)
    }

    pub(super) fn metadata<'i>(&self, issuers: impl Iterator<Item = &'i str>) -> Response<Body> {
        let document = json!({
            "resource": self.resource,
            "authorization_servers": issuers.collect::<Vec<_>>(),
            "scopes_supported": self.scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "Grantor",
        });
        answer(StatusCode::OK, document.to_string().into_bytes())
    }

    /// To somebody who has shown no token: how to get one.
    pub(super) fn unknown(&self) -> Response<Body> {
        self.challenged(StatusCode::UNAUTHORIZED, &self.scopes, None)
    }

    /// To somebody whose token does not count, and never will.
    pub(super) fn invalid(&self, why: &str) -> Response<Body> {
        self.challenged(StatusCode::UNAUTHORIZED, &self.scopes, Some(("invalid_token", why)))
    }

    /// To somebody whose token is not for what they ask.
    pub(super) fn insufficient(&self, needs: Needs) -> Response<Body> {
        let why = Some(("insufficient_scope", "the token does not allow this"));
        self.challenged(StatusCode::FORBIDDEN, needs.scopes(), why)
    }

    fn challenged(
        &self,
        status: StatusCode,
        scopes: &[&str],
        error: Option<(&str, &str)>,
    ) -> Response<Body> {
        let (metadata, scopes) = (&self.metadata_url, scopes.join(" "));
        let mut said = format!("Bearer resource_metadata=\"{metadata}\", scope=\"{scopes}\"");
        let mut body = json!({ "error": "unauthorized" });
        if let Some((error, why)) = error {
            said.push_str(&format!(", error=\"{error}\", error_description=\"{why}\""));
            body = json!({ "error": error, "error_description": why });
        }
        let mut response = answer(status, body.to_string().into_bytes());
        if let Ok(said) = HeaderValue::from_str(&said) {
            response.headers_mut().insert(WWW_AUTHENTICATE, said);
        }
        response
    }
}

/// The token of an `Authorization` header, where it is a bearer's.
pub(super) fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let is_token = !token.is_empty() && token.chars().all(fits);
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}
