//! What a client is told that has to get a token: the metadata of this resource (RFC 9728) and the challenges
//! (RFC 6750).

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use rmcp::model::RequestId;
use serde_json::json;

use super::Body;
use super::answers::{FORBIDDEN, json as answer, refusal};
use super::front::Front;
use super::scope::Needs;
use crate::identity::{IssuerSettings, ScopeNames};

pub(super) struct Challenge {
    /// What the metadata calls this server, byte for byte as it is configured, whatever a request says.
    resource: String,
    metadata_url: String,
    /// The same document is at the host's own place, for clients that look there alone.
    places: [String; 2],
    issuers: Vec<String>,
    /// All scopes that there are, whatever an issuer calls them.
    supported: Vec<String>,
    /// What a client is to ask for that has no token yet: all there is, because clients seldom ask twice.
    /// Nothing where issuers call it otherwise, and nobody knows whom the client will ask.
    first: Option<String>,
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Challenge {
    pub(super) fn new<'i>(
        front: &Front,
        is_read_only: bool,
        issuers: impl Iterator<Item = &'i IssuerSettings> + Clone,
    ) -> Self {
        let own = format!("{WELL_KNOWN}{}", front.path());
        let all = if is_read_only { Needs::Read } else { Needs::Change };
        let mut supported: Vec<String> = Vec::new();
        for name in issuers.clone().flat_map(|issuer| all.scopes(&issuer.scopes)) {
            if !supported.iter().any(|known| known == name) {
                supported.push(name.to_owned());
            }
        }
        let mut asked = issuers.clone().map(|issuer| all.scopes(&issuer.scopes).join(" "));
        let first = asked.next().filter(|first| asked.all(|other| other == *first));
        Self {
            resource: front.public_url().to_owned(),
            metadata_url: format!("{}{own}", front.origin()),
            places: [WELL_KNOWN.to_owned(), own],
            issuers: issuers.map(|issuer| issuer.issuer.clone()).collect(),
            supported,
            first,
        }
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        self.places.iter().any(|place| place == path)
    }

    pub(super) fn metadata(&self) -> Response<Body> {
        let document = json!({
            "resource": self.resource,
            "authorization_servers": self.issuers,
            "scopes_supported": self.supported,
            "bearer_methods_supported": ["header"],
            "resource_name": "Grantor",
        });
        answer(StatusCode::OK, document.to_string().into_bytes())
    }

    /// To somebody who has shown no token: how to get one.
    pub(super) fn unknown(&self) -> Response<Body> {
        self.challenged(StatusCode::UNAUTHORIZED, self.first.as_deref(), None)
    }

    /// To somebody whose token does not count, and never will.
    pub(super) fn invalid(&self, why: &str) -> Response<Body> {
        let error = Some(("invalid_token", why));
        self.challenged(StatusCode::UNAUTHORIZED, self.first.as_deref(), error)
    }

    /// To somebody whose token is not for what they ask; `id` is their message's, where that was read.
    pub(super) fn insufficient(
        &self,
        needs: Needs,
        names: &ScopeNames,
        id: Option<RequestId>,
    ) -> Response<Body> {
        const ERROR: &str = "insufficient_scope";
        const WHY: &str = "the token does not allow this";
        let scopes = needs.scopes(names).join(" ");
        let answer = self.challenged(StatusCode::FORBIDDEN, Some(&scopes), Some((ERROR, WHY)));
        let told = json!({ "error": ERROR, "scope": scopes });
        let said = refusal(StatusCode::FORBIDDEN, (FORBIDDEN, WHY, Some(told)), id);
        Response::from_parts(answer.into_parts().0, said.into_body())
    }

    fn challenged(
        &self,
        status: StatusCode,
        scopes: Option<&str>,
        error: Option<(&str, &str)>,
    ) -> Response<Body> {
        let mut said = format!("Bearer resource_metadata=\"{}\"", self.metadata_url);
        if let Some(scopes) = scopes {
            said.push_str(&format!(", scope=\"{scopes}\""));
        }
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
