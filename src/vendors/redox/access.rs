//! Who has access at Redox: the organization's members, and each environment's.

use super::roles::pick_listed;
use super::{
    Listed, Membership, configured_organization, environment_members, environments, members,
};
use crate::access::{Access, Resource};
use crate::failure::{Failure, Kind};
use crate::vendors::fan_out::{self, Entries};
use crate::vendors::listing::both;
use crate::vendors::{ListPosition, Listing, NameOrId, Reach, VendorReader, pick};

pub(super) async fn list(
    reader: &VendorReader<'_>,
    reach: Reach,
) -> Result<Listing<Access>, Failure> {
    let organization = configured_organization(reader)?;
    let (members, environments) =
        tokio::try_join!(members(reader, organization), environments(reader, organization))?;
    let whole = Resource::new("organization", organization, None);
    let places: Vec<_> = std::iter::once(whole).chain(environments).collect();
    let one = reach.resource.as_ref();
    let one =
        one.map(|wanted| pick("resource", NameOrId::named(wanted), places.clone())).transpose();
    // All that does not resolve is told at once.
    let (places, place) = match one {
        Ok(None) => (places, Ok(())),
        Ok(Some(place)) => (vec![place], Ok(())),
        Err(failure) => (places, Err(failure)),
    };
    let known = &members;
    let read = |place: Resource| async move {
        let found = match place.kind {
            "environment" => environment_members(reader, &place.id).await?,
            _ => known.clone(),
        };
        Ok((found, place))
    };
    let places = Listing::entries(places, &reach.from, usize::MAX, |place: &Resource| &place.id);
    let all = fan_out::entries("environments", places, read).await?;
    let held = || all.found.iter().flat_map(|(_, (found, _))| found).map(|one| one.role.clone());
    let role = match &reach.role {
        Some(wanted) => role(wanted, &held().collect::<Vec<_>>()),
        None => Ok(None),
    };
    let principal = match &reach.principal {
        Some(wanted) => {
            let goes_on = reach.from != ListPosition::default();
            somebody(reader, wanted.name(), &members, &all, goes_on)
        }
        None => Ok(None),
    };
    let ((role, principal), ()) = Failure::both(Failure::both(role, principal), place)?;
    let fits = |row: &Access| {
        (reach.principal.is_none() || principal.as_ref() == Some(&row.principal.id))
            && (reach.role.is_none() || role.as_ref() == Some(&row.role.id))
    };
    let rows = |(found, place): &(Vec<Membership>, Resource)| {
        found.iter().map(|membership| row(membership, place)).filter(fits).collect()
    };
    let found = all.found.iter().map(|(place, one)| (place.clone(), rows(one))).collect();
    let partly = reach.resource.is_none().then(|| {
        Failure::new(
            Kind::NotListable,
            "only environments that the credential's user belongs to \
                     are listed",
        )
    });
    let problem = both(all.problem, partly);
    Ok(Listing::of_entries(found, &reach.from, reach.limit, all.next, problem))
}

/// Whose access is asked for: a member of the organization, or of one of these places alone; none
/// where they may be one of a place that comes later or, as the list goes on, came before.
fn somebody(
    reader: &VendorReader<'_>,
    wanted: NameOrId<'_>,
    members: &[Membership],
    read: &Entries<(Vec<Membership>, Resource)>,
    goes_on: bool,
) -> Result<Option<String>, Failure> {
    let there = read.found.iter().flat_map(|(_, (found, _))| found);
    let everybody: Vec<_> = members.iter().chain(there).cloned().collect();
    let failure = match super::member(reader, wanted, &everybody) {
        Ok(member) => return Ok(Some(member.id)),
        Err(failure) => failure.renamed("principal"),
    };
    match &read.problem {
        _ if failure.kind != Kind::Invalid => Err(failure),
        // Where not all could be read, nobody can be said to be missing.
        Some(problem) => Err(problem.clone()),
        None if goes_on || read.next.0.is_some() => Ok(None),
        None => Err(failure),
    }
}

fn row(membership: &Membership, place: &Resource) -> Access {
    Access::of(
        membership.user.principal().named(),
        membership.role.named(),
        place.named(),
        place.kind,
    )
}

/// The id of the role of this id or name, where somebody holds it.
fn role(wanted: &str, held: &[Listed]) -> Result<Option<String>, Failure> {
    match pick_listed(NameOrId::named(wanted), held) {
        Ok(role) => Ok(Some(role.id)),
        Err(failure) if failure.kind == Kind::Invalid => Ok(None),
        Err(failure) => Err(failure),
    }
}
