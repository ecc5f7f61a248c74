use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::member_role::{self, MemberRole, Reference};
use super::{Change, Effect, Holds, Inverse, Spec, Step, Takes};
use crate::access::Access;
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::vendors::VendorReader;
use crate::vendors::redox;

/// Remove a user's role in a Redox environment. They stay in the organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RemoveEnvironmentRole {
    /// Id or exact name.
    environment_id: Name,
    /// The member.
    user: Reference,
}

impl Change for RemoveEnvironmentRole {
    const SPEC: Spec = Spec {
        name: "remove_environment_role",
        title: "Remove a Redox environment role",
        effect: Effect::Revoke,
        vendor: Some(redox::NAME),
        needs: "organization owner or admin",
        docs: redox::REMOVE_ENVIRONMENT.docs,
        example: r#"{"environmentId": "Development", "user": {"name": "tomas.ferreira@example.com"}}"#,
    };

    const HOLDS: Holds = Holds::One;

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        member_role::wrong(given)
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let place =
            redox::environment(reader, reader.reference(self.environment_id.as_str())).await;
        let there = member_role::there(reader, &place).await?;
        let people = redox::people(reader, &there).await;
        let found = people.and_then(|people| {
            let user =
                self.user.find(reader, "user", |wanted| redox::member(reader, wanted, &people))?;
            Ok((people, user))
        });
        let (place, (people, user)) = Failure::both(place, found)?;
        // Behind those of the environment, where an organization is configured.
        let members = people.iter().skip(there.len());
        let configured = reader.tenant.settings.get(redox::ORGANIZATION).is_some();
        let own = members.filter(|_| configured).find(|member| member.user.id == user.id);
        let beside = own.map(|member| member.role.clone());
        Ok(vec![Box::new(MemberRole::new(place, None, user).beside(beside))])
    }

    fn takes(row: &Access, _: &[Access]) -> Option<Takes> {
        let own = row.scope == "environment";
        own.then(|| Ok(member_role::arguments("environmentId", row, None)))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        let earlier = member_role::earlier(record)?;
        Ok(Inverse {
            tool: "assign_environment_role",
            arguments: member_role::arguments("environmentId", &record.wanted(), Some(&earlier)),
        })
    }
}
