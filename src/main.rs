//! The `grantor` binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    grantor::cli::main()
}
