//! Which pieces of a secret give it away, and where a text shows one.
//!
//! An answer may repeat one line of a key, a token that a field cut short, or a password backwards. So
//! every eight bytes in a row of a secret are known by their value. A text is read once as it is, as
//! base64, as base32 and as hexadecimal, whatever stands between the digits, for all secrets together;
//! letter case counts in none of them. Eight bytes alone say little: how many have to stand in a row
//! goes by what the secret is.

use std::collections::HashMap;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use pkcs8::PrivateKeyInfoRef;
use secrecy::zeroize::Zeroizing;
use unicode_normalization::UnicodeNormalization as _;

use super::stream::{self, Stream};
use crate::input::pem;
use crate::text;

/// The runs of one secret: eight bytes each, with how many bits have to be there up to their end.
#[derive(Default)]
pub(super) struct Runs {
    known: HashMap<u64, usize>,
    marks: Marks,
    /// Whether some were left out, as they say too little.
    is_partial: bool,
}

/// A bit for each value that a run may come to: nearly none of a text's does, and those that do not
/// need not be looked up.
#[derive(Default)]
struct Marks(Vec<u64>);

/// The runs of several secrets, looked for together.
pub(super) struct Known<'s> {
    runs: Vec<&'s Runs>,
    marks: Marks,
}

/// How much of a secret has to be there.
#[derive(Clone, Copy)]
enum Piece {
    /// All of it: others share its parts.
    Whole,
    /// So many bytes, wherever in it: it is nothing that a person made up.
    Bytes(usize),
    /// What cannot be words.
    Told,
}

/// Bytes in a row that are known by their value. A secret of fewer is found as it is, or not at all.
pub(super) const RUN: usize = 8;
/// What sixteen digits of base64 hold in whole bytes, wherever in it they begin.
const BINARY: usize = 11;
/// Of a text that is a mixture of kinds of characters as nobody's words are, so many give it away.
const MIXED: usize = 12;
/// A mixture changes its kind of character so often within [`MIXED`].
const CHANGES: usize = 3;
/// So many are no common word, of whatever kind they are.
const LONG: usize = 16;
/// Fewer different bytes are what fills a text, such as dashes.
const FEW: usize = 3;
/// Of a longer secret no more than this has to be there.
const MOST: usize = 24;

impl Marks {
    const BITS: u32 = 16;

    /// Where the bit of a run is.
    fn place(run: u64) -> (usize, u64) {
        // Letters are few of all bytes: multiplied, they spread.
        let mixed = run.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - Self::BITS);
        (usize::try_from(mixed >> 6).unwrap_or_default(), mixed & 63)
    }

    fn add(&mut self, run: u64) {
        let (word, bit) = Self::place(run);
        self.0.resize(1 << (Self::BITS - u64::BITS.ilog2()), 0);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn add_all(&mut self, others: &Self) {
        self.0.resize(self.0.len().max(others.0.len()), 0);
        self.0.iter_mut().zip(&others.0).for_each(|(word, other)| *word |= other);
    }

    fn hold(&self, run: u64) -> bool {
        let (word, bit) = Self::place(run);
        match self.0.get(word) {
            Some(word) => (word >> bit) & 1 == 1,
            None => false,
        }
    }
}

impl Runs {
    pub(super) fn of(secret: &str) -> Self {
        let mut runs = Self::default();
        if let Some((signed, signature)) = signed(secret) {
            let claims = signed.split_once('.').map(|(_, claims)| claims);
            for whole in [Some(secret), Some(signed), claims].into_iter().flatten() {
                runs.add_text(whole, Piece::Whole);
            }
            runs.add_text(signature, Piece::Bytes(LONG));
            if let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(signature).map(Zeroizing::new) {
                runs.add(&bytes, Piece::Bytes(BINARY));
            }
        } else if let Ok(der) = pem::private_key(secret) {
            let (own, written) = own(&der);
            runs.add(own, Piece::Bytes(BINARY));
            runs.add_text(&written, Piece::Bytes(LONG));
        } else {
            runs.add_text(secret, Piece::Told);
        }
        runs
    }

