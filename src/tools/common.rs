//! Arguments that changes have in common.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Effect, parse};
use crate::argument::{Duration, Time};
use crate::failure::Failure;
use crate::text;

/// Arguments that every change takes beside its own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// Why; kept in the ledger.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
    /// Only show the request.
    #[serde(default)]
    pub dry_run: Option<bool>,
}

/// Arguments that every grant takes beside its own.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lasting {
    /// How long it lasts, such as P7D.
    expires_in: Option<Duration>,
    /// When it ends; instead of expires_in.
    expires_at: Option<Time>,
}

/// From when to when an access is wanted, in whole seconds: vendors show no fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

/// The names of [`Common`]'s fields, and of [`Lasting`]'s.
const COMMON: [&str; 2] = ["reason", "dry_run"];
const LASTING: [&str; 2] = ["expires_in", "expires_at"];
const LONGEST_REASON: usize = 1000;

impl Common {
    /// Takes the common arguments out of a change's arguments.
    ///
    /// # Errors
    /// One of them has the wrong type.
    pub fn take(arguments: &mut Map<String, Value>) -> Result<Self, Failure> {
        let mut common: Self = take(arguments, &COMMON)?;
        // Nobody learns anything from it, so that no rule is satisfied by it.
        common.reason = common.reason.filter(|reason| !text::is_blank(reason));
        if common.reason.as_ref().is_some_and(|text| text.chars().count() > LONGEST_REASON) {
            let trouble = format!("reason: must have at most {LONGEST_REASON} characters");
            return Err(Failure::invalid(trouble));
        }
        Ok(common)
    }
}

/// Takes a reason that says nothing out of the arguments of a call.
pub fn without_blank_reason(arguments: &mut Map<String, Value>) {
    let blank = |reason: &Value| reason.as_str().is_some_and(text::is_blank);
    if arguments.get("reason").is_some_and(blank) {
        arguments.shift_remove("reason");
    }
}

impl Lasting {
    /// Takes the arguments of a grant's end out of a grant's arguments.
    ///
    /// # Errors
    /// One of them has the wrong type.
    pub fn take(effect: Effect, arguments: &mut Map<String, Value>) -> Result<Self, Failure> {
        if effect == Effect::Grant { take(arguments, &LASTING) } else { Ok(Self::default()) }
    }

    /// # Errors
    /// Both are given, or the end is not a time to come.
    pub fn term(self, now: Timestamp) -> Result<Term, Failure> {
        let end = match (self.expires_in, self.expires_at) {
            (None, None) => return Ok(Term { from: whole(now), until: None }),
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("expires_in and expires_at exclude each other"));
            }
            (Some(duration), None) => duration.after(now),
            (None, Some(time)) => Some(time.timestamp()),
        };
        match end {
            Some(end) if end > now => Ok(Term { from: whole(now), until: Some(whole(end)) }),
            _ => Err(Failure::invalid(
                "expires_at, or the end of expires_in, must be a time to come",
            )),
        }
    }
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn take<T: DeserializeOwned>(
    arguments: &mut Map<String, Value>,
    names: &[&str],
) -> Result<T, Failure> {
    let own = names.iter().filter_map(|name| arguments.shift_remove_entry(*name));
    parse(Value::Object(own.collect()))
}
