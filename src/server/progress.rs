//! What a client hears while a call is worked on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;

use crate::desk::Progress;

/// Progress notifications, where the client asked for them.
pub(super) fn progress(context: &RequestContext<RoleServer>, made: &Arc<AtomicU32>) -> Progress {
    let Some(token) = context.meta.get_progress_token() else { return Box::new(|_| ()) };
    let (peer, made) = (context.peer.clone(), made.clone());
    Box::new(move |message| {
        let step = f64::from(made.fetch_add(1, Relaxed) + 1);
        let told = ProgressNotificationParam::new(token.clone(), step).with_message(message);
        let peer = peer.clone();
        tokio::spawn(async move {
            // A client that has gone needs no progress.
            let _ = peer.notify_progress(told).await;
        });
    })
}
