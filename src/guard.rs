//! Who may grant what: every resolved change is judged on what it really is.
//!
//! [`Permitted`] is made here and nowhere else, and without one nothing is recorded or sent.

pub mod consent;

use jiff::Timestamp;
use serde::Serialize;

use crate::intent::Intent;

/// The rules in force.
#[derive(Clone, Debug)]
pub struct Guard {
    read_only: bool,
}

/// What bears on a change beside the change itself.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Who asks: the user of the operating system.
    pub requester: &'a str,
    /// How many changes the requester has had sent in the hour before.
    pub changes_this_hour: u32,
    pub now: Timestamp,
}

/// What the guard says of one intent.
#[derive(Debug)]
pub enum Verdict {
    Allow(Box<Permitted>),
    Ask(Box<Asked>),
    Deny(Box<Denied>),
}

/// A change the guard lets pass: exactly the intent it judged.
#[derive(Debug)]
pub struct Permitted {
    intent: Intent,
    policy: Policy,
    consent: Option<String>,
}

/// A change that a person must approve: only [`consent`] turns it into a [`Permitted`].
#[derive(Debug)]
pub struct Asked {
    pub intent: Intent,
    pub policy: Policy,
    /// What the deciding rules say of asking; empty where they say nothing.
    pub why: String,
    /// A privileged or wide change: the person types the principal's name.
    pub typed: bool,
}

/// A change that is not to happen, and what would make it possible.
#[derive(Debug)]
pub struct Denied {
    pub intent: Intent,
    pub message: String,
    pub hint: String,
    pub policy: Policy,
}

/// The verdict as answers and ledger show it.
#[derive(Clone, Debug, Serialize)]
pub struct Policy {
    pub verdict: &'static str,
    /// The rules that decided it.
    pub rules: Vec<String>,
}

/// A policy that does not load: file, line, rule and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

impl Guard {
    pub(crate) fn built_in(read_only: bool) -> Result<Self, PolicyError> {
        Ok(Self { read_only })
    }

    pub(crate) fn compile(_name: &str, _text: &str, read_only: bool) -> Result<Self, PolicyError> {
        Ok(Self { read_only })
    }

    /// Judges one intent. Pure: the same intent in the same circumstances gets the same verdict.
    pub fn judge(&self, intent: Intent, _at: &Circumstances<'_>) -> Verdict {
        if self.read_only {
            let message = "this server is read-only".to_owned();
            let hint = "an administrator starts it without --read-only";
            return deny(intent, "read-only", message, hint);
        }
        if let Some(privilege) = &intent.privileged {
            let message = format!("privileged access is not granted here: {privilege}");
            let hint = "an administrator grants it in the vendor's own console";
            return deny(intent, "privileged-role", message, hint);
        }
        let policy = Policy { verdict: "allow", rules: Vec::new() };
        Verdict::Allow(Box::new(Permitted::new(intent, policy, None)))
    }
}

fn deny(intent: Intent, rule: &str, message: String, hint: &str) -> Verdict {
    let policy = Policy { verdict: "deny", rules: vec![rule.to_owned()] };
    Verdict::Deny(Box::new(Denied { intent, message, hint: hint.to_owned(), policy }))
}

impl Permitted {
    fn new(intent: Intent, policy: Policy, consent: Option<String>) -> Self {
        Self { intent, policy, consent }
    }

    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The receipt of the request that a person approved.
    pub fn consent(&self) -> Option<&str> {
        self.consent.as_deref()
    }
}

impl PolicyError {
    pub(crate) fn of_file(name: &str, trouble: &str) -> Self {
        Self(format!("{name}: {trouble}"))
    }
}
