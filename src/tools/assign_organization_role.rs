use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Change, Effect, Finding, Heard, Plan, Spec, Standing, Step, label};
use crate::access::{Access, Named, Outcome};
use crate::argument::Name;
use crate::auth::Boxed;
use crate::failure::{Failure, Kind};
use crate::transport::{Reply, refusal};
use crate::vendors::Asker;
use crate::vendors::redox::{self, Listed, Member, Membership};

/// Assign a Redox organization role to a member. A member holds one organization role: this
/// replaces the one they have. The last owner is never demoted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssignOrganizationRole {
    /// The organization's id; the configured one if left out.
    organization_id: Option<Name>,
    /// The role, by id, by name, or by both.
    role: Reference,
    /// The member, by id, by name or e-mail address, or by both.
    user: Reference,
}

/// Something by its id, its name, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reference {
    /// Its id, as the vendor lists it.
    id: Option<Name>,
    /// Its exact name, or an e-mail address.
    name: Option<Name>,
}

struct OrganizationRole {
    wanted: Access,
    organization: String,
    role: Listed,
    user: Member,
}

impl Change for AssignOrganizationRole {
    const SPEC: Spec = Spec {
        name: "assign_organization_role",
        title: "Assign a Redox organization role",
        effect: Effect::Grant,
        vendor: Some(redox::NAME),
        docs: redox::ASSIGN.docs,
        example: r#"{"role": {"name": "admin"}, "user": {"name": "user@example.com"}}"#,
    };

    async fn resolve(self, ask: &Asker<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let configured = ask.tenant.settings.get(redox::ORGANIZATION);
        let given = self.organization_id.as_ref().map(Name::as_str);
        let organization = given.or(configured).ok_or_else(|| {
            let trouble =
                format!("organizationId: is missing, and {} is not set", redox::ORGANIZATION);
            Failure::invalid(trouble).hint("give the organization's id")
        })?;
        let members = redox::members(ask, organization).await?;
        let role = self.role.find("role", |wanted| {
            let found = redox::organization_role(ask, wanted, &members)?;
            Ok((found.id.clone(), found))
        })?;
        let user = self.user.find("user", |wanted| {
            let found = redox::member(wanted, &members)?;
            Ok((found.id.clone(), found))
        })?;
        let wanted = Access {
            principal: user.principal().named(),
            role: Named { id: role.id.clone(), name: role.name.clone(), kind: None },
            resource: Named::new(organization, None, "organization"),
            scope: "organization",
            expires_at: None,
            pending: false,
        };
        let organization = organization.to_owned();
        Ok(vec![Box::new(OrganizationRole { wanted, organization, role, user })])
    }
}

impl Reference {
    /// What id and name mean; where both are given, they must mean the same.
    fn find<T>(
        &self,
        field: &str,
        look: impl Fn(&str) -> Result<(String, T), Failure>,
    ) -> Result<T, Failure> {
        let by = |name: &Option<Name>| name.as_ref().map(|name| look(name.as_str())).transpose();
        match (by(&self.id)?, by(&self.name)?) {
            (Some((one, _)), Some((other, _))) if one != other => Err(Failure::invalid(format!(
                "{field}: the id is {one}, but the name means {other}"
            ))
            .hint("give the id alone, or the name alone")),
            (Some((_, found)), _) | (None, Some((_, found))) => Ok(found),
            (None, None) => Err(Failure::invalid(format!("{field}: needs an id or a name"))),
        }
    }
}

impl OrganizationRole {
    fn row(&self, membership: &Membership) -> Access {
        let role = membership.role.clone();
        Access {
            principal: membership.user.principal().named(),
            role: Named { id: role.id, name: role.name, kind: None },
            ..self.wanted.clone()
        }
    }

    fn own<'a>(&self, standing: &'a Standing) -> Option<&'a Access> {
        standing.rows.iter().find(|row| row.principal.id == self.wanted.principal.id)
    }
}

impl Step for OrganizationRole {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.wanted;
        format!("make {} {} of organization {}", label(principal), label(role), label(resource))
    }

    fn privileged(&self) -> Option<String> {
        self.role.is_owner().then(|| "an owner may change everybody's role".to_owned())
    }

    /// The other rows only tell who may be demoted.
    fn bears(&self, row: &Access) -> bool {
        row.principal.id == self.wanted.principal.id
    }

    /// The member's row, and the owners' rows: who may be demoted depends on them.
    fn current<'a>(&'a self, ask: &'a Asker<'a>) -> Boxed<'a, Result<Standing, Failure>> {
        Box::pin(async move {
            let members = redox::members(ask, &self.organization).await?;
            let bears = |member: &&Membership| {
                member.user.id == self.wanted.principal.id || member.role.is_owner()
            };
            let rows = members.iter().filter(bears).map(|member| self.row(member)).collect();
            Ok(Standing { rows, conclusive: true, version: None })
        })
    }

    fn plan(&self, now: &Standing) -> Result<Plan, Failure> {
        let Some(own) = self.own(now) else {
            return Err(Failure::invalid("user: is not a member of the organization any more"));
        };
        if own.role.id == self.wanted.role.id {
            let outcome = Outcome::AlreadyPresent;
            return Ok(Plan::Already { outcome, warnings: Vec::new() });
        }
        let is_owner = |row: &Access| {
            row.role.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(redox::OWNER))
        };
        let owners = now.rows.iter().filter(|row| is_owner(row)).count();
        if is_owner(own) && owners == 1 && !self.role.is_owner() {
            return Err(Failure::refused(format!(
                "{} is the last owner of the organization",
                label(&self.wanted.principal)
            ))
            .hint("make somebody else owner first"));
        }
        let draft = redox::ASSIGN.draft(&[("organizationId", &self.organization)])?.body(json!({
            "role": { "id": self.role.id, "name": self.role.name },
            "user": { "id": self.user.id, "name": self.user.fullname },
        }));
        let warnings = vec![format!("this replaces the role {}", label(&own.role))];
        Ok(Plan::Send { draft, after: vec![self.wanted.clone()], warnings })
    }

    fn heard(&self, reply: &Reply) -> Heard {
        if !reply.is_success() {
            return Heard::by_status(reply);
        }
        match redox::succeeded(reply) {
            Ok(true) => Heard::Yes { warnings: Vec::new() },
            Ok(false) => {
                let mut failure = refusal(reply, "Redox");
                failure.kind = Kind::Rejected;
                failure.message = format!("Redox answered success: false{}", reply.said());
                Heard::No(failure.hint(
                    "the credential's user must be an organization owner, and the \
                                        role and user as the organization lists them",
                ))
            }
            Err(failure) => Heard::Garbled(failure.message),
        }
    }

    fn verify(&self, _: &Standing, now: &Standing) -> Finding {
        match self.own(now) {
            Some(row) if row.role.id == self.wanted.role.id => Finding::There,
            Some(row) => Finding::Elsewise(format!("the role is {}", label(&row.role))),
            None => Finding::Elsewise("the user is not a member any more".to_owned()),
        }
    }
}
