//! A point in time as people and programs write it: RFC 3339, or RFC 9557 with the zone behind it.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::temporal::{Pieces, PiecesOffset};

const FORM: &str = "must be an RFC 3339 time such as 2027-01-31T18:00:00Z";

/// The time that a text names.
///
/// # Errors
/// It names none, in words that follow the name of the argument.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let pieces = Pieces::parse(text).map_err(|_| wrong(text))?;
    let time = pieces.time().ok_or_else(|| format!("{FORM}: this is a day without a time"))?;
    let offset = pieces.to_numeric_offset();
    let offset =
        offset.ok_or_else(|| format!("{FORM}: this one does not say how far from UTC it is"))?;
    let date = pieces.date().to_datetime(time);
    let late = || {
        let last = Timestamp::MAX.strftime("%FT%TZ");
        format!(
            "is later than any time that can be kept, which ends at {last}: leave it out for no end"
        )
    };
    let moment = offset.to_timestamp(date).map_err(|_| late())?;
    let Some(zone) = pieces.time_zone_annotation() else { return Ok(moment) };
    // A UTC time with a zone says only where it is to be shown.
    if matches!(pieces.offset(), Some(PiecesOffset::Zulu)) {
        return Ok(moment);
    }
    let zone = zone.to_time_zone().map_err(|_| {
        format!("{FORM}: the zone in brackets is not known on this machine; leave it out")
    })?;
    let there = zone.to_offset(moment);
    if there == offset {
        return Ok(moment);
    }
    Err(format!(
        "says {offset} from UTC and names a zone that is {there} from it then: leave one of them out"
    ))
}

/// What is wrong with a text that is no time.
fn wrong(text: &str) -> String {
    let numbers: Vec<&str> = text.get(..10).map(|day| day.split('-').collect()).unwrap_or_default();
    let number = |place: usize| numbers.get(place).and_then(|part| part.parse::<i16>().ok());
    if let (Some(year), Some(month), Some(day)) = (number(0), number(1), number(2)) {
        let [month, day] = [month, day].map(|part| i8::try_from(part).unwrap_or_default());
        if jiff::civil::Date::new(year, month, day).is_err() {
            return format!("{FORM}: no calendar has the day {year:04}-{month:02}-{day:02}");
        }
        let hour = text.get(11..).and_then(|rest| rest.get(..2)).and_then(|hour| hour.parse().ok());
        if hour.is_some_and(|hour| Time::new(hour, 0, 0, 0).is_err()) {
            return format!("{FORM}: no day has that hour");
        }
    }
    FORM.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_however_it_is_rightly_written() {
        for (text, time) in [
            ("2027-01-31T18:00:00Z", "2027-01-31T18:00:00Z"),
            ("2027-01-31t18:00:00z", "2027-01-31T18:00:00Z"),
            ("2027-01-31 18:00:00Z", "2027-01-31T18:00:00Z"),
            ("2027-01-31T18:00:00+01:00", "2027-01-31T17:00:00Z"),
            ("2027-01-31T18:00:00-05:30", "2027-01-31T23:30:00Z"),
            ("2027-01-31T18:00:00.25Z", "2027-01-31T18:00:00.25Z"),
            ("2027-01-31T18:00:00-00:00", "2027-01-31T18:00:00Z"),
            ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
            (" 2027-01-31T18:00:00Z\n", "2027-01-31T18:00:00Z"),
            ("2026-12-24T18:00:00+01:00[Europe/Berlin]", "2026-12-24T17:00:00Z"),
            ("2026-07-24T18:00:00+02:00[Europe/Berlin]", "2026-07-24T16:00:00Z"),
            ("2026-12-24T18:00:00Z[Europe/Berlin]", "2026-12-24T18:00:00Z"),
            ("2026-12-24T18:00:00+00:00[UTC]", "2026-12-24T18:00:00Z"),
            ("9999-12-30T21:59:59Z", "9999-12-30T21:59:59Z"),
        ] {
            let found = moment(text).map(|time| time.to_string());
            assert_eq!(found.as_deref(), Ok(time), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_time_is_said() {
        for (text, part) in [
            ("", "RFC 3339"),
            ("tomorrow", "RFC 3339"),
            ("1798761600", "RFC 3339"),
            ("31.01.2027 18:00", "RFC 3339"),
            ("2027-01-31", "a day without a time"),
            ("2027-01-31T18:00:00", "how far from UTC"),
            ("2027-01-31T18:00:00[Europe/Berlin]", "how far from UTC"),
            ("2027-02-29T18:00:00Z", "no calendar has the day 2027-02-29"),
            ("2100-02-29T18:00:00Z", "no calendar has the day 2100-02-29"),
            ("2027-04-31T18:00:00Z", "no calendar has the day"),
            ("2027-13-01T18:00:00Z", "no calendar has the day"),
            ("2027-01-31T24:00:00Z", "no day has that hour"),
            ("2027-01-31T25:00:00Z", "no day has that hour"),
            ("9999-12-31T23:59:59Z", "later than any time that can be kept"),
            ("9999-12-31T23:59:59+00:00[UTC]", "leave it out for no end"),
            (
                "2026-12-24T18:00:00+02:00[Europe/Berlin]",
                "says +02 from UTC and names a zone that is +01",
            ),
            (
                "2026-07-24T18:00:00+01:00[Europe/Berlin]",
                "says +01 from UTC and names a zone that is +02",
            ),
            ("2026-12-24T18:00:00+01:00[Europe/Atlantis]", "not known on this machine"),
        ] {
            let trouble = moment(text).unwrap_err();
            assert!(trouble.contains(part), "{text}: {trouble}");
        }
    }
}
