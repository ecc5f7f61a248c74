use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::asset_table::{self, AssetTable, WantedEntry, is_called, wanted};
use super::{Change, Effect, Gives, Holds, Inverse, IsOwn, Spec, Step, Takes};
use crate::access::{Access, Named, PrincipalKind};
use crate::argument::Name;
use crate::failure::Failure;
use crate::json::put;
use crate::ledger::Record;
use crate::text::{self, Word};
use crate::vendors::VendorReader;
use crate::vendors::centrasite::{self, Holding, Level, Profile};

/// Set permissions of users and groups on a CentraSite asset. Combining never lowers a permission:
/// that takes removeExistingPermission and the whole list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SetAssetPermissions {
    /// The asset: id or exact name.
    asset: Name,
    /// What each is to hold.
    #[schemars(length(min = 1, max = 100))]
    user_group_asset_permission: Vec<Entry>,
    /// Replace all present settings instead of combining.
    remove_existing_permission: Option<bool>,
    /// Pass them on to dependent objects.
    propagate_permissions_to_dependent_objects: Option<bool>,
    /// Pass profile permissions on to dependents of the same type.
    propagate_profile_permissions: Option<bool>,
}

/// One user or one group, and what it is to hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(inline)]
struct Entry {
    /// A user: id or exact name; or else a group.
    user: Option<Name>,
    /// A group: id or exact name.
    group: Option<Name>,
    /// Each includes those before it.
    permission: AssetLevel,
    /// Permissions on single profiles.
    profile_permissions: Option<Vec<ProfileEntry>>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct ProfileEntry {
    /// Its name.
    name: Name,
    /// What is held.
    permission: ProfileLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
enum AssetLevel {
    View,
    Modify,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
enum ProfileLevel {
    View,
    Modify,
}

const MOST_PROFILES: usize = 100;
const MOST_ENTRIES: usize = 100;

impl Change for SetAssetPermissions {
    const SPEC: Spec = Spec {
        name: "set_asset_permissions",
        title: "Set CentraSite asset permissions",
        effect: Effect::Grant,
        vendor: Some(centrasite::NAME),
        needs: "Full on the asset, or a role with Manage Assets",
        docs: "policy action Set Instance and Profile Permissions; the bridge contract",
        example: r#"{"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Modify"}]}"#,
    };

    const HOLDS: Holds = Holds::List;

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        let entries = given.get("userGroupAssetPermission").and_then(Value::as_array);
        let wrong = |(index, entry): (usize, &Value)| {
            let Some(entry) = entry.as_object() else { return Vec::new() };
            let same = entry.contains_key("user") == entry.contains_key("group");
            let profiles = entry.get("profilePermissions").and_then(Value::as_array);
            let many = profiles.is_some_and(|profiles| profiles.len() > MOST_PROFILES);
            let many = many.then(|| {
                Failure::invalid(format!("may hold at most {MOST_PROFILES} entries"))
                    .of(&format!("userGroupAssetPermission[{index}].profilePermissions"))
            });
            same.then(|| neither(index)).into_iter().chain(many).collect()
        };
        entries.into_iter().flatten().enumerate().flat_map(wrong).collect()
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let asset = centrasite::asset(reader, reader.reference(self.asset.as_str())).await;
        let mut resolved = Vec::new();
        for (index, entry) in self.user_group_asset_permission.into_iter().enumerate() {
            resolved.push(entry.resolve(reader, index).await);
        }
        let (asset, resolved) = Failure::both(asset, Failure::every(resolved))?;
        let mut entries: Vec<WantedEntry> = Vec::new();
        for resolved in resolved {
            // A user and a group may have one id.
            let (id, kind) = (&resolved.principal.id, resolved.principal.kind);
            let twice =
                |other: &WantedEntry| other.principal.id == *id && other.principal.kind == kind;
            if entries.iter().any(twice) {
                let twice = format!("names {} twice", resolved.principal.named().label());
                return Err(Failure::invalid(twice).of("userGroupAssetPermission"));
            }
            entries.push(resolved);
        }
        // They are a set: whoever names the same in another order asks for the same.
        entries.sort_by_key(|entry| (entry.principal.kind.as_str(), entry.principal.id.clone()));
        let mut table = AssetTable {
            wanted: wanted(&asset, &entries),
            asset,
            entries,
            losing: Vec::new(),
            username: reader.tenant.settings.get(centrasite::USERNAME).map(str::to_owned),
            replace: self.remove_existing_permission.unwrap_or(false),
            propagate: self.propagate_permissions_to_dependent_objects.unwrap_or(false),
            propagate_profiles: self.propagate_profile_permissions.unwrap_or(false),
        };
        table.look_ahead(reader).await?;
        Ok(vec![Box::new(table)])
    }

    /// What others hold on the asset by now is left to them.
    async fn rebase(
        earlier: &mut Record,
        is_own: &IsOwn<'_>,
        reader: &VendorReader<'_>,
    ) -> Result<(), Failure> {
        let wanted = earlier.wanted();
        let now = centrasite::permissions(reader, &wanted.resource.id).await?;
        let rows = now.permissions.iter().map(|held| asset_table::row(held, &wanted));
        let others: Vec<_> = rows.filter(|row| !is_own(row)).collect();
        let Record { before, end, .. } = earlier;
        for rows in [Some(before), end.as_mut().map(|end| &mut end.after)].into_iter().flatten() {
            rows.retain(|row| is_own(row));
            rows.extend(others.iter().cloned());
        }
        Ok(())
    }

    /// Combined with what they hold: the higher of each counts.
    fn gives(row: &Access, to: &Named, there: &[Access]) -> Option<Gives> {
        let wanted = Holding::parse(&row.role.id);
        if there.iter().any(|own| Holding::parse(&own.role.id).covers(&wanted)) {
            return Some(Gives::Already);
        }
        let given = entry(&Access { principal: to.clone(), ..row.clone() });
        Some(Gives::With(json!({
            "asset": row.resource.id,
            "userGroupAssetPermission": [given],
        })))
    }

    /// By a list of all others: nothing else lowers anything.
    fn takes(row: &Access, there: &[Access]) -> Option<Takes> {
        let others = there.iter().filter(|other| !other.principal.is(&row.principal));
        let others: Vec<_> = others.map(entry).collect();
        if others.is_empty() {
            let trouble = "nobody else is on the asset's list, and an empty list cannot be set";
            let hint = "clear the asset's permissions in CentraSite";
            return Some(Err(Failure::refused(trouble).hint(hint)));
        }
        if others.len() > MOST_ENTRIES {
            let trouble = format!("more than {MOST_ENTRIES} others are on the asset's list");
            let hint = "take the entry off the asset's permissions in CentraSite";
            return Some(Err(Failure::refused(trouble).hint(hint)));
        }
        Some(Ok(json!({
            "asset": row.resource.id,
            "userGroupAssetPermission": others,
            "removeExistingPermission": true,
        })))
    }

    /// The table as it was, whole: combining could not lower anything.
    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        if record.before.is_empty() {
            return Err(Failure::refused(
                "nothing else is set on the asset, and an empty list cannot be set",
            )
            .hint("clear the asset's permissions in CentraSite"));
        }
        let arguments = json!({
            "asset": record.wanted().resource.id,
            "userGroupAssetPermission": record.before.iter().map(entry).collect::<Vec<_>>(),
            "removeExistingPermission": true,
        });
        Ok(Inverse { tool: "set_asset_permissions", arguments })
    }

    /// Where it was passed on to, only CentraSite knows, and so what was there before.
    fn stays(record: &Record) -> Option<&'static str> {
        let of = Self::deserialize(&record.arguments).ok()?;
        let objects = of.propagate_permissions_to_dependent_objects == Some(true);
        let profiles = of.propagate_profile_permissions == Some(true);
        (objects || profiles).then_some(
            "what was passed on to dependent objects stays there: look at them in CentraSite",
        )
    }

