//! Rules beside each other: ends that nothing lets through, questions to nobody, permits without effect,
//! and what a policy of one's own leaves out.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cedar_policy_core::ast::{
    ActionConstraint, BinaryOp, Expr, ExprKind, PrincipalOrResourceConstraint,
};
use serde_json::Value;

use super::tree::{Span, Written, extent, head, joined, path, start, string};
use super::{Finding, at, line_at};
use crate::guard::Right;
use crate::guard::facts::SCHEMA;

/// Each action with the groups that it is in.
static ACTIONS: LazyLock<Vec<(String, Vec<String>)>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let actions = schema.pointer("//actions").and_then(Value::as_object);
    let action = |(name, of): (&String, &Value)| {
        let groups = of.get("memberOf").and_then(Value::as_array).into_iter().flatten();
        let groups = groups.filter_map(|group| Some(group.get("id")?.as_str()?.to_owned()));
        of.get("appliesTo").map(|_| (name.clone(), groups.collect()))
    };
    actions.into_iter().flatten().filter_map(action).collect()
});

const RIGHTS: [&str; 2] = [Right::See.action(), Right::Approve.action()];
const EXPIRE: &str = "expire";
const CHANGES: &str = "action in [Action::\"grant\", Action::\"revoke\"]";

pub(super) fn find(text: &str, rules: &[Written<'_>]) -> Vec<Finding> {
    let mut found: Vec<Finding> = unended(rules).into_iter().collect();
    for rule in rules {
        found.extend(surprises(text, rule));
        found.extend(covered(text, rule, rules));
        found.extend(one_yes(text, rule));
        found.extend(services_alone(text, rule));
    }
    found.extend(unguarded(text, rules));
    found
}

/// The actions that a rule is about.
fn about(rule: &Written<'_>) -> BTreeSet<&'static str> {
    let is_about = |(name, groups): &&(String, Vec<String>)| {
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        rule.is_about(name, &groups)
    };
    // A right is what a rule's head names, and nothing else.
    let is_named = |(name, _): &&(String, Vec<String>)| {
        !RIGHTS.contains(&name.as_str()) || rule.names_actions()
    };
    let about = ACTIONS.iter().filter(is_about).filter(is_named);
    about.map(|(name, _)| name.as_str()).collect()
}

fn in_group(group: &str) -> BTreeSet<&'static str> {
    let is_in = |(_, groups): &&(String, Vec<String>)| groups.iter().any(|known| known == group);
    ACTIONS.iter().filter(is_in).map(|(name, _)| name.as_str()).collect()
}

fn unended(rules: &[Written<'_>]) -> Option<Finding> {
    let ends = |rule: &Written<'_>| !rule.forbids && !rule.asks && about(rule).contains(EXPIRE);
    if rules.iter().any(ends) {
        return None;
    }
    let message = "no rule permits `expire`: timed grants will be refused, and ends that are due stay \
                   overdue";
    Some(
        Finding::new("ends", 0, message.to_owned()).hint(
            "add: @id(\"expire\") permit (principal, action == Action::\"expire\", resource);",
        ),
    )
}

/// What a rule says of an action that its author may not have thought of: one that asks about looking, or
/// one that forbids looks and ends because it names no action.
fn surprises(text: &str, rule: &Written<'_>) -> Vec<Finding> {
    let actions = about(rule);
    let (looks, ends) = (actions.contains("list_access"), actions.contains(EXPIRE));
    let all = matches!(rule.policy.action_constraint(), ActionConstraint::Any);
    let finding = |kind, message: &str| {
        let new = all.then(|| CHANGES.to_owned());
        let span = action_word(text, rule);
        at(text, rule, kind, span, message.to_owned(), new)
    };
    let mut found = Vec::new();
    if rule.forbids && looks && ends {
        let message = "names no action: where it applies it also forbids to look, and to end what was \
                       granted for a time";
        found.push(finding("ends", message));
    } else if rule.forbids && ends {
        let message = "forbids `expire`: what was granted for a time stays, and is overdue";
        found.push(finding("ends", message).hint("leave `expire` out of it"));
    } else if rule.asks {
        if looks {
            let message = "asks about looking too: nobody is asked about that, and looks pass";
            found.push(finding("nobody_is_asked", message));
        }
        if ends {
            let message = "asks about `expire` too: nobody is asked at the end, and what was granted \
                           for a time stays where it applies";
            found.push(finding("nobody_is_asked", message));
        }
    }
    found.into_iter().map(|found| placed(found, line_of(text, rule))).collect()
}

/// A finding in the line that its rule begins in; what should stand in another line its hint says.
fn placed(found: Finding, line: usize) -> Finding {
    let (own, replacement) = (found.line, found.replacement.clone());
    let found = Finding { line, ..found };
    match replacement.filter(|_| own != line) {
        Some(new) => Finding { column: None, replacement: None, ..found }
            .hint(format!("write in line {own}: {}", new.trim())),
        None => found,
    }
}

/// The line that a rule begins in.
fn line_of(text: &str, rule: &Written<'_>) -> usize {
    line_at(text, start(rule.policy)).0
}

/// The word `action` in the head of a rule.
fn action_word(text: &str, rule: &Written<'_>) -> Option<Span> {
    let (from, head) = head(text, rule.policy)?;
    let opens = from + head.find('(')? + 1;
    let rest = text.get(opens..from + head.len())?;
    let found = rest.match_indices("action").find(|(at, word)| {
        let before = rest.get(..*at).unwrap_or_default().trim_end();
        let after = rest.get(at + word.len()..).unwrap_or_default().trim_start();
        before.ends_with(',') && after.starts_with(',')
    });
    found.map(|(at, word)| (opens + at, opens + at + word.len()))
}

fn covers(general: &PrincipalOrResourceConstraint, one: &PrincipalOrResourceConstraint) -> bool {
    use PrincipalOrResourceConstraint::{Any, Is};
    // A kind is all there is of it in a change.
    matches!(general, Any | Is(_)) || general == one
}

/// A permit of which nothing comes, because another rule without a condition says more.
fn covered(text: &str, rule: &Written<'_>, rules: &[Written<'_>]) -> Option<Finding> {
    if rule.forbids || rule.asks {
        return None;
    }
    let looks = in_group("look");
    let mut left = about(rule);
    left.retain(|action| !looks.contains(action) && *action != EXPIRE);
    if left.is_empty() {
        return None;
    }
    let outweighs = |other: &&Written<'_>| {
        (other.forbids || other.asks)
            && other.is_unconditional()
            && left.is_subset(&about(other))
            && covers(
                other.policy.principal_constraint().as_inner(),
                rule.policy.principal_constraint().as_inner(),
            )
            && covers(
                other.policy.resource_constraint().as_inner(),
                rule.policy.resource_constraint().as_inner(),
            )
    };
    let other = rules.iter().find(outweighs)?;
    let (id, line) = (&other.id, line_of(text, other));
    let message = match other.forbids {
        true => format!("has no effect: {id} in line {line} forbids all that it permits"),
        false => format!("has no effect: {id} in line {line} asks about all that it permits"),
    };
    let hint = match other.forbids {
        true => "leave one of them out".to_owned(),
        false => {
            format!("a permit with @ask outweighs one without; say in {id} what is not asked about")
        }
    };
    Some(at(text, rule, "covered", None, message, None).hint(hint))
}

