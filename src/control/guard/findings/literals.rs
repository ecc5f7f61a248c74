//! Words, numbers and dates that a rule compares fields with, and that no value of theirs can be.

use cedar_policy_core::ast::{
    BinaryOp, EntityReference, EntityUID, Expr, ExprKind, Literal, PatternElem,
    PrincipalOrResourceConstraint,
};

use super::tree::{Span, Spot, Written, extent, path, string};
use super::{Finding, at};
use crate::guard::declared::Declared;
use crate::guard::numbers;
use crate::guard::words::{self, Wrong};
use crate::text::folded_for_rules;

pub(super) fn find(text: &str, rule: &Written<'_>, declared: Option<&Declared>) -> Vec<Finding> {
    let mut found = Vec::new();
    for spot in &rule.spots {
        for (field, word, part) in words_in(spot.expr) {
            found.extend(impossible(text, rule, &field, word, part));
            found.extend(not_folded(text, rule, &field, word, part));
        }
        found.extend(name_for_id(text, rule, spot));
        found.extend(client(text, rule, spot));
        found.extend(pattern(text, rule, spot));
        found.extend(number(text, rule, spot));
        found.extend(folded_permits(text, rule, spot));
        if let ExprKind::Lit(Literal::EntityUID(named)) = spot.expr.expr_kind() {
            found.extend(entity(text, rule, named, extent(text, spot.expr), declared));
        }
    }
    let policy = rule.policy;
    let scope = [
        policy.principal_constraint().as_inner().clone(),
        policy.resource_constraint().as_inner().clone(),
    ];
    for constraint in scope {
        use PrincipalOrResourceConstraint::{Eq, In, IsIn};
        if let In(EntityReference::EUID(named))
        | Eq(EntityReference::EUID(named))
        | IsIn(_, EntityReference::EUID(named)) = constraint
        {
            found.extend(entity(text, rule, &named, in_scope(text, rule, &named), declared));
        }
    }
    found
}

/// Where the head of a rule names something.
fn in_scope(text: &str, rule: &Written<'_>, named: &EntityUID) -> Option<Span> {
    let (from, head) = super::tree::head(text, rule.policy)?;
    let written = named.to_string();
    let start = from + head.find(&written)?;
    Some((start, start + written.len()))
}

/// The words that a field, or what is in it, is compared with.
fn words_in(expr: &Expr) -> Vec<(String, &str, &Expr)> {
    let ExprKind::BinaryApp { op, arg1, arg2 } = expr.expr_kind() else { return Vec::new() };
    let compares = matches!(
        op,
        BinaryOp::Eq | BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny
    );
    let sides = if compares { vec![(arg1, arg2), (arg2, arg1)] } else { Vec::new() };
    let mut found = Vec::new();
    for (field, others) in sides {
        let Some(field) = path(field) else { continue };
        let parts = match others.expr_kind() {
            ExprKind::Set(parts) => parts.iter().collect(),
            _ => vec![&**others],
        };
        let words = parts.into_iter().filter_map(|part| Some((string(part)?, part)));
        found.extend(words.map(|(word, part)| (field.clone(), word, part)));
    }
    found
}

/// A text as Cedar reads it.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.escape_debug())
}

fn impossible(
    text: &str,
    rule: &Written<'_>,
    field: &str,
    word: &str,
    part: &Expr,
) -> Option<Finding> {
    let Wrong { why, meant } = words::wrong(field, word)?;
    let message = format!("compares {field} with {word:?}, which it never is: {why}");
    let finding =
        at(text, rule, "unknown_word", extent(text, part), message, meant.as_deref().map(quoted));
    Some(match meant {
        Some(meant) => finding.hint(format!("{meant:?} is meant")),
        None => finding.hint("take a word that the schema lists"),
    })
}

/// Letters that folding takes away, beside what is folded.
fn not_folded(
    text: &str,
    rule: &Written<'_>,
    field: &str,
    word: &str,
    part: &Expr,
) -> Option<Finding> {
    let folded = folded_for_rules(word);
    if !field.ends_with(".folded") || folded == word {
        return None;
    }
    let message = format!("compares {field} with {word:?}: letter case and accents are off there");
    Some(at(text, rule, "folded", extent(text, part), message, Some(quoted(&folded))))
}

/// What a permit rests on is compared exactly.
fn folded_permits(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let field = path(spot.expr).filter(|field| field.ends_with(".folded"))?;
    if rule.forbids || rule.asks || spot.strict {
        return None;
    }
    let exact = field.replace(".folded", ".name");
    let message = format!("permits by {field}, which many names are folded to");
    Some(at(text, rule, "folded", extent(text, spot.expr), message, None).hint(format!(
        "a permit compares exactly, with {exact} or the id; `folded` is for forbidding"
    )))
}

