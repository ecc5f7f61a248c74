//! A change as a question keeps it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Intent, JudgedPart};

/// What the rules are told of a change, beside what the ledger keeps of every one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JudgedFacts {
    pub tenant_told: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowering: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<JudgedPart>,
    pub width: usize,
    pub set_size: usize,
    pub called: String,
}

/// Where they stand in a change that a question keeps.
pub const JUDGED: &str = "judged";

impl Intent {
    /// As a question keeps it: with what the rules were told besides, for whoever judges by it who may see and who
    /// may approve.
    pub fn asked_about(&self) -> Value {
        let mut recorded = self.recorded();
        let facts = JudgedFacts {
            tenant_told: self.tenant_told.clone(),
            lowering: self.lowering,
            contains: self.contains.clone(),
            own: self.own,
            rows: self.rows.clone(),
            width: self.width,
            set_size: self.set_size,
            called: self.called.clone(),
        };
        crate::json::put(&mut recorded, JUDGED, json!(facts));
        recorded
    }
}
