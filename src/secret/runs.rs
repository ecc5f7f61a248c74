//! Long secrets of which a part is one as well: a private key, and the signature of a signed token.
//!
//! An answer may repeat one line of a key, or as much of a token as fits its message. So every run of
//! 96 bits is known by its value: sixteen digits of base64, or twenty-four of hexadecimal, wherever in
//! the secret they begin and whatever stands between them.

use std::collections::HashSet;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use pkcs8::PrivateKeyInfoRef;
use secrecy::zeroize::Zeroizing;

use crate::given::pem;

/// The runs of a secret.
#[derive(Default)]
pub(super) struct Runs {
    known: HashSet<u128>,
    /// The last bits of them, as [`Ends`]: nearly no run of a text ends so, and those that do not need
    /// not be looked up.
    ends: Ends,
}

/// One bit for each way in which a run may end. Empty where there is none.
#[derive(Default)]
struct Ends(Vec<u64>);

const BITS: u32 = 96;
const ALL: u128 = (1 << BITS) - 1;

impl Ends {
    const LAST: u32 = 16;

    /// Where the bit of a run is.
    fn place(run: u128) -> (usize, u32) {
        let end = u32::try_from(run & ((1 << Self::LAST) - 1)).unwrap_or_default();
        (usize::try_from(end / u64::BITS).unwrap_or_default(), end % u64::BITS)
    }

    fn add(&mut self, run: u128) {
        let (word, bit) = Self::place(run);
        self.0.resize(1 << (Self::LAST - u64::BITS.ilog2()), 0);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn hold(&self, run: u128) -> bool {
        let (word, bit) = Self::place(run);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }
}

impl Runs {
    pub(super) fn of(secret: &str) -> Self {
        let Some(bytes) = long(secret) else { return Self::default() };
        // Digits of base64 begin at every second bit, depending on what stands before the secret.
        let pairs = bytes.iter().flat_map(|byte| [6, 4, 2, 0].map(|shift| byte >> shift & 3));
        let known: HashSet<_> = each(pairs, 2).collect();
        let mut ends = Ends::default();
        known.iter().for_each(|run| ends.add(*run));
        Self { known, ends }
    }
}

/// Whether a run of one of them is among these digits of base64 or among these of hexadecimal.
pub(super) fn are_in(runs: &[&Runs], base64: &str, hex: &str) -> bool {
    let runs: Vec<_> = runs.iter().filter(|runs| !runs.known.is_empty()).collect();
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.wrapping_sub(b'a').wrapping_add(10) & 15,
    };
    let is_known =
        |run: u128| runs.iter().any(|runs| runs.ends.hold(run) && runs.known.contains(&run));
    !runs.is_empty()
        && (each(base64.bytes().map(digit), 6).any(is_known)
            || each(hex.bytes().map(nibble), 4).any(is_known))
}

/// The value of each whole run of digits that are so many bits wide.
fn each(digits: impl Iterator<Item = u8>, width: u32) -> impl Iterator<Item = u128> {
    let whole = usize::try_from(BITS / width).unwrap_or(usize::MAX);
    let value = move |run: &mut u128, digit: u8| {
        *run = (*run << width | u128::from(digit)) & ALL;
        Some(*run)
    };
    digits.scan(0, value).skip(whole - 1)
}

/// What of a secret is long: a key without what all of its kind begin with (its public half may be
/// among it), or a token's signature. A token's claims may be those of another as well.
fn long(secret: &str) -> Option<Zeroizing<Vec<u8>>> {
    if let Some((_, signature)) = signed(secret) {
        return BASE64_URL_SAFE_NO_PAD.decode(signature).ok().map(Zeroizing::new);
    }
    let der = pem::private_key(secret).ok()?;
    let own = PrivateKeyInfoRef::try_from(&**der).ok();
    let own = own.map(|info| Zeroizing::new(info.private_key.as_bytes().to_vec()));
    Some(own.unwrap_or(der))
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
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

    use super::*;

    fn key() -> Vec<u8> {
        (0..64_u8).map(|at| at.wrapping_mul(37).wrapping_add(11)).collect()
    }

    fn runs() -> Runs {
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS384"}"#);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"iss":"a client of some vendor"}"#);
        let token = format!("{header}.{claims}.{}", BASE64_URL_SAFE_NO_PAD.encode(key()));
        Runs::of(&token)
    }

    #[test]
    fn a_run_is_found_wherever_it_begins_and_ends() {
        let runs = runs();
        for before in 0..4 {
            let all = BASE64_STANDARD_NO_PAD.encode([vec![7; before], key()].concat());
            // What stands before the secret is no part of it.
            let first = (before * 8).div_ceil(6);
            for at in first..=all.len() - 17 {
                assert!(are_in(&[&runs], &all[at..at + 16], ""), "{before} {at}");
                assert!(!are_in(&[&runs], &all[at..at + 15], ""), "{before} {at}");
            }
        }
        let hex = crate::text::hex(&key());
        for at in 0..=hex.len() - 24 {
            assert!(are_in(&[&runs], "", &hex[at..at + 24]), "{at}");
            assert!(!are_in(&[&runs], "", &hex[at..at + 23]), "{at}");
        }
    }

    /// Other tokens of the same vendor begin as this one does, and other keys as this key.
    #[test]
    fn what_others_have_as_well_is_none_of_it() {
        let claims = BASE64_STANDARD_NO_PAD.encode(r#"{"iss":"a client of some vendor"}"#);
        assert!(!are_in(&[&runs()], &claims, ""));
        let pkcs8 = |seed: u8| {
            let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
            let seed: Vec<u8> = (0..32).map(|at: u8| at.wrapping_mul(seed)).collect();
            BASE64_STANDARD.encode([&head[..], &seed].concat())
        };
        let framed =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", pkcs8(41));
        let runs = Runs::of(&framed);
        assert!(are_in(&[&runs], &pkcs8(41), "") && !are_in(&[&runs], &pkcs8(43), ""));
    }

    #[test]
    fn words_and_names_have_no_runs() {
        for secret in ["correct.horse.battery", "a.b.c", "hunter2hunter2hunter2hunter2", "", ".."] {
            assert!(Runs::of(secret).known.is_empty(), "{secret}");
        }
    }
}
