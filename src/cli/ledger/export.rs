use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::{Ran, paint, status};
use crate::failure::Failure;
use crate::ledger::ocsf::Events;
use crate::ledger::{Ledger, Trouble};

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
    let troubles = match format {
        Format::Jsonl => lines(ledger, since).await?,
        Format::Ocsf => events(ledger, since).await?,
    };
    status::tell(&troubles);
    Ok(status::worst([status::of(&troubles)]))
}

/// Every line as it is; which of them can be relied on is said beside them.
async fn lines(ledger: &Ledger, since: Option<Timestamp>) -> Result<Vec<Trouble>, Failure> {
    let begun = Arc::new(AtomicBool::new(false));
    let begins = begun.clone();
    let take = move |line: &str, _| {
        begins.store(true, Ordering::Relaxed);
        print_if(is_since(line, since), line)
    };
    match ledger.audit_each(take).await {
        Ok(audit) => Ok(audit.troubles()),
        Err(failure) if begun.load(Ordering::Relaxed) => Err(failure),
        // Without their key there is nothing to check them by, and they are handed on all the same.
        Err(failure) => {
            let print = move |line: &str| print_if(is_since(line, since), line).map(|()| true);
            ledger.walk(print).await.and(Err(failure))
        }
    }
}

/// What the lines that hold their seal tell. Any other is no event: whoever reads events cannot see that
/// somebody wrote it who had not the key.
async fn events(ledger: &Ledger, since: Option<Timestamp>) -> Result<Vec<Trouble>, Failure> {
    let events = Arc::new(Mutex::new(Events::default()));
    let taking = events.clone();
    let take = move |line: &str, holds: bool| {
        let parsed = serde_json::from_str::<Value>(line).ok().filter(|_| holds);
        let Some(parsed) = parsed else { return Ok(()) };
        let event = taking.lock().unwrap_or_else(PoisonError::into_inner).take(&parsed);
        event.map_or(Ok(()), |event| print_if(is_since(line, since), &event.to_string()))
    };
    let audit = ledger.audit_each(take).await?;
    let events = std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner));
    for event in events.rest() {
        // What has no end is shown whenever it began.
        let _ = print_if(true, &event.to_string());
    }
    Ok(audit.troubles())
}

fn print_if(wanted: bool, line: &str) -> io::Result<()> {
    if wanted { paint::json(line) } else { Ok(()) }
}

fn is_since(line: &str, since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let line = serde_json::from_str::<Value>(line).unwrap_or_default();
    let time = line.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    time.is_none_or(|time: Timestamp| time >= since)
}
