//! What a text looks like: its skeleton, as Unicode's security mechanisms (UTS 39) define it.
//!
//! The table is a text, a line a character: the character, and what stands in its place, which is nothing for one
//! that cannot be seen. `build.rs` makes it.

use unicode_normalization::UnicodeNormalization as _;

/// In the order of the characters that its lines begin with.
const TABLE: &str = include_str!(concat!(env!("OUT_DIR"), "/looks.txt"));

/// Two texts that may be taken for each other have the same one.
pub fn skeleton(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().nfd().flat_map(looks).nfd()
}

/// What a character looks like, which most often is itself.
fn looks(c: char) -> impl Iterator<Item = char> {
    let found = found(c);
    found.is_none().then_some(c).into_iter().chain(found.unwrap_or_default().chars())
}

fn found(c: char) -> Option<&'static str> {
    let mut lines = TABLE;
    while !lines.is_empty() {
        let middle = lines.floor_char_boundary(lines.len() / 2);
        let start = lines.get(..middle)?.rfind('\n').map_or(0, |end| end + 1);
        let (before, from) = lines.split_at_checked(start)?;
        let (line, after) = from.split_once('\n')?;
        let mut line = line.chars();
        match line.next()?.cmp(&c) {
            std::cmp::Ordering::Equal => return Some(line.as_str()),
            std::cmp::Ordering::Greater => lines = before,
            std::cmp::Ordering::Less => lines = after,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_looks_as_unicode_says() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            let [ours, theirs]: [String; 2] =
                [skeleton(&text).collect(), unicode_security::skeleton(&text).collect()];
            assert_eq!(ours, theirs, "{}", c.escape_unicode());
        }
    }

    #[test]
    fn a_text_looks_as_its_characters_do_together() {
        for text in ["Раypal", "rnodern", "l\u{300}Ö\u{ad}1", "ﬁlé\u{2060}", "ａ\u{5b0}b"] {
            assert!(skeleton(text).eq(unicode_security::skeleton(text)), "{text}");
        }
    }
}
