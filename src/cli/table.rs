//! Tables for people: columns where the terminal is wide enough for them, a row in several lines where it is
//! not, and one line a row in a pipe.

use super::paint::{DIM, with};
use super::wrapped::{of_stdout, width, within};

/// What stands between two columns.
const GAP: usize = 2;
/// How far a table is set in, and a row's further lines.
const MARGIN: usize = 2;
const FURTHER: usize = 6;
/// A text in fewer columns than these is easier to read on lines of its own.
const LEAST: usize = 28;

/// A row: short cells, a text that may be long, and what else there is to say of it.
pub(super) struct Row<const N: usize> {
    pub cells: [String; N],
    pub text: String,
    pub more: Vec<String>,
}

/// Which columns stand on which line, and where the text goes.
pub(super) struct Layout {
    widths: Vec<usize>,
    /// The columns of each line, by their numbers; those that are empty everywhere are on none.
    lines: Vec<Vec<usize>>,
    /// How wide the terminal is, where that is known.
    columns: Option<usize>,
    /// Whether the text begins on a line of its own.
    is_below: bool,
}

/// All rows under their headings, for whoever reads stdout.
pub(super) fn table<const N: usize>(heads: [&str; N], text: &str, rows: &[Row<N>]) -> String {
    table_in(of_stdout(), heads, text, rows)
}

/// The same in so many columns. Pure.
pub(super) fn table_in<const N: usize>(
    columns: Option<usize>,
    heads: [&str; N],
    text: &str,
    rows: &[Row<N>],
) -> String {
    let is_used = |column: &usize| {
        rows.iter().any(|row| row.cells.get(*column).is_some_and(|cell| !cell.is_empty()))
    };
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| width(cell));
        let head = heads.get(column).map(|head| width(head));
        cells.chain(head).max().unwrap_or_default()
    };
    let mut lengths: Vec<_> = rows.iter().map(|row| width(&row.text)).collect();
    lengths.sort_unstable();
    // A few that are much longer do not decide for all.
    let usual = lengths.get(lengths.len() * 3 / 4).copied().unwrap_or_default();
    let widths = (0..N).map(widest).collect();
    let used = (0..N).filter(is_used).collect();
    let layout = Layout::new(widths, used, usual, columns);
    let rows = rows.iter().map(|row| layout.row(row));
    std::iter::once(layout.heads(heads, text)).chain(rows).collect()
}

