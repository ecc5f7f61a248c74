//! Reading a token, and deciding whether it counts: pure, given the key.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde_json::{Map, Value};

use super::keys::Key;
use super::{Bearer, ClaimNames, IssuerSettings, Rejected};
use crate::requester::{Caller, CallerKind, Groups, Requester};
use crate::text;

/// What a token says of itself, before anything of it is believed: enough to find the key.
pub(super) struct Read {
    pub(super) issuer: String,
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<String>,
}

pub(super) type Claims = Map<String, Value>;

/// Longer than any token is.
const LONGEST: usize = 16 * 1024;
/// How far clocks may differ, in seconds.
pub(super) const LEEWAY: u64 = 30;
const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];
/// What the header of an access token calls it, where it says: RFC 9068, or JWTs of no special kind.
const TYPES: [&str; 3] = ["at+jwt", "application/at+jwt", "jwt"];
/// The same of an ID token, which has no kind of its own.
const ID_TYPES: [&str; 1] = ["jwt"];
/// What some issuers call an access token among its claims.
const BEARER: &str = "bearer";
/// Claims of tokens that are no access tokens: of ID tokens, of log-outs and of other events.
const FOREIGN: [&str; 4] = ["at_hash", "c_hash", "s_hash", "events"];
/// A token that only the holder of another key may use: nobody has shown that key.
const BOUND: &str = "cnf";
const LONGEST_SUBJECT: usize = 255;
/// How Auth0 ends the subject of a program.
const PROGRAMS: &str = "@clients";
/// Where an issuer says that a claim is to be asked for, and that groups are too many for a token.
pub(super) const ELSEWHERE: &str = "_claim_names";
/// Whether an address is theirs.
pub(super) const VERIFIED: &str = "email_verified";
const OVERAGE: &str = "hasgroups";
const MOST_GROUPS: usize = 500;
const LONGEST_GROUP: usize = 255;
pub(super) const REQUIRED: [&str; 4] = ["exp", "iss", "aud", "sub"];

const MALFORMED: Rejected = Rejected::Invalid("it is no signed JWT");
const WRONG_KIND: Rejected = Rejected::Invalid("it is not an access token");
pub(super) const FOREIGN_ISSUER: Rejected = Rejected::Invalid("its issuer is not trusted here");

impl Read {
    pub(super) fn of(token: &str) -> Result<Self, Rejected> {
        Self::of_kind(token, &TYPES)
    }

    pub(super) fn of_id_token(token: &str) -> Result<Self, Rejected> {
        Self::of_kind(token, &ID_TYPES)
    }

    fn of_kind(token: &str, kinds: &[&str]) -> Result<Self, Rejected> {
        if token.len() > LONGEST {
            return Err(Rejected::Invalid("it is too long"));
        }
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else { return Err(MALFORMED) };
        let (header, claims) = (object(header)?, object(claims)?);
        if signature.is_empty() {
            return Err(Rejected::Invalid("it is not signed"));
        }
        // What a header says is critical must be understood, and nothing of it is.
        if header.contains_key("crit") {
            return Err(Rejected::Invalid("it has extensions that are not understood"));
        }
        let text = |from: &Claims, name: &str| Some(from.get(name)?.as_str()?.to_owned());
        let kind = header.get("typ").map(|kind| kind.as_str().unwrap_or_default());
        if !kind.is_none_or(|kind| kinds.contains(&kind.to_ascii_lowercase().as_str())) {
            return Err(WRONG_KIND);
        }
        let name = text(&header, "alg").unwrap_or_default();
        let algorithm = ALGORITHMS.iter().find(|(known, _)| *known == name);
        let (_, algorithm) = algorithm.ok_or(Rejected::Invalid("its algorithm does not count"))?;
        let issuer = text(&claims, "iss").ok_or(Rejected::Invalid("it names no issuer"))?;
        Ok(Self { issuer, algorithm: *algorithm, key: text(&header, "kid") })
    }
}

fn object(part: &str) -> Result<Claims, Rejected> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| MALFORMED)?;
    serde_json::from_slice(&bytes).map_err(|_| MALFORMED)
}

