//! Access by what its role is: one that contains a permission, one that is privileged.

use futures_util::future::BoxFuture;

use super::listing::both;
use super::pick::{Known, NameOrId, pick};
use super::{Find, ListPosition, Listing, Reach, Vendor, VendorReader};
use crate::access::{Access, Role};
use crate::failure::{Failure, Kind};
use crate::text;

/// Which roles are looked for, by what they contain.
#[derive(Clone, Debug, Default)]
pub struct RoleFilter {
    /// A permission that the role contains, as the vendor names it, letter case aside; without its area
    /// where one alone is called so.
    pub permission: Option<String>,
    pub privileged: Option<bool>,
}

/// The access that [`Reach`] asks for: the vendor's, less what the role filter leaves out.
pub fn access<'a>(
    reader: &'a VendorReader<'a>,
    reach: Reach,
) -> BoxFuture<'a, Result<Listing<Access>, Failure>> {
    Box::pin(async move {
        let (vendor, filter) = (reader.tenant.vendor, reach.roles.clone());
        if filter.is_empty() {
            return (vendor.access)(reader, reach).await;
        }
        let Listing { rows: roles, problem, .. } = (vendor.roles)(reader, Find::all()).await?;
        if let Some(untold) = filter.untold(vendor) {
            return Err(untold);
        }
        let filter = filter.meaning(&roles, problem.is_none())?;
        let mut listing = (vendor.access)(reader, reach).await?;
        listing.retain(|row| filter.fits_row(row, &roles));
        listing.problem = both(listing.problem, problem);
        Ok(listing)
    })
}

/// The page of a list that is in an order of its own, not the vendor's.
const BY_PERMISSIONS: &str = "by how much they contain";

/// The roles of a tenant, less what the filter leaves out. Those that contain a permission are in the order of
/// how much else they contain, the least first, where all can be read.
pub fn roles<'a>(
    reader: &'a VendorReader<'a>,
    (find, filter): (Find, RoleFilter),
) -> BoxFuture<'a, Result<Listing<Role>, Failure>> {
    Box::pin(async move {
        let vendor = reader.tenant.vendor;
        if filter.is_empty() {
            return (vendor.roles)(reader, find).await;
        }
        let all = (vendor.roles)(reader, Find::all()).await?;
        if let Some(untold) = filter.untold(vendor) {
            return Err(untold);
        }
        let filter = filter.meaning(&all.rows, all.problem.is_none())?;
        let goes_on = find.from.page.as_deref() == Some(BY_PERMISSIONS);
        let is_whole = all.problem.is_none() && all.waits.is_none() && all.next.is_none();
        let begins = is_whole && find.from == ListPosition::default();
        if filter.permission.is_some() && (goes_on || begins) {
            return match all.waits.or(all.problem) {
                // The place is one in another order than the vendor's: it is good once all can be read.
                Some(trouble) => Err(trouble),
                None => Ok(filter.least_first(all.rows, &find)),
            };
        }
        let mut listing = (vendor.roles)(reader, find).await?;
        listing.retain(|role| filter.fits(role));
        Ok(listing)
    })
}

impl RoleFilter {
    fn is_empty(&self) -> bool {
        self.permission.is_none() && self.privileged.is_none()
    }

    /// Why a permission cannot be looked for, where a vendor says of no role what it contains.
    fn untold(&self, vendor: &Vendor) -> Option<Failure> {
        self.permission.as_ref().filter(|_| !vendor.tells_permissions)?;
        let message = format!("{} does not say which permissions a role contains", vendor.title);
        Some(Failure::new(Kind::NotListable, message).hint("ask by the role's name"))
    }

    /// The same, with the permission as the roles name it. Where all roles are known, one that none of them
    /// contains is no reason to say that nobody has it.
    ///
    /// # Errors
    /// No permission is called so, or several are: those that may have been meant are candidates.
    fn meaning(self, roles: &[Role], are_all: bool) -> Result<Self, Failure> {
        let Some(wanted) = &self.permission else { return Ok(self) };
        let folded = text::folded(wanted.trim());
        let mut all: Vec<&str> =
            roles.iter().flat_map(|role| &role.permissions).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() || all.iter().any(|one| text::folded(one) == folded) {
            return Ok(self);
        }
        let mut called = all.iter().filter(|one| text::folded(without_area(one)) == folded);
        if let (Some(one), None) = (called.next(), called.next()) {
            return Ok(Self { permission: Some((*one).to_owned()), ..self });
        }
        if !are_all {
            return Ok(self);
        }
        let among = all.into_iter().map(Permission).collect();
        let picked =
            pick("permission", NameOrId::named(wanted), among).map_err(|mut failure| {
                // Another vendor's list of all that there is says nothing of this one.
                failure.candidates.retain(|one| text::contains(&text::folded(&one.id), &folded));
                failure.hint("list_roles tells what each role contains")
            })?;
        Ok(Self { permission: Some(picked.0.to_owned()), ..self })
    }

