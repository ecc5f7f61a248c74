//! Entries in a file of JSON, with or without comments.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::Value;

use super::{Client, Entry, Format, Wrong, place_in};
use crate::json;

/// JSON with comments and commas at an end, as editors write it, and nothing looser.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// What a text says; null where it says nothing.
pub(super) fn read(text: &str, format: Format) -> Result<Value, Wrong> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    if format == Format::Json {
        let read = json::read(text.as_bytes());
        let (value, doubled) =
            read.map_err(|error| Wrong::At(error.line(), error.column(), reason(&error)))?;
        return whole(value, doubled.first());
    }
    let root = root(text)?;
    let doubled = root.object_value().and_then(|object| doubled(&object));
    whole(root.to_serde_value().unwrap_or_default(), doubled.as_ref())
}

/// What a parser found, without the place that stands beside it.
fn reason(error: &serde_json::Error) -> String {
    let told = error.to_string();
    told.rsplit_once(" at line ").map_or(told.clone(), |(what, _)| what.to_owned())
}

fn whole(value: Value, doubled: Option<&String>) -> Result<Value, Wrong> {
    if let Some(key) = doubled {
        return Err(Wrong::Odd(format!("{key} is there twice, and nobody knows which one counts")));
    }
    match value.is_object() {
        true => Ok(value),
        false => Err(Wrong::Odd("it is no JSON object".to_owned())),
    }
}

fn root(text: &str) -> Result<CstRootNode, Wrong> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| {
        let (line, column) = place_in(text, error.range().start);
        Wrong::At(line, column, error.kind().to_string())
    })
}

/// A key that an object has twice, or one further in.
fn doubled(object: &CstObject) -> Option<String> {
    let mut seen = std::collections::HashSet::new();
    object.properties().into_iter().find_map(|property| {
        let name = property.decoded_name().unwrap_or_default();
        let further = property.object_value().and_then(|object| doubled(&object));
        if seen.insert(name.clone()) { further } else { Some(name) }
    })
}

/// The text with the entry in it.
pub(super) fn put(text: &str, client: &Client, entry: &Entry) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Ok(client.pasted(entry));
    }
    let root = root(text)?;
    let odd = |what: &str| Wrong::Odd(format!("{what:?} is of another kind than expected"));
    let object = root.object_value().ok_or_else(|| odd("the whole"))?;
    if let Some(Value::Array(inputs)) = entry.inputs(client) {
        let there = object.array_value_or_create("inputs").ok_or_else(|| odd("inputs"))?;
        let known: Vec<_> = there
            .elements()
            .iter()
            .filter_map(|one| one.to_serde_value()?.get("id").cloned())
            .collect();
        for input in inputs {
            if !input.get("id").is_some_and(|id| known.contains(id)) {
                there.append(made(&input));
            }
        }
    }
    let servers = object.object_value_or_create(client.key).ok_or_else(|| odd(client.key))?;
    match servers.get(&entry.name) {
        None => drop(servers.append(&entry.name, made(&entry.value(client)))),
        Some(own) => {
            let own = own.object_value().ok_or_else(|| odd(&entry.name))?;
            renew(&own, client, entry).ok_or_else(|| odd("env"))?;
        }
    }
    Ok(root.to_string())
}

/// Sets what differs of an entry that is there.
fn renew(own: &CstObject, client: &Client, entry: &Entry) -> Option<()> {
    for (name, value) in Entry::also(client) {
        if own.get(name).is_none() {
            own.append(name, made(&value));
        }
    }
    for (name, value) in entry.fields(client) {
        match own.get(name) {
            None => drop(own.append(name, made(&value))),
            Some(there) => {
                let said = there.value().and_then(|said| said.to_serde_value());
                if said.as_ref() != Some(&value) {
                    there.set_value(made(&value));
                }
            }
        }
    }
    for (name, value) in entry.variables(client) {
        let env = own.object_value_or_create("env")?;
        if env.get(name).is_none() {
            env.append(name, CstInputValue::String(value));
        }
    }
    Some(())
}

/// The text without the entry of this name.
pub(super) fn take(text: &str, client: &Client, name: &str) -> Result<String, Wrong> {
    let root = root(text)?;
    let servers = root.object_value().and_then(|object| object.object_value(client.key));
    if let Some(entry) = servers.and_then(|servers| servers.get(name)) {
        entry.remove();
    }
    Ok(root.to_string())
}

fn made(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(is) => CstInputValue::Bool(*is),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(made).collect()),
        Value::Object(fields) => CstInputValue::Object(
            fields.iter().map(|(name, value)| (name.clone(), made(value))).collect(),
        ),
    }
}
