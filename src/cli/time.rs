//! Times as people write and read them where this machine is.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::text;

/// A time that somebody typed: RFC 3339, a day from its first minute here, or how long ago.
pub(super) fn from(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    if let Some(begins) = day.and_then(|day| day.to_zoned(TimeZone::system()).ok()) {
        return Some(begins.timestamp());
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let ago = text.parse::<Span>().ok().filter(|_| text.starts_with('P'))?;
    Some(now.to_zoned(TimeZone::system()).checked_sub(ago).ok()?.timestamp())
}

/// A time that somebody typed behind an option.
///
/// # Errors
/// It is none.
pub(super) fn option(text: &str) -> Result<Timestamp, String> {
    from(text, Timestamp::now()).ok_or_else(|| {
        "give a time such as 2027-01-31T18:00:00Z, a day, or how long ago, such as P7D".to_owned()
    })
}

/// A time as the clock on the wall here has it, to the second, with its zone.
pub(super) fn told(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The same of a text; one that is no time stays.
pub(super) fn local(time: &str, zone: &TimeZone) -> String {
    time.parse().map_or_else(|_| text::clean(time), |time| told(time, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_three_ways() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        for (text, time) in [
            ("2026-11-27T10:00:00Z", Some("2026-11-27T10:00:00Z")),
            ("P1D", Some("2026-11-27T12:00:00Z")),
            (" PT8H ", Some("2026-11-28T04:00:00Z")),
            ("yesterday", None),
            ("-P1D", None),
            ("", None),
        ] {
            assert_eq!(from(text, now).map(|time| time.to_string()).as_deref(), time, "{text:?}");
        }
        assert!(from("2026-11-27", now).is_some_and(|day| day < now));
    }

    #[test]
    fn the_wall_has_another_hour() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(local("2026-11-28T12:00:00.5Z", &zone), "2026-11-28 14:00:00 +02");
        assert_eq!(local("soon", &zone), "soon");
        let fine: Timestamp = "2027-01-31T18:00:00.123456789Z".parse().unwrap();
        assert_eq!(told(fine, &zone), "2027-01-31 20:00:00 +02");
        assert_eq!(told(fine, &TimeZone::UTC), "2027-01-31 18:00:00 UTC");
    }
}
