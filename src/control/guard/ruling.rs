//! What the rules say of a change, and of several rows of one.

use crate::control::permit::Demand;
use crate::intent::Effect;
use crate::intent::JudgedPart;

/// What the rules say, by their ids.
#[derive(Debug)]
pub(super) enum Ruling {
    Allow(Vec<String>),
    Ask { rules: Vec<String>, why: String, demands: Vec<Demand> },
    Deny { rules: Vec<String>, message: String, hint: String },
}

/// More rows than this are counted in a message, not named.
const NAMED: usize = 3;

impl Ruling {
    pub(super) fn verdict(&self) -> (&'static str, &[String]) {
        match self {
            Self::Allow(rules) => ("allow", rules),
            Self::Ask { rules, .. } => ("ask", rules),
            Self::Deny { rules, .. } => ("deny", rules),
        }
    }

    /// Whose yeses it takes, where a person is asked and not any one is enough.
    pub(super) fn takes(&self) -> Option<String> {
        let Self::Ask { demands, .. } = self else { return None };
        let words: Vec<_> = demands.iter().map(Demand::words).collect();
        (!words.is_empty()).then(|| words.join(", and of "))
    }

    /// No rule speaks for it, and none against it.
    pub(super) fn is_unspoken(&self) -> bool {
        matches!(self, Self::Deny { rules, .. } if rules.is_empty())
    }

    /// A rule speaks against it.
    pub(super) fn speaks_against(&self) -> bool {
        matches!(self, Self::Deny { rules, .. } if !rules.is_empty())
    }

    /// The stricter of two; where they are alike, both.
    pub(super) fn stricter(self, other: Self) -> Self {
        let both = |mut one: Vec<String>, other: Vec<String>| {
            let fresh: Vec<_> = other.into_iter().filter(|id| !one.contains(id)).collect();
            one.extend(fresh);
            one
        };
        match (self, other) {
            (Self::Deny { rules, message, hint }, Self::Deny { rules: more, .. }) => {
                Self::Deny { rules: both(rules, more), message, hint }
            }
            (denied @ Self::Deny { .. }, _) | (_, denied @ Self::Deny { .. }) => denied,
            (
                Self::Ask { rules, why, mut demands },
                Self::Ask { rules: more, why: also, demands: others },
            ) => {
                add(&mut demands, others);
                let texts: Vec<_> = [why, also].into_iter().filter(|why| !why.is_empty()).collect();
                Self::Ask { rules: both(rules, more), why: texts.join("; "), demands }
            }
            (asked @ Self::Ask { .. }, _) | (_, asked @ Self::Ask { .. }) => asked,
            (Self::Allow(rules), Self::Allow(more)) => Self::Allow(both(rules, more)),
        }
    }

    /// The strictest of those of the whole call and of each row.
    pub(super) fn strictest(whole: Self, rows: Vec<(&JudgedPart, Self)>) -> Self {
        let is_denied = |ruling: &Self| matches!(ruling, Self::Deny { .. });
        let worst = |(_, ruling): &(&JudgedPart, Self)| is_denied(ruling);
        if rows.iter().any(worst) || is_denied(&whole) {
            return denied(whole, rows);
        }
        let (mut asking, mut allowing, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let mut demands = Vec::new();
        for ruling in std::iter::once(whole).chain(rows.into_iter().map(|(_, ruling)| ruling)) {
            match ruling {
                Self::Allow(rules) => add(&mut allowing, rules),
                Self::Ask { rules, why, demands: of_it } => {
                    add(&mut demands, of_it);
                    add(&mut asking, rules);
                    add(&mut texts, Some(why).filter(|why| !why.is_empty()));
                }
                Self::Deny { .. } => {}
            }
        }
        if asking.is_empty() {
            return Self::Allow(allowing);
        }
        Self::Ask { rules: asking, why: texts.join("; "), demands }
    }
}

fn denied(whole: Ruling, rows: Vec<(&JudgedPart, Ruling)>) -> Ruling {
    let (mut rules, mut said, mut hints, mut left) = (Vec::new(), Vec::new(), Vec::new(), 0_usize);
    for (row, ruling) in rows {
        let Ruling::Deny { rules: of_row, mut message, hint } = ruling else { continue };
        if said.len() < NAMED {
            if let Some(privilege) = &row.privileged {
                message.push_str(&format!("; it is privileged: {privilege}"));
            }
            said.push(format!("{}: {message}", name(row)));
        } else {
            left += 1;
        }
        add(&mut rules, of_row);
        add(&mut hints, [hint]);
    }
    if left > 0 {
        said.push(format!("and {left} more"));
    }
    if let Ruling::Deny { rules: of_whole, message, hint } = whole {
        // What the rows were refused for need not be said again.
        if said.is_empty() || of_whole.iter().any(|rule| !rules.contains(rule)) {
            said.push(message);
            add(&mut hints, [hint]);
        }
        add(&mut rules, of_whole);
    }
    Ruling::Deny { rules, message: said.join("; "), hint: hints.join("; ") }
}

/// A row in words.
pub(super) fn name(row: &JudgedPart) -> String {
    let (role, whom) = (row.wanted.role.said(), row.wanted.principal.label());
    match row.effect {
        Effect::Revoke => format!("taking {role} from {whom}"),
        _ => format!("{role} for {whom}"),
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, new: impl IntoIterator<Item = T>) {
    for one in new {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}
