//! Private keys, and the two signatures vendors ask for.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaEncoding,
};
use secrecy::SecretString;

use super::AuthError;
use crate::input::pem;
use crate::secret::expose;

pub(super) enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// Kinds of keys that none of the vendors takes, by their object identifiers as DER has them.
const OTHERS: [(&[u8], &str); 14] = [
    (b"\x06\x05\x2b\x81\x04\x00\x22", "a P-384 key"),
    (b"\x06\x05\x2b\x81\x04\x00\x23", "a P-521 key"),
    (b"\x06\x05\x2b\x81\x04\x00\x21", "a P-224 key"),
    (b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01", "a P-192 key"),
    (b"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01", "a Brainpool key"),
    (b"\x06\x07\x2a\x86\x48\xce\x3d\x01\x01", "a key on a curve that is spelled out"),
    (b"\x06\x03\x2b\x65\x71", "an Ed448 key"),
    (b"\x06\x03\x2b\x65\x6e", "an X25519 key, which cannot sign"),
    (b"\x06\x03\x2b\x65\x6f", "an X448 key, which cannot sign"),
    (b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", "a DSA key"),
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01", "a Diffie-Hellman key, which cannot sign"),
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "an RSA key for PSS alone"),
    (b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03", "an ML-DSA or SLH-DSA key"),
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", "a key under a passphrase"),
];
/// What the kind of a key is told within: its numbers come after that, or are shorter.
const HEAD: usize = 112;
const TAKEN: &str = "Ed25519, P-256, secp256k1 and RSA (2048 bits or more)";

impl PrivateKey {
    /// Reads a key in PEM: PKCS#8, PKCS#1 or SEC1. `name` says whose it is in messages, which never
    /// repeat any of it.
    pub(super) fn read(name: &str, text: &SecretString) -> Result<Self, AuthError> {
        let unusable = |trouble: &str| AuthError::Unusable(format!("{name} {trouble}"));
        let der = pem::private_key(expose(text)).map_err(unusable)?;
        Self::of(&der).map_err(|trouble| unusable(&trouble))
    }

    /// What it is shows its content: tools disagree about what they call it.
    fn of(der: &[u8]) -> Result<Self, String> {
        // OpenSSL writes Ed25519 keys without the public half, hence `maybe_unchecked`.
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::Ed25519(key));
        }
        for curve in [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256K1_SHA256_ASN1_SIGNING] {
            if let Ok(key) = EcdsaKeyPair::from_private_key_der(curve, der) {
                return Ok(Self::Ecdsa(key));
            }
        }
        let rsa = RsaKeyPair::from_pkcs8(der).or_else(|refused| match RsaKeyPair::from_der(der) {
            Err(other) if other.to_string() != TOO_SMALL => Err(refused),
            tried => tried,
        });
        rsa.map(Self::Rsa).map_err(|refused| trouble_with(der, &refused.to_string()))
    }

    /// Ed25519 over the message itself (64 bytes), ECDSA over its SHA-256 (ASN.1 DER), or
    /// RSASSA-PKCS1-v1_5 with SHA-256: the signature whose kind the key implies.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Ed25519(key) => key.try_sign(message).ok().map(|made| made.as_ref().to_vec()),
            Self::Ecdsa(key) => {
                key.sign(&SystemRandom::new(), message).ok().map(|made| made.as_ref().to_vec())
            }
            Self::Rsa(key) => sign_rsa(key, &RSA_PKCS1_SHA256, message),
        }
    }

    /// RS384 of RFC 7518, for an RSA key.
    pub(super) fn sign_rs384(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => sign_rsa(key, &RSA_PKCS1_SHA384, message),
            Self::Ed25519(_) | Self::Ecdsa(_) => None,
        }
    }
}

/// What the library says of an RSA key that is too short.
const TOO_SMALL: &str = "TooSmall";

/// Why a structure is no key that can be used here.
fn trouble_with(der: &[u8], refused: &str) -> String {
    let head = der.get(..HEAD).unwrap_or(der);
    let is_in = |id: &[u8]| head.windows(id.len()).any(|part| part == id);
    if let Some((_, kind)) = OTHERS.iter().find(|(id, _)| is_in(id)) {
        return format!("is {kind}; keys that sign here are {TAKEN}");
    }
    if refused == TOO_SMALL {
        return format!("is an RSA key that is too short; keys that sign here are {TAKEN}");
    }
    format!("is not a whole private key of one of the kinds that sign here: {TAKEN}")
}

