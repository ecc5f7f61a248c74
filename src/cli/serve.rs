use std::process::ExitCode;

use super::{Global, Ran, setup::Setup};
use crate::desk::Desk;

pub(super) async fn run(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    crate::server::serve_stdio(Desk::new(config)?).await?;
    Ok(ExitCode::SUCCESS)
}
