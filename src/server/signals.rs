//! What a process is told to end by.

/// The signals that ask the process to end, listened to from before the first byte is read.
pub(super) struct Signals {
    #[cfg(unix)]
    kinds: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kind = |kind: SignalKind| signal(kind);
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(kind);
        Ok(Self { kinds: [interrupt?, terminate?, hangup?] })
    }

    #[cfg(unix)]
    pub(super) async fn any(self) {
        let [mut interrupt, mut terminate, mut hangup] = self.kinds;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "listening can fail elsewhere")]
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub(super) async fn any(self) {
        // Without a handler the signal keeps its usual effect.
        let _ = tokio::signal::ctrl_c().await;
    }
}
