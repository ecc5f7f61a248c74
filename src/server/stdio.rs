//! One JSON message a line over stdin and stdout, under rmcp.
//!
//! Everything readable is answered: a line that is no message gets an error, with its id where one
//! can be found, and the connection lives. Lines are bounded, and so is what is in flight: more
//! requests wait, while notifications pass. `receive` only takes from a queue, so it may be dropped
//! at any point.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, GetMeta as _, JsonRpcMessage,
    ProtocolVersion, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::line::recover_id;

/// The transport of one client.
pub(super) struct Stdio {
    inbox: mpsc::UnboundedReceiver<ClientJsonRpcMessage>,
    gate: Arc<Gate>,
    outbox: mpsc::Sender<Vec<u8>>,
}

/// The two ends at work.
pub(super) struct Streams {
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
    /// How many times something was written.
    written: Arc<AtomicUsize>,
}

/// What is in flight, and what waits for a place.
struct Gate {
    state: Mutex<State>,
    /// Told when a place becomes free.
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// Where messages go; gone when the input has ended and nothing waits any more.
    admitted: Option<mpsc::UnboundedSender<ClientJsonRpcMessage>>,
    /// Whether the input has ended.
    ended: bool,
    in_flight: HashSet<RequestId>,
    waiting: VecDeque<(RequestId, ClientJsonRpcMessage)>,
    /// Whether the client has chosen an era: before that, nothing but requests means anything.
    open: bool,
}

/// The longest line that is read; a longer one is answered and passed over.
const LONGEST_LINE: usize = 4 * 1024 * 1024;
/// Requests that are worked on at the same time.
const MOST_IN_FLIGHT: usize = 64;
/// Requests that wait beyond that; then reading stops until one is done.
const MOST_WAITING: usize = 1_024;
/// How long a client may take to read some of its last answers.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Answers on their way out.
const OUTBOX: usize = 256;

/// What a line turned out to be.
enum Line {
    Message(Box<ClientJsonRpcMessage>),
    Wrong { id: Option<RequestId>, error: ErrorData },
    Nothing,
}

impl Stdio {
    /// Starts reading and writing; both end with either stream.
    pub(super) fn start(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> (Self, Streams) {
        let (admitted, inbox) = mpsc::unbounded_channel();
        let (outbox, lines) = mpsc::channel(OUTBOX);
        let state = State { admitted: Some(admitted), ..State::default() };
        let gate = Arc::new(Gate { state: Mutex::new(state), freed: Notify::new() });
        let written = Arc::default();
        let streams = Streams {
            writing: tokio::spawn(write(writer, lines, Arc::clone(&written))),
            written,
            reading: tokio::spawn(read(reader, gate.clone(), outbox.clone())),
        };
        (Self { inbox, gate, outbox }, streams)
    }
}

impl Streams {
    /// Stops reading, and waits until what was answered has been written, for as long as the
    /// client goes on reading.
    pub(super) async fn finish(mut self) {
        self.reading.abort();
        loop {
            let before = self.written.load(Relaxed);
            if tokio::time::timeout(LAST_WORDS, &mut self.writing).await.is_ok() {
                return;
            }
            if self.written.load(Relaxed) == before {
                tracing::warn!("the client does not read its last answers");
                return;
            }
        }
    }
}

impl Transport<RoleServer> for Stdio {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        if let JsonRpcMessage::Response(response) = &message {
            self.gate.done(&response.id);
        } else if let JsonRpcMessage::Error(error) = &message
            && let Some(id) = &error.id
        {
            self.gate.done(id);
        }
        let (line, outbox) = (encode(&message), self.outbox.clone());
        async move {
            let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            outbox.send(line?).await.map_err(gone)
        }
    }

