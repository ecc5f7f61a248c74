//! What keeps a policy from loading, in the words of the schema, with the line as it should be.

use cedar_policy_core::ast::{
    ActionConstraint, BinaryOp, EntityType, EntityUID, Expr, ExprKind, Literal, UnaryOp, Var,
};

use super::absent::{is_known, meant, renamed};
use super::tree::{self, Spot, Written, asked_for, extent, path, string};
use super::{Finding, at};

/// Fields that may be absent.
pub(super) const OPTIONAL: [&str; 13] = [
    "resource.name",
    "resource.organization",
    "context.grantee.name",
    "context.role.name",
    "context.privilege",
    "context.for_self",
    "context.history",
    "context.expires_in_minutes",
    "context.reason",
    "context.client",
    "context.client_name",
    "context.undoes",
    "context.ends",
];
pub(super) const GROUPS: [&str; 4] = ["look", "grant", "revoke", "undo"];

/// What is wrong with a text that Cedar can read and the schema has something against.
pub(in crate::control::guard) fn find(text: &str) -> Vec<Finding> {
    let Some(policies) = tree::parsed(text) else { return Vec::new() };
    let mut found = Vec::new();
    for rule in policies.iter().map(tree::written) {
        found.extend(group_is_no_action(text, &rule));
        found.extend(kinds_in_scope(text, &rule));
        for spot in &rule.spots {
            let parts = [
                field(text, &rule, spot),
                optional(text, &rule, spot),
                requester(text, &rule, spot),
                action(text, &rule, spot),
                date(text, &rule, spot),
                bracket(text, &rule, spot),
                set(text, &rule, spot),
                kind_of(text, &rule, spot),
            ];
            found.extend(parts.into_iter().flatten());
        }
    }
    found.sort_by_key(|one| (one.line, one.column));
    // One line, one word of it, one finding.
    found.dedup_by(|one, other| one.line == other.line && one.message == other.message);
    found
}

/// `action == Action::"grant"` in the head of a rule.
fn group_is_no_action(text: &str, rule: &Written<'_>) -> Option<Finding> {
    let ActionConstraint::Eq(named) = rule.policy.action_constraint() else { return None };
    let name: &str = named.eid().as_ref();
    if !GROUPS.contains(&name) {
        return None;
    }
    let (from, head) = tree::head(text, rule.policy)?;
    let before = head.get(..head.find(&named.to_string())?)?;
    let equals = from + before.rfind("==")?;
    let message = format!(
        "compares action with {named}, which is a group of actions: it is never one, but in one"
    );
    Some(at(text, rule, "action", Some((equals, equals + 2)), message, Some("in".to_owned())))
}

/// The same in a condition.
fn action(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } = spot.expr.expr_kind() else {
        return None;
    };
    let of = |one: &Expr, other: &Expr| {
        let is_action = matches!(one.expr_kind(), ExprKind::Var(Var::Action));
        match other.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(named)) if is_action => Some(EntityUID::clone(named)),
            _ => None,
        }
    };
    let named = of(arg1, arg2).or_else(|| of(arg2, arg1))?;
    if !GROUPS.contains(&named.eid().as_ref()) {
        return None;
    }
    let message = format!(
        "compares action with {named}, which is a group of actions: it is never one, but in one"
    );
    let new = format!("action in {named}");
    let new = if spot.negated { format!("!({new})") } else { new };
    Some(at(text, rule, "action", extent(text, spot.expr), message, Some(new)))
}

/// Kinds that the schema does not have, in the head of a rule.
fn kinds_in_scope(text: &str, rule: &Written<'_>) -> Option<Finding> {
    let (from, head) = tree::head(text, rule.policy)?;
    let (start, kind) = kind_before(head, "principal")?;
    unknown_kind(text, rule, &kind, Some((from + start, from + start + kind.len())))
}

/// The kind that stands behind `principal ==` or `principal in`.
fn kind_before(head: &str, variable: &str) -> Option<(usize, String)> {
    let at = head.find(variable)? + variable.len();
    let rest = head.get(at..)?;
    let end = rest.find("::")?;
    let before = rest.get(..end)?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = before.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
    let between = before.get(..start)?;
    let kind = before.get(start..)?;
    (!between.contains(',') && !kind.is_empty()).then(|| (at + start, kind.to_owned()))
}

fn unknown_kind(
    text: &str,
    rule: &Written<'_>,
    kind: &str,
    span: Option<tree::Span>,
) -> Option<Finding> {
    let meant = match kind {
        "Requester" | "Team" | "Group" | "Resource" | "Directory" | "Action" => return None,
        kind if kind.to_lowercase().contains("group") || kind.to_lowercase().contains("team") => {
            "Team"
        }
        kind if kind.to_lowercase().contains("role") => "Team",
        _ => "Requester",
    };
    let message = format!(
        "names a {kind}, which the schema does not know: who asks is a Requester, in a Team of the \
         configuration"
    );
    Some(at(text, rule, "principal", span, message, Some(meant.to_owned())))
}

