//! What a line means, and whether this version can read it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::chain::FORMAT;
use super::{Answered, End, Record, Trouble, UnsentConsent, request};

/// A line that holds its seal, as far as this version can read what it says.
///
/// # Errors
/// It is of a later version, or is not what it should be.
pub(super) fn understood(line: &str) -> Result<Value, String> {
    let line: Value =
        serde_json::from_str(line).map_err(|_| "cannot be read as JSON".to_owned())?;
    let format = line.get("format").and_then(Value::as_u64).unwrap_or(1);
    if format > FORMAT {
        return Err(format!("is of format {format}; this version reads up to {FORMAT}"));
    }
    let event = line.get("event").and_then(Value::as_str).unwrap_or_default();
    let read = match event {
        "open" => fits::<Record>(&line),
        "close" | "found" => fits::<End>(&line),
        "asked" | request::SET => fits::<request::AskedLine>(&line),
        "answered" => fits::<Answered>(&line),
        "extended" => {
            let end = line.get("expires_at").unwrap_or(&Value::Null);
            fits::<Option<jiff::Timestamp>>(end).map_err(|error| format!("expires_at: {error}"))
        }
        "concluded" => fits::<UnsentConsent>(&line),
        "refused" | "spent" | "over" | "overdue" | BROKEN | ACCEPTED | MOVED => Ok(()),
        _ => return Err(format!("is of a kind that this version does not know: {event:?}")),
    };
    match read {
        Ok(()) => Ok(line),
        Err(error) => Err(format!("cannot be read as {event:?}: {error}")),
    }
}

/// Whether a line can be read so, or which field of it cannot.
fn fits<T: DeserializeOwned>(line: &Value) -> Result<(), String> {
    let read = serde_path_to_error::deserialize::<_, T>(line);
    read.map(|_| ()).map_err(|error| match error.path().iter().next() {
        Some(_) => format!("{}: {}", error.path(), error.inner()),
        None => error.inner().to_string(),
    })
}

/// Somebody found lines missing or changed before this line was written.
pub(super) const BROKEN: &str = "broken";
/// The ledger goes on in a database, and this line is its last here.
pub(super) const MOVED: &str = "moved";
/// A person accepted the ledger as it is.
pub(super) const ACCEPTED: &str = "accepted";

/// What a line reports that the others cannot show.
pub(super) fn reported(line: &Value) -> Vec<Trouble> {
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

/// Whether a line accepts the ledger as it is, or begins one in another's place.
pub(super) fn is_acceptance(line: &Value) -> bool {
    line.get("event").and_then(Value::as_str) == Some(ACCEPTED)
}

/// The hashes of what a line accepts.
pub(super) fn accepts(line: &Value) -> Vec<String> {
    if !is_acceptance(line) {
        return Vec::new();
    }
    let found = line.get("accepts").and_then(Value::as_array).into_iter().flatten();
    let hash = |found: &Value| found.get("hash").and_then(Value::as_str).map(str::to_owned);
    found.filter_map(hash).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_that_does_not_fit_names_its_field() {
        let asked = |content: Value| {
            json!({ "event": "asked", "receipt": "gr-a", "time": "2027-01-31T18:00:00Z",
                "requester": "root", "digest": "d", "until": "2027-02-01T18:00:00Z",
                "content": content })
        };
        let answered = |until: Value| {
            json!({ "event": "answered", "decision": "approved", "by": "ada", "how": "terminal",
                "until": until, "proof": null })
        };
        for (line, field) in [
            (asked(json!({})), None),
            (asked(json!({ "term": null })), None),
            (asked(json!({ "term": "odd" })), Some("content.term: ")),
            (
                asked(json!({ "term": { "from": "2027-01-31T18:00:00Z", "until": 7 } })),
                Some("content.term.until: "),
            ),
            (asked(json!({ "term": {} })), Some("content.term: missing field `from`")),
            (asked(json!({ "intents": null })), Some("content.intents: ")),
            (asked(Value::Null), Some("content: ")),
            (json!({ "event": "asked" }), Some("missing field `receipt`")),
            (answered(Value::Null), None),
            (answered(json!("soon")), Some("until: ")),
            (json!({ "event": "extended", "expires_at": "soon" }), Some("expires_at: ")),
            (json!({ "event": "concluded", "outcome": "odd", "note": "" }), Some("outcome: ")),
        ] {
            let read = understood(&line.to_string()).map(|_| ());
            match field {
                None => assert_eq!(read, Ok(()), "{line}"),
                Some(field) => {
                    let event = &line["event"];
                    let said = read.unwrap_err();
                    let begins = format!("cannot be read as {event}: {field}");
                    assert!(said.starts_with(&begins), "{line}: {said}");
                }
            }
        }
    }
}
