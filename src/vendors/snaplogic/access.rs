//! Who has access at SnapLogic: a space lists its entries, and nothing else lists anything.

use super::space::{Path, role};
use super::{Caller, Entry, acl, group, group_members, is_same_user, spaces, user};
use crate::access::{Access, Named, Principal, PrincipalKind};
use crate::failure::{Failure, Kind};
use crate::vendors::{Asker, Listing, Reach, Wanted, crowd};

/// Spaces whose entries one call reads.
const BUDGET: usize = 60;
/// Groups whose members one call reads.
const GROUPS: usize = 30;

pub(super) async fn list(ask: &Asker<'_>, reach: Reach) -> Result<Listing<Access>, Failure> {
    let paths = match &reach.resource {
        Some(path) => vec![Path::parse("resource", path)?.whole()],
        None => spaces(ask).await?.into_iter().map(|space| space.id).collect(),
    };
    let org = paths.first().and_then(|path| path.split('/').nth(1)).unwrap_or_default().to_owned();
    let principal = match &reach.principal {
        Some(wanted) => Some(either(ask, &org, wanted).await?),
        None => None,
    };
    let read = |path: String| async move { Ok((acl(ask, &path).await?, path)) };
    let crowd = crowd::each("spaces", paths, BUDGET, read).await?;
    let caller = Caller::of(ask).await;
    let only_caller = crowd.found.iter().any(|(entries, _)| {
        !caller.sees_others(entries.iter().map(|entry| entry.subject.as_str()))
    });
    let rows = crowd.found.into_iter().flat_map(|(entries, path)| {
        entries.into_iter().map(|entry| row(entry, &path)).collect::<Vec<_>>()
    });
    let rows = rows.filter(|row| {
        reach.role.as_ref().is_none_or(|wanted| {
            row.role.id == *wanted
                || row.role.name.as_ref().is_some_and(|name| name.starts_with(wanted))
        })
    });
    let rows = match &principal {
        Some(principal) => reachable(ask, &org, principal, rows.collect()).await?,
        None => rows.collect(),
    };
    let problem = only_caller.then(|| {
        Failure::new(Kind::NotListable, "SnapLogic may show this credential only its own entries")
    });
    Ok(Listing::part(rows, &reach.from, reach.limit, crowd.problem.or(problem)))
}

/// A user, or else a group, of this name.
async fn either(ask: &Asker<'_>, org: &str, wanted: &str) -> Result<Principal, Failure> {
    let wanted = Wanted::Named(wanted);
    match user(ask, org, wanted).await {
        Err(failure) if failure.kind == Kind::Invalid => {
            group(ask, org, wanted).await.map_err(|_| failure)
        }
        found => found,
    }
}

/// The principal's own rows, and those of the groups it is a member of.
async fn reachable(
    ask: &Asker<'_>,
    org: &str,
    principal: &Principal,
    rows: Vec<Access>,
) -> Result<Vec<Access>, Failure> {
    let is_group = |row: &&Access| row.principal.kind.as_deref() == Some("group");
    let mut groups: Vec<String> =
        rows.iter().filter(is_group).map(|row| row.principal.id.clone()).collect();
    groups.sort_unstable();
    groups.dedup();
    if principal.kind == PrincipalKind::Group {
        groups.clear();
    }
    let read = |group: String| async move {
        let members = group_members(ask, org, &group).await?;
        let is_member = members.iter().any(|member| is_same_user(member, &principal.id));
        Ok(is_member.then_some(group))
    };
    let crowd = crowd::each("groups", groups, GROUPS, read).await?;
    let own: Vec<String> = crowd.found.into_iter().flatten().collect();
    let asked = principal.kind == PrincipalKind::Group;
    let kept = |row: &Access| {
        if is_group(&row) {
            own.contains(&row.principal.id) || asked && row.principal.id == principal.id
        } else {
            !asked && is_same_user(&row.principal.id, &principal.id)
        }
    };
    Ok(rows.into_iter().filter(kept).collect())
}

fn row(entry: Entry, path: &str) -> Access {
    let kind = entry.kind();
    Access {
        id: None,
        principal: Named::new(entry.subject, None, kind),
        role: role(&entry.perms, entry.inherit),
        resource: Named::new(path, None, "project_space"),
        scope: "project_space".into(),
        within: None,
        starts_at: None,
        expires_at: None,
        pending: false,
    }
}
