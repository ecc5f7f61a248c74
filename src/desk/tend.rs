//! What is carried out without a call: ends that are due, changes whose writer died, and requests
//! that somebody has approved.

use std::fs::File;
use std::io;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::consent::{ELICITATION, GOOD};
use super::hold::holds;
use super::undoing::Outlook;
use super::{Answer, Call, Called, Desk, Person};
use crate::access::Outcome;
use crate::failure::{Failure, Kind};
use crate::intent::Cause;
use crate::ledger::{Record, Request, State};

/// What became of one change.
#[derive(Clone, Debug)]
pub struct Tended {
    pub receipt: String,
    pub summary: String,
    pub ending: Ending,
}

#[derive(Clone, Debug)]
pub enum Ending {
    /// As it should be, in words.
    Done(Outcome, String),
    /// Left as it is, and why.
    Left(String),
}

/// How old a change without an end must be before it is looked into.
const ORPHANED: SignedDuration = SignedDuration::from_secs(60);
/// How far back an end is looked for that is on its way already.
const UNDERWAY: SignedDuration = SignedDuration::from_hours(24);
const MOST: usize = 10_000;
/// How long the command that took an approval has to carry it out itself.
const UNATTENDED: SignedDuration = SignedDuration::from_secs(20);
const STILL_HELD: &str = "its time is over, and the vendor's approvers still hold the grant \
    itself: it is no access yet, and is taken back if they approve it";
/// The file whose lock is the right to tend.
const LOCK: &str = "tending.lock";

impl Desk {
    /// All of it, unless another process is at it.
    pub async fn tend(&self) -> Vec<Tended> {
        let Some(_claim) = self.claim() else { return Vec::new() };
        let mut tended = Vec::new();
        for done in
            [self.reconcile().await, self.expire().await, self.run_approved(UNATTENDED).await]
        {
            match done {
                Ok(done) => tended.extend(done),
                Err(failure) => tracing::warn!(trouble = %failure.message, "nothing was tended"),
            }
        }
        tended
    }

    /// The right to tend, for one process at a time.
    fn claim(&self) -> Option<File> {
        if !self.config.state_dir.exists() {
            return None;
        }
        let file = crate::private::open(&self.config.state_dir.join(LOCK)).ok()?;
        file.try_lock().ok().map(|()| file)
    }

