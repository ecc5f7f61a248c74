//! Who has access at CentraSite: an asset lists its settings.

use super::{Held, Holding, PRINCIPALS, Principals, asset, assets, find, name, permissions};
use crate::access::{Access, Named, Principal, Resource};
use crate::failure::Failure;
use crate::vendors::{Asker, Listing, Reach, Wanted, crowd};

/// Assets whose settings one call reads.
const BUDGET: usize = 60;

pub(super) async fn list(ask: &Asker<'_>, reach: Reach) -> Result<Listing<Access>, Failure> {
    let assets = match &reach.resource {
        Some(wanted) => vec![asset(ask, Wanted::Named(wanted)).await?],
        None => assets(ask, None).await?,
    };
    let principal = match &reach.principal {
        Some(wanted) => Some(either(ask, wanted).await?),
        None => None,
    };
    let read = |asset: Resource| async move { Ok((permissions(ask, &asset.id).await?, asset)) };
    let crowd = crowd::each("assets", assets, BUDGET, read).await?;
    let rows = crowd.found.into_iter().flat_map(|(permissions, asset)| {
        permissions
            .permissions
            .iter()
            .map(|held| row(held, &asset, principal.as_ref()))
            .collect::<Vec<_>>()
    });
    let fits = |row: &Access| {
        let wanted = principal.as_ref().map(Principal::named);
        wanted.is_none_or(|it| it.id == row.principal.id && it.kind == row.principal.kind)
            && reach.role.as_ref().is_none_or(|role| row.role.id.split(' ').next() == Some(role))
    };
    let rows = rows.filter(fits).collect();
    let mut listing = Listing::part(rows, &reach.from, reach.limit, crowd.problem);
    let named = listing.rows.iter_mut().map(|row: &mut Access| &mut row.principal);
    name(ask, named.filter(|named| named.name.is_none()).collect()).await;
    Ok(listing)
}

/// A user or a group of this id or name.
async fn either(ask: &Asker<'_>, wanted: &str) -> Result<Principal, Failure> {
    find::<Principals>(ask, "principal", Wanted::Named(wanted), &PRINCIPALS.ask(&[])?, |_| true)
        .await
}

fn row(held: &Held, asset: &Resource, known: Option<&Principal>) -> Access {
    let name = known
        .filter(|known| known.id == held.principal.id && known.kind == held.principal.kind)
        .and_then(|known| known.name.clone());
    Access {
        id: None,
        principal: Named::new(&held.principal.id, name, held.principal.kind.as_str()),
        role: Holding::of(held).role(),
        resource: asset.named(),
        scope: "asset".into(),
        within: None,
        starts_at: None,
        expires_at: None,
        pending: false,
    }
}
