//! Locks that one process has at a time, asked for where the lines are kept.

pub use super::files::Lock;
use super::shelf::Shelf;
use crate::failure::Failure;

/// What a lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOn {
    /// The access of the principals that this number stands for, below 64.
    Turn(u8),
    /// Carrying out what is due without a call.
    Maintenance,
    /// Telling others what has happened.
    Notices,
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
