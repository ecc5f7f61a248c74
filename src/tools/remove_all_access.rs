use schemars::JsonSchema;
use serde::Deserialize;

use super::look::Which;
use super::{Effect, Spec};
use crate::argument::Name;

/// Take all of somebody's access that can be taken. Says what is left, and what is not known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveAllAccess {
    /// E-mail, id or exact name.
    pub principal: Name,
    /// Only this one.
    pub vendor: Option<Which>,
    /// Why; kept in the ledger.
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
    /// Only show the request.
    pub dry_run: Option<bool>,
}

pub const SPEC: Spec = Spec {
    name: "remove_all_access",
    title: "Remove all of somebody's access",
    effect: Effect::Set,
    vendor: None,
    needs: "that of each change",
    docs: "the endpoints of each change",
    example: r#"{"principal": "jonas.weber@example.com", "vendor": "outsystems"}"#,
};
