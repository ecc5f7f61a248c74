//! One change, as its lines tell it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::length;
use super::whose::Mark;
use crate::access::{Access, Outcome};
use crate::control::requester::{Caller, Requester};
use crate::failure::Failure;
use crate::intent::Intent;
use crate::intent::Term;

/// One change that was sent, or was about to be.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub receipt: String,
    pub time: String,
    pub requester: String,
    /// What was said of them, where they called over a network.
    #[serde(default)]
    caller: Option<Caller>,
    /// The process that opened it.
    pub process: String,
    pub vendor: String,
    /// Where the vendor's tenant is that it was at: its base URL.
    pub tenant: String,
    /// The base URL; none in lines that say only which tenant it was.
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    effect: String,
    /// The operator's name for that tenant, where it had one beside the vendor's.
    #[serde(default)]
    pub tenant_name: Option<String>,
    /// Which of the vendor's customers it was for, where they share an address and that was known.
    #[serde(default)]
    pub organization: Option<String>,
    pub tool: String,
    pub summary: String,
    wanted: Access,
    /// The change as arguments of its tool, by ids.
    pub arguments: Value,
    pub before: Vec<Access>,
    /// What was meant to be there after it.
    #[serde(default, rename = "after")]
    pub(super) meant: Vec<Access>,
    /// Rows that were not there before are known not to have been.
    pub conclusive: bool,
    /// The receipt that this change undoes.
    #[serde(default)]
    pub undoes: Option<String>,
    /// The receipt whose end this change is.
    #[serde(default)]
    pub ends: Option<String>,
    /// The timed changes that stood where it wrote, the latest first.
    #[serde(default)]
    pub upon: Vec<String>,
    /// The receipt of the consent it rests on.
    #[serde(default)]
    pub consent: Option<String>,
    /// When it is to be taken back, as last extended.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Why the role was privileged, where it was.
    #[serde(default)]
    pub privileged: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
    /// The client's own claim of what it was.
    #[serde(default)]
    pub client: Option<String>,
    /// How it ended, as last found; none while it is open.
    #[serde(skip)]
    pub end: Option<End>,
    /// When whoever sent it recorded how it ended; none where they did not.
    #[serde(skip)]
    pub closed: Option<Timestamp>,
    /// The change that undid it.
    #[serde(skip)]
    pub undone_by: Option<String>,
    /// The change that ended it, when its time had come.
    #[serde(skip)]
    pub ended_by: Option<String>,
    /// The change that is to undo or end it, and that the vendor holds for its approvers.
    #[serde(skip)]
    pub held_by: Option<String>,
    /// A later change after which what this one did is no longer its own: it took the access away,
    /// or gave it anew.
    #[serde(skip)]
    pub superseded_by: Option<String>,
    /// When the access was first given, where an earlier grant was taken back for this one.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// When its end was moved.
    #[serde(skip)]
    pub extended: Vec<MovedEnd>,
    /// Why its end needs nothing more.
    #[serde(skip)]
    pub over: Option<String>,
    /// Why its end could not be carried out.
    #[serde(skip)]
    pub overdue: Option<String>,
    /// Why its lines are not to be relied on, where they are not: then nothing is given on their
    /// word, and its end is for a person.
    #[serde(skip)]
    pub damage: Option<String>,
}

/// A move of a change's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedEnd {
    pub at: Timestamp,
    /// Who had it moved.
    pub by: String,
    /// The access stands for less time than before.
    pub is_sooner: bool,
    /// Which change of a set it was, by its receipt.
    pub item: Option<String>,
}

/// How a change ended.
#[derive(Clone, Debug, Deserialize)]
pub struct End {
    pub outcome: Outcome,
    pub after: Vec<Access>,
    /// What the vendor said of a change it holds.
    #[serde(default)]
    pub held: Option<Value>,
    /// The vendor said yes, and still showed what was there before: `after` is what was meant.
    #[serde(default)]
    pub unseen: bool,
    /// What was said of it.
    #[serde(default)]
    pub note: Option<String>,
}

impl Record {
    /// Who had it made, where what the rules were told of them is known.
    pub fn known_requester(&self) -> Option<Requester> {
        let is_a_caller = self.requester.contains("://");
        let is_known = !is_a_caller || self.caller.is_some();
        is_known.then(|| Requester::known(&self.requester, self.caller.as_ref()))
    }

    /// What its line said of the change, for whoever judges who may see it.
    pub fn recorded(&self) -> Value {
        json!({
            "base": self.base.as_deref().unwrap_or(&self.tenant),
            "tenant": self.tenant,
            "tenant_name": self.tenant_name,
            "organization": self.organization,
            "tool": self.tool,
            "effect": self.effect,
            "summary": self.summary,
            "wanted": self.wanted,
            "before": self.before,
            "after": self.meant,
            "conclusive": self.conclusive,
            "undoes": self.undoes,
            "ends": self.ends,
            "upon": self.upon,
            "privileged": self.privileged,
            "expires_at": self.expires_at,
            "reason": self.reason,
            "client": self.client,
        })
    }

