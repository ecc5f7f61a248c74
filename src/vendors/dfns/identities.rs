//! Who a permission can be assigned to: users, service accounts, user groups, tokens.

use serde::Deserialize;
use serde_json::Value;

use super::groups::{GROUPS, Groups, groups, members};
use super::{CREDENTIAL, Items, is_id, list, nullable};
use crate::access::{Access, Named, Principal, PrincipalKind};
use crate::draft::Source;
use crate::failure::{Failure, Kind};
use crate::text::{self, Word};
use crate::vendors::people::{Somebody, Sought, person};
use crate::vendors::{ListPosition, NameOrId, Row, VendorReader, pick};

pub(super) const USERS: Source =
    Source { path: "/auth/users", needs: "Auth:Users:Read", docs: "List Users" };
const USER: Source =
    Source { path: "/auth/users/{userId}", needs: "Auth:Users:Read", docs: "Get User" };
pub(super) const SERVICE_ACCOUNTS: Source = Source {
    path: "/auth/service-accounts",
    needs: "Auth:ServiceAccounts:Read",
    docs: "List Service Accounts",
};
const TOKENS: Source =
    Source { path: "/auth/pats", needs: "", docs: "List Personal Access Tokens" };

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
    username: Option<String>,
    name: Option<String>,
    is_active: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    is_service_account: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceAccount {
    user_info: User,
    #[serde(default, deserialize_with = "nullable")]
    access_tokens: Vec<AccessToken>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    token_id: String,
    name: Option<String>,
    is_active: Option<bool>,
    /// The key that signs for it.
    cred_id: Option<String>,
    /// Whose rights it has.
    linked_user_id: Option<String>,
}

const BY_ID: &str = "give the id or the full address of who is meant";

/// Whether a change is of the identity behind this credential.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// It is, or it is a group that this identity is in, or one whose members are not shown.
    pub is: bool,
    /// How many members a group has, or why nobody can say.
    pub members: Option<Result<usize, Failure>>,
}

/// Who a name means.
pub struct Identity {
    pub who: Principal,
    /// Why somebody else may be meant all the same.
    pub doubt: Option<String>,
}

/// The user, service account, user group or token with this id, user name or exact name.
///
/// # Errors
/// None or several match, or a list cannot be read whole.
pub async fn identity(
    reader: &VendorReader<'_>,
    wanted: NameOrId<'_>,
) -> Result<Identity, Failure> {
    person(reader, wanted, |sought| identity_of(reader, sought)).await
}

/// The same, whatever else may be meant.
///
/// # Errors
/// As [`identity`].
pub(super) async fn person_of(reader: &VendorReader<'_>, name: &str) -> Result<Principal, Failure> {
    Ok(identity(reader, NameOrId::named(name)).await?.who)
}

async fn identity_of(reader: &VendorReader<'_>, sought: Sought<'_>) -> Result<Identity, Failure> {
    let wanted = sought.name();
    let certain = |who| Identity { who, doubt: None };
    let text = wanted.as_str();
    if is_id(text, "us") {
        let user: Option<User> = reader.read_maybe(&USER.ask(&[("userId", text)])?).await?;
        if let Some(user) = user {
            return pick("identityId", wanted, vec![user.into_principal()]).map(certain);
        }
    }
    let Groups { all, unseen } = everyone(reader).await?;
    if let Some(shown) = shown_earlier(reader, text)
        && all.iter().all(|known| known.id != text)
    {
        return pick("identityId", wanted, vec![shown]).map(certain);
    }
    if let Some(why) = unseen.as_ref().filter(|why| hides(why, wanted, &all)) {
        return Err(hidden(why, wanted));
    }
    let is_doubtful = unseen.is_some() && !is_certain(wanted, &all);
    let found = pick("identityId", wanted, all);
    let found = found.map(|who| Identity { doubt: is_doubtful.then(|| doubt(&who)), who });
    found.map_err(|failure| match unseen {
        _ if is_id(text, "to") => failure.hint(
            "only this credential's own tokens can be listed: another person's token cannot be \
             checked, so it is not granted anything",
        ),
        Some(why) if failure.kind == Kind::Invalid => {
            let needs = why.hint.unwrap_or(why.message);
            failure.hint(format!("names are matched exactly; user groups are not seen: {needs}"))
        }
        _ => failure,
    })
}

impl Somebody for Identity {
    fn named(&self) -> Named {
        self.who.named()
    }
}

