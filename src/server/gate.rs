//! What is let through to rmcp: so many requests at a time, and none twice.
//!
//! A request keeps its slot until its work is done and its answer is written, so that neither a
//! client that does not read nor one that cancels what it asks for can make memory grow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, ErrorData,
    GetExtensions as _, GetMeta as _, JsonRpcMessage, JsonRpcNotification, JsonRpcRequest,
    ProtocolVersion, RequestId,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::shutdown::BrokenOff;
use crate::tools;

/// What is in flight, and what waits for a slot.
pub(super) struct Gate {
    state: Mutex<State>,
    /// Told when there is something to receive, or nothing any more.
    changed: Notify,
    /// Told when there is room for another line.
    freed: Notify,
    /// Cancelled when no message will come any more.
    pub(super) input_ended: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Let through, and not yet received.
    queue: VecDeque<ClientJsonRpcMessage>,
    waiting: VecDeque<Waiting>,
    /// Requests let through and not answered; one that was cancelled gets no answer, and its id is
    /// free when its work is done.
    unanswered: HashMap<RequestId, Option<Slot>>,
    slots: usize,
    /// What the requests in flight and waiting weigh.
    weight: usize,
    /// Whether the client has chosen an era: before that, nothing but requests means anything.
    open: bool,
    /// Whether the input has ended.
    ended: bool,
    /// Whether the process is asked to end: nothing new is begun.
    stopping: bool,
}

struct Waiting {
    request: JsonRpcRequest<ClientRequest>,
    weight: usize,
    kind: Kind,
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A call of a tool that changes something, or a ping: it does not wait for looks.
    Ahead,
    Look,
    /// Not a call: nothing overtakes it, since later requests may rest on it.
    Other,
}

