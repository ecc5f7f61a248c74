//! One JSON message a line over stdin and stdout, under rmcp.
//!
//! Everything readable is answered: a line that is no message gets an error, with its id where one
//! can be found, and the connection lives. Lines are bounded, and so is what is in flight: more
//! requests wait, while notifications pass, and a client that does not read is not read either.
//! `receive` only takes from a queue, so it may be dropped at any point.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ErrorCode, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::gate::{Gate, HEAVIEST, Slot, VALUE, ending};
use super::line::recover_id;
use super::shutdown::Shutdown;
use crate::{input, json};

/// The transport of one client.
pub(super) struct Stdio {
    gate: Arc<Gate>,
    outbox: mpsc::Sender<Outgoing>,
}

/// The receipts in answers that have not been written yet, by what they answer.
#[derive(Clone, Default)]
pub(super) struct Unheard(Arc<Mutex<Vec<Receipts>>>);

/// What is answered, and the receipts in the answer.
type Receipts = (RequestId, Vec<String>);

/// The two ends at work.
pub(super) struct Streams {
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
    /// How many times something was written.
    written: Arc<AtomicUsize>,
    unheard: Unheard,
}

/// A line to be written, and the slot that is free when it is.
struct Outgoing {
    line: Vec<u8>,
    /// What it answers.
    id: Option<RequestId>,
    _slot: Option<Slot>,
}

/// More answers than this are not on their way at once.
const MOST_UNHEARD: usize = 1_000;
/// The longest line that is read; a longer one is answered and passed over.
const LONGEST_LINE: usize = 1024 * 1024;
/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// How long what was asked for may take after the end of input, or after the process was asked to
/// end: clients that ask by a pipe are answered, and none waits long for the process to end.
const GRACE: Duration = Duration::from_secs(3);
/// How long a client may take to read some of its last answers.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Lines on their way out.
const OUTBOX: usize = 256;
/// What a line turned out to be.
pub(super) enum Line {
    Message(Box<ClientJsonRpcMessage>),
    Wrong { id: Option<RequestId>, error: ErrorData },
    Nothing,
}

impl Stdio {
    /// Starts reading and writing; both end with either stream. Once the process is asked to end, what
    /// waits is refused, and so is what still comes. It cancels `input_ended` when no message will come
    /// any more, and `abandon_unsent` a little later.
    pub(super) fn start(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        unheard: Unheard,
        shutdown: &Shutdown,
    ) -> (Self, Streams) {
        let (outbox, lines) = mpsc::channel(OUTBOX);
        let gate = Arc::new(Gate::new(shutdown.input_ended.clone()));
        let written = Arc::default();
        let writing = write(writer, lines, Arc::clone(&written), unheard.clone());
        let streams = Streams {
            writing: tokio::spawn(writing),
            written,
            unheard,
            reading: tokio::spawn(read(reader, gate.clone(), outbox.clone(), shutdown.clone())),
        };
        (Self { gate, outbox }, streams)
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
                break;
            }
            if self.written.load(Relaxed) == before {
                tracing::warn!("the client does not read its last answers");
                break;
            }
        }
        self.unheard.tell();
    }
}

fn unheard(receipts: &[String]) {
    let receipts = receipts.join(", ");
    tracing::warn!(
        "the client has not read what became of {receipts}; `grantor call check_change` with a \
         receipt says it"
    );
}

impl Unheard {
    /// An answer is ready that tells of these changes.
    pub(super) fn add(&self, id: RequestId, receipts: Vec<String>) {
        if receipts.is_empty() {
            return;
        }
        let mut held = self.held();
        // A call that its client has cancelled is answered by nobody.
        let first = (held.len() >= MOST_UNHEARD).then(|| held.remove(0).1);
        held.push((id, receipts));
        drop(held);
        first.iter().for_each(|receipts| unheard(receipts));
    }

    fn heard(&self, ids: &[RequestId]) {
        self.held().retain(|(id, _)| !ids.contains(id));
    }

    /// Says which changes the client has not heard of: nobody else knows their receipts.
    fn tell(&self) {
        let receipts: Vec<_> = self.held().drain(..).flat_map(|(_, receipts)| receipts).collect();
        if !receipts.is_empty() {
            unheard(&receipts);
        }
    }