/// What a policy that grants says nothing about.
fn unguarded(text: &str, rules: &[Written<'_>]) -> Vec<Finding> {
    let grants = in_group("grant");
    let granting: Vec<_> = rules
        .iter()
        .filter(|rule| !rule.forbids && about(rule).iter().any(|action| grants.contains(action)))
        .collect();
    let Some(first) = granting.first() else { return Vec::new() };
    let granted: BTreeSet<_> = granting
        .iter()
        .flat_map(|rule| about(rule))
        .filter(|action| grants.contains(action))
        .collect();
    let is_considered = |field: &str| {
        let forbids = |rule: &Written<'_>| {
            let speaks = rule.is_unconditional() || rule.mentions(field);
            rule.forbids && speaks && granted.is_subset(&about(rule))
        };
        rules.iter().any(forbids) || granting.iter().all(|rule| rule.mentions(field))
    };
    let missing = [
        (
            "context.privileged",
            "privileged",
            "grants privileged roles too: no rule speaks of them",
            "privileged-role",
        ),
        (
            "context.own",
            "own_identity",
            "grants to the identity behind Grantor's own credential too: no rule speaks of it",
            "own-identity",
        ),
    ];
    let missing = missing.into_iter().filter(|(field, ..)| !is_considered(field));
    let finding = |(field, kind, message, id): (&str, &'static str, &str, &str)| {
        at(text, first, kind, None, message.to_owned(), None).hint(format!(
            "add: @id(\"{id}\") forbid (principal, action in Action::\"grant\", resource) when {{ {field} }};"
        ))
    };
    missing.map(finding).collect()
}

