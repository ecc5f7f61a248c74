//! A resolved change: what guard and person judge, and what the ledger keeps.

mod asked_about;

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use asked_about::{JUDGED, JudgedFacts};

use crate::access::Access;
use crate::argument::Duration;
use crate::draft::Draft;
use crate::failure::Failure;
use crate::text;

/// What a tool does: hints, retries and policy follow from this word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Look,
    Grant,
    Revoke,
    Undo,
    /// Several of these as one; each of them is judged by itself.
    Set,
}

/// One access, before and after, and the request that makes the difference.
#[derive(Clone, Debug)]
pub struct Intent {
    pub vendor: &'static str,
    /// Base URL of the vendor.
    pub base: String,
    /// Which tenant of the vendor it is: its base URL, or the sandbox.
    pub tenant: String,
    /// The operator's name for it, where it has one beside the vendor's.
    pub tenant_name: Option<String>,
    /// The name of it that rules are told.
    pub tenant_told: String,
    /// The vendor's own customer that it is for, where several share an address and it is known.
    pub organization: Option<String>,
    pub tool: &'static str,
    pub effect: Effect,
    /// It is judged for what it takes away, though its tool sets access.
    pub lowering: bool,
    /// Whether it gives, and whether it takes.
    pub shift: Shift,
    pub cause: Cause,
    /// The vendor permission it takes.
    pub needs: &'static str,
    /// The change in words.
    pub summary: String,
    pub wanted: Access,
    /// The change as arguments of its tool, by ids.
    pub arguments: Value,
    /// What is sent; nothing where the ledger alone changes.
    pub draft: Option<Draft>,
    pub before: Vec<Access>,
    pub after: Vec<Access>,
    /// Rows that are not in `before` are known not to have been there.
    pub conclusive: bool,
    /// Why the role is privileged, where it is and the change grants it.
    pub privileged: Option<String>,
    /// What the role allows, where the vendor says.
    pub contains: Vec<String>,
    /// The same with the ids that tell two of one name apart.
    pub ingredients: Vec<String>,
    /// The principal is the identity behind Grantor's own credential.
    pub own: bool,
    /// What each gains or loses, where the change is for several at once: judged one by one, too.
    pub rows: Vec<JudgedPart>,
    /// When the access was first given, where it was there before and its end moves; or when it begins,
    /// where that is later.
    pub since: Option<Timestamp>,
    /// How many accesses the same call changes.
    pub width: usize,
    /// How many changes are asked for as one.
    pub set_size: usize,
    /// The tool that was called: another than its own where it asked for several changes as one.
    pub called: String,
    /// When Grantor, or the vendor, takes it back.
    pub expires_at: Option<Timestamp>,
    /// How long it lasts, where that is what was asked.
    pub lasts: Option<Duration>,
    /// The timed changes that stand where this one writes, the latest first.
    pub upon: Vec<String>,
    pub warnings: Vec<String>,
    pub reason: Option<String>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
    /// What was read for the rules alone.
    pub read: ReadForRules,
}

/// What is read only where a rule asks for it: no part of the change, and of no record of it.
#[derive(Clone, Debug, Default)]
pub struct ReadForRules {
    pub holds: Option<Holdings>,
    pub history: Option<History>,
}

/// What whom a change is for holds at the vendor.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    pub rows: Vec<Access>,
    /// There is no more than that.
    pub all: bool,
}

/// What there was before of an access, and of whom it is for, in thirty days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// It stands, and its end moves.
    pub extends: bool,
    /// How often its end was moved.
    pub extensions: u32,
    /// From when it was first given to its end, gaps included; [`NEVER`] where it has none.
    pub total_minutes: i64,
    /// What the requester gave, and what whom it is for was given, since the day began.
    pub requester_today: u32,
    pub grantee_today: u32,
    /// Since when what is undone is there; [`NEVER`] where nothing is undone.
    pub undone_minutes: i64,
}

/// More minutes than there are, and few enough to be counted with.
pub const NEVER: i64 = 9_007_199_254_740_991;

