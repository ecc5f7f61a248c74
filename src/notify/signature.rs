//! Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body.

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine as _};

const PREFIX: &str = "whsec_";
/// In bytes, as the specification bounds them.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// A key as it is handed out, with its prefix or without.
///
/// # Errors
/// It is none; nothing of it is repeated.
pub(crate) fn key(text: &str) -> Result<hmac::Key, &'static str> {
    let text = text.trim();
    let text = text.strip_prefix(PREFIX).unwrap_or(text);
    let bytes = BASE64_STANDARD.decode(text);
    let bytes = bytes.map_err(|_| "is no signing secret: whsec_ with base64 behind it is one")?;
    match bytes.len() {
        SHORTEST..=LONGEST => Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes)),
        _ => Err(
            "is no signing secret: it holds 24 to 64 bytes, and `openssl rand -base64 32` makes one",
        ),
    }
}

/// The header's value, with a signature by each key.
pub(super) fn sign(keys: &[hmac::Key], id: &str, seconds: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let by = |key: &hmac::Key| {
        format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(key, &signed).as_ref()))
    };
    keys.iter().map(by).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification and of its libraries.
    #[test]
    fn a_signature_is_what_the_specification_says() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let made = sign(&[key], id, 1_614_265_330, body);
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_key_signs_and_no_other_text_is_a_key() {
        let (old, new) =
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let keys = [old, new].map(|text| key(text).unwrap());
        let both = sign(&keys, "a", 1, b"{}");
        let each = keys.each_ref().map(|one| sign(std::slice::from_ref(one), "a", 1, b"{}"));
        assert_eq!(both, each.join(" "));
        for text in ["", "whsec_", "hunter2", "whsec_c2hvcnQ=", &"A".repeat(400)] {
            let why = key(text).unwrap_err();
            assert!(why.contains("signing secret") && !why.contains("hunter2"), "{text}");
        }
    }
}