/// A name where the id is asked for.
fn name_for_id(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { op: BinaryOp::Eq, .. } = spot.expr.expr_kind() else { return None };
    let (field, word, _) = words_in(spot.expr).into_iter().next()?;
    let whose = ["resource", "context.role", "context.grantee"]
        .into_iter()
        .find(|whose| field == format!("{whose}.id"))?;
    let is_plain = |c: char| c.is_alphabetic() || c == ' ';
    let is_name =
        word.chars().all(is_plain) && word.contains(|c: char| c == ' ' || c.is_uppercase());
    if !is_name {
        return None;
    }
    let message = format!("compares {field} with {word:?}, which looks like a name");
    let new = match spot.strict {
        true => format!("{whose}.folded like \"*{}*\"", folded_for_rules(word)),
        false => format!("({whose} has name && {whose}.name == {})", quoted(word)),
    };
    let new = if spot.negated { None } else { Some(new) };
    Some(
        at(text, rule, "name_for_id", extent(text, spot.expr), message, new)
            .hint("where the vendor's id is that word, leave it"),
    )
}

/// A client's name without its version.
fn client(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { op: BinaryOp::Eq, .. } = spot.expr.expr_kind() else { return None };
    let (field, word, _) = words_in(spot.expr).into_iter().next()?;
    let has_version =
        word.rsplit(' ').next().is_some_and(|last| last.contains(|c: char| c.is_ascii_digit()));
    if field != "context.client" || (has_version && word.contains(' ')) {
        return None;
    }
    let message =
        format!("compares {field} with {word:?}, which it never is: it is \"NAME VERSION\"");
    let like = format!("{field} like {}", quoted(&format!("{word} *")));
    let new = if spot.negated { format!("!({like})") } else { like };
    Some(
        at(text, rule, "client", extent(text, spot.expr), message, Some(new))
            .hint("context.client_name is the name alone"),
    )
}

/// A star that is a star, and patterns that what is folded never fits.
fn pattern(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::Like { expr, pattern } = spot.expr.expr_kind() else { return None };
    let (start, end) = extent(text, spot.expr)?;
    let written = text.get(start..end)?;
    if pattern.iter().any(|part| matches!(part, PatternElem::Char('*'))) {
        let message = "looks for a star itself: \\* stands for no other text".to_owned();
        let new = written.replace("\\*", "*");
        let finding = at(text, rule, "literal_star", Some((start, end)), message, Some(new));
        return Some(finding.hint("write * for whatever may stand there"));
    }
    let field = path(expr)?;
    let (_, quote) = written.rsplit_once(" like ")?;
    if field.ends_with(".folded") {
        let bare: String = pattern.iter().map(part_of).collect();
        let letters = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let folded = bare.split('*').map(folded_for_rules).collect::<Vec<_>>().join("*");
        let same = bare.split('*').map(letters).collect::<Vec<_>>().join("*") == folded;
        let message =
            format!("compares {field} with {quote}: letter case and accents are off there");
        let new = format!("{field} like {}", quoted(&kept(&bare)));
        let span = Some((start, end));
        return (!same).then(|| at(text, rule, "folded", span, message, Some(new)));
    }
    let is_small =
        matches!(field.as_str(), "resource.tenant" | "context.tenant" | "resource.vendor");
    let letters: String = pattern.iter().map(part_of).collect();
    if is_small && letters.contains(|c: char| c.is_uppercase()) {
        let message =
            format!("compares {field} with {quote}, which it never is: it has no capitals");
        let new = format!("{field} like {}", quoted(&letters.to_lowercase()));
        return Some(at(text, rule, "unknown_word", Some((start, end)), message, Some(new)));
    }
    None
}

fn part_of(part: &PatternElem) -> char {
    match part {
        PatternElem::Char(c) => *c,
        PatternElem::Wildcard => '*',
    }
}

/// A pattern folded, with the blanks at the ends of its pieces.
fn kept(pattern: &str) -> String {
    let piece = |piece: &str| {
        let blank = |is: bool| if is { " " } else { "" };
        let folded = folded_for_rules(piece);
        let (first, last) = (piece.starts_with(' '), piece.ends_with(' ') && !folded.is_empty());
        format!("{}{folded}{}", blank(first), blank(last))
    };
    pattern.split('*').map(piece).collect::<Vec<_>>().join("*")
}

