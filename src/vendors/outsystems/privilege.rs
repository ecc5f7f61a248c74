//! Which organization roles let their holder change who may do what.
//!
//! A permission to manage users is told by its area and by its right, which stand in its name, its
//! category or its claim: the vendor's own pages spell the area in two ways, and none says how an
//! answer does. A role lists each permission by name, claim and key, and any of them may be left out;
//! what a permission inherits only the vendor's list of permissions tells. What stays open counts as
//! privileged.

use serde::Deserialize;

use super::{IDENTITY, list};
use crate::access::Role;
use crate::draft::Source;
use crate::vendors::{Known, ListPosition, Listing, Row, UNSHOWN, VendorReader, fan_out};

const PERMISSIONS: Source =
    Source { path: "/api/identity/v1/permissions", needs: "", docs: IDENTITY };
const PERMISSION: Source =
    Source { path: "/api/identity/v1/permissions/{key}", needs: "", docs: IDENTITY };

/// How the vendor's pages spell the area whose rights change who may do what, in letters alone.
const AREAS: [&str; 3] = ["usermanagement", "useraccessmanagement", "userandaccessmanagement"];
/// How a right begins that does.
const MANAGE: &str = "manage";
/// Words that begin alike and are no such right.
const NOUNS: [&str; 5] = ["management", "managements", "manager", "managers", "managed"];
/// Permissions that the vendor's list leaves out, and that one call asks for by their keys.
const UNLISTED: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationRole {
    key: String,
    pub name: Option<String>,
    permissions: Option<Vec<ListedPermission>>,
    /// Built in.
    is_read_only: Option<bool>,
}

/// A permission as a role lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedPermission {
    permission_key: Option<String>,
    name: Option<String>,
    category: Option<String>,
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
    inherits: Option<Vec<Inherited>>,
}

/// A permission that comes with another.
#[derive(Deserialize)]
struct Inherited {
    key: Option<String>,
}

/// The permissions that the vendor describes; none where it does not show them.
struct Registry(Option<Vec<Described>>);

/// The words that tell what a permission is.
#[derive(Clone, Copy, Default)]
struct Told<'a> {
    name: Option<&'a str>,
    category: Option<&'a str>,
    claim: Option<&'a str>,
}

/// Roles with what they allow. The vendor's permissions are asked for only where they can settle
/// something.
pub(super) async fn judged(reader: &VendorReader<'_>, listed: Vec<OrganizationRole>) -> Vec<Role> {
    let open = listed.iter().any(OrganizationRole::is_open);
    let registry = if open { Registry::read(reader, &listed).await } else { Registry(None) };
    listed.into_iter().map(|role| role.judged(&registry)).collect()
}

impl Known for OrganizationRole {
    fn id(&self) -> &str {
        &self.key
    }
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    fn kind(&self) -> &'static str {
        "role"
    }
}

impl Registry {
    /// The vendor's permissions, with those that these roles hold or inherit and the list leaves out,
    /// as far as it shows them.
    async fn read(reader: &VendorReader<'_>, roles: &[OrganizationRole]) -> Self {
        let Ok(query) = PERMISSIONS.ask(&[]) else { return Self(None) };
        let listing =
            list(reader, query, ListPosition::default(), usize::MAX, |_: &Described| true).await;
        let Ok(mut known) = listing.and_then(Listing::complete) else {
            return Self(None);
        };
        let held = roles.iter().flat_map(|role| role.permissions.iter().flatten());
        let held: Vec<&str> = held.filter_map(|held| filled(&held.permission_key)).collect();
        let mut left = UNLISTED;
        loop {
            let missing = missing(&held, &known);
            let asked: Vec<String> = missing.into_iter().take(left).collect();
            if asked.is_empty() {
                return Self(Some(known));
            }
            left -= asked.len();
            let read = |key: String| async move {
                reader.read::<Described>(&PERMISSION.ask(&[("key", &key)])?).await
            };
            match fan_out::each("permissions", asked, UNLISTED, read).await {
                Ok(fan_out) if !fan_out.found.is_empty() => known.extend(fan_out.found),
                _ => return Self(Some(known)),
            }
        }
    }

