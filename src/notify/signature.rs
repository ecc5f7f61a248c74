//! Signatures of Standard Webhooks, over id, time and body: `v1` by a secret that both sides have (HMAC-SHA256),
//! `v1a` by a key that only Grantor has (Ed25519).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::prelude::{BASE64_STANDARD, Engine as _};

const SHARED: &str = "whsec_";
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";
/// In bytes, as the specification bounds them.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;
/// What an Ed25519 key is made of; the public key may stand behind it.
const SEED: usize = 32;

/// What notices are signed with.
pub(crate) enum Key {
    Shared(Box<hmac::Key>),
    Private(Box<Ed25519KeyPair>),
}

/// A key as it is handed out: `whsec_` or nothing before a shared one, `whsk_` before a private one.
///
/// # Errors
/// It is none; nothing of it is repeated.
pub(crate) fn key(text: &str) -> Result<Key, &'static str> {
    let text = text.trim();
    if text.starts_with(PUBLIC) {
        return Err(
            "is a public key, which checks signatures and makes none: whsk_ is before a private one",
        );
    }
    if let Some(text) = text.strip_prefix(PRIVATE) {
        return private(text);
    }
    let text = text.strip_prefix(SHARED).unwrap_or(text);
    let bytes = BASE64_STANDARD.decode(text);
    let bytes = bytes.map_err(|_| "is no signing secret: whsec_ with base64 behind it is one")?;
    match bytes.len() {
        SHORTEST..=LONGEST => Ok(Key::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))),
        _ => Err(
            "is no signing secret: it holds 24 to 64 bytes, and `openssl rand -base64 32` makes one",
        ),
    }
}

fn private(text: &str) -> Result<Key, &'static str> {
    const WRONG: &str = "is no private key for signing: whsk_ with 32 bytes in base64 behind it is one, as \
                         `openssl rand -base64 32` makes them";
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| WRONG)?;
    let (seed, public) = bytes.split_at_checked(SEED).ok_or(WRONG)?;
    let pair = match public {
        [] => Ed25519KeyPair::from_seed_unchecked(seed),
        public => Ed25519KeyPair::from_seed_and_public_key(seed, public),
    };
    pair.map(|pair| Key::Private(Box::new(pair))).map_err(|_| WRONG)
}

impl Key {
    /// What whoever is told checks signatures with, where that is no secret.
    pub(super) fn public(&self) -> Option<String> {
        match self {
            Self::Shared(_) => None,
            Self::Private(pair) => {
                Some(format!("{PUBLIC}{}", BASE64_STANDARD.encode(pair.public_key())))
            }
        }
    }

    fn sign(&self, signed: &[u8]) -> String {
        match self {
            Self::Shared(key) => {
                format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(key, signed).as_ref()))
            }
            Self::Private(pair) => {
                format!("v1a,{}", BASE64_STANDARD.encode(pair.sign(signed).as_ref()))
            }
        }
    }
}

/// The header's value, with a signature by each key.
pub(super) fn sign(keys: &[Key], id: &str, seconds: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    keys.iter().map(|key| key.sign(&signed)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SECONDS: i64 = 1_614_265_330;

    fn signed(texts: &[&str]) -> String {
        let keys: Vec<_> =
            texts.iter().map(|text| key(text).unwrap_or_else(|e| panic!("{e}"))).collect();
        sign(&keys, ID, SECONDS, BODY)
    }

    /// The examples of the specification and of its libraries.
    #[test]
    fn a_signature_is_what_the_specification_says() {
        for (text, expected) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=",
                "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==",
            ),
            (
                "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=",
                "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
            ),
        ] {
            assert_eq!(signed(&[text]), expected, "{text}");
        }
    }

    #[test]
    fn each_key_signs_and_no_other_text_is_a_key() {
        let private = format!("whsk_{}", BASE64_STANDARD.encode([7; SEED]));
        let all = [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            private.as_str(),
        ];
        let each = all.map(|one| signed(&[one]));
        assert_eq!(signed(&all), each.join(" "));
        let cut = |bytes: usize| format!("whsk_{}", BASE64_STANDARD.encode(vec![7; bytes]));
        let public = key(&private).ok().and_then(|key| key.public()).unwrap_or_default();
        for text in [
            "",
            "whsec_",
            "hunter2",
            "whsec_c2hvcnQ=",
            &"A".repeat(400),
            "whsk_",
            "whsk_hunter2",
            &cut(31),
            &cut(33),
            // A public key that is another's.
            &cut(64),
            &public,
        ] {
            let why = key(text).err().unwrap_or_else(|| panic!("{text} is one"));
            let named = ["signing secret", "private key", "public key"];
            assert!(
                named.iter().any(|one| why.contains(one)) && !why.contains("hunter2"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_private_key_tells_its_public_one_and_may_stand_before_it() {
        let seed = BASE64_STANDARD.decode("6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=").unwrap();
        let alone = format!("whsk_{}", BASE64_STANDARD.encode(&seed));
        let public = key(&alone).ok().and_then(|key| key.public()).unwrap();
        let bytes = BASE64_STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
        let both = format!("whsk_{}", BASE64_STANDARD.encode([seed, bytes].concat()));
        assert_eq!(signed(&[&both]), signed(&[&alone]));
        assert!(
            key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok_and(|key| key.public().is_none())
        );
    }
}
