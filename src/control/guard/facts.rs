//! What a policy is told of a change: the words of `policies/grantor.cedarschema`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value, Schema,
};
use jiff::tz::TimeZone;

use super::declared::Declared;
use super::records::{effect, folded, gained, grantee, history, holdings, holds, names, role};
use super::rights::{AskedFor, Right};
use super::values::{count, field, minutes, moment, text, words};
use super::{Circumstances, address, gains, said};
use crate::access::{Access, Named};
use crate::intent::{Cause, Effect, Intent, JudgedPart};
use crate::requester::{Groups, Requester};

/// The schema, and what every request is made with.
pub(super) struct Language {
    pub(super) schema: Schema,
    pub(super) actions: Entities,
    action: EntityTypeName,
    requester: EntityTypeName,
    team: EntityTypeName,
    group: EntityTypeName,
    resource: EntityTypeName,
    directory: EntityTypeName,
}

/// One question to the policy.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) at: &'a Circumstances<'a>,
    pub(super) declared: &'a Declared,
}

#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Change(&'a Intent),
    /// What the end of a timed change gives back, as its tool would give it.
    Giving(&'a Intent),
    /// One of those whose access a change changes; what is counted is the whole call's.
    Row(&'a Intent, &'a JudgedPart),
    Look {
        tool: &'static str,
        client: Option<&'a str>,
    },
    /// What somebody may do with what another asked for; of several, for one of them.
    Right(Right, AskedFor<'a>, Option<&'a JudgedPart>),
}

/// Whether a rule may ask for a field of this name.
pub(super) type FieldFilter<'a> = &'a dyn Fn(&str) -> bool;

/// Fields of a record, those alone that are wanted.
struct Fields<'a> {
    wanted: FieldFilter<'a>,
    pairs: Vec<(String, Value)>,
}

/// `policies/grantor.cedarschema` in the form that Cedar reads several times as fast.
pub(super) const SCHEMA: &str = include_str!("../../../policies/grantor.cedarschema.json");
/// What is read only where a rule names it.
pub(super) const READ_IF_NAMED: [&str; 4] = ["changes_this_hour", "holds", "holds_all", "history"];
/// The kind of what requesters are in.
const TEAM: &str = "Team";
pub(super) const GROUP: &str = "Group";
/// The field that says who asked.
pub(super) const REQUESTER: &str = "requester";
/// The kind of whom a call is for, where it is for more than one.
pub(super) const SEVERAL: &str = "several";
/// What a tool that sets access does where it takes some away.
const LOWERING: &str = "lower_access";
/// More accesses in one call than a person takes in at a glance.
const MANY: usize = 10;

/// Read once, whatever rules there are: it is the program's own.
static LANGUAGE: LazyLock<Result<Language, String>> = LazyLock::new(Language::read);

