//! The one road from a call to an outcome.
//!
//! find → arguments → resolve → current → plan → guard → ledger → transport → read back → ledger.
//! A dry run leaves after the guard. There is no second road: the command line enters here too.

mod answer;
mod carry;
mod review;
mod turns;

use std::time::Duration;

use serde_json::{Map, Value};

pub use answer::Answer;

use crate::access::Outcome;
use crate::catalogue::{self, Found};
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::guard::{Asked, Circumstances, Denied, Guard, PolicyError, Verdict};
use crate::intent::{Cause, Intent};
use crate::ledger::Ledger;
use crate::tools::{Common, LookFn, Plan, Room, Run, Standing, Step, Tool};
use crate::transport::{CALL, Deadline, Wire};
use crate::vendors::{Asker, Memo, Tenant};
use answer::Item;
use review::Undoing;
use turns::Turns;

/// Everything a call needs, for the life of the process.
pub struct Desk {
    config: Config,
    guard: Guard,
    ledger: Ledger,
    wire: Wire,
    /// Look-ups of names, shared by the calls of a burst.
    names: Memo,
    turns: Turns,
}

/// How long a looked-up name is good for.
const NAMES: Duration = Duration::from_secs(5);

/// One call of one tool.
pub struct Call {
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
    pub progress: Progress,
    /// Whether the client has withdrawn the call: what was not sent then stays unsent.
    pub withdrawn: Withdrawn,
}

/// Whether a client has withdrawn its call.
pub type Withdrawn = Box<dyn Fn() -> bool + Send + Sync>;

/// Told, in a few words, what a call is about to do.
pub type Progress = Box<dyn Fn(String) + Send + Sync>;

/// There is no tool of that name.
#[derive(Debug)]
pub struct UnknownTool;

/// What a change was asked for as, beside its steps.
struct Order<'a> {
    tool: &'a Tool,
    common: Common,
    client: Option<String>,
    undoing: Option<&'a Undoing>,
    /// How many accesses the call changes.
    width: usize,
}

/// What a step would do, judged, with the reading it rests on.
enum Prepared {
    Already(Outcome, Standing, Vec<String>),
    Judged(Verdict, Standing),
}