impl Layout {
    /// `usual` is how long the text of a row may well be.
    pub(super) fn new(
        widths: Vec<usize>,
        used: Vec<usize>,
        usual: usize,
        columns: Option<usize>,
    ) -> Self {
        let mut lines: Vec<Vec<usize>> = Vec::new();
        let mut end = 0;
        for column in used {
            let wide = widths.get(column).copied().unwrap_or_default();
            let fits = columns.is_none_or(|columns| end + GAP + wide <= columns);
            match lines.last_mut().filter(|_| fits) {
                Some(line) => line.push(column),
                None => {
                    end = if lines.is_empty() { 0 } else { FURTHER - GAP };
                    lines.push(vec![column]);
                }
            }
            end += GAP + wide;
        }
        let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(end + GAP));
        // Two lines beside the cells are read as one with them; more are a column of scraps.
        let is_narrow = room < usual && (room < LEAST || room.saturating_mul(2) < usual);
        let is_below = lines.len() > 1 || !lines.is_empty() && is_narrow;
        Self { widths, lines, columns, is_below }
    }

    pub(super) fn heads<const N: usize>(&self, heads: [&str; N], text: &str) -> String {
        let cells = heads.map(str::to_owned);
        let text = if text.is_empty() { String::new() } else { with(DIM, text) };
        let lines = self.laid(&cells.map(|cell| with(DIM, &cell)), &text);
        lines + "\n"
    }

    pub(super) fn row<const N: usize>(&self, row: &Row<N>) -> String {
        let mut shown = self.laid(&row.cells, &row.text);
        shown.push('\n');
        for more in &row.more {
            shown.push_str(&self.broken(FURTHER, more));
            shown.push('\n');
        }
        shown
    }

    fn laid(&self, cells: &[String], text: &str) -> String {
        let mut shown = String::new();
        let mut end = 0;
        for (number, line) in self.lines.iter().enumerate() {
            let is_empty = |column: &usize| cells.get(*column).is_none_or(String::is_empty);
            if number > 0 && line.iter().all(is_empty) {
                continue;
            }
            end = if shown.is_empty() { MARGIN } else { FURTHER };
            let first = if shown.is_empty() { "" } else { "\n" };
            shown.truncate(shown.trim_end_matches(' ').len());
            shown.push_str(&format!("{first}{:end$}", ""));
            for column in line {
                let wide = self.widths.get(*column).copied().unwrap_or_default();
                let cell = cells.get(*column).map(String::as_str).unwrap_or_default();
                let pad = wide.saturating_sub(width(cell)) + GAP;
                shown.push_str(&format!("{cell}{:pad$}", ""));
                end += wide + GAP;
            }
        }
        if text.is_empty() {
            shown.truncate(shown.trim_end_matches(' ').len());
            return shown;
        }
        match self.is_below {
            true => {
                shown.truncate(shown.trim_end_matches(' ').len());
                format!("{shown}\n{}", self.broken(FURTHER, text))
            }
            false if self.lines.is_empty() => self.broken(MARGIN, text),
            false => {
                let broken = self.broken(end, text);
                shown + broken.trim_start_matches(' ')
            }
        }
    }

    /// A text in lines that begin so far in.
    fn broken(&self, indent: usize, text: &str) -> String {
        let margin = " ".repeat(indent);
        let room = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(indent));
        let lines = within(room, 0, text);
        lines.lines().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row<3>> {
        let row = |state: &str, end: &str, text: &str, more: &[&str]| Row {
            cells: [state.to_owned(), "sam".to_owned(), end.to_owned()],
            text: text.to_owned(),
            more: more.iter().map(|one| (*one).to_owned()).collect(),
        };
        vec![
            row("waiting", "2026-11-28 10:00 UTC", "grant “Read” on “A” to “Sam Rivera”", &[]),
            row("done", "", "revoke it", &["receipt gr-a", "at the vendor"]),
        ]
    }

    fn told(columns: Option<usize>) -> String {
        let shown = table_in(columns, ["STATE", "BY", "ENDS"], "WHAT", &rows());
        anstream::adapter::strip_str(&shown).to_string()
    }

    #[test]
    fn a_row_is_one_line_where_there_is_room_and_in_a_pipe() {
        let wide = "  STATE    BY   ENDS                  WHAT\n  \
            waiting  sam  2026-11-28 10:00 UTC  grant “Read” on “A” to “Sam Rivera”\n  \
            done     sam                        revoke it\n      receipt gr-a\n      at the vendor\n";
        assert_eq!(told(None), wide);
        assert_eq!(told(Some(200)), wide);
    }

    #[test]
    fn a_text_goes_on_below_itself_or_on_lines_of_its_own() {
        assert_eq!(told(Some(72)).lines().nth(2).unwrap(), format!("{:38}“Sam Rivera”", ""),);
        let narrow = told(Some(50));
        let lines: Vec<_> = narrow.lines().take(4).collect();
        assert_eq!(
            lines,
            [
                "  STATE    BY   ENDS",
                "      WHAT",
                "  waiting  sam  2026-11-28 10:00 UTC",
                "      grant “Read” on “A” to “Sam Rivera”",
            ]
        );
        let narrower = told(Some(30));
        let lines: Vec<_> = narrower.lines().take(3).collect();
        assert_eq!(lines, ["  STATE    BY", "      ENDS", "      WHAT"]);
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_and_no_word_is_lost() {
        let words = |text: &str| {
            let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        for columns in [30, 40, 60, 80, 100] {
            let shown = told(Some(columns));
            assert!(shown.lines().all(|line| width(line) <= columns), "{columns}:\n{shown}");
            assert_eq!(words(&shown), words(&told(None)), "{columns}");
            assert!(shown.lines().all(|line| line.trim_end() == line), "{columns}:\n{shown}");
        }
    }

    #[test]
    fn a_column_in_which_nothing_stands_is_left_out() {
        let mut rows = rows();
        rows.iter_mut().for_each(|row| row.cells[2].clear());
        let shown = table_in(None, ["STATE", "BY", "ENDS"], "WHAT", &rows);
        assert!(!shown.contains("ENDS"), "{shown}");
    }
}