impl Language {
    /// # Errors
    /// It cannot be read; a test reads it.
    pub(super) fn get() -> Result<&'static Self, String> {
        LANGUAGE.as_ref().map_err(Clone::clone)
    }

    fn read() -> Result<Self, String> {
        let kind = |name: &str| name.parse::<EntityTypeName>().map_err(|error| error.to_string());
        // Has the grammar of names made before the schema waits for what another thread makes.
        let action = kind("Action")?;
        let schema = Schema::from_json_str(SCHEMA).map_err(|error| error.to_string())?;
        Ok(Self {
            actions: schema.action_entities().map_err(|error| error.to_string())?,
            action,
            requester: kind("Requester")?,
            team: kind(TEAM)?,
            group: kind(GROUP)?,
            resource: kind("Resource")?,
            directory: kind("Directory")?,
            schema,
        })
    }

    pub(super) fn action(&self, case: Case<'_>) -> EntityUid {
        self.named_action(case.action())
    }

    pub(super) fn named_action(&self, name: &str) -> EntityUid {
        named(&self.action, name)
    }

    /// The case as a request, and the entities it speaks of: all actions, and the resource. Cases are
    /// made here alone, so that tests check them against the schema, and nobody has to wait for that.
    pub(super) fn ask(
        &self,
        case: Case<'_>,
        wanted: FieldFilter<'_>,
    ) -> Result<(Request, Entities), String> {
        if cfg!(debug_assertions) {
            self.request(case, &|_| true, Some(&self.schema))?;
        }
        let request = self.request(case, wanted, None)?;
        let mut added = Vec::new();
        added.extend(self.somebody(case.at.requester, case.declared, wanted)?);
        let asked_by = case.asked_by();
        if asked_by.name() != case.at.requester.name() {
            added.extend(self.somebody(asked_by, case.declared, wanted)?);
        }
        if let Some(intent) = case.intent() {
            let attributes = resource(intent, case.declared, wanted).pairs.into_iter().collect();
            let entity = Entity::new(self.resource(case), attributes, [].into());
            added.push(entity.map_err(|error| error.to_string())?);
        }
        let actions = self.actions.clone();
        if added.is_empty() {
            return Ok((request, actions));
        }
        let entities = actions.add_entities(added, None).map_err(|error| error.to_string())?;
        Ok((request, entities))
    }

    /// A requester with what is known of them, as far as a rule asks for it.
    fn somebody(
        &self,
        who: &Requester,
        declared: &Declared,
        wanted: FieldFilter<'_>,
    ) -> Result<Option<Entity>, String> {
        let mut within = HashSet::new();
        if wanted(TEAM) {
            let teams = declared.teams_of(who.name());
            within.extend(teams.map(|team| named(&self.team, team)));
        }
        if let Groups::Told(groups) = who.groups()
            && wanted(GROUP)
        {
            within.extend(groups.iter().map(|group| named(&self.group, group)));
        }
        let attributes: HashMap<_, _> = requester(who, wanted).pairs.into_iter().collect();
        if within.is_empty() && attributes.is_empty() {
            return Ok(None);
        }
        let entity = Entity::new(named(&self.requester, who.name()), attributes, within);
        entity.map(Some).map_err(|error| error.to_string())
    }

    fn request(
        &self,
        case: Case<'_>,
        wanted: FieldFilter<'_>,
        schema: Option<&Schema>,
    ) -> Result<Request, String> {
        let mut fields = case.context(wanted);
        if !matches!(case.subject, Subject::Look { .. }) {
            let asked_by = named(&self.requester, case.asked_by().name());
            fields.add(REQUESTER, || Value::new_entity_uid(asked_by));
        }
        let context = Context::from_pairs(fields.pairs);
        let context = context.map_err(|error| error.to_string())?;
        let requester = named(&self.requester, case.at.requester.name());
        let request =
            Request::new(requester, self.action(case), self.resource(case), context, schema);
        request.map_err(|error| error.to_string())
    }

    fn resource(&self, case: Case<'_>) -> EntityUid {
        match case.subject {
            Subject::Change(intent)
            | Subject::Giving(intent)
            | Subject::Row(intent, _)
            | Subject::Right(_, AskedFor { intent, .. }, _) => {
                let id = &intent.wanted.resource.id;
                named(&self.resource, &format!("{}:{}:{id}", intent.vendor, kind(intent)))
            }
            Subject::Look { .. } => named(&self.directory, "vendors"),
        }
    }
}

fn named(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

impl<'a> Case<'a> {
    fn intent(&self) -> Option<&'a Intent> {
        match self.subject {
            Subject::Change(intent)
            | Subject::Giving(intent)
            | Subject::Row(intent, _)
            | Subject::Right(_, AskedFor { intent, .. }, _) => Some(intent),
            Subject::Look { .. } => None,
        }
    }

    /// Whether nobody says which groups somebody is in whom the rules may be about.
    pub(super) fn is_of_untold_groups(&self) -> bool {
        [self.at.requester, self.asked_by()].iter().any(|who| *who.groups() == Groups::Untold)
    }

    /// Whoever made the call; whoever would see or approve it is another.
    fn asked_by(&self) -> &'a Requester {
        match self.subject {
            Subject::Right(_, AskedFor { by, .. }, _) => by,
            Subject::Change(_) | Subject::Giving(_) | Subject::Row(..) | Subject::Look { .. } => {
                self.at.requester
            }
        }
    }

    pub(super) fn action(&self) -> &'static str {
        match self.subject {
            Subject::Change(intent) => action(intent, intent.effect),
            Subject::Giving(intent) => intent.tool,
            Subject::Row(intent, row) => action(intent, row.effect),
            Subject::Look { tool, .. } => tool,
            Subject::Right(right, ..) => right.action(),
        }
    }

    fn context<'w>(&self, wanted: FieldFilter<'w>) -> Fields<'w> {
        let mut fields = match self.subject {
            Subject::Change(intent) | Subject::Giving(intent) => change(self, intent, None, wanted),
            Subject::Row(intent, row) => change(self, intent, Some(row), wanted),
            Subject::Right(_, AskedFor { intent, .. }, row) => change(self, intent, row, wanted),
            Subject::Look { tool, client } => {
                let mut fields = Fields { wanted, pairs: Vec::new() };
                fields.add("tool", || text(tool));
                fields.add_some("client", client, text);
                fields.add_some("client_name", client.map(said::client_name), text);
                fields
            }
        };
        fields.add("now", || moment(self.at.now, TimeZone::UTC));
        fields.add("here", || moment(self.at.now, self.declared.zone()));
        fields
    }
}

