//! Private keys from PEM, and the two signatures vendors ask for.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaEncoding,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;

use super::AuthError;
use crate::secret::expose;

pub(super) enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// Reads a PEM document (PKCS#8; also PKCS#1 for RSA). `name` says whose it is in messages,
    /// which never repeat any of it.
    pub(super) fn from_pem(name: &str, pem: &SecretString) -> Result<Self, AuthError> {
        // An environment file cannot hold line ends, so many tools write them as `\n`.
        let text = expose(pem).replace("\\n", "\n");
        let unusable = |trouble| AuthError::Unusable(format!("{name} {trouble}"));
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| unusable(trouble_with(&text)))?;
        Self::from_der(&key).ok_or_else(|| {
            unusable(if matches!(key, PrivateKeyDer::Sec1(_)) {
                "is in SEC1 form; `openssl pkcs8 -topk8 -nocrypt` writes it as PKCS#8"
            } else {
                "is not a whole Ed25519, P-256, secp256k1 or RSA (2048 bits or more) private key"
            })
        })
    }

    fn from_der(key: &PrivateKeyDer<'_>) -> Option<Self> {
        let pkcs8 = match key {
            PrivateKeyDer::Pkcs8(key) => key.secret_pkcs8_der(),
            PrivateKeyDer::Pkcs1(key) => {
                return RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(Self::Rsa);
            }
            _ => return None,
        };
        let ecdsa = |curve| EcdsaKeyPair::from_pkcs8(curve, pkcs8).ok().map(Self::Ecdsa);
        // OpenSSL writes Ed25519 keys without the public half, hence `maybe_unchecked`.
        let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok().map(Self::Ed25519);
        ed25519
            .or_else(|| ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING))
            .or_else(|| ecdsa(&ECDSA_P256K1_SHA256_ASN1_SIGNING))
            .or_else(|| RsaKeyPair::from_pkcs8(pkcs8).ok().map(Self::Rsa))
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

/// Why no private key was found in a text.
fn trouble_with(text: &str) -> &'static str {
    if text.contains("ENCRYPTED") {
        "is under a passphrase, which nobody is there to type; `openssl pkey -in KEY -out PLAIN` \
         writes it without"
    } else if text.contains("BEGIN PUBLIC KEY") || text.contains("BEGIN CERTIFICATE") {
        "is the public half: the private key is needed"
    } else if text.contains("-----BEGIN ") {
        "is not a whole private key in PEM form: something between its BEGIN and END lines is \
         missing or garbled"
    } else {
        "is not a private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----"
    }
}

fn sign_rsa(key: &RsaKeyPair, kind: &'static dyn RsaEncoding, message: &[u8]) -> Option<Vec<u8>> {
    let mut made = vec![0; key.public_modulus_len()];
    key.sign(kind, &SystemRandom::new(), message, &mut made).ok()?;
    Some(made)
}
