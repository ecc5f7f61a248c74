//! A resolved change: what guard and person judge, and what the ledger keeps.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::Access;
use crate::draft::Draft;
use crate::tools::Effect;

/// One access, before and after, and the request that makes the difference.
#[derive(Clone, Debug)]
pub struct Intent {
    pub vendor: &'static str,
    /// Base URL of the vendor.
    pub base: String,
    /// Which tenant of the vendor it is.
    pub tenant: String,
    pub tool: &'static str,
    pub effect: Effect,
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
    /// The principal is the identity behind Grantor's own credential.
    pub own: bool,
    /// What each gains or loses, where the change is for several at once: judged one by one, too.
    pub rows: Vec<Row>,
    /// How many accesses the same call changes.
    pub width: usize,
    /// When Grantor, or the vendor, takes it back.
    pub expires_at: Option<Timestamp>,
    pub warnings: Vec<String>,
    pub reason: Option<String>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
}

/// What one of several gains, or loses, by a change that is for all of them.
#[derive(Clone, Debug)]
pub struct Row {
    pub effect: Effect,
    /// Whose access it is, and the role that comes or goes.
    pub wanted: Access,
    pub privileged: Option<String>,
    pub contains: Vec<String>,
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

impl Intent {
    /// As the ledger keeps it: no credential is part of it.
    pub fn recorded(&self) -> Value {
        json!({
            "vendor": self.vendor,
            "base": self.base,
            "tenant": self.tenant,
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
            "privileged": self.privileged,
            "expires_at": self.expires_at.map(|end| end.to_string()),
            "warnings": self.warnings,
            "reason": self.reason,
            "client": self.client,
            "request": self.draft.as_ref().map(Draft::shown),
        })
    }

    /// The request with the version it depends on, for the digest that consent is bound to.
    pub fn request(&self) -> Value {
        json!(self.draft.as_ref().map(|draft| (draft.shown(), draft.version())))
    }
}

impl Cause {
    /// The receipt that the change undoes.
    pub fn undoes(&self) -> Option<&str> {
        match self {
            Self::Undo(receipt) => Some(receipt),
            Self::Request | Self::Expiry(_) | Self::Extension(_) => None,
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
