//! Where a secret comes from, and why it never prints.
//!
//! A [`Secret`] knows its name and its source; the value is read when it is first needed and lives
//! in a type whose `Debug` says `[REDACTED]`. Files and commands are read again after a 401.

mod command;
mod echo;
mod runs;
mod stream;

use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::RwLock;

use crate::input;
pub(crate) use echo::{Sought, hide, holds, redact, scrub};
pub(crate) use runs::is_secret;

pub struct Secret {
    /// The variable that names it, for messages.
    name: String,
    origin: SecretSource,
    value: RwLock<Option<SecretString>>,
}

/// Where the value is.
pub enum SecretSource {
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

impl Secret {
    pub fn new(name: impl Into<String>, origin: SecretSource) -> Self {
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

    /// The value as a token that a header carries.
    ///
    /// # Errors
    /// As [`Self::read`], and what is read is no token.
    pub async fn token(&self) -> Result<SecretString, SecretError> {
        let value = self.read().await?;
        let token = input::token(expose(&value)).map(SecretString::from);
        token.map_err(|trouble| self.error(format!("it {trouble}")))
    }

    /// The value where it is known without running anything: what a command prints, once it has run.
    pub async fn known(&self) -> Option<SecretString> {
        match (&self.origin, self.value.read().await.as_ref()) {
            (_, Some(value)) => return Some(value.clone()),
            (SecretSource::Command(_), None) => return None,
            (SecretSource::Inline(_) | SecretSource::File(_), None) => {}
        }
        self.read().await.ok()
    }

    /// Forgets the value, so that the next use reads the source again.
    pub async fn forget(&self) {
        self.value.write().await.take();
    }

    async fn fetch(&self) -> Result<SecretString, SecretError> {
        let (bytes, of) = match &self.origin {
            SecretSource::Inline(value) => return Ok(value.clone()),
            SecretSource::File(path) => {
                let of = path.display().to_string();
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || input::read(&path)).await;
                let bytes = read.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                (bytes.map_err(|error| self.error(format!("{of}: {error}")))?, of)
            }
            SecretSource::Command(line) => self.run(line).await?,
        };
        let bytes = Zeroizing::new(bytes);
        let text = input::text(&bytes).map_err(|trouble| self.error(format!("{of}: {trouble}")))?;
        let text = input::setting(text);
        if text.trim().is_empty() {
            return Err(self.error(format!("{of}: it is empty")));
        }
        match input::unfit(text) {
            Some(trouble) => Err(self.error(format!("what {of} holds {trouble}"))),
            None => Ok(SecretString::from(text)),
        }
    }

    /// What the command prints, and how it is called.
    async fn run(&self, line: &[String]) -> Result<(Vec<u8>, String), SecretError> {
        let Some((program, arguments)) = line.split_first() else {
            return Err(self.error("the command is empty"));
        };
        let printed = command::output(program, arguments).await.map_err(|t| self.error(t))?;
        Ok((printed, format!("the output of {program}")))
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
        let secret = Secret::new("X_FILE", SecretSource::File(file.path().into()));
        assert_eq!(expose(&secret.read().await.unwrap()), "first");
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(expose(&secret.read().await.unwrap()), "first");
        secret.forget().await;
        assert_eq!(expose(&secret.read().await.unwrap()), "second");
    }

    #[tokio::test]
    async fn a_failing_command_says_so_without_its_output() {
        let line = ["sh", "-c", "echo hunter2; exit 3"].map(str::to_owned).to_vec();
        let error =
            Secret::new("X", SecretSource::Command(line)).read().await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn debug_prints_the_name_alone() {
        let secret = Secret::new("DFNS_AUTH_TOKEN", SecretSource::Inline("hunter2".into()));
        assert_eq!(format!("{secret:?}"), "Secret(DFNS_AUTH_TOKEN)");
    }
}
