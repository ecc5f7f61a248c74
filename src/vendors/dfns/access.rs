//! Who has access at Dfns: permissions list their assignments, and identities do not.

use super::groups::{Groups, Through};
use super::{
    Assignment, Identity, Permission, assignments, everyone, identity, permission, permissions,
    through, together,
};
use crate::access::{Access, Named, Principal, Role};
use crate::failure::{Failure, Kind};
use crate::vendors::{Listing, Reach, VendorReader, fan_out, maybe, maybe_whom};

/// Permissions whose assignments are read at a time.
const BUDGET: usize = 200;

pub(super) async fn list(
    reader: &VendorReader<'_>,
    reach: Reach,
) -> Result<Listing<Access>, Failure> {
    let resource = match reach.resource.as_deref() {
        None | Some("organization") => Ok(()),
        Some(_) => Err(Failure::invalid(
            "Dfns permissions count for the whole organization, not for single resources",
        )
        .of("resource")),
    };
    let principal = maybe_whom(&reach.principal, |wanted| identity(reader, wanted)).await;
    let role = maybe(&reach.role, "role", |wanted| permission(reader, wanted)).await;
    let ((principal, role), ()) = Failure::both(Failure::both(principal, role), resource)?;
    let (principal, doubt) = match principal {
        Some(Identity { who, doubt }) => (Some(who), doubt),
        None => (None, None),
    };
    let among = match role {
        Some(role) => vec![role],
        None => permissions(reader).await?,
    };
    let among = among.into_iter().map(Permission::into_role).collect();
    let among = Listing::entries(among, &reach.from, BUDGET, |role: &Role| &role.id);
    let Groups { all: people, unseen } = match &principal {
        Some(only) => Groups { all: vec![only.clone()], unseen: None },
        None => everyone(reader).await?,
    };
    let read = |role: Role| async move { Ok((assignments(reader, &role.id).await?, role)) };
    let read = fan_out::entries("permissions", among, read).await?;
    let found: Vec<_> = read
        .found
        .iter()
        .flat_map(|(_, (all, role))| all.iter().map(move |one| (one, role)))
        .collect();
    let held = match &principal {
        Some(principal) => {
            let assignments: Vec<_> = found.iter().map(|(one, _)| *one).collect();
            through(reader, &principal.named(), &assignments).await
        }
        // An id that nobody answers to may be a group's.
        None => {
            Through { unseen: unseen.filter(|_| is_strange(&found, &people)), ..Through::default() }
        }
    };
    let shown = |one: &Assignment, role: &Role| match &principal {
        Some(principal) => theirs(one, role, principal, &held),
        None => Some((row(one, role, &people), one.is_leaving())),
    };
    let rows = |(all, role): &(Vec<Assignment>, Role)| {
        all.iter().filter_map(|one| shown(one, role)).collect::<Vec<_>>()
    };
    let entries = read.found.iter().map(|(place, one)| (place.clone(), rows(one))).collect();
    let listing = Listing::of_entries(entries, &reach.from, reach.limit, read.next, None);
    let leaving = listing.rows.iter().filter(|(_, leaving)| *leaving).map(|(row, _)| row);
    let leaving = leaves(&leaving.collect::<Vec<_>>());
    let doubt = doubt.map(|doubt| Failure::new(Kind::Incomplete, doubt));
    let problem = together([read.problem, held.untold(), leaving, doubt]);
    Ok(Listing { problem, ..listing.map(|(row, _)| row) })
}

/// Whether somebody holds something who is not among those that can be named.
fn is_strange(found: &[(&Assignment, &Role)], people: &[Principal]) -> bool {
    found.iter().any(|(one, _)| people.iter().all(|known| known.id != one.identity_id))
}

/// An assignment as somebody's: their own, or that of a group they are in.
fn theirs(
    one: &Assignment,
    role: &Role,
    principal: &Principal,
    held: &Through,
) -> Option<(Access, bool)> {
    let via = held.groups.iter().find(|group| group.id == one.identity_id);
    if one.identity_id != principal.id && via.is_none() {
        return None;
    }
    let own = row(one, role, &[]);
    Some((Access { principal: principal.named(), via: via.cloned(), ..own }, one.is_leaving()))
}

