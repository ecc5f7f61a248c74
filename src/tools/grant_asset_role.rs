use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asset_role::{self, AssetRole};
use super::giving::{Gives, replaces};
use super::{
    Change, Effect, Inverse, LASTING, Plan, Replacement, STARTS, Snapshot, Spec, Step, Term,
    Verification, privilege,
};
use crate::access::{Access, Named, Outcome};
use crate::argument::{Name, Time, Uuid};
use crate::failure::Failure;
use crate::json::put;
use crate::ledger::Record;
use crate::text;
use crate::vendors::VendorReader;
use crate::vendors::outsystems::{self, same_key};

/// Grant an OutSystems organization role to a user for one or more assets. Stops where the user
/// holds another role on an asset, or replaces it.
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
    /// Take the role that stands there instead of stopping.
    #[serde(rename = "replace")]
    _replace: Option<bool>,
    /// When it begins, if later; with an end.
    #[serde(rename = "starts_at")]
    _starts_at: Option<Time>,
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
        let ends = LASTING.iter().any(|name| given.get(*name).is_some_and(|end| !end.is_null()));
        let mut wrong = asset_role::wrong(given);
        if given.get(STARTS).is_some_and(|start| !start.is_null()) && !ends {
            let open = "needs an end: OutSystems keeps both as one period";
            wrong.push(Failure::invalid(open).of(STARTS).hint("give expires_in or expires_at too"));
        }
        wrong
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

    /// In the portfolio where the other holds it. OutSystems keeps one role an asset.
    fn gives(row: &Access, to: &Named, there: &[Access]) -> Option<Gives> {
        if row.scope != "asset" {
            return Some(Gives::Not(asset_role::of_organization()));
        }
        if let Some(own) = there.first() {
            return Some(match there.iter().any(|own| asset_role::is_same(own, row)) {
                true => Gives::Already,
                false => Gives::Not(replaces(own, Self::SPEC.name)),
            });
        }
        let given = Access { principal: to.clone(), ..row.clone() };
        let mut arguments = asset_role::arguments(&given);
        if let Some(portfolio) = &row.within {
            put(&mut arguments, "portfolioKey", portfolio.as_str());
        }
        Some(Gives::With(arguments))
    }

    fn inverse(record: &Record) -> Result<Inverse, Failure> {
        Ok(Inverse {
            tool: "revoke_asset_role",
            arguments: asset_role::arguments(&record.wanted()),
        })
    }
}

impl Granting {
    const TOOL: &str = GrantAssetRole::SPEC.name;

    /// Whether the row ends when it was asked to: an end that is not there would be for ever.
    fn ends_as_wanted(&self, row: &Access) -> bool {
        self.period.is_none_or(|period| end(row) == Some(period.end))
    }

