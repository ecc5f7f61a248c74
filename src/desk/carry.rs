//! Tasks that may be sent, carried out: those of a tenant one after the other, and tenants side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::lanes::{Lane, side_by_side};
use super::prepare::{Next, Prepared, Sendable, Settled};
use super::taking::ConsentGrant;
use super::task::{ChangeContext, Task};
use super::{Call, Desk, StepResult};
use crate::access::{Access, Outcome};
use crate::failure::Failure;
use crate::guard::{Permitted, Verdict};
use crate::ledger::Spent;
use crate::outbound::Deadline;
use crate::tools::Snapshot;

/// Who waits no longer than this is not told for how long.
const SOON: Duration = Duration::from_secs(5);

/// On what tasks are carried out: a yes, or that nobody has to be asked.
#[derive(Clone, Copy)]
pub(super) struct On<'a> {
    pub(super) grant: Option<&'a ConsentGrant>,
    /// The receipt of the set that they are of.
    pub(super) receipt: Option<&'a str>,
}

/// What the tasks at one tenant need to know of all the others.
struct Carrying<'a> {
    context: &'a ChangeContext,
    on: &'a On<'a>,
    call: &'a Call,
    deadline: Deadline,
    /// What each of them wants.
    siblings: Vec<Access>,
    begun: AtomicUsize,
    since: Instant,
}

impl Desk {
    /// Carries the tasks out: those of a tenant one after the other, and tenants side by side. One that
    /// fails stops what rests on it, and the others of its change: what was not started is said.
    pub(super) async fn carry(
        &self,
        context: &ChangeContext,
        prepared: Vec<Prepared<'_>>,
        on: &On<'_>,
        call: &Call,
        deadline: Deadline,
    ) -> Vec<StepResult> {
        self.forget_names();
        let siblings = prepared.iter().map(|one| one.task.step.wanted().clone()).collect();
        let (begun, since) = (AtomicUsize::new(0), Instant::now());
        let all = &Carrying { context, on, call, deadline, siblings, begun, since };
        let is_one =
            |one: &Prepared<'_>, other: &Prepared<'_>| one.task.is_at_one_tenant(other.task);
        let items = side_by_side(prepared, is_one, |lane| self.carry_lane(all, lane)).await;
        // What others read meanwhile may no longer be so.
        self.forget_names();
        items
    }

    /// Carries out the tasks at one tenant, in their order.
    async fn carry_lane(&self, all: &Carrying<'_>, lane: Lane<Prepared<'_>>) -> Lane<StepResult> {
        let (mut items, mut sent) = (Vec::new(), false);
        let mut failed: Vec<&Task<'_>> = Vec::new();
        for (index, one) in lane {
            let task = one.task;
            if task.request.is_fallback {
                items.push((index, self.fall_back(all, index, one, &items, &mut sent).await));
                continue;
            }
            if one.conflict().is_some() && all.context.is_set() {
                // It was left out, and is no part of what was agreed to.
                if let Some(denied) = &one.denied {
                    self.ledger.refuse(denied, &all.context.caller).await;
                }
                items.push((index, one.left_aside()));
                continue;
            }
            if (all.call.withdrawn)() || failed.iter().any(|under| task.rests_on(under)) {
                failed.push(task);
                items.push((index, one.not_started()));
                continue;
            }
            let item = self.carry_one(all, index, one, &mut sent).await;
            if item.outcome.is_error() {
                failed.push(task);
            }
            items.push((index, item));
        }
        items
    }

    /// Gives back what was taken for a change that is known not to have come about; while that is not known,
    /// nothing more is sent.
    async fn fall_back(
        &self,
        all: &Carrying<'_>,
        index: usize,
        one: Prepared<'_>,
        done: &[(usize, StepResult)],
        sent: &mut bool,
    ) -> StepResult {
        let ended = |before: usize| {
            let at = index.checked_sub(before)?;
            done.iter().find(|(known, _)| *known == at).map(|(_, item)| item.outcome)
        };
        let is_due =
            ended(2) == Some(Outcome::Confirmed) && ended(1).is_some_and(Outcome::is_nothing);
        if !is_due {
            return one.not_started();
        }
        let item = self.carry_one(all, index, one, sent).await;
        StepResult { is_due, ..item }
    }

