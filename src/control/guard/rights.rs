//! What somebody may do with what another asked for: see it, and approve it.
//!
//! These two are no part of what a rule without an action says: a rule bears on one of them only where the
//! action in its head names it. Where no rule does, [`Guard::rules_on`] says so, and whoever asks goes by what is
//! built in.

use super::explain::Judged;
use super::facts::Subject;
use super::ruling::Ruling;
use super::{Circumstances, Demand, Guard, VerdictRecord, address, apart, gains};
use crate::access::Named;
use crate::failure::Failure;
use crate::intent::Intent;
use crate::requester::{Groups, Requester};

/// What may be done with what another asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Its receipt is there for them.
    See,
    /// Their yes counts.
    Approve,
}

/// A change, and who asked for it.
#[derive(Clone, Copy, Debug)]
pub struct AskedFor<'a> {
    pub intent: &'a Intent,
    pub by: &'a Requester,
    /// How many people have agreed to it so far.
    pub approvals: usize,
}

impl Right {
    pub const ALL: [Self; 2] = [Self::See, Self::Approve];

    /// The action that rules name it by.
    pub const fn action(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Approve => "approve",
        }
    }
}

impl Guard {
    /// Whether a rule's head names this right, so that the rules alone decide about it.
    pub fn rules_on(&self, right: Right) -> bool {
        self.in_force().names(right)
    }

    /// Whether somebody's yes to a change counts: as the rules say that name `approve`, and never where no rule can
    /// allow it. Where it does, whether the change gives access to themselves is not known: to an account of theirs,
    /// or a group that they are in. `is_alias` says whether the configuration calls an account theirs.
    ///
    /// # Errors
    /// `Refused`, with the rules that say so.
    pub fn approves(
        &self,
        asked: AskedFor<'_>,
        at: &Circumstances<'_>,
        is_alias: impl Fn(&Named) -> bool,
    ) -> Result<bool, Failure> {
        let gain = self.gives_to(asked.intent, at.requester, is_alias);
        match self.ruling_on(Right::Approve, asked, at, gain) {
            Ruling::Deny { message, hint, .. } => Err(Failure::refused(message).hint(hint)),
            Ruling::Allow(_) | Ruling::Ask { .. } => Ok(gain.is_none()),
        }
    }

    /// What a policy's author is told of a right: the verdict, and each rule's part in it that names the right.
    /// Where no rule does, it is what is built in.
    pub fn explain_right(
        &self,
        right: Right,
        asked: AskedFor<'_>,
        at: &Circumstances<'_>,
    ) -> Judged {
        let gain = self.gives_to(asked.intent, at.requester, |_| false);
        let ruling = match self.rules_on(right) {
            true => self.ruling_on(right, asked, at, gain),
            false => built_in(right, asked, at.requester),
        };
        let case = self.case(Subject::Right(right, asked, None), at);
        let mut judged = self.judged(asked.intent.summary.clone(), &ruling, &[case], Vec::new());
        judged.rules.retain(|rule| self.in_force().is_on(&rule.id, right));
        judged.says = match ruling {
            Ruling::Deny { message, hint, .. } => Some(format!("{message}: {hint}")),
            _ if !self.rules_on(right) => Some(format!("no rule names {}", right.action())),
            _ => None,
        };
        judged
    }

    /// The same of a yes: it has to be one of those that the change takes, too.
    pub fn explain_yes(&self, asked: AskedFor<'_>, at: &Circumstances<'_>) -> Judged {
        let mut judged = self.explain_right(Right::Approve, asked, at);
        let change = self.ruling(asked.intent, &Circumstances { requester: asked.by, ..*at });
        judged.takes = change.takes();
        match change {
            Ruling::Ask { rules, demands, .. } => {
                let is_wanted = |demand: &Demand| {
                    demand.of.as_ref().is_none_or(|group| self.is_of(group, at.requester))
                };
                let is_theirs = demands.is_empty() || demands.iter().any(is_wanted);
                if judged.policy.verdict == "allow" && !is_theirs {
                    judged.policy = VerdictRecord { verdict: "deny", rules };
                    judged.says = Some("their yes would not be one of those it takes".to_owned());
                }
            }
            Ruling::Allow(_) => judged.says = Some("nobody is asked for it".to_owned()),
            Ruling::Deny { message, .. } => {
                judged.says = Some(format!("nobody is asked for it: {message}"));
            }
        }
        judged
    }

    fn ruling_on(
        &self,
        right: Right,
        asked: AskedFor<'_>,
        at: &Circumstances<'_>,
        gain: Option<bool>,
    ) -> Ruling {
        let is_own = asked.by.name() == at.requester.name();
        let never = match right {
            Right::See => None,
            Right::Approve => Self::never(at.requester, is_own, gain),
        };
        match never.unwrap_or_else(|| self.ruled(right, asked, at)) {
            unspoken if unspoken.is_unspoken() => nobody_may(right, is_own),
            ruling => ruling,
        }
    }

