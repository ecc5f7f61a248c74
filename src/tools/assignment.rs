//! One Dfns permission of one identity: assigned, or revoked.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::step::OWN_LOSS;
use super::{Plan, Snapshot, Step, Verification, WriteReply, one_way, privilege};
use crate::access::{Access, Approval, Named, Outcome, PrincipalKind, Role};
use crate::failure::{Failure, Kind};
use crate::outbound::{Reply, refusal};
use crate::text::{self, Word};
use crate::vendors::VendorReader;
use crate::vendors::dfns::{self, Assignment, ChangeRequest, Identity, Own, Permission, Through};

/// What becomes of one identity's one permission.
pub(super) struct PermissionAssignment {
    wanted: Access,
    role: Role,
    own: Own,
    /// How somebody who loses it holds it besides.
    through: Through,
    /// Why somebody else may be meant.
    doubt: Option<String>,
    change: Direction,
}

pub(super) enum Direction {
    /// With what is to be known of who gets it, and whether it can be had no more.
    Assign { warnings: Vec<String>, is_archived: bool },
    /// This assignment, where the caller named one, else whichever is listed.
    Revoke(Option<String>),
}

const LEAVING: &str = "its removal waits for approval; until then the access is there";

impl PermissionAssignment {
    pub(super) async fn assigned(
        reader: &VendorReader<'_>,
        permission: Permission,
        identity: Identity,
    ) -> Result<Self, Failure> {
        let (is_archived, Identity { who, doubt }) = (permission.is_archived, identity);
        let change = Direction::Assign { warnings: who.warnings(), is_archived };
        let assigned = Self::new(reader, permission.into_role(), who.named(), change).await?;
        Ok(Self { doubt, ..assigned })
    }

    pub(super) async fn revoked(
        reader: &VendorReader<'_>,
        role: Role,
        identity: Named,
        assignment: Option<String>,
        doubt: Option<String>,
    ) -> Result<Self, Failure> {
        let revoked = Self::new(reader, role, identity, Direction::Revoke(assignment)).await?;
        Ok(Self { doubt, ..revoked })
    }

    async fn new(
        reader: &VendorReader<'_>,
        role: Role,
        principal: Named,
        change: Direction,
    ) -> Result<Self, Failure> {
        let (own, through) = match &change {
            Direction::Assign { .. } => (dfns::own(reader, &principal).await?, Through::default()),
            Direction::Revoke(_) => tokio::join!(
                own_or_unknown(reader, &principal),
                held_through_groups(reader, &role, &principal)
            ),
        };
        let wanted = dfns::row_of(&role, principal);
        Ok(Self { wanted, role, own, through, doubt: None, change })
    }

    /// What these assignments of the permission show of the identity's own, with a note where its
    /// removal waits, and where it is another than the one that is meant.
    fn standing(&self, assignments: Vec<Assignment>) -> Snapshot {
        let mut snapshot = Snapshot { conclusive: true, ..Snapshot::default() };
        for assignment in assignments {
            if assignment.identity_id != self.wanted.principal.id {
                continue;
            }
            if let Some(other) = self.other_than_meant(&assignment) {
                snapshot.notes.push(other);
                continue;
            }
            let pending = assignment.is_pending();
            let id = Some(assignment.id.clone());
            snapshot.rows.push(Access { id, pending, ..self.wanted.clone() });
            if assignment.is_leaving() {
                snapshot.notes.push(LEAVING.to_owned());
            }
        }
        snapshot
    }

    /// What everybody in a group gets or loses with it.
    fn members(&self) -> Option<String> {
        let group = self.wanted.principal.label();
        let gets = matches!(self.change, Direction::Assign { .. });
        Some(match self.own.members.as_ref()? {
            Ok(count) if gets => format!(
                "every member of the group {group} gets it: {count} now, and whoever is added later"
            ),
            Ok(count) => format!(
                "every member of the group {group} loses it who does not hold it otherwise: \
                 {count} now"
            ),
            Err(why) if gets => format!(
                "who is in the group {group} cannot be read, so it counts as one that Grantor's \
                 own identity is in: {why}"
            ),
            Err(why) => format!("who is in the group {group} and loses it cannot be read: {why}"),
        })
    }

