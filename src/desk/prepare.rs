//! What a step would do: read, planned and judged; nothing is sent.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::change::ChangeRequest;
use super::circumstances::circumstances;
use super::walk::Stop;
use super::{Desk, StepResult, lowering};
use crate::access::{Access, Outcome};
use crate::draft::Draft;
use crate::failure::{Failure, Kind};
use crate::guard::{Asked, Permitted, Policy, Verdict};
use crate::intent::{Cause, Intent};
use crate::ledger::Record;
use crate::tools::{Effect, Plan, Snapshot, Step};
use crate::vendors::VendorReader;

/// What a step would do, judged, with the reading it rests on.
pub(super) enum Prepared {
    Already(Outcome, Snapshot, Vec<String>),
    /// The policy does not forbid it, and something at the vendor stands in its way.
    Conflict(Failure, Snapshot),
    Judged(Verdict, Snapshot),
}

/// A step that the guard does not stand against.
pub(super) enum Sendable {
    Allowed(Box<Permitted>),
    /// A person must agree first.
    Asked(Box<Asked>),
}

/// What a change would come to.
struct Planned {
    cause: Cause,
    draft: Option<Draft>,
    after: Vec<Access>,
    warnings: Vec<String>,
}

impl Desk {
    /// # Errors
    /// At the first step that cannot be prepared.
    pub(super) async fn prepare_all<'s>(
        &self,
        change: &ChangeRequest<'_>,
        steps: &'s [Box<dyn Step>],
        reader: &VendorReader<'_>,
    ) -> Result<Vec<Prepared>, Stop<'s>> {
        let mut prepared = Vec::new();
        for step in steps {
            let one = self.prepare(change, step.as_ref(), reader).await;
            prepared.push(one.map_err(|failure| Stop {
                step: step.as_ref(),
                failure,
                read: None,
            })?);
        }
        Ok(prepared)
    }

    /// Reads, plans and judges one step. The policy speaks before what stands in the way at the
    /// vendor: nobody is told to give something up for a change that is then denied.
    pub(super) async fn prepare(
        &self,
        change: &ChangeRequest<'_>,
        step: &dyn Step,
        reader: &VendorReader<'_>,
    ) -> Result<Prepared, Failure> {
        if change.cause == Cause::Request {
            self.nothing_unseen(&reader.tenant.name, step).await?;
        }
        let before = step.current(reader).await?;
        let ending = matches!(change.cause, Cause::Expiry(_));
        let moved = change.undoing.as_ref().and_then(|undoing| undoing.check(step, &before).err());
        let planned = |draft, after, warnings| {
            let cause = change.cause.clone();
            Planned { cause, draft, after, warnings }
        };
        let (planned, conflict) = match (step.plan(&before), moved) {
            (Ok(Plan::Already { .. }), Some(moved)) if !ending => return Err(moved),
            (Ok(Plan::Already { outcome, warnings }), _) => {
                match self.reached(change, step, &before, warnings, reader).await? {
                    Ok(planned) => (planned, None),
                    Err(warnings) => return Ok(Prepared::Already(outcome, before, warnings)),
                }
            }
            (Ok(Plan::Send { .. }), Some(moved)) if ending => return Err(moved),
            (Ok(Plan::Send { draft, after, warnings }), moved) => {
                (planned(Some(draft), after, warnings), moved)
            }
            (Err(trouble), moved) => {
                let meant = planned(None, step.meant(&before), Vec::new());
                (meant, moved.filter(|_| !ending).or(Some(trouble)))
            }
        };
        let mut intent = self.intent(change, step, &before, planned, reader).await?;
        intent.check_length()?;
        let at = circumstances(&change.requester, change.changes_this_hour);
        if ending {
            self.may_leave(step, &intent, &at)?;
        }
        let foreseen = self.foresee(step, &intent).await;
        if let Ok(Some(comes_back)) = &foreseen {
            intent.warnings.push(comes_back.clone());
        }
        // What the policy denies is said before what cannot be ended.
        let conflict = conflict.or_else(|| foreseen.err());
        Ok(match (self.guard.judge(intent, &at), conflict) {
            (Verdict::Allow(_) | Verdict::Ask(_), Some(conflict)) => {
                Prepared::Conflict(conflict, before)
            }
            (verdict, _) => Prepared::Judged(verdict, before),
        })
    }

    /// What is left to do where the access is as it is wanted: its end may have to move, or the
    /// reader should know that it does not.
    async fn reached(
        &self,
        change: &ChangeRequest<'_>,
        step: &dyn Step,
        before: &Snapshot,
        mut warnings: Vec<String>,
        reader: &VendorReader<'_>,
    ) -> Result<Result<Planned, Vec<String>>, Failure> {
        let refused = |what: String, hint: String| Err(Failure::refused(what).hint(hint));
        if change.tool.spec.effect != Effect::Grant || change.cause != Cause::Request {
            return Ok(Err(warnings));
        }
        let timed = self.ledger.timed(key(&reader.tenant.name, step.wanted())).await?;
        if timed.as_ref().is_some_and(|record| record.held_by.is_some()) {
            // It may go at any time: an end that is moved would promise that it stays.
            return Ok(Err(warnings));
        }
        let timed = timed.and_then(|record| Some((record.expires_at?, record)));
        let owned = step.wanted().expires_at.is_none();
        match (timed, change.term.until) {
            (Some((end, record)), until) if until.is_none_or(|until| until > end) => {
                warnings.push(match until {
                    Some(_) => format!("it was to end at {end}, and ends later"),
                    None => format!("it was to end at {end}, and no longer ends"),
                });
                let (cause, after) = (Cause::Extension(record.receipt), before.rows.clone());
                Ok(Ok(Planned { cause, draft: None, after, warnings }))
            }
            (Some((end, record)), Some(until)) if until < end => refused(
                format!("the access is there until {end}, and a grant shortens nothing"),
                format!("undo {}, and grant it again with that end", record.receipt),
            ),
            (None, Some(_)) if owned => refused(
                "the access is there without an end, and a grant shortens nothing".to_owned(),
                "take it away first, and grant it again with that end".to_owned(),
            ),
            _ => Ok(Err(warnings)),
        }
    }

    async fn intent(
        &self,
        change: &ChangeRequest<'_>,
        step: &dyn Step,
        before: &Snapshot,
        planned: Planned,
        reader: &VendorReader<'_>,
    ) -> Result<Intent, Failure> {
        let Planned { cause, draft, after, warnings } = planned;
        let extends = matches!(cause, Cause::Extension(_));
        let shift = step.shift(&before.rows, &after);
        let lowering = match change.tool.spec.effect {
            Effect::Grant => lowering::of(step, &before.rows, &after),
            Effect::Look | Effect::Revoke | Effect::Undo => Vec::new(),
        };
        let mut intent = Intent {
            vendor: reader.tenant.vendor.name,
            base: reader.tenant.account.base.as_str().to_owned(),
            tenant: reader.tenant.name.clone(),
            organization: reader
                .tenant
                .organization_of(&step.wanted().resource.id, &change.organization),
            tool: change.tool.spec.name,
            effect: change.tool.spec.effect,
            lowering: false,
            shift,
            cause,
            needs: change.tool.spec.needs,
            summary: match change.tool.spec.effect {
                Effect::Grant => lowering::summary(step, shift, &before.rows, &after),
                Effect::Look | Effect::Revoke | Effect::Undo => step.summary(),
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
            width: change.width,
            expires_at: change.term.until,
            lasts: change.term.lasts,
            upon: Vec::new(),
            warnings: lowering.into_iter().chain(warnings).collect(),
            reason: change.common.reason.clone(),
            client: change.client.clone(),
        };
        if intent.draft.is_some() && !matches!(intent.cause, Cause::Expiry(_)) {
            let fixed = intent.expires_at.filter(|_| intent.lasts.is_none());
            if fixed.is_some_and(|end| end <= Timestamp::now()) {
                return Err(Failure::refused("its end has come before it was sent")
                    .hint("ask again, with an end to come"));
            }
            intent.upon = self.upon(&Record::foreseen(&intent)?).await?;
        }
        Ok(intent)
    }
}