    /// The next message, or the end. A client that no longer reads has gone as well.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        tokio::select! {
            message = self.inbox.recv() => message,
            () = self.outbox.closed() => None,
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.inbox.close();
        Ok(())
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a message through, or keeps it until there is a place; `None` refuses it.
    fn admit(&self, message: ClientJsonRpcMessage) -> Option<()> {
        let mut state = self.state();
        match &message {
            JsonRpcMessage::Request(request) => {
                let id = request.id.clone();
                let known = |(waiting, _): &(RequestId, _)| *waiting == id;
                if state.in_flight.contains(&id) || state.waiting.iter().any(known) {
                    return None;
                }
                state.open |= chooses_era(&request.request);
                if state.in_flight.len() >= MOST_IN_FLIGHT {
                    state.waiting.push_back((id, message));
                    return Some(());
                }
                state.in_flight.insert(id);
            }
            JsonRpcMessage::Notification(_) if !state.open => return Some(()),
            JsonRpcMessage::Notification(notification) => {
                if let rmcp::model::ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    state.waiting.retain(|(waiting, _)| waiting != id);
                    // It is not answered, so its place is free.
                    if state.in_flight.remove(id) {
                        self.next(&mut state);
                    }
                }
            }
            // An answer to something this server asked; before it has asked, nothing is one.
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) if !state.open => {
                return Some(());
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        state.pass(message);
        Some(())
    }

    /// A request was answered: the next one may go in.
    fn done(&self, id: &RequestId) {
        let mut state = self.state();
        if state.in_flight.remove(id) {
            self.next(&mut state);
        }
    }

    fn next(&self, state: &mut State) {
        if let Some((id, message)) = state.waiting.pop_front() {
            state.in_flight.insert(id);
            state.pass(message);
        }
        state.close_if_over();
        self.freed.notify_one();
    }

    /// No more input: what waits is still worked on.
    fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.close_if_over();
    }

    async fn room(&self) {
        while self.state().waiting.len() >= MOST_WAITING {
            self.freed.notified().await;
        }
    }
}

impl State {
    fn pass(&self, message: ClientJsonRpcMessage) {
        if let Some(admitted) = &self.admitted {
            // The receiver ends only with the connection.
            let _ = admitted.send(message);
        }
    }

    fn close_if_over(&mut self) {
        if self.ended && self.waiting.is_empty() {
            self.admitted = None;
        }
    }
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

async fn read(
    reader: impl AsyncRead + Send + Unpin,
    gate: Arc<Gate>,
    outbox: mpsc::Sender<Vec<u8>>,
) {
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let (mut line, mut whole) = (Vec::new(), true);
    while let Ok(chunk) = reader.fill_buf().await {
        let ended = chunk.is_empty();
        let newline = chunk.iter().position(|&byte| byte == b'\n');
        let taken = newline.unwrap_or(chunk.len());
        if line.len() + taken <= LONGEST_LINE {
            line.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        } else {
            whole = false;
        }
        let consumed = newline.map_or(taken, |place| place + 1);
        reader.consume(consumed);
        if newline.is_none() && !ended {
            continue;
        }
        // The last line counts without its end, too.
        if answer(&line, whole, &gate, &outbox).await.is_err() || ended {
            break;
        }
        line.clear();
        whole = true;
        gate.room().await;
    }
    gate.end();
}

/// Passes a line's message on, or answers what is wrong with it.
async fn answer(
    line: &[u8],
    whole: bool,
    gate: &Gate,
    outbox: &mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let understood = if whole { understand(line) } else { too_long(line) };
    let (id, error) = match understood {
        Line::Nothing => return Ok(()),
        Line::Wrong { id, error } => (id, error),
        Line::Message(message) => {
            let id = match &*message {
                JsonRpcMessage::Request(request) => Some(request.id.clone()),
                _ => None,
            };
            if gate.admit(*message).is_some() {
                return Ok(());
            }
            (
                id,
                ErrorData::invalid_request("a request with this id is still being worked on", None),
            )
        }
    };
    let line = encode(&ServerJsonRpcMessage::error(error, id))?;
    outbox.send(line).await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
}

fn too_long(line: &[u8]) -> Line {
    let trouble = format!("a line of more than {LONGEST_LINE} bytes is not read");
    wrong(ErrorCode::PARSE_ERROR, trouble, recover_id(line))
}

/// What a line comes to, as JSON: `{code, id}` where it is answered at once, `{message}` where it is
/// passed on, `null` where it is nothing. To try lines out; the server itself goes another way.
#[doc(hidden)]
pub fn sorted(line: &[u8]) -> Value {
    match understand(line) {
        Line::Nothing => Value::Null,
        Line::Wrong { id, error } => serde_json::json!({ "code": error.code.0, "id": id }),
        Line::Message(message) => serde_json::json!({ "message": message }),
    }
}

/// Sorts a line into a message, something to be answered, or nothing. Pure.
fn understand(line: &[u8]) -> Line {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Nothing;
    }
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return wrong(ErrorCode::PARSE_ERROR, "this line is not JSON", recover_id(line));
    };
    if value.is_array() {
        let trouble = "batches are not answered: send one message a line";
        return wrong(ErrorCode::INVALID_REQUEST, trouble, None);
    }
    let id = value.get("id").and_then(id);
    if value.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return wrong(ErrorCode::INVALID_REQUEST, "a message needs \"jsonrpc\": \"2.0\"", id);
    }
    let method = value.get("method").and_then(Value::as_str).map(str::to_owned);
    if method.is_some() && value.get("id").is_some() && id.is_none() {
        return wrong(ErrorCode::INVALID_REQUEST, "an id is text or a whole number", None);
    }
    if method.as_deref() == Some("tools/call")
        && let Some(trouble) = wrong_call(&value)
    {
        return wrong(ErrorCode::INVALID_PARAMS, trouble, id);
    }
    match serde_json::from_value(value) {
        Ok(message) => Line::Message(Box::new(message)),
        Err(_) if method.is_some() && id.is_some() => {
            wrong(ErrorCode::INVALID_PARAMS, "the parameters do not fit the method", id)
        }
        Err(_) => wrong(ErrorCode::INVALID_REQUEST, "this is neither a request nor an answer", id),
    }
}