impl Desk {
    /// # Errors
    /// The policy does not load.
    pub fn new(mut config: Config) -> Result<Self, PolicyError> {
        let guard = Guard::load(config.policy.as_deref(), config.read_only)?;
        let ledger = Ledger::new(&config.state_dir, config.ledger_key.take());
        let (wire, names) = (Wire::default(), Memo::lasting(NAMES));
        Ok(Self { config, guard, ledger, wire, names, turns: Turns::default() })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// # Errors
    /// There is no such tool; everything else is an answer.
    pub async fn call(&self, call: Call) -> Result<Answer, UnknownTool> {
        let answer = match catalogue::find(&call.tool, &self.config) {
            Found::Unknown => return Err(UnknownTool),
            Found::Off(tool, failure) => off(tool, failure, call.arguments),
            Found::On(tool) => match (&tool.run, self.tenant(tool)) {
                (Run::Look(look), _) => self.look(*look, call).await,
                (Run::Check, _) => self.check(call.arguments).await,
                (Run::Undo, _) => self.undo(call).await?,
                (Run::Change { .. }, Some(tenant)) => self.change(tool, tenant, call, None).await,
                (Run::Change { .. }, None) => {
                    Answer::stopped(tool.spec, &Failure::invalid("its vendor is not configured"))
                }
            },
        };
        Ok(answer.finish(self.config.sandbox))
    }

    fn tenant(&self, tool: &Tool) -> Option<&Tenant> {
        self.config.tenant(tool.spec.vendor?)
    }

    async fn look(&self, look: LookFn, call: Call) -> Answer {
        let deadline = Deadline::after(CALL);
        let (tenants, wire) = (&self.config.tenants, &self.wire);
        let room = Room { tenants, wire, ledger: &self.ledger, deadline };
        match look(Value::Object(call.arguments), room).await {
            Ok(rows) => Answer::rows(rows),
            Err(failure) => Answer::unasked(&failure),
        }
    }

    async fn change(
        &self,
        tool: &Tool,
        tenant: &Tenant,
        mut call: Call,
        undoing: Option<&Undoing>,
    ) -> Answer {
        let common = match Common::take(&mut call.arguments) {
            Ok(common) => common,
            Err(failure) => return Answer::stopped(tool.spec, &failure),
        };
        let Run::Change { resolve, .. } = tool.run else {
            return Answer::stopped(tool.spec, &Failure::invalid("this tool changes nothing"));
        };
        let deadline = Deadline::after(CALL);
        let ask = Asker { tenant, wire: &self.wire, deadline, memo: Some(&self.names) };
        (call.progress)("looking up names".to_owned());
        let steps = match resolve(Value::Object(std::mem::take(&mut call.arguments)), &ask).await {
            Ok(steps) => steps,
            Err(failure) => {
                // What is not known now may be in a moment.
                self.names.clear();
                return Answer::stopped(tool.spec, &failure);
            }
        };
        let keys = steps.iter().map(|step| {
            let principal = &step.wanted().principal.id;
            format!("{} {principal}", tenant.vendor.name)
        });
        let _turn = self.turns.take(keys.collect()).await;
        let order =
            Order { tool, common, client: call.client.clone(), undoing, width: steps.len() };
        match self.walk(&order, &steps, &ask, &call).await {
            Ok(mut items) => {
                for (item, step) in items.iter_mut().zip(&steps) {
                    item.show(step.as_ref());
                }
                Answer::changed(tool.spec, items)
            }
            Err((step, failure)) => Answer::stopped_at(tool.spec, step, &failure),
        }
    }

    /// Prepares all steps, and carries them out unless that is not wanted or one of them is denied.
    ///
    /// # Errors
    /// A step that cannot be prepared, before anything was sent.
    async fn walk<'s>(
        &self,
        order: &Order<'_>,
        steps: &'s [Box<dyn Step>],
        ask: &Asker<'_>,
        call: &Call,
    ) -> Result<Vec<Item>, (&'s dyn Step, Failure)> {
        (call.progress)("reading the access there is".to_owned());
        let now = Memo::lasting(CALL);
        let ask = Asker { memo: Some(&now), ..*ask };
        let mut prepared = Vec::new();
        for step in steps {
            let one = self.prepare(order, step.as_ref(), &ask).await;
            prepared.push(one.map_err(|failure| (step.as_ref(), failure))?);
        }
        if order.common.dry_run.unwrap_or(false) {
            let both = steps.iter().zip(prepared);
            return Ok(both.map(|(step, one)| preview(step.as_ref(), one)).collect());
        }
        let prepared: Vec<_> = prepared.into_iter().map(Prepared::unasked).collect();
        if let Some(items) = self.refuse(steps, &prepared).await {
            return Ok(items);
        }
        self.names.clear();
        let ask = Asker { memo: None, ..ask };
        Ok(self.carry(order, steps, prepared, &ask, call).await)
    }

