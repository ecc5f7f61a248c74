//! Who there is: users, and service accounts with their tokens.
//!
//! From "List, Get User" and "List, Get Service Account" in the vendor's API reference and the types of its
//! SDKs, which differ over what is always there: [`DfnsFields`] chooses.

use serde_json::{Value, json};

use super::super::message::{Ask, Reply, set};
use super::super::modes::{DfnsFields, Modes};
use super::catalogue::{self, GRANTOR_TOKEN, User};
use super::{Books, page, refusal};

/// A key that nobody signs with here: the first public key of RFC 8032, section 7.1.
const ANOTHERS_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
    -----END PUBLIC KEY-----\n";

/// "List Users": the filter may be repeated.
pub(super) fn list_users(books: &Books, ask: &Ask, modes: &Modes) -> Result<Reply, Reply> {
    let kinds = ask.params().into_iter().filter(|(name, _)| name == "kind");
    let kinds: Vec<String> = kinds.map(|(_, kind)| kind).collect();
    let known = ["TenantUser", "CustomerEmployee", "EndUser"];
    if !kinds.iter().all(|kind| known.contains(&kind.as_str())) {
        return Err(refusal(400, "kind must be TenantUser, CustomerEmployee or EndUser"));
    }
    let meant = |user: &User| kinds.is_empty() || kinds.iter().any(|kind| kind == user.kind);
    let users = users(modes).filter(meant).map(|user| user.shown(books, modes));
    page(users.collect(), ask, 200, 50)
}

pub(super) fn user(books: &Books, id: &str, modes: &Modes) -> Result<Reply, Reply> {
    let found = users(modes).find(|user| user.id == id);
    let found = found.ok_or_else(|| refusal(404, "The user was not found"))?;
    Ok(Reply::json(200, &found.shown(books, modes)))
}

/// Whether service accounts are among them is not documented.
fn users(modes: &Modes) -> impl Iterator<Item = User> {
    let too = modes.dfns_lists_accounts_as_users;
    catalogue::users().chain(catalogue::accounts().filter(move |_| too))
}

/// "List Service Accounts": unpaged. `own_key` is the client's, as it is registered.
pub(super) fn service_accounts(books: &Books, own_key: &str, modes: &Modes) -> Vec<Value> {
    let accounts = catalogue::SERVICE_ACCOUNTS.into_iter().zip(catalogue::accounts());
    let shown = accounts.map(|((id, name, token, credential), user)| {
        let mut shown = json!({
            "tokenId": token,
            "credId": credential,
            "name": name,
            "isActive": true,
            "kind": "ServiceAccount",
            "linkedUserId": id,
            "dateCreated": "2026-02-03T09:30:00.000Z",
            "permissionAssignments": books.held_by(id, modes),
        });
        if modes.dfns_fields != DfnsFields::Fewest {
            set(&mut shown, "orgId", catalogue::ORG);
            set(&mut shown, "linkedAppId", catalogue::APPLICATION);
            let key = if token == GRANTOR_TOKEN { own_key } else { ANOTHERS_KEY };
            set(&mut shown, "publicKey", key);
        }
        json!({ "userInfo": user.shown(books, modes), "accessTokens": [shown] })
    });
    shown.collect()
}

impl User {
    fn shown(&self, books: &Books, modes: &Modes) -> Value {
        let mut shown = json!({
            "username": self.username,
            "name": self.name,
            "userId": self.id,
            "kind": self.kind,
            "credentialUuid": self.credential,
            "isActive": self.active,
            "isServiceAccount": self.service_account,
            "isRegistered": true,
            "permissionAssignments": books.held_by(self.id, modes),
        });
        if !self.service_account {
            set(&mut shown, "isSSORequired", false);
        }
        let (fields, of_tenant) = (modes.dfns_fields, self.kind == "TenantUser");
        if fields == DfnsFields::Every || (fields == DfnsFields::Usual && !of_tenant) {
            set(&mut shown, "orgId", catalogue::ORG);
        }
        if fields == DfnsFields::Every || (fields == DfnsFields::Usual && of_tenant) {
            set(&mut shown, "tenantId", catalogue::TENANT);
        }
        if fields == DfnsFields::Every {
            set(&mut shown, "credentialId", self.credential.clone());
            set(&mut shown, "permissions", json!([]));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::client::{Answer, start};
    use super::super::super::people;
    use super::super::signing::tests::own;
    use super::*;

    fn fields(answer: &Answer, pointer: &str) -> Vec<String> {
        let at = answer.at(pointer);
        let fields = at.as_object().unwrap_or_else(|| panic!("{}", answer.body));
        assert!(fields.values().all(|value| !value.is_null()), "{at:#}");
        fields.keys().cloned().collect()
    }

    #[tokio::test]
    async fn which_fields_there_are_is_a_mode() {
        for (dfns_fields, tokens, user, tenants) in [
            (DfnsFields::Fewest, [false; 3], [false; 4], [false, false]),
            (DfnsFields::Usual, [true; 3], [true, false, false, false], [false, true]),
            (DfnsFields::Every, [true; 3], [true; 4], [true, true]),
        ] {
            let (_sandbox, client) = start(Modes { dfns_fields, ..Modes::default() }).await;
            let has = |all: &[String], names: &[&str]| -> Vec<bool> {
                names.iter().map(|name| all.iter().any(|one| one == name)).collect()
            };
            let accounts = own(&client, "GET", "/auth/service-accounts").send().await;
            for token in ["/items/0/accessTokens/0", "/items/1/accessTokens/0"] {
                let all = fields(&accounts, token);
                assert_eq!(has(&all, &["orgId", "linkedAppId", "publicKey"]), tokens, "{token}");
            }
            let account = fields(&accounts, "/items/0/userInfo");
            assert!(has(&account, &["isSSORequired"]) == [false]);
            let path = |id: &str| format!("/auth/users/{id}");
            let sam = own(&client, "GET", &path(people::SAM.dfns)).send().await;
            let names = ["orgId", "tenantId", "credentialId", "permissions"];
            assert_eq!(has(&fields(&sam, ""), &names), user, "{dfns_fields:?}");
            let jonas = own(&client, "GET", &path(people::JONAS.dfns)).send().await;
            assert_eq!(jonas.at("/kind"), "TenantUser");
            assert_eq!(has(&fields(&jonas, ""), &["orgId", "tenantId"]), tenants);
        }
    }

    #[tokio::test]
    async fn users_are_filtered_by_any_of_several_kinds() {
        let (_sandbox, client) = start(Modes::default()).await;
        for (query, count) in [
            ("", 10),
            ("?kind=CustomerEmployee", 9),
            ("?kind=TenantUser", 1),
            ("?kind=EndUser", 0),
            ("?kind=EndUser&kind=TenantUser", 1),
            ("?kind=TenantUser&kind=CustomerEmployee", 10),
        ] {
            let answer = own(&client, "GET", &format!("/auth/users{query}")).send().await;
            assert_eq!(answer.each("/items", "/userId").len(), count, "{query}");
        }
    }

    #[tokio::test]
    async fn whether_service_accounts_are_users_is_a_mode() {
        let path = format!("/auth/users/{}", people::GRANTOR.dfns);
        for (dfns_lists_accounts_as_users, count, status) in [(false, 10, 404), (true, 12, 200)] {
            let modes = Modes { dfns_lists_accounts_as_users, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let answer = own(&client, "GET", "/auth/users").send().await;
            assert_eq!(answer.each("/items", "/userId").len(), count);
            assert_eq!(own(&client, "GET", &path).send().await.status, status);
        }
    }
}
