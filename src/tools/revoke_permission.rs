use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::assignment::{arguments, current, leaves, wanted};
use super::{Change, Effect, Finding, Heard, Inverse, Plan, Spec, Standing, Step, label};
use crate::access::{Access, Approval, Outcome};
use crate::argument::Name;
use crate::auth::Boxed;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::transport::Reply;
use crate::vendors::Asker;
use crate::vendors::dfns::{self, Assignment, ChangeRequest};

/// Revoke a Dfns permission from a user, service account or token. Dfns may hold it for an
/// approver.
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

/// One assignment, which is there or is not.
struct Revocation {
    wanted: Access,
    assignment: Option<Assignment>,
}

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

    async fn resolve(self, ask: &Asker<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let role = dfns::permission(ask, self.permission_id.as_str()).await?;
        let all = dfns::assignments(ask, &role.id).await?;
        let (principal, assignment) = match (&self.identity_id, &self.assignment_id) {
            (Some(wanted), None) => {
                let identity = dfns::identity(ask, wanted.as_str()).await?;
                let own = all.into_iter().find(|one| one.identity_id == identity.id);
                (identity.named(), own)
            }
            (None, Some(id)) => {
                let own = all.into_iter().find(|one| one.id == id.as_str());
                let own = own.ok_or_else(|| {
                    Failure::invalid(format!(
                        "assignmentId: {} has no assignment {}",
                        label(&role.named()),
                        id.as_str()
                    ))
                    .hint("list_access shows who holds it; give identityId instead")
                })?;
                (dfns::named(ask, &own.identity_id).await?, Some(own))
            }
            _ => {
                return Err(Failure::invalid("needs exactly one of identityId and assignmentId"));
            }
        };
        Ok(vec![Box::new(Revocation { wanted: wanted(principal, &role), assignment })])
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        Ok(Inverse { tool: "assign_permission", arguments: arguments(&record.wanted()) })
    }
}

impl Step for Revocation {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        format!("revoke {} from {}", label(&self.wanted.role), label(&self.wanted.principal))
    }

    fn arguments(&self) -> Value {
        arguments(&self.wanted)
    }

    fn reached(&self) -> Outcome {
        Outcome::AlreadyAbsent
    }

    fn approval<'a>(
        &'a self,
        held: &'a Value,
        ask: &'a Asker<'a>,
    ) -> Boxed<'a, Result<Option<Approval>, Failure>> {
        Box::pin(dfns::approval(ask, held))
    }

    /// The assignment, with a note where its removal waits.
    fn current<'a>(&'a self, ask: &'a Asker<'a>) -> Boxed<'a, Result<Standing, Failure>> {
        Box::pin(current(ask, &self.wanted))
    }

    fn plan(&self, now: &Standing) -> Result<Plan, Failure> {
        let warnings = now.notes.clone();
        if leaves(now) {
            return Ok(Plan::Already { outcome: Outcome::PendingVendorApproval, warnings });
        }
        let there = now.rows.iter().any(|row| !row.pending);
        let (true, Some(assignment)) = (there, &self.assignment) else {
            if now.rows.is_empty() {
                return Ok(Plan::Already { outcome: Outcome::AlreadyAbsent, warnings });
            }
            return Err(Failure::refused("the assignment itself still waits for approval")
                .hint("an approver can deny it in Dfns; there is nothing to revoke yet"));
        };
        let path = [("permissionId", &*self.wanted.role.id), ("assignmentId", &*assignment.id)];
        Ok(Plan::Send { draft: dfns::REVOKE.draft(&path)?, after: Vec::new(), warnings })
    }

    fn heard(&self, reply: &Reply) -> Heard {
        match reply.status {
            202 => match reply.json::<ChangeRequest>() {
                Ok(request) => Heard::Held(request.kept()),
                Err(failure) => Heard::Garbled(failure.message),
            },
            _ => Heard::of_removal(reply, "Dfns"),
        }
    }

    fn verify(&self, _: &Standing, now: &Standing) -> Finding {
        if now.rows.iter().all(|row| row.pending) {
            Finding::There
        } else if leaves(now) {
            Finding::Held
        } else {
            Finding::Elsewise("the assignment is still listed".to_owned())
        }
    }
}
