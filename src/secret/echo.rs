//! What an answer repeats of a secret, however it writes it, and the answer without it.
//!
//! The usual forms are taken out where they stand. A text that still shows a secret once its
//! encodings are undone is taken out whole. Each step reads the text once: a vendor may send much.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::runs::{self, Known, Runs, narrow};
use crate::text;

/// What stands in a secret's place.
const REDACTED: &str = "[REDACTED]";
/// A shorter secret may be a word like any other, and a name is not taken apart for it.
const SHORTEST: usize = 8;
/// So many digits in a row are some of a key or a token.
const PART: usize = 16;
/// How often one encoding is looked for in another.
const LAYERS: usize = 3;

/// A secret in the forms that are looked for. They are made once: that takes longer than looking.
#[derive(Clone)]
pub(crate) struct Sought(Arc<Shapes>);

struct Shapes {
    secret: SecretString,
    /// Of the secret, and of what is repeated of it by itself: taken out where they stand. Needed only
    /// where it shows, unless it is too short to show otherwise.
    usual: OnceLock<Vec<String>>,
    /// Made with the first answer: a start needs none.
    runs: OnceLock<Runs>,
    make: fn(&str) -> Runs,
}

/// Those that are looked for together.
struct Secrets<'s> {
    all: Vec<&'s Shapes>,
    /// Those that are looked for as they are: of fewer bytes than a run has.
    literal: Vec<&'s Shapes>,
    known: Known<'s>,
}

/// `text` without these secrets, however an answer may have written them.
pub(crate) fn redact(text: &str, secrets: &[Sought]) -> String {
    Secrets::of(secrets, 1).redact(text)
}

/// A setting as it may be shown: a short secret counts where it is all of it.
pub(crate) fn hide(text: &str, secrets: &[SecretString]) -> String {
    if secrets.iter().any(|secret| is(text, secret)) {
        return REDACTED.to_owned();
    }
    let sought: Vec<_> = secrets.iter().map(Sought::of).collect();
    Secrets::of(&sought, SHORTEST).redact(text)
}

/// Whether a setting would show all of this secret, which is sought as a whole. Of a user's name a password may be made.
pub(crate) fn holds(text: &str, sought: &Sought) -> bool {
    let secret = sought.secret();
    if is(text, secret) || has_part(text, secret.expose_secret()) {
        return true;
    }
    // No encoding has less than a byte for a character.
    let characters = secret.expose_secret().chars().filter(|c| c.is_alphanumeric()).count();
    text.len() >= characters && Secrets::of(std::slice::from_ref(sought), SHORTEST).are_in(text)
}

/// Whether a text has some of a key or a token in it: nobody makes up a name of that.
fn has_part(text: &str, secret: &str) -> bool {
    if text.len() < PART || runs::is_secret(secret).is_none() {
        return false;
    }
    let secret: String = secret.split_whitespace().collect();
    text.as_bytes()
        .windows(PART)
        .any(|part| std::str::from_utf8(part).is_ok_and(|part| secret.contains(part)))
}

fn is(text: &str, secret: &SecretString) -> bool {
    let secret = secret.expose_secret().trim();
    !secret.is_empty() && text.trim() == secret
}

/// An answer's body as it is, unless it repeats one of these secrets: then without it.
pub(crate) fn scrub(body: Vec<u8>, secrets: &[Sought]) -> Vec<u8> {
    let secrets = Secrets::of(secrets, SHORTEST);
    let text = String::from_utf8_lossy(&body);
    if !secrets.are_in(&text) {
        return body;
    }
    let Ok(mut value) = serde_json::from_slice(&body) else {
        return secrets.redact(&text).into_bytes();
    };
    secrets.scrub(&mut value);
    let scrubbed = value.to_string();
    // It may be scattered over several texts.
    let scattered = secrets.are_in(&scrubbed);
    if scattered { Value::from(REDACTED).to_string() } else { scrubbed }.into_bytes()
}

