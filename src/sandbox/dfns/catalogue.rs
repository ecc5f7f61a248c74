//! What Harbor has at Dfns and no request changes: permissions, policies, identities.

use serde_json::{Value, json};

use super::super::message::set;
use super::super::modes::Modes;
use super::super::people::{self, PEOPLE};
use super::operations;

pub(in super::super) const CREDENTIAL_ID: &str = "cr-739s2-e3nxb-rnb2s0z128kg06xc";

pub(super) const ORG: &str = "or-v01oq-kdnmn-tnk46d2x17f594hn";
/// How ids of tenants look is not documented.
pub(super) const TENANT: &str = "c5r0m-y3h8q-w1ejd7nkb4zsgfpt";
/// Applications are deprecated, and tokens are linked to one still.
pub(super) const APPLICATION: &str = "ap-2fm8y-k0t5h-b7wqzn3rvc6xgeuj";
pub(super) const GRANTOR_TOKEN: &str = "to-s6pfx-3xpl2-mrk3tioy2v4xeb32";
/// A personal access token: assignable, though its owner alone can list it.
pub(super) const PRIYAS_TOKEN: &str = "to-chu3u-kixzt-zirokkzpav7nb6ig";

pub(super) const FULL_ADMIN: &str = "pm-qhm38-5sgti-nlkpjo871jfunk6k";
pub(super) const TREASURY_VIEWER: &str = "pm-6u1s9-dfwx4-lzi8usml37mjry8w";
pub(super) const WALLET_OPERATOR: &str = "pm-69nj3-22gqe-62t5togfpphydixj";
pub(super) const PAYMENTS_APPROVER: &str = "pm-qaofp-ss91v-lhpsacwph9se8tvo";
const LEGACY_OPERATOR: &str = "pm-7lkfw-y704q-37pn2o71tvw4ymy5";
pub(super) const OWN_PERMISSION: &str = "pm-w5hr3-ug6uw-vhwprfbghpgl56dl";
const VAULT_CUSTODIAN: &str = "pm-jgi5g-z6xr5-83ywh8o4qzyobd2n";
pub(super) const REPORTS_READER: &str = "pm-nyf5s-0afyg-ooi7ijkq70kj9byj";

/// Its assignments wait for approval.
pub(super) const GATED: &str = PAYMENTS_APPROVER;
/// Its assignments are blocked by a policy.
pub(super) const BLOCKED: &str = VAULT_CUSTODIAN;
pub(super) const GATE_POLICY: &str = "plc-d74cc-7hn51-y6iiwjfn6fwfumf0";

/// User id, name, token id, credential id.
pub(super) const SERVICE_ACCOUNTS: [(&str, &str, &str, &str); 2] = [
    (people::GRANTOR.dfns, people::GRANTOR.name, GRANTOR_TOKEN, CREDENTIAL_ID),
    (
        "us-k24ib-ftl89-5vwsq4b0hiaxqk6p",
        "Nightly Export",
        "to-7ij4f-wecep-tafbvpjfc3uzhn5c",
        "cr-ebhjn-omiar-1l500eqh66bomh58",
    ),
];

pub(super) struct Permission {
    pub id: &'static str,
    pub name: &'static str,
    pub operations: &'static [&'static str],
}

impl Permission {
    pub fn archived(&self) -> bool {
        self.id == LEGACY_OPERATOR
    }

    pub fn shown(&self, modes: &Modes) -> Value {
        let mut shown = json!({
            "id": self.id,
            "name": self.name,
            "status": "Active",
            "isImmutable": self.id == FULL_ADMIN,
            "isArchived": self.archived(),
            "dateCreated": "2026-01-12T08:00:00.000Z",
            "dateUpdated": "2026-01-12T08:00:00.000Z",
        });
        if modes.dfns_tells_operations {
            set(&mut shown, "operations", self.operations);
        }
        shown
    }
}

const fn permission(
    id: &'static str,
    name: &'static str,
    operations: &'static [&'static str],
) -> Permission {
    Permission { id, name, operations }
}

