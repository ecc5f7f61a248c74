//! A question as a terminal shows it: its words as they were put, in columns where the terminal is wide enough.

use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr as _;

use super::wrapped::within;

/// Where nobody says how wide a terminal is.
const WIDTH: usize = 80;
/// Lines longer than this are hard to read.
const WIDEST: usize = 120;
/// How far a line's continuation is set in: a name in it is no line of its own.
const GOES_ON: usize = 2;
/// What stands before what somebody gains or loses, where that is a line of its own.
const UNDER: &str = "     ";

/// One line of a table: who gains or loses, what, and where and until when.
struct Cells<'a> {
    who: &'a str,
    what: &'a str,
    place: &'a str,
}

/// As wide as the terminal is that a person reads.
pub(super) fn width() -> usize {
    let found = terminal_size_of(std::io::stderr());
    let found = found.map(|(Width(width), _)| usize::from(width)).filter(|&width| width > 0);
    found.unwrap_or(WIDTH).min(WIDEST)
}

/// The text of a question with other spaces and line ends between its words, and nothing else changed: what a
/// person agrees to is the text.
pub(super) fn laid_out(text: &str, width: usize) -> String {
    let lines: Vec<_> = text.lines().map(|line| (line, Cells::of(line))).collect();
    let (mut who, mut what, mut place) = (0, 0, 0);
    for cells in lines.iter().filter_map(|(_, cells)| cells.as_ref()) {
        who = who.max(cells.who.width());
        what = what.max(cells.what.width());
        place = place.max(cells.place.width());
    }
    let fits = who + what + place + 4 <= width;
    let line = |(line, cells): &(&str, Option<Cells<'_>>)| match cells {
        Some(cells) if fits => cells.in_columns(who, what),
        Some(cells) => cells.stacked(width),
        None => within(width, GOES_ON, &format!("{line}\n")),
    };
    lines.iter().map(line).collect()
}

impl<'a> Cells<'a> {
    /// The cells of a line that says who gains or loses something.
    fn of(line: &'a str) -> Option<Self> {
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

    fn in_columns(&self, who: usize, what: usize) -> String {
        let pad = |cell: &str, width: usize| " ".repeat(width - cell.width());
        let Cells { who: first, what: second, place } = self;
        format!("{first}{}  {second}{}  {place}\n", pad(first, who), pad(second, what))
    }

    fn stacked(&self, width: usize) -> String {
        let Cells { who, what, place } = self;
        within(width, GOES_ON, &format!("{who}\n{UNDER}{what} {place}\n"))
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

    const SET: &str = "\
Grantor, for sam, asks for your consent to 2 changes:
1. − “Grace: Okafor” (grace.okafor@example.com): “Tester” on “Orders — old” — outsystems
2. + “Grace: Okafor” (grace.okafor@example.com): “Developer” on “Orders — old” — outsystems, for 8 hours from then
   if 2 is not done: + “Grace: Okafor” (grace.okafor@example.com): “Tester” on “Orders — old” — outsystems
Ends: as the lines say; Grantor then takes it back, without asking again
Ids: “Grace: Okafor” (grace.okafor@example.com) is 72d8567d-894a-45e4-b0b1-87ef310c0c00; 参考 is 9";

    /// Whatever the width, a person reads every word of what was asked, in its order.
    #[test]
    fn only_spaces_and_line_ends_differ() {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for width in [1, 20, 60, 80, 120, 400] {
            let shown = laid_out(SET, width);
            assert_eq!(words(&shown), words(SET), "{width}");
        }
    }

    #[test]
    fn a_narrow_terminal_is_not_left() {
        for line in laid_out(SET, 60).lines() {
            assert!(line.width() <= 60, "{line}");
        }
        let shown = laid_out(SET, 60);
        let first: Vec<_> = shown.lines().skip(1).take(2).collect();
        assert_eq!(
            first,
            [
                "1. − “Grace: Okafor” (grace.okafor@example.com):",
                "     “Tester” on “Orders — old” — outsystems",
            ],
            "{shown}"
        );
    }

    #[test]
    fn a_wide_terminal_has_columns() {
        let shown = laid_out(SET, 160);
        let column = |line: &str| {
            let at = line.find("— outsystems").unwrap();
            line.get(..at).unwrap().width()
        };
        let columns: Vec<_> = shown.lines().skip(1).take(3).map(column).collect();
        assert!(columns.windows(2).all(|two| two[0] == two[1]), "{shown}");
    }

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
