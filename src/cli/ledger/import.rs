use std::process::ExitCode;

use crate::cli::paint::{self, GOOD, with};
use crate::cli::{Ran, status};
use crate::config::Config;
use crate::ledger::Ledger;

pub(super) async fn run(config: Config) -> Ran {
    let Config { store, ledger_key, state_dir, requester, .. } = config;
    let Some(store) = store else {
        paint::complain(super::NO_DATABASE);
        return Ok(ExitCode::from(2));
    };
    let head = Ledger::import((&state_dir, ledger_key), store, &requester).await?;
    let lines = paint::counted(head.seq, "line");
    let line = format!(
        "  {}  {lines}, up to {head}; the files take nothing more\n",
        with(GOOD, "taken over")
    );
    let is_told = paint::told(&line, &format!("{lines} taken over, up to {head}"));
    Ok(status::worst([u8::from(!is_told)]))
}
