//! Vendor text is data.
//!
//! A name or a message that comes from a vendor may carry terminal escapes, direction overrides
//! or characters nobody can see. [`clean`] takes them out before a model or a terminal sees them.
//! An id must not be altered, or two of them could look alike: [`exact`] writes out what [`clean`]
//! would take out. Inside a sentence of ours, whatever is not our own word goes through [`quote`].

mod looks;
mod near;
mod skeleton;

use std::borrow::Cow;

pub(crate) use looks::contains;
pub use looks::{folded, look_alike, plain_part, same_name, slips, with_address};
pub use near::{finds, near, parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
pub use skeleton::skeleton;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The longest text that is shown whole; what follows is cut, and the cut is visible.
pub const LONGEST: usize = 2_000;
/// Longer than the longest path of a request, and than any id.
const LONGEST_EXACT: usize = 4 * LONGEST;
/// Where an answer holds ids and what is made of them.
const EXACT: [&str; 5] = ["id", "path", "within", "request", "next_cursor"];
const HIDDEN: &str = "the name holds characters that cannot be seen: go by the id";

/// Whose words a text is, inside a sentence of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A vendor's: a name, a message.
    Vendor,
    /// An id, path or address, whoever wrote it: never altered, so that two of them never look the
    /// same. One that cannot be taken for a sentence needs no quotes.
    Id,
    /// What a client claims to be.
    Client,
    /// An argument of the caller.
    Caller,
    /// Why a change is asked for.
    Reason,
}

/// `text` without control, format, private-use and unassigned characters, at most
/// [`LONGEST`] characters long. White space of every kind becomes one plain space a character.
pub fn clean(text: &str) -> String {
    if text.len() <= LONGEST && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    cut(seen(text).filter_map(|(_, shown)| shown), LONGEST)
}

/// A text that letter case, accents, widths, blanks and what cannot be seen do not tell from another.
///
/// Accents are what Unicode takes off letters; the marks of scripts that write sounds with them stay.
pub fn folded_for_rules(text: &str) -> String {
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
    seen(text).filter_map(|(_, shown)| shown).collect()
}

/// The text with all that a reader would not see of it written out: `\u{200b}`.
pub fn written_out(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for (one, shown) in seen(text) {
        match shown {
            Some(shown) => told.push(shown),
            None => told.extend(one.escape_unicode()),
        }
    }
    told
}

/// Whether [`clean`] leaves the text as it is: only such text is ever sent as part of a path.
pub fn is_clean(text: &str) -> bool {
    clean(text) == text
}

/// Whether there is something in the text that nobody can see; white space of any kind aside.
pub fn hides(text: &str) -> bool {
    seen(text).any(|(_, shown)| shown.is_none())
}

/// Whether a reader sees nothing at all of the text.
pub fn is_blank(text: &str) -> bool {
    seen(text).all(|(_, shown)| shown.is_none_or(char::is_whitespace))
}

/// How many letters and other signs a reader sees: blanks in a row are one, those around the text and marks
/// upon letters are none.
pub fn visible_length(text: &str) -> usize {
    use GeneralCategory::{EnclosingMark, NonspacingMark};
    let mark = |c: &char| matches!(c.general_category(), NonspacingMark | EnclosingMark);
    let words = strip(text);
    let lengths = words.split_whitespace().map(|word| word.chars().filter(|c| !mark(c)).count());
    let (letters, count) = lengths
        .filter(|&length| length > 0)
        .fold((0, 0), |(sum, count), length| (sum + length, count + 1_usize));
    letters + count.saturating_sub(1)
}

