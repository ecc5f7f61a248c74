//! Text that people and programs hand in, read in one way wherever it comes from.
//!
//! Editors put a byte order mark before it, files and shells leave a line end behind it, clients hand
//! on placeholders that nobody filled in. What such a text cannot mean otherwise is read so; what
//! might be meant is left as it is and said. No message repeats a text: it may be a secret.

mod files;
mod jwk;
pub(crate) mod pem;

use std::borrow::Cow;
use std::io;
use std::path::Path;

pub(crate) use files::{open, open_with, read, rest};

/// Why bytes are no text, in words that follow the name of what holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoText {
    #[error("it is UTF-16 text, not UTF-8")]
    Utf16,
    #[error("it is UTF-32 text, not UTF-8")]
    Utf32,
    #[error("it is DER, which is binary; `openssl pkey -inform DER -in KEY` writes a key as PEM")]
    Der,
    #[error("it is not UTF-8 text")]
    Other,
}

/// What editors break a line at, and parsers of comments do not.
const FALSE_ENDS: [char; 5] = ['\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
const MARK: &[u8] = b"\xef\xbb\xbf";
/// What stands for a byte that is no text, where an environment held one.
const UNREADABLE: char = char::REPLACEMENT_CHARACTER;

/// Bytes without the byte order mark that may stand before them.
pub(crate) fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// The text that bytes are, without a byte order mark.
///
/// # Errors
/// They are no UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, NoText> {
    if let Some(wide) = wide(bytes) {
        return Err(wide);
    }
    std::str::from_utf8(unmarked(bytes)).map_err(|_| match bytes {
        [0x30, 0x80..=0xff, ..] => NoText::Der,
        _ => NoText::Other,
    })
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub(crate) fn file(path: &Path) -> io::Result<String> {
    whole(&read(path)?)
}

/// As [`text`], with its trouble as that of a file.
///
/// # Errors
/// They are no UTF-8.
pub(crate) fn whole(bytes: &[u8]) -> io::Result<String> {
    let text =
        text(bytes).map_err(|trouble| io::Error::new(io::ErrorKind::InvalidData, trouble))?;
    Ok(text.to_owned())
}

/// The text of a file that a parser reads line by line, and a person too.
///
/// # Errors
/// As [`whole`]; or it holds what is shown as a line end and is none: behind a comment, what stands on the
/// next line of the screen would count for nothing.
pub(crate) fn source(bytes: &[u8]) -> io::Result<String> {
    let text = whole(bytes)?;
    let Some((at, false_end)) = text.char_indices().find(|(_, c)| FALSE_ENDS.contains(c)) else {
        return Ok(text);
    };
    let line = text.get(..at).unwrap_or_default().split('\n').count();
    let code = u32::from(false_end);
    let told = format!(
        "line {line} holds U+{code:04X}, which is shown as a line end and read as none: put a real one"
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, told))
}

/// A setting without what files and shells put around it: the mark before, line ends behind. Blanks
/// stay, since a password may end in one.
pub(crate) fn setting(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\r', '\n'])
}

/// A [`setting`] that says something.
pub(crate) fn filled(text: &str) -> Option<String> {
    Some(setting(text)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Why a setting cannot be what was meant, in words that follow its name.
pub(crate) fn unfit(text: &str) -> Option<&'static str> {
    if text.contains(UNREADABLE) {
        return Some("holds bytes that are no UTF-8 text");
    }
    if !text.is_empty() && crate::text::is_blank(text) {
        return Some("is set and blank: give the value, or leave the setting out");
    }
    let text = text.trim();
    let within = |start: &str, end: &str| {
        let inner = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        inner.is_some_and(|inner| !inner.contains(['\r', '\n']))
    };
    // In angle brackets only words are a placeholder: a password may be anything.
    let words = |c: char| c.is_alphanumeric() || " _-.'’…".contains(c);
    let named = within("<", ">") && text.trim_matches(['<', '>']).chars().all(words);
    (within("${", "}") || within("{{", "}}") || named).then_some(
        "looks like a placeholder that nobody filled in: give the value, or leave the setting out",
    )
}

/// What is odd about a setting that may be meant all the same, in words that follow its name.
pub(crate) fn odd(text: &str) -> Option<&'static str> {
    let trimmed = text.trim();
    if is_quoted(trimmed) {
        Some("is in quotes, which count as part of it: some tools keep those of an env file")
    } else if trimmed != text {
        Some("begins or ends with a blank, which counts as part of it")
    } else if is_template(trimmed) || is_example(trimmed) {
        Some("looks like a placeholder that nobody filled in")
    } else if is_reference(trimmed) {
        Some("looks like a reference that nobody followed: a secret's file or command can be named")
    } else {
        None
    }
}

