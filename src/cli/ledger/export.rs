use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::{Ran, paint, status, time};
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
    #[arg(long, value_name = "TIME", value_parser = time::option)]
    since: Option<Timestamp>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
    Ocsf,
}

pub(super) async fn run(ledger: &Ledger, arguments: &Arguments) -> Ran {
    let Arguments { format, since } = *arguments;
    let out = Out::default();
    let read = match format {
        Format::Jsonl => lines(ledger, since, &out).await,
        Format::Ocsf => events(ledger, since, &out).await,
    };
    // Whoever reads stops where nothing can be written, and that is not a trouble of reading.
    out.trouble()?;
    let troubles = read?;
    if !out.has_any() && troubles.is_empty() {
        paint::note("nothing is as asked for: no line of the ledger, or none since then");
    }
    status::tell(&troubles);
    Ok(status::worst([status::of(&troubles)]))
}

/// Where it is printed to, and why no more of it is.
#[derive(Clone, Default)]
struct Out {
    stopped: Arc<Mutex<Option<io::Error>>>,
    begun: Arc<AtomicBool>,
}

impl Out {
    fn print_if(&self, wanted: bool, line: &str) -> io::Result<()> {
        self.begun.fetch_or(wanted, Ordering::Relaxed);
        let printed = if wanted { paint::json(line) } else { Ok(()) };
        printed.map_err(|error| {
            let stopped = error.kind().into();
            *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            stopped
        })
    }

    fn has_any(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    fn trouble(&self) -> io::Result<()> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

/// Every line as it is; which of them can be relied on is said beside them.
async fn lines(
    ledger: &Ledger,
    since: Option<Timestamp>,
    out: &Out,
) -> Result<Vec<Trouble>, Failure> {
    let begun = Arc::new(AtomicBool::new(false));
    let (begins, to) = (begun.clone(), out.clone());
    let take = move |line: &str, _| {
        begins.store(true, Ordering::Relaxed);
        to.print_if(is_since(line, since), line)
    };
    match ledger.audit_each(take).await {
        Ok(audit) => Ok(audit.troubles()),
        Err(failure) if begun.load(Ordering::Relaxed) => Err(failure),
        // Without their key there is nothing to check them by, and they are handed on all the same.
        Err(failure) => {
            let to = out.clone();
            let print = move |line: &str| to.print_if(is_since(line, since), line).map(|()| true);
            ledger.walk(print).await.and(Err(failure))
        }
    }
}

/// What the lines that hold their seal tell. Any other is no event: whoever reads events cannot see that
/// somebody wrote it who had not the key.
async fn events(
    ledger: &Ledger,
    since: Option<Timestamp>,
    out: &Out,
) -> Result<Vec<Trouble>, Failure> {
    let events = Arc::new(Mutex::new(Events::default()));
    let (taking, to) = (events.clone(), out.clone());
    let take = move |line: &str, holds: bool| {
        let parsed = serde_json::from_str::<Value>(line).ok().filter(|_| holds);
        let Some(parsed) = parsed else { return Ok(()) };
        let event = taking.lock().unwrap_or_else(PoisonError::into_inner).take(&parsed);
        event.map_or(Ok(()), |event| to.print_if(is_since(line, since), &event.to_string()))
    };
    let audit = ledger.audit_each(take).await?;
    let events = std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner));
    for event in events.rest() {
        // What has no end is shown whenever it began.
        if out.print_if(true, &event.to_string()).is_err() {
            break;
        }
    }
    Ok(audit.troubles())
}

fn is_since(line: &str, since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return true };
    let line = serde_json::from_str::<Value>(line).unwrap_or_default();
    let time = line.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    time.is_none_or(|time: Timestamp| time >= since)
}