    fn of_key(&self, key: &str) -> Option<&Described> {
        let mut known = self.0.iter().flatten();
        known.find(|one| filled(&one.key).is_some_and(|own| own.eq_ignore_ascii_case(key)))
    }

    /// Whether a held permission, or one that comes with it, manages who may do what; `None` where
    /// that is not shown.
    fn manages(&self, held: &ListedPermission) -> Option<bool> {
        let own = held.told().manages();
        if own == Some(true) {
            return own;
        }
        let described = self.0.iter().flatten().filter(|one| held.is(one));
        let by: Vec<_> = described.map(|one| self.reaches(one, own)).collect();
        match by.as_slice() {
            [] => None,
            by if by.contains(&Some(true)) => Some(true),
            by => (!by.contains(&None)).then_some(false),
        }
    }

    /// What comes with a held permission, however deep, as far as it is described: as it is called,
    /// and what tells it apart.
    fn inherited(&self, held: &ListedPermission) -> Vec<(String, String)> {
        let mut left: Vec<_> = self.0.iter().flatten().filter(|one| held.is(one)).collect();
        let (mut seen, mut labels): (Vec<&str>, _) = (Vec::new(), Vec::new());
        while let Some(one) = left.pop() {
            for key in one.inherits.iter().flatten().filter_map(|next| filled(&next.key)) {
                if seen.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                    continue;
                }
                seen.push(key);
                let next = self.of_key(key);
                let label = next.and_then(|next| filled(&next.name)).unwrap_or(key).to_owned();
                let told = next.map(Described::told).unwrap_or_default();
                labels.push((label, told.part(Some(key))));
                left.extend(next);
            }
        }
        labels
    }

    /// Whether a permission as described manages who may do what, or any that it inherits, however
    /// deep; `own` is what is known of it already.
    fn reaches(&self, from: &Described, own: Option<bool>) -> Option<bool> {
        let mut open = from.told().manages().or(own).is_none();
        let (mut seen, mut left): (Vec<&str>, _) = (Vec::new(), vec![from]);
        while let Some(one) = left.pop() {
            let manages = one.told().manages();
            if manages == Some(true) {
                return Some(true);
            }
            open |= manages.is_none() && !std::ptr::eq(one, from);
            for inherited in one.inherits.iter().flatten() {
                let key = filled(&inherited.key);
                match key.map(|key| (key, self.of_key(key))) {
                    Some((key, _)) if seen.iter().any(|known| known.eq_ignore_ascii_case(key)) => {}
                    Some((key, Some(next))) => {
                        seen.push(key);
                        left.push(next);
                    }
                    Some((_, None)) | None => open = true,
                }
            }
        }
        (!open).then_some(false)
    }
}

