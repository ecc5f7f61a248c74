use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::look::{Asked, Token, Which, ask};
use super::{Effect, Look, LookContext, Rows, Spec, whose};
use crate::argument::{Limit, Name};
use crate::failure::Failure;
use crate::json::put;
use crate::ledger::Whose;
use crate::vendors::{Organization, Reach, Tenant};

/// List who has access, or what somebody can reach: by principal, role or resource, at least one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAccess {
    /// Only this one.
    vendor: Option<Which>,
    /// Id, e-mail or exact name.
    principal: Option<Name>,
    /// Id or exact name.
    role: Option<Name>,
    /// Id, path or exact name.
    resource: Option<Name>,
    /// Default 50.
    limit: Option<Limit>,
    /// next_cursor, for more.
    cursor: Option<Token>,
}

impl Look for ListAccess {
    const SPEC: Spec = Spec {
        name: "list_access",
        title: "List access",
        effect: Effect::Look,
        vendor: None,
        needs: "reading, as `grantor doctor` lists it",
        docs: "each vendor's lists of assignments",
        example: r#"{"principal": "user@example.com"}"#,
    };

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        if ["principal", "role", "resource"].iter().any(|name| given.contains_key(*name)) {
            return Vec::new();
        }
        let needs = Failure::invalid("needs a principal, a role or a resource");
        vec![needs.hint("give at least one of the three")]
    }

    async fn look(self, context: LookContext<'_>) -> Result<Rows, Failure> {
        let [principal, role, resource] =
            [self.principal, self.role, self.resource].map(|name| name.map(Name::into_string));
        let asked = Asked::new(self.vendor, self.limit, self.cursor);
        let asked = asked.of_somebody(principal.is_some());
        let (ledger, wire, tenants) = (context.ledger, context.wire, context.tenants.clone());
        let reach = |from, limit| Reach {
            principal: principal.clone(),
            role: role.clone(),
            resource: resource.clone(),
            from,
            limit,
        };
        let mut rows = ask(context, asked, |vendor| vendor.access, reach).await?;
        let mut own = Vec::new();
        for tenant in tenants {
            if rows.rows.iter().any(|row| is_of(row, tenant)) {
                own.push((tenant, tenant.organization(wire).await));
            }
        }
        let keys: Vec<_> = rows.rows.iter().map(|row| key(row, &own)).collect();
        // A ledger that cannot be read marks nothing; the rows are the vendors' all the same.
        let granted = ledger.granted(keys).await.unwrap_or_default();
        rows.troubles = ledger.watched().await;
        for (row, _) in rows.rows.iter_mut().zip(granted).filter(|(_, here)| *here) {
            put(row, "granted_here", true);
        }
        Ok(rows)
    }
}

/// Whether a row is of this tenant.
fn is_of(row: &Value, tenant: &Tenant) -> bool {
    let part = |name| row.get(name).and_then(Value::as_str);
    part("vendor") == Some(tenant.vendor.name) && part("tenant") == tenant.said()
}

/// Whose a row is, and its `[principal, role, resource]`, by ids. What is held through a group was
/// granted to the group.
fn key(row: &Value, tenants: &[(&Tenant, Organization)]) -> (Whose, [String; 3]) {
    let part = |place| row.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let holder = if row.get("via").is_some() { "/via/id" } else { "/principal/id" };
    let [holder, role, resource] = [holder, "/role/id", "/resource/id"].map(part);
    let own = tenants.iter().find(|(tenant, _)| is_of(row, tenant));
    let found = own.map(|(tenant, own)| whose(tenant, resource, own));
    (found.unwrap_or_else(Whose::nobody), [holder, role, resource].map(str::to_owned))
}
