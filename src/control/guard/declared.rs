//! What an administrator says of people, resources and the place they work at, for rules to speak of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use super::address::address;
use crate::access::Named;
use crate::text::folded_for_rules;

/// What is declared beside the rules. The hash of the policy covers it: who changes it changes what the
/// rules mean.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub time_zone: Option<(String, TimeZone)>,
    /// The requesters that each team has.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// What is each requester's at the vendors.
    pub accounts: BTreeMap<String, Accounts>,
    pub labels: Vec<Label>,
}

/// Whom a requester is at the vendors.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Accounts {
    addresses: BTreeSet<String>,
    /// Ids, by the name of a vendor or of a tenant.
    at: BTreeMap<String, BTreeSet<String>>,
}

/// A word for some of the resources.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    pub label: String,
    pub vendor: Option<String>,
    /// The tenant's name, as rules are told it.
    pub tenant: Option<String>,
    /// Folded, with `*` for whatever may stand there.
    resource: Option<String>,
}

/// The label of what has none.
pub const UNLABELLED: &str = "unlabelled";

impl Declared {
    /// Whether there is nothing that rules could speak of.
    pub fn is_empty(&self) -> bool {
        let Self { time_zone, teams, accounts, labels } = self;
        time_zone.is_none() && teams.is_empty() && accounts.is_empty() && labels.is_empty()
    }

    /// One text for what means one thing, whatever order it was written in.
    pub(super) fn canonical(&self) -> String {
        let zone = self.time_zone.as_ref().map(|(name, _)| name);
        let mut labels: Vec<_> = self.labels.iter().map(|label| json!(label).to_string()).collect();
        labels.sort_unstable();
        labels.dedup();
        json!([zone, self.teams, self.accounts, labels]).to_string()
    }

    pub fn zone(&self) -> TimeZone {
        self.time_zone.as_ref().map_or(TimeZone::UTC, |(_, zone)| zone.clone())
    }

    pub(super) fn teams_of<'a>(&'a self, requester: &'a str) -> impl Iterator<Item = &'a str> {
        let has = move |(_, members): &(&String, &BTreeSet<String>)| members.contains(requester);
        self.teams.iter().filter(has).map(|(team, _)| team.as_str())
    }

    /// The labels of a resource; never none.
    pub(super) fn labels_of(&self, vendor: &str, tenant: &str, resource: &Named) -> BTreeSet<&str> {
        let id = folded_for_rules(&resource.id);
        let name = resource.name.as_deref().map(folded_for_rules);
        let both = name.as_ref().map(|name| format!("{name} {id}"));
        let names = [Some(id), name, both];
        let is_named = |like: &str| names.iter().flatten().any(|name| fits(like, name));
        let fits = |label: &&Label| {
            label.vendor.as_deref().is_none_or(|known| known == vendor)
                && label.tenant.as_deref().is_none_or(|known| known == tenant)
                && label.resource.as_deref().is_none_or(is_named)
        };
        let mut labels: BTreeSet<_> =
            self.labels.iter().filter(fits).map(|label| label.label.as_str()).collect();
        if labels.is_empty() {
            labels.insert(UNLABELLED);
        }
        labels
    }

    /// Whether this is the requester at that vendor; none where it is not known.
    pub(super) fn is_own(
        &self,
        requester: &str,
        vendor: &str,
        tenant: &str,
        whom: &Named,
    ) -> Option<bool> {
        let accounts = self.accounts.get(requester)?;
        let ids: Vec<_> = [vendor, tenant].iter().filter_map(|at| accounts.at.get(*at)).collect();
        if ids.iter().any(|ids| ids.contains(&whom.id)) {
            return Some(true);
        }
        // Who is in a group is not read: the requester may well be.
        let kind = whom.kind.as_deref()?;
        if kind == "group" {
            return None;
        }
        let told = address(whom);
        match &told {
            Some(address) if accounts.addresses.contains(address) => Some(true),
            Some(_) if !accounts.addresses.is_empty() => Some(false),
            _ => (!ids.is_empty()).then_some(false),
        }
    }
}

impl Accounts {
    /// # Errors
    /// What is no address.
    pub fn new(
        addresses: &[String],
        at: BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Self, String> {
        let read = |text: &String| super::address::normal(text).ok_or_else(|| text.clone());
        Ok(Self { addresses: addresses.iter().map(read).collect::<Result<_, _>>()?, at })
    }
}

impl Label {
    pub fn new(
        label: String,
        vendor: Option<String>,
        tenant: Option<String>,
        resource: Option<&str>,
    ) -> Self {
        let folded = |like: &str| like.split('*').map(folded_part).collect::<Vec<_>>().join("*");
        Self { label, vendor, tenant, resource: resource.map(folded) }
    }
}

/// A piece of a pattern, with the blanks at its ends that belong to it.
fn folded_part(part: &str) -> String {
    let folded = folded_for_rules(part);
    if folded.is_empty() {
        return if part.is_empty() { folded } else { " ".to_owned() };
    }
    let blank = |is: bool| if is { " " } else { "" };
    let (first, last) =
        (part.starts_with(char::is_whitespace), part.ends_with(char::is_whitespace));
    format!("{}{folded}{}", blank(first), blank(last))
}

/// Whether a text is as the pattern says, in which `*` is anything.
fn fits(like: &str, text: &str) -> bool {
    let mut parts = like.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, name: Option<&str>, kind: &str) -> Named {
        Named::new(id, name.map(str::to_owned), kind)
    }