/// Whom the vendor listed before a change that is looked at again: a group may be gone by now, or
/// may no longer be shown.
fn shown_earlier(reader: &VendorReader<'_>, id: &str) -> Option<Principal> {
    let kind = |named: &Named| {
        let kinds = [
            PrincipalKind::User,
            PrincipalKind::Group,
            PrincipalKind::ServiceAccount,
            PrincipalKind::Token,
        ];
        kinds.into_iter().find(|kind| named.kind.as_deref() == Some(kind.as_str()))
    };
    let mut rows = reader.earlier.iter();
    rows.find_map(|Access { principal, .. }| {
        let kind = kind(principal).filter(|_| principal.id == id)?;
        let Named { id, name, email, .. } = principal.clone();
        Some(Principal { kind, id, name, email, active: None })
    })
}

/// Whether somebody of that name may be among those that did not come, and may come on another try. A
/// credential that may not read the groups never sees them: whoever is found without them is taken,
/// and it is said.
fn hides(unseen: &Failure, wanted: NameOrId<'_>, listed: &[Principal]) -> bool {
    unseen.kind != Kind::NotPermitted && !is_certain(wanted, listed)
}

/// Whether nobody else can be meant: nobody else has an id that was listed, nor a full address, which a
/// user group has none of.
fn is_certain(wanted: NameOrId<'_>, listed: &[Principal]) -> bool {
    let (text, address) = (wanted.as_str(), wanted.sought());
    let is_address = |email: &String| email.eq_ignore_ascii_case(address);
    let is_certain = |known: &Principal| match wanted {
        NameOrId::Id(_) => known.id == text,
        NameOrId::Named(_) => known.id == text || known.email.as_ref().is_some_and(is_address),
    };
    listed.iter().any(is_certain)
}

/// What is said of somebody who was found by a name that a user group may have as well. It says nothing
/// of the vendor's own words, which may be others each time.
fn doubt(who: &Principal) -> String {
    let (who, needs) = (who.named().label(), GROUPS.needs);
    format!(
        "{who} was found by name, and a user group may have the same name: user groups cannot be \
         read here, which takes {needs}; {BY_ID}"
    )
}

/// What did not come, and what does without it.
fn hidden(why: &Failure, wanted: NameOrId<'_>) -> Failure {
    let text = text::quote(Word::Caller, wanted.as_str());
    let message = format!("{text} may be a user group, and those did not come: {}", why.message);
    let failure = Failure { message, ..why.clone() };
    match (wanted, &why.hint) {
        (NameOrId::Id(_), _) => failure,
        (NameOrId::Named(_), None) => failure.hint(BY_ID),
        (NameOrId::Named(_), Some(hint)) => failure.hint(format!("{BY_ID}; {hint}")),
    }
}

/// Whether another try may bring what this one did not.
fn passes(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Unavailable | Kind::RateLimited | Kind::Incomplete)
}

/// All users and service accounts, the caller's own tokens, and the user groups that can be seen.
pub(super) async fn everyone(reader: &VendorReader<'_>) -> Result<Groups, Failure> {
    let users = list(reader, USERS.ask(&[])?, ListPosition::default(), usize::MAX, |_| true);
    let (users, accounts, tokens, groups) =
        tokio::join!(users, service_accounts(reader), own_tokens(reader), groups(reader));
    let mut all: Vec<Principal> =
        users?.complete()?.into_iter().map(User::into_principal).collect();
    let accounts = accounts?.into_iter().map(ServiceAccount::into_principal);
    let tokens = tokens?.into_iter().map(AccessToken::into_principal);
    for found in accounts.chain(tokens).chain(groups.all) {
        // Whether the list of users holds service accounts too is not documented.
        if !all.iter().any(|known| known.id == found.id) {
            all.push(found);
        }
    }
    Ok(Groups { all, unseen: groups.unseen })
}

/// Who an identity's id is, as far as this credential may see.
///
/// # Errors
/// A list cannot be read whole.
pub async fn named(reader: &VendorReader<'_>, id: &str) -> Result<Named, Failure> {
    let known = everyone(reader).await?.all.into_iter().find(|known| known.id == id);
    let known = known.or_else(|| shown_earlier(reader, id));
    Ok(known.map_or_else(
        || Named { id: id.to_owned(), name: None, kind: None, email: None },
        |known| known.named(),
    ))
}

