//! Argument types: what a model sends, checked as it is read.
//!
//! Each type carries its constraint into the JSON Schema and enforces it, so that the schema and
//! the check cannot drift apart.

mod moment;

use std::borrow::Cow;

use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use jiff::{Span, Timestamp, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A name, id, key or address: 1 to 256 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A UUID in its usual form, as lower- or upper-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uuid(String);

/// How long a grant lasts, as an ISO 8601 duration.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct Duration(Span);

/// An absolute time, RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(Timestamp);

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    At(Timestamp),
    Ago(Duration),
}

/// The most rows to answer: 1 to 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(usize);

const LONGEST: usize = 256;
const MOST_ROWS: usize = 500;

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl Uuid {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Duration {
    /// In words: "8 hours".
    pub fn words(self) -> String {
        let words = SpanPrinter::new()
            .designator(Designator::Verbose)
            .spacing(Spacing::BetweenUnitsAndDesignators);
        words.span_to_string(&self.0)
    }

    /// The time this long after `now`, months and days counted in UTC.
    pub fn after(self, now: Timestamp) -> Option<Timestamp> {
        now.to_zoned(TimeZone::UTC).checked_add(self.0).ok().map(|end| end.timestamp())
    }
}

impl Moment {
    /// # Errors
    /// The text is neither, in words that follow the name of the argument.
    pub fn read(text: &str) -> Result<Self, String> {
        match serde_json::from_value(text.trim().into()) {
            Ok(ago) => Ok(Self::Ago(ago)),
            Err(_) => moment::moment(text).map(Self::At),
        }
    }

    /// The time that is meant now.
    ///
    /// # Errors
    /// It is before any time that can be kept.
    pub fn at(self, now: Timestamp) -> Result<Timestamp, String> {
        match self {
            Self::At(time) => Ok(time),
            Self::Ago(ago) => {
                let then = now.to_zoned(TimeZone::UTC).checked_sub(ago.0);
                let then = then.map(|then| then.timestamp());
                then.map_err(|_| "is longer ago than any time that can be kept".to_owned())
            }
        }
    }
}

impl Time {
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl Limit {
    pub fn get(self) -> usize {
        self.0
    }
}

/// What is wrong with a text that is to be of this format of a schema, as the types here read it;
/// in words where there are any.
pub(crate) fn misfit(format: &str, text: &str) -> Option<Option<String>> {
    let fits = match format {
        "uuid" => is_uuid(text),
        "duration" => serde_json::from_value::<Duration>(text.into()).is_ok(),
        "date-time" => return moment::moment(text).err().map(Some),
        _ => true,
    };
    (!fits).then_some(None)
}

pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = text.chars().count();
        if length == 0 || text.trim().is_empty() {
            return Err(D::Error::custom("must not be empty"));
        }
        if length > LONGEST {
            return Err(D::Error::custom(format!("must have at most {LONGEST} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(D::Error::custom("must not hold control characters"));
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = text.trim().to_owned();
        if is_uuid(&text) { Ok(Self(text)) } else { Err(D::Error::custom("must be a UUID")) }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?.as_u64();
        let rows = number.and_then(|number| usize::try_from(number).ok());
        rows.filter(|rows| (1..=MOST_ROWS).contains(rows)).map(Self).ok_or_else(|| {
            D::Error::custom(format!("must be a whole number from 1 to {MOST_ROWS}"))
        })
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span: Option<Span> = text.strip_prefix('P').and_then(|_| text.parse().ok());
        match span {
            Some(span) if span.is_positive() => Ok(Self(span)),
            _ => Err(D::Error::custom("must be a positive ISO 8601 duration such as P7D or PT8H")),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        moment::moment(&text).map(Self).map_err(D::Error::custom)
    }
}

/// Schemas are always inlined, so the name is never seen.
macro_rules! schema {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema!(Name, json_schema!({ "type": "string", "minLength": 1 }));
schema!(Limit, json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST_ROWS }));
schema!(Uuid, json_schema!({ "type": "string", "format": "uuid" }));
schema!(Duration, json_schema!({ "type": "string", "format": "duration" }));
schema!(Moment, json_schema!({ "type": "string" }));
schema!(Time, json_schema!({ "type": "string", "format": "date-time" }));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misfits_are_refused_as_they_are_read() {
        for bad in ["", " ", "a\nb", &"x".repeat(257)] {
            assert!(serde_json::from_value::<Name>(bad.into()).is_err(), "{bad:?}");
        }
        for bad in
            ["", "a111a111-1aa1-1aa1-111a-a1111a1a1a1", "g111a111-1aa1-1aa1-111a-a1111a1a1a11"]
        {
            assert!(serde_json::from_value::<Uuid>(bad.into()).is_err(), "{bad:?}");
        }
        for bad in ["", "7 days", "-P1D", "P", "PT0S", "1h"] {
            assert!(serde_json::from_value::<Duration>(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_time_may_be_said_by_how_long_ago_it_was() {
        let now: Timestamp = "2027-03-31T12:00:00Z".parse().unwrap();
        for (text, time) in [
            ("P1M", Some("2027-02-28T12:00:00Z")),
            ("PT24H", Some("2027-03-30T12:00:00Z")),
            (" P1W\n", Some("2027-03-24T12:00:00Z")),
            ("2027-03-01T00:00:00Z", Some("2027-03-01T00:00:00Z")),
            ("2099-03-01T00:00:00+01:00", Some("2099-02-28T23:00:00Z")),
            ("P99999Y", None),
            ("-P1D", None),
            ("1h", None),
            ("2027-03-01", None),
        ] {
            let read = Moment::read(text).and_then(|moment| moment.at(now));
            assert_eq!(read.ok().map(|time| time.to_string()).as_deref(), time, "{text}");
        }
    }

    #[test]
    fn a_month_is_a_calendar_month() {
        let now: Timestamp = "2027-01-31T12:00:00Z".parse().unwrap();
        let month: Duration = serde_json::from_value("P1M".into()).unwrap();
        assert_eq!(month.after(now).unwrap().to_string(), "2027-02-28T12:00:00Z");
        assert_eq!(month.words(), "1 month");
        assert_eq!(serde_json::to_value(month).unwrap(), "P1M");
        let long: Duration = serde_json::from_value("P9999Y".into()).unwrap();
        assert_eq!(long.after(now), None);
    }
}
