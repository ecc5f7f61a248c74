//! What a step would do: read, planned and judged; nothing is sent.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::lanes::{Lane, side_by_side};
use super::round::Stop;
use super::task::{ChangeContext, ChangeRequest, Task};
use super::upon::left_out;
use super::{Desk, StepResult, lowering};
use crate::access::{Access, Outcome};
use crate::cache::Cache;
use crate::draft::Draft;
use crate::failure::{Failure, Kind};
use crate::guard::{Denied, NeedsConsent, Permitted, Verdict, VerdictRecord};
use crate::intent::{Cause, Intent, ReadForRules};
use crate::ledger::Record;
use crate::outbound::Deadline;
use crate::tools::{Effect, Plan, Snapshot, Step};
use crate::vendors::{Read, VendorReader};

/// A task with the access there is, and what is to be done.
pub(super) struct Prepared<'t> {
    pub(super) task: &'t Task<'t>,
    pub(super) before: Snapshot,
    pub(super) next: Next,
    /// What is there is what earlier changes of the set are to leave.
    pub(super) is_upon_others: bool,
    /// The denial that it stands aside for, where the call does not name the change.
    pub(super) denied: Option<Box<Denied>>,
}

/// What is to be done about an access.
pub(super) enum Next {
    /// Nothing: it is as it is wanted. With what a reader should know of that.
    Already(Outcome, Vec<String>),
    /// Nothing: the policy does not forbid it, and something at the vendor stands in its way.
    Conflict(Failure),
    Judged(Verdict),
}

/// A step that the guard does not stand against.
pub(super) enum Sendable {
    Allowed(Box<Permitted>),
    /// A person must agree first.
    NeedsConsent(Box<NeedsConsent>),
}

/// How far a task comes before anything is sent.
pub(super) enum Settled {
    /// To its end: nothing is to be sent.
    Finished(Box<StepResult>),
    /// It may be sent, once a person agreed where one must; with the access there is.
    Sendable(Sendable, Snapshot),
}

/// What is left to do where the access is as it is wanted.
enum AlreadySo {
    /// Its end moves.
    EndMoves(Box<Planned>),
    /// Nothing; with what a reader should know of that.
    Unchanged(Vec<String>),
}

/// What a change would come to.
pub(super) struct Planned {
    pub(super) cause: Cause,
    pub(super) draft: Option<Draft>,
    pub(super) after: Vec<Access>,
    pub(super) warnings: Vec<String>,
    /// When the access was first given, where it stands and its end moves.
    pub(super) since: Option<Timestamp>,
}

