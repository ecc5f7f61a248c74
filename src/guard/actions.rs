//! The rules by the action they are about.
//!
//! What a rule says of the action is known before anybody asks. Cedar works it out for every rule
//! and every change, which takes as long as the conditions do.

use std::collections::HashMap;

use cedar_policy::{ActionConstraint, Entities, EntityUid, Policy, PolicySet};
use serde_json::json;

/// For each action the rules about it, which do not ask for the action any more.
pub(super) struct ByAction(HashMap<EntityUid, PolicySet>);

impl ByAction {
    pub(super) fn sort(rules: &PolicySet, actions: &Entities) -> Result<Self, String> {
        let mut sorted: HashMap<_, _> =
            actions.iter().map(|action| (action.uid(), PolicySet::new())).collect();
        for rule in rules.policies() {
            let free = of_any_action(rule)?;
            for (action, about) in &mut sorted {
                if is_about(rule, action, actions) {
                    about.add(free.clone()).map_err(|error| error.to_string())?;
                }
            }
        }
        Ok(Self(sorted))
    }

    /// The rules about an action; none where the schema has no such action.
    pub(super) fn about(&self, action: &EntityUid) -> Option<&PolicySet> {
        self.0.get(action)
    }
}

fn is_about(rule: &Policy, action: &EntityUid, actions: &Entities) -> bool {
    let is_in = |group: &EntityUid| group == action || actions.is_ancestor_of(group, action);
    match rule.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == *action,
        ActionConstraint::In(groups) => groups.iter().any(is_in),
    }
}

/// The rule without what it says of the action.
fn of_any_action(rule: &Policy) -> Result<Policy, String> {
    let mut parts = rule.to_json().map_err(|error| error.to_string())?;
    if let Some(action) = parts.get_mut("action") {
        *action = json!({ "op": "All" });
    }
    Policy::from_json(Some(rule.id().clone()), parts).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cedar_policy::{Authorizer, Context, Request, Response};

    use super::*;
    use crate::guard::facts::Language;

    const RULES: &str = r#"
        permit (principal, action, resource);
        permit (principal, action == Action::"expire", resource);
        permit (principal == Requester::"bob", action in Action::"undo", resource);
        forbid (principal, action in [Action::"list_roles", Action::"revoke"], resource);
        forbid (principal, action in Action::"grant", resource) when { context.absent };
        forbid (principal, action, resource) unless { action in Action::"look" };
    "#;

    /// What a response says, beside the order it says it in.
    fn said(response: &Response) -> (BTreeSet<String>, BTreeSet<String>) {
        let diagnostics = response.diagnostics();
        let reasons = diagnostics.reason().map(ToString::to_string).collect();
        (reasons, diagnostics.errors().map(ToString::to_string).collect())
    }

    #[test]
    fn sorted_rules_say_of_every_action_what_all_of_them_say() {
        let actions = Language::new().unwrap().actions;
        let rules: PolicySet = RULES.parse().unwrap();
        let sorted = ByAction::sort(&rules, &actions).unwrap();
        let mut counts = BTreeSet::new();
        for action in actions.iter().map(cedar_policy::Entity::uid) {
            let [alice, all] = ["Requester::\"alice\"", "Directory::\"vendors\""]
                .map(|name| name.parse::<EntityUid>().unwrap());
            let request = Request::new(alice, action.clone(), all, Context::empty(), None).unwrap();
            let about = sorted.about(&action).unwrap();
            let answer = |rules| said(&Authorizer::new().is_authorized(&request, rules, &actions));
            assert_eq!(answer(about), answer(&rules), "{action}");
            counts.insert(about.policies().count());
        }
        assert!(counts.len() > 1, "each action has rules of its own: {counts:?}");
    }
}