/// Whom a token names, if this key signed it and it is for this server, now; and until when it is.
pub(super) fn check(
    token: &str,
    read: &Read,
    key: &Key,
    settings: &IssuerSettings,
) -> Result<(Bearer, Timestamp), Rejected> {
    let mut wanted = Validation::new(read.algorithm);
    wanted.set_required_spec_claims(&REQUIRED);
    wanted.set_issuer(&[&settings.issuer]);
    wanted.set_audience(&settings.audiences);
    (wanted.validate_nbf, wanted.leeway) = (true, LEEWAY);
    let checked = decode::<Claims>(token, &key.key, &wanted);
    let claims = checked.map_err(|error| why(error.kind()))?.claims;
    // A list with the issuer in it would be another's word as well.
    if claims.get("iss").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
        return Err(FOREIGN_ISSUER);
    }
    if FOREIGN.iter().any(|name| claims.contains_key(*name)) {
        return Err(WRONG_KIND);
    }
    let kind = claims.get("typ").map(|kind| kind.as_str().unwrap_or_default());
    if !kind.is_none_or(|kind| kind.eq_ignore_ascii_case(BEARER)) {
        return Err(WRONG_KIND);
    }
    if claims.contains_key(BOUND) {
        return Err(Rejected::Invalid("it is bound to a key that is not shown"));
    }
    let caller = caller(&claims, &settings.claims, &settings.issuer)?;
    // A person's roles say what they are, and not what they let their client do.
    let roles = settings.claims.roles.as_ref().filter(|_| caller.kind == CallerKind::Service);
    let told = words(&claims, roles.map(String::as_str));
    let rights = settings.scopes.rights(told);
    let (requester, scopes) = (Requester::calling(caller), settings.scopes.clone());
    Ok((Bearer { requester, rights, scopes }, end(&claims)))
}

