//! Who has access at OutSystems.
//!
//! Only a user's own list of roles says on which asset a role counts, so any other question costs
//! one request a user, against 100 a minute.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ASSETS, Asset, GrantPeriod, HeldRole, ROLE_USERS, USERS, User, asset, list as pages, role,
    roles_of, same_key, user,
};
use crate::access::{Access, Named, Principal, Resource};
use crate::failure::Failure;
use crate::vendors::fan_out::{self, Entries};
use crate::vendors::{ListPosition, Listing, NameOrId, Reach, VendorReader, maybe, maybe_whom};

/// Users whose roles are read at a time.
const BUDGET: usize = 40;
/// Assets whose names are looked up one by one; the names of more are read from the list of assets.
const NAMES: usize = 20;
/// Assets whose names are read from the list.
const MOST_NAMES: usize = 1_000;

pub(super) async fn list(
    reader: &VendorReader<'_>,
    reach: Reach,
) -> Result<Listing<Access>, Failure> {
    let role = maybe(&reach.role, "role", |wanted| role(reader, wanted)).await;
    let asset = maybe(&reach.resource, "resource", |wanted| asset(reader, wanted)).await;
    let user = maybe_whom(&reach.principal, |wanted| user(reader, wanted)).await;
    let ((role, asset), user) = Failure::both(Failure::both(role, asset), user)?;
    let from = &reach.from;
    let listed = |users| Listing::entries(users, from, BUDGET, |user: &Principal| &user.id);
    let users = match (user, &asset, &role) {
        (Some(user), _, _) => listed(vec![user]),
        (None, Some(asset), _) => listed(reaching(reader, asset).await?),
        (None, None, Some(role)) => {
            some(reader, ROLE_USERS.ask(&[("key", &role.id)])?, from).await?
        }
        (None, None, None) => some(reader, USERS.ask(&[])?, from).await?,
    };
    let read = async |user: Principal| Ok((roles_of(reader, &user.id).await?, user));
    let read = |user| read(user);
    let Entries { found, next, problem } = fan_out::entries("users", users, read).await?;
    let held = found.iter().flat_map(|(_, (held, _))| held);
    let names = names(reader, held, asset.as_ref()).await;
    let fits = |row: &Access| {
        role.as_ref().is_none_or(|role| same_key(&role.id, &row.role.id))
            && asset.as_ref().is_none_or(|asset| {
                // A role for the organization reaches the asset too, and is shown as what it is.
                row.scope == "organization" || same_key(&row.resource.id, &asset.id)
            })
    };
    let rows = |(held, user): (Vec<HeldRole>, Principal)| {
        let user = user.named();
        held.into_iter().map(|held| row(&user, held, &names)).filter(fits).collect()
    };
    let found = found.into_iter().map(|(place, one)| (place, rows(one))).collect();
    Ok(Listing::of_entries(found, from, reach.limit, next, problem))
}

/// Users of a list, from there on, as many as are read at a time.
async fn some(
    reader: &VendorReader<'_>,
    query: crate::draft::Query,
    from: &ListPosition,
) -> Result<Listing<Principal>, Failure> {
    let users = pages(reader, query, from.clone(), BUDGET, |_: &User| true).await?;
    Ok(users.map(User::into_principal))
}

/// Who may reach an asset: those with a role for it, then all with any organization role.
async fn reaching(reader: &VendorReader<'_>, asset: &Resource) -> Result<Vec<Principal>, Failure> {
    let (with_role, members) = tokio::try_join!(
        everybody(reader, USERS.ask(&[])?.with("assetKey", &asset.id)),
        everybody(reader, USERS.ask(&[])?.with("hasOrganizationRoles", true)),
    )?;
    let mut users = with_role;
    for member in members {
        if users.iter().all(|user| user.id != member.id) {
            users.push(member);
        }
    }
    Ok(users)
}

async fn everybody(
    reader: &VendorReader<'_>,
    query: crate::draft::Query,
) -> Result<Vec<Principal>, Failure> {
    let users = pages(reader, query, ListPosition::default(), usize::MAX, |_: &User| true).await?;
    Ok(users.complete()?.into_iter().map(User::into_principal).collect())
}

