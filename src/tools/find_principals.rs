use schemars::JsonSchema;
use serde::Deserialize;

use super::look::{AsListed, LookQuery, Token, Which, ask};
use super::{Effect, Look, LookContext, Rows, Spec};
use crate::access::PrincipalKind;
use crate::argument::{Limit, Name};
use crate::failure::Failure;
use crate::vendors::{Find, people::principals};

/// Find people, groups, service accounts and tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindPrincipals {
    /// Only this one.
    vendor: Option<Which>,
    /// Part of a name or e-mail address.
    query: Name,
    /// Only this kind.
    kind: Option<PrincipalKind>,
    /// Default 50.
    limit: Option<Limit>,
    /// next_cursor, for more.
    cursor: Option<Token>,
}

impl Look for FindPrincipals {
    const SPEC: Spec = Spec {
        name: "find_principals",
        title: "Find people and groups",
        effect: Effect::Look,
        vendor: None,
        needs: "reading, as `grantor doctor` lists it",
        docs: "each vendor's lists of users, groups and service accounts",
        example: r#"{"query": "alex"}"#,
    };

    async fn look(self, context: LookContext<'_>) -> Result<Rows, Failure> {
        let asked = LookQuery::new(self.vendor, self.limit, self.cursor);
        let kind = self.kind.map(PrincipalKind::as_str);
        let asked = asked.of_kind(kind, |vendor| vendor.principal_kinds);
        // An alias that means nobody is a trouble of its tenant, whatever others find.
        let has_alias =
            context.tenants.iter().any(|tenant| tenant.people.has_alias(self.query.as_str()));
        let asked = asked.of_somebody(has_alias);
        ask(
            context,
            asked,
            |_| principals,
            |from, limit| Find {
                query: Some(self.query.as_str().to_owned()),
                kind: kind.map(str::to_owned),
                from,
                limit,
            },
            &AsListed,
        )
        .await
    }
}
