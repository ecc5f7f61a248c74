//! What somebody holds on an asset, as one role: a level, and permissions on single profiles.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Level, PermissionEntry};
use crate::access::Named;

/// A level with the permissions on single profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub level: Level,
    pub profiles: BTreeMap<String, Level>,
}

impl Holding {
    pub fn of(held: &PermissionEntry) -> Self {
        let profiles = held.profiles.iter().map(|p| (p.name.clone(), p.permission)).collect();
        Self { level: held.permission, profiles }
    }

    /// As a role: `Modify`, or `Modify {"Technical":"View"}`.
    pub fn role(&self) -> Named {
        let mut id = self.level.as_str().to_owned();
        if !self.profiles.is_empty() {
            id.push_str(&format!(" {}", json!(self.profiles)));
        }
        Named { name: Some(id.clone()), id, kind: None, email: None }
    }

    /// The inverse of [`Self::role`].
    pub fn parse(role: &str) -> Self {
        let (level, profiles) = role.split_once(' ').unwrap_or((role, "{}"));
        let level = match level {
            "Full" => Level::Full,
            "Modify" => Level::Modify,
            _ => Level::View,
        };
        Self { level, profiles: serde_json::from_str(profiles).unwrap_or_default() }
    }

    /// Both together, the higher of each: the vendor's rule for combining.
    #[must_use]
    pub fn combined(mut self, other: &Self) -> Self {
        self.level = self.level.max(other.level);
        for (name, level) in &other.profiles {
            let kept = self.profiles.entry(name.clone()).or_insert(*level);
            *kept = (*kept).max(*level);
        }
        self
    }

    /// Whether this is at least what `other` is.
    pub fn covers(&self, other: &Self) -> bool {
        self.level >= other.level
            && other.profiles.iter().all(|(name, wanted)| self.profiles.get(name) >= Some(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(level: Level, profiles: &[(&str, Level)]) -> Holding {
        let profiles = profiles.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        Holding { level, profiles }
    }

    #[test]
    fn a_holding_covers_what_is_less_in_every_part() {
        for (one, other, covers) in [
            ("Full", "View", true),
            ("Modify", "Modify", true),
            ("View", "Modify", false),
            ("Full", r#"View {"T":"View"}"#, false),
            (r#"View {"T":"Modify"}"#, r#"View {"T":"View"}"#, true),
            (r#"View {"T":"View"}"#, r#"View {"T":"Modify"}"#, false),
            (r#"View {"T":"View","S":"View"}"#, r#"View {"T":"View"}"#, true),
            (r#"Full {"T":"View"}"#, r#"Modify {"S":"View"}"#, false),
        ] {
            let [one, other] = [one, other].map(Holding::parse);
            assert_eq!(one.covers(&other), covers, "{one:?} {other:?}");
        }
        // What is no level counts as the least.
        assert_eq!(Holding::parse("Admin").level, Level::View);
    }

    #[test]
    fn combining_never_lowers() {
        use Level::{Full, Modify, View};
        let there = holding(Full, &[("Technical Details", View)]);
        let asked = holding(Modify, &[("Technical Details", Modify), ("Summary", View)]);
        let both = there.clone().combined(&asked);
        assert_eq!(both, holding(Full, &[("Technical Details", Modify), ("Summary", View)]));
        assert!(both.covers(&there) && both.covers(&asked) && !asked.covers(&there));
        assert_eq!(Holding::parse(&both.role().id), both);
    }
}
