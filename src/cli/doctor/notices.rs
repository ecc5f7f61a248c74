//! Who is told what has happened, and whether it is.

use super::report::{Level, Report};
use crate::cli::paint;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::notify::{Backlog, Notifier, Standing};
use crate::text;

/// One line each: where it is, how far it was told, how many wait, and why.
pub(super) async fn notices(report: &mut Report, config: &mut Config, ledger: &Ledger) {
    let notifier = Notifier::new(std::mem::take(&mut config.notify), &config.state_dir);
    for (endpoint, standing) in notifier.standings(ledger).await {
        let name = &endpoint.name;
        match standing {
            Ok(standing) => {
                let (level, told) = told(&standing);
                let host = standing.host.as_deref().unwrap_or("an address that cannot be read");
                let kind = endpoint.kind.as_str();
                report.add(
                    "notices",
                    level,
                    text::clean(&format!("{name} ({kind}, {host}): {told}")),
                );
            }
            Err(failure) => {
                report.add("notices", Level::Bad, text::clean(&format!("{name}: {failure}")));
            }
        }
    }
}

fn told(standing: &Standing) -> (Level, String) {
    let Standing { backlog, trouble, is_gone, keys, .. } = standing;
    let mut parts = Vec::new();
    match backlog {
        None => parts.push("a server begins with what happens from its start on".to_owned()),
        Some(Backlog { line, waits, told, .. }) => {
            parts.push(format!("told up to line {line}, {told} in all, {waits} wait"));
        }
    }
    if let Some(last) = backlog.as_ref().and_then(|backlog| backlog.last) {
        parts.push(format!("last {}", paint::time(last)));
    }
    let given_up = backlog.as_ref().map_or(0, |backlog| backlog.given_up);
    if given_up > 0 {
        parts.push(format!("{given_up} given up after three days"));
    }
    if let Some((why, next)) = trouble {
        parts.push(format!("{why}; tried again {}", paint::time(*next)));
    }
    if *is_gone {
        parts.push("it said that it is gone: change its section to have it told again".to_owned());
    }
    parts.extend(keys.iter().map(|key| format!("its signatures are checked with {key}")));
    let level =
        if trouble.is_some() || *is_gone || given_up > 0 { Level::Look } else { Level::Note };
    (level, parts.join("; "))
}