    /// The right to tend, once whoever has it is done; held until it is dropped. None where there
    /// is nothing yet to tend.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub async fn claimed(&self) -> Result<Option<File>, Failure> {
        if !self.config.state_dir.exists() {
            return Ok(None);
        }
        let path = self.config.state_dir.join(LOCK);
        let locked = tokio::task::spawn_blocking(move || {
            let locked = crate::private::open(&path).and_then(|file| file.lock().map(|()| file));
            locked.map_err(|error| crate::private::told(&path, &error))
        });
        let locked = locked.await.map_err(io::Error::other).and_then(|locked| locked);
        locked.map(Some).map_err(|error| Failure::new(Kind::Unavailable, error.to_string()))
    }

    /// Finds out how changes ended whose writer is gone. Reads vendors, and writes to none.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn reconcile(&self) -> Result<Vec<Tended>, Failure> {
        let mut tended = Vec::new();
        for record in self.ledger.orphans(Timestamp::now() - ORPHANED).await? {
            let ending = match self.stands(&record).await {
                Ok(mut found) => {
                    if found.outcome == Outcome::Unconfirmed {
                        // Nobody heard the vendor say yes.
                        found.outcome = Outcome::Unknown;
                    }
                    self.ledger.found(&record.receipt, &found.closing(), "reconcile").await?;
                    self.stop_expiry(&record, found.outcome).await?;
                    Ending::Done(found.outcome, found.note)
                }
                Err(failure) => Ending::Left(failure.message),
            };
            tended.push(Tended::new(&record, ending));
        }
        Ok(tended)
    }

    /// The end of a timed change that may or may not have happened is not sent again.
    async fn stop_expiry(&self, record: &Record, outcome: Outcome) -> Result<(), Failure> {
        match &record.ends {
            Some(timed) if matches!(outcome, Outcome::Unknown | Outcome::Mismatch) => {
                let why = format!("{} was to end it, and is {}", record.receipt, outcome.as_str());
                self.ledger.overdue(timed, &why).await
            }
            _ => Ok(()),
        }
    }

    /// Takes back what is due, each once.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn expire(&self) -> Result<Vec<Tended>, Failure> {
        let now = Timestamp::now();
        let due = self.ledger.due(now).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let (recent, _) = self.ledger.recent(now - UNDERWAY, MOST).await?;
        let mut tended = Vec::new();
        for record in due {
            let underway = |other: &&Record| {
                other.ends.as_ref() == Some(&record.receipt)
                    && matches!(other.outcome(), None | Some(Outcome::Unknown))
            };
            let ending = match (&record.overdue, recent.iter().find(underway)) {
                _ if record.held_by.is_some() => self.end_held(&record).await?,
                (Some(why), _) => Ending::Left(why.clone()),
                (None, Some(other)) => Ending::Left(format!("{} is to end it", other.receipt)),
                (None, None) if record.is_held() => self.end_what_waited(&record).await?,
                (None, None) => self.end(&record).await?,
            };
            tended.push(Tended::new(&record, ending));
        }
        Ok(tended)
    }

    /// Finds out what became of a change that is to take this one back and that the vendor holds.
    /// It is not sent again while it is held, and an end not after it was denied either.
    async fn end_held(&self, record: &Record) -> Result<Ending, Failure> {
        let by = match self.follow_up(record).await {
            Ok(by) => by,
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        let Some(now) = self.ledger.find(&record.receipt).await? else {
            return Ok(Ending::Left(holds(&by, true)));
        };
        if now.undone_by.is_some() || now.ended_by.is_some() {
            let said = format!("the vendor's approvers agreed to {by}, and it is taken back");
            return Ok(Ending::Done(Outcome::Confirmed, said));
        }
        match now.overdue {
            Some(why) => Ok(Ending::Left(why)),
            None if now.held_by.is_some() => Ok(Ending::Left(holds(&by, true))),
            None => self.end(&now).await,
        }
    }

    /// Ends a grant that was held by the vendor when it was last looked at.
    async fn end_what_waited(&self, record: &Record) -> Result<Ending, Failure> {
        let found = match self.stands(record).await {
            Ok(found) => found,
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        self.learn(record, &found).await;
        match found.outcome {
            Outcome::PendingVendorApproval => Ok(Ending::Left(STILL_HELD.to_owned())),
            // Whether it comes yet is not known.
            Outcome::Unknown => Ok(Ending::Left(found.note)),
            Outcome::Rejected => {
                let said = format!("{}: there is nothing to take back", found.note);
                Ok(Ending::Done(Outcome::AlreadyAbsent, said))
            }
            _ => {
                let now = self.ledger.find(&record.receipt).await?;
                self.end(now.as_ref().unwrap_or(record)).await
            }
        }
    }

    async fn end(&self, record: &Record) -> Result<Ending, Failure> {
        if let Err(failure) = self.tenant_of(record) {
            return Ok(Ending::Left(failure.message));
        }
        let undoing = match self.outlook(record.clone(), true).await {
            Ok(Outlook::Open(undoing)) => *undoing,
            Ok(Outlook::Closed(why)) => {
                self.ledger.over(&record.receipt, &why).await?;
                return Ok(Ending::Done(Outcome::AlreadyAbsent, why));
            }
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        let called = Called { tool: record.tool.clone(), arguments: Map::new() };
        let cause = Cause::Expiry(record.receipt.clone());
        let call = Call::alone("expire", Map::new(), record.client.clone(), Person::Absent);
        // What rules were told of the grant, they are told of what its end gives back.
        let reason = record.reason.clone();
        let answer = self.take_back(undoing, call, (called, cause), reason).await;
        let (outcome, said) = answer.told();
        match outcome {
            Outcome::Confirmed | Outcome::Unconfirmed => {}
            Outcome::PendingVendorApproval => {
                // Without a receipt it is a removal from elsewhere that waits: it is looked at again.
                let Some(by) = answer.body.get("receipt").and_then(Value::as_str) else {
                    return Ok(Ending::Left(said));
                };
                let why = holds(by, true);
                self.ledger.overdue(&record.receipt, &why).await?;
                return Ok(Ending::Left(why));
            }
            Outcome::AlreadyAbsent | Outcome::AlreadyPresent => {
                self.ledger.over(&record.receipt, "it was gone already").await?;
            }
            Outcome::Unavailable => return Ok(Ending::Left(said)),
            _ => {
                self.ledger.overdue(&record.receipt, &said).await?;
                return Ok(Ending::Left(said));
            }
        }
        Ok(Ending::Done(outcome, said))
    }

    /// Carries out what somebody approved at least so long ago and nobody has sent, where its
    /// vendor is configured.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn run_approved(&self, after: SignedDuration) -> Result<Vec<Tended>, Failure> {
        let mut tended = Vec::new();
        for request in self.ledger.requests().await? {
            if is_unattended(&request, after) && self.serves(&request) {
                let answer = self.run_request(&request).await;
                let (outcome, said) = answer.told();
                let ending = Ending::Done(outcome, said);
                let summary = text(&request, "summary").to_owned();
                tended.push(Tended { receipt: request.receipt, summary, ending });
            }
        }
        Ok(tended)
    }

    /// Whether the vendor of a request is configured here.
    pub fn serves(&self, request: &Request) -> bool {
        self.config.tenant(text(request, "vendor")).is_some()
    }

    /// Carries out one approved request.
    pub async fn run_request(&self, request: &Request) -> Answer {
        let arguments = request.content.get("arguments").and_then(Value::as_object);
        let client = request.content.get("client").and_then(Value::as_str).map(str::to_owned);
        let person = Person::Approved(request.receipt.clone());
        let arguments = arguments.cloned().unwrap_or_default();
        let call = Call::alone(text(request, "tool"), arguments, client, person);
        let answer = self.call(call).await;
        answer.unwrap_or_else(|_| {
            Answer::unasked(&Failure::new(Kind::Invalid, "its tool is not one of this version"))
        })
    }
}

/// Whether a request was approved that long ago, and not within a call: whoever made such a call
/// carries it out, or nobody does.
fn is_unattended(request: &Request, after: SignedDuration) -> bool {
    let Some(answered) = request.answered.as_ref().filter(|_| request.state == State::Approved)
    else {
        return false;
    };
    let approved = answered.until.map(|until| until - GOOD);
    answered.how != ELICITATION && approved.is_some_and(|time| time + after <= Timestamp::now())
}

fn text<'a>(request: &'a Request, key: &str) -> &'a str {
    request.content.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Tended {
    fn new(record: &Record, ending: Ending) -> Self {
        Self { receipt: record.receipt.clone(), summary: record.summary.clone(), ending }
    }

    /// Whether somebody has to look at it.
    pub fn is_left(&self) -> bool {
        match &self.ending {
            Ending::Left(_) => true,
            Ending::Done(outcome, _) => outcome.is_error(),
        }
    }
}

impl Call {
    /// A call that no client makes and nobody listens to.
    fn alone(
        tool: &str,
        arguments: Map<String, Value>,
        client: Option<String>,
        person: Person,
    ) -> Self {
        Self {
            tool: tool.to_owned(),
            arguments,
            client,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person,
        }
    }
}

impl Answer {
    /// The outcome, and the summary with its hint.
    fn told(&self) -> (Outcome, String) {
        let text = |key: &str| self.body.get(key).and_then(Value::as_str);
        let said = [text("summary"), text("hint")].into_iter().flatten().collect::<Vec<_>>();
        (self.outcome.unwrap_or(Outcome::Unknown), said.join("; "))
    }
}
