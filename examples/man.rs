//! Writes the manual pages, one a command, into a folder: `cargo run --features man --example man -- DIR`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use grantor::cli::Cli;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return told("which folder? cargo run --features man --example man -- DIR");
    };
    let command = Cli::command().disable_help_subcommand(true);
    let written =
        std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(command, &folder));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => told(&format!("{}: {error}", folder.display())),
    }
}

fn told(trouble: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{trouble}");
    ExitCode::FAILURE
}
