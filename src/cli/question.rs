//! A question as a terminal shows it: its words as they were put, in columns where the terminal is wide enough.

use unicode_width::UnicodeWidthStr as _;

use super::wrapped::{of_stderr, within};
use crate::desk::Cells;

/// Where nobody says how wide a terminal is.
const WIDTH: usize = 80;
/// Lines longer than this are hard to read.
const WIDEST: usize = 120;
/// How far a line's continuation is set in: a name in it is no line of its own.
const GOES_ON: usize = 2;
/// What stands before what somebody gains or loses, where that is a line of its own.
const UNDER: &str = "     ";

/// As wide as the terminal is that a person reads.
pub(super) fn width() -> usize {
    of_stderr().unwrap_or(WIDTH).min(WIDEST)
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
        Some(cells) if fits => in_columns(cells, who, what),
        Some(cells) => stacked(cells, width),
        None => within(width, GOES_ON, &format!("{line}\n")),
    };
    lines.iter().map(line).collect()
}

fn in_columns(cells: &Cells<'_>, who: usize, what: usize) -> String {
    let pad = |cell: &str, width: usize| " ".repeat(width - cell.width());
    let Cells { who: first, what: second, place } = cells;
    format!("{first}{}  {second}{}  {place}\n", pad(first, who), pad(second, what))
}

fn stacked(cells: &Cells<'_>, width: usize) -> String {
    let Cells { who, what, place } = cells;
    within(width, GOES_ON, &format!("{who}\n{UNDER}{what} {place}\n"))
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
}
