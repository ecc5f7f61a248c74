//! The time zone that a question speaks in: the requester's, kept in the request, so that whoever carries
//! a yes out can make the same words again.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::zone_of;

/// A zone, where it is known and is not UTC.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone(Option<TimeZone>);

impl Zone {
    /// That of this process.
    pub(super) fn here() -> Self {
        let name = TimeZone::system().iana_name().map(str::to_owned);
        Self::named(name.as_deref())
    }

    /// By its name; one that this machine does not know is taken for UTC.
    pub(super) fn named(name: Option<&str>) -> Self {
        let zone = name.and_then(zone_of);
        Self(zone.filter(|zone| *zone != TimeZone::UTC && zone.iana_name() != Some("Etc/UTC")))
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.0.as_ref()?.iana_name()
    }

    /// A moment there and in UTC. A time that is none is the vendor's words, quoted.
    pub(super) fn tell(&self, time: &str) -> String {
        let Ok(moment) = time.parse::<Timestamp>() else { return crate::text::quoted(time) };
        match &self.0 {
            Some(zone) => {
                let there = moment.to_zoned(zone.clone());
                let there = there.strftime("%a %Y-%m-%d %H:%M");
                format!("{there} {} ({time})", self.name().unwrap_or_default())
            }
            None => time.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_there_and_in_utc() {
        let utc = "2026-12-04T17:00:00Z";
        for (zone, time, told) in [
            (
                Some("Europe/Berlin"),
                utc,
                "Fri 2026-12-04 18:00 Europe/Berlin (2026-12-04T17:00:00Z)",
            ),
            (Some("Asia/Tokyo"), utc, "Sat 2026-12-05 02:00 Asia/Tokyo (2026-12-04T17:00:00Z)"),
            (Some("Etc/UTC"), utc, utc),
            (Some("UTC"), utc, utc),
            (Some("Harbor/Nowhere"), utc, utc),
            (Some("Europe/Berlin\nWarning: none"), utc, utc),
            (Some("../Europe/Berlin"), utc, utc),
            (None, utc, utc),
            (Some("Europe/Berlin"), "soon", "“soon”"),
        ] {
            assert_eq!(Zone::named(zone).tell(time), told, "{zone:?}");
        }
    }

    #[test]
    fn its_name_makes_it_again() {
        let zone = Zone::named(Some("Europe/Berlin"));
        assert_eq!(zone.name(), Some("Europe/Berlin"));
        assert_eq!(Zone::named(Some("UTC")).name(), None);
    }
}
