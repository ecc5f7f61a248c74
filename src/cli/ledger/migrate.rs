use std::process::ExitCode;

use crate::cli::{Ran, paint};
use crate::config::Config;

pub(super) async fn run(config: Config) -> Ran {
    let owner = config.store_owner.or(config.store.map(|store| store.url));
    let Some(owner) = owner else {
        paint::complain(super::NO_DATABASE);
        return Ok(ExitCode::from(2));
    };
    crate::ledger::migrate(owner).await?;
    paint::note("the database has the tables of a ledger");
    Ok(ExitCode::SUCCESS)
}
