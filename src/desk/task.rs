//! What a call asks for, change by change and access by access.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::OriginalCall;
use super::aside::Aside;
use super::undo_precondition::UndoPrecondition;
use crate::access::Access;
use crate::cache::Cache;
use crate::failure::Failure;
use crate::intent::{Cause, Holdings};
use crate::ledger::{Record, Whose};
use crate::outbound::{CALL, Deadline, Wire};
use crate::requester::Requester;
use crate::tools::{Holds, Plan, Run, Snapshot, Step, Term, Tool, Wholesale, whose};
use crate::vendors::{Organization, Read, Tenant, VendorReader};

/// Whose call it is, and what holds for all that it changes.
pub(super) struct ChangeContext {
    pub(super) requester: Requester,
    /// Who has it carried out, where that is somebody else: the lines are written in their name.
    pub(super) caller: Requester,
    pub(super) client: Option<String>,
    pub(super) called: OriginalCall,
    /// Nothing is sent, and nobody is asked.
    pub(super) dry_run: bool,
    /// How many changes are asked for as one; none where the call is a change itself.
    pub(super) set_size: Option<usize>,
    /// How many accesses the call changes.
    pub(super) width: usize,
    /// What the requester had sent in the hour before it.
    pub(super) changes_this_hour: u32,
    /// What the rules alone ask for: read once for all that the call changes.
    pub(super) reads: Reads,
    /// What the call is, where it names people and no changes.
    pub(super) expands: Option<Wholesale>,
    /// What is no part of a set, and what is not known.
    pub(super) aside: Aside,
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
    pub(super) cause: Cause,
    /// What must still be so, where it takes an earlier change back.
    pub(super) undoing: Option<UndoPrecondition>,
    /// How a set calls it, which has others beside it.
    pub(super) label: Option<String>,
    /// The grant whose end it moves.
    pub(super) extending: Option<Box<Record>>,
    /// When the access was first given, where it was there before.
    pub(super) since: Option<Timestamp>,
    /// It is only made where the request before it is known not to have come about.
    pub(super) is_fallback: bool,
    /// What it comes from, where the call does not name it.
    pub(super) of: Option<Box<Expanded>>,
}

/// What a change comes from that a call does not name itself: what somebody was seen to hold.
pub(super) struct Expanded {
    /// The access as it was seen, of whoever gets it or loses it.
    pub(super) row: Access,
    /// It is taken, and nothing beside it.
    pub(super) is_taken: bool,
    /// What is to be said of how names became ids.
    pub(super) notes: Vec<String>,
}

impl ChangeContext {
    pub(super) fn is_set(&self) -> bool {
        self.set_size.is_some()
    }

    /// The tool that was called for a change of this one; nobody calls for an end that comes.
    pub(super) fn called_for(&self, tool: &str, cause: &Cause) -> String {
        if cause.ends().is_some() { tool.to_owned() } else { self.called.tool.clone() }
    }

    /// Until when one access may take: all of a change together, and each of a set by itself.
    pub(super) fn deadline(&self, of_all: Deadline) -> Deadline {
        if self.is_set() { Deadline::after(CALL) } else { of_all }
    }
}

impl ChangeRequest<'_> {
    /// Asks its tenant.
    pub(super) fn reader<'r>(
        &'r self,
        wire: &'r Wire,
        cache: Option<&'r Cache<Read>>,
        deadline: Deadline,
    ) -> VendorReader<'r> {
        let seen = self.of.as_ref().map_or(&[][..], |of| std::slice::from_ref(&of.row));
        let earlier = self.undoing.as_ref().map_or(seen, |undoing| &undoing.earlier);
        VendorReader { tenant: self.tenant, wire, deadline, cache, earlier, notes: None }
    }

    /// For how long the access is to stand that is looked for: as it was given, where its end moves.
    pub(super) fn held_term(&self) -> Term {
        let Some(record) = &self.extending else { return self.term };
        let until = record.wanted().expires_at.and_then(|end| end.parse().ok());
        Term { until, lasts: None, ..record.term() }
    }

    /// In words, before anything of it is looked up.
    pub(super) fn told(&self) -> String {
        let Some(Expanded { row, .. }) = self.of.as_deref() else {
            return self.tool.spec.title.to_owned();
        };
        let (role, resource, who) = (row.role.said(), row.resource.label(), row.principal.label());
        format!("{role} on {resource} of {who}")
    }

    /// A plan that takes one row, where it changes nothing of others': who came onto a list since it was read
    /// would go with it, and who went from it would come back.
    pub(super) fn keeps_others(&self, before: &Snapshot, plan: Plan) -> Result<Plan, Failure> {
        let Some(Expanded { row, is_taken: true, .. }) = self.of.as_deref() else {
            return Ok(plan);
        };
        let Plan::Send { after, .. } = &plan else { return Ok(plan) };
        let others = |rows: &[Access]| -> Vec<Access> {
            rows.iter().filter(|other| !other.principal.is(&row.principal)).cloned().collect()
        };
        let (then, now) = (others(&before.rows), others(after));
        let lacks = |rows: &[Access], other: &Access| !rows.iter().any(|one| one.is(other));
        let gone = then.iter().filter(|other| lacks(&now, other));
        let come = now.iter().filter(|other| lacks(&then, other));
        match gone.chain(come).next() {
            Some(other) => Err(Failure::refused(format!(
                "what {} holds there has changed meanwhile, and would change with it",
                other.principal.label()
            ))
            .hint("call again: the list is read anew")),
            None => Ok(plan),
        }
    }

    /// Whether its tool writes a whole list, others' rows with its own.
    pub(super) fn writes_lists(&self) -> bool {
        matches!(self.tool.run, Run::Change { holds: Holds::List, .. })
    }

    /// Whose changes of an access are this one's tenant's.
    pub(super) fn whose(&self, access: &Access) -> Whose {
        whose(self.tenant, &access.resource.id, &self.organization)
    }
}

/// One access that changes, and the request that it changes by.
pub(super) struct Task<'a> {
    pub(super) step: Box<dyn Step>,
    pub(super) request: &'a ChangeRequest<'a>,
    /// Which of the call's requests that is.
    pub(super) item: usize,
    /// What is to be said of how names became ids.
    pub(super) notes: Vec<String>,
}

impl Task<'_> {
    pub(super) fn is_at_one_tenant(&self, other: &Self) -> bool {
        std::ptr::eq(self.request.tenant, other.request.tenant)
    }

    /// Whether a row stands where this one writes.
    pub(super) fn meets(&self, row: &Access) -> bool {
        let wanted = self.step.wanted();
        row.resource.id == wanted.resource.id
            && (row.principal.is(&wanted.principal) || self.request.writes_lists())
            && self.step.is_in_scope(row)
    }
}