impl Sought {
    pub(crate) fn of(secret: &SecretString) -> Self {
        Self::by(secret, Runs::of)
    }

    /// One of which no piece is looked for.
    pub(crate) fn whole(secret: &SecretString) -> Self {
        Self::by(secret, Runs::whole)
    }

    fn by(secret: &SecretString, make: fn(&str) -> Runs) -> Self {
        let (usual, runs) = Default::default();
        Self(Arc::new(Shapes { secret: secret.clone(), usual, runs, make }))
    }

    pub(crate) fn secret(&self) -> &SecretString {
        &self.0.secret
    }
}

impl Shapes {
    fn runs(&self) -> &Runs {
        self.runs.get_or_init(|| (self.make)(self.secret.expose_secret()))
    }

    fn usual(&self) -> &[String] {
        self.usual.get_or_init(|| {
            let mut usual: Vec<_> = parts(self.secret.expose_secret()).flat_map(usual).collect();
            once(&mut usual);
            usual
        })
    }
}

impl<'s> Secrets<'s> {
    /// Those of at least so many bytes.
    fn of(sought: &'s [Sought], shortest: usize) -> Self {
        let shapes = sought.iter().map(|Sought(shapes)| &**shapes);
        let shapes = shapes.filter(|shapes| shapes.secret.expose_secret().len() >= shortest);
        let all: Vec<_> = shapes.collect();
        let literal = all.iter().copied().filter(|shapes| shapes.runs().miss_some()).collect();
        let known = Known::of(all.iter().map(|shapes| shapes.runs()));
        Self { all, literal, known }
    }

    fn redact(&self, text: &str) -> String {
        let left = without(&self.literal, Cow::Borrowed(text));
        if !self.show_in(&left) {
            return left.into_owned();
        }
        let left = without(&self.all, left);
        if self.show_in(&left) { REDACTED.to_owned() } else { left.into_owned() }
    }

    fn are_in(&self, text: &str) -> bool {
        let mut usual = self.literal.iter().flat_map(|shapes| shapes.usual());
        usual.any(|form| text.contains(form)) || self.show_in(text)
    }

    /// Whether one of them shows, as the text is or once its encodings are undone.
    fn show_in(&self, text: &str) -> bool {
        if self.known.is_empty() && self.literal.is_empty() {
            return false;
        }
        // Taking out what cannot be seen must not put a secret together again, whatever it was
        // encoded in.
        let mut layer = vec![seen(text)];
        for depth in 0..=LAYERS {
            let mut next = Vec::new();
            for text in &layer {
                let Some(inner) = self.look_through(text) else { return true };
                // Each by itself: a secret may look like an encoding of something else. Then one in
                // another.
                let alone = DECODERS.iter().filter(|_| depth == 0).map(|decode| decode(text));
                let all =
                    DECODERS.iter().fold(Cow::Borrowed(&**text), |text, decode| {
                        match decode(&text) {
                            Cow::Owned(plain) => Cow::Owned(plain),
                            Cow::Borrowed(_) => text,
                        }
                    });
                for plain in alone.chain([all, Cow::Owned(inner)]) {
                    let Cow::Owned(plain) = plain else { continue };
                    let plain = seen(&plain);
                    if !plain.is_empty() && !layer.contains(&plain) && !next.contains(&plain) {
                        next.push(plain);
                    }
                }
            }
            layer = next;
        }
        false
    }

    /// What else is written in a text; nothing where a secret shows.
    fn look_through(&self, text: &str) -> Option<String> {
        let mut literal = self.literal.iter().map(|shapes| shapes.secret.expose_secret());
        if literal.any(|secret| text.contains(&*seen(secret))) {
            return None;
        }
        if self.known.is_empty() { Some(String::new()) } else { self.known.look_through(text) }
    }

