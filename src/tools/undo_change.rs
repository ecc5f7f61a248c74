use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Spec};
use crate::argument::Name;

/// Undo a change by its receipt. Refuses if somebody changed it since.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoChange {
    /// The receipt of the change to undo (gr-…).
    pub receipt: Name,
    /// Why; kept in the ledger.
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
}

pub const SPEC: Spec = Spec {
    name: "undo_change",
    title: "Undo a change",
    effect: Effect::Undo,
    vendor: None,
    needs: "that of the change it makes",
    docs: "the ledger, and the endpoints of the inverse change",
    example: r#"{"receipt": "gr-aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
};
