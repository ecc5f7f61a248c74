//! What a policy is told of a change: the words of `policies/grantor.cedarschema`.

use std::collections::BTreeSet;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value, Schema,
};
use jiff::tz::TimeZone;

use super::declared::Declared;
use super::values::{count, field, minutes, moment, record, text, words};
use super::{Circumstances, address, gains, said};
use crate::access::{Access, Named};
use crate::intent::{Cause, Effect, History, Intent, JudgedPart};
use crate::requester::Groups;

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
/// The kind of whom a call is for, where it is for more than one.
pub(super) const SEVERAL: &str = "several";
/// What a tool that sets access does where it takes some away.
const LOWERING: &str = "lower_access";
/// More accesses in one call than a person takes in at a glance.
const MANY: usize = 10;

impl Language {
    pub(super) fn new() -> Result<Self, String> {
        let schema = Schema::from_json_str(SCHEMA).map_err(|error| error.to_string())?;
        let kind = |name: &str| name.parse::<EntityTypeName>().map_err(|error| error.to_string());
        Ok(Self {
            actions: schema.action_entities().map_err(|error| error.to_string())?,
            action: kind("Action")?,
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
        let mut within = Vec::new();
        if wanted(TEAM) {
            let teams = case.declared.teams_of(case.at.requester);
            within.extend(teams.map(|team| named(&self.team, team)));
        }
        if let Groups::Told(groups) = case.at.groups
            && wanted(GROUP)
        {
            within.extend(groups.iter().map(|group| named(&self.group, group)));
        }
        if !within.is_empty() {
            let requester = named(&self.requester, case.at.requester);
            added.push(Entity::new_no_attrs(requester, within.into_iter().collect()));
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

    fn request(
        &self,
        case: Case<'_>,
        wanted: FieldFilter<'_>,
        schema: Option<&Schema>,
    ) -> Result<Request, String> {
        let context = Context::from_pairs(case.context(wanted).pairs);
        let context = context.map_err(|error| error.to_string())?;
        let requester = named(&self.requester, case.at.requester);
        let request =
            Request::new(requester, self.action(case), self.resource(case), context, schema);
        request.map_err(|error| error.to_string())
    }

    fn resource(&self, case: Case<'_>) -> EntityUid {
        match case.subject {
            Subject::Change(intent) | Subject::Giving(intent) | Subject::Row(intent, _) => {
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
            Subject::Change(intent) | Subject::Giving(intent) | Subject::Row(intent, _) => {
                Some(intent)
            }
            Subject::Look { .. } => None,
        }
    }

    pub(super) fn action(&self) -> &'static str {
        match self.subject {
            Subject::Change(intent) => action(intent, intent.effect),
            Subject::Giving(intent) => intent.tool,
            Subject::Row(intent, row) => action(intent, row.effect),
            Subject::Look { tool, .. } => tool,
        }
    }

    fn context<'w>(&self, wanted: FieldFilter<'w>) -> Fields<'w> {
        let mut fields = match self.subject {
            Subject::Change(intent) | Subject::Giving(intent) => change(self, intent, None, wanted),
            Subject::Row(intent, row) => change(self, intent, Some(row), wanted),
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

fn change<'w>(
    case: &Case<'_>,
    intent: &Intent,
    row: Option<&JudgedPart>,
    wanted: FieldFilter<'w>,
) -> Fields<'w> {
    let at = case.at;
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

/// All that they hold afterwards, by ids and by names.
fn holds(intent: &Intent, whom: &[&Named]) -> Value {
    let is_theirs = |row: &&Access| whom.iter().any(|named| named.is(&row.principal));
    // What is held through a group stays, whatever becomes of one's own.
    let goes = |row: &Access| {
        let stays = intent.after.iter().any(|other| other.is(row));
        let was = |other: &Access| other.is(row) && other.via.is_none();
        row.via.is_none() && !stays && intent.before.iter().any(was)
    };
    let read = intent.read.holds.iter().flat_map(|holds| &holds.rows).filter(|row| !goes(row));
    let mut held = BTreeSet::new();
    for Access { role, resource, .. } in read.chain(&intent.after).filter(is_theirs) {
        for role in names(role) {
            held.insert(role.to_owned());
            held.extend(names(resource).map(|resource| format!("{role} on {resource}")));
        }
    }
    words(held.iter().map(String::as_str))
}

fn history(history: History) -> Value {
    let History { extends, extensions, total_minutes, .. } = history;
    record(vec![
        field("extends", Value::new_bool(extends)),
        field("extensions", Value::new_long(extensions.into())),
        field("total_minutes", Value::new_long(total_minutes)),
        field("requester_today", Value::new_long(history.requester_today.into())),
        field("grantee_today", Value::new_long(history.grantee_today.into())),
        field("undone_minutes", Value::new_long(history.undone_minutes)),
    ])
}

/// Whether the access is the requester's own; of several only where it is so of all or of none.
fn is_own(case: &Case<'_>, intent: &Intent, whom: &[&Named]) -> Option<bool> {
    let is_own = |named: &&Named| {
        let (vendor, tenant) = (intent.vendor, intent.tenant_told.as_str());
        case.declared.is_own(case.at.requester, vendor, tenant, named)
    };
    let first = is_own(whom.first()?)?;
    whom.iter().all(|named| is_own(named) == Some(first)).then_some(first)
}

fn effect(effect: Effect) -> Value {
    text(if effect == Effect::Revoke { "revoke" } else { "grant" })
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

fn grantee(principal: &Named, otherwise: &str) -> Value {
    let Named { id, name, kind, .. } = principal;
    let mut fields = vec![
        field("kind", text(kind.as_deref().unwrap_or(otherwise))),
        field("id", text(id)),
        field("folded", folded(principal)),
    ];
    fields.extend(name.as_deref().map(|name| field("name", text(name))));
    record(fields)
}

fn role(role: &Named, contains: &[String]) -> Value {
    let permissions = words(contains.iter().map(String::as_str));
    let mut fields = vec![
        field("id", text(&role.id)),
        field("permissions", permissions),
        field("known", Value::new_bool(!contains.is_empty())),
        field("folded", folded(role)),
    ];
    fields.extend(role.name.as_deref().map(|name| field("name", text(name))));
    record(fields)
}

/// The addresses and kinds of those who gain; whoever has no address gains as an empty one.
fn gained(whom: &[&Named]) -> Value {
    let emails: BTreeSet<_> =
        whom.iter().map(|named| address::address(named).unwrap_or_default()).collect();
    let domains: BTreeSet<_> = emails.iter().map(|email| address::domain(email)).collect();
    let kinds: BTreeSet<_> =
        whom.iter().map(|named| named.kind.as_deref().unwrap_or("unknown")).collect();
    record(vec![
        field("domains", words(domains.into_iter())),
        field("emails", words(emails.iter().map(String::as_str))),
        field("kinds", words(kinds.into_iter())),
    ])
}

/// Name and id as one text that letter case and accents do not tell apart.
fn folded(named: &Named) -> Value {
    let id = crate::text::folded_for_rules(&named.id);
    let name = named.name.as_deref().map(crate::text::folded_for_rules);
    text(name.filter(|name| *name != id).map_or(id.clone(), |name| format!("{name} {id}")).trim())
}

fn names(named: &Named) -> impl Iterator<Item = &str> {
    [Some(named.id.as_str()), named.name.as_deref()].into_iter().flatten()
}

fn holdings(rows: &[Access], touched: &[&Named]) -> Value {
    let theirs = rows
        .iter()
        .filter(|row| !row.pending && touched.iter().any(|named| named.is(&row.principal)));
    let held: BTreeSet<String> =
        theirs.map(|row| format!("{} on {}", row.role.bare(), row.resource.bare())).collect();
    words(held.iter().map(String::as_str))
}
