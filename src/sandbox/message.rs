//! One request as a fake reads it, and one reply as a fake writes it.

use std::ops::RangeInclusive;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A request, whole: a fake never sees half of one.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub method: String,
    /// As it came, still percent-encoded: Dfns compares it with what was signed.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why a body could not be read; each vendor words it in its own error shape.
#[derive(Debug)]
pub(super) struct Misread {
    pub status: u16,
    pub message: String,
}

impl Ask {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The path, split at `/` and then percent-decoded, so that an encoded slash stays inside its segment.
    /// What is not UTF-8 becomes a segment no route knows.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        let decoded = path.split('/').map(|segment| {
            percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
        });
        decoded.collect()
    }

    pub fn params(&self) -> Vec<(String, String)> {
        pairs(self.query.as_bytes())
    }

    pub fn param(&self, name: &str) -> Option<String> {
        let mut params = self.params().into_iter();
        params.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The name of a query parameter that is not among the known ones.
    pub fn unknown_param(&self, known: &[&str]) -> Option<String> {
        let mut names = self.params().into_iter().map(|(name, _)| name);
        names.find(|name| !known.contains(&name.as_str()))
    }

    /// A whole number from the query, within its documented range.
    pub fn number(
        &self,
        name: &str,
        range: RangeInclusive<usize>,
        default: usize,
    ) -> Result<usize, String> {
        let Some(text) = self.param(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("{name} must be a whole number from {} to {}", range.start(), range.end())
        })
    }

    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    pub fn basic(&self) -> Option<(String, String)> {
        let encoded = self.header("authorization")?.strip_prefix("Basic ")?;
        let decoded = BASE64_STANDARD.decode(encoded).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    pub fn has_type(&self, wanted: &str) -> bool {
        let sent = self.header("content-type").unwrap_or_default();
        let essence = sent.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(wanted)
    }

    /// The fields of a form body, or `None` when it is not declared to be one.
    pub fn form(&self) -> Option<Vec<(String, String)>> {
        self.has_type("application/x-www-form-urlencoded").then(|| pairs(&self.body))
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Misread> {
        if !self.has_type("application/json") {
            return Err(Misread {
                status: 415,
                message: "Content-Type must be application/json".into(),
            });
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Misread { status: 400, message: error.to_string() })
    }
}

/// A reply, whole; how it travels is for `serve` to say.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply {
            status,
            headers: vec![("content-type", "application/json".into())],
            body: body.to_string().into_bytes(),
        }
    }

    pub fn empty(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> Reply) -> Result<(), Reply> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// One more field, where whether there is one depends.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

/// Case-blind "contains", as the vendors' search boxes do it.
pub(super) fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, query: &str, headers: &[(&str, &str)]) -> Ask {
        let headers = headers.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Ask {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            headers: headers.collect(),
            body: Vec::new(),
        }
    }

    #[test]
    fn an_encoded_slash_stays_in_its_segment() {
        assert_eq!(ask("/a%2Fb/c%20d", "", &[]).segments(), ["a/b", "c d"]);
    }

    #[test]
    fn numbers_keep_to_their_range() {
        for (query, expected) in [
            ("", Some(7)),
            ("limit=1", Some(1)),
            ("limit=0", None),
            ("limit=11", None),
            ("limit=x", None),
        ] {
            let read = ask("/", query, &[]).number("limit", 1..=10, 7);
            assert_eq!(read.ok(), expected, "{query}");
        }
    }

    #[test]
    fn basic_is_split_at_the_first_colon() {
        let sent = format!("Basic {}", BASE64_STANDARD.encode("a@b:c:d"));
        assert_eq!(
            ask("/", "", &[("Authorization", &sent)]).basic(),
            Some(("a@b".into(), "c:d".into()))
        );
        assert_eq!(ask("/", "", &[("Authorization", "Basic !")]).basic(), None);
    }
}