    pub(super) fn whole(secret: &str) -> Self {
        let mut runs = Self::default();
        runs.add_text(secret, Piece::Whole);
        runs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether the secret may stand somewhere without a run of it.
    pub(super) fn miss_some(&self) -> bool {
        self.is_partial || self.is_empty()
    }

    /// A text as it is, as a view shows it, and both backwards.
    fn add_text(&mut self, text: &str, piece: Piece) {
        let seen: String = narrow(&text::strip(text)).chars().filter(|c| !is_blank(*c)).collect();
        self.is_partial |= seen.len() < RUN;
        let is_seen = seen == text;
        for form in [text, &seen].into_iter().skip(usize::from(is_seen)) {
            self.add(form.as_bytes(), piece);
            let backwards = Zeroizing::new(form.chars().rev().collect::<String>());
            self.add(backwards.as_bytes(), piece);
        }
    }

    fn add(&mut self, bytes: &[u8], piece: Piece) {
        for (end, run) in (RUN..).zip(bytes.windows(RUN)) {
            let is_varied = is_varied(run);
            self.is_partial |= !is_varied;
            let needed = needed(bytes.get(..end).unwrap_or_default(), bytes.len(), piece);
            // Where more is needed than comes before it, a later run decides; so it does of one that
            // fills many a text, which only goes on.
            let bits = if is_varied && needed <= end { 8 * needed } else { usize::MAX };
            let run = stream::folded(run.iter().fold(0, |run, byte| run << 8 | u64::from(*byte)));
            let known = self.known.entry(run).or_insert(bits);
            *known = bits.min(*known);
            self.marks.add(run);
        }
    }
}

impl<'s> Known<'s> {
    pub(super) fn of(runs: impl Iterator<Item = &'s Runs>) -> Self {
        let runs: Vec<_> = runs.filter(|runs| !runs.is_empty()).collect();
        let mut marks = Marks::default();
        runs.iter().for_each(|runs| marks.add_all(&runs.marks));
        Self { runs, marks }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether it is worth looking this run up.
    pub(super) fn may_hold(&self, run: u64) -> bool {
        self.marks.hold(run)
    }

    /// How many bits up to the end of this run give a secret away, where it is one of theirs.
    pub(super) fn needed(&self, run: u64) -> Option<usize> {
        self.runs.iter().filter_map(|runs| runs.known.get(&run).copied()).min()
    }

    /// What else is written in the text, in one encoding or another; nothing where a secret shows.
    pub(super) fn look_through(&self, text: &str) -> Option<String> {
        let [mut plain, mut base64, mut base32, mut hex] =
            [Stream::plain(), Stream::digits(6), Stream::digits(5), Stream::digits(4)];
        // One that only says that others follow, `0x`, is no digit.
        let mut zero = false;
        for &byte in text.as_bytes() {
            let mut shows = !is_blank(byte.into()) && plain.take(byte, self);
            if let Some(digit) = stream::base64(byte) {
                shows |= base64.take(digit, self);
            }
            shows |= zero && !matches!(byte, b'x' | b'X') && hex.take(0, self);
            zero = byte == b'0';
            if let Some(digit) = stream::hex(byte).filter(|_| !zero) {
                shows |= hex.take(digit, self);
            }
            if shows {
                return None;
            }
        }
        if zero && hex.take(0, self) {
            return None;
        }
        for digit in stream::base32(text) {
            if base32.take(digit, self) {
                return None;
            }
        }
        Some([base64, base32, hex].map(Stream::text).concat())
    }
}

/// How many bytes up to the end of these have to be there, of a secret that is so long.
fn needed(up_to: &[u8], all: usize, piece: Piece) -> usize {
    let last = |many: usize| {
        let from = up_to.len().checked_sub(many);
        from.and_then(|from| up_to.get(from..)).unwrap_or_default()
    };
    let share = (3 * all).div_ceil(4).clamp(RUN, MOST);
    match piece {
        Piece::Whole => all,
        Piece::Bytes(many) => many.min(all),
        // A name, or a name and a number, may be in many a text that knows no secret.
        Piece::Told => {
            let is_told = share >= LONG || changes(last(share)) > 0;
            let share = if is_told { share } else { share.max(LONG).min(all) };
            if changes(last(MIXED)) >= CHANGES { share.min(MIXED) } else { share }
        }
    }
}

/// How often one kind of character follows another. That a capital begins a word is none of it.
fn changes(bytes: &[u8]) -> usize {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 'a',
        b'A'..=b'Z' => 'A',
        b'0'..=b'9' => '0',
        _ => '-',
    };
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    let pairs = pairs.map(|(one, other)| (kind(*one), kind(*other)));
    pairs.filter(|(one, other)| one != other && (*one, *other) != ('A', 'a')).count()
}

/// Whether it is more than a few characters again and again.
fn is_varied(bytes: &[u8]) -> bool {
    let mut kinds = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let before = bytes.get(..at).unwrap_or_default();
        kinds += usize::from(!before.contains(byte));
        if kinds == FEW {
            return true;
        }
    }
    false
}