pub(super) static PERMISSIONS: [Permission; 8] = [
    permission(FULL_ADMIN, "ManagedFullAdminAccess", operations::ALL),
    permission(
        TREASURY_VIEWER,
        "Treasury Viewer",
        &["Wallets:Read", "Wallets:Transfers:Read", "Keys:Read"],
    ),
    permission(
        WALLET_OPERATOR,
        "Wallet Operator",
        &["Wallets:Read", "Wallets:Create", "Wallets:Transfers:Create"],
    ),
    permission(
        PAYMENTS_APPROVER,
        "Payments Approver",
        &["Wallets:Read", "Wallets:Transfers:Read", "Policies:Evaluations:Read"],
    ),
    permission(LEGACY_OPERATOR, "Legacy Operator", &["Wallets:Read", "Wallets:Tags:Delete"]),
    permission(
        OWN_PERMISSION,
        "Access Manager",
        &[
            "Permissions:Read",
            "Permissions:Assignments:Read",
            "Permissions:Assign",
            "Permissions:Revoke",
            "Auth:Users:Read",
            "Auth:ServiceAccounts:Read",
            "Auth:UserGroups:Read",
            "Auth:UserGroups:Members:Read",
            "Policies:Evaluations:Read",
            "Policies:Read",
        ],
    ),
    permission(VAULT_CUSTODIAN, "Vault Custodian", &["Vaults:Read", "Keys:Create"]),
    permission(REPORTS_READER, "Reports Reader", &["Wallets:Read", "Auth:Logs:Read"]),
];

pub(super) fn policies() -> Vec<Value> {
    let approval = json!({
        "kind": "RequestApproval",
        "approvalGroups": [{
            "name": "Treasury",
            "quorum": 1,
            "approvers": { "userId": { "in": [people::PRIYA.dfns] } },
        }],
    });
    vec![
        policy(GATE_POLICY, "Payments need two", GATED, approval),
        policy(
            "plc-nh9mu-gv7tq-8200azhx9ouh4t7r",
            "Nobody new at the vault",
            BLOCKED,
            json!({ "kind": "Block" }),
        ),
    ]
}

fn policy(id: &str, name: &str, permission: &str, action: Value) -> Value {
    json!({
        "id": id,
        "name": name,
        "activityKind": "Permissions:Assign",
        "status": "Active",
        "rule": { "kind": "AlwaysTrigger", "configuration": {} },
        "action": action,
        "filters": { "permissionId": { "in": [permission] } },
        "dateCreated": "2026-01-12T08:00:00.000Z",
    })
}

/// A user as any list shows one.
pub(super) struct User {
    pub id: &'static str,
    pub name: &'static str,
    pub username: &'static str,
    pub kind: &'static str,
    pub credential: String,
    pub active: bool,
    pub service_account: bool,
}

/// The people: one of them belongs to the whole tenant.
pub(super) fn users() -> impl Iterator<Item = User> {
    PEOPLE.into_iter().map(|person| User {
        id: person.dfns,
        name: person.name,
        username: person.email,
        kind: if person.dfns == people::JONAS.dfns { "TenantUser" } else { "CustomerEmployee" },
        credential: person.dfns.replacen("us-", "cr-", 1),
        active: person.active,
        service_account: false,
    })
}

/// The service accounts, each a user too.
pub(super) fn accounts() -> impl Iterator<Item = User> {
    SERVICE_ACCOUNTS.into_iter().map(|(id, name, _, credential)| User {
        id,
        name,
        username: name,
        kind: "CustomerEmployee",
        credential: credential.into(),
        active: true,
        service_account: true,
    })
}

/// The user, or the service account, of this id.
pub(super) fn user(id: &str) -> Option<User> {
    users().chain(accounts()).find(|user| user.id == id)
}

/// Whether an identity is active: a user, a service account or a token; `None` for what is none of them.
pub(super) fn identity(id: &str) -> Option<bool> {
    user(id).map(|user| user.active).or_else(|| (id == PRIYAS_TOKEN).then_some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_has_only_operations_that_the_vendor_names() {
        for permission in &PERMISSIONS {
            for operation in permission.operations {
                let known = [operations::ALL, operations::EARLIER];
                let known = known.iter().any(|names| names.contains(operation));
                assert!(known, "{operation} of {}", permission.name);
            }
        }
    }
}
