//! What can be seen from outside: lines on stderr, the client's trace handed on to vendors, and
//! spans for a collector where the feature `otel` is built in.
//!
//! Tool, vendor, outcome and receipt are told; arguments and people are not. The receipt leads to
//! them in the ledger, which has rules of its own about who reads it.

mod broken;
#[cfg_attr(feature = "otel", path = "observe/otel.rs")]
#[cfg_attr(not(feature = "otel"), path = "observe/silent.rs")]
mod export;
mod lines;
mod sending;
mod trace;

use std::time::{Duration, Instant};

use tracing::Instrument as _;

#[cfg(feature = "otel")]
pub use export::export;
pub use export::finish;
pub use lines::Format;
pub(crate) use sending::{Leg, Outgoing, Sending};
pub use trace::Trace;

use crate::access::Outcome;

/// How a call came, as the protocol says it.
#[derive(Clone, Debug)]
pub struct CallOrigin {
    /// The trace the client is in.
    pub trace: Option<Trace>,
    pub request_id: String,
    pub protocol: Option<String>,
}

/// What is told of a call that has ended.
#[derive(Clone, Debug, Default)]
pub struct CallSummary {
    pub vendor: Option<String>,
    pub outcome: Option<Outcome>,
    pub receipts: Vec<String>,
    /// Of a look, which has no outcome: how much it found, and how many vendors failed it.
    pub rows: Option<usize>,
    pub problems: Option<usize>,
    pub is_error: bool,
    pub is_unknown_tool: bool,
}

/// A call while it is worked on; its end is told once, however it ends.
pub struct Watch {
    tool: Option<&'static str>,
    vendor: Option<&'static str>,
    trace: Option<Trace>,
    started: Instant,
    exported: export::Call,
    told: bool,
}

tokio::task_local! {
    /// The trace that requests of this task belong to.
    static TRACE: Option<Trace>;
}

/// Begins to log.
///
/// # Errors
/// The filter cannot be read.
pub fn start(filter: Option<&str>, format: Format) -> Result<(), String> {
    lines::start(filter, format)
}

/// From now on a panic tells its place, and nothing that the program had in hand.
pub fn hush_panics() {
    std::panic::set_hook(Box::new(broken::told));
}

impl Watch {
    /// `tool` is a name of the catalogue: one that is not in it is a client's own text.
    pub fn start(
        tool: Option<&'static str>,
        vendor: Option<&'static str>,
        asked: Option<&CallOrigin>,
    ) -> Self {
        let exported = export::Call::start(tool, asked);
        let trace = exported.trace().or_else(|| asked?.trace.clone());
        Self { tool, vendor, trace, started: Instant::now(), exported, told: false }
    }

    /// Works on the call; what the work logs and sends is marked as its own.
    pub async fn over<T>(
        mut self,
        work: impl Future<Output = T>,
        told: impl Fn(&T) -> CallSummary,
    ) -> T {
        let trace_id = self.trace.as_ref().map(|trace| shown(trace.id()));
        let (tool, vendor) = (self.tool.map(shown), self.vendor.map(shown));
        let span = tracing::info_span!(target: "grantor", "call", tool, vendor, trace_id);
        let done = TRACE.scope(self.trace.clone(), work.instrument(span)).await;
        self.tell(&told(&done));
        done
    }

    fn tell(&mut self, told: &CallSummary) {
        self.told = true;
        let vendor = told.vendor.as_deref().or(self.vendor);
        self.exported.end(vendor, told);
        let receipt = Some(told.receipts.join(",")).filter(|receipts| !receipts.is_empty());
        tracing::info!(
            target: "grantor",
            parent: None,
            tool = self.tool.map(shown),
            vendor = vendor.map(shown),
            outcome = told.outcome.map(|outcome| shown(outcome.as_str())),
            error = told.is_unknown_tool.then(|| shown("unknown_tool")),
            receipt = receipt.as_deref().map(shown),
            rows = told.rows,
            problems = told.problems,
            took_ms = millis(self.started.elapsed()),
            trace_id = self.trace.as_ref().map(|trace| shown(trace.id())),
            "call"
        );
    }
}

/// A call that panicked is answered as `unknown`, and told as that.
impl Drop for Watch {
    fn drop(&mut self) {
        if !self.told {
            let outcome = Some(Outcome::Unknown);
            self.tell(&CallSummary { outcome, is_error: true, ..CallSummary::default() });
        }
    }
}

/// Without quotes.
fn shown<T: std::fmt::Display>(text: T) -> tracing::field::DisplayValue<T> {
    tracing::field::display(text)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
