use schemars::JsonSchema;
use serde::Deserialize;

use super::assignment::{PermissionAssignment, arguments};
use super::{Change, Effect, Gives, Inverse, Spec, Step};
use crate::access::{Access, Named};
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::vendors::VendorReader;
use crate::vendors::dfns;

/// Assign a Dfns permission (a role in its dashboard) to a user, user group, service account or
/// token, for the whole organization. Dfns may hold it for an approver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssignPermission {
    /// The permission: id (pm-…) or exact name.
    #[schemars(length(min = 1, max = 64))]
    permission_id: Name,
    /// Who gets it: id, e-mail address or exact name.
    identity_id: Name,
}

impl Change for AssignPermission {
    const SPEC: Spec = Spec {
        name: "assign_permission",
        title: "Assign a Dfns permission",
        effect: Effect::Grant,
        vendor: Some(dfns::NAME),
        needs: "Permissions:Assign; a policy of the tenant may also block it",
        docs: "https://docs.dfns.co/api-reference/permissions/assign-permission",
        example: r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#,
    };

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let (permission, identity) = tokio::join!(
            dfns::permission(reader, reader.reference(self.permission_id.as_str())),
            dfns::identity(reader, reader.reference(self.identity_id.as_str())),
        );
        let (permission, identity) = Failure::both(permission, identity)?;
        Ok(vec![Box::new(PermissionAssignment::assigned(reader, permission, identity).await?)])
    }

    fn gives(row: &Access, to: &Named, _: &[Access]) -> Option<Gives> {
        let given = Access { principal: to.clone(), ..row.clone() };
        Some(Gives::With(arguments(&given)))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        Ok(Inverse { tool: "revoke_permission", arguments: arguments(&record.wanted()) })
    }
}
