use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::assignment::{PermissionAssignment, arguments};
use super::{Change, Effect, Inverse, Spec, Step, Takes};
use crate::access::Access;
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::text::{self, Word};
use crate::vendors::VendorReader;
use crate::vendors::dfns::{self, Permission};

/// Revoke a Dfns permission from a user, user group, service account or token. Dfns may hold it
/// for an approver. Says what is left through groups.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RevokePermission {
    /// The permission: id (pm-…) or exact name.
    #[schemars(length(min = 1, max = 64))]
    permission_id: Name,
    /// Who loses it: id, e-mail address or exact name. Either this or assignmentId.
    identity_id: Option<Name>,
    /// The assignment's id (as-…).
    assignment_id: Option<Name>,
}

const ONE: &str = "needs exactly one of identityId and assignmentId";

impl Change for RevokePermission {
    const SPEC: Spec = Spec {
        name: "revoke_permission",
        title: "Revoke a Dfns permission",
        effect: Effect::Revoke,
        vendor: Some(dfns::NAME),
        needs: "Permissions:Revoke; a policy of the tenant may also block it",
        docs: dfns::REVOKE.docs,
        example: r#"{"permissionId": "Wallet Operator", "identityId": "hiro.tanaka@example.com"}"#,
    };

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        let named = ["identityId", "assignmentId"].iter().filter(|one| given.contains_key(**one));
        let one = named.count() == 1;
        (!one).then(|| Failure::invalid(ONE)).into_iter().collect()
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let role = dfns::permission(reader, reader.reference(self.permission_id.as_str())).await;
        let role = role.map(Permission::into_role);
        let (role, principal, assignment, doubt) = match (&self.identity_id, &self.assignment_id) {
            (Some(wanted), None) => {
                let identity = dfns::identity(reader, reader.reference(wanted.as_str())).await;
                let (role, identity) = Failure::both(role, identity)?;
                (role, identity.who.named(), None, identity.doubt)
            }
            (None, Some(id)) => {
                let role = role?;
                let all = dfns::assignments(reader, &role.id).await?;
                let own = all.into_iter().find(|one| one.id == id.as_str());
                let own = own.ok_or_else(|| {
                    Failure::invalid(format!(
                        "{} has no assignment {}",
                        role.named().label(),
                        text::quote(Word::Id, id.as_str())
                    ))
                    .of("assignmentId")
                    .hint("list_access shows who holds it; give identityId instead")
                })?;
                let holder = dfns::named(reader, &own.identity_id).await?;
                (role, holder, Some(own.id), None)
            }
            _ => {
                return Err(Failure::invalid(ONE));
            }
        };
        let revoked = PermissionAssignment::revoked(reader, role, principal, assignment, doubt);
        Ok(vec![Box::new(revoked.await?)])
    }

    fn takes(row: &Access, _: &[Access]) -> Option<Takes> {
        Some(Ok(arguments(row)))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        Ok(Inverse { tool: "assign_permission", arguments: arguments(&record.wanted()) })
    }
}