/// Whether somebody has more access after a change, and whether somebody has less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    pub gives: bool,
    pub takes: bool,
}

/// What one of several gains, or loses, by a change that is for all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JudgedPart {
    pub effect: Effect,
    /// Whose access it is, and the role that comes or goes.
    pub wanted: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

/// What a change is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its own sake.
    Request,
    /// To undo the change of this receipt.
    Undo(String),
    /// To end the change of this receipt, whose time has come.
    Expiry(String),
    /// To move the end of the change of this receipt, which Grantor keeps.
    Extension(String),
}

/// From when to when an access is wanted, in whole seconds: vendors show no fractions.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Term {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
    /// How long it lasts, where that is what was asked: it counts from when access begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Duration>,
    /// When it is to begin, where that is another time than when it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
}

/// The most that a line of the ledger holds of one change.
pub const LONGEST_LINE: usize = 1024 * 1024;
/// The most that it holds of one text of a request: longer than any id.
const LONGEST_TEXT: usize = 2_001;

impl Effect {
    pub fn writes(self) -> bool {
        self != Self::Look
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Undo => "undo",
            Self::Set => "set",
        }
    }
}

impl Term {
    pub fn new(from: Timestamp, until: Option<Timestamp>, lasts: Option<Duration>) -> Self {
        Self { from: whole(from), until: until.map(whole), lasts, starts: None }
    }

    /// The same, where it begins then. How long it lasts counts from there.
    ///
    /// # Errors
    /// That time has come already.
    pub fn starting(self, at: Timestamp, now: Timestamp) -> Result<Self, Failure> {
        if at <= now {
            return Err(Failure::invalid("must be a time to come")
                .of("starts_at")
                .hint("leave it out for what is to begin at once"));
        }
        let term = Self { starts: Some(whole(at)), ..self }.begun(now)?;
        match term.until {
            Some(end) if end <= whole(at) => Err(Failure::invalid("it would end before it begins")
                .hint("give an end that comes after starts_at")),
            _ => Ok(term),
        }
    }

    /// The same, where access begins now.
    ///
    /// # Errors
    /// It would have ended by now, or has no end that a calendar knows.
    pub fn begun(self, now: Timestamp) -> Result<Self, Failure> {
        let now = self.starts.map_or(now, |starts| starts.max(now));
        let until = match self.lasts {
            Some(lasts) => lasts.after(now).map(whole),
            None => self.until,
        };
        match until {
            Some(end) if end <= now => Err(Failure::refused(format!("its end has come: {end}"))
                .hint("ask again, with an end to come")),
            None if self.lasts.is_some() => Err(too_long()),
            until => Ok(Self { from: whole(now), until, ..self }),
        }
    }

    /// What a consent is bound to: when access begins that begins with the yes is not known yet, nor when
    /// it ends where it lasts so long.
    pub fn bound(self, mut value: Value) -> Value {
        let from = self.from.to_string();
        let lasts = self.lasts.zip(self.until).map(|(lasts, until)| (until.to_string(), lasts));
        let mut left = vec![&mut value];
        while let Some(value) = left.pop() {
            match value {
                Value::String(text)
                    if let Some((_, lasts)) = lasts.as_ref().filter(|(until, _)| text == until) =>
                {
                    *text = format!("its beginning, and {}", lasts.words());
                }
                Value::String(text) if *text == from && self.starts.is_none() => {
                    "its beginning".clone_into(text);
                }
                Value::Array(values) => left.extend(values),
                Value::Object(fields) => left.extend(fields.values_mut()),
                _ => {}
            }
        }
        value
    }
}

