//! What a policy is told of a change: the words of `policies/grantor.cedarschema`.

use std::collections::BTreeSet;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value, Schema,
};
use jiff::{Timestamp, tz::TimeZone};

use super::Circumstances;
use crate::access::{Access, Named};
use crate::intent::{Cause, Intent};
use crate::tools::Effect;

/// The schema, and what every request is made with.
pub(super) struct Language {
    pub(super) schema: Schema,
    pub(super) actions: Entities,
    action: EntityTypeName,
    requester: EntityTypeName,
    resource: EntityTypeName,
    directory: EntityTypeName,
}

/// One question to the policy, before it is put into Cedar's own terms.
pub(super) struct Case {
    requester: String,
    action: &'static str,
    resource: Option<Target>,
    context: Vec<(String, Value)>,
}

/// What access is to.
struct Target {
    id: String,
    attributes: Vec<(String, Value)>,
}

/// `policies/grantor.cedarschema` in the form that Cedar reads several times as fast.
const SCHEMA: &str = include_str!("../../policies/grantor.cedarschema.json");
/// More accesses in one call than a person takes in at a glance.
const MANY: usize = 10;

type Fields = Vec<(String, Value)>;

impl Language {
    pub(super) fn new() -> Result<Self, String> {
        let schema = Schema::from_json_str(SCHEMA).map_err(|error| error.to_string())?;
        let kind = |name: &str| name.parse::<EntityTypeName>().map_err(|error| error.to_string());
        Ok(Self {
            actions: schema.action_entities().map_err(|error| error.to_string())?,
            action: kind("Action")?,
            requester: kind("Requester")?,
            resource: kind("Resource")?,
            directory: kind("Directory")?,
            schema,
        })
    }

    pub(super) fn action(&self, case: &Case) -> EntityUid {
        named(&self.action, case.action)
    }

    /// The case as a request, and the entities it speaks of beside the actions. Cases are made here
    /// alone, so that tests check them against the schema, and nobody has to wait for that.
    pub(super) fn ask(&self, case: Case, actions: Entities) -> Result<(Request, Entities), String> {
        let action = self.action(&case);
        let mut entities = actions;
        let resource = match case.resource {
            Some(target) => {
                let id = named(&self.resource, &target.id);
                let attributes = target.attributes.into_iter().collect();
                let entity = Entity::new(id.clone(), attributes, [].into())
                    .map_err(|error| error.to_string())?;
                entities =
                    entities.add_entities([entity], None).map_err(|error| error.to_string())?;
                id
            }
            None => named(&self.directory, "vendors"),
        };
        let context = Context::from_pairs(case.context).map_err(|error| error.to_string())?;
        let requester = named(&self.requester, &case.requester);
        let schema = cfg!(debug_assertions).then_some(&self.schema);
        let request = Request::new(requester, action, resource, context, schema);
        Ok((request.map_err(|error| error.to_string())?, entities))
    }
}

fn named(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

impl Case {
    pub(super) fn of_change(intent: &Intent, at: &Circumstances<'_>) -> Self {
        Self {
            requester: at.requester.to_owned(),
            action: action(intent),
            resource: Some(target(intent)),
            context: change(intent, at),
        }
    }

    pub(super) fn of_look(
        tool: &'static str,
        client: Option<&str>,
        at: &Circumstances<'_>,
    ) -> Self {
        let mut context = vec![field("tool", text(tool)), field("now", moment(at.now))];
        context.extend(client.map(|client| field("client", text(client))));
        Self { requester: at.requester.to_owned(), action: tool, resource: None, context }
    }
}

/// Whether a change reaches further than a person takes in at a glance.
pub(super) fn is_wide(intent: &Intent) -> bool {
    width(intent) > MANY || intent.wanted.scope == "organization"
}

fn action(intent: &Intent) -> &'static str {
    match (&intent.cause, intent.effect) {
        (Cause::Request | Cause::Extension(_), _) => intent.tool,
        (Cause::Undo(_), Effect::Revoke) => "undo_by_revoking",
        // Whatever is not clearly taking away is held to what may be given.
        (Cause::Undo(_), _) => "undo_by_granting",
        (Cause::Expiry(_), _) => "expire",
    }
}

fn target(intent: &Intent) -> Target {
    let Named { id, name, kind } = &intent.wanted.resource;
    let kind = kind.as_deref().unwrap_or(&intent.wanted.scope);
    let host = url::Url::parse(&intent.base).ok();
    let host = host.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let mut attributes = vec![
        field("vendor", text(intent.vendor)),
        field("kind", text(kind)),
        field("id", text(id)),
        field("tenant", text(host)),
    ];
    attributes.extend(name.as_deref().map(|name| field("name", text(name))));
    Target { id: format!("{}:{kind}:{id}", intent.vendor), attributes }
}

