//! What a line means, and whether this version can read it.

use serde::Deserialize as _;
use serde_json::Value;

use super::Trouble;
use crate::control::ledger::chain::FORMAT;
use crate::control::ledger::{Answered, Concluded, End, Record, request};

/// A line that holds its seal, as far as this version can read what it says.
///
/// # Errors
/// It is of a later version, or is not what it should be.
pub(in crate::control::ledger) fn understood(line: &str) -> Result<Value, String> {
    let line: Value =
        serde_json::from_str(line).map_err(|_| "cannot be read as JSON".to_owned())?;
    let format = line.get("format").and_then(Value::as_u64).unwrap_or(1);
    if format > FORMAT {
        return Err(format!("is of format {format}; this version reads up to {FORMAT}"));
    }
    let event = line.get("event").and_then(Value::as_str).unwrap_or_default();
    let read = match event {
        "open" => Record::deserialize(&line).map(|_| ()),
        "close" | "found" => End::deserialize(&line).map(|_| ()),
        "asked" => request::readable(&line),
        "answered" => Answered::deserialize(&line).map(|_| ()),
        "extended" => {
            let end = line.get("expires_at").unwrap_or(&Value::Null);
            Option::<jiff::Timestamp>::deserialize(end).map(|_| ())
        }
        "concluded" => Concluded::deserialize(&line).map(|_| ()),
        "refused" | "spent" | "over" | "overdue" | BROKEN | ACCEPTED => Ok(()),
        _ => return Err(format!("is of a kind that this version does not know: {event:?}")),
    };
    match read {
        Ok(()) => Ok(line),
        Err(error) => Err(format!("cannot be read as {event:?}: {error}")),
    }
}

/// Somebody found lines missing or changed before this line was written.
pub(in crate::control::ledger) const BROKEN: &str = "broken";
/// A person accepted the ledger as it is.
pub(in crate::control::ledger) const ACCEPTED: &str = "accepted";

/// What a line reports that the others cannot show.
pub(in crate::control::ledger) fn reported(line: &Value) -> Vec<Trouble> {
    if line.get("event").and_then(Value::as_str) != Some(BROKEN) {
        return Vec::new();
    }
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let found = line.get("found").and_then(Value::as_array).into_iter().flatten();
    let trouble = |found: &Value| Trouble {
        place: text(found, "place"),
        what: text(found, "what"),
        hash: text(found, "hash"),
    };
    found.map(trouble).collect()
}

/// The hashes of what a line accepts.
pub(in crate::control::ledger) fn accepts(line: &Value) -> Vec<String> {
    if line.get("event").and_then(Value::as_str) != Some(ACCEPTED) {
        return Vec::new();
    }
    let found = line.get("accepts").and_then(Value::as_array).into_iter().flatten();
    let hash = |found: &Value| found.get("hash").and_then(Value::as_str).map(str::to_owned);
    found.filter_map(hash).collect()
}
