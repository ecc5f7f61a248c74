//! What goes wrong between a client and a vendor, on demand.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::message::Ask;

/// One thing to go wrong, once, with the next request that matches.
#[derive(Clone, Debug)]
pub struct Fault {
    pub vendor: &'static str,
    pub method: &'static str,
    /// Part of the path and the query as they travel, percent-encoded.
    pub path_contains: String,
    pub kind: FaultKind,
}

#[derive(Clone, Debug)]
pub enum FaultKind {
    /// This reply instead of the vendor's; nothing is applied.
    Status { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// The connection closes; nothing is applied.
    DropBefore,
    /// The request is applied, and the connection closes without a reply.
    DropAfter,
    /// Nothing is applied; silence for this long, and then the connection closes.
    Stall(Duration),
    /// The request is applied; silence for this long, and then the connection closes.
    StallAfter(Duration),
    /// The request is applied; the reply announces more bytes than it carries. (A 204 may carry none and is sent as a 200.)
    Truncate,
    /// The request is applied; the reply is a 200 with `<html>`.
    Garble,
    /// The request is applied; the reply has this in place of its own.
    Alter { status: Option<u16>, headers: Vec<(&'static str, String)>, body: Option<String> },
    /// The request is applied; the reply is a 200 with so many MiB of blanks.
    Flood(usize),
}

#[derive(Default)]
pub(super) struct Faults {
    waiting: Mutex<Vec<Fault>>,
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(fault);
    }

    /// The oldest fault that matches, which is spent by this.
    pub fn take(&self, vendor: &str, ask: &Ask) -> Option<FaultKind> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = format!("{}?{}", ask.path, ask.query);
        let index = waiting.iter().position(|fault| {
            fault.vendor == vendor
                && fault.method == ask.method
                && asked.contains(&fault.path_contains)
        })?;
        Some(waiting.remove(index).kind)
    }

    /// Forgets those that no request has met.
    pub fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
