//! What is supposed of a change and never said of a real one: a rule that rests on it decides nothing.

use super::supposed::{Part, Supposed, Thing, place};
use crate::access::PrincipalKind;
use crate::tools::{Effect, TOOLS};
use crate::vendors::{self, Customers, Vendor};

/// The one tool that changes the access of several at once.
const OF_SEVERAL: &str = "set_asset_permissions";

impl Supposed {
    /// What no call of this tool ever tells the rules, in sentences.
    pub fn untold(&self, tool: &str) -> Vec<String> {
        let spec = TOOLS.iter().map(|known| known.spec).find(|spec| spec.name == tool);
        let Some((spec, vendor)) =
            spec.and_then(|spec| Some((spec, vendors::named(spec.vendor?)?)))
        else {
            return Vec::new();
        };
        let mut untold = Vec::new();
        if self.organization.is_some() && matches!(vendor.customers, Customers::ByAddress) {
            untold.push(format!(
                "{} names no organization: its tenants are told apart by `tenant`, their host",
                vendor.title
            ));
        }
        let kind = place(tool, vendor.name);
        if let Some(other) = self.resource.kind.as_deref().filter(|other| *other != kind) {
            untold.push(format!("{tool} is about resources of kind {kind}, never {other:?}"));
        }
        if !self.rows.is_empty() && tool != OF_SEVERAL {
            untold.push(format!(
                "{tool} changes the access of one at a time: `rows` are of {OF_SEVERAL}"
            ));
        }
        let moves = self.undoes.is_some() || self.ends.is_some() || self.extends.is_some();
        let lasts = self.expires_in.is_some() || self.expires_at.is_some();
        if lasts && spec.effect == Effect::Revoke && !moves {
            untold.push(format!("{tool} takes access away, and has no end"));
        }
        untold.extend(permissions(vendor, &self.permissions));
        untold.extend(grantee(vendor, &self.grantee));
        for Part { grantee: whom, permissions: held, .. } in &self.rows {
            untold.extend(permissions(vendor, held));
            untold.extend(grantee(vendor, whom));
        }
        untold
    }
}

fn permissions(vendor: &Vendor, supposed: &[String]) -> Option<String> {
    let first = supposed.first()?;
    let title = vendor.title;
    let known = vendor.named_permissions;
    if known.is_empty() {
        return (!vendor.tells_permissions).then(|| {
            format!(
                "{title} does not say which permissions a role contains: they are never {first:?}, and \
                 `known` is false"
            )
        });
    }
    let odd = supposed.iter().find(|one| !known.contains(&one.as_str()))?;
    Some(format!("{title} has the permissions {}, and no {odd:?}", known.join(", ")))
}

