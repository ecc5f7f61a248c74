//! What Dfns answers where its documents and its SDKs leave it open: nothing may rest on one of them.

use grantor::sandbox::{DfnsFields, Errors, Modes};
use serde_json::{Value, json};

use super::harness::{Answer, Server, World};

const SAM: &str = "user@example.com";

fn change(permission: &str, who: &str) -> Value {
    json!({ "permissionId": permission, "identityId": who })
}

async fn call(server: &Server, tool: &str, arguments: Value) -> Answer {
    server.call(tool, arguments).await
}

fn names(answer: &Answer, pointer: &str) -> Vec<String> {
    let rows = answer.body["rows"].as_array().unwrap_or_else(|| panic!("{:#}", answer.body));
    let name = |row: &Value| row.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    rows.iter().filter_map(name).collect()
}

#[tokio::test]
async fn optional_fields_may_be_there_or_not() {
    for dfns_fields in [DfnsFields::Fewest, DfnsFields::Usual, DfnsFields::Every] {
        for dfns_lists_accounts_as_users in [false, true] {
            let modes = Modes { dfns_fields, dfns_lists_accounts_as_users, ..Modes::default() };
            let world = World::with(modes).await;
            let server = world.serve().await;
            let told = format!("{dfns_fields:?} {dfns_lists_accounts_as_users}");
            let find = json!({ "vendor": "dfns", "query": "a", "limit": 50 });
            let found = call(&server, "find_principals", find).await;
            let mut ids = names(&found, "/id");
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count, "{told}: somebody is listed twice: {:#}", found.body);
            let find = json!({ "vendor": "dfns", "query": "Grantor" });
            let own = call(&server, "find_principals", find).await;
            assert_eq!(names(&own, "/kind"), ["service_account"], "{told}");
            let all = call(
                &server,
                "list_access",
                json!({ "vendor": "dfns", "resource": "organization" }),
            )
            .await;
            assert_eq!(names(&all, "/role/name").len(), 8, "{told}: {:#}", all.body);
            let viewer = change("Treasury Viewer", SAM);
            let granted = call(&server, "assign_permission", viewer.clone()).await;
            assert_eq!(granted.outcome(), "confirmed", "{told}: {:#}", granted.body);
            let taken = call(&server, "revoke_permission", viewer).await;
            assert_eq!(taken.outcome(), "confirmed", "{told}: {:#}", taken.body);
            // Of a whole tenant, with no organization of their own.
            let jonas = change("Treasury Viewer", "jonas.weber@example.com");
            let granted = call(&server, "assign_permission", jonas).await;
            assert_eq!(granted.outcome(), "confirmed", "{told}: {:#}", granted.body);
            let own = change("Treasury Viewer", "Grantor Integration");
            let refused = call(&server, "assign_permission", own).await;
            assert_eq!(refused.outcome(), "refused", "{told}: {:#}", refused.body);
            let gated = change("Payments Approver", SAM);
            let held = call(&server, "assign_permission", gated).await;
            assert_eq!(held.outcome(), "pending_vendor_approval", "{told}: {:#}", held.body);
            let checked = json!({ "receipt": held.body["receipt"] });
            let checked = call(&server, "check_change", checked).await;
            assert_eq!(checked.outcome(), "pending_vendor_approval", "{told}: {:#}", checked.body);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_one_whatever_it_says() {
    for errors in [Errors::Told, Errors::Otherwise, Errors::Bare, Errors::Silent] {
        for dfns_blocked in [403, 400, 409, 412, 422] {
            let modes = Modes { errors, dfns_blocked, ..Modes::default() };
            let world = World::with(modes).await;
            let server = world.serve().await;
            let told = format!("{errors:?} {dfns_blocked}");
            let blocked = change("Vault Custodian", SAM);
            let blocked = call(&server, "assign_permission", blocked).await;
            assert_eq!(blocked.outcome(), "rejected", "{told}: {:#}", blocked.body);
            // The vendor's own, which nobody takes away.
            let managed = change("ManagedFullAdminAccess", "priya.raman@example.com");
            let managed = call(&server, "revoke_permission", managed).await;
            assert_eq!(managed.outcome(), "rejected", "{told}: {:#}", managed.body);
            let nobody = change("Treasury Viewer", "us-00000-00000-0000000000000000");
            let nobody = call(&server, "assign_permission", nobody).await;
            assert_eq!(nobody.outcome(), "invalid", "{told}: {:#}", nobody.body);
            let left = call(
                &server,
                "list_access",
                json!({ "vendor": "dfns", "resource": "organization" }),
            )
            .await;
            assert_eq!(names(&left, "/role/name").len(), 8, "{told}: {:#}", left.body);
        }
    }
}
