//! What goes on beside the calls: ends that are due, changes that a dead process left open, and
//! requests approved elsewhere. Starting the server starts none of it: a client may only be looking.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::desk::Desk;

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
        loop {
            tokio::select! {
                () = self.over.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.called.notified(), if pause == QUIET => {}
            }
            pause = PAUSE;
            for tended in self.desk.tend().await {
                // Who is concerned is not for a log: the receipt leads there.
                let receipt = &tended.receipt;
                if tended.is_left() {
                    tracing::warn!(%receipt, "not carried out: `grantor requests` says why");
                } else {
                    tracing::info!(%receipt, "carried out");
                }
            }
        }
    }
}
