//! What was done: one append-only file of JSON lines.
//!
//! A change is opened and flushed to disk before anything leaves, and closed when its outcome is
//! known; refusals are lines too. [`Opened`] is made here and nowhere else: a write that nobody
//! recorded does not compile.

mod history;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

pub use history::{End, Record};

use crate::access::{Access, Outcome};
use crate::draft::Draft;
use crate::failure::{Failure, Kind};
use crate::guard::{Denied, Permitted};
use crate::intent::Intent;

pub struct Ledger {
    path: Arc<PathBuf>,
    requester: String,
}

/// A change that is on disk: it may leave, once.
#[derive(Debug)]
pub struct Opened {
    receipt: String,
    permitted: Box<Permitted>,
}

/// How a change ended, for its closing line.
#[derive(Debug)]
pub struct Closing<'a> {
    pub outcome: Outcome,
    pub status: Option<u16>,
    pub request_id: Option<&'a str>,
    pub after: &'a [Access],
    pub note: Option<&'a str>,
    /// What the vendor said of a change it holds.
    pub held: Option<&'a Value>,
}

impl Ledger {
    /// A ledger in `dir`. Touches nothing: the file is made by the first change.
    pub fn new(dir: &Path) -> Self {
        let requester = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
        Self { path: Arc::new(dir.join("ledger.jsonl")), requester }
    }

    /// Who asks.
    pub fn requester(&self) -> &str {
        &self.requester
    }

    /// Records that a change is about to be sent.
    ///
    /// # Errors
    /// The line cannot be written and flushed: then nothing may be sent.
    pub async fn open(&self, permitted: Box<Permitted>) -> Result<Opened, Failure> {
        let receipt = receipt();
        let line = self.line("open", &receipt, permitted.intent().recorded());
        self.append(line, true).await.map_err(|error| {
            let path = self.path.display();
            Failure::new(Kind::Unavailable, format!("the ledger {path} cannot be written: {error}"))
                .hint(
                    "nothing was sent; make the state directory writable, or set GRANTOR_STATE_DIR",
                )
        })?;
        Ok(Opened { receipt, permitted })
    }

    /// Records how a change ended. A line that cannot be written leaves the change open, which is
    /// the safe reading; it is logged.
    pub async fn close(&self, receipt: &str, closing: &Closing<'_>) {
        let content = json!({
            "outcome": closing.outcome,
            "vendor_status": closing.status,
            "vendor_request_id": closing.request_id,
            "after": closing.after,
            "note": closing.note,
            "held": closing.held,
        });
        let line = self.line("close", receipt, content);
        if let Err(error) = self.append(line, false).await {
            tracing::error!(receipt, %error, "the closing line could not be written");
        }
    }

    /// Every change, oldest first.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub async fn history(&self) -> Result<Vec<Record>, Failure> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || history::read(&path)).await;
        read.map_err(io::Error::other).and_then(|read| read).map_err(|error| {
            let path = self.path.display();
            Failure::new(Kind::Unavailable, format!("the ledger {path} cannot be read: {error}"))
                .hint("make it readable for this user")
        })
    }

    /// Records a refusal.
    pub async fn refuse(&self, denied: &Denied) {
        let mut content = denied.intent.recorded();
        crate::json::extend(
            &mut content,
            json!({
                "outcome": Outcome::Refused,
                "policy": denied.policy,
                "note": denied.message,
            }),
        );
        let line = self.line("refused", &receipt(), content);
        if let Err(error) = self.append(line, false).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    fn line(&self, event: &str, receipt: &str, content: Value) -> String {
        let mut line = json!({
            "event": event,
            "receipt": receipt,
            "time": jiff::Timestamp::now().to_string(),
            "requester": self.requester,
            "process": std::process::id(),
        });
        crate::json::extend(&mut line, content);
        format!("{line}\n")
    }

    async fn append(&self, line: String, flush: bool) -> io::Result<()> {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = open(&path)?;
            // One lock a line keeps the lines of several processes whole.
            file.lock()?;
            if is_torn(&file)? {
                file.write_all(b"\n")?;
            }
            file.write_all(line.as_bytes())?;
            if flush { file.sync_data() } else { Ok(()) }
        });
        written.await.map_err(io::Error::other)?
    }
}

impl Opened {
    pub fn receipt(&self) -> &str {
        &self.receipt
    }

    pub fn intent(&self) -> &Intent {
        self.permitted.intent()
    }

    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    pub(crate) fn draft(&self) -> &Draft {
        &self.intent().draft
    }
}

fn receipt() -> String {
    format!("gr-{}", crate::random::id())
}

/// Whether the last line has no end: its writer died while writing it.
fn is_torn(mut file: &File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        crate::private::directory(dir)?;
    }
    crate::private::append(path)
}
