//! An approver's own key: Ed25519, kept as PKCS#8 under a passphrase.
//!
//! The file is what `openssl genpkey -algorithm ed25519 -aes256` writes, with more rounds; either
//! program reads the other's. The cryptography is aws-lc's, and the `pkcs8` crate only knows the
//! structure.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::pbkdf2;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::der::asn1::OctetString;
use pkcs8::der::pem::LineEnding;
use pkcs8::der::{Decode as _, SecretDocument, pem::PemLabel as _};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{EncryptionScheme as Cipher, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf};
use pkcs8::{EncryptedPrivateKeyInfoOwned, PrivateKeyInfoRef};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::Statement;

/// The private half, open.
pub struct ApproverKey(Ed25519KeyPair);

/// Why a key file cannot be used; never with any of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "is not a private key under a passphrase (PEM, ENCRYPTED PRIVATE KEY); \
         `grantor requests key` makes one"
    )]
    Form,
    #[error(
        "is kept in another way than PBKDF2 with SHA-256 and AES-256-CBC; \
             openssl pkey -aes256 writes it so"
    )]
    Scheme,
    #[error("cannot be opened with this passphrase")]
    Passphrase,
    #[error("is not an Ed25519 key")]
    Kind,
    #[error("cannot be written: there is no randomness")]
    Unmade,
}

/// How often the passphrase is hashed: what OWASP asks of PBKDF2 with SHA-256.
const ROUNDS: u32 = 600_000;
/// What a file may ask for; more would only keep the reader waiting.
const MOST_ROUNDS: u32 = 10_000_000;
const KEY: usize = 32;

impl ApproverKey {
    /// # Errors
    /// There is no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Ed25519KeyPair::generate().map(Self).map_err(|_| KeyError::Unmade)
    }

    /// Opens a PEM file.
    ///
    /// # Errors
    /// It is something else, or the passphrase is another.
    pub fn open(pem: &str, passphrase: &SecretString) -> Result<Self, KeyError> {
        let file = crate::input::pem::sealed_key(pem).ok_or(KeyError::Form)?;
        let file = EncryptedPrivateKeyInfoOwned::from_der(&file).map_err(|_| KeyError::Form)?;
        let EncryptionScheme::Pbes2(scheme) = &file.encryption_algorithm else {
            return Err(KeyError::Scheme);
        };
        let (Kdf::Pbkdf2(kdf), Cipher::Aes256Cbc { iv }) = (&scheme.kdf, &scheme.encryption) else {
            return Err(KeyError::Scheme);
        };
        let mut bytes = Zeroizing::new(file.encrypted_data.into_bytes().into_vec());
        let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(derived(kdf, passphrase)?)
            .map_err(|_| KeyError::Scheme)?;
        let context = DecryptionContext::Iv128(iv.into());
        let der = cipher.decrypt(&mut bytes, context).map_err(|_| KeyError::Passphrase)?;
        // A wrong passphrase seldom leaves a padding that fits, and then no key.
        PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Passphrase)?;
        // OpenSSL leaves the public half out, hence `maybe_unchecked`.
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Kind)?;
        Ok(Self(key))
    }

    /// The key under a passphrase, as PEM.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn sealed(&self, passphrase: &SecretString) -> Result<String, KeyError> {
        let unmade = |_| KeyError::Unmade;
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        aws_lc_rs::rand::fill(&mut salt).map_err(unmade)?;
        aws_lc_rs::rand::fill(&mut iv).map_err(unmade)?;
        let kdf = Pbkdf2Params::hmac_sha256(ROUNDS, &salt).map_err(|_| KeyError::Unmade)?;
        let cipher =
            PaddedBlockEncryptingKey::cbc_pkcs7(derived(&kdf, passphrase)?).map_err(unmade)?;
        let mut bytes = Zeroizing::new(self.0.to_pkcs8v1().map_err(unmade)?.as_ref().to_vec());
        let context = EncryptionContext::Iv128((&iv).into());
        cipher.less_safe_encrypt(&mut *bytes, context).map_err(unmade)?;
        let scheme = Parameters { kdf: kdf.into(), encryption: Cipher::Aes256Cbc { iv } };
        let written = |_| KeyError::Unmade;
        let file = EncryptedPrivateKeyInfoOwned {
            encryption_algorithm: scheme.into(),
            encrypted_data: OctetString::new(bytes.to_vec()).map_err(written)?,
        };
        let file = SecretDocument::encode_msg(&file).map_err(written)?;
        let pem = file.to_pem(EncryptedPrivateKeyInfoOwned::PEM_LABEL, LineEnding::LF);
        pem.map(|pem| pem.to_string()).map_err(|_| KeyError::Unmade)
    }

    /// The public half, as a file of approvers has it.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    /// # Errors
    /// The key cannot sign.
    pub fn sign(&self, statement: &Statement<'_>) -> Result<String, KeyError> {
        let signature = self.0.try_sign(&statement.bytes()).map_err(|_| KeyError::Kind)?;
        Ok(STANDARD.encode(signature))
    }
}

/// The key that a passphrase stands for.
fn derived(kdf: &Pbkdf2Params, passphrase: &SecretString) -> Result<UnboundCipherKey, KeyError> {
    let rounds = NonZeroU32::new(kdf.iteration_count)
        .filter(|rounds| rounds.get() <= MOST_ROUNDS && kdf.prf == Pbkdf2Prf::HmacWithSha256)
        .ok_or(KeyError::Scheme)?;
    let mut key = Zeroizing::new([0; KEY]);
    let passphrase = passphrase.expose_secret().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, kdf.salt.as_ref(), passphrase, &mut *key);
    UnboundCipherKey::new(&AES_256, &*key).map_err(|_| KeyError::Scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_opened_by_its_passphrase_alone() {
        let key = ApproverKey::generate().unwrap();
        let pem = key.sealed(&"correct horse battery".into()).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let again = ApproverKey::open(&pem, &"correct horse battery".into()).unwrap();
        assert_eq!(again.public(), key.public());
        for wrong in ["correct horse batterz", "", "correct horse battery "] {
            let opened = ApproverKey::open(&pem, &wrong.into());
            assert_eq!(opened.err(), Some(KeyError::Passphrase), "{wrong:?}");
        }
    }

    #[test]
    fn whatever_became_of_its_line_ends_it_opens() {
        let key = ApproverKey::generate().unwrap();
        let pem = key.sealed(&"correct horse battery".into()).unwrap();
        for text in [pem.replace('\n', "\r\n"), pem.replace('\n', " "), format!("\u{feff}  {pem}")]
        {
            let again = ApproverKey::open(&text, &"correct horse battery".into()).unwrap();
            assert_eq!(again.public(), key.public(), "{text}");
        }
    }

    #[test]
    fn two_files_of_one_key_share_nothing() {
        let key = ApproverKey::generate().unwrap();
        let sealed = || key.sealed(&"correct horse battery".into()).unwrap();
        assert_ne!(sealed(), sealed());
    }

    /// A key that anybody can use who can read its file signs nothing.
    #[test]
    fn a_file_without_a_passphrase_is_refused() {
        let der = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        let der = SecretDocument::try_from(der.as_ref()).unwrap();
        let open = der.to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
        for pem in [open.as_str(), "", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"] {
            let opened = ApproverKey::open(pem, &"correct horse battery".into());
            assert_eq!(opened.err(), Some(KeyError::Form), "{pem}");
        }
    }
}
