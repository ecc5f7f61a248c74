//! What granting and revoking an OutSystems role on assets have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Snapshot;
use crate::access::{Access, Principal, Role};
use crate::argument::Name;
use crate::failure::Failure;
use crate::vendors::VendorReader;
use crate::vendors::outsystems::{self, same_key};

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
    let wanted: Vec<_> = assets.iter().map(|name| reader.meant(name.as_str())).collect();
    // Each to its end: all that does not resolve is told at once.
    let (user, role) = tokio::join!(
        outsystems::user(reader, reader.meant(user.as_str())),
        outsystems::role(reader, reader.meant(role.as_str())),
    );
    let assets = outsystems::assets(reader, &wanted).await;
    let ((user, role), assets) = Failure::both(Failure::both(user, role), assets)?;
    let names = assets.iter().filter_map(|asset| Some((asset.id.clone(), asset.name.clone()?)));
    let names: BTreeMap<_, _> = names.collect();
    let one = |asset: &crate::access::Resource| AssetRole {
        wanted: Access {
            id: None,
            principal: user.named(),
            role: role.named(),
            resource: asset.named(),
            scope: "asset".into(),
            within: None,
            via: None,
            starts_at: None,
            expires_at: None,
            pending: false,
        },
        user: user.clone(),
        role: role.clone(),
        names: names.clone(),
    };
    Ok(assets.iter().map(one).collect())
}

impl AssetRole {
    /// All organization roles of the user.
    pub(super) async fn current(&self, reader: &VendorReader<'_>) -> Result<Snapshot, Failure> {
        let held = outsystems::held(reader, &self.wanted.principal.id).await?;
        let rows =
            held.into_iter().map(|held| outsystems::row(&self.wanted.principal, held, &self.names));
        Ok(Snapshot { rows: rows.collect(), conclusive: true, ..Snapshot::default() })
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

/// Whether both rows are of one role on one asset.
pub(super) fn is_same(one: &Access, other: &Access) -> bool {
    same_key(&one.role.id, &other.role.id) && same_key(&one.resource.id, &other.resource.id)
}

/// The keys of a row, as arguments of either tool.
pub(super) fn arguments(row: &Access) -> Value {
    json!({ "userKey": row.principal.id, "roleKey": row.role.id, "assetKeys": [row.resource.id] })
}