fn grantee(vendor: &Vendor, whom: &Thing) -> Option<String> {
    let title = vendor.title;
    let kinds = vendor.principal_kinds;
    if let Some(other) = whom.kind.as_deref().filter(|kind| !kinds.contains(kind)) {
        let kinds = kinds.join(", ");
        return Some(format!("{title} gives access to these kinds: {kinds}; never to {other:?}"));
    }
    let kind = whom.kind.as_deref().unwrap_or(PrincipalKind::User.as_str());
    let has_address = ["user", "service_account"].contains(&kind);
    if whom.email.is_some() {
        return (!has_address).then(|| format!("no address is told of a {kind}"));
    }
    // Elsewhere ids are the vendor's own, and an address is told beside them.
    let named = whom.id.as_ref().or(whom.name.as_ref());
    let address = named.filter(|named| has_address && named.contains('@'))?;
    (!vendor.ids_are_addresses).then(|| {
        format!(
            "{title} tells an address beside the id, if at all: write email = {address:?} in grantee; \
             where it tells none, `gains.emails` has \"\""
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn untold(tool: &str, supposed: &Value) -> Vec<String> {
        serde_json::from_value::<Supposed>(supposed.clone()).unwrap().untold(tool)
    }

    #[test]
    fn what_no_vendor_tells_is_named() {
        let address = json!({ "grantee": { "name": "ada@example.com" } });
        for (tool, supposed, says) in [
            ("assign_environment_role", json!({ "permissions": ["x"] }), "does not say which"),
            ("assign_organization_role", json!({ "permissions": ["x"] }), "does not say which"),
            ("set_asset_permissions", json!({ "permissions": ["Edit"] }), "no \"Edit\""),
            ("set_project_acl", json!({ "permissions": ["R", "View"] }), "no \"View\""),
            ("grant_asset_role", json!({ "organization": "acme" }), "no organization"),
            ("set_asset_permissions", json!({ "organization": "acme" }), "no organization"),
            ("grant_asset_role", json!({ "grantee": { "kind": "group" } }), "never to \"group\""),
            ("set_project_acl", json!({ "grantee": { "kind": "token" } }), "never to \"token\""),
            ("grant_asset_role", json!({ "grantee": { "kind": "guest" } }), "never to \"guest\""),
            ("grant_asset_role", address.clone(), "write email = \"ada@example.com\""),
            ("set_asset_permissions", address.clone(), "write email = \"ada@example.com\""),
            ("assign_permission", json!({ "grantee": { "id": "a@b.c" } }), "write email"),
            (
                "assign_permission",
                json!({ "grantee": { "kind": "token", "email": "a@b.c" } }),
                "no address is told of a token",
            ),
            (
                "set_asset_permissions",
                json!({ "rows": [{ "grantee": { "kind": "group", "email": "a@b.c" } }] }),
                "no address is told of a group",
            ),
            ("set_asset_permissions", json!({ "rows": [{ "permissions": ["R"] }] }), "no \"R\""),
            ("grant_asset_role", json!({ "rows": [{ "loses": true }] }), "`rows` are of"),
            ("revoke_asset_role", json!({ "expires_in": "PT1H" }), "has no end"),
            ("assign_environment_role", json!({ "resource": { "kind": "organization" } }), "kind"),
            ("assign_permission", json!({ "resource": { "kind": "wallet" } }), "never \"wallet\""),
        ] {
            let told = untold(tool, &supposed);
            assert_eq!(told.len(), 1, "{tool} {supposed}: {told:?}");
            assert!(told[0].contains(says), "{tool} {supposed}: {told:?}");
        }
    }

    #[test]
    fn what_a_vendor_may_tell_is_not() {
        for (tool, supposed) in [
            ("grant_asset_role", json!({ "permissions": ["Tester"], "expires_in": "PT1H" })),
            (
                "assign_permission",
                json!({ "permissions": ["Wallets:Create"], "organization": "o" }),
            ),
            (
                "assign_permission",
                json!({ "grantee": { "kind": "service_account", "email": "a@b.c" } }),
            ),
            ("assign_permission", json!({ "grantee": { "kind": "token", "name": "ci@night" } })),
            ("set_project_acl", json!({ "permissions": ["R", "W"], "organization": "acme" })),
            ("set_project_acl", json!({ "grantee": { "name": "ada@example.com" } })),
            (
                "set_asset_permissions",
                json!({ "permissions": ["View"], "rows": [{ "loses": true }] }),
            ),
            (
                "assign_environment_role",
                json!({ "organization": "acme", "resource": { "kind": "environment" } }),
            ),
            ("revoke_asset_role", json!({ "extends": "gr-1", "expires_in": "PT1H" })),
            ("undo_change", json!({ "organization": "acme" })),
        ] {
            assert_eq!(untold(tool, &supposed), Vec::<String>::new(), "{tool} {supposed}");
        }
    }

    #[test]
    fn a_supposed_resource_is_of_the_kind_that_the_tool_is_about() {
        for (tool, vendor, kind) in [
            ("grant_asset_role", "outsystems", "asset"),
            ("assign_permission", "dfns", "organization"),
            ("assign_organization_role", "redox", "organization"),
            ("assign_environment_role", "redox", "environment"),
            ("remove_environment_role", "redox", "environment"),
            ("set_project_acl", "snaplogic", "project_space"),
            ("set_asset_permissions", "centrasite", "asset"),
        ] {
            assert_eq!(place(tool, vendor), kind, "{tool}");
        }
    }
}
