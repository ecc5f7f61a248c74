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
//!  a set        set ──► open … of each of its changes, under receipts of their own
//!  a consent    asked ──► answered ──► spent ──► open …     or, where nothing was sent: concluded
//!               flushed   flushed      flushed
//!  else         refused   accepted     broken
//!
//!  what lines mean: record, request, consent, told, trail, unless (pure)
//!        ▲ the same for every store
//!  Ledger ──entries, unless, what to find, rights──► shelf ──► files: lines.jsonl, its index, locks
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

mod audit;
mod chain;
mod changes;
mod channel;
pub mod consent;
mod entry;
mod files;
mod follow;
mod history;
mod late;
mod length;
mod locks;
mod meaning;
mod noted;
pub mod ocsf;
mod past;
mod postgres;
mod read;
mod record;
mod request;
mod shelf;
mod standing;
mod superseded;
mod told;
mod trail;
mod trouble;
mod unless;
mod upkeep;
mod watched;
mod whose;

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use audit::{Audit, Break, Head};
pub use channel::{CarriedOutBy, Channel};
pub use consent::State;
pub use files::{MOVED, SetAside};
pub use locks::{Lock, LockOn, Locks};
pub use noted::{Bookmark, Happening, Noted, NotedPage};
pub use past::{Entry as PastEntry, Past, PastPage, Position, Refusal, TenantPlace, Told, Who};
pub use postgres::{Durability, Kept, SharedStore, migrate, parted};
pub use record::{End, MovedEnd, Record};
pub use request::{Answered, AskedAt, Asking, Content, Decision, Request, UnsentConsent};
pub use standing::Standing;
pub use trouble::Trouble;
pub use watched::{describe, told_to, warned};
pub use whose::Whose;

use super::permit::Denied;
use super::permit::InFlight;
use super::permit::Permitted;
pub use super::permit::{Opened, Spent};
use super::requester::Requester;
use crate::access::{Access, Outcome};
use crate::failure::Failure;
use crate::secret::Secret;
use entry::Entry;
use shelf::Shelf;
use unless::{Objection, OfChange, OfRequest, Question, Unless};

