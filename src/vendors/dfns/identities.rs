//! Who a permission can be assigned to: users, service accounts, tokens.

use serde::Deserialize;

use super::{CREDENTIAL, Items, is_id, list};
use crate::access::{Named, Principal, PrincipalKind};
use crate::draft::Source;
use crate::failure::{Failure, Kind};
use crate::vendors::{Asker, Place, Row, Wanted, pick};

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
    #[serde(default)]
    is_service_account: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceAccount {
    user_info: User,
    #[serde(default)]
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

/// The user, service account or token with this id, user name or exact name.
///
/// # Errors
/// None or several match, or a list cannot be read whole.
pub async fn identity(ask: &Asker<'_>, wanted: Wanted<'_>) -> Result<Principal, Failure> {
    let text = wanted.as_str();
    if is_id(text, "us") {
        let user: Option<User> = ask.read_maybe(&USER.ask(&[("userId", text)])?).await?;
        if let Some(user) = user {
            return pick("identityId", wanted, vec![user.into_principal()]);
        }
    }
    pick("identityId", wanted, everyone(ask).await?).map_err(|failure| {
        if is_id(text, "to") {
            failure.hint(
                "only this credential's own tokens can be listed: another person's token \
                          cannot be checked, so it is not granted anything",
            )
        } else {
            failure
        }
    })
}

/// All users and service accounts, and the caller's own tokens.
pub(super) async fn everyone(ask: &Asker<'_>) -> Result<Vec<Principal>, Failure> {
    let users = list(ask, USERS.ask(&[])?, Place::default(), usize::MAX, |_| true);
    let (users, accounts, tokens) = tokio::join!(users, service_accounts(ask), own_tokens(ask));
    let mut all: Vec<Principal> =
        users?.complete()?.into_iter().map(User::into_principal).collect();
    let accounts = accounts?.into_iter().map(ServiceAccount::into_principal);
    for found in accounts.chain(tokens?.into_iter().map(AccessToken::into_principal)) {
        // Whether the list of users holds service accounts too is not documented.
        if !all.iter().any(|known| known.id == found.id) {
            all.push(found);
        }
    }
    Ok(all)
}

/// Who an identity's id is, as far as this credential may see.
///
/// # Errors
/// A list cannot be read whole.
pub async fn named(ask: &Asker<'_>, id: &str) -> Result<Named, Failure> {
    let known = everyone(ask).await?.into_iter().find(|known| known.id == id);
    Ok(known.map_or(Named { id: id.to_owned(), name: None, kind: None }, |known| known.named()))
}

/// Whether an identity is the one behind this credential, as far as the credential may see.
///
/// # Errors
/// A list cannot be read for now.
pub async fn is_own(ask: &Asker<'_>, identity: &str) -> Result<bool, Failure> {
    let Some(credential) = ask.tenant.settings.get(CREDENTIAL) else { return Ok(false) };
    let (accounts, tokens) = tokio::join!(service_accounts(ask), own_tokens(ask));
    Ok(owns(credential, identity, &shown(accounts)?, &tokens?))
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

async fn service_accounts(ask: &Asker<'_>) -> Result<Vec<ServiceAccount>, Failure> {
    let accounts: Items<ServiceAccount> = ask.read(&SERVICE_ACCOUNTS.ask(&[])?).await?;
    Ok(accounts.items)
}

async fn own_tokens(ask: &Asker<'_>) -> Result<Vec<AccessToken>, Failure> {
    let tokens: Result<Items<AccessToken>, _> = ask.read(&TOKENS.ask(&[])?).await;
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
    use super::*;

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
