//! What one call asks for, from its arguments to its answer: one change, or several as one. As often as a
//! person is asked, the road is taken again from the look-ups on.

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::aside::{self, Aside};
use super::linked::Waits;
use super::prepare;
use super::step_result::StepResult;
use super::taking::InHand;
use super::task::{ChangeContext, ChangeRequest, Expanded, Reads, Task};
use super::undo::stays;
use super::undo_precondition::UndoPrecondition;
use super::{Answer, Call, Desk, OriginalCall, consent};
use crate::catalogue;
use crate::failure::Failure;
use crate::intent::Cause;
use crate::ledger::{Record, Request};
use crate::outbound::{CALL, Deadline};
use crate::requester::Requester;
use crate::tools::{Common, Lasting, Run, Spec, Step, Tool, Wholesale, starting};
use crate::vendors::{Notes, Organization, Tenant, VendorReader};

/// One change that is wished for: of one tool, at one tenant.
pub(super) struct Wish<'a> {
    pub(super) tool: &'static Tool,
    pub(super) tenant: &'a Tenant,
    /// What that tool's schema says, with what all changes share.
    pub(super) arguments: Map<String, Value>,
    pub(super) cause: Cause,
    /// What must still be so, where it takes an earlier change back.
    pub(super) undoing: Option<UndoPrecondition>,
    /// How the call names it, where it is one of several.
    pub(super) label: Option<String>,
    /// The grant whose end it moves.
    pub(super) extending: Option<Box<Record>>,
    /// When the access was first given, where it was there before.
    pub(super) since: Option<Timestamp>,
    /// What is made only where the wish before it is known not to have come about.
    pub(super) fallback: Option<Fallback>,
    /// What it comes from, where the call does not name it.
    pub(super) of: Option<Box<Expanded>>,
}

/// Marks a wish that gives back what the one two before it took, where the one between is known not to stand.
#[derive(Clone, Copy)]
pub(super) struct Fallback;

/// What a call asks for.
pub(super) struct Asked<'a> {
    pub(super) called: OriginalCall,
    /// The tool that the answer is of.
    pub(super) spec: &'static Spec,
    pub(super) wishes: Vec<Wish<'a>>,
    /// Several changes as one, and not a change by itself.
    pub(super) set: Option<SetTerms>,
}

/// What is said of a set as a whole.
#[derive(Default)]
pub(super) struct SetTerms {
    pub(super) dry_run: bool,
    /// What is no part of it, and why.
    pub(super) aside: Aside,
    /// What the call is, where it names no changes: those are found out anew as often as they are looked at.
    pub(super) expands: Option<Wholesale>,
}

/// How far a round came.
pub(super) enum RoundEnd {
    /// To its end; or to a question that the client takes to its person.
    Done(Finished),
    /// Somebody was asked and agreed: all of it is looked at again before it is sent.
    Agreed(Box<Request>),
}

/// What became of the accesses of a call.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) items: Vec<StepResult>,
    pub(super) waits: Waits,
    /// The receipt of all of them together.
    pub(super) receipt: Option<String>,
}

/// How often a person is asked anew because the access moved while they were thinking.
const ROUNDS: usize = 3;
/// As many accesses as one set may change.
pub(super) const MOST: usize = 100;

impl<'a> Asked<'a> {
    /// One change by itself.
    pub(super) fn one(called: OriginalCall, wish: Wish<'a>) -> Self {
        Self { called, spec: wish.tool.spec, wishes: vec![wish], set: None }
    }

    /// Several changes as one; one that stands by itself is only itself.
    pub(super) fn several(
        called: OriginalCall,
        spec: &'static Spec,
        mut wishes: Vec<Wish<'a>>,
        terms: SetTerms,
    ) -> Self {
        match wishes.as_mut_slice() {
            [only]
                if only.label.is_none() && only.of.is_none() && terms.aside.left_out.is_empty() =>
            {
                if terms.dry_run {
                    only.arguments.insert("dry_run".to_owned(), true.into());
                }
                Self { called, spec: only.tool.spec, wishes, set: None }
            }
            _ => Self { called, spec, wishes, set: Some(terms) },
        }
    }

    /// The tenant of a change by itself.
    fn tenant(&self) -> Option<&'a Tenant> {
        let only = self.wishes.first().filter(|_| self.set.is_none());
        only.map(|wish| wish.tenant)
    }

    /// Why nothing of it may be changed, where one of its tenants is only to be looked at.
    fn locked(&self) -> Option<Failure> {
        let locked = self.wishes.iter().find(|wish| wish.tenant.read_only)?;
        let failure = catalogue::read_only(locked.tool.spec.name, [locked.tenant].into_iter());
        Some(labelled(failure, locked.label.as_deref()))
    }
}

