//! The one road from a call to an outcome.
//!
//! find → arguments → resolve → current → plan → guard → consent → ledger → transport → read back
//! → ledger. A dry run leaves after the guard; where a person has to be asked, the road is taken
//! again from the reading on, with what they said. There is no second road: the command line,
//! approved requests, undoing and expiry enter here too.

mod answer;
mod call_summary;
mod carry;
mod circumstances;
mod consent;
mod fitting;
mod foresight;
mod lag;
mod lowering;
mod maintenance;
mod overlap;
mod pending_at_vendor;
mod prepare;
mod question;
mod review;
mod sending;
mod several;
mod step_result;
mod taking;
mod turns;
mod undoing;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use answer::Answer;
pub use consent::{ClientAnswer, Consult, ELICITATION, Pending, Person, PersonReply};
pub use maintenance::{Ending, MaintenanceReport};
pub use question::ConsentQuestion;
pub use sending::Sending;

use crate::approvers::Approvers;
use crate::cache::Cache;
use crate::catalogue::{self, Found};
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::guard::{Guard, PolicyError};
use crate::intent::Cause;
use crate::ledger::{Ledger, Request};
use crate::observe::{CallOrigin, Watch};
use crate::outbound::{CALL, Deadline, Urgency, Wire, urgent};
use crate::text;
use crate::tools::list_roles::ListRoles;
use crate::tools::{
    Common, Lasting, Look as _, LookContext, LookFn, Run, Spec, Step, Term, Tool, fit,
};
use crate::vendors::{Organization, Read, Tenant, VendorReader};
use prepare::Prepared;
use step_result::StepResult;
use taking::Taken;
use turns::Turns;
use undoing::UndoPrecondition;

/// Everything a call needs, for the life of the process.
pub struct Desk {
    config: Config,
    guard: Guard,
    ledger: Ledger,
    /// Whose signature approves, where a signature is needed.
    approvers: Option<Approvers>,
    wire: Wire,
    /// Look-ups of names, shared by the calls of a burst.
    names: Cache<Read>,
    /// Lists of roles, shared by those who ask for them at about the same time.
    roles: Cache<Arc<Answer>>,
    turns: Turns,
}

/// How long a looked-up name is good for.
const NAMES: Duration = Duration::from_secs(5);
/// How long a list of roles is the same for everybody who asks.
const ROLES: Duration = Duration::from_secs(1);
/// How often a person is asked anew because the access moved while they were thinking.
const ROUNDS: usize = 3;

/// One call of one tool.
pub struct Call {
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
    /// How it came; a terminal says nothing of it.
    pub asked: Option<CallOrigin>,
    pub progress: Progress,
    /// Whether the client has withdrawn the call: what was not sent then stays unsent.
    pub withdrawn: Withdrawn,
    /// How a person can be asked.
    pub person: Person,
}

/// Whether a client has withdrawn its call.
pub type Withdrawn = Box<dyn Fn() -> bool + Send + Sync>;

/// Told, in a few words, what a call is about to do.
pub type Progress = Box<dyn Fn(String) + Send + Sync>;

/// There is no tool of that name.
#[derive(Debug)]
pub struct UnknownTool;

/// A call as the client made it.
#[derive(Clone, Debug)]
struct OriginalCall {
    tool: String,
    arguments: Map<String, Value>,
}

/// Where a change comes from.
struct Origin {
    called: OriginalCall,
    cause: Cause,
    /// What must still be so, where it takes an earlier change back.
    undoing: Option<UndoPrecondition>,
}

/// What a change was asked for as, beside its steps.
struct ChangeRequest<'a> {
    tool: &'a Tool,
    common: Common,
    term: Term,
    requester: String,
    client: Option<String>,
    called: OriginalCall,
    cause: Cause,
    undoing: Option<UndoPrecondition>,
    /// Which of the vendor's customers the credential belongs to.
    organization: Organization,
    /// How many accesses the call changes.
    width: usize,
    /// What the requester had sent in the hour before it.
    changes_this_hour: u32,
}

