//! Locks that one process has at a time, asked for where the lines are kept.

use super::files;
use super::postgres::Lease;
use super::shelf::Shelf;
use crate::failure::Failure;

/// What a lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockOn {
    /// The access of the principals that this number stands for, below 64.
    Turn(u8),
    /// Carrying out what is due without a call.
    Maintenance,
    /// Telling others what has happened.
    Notices,
}

/// A lock, until it is dropped; and given back however the process ends.
#[derive(Debug)]
pub struct Lock {
    _held: Held,
}

#[derive(Debug)]
#[expect(dead_code, reason = "what they do is done when they are dropped")]
enum Held {
    File(files::Lock),
    Lease(Lease),
}

impl LockOn {
    /// As a row of a database calls it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Turn(place) => format!("turn {place:02}"),
            Self::Maintenance => "maintenance".to_owned(),
            Self::Notices => "notices".to_owned(),
        }
    }
}

impl From<files::Lock> for Lock {
    fn from(lock: files::Lock) -> Self {
        Self { _held: Held::File(lock) }
    }
}

impl From<Lease> for Lock {
    fn from(lease: Lease) -> Self {
        Self { _held: Held::Lease(lease) }
    }
}

/// Where locks are asked for.
#[derive(Clone)]
pub struct Locks(Shelf);

impl Locks {
    pub(super) fn of(shelf: Shelf) -> Self {
        Self(shelf)
    }

    /// The lock, unless another process has it.
    ///
    /// # Errors
    /// It cannot be asked for: in words that say what to mend.
    pub async fn try_take(&self, on: LockOn) -> Result<Option<Lock>, Failure> {
        self.0.try_lock(on).await
    }

    /// The lock, once no other process has it.
    ///
    /// # Errors
    /// It cannot be asked for: in words that say what to mend.
    pub async fn take(&self, on: LockOn) -> Result<Lock, Failure> {
        self.0.lock(on).await
    }

    /// Whether there is anything yet that locks could be on.
    pub async fn is_begun(&self) -> bool {
        self.0.is_begun().await
    }
}