/// The keys that are held or inherited, and not described yet.
fn missing(held: &[&str], known: &[Described]) -> Vec<String> {
    let inherited = known.iter().flat_map(|one| one.inherits.iter().flatten());
    let keys = held.iter().copied().chain(inherited.filter_map(|one| filled(&one.key)));
    let is_known = |key: &str| {
        known.iter().any(|one| filled(&one.key).is_some_and(|own| own.eq_ignore_ascii_case(key)))
    };
    let mut keys: Vec<String> = keys.filter(|key| !is_known(key)).map(str::to_lowercase).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl OrganizationRole {
    /// Whether what it lists leaves open whether it is privileged: what comes with a permission is
    /// never part of it.
    fn is_open(&self) -> bool {
        let mut held = self.permissions.iter().flatten().map(|held| held.told().manages());
        !self.is_administrator() && held.clone().next().is_some() && held.all(|m| m != Some(true))
    }

    /// The built-in role, which the portal calls Admin.
    fn is_administrator(&self) -> bool {
        let is =
            |wanted: &str| filled(&self.name).is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        is("Administrator") || is("Admin") && self.is_read_only != Some(false)
    }

    fn judged(self, registry: &Registry) -> Role {
        let manages = self.permissions.iter().flatten().map(|held| registry.manages(held));
        let manages: Vec<_> = manages.collect();
        let certain = self.is_administrator() || manages.contains(&Some(true));
        let unshown = self.permissions.is_none() || manages.contains(&None);
        let held = self.permissions.iter().flatten();
        let mut permissions: Vec<_> = held.clone().map(|held| held.label(registry)).collect();
        let mut parts: Vec<_> = held.clone().map(|held| held.part(registry)).collect();
        for (inherited, part) in held.flat_map(|held| registry.inherited(held)) {
            if !permissions.contains(&inherited) {
                permissions.push(inherited);
            }
            parts.push(part);
        }
        Role {
            privileged: certain || unshown,
            description: (unshown && !certain).then(|| UNSHOWN.to_owned()),
            permissions,
            ingredients: parts,
            id: self.key,
            name: self.name,
        }
    }
}

impl ListedPermission {
    fn told(&self) -> Told<'_> {
        Told {
            name: filled(&self.name),
            category: filled(&self.category),
            claim: filled(&self.claim_name),
        }
    }

    /// By its key, else by its claim, else by its name, with its category before it or without.
    fn is(&self, one: &Described) -> bool {
        let same = |own: &str, other: &Option<String>| {
            filled(other).is_some_and(|other| other.eq_ignore_ascii_case(own))
        };
        if let Some(key) = filled(&self.permission_key) {
            return same(key, &one.key);
        }
        if let Some(claim) = filled(&self.claim_name) {
            return same(claim, &one.claim_name);
        }
        filled(&self.name).is_some_and(|own| {
            let whole = filled(&one.category).zip(filled(&one.name));
            same(own, &one.name)
                || whole
                    .is_some_and(|(area, right)| squashed(own) == squashed(area) + &squashed(right))
        })
    }

    fn label(&self, registry: &Registry) -> String {
        let described = || registry.0.iter().flatten().find(|one| self.is(one));
        let elsewhere = || described().and_then(|one| filled(&one.name));
        let own = || filled(&self.claim_name).or_else(|| filled(&self.permission_key));
        let label = filled(&self.name).or_else(elsewhere).or_else(own);
        label.unwrap_or("a permission that is not named").to_owned()
    }
}

impl ListedPermission {
    /// What tells it apart: what the role says of it, and what the vendor's list does.
    fn part(&self, registry: &Registry) -> String {
        let own = self.told().part(filled(&self.permission_key));
        let described = registry.0.iter().flatten().filter(|one| self.is(one));
        let mut parts: Vec<_> = described.map(|one| one.told().part(filled(&one.key))).collect();
        parts.sort_unstable();
        parts.insert(0, own);
        parts.join("; ")
    }
}

impl Described {
    fn told(&self) -> Told<'_> {
        Told {
            name: filled(&self.name),
            category: filled(&self.category),
            claim: filled(&self.claim_name),
        }
    }
}

impl Row for Described {
    fn key(&self) -> Option<String> {
        self.key.clone()
    }
}

impl Told<'_> {
    /// A permission by its key and all of its words. Keys are written in either letter case.
    fn part(self, key: Option<&str>) -> String {
        let key = key.map(str::to_lowercase);
        serde_json::json!([key, self.name, self.category, self.claim]).to_string()
    }

    /// Whether it is a right to manage users and their access, by area and right, wherever each of
    /// them stands; `None` where what is told leaves it open. A claim can show that it is one, and
    /// not that it is none: how claims are written is not documented.
    fn manages(self) -> Option<bool> {
        let area = self.category.is_some_and(is_area)
            || [self.name, self.claim]
                .into_iter()
                .flatten()
                .any(|words| Words::of(words).names_area());
        let right = self.name.is_some_and(begins_to_manage)
            || [self.name, self.claim, self.category]
                .into_iter()
                .flatten()
                .any(|words| Words::of(words).manages_area())
            || self.claim.is_some_and(|claim| Words::of(claim).says_manage());
        if area && right {
            return Some(true);
        }
        let name = self.name?;
        let settled = match (name.split_once('>'), self.category) {
            (Some((area, right)), _) => !squashed(area).is_empty() && !squashed(right).is_empty(),
            (None, Some(_)) => true,
            // Some lists leave the area out, and most areas have something to manage.
            (None, None) => !squashed(name).contains(MANAGE),
        };
        settled.then_some(false)
    }
}

