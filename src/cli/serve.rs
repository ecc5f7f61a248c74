use std::process::ExitCode;

use super::setup::{self, Setup};
use super::{Global, Ran};
use crate::desk::Desk;

pub(super) async fn run(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let desk = Desk::new(config)?;
    setup::warn_of_policy(&desk);
    crate::server::serve_stdio(desk).await?;
    Ok(ExitCode::SUCCESS)
}
