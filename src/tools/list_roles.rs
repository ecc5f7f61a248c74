use schemars::JsonSchema;
use serde::Deserialize;

use super::look::{AsListed, LookQuery, Token, Which, ask};
use super::{Effect, Look, LookContext, Rows, Spec};
use crate::argument::{Limit, Name};
use crate::failure::Failure;
use crate::vendors::{Find, RoleFilter, roles};

/// List the roles that can be granted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRoles {
    /// Only this one.
    vendor: Option<Which>,
    /// Part of a role's name.
    query: Option<Name>,
    /// Only roles that contain this permission, as the vendor names it; the narrowest first.
    permission: Option<Name>,
    /// Default 50.
    limit: Option<Limit>,
    /// next_cursor, for more.
    cursor: Option<Token>,
}

impl Look for ListRoles {
    const SPEC: Spec = Spec {
        name: "list_roles",
        title: "List roles",
        effect: Effect::Look,
        vendor: None,
        needs: "reading, as `grantor doctor` lists it",
        docs: "each vendor's list of roles",
        example: r#"{"vendor": "outsystems", "query": "dev"}"#,
    };

    async fn look(self, context: LookContext<'_>) -> Result<Rows, Failure> {
        let query = self.query.map(Name::into_string);
        let permission = self.permission.map(Name::into_string);
        let filter = RoleFilter { permission, ..RoleFilter::default() };
        let asked = LookQuery::new(self.vendor, self.limit, self.cursor);
        ask(
            context,
            asked,
            |_| roles,
            |from, limit| (Find { query: query.clone(), kind: None, from, limit }, filter.clone()),
            &AsListed,
        )
        .await
    }
}
