use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asset_role::{self, AssetRole};
use super::{
    Change, Effect, Inverse, Plan, Snapshot, Spec, Step, Verification, WriteReply, one_way,
};
use crate::access::{Access, Outcome};
use crate::argument::Name;
use crate::failure::Failure;
use crate::ledger::Record;
use crate::outbound::Reply;
use crate::text;
use crate::vendors::VendorReader;
use crate::vendors::outsystems;

/// Revoke an OutSystems organization role of a user for one or more assets. Says what access is
/// left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RevokeAssetRole {
    /// The user: key (UUID), e-mail address or exact name.
    user_key: Name,
    /// The organization role: key (UUID) or exact name.
    role_key: Name,
    /// The assets: keys (UUIDs) or exact names.
    #[schemars(length(min = 1, max = 50))]
    asset_keys: Vec<Name>,
}

struct Revoking(AssetRole);

impl Change for RevokeAssetRole {
    const SPEC: Spec = Spec {
        name: "revoke_asset_role",
        title: "Revoke an OutSystems role on assets",
        effect: Effect::Revoke,
        vendor: Some(outsystems::NAME),
        needs: "User management > Manage organization access (in newer portals: Manage member access)",
        docs: outsystems::REVOKE.docs,
        example: r#"{"userKey": "alex.kim@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
    };

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        asset_role::wrong(given)
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let roles =
            asset_role::resolve(reader, &self.user_key, &self.role_key, &self.asset_keys).await?;
        Ok(roles.into_iter().map(|role| Box::new(Revoking(role)) as Box<dyn Step>).collect())
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        let wanted = record.wanted();
        let row = record.before.iter().find(|row| asset_role::is_same(row, &wanted));
        if let Some(start) = row.and_then(|row| row.starts_at.as_deref()) {
            let start = text::quoted(start);
            return Err(Failure::refused(format!("what was revoked was to begin at {start} only"))
                .hint("granting it from here would give it at once; assign it in the ODC portal"));
        }
        let mut arguments = asset_role::arguments(&wanted);
        if let Some(end) = row.and_then(|row| row.expires_at.as_deref()) {
            crate::json::put(&mut arguments, "expires_at", end);
        }
        // Without it OutSystems takes the main one.
        if let Some(portfolio) = row.and_then(|row| row.within.as_deref()) {
            crate::json::put(&mut arguments, "portfolioKey", portfolio);
        }
        Ok(Inverse { tool: "grant_asset_role", arguments })
    }
}

impl Step for Revoking {
    fn wanted(&self) -> &Access {
        &self.0.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.0.wanted;
        format!("revoke {} on {} from {}", role.label(), resource.label(), principal.label())
    }

    fn arguments(&self) -> Value {
        self.0.arguments()
    }

    fn already_outcome(&self) -> Outcome {
        Outcome::AlreadyAbsent
    }

    fn contains(&self) -> Vec<String> {
        self.0.role.permissions.clone()
    }

    fn ingredients(&self) -> Vec<String> {
        self.0.role.ingredients.clone()
    }

    fn is_in_scope(&self, row: &Access) -> bool {
        self.0.is_there(row)
    }

    /// What still reaches the asset once this role is gone: a role for the organization, or another
    /// one on the asset.
    fn left(&self, rows: &[Access]) -> Vec<String> {
        let left = |row: &Access| {
            let (who, role) = (row.principal.label(), row.role.label());
            let through = match row.scope.as_ref() {
                "organization" => format!("reaches the asset as {role} through the organization"),
                _ if self.0.is_there(row) && !self.0.is_wanted(row) => {
                    format!("holds {role} on the asset too")
                }
                _ => return None,
            };
            Some(format!("access is left: {who} {through}"))
        };
        rows.iter().filter(|row| row.starts_at.is_none()).filter_map(left).collect()
    }

    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
        Box::pin(self.0.current(reader))
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let mut warnings = self.left(&now.rows);
        if !now.rows.iter().any(|row| self.0.is_wanted(row)) {
            return Ok(Plan::Already { outcome: Outcome::AlreadyAbsent, warnings });
        }
        let body = json!({ "assetKeys": [self.0.wanted.resource.id] });
        let draft = outsystems::REVOKE.draft(&self.0.path())?.body(body);
        let after = now.rows.iter().filter(|row| !self.0.is_wanted(row)).cloned().collect();
        if self.0.role.privileged {
            warnings.push(one_way(&self.0.wanted.role));
        }
        Ok(Plan::Send { draft, after, warnings })
    }

    fn interpret(&self, reply: &Reply) -> WriteReply {
        WriteReply::of_removal(reply, "OutSystems")
    }

    fn verify(&self, before: &Snapshot, now: &Snapshot) -> Verification {
        if now.rows.iter().any(|row| self.0.is_wanted(row)) {
            return Verification::Elsewise("the role is still listed for that asset".to_owned());
        }
        let mut lost = before.lost(now);
        lost.retain(|row| !self.0.is_wanted(row));
        if lost.is_empty() { Verification::There } else { Verification::Lost(lost) }
    }
}
