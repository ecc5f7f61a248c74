use super::{Global, Ran, call, complete};
use clap_complete::ArgValueCandidates;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  grantor call check_change    # the receipts of the last 24 hours\n  \
    grantor undo gr-aaaaaaaaaaaaaaaaaaaaaaaaaa --reason 'the wrong Sam'"
)]
pub(super) struct Arguments {
    /// The receipt of the change to undo; `grantor call check_change` lists the latest
    #[arg(add = ArgValueCandidates::new(complete::receipts))]
    receipt: String,
    /// Why; kept in the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let Arguments { receipt, reason } = arguments;
    let json = serde_json::json!({ "receipt": receipt }).to_string();
    call::run(global, call::Arguments::new("undo_change", json, reason)).await
}