/// An id as it is, with whatever [`clean`] would change written out: `\u{200b}`; and so are blanks
/// other than a single one between two words. Two ids that differ never look the same.
pub fn exact(text: &str) -> String {
    let (mut shown, mut before) = (String::with_capacity(text.len()), None);
    let mut rest = text.chars().take(LONGEST_EXACT).peekable();
    while let Some(c) = rest.next() {
        let is_base = |c: Option<char>| c.is_some_and(|c| visible(c) == Some(c) && c != ' ');
        let stands = match c {
            ' ' => is_base(before) && is_base(rest.peek().copied()),
            c if is_mark(c) => visible(c).is_some() && is_base(before),
            c => visible(c) == Some(c),
        };
        if stands {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
        // A mark would settle on the end of what is written out.
        before = Some(c).filter(|_| stands);
    }
    if text.chars().nth(LONGEST_EXACT).is_some() { shown + "…" } else { shown }
}

/// Words that are not ours, inside a sentence of ours: on one line, with single blanks, and in quotes
/// that they cannot close.
pub fn quote(word: Word, text: &str) -> String {
    let longest = match word {
        Word::Id if is_plain(text) => return text.to_owned(),
        Word::Id => LONGEST_EXACT,
        Word::Vendor => 200,
        Word::Client => 100,
        Word::Caller => 300,
        Word::Reason => 1_000,
    };
    if word == Word::Id {
        let escaped = |c: char| match is_quote(c) {
            true => c.escape_unicode().to_string(),
            false => c.to_string(),
        };
        return format!("“{}”", exact(text).chars().map(escaped).collect::<String>());
    }
    let seen = strip(text);
    let inner = seen.split_whitespace().flat_map(|part| [" ", part]).skip(1);
    let inner = inner.flat_map(str::chars).map(|c| if is_quote(c) { '\'' } else { c });
    let mark = if hides(text) { " (with hidden characters)" } else { "" };
    format!("“{}”{mark}", cut(inner, longest))
}

/// A vendor's words inside a sentence of ours.
pub fn quoted(text: &str) -> String {
    quote(Word::Vendor, text)
}

/// JSON with whatever a terminal might obey and nobody can see in `\u` escapes: it parses to the same.
pub fn escaped(json: &str) -> Cow<'_, str> {
    let stands = |before: Option<char>, c: char| match c {
        '\n' | ' ' => true,
        // Behind a quote it would settle on that.
        c if is_mark(c) => visible(c).is_some() && before != Some('"'),
        c => visible(c) == Some(c),
    };
    if json.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')) {
        return Cow::Borrowed(json);
    }
    let (mut escaped, mut before) = (String::with_capacity(json.len()), None);
    for c in json.chars() {
        if stands(before, c) {
            escaped.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
        before = Some(c);
    }
    Cow::Owned(escaped)
}

/// A text of at most so many characters; what is cut off is marked.
pub fn short(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    Cow::Owned(cut(text.chars(), longest))
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

/// Each character with what a reader sees of it, where its neighbours let them see it.
fn seen(text: &str) -> impl Iterator<Item = (char, Option<char>)> {
    let mut has_base = false;
    text.chars().map(move |c| {
        // A mark with nothing to stand on settles on whatever comes before it.
        let shown = visible(c).filter(|_| has_base || !is_mark(c));
        if let Some(shown) = shown {
            has_base = shown != ' ';
        }
        (c, shown)
    })
}

/// Whether an id cannot be taken for anything else: one short word of letters and digits that are
/// told apart at sight.
fn is_plain(text: &str) -> bool {
    const LONGEST_PLAIN: usize = 200;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@/\\+".contains(c);
    !text.is_empty() && text.len() <= LONGEST_PLAIN && text.chars().all(plain)
}

/// Whether a reader may take it for the end, or the beginning, of a quotation.
fn is_quote(c: char) -> bool {
    use GeneralCategory::{FinalPunctuation, InitialPunctuation};
    match c {
        '"' | '„' | '〝'..='〟' | '❛'..='❠' | '\u{1f676}'..='\u{1f678}' => true,
        ' '..='~' => false,
        c if matches!(c.general_category(), InitialPunctuation | FinalPunctuation) => true,
        c => skeleton(c.encode_utf8(&mut [0; 4])).eq("''".chars()),
    }
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Mark
}

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
        _ if draws_nothing(c) => None,
        _ => Some(c),
    }
}

