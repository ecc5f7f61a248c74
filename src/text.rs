//! Vendor text is data.
//!
//! A name or a message that comes from a vendor may carry terminal escapes, direction overrides
//! or characters nobody can see. [`clean`] takes them out before a model or a terminal sees them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The longest text that is shown whole; what follows is cut, and the cut is visible.
pub const LONGEST: usize = 2_000;

/// `text` without control, format, private-use and unassigned characters, at most
/// [`LONGEST`] characters long. White space of every kind becomes one plain space a character.
pub fn clean(text: &str) -> String {
    if text.len() <= LONGEST && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    let mut kept = text.chars().filter_map(visible);
    let mut cleaned: String = kept.by_ref().take(LONGEST).collect();
    if kept.next().is_some() {
        cleaned.push('…');
    }
    cleaned
}

/// Cleans every string of a JSON value in place; the keys are ours and stay.
pub fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(fields) => fields.values_mut().for_each(clean_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

/// Percent-encodes for a query: everything but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Percent-encodes for one path segment, where `:` and `@` may stand as they are.
pub fn encode_segment(text: &str) -> String {
    const SEGMENT: &AsciiSet = &RESERVED.remove(b':').remove(b'@');
    utf8_percent_encode(text, SEGMENT).to_string()
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn visible(c: char) -> Option<char> {
    match c.general_category() {
        _ if c.is_whitespace() => Some(' '),
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::Unassigned => None,
        // Variation selectors and the Hangul and Khmer fillers are letters or marks that draw nothing.
        _ if is_blank(c) => None,
        _ => Some(c),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_takes_out_what_cannot_be_seen() {
        for (raw, shown) in [
            ("Orders", "Orders"),
            ("Zoë Łuk", "Zoë Łuk"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("a\u{202e}b\u{2066}c", "abc"),
            ("x\u{e0041}\u{e0042}y", "xy"),
            ("z\u{200d}w\u{200b}\u{feff}", "zw"),
            ("one\ntwo\tthree", "one two three"),
            ("v\u{fe0f}s\u{3164}", "vs"),
        ] {
            assert_eq!(clean(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn clean_cuts_long_text_visibly() {
        let cleaned = clean(&"a".repeat(LONGEST + 1));
        assert_eq!(cleaned.chars().count(), LONGEST + 1);
        assert!(cleaned.ends_with('…'));
        assert_eq!(clean(&"a".repeat(LONGEST)).len(), LONGEST);
    }
}
