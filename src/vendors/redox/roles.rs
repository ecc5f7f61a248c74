//! Redox lists no roles: known are those that somebody holds, those of `[redox.roles]`, and those of
//! the change that is looked at again.

use serde::Deserialize;

use super::{
    ENVIRONMENTS_READ, Listed, Membership, ORGANIZATION, environment_members, environments, members,
};
use crate::access::{Resource, Role};
use crate::failure::{Failure, Kind};
use crate::vendors::{Find, Listing, NameOrId, VendorReader, fan_out, pick};

pub(super) const TABLE: &str = "roles";

/// A role of `[redox.roles]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Configured {
    id: String,
    #[serde(default)]
    scope: Scope,
}

/// What a role is of.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scope {
    #[default]
    Organization,
    Environment,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Environment => "environment",
        }
    }
}

pub(super) async fn list(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Role>, Failure> {
    // Held roles first: their names are the vendor's, and tell which ones manage others.
    let mut known = Vec::new();
    let organization = reader.tenant.settings.get(ORGANIZATION);
    if let Some(organization) = organization {
        let held = members(reader, organization).await?;
        known.extend(held_roles(&held).map(|role| (role, Scope::Organization)));
    }
    for scope in [Scope::Organization, Scope::Environment] {
        known.extend(configured_roles(reader, scope).into_iter().map(|role| (role, scope)));
    }
    let mut rows: Vec<Role> = Vec::new();
    for (role, scope) in known {
        let name = role.name.clone().unwrap_or_default();
        if find.fits(&[&name]) && !rows.iter().any(|row| row.id == role.id) {
            let privileged = scope == Scope::Organization && role.rank().privilege().is_some();
            rows.push(Role { privileged, ..as_role(role) });
        }
    }
    let name = "name other roles under [redox.roles] in the configuration file";
    let problem = Failure::new(
        Kind::NotListable,
        "Redox lists no roles: shown are those that \
                               members of the organization hold and those in [redox.roles]",
    )
    .hint(match organization {
        Some(_) => name.to_owned(),
        None => format!("set {ORGANIZATION}, and {name}"),
    });
    Ok(Listing::part(rows, &find.from, find.limit, Some(problem)))
}

/// The organization role with this id or exact name, among those held and configured.
///
/// # Errors
/// None or several match.
pub fn for_organization(
    reader: &VendorReader<'_>,
    wanted: NameOrId<'_>,
    members: &[Membership],
) -> Result<Listed, Failure> {
    let mut known: Vec<Listed> = held_roles(members).collect();
    known.extend(configured_roles(reader, Scope::Organization));
    known.extend(earlier_roles(reader, Scope::Organization));
    pick_listed(wanted, &known)
}

/// The one of these roles with this id or exact name; each holder may have brought it once more.
///
/// # Errors
/// None or several match.
pub fn pick_listed(wanted: NameOrId<'_>, roles: &[Listed]) -> Result<Listed, Failure> {
    let mut known: Vec<Role> = Vec::new();
    for role in roles {
        if !known.iter().any(|other| other.id == role.id) {
            known.push(as_role(role.clone()));
        }
    }
    let picked = pick("role", wanted, known).map_err(|failure| {
        failure.hint("Redox lists only roles that somebody holds; name others in [redox.roles]")
    })?;
    Ok(Listed { id: picked.id, name: picked.name })
}

/// Environment roles: those held in this environment, those configured, and, where the credential
/// may see them, those held in the others.
///
/// # Errors
/// As any read.
pub async fn for_environment(
    reader: &VendorReader<'_>,
    environment: &str,
    there: &[Membership],
) -> Result<Vec<Listed>, Failure> {
    let mut roles: Vec<Listed> = held_roles(there).collect();
    roles.extend(configured_roles(reader, Scope::Environment));
    roles.extend(earlier_roles(reader, Scope::Environment));
    if let Some(organization) = reader.tenant.settings.get(ORGANIZATION) {
        let mut others = environments(reader, organization).await?;
        others.retain(|place| place.id != environment);
        let read = |place: Resource| async move { environment_members(reader, &place.id).await };
        let found = fan_out::each("environments", others, ENVIRONMENTS_READ, read).await?.found;
        roles.extend(found.iter().flat_map(|members| held_roles(members).collect::<Vec<_>>()));
    }
    Ok(roles)
}

fn held_roles(members: &[Membership]) -> impl Iterator<Item = Listed> {
    members.iter().map(|membership| membership.role.clone())
}

/// Roles that the vendor showed before the change that is looked at again.
fn earlier_roles<'a>(
    reader: &VendorReader<'a>,
    scope: Scope,
) -> impl Iterator<Item = Listed> + use<'a> {
    let shown = reader
        .earlier
        .iter()
        .filter(move |row| row.scope == scope.as_str() && !row.role.id.is_empty());
    shown.map(|row| Membership::of(row).role)
}

fn configured_roles(reader: &VendorReader<'_>, scope: Scope) -> Vec<Listed> {
    let table = reader.tenant.settings.table(TABLE);
    // The table was checked when the file was read.
    let roles = table.and_then(|roles| configured(roles).ok()).unwrap_or_default();
    let fitting = roles.into_iter().filter(|(_, role)| role.scope == scope);
    fitting.map(|(name, role)| Listed { id: role.id, name: Some(name) }).collect()
}

/// The entries of `[redox.roles]` by their names.
pub(super) fn configured(roles: &toml::Table) -> Result<Vec<(String, Configured)>, String> {
    let entry = |(name, role): (&String, &toml::Value)| match role.clone().try_into() {
        Ok(role) => Ok((name.clone(), role)),
        Err(error) => Err(format!("{name}: {}", error.message())),
    };
    roles.iter().map(entry).collect()
}

fn as_role(role: Listed) -> Role {
    let privileged = role.rank().privilege().is_some();
    Role {
        id: role.id,
        name: role.name,
        privileged,
        description: None,
        permissions: vec![],
        ingredients: vec![],
    }
}
