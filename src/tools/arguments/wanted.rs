//! What a schema wants, in words that a model can use.

use serde_json::Value;

use crate::text::{self, Word};

pub(super) fn kind(schema: &Value) -> &str {
    schema.get("type").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn items<'a>(schema: &'a Value, field: &str) -> &'a [Value] {
    schema.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn wanted(schema: &Value) -> String {
    let known: Vec<&str> = items(schema, "enum").iter().filter_map(Value::as_str).collect();
    let format = schema.get("format").and_then(Value::as_str);
    match (kind(schema), format) {
        ("string", Some("uuid")) => "a UUID".to_owned(),
        ("string", Some("duration")) => {
            "a positive ISO 8601 duration such as P7D or PT8H".to_owned()
        }
        ("string", Some("date-time")) => "an RFC 3339 time such as 2027-01-31T18:00:00Z".to_owned(),
        ("string", _) if !known.is_empty() => format!("one of {}", known.join(", ")),
        ("string", _) => format!("text{}", about(schema)),
        ("boolean", _) => "true or false".to_owned(),
        ("integer", _) => {
            let bound = |name| schema.get(name).and_then(Value::as_i64);
            let from = bound("minimum").map(|least| format!(" from {least}"));
            let to = bound("maximum").map(|most| format!(" to {most}"));
            format!("a whole number{}{}", from.unwrap_or_default(), to.unwrap_or_default())
        }
        ("array", _) => format!("a list such as {}", example(schema)),
        _ => format!("an object such as {}", example(schema)),
    }
}

/// A value in as few words as tell what it is.
pub(super) fn said(given: &Value) -> String {
    match given {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => given.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) if items.len() > 1 => format!("a list of {}", items.len()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// What a caller wrote, cut short.
pub(super) fn quoted(text: &str) -> String {
    let seen = text::quote(Word::Caller, &text::short(text, 60));
    seen.replacen('“', "\"", 1).replace('”', "\"")
}

/// What the argument is, as its schema describes it.
fn about(schema: &Value) -> String {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = description.trim_end_matches('.');
    if description.is_empty() { String::new() } else { format!(" ({description})") }
}

/// A value that fits, with what can be known of it.
fn example(schema: &Value) -> String {
    match kind(schema) {
        "array" => format!("[{}]", schema.get("items").map(example).unwrap_or_default()),
        "object" => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let fields = fields.into_iter().flatten().filter(|(_, one)| kind(one) != "array");
            let fields: Vec<_> =
                fields.map(|(name, one)| format!("\"{name}\": {}", example(one))).collect();
            match items(schema, "required") {
                // Each is enough by itself.
                [] => {
                    fields.iter().map(|one| format!("{{{one}}}")).collect::<Vec<_>>().join(" or ")
                }
                _ => format!("{{{}}}", fields.join(", ")),
            }
        }
        "string" => match items(schema, "enum").first() {
            Some(first) => first.to_string(),
            None => "\"…\"".to_owned(),
        },
        "boolean" => "true".to_owned(),
        _ => "1".to_owned(),
    }
}
