//! What a 202 starts: a change request, and the approval it waits for.
//!
//! From "Policies", "List, Get Approval" and "Create Approval Decision" in the vendor's API reference.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::message::{Ask, Reply, set};
use super::super::modes::{DfnsFields, Modes};
use super::super::people;
use super::{Assignment, Books, catalogue, misread, new_id, now, page, refusal};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Operation {
    Create,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Approval {
    id: String,
    status: Status,
    change: Change,
    created: String,
    resolved: Option<String>,
    decisions: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Change {
    id: String,
    operation: Operation,
    status: ChangeStatus,
    assignment: Assignment,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    Pending,
    Approved,
    Denied,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum ChangeStatus {
    Applied,
    Failed,
    Pending,
    Rejected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vote {
    value: Decision,
    reason: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Decision {
    Approved,
    Denied,
}

/// As its approvers decide it; `None` if nothing of this id is pending.
pub(in super::super) fn decide(
    books: &mut Books,
    id: &str,
    approve: bool,
    fails: bool,
) -> Option<()> {
    let value = if approve { Decision::Approved } else { Decision::Denied };
    books.resolve(id, people::PRIYA.dfns, value, None, fails)
}

pub(super) fn list(books: &Books, ask: &Ask, modes: &Modes) -> Result<Reply, Reply> {
    let status: Option<Status> = match ask.param("status").as_deref() {
        None => None,
        Some("Pending") => Some(Status::Pending),
        Some("Approved") => Some(Status::Approved),
        Some("Denied") => Some(Status::Denied),
        Some("Expired") => Some(Status::Expired),
        Some(_) => return Err(refusal(400, "status is unknown")),
    };
    // Whoever asks started them all, and one person approves them all.
    let initiator = ask.param("initiatorId");
    let approver = ask.param("approverId");
    let meant = initiator.is_none_or(|id| id == people::GRANTOR.dfns)
        && approver.is_none_or(|id| id == people::PRIYA.dfns);
    let rows = books.approvals.iter();
    let rows = rows.filter(|row| meant && status.is_none_or(|status| row.status == status));
    page(rows.map(|row| row.shown(modes)).collect(), ask, 500, 20)
}

pub(super) fn one(books: &Books, id: &str, modes: &Modes) -> Result<Reply, Reply> {
    let approval = books.approval(id)?;
    Ok(Reply::json(200, &approval.shown(modes)))
}

/// The caller is the initiator, who may deny to cancel but never approve.
pub(super) fn vote(books: &mut Books, id: &str, ask: &Ask, modes: &Modes) -> Result<Reply, Reply> {
    let vote: Vote = ask.json().map_err(misread)?;
    books.approval(id)?;
    if vote.value == Decision::Approved {
        return Err(refusal(403, "The initiator cannot approve"));
    }
    books
        .resolve(id, people::GRANTOR.dfns, vote.value, vote.reason, false)
        .ok_or_else(|| refusal(400, "The approval is not pending"))?;
    one(books, id, modes)
}

impl Books {
    /// Answers 202: the change waits.
    pub(super) fn ask_approval(
        &mut self,
        mut row: Assignment,
        operation: Operation,
        modes: &Modes,
    ) -> Result<Reply, Reply> {
        let change = Change {
            id: new_id("cr")?,
            operation,
            status: ChangeStatus::Pending,
            assignment: row.clone(),
        };
        row.pending = Some((change.id.clone(), operation));
        self.assignments.retain(|other| other.id != row.id);
        self.assignments.push(row);
        let approval = Approval {
            id: new_id("ap")?,
            status: Status::Pending,
            change,
            created: now(),
            resolved: None,
            decisions: Vec::new(),
        };
        let reply = Reply::json(202, &approval.change_request(modes));
        self.approvals.push(approval);
        Ok(reply)
    }

    pub(super) fn approval_of(&self, change: &str) -> Option<&Approval> {
        let mut approvals = self.approvals.iter();
        approvals.find(|approval| approval.change.id == change)
    }

    fn approval(&self, id: &str) -> Result<&Approval, Reply> {
        let mut approvals = self.approvals.iter();
        let found = approvals.find(|approval| approval.id == id);
        found.ok_or_else(|| refusal(404, "The approval was not found"))
    }

    fn resolve(
        &mut self,
        id: &str,
        by: &str,
        value: Decision,
        reason: Option<String>,
        fails: bool,
    ) -> Option<()> {
        let mut approvals = self.approvals.iter_mut();
        let approval =
            approvals.find(|approval| approval.id == id && approval.status == Status::Pending)?;
        let (status, outcome) = match value {
            Decision::Denied => (Status::Denied, ChangeStatus::Rejected),
            Decision::Approved if fails => (Status::Approved, ChangeStatus::Failed),
            Decision::Approved => (Status::Approved, ChangeStatus::Applied),
        };
        approval.status = status;
        approval.change.status = outcome;
        approval.resolved = Some(now());
        let decision = json!({ "userId": by, "date": now(), "reason": reason, "value": value });
        approval.decisions.push(decision);
        let (change, operation) = (approval.change.id.clone(), approval.change.operation);
        let stays = (operation == Operation::Create) == (outcome == ChangeStatus::Applied);
        let waits = |row: &Assignment| {
            let pending = row.pending.as_ref();
            pending.is_some_and(|(id, _)| *id == change)
        };
        self.assignments.retain(|row| stays || !waits(row));
        for row in self.assignments.iter_mut().filter(|row| waits(row)) {
            row.pending = None;
        }
        Some(())
    }
}

impl Approval {
    pub(super) fn change_request(&self, modes: &Modes) -> Value {
        let Change { id, operation, status, assignment } = &self.change;
        let mut shown = json!({
            "id": id,
            "kind": "Assignment",
            "operationKind": operation,
            "status": status,
            "entityId": assignment.id,
            "dateCreated": self.created,
            "requester": { "userId": people::GRANTOR.dfns },
            "body": {
                "id": assignment.id,
                "permissionId": assignment.permission,
                "identityId": assignment.identity,
                "isImmutable": assignment.immutable,
            },
        });
        if modes.dfns_approval_id {
            set(&mut shown, "approvalId", self.id.clone());
        }
        if modes.dfns_fields != DfnsFields::Fewest {
            let by = json!({ "userId": people::GRANTOR.dfns, "tokenId": catalogue::GRANTOR_TOKEN });
            set(&mut shown, "requester", by);
            // How these ids look is not documented.
            set(&mut shown, "userActionId", self.id.trim_start_matches("ap-"));
        }
        if let Some(resolved) = &self.resolved {
            set(&mut shown, "dateResolved", resolved.clone());
        }
        shown
    }

    fn shown(&self, modes: &Modes) -> Value {
        let mut shown = json!({
            "id": self.id,
            "initiatorId": people::GRANTOR.dfns,
            "activity": {
                "kind": "Permissions:Assign",
                "changeRequest": self.change_request(modes),
            },
            "status": self.status,
            "dateUpdated": self.resolved.as_ref().unwrap_or(&self.created),
            "policyEvaluations": [{
                "policyId": catalogue::GATE_POLICY,
                "triggered": true,
                "reason": "The permission is gated",
            }],
            "decisions": self.decisions,
        });
        if modes.dfns_fields != DfnsFields::Fewest {
            set(&mut shown, "dateCreated", self.created.clone());
        }
        if let Some(resolved) = &self.resolved {
            set(&mut shown, "dateResolved", resolved.clone());
        }
        shown
    }
}
