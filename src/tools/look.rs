//! What every look does: ask the vendors at once, go on where an earlier answer stopped, and never
//! let one vendor's trouble hide the others' rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, json};

use super::{Problem, Room, Rows};
use crate::argument::Limit;
use crate::failure::{Failure, Kind};
use crate::json::extend;
use crate::vendors::{Asker, Listing, Lookup, Place, Tenant, VENDORS, Vendor};

/// Which vendors to ask, from where, for how much.
pub(super) struct Asked {
    vendor: Option<Which>,
    limit: usize,
    cursor: Option<Token>,
    /// Somebody is named, and every vendor has to say what it knows of them.
    of_somebody: bool,
}

/// `next_cursor` of an earlier answer, as a client passes it back.
#[derive(Debug)]
pub(super) struct Token(String);

/// The name of a vendor there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which(&'static str);

/// Where each vendor's list goes on; a vendor that is not named is done.
#[derive(Default, Serialize, Deserialize)]
struct Cursor(BTreeMap<String, Place>);

/// One vendor's answer, and the place it was asked from.
struct Answered<T> {
    vendor: &'static str,
    from: Place,
    listing: Result<Listing<T>, Failure>,
}

const USUAL: usize = 50;

/// Asks the vendors `asked` names, all at the same time: `lookup` says which list of a vendor,
/// `question` what to ask of it.
///
/// # Errors
/// The cursor is none of ours, no such vendor is configured, or a name means nothing anywhere.
pub(super) async fn ask<Q: Send, T: Serialize>(
    room: Room<'_>,
    asked: Asked,
    lookup: fn(&Vendor) -> Lookup<Q, T>,
    question: impl Fn(Place, usize) -> Q,
) -> Result<Rows, Failure> {
    let (limit, of_somebody) = (asked.limit, asked.of_somebody);
    let cursor = asked.cursor.map(|token| Cursor::read(&token.0)).transpose()?;
    let tenants = tenants(&room, asked.vendor, cursor.as_ref())?;
    let (wire, deadline) = (room.wire, room.deadline);
    let answers = tenants.into_iter().map(|tenant| {
        let vendor = tenant.vendor.name;
        let from = cursor.as_ref().and_then(|cursor| cursor.0.get(vendor).cloned());
        let from = from.unwrap_or_default();
        let question = question(from.clone(), limit);
        async move {
            let ask = Asker { tenant, wire, deadline, memo: None, earlier: &[] };
            let listing = lookup(tenant.vendor)(&ask, question).await;
            Answered { vendor, from, listing }
        }
    });
    gather(futures_util::future::join_all(answers).await, limit, of_somebody)
}

fn tenants<'a>(
    room: &Room<'a>,
    wanted: Option<Which>,
    cursor: Option<&Cursor>,
) -> Result<Vec<&'a Tenant>, Failure> {
    let left = |tenant: &&Tenant| {
        let name = tenant.vendor.name;
        wanted.is_none_or(|wanted| wanted.0 == name)
            && cursor.is_none_or(|cursor| cursor.0.contains_key(name))
    };
    let tenants: Vec<_> = room.tenants.iter().filter(left).collect();
    if !tenants.is_empty() {
        return Ok(tenants);
    }
    let ready: Vec<_> = room.tenants.iter().map(|tenant| tenant.vendor.name).collect();
    let wanted = wanted.map_or("a vendor of that cursor", |wanted| wanted.0);
    let hint =
        format!("configured are: {}; `grantor doctor` says what is missing", ready.join(", "));
    Err(Failure::invalid(format!("vendor: {wanted} is not configured here")).hint(hint))
}

/// One answer from all: rows in the vendors' order, at most `limit`, and a cursor for the rest.
///
/// A name that means nothing at one vendor is no trouble where another was able to answer, unless
/// somebody is named: then each says that it knows nobody of that name, and silence is no answer.
fn gather<T: Serialize>(
    answers: Vec<Answered<T>>,
    limit: usize,
    of_somebody: bool,
) -> Result<Rows, Failure> {
    let mut all = Rows { asked: answers.len(), ..Rows::default() };
    let (mut cursor, mut nameless, mut answered) = (Cursor::default(), Vec::new(), false);
    for Answered { vendor, from, listing } in answers {
        answered |= listing.is_ok();
        match listing {
            Err(failure) if failure.kind == Kind::Invalid => nameless.push((vendor, failure)),
            Err(failure) => all.problems.push(Problem { vendor, failure, partial: false }),
            Ok(listing) if listing.rows.len() > limit.saturating_sub(all.rows.len()) => {
                // A place inside the rows is not known, so all of them are asked for again.
                cursor.0.insert(vendor.to_owned(), from);
            }
            Ok(listing) => {
                all.rows.extend(listing.rows.iter().map(|row| labelled(vendor, row)));
                cursor.0.extend(listing.next.map(|next| (vendor.to_owned(), next)));
                let problem = |failure| Problem { vendor, failure, partial: true };
                all.problems.extend(listing.problem.map(problem));
            }
        }
    }
    let certain = |problem: &Problem| problem.failure.kind == Kind::NotListable;
    let unknown = !answered && all.problems.iter().all(certain) && !nameless.is_empty();
    if unknown && !of_somebody {
        return Err(meaningless(nameless));
    }
    if !answered || of_somebody {
        let failed = nameless.iter().cloned();
        all.problems.extend(failed.map(|(vendor, failure)| Problem {
            vendor,
            failure,
            partial: false,
        }));
    }
    all.unknown = unknown.then(|| meaningless(nameless));
    all.next_cursor = (!cursor.0.is_empty()).then(|| cursor.write());
    Ok(all)
}

/// A name that no vendor knows, with what it may have meant at each.
fn meaningless(nameless: Vec<(&'static str, Failure)>) -> Failure {
    let mut all = nameless.into_iter().map(|(_, failure)| failure);
    let first = all.next().unwrap_or_else(|| Failure::invalid("nothing to look for"));
    all.fold(first, |mut first, other| {
        first.candidates.extend(other.candidates);
        first
    })
}

fn labelled(vendor: &str, row: &impl Serialize) -> Value {
    let mut labelled = json!({ "vendor": vendor });
    extend(&mut labelled, json!(row));
    labelled
}

impl Asked {
    pub(super) fn new(vendor: Option<Which>, limit: Option<Limit>, cursor: Option<Token>) -> Self {
        Self { vendor, limit: limit.map_or(USUAL, Limit::get), cursor, of_somebody: false }
    }

    /// The same where somebody is named: every vendor asked says something of them.
    pub(super) fn of_somebody(self, of_somebody: bool) -> Self {
        Self { of_somebody, ..self }
    }
}

impl Cursor {
    fn read(text: &str) -> Result<Self, Failure> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            Failure::invalid("cursor: this is not a cursor of an earlier answer")
                .hint("pass next_cursor back as it came, or leave cursor out")
        })
    }

    fn write(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&self.0).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Token {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Token".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let vendor = crate::vendors::named(&text).map(|vendor| Self(vendor.name));
        vendor.ok_or_else(|| D::Error::custom(format!("must be one of {}", names().join(", "))))
    }
}

impl JsonSchema for Which {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Which".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": names() })
    }
}

fn names() -> Vec<&'static str> {
    VENDORS.iter().map(|vendor| vendor.name).collect()
}