    /// The policy action's four parameters, as its dialog names them.
    fn by_hand(&self) -> Result<Option<Value>, Failure> {
        let entry = |entry: &Entry| {
            let [user, group] =
                [&entry.user, &entry.group].map(|name| name.as_ref().map(Name::as_str));
            let profiles = entry.profile_permissions.iter().flatten();
            let profiles =
                profiles.map(|p| json!({ "name": p.name.as_str(), "permission": p.permission }));
            let mut shown = json!({ "permission": entry.permission });
            let kind = if user.is_some() { "user" } else { "group" };
            put(&mut shown, kind, user.or(group));
            let profiles: Vec<_> = profiles.collect();
            if !profiles.is_empty() {
                put(&mut shown, "profile permissions", profiles);
            }
            shown
        };
        let entries: Vec<_> = self.user_group_asset_permission.iter().map(entry).collect();
        let flag = |flag: Option<bool>| flag.unwrap_or(false);
        Ok(Some(json!({
            "policy_action": "Set Instance and Profile Permissions",
            "asset": self.asset.as_str(),
            "parameters": {
                "User/Group Asset Permission": entries,
                "Remove existing permission": flag(self.remove_existing_permission),
                "Propagate permissions to dependent objects":
                    flag(self.propagate_permissions_to_dependent_objects),
                "Propagate profile permissions": flag(self.propagate_profile_permissions),
            },
        })))
    }
}

