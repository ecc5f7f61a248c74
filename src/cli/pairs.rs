//! Arguments of a call as somebody types them: KEY=VALUE, or one JSON object.
//!
//! A value stays text here. What the tool's schema wants instead is made of it where all arguments are
//! fitted, so that a list of one, a number or a switch is the same from whichever face it comes.

use serde_json::{Map, Value};

use super::call::object;
use crate::text;

/// What was typed behind a tool's name.
///
/// # Errors
/// Wrong usage, in words.
pub(super) fn read(given: &[String]) -> Result<Map<String, Value>, String> {
    let (pairs, whole): (Vec<_>, Vec<_>) = given.iter().partition(|word| pair(word).is_some());
    let mut fields = match whole.as_slice() {
        [] if pairs.is_empty() => object(None)?,
        [] => Map::new(),
        [one] => object(Some(one.as_str()))
            .map_err(|trouble| format!("{trouble}; or give each as KEY=VALUE"))?,
        [_, other, ..] => {
            let other = text::quoted(&text::short(other, 60));
            return Err(format!("{other} is neither KEY=VALUE nor the first JSON object"));
        }
    };
    for (key, value) in pairs.into_iter().filter_map(|word| pair(word)) {
        put(&mut fields, key, value)
            .ok_or_else(|| format!("the arguments are given twice: {key}; give each key once"))?;
    }
    Ok(fields)
}

/// A key and its value, where a word has both.
fn pair(word: &str) -> Option<(&str, &str)> {
    let (key, value) = word.split_once('=')?;
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    key.split('.').all(is_name).then_some((key, value))
}

/// Puts a value where its dotted key says; none where something is there already.
fn put(fields: &mut Map<String, Value>, key: &str, value: &str) -> Option<()> {
    let Some((first, rest)) = key.split_once('.') else {
        let there = fields.insert(key.to_owned(), Value::String(value.to_owned()));
        return there.is_none().then_some(());
    };
    let inner = fields.entry(first).or_insert_with(|| Value::Object(Map::new()));
    put(inner.as_object_mut()?, rest, value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn typed(words: &[&str]) -> Result<Value, String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        read(&words).map(Value::Object)
    }

    #[test]
    fn pairs_and_json_make_one_object() {
        for (words, made) in [
            (&[][..], json!({})),
            (&["a=b"], json!({ "a": "b" })),
            (&["a=", "b=c=d"], json!({ "a": "", "b": "c=d" })),
            (
                &["role.name=support", "role.id=7"],
                json!({ "role": { "name": "support", "id": "7" } }),
            ),
            (&["{\"a\": 1}", "b=2"], json!({ "a": 1, "b": "2" })),
            (&["b=2", "{\"a\": \"x=y\"}"], json!({ "a": "x=y", "b": "2" })),
            (&["{\"a\": {\"b\": 1}}", "a.c=2"], json!({ "a": { "b": 1, "c": "2" } })),
        ] {
            assert_eq!(typed(words), Ok(made), "{words:?}");
        }
    }

    #[test]
    fn what_is_given_twice_or_is_neither_is_refused() {
        for (words, says) in [
            (&["a=1", "a=2"][..], "given twice: a;"),
            (&["a=1", "a.b=2"], "given twice: a.b;"),
            (&["a.b=1", "a=2"], "given twice: a;"),
            (&["{\"a\": 1}", "a=1"], "given twice: a;"),
            (&["{}", "{}"], "neither"),
            (&["dfns"], "not JSON"),
            (&["=x"], "not JSON"),
            (&["a b=c"], "not JSON"),
            (&["a..b=c"], "not JSON"),
        ] {
            let trouble = typed(words).unwrap_err();
            assert!(trouble.contains(says), "{words:?}: {trouble}");
        }
    }
}
