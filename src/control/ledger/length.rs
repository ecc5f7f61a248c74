//! How long a line gets, whatever a vendor or a model has put into it.

use serde_json::Value;

use super::meaning::{ACCEPTED, BROKEN};
use super::request::SET;
use crate::failure::Failure;
use crate::intent::{LONGEST_LINE, shortened, too_much};

/// Of a line that has to be written and is too long, the most of each field that stays.
const LONGEST_FIELD: usize = LONGEST_LINE / 16;
/// Marks a line that says less than there was: nothing is done on its word.
pub(super) const CUT: &str = "cut";
/// What is said of a change with such a line.
pub(super) const WAS_CUT: &str = "what the vendor showed of it was too much to be recorded";

/// What a line says, as far as it is kept. What comes before anything is sent is kept whole or not
/// at all; what has happened is recorded however much was said of it.
///
/// # Errors
/// It is too long, and nothing was sent yet.
pub(super) fn fit(event: &str, mut content: Value) -> Result<Value, Failure> {
    // The troubles of a ledger are in words and hashes of our own.
    let ours = [BROKEN, ACCEPTED].contains(&event);
    if ours || length(&content) <= LONGEST_LINE {
        return Ok(content);
    }
    let is = |key: &str, word: &str| content.get(key).is_some_and(|value| value == word);
    let takes = is("effect", "revoke") || content.get("ends").is_some_and(Value::is_string);
    if event == "asked" || event == SET || event == "open" && !takes {
        return Err(too_much());
    }
    if let Value::Object(fields) = &mut content {
        fields.values_mut().filter(|field| length(field) > LONGEST_FIELD).for_each(cut);
    }
    crate::json::put(&mut content, CUT, true);
    Ok(content)
}

fn cut(field: &mut Value) {
    *field = match field.take() {
        Value::Array(_) => Value::Array(Vec::new()),
        field => shortened(field),
    };
    if length(field) > LONGEST_FIELD {
        *field = Value::Null;
    }
}

/// About as many bytes as its JSON has, escapes aside.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(length).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(key, value)| key.len() + 4 + length(value)).sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_sent_yet_is_kept_whole_or_not_at_all_and_all_else_is_cut() {
        let row = json!({ "principal": { "id": "x".repeat(100_000) } });
        let rows = json!(vec![row; 30]);
        let long = json!("y".repeat(3 * LONGEST_LINE));
        let many = json!({ "error": vec!["z"; LONGEST_LINE] });
        for (event, content, is_kept) in [
            ("asked", json!({ "content": { "intents": rows } }), false),
            ("asked", json!({ "content": { "question": long } }), false),
            ("open", json!({ "effect": "grant", "ends": null, "before": rows }), false),
            ("open", json!({ "effect": "revoke", "before": rows }), true),
            ("open", json!({ "effect": "grant", "ends": "gr-1", "before": rows }), true),
            ("close", json!({ "outcome": "confirmed", "after": rows }), true),
            ("found", json!({ "outcome": "confirmed", "after": rows, "note": long }), true),
            ("found", json!({ "outcome": "confirmed", "after": [], "held": many }), true),
            ("refused", json!({ "arguments": { "reason": long } }), true),
            ("overdue", json!({ "why": long }), true),
            ("over", json!({ "note": long }), true),
            ("answered", json!({ "decision": "denied", "reason": long }), true),
            ("concluded", json!({ "outcome": "refused", "note": long }), true),
        ] {
            let kept = fit(event, content.clone());
            assert_eq!(kept.is_ok(), is_kept, "{event}");
            let Ok(kept) = kept else { continue };
            assert!(kept.to_string().len() < LONGEST_LINE, "{event}");
            assert_eq!(kept[CUT], true, "{event}");
            let word = |content: &Value| content["outcome"].clone();
            assert_eq!(word(&kept), word(&content), "{event}");
            assert!(kept["after"].is_null() || kept["after"] == json!([]), "{event}");
        }
        let short = json!({ "outcome": "confirmed", "after": [], "note": "it is so" });
        assert_eq!(fit("found", short.clone()).unwrap(), short);
    }
}
