//! How a server comes to its end, and what is broken off then.
//!
//! Asked to end, a process begins nothing new. Without more input it has a moment for what it was given;
//! then only what is on its way is finished, since nobody is known to wait for the rest.

use std::pin::Pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::desk::Sending;

/// The three signs of an end, in the order in which they usually come.
#[derive(Clone)]
pub(super) struct Shutdown {
    /// Cancelled when the process is asked to end.
    pub asked: CancellationToken,
    /// Cancelled when no message will come any more; an end that is asked for is one such sign.
    pub input_ended: CancellationToken,
    /// Cancelled when what is not on its way to a vendor is not waited for any more.
    pub abandon_unsent: CancellationToken,
}

/// A call that was broken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokenOff {
    /// Whether some of it was sent before.
    pub has_begun: bool,
}

/// What was done is told within that time, though the rest of it is given up.
const LAST_MOMENT: Duration = Duration::from_secs(1);

impl Shutdown {
    pub(super) fn new() -> Self {
        let asked = CancellationToken::new();
        let input_ended = asked.child_token();
        Self { asked, input_ended, abandon_unsent: CancellationToken::new() }
    }

    /// Does some work unless what is unsent is abandoned first: then what is on its way is finished and
    /// recorded, and all else is given up.
    pub(super) async fn run_until_abandoned<T>(
        &self,
        work: Pin<Box<impl Future<Output = T>>>,
    ) -> Result<T, BrokenOff> {
        let sending = Sending::default();
        let given_up = async {
            self.abandon_unsent.cancelled().await;
            sending.give_up().await;
            if sending.has_begun() {
                tokio::time::sleep(LAST_MOMENT).await;
            }
        };
        tokio::select! {
            biased;
            done = sending.of(work) => Ok(done),
            () = given_up => Err(BrokenOff { has_begun: sending.has_begun() }),
        }
    }
}