impl Desk {
    /// Takes what a call asks for down the road, on a yes that was brought with it or without one.
    pub(super) async fn change(&self, asked: Asked<'_>, mut call: Call) -> Answer {
        let (spec, tenant) = (asked.spec, asked.tenant());
        let said = tenant.and_then(Tenant::said);
        let stopped = |failure: &Failure| Answer::stopped(spec, failure).at(said);
        if let Some(failure) = asked.locked() {
            return stopped(&failure);
        }
        let here = tenant.map_or_else(|| self.config.tenants.iter().collect(), |one| vec![one]);
        let mut in_hand = InHand::default();
        match self.taken(&here, &mut call).await {
            Ok(Some(taken)) => in_hand.hold(taken),
            Ok(None) => {}
            Err(failure) => return stopped(&failure),
        }
        let caller = call.requester.clone();
        let answer = self.change_on(asked, &here, call, &mut in_hand).await;
        self.conclude_all(&in_hand, &answer, &caller).await;
        answer.at(said)
    }

    /// The same, on a yes that was taken for it or without one.
    async fn change_on(
        &self,
        asked: Asked<'_>,
        here: &[&Tenant],
        call: Call,
        in_hand: &mut InHand,
    ) -> Answer {
        let spec = asked.spec;
        let stopped = |failure: &Failure| Answer::stopped(spec, failure);
        let approved = in_hand.now.as_ref().map(|taken| &taken.request);
        let (mut context, mut requests) = match self.describe(asked, &call, approved).await {
            Ok(described) => described,
            Err(failure) => return stopped(&failure),
        };
        for round in 0..ROUNDS {
            if in_hand.now.is_some() {
                // What somebody agreed to is looked up anew: a role may contain more by now.
                self.forget_names();
            }
            if round > 0
                && let Some(of) = context.expands
            {
                // What there is to change may have grown while a person was asked.
                let again = self.describe_again((spec, of), &context, &call);
                (context, requests) = match again.await {
                    Ok(described) => described,
                    Err(failure) => return stopped(&failure),
                };
            }
            for request in &mut requests {
                // A relative end counts from when access begins, however long a person took to agree.
                match request.term.begun(self.now()) {
                    Ok(term) => request.term = term,
                    Err(failure) => return stopped(&request.labelled(failure)),
                }
            }
            let tasks = match self.resolve_all(&mut context, &requests, &call).await {
                Ok(tasks) => tasks,
                Err(failure) => return stopped(&failure),
            };
            if context.is_set() && tasks.len() > MOST {
                return stopped(&too_many(tasks.len()));
            }
            context.width = tasks.iter().filter(|task| !task.request.is_fallback).count();
            context.reads = self.reads(&tasks);
            match self.round(&context, &tasks, here, &call, in_hand.now.take()).await {
                Ok(RoundEnd::Done(mut done)) => {
                    for (item, task) in done.items.iter_mut().zip(&tasks) {
                        item.show(task.step.as_ref());
                    }
                    return match context.is_set() {
                        true => self.answer_to_set(spec, done, &tasks, &context),
                        false => Answer::changed(spec, done.items).asking(done.waits),
                    };
                }
                Ok(RoundEnd::Agreed(request)) => {
                    match self.take(here, *request, &context.caller).await {
                        Ok(agreed) => in_hand.hold(agreed),
                        Err(failure) => return stopped(&failure),
                    }
                }
                Err(stop) => {
                    if let Some(refusal) = prepare::refusal(&context, &stop) {
                        self.ledger.refuse_plainly(refusal, &context.caller).await;
                    }
                    return match context.is_set() {
                        true => stopped(&stop.task.request.labelled(stop.failure.clone())),
                        false => Answer::stopped_at(&stop),
                    };
                }
            }
        }
        let failure = Failure::refused("the access kept changing while a person was asked")
            .hint("call again when it has settled");
        stopped(&failure)
    }

