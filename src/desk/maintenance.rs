//! What is carried out without a call: ends that are due, changes whose writer died, and requests
//! that somebody has approved.

use jiff::SignedDuration;
use serde_json::Map;

use super::change::Asked;
use super::consent::GOOD;
use super::lag::{GONE_PERHAPS, may_lag};
use super::lanes::{Lane, side_by_side};
use super::status::{holds, nobody_knows};
use super::undo_precondition::Outlook;
use super::{Answer, Call, Desk, OriginalCall, Person};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::intent::Cause;
use crate::ledger::{CarriedOutBy, Lock, LockOn, Record, Request, State};
use crate::outbound::{Urgency, urgent};
use crate::tools::undo_change;
use crate::vendors::Same;

/// What became of one change.
#[derive(Clone, Debug)]
pub struct MaintenanceReport {
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
    /// Left to a Grantor that is set up otherwise: why, and what to do.
    Elsewhere(String),
}

/// Why a change is left that has no end, though its time is over.
const OPEN: &str = "its time is over, and how it ended is not recorded yet";
/// How long the command that took an approval has to carry it out itself.
const UNATTENDED: SignedDuration = SignedDuration::from_secs(20);
/// How long after that another server has taken it, if there is one that it is for.
const TURN: SignedDuration = SignedDuration::from_secs(10);
const FOR_OTHERS: &str = "it is approved, and a server that is set up as the one that asked carries it \
    out, or `requests run` there; ten minutes after the yes it has lapsed";
const STILL_HELD: &str = "its time is over, and the vendor's approvers still hold the grant \
    itself: it is no access yet, and is taken back if they approve it";

impl Desk {
    /// All of it, unless another process is at it; and why some of it could not be.
    pub async fn maintain(&self) -> (Vec<MaintenanceReport>, Vec<Failure>) {
        let (mut reports, mut failed) = (Vec::new(), Vec::new());
        let Some(_claim) = self.claim().await else { return (reports, failed) };
        for done in [
            urgent(Urgency::End, self.reconcile()).await,
            urgent(Urgency::End, self.expire_settled()).await,
            self.run_approved(UNATTENDED).await,
        ] {
            match done {
                Ok(done) => reports.extend(done),
                Err(failure) => failed.push(failure),
            }
        }
        (reports, failed)
    }

    /// The lock on maintenance, for one process at a time.
    async fn claim(&self) -> Option<Lock> {
        let locks = self.ledger.locks();
        if !locks.is_begun().await {
            return None;
        }
        locks.try_take(LockOn::Maintenance).await.ok().flatten()
    }

