//! `grantor doctor`: what is well, what is not, and what to do next.

mod around;
mod notices;
mod report;
mod vendor;

use std::process::ExitCode;

use serde_json::json;

use super::paint::{BOLD, with};
use super::{Global, Ran, paint, setup::Setup};
use crate::config::{self, Config};
use crate::invocation;
use crate::outbound::Wire;
use crate::text;
use report::{Level, Report};
use vendor::Shown;

pub(super) async fn run(global: &Global) -> Ran {
    let Setup { mut config, sandbox: _sandbox } = Setup::load(global).await?;
    let mut report = vendors(&config).await;
    report.apart();
    for warning in &config.warnings {
        let warning = text::strip(warning);
        if !report.has(&warning) {
            report.add("mend", Level::Look, warning);
        }
    }
    around::people(&mut report, &config);
    around::policy(&mut report, &config);
    let ledger = config.ledger();
    around::ledger(&mut report, &config, &ledger).await;
    around::room(&mut report, &config, &ledger).await;
    around::server(&mut report, &config, &ledger).await;
    notices::notices(&mut report, &mut config, &ledger).await;
    around::network(&mut report, &config);
    let has_client = around::clients(&mut report);
    let has_timer = around::timer(&mut report).await || config.sandbox || config.read_only;
    let nobody = config.nobody();
    let next = next(&report, &config, has_client, has_timer);
    let is_sound = report.is_sound() && nobody.is_none();
    tell(global, &report, &next, is_sound)?;
    if let Some(why) = nobody {
        let hint = match is_bare(&config) {
            true => "; `grantor demo` shows what it would be like",
            false => "",
        };
        paint::complain(&format!("{why}{hint}"));
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What there is of each tenant, all asked at the same time.
async fn vendors(config: &Config) -> Report {
    let wire = Wire::default();
    let tenants = config.tenants.iter();
    let trials = tenants.clone().map(|tenant| tenant.account.authorize.trials());
    let trials = futures_util::future::join_all(trials).await;
    let settings = Shown::of(config, trials.iter().flatten());
    let checks = tenants
        .zip(&trials)
        .map(|(tenant, trials)| vendor::examine(tenant, &wire, trials, &settings));
    let mut report = Report::default();
    for found in futures_util::future::join_all(checks).await {
        report.extend(found);
    }
    for unready in &config.unready {
        vendor::lacking(&mut report, unready);
    }
    report
}

/// Whether nothing at all is set.
fn is_bare(config: &Config) -> bool {
    config.tenants.is_empty() && config.unready.iter().all(|unready| unready.absent)
}

/// The one thing to do first.
fn next(report: &Report, config: &Config, has_client: bool, has_timer: bool) -> String {
    let hinted = if is_bare(config) {
        let place = config::usual_file();
        let place = place.map(|path| format!(", {}", path.display())).unwrap_or_default();
        format!(
            "put one vendor's settings into the configuration file{place}, and run this again; README, \
             “Set up a vendor”, has what each takes"
        )
    } else if let Some(first) = report.first(Level::Bad).or_else(|| report.first(Level::Look)) {
        format!("mend what is said above of {first}")
    } else if !has_client {
        "have an MCP client start it; `grantor install` lists those it can".to_owned()
    } else if !has_timer {
        "have a timer call `grantor expire`, if access is granted for a time".to_owned()
    } else {
        "nothing: all that can be seen from here is well".to_owned()
    };
    invocation::commands(&hinted)
}

fn tell(global: &Global, report: &Report, next: &str, is_sound: bool) -> std::io::Result<()> {
    if global.as_json {
        let body = json!({ "ok": is_sound, "total": report.total(), "next": next,
            "findings": report.json() });
        return paint::json(&format!("{body:#}"));
    }
    let mut shown = report.shown();
    shown.push_str(&format!("{}   {}\n", with(BOLD, "total"), report.total()));
    shown.push_str(&format!("{}    {next}\n", with(BOLD, "next")));
    paint::lines(&shown)
}