/// Why a path cannot be what was meant, in words that follow the name of its setting.
pub(crate) fn odd_path(text: &str) -> Option<&'static str> {
    if let Some(trouble) = unfit(text) {
        return Some(trouble);
    }
    if is_quoted(text.trim()) {
        return Some("is in quotes: take them off, some tools keep those of an env file");
    }
    if text.trim() != text {
        return Some("begins or ends with a blank: take it away, or it names another place");
    }
    let is_url = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    is_url.then_some("is a URL: give the path alone")
}

/// Why a URL cannot be what was meant, in words that follow the name of its setting.
pub(crate) fn odd_url(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if is_quoted(text) {
        return Some("is in quotes: take them off, some tools keep those of an env file");
    }
    // Between two signs; behind one, two digits are a byte.
    let is_byte = |part: &str| {
        part.get(..2).is_some_and(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let between = text.split('%').collect::<Vec<_>>();
    let between = between.get(1..between.len().saturating_sub(1)).unwrap_or_default();
    let percent = between.iter().any(|part| is_variable(part) && !is_byte(part));
    let open = ["${", "$(", "{{", "<", "#{"].iter().any(|start| text.contains(start));
    let part = text.split(['/', '.', ':', '-']).any(|part| {
        part.strip_prefix('$').is_some_and(is_variable)
            || part.strip_prefix('{').is_some_and(|rest| rest.ends_with('}'))
    });
    (open || part || percent).then_some("holds a placeholder that nobody filled in")
}

/// What a shell, a template or a build was to put something in the place of.
fn is_template(text: &str) -> bool {
    const VARIABLES: [(&str, &str); 7] = [
        ("$", ""),
        ("%", "%"),
        ("$env:", ""),
        ("%(", ")s"),
        ("@", "@"),
        ("__", "__"),
        ("env:", ""),
    ];
    const FRAMES: [(&str, &str); 6] =
        [("$(", ")"), ("#{", "}"), ("#{", "}#"), ("<%", "%>"), ("«", "»"), ("&lt;", "&gt;")];
    let within = |(start, end): &(&str, &str)| {
        text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end))
    };
    VARIABLES.iter().filter_map(within).any(is_variable)
        || FRAMES.iter().filter_map(within).any(|inner| !inner.is_empty())
}

/// What the examples of documents have in the place of a value.
fn is_example(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "changeme",
        "changethis",
        "replaceme",
        "replacethis",
        concat!("to", "do"),
        "tbd",
        concat!("fix", "me"),
        "placeholder",
        "example",
        "null",
        "undefined",
        "none",
        "redacted",
    ];
    const STARTS: [&str; 4] = ["your", "insert", "enter", "replace"];
    let text = text
        .strip_prefix(['[', '{'])
        .and_then(|rest| rest.strip_suffix([']', '}']))
        .unwrap_or(text);
    let text = text.split_once("://").map_or(text, |(_, host)| host);
    let lower = text.to_lowercase();
    let letters: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let begins = |start: &&str| {
        lower.strip_prefix(*start).is_some_and(|rest| rest.starts_with(['-', '_', ' ']))
    };
    let mut all = lower.chars();
    let one = all.next().filter(|first| "x*.•…".contains(*first));
    let is_filling =
        one == Some('…') || lower.len() > 2 && one.is_some_and(|one| all.all(|c| c == one));
    WORDS.contains(&&*letters) || STARTS.iter().any(begins) || is_filling
}

/// What a store of secrets calls one of its own.
fn is_reference(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| {
        let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        !scheme.is_empty() && scheme.chars().all(letters) && !["http", "https"].contains(&&*scheme)
    })
}

/// A token as a header carries it. No token holds a blank, and what a header begins or ends with is
/// none of its value, so blanks around it are left out.
///
/// # Errors
/// It is no token, in words that follow the name of where it comes from.
pub(crate) fn token(text: &str) -> Result<&str, Cow<'static, str>> {
    let token = text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']);
    let scheme = token.split_once([' ', '\t']).map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")) {
        return Err(
            "begins with the word Bearer, which is put before it anyway: leave it out".into()
        );
    }
    if is_quoted(token) {
        return Err("is in quotes, which no token has: take them off".into());
    }
    if let Some(trouble) = unfit(token) {
        return Err(trouble.into());
    }
    match token.chars().zip(1..).find(|(c, _)| !c.is_ascii_graphic()) {
        None if token.is_empty() => Err("is empty".into()),
        None => Ok(token),
        Some(('\r' | '\n', place)) => {
            Err(format!("holds a line end (character {place}), which no header can carry").into())
        }
        Some((' ' | '\t', place)) => {
            Err(format!("holds a blank (character {place}), which no token does").into())
        }
        Some((c, place)) => {
            let code = u32::from(c);
            Err(format!("holds U+{code:04X} (character {place}), which no token does").into())
        }
    }
}

