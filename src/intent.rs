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
    /// The change in words.
    pub summary: String,
    pub wanted: Access,
    pub draft: Draft,
    pub before: Vec<Access>,
    pub after: Vec<Access>,
    /// Why the role is privileged, where it is.
    pub privileged: Option<String>,
    pub warnings: Vec<String>,
    pub reason: Option<String>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
}

impl Intent {
    /// As the ledger keeps it: no credential is part of it.
    pub fn recorded(&self) -> Value {
        json!({
            "vendor": self.vendor,
            "host": self.host,
            "tool": self.tool,
            "summary": self.summary,
            "principal": self.wanted.principal,
            "role": self.wanted.role,
            "resource": self.wanted.resource,
            "expires_at": self.wanted.expires_at,
            "before": self.before,
            "after": self.after,
            "warnings": self.warnings,
            "reason": self.reason,
            "client": self.client,
            "request": self.draft.shown(),
        })
    }
}
