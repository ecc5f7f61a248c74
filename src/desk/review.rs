//! After a change: where it stands now, and taking it back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::lag::{MAY_COME, NEVER, NOT_YET, look_again, may_lag};
use super::pending_at_vendor::holds;
use super::several::asked;
use super::undoing::{Outlook, UndoPrecondition, inverse, shown_then};
use super::{Answer, Call, Desk, Origin, OriginalCall, UnknownTool};
use crate::access::{Access, Approval, Outcome};
use crate::catalogue::{self, Found};
use crate::failure::{Failure, Kind};
use crate::intent::Cause;
use crate::json::put;
use crate::ledger::{Closing, End, Record, State};
use crate::outbound::{CALL, Deadline};
use crate::tools::check_change::CheckChange;
use crate::tools::undo_change::{self, UndoChange};
use crate::tools::{MOST_BYTES, Run, Snapshot, Verification, parse};
use crate::vendors::{Organization, Same, Tenant, VendorReader};

/// Where a change stands, as reading the vendor shows.
pub(super) struct ChangeStatus {
    pub outcome: Outcome,
    pub note: String,
    /// All rows there are now.
    pub rows: Vec<Access>,
    /// Those of them that bear on the change.
    shown: Vec<Access>,
    /// What was there before is shown, and may only be too old to show the change.
    pub early: bool,
    /// The vendor said yes, and what was meant is not to be seen.
    unseen: bool,
}

/// How far back a look without a receipt goes.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The most receipts one answer lists.
const MOST: usize = 50;

impl Desk {
    pub(super) async fn check(&self, arguments: Map<String, Value>) -> Answer {
        let receipt = arguments.get("receipt").and_then(Value::as_str).map(str::to_owned);
        let answer = match self.try_check(arguments).await {
            Ok(body) => Answer::new(body, false, None),
            Err(failure) => Answer::unasked(&failure),
        };
        let mut troubles = self.ledger.watched().await;
        // Only whoever asks for it reads a receipt that is settled.
        if let Some(receipt) = receipt
            && !troubles.iter().any(|trouble| trouble.place.contains(&receipt))
            && let Ok(Some(trouble)) = self.ledger.damage_of(&receipt).await
        {
            troubles.push(trouble);
        }
        answer.read_from(troubles)
    }

    async fn try_check(&self, arguments: Map<String, Value>) -> Result<Value, Failure> {
        let CheckChange { receipt } = parse(Value::Object(arguments))?;
        let Some(receipt) = receipt else { return self.lately().await };
        match self.ledger.find(receipt.as_str()).await? {
            Some(record) => self.looked_at(record).await,
            None => self.asked_for(receipt.as_str()).await,
        }
    }

    /// A change as it stands now.
    pub(super) async fn looked_at(&self, record: Record) -> Result<Value, Failure> {
        let record = self.followed_up(record).await?;
        let mut shown = shown(&record);
        if record.undone_by.is_some() {
            put(&mut shown, "note", "it was undone");
        } else if record.ended_by.is_some() || record.over.is_some() {
            put(&mut shown, "note", "its time was over, and it was taken back");
        } else if record.end.as_ref().is_none_or(|end| may_stand(end.outcome)) {
            let found = self.status_of(&record).await?;
            self.learn(&record, &found).await;
            put(&mut shown, "outcome", json!(found.outcome));
            let holds = record.held_by.as_ref().map(|by| holds(by, record.is_over()));
            if found.early && holds.is_none() {
                put(&mut shown, "hint", look_again(&record.receipt));
            }
            put(&mut shown, "note", holds.unwrap_or(found.note));
            put(&mut shown, "now", json!(found.shown));
        }
        Ok(shown)
    }

    /// What happened in the last 24 hours, and what is not finished.
    async fn lately(&self) -> Result<Value, Failure> {
        let since = Timestamp::now() - RECENT;
        let (requests, unseen) = self.ledger.asked(since, MOST).await?;
        let (records, left) = self.ledger.recent(since, MOST).await?;
        let changes = requests.iter().map(asked).chain(records.iter().map(shown));
        let (mut room, mut changes) = (MOST_BYTES, changes.collect::<Vec<_>>());
        let all = changes.len();
        changes.retain(|change| {
            let rest = room.checked_sub(change.to_string().len());
            room = rest.unwrap_or_default();
            rest.is_some()
        });
        let left = unseen + left + all - changes.len();
        let mut body = json!({ "changes": changes });
        if left > 0 {
            put(&mut body, "note", format!("{left} others are left out: ask for them by receipt"));
        }
        Ok(body)
    }

