//! The one road from a call to an outcome.
//!
//! find → arguments → resolve → current → plan → guard → consent → ledger → outbound → read back
//! → ledger. A dry run leaves after the guard; where a person has to be asked, the road is taken
//! again from the look-ups on, with what they said. There is no second road: the command line,
//! approved requests, undoing and expiry enter here too.

mod answer;
mod approve;
mod aside;
mod asked_by;
mod body;
mod call_summary;
mod carry;
mod change;
mod check;
mod circumstances;
mod consent;
mod content;
mod copying;
mod entry;
mod exchange;
mod expanding;
mod fitting;
mod foresight;
mod history;
mod holders;
mod holdings;
mod lag;
mod lanes;
mod linked;
mod listed;
mod look;
mod lowering;
mod maintenance;
mod moving_end;
mod notices;
mod overlap;
mod pacing;
mod past_grants;
mod prepare;
mod question;
mod question_cells;
mod question_table;
mod replacing;
mod request_state;
mod review;
mod rights;
mod round;
mod sending;
mod set;
mod several;
mod short;
mod status;
mod step_result;
mod taking;
mod task;
mod turns;
mod unagreed;
mod undo;
mod undo_precondition;
mod upon;
mod visible;
mod writing;
mod zone;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use answer::Answer;
pub use approve::{Carried, Yes};
pub use body::{
    Body, ChangeLeft, Changed, Checked, Item, LeftOut, Looked, Marks, Of, Problem, Row, RowRole,
    Unasked,
};
pub use consent::{ClientAnswer, Consult, Pending, Person, PersonReply};
pub use listed::{HistoryRow, Listed};
pub use maintenance::{Ending, MaintenanceReport};
pub use question::ConsentQuestion;
pub use question_cells::Cells;
pub use review::{AccessRow, ReviewPage, Unread};
pub use rights::{Counts, takes};
pub use sending::Sending;
pub use writing::Shown;

use crate::approvers::Approvers;
use crate::cache::Cache;
use crate::catalogue::{self, Found};
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::guard::{Guard, PolicyError};
use crate::ledger::{Ledger, told_to};
use crate::notify::Notifier;
use crate::observe::{CallOrigin, Watch};
use crate::outbound::{Urgency, Wire, urgent};
use crate::requester::Requester;
use crate::text;
use crate::tools::{Common, Lasting, Run, Spec, Tool, fit};
use crate::vendors::{Read, Tenant};
use change::{Asked, SetTerms, Wish};
use step_result::StepResult;
use turns::Turns;
use zone::Zone;

/// Everything a call needs, for the life of the process.
pub struct Desk {
    config: Config,
    guard: Guard,
    ledger: Ledger,
    notifier: Notifier,
    /// Whose signature approves, where a signature is needed.
    approvers: Option<Approvers>,
    wire: Wire,
    /// What time it is taken to be, where a change is only tried out.
    supposed: Option<Timestamp>,
    /// Look-ups of names, shared by the calls of a burst.
    names: Cache<Read>,
    /// Lists of roles, shared by those who ask for them at about the same time.
    roles: Cache<Arc<Answer>>,
    turns: Turns,
    /// The time zone that questions speak in.
    zone: OnceLock<Zone>,
}