impl Shift {
    /// From the rows before and after; `against` compares what somebody holds somewhere with what
    /// they held there. What cannot be compared both gives and takes.
    pub fn between(
        before: &[Access],
        after: &[Access],
        against: impl Fn(&Access, &Access) -> Option<Ordering>,
    ) -> Self {
        let replaced = replaced(before, after);
        let come = changed(after, before);
        let gone = changed(before, after);
        let new = come.iter().any(|row| !replaced.iter().any(|(_, is)| std::ptr::eq(*is, *row)));
        let lost = gone.iter().any(|row| !replaced.iter().any(|(was, _)| same_place(was, row)));
        let mut shift = Self { gives: new, takes: lost };
        for (was, is) in replaced {
            let ordering = against(was, is);
            shift.gives |= matches!(ordering, None | Some(Ordering::Greater));
            shift.takes |= matches!(ordering, None | Some(Ordering::Less));
        }
        shift
    }
}

/// The rows in whose place another role came, each with what came.
pub fn replaced<'r>(before: &'r [Access], after: &'r [Access]) -> Vec<(&'r Access, &'r Access)> {
    let gone = changed(before, after);
    let pair = |is: &'r Access| Some((*gone.iter().find(|was| same_place(was, is))?, is));
    changed(after, before).into_iter().filter_map(pair).collect()
}

/// The rows that the others do not have.
fn changed<'r>(rows: &'r [Access], others: &[Access]) -> Vec<&'r Access> {
    rows.iter().filter(|row| !others.iter().any(|other| row.is(other))).collect()
}

/// Whether both are of one principal on one resource.
fn same_place(one: &Access, other: &Access) -> bool {
    one.principal.id == other.principal.id
        && one.principal.kind == other.principal.kind
        && one.resource.id == other.resource.id
}

impl Intent {
    /// As what it is judged. A tool that sets access may take some away, and is then judged as a
    /// revocation: alone where it gives nothing, and else too. What it leaves to Grantor's own
    /// identity, or as a privileged role, is a grant all the same: a rule that forbids that says so.
    pub fn judged_as(&self) -> (Cow<'_, Self>, Option<Cow<'_, Self>>) {
        let sets =
            self.effect == Effect::Grant && matches!(self.cause, Cause::Request | Cause::Undo(_));
        let taking = || {
            let (effect, privileged) = (Effect::Revoke, None);
            Cow::Owned(Self { effect, privileged, lowering: true, ..self.clone() })
        };
        match self.shift {
            Shift { takes: true, gives }
                if sets && (gives || self.own || self.privileged.is_some()) =>
            {
                (Cow::Borrowed(self), Some(taking()))
            }
            Shift { takes: true, .. } if sets => (taking(), None),
            _ => (Cow::Borrowed(self), None),
        }
    }

    /// The same, where it takes away what would have stood: its end comes sooner.
    pub fn shorten(&mut self) {
        (self.effect, self.lowering, self.privileged) = (Effect::Revoke, true, None);
        for row in &mut self.rows {
            (row.effect, row.privileged) = (Effect::Revoke, None);
        }
    }

    /// # Errors
    /// It is more than one line of the ledger holds: what cannot be recorded is not done. What takes
    /// access back is.
    pub fn check_length(&self) -> Result<(), Failure> {
        let takes = self.effect == Effect::Revoke || matches!(self.cause, Cause::Expiry(_));
        if takes || self.recorded().to_string().len() <= LONGEST_LINE {
            return Ok(());
        }
        Err(too_much())
    }