impl Desk {
    /// Prepares all, each upon what those before it are to leave.
    ///
    /// # Errors
    /// At the first step that cannot be prepared. In a set, one that the access there is stands against is
    /// left out, and what rests on it.
    pub(super) async fn prepare_all<'t>(
        &self,
        context: &ChangeContext,
        tasks: &'t [Task<'t>],
        cache: &Cache<Read>,
        deadline: Deadline,
    ) -> Result<Vec<Prepared<'t>>, Stop<'t>> {
        let work = |lane| self.prepare_lane(context, lane, cache, deadline);
        let is_one = |one: &&Task<'_>, other: &&Task<'_>| one.is_at_one_tenant(other);
        let all = side_by_side(tasks, is_one, work).await;
        let mut prepared = Vec::new();
        for one in all {
            prepared.push(one?);
        }
        Ok(prepared)
    }

    /// Prepares the tasks at one tenant, in their order, and ends at the first that cannot be.
    async fn prepare_lane<'t>(
        &self,
        context: &ChangeContext,
        lane: Lane<&'t Task<'t>>,
        cache: &Cache<Read>,
        deadline: Deadline,
    ) -> Lane<Result<Prepared<'t>, Stop<'t>>> {
        let mut done: Lane<Result<Prepared<'t>, Stop<'t>>> = Vec::new();
        for (index, task) in lane {
            let earlier = done.iter().filter_map(|(_, one)| one.as_ref().ok());
            let earlier: Vec<_> = earlier.filter(|one| task.comes_after(one.task)).collect();
            let reader = task.request.reader(&self.wire, Some(cache), context.deadline(deadline));
            let one = match left_out(task, &earlier) {
                Some(left_out) => Ok(left_out),
                None => self.prepare(context, task, &reader, &earlier).await,
            };
            let one = match one {
                Ok(one) => Ok(one.setting_denials_aside()),
                Err(failure) if task.request.of.is_some() => {
                    Ok(Prepared::stands_against(task, failure))
                }
                Err(failure) if context.is_set() && failure.kind == Kind::Refused => {
                    Ok(Prepared::stands_against(task, failure))
                }
                Err(failure) => Err(Stop { task, failure, read: None }),
            };
            let ends = one.is_err();
            done.push((index, one));
            if ends {
                break;
            }
        }
        replace_whole_or_not(&mut done);
        done
    }

    /// Reads, plans and judges one task. The policy speaks before what stands in the way at the
    /// vendor: nobody is told to give something up for a change that is then denied.
    pub(super) async fn prepare<'t>(
        &self,
        context: &ChangeContext,
        task: &'t Task<'t>,
        reader: &VendorReader<'_>,
        earlier: &[&Prepared<'_>],
    ) -> Result<Prepared<'t>, Failure> {
        let (step, request) = (task.step.as_ref(), task.request);
        if request.cause == Cause::Request {
            self.nothing_unseen(request, step, &context.caller).await?;
        }
        let (before, is_upon_others) = task.upon(step.current(reader).await?, earlier);
        if let Some(record) = &request.extending {
            return self.prepare_move(context, task, before, record).await;
        }
        let ending = matches!(request.cause, Cause::Expiry(_));
        let moved = request.undoing.as_ref().and_then(|undoing| undoing.check(step, &before).err());
        let planned = |draft, after, warnings| {
            let cause = request.cause.clone();
            Planned { cause, draft, after, warnings, since: None }
        };
        let plan = step.plan(&before).map(|plan| plan.saying(&task.notes));
        let plan = plan.and_then(|plan| request.keeps_others(&before, plan));
        let (planned, conflict) = match (plan, moved) {
            (Ok(Plan::Already { .. }), Some(moved)) if !ending => return Err(moved),
            (Ok(Plan::Already { outcome, warnings }), _) => {
                match self.plan_already_so(task, &before, warnings).await? {
                    AlreadySo::EndMoves(planned) => (*planned, None),
                    AlreadySo::Unchanged(warnings) => {
                        let next = Next::Already(outcome, warnings);
                        return Ok(Prepared { task, before, next, is_upon_others, denied: None });
                    }
                }
            }
            (Ok(Plan::Send { .. }), Some(moved)) if ending => return Err(moved),
            (Ok(Plan::Send { draft, after, warnings }), moved) => {
                (planned(Some(draft), after, warnings), moved)
            }
            (Err(trouble), moved) => {
                let meant = planned(None, step.meant(&before), task.notes.clone());
                (meant, moved.filter(|_| !ending).or(Some(trouble)))
            }
        };
        let intent = self.intent(context, task, &before, planned).await?;
        let next = self.judge(context, step, intent, conflict).await?;
        Ok(Prepared { task, before, next, is_upon_others, denied: None })
    }

    /// What the rules say of a change, and of its end; and then what stands in its way at the vendor.
    pub(super) async fn judge(
        &self,
        context: &ChangeContext,
        step: &dyn Step,
        mut intent: Intent,
        conflict: Option<Failure>,
    ) -> Result<Next, Failure> {
        intent.check_length()?;
        let at = self.circumstances(&context.requester, context.changes_this_hour);
        if matches!(intent.cause, Cause::Expiry(_)) {
            self.may_leave(step, &intent, &at)?;
        }
        let foreseen = self.foresee(step, &intent).await;
        if let Ok(Some(comes_back)) = &foreseen {
            intent.warnings.push(comes_back.clone());
        }
        // What the policy denies is said before what cannot be ended.
        let conflict = conflict.or_else(|| foreseen.err());
        Ok(match (self.guard.judge(intent, &at), conflict) {
            (Verdict::Allow(_) | Verdict::Ask(_), Some(conflict)) => Next::Conflict(conflict),
            (verdict, _) => Next::Judged(verdict),
        })
    }

    /// What is left to do where the access is as it is wanted: its end may have to move.
    ///
    /// # Errors
    /// It is wanted for a shorter time than it is there for, which a grant does not do; or the ledger
    /// cannot be read.
    async fn plan_already_so(
        &self,
        task: &Task<'_>,
        before: &Snapshot,
        mut warnings: Vec<String>,
    ) -> Result<AlreadySo, Failure> {
        let (step, request) = (task.step.as_ref(), task.request);
        let refused = |what: String, hint: String| Err(Failure::refused(what).hint(hint));
        if request.tool.spec.effect != Effect::Grant || request.cause != Cause::Request {
            return Ok(AlreadySo::Unchanged(warnings));
        }
        let timed = self.ledger.timed(&request.whose(step.wanted()), key(step.wanted())).await?;
        if timed.as_ref().is_some_and(|record| record.held_by.is_some()) {
            // It may go at any time: an end that is moved would promise that it stays.
            return Ok(AlreadySo::Unchanged(warnings));
        }
        let timed = timed.and_then(|record| Some((record.expires_at?, record)));
        let owned = step.wanted().expires_at.is_none();
        match (timed, request.term.until) {
            (Some((end, record)), until) if until.is_none_or(|until| until > end) => {
                warnings.push(match until {
                    Some(_) => format!("it was to end at {end}, and ends later"),
                    None => format!("it was to end at {end}, and no longer ends"),
                });
                let since = Some(record.begun());
                let (cause, after) = (Cause::Extension(record.receipt), before.rows.clone());
                let planned = Planned { cause, draft: None, after, warnings, since };
                Ok(AlreadySo::EndMoves(Box::new(planned)))
            }
            (Some((end, record)), Some(until)) if until < end => refused(
                format!("the access is there until {end}, and a grant shortens nothing"),
                format!("undo {}, and grant it again with that end", record.receipt),
            ),
            (None, Some(_)) if owned => refused(
                "the access is there without an end, and a grant shortens nothing".to_owned(),
                "take it away first, and grant it again with that end".to_owned(),
            ),
            _ => Ok(AlreadySo::Unchanged(warnings)),
        }
    }

    pub(super) async fn intent(
        &self,
        context: &ChangeContext,
        task: &Task<'_>,
        before: &Snapshot,
        planned: Planned,
    ) -> Result<Intent, Failure> {
        let Planned { cause, draft, after, warnings, since } = planned;
        let ChangeRequest { tool, tenant, organization, reason, term, .. } = task.request;
        let (step, spec) = (task.step.as_ref(), tool.spec);
        let extends = matches!(cause, Cause::Extension(_));
        let called = context.called_for(spec.name, &cause);
        let shift = step.shift(&before.rows, &after);
        let lowering = match spec.effect {
            Effect::Grant => lowering::of(step, &before.rows, &after),
            Effect::Look | Effect::Revoke | Effect::Undo | Effect::Set => Vec::new(),
        };
        let mut intent = Intent {
            vendor: tenant.vendor.name,
            base: tenant.account.base.as_str().to_owned(),
            tenant: tenant.id.place.clone(),
            tenant_name: tenant.id.name.clone(),
            tenant_told: tenant.told.clone(),
            organization: tenant.organization_of(&step.wanted().resource.id, organization),
            tool: spec.name,
            effect: spec.effect,
            lowering: false,
            shift,
            cause,
            needs: spec.needs,
            summary: match spec.effect {
                Effect::Grant => lowering::summary(step, shift, &before.rows, &after),
                Effect::Look | Effect::Revoke | Effect::Undo | Effect::Set => step.summary(),
            },
            wanted: step.wanted().clone(),
            arguments: step.arguments(),
            draft,
            rows: step.rows(&before.rows, &after, extends),
            before: before.rows.clone(),
            after,
            conclusive: before.conclusive,
            privileged: step.privileged(),
            contains: step.contains(),
            ingredients: step.ingredients(),
            own: step.is_self(),
            since: since.or(task.request.since).or(term.starts),
            width: context.width,
            set_size: context.set_size.unwrap_or(1),
            called,
            expires_at: term.until,
            lasts: term.lasts,
            upon: Vec::new(),
            warnings: lowering.into_iter().chain(warnings).collect(),
            reason: reason.clone(),
            client: context.client.clone(),
            read: ReadForRules::default(),
        };
        if intent.draft.is_some() && !matches!(intent.cause, Cause::Expiry(_)) {
            let fixed = intent.expires_at.filter(|_| intent.lasts.is_none());
            if fixed.is_some_and(|end| end <= self.now()) {
                return Err(Failure::refused("its end has come before it was sent")
                    .hint("ask again, with an end to come"));
            }
            intent.upon = self.upon(&Record::foreseen(&intent)?).await?;
        }
        intent.read = self.read_for_rules(context, task, &intent).await;
        Ok(intent)
    }
}

