//! What goes on beside the calls: ends that are due, changes that a dead process left open, and
//! requests approved elsewhere. Starting the server starts none of it: a client may only be looking.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::desk::{Desk, Tended};

pub(super) struct Tending {
    desk: Arc<Desk>,
    tasks: TaskTracker,
    over: CancellationToken,
    called: Notify,
    begun: OnceLock<()>,
}

/// After the first message, where no call comes sooner.
const QUIET: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(5);

impl Tending {
    /// Ends, after what is being done then, when `over` is cancelled.
    pub(super) fn new(desk: Arc<Desk>, tasks: TaskTracker, over: CancellationToken) -> Arc<Self> {
        let (called, begun) = (Notify::new(), OnceLock::new());
        Arc::new(Self { desk, tasks, over, called, begun })
    }

    /// A message came; the first one starts the clock.
    pub(super) fn message(self: &Arc<Self>) {
        if self.desk.config().read_only {
            return;
        }
        self.begun.get_or_init(|| {
            let this = self.clone();
            self.tasks.spawn(async move { this.go_on().await });
        });
    }

    /// A call came: there is no need to wait any longer.
    pub(super) fn call(self: &Arc<Self>) {
        self.message();
        self.called.notify_one();
    }

    async fn go_on(&self) {
        let mut pause = QUIET;
        let mut told = Told::default();
        loop {
            tokio::select! {
                () = self.over.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.called.notified(), if pause == QUIET => {}
            }
            pause = PAUSE;
            let (tended, failed) = self.desk.tend().await;
            for failure in failed {
                if told.is_new("", &failure.message) {
                    tracing::warn!(trouble = %failure.message, "nothing was tended");
                }
            }
            for one in tended {
                told.tell(&one);
            }
        }
    }
}

/// Why something was left, as last told, by receipt: nobody reads the same every few seconds.
#[derive(Default)]
struct Told(HashMap<String, String>);

impl Told {
    /// Who is concerned is not for a log: the receipt leads there.
    fn tell(&mut self, tended: &Tended) {
        let receipt = &tended.receipt;
        if !tended.is_left() {
            self.0.remove(receipt);
            tracing::info!(%receipt, "carried out");
        } else if self.is_new(receipt, tended.why()) {
            tracing::warn!(%receipt, "not carried out: `grantor requests` says why");
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