fn kind_of(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let kind: &EntityType = match spot.expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(named)) => named.entity_type(),
        _ => return None,
    };
    let (start, _) = extent(text, spot.expr)?;
    let kind = kind.to_string();
    unknown_kind(text, rule, &kind, Some((start, start + kind.len())))
}

/// A field that the schema does not have.
fn field(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let asked = asked_for(spot.expr).or_else(|| path(spot.expr))?;
    let (record, name) = asked.rsplit_once('.')?;
    if is_known(&asked) || !is_known(record) {
        return None;
    }
    let (compared, written) = comparison(text, rule, spot);
    if matches!((record, name), ("context.grantee", "email" | "mail" | "domain")) {
        return Some(address(text, rule, spot, &asked));
    }
    let message = format!("asks for {asked}, which the schema does not know");
    let finding = at(text, rule, "unknown_field", extent(text, spot.expr), message, None);
    let Some(meant) = meant(&asked) else {
        return Some(finding.hint("grantor.cedarschema lists every word that rules can speak of"));
    };
    let full = format!("{record}.{meant}");
    let line = text.lines().nth(finding.line.checked_sub(1)?)?;
    let guarded = rule.has(&asked) || rule.has(&full);
    let finding = finding.hint(format!("{full} is meant"));
    let plain = renamed(line, name, &meant);
    let replacement = match (OPTIONAL.contains(&full.as_str()) && !guarded, compared) {
        (true, Some(span)) => {
            let guard = guarded_by(&full, &renamed(&written, name, &meant), rule, spot);
            super::replaced(text, span, &guard)
        }
        _ => Some(plain),
    };
    Some(Finding { replacement, ..finding })
}

/// The whole comparison that a field stands in.
fn comparison(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> (Option<tree::Span>, String) {
    let mut at = spot;
    while let Some(above) = rule.parent(at) {
        match above.expr.expr_kind() {
            ExprKind::And { .. } | ExprKind::Or { .. } | ExprKind::If { .. } => break,
            ExprKind::UnaryApp { op: UnaryOp::Not, .. } if !at.negated => break,
            _ => at = above,
        }
    }
    let span = extent(text, at.expr);
    let written = span.and_then(|(start, end)| text.get(start..end));
    (span, written.unwrap_or_default().to_owned())
}

/// A comparison with what it takes where the field is not there.
fn guarded_by(field: &str, written: &str, rule: &Written<'_>, spot: &Spot<'_>) -> String {
    let (record, name) = field.rsplit_once('.').unwrap_or(("context", field));
    let strict = rule.parent(spot).is_some_and(|above| match above.negated {
        true => !above.strict,
        false => above.strict,
    });
    match strict {
        true => format!("(if {record} has {name} then {written} else true)"),
        false => format!("({record} has {name} && {written})"),
    }
}

/// A field that may be absent, and that no part of the rule asks for first.
fn optional(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::GetAttr { .. } = spot.expr.expr_kind() else { return None };
    let field = path(spot.expr).filter(|field| OPTIONAL.contains(&field.as_str()))?;
    if rule.has(&field) {
        return None;
    }
    let (span, written) = comparison(text, rule, spot);
    let (record, name) = field.rsplit_once('.')?;
    let message = format!("asks for {field}, which may be absent: ask `{record} has {name}` first");
    let new = guarded_by(&field, &written, rule, spot);
    let finding = at(text, rule, "may_be_absent", span, message, Some(new));
    Some(match record {
        "resource" | "context.role" | "context.grantee" => {
            finding.hint(format!("to forbid, {record}.folded is always there"))
        }
        _ => finding.hint(format!("say with it what is to be where there is no {name}")),
    })
}

/// An address in a place where there is none.
fn address(text: &str, rule: &Written<'_>, spot: &Spot<'_>, asked: &str) -> Finding {
    let (span, written) = comparison(text, rule, spot);
    let domain = written.split_once("*@").and_then(|(_, rest)| rest.split('"').next());
    let equal = written.split_once("==").map(|(_, word)| word.trim().trim_matches('"'));
    let new = match (domain, equal) {
        (Some(domain), _) => {
            Some(format!("context.gains.domains.contains(\"{}\")", domain.to_lowercase()))
        }
        (None, Some(word)) if word.contains('@') => {
            Some(format!("context.gains.emails.contains(\"{}\")", word.to_lowercase()))
        }
        _ => None,
    };
    let message =
        format!("asks for {asked}: addresses are in context.gains, of everybody who gains");
    at(text, rule, "unknown_field", span, message, new)
        .hint("context.gains.emails and context.gains.domains are sets; \"\" stands for whoever has no address")
}

/// A text in place of who asks.
fn requester(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { op, arg1, arg2 } = spot.expr.expr_kind() else { return None };
    let is_asked = matches!(op, BinaryOp::In | BinaryOp::Eq);
    if !is_asked || !matches!(arg1.expr_kind(), ExprKind::Var(Var::Principal)) {
        return None;
    }
    let words: Vec<&str> = match arg2.expr_kind() {
        ExprKind::Set(parts) => parts.iter().filter_map(string).collect(),
        _ => string(arg2).into_iter().collect(),
    };
    if words.is_empty() {
        return None;
    }
    let named: Vec<_> =
        words.iter().map(|word| format!("Requester::\"{}\"", word.escape_debug())).collect();
    let new = match (op, arg2.expr_kind(), named.as_slice()) {
        (BinaryOp::Eq, ExprKind::Lit(_), [one]) => format!("principal == {one}"),
        _ => format!("principal in [{}]", named.join(", ")),
    };
    let new = if spot.negated { format!("!({new})") } else { new };
    let message = "compares principal with a text: who asks is Requester::\"NAME\"".to_owned();
    Some(at(text, rule, "principal", extent(text, spot.expr), message, Some(new)))
}

/// A date that is no number.
fn date(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { arg1, arg2, .. } = spot.expr.expr_kind() else { return None };
    let is_date = |part: &Expr| path(part).is_some_and(|path| path.ends_with(".date"));
    let other = match (is_date(arg1), is_date(arg2)) {
        (true, false) => arg2,
        (false, true) => arg1,
        _ => return None,
    };
    let word = match other.expr_kind() {
        ExprKind::ExtensionFunctionApp { args, .. } => args.first().and_then(string),
        _ => string(other),
    }?;
    let digits: String = word.chars().filter(char::is_ascii_digit).take(8).collect();
    let new = Some(digits).filter(|digits| digits.len() == 8);
    let message =
        "compares a date with what is none here: a date is one number, such as 20261224".to_owned();
    Some(at(text, rule, "date", extent(text, other), message, new))
}

/// `!context has x`: `!` takes what stands next to it.
fn bracket(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let first = match spot.expr.expr_kind() {
        ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. } => expr,
        ExprKind::BinaryApp {
            op: BinaryOp::Eq | BinaryOp::In | BinaryOp::Less | BinaryOp::LessEq,
            arg1,
            ..
        } => arg1,
        _ => return None,
    };
    let ExprKind::UnaryApp { op: UnaryOp::Not, arg } = first.expr_kind() else { return None };
    // Whether something is so may well be turned round; a text or a record may not.
    path(arg)?;
    let is_bool = path(arg).is_some_and(|path| {
        ["privileged", "own", "wide", "narrows", "known", "holds_all", "for_self", "extends"]
            .iter()
            .any(|name| path.ends_with(&format!(".{name}")))
    });
    let (start, end) = extent(text, spot.expr).filter(|_| !is_bool)?;
    let written = text.get(start..end)?.trim_start().strip_prefix('!')?;
    let message = "turns round what stands next to !, and not the whole: write brackets".to_owned();
    let new = Some(format!("!({})", written.trim_start()));
    Some(at(text, rule, "precedence", Some((start, end)), message, new))
}

