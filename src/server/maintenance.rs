//! What goes on beside the calls: ends that are due, changes that a dead process left open, requests
//! approved elsewhere, and what in the ledger cannot be acted on. Starting the server starts none of
//! it: a client may only be looking.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::shutdown::Shutdown;
use crate::desk::{Desk, Ending, MaintenanceReport};
use crate::ledger;
use crate::notify::Trouble;
use crate::page::PageUrls;
use crate::text;

pub(super) struct Maintenance {
    desk: Arc<Desk>,
    tasks: TaskTracker,
    shutdown: Shutdown,
    called: Notify,
    begun: OnceLock<()>,
}

/// After the first message, where no call comes sooner.
const QUIET: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(5);
/// How long the last notices may take where no more input comes.
const LAST_NOTICES: Duration = Duration::from_secs(2);
/// How soon somebody is told what has happened.
const NOTICES: Duration = Duration::from_secs(1);
/// More troubles have one cause, which the first ones show.
const MOST: usize = 10;

impl Maintenance {
    /// Ends, after what is being done then, when no message will come any more.
    pub(super) fn new(desk: Arc<Desk>, tasks: TaskTracker, shutdown: Shutdown) -> Arc<Self> {
        let (called, begun) = (Notify::new(), OnceLock::new());
        Arc::new(Self { desk, tasks, shutdown, called, begun })
    }

    /// A message came; the first one starts the clock.
    pub(super) fn message(self: &Arc<Self>) {
        self.begun.get_or_init(|| {
            let this = self.clone();
            self.tasks.spawn(async move { this.go_on().await });
            if self.desk.tells() {
                let this = self.clone();
                self.tasks.spawn(async move { this.tell_on().await });
            }
        });
    }

    /// A call came: there is no need to wait any longer.
    pub(super) fn call(self: &Arc<Self>) {
        self.message();
        self.called.notify_one();
    }

    async fn go_on(&self) {
        let mut pause = QUIET;
        let (mut told, mut ledger) = (Told::default(), Watched::default());
        loop {
            tokio::select! {
                () = self.shutdown.input_ended.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.called.notified(), if pause == QUIET => {}
            }
            pause = PAUSE;
            ledger.look(&self.desk).await;
            if self.desk.config().read_only {
                continue;
            }
            let maintained =
                self.shutdown.run_until_abandoned(Box::pin(self.desk.maintain())).await;
            let Ok((reports, failed)) = maintained else { return };
            let mut why: Vec<_> = failed.into_iter().map(|failure| failure.message).collect();
            why.dedup();
            let why = why.join("; ");
            if told.is_new("", &why) && !why.is_empty() {
                tracing::warn!(trouble = %why, "maintenance was not done");
            }
            for one in reports {
                told.tell(&one);
            }
        }
    }

    /// Tells others what has happened, beside all else: whoever is slow to listen keeps no end waiting.
    async fn tell_on(&self) {
        let mut told = Told::default();
        let page = PageUrls::configured(&self.desk.config().http);
        let link = |receipt: &str| page.as_ref().map(|page| page.of_request(receipt));
        let is_too_late = async {
            self.shutdown.input_ended.cancelled().await;
            tokio::time::sleep(LAST_NOTICES).await;
        };
        let begun = tokio::select! {
            begun = self.desk.begin_telling() => begun,
            () = is_too_late => Ok(()),
        };
        if let Err(failure) = begun {
            told.tell_notices("", &failure.message);
        }
        loop {
            let troubles = tokio::select! {
                () = self.shutdown.input_ended.cancelled() => break,
                troubles = self.desk.tell(&link) => troubles,
            };
            told.0.retain(|of, _| of.is_empty() || troubles.iter().any(|one| one.endpoint == *of));
            for Trouble { endpoint, why } in &troubles {
                told.tell_notices(endpoint, why);
            }
            tokio::select! {
                () = self.shutdown.input_ended.cancelled() => break,
                () = tokio::time::sleep(NOTICES) => {}
            }
        }
        if !self.shutdown.asked.is_cancelled() {
            // What a client asked for that leaves at once, and nobody may serve for long.
            let _ = tokio::time::timeout(LAST_NOTICES, self.desk.tell(&link)).await;
        }
    }
}

