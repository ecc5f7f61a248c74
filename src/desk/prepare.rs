//! What a step would do: read, planned and judged; nothing is sent.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::circumstances::circumstances;
use super::walk::Stop;
use super::{Desk, Item, Order, lowering};
use crate::access::{Access, Outcome};
use crate::draft::Draft;
use crate::failure::{Failure, Kind};
use crate::guard::{Asked, Permitted, Policy, Verdict};
use crate::intent::{Cause, Intent};
use crate::ledger::Record;
use crate::tools::{Effect, Plan, Standing, Step};
use crate::vendors::Asker;

/// What a step would do, judged, with the reading it rests on.
pub(super) enum Prepared {
    Already(Outcome, Standing, Vec<String>),
    /// The policy does not forbid it, and something at the vendor stands in its way.
    Conflict(Failure, Standing),
    Judged(Verdict, Standing),
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
        order: &Order<'_>,
        steps: &'s [Box<dyn Step>],
        ask: &Asker<'_>,
    ) -> Result<Vec<Prepared>, Stop<'s>> {
        let mut prepared = Vec::new();
        for step in steps {
            let one = self.prepare(order, step.as_ref(), ask).await;
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
        order: &Order<'_>,
        step: &dyn Step,
        ask: &Asker<'_>,
    ) -> Result<Prepared, Failure> {
        if order.cause == Cause::Request {
            self.nothing_unseen(&ask.tenant.name, step).await?;
        }
        let before = step.current(ask).await?;
        let ending = matches!(order.cause, Cause::Expiry(_));
        let moved = order.undoing.as_ref().and_then(|undoing| undoing.check(step, &before).err());
        let planned = |draft, after, warnings| {
            let cause = order.cause.clone();
            Planned { cause, draft, after, warnings }
        };
        let (planned, conflict) = match (step.plan(&before), moved) {
            (Ok(Plan::Already { .. }), Some(moved)) if !ending => return Err(moved),
            (Ok(Plan::Already { outcome, warnings }), _) => {
                match self.reached(order, step, &before, warnings, ask).await? {
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
        let mut intent = self.intent(order, step, &before, planned, ask).await?;
        intent.check_length()?;
        let at = circumstances(&order.requester, order.changes_this_hour);
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
        order: &Order<'_>,
        step: &dyn Step,
        before: &Standing,
        mut warnings: Vec<String>,
        ask: &Asker<'_>,
    ) -> Result<Result<Planned, Vec<String>>, Failure> {
        let refused = |what: String, hint: String| Err(Failure::refused(what).hint(hint));
        if order.tool.spec.effect != Effect::Grant || order.cause != Cause::Request {
            return Ok(Err(warnings));
        }
        let timed = self.ledger.timed(key(&ask.tenant.name, step.wanted())).await?;
        if timed.as_ref().is_some_and(|record| record.held_by.is_some()) {
            // It may go at any time: an end that is moved would promise that it stays.
            return Ok(Err(warnings));
        }
        let timed = timed.and_then(|record| Some((record.expires_at?, record)));
        let owned = step.wanted().expires_at.is_none();
        match (timed, order.term.until) {
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
        order: &Order<'_>,
        step: &dyn Step,
        before: &Standing,
        planned: Planned,
        ask: &Asker<'_>,
    ) -> Result<Intent, Failure> {
        let Planned { cause, draft, after, warnings } = planned;
        let extends = matches!(cause, Cause::Extension(_));
        let shift = step.shift(&before.rows, &after);
        let lowering = match order.tool.spec.effect {
            Effect::Grant => lowering::of(step, &before.rows, &after),
            Effect::Look | Effect::Revoke | Effect::Undo => Vec::new(),
        };
        let mut intent = Intent {
            vendor: ask.tenant.vendor.name,
            base: ask.tenant.account.base.as_str().to_owned(),
            tenant: ask.tenant.name.clone(),
            organization: ask
                .tenant
                .organization_of(&step.wanted().resource.id, &order.organization),
            tool: order.tool.spec.name,
            effect: order.tool.spec.effect,
            lowering: false,
            shift,
            cause,
            needs: order.tool.spec.needs,
            summary: match order.tool.spec.effect {
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
            own: step.own(),
            width: order.width,
            expires_at: order.term.until,
            lasts: order.term.lasts,
            upon: Vec::new(),
            warnings: lowering.into_iter().chain(warnings).collect(),
            reason: order.common.reason.clone(),
            client: order.client.clone(),
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
    pub(super) fn settled(self, step: &dyn Step) -> Result<Item, (Sendable, Standing)> {
        match self {
            Self::Already(outcome, before, warnings) => {
                Ok(Item::already(step, outcome, &before.rows, warnings))
            }
            Self::Conflict(failure, before) => {
                Ok(Item::stopped(step, Some(&before.rows), &failure))
            }
            Self::Judged(Verdict::Deny(denied), _) => Ok(Item::refused(step, &denied)),
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
pub(super) fn refusal(order: &Order<'_>, step: &dyn Step, failure: &Failure) -> Option<Value> {
    (failure.kind == Kind::Refused).then(|| {
        json!({
            "tool": order.tool.spec.name,
            "effect": order.tool.spec.effect.as_str(),
            "vendor": order.tool.spec.vendor,
            "summary": step.summary(),
            "wanted": step.wanted(),
            "reason": order.common.reason,
            "client": order.client,
            "outcome": Outcome::Refused,
            "note": failure.message,
        })
    })
}
