//! Which organization roles let their holder change who may do what.
//!
//! A role lists each permission by name, claim and key, and any of them may be left out. What its own
//! list leaves open is looked up among the vendor's permissions; what stays open counts as
//! privileged.

use serde::Deserialize;

use super::{IDENTITY, list};
use crate::access::Role;
use crate::draft::Source;
use crate::vendors::{Asker, Place, Row, UNSHOWN};

const PERMISSIONS: Source =
    Source { path: "/api/identity/v1/permissions", needs: "", docs: IDENTITY };

#[derive(Deserialize)]
pub(super) struct OrganizationRole {
    key: String,
    pub name: Option<String>,
    permissions: Option<Vec<Held>>,
}

/// A permission as a role lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    permission_key: Option<String>,
    name: Option<String>,
    claim_name: Option<String>,
}

/// A permission as the vendor describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    key: Option<String>,
    name: Option<String>,
    category: Option<String>,
    claim_name: Option<String>,
}

/// Roles with what they allow. The vendor's permissions are asked for only where they can settle
/// something.
pub(super) async fn judged(ask: &Asker<'_>, listed: Vec<OrganizationRole>) -> Vec<Role> {
    let open = listed.iter().any(OrganizationRole::is_open);
    let described = if open { described(ask).await } else { Vec::new() };
    listed.into_iter().map(|role| role.judged(&described)).collect()
}

/// The vendor's permissions, as far as it shows them: those it does not show settle nothing.
async fn described(ask: &Asker<'_>) -> Vec<Described> {
    let Ok(question) = PERMISSIONS.ask(&[]) else { return Vec::new() };
    let listing = list(ask, question, Place::default(), usize::MAX, |_: &Described| true).await;
    listing.map(|listing| listing.rows).unwrap_or_default()
}

impl OrganizationRole {
    /// Whether the permissions it lists leave open whether it is privileged.
    fn is_open(&self) -> bool {
        let held = || self.permissions.iter().flatten().map(Held::manages);
        !self.is_administrator()
            && held().all(|manages| manages != Some(true))
            && held().any(|manages| manages.is_none())
    }

    fn is_administrator(&self) -> bool {
        filled(&self.name).is_some_and(|name| name.eq_ignore_ascii_case("Administrator"))
    }

    fn judged(self, described: &[Described]) -> Role {
        let look = |held: &Held| held.manages().or_else(|| held.looked_up(described));
        let manages: Vec<_> = self.permissions.iter().flatten().map(look).collect();
        let certain = self.is_administrator() || manages.contains(&Some(true));
        let unshown = self.permissions.is_none() || manages.contains(&None);
        let permissions = self.permissions.iter().flatten().map(|held| held.label(described));
        Role {
            privileged: certain || unshown,
            description: (unshown && !certain).then(|| UNSHOWN.to_owned()),
            permissions: permissions.collect(),
            id: self.key,
            name: self.name,
        }
    }
}

impl Row for OrganizationRole {
    fn key(&self) -> Option<String> {
        Some(self.key.clone())
    }
}

impl Held {
    fn manages(&self) -> Option<bool> {
        manages(filled(&self.name), filled(&self.claim_name))
    }

    /// The same, by what the vendor says of this permission elsewhere.
    fn looked_up(&self, described: &[Described]) -> Option<bool> {
        let own = described.iter().filter(|one| self.is(one));
        let own: Vec<_> = own.map(Described::manages).collect();
        match own.as_slice() {
            [] => None,
            own if own.contains(&Some(true)) => Some(true),
            own => (!own.contains(&None)).then_some(false),
        }
    }

    /// By its key, else by its claim, else by its name.
    fn is(&self, one: &Described) -> bool {
        let own = [&self.permission_key, &self.claim_name, &self.name];
        let other = [&one.key, &one.claim_name, &one.name];
        let told = own.into_iter().zip(other).find_map(|(own, other)| Some((filled(own)?, other)));
        told.is_some_and(|(own, other)| filled(other).is_some_and(|o| o.eq_ignore_ascii_case(own)))
    }

    fn label(&self, described: &[Described]) -> String {
        let elsewhere =
            || described.iter().find(|one| self.is(one)).and_then(|one| filled(&one.name));
        let own = || filled(&self.claim_name).or_else(|| filled(&self.permission_key));
        let label = filled(&self.name).or_else(elsewhere).or_else(own);
        label.unwrap_or("a permission that is not named").to_owned()
    }
}

