use schemars::JsonSchema;
use serde::Deserialize;

use super::look::Which;
use super::{Effect, Spec};
use crate::argument::{Duration, Name};

/// Give somebody what another holds directly and they lack, as one. Ends stay; says what is not copied, and
/// why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyAccess {
    /// Who holds it: e-mail, id or exact name.
    pub from: Name,
    /// Who gets it.
    pub to: Name,
    /// Only there.
    pub vendor: Option<Which>,
    /// Not these: roles or resources, by id or exact name.
    #[schemars(length(min = 1, max = 50))]
    pub except: Option<Vec<Name>>,
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
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
