use std::process::ExitCode;

use crate::cli::{Ran, paint};
use crate::ledger::Ledger;

pub(super) async fn run(ledger: &Ledger) -> Ran {
    ledger.reindex().await?;
    paint::note("what this machine finds lines by was made anew");
    Ok(ExitCode::SUCCESS)
}