    /// Whether the rules let somebody know of what was asked for, because they may see it, or because it would
    /// be theirs to approve if it gave nothing to themselves.
    pub fn shows(&self, right: Right, asked: AskedFor<'_>, at: &Circumstances<'_>) -> bool {
        let counts = right == Right::See || !at.requester.is_service();
        counts && matches!(self.ruled(right, asked, at), Ruling::Allow(_))
    }

    fn ruled(&self, right: Right, asked: AskedFor<'_>, at: &Circumstances<'_>) -> Ruling {
        let is_own = right == Right::Approve && asked.by.name() == at.requester.name();
        let decide = |row| {
            let case = self.case(Subject::Right(right, asked, row), at);
            self.in_force().decide_right(right, is_own, case)
        };
        let whole = decide(None);
        let rows = apart(asked.intent);
        if rows.is_empty() {
            return whole;
        }
        // Each of several has its own permit; what speaks against all of them counts too.
        let rows = rows.iter().map(|row| decide(Some(row)));
        let against = Some(whole).filter(Ruling::speaks_against);
        rows.chain(against).reduce(Ruling::stricter).unwrap_or(Ruling::Allow(Vec::new()))
    }

    /// What no rule can allow of an approval.
    fn never(who: &Requester, is_own: bool, gain: Option<bool>) -> Option<Ruling> {
        let (rule, message, hint) = match gain {
            _ if who.is_service() => (
                "never-a-service",
                "a service never approves",
                "a person does, with an account of their own",
            ),
            Some(true) => (
                "never-oneself",
                "nobody approves what gives access to themselves",
                "somebody else approves it",
            ),
            None if is_own && who.caller().is_some() => (
                "never-oneself",
                "you asked for it, and whether it gives access to yourself is not known",
                "somebody else approves it",
            ),
            Some(false) | None => return None,
        };
        let (rules, message, hint) = (vec![rule.to_owned()], message.to_owned(), hint.to_owned());
        Some(Ruling::Deny { rules, message, hint })
    }

    /// Whether somebody is in a group: a team of the configuration, or an issuer's as `ISSUER#NAME`.
    pub fn is_of(&self, group: &str, who: &Requester) -> bool {
        let is_told = match who.groups() {
            Groups::Told(groups) => groups.iter().any(|one| one == group),
            // Of no group is it known.
            Groups::Untold => false,
        };
        let declared = self.declared.as_deref();
        is_told
            || declared.is_some_and(|known| known.teams_of(who.name()).any(|team| team == group))
    }

    /// Whether a change gives access to somebody, themselves or by an account that is theirs; none where that
    /// is not known.
    fn gives_to(
        &self,
        intent: &Intent,
        who: &Requester,
        is_alias: impl Fn(&Named) -> bool,
    ) -> Option<bool> {
        let own = who.caller().and_then(|caller| address::normal(caller.email.as_deref()?));
        let nothing = super::Declared::default();
        let declared = self.declared.as_deref().unwrap_or(&nothing);
        let gives = |whom: &&Named| {
            let known =
                declared.is_own(who.name(), intent.vendor, intent.tenant_told.as_str(), whom);
            let theirs = address::address(whom);
            let is_address = own.as_ref().zip(theirs.as_ref()).map(|(own, theirs)| own == theirs);
            if known == Some(true) || is_address == Some(true) || is_alias(whom) {
                return Some(true);
            }
            known.or(is_address)
        };
        let all: Vec<_> = gains::gaining(intent).iter().map(gives).collect();
        if all.contains(&Some(true)) {
            return Some(true);
        }
        all.iter().all(Option::is_some).then_some(false)
    }
}

/// What is so where no rule names a right: whoever is at the machine has it, and a caller sees what is their own.
fn built_in(right: Right, asked: AskedFor<'_>, who: &Requester) -> Ruling {
    let message = match right {
        _ if who.caller().is_none() => return Ruling::Allow(Vec::new()),
        Right::See if asked.by.name() == who.name() => return Ruling::Allow(Vec::new()),
        Right::See => "no rule names see, and a caller sees what is their own",
        Right::Approve => "no rule names approve, and nobody approves over HTTP then",
    };
    let hint = format!("an administrator writes a permit for `{}`", right.action());
    Ruling::Deny { rules: Vec::new(), message: message.to_owned(), hint }
}

/// What is said where no rule lets somebody have a right.
fn nobody_may(right: Right, is_own: bool) -> Ruling {
    let action = right.action();
    let message = match (right, is_own) {
        (Right::Approve, true) => {
            "you asked for it yourself, and no rule of the policy lets you approve that".to_owned()
        }
        _ => format!("no rule of the policy permits you to {action} it"),
    };
    let hint = match right {
        Right::Approve => "whoever the rules let approve it does",
        Right::See => "an administrator writes a permit for `see`",
    };
    Ruling::Deny { rules: Vec::new(), message, hint: hint.to_owned() }
}
