//! What was done: one append-only file of JSON lines.
//!
//! A change is opened and flushed to disk before anything leaves, and closed when its outcome is
//! known; refusals are lines too. Each line is chained to the one before it and sealed; a line whose
//! seal does not hold is not acted on.
//!
//! ```text
//!  a change     open ─────────────► close ───► found*       extended*   overdue*   over
//!               flushed, then sent  how it     what a       its end     its end    nothing more
//!                                   ended      look showed  is another  did not    to take back
//!                                                                       come
//!  a consent    asked ──► answered ──► spent ──► open …     or, where nothing was sent: concluded
//!               flushed   flushed      flushed
//!  else         refused   accepted     broken
//!
//!  store ──threads, keys──► journal ──lock, append, flush──► files: lines.jsonl, ledger.head
//!                              └──── index (SQLite) finds; what a line says is read from the line
//! ```
//!
//! Whoever writes may rely on this: [`Ledger::open`], [`Ledger::ask`], [`Ledger::answer`],
//! [`Ledger::spend`] and [`Ledger::extend`] come back only when the line is on disk, and on an error
//! nothing was done that counts. A line that depends on others (a consent that is spent, an end that is
//! found) is looked up and written under one lock, whatever other processes do. A yes counts only where
//! every line since its question holds its seal and its place; what it becomes in every state is the table
//! of `consent`. Whoever reads gets what the lines say, or an error, and never an old state in silence:
//! what cannot be read or trusted is a [`Trouble`], told with every answer that rests on it.
//!
//! Any number of processes may have a ledger open; each looks at the lines anew before it acts on them.

mod aside;
mod audit;
mod chain;
pub mod consent;
mod files;
mod follow;
mod head;
mod history;
mod index;
mod journal;
mod late;
mod length;
mod locks;
pub mod ocsf;
mod presence;
mod read;
mod record;
mod request;
mod room;
mod store;
mod superseded;
mod unless;
mod watched;
mod whose;

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use aside::SetAside;
pub use audit::{Audit, Break, Head};
pub use consent::State;
pub use index::Trouble;
pub use journal::MOVED;
pub use locks::{Lock, Locks, Right};
pub use record::{End, Record};
pub use request::{Answered, Asking, Concluded, Content, Decision, Request, SIGNATURE};
pub use watched::{describe, warned};
pub use whose::Whose;

use super::permit::Denied;
use super::permit::Permitted;
pub use super::permit::{Opened, Spent};
use crate::access::{Access, Outcome};
use crate::failure::{Failure, Kind};
use crate::secret::Secret;
use journal::Entry;
use store::{READ, Store, WRITE};
use unless::{Objection, OfChange, OfRequest, Question, Unless};

pub struct Ledger {
    store: Store,
    watched: watched::Watched,
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
    /// The vendor said yes and still showed what was there before: `after` is what was meant.
    pub unseen: bool,
}

impl Ledger {
    /// A ledger in `dir`, sealed by `key` or else by a key kept beside it. Touches nothing: what
    /// is missing is made by the first line.
    pub fn new(dir: &Path, key: Option<Secret>) -> Self {
        Self { store: Store::new(dir, key), watched: watched::Watched::default() }
    }

    /// The same where these are the names that each tenant has and had.
    pub fn knowing(self, mut names: Vec<Vec<Option<String>>>) -> Self {
        names.retain(|names| names.len() > 1);
        self.store.journal.know(names);
        self
    }

    /// Who asks, as the lines name them: the operating-system user.
    pub fn requester(&self) -> &str {
        self.store.journal.requester()
    }

    /// Where processes that share this ledger ask for rights that one of them has at a time.
    pub fn locks(&self) -> Locks {
        Locks::beside(self.store.journal.dir())
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
        let is_new = receipt.is_none();
        let receipt = receipt.unwrap_or_else(new_receipt);
        // Counted as under way before its line is there: nobody may take it for left.
        let opened = Opened::new(receipt, permitted, self.store.journal.in_flight());
        match opened.permitted().consent().map(str::to_owned) {
            Some(consent) => {
                // Between the yes and this line nobody else may have changed the same access.
                let unless = Unless::Request(consent, OfRequest::Unopenable);
                let entry = Entry::next("open", opened.receipt(), content).flushed();
                self.store.write_unless(entry, unless).await??;
            }
            None if is_new => {
                self.store.write(Entry::first("open", opened.receipt(), content).flushed()).await?;
            }
            None => {
                self.store.write(Entry::next("open", opened.receipt(), content).flushed()).await?;
            }
        }
        Ok(opened)
    }

