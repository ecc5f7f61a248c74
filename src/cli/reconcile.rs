use super::{Global, Ran, expire, setup::Setup};
use crate::desk::Desk;

/// Reads vendors and writes the ledger, so a read-only process may do it, as it may check a change.
pub(super) async fn run(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let desk = Desk::new(config)?;
    let _claim = desk.claimed().await?;
    let troubles = desk.ledger().troubles().await?;
    expire::report(global, &desk.reconcile().await?, "every change has an end", &troubles)
}