/// What is taken for another that is left out stays, and so it does where it could not be given back.
fn replace_whole_or_not(done: &mut [(usize, Result<Prepared<'_>, Stop<'_>>)]) {
    let windows = done.len().saturating_sub(2);
    for at in 0..windows {
        let Some([(_, Ok(take)), (_, Ok(give)), (_, Ok(back))]) = done.get_mut(at..at + 3) else {
            continue;
        };
        if !back.task.request.is_fallback || take.conflict().is_some() {
            continue;
        }
        let Some(failure) = give.conflict().or(back.conflict()).cloned() else { continue };
        for one in [take, give, back] {
            one.next = Next::Conflict(failure.clone());
        }
    }
}

/// The names by which the ledger finds an access again.
pub(super) fn key(access: &Access) -> [&str; 3] {
    [&access.principal.id, &access.role.id, &access.resource.id]
}

impl Prepared<'_> {
    /// The same, where a call does not name the change: one that the rules deny stands aside then.
    fn setting_denials_aside(self) -> Self {
        match self.next {
            Next::Judged(Verdict::Deny(denied)) if self.task.request.of.is_some() => {
                let failure = Failure::refused(&denied.message).hint(&denied.hint);
                Self { next: Next::Conflict(failure), denied: Some(denied), ..self }
            }
            next => Self { next, ..self },
        }
    }
}

