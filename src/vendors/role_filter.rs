//! Access by what its role is: one that contains a permission, one that is privileged.

use futures_util::future::BoxFuture;

use super::listing::both;
use super::{Find, Listing, Reach, Vendor, VendorReader};
use crate::access::{Access, Role};
use crate::failure::{Failure, Kind};
use crate::text;

/// Which roles are looked for, by what they contain.
#[derive(Clone, Debug, Default)]
pub struct RoleFilter {
    /// A permission that the role contains, as the vendor names it, letter case aside.
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
        if filter.is_any() {
            return (vendor.access)(reader, reach).await;
        }
        let Listing { rows: roles, problem, .. } = (vendor.roles)(reader, Find::all()).await?;
        if let Some(untold) = filter.untold(vendor) {
            return Err(untold);
        }
        let mut listing = (vendor.access)(reader, reach).await?;
        listing.retain(|row| filter.fits_row(row, &roles));
        listing.problem = both(listing.problem, problem);
        Ok(listing)
    })
}

impl RoleFilter {
    fn is_any(&self) -> bool {
        self.permission.is_none() && self.privileged.is_none()
    }

    /// Why a permission cannot be looked for, where a vendor says of no role what it contains.
    pub fn untold(&self, vendor: &Vendor) -> Option<Failure> {
        self.permission.as_ref().filter(|_| !vendor.tells_permissions)?;
        let message = format!("{} does not say which permissions a role contains", vendor.title);
        Some(Failure::new(Kind::NotListable, message).hint("ask by the role's name"))
    }

    /// Whether a role is one of those that are looked for.
    pub fn fits(&self, role: &Role) -> bool {
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