impl Fields<'_> {
    fn add(&mut self, name: &str, value: impl FnOnce() -> Value) {
        if (self.wanted)(name) {
            self.pairs.push(field(name, value()));
        }
    }

    fn add_some<T>(&mut self, name: &str, value: Option<T>, as_value: impl FnOnce(T) -> Value) {
        if let Some(value) = value {
            self.add(name, || as_value(value));
        }
    }
}

/// Whether a change reaches further than a person takes in at a glance.
pub(super) fn is_wide(intent: &Intent) -> bool {
    reaches_far(intent, touched(intent).len())
}

fn reaches_far(intent: &Intent, touched: usize) -> bool {
    width(intent, touched) > MANY || intent.wanted.scope == "organization"
}

fn action(intent: &Intent, effect: Effect) -> &'static str {
    match (&intent.cause, effect) {
        (Cause::Request | Cause::Extension(_), _) if intent.lowering => LOWERING,
        // The tool gives; here it takes away.
        (Cause::Request | Cause::Extension(_), Effect::Revoke) if intent.effect != effect => {
            LOWERING
        }
        (Cause::Request | Cause::Extension(_), _) => intent.tool,
        (Cause::Undo(_), Effect::Revoke) => "undo_by_revoking",
        // Whatever is not clearly taking away is held to what may be given.
        (Cause::Undo(_), _) => "undo_by_granting",
        (Cause::Expiry(_), _) => "expire",
    }
}

fn kind(intent: &Intent) -> &str {
    intent.wanted.resource.kind.as_deref().unwrap_or(&intent.wanted.scope)
}

fn resource<'w>(intent: &Intent, declared: &Declared, wanted: FieldFilter<'w>) -> Fields<'w> {
    let Named { id, name, .. } = &intent.wanted.resource;
    let mut fields = Fields { wanted, pairs: Vec::new() };
    fields.add("vendor", || text(intent.vendor));
    fields.add("kind", || text(kind(intent)));
    fields.add("id", || text(id));
    fields.add("folded", || folded(&intent.wanted.resource));
    fields.add("tenant", || {
        let host = url::Url::parse(&intent.base).ok();
        text(host.as_ref().and_then(url::Url::host_str).unwrap_or_default())
    });
    fields.add("labels", || {
        let on = &intent.wanted.resource;
        words(declared.labels_of(intent.vendor, &intent.tenant_told, on).into_iter())
    });
    fields.add_some("name", name.as_deref(), text);
    fields.add_some("organization", intent.organization.as_deref(), text);
    fields
}

/// What an issuer says of a requester; an operating system's user is a person, of whom nothing else is said.
fn requester<'w>(who: &Requester, wanted: FieldFilter<'w>) -> Fields<'w> {
    let mut fields = Fields { wanted, pairs: Vec::new() };
    let caller = who.caller();
    fields.add("kind", || text(if who.is_service() { "service" } else { "person" }));
    fields.add_some("issuer", caller.map(|caller| caller.issuer.as_str()), text);
    let email = caller.and_then(|caller| address::normal(caller.email.as_deref()?));
    fields.add_some("email", email.as_deref(), text);
    fields.add_some("client", caller.and_then(|caller| caller.client.as_deref()), text);
    fields
}

