use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Effect, Spec};
use crate::argument::{Duration, Name, Time};
use crate::failure::Failure;

/// Extend or shorten a grant made here, or make it permanent. Give one end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetExpiry {
    /// Of the latest grant of it (gr-…).
    pub receipt: Name,
    /// From now.
    pub expires_in: Option<Duration>,
    /// Instead.
    pub expires_at: Option<Time>,
    /// Instead: no end.
    pub never: Option<bool>,
    /// Why.
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
    /// Only show it.
    pub dry_run: Option<bool>,
}

pub const SPEC: Spec = Spec {
    name: "set_expiry",
    title: "Move the end of a grant",
    effect: Effect::Set,
    vendor: None,
    needs: "that of the grant, where the vendor holds its end",
    docs: "the ledger, and the endpoints of the grant",
    example: r#"{"receipt": "gr-aaaaaaaaaaaaaaaaaaaaaaaaaa", "expires_in": "P2D"}"#,
};

const ENDS: [&str; 3] = ["expires_in", "expires_at", "never"];

/// What is wrong with the arguments together.
pub(super) fn wrong(arguments: &Map<String, Value>) -> Vec<Failure> {
    let is_given = |name: &&&str| match arguments.get(**name) {
        Some(Value::Bool(given)) => *given,
        Some(given) => !given.is_null(),
        None => false,
    };
    let given = ENDS.iter().filter(is_given).count();
    let one = "give one of expires_in, expires_at and never";
    match given {
        1 => Vec::new(),
        0 => vec![Failure::invalid("it is not said when it is to end").hint(one)],
        _ => vec![Failure::invalid("several ends are given, which exclude each other").hint(one)],
    }
}