    fn held(&self) -> MutexGuard<'_, Vec<Receipts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport<RoleServer> for Stdio {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let id = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        let slot = id.as_ref().and_then(|id| self.gate.answered(id));
        let outbox = self.outbox.clone();
        async move {
            let outgoing = Outgoing { line: encode(&message)?, id, _slot: slot };
            outbox.send(outgoing).await.map_err(gone)
        }
    }

    /// The next message, or the end. A client that no longer reads has gone as well.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        tokio::select! {
            message = self.gate.next() => message,
            () = self.outbox.closed() => {
                self.gate.input_ended.cancel();
                None
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        Ok(())
    }
}

async fn read(
    reader: impl AsyncRead + Send + Unpin,
    gate: Arc<Gate>,
    outbox: mpsc::Sender<Outgoing>,
    shutdown: Shutdown,
) {
    let mut lines = std::pin::pin!(answer_lines(reader, &gate, &outbox));
    let ended = tokio::select! {
        () = &mut lines => true,
        () = shutdown.asked.cancelled() => false,
    };
    if ended {
        gate.end();
        // Asked to end as well, it waits no longer.
        let _ = tokio::time::timeout(GRACE, shutdown.asked.cancelled()).await;
    }
    let refused = gate.stop();
    let refusing = async {
        for id in refused {
            if say(ending(), Some(id), &outbox).await.is_err() {
                return;
            }
        }
        if !ended {
            lines.await;
        }
    };
    let giving_up = async {
        if !ended || shutdown.asked.is_cancelled() {
            tokio::time::sleep(GRACE).await;
        }
        shutdown.abandon_unsent.cancel();
    };
    tokio::join!(refusing, giving_up);
}

async fn answer_lines(
    reader: impl AsyncRead + Send + Unpin,
    gate: &Arc<Gate>,
    outbox: &mpsc::Sender<Outgoing>,
) {
    let mut reader = BufReader::with_capacity(CHUNK, reader);
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
        if answer(&line, whole, gate, outbox).await.is_err() || ended {
            return;
        }
        line.clear();
        line.shrink_to(64 * 1024);
        whole = true;
        gate.room().await;
    }
}

/// Passes a line's message on, or answers what is wrong with it.
async fn answer(
    line: &[u8],
    whole: bool,
    gate: &Arc<Gate>,
    outbox: &mpsc::Sender<Outgoing>,
) -> io::Result<()> {
    let weight = weight(line);
    let understood = if whole && weight <= HEAVIEST { understand(line) } else { too_long(line) };
    let (id, error) = match understood {
        Line::Nothing => return Ok(()),
        Line::Wrong { id, error } => (id, error),
        Line::Message(message) => {
            let id = match &*message {
                JsonRpcMessage::Request(request) => Some(request.id.clone()),
                _ => None,
            };
            let Err(error) = gate.admit(*message, weight) else { return Ok(()) };
            (id, error)
        }
    };
    say(error, id, outbox).await
}

async fn say(
    error: ErrorData,
    id: Option<RequestId>,
    outbox: &mpsc::Sender<Outgoing>,
) -> io::Result<()> {
    let line = encode(&ServerJsonRpcMessage::error(error, id))?;
    outbox.send(Outgoing { line, id: None, _slot: None }).await.map_err(gone)
}

fn gone<T>(_: T) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

