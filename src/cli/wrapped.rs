//! Lines no wider than a small terminal, broken between words and set in where they go on.

use unicode_width::UnicodeWidthStr as _;

/// As wide as a terminal is at least.
const WIDEST: usize = 80;

/// What stands in quotes and is no longer than this is not broken.
const SHORT: usize = 24;

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

/// The words of a line; what stands in quotes and is short is one, as it may have to be typed.
fn pieces(line: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let is_open = |piece: &String| {
            let quoted = piece.rsplit('“').next().filter(|_| piece.contains('“'));
            quoted.is_some_and(|quoted| !quoted.contains('”') && width(quoted) < SHORT)
        };
        match pieces.last_mut().filter(|piece| is_open(piece)) {
            Some(piece) => {
                piece.push(' ');
                piece.push_str(word);
            }
            None => pieces.push(word.to_owned()),
        }
    }
    pieces
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
fn width(text: &str) -> usize {
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
