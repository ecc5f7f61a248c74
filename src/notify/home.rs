//! Where what one endpoint was told is kept: a file of this machine, or where all replicas see it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};

use crate::failure::{Failure, Kind};
use crate::ledger::{Kept, Ledger};
use crate::text::hex;

/// The place of one endpoint's.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// A file that is replaced at once.
    File(PathBuf),
    /// Where replicas share it, under a seal, and what was read there last: whoever was overtaken writes nothing.
    Shared { kept: Kept, name: String, key: Box<hmac::Key>, known: Option<String> },
}

const FOLDER: &str = "notices";
const KIND: &str = "notices";
/// What the ledger's key is used for here.
const PURPOSE: &str = "notices";
pub(super) const DELETE: &str = "delete it: the endpoint is then told what comes from now on";
/// As good as for ever.
const LASTS: Duration = Duration::from_secs(3650 * 86_400);

impl Home {
    /// # Errors
    /// The ledger's key cannot be read.
    pub(super) async fn of(dir: &Path, name: &str, ledger: &Ledger) -> Result<Self, Failure> {
        let Some(kept) = ledger.kept_by_all() else {
            return Ok(Self::File(dir.join(FOLDER).join(format!("{name}.json"))));
        };
        let secret = ledger.seal(PURPOSE, name.as_bytes()).await?;
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret));
        Ok(Self::Shared { kept, name: name.to_owned(), key, known: None })
    }

    /// What is kept there, if anything is.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::File(path) => {
                let of = path.clone();
                let read = move || match crate::owner_only::read(&of) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    read => read.map(Some),
                };
                blocking(path, read).await
            }
            Self::Shared { kept, name, key, known } => {
                *known = kept.get(KIND, name).await?;
                let Some(written) = known.as_deref() else { return Ok(None) };
                // What others wrote there would be told as if the ledger said it.
                let opened = opened(key, written).map(|text| Some(text.as_bytes().to_vec()));
                opened.ok_or_else(|| {
                    let said = format!("what {name} was told holds no seal: somebody changed it");
                    Failure::new(Kind::Unavailable, said).hint(DELETE)
                })
            }
        }
    }

    /// Replaces what is kept there.
    ///
    /// # Errors
    /// It cannot be written, or another replica has written meanwhile.
    pub(super) async fn write(&mut self, text: String) -> Result<(), Failure> {
        match self {
            Self::File(path) => {
                let of = path.clone();
                let write = move || {
                    if let Some(folder) = of.parent() {
                        crate::owner_only::directory(folder)?;
                    }
                    crate::owner_only::replace(&of, text.as_bytes())
                };
                blocking(path, write).await
            }
            Self::Shared { kept, name, key, known } => {
                let text = sealed(key, &text);
                let change = (known.as_deref(), text.as_str());
                if !kept.swap((KIND, name), change, LASTS).await? {
                    let said = format!("another replica is telling {name}, and goes on with it");
                    return Err(Failure::new(Kind::Unavailable, said));
                }
                *known = Some(text);
                Ok(())
            }
        }
    }
}

/// A text behind its seal.
fn sealed(key: &hmac::Key, text: &str) -> String {
    format!("{} {text}", hex(hmac::sign(key, text.as_bytes()).as_ref()))
}

fn opened<'t>(key: &hmac::Key, written: &'t str) -> Option<&'t str> {
    let (seal, text) = written.split_once(' ')?;
    let made = hex(hmac::sign(key, text.as_bytes()).as_ref());
    let same = constant_time::verify_slices_are_equal(made.as_bytes(), seal.as_bytes());
    same.is_ok().then_some(text)
}

impl Default for Home {
    fn default() -> Self {
        Self::File(PathBuf::new())
    }
}

impl std::fmt::Display for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Shared { name, .. } => write!(f, "what {name} was told"),
        }
    }
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let said = crate::owner_only::describe(path, error).to_string();
    Failure::new(Kind::Unavailable, format!("what was told cannot be kept: {said}"))
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).and_then(|done| done).map_err(|error| unwritable(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_is_not_told() {
        let key = |text: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, text);
        let (own, other) = (key(b"one"), key(b"two"));
        let written = sealed(&own, r#"{"waiting":[]}"#);
        assert_eq!(opened(&own, &written), Some(r#"{"waiting":[]}"#));
        for (key, written) in [
            (&other, written.clone()),
            (&own, written.replace("[]", "[1]")),
            (&own, r#"{"waiting":[]}"#.to_owned()),
            (&own, String::new()),
        ] {
            assert_eq!(opened(key, &written), None, "{written}");
        }
    }
}