fn change(intent: &Intent, at: &Circumstances<'_>) -> Fields {
    let touched = touched(intent);
    let mut fields = vec![
        field("tool", text(intent.tool)),
        field("effect", text(if intent.effect == Effect::Revoke { "revoke" } else { "grant" })),
        field("grantee", grantee(intent)),
        field("grantees", words(touched.iter().flat_map(|named| names(named)))),
        field("kinds", words(touched.iter().filter_map(|named| named.kind.as_deref()))),
        field("role", role(intent)),
        field("privileged", Value::new_bool(intent.privileged.is_some())),
        field("own", Value::new_bool(intent.own)),
        field("scope", text(&intent.wanted.scope)),
        field("width", count(width(intent))),
        field("wide", Value::new_bool(is_wide(intent))),
        field("before", holdings(&intent.before, &touched)),
        field("after", holdings(&intent.after, &touched)),
        field("changes_this_hour", Value::new_long(at.changes_this_hour.into())),
        field("now", moment(at.now)),
    ];
    let maybe =
        [("privilege", &intent.privileged), ("reason", &intent.reason), ("client", &intent.client)];
    fields.extend(
        maybe.into_iter().filter_map(|(name, value)| Some(field(name, text(value.as_ref()?)))),
    );
    let receipts = [("undoes", intent.cause.undoes()), ("ends", intent.cause.ends())];
    fields.extend(receipts.into_iter().filter_map(|(name, value)| Some(field(name, text(value?)))));
    fields.extend(
        intent
            .expires_at
            .map(|end| field("expires_in_minutes", Value::new_long(minutes(at.now, end)))),
    );
    fields
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
fn width(intent: &Intent) -> usize {
    intent.width.max(touched(intent).len())
}

fn grantee(intent: &Intent) -> Value {
    let Named { id, name, kind } = &intent.wanted.principal;
    let several = if touched(intent).len() > 1 { "several" } else { "unknown" };
    let mut fields =
        vec![field("kind", text(kind.as_deref().unwrap_or(several))), field("id", text(id))];
    fields.extend(name.as_deref().map(|name| field("name", text(name))));
    record(fields)
}

fn role(intent: &Intent) -> Value {
    let Named { id, name, .. } = &intent.wanted.role;
    let permissions = words(intent.contains.iter().map(String::as_str));
    let mut fields = vec![field("id", text(id)), field("permissions", permissions)];
    fields.extend(name.as_deref().map(|name| field("name", text(name))));
    record(fields)
}

fn names(named: &Named) -> impl Iterator<Item = &str> {
    [Some(named.id.as_str()), named.name.as_deref()].into_iter().flatten()
}

fn holdings(rows: &[Access], touched: &[&Named]) -> Value {
    let theirs = rows
        .iter()
        .filter(|row| !row.pending && touched.iter().any(|named| named.id == row.principal.id));
    let held: BTreeSet<String> =
        theirs.map(|row| format!("{} on {}", row.role.label(), row.resource.label())).collect();
    words(held.iter().map(String::as_str))
}

/// Minutes until the end, rounded up: a limit is never passed by a rounding.
fn minutes(now: Timestamp, end: Timestamp) -> i64 {
    let seconds = end.as_second().saturating_sub(now.as_second());
    seconds.div_euclid(60) + i64::from(seconds.rem_euclid(60) > 0)
}

fn moment(now: Timestamp) -> Value {
    let now = now.to_zoned(TimeZone::UTC);
    let date = i64::from(now.year()) * 10_000 + i64::from(now.month()) * 100 + i64::from(now.day());
    record(vec![
        field("date", Value::new_long(date)),
        field("hour", Value::new_long(now.hour().into())),
        field("minute", Value::new_long(now.minute().into())),
        field("weekday", Value::new_long(now.weekday().to_monday_one_offset().into())),
    ])
}

fn field(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

fn text(text: &str) -> Value {
    Value::new_string(text.to_owned())
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    Value::new_set(words.map(text))
}

fn count(count: usize) -> Value {
    Value::new_long(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The names of the fields are ours and differ, so that this cannot fail.
fn record(fields: Fields) -> Value {
    Value::new_record(fields).unwrap_or_else(|_| text(""))
}
