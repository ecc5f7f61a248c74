use std::process::ExitCode;
use std::task::Poll;

use super::{Global, Ran, paint, setup::sources};
use crate::config;
use crate::sandbox::{Options, Sandbox};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  grantor sandbox > sandbox.env &    # kill %1 ends it\n  \
    . ./sandbox.env && grantor doctor    # once the file is written\n\n\
    With --sandbox any other command brings its own: this is for programs beside Grantor.")]
pub(super) struct Arguments {
    /// First of five consecutive ports [default: any free ones, as with 0]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Put the fake vendors back to how they began
    #[arg(long)]
    reset: bool,
}

pub(super) async fn run(global: &Global, arguments: &Arguments) -> Ran {
    let state = Some(config::state_dir(&sources(&global.flags()))?.join("sandbox"));
    let sandbox =
        Sandbox::start(Options { state, port: arguments.port, ..Options::default() }).await?;
    if arguments.reset {
        sandbox.reset()?;
    }
    // Whoever reads the last line may press the key at once.
    let mut end = std::pin::pin!(tokio::signal::ctrl_c());
    let heard = std::future::poll_fn(|context| Poll::Ready(end.as_mut().poll(context))).await;
    if global.as_json {
        let all = sandbox.environment().into_iter();
        let all = all.map(|(name, value)| (name.to_owned(), serde_json::Value::String(value)));
        let all: serde_json::Map<_, _> = all.collect();
        paint::raw(format!("{:#}\n", serde_json::Value::Object(all)).as_bytes())?;
        return until(heard, end).await;
    }
    let mut lines = String::from("# The five fake vendors are running. Ctrl-C stops them.\n");
    for (name, value) in sandbox.environment() {
        lines.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
    }
    paint::raw(lines.as_bytes())?;
    until(heard, end).await
}

/// Waits for the key, unless it was pressed already.
async fn until(
    heard: Poll<std::io::Result<()>>,
    end: impl Future<Output = std::io::Result<()>>,
) -> Ran {
    match heard {
        Poll::Ready(heard) => heard?,
        Poll::Pending => end.await?,
    }
    Ok(ExitCode::SUCCESS)
}
