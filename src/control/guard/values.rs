//! Values as Cedar has them.

use cedar_policy::RestrictedExpression as Value;
use jiff::{Timestamp, tz::TimeZone};

/// Minutes until the end, rounded up: a limit is never passed by a rounding.
pub fn minutes(now: Timestamp, end: Timestamp) -> i64 {
    let seconds = end.as_second().saturating_sub(now.as_second());
    seconds.div_euclid(60) + i64::from(seconds.rem_euclid(60) > 0)
}

pub(super) fn moment(now: Timestamp, zone: TimeZone) -> Value {
    let now = now.to_zoned(zone);
    let date = i64::from(now.year()) * 10_000 + i64::from(now.month()) * 100 + i64::from(now.day());
    record(vec![
        field("date", Value::new_long(date)),
        field("hour", Value::new_long(now.hour().into())),
        field("minute", Value::new_long(now.minute().into())),
        field("weekday", Value::new_long(now.weekday().to_monday_one_offset().into())),
    ])
}

pub(super) fn field(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

pub(super) fn text(text: &str) -> Value {
    Value::new_string(text.to_owned())
}

pub(super) fn words<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    Value::new_set(words.map(text))
}

pub(super) fn count(count: usize) -> Value {
    Value::new_long(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The names of the fields are ours and differ, so that this cannot fail.
pub(super) fn record(fields: Vec<(String, Value)>) -> Value {
    Value::new_record(fields).unwrap_or_else(|_| text(""))
}
