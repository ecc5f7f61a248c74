use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asset_role::{self, AssetRole};
use super::{Change, Effect, Inverse, Plan, Snapshot, Spec, Step, Term, Verification, privilege};
use crate::access::{Access, Outcome};
use crate::argument::{Name, Uuid};
use crate::failure::Failure;
use crate::json::put;
use crate::ledger::Record;
use crate::text;
use crate::vendors::VendorReader;
use crate::vendors::outsystems::{self, same_key};

/// Grant an OutSystems organization role to a user for one or more assets. Stops where the user
/// holds another role on an asset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GrantAssetRole {
    /// The user: key (UUID), e-mail address or exact name.
    user_key: Name,
    /// The organization role: key (UUID) or exact name.
    role_key: Name,
    /// The assets: keys (UUIDs) or exact names.
    #[schemars(length(min = 1, max = 50))]
    asset_keys: Vec<Name>,
    /// The portfolio (UUID); the main one if left out.
    portfolio_key: Option<Uuid>,
}

/// One user, one role, one asset, with an end or without.
struct Granting {
    of: AssetRole,
    portfolio: Option<String>,
    period: Option<Period>,
}

#[derive(Clone, Copy)]
struct Period {
    start: Timestamp,
    end: Timestamp,
}

/// How far the vendor's clock may be off.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

impl Change for GrantAssetRole {
    const SPEC: Spec = Spec {
        name: "grant_asset_role",
        title: "Grant an OutSystems role on assets",
        effect: Effect::Grant,
        vendor: Some(outsystems::NAME),
        needs: "User management > Manage organization access (in newer portals: Manage member access)",
        docs: outsystems::GRANT.docs,
        example: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
    };

    fn wrong(given: &Map<String, Value>) -> Vec<Failure> {
        asset_role::wrong(given)
    }

    async fn resolve(self, reader: &VendorReader<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        let roles =
            asset_role::resolve(reader, &self.user_key, &self.role_key, &self.asset_keys).await?;
        let step = |of: AssetRole| -> Box<dyn Step> {
            let portfolio = self.portfolio_key.as_ref().map(|key| key.as_str().to_owned());
            Box::new(Granting { of, portfolio, period: None })
        };
        Ok(roles.into_iter().map(step).collect())
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        Ok(Inverse {
            tool: "revoke_asset_role",
            arguments: asset_role::arguments(&record.wanted()),
        })
    }
}

impl Granting {
    /// Whether the row ends when it was asked to: an end that is not there would be for ever.
    fn ends_as_wanted(&self, row: &Access) -> bool {
        self.period.is_none_or(|period| end(row) == Some(period.end))
    }

    /// The same role on the same asset in another portfolio is another grant.
    fn check_portfolio(&self, row: &Access) -> Result<(), Failure> {
        match (&self.portfolio, &row.within) {
            (Some(_), Some(there)) if !self.is_placed(row) => {
                let there = text::quoted(there);
                Err(Failure::refused(format!(
                    "the role is there already, in the portfolio {there}"
                ))
                .hint("revoke it first, or leave portfolioKey out"))
            }
            _ => Ok(()),
        }
    }

    /// The row that is wanted, in the portfolio that is wanted where there are several.
    fn row<'r>(&self, mut rows: impl Iterator<Item = &'r Access> + Clone) -> Option<&'r Access> {
        let wanted = |row: &&Access| self.of.is_wanted(row);
        let placed = rows.clone().filter(wanted).find(|row| self.is_placed(row));
        placed.or_else(|| rows.find(wanted))
    }

    /// Whether the row counts where it was asked to.
    fn is_placed(&self, row: &Access) -> bool {
        let there = row.within.as_deref().unwrap_or_default();
        self.portfolio.as_deref().is_none_or(|asked| same_key(asked, there))
    }

    /// What a row that is there already means for a request with or without an end.
    fn already(&self, row: &Access) -> Result<Plan, Failure> {
        if let Some(start) = &row.starts_at {
            let start = text::quoted(start);
            return Err(Failure::refused(format!(
                "the role is assigned there, and begins at {start} only"
            ))
            .hint("wait until then, or revoke that assignment and grant the role again"));
        }
        let there = end(row);
        let outcome = Outcome::AlreadyPresent;
        match (there, self.period.map(|period| period.end)) {
            (None, Some(_)) => Err(Failure::refused(
                "the access is there without an end, and a grant shortens nothing",
            )
            .hint("revoke it, and grant it again with that end")),
            (Some(end), wanted) if wanted.is_none_or(|wanted| wanted > end) => {
                Err(Failure::refused(format!(
                    "the access is there and ends at {end}; \
                     OutSystems cannot change the end of a grant"
                ))
                .hint("revoke it and grant it again"))
            }
            (Some(end), Some(wanted)) if wanted < end => Err(Failure::refused(format!(
                "the access is there until {end}, and a grant shortens nothing"
            ))
            .hint("revoke it, and grant it again with that end")),
            _ => Ok(Plan::Already { outcome, warnings: Vec::new() }),
        }
    }

    fn warnings(&self, now: &Snapshot) -> Vec<String> {
        let mut warnings = self.of.user.warnings();
        for row in now.rows.iter().filter(|row| row.scope == "organization" && has_begun(row)) {
            warnings.push(format!(
                "{} already reaches every asset as {} through the organization",
                self.of.wanted.principal.label(),
                row.role.said()
            ));
        }
        warnings
    }
}

