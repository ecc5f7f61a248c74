//! One entry of the list: what it grants, and how it compares with what is there.

use super::AssetTable;
use crate::access::{Access, Named, Outcome, Principal};
use crate::text;
use crate::tools::Part;
use crate::vendors::centrasite::{self, Holder, Holding, Level, PermissionEntry, Profile};

/// What one user or group is to hold.
pub(in crate::tools) struct WantedEntry {
    pub principal: Principal,
    pub level: Level,
    pub profiles: Vec<Profile>,
    /// It is the user behind Grantor's own credential.
    pub own: bool,
    /// It holds as much already: a list that is replaced says so again.
    pub already: bool,
}

impl WantedEntry {
    pub(super) fn is(&self, row: &Access) -> bool {
        row.principal.id == self.principal.id
            && row.principal.kind.as_deref() == Some(self.principal.kind.as_str())
    }

    pub(super) fn is_full_for_everybody(&self) -> bool {
        self.level == Level::Full && is_everybody(&self.principal.named())
    }

    pub(super) fn privileged(&self) -> Option<String> {
        let who = self.principal.named().label();
        self.is_full_for_everybody().then(|| format!("Full for {who} lets everybody grant access"))
    }

    pub(super) fn is_covered_by(&self, held: &PermissionEntry) -> bool {
        let own = self.permission_entry();
        held.principal == own.principal && Holding::of(held).covers(&Holding::of(&own))
    }

    /// How this entry ended within a change that ended with `outcome`.
    pub(super) fn part(
        &self,
        of: &AssetTable,
        outcome: Outcome,
        before: &[Access],
        after: &[Access],
    ) -> Part {
        let (resource, replace) = (of.wanted.resource.clone(), of.replace);
        let own =
            |rows: &[Access]| rows.iter().filter(|row| self.is(row)).cloned().collect::<Vec<_>>();
        let (before, after) = (own(before), own(after));
        let wanted = Holding::of(&self.permission_entry());
        let is_so = |held: &Holding| if replace { *held == wanted } else { held.covers(&wanted) };
        let holds = |rows: &[Access]| rows.iter().any(|row| is_so(&Holding::parse(&row.role.id)));
        let outcome = match outcome {
            Outcome::Confirmed | Outcome::Mismatch if holds(&before) => Outcome::AlreadyPresent,
            Outcome::Mismatch if holds(&after) => Outcome::Confirmed,
            other => other,
        };
        Part { principal: self.principal.named(), resource, outcome, before, after }
    }

    pub(super) fn permission_entry(&self) -> PermissionEntry {
        let principal = Holder { kind: self.principal.kind, id: self.principal.id.clone() };
        PermissionEntry { principal, permission: self.level, profiles: self.profiles.clone() }
    }
}

/// A level by itself, as rules name it: what is held on single profiles stands beside it.
pub(super) fn level(level: Level) -> Named {
    let level = level.as_str().to_owned();
    Named { id: level.clone(), name: Some(level), kind: None, email: None }
}

pub(super) fn is_everybody(principal: &Named) -> bool {
    let named = [Some(principal.id.as_str()), principal.name.as_deref()];
    let groups = centrasite::SYSTEM_GROUPS;
    let system = |name: &str| groups.iter().any(|group| text::look_alike(group, name));
    named.into_iter().flatten().any(system)
}

pub(super) fn full_for_everybody(row: &Access) -> String {
    format!("Full for {} lets everybody grant access", row.principal.label())
}

/// Whether both rows are of one principal, whatever it is called.
pub(super) fn is_same(one: &Access, other: &Access) -> bool {
    one.principal.id == other.principal.id && one.principal.kind == other.principal.kind
}

/// Whether `found` holds at least what `row` holds.
pub(super) fn covers(found: &Access, row: &Access) -> bool {
    Holding::parse(&found.role.id).covers(&Holding::parse(&row.role.id))
}

pub(super) fn may_own(row: &Access) -> bool {
    row.principal.kind.as_deref() == Some("user")
        && Holding::parse(&row.role.id).level == Level::Full
}

/// What each gains or loses between two lists of one asset.
pub(super) fn difference(asset: &Named, before: &[Access], after: &[Access]) -> Option<String> {
    let of = |row: &Access, rows: &[Access]| rows.iter().find(|one| is_same(one, row)).cloned();
    let gains = after.iter().filter_map(|new| {
        let (who, role) = (new.principal.label(), new.role.said());
        match of(new, before) {
            None => Some(format!("{who} gets {role}")),
            Some(old) if old.role.id == new.role.id => None,
            Some(old) => Some(format!("{who} has {role} in place of {}", old.role.said())),
        }
    });
    let gone = before.iter().filter(|old| of(old, after).is_none());
    let loses = gone.map(|old| format!("{} loses {}", old.principal.label(), old.role.said()));
    let all: Vec<_> = gains.chain(loses).collect();
    (!all.is_empty()).then(|| format!("on {}: {}", asset.label(), all.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that a reader takes for that of a system group counts as one.
    #[test]
    fn everybody_is_told_however_the_name_is_written() {
        for (name, is, is_everyone) in [
            ("Everyone", true, true),
            ("USERS", true, false),
            ("everyone ", true, true),
            ("Members\u{a0}", true, false),
            ("Every\u{200b}one", true, true),
            ("\u{415}veryone", true, true),
            ("U\u{ff53}ers", true, false),
            ("Everyone Else", false, false),
            ("API Team", false, false),
        ] {
            let by_name = Named::new("group:1", Some(name.to_owned()), "group");
            for group in [&by_name, &Named::new(name, None, "group")] {
                assert_eq!(is_everybody(group), is, "{name:?}");
                assert_eq!(centrasite::is_everyone(group), is_everyone, "{name:?}");
            }
        }
    }
}
