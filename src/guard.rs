//! Who may grant what: every resolved change is judged on what it really is.
//!
//! [`Permitted`] is made here and nowhere else, and without one nothing is recorded or sent.

use serde::Serialize;

use crate::intent::Intent;

/// The rules in force.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    read_only: bool,
}

/// A change the guard lets pass: exactly the intent it judged.
#[derive(Debug)]
pub struct Permitted(Intent);

/// What the guard says of one intent.
pub enum Verdict {
    Allow(Box<Permitted>),
    Deny(Box<Denied>),
}

/// A change that is not to happen, and what would make it possible.
pub struct Denied {
    pub intent: Intent,
    pub message: String,
    pub hint: &'static str,
    pub policy: Policy,
}

/// The verdict as answers and ledger show it.
#[derive(Clone, Debug, Serialize)]
pub struct Policy {
    pub verdict: &'static str,
    pub rules: Vec<&'static str>,
}

const ALLOWED: Policy = Policy { verdict: "allow", rules: Vec::new() };

impl Guard {
    pub fn new(read_only: bool) -> Self {
        Self { read_only }
    }

    /// Judges one intent. Pure: the same intent gets the same verdict.
    pub fn judge(&self, intent: Intent) -> Verdict {
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
        Verdict::Allow(Box::new(Permitted(intent)))
    }
}

fn deny(intent: Intent, rule: &'static str, message: String, hint: &'static str) -> Verdict {
    let policy = Policy { verdict: "deny", rules: vec![rule] };
    Verdict::Deny(Box::new(Denied { intent, message, hint, policy }))
}

impl Permitted {
    pub fn intent(&self) -> &Intent {
        &self.0
    }

    pub fn policy(&self) -> Policy {
        ALLOWED
    }
}
