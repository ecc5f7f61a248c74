//! Telling others what has happened. It is maintenance: who may only look does none of it.

use super::Desk;
use crate::failure::Failure;
use crate::notify::{Backlog, Link, Trouble};

impl Desk {
    /// Whether there is anybody to tell, and this process may.
    pub fn tells(&self) -> bool {
        !self.config.read_only && !self.notifier.is_idle()
    }

    /// Notes where the ledger ends, for whoever is told from now on.
    ///
    /// # Errors
    /// The ledger cannot be read, or its folder not be written.
    pub async fn begin_telling(&self) -> Result<(), Failure> {
        match self.tells() {
            true => self.notifier.begin(&self.ledger).await,
            false => Ok(()),
        }
    }

    /// What each of those it tells was told and was not.
    pub async fn backlogs(&self) -> Vec<(&str, Backlog)> {
        match self.tells() {
            true => self.notifier.backlogs(&self.ledger).await,
            false => Vec::new(),
        }
    }

    /// Tells what was not told yet; whom it could not tell, and why.
    pub async fn tell(&self, link: Link<'_>) -> Vec<Trouble> {
        match self.tells() {
            true => self.notifier.deliver(&self.ledger, link).await,
            false => Vec::new(),
        }
    }
}