    fn scrub(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.scrub(field));
                if fields.keys().any(|key| self.are_in(key)) {
                    let named = std::mem::take(fields).into_iter();
                    let named = named.map(|(key, value)| (self.redact(&key), value));
                    *fields = named.collect::<Map<_, _>>();
                }
            }
            Value::Number(number) if self.are_in(&number.to_string()) => *value = REDACTED.into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What undoes an encoding, as much of the text as it was used for.
const DECODERS: [fn(&str) -> Cow<'_, str>; 3] = [unescaped, unnamed, unquoted];
/// So many of one character fill a text, and no secret.
const FILLING: usize = 64;

/// A text as it is looked through: without what cannot be seen, as it is usually written, and without
/// most of what only fills it.
fn seen(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let text = if is_plain { Cow::Borrowed(text) } else { narrow(&text::strip(text)).into() };
    if is_filled(&text) {
        let (mut last, mut alike) = (' ', 0);
        let is_new = |c: &char| {
            alike = if *c == last { alike + 1 } else { 0 };
            last = *c;
            alike < FILLING
        };
        return text.chars().filter(is_new).collect();
    }
    text.into_owned()
}

fn is_filled(text: &str) -> bool {
    let (mut last, mut alike) = (b' ', 0);
    for &byte in text.as_bytes() {
        alike = if byte == last { alike + 1 } else { 0 };
        last = byte;
        if alike >= FILLING {
            return true;
        }
    }
    false
}

fn without<'t>(shapes: &[&Shapes], text: Cow<'t, str>) -> Cow<'t, str> {
    let usual = shapes.iter().flat_map(|shapes| shapes.usual());
    usual.fold(
        text,
        |left, form| {
            if left.contains(form) { left.replace(form, REDACTED).into() } else { left }
        },
    )
}

fn usual(secret: &str) -> Vec<String> {
    let percent = text::encode(secret);
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // A message may quote the JSON of a request.
    let json = Value::from(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    let markup = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let markup = markup.replace('"', "&quot;");
    let lower = [&percent, &form].map(|form| lower_percent(form));
    let mut usual = vec![secret.to_owned(), percent, form, json, markup];
    usual.extend(lower);
    usual.extend(in_base64(secret));
    if secret.len() >= SHORTEST {
        let hex = text::hex(secret.as_bytes());
        usual.extend([hex.to_uppercase(), hex]);
    }
    usual
}

/// A secret and what is repeated of it by itself: a token without the signature that makes it one, and
/// what such a token says. The longest comes first, so that it is taken out whole.
fn parts(secret: &str) -> impl Iterator<Item = &str> {
    let signed = runs::signed(secret).map(|(signed, _)| signed);
    let claims = signed.and_then(|signed| Some(signed.split_once('.')?.1));
    let parts = [signed, claims].into_iter().flatten();
    std::iter::once(secret).chain(parts.filter(|part| part.len() >= SHORTEST))
}

/// Each form once: most secrets are written the same in several ways.
fn once(forms: &mut Vec<String>) {
    let mut known = std::collections::HashSet::new();
    forms.retain(|form| known.insert(form.clone()));
}

/// The part of base64 that a secret alone decides, wherever in the encoded text it stands.
fn in_base64(secret: &str) -> impl Iterator<Item = String> {
    let at = |before: usize| {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        // Of a character that other bytes have a share in, too little is known.
        let (start, rest) = ([0, 2, 3].get(before).copied(), bytes.len() % 3);
        [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)].map(|all| {
            let end = all.len().saturating_sub(usize::from(rest != 0));
            all.get(start.unwrap_or_default()..end).unwrap_or_default().to_owned()
        })
    };
    (0..3).flat_map(at).filter(|form| form.len() >= SHORTEST)
}

fn lower_percent(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{all}%{}{rest}", code.to_lowercase())
    })
}

