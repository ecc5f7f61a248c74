//! Addresses of those who get access, in the one form that rules compare.

use unicode_normalization::UnicodeNormalization as _;
use url::Host;

use crate::access::Named;

/// What no address has before its `@` unless it is quoted: then it is left to nobody to compare.
const ODD: &str = "@<>()[]\\,;:\"";

/// The address that the vendor tells of somebody who has one: none of a group, a token, or whoever is of
/// no known kind. A name that looks like one is none.
pub(super) fn address(named: &Named) -> Option<String> {
    if !matches!(named.kind.as_deref(), Some("user" | "service_account")) {
        return None;
    }
    match &named.email {
        Some(told) => normal(told),
        None => normal(&named.id),
    }
}

/// Small letters, and the domain as DNS has it; none where it is no plain address.
pub(super) fn normal(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || ODD.contains(c);
    if local.is_empty() || local.contains(odd) || crate::text::hides(local) {
        return None;
    }
    Some(format!("{}@{}", local.to_lowercase(), domain_of(domain)?))
}

/// What stands behind the `@`.
pub(super) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// A domain that is only mapped to another one, as wide letters are, is not that other one.
fn domain_of(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_plain = !text.contains('%') && text.nfkc().eq(text.chars()) && !crate::text::hides(text);
    match Host::parse(text).ok().filter(|_| is_plain)? {
        Host::Domain(domain) if !domain.is_empty() && !domain.ends_with('.') => {
            Some(domain.to_ascii_lowercase())
        }
        Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form_or_none() {
        for (text, is) in [
            ("ada@example.com", Some("ada@example.com")),
            (" Ada.L@Example.COM ", Some("ada.l@example.com")),
            ("ada+x@example.com", Some("ada+x@example.com")),
            ("ada@example.com.", Some("ada@example.com")),
            ("ada@münchen.de", Some("ada@xn--mnchen-3ya.de")),
            ("ada@MÜNCHEN.de", Some("ada@xn--mnchen-3ya.de")),
            ("ada@xn--mnchen-3ya.de", Some("ada@xn--mnchen-3ya.de")),
            ("ada@еxample.com", Some("ada@xn--xample-2of.com")),
            ("ada@ｅxample.com", None),
            ("ada@exam%70le.com", None),
            ("ada@exam\u{ad}ple.com", None),
            ("ada@127.0.0.1", None),
            ("ada@[::1]", None),
            ("ada@", None),
            ("@example.com", None),
            ("ada", None),
            ("", None),
            ("ada@evil.com@example.com", None),
            ("Ada <ada@example.com>", None),
            ("ada@evil.com, ben@example.com", None),
            ("\"ada\"@example.com", None),
            ("HARBOR\\ada@example.com", None),
            ("a da@example.com", None),
            ("ada@exam ple.com", None),
        ] {
            assert_eq!(normal(text).as_deref(), is, "{text:?}");
        }
    }

    #[test]
    fn only_people_and_service_accounts_have_one_and_a_name_is_none() {
        let of = |kind: Option<&str>, id: &str, email: Option<&str>| Named {
            id: id.to_owned(),
            name: Some("boss@example.com".to_owned()),
            kind: kind.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        for (named, is) in [
            (of(Some("user"), "u-1", Some("ada@example.com")), Some("ada@example.com")),
            (of(Some("user"), "ada@example.com", None), Some("ada@example.com")),
            (of(Some("user"), "ada@example.com", Some("x")), None),
            (of(Some("user"), "u-1", None), None),
            (of(Some("service_account"), "bot@example.com", None), Some("bot@example.com")),
            (of(Some("group"), "all@example.com", Some("all@example.com")), None),
            (of(Some("token"), "t@example.com", None), None),
            (of(None, "ada@example.com", None), None),
        ] {
            assert_eq!(address(&named).as_deref(), is, "{named:?}");
        }
    }
}
