//! A policy's text as a tree whose parts know where they stand.

use cedar_policy_core::ast::{
    ActionConstraint, Effect, Expr, ExprKind, Literal, Policy, UnaryOp, Var,
};
use cedar_policy_core::parser::{self, Loc};

/// A part of a condition.
pub(super) struct Spot<'a> {
    pub(super) expr: &'a Expr,
    /// Whether the policy is stricter where this is so.
    pub(super) strict: bool,
    /// Whether it stands behind a comparison's own negation: `>`, `>=` and `!=` are the others, negated.
    pub(super) negated: bool,
    pub(super) parent: Option<usize>,
}

/// One rule as it is written.
pub(super) struct Written<'a> {
    pub(super) id: String,
    pub(super) forbids: bool,
    pub(super) asks: bool,
    pub(super) policy: &'a Policy,
    pub(super) spots: Vec<Spot<'a>>,
}

pub(super) type Span = (usize, usize);

/// The rules in their order; none where the text is no policy.
pub(super) fn parsed(text: &str) -> Option<Vec<Policy>> {
    let set = parser::parse_policyset(text).ok()?;
    let mut policies: Vec<_> = set.policies().cloned().collect();
    policies.sort_by_key(start);
    Some(policies)
}

pub(super) fn start(policy: &Policy) -> usize {
    policy.loc().map_or(0, Loc::start)
}

/// The head of a rule, behind its annotations, and where it begins.
pub(super) fn head<'t>(text: &'t str, policy: &Policy) -> Option<(usize, &'t str)> {
    let ends = policy.annotations().filter_map(|(_, note)| Some(note.loc.as_ref()?.end()));
    let from = ends.max().unwrap_or_default().max(start(policy));
    let rest = text.get(from..)?;
    let ends = rest.find([';', '{']).unwrap_or(rest.len());
    Some((from, rest.get(..ends)?))
}

pub(super) fn written(policy: &Policy) -> Written<'_> {
    let note = |wanted: &str| {
        let mut notes = policy.annotations().filter(|(name, _)| name.as_ref() == wanted);
        notes.next().map(|(_, note)| note.val.to_string())
    };
    let forbids = policy.effect() == Effect::Forbid;
    let mut spots = Vec::new();
    if let Some(condition) = policy.non_scope_constraints() {
        walk(condition, forbids, false, None, &mut spots);
    }
    Written {
        id: note("id").unwrap_or_default(),
        forbids,
        asks: note("ask").is_some(),
        policy,
        spots,
    }
}

fn walk<'a>(
    expr: &'a Expr,
    strict: bool,
    negated: bool,
    parent: Option<usize>,
    spots: &mut Vec<Spot<'a>>,
) {
    let at = Some(spots.len());
    spots.push(Spot { expr, strict, negated, parent });
    let mut go = |part: &'a Expr| walk(part, strict, false, at, spots);
    match expr.expr_kind() {
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } => {
            walk(arg, !strict, is_sugar(expr, arg), at, spots);
        }
        ExprKind::UnaryApp { arg, .. } => go(arg),
        ExprKind::If { test_expr, then_expr, else_expr } => {
            [test_expr, then_expr, else_expr].into_iter().for_each(|part| go(part));
        }
        ExprKind::And { left, right } | ExprKind::Or { left, right } => {
            [left, right].into_iter().for_each(|part| go(part));
        }
        ExprKind::BinaryApp { arg1, arg2, .. } => {
            [arg1, arg2].into_iter().for_each(|part| go(part));
        }
        ExprKind::ExtensionFunctionApp { args, .. } => args.iter().for_each(go),
        ExprKind::Set(parts) => parts.iter().for_each(go),
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => go(expr),
        ExprKind::Record(fields) => fields.values().for_each(go),
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {}
    }
}

/// Whether a negation is that of an operator and not written out.
fn is_sugar(not: &Expr, arg: &Expr) -> bool {
    let written = not.source_loc().and_then(Loc::snippet).map(str::trim_start);
    matches!(arg.expr_kind(), ExprKind::BinaryApp { .. })
        && written.is_some_and(|text| !text.starts_with('!') && !text.starts_with("unless"))
}

/// A field by the way a rule writes it, such as `context.now.date`.
pub(super) fn path(expr: &Expr) -> Option<String> {
    match expr.expr_kind() {
        ExprKind::Var(var) => Some(name(*var).to_owned()),
        ExprKind::GetAttr { expr, attr } => Some(format!("{}.{attr}", path(expr)?)),
        _ => None,
    }
}

fn name(var: Var) -> &'static str {
    match var {
        Var::Principal => "principal",
        Var::Action => "action",
        Var::Resource => "resource",
        Var::Context => "context",
    }
}

/// The field whose presence is asked for.
pub(super) fn asked_for(expr: &Expr) -> Option<String> {
    match expr.expr_kind() {
        ExprKind::HasAttr { expr, attr } => Some(format!("{}.{attr}", path(expr)?)),
        ExprKind::ExtHasAttr { expr, attrs } => {
            let first = attrs.iter().next()?;
            Some(format!("{}.{first}", path(expr)?))
        }
        _ => None,
    }
}