/// A slot among the requests in flight. It travels with the request, so that rmcp keeps it for as
/// long as the work takes, and with the answer.
#[derive(Clone)]
pub(super) struct Slot(#[expect(dead_code, reason = "held to be dropped")] Arc<Held>);

struct Held {
    gate: Arc<Gate>,
    id: RequestId,
    weight: usize,
}

/// Requests that are worked on at the same time.
const MOST_IN_FLIGHT: usize = 64;
/// How many of these slots only a change may have.
const KEPT_FREE: usize = 8;
/// Messages that wait beyond that; then reading stops until one is done.
const MOST_WAITING: usize = 1_024;
/// What all of them may weigh together, and any one of them.
pub(super) const HEAVIEST: usize = 8 * 1024 * 1024;
/// What a JSON value takes in memory, however short its text.
pub(super) const VALUE: usize = 72;
/// The server is ending.
const ENDING: ErrorCode = ErrorCode(-32000);

impl Gate {
    pub(super) fn new(input_ended: CancellationToken) -> Self {
        let (state, changed, freed) = (Mutex::default(), Notify::new(), Notify::new());
        Self { state, changed, freed, input_ended }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a message through, or keeps it until there is a slot.
    pub(super) fn admit(
        self: &Arc<Self>,
        message: ClientJsonRpcMessage,
        weight: usize,
    ) -> Result<(), ErrorData> {
        match message {
            JsonRpcMessage::Request(request) => self.request(request, weight)?,
            JsonRpcMessage::Notification(notification) => self.notification(notification),
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {
                let mut state = self.state();
                // An answer to something this server asked; before it has asked, nothing is one.
                if state.open {
                    state.queue.push_back(message);
                }
            }
        }
        self.changed.notify_one();
        Ok(())
    }

    fn request(
        self: &Arc<Self>,
        request: JsonRpcRequest<ClientRequest>,
        weight: usize,
    ) -> Result<(), ErrorData> {
        let mut state = self.state();
        if state.stopping {
            return Err(ending());
        }
        let known = |waiting: &Waiting| waiting.request.id == request.id;
        if state.unanswered.contains_key(&request.id) || state.waiting.iter().any(known) {
            let trouble = "a request with this id is still being worked on";
            return Err(ErrorData::invalid_request(trouble, None));
        }
        state.open |= chooses_era(&request.request);
        state.weight += weight;
        let kind = kind(&request.request);
        state.waiting.push_back(Waiting { request, weight, kind });
        self.fill(&mut state);
        Ok(())
    }

    fn notification(&self, notification: JsonRpcNotification<ClientNotification>) {
        let mut state = self.state();
        if !state.open {
            return;
        }
        let mut cancelled = None;
        if let ClientNotification::CancelledNotification(told) = &notification.notification
            && let Some(id) = &told.params.request_id
        {
            cancelled = state.unanswered.get_mut(id).and_then(Option::take);
            let State { waiting, weight, .. } = &mut *state;
            waiting.retain(|waiting| {
                let stays = waiting.request.id != *id;
                *weight -= if stays { 0 } else { waiting.weight };
                stays
            });
        }
        state.queue.push_back(JsonRpcMessage::Notification(notification));
        drop(state);
        // Giving a slot back takes the state again.
        drop(cancelled);
    }

    /// Lets requests through while there are slots.
    fn fill(self: &Arc<Self>, state: &mut State) {
        while let Some(at) = state.next()
            && let Some(Waiting { mut request, weight, .. }) = state.waiting.remove(at)
        {
            let id = request.id.clone();
            let slot = Slot(Arc::new(Held { gate: self.clone(), id, weight }));
            state.slots += 1;
            state.unanswered.insert(request.id.clone(), Some(slot.clone()));
            request.request.extensions_mut().insert(slot);
            state.queue.push_back(JsonRpcMessage::Request(request));
        }
    }

    /// The slot of a request that is being answered: its id may be used again.
    pub(super) fn answered(&self, id: &RequestId) -> Option<Slot> {
        let slot = self.state().unanswered.remove(id).flatten();
        self.changed.notify_one();
        slot
    }

    /// The next message; `None` when none will come and none is left to answer.
    pub(super) async fn next(&self) -> Option<ClientJsonRpcMessage> {
        loop {
            {
                let mut state = self.state();
                if let Some(message) = state.queue.pop_front() {
                    if state.queue.len() < MOST_WAITING {
                        self.freed.notify_one();
                    }
                    return Some(message);
                }
                if (state.ended || state.stopping) && state.waiting.is_empty() {
                    self.input_ended.cancel();
                    if state.unanswered.is_empty() {
                        return None;
                    }
                }
            }
            self.changed.notified().await;
        }
    }

    /// No more input: what waits is still worked on.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// Begins nothing any more; the requests that waited are to be refused.
    pub(super) fn stop(&self) -> Vec<RequestId> {
        let mut state = self.state();
        state.stopping = true;
        let refused: Vec<_> = state.waiting.drain(..).collect();
        state.weight -= refused.iter().map(|waiting| waiting.weight).sum::<usize>();
        self.changed.notify_one();
        self.freed.notify_one();
        refused.into_iter().map(|waiting| waiting.request.id).collect()
    }

    pub(super) async fn room(&self) {
        let full = |state: &State| {
            let messages = state.waiting.len() + state.queue.len();
            messages >= MOST_WAITING || state.weight >= HEAVIEST
        };
        while full(&self.state()) {
            self.freed.notified().await;
        }
    }
}

impl State {
    /// Which of those that wait may go in now, if any may.
    fn next(&self) -> Option<usize> {
        let kinds = self.waiting.iter().map(|waiting| waiting.kind);
        let at = next(kinds)?;
        let is_change = self.waiting.get(at).is_some_and(|next| next.kind == Kind::Ahead);
        let most = if is_change { MOST_IN_FLIGHT } else { MOST_IN_FLIGHT - KEPT_FREE };
        (self.slots < most).then_some(at)
    }
}

impl Drop for Held {
    /// The next request may go in.
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.slots -= 1;
        state.weight -= self.weight;
        if state.unanswered.get(&self.id).is_some_and(Option::is_none) {
            state.unanswered.remove(&self.id);
        }
        self.gate.fill(&mut state);
        self.gate.changed.notify_one();
        self.gate.freed.notify_one();
    }
}

/// Which of these goes first: a change before the looks that came before it.
fn next(kinds: impl Iterator<Item = Kind>) -> Option<usize> {
    let mut kinds = kinds.enumerate().peekable();
    kinds.peek()?;
    match kinds.find(|(_, kind)| *kind != Kind::Look) {
        Some((at, Kind::Ahead)) => Some(at),
        _ => Some(0),
    }
}

fn kind(request: &ClientRequest) -> Kind {
    let call = match request {
        ClientRequest::CallToolRequest(call) => call,
        // Nothing rests on it, and it keeps nothing waiting.
        ClientRequest::PingRequest(_) => return Kind::Ahead,
        _ => return Kind::Other,
    };
    if tools::changes(&call.params.name) { Kind::Ahead } else { Kind::Look }
}

/// Whether rmcp leaves its opening with this request.
fn chooses_era(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        request => {
            let meta = request.get_meta();
            let known = |version| ProtocolVersion::KNOWN_VERSIONS.contains(&version);
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta.protocol_version().is_some_and(known)
        }
    }
}

/// What is said to a request that comes too late.
pub(super) fn ending() -> ErrorData {
    ErrorData::new(ENDING, "this server is ending; nothing was done with this request", None)
}

/// What is said to a call that the end of the server broke off.
pub(super) fn broken_off(call: BrokenOff) -> ErrorData {
    let said = if call.has_begun {
        "this server is ending, and some of this call was done: `grantor call check_change` lists it"
    } else {
        "this server is ending, and this call changed nothing; `grantor call check_change` lists a \
         question that it may have asked"
    };
    ErrorData::new(ENDING, crate::invocation::commands(said), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_overtakes_looks_and_nothing_else() {
        use Kind::{Ahead, Look, Other};
        for (kinds, first) in [
            (&[][..], None),
            (&[Look, Look], Some(0)),
            (&[Look, Look, Ahead, Ahead], Some(2)),
            (&[Look, Other, Ahead], Some(0)),
            (&[Other, Ahead], Some(0)),
            (&[Ahead, Look], Some(0)),
        ] {
            assert_eq!(next(kinds.iter().copied()), first);
        }
    }
}