    /// Records how a change ended. A line that cannot be written leaves the change open, which is
    /// the safe reading.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn close(&self, receipt: &str, closing: &Closing<'_>) -> Result<(), Failure> {
        let entry = Entry::next("close", receipt, closing.recorded());
        self.store.write(entry).await.inspect_err(|error| {
            let what = &error.message;
            tracing::error!(receipt, what, "the change was sent, and how it ended is not recorded");
        })
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
        let entry = Entry::next("found", receipt, content);
        if by != "reconcile" {
            return self.store.write(entry).await.map(|()| true);
        }
        let unless = Unless::Change(receipt.to_owned(), OfChange::Ended);
        Ok(self.store.write_unless(entry, unless).await?.is_ok())
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
        if let Err(error) = self.store.write(Entry::first("refused", &receipt, content)).await {
            tracing::error!(receipt, %error, "a refusal could not be recorded");
        }
        receipt
    }

    /// Records a question to a person, and gives its receipt and whether nobody was asked for the same
    /// yet. The same question by the same requester that waits already is the same request; another
    /// question for the same takes the place of those before it, which end with it.
    ///
    /// # Errors
    /// The lines cannot be written and flushed.
    pub async fn ask(&self, asking: &Asking<'_>) -> Result<(String, bool), Failure> {
        let earlier = self.live_for_the_same(&asking.content).await?;
        let (receipt, is_new) = self.ask_plainly(asking, earlier.last()).await?;
        let has_ended_others = self.supersede(&receipt, &asking.content).await?;
        Ok((receipt, is_new && !has_ended_others))
    }

    /// Records a question that follows another.
    async fn ask_plainly(
        &self,
        asking: &Asking<'_>,
        earlier: Option<&String>,
    ) -> Result<(String, bool), Failure> {
        let receipt = new_receipt();
        let mut kept = asking.content.clone();
        kept.follows = kept.follows.or_else(|| earlier.cloned());
        let content = json!({
            "digest": asking.digest,
            "until": asking.until.to_string(),
            "content": kept,
        });
        let unless = Unless::Waits(Box::new(Question::of(asking, self.requester())));
        let entry = Entry::first("asked", &receipt, content).flushed();
        match self.store.write_unless(entry, unless).await? {
            Ok(()) => Ok((receipt, true)),
            Err(Objection::Waits(known)) => Ok((known, false)),
            Err(objection) => Err(objection.into()),
        }
    }

    /// Records an answer. What was approved and not used yet can still be denied, withdrawn or
    /// overtaken; nothing is approved twice.
    ///
    /// # Errors
    /// It does not wait for such an answer any more, or the line cannot be written.
    pub async fn answer(&self, receipt: &str, answered: &Answered) -> Result<(), Failure> {
        Ok(self.write_answer(receipt, answered.decision, json!(answered)).await??)
    }

    async fn write_answer(
        &self,
        receipt: &str,
        decision: Decision,
        content: Value,
    ) -> Result<Result<(), Objection>, Failure> {
        let unless = Unless::Request(receipt.to_owned(), OfRequest::Unanswerable(decision));
        self.store.write_unless(Entry::next("answered", receipt, content).flushed(), unless).await
    }

    /// Uses a consent up.
    ///
    /// # Errors
    /// There is none, it was used, or it has lapsed; or the line cannot be written.
    pub async fn spend(&self, receipt: &str) -> Result<Spent, Failure> {
        let unless = Unless::Request(receipt.to_owned(), OfRequest::Unspendable);
        let entry = Entry::next("spent", receipt, json!({})).flushed();
        self.store.write_unless(entry, unless).await??;
        Ok(Spent::new(receipt))
    }

    /// Records what came of a yes on which nothing was sent. It is gone all the same, so a line that
    /// cannot be written is only logged.
    pub async fn conclude(&self, receipt: &str, concluded: &Concluded) {
        let entry = Entry::next("concluded", receipt, json!(concluded));
        if let Err(error) = self.store.write(entry).await {
            tracing::error!(receipt, %error, "what came of an approval could not be recorded");
        }
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
        self.store.write(Entry::next("extended", receipt, content).flushed()).await
    }

    /// Records that the end of a timed change needs nothing more.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn over(&self, receipt: &str, note: &str) -> Result<(), Failure> {
        self.store.write(Entry::next("over", receipt, json!({ "note": note }))).await
    }

    /// Records that the end of a timed change could not be carried out; once for each reason.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn overdue(&self, receipt: &str, why: &str) -> Result<(), Failure> {
        let unless = Unless::Change(receipt.to_owned(), OfChange::OverdueKnown(why.to_owned()));
        let entry = Entry::next("overdue", receipt, json!({ "why": why }));
        self.store.write_unless(entry, unless).await.map(|_| ())
    }

    /// Records that a person accepts what is wrong with the ledger, each thing by its place and
    /// hash. It gives nothing: a yes from before stays gone, and a receipt whose lines do not hold
    /// stays as it is.
    ///
    /// # Errors
    /// The line cannot be written and flushed.
    pub async fn accept(&self, troubles: &[Trouble], by: &str) -> Result<(), Failure> {
        let accepts: Vec<_> = troubles.iter().map(Trouble::recorded).collect();
        let content = json!({ "accepts": accepts, "by": by });
        self.store.write(Entry::first(index::ACCEPTED, &new_receipt(), content).flushed()).await
    }

    /// Puts the files of a ledger aside that cannot be read any more, because its key is lost or its
    /// lines are, and begins a new one. Gives the folder, and the ends that the old lines name,
    /// which nothing vouches for.
    ///
    /// # Errors
    /// The files cannot be moved, or the new ledger not begun.
    pub async fn begin_anew(&self, by: &str) -> Result<SetAside, Failure> {
        let journal = self.store.journal.clone();
        let key_stays = self.store.has_own_key();
        let aside = move || journal.set_aside(key_stays);
        let aside = self.store.blocking(aside, "cannot be put aside").await?;
        let content =
            json!({ "accepts": [], "by": by, "set_aside": aside.folder, "due": aside.due });
        self.store.write(Entry::first(index::ACCEPTED, &new_receipt(), content).flushed()).await?;
        Ok(aside)
    }

    /// Whether there can be lines: tries the key, and leaves nothing behind.
    ///
    /// # Errors
    /// The key cannot be read or is none, or the ledger cannot be read.
    pub async fn try_out(&self) -> Result<(), Failure> {
        self.store.try_keys().await
    }

    /// Whether lines can be written: tries it, and leaves nothing behind.
    ///
    /// # Errors
    /// They cannot, in words that say what to mend.
    pub async fn try_writing(&self) -> Result<(), Failure> {
        let journal = self.store.journal.clone();
        let tried = self.store.blocking(move || Ok(journal.try_writing()), WRITE).await?;
        tried.map_err(|trouble| Failure::new(Kind::Unavailable, trouble))
    }

    /// What is to be said of the room there is for lines, where it is little.
    pub fn scarce(&self) -> Option<String> {
        self.store.journal.scarce()
    }

    /// A seal for something that leaves and comes back.
    ///
    /// # Errors
    /// The key cannot be read or made.
    pub async fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], Failure> {
        let (purpose, bytes) = (purpose.to_owned(), bytes.to_owned());
        self.store.work(move |_, keys| keys.seal(&purpose, &bytes), "cannot be sealed").await
    }

    /// Reads every line and checks that the chain is whole; where a head was noted before, also
    /// that it is still part of it.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn audit(&self, noted: Option<Head>) -> Result<Audit, Failure> {
        self.store
            .look(move |journal, keys| journal.audit(keys, noted.as_ref(), |_, _| Ok(())))
            .await
    }

    /// The same, and gives every line, oldest first, with whether it holds its seal.
    ///
    /// # Errors
    /// The ledger cannot be read, or `take` fails.
    pub async fn audit_each(
        &self,
        take: impl FnMut(&str, bool) -> io::Result<()> + Send + 'static,
    ) -> Result<Audit, Failure> {
        self.store.look(move |journal, keys| journal.audit(keys, None, take)).await
    }

    /// Gives every line, oldest first, as long as `take` wants more. Seals are not looked at.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn walk(
        &self,
        take: impl FnMut(&str) -> io::Result<bool> + Send + 'static,
    ) -> Result<(), Failure> {
        let journal = self.store.journal.clone();
        self.store.blocking(move || journal.walk(take), READ).await
    }

    /// Where the file is that is added to.
    pub fn path(&self) -> std::path::PathBuf {
        self.store.journal.path()
    }
}

impl Closing<'_> {
    fn recorded(&self) -> Value {
        let mut line = json!({
            "outcome": self.outcome,
            "vendor_status": self.status,
            "vendor_request_id": self.request_id,
            "after": self.after,
            "note": self.note,
            "held": self.held,
        });
        if self.unseen {
            crate::json::put(&mut line, "unseen", true);
        }
        line
    }
}

fn new_receipt() -> String {
    format!("gr-{}", crate::random::id())
}