impl Next {
    /// What is to be done, where something is and the rules do not forbid it.
    pub(super) fn intent(&self) -> Option<&Intent> {
        match self {
            Self::Judged(Verdict::Allow(permitted)) => Some(permitted.intent()),
            Self::Judged(Verdict::Ask(asked)) => Some(asked.intent()),
            Self::Judged(Verdict::Deny(_)) | Self::Already(..) | Self::Conflict(_) => None,
        }
    }
}

impl Prepared<'_> {
    pub(super) fn is_to_be_sent(&self) -> bool {
        self.next.intent().is_some()
    }

    pub(super) fn before(&self) -> &[Access] {
        &self.before.rows
    }

    pub(super) fn asks(&self) -> bool {
        matches!(self.next, Next::Judged(Verdict::Ask(_)))
    }

    pub(super) fn is_already(&self) -> bool {
        matches!(self.next, Next::Already(..))
    }

    pub(super) fn is_denied(&self) -> bool {
        matches!(self.next, Next::Judged(Verdict::Deny(_)))
    }

    /// What stands in the way at the vendor.
    pub(super) fn conflict(&self) -> Option<&Failure> {
        match &self.next {
            Next::Conflict(failure) => Some(failure),
            Next::Already(..) | Next::Judged(_) => None,
        }
    }

    /// How the step ends where it is not sent, or what could be sent.
    pub(super) fn settle(self) -> Settled {
        let (step, before) = (self.task.step.as_ref(), self.before);
        let finished = |result| Settled::Finished(Box::new(result));
        match self.next {
            Next::Already(outcome, warnings) => {
                finished(StepResult::already(step, outcome, &before.rows, warnings))
            }
            Next::Conflict(failure) => finished(StepResult::left_out(step, &before.rows, &failure)),
            Next::Judged(Verdict::Deny(denied)) => finished(StepResult::refused(step, &denied)),
            Next::Judged(Verdict::Allow(permitted)) => {
                Settled::Sendable(Sendable::Allowed(permitted), before)
            }
            Next::Judged(Verdict::Ask(asked)) => {
                Settled::Sendable(Sendable::NeedsConsent(asked), before)
            }
        }
    }

    /// The step, where nothing of it was begun.
    pub(super) fn not_started(&self) -> StepResult {
        StepResult::not_started(self.task.step.as_ref(), self.before())
    }

    /// The step, where something stands against it, and others beside it go on.
    pub(super) fn left_aside(self) -> StepResult {
        let step = self.task.step.as_ref();
        match self.settle() {
            Settled::Finished(item) => *item,
            Settled::Sendable(_, before) => StepResult::not_started(step, &before.rows),
        }
    }

    /// The step, stopped before anything of it was sent.
    pub(super) fn stopped(&self, failure: &Failure) -> StepResult {
        StepResult::stopped(self.task.step.as_ref(), Some(self.before()), failure)
    }
}

impl Sendable {
    pub(super) fn intent(&self) -> &Intent {
        match self {
            Self::Allowed(permitted) => permitted.intent(),
            Self::NeedsConsent(asked) => asked.intent(),
        }
    }

    pub(super) fn policy(&self) -> VerdictRecord {
        match self {
            Self::Allowed(permitted) => permitted.policy().clone(),
            Self::NeedsConsent(asked) => asked.policy().clone(),
        }
    }
}

/// What the ledger keeps of a refusal that a tool makes, before there is an intent to judge.
pub(super) fn refusal(context: &ChangeContext, stop: &Stop<'_>) -> Option<Value> {
    let Stop { task: Task { step, request, .. }, failure, .. } = stop;
    (failure.kind == Kind::Refused).then(|| {
        json!({
            "tool": request.tool.spec.name,
            "effect": request.tool.spec.effect.as_str(),
            "vendor": request.tool.spec.vendor,
            "tenant": request.tenant.id.place,
            "tenant_name": request.tenant.id.name,
            "summary": step.summary(),
            "wanted": step.wanted(),
            "reason": request.reason,
            "client": context.client,
            "outcome": Outcome::Refused,
            "note": failure.message,
            "hint": failure.next_step(),
        })
    })
}
