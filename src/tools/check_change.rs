use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Spec};
use crate::argument::Name;

/// See where a change stands now: asks the vendor whether it is still so, or what its approvers
/// did. Without a receipt, the changes of the last 24 hours and those that are open.
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
    docs: "the ledger, and the vendor's own lists",
    example: "{}",
};