    /// Why nothing is found under a receipt: there is none, or its lines do not hold.
    pub(super) async fn not_found(&self, receipt: &str) -> Failure {
        match self.ledger.damage_of(receipt).await {
            Ok(Some(trouble)) => {
                let why = format!("the lines of {receipt} cannot be relied on: {}", trouble.what);
                Failure::refused(why).hint("`grantor ledger verify` says more")
            }
            _ => unknown(receipt),
        }
    }

    /// Why there is nothing to undo under a receipt that is no change.
    async fn no_change(&self, receipt: &str) -> Result<Failure, Failure> {
        let Some(request) = self.ledger.request(receipt).await? else {
            return Ok(self.not_found(receipt).await);
        };
        let nothing = |words: &str| {
            Failure::refused(format!("that request {words}; there is nothing to undo"))
        };
        Ok(match request.state {
            State::Waiting | State::Approved => nothing("is not carried out yet")
                .hint(format!("`grantor requests deny {receipt}` stops it")),
            State::Spent => {
                let items = self.items(&request).await?;
                let items: Vec<_> = items.iter().map(|item| item.receipt.as_str()).collect();
                if items.is_empty() {
                    nothing("was approved, and no change of it is recorded")
                } else {
                    Failure::refused("that request was for several changes")
                        .hint(format!("undo each of them: {}", items.join(", ")))
                }
            }
            state => nothing(state.words()).hint(format!("check_change {receipt} says more")),
        })
    }

    /// Keeps what became of a change that had not been settled.
    pub(super) async fn learn(&self, record: &Record, found: &ChangeStatus) {
        if let Err(failure) = self.leave_over(record, found).await {
            tracing::warn!(%failure.message, "an end that is held could not be recorded");
            return;
        }
        let unsettled = matches!(
            record.outcome(),
            Some(Outcome::Unknown | Outcome::PendingVendorApproval | Outcome::Unconfirmed)
        );
        let unseen = record.is_unseen();
        let settled = matches!(found.outcome, Outcome::Confirmed | Outcome::Rejected);
        let never = found.unseen && !found.early && record.outcome() == Some(Outcome::Unconfirmed);
        if (unsettled || unseen)
            && (settled || never)
            && let Err(failure) =
                self.ledger.found(&record.receipt, &found.closing(), "check").await
        {
            tracing::warn!(%failure.message, "what was found could not be recorded");
        }
    }

    /// Asks the vendor whether the change still stands.
    pub(super) async fn status_of(&self, record: &Record) -> Result<ChangeStatus, Failure> {
        let (Found::On(tool) | Found::Off(tool, _)) = catalogue::find(&record.tool, &self.config)
        else {
            return Err(unknown_tool(&record.tool));
        };
        let (tenant, same) = self.tenant_of(record).await?;
        let Run::Change { resolve, .. } = tool.run else {
            return Err(Failure::invalid("this receipt is not of a change"));
        };
        let deadline = Deadline::after(CALL);
        let earlier = &shown_then(record);
        let reader = VendorReader { tenant, wire: &self.wire, deadline, cache: None, earlier };
        let steps = resolve(record.arguments.clone(), &reader).await?;
        let step = steps.into_iter().next();
        let mut step = step.ok_or_else(|| Failure::invalid("this receipt has no step"))?;
        step.set_term(record.term());
        let now = step.current(&reader).await?;
        let before = Snapshot {
            rows: record.before.clone(),
            conclusive: record.conclusive,
            ..Snapshot::default()
        };
        let finding = match step.verify(&before, &now) {
            // What was found whole then took nothing along, and brought nothing along.
            Verification::Lost(_) | Verification::Wider(_)
                if record.outcome() == Some(Outcome::Confirmed) =>
            {
                Verification::There
            }
            finding => finding,
        };
        if same == Same::CannotTell && !matches!(finding, Verification::There | Verification::Held)
        {
            return Err(nobody_knows(record));
        }
        let held = record.end.as_ref().and_then(|end| end.held.as_ref());
        let approval = match held {
            Some(held) if finding != Verification::There => step.approval(held, &reader).await?,
            _ => None,
        };
        let as_before = before.is_unchanged(&now, step.as_ref());
        let young = may_lag(record, Timestamp::now());
        let found = standing(record, finding, approval, as_before, young);
        let shown = now.rows.iter().filter(|row| step.is_relevant(row)).cloned().collect();
        let rows = match &record.end {
            Some(end) if found.unseen => end.after.clone(),
            _ => now.rows,
        };
        Ok(ChangeStatus { rows, shown, ..found })
    }

