use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Change, Effect, Finding, Plan, Spec, Standing, Step, label};
use crate::access::{Access, Named, Outcome, Principal, Resource, Role};
use crate::argument::{Duration, Name, Time, Uuid};
use crate::auth::Boxed;
use crate::failure::Failure;
use crate::json::put;
use crate::vendors::Asker;
use crate::vendors::outsystems::{self, HeldRole};

/// Grant an OutSystems organization role to a user for one or more assets. Sends one request an
/// asset and reads the user's roles back. Stops where the user holds another role on an asset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GrantAssetRole {
    /// The user: key (UUID), e-mail address or exact name.
    user_key: Name,
    /// The organization role: key (UUID) or exact name.
    role_key: Name,
    /// The assets: keys (UUIDs) or exact names. At least one; the organization as a whole is never
    /// meant.
    #[schemars(length(min = 1, max = 50))]
    asset_keys: Vec<Name>,
    /// The portfolio (UUID) the grant counts in; the tenant's main portfolio if left out.
    portfolio_key: Option<Uuid>,
    /// How long the grant lasts, as an ISO 8601 duration such as P7D. OutSystems is told the end.
    #[serde(rename = "expires_in")]
    expires_in: Option<Duration>,
    /// When the grant ends, as an RFC 3339 time; instead of expires_in.
    #[serde(rename = "expires_at")]
    expires_at: Option<Time>,
}

/// One user, one role, one asset.
struct AssetRole {
    wanted: Access,
    user: Principal,
    role: Role,
    portfolio: Option<String>,
    period: Option<Period>,
    /// Every asset of the call: the rows of one step name those of the others too.
    assets: Vec<Resource>,
}

#[derive(Clone, Copy)]
struct Period {
    start: Timestamp,
    end: Timestamp,
}

const MOST_ASSETS: usize = 50;

impl Change for GrantAssetRole {
    const SPEC: Spec = Spec {
        name: "grant_asset_role",
        title: "Grant an OutSystems role on assets",
        effect: Effect::Grant,
        vendor: Some(outsystems::NAME),
        docs: outsystems::GRANT.docs,
        example: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
    };

    async fn resolve(self, ask: &Asker<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        self.check()?;
        let period = self.period(Timestamp::now())?;
        let (user, role) = tokio::try_join!(
            outsystems::user(ask, self.user_key.as_str()),
            outsystems::role(ask, self.role_key.as_str()),
        )?;
        let portfolio = self.portfolio_key.as_ref().map(|key| key.as_str().to_owned());
        let mut assets: Vec<Resource> = Vec::new();
        for wanted in &self.asset_keys {
            let asset = outsystems::asset(ask, wanted.as_str()).await?;
            if assets.iter().all(|known| known.id != asset.id) {
                assets.push(asset);
            }
        }
        let step = |asset: &Resource| -> Box<dyn Step> {
            let wanted = wanted(&user, &role, asset, period);
            let (user, role, portfolio) = (user.clone(), role.clone(), portfolio.clone());
            Box::new(AssetRole { wanted, user, role, portfolio, period, assets: assets.clone() })
        };
        Ok(assets.iter().map(step).collect())
    }
}

fn wanted(user: &Principal, role: &Role, asset: &Resource, period: Option<Period>) -> Access {
    Access {
        principal: user.named(),
        role: role.named(),
        resource: asset.named(),
        scope: "asset",
        expires_at: period.map(|period| period.end.to_string()),
        pending: false,
    }
}

impl GrantAssetRole {
    fn check(&self) -> Result<(), Failure> {
        if self.asset_keys.is_empty() {
            return Err(Failure::refused(
                "assetKeys is empty: OutSystems would grant the role for the whole organization",
            )
            .hint("name at least one asset"));
        }
        if self.asset_keys.len() > MOST_ASSETS {
            return Err(Failure::invalid(format!("assetKeys: at most {MOST_ASSETS} at once")));
        }
        Ok(())
    }

    fn period(&self, now: Timestamp) -> Result<Option<Period>, Failure> {
        let end = match (self.expires_in, self.expires_at) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("expires_in and expires_at exclude each other"));
            }
            (Some(duration), None) => duration.after(now),
            (None, Some(time)) => Some(time.timestamp()),
        };
        // OutSystems shows whole seconds; a fraction would not survive the way there and back.
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        match end {
            Some(end) if end > now => Ok(Some(Period { start: whole(now), end: whole(end) })),
            _ => Err(Failure::invalid("the end of the grant must be a time to come")),
        }
    }
}

impl AssetRole {
    /// A role the vendor lists, as a row; names are known for what this call resolved.
    fn row(&self, held: HeldRole) -> Access {
        let known = |key: &str| self.assets.iter().find(|asset| asset.id == key);
        let resource = match held.asset_key {
            None => Named::new("organization", None, "organization"),
            Some(key) => known(&key).map(Resource::named).unwrap_or(Named::new(key, None, "asset")),
        };
        let scope =
            if resource.kind.as_deref() == Some("asset") { "asset" } else { "organization" };
        Access {
            principal: self.wanted.principal.clone(),
            role: Named { id: held.key, name: held.name, kind: None },
            resource,
            scope,
            expires_at: held.grant_period.and_then(|period| period.end_time),
            pending: false,
        }
    }

