use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::member_role::{self, MemberRole, Reference};
use super::{Change, Effect, Gives, Holds, Inverse, Spec, Step, Takes};
use crate::access::{Access, Named, Resource};
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::vendors::VendorReader;
use crate::vendors::redox;

/// Assign a Redox organization role to a member, in place of the one they have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssignOrganizationRole {
    /// Id; default the configured one.
    organization_id: Option<Name>,
    /// The role.
    role: Reference,
    /// The member.
    user: Reference,
}

/// The argument that names the place.
const ORGANIZATION: &str = "organizationId";

impl Change for AssignOrganizationRole {
    const SPEC: Spec = Spec {
        name: "assign_organization_role",
        title: "Assign a Redox organization role",
        effect: Effect::Grant,
        vendor: Some(redox::NAME),
        needs: "organization owner",
        docs: redox::ASSIGN.docs,
        example: r#"{"role": {"name": "member"}, "user": {"name": "marta.lindqvist@example.com"}}"#,
    };

    const HOLDS: Holds = Holds::One;

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        member_role::wrong(given)
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let configured = reader.tenant.settings.get(redox::ORGANIZATION);
        let given = self.organization_id.as_ref().map(Name::as_str);
        let organization = given.or(configured).ok_or_else(|| {
            let trouble = format!("is missing, and {} is not set", redox::ORGANIZATION);
            Failure::invalid(trouble).of("organizationId").hint("give the organization's id")
        })?;
        let members = redox::members(reader, organization).await;
        let members = members.map_err(|failure| match given {
            Some(_) => failure.of_unknown("organizationId"),
            None => failure,
        })?;
        let role = self.role.find(reader, "role", |wanted| {
            redox::roles::for_organization(reader, wanted, &members)
        });
        let user = self.user.find(reader, "user", |wanted| redox::member(reader, wanted, &members));
        let (role, user) = Failure::both(role, user)?;
        let place = Resource::new("organization", organization, None);
        Ok(vec![Box::new(MemberRole::new(place, Some(role), user))])
    }

    fn gives(row: &Access, to: &Named, there: &[Access]) -> Option<Gives> {
        member_role::gives(Self::SPEC.name, ORGANIZATION, row, (to, there))
    }

    /// Redox sets such a role, and has no way to take it away.
    fn takes(row: &Access, _: &[Access]) -> Option<Takes> {
        (row.scope == "organization").then(|| {
            let who = row.principal.label();
            Err(Failure::refused(
                "Redox lets an organization role be replaced, and not be taken away",
            )
            .hint(format!(
                "an organization owner removes {who} in the Redox dashboard; until then \
                     assign_organization_role can set a lesser role"
            )))
        })
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        let earlier = member_role::earlier(record)?;
        Ok(Inverse {
            tool: "assign_organization_role",
            arguments: member_role::arguments("organizationId", &record.wanted(), Some(&earlier)),
        })
    }
}
