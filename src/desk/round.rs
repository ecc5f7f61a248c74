//! From steps to what becomes of them: prepared, judged, agreed to, carried out.

use super::change::RoundEnd;
use super::consent::{self, ConsentOutcome};
use super::prepare::{Next, Prepared, Settled};
use super::question::ConsentQuestion;
use super::step_result::StepResult;
use super::taking::{self, ConsentMatch, Taken};
use super::task::{ChangeContext, Task};
use super::zone::Zone;
use super::{Call, Desk};
use crate::access::Access;
use crate::cache::Cache;
use crate::failure::Failure;
use crate::guard::Verdict;
use crate::intent::Cause;
use crate::ledger::Request;
use crate::outbound::{CALL, Deadline};
use crate::vendors::VendorReader;

/// A task at which a call ends, before anything was sent.
pub(super) struct Stop<'t> {
    pub task: &'t Task<'t>,
    pub failure: Failure,
    /// The access there is, where it was read.
    pub read: Option<Vec<Access>>,
}

impl Desk {
    /// Prepares all tasks, and asks a person where one is needed who has not agreed yet; otherwise
    /// carries the tasks out, unless that is not wanted or one of them is denied.
    ///
    /// # Errors
    /// At a task that cannot be prepared, before anything was sent.
    pub(super) async fn round<'t>(
        &self,
        context: &ChangeContext,
        tasks: &'t [Task<'t>],
        reader: &VendorReader<'_>,
        call: &Call,
        taken: Option<Taken>,
    ) -> Result<RoundEnd, Stop<'t>> {
        let Some(first) = tasks.first() else { return Ok(RoundEnd::Done(Vec::new(), None)) };
        let stopped = |failure| Stop { task: first, failure, read: None };
        let turn = self.turns.take(keys(tasks), context.dry_run).await.map_err(stopped)?;
        let now = Cache::lasting(CALL);
        let reader = VendorReader { cache: Some(&now), deadline: Deadline::after(CALL), ..*reader };
        (call.progress)("reading the access there is".to_owned());
        let prepared = self.prepare_all(context, tasks, &reader).await?;
        let is_denied = prepared.iter().any(Prepared::is_denied);
        if !is_denied && let Some(conflict) = conflict(&prepared) {
            return Err(conflict);
        }
        if context.dry_run {
            return Ok(RoundEnd::Done(preview(prepared), None));
        }
        if is_denied {
            return Ok(RoundEnd::Done(self.refuse(context, prepared).await, None));
        }
        let read = prepared.first().map(|one| one.before().to_vec());
        let stopped = |failure| Stop { read: read.clone(), ..stopped(failure) };
        let reader = VendorReader { cache: None, ..reader };
        let asks = prepared.iter().any(Prepared::asks);
        if !asks && (taken.is_none() || prepared.iter().all(Prepared::is_already)) {
            let items = self.carry(context, prepared, None, &reader, call).await;
            return Ok(RoundEnd::Done(items, None));
        }
        if matches!(context.cause, Cause::Expiry(_)) {
            return Err(stopped(
                Failure::refused("the policy wants a person for this end").hint(
                    "a person takes it back with `grantor undo` and the receipt of the grant",
                ),
            ));
        }
        let digests = self.digests(&prepared);
        let question = ConsentQuestion::about(context, &prepared, self.zone());
        let mut follows = None;
        if let Some(taken) = taken {
            // In the words that were agreed to.
            let zone = Zone::named(taken.request.content.zone.as_deref());
            let question = ConsentQuestion::about(context, &prepared, &zone);
            match self.match_consent(taken, digests.clone(), &question).map_err(stopped)? {
                ConsentMatch::Matched(grant) => {
                    let items = self.carry(context, prepared, Some(&grant), &reader, call).await;
                    return Ok(RoundEnd::Done(items, None));
                }
                // Nobody is asked here, and what was agreed to is something else.
                ConsentMatch::AskAgain { .. } if !asks => return Err(stopped(taking::moved())),
                ConsentMatch::AskAgain { receipt } => follows = Some(receipt),
            }
            (call.progress)("the access changed meanwhile: asking again".to_owned());
        }
        let digest = consent::whole(&digests);
        drop(turn);
        let sought = self
            .obtain_consent(context, &prepared, &question, &digest, follows.as_deref(), call)
            .await;
        match sought.map_err(stopped)? {
            ConsentOutcome::Approved(request) => Ok(RoundEnd::Agreed(Box::new(request))),
            // What the person said is in the ledger under the request: it is no refusal beside it.
            ConsentOutcome::Refused(failure) => {
                Ok(RoundEnd::Done(not_agreed_to(&prepared, &failure), None))
            }
            ConsentOutcome::Waiting(request, pending) => {
                Ok(RoundEnd::Done(waiting(prepared, &request), pending))
            }
        }
    }

    /// One refusal refuses the whole call, before any of it is sent.
    async fn refuse(
        &self,
        context: &ChangeContext,
        prepared: Vec<Prepared<'_>>,
    ) -> Vec<StepResult> {
        let mut items = Vec::new();
        for one in prepared {
            if let Next::Judged(Verdict::Deny(denied)) = &one.next {
                self.ledger.refuse(denied, &context.caller).await;
            }
            if one.conflict().is_some() {
                // What to give up for a change that is denied beside another is no use to anybody.
                items.push(one.not_started());
                continue;
            }
            let step = one.task.step.as_ref();
            items.push(match one.settle() {
                Settled::Finished(item) => *item,
                Settled::Sendable(_, before) => StepResult::not_started(step, &before.rows),
            });
        }
        items
    }
}

/// The first task that something at the vendor stands in the way of.
fn conflict<'t>(prepared: &[Prepared<'t>]) -> Option<Stop<'t>> {
    prepared.iter().find_map(|one| {
        let (failure, read) = (one.conflict()?.clone(), Some(one.before().to_vec()));
        Some(Stop { task: one.task, failure, read })
    })
}

/// What a dry run shows. Where one item is denied, what stands in the way of another is no use.
fn preview(prepared: Vec<Prepared<'_>>) -> Vec<StepResult> {
    let item = |one: Prepared<'_>| {
        if one.conflict().is_some() {
            return one.not_started();
        }
        let step = one.task.step.as_ref();
        match one.settle() {
            Settled::Finished(item) => *item,
            Settled::Sendable(sendable, _) => {
                StepResult::preview(step, sendable.intent(), sendable.policy())
            }
        }
    };
    prepared.into_iter().map(item).collect()
}

/// Items that wait for a person.
fn waiting(prepared: Vec<Prepared<'_>>, request: &Request) -> Vec<StepResult> {
    let item = |one: Prepared<'_>| {
        let step = one.task.step.as_ref();
        match one.settle() {
            Settled::Finished(item) => *item,
            Settled::Sendable(sendable, _) => {
                let (intent, policy) = (sendable.intent(), sendable.policy());
                StepResult::waiting(step, intent, policy, &request.receipt)
            }
        }
    };
    prepared.into_iter().map(item).collect()
}

/// Items that a person did not agree to.
fn not_agreed_to(prepared: &[Prepared<'_>], failure: &Failure) -> Vec<StepResult> {
    prepared.iter().map(|one| one.stopped(failure)).collect()
}

/// Whose access a call changes, for the turns.
fn keys(tasks: &[Task<'_>]) -> Vec<String> {
    let key = |task: &Task<'_>| {
        format!("{} {}", task.request.tenant.id.key(), task.step.wanted().principal.id)
    };
    tasks.iter().map(key).collect()
}
