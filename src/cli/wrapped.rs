//! Lines no wider than a small terminal, broken between words and set in where they go on.

use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::UnicodeWidthStr as _;

/// As wide as a terminal is at least.
const WIDEST: usize = 80;

/// What stands in quotes and is no longer than this is not broken.
const SHORT: usize = 24;

/// How wide the terminal is that stdout is; none where it is none, or does not say.
pub(super) fn of_stdout() -> Option<usize> {
    columns(terminal_size_of(std::io::stdout()))
}

/// The same of stderr.
pub(super) fn of_stderr() -> Option<usize> {
    columns(terminal_size_of(std::io::stderr()))
}

fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    let (Width(columns), _) = size?;
    Some(usize::from(columns)).filter(|&columns| columns > 0)
}

/// How a command begins in words.
const COMMAND: &str = "`grantor";

/// A text whose lines fit; what has no blanks in it stays whole.
pub(super) fn wrapped(text: &str) -> String {
    within(WIDEST, 0, text)
}

/// The same in lines of so many columns, those that go on set in by this much at least.
pub(super) fn within(most: usize, least: usize, text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
        Some(line) => format!("{}\n", broken(most, least, line)),
        None => broken(most, least, line),
    });
    lines.collect()
}

fn broken(most: usize, least: usize, line: &str) -> String {
    if width(line) <= most {
        return line.to_owned();
    }
    let hanging = hanging(least, line);
    let (mut text, mut used, mut is_first) = (String::new(), 0, true);
    for word in pieces(line) {
        let word = word.as_str();
        let wide = width(word);
        // Blanks that the line begins with are no place to break it.
        let is_begun = width(text.trim()) > 0 && !is_first;
        if is_begun && used + 1 + wide > most {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(&hanging);
            used = width(&hanging);
        } else if !is_first {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += wide;
        is_first = false;
    }
    text
}

/// The words of a line; a command is one, and so is what stands in quotes and is short, as it may have to be
/// typed.
fn pieces(line: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let is_open = |piece: &String| {
            let quoted = piece.rsplit('“').next().filter(|_| piece.contains('“'));
            let plain = plain(piece);
            let command = plain.trim_start_matches('(').strip_prefix(COMMAND);
            quoted.is_some_and(|quoted| !quoted.contains('”') && width(quoted) < SHORT)
                || command.is_some_and(|command| !command.contains('`') && width(command) < WIDEST)
        };
        match pieces.last_mut().filter(|piece| is_open(piece) || is_time(piece, word)) {
            Some(piece) => {
                piece.push(' ');
                piece.push_str(word);
            }
            None => pieces.push(word.to_owned()),
        }
    }
    pieces
}

/// Whether a word goes on with a time that a piece ends in: its hour, and then its zone.
fn is_time(piece: &str, word: &str) -> bool {
    let has_shape = |text: &str, shape: &str| {
        let fits = |(c, wanted): (char, char)| c == wanted || wanted == 'd' && c.is_ascii_digit();
        text.len() >= shape.len() && text.chars().zip(shape.chars()).all(fits)
    };
    let plain = plain(piece);
    let mut last = plain.rsplit(' ');
    let (last, before) = (last.next().unwrap_or_default(), last.next().unwrap_or_default());
    let is_zone = word.starts_with(|c: char| c.is_ascii_uppercase() || "+-".contains(c));
    has_shape(last, "dddd-dd-dd") && has_shape(word, "dd:dd")
        || has_shape(before, "dddd-dd-dd") && has_shape(last, "dd:dd") && is_zone
}

/// What goes before a line's continuation: its blanks, and some more.
fn hanging(least: usize, line: &str) -> String {
    let plain = plain(line);
    match plain.len() - plain.trim_start().len() {
        0 => " ".repeat(least),
        blanks => " ".repeat(blanks + 4),
    }
}

/// How many columns a text takes: colours take none.
pub(super) fn width(text: &str) -> usize {
    plain(text).width()
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_say_the_same() {
        let long = "word ".repeat(40);
        for text in [
            format!("“{long}”\n"),
            format!("  calls  tool {long}"),
            format!("  \u{1b}[33mafter\u{1b}[0m: {long}\n  short\n"),
            "    ".to_owned(),
        ] {
            let wrapped = wrapped(&text);
            assert!(wrapped.lines().all(|line| width(line) <= WIDEST), "{wrapped}");
            let words =
                |text: &str| plain(text).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&wrapped), words(&text));
            assert_eq!(wrapped.ends_with('\n'), text.ends_with('\n'));
        }
    }

    #[test]
    fn a_time_is_not_broken() {
        let told = within(
            40,
            0,
            "it waits for somebody until then: 2026-11-28 12:00:00 UTC, and no longer",
        );
        assert!(told.contains("\n2026-11-28 12:00:00 UTC, and no"), "{told}");
    }

    /// Whoever copies a command copies all of it.
    #[test]
    fn a_command_is_not_broken() {
        let told = within(
            60,
            4,
            "it waits until tomorrow; `grantor --sandbox requests approve gr-a` shows it",
        );
        assert!(told.contains("\n    `grantor --sandbox requests approve gr-a` shows"), "{told}");
    }

    #[test]
    fn what_goes_on_is_set_in() {
        let long = "word ".repeat(20);
        let question = within(60, 2, &format!("Warning: {long}"));
        assert!(question.lines().nth(1).unwrap().starts_with("  word"), "{question}");
        let answer = wrapped(&format!("  confirmed  {long}"));
        assert!(answer.lines().nth(1).unwrap().starts_with("      word"), "{answer}");
        let whole = "x".repeat(100);
        assert_eq!(wrapped(&format!("  {whole}")), format!("  {whole}"));
    }
}
