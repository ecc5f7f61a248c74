//! User groups: whoever is in one holds what is assigned to it, beside what is their own.

use serde::Deserialize;

use super::identities::shown_to_hold;
use super::{Assignment, list};
use crate::access::{Named, Principal, PrincipalKind};
use crate::draft::Source;
use crate::failure::{Failure, Kind};
use crate::vendors::{ListPosition, Row, VendorReader, fan_out};

pub(super) const GROUPS: Source =
    Source { path: "/auth/user-groups", needs: "Auth:UserGroups:Read", docs: "List User Groups" };
const MEMBERS: Source = Source {
    path: "/auth/user-groups/{groupId}/members",
    needs: "Auth:UserGroups:Members:Read",
    docs: "List User Group Members",
};

/// Groups whose members one call reads.
const BUDGET: usize = 200;

#[derive(Deserialize)]
struct Group {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    user_id: String,
}

/// The user groups that this credential may see, and why there may be others.
pub(super) struct Groups {
    pub all: Vec<Principal>,
    pub unseen: Option<Failure>,
}

/// The groups through which somebody holds something, and why there may be others.
#[derive(Clone, Debug, Default)]
pub struct Through {
    pub groups: Vec<Named>,
    pub unseen: Option<Failure>,
}

/// All user groups. A deployment that knows no list of them has none.
pub(super) async fn groups(reader: &VendorReader<'_>) -> Groups {
    let listed = match GROUPS.ask(&[]) {
        Ok(query) => {
            list(reader, query, ListPosition::default(), usize::MAX, |_: &Group| true).await
        }
        Err(failure) => Err(failure),
    };
    match listed {
        Ok(listing) => Groups {
            unseen: listing.problem,
            all: listing.rows.into_iter().map(Group::into_principal).collect(),
        },
        Err(failure) if failure.kind == Kind::NotFound => Groups { all: Vec::new(), unseen: None },
        Err(failure) => Groups { all: Vec::new(), unseen: Some(failure) },
    }
}

/// The ids of a group's members.
pub(super) async fn members(
    reader: &VendorReader<'_>,
    group: &str,
) -> Result<Vec<String>, Failure> {
    let query = MEMBERS.ask(&[("groupId", group)])?;
    let listing =
        list(reader, query, ListPosition::default(), usize::MAX, |_: &Member| true).await?;
    Ok(listing.complete()?.into_iter().map(|member| member.user_id).collect())
}

/// Which groups somebody is in, of those that hold one of these assignments.
pub async fn through(
    reader: &VendorReader<'_>,
    who: &Named,
    assignments: &[&Assignment],
) -> Through {
    let kind = who.kind.as_deref();
    if [PrincipalKind::Group, PrincipalKind::Token].iter().any(|none| kind == Some(none.as_str())) {
        return Through::default();
    }
    let Groups { all, mut unseen } = groups(reader).await;
    let holds = |group: &Principal| assignments.iter().any(|one| one.identity_id == group.id);
    let holding: Vec<Named> =
        all.iter().filter(|group| holds(group)).map(Principal::named).collect();
    let read = |group: Named| async move { Ok((members(reader, &group.id).await, group)) };
    let mut groups = Vec::new();
    match fan_out::each("groups", holding, BUDGET, read).await {
        Ok(fan_out) => {
            unseen = unseen.or(fan_out.problem);
            for (members, group) in fan_out.found {
                match members {
                    Ok(members) if members.contains(&who.id) => groups.push(group),
                    Ok(_) => {}
                    Err(failure) => unseen = unseen.or(Some(failure)),
                }
            }
        }
        Err(failure) => unseen = unseen.or(Some(failure)),
    }
    if unseen.is_some() {
        // Whether a user's own record shows what groups hold is not documented; where it does, that
        // is seen.
        let shown = shown_to_hold(reader, &who.id).await;
        for one in assignments.iter().filter(|one| shown.contains(&one.id)) {
            let holder = &one.identity_id;
            if *holder != who.id && groups.iter().all(|group| group.id != *holder) {
                let known = all.iter().find(|group| group.id == *holder).map(Principal::named);
                let kind = PrincipalKind::Group.as_str();
                groups.push(known.unwrap_or_else(|| Named::new(holder, None, kind)));
            }
        }
    }
    Through { groups, unseen }
}

impl Through {
    /// What is said where some groups, or who is in them, cannot be read.
    pub fn untold(&self) -> Option<Failure> {
        self.unseen.as_ref().map(untold)
    }
}

/// Access through groups is access, so that not seeing it is said.
fn untold(why: &Failure) -> Failure {
    let message = format!("access held through user groups is not seen: {}", why.message);
    Failure::new(Kind::Incomplete, message).hint(why.hint.as_deref().unwrap_or("try again"))
}

impl Row for Group {
    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

impl Row for Member {
    fn key(&self) -> Option<String> {
        Some(self.user_id.clone())
    }
}

impl Group {
    fn into_principal(self) -> Principal {
        let Self { id, name } = self;
        Principal { kind: PrincipalKind::Group, id, name, email: None, active: None }
    }
}
