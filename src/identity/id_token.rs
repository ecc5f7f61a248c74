//! What an ID token shows (OpenID Connect Core 1.0, 3.1.3.7): pure, given the key.

use jsonwebtoken::{Validation, decode};
use serde_json::Value;

use super::keys::Key;
use super::login::LoginSettings;
use super::token::{
    Claims, ELSEWHERE, FOREIGN_ISSUER, LEEWAY, REQUIRED, Read, VERIFIED, caller, why,
};
use super::{ClaimNames, IssuerSettings, Rejected};
use crate::requester::{Caller, CallerKind, Requester};

/// The claims of an ID token that counts.
pub(super) struct Checked(Claims);

/// Whom an ID token shows, and when they proved to their issuer who they are, in seconds since 1970.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) requester: Requester,
    pub(super) authenticated_at: Option<i64>,
}

/// What some issuers call an ID token among its claims.
const KIND: &str = "id";
const OTHER_KIND: Rejected = Rejected::Invalid("it is not an ID token");

/// Whom it shows, if this key signed it, for this client and for the log-in that `nonce` is of, now.
pub(super) fn check(
    token: &str,
    read: &Read,
    key: &Key,
    (settings, login): (&IssuerSettings, &LoginSettings),
    nonce: &str,
) -> Result<Checked, Rejected> {
    let mut wanted = Validation::new(read.algorithm);
    wanted.set_required_spec_claims(&REQUIRED);
    wanted.set_issuer(&[&settings.issuer]);
    wanted.set_audience(&[&login.client_id]);
    (wanted.validate_nbf, wanted.leeway) = (true, LEEWAY);
    let checked = decode::<Claims>(token, &key.key, &wanted);
    let claims = checked.map_err(|error| why(error.kind()))?.claims;
    of_claims(&claims, settings, login, nonce)?;
    Ok(Checked(claims))
}

impl Checked {
    /// Whether it leaves out what its issuer may say beside it: groups where those are asked for, and an address.
    pub(super) fn leaves_out(&self, names: &ClaimNames) -> bool {
        wanted(names).any(|name| self.lacks(name))
    }

    /// Whether groups are among that.
    pub(super) fn leaves_out_groups(&self, names: &ClaimNames) -> bool {
        names.groups.as_deref().is_some_and(|name| self.lacks(name))
    }

    /// Puts in what the issuer says beside the token (OpenID Connect Core 1.0, 5.3) and the token leaves out.
    ///
    /// # Errors
    /// That is of somebody else, or of nobody.
    pub(super) fn complete(&mut self, beside: &Claims, names: &ClaimNames) -> Result<(), Rejected> {
        let subject = |of: &Claims| of.get("sub").and_then(Value::as_str).map(str::to_owned);
        if subject(beside).is_none() || subject(beside) != subject(&self.0) {
            return Err(Rejected::Invalid("what is said beside it is of somebody else"));
        }
        for name in wanted(names).map(str::to_owned).collect::<Vec<_>>() {
            let Some(said) = beside.get(&name).filter(|_| self.lacks(&name)) else { continue };
            self.0.insert(name.clone(), said.clone());
            // Whether an address is theirs is said where the address is.
            if name == names.email {
                self.0.remove(VERIFIED);
                self.0.extend(beside.get(VERIFIED).map(|is| (VERIFIED.to_owned(), is.clone())));
            }
        }
        Ok(())
    }

    /// Whom it shows.
    pub(super) fn shown(
        &self,
        (settings, login): (&IssuerSettings, &LoginSettings),
        nonce: &str,
    ) -> Result<Shown, Rejected> {
        of_claims(&self.0, settings, login, nonce)
    }

    /// Whether it says nothing of this, and not either that it cannot.
    fn lacks(&self, name: &str) -> bool {
        let is_elsewhere = |one: &Value| one.get(name).is_some();
        !self.0.contains_key(name) && !self.0.get(ELSEWHERE).is_some_and(is_elsewhere)
    }
}

fn wanted(names: &ClaimNames) -> impl Iterator<Item = &str> {
    names.groups.as_deref().into_iter().chain([names.email.as_str()])
}

