use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

pub use super::look::{Token, Which};
use super::{Effect, Spec};
use crate::argument::{Limit, Moment, Name};
use crate::failure::Failure;
use crate::ledger::Standing;

/// See where a change stands, or what was asked for, approved, refused and done, for whom and by whom. A receipt
/// alone: that one as the vendor shows it now. Else the record, newest first; without arguments that of 24 hours
/// and what is unfinished.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckChange {
    /// Of a change or request (gr-…); without the others.
    pub receipt: Option<Name>,
    /// Whose access: id, e-mail or exact name.
    pub principal: Option<Name>,
    /// Who asked, as rows say; what follows # is enough.
    pub requester: Option<Name>,
    /// Only this one.
    pub vendor: Option<Which>,
    /// Only what stands so.
    pub state: Option<Wanted>,
    /// RFC 3339, or how long ago, such as P1M.
    pub since: Option<Moment>,
    /// Likewise.
    pub until: Option<Moment>,
    /// Default 50.
    pub limit: Option<Limit>,
    /// next_cursor, for more.
    pub cursor: Option<Token>,
}

/// A word for where something stands.
#[derive(Clone, Copy, Debug)]
pub struct Wanted(pub Standing);

pub const SPEC: Spec = Spec {
    name: "check_change",
    title: "Check a change",
    effect: Effect::Look,
    vendor: None,
    needs: "reading, as `grantor doctor` lists it",
    docs: "the ledger, and the vendor's own lists",
    example: "{}",
};

const ALONE: &str =
    "is looked at by itself: leave the receipt out for a list, or all else for that one";
const TIME: &str = "give a time, or how long ago it was, such as P1M or PT8H";

/// What is wrong with the arguments together.
pub(super) fn wrong(arguments: &Map<String, Value>) -> Vec<Failure> {
    let mut wrong = Vec::new();
    let others = || arguments.keys().any(|name| name != "receipt");
    // What is wrong with the receipt itself is told by itself.
    let is_receipt = |value: &Value| serde_json::from_value::<Name>(value.clone()).is_ok();
    if arguments.get("receipt").is_some_and(is_receipt) && others() {
        wrong.push(with_others());
    }
    let now = crate::clock::now();
    let mut time = |name: &str| {
        let text = arguments.get(name)?.as_str()?;
        let read = Moment::read(text).and_then(|moment| moment.at(now));
        read.map_err(|trouble| wrong.push(Failure::invalid(trouble).of(name).hint(TIME))).ok()
    };
    let (since, until) = (time("since"), time("until"));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        wrong.push(Failure::invalid("is not before until").of("since").hint("swap the two"));
    }
    wrong
}

/// What is said of a receipt beside something else.
pub fn with_others() -> Failure {
    Failure::invalid(ALONE).of("receipt").hint("a receipt takes no other argument")
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wanted = Standing::ALL.into_iter().find(|standing| standing.as_str() == text);
        wanted
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("must be one of {}", words().join(", "))))
    }
}

impl JsonSchema for Wanted {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Wanted".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": words() })
    }
}

fn words() -> [&'static str; 10] {
    Standing::ALL.map(Standing::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_go_together_is_told_by_its_argument() {
        for (given, told) in [
            (json!({}), ""),
            (json!({ "receipt": "gr-1" }), ""),
            (json!({ "receipt": "gr-1", "state": "done" }), "receipt: is looked at by itself"),
            (json!({ "receipt": "gr-1", "limit": 5 }), "receipt: is looked at by itself"),
            (json!({ "since": "P1M", "until": "PT1H" }), ""),
            (json!({ "since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z" }), ""),
            (json!({ "since": "PT1H", "until": "P1M" }), "since: is not before until"),
            (json!({ "since": "yesterday" }), "since: must be an RFC 3339 time"),
            (json!({ "since": "2026-01-01" }), "this is a day without a time"),
            (json!({ "until": "P19000Y" }), "until: is longer ago than any time"),
            (json!({ "until": "-P1D" }), "until: must be an RFC 3339 time"),
        ] {
            let told_all: Vec<_> = wrong(given.as_object().unwrap())
                .iter()
                .map(|one| {
                    format!("{}: {}", one.argument.as_deref().unwrap_or_default(), one.message)
                })
                .collect();
            match told {
                "" => assert!(told_all.is_empty(), "{given}: {told_all:?}"),
                told => assert!(told_all.join("; ").contains(told), "{given}: {told_all:?}"),
            }
        }
    }
}
