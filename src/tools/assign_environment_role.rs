use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::member_role::{self, MemberRole, Reference};
use super::{Change, Effect, Gives, Holds, Inverse, Spec, Step};
use crate::access::{Access, Named};
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::vendors::VendorReader;
use crate::vendors::redox;

/// Assign a Redox environment role to a member, in place of the one they have there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssignEnvironmentRole {
    /// Id or exact name.
    environment_id: Name,
    /// The role.
    role: Reference,
    /// The member.
    user: Reference,
}

impl Change for AssignEnvironmentRole {
    const SPEC: Spec = Spec {
        name: "assign_environment_role",
        title: "Assign a Redox environment role",
        effect: Effect::Grant,
        vendor: Some(redox::NAME),
        needs: "organization owner or admin",
        docs: redox::ASSIGN_ENVIRONMENT.docs,
        example: r#"{"environmentId": "Staging", "role": {"name": "engineer"}, "user": {"name": "user@example.com"}}"#,
    };

    const HOLDS: Holds = Holds::One;

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        member_role::wrong(given)
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let place =
            redox::environment(reader, reader.reference(self.environment_id.as_str())).await;
        let there = member_role::there(reader, &place).await?;
        let id = place.as_ref().map_or("", |place| place.id.as_str());
        let roles = redox::roles::for_environment(reader, id, &there).await;
        let people = redox::people(reader, &there).await;
        let role = roles.and_then(|roles| {
            self.role.find(reader, "role", |wanted| redox::roles::pick_listed(wanted, &roles))
        });
        let user = people.and_then(|people| {
            self.user.find(reader, "user", |wanted| redox::member(reader, wanted, &people))
        });
        let (place, (role, user)) = Failure::both(place, Failure::both(role, user))?;
        Ok(vec![Box::new(MemberRole::new(place, Some(role), user))])
    }

    fn gives(row: &Access, to: &Named, there: &[Access]) -> Option<Gives> {
        member_role::gives(Self::SPEC.name, "environmentId", row, (to, there))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        let wanted = record.wanted();
        Ok(match member_role::earlier(record) {
            Ok(earlier) => Inverse {
                tool: "assign_environment_role",
                arguments: member_role::arguments("environmentId", &wanted, Some(&earlier)),
            },
            Err(_) => Inverse {
                tool: "remove_environment_role",
                arguments: member_role::arguments("environmentId", &wanted, None),
            },
        })
    }
}
