use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Ran};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    grantor completions bash > ~/.local/share/bash-completion/completions/grantor")]
pub(super) struct Arguments {
    /// The shell to complete in
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Ran {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "grantor", &mut script);
    super::paint::raw(&script)?;
    Ok(ExitCode::SUCCESS)
}
