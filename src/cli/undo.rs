use super::{Global, Ran, call};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The receipt of the change to undo
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