    /// What stays with whoever loses the assignment, and how it can be taken.
    fn remaining(&self) -> Vec<String> {
        let (principal, role) = (self.wanted.principal.label(), self.wanted.role.label());
        let left = self.through.groups.iter().map(|group| {
            let group = group.label();
            format!(
                "access is left: {principal} holds {role} through the group {group}; revoke it \
                 from that group, which takes it from every member, or have {principal} removed \
                 from the group in Dfns"
            )
        });
        let untold = self.through.untold().map(|failure| failure.to_string());
        left.chain(untold).collect()
    }

    /// What to say of an assignment that the caller did not name.
    fn other_than_meant(&self, listed: &Assignment) -> Option<String> {
        let Direction::Revoke(Some(meant)) = &self.change else { return None };
        let (principal, role) = (self.wanted.principal.label(), self.wanted.role.label());
        (listed.id != *meant).then(|| {
            let [other, meant] = [&listed.id, meant].map(|id| text::quote(Word::Id, id));
            format!(
                "{principal} has {role} through another assignment, {other}, not through {meant}"
            )
        })
    }

    fn plan_assigning(
        &self,
        now: &Snapshot,
        warnings: &[String],
        is_archived: bool,
    ) -> Result<Plan, Failure> {
        if now.rows.iter().any(|row| !row.pending) {
            let outcome = Outcome::AlreadyPresent;
            return Ok(Plan::Already { outcome, warnings: now.notes.clone() });
        }
        if !now.rows.is_empty() {
            let outcome = Outcome::PendingVendorApproval;
            let waiting = "the same assignment already waits for approval; it was not asked again";
            return Ok(Plan::Already { outcome, warnings: vec![waiting.to_owned()] });
        }
        if is_archived {
            let role = self.wanted.role.label();
            let trouble = format!("permissionId: {role} is archived and cannot be assigned");
            return Err(Failure::invalid(trouble).hint("list_roles shows the permissions in force"));
        }
        let draft = dfns::ASSIGN.draft(&[("permissionId", &self.wanted.role.id)])?;
        let draft = draft.body(json!({ "identityId": self.wanted.principal.id }));
        let warnings = warnings.iter().cloned().chain(self.members()).collect();
        Ok(Plan::Send { draft, after: vec![self.wanted.clone()], warnings })
    }

    /// The one that is listed now is revoked: another may have taken its place since a person
    /// was asked.
    fn plan_revoking(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let mut warnings: Vec<_> = now.notes.iter().cloned().chain(self.remaining()).collect();
        if leaves(now) {
            return Ok(Plan::Already { outcome: Outcome::PendingVendorApproval, warnings });
        }
        let there = now.rows.iter().find(|row| !row.pending);
        let Some(assignment) = there.and_then(|row| row.id.as_deref()) else {
            if now.rows.is_empty() {
                return Ok(Plan::Already { outcome: Outcome::AlreadyAbsent, warnings });
            }
            return Err(Failure::refused("the assignment itself still waits for approval")
                .hint("an approver can deny it in Dfns; there is nothing to revoke yet"));
        };
        if self.role.privileged {
            warnings.push(one_way(&self.wanted.role));
        }
        warnings.extend(self.members());
        warnings.extend(self.own.is.then(|| OWN_LOSS.to_owned()));
        let path = [("permissionId", &*self.wanted.role.id), ("assignmentId", assignment)];
        Ok(Plan::Send { draft: dfns::REVOKE.draft(&path)?, after: Vec::new(), warnings })
    }
}

/// The ids of a row, as arguments of either tool.
pub(super) fn arguments(row: &Access) -> Value {
    json!({ "permissionId": row.role.id, "identityId": row.principal.id })
}

/// Whether the principal is Grantor's own identity. A removal does not wait for the answer where a
/// list cannot be read for now: what nobody can tell counts as what must not be.
async fn own_or_unknown(reader: &VendorReader<'_>, principal: &Named) -> Own {
    let own = dfns::own(reader, principal).await;
    own.unwrap_or_else(|why| Own { is: true, members: is_group(principal).then_some(Err(why)) })
}

/// The groups through which somebody holds the role, as far as that can be seen: taking away what
/// is their own does not depend on it.
async fn held_through_groups(reader: &VendorReader<'_>, role: &Role, principal: &Named) -> Through {
    match dfns::assignments(reader, &role.id).await {
        Ok(all) => {
            let access: Vec<_> = all.iter().filter(|one| !one.is_pending()).collect();
            dfns::through(reader, principal, &access).await
        }
        Err(failure) => Through { unseen: Some(failure), ..Through::default() },
    }
}

