//! What of the ledger cannot be acted on.

use serde_json::Value;

/// Something in the ledger that cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Where it is, for a person; empty where it is all of the ledger.
    pub place: String,
    pub what: String,
    /// Of the line that it is about: what is accepted is named by it.
    pub hash: String,
}

impl Trouble {
    /// Of a file beside the lines.
    pub(super) fn of_file(name: &str, what: &str) -> Self {
        let hash = super::chain::hash(&format!("{name} {what}"));
        Self { place: name.to_owned(), what: what.to_owned(), hash }
    }

    /// Whether nothing at all can be read.
    pub(super) fn is_of_all(&self) -> bool {
        self.place.is_empty() && self.hash.is_empty()
    }

    pub(super) fn recorded(&self) -> Value {
        serde_json::json!({ "place": self.place, "what": self.what, "hash": self.hash })
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, what, .. } = self;
        if place.is_empty() { f.write_str(what) } else { write!(f, "{place}: {what}") }
    }
}