pub struct Ledger {
    shelf: Shelf,
    watched: watched::Watched,
    /// Receipts of changes that this process is carrying out.
    in_flight: InFlight,
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
        let shelf = Shelf::files(dir, key);
        Self { shelf, watched: watched::Watched::default(), in_flight: InFlight::default() }
    }

    /// The ledger in `dir`, or the one in a database of which `dir` has a copy. Touches nothing.
    pub fn kept(dir: &Path, key: Option<Secret>, store: Option<SharedStore>) -> Self {
        let Some(store) = store else { return Self::new(dir, key) };
        let shelf = Shelf::postgres(dir, store, key);
        Self { shelf, watched: watched::Watched::default(), in_flight: InFlight::default() }
    }

    /// The same where these are the names that each tenant has and had.
    pub fn knowing(self, mut names: Vec<Vec<Option<String>>>) -> Self {
        names.retain(|names| names.len() > 1);
        self.shelf.know(names);
        self
    }

    /// Where processes that share this ledger ask for rights that one of them has at a time.
    pub fn locks(&self) -> Locks {
        Locks::of(self.shelf.clone())
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
        requester: &Requester,
    ) -> Result<Opened, Failure> {
        let mut content = permitted.intent().recorded();
        let more = json!({ "policy": permitted.policy(), "consent": permitted.consent() });
        crate::json::extend(&mut content, more);
        if let Some(caller) = requester.caller() {
            crate::json::put(&mut content, "caller", json!(caller));
        }
        let is_new = receipt.is_none();
        let receipt = receipt.unwrap_or_else(new_receipt);
        // Counted as under way before its line is there: nobody may take it for left.
        let opened = Opened::new(receipt, permitted, &self.in_flight);
        match opened.permitted().consent().map(str::to_owned) {
            Some(consent) => {
                // Between the yes and this line nobody else may have changed the same access.
                let unless = Unless::Request(consent, OfRequest::Unopenable);
                let entry = Entry::next("open", opened.receipt(), content, requester).flushed();
                self.write_unless(entry, unless).await??;
            }
            None if is_new => {
                self.write(Entry::first("open", opened.receipt(), content, requester).flushed())
                    .await?;
            }
            None => {
                self.write(Entry::next("open", opened.receipt(), content, requester).flushed())
                    .await?;
            }
        }
        Ok(opened)
    }

    /// Records that several changes are begun as one about which nobody has to be asked, and gives the
    /// receipt of them all: what each of them is can be read there, whatever becomes of it.
    ///
    /// # Errors
    /// The line cannot be written and flushed: then nothing may be sent.
    pub async fn begin_set(
        &self,
        content: &Content,
        requester: &Requester,
    ) -> Result<String, Failure> {
        let (receipt, until) = (new_receipt(), crate::clock::now().to_string());
        let content = json!({ "digest": "", "until": until, "content": content });
        self.write(Entry::first(request::SET, &receipt, content, requester).flushed()).await?;
        Ok(receipt)
    }

    /// Records how a change ended. A line that cannot be written leaves the change open, which is
    /// the safe reading.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn close(
        &self,
        receipt: &str,
        closing: &Closing<'_>,
        requester: &Requester,
    ) -> Result<(), Failure> {
        let entry = Entry::next("close", receipt, closing.recorded(), requester);
        self.write(entry).await.inspect_err(|error| {
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
        requester: &Requester,
    ) -> Result<bool, Failure> {
        let mut content = closing.recorded();
        crate::json::put(&mut content, "by", by);
        let entry = Entry::next("found", receipt, content, requester);
        if by != "reconcile" {
            return self.write(entry).await.map(|()| true);
        }
        let unless = Unless::Change(receipt.to_owned(), OfChange::Ended);
        Ok(self.write_unless(entry, unless).await?.is_ok())
    }

    /// Records a refusal, and gives its receipt.
    pub async fn refuse(&self, denied: &Denied, requester: &Requester) -> String {
        let mut content = denied.intent.recorded();
        let more = json!({ "policy": denied.policy, "note": denied.message, "hint": denied.hint });
        crate::json::extend(&mut content, more);
        self.refuse_plainly(content, requester).await
    }

    /// Records a refusal of what never became an intent, and gives its receipt.
    pub async fn refuse_plainly(&self, mut content: Value, requester: &Requester) -> String {
        crate::json::put(&mut content, "outcome", Outcome::Refused.as_str());
        let receipt = new_receipt();
        if let Err(error) = self.write(Entry::first("refused", &receipt, content, requester)).await
        {
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
    pub async fn ask(
        &self,
        asking: &Asking<'_>,
        requester: &Requester,
    ) -> Result<(String, bool), Failure> {
        let earlier = self.live_for_the_same(&asking.content, requester).await?;
        let (receipt, is_new) = self.ask_plainly(asking, earlier.last(), requester).await?;
        let has_ended_others = self.supersede(&receipt, &asking.content, requester).await?;
        Ok((receipt, is_new && !has_ended_others))
    }

    /// Records a question that follows another.
    async fn ask_plainly(
        &self,
        asking: &Asking<'_>,
        earlier: Option<&String>,
        requester: &Requester,
    ) -> Result<(String, bool), Failure> {
        let receipt = new_receipt();
        let mut kept = asking.content.clone();
        kept.follows = kept.follows.or_else(|| earlier.cloned());
        let content = json!({
            "digest": asking.digest,
            "until": asking.until.to_string(),
            "content": kept,
        });
        let unless = Unless::Waits(Box::new(Question::of(asking, requester)));
        let entry = Entry::first("asked", &receipt, content, requester).flushed();
        match self.write_unless(entry, unless).await? {
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
    pub async fn answer(
        &self,
        receipt: &str,
        answered: &Answered,
        requester: &Requester,
    ) -> Result<(), Failure> {
        Ok(self.write_answer(receipt, answered.decision, json!(answered), requester).await??)
    }

    async fn write_answer(
        &self,
        receipt: &str,
        decision: Decision,
        content: Value,
        requester: &Requester,
    ) -> Result<Result<(), Objection>, Failure> {
        let unless = Unless::Request(receipt.to_owned(), OfRequest::Unanswerable(decision));
        self.write_unless(Entry::next("answered", receipt, content, requester).flushed(), unless)
            .await
    }

    /// Uses a consent up.
    ///
    /// # Errors
    /// There is none, it was used, or it has lapsed; or the line cannot be written.
    pub async fn spend(&self, receipt: &str, requester: &Requester) -> Result<Spent, Failure> {
        let unless = Unless::Request(receipt.to_owned(), OfRequest::Unspendable);
        let entry = Entry::next("spent", receipt, json!({}), requester).flushed();
        self.write_unless(entry, unless).await??;
        Ok(Spent::new(receipt))
    }

    /// Records what came of a yes on which nothing was sent. It is gone all the same, so a line that
    /// cannot be written is only logged.
    pub async fn conclude(&self, receipt: &str, concluded: &UnsentConsent, requester: &Requester) {
        let entry = Entry::next("concluded", receipt, json!(concluded), requester);
        if let Err(error) = self.write(entry).await {
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
        requester: &Requester,
    ) -> Result<(), Failure> {
        let until = until.map(|until| until.to_string());
        let content = json!({ "expires_at": until, "content": content });
        self.write(Entry::next("extended", receipt, content, requester).flushed()).await
    }

    /// Records that the end of a timed change needs nothing more.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn over(
        &self,
        receipt: &str,
        note: &str,
        requester: &Requester,
    ) -> Result<(), Failure> {
        self.write(Entry::next("over", receipt, json!({ "note": note }), requester)).await
    }

    /// Records that the end of a timed change could not be carried out; once for each reason.
    ///
    /// # Errors
    /// The line cannot be written.
    pub async fn overdue(
        &self,
        receipt: &str,
        why: &str,
        requester: &Requester,
    ) -> Result<(), Failure> {
        let unless = Unless::Change(receipt.to_owned(), OfChange::OverdueKnown(why.to_owned()));
        let entry = Entry::next("overdue", receipt, json!({ "why": why }), requester);
        self.write_unless(entry, unless).await.map(|_| ())
    }

    async fn write(&self, entry: Entry) -> Result<(), Failure> {
        Ok(self.shelf.append(entry, None).await??)
    }

    /// Writes a line, unless something in the ledger stands against it.
    async fn write_unless(
        &self,
        entry: Entry,
        unless: Unless,
    ) -> Result<Result<(), Objection>, Failure> {
        self.shelf.append(entry, Some(unless)).await
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
