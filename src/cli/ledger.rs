//! Reading the ledger, checking it, and handing it on.

mod accept;
mod export;
mod import;
mod migrate;
mod reindex;
mod tail;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use super::setup::Setup;
use super::{Global, Ran};
use crate::desk::Desk;

/// What is said to whoever names no database.
const NO_DATABASE: &str = "no database is named: set GRANTOR_STORE_URL, or url in [store]";

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Show the last lines (the default)
    Tail(tail::Arguments),
    /// Check that no line was changed, taken out or put in; exits with 1 if one was
    Verify(verify::Arguments),
    /// Accept what is wrong with the ledger, at a terminal; it gives nobody anything
    #[command(after_help = "What it accepts is named by its place and its hash, in a line of the \
        ledger. An approval from before the damage stays gone, and a receipt whose lines do not \
        hold stays as it is. Where the key is lost, the ledger is put aside and a new one begun, \
        which lists the ends that were due.")]
    Accept,
    /// Print the whole ledger, as it is or as OCSF events, a line each
    Export(export::Arguments),
    /// Make the tables of a ledger in a database, or bring them up to date
    #[command(
        after_help = "It uses owner_url in [store] (GRANTOR_STORE_OWNER_URL), or else url. Where the \
        database has a role grantor_app, that role may add lines and change none: let servers log in \
        as a member of it. Run it again after every upgrade: what is there stays."
    )]
    Migrate,
    /// Take the ledger of this machine over into the database; its files take nothing more then
    #[command(
        after_help = "Every line is taken over byte for byte, so that a head noted before still \
        verifies and every receipt goes on. End every `grantor serve` on this machine first. Where the \
        ledger has a key of its own, give that as GRANTOR_LEDGER_KEY: `seal.key` in the state directory \
        holds it."
    )]
    Import,
    /// Make anew what this machine finds lines by
    Reindex,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let command = arguments.command.unwrap_or_else(|| Command::Tail(tail::Arguments::default()));
    if let Command::Migrate = command {
        return migrate::run(Setup::unkeyed(global).await?.config).await;
    }
    let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
    if let Command::Import = command {
        return import::run(config).await;
    }
    let desk = Desk::new(config)?;
    match command {
        Command::Migrate | Command::Import => Ok(ExitCode::SUCCESS),
        Command::Reindex => reindex::run(desk.ledger()).await,
        Command::Tail(arguments) => tail::run(desk.ledger(), &arguments, global.as_json).await,
        Command::Accept => accept::run(desk.ledger(), desk.requester()).await,
        Command::Verify(arguments) => verify::run(desk.ledger(), arguments, global.as_json).await,
        Command::Export(arguments) => export::run(desk.ledger(), &arguments).await,
    }
}
