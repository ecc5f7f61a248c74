//! From steps to what becomes of them: prepared, judged, agreed to, carried out.

use super::carry::On;
use super::change::{Finished, RoundEnd};
use super::consent::{self, ConsentOutcome};
use super::content;
use super::content::demands;
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
use crate::vendors::Tenant;

/// A task at which a call ends, before anything was sent.
pub(super) struct Stop<'t> {
    pub task: &'t Task<'t>,
    pub failure: Failure,
    /// The access there is, where it was read.
    pub read: Option<Vec<Access>>,
}

impl Desk {
    /// Prepares all tasks, and asks a person where one is needed who has not agreed yet; otherwise
    /// carries the tasks out, unless that is not wanted or one of them is denied. `here` are the tenants
    /// at which a yes may be for this call.
    ///
    /// # Errors
    /// At a task that cannot be prepared, before anything was sent.
    pub(super) async fn round<'t>(
        &self,
        context: &ChangeContext,
        tasks: &'t [Task<'t>],
        here: &[&Tenant],
        call: &Call,
        taken: Option<Taken>,
    ) -> Result<RoundEnd, Stop<'t>> {
        let Some(first) = tasks.first() else { return Ok(RoundEnd::Done(Finished::default())) };
        let stopped = |failure| Stop { task: first, failure, read: None };
        let turn = self.turns.take(keys(tasks), context.dry_run).await.map_err(stopped)?;
        let (now, deadline) = (Cache::lasting(CALL), Deadline::after(CALL));
        (call.progress)("reading the access there is".to_owned());
        let prepared = self.prepare_all(context, tasks, &now, deadline).await?;
        let is_denied = prepared.iter().any(Prepared::is_denied);
        if !is_denied
            && !context.is_set()
            && let Some(conflict) = conflict(&prepared)
        {
            return Err(conflict);
        }
        if context.dry_run {
            return Ok(RoundEnd::Done(Finished::of(preview(prepared))));
        }
        if is_denied {
            return Ok(RoundEnd::Done(Finished::of(self.refuse(context, prepared).await)));
        }
        let read = prepared.first().map(|one| one.before().to_vec());
        let stopped = |failure| Stop { read: read.clone(), ..stopped(failure) };
        let asks = prepared.iter().any(Prepared::asks);
        if !asks && (taken.is_none() || prepared.iter().all(Prepared::is_already)) {
            let done =
                self.carry_unasked(context, prepared, call, deadline).await.map_err(stopped)?;
            return Ok(RoundEnd::Done(done));
        }
        if tasks.iter().any(|task| matches!(task.request.cause, Cause::Expiry(_))) {
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
            match self
                .match_consent(taken, digests.clone(), &question, &demands(&prepared))
                .map_err(stopped)?
            {
                ConsentMatch::Matched(grant) => {
                    let of_set = context.is_set().then(|| grant.of());
                    let on = On { grant: Some(&grant), receipt: of_set };
                    let items = self.carry(context, prepared, &on, call, deadline).await;
                    let receipt = of_set.map(str::to_owned);
                    return Ok(RoundEnd::Done(Finished { receipt, ..Finished::of(items) }));
                }
                // Nobody is asked here, and what was agreed to is something else.
                ConsentMatch::AskAgain { .. } if !asks => return Err(stopped(taking::moved())),
                ConsentMatch::AskAgain { receipt } => follows = Some(receipt),
            }
            (call.progress)("the access changed meanwhile: asking again".to_owned());
        }
        let digest = consent::whole(&digests);
        drop(turn);
        let asking = consent::Sought { context, question: &question, digest: &digest, here };
        let sought = self.obtain_consent(&asking, &prepared, follows.as_deref(), call).await;
        match sought.map_err(stopped)? {
            ConsentOutcome::Approved(request) => Ok(RoundEnd::Agreed(Box::new(request))),
            // What the person said is in the ledger under the request: it is no refusal beside it.
            ConsentOutcome::Refused(failure) => {
                Ok(RoundEnd::Done(Finished::of(not_agreed_to(&prepared, &failure))))
            }
            ConsentOutcome::Waiting(request, waits) => {
                let items = waiting(prepared, &request);
                let receipt = Some(request.receipt);
                Ok(RoundEnd::Done(Finished { waits, receipt, ..Finished::of(items) }))
            }
        }
    }

    /// Carries out what nobody has to be asked about; a set is written down first as what it is.
    async fn carry_unasked(
        &self,
        context: &ChangeContext,
        prepared: Vec<Prepared<'_>>,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Finished, Failure> {
        let receipt = match context.is_set() && prepared.iter().any(Prepared::is_to_be_sent) {
            true => {
                let content = content::of_set(context, &prepared, self.guard.hash());
                Some(self.ledger.begin_set(&content, &context.caller).await?)
            }
            false => None,
        };
        let on = On { grant: None, receipt: receipt.as_deref() };
        let items = self.carry(context, prepared, &on, call, deadline).await;
        Ok(Finished { receipt, ..Finished::of(items) })
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

impl Finished {
    fn of(items: Vec<StepResult>) -> Self {
        Self { items, ..Self::default() }
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
        if one.conflict().is_some() && one.task.request.of.is_none() {
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