/// A row cannot say that it is on its way out: it is access until an approver agrees.
fn leaves(rows: &[&Access]) -> Option<Failure> {
    let one = |row: &&Access| format!("{} of {}", row.role.said(), row.principal.label());
    let rows = rows.iter().map(one).collect::<Vec<_>>().join(", ");
    (!rows.is_empty()).then(|| {
        let why = format!("the removal waits for approval, and until then there is access: {rows}");
        Failure::new(Kind::NotListable, why).hint("an approver decides it in Dfns")
    })
}

fn row(assignment: &Assignment, role: &Role, people: &[Principal]) -> Access {
    let person = people.iter().find(|person| person.id == assignment.identity_id);
    let unknown =
        || Named { id: assignment.identity_id.clone(), name: None, kind: None, email: None };
    Access {
        id: Some(assignment.id.clone()),
        pending: assignment.is_pending(),
        ..row_of(role, person.map_or_else(unknown, Principal::named))
    }
}

/// A permission of an identity, as a row: permissions count for the whole organization.
pub fn row_of(role: &Role, principal: Named) -> Access {
    let organization = Named::new("organization", None, "organization");
    Access::of(principal, role.named(), organization, "organization")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assignment(id: &str, of: &str, request: Option<&str>) -> Assignment {
        let request =
            request.map(|kind| json!({ "id": "cr-1", "operationKind": kind, "status": "Pending" }));
        serde_json::from_value(json!({
            "id": id, "permissionId": "pm-1", "identityId": of, "pendingChangeRequest": request }))
        .unwrap()
    }

    fn role() -> Role {
        let permission = json!({ "id": "pm-1", "name": "Viewer", "operations": ["Wallets:Read"] });
        serde_json::from_value::<Permission>(permission).unwrap().into_role()
    }

    /// An assignment is somebody's own, that of a group they are in, or none of theirs.
    #[test]
    fn what_a_group_holds_is_its_members_through_it() {
        let sam = Principal::user("us-1", Some("Sam".to_owned()), None);
        let group = Named::new("gr-1", Some("Treasury".to_owned()), "group");
        let held = Through { groups: vec![group.clone()], unseen: None };
        for (of, request, row) in [
            ("us-1", None, Some((None, false, false))),
            ("gr-1", None, Some((Some("gr-1"), false, false))),
            ("gr-2", None, None),
            ("us-2", None, None),
            ("us-1", Some("Create"), Some((None, true, false))),
            ("us-1", Some("Delete"), Some((None, false, true))),
        ] {
            let found = theirs(&assignment("as-1", of, request), &role(), &sam, &held);
            let found = found.map(|(row, leaving)| {
                assert_eq!(row.principal.id, "us-1", "the row is theirs, whoever holds it");
                (row.via.map(|via| via.id), row.pending, leaving)
            });
            let wanted =
                row.map(|(via, pending, leaving)| (via.map(str::to_owned), pending, leaving));
            assert_eq!(found, wanted, "{of} {request:?}");
        }
    }

    #[test]
    fn whoever_cannot_be_named_may_be_a_group() {
        let people = [Principal::user("us-1", None, None)];
        let (role, own, strange) =
            (role(), assignment("as-1", "us-1", None), assignment("as-2", "gr-1", None));
        for (found, is) in [
            (vec![(&own, &role)], false),
            (vec![(&own, &role), (&strange, &role)], true),
            (vec![], false),
        ] {
            assert_eq!(is_strange(&found, &people), is);
        }
        let rows: Vec<_> =
            [&own, &strange].into_iter().map(|one| row(one, &role, &people)).collect();
        assert_eq!(rows[0].principal.kind.as_deref(), Some("user"));
        assert_eq!(rows[1].principal.kind, None);
        let told = leaves(&rows.iter().collect::<Vec<_>>()).unwrap().message;
        assert!(told.ends_with("there is access: “Viewer” of us-1, “Viewer” of gr-1"), "{told}");
        assert!(leaves(&[]).is_none());
    }
}
