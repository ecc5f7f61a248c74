use serde_json::json;

use super::paint::{self, GOOD, WAITS, with};
use super::setup::{self, Setup};
use super::{Global, Ran, status};
use crate::access::Outcome;
use crate::config::Config;
use crate::desk::{Desk, Ending, MaintenanceReport};
use crate::failure::Failure;
use crate::ledger::{Record, Trouble};
use crate::notify::Trouble as Untold;
use crate::page::PageUrls;
use crate::text;

pub(super) async fn run(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    not_read_only(&config)?;
    let desk = Desk::new(config)?;
    setup::warn_of_policy(&desk);
    let claim = desk.claimed().await;
    let troubles = desk.ledger().troubles().await?;
    let failure = match claim {
        Ok(claim) => {
            let done = desk.expire().await;
            drop(claim);
            tell(&desk).await;
            return report(global, &done?, "nothing is due", &troubles);
        }
        Err(failure) => failure,
    };
    // Nothing can be recorded, so nothing is taken back; what should have been can be read.
    report(global, &unmaintained(&desk, &failure).await?, "nothing is due", &troubles)?;
    Err(failure.into())
}

/// Tells others what has happened, where no server does; what could not be told waits.
pub(super) async fn tell(desk: &Desk) {
    let page = PageUrls::configured(&desk.config().http);
    let link = |receipt: &str| page.as_ref().map(|page| page.of_request(receipt));
    for Untold { endpoint, why } in desk.tell(&link).await {
        let why = text::clean(&why);
        tracing::warn!(endpoint, why, "notices wait: `grantor doctor` says more");
    }
}

/// What is due where nothing can be taken back, and why it is left.
async fn unmaintained(desk: &Desk, failure: &Failure) -> Result<Vec<MaintenanceReport>, Failure> {
    let due = desk.ledger().late(crate::clock::now()).await?;
    let left = |record: Record| {
        let end = record.expires_at.map(paint::time).unwrap_or_default();
        let why = format!("it was to end {end}, and is not taken back: {}", failure.message);
        MaintenanceReport {
            receipt: record.receipt,
            summary: record.summary,
            ending: Ending::Left(why),
        }
    };
    Ok(due.into_iter().map(left).collect())
}

/// # Errors
/// The process is read-only: then it carries nothing out.
pub(super) fn not_read_only(config: &Config) -> Result<(), Failure> {
    if !config.read_only {
        return Ok(());
    }
    Err(Failure::refused("this process is read-only: it carries nothing out")
        .hint("run it without --read-only"))
}

/// One line each: on stdout what is as it should be, on stderr what somebody has to look at.
pub(super) fn report(
    global: &Global,
    reports: &[MaintenanceReport],
    nothing: &str,
    troubles: &[Trouble],
) -> Ran {
    if global.as_json {
        return as_json(reports, troubles);
    }
    if reports.is_empty() && troubles.is_empty() && super::person::is_here() {
        paint::note(nothing);
    }
    let mut is_told = true;
    for one in reports {
        let MaintenanceReport { receipt, summary, ending } = one;
        match ending {
            Ending::Left(why) => paint::complain(&format!("left  {receipt}  {summary}: {why}")),
            Ending::Elsewhere(why) => {
                paint::complain(&format!("not for here  {receipt}  {summary}: {why}"));
            }
            Ending::Done(outcome, said) if one.is_left() => {
                paint::complain(&format!("{}  {receipt}  {summary}: {said}", outcome.as_str()));
            }
            Ending::Done(outcome, said) => {
                let what = format!("{receipt} is {}: {summary}: {said}", outcome.as_str());
                let line = line(*outcome, receipt, summary, said);
                is_told &= paint::told(&paint::folded(&line), &what);
            }
        }
    }
    status::tell(troubles);
    Ok(status::reports(reports, troubles, is_told))
}

fn line(outcome: Outcome, receipt: &str, summary: &str, said: &str) -> String {
    let style = if outcome.exit_status() == 0 { GOOD } else { WAITS };
    let (word, told) = (with(style, outcome.as_str()), text::clean(&format!("{summary}: {said}")));
    format!("  {word}  {receipt}  {told}\n")
}

/// The same as data: what was done, and what is left for a person.
fn as_json(reports: &[MaintenanceReport], troubles: &[Trouble]) -> Ran {
    let one = |one: &MaintenanceReport| {
        let MaintenanceReport { receipt, summary, ending } = one;
        let (outcome, why, is_elsewhere) = match ending {
            Ending::Done(outcome, said) => (Some(outcome.as_str()), said, false),
            Ending::Left(why) => (None, why, false),
            Ending::Elsewhere(why) => (None, why, true),
        };
        let mut told = json!({ "receipt": receipt, "summary": summary, "outcome": outcome,
            "left": one.is_left() || outcome.is_none(), "elsewhere": is_elsewhere, "said": why });
        text::clean_value(&mut told);
        told
    };
    let body = json!({ "changes": reports.iter().map(one).collect::<Vec<_>>() });
    let out = paint::json_text(&format!("{body:#}"));
    let gist = reports.iter().map(|one| one.receipt.as_str()).collect::<Vec<_>>().join(", ");
    let is_told = paint::told(&out, &format!("this was about {gist}"));
    status::tell(troubles);
    Ok(status::reports(reports, troubles, is_told))
}
