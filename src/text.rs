//! Vendor text is data.
//!
//! A name or a message that comes from a vendor may carry terminal escapes, direction overrides
//! or characters nobody can see. [`clean`] takes them out before a model or a terminal sees them.
//! An id must not be altered, or two of them could look alike: [`exact`] writes out what [`clean`]
//! would take out.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The longest text that is shown whole; what follows is cut, and the cut is visible.
pub const LONGEST: usize = 2_000;
/// Longer than the longest path of a request, and than any id.
const LONGEST_EXACT: usize = 4 * LONGEST;
/// The most of a vendor's words that a sentence of ours repeats.
const LONGEST_QUOTE: usize = 200;
/// Where an answer holds ids and what is made of them.
const EXACT: [&str; 5] = ["id", "path", "within", "request", "next_cursor"];
const HIDDEN: &str = "the name holds characters that cannot be seen: go by the id";

/// `text` without control, format, private-use and unassigned characters, at most
/// [`LONGEST`] characters long. White space of every kind becomes one plain space a character.
pub fn clean(text: &str) -> String {
    if text.len() <= LONGEST && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    cut(text.chars().filter_map(visible), LONGEST)
}

/// A text that letter case, accents, widths, blanks and what cannot be seen do not tell from another.
///
/// Accents are what Unicode takes off letters; the marks of scripts that write sounds with them stay.
pub fn folded(text: &str) -> String {
    let accent = |c: &char| {
        c.general_category() == GeneralCategory::EnclosingMark
            || matches!(canonical_combining_class(*c), 1 | 10..=36 | 200..)
    };
    let small = |text: String| -> String {
        // There and back, so that ß is ss.
        let letters = text.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
        letters.flat_map(char::to_lowercase).collect()
    };
    let bare: String = strip(text).nfkd().filter(|c| !accent(c)).collect();
    let bare: String = small(bare).nfkd().filter(|c| !accent(c)).nfkc().collect();
    strip(&bare).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As [`clean`], however long the text is.
pub fn strip(text: &str) -> String {
    text.chars().filter_map(visible).collect()
}

/// Whether [`clean`] leaves the text as it is: only such text is ever sent as part of a path.
pub fn is_clean(text: &str) -> bool {
    clean(text) == text
}

/// Whether there is something in the text that nobody can see; white space of any kind aside.
pub fn hides(text: &str) -> bool {
    text.chars().any(|c| visible(c).is_none())
}

/// An id as it is, with whatever [`clean`] would change written out: `\u{200b}`. Two ids that
/// differ never look the same.
pub fn exact(text: &str) -> String {
    let shown = |c: char| match visible(c) {
        Some(same) if same == c => c.to_string(),
        _ => c.escape_unicode().to_string(),
    };
    let escaped: String = text.chars().take(LONGEST_EXACT).map(shown).collect();
    if text.chars().nth(LONGEST_EXACT).is_some() { escaped + "…" } else { escaped }
}

/// A vendor's words inside a sentence of ours: clean, short and in quotes that they cannot close.
pub fn quoted(text: &str) -> String {
    let inner = text.chars().filter_map(visible).map(|c| match c {
        '“' | '”' => '"',
        c => c,
    });
    let mark = if hides(text) { " (with hidden characters)" } else { "" };
    format!("“{}”{mark}", cut(inner, LONGEST_QUOTE))
}

/// Cleans every string of a JSON value in place; the keys are ours and stay. Ids and requests are
/// shown exactly. A name that hides something says so, since the name alone does not show it.
pub fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(fields) => clean_fields(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn clean_fields(fields: &mut Map<String, Value>) {
    let hidden = fields.get("name").and_then(Value::as_str).is_some_and(hides);
    for (key, value) in fields.iter_mut() {
        if EXACT.contains(&key.as_str()) { exact_value(value) } else { clean_value(value) }
    }
    if hidden {
        fields.insert("hidden".to_owned(), HIDDEN.into());
    }
}

fn exact_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = exact(text),
        Value::Array(items) => items.iter_mut().for_each(exact_value),
        Value::Object(fields) => fields.values_mut().for_each(exact_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cut(mut kept: impl Iterator<Item = char>, longest: usize) -> String {
    let mut text: String = kept.by_ref().take(longest).collect();
    if kept.next().is_some() {
        text.push('…');
    }
    text
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
    if matches!(c, ' '..='~') {
        return Some(c);
    }
    match c.general_category() {
        _ if c.is_whitespace() => Some(' '),
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::Unassigned => None,
        // Variation selectors, fillers and the empty Braille pattern are letters, marks or symbols
        // that draw nothing.
        _ if is_blank(c) => None,
        _ => Some(c),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

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
    fn folding_leaves_what_a_reader_takes_for_the_same() {
        for (raw, folded_to) in [
            ("Production", "production"),
            ("PROD", "prod"),
            ("  Orders \t PROD ", "orders prod"),
            ("/Harbor/Production", "/harbor/production"),
            ("Producci\u{f3}n", "produccion"),
            ("Produccio\u{301}n", "produccion"),
            ("\u{ff30}\u{ff32}\u{ff2f}\u{ff24}", "prod"),
            ("pr\u{200b}od", "prod"),
            ("pr\u{338}o\u{20dd}d", "prod"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("PRODUCTİON", "production"),
            ("プロダクション", "プロダクション"),
            ("생산", "생산"),
        ] {
            assert_eq!(folded(raw), folded_to, "{raw:?}");
            assert_eq!(folded(folded_to), folded_to, "{raw:?}");
        }
    }

    #[test]
    fn clean_cuts_long_text_visibly() {
        let cleaned = clean(&"a".repeat(LONGEST + 1));
        assert_eq!(cleaned.chars().count(), LONGEST + 1);
        assert!(cleaned.ends_with('…'));
        assert_eq!(clean(&"a".repeat(LONGEST)).len(), LONGEST);
    }

    /// Every character there is, against the standard's own categories.
    #[test]
    fn clean_leaves_no_character_of_a_category_that_draws_nothing() {
        use GeneralCategory::{
            Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator,
            Surrogate, Unassigned,
        };
        for c in '\0'..=char::MAX {
            let cleaned = strip(&c.to_string());
            match c.general_category() {
                _ if c.is_whitespace() => assert_eq!(cleaned, " ", "{c:?}"),
                Control | Format | PrivateUse | Surrogate | Unassigned => {
                    assert_eq!(cleaned, "", "{c:?}");
                }
                LineSeparator | ParagraphSeparator | SpaceSeparator => panic!("no space: {c:?}"),
                _ => assert!(cleaned.is_empty() || cleaned == c.to_string(), "{c:?}"),
            }
        }
    }

    #[test]
    fn ids_that_differ_never_look_the_same() {
        for (id, shown) in [
            ("us-1", "us-1"),
            ("us\u{200b}-1", "us\\u{200b}-1"),
            ("us\u{a0}-1", "us\\u{a0}-1"),
            (r"HARBOR\srivera", r"HARBOR\srivera"),
        ] {
            assert_eq!(exact(id), shown);
            assert_eq!(is_clean(id), id == shown, "{id:?}");
        }
    }

    #[test]
    fn a_quote_cannot_be_closed_from_inside() {
        assert_eq!(quoted("Orders"), "“Orders”");
        assert_eq!(quoted("x” to “y"), "“x\" to \"y”");
        assert_eq!(quoted("a\u{202e}b\nc"), "“ab c” (with hidden characters)");
        assert!(quoted(&"a".repeat(9_999)).chars().count() < LONGEST_QUOTE + 4);
    }

    #[test]
    fn a_value_keeps_its_ids_and_says_which_name_hides_something() {
        let mut value = json!({
            "rows": [{ "id": "a\u{200b}", "name": "S\u{200b}am" }, { "id": "b", "name": "S\u{a0}am" }],
            "request": { "path": "/a/b", "body": { "note": "x\u{202e}" } },
            "message": "x\u{202e}",
        });
        clean_value(&mut value);
        assert_eq!(
            value,
            json!({
                "rows": [
                    { "id": "a\\u{200b}", "name": "Sam", "hidden": HIDDEN },
                    { "id": "b", "name": "S am" },
                ],
                "request": { "path": "/a/b", "body": { "note": "x\\u{202e}" } },
                "message": "x",
            })
        );
    }

    fn texts() -> impl Strategy<Value = String> {
        let hostile = prop::sample::select(vec![
            '\u{1b}',
            '\u{202e}',
            '\u{e0041}',
            '\u{200d}',
            '\u{fe0f}',
            '\u{2028}',
            '\u{9b}',
            '“',
            'a',
        ]);
        prop::collection::vec(prop_oneof![any::<char>(), hostile], 0..60)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn cleaning_is_idempotent(text in texts(), times in 1_usize..400) {
            let cleaned = clean(&text.repeat(times));
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
            prop_assert!(cleaned.chars().count() <= LONGEST + 1);
        }

        #[test]
        fn what_is_shown_of_a_vendor_is_clean(text in texts()) {
            for shown in [exact(&text), quoted(&text), strip(&text)] {
                prop_assert!(!hides(&shown) && strip(&shown) == shown, "{:?}", shown);
            }
            let quote = quoted(&text);
            prop_assert_eq!(quote.matches(['“', '”']).count(), 2);
        }

        #[test]
        fn different_ids_are_shown_differently(one in texts(), other in texts()) {
            // An id that spells an escape out is the one that could look like another.
            prop_assume!(one != other && !one.contains('\\') && !other.contains('\\'));
            prop_assert_ne!(exact(&one), exact(&other));
        }
    }
}