impl Described {
    fn manages(&self) -> Option<bool> {
        let name = filled(&self.name);
        let right = name.and_then(|name| name.rsplit('>').next());
        let whole = filled(&self.category).zip(right);
        let whole = whole.map(|(category, right)| format!("{category} > {right}"));
        match manages(name, filled(&self.claim_name)) {
            Some(true) => Some(true),
            by_name => whole.map_or(by_name, |whole| manages(Some(&whole), None)),
        }
    }
}

impl Row for Described {
    fn key(&self) -> Option<String> {
        self.key.clone()
    }
}

/// Whether a permission is one to manage who may do what, "User management > Manage …", by its name
/// and its claim; `None` where they leave it open. How claims are written is not documented: one
/// can show that it is, and none that it is not.
fn manages(name: Option<&str>, claim: Option<&str>) -> Option<bool> {
    let shows = |words: &str| squashed(words).contains("usermanagementmanage");
    if name.is_some_and(shows) || claim.is_some_and(shows) {
        return Some(true);
    }
    let name = name?;
    let settled = match name.split_once('>') {
        Some((area, right)) => !squashed(area).is_empty() && !squashed(right).is_empty(),
        // Some lists leave the area out, and most areas have something to manage.
        None => !squashed(name).contains("manage"),
    };
    settled.then_some(false)
}

/// Letters and digits alone: separators and letter case are written one way here, another there.
fn squashed(words: &str) -> String {
    words.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !squashed(text).is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_permission_says_what_it_is_or_leaves_it_open() {
        for (name, claim, expected) in [
            ("User management > Manage member access", "", Some(true)),
            ("user management>manage invitations", "", Some(true)),
            ("User management: Manage members", "", Some(true)),
            ("", "user_management_manage_member_access", Some(true)),
            ("View", "UserManagement.ManageRoles", Some(true)),
            ("User management > View members", "", Some(false)),
            ("Asset management > Manage assets", "", Some(false)),
            ("View logs", "", Some(false)),
            ("Manage members", "", None),
            ("> Manage members", "", None),
            ("User management >", "", None),
            ("", "asset_management_view", None),
            ("", "", None),
            (" \u{200b}", "", None),
        ] {
            let [own, claimed] = [name, claim].map(|text| Some(text.to_owned()));
            assert_eq!(manages(filled(&own), filled(&claimed)), expected, "{name:?} {claim:?}");
        }
    }

    fn described() -> Vec<Described> {
        let rows = json!([
            { "key": "K1", "name": "Manage members", "category": "User management" },
            { "key": "k2", "name": "Manage assets", "category": "Asset management" },
            { "key": "k3", "name": "Manage things", "category": null },
            { "key": "k4", "name": "Members > Manage", "category": "User management" },
            { "key": "k5", "name": "View", "category": "Asset management", "claimName": "c5" },
        ]);
        serde_json::from_value(rows).unwrap()
    }

    fn check(role: Value, privileged: bool, unshown: bool) {
        let role = serde_json::from_value::<OrganizationRole>(role).unwrap().judged(&described());
        assert_eq!(
            (role.privileged, role.description.is_some()),
            (privileged, unshown),
            "{role:?}"
        );
    }

    #[test]
    fn privilege_is_what_a_role_contains_and_what_it_does_not_tell() {
        let role =
            |permissions: Value| json!({ "key": "r", "name": "R", "permissions": permissions });
        check(role(json!([])), false, false);
        check(role(Value::Null), true, true);
        check(json!({ "key": "r" }), true, true);
        check(json!({ "key": "r", "name": "administrator", "permissions": [] }), true, false);
        for (permission, privileged, unshown) in [
            (json!({ "permissionKey": "k1" }), true, false),
            (json!({ "permissionKey": "k1", "name": "Manage members" }), true, false),
            (json!({ "permissionKey": "k2", "name": null }), false, false),
            (json!({ "permissionKey": "k3", "name": "" }), true, true),
            (json!({ "permissionKey": "k4" }), true, false),
            (json!({ "permissionKey": "k9", "claimName": "c5" }), true, true),
            (json!({ "claimName": "c5" }), false, false),
            (json!({ "name": "Manage members" }), true, false),
            (json!({ "name": "Manage what nobody describes" }), true, true),
            (json!({}), true, true),
        ] {
            let harmless = json!({ "name": "Asset management > View" });
            check(role(json!([harmless, permission])), privileged, unshown);
        }
    }
}