    /// As the ledger keeps it: no credential is part of it.
    pub fn recorded(&self) -> Value {
        let mut recorded = json!({
            "vendor": self.vendor,
            "base": self.base,
            "tenant": self.tenant,
            "tenant_name": self.tenant_name,
            "organization": self.organization,
            "tool": self.tool,
            "effect": self.effect.as_str(),
            "summary": self.summary,
            "wanted": self.wanted,
            "arguments": self.arguments,
            "before": self.before,
            "after": self.after,
            "conclusive": self.conclusive,
            "undoes": self.cause.undoes(),
            "ends": self.cause.ends(),
            "upon": self.upon,
            "privileged": self.privileged,
            "expires_at": self.expires_at.map(|end| end.to_string()),
            "warnings": self.warnings,
            "reason": self.reason,
            "client": self.client,
            "request": self.draft.as_ref().map(Draft::shown).map(shortened),
        });
        let more = [
            ("lasts", self.lasts.map(|lasts| json!(lasts))),
            ("since", self.since.map(|since| since.to_string().into())),
            ("extends", self.cause.extends().map(Value::from)),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                crate::json::put(&mut recorded, name, value);
            }
        }
        recorded
    }

    /// The request with the version it depends on, for the digest that consent is bound to. What rests on
    /// other changes of its set depends on a version that those bring about.
    pub fn request(&self, is_upon_others: bool) -> Value {
        let version =
            |draft: &'_ Draft| draft.version().filter(|_| !is_upon_others).map(str::to_owned);
        json!(self.draft.as_ref().map(|draft| (draft.shown(), version(draft))))
    }
}

pub fn too_long() -> Failure {
    Failure::invalid("is longer than any time that can be kept")
        .of("expires_in")
        .hint("give a shorter one, or leave it out for access without an end")
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Why a change is not made that no line of the ledger holds.
pub fn too_much() -> Failure {
    Failure::refused("what the vendor shows of this access is too much to be recorded")
        .hint("its names or ids are very long, or very many hold it; change it at the vendor")
}

/// A value without the length of the texts in it: some vendors are sent the names that they have.
pub fn shortened(mut request: Value) -> Value {
    match &mut request {
        Value::String(text) => *text = text::short(text, LONGEST_TEXT).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| *item = shortened(item.take())),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| *field = shortened(field.take()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    request
}

impl Cause {
    /// The receipt that the change undoes.
    pub fn undoes(&self) -> Option<&str> {
        match self {
            Self::Undo(receipt) => Some(receipt),
            Self::Request | Self::Expiry(_) | Self::Extension(_) => None,
        }
    }

    /// The receipt whose end the change moves.
    pub fn extends(&self) -> Option<&str> {
        match self {
            Self::Extension(receipt) => Some(receipt),
            Self::Request | Self::Undo(_) | Self::Expiry(_) => None,
        }
    }

    /// The receipt that the change ends.
    pub fn ends(&self) -> Option<&str> {
        match self {
            Self::Expiry(receipt) => Some(receipt),
            Self::Request | Self::Undo(_) | Self::Extension(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Named;

    /// "WHO WHAT": a level from 1 to 9, or a letter, which compares with nothing.
    fn row(text: &str) -> Access {
        let (who, what) = text.split_once(' ').unwrap();
        let named = |id: &str| Named::new(id, None, "user");
        Access::of(named(who), named(what), named("it"), "asset")
    }

    fn against(was: &Access, is: &Access) -> Option<Ordering> {
        let level = |row: &Access| row.role.id.parse::<u8>().ok();
        Some(level(is)?.cmp(&level(was)?))
    }

    #[test]
    fn what_a_change_gives_and_takes_is_told_by_its_rows() {
        for (before, after, gives, takes) in [
            (&[][..], &["ana 1"][..], true, false),
            (&["ana 1"], &[], false, true),
            (&["ana 1"], &["ana 1"], false, false),
            (&["ana 3"], &["ana 1"], false, true),
            (&["ana 1"], &["ana 3"], true, false),
            (&["ana 1"], &["ana x"], true, true),
            (&["ana 3", "bo 1"], &["ana 1", "bo 2"], true, true),
            (&["ana 3", "bo 1"], &["ana 1", "bo 1"], false, true),
            (&["ana 3", "bo 1"], &["ana 3"], false, true),
            (&["ana 3"], &["bo 1"], true, true),
            (&["ana 3"], &["ana 3", "ana x"], true, false),
        ] {
            let [before, after] =
                [before, after].map(|rows| rows.iter().map(|text| row(text)).collect::<Vec<_>>());
            let shift = Shift::between(&before, &after, against);
            assert_eq!(shift, Shift { gives, takes }, "{before:?} {after:?}");
        }
    }
}
