//! What a shell offers while a command is being typed: tools, tenants and receipts, as they are now.
//!
//! It looks at what the command that is being typed would look at, and offers nothing where that cannot be
//! read: whoever presses a key is told nothing.

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::{CompletionCandidate, Shell};

use super::{Cli, Global, setup};
use crate::config::{Config, Flags};
use crate::desk::{Body, Desk};
use crate::settings;
use crate::tools::TOOLS;
use crate::vendors::Vendor;

/// The variable by which a shell's script asks: a client that sets a plain one for itself starts a server.
pub(super) const VARIABLE: &str = "GRANTOR_COMPLETE";
/// So many receipts fit a screen.
const MOST: usize = 30;

/// Answers a shell that asks for words, and then does nothing else.
pub(super) fn answer() {
    clap_complete::CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

/// The script that has a shell ask.
///
/// # Errors
/// There is none for this shell.
pub(super) fn script(shell: Shell) -> std::io::Result<Vec<u8>> {
    let shells = clap_complete::env::Shells::builtins();
    let known = shells.completer(&shell.to_string());
    let known =
        known.ok_or_else(|| std::io::Error::other(format!("nothing is known of {shell}")))?;
    let mut script = Vec::new();
    known.write_registration(VARIABLE, "grantor", "grantor", "grantor", &mut script)?;
    Ok(script)
}

pub(super) fn tools() -> Vec<CompletionCandidate> {
    let one = |name: &str, title: &str| {
        CompletionCandidate::new(name).help(Some(title.to_owned().into()))
    };
    TOOLS.iter().map(|tool| one(tool.spec.name, tool.spec.title)).collect()
}

pub(super) fn tenants() -> Vec<CompletionCandidate> {
    let Some(config) = config() else { return Vec::new() };
    let word = |name: &Option<String>, vendor: &Vendor| {
        name.clone().unwrap_or_else(|| vendor.name.to_owned())
    };
    let ready = config.tenants.iter().map(|tenant| word(&tenant.id.name, tenant.vendor));
    let half = config.unready.iter().filter(|unready| !unready.absent);
    let half = half.map(|unready| word(&unready.name, unready.vendor));
    ready.chain(half).map(CompletionCandidate::new).collect()
}

/// The latest receipts, with what each is of.
pub(super) fn receipts() -> Vec<CompletionCandidate> {
    let listed = || {
        let desk = Desk::new(config()?).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let asked = serde_json::json!({ "limit": MOST });
        let asked = asked.as_object().cloned().unwrap_or_default();
        let answer = runtime.block_on(desk.past_changes(desk.requester(), asked, &[], &[]));
        let Body::Listed(listed) = answer.shown().body else { return None };
        Some(listed.changes)
    };
    let one = |row: crate::desk::HistoryRow| {
        CompletionCandidate::new(row.receipt)
            .help(Some(format!("{}: {}", row.state, row.summary).into()))
    };
    listed().into_iter().flatten().map(one).collect()
}

/// The configuration that the command being typed would have.
fn config() -> Option<Config> {
    let global = typed()?;
    // One that is half typed is none yet.
    let flags = Flags { vendors: Vec::new(), tenants: Vec::new(), ..global.flags() };
    let mut config = Config::load(&setup::sources(&flags)).ok()?;
    if global.sandbox {
        config.state_dir.push("sandbox");
    }
    Some(config)
}

/// The options that were typed so far.
fn typed() -> Option<Global> {
    let words = settings::arguments().skip_while(|word| word != "--").skip(1);
    let words: Vec<OsString> = words.collect();
    let read = Cli::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    Global::from_arg_matches(&read).ok()
}
