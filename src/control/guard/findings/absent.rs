//! What is not known is not false: rules that let through what they do not know, and names that no field has.

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};

use super::tree::{Spot, Written, asked_for, extent, from_to, joined, path, uses};
use super::{Finding, at};
use crate::guard::FIELDS;

/// Fields that are absent where it is known that there is nothing to tell.
const KNOWN_ABSENT: [&str; 3] = ["context.undoes", "context.ends", "context.privilege"];

pub(super) fn find(text: &str, rule: &Written<'_>, rules: &[Written<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for spot in &rule.spots {
        found.extend(unknown_field(text, rule, spot));
        found.extend(mixed(text, rule, spot));
        found.extend(holds(text, rule, spot));
        // Where a rule that asks does not apply, another may allow, or nothing does: it shows no side.
        if spot.strict && !rule.asks {
            found.extend(fails_open(text, rule, spot, rules));
            found.extend(otherwise(text, rule, spot));
        }
    }
    found
}

/// Whether the schema has the field, or fields below it.
pub(super) fn is_known(field: &str) -> bool {
    // Whoever asked is a requester as the principal is.
    if let Some(of) = field.strip_prefix("context.requester.") {
        return is_known(&format!("principal.{of}"));
    }
    ["context", "resource", "principal"].contains(&field)
        || FIELDS.iter().any(|known| {
            known
                .name
                .strip_prefix(field)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
}

/// The field of the schema that is meant by one that it does not have.
pub(super) fn meant(field: &str) -> Option<String> {
    let (record, name) = field.rsplit_once('.')?;
    let beside =
        |known: &'static str| known.strip_prefix(record)?.strip_prefix('.')?.split('.').next();
    let said = match name {
        "expires_in" | "expires" | "expiry" | "expires_at" | "duration" | "minutes" => {
            Some("expires_in_minutes")
        }
        "title" | "label" if record == "resource" => Some("name"),
        "user" | "principal" | "whom" => Some("grantee"),
        "type" => Some("kind"),
        "host" | "url" => Some("tenant"),
        "day" | "day_of_week" => Some("weekday"),
        "count" | "number" | "size" => Some("width"),
        "ticket" | "tickets" => Some("ticket_projects"),
        "comment" | "justification" => Some("reason"),
        _ => None,
    };
    let mut names: Vec<_> = FIELDS.iter().filter_map(|field| beside(field.name)).collect();
    if let Some(said) = said.filter(|said| names.contains(said)) {
        return Some(said.to_owned());
    }
    names.sort_unstable();
    names.dedup();
    let near = |known: &&&str| {
        let slips = strsim::osa_distance(&name.to_lowercase(), known);
        slips <= 1 + known.chars().count() / 4
    };
    let closest = names.iter().filter(near).min_by_key(|known| strsim::osa_distance(name, known));
    closest.map(|known| (*known).to_owned())
}

fn unknown_field(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let field = asked_for(spot.expr).filter(|field| !is_known(field))?;
    let (_, name) = field.rsplit_once('.')?;
    let meant = meant(&field);
    let message = format!("asks whether there is {field}, which the schema does not know: never");
    let span = extent(text, spot.expr);
    let finding = at(text, rule, "unknown_field", span, message, None);
    let Some(meant) = meant else {
        return Some(finding.hint("the schema lists every word that rules can speak of"));
    };
    let line = text.lines().nth(finding.line.checked_sub(1)?)?;
    let hint = format!("{meant} is meant");
    Some(Finding { replacement: Some(renamed(line, name, &meant)), ..finding }.hint(hint))
}

/// A line in which a word is another one.
pub(super) fn renamed(line: &str, name: &str, meant: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut new = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(name) {
        let (before, found) = rest.split_at(at);
        let after = found.strip_prefix(name).unwrap_or_default();
        let begins = !before.ends_with(is_word) && !before.ends_with('"');
        let ends = !after.starts_with(is_word);
        new.push_str(before);
        new.push_str(if begins && ends { meant } else { name });
        rest = after;
    }
    new + rest
}

/// `a || b && c`: what `&&` joins goes together first.
fn mixed(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let above = rule.parent(spot)?;
    let is_mixed = matches!(spot.expr.expr_kind(), ExprKind::And { .. })
        && matches!(above.expr.expr_kind(), ExprKind::Or { .. });
    let (start, end) = extent(text, spot.expr).filter(|_| is_mixed)?;
    let written = text.get(start..end)?;
    let before = text.get(..start)?.trim_end();
    let after = text.get(end..)?.trim_start();
    // `extent` takes brackets in that only close in it.
    if before.ends_with('(') && after.starts_with(')') {
        return None;
    }
    // A presence and what is asked of it belong together, and nothing else is meant.
    let parts = joined(spot.expr);
    let guards = parts.first().is_some_and(|first| asked_for(first).is_some());
    if guards {
        return None;
    }
    let message = "joins with && beside || without brackets: && goes first".to_owned();
    Some(at(text, rule, "precedence", Some((start, end)), message, Some(format!("({written})"))))
}

/// `context has x && …` where the policy is stricter if that is so.
fn fails_open(
    text: &str,
    rule: &Written<'_>,
    spot: &Spot<'_>,
    rules: &[Written<'_>],
) -> Option<Finding> {
    let is_whole = rule
        .parent(spot)
        .is_none_or(|above| !matches!(above.expr.expr_kind(), ExprKind::And { .. }));
    let parts = joined(spot.expr);
    if !is_whole || parts.len() < 2 {
        return None;
    }
    let open = |field: &str| {
        is_known(field)
            && !KNOWN_ABSENT.contains(&field)
            && !rules
                .iter()
                .any(|other| (other.id == rule.id || other.forbids) && other.decides_absence(field))
    };
    let (at_part, field) = first_guard(&parts, &open)?;
    let message = format!(
        "does not apply where there is no {field}, which is not known to be so: what it should stop \
         passes there"
    );
    let start = parts.get(at_part)?;
    let last = reach(&parts, at_part, &field)?;
    let span = from_to(text, start, parts.get(last)?);
    let new = closed(text, parts.get(at_part..=last)?, &open);
    let fills = span.is_some_and(|(start, end)| {
        let before = text.get(..start).unwrap_or_default().trim_end();
        let after = text.get(end..).unwrap_or_default().trim_start();
        before.ends_with('{') && after.starts_with('}')
    });
    let new = new.map(|new| match fills {
        true => new.trim_start_matches('(').strip_suffix(')').unwrap_or_default().to_owned(),
        false => new,
    });
    let has = asked(&field);
    Some(at(text, rule, "fails_open", span, message, new).hint(format!(
        "write: if {has} then … else true; or `unless {{ {has} && … }}` with what may pass"
    )))
}

fn asked(field: &str) -> String {
    let (record, name) = field.rsplit_once('.').unwrap_or(("context", field));
    format!("{record} has {name}")
}

/// The first part that asks for a field of which later ones speak.
fn first_guard(parts: &[&Expr], open: &dyn Fn(&str) -> bool) -> Option<(usize, String)> {
    parts.iter().enumerate().find_map(|(at, part)| {
        let field = asked_for(part).filter(|field| open(field))?;
        let later = parts.get(at + 1..)?;
        later.iter().any(|part| uses(part, &field)).then_some((at, field))
    })
}

/// The last part that rests on a presence that is asked for, or on one that is asked for between them.
fn reach(parts: &[&Expr], guard: usize, field: &str) -> Option<usize> {
    let last_use = |field: &str| parts.iter().rposition(|part| uses(part, field));
    let mut last = last_use(field)?;
    let mut at = guard;
    while at < last {
        at += 1;
        let asked = parts.get(at).and_then(|part| asked_for(part));
        last = asked.and_then(|field| last_use(&field)).map_or(last, |further| further.max(last));
    }
    Some(last)
}

/// The parts, with a choice in place of each presence that is asked for.
fn closed(text: &str, parts: &[&Expr], open: &dyn Fn(&str) -> bool) -> Option<String> {
    let written = |part: &&Expr| {
        let (start, end) = extent(text, part)?;
        text.get(start..end).map(str::to_owned)
    };
    let Some((guard, field)) = first_guard(parts, open) else {
        let all: Option<Vec<_>> = parts.iter().map(written).collect();
        return Some(all?.join(" && "));
    };
    let last = reach(parts, guard, &field)?;
    let before: Option<Vec<_>> = parts.get(..guard)?.iter().map(written).collect();
    let inner = closed(text, parts.get(guard + 1..=last)?, open)?;
    let choice = format!("(if {} then {inner} else true)", written(parts.get(guard)?)?);
    let rest = parts.get(last + 1..)?;
    let mut all = before?;
    all.push(choice);
    if !rest.is_empty() {
        all.push(closed(text, rest, open)?);
    }
    Some(all.join(" && "))
}

/// `if context has x then … else false` where the policy is stricter if that is so.
fn otherwise(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::If { test_expr, else_expr, .. } = spot.expr.expr_kind() else { return None };
    let field = asked_for(test_expr).filter(|field| !KNOWN_ABSENT.contains(&field.as_str()))?;
    let is_false = matches!(else_expr.expr_kind(), ExprKind::Lit(Literal::Bool(false)));
    let span = is_false.then(|| extent(text, else_expr))?;
    let message = format!("lets through where there is no {field}, which is not known to be so");
    Some(at(text, rule, "fails_open", span, message, Some("true".to_owned())))
}

/// What is held without whether that is all of it.
fn holds(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let field = "context.holds";
    let is_asked = match spot.expr.expr_kind() {
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            let looks = matches!(
                op,
                BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny | BinaryOp::Eq
            );
            let of = |part: &Expr| path(part).is_some_and(|path| path == field);
            looks && (of(arg1) || of(arg2))
        }
        ExprKind::UnaryApp { op: UnaryOp::IsEmpty, arg } => {
            path(arg).is_some_and(|path| path == field)
        }
        _ => false,
    };
    if !is_asked || !spot.strict || rule.mentions("context.holds_all") {
        return None;
    }
    let span = extent(text, spot.expr);
    let written = span.and_then(|(start, end)| text.get(start..end))?;
    let message =
        "asks what is held and not whether that is all of it: where not all could be read it \
                   lets through"
            .to_owned();
    let new = format!("(!context.holds_all || {written})");
    Some(at(text, rule, "holds", span, message, Some(new)))
}
