//! What is under way when a process ends, and should reach the database before.

use std::sync::LazyLock;
use std::time::Duration;

use tokio_util::task::TaskTracker;

/// Leases that are being given back: whoever comes next would wait for them.
pub(super) static GIVEN_BACK: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until what was given back is free for others, a little.
pub async fn parted() {
    if GIVEN_BACK.is_empty() {
        return;
    }
    GIVEN_BACK.close();
    let _ = tokio::time::timeout(PATIENCE, GIVEN_BACK.wait()).await;
}