/// How far a call came.
enum Walked {
    /// To its end; or to a question that the client takes to its person.
    Done(Vec<StepResult>, Option<Pending>),
    /// Somebody was asked and agreed: all of it is looked at again before it is sent.
    Agreed(Box<Request>),
}

/// Called without the vendor that it is for.
fn vendor_missing(spec: &Spec) -> Failure {
    let (tool, vendor) = (spec.name, spec.vendor.unwrap_or("a vendor"));
    Failure::invalid(format!("{tool} needs {vendor}, which is not configured here"))
        .hint("`grantor doctor` says what is missing")
}

impl Desk {
    /// # Errors
    /// The policy or the approvers do not load.
    pub fn new(config: Config) -> Result<Self, PolicyError> {
        let guard = Guard::load(config.policy.as_deref(), config.read_only)?;
        Ok(Self::with(config, guard))
    }

    /// A desk whose rules are loaded.
    pub fn with(mut config: Config, guard: Guard) -> Self {
        let ledger = Ledger::new(&config.state_dir, config.ledger_key.take());
        let approvers = config.approvers.take();
        let (wire, names, roles) = (Wire::default(), Cache::lasting(NAMES), Cache::lasting(ROLES));
        let turns = Turns::beside(&config.state_dir);
        Self { config, guard, ledger, approvers, wire, names, roles, turns }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is to be known of the rules in force.
    pub fn policy_warnings(&self) -> Vec<String> {
        self.guard.warnings()
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whose signature approves, where a signature is needed.
    pub fn approvers(&self) -> Option<&Approvers> {
        self.approvers.as_ref()
    }

    /// # Errors
    /// There is no such tool; everything else is an answer.
    pub async fn call(&self, mut call: Call) -> Result<Answer, UnknownTool> {
        let found = catalogue::find(&call.tool, &self.config);
        let spec = match &found {
            Found::Unknown => None,
            Found::Off(tool, _) | Found::On(tool) => Some(tool.spec),
        };
        let (tool, vendor) = (spec.map(|spec| spec.name), spec.and_then(|spec| spec.vendor));
        let watch = Watch::start(tool, vendor, call.asked.as_ref());
        // Progress repeats names, which are the vendor's.
        let tell = std::mem::replace(&mut call.progress, Box::new(|_| ()));
        call.progress = Box::new(move |what| tell(text::clean(&what)));
        let urgency = urgency(spec, &call.arguments);
        watch.over(urgent(urgency, self.answer(found, call)), call_summary::summarize).await
    }

    async fn answer(&self, found: Found, mut call: Call) -> Result<Answer, UnknownTool> {
        let arguments = std::mem::take(&mut call.arguments);
        let answer = match found {
            Found::Unknown => return Err(UnknownTool),
            Found::Off(tool, failure) => off(tool, failure, arguments),
            Found::On(tool) => {
                if let Err(failure) = self.may_look(tool.spec, call.client.as_deref()) {
                    Answer::unasked(&failure)
                } else {
                    match fit(tool, arguments) {
                        Ok(arguments) => {
                            return self.fitting(tool, Call { arguments, ..call }).await;
                        }
                        Err(failure) => unfit(tool, &failure),
                    }
                }
            }
        };
        Ok(answer.finish(self.config.sandbox))
    }

    /// The answer to a call whose arguments are what the tool's schema says.
    async fn fitting(&self, tool: &Tool, call: Call) -> Result<Answer, UnknownTool> {
        let called = OriginalCall { tool: call.tool.clone(), arguments: call.arguments.clone() };
        let answer = match (&tool.run, self.tenant(tool)) {
            (Run::Look(look), _) => return Ok(self.look(tool, *look, call).await),
            (Run::Check, _) => self.check(call.arguments).await,
            (Run::Undo, _) => self.undo(call, called).await?,
            (Run::Change { .. }, Some(tenant)) => {
                let origin = Origin { called, cause: Cause::Request, undoing: None };
                self.change(tool, tenant, call, origin).await
            }
            (Run::Change { .. }, None) => Answer::stopped(tool.spec, &vendor_missing(tool.spec)),
        };
        Ok(answer.finish(self.config.sandbox))
    }

    /// Something has changed, or was not found: what is known of names and roles is asked anew.
    fn forget_names(&self) {
        self.names.clear();
        self.roles.clear();
    }

    fn tenant(&self, tool: &Tool) -> Option<&Tenant> {
        self.config.tenant(tool.spec.vendor?)
    }

    async fn look(&self, tool: &Tool, look: LookFn, call: Call) -> Answer {
        let deadline = Deadline::after(CALL);
        let (tenants, unready, wire) = (&self.config.tenants, &self.config.unready, &self.wire);
        let room = LookContext { tenants, unready, wire, ledger: &self.ledger, deadline };
        let arguments = Value::Object(call.arguments);
        let shared = (tool.spec.name == ListRoles::SPEC.name).then(|| arguments.to_string());
        let answer = async {
            let answer = match look(arguments, room).await {
                Ok(rows) => Answer::rows(rows),
                Err(failure) => Answer::unasked(&failure),
            };
            answer.finish(self.config.sandbox)
        };
        let Some(question) = shared else { return answer.await };
        let shared = self.roles.answer(question, async { Arc::new(answer.await) }).await;
        Answer::clone(&shared)
    }

    async fn change(&self, tool: &Tool, tenant: &Tenant, mut call: Call, origin: Origin) -> Answer {
        let mut taken = match self.taken(tenant, &mut call.person).await {
            Ok(taken) => taken,
            Err(failure) => return Answer::stopped(tool.spec, &failure),
        };
        let carried = taken.as_ref().map(|taken| taken.request.receipt.clone());
        let answer = self.change_on(tool, tenant, call, origin, &mut taken).await;
        if let Some(receipt) = carried {
            self.conclude(&receipt, &answer).await;
        }
        match answer.is_written() {
            true => answer.written_to(&self.ledger.watched().await),
            false => answer,
        }
    }

    /// A change, on a yes that was taken for it or without one.
    async fn change_on(
        &self,
        tool: &Tool,
        tenant: &Tenant,
        mut call: Call,
        origin: Origin,
        taken: &mut Option<Taken>,
    ) -> Answer {
        let approved = taken.as_ref().map(|taken| &taken.request);
        let (mut change, arguments) = match self.change_request(tool, &mut call, origin, approved) {
            Ok(change) => change,
            Err(failure) => return Answer::stopped(tool.spec, &failure),
        };
        change.organization = tenant.organization(&self.wire).await;
        change.changes_this_hour = self.changes_this_hour().await;
        let earlier = change.undoing.as_ref().map(|undoing| undoing.earlier.clone());
        let earlier = &earlier.unwrap_or_default();
        for _ in 0..ROUNDS {
            if taken.is_some() {
                // What somebody agreed to is looked up anew: a role may contain more by now.
                self.forget_names();
            }
            // A relative end counts from when access begins, however long a person took to agree.
            change.term = match change.term.begun(Timestamp::now()) {
                Ok(term) => term,
                Err(failure) => {
                    return Answer::stopped(tool.spec, &failure);
                }
            };
            let (deadline, cache) = (Deadline::after(CALL), Some(&self.names));
            let reader = VendorReader { tenant, wire: &self.wire, deadline, cache, earlier };
            let steps = match self.resolve(&change, arguments.clone(), &reader, &call).await {
                Ok(steps) => steps,
                Err(failure) => return Answer::stopped(tool.spec, &failure),
            };
            change.width = steps.len();
            match self.walk(&change, &steps, &reader, &call, taken.take()).await {
                Ok(Walked::Done(mut items, pending)) => {
                    for (item, step) in items.iter_mut().zip(&steps) {
                        item.show(step.as_ref());
                    }
                    return Answer { pending, ..Answer::changed(tool.spec, items) };
                }
                Ok(Walked::Agreed(request)) => match self.take(tenant, *request).await {
                    Ok(agreed) => *taken = Some(agreed),
                    Err(failure) => return Answer::stopped(tool.spec, &failure),
                },
                Err(stop) => {
                    if let Some(refusal) = prepare::refusal(&change, stop.step, &stop.failure) {
                        self.ledger.refuse_plainly(refusal).await;
                    }
                    return Answer::stopped_at(tool.spec, &stop);
                }
            }
        }
        let failure = Failure::refused("the access kept changing while a person was asked")
            .hint("call again when it has settled");
        Answer::stopped(tool.spec, &failure)
    }

    /// Names to ids: a step for each access that changes.
    async fn resolve(
        &self,
        change: &ChangeRequest<'_>,
        arguments: Value,
        reader: &VendorReader<'_>,
        call: &Call,
    ) -> Result<Vec<Box<dyn Step>>, Failure> {
        let Run::Change { resolve, .. } = change.tool.run else {
            return Err(Failure::invalid("this tool changes nothing"));
        };
        (call.progress)("looking up names".to_owned());
        let mut steps = resolve(arguments, reader).await.inspect_err(|_| {
            // What is not known now may be in a moment.
            self.forget_names();
        })?;
        steps.iter_mut().for_each(|step| step.set_term(change.term));
        Ok(steps)
    }

    /// What is asked for, and the tool's own arguments.
    fn change_request<'a>(
        &self,
        tool: &'a Tool,
        call: &mut Call,
        origin: Origin,
        approved: Option<&Request>,
    ) -> Result<(ChangeRequest<'a>, Value), Failure> {
        let Origin { called, cause, undoing } = origin;
        let mut arguments = std::mem::take(&mut call.arguments);
        let common = Common::take(&mut arguments)?;
        let lasting = Lasting::take(tool.spec.effect, &mut arguments)?;
        // What an earlier call had asked for is what was agreed to.
        let asked = approved.and_then(|request| consent::term(request, &called));
        let term = asked.map_or_else(|| lasting.term(Timestamp::now()), Ok)?;
        let own = || self.ledger.requester().to_owned();
        let change = ChangeRequest {
            tool,
            common,
            term,
            requester: approved.map_or_else(own, |request| request.requester.clone()),
            client: call.client.clone(),
            called,
            cause,
            undoing,
            organization: Organization::Unknown,
            width: 1,
            changes_this_hour: 0,
        };
        Ok((change, Value::Object(arguments)))
    }
}

/// How urgent a call is beside others; nobody waits for what is only tried.
fn urgency(spec: Option<&Spec>, arguments: &Map<String, Value>) -> Urgency {
    let is_dry_run = arguments.get("dry_run") == Some(&Value::Bool(true));
    match spec {
        Some(spec) if spec.effect.writes() && !is_dry_run => Urgency::Change,
        _ => Urgency::Look,
    }
}

/// The answer to a call whose arguments do not fit.
fn unfit(tool: &Tool, failure: &Failure) -> Answer {
    match tool.spec.effect.writes() {
        true => Answer::stopped(tool.spec, failure),
        false => Answer::unasked(failure),
    }
}

/// A known tool that is switched off; a dry run may still show what to enter by hand.
fn off(tool: &Tool, failure: Failure, arguments: Map<String, Value>) -> Answer {
    let Run::Change { by_hand, .. } = tool.run else {
        return Answer::unasked(&failure);
    };
    let dry_run = arguments.get("dry_run").is_some_and(|given| given != &Value::Bool(false));
    if !dry_run || failure.kind != Kind::Invalid {
        return Answer::stopped(tool.spec, &failure);
    }
    let shown = fit(tool, arguments).and_then(|mut arguments| {
        let common = Common::take(&mut arguments)?;
        // What is entered by hand has no end that anybody here keeps.
        Lasting::take(tool.spec.effect, &mut arguments)?;
        match common.dry_run {
            Some(true) => by_hand(Value::Object(arguments)),
            _ => Ok(None),
        }
    });
    match shown {
        Ok(Some(shown)) => Answer::by_hand(tool.spec, shown, &failure),
        Ok(None) => Answer::stopped(tool.spec, &failure),
        Err(misfit) => Answer::stopped(tool.spec, &misfit),
    }
}