/// Words as their letters run together, with the places where each begins: separators and letter
/// case are written one way here, another there.
struct Words {
    letters: String,
    starts: Vec<usize>,
}

impl Words {
    fn of(text: &str) -> Self {
        let (mut letters, mut starts) = (String::new(), Vec::new());
        let mut before = None::<char>;
        for c in text.chars() {
            if c.is_alphabetic() {
                let hump = c.is_uppercase() && before.is_some_and(char::is_lowercase);
                if hump || !before.is_some_and(char::is_alphabetic) {
                    starts.push(letters.len());
                }
                letters.extend(c.to_lowercase());
            }
            before = Some(c);
        }
        Self { letters, starts }
    }

    /// Where an area is named, and where it ends. "End-user management" is another area.
    fn areas(&self) -> impl Iterator<Item = (usize, usize)> {
        let found = AREAS.iter().flat_map(|area| {
            self.letters.match_indices(area).map(|(at, area)| (at, at + area.len()))
        });
        found.filter(|(at, _)| {
            let end = self.letters.get(..*at).and_then(|before| before.strip_suffix("end"));
            !end.is_some_and(|before| self.starts.contains(&before.len()))
        })
    }

    fn names_area(&self) -> bool {
        self.areas().next().is_some()
    }

    /// Whether a right to manage follows the area.
    fn manages_area(&self) -> bool {
        let follows = |end| self.letters.get(end..).is_some_and(|rest| rest.starts_with(MANAGE));
        self.areas().any(|(_, end)| follows(end))
    }

    /// Whether a word of it is "manage", or begins so and is no noun; the area's own words aside.
    fn says_manage(&self) -> bool {
        let ends = self.starts.iter().skip(1).copied().chain([self.letters.len()]);
        let words = self.starts.iter().copied().zip(ends);
        let areas: Vec<_> = self.areas().collect();
        words.filter(|(at, _)| !areas.iter().any(|(start, end)| start <= at && at < end)).any(
            |(at, end)| {
                let word = self.letters.get(at..end).unwrap_or_default();
                word.starts_with(MANAGE) && !NOUNS.contains(&word)
            },
        )
    }
}

/// Whether a category is the area, and nothing else.
fn is_area(category: &str) -> bool {
    let letters = Words::of(category).letters;
    AREAS.contains(&letters.as_str())
}

/// Whether a name's right, behind its area where that stands before it, begins with "manage".
fn begins_to_manage(name: &str) -> bool {
    let right = name.rsplit(['>', '›', '»', ':', '/']).next().unwrap_or(name);
    [right, name].into_iter().any(|words| Words::of(words).letters.starts_with(MANAGE))
}

