//! The credentials of a sandbox: made at its first start, never part of the program.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1,
    ECDSA_P256K1_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use crate::owner_only;

/// The kind of key Dfns has registered for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Ed25519,
    P256,
    Secp256k1,
    Rsa,
}

pub(super) struct Keys {
    pub secrets: Secrets,
    pub dfns: SigningKey,
    pub redox: SigningKey,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub outsystems: String,
    pub dfns: String,
    pub snaplogic: String,
    pub snaplogic_bearer: String,
    pub centrasite: String,
}

/// A key the client signs with and a fake verifies with.
pub(super) struct SigningKey {
    pub pem: Pem,
    pub public: PublicKey,
}

/// Where the client finds its private key.
#[derive(Clone)]
pub(super) enum Pem {
    Inline(String),
    File(PathBuf),
}

pub(super) type PublicKey = UnparsedPublicKey<Vec<u8>>;

impl Keys {
    /// Those in the directory, making what is missing; without a directory, fresh ones.
    pub fn open(directory: Option<&Path>, dfns: KeyKind) -> io::Result<Keys> {
        let Some(directory) = directory else {
            return Keys::in_memory(dfns);
        };
        let secrets_file = directory.join("secrets.json");
        let secrets = match read(&secrets_file)? {
            Some(bytes) => serde_json::from_slice(&bytes)?,
            None => {
                let secrets = Secrets::new()?;
                owner_only::write(&secrets_file, &serde_json::to_vec_pretty(&secrets)?)?;
                secrets
            }
        };
        Ok(Keys {
            secrets,
            dfns: SigningKey::open(directory.join("dfns.pem"), dfns, public_key)?,
            redox: SigningKey::open(directory.join("redox.pem"), KeyKind::Rsa, rs384)?,
        })
    }

    fn in_memory(dfns: KeyKind) -> io::Result<Keys> {
        // An RSA key takes long to make, and one a process is enough.
        static RSA: OnceLock<String> = OnceLock::new();
        let rsa = match RSA.get() {
            Some(pem) => pem,
            None => {
                let pem = generate(KeyKind::Rsa)?;
                RSA.get_or_init(|| pem)
            }
        };
        let dfns = match dfns {
            KeyKind::Rsa => rsa.clone(),
            kind => generate(kind)?,
        };
        Ok(Keys {
            secrets: Secrets::new()?,
            dfns: SigningKey { public: public_key(&dfns)?, pem: Pem::Inline(dfns) },
            redox: SigningKey { public: rs384(rsa)?, pem: Pem::Inline(rsa.clone()) },
        })
    }
}

impl Secrets {
    fn new() -> io::Result<Secrets> {
        Ok(Secrets {
            outsystems: random_text(32)?,
            dfns: random_text(32)?,
            snaplogic: random_text(18)?,
            snaplogic_bearer: random_text(48)?,
            centrasite: random_text(18)?,
        })
    }
}

impl SigningKey {
    /// A key already in the file stays, whatever its kind.
    fn open(
        file: PathBuf,
        kind: KeyKind,
        public: fn(&str) -> io::Result<PublicKey>,
    ) -> io::Result<SigningKey> {
        let pem = match read(&file)? {
            Some(bytes) => String::from_utf8(bytes).map_err(invalid)?,
            None => {
                let pem = generate(kind)?;
                owner_only::write(&file, pem.as_bytes())?;
                pem
            }
        };
        let public = public(&pem).map_err(|error| {
            let path = file.display();
            let told = format!("{path}, a key of the sandbox: {error}; remove it, and one is made");
            io::Error::new(error.kind(), told)
        })?;
        let pem = Pem::File(file);
        Ok(SigningKey { pem, public })
    }

