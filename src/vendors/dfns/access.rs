//! Who has access at Dfns: permissions list their assignments, and identities do not.

use super::{Assignment, Permission, assignments, everyone, identity, permission, permissions};
use crate::access::{Access, Named, Principal, Role};
use crate::failure::{Failure, Kind};
use crate::vendors::{Asker, Listing, Reach, Wanted, crowd};

/// Permissions whose assignments one call reads.
const BUDGET: usize = 200;

pub(super) async fn list(ask: &Asker<'_>, reach: Reach) -> Result<Listing<Access>, Failure> {
    if reach.resource.as_deref().is_some_and(|resource| resource != "organization") {
        return Err(Failure::invalid(
            "resource: Dfns permissions count for the whole organization, not for single resources",
        ));
    }
    let principal = match &reach.principal {
        Some(wanted) => Some(identity(ask, Wanted::Named(wanted)).await?),
        None => None,
    };
    let among = match &reach.role {
        Some(wanted) => vec![permission(ask, Wanted::Named(wanted)).await?],
        None => permissions(ask).await?,
    };
    let among = among.into_iter().map(Permission::into_role).collect();
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
        rows.extend(wanted.map(|one| (row(one, role, &people), one.is_leaving())));
    }
    let listing = Listing::part(rows, &reach.from, reach.limit, None);
    let leaving = listing.rows.iter().filter(|(_, leaving)| *leaving).map(|(row, _)| row);
    let problem = both(crowd.problem, leaves(&leaving.collect::<Vec<_>>()));
    Ok(Listing { problem, ..listing.map(|(row, _)| row) })
}

/// A row cannot say that it is on its way out: it is access until an approver agrees.
fn leaves(rows: &[&Access]) -> Option<Failure> {
    let one = |row: &&Access| format!("{} of {}", row.role.said(), row.principal.said());
    let rows = rows.iter().map(one).collect::<Vec<_>>().join(", ");
    (!rows.is_empty()).then(|| {
        let why = format!("the removal waits for approval, and until then there is access: {rows}");
        Failure::new(Kind::NotListable, why).hint("an approver decides it in Dfns")
    })
}

/// One line for both: what is missing first.
fn both(missing: Option<Failure>, leaving: Option<Failure>) -> Option<Failure> {
    match (missing, leaving) {
        (Some(mut missing), Some(leaving)) => {
            missing.message = format!("{}; {}", missing.message, leaving.message);
            Some(missing)
        }
        (missing, leaving) => missing.or(leaving),
    }
}

fn row(assignment: &Assignment, role: &Role, people: &[Principal]) -> Access {
    let person = people.iter().find(|person| person.id == assignment.identity_id);
    let unknown = || Named { id: assignment.identity_id.clone(), name: None, kind: None };
    Access {
        id: Some(assignment.id.clone()),
        principal: person.map_or_else(unknown, Principal::named),
        role: role.named(),
        resource: Named::new("organization", None, "organization"),
        scope: "organization".into(),
        within: None,
        starts_at: None,
        expires_at: None,
        pending: assignment.is_pending(),
    }
}
