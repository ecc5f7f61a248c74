//! Arguments that changes have in common.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::parse;
use crate::argument::{Duration, Time};
use crate::failure::Failure;
use crate::intent::{Effect, Term, too_long};
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

/// The names of [`Common`]'s fields, and of [`Lasting`]'s.
pub const COMMON: [&str; 2] = ["reason", "dry_run"];
pub const LASTING: [&str; 2] = ["expires_in", "expires_at"];
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

/// The argument of when a grant begins, where a vendor keeps that.
pub const STARTS: &str = "starts_at";

/// Takes when a grant begins out of its arguments.
///
/// # Errors
/// It is no time.
pub fn starting(arguments: &mut Map<String, Value>) -> Result<Option<Timestamp>, Failure> {
    let Some(given) = arguments.shift_remove(STARTS) else { return Ok(None) };
    let time: Time = parse(given).map_err(|failure| failure.of(STARTS))?;
    Ok(Some(time.timestamp()))
}

impl Lasting {
    /// Takes the arguments of a grant's end out of a grant's arguments.
    ///
    /// # Errors
    /// One of them has the wrong type.
    pub fn take(effect: Effect, arguments: &mut Map<String, Value>) -> Result<Self, Failure> {
        if effect == Effect::Grant { take(arguments, &LASTING) } else { Ok(Self::default()) }
    }

    /// The same, where it begins at another time than now.
    ///
    /// # Errors
    /// As [`term`](Self::term), or that time has come already.
    pub fn term_from(self, now: Timestamp, starts: Option<Timestamp>) -> Result<Term, Failure> {
        let term = self.term(now)?;
        starts.map_or(Ok(term), |starts| term.starting(starts, now))
    }

    /// # Errors
    /// Both are given, or the end is not a time to come.
    pub fn term(self, now: Timestamp) -> Result<Term, Failure> {
        let end = match (self.expires_in, self.expires_at) {
            (None, None) => return Ok(Term::new(now, None, None)),
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("expires_in and expires_at exclude each other")
                    .hint("give one of them"));
            }
            (Some(duration), None) => duration.after(now),
            (None, Some(time)) => Some(time.timestamp()),
        };
        match end {
            Some(end) if end > now => Ok(Term::new(now, Some(end), self.expires_in)),
            _ => Err(match self.expires_at {
                Some(_) => Failure::invalid("must be a time to come")
                    .of("expires_at")
                    .hint("give a later time, or expires_in, which counts from when it is done"),
                None => too_long(),
            }),
        }
    }
}

fn take<T: DeserializeOwned>(
    arguments: &mut Map<String, Value>,
    names: &[&str],
) -> Result<T, Failure> {
    let own = names.iter().filter_map(|name| arguments.shift_remove_entry(*name));
    parse(Value::Object(own.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn term(arguments: Value) -> Term {
        let lasting: Lasting = parse(arguments).unwrap();
        lasting.term(at("2027-01-01T00:00:00Z")).unwrap()
    }

    /// A trouble is about the argument that was given, and no other.
    #[test]
    fn an_end_that_cannot_be_is_told_by_its_own_argument() {
        for (given, argument) in [
            (json!({ "expires_at": "2026-12-31T00:00:00Z" }), "expires_at"),
            (json!({ "expires_at": "2027-01-01T00:00:00Z" }), "expires_at"),
            (json!({ "expires_in": "P99999D" }), "expires_in"),
        ] {
            let lasting: Lasting = parse(given).unwrap();
            let now = if argument == "expires_in" {
                "9999-12-30T00:00:00Z"
            } else {
                "2027-01-01T00:00:00Z"
            };
            let failure = lasting.term(at(now)).unwrap_err();
            let other = if argument == "expires_in" { "expires_at" } else { "expires_in" };
            assert_eq!(failure.argument.as_deref(), Some(argument));
            assert!(!failure.message.contains(other), "{failure}");
            assert!(failure.hint.is_some(), "{failure}");
        }
    }

    #[test]
    fn a_relative_end_counts_from_when_access_begins() {
        let hour = term(json!({ "expires_in": "PT1H" }));
        let kept: Term = serde_json::from_value(json!(hour)).unwrap();
        for asked in [hour, kept] {
            let begun = asked.begun(at("2027-01-01T09:30:00.7Z")).unwrap();
            assert_eq!(begun.from, at("2027-01-01T09:30:00Z"));
            assert_eq!(begun.until, Some(at("2027-01-01T10:30:00Z")));
        }
        let fixed = term(json!({ "expires_at": "2027-01-01T01:00:00Z" }));
        assert_eq!(fixed.begun(at("2027-01-01T00:59:59Z")).unwrap().until, fixed.until);
        assert!(fixed.begun(at("2027-01-01T01:00:00Z")).is_err());
        let lasting = term(json!({}));
        assert_eq!(lasting.begun(at("2099-01-01T00:00:00Z")).unwrap().until, None);
    }

    #[test]
    fn a_consent_is_bound_to_how_long_and_not_to_when() {
        let shown = |term: Term| {
            let (from, until) = (term.from.to_string(), term.until.unwrap().to_string());
            term.bound(json!({ "body": { "startTime": from }, "after": [{ "expires_at": until }] }))
        };
        let later = at("2027-01-01T00:00:45Z");
        let bound = |asked: Value| {
            let term = term(asked);
            (shown(term), shown(term.begun(later).unwrap()))
        };
        let (first, second) = bound(json!({ "expires_in": "PT1M" }));
        assert_eq!(first, second);
        assert_ne!(first, bound(json!({ "expires_in": "PT2M" })).0);
        let (first, second) = bound(json!({ "expires_at": "2027-01-01T00:01:00Z" }));
        assert_eq!(first, second, "it begins with the yes");
        assert_ne!(first, bound(json!({ "expires_at": "2027-01-01T00:02:00Z" })).0);
    }
}
