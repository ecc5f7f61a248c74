//! Moving the end of a grant: as the grant's own tool, at the access that stands.
//!
//! Grantor's own end moves in the ledger alone. One that the vendor holds can only be taken back sooner; where
//! it is to come later, the grant is taken back and given anew, as one, with what is given back if the new one
//! does not come about.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Desk;
use super::change::{Fallback, Wish};
use super::prepare::{Next, Planned, Prepared, key};
use super::task::{ChangeContext, Task};
use crate::access::{Access, Outcome};
use crate::failure::Failure;
use crate::intent::Cause;
use crate::ledger::Record;
use crate::requester::Requester;
use crate::tools::set_expiry::SetExpiry;
use crate::tools::{Effect, LASTING, Plan, STARTS, Snapshot, Tool, parse};
use crate::vendors::Tenant;

impl Desk {
    /// What moving the end of a grant asks for: one change, or a revocation and a grant.
    ///
    /// # Errors
    /// There is no such grant, or it does not stand.
    pub(super) async fn expiry_wishes(
        &self,
        arguments: Map<String, Value>,
        by: &Requester,
    ) -> Result<Vec<Wish<'_>>, Failure> {
        let asked: SetExpiry = parse(Value::Object(arguments.clone()))?;
        let record = self.running(asked.receipt.as_str(), by).await?;
        let (tenant, _) = self.tenant_of(&record).await?;
        let tool = self.known_tool(&record.tool)?;
        let is_shared = |(name, _): &(&String, &Value)| {
            LASTING.contains(&name.as_str()) || name.as_str() == "reason"
        };
        let shared =
            arguments.iter().filter(is_shared).map(|(name, one)| (name.clone(), one.clone()));
        let shared: Map<_, _> = shared.collect();
        let mut wish = Wish::new(tool, tenant, own(&record));
        wish.arguments.extend(shared.clone());
        let held = vendors_end(&record);
        if let Some(held) = held
            && self.end_of(&asked)?.is_none_or(|end| end > held)
        {
            return self.given_anew(record, (tool, tenant), shared, by).await;
        }
        wish.cause = Cause::Extension(record.receipt.clone());
        wish.since = Some(record.begun());
        wish.extending = Some(Box::new(record));
        Ok(vec![wish])
    }

    /// The end that is asked for; none where it is to stay.
    fn end_of(&self, asked: &SetExpiry) -> Result<Option<Timestamp>, Failure> {
        let now = self.now();
        Ok(match (asked.expires_in, asked.expires_at) {
            (Some(lasts), _) => Some(lasts.after(now).ok_or_else(crate::intent::too_long)?),
            (None, at) => at.map(crate::argument::Time::timestamp),
        })
    }

    /// A grant whose end the vendor holds is taken back and given anew with another.
    async fn given_anew<'a>(
        &'a self,
        record: Record,
        (tool, tenant): (&'static Tool, &'a Tenant),
        shared: Map<String, Value>,
        by: &Requester,
    ) -> Result<Vec<Wish<'a>>, Failure> {
        let reason = shared.get("reason").cloned();
        let mut give = Wish::new(tool, tenant, own(&record));
        give.arguments.extend(shared);
        give.since = Some(record.begun());
        let mut back = Wish::new(tool, tenant, own(&record));
        back.arguments.extend(reason.clone().map(|reason| ("reason".to_owned(), reason)));
        if let Some(end) = record.expires_at.or(vendors_end(&record)) {
            back.arguments.insert(LASTING[1].to_owned(), end.to_string().into());
        }
        back.since = give.since;
        back.fallback = Some(Fallback);
        // What is taken back is that grant, which has no end of its own from then on.
        let cause = Cause::Undo(record.receipt.clone());
        let reason = reason.and_then(|reason| reason.as_str().map(str::to_owned));
        let take = self.inverse_of(self.undoable(record, by).await?, cause, reason).await?;
        Ok(vec![take, give, back])
    }

    /// The grant of this receipt, where it stands as far as the ledger knows.
    async fn running(&self, receipt: &str, by: &Requester) -> Result<Record, Failure> {
        let refused = |why: String| {
            Failure::refused(why).hint("check_change finds the receipt of the grant that stands")
        };
        self.seen(receipt, by).await?;
        let Some(record) = self.ledger.find(receipt).await? else {
            return Err(match self.ledger.request(receipt).await? {
                Some(request) => refused(format!(
                    "{receipt} is a request, and not one change: its changes are {receipt}.1 and on; it {}",
                    request.words()
                )),
                None => self.not_found(receipt).await,
            });
        };
        let record = self.followed_up(record, by).await?;
        if let Some(damage) = &record.damage {
            return Err(refused(format!("nothing is done on the word of {receipt}: {damage}")));
        }
        let is_grant = self.known_tool(&record.tool)?.spec.effect == Effect::Grant;
        let by = record.undone_by.as_ref().or(record.ended_by.as_ref());
        let by = by.or(record.held_by.as_ref()).or(record.superseded_by.as_ref());
        match (by, record.outcome()) {
            _ if !is_grant => Err(refused(format!("{receipt} is no grant: it has no end to move"))),
            (Some(by), _) => Err(refused(format!("{receipt} no longer counts since {by}"))),
            (None, Some(Outcome::Confirmed)) if record.over.is_none() && !record.is_unsettled() => {
                Ok(record)
            }
            (None, Some(Outcome::Confirmed)) => {
                Err(refused(format!("the time of {receipt} is over")))
            }
            (None, outcome) => {
                let word = outcome.map_or("still open", Outcome::as_str);
                Err(refused(format!("{receipt} is {word}: it is not known to stand")))
            }
        }
    }

    /// Plans and judges the move of an end, where the access stands as it was given.
    pub(super) async fn prepare_move<'t>(
        &self,
        context: &ChangeContext,
        task: &'t Task<'t>,
        before: Snapshot,
        record: &Record,
    ) -> Result<Prepared<'t>, Failure> {
        let (step, until) = (task.step.as_ref(), task.request.term.until);
        let gone = || {
            Failure::refused(
                "the access is not there as it was given, so that it has no end to move",
            )
            .hint("look at it with list_access, and grant what is wanted")
        };
        let is_there = |after: &[Access]| before.is_unchanged(&before.with(after.to_owned()), step);
        let mut warnings = match step.plan(&before)?.saying(&task.notes) {
            Plan::Already { warnings, .. } => warnings,
            // What is passed on to dependent objects is sent however the object itself stands.
            Plan::Send { after, warnings, .. } if is_there(&after) => warnings,
            Plan::Send { .. } => return Err(gone()),
        };
        if until == record.expires_at {
            let next = Next::Already(Outcome::AlreadyPresent, warnings);
            return Ok(Prepared { task, before, next, is_upon_others: false, denied: None });
        }
        warnings.push(match (record.expires_at, until) {
            (Some(was), Some(_)) if is_sooner(until, record) => {
                format!("it was to end at {was}, and ends sooner")
            }
            (Some(was), Some(_)) => format!("it was to end at {was}, and ends later"),
            (Some(was), None) => format!("it was to end at {was}, and no longer ends"),
            (None, _) => "it had no end, and has one now".to_owned(),
        });
        let cause = Cause::Extension(record.receipt.clone());
        let is_own = |row: &Access| key(row) == key(step.wanted()) && row.expires_at.is_some();
        let mut after = before.rows.clone();
        for row in after.iter_mut().filter(|row| is_own(row)) {
            // The vendor's own end stays where it is; Grantor's comes before it.
            row.expires_at = until.map(|until| until.to_string()).or(row.expires_at.take());
        }
        let since = Some(record.begun());
        let planned = Planned { cause, draft: None, after, warnings, since };
        let mut intent = self.intent(context, task, &before, planned).await?;
        if is_sooner(until, record) {
            intent.shorten();
        }
        intent.summary = format!("{}: {}", moved(until, record), step.summary());
        let next = self.judge(context, step, intent, None).await?;
        Ok(Prepared { task, before, next, is_upon_others: false, denied: None })
    }
}

/// The end that the vendor itself keeps of a grant.
fn vendors_end(record: &Record) -> Option<Timestamp> {
    record.wanted().expires_at?.parse().ok()
}

/// The arguments of a grant's tool, as they were sent, with a beginning that is still to come.
fn own(record: &Record) -> Map<String, Value> {
    let mut own = record.arguments.as_object().cloned().unwrap_or_default();
    let start = record
        .wanted()
        .starts_at
        .filter(|start| start.parse().is_ok_and(|start: Timestamp| start > crate::clock::now()));
    own.extend(start.map(|start| (STARTS.to_owned(), start.into())));
    own
}

/// Whether an end takes access away that would have stood.
fn is_sooner(until: Option<Timestamp>, record: &Record) -> bool {
    until.is_some_and(|until| record.expires_at.is_none_or(|end| until < end))
}

fn moved(until: Option<Timestamp>, record: &Record) -> &'static str {
    match until {
        None => "make permanent",
        Some(_) if is_sooner(until, record) => "end sooner",
        Some(_) => "extend",
    }
}