/// How long a looked-up name is good for.
const NAMES: Duration = Duration::from_secs(5);
/// How long a list of roles is the same for everybody who asks.
const ROLES: Duration = Duration::from_secs(1);
/// One call of one tool.
pub struct Call {
    /// Whose call it is: set by the face that takes it.
    pub requester: Requester,
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
        let guard = config.guard()?;
        Ok(Self::with(config, guard))
    }

    /// A desk whose rules are loaded.
    pub fn with(mut config: Config, guard: Guard) -> Self {
        let names: Vec<_> = config.tenants.iter().map(|tenant| tenant.id.names()).collect();
        let ledger = config.ledger().knowing(names);
        pacing::share(&mut config, &ledger);
        let notifier = Notifier::new(std::mem::take(&mut config.notify), &config.state_dir);
        let approvers = config.approvers.take();
        let (wire, names, roles) = (Wire::default(), Cache::lasting(NAMES), Cache::lasting(ROLES));
        let turns = Turns::new(ledger.locks());
        let (zone, supposed) = (OnceLock::new(), None);
        Self {
            config,
            guard,
            ledger,
            notifier,
            approvers,
            wire,
            supposed,
            names,
            roles,
            turns,
            zone,
        }
    }

    fn zone(&self) -> &Zone {
        self.zone.get_or_init(Zone::here)
    }

    /// The same, where it is to be taken for this time: to see what the rules would say then.
    #[must_use]
    pub fn supposing(self, now: Option<Timestamp>) -> Self {
        Self { supposed: now, ..self }
    }

    fn now(&self) -> Timestamp {
        self.supposed.unwrap_or_else(crate::clock::now)
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Finds what is to be known of the rules in force, when and where that is asked for: it takes a while.
    pub fn policy_warnings(&self) -> impl FnOnce() -> Vec<String> + Send + use<> {
        let guard = self.guard.clone();
        move || guard.warnings()
    }

    /// In whose name this process does what nobody called for.
    pub fn requester(&self) -> &Requester {
        &self.config.requester
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
        let requester = call.requester.clone();
        let (tool, answer) = match found {
            Found::Unknown => return Err(UnknownTool),
            Found::Off(tool, failure) => (tool, off(tool, failure, arguments)),
            Found::On(tool) => {
                let answer = if let Err(failure) =
                    self.may_look(tool.spec, &call.requester, call.client.as_deref())
                {
                    Answer::unasked(&failure)
                } else {
                    match catalogue::fit(tool, &self.config, "", arguments) {
                        Ok((arguments, named)) => {
                            let call = Call { arguments, ..call };
                            return self.fitting(tool, call, named.as_deref()).await;
                        }
                        Err(failure) => unfit(tool, &failure),
                    }
                };
                (tool, answer)
            }
        };
        Ok(self.finished(tool, answer, &requester).await)
    }

    /// The answer as it leaves: whatever becomes of a change rests on what was recorded before, so
    /// it says where that cannot be relied on.
    async fn finished(&self, tool: &Tool, answer: Answer, to: &Requester) -> Answer {
        let answer = match tool.spec.effect.writes() {
            true => answer.resting_on(&told_to(to, self.ledger.watched().await)),
            false => answer,
        };
        answer.finish(self.config.sandbox)
    }

    /// The answer to a call whose arguments are what the tool's schema says.
    async fn fitting(
        &self,
        tool: &'static Tool,
        call: Call,
        named: Option<&str>,
    ) -> Result<Answer, UnknownTool> {
        let called = OriginalCall { tool: call.tool.clone(), arguments: call.arguments.clone() };
        let requester = call.requester.clone();
        let answer = match (&tool.run, self.tenant(tool, named)) {
            (Run::Look(look), _) => return Ok(self.look(tool, *look, call, named).await),
            (Run::Check, _) => self.check(call, named).await,
            (Run::Undo, _) => self.undo(call, called).await,
            (Run::Set(of), _) => self.set(tool, *of, call, called).await,
            (Run::Change { .. }, Some(tenant)) => {
                let mut call = call;
                let arguments = std::mem::take(&mut call.arguments);
                match self.replacing(Wish::new(tool, tenant, arguments)).await {
                    Ok(wishes) => {
                        let asked = Asked::several(called, tool.spec, wishes, SetTerms::default());
                        self.change(asked, call).await
                    }
                    Err(failure) => Answer::stopped(tool.spec, &failure).at(tenant.said()),
                }
            }
            (Run::Change { .. }, None) => Answer::stopped(tool.spec, &vendor_missing(tool.spec)),
        };
        Ok(self.finished(tool, answer, &requester).await)
    }

    /// Something has changed, or was not found: what is known of names and roles is asked anew.
    fn forget_names(&self) {
        self.names.clear();
        self.roles.clear();
    }

    /// The tenant of a tool's vendor that is named, or the only one there is.
    fn tenant(&self, tool: &Tool, named: Option<&str>) -> Option<&Tenant> {
        let is_named = |tenant: &&Tenant| named.is_none_or(|name| tenant.id.word() == name);
        let mut tenants = self.config.tenants_of(tool.spec.vendor?).filter(is_named);
        let tenant = tenants.next()?;
        tenants.next().is_none().then_some(tenant)
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