fn change<'w>(
    case: &Case<'_>,
    intent: &Intent,
    row: Option<&JudgedPart>,
    wanted: FieldFilter<'w>,
) -> Fields<'w> {
    let at = case.at;
    let approvals = match case.subject {
        Subject::Right(_, AskedFor { approvals, .. }, _) => approvals,
        _ => 0,
    };
    let touched = &touched(intent);
    let mut fields = Fields { wanted, pairs: Vec::new() };
    match row {
        Some(row) => judged_apart(&mut fields, intent, row),
        None => judged_whole(&mut fields, intent, touched),
    }
    let whom = || row.map_or_else(|| touched.clone(), |row| vec![&row.wanted.principal]);
    if wanted("for_self") {
        fields.add_some("for_self", is_own(case, intent, &whom()), Value::new_bool);
    }
    fields.add("holds", || holds(intent, &whom()));
    let holds_all = intent.read.holds.as_ref().is_some_and(|holds| holds.all);
    fields.add("holds_all", || Value::new_bool(holds_all));
    fields.add_some("history", intent.read.history, history);
    fields.add("tool", || text(intent.tool));
    fields.add("tenant", || text(&intent.tenant_told));
    fields.add("grantees", || words(touched.iter().flat_map(|named| names(named))));
    fields.add("kinds", || words(touched.iter().filter_map(|named| named.kind.as_deref())));
    fields.add("scope", || text(&intent.wanted.scope));
    fields.add("width", || count(width(intent, touched.len())));
    fields.add("wide", || Value::new_bool(reaches_far(intent, touched.len())));
    fields.add("called", || text(&intent.called));
    fields.add("set_size", || count(intent.set_size));
    fields.add("approvals", || count(approvals));
    fields.add("changes_this_hour", || Value::new_long(at.changes_this_hour.into()));
    fields.add_some("reason", intent.reason.as_deref(), text);
    fields.add_some("client", intent.client.as_deref(), text);
    let client_name = intent.client.as_deref().map(said::client_name);
    fields.add_some("client_name", client_name, text);
    let reason = intent.reason.as_deref().unwrap_or_default();
    fields.add("ticket_projects", || words(said::ticket_projects(reason).into_iter()));
    fields.add("reason_length", || count(crate::text::visible_length(reason)));
    fields.add("narrows", || Value::new_bool(gains::narrows(intent)));
    fields.add("gains", || gained(&gains::gaining(intent)));
    fields.add_some("undoes", intent.cause.undoes(), text);
    fields.add_some("ends", intent.cause.ends(), text);
    fields.add_some("expires_in_minutes", intent.expires_at, |end| {
        Value::new_long(minutes(intent.since.unwrap_or(at.now), end))
    });
    fields
}

/// What is of the whole change, where it is for one or where several are judged together.
fn judged_whole(fields: &mut Fields<'_>, intent: &Intent, touched: &[&Named]) {
    let several = if touched.len() > 1 { SEVERAL } else { "unknown" };
    fields.add("effect", || effect(intent.effect));
    fields.add("grantee", || grantee(&intent.wanted.principal, several));
    fields.add("role", || role(&intent.wanted.role, &intent.contains));
    fields.add("privileged", || Value::new_bool(intent.privileged.is_some()));
    fields.add("own", || Value::new_bool(intent.own));
    fields.add("before", || holdings(&intent.before, touched));
    fields.add("after", || holdings(&intent.after, touched));
    fields.add_some("privilege", intent.privileged.as_deref(), text);
}

/// What is of one row alone.
fn judged_apart(fields: &mut Fields<'_>, intent: &Intent, row: &JudgedPart) {
    let whom = &[&row.wanted.principal];
    fields.add("effect", || effect(row.effect));
    fields.add("grantee", || grantee(&row.wanted.principal, "unknown"));
    fields.add("role", || role(&row.wanted.role, &row.contains));
    fields.add("privileged", || Value::new_bool(row.privileged.is_some()));
    fields.add("own", || Value::new_bool(row.own));
    fields.add("before", || holdings(&intent.before, whom));
    fields.add("after", || holdings(&intent.after, whom));
    fields.add_some("privilege", row.privileged.as_deref(), text);
}

/// Whether the access is the requester's own; of several only where it is so of all or of none.
fn is_own(case: &Case<'_>, intent: &Intent, whom: &[&Named]) -> Option<bool> {
    let is_own = |named: &&Named| {
        let (vendor, tenant) = (intent.vendor, intent.tenant_told.as_str());
        case.declared.is_own(case.at.requester.name(), vendor, tenant, named)
    };
    let first = is_own(whom.first()?)?;
    whom.iter().all(|named| is_own(named) == Some(first)).then_some(first)
}

/// Everybody whose access is not the same afterwards, and whom the change is for.
fn touched(intent: &Intent) -> Vec<&Named> {
    let differs = |row: &&Access, others: &[Access]| !others.iter().any(|other| row.is(other));
    let gone = intent.before.iter().filter(|row| differs(row, &intent.after));
    let come = intent.after.iter().filter(|row| differs(row, &intent.before));
    let mut touched: Vec<&Named> = Vec::new();
    for named in gone.chain(come).map(|row| &row.principal) {
        if !touched.iter().any(|known| known.id == named.id && known.kind == named.kind) {
            touched.push(named);
        }
    }
    // The row of a change for several names none of them by itself.
    if intent.wanted.principal.kind.is_some() || touched.is_empty() {
        let wanted = &intent.wanted.principal;
        touched.retain(|known| known.id != wanted.id || known.kind != wanted.kind);
        touched.insert(0, wanted);
    }
    touched
}

/// How many accesses the call changes, those of everybody it touches among them.
fn width(intent: &Intent, touched: usize) -> usize {
    intent.width.max(touched)
}
