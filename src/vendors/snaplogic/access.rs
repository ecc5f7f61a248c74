//! Who has access at SnapLogic: a space lists its entries, and nothing else lists anything.

use super::space::{Path, WantedRole, role};
use super::users::user_of;
use super::{Caller, Entry, Memberships, acl, group, is_same_user, memberships, spaces};
use crate::access::{Access, Named, Principal, PrincipalKind};
use crate::failure::{Failure, Kind};
use crate::text;
use crate::vendors::fan_out::{self, Entries};
use crate::vendors::listing::both;
use crate::vendors::people::{Sought, person};
use crate::vendors::{Listing, NameOrId, Reach, VendorReader, Whom, maybe_whom};

/// Spaces whose entries are read at a time.
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
    let principal = maybe_whom(&reach.principal, |wanted| {
        principal(reader, &org, wanted, reach.principal.as_ref())
    })
    .await;
    let (role, principal) = Failure::both(role, principal)?;
    let paths = Listing::entries(paths, &reach.from, BUDGET, |path: &String| path);
    let read = |path: String| async move { Ok((acl(reader, &path).await?, path)) };
    let Entries { found, next, problem: missing } = fan_out::entries("spaces", paths, read).await?;
    let caller = Caller::of(reader).await;
    let only_caller = found.iter().any(|(_, (entries, _))| {
        !caller.sees_others(entries.iter().map(|entry| entry.subject.as_str()))
    });
    let rows = |(entries, path): (Vec<Entry>, String)| {
        let rows = entries.into_iter().map(|entry| row(entry, &path));
        rows.filter(|row| role.as_ref().is_none_or(|wanted| wanted.is(&row.role))).collect()
    };
    let mut found: Vec<(_, Vec<_>)> =
        found.into_iter().map(|(place, one)| (place, rows(one))).collect();
    let mut unread = None;
    if let Some(principal) = &principal {
        let holders = found.iter().flat_map(|(_, rows)| rows);
        let reached = Reached::by(reader, &org, principal, holders).await;
        for (_, rows) in &mut found {
            *rows =
                std::mem::take(rows).into_iter().filter_map(|row| reached.theirs(row)).collect();
        }
        unread = reached.unread();
    }
    let problem = only_caller.then(|| {
        Failure::new(Kind::NotListable, "SnapLogic may show this credential only its own entries")
    });
    let problem = both(both(missing, unread), problem);
    Ok(Listing::of_entries(found, &reach.from, reach.limit, next, problem))
}

/// A user, or else a group, of this name.
async fn principal(
    reader: &VendorReader<'_>,
    org: &str,
    wanted: NameOrId<'_>,
    whom: Option<&Whom>,
) -> Result<Principal, Failure> {
    let may_be = |kind| whom.is_none_or(|whom| whom.may_be(kind));
    if !may_be(PrincipalKind::User) {
        return group(reader, org, wanted).await;
    }
    let groups_too = may_be(PrincipalKind::Group);
    person(reader, wanted, |sought| either(reader, org, sought, groups_too)).await
}

async fn either(
    reader: &VendorReader<'_>,
    org: &str,
    sought: Sought<'_>,
    groups_too: bool,
) -> Result<Principal, Failure> {
    let wanted = sought.name();
    let groups_too = groups_too && !sought.is_alias();
    let nobody = match user_of(reader, org, sought).await {
        Err(failure) if failure.kind == Kind::Invalid && groups_too => failure,
        found => return found,
    };
    group(reader, org, wanted).await.map_err(|failure| match failure.kind {
        Kind::Invalid => nobody,
        // Groups that cannot be read may have one of that name.
        _ => failure,
    })
}

/// What reaches a principal: their own entries, and those of the groups they are a member of.
struct Reached {
    principal: Principal,
    known: Memberships,
}

impl Reached {
    async fn by(
        reader: &VendorReader<'_>,
        org: &str,
        principal: &Principal,
        rows: impl Iterator<Item = &Access>,
    ) -> Self {
        let principal = principal.clone();
        if principal.kind == PrincipalKind::Group {
            return Self { principal, known: Memberships::default() };
        }
        let mut groups: Vec<String> =
            rows.filter(|row| is_group(row)).map(|row| row.principal.id.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        let known = memberships(reader, org, &principal, groups).await;
        Self { principal, known }
    }

    /// A row as theirs: their own, or that of a group through which they hold it.
    fn theirs(&self, row: Access) -> Option<Access> {
        let (holder, asked) = (&row.principal.id, &self.principal.id);
        let principal = self.principal.named();
        match (is_group(&row), self.principal.kind == PrincipalKind::Group) {
            (true, true) => (holder == asked).then_some(row),
            (true, false) => self.known.of.contains(holder).then(|| {
                let via = Some(row.principal.clone());
                Access { principal, via, ..row }
            }),
            (false, true) => None,
            (false, false) => is_same_user(holder, asked).then_some(Access { principal, ..row }),
        }
    }

    /// What could not be seen of it.
    fn unread(&self) -> Option<Failure> {
        let Memberships { unread, why, .. } = &self.known;
        (!unread.is_empty()).then(|| {
            let groups: Vec<_> = unread.iter().map(|group| text::quoted(group)).collect();
            let why = why.as_ref().map(|why| format!(" ({})", why.message)).unwrap_or_default();
            let message = format!(
                "what {} holds through a group is not seen: who is in {} cannot be read{why}",
                self.principal.named().label(),
                groups.join(", ")
            );
            Failure::new(Kind::Incomplete, message).hint("ask for the groups' own access")
        })
    }
}

fn is_group(row: &Access) -> bool {
    row.principal.kind.as_deref() == Some("group")
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
