//! Every field that rules can speak of, and where what it says comes from.

use cedar_policy::{Entities, EvalResult, Request};
use serde::Serialize;
use serde_json::{Map, Value};

/// A field, by the way a rule writes it, and whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub from: FactSource,
}

/// Whose word a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactSource {
    /// The tool that is called, and what it does.
    Tool,
    /// The arguments that the assistant gives, its own words among them: good for denying.
    Assistant,
    /// Whoever vouches for the requester: the issuer of their token, or the operating system.
    Issuer,
    /// What the client says of itself: good for denying.
    Client,
    /// What was read at the vendor.
    Vendor,
    /// What was done here before.
    Ledger,
    /// What the configuration declares.
    Declared,
    Clock,
}

/// One field of one change, as a rule sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub field: Field,
    pub value: Value,
}

use FactSource::{Assistant, Client, Clock, Declared, Issuer, Ledger, Tool, Vendor};

/// All of them, in the order of the schema.
pub const FIELDS: [Field; 68] = [
    of("principal.kind", Issuer),
    of("principal.issuer", Issuer),
    of("principal.email", Issuer),
    of("principal.client", Issuer),
    of("resource.vendor", Tool),
    of("resource.kind", Vendor),
    of("resource.id", Vendor),
    of("resource.name", Vendor),
    of("resource.folded", Vendor),
    of("resource.tenant", Declared),
    of("resource.organization", Vendor),
    of("resource.labels", Declared),
    of("context.tool", Tool),
    of("context.tenant", Declared),
    of("context.effect", Tool),
    of("context.grantee.kind", Vendor),
    of("context.grantee.id", Vendor),
    of("context.grantee.name", Vendor),
    of("context.grantee.folded", Vendor),
    of("context.grantees", Vendor),
    of("context.kinds", Vendor),
    of("context.role.id", Vendor),
    of("context.role.name", Vendor),
    of("context.role.folded", Vendor),
    of("context.role.permissions", Vendor),
    of("context.role.known", Vendor),
    of("context.privileged", Vendor),
    of("context.privilege", Vendor),
    of("context.own", Vendor),
    of("context.for_self", Declared),
    of("context.scope", Vendor),
    of("context.width", Tool),
    of("context.wide", Tool),
    of("context.called", Tool),
    of("context.set_size", Tool),
    of("context.before", Vendor),
    of("context.after", Vendor),
    of("context.narrows", Vendor),
    of("context.gains.emails", Vendor),
    of("context.gains.domains", Vendor),
    of("context.gains.kinds", Vendor),
    of("context.holds", Vendor),
    of("context.holds_all", Vendor),
    of("context.history.extends", Ledger),
    of("context.history.extensions", Ledger),
    of("context.history.total_minutes", Ledger),
    of("context.history.requester_today", Ledger),
    of("context.history.grantee_today", Ledger),
    of("context.history.undone_minutes", Ledger),
    of("context.expires_in_minutes", Assistant),
    of("context.reason", Assistant),
    of("context.reason_length", Assistant),
    of("context.ticket_projects", Assistant),
    of("context.client", Client),
    of("context.client_name", Client),
    of("context.requester", Issuer),
    of("context.approvals", Ledger),
    of("context.changes_this_hour", Ledger),
    of("context.undoes", Assistant),
    of("context.ends", Ledger),
    of("context.now.date", Clock),
    of("context.now.hour", Clock),
    of("context.now.minute", Clock),
    of("context.now.weekday", Clock),
    of("context.here.date", Clock),
    of("context.here.hour", Clock),
    of("context.here.minute", Clock),
    of("context.here.weekday", Clock),
];

const fn of(name: &'static str, from: FactSource) -> Field {
    Field { name, from }
}

impl FactSource {
    /// Whose word it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Tool => "the tool",
            Self::Assistant => "the assistant",
            Self::Issuer => "the issuer",
            Self::Client => "the client",
            Self::Vendor => "the vendor",
            Self::Ledger => "the ledger",
            Self::Declared => "the configuration",
            Self::Clock => "the clock",
        }
    }
}

/// What a request says of each field that is there.
pub(super) fn facts(request: &Request, entities: &Entities) -> Vec<Fact> {
    let resource = request.resource().and_then(|resource| entities.get(resource));
    let principal = request.principal().and_then(|principal| entities.get(principal));
    let told = |name: &str| -> Option<Value> {
        let mut parts = name.split('.');
        let found = match parts.next()? {
            "resource" => resource?.attr(parts.next()?)?.ok()?,
            "principal" => principal?.attr(parts.next()?)?.ok()?,
            _ => request.context()?.get(parts.next()?)?,
        };
        parts.try_fold(found, inner).as_ref().map(value)
    };
    FIELDS.iter().filter_map(|&field| Some(Fact { value: told(field.name)?, field })).collect()
}

fn inner(record: EvalResult, name: &str) -> Option<EvalResult> {
    match record {
        EvalResult::Record(record) => record.get(name).cloned(),
        _ => None,
    }
}

fn value(found: &EvalResult) -> Value {
    match found {
        EvalResult::Bool(is) => Value::Bool(*is),
        EvalResult::Long(number) => Value::from(*number),
        EvalResult::String(text) => Value::String(text.clone()),
        EvalResult::Set(set) => set.iter().map(value).collect(),
        EvalResult::Record(record) => {
            record.iter().map(|(name, inner)| (name.clone(), value(inner))).collect()
        }
        other @ (EvalResult::EntityUid(_) | EvalResult::ExtensionValue(_)) => {
            Value::String(other.to_string())
        }
    }
}

/// Facts as rules write them: an object in an object.
pub(super) fn nested<S: serde::Serializer>(
    facts: &[Fact],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut whole = Map::new();
    for Fact { field, value } in facts {
        let mut parts = field.name.split('.').peekable();
        let mut at = &mut whole;
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), value.clone());
                break;
            }
            let inner = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = inner.as_object_mut() else { break };
            at = inner;
        }
    }
    whole.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::super::facts::SCHEMA;
    use super::*;

    /// The leaves of a type of the schema, as a rule writes them.
    fn leaves(of: &Value, types: &Value, name: &str, found: &mut Vec<String>) {
        let kind = of["type"].as_str().unwrap();
        let named = of["name"].as_str().filter(|_| kind == "EntityOrCommon").unwrap_or(kind);
        let shape = if types[named].is_object() { &types[named] } else { of };
        match shape["attributes"].as_object() {
            Some(attributes) => {
                let each = attributes.iter();
                each.for_each(|(part, of)| leaves(of, types, &format!("{name}.{part}"), found));
            }
            None => found.push(name.to_owned()),
        }
    }

    #[test]
    fn the_table_has_every_field_of_the_schema_and_no_other() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let of = &schema[""];
        let (types, mut found) = (&of["commonTypes"], Vec::new());
        leaves(&of["entityTypes"]["Resource"]["shape"], types, "resource", &mut found);
        leaves(&of["entityTypes"]["Requester"]["shape"], types, "principal", &mut found);
        leaves(&types["Change"], types, "context", &mut found);
        let mut named: Vec<_> = FIELDS.iter().map(|field| field.name.to_owned()).collect();
        let mut look = Vec::new();
        leaves(&types["Look"], types, "context", &mut look);
        assert!(look.iter().all(|name| named.contains(name)), "{look:?}");
        found.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, found);
    }
}