    #[test]
    fn a_star_is_anything_and_all_else_is_itself() {
        for (like, text, is) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("prod", "prod", true),
            ("prod", "production", false),
            ("prod*", "production", true),
            ("*prod*", "orders prod", true),
            ("*prod", "orders prod", true),
            ("*prod", "prod orders", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(fits(like, text), is, "{like:?} {text:?}");
        }
    }

    #[test]
    fn labels_go_by_vendor_tenant_and_folded_name_and_nothing_is_without_one() {
        let label = |label: &str, vendor: Option<&str>, tenant: Option<&str>, like| {
            let [vendor, tenant] = [vendor, tenant].map(|text| text.map(str::to_owned));
            Label::new(label.to_owned(), vendor, tenant, like)
        };
        let labels = vec![
            label("production", None, None, Some("*PROD*")),
            label("production", None, None, Some("*Produktión*")),
            label("test", Some("a"), None, Some("Test *")),
            label("sandbox", None, Some("dev"), None),
        ];
        let declared = Declared { labels, ..Declared::default() };
        for (vendor, tenant, id, name, has) in [
            ("a", "a", "1", Some("Orders prod"), &["production"][..]),
            ("b", "b", "/Harbor/Production", None, &["production"]),
            ("b", "b", "1", Some("PRODUKTION"), &["production"]),
            ("b", "b", "1", Some("ｐｒｏｄ"), &["production"]),
            ("a", "a", "1", Some("Test orders"), &["test"]),
            ("a", "a", "1", Some("Tests"), &["unlabelled"]),
            ("b", "b", "1", Some("Test orders"), &["unlabelled"]),
            ("a", "dev", "1", Some("Test prod"), &["production", "sandbox", "test"]),
            ("a", "a", "1", None, &["unlabelled"]),
        ] {
            let found = declared.labels_of(vendor, tenant, &named(id, name, "asset"));
            assert_eq!(
                found.into_iter().collect::<Vec<_>>(),
                has,
                "{vendor} {tenant} {id} {name:?}"
            );
        }
    }

    #[test]
    fn whether_somebody_is_the_requester_is_told_only_where_it_is_known() {
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<BTreeSet<_>>();
        let at =
            BTreeMap::from([("b".to_owned(), ids(&["b-1"])), ("b-dev".to_owned(), ids(&["d-1"]))]);
        let both = Accounts::new(&["Ada@Example.com".to_owned()], at.clone()).unwrap();
        let only_ids = Accounts::new(&[], at).unwrap();
        let accounts = BTreeMap::from([("ada".to_owned(), both), ("ben".to_owned(), only_ids)]);
        let declared = Declared { accounts, ..Declared::default() };
        let with = |id: &str, email: &str, kind: &str| Named {
            email: Some(email.to_owned()).filter(|email| !email.is_empty()),
            ..named(id, Some("Ada"), kind)
        };
        for (requester, vendor, tenant, whom, is) in [
            ("ada", "a", "a", with("1", "ada@example.com", "user"), Some(true)),
            ("ada", "a", "a", with("1", "ben@example.com", "user"), Some(false)),
            ("ada", "a", "a", with("1", "", "user"), None),
            ("ada", "a", "a", with("ada@example.com", "", "group"), None),
            ("ada", "a", "a", with("1", "", "token"), None),
            ("ada", "b", "b", with("b-1", "", "user"), Some(true)),
            ("ada", "b", "b", with("b-2", "", "user"), Some(false)),
            ("ada", "b", "b", with("d-1", "", "user"), Some(false)),
            ("ada", "b", "b-dev", with("d-1", "", "user"), Some(true)),
            ("ada", "b", "b", with("b-2", "ada@example.com", "user"), Some(true)),
            ("ben", "a", "a", with("1", "ben@example.com", "user"), None),
            ("ben", "b", "b", with("b-2", "ben@example.com", "user"), Some(false)),
            ("ben", "b", "b", with("g", "", "group"), None),
            ("eve", "b", "b", with("b-1", "ada@example.com", "user"), None),
            ("", "b", "b", with("b-1", "ada@example.com", "user"), None),
        ] {
            let found = declared.is_own(requester, vendor, tenant, &whom);
            assert_eq!(found, is, "{requester} {vendor} {tenant} {whom:?}");
        }
    }
}