    /// Whether the row begins when it was asked to, or has begun where it was to begin at once.
    fn begins_as_wanted(&self, row: &Access) -> bool {
        let start = |row: &Access| row.starts_at.as_ref()?.parse::<Timestamp>().ok();
        match start(&self.of.wanted) {
            Some(wanted) => {
                start(row) == Some(wanted) || has_begun(row) && wanted <= Timestamp::now()
            }
            None => has_begun(row),
        }
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
            if self.begins_as_wanted(row) && self.ends_as_wanted(row) {
                let outcome = Outcome::AlreadyPresent;
                return Ok(Plan::Already { outcome, warnings: Vec::new() });
            }
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
        self.of.wanted.starts_at = term.starts.map(|start| start.to_string());
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

    fn replacement(&self, now: &Snapshot) -> Option<Replacement> {
        let mut there = now.rows.iter().filter(|row| !has_ended(row, SignedDuration::ZERO));
        if self.row(there.clone()).is_some() {
            return None;
        }
        let old = there.find(|row| self.of.is_there(row))?;
        if old.starts_at.is_some() && old.expires_at.is_none() {
            // Given back from here it would begin at once.
            return None;
        }
        let own = Access { principal: self.of.wanted.principal.clone(), ..old.clone() };
        let mut back = asset_role::arguments(&own);
        let more = [
            ("portfolioKey", &old.within),
            (STARTS, &old.starts_at),
            (LASTING[1], &old.expires_at),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                put(&mut back, name, value.as_str());
            }
        }
        Some(Replacement {
            take: Inverse { tool: "revoke_asset_role", arguments: asset_role::arguments(&own) },
            back: Inverse { tool: Self::TOOL, arguments: back },
        })
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
            .hint("if the new one should take its place, call again with replace: true"));
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
        if !self.begins_as_wanted(row) {
            let when = match &row.starts_at {
                Some(start) => format!("begins at {} only", text::quoted(start)),
                None => "has begun already".to_owned(),
            };
            return Verification::Elsewise(format!("the role is there, and {when}"));
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

#[cfg(test)]
mod tests {
    use super::super::asset_role::tests::{standing, supposed};
    use super::super::tables::{expected, found, planned, record, undone, warned};
    use super::*;

    const FROM: &str = "2026-01-01T00:00:00Z";
    const LATER: &str = "2099-01-01T00:00:00Z";
    /// The request for Ana, Developer and Orders.
    const POST: &str = "POST /api/identity/v1/users/ana/organization-roles/developer";

    /// "until TIME" and "in PORTFOLIO" are what is asked for beside the role.
    fn granting(asked: &str) -> Granting {
        let words: Vec<&str> = asked.split(' ').collect();
        let after = |word: &str| words.iter().skip_while(|w| **w != word).nth(1).copied();
        let portfolio = after("in").map(str::to_owned);
        let mut step = Granting { of: supposed(false), portfolio, period: None };
        let until = after("until").map(|end| end.parse().unwrap());
        step.set_term(Term::new(FROM.parse().unwrap(), until, None));
        step
    }

    #[test]
    fn one_asset_is_sent_with_what_was_asked_and_nothing_else() {
        for (asked, holds, sent) in [
            ("", &[][..], r#"{"assetKeys":["orders"]}"#),
            ("in p-1", &[], r#"{"assetKeys":["orders"],"portfolioKey":"p-1"}"#),
            (
                "until 2099-01-01T00:00:00Z",
                &[],
                r#"{"assetKeys":["orders"],"grantPeriod":{"startTime":"2026-01-01T00:00:00Z","endTime":"2099-01-01T00:00:00Z"}}"#,
            ),
            // Other assets, the organization, and what has ended stand in nobody's way.
            (
                "",
                &["Developer on Billing", "Tester on organization"],
                r#"{"assetKeys":["orders"]}"#,
            ),
            ("", &["Tester on Orders until 2020-01-01T00:00:00Z"], r#"{"assetKeys":["orders"]}"#),
            (
                "",
                &["Developer on Orders until 2020-01-01T00:00:00Z"],
                r#"{"assetKeys":["orders"]}"#,
            ),
        ] {
            let step = granting(asked);
            let now = standing(&step.of, holds);
            assert_eq!(planned(&step, &now), format!("{POST} {sent}"), "{asked} {holds:?}");
            let last = expected(&step, &now).pop();
            assert_eq!(last.as_deref(), Some("ana: developer on orders"), "{asked} {holds:?}");
            assert_eq!(expected(&step, &now).len(), holds.len() + 1, "{asked} {holds:?}");
        }
    }

    #[test]
    fn what_is_there_is_so_already_or_in_the_way() {
        for (asked, holds, plan) in [
            ("", &["Developer on Orders"][..], "already_present"),
            ("", &["Developer on Orders in p-2"], "already_present"),
            ("in p-1", &["Developer on Orders in P-1"], "already_present"),
            (
                "in p-1",
                &["Developer on Orders in p-2", "Developer on Orders in p-1"],
                "already_present",
            ),
            ("in p-1", &["Developer on Orders"], "already_present"),
            (
                "in p-1",
                &["Developer on Orders in p-2"],
                "Refused: the role is there already, in the portfolio “p-2”",
            ),
            (
                "until 2099-01-01T00:00:00Z",
                &["Developer on Orders until 2099-01-01T00:00:00.000Z"],
                "already_present",
            ),
            (
                "until 2099-01-01T00:00:00Z",
                &["Developer on Orders"],
                "Refused: the access is there without an end, and a grant shortens nothing",
            ),
            (
                "until 2098-01-01T00:00:00Z",
                &["Developer on Orders until 2099-01-01T00:00:00Z"],
                "Refused: the access is there until 2099-01-01T00:00:00Z, and a grant shortens nothing",
            ),
            (
                "until 2099-01-01T00:00:00Z",
                &["Developer on Orders until 2098-01-01T00:00:00Z"],
                "Refused: the access is there and ends at 2098-01-01T00:00:00Z; \
                 OutSystems cannot change the end of a grant",
            ),
            (
                "",
                &["Developer on Orders until 2098-01-01T00:00:00Z"],
                "Refused: the access is there and ends at 2098-01-01T00:00:00Z; \
                 OutSystems cannot change the end of a grant",
            ),
            (
                "",
                &["Developer on Orders from 2098-01-01T00:00:00Z"],
                "Refused: the role is assigned there, and begins at “2098-01-01T00:00:00Z” only",
            ),
            (
                "",
                &["Tester on Orders"],
                "Refused: “Ana” (ana) already holds “Tester” on orders, and OutSystems keeps one role \
                 an app: a second grant may replace it",
            ),
        ] {
            let step = granting(asked);
            let now = standing(&step.of, holds);
            assert_eq!(planned(&step, &now), plan, "{asked} {holds:?}");
        }
    }

    #[test]
    fn what_is_read_back_is_compared_with_what_was_asked_and_with_before() {
        for (asked, before, now, seen) in [
            ("", &[][..], &["Developer on Orders"][..], "there"),
            ("", &[], &[], "elsewise: the role is not listed for that asset"),
            ("", &[], &["Developer on Billing"], "elsewise: the role is not listed for that asset"),
            (
                "",
                &[],
                &["Developer on organization"],
                "elsewise: the role is not listed for that asset",
            ),
            ("", &[], &["Tester on Orders"], "elsewise: the role is not listed for that asset"),
            (
                "until 2099-01-01T00:00:00Z",
                &[],
                &["Developer on Orders until 2099-01-01T01:00:00+01:00"],
                "there",
            ),
            (
                "until 2099-01-01T00:00:00Z",
                &[],
                &["Developer on Orders"],
                "elsewise: the role is there, and its end is “never”",
            ),
            (
                "until 2099-01-01T00:00:00Z",
                &[],
                &["Developer on Orders until 2098-01-01T00:00:00Z"],
                "elsewise: the role is there, and its end is “2098-01-01T00:00:00Z”",
            ),
            (
                "",
                &[],
                &["Developer on Orders from 2098-01-01T00:00:00Z"],
                "elsewise: the role is there, and begins at “2098-01-01T00:00:00Z” only",
            ),
            ("in p-1", &[], &["Developer on Orders in P-1"], "there"),
            (
                "in p-1",
                &[],
                &["Developer on Orders in p-2"],
                "elsewise: the role is there, and its portfolio is “p-2”",
            ),
            (
                "in p-1",
                &[],
                &["Developer on Orders"],
                "elsewise: the role is there, and its portfolio is “none”",
            ),
            ("in p-1", &[], &["Developer on Orders in p-2", "Developer on Orders in p-1"], "there"),
            // A second grant may take the place of what was there, on this asset or another.
            ("", &["Tester on Billing"], &["Developer on Orders"], "lost: ana: tester on billing"),
            ("", &["Tester on Billing"], &["Tester on Billing", "Developer on Orders"], "there"),
            (
                "",
                &["Tester on Billing until 2020-01-01T00:00:00Z"],
                &["Developer on Orders"],
                "there",
            ),
            // An asset that is left out may mean the organization.
            (
                "",
                &[],
                &["Developer on Orders", "Developer on organization"],
                "wider: ana: developer on organization",
            ),
            (
                "",
                &["Developer on organization"],
                &["Developer on Orders", "Developer on organization"],
                "there",
            ),
            ("", &[], &["Developer on Orders", "Developer on Billing"], "there"),
        ] {
            let step = granting(asked);
            let [before, now] = [before, now].map(|rows| standing(&step.of, rows));
            assert_eq!(found(&step, &before, &now), seen, "{asked} {before:?} {now:?}");
        }
    }

    #[test]
    fn whoever_reaches_the_asset_already_is_told() {
        for (holds, warnings) in [
            (&["Tester on organization"][..], 1),
            (&["Tester on organization from 2098-01-01T00:00:00Z"], 0),
            (&["Tester on Billing"], 0),
        ] {
            let mut step = granting("");
            let now = standing(&step.of, holds);
            let told = warned(&step, &now);
            assert_eq!(told.len(), warnings, "{told:?}");
            step.of.user.active = Some(false);
            assert!(warned(&step, &now)[0].ends_with("is not active"), "{holds:?}");
        }
    }

    #[test]
    fn a_grant_says_itself_in_keys_and_is_privileged_where_its_role_is() {
        for (asked, arguments) in [
            ("", r#"{"userKey":"ana","roleKey":"developer","assetKeys":["orders"]}"#),
            (
                "in p-1",
                r#"{"userKey":"ana","roleKey":"developer","assetKeys":["orders"],"portfolioKey":"p-1"}"#,
            ),
        ] {
            assert_eq!(granting(asked).arguments().to_string(), arguments);
        }
        for privileged in [false, true] {
            let step = Granting { of: supposed(privileged), ..granting("") };
            assert_eq!(step.privileged().is_some(), privileged);
            assert_eq!(step.contains(), ["Release management > Deploy"]);
            assert_eq!(step.ingredients(), ["deploy, k1"]);
        }
        assert_eq!(granting("").summary(), "grant “Developer” on “Orders” to “Ana” (ana)");
        let timed = granting("until 2099-01-01T00:00:00Z");
        assert_eq!(timed.wanted().expires_at.as_deref(), Some(LATER));
        let inverse = undone(GrantAssetRole::inverse(&record(timed.wanted(), &[], true)));
        let arguments = r#"{"userKey":"ana","roleKey":"developer","assetKeys":["orders"]}"#;
        assert_eq!(inverse, format!("revoke_asset_role {arguments}"));
    }

    /// A role on an asset, in its portfolio; never in place of another, and never for the organization.
    #[test]
    fn a_role_on_an_asset_is_given_as_another_holds_it() {
        use super::super::giving::tests::{given, row, somebody};
        let vendor = &outsystems::VENDOR;
        let [ana, sam] = ["ana", "sam"].map(|id| somebody(id, "user"));
        let granted =
            r#"grant_asset_role {"userKey":"sam","roleKey":"developer","assetKeys":["orders"]}"#;
        let placed = r#"grant_asset_role {"userKey":"sam","roleKey":"developer","assetKeys":["orders"],"portfolioKey":"c498b6e7-3648-445e-9afa-3a387f006745"}"#;
        for (scope, wanted, own, told) in [
            ("asset", "developer on orders", None, granted),
            ("asset", "developer on orders in c498b6e7-3648-445e-9afa-3a387f006745", None, placed),
            ("asset", "developer on orders", Some("tester on billing"), granted),
            ("asset", "developer on orders", Some("developer on orders"), "already"),
            ("asset", "developer on orders", Some("DEVELOPER on orders"), "already"),
            (
                "asset",
                "developer on orders",
                Some("tester on orders"),
                "not: sam holds tester there, and it would take the place of that",
            ),
            (
                "organization",
                "developer on organization",
                None,
                "not: it counts for the whole organization, and only roles on assets are changed from here",
            ),
        ] {
            let held: Vec<_> = own.map(|own| row(&sam, scope, own)).into_iter().collect();
            assert_eq!(given(vendor, &row(&ana, scope, wanted), &held), told, "{wanted} {own:?}");
        }
    }
}
