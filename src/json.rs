//! JSON that is put together field by field, or read without losing anything of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::text::{self, Word};

/// Sets a field of an object; any other value has none and stays.
pub(crate) fn put(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value.into());
    }
}

/// The same, right behind another field where that is there.
pub(crate) fn put_after(object: &mut Value, other: &str, field: &str, value: impl Into<Value>) {
    let Some(fields) = object.as_object_mut() else { return };
    let place = fields.keys().position(|name| name == other).map_or(fields.len(), |at| at + 1);
    fields.shift_insert(place, field.to_owned(), value.into());
}

/// Adds the fields of `more` to an object.
pub(crate) fn extend(object: &mut Value, more: Value) {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
}

/// Whether both say the same where every list is a set: in whatever order, and however often.
pub(crate) fn is_same_set(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    canonical_fields(one) == canonical_fields(other)
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(canonical).collect();
            items.sort_by_cached_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::Object(fields) => Value::Object(canonical_fields(fields)),
        other => other.clone(),
    }
}

fn canonical_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut fields: Vec<_> = fields.iter().map(|(key, one)| (key, canonical(one))).collect();
    fields.sort_by_key(|(key, _)| *key);
    fields.into_iter().map(|(key, one)| (key.clone(), one)).collect()
}

/// Reads a document, and names each key that one of its objects has twice: which of the two was
/// meant, nobody can tell.
pub(crate) fn read(bytes: &[u8]) -> serde_json::Result<(Value, Vec<String>)> {
    let mut doubled = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let reader = Reader { place: &JsonPath::Root, doubled: &mut doubled };
    let value = reader.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, doubled))
}

/// Where a value stands in its document.
enum JsonPath<'a> {
    Root,
    Key(&'a JsonPath<'a>, &'a str),
    Index(&'a JsonPath<'a>, usize),
}

struct Reader<'a> {
    place: &'a JsonPath<'a>,
    doubled: &'a mut Vec<String>,
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(&text::quote(Word::Id, key)),
            Self::Key(above, key) => write!(f, "{above}.{}", text::quote(Word::Id, key)),
            Self::Index(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no number of JSON"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let place = JsonPath::Index(self.place, list.len());
            let reader = Reader { place: &place, doubled: &mut *self.doubled };
            let Some(item) = items.next_element_seed(reader)? else { return Ok(list.into()) };
            list.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let place = JsonPath::Key(self.place, &key);
            if fields.contains_key(&key) {
                self.doubled.push(place.to_string());
            }
            let reader = Reader { place: &place, doubled: &mut *self.doubled };
            let value = entries.next_value_seed(reader)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_sets_wherever_they_are() {
        let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        for (one, other, same) in [
            (r#"{"a": ["R", "X"]}"#, r#"{"a": ["X", "R", "X"]}"#, true),
            (
                r#"{"a": 1, "b": [{"c": 1, "d": [2, 3]}, 4]}"#,
                r#"{"b": [4, {"d": [3, 2], "c": 1}], "a": 1}"#,
                true,
            ),
            (r#"{"a": ["R"]}"#, r#"{"a": ["R", "X"]}"#, false),
            (r#"{"a": []}"#, r#"{}"#, false),
            (r#"{"a": ["1"]}"#, r#"{"a": [1]}"#, false),
            (r#"{"a": "R,X"}"#, r#"{"a": "X,R"}"#, false),
        ] {
            assert_eq!(is_same_set(&read(one), &read(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_named_wherever_it_is() {
        for (document, named) in [
            (r#"{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}"#, &[][..]),
            (r#"{"a": 1, "a": 1}"#, &["a"]),
            (r#"{"a": true, "b": 1, "a": false}"#, &["a"]),
            (r#"{"a": 1, "\u0061": 2}"#, &["a"]),
            (r#"{"p": {"a": [0, {"k": 1, "k": 2}]}}"#, &["p.a[1].k"]),
            (r#"[{"k": 1, "k": 2, "k": 3}]"#, &["[0].k", "[0].k"]),
            (r#"{"a b": 1, "a b": 2, "c": null, "c": null}"#, &["“a b”", "c"]),
        ] {
            assert_eq!(read(document.as_bytes()).unwrap().1, named, "{document}");
        }
        for wrong in ["", "{", r#"{"a": 1} 2"#, "{'a': 1}", "NaN", &"[".repeat(200)] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        /// Beside naming keys, it reads what anybody else reads.
        #[test]
        fn a_document_is_read_as_it_is(document in r#"[\[\]{},:"a0-9.e\-\\utrnfls ]{0,40}"#) {
            let plain = serde_json::from_str::<Value>(&document).ok();
            prop_assert_eq!(read(document.as_bytes()).ok().map(|(value, _)| value), plain);
        }
    }
}
