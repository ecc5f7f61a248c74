//! What lets a change through: values that only this room makes, each from the one before it.
//!
//! ```text
//!            Guard::judge                 Ledger::open                outbound::write
//!  Intent ───┬─────────────► Permitted ──────────────► Opened ───────────────────────► the vendor
//!            │                   ▲       flushed to disk        signed, sent once
//!            ├─► Denied          │ NeedsConsent::approved
//!            │                   │
//!            └─► NeedsConsent ───┘
//!                  a person's yes ───► Ledger::spend ───► Spent
//! ```
//!
//! A [`Permitted`] is what the guard judged and nothing else. A [`NeedsConsent`] becomes one only with a
//! [`Spent`]: a person's yes that is used up on disk. An [`Opened`] is on disk before anything leaves.
//! None can be copied, made elsewhere, or changed once it is made.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::draft::Draft;
use crate::intent::Intent;

/// A change the guard lets pass: exactly the intent it judged.
#[derive(Debug)]
pub struct Permitted {
    intent: Intent,
    policy: VerdictRecord,
    consent: Option<String>,
}

/// A change that a person must approve: only [`NeedsConsent::approved`] turns it into a [`Permitted`].
#[derive(Debug)]
pub struct NeedsConsent {
    intent: Intent,
    policy: VerdictRecord,
    why: String,
    typed: bool,
    demands: Vec<Demand>,
}

/// Whose yeses a change takes: those of so many different people, all of a group where one is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    pub people: usize,
    /// A team of the configuration, or an issuer's group as `ISSUER#NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// A change that is not to happen, and what would make it possible.
#[derive(Debug)]
pub struct Denied {
    pub intent: Intent,
    pub message: String,
    pub hint: String,
    pub policy: VerdictRecord,
}

/// The verdict as answers and ledger show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictRecord {
    pub verdict: &'static str,
    /// The rules that decided it.
    pub rules: Vec<String>,
}

impl Demand {
    /// In words, after "it takes the yes of".
    pub fn words(&self) -> String {
        let who = match self.people {
            1 => "one person".to_owned(),
            people => format!("{people} different people"),
        };
        match &self.of {
            Some(group) => format!("{who} of {group}"),
            None => who,
        }
    }
}

impl VerdictRecord {
    /// The strictest of several, by all the rules that say so.
    pub fn strictest<'v>(all: impl Iterator<Item = &'v Self>) -> Option<Self> {
        let rank = |of: &Self| ["allow", "ask", "deny"].iter().position(|word| *word == of.verdict);
        all.cloned().reduce(|mut one, other| match rank(&one).cmp(&rank(&other)) {
            Ordering::Less => other,
            Ordering::Greater => one,
            Ordering::Equal => {
                let fresh = other.rules.into_iter().filter(|rule| !one.rules.contains(rule));
                let fresh: Vec<_> = fresh.collect();
                one.rules.extend(fresh);
                one
            }
        })
    }
}

/// A consent that is used up, on disk: good for what was asked, and for nothing else.
#[derive(Debug)]
pub struct Spent {
    receipt: String,
}

/// A change that is on disk: it may leave, once.
#[derive(Debug)]
pub struct Opened {
    receipt: String,
    permitted: Box<Permitted>,
    /// Left with it: what is open then, and carried out by nobody, is looked into.
    in_flight: InFlight,
}

/// The receipts of changes that this process carries out now.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct InFlight(Arc<Mutex<HashSet<String>>>);

impl Permitted {
    pub(in crate::control) fn new(intent: Intent, policy: VerdictRecord) -> Self {
        Self { intent, policy, consent: None }
    }

    /// The same as a part of what a person agreed to, which is all of a set: also what no rule asks about.
    pub fn agreed(self: Box<Self>, spent: &Spent) -> Box<Self> {
        Box::new(Self { consent: Some(spent.receipt.clone()), ..*self })
    }

    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    pub fn policy(&self) -> &VerdictRecord {
        &self.policy
    }

    /// The receipt of the request that a person approved.
    pub fn consent(&self) -> Option<&str> {
        self.consent.as_deref()
    }
}

impl NeedsConsent {
    pub(in crate::control) fn new(
        intent: Intent,
        policy: VerdictRecord,
        why: String,
        typed: bool,
    ) -> Self {
        Self { intent, policy, why, typed, demands: Vec::new() }
    }

    /// The same, where one yes is not enough or not everybody's.
    pub(in crate::control) fn demanding(self, demands: Vec<Demand>) -> Self {
        Self { demands, ..self }
    }

    /// Whose yeses it takes; nothing where one yes is enough, whoever's that may approve.
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// One that no rule asked for: to try out what is made of it.
    #[cfg(test)]
    pub(crate) fn supposed(intent: Intent, policy: VerdictRecord, typed: bool) -> Self {
        Self::new(intent, policy, String::new(), typed)
    }

    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    pub fn policy(&self) -> &VerdictRecord {
        &self.policy
    }

    /// What the deciding rules say of asking; empty where they say nothing.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Whether the person types the principal's name: the change is privileged or wide.
    pub fn typed(&self) -> bool {
        self.typed
    }

    /// The permission that a person's yes makes of it. `spent` is on disk already, so that no consent
    /// serves twice.
    pub fn approved(self: Box<Self>, spent: &Spent) -> Box<Permitted> {
        let Self { intent, policy, .. } = *self;
        Box::new(Permitted { intent, policy, consent: Some(spent.receipt.clone()) })
    }
}

impl Spent {
    pub(in crate::control) fn new(receipt: &str) -> Self {
        Self { receipt: receipt.to_owned() }
    }

    /// Of the request that was approved.
    pub fn receipt(&self) -> &str {
        &self.receipt
    }
}

impl Opened {
    /// Whoever makes one flushes its line to disk before anybody else has it.
    pub(in crate::control) fn new(
        receipt: String,
        permitted: Box<Permitted>,
        in_flight: &InFlight,
    ) -> Self {
        in_flight.lock().insert(receipt.clone());
        Self { receipt, permitted, in_flight: in_flight.clone() }
    }

    pub fn receipt(&self) -> &str {
        &self.receipt
    }

    pub fn intent(&self) -> &Intent {
        self.permitted.intent()
    }

    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// What is to be sent.
    pub(crate) fn draft(&self) -> Option<&Draft> {
        self.intent().draft.as_ref()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.receipt);
    }
}

impl InFlight {
    pub(in crate::control) fn holds(&self, receipt: &str) -> bool {
        self.lock().contains(receipt)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
