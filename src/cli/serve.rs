use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::setup::{self, Setup};
use super::{Global, Ran, paint};
use crate::desk::Desk;

pub(super) async fn run(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let desk = Desk::new(config)?;
    setup::warn_of_policy(&desk);
    if std::io::stdin().is_terminal() {
        paint::note(
            "serving MCP on stdin and stdout, as a client starts it; Ctrl-D ends it, and \
             `grantor --help` says what else there is",
        );
    }
    crate::server::serve_stdio(desk).await?;
    Ok(ExitCode::SUCCESS)
}