/// When a token is too old, leeway included; long ago where that cannot be told.
fn end(claims: &Claims) -> Timestamp {
    let ends = claims.get("exp").and_then(Value::as_i64);
    let ends = ends.and_then(|ends| ends.checked_add(LEEWAY.cast_signed()));
    ends.and_then(|ends| Timestamp::from_second(ends).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn why(error: &jsonwebtoken::errors::ErrorKind) -> Rejected {
    use jsonwebtoken::errors::ErrorKind as Kind;
    Rejected::Invalid(match error {
        Kind::ExpiredSignature => "it has expired",
        Kind::ImmatureSignature => "it is not valid yet",
        Kind::InvalidAudience => "it is for another server",
        Kind::InvalidIssuer => "its issuer is not trusted here",
        Kind::MissingRequiredClaim(_) => "it lacks one of exp, iss, aud and sub",
        Kind::InvalidSignature => "its signature does not hold",
        _ => "it does not hold",
    })
}

pub(super) fn caller(
    claims: &Claims,
    names: &ClaimNames,
    issuer: &str,
) -> Result<Caller, Rejected> {
    let said = |name: &str| Some(claims.get(name)?.as_str()?.to_owned());
    let client = said(&names.client);
    let is_service = is_in_its_own_name(claims, client.as_deref())
        || names.service.as_ref().is_some_and(|(name, value)| match value {
            Some(value) => said(name).as_ref() == Some(value),
            None => claims.contains_key(name),
        });
    // What people are known by, a program may not have.
    let own = said(&names.subject).or_else(|| said("sub").filter(|_| is_service));
    let subject = own.ok_or(Rejected::Invalid("it does not say whom it names"))?;
    let is_odd = text::is_blank(&subject) || !text::is_clean(&subject);
    if is_odd || subject.trim() != subject || subject.len() > LONGEST_SUBJECT {
        return Err(Rejected::Invalid("whom it names cannot be shown"));
    }
    let kind = if is_service { CallerKind::Service } else { CallerKind::Person };
    let is_unverified = claims.get(VERIFIED) == Some(&Value::Bool(false));
    let email = said(&names.email).filter(|_| !is_unverified);
    let groups = names.groups.as_ref().map(|name| groups(claims, name, issuer));
    let groups = groups.unwrap_or_default();
    Ok(Caller { issuer: issuer.to_owned(), subject, kind, email, client, groups })
}

/// Whether a token is about the very client that it was made for.
fn is_in_its_own_name(claims: &Claims, client: Option<&str>) -> bool {
    let subject = claims.get("sub").and_then(Value::as_str);
    subject.zip(client).is_some_and(|(subject, client)| {
        subject.strip_suffix(PROGRAMS).unwrap_or(subject) == client
    })
}

/// The groups that a claim lists. One that an issuer leaves out says that there are none; one that it says is
/// elsewhere says nothing, and neither does one that cannot be read whole. A text by itself is the one group that it
/// names, as some issuers write a list of one; whether one with blanks or commas in it names several nobody knows.
fn groups(claims: &Claims, name: &str, issuer: &str) -> Groups {
    let is_elsewhere = |one: &Value| one.get(name).is_some();
    if claims.get(ELSEWHERE).is_some_and(is_elsewhere)
        || claims.get(OVERAGE) == Some(&Value::Bool(true))
    {
        return Groups::Untold;
    }
    let Some(said) = claims.get(name) else { return Groups::default() };
    if said
        .as_str()
        .is_some_and(|text| text.contains(|c: char| c.is_whitespace() || ",;".contains(c)))
    {
        return Groups::Untold;
    }
    let all = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
    let read = |one: &Value| {
        let name = one.as_str().filter(|name| !name.is_empty() && name.len() <= LONGEST_GROUP)?;
        Some(format!("{issuer}#{name}"))
    };
    let read: Option<Vec<_>> = all.iter().map(read).collect();
    read.filter(|groups| groups.len() <= MOST_GROUPS).map_or(Groups::Untold, Groups::Told)
}

/// The words by which a token says what its bearer may ask for: in `scope` of RFC 9068, a text, or `scp`, a text
/// or a list, or in a claim of roles.
fn words<'c>(claims: &'c Claims, roles: Option<&'c str>) -> impl Iterator<Item = &'c str> {
    ["scope", "scp"]
        .into_iter()
        .chain(roles)
        .filter_map(|name| claims.get(name))
        .flat_map(|said| said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice))
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_are_a_list_or_one_text_and_nothing_is_known_of_what_may_be_several() {
        let told = |names: &[&str]| {
            let names = names.iter().map(|name| format!("https://id.example.com#{name}"));
            Groups::Told(names.collect())
        };
        let too_many: Vec<_> = (0..=MOST_GROUPS).map(|number| number.to_string()).collect();
        for (claims, wanted) in [
            (json!({}), told(&[])),
            (json!({ "groups": [] }), told(&[])),
            (json!({ "groups": ["crew", "Domain Users"] }), told(&["crew", "Domain Users"])),
            (json!({ "groups": "crew" }), told(&["crew"])),
            (json!({ "groups": "/staff/crew" }), told(&["/staff/crew"])),
            (json!({ "groups": "crew, contractors" }), Groups::Untold),
            (json!({ "groups": "crew contractors" }), Groups::Untold),
            (json!({ "groups": "crew;contractors" }), Groups::Untold),
            (json!({ "groups": "" }), Groups::Untold),
            (json!({ "groups": null }), Groups::Untold),
            (json!({ "groups": { "crew": true } }), Groups::Untold),
            (json!({ "groups": ["crew", 7] }), Groups::Untold),
            (json!({ "groups": too_many }), Groups::Untold),
            (json!({ "groups": ["crew"], "hasgroups": true }), Groups::Untold),
            (json!({ "_claim_names": { "groups": "src1" } }), Groups::Untold),
        ] {
            let claims = claims.as_object().unwrap();
            assert_eq!(groups(claims, "groups", "https://id.example.com"), wanted, "{claims:?}");
        }
    }

    fn of(claims: Value, names: &ClaimNames) -> Result<Caller, Rejected> {
        let Value::Object(claims) = claims else { panic!("{claims}") };
        caller(&claims, names, "https://id.example.com")
    }

    /// As each provider says it; what it says in settings.
    #[test]
    fn a_caller_is_a_person_or_a_program_by_what_its_issuer_says() {
        use CallerKind::{Person, Service};
        let with =
            |subject: &str, client: &str, service: Option<(&str, Option<&str>)>| ClaimNames {
                subject: subject.to_owned(),
                client: client.to_owned(),
                service: service.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))),
                ..ClaimNames::default()
            };
        let keycloak = with("sub", "azp", Some(("client_id", None)));
        let entra = with("oid", "azp", Some(("idtyp", Some("app"))));
        let okta = with("uid", "cid", None);
        let auth0 = with("sub", "azp", None);
        for (names, claims, subject, kind) in [
            (&ClaimNames::default(), json!({ "sub": "u", "client_id": "c" }), "u", Person),
            (&ClaimNames::default(), json!({ "sub": "c", "client_id": "c" }), "c", Service),
            (&ClaimNames::default(), json!({ "sub": "u" }), "u", Person),
            (&keycloak, json!({ "sub": "u", "azp": "c" }), "u", Person),
            (&keycloak, json!({ "sub": "u", "azp": "c", "client_id": "c" }), "u", Service),
            (&entra, json!({ "sub": "pairwise", "oid": "o", "azp": "c" }), "o", Person),
            (&entra, json!({ "sub": "o", "oid": "o", "azp": "c", "idtyp": "app" }), "o", Service),
            (&okta, json!({ "sub": "a@example.com", "uid": "00u", "cid": "0oa" }), "00u", Person),
            (&okta, json!({ "sub": "0oa", "cid": "0oa" }), "0oa", Service),
            (&auth0, json!({ "sub": "auth0|1", "azp": "c" }), "auth0|1", Person),
            (&auth0, json!({ "sub": "c@clients", "azp": "c" }), "c@clients", Service),
        ] {
            let found = of(claims.clone(), names).unwrap();
            assert_eq!((found.subject.as_str(), found.kind), (subject, kind), "{claims}");
        }
        assert!(of(json!({ "sub": "a@example.com", "cid": "0oa" }), &okta).is_err(), "no uid");
    }
}
