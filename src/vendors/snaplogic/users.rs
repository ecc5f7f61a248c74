//! Who a user is: by their address, or by their exact full name.

use super::{SETTINGS, USER, User, Users, configured_org, pages, read};
use crate::access::Principal;
use crate::failure::{Failure, Kind};
use crate::vendors::people::{Sought, person};
use crate::vendors::{NameOrId, VendorReader, pick};

/// The user with this e-mail address (their user name) or exact full name.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn user(
    reader: &VendorReader<'_>,
    org: &str,
    wanted: NameOrId<'_>,
) -> Result<Principal, Failure> {
    person(reader, wanted, |sought| user_of(reader, org, sought)).await
}

pub(super) async fn person_of(reader: &VendorReader<'_>, name: &str) -> Result<Principal, Failure> {
    user(reader, configured_org(reader)?, NameOrId::named(name)).await
}

pub(super) async fn user_of(
    reader: &VendorReader<'_>,
    org: &str,
    sought: Sought<'_>,
) -> Result<Principal, Failure> {
    let wanted = sought.name();
    let text = wanted.sought();
    if text.contains('@') {
        let found: Option<User> = match read(reader, &USER.ask(&[("email", text)])?).await {
            Err(failure) if failure.kind == Kind::NotFound => None,
            found => Some(found?),
        };
        let picked = pick("grantee", wanted, found.map(User::into_principal).into_iter().collect());
        let is_known = !matches!(&picked, Err(failure) if failure.kind == Kind::Invalid);
        if is_known || matches!(wanted, NameOrId::Id(_)) {
            return picked;
        }
        // The vendor compares letters: the list has who is written in others. Who may not read it is told
        // what is known without.
        return match users(reader, org).await {
            Ok(all) => pick("grantee", wanted, all),
            Err(_) => picked,
        };
    }
    pick("grantee", wanted, users(reader, org).await?)
}

pub(super) async fn users(reader: &VendorReader<'_>, org: &str) -> Result<Vec<Principal>, Failure> {
    let query = SETTINGS.ask(&[])?.with("path", format!("/{org}")).with("order_by", "+username");
    let users = pages(reader, &query, |Users { users }| users).await?;
    Ok(users.into_iter().map(User::into_principal).collect())
}
