//! A list of what was asked for, refused and done, as data.

use serde::{Deserialize, Serialize};

use super::body::{Marks, Of};
use crate::access::{Named, Outcome};

/// What was asked for, refused and done, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub changes: Vec<HistoryRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One change, question or refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    pub receipt: String,
    /// When it was asked for, refused, or sent without being asked about.
    pub at: String,
    /// When it was sent, where that was later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    pub state: String,
    pub outcome: Outcome,
    #[serde(flatten)]
    pub of_vendor: Option<Of>,
    pub tool: String,
    pub summary: String,
    /// Whose access it is, where that is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Named>,
    pub requester: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The call for several that it is one of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// The rules that refused it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(flatten)]
    pub marks: Marks,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl HistoryRow {
    pub(super) fn new(
        outcome: Outcome,
        tool: String,
        summary: String,
        note: Option<String>,
        marks: Marks,
    ) -> Self {
        let text = String::new;
        Self {
            receipt: text(),
            at: text(),
            sent_at: None,
            state: text(),
            outcome,
            of_vendor: None,
            tool,
            summary,
            principal: None,
            requester: text(),
            reason: None,
            of: None,
            ends_at: None,
            rules: Vec::new(),
            note: note.filter(|note| !note.is_empty()),
            marks,
            hint: None,
        }
    }
}
