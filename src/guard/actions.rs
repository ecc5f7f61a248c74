//! The rules by the action they are about.
//!
//! What a rule says of the action is known before anybody asks. Cedar works it out for every rule
//! and every change, which takes as long as the conditions do.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use cedar_policy::{ActionConstraint, Entities, EntityUid, Policy, PolicySet};
use serde_json::json;

use super::together::Together;

/// For each action what is about it, sorted out when it is first asked for.
pub(super) struct ByAction(HashMap<EntityUid, OnceLock<Result<About, String>>>);

/// What bears on one action.
pub(super) struct About {
    /// The rules, which do not ask for the action any more.
    pub(super) rules: Together,
    /// The action, and others that these rules name.
    pub(super) entities: Entities,
}

impl ByAction {
    pub(super) fn of(actions: &Entities) -> Self {
        Self(actions.iter().map(|action| (action.uid(), OnceLock::new())).collect())
    }

    pub(super) fn about(
        &self,
        action: &EntityUid,
        rules: &PolicySet,
        actions: &Entities,
    ) -> Result<&About, String> {
        let known = self.0.get(action).ok_or("the schema has no such action")?;
        known.get_or_init(|| About::sort(action, rules, actions)).as_ref().map_err(Clone::clone)
    }
}

impl About {
    fn sort(action: &EntityUid, rules: &PolicySet, actions: &Entities) -> Result<Self, String> {
        let about = rules.policies().filter(|rule| is_about(rule, action, actions));
        let rules = about.map(of_any_action).collect::<Result<Vec<_>, _>>()?;
        let named: HashSet<_> = rules.iter().flat_map(Policy::entity_literals).collect();
        let spoken_of =
            actions.iter().filter(|one| one.uid() == *action || named.contains(&one.uid()));
        let entities = Entities::from_entities(spoken_of.cloned(), None);
        let entities = entities.map_err(|error| error.to_string())?;
        Ok(Self { rules: Together::join(rules)?, entities })
    }
}

pub(super) fn is_about(rule: &Policy, action: &EntityUid, actions: &Entities) -> bool {
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
    use std::sync::LazyLock;

    use cedar_policy::{Authorizer, Context, Request, RestrictedExpression};
    use proptest::prelude::*;

    use super::*;
    use crate::guard::facts::Language;

    const SCOPES: [&str; 6] = [
        "principal, action, resource",
        "principal, action == Action::\"expire\", resource",
        "principal == Requester::\"alice\", action in Action::\"undo\", resource",
        "principal == Requester::\"bob\", action, resource",
        "principal, action in [Action::\"list_roles\", Action::\"revoke\"], resource",
        "principal, action in Action::\"grant\", resource is Resource",
    ];
    const CONDITIONS: [&str; 9] = [
        "",
        "when { false }",
        "when { context.count > 3 } unless { context.count == 7 }",
        "when { context.count < 3 }",
        "unless { context has count }",
        "when { context.absent }",
        "when { context.count < 3 } when { context.absent }",
        "unless { action in Action::\"look\" }",
        "when { Action::\"list_roles\" in Action::\"look\" }",
    ];

    static LANGUAGE: LazyLock<Language> = LazyLock::new(|| Language::new().unwrap());

    fn request(action: &str, count: i64) -> Request {
        let [alice, action, all] =
            [("Requester", "alice"), ("Action", action), ("Directory", "vendors")]
                .map(|(kind, id)| format!("{kind}::{id:?}").parse::<EntityUid>().unwrap());
        let count = RestrictedExpression::new_long(count);
        let context = Context::from_pairs([("count".to_owned(), count)]).unwrap();
        Request::new(alice, action, all, context, None).unwrap()
    }

    type Said = (BTreeSet<String>, BTreeSet<String>);

    fn said<'a, T: ToString + 'a, E: ToString + 'a>(
        deciding: impl IntoIterator<Item = &'a T>,
        errors: impl IntoIterator<Item = &'a E>,
    ) -> Said {
        let words = |text: &dyn ToString| text.to_string();
        let deciding = deciding.into_iter().map(|id| words(id)).collect();
        (deciding, errors.into_iter().map(|error| words(error)).collect())
    }

    proptest! {
        #[test]
        fn sorted_and_joined_rules_come_to_what_cedar_makes_of_all_of_them(
            parts in prop::collection::vec((0..4, 0..SCOPES.len(), 0..CONDITIONS.len()), 1..40),
            action in prop::sample::select(&["grant_asset_role", "list_roles", "expire", "undo_by_granting"][..]),
            count in 0_i64..9,
        ) {
            let actions = &LANGUAGE.actions;
            let rule = |&(effect, scope, condition): &(i32, usize, usize)| {
                let effect = if effect == 0 { "permit" } else { "forbid" };
                format!("{effect} ({}) {};\n", SCOPES[scope], CONDITIONS[condition])
            };
            let rules: PolicySet = parts.iter().map(rule).collect::<String>().parse().unwrap();
            let request = request(action, count);
            let cedar = Authorizer::new().is_authorized(&request, &rules, actions);
            let wanted = said(cedar.diagnostics().reason(), cedar.diagnostics().errors());
            let sorted = ByAction::of(actions);
            let ours = sorted.about(request.action().unwrap(), &rules, actions).unwrap();
            let ours = ours.rules.ask(&request, &ours.entities);
            let found = said(&ours.deciding, &ours.errors);
            prop_assert_eq!(&found.1, &wanted.1);
            if wanted.1.is_empty() {
                prop_assert_eq!(found, wanted);
                prop_assert_eq!(ours.decision, cedar.decision());
            }
        }
    }
}