pub(super) fn string(expr: &Expr) -> Option<&str> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::String(text)) => Some(text.as_str()),
        _ => None,
    }
}

pub(super) fn number(expr: &Expr) -> Option<i64> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::Long(number)) => Some(*number),
        ExprKind::UnaryApp { op: UnaryOp::Neg, arg } => number_of(arg)?.checked_neg(),
        _ => None,
    }
}

fn number_of(expr: &Expr) -> Option<i64> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::Long(number)) => Some(*number),
        _ => None,
    }
}

/// The parts that are joined by `&&`.
pub(super) fn joined(expr: &Expr) -> Vec<&Expr> {
    match expr.expr_kind() {
        ExprKind::And { left, right } => [joined(left), joined(right)].concat(),
        _ => vec![expr],
    }
}

/// Whether something in it asks for this field, or for a part of it.
pub(super) fn uses(expr: &Expr, field: &str) -> bool {
    expr.subexpressions().any(|part| path(part).is_some_and(|path| path == field))
}

/// Where a part stands, with brackets that belong to it; none where it is not written in one piece.
pub(super) fn extent(text: &str, expr: &Expr) -> Option<Span> {
    let (start, end) = bare(expr)?;
    balanced(text, start, end)
}

fn bare(expr: &Expr) -> Option<Span> {
    match expr.expr_kind() {
        ExprKind::And { left, right } | ExprKind::Or { left, right } => {
            Some((bare(left)?.0, bare(right)?.1))
        }
        _ => expr.source_loc().map(|loc| (loc.start(), loc.end())),
    }
}

/// From one part to another.
pub(super) fn from_to(text: &str, first: &Expr, last: &Expr) -> Option<Span> {
    let (start, end) = (extent(text, first)?.0, extent(text, last)?.1);
    balanced(text, start, end)
}

/// With the brackets that open in it closed in it.
pub(super) fn balanced(text: &str, mut start: usize, mut end: usize) -> Option<Span> {
    for _ in 0..8 {
        let (opened, closed) = brackets(text.get(start..end)?)?;
        if opened == 0 && closed == 0 {
            return Some((start, end));
        }
        if opened > 0 {
            let rest = text.get(end..)?;
            let blank = rest.len() - rest.trim_start().len();
            end += rest.trim_start().starts_with(')').then_some(blank + 1)?;
        } else {
            let before = text.get(..start)?.trim_end();
            start = before.strip_suffix('(')?.len();
        }
    }
    None
}

/// How many round brackets are left open, and how many close that were not opened.
fn brackets(text: &str) -> Option<(usize, usize)> {
    let (mut opened, mut closed, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '}' => return None,
            '(' => opened += 1,
            ')' if opened > 0 => opened -= 1,
            ')' => closed += 1,
            _ => {}
        }
    }
    Some((opened, closed))
}

impl<'a> Written<'a> {
    pub(super) fn has(&self, field: &str) -> bool {
        self.spots.iter().any(|spot| asked_for(spot.expr).is_some_and(|asked| asked == field))
    }

    pub(super) fn mentions(&self, field: &str) -> bool {
        self.spots.iter().any(|spot| path(spot.expr).is_some_and(|path| path == field))
    }

    /// Whether it applies to whatever it is about.
    pub(super) fn is_unconditional(&self) -> bool {
        self.policy.non_scope_constraints().is_none_or(|condition| {
            matches!(condition.expr_kind(), ExprKind::Lit(Literal::Bool(true)))
        })
    }

    /// Whether its head says which actions it is about.
    pub(super) fn names_actions(&self) -> bool {
        !matches!(self.policy.action_constraint(), ActionConstraint::Any)
    }

    /// Whether the rule is about an action, as far as what it says of the action goes.
    pub(super) fn is_about(&self, action: &str, groups: &[&str]) -> bool {
        let named = |known: &str| known == action || groups.contains(&known);
        match self.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(only) => only.eid().as_ref() == action,
            ActionConstraint::In(all) => all.iter().any(|one| named(one.eid().as_ref())),
        }
    }

    /// Whether absence alone makes the policy stricter: some part of the rule decides for itself what
    /// it makes of a field that is not there.
    pub(super) fn decides_absence(&self, field: &str) -> bool {
        self.spots.iter().any(|spot| {
            let asks = !spot.strict && asked_for(spot.expr).is_some_and(|asked| asked == field);
            asks && self.above(spot).all(|above| match above.expr.expr_kind() {
                ExprKind::And { .. } => !above.strict,
                ExprKind::Or { .. } => above.strict,
                ExprKind::UnaryApp { op: UnaryOp::Not, .. } => true,
                _ => false,
            })
        })
    }

    fn above<'s>(&'s self, spot: &Spot<'a>) -> impl Iterator<Item = &'s Spot<'a>> {
        let mut next = spot.parent;
        std::iter::from_fn(move || {
            let spot = self.spots.get(next?)?;
            next = spot.parent;
            Some(spot)
        })
    }

    pub(super) fn parent(&self, spot: &Spot<'a>) -> Option<&Spot<'a>> {
        self.spots.get(spot.parent?)
    }
}
