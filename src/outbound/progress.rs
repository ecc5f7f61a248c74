//! Who hears what a call waits for.
//!
//! Requests wait far below the face that a client looks at, and nothing between the two has
//! anything to add: the listener goes with the task, not through every signature.

/// Hears, in a few words, what is waited for.
pub type Listener = Box<dyn Fn(String) + Send + Sync>;

tokio::task_local! {
    static LISTENER: Listener;
}

/// Runs a call whose waits `listener` hears of.
pub async fn telling<T>(listener: Listener, call: impl Future<Output = T>) -> T {
    LISTENER.scope(listener, call).await
}

/// Says what is waited for, where somebody listens.
pub(super) fn tell(what: impl FnOnce() -> String) {
    // Nobody does where a call has no client: then there is nothing to say.
    let _ = LISTENER.try_with(|listener| listener(what()));
}
