//! Several changes as one: what a call lists becomes wishes, which take the one road together.

use serde_json::{Map, Value};

use super::aside;
use super::change::{ARGUMENTS, Asked, Finished, SetTerms, Wish, labelled};
use super::step_result::StepResult;
use super::task::{ChangeContext, Task};
use super::{Answer, Call, Desk, OriginalCall};
use crate::catalogue::{self, Found};
use crate::failure::Failure;
use crate::text::{self, Word};
use crate::tools::apply_changes::{self, ApplyChanges, ChangeCall};
use crate::tools::{Effect, LASTING, Run, SetOf, Spec, Tool, changing, meant, parse};

/// What holds for each change of a set that says nothing of it.
struct Shared {
    reason: Option<Value>,
    /// The end of grants: its argument, and when that is.
    end: Option<(&'static str, Value)>,
}

impl Desk {
    /// Takes several changes down the road as one.
    pub(super) async fn set(
        &self,
        tool: &'static Tool,
        of: SetOf,
        call: Call,
        called: OriginalCall,
    ) -> Answer {
        let wished = match of {
            SetOf::Listed => self.wishes(&call).await,
            SetOf::End => self.end_moved(&call).await,
            SetOf::Wholesale(of) => self.expand(of, &call).await,
        };
        match wished {
            Ok((wishes, terms)) => {
                self.change(Asked::several(called, tool.spec, wishes, terms), call).await
            }
            Err(failure) => Answer::stopped(tool.spec, &failure),
        }
    }

    /// The changes that move the end of a grant.
    async fn end_moved(&self, call: &Call) -> Result<(Vec<Wish<'_>>, SetTerms), Failure> {
        let mut arguments = call.arguments.clone();
        let dry_run = arguments.shift_remove(DRY_RUN) == Some(Value::Bool(true));
        let wishes = self.expiry_wishes(arguments, &call.requester).await?;
        Ok((wishes, SetTerms { dry_run, ..SetTerms::default() }))
    }

    /// The changes that a call lists.
    ///
    /// # Errors
    /// All that is wrong with any of them, at once.
    async fn wishes(&self, call: &Call) -> Result<(Vec<Wish<'_>>, SetTerms), Failure> {
        let shared = Shared::of(&call.arguments);
        let ApplyChanges { changes, dry_run, .. } = parse(Value::Object(call.arguments.clone()))?;
        let mut wishes = Vec::new();
        for (index, change) in changes.into_iter().enumerate() {
            let label = format!("changes[{index}]");
            wishes.push(self.listed_one(change, &label, &shared, call).await);
        }
        let dry_run = dry_run.unwrap_or(false);
        let wishes = Failure::every(wishes)?.into_iter().flatten().collect();
        Ok((wishes, SetTerms { dry_run, ..SetTerms::default() }))
    }

    async fn listed_one(
        &self,
        change: ChangeCall,
        label: &str,
        shared: &Shared,
        call: &Call,
    ) -> Result<Vec<Wish<'_>>, Failure> {
        let ChangeCall { tool: name, mut arguments } = change;
        let tool = match catalogue::find(name.as_str().trim(), &self.config) {
            Found::On(tool) => tool,
            Found::Off(_, failure) => return Err(failure.of(&format!("{label}.tool"))),
            Found::Unknown => {
                return Err(no_change(name.as_str(), &self.config).of(&format!("{label}.tool")));
            }
        };
        if arguments.contains_key(DRY_RUN) {
            return Err(Failure::invalid("is said of all changes together, beside them")
                .of(&format!("{label}.{ARGUMENTS}.{DRY_RUN}")));
        }
        let inside = |failure: Failure| labelled(failure, Some(label));
        shared.complete(tool, &mut arguments);
        let (fit, at) = (catalogue::fit, format!("{label}.{ARGUMENTS}"));
        match &tool.run {
            Run::Change { .. } => {}
            Run::Undo => {
                let (arguments, _) = fit(tool, &self.config, &at, arguments)?;
                let wish = self.undo_wish(arguments, &call.requester).await.map_err(inside)?;
                return Ok(vec![Wish { label: Some(label.to_owned()), ..wish }]);
            }
            Run::Set(SetOf::End) => {
                let (arguments, _) = fit(tool, &self.config, &at, arguments)?;
                let wishes = self.expiry_wishes(arguments, &call.requester).await;
                return Ok(labelled_all(wishes.map_err(inside)?, label));
            }
            Run::Look(_) | Run::Check | Run::Set(SetOf::Listed | SetOf::Wholesale(_)) => {
                return Err(no_change(name.as_str(), &self.config).of(&format!("{label}.tool")));
            }
        }
        let (arguments, named) = fit(tool, &self.config, &at, arguments)?;
        let tenant = self.tenant(tool, named.as_deref());
        let tenant = tenant.ok_or_else(|| inside(super::vendor_missing(tool.spec)))?;
        let wishes = self.replacing(Wish::new(tool, tenant, arguments)).await;
        Ok(labelled_all(wishes.map_err(inside)?, label))
    }