/// What in the ledger cannot be acted on, as last told.
#[derive(Default)]
struct Watched {
    told: HashSet<String>,
}

impl Watched {
    async fn look(&mut self, desk: &Desk) {
        let found = desk.ledger().watched().await.iter().map(said).collect();
        let had_any = !self.told.is_empty();
        let new = self.new_of(found);
        for trouble in new.iter().take(MOST) {
            tracing::warn!(%trouble, "the ledger cannot be relied on");
        }
        if new.len() > MOST {
            tracing::warn!(more = new.len() - MOST, "the ledger cannot be relied on");
        }
        if !new.is_empty() {
            tracing::warn!(
                "what these lines of the ledger say is not acted on: `grantor ledger verify` says \
                 more, and `grantor ledger accept` is the way on"
            );
        } else if had_any && self.told.is_empty() {
            tracing::info!("nothing is wrong with the ledger any more");
        }
    }

    /// What was not told before, of all that is wrong now.
    fn new_of(&mut self, found: Vec<String>) -> Vec<String> {
        let new = found.iter().filter(|one| !self.told.contains(*one)).cloned().collect();
        self.told = found.into_iter().collect();
        new
    }
}

fn said(trouble: &ledger::Trouble) -> String {
    text::clean(&trouble.to_string())
}

/// Why something was left, as last told, by receipt: nobody reads the same every few seconds.
#[derive(Default)]
struct Told(HashMap<String, String>);

impl Told {
    /// Who is concerned is not for a log: the receipt leads there.
    fn tell(&mut self, reports: &MaintenanceReport) {
        let receipt = &reports.receipt;
        if let Ending::Elsewhere(why) = &reports.ending {
            if self.is_new(receipt, why) {
                tracing::warn!(%receipt, %why, "an approved request is not for this server");
            }
        } else if !reports.is_left() {
            self.0.remove(receipt);
            tracing::info!(%receipt, "carried out");
        } else if self.is_new(receipt, reports.why()) {
            tracing::warn!(%receipt, "not carried out: `grantor requests` says why");
        }
    }

    /// Whom nothing can be told, once for each reason.
    fn tell_notices(&mut self, endpoint: &str, why: &str) {
        if self.is_new(endpoint, why) {
            tracing::warn!(endpoint, why = %text::clean(why), "notices wait: `grantor doctor` says more");
        }
    }

    /// Whether this is told for the first time, or has changed by more than a number of seconds.
    fn is_new(&mut self, of: &str, why: &str) -> bool {
        let gist: String = why.chars().filter(|char| !char.is_ascii_digit()).collect();
        let known = self.0.insert(of.to_owned(), gist.clone());
        known != Some(gist)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_ledger_is_told_once_and_again_after_it_was_mended() {
        let mut watched = Watched::default();
        for (found, new) in [
            (&[][..], &[][..]),
            (&["a"], &["a"]),
            (&["a"], &[]),
            (&["a", "b"], &["b"]),
            (&["b"], &[]),
            (&[], &[]),
            (&["b"], &["b"]),
        ] {
            let found = found.iter().map(|one: &&str| (*one).to_owned()).collect();
            assert_eq!(watched.new_of(found), new);
        }
    }

    #[test]
    fn a_reason_is_told_once_and_again_when_it_changes() {
        let mut told = Told::default();
        for (of, why, is_new) in [
            ("gr-a", "wait 12 s", true),
            ("gr-a", "wait 7 s", false),
            ("gr-b", "wait 7 s", true),
            ("gr-a", "it was changed since", true),
            ("gr-a", "it was changed since", false),
            ("gr-a", "wait 3 s", true),
        ] {
            assert_eq!(told.is_new(of, why), is_new, "{of}: {why}");
        }
    }
}
