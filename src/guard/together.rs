//! Forbids that are asked several at a time.
//!
//! Most forbids do not apply to most changes, and what Cedar does around each rule takes longer than
//! its condition. A group of them joined by `||` shows in one evaluation that none applies. Where it
//! does not, each of the group is asked by itself, so that the outcome is Cedar's on every rule.

use std::collections::HashMap;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet,
    PrincipalConstraint, Request, ResourceConstraint,
};
use serde_json::{Value, json};

/// Rules, with groups in the place of most forbids.
pub(super) struct Together {
    rules: PolicySet,
    groups: HashMap<PolicyId, PolicySet>,
}

/// What the rules come to; nothing is decided where some of them fail.
pub(super) struct Outcome {
    pub(super) decision: Decision,
    pub(super) deciding: Vec<PolicyId>,
    pub(super) errors: Vec<AuthorizationError>,
}

/// Enough for a group to be worth it, and few enough to be asked anew.
const GROUP: usize = 8;
/// A rule that is longer, as JSON, stays by itself: joined, its conditions would nest too deep.
const LONG: usize = 4096;

impl Together {
    pub(super) fn join(rules: Vec<Policy>) -> Result<Self, String> {
        let (free, others): (Vec<_>, Vec<_>) =
            rules.into_iter().partition(|rule| is_free(rule) && is_short(rule));
        let mut joined = Self { rules: set(others)?, groups: HashMap::new() };
        for (number, group) in free.chunks(GROUP).enumerate() {
            // No rule of a policy can be called so: ids have no spaces.
            let id = PolicyId::new(format!("group {number}"));
            joined.rules.add(any_of(group, id.clone())?).map_err(|error| error.to_string())?;
            joined.groups.insert(id, set(group.to_vec())?);
        }
        Ok(joined)
    }

    pub(super) fn ask(&self, request: &Request, entities: &Entities) -> Outcome {
        let mut outcome = ask(&self.rules, request, entities);
        let mut unclear = Vec::new();
        let mut is_rule = |id: &PolicyId| match self.groups.get(id) {
            Some(group) => {
                unclear.push(group);
                false
            }
            None => true,
        };
        outcome.deciding.retain(&mut is_rule);
        outcome.errors.retain(|error| is_rule(failed(error)));
        for group in unclear {
            let each = ask(group, request, entities);
            outcome.decision = Decision::Deny;
            outcome.deciding.extend(each.deciding);
            outcome.errors.extend(each.errors);
        }
        outcome
    }
}

fn ask(rules: &PolicySet, request: &Request, entities: &Entities) -> Outcome {
    let response = Authorizer::new().is_authorized(request, rules, entities);
    Outcome {
        decision: response.decision(),
        deciding: response.diagnostics().reason().cloned().collect(),
        errors: response.diagnostics().errors().cloned().collect(),
    }
}

/// The rule that could not be evaluated.
pub(super) fn failed(error: &AuthorizationError) -> &PolicyId {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    error.policy_id()
}

/// A forbid that is nothing but its conditions. A permit that applies would have to be asked anew,
/// and one mostly does.
fn is_free(rule: &Policy) -> bool {
    rule.effect() == Effect::Forbid
        && rule.principal_constraint() == PrincipalConstraint::Any
        && rule.resource_constraint() == ResourceConstraint::Any
}

fn is_short(rule: &Policy) -> bool {
    rule.to_json().is_ok_and(|json| json.to_string().len() <= LONG)
}

fn set(rules: Vec<Policy>) -> Result<PolicySet, String> {
    PolicySet::from_policies(rules).map_err(|error| error.to_string())
}

/// One forbid that applies where any of these does.
fn any_of(rules: &[Policy], id: PolicyId) -> Result<Policy, String> {
    let conditions = |rule: &Policy| match rule.to_json() {
        Ok(rule) => Ok(all_of(rule.get("conditions"))),
        Err(error) => Err(error.to_string()),
    };
    let each = rules.iter().map(conditions).collect::<Result<Vec<_>, _>>()?;
    let any =
        each.into_iter().reduce(|one, other| json!({ "||": { "left": one, "right": other } }));
    let all = json!({ "op": "All" });
    let rule = json!({
        "effect": "forbid", "principal": all, "action": all, "resource": all,
        "conditions": [{ "kind": "when", "body": any }],
    });
    Policy::from_json(Some(id), rule).map_err(|error| error.to_string())
}

/// A rule's conditions, in the form of Cedar's JSON, as one.
fn all_of(conditions: Option<&Value>) -> Value {
    let met = |condition: &Value| {
        let body = condition.get("body").cloned().unwrap_or_default();
        let unless = condition.get("kind").and_then(Value::as_str) == Some("unless");
        if unless { json!({ "!": { "arg": body } }) } else { body }
    };
    let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
    let all =
        conditions.map(met).reduce(|one, other| json!({ "&&": { "left": one, "right": other } }));
    all.unwrap_or(json!({ "Value": true }))
}