/// What is wrong with the parameters of a call, where rmcp would take it for an unknown method.
fn wrong_call(message: &Value) -> Option<&'static str> {
    let params = message.get("params");
    let field = |name| params.and_then(|params| params.get(name));
    if !field("name").is_some_and(Value::is_string) {
        return Some("tools/call needs a name, which is text");
    }
    let fits = |arguments: &Value| arguments.is_object() || arguments.is_null();
    (!field("arguments").is_none_or(fits)).then_some("arguments must be an object")
}

fn id(value: &Value) -> Option<RequestId> {
    match value {
        Value::String(text) => Some(RequestId::String(text.as_str().into())),
        Value::Number(number) => number.as_i64().map(RequestId::Number),
        _ => None,
    }
}

fn wrong(code: ErrorCode, trouble: impl Into<String>, id: Option<RequestId>) -> Line {
    Line::Wrong { id, error: ErrorData::new(code, trouble.into(), None) }
}

fn encode(message: &ServerJsonRpcMessage) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes what is there, then flushes once.
async fn write(
    mut writer: impl AsyncWrite + Send + Unpin,
    mut lines: mpsc::Receiver<Vec<u8>>,
    written: Arc<AtomicUsize>,
) {
    while let Some(line) = lines.recv().await {
        let mut batch = line;
        while batch.len() < 64 * 1024
            && let Ok(more) = lines.try_recv()
        {
            batch.extend_from_slice(&more);
        }
        if writer.write_all(&batch).await.is_err() || writer.flush().await.is_err() {
            return;
        }
        written.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], code: i32, id: Option<RequestId>) {
        match understand(line) {
            Line::Wrong { id: found, error } => {
                assert_eq!((error.code.0, found), (code, id), "{}", String::from_utf8_lossy(line));
            }
            Line::Message(_) | Line::Nothing => panic!("{}", String::from_utf8_lossy(line)),
        }
    }

    #[test]
    fn what_is_no_message_is_answered() {
        let number = |id| Some(RequestId::Number(id));
        let deep = format!(r#"{{"id":7,"x":{}"#, "[".repeat(200));
        check(br#"{"jsonrpc":"2.0","id":1,"method":"#, -32700, number(1));
        check(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"\xff\"}", -32700, number(2));
        check(br#"{"id":3,"method":"\ud800"}"#, -32700, number(3));
        check(deep.as_bytes(), -32700, number(7));
        check(b"nonsense", -32700, None);
        check(b"42", -32600, None);
        check(b"[]", -32600, None);
        check(br#"{"id":4,"method":"tools/list"}"#, -32600, number(4));
        check(br#"{"jsonrpc":"2.0","id":true,"method":"tools/list"}"#, -32600, None);
        check(br#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#, -32600, None);
        check(br#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{}}"#, -32602, number(5));
        check(
            br#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"x","arguments":[]}}"#,
            -32602,
            number(6),
        );
        assert!(matches!(understand(b" \r"), Line::Nothing));
    }
}
