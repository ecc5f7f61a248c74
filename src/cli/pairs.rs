//! Arguments of a call as somebody types them: KEY=VALUE, or one JSON object.
//!
//! A value stays text here. What the tool's schema wants instead is made of it where all arguments are
//! fitted, so that a list of one, a number or a switch is the same from whichever face it comes.

use serde_json::{Map, Value};

use super::call::object;
use crate::catalogue::Supposed;
use crate::tools::{TOOLS, meant};
use crate::{invocation, text};

/// The keys that there are, for what is said of a slip.
pub(super) struct Known<'k> {
    keys: Vec<&'k str>,
    /// Those that take a list of texts.
    lists: Vec<&'k str>,
    /// Where they are listed.
    more: String,
}

/// As much of what was typed as is repeated.
const SHOWN: usize = 60;

impl Known<'static> {
    /// Those of a tool; none of one that there is not.
    pub(super) fn of(bare: &str) -> Self {
        let schema = TOOLS.iter().find(|one| one.spec.name == bare).map(|one| &*one.schema);
        let fields = schema.and_then(|schema| schema.get("properties")?.as_object());
        let fields: Vec<_> = fields.into_iter().flatten().collect();
        let is_list = |schema: &Value| {
            schema.pointer("/items/type").and_then(Value::as_str) == Some("string")
        };
        let lists = fields.iter().filter(|(_, schema)| is_list(schema));
        Self {
            lists: lists.map(|(key, _)| key.as_str()).collect(),
            keys: fields.iter().map(|(key, _)| key.as_str()).collect(),
            more: format!("`grantor call {bare} --help` lists its keys"),
        }
    }

    /// Those of a change that is only supposed.
    pub(super) fn supposed() -> Self {
        Self {
            keys: Supposed::FIELDS.to_vec(),
            lists: vec!["permissions"],
            more: "`grantor policy explain --help` lists the keys".to_owned(),
        }
    }
}

/// What was typed behind a tool's name.
///
/// # Errors
/// Wrong usage, in words.
pub(super) fn read(given: &[String], known: &Known<'_>) -> Result<Map<String, Value>, String> {
    let (pairs, whole): (Vec<_>, Vec<_>) = given.iter().partition(|word| pair(word).is_some());
    if let Some(slip) = slip(given, known) {
        return Err(slip);
    }
    let mut fields = match whole.as_slice() {
        [] if pairs.is_empty() => object(None)?,
        [] => Map::new(),
        [one] => object(Some(one.as_str()))
            .map_err(|trouble| format!("{trouble}; or give each as KEY=VALUE"))?,
        [_, other, ..] => {
            let other = text::quoted(&text::short(other, SHOWN));
            return Err(format!("{other} is neither KEY=VALUE nor the first JSON object"));
        }
    };
    for (key, value) in pairs.into_iter().filter_map(|word| pair(word)) {
        one_or_several(key, value, known)?;
        put(&mut fields, key, value)
            .ok_or_else(|| format!("the arguments are given twice: {key}; give each key once"))?;
    }
    Ok(fields)
}

/// What is said of a word that is neither a pair nor JSON: most likely its `=` is missing.
fn slip(given: &[String], known: &Known<'_>) -> Option<String> {
    let is_json = |word: &str| word == "-" || word.trim_start().starts_with(['{', '[', '"']);
    let is_odd = |word: &&String| pair(word).is_none() && !is_json(word);
    let at = given.iter().position(|word| is_odd(&word))?;
    let key = given.get(at).filter(|word| known.keys.contains(&word.as_str()));
    let Some(key) = key else {
        let word = text::quoted(&text::short(given.get(at)?, SHOWN));
        return Some(format!("{word} is neither KEY=VALUE nor a JSON object; {}", known.more));
    };
    let value = given.get(at + 1).filter(is_odd);
    let value = value.map_or_else(|| "VALUE".to_owned(), |value| invocation::quoted(value));
    let whole = text::short(&text::clean(&value), SHOWN).into_owned();
    Some(format!("{key} has no value: did you mean {key}={whole}?"))
}

