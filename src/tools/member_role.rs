//! One Redox member and the one role they hold in an organization or an environment.

use std::cmp::Ordering;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::giving::{Gives, replaces};
use super::{Given, Plan, Snapshot, Step, Verification, WriteReply, one_way};
use crate::access::{ANY_ROLE, Access, Named, Outcome, Resource};
use crate::argument::Name;
use crate::failure::{Failure, Kind};
use crate::json::put;
use crate::ledger::Record;
use crate::outbound::{Reply, refusal};
use crate::text::{self, Word};
use crate::vendors::redox::{self, Identified, Listed, Member, Membership, Rank};
use crate::vendors::{NameOrId, VendorReader};

/// Something by its id, its name, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Reference {
    /// Id.
    id: Option<Name>,
    /// Exact name or e-mail.
    name: Option<Name>,
}

/// The role a member is to hold in a place; none is to take it away.
pub(super) struct MemberRole {
    wanted: Access,
    place: Resource,
    role: Option<Listed>,
    user: Member,
    /// Their role in the organization, where that is another place and could be read.
    beside: Option<Listed>,
}

impl Reference {
    /// What id and name mean; where both are given, they must mean the same.
    pub(super) fn find<T: Identified>(
        &self,
        reader: &VendorReader<'_>,
        field: &str,
        look: impl Fn(NameOrId<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let look = |name: &Name| look(reader.reference(name.as_str()));
        let by = |name: &Option<Name>| name.as_ref().map(look).transpose();
        match Failure::both(by(&self.id), by(&self.name))? {
            (Some(one), Some(other)) if one.id() != other.id() => {
                let [one, other] = [one.id(), other.id()].map(|id| text::quote(Word::Id, id));
                let trouble = format!("the id is {one}, but the name means {other}");
                let hint = "give the id alone, or the name alone";
                Err(Failure::invalid(trouble).of(field).hint(hint))
            }
            (Some(found), _) | (None, Some(found)) => Ok(found),
            (None, None) => Err(unnamed(field)),
        }
    }
}

/// The references that name nothing.
pub(super) fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
    let empty = |field: &&str| {
        given
            .get(*field)
            .and_then(Value::as_object)
            .is_some_and(|inner| inner.get("id").is_none() && inner.get("name").is_none())
    };
    ["role", "user"].into_iter().filter(empty).map(unnamed).collect()
}

fn unnamed(field: &str) -> Failure {
    Failure::invalid("needs an id or a name").of(field)
}

/// Who has a role in an environment; nobody where there is none of that name, so that all else that
/// does not resolve can be told with it.
pub(super) async fn there(
    reader: &VendorReader<'_>,
    place: &Result<Resource, Failure>,
) -> Result<Vec<Membership>, Failure> {
    match place {
        Ok(place) => {
            let there = redox::environment_members(reader, &place.id).await;
            there.map_err(|failure| failure.of_unknown("environmentId"))
        }
        Err(failure) if failure.argument.is_some() => Ok(Vec::new()),
        Err(failure) => Err(failure.clone()),
    }
}

/// The row there was before a change.
pub(super) fn earlier(record: &Record) -> Result<Access, Failure> {
    let principal = record.wanted().principal.id;
    let row = record.before.iter().find(|row| row.principal.id == principal).cloned();
    row.ok_or_else(|| Failure::refused("there was no role before, and Redox cannot take it away"))
}

/// Arguments of the Redox tools, by ids: `role` of the row to set, or none.
pub(super) fn arguments(place: &str, wanted: &Access, role: Option<&Access>) -> Value {
    let mut arguments = json!({ "user": { "id": wanted.principal.id } });
    put(&mut arguments, place, wanted.resource.id.as_str());
    if let Some(row) = role {
        put(&mut arguments, "role", json!({ "id": row.role.id }));
    }
    arguments
}

