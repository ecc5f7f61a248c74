//! Whose signature approves a request.
//!
//! A file of names and Ed25519 public keys, one a line. A signature is under the question as the
//! approver read it, with its receipt, its digest and the time. Whoever carries the change out puts
//! what would really happen next to it: a ledger that somebody wrote into approves nothing.

pub mod key;

use std::path::Path;

use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::failure::Failure;

/// Names and the public keys that speak for them; never none.
pub struct Approvers(Vec<Approver>);

struct Approver {
    name: String,
    key: [u8; ED25519_PUBLIC_KEY_LEN],
}

/// What an approver puts a signature under.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    pub receipt: &'a str,
    pub digest: &'a str,
    /// As the approver read it.
    pub question: &'a str,
    pub time: Timestamp,
}

/// A signature, as the ledger keeps it beside its approver's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub key: String,
    pub time: Timestamp,
    pub signature: String,
}

impl Proof {
    /// Whether it is a signature of its own key, whoever's that is, under this statement.
    pub fn holds(&self, statement: &Statement<'_>) -> bool {
        let [key, signature] = [&self.key, &self.signature].map(|text| STANDARD.decode(text));
        match (key, signature) {
            (Ok(key), Ok(signature)) => {
                UnparsedPublicKey::new(&ED25519, key).verify(&statement.bytes(), &signature).is_ok()
            }
            _ => false,
        }
    }
}

/// What sets a signature apart from those of the same key for something else.
const PURPOSE: &str = "grantor approval 1";
const FORM: &str = "a line is a name and a public key, as `grantor requests key` prints it";

impl Approvers {
    /// # Errors
    /// The file cannot be read, others may write it, or a line of it is no approver.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let mut file = crate::input::open(path)
            .map_err(|error| format!("{shown}: {error}; name a file that can be read: {FORM}"))?;
        if crate::owner_only::writable_by_others(&file) {
            return Err(format!(
                "{shown} says who may approve and can be written by others; run: \
                 chmod go-w '{shown}'"
            ));
        }
        let read = crate::input::rest(&mut file).and_then(|bytes| crate::input::source(&bytes));
        let text = read.map_err(|error| format!("{shown}: {error}"))?;
        Self::parse(&text).map_err(|trouble| format!("{shown}{trouble}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut approvers = Vec::<Approver>::new();
        // Some editors end lines with a carriage return alone, and a comment ends there too.
        for (number, line) in (1..).zip(text.replace("\r\n", "\n").split(['\n', '\r'])) {
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if line.is_empty() {
                continue;
            }
            let mistake = |text: &str| format!(", line {number}: {text}");
            let approver = Approver::parse(line).map_err(|text| mistake(&text))?;
            if approvers.iter().any(|known| known.name == approver.name) {
                return Err(mistake(&format!("{} is there twice: keep one", approver.name)));
            }
            if let Some(known) = approvers.iter().find(|known| known.key == approver.key) {
                return Err(mistake(&format!("this is the key of {} already", known.name)));
            }
            approvers.push(approver);
        }
        if approvers.is_empty() {
            return Err(format!(": it names nobody, so nothing could be approved; {FORM}"));
        }
        Ok(Self(approvers))
    }

    /// The approver whose key this is.
    pub fn named(&self, key: &str) -> Option<&str> {
        let approver = self.0.iter().find(|known| STANDARD.encode(known.key) == key);
        approver.map(|approver| approver.name.as_str())
    }

    /// The names of all who approve.
    pub fn all(&self) -> Vec<&str> {
        self.0.iter().map(|known| known.name.as_str()).collect()
    }

    /// Whether somebody of that name approves.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.name == name)
    }

    /// # Errors
    /// The name is not listed, or its key did not make this signature under this statement.
    pub fn verify(
        &self,
        statement: &Statement<'_>,
        name: &str,
        signature: &str,
    ) -> Result<(), Failure> {
        let approver = self.0.iter().find(|known| known.name == name).ok_or_else(|| {
            Failure::refused(format!("{name} is not one of the approvers"))
                .hint("an administrator adds them to the file of GRANTOR_APPROVERS")
        })?;
        let signature = STANDARD.decode(signature).unwrap_or_default();
        let key = UnparsedPublicKey::new(&ED25519, approver.key);
        key.verify(&statement.bytes(), &signature).map_err(|_| {
            Failure::refused(format!("{name} did not sign what would happen now"))
                .hint("call again: the approver is asked anew")
        })
    }
}