fn too_long(line: &[u8]) -> Line {
    let trouble = format!(
        "a line of more than {LONGEST_LINE} bytes, or more than {} values, is not read",
        HEAVIEST / VALUE
    );
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

/// About how many bytes a line takes once it is understood.
fn weight(line: &[u8]) -> usize {
    let values = line.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    line.len() + values * VALUE
}

/// Sorts a line into a message, something to be answered, or nothing. Pure.
pub(super) fn understand(line: &[u8]) -> Line {
    let line = input::unmarked(line);
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Nothing;
    }
    let Ok((mut value, doubled)) = json::read(line) else {
        let why = input::text(line).err().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        return wrong(
            ErrorCode::PARSE_ERROR,
            format!("this line is not JSON{why}"),
            recover_id(line),
        );
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
    if !doubled.is_empty() {
        return twice(doubled, id);
    }
    if method.as_deref() == Some("tools/call") {
        match read_arguments(&mut value) {
            Ok(doubled) if doubled.is_empty() => {}
            Ok(doubled) => return twice(doubled, id),
            Err(trouble) => return wrong(ErrorCode::INVALID_PARAMS, trouble, id),
        }
    }
    match serde_json::from_value(value) {
        Ok(message) => Line::Message(Box::new(message)),
        Err(_) if method.is_some() && id.is_some() => {
            wrong(ErrorCode::INVALID_PARAMS, "the parameters do not fit the method", id)
        }
        Err(_) => wrong(ErrorCode::INVALID_REQUEST, "this is neither a request nor an answer", id),
    }
}

/// A message that says something twice may be read in two ways, and is not read in either.
fn twice(doubled: Vec<String>, id: Option<RequestId>) -> Line {
    let own = |place: String| match place.strip_prefix("params.arguments.") {
        Some(argument) => argument.to_owned(),
        None => place,
    };
    let doubled = doubled.into_iter().map(own).collect::<Vec<_>>().join(", ");
    wrong(ErrorCode::INVALID_PARAMS, format!("given twice: {doubled}; give each key once"), id)
}

/// Makes arguments that came as text the object they are. Names what that text gives twice, or tells
/// what is wrong with the parameters, where rmcp would take the call for an unknown method.
fn read_arguments(message: &mut Value) -> Result<Vec<String>, &'static str> {
    let mut params = message.get_mut("params");
    let name = params.as_ref().and_then(|params| params.get("name"));
    if !name.is_some_and(Value::is_string) {
        return Err("tools/call needs a name, which is text");
    }
    let arguments = params.as_mut().and_then(|params| params.get_mut("arguments"));
    match arguments {
        None | Some(Value::Object(_) | Value::Null) => Ok(Vec::new()),
        Some(arguments) => match arguments.as_str().map(|text| json::read(text.as_bytes())) {
            Some(Ok((read @ Value::Object(_), doubled))) => {
                *arguments = read;
                Ok(doubled)
            }
            _ => Err("arguments must be an object"),
        },
    }
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
    mut lines: mpsc::Receiver<Outgoing>,
    written: Arc<AtomicUsize>,
    unheard: Unheard,
) {
    while let Some(Outgoing { line: mut batch, id, _slot: slot }) = lines.recv().await {
        let (mut ids, mut slots) = (Vec::from_iter(id), vec![slot]);
        while batch.len() < 64 * 1024
            && let Ok(Outgoing { line, id, _slot: slot }) = lines.try_recv()
        {
            batch.extend_from_slice(&line);
            ids.extend(id);
            slots.push(slot);
        }
        let flushed = match writer.write_all(&batch).await {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = flushed {
            tracing::warn!(%error, "the client does not read");
            return;
        }
        written.fetch_add(1, Relaxed);
        unheard.heard(&ids);
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
        for arguments in [r#""[]""#, r#""{""#, "7", "true"] {
            let line = format!(
                r#"{{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{{"name":"x","arguments":{arguments}}}}}"#
            );
            check(line.as_bytes(), -32602, number(8));
        }
        assert!(matches!(understand(b" \r"), Line::Nothing));
    }

    /// Wherever in the message it is, and in whatever way it is written.
    #[test]
    fn a_key_that_is_given_twice_is_named_by_the_callers_name() {
        let call = |arguments: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","arguments":{arguments}}}}}"#
            )
        };
        for (line, named) in [
            (call(r#"{"dry_run": true, "dry_run": false}"#), "dry_run"),
            (call(r#"{"dry_run": true, "dry\u005frun": true}"#), "dry_run"),
            (call(r#"{"role": {"id": "1", "id": "2"}}"#), "role.id"),
            (call(r#"{"list": [{"user": "a"}, {"user": "a", "user": "b"}]}"#), "list[1].user"),
            (call(r#""{\"dry_run\": true, \"dry_run\": false}""#), "dry_run"),
            (call(r#"{}, "name": "y""#), "params.name"),
            (
                call("{}").replacen(r#""method""#, r#""method": "tools/list", "method""#, 1),
                "method",
            ),
            (call("{}").replacen(r#""id":1"#, r#""id":7,"id":1"#, 1), "id"),
        ] {
            let Line::Wrong { id, error } = understand(line.as_bytes()) else { panic!("{line}") };
            let told = format!("given twice: {named}; give each key once");
            assert_eq!((error.code.0, error.message.as_ref()), (-32602, told.as_str()), "{line}");
            assert_eq!(id, Some(RequestId::Number(1)));
        }
    }

    #[test]
    fn arguments_in_text_are_the_object_they_are() {
        let line = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":"{\"a\": 1}"}}"#;
        let Line::Message(message) = understand(line) else { panic!("no message") };
        assert_eq!(serde_json::to_value(message).unwrap()["params"]["arguments"]["a"], 1);
    }
}