/// How somebody is given the role of a row, where that is in such a place: Redox keeps one role a place.
pub(super) fn gives(
    tool: &str,
    place: &str,
    row: &Access,
    (to, there): (&Named, &[Access]),
) -> Option<Gives> {
    if !place.starts_with(row.scope.as_ref()) {
        return None;
    }
    Some(match there.first() {
        Some(own) if own.role.id == row.role.id => Gives::Already,
        Some(own) => Gives::Not(replaces(own, tool)),
        None => {
            let given = Access { principal: to.clone(), ..row.clone() };
            Gives::With(arguments(place, &given, Some(row)))
        }
    })
}

impl MemberRole {
    pub(super) fn new(place: Resource, role: Option<Listed>, user: Member) -> Self {
        let wanted = Access::of(
            user.principal().named(),
            role.as_ref().map_or_else(|| Named::ours(ANY_ROLE), Listed::named),
            place.named(),
            place.kind,
        );
        Self { wanted, place, role, user, beside: None }
    }

    /// With the role that the member holds in the organization.
    pub(super) fn beside(self, role: Option<Listed>) -> Self {
        Self { beside: role, ..self }
    }

    fn is_organization(&self) -> bool {
        self.place.kind == "organization"
    }

    /// Why this role is privileged here, where it is.
    fn privilege(&self, role: &Listed) -> Option<String> {
        let why = self.is_organization().then(|| role.rank().privilege())?;
        why.map(str::to_owned)
    }

    fn row(&self, membership: &Membership) -> Access {
        Access {
            id: None,
            principal: membership.user.principal().named(),
            role: membership.role.named(),
            ..self.wanted.clone()
        }
    }

    /// The member's row, and the owners' rows: who may be demoted depends on them.
    fn standing(&self, members: &[Membership]) -> Snapshot {
        let is_relevant = |member: &&Membership| {
            member.user.id == self.wanted.principal.id || member.role.is_owner()
        };
        let rows = members.iter().filter(is_relevant).map(|member| self.row(member)).collect();
        Snapshot { rows, conclusive: true, ..Snapshot::default() }
    }

    fn current_row<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Access> {
        snapshot.rows.iter().find(|row| row.principal.id == self.wanted.principal.id)
    }

    /// An organization keeps at least one owner.
    fn check_owners(&self, own: &Access, now: &Snapshot) -> Result<(), Failure> {
        let owners = now.rows.iter().filter(|row| is_owner(row)).count();
        if self.demotes(own) && owners == 1 {
            let last = self.wanted.principal.label();
            return Err(Failure::refused(format!("{last} is the last owner of the organization"))
                .hint("make somebody else owner first"));
        }
        Ok(())
    }

    /// Whether the change takes the organization's highest role away.
    fn demotes(&self, own: &Access) -> bool {
        let stays = self.role.as_ref().is_some_and(Listed::is_owner);
        self.is_organization() && is_owner(own) && !stays
    }

    /// Whether what is there can only be given back as a privileged role.
    fn is_one_way(&self, own: &Access) -> bool {
        let stays = self.role.as_ref().is_some_and(|role| role.id == own.role.id);
        self.is_organization() && rank(own).privilege().is_some() && !stays
    }

    fn warnings(&self, own: Option<&Access>) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.role.is_none() {
            warnings.push("the organization role stays as it is".to_owned());
        } else if let Some(own) = own {
            warnings.push(format!("this replaces the role {}", own.role.label()));
            if self.is_organization() {
                warnings.push("their roles in environments stay as they are".to_owned());
            }
        }
        warnings.extend(own.filter(|own| self.is_one_way(own)).map(|own| one_way(&own.role)));
        warnings
    }

    fn user_body(&self) -> Value {
        json!({ "id": self.user.id, "name": self.user.fullname })
    }
}

fn is_owner(row: &Access) -> bool {
    rank(row) == Rank::Owner
}

/// What the role of a row in an organization is.
fn rank(row: &Access) -> Rank {
    Rank::of(row.role.name.as_deref())
}

