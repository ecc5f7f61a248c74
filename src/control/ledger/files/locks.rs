//! Locks that one process has at a time, as locked files beside the lines.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::control::ledger::LockOn;

/// A lock, until it is dropped; and given back however the process ends.
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

    /// The lock, unless another process has it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn try_take(&self, on: LockOn) -> io::Result<Option<Lock>> {
        let file = self.open(on)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The lock, once no other process has it. It waits where it is called: on a thread that may.
    ///
    /// # Errors
    /// The folder cannot be written, said with the path and what to do.
    pub(super) fn take(&self, on: LockOn) -> io::Result<Lock> {
        let taken = self.open(on).and_then(|file| file.lock().map(|()| Lock { _file: file }));
        taken.map_err(|error| crate::owner_only::describe(&self.path(on), &error))
    }

    /// Whether there is anything yet that locks could be on.
    pub(super) fn is_begun(&self) -> bool {
        self.dir.exists()
    }

    /// The folder, for a person.
    pub(super) fn folder(&self) -> &Path {
        &self.dir
    }

    fn open(&self, on: LockOn) -> io::Result<File> {
        if matches!(on, LockOn::Turn(_)) {
            crate::owner_only::directory(&self.dir.join(TURNS))?;
        }
        crate::owner_only::open(&self.path(on))
    }

    fn path(&self, on: LockOn) -> PathBuf {
        match on {
            LockOn::Turn(place) => self.dir.join(TURNS).join(format!("{place:02}")),
            LockOn::Maintenance => self.dir.join(MAINTENANCE),
            LockOn::Notices => self.dir.join(NOTICES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_one_processs_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = [(), ()].map(|()| Locks::beside(dir.path()));
        for on in [LockOn::Turn(7), LockOn::Maintenance, LockOn::Notices] {
            let held = one.try_take(on).unwrap();
            assert!(held.is_some() && other.try_take(on).unwrap().is_none(), "{on:?}");
            assert!(other.try_take(LockOn::Turn(8)).unwrap().is_some(), "another lock is free");
            drop(held);
            assert!(other.take(on).is_ok(), "{on:?}");
        }
    }
}
