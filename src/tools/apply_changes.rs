use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Effect, Spec};
use crate::argument::{Duration, Name, Time};

/// Make several changes as one, with one question to one person. Each may rest on those before it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyChanges {
    /// In this order.
    #[schemars(length(min = 1, max = 50))]
    pub changes: Vec<ChangeCall>,
    /// For those that have none.
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
    /// Only show them.
    pub dry_run: Option<bool>,
    /// For grants that have no end.
    pub expires_in: Option<Duration>,
    /// Likewise.
    pub expires_at: Option<Time>,
}

/// One of the changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCall {
    /// Of a tool that changes one thing.
    pub tool: Name,
    /// That tool's.
    pub arguments: Map<String, Value>,
}

pub const SPEC: Spec = Spec {
    name: "apply_changes",
    title: "Make several changes as one",
    effect: Effect::Set,
    vendor: None,
    needs: "that of each change",
    docs: "the endpoints of each change",
    example: r#"{"changes": [{"tool": "grant_asset_role", "arguments": {"userKey": "user@example.com", "roleKey": "Tester", "assetKeys": ["Billing"]}}]}"#,
};