    /// What is said of a set.
    pub(super) fn answer_to_set(
        &self,
        spec: &Spec,
        done: Finished,
        tasks: &[Task<'_>],
        context: &ChangeContext,
    ) -> Answer {
        let Finished { items, waits, receipt } = done;
        let at = |(item, task): (StepResult, &Task<'_>)| (item, aside::of(task.request.tenant));
        let is_told = |(item, task): &(StepResult, &Task<'_>)| {
            !task.request.is_fallback || item.is_due || item.is_denied()
        };
        let items = items.into_iter().zip(tasks).filter(is_told).map(at);
        let mut aside = context.aside.clone();
        let Some(expands) = context.expands else {
            return Answer::of_set(spec, receipt, items.collect(), aside.left_out).asking(waits);
        };
        let (out, items): (Vec<_>, Vec<_>) = items.partition(|(item, _)| item.is_left_out);
        out.into_iter().for_each(|(item, of)| aside.put_step(of, item));
        Answer::of_set(spec, receipt, items, Vec::new()).beside(expands, aside).asking(waits)
    }
}

const DRY_RUN: &str = "dry_run";

/// Wishes as those of one change that a set lists.
fn labelled_all<'a>(wishes: Vec<Wish<'a>>, label: &str) -> Vec<Wish<'a>> {
    let labelled = |wish| Wish { label: Some(label.to_owned()), ..wish };
    wishes.into_iter().map(labelled).collect()
}

impl Shared {
    fn of(arguments: &Map<String, Value>) -> Self {
        let end = LASTING.iter().find_map(|name| Some((*name, arguments.get(*name)?.clone())));
        Self { reason: arguments.get("reason").cloned(), end }
    }

    /// Puts what holds for all into a change that says nothing of it.
    fn complete(&self, tool: &Tool, arguments: &mut Map<String, Value>) {
        if let Some(reason) = &self.reason
            && !arguments.contains_key("reason")
        {
            arguments.insert("reason".to_owned(), reason.clone());
        }
        let ends = LASTING.iter().any(|name| arguments.contains_key(*name));
        if let Some((name, end)) = &self.end
            && tool.spec.effect == Effect::Grant
            && !ends
        {
            arguments.insert((*name).to_owned(), end.clone());
        }
    }
}

/// That this is no tool that makes one change.
fn no_change(name: &str, config: &crate::config::Config) -> Failure {
    let names: Vec<&str> = catalogue::listed(config)
        .filter(|tool| changing(tool) || matches!(tool.run, Run::Set(SetOf::End)))
        .map(|tool| tool.spec.name)
        .collect();
    let near = meant(name, &names);
    let shown = text::quote(Word::Caller, name);
    Failure::invalid(format!("{shown} is no tool that makes one change{near}")).hint(format!(
        "{} takes these: {}",
        apply_changes::SPEC.name,
        names.join(", ")
    ))
}