/// Requesters and resources that nobody and nothing is called.
fn entity(
    text: &str,
    rule: &Written<'_>,
    named: &EntityUID,
    span: Option<Span>,
    declared: Option<&Declared>,
) -> Option<Finding> {
    let kind = named.entity_type().to_string();
    let id: &str = named.eid().as_ref();
    match kind.as_str() {
        "Requester" => requester(text, rule, id, span, declared),
        "Resource" => {
            let Wrong { why, meant } = words::wrong_resource(id)?;
            let message = format!("names Resource::{id:?}, which there is not: {why}");
            let new = meant.map(|meant| format!("Resource::{}", quoted(&meant)));
            let finding = at(text, rule, "unknown_word", span, message, new);
            Some(finding.hint("a resource is called \"VENDOR:KIND:ID\""))
        }
        "Group" if is_of_an_issuer(id) => None,
        "Group" => {
            let message = format!(
                "names the group {id:?}: nobody is in it, because a group is called \"ISSUER#NAME\""
            );
            let new = Some(format!("Team::{}", quoted(id)));
            let finding = at(text, rule, "group", span, message, new);
            Some(finding.hint("[teams.NAME] in the configuration lists members"))
        }
        _ => None,
    }
}

/// Whether a group is called as its issuer and that one's name for it.
fn is_of_an_issuer(group: &str) -> bool {
    group.split_once('#').is_some_and(|(issuer, name)| issuer.contains("://") && !name.is_empty())
}

fn requester(
    text: &str,
    rule: &Written<'_>,
    id: &str,
    span: Option<Span>,
    declared: Option<&Declared>,
) -> Option<Finding> {
    let known = || {
        let declared = declared?;
        let members = declared.teams.values().flatten().chain(declared.accounts.keys());
        let known: Vec<_> =
            members.filter(|known| known.to_lowercase() == id.to_lowercase()).collect();
        if known.iter().any(|known| *known == id) { None } else { known.first().copied() }
    };
    let meant = match known() {
        Some(known) => known.clone(),
        // A caller is called as an issuer has it.
        None if id.contains("://") => return None,
        None if id.contains(char::is_uppercase) => id.to_lowercase(),
        None => return None,
    };
    let message = format!(
        "names the requester {id:?}: letter case counts, and users of operating systems are mostly \
         called {meant:?}"
    );
    let new = Some(format!("Requester::{}", quoted(&meant)));
    Some(at(text, rule, "requester", span, message, new))
}

/// Dates, times and counts.
fn number(text: &str, rule: &Written<'_>, spot: &Spot<'_>) -> Option<Finding> {
    let ExprKind::BinaryApp { op, arg1, arg2 } = spot.expr.expr_kind() else { return None };
    let op = match op {
        BinaryOp::Eq => numbers::Op::Is,
        BinaryOp::Less => numbers::Op::Below,
        BinaryOp::LessEq => numbers::Op::AtMost,
        _ => return None,
    };
    let (field, value, op) = match (path(arg1), path(arg2)) {
        (Some(field), None) => (field, arg2, op),
        (None, Some(field)) => (field, arg1, op.turned()),
        _ => return None,
    };
    let is_date = field.ends_with(".date");
    let span = extent(text, value);
    if let Some((date, comes_to)) = dashed(value).filter(|_| is_date) {
        let written = span.and_then(|(start, end)| text.get(start..end)).unwrap_or_default();
        let message =
            format!("compares {field} with {written}, a subtraction that comes to {comes_to}");
        let finding = at(text, rule, "date", span, message, Some(date.to_string()));
        return Some(finding.hint(format!("a date is one number: {date}")));
    }
    let value = super::tree::number(value)?;
    let trouble = numbers::wrong(&field, op, value, spot.negated)?;
    let kind = match trouble.is_always {
        true => "always_true",
        false if is_date => "date",
        false => "number",
    };
    let finding = at(
        text,
        rule,
        kind,
        span,
        format!("compares {field} with {value}: {}", trouble.why),
        trouble.meant.map(|meant| meant.to_string()),
    );
    Some(finding.hint(trouble.hint))
}

/// `2026-12-24`: the date that is meant and the number that it comes to.
fn dashed(expr: &Expr) -> Option<(i64, i64)> {
    let minus = |expr: &Expr| match expr.expr_kind() {
        ExprKind::BinaryApp { op: BinaryOp::Sub, arg1, arg2 } => Some((arg1.clone(), arg2.clone())),
        _ => None,
    };
    let (first, day) = minus(expr)?;
    let (year, month) = minus(&first)?;
    let number = |expr: &Expr| super::tree::number(expr);
    let (year, month, day) = (number(&year)?, number(&month)?, number(&day)?);
    let date = year.checked_mul(10_000)?.checked_add(month.checked_mul(100)?)?.checked_add(day)?;
    Some((date, year.checked_sub(month)?.checked_sub(day)?))
}
