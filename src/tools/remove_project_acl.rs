use schemars::JsonSchema;
use serde::Deserialize;

use super::space_entry::{self, GrantType, SpaceEntry};
use super::{Change, Effect, Holds, Inverse, Spec, Step, Takes};
use crate::access::Access;
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::vendors::VendorReader;
use crate::vendors::snaplogic;

/// Remove all access of a user or group to a SnapLogic project space and its shared folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveProjectAcl {
    /// /org/space or /org/space/project, case-sensitive.
    project_or_space_path: Name,
    /// What the grantee is.
    grant_type: GrantType,
    /// E-mail address or exact name.
    grantee: Name,
}

impl Change for RemoveProjectAcl {
    const SPEC: Spec = Spec {
        name: "remove_project_acl",
        title: "Remove SnapLogic project space access",
        effect: Effect::Revoke,
        vendor: Some(snaplogic::NAME),
        needs: "Environment (Org) admin",
        docs: snaplogic::REVOKE.docs,
        example: r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "alex.kim@example.com"}"#,
    };

    const HOLDS: Holds = Holds::One;

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let path = self.project_or_space_path.as_str();
        let entry = SpaceEntry::resolve(reader, path, self.grant_type, &self.grantee, None).await?;
        Ok(vec![Box::new(entry)])
    }

    fn takes(row: &Access, _: &[Access]) -> Option<Takes> {
        Some(Ok(space_entry::arguments(row)))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        space_entry::inverse(record)
    }
}
