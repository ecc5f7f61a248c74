//! A file that belongs to somebody else: read as it is, and replaced at once or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::{input, random};

/// What is behind the name of a file that was replaced.
const BACKUP: &str = ".before-grantor";
const MARK: &str = "\u{feff}";

/// A file as it was read; empty where there is none.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    /// What it holds, without the mark that may stand before it.
    text: Option<String>,
    is_marked: bool,
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Where what was there before is kept.
    pub backup: Option<PathBuf>,
    /// A folder that had to be made.
    pub folder: Option<PathBuf>,
}

impl Kept {
    /// # Errors
    /// It is no file, no text, a link to nothing, or cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        let real = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link => {
                return Ok(Self { path: path.to_owned(), text: None, is_marked: false });
            }
            Err(error) if is_link => {
                let told = format!("it is a link that leads nowhere ({error})");
                return Err(io::Error::new(error.kind(), told));
            }
            Err(error) => return Err(error),
        };
        let bytes = input::read(&real)?;
        let is_marked = bytes.starts_with(MARK.as_bytes());
        Ok(Self { text: Some(input::whole(&bytes)?), is_marked, path: real })
    }

    pub(super) fn is_there(&self) -> bool {
        self.text.is_some()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Whether it is this user's, and no other account may write it.
    #[cfg(unix)]
    pub(super) fn is_own(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let own = rustix::process::geteuid().as_raw();
        fs::metadata(&self.path).is_ok_and(|found| found.uid() == own && found.mode() & 0o022 == 0)
    }

    #[cfg(not(unix))]
    pub(super) fn is_own(&self) -> bool {
        self.is_there()
    }

    /// Puts `text` in its place. What was there is kept beside it, and whoever reads meanwhile sees the one
    /// or the other.
    ///
    /// # Errors
    /// It cannot be written, may not be, or is another than was read.
    pub(super) fn replace(&self, text: &str) -> io::Result<Replaced> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let made = (!folder.exists()).then(|| folder.to_owned());
        if made.is_some() {
            crate::owner_only::directory(folder)?;
        }
        let permissions = fs::metadata(&self.path).ok().map(|found| found.permissions());
        if permissions.as_ref().is_some_and(fs::Permissions::readonly) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it may not be written: whoever manages it has to change it",
            ));
        }
        let mark = if self.is_marked { MARK } else { "" };
        let write = |path: &Path, text: &str| -> io::Result<()> {
            let mut file = new_file(path)?;
            if let Some(permissions) = &permissions {
                file.set_permissions(permissions.clone())?;
            }
            file.write_all(mark.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        let put = |path: &Path, text: &str| -> io::Result<()> {
            let fresh = beside(path, &format!(".{}", random::id()));
            let done = write(&fresh, text)
                .and_then(|()| self.unmoved())
                .and_then(|()| fs::rename(&fresh, path));
            if done.is_err() {
                let _ = fs::remove_file(&fresh);
            }
            done
        };
        let backup = self.text.as_ref().map(|before| (beside(&self.path, BACKUP), before));
        if let Some((backup, before)) = &backup {
            put(backup, before)?;
        }
        put(&self.path, text)?;
        // What a folder lists is on disk once the folder is.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(Replaced { backup: backup.map(|(path, _)| path), folder: made })
    }

    /// # Errors
    /// The file is another by now: its client wrote it.
    fn unmoved(&self) -> io::Result<()> {
        let now = match input::read(&self.path) {
            Ok(bytes) => Some(input::whole(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if now == self.text {
            return Ok(());
        }
        let told = "somebody else wrote it meanwhile: nothing was written; try again";
        Err(io::Error::new(io::ErrorKind::ResourceBusy, told))
    }
}

/// A name beside a file's own.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// A file that only its owner may read, until it has the permissions of the one it replaces.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
