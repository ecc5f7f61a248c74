//! Dfns: permissions (the dashboard's *roles*) and their assignments to identities.
//!
//! <https://docs.dfns.co/api-reference>

mod access;
mod groups;
mod identities;
mod privilege;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

pub use access::row_of;
use groups::{GROUPS, Groups, groups};
pub use groups::{Through, through};
pub use identities::{Identity, Own, identity, named, own};
use identities::{SERVICE_ACCOUNTS, USERS, everyone};
use privilege::reach;

use super::{
    Check, Find, Known, ListPosition, Listing, NameOrId, Page, Row, UNSHOWN, Variable, Vendor,
    VendorReader, paginate, pick,
};
use crate::access::{Approval, Principal, PrincipalKind, Resource, Role};
use crate::draft::{Endpoint, Query, Source, Verb};
use crate::failure::{Failure, Kind};
use crate::outbound::auth::UserAction;
use crate::outbound::{Account, Pace};
use crate::settings::{Settings, all};

pub const NAME: &str = "dfns";

pub static VENDOR: Vendor = Vendor {
    name: NAME,
    title: "Dfns",
    tells_permissions: true,
    named_permissions: &[],
    ids_are_addresses: false,
    variables: &[
        Variable::or("DFNS_API_URL", "https://api.dfns.io", "the region's API"),
        Variable::required("DFNS_AUTH_TOKEN", "a service account's token").secret(),
        Variable::required(CREDENTIAL, "the id of the signing credential"),
        Variable::required("DFNS_PRIVATE_KEY", "its private key, PEM or JWK").secret(),
    ],
    customers: super::Customers::Named {
        setting: None,
        claims: &["/https:~1~1custom~1app_metadata/orgId"],
        in_path: false,
    },
    tables: &[],
    principal_kinds: &["user", "group", "service_account", "token"],
    resource_kinds: &["organization"],
    connect,
    roles: |reader, find| Box::pin(roles(reader, find)) as BoxFuture<_>,
    principals: |reader, find| Box::pin(principals(reader, find)) as BoxFuture<_>,
    person: |reader, name| Box::pin(identities::person_of(reader, name)) as BoxFuture<_>,
    resources: |reader, find| Box::pin(resources(reader, find)) as BoxFuture<_>,
    access: |reader, reach| Box::pin(access::list(reader, reach)) as BoxFuture<_>,
    checks: &[
        Check {
            permission: "permissions (Permissions:Read)",
            without: None,
            query: |_| Ok(PERMISSIONS.ask(&[])?.with("limit", 1)),
        },
        Check {
            permission: "users (Auth:Users:Read)",
            without: None,
            query: |_| Ok(USERS.ask(&[])?.with("limit", 1)),
        },
        Check {
            permission: "service accounts (Auth:ServiceAccounts:Read)",
            without: None,
            query: |_| SERVICE_ACCOUNTS.ask(&[]),
        },
        Check {
            permission: "user groups (Auth:UserGroups:Read; with Auth:UserGroups:Members:Read)",
            without: Some("access held through user groups is not seen"),
            query: |_| GROUPS.ask(&[]),
        },
        Check {
            permission: "approvals (Policies:Evaluations:Read)",
            without: None,
            query: |_| Ok(APPROVALS.ask(&[])?.with("limit", 1)),
        },
    ],
};

const CREDENTIAL: &str = "DFNS_CREDENTIAL_ID";

/// User action signing: <https://docs.dfns.co/api-reference/auth/signing-flows>
static SIGNING: crate::outbound::auth::Steps = crate::outbound::auth::Steps {
    init: Endpoint { verb: Verb::Post, path: "/auth/action/init", docs: "User Action Signing" },
    complete: Endpoint { verb: Verb::Post, path: "/auth/action", docs: "User Action Signing" },
    header: "x-dfns-useraction",
};

const PERMISSIONS: Source =
    Source { path: "/permissions", needs: "Permissions:Read", docs: "List Permissions" };
const PERMISSION: Source = Source {
    path: "/permissions/{permissionId}",
    needs: "Permissions:Read",
    docs: "Get Permission",
};
const ASSIGNMENTS: Source = Source {
    path: "/permissions/{permissionId}/assignments",
    needs: "Permissions:Assignments:Read",
    docs: "List Permission Assignments",
};
const APPROVAL: Source = Source {
    path: "/v2/policy-approvals/{approvalId}",
    needs: "Policies:Evaluations:Read",
    docs: "Get Approval",
};
const APPROVALS: Source = Source {
    path: "/v2/policy-approvals",
    needs: "Policies:Evaluations:Read",
    docs: "List Approvals",
};

