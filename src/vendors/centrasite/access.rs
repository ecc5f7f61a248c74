//! Who has access at CentraSite: an asset lists its settings.

use super::{
    Holding, PRINCIPALS, PermissionEntry, Permissions, Principals, asset, assets, by_address, find,
    name, permissions, user,
};
use crate::access::{Access, Named, Principal, PrincipalKind, Resource};
use crate::failure::{Failure, Kind};
use crate::text;
use crate::vendors::fan_out::{self, Entries};
use crate::vendors::listing::both;
use crate::vendors::people::{Sought, person};
use crate::vendors::{Listing, Reach, VendorReader, Whom, maybe, maybe_whom};

/// Assets whose settings are read at a time.
const BUDGET: usize = 60;

pub(super) async fn list(
    reader: &VendorReader<'_>,
    reach: Reach,
) -> Result<Listing<Access>, Failure> {
    let one = maybe(&reach.resource, "resource", |wanted| asset(reader, wanted)).await;
    let whom = reach.principal.as_ref();
    let principal = maybe_whom(&reach.principal, |wanted| {
        person(reader, wanted, move |sought| either(reader, sought, whom))
    });
    let principal = principal.await;
    let (one, principal) = Failure::both(one, principal)?;
    let assets = match one {
        Some(asset) => vec![asset],
        None => assets(reader, None).await?,
    };
    let read = |asset: Resource| async move { Ok((permissions(reader, &asset.id).await?, asset)) };
    let assets = Listing::entries(assets, &reach.from, BUDGET, |asset: &Resource| &asset.id);
    let Entries { found, next, problem } = fan_out::entries("assets", assets, read).await?;
    let rows = |(permissions, asset): (Permissions, Resource)| {
        let held = permissions.permissions.iter();
        held.map(|held| row(held, &asset, principal.as_ref())).collect::<Vec<_>>()
    };
    let mut found: Vec<_> = found.into_iter().map(|(place, one)| (place, rows(one))).collect();
    let groups = principal.as_ref().filter(|one| one.kind == PrincipalKind::User);
    let groups = groups.and_then(|user| unseen(user, found.iter().flat_map(|(_, rows)| rows)));
    let fits = |row: &Access| {
        let wanted = principal.as_ref().map(Principal::named);
        wanted.is_none_or(|it| it.id == row.principal.id && it.kind == row.principal.kind)
            && reach.role.as_ref().is_none_or(|role| {
                // As it is listed: with what is held on profiles, or the level alone.
                row.role.id == *role || row.role.id.split(' ').next() == Some(role)
            })
    };
    found.iter_mut().for_each(|(_, rows)| rows.retain(fits));
    let problem = both(problem, groups);
    let mut listing = Listing::of_entries(found, &reach.from, reach.limit, next, problem);
    let named = listing.rows.iter_mut().map(|row: &mut Access| &mut row.principal);
    name(reader, named.filter(|named| named.name.is_none()).collect()).await;
    Ok(listing)
}

/// A user or a group of this id or name.
async fn either(
    reader: &VendorReader<'_>,
    sought: Sought<'_>,
    whom: Option<&Whom>,
) -> Result<Principal, Failure> {
    if sought.is_alias() {
        // A group may have the id of a user.
        return user(reader, sought).await;
    }
    let (query, wanted) = (PRINCIPALS.ask(&[])?, sought.name());
    let fits = |one: &Principal| whom.is_none_or(|whom| whom.may_be(one.kind));
    let found = find::<Principals>(reader, "principal", wanted, &query, fits).await;
    found.map_err(|failure| by_address(wanted, failure))
}

/// Groups that hold access which somebody may share: who is in them the bridge does not show.
fn unseen<'r>(user: &Principal, rows: impl Iterator<Item = &'r Access>) -> Option<Failure> {
    let groups = rows.map(|row| &row.principal);
    let groups = groups.filter(|one| one.kind.as_deref() == Some(PrincipalKind::Group.as_str()));
    let mut groups: Vec<String> = groups.map(|group| text::exact(&group.id)).collect();
    groups.sort_unstable();
    groups.dedup();
    let (user, groups) = (user.named().label(), (!groups.is_empty()).then(|| groups.join(", "))?);
    let why = format!("what {user} holds through a group is not seen; these hold access: {groups}");
    Some(Failure::new(Kind::NotListable, why).hint("look in CentraSite for who is in them"))
}

fn row(held: &PermissionEntry, asset: &Resource, known: Option<&Principal>) -> Access {
    let known =
        known.filter(|known| known.id == held.principal.id && known.kind == held.principal.kind);
    let unnamed = || Named::new(&held.principal.id, None, held.principal.kind.as_str());
    Access::of(
        known.map_or_else(unnamed, Principal::named),
        Holding::of(held).role(),
        asset.named(),
        "asset",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Groups that hold something are named once; where none does, nothing is unseen.
    #[test]
    fn what_groups_may_give_somebody_is_told_as_not_seen() {
        let asset = Resource::new("asset", "a-1", None);
        let ada = Principal::user("ada", None, None);
        for (holders, told) in [
            (
                &[("group", "devs"), ("user", "bo"), ("group", "devs"), ("group", "api")][..],
                Some("api, devs"),
            ),
            (&[("user", "bo")], None),
            (&[], None),
        ] {
            let held = |(kind, id): &(&str, &str)| {
                let held = json!({ "principal": { "kind": kind, "id": id }, "permission": "View" });
                row(&serde_json::from_value(held).unwrap(), &asset, Some(&ada))
            };
            let rows: Vec<_> = holders.iter().map(held).collect();
            let unseen = unseen(&ada, rows.iter()).map(|failure| failure.message);
            let told = told.map(|groups| {
                format!("what ada holds through a group is not seen; these hold access: {groups}")
            });
            assert_eq!(unseen, told, "{holders:?}");
        }
    }
}
