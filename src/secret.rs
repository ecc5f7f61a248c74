//! Where a secret comes from, and why it never prints.
//!
//! A [`Secret`] knows its name and its source; the value is read when it is first needed and lives
//! in a type whose `Debug` says `[REDACTED]`. Files and commands are read again after a 401.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::RwLock;

use crate::text;

pub struct Secret {
    /// The variable that names it, for messages.
    name: String,
    origin: Origin,
    value: RwLock<Option<SecretString>>,
}

/// Where the value is.
pub enum Origin {
    Inline(SecretString),
    File(PathBuf),
    Command(Vec<String>),
}

/// Why a secret could not be read; never with any of its content.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name}: {trouble}")]
pub struct SecretError {
    name: String,
    trouble: String,
}

const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

impl Secret {
    pub fn new(name: impl Into<String>, origin: Origin) -> Self {
        Self { name: name.into(), origin, value: RwLock::new(None) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, read on first use.
    ///
    /// # Errors
    /// The file cannot be read, the command fails, or either is empty.
    pub async fn read(&self) -> Result<SecretString, SecretError> {
        if let Some(value) = self.value.read().await.as_ref() {
            return Ok(value.clone());
        }
        let mut slot = self.value.write().await;
        if let Some(value) = slot.as_ref() {
            return Ok(value.clone());
        }
        let value = self.fetch().await?;
        Ok(slot.insert(value).clone())
    }

    /// Forgets the value, so that the next use reads the source again.
    pub async fn forget(&self) {
        self.value.write().await.take();
    }

    async fn fetch(&self) -> Result<SecretString, SecretError> {
        let text = match &self.origin {
            Origin::Inline(value) => return Ok(value.clone()),
            Origin::File(path) => tokio::fs::read_to_string(path)
                .await
                .map_err(|error| self.error(format!("{}: {error}", path.display())))?,
            Origin::Command(line) => self.run(line).await?,
        };
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(self.error("is empty"));
        }
        Ok(SecretString::from(trimmed))
    }

    async fn run(&self, line: &[String]) -> Result<String, SecretError> {
        let Some((program, arguments)) = line.split_first() else {
            return Err(self.error("the command is empty"));
        };
        let output = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(COMMAND_TIMEOUT, output)
            .await
            .map_err(|_| self.error(format!("{program} took longer than {COMMAND_TIMEOUT:?}")))?
            .map_err(|error| self.error(format!("{program}: {error}")))?;
        if !output.status.success() {
            return Err(self.error(format!("{program} ended with {}", output.status)));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| self.error(format!("{program} printed text that is not UTF-8")))
    }

    fn error(&self, trouble: impl Into<String>) -> SecretError {
        SecretError { name: self.name.clone(), trouble: trouble.into() }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}

/// The text of a secret, for the one line that puts it on the wire or into a signature.
pub(crate) fn expose(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// What stands in a secret's place.
const REDACTED: &str = "[REDACTED]";
/// A shorter secret may be a word like any other, and a name is not taken apart for it.
const SHORTEST: usize = 8;

/// `text` without these secrets, however an answer may have written them.
pub(crate) fn redact(text: &str, secrets: &[SecretString]) -> String {
    let mut left = text.to_owned();
    for secret in secrets.iter().map(expose).filter(|secret| !secret.is_empty()) {
        left = without(&left, secret);
        // Taking out what cannot be seen must not put a secret together again.
        let seen = text::strip(&left);
        if [unquoted(&seen), unescaped(&seen).into_owned(), seen]
            .iter()
            .any(|seen| seen.contains(secret))
        {
            left = REDACTED.to_owned();
        }
    }
    left
}

/// An answer's body as it is, unless it repeats one of these secrets: then without it.
pub(crate) fn scrub(body: Vec<u8>, secrets: &[SecretString]) -> Vec<u8> {
    let long = |secret: &&SecretString| expose(secret).len() >= SHORTEST;
    let secrets: Vec<_> = secrets.iter().filter(long).cloned().collect();
    let text = String::from_utf8_lossy(&body);
    if redact(&text, &secrets) == text && redact(&unescaped(&text), &secrets) == unescaped(&text) {
        return body;
    }
    match serde_json::from_slice(&body) {
        Ok(mut value) => {
            scrub_value(&mut value, &secrets);
            value.to_string().into_bytes()
        }
        Err(_) => redact(&text, &secrets).into_bytes(),
    }
}

fn scrub_value(value: &mut Value, secrets: &[SecretString]) {
    match value {
        Value::String(text) => *text = redact(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub_value(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|field| scrub_value(field, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn without(text: &str, secret: &str) -> String {
    let percent = text::encode(secret);
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // A message may quote the JSON of a request.
    let json = Value::from(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    let lower = [&percent, &form].map(|form| lower_percent(form));
    let plain = [secret.to_owned(), percent, form, json].into_iter().chain(lower);
    let mut left = text.to_owned();
    for form in plain.chain(in_base64(secret)) {
        if left.contains(&form) {
            left = left.replace(&form, REDACTED);
        }
    }
    left
}

/// The part of base64 that a secret alone decides, wherever in the encoded text it stands.
fn in_base64(secret: &str) -> impl Iterator<Item = String> {
    let at = |before: usize| {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        // Of a character that other bytes have a share in, too little is known.
        let (start, rest) = ([0, 2, 3].get(before).copied(), bytes.len() % 3);
        [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)].map(|all| {
            let end = all.len().saturating_sub(usize::from(rest != 0));
            all.get(start.unwrap_or_default()..end).unwrap_or_default().to_owned()
        })
    };
    (0..3).flat_map(at).filter(|form| form.len() >= SHORTEST)
}

fn lower_percent(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{all}%{}{rest}", code.to_lowercase())
    })
}

/// Percent-encoding undone, however much of the text it was used for.
fn unquoted(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// JSON's escapes undone, as far as a secret may be written with them.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut left = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    left.extend(parts.next());
    while let Some(part) = parts.next() {
        let code = part.strip_prefix('u').and_then(|rest| rest.get(..4));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        match (code.and_then(char::from_u32), part.is_empty()) {
            (Some(c), _) => {
                left.push(c);
                left.push_str(part.get(5..).unwrap_or_default());
            }
            (None, true) => {
                left.push('\\');
                left.extend(parts.next());
            }
            (None, false) => left.push_str(part),
        }
    }
    Cow::Owned(left)
}

/// Whether accounts other than the owner's may read the file.
#[cfg(unix)]
pub(crate) fn readable_by_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn readable_by_others(_: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_again_after_it_is_forgotten() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "first\n").unwrap();
        let secret = Secret::new("X_FILE", Origin::File(file.path().into()));
        assert_eq!(expose(&secret.read().await.unwrap()), "first");
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(expose(&secret.read().await.unwrap()), "first");
        secret.forget().await;
        assert_eq!(expose(&secret.read().await.unwrap()), "second");
    }

    #[tokio::test]
    async fn a_failing_command_says_so_without_its_output() {
        let line = ["sh", "-c", "echo hunter2; exit 3"].map(str::to_owned).to_vec();
        let error = Secret::new("X", Origin::Command(line)).read().await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_echo_is_taken_out_of_a_body_however_it_is_written() {
        let secret = "s3cret/with+\"odd\"=signs é and blanks";
        let secrets = [SecretString::from(secret)];
        let percent = text::encode(secret);
        let mut echoes = vec![secret.to_owned(), lower_percent(&percent), percent];
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        echoes.extend([lower_percent(&form), form]);
        echoes.push(secret.replace("cret", "\u{200b}cret"));
        echoes.push(secret.replace('/', "%2f"));
        echoes.push(Value::from(secret).to_string());
        echoes.push(secret.replace('/', r"\/"));
        for before in ["", "x", "xy"] {
            let bytes = format!("{before}{secret}zz");
            echoes.push(BASE64_STANDARD_NO_PAD.encode(&bytes));
            echoes.push(BASE64_URL_SAFE_NO_PAD.encode(&bytes));
        }
        for echo in echoes {
            let plain = serde_json::json!({ "id": 7, "rows": [{ "name": echo }] }).to_string();
            let ascii = plain.replace('é', "\\u00e9").replace('/', "\\/");
            for body in [plain, ascii] {
                let body = scrub(body.into_bytes(), &secrets);
                let body: Value = serde_json::from_slice(&body).unwrap();
                let name = body["rows"][0]["name"].as_str().unwrap();
                assert!(name.contains(REDACTED), "{echo}: {name}");
                assert_eq!(body["id"], 7);
            }
        }
        let page = scrub(format!("<html>{secret}").into_bytes(), &secrets);
        assert_eq!(page, b"<html>[REDACTED]");
        let harmless = br#"{ "name": "s3cr\u0065t \\ x" }"#.to_vec();
        assert_eq!(scrub(harmless.clone(), &secrets), harmless);
    }

    #[test]
    fn debug_prints_the_name_alone() {
        let secret = Secret::new("DFNS_AUTH_TOKEN", Origin::Inline("hunter2".into()));
        assert_eq!(format!("{secret:?}"), "Secret(DFNS_AUTH_TOKEN)");
    }
}
