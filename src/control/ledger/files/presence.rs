//! Which processes live: each that writes holds a lock for as long as it does, however it ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// This process lives.
pub(super) struct Presence {
    path: PathBuf,
    _lock: File,
}

const FOLDER: &str = "processes";
/// After which a lock that nobody holds is taken away: long after it can be in the making.
const STALE: Duration = Duration::from_secs(3_600);

impl Presence {
    pub(super) fn claim(dir: &Path, process: &str) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        crate::owner_only::directory(&folder)?;
        let path = folder.join(process);
        let lock = crate::owner_only::open(&path)?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // One that stays is swept away later.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a process is gone. One that cannot be told is taken to live.
pub(super) fn is_gone(dir: &Path, process: &str) -> bool {
    match crate::owner_only::look(&dir.join(FOLDER).join(process)) {
        Ok(lock) => lock.try_lock_shared().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The processes that live.
pub(super) fn living(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| !is_gone(dir, name)).collect())
}

/// Takes away the locks of processes that are long gone.
pub(super) fn sweep(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir.join(FOLDER)) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
        let is_old = matches!(age, Ok(Ok(age)) if age > STALE);
        let lock = crate::owner_only::look(&entry.path());
        if is_old && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_it_no_longer_holds_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_gone(dir.path(), "never"));
        let presence = Presence::claim(dir.path(), "one").unwrap();
        assert!(!is_gone(dir.path(), "one"));
        sweep(dir.path());
        assert!(!is_gone(dir.path(), "one"), "what lives is not swept away");
        assert_eq!(living(dir.path()).unwrap(), ["one"]);
        drop(presence);
        assert!(is_gone(dir.path(), "one"));
    }
}