fn sign_rsa(key: &RsaKeyPair, kind: &'static dyn RsaEncoding, message: &[u8]) -> Option<Vec<u8>> {
    let mut made = vec![0; key.public_modulus_len()];
    key.sign(kind, &SystemRandom::new(), message, &mut made).ok()?;
    Some(made)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaSigningAlgorithm};
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};

    use super::*;

    fn framed(label: &str, der: &[u8]) -> String {
        let body = BASE64_STANDARD.encode(der);
        let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    fn ec(curve: &'static EcdsaSigningAlgorithm) -> (Vec<u8>, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
        (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), sec1.as_ref().to_vec())
    }

    fn rsa() -> (Vec<u8>, Vec<u8>) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pkcs8 = pkcs8.as_ref().to_vec();
        let info = pkcs8::PrivateKeyInfoRef::try_from(&*pkcs8).unwrap();
        let pkcs1 = info.private_key.as_bytes().to_vec();
        (pkcs8, pkcs1)
    }

    fn ed25519() -> Vec<u8> {
        Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec()
    }

    fn read(text: &str) -> Result<PrivateKey, String> {
        match PrivateKey::read("KEY", &text.into()) {
            Ok(key) => Ok(key),
            Err(AuthError::Unusable(message)) => Err(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn check(text: &str, what: &str) {
        match read(text) {
            Ok(key) => assert!(key.sign(b"x").is_some(), "{what}"),
            Err(trouble) => panic!("{what}: {trouble}"),
        }
    }

    #[test]
    fn every_form_that_tools_write_is_read() {
        let (p256, p256_sec1) = ec(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let (k1, k1_sec1) = ec(&ECDSA_P256K1_SHA256_ASN1_SIGNING);
        let (rsa, rsa_pkcs1) = rsa();
        let ed25519 = ed25519();
        let parameters = framed("EC PARAMETERS", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
        let certificate = framed("CERTIFICATE", b"\x30\x03\x02\x01\x00");
        for (label, der) in [
            ("PRIVATE KEY", &ed25519),
            ("PRIVATE KEY", &p256),
            ("PRIVATE KEY", &k1),
            ("PRIVATE KEY", &rsa),
            ("EC PRIVATE KEY", &p256_sec1),
            ("EC PRIVATE KEY", &k1_sec1),
            ("RSA PRIVATE KEY", &rsa_pkcs1),
            // A name that does not fit what it holds.
            ("RSA PRIVATE KEY", &rsa),
            ("EC PRIVATE KEY", &p256),
            ("PRIVATE KEY", &rsa_pkcs1),
            ("PRIVATE KEY", &p256_sec1),
        ] {
            let pem = framed(label, der);
            check(&pem, label);
            check(&format!("{parameters}{pem}"), "after what `openssl ecparam -genkey` writes");
            check(&format!("{pem}{certificate}"), "before a certificate");
            check(&format!("Bag Attributes\n  friendlyName: x\n{pem}"), "as from PKCS#12");
        }
    }

    /// Each is what some shell, file format or form makes of a text of several lines.
    #[test]
    fn whatever_became_of_its_line_ends_it_is_read() {
        let (p256, sec1) = ec(&ECDSA_P256_SHA256_ASN1_SIGNING);
        for (label, der) in [("PRIVATE KEY", &p256), ("EC PRIVATE KEY", &sec1)] {
            let pem = framed(label, der);
            let lines = |with: &str| -> String {
                pem.lines().map(|line| format!("{with}{line}\n")).collect()
            };
            let bare = BASE64_STANDARD.encode(der);
            for (what, text) in [
                ("blanks", pem.replace('\n', " ")),
                ("nothing", pem.replace('\n', "")),
                ("no blank at all", pem.replace(['\n', ' '], "")),
                ("CRLF", pem.replace('\n', "\r\n")),
                ("CR", pem.replace('\n', "\r")),
                ("\\n", pem.replace('\n', "\\n")),
                ("\\r\\n", pem.replace('\n', "\\r\\n")),
                ("\\\\n", pem.replace('\n', "\\\\n")),
                ("continued lines", pem.replace('\n', "\\\n")),
                ("tabs", lines("\t")),
                ("indented", lines("    ")),
                ("empty lines", pem.replace('\n', "\n\n")),
                ("blanks behind", pem.replace('\n', "  \n")),
                ("blanks around", format!("\n  {pem}\n\n")),
                ("a mark before", format!("\u{feff}{pem}")),
                ("no-break spaces", pem.replace('\n', "\u{a0}")),
                ("quotes", format!("\"{}\"", pem.replace('\n', "\\n"))),
                ("other quotes", format!("'{pem}'")),
                ("each line in quotes", pem.lines().map(|line| format!("\"{line}\",\n")).collect()),
                ("typeset dashes", pem.replace("--", "—")),
                ("no padding", pem.replace('=', "")),
                ("base64 of it all", BASE64_STANDARD.encode(&pem)),
                ("its base64 alone", bare.clone()),
                ("its base64 alone, in quotes", format!("\"{bare}\"\n")),
            ] {
                check(&text, &format!("{label}: {what}"));
            }
        }
    }

    /// The contents of what stands in a DER structure, one after the other.
    fn parts(der: &[u8]) -> Vec<&[u8]> {
        let (mut rest, mut parts) = (der, Vec::new());
        while let [_, first, after @ ..] = rest {
            let more = if *first < 0x80 { 0 } else { usize::from(first & 0x7f) };
            let length = match more {
                0 => usize::from(*first),
                more => after[..more].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            };
            parts.push(&after[more..more + length]);
            rest = &after[more + length..];
        }
        parts
    }

    fn jwk_rsa(pkcs1: &[u8]) -> serde_json::Value {
        let numbers = parts(parts(pkcs1)[0]);
        let mut jwk =
            serde_json::json!({ "kty": "RSA", "kid": "a key", "use": "sig", "alg": "RS384" });
        for (name, number) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"].iter().zip(&numbers[1..])
        {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            jwk[name] = BASE64_URL_SAFE_NO_PAD.encode(&number[zeros..]).into();
        }
        jwk
    }

    /// RFC 7517: by itself, in a set, in quotes, over several lines, in base64; each signs as the same
    /// key in PEM does.
    #[test]
    fn a_jwk_signs_as_the_same_key_in_pem() {
        let (rsa, pkcs1) = rsa();
        let jwk = jwk_rsa(&pkcs1);
        let public = serde_json::json!({ "kty": "RSA", "n": jwk["n"], "e": jwk["e"] });
        let padded = jwk.to_string().replace("-", "+").replace("_", "/").replace("a+key", "a key");
        let expected = read(&framed("PRIVATE KEY", &rsa)).unwrap().sign_rs384(b"x").unwrap();
        for (what, text) in [
            ("alone", jwk.to_string()),
            ("over lines", format!("\u{feff}{jwk:#}\r\n")),
            ("in quotes", format!("'{jwk}'")),
            ("escaped", format!("\"{}\"", jwk.to_string().replace('"', "\\\""))),
            ("of a set", serde_json::json!({ "keys": [public, jwk] }).to_string()),
            ("ordinary base64", padded),
            ("base64 of it all", BASE64_STANDARD.encode(jwk.to_string())),
        ] {
            let key = read(&text).unwrap_or_else(|trouble| panic!("{what}: {trouble}"));
            assert_eq!(key.sign_rs384(b"x").as_ref(), Some(&expected), "{what}");
        }
        let both = serde_json::json!({ "keys": [jwk, jwk] }).to_string();
        assert!(read(&both).err().unwrap().contains("several private keys"));
        let ed25519 = ed25519();
        let own = &ed25519[16..48];
        let jwk = serde_json::json!({ "kty": "OKP", "crv": "Ed25519",
            "d": BASE64_URL_SAFE_NO_PAD.encode(own) });
        let expected = read(&framed("PRIVATE KEY", &ed25519)).unwrap().sign(b"x");
        assert_eq!(read(&jwk.to_string()).unwrap().sign(b"x"), expected);
    }

    #[test]
    fn a_jwk_of_a_curve_is_the_same_key() {
        use aws_lc_rs::signature::KeyPair as _;
        for (curve, name) in [
            (&ECDSA_P256_SHA256_ASN1_SIGNING, "P-256"),
            (&ECDSA_P256K1_SHA256_ASN1_SIGNING, "secp256k1"),
        ] {
            let (pkcs8, sec1) = ec(curve);
            let own = parts(parts(&sec1)[0])[1];
            for own in [own.to_vec(), [&[0], own].concat()] {
                let jwk = serde_json::json!({ "kty": "EC", "crv": name,
                    "d": BASE64_URL_SAFE_NO_PAD.encode(own) });
                let PrivateKey::Ecdsa(key) = read(&jwk.to_string()).unwrap() else {
                    panic!("{name}")
                };
                let same = EcdsaKeyPair::from_pkcs8(curve, &pkcs8).unwrap();
                assert_eq!(key.public_key().as_ref(), same.public_key().as_ref(), "{name}");
            }
        }
    }

    #[test]
    fn what_is_no_key_that_signs_here_is_named_as_what_it_is() {
        let ed25519 = ed25519();
        let good = framed("PRIVATE KEY", &ed25519);
        let (p384, p384_sec1) = ec(&ECDSA_P384_SHA384_ASN1_SIGNING);
        let of = |id: &str| {
            // An algorithm's identifier, and a key of zeros.
            let mut der = b"\x30\x26\x02\x01\x00\x30".to_vec();
            let id: Vec<u8> = (0..id.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap())
                .collect();
            der.push(u8::try_from(id.len()).unwrap());
            der.extend(id);
            der.extend([4; 40]);
            framed("PRIVATE KEY", &der)
        };
        let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
        let relabelled = |label: &str| good.replace("PRIVATE KEY", label);
        for (text, part) in [
            (
                framed("PRIVATE KEY", &p384),
                "is a P-384 key; keys that sign here are Ed25519, P-256",
            ),
            (framed("EC PRIVATE KEY", &p384_sec1), "is a P-384 key"),
            (of("06052b81040023"), "is a P-521 key"),
            (of("06032b6571"), "an Ed448 key"),
            (of("06032b656e"), "an X25519 key"),
            (of("06092a864886f70d01010a"), "for PSS alone"),
            (relabelled("OPENSSH PRIVATE KEY"), "ssh-keygen -p -N '' -m PKCS8"),
            (relabelled("PUBLIC KEY"), "the public half"),
            (relabelled("RSA PUBLIC KEY"), "the public half"),
            (relabelled("CERTIFICATE"), "is a certificate"),
            (relabelled("CERTIFICATE REQUEST"), "is a request for a certificate"),
            (relabelled("ENCRYPTED PRIVATE KEY"), "openssl pkey"),
            (relabelled("DSA PRIVATE KEY"), "a DSA key"),
            (relabelled("EC PARAMETERS"), "parameters of a curve"),
            (relabelled("PGP PRIVATE KEY BLOCK"), "a PGP key"),
            (relabelled("X509 CRL"), "of something else"),
            (good.replacen('\n', &format!("\n{old}"), 1), "openssl pkey"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada@example.com".to_owned(), "the public half"),
            ("ecdsa-sha2-nistp256 AAAA ada".to_owned(), "the public half"),
            ("PuTTY-User-Key-File-3: ssh-ed25519".to_owned(), "puttygen"),
            (r#"{"kty":"OKP","crv":"Ed25519","d":"AA"}"#.to_owned(), "is not a whole private key"),
            (r#"{"kty":"OKP","crv":"X25519","d":"AAAA"}"#.to_owned(), "an X25519 key"),
            (r#"{"kty":"EC","crv":"P-384","d":"AAAA"}"#.to_owned(), "a P-384 key"),
            (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(), "the public half"),
            (r#"{"keys":[{"kty":"RSA","n":"AA","e":"AQAB"}]}"#.to_owned(), "the public half"),
            (r#"{"keys":[]}"#.to_owned(), "the public half"),
            (r#"{"kty":"RSA","n":"AA","e":"AQAB","d":"AA"}"#.to_owned(), "without its primes"),
            (r#"{"kty":"RSA","n":"AA","e":"AQAB","d":"AA","p":"AA"}"#.to_owned(), "missing or garbled"),
            (r#"{"kty":"RSA","n":"A!","e":"AQAB","d":"AA","p":"AA","q":"AA","dp":"AA","dq":"AA","qi":"AA"}"#.to_owned(), "missing or garbled"),
            (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), "a shared secret"),
            (r#"{"kty":"AKP","d":"AAAA"}"#.to_owned(), "a kind that is not known"),
            (r#"{"kty":"RSA","n":"#.to_owned(), "its JSON cannot be read"),
            (good.repeat(2), "several private keys"),
            (good[..good.len() / 2].to_owned(), "between its BEGIN and END lines"),
            (good.replace("-----END PRIVATE KEY-----", ""), "between its BEGIN and END lines"),
            (good.replacen("\nM", "\n!", 1), "between its BEGIN and END lines"),
            (framed("PRIVATE KEY", &ed25519[..30]), "is not a whole private key"),
            (String::new(), "-----BEGIN PRIVATE KEY-----"),
            ("hunter2".to_owned(), "-----BEGIN PRIVATE KEY-----"),
            ("/etc/keys/own.pem".to_owned(), "is a path"),
            ("keys/own.pem".to_owned(), "is a path"),
            (BASE64_STANDARD.encode([7; 64]), "-----BEGIN PRIVATE KEY-----"),
        ] {
            let trouble = read(&text).err().unwrap_or_default();
            assert!(trouble.starts_with("KEY ") && trouble.contains(part), "{part}: {trouble}");
        }
    }
}
