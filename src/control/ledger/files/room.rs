//! Whether lines can be written where the ledger is: tried, and nothing left behind.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::head;
use super::segment::CURRENT;

/// What a line and what is kept beside it may take, many times over.
const ROOM: usize = 1024 * 1024;
/// Megabytes below which room is little: a file of lines that is full has 67.
#[cfg(unix)]
const SCARCE: u64 = 200;

/// Tries to write as a line is written: a file that is locked, filled and on disk. `others` are files
/// that a line is written to as well, where they are there.
///
/// # Errors
/// Something of it does not work, named by its path, with what to do about it.
pub(super) fn try_out(dir: &Path, others: &[&str]) -> Result<(), String> {
    let made = missing(dir);
    let tried = made_and_tried(dir, others);
    // From the inmost out; one that somebody uses meanwhile is not empty, and stays.
    for folder in made.iter().rev() {
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
    tried
}

/// What is to be said of the room there is, where it is little: it ends while changes are under way,
/// and from then on none is sent.
#[cfg(unix)]
pub(super) fn scarce(dir: &Path) -> Option<String> {
    let there = dir.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    little(disk.f_bavail.saturating_mul(disk.f_frsize)).map(|left| {
        format!(
            "{}: only {left} are free on its disk; where no line can be written, no change is \
             sent: make room there",
            dir.display()
        )
    })
}

#[cfg(not(unix))]
pub(super) fn scarce(_: &Path) -> Option<String> {
    None
}

/// Free bytes in words, where they are few.
#[cfg(unix)]
fn little(free: u64) -> Option<String> {
    let megabytes = free / 1_000_000;
    (megabytes < SCARCE).then(|| format!("{megabytes} MB"))
}

/// The folders that are made for it, from the outermost in.
fn missing(dir: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<_> =
        dir.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn made_and_tried(dir: &Path, others: &[&str]) -> Result<(), String> {
    crate::owner_only::directory(dir).map_err(|error| describe(dir, &error))?;
    for name in [CURRENT, head::NAME].iter().chain(others) {
        let path = dir.join(name);
        if path.is_file() {
            let open = std::fs::OpenOptions::new().append(true).open(&path);
            open.map_err(|error| describe(&path, &error))?;
        }
    }
    let path = dir.join(format!("doctor-{}", crate::random::id()));
    let written = written(&path);
    let removed = std::fs::remove_file(&path);
    written?;
    removed.map_err(|error| describe(&path, &error))
}

fn written(path: &Path) -> Result<(), String> {
    let mut file = crate::owner_only::append(path).map_err(|error| describe(path, &error))?;
    let dir = path.parent().unwrap_or(path);
    locked(dir, file.lock())?;
    let filled = file.write_all(&vec![0; ROOM]).and_then(|()| file.sync_all());
    filled.map_err(|error| describe(dir, &error))
}

/// What a lock that is not given means.
fn locked(dir: &Path, lock: io::Result<()>) -> Result<(), String> {
    lock.map_err(|error| {
        format!(
            "{}: files cannot be locked there ({error}), so that two processes would write over \
             each other: keep the state on a disk of this machine, and name it in GRANTOR_STATE_DIR",
            dir.display()
        )
    })
}

fn describe(path: &Path, error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there",
        io::ErrorKind::ReadOnlyFilesystem => "name another place in GRANTOR_STATE_DIR",
        _ => "make it writable for this user, or name another place in GRANTOR_STATE_DIR",
    };
    format!(
        "{}: {error}: no line could be written, so no change would be sent; {mend}",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_lines_can_be_written_nothing_is_left() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state/of/it");
        assert_eq!(try_out(&dir, &[]), Ok(()));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(CURRENT), "x\n").unwrap();
        assert_eq!(try_out(&dir, &["ledger.lock"]), Ok(()));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        assert_eq!(std::fs::read_to_string(dir.join(CURRENT)).unwrap(), "x\n");
    }

    #[cfg(unix)]
    #[test]
    fn little_room_is_said_in_megabytes() {
        for (free, told) in [
            (0, Some("0 MB")),
            (8_400_000, Some("8 MB")),
            (199_999_999, Some("199 MB")),
            (200_000_000, None),
            (u64::MAX, None),
        ] {
            assert_eq!(little(free).as_deref(), told);
        }
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let told = try_out(&file.join("below"), &[]).unwrap_err();
        assert!(told.contains("file") && told.contains("no line could be written"), "{told}");
        let none = io::Error::from(io::ErrorKind::Unsupported);
        let told = locked(home.path(), Err(none)).unwrap_err();
        assert!(told.contains("cannot be locked") && told.contains("GRANTOR_STATE_DIR"), "{told}");
        let full = describe(home.path(), &io::ErrorKind::StorageFull.into());
        assert!(full.contains("make room"), "{full}");
    }
}
