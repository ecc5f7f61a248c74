//! Telling others what has happened: webhooks and chat, from the ledger's lines.
//!
//! ```text
//!  lines, time ──► Noted (pure, in the ledger) ──► outbox: what waits for one endpoint, durable
//!                                                    └──► message, signature ──► outbound::post
//! ```
//!
//! The ledger is what is told from: a notice is made of a line, or of a time that has come, and so is its id. What
//! an endpoint was told is a file of its own beside the ledger. A notice is taken off it once it was answered, so
//! that one is told again where a process dies in between, under the same id, and none is left out. To be told is
//! no approval, and nothing that is answered is read.

mod delivery;
mod home;
mod message;
mod outbox;
mod settings;
mod signature;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

pub use outbox::{Backlog, Standing};
pub(crate) use settings::target;
pub use settings::{Detail, Endpoint, Kind};
pub(crate) use signature::key;

use crate::failure::Failure;
use crate::ledger::{Ledger, Lock, LockOn};
use outbox::Outbox;

/// Whoever is told, and what they were told.
pub struct Notifier {
    endpoints: Vec<Endpoint>,
    /// The folder of the ledger.
    dir: PathBuf,
    clock: Clock,
    /// Those that are told nothing more by this process.
    gone: Mutex<HashSet<String>>,
}

/// How soon the lock that another process has is asked for again.
const AGAIN: Duration = Duration::from_millis(50);

/// What time it is.
pub type Clock = fn() -> Timestamp;
/// Where a person sees what a receipt is about, if there is such a place.
pub type Link<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

/// Why an endpoint was not told, in words that hold nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub endpoint: String,
    pub why: String,
}

impl Notifier {
    pub fn new(endpoints: Vec<Endpoint>, dir: &Path) -> Self {
        Self { endpoints, dir: dir.to_owned(), clock: crate::clock::now, gone: Mutex::default() }
    }

    /// The same by another clock.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub fn is_idle(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Notes where the ledger ends for whoever is new: they are told what comes, and not what was.
    ///
    /// # Errors
    /// The ledger cannot be read, or its folder not be written.
    pub async fn begin(&self, ledger: &Ledger) -> Result<(), Failure> {
        if self.is_idle() {
            return Ok(());
        }
        let dir = self.dir.clone();
        let made = tokio::task::spawn_blocking(move || crate::owner_only::directory(&dir)).await;
        made.map_err(std::io::Error::other)
            .and_then(|made| made)
            .map_err(|error| home::unwritable(&self.dir, &error))?;
        let _lock = loop {
            match ledger.locks().try_take(LockOn::Notices).await? {
                Some(lock) => break lock,
                None => tokio::time::sleep(AGAIN).await,
            }
        };
        for endpoint in &self.endpoints {
            Outbox::open(&self.dir, endpoint, ledger, (self.clock)()).await?;
        }
        Ok(())
    }

    /// Tells each endpoint what it was not told yet, all of them at the same time, unless another process is at it.
    /// It comes back when nothing waits or nothing goes on.
    pub async fn deliver(&self, ledger: &Ledger, link: Link<'_>) -> Vec<Trouble> {
        if self.is_idle() || !ledger.locks().is_begun().await {
            return Vec::new();
        }
        let lock = match ledger.locks().try_take(LockOn::Notices).await {
            Ok(Some(lock)) => lock,
            Ok(None) => return Vec::new(),
            Err(failure) => return self.all(&failure.message),
        };
        self.deliver_by(lock, ledger, link).await
    }

    /// The same for whoever has the lock already, which is given back at the end.
    pub async fn deliver_by(&self, lock: Lock, ledger: &Ledger, link: Link<'_>) -> Vec<Trouble> {
        let told = self.endpoints.iter().map(|one| self.deliver_to(one, ledger, link));
        let troubles = futures_util::future::join_all(told).await.into_iter().flatten().collect();
        drop(lock);
        troubles
    }

    fn all(&self, why: &str) -> Vec<Trouble> {
        let trouble = |one: &Endpoint| Trouble { endpoint: one.name.clone(), why: why.to_owned() };
        self.endpoints.iter().map(trouble).collect()
    }

    /// How each endpoint stands; looking changes nothing.
    pub async fn standings(&self, ledger: &Ledger) -> Vec<(&Endpoint, Result<Standing, Failure>)> {
        let mut all = Vec::new();
        for endpoint in &self.endpoints {
            let standing = outbox::standing(&self.dir, endpoint, ledger, (self.clock)());
            all.push((endpoint, standing.await));
        }
        all
    }

    /// What each endpoint was told and was not, by its name: of those that it can be told of. Nothing secret is
    /// read for it, so that it may be asked often.
    pub async fn backlogs(&self, ledger: &Ledger) -> Vec<(&str, Backlog)> {
        let mut all = Vec::new();
        for endpoint in &self.endpoints {
            let backlog = outbox::backlog(&self.dir, endpoint, ledger, (self.clock)());
            let backlog = backlog.await.ok().flatten();
            all.extend(backlog.map(|backlog| (endpoint.name.as_str(), backlog)));
        }
        all
    }
}