/// Percent-encoding undone, however much of the text it was used for.
fn unquoted(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// JSON's escapes undone, as far as a secret may be written with them.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut left = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    left.extend(parts.next());
    let mut high = None;
    while let Some(part) = parts.next() {
        let code = part.strip_prefix('u').and_then(|rest| rest.get(..4));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        let pair = high.take().zip(code.filter(|code| (0xdc00..0xe000).contains(code)));
        let paired = pair.map(|(high, low): (u32, u32)| 0x1_0000 + (high << 10) + (low - 0xdc00));
        match (paired.or(code).and_then(char::from_u32), code, part.is_empty()) {
            (Some(c), ..) => {
                left.push(c);
                left.push_str(part.get(5..).unwrap_or_default());
            }
            (None, Some(code), _) if (0xd800..0xdc00).contains(&code) && part.len() == 5 => {
                high = Some(code - 0xd800);
            }
            (None, _, true) => {
                left.push('\\');
                left.extend(parts.next());
            }
            // The end of a line.
            (None, _, false) => left.push_str(part.strip_prefix(['n', 'r', 't']).unwrap_or(part)),
        }
    }
    Cow::Owned(left)
}

/// The entities of HTML and XML undone.
fn unnamed(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut left = String::with_capacity(text.len());
    let mut parts = text.split('&');
    left.extend(parts.next());
    for part in parts {
        match entity(part) {
            Some((c, rest)) => {
                left.push(c);
                left.push_str(rest);
            }
            None => {
                left.push('&');
                left.push_str(part);
            }
        }
    }
    Cow::Owned(left)
}

/// The character that stands behind an ampersand, and what comes after it.
fn entity(part: &str) -> Option<(char, &str)> {
    if let Some(number) = part.strip_prefix('#') {
        let (radix, digits) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (16, digits),
            None => (10, number),
        };
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at_checked(end)?;
        let code = u32::from_str_radix(digits.trim_start_matches('0'), radix).ok()?;
        return Some((char::from_u32(code)?, rest.strip_prefix(';').unwrap_or(rest)));
    }
    let (name, rest) = part.split_once(';')?;
    let named = ENTITIES.iter().find(|(known, _)| *known == name)?;
    Some((named.1, rest))
}

