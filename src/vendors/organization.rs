//! Which of a vendor's customers a credential belongs to.
//!
//! Some vendors have one address for all their customers, and what one of them holds is not there
//! for the other. Whoever cannot tell which customer it speaks for must not take "there is no such
//! thing" for "it is gone".

use serde_json::Value;

use super::Tenant;
use crate::outbound::Wire;

/// How a vendor's customers are told apart.
#[derive(Clone, Copy, Debug)]
pub enum Customers {
    /// Each has an address of its own.
    ByAddress,
    /// They share one address.
    Named {
        /// The setting that names one, where there is such.
        setting: Option<&'static str>,
        /// Where a token names one, as JSON pointers into its claims.
        claims: &'static [&'static str],
        /// The first segment of a resource's id names it.
        in_path: bool,
    },
}

/// The customer that a credential belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Organization {
    /// Whoever is at this address.
    ByAddress,
    Known(String),
    Unknown,
}

/// Whether a change was made for the customer that a credential belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    Yes,
    No,
    CannotTell,
}

impl Organization {
    /// Compares with what was kept of a change. One of the first release kept nothing, and belongs
    /// to the tenant that is named as its vendor.
    pub fn is(&self, kept: Option<&str>) -> Same {
        match (self, kept) {
            (Self::ByAddress, None) | (Self::Known(_), None) => Same::Yes,
            (Self::Known(own), Some(kept)) if own == kept => Same::Yes,
            (Self::Known(_), Some(_)) => Same::No,
            // The address tells all that there is to tell, and still does.
            (Self::ByAddress, Some(_)) => Same::Yes,
            (Self::Unknown, _) => Same::CannotTell,
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Known(name) => Some(name),
            Self::ByAddress | Self::Unknown => None,
        }
    }
}

impl Tenant {
    /// The customer that the credential belongs to, as its own token or the settings say.
    pub async fn organization(&self, wire: &Wire) -> Organization {
        let Customers::Named { setting, claims, .. } = self.vendor.customers else {
            return Organization::ByAddress;
        };
        if !claims.is_empty()
            && let Some(token) = self.account.authorize.claims(wire).await
        {
            let claimed = claims.iter().find_map(|place| text(token.pointer(place)?));
            if let Some(claimed) = claimed {
                return Organization::Known(claimed);
            }
        }
        let set = setting.and_then(|name| self.settings.get(name));
        let set = set.filter(|name| !name.trim().is_empty());
        set.map_or(Organization::Unknown, |name| Organization::Known(name.to_owned()))
    }

    /// The customer whose resource this is, as the ledger keeps it.
    pub fn organization_of(&self, resource: &str, own: &Organization) -> Option<String> {
        let in_path = matches!(self.vendor.customers, Customers::Named { in_path: true, .. });
        let first = || resource.trim_start_matches('/').split('/').next().map(str::to_owned);
        let named = if in_path { first().filter(|name| !name.is_empty()) } else { None };
        named.or_else(|| own.name().map(str::to_owned))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_tell_says_so() {
        let known = |name: &str| Organization::Known(name.to_owned());
        for (own, kept, same) in [
            (Organization::ByAddress, None, Same::Yes),
            (Organization::ByAddress, Some("acme"), Same::Yes),
            (known("acme"), Some("acme"), Same::Yes),
            (known("acme"), Some("Acme"), Same::No),
            (known("acme"), Some("umbra"), Same::No),
            (known("acme"), None, Same::Yes),
            (Organization::Unknown, Some("acme"), Same::CannotTell),
            (Organization::Unknown, None, Same::CannotTell),
        ] {
            assert_eq!(own.is(kept), same, "{own:?} {kept:?}");
        }
    }
}