/// A row as an entry of the arguments.
fn entry(row: &Access) -> Value {
    let holding = Holding::parse(&row.role.id);
    let profile = |(name, level): (&String, &Level)| json!({ "name": name, "permission": level });
    let mut entry = json!({ "permission": holding.level });
    put(&mut entry, row.principal.kind.as_deref().unwrap_or("user"), row.principal.id.as_str());
    if !holding.profiles.is_empty() {
        let profiles: Vec<_> = holding.profiles.iter().map(profile).collect();
        put(&mut entry, "profilePermissions", profiles);
    }
    entry
}

fn neither(index: usize) -> Failure {
    Failure::invalid("needs either user or group").of(&format!("userGroupAssetPermission[{index}]"))
}

/// Profiles in one order, each once.
///
/// # Errors
/// One is named twice, with two permissions.
fn set_of(mut profiles: Vec<Profile>) -> Result<Vec<Profile>, Failure> {
    profiles.sort_by(|one, other| one.name.cmp(&other.name));
    profiles.dedup();
    let mut pairs = profiles.iter().zip(profiles.iter().skip(1));
    match pairs.find(|(one, next)| one.name == next.name) {
        Some((one, _)) => {
            let name = text::quote(Word::Caller, &one.name);
            Err(Failure::invalid(format!("names the profile {name} twice, with two permissions")))
        }
        None => Ok(profiles),
    }
}

impl Entry {
    async fn resolve(
        self,
        reader: &VendorReader<'_>,
        index: usize,
    ) -> Result<WantedEntry, Failure> {
        let (kind, name) = match (self.user, self.group) {
            (Some(name), _) => (PrincipalKind::User, name),
            (None, Some(name)) => (PrincipalKind::Group, name),
            (None, None) => return Err(neither(index)),
        };
        let principal = centrasite::principal(reader, kind, reader.reference(name.as_str())).await;
        let argument = format!("userGroupAssetPermission[{index}].{}", kind.as_str());
        let principal = principal.map_err(|failure| failure.renamed(&argument))?;
        let profile = |entry: ProfileEntry| Profile {
            name: entry.name.as_str().to_owned(),
            permission: entry.permission.level(),
        };
        let profiles = self.profile_permissions.into_iter().flatten().map(profile);
        let profiles = set_of(profiles.collect()).map_err(|failure| {
            failure.of(&format!("userGroupAssetPermission[{index}].profilePermissions"))
        })?;
        let own = reader.tenant.settings.get(centrasite::USERNAME);
        let own = own.is_some_and(|username| is_called(&principal.named(), username));
        let level = self.permission.level();
        Ok(WantedEntry { principal, level, profiles, own, already: false })
    }
}

impl AssetLevel {
    fn level(self) -> Level {
        match self {
            Self::View => Level::View,
            Self::Modify => Level::Modify,
            Self::Full => Level::Full,
        }
    }
}

impl ProfileLevel {
    fn level(self) -> Level {
        match self {
            Self::View => Level::View,
            Self::Modify => Level::Modify,
        }
    }
}