/// The same of claims whose signature, time and audience hold.
fn of_claims(
    claims: &Claims,
    settings: &IssuerSettings,
    login: &LoginSettings,
    nonce: &str,
) -> Result<Shown, Rejected> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(settings.issuer.as_str()) {
        return Err(FOREIGN_ISSUER);
    }
    let kind = claims.get("typ").map(|kind| kind.as_str().unwrap_or_default());
    if !kind.is_none_or(|kind| kind.eq_ignore_ascii_case(KIND)) || claims.contains_key("events") {
        return Err(OTHER_KIND);
    }
    // One that is for others as well says by whom it was asked for.
    let is_for_several =
        claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    let asked_by = claims.get("azp").map(|by| by.as_str().unwrap_or_default());
    let is_ours = asked_by.is_some_and(|by| by == login.client_id);
    if !is_ours && (is_for_several || asked_by.is_some()) {
        return Err(Rejected::Invalid("it was made for another client"));
    }
    if text("nonce") != Some(nonce) {
        return Err(Rejected::Invalid("it is of another log-in"));
    }
    let subject = login.subject.as_ref().unwrap_or(&settings.claims.subject);
    let names = ClaimNames { subject: subject.clone(), ..settings.claims.clone() };
    let caller = caller(claims, &names, &settings.issuer)?;
    if caller.kind != CallerKind::Person {
        return Err(Rejected::Invalid("it names no person"));
    }
    let requester = Requester::calling(Caller { client: Some(login.client_id.clone()), ..caller });
    let authenticated_at = claims.get("auth_time").and_then(Value::as_i64);
    Ok(Shown { requester, authenticated_at })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ScopeNames;

    use super::*;

    fn shown(edit: impl FnOnce(&mut Claims)) -> Result<Shown, Rejected> {
        let settings = IssuerSettings {
            name: "company".to_owned(),
            issuer: "https://id.example.com".to_owned(),
            audiences: vec!["https://grantor.example.com/mcp".to_owned()],
            jwks: None,
            claims: ClaimNames { groups: Some("groups".to_owned()), ..ClaimNames::default() },
            scopes: ScopeNames::default(),
            login: None,
        };
        let login = LoginSettings::new("inbox".to_owned());
        let claims = json!({ "iss": "https://id.example.com", "sub": "u-1", "aud": "inbox",
            "nonce": "n", "email": "ada@example.com", "groups": ["leads"], "auth_time": 7 });
        let Value::Object(mut claims) = claims else { panic!("no claims") };
        edit(&mut claims);
        of_claims(&claims, &settings, &login, "n")
    }

    fn beside(token: Value, said: Value) -> Result<Claims, Rejected> {
        let names = ClaimNames { groups: Some("groups".to_owned()), ..ClaimNames::default() };
        let object = |value: Value| value.as_object().unwrap().clone();
        let mut checked = Checked(object(token));
        checked.complete(&object(said), &names).map(|()| checked.0)
    }

    #[test]
    fn what_is_said_beside_it_fills_what_it_leaves_out_and_is_of_the_same_person() {
        let token = || json!({ "sub": "u-1" });
        let said = json!({ "sub": "u-1", "groups": ["leads"], "email": "ada@example.com",
            "email_verified": false, "nonce": "x", "iss": "https://evil.example" });
        let whole = beside(token(), said.clone()).unwrap();
        let filled = json!({ "sub": "u-1", "groups": ["leads"], "email": "ada@example.com",
            "email_verified": false });
        assert_eq!(Value::Object(whole), filled, "nothing else of it is taken");
        let own =
            json!({ "sub": "u-1", "groups": [], "email": "a@example.com", "email_verified": true });
        assert_eq!(Value::Object(beside(own.clone(), said.clone()).unwrap()), own);
        let elsewhere =
            json!({ "sub": "u-1", "email": "a@b.c", "_claim_names": { "groups": "s" } });
        assert_eq!(Value::Object(beside(elsewhere.clone(), said).unwrap()), elsewhere);
        for other in [json!({ "sub": "u-2" }), json!({}), json!({ "sub": 7 })] {
            assert!(beside(token(), other.clone()).is_err(), "{other}");
        }
        assert!(beside(json!({}), json!({})).is_err(), "nobody is not nobody");
    }

    /// The same name as with a bearer: page and client are one requester.
    #[test]
    fn who_logs_in_is_who_calls() {
        let ada = shown(|_| ()).unwrap();
        assert_eq!(ada.requester.name(), "https://id.example.com#u-1");
        assert_eq!(ada.authenticated_at, Some(7));
        let caller = ada.requester.caller().unwrap();
        assert_eq!(caller.email.as_deref(), Some("ada@example.com"));
        let groups = vec!["https://id.example.com#leads".to_owned()];
        assert_eq!(caller.groups, crate::requester::Groups::Told(groups));
    }

    #[test]
    fn no_id_token_counts_that_is_not_just_so() {
        type Edit = fn(&mut Claims);
        let put = |claims: &mut Claims, name: &str, value: Value| {
            claims.insert(name.to_owned(), value);
        };
        assert!(shown(|claims| put(claims, "azp", "inbox".into())).is_ok());
        assert!(shown(|claims| put(claims, "typ", "ID".into())).is_ok());
        let hostile: [(&str, Edit); 10] = [
            ("another issuer", |claims| {
                claims.insert("iss".to_owned(), "https://evil.example".into());
            }),
            ("several issuers", |claims| {
                claims.insert("iss".to_owned(), json!(["https://id.example.com"]));
            }),
            ("another log-in", |claims| {
                claims.insert("nonce".to_owned(), "m".into());
            }),
            ("no log-in", |claims| {
                claims.remove("nonce");
            }),
            ("another client's", |claims| {
                claims.insert("azp".to_owned(), "other".into());
            }),
            ("several clients', and it is not said whose", |claims| {
                claims.insert("aud".to_owned(), json!(["inbox", "other"]));
            }),
            ("an access token", |claims| {
                claims.insert("typ".to_owned(), "Bearer".into());
            }),
            ("a log-out token", |claims| {
                claims.insert("events".to_owned(), json!({}));
            }),
            ("a program's", |claims| {
                claims.insert("client_id".to_owned(), "u-1".into());
            }),
            ("nobody's", |claims| {
                claims.remove("sub");
            }),
        ];
        for (what, edit) in hostile {
            assert!(shown(edit).is_err(), "{what}");
        }
    }
}