/// Assigns a permission to an identity.
pub const ASSIGN: Endpoint = Endpoint {
    verb: Verb::Post,
    path: "/permissions/{permissionId}/assignments",
    docs: "Assign Permission",
};

/// Revokes an assignment. The `force` parameter, which bypasses approval, is never sent.
pub const REVOKE: Endpoint = Endpoint {
    verb: Verb::Delete,
    path: "/permissions/{permissionId}/assignments/{assignmentId}",
    docs: "Revoke Permission",
};

/// A permission as assigned to an identity, or about to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    pub id: String,
    pub permission_id: String,
    pub identity_id: String,
    #[serde(default)]
    pub pending_change_request: Option<ChangeRequest>,
}

/// A change that the vendor holds for its approvers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRequest {
    pub id: String,
    pub operation_kind: Option<String>,
    pub status: Option<String>,
    #[serde(default)]
    pub approval_id: Option<String>,
}

#[derive(Deserialize)]
struct Evaluation {
    status: String,
    activity: Activity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    #[serde(default)]
    change_request: Option<ChangeRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Items<T> {
    items: Vec<T>,
    next_page_token: Option<String>,
}

/// A role, in the words of the dashboard.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    id: String,
    name: Option<String>,
    operations: Option<Vec<Option<String>>>,
    /// It can be assigned to nobody any more.
    #[serde(default, deserialize_with = "nullable")]
    pub is_archived: bool,
}

/// `null` where nothing is said.
fn nullable<'de, D, T>(value: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(value).map(Option::unwrap_or_default)
}

fn connect(settings: &Settings) -> Result<Account, Vec<String>> {
    let base = settings.url("DFNS_API_URL");
    let token = settings.secret("DFNS_AUTH_TOKEN");
    let credential_id = settings.text(CREDENTIAL);
    let private_key = settings.secret("DFNS_PRIVATE_KEY");
    let parts = (base, token, credential_id, private_key);
    all(parts).map(|(base, token, credential_id, private_key)| {
        let steps = &SIGNING;
        let authorize = UserAction { base: base.clone(), token, credential_id, private_key, steps };
        // A trial organization has 100 a minute, any other 1,000; the vendor says 429 to the first.
        Account {
            base,
            authorize: Box::new(authorize),
            pace: Pace::of(1_000, Duration::from_mins(1)),
        }
    })
}