    /// Reads, plans and judges one step; nothing is sent.
    async fn prepare(
        &self,
        order: &Order<'_>,
        step: &dyn Step,
        ask: &Asker<'_>,
    ) -> Result<Prepared, Failure> {
        let before = step.current(ask).await?;
        if let Some(undoing) = order.undoing {
            undoing.check(step, &before)?;
        }
        let (draft, after, warnings) = match step.plan(&before)? {
            Plan::Already { outcome, warnings } => {
                return Ok(Prepared::Already(outcome, before, warnings));
            }
            Plan::Send { draft, after, warnings } => (draft, after, warnings),
        };
        let intent = Intent {
            vendor: ask.tenant.vendor.name,
            base: ask.tenant.account.base.as_str().to_owned(),
            tool: order.tool.spec.name,
            effect: order.tool.spec.effect,
            cause: order
                .undoing
                .map_or(Cause::Request, |undoing| Cause::Undo(undoing.receipt.clone())),
            needs: order.tool.spec.needs,
            summary: step.summary(),
            wanted: step.wanted().clone(),
            arguments: step.arguments(),
            draft,
            before: before.rows.clone(),
            after,
            conclusive: before.conclusive,
            privileged: step.privileged(),
            contains: step.contains(),
            own: step.own(),
            width: order.width,
            expires_at: None,
            warnings,
            reason: order.common.reason.clone(),
            client: order.client.clone(),
        };
        let at = Circumstances {
            requester: self.ledger.requester(),
            changes_this_hour: 0,
            now: jiff::Timestamp::now(),
        };
        Ok(Prepared::Judged(self.guard.judge(intent, &at), before))
    }

    /// One refusal refuses the whole call, before any of it is sent.
    async fn refuse(&self, steps: &[Box<dyn Step>], prepared: &[Prepared]) -> Option<Vec<Item>> {
        let denied = |one: &Prepared| matches!(one, Prepared::Judged(Verdict::Deny(_), _));
        if !prepared.iter().any(denied) {
            return None;
        }
        let mut items = Vec::new();
        for (step, one) in steps.iter().zip(prepared) {
            let item = match one {
                Prepared::Judged(verdict, before) => match verdict {
                    Verdict::Deny(denied) => {
                        self.ledger.refuse(denied).await;
                        Item::refused(step.as_ref(), denied)
                    }
                    Verdict::Allow(_) | Verdict::Ask(_) => {
                        Item::not_started(step.as_ref(), &before.rows)
                    }
                },
                Prepared::Already(outcome, before, warnings) => {
                    Item::already(step.as_ref(), *outcome, &before.rows, warnings.clone())
                }
            };
            items.push(item);
        }
        Some(items)
    }
}

impl Prepared {
    /// Where nobody can be asked, a question is a no.
    fn unasked(self) -> Self {
        let Self::Judged(Verdict::Ask(asked), before) = self else { return self };
        let Asked { intent, policy, .. } = *asked;
        let message = "a person must approve this, and nobody can be asked here".to_owned();
        let hint = "an administrator decides in the policy what needs no asking".to_owned();
        Self::Judged(Verdict::Deny(Box::new(Denied { intent, message, hint, policy })), before)
    }
}

/// A known tool that is switched off; a dry run may still show what to enter by hand.
fn off(tool: &Tool, failure: Failure, mut arguments: Map<String, Value>) -> Answer {
    let Run::Change { by_hand, .. } = tool.run else {
        return Answer::unasked(&failure);
    };
    let dry_run = Common::take(&mut arguments).ok().and_then(|common| common.dry_run);
    if dry_run == Some(true) && failure.kind == Kind::Invalid {
        match by_hand(Value::Object(arguments)) {
            Ok(Some(shown)) => return Answer::by_hand(tool.spec, shown, &failure),
            Ok(None) => {}
            Err(misfit) => return Answer::stopped(tool.spec, &misfit),
        }
    }
    Answer::stopped(tool.spec, &failure)
}

fn preview(step: &dyn Step, prepared: Prepared) -> Item {
    match prepared {
        Prepared::Already(outcome, before, warnings) => {
            Item::already(step, outcome, &before.rows, warnings)
        }
        Prepared::Judged(verdict, _) => match verdict {
            Verdict::Allow(permitted) => {
                Item::preview(step, permitted.intent(), permitted.policy().clone())
            }
            Verdict::Ask(asked) => Item::preview(step, &asked.intent, asked.policy),
            Verdict::Deny(denied) => Item::refused(step, &denied),
        },
    }
}