    /// Those of all roles that are looked for, the one that contains least first.
    fn least_first(&self, mut roles: Vec<Role>, find: &Find) -> Listing<Role> {
        roles.retain(|role| {
            find.fits(&[role.name.as_deref().unwrap_or_default()]) && self.fits(role)
        });
        roles.sort_by_key(|role| role.permissions.len());
        let mut listing = Listing::part(roles, &find.from, find.limit, None);
        for place in listing.places.iter_mut().chain(&mut listing.next) {
            place.page = Some(BY_PERMISSIONS.to_owned());
        }
        listing
    }

    /// Whether a role is one of those that are looked for.
    fn fits(&self, role: &Role) -> bool {
        self.privileged.is_none_or(|wanted| wanted == role.privileged)
            && self.permission.as_ref().is_none_or(|wanted| {
                let wanted = text::folded(wanted.trim());
                role.permissions.iter().any(|one| text::folded(one) == wanted)
            })
    }

    /// The same for a row. A role that the vendor does not list shows nothing of what it contains, so it
    /// counts as privileged, and as one that has the permission that is looked for.
    fn fits_row(&self, row: &Access, roles: &[Role]) -> bool {
        match roles.iter().find(|role| is_of(&row.role.id, &role.id)) {
            Some(role) => self.fits(role),
            None => self.privileged != Some(false),
        }
    }
}

/// A permission, as roles contain it.
struct Permission<'a>(&'a str);

impl Known for Permission<'_> {
    fn id(&self) -> &str {
        self.0
    }
    fn name(&self) -> Option<&str> {
        Some(without_area(self.0))
    }
    fn kind(&self) -> &str {
        "permission"
    }
}

/// What a permission is called, where it stands in an area such as `Release management > Deploy assets`.
fn without_area(permission: &str) -> &str {
    permission.rsplit(" > ").next().unwrap_or(permission)
}

/// Whether a row's role is this one: a row may say more, such as on which profiles or how far.
fn is_of(row: &str, role: &str) -> bool {
    let same = row.get(..role.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(role));
    let more = row.get(role.len()..).unwrap_or_default();
    same && (more.is_empty() || more.starts_with([' ', '+']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Named;

    fn role(id: &str, privileged: bool, permissions: &[&str]) -> Role {
        let permissions = permissions.iter().map(|&one| one.to_owned()).collect();
        let (name, description) = (None, None);
        Role {
            id: id.to_owned(),
            name,
            privileged,
            description,
            permissions,
            ingredients: Vec::new(),
        }
    }

    #[test]
    fn a_permission_is_found_without_its_area_and_never_guessed() {
        let roles = [
            role("a", false, &["Assets > Open", "Release > Deploy assets"]),
            role("b", false, &["Assets > Open", "Cases > Open", "Wallets:Read"]),
        ];
        let found = |wanted: &str, roles: &[Role], are_all: bool| {
            let filter = RoleFilter { permission: Some(wanted.to_owned()), privileged: None };
            match filter.meaning(roles, are_all) {
                Ok(filter) => (filter.permission, Vec::new()),
                Err(failure) => {
                    (None, failure.candidates.into_iter().map(|one| one.id).collect::<Vec<_>>())
                }
            }
        };
        let meant = |one: &str| (Some(one.to_owned()), Vec::new());
        let candidates = |all: &[&str]| (None, all.iter().map(|&one| one.to_owned()).collect());
        for (wanted, expected) in [
            ("assets > open", meant("assets > open")),
            (" deploy ASSETS", meant("Release > Deploy assets")),
            ("wallets:read", meant("wallets:read")),
            ("Open", candidates(&["Assets > Open", "Cases > Open"])),
            ("deploy", candidates(&["Release > Deploy assets"])),
        ] {
            assert_eq!(found(wanted, &roles, true), expected, "{wanted}");
        }
        // One that is not listed may contain it.
        assert_eq!(found("deploy", &roles, false), meant("deploy"));
        assert_eq!(found("deploy", &[], true), meant("deploy"), "nothing is known of any");
    }

    #[test]
    fn a_row_is_judged_by_the_role_that_it_names() {
        let roles = [role("admin", true, &["Users:Manage"]), role("view", false, &["Users:Read"])];
        let row = |id: &str| {
            let named = |id: &str| Named::new(id, None, "user");
            Access::of(named("u"), named(id), named("r"), "organization")
        };
        for (permission, privileged, id, fits) in [
            (None, Some(true), "admin", true),
            (None, Some(false), "admin", false),
            (None, Some(true), "view", false),
            (None, Some(false), "view", true),
            (Some("users:read "), None, "view", true),
            (Some("users:read"), None, "admin", false),
            (Some("users:read"), Some(true), "view", false),
            (None, Some(true), "view + inherit", false),
            (None, Some(true), "viewer", true),
            (None, Some(false), "VIEW", true),
            (None, Some(false), "gone", false),
            (Some("users:read"), None, "gone", true),
        ] {
            let filter = RoleFilter { permission: permission.map(str::to_owned), privileged };
            assert_eq!(
                filter.fits_row(&row(id), &roles),
                fits,
                "{permission:?} {privileged:?} {id}"
            );
        }
    }
}
