//! Where what one endpoint was told is kept: a file of this machine, or where all replicas see it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Failure, Kind};
use crate::ledger::{Kept, Ledger};

/// The place of one endpoint's.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// A file that is replaced at once.
    File(PathBuf),
    /// Where replicas share it, and what was read there last: whoever was overtaken writes nothing.
    Shared { kept: Kept, name: String, known: Option<String> },
}

const FOLDER: &str = "notices";
const KIND: &str = "notices";
/// As good as for ever.
const LASTS: Duration = Duration::from_secs(3650 * 86_400);

impl Home {
    pub(super) fn of(dir: &Path, name: &str, ledger: &Ledger) -> Self {
        match ledger.kept_by_all() {
            Some(kept) => Self::Shared { kept, name: name.to_owned(), known: None },
            None => Self::File(dir.join(FOLDER).join(format!("{name}.json"))),
        }
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
            Self::Shared { kept, name, known } => {
                *known = kept.get(KIND, name).await?;
                Ok(known.clone().map(String::into_bytes))
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
            Self::Shared { kept, name, known } => {
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
