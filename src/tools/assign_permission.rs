use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::assignment::{arguments, current, wanted};
use super::{Change, Effect, Finding, Heard, Inverse, Plan, Spec, Standing, Step, label};
use crate::access::{Access, Approval, Outcome, Principal, Role};
use crate::argument::Name;
use crate::auth::Boxed;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::transport::{Reply, refusal};
use crate::vendors::Asker;
use crate::vendors::dfns::{self, Assignment, ChangeRequest};

/// Assign a Dfns permission (a role in its dashboard) to a user, service account or token, for the
/// whole organization. Dfns may hold it for an approver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssignPermission {
    /// The permission: id (pm-…) or exact name.
    #[schemars(length(min = 1, max = 64))]
    permission_id: Name,
    /// Who gets it: id (us-… or to-…), e-mail address or exact name.
    identity_id: Name,
}

struct PermissionAssignment {
    wanted: Access,
    identity: Principal,
    role: Role,
}

const LONGEST_ID: usize = 64;

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

    async fn resolve(self, ask: &Asker<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        if self.permission_id.as_str().chars().count() > LONGEST_ID {
            let trouble = format!("permissionId: must have at most {LONGEST_ID} characters");
            return Err(Failure::invalid(trouble));
        }
        let (role, identity) = tokio::try_join!(
            dfns::permission(ask, self.permission_id.as_str()),
            dfns::identity(ask, self.identity_id.as_str()),
        )?;
        let wanted = wanted(identity.named(), &role);
        Ok(vec![Box::new(PermissionAssignment { wanted, identity, role })])
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        Ok(Inverse { tool: "revoke_permission", arguments: arguments(&record.wanted()) })
    }
}

impl Step for PermissionAssignment {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        format!("assign {} to {}", label(&self.wanted.role), label(&self.wanted.principal))
    }

    fn arguments(&self) -> Value {
        arguments(&self.wanted)
    }

    fn approval<'a>(
        &'a self,
        held: &'a Value,
        ask: &'a Asker<'a>,
    ) -> Boxed<'a, Result<Option<Approval>, Failure>> {
        Box::pin(dfns::approval(ask, held))
    }

    fn privileged(&self) -> Option<String> {
        let role = label(&self.wanted.role);
        self.role.privileged.then(|| format!("{role} lets its holder change who may do what"))
    }

    fn current<'a>(&'a self, ask: &'a Asker<'a>) -> Boxed<'a, Result<Standing, Failure>> {
        Box::pin(current(ask, &self.wanted))
    }

    fn plan(&self, now: &Standing) -> Result<Plan, Failure> {
        if now.rows.iter().any(|row| !row.pending) {
            let outcome = Outcome::AlreadyPresent;
            return Ok(Plan::Already { outcome, warnings: now.notes.clone() });
        }
        if !now.rows.is_empty() {
            let outcome = Outcome::PendingVendorApproval;
            let waiting = "the same assignment already waits for approval; it was not asked again";
            return Ok(Plan::Already { outcome, warnings: vec![waiting.to_owned()] });
        }
        let draft = dfns::ASSIGN.draft(&[("permissionId", &self.wanted.role.id)])?;
        let draft = draft.body(json!({ "identityId": self.wanted.principal.id }));
        let warnings = self.identity.warnings();
        Ok(Plan::Send { draft, after: vec![self.wanted.clone()], warnings })
    }

    fn heard(&self, reply: &Reply) -> Heard {
        let readable = match reply.status {
            202 => reply.json::<ChangeRequest>().map(|request| Heard::Held(request.kept())),
            200..300 => reply.json::<Assignment>().map(|_| Heard::Yes { warnings: Vec::new() }),
            409 => Ok(Heard::Exists(refusal(reply, "Dfns"))),
            _ => Ok(Heard::by_status(reply)),
        };
        readable.unwrap_or_else(|failure| Heard::Garbled(failure.message))
    }

    fn verify(&self, _: &Standing, now: &Standing) -> Finding {
        match (now.rows.iter().any(|row| !row.pending), now.rows.is_empty()) {
            (true, _) => Finding::There,
            (false, false) => Finding::Held,
            (false, true) => Finding::Elsewise("the assignment is not listed".to_owned()),
        }
    }
}