    /// Carries one task out. After another was sent, which may have changed what it rests on, it is
    /// looked at again.
    async fn carry_one(
        &self,
        all: &Carrying<'_>,
        index: usize,
        mut one: Prepared<'_>,
        sent: &mut bool,
    ) -> StepResult {
        let Carrying { context, on, call, siblings, .. } = all;
        let step = one.task.step.as_ref();
        let count = all.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let left = about(all.since.elapsed(), count - 1, siblings.len());
        (call.progress)(format!("{} ({count} of {}{left})", step.summary(), siblings.len()));
        let deadline = context.deadline(all.deadline);
        let reader = one.task.request.reader(&self.wire, None, deadline);
        if *sent {
            match self.prepare(context, one.task, &reader, &[]).await {
                Ok(again) => one = Prepared { is_upon_others: one.is_upon_others, ..again },
                Err(failure) => return one.stopped(&failure),
            }
        }
        let siblings: Vec<_> = siblings.iter().collect();
        let digest = |one: &Prepared<'_>| one.digest(&siblings, self.guard.hash());
        let in_time = !one.task.request.is_fallback;
        let agreed = on.grant.map(|grant| grant.covers(index, &digest(&one), in_time));
        let mut item = match self.permit(context, one, agreed).await {
            Ok((permitted, before)) => {
                *sent = true;
                let receipt = on.item(index, siblings.len());
                self.act(context, step, permitted, receipt, &before, &reader).await
            }
            Err(item) => *item,
        };
        if item.receipt().is_some() {
            item.approved_by = on.grant.and_then(ConsentGrant::by);
        }
        item
    }

    /// The permit of one step, or how it ends without one.
    async fn permit(
        &self,
        context: &ChangeContext,
        one: Prepared<'_>,
        agreed: Option<Result<&Spent, Failure>>,
    ) -> Result<(Box<Permitted>, Snapshot), Box<StepResult>> {
        if let Next::Judged(Verdict::Deny(denied)) = &one.next {
            self.ledger.refuse(denied, &context.caller).await;
        }
        let step = one.task.step.as_ref();
        let (sendable, before) = match one.settle() {
            Settled::Finished(item) => return Err(item),
            Settled::Sendable(sendable, before) => (sendable, before),
        };
        let permitted = match (agreed, sendable) {
            // What somebody agreed to is all of it, also what no rule asks about.
            (Some(agreed), sendable) => agreed.map(|spent| match sendable {
                Sendable::Allowed(permitted) => permitted.agreed(spent),
                Sendable::NeedsConsent(asked) => asked.approved(spent),
            }),
            (None, Sendable::Allowed(permitted)) => Ok(permitted),
            (None, Sendable::NeedsConsent(_)) => {
                let failure = Failure::refused("a person must approve this, and was not asked");
                Err(failure.hint("call again: the person is asked then"))
            }
        };
        match permitted {
            Ok(permitted) => Ok((permitted, before)),
            Err(failure) => Err(Box::new(StepResult::stopped(step, Some(&before.rows), &failure))),
        }
    }
}

/// How long the others will take, by what those before them took; nothing where that is soon. Pure.
fn about(taken: Duration, done: usize, all: usize) -> String {
    let each = u32::try_from(done).ok().and_then(|done| taken.checked_div(done));
    let left = u32::try_from(all.saturating_sub(done)).unwrap_or(u32::MAX);
    let left = each.map(|each| each.saturating_mul(left)).filter(|left| *left >= SOON);
    left.map(|left| format!(", about {} s more", left.as_secs())).unwrap_or_default()
}

impl On<'_> {
    /// The receipt of one of so many changes, where it is not one of its own.
    fn item(&self, index: usize, of: usize) -> Option<String> {
        match (self.receipt, self.grant) {
            (Some(set), _) => Some(format!("{set}.{}", index + 1)),
            (None, Some(grant)) => Some(grant.receipt(index, of)),
            (None, None) => None,
        }
    }
}

impl Task<'_> {
    /// Whether it must not begin where another failed: another access of the same change, or one where
    /// this one writes.
    fn rests_on(&self, other: &Task<'_>) -> bool {
        self.item == other.item || self.meets(other.step.wanted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_was_done() {
        for (seconds, done, all, said) in [
            (0, 0, 10, ""),
            (30, 0, 10, ""),
            (6, 3, 10, ", about 14 s more"),
            (6, 9, 10, ""),
            (60, 99, 100, ""),
            (600, 50, 100, ", about 600 s more"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds), done, all), said, "{done} of {all}");
        }
    }
}