/// The names by which the ledger finds an access again.
pub(super) fn key<'a>(tenant: &'a str, access: &'a Access) -> [&'a str; 4] {
    [tenant, &access.principal.id, &access.role.id, &access.resource.id]
}

impl Prepared {
    pub(super) fn before(&self) -> &[Access] {
        match self {
            Self::Already(_, before, _) | Self::Conflict(_, before) | Self::Judged(_, before) => {
                &before.rows
            }
        }
    }

    pub(super) fn asks(&self) -> bool {
        matches!(self, Self::Judged(Verdict::Ask(_), _))
    }

    pub(super) fn is_already(&self) -> bool {
        matches!(self, Self::Already(..))
    }

    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Judged(Verdict::Deny(_), _))
    }

    /// What stands in the way at the vendor.
    pub(super) fn conflict(&self) -> Option<&Failure> {
        match self {
            Self::Conflict(failure, _) => Some(failure),
            Self::Already(..) | Self::Judged(..) => None,
        }
    }

    /// How the step ends where it is not sent, or what could be sent.
    pub(super) fn settled(self, step: &dyn Step) -> Result<StepResult, (Sendable, Snapshot)> {
        match self {
            Self::Already(outcome, before, warnings) => {
                Ok(StepResult::already(step, outcome, &before.rows, warnings))
            }
            Self::Conflict(failure, before) => {
                Ok(StepResult::stopped(step, Some(&before.rows), &failure))
            }
            Self::Judged(Verdict::Deny(denied), _) => Ok(StepResult::refused(step, &denied)),
            Self::Judged(Verdict::Allow(permitted), before) => {
                Err((Sendable::Allowed(permitted), before))
            }
            Self::Judged(Verdict::Ask(asked), before) => Err((Sendable::Asked(asked), before)),
        }
    }
}

impl Sendable {
    pub(super) fn intent(&self) -> &Intent {
        match self {
            Self::Allowed(permitted) => permitted.intent(),
            Self::Asked(asked) => asked.intent(),
        }
    }

    pub(super) fn policy(&self) -> Policy {
        match self {
            Self::Allowed(permitted) => permitted.policy().clone(),
            Self::Asked(asked) => asked.policy().clone(),
        }
    }
}

/// What the ledger keeps of a refusal that a tool makes, before there is an intent to judge.
pub(super) fn refusal(
    change: &ChangeRequest<'_>,
    step: &dyn Step,
    failure: &Failure,
) -> Option<Value> {
    (failure.kind == Kind::Refused).then(|| {
        json!({
            "tool": change.tool.spec.name,
            "effect": change.tool.spec.effect.as_str(),
            "vendor": change.tool.spec.vendor,
            "summary": step.summary(),
            "wanted": step.wanted(),
            "reason": change.common.reason,
            "client": change.client,
            "outcome": Outcome::Refused,
            "note": failure.message,
        })
    })
}
