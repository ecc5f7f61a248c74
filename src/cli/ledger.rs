//! Reading the ledger, checking it, and handing it on.

mod accept;
mod export;
mod tail;
mod verify;

use clap::Subcommand;

use super::setup::Setup;
use super::{Global, Ran};
use crate::desk::Desk;

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
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
    let desk = Desk::new(config)?;
    match arguments.command.unwrap_or_else(|| Command::Tail(tail::Arguments::default())) {
        Command::Tail(arguments) => tail::run(desk.ledger(), &arguments, global.as_json).await,
        Command::Accept => accept::run(desk.ledger(), desk.requester()).await,
        Command::Verify(arguments) => verify::run(desk.ledger(), arguments, global.as_json).await,
        Command::Export(arguments) => export::run(desk.ledger(), &arguments).await,
    }
}
