use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::{Ran, paint, status};
use crate::ledger::Ledger;
use crate::ledger::ocsf::Events;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    grantor ledger export --format ocsf --since 2027-01-31T00:00:00Z > events.jsonl")]
pub(super) struct Arguments {
    /// The lines, or events of OCSF class 3005, User Access Management
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Only what was written at this time or later, such as 2027-01-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
    Ocsf,
}

pub(super) async fn run(ledger: &Ledger, arguments: &Arguments) -> Ran {
    let Arguments { format, since } = *arguments;
    match format {
        Format::Jsonl => {
            ledger.walk(move |line| print_if(is_since(line, since), line)).await?;
        }
        Format::Ocsf => events(ledger, since).await?,
    }
    // Every line was handed on as it is; which of them can be relied on is said beside them.
    let troubles = ledger.audit(None).await?.troubles();
    status::tell(&troubles);
    Ok(status::worst([status::of(&troubles)]))
}

async fn events(ledger: &Ledger, since: Option<Timestamp>) -> Result<(), crate::failure::Failure> {
    let events = Arc::new(Mutex::new(Events::default()));
    let taking = events.clone();
    let take = move |line: &str| {
        let Ok(parsed) = serde_json::from_str::<Value>(line) else { return Ok(true) };
        let event = taking.lock().unwrap_or_else(PoisonError::into_inner).take(&parsed);
        match event {
            Some(event) => print_if(is_since(line, since), &event.to_string()),
            None => Ok(true),
        }
    };
    ledger.walk(take).await?;
    let events = std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner));
    for event in events.rest() {
        // What has no end is shown whenever it began.
        let _ = print_if(true, &event.to_string());
    }
    Ok(())
}

fn print_if(wanted: bool, line: &str) -> io::Result<bool> {
    if wanted {
        paint::json(line)?;
    }
    Ok(true)
}

fn is_since(line: &str, since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let line = serde_json::from_str::<Value>(line).unwrap_or_default();
    let time = line.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    time.is_none_or(|time: Timestamp| time >= since)
}