/// Letters and digits alone.
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

    fn manages(name: &str, category: &str, claim: &str) -> Option<bool> {
        let [name, category, claim] = [name, category, claim].map(|text| Some(text.to_owned()));
        Told { name: filled(&name), category: filled(&category), claim: filled(&claim) }.manages()
    }

    #[test]
    fn a_permission_says_what_it_is_or_leaves_it_open() {
        for (name, category, claim, expected) in [
            ("User management > Manage member access", "", "", Some(true)),
            ("user management>manage invitations", "", "", Some(true)),
            ("User management: Manage members", "", "", Some(true)),
            ("User & access management > Manage users", "", "", Some(true)),
            ("User access management > Manage organization roles", "", "", Some(true)),
            ("User and access management > Manage member access", "", "", Some(true)),
            ("USER AND ACCESS MANAGEMENT › MANAGE API CLIENTS", "", "", Some(true)),
            ("Organization > User management > Manage users", "", "", Some(true)),
            ("Manage users", "User and access management", "", Some(true)),
            ("Manage API clients", "user_and_access_management", "", Some(true)),
            ("Members > Manage", "User management", "", Some(true)),
            ("Users", "User management", "odc.manage_users", Some(true)),
            ("Manage users", "", "user_access_management", Some(true)),
            ("", "User management", "ManageUsers", Some(true)),
            ("", "", "user_management_manage_member_access", Some(true)),
            ("", "", "userandaccessmanagementmanageusers", Some(true)),
            ("", "", "backend.UserManagement.ManageUsers", Some(true)),
            ("View", "", "UserManagement.ManageRoles", Some(true)),
            ("User management > View members", "", "", Some(false)),
            ("View members", "User and access management", "", Some(false)),
            ("User and access management > View members", "", "user_management_view", Some(false)),
            ("End-user management > Manage end-user access", "", "", Some(false)),
            ("End user management > Manage end-user groups", "", "", Some(false)),
            ("Manage end-user access", "End-user management", "", Some(false)),
            (
                "Manage end-user access",
                "End-user management",
                "EndUserManagement.Manage",
                Some(false),
            ),
            ("Manage", "EndUserManagement", "end_user_management_manage", Some(false)),
            ("Asset management > Manage assets", "", "", Some(false)),
            ("Manage assets", "Asset management", "p17", Some(false)),
            // A claim's word that begins so and is no right: another area, or people.
            ("Users", "User management", "asset_management_view", Some(false)),
            ("Users", "User management", "odc.managers", Some(false)),
            ("Users", "User management", "odc.manager_view", Some(false)),
            ("View logs", "", "", Some(false)),
            ("Manage members", "", "", None),
            ("Manage members", "", "p17", None),
            ("> Manage members", "", "", None),
            ("User management >", "", "", None),
            ("", "User management", "", None),
            ("", "", "asset_management_view", None),
            ("", "", "end_user_management_manage", None),
            ("", "", "", None),
            (" \u{200b}", "", "", None),
        ] {
            assert_eq!(manages(name, category, claim), expected, "{name:?} {category:?} {claim:?}");
        }
    }

    fn registry() -> Registry {
        let inherits =
            |key: &str| json!([{ "key": key, "realmStages": null, "realmPortfolio": null }]);
        let rows = json!([
            { "key": "K1", "name": "Manage members", "category": "User management" },
            { "key": "k2", "name": "Manage assets", "category": "Asset management" },
            { "key": "k3", "name": "Manage things", "category": null },
            { "key": "k4", "name": "Members > Manage", "category": "User management" },
            { "key": "k5", "name": "View", "category": "Asset management", "claimName": "c5" },
            { "key": "k6", "name": "Deploy", "category": "Release management", "inherits": inherits("K7") },
            { "key": "k7", "name": "Release", "category": "Release management", "inherits": inherits("k1") },
            { "key": "r1", "name": "Round", "category": "Support", "inherits": inherits("r2") },
            { "key": "r2", "name": "And round", "category": "Support", "inherits": inherits("r1") },
            { "key": "u1", "name": "Hidden", "category": "Support", "inherits": inherits("nowhere") },
            { "key": "u2", "name": "Nameless", "category": "Support", "inherits": [{ "key": null }] },
            { "key": "u3", "name": "Open", "category": "Support", "inherits": inherits("k3") },
        ]);
        Registry(Some(serde_json::from_value(rows).unwrap()))
    }

    fn check(role: Value, privileged: bool, unshown: bool, registry: &Registry) {
        let role = serde_json::from_value::<OrganizationRole>(role).unwrap().judged(registry);
        assert_eq!(
            (role.privileged, role.description.is_some()),
            (privileged, unshown),
            "{role:?}"
        );
    }

    fn role(permissions: Value) -> Value {
        json!({ "key": "r", "name": "R", "permissions": permissions })
    }

    #[test]
    fn privilege_is_what_a_role_contains_and_what_it_does_not_tell() {
        let registry = &registry();
        check(role(json!([])), false, false, registry);
        check(role(Value::Null), true, true, registry);
        check(json!({ "key": "r" }), true, true, registry);
        for (name, read_only, privileged) in [
            ("administrator", json!(true), true),
            ("Administrator", json!(false), true),
            ("Admin", json!(true), true),
            ("Admin", Value::Null, true),
            ("Admin", json!(false), false),
        ] {
            let role =
                json!({ "key": "r", "name": name, "permissions": [], "isReadOnly": read_only });
            check(role, privileged, false, registry);
        }
        for (permission, privileged, unshown) in [
            (json!({ "permissionKey": "k1" }), true, false),
            (json!({ "permissionKey": "k1", "name": "Manage members" }), true, false),
            (json!({ "permissionKey": "k2", "name": null }), false, false),
            (json!({ "permissionKey": "k3", "name": "" }), true, true),
            (json!({ "permissionKey": "k4" }), true, false),
            (json!({ "permissionKey": "k9", "claimName": "c5" }), true, true),
            (json!({ "claimName": "c5" }), false, false),
            (json!({ "name": "Manage members" }), true, false),
            (json!({ "name": "Asset management > Manage assets" }), false, false),
            (json!({ "name": "Manage what nobody describes" }), true, true),
            (json!({}), true, true),
        ] {
            let harmless = json!({ "name": "Asset management > View" });
            check(role(json!([harmless, permission])), privileged, unshown, registry);
        }
    }

    /// The vendor's own pages call the area in two ways and rename its rights, and no document says how a
    /// reply does, nor how it writes claims. Managing end users is another area.
    #[test]
    fn a_role_is_judged_alike_in_either_vocabulary_however_it_tells_its_permissions() {
        let users = ["User management", "User and access management"];
        let managing = [
            "Manage organization access",
            "Manage member access",
            "Manage members",
            "Manage invitations",
            "Manage access policies",
            "Manage API clients",
        ];
        let managing = users.iter().flat_map(|area| managing.map(|right| (*area, right, true)));
        let others = [
            (users[0], "View members", false),
            (users[1], "View members", false),
            ("End-user management", "Manage end-user access", false),
            ("End-user management", "Manage end-user groups", false),
            ("Asset management", "Change assets", false),
        ];
        for (area, right, privileged) in managing.chain(others) {
            let whole = format!("{area} > {right}");
            let telling = squashed_with('_', &whole);
            for (claim, name) in
                [(&*telling, &*whole), (&telling, right), ("p017", &whole), ("p017", right)]
            {
                let registry: Described = serde_json::from_value(
                    json!({ "key": "k", "name": name, "category": area, "claimName": claim }),
                )
                .unwrap();
                let registry = Registry(Some(vec![registry]));
                for told in [
                    json!({ "permissionKey": "k", "claimName": claim, "name": name }),
                    json!({ "permissionKey": "k", "name": null }),
                    json!({ "permissionKey": "K", "name": "" }),
                    json!({ "permissionKey": "k" }),
                    json!({ "claimName": claim }),
                ] {
                    check(role(json!([told])), privileged, false, &registry);
                }
            }
        }
    }

    fn squashed_with(separator: char, words: &str) -> String {
        let parts = words.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(&separator.to_string()).to_lowercase()
    }

    /// However deep, in a circle or not; what is not described may be anything.
    #[test]
    fn what_a_permission_inherits_counts() {
        for (key, privileged, unshown) in [
            ("k7", true, false),
            ("k6", true, false),
            ("r1", false, false),
            ("u1", true, true),
            ("u2", true, true),
            ("u3", true, true),
        ] {
            for name in [json!("Support > Handle cases"), Value::Null] {
                let held = json!([{ "permissionKey": key, "name": name }]);
                check(role(held), privileged, unshown, &registry());
            }
        }
        let held = json!([{ "permissionKey": "k6", "name": "Deploy" }, { "permissionKey": "r1" }]);
        let deep = serde_json::from_value::<OrganizationRole>(role(held)).unwrap();
        let deep = deep.judged(&registry()).permissions;
        assert_eq!(deep, ["Deploy", "Round", "Release", "Manage members", "And round"]);
        let harmless = json!([{ "permissionKey": "k5", "name": "Asset management > View" }]);
        check(role(harmless.clone()), false, false, &registry());
        check(role(harmless), true, true, &Registry(None));
        assert_eq!(missing(&["K1", "h1"], registry().0.as_deref().unwrap()), ["h1", "nowhere"]);
    }
}
