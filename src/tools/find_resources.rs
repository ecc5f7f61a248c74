use schemars::JsonSchema;
use serde::Deserialize;

use super::look::{AsListed, LookQuery, Token, Which, ask};
use super::{Effect, Look, LookContext, Rows, Spec};
use crate::argument::{Limit, Name};
use crate::failure::Failure;
use crate::vendors::Find;

/// Find what access can be granted to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindResources {
    /// Only this one.
    vendor: Option<Which>,
    /// Part of a name.
    query: Option<Name>,
    /// Such as asset, environment or project_space.
    kind: Option<Name>,
    /// Default 50.
    limit: Option<Limit>,
    /// next_cursor, for more.
    cursor: Option<Token>,
}

impl Look for FindResources {
    const SPEC: Spec = Spec {
        name: "find_resources",
        title: "Find resources",
        effect: Effect::Look,
        vendor: None,
        needs: "reading, as `grantor doctor` lists it",
        docs: "each vendor's lists of assets, environments and spaces",
        example: r#"{"query": "orders"}"#,
    };

    async fn look(self, context: LookContext<'_>) -> Result<Rows, Failure> {
        let query = self.query.map(Name::into_string);
        let kind = self.kind.map(Name::into_string);
        let asked = LookQuery::new(self.vendor, self.limit, self.cursor);
        let asked = asked.of_kind(kind.as_deref(), |vendor| vendor.resource_kinds);
        ask(
            context,
            asked,
            |vendor| vendor.resources,
            |from, limit| Find { query: query.clone(), kind: kind.clone(), from, limit },
            &AsListed,
        )
        .await
    }
}