/// A question that more than one person is to answer.
fn one_yes(text: &str, rule: &Written<'_>) -> Option<Finding> {
    let (_, note) = rule.policy.annotations().find(|(name, _)| name.as_ref() == "ask")?;
    let lower = note.val.to_lowercase();
    let words: Vec<_> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let asks = words.windows(2).enumerate().any(|(from, _)| {
        let mut next = words.iter().skip(from);
        let many = next.next().is_some_and(|word| SEVERAL.contains(word));
        many && next.take(3).any(|word| WHO.contains(word))
    });
    let approvals = rule.policy.annotations().find(|(name, _)| name.as_ref() == "approvals");
    if !asks || approvals.is_some_and(|(_, note)| note.val != "1") {
        return None;
    }
    let span = note.loc.as_ref().map(|loc| (loc.start(), loc.end()));
    let message = "asks for more than one person in its text: one yes is enough".to_owned();
    let new = Some("@ask(\"A person approves this.\")".to_owned());
    Some(
        at(text, rule, "one_yes", span, message, new)
            .hint("@approvals(\"2\") beside it takes the yes of two different people"),
    )
}

/// A permit for `approve` that is of services alone, whose yes never counts.
fn services_alone(text: &str, rule: &Written<'_>) -> Option<Finding> {
    if rule.forbids || !about(rule).contains(Right::Approve.action()) {
        return None;
    }
    let condition = rule.policy.non_scope_constraints()?;
    let part = joined(condition).into_iter().find(|part| is_of_services(part))?;
    let message =
        "lets nobody approve: it is of services alone, and no service's yes counts".to_owned();
    Some(
        at(text, rule, "service_approves", extent(text, part), message, None)
            .hint("people approve: name their group or team, or principal.kind == \"person\""),
    )
}

fn is_of_services(part: &Expr) -> bool {
    let ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } = part.expr_kind() else {
        return false;
    };
    let is = |field: &Expr, word: &Expr| {
        path(field).is_some_and(|path| path == "principal.kind") && string(word) == Some("service")
    };
    is(arg1, arg2) || is(arg2, arg1)
}

const SEVERAL: [&str; 13] = [
    "two", "2", "three", "3", "four", "4", "five", "both", "several", "multiple", "second", "dual",
    "another",
];
const WHO: [&str; 20] = [
    "people",
    "persons",
    "person",
    "approvers",
    "approver",
    "approvals",
    "approval",
    "reviewers",
    "reviewer",
    "administrators",
    "admins",
    "managers",
    "manager",
    "owners",
    "colleagues",
    "colleague",
    "eyes",
    "signatures",
    "yeses",
    "must",
];
