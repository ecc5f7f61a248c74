//! Who has access at Redox: the organization's members, and each environment's.

use super::roles::pick_listed;
use super::{
    ENVIRONMENTS_READ, Listed, Membership, configured_organization, environment_members,
    environments, members,
};
use crate::access::{Access, Resource};
use crate::failure::{Failure, Kind};
use crate::vendors::fan_out::{self, FannedOut};
use crate::vendors::{Listing, NameOrId, Reach, VendorReader, pick};

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
    let fan_out = fan_out::each("environments", places, ENVIRONMENTS_READ, read).await?;
    let held = || fan_out.found.iter().flat_map(|(found, _)| found).map(|one| one.role.clone());
    let role = match &reach.role {
        Some(wanted) => role(wanted, &held().collect::<Vec<_>>()),
        None => Ok(None),
    };
    let principal = match &reach.principal {
        Some(wanted) => somebody(wanted, &members, &fan_out).map(Some),
        None => Ok(None),
    };
    let ((role, principal), ()) = Failure::both(Failure::both(role, principal), place)?;
    let rows = fan_out.found.iter().flat_map(|(found, place)| {
        found.iter().map(|membership| row(membership, place)).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows
        .filter(|row| principal.as_ref().is_none_or(|id| *id == row.principal.id))
        .filter(|row| reach.role.is_none() || role.as_ref() == Some(&row.role.id))
        .collect();
    let partly = reach.resource.is_none().then(|| {
        Failure::new(
            Kind::NotListable,
            "only environments that the credential's user belongs to \
                     are listed",
        )
    });
    Ok(Listing::part(rows, &reach.from, reach.limit, fan_out.problem.or(partly)))
}

/// Whose access is asked for: a member of the organization, or of one of these places alone.
fn somebody(
    wanted: &str,
    members: &[Membership],
    read: &FannedOut<(Vec<Membership>, Resource)>,
) -> Result<String, Failure> {
    let there = read.found.iter().flat_map(|(found, _)| found);
    let everybody: Vec<_> = members.iter().chain(there).cloned().collect();
    let found = super::member(NameOrId::named(wanted), &everybody).map(|member| member.id);
    found.map_err(|failure| failure.renamed("principal")).map_err(|failure| {
        match &read.problem {
            // Where not all could be read, nobody can be said to be missing.
            Some(problem) if failure.kind == Kind::Invalid => problem.clone(),
            _ => failure,
        }
    })
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