    /// The tenant that a change was made at, and whether the credential is known to be the same
    /// customer's: another one says nothing of it.
    pub(super) async fn tenant_of(&self, record: &Record) -> Result<(&Tenant, Same), Failure> {
        let vendor = &record.vendor;
        let tenant = self.config.tenant(vendor).ok_or_else(|| {
            Failure::new(Kind::Unavailable, format!("{vendor} is not configured here"))
                .hint("`grantor doctor` says what is missing")
        })?;
        let elsewhere = |then: &str, now: &str| {
            let receipt = &record.receipt;
            Failure::refused(format!("{receipt} was made at {then}, and this is {now}"))
                .hint(format!("configure {vendor} as it was then"))
        };
        if tenant.name != record.tenant {
            return Err(elsewhere(&record.tenant, &tenant.name));
        }
        let own = tenant.organization(&self.wire).await;
        let kept = record.organization.as_deref();
        match (own.is(kept), kept, own) {
            (Same::No, Some(kept), Organization::Known(own)) => Err(elsewhere(kept, &own)),
            (same, ..) => Ok((tenant, same)),
        }
    }

    pub(super) async fn undo(
        &self,
        call: Call,
        called: OriginalCall,
    ) -> Result<Answer, UnknownTool> {
        let (undoing, reason) = match self.undoable(&call).await {
            Ok(found) => found,
            Err(failure) => return Ok(Answer::stopped(&undo_change::SPEC, &failure)),
        };
        let cause = Cause::Undo(undoing.record.receipt.clone());
        Ok(self.take_back(undoing, call, (called, cause), reason).await)
    }

    /// Enters the road with the inverse of a change.
    pub(super) async fn take_back(
        &self,
        undoing: UndoPrecondition,
        call: Call,
        (called, cause): (OriginalCall, Cause),
        reason: Option<String>,
    ) -> Answer {
        let record = &undoing.record;
        let inverse = match self.tenant_of(record).await.and_then(|_| inverse(record)) {
            Ok(inverse) => inverse,
            Err(failure) => return Answer::stopped(&undo_change::SPEC, &failure),
        };
        let grants = inverse.grants();
        let mut arguments = match inverse.arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        if let Some(reason) = reason {
            arguments.insert("reason".to_owned(), reason.into());
        }
        if grants && let Err(failure) = undoing.keep_end(&mut arguments) {
            return Answer::stopped(&undo_change::SPEC, &failure);
        }
        let tool = match catalogue::find(inverse.tool, &self.config) {
            Found::On(tool) => tool,
            Found::Off(tool, failure) => return Answer::stopped(tool.spec, &failure),
            Found::Unknown => {
                return Answer::stopped(&undo_change::SPEC, &unknown_tool(inverse.tool));
            }
        };
        let origin = Origin { called, cause, undoing: Some(undoing) };
        match self.tenant(tool) {
            Some(tenant) => self.change(tool, tenant, Call { arguments, ..call }, origin).await,
            None => Answer::stopped(tool.spec, &super::vendor_missing(tool.spec)),
        }
    }

    /// The change a call wants undone, what it left, and why.
    async fn undoable(&self, call: &Call) -> Result<(UndoPrecondition, Option<String>), Failure> {
        let UndoChange { receipt, reason } = parse(Value::Object(call.arguments.clone()))?;
        let receipt = receipt.as_str();
        let Some(record) = self.ledger.find(receipt).await? else {
            return Err(self.no_change(receipt).await?);
        };
        let mut record = self.followed_up(record).await?;
        let hint = "check_change says where it stands";
        let refused = |why: String| Err(Failure::refused(why).hint(hint));
        if let Some(damage) = &record.damage {
            return refused(format!("nothing is done on the word of {receipt}: {damage}"));
        }
        let Some(end) = record.end.as_ref().filter(|end| may_stand(end.outcome)) else {
            let word = record.outcome().map_or("still open", Outcome::as_str);
            return refused(format!("{receipt} is {word}: there is nothing known to undo"));
        };
        if let Some(by) = record.undone_by.as_ref().or(record.ended_by.as_ref()) {
            return refused(format!("{receipt} was undone by {by}"));
        }
        if let Some(by) = &record.held_by {
            return refused(holds(by, record.is_over()));
        }
        if let Some(by) = self.taker(&record).await? {
            let by = by.receipt;
            return refused(format!(
                "{by} is to take it back, and is not seen to have done so yet"
            ));
        }
        if record.is_unsettled() || end.outcome == Outcome::PendingVendorApproval {
            let found = self.status_of(&record).await?;
            self.learn(&record, &found).await;
            if found.outcome != Outcome::Confirmed {
                let word = found.outcome.as_str();
                return refused(format!("{receipt} is {word}: what it did is not settled"));
            }
            record.end = record.end.map(|end| End { after: found.rows, ..end });
        }
        match self.outlook(record, false).await? {
            Outlook::Open(undoing) => Ok((*undoing, reason)),
            Outlook::Closed(why) => refused(why),
        }
    }
}

impl ChangeStatus {
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing {
            outcome: self.outcome,
            status: None,
            request_id: None,
            after: &self.rows,
            note: Some(&self.note),
            held: None,
            unseen: self.unseen,
        }
    }
}

