//! Private keys as JSON (RFC 7517, 7518, 8037), which is how vendors' pages show key sets.
//!
//! What the numbers are is written as the structure that the same key has in PEM: PKCS#1, SEC1 or
//! PKCS#8. Whether it is a key of a kind that signs here is for whoever reads that structure to say.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::pem::{Der, PUBLIC, SEVERAL};

/// A key. What is public of it is read only where the structure holds it.
#[derive(Deserialize)]
struct Jwk {
    kty: Option<String>,
    crv: Option<String>,
    n: Option<SecretString>,
    e: Option<SecretString>,
    d: Option<SecretString>,
    p: Option<SecretString>,
    q: Option<SecretString>,
    dp: Option<SecretString>,
    dq: Option<SecretString>,
    qi: Option<SecretString>,
    oth: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

const UNREADABLE: &str =
    "begins as a JWK does, which is JSON, and its JSON cannot be read: hand it in whole";
const GARBLED: &str = "is a JWK of which a part is missing or garbled: hand it in whole";
const BARE: &str = "is a JWK without its primes (p, q, dp, dq, qi), which a signature takes here: \
                    export the key with them, or as PEM";
const MANY_PRIMES: &str =
    "is a JWK of an RSA key with more than two primes, which nothing here reads";
const SHARED: &str = "is a JWK of a shared secret: a private key is needed, of kty RSA, EC or OKP";
const NO_KIND: &str = "is a JWK of a kind that is not known here: kty is RSA, EC or OKP";

/// Curves by their names, with their object identifiers as DER has them and the length of a number.
const CURVES: [(&str, &[u8], usize); 4] = [
    ("P-256", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 32),
    ("secp256k1", b"\x06\x05\x2b\x81\x04\x00\x0a", 32),
    ("P-384", b"\x06\x05\x2b\x81\x04\x00\x22", 48),
    ("P-521", b"\x06\x05\x2b\x81\x04\x00\x23", 66),
];
const EDWARDS: [(&str, &[u8]); 4] = [
    ("Ed25519", b"\x06\x03\x2b\x65\x70"),
    ("Ed448", b"\x06\x03\x2b\x65\x71"),
    ("X25519", b"\x06\x03\x2b\x65\x6e"),
    ("X448", b"\x06\x03\x2b\x65\x6f"),
];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const CURVE: u8 = 0xa0;

/// The private key that JSON holds, by itself or as the only one of a set.
///
/// # Errors
/// It holds none that can be read, in words that follow the name of where it comes from.
pub(super) fn private_key(text: &str) -> Result<Der, &'static str> {
    if let Ok(Set { keys }) = serde_json::from_str(text) {
        let mut private = keys.iter().filter(|key| key.d.is_some());
        return match (private.next(), private.next()) {
            (Some(key), None) => key.der(),
            (Some(_), Some(_)) => Err(SEVERAL),
            (None, _) => Err(PUBLIC),
        };
    }
    serde_json::from_str::<Jwk>(text).map_err(|_| UNREADABLE)?.der()
}

impl Jwk {
    fn der(&self) -> Result<Der, &'static str> {
        let kind = self.kty.as_deref().unwrap_or_default();
        if kind == "oct" {
            return Err(SHARED);
        }
        if !["RSA", "EC", "OKP"].contains(&kind) {
            return Err(NO_KIND);
        }
        let own = self.d.as_ref().ok_or(PUBLIC)?;
        match kind {
            "RSA" => self.rsa(),
            "EC" => self.elliptic(own),
            _ => self.edwards(own),
        }
    }

    /// PKCS#1.
    fn rsa(&self) -> Result<Der, &'static str> {
        if self.oth.is_some() {
            return Err(MANY_PRIMES);
        }
        let primes = [&self.p, &self.q, &self.dp, &self.dq, &self.qi];
        if primes.iter().all(|part| part.is_none()) {
            return Err(BARE);
        }
        let mut whole = integer(&[0]);
        for part in [&self.n, &self.e, &self.d].into_iter().chain(primes) {
            whole.extend_from_slice(&integer(&number(part.as_ref().ok_or(GARBLED)?)?));
        }
        Ok(tagged(SEQUENCE, &whole))
    }

    /// SEC1.
    fn elliptic(&self, own: &SecretString) -> Result<Der, &'static str> {
        let curve = CURVES.iter().find(|(name, ..)| Some(*name) == self.crv.as_deref());
        let (_, id, length) = curve.ok_or(NO_KIND)?;
        let own = number(own)?;
        // Some leave out zeros at its beginning, or put one there.
        let lead = own.len().saturating_sub(*length);
        let (over, own) = own.split_at_checked(lead).ok_or(GARBLED)?;
        if over.iter().any(|byte| *byte != 0) {
            return Err(GARBLED);
        }
        let mut padded = Zeroizing::new(vec![0; length.saturating_sub(own.len())]);
        padded.extend_from_slice(own);
        let mut whole = integer(&[1]);
        whole.extend_from_slice(&tagged(OCTETS, &padded));
        whole.extend_from_slice(&tagged(CURVE, id));
        Ok(tagged(SEQUENCE, &whole))
    }

    /// PKCS#8.
    fn edwards(&self, own: &SecretString) -> Result<Der, &'static str> {
        let curve = EDWARDS.iter().find(|(name, _)| Some(*name) == self.crv.as_deref());
        let (_, id) = curve.ok_or(NO_KIND)?;
        let mut whole = integer(&[0]);
        whole.extend_from_slice(&tagged(SEQUENCE, id));
        whole.extend_from_slice(&tagged(OCTETS, &tagged(OCTETS, &number(own)?)));
        Ok(tagged(SEQUENCE, &whole))
    }
}

/// The bytes of a number; some write them as ordinary base64.
fn number(text: &SecretString) -> Result<Der, &'static str> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let letters = text.expose_secret().chars().filter(|c| !c.is_whitespace());
    let letters = letters.map(|c| match c {
        '+' => '-',
        '/' => '_',
        c => c,
    });
    let letters: Zeroizing<String> = Zeroizing::new(letters.collect());
    let bytes = ENGINE.decode(letters.as_bytes()).ok().filter(|bytes| !bytes.is_empty());
    bytes.map(Zeroizing::new).ok_or(GARBLED)
}

/// A number that is not negative, whatever its first bit.
fn integer(bytes: &[u8]) -> Der {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros.min(bytes.len().saturating_sub(1))..).unwrap_or_default();
    let mut signed = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        signed.push(0);
    }
    signed.extend_from_slice(bytes);
    tagged(INTEGER, &signed)
}

fn tagged(tag: u8, content: &[u8]) -> Der {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut whole = Zeroizing::new(Vec::with_capacity(content.len() + length.len() + 2));
    whole.push(tag);
    match length {
        [] => whole.push(0),
        [short @ 0..=0x7f] => whole.push(*short),
        // At most the eight bytes of a length in memory.
        long => {
            whole.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            whole.extend_from_slice(long);
        }
    }
    whole.extend_from_slice(content);
    whole
}
