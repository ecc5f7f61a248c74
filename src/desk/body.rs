//! What an answer tells, as data: nothing of it is cleaned yet, and only `writing` hands it out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::listed::Listed;
use super::short::rows;
use crate::access::{Access, Named, Outcome};
use crate::failure::Candidate;
use crate::guard::VerdictRecord;
use crate::tools::Part;

/// What an answer tells. Each is told from those below it by what only it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    Checked(Box<Checked>),
    Unasked(Unasked),
    Looked(Looked),
    Listed(Listed),
    Changed(Box<Changed>),
}

/// Whose customer it is about: what rows, problems and answers carry first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Of {
    pub vendor: Cow<'static, str>,
    /// The operator's name for it, where others of its vendor are beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// How a change ended, or why it was not begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    #[serde(flatten)]
    pub of: Option<Of>,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Named>,
    /// None where nothing was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<Row>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<Row>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// What a set has not in it, and why: somebody may have to do it elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What could not be read, so that it is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_known: Vec<Problem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub policy: Option<VerdictRecord>,
    /// Who said yes, where somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// What was sent or would be, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

/// One row of access. Whose it is and on what is left out where that is the answer's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Named>,
    pub role: RowRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Named>,
    pub scope: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// A role as a row names it. Its id is left out where that is the answer's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowRole {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One of several changes, or one part of a change that a vendor takes whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// At which tenant, where others are at another.
    #[serde(flatten)]
    pub of: Option<Of>,
    /// The change in words, where others beside it are of other tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Named>,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<Row>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<Row>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_status: Option<u16>,
}

/// A change that is no part of a set, and what somebody may do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    #[serde(flatten)]
    pub of: Of,
    pub summary: String,
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a look found. Rows are what the tools made of the vendors' lists, each of its own kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    pub rows: Vec<Value>,
    pub problems: Vec<Problem>,
    /// Why there is nothing, where that is no trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What one of those that were asked could not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    #[serde(flatten)]
    pub of: Of,
    pub kind: Cow<'static, str>,
    pub message: String,
    pub hint: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

/// A look that asked nobody, or nobody who knows what was named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unasked {
    pub outcome: Outcome,
    pub summary: String,
    /// None: clients that read rows find none.
    pub rows: [(); 0],
    pub problems: Vec<Problem>,
    pub hint: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a receipt is of, and where that stands: a change, a request, or a request and what was sent of
/// it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    pub receipt: String,
    pub outcome: Outcome,
    pub time: String,
    pub requester: String,
    #[serde(flatten)]
    pub of: Option<Of>,
    pub tool: String,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(flatten)]
    pub marks: Marks,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The rows there are now, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Vec<Access>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Checked>,
    /// Of a set, the changes that were not done: as another call lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<ChangeLeft>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A change as a call for several lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeLeft {
    pub tool: String,
    pub arguments: Map<String, Value>,
}

/// What else is recorded of a change or a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denial_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    /// Until when it waits for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// By whom it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

impl Of {
    pub(super) fn new(vendor: impl Into<Cow<'static, str>>) -> Self {
        Self { vendor: vendor.into(), tenant: None }
    }

    pub(super) fn at(self, tenant: Option<String>) -> Self {
        Self { tenant, ..self }
    }
}

impl Checked {
    /// The same, at that tenant of its vendor.
    pub(super) fn at(self, tenant: Option<String>) -> Self {
        Self { of: self.of.map(|of| of.at(tenant)), ..self }
    }
}

impl Changed {
    pub(super) fn new(outcome: Outcome, summary: String) -> Self {
        Self {
            outcome,
            receipt: None,
            of: None,
            summary,
            principal: None,
            role: None,
            resource: None,
            before: None,
            after: None,
            items: Vec::new(),
            left_out: Vec::new(),
            not_known: Vec::new(),
            warnings: Vec::new(),
            policy: None,
            approved_by: None,
            request: None,
            vendor_status: None,
            expires_at: None,
            hint: None,
            candidates: Vec::new(),
        }
    }
}

impl From<Part> for Item {
    fn from(part: Part) -> Self {
        let Part { principal, resource, outcome, before, after } = part;
        Self {
            of: None,
            summary: None,
            principal: Some(principal),
            resource: Some(resource),
            outcome,
            before: Some(rows(&before)),
            after: Some(rows(&after)),
            receipt: None,
            note: None,
            hint: None,
            request: None,
            vendor_status: None,
        }
    }
}

impl Body {
    /// How a change ended, or that nobody was asked.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Changed(changed) => Some(changed.outcome),
            Self::Unasked(unasked) => Some(unasked.outcome),
            Self::Looked(_) | Self::Checked(_) | Self::Listed(_) => None,
        }
    }

    /// The same; of a look at one change, how that ended.
    pub fn ended(&self) -> Option<Outcome> {
        match self {
            Self::Checked(checked) => Some(checked.outcome),
            body => body.outcome(),
        }
    }

    pub fn receipt(&self) -> Option<&str> {
        match self {
            Self::Changed(changed) => changed.receipt.as_deref(),
            Self::Checked(checked) => Some(&checked.receipt),
            Self::Looked(_) | Self::Unasked(_) | Self::Listed(_) => None,
        }
    }

    pub(super) fn items(&self) -> &[Item] {
        match self {
            Self::Changed(changed) => &changed.items,
            Self::Looked(_) | Self::Unasked(_) | Self::Checked(_) | Self::Listed(_) => &[],
        }
    }

    pub(super) fn summary(&self) -> &str {
        match self {
            Self::Changed(changed) => &changed.summary,
            Self::Unasked(unasked) => &unasked.summary,
            Self::Checked(checked) => &checked.summary,
            Self::Looked(_) | Self::Listed(_) => "",
        }
    }

    /// The outcome, and the summary with its hint.
    pub(super) fn describe(&self) -> (Outcome, String) {
        let hint = match self {
            Self::Changed(changed) => changed.hint.as_deref(),
            Self::Unasked(unasked) => Some(unasked.hint.as_str()),
            Self::Checked(checked) => checked.hint.as_deref(),
            Self::Looked(_) | Self::Listed(_) => None,
        };
        let said: Vec<_> = [Some(self.summary()), hint].into_iter().flatten().collect();
        (self.outcome().unwrap_or(Outcome::Unknown), said.join("; "))
    }

    pub(super) fn of(&self) -> Option<&Of> {
        match self {
            Self::Changed(changed) => changed.of.as_ref(),
            Self::Checked(checked) => checked.of.as_ref(),
            Self::Looked(_) | Self::Unasked(_) | Self::Listed(_) => None,
        }
    }

    pub(super) fn warnings(&mut self) -> &mut Vec<String> {
        match self {
            Self::Changed(changed) => &mut changed.warnings,
            Self::Looked(found) => &mut found.warnings,
            Self::Unasked(unasked) => &mut unasked.warnings,
            Self::Checked(checked) => &mut checked.warnings,
            Self::Listed(listed) => &mut listed.warnings,
        }
    }
}
