//! What the assistant and its client say, taken apart: in their own words, and good for denying alone.

use std::collections::BTreeSet;

/// What a client calls itself, without its version: it is told as "NAME VERSION".
pub(super) fn client_name(client: &str) -> &str {
    let client = client.trim_start();
    client.rsplit_once(char::is_whitespace).map_or(client, |(name, _)| name.trim_end())
}

/// The projects of the tickets that a reason names: `ABC` of `ABC-123`.
pub(super) fn ticket_projects(reason: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in reason.match_indices('-') {
        let (before, after) = reason.split_at(at);
        let is_capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let rest = before.trim_end_matches(is_capital);
        let project = before.strip_prefix(rest).unwrap_or_default();
        let after = after.strip_prefix('-').unwrap_or_default();
        let behind = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_numbered = behind.len() < after.len();
        let begins = !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
        let mut next = behind.chars();
        let ends = match (next.next(), next.next()) {
            (Some('-'), Some(c)) => !c.is_ascii_digit(),
            (Some(c), _) => !c.is_alphanumeric() && c != '_',
            (None, _) => true,
        };
        if begins && ends && is_numbered && project.starts_with(|c: char| c.is_ascii_uppercase()) {
            found.insert(project);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_a_name_apart_from_its_version() {
        for (client, name) in [
            ("Claude Desktop 1.0", "Claude Desktop"),
            ("some-client 0.1.0-beta", "some-client"),
            ("some-client ", "some-client"),
            ("some-client", "some-client"),
            (" a  2", "a"),
            ("", ""),
        ] {
            assert_eq!(client_name(client), name, "{client:?}");
        }
    }

    #[test]
    fn tickets_are_told_by_their_form() {
        for (reason, projects) in [
            ("OPS-7", &["OPS"][..]),
            ("see SEC-12, OPS-7 and OPS-8.", &["OPS", "SEC"]),
            ("https://tickets.example.com/browse/A2B-1?x=1", &["A2B"]),
            ("branch OPS-7-mend-it", &["OPS"]),
            ("(INC-4711)", &["INC"]),
            ("ops-7", &[]),
            ("OPS7", &[]),
            ("OPS-", &[]),
            ("OPS -7", &[]),
            ("OPS-x7", &[]),
            ("OPS-7x", &[]),
            ("OPS-7_x", &[]),
            ("fooOPS-7", &[]),
            ("ÄOPS-7", &[]),
            ("A-OPS-7", &[]),
            ("2026-07-04", &[]),
            ("X2026-07-04", &[]),
            ("OPS-７", &[]),
            ("ОPS-7", &[]),
            ("", &[]),
        ] {
            let found: Vec<_> = ticket_projects(reason).into_iter().collect();
            assert_eq!(found, projects, "{reason:?}");
        }
    }
}