/// What may stand between the parts of a secret; a form has a plus for a blank.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '+')
}

/// A text whose characters are those of ASCII where they are only drawn otherwise; others in small
/// letters.
pub(super) fn narrow(text: &str) -> String {
    let mut narrow = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            narrow.push(c);
        } else {
            narrow.extend(std::iter::once(c).nfkc().flat_map(char::to_lowercase));
        }
    }
    narrow
}

/// What of a key is its own, without what all of its kind begin with (its public half may be among
/// it), and the base64 of that as the key's file has it.
fn own(der: &[u8]) -> (&[u8], String) {
    let own = PrivateKeyInfoRef::try_from(der).ok().map(|info| info.private_key.as_bytes());
    let own = own.filter(|own| !own.is_empty()).unwrap_or(der);
    let before = der.windows(own.len()).position(|part| part == own).unwrap_or_default();
    let (first, last) = ((8 * before).div_ceil(6), 8 * (before + own.len()) / 6);
    let written = BASE64_STANDARD.encode(der);
    let written = written.get(first..last).unwrap_or_default().to_owned();
    (own, written)
}

/// What is signed, and the signature, where a secret is a signed token (RFC 7515, compact).
pub(super) fn signed(secret: &str) -> Option<(&str, &str)> {
    let (signed, signature) = secret.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok()?;
    (header.starts_with(b"{") && !claims.contains('.')).then_some((signed, signature))
}

