//! The cells of a line of a question that says who gains or loses something, for faces that show them apart.

/// One line of a table: who gains or loses, what, and where and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells<'a> {
    pub who: &'a str,
    pub what: &'a str,
    pub place: &'a str,
}

impl<'a> Cells<'a> {
    /// The cells of a line that says who gains or loses something.
    pub fn of(line: &'a str) -> Option<Self> {
        let whom = line.find(['+', '−', '±'])?;
        let number = line.get(..whom)?.trim();
        let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        let is_instead = number.starts_with("if ") && number.ends_with(':');
        (is_instead || number.strip_suffix('.').is_some_and(is_digits)).then_some(())?;
        let who = whom + beyond(line.get(whom..)?, ": ")?;
        let (who, rest) = line.split_at_checked(who)?;
        let what = beyond(rest, " — ").map(|end| end - " — ".len())?;
        let (what, place) = rest.split_at_checked(what)?;
        Some(Self { who: who.trim_end(), what: what.trim(), place: place.trim() })
    }
}

/// Where a text goes on after the first of these marks that stands in no quotes.
fn beyond(text: &str, mark: &str) -> Option<usize> {
    let mut quotes = 0_usize;
    for (at, one) in text.char_indices() {
        match one {
            '“' => quotes += 1,
            '”' => quotes = quotes.saturating_sub(1),
            _ if quotes == 0 && text.get(at..)?.starts_with(mark) => return Some(at + mark.len()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name may hold what stands between cells.
    #[test]
    fn what_is_in_quotes_is_no_mark() {
        let line = "1. + “a — b: c” (x): “r — s” on “t: u” — redox, from 1";
        let Cells { who, what, place } = Cells::of(line).unwrap();
        assert_eq!(
            [who, what, place],
            ["1. + “a — b: c” (x):", "“r — s” on “t: u”", "— redox, from 1"]
        );
        for other in ["Warning (1): + a: b — c", "Ids: “1. + a”: b — c", "", "plain — words"]
        {
            assert!(Cells::of(other).is_none(), "{other}");
        }
    }
}