fn is_group(principal: &Named) -> bool {
    principal.kind.as_deref() == Some(PrincipalKind::Group.as_str())
}

/// What a change request says of itself: where it came to nothing, nobody will approve it.
fn heard_of(request: &ChangeRequest) -> WriteReply {
    if !request.is_named() {
        return WriteReply::Garbled(
            "Dfns names its change request by no id that can be asked for".into(),
        );
    }
    if !request.came_to_nothing() {
        return WriteReply::Held(request.kept());
    }
    let status = text::quoted(request.status.as_deref().unwrap_or_default());
    let id = text::quote(Word::Id, &request.id);
    let trouble = format!("Dfns says of its change request {id} that it is {status}");
    WriteReply::Exists(Failure::new(Kind::Rejected, trouble))
}

/// Whether the removal waits for approval.
fn leaves(now: &Snapshot) -> bool {
    now.notes.iter().any(|note| note == LEAVING)
}

impl Step for PermissionAssignment {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let (role, principal) = (self.wanted.role.label(), self.wanted.principal.label());
        match self.change {
            Direction::Assign { .. } => format!("assign {role} to {principal}"),
            Direction::Revoke(_) => format!("revoke {role} from {principal}"),
        }
    }

    fn arguments(&self) -> Value {
        arguments(&self.wanted)
    }

    fn already_outcome(&self) -> Outcome {
        match self.change {
            Direction::Assign { .. } => Outcome::AlreadyPresent,
            Direction::Revoke(_) => Outcome::AlreadyAbsent,
        }
    }

    fn approval<'a>(
        &'a self,
        held: &'a Value,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Option<Approval>, Failure>> {
        Box::pin(dfns::approval(reader, held))
    }

    fn privileged(&self) -> Option<String> {
        let grants = matches!(self.change, Direction::Assign { .. });
        privilege(&self.role).filter(|_| grants)
    }

    fn contains(&self) -> Vec<String> {
        self.role.permissions.clone()
    }

    fn is_self(&self) -> bool {
        self.own.is
    }

    fn remaining(&self, _: &[Access]) -> Vec<String> {
        let groups = self.through.groups.iter();
        let left = groups.map(|group| format!("Access is left through the group {}", group.said()));
        let unseen = self.through.unseen.iter();
        let unseen = unseen.map(|_| "Access held through user groups is not seen".to_owned());
        left.chain(unseen).collect()
    }

    fn is_relevant(&self, row: &Access) -> bool {
        row.role.id == self.wanted.role.id
    }

    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
        Box::pin(async move {
            Ok(self.standing(dfns::assignments(reader, &self.wanted.role.id).await?))
        })
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let mut plan = match &self.change {
            Direction::Assign { warnings, is_archived } => {
                self.plan_assigning(now, warnings, *is_archived)
            }
            Direction::Revoke(_) => self.plan_revoking(now),
        }?;
        let (Plan::Already { warnings, .. } | Plan::Send { warnings, .. }) = &mut plan;
        warnings.extend(self.doubt.clone());
        Ok(plan)
    }

    fn interpret(&self, reply: &Reply) -> WriteReply {
        let readable = match (reply.status, &self.change) {
            (202, _) => reply.json().map(|request| heard_of(&request)),
            (_, Direction::Assign { .. }) if reply.is_success() => {
                reply.json::<Assignment>().map(|_| WriteReply::Yes { warnings: Vec::new() })
            }
            (409, Direction::Assign { .. }) => Ok(WriteReply::Exists(refusal(reply, "Dfns"))),
            (_, Direction::Assign { .. }) => Ok(WriteReply::by_status(reply)),
            (_, Direction::Revoke(_)) => Ok(WriteReply::of_removal(reply, "Dfns")),
        };
        readable.unwrap_or_else(|failure| WriteReply::Garbled(failure.message))
    }

    fn verify(&self, _: &Snapshot, now: &Snapshot) -> Verification {
        let there = now.rows.iter().any(|row| !row.pending);
        match self.change {
            Direction::Assign { .. } if there => Verification::There,
            Direction::Assign { .. } if now.rows.is_empty() => {
                Verification::Elsewise("the assignment is not listed".to_owned())
            }
            Direction::Assign { .. } => Verification::Held,
            Direction::Revoke(_) if !there => Verification::There,
            Direction::Revoke(_) if leaves(now) => Verification::Held,
            Direction::Revoke(_) => {
                Verification::Elsewise("the assignment is still listed".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{expected, found, heard, planned, record, undone, warned};
    use super::super::{Change, assign_permission, revoke_permission};
    use super::*;

    /// Treasury Viewer and Sam.
    fn step(change: Direction) -> PermissionAssignment {
        let role = Role {
            id: "pm-1".to_owned(),
            name: Some("Treasury Viewer".to_owned()),
            privileged: false,
            description: None,
            permissions: vec!["Wallets:Read".to_owned()],
            ingredients: Vec::new(),
        };
        let wanted = dfns::row_of(&role, Named::new("us-1", Some("Sam".to_owned()), "user"));
        let (own, through) = (Own::default(), Through::default());
        PermissionAssignment { wanted, role, own, through, doubt: None, change }
    }

    fn assigning() -> PermissionAssignment {
        step(Direction::Assign { warnings: Vec::new(), is_archived: false })
    }

    fn archived() -> PermissionAssignment {
        step(Direction::Assign { warnings: Vec::new(), is_archived: true })
    }

    fn revoking(meant: Option<&str>) -> PermissionAssignment {
        step(Direction::Revoke(meant.map(str::to_owned)))
    }

    fn privileged(step: PermissionAssignment) -> PermissionAssignment {
        PermissionAssignment { role: Role { privileged: true, ..step.role }, ..step }
    }

    /// The permission's assignments as Dfns lists them: "as-1 us-1", with "Create Pending" behind it where a
    /// change request says so.
    fn listed(step: &PermissionAssignment, rows: &[&str]) -> Snapshot {
        let row = |row: &&str| {
            let words: Vec<_> = row.split(' ').collect();
            let request = words.get(2).map(|kind| {
                json!({ "id": "cr-1", "kind": "Assignment", "operationKind": kind, "status": words[3] })
            });
            let mut one = json!({ "id": words[0], "permissionId": "pm-1", "identityId": words[1] });
            crate::json::put(&mut one, "pendingChangeRequest", request);
            serde_json::from_value(one).unwrap()
        };
        step.standing(rows.iter().map(row).collect())
    }

    #[test]
    fn an_assignment_is_asked_for_once() {
        let sent = r#"POST /permissions/pm-1/assignments {"identityId":"us-1"}"#;
        let gone = "Invalid: permissionId: “Treasury Viewer” is archived and cannot be assigned";
        for (step, holds, plan) in [
            (assigning(), &[][..], sent),
            (assigning(), &["as-1 us-2"], sent),
            (assigning(), &["as-1 us-1"], "already_present"),
            (assigning(), &["as-1 us-1 Create Pending"], "pending_vendor_approval"),
            (assigning(), &["as-1 us-1 Create Pending", "as-2 us-1"], "already_present"),
            (assigning(), &["as-1 us-1 Create Applied"], "already_present"),
            // What is to be taken away is there until an approver agrees.
            (assigning(), &["as-1 us-1 Delete Pending"], "already_present"),
            (archived(), &[], gone),
            (archived(), &["as-1 us-2"], gone),
            (archived(), &["as-1 us-1"], "already_present"),
        ] {
            let now = listed(&step, holds);
            assert!(now.conclusive);
            assert_eq!(planned(&step, &now), plan, "{holds:?}");
        }
        assert_eq!(expected(&assigning(), &Snapshot::default()), ["us-1: pm-1 on organization"]);
    }

    #[test]
    fn the_assignment_that_is_listed_is_revoked_and_never_by_force() {
        let of = |id: &str| format!("DELETE /permissions/pm-1/assignments/{id}");
        let waits = "Refused: the assignment itself still waits for approval";
        for (meant, holds, plan) in [
            (None, &["as-1 us-1"][..], of("as-1")),
            (None, &["as-1 us-2", "as-2 us-1"], of("as-2")),
            (None, &["as-1 us-1 Create Pending", "as-2 us-1"], of("as-2")),
            (None, &[], "already_absent".to_owned()),
            (None, &["as-1 us-2"], "already_absent".to_owned()),
            (None, &["as-1 us-1 Create Pending"], waits.to_owned()),
            (None, &["as-1 us-1 Delete Pending"], "pending_vendor_approval".to_owned()),
            (None, &["as-1 us-1 Delete Applied"], of("as-1")),
            (Some("as-1"), &["as-2 us-1", "as-1 us-1"], of("as-1")),
            (Some("as-1"), &["as-2 us-1"], "already_absent".to_owned()),
        ] {
            let step = revoking(meant);
            assert_eq!(planned(&step, &listed(&step, holds)), plan, "{meant:?} {holds:?}");
        }
        let step = revoking(Some("as-1"));
        let told = warned(&step, &listed(&step, &["as-2 us-1"]));
        let other =
            "“Sam” (us-1) has “Treasury Viewer” through another assignment, as-2, not through as-1";
        assert_eq!(told, [other]);
        assert_eq!(expected(&step, &listed(&step, &["as-1 us-1"])), Vec::<String>::new());
    }

    #[test]
    fn what_is_listed_is_there_or_waits() {
        let missing = "elsewise: the assignment is not listed";
        let stays = "elsewise: the assignment is still listed";
        for (now, assigned, revoked) in [
            (&[][..], missing, "there"),
            (&["as-1 us-2"], missing, "there"),
            (&["as-1 us-1"], "there", stays),
            (&["as-1 us-1 Create Pending"], "held", "there"),
            (&["as-1 us-1 Create Pending", "as-2 us-1"], "there", stays),
            (&["as-1 us-1 Delete Pending"], "there", "held"),
            (&["as-1 us-1 Delete Failed"], "there", stays),
        ] {
            let (assigning, revoking) = (assigning(), revoking(None));
            let before = Snapshot::default();
            assert_eq!(found(&assigning, &before, &listed(&assigning, now)), assigned, "{now:?}");
            assert_eq!(found(&revoking, &before, &listed(&revoking, now)), revoked, "{now:?}");
        }
    }

    #[test]
    fn an_answer_is_a_yes_a_wait_a_no_or_nothing() {
        let made = r#"{"id":"as-1","permissionId":"pm-1","identityId":"us-1","isImmutable":false}"#;
        let waits = |status: &str| {
            format!(r#"{{"id":"cr-1","kind":"Assignment","status":"{status}","entityId":"as-1"}}"#)
        };
        let error = r#"{"error":{"message":"A policy blocks this activity"}}"#;
        for (status, body, assigned, revoked) in [
            (200, made, "yes", "yes"),
            (201, made, "yes", "yes"),
            (200, "", "nothing", "yes"),
            (204, "", "nothing", "yes"),
            (200, "{}", "nothing", "yes"),
            (200, "<html>", "nothing", "nothing"),
            (202, &waits("Pending"), "held", "held"),
            (202, &waits("Applied"), "held", "held"),
            (202, &waits("Rejected"), "exists", "exists"),
            (202, &waits("Failed"), "exists", "exists"),
            (202, r#"{"id":"cr-1"}"#, "held", "held"),
            (202, r#"{"id":"cr\u200b-1","status":"Pending"}"#, "nothing", "nothing"),
            (202, r#"{"id":"cr-1","approvalId":"ap\u202e"}"#, "nothing", "nothing"),
            (202, r#"{"status":"Pending"}"#, "nothing", "nothing"),
            (202, "", "nothing", "nothing"),
            (400, error, "no", "no"),
            (403, error, "no", "no"),
            (404, error, "no", "exists"),
            (409, error, "exists", "no"),
            (422, error, "no", "no"),
            (408, "", "nothing", "nothing"),
            (500, "", "nothing", "nothing"),
        ] {
            assert_eq!(heard(&assigning(), status, body), assigned, "{status} {body}");
            assert_eq!(heard(&revoking(None), status, body), revoked, "{status} {body}");
        }
    }

    #[test]
    fn a_grant_of_a_privileged_role_is_privileged_and_its_removal_one_way() {
        let one_way =
            "undoing this grants “Treasury Viewer”, which is privileged: the policy may refuse it";
        for (step, is, told) in [
            (assigning(), false, &[][..]),
            (revoking(None), false, &[]),
            (privileged(assigning()), true, &[]),
            (privileged(revoking(None)), false, &[one_way]),
        ] {
            assert_eq!(step.privileged().is_some(), is);
            let holds = if step.already_outcome() == Outcome::AlreadyAbsent {
                &["as-1 us-1"][..]
            } else {
                &[]
            };
            assert_eq!(warned(&step, &listed(&step, holds)), told);
            assert_eq!(step.contains(), ["Wallets:Read"]);
        }
    }

    #[test]
    fn what_a_group_gains_or_keeps_is_told() {
        let unread = || Failure::new(Kind::Rejected, "403").hint("ask");
        for (members, assigned, revoked) in [
            (None, None, None),
            (
                Some(Ok(3)),
                Some(
                    "every member of the group “Sam” (us-1) gets it: 3 now, and whoever is added later",
                ),
                Some(
                    "every member of the group “Sam” (us-1) loses it who does not hold it otherwise: 3 now",
                ),
            ),
            (
                Some(Err(unread())),
                Some(
                    "who is in the group “Sam” (us-1) cannot be read, so it counts as one that Grantor's own \
                     identity is in: 403 (ask)",
                ),
                Some("who is in the group “Sam” (us-1) and loses it cannot be read: 403 (ask)"),
            ),
        ] {
            for (mut step, told) in [(assigning(), assigned), (revoking(None), revoked)] {
                step.own = Own { is: true, members: members.clone() };
                let holds = if step.already_outcome() == Outcome::AlreadyAbsent {
                    &["as-1 us-1"][..]
                } else {
                    &[]
                };
                let warnings = warned(&step, &listed(&step, holds));
                let first = warnings.first().filter(|one| *one != OWN_LOSS);
                assert_eq!(first.map(String::as_str), told);
                assert!(step.is_self());
                let is_told = warnings.iter().any(|one| one == OWN_LOSS);
                assert_eq!(is_told, !holds.is_empty(), "{warnings:?}");
            }
        }
        let groups = vec![Named::new("gr-1", Some("Treasury".to_owned()), "group")];
        for (through, left) in [
            (Through::default(), &[][..]),
            (
                Through { groups: groups.clone(), unseen: None },
                &["Access is left through the group “Treasury”"],
            ),
            (
                Through { groups, unseen: Some(unread()) },
                &[
                    "Access is left through the group “Treasury”",
                    "Access held through user groups is not seen",
                ],
            ),
        ] {
            let step = PermissionAssignment { through, ..revoking(None) };
            assert_eq!(Step::remaining(&step, &[]), left);
            // With nothing of their own to take away, it is told all the same.
            assert_eq!(warned(&step, &listed(&step, &[])).len(), left.len());
        }
    }

    #[test]
    fn a_doubt_about_who_is_meant_goes_with_every_plan() {
        for (step, holds) in [
            (assigning(), &[][..]),
            (assigning(), &["as-1 us-1"]),
            (revoking(None), &["as-1 us-1"]),
            (revoking(None), &[]),
        ] {
            let step = PermissionAssignment { doubt: Some("who?".to_owned()), ..step };
            let told = warned(&step, &listed(&step, holds));
            assert_eq!(told.last().map(String::as_str), Some("who?"), "{holds:?}");
        }
    }

    #[test]
    fn each_direction_is_undone_by_the_other() {
        let ids = r#"{"permissionId":"pm-1","identityId":"us-1"}"#;
        let (assigning, revoking) = (assigning(), revoking(None));
        let record = record(assigning.wanted(), &[], true);
        let inverse = undone(assign_permission::AssignPermission::inverse(&record));
        assert_eq!(inverse, format!("revoke_permission {ids}"));
        let inverse = undone(revoke_permission::RevokePermission::inverse(&record));
        assert_eq!(inverse, format!("assign_permission {ids}"));
        assert_eq!(assigning.arguments().to_string(), ids);
        assert_eq!(assigning.summary(), "assign “Treasury Viewer” to “Sam” (us-1)");
        assert_eq!(revoking.summary(), "revoke “Treasury Viewer” from “Sam” (us-1)");
    }

    /// Whoever holds a permission: a person, a group, a token.
    #[test]
    fn a_permission_is_given_and_taken_by_ids() {
        use super::super::giving::tests::{given_to, row, somebody, taken};
        for kind in ["user", "group", "service_account", "token"] {
            let [ana, sam] = ["ana", "sam"].map(|id| somebody(id, kind));
            let held = row(&ana, "organization", "pm-1 on organization");
            assert_eq!(
                given_to(&dfns::VENDOR, &held, &sam, &[]),
                r#"assign_permission {"permissionId":"pm-1","identityId":"sam"}"#
            );
            assert_eq!(
                taken(&dfns::VENDOR, &held, &[]),
                r#"revoke_permission {"permissionId":"pm-1","identityId":"ana"}"#
            );
        }
    }
}