    /// Names to ids: a task for each access that changes, in the order of the requests.
    ///
    /// # Errors
    /// All that means nothing, or several things, at once; what the call itself does not name stands aside
    /// instead.
    async fn resolve_all<'t>(
        &self,
        context: &mut ChangeContext,
        requests: &'t [ChangeRequest<'t>],
        call: &Call,
    ) -> Result<Vec<Task<'t>>, Failure> {
        (call.progress)("looking up names".to_owned());
        let deadline = Deadline::after(CALL);
        let resolved = requests.iter().enumerate().map(|(item, request)| async move {
            let resolved = self.resolve(item, request, deadline).await;
            resolved.map_err(|failure| request.labelled(failure))
        });
        let mut resolved = join_all(resolved).await;
        if context.expands.is_some() {
            for (request, tasks) in requests.iter().zip(&mut resolved) {
                if let Err(failure) = tasks {
                    context.aside.put(aside::of(request.tenant), request.told(), failure);
                    *tasks = Ok(Vec::new());
                }
            }
        }
        let tasks = Failure::every(resolved).inspect_err(|_| {
            // What is not known now may be in a moment.
            self.forget_names();
        })?;
        Ok(tasks.into_iter().flatten().collect())
    }

    async fn resolve<'t>(
        &self,
        item: usize,
        request: &'t ChangeRequest<'t>,
        deadline: Deadline,
    ) -> Result<Vec<Task<'t>>, Failure> {
        let Run::Change { resolve, .. } = request.tool.run else {
            return Err(Failure::invalid("this tool changes nothing"));
        };
        let notes = Notes::default();
        let reader = request.reader(&self.wire, Some(&self.names), deadline);
        let reader = VendorReader { notes: Some(&notes), ..reader };
        let steps = resolve(request.arguments.clone(), &reader).await?;
        let mut notes = notes.into_all();
        notes.extend(request.of.iter().flat_map(|of| of.notes.iter().cloned()));
        let taken_back = request.undoing.as_ref();
        notes.extend(taken_back.and_then(|undoing| stays(&undoing.record)).map(str::to_owned));
        let task = |mut step: Box<dyn Step>| {
            step.set_term(request.held_term());
            Task { step, request, item, notes: notes.clone() }
        };
        Ok(steps.into_iter().map(task).collect())
    }

    /// Who asks, and for what.
    async fn describe<'a>(
        &self,
        asked: Asked<'a>,
        call: &Call,
        approved: Option<&Request>,
    ) -> Result<(ChangeContext, Vec<ChangeRequest<'a>>), Failure> {
        let Asked { called, wishes, set, .. } = asked;
        // What an earlier call had asked for is what was agreed to.
        let agreed = approved.filter(|_| set.is_none());
        let agreed = agreed.and_then(|request| consent::term(request, &called));
        let wanted = wishes.iter().filter(|wish| wish.fallback.is_none()).count();
        let set_size = set.is_some().then_some(wanted);
        let SetTerms { mut dry_run, aside, expands } = set.unwrap_or_default();
        let mut requests = Vec::new();
        for mut wish in wishes {
            let label = wish.label.clone();
            let own = |failure| labelled(failure, label.as_deref());
            let common = Common::take(&mut wish.arguments).map_err(own)?;
            dry_run |= common.dry_run.unwrap_or(false);
            let lasting = Lasting::take(wish.tool.spec.effect, &mut wish.arguments).map_err(own)?;
            let starts = starting(&mut wish.arguments).map_err(own)?;
            let term = agreed.map_or_else(|| lasting.term_from(self.now(), starts), Ok);
            let term = term.map_err(own)?;
            requests.push(wish.request(common.reason, term));
        }
        for request in &mut requests {
            request.organization = request.tenant.organization(&self.wire).await;
        }
        let caller = call.requester.clone();
        let context = ChangeContext {
            requester: requester(&caller, approved),
            caller,
            client: call.client.clone(),
            called,
            dry_run,
            set_size,
            width: 1,
            changes_this_hour: self.changes_this_hour(&call.requester).await,
            reads: Reads::default(),
            expands,
            aside,
        };
        Ok((context, requests))
    }

    /// The same of a call that names no changes, by what there is to change now.
    async fn describe_again(
        &self,
        (spec, of): (&'static Spec, Wholesale),
        context: &ChangeContext,
        call: &Call,
    ) -> Result<(ChangeContext, Vec<ChangeRequest<'_>>), Failure> {
        let (wishes, terms) = self.expand(of, call).await?;
        let asked = Asked { called: context.called.clone(), spec, wishes, set: Some(terms) };
        let (again, requests) = self.describe(asked, call, None).await?;
        Ok((ChangeContext { requester: context.requester.clone(), ..again }, requests))
    }
}

/// Whose wish it is: of a request that was approved, whoever asked then.
fn requester(caller: &Requester, approved: Option<&Request>) -> Requester {
    approved.map_or_else(|| caller.clone(), Request::requester)
}

impl<'a> Wish<'a> {
    /// A change for its own sake.
    pub(super) fn new(
        tool: &'static Tool,
        tenant: &'a Tenant,
        arguments: Map<String, Value>,
    ) -> Self {
        Self {
            tool,
            tenant,
            arguments,
            cause: Cause::Request,
            undoing: None,
            label: None,
            extending: None,
            since: None,
            fallback: None,
            of: None,
        }
    }

    fn request(self, reason: Option<String>, term: crate::tools::Term) -> ChangeRequest<'a> {
        let Self { tool, tenant, arguments, cause, undoing, label, extending, since, fallback, of } =
            self;
        ChangeRequest {
            tool,
            tenant,
            organization: Organization::Unknown,
            arguments: Value::Object(arguments),
            reason,
            term,
            cause,
            undoing,
            label,
            extending,
            since,
            is_fallback: fallback.is_some(),
            of,
        }
    }
}

impl ChangeRequest<'_> {
    /// The same trouble, of this one among others.
    fn labelled(&self, failure: Failure) -> Failure {
        labelled(failure, self.label.as_deref())
    }
}

/// The same trouble as one of a change that others stand beside, by its own argument there.
pub(super) fn labelled(failure: Failure, label: Option<&str>) -> Failure {
    match label {
        Some(label) => failure.within(label, ARGUMENTS),
        None => failure,
    }
}

/// Where a set has what is of one of its changes.
pub(super) const ARGUMENTS: &str = "arguments";

fn too_many(count: usize) -> Failure {
    Failure::invalid(format!(
        "this would change {count} accesses, and one set changes at most {MOST}"
    ))
    .hint("ask for it in several calls, each with a part of the changes")
}
