use std::process::ExitCode;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::{Global, Ran, paint, setup::Setup};
use crate::catalogue;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  grantor tools --read-only\n  grantor --sandbox tools --json")]
pub(super) struct Arguments {
    /// Print a SHA-256 over the definitions, to notice when they change
    #[arg(long, conflicts_with = "as_json")]
    hash: bool,
}

pub(super) async fn run(global: &Global, arguments: &Arguments) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    // What no server would start with serves no tools.
    setup.config.guard()?;
    let tools: Vec<_> = catalogue::listed(&setup.config).collect();
    let definitions =
        Value::Array(tools.iter().map(|tool| catalogue::served(tool, &setup.config)).collect());
    let text = if global.as_json {
        format!("{definitions:#}\n")
    } else if arguments.hash {
        let hash = digest(&SHA256, definitions.to_string().as_bytes());
        let hex = crate::text::hex(hash.as_ref());
        format!("{hex}\n")
    } else {
        let width = tools.iter().map(|tool| tool.spec.name.len()).max().unwrap_or_default();
        let line =
            |tool: &&catalogue::Tool| format!("{:width$}  {}\n", tool.spec.name, tool.spec.title);
        tools.iter().map(line).collect()
    };
    paint::raw(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
