//! From steps to what becomes of them: prepared, judged, agreed to, carried out.

use super::change::{ChangeRequest, Walked};
use super::consent::{self, ConsentOutcome};
use super::prepare::Prepared;
use super::question::ConsentQuestion;
use super::step_result::StepResult;
use super::taking::{self, Taken};
use super::{Call, Desk};
use crate::access::Access;
use crate::cache::Cache;
use crate::failure::Failure;
use crate::guard::Verdict;
use crate::intent::Cause;
use crate::ledger::Request;
use crate::outbound::{CALL, Deadline};
use crate::tools::Step;
use crate::vendors::{Tenant, VendorReader};

/// A step at which a call ends, before anything was sent.
pub(super) struct Stop<'s> {
    pub step: &'s dyn Step,
    pub failure: Failure,
    /// The access there is, where it was read.
    pub read: Option<Vec<Access>>,
}

impl Desk {
    /// Prepares all steps, and asks a person where one is needed who has not agreed yet; otherwise
    /// carries the steps out, unless that is not wanted or one of them is denied.
    ///
    /// # Errors
    /// At a step that cannot be prepared, before anything was sent.
    pub(super) async fn walk<'s>(
        &self,
        change: &ChangeRequest<'_>,
        steps: &'s [Box<dyn Step>],
        reader: &VendorReader<'_>,
        call: &Call,
        taken: Option<Taken>,
    ) -> Result<Walked, Stop<'s>> {
        let Some(first) = steps.first() else { return Ok(Walked::Done(Vec::new(), None)) };
        let stopped = |failure| Stop { step: first.as_ref(), failure, read: None };
        let dry_run = change.common.dry_run.unwrap_or(false);
        let turn = self.turns.take(keys(reader.tenant, steps), dry_run).await.map_err(stopped)?;
        let now = Cache::lasting(CALL);
        let reader = VendorReader { cache: Some(&now), deadline: Deadline::after(CALL), ..*reader };
        (call.progress)("reading the access there is".to_owned());
        let prepared = self.prepare_all(change, steps, &reader).await?;
        if !prepared.iter().any(Prepared::is_denied)
            && let Some(conflict) = conflict(steps, &prepared)
        {
            return Err(conflict);
        }
        if dry_run {
            return Ok(Walked::Done(preview(steps, prepared), None));
        }
        if prepared.iter().any(Prepared::is_denied) {
            return Ok(Walked::Done(self.refuse(steps, prepared).await, None));
        }
        let read = prepared.first().map(|one| one.before().to_vec());
        let stopped = |failure| Stop { read: read.clone(), ..stopped(failure) };
        let reader = VendorReader { cache: None, ..reader };
        let asks = prepared.iter().any(Prepared::asks);
        if !asks && (taken.is_none() || prepared.iter().all(Prepared::is_already)) {
            let items = self.carry(change, steps, prepared, None, &reader, call).await;
            return Ok(Walked::Done(items, None));
        }
        if matches!(change.cause, Cause::Expiry(_)) {
            return Err(stopped(
                Failure::refused("the policy wants a person for this end").hint(
                    "a person takes it back with `grantor undo` and the receipt of the grant",
                ),
            ));
        }
        let digests = self.digests(change, steps, &prepared);
        let question = ConsentQuestion::about(change, steps, &prepared);
        let mut follows = None;
        if let Some(taken) = taken {
            let given = self.given(taken, digests.clone(), &question).map_err(stopped)?;
            match given {
                Ok(given) => {
                    let items =
                        self.carry(change, steps, prepared, Some(&given), &reader, call).await;
                    return Ok(Walked::Done(items, None));
                }
                // Nobody is asked here, and what was agreed to is something else.
                Err(_) if !asks => return Err(stopped(taking::moved())),
                Err(old) => follows = Some(old),
            }
            (call.progress)("the access changed meanwhile: asking again".to_owned());
        }
        let digest = consent::whole(&digests);
        drop(turn);
        let sought =
            self.seek(change, &prepared, &question, &digest, follows.as_deref(), call).await;
        match sought.map_err(stopped)? {
            ConsentOutcome::Approved(request) => Ok(Walked::Agreed(Box::new(request))),
            // What the person said is in the ledger under the request: it is no refusal beside it.
            ConsentOutcome::Refused(failure) => {
                Ok(Walked::Done(unasked_for(steps, &prepared, &failure), None))
            }
            ConsentOutcome::Waiting(request, pending) => {
                Ok(Walked::Done(waiting(steps, prepared, &request), pending))
            }
        }
    }

    /// One refusal refuses the whole call, before any of it is sent.
    async fn refuse(&self, steps: &[Box<dyn Step>], prepared: Vec<Prepared>) -> Vec<StepResult> {
        let mut items = Vec::new();
        for (step, one) in steps.iter().zip(prepared) {
            if let Prepared::Judged(Verdict::Deny(denied), _) = &one {
                self.ledger.refuse(denied).await;
            }
            if one.conflict().is_some() {
                // What to give up for a change that is denied beside another is no use to anybody.
                items.push(StepResult::not_started(step.as_ref(), one.before()));
                continue;
            }
            let item = one.settled(step.as_ref());
            items.push(item.unwrap_or_else(|(_, before)| {
                StepResult::not_started(step.as_ref(), &before.rows)
            }));
        }
        items
    }
}

/// The first step that something at the vendor stands in the way of.
fn conflict<'s>(steps: &'s [Box<dyn Step>], prepared: &[Prepared]) -> Option<Stop<'s>> {
    let mut each = steps.iter().zip(prepared);
    each.find_map(|(step, one)| {
        let (failure, read) = (one.conflict()?.clone(), Some(one.before().to_vec()));
        Some(Stop { step: step.as_ref(), failure, read })
    })
}

/// What a dry run shows. Where one item is denied, what stands in the way of another is no use.
fn preview(steps: &[Box<dyn Step>], prepared: Vec<Prepared>) -> Vec<StepResult> {
    let item = |step: &dyn Step, one: Prepared| {
        if one.conflict().is_some() {
            return StepResult::not_started(step, one.before());
        }
        one.settled(step).unwrap_or_else(|(sendable, _)| {
            StepResult::preview(step, sendable.intent(), sendable.policy())
        })
    };
    steps.iter().zip(prepared).map(|(step, one)| item(step.as_ref(), one)).collect()
}

/// Items that wait for a person.
fn waiting(steps: &[Box<dyn Step>], prepared: Vec<Prepared>, request: &Request) -> Vec<StepResult> {
    let item = |step: &dyn Step, one: Prepared| {
        one.settled(step).unwrap_or_else(|(sendable, _)| {
            StepResult::waiting(step, sendable.intent(), sendable.policy(), &request.receipt)
        })
    };
    steps.iter().zip(prepared).map(|(step, one)| item(step.as_ref(), one)).collect()
}

/// Items that a person did not agree to.
fn unasked_for(
    steps: &[Box<dyn Step>],
    prepared: &[Prepared],
    failure: &Failure,
) -> Vec<StepResult> {
    let item =
        |step: &dyn Step, one: &Prepared| StepResult::stopped(step, Some(one.before()), failure);
    steps.iter().zip(prepared).map(|(step, one)| item(step.as_ref(), one)).collect()
}

/// Whose access a call changes, for the turns.
fn keys(tenant: &Tenant, steps: &[Box<dyn Step>]) -> Vec<String> {
    let vendor = tenant.vendor.name;
    steps.iter().map(|step| format!("{vendor} {}", step.wanted().principal.id)).collect()
}
