//! What a shell offers while a command is being typed: tools, tenants and receipts, as they are now.
//!
//! It looks at what the command that is being typed would look at, and offers nothing where that cannot be
//! read: whoever presses a key is told nothing.

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory as _, FromArgMatches as _};
use clap_complete::{CompletionCandidate, Shell};
use serde_json::Value;

use super::{Cli, Global, setup};
use crate::catalogue;
use crate::config::{Config, Flags};
use crate::desk::{Body, Desk};
use crate::ledger::State;
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
    let one = |row: crate::desk::HistoryRow| offered(row.receipt, &row.state, &row.summary);
    listed().into_iter().flatten().map(one).collect()
}

/// The receipts of what waits for a person.
pub(super) fn waiting() -> Vec<CompletionCandidate> {
    requests(|state| state == State::Waiting)
}

/// The receipts of what can still be said no to.
pub(super) fn undecided() -> Vec<CompletionCandidate> {
    requests(|state| matches!(state, State::Waiting | State::Approved))
}

fn requests(is_wanted: fn(State) -> bool) -> Vec<CompletionCandidate> {
    let listed = || {
        let desk = Desk::new(config()?).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(desk.ledger().requests()).ok()
    };
    let wanted = listed().into_iter().flatten().filter(|one| is_wanted(one.state));
    wanted.map(|one| offered(one.receipt, one.state.as_str(), &one.content.summary)).collect()
}

fn offered(receipt: String, state: &str, summary: &str) -> CompletionCandidate {
    CompletionCandidate::new(receipt).help(Some(format!("{state}: {summary}").into()))
}

/// The keys of the tool that is being called, and behind one what it can be where that is known here: words
/// of its schema, tenants, receipts.
pub(super) fn pairs(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let words = words();
    // Some shells take the sign for a word of its own.
    let before: Vec<_> = words.iter().rev().skip(1).filter_map(|word| word.to_str()).collect();
    let (key, value, whole) = match (current.split_once('='), before.as_slice()) {
        (None, ["=", key, ..]) => (*key, current, false),
        (Some(("", "")), [key, ..]) => (*key, "", false),
        (Some((key, value)), _) => (key, value, true),
        (None, _) => return keys(current, &words),
    };
    let starts = |word: &String| word.starts_with(value);
    let shown = |word: String| if whole { format!("{key}={word}") } else { word };
    values(key)
        .into_iter()
        .filter(starts)
        .map(|word| CompletionCandidate::new(shown(word)))
        .collect()
}

fn keys(current: &str, words: &[OsString]) -> Vec<CompletionCandidate> {
    let is_given = |key: &String| {
        let begun = format!("{key}=");
        words.iter().filter_map(|word| word.to_str()).any(|word| word.starts_with(&begun))
    };
    let schema = schema();
    let fields = schema.iter().flat_map(|schema| schema.get("properties")?.as_object());
    let fields = fields.flatten().filter(|(key, _)| key.starts_with(current) && !is_given(key));
    let one = |(key, schema): (&String, &Value)| {
        let about = schema.get("description").and_then(Value::as_str);
        CompletionCandidate::new(format!("{key}=")).help(about.map(|about| about.to_owned().into()))
    };
    fields.map(one).collect()
}

/// What a key can be, as far as no vendor has to be asked.
fn values(key: &str) -> Vec<String> {
    let named = |all: Vec<CompletionCandidate>| {
        let texts = all.into_iter().map(|one| one.get_value().to_string_lossy().into_owned());
        texts.collect::<Vec<_>>()
    };
    match key {
        catalogue::TENANT => return named(tenants()),
        "receipt" => return named(receipts()),
        _ => {}
    }
    let schema = schema();
    let field = schema.as_ref().and_then(|schema| schema.pointer(&format!("/properties/{key}")));
    let kind = field.and_then(|field| field.get("type")?.as_str());
    let words = field.and_then(|field| {
        field.get("enum").or_else(|| field.pointer("/items/enum")).and_then(Value::as_array)
    });
    match (kind, words) {
        (Some("boolean"), _) => ["true", "false"].map(str::to_owned).into(),
        (_, Some(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// That of the tool that is being called, as it would be served here.
fn schema() -> Option<Value> {
    let read = Cli::command().ignore_errors(true).try_get_matches_from(words()).ok()?;
    let (name, own) = read.subcommand()?;
    let own = if name == "policy" { own.subcommand_matches("explain")? } else { own };
    let name = own.try_get_one::<String>("tool").ok()??;
    let tool = TOOLS.iter().find(|tool| tool.spec.name == name)?;
    let mut definition = match config() {
        Some(config) => catalogue::served(tool, &config),
        None => catalogue::definition(tool),
    };
    definition.get_mut("inputSchema").map(Value::take)
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
    let read = Cli::command().ignore_errors(true).try_get_matches_from(words()).ok()?;
    Global::from_arg_matches(&read).ok()
}

/// The words of the command that is being typed.
fn words() -> Vec<OsString> {
    settings::arguments().skip_while(|word| word != "--").skip(1).collect()
}
