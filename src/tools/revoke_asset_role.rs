use futures_util::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asset_role::{self, AssetRole};
use super::{
    Change, Effect, Inverse, LASTING, Plan, STARTS, Snapshot, Spec, Step, Takes, Verification,
    WriteReply, one_way,
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

    fn takes(row: &Access, _: &[Access]) -> Option<Takes> {
        Some(match row.scope.as_ref() {
            "asset" => Ok(asset_role::arguments(row)),
            _ => Err(asset_role::of_organization()),
        })
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        let wanted = record.wanted();
        let row = record.before.iter().find(|row| asset_role::is_same(row, &wanted));
        let (start, end) =
            row.map_or((None, None), |row| (row.starts_at.as_deref(), row.expires_at.as_deref()));
        if let (Some(start), None) = (start, end) {
            let start = text::quoted(start);
            return Err(Failure::refused(format!("what was revoked was to begin at {start} only"))
                .hint("granting it from here would give it at once; assign it in the ODC portal"));
        }
        let mut arguments = asset_role::arguments(&wanted);
        let is_to_come =
            |start: &&str| start.parse().is_ok_and(|at: Timestamp| at > Timestamp::now());
        for (name, time) in [(STARTS, start.filter(is_to_come)), (LASTING[1], end)] {
            if let Some(time) = time {
                crate::json::put(&mut arguments, name, time);
            }
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
    fn remaining(&self, rows: &[Access]) -> Vec<String> {
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
        let mut warnings = self.remaining(&now.rows);
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

#[cfg(test)]
mod tests {
    use super::super::asset_role::tests::{standing, supposed};
    use super::super::tables::{expected, found, heard, planned, record, undone, warned};
    use super::*;

    #[test]
    fn the_asset_is_named_in_the_body_or_nothing_is_sent() {
        let sent = r#"DELETE /api/identity/v1/users/ana/organization-roles/developer {"assetKeys":["orders"]}"#;
        for (holds, plan) in [
            (&["Developer on Orders"][..], sent),
            (&["Developer on Orders until 2099-01-01T00:00:00Z", "Tester on Billing"], sent),
            (&["Developer on Orders from 2098-01-01T00:00:00Z"], sent),
            (&[], "already_absent"),
            (&["Developer on Billing"], "already_absent"),
            (&["Tester on Orders"], "already_absent"),
            (&["Developer on organization"], "already_absent"),
        ] {
            let step = Revoking(supposed(false));
            let now = standing(&step.0, holds);
            assert_eq!(planned(&step, &now), plan, "{holds:?}");
            if plan == sent {
                assert_eq!(expected(&step, &now).len(), holds.len() - 1, "{holds:?}");
            }
        }
    }

    #[test]
    fn what_is_left_once_the_role_is_gone_is_told() {
        let through =
            "access is left: “Ana” (ana) reaches the asset as “Tester” through the organization";
        let besides = "access is left: “Ana” (ana) holds “Tester” on the asset too";
        let one_way =
            "undoing this grants “Developer”, which is privileged: the policy may refuse it";
        for (privileged, holds, told) in [
            (false, &["Developer on Orders"][..], &[][..]),
            (false, &["Developer on Orders", "Tester on organization"], &[through]),
            (false, &["Developer on Orders", "Tester on Orders"], &[besides]),
            (false, &["Tester on organization"], &[through]),
            (
                false,
                &["Developer on Orders", "Tester on organization from 2098-01-01T00:00:00Z"],
                &[],
            ),
            (false, &["Developer on Orders", "Tester on Billing"], &[]),
            (true, &["Developer on Orders"], &[one_way]),
            (true, &["Developer on Orders", "Tester on Orders"], &[besides, one_way]),
            (true, &[], &[]),
        ] {
            let step = Revoking(supposed(privileged));
            assert_eq!(warned(&step, &standing(&step.0, holds)), told, "{holds:?}");
            assert_eq!(step.privileged(), None, "taking away is never privileged");
        }
    }

    #[test]
    fn a_removal_is_read_back_and_nothing_else_may_be_gone() {
        for (before, now, seen) in [
            (&["Developer on Orders"][..], &[][..], "there"),
            (
                &["Developer on Orders"],
                &["Developer on Orders"],
                "elsewise: the role is still listed for that asset",
            ),
            (
                &["Developer on Orders", "Developer on Billing"],
                &[],
                "lost: ana: developer on billing",
            ),
            (
                &["Developer on Orders", "Tester on organization"],
                &[],
                "lost: ana: tester on organization",
            ),
            (&["Developer on Orders", "Tester on Billing"], &["Tester on Billing"], "there"),
            (&["Developer on Orders"], &["Tester on Orders"], "there"),
        ] {
            let step = Revoking(supposed(false));
            let [before, now] = [before, now].map(|rows| standing(&step.0, rows));
            assert_eq!(found(&step, &before, &now), seen, "{before:?} {now:?}");
        }
    }

    #[test]
    fn an_answer_to_a_removal_is_a_yes_a_no_or_nothing() {
        for (status, body, word) in [
            (204, "", "yes"),
            (200, "{}", "yes"),
            (200, "<html>Sign in</html>", "nothing"),
            (202, "", "nothing"),
            (400, r#"{"title":"Bad Request","status":400}"#, "no"),
            (403, r#"{"title":"Forbidden","detail":"lacks it"}"#, "no"),
            (404, r#"{"title":"Not Found"}"#, "exists"),
            (429, "", "no"),
            (500, "", "nothing"),
            (504, "", "nothing"),
        ] {
            assert_eq!(heard(&Revoking(supposed(false)), status, body), word, "{status} {body}");
        }
    }

    #[test]
    fn a_removal_is_undone_as_it_was_or_not_at_all() {
        for (before, undoes) in [
            (
                "Developer on Orders",
                r#"{"userKey":"ana","roleKey":"developer","assetKeys":["orders"]}"#,
            ),
            (
                "Developer on Orders until 2099-01-01T00:00:00Z in p-2",
                r#"{"userKey":"ana","roleKey":"developer","assetKeys":["orders"],"expires_at":"2099-01-01T00:00:00Z","portfolioKey":"p-2"}"#,
            ),
            (
                "Developer on Orders from 2098-01-01T00:00:00Z",
                "Refused: what was revoked was to begin at “2098-01-01T00:00:00Z” only",
            ),
        ] {
            let step = Revoking(supposed(false));
            let before =
                standing(&step.0, &["Tester on Billing until 2097-01-01T00:00:00Z", before]).rows;
            let inverse = undone(RevokeAssetRole::inverse(&record(step.wanted(), &before, true)));
            assert_eq!(inverse.strip_prefix("grant_asset_role ").unwrap_or(&inverse), undoes);
        }
        assert_eq!(
            Revoking(supposed(false)).summary(),
            "revoke “Developer” on “Orders” from “Ana” (ana)"
        );
        assert_eq!(Revoking(supposed(false)).already_outcome(), Outcome::AlreadyAbsent);
    }

    #[test]
    fn a_role_on_an_asset_is_taken_and_one_of_the_organization_is_not() {
        use super::super::giving::tests::{row, somebody, taken};
        let ana = somebody("ana", "user");
        let gone =
            r#"revoke_asset_role {"userKey":"ana","roleKey":"developer","assetKeys":["orders"]}"#;
        for (scope, text, told) in [
            ("asset", "developer on orders", gone),
            ("asset", "developer on orders from 2099-01-01T00:00:00Z", gone),
            ("asset", "developer on orders until 2099-01-01T00:00:00Z", gone),
            (
                "organization",
                "developer on organization",
                "not: it counts for the whole organization, and only roles on assets are changed from here",
            ),
        ] {
            assert_eq!(taken(&outsystems::VENDOR, &row(&ana, scope, text), &[]), told);
        }
    }
}
