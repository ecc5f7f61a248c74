//! One change, from its arguments to its answer: as often as a person is asked, the road is taken again
//! from the look-ups on.

use serde_json::Value;

use super::prepare;
use super::step_result::StepResult;
use super::taking::InHand;
use super::task::{ChangeContext, ChangeRequest, Reads, Task};
use super::undo_precondition::UndoPrecondition;
use super::{Answer, Call, Desk, OriginalCall, Pending, consent};
use crate::catalogue;
use crate::failure::Failure;
use crate::intent::Cause;
use crate::ledger::Request;
use crate::outbound::{CALL, Deadline};
use crate::tools::{Common, Lasting, Run, Step, Tool};
use crate::vendors::{Notes, Organization, Tenant, VendorReader};

/// Where a change comes from.
pub(super) struct Origin {
    pub(super) called: OriginalCall,
    pub(super) cause: Cause,
    /// What must still be so, where it takes an earlier change back.
    pub(super) undoing: Option<UndoPrecondition>,
}

/// How far a round came.
pub(super) enum RoundEnd {
    /// To its end; or to a question that the client takes to its person.
    Done(Vec<StepResult>, Option<Pending>),
    /// Somebody was asked and agreed: all of it is looked at again before it is sent.
    Agreed(Box<Request>),
}

/// How often a person is asked anew because the access moved while they were thinking.
const ROUNDS: usize = 3;

impl Desk {
    /// Takes a change down the road, on a yes that was brought with it or without one.
    pub(super) async fn change(
        &self,
        tool: &Tool,
        tenant: &Tenant,
        mut call: Call,
        origin: Origin,
    ) -> Answer {
        if tenant.read_only {
            let failure = catalogue::read_only(tool.spec.name, [tenant].into_iter());
            return Answer::stopped(tool.spec, &failure).at(tenant.said());
        }
        let mut in_hand = InHand::default();
        match self.taken(tenant, &mut call).await {
            Ok(Some(taken)) => in_hand.hold(taken),
            Ok(None) => {}
            Err(failure) => return Answer::stopped(tool.spec, &failure).at(tenant.said()),
        }
        let caller = call.requester.clone();
        let answer = self.change_on(tool, tenant, call, origin, &mut in_hand).await;
        self.conclude_all(&in_hand, &answer, &caller).await;
        answer.at(tenant.said())
    }

    /// A change, on a yes that was taken for it or without one.
    async fn change_on(
        &self,
        tool: &Tool,
        tenant: &Tenant,
        mut call: Call,
        origin: Origin,
        in_hand: &mut InHand,
    ) -> Answer {
        let approved = in_hand.now.as_ref().map(|taken| &taken.request);
        let (mut context, mut request) =
            match self.describe_request(tool, tenant, &mut call, origin, approved) {
                Ok(asked) => asked,
                Err(failure) => return Answer::stopped(tool.spec, &failure),
            };
        request.organization = tenant.organization(&self.wire).await;
        context.changes_this_hour = self.changes_this_hour(&context.caller).await;
        let earlier = context.undoing.as_ref().map(|undoing| undoing.earlier.clone());
        let earlier = &earlier.unwrap_or_default();
        for _ in 0..ROUNDS {
            if in_hand.now.is_some() {
                // What somebody agreed to is looked up anew: a role may contain more by now.
                self.forget_names();
            }
            // A relative end counts from when access begins, however long a person took to agree.
            request.term = match request.term.begun(self.now()) {
                Ok(term) => term,
                Err(failure) => return Answer::stopped(tool.spec, &failure),
            };
            let (deadline, cache) = (Deadline::after(CALL), Some(&self.names));
            let reader =
                VendorReader { tenant, wire: &self.wire, deadline, cache, earlier, notes: None };
            let tasks = match self.resolve(&request, &reader, &call).await {
                Ok(tasks) => tasks,
                Err(failure) => return Answer::stopped(tool.spec, &failure),
            };
            context.width = tasks.len();
            context.reads = self.reads(&tasks);
            match self.round(&context, &tasks, &reader, &call, in_hand.now.take()).await {
                Ok(RoundEnd::Done(mut items, pending)) => {
                    for (item, task) in items.iter_mut().zip(&tasks) {
                        item.show(task.step.as_ref());
                    }
                    return Answer::changed(tool.spec, items).asking(pending);
                }
                Ok(RoundEnd::Agreed(request)) => {
                    match self.take(tenant, *request, &context.caller).await {
                        Ok(agreed) => in_hand.hold(agreed),
                        Err(failure) => return Answer::stopped(tool.spec, &failure),
                    }
                }
                Err(stop) => {
                    if let Some(refusal) = prepare::refusal(&context, &stop) {
                        self.ledger.refuse_plainly(refusal, &context.caller).await;
                    }
                    return Answer::stopped_at(&stop);
                }
            }
        }
        let failure = Failure::refused("the access kept changing while a person was asked")
            .hint("call again when it has settled");
        Answer::stopped(tool.spec, &failure)
    }

    /// Names to ids: a task for each access that changes.
    async fn resolve<'t>(
        &self,
        request: &'t ChangeRequest<'t>,
        reader: &VendorReader<'_>,
        call: &Call,
    ) -> Result<Vec<Task<'t>>, Failure> {
        let Run::Change { resolve, .. } = request.tool.run else {
            return Err(Failure::invalid("this tool changes nothing"));
        };
        (call.progress)("looking up names".to_owned());
        let notes = Notes::default();
        let reader = VendorReader { notes: Some(&notes), ..*reader };
        let steps = resolve(request.arguments.clone(), &reader).await.inspect_err(|_| {
            // What is not known now may be in a moment.
            self.forget_names();
        })?;
        let notes = notes.into_all();
        let task = |mut step: Box<dyn Step>| {
            step.set_term(request.term);
            Task { step, request, notes: notes.clone() }
        };
        Ok(steps.into_iter().map(task).collect())
    }

    /// Who asks, and for what.
    fn describe_request<'a>(
        &self,
        tool: &'a Tool,
        tenant: &'a Tenant,
        call: &mut Call,
        origin: Origin,
        approved: Option<&Request>,
    ) -> Result<(ChangeContext, ChangeRequest<'a>), Failure> {
        let Origin { called, cause, undoing } = origin;
        let mut arguments = std::mem::take(&mut call.arguments);
        let Common { reason, dry_run } = Common::take(&mut arguments)?;
        let lasting = Lasting::take(tool.spec.effect, &mut arguments)?;
        // What an earlier call had asked for is what was agreed to.
        let agreed = approved.and_then(|request| consent::term(request, &called));
        let term = agreed.map_or_else(|| lasting.term(self.now()), Ok)?;
        let caller = call.requester.clone();
        let own = || caller.name().to_owned();
        let context = ChangeContext {
            requester: approved.map_or_else(own, |request| request.requester.clone()),
            caller,
            client: call.client.clone(),
            called,
            cause,
            undoing,
            dry_run: dry_run.unwrap_or(false),
            width: 1,
            changes_this_hour: 0,
            reads: Reads::default(),
        };
        let organization = Organization::Unknown;
        let arguments = Value::Object(arguments);
        Ok((context, ChangeRequest { tool, tenant, organization, arguments, reason, term }))
    }
}
