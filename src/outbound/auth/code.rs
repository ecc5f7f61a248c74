//! The exchange of a code for tokens (RFC 6749, 4.1.3), which ends somebody's log-in with a browser.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use secrecy::SecretString;

use super::{AuthError, Signed, carried, exchange};
use crate::draft::Base;
use crate::outbound::{Frozen, Wire};
use crate::secret::{Secret, expose};
use crate::text;

/// As whom this server is known where people log in.
pub struct Client<'a> {
    pub id: &'a str,
    /// None where the key to the code (PKCE) is all that proves that it is us.
    pub secret: Option<&'a Secret>,
    /// Whether the secret goes into a header, not into the form.
    pub in_header: bool,
}

/// The token endpoint's answer to a code; `fields` are the form, without who we are.
///
/// # Errors
/// It cannot be had whole, or is no.
pub async fn redeem(
    at: &Base,
    fields: &[(&str, &str)],
    client: &Client<'_>,
    wire: &Wire,
) -> Result<Vec<u8>, AuthError> {
    let secret = match client.secret {
        Some(secret) => Some(secret.read().await?),
        None => None,
    };
    let mut form = fields.to_vec();
    if secret.is_none() || !client.in_header {
        form.push(("client_id", client.id));
    }
    let in_form = secret.as_ref().filter(|_| !client.in_header);
    form.extend(in_form.map(|secret| ("client_secret", expose(secret))));
    let mut request = Signed::bare(Frozen::form(at, &form));
    if let Some(secret) = secret {
        if client.in_header {
            // Both are written as in a form before they are joined (RFC 6749, 2.3.1).
            let pair = [client.id, expose(&secret)].map(text::encode).join(":");
            let proof = SecretString::from(BASE64_STANDARD.encode(pair));
            request = request.header("authorization", "Basic ", &proof);
        }
        request = request.hiding(&secret);
    }
    let answer = exchange("the token endpoint", request, wire).await;
    if matches!(answer, Err(AuthError::Refused { status: 401, .. }))
        && let Some(secret) = client.secret
    {
        // It may have been renewed where it is kept.
        secret.forget().await;
    }
    answer.map(|reply| reply.body)
}

/// What an issuer says of whoever this token is of (OpenID Connect Core 1.0, 5.3).
///
/// # Errors
/// It cannot be had whole, or is no.
pub async fn userinfo(at: &Base, token: &SecretString, wire: &Wire) -> Result<Vec<u8>, AuthError> {
    let token = carried("the token endpoint", token)?;
    let request = Signed::bare(Frozen::document(at)).header("authorization", "Bearer ", &token);
    let answer = exchange("the userinfo endpoint", request.hiding(&token), wire).await;
    answer.map(|reply| reply.body)
}