/// What is said where an absence may be another customer's.
pub(super) fn nobody_knows(record: &Record) -> Failure {
    let Record { receipt, vendor, .. } = record;
    Failure::new(
        Kind::Unavailable,
        format!(
            "{receipt} does not show here, and this credential does not say which customer of \
             {vendor} it belongs to: that is not taken for gone"
        ),
    )
    .hint("name the organization in the settings, or look with the credential that granted it")
}

/// Whether a change that ended so may have left something behind.
fn may_stand(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Confirmed
            | Outcome::Unconfirmed
            | Outcome::PendingVendorApproval
            | Outcome::Mismatch
            | Outcome::Unknown
    )
}

/// What a change is called now; rows aside. Where what was before is shown, and the change is
/// `young`, that says nothing yet. Pure.
fn standing(
    record: &Record,
    finding: Verification,
    approval: Option<Approval>,
    as_before: bool,
    young: bool,
) -> ChangeStatus {
    let mut found = ChangeStatus {
        outcome: Outcome::Unknown,
        note: String::new(),
        rows: Vec::new(),
        shown: Vec::new(),
        early: false,
        unseen: false,
    };
    let yes = record.is_unseen();
    let settled = matches!(record.outcome(), Some(Outcome::Confirmed | Outcome::Mismatch)) && !yes;
    let (outcome, note) = match (finding, approval) {
        (Verification::There, _) => (Outcome::Confirmed, "it stands: the vendor shows it so now"),
        (_, Some(Approval::Denied)) => (Outcome::Rejected, "an approver denied it"),
        (_, Some(Approval::Expired)) => (Outcome::Rejected, "nobody approved it in time"),
        (Verification::Held, _) | (_, Some(Approval::Waiting)) => {
            (Outcome::PendingVendorApproval, "it waits for the vendor's approvers")
        }
        (_, Some(Approval::Approved)) => {
            (Outcome::Unknown, "an approver approved it, and the vendor has not applied it")
        }
        (Verification::CannotTell, None) => {
            (Outcome::Unconfirmed, "the vendor shows this credential too little to tell")
        }
        (Verification::Lost(_), None) => (Outcome::Mismatch, "other access was lost with it"),
        (Verification::Wider(_), None) => (Outcome::Mismatch, "it reaches further than was asked"),
        (Verification::Elsewise(_), None) if as_before && !settled => {
            (found.early, found.unseen) = (young && !record.is_held(), yes);
            match (yes, found.early) {
                (true, true) => (Outcome::Unconfirmed, NOT_YET),
                (true, false) => (Outcome::Mismatch, NEVER),
                (false, true) => (Outcome::Unknown, MAY_COME),
                (false, false) => {
                    (Outcome::Unavailable, "it did not happen: the access is as before")
                }
            }
        }
        (Verification::Elsewise(what), None) => {
            found.outcome = Outcome::Mismatch;
            found.note = format!("it is not so now: {what}");
            return found;
        }
    };
    (found.outcome, found.note) = (outcome, note.to_owned());
    found
}

pub(super) fn unknown(receipt: &str) -> Failure {
    Failure::invalid(format!("receipt: the ledger has no change {receipt}"))
        .hint("check_change without a receipt lists those of the last 24 hours")
}

pub(super) fn unknown_tool(tool: &str) -> Failure {
    Failure::invalid(format!("{tool} is not a tool of this version"))
        .hint("use the version of Grantor that made the change, or a later one")
}

pub(super) fn shown(record: &Record) -> Value {
    let mut shown = json!({
        "receipt": record.receipt,
        "outcome": record.outcome().unwrap_or(Outcome::Unknown),
        "time": record.time,
        "requester": record.requester,
        "vendor": record.vendor,
        "tool": record.tool,
        "summary": record.summary,
    });
    if record.end.is_none() {
        put(&mut shown, "note", "it was about to be sent, and how it ended was not recorded");
    }
    // What does not stand has no end.
    let end = record.expires_at.filter(|_| record.end.is_none() || record.may_stand());
    let end = end.map(|end| end.to_string());
    let marks = [
        ("expires_at", end.as_ref()),
        ("overdue", record.overdue.as_ref()),
        ("undone_by", record.undone_by.as_ref()),
        ("superseded_by", record.superseded_by.as_ref()),
        ("ended_by", record.ended_by.as_ref()),
        ("ended", record.over.as_ref()),
        ("undoes", record.undoes.as_ref()),
        ("ends", record.ends.as_ref()),
        ("consent", record.consent.as_ref()),
    ];
    for (key, mark) in marks {
        if let Some(mark) = mark {
            put(&mut shown, key, mark.as_str());
        }
    }
    shown
}