    /// As vendors show a registered key.
    pub fn public_pem(&self) -> String {
        let parsed = self.public.parse().ok();
        let der = parsed.and_then(|key| AsDer::<PublicKeyX509Der<'_>>::as_der(&key).ok());
        der.map(|der| pem("PUBLIC KEY", der.as_ref())).unwrap_or_default()
    }
}

/// Random text that needs no encoding anywhere.
pub(super) fn random_text(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

/// PKCS#8, version 1, as OpenSSL writes it.
fn generate(kind: KeyKind) -> io::Result<String> {
    let made = match kind {
        KeyKind::Ed25519 => Ed25519KeyPair::generate()
            .and_then(|pair| pair.to_pkcs8v1())
            .map(|der| der.as_ref().to_vec()),
        KeyKind::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyKind::Secp256k1 => ecdsa(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
        KeyKind::Rsa => rsa::KeyPair::generate(KeySize::Rsa2048)
            .and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair))
            .map(|der| der.as_ref().to_vec()),
    };
    let der = made.map_err(|_| io::Error::other("the key could not be made"))?;
    Ok(pem("PRIVATE KEY", &der))
}

fn ecdsa(curve: &'static EcdsaSigningAlgorithm) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let pair = EcdsaKeyPair::generate(curve)?;
    Ok(pair.to_pkcs8v1()?.as_ref().to_vec())
}

/// With the algorithm Dfns uses for a key of this kind, whichever of the four it is.
fn public_key(pem: &str) -> io::Result<PublicKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(invalid)?;
    let der = der.secret_pkcs8_der();
    let curves: [(_, &'static dyn VerificationAlgorithm); 2] = [
        (&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1),
        (&ECDSA_P256K1_SHA256_ASN1_SIGNING, &ECDSA_P256K1_SHA256_ASN1),
    ];
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
        return Ok(registered(&ED25519, &pair));
    }
    for (signing, verification) in curves {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(signing, der) {
            return Ok(registered(verification, &pair));
        }
    }
    let unknown = "is no PKCS#8 key of a kind that is registered here: Ed25519, P-256, secp256k1, or RSA \
                   of 2048 bits or more";
    let pair = rsa::KeyPair::from_pkcs8(der).map_err(|_| invalid(unknown))?;
    Ok(registered(&RSA_PKCS1_2048_8192_SHA256, &pair))
}

fn rs384(pem: &str) -> io::Result<PublicKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(invalid)?;
    let unknown = "is no PKCS#8 RSA key of 2048 bits or more, which RS384 takes";
    let pair = rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| invalid(unknown))?;
    Ok(registered(&RSA_PKCS1_2048_8192_SHA384, &pair))
}

fn registered(algorithm: &'static dyn VerificationAlgorithm, pair: &impl KeyPair) -> PublicKey {
    UnparsedPublicKey::new(algorithm, pair.public_key().as_ref().to_vec())
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, letter) in encoded.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text + &format!("\n-----END {label}-----\n")
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_is_read_back_as_what_it_is() {
        for (kind, length) in [
            (KeyKind::Ed25519, 32..=32),
            (KeyKind::P256, 65..=65),
            (KeyKind::Secp256k1, 65..=65),
            (KeyKind::Rsa, 260..=280),
        ] {
            let pem = generate(kind).unwrap();
            assert!(pem.lines().all(|line| line.len() <= 64), "{kind:?}");
            let key = public_key(&pem).unwrap();
            assert!(length.contains(&key.as_ref().len()), "{kind:?}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_named_with_what_there_is() {
        let directory = tempfile::tempdir().unwrap();
        Keys::open(Some(directory.path()), KeyKind::Ed25519).unwrap();
        let other = ecdsa(&aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        let other = pem("PRIVATE KEY", &other);
        for (file, words) in
            [("dfns.pem", "Ed25519, P-256, secp256k1, or RSA"), ("redox.pem", "RSA")]
        {
            let path = directory.path().join(file);
            let known = std::fs::read(&path).unwrap();
            std::fs::write(&path, &other).unwrap();
            let opened = Keys::open(Some(directory.path()), KeyKind::Ed25519);
            let error = opened.err().unwrap().to_string();
            assert!(error.contains(file) && error.contains(words), "{error}");
            std::fs::write(&path, known).unwrap();
        }
    }

    #[test]
    fn keys_in_a_directory_stay_and_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let first = Keys::open(Some(directory.path()), KeyKind::Ed25519).unwrap();
        let second = Keys::open(Some(directory.path()), KeyKind::P256).unwrap();
        assert_eq!(first.secrets.dfns, second.secrets.dfns);
        assert_eq!(first.dfns.public.as_ref(), second.dfns.public.as_ref());
        assert!(first.redox.public_pem().starts_with("-----BEGIN PUBLIC"));
        #[cfg(unix)]
        for file in ["secrets.json", "dfns.pem", "redox.pem"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(directory.path().join(file)).unwrap();
            assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{file}");
        }
    }
}
