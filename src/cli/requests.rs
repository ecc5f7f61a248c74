//! What waits for a person: listed, approved, denied, and carried out.

mod approve;
mod key;
mod list;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use jiff::SignedDuration;
use serde_json::json;

use super::{Global, Ran, complete, expire, paint, setup::Setup, status};
use crate::desk::Desk;
use crate::ledger::Channel;

/// As long as the reason for a change may be.
const LONGEST_REASON: usize = 1_000;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(clap::Args)]
struct List {
    /// Show the receipts of all, and not only of those that wait
    #[arg(long)]
    ids: bool,
}

#[derive(Subcommand)]
enum Command {
    /// List what waits, what is approved and not sent, and what is overdue (the default)
    #[command(
        after_help = "What waits has its receipt below it, for `approve` and `deny`; a shell with \
        completions fills it in."
    )]
    List(List),
    /// Read a request's question, agree to it at this terminal, and have it carried out
    Approve(approve::Arguments),
    /// Say no to a request, also after it was approved and before it is sent
    #[command(after_help = "Example:\n  \
        grantor requests deny gr-aaaaaaaaaaaaaaaaaaaaaaaaaa --reason 'the wrong Sam'")]
    Deny {
        /// The receipt of the request; `grantor requests` lists them
        #[arg(add = ArgValueCandidates::new(complete::undecided))]
        receipt: String,
        /// Why not; kept in the ledger
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Carry out what was approved and not sent, at the vendors that are configured here
    #[command(after_help = "A running server that is not read-only does this by itself; \
        this is for where none is running.\n\nExit status: 0 all of it is done, 3 something is not \
        finished: a person is asked anew, or the vendor's approvers have to agree; 1 something failed. \
        What is approved for a Grantor that is set up otherwise is left to it, and named.")]
    Run,
    /// Make an approver's signing key under a passphrase, and print its line for the approvers file
    #[command(
        after_help = "Example:\n  grantor requests key ada    # then add the line it prints to \
        the file of GRANTOR_APPROVERS"
    )]
    Key {
        /// The approver's name: letters, digits and . _ - + @
        name: String,
        /// Where the key goes; never over another file [default: grantor-NAME.pem]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    match arguments.command.unwrap_or(Command::List(arguments.list)) {
        Command::List(List { ids }) => list::run(global, ids).await,
        Command::Approve(arguments) => approve::run(global, arguments).await,
        Command::Deny { receipt, reason } => deny(global, &receipt, reason).await,
        Command::Run => run_approved(global).await,
        Command::Key { name, out } => key::run(&name, out).await,
    }
}

async fn deny(global: &Global, receipt: &str, reason: Option<String>) -> Ran {
    let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
    let reason = reason.filter(|reason| !crate::text::is_blank(reason));
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        paint::complain(&format!("--reason must have at most {LONGEST_REASON} characters"));
        return Ok(ExitCode::from(2));
    }
    let desk = Desk::new(config)?;
    desk.deny(receipt, Channel::Command, reason, desk.requester()).await?;
    let line = match global.as_json {
        true => paint::json_text(&json!({ "receipt": receipt, "state": "denied" }).to_string()),
        false => format!("  {}  {receipt}\n", paint::with(paint::GOOD, "denied")),
    };
    let is_told = paint::told(&line, &format!("{receipt} is denied"));
    Ok(status::worst([u8::from(!is_told)]))
}

async fn run_approved(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    expire::not_read_only(&config)?;
    let desk = Desk::new(config)?;
    let _claim = desk.claimed().await?;
    let troubles = desk.ledger().troubles().await?;
    let reports = desk.run_approved(SignedDuration::ZERO).await?;
    let nothing = "nothing that was approved waits to be sent";
    expire::report(global, &reports, nothing, &troubles)
}
