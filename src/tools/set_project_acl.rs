use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::space_entry::{self, GrantType, SpaceEntry};
use super::{Change, Effect, Gives, Holds, Inverse, Spec, Step};
use crate::access::{Access, Named};
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::vendors::VendorReader;
use crate::vendors::snaplogic;

/// Grant a user or group access to a SnapLogic project space and its shared folder. SnapLogic
/// widens a project to its whole space.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetProjectAcl {
    /// /org/space or /org/space/project, case-sensitive.
    project_or_space_path: Name,
    /// What the grantee is.
    grant_type: GrantType,
    /// E-mail address or exact name.
    grantee: Name,
    /// R read, W write, X execute.
    #[schemars(length(min = 1, max = 3), extend("uniqueItems" = true))]
    permission_list: Vec<Permission>,
    /// Also for all assets inside; false if left out.
    inherit: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
enum Permission {
    R,
    W,
    X,
}

impl Change for SetProjectAcl {
    const SPEC: Spec = Spec {
        name: "set_project_acl",
        title: "Grant SnapLogic project space access",
        effect: Effect::Grant,
        vendor: Some(snaplogic::NAME),
        needs: "Environment (Org) admin",
        docs: snaplogic::GRANT.docs,
        example: r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "X"]}"#,
    };

    const HOLDS: Holds = Holds::One;

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        // They are a set: whoever names the same in another order asks for the same.
        let letters: BTreeSet<_> = self.permission_list.iter().map(|one| one.as_str()).collect();
        let wanted = Some((letters, self.inherit.unwrap_or(false)));
        let path = self.project_or_space_path.as_str();
        let entry =
            SpaceEntry::resolve(reader, path, self.grant_type, &self.grantee, wanted).await?;
        Ok(vec![Box::new(entry)])
    }

    fn gives(row: &Access, to: &Named, there: &[Access]) -> Option<Gives> {
        Some(space_entry::gives(Self::SPEC.name, row, to, there))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        space_entry::inverse(record)
    }
}

impl Permission {
    fn as_str(self) -> &'static str {
        match self {
            Self::R => "R",
            Self::W => "W",
            Self::X => "X",
        }
    }
}