impl Step for Granting {
    fn wanted(&self) -> &Access {
        &self.of.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.of.wanted;
        format!("grant {} on {} to {}", role.label(), resource.label(), principal.label())
    }

    fn set_term(&mut self, term: Term) {
        self.period = term.until.map(|end| Period { start: term.from, end });
        self.of.wanted.expires_at = term.until.map(|end| end.to_string());
    }

    fn privileged(&self) -> Option<String> {
        privilege(&self.of.role)
    }

    fn contains(&self) -> Vec<String> {
        self.of.role.permissions.clone()
    }

    fn ingredients(&self) -> Vec<String> {
        self.of.role.ingredients.clone()
    }

    fn is_in_scope(&self, row: &Access) -> bool {
        self.of.is_there(row)
    }

    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
        Box::pin(self.of.current(reader))
    }

    fn arguments(&self) -> Value {
        let mut arguments = self.of.arguments();
        if let Some(portfolio) = &self.portfolio {
            put(&mut arguments, "portfolioKey", portfolio.as_str());
        }
        arguments
    }

    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure> {
        let mut there = now.rows.iter().filter(|row| !has_ended(row, SignedDuration::ZERO));
        if let Some(row) = self.row(there.clone()) {
            self.check_portfolio(row)?;
            return self.already(row);
        }
        if let Some(other) = there.find(|row| self.of.is_there(row)) {
            return Err(Failure::refused(format!(
                "{} already holds {} on {}, and OutSystems keeps one role an app: a second grant \
                 may replace it",
                self.of.wanted.principal.label(),
                other.role.label(),
                other.resource.label(),
            ))
            .hint("revoke that role first if the new one should take its place"));
        }
        let mut body = json!({ "assetKeys": [self.of.wanted.resource.id] });
        if let Some(Period { start, end }) = self.period {
            let period = json!({ "startTime": start.to_string(), "endTime": end.to_string() });
            put(&mut body, "grantPeriod", period);
        }
        if let Some(portfolio) = &self.portfolio {
            put(&mut body, "portfolioKey", portfolio.as_str());
        }
        let draft = outsystems::GRANT.draft(&self.of.path())?.body(body);
        let mut after = now.rows.clone();
        after.push(self.of.wanted.clone());
        Ok(Plan::Send { draft, after, warnings: self.warnings(now) })
    }

    fn verify(&self, before: &Snapshot, now: &Snapshot) -> Verification {
        let Some(row) = self.row(now.rows.iter()) else {
            return Verification::Elsewise("the role is not listed for that asset".to_owned());
        };
        if !self.is_placed(row) {
            let there = text::quoted(row.within.as_deref().unwrap_or("none"));
            return Verification::Elsewise(format!(
                "the role is there, and its portfolio is {there}"
            ));
        }
        if !has_begun(row) {
            let start = text::quoted(row.starts_at.as_deref().unwrap_or_default());
            return Verification::Elsewise(format!(
                "the role is there, and begins at {start} only"
            ));
        }
        if !self.ends_as_wanted(row) {
            let end = text::quoted(row.expires_at.as_deref().unwrap_or("never"));
            return Verification::Elsewise(format!("the role is there, and its end is {end}"));
        }
        let mut came = now.lost(before);
        came.retain(|row| row.scope == "organization");
        if !came.is_empty() {
            return Verification::Wider(came);
        }
        let mut lost = before.lost(now);
        // A row that ended by itself between two readings was not lost to the grant.
        lost.retain(|row| !has_ended(row, CLOCKS));
        if lost.is_empty() { Verification::There } else { Verification::Lost(lost) }
    }
}

fn end(row: &Access) -> Option<Timestamp> {
    row.expires_at.as_deref()?.parse().ok()
}

/// Whether a row has ended, or will within `slack`.
fn has_ended(row: &Access, slack: SignedDuration) -> bool {
    end(row).is_some_and(|end| end <= Timestamp::now() + slack)
}

/// Whether a row counts by now, or is about to: the vendor's clock may be a little ahead.
fn has_begun(row: &Access) -> bool {
    let soon = Timestamp::now() + CLOCKS;
    row.starts_at
        .as_deref()
        .is_none_or(|start| start.parse().is_ok_and(|start: Timestamp| start <= soon))
}
