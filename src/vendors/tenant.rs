//! Which tenant it is: what tells changes at one from those at another, wherever they are kept.

use super::{People, Vendor};
use crate::outbound::Account;
use crate::settings::Settings;

/// Who a tenant is. Its credential is no part of it: that rotates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantId {
    pub vendor: &'static str,
    /// Its base URL; or the sandbox, whose ports are others each time.
    pub place: String,
    /// The operator's name for it; none where it is named as its vendor.
    pub name: Option<String>,
    /// The names that it had before.
    pub formerly: Vec<String>,
}

/// A vendor as configured: whose tenant, through which account.
pub struct Tenant {
    pub vendor: &'static Vendor,
    pub id: TenantId,
    /// What the operator calls it, for people.
    pub title: Option<String>,
    /// Nothing is changed there, whatever the process may do elsewhere.
    pub read_only: bool,
    /// Another tenant of the vendor is configured beside it: then whatever is said of one names it.
    pub is_one_of_several: bool,
    /// The name that rules are told.
    pub told: String,
    pub account: Account,
    pub settings: Settings,
    /// Whom the configuration names here.
    pub people: People,
}

impl TenantId {
    /// The name it goes by.
    pub fn word(&self) -> &str {
        self.name.as_deref().unwrap_or(self.vendor)
    }

    /// What is kept of it in memory is kept under this.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.vendor, self.word(), self.place)
    }

    /// Whether a change is one of this tenant's, by where it was made and under which name. One that
    /// has no name was made at the tenant that is named as its vendor.
    pub fn is(&self, vendor: &str, place: &str, name: Option<&str>) -> bool {
        self.vendor == vendor && self.place == place && self.had(name)
    }

    /// Whether it has this name, or had it.
    pub fn had(&self, name: Option<&str>) -> bool {
        let name = name.unwrap_or(self.vendor);
        self.word() == name || self.formerly.iter().any(|old| old == name)
    }

    /// All its names, as the ledger keeps them.
    pub fn names(&self) -> Vec<Option<String>> {
        let formerly = self.formerly.iter().map(|old| (old != self.vendor).then(|| old.clone()));
        [self.name.clone()].into_iter().chain(formerly).collect()
    }
}

impl Tenant {
    /// Its name, where an answer says it: beside others of its vendor.
    pub fn said(&self) -> Option<&str> {
        self.is_one_of_several.then(|| self.id.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_belongs_to_one_place_and_one_name() {
        const PLACE: &str = "https://one.example";
        let of = |name: Option<&str>, formerly: &[&str]| TenantId {
            vendor: "dfns",
            place: PLACE.to_owned(),
            name: name.map(str::to_owned),
            formerly: formerly.iter().map(|&old| old.to_owned()).collect(),
        };
        for (id, vendor, place, name, is) in [
            (of(None, &[]), "dfns", PLACE, None, true),
            (of(None, &[]), "dfns", PLACE, Some("a"), false),
            (of(None, &[]), "dfns", "https://two.example", None, false),
            (of(None, &[]), "redox", PLACE, None, false),
            (of(Some("a"), &[]), "dfns", PLACE, Some("a"), true),
            (of(Some("a"), &[]), "dfns", PLACE, Some("b"), false),
            (of(Some("a"), &[]), "dfns", PLACE, None, false),
            (of(Some("a"), &["dfns"]), "dfns", PLACE, None, true),
            (of(Some("a"), &["dfns"]), "dfns", "https://two.example", None, false),
            (of(Some("a"), &["b"]), "dfns", PLACE, Some("b"), true),
            (of(Some("a"), &["b"]), "dfns", PLACE, None, false),
            (of(None, &["b"]), "dfns", PLACE, Some("b"), true),
        ] {
            assert_eq!(id.is(vendor, place, name), is, "{id:?} {vendor} {place} {name:?}");
            let names = id.names().contains(&name.map(str::to_owned));
            assert_eq!(names, id.had(name), "{id:?} {name:?}");
        }
    }
}
