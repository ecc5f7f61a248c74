//! JSON Schemas in the house style that every client accepts.
//!
//! No `$ref`, `$schema` or root `title`; no `type: [x, "null"]`, no boolean schemas, no Rust
//! number formats; `additionalProperties: false` on every object of an input.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The input schema of a type, with its doc comment as `description`.
pub fn input<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.remove("title");
    }
    tidy(&mut schema);
    schema
}

/// A schema with the properties of another after its own.
pub fn with(mut schema: Value, other: &Value) -> Value {
    let own = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let (Some(own), Some(Value::Object(more))) = (own, other.get("properties")) {
        own.extend(more.clone());
    }
    schema
}

/// The output schema of a change: loose, since clients raise on a mismatch, and short, since every
/// tool carries it.
pub fn change_output() -> Value {
    json!({ "type": "object", "required": ["outcome"] })
}

/// The output schema of a look: loose and short, likewise.
pub fn look_output() -> Value {
    json!({ "type": "object", "required": ["rows"] })
}

/// The output schema of a check: one change, or a list of them.
pub fn check_output() -> Value {
    json!({ "type": "object" })
}

fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            tidy_object(fields);
            fields.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

fn tidy_object(fields: &mut Map<String, Value>) {
    drop_null(fields);
    if let Some(Value::String(text)) = fields.get_mut("description") {
        // A doc comment breaks where the source does; a reader's line is another.
        *text = text.replace('\n', " ");
    }
    if fields.get("default").is_some_and(Value::is_null) {
        fields.remove("default");
    }
    let rust_format = |format: &Value| {
        format
            .as_str()
            .is_some_and(|format| format.starts_with("uint") || format.starts_with("int"))
    };
    if fields.get("format").is_some_and(rust_format) {
        fields.remove("format");
    }
    if fields.get("type").is_some_and(|kind| kind == "object") {
        fields.entry("additionalProperties").or_insert(Value::Bool(false));
    }
}

/// An optional field is one that is not required, not one that may be null.
fn drop_null(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = fields.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(mut choices)) = fields.remove("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    match (choices.len(), choices.pop()) {
        (1, Some(Value::Object(only))) => {
            for (key, value) in only {
                fields.entry(key).or_insert(value);
            }
        }
        (_, last) => {
            choices.extend(last);
            fields.insert("anyOf".to_owned(), Value::Array(choices));
        }
    }
}