/// Letters, marks and symbols that draw nothing, or only space: those of
/// `Default_Ignorable_Code_Point`, variation selectors and fillers among them; and the empty Braille
/// pattern, the null notehead, and the fillers of Khitan and of hieroglyphs.
fn draws_nothing(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{16fe4}' | '\u{13441}' | '\u{13442}' | '\u{1d159}' | '\u{e0000}'..='\u{e0fff}')
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
            ("n\u{1d159}k\u{16fe4}h\u{13441}", "nkh"),
            ("\u{301}e\u{301} \u{301}", "e\u{301} "),
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
            assert_eq!(folded_for_rules(raw), folded_to, "{raw:?}");
            assert_eq!(folded_for_rules(folded_to), folded_to, "{raw:?}");
        }
    }

    #[test]
    fn a_length_counts_what_a_reader_sees() {
        for (text, length) in [
            ("", 0),
            (" \t\u{200b}\n", 0),
            ("OPS-7", 5),
            ("  fix   the\nbuild ", 13),
            ("a\u{200b}\u{200d}b", 2),
            ("e\u{301}\u{301}\u{301}", 1),
            ("é", 1),
            ("x \u{301} y", 3),
            ("修理", 2),
        ] {
            assert_eq!(visible_length(text), length, "{text:?}");
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
            ("n\u{1d159}", "n\\u{1d159}"),
            ("k\u{16fe4}\u{301}", "k\\u{16fe4}\\u{301}"),
            ("h\u{13441}\u{e0041}", "h\\u{13441}\\u{e0041}"),
            ("\u{301}e\u{301}", "\\u{301}e\u{301}"),
        ] {
            assert_eq!(exact(id), shown);
            assert_eq!(is_clean(id), id == shown, "{id:?}");
        }
        // Blanks are sent as they are, and can be counted.
        for (id, shown) in
            [("a b", "a b"), ("a  b", "a\\u{20}\\u{20}b"), (" a ", "\\u{20}a\\u{20}")]
        {
            assert_eq!(exact(id), shown);
        }
    }

    #[test]
    fn a_quote_cannot_be_closed_from_inside() {
        assert_eq!(quoted("Orders"), "“Orders”");
        assert_eq!(quoted("x” to “y"), "“x' to 'y”");
        assert_eq!(quoted("a\u{202e}b\nc"), "“ab c” (with hidden characters)");
        assert!(quoted(&"a".repeat(9_999)).chars().count() < 204);
        for end in ["“", "”", "\"", "„", "‟", "″", "＂", "〞", "❞", "»", "\u{5f4}", "ˮ"]
        {
            let text = format!("x{end} Policy: yes {end}y");
            for word in [Word::Vendor, Word::Client, Word::Caller, Word::Reason] {
                assert_eq!(quote(word, &text), "“x' Policy: yes 'y”", "{word:?} {end}");
            }
            let id = quote(Word::Id, &text);
            assert_eq!(id.matches(is_quote).count(), 2, "{id}");
        }
    }

    #[test]
    fn a_quote_is_one_line_with_single_blanks() {
        let spaces = ["\u{a0}", "\u{3000}", "\u{2009}", "\t", "\r\n", "\u{2028}", "\u{85}", " "];
        for space in spaces {
            let text = format!("Docs{}Policy: ends today", space.repeat(37));
            for word in [Word::Vendor, Word::Client, Word::Caller, Word::Reason] {
                assert_eq!(quote(word, &text), "“Docs Policy: ends today”", "{space:?}");
            }
            // Of an id each is shown, and that there are so many.
            let id = quote(Word::Id, &text);
            assert!(!id.contains("  ") && id.matches("\\u{").count() == text.chars().count() - 22);
        }
    }

    #[test]
    fn an_id_that_is_one_plain_word_needs_no_quotes() {
        for id in
            ["a111-b", "user@example.com", "/Harbor/Orders", r"HARBOR\srivera", "x+y_z", "uddi:1"]
        {
            assert_eq!(quote(Word::Id, id), id);
        }
        for id in ["", "a b", "a;b", "a)", "é", &"a".repeat(201)] {
            assert_eq!(quote(Word::Id, id), format!("“{id}”"));
        }
    }

    #[test]
    fn json_is_escaped_and_stays_the_same() {
        let value = json!({ "name": "a\u{9b}31m\u{202e}b\u{7f}\u{e0041}\u{301}é", "é": "\u{301}x\u{2028}\u{1d159}" });
        for line in [value.to_string(), format!("{value:#}")] {
            let shown = escaped(&line);
            let hidden = shown.chars().find(|&c| c != '\n' && visible(c) != Some(c));
            assert_eq!(hidden, None, "{shown}");
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
            assert!(shown.contains("\\u009b") && shown.contains("\\udb40\\udc41"), "{shown}");
            assert_eq!(escaped(&shown), shown);
        }
    }

    #[test]
    fn a_text_of_what_nobody_sees_is_blank() {
        for blank in ["", " ", "\n\t", "\u{200b}", "\u{3164}\u{a0}", "\u{301}", "\u{1d159} "] {
            assert!(is_blank(blank), "{blank:?}");
        }
        assert!(!is_blank(" x ") && !is_blank("-"));
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
            '\u{301}',
            '\u{3000}',
            ' ',
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
            let words = [Word::Vendor, Word::Id, Word::Client, Word::Caller, Word::Reason];
            let quotes = words.map(|word| quote(word, &text));
            for shown in [exact(&text), strip(&text)].into_iter().chain(quotes) {
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
