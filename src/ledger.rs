//! What was done: one append-only file of JSON lines.
//!
//! A change is opened and flushed to disk before anything leaves, and closed when its outcome is
//! known; refusals are lines too. [`Opened`] is made here and nowhere else: a write that nobody
//! recorded does not compile.

mod book;
mod record;
mod request;

use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use record::{End, Record};
pub use request::{Answered, Asking, Decision, Request, State};

use crate::access::{Access, Outcome};
use crate::draft::Draft;
use crate::failure::{Failure, Kind};
use crate::guard::{Denied, Permitted};
use crate::intent::Intent;
use crate::secret::Secret;
use book::Book;

pub struct Ledger {
    book: Arc<Book>,
}

/// A change that is on disk: it may leave, once.
#[derive(Debug)]
pub struct Opened {
    receipt: String,
    permitted: Box<Permitted>,
}

/// A consent that is used up, on disk: good for what was asked, and for nothing else.
#[derive(Debug)]
pub struct Spent {
    receipt: String,
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
    /// A ledger in `dir`, sealed by `key` or else by a key kept beside it. Touches nothing: what
    /// is missing is made by the first line.
    pub fn new(dir: &Path, key: Option<Secret>) -> Self {
        let requester = whoami::username().unwrap_or_else(|_| "unknown".to_owned());
        let _ = key;
        Self { book: Arc::new(Book::new(dir, requester)) }
    }

    /// Who asks, as the lines name them: the operating-system user.
    pub fn requester(&self) -> &str {
        self.book.requester()
    }

    /// Records that a change is about to be sent, under a receipt that was asked for before or
    /// under a new one.
    ///
    /// # Errors
    /// The line cannot be written and flushed: then nothing may be sent.
    pub async fn open(
        &self,
        permitted: Box<Permitted>,
        receipt: Option<String>,
    ) -> Result<Opened, Failure> {
        let mut content = permitted.intent().recorded();
        let more = json!({ "policy": permitted.policy(), "consent": permitted.consent() });
        crate::json::extend(&mut content, more);
        let receipt = receipt.unwrap_or_else(new_receipt);
        self.write("open", &receipt, content, true).await?;
        Ok(Opened { receipt, permitted })
    }

    /// Records how a change ended. A line that cannot be written leaves the change open, which is
    /// the safe reading; it is logged.
    pub async fn close(&self, receipt: &str, closing: &Closing<'_>) {
        if let Err(error) = self.write("close", receipt, closing.recorded(), false).await {
            tracing::error!(receipt, %error, "the closing line could not be written");
        }
    }

