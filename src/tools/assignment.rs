//! What assigning and revoking a Dfns permission have in common.

use serde_json::{Value, json};

use super::Standing;
use crate::access::{Access, Named, Role};
use crate::failure::Failure;
use crate::vendors::Asker;
use crate::vendors::dfns;

const LEAVING: &str = "its removal waits for approval; until then the access is there";

/// One identity holding one permission; permissions count for the whole organization.
pub(super) fn wanted(principal: Named, role: &Role) -> Access {
    Access {
        principal,
        role: role.named(),
        resource: Named::new("organization", None, "organization"),
        scope: "organization".into(),
        within: None,
        expires_at: None,
        pending: false,
    }
}

/// The ids of a row, as arguments of either tool.
pub(super) fn arguments(row: &Access) -> Value {
    json!({ "permissionId": row.role.id, "identityId": row.principal.id })
}

/// The assignment as it is listed, with a note where its removal waits.
pub(super) async fn current(ask: &Asker<'_>, wanted: &Access) -> Result<Standing, Failure> {
    let mut standing = Standing { conclusive: true, ..Standing::default() };
    for assignment in dfns::assignments(ask, &wanted.role.id).await? {
        if assignment.identity_id != wanted.principal.id {
            continue;
        }
        standing.rows.push(Access { pending: assignment.is_pending(), ..wanted.clone() });
        if assignment.is_leaving() {
            standing.notes.push(LEAVING.to_owned());
        }
    }
    Ok(standing)
}

/// Whether the removal waits for approval.
pub(super) fn leaves(now: &Standing) -> bool {
    now.notes.iter().any(|note| note == LEAVING)
}
