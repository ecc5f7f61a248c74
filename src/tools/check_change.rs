use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Spec};
use crate::argument::Name;

/// See where a change stands now. Without a receipt: recent and open changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckChange {
    /// The receipt of a change (gr-…).
    pub receipt: Option<Name>,
}

pub const SPEC: Spec = Spec {
    name: "check_change",
    title: "Check a change",
    effect: Effect::Look,
    vendor: None,
    needs: "reading, as `grantor doctor` lists it",
    docs: "the ledger, and the vendor's own lists",
    example: "{}",
};
