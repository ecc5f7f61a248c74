//! One Redox member and the one role they hold in an organization or an environment.

use std::cmp::Ordering;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Given, Plan, Snapshot, Step, Verification, WriteReply, one_way};
use crate::access::{ANY_ROLE, Access, Named, Outcome, Resource};
use crate::argument::Name;
use crate::failure::{Failure, Kind};
use crate::json::put;
use crate::ledger::Record;
use crate::outbound::{Reply, refusal};
use crate::text::{self, Word};
use crate::vendors::redox::{self, Identified, Listed, Member, Membership, Rank};
use crate::vendors::{VendorReader, Wanted};

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
        look: impl Fn(Wanted<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let look = |name: &Name| look(reader.meant(name.as_str()));
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

impl MemberRole {
    pub(super) fn new(place: Resource, role: Option<Listed>, user: Member) -> Self {
        let wanted = Access {
            id: None,
            principal: user.principal().named(),
            role: role.as_ref().map_or_else(|| Named::ours(ANY_ROLE), Listed::named),
            resource: place.named(),
            scope: place.kind.into(),
            within: None,
            via: None,
            starts_at: None,
            expires_at: None,
            pending: false,
        };
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

    fn held<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Access> {
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
    fn left(&self, _: &[Access]) -> Vec<String> {
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
        let own = self.held(now);
        if own.map(|row| row.role.id.as_str()) == self.role.as_ref().map(|role| role.id.as_str()) {
            return Ok(Plan::Already {
                outcome: self.already_outcome(),
                warnings: self.left(&now.rows),
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
        let warnings = self.left(&now.rows).into_iter().chain(self.warnings(own)).collect();
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
        match (self.held(now), &self.role) {
            (Some(row), Some(role)) if row.role.id == role.id => Verification::There,
            (None, None) => Verification::There,
            (Some(row), _) => Verification::Elsewise(format!("the role is {}", row.role.label())),
            (None, Some(_)) => Verification::Elsewise("the user is not listed".to_owned()),
        }
    }
}