impl Step for MemberRole {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.wanted;
        let (principal, place) = (principal.label(), resource.label());
        let kind = self.place.kind;
        match &self.role {
            Some(_) => format!("make {principal} {} of {kind} {place}", role.label()),
            None => format!("take the role of {principal} in {kind} {place} away"),
        }
    }

    fn arguments(&self) -> Value {
        let place = if self.is_organization() { "organizationId" } else { "environmentId" };
        arguments(place, &self.wanted, self.role.as_ref().map(|_| &self.wanted))
    }

    fn already_outcome(&self) -> Outcome {
        if self.role.is_some() { Outcome::AlreadyPresent } else { Outcome::AlreadyAbsent }
    }

    fn privileged(&self) -> Option<String> {
        self.role.as_ref().and_then(|role| self.privilege(role))
    }

    /// Whoever manages an organization's environments reaches each of them.
    fn remaining(&self, _: &[Access]) -> Vec<String> {
        let manages = |role: &&Listed| role.rank().privilege().is_some();
        let left = |role: &Listed| {
            let (principal, role) = (self.wanted.principal.label(), role.named().label());
            format!(
                "access is left: {principal} is {role} of the organization, and may manage roles in \
                 every environment"
            )
        };
        let removed = self.role.is_none() && !self.is_organization();
        self.beside.iter().filter(|_| removed).filter(manages).map(left).collect()
    }

    fn against(&self, was: &Access, is: &Access) -> Option<Ordering> {
        self.is_organization().then(|| rank(is).against(rank(was))).flatten()
    }

    fn goes(&self, was: &Access, is: &Access) -> Option<String> {
        let less = self.against(was, is) == Some(Ordering::Less);
        less.then(|| format!("what {} may do", was.role.said()))
    }

    /// One role a place: the new one takes the place of the old one.
    fn meant(&self, now: &Snapshot) -> Vec<Access> {
        let others = now.rows.iter().filter(|row| !self.is_relevant(row)).cloned();
        others.chain(self.role.iter().map(|_| self.wanted.clone())).collect()
    }

    fn given(&self, now: &[Access], left: &[Access]) -> Given {
        let of_member = |rows: &[Access]| -> Vec<Access> {
            rows.iter().filter(|row| self.is_relevant(row)).cloned().collect()
        };
        let (now, mut rows) = (of_member(now), of_member(left));
        rows.retain(|row| !now.iter().any(|other| other.role.id == row.role.id));
        let role = |row: &Access| Listed { id: row.role.id.clone(), name: row.role.name.clone() };
        let privileged = rows.iter().find_map(|row| self.privilege(&role(row)));
        Given { rows, privileged, ..Given::default() }
    }

    /// The other rows only tell who may be demoted.
    fn is_relevant(&self, row: &Access) -> bool {
        row.principal.id == self.wanted.principal.id
    }

    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
        Box::pin(async move {
            let members = if self.is_organization() {
                redox::members(reader, &self.place.id).await?
            } else {
                redox::environment_members(reader, &self.place.id).await?
            };
            Ok(self.standing(&members))
        })
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let own = self.current_row(now);
        if own.map(|row| row.role.id.as_str()) == self.role.as_ref().map(|role| role.id.as_str()) {
            return Ok(Plan::Already {
                outcome: self.already_outcome(),
                warnings: self.remaining(&now.rows),
            });
        }
        if let Some(own) = own {
            self.check_owners(own, now)?;
        } else if self.is_organization() {
            return Err(Failure::invalid("user: is not a member of the organization any more"));
        }
        let place = self.place.id.as_str();
        let draft = match (&self.role, self.is_organization(), own) {
            (_, true, _) => redox::ASSIGN.draft(&[("organizationId", place)])?,
            (Some(_), false, None) => {
                redox::ASSIGN_ENVIRONMENT.draft(&[("environmentId", place)])?
            }
            (Some(_), false, Some(_)) => {
                redox::UPDATE_ENVIRONMENT.draft(&[("environmentId", place)])?
            }
            (None, false, _) => redox::REMOVE_ENVIRONMENT.draft(&[("environmentId", place)])?,
        };
        let mut body = json!({});
        if let Some(role) = &self.role {
            put(&mut body, "role", json!({ "id": role.id, "name": role.name }));
        }
        put(&mut body, "user", self.user_body());
        let warnings = self.remaining(&now.rows).into_iter().chain(self.warnings(own)).collect();
        Ok(Plan::Send { draft: draft.body(body), after: self.meant(now), warnings })
    }

    fn interpret(&self, reply: &Reply) -> WriteReply {
        if !reply.is_success() {
            return match self.role {
                Some(_) => WriteReply::by_status(reply),
                None => WriteReply::of_removal(reply, "Redox"),
            };
        }
        match redox::succeeded(reply) {
            Ok(true) => WriteReply::Yes { warnings: Vec::new() },
            Ok(false) => {
                let mut failure = refusal(reply, "Redox");
                failure.kind = Kind::Rejected;
                failure.message = format!("Redox answered success: false{}", reply.said());
                if self.role.is_none() {
                    return WriteReply::Exists(failure);
                }
                WriteReply::No(failure.hint(
                    "the credential's user must be an organization owner (for environments, owner or \
                     admin), and role and user as Redox lists them",
                ))
            }
            Err(failure) => WriteReply::Garbled(failure.message),
        }
    }

    fn verify(&self, _: &Snapshot, now: &Snapshot) -> Verification {
        match (self.current_row(now), &self.role) {
            (Some(row), Some(role)) if row.role.id == role.id => Verification::There,
            (None, None) => Verification::There,
            (Some(row), _) => Verification::Elsewise(format!("the role is {}", row.role.label())),
            (None, Some(_)) => Verification::Elsewise("the user is not listed".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{expected, found, heard, moved, planned, record, undone, warned};
    use super::super::{
        Change, assign_environment_role, assign_organization_role, remove_environment_role,
    };
    use super::*;
    use crate::intent::Shift;

    fn listed(name: &str) -> Listed {
        // "-" is a role that the vendor lists without a name.
        let named = Some(name.to_owned()).filter(|name| name != "-");
        Listed { id: format!("r-{name}"), name: named }
    }

    /// Marta's role in the organization, or in an environment; none is to take it away.
    fn step(kind: &'static str, role: Option<&str>) -> MemberRole {
        let marta = Member {
            id: "marta".to_owned(),
            fullname: Some("Marta".to_owned()),
            email: Some("marta@example.com".to_owned()),
        };
        let id = if kind == "organization" { "org-1" } else { "env-1" };
        MemberRole::new(Resource::new(kind, id, None), role.map(listed), marta)
    }

    fn organization(role: &str) -> MemberRole {
        step("organization", Some(role))
    }

    fn environment(role: Option<&str>) -> MemberRole {
        step("environment", role)
    }

    /// Memberships as Redox lists them: "marta member".
    fn standing(step: &MemberRole, rows: &[&str]) -> Snapshot {
        let membership = |row: &&str| -> Membership {
            let (user, role) = row.split_once(' ').unwrap();
            let Listed { id, name } = listed(role);
            serde_json::from_value(json!({
                "role": { "id": id, "name": name },
                "user": { "id": user, "fullname": user, "lowercaseEmail": null, "lastLogin": null },
            }))
            .unwrap()
        };
        step.standing(&rows.iter().map(membership).collect::<Vec<_>>())
    }

    #[test]
    fn the_verb_is_that_of_what_is_there() {
        let user = r#""user":{"id":"marta","name":"Marta"}"#;
        let organization_put = |role: &str| {
            format!(
                r#"PUT /platform/v1/organizations/org-1/role-assignment {{"role":{{"id":"r-{role}","name":"{role}"}},{user}}}"#
            )
        };
        let environment_of = |verb: &str, role: &str| {
            format!(
                r#"{verb} /platform/v1/environments/env-1/role-assignment {{"role":{{"id":"r-{role}","name":"{role}"}},{user}}}"#
            )
        };
        let remove =
            format!(r#"DELETE /platform/v1/environments/env-1/role-assignment {{{user}}}"#);
        let last = "Refused: “Marta” (marta@example.com) is the last owner of the organization";
        for (step, holds, plan) in [
            (organization("admin"), &["marta member"][..], organization_put("admin")),
            (organization("admin"), &["marta admin"], "already_present".to_owned()),
            (
                organization("admin"),
                &["olga owner"],
                "Invalid: user: is not a member of the organization any more".to_owned(),
            ),
            // An organization keeps an owner.
            (organization("member"), &["marta owner"], last.to_owned()),
            (organization("admin"), &["marta owner", "olga admin"], last.to_owned()),
            (organization("member"), &["marta owner", "olga owner"], organization_put("member")),
            (organization("member"), &["marta admin", "olga owner"], organization_put("member")),
            (organization("owner"), &["marta owner"], "already_present".to_owned()),
            (organization("owner"), &["marta member", "olga owner"], organization_put("owner")),
            (environment(Some("engineer")), &[], environment_of("POST", "engineer")),
            (environment(Some("engineer")), &["olga engineer"], environment_of("POST", "engineer")),
            (environment(Some("engineer")), &["marta support"], environment_of("PUT", "engineer")),
            (environment(Some("engineer")), &["marta owner"], environment_of("PUT", "engineer")),
            (environment(Some("engineer")), &["marta engineer"], "already_present".to_owned()),
            (environment(None), &["marta engineer"], remove.clone()),
            (environment(None), &["marta owner"], remove.clone()),
            (environment(None), &[], "already_absent".to_owned()),
            (environment(None), &["olga engineer"], "already_absent".to_owned()),
        ] {
            let now = standing(&step, holds);
            assert!(now.conclusive);
            assert_eq!(planned(&step, &now), plan, "{holds:?}");
        }
    }

    #[test]
    fn one_role_takes_the_place_of_the_other() {
        for (step, holds, after, told) in [
            (
                organization("member"),
                &["marta admin", "olga owner"][..],
                &["olga: r-owner on org-1", "marta: r-member on org-1"][..],
                &[
                    "this replaces the role “admin”",
                    "their roles in environments stay as they are",
                    "undoing this grants “admin”, which is privileged: the policy may refuse it",
                ][..],
            ),
            (
                organization("admin"),
                &["marta member", "olga owner"],
                &["olga: r-owner on org-1", "marta: r-admin on org-1"],
                &[
                    "this replaces the role “member”",
                    "their roles in environments stay as they are",
                ],
            ),
            (
                environment(Some("engineer")),
                &["marta admin"],
                &["marta: r-engineer on env-1"],
                &["this replaces the role “admin”"],
            ),
            (environment(Some("engineer")), &[], &["marta: r-engineer on env-1"], &[]),
            (
                environment(None),
                &["marta engineer", "olga owner"],
                &["olga: r-owner on env-1"],
                &["the organization role stays as it is"],
            ),
        ] {
            let now = standing(&step, holds);
            assert_eq!(expected(&step, &now), after, "{holds:?}");
            assert_eq!(warned(&step, &now), told, "{holds:?}");
        }
    }

    #[test]
    fn what_is_read_back_is_the_members_own_role() {
        let owner = "elsewise: the role is “owner”";
        for (step, now, seen) in [
            (organization("admin"), &["marta admin"][..], "there"),
            (organization("admin"), &["marta owner"], owner),
            (organization("admin"), &["olga owner"], "elsewise: the user is not listed"),
            (organization("admin"), &["marta -"], "elsewise: the role is r--"),
            (environment(Some("engineer")), &["marta engineer"], "there"),
            (environment(Some("engineer")), &[], "elsewise: the user is not listed"),
            (environment(None), &[], "there"),
            (environment(None), &["olga owner"], "there"),
            (environment(None), &["marta owner"], owner),
        ] {
            let now = standing(&step, now);
            assert_eq!(found(&step, &Snapshot::default(), &now), seen, "{now:?}");
        }
    }

    #[test]
    fn success_false_is_a_no_whatever_the_status() {
        let meta = r#""meta":{"version":"1.0.0"}"#;
        let said = |success: &str| format!(r#"{{{meta},"payload":{{"success":{success}}}}}"#);
        for (status, body, set, removed) in [
            (200, said("true"), "yes", "yes"),
            (201, said("true"), "yes", "yes"),
            (200, said("false"), "no", "exists"),
            (200, said("null"), "nothing", "nothing"),
            (200, said("\"true\""), "nothing", "nothing"),
            (200, format!("{{{meta},\"payload\":{{}}}}"), "nothing", "nothing"),
            (200, "{}".to_owned(), "nothing", "nothing"),
            (204, String::new(), "nothing", "nothing"),
            (200, "<html>".to_owned(), "nothing", "nothing"),
            (202, said("true"), "nothing", "nothing"),
            (400, String::new(), "no", "no"),
            (403, String::new(), "no", "no"),
            (404, String::new(), "no", "exists"),
            (429, String::new(), "no", "no"),
            (500, said("true"), "nothing", "nothing"),
            (504, String::new(), "nothing", "nothing"),
        ] {
            for step in [organization("admin"), environment(Some("engineer"))] {
                assert_eq!(heard(&step, status, &body), set, "{status} {body}");
            }
            assert_eq!(heard(&environment(None), status, &body), removed, "{status} {body}");
        }
    }

    #[test]
    fn who_manages_others_is_privileged_in_an_organization_alone() {
        for (role, privileged) in
            [("owner", true), ("admin", true), ("-", true), ("member", false), ("auditor", false)]
        {
            assert_eq!(organization(role).privileged().is_some(), privileged, "{role}");
            assert_eq!(environment(Some(role)).privileged(), None, "{role}");
        }
        assert_eq!(environment(None).privileged(), None);
    }

    #[test]
    fn what_comes_or_goes_with_a_role_is_told_by_its_rank() {
        for (step, was, is, gives, takes, goes) in [
            (organization("admin"), "member", "admin", true, false, None),
            (organization("member"), "admin", "member", false, true, Some("what “admin” may do")),
            (organization("auditor"), "member", "auditor", true, true, None),
            (organization("owner"), "admin", "owner", true, false, None),
            (environment(Some("support")), "engineer", "support", true, true, None),
        ] {
            let rows = |role: &str| standing(&step, &[&format!("marta {role}")]).rows;
            let (was, is) = (rows(was), rows(is));
            let shift = Shift { gives, takes };
            assert_eq!(moved(&step, &was, &is), (shift, goes.map(str::to_owned)), "{was:?} {is:?}");
        }
    }

    #[test]
    fn what_an_end_gives_back_is_the_members_role_that_does_not_stand() {
        for (now, left, gives, privileged) in [
            (
                &["marta member"][..],
                &["marta owner", "olga owner"][..],
                &["marta: r-owner on org-1"][..],
                true,
            ),
            (&["marta owner"], &["marta member"], &["marta: r-member on org-1"], false),
            (&["marta admin"], &["marta admin"], &[], false),
            (&[], &["olga owner"], &[], false),
        ] {
            let step = organization("member");
            let [now, left] = [now, left].map(|rows| standing(&step, rows).rows);
            let given = step.given(&now, &left);
            assert_eq!(
                given.rows.iter().map(super::super::tables::said).collect::<Vec<_>>(),
                gives
            );
            assert_eq!(given.privileged.is_some(), privileged, "{left:?}");
        }
    }

    #[test]
    fn a_member_who_manages_the_organization_still_reaches_its_environments() {
        for (beside, left) in
            [(None, 0), (Some("member"), 0), (Some("admin"), 1), (Some("owner"), 1)]
        {
            let step = environment(None).beside(beside.map(listed));
            assert_eq!(step.remaining(&[]).len(), left, "{beside:?}");
            assert_eq!(warned(&step, &standing(&step, &[])).len(), left, "{beside:?}");
            let set = environment(Some("engineer")).beside(beside.map(listed));
            assert_eq!(set.remaining(&[]), Vec::<String>::new());
        }
    }

    #[test]
    fn each_is_undone_by_what_was_there() {
        use assign_environment_role::AssignEnvironmentRole;
        use assign_organization_role::AssignOrganizationRole;
        use remove_environment_role::RemoveEnvironmentRole;
        type InverseOf = fn(&Record) -> Result<super::super::Inverse, Failure>;
        let none = "Refused: there was no role before, and Redox cannot take it away";
        let cases: [(MemberRole, &[&str], InverseOf, &str); 6] = [
            (
                organization("admin"),
                &["olga owner", "marta member"],
                AssignOrganizationRole::inverse,
                r#"assign_organization_role {"user":{"id":"marta"},"organizationId":"org-1","role":{"id":"r-member"}}"#,
            ),
            (organization("admin"), &["olga owner"], AssignOrganizationRole::inverse, none),
            (
                environment(Some("engineer")),
                &["marta support"],
                AssignEnvironmentRole::inverse,
                r#"assign_environment_role {"user":{"id":"marta"},"environmentId":"env-1","role":{"id":"r-support"}}"#,
            ),
            (
                environment(Some("engineer")),
                &["olga owner"],
                AssignEnvironmentRole::inverse,
                r#"remove_environment_role {"user":{"id":"marta"},"environmentId":"env-1"}"#,
            ),
            (
                environment(None),
                &["marta engineer"],
                RemoveEnvironmentRole::inverse,
                r#"assign_environment_role {"user":{"id":"marta"},"environmentId":"env-1","role":{"id":"r-engineer"}}"#,
            ),
            (environment(None), &[], RemoveEnvironmentRole::inverse, none),
        ];
        for (step, before, inverse, undoes) in cases {
            let record = record(step.wanted(), &standing(&step, before).rows, true);
            assert_eq!(undone(inverse(&record)), undoes, "{before:?}");
        }
    }

    #[test]
    fn each_says_what_it_does_and_itself_in_ids() {
        for (step, summary, arguments) in [
            (
                organization("admin"),
                "make “Marta” (marta@example.com) “admin” of organization org-1",
                r#"{"user":{"id":"marta"},"organizationId":"org-1","role":{"id":"r-admin"}}"#,
            ),
            (
                environment(None),
                "take the role of “Marta” (marta@example.com) in environment env-1 away",
                r#"{"user":{"id":"marta"},"environmentId":"env-1"}"#,
            ),
        ] {
            assert_eq!(step.summary(), summary);
            assert_eq!(step.arguments().to_string(), arguments);
        }
    }

    /// Redox keeps one role a place: none is replaced by a copy, and one of the organization is not taken.
    #[test]
    fn a_role_is_given_where_there_is_none_and_taken_in_an_environment() {
        use super::super::giving::tests::{given, row, somebody, taken};
        let vendor = &redox::VENDOR;
        let [ana, sam] = ["ana", "sam"].map(|id| somebody(id, "user"));
        let replaced = "not: sam holds r-support there, and it would take the place of that";
        for (scope, wanted, own, told) in [
            (
                "environment",
                "r-engineer on env-1",
                None,
                r#"assign_environment_role {"user":{"id":"sam"},"environmentId":"env-1","role":{"id":"r-engineer"}}"#,
            ),
            ("environment", "r-engineer on env-1", Some("r-engineer on env-1"), "already"),
            ("environment", "r-engineer on env-1", Some("r-support on env-1"), replaced),
            ("organization", "r-admin on 4271", Some("r-admin on 4271"), "already"),
            ("organization", "r-admin on 4271", Some("r-support on 4271"), replaced),
            (
                "organization",
                "r-admin on 4271",
                None,
                r#"assign_organization_role {"user":{"id":"sam"},"organizationId":"4271","role":{"id":"r-admin"}}"#,
            ),
        ] {
            let held: Vec<_> = own.map(|own| row(&sam, scope, own)).into_iter().collect();
            assert_eq!(given(vendor, &row(&ana, scope, wanted), &held), told, "{wanted} {own:?}");
        }
        for (scope, text, told) in [
            (
                "environment",
                "r-engineer on env-1",
                r#"remove_environment_role {"user":{"id":"ana"},"environmentId":"env-1"}"#,
            ),
            (
                "organization",
                "r-member on 4271",
                "not: Redox lets an organization role be replaced, and not be taken away",
            ),
        ] {
            assert_eq!(taken(vendor, &row(&ana, scope, text), &[]), told);
        }
    }
}