impl Approver {
    fn parse(line: &str) -> Result<Self, String> {
        let [name, key] = <[&str; 2]>::try_from(line.split_whitespace().collect::<Vec<_>>())
            .map_err(|_| FORM.to_owned())?;
        if !is_name(name) {
            return Err(format!("{name:?} is no name: it is made of {NAME}"));
        }
        let key = STANDARD.decode(key).ok().and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| {
            format!("the key of {name} is not the base64 of an Ed25519 public key (32 bytes)")
        })?;
        Ok(Self { name: name.to_owned(), key })
    }
}

/// What the name of an approver is made of, in words.
pub const NAME: &str = "letters, digits and . _ - + @";

/// Whether somebody may be called so in a file of approvers.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    !name.is_empty() && name.chars().all(fits)
}

impl Statement<'_> {
    fn bytes(&self) -> Vec<u8> {
        let Self { receipt, digest, question, time } = self;
        json!([PURPOSE, receipt, digest, question, time.to_string()]).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::key::ApproverKey;
    use super::*;

    fn statement() -> Statement<'static> {
        Statement {
            receipt: "gr-one",
            digest: "d1",
            question: "May Sam?",
            time: Timestamp::UNIX_EPOCH,
        }
    }

    fn approvers(keys: &[(&str, &ApproverKey)]) -> Approvers {
        let line = |(name, key): &(&str, &ApproverKey)| format!("{name} {}\n", key.public());
        Approvers::parse(&keys.iter().map(line).collect::<String>()).unwrap()
    }

    #[test]
    fn a_signature_holds_for_its_statement_alone() {
        let key = ApproverKey::generate().unwrap();
        let approvers = approvers(&[("ada", &key)]);
        let signature = key.sign(&statement()).unwrap();
        approvers.verify(&statement(), "ada", &signature).unwrap();
        for other in [
            Statement { receipt: "gr-two", ..statement() },
            Statement { digest: "d2", ..statement() },
            Statement { question: "May Sam, please?", ..statement() },
            Statement {
                time: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1),
                ..statement()
            },
            // The same characters, cut elsewhere.
            Statement { receipt: "gr-oned", digest: "1", ..statement() },
        ] {
            let refused = approvers.verify(&other, "ada", &signature).unwrap_err();
            assert!(refused.message.contains("did not sign"), "{other:?}: {refused}");
        }
        for broken in ["", "AAAA", "not base64", &signature[4..]] {
            assert!(approvers.verify(&statement(), "ada", broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_key_speaks_for_its_own_name_alone() {
        let (ada, eve) = (ApproverKey::generate().unwrap(), ApproverKey::generate().unwrap());
        let two = approvers(&[("ada", &ada), ("eve", &eve)]);
        let signature = eve.sign(&statement()).unwrap();
        assert!(two.verify(&statement(), "eve", &signature).is_ok());
        assert!(two.verify(&statement(), "ada", &signature).is_err());
        let one = approvers(&[("ada", &ada)]);
        let refused = one.verify(&statement(), "eve", &signature).unwrap_err();
        assert!(refused.message.contains("not one of the approvers"), "{refused}");
        assert_eq!((one.named(&ada.public()), one.named(&eve.public())), (Some("ada"), None));
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let key = STANDARD.encode([7; 32]);
        let good = format!("# who may\n\nada {key} # since spring\n");
        assert!(Approvers::parse(&good).is_ok());
        let other = STANDARD.encode([8; 32]);
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("# who may{end}ada {key} # since spring{end}bob {other}{end}");
            assert_eq!(Approvers::parse(&text).unwrap().0.len(), 2, "{end:?}");
            let mistake = Approvers::parse(&format!("{text}eve{end}")).err().unwrap();
            assert!(mistake.contains("line 4: a line is"), "{end:?}: {mistake}");
        }
        for (text, says) in [
            (String::new(), "names nobody"),
            ("# ada\n".to_owned(), "names nobody"),
            (format!("{good}bob\n"), ", line 4: a line is a name and a public key"),
            (format!("{good}bob {key} x\n"), ", line 4: a line is"),
            (format!("{good}bob {}\n", &key[1..]), ", line 4: the key of bob"),
            (format!("{good}bob {}\n", STANDARD.encode([8; 31])), "line 4: the key of bob"),
            (format!("{good}b/b {}\n", STANDARD.encode([8; 32])), "line 4: \"b/b\" is no name"),
            (format!("{good}ada {}\n", STANDARD.encode([8; 32])), "line 4: ada is there twice"),
            (format!("{good}bob {key}\n"), "line 4: this is the key of ada"),
        ] {
            let mistake = Approvers::parse(&text).err().unwrap_or_default();
            assert!(mistake.contains(says), "{text:?}: {mistake}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_others_may_write_names_nobody() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("ada {}\n", STANDARD.encode([7; 32]))).unwrap();
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), permissions).unwrap();
            assert_eq!(Approvers::load(file.path()).is_ok(), trusted, "{mode:o}");
        }
    }
}