/// Permissions in force whose name contains the query.
async fn roles(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Role>, Failure> {
    let keep = |permission: &Permission| {
        !permission.is_archived && find.fits(&[permission.name.as_deref().unwrap_or_default()])
    };
    let query = PERMISSIONS.ask(&[])?;
    let listing = list(reader, query, find.from.clone(), find.limit, keep).await?;
    Ok(listing.map(Permission::into_role))
}

/// Users, service accounts, user groups and own tokens whose name or address contains the query.
async fn principals(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Principal>, Failure> {
    let group = PrincipalKind::Group.as_str();
    let (mut rows, unseen) = if find.kind.as_deref() == Some(group) {
        let Groups { all, unseen } = groups(reader).await;
        match unseen {
            Some(failure) if all.is_empty() => return Err(failure),
            unseen => (all, unseen),
        }
    } else {
        let Groups { all, unseen } = everyone(reader).await?;
        (all, unseen)
    };
    rows.retain(|row| {
        let names = [row.name.as_deref(), row.email.as_deref()].map(Option::unwrap_or_default);
        find.wants(row.kind.as_str()) && find.fits(&names)
    });
    let others =
        Failure::new(Kind::NotListable, "of tokens, only this credential's own are listed");
    let others = find.wants("token").then_some(others);
    let unlisted = unseen.filter(|_| find.wants(group)).map(|why| {
        let message = format!("not all user groups are listed: {}", why.message);
        Failure::new(Kind::Incomplete, message).hint(why.hint.unwrap_or_else(|| "try again".into()))
    });
    Ok(Listing::part(rows, &find.from, find.limit, together([unlisted, others])))
}

/// Several troubles as one, the gravest first.
fn together<const N: usize>(troubles: [Option<Failure>; N]) -> Option<Failure> {
    troubles.into_iter().flatten().reduce(|first, next| {
        let hints: Vec<_> = [first.hint, next.hint].into_iter().flatten().collect();
        let message = format!("{}; {}", first.message, next.message);
        Failure { message, hint: (!hints.is_empty()).then(|| hints.join("; ")), ..first }
    })
}

/// Permissions count for the whole organization: it is the one resource.
async fn resources(_: &VendorReader<'_>, find: Find) -> Result<Listing<Resource>, Failure> {
    let organization = Resource::new("organization", "organization", None);
    let fits = find.fits(&["organization"]) && find.wants("organization");
    Ok(Listing::whole(fits.then_some(organization).into_iter().collect()))
}

/// The permission with this id or exact name, whether it is in force or archived.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn permission(
    reader: &VendorReader<'_>,
    wanted: NameOrId<'_>,
) -> Result<Permission, Failure> {
    let text = wanted.as_str();
    let among = if is_id(text, "pm") {
        let found = reader.read_maybe(&PERMISSION.ask(&[("permissionId", text)])?).await?;
        found.into_iter().collect()
    } else {
        permissions(reader).await?
    };
    pick("permissionId", wanted, among)
}

/// All there are, those that are archived last: who holds one holds it still.
async fn permissions(reader: &VendorReader<'_>) -> Result<Vec<Permission>, Failure> {
    let listing =
        list(reader, PERMISSIONS.ask(&[])?, ListPosition::default(), usize::MAX, |_| true).await?;
    let mut all: Vec<Permission> = listing.complete()?;
    all.sort_by_key(|permission| permission.is_archived);
    Ok(all)
}

/// Every assignment of the permission, also those that wait for approval; none that were turned
/// down.
///
/// # Errors
/// The list cannot be read whole.
pub async fn assignments(
    reader: &VendorReader<'_>,
    permission: &str,
) -> Result<Vec<Assignment>, Failure> {
    let query = ASSIGNMENTS.ask(&[("permissionId", permission)])?.with("limit", 500);
    list(reader, query, ListPosition::default(), usize::MAX, |one: &Assignment| !one.is_void())
        .await?
        .complete()
}

/// Where the approvers are with a change request, from what was kept of it.
///
/// # Errors
/// As any read.
pub async fn approval(
    reader: &VendorReader<'_>,
    kept: &Value,
) -> Result<Option<Approval>, Failure> {
    let text = |field: &str| kept.get(field).and_then(Value::as_str);
    let found: Option<Evaluation> = match (text("approval_id"), text("id")) {
        (Some(approval), _) => {
            reader.read_maybe(&APPROVAL.ask(&[("approvalId", approval)])?).await?
        }
        // Not every answer names its approval: then it is the one with this change request.
        (None, Some(id)) => {
            let of =
                |one: &Evaluation| one.activity.change_request.as_ref().is_some_and(|r| r.id == id);
            list(reader, APPROVALS.ask(&[])?, ListPosition::default(), 1, of).await?.rows.pop()
        }
        (None, None) => None,
    };
    Ok(found.and_then(|found| decided(&found.status)))
}

/// What the status of an approval says; nothing where no document knows it.
fn decided(status: &str) -> Option<Approval> {
    match status {
        "Pending" => Some(Approval::Waiting),
        "Approved" | "AutoApproved" => Some(Approval::Approved),
        "Denied" | "Rejected" => Some(Approval::Denied),
        "Expired" => Some(Approval::Expired),
        _ => None,
    }
}

async fn list<T: Row + serde::de::DeserializeOwned>(
    reader: &VendorReader<'_>,
    query: Query,
    from: ListPosition,
    limit: usize,
    keep: impl Fn(&T) -> bool,
) -> Result<Listing<T>, Failure> {
    paginate(from, limit, keep, |page: Option<String>| {
        let query = query.clone().maybe("paginationToken", page);
        async move {
            let Items { items, next_page_token } = reader.read::<Items<T>>(&query).await?;
            let next = next_page_token.filter(|token| !token.is_empty());
            Ok(Page { rows: items, next, total: None })
        }
    })
    .await
}

/// Ids look like `us-6b58p-r53sr-rlrd3l5cj3uc4ome`; older ones differ, so only the start counts.
fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| {
        rest.len() >= 5
            && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

impl Permission {
    pub fn into_role(self) -> Role {
        let operations: Vec<_> = self.operations.unwrap_or_default();
        let reaches = |wanted| {
            operations.iter().any(|name| reach(name.as_deref().unwrap_or_default()) == wanted)
        };
        let certain = self.name.as_deref() == Some("ManagedFullAdminAccess")
            || reaches(privilege::Reach::Access);
        let unshown = operations.is_empty() || reaches(privilege::Reach::Unclear);
        Role {
            id: self.id,
            name: self.name,
            privileged: certain || unshown,
            description: (unshown && !certain).then(|| UNSHOWN.to_owned()),
            permissions: operations.into_iter().flatten().collect(),
            ingredients: Vec::new(),
        }
    }
}

impl Known for Permission {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    fn kind(&self) -> &'static str {
        "role"
    }
}

impl Row for Assignment {
    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

impl Row for Evaluation {
    fn key(&self) -> Option<String> {
        None
    }
}

impl Assignment {
    /// Listed, and not yet access: it waits for approval to be created.
    pub fn is_pending(&self) -> bool {
        self.pending_change_request.as_ref().is_some_and(|request| request.waits_to("Create"))
    }

    /// Listed, and never access: its creation was turned down.
    pub fn is_void(&self) -> bool {
        let request = self.pending_change_request.as_ref();
        request.is_some_and(|request| {
            request.operation_kind.as_deref() == Some("Create") && request.came_to_nothing()
        })
    }

    /// Still access: its removal waits for approval.
    pub fn is_leaving(&self) -> bool {
        let request = self.pending_change_request.as_ref();
        !self.is_pending() && request.is_some_and(|request| request.waits_to("Delete"))
    }
}

impl ChangeRequest {
    /// What is needed to ask after it later.
    pub fn kept(&self) -> Value {
        json!({ "id": self.id, "approval_id": self.approval_id })
    }

    /// Whether it is named by ids that can be kept and asked for.
    pub fn is_named(&self) -> bool {
        let ids = [Some(&self.id), self.approval_id.as_ref()];
        ids.into_iter().flatten().all(|id| crate::text::is_clean(id))
    }

    /// It was turned down, or could not be carried out.
    pub fn came_to_nothing(&self) -> bool {
        matches!(self.status.as_deref(), Some("Rejected" | "Failed"))
    }

    /// Waits for approval, to create (`"Create"`) or to delete (`"Delete"`). One that does not say
    /// how it ended is taken to wait still: what it would create is no access yet.
    pub fn waits_to(&self, operation: &str) -> bool {
        !matches!(self.status.as_deref(), Some("Applied" | "Failed" | "Rejected"))
            && self.operation_kind.as_deref().is_none_or(|kind| kind == operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_privileged_operation_is_enough_and_needs_no_excuse() {
        for operations in [
            json!(["Wallets:Read", "Auth:UserGroups:Members:Add"]),
            json!(["", "Auth:UserGroups:Members:Add"]),
        ] {
            let permission = json!({ "id": "pm-1", "name": "P", "operations": operations });
            let role = serde_json::from_value::<Permission>(permission).unwrap().into_role();
            assert_eq!((role.privileged, role.description), (true, None));
        }
    }

    #[test]
    fn a_permission_that_does_not_tell_its_operations_counts_as_privileged() {
        for (operations, privileged) in [
            (json!(["Wallets:Read"]), false),
            (json!([]), true),
            (json!(["Wallets:Read", ""]), true),
            (json!(["Wallets:Read", null]), true),
            (json!(["Wallets:Read", "Wallets\u{200b}:Read"]), true),
            (Value::Null, true),
        ] {
            let permission = json!({ "id": "pm-1", "name": "P", "operations": operations });
            let role = serde_json::from_value::<Permission>(permission).unwrap().into_role();
            assert_eq!((role.privileged, role.description.is_some()), (privileged, privileged));
        }
        let bare = serde_json::from_value::<Permission>(json!({ "id": "pm-1" })).unwrap();
        assert!(bare.into_role().privileged);
    }

    #[test]
    fn what_is_optional_in_an_answer_may_be_absent_or_null() {
        for more in [
            json!({}),
            json!({ "pendingChangeRequest": null, "dateCreated": null, "isImmutable": null }),
        ] {
            let mut one = json!({ "id": "as-1", "permissionId": "pm-1", "identityId": "us-1" });
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let one: Assignment = serde_json::from_value(one).unwrap();
            assert!(!one.is_pending() && !one.is_leaving() && !one.is_void(), "{more}");
        }
        for more in [
            json!({}),
            json!({ "approvalId": null, "userActionId": null, "requester": null }),
            json!({ "userActionId": "x", "requester": { "userId": "us-1", "tokenId": "to-1" } }),
        ] {
            let mut one = json!({ "id": "cr-1", "status": "Pending", "operationKind": "Create" });
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let one: ChangeRequest = serde_json::from_value(one).unwrap();
            assert!(one.waits_to("Create") && one.is_named(), "{more}");
            assert_eq!(one.kept(), json!({ "id": "cr-1", "approval_id": null }));
        }
        let permission = json!({ "id": "pm-1", "name": null, "isArchived": null });
        assert!(!serde_json::from_value::<Permission>(permission).unwrap().is_archived);
    }

    #[test]
    fn a_change_request_waits_until_it_says_how_it_ended() {
        let listed = |request: Value| -> Assignment {
            let mut one = json!({ "id": "as-1", "permissionId": "pm-1", "identityId": "us-1" });
            crate::json::put(&mut one, "pendingChangeRequest", request);
            serde_json::from_value(one).unwrap()
        };
        for (status, pending) in [
            (json!("Pending"), true),
            (Value::Null, true),
            (json!("Held"), true),
            (json!("Applied"), false),
        ] {
            let create = json!({ "id": "cr-1", "operationKind": "Create", "status": status });
            assert_eq!(listed(create).is_pending(), pending, "{status}");
            let delete = json!({ "id": "cr-1", "operationKind": "Delete", "status": status });
            let row = listed(delete);
            assert_eq!((row.is_pending(), row.is_leaving()), (false, pending), "{status}");
        }
    }

    /// An assignment whose creation was turned down is none; one whose removal was, is.
    #[test]
    fn what_a_change_request_came_to_is_told_by_what_it_was_for() {
        for (kind, status, pending, void, leaving) in [
            ("Create", "Pending", true, false, false),
            ("Create", "Applied", false, false, false),
            ("Create", "Rejected", false, true, false),
            ("Create", "Failed", false, true, false),
            ("Delete", "Pending", false, false, true),
            ("Delete", "Applied", false, false, false),
            ("Delete", "Rejected", false, false, false),
            ("Delete", "Failed", false, false, false),
        ] {
            let one: Assignment = serde_json::from_value(json!({
                "id": "as-1",
                "permissionId": "pm-1",
                "identityId": "us-1",
                "pendingChangeRequest": { "id": "cr-1", "operationKind": kind, "status": status },
            }))
            .unwrap();
            let seen = (one.is_pending(), one.is_void(), one.is_leaving());
            assert_eq!(seen, (pending, void, leaving), "{kind} {status}");
        }
    }

    #[test]
    fn an_approval_is_where_its_status_says() {
        for (status, approval) in [
            ("Pending", Some(Approval::Waiting)),
            ("Approved", Some(Approval::Approved)),
            ("AutoApproved", Some(Approval::Approved)),
            ("Denied", Some(Approval::Denied)),
            ("Rejected", Some(Approval::Denied)),
            ("Expired", Some(Approval::Expired)),
            ("approved", None),
            ("Triggered", None),
            ("", None),
        ] {
            assert_eq!(decided(status), approval, "{status}");
        }
    }

    #[test]
    fn full_access_is_told_by_its_name_too() {
        for (name, privileged) in [
            ("ManagedFullAdminAccess", true),
            ("ManagedDefaultEndUserAccess", false),
            ("FullAdmin", false),
        ] {
            let permission = json!({ "id": "pm-1", "name": name, "operations": ["Wallets:Read"] });
            let role = serde_json::from_value::<Permission>(permission).unwrap().into_role();
            assert_eq!((role.privileged, role.description), (privileged, None), "{name}");
        }
    }

    #[test]
    fn several_troubles_are_told_as_one() {
        let one = || Some(Failure::new(Kind::Incomplete, "one").hint("first"));
        let other = || Some(Failure::new(Kind::NotListable, "other").hint("then"));
        for (troubles, message, hint) in
            [([one(), other()], "one; other", "first; then"), ([None, other()], "other", "then")]
        {
            let told = together(troubles).unwrap();
            assert_eq!((told.message.as_str(), told.hint.as_deref()), (message, Some(hint)));
        }
        assert!(together([None, None]).is_none());
        assert_eq!(together([one(), other()]).unwrap().kind, Kind::Incomplete);
    }

    #[test]
    fn ids_are_told_from_names() {
        for (text, prefix, is) in [
            ("us-6b58p-r53sr-rlrd3l5cj3uc4ome", "us", true),
            ("pm-6b58p-r53sr-rlrd3l5cj3uc4ome", "pm", true),
            ("pm-6b58p-r53sr-rlrd3l5cj3uc4ome", "us", false),
            ("us-legacy", "us", true),
            ("us-Team", "us", false),
            ("us-east", "us", false),
            ("us-team 1", "us", false),
            ("user@example.com", "us", false),
            ("us-", "us", false),
            ("us6b58p", "us", false),
        ] {
            assert_eq!(is_id(text, prefix), is, "{text}");
        }
    }
}
