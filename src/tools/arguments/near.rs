//! The name that somebody may have meant.

/// The one of these names that is nearest, where one is near.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let given = bare(given);
    let length = given.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    let near = |name: &&'a str| {
        let name = bare(name);
        let part = length >= 3 && (name.starts_with(&given) || given.starts_with(&name));
        let slips = distance(&given, &name);
        // More than a slip in three letters, and it is another word.
        (part || slips <= name.chars().count() / 3).then_some(slips)
    };
    let near = known.iter().filter_map(|name| Some((near(name)?, *name)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

/// Longer than any name there is.
const LONGEST: usize = 64;

/// Letter case, and how words are joined, aside.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many letters are to be changed, put in or left out.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (number, a) in one.chars().enumerate() {
        let mut before = number;
        let mut left = number + 1;
        for (slot, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let above = *slot;
            left = (before + usize::from(a != b)).min(above + 1).min(left + 1);
            before = above;
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = number + 1;
        }
    }
    row.last().copied().unwrap_or_default()
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

    #[test]
    fn letters_are_counted() {
        for (one, other, slips) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("abc", "abc", 0)]
        {
            assert_eq!(distance(one, other), slips, "{one} {other}");
        }
    }
}
