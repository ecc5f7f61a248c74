//! The arguments that looks share: whom to ask, and where to go on.

use std::borrow::Cow;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::failure::Failure;
use crate::vendors::VENDORS;

/// `next_cursor` of an earlier answer, as a client passes it back.
#[derive(Debug)]
pub struct Token(String);

/// The name of a vendor there is.
#[derive(Clone, Copy, Debug)]
pub struct Which(&'static str);

/// Where an answer goes on, as a client passes it back.
pub fn write_cursor(position: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}

impl Token {
    /// Where to go on.
    ///
    /// # Errors
    /// It is not one of an earlier answer to the same tool.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&self.0).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            Failure::invalid("this is not a cursor of an earlier answer")
                .of("cursor")
                .hint("pass next_cursor back as it came, or leave cursor out")
        })
    }
}

impl Which {
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Token {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Token".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let vendor = crate::vendors::named(&text).map(|vendor| Self(vendor.name));
        vendor.ok_or_else(|| D::Error::custom(format!("must be one of {}", names().join(", "))))
    }
}

impl JsonSchema for Which {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Which".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": names() })
    }
}

fn names() -> Vec<&'static str> {
    VENDORS.iter().map(|vendor| vendor.name).collect()
}
