use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::cli::paint::{self, BAD, DIM, GOOD, WAITS, with};
use crate::cli::{Ran, status};
use crate::ledger::Ledger;
use crate::text;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// How many lines
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = LINES)]
    lines: usize,
}

const LINES: usize = 20;

impl Default for Arguments {
    fn default() -> Self {
        Self { lines: LINES }
    }
}

pub(super) async fn run(ledger: &Ledger, arguments: &Arguments, as_json: bool) -> Ran {
    let last = Arc::new(Mutex::new(VecDeque::new()));
    let (kept, most) = (last.clone(), arguments.lines);
    let keep = move |line: &str| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(line.to_owned());
        if kept.len() > most {
            kept.pop_front();
        }
        Ok(true)
    };
    ledger.walk(keep).await?;
    let last = std::mem::take(&mut *last.lock().unwrap_or_else(PoisonError::into_inner));
    if last.is_empty() {
        paint::note(&format!("nothing was written to {} yet", ledger.place()));
    }
    for line in &last {
        if as_json {
            paint::json(line)?;
        } else {
            paint::lines(&shown(line))?;
        }
    }
    let troubles = ledger.watched().await;
    status::tell(&troubles);
    Ok(status::worst([status::of(&troubles)]))
}

/// A line for a person: when, what, and how it went.
fn shown(line: &str) -> String {
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return format!("  {}\n", with(BAD, "a line that cannot be read"));
    };
    let field = |name: &str| text::clean(string(&line, name).unwrap_or_default());
    let (time, event, receipt) = (field("time"), field("event"), field("receipt"));
    let time = seconds(&time);
    let style = match (event.as_str(), string(&line, "outcome")) {
        ("refused" | "overdue", _) => BAD,
        ("asked", _) => WAITS,
        ("close" | "found", Some("confirmed")) => GOOD,
        ("close" | "found", _) => WAITS,
        _ => DIM,
    };
    let what = text::clean(&describe(&line, &event));
    let word = with(style, &format!("{event:<8}"));
    format!("  {}  {word}  {receipt}  {what}\n", with(DIM, &time))
}

/// What a line says, in words.
fn describe(line: &Value, event: &str) -> String {
    let part = |name: &str| string(line, name).unwrap_or_default();
    let joined = |parts: &[&str]| {
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": ")
    };
    match event {
        "open" if !part("ends").is_empty() => {
            format!("{}, at the end of {}", part("summary"), part("ends"))
        }
        "open" => format!("{}, asked by {}", part("summary"), part("requester")),
        "close" => joined(&[part("outcome"), part("note")]),
        "found" => {
            joined(&[&format!("{} (found by {})", part("outcome"), part("by")), part("note")])
        }
        "refused" => joined(&[part("summary"), part("note")]),
        "asked" => {
            let summary = line.pointer("/content/summary").and_then(Value::as_str);
            format!("{}, until {}", summary.unwrap_or_default(), seconds(part("until")))
        }
        "answered" => {
            let answer = format!("{} by {} ({})", part("decision"), part("by"), part("how"));
            joined(&[&answer, part("reason")])
        }
        "extended" => match string(line, "expires_at") {
            Some(end) => format!("ends {}", seconds(end)),
            None => "no longer ends".to_owned(),
        },
        "overdue" => part("why").to_owned(),
        "spent" => "the approval is taken".to_owned(),
        _ => part("note").to_owned(),
    }
}

/// A time without its fractions, or the text that should have been one.
fn seconds(time: &str) -> String {
    time.parse().map_or_else(|_| time.to_owned(), paint::time)
}

fn string<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name)?.as_str()
}
