//! Private keys as people paste them: what PEM holds, whatever became of its line ends, or a JWK.
//!
//! A shell, an env file, YAML, JSON and a form on a web page each do something else to a text of
//! several lines. Between its first and its last line PEM is base64, in which no blank, line end or
//! quote means anything; so those are left out.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use super::jwk;

/// What is between the first and the last line.
struct Block {
    /// Without blanks.
    label: String,
    /// None where the last line is missing.
    body: Option<Zeroizing<String>>,
}

pub(crate) type Der = Zeroizing<Vec<u8>>;

/// What PEM is called that holds a private key, without blanks.
const PRIVATE: [&str; 3] = ["PRIVATEKEY", "ECPRIVATEKEY", "RSAPRIVATEKEY"];
const SEALED: &str = "ENCRYPTEDPRIVATEKEY";
/// The base64 of `-----BEGIN`.
const BEGIN_TWICE: &str = "LS0tLS1CRUdJT";
const GARBLED: &str = "is not a whole private key in PEM form: something between its BEGIN and END \
                       lines is missing or garbled";
const ENCRYPTED: &str = "is under a passphrase, which nobody is there to type; \
                         `openssl pkey -in KEY -out PLAIN` writes it without";
const OPENSSH: &str = "is in OpenSSH's own form; `ssh-keygen -p -N '' -m PKCS8 -f COPY` writes a copy \
                       of it as PKCS#8, an Ed25519 key from OpenSSH 9.6 on";
const PUTTY: &str = "is in PuTTY's form; `puttygen KEY -O private-openssh -o COPY` and \
                     `ssh-keygen -p -N '' -m PKCS8 -f COPY` write it as PKCS#8";
pub(super) const SEVERAL: &str = "holds several private keys: keep the one that is meant";
pub(super) const PUBLIC: &str = "is the public half: the private key is needed";
const PATH: &str = "is a path, not a private key in PEM form, which begins with -----BEGIN PRIVATE \
                    KEY-----: a path is given in the variable of that name with _FILE behind it";
const LONGEST_PATH: usize = 200;
const NO_PEM: &str =
    "is not a private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----";

/// The private key that a text holds.
///
/// # Errors
/// It holds none that can be read, in words that follow the name of where it comes from; they repeat
/// nothing of it.
pub(crate) fn private_key(text: &str) -> Result<Der, &'static str> {
    let text = plain(text);
    let blocks = blocks(&text);
    if blocks.is_empty() {
        return without_frame(&text);
    }
    let mut private = blocks.iter().filter(|block| PRIVATE.contains(&&*block.label));
    match (private.next(), private.next()) {
        (Some(block), None) => block.decode(),
        (Some(_), Some(_)) => Err(SEVERAL),
        (None, _) => Err(blocks.first().map_or(GARBLED, Block::named)),
    }
}

/// The private key that a text holds under a passphrase, where that is what it holds.
pub(crate) fn sealed_key(text: &str) -> Option<Der> {
    let blocks = blocks(&plain(text));
    match blocks.as_slice() {
        [block] if block.label == SEALED => decode(block.body.as_ref()?),
        _ => None,
    }
}

impl Block {
    fn decode(&self) -> Result<Der, &'static str> {
        let body = self.body.as_ref().ok_or(GARBLED)?;
        if body.contains("Proc-Type:") || body.contains("DEK-Info:") {
            return Err(ENCRYPTED);
        }
        decode(body).ok_or(GARBLED)
    }

    /// What it is, where it is no private key that can be read.
    fn named(&self) -> &'static str {
        match &*self.label {
            SEALED => ENCRYPTED,
            "OPENSSHPRIVATEKEY" => OPENSSH,
            "DSAPRIVATEKEY" => "is a DSA key, and no vendor here takes one",
            "ECPARAMETERS" => "is the parameters of a curve without the key that belongs to them",
            "CERTIFICATE" | "X509CERTIFICATE" | "TRUSTEDCERTIFICATE" => {
                "is a certificate, which holds the public half: the private key is needed"
            }
            "CERTIFICATEREQUEST" | "NEWCERTIFICATEREQUEST" => {
                "is a request for a certificate, which holds the public half: the private key is needed"
            }
            label if label.starts_with("PGP") => "is a PGP key, and no vendor here takes one",
            label if label.ends_with("PUBLICKEY") => PUBLIC,
            _ => "is PEM, but of something else than a private key",
        }
    }
}

/// The text with what some tools write for line ends and dashes, and without what nobody sees.
fn plain(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // `\n`, and `\\n` where it was written out twice.
            '\\' => {
                while rest.next_if_eq(&'\\').is_some() {}
                if rest.next_if(|next| ['n', 'r', 't'].contains(next)).is_some() {
                    plain.push('\n');
                }
            }
            '–' | '—' => plain.push_str("--"),
            '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' => {}
            c => plain.push(c),
        }
    }
    plain
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-BEGIN") {
        let Some((label, inside)) = begun.split_once('-') else { break };
        let label = label.split_whitespace().collect();
        let (body, after) = match inside.split_once("-END") {
            Some((body, after)) if !body.contains("-BEGIN") => {
                (Some(Zeroizing::new(body.to_owned())), after)
            }
            _ => (None, inside),
        };
        blocks.push(Block { label, body });
        rest = after;
    }
    blocks
}

/// A key that stands there without its first and last line; or what it is instead.
fn without_frame(text: &str) -> Result<Der, &'static str> {
    let text = text.trim().trim_matches(['"', '\'', '`']).trim();
    let is_kind = |kinds: &[&str]| kinds.iter().any(|kind| text.starts_with(kind));
    if text.starts_with('{') {
        return jwk::private_key(text);
    }
    if is_kind(&["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "---- BEGIN SSH2 PUBLIC KEY"]) {
        return Err(PUBLIC);
    }
    if is_kind(&["PuTTY-User-Key-File-"]) {
        return Err(PUTTY);
    }
    let is_path =
        text.starts_with(['/', '~', '.']) || text.ends_with(".pem") || text.ends_with(".key");
    if is_path && text.len() < LONGEST_PATH && !text.contains(['\n', '=']) {
        return Err(PATH);
    }
    let bytes = decode(text).ok_or(NO_PEM)?;
    if text.starts_with(BEGIN_TWICE) {
        // PEM that was put into base64 as a whole, so that it is one line.
        let inner = std::str::from_utf8(&bytes).map_err(|_| GARBLED)?;
        let inner = plain(inner);
        return match blocks(&inner).is_empty() {
            true => Err(GARBLED),
            false => private_key(&inner),
        };
    }
    if bytes.starts_with(b"{") {
        return jwk::private_key(std::str::from_utf8(&bytes).map_err(|_| NO_PEM)?);
    }
    // A structure of DER, and no word that happens to be base64.
    if bytes.len() > 32 && bytes.first() == Some(&0x30) { Ok(bytes) } else { Err(NO_PEM) }
}

/// Base64 with whatever stands between its characters and is none of them.
fn decode(text: &str) -> Option<Der> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let between = |c: char| c.is_whitespace() || "-\"'`“”‘’,\\".contains(c);
    let kept: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !between(*c)).collect());
    ENGINE.decode(kept.as_bytes()).ok().filter(|bytes| !bytes.is_empty()).map(Zeroizing::new)
}