    fn is_wanted(&self, row: &Access) -> bool {
        row.role.id == self.wanted.role.id && row.resource.id == self.wanted.resource.id
    }

    /// Whether the row ends when it was asked to: an end that is not there would be for ever.
    fn ends_as_wanted(&self, row: &Access) -> bool {
        self.period.is_none_or(|period| end(row) == Some(period.end))
    }

    /// What a row that is there already means for a request with or without an end.
    fn already(&self, row: &Access) -> Result<Plan, Failure> {
        let there = end(row);
        let mut warnings = Vec::new();
        match (there, self.period.map(|period| period.end)) {
            (None, Some(_)) => warnings.push(
                "the access is there without an end, and is not shortened by this request"
                    .to_owned(),
            ),
            (Some(end), wanted) if wanted.is_none_or(|wanted| wanted > end) => {
                return Err(Failure::refused(format!(
                    "the access is there and ends at {end}; \
                     OutSystems cannot change the end of a grant"
                ))
                .hint("revoke it and grant it again"));
            }
            (Some(end), Some(wanted)) if wanted < end => {
                warnings.push(format!("the access is there until {end}, and is not shortened"));
            }
            _ => {}
        }
        Ok(Plan::Already { outcome: Outcome::AlreadyPresent, warnings })
    }

    fn warnings(&self, now: &Standing) -> Vec<String> {
        let mut warnings = self.user.warnings();
        for row in now.rows.iter().filter(|row| row.scope == "organization") {
            warnings.push(format!(
                "{} already reaches every asset as {} through the organization",
                self.wanted.principal.label(),
                row.role.label()
            ));
        }
        if self.period.is_some() {
            warnings.push(
                "OutSystems is told when the grant ends; nothing else takes it back".to_owned(),
            );
        }
        warnings
    }
}

impl Step for AssetRole {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.wanted;
        format!("grant {} on {} to {}", label(role), label(resource), label(principal))
    }

    fn privileged(&self) -> Option<String> {
        let role = label(&self.wanted.role);
        self.role.privileged.then(|| format!("{role} lets its holder change who may do what"))
    }

    fn current<'a>(&'a self, ask: &'a Asker<'a>) -> Boxed<'a, Result<Standing, Failure>> {
        Box::pin(async move {
            let held = outsystems::held(ask, &self.wanted.principal.id).await?;
            let rows = held.into_iter().map(|held| self.row(held)).collect();
            Ok(Standing { rows, conclusive: true, version: None })
        })
    }

    fn plan(&self, now: &Standing) -> Result<Plan, Failure> {
        let mut there = now.rows.iter().filter(|row| !has_ended(row, SignedDuration::ZERO));
        if let Some(row) = there.clone().find(|row| self.is_wanted(row)) {
            return self.already(row);
        }
        let there = there.find(|row| row.resource.id == self.wanted.resource.id);
        if let Some(other) = there {
            return Err(Failure::refused(format!(
                "{} already holds {} on {}, and OutSystems keeps one role an app: a second grant \
                 may replace it",
                label(&self.wanted.principal),
                label(&other.role),
                label(&other.resource),
            ))
            .hint("revoke that role first if the new one should take its place"));
        }
        let mut body = json!({ "assetKeys": [self.wanted.resource.id] });
        if let Some(Period { start, end }) = self.period {
            let period = json!({ "startTime": start.to_string(), "endTime": end.to_string() });
            put(&mut body, "grantPeriod", period);
        }
        if let Some(portfolio) = &self.portfolio {
            put(&mut body, "portfolioKey", portfolio.as_str());
        }
        let path = [("key", &*self.wanted.principal.id), ("roleKey", &*self.wanted.role.id)];
        let draft = outsystems::GRANT.draft(&path)?.body(body);
        let mut after = now.rows.clone();
        after.push(self.wanted.clone());
        Ok(Plan::Send { draft, after, warnings: self.warnings(now) })
    }

    fn verify(&self, before: &Standing, now: &Standing) -> Finding {
        let Some(row) = now.rows.iter().find(|row| self.is_wanted(row)) else {
            return Finding::Elsewise("the role is not listed for that asset".to_owned());
        };
        if !self.ends_as_wanted(row) {
            let end = row.expires_at.as_deref().unwrap_or("never");
            return Finding::Elsewise(format!("the role is there, and its end is: {end}"));
        }
        let mut lost = before.lost(now);
        // A row that ended by itself between two readings was not lost to the grant.
        lost.retain(|row| !has_ended(row, SignedDuration::from_secs(60)));
        if lost.is_empty() { Finding::There } else { Finding::Lost(lost) }
    }
}

fn end(row: &Access) -> Option<Timestamp> {
    row.expires_at.as_deref()?.parse().ok()
}

/// Whether a row has ended, or will within `slack`.
fn has_ended(row: &Access, slack: SignedDuration) -> bool {
    end(row).is_some_and(|end| end <= Timestamp::now() + slack)
}
