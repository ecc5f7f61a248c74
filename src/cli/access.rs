//! Access reviews: all access there is, to hand on, and what came and went between two of them.

mod collect;
mod diff;
mod export;
mod html;
pub(super) mod report;

use std::io;
use std::path::Path;

use clap::Subcommand;

use super::setup::Setup;
use super::{Global, Ran};
use crate::desk::Desk;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write all access there is, within the vendors' rates
    #[command(after_help = "Examples:\n  grantor access export --format html -o review.html\n  \
        grantor access export --format csv > review.csv\n\nWith -o it can be broken off: the same \
        command goes on where it stopped.\n\nExit status: 0 everything was read that can be, 1 \
        something could not be read: it is in the review, and on stderr.")]
    Export(export::Arguments),
    /// Show what came and went since an export, and through which receipt
    #[command(after_help = "Examples:\n  grantor access diff monday.json\n  \
        grantor access diff monday.json friday.json\n\nBoth are exports of --format json; without \
        the second one the access there is now is read.")]
    Diff(diff::Arguments),
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let desk = Desk::new(config)?;
    match arguments.command {
        Command::Export(arguments) => export::run(&desk, arguments, global.as_json).await,
        Command::Diff(arguments) => diff::run(&desk, &arguments, global.as_json).await,
    }
}

/// Says of which file an error is.
fn at(file: &Path, error: &io::Error) -> io::Error {
    let more = if error.kind() == io::ErrorKind::NotFound { "; is its folder there?" } else { "" };
    io::Error::new(error.kind(), format!("{}: {error}{more}", file.display()))
}
