//! Which words a field can be, as the schema lists them.

use std::sync::LazyLock;

use serde_json::Value;

use super::facts::SCHEMA;

/// What is wrong with a word.
pub(super) struct Wrong {
    pub(super) why: String,
    pub(super) meant: Option<String>,
}

/// The schema as people read it: what it says beside a field lists its words.
const READ: &str = include_str!("../../../policies/grantor.cedarschema");
const KINDS: [&str; 6] = ["user", "group", "service_account", "token", "several", "unknown"];
const SCOPES: [&str; 4] = ["asset", "organization", "environment", "project_space"];
/// Actions that no tool is.
const NO_TOOLS: [&str; 8] = [
    "look",
    "grant",
    "revoke",
    "undo",
    "expire",
    "lower_access",
    "undo_by_granting",
    "undo_by_revoking",
];
/// Tools that ask for several changes as one, none of which is an action: each of those is judged by itself.
pub const SETS: [&str; 5] =
    ["apply_changes", "copy_access", "remove_all_access", "set_expiry", "undo_change"];
/// What people call what the schema calls otherwise.
const CALLED: [(&str, &str); 14] = [
    ("person", "user"),
    ("people", "user"),
    ("human", "user"),
    ("bot", "service_account"),
    ("machine", "service_account"),
    ("serviceaccount", "service_account"),
    ("pat", "token"),
    ("project", "project_space"),
    ("space", "project_space"),
    ("application", "asset"),
    ("app", "asset"),
    ("org", "organization"),
    ("add", "grant"),
    ("remove", "revoke"),
];

static TOOLS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let actions = schema.pointer("//actions").and_then(Value::as_object);
    let names = actions.into_iter().flat_map(|actions| actions.keys().cloned());
    names.filter(|name| !NO_TOOLS.contains(&name.as_str())).collect()
});

fn vendors() -> Vec<String> {
    let said = READ.lines().find_map(|line| line.trim().strip_prefix("vendor: String,"));
    let said = said.and_then(|rest| rest.split_once("//")).map_or("", |(_, said)| said);
    said.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// All that a field can be; none where it can be anything.
fn listed(field: &str) -> Option<Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Some(match field {
        "resource.vendor" => vendors(),
        "resource.kind" | "context.scope" => owned(&SCOPES),
        "context.effect" => owned(&["grant", "revoke"]),
        "context.grantee.kind" | "context.kinds" | "context.gains.kinds" => owned(&KINDS),
        "context.tool" => TOOLS.clone(),
        "context.called" => TOOLS.iter().cloned().chain(owned(&SETS)).collect(),
        _ => return None,
    })
}

/// What keeps a field from ever being, or holding, this word.
pub(super) fn wrong(field: &str, word: &str) -> Option<Wrong> {
    let told = |why: &str, meant: Option<String>| Some(Wrong { why: why.to_owned(), meant });
    let small = || Some(word.to_lowercase());
    if let Some(words) = listed(field) {
        if words.iter().any(|known| known == word) {
            return None;
        }
        return told(&format!("it is one of {}", words.join(", ")), nearest(word, &words));
    }
    let has_capital = word.contains(char::is_uppercase);
    match field {
        "resource.tenant" if word.contains("://") => {
            let host = url::Url::parse(word).ok();
            let host = host.and_then(|url| url.host_str().map(str::to_owned));
            told("it is the host alone", host)
        }
        "resource.tenant" if has_capital => told("a host is in small letters", small()),
        "context.tenant" if has_capital => told("names of tenants are in small letters", small()),
        "context.gains.domains" if word.contains('@') => {
            let domain = word.rsplit('@').next().map(str::to_lowercase);
            told("it is what stands behind the @", domain)
        }
        "context.gains.domains" | "context.gains.emails" if has_capital => {
            told("addresses are in small letters there", small())
        }
        "context.gains.domains" if !word.is_ascii() => {
            let plain = super::address::normal(&format!("x@{word}"));
            told("domains are as DNS has them", plain.map(|at| at.replacen("x@", "", 1)))
        }
        "context.gains.emails" if !word.is_empty() && !word.contains('@') => {
            told("an address has an @", None)
        }
        "context.ticket_projects" => {
            let project = word.split('-').next().unwrap_or_default().to_uppercase();
            let is_project = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
            let fits =
                word.chars().all(is_project) && word.starts_with(|c: char| !c.is_ascii_digit());
            let plain = project.chars().all(is_project) && !project.is_empty();
            (!fits).then(|| Wrong {
                why: "it holds the capitals before the number: ABC of ABC-123".to_owned(),
                meant: Some(project).filter(|_| plain),
            })
        }
        _ => None,
    }
}

