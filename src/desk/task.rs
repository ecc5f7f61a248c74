//! What a call asks for, change by change and access by access.

use std::collections::HashMap;

use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::OriginalCall;
use super::undo_precondition::UndoPrecondition;
use crate::access::Access;
use crate::intent::{Cause, Holdings};
use crate::ledger::{Record, Whose};
use crate::requester::Requester;
use crate::tools::{Step, Term, Tool, whose};
use crate::vendors::{Organization, Tenant};

/// Whose call it is, and what holds for all that it changes.
pub(super) struct ChangeContext {
    pub(super) requester: String,
    /// Who has it carried out, where that is somebody else: the lines are written in their name.
    pub(super) caller: Requester,
    pub(super) client: Option<String>,
    pub(super) called: OriginalCall,
    pub(super) cause: Cause,
    /// What must still be so, where it takes an earlier change back.
    pub(super) undoing: Option<UndoPrecondition>,
    /// Nothing is sent, and nobody is asked.
    pub(super) dry_run: bool,
    /// How many accesses the call changes.
    pub(super) width: usize,
    /// What the requester had sent in the hour before it.
    pub(super) changes_this_hour: u32,
    /// What the rules alone ask for: read once for all that the call changes.
    pub(super) reads: Reads,
}

/// What was read for the rules of one call.
#[derive(Default)]
pub(super) struct Reads {
    /// What the call is to give, item by item.
    pub(super) wanted: Vec<Access>,
    /// What is held by each whom it is for, by kind and id.
    pub(super) held: Mutex<HashMap<(Option<String>, String), Holdings>>,
    /// What the ledger tells of the time before; none where it is not to be relied on.
    pub(super) told: OnceCell<Option<Vec<Record>>>,
}

/// One change as it was asked for: of one tool, at one tenant.
pub(super) struct ChangeRequest<'a> {
    pub(super) tool: &'a Tool,
    pub(super) tenant: &'a Tenant,
    /// Which of the vendor's customers the credential belongs to.
    pub(super) organization: Organization,
    /// The tool's own arguments.
    pub(super) arguments: Value,
    pub(super) reason: Option<String>,
    pub(super) term: Term,
}

impl ChangeRequest<'_> {
    /// Whose changes of an access are this one's tenant's.
    pub(super) fn whose(&self, access: &Access) -> Whose {
        whose(self.tenant, &access.resource.id, &self.organization)
    }
}

/// One access that changes, and the request that it changes by.
pub(super) struct Task<'a> {
    pub(super) step: Box<dyn Step>,
    pub(super) request: &'a ChangeRequest<'a>,
    /// What is to be said of how names became ids.
    pub(super) notes: Vec<String>,
}