    /// The lock on maintenance, once whoever has it is done; held until it is dropped. None where there
    /// is nothing yet to maintain.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub async fn claimed(&self) -> Result<Option<Lock>, Failure> {
        let locks = self.ledger.locks();
        if !locks.is_begun().await {
            return Ok(None);
        }
        locks.take(LockOn::Maintenance).await.map(Some)
    }

    /// Finds out how changes ended whose writer is gone. Reads vendors, and writes to none. What may
    /// only not show yet stays open, and is looked at again.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn reconcile(&self) -> Result<Vec<MaintenanceReport>, Failure> {
        let mut reports = Vec::new();
        for record in self.ledger.orphans(crate::clock::now()).await? {
            let ending = self.reconcile_orphan(&record).await;
            let ending = ending.unwrap_or_else(|failure| Ending::Left(failure.message));
            reports.push(MaintenanceReport::new(&record, ending));
        }
        Ok(reports)
    }

    async fn reconcile_orphan(&self, record: &Record) -> Result<Ending, Failure> {
        let mut found = self.status_of(record).await?;
        if found.early {
            return Ok(Ending::Left(found.note));
        }
        if found.outcome == Outcome::Unconfirmed {
            // Nobody heard the vendor say yes.
            found.outcome = Outcome::Unknown;
        }
        self.ledger.found(&record.receipt, &found.closing(), "reconcile", self.requester()).await?;
        self.stop_expiry(record, found.outcome).await?;
        Ok(Ending::Done(found.outcome, found.note))
    }

    /// The end of a timed change that may or may not have happened is not sent again.
    async fn stop_expiry(&self, record: &Record, outcome: Outcome) -> Result<(), Failure> {
        match &record.ends {
            Some(timed) if matches!(outcome, Outcome::Unknown | Outcome::Mismatch) => {
                let why = format!("{} was to end it, and is {}", record.receipt, outcome.as_str());
                self.ledger.overdue(timed, &why, self.requester()).await
            }
            _ => Ok(()),
        }
    }

    /// Takes back what is due, each once, after finding out how those changes ended that have no
    /// end. Whatever stands past its time is told.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn expire(&self) -> Result<Vec<MaintenanceReport>, Failure> {
        let settled = self.reconcile().await?;
        let mut reports = self.expire_settled().await?;
        for record in self.ledger.late(crate::clock::now()).await? {
            if record.end.is_none() {
                let own = |one: &&MaintenanceReport| one.receipt == record.receipt;
                let ending = settled.iter().find(own).map(|one| one.ending.clone());
                let open = || Ending::Left(OPEN.to_owned());
                reports.push(MaintenanceReport::new(&record, ending.unwrap_or_else(open)));
            }
        }
        // What came to nothing needs nothing more; `reconcile` tells of it.
        let is_new = |one: &MaintenanceReport| {
            !one.is_left() && !reports.iter().any(|other| other.receipt == one.receipt)
        };
        let mut all: Vec<_> = settled.into_iter().filter(is_new).collect();
        all.append(&mut reports);
        Ok(all)
    }

    /// Takes back what is due of the changes that have an end, each once: those of a tenant in their order,
    /// and tenants side by side, so that one that is slow keeps no other waiting.
    async fn expire_settled(&self) -> Result<Vec<MaintenanceReport>, Failure> {
        let due = self.ledger.due(crate::clock::now()).await?;
        Ok(side_by_side(due, is_at_one_tenant, |lane| self.expire_lane(lane)).await)
    }

    async fn expire_lane(&self, lane: Lane<Record>) -> Lane<MaintenanceReport> {
        let mut reports = Vec::new();
        for (index, record) in lane {
            // One that cannot be recorded stops no other.
            let ending = self.ending_of(&record).await;
            let ending = ending.unwrap_or_else(|failure| Ending::Left(failure.message));
            reports.push((index, MaintenanceReport::new(&record, ending)));
        }
        reports
    }

    async fn ending_of(&self, record: &Record) -> Result<Ending, Failure> {
        match &record.overdue {
            _ if record.held_by.is_some() => self.end_held(record).await,
            Some(why) => Ok(Ending::Left(why.clone())),
            None => match self.taker(record).await? {
                Some(taker) => self.end_underway(record, &taker).await,
                None if record.is_held() => self.end_what_waited(record).await,
                None if record.is_unsettled() => self.end_unseen(record).await,
                None => self.end(record).await,
            },
        }
    }

    /// Looks at a change that is to take this one back. It is not sent again while it may still show
    /// that it did, nor after the vendor said yes to it.
    async fn end_underway(&self, record: &Record, taker: &Record) -> Result<Ending, Failure> {
        let by = &taker.receipt;
        if taker.end.is_none() {
            return Ok(Ending::Left(format!("{by} is to take it back, and has no end yet")));
        }
        let found = match self.look_and_learn(taker, self.requester()).await {
            Ok(found) => found,
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        match found.outcome {
            Outcome::Confirmed => {
                Ok(Ending::Done(Outcome::Confirmed, format!("{by} has taken it back")))
            }
            Outcome::Unavailable => self.end(record).await,
            _ if found.early => {
                Ok(Ending::Left(format!("{by} is to take it back: {}", found.note)))
            }
            _ => {
                let why = format!("{by} was to take it back: {}", found.note);
                self.ledger.overdue(&record.receipt, &why, self.requester()).await?;
                Ok(Ending::Left(why))
            }
        }
    }

    /// Ends a grant that nobody has seen at the vendor: it is looked for first, and while it may
    /// still come its absence says nothing.
    async fn end_unseen(&self, record: &Record) -> Result<Ending, Failure> {
        let found = match self.status_of(record).await {
            Ok(found) => found,
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        self.learn(record, &found, self.requester()).await;
        if found.early {
            return Ok(Ending::Left(found.note));
        }
        let now = self.ledger.find(&record.receipt).await?;
        self.end(now.as_ref().unwrap_or(record)).await
    }

    /// Finds out what became of a change that is to take this one back and that the vendor holds.
    /// It is not sent again while it is held, and an end not after it was denied either.
    async fn end_held(&self, record: &Record) -> Result<Ending, Failure> {
        let by = match self.follow_up(record, self.requester()).await {
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
        let found = match self.status_of(record).await {
            Ok(found) => found,
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        self.learn(record, &found, self.requester()).await;
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
        if let Some(damage) = &record.damage {
            return Ok(Ending::Left(format!("nothing is done on the ledger's word: {damage}")));
        }
        let same = match self.tenant_of(record).await {
            Ok((tenant, _)) if tenant.read_only => {
                let word = tenant.id.word();
                return Ok(Ending::Left(format!("its time is over, and {word} is read-only here")));
            }
            Ok((_, same)) => same,
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        let undoing = match self.outlook(record.clone(), true).await {
            Ok(Outlook::Open(undoing)) => *undoing,
            Ok(Outlook::Closed(why)) => {
                self.ledger.over(&record.receipt, &why, self.requester()).await?;
                return Ok(Ending::Done(Outcome::AlreadyAbsent, why));
            }
            Err(failure) => return Ok(Ending::Left(failure.message)),
        };
        let called = OriginalCall { tool: record.tool.clone(), arguments: Map::new() };
        let cause = Cause::Expiry(record.receipt.clone());
        let call = Call::alone(
            self.requester(),
            "expire",
            Map::new(),
            record.client.clone(),
            Person::Absent,
        );
        // What rules were told of the grant, they are told of what its end gives back.
        let reason = record.reason.clone();
        let answer = match self.inverse_of(undoing, cause, reason).await {
            Ok(wish) => self.change(Asked::one(called, wish), call).await,
            Err(failure) => Answer::stopped(&undo_change::SPEC, &failure),
        };
        let (outcome, said) = answer.describe();
        let may_be_open = matches!(outcome, Outcome::Unconfirmed | Outcome::Unknown);
        if may_be_open && self.taker(record).await?.is_some() {
            // It is looked at again.
            return Ok(Ending::Left(said));
        }
        match outcome {
            Outcome::Confirmed | Outcome::Unconfirmed => {}
            Outcome::PendingVendorApproval => {
                // Without a receipt it is a removal from elsewhere that waits: it is looked at again.
                let Some(by) = answer.receipt() else {
                    return Ok(Ending::Left(said));
                };
                let why = holds(by, true);
                self.ledger.overdue(&record.receipt, &why, self.requester()).await?;
                return Ok(Ending::Left(why));
            }
            Outcome::AlreadyAbsent | Outcome::AlreadyPresent if same == Same::CannotTell => {
                return Ok(Ending::Left(nobody_knows(record).to_string()));
            }
            Outcome::AlreadyAbsent | Outcome::AlreadyPresent if self.may_be_old(record).await? => {
                return Ok(Ending::Left(GONE_PERHAPS.to_owned()));
            }
            Outcome::Refused if self.may_be_old(record).await? => return Ok(Ending::Left(said)),
            Outcome::AlreadyAbsent | Outcome::AlreadyPresent => {
                self.ledger.over(&record.receipt, "it was gone already", self.requester()).await?;
            }
            Outcome::Unavailable => return Ok(Ending::Left(said)),
            // A look that was refused sent nothing: with another credential it is tried again.
            Outcome::Rejected if answer.receipt().is_none() => {
                return Ok(Ending::Left(said));
            }
            _ => {
                self.ledger.overdue(&record.receipt, &said, self.requester()).await?;
                return Ok(Ending::Left(said));
            }
        }
        Ok(Ending::Done(outcome, said))
    }

    /// Whether what is read may still be from before the grant. Where the grant was seen to be so, or
    /// a later change from here found the access or took it, what is read is newer.
    async fn may_be_old(&self, record: &Record) -> Result<bool, Failure> {
        let seen = record.outcome() == Some(Outcome::Confirmed) && !record.is_unsettled();
        let young = record.superseded_by.is_none() && may_lag(record, crate::clock::now());
        let young = young && !seen;
        Ok(young && !self.ledger.was_taken_since(&record.receipt).await?)
    }

    /// Carries out what somebody approved at least so long ago and nobody has sent, where its
    /// vendor is configured; names what is left to others.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn run_approved(
        &self,
        after: SignedDuration,
    ) -> Result<Vec<MaintenanceReport>, Failure> {
        let mut reports = Vec::new();
        for request in self.ledger.requests().await? {
            if !is_unattended(&request, after) {
                continue;
            }
            let ending = match self.elsewhere(&request).await {
                None => {
                    let done = self.run_request(&request, self.requester()).await;
                    let (outcome, said) = done.shown().body.describe();
                    Ending::Done(outcome, said)
                }
                // Whoever it is for comes to it first.
                Some(_) if !after.is_zero() && !is_unattended(&request, after + TURN) => continue,
                Some(why) => Ending::Elsewhere(format!("{why}; {FOR_OTHERS}")),
            };
            let summary = request.content.summary.clone();
            reports.push(MaintenanceReport { receipt: request.receipt, summary, ending });
        }
        Ok(reports)
    }
}

/// Whether both changes are at one tenant, by what their lines say of it.
fn is_at_one_tenant(one: &Record, other: &Record) -> bool {
    let at = |record: &Record| {
        (record.vendor.clone(), record.tenant.clone(), record.tenant_name.clone())
    };
    at(one) == at(other)
}

/// Whether a request was approved that long ago, and not within a call: whoever made such a call
/// carries it out, or nobody does.
fn is_unattended(request: &Request, after: SignedDuration) -> bool {
    let Some(answered) = request.answered.as_ref().filter(|_| request.state == State::Approved)
    else {
        return false;
    };
    let approved = answered.until.map(|until| until - GOOD);
    answered.how.carried_out_by() == CarriedOutBy::Anybody
        && approved.is_some_and(|time| time + after <= crate::clock::now())
}

impl MaintenanceReport {
    fn new(record: &Record, ending: Ending) -> Self {
        Self { receipt: record.receipt.clone(), summary: record.summary.clone(), ending }
    }

    /// Why it is left, or what became of it.
    pub fn why(&self) -> &str {
        match &self.ending {
            Ending::Left(why) | Ending::Elsewhere(why) | Ending::Done(_, why) => why,
        }
    }

    /// Whether somebody has to look at it.
    pub fn is_left(&self) -> bool {
        match &self.ending {
            Ending::Left(_) => true,
            Ending::Elsewhere(_) => false,
            Ending::Done(outcome, _) => outcome.is_error(),
        }
    }

    /// The exit status of a command that came to this.
    pub fn exit_status(&self) -> u8 {
        match &self.ending {
            Ending::Left(_) => 1,
            // Whoever it is for ends it.
            Ending::Elsewhere(_) => 0,
            Ending::Done(outcome, _) => outcome.exit_status(),
        }
    }
}