/// Those of ASCII.
const ENTITIES: [(&str, char); 40] = [
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("LT", '<'),
    ("gt", '>'),
    ("GT", '>'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("Tab", ' '),
    ("NewLine", ' '),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("hyphen", '-'),
];

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

    const SECRET: &str = "s3cret/with+\"odd\"=signs é & <blanks>";

    #[test]
    fn a_setting_holds_a_secret_where_it_has_all_of_it_or_some_of_a_key() {
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ0tTd7mQ\nx9eLw==\n-----END PRIVATE KEY-----";
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLXRoaXM";
        for (setting, secret, is_held) in [
            ("BQYDK2VwBCIEIJ0tTd7mQx9e", key, true),
            ("https://api.example.com/v1/PRIVATE", key, false),
            ("x-eyJzdWIiOiJhIn0.c2lnbmF0d", token, true),
            ("administrator2024", "administrator2024", true),
            ("administrator", "administrator2024", false),
            ("svc-administrator2024-x", "administrator2024", true),
        ] {
            assert_eq!(holds(setting, &Sought::whole(&secret.into())), is_held, "{setting}");
        }
    }

    /// Wrapped as in mail, after so many characters.
    fn wrapped(text: &str, width: usize, end: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let lines: Vec<String> = chars.chunks(width).map(|line| line.iter().collect()).collect();
        lines.join(end)
    }

    fn each(text: &str, form: impl Fn(u8) -> String, between: &str) -> String {
        text.bytes().map(form).collect::<Vec<_>>().join(between)
    }

    /// Whether it stands where it is named or the text has gone whole.
    fn echoes() -> Vec<String> {
        let percent = text::encode(SECRET);
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let mut echoes = vec![SECRET.to_owned(), lower_percent(&percent), percent];
        echoes.extend([lower_percent(&form), form]);
        echoes.push(SECRET.replace("cret", "\u{200b}cret"));
        for unseen in [
            "\u{200b}",
            "\u{ad}",
            "\u{2060}",
            "\u{feff}",
            "\u{202e}",
            "\u{1}",
            "\u{7f}",
            "\u{e0041}",
            "\u{fe0f}",
            "\u{34f}",
            "\u{3164}",
        ] {
            echoes.push(SECRET.replace("cret", &format!("{unseen}cret")));
            let coded: String =
                unseen.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            echoes.push(SECRET.replace("cret", &format!("{coded}cret")));
            echoes.push(SECRET.replace("cret", &format!("{}cret", text::encode(unseen))));
        }
        echoes.push(SECRET.replace('/', "%2f"));
        echoes.push(Value::from(SECRET).to_string());
        echoes.push(SECRET.replace('/', r"\/"));
        for before in ["", "x", "xy"] {
            let bytes = format!("{before}{SECRET}zz");
            for all in [
                BASE64_STANDARD_NO_PAD.encode(&bytes),
                BASE64_URL_SAFE_NO_PAD.encode(&bytes),
                BASE64_STANDARD.encode(&bytes),
                BASE64_URL_SAFE.encode(&bytes),
            ] {
                for (width, end) in [(76, "\r\n"), (64, "\n"), (10, "\r\n"), (4, " "), (7, "\n\t")]
                {
                    echoes.push(wrapped(&all, width, end));
                }
                // As it stands in a message that quotes the JSON of an answer.
                echoes.push(wrapped(&all, 10, r"\r\n"));
                echoes.push(text::encode(&wrapped(&all, 10, "\r\n")));
                echoes.push(all);
            }
        }
        for between in ["", ":", "-", " ", ", ", "\n", r"\x", ", 0x"] {
            echoes.push(each(SECRET, |byte| format!("{byte:02x}"), between));
            echoes.push(each(SECRET, |byte| format!("{byte:02X}"), between));
        }
        let entity = |form: fn(char) -> String| SECRET.chars().map(form).collect::<String>();
        echoes.push(entity(|c| format!("&#{};", u32::from(c))));
        echoes.push(entity(|c| format!("&#x{:x};", u32::from(c))));
        echoes.push(entity(|c| format!("&#X{:06X};", u32::from(c))));
        let named = SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        echoes.push(named.replace('"', "&quot;"));
        echoes.push(named.replace('"', "&#34;").replace('/', "&sol;").replace('=', "&equals;"));
        echoes.push(text::encode(&named));
        echoes.push(text::encode(&text::encode(&named)));
        echoes.push(wrapped(SECRET, 5, "\n"));
        echoes.push(wrapped(SECRET, 9, "\r\n    "));
        echoes
    }

    #[test]
    fn an_echo_is_taken_out_of_a_body_however_it_is_written() {
        let secrets = sought([SECRET]);
        for echo in echoes() {
            let plain = serde_json::json!({ "id": 7, "rows": [{ "name": echo }] }).to_string();
            let ascii = plain.replace('é', "\\u00e9").replace('/', "\\/");
            for body in [plain, ascii] {
                let body = scrub(body.into_bytes(), &secrets);
                let body: Value = serde_json::from_slice(&body).unwrap();
                let name = body["rows"][0]["name"].as_str().unwrap();
                assert!(name.contains(REDACTED), "{echo}: {name}");
                assert_eq!(body["id"], 7);
            }
            let page = scrub(format!("<html>{echo}").into_bytes(), &secrets);
            let page = String::from_utf8(page).unwrap();
            assert!(page.contains(REDACTED) && !page.contains("s3cret"), "{echo}: {page}");
            let header = redact(&format!("id {echo}"), &secrets);
            assert!(header.contains(REDACTED), "{echo}: {header}");
        }
        let page = scrub(format!("<html>{SECRET}").into_bytes(), &secrets);
        assert_eq!(page, b"<html>[REDACTED]");
        for harmless in
            [r#"{ "name": "s3cr\u0065t \\ x" }"#, "a&b &amp; 100% &#; &#x; &#9999999999;"]
        {
            assert_eq!(scrub(harmless.into(), &secrets), harmless.as_bytes());
        }
    }

    fn sought<const N: usize>(secrets: [&str; N]) -> [Sought; N] {
        secrets.map(|secret| Sought::of(&secret.into()))
    }

    /// What each of the forms is, and that it is found in a body, a page and a header.
    fn is_found(forms: impl IntoIterator<Item = String>) {
        let secrets = sought([SECRET]);
        for form in forms {
            assert!(!form.contains("s3cret"), "it would be found as it is: {form}");
            let body = serde_json::json!({ "message": form }).to_string();
            for (what, text) in [
                ("body", String::from_utf8(scrub(body.into(), &secrets)).unwrap()),
                ("page", String::from_utf8(scrub(format!("<p>{form}").into(), &secrets)).unwrap()),
                ("header", redact(&form, &secrets)),
            ] {
                assert!(text.contains(REDACTED) && !text.contains(&form), "{what}: {text}");
            }
        }
    }

    #[test]
    fn hexadecimal_alone_is_found() {
        is_found(
            ["", ":", " ", ", 0x"]
                .map(|between| each(SECRET, |byte| format!("{byte:02x}"), between)),
        );
        is_found([each(SECRET, |byte| format!("{byte:02X}"), "")]);
    }

    #[test]
    fn entities_alone_are_found() {
        let numbers: [fn(char) -> String; 2] =
            [|c| format!("&#{};", u32::from(c)), |c| format!("&#x{:X};", u32::from(c))];
        is_found(numbers.map(|form| SECRET.chars().map(form).collect()));
    }

    #[test]
    fn base64_in_lines_alone_is_found() {
        for before in ["", "x", "xy"] {
            let all = BASE64_STANDARD.encode(format!("{before}{SECRET}zz"));
            is_found([(76, "\r\n"), (10, "\r\n"), (8, "\n ")].map(|(width, end)| {
                // One line of it is no base64 in lines.
                wrapped(&all, width.min(all.len() / 2), end)
            }));
        }
    }

    #[test]
    fn a_key_a_number_and_several_texts_may_hold_it_too() {
        let secrets = sought(["12345678901", "hunter2hunter2"]);
        for body in [
            serde_json::json!({ "rows": [{ "hunter2hunter2": 1 }] }),
            serde_json::json!({ "id": 12_345_678_901_u64 }),
            serde_json::json!({ "lines": ["aHVudGVy", "Mmh1bnRlcjI="] }),
            serde_json::json!({ "bytes": ["68756e746572", "3268756e74657232"] }),
            serde_json::json!({ "emoji": "\u{1f600}hunter2hunter2" }),
        ] {
            let scrubbed = String::from_utf8(scrub(body.to_string().into(), &secrets)).unwrap();
            assert!(scrubbed.contains(REDACTED), "{scrubbed}");
            let whole = Secrets::of(&secrets, SHORTEST);
            assert!(!whole.are_in(&scrubbed), "{scrubbed}");
        }
        let emoji = sought(["\u{1f600}secret"]);
        assert_eq!(redact(r"x \ud83d\ude00secret", &emoji), REDACTED);
    }

    /// However an answer writes it, and however much of it there is.
    #[test]
    fn a_secret_that_is_cut_short_shows_in_no_form() {
        const TOKEN: &str = "q7RkZ2vX9bTm4LwYc8NsPd3JhGf6Ea1UoViB5xKt0eW";
        const PASSWORD: &str = "hunter2hunter2";
        for secret in [TOKEN, PASSWORD] {
            let secrets = sought([secret]);
            let last = secret.len() - 1;
            let third = secret.len() / 4;
            for part in [secret, &secret[..last], &secret[1..], &secret[1..last], &secret[third..]]
            {
                let bytes = part.as_bytes();
                let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap();
                let bold = |c: char| match c {
                    'a'..='z' => char::from_u32(u32::from(c) - 0x61 + 0x1d41a).unwrap(),
                    c => c,
                };
                let once = BASE64_STANDARD.encode(part);
                for form in [
                    part.to_owned(),
                    part.chars().rev().collect(),
                    part.to_uppercase(),
                    part.to_lowercase(),
                    part.chars().map(wide).collect(),
                    part.chars().map(bold).collect(),
                    wrapped(part, 5, "\n"),
                    base32(bytes),
                    base32(bytes).to_lowercase(),
                    once.clone(),
                    BASE64_STANDARD.encode(part.to_uppercase()),
                    BASE64_URL_SAFE.encode(format!("xy{part}")),
                    BASE64_STANDARD.encode(&once),
                    BASE64_STANDARD.encode(format!("x{}", text::hex(bytes))),
                    base32(once.as_bytes()),
                    text::hex(bytes),
                    text::hex(once.as_bytes()),
                    each(part, |byte| format!("%{byte:02X}"), ""),
                    each(&once, |byte| format!("%{byte:02x}"), ""),
                    each(part, |byte| format!("&#{byte};"), ""),
                    each(part, |byte| format!("\\u{byte:04x}"), ""),
                ] {
                    let body = serde_json::json!({ "id": 7, "name": format!("no {form}!") });
                    let body = scrub(body.to_string().into_bytes(), &secrets);
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let name = body["name"].as_str().unwrap_or_default();
                    assert!(name.contains(REDACTED) && !name.contains(&form), "{form}: {name}");
                    assert_eq!(body["id"], 7);
                    let told = redact(&format!("the secret is {form}"), &secrets);
                    assert!(told.contains(REDACTED) && !told.contains(&form), "{form}: {told}");
                }
            }
            for harmless in [
                "hunter",
                "Hunter 2 of 2",
                "hunters hunt",
                "an invalid client secret was given",
                "q7RkZ2vX9bT",
                "00000000-0000-4000-8000-000000000000",
                "AAAAAAAAAAAAAAAAAAAAAAAA",
            ] {
                assert_eq!(redact(harmless, &secrets), harmless);
            }
        }
    }

    fn base32(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bit = |byte: &u8| (0..8).rev().map(|at| *byte >> at & 1).collect::<Vec<_>>();
        let bits: Vec<u8> = bytes.iter().flat_map(bit).collect();
        let digit = |five: &[u8]| {
            let value = (0..5).fold(0, |value, at| value << 1 | five.get(at).unwrap_or(&0));
            char::from(DIGITS[usize::from(value)])
        };
        bits.chunks(5).map(digit).collect()
    }

    /// A short secret is a word like any other, but for where it stands as it is.
    #[test]
    fn a_short_secret_takes_no_text_apart() {
        let secrets = sought(["a1"]);
        assert_eq!(redact("6131 and YTE", &secrets), "6131 and YTE");
        assert_eq!(redact("is a1", &secrets), "is [REDACTED]");
    }

    /// As much as an answer may hold, of what takes longest to look through.
    #[test]
    fn a_long_body_is_looked_through_in_time() {
        let secrets = sought(["aaaaaaaaaaaaaaaab", "%41%41&amp;\\u0041", "0123456789abcdef"]);
        for part in ["aaaaaaaa", "%61", "&#97;", "\\u0061", "&", "%", "\\", "a\n", "0x61 "] {
            let body = part.repeat(2 * 1024 * 1024 / part.len());
            let started = std::time::Instant::now();
            assert!(scrub(body.clone().into_bytes(), &secrets) == body.as_bytes(), "{part}");
            let took = started.elapsed();
            // Built for debugging, on a machine that does other things: anything but minutes.
            assert!(took < std::time::Duration::from_secs(30), "{part}: {took:?}");
        }
    }
}