/// What a text is that is a secret by its form, whatever it was given as.
pub(crate) fn is_secret(text: &str) -> Option<&'static str> {
    if signed(text.trim()).is_some() {
        return Some("a signed token");
    }
    let is_key = text.contains("PRIVATE KEY-----") || pem::private_key(text).is_ok();
    is_key.then_some("a private key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD_NO_PAD;

    fn key() -> Vec<u8> {
        (0..64_u8).map(|at| at.wrapping_mul(37).wrapping_add(11)).collect()
    }

    fn runs() -> Runs {
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS384"}"#);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"iss":"a client of some vendor"}"#);
        let token = format!("{header}.{claims}.{}", BASE64_URL_SAFE_NO_PAD.encode(key()));
        Runs::of(&token)
    }

    fn is_in(runs: &Runs, text: &str) -> bool {
        Known::of([runs].into_iter()).look_through(text).is_none()
    }

    fn base32(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits: Vec<u8> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        let digit = |five: &[u8]| {
            let value = (0..5).fold(0, |value, at| value << 1 | five.get(at).unwrap_or(&0));
            char::from(DIGITS[usize::from(value)])
        };
        bits.chunks(5).map(digit).collect()
    }

    #[test]
    fn a_run_is_found_wherever_it_begins_and_ends() {
        let runs = runs();
        for before in 0..5 {
            let bytes = [vec![7; before], key()].concat();
            // What stands before the secret is no part of it.
            for (all, width, digits) in
                [(BASE64_STANDARD_NO_PAD.encode(&bytes), 6, 16), (base32(&bytes), 5, 19)]
            {
                let first = (before * 8).div_ceil(width);
                let last = bytes.len() * 8 / width - digits;
                for at in first..=last {
                    assert!(is_in(&runs, &all[at..at + digits]), "{before} {at}");
                    // Fewer bytes are whole in fewer digits, but for their luck.
                    let few = 8 * (BINARY - 1) / width;
                    assert!(!is_in(&runs, &all[at..at + few]), "{before} {at}");
                }
            }
        }
        let hex = text::hex(&key());
        for at in 0..=hex.len() - 24 {
            assert!(is_in(&runs, &hex[at..at + 24]), "{at}");
            assert!(!is_in(&runs, &hex[at..at + 21]), "{at}");
        }
    }

    /// Other tokens of the same vendor begin as this one does, and other keys as this key.
    #[test]
    fn what_others_have_as_well_is_none_of_it() {
        let claims = BASE64_STANDARD_NO_PAD.encode(r#"{"iss":"a client of some vendor"}"#);
        assert!(!is_in(&runs(), &claims[2..]));
        let pkcs8 = |seed: u8| {
            let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
            let seed: Vec<u8> = (0..32).map(|at: u8| at.wrapping_mul(seed)).collect();
            BASE64_STANDARD.encode([&head[..], &seed].concat())
        };
        let framed =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", pkcs8(41));
        let runs = Runs::of(&framed);
        assert!(is_in(&runs, &pkcs8(41)) && !is_in(&runs, &pkcs8(43)));
        let backwards: String = pkcs8(41).chars().rev().collect();
        assert!(is_in(&runs, &backwards));
    }

    /// The shortest piece that is found, and that one less is not.
    #[test]
    fn a_piece_is_as_long_as_it_takes_to_be_nothing_else() {
        for (secret, piece, less) in [
            // What nobody made up: twelve, wherever they are.
            ("q7RkZ2vX9bTm4LwYc8NsPd3JhGf6Ea1UoVi5", "vX9bTm4LwYc8", "vX9bTm4LwYc"),
            ("0f8fad5bd9cb469fa16570867728950e", "5bd9cb469fa1", "5bd9cb469fa"),
            // Three quarters of a short one.
            ("hunter2hunter2", "nter2hunter", "nter2hunte"),
            ("s3cret-x9", "3cret-x9", "cret-x9"),
            ("s3cret-x", "s3cret-x", "s3cret-"),
            // Words are no secret, and neither is a name with the year behind it.
            ("administrator2024", "administrator202", "administrator"),
            ("administrators", "administrators", "administrator"),
            ("correcthorsebatterystaple", "correcthorsebattery", "correcthorsebatter"),
            ("12345678901", "12345678901", "1234567890"),
        ] {
            let runs = Runs::of(secret);
            for form in [secret, piece] {
                assert!(is_in(&runs, &format!("not {form}!")), "{secret}: {form}");
                assert!(is_in(&runs, &form.to_uppercase()), "{secret}: {form}");
                assert!(is_in(&runs, &form.chars().rev().collect::<String>()), "{secret}: {form}");
            }
            assert!(!is_in(&runs, &format!("not {less}!")), "{secret}: {less}");
        }
    }

    /// Nobody's dashes are a secret, whatever fills one.
    #[test]
    fn what_fills_a_text_is_no_run() {
        let runs = Runs::of("------------------ab");
        assert!(runs.miss_some() && !is_in(&runs, &"-".repeat(99)));
        assert!(!Runs::of("hunter2hunter2").miss_some());
        // What fills a secret does not hide what stands around it.
        let runs = Runs::of("ab------------------cd12");
        for form in ["21dc------------------ba", "AB------------------CD12"] {
            assert!(is_in(&runs, form), "{form}");
        }
    }

    #[test]
    fn what_is_shorter_than_a_run_has_none() {
        for secret in ["hunter2", "", "..", "a b c d e f g"] {
            assert!(Runs::of(secret).is_empty() || secret.len() >= RUN, "{secret}");
        }
    }
}