/// What keeps anything from being called this: "VENDOR:KIND:ID".
pub(super) fn wrong_resource(id: &str) -> Option<Wrong> {
    let mut parts = id.splitn(3, ':');
    let [Some(vendor), Some(kind), Some(rest)] = [parts.next(), parts.next(), parts.next()] else {
        let why = "it lacks the vendor or the kind".to_owned();
        return Some(Wrong { why, meant: None });
    };
    let vendor = (vendor, wrong("resource.vendor", vendor));
    let kind = (kind, wrong("resource.kind", kind));
    let why = vendor.1.as_ref().or(kind.1.as_ref())?.why.clone();
    let mended = |(word, wrong): (&str, Option<Wrong>)| match wrong {
        Some(wrong) => wrong.meant,
        None => Some(word.to_owned()),
    };
    let meant = mended(vendor).zip(mended(kind));
    Some(Wrong { why, meant: meant.map(|(vendor, kind)| format!("{vendor}:{kind}:{rest}")) })
}

/// The word that is meant by another one.
pub(super) fn nearest(word: &str, words: &[String]) -> Option<String> {
    let plain = word.trim().to_lowercase().replace([' ', '-'], "_");
    let called = CALLED.iter().find(|(said, _)| *said == plain || format!("{said}s") == plain);
    let called = called.map(|(_, known)| (*known).to_owned()).filter(|known| words.contains(known));
    let near = || {
        let slips = |known: &&String| strsim::osa_distance(&plain, known);
        let close = |known: &&String| slips(known) <= 1 + known.chars().count() / 4;
        words.iter().filter(close).min_by_key(slips).cloned()
    };
    let part = || words.iter().find(|known| plain.contains(known.as_str())).cloned();
    words.iter().find(|known| **known == plain).cloned().or(called).or_else(near).or_else(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_lists_the_vendors_and_the_tools() {
        let known: Vec<_> =
            crate::vendors::VENDORS.iter().map(|vendor| vendor.name.to_owned()).collect();
        let mut listed = vendors();
        listed.sort_unstable();
        let mut known = known;
        known.sort_unstable();
        assert_eq!(listed, known);
        assert!(TOOLS.iter().any(|tool| tool == "list_roles"), "{:?}", *TOOLS);
    }

    #[test]
    fn a_word_is_one_of_the_schema_or_the_one_that_is_meant() {
        for (field, word, meant) in [
            ("resource.kind", "asset", None),
            ("resource.kind", "Asset", Some(Some("asset"))),
            ("resource.kind", "project", Some(Some("project_space"))),
            ("resource.kind", "galaxy", Some(None)),
            ("context.grantee.kind", "Service Account", Some(Some("service_account"))),
            ("context.grantee.kind", "service-account", Some(Some("service_account"))),
            ("context.kinds", "tokens", Some(Some("token"))),
            ("context.effect", "Revoke", Some(Some("revoke"))),
            ("context.tool", "grant_asset_roles", Some(Some("grant_asset_role"))),
            ("context.tool", "grant_asset_role", None),
            ("context.ticket_projects", "ops", Some(Some("OPS"))),
            ("context.ticket_projects", "OPS-12", Some(Some("OPS"))),
            ("context.ticket_projects", "OPS", None),
            ("context.gains.domains", "@Example.com", Some(Some("example.com"))),
            ("context.gains.domains", "", None),
            ("context.gains.emails", "", None),
            ("resource.tenant", "https://prod.example.com/x", Some(Some("prod.example.com"))),
            ("resource.tenant", "Prod.example.com", Some(Some("prod.example.com"))),
            ("context.tenant", "ODC-prod", Some(Some("odc-prod"))),
            ("context.gains.emails", "Ada@example.com", Some(Some("ada@example.com"))),
            ("context.gains.emails", "example.com", Some(None)),
            ("context.gains.domains", "Example.com", Some(Some("example.com"))),
            ("context.gains.domains", "münchen.de", Some(Some("xn--mnchen-3ya.de"))),
            ("resource.name", "Anything At All", None),
        ] {
            let wrong = wrong(field, word).map(|wrong| wrong.meant);
            assert_eq!(wrong, meant.map(|meant| meant.map(str::to_owned)), "{field} {word:?}");
        }
    }
}
