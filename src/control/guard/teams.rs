//! Rules about teams that there are not, and questions that nobody can answer.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use super::declared::Declared;
use super::findings::Finding;
use super::rights::Right;
use super::rules::{Rule, Rules};

/// What is to be known of rules that name a team that nobody declares.
pub(super) fn undeclared(rules: &Rules, declared: &Declared) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, policy) in rules.written() {
        let names = named(policy).into_iter().map(|(_, name)| name);
        // An issuer's groups are its own to declare.
        let demanded = rule.demand.iter().filter_map(|demand| demand.of.clone());
        let all = names.chain(demanded.filter(|group| !group.contains('#')));
        for name in all.filter(|name| !declared.teams.contains_key(name)) {
            let message =
                format!("names the team {name:?}, which is not declared: nobody is in it");
            found.push(Finding::new("team", rule.line, message).of(&rule.id));
        }
    }
    found
}

/// What is to be known of a question that takes several people's yes, where nobody may give it on the page.
pub(super) fn signatures_alone(rules: &Rules) -> Option<Finding> {
    let takes_several = |rule: &&Rule| rule.demand.as_ref().is_some_and(|demand| demand.people > 1);
    let first = rules.listed().iter().find(takes_several)?;
    if rules.names(Right::Approve) {
        return None;
    }
    let message = "takes the yes of several, and no rule names `approve`: only signatures count, as a terminal \
                   is one person";
    let found = Finding::new("approvals", first.line, message.to_owned()).of(&first.id);
    Some(found.hint("a permit for Action::\"approve\" lets people approve on the page"))
}

/// The teams that a rule names.
fn named(policy: &Policy) -> BTreeSet<(String, String)> {
    let (mut named, mut left) = (BTreeSet::new(), Vec::from_iter(policy.to_json()));
    while let Some(value) = left.pop() {
        match value {
            Value::Object(fields) => {
                let text = |key: &str| fields.get(key).and_then(Value::as_str);
                if let (Some(kind @ "Team"), Some(id)) = (text("type"), text("id")) {
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