    /// The change that a receipt's lines tell of, oldest first; none if it was never opened.
    pub(super) fn of(lines: &[Value]) -> Option<Self> {
        let named = |name: &'static str| {
            move |line: &&Value| line.get("event").and_then(Value::as_str) == Some(name)
        };
        let open = lines.iter().find(named("open"))?;
        let mut record = Self::deserialize(open).ok()?;
        for line in lines {
            record.apply(line);
        }
        Some(record)
    }

    pub(super) fn apply(&mut self, line: &Value) {
        let text = |field: &str| line.get(field).and_then(Value::as_str).map(str::to_owned);
        let named = line.get("event").and_then(Value::as_str);
        if line.get(length::CUT).is_some() {
            self.damage = Some(length::WAS_CUT.to_owned());
        }
        match named {
            Some("close" | "found") => {
                if let Ok(end) = End::deserialize(line) {
                    self.end = Some(end);
                }
                if named == Some("close") {
                    self.closed = text("time").and_then(|time| time.parse().ok());
                }
            }
            Some("extended") => {
                self.expires_at = text("expires_at").and_then(|end| end.parse().ok());
                self.overdue = None;
                let content = |path: &str| line.pointer(path).and_then(Value::as_str);
                self.extended.push(MovedEnd {
                    at: text("time").and_then(|time| time.parse().ok()).unwrap_or_default(),
                    by: text("requester").unwrap_or_default(),
                    is_sooner: content("/content/extension/effect") == Some("revoke"),
                    item: content("/content/item").map(str::to_owned),
                });
            }
            Some("over") => self.over = text("note"),
            Some("overdue") => self.overdue = text("why"),
            _ => {}
        }
    }

    /// The record that a change will leave if it goes as it is meant to.
    ///
    /// # Errors
    /// Its line could not be read back.
    pub fn foreseen(intent: &Intent) -> Result<Self, Failure> {
        let mut line = intent.recorded();
        let more = json!({ "receipt": "", "time": "", "requester": "", "process": "" });
        crate::json::extend(&mut line, more);
        let mut record = Self::deserialize(line)
            .map_err(|error| Failure::invalid(format!("the change cannot be recorded: {error}")))?;
        let (outcome, after) = (Outcome::Confirmed, intent.after.clone());
        record.end = Some(End { outcome, after, held: None, unseen: false, note: None });
        Ok(record)
    }

    /// The access the change was for.
    pub fn wanted(&self) -> Access {
        self.wanted.clone()
    }

    pub(super) fn wanted_row(&self) -> &Access {
        &self.wanted
    }

    /// When it was opened.
    pub fn opened(&self) -> Timestamp {
        self.time.parse().unwrap_or_default()
    }

    /// When the access was first given.
    pub fn begun(&self) -> Timestamp {
        self.since.unwrap_or_else(|| self.opened())
    }

    /// Whether its time has come by then to be taken back.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// From when to when it was wanted.
    pub fn term(&self) -> Term {
        let starts = self.wanted.starts_at.as_ref().and_then(|at| at.parse().ok());
        Term { starts, ..Term::new(self.opened(), self.expires_at, None) }
    }

    pub fn outcome(&self) -> Option<Outcome> {
        self.end.as_ref().map(|end| end.outcome)
    }

    /// `[tenant, principal, role, resource]` that it was for, by ids.
    pub(super) fn key(&self) -> [&str; 4] {
        self.ids(&self.wanted)
    }

    /// Whose it is, of those at that place.
    pub(super) fn mark(&self) -> Mark {
        Mark::new(self.tenant_name.as_deref(), self.organization.as_deref())
    }

    /// Whether it may have left something behind.
    pub(super) fn has_left_something(&self) -> bool {
        self.may_stand() && self.over.is_none()
    }

    /// Whether it ended so that it may have done something.
    pub fn may_stand(&self) -> bool {
        self.outcome().is_some_and(Outcome::may_stand)
    }

    /// Whether it took another change back. What the vendor holds has taken nothing back yet, and what
    /// is not seen has not, as far as is known.
    pub fn takes_back(&self) -> bool {
        let another = self.undoes.is_some() || self.ends.is_some();
        let done = |end: &End| !end.outcome.is_error() && !is_held(end.outcome) && !end.unseen;
        another && self.end.as_ref().is_some_and(done)
    }

    /// Whether it may have happened, and has not been seen.
    pub fn is_unsettled(&self) -> bool {
        self.end.as_ref().is_none_or(|end| end.outcome == Outcome::Unknown || end.unseen)
    }

    /// Whether the vendor said yes to it, and still showed what was there before.
    pub fn is_unseen(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.unseen)
    }

    /// Whether the vendor holds it for its approvers, as last found.
    pub fn is_held(&self) -> bool {
        self.outcome().is_some_and(is_held)
    }

    /// Each `[tenant, principal, role, resource]` that it is what made, by ids.
    pub(super) fn made(&self) -> Vec<[&str; 4]> {
        self.difference(|end| (&end.after, &self.before))
    }

    /// Each that it is what took away.
    pub(super) fn unmade(&self) -> Vec<[&str; 4]> {
        self.difference(|end| (&self.before, &end.after))
    }

    /// The rows of one side that the other lacks, where it is known that the change is why.
    fn difference<'a>(
        &'a self,
        sides: impl FnOnce(&'a End) -> (&'a Vec<Access>, &'a Vec<Access>),
    ) -> Vec<[&'a str; 4]> {
        let Some(end) = self.end.as_ref().filter(|end| end.outcome == Outcome::Confirmed) else {
            return Vec::new();
        };
        let (these, those) = sides(end);
        let only = |row: &&Access| !row.pending && !those.iter().any(|other| other.is(row));
        these.iter().filter(only).map(|row| self.ids(row)).collect()
    }

    fn ids<'a>(&'a self, row: &'a Access) -> [&'a str; 4] {
        [&self.tenant, &row.principal.id, &row.role.id, &row.resource.id]
    }
}

fn is_held(outcome: Outcome) -> bool {
    outcome == Outcome::PendingVendorApproval
}
