//! Who has access at Dfns: permissions list their assignments, and identities do not.

use super::{Assignment, assignments, everyone, identity, permission, roles};
use crate::access::{Access, Named, Principal, Role};
use crate::failure::Failure;
use crate::vendors::{Asker, Find, Listing, Reach, crowd};

/// Permissions whose assignments one call reads.
const BUDGET: usize = 200;

pub(super) async fn list(ask: &Asker<'_>, reach: Reach) -> Result<Listing<Access>, Failure> {
    if reach.resource.as_deref().is_some_and(|resource| resource != "organization") {
        return Err(Failure::invalid(
            "resource: Dfns permissions count for the whole organization, not for single resources",
        ));
    }
    let principal = match &reach.principal {
        Some(wanted) => Some(identity(ask, wanted).await?),
        None => None,
    };
    let among = match &reach.role {
        Some(wanted) => vec![permission(ask, wanted).await?],
        None => roles(ask, Find::all()).await?.complete()?,
    };
    let people = match &principal {
        Some(only) => vec![only.clone()],
        None => everyone(ask).await?,
    };
    let read = |role: Role| async move { Ok((assignments(ask, &role.id).await?, role)) };
    let crowd = crowd::each("permissions", among, BUDGET, read).await?;
    let mut rows = Vec::new();
    for (assignments, role) in &crowd.found {
        let wanted = assignments.iter().filter(|one| {
            principal.as_ref().is_none_or(|principal| principal.id == one.identity_id)
        });
        rows.extend(wanted.map(|assignment| row(assignment, role, &people)));
    }
    Ok(Listing::part(rows, &reach.from, reach.limit, crowd.problem))
}

fn row(assignment: &Assignment, role: &Role, people: &[Principal]) -> Access {
    let person = people.iter().find(|person| person.id == assignment.identity_id);
    let unknown = || Named { id: assignment.identity_id.clone(), name: None, kind: None };
    Access {
        principal: person.map_or_else(unknown, Principal::named),
        role: role.named(),
        resource: Named::new("organization", None, "organization"),
        scope: "organization".into(),
        within: None,
        expires_at: None,
        pending: assignment.is_pending(),
    }
}