/// A set compared with one of its words, and a text looked for in a list.
fn set(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { op, arg1, arg2 } = spot.expr.expr_kind() else { return None };
    let written = |part: &Expr| {
        let (start, end) = extent(text, part)?;
        text.get(start..end)
    };
    let is_set = |part: &Expr| path(part).is_some_and(|path| SETS.contains(&path.as_str()));
    let new = match op {
        BinaryOp::Eq if is_set(arg1) && string(arg2).is_some() => {
            format!("{}.contains({})", written(arg1)?, written(arg2)?)
        }
        BinaryOp::In if is_set(arg2) => format!("{}.contains({})", written(arg2)?, written(arg1)?),
        BinaryOp::In
            if path(arg1).is_some_and(|path| path.contains('.'))
                && matches!(arg2.expr_kind(), ExprKind::Set(_)) =>
        {
            format!("{}.contains({})", written(arg2)?, written(arg1)?)
        }
        BinaryOp::Contains if is_set(arg1) && matches!(arg2.expr_kind(), ExprKind::Set(_)) => {
            // What a method is called of stands in one piece with the call.
            format!("{}.containsAll({})", path(arg1)?, written(arg2)?)
        }
        BinaryOp::Contains if path(arg1).is_some() && !is_set(arg1) => {
            let like = format!("{} like \"*{}*\"", path(arg1)?, string(arg2)?.escape_debug());
            let turned = |above: &Spot<'_>| {
                matches!(above.expr.expr_kind(), ExprKind::UnaryApp { op: UnaryOp::Not, .. })
            };
            if rule.parent(spot).is_some_and(turned) { format!("({like})") } else { like }
        }
        _ => return None,
    };
    let new = if spot.negated { format!("!{new}") } else { new };
    let message =
        "looks for a word the wrong way: a set `contains` a word, a text is `like` a pattern, and \
                   `in` is for action and principal"
            .to_owned();
    Some(at(text, rule, "set", extent(text, spot.expr), message, Some(new)))
}

/// Fields that are sets.
const SETS: [&str; 11] = [
    "resource.labels",
    "context.grantees",
    "context.kinds",
    "context.role.permissions",
    "context.before",
    "context.after",
    "context.holds",
    "context.ticket_projects",
    "context.gains.emails",
    "context.gains.domains",
    "context.gains.kinds",
];