    /// Records what reading the vendor showed later, which becomes the change's end. `reconcile`
    /// only ends what is still open: false if somebody else was first.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn found(
        &self,
        receipt: &str,
        closing: &Closing<'_>,
        by: &str,
    ) -> Result<bool, Failure> {
        let mut content = closing.recorded();
        crate::json::put(&mut content, "by", by);
        if by == "reconcile" {
            let record = self.find(receipt).await?;
            if record.is_none_or(|record| record.end.is_some()) {
                return Ok(false);
            }
        }
        self.write("found", receipt, content, false).await?;
        Ok(true)
    }

    /// Records a refusal, and gives its receipt.
    pub async fn refuse(&self, denied: &Denied) -> String {
        let mut content = denied.intent.recorded();
        let more = json!({ "policy": denied.policy, "note": denied.message });
        crate::json::extend(&mut content, more);
        self.refuse_plainly(content).await
    }

    /// Records a refusal of what never became an intent, and gives its receipt.
    pub async fn refuse_plainly(&self, mut content: Value) -> String {
        crate::json::put(&mut content, "outcome", Outcome::Refused.as_str());
        let receipt = new_receipt();
        if let Err(error) = self.write("refused", &receipt, content, false).await {
            tracing::error!(receipt, %error, "a refusal could not be recorded");
        }
        receipt
    }

    /// Records a question to a person, and gives its receipt.
    ///
    /// # Errors
    /// The line cannot be written and flushed.
    pub async fn ask(&self, asking: &Asking<'_>) -> Result<String, Failure> {
        let receipt = new_receipt();
        let content = json!({
            "digest": asking.digest,
            "until": asking.until.to_string(),
            "content": asking.content,
        });
        self.write("asked", &receipt, content, true).await?;
        Ok(receipt)
    }

    /// Records an answer. What was approved and not used yet can still be denied, withdrawn or
    /// overtaken; nothing is approved twice.
    ///
    /// # Errors
    /// It does not wait for such an answer any more, or the line cannot be written.
    pub async fn answer(&self, receipt: &str, answered: &Answered) -> Result<(), Failure> {
        self.asked(receipt).await?.may_be(answered.decision)?;
        self.write("answered", receipt, json!(answered), true).await
    }

    /// Uses a consent up.
    ///
    /// # Errors
    /// There is none, it was used, or it has lapsed; or the line cannot be written.
    pub async fn spend(&self, receipt: &str) -> Result<Spent, Failure> {
        self.asked(receipt).await?.may_be_spent()?;
        self.write("spent", receipt, json!({}), true).await?;
        Ok(Spent { receipt: receipt.to_owned() })
    }

    async fn asked(&self, receipt: &str) -> Result<Request, Failure> {
        let request = self.request(receipt).await?;
        request.ok_or_else(|| {
            Failure::invalid(format!("receipt: the ledger has no request {receipt}"))
                .hint("`grantor requests` lists those that wait")
        })
    }

    /// # Errors
    /// The ledger cannot be read.
    pub async fn request(&self, receipt: &str) -> Result<Option<Request>, Failure> {
        let receipt = receipt.to_owned();
        self.read(move |book| book.request(&receipt)).await
    }

    /// The requests that wait or are approved and not used, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn requests(&self) -> Result<Vec<Request>, Failure> {
        self.read(Book::requests).await
    }

    /// The change of this receipt.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn find(&self, receipt: &str) -> Result<Option<Record>, Failure> {
        let receipt = receipt.to_owned();
        let records = self.read(Book::records).await?;
        Ok(records.into_iter().find(|record| record.receipt == receipt))
    }

    /// Every change, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn history(&self) -> Result<Vec<Record>, Failure> {
        self.read(Book::records).await
    }

    /// Changes that were opened since then, or are open, or overdue, newest first and at most so
    /// many; and how many were left out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn recent(
        &self,
        since: Timestamp,
        most: usize,
    ) -> Result<(Vec<Record>, usize), Failure> {
        let mut records = self.read(Book::records).await?;
        records.retain(|record| {
            let fresh = record.time.parse::<Timestamp>().is_ok_and(|time| time >= since);
            fresh || record.end.is_none() || record.overdue.is_some()
        });
        records.reverse();
        let left = records.len().saturating_sub(most);
        records.truncate(most);
        Ok((records, left))
    }

    /// Changes that were opened before then by a process that is gone, and have no end.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn orphans(&self, before: Timestamp) -> Result<Vec<Record>, Failure> {
        let process = self.book.process().to_owned();
        let mut records = self.read(Book::records).await?;
        records.retain(|record| {
            let old = record.time.parse::<Timestamp>().is_ok_and(|time| time < before);
            old && record.end.is_none() && record.process != process
        });
        Ok(records)
    }

    /// Changes whose time has come, that may stand, and that nothing has taken back.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Record>, Failure> {
        let mut records = self.read(Book::records).await?;
        records.retain(|record| record.stands() && record.expires_at.is_some_and(|end| end <= now));
        Ok(records)
    }

    /// The standing timed change of `[vendor, principal, role, resource]`, by ids.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn timed(&self, access: [&str; 4]) -> Result<Option<Record>, Failure> {
        let records = self.read(Book::records).await?;
        let timed = |record: &Record| {
            record.stands() && record.expires_at.is_some() && record.key() == access
        };
        Ok(records.into_iter().rev().find(timed))
    }

    /// For each `[vendor, principal, role, resource]`, by ids, whether a change from here made it.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn granted(&self, accesses: &[[String; 4]]) -> Result<Vec<bool>, Failure> {
        let records = self.read(Book::records).await?;
        let made = |access: &[String; 4]| records.iter().any(|record| record.made(access));
        Ok(accesses.iter().map(made).collect())
    }

    /// How many changes this requester opened since then, the ends of timed ones aside.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn changes_since(&self, since: Timestamp) -> Result<u32, Failure> {
        let records = self.read(Book::records).await?;
        let counts = records.iter().filter(|record| {
            let fresh = record.time.parse::<Timestamp>().is_ok_and(|time| time >= since);
            fresh && record.ends.is_none() && record.requester == self.requester()
        });
        Ok(u32::try_from(counts.count()).unwrap_or(u32::MAX))
    }

    /// Records that a timed change ends at another time, or never.
    ///
    /// # Errors
    /// The line cannot be written and flushed.
    pub async fn extend(
        &self,
        receipt: &str,
        until: Option<Timestamp>,
        content: Value,
    ) -> Result<(), Failure> {
        let until = until.map(|until| until.to_string());
        let content = json!({ "expires_at": until, "content": content });
        self.write("extended", receipt, content, true).await
    }

    /// Records that the end of a timed change needs nothing more.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn over(&self, receipt: &str, note: &str) -> Result<(), Failure> {
        self.write("over", receipt, json!({ "note": note }), false).await
    }

    /// Records that the end of a timed change could not be carried out; once for each reason.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn overdue(&self, receipt: &str, why: &str) -> Result<(), Failure> {
        let record = self.find(receipt).await?;
        if record.is_some_and(|record| record.overdue.as_deref() == Some(why)) {
            return Ok(());
        }
        self.write("overdue", receipt, json!({ "why": why }), false).await
    }

    /// A seal for something that leaves and comes back, under the key in the state directory.
    ///
    /// # Errors
    /// The key cannot be read or made.
    pub async fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], Failure> {
        let (purpose, bytes) = (purpose.to_owned(), bytes.to_owned());
        self.work(move |book| book.seal(&purpose, &bytes), "cannot be sealed").await
    }

    async fn write(
        &self,
        event: &'static str,
        receipt: &str,
        content: Value,
        flush: bool,
    ) -> Result<(), Failure> {
        let line = self.book.line(event, receipt, content);
        let written = self.work(move |book| book.append(&line, flush), "cannot be written").await;
        written.map_err(|failure| {
            failure.hint(
                "nothing was sent; make the state directory writable, or set GRANTOR_STATE_DIR",
            )
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Book) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let read = self.work(read, "cannot be read").await;
        read.map_err(|failure| {
            failure.hint("make it readable for this user, or set GRANTOR_STATE_DIR")
        })
    }

    /// Files make a thread wait: it is one of those that may.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Book) -> io::Result<T> + Send + 'static,
        trouble: &str,
    ) -> Result<T, Failure> {
        let book = self.book.clone();
        let done = tokio::task::spawn_blocking(move || work(&book)).await;
        done.map_err(io::Error::other).and_then(|done| done).map_err(|error| {
            let path = self.book.path().display();
            Failure::new(Kind::Unavailable, format!("the ledger {path} {trouble}: {error}"))
        })
    }
}

impl Closing<'_> {
    fn recorded(&self) -> Value {
        json!({
            "outcome": self.outcome,
            "vendor_status": self.status,
            "vendor_request_id": self.request_id,
            "after": self.after,
            "note": self.note,
            "held": self.held,
        })
    }
}

impl Spent {
    /// Of the request that was approved.
    pub fn receipt(&self) -> &str {
        &self.receipt
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

    /// What is to be sent.
    pub(crate) fn draft(&self) -> Option<&Draft> {
        self.intent().draft.as_ref()
    }
}

fn new_receipt() -> String {
    format!("gr-{}", crate::random::id())
}
