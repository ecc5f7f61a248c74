//! Who the credential acts as, as far as that can be known.

use std::collections::BTreeSet;

use super::{TOKEN, TOKEN_URL, USERNAME, is_same_user};
use crate::vendors::VendorReader;

/// The user names that Grantor itself has here.
///
/// Those of a token are read without checking who signed it. They only ever make Grantor stricter:
/// a grant to one of them is a grant to itself, and a list that shows only them shows nobody else.
pub struct Caller {
    names: Vec<String>,
    /// The vendor takes the name as it stands: basic authentication.
    certain: bool,
}

/// Where a token names its user.
const CLAIMS: [&str; 2] = ["snaplogic_username", "sub"];

impl Caller {
    pub fn new(names: Vec<String>, certain: bool) -> Self {
        Self { names, certain }
    }

    pub async fn of(reader: &VendorReader<'_>) -> Self {
        let settings = &reader.tenant.settings;
        let certain = !settings.has(TOKEN) && !settings.has(TOKEN_URL);
        let mut names: Vec<String> =
            settings.get(USERNAME).map(str::to_owned).into_iter().collect();
        if let Some(claims) = reader.tenant.account.authorize.claims(reader.wire).await {
            let claimed = CLAIMS.iter().filter_map(|claim| claims.get(claim)?.as_str());
            names.extend(claimed.map(str::to_owned));
        }
        Self::new(names, certain)
    }

    pub fn is(&self, user: &str) -> bool {
        self.names.iter().any(|name| is_same_user(name, user))
    }

    /// Whether a list of these subjects shows anybody but the caller: if not, it may be the
    /// caller's own view.
    pub fn sees_others<'a>(&self, subjects: impl IntoIterator<Item = &'a str>) -> bool {
        let subjects: BTreeSet<String> = subjects.into_iter().map(str::to_lowercase).collect();
        let others = subjects.iter().any(|subject| !self.is(subject));
        // A token may call the caller otherwise than the list does: one lone row may be its own.
        others && (self.certain && !self.names.is_empty() || subjects.len() > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_seen_where_somebody_is_listed_who_cannot_be_the_caller() {
        for (names, certain, subjects, seen) in [
            (&["a@example.com"][..], true, &["b@example.com"][..], true),
            (&["a@example.com"], true, &["A@example.com"], false),
            (&["a@example.com"], true, &[], false),
            (&["a@example.com"], false, &["b@example.com"], false),
            (&["a@example.com"], false, &["b@example.com", "admins"], true),
            (
                &["a@example.com", "b@example.com"],
                false,
                &["B@example.com", "a@example.com"],
                false,
            ),
            (&[], false, &["b@example.com"], false),
            (&[], false, &["b@example.com", "B@example.com"], false),
            (&[], false, &["b@example.com", "admins"], true),
        ] {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            let caller = Caller { names, certain };
            let shown = subjects.iter().copied();
            assert_eq!(
                caller.sees_others(shown),
                seen,
                "{:?} {certain} {subjects:?}",
                caller.names
            );
        }
    }
}
