//! The name that somebody may have meant.

use crate::text;

/// The one of these names that is nearest, where one is near.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let given = bare(given);
    let near = |name: &&'a str| {
        let name = bare(name);
        let is_part =
            given.chars().count() >= 3 && (name.starts_with(&given) || given.starts_with(&name));
        text::slips(&given, &name).or(is_part.then_some(LONGEST))
    };
    let near = known.iter().filter_map(|name| Some((near(name)?, *name)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

/// A question after the one that may have been meant, to stand behind what was given; nothing where none
/// is near.
pub fn meant(given: &str, known: &[&str]) -> String {
    nearest(given, known).map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}

/// More slips than any name has letters: what only begins alike comes last.
const LONGEST: usize = 64;

/// Letter case, and how words are joined, aside.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_or_none() {
        let known = ["userKey", "roleKey", "assetKeys", "expires_in", "expires_at", "dry_run"];
        for (given, near) in [
            ("user_key", Some("userKey")),
            ("UserKey", Some("userKey")),
            ("usrKey", Some("userKey")),
            ("user", Some("userKey")),
            ("assets", Some("assetKeys")),
            ("assetKey", Some("assetKeys")),
            ("expiresAt", Some("expires_at")),
            ("dryRun", Some("dry_run")),
            ("until", None),
            ("confirm", None),
            ("", None),
            ("__", None),
        ] {
            assert_eq!(nearest(given, &known), near, "{given}");
        }
    }
}
