use std::process::ExitCode;

use clap_complete::Shell;

use super::{Ran, complete};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    grantor completions bash > ~/.local/share/bash-completion/completions/grantor\n\n\
    The script asks this program for words, tools, tenants and receipts among them: make it anew after an \
    upgrade.")]
pub(super) struct Arguments {
    /// The shell to complete in
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Ran {
    let script = complete::script(arguments.shell)?;
    super::paint::raw(&script)?;
    Ok(ExitCode::SUCCESS)
}