/// Whether a variable of the environment may have this name.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether the whole text is between two quotes of one kind.
pub(crate) fn is_quoted(text: &str) -> bool {
    const PAIRS: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];
    let inside = |(open, close): &(char, char)| {
        text.strip_prefix(*open).and_then(|rest| rest.strip_suffix(*close))
    };
    PAIRS.iter().find_map(inside).is_some()
}

/// Text of two or four bytes a character: by its mark, or by where its zeros are.
fn wide(bytes: &[u8]) -> Option<NoText> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some(NoText::Utf32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(NoText::Utf16),
        [1..=255, 0, 0, 0, ..] | [0, 0, 0, 1..=255, ..] => Some(NoText::Utf32),
        [1..=255, 0, 1..=255, 0, ..] | [0, 1..=255, 0, 1..=255, ..] => Some(NoText::Utf16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn a_mark_before_text_is_none_of_it() {
        for (bytes, told) in [
            (&b"abc"[..], Ok("abc")),
            (b"\xef\xbb\xbfabc", Ok("abc")),
            (b"\xef\xbb\xbf", Ok("")),
            (b"", Ok("")),
            ("\u{feff}zoë\r\n".as_bytes(), Ok("zoë\r\n")),
            // A mark elsewhere is a character as any other.
            ("a\u{feff}".as_bytes(), Ok("a\u{feff}")),
            (b"\xff\xfe\0\0a\0\0\0", Err(NoText::Utf32)),
            (b"a\0\0\0b\0\0\0", Err(NoText::Utf32)),
            (b"caf\xe9", Err(NoText::Other)),
            (b"\x30\x82\x01\x02\xff", Err(NoText::Der)),
            (b"0 caf\xe9", Err(NoText::Other)),
        ] {
            assert_eq!(text(bytes), told, "{bytes:?}");
        }
        for big in [false, true] {
            for said in ["{\"a\": 1}", "\u{feff}{\"a\": 1}", "\u{feff}é", "\u{feff}"] {
                assert_eq!(text(&utf16(said, big)), Err(NoText::Utf16), "{said:?} {big}");
            }
        }
    }

    /// A comment ends where a reader sees it end.
    #[test]
    fn what_only_looks_like_a_line_end_is_named() {
        for end in FALSE_ENDS {
            let told = source(format!("a\n# b{end}c\n").as_bytes()).unwrap_err().to_string();
            let code = format!("U+{:04X}", u32::from(end));
            assert!(told.starts_with("line 2 holds ") && told.contains(&code), "{told}");
        }
        for text in ["", "a\nb", "a\r\nb\r\n", "a\rb", "\t\u{a0}\u{2026}"] {
            assert_eq!(source(text.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn a_setting_loses_the_line_ends_behind_it_alone() {
        for (given, kept) in [
            ("x", "x"),
            ("x\n", "x"),
            ("x\r\n\r\n", "x"),
            ("\u{feff}x\n", "x"),
            (" x ", " x "),
            ("x \n", "x "),
            ("\nx", "\nx"),
            ("a\nb\n", "a\nb"),
            ("\n", ""),
        ] {
            assert_eq!(setting(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_placeholder_is_told_from_a_value() {
        for text in [
            "${user_config.dfns_auth_token}",
            " ${TOKEN}\n",
            "${}",
            "${input:token}",
            "${{ secrets.TOKEN }}",
            "{{token}}",
            "{{ vault.token }}",
            "<your token>",
            "<TOKEN>",
            "<your-api-key…>",
            "a\u{fffd}b",
            " ",
            "\t \r\n",
            "\u{a0}\u{200b}\u{feff}",
        ] {
            assert!(unfit(text).is_some(), "{text:?}");
        }
        for text in [
            "",
            "x",
            "$x",
            "%X%",
            "pa${ss}word",
            "<a/b>",
            "<>{}",
            "{a}",
            "a<b>",
            "x${y}",
            "-----BEGIN PRIVATE KEY-----",
            "eyJhbGciOiJFUzI1NiJ9.e30.x_-y",
        ] {
            assert_eq!(unfit(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_may_be_meant_is_only_said() {
        for (text, part) in [
            ("\"x\"", "quotes"),
            ("'x'", "quotes"),
            ("“x”", "quotes"),
            ("x ", "blank"),
            ("\tx", "blank"),
            ("$TOKEN", "placeholder"),
            ("%TOKEN%", "placeholder"),
            ("$env:TOKEN", "placeholder"),
            ("changeme", "placeholder"),
            ("YOUR_TOKEN", "placeholder"),
            ("your-token-here", "placeholder"),
            ("https://your-portal.example.com", "placeholder"),
            ("CHANGE_ME!", "placeholder"),
            ("replace_me", "placeholder"),
            ("replace-with-your-token", "placeholder"),
            ("insert-token-here", "placeholder"),
            ("[your token]", "placeholder"),
            ("{your_token}", "placeholder"),
            (concat!("TO", "DO"), "placeholder"),
            ("undefined", "placeholder"),
            ("********", "placeholder"),
            ("***", "placeholder"),
            ("…", "placeholder"),
            ("$(cat token)", "placeholder"),
            ("%(TOKEN)s", "placeholder"),
            ("#{Token}#", "placeholder"),
            ("@TOKEN@", "placeholder"),
            ("__TOKEN__", "placeholder"),
            ("<%= token %>", "placeholder"),
            ("&lt;token&gt;", "placeholder"),
            ("env:TOKEN", "placeholder"),
            ("op://vault/item/token", "reference"),
            ("vault://kv/token", "reference"),
            ("p://", "reference"),
        ] {
            assert!(odd(text).unwrap_or_default().contains(part), "{text:?}: {:?}", odd(text));
        }
        for text in [
            "",
            "x",
            "$",
            "$a$b",
            "%%",
            "50%",
            "it's",
            "\"",
            "yours",
            "a b",
            "xx",
            "insertion",
            "a__b__",
            "@home",
            "https://example.com",
            "{}",
            "://x",
            "none of it",
            "-----BEGIN X-----",
        ] {
            assert_eq!(odd(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_path_or_a_url_that_cannot_be_meant_is_named() {
        for (text, part) in [
            ("\"/a\"", Some("quotes")),
            ("'/a b'", Some("quotes")),
            ("/a ", Some("blank")),
            (" /a", Some("blank")),
            ("/a\u{a0}", Some("blank")),
            (" ", Some("set and blank")),
            ("file:///a", Some("URL")),
            ("FILE:/a", Some("URL")),
            ("<path>", Some("placeholder")),
            ("/a b/it's", None),
            ("~/a", None),
            ("/file:/a", None),
        ] {
            let told = odd_path(text);
            assert_eq!(told.is_some(), part.is_some(), "{text:?}");
            assert!(
                told.unwrap_or_default().contains(part.unwrap_or_default()),
                "{text:?}: {told:?}"
            );
        }
        for text in [
            "https://<tenant>.example.com",
            "https://${HOST}",
            "https://$HOST",
            "https://$HOST/a",
            "https://%HOST%",
            "https://{tenant}.example.com",
            "https://{{host}}",
            "https://$(host)",
        ] {
            assert_eq!(odd_url(text), Some("holds a placeholder that nobody filled in"), "{text}");
        }
        assert!(odd_url("'https://a.example.com'").unwrap().contains("quotes"));
        for text in [
            "https://a.example.com",
            "https://a.example.com/x%20y/%7Ez",
            "https://a.example.com/%C3%A4x%C3%A4",
            "http://127.0.0.1:9/a-b",
            " https://a.example.com ",
            "https://[::1]/",
            "",
        ] {
            assert_eq!(odd_url(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_is_one_word_that_a_header_can_carry() {
        for (text, told) in [
            ("eyJ.e30.x_-y", Ok("eyJ.e30.x_-y")),
            (" abc \r\n", Ok("abc")),
            ("\u{feff}abc", Ok("abc")),
            ("", Err("empty")),
            (" \n", Err("empty")),
            ("a\nb", Err("a line end (character 2)")),
            ("abc\r\ndef", Err("a line end (character 4)")),
            ("a b", Err("a blank (character 2)")),
            ("Bearer abc", Err("the word Bearer")),
            ("bearer  abc", Err("the word Bearer")),
            ("\"abc\"", Err("quotes")),
            ("${TOKEN}", Err("placeholder")),
            ("ab\u{200b}c", Err("U+200B (character 3)")),
            ("ab\u{a0}", Err("U+00A0 (character 3)")),
            ("töken", Err("U+00F6 (character 2)")),
            ("a\u{0}b", Err("U+0000 (character 2)")),
        ] {
            match (token(text), told) {
                (Ok(token), Ok(expected)) => assert_eq!(token, expected, "{text:?}"),
                (Err(trouble), Err(part)) => assert!(trouble.contains(part), "{text:?}: {trouble}"),
                (found, _) => panic!("{text:?}: {found:?}"),
            }
        }
    }
}
