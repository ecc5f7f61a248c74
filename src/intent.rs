//! A resolved change: what guard and person judge, and what the ledger keeps.

use serde_json::{Value, json};

use crate::access::Access;
use crate::draft::Draft;

/// One access, before and after, and the request that makes the difference.
#[derive(Clone, Debug)]
pub struct Intent {
    pub vendor: &'static str,
    pub host: String,
    pub tool: &'static str,
    /// The vendor permission it takes.
    pub needs: &'static str,
    /// The change in words.
    pub summary: String,
    pub wanted: Access,
    /// The change as arguments of its tool, by ids.
    pub arguments: Value,
    pub draft: Draft,
    pub before: Vec<Access>,
    pub after: Vec<Access>,
    /// Rows that are not in `before` are known not to have been there.
    pub conclusive: bool,
    /// Why the role is privileged, where it is.
    pub privileged: Option<String>,
    pub warnings: Vec<String>,
    pub reason: Option<String>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
    /// The receipt that this change undoes.
    pub undoes: Option<String>,
}

impl Intent {
    /// As the ledger keeps it: no credential is part of it.
    pub fn recorded(&self) -> Value {
        json!({
            "vendor": self.vendor,
            "host": self.host,
            "tool": self.tool,
            "summary": self.summary,
            "wanted": self.wanted,
            "arguments": self.arguments,
            "before": self.before,
            "after": self.after,
            "conclusive": self.conclusive,
            "undoes": self.undoes,
            "warnings": self.warnings,
            "reason": self.reason,
            "client": self.client,
            "request": self.draft.shown(),
        })
    }
}
