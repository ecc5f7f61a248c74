//! A resolved change: what guard and person judge, and what the ledger keeps.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::Access;
use crate::draft::Draft;
use crate::failure::Failure;
use crate::text;
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
    /// How many accesses the same call changes.
    pub width: usize,
    /// When Grantor, or the vendor, takes it back.
    pub expires_at: Option<Timestamp>,
    pub warnings: Vec<String>,
    pub reason: Option<String>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
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

/// The most that a line of the ledger holds of one change.
pub const LONGEST_LINE: usize = 1024 * 1024;
/// The most that it holds of one text of a request: longer than any id.
const LONGEST_TEXT: usize = 2_001;

impl Intent {
    /// # Errors
    /// It is more than one line of the ledger holds: what cannot be recorded is not done. What takes
    /// access back is.
    pub fn check_length(&self) -> Result<(), Failure> {
        let takes = self.effect == Effect::Revoke || matches!(self.cause, Cause::Expiry(_));
        if takes || self.recorded().to_string().len() <= LONGEST_LINE {
            return Ok(());
        }
        Err(Failure::refused("what the vendor shows of this access is too much to be recorded")
            .hint("its names or ids are very long, or very many hold it; change it at the vendor"))
    }

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
            "request": self.draft.as_ref().map(Draft::shown).map(shortened),
        })
    }

    /// The request with the version it depends on, for the digest that consent is bound to.
    pub fn request(&self) -> Value {
        json!(self.draft.as_ref().map(|draft| (draft.shown(), draft.version())))
    }
}

/// A request without the length of the names in it: some vendors are sent them.
fn shortened(mut request: Value) -> Value {
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

    /// The receipt that the change ends.
    pub fn ends(&self) -> Option<&str> {
        match self {
            Self::Expiry(receipt) => Some(receipt),
            Self::Request | Self::Undo(_) | Self::Extension(_) => None,
        }
    }
}
