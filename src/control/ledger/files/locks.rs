//! Rights that one process has at a time, as locked files beside the lines.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::control::ledger::Right;

/// A right, until it is dropped; and given back however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The folder of the files that are locked.
#[derive(Clone, Debug)]
pub(super) struct Locks {
    dir: PathBuf,
}

const TURNS: &str = "turns";
const MAINTENANCE: &str = "tending.lock";
const NOTICES: &str = "notices.lock";

impl Locks {
    pub(super) fn beside(ledger: &Path) -> Self {
        Self { dir: ledger.to_owned() }
    }

    /// The right, unless another process has it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn try_take(&self, right: Right) -> io::Result<Option<Lock>> {
        let file = self.open(right)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The right, once no other process has it. It waits where it is called: on a thread that may.
    ///
    /// # Errors
    /// The folder cannot be written, said with the path and what to do.
    pub(super) fn take(&self, right: Right) -> io::Result<Lock> {
        let taken = self.open(right).and_then(|file| file.lock().map(|()| Lock { _file: file }));
        taken.map_err(|error| crate::owner_only::describe(&self.path(right), &error))
    }

    /// Whether there is anything yet that rights could be for.
    pub(super) fn is_begun(&self) -> bool {
        self.dir.exists()
    }

    /// The folder, for a person.
    pub(super) fn folder(&self) -> &Path {
        &self.dir
    }

    fn open(&self, right: Right) -> io::Result<File> {
        if matches!(right, Right::Turn(_)) {
            crate::owner_only::directory(&self.dir.join(TURNS))?;
        }
        crate::owner_only::open(&self.path(right))
    }

    fn path(&self, right: Right) -> PathBuf {
        match right {
            Right::Turn(place) => self.dir.join(TURNS).join(format!("{place:02}")),
            Right::Maintenance => self.dir.join(MAINTENANCE),
            Right::Notices => self.dir.join(NOTICES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_one_processs_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = [(), ()].map(|()| Locks::beside(dir.path()));
        for right in [Right::Turn(7), Right::Maintenance, Right::Notices] {
            let held = one.try_take(right).unwrap();
            assert!(held.is_some() && other.try_take(right).unwrap().is_none(), "{right:?}");
            assert!(other.try_take(Right::Turn(8)).unwrap().is_some(), "another right is free");
            drop(held);
            assert!(other.take(right).is_ok(), "{right:?}");
        }
    }
}