/// The assignments that a user's own record names; none where there is no such record.
pub(super) async fn shown_to_hold(reader: &VendorReader<'_>, user: &str) -> Vec<String> {
    let Ok(query) = USER.ask(&[("userId", user)]) else { return Vec::new() };
    let Ok(user) = reader.read::<Value>(&query).await else { return Vec::new() };
    let held = user.get("permissionAssignments").and_then(Value::as_array);
    let id = |one: &Value| Some(one.get("assignmentId")?.as_str()?.to_owned());
    held.into_iter().flatten().filter_map(id).collect()
}

/// Whether an identity is the one behind this credential, as far as the credential may see.
///
/// # Errors
/// A list cannot be read for now.
pub async fn own(reader: &VendorReader<'_>, identity: &Named) -> Result<Own, Failure> {
    let is_group = identity.kind.as_deref() == Some(PrincipalKind::Group.as_str());
    let members = if is_group { Some(members(reader, &identity.id).await) } else { None };
    if let Some(Err(failure)) = &members
        && passes(failure)
    {
        return Err(failure.clone());
    }
    let Some(credential) = reader.tenant.settings.get(CREDENTIAL) else {
        return Ok(Own::default());
    };
    let (accounts, tokens) = tokio::join!(service_accounts(reader), own_tokens(reader));
    let (accounts, tokens) = (shown(accounts)?, tokens?);
    let is = |id: &String| owns(credential, id, &accounts, &tokens);
    let is = match &members {
        None => is(&identity.id),
        Some(Ok(members)) => members.iter().any(is),
        // What nobody can tell counts as what must not be.
        Some(Err(_)) => true,
    };
    Ok(Own { is, members: members.map(|members| members.map(|members| members.len())) })
}

/// Whether the credential is the key of this service account, of this token, or of a token that
/// has this user's rights.
fn owns(
    credential: &str,
    identity: &str,
    accounts: &[ServiceAccount],
    tokens: &[AccessToken],
) -> bool {
    let signs = |token: &AccessToken| token.cred_id.as_deref() == Some(credential);
    let stands_for = |token: &AccessToken| {
        token.token_id == identity || token.linked_user_id.as_deref() == Some(identity)
    };
    let is_own = |token: &AccessToken| signs(token) && stands_for(token);
    tokens.iter().any(is_own)
        || accounts.iter().any(|account| {
            account.access_tokens.iter().any(is_own)
                || account.user_info.user_id == identity && account.access_tokens.iter().any(signs)
        })
}

async fn service_accounts(reader: &VendorReader<'_>) -> Result<Vec<ServiceAccount>, Failure> {
    let accounts: Items<ServiceAccount> = reader.read(&SERVICE_ACCOUNTS.ask(&[])?).await?;
    Ok(accounts.items)
}

async fn own_tokens(reader: &VendorReader<'_>) -> Result<Vec<AccessToken>, Failure> {
    let tokens: Result<Items<AccessToken>, _> = reader.read(&TOKENS.ask(&[])?).await;
    shown(tokens.map(|tokens| tokens.items))
}

/// A list that a credential may not see has nothing to show it.
fn shown<T>(listed: Result<Vec<T>, Failure>) -> Result<Vec<T>, Failure> {
    match listed {
        Err(failure) if matches!(failure.kind, Kind::NotPermitted | Kind::NotFound) => {
            Ok(Vec::new())
        }
        listed => listed,
    }
}

impl Row for User {
    fn key(&self) -> Option<String> {
        Some(self.user_id.clone())
    }
}

impl User {
    fn into_principal(self) -> Principal {
        let kind = if self.is_service_account {
            PrincipalKind::ServiceAccount
        } else {
            PrincipalKind::User
        };
        let name = self.name.or_else(|| self.username.clone());
        let email = self.username.filter(|username| username.contains('@'));
        Principal { kind, id: self.user_id, name, email, active: self.is_active }
    }
}

impl ServiceAccount {
    fn into_principal(self) -> Principal {
        Principal { kind: PrincipalKind::ServiceAccount, ..self.user_info.into_principal() }
    }
}