/// The names of the assets that roles count for; a name that cannot be had is left out.
async fn names(
    reader: &VendorReader<'_>,
    held: impl Iterator<Item = &HeldRole>,
    known: Option<&Resource>,
) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    if let Some(Resource { id, name: Some(name), .. }) = known {
        names.insert(id.clone(), name.clone());
    }
    let keys = held.filter_map(|held| held.asset_key.clone());
    let mut keys: Vec<_> = keys.filter(|key| !names.contains_key(key)).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() > NAMES {
        if let Ok(assets) = assets(reader).await {
            names.extend(assets.into_iter().filter_map(|asset| Some((asset.id, asset.name?))));
        }
        return names;
    }
    let read = |key: String| async move { asset(reader, NameOrId::Id(&key)).await };
    if let Ok(fan_out) = fan_out::each("assets", keys, NAMES, read).await {
        names.extend(fan_out.found.into_iter().filter_map(|asset| Some((asset.id, asset.name?))));
    }
    names
}

/// The assets there are, as far as some pages show them.
async fn assets(reader: &VendorReader<'_>) -> Result<Vec<Resource>, Failure> {
    let start = ListPosition::default();
    let listed = pages(reader, ASSETS.ask(&[])?, start, MOST_NAMES, |_: &Asset| true).await?;
    Ok(listed.rows.into_iter().map(Asset::into_resource).collect())
}

/// A role that `user` holds, as a row; `names` are those of assets, as far as they are known.
pub fn row(user: &Named, held: HeldRole, names: &BTreeMap<String, String>) -> Access {
    let (scope, resource) = match held.asset_key {
        None => ("organization", Named::new("organization", None, "organization")),
        Some(key) => {
            let name = names.get(&key).cloned();
            ("asset", Named::new(key, name, "asset"))
        }
    };
    let (start, end) = match held.grant_period {
        Some(GrantPeriod { start_time, end_time }) => (start_time, end_time),
        None => (None, None),
    };
    Access {
        within: held.portfolio_key,
        starts_at: start.filter(|start| !has_passed(start)),
        expires_at: end,
        ..Access::of(
            user.clone(),
            Named { id: held.key, name: held.name, kind: None, email: None },
            resource,
            scope,
        )
    }
}

/// Whether a time is over; one that cannot be read may still be to come.
fn has_passed(time: &str) -> bool {
    time.parse::<Timestamp>().is_ok_and(|time| time <= Timestamp::now())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// No asset is the organization, and a beginning that has passed is none.
    #[test]
    fn a_held_role_is_a_row_of_an_asset_or_of_the_organization() {
        let names = BTreeMap::from([("a-1".to_owned(), "Orders".to_owned())]);
        let period = |start: &str, end: Option<&str>| json!({ "startTime": start, "endTime": end });
        for (asset, period, scope, resource, starts, ends) in [
            (json!("a-1"), Value::Null, "asset", "“Orders”", None, None),
            (json!("a-2"), Value::Null, "asset", "a-2", None, None),
            (Value::Null, Value::Null, "organization", "organization", None, None),
            (
                json!("a-1"),
                period("2020-01-01T00:00:00Z", Some("2099-01-01T00:00:00Z")),
                "asset",
                "“Orders”",
                None,
                Some("2099-01-01T00:00:00Z"),
            ),
            (
                json!("a-1"),
                period("2098-01-01T00:00:00Z", None),
                "asset",
                "“Orders”",
                Some("2098-01-01T00:00:00Z"),
                None,
            ),
            // Nobody can tell when that is, so it may be still to come.
            (json!("a-1"), period("soon", None), "asset", "“Orders”", Some("soon"), None),
        ] {
            let held = json!({ "key": "r-1", "name": "Developer", "assetKey": asset, "portfolioKey": "p-1",
                "grantPeriod": period });
            let user = Named::new("u-1", None, "user");
            let row = row(&user, serde_json::from_value(held).unwrap(), &names);
            assert_eq!((row.scope.as_ref(), row.resource.label().as_str()), (scope, resource));
            assert_eq!((row.starts_at.as_deref(), row.expires_at.as_deref()), (starts, ends));
            assert_eq!(row.within.as_deref(), Some("p-1"));
        }
    }
}
