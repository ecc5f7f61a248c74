//! People, roles and access as records that rules speak of.

use std::collections::BTreeSet;

use cedar_policy::RestrictedExpression as Value;

use super::address;
use super::values::{field, record, text, words};
use crate::access::{Access, Named};
use crate::intent::{Effect, History, Intent};

/// All that they hold afterwards, by ids and by names.
pub(super) fn holds(intent: &Intent, whom: &[&Named]) -> Value {
    let is_theirs = |row: &&Access| whom.iter().any(|named| named.is(&row.principal));
    // What is held through a group stays, whatever becomes of one's own.
    let goes = |row: &Access| {
        let stays = intent.after.iter().any(|other| other.is(row));
        let was = |other: &Access| other.is(row) && other.via.is_none();
        row.via.is_none() && !stays && intent.before.iter().any(was)
    };
    let read = intent.read.holds.iter().flat_map(|holds| &holds.rows).filter(|row| !goes(row));
    let mut held = BTreeSet::new();
    for Access { role, resource, .. } in read.chain(&intent.after).filter(is_theirs) {
        for role in names(role) {
            held.insert(role.to_owned());
            held.extend(names(resource).map(|resource| format!("{role} on {resource}")));
        }
    }
    words(held.iter().map(String::as_str))
}

pub(super) fn history(history: History) -> Value {
    let History { extends, extensions, total_minutes, .. } = history;
    record(vec![
        field("extends", Value::new_bool(extends)),
        field("extensions", Value::new_long(extensions.into())),
        field("total_minutes", Value::new_long(total_minutes)),
        field("requester_today", Value::new_long(history.requester_today.into())),
        field("grantee_today", Value::new_long(history.grantee_today.into())),
        field("undone_minutes", Value::new_long(history.undone_minutes)),
    ])
}

pub(super) fn effect(effect: Effect) -> Value {
    text(if effect == Effect::Revoke { "revoke" } else { "grant" })
}

pub(super) fn grantee(principal: &Named, otherwise: &str) -> Value {
    let Named { id, name, kind, .. } = principal;
    let mut fields = vec![
        field("kind", text(kind.as_deref().unwrap_or(otherwise))),
        field("id", text(id)),
        field("folded", folded(principal)),
    ];
    fields.extend(name.as_deref().map(|name| field("name", text(name))));
    record(fields)
}

pub(super) fn role(role: &Named, contains: &[String]) -> Value {
    let permissions = words(contains.iter().map(String::as_str));
    let mut fields = vec![
        field("id", text(&role.id)),
        field("permissions", permissions),
        field("known", Value::new_bool(!contains.is_empty())),
        field("folded", folded(role)),
    ];
    fields.extend(role.name.as_deref().map(|name| field("name", text(name))));
    record(fields)
}

/// The addresses and kinds of those who gain; whoever has no address gains as an empty one.
pub(super) fn gained(whom: &[&Named]) -> Value {
    let emails: BTreeSet<_> =
        whom.iter().map(|named| address::address(named).unwrap_or_default()).collect();
    let domains: BTreeSet<_> = emails.iter().map(|email| address::domain(email)).collect();
    let kinds: BTreeSet<_> =
        whom.iter().map(|named| named.kind.as_deref().unwrap_or("unknown")).collect();
    record(vec![
        field("domains", words(domains.into_iter())),
        field("emails", words(emails.iter().map(String::as_str))),
        field("kinds", words(kinds.into_iter())),
    ])
}

/// Name and id as one text that letter case and accents do not tell apart.
pub(super) fn folded(named: &Named) -> Value {
    let id = crate::text::folded_for_rules(&named.id);
    let name = named.name.as_deref().map(crate::text::folded_for_rules);
    text(name.filter(|name| *name != id).map_or(id.clone(), |name| format!("{name} {id}")).trim())
}

pub(super) fn names(named: &Named) -> impl Iterator<Item = &str> {
    [Some(named.id.as_str()), named.name.as_deref()].into_iter().flatten()
}

pub(super) fn holdings(rows: &[Access], touched: &[&Named]) -> Value {
    let theirs = rows
        .iter()
        .filter(|row| !row.pending && touched.iter().any(|named| named.is(&row.principal)));
    let held: BTreeSet<String> =
        theirs.map(|row| format!("{} on {}", row.role.bare(), row.resource.bare())).collect();
    words(held.iter().map(String::as_str))
}
