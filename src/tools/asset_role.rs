//! What granting and revoking an OutSystems role on assets have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Snapshot;
use crate::access::{Access, Principal, Resource, Role};
use crate::argument::Name;
use crate::failure::Failure;
use crate::vendors::VendorReader;
use crate::vendors::outsystems::{self, HeldRole, same_key};

/// One user and one role, on one asset of those a call names.
#[derive(Clone)]
pub(super) struct AssetRole {
    pub wanted: Access,
    pub user: Principal,
    pub role: Role,
    /// Names of every asset of the call: the rows of one step name those of the others too.
    names: BTreeMap<String, String>,
}

/// What no schema says of the arguments.
pub(super) fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
    let none = given.get("assetKeys").and_then(Value::as_array).is_some_and(Vec::is_empty);
    none.then(no_assets).into_iter().collect()
}

fn no_assets() -> Failure {
    Failure::refused("is empty, and OutSystems would take that for the whole organization")
        .of("assetKeys")
        .hint("name at least one asset")
}

/// Names to keys: one for each asset.
pub(super) async fn resolve(
    reader: &VendorReader<'_>,
    user: &Name,
    role: &Name,
    assets: &[Name],
) -> Result<Vec<AssetRole>, Failure> {
    if assets.is_empty() {
        return Err(no_assets());
    }
    let wanted: Vec<_> = assets.iter().map(|name| reader.reference(name.as_str())).collect();
    // Each to its end: all that does not resolve is told at once.
    let (user, role) = tokio::join!(
        outsystems::user(reader, reader.reference(user.as_str())),
        outsystems::role(reader, reader.reference(role.as_str())),
    );
    let assets = outsystems::assets(reader, &wanted).await;
    let ((user, role), mut assets) = Failure::both(Failure::both(user, role), assets)?;
    // They are a set: whoever names the same in another order asks for the same.
    assets.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let names = assets.iter().filter_map(|asset| Some((asset.id.clone(), asset.name.clone()?)));
    let names: BTreeMap<_, _> = names.collect();
    let one = |asset: &Resource| AssetRole::new(&user, &role, asset, &names);
    Ok(assets.iter().map(one).collect())
}

impl AssetRole {
    pub(super) fn new(
        user: &Principal,
        role: &Role,
        asset: &Resource,
        names: &BTreeMap<String, String>,
    ) -> Self {
        let wanted = Access::of(user.named(), role.named(), asset.named(), "asset");
        Self { wanted, user: user.clone(), role: role.clone(), names: names.clone() }
    }

    /// All organization roles of the user.
    pub(super) async fn current(&self, reader: &VendorReader<'_>) -> Result<Snapshot, Failure> {
        Ok(self.standing(outsystems::roles_of(reader, &self.wanted.principal.id).await?))
    }

    /// What these roles of the user amount to.
    pub(super) fn standing(&self, held: Vec<HeldRole>) -> Snapshot {
        let rows =
            held.into_iter().map(|held| outsystems::row(&self.wanted.principal, held, &self.names));
        Snapshot { rows: rows.collect(), conclusive: true, ..Snapshot::default() }
    }

    pub(super) fn is_wanted(&self, row: &Access) -> bool {
        is_same(row, &self.wanted)
    }

    /// Whether the row is of this very asset, in whatever role and portfolio.
    pub(super) fn is_there(&self, row: &Access) -> bool {
        same_key(&row.resource.id, &self.wanted.resource.id)
    }

    pub(super) fn path(&self) -> [(&str, &str); 2] {
        [("key", &self.wanted.principal.id), ("roleKey", &self.wanted.role.id)]
    }

    /// This very change, by keys alone.
    pub(super) fn arguments(&self) -> Value {
        arguments(&self.wanted)
    }
}

/// That a role of the whole organization is neither given nor taken from here.
pub(super) fn of_organization() -> Failure {
    Failure::refused(
        "it counts for the whole organization, and only roles on assets are changed from here",
    )
    .hint("an administrator changes it in the ODC portal, on the user's own page")
}

/// Whether both rows are of one role on one asset.
pub(super) fn is_same(one: &Access, other: &Access) -> bool {
    same_key(&one.role.id, &other.role.id) && same_key(&one.resource.id, &other.resource.id)
}

/// The keys of a row, as arguments of either tool.
pub(super) fn arguments(row: &Access) -> Value {
    json!({ "userKey": row.principal.id, "roleKey": row.role.id, "assetKeys": [row.resource.id] })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A role as OutSystems lists it for a user: "Developer on Orders", with "until TIME", "from TIME" or
    /// "in PORTFOLIO" behind it; on "organization" it is of that scope. Keys are the names in lower case.
    pub(in crate::tools) fn held(text: &str) -> HeldRole {
        let words: Vec<&str> = text.split(' ').collect();
        let (role, asset) = (words[0], words[2]);
        let after = |word: &str| words.iter().skip_while(|w| **w != word).nth(1).copied();
        let (start, end) = (after("from"), after("until"));
        let period = start.or(end).map(|_| json!({ "startTime": start, "endTime": end }));
        serde_json::from_value(json!({
            "key": role.to_lowercase(),
            "name": role,
            "assetKey": (asset != "organization").then(|| asset.to_lowercase()),
            "portfolioKey": after("in"),
            "grantPeriod": period,
        }))
        .unwrap()
    }

    /// Ana and the role Developer on Orders, privileged or not.
    pub(in crate::tools) fn supposed(privileged: bool) -> AssetRole {
        let user = Principal::user("ana", Some("Ana".to_owned()), None);
        let role = Role {
            id: "developer".to_owned(),
            name: Some("Developer".to_owned()),
            privileged,
            description: None,
            permissions: vec!["Release management > Deploy".to_owned()],
            ingredients: vec!["deploy, k1".to_owned()],
        };
        let asset = Resource::new("asset", "orders", Some("Orders".to_owned()));
        AssetRole::new(&user, &role, &asset, &BTreeMap::new())
    }

    pub(in crate::tools) fn standing(of: &AssetRole, rows: &[&str]) -> Snapshot {
        of.standing(rows.iter().map(|row| held(row)).collect())
    }

    /// Roles of an organization reach every asset, and are none of the asset's.
    #[test]
    fn a_row_is_of_one_asset_whatever_the_letters_of_its_key() {
        let of = supposed(false);
        for (row, wanted, there) in [
            ("Developer on Orders", true, true),
            ("Developer on Orders in p-2", true, true),
            ("Tester on Orders", false, true),
            ("Developer on Billing", false, false),
            ("Developer on organization", false, false),
        ] {
            for upper in [false, true] {
                let mut held = held(row);
                if upper {
                    held.key.make_ascii_uppercase();
                    held.asset_key = held.asset_key.map(|key| key.to_uppercase());
                }
                let snapshot = of.standing(vec![held]);
                assert!(snapshot.conclusive);
                let row = &snapshot.rows[0];
                assert_eq!((of.is_wanted(row), of.is_there(row)), (wanted, there), "{row:?}");
            }
        }
    }
}
