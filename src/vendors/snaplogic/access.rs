//! Who has access at SnapLogic: a space lists its entries, and nothing else lists anything.

use super::space::{Path, WantedRole, role};
use super::{Caller, Entry, acl, group, is_same_user, memberships, spaces, user};
use crate::access::{Access, Named, Principal, PrincipalKind};
use crate::failure::{Failure, Kind};
use crate::text;
use crate::vendors::{Listing, NameOrId, Reach, VendorReader, fan_out, maybe};

/// Spaces whose entries one call reads.
const BUDGET: usize = 60;

pub(super) async fn list(
    reader: &VendorReader<'_>,
    reach: Reach,
) -> Result<Listing<Access>, Failure> {
    let role = reach.role.as_deref().map(WantedRole::parse).transpose();
    let paths = match &reach.resource {
        Some(path) => vec![Path::parse("resource", path)?.whole()],
        None => spaces(reader).await?.into_iter().map(|space| space.id).collect(),
    };
    let org = paths.first().and_then(|path| path.split('/').nth(1)).unwrap_or_default().to_owned();
    let principal =
        maybe(&reach.principal, "principal", |wanted| either(reader, &org, wanted)).await;
    let (role, principal) = Failure::both(role, principal)?;
    let read = |path: String| async move { Ok((acl(reader, &path).await?, path)) };
    let fan_out = fan_out::each("spaces", paths, BUDGET, read).await?;
    let caller = Caller::of(reader).await;
    let only_caller = fan_out.found.iter().any(|(entries, _)| {
        !caller.sees_others(entries.iter().map(|entry| entry.subject.as_str()))
    });
    let rows = fan_out.found.into_iter().flat_map(|(entries, path)| {
        entries.into_iter().map(|entry| row(entry, &path)).collect::<Vec<_>>()
    });
    let rows = rows.filter(|row| role.as_ref().is_none_or(|wanted| wanted.is(&row.role)));
    let (rows, unread) = match &principal {
        Some(principal) => reachable(reader, &org, principal, rows.collect()).await,
        None => (rows.collect(), None),
    };
    let problem = only_caller.then(|| {
        Failure::new(Kind::NotListable, "SnapLogic may show this credential only its own entries")
    });
    let problem = fan_out.problem.or(unread).or(problem);
    Ok(Listing::part(rows, &reach.from, reach.limit, problem))
}

/// A user, or else a group, of this name.
async fn either(
    reader: &VendorReader<'_>,
    org: &str,
    wanted: NameOrId<'_>,
) -> Result<Principal, Failure> {
    let nobody = match user(reader, org, wanted).await {
        Err(failure) if failure.kind == Kind::Invalid => failure,
        found => return found,
    };
    group(reader, org, wanted).await.map_err(|failure| match failure.kind {
        Kind::Invalid => nobody,
        // Groups that cannot be read may have one of that name.
        _ => failure,
    })
}

/// The principal's own rows, and those of the groups it is a member of; and what of the latter could
/// not be seen.
async fn reachable(
    reader: &VendorReader<'_>,
    org: &str,
    principal: &Principal,
    rows: Vec<Access>,
) -> (Vec<Access>, Option<Failure>) {
    let asked = principal.named();
    let is_group = |row: &&Access| row.principal.kind.as_deref() == Some("group");
    let mut groups: Vec<String> =
        rows.iter().filter(is_group).map(|row| row.principal.id.clone()).collect();
    groups.sort_unstable();
    groups.dedup();
    if principal.kind == PrincipalKind::Group {
        let own = |row: &Access| is_group(&row) && row.principal.id == asked.id;
        return (rows.into_iter().filter(own).collect(), None);
    }
    let known = memberships(reader, org, principal, groups).await;
    let kept = |row: &Access| match is_group(&row) {
        true => known.of.contains(&row.principal.id),
        false => is_same_user(&row.principal.id, &asked.id),
    };
    let rows = rows.into_iter().filter(kept).collect();
    let unread = (!known.unread.is_empty()).then(|| {
        let groups: Vec<_> = known.unread.iter().map(|group| text::quoted(group)).collect();
        let why = known.why.as_ref().map(|why| format!(" ({})", why.message)).unwrap_or_default();
        let message = format!(
            "what {} holds through a group is not seen: who is in {} cannot be read{why}",
            asked.label(),
            groups.join(", ")
        );
        Failure::new(Kind::Incomplete, message).hint("ask for the groups' own access")
    });
    (rows, unread)
}

fn row(entry: Entry, path: &str) -> Access {
    let kind = entry.kind();
    Access::of(
        Named::new(entry.subject, None, kind),
        role(&entry.perms, entry.inherit),
        Named::new(path, None, "project_space"),
        "project_space",
    )
}
