//! Rules about teams that there are not: what they forbid, they forbid nobody.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use super::declared::Declared;
use super::rules::Rules;

/// What is to be known of rules that name a team that nobody declares, or a group.
pub(super) fn warnings(rules: &Rules, declared: &Declared) -> Vec<String> {
    let mut warnings = Vec::new();
    for (rule, policy) in rules.written() {
        let (id, line) = (&rule.id, rule.line);
        for (kind, name) in named(policy) {
            if kind == "Group" {
                warnings.push(format!(
                    "line {line}: {id} names the group {name:?}: no issuer says who asks, and nobody is \
                     in it"
                ));
            } else if !declared.teams.contains_key(&name) {
                warnings.push(format!(
                    "line {line}: {id} names the team {name:?}, which is not declared: nobody is in it"
                ));
            }
        }
    }
    warnings
}

/// The teams and groups that a rule names.
fn named(policy: &Policy) -> BTreeSet<(String, String)> {
    let (mut named, mut left) = (BTreeSet::new(), Vec::from_iter(policy.to_json()));
    while let Some(value) = left.pop() {
        match value {
            Value::Object(fields) => {
                let text = |key: &str| fields.get(key).and_then(Value::as_str);
                if let (Some(kind @ ("Team" | "Group")), Some(id)) = (text("type"), text("id")) {
                    named.insert((kind.to_owned(), id.to_owned()));
                }
                left.extend(fields.into_iter().map(|(_, value)| value));
            }
            Value::Array(values) => left.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    named
}
