use schemars::JsonSchema;
use serde::Deserialize;

use super::look::Which;
use super::{Effect, Spec};
use crate::argument::{Duration, Name};

/// Give somebody what another holds directly and they lack. Ends stay. Says what is not copied, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyAccess {
    /// E-mail, id or exact name.
    pub from: Name,
    /// Likewise.
    pub to: Name,
    /// Only this one.
    pub vendor: Option<Which>,
    /// Roles or resources: ids or exact names.
    #[schemars(length(max = 50))]
    pub except: Option<Vec<Name>>,
    /// Why; kept in the ledger.
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
    /// Only show the request.
    pub dry_run: Option<bool>,
    /// At the latest.
    pub expires_in: Option<Duration>,
}

pub const SPEC: Spec = Spec {
    name: "copy_access",
    title: "Copy somebody's access",
    effect: Effect::Set,
    vendor: None,
    needs: "that of each change",
    docs: "the endpoints of each change",
    example: r#"{"from": "alex.kim@example.com", "to": "user@example.com"}"#,
};