/// Whether a text for a list may be several names, which nobody guesses.
fn one_or_several(key: &str, value: &str, known: &Known<'_>) -> Result<(), String> {
    let is_json = value.trim_start().starts_with(['[', '{', '"']);
    if !known.lists.contains(&key) || is_json || !value.contains(',') {
        return Ok(());
    }
    let several: Vec<_> = value.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    let typed = |list: &[&str]| {
        let list = Value::from(list.to_vec()).to_string();
        format!("{key}={}", invocation::quoted(&text::clean(&list)))
    };
    Err(format!(
        "{key} may be one name or several here: write {} for several, or {} for one",
        typed(&several),
        typed(&[value])
    ))
}

/// What is supposed of a change, whose values were typed as text: there is no tool that would fit them.
///
/// # Errors
/// Something is none of what can be supposed.
pub(super) fn supposed(fields: Map<String, Value>) -> Result<Map<String, Value>, String> {
    /// Those that are no text; a list may be given as one.
    const READ: [&str; 9] = [
        "permissions",
        "own",
        "width",
        "set_size",
        "rows",
        "holds",
        "holds_all",
        "history",
        "changes_this_hour",
    ];
    let read = |value: Value| match value {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        value => value,
    };
    let fitted = |(key, value): (String, Value)| {
        if !READ.contains(&key.as_str()) {
            return (key, value);
        }
        let value = match (key.as_str(), read(value)) {
            ("permissions", one @ Value::String(_)) => Value::Array(vec![one]),
            ("history", Value::Object(parts)) => {
                parts.into_iter().map(|(key, value)| (key, read(value))).collect()
            }
            (_, value) => value,
        };
        (key, value)
    };
    let fields: Map<_, _> = fields.into_iter().map(fitted).collect();
    for (key, value) in &fields {
        known_only(&Supposed::FIELDS, "", key)?;
        let parts = value.as_object().into_iter().flatten();
        for (part, _) in parts {
            known_only(Supposed::fields_of(key).unwrap_or_default(), &format!("{key}."), part)?;
        }
    }
    Ok(fields)
}

fn known_only(known: &[&str], at: &str, key: &str) -> Result<(), String> {
    if known.contains(&key) {
        return Ok(());
    }
    let (near, known) = (meant(key, known), known.join(", "));
    let key = text::quoted(&text::short(key, SHOWN));
    Err(format!("nothing is supposed by the name of {at}{key}{near}; there are {known}"))
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
        read(&words, &Known::of("grant_asset_role")).map(Value::Object)
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
            (&["dfns"], "“dfns” is neither KEY=VALUE nor a JSON object; `grantor call "),
            (&["=x"], "neither"),
            (&["a b=c"], "neither"),
            (&["a..b=c"], "neither"),
            (&["{"], "not JSON"),
            (&["userKey", "a b"], "did you mean userKey='a b'?"),
            (&["roleKey=R", "userKey"], "did you mean userKey=VALUE?"),
            (&["userKey", "roleKey=R"], "did you mean userKey=VALUE?"),
        ] {
            let trouble = typed(words).unwrap_err();
            assert!(trouble.contains(says), "{words:?}: {trouble}");
        }
    }

    /// A name may have a comma in it: what is meant is written out by whoever means it.
    #[test]
    fn a_comma_makes_no_list() {
        let trouble = typed(&["assetKeys=Orders, Billing"]).unwrap_err();
        for part in [
            r#"assetKeys='["Orders","Billing"]' for several"#,
            r#"assetKeys='["Orders, Billing"]' for one"#,
        ] {
            assert!(trouble.contains(part), "{trouble}");
        }
        for plain in ["assetKeys=Orders", r#"assetKeys=["A","B"]"#, "userKey=Kim, Alex"] {
            assert!(typed(&[plain]).is_ok(), "{plain}");
        }
    }

    #[test]
    fn what_is_supposed_is_what_its_text_says() {
        let words = ["own=true", "width=3", "permissions=R", "reason=7", "history.extensions=2"];
        let words = words.map(str::to_owned);
        let fields = supposed(read(&words, &Known::supposed()).unwrap()).unwrap();
        let made = json!({ "own": true, "width": 3, "permissions": ["R"], "reason": "7",
            "history": { "extensions": 2 } });
        assert_eq!(Value::Object(fields), made);
        for (word, says) in
            [("reazon=x", "did you mean reason?"), ("role.nam=x", "did you mean name?")]
        {
            let fields = read(&[word.to_owned()], &Known::supposed()).unwrap();
            let trouble = supposed(fields).unwrap_err();
            assert!(trouble.contains(says), "{trouble}");
        }
    }
}
