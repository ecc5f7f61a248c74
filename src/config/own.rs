//! Grantor's own settings: those of no vendor, and of no section.

use super::file::File;
use super::{ConfigError, Sources, floor, gather};
use crate::observe::Format;
use crate::settings::{Need, Settings, Variable};

/// What the ledger is sealed with.
pub(super) const LEDGER_KEY: &str = "GRANTOR_LEDGER_KEY";
const LOG_FORMAT: &str = "GRANTOR_LOG_FORMAT";
const CONSENT_WAIT: &str = "GRANTOR_CONSENT_WAIT";
/// What is asked for longer than this is better asked at a terminal.
const LONGEST_WAIT: u64 = 3600;

/// Grantor's own settings that may come from a file or a command.
pub(super) const OWN: &[Variable] = &[Variable {
    name: LEDGER_KEY,
    secret: true,
    need: Need::Optional,
    help: "at least 32 bytes of text or base64",
}];

/// Grantor's own secrets. What the floor takes one from, nobody else may have written.
pub(super) fn own(
    sources: &Sources<'_>,
    file: &File,
    floor: &File,
) -> Result<Settings, ConfigError> {
    if !floor.has("ledger_key") {
        return Ok(gather::own(OWN, sources.environment, file));
    }
    let own = gather::own(OWN, &|_| None, floor);
    own.files().try_for_each(floor::check)?;
    Ok(own)
}

/// How long a question waits while a call is open, in seconds.
pub(super) fn consent_wait(
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<u64>, ConfigError> {
    let wait = match (env(CONSENT_WAIT), file.own("consent_wait")) {
        (Some(text), _) => text.trim().parse().ok(),
        (None, Some(value)) => value.as_integer().and_then(|wait| u64::try_from(wait).ok()),
        (None, None) => return Ok(None),
    };
    wait.filter(|wait| (1..=LONGEST_WAIT).contains(wait)).map(Some).ok_or_else(|| {
        ConfigError(format!("{CONSENT_WAIT} must be a number of seconds from 1 to {LONGEST_WAIT}"))
    })
}

pub(super) fn log_format(
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Format, ConfigError> {
    let name = match (env(LOG_FORMAT), file.own("log_format")) {
        (Some(name), _) => name.trim().to_owned(),
        (None, Some(value)) => value.as_str().unwrap_or_default().to_owned(),
        (None, None) => return Ok(Format::default()),
    };
    Format::named(&name)
        .ok_or_else(|| ConfigError(format!("{LOG_FORMAT} is human or json, not {name:?}")))
}
