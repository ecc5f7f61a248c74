use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::look::{Asked, Token, Which, ask};
use super::{Effect, Look, Room, Rows, Spec};
use crate::argument::{Limit, Name};
use crate::failure::Failure;
use crate::json::put;
use crate::vendors::{Reach, Tenant};

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

    async fn look(self, room: Room<'_>) -> Result<Rows, Failure> {
        let [principal, role, resource] =
            [self.principal, self.role, self.resource].map(|name| name.map(Name::into_string));
        let asked = Asked::new(self.vendor, self.limit, self.cursor);
        let asked = asked.of_somebody(principal.is_some());
        let (ledger, tenants) = (room.ledger, room.tenants);
        let reach = |from, limit| Reach {
            principal: principal.clone(),
            role: role.clone(),
            resource: resource.clone(),
            from,
            limit,
        };
        let rows = ask(room, asked, |vendor| vendor.access, reach).await;
        let mut rows = rows.map_err(|failure| named_here(&failure))?;
        for problem in &mut rows.problems {
            problem.failure = named_here(&problem.failure);
        }
        rows.unknown = rows.unknown.as_ref().map(named_here);
        let keys: Vec<_> = rows.rows.iter().map(|row| key(row, tenants)).collect();
        // A ledger that cannot be read marks nothing; the rows are the vendors' all the same.
        let granted = ledger.granted(&keys).await.unwrap_or_default();
        for (row, _) in rows.rows.iter_mut().zip(granted).filter(|(_, here)| *here) {
            put(row, "granted_here", true);
        }
        Ok(rows)
    }
}

/// Vendors name their own tools' arguments; here they are called otherwise.
const ARGUMENTS: [(&str, &[&str]); 3] = [
    ("principal", &["userKey", "identityId", "grantee", "user", "group"]),
    ("role", &["roleKey", "permissionId"]),
    ("resource", &["assetKeys", "asset", "environmentId", "project_or_space_path"]),
];

/// The same trouble, by the name that its argument has in this tool.
fn named_here(failure: &Failure) -> Failure {
    let own = |field: &str| ARGUMENTS.iter().find(|(_, names)| names.contains(&field));
    let told = failure.message.split_once(": ");
    let told = told.and_then(|(field, what)| Some(format!("{}: {what}", own(field)?.0)));
    Failure { message: told.unwrap_or_else(|| failure.message.clone()), ..failure.clone() }
}

/// `[tenant, principal, role, resource]` of a row, by ids. What is held through a group was granted
/// to the group.
fn key(row: &Value, tenants: &[Tenant]) -> [String; 4] {
    let part = |place| row.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let tenant = tenants.iter().find(|tenant| tenant.vendor.name == part("/vendor"));
    let name = tenant.map(|tenant| tenant.name.as_str()).unwrap_or_default();
    let holder = if row.get("via").is_some() { "/via/id" } else { "/principal/id" };
    [name, part(holder), part("/role/id"), part("/resource/id")].map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_names_the_arguments_of_this_tool() {
        for (message, told) in [
            ("userKey: 2 have the name", "principal: 2 have the name"),
            ("identityId: nothing here", "principal: nothing here"),
            ("assetKeys: nothing here: at all", "resource: nothing here: at all"),
            ("roleKey: nothing here", "role: nothing here"),
            ("resource: as it is", "resource: as it is"),
            ("the vendor said: no", "the vendor said: no"),
        ] {
            assert_eq!(named_here(&Failure::invalid(message)).message, told);
        }
    }
}