impl AccessToken {
    fn into_principal(self) -> Principal {
        Principal {
            kind: PrincipalKind::Token,
            id: self.token_id,
            name: self.name,
            email: None,
            active: self.is_active,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whatever the reason, but for the one that will not change and is told with every refusal.
    #[test]
    fn a_name_waits_for_what_did_not_come_and_an_id_does_not() {
        let user = |id: &str, name: &str| {
            let address = format!("{name}@example.com");
            Principal::user(id, Some(name.to_owned()), Some(address))
        };
        let listed = [user("us-a", "Ada"), user("us-b", "Bo")];
        for (kind, hidden) in [
            (Kind::Unavailable, true),
            (Kind::RateLimited, true),
            (Kind::Incomplete, true),
            (Kind::Rejected, true),
            (Kind::Garbled, true),
            (Kind::NotListable, true),
            (Kind::Refused, true),
            (Kind::NotPermitted, false),
        ] {
            let why = Failure::new(kind, "the groups did not come");
            for (wanted, is_certain) in [
                (NameOrId::Named("us-a"), true),
                (NameOrId::Named("Ada@example.com"), true),
                (NameOrId::Named("ADA@EXAMPLE.COM"), true),
                (NameOrId::Named("Ada <ada@example.com>"), true),
                (NameOrId::Named("Ada"), false),
                (NameOrId::Named("us-c"), false),
                (NameOrId::Named("ada@example"), false),
                (NameOrId::Named("Ada <eve@example.com>"), false),
                (NameOrId::Id("us-b"), true),
                (NameOrId::Id("us-c"), false),
                (NameOrId::Id("Ada"), false),
                (NameOrId::Id("ada@example.com"), false),
            ] {
                let hides = hides(&why, wanted, &listed);
                assert_eq!(hides, hidden && !is_certain, "{kind:?} {wanted:?}");
            }
        }
    }

    /// The vendor's SDKs differ over which of these are always there, and nothing here rests on one.
    #[test]
    fn what_is_read_of_an_identity_does_not_depend_on_what_else_it_tells() {
        let bare = json!({
            "userInfo": { "userId": "us-a", "name": "Ada" },
            "accessTokens": [{ "tokenId": "to-a", "credId": "cr-a", "linkedUserId": "us-a" }],
        });
        for more in [
            json!({}),
            json!({ "orgId": "or-a", "linkedAppId": "ap-a", "publicKey": "-----BEGIN" }),
            json!({ "orgId": null, "linkedAppId": null, "publicKey": null }),
            json!({ "isActive": null, "isServiceAccount": null, "permissionAssignments": null }),
            json!({ "kind": "TenantUser", "tenantId": "t", "credentialId": "cr-a", "permissions": [] }),
        ] {
            let mut account = bare.clone();
            for place in ["/userInfo", "/accessTokens/0"] {
                let fields = account.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
                fields.extend(more.as_object().unwrap().clone());
            }
            let account: ServiceAccount = serde_json::from_value(account).unwrap();
            assert!(owns("cr-a", "us-a", std::slice::from_ref(&account), &[]), "{more}");
            assert!(!owns("cr-b", "us-a", std::slice::from_ref(&account), &[]), "{more}");
            let principal = account.into_principal();
            let seen = (principal.id.as_str(), principal.name.as_deref(), principal.kind);
            assert_eq!(seen, ("us-a", Some("Ada"), PrincipalKind::ServiceAccount), "{more}");
        }
        for tokens in [json!(null), json!([])] {
            let account = json!({ "userInfo": { "userId": "us-a" }, "accessTokens": tokens });
            let account: ServiceAccount = serde_json::from_value(account).unwrap();
            assert!(!owns("cr-a", "us-a", &[account], &[]));
        }
    }

    #[test]
    fn a_credentials_own_identity_is_its_account_its_token_and_its_user() {
        let account = r#"{"userInfo": {"userId": "us-a"}, "accessTokens": [
            {"tokenId": "to-old", "credId": "cr-old"}, {"tokenId": "to-a", "credId": "cr-a"}]}"#;
        let token = r#"{"tokenId": "to-b", "credId": "cr-b", "linkedUserId": "us-b"}"#;
        let bare = r#"{"tokenId": "to-c"}"#;
        let accounts: Vec<ServiceAccount> = vec![serde_json::from_str(account).unwrap()];
        let tokens: Vec<AccessToken> =
            [token, bare].map(|text| serde_json::from_str(text).unwrap()).into();
        for (credential, own) in [("cr-a", vec!["us-a", "to-a"]), ("cr-b", vec!["us-b", "to-b"])] {
            for identity in ["us-a", "us-b", "us-c", "to-a", "to-b", "to-c", "to-old"] {
                let found = owns(credential, identity, &accounts, &tokens);
                assert_eq!(found, own.contains(&identity), "{identity} of {credential}");
            }
        }
    }
}
