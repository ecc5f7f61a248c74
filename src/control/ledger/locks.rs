//! Rights that one process has at a time, asked for where the lines are kept.

pub use super::files::Lock;
use super::shelf::Shelf;
use crate::failure::Failure;

/// What a right is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To change the access of the principals that this number stands for, below 64.
    Turn(u8),
    /// To carry out what is due without a call.
    Maintenance,
    /// To tell others what has happened.
    Notices,
}

/// Where rights are asked for.
#[derive(Clone)]
pub struct Locks(Shelf);

impl Locks {
    pub(super) fn of(shelf: Shelf) -> Self {
        Self(shelf)
    }

    /// The right, unless another process has it.
    ///
    /// # Errors
    /// It cannot be asked for: in words that say what to mend.
    pub async fn try_take(&self, right: Right) -> Result<Option<Lock>, Failure> {
        self.0.try_lock(right).await
    }

    /// The right, once no other process has it.
    ///
    /// # Errors
    /// It cannot be asked for: in words that say what to mend.
    pub async fn take(&self, right: Right) -> Result<Lock, Failure> {
        self.0.lock(right).await
    }

    /// Whether there is anything yet that rights could be for.
    pub async fn is_begun(&self) -> bool {
        self.0.is_begun().await
    }
}
