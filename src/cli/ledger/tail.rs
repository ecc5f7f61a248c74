use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap_complete::ArgValueCandidates;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::cli::paint::{self, BAD, DIM, GOOD, WAITS, with};
use crate::cli::table::{Layout, Row};
use crate::cli::wrapped::{self, width};
use crate::cli::{Ran, complete, status, time};
use crate::failure::Failure;
use crate::ledger::{Ledger, Told};
use crate::text;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  grantor ledger tail --follow\n  \
    grantor ledger tail --person alex.kim@example.com --since P7D\n  \
    grantor ledger tail --receipt gr-aaaaaaaaaaaaaaaaaaaaaaaaaa --json\n\nA TIME is RFC 3339, a day, or how \
    long ago, such as P7D. `grantor changes` lists changes and requests, and not lines.")]
pub(super) struct Arguments {
    /// How many lines
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = LINES)]
    lines: usize,
    /// Only lines of this receipt
    #[arg(long, value_name = "RECEIPT", add = ArgValueCandidates::new(complete::receipts))]
    receipt: Option<String>,
    /// Only lines that have this person's name, address or id, wherever in them
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// Only lines of this kind: asked, answered, open, close, refused and others
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Only what was written from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Show receipts
    #[arg(long)]
    ids: bool,
}

const LINES: usize = 20;
/// How often it is looked for new lines.
const PAUSE: Duration = Duration::from_millis(500);

impl Default for Arguments {
    fn default() -> Self {
        Self {
            lines: LINES,
            receipt: None,
            person: None,
            event: None,
            since: None,
            follow: false,
            ids: false,
        }
    }
}

pub(super) async fn run(ledger: &Ledger, arguments: &Arguments, as_json: bool) -> Ran {
    let wanted = match Wanted::of(arguments, Timestamp::now()) {
        Ok(wanted) => Arc::new(wanted),
        Err(trouble) => {
            paint::complain(&trouble);
            return Ok(ExitCode::from(2));
        }
    };
    let (mut seen, last) = read(ledger, &wanted, 0, arguments.lines).await?;
    if last.is_empty() && !arguments.follow {
        paint::note(&match seen {
            0 => format!("nothing was written to {} yet", ledger.place().await),
            _ => "no line is as asked for".to_owned(),
        });
    }
    let show = Show::new(as_json, arguments.ids);
    if !as_json && !last.is_empty() {
        paint::lines(&show.layout.heads(HEADS, "WHAT"))?;
    }
    show.all(ledger, &last).await?;
    if arguments.follow {
        let mut end = None;
        loop {
            tokio::time::sleep(PAUSE).await;
            // All of it is read again only where there is more.
            let now = ledger.end().await.ok();
            if now.is_some() && now == end {
                continue;
            }
            end = now;
            let (all, new) = read(ledger, &wanted, seen, usize::MAX).await?;
            seen = all;
            show.all(ledger, &new).await?;
        }
    }
    let troubles = ledger.watched().await;
    status::tell(&troubles);
    Ok(status::worst([status::of(&troubles)]))
}

/// How many lines there are, and the last of those behind the first `seen` that are wanted.
async fn read(
    ledger: &Ledger,
    wanted: &Arc<Wanted>,
    seen: u64,
    most: usize,
) -> Result<(u64, VecDeque<String>), Failure> {
    let found = Arc::new(Mutex::new((0, VecDeque::new())));
    let (kept, wanted) = (found.clone(), wanted.clone());
    let keep = move |line: &str| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 += 1;
        if kept.0 > seen && wanted.fits(line) {
            kept.1.push_back(line.to_owned());
            if kept.1.len() > most {
                kept.1.pop_front();
            }
        }
        Ok(true)
    };
    ledger.walk(keep).await?;
    let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(found)
}

/// Which lines are wanted.
struct Wanted {
    receipt: Option<String>,
    person: Option<String>,
    event: Option<String>,
    since: Option<Timestamp>,
}

impl Wanted {
    /// # Errors
    /// A time that is none.
    fn of(arguments: &Arguments, now: Timestamp) -> Result<Self, String> {
        let Arguments { receipt, person, event, since, .. } = arguments;
        let since = since.as_ref().map(|text| {
            time::from(text, now).ok_or_else(|| {
                format!(
                    "--since {text:?} is no time: give RFC 3339, a day, or how long ago, as P7D"
                )
            })
        });
        let person = person.as_ref().map(|person| text::folded(person));
        Ok(Self {
            receipt: receipt.clone(),
            person,
            event: event.clone(),
            since: since.transpose()?,
        })
    }

    fn fits(&self, line: &str) -> bool {
        let Self { receipt, person, event, since } = self;
        if receipt.is_none() && person.is_none() && event.is_none() && since.is_none() {
            return true;
        }
        let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
        let is = |name: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| string(&line, name) == Some(wanted))
        };
        let time = string(&line, "time").and_then(|time| time.parse::<Timestamp>().ok());
        // A change names its request, and an end the grant.
        let is_of = ["receipt", "request", "ends", "undoes"].iter().any(|name| is(name, receipt));
        is_of
            && is("event", event)
            && since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && person.as_ref().is_none_or(|person| names(&line, person))
    }
}

/// Whether a text somewhere in a value is this, or has it as one of its names in quotes or brackets.
fn names(value: &Value, person: &str) -> bool {
    match value {
        Value::String(text) => {
            let text = text::folded(text);
            let parts = text.split(['“', '”', '(', ')', '<', '>', '"']);
            text == person || parts.map(str::trim).any(|part| part == person)
        }
        Value::Array(items) => items.iter().any(|item| names(item, person)),
        Value::Object(fields) => fields.values().any(|field| names(field, person)),
        _ => false,
    }
}

const HEADS: [&str; 3] = ["WHEN", "EVENT", "RECEIPT"];
/// As wide as the longest event and a receipt are.
const WIDTHS: [usize; 2] = [8, 29];
/// Lines that go on about a change which an earlier one has told.
const FOLLOWING: [&str; 5] = ["close", "found", "extended", "overdue", "over"];
/// As long as what most lines say.
const USUAL: usize = 80;

/// How lines are shown: each by itself, since more may follow.
struct Show {
    as_json: bool,
    has_receipts: bool,
    zone: TimeZone,
    layout: Layout,
}

impl Show {
    fn new(as_json: bool, has_receipts: bool) -> Self {
        let zone = TimeZone::system();
        let when = width(&time::told(Timestamp::now(), &zone));
        let [event, receipt] = WIDTHS;
        let used = if has_receipts { vec![0, 1, 2] } else { vec![0, 1] };
        let layout = Layout::new(vec![when, event, receipt], used, USUAL, wrapped::of_stdout());
        Self { as_json, has_receipts, zone, layout }
    }

    async fn all(&self, ledger: &Ledger, lines: &VecDeque<String>) -> std::io::Result<()> {
        for line in lines {
            if self.as_json {
                paint::json(line)?;
                continue;
            }
            let about = about(ledger, line).await;
            paint::lines(&self.shown(line, about.as_deref()))?;
        }
        Ok(())
    }

    /// A line for a person: when, what, and how it went.
    fn shown(&self, line: &str, about: Option<&str>) -> String {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            return format!("  {}\n", with(BAD, "a line that cannot be read"));
        };
        let field = |name: &str| text::clean(string(&line, name).unwrap_or_default());
        let (time, event, receipt) = (field("time"), field("event"), field("receipt"));
        let time = with(DIM, &time::local(&time, &self.zone));
        let style = match (event.as_str(), string(&line, "outcome")) {
            ("refused" | "overdue", _) => BAD,
            ("asked", _) => WAITS,
            ("close" | "found", Some("confirmed")) => GOOD,
            ("close" | "found", _) => WAITS,
            _ => DIM,
        };
        let what = text::clean(&describe(&line, &event, (about, self.has_receipts)));
        self.layout.row(&Row {
            cells: [time, with(style, &event), receipt],
            text: what,
            more: Vec::new(),
        })
    }
}

/// The change that a line goes on about, in words, where it does not say so itself.
async fn about(ledger: &Ledger, line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    if !FOLLOWING.contains(&string(&line, "event")?) {
        return None;
    }
    let entry = ledger.entry(string(&line, "receipt")?).await.ok()??;
    match entry.told {
        Told::Change(record, _) => Some(record.summary.clone()),
        Told::Asked(_) | Told::Refused(_) => None,
    }
}

/// What a line says, in words; `about` is the change that it goes on about.
fn describe(line: &Value, event: &str, (about, has_receipts): (Option<&str>, bool)) -> String {
    let about = about.unwrap_or_default();
    let part = |name: &str| string(line, name).unwrap_or_default();
    let joined = |parts: &[&str]| {
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(": ")
    };
    match event {
        "open" if !part("ends").is_empty() => {
            let of = if has_receipts { part("ends") } else { "what was granted for a time" };
            format!("{}, at the end of {of}", part("summary"))
        }
        "open" => format!("{}, asked by {}", part("summary"), part("requester")),
        "close" => joined(&[part("outcome"), about, part("note")]),
        "found" => {
            let found = format!("{} (found by {})", part("outcome"), part("by"));
            joined(&[&found, about, part("note")])
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
            Some(end) => joined(&[about, &format!("ends {}", seconds(end))]),
            None => joined(&[about, "no longer ends"]),
        },
        "overdue" => joined(&[about, part("why")]),
        "over" => joined(&[about, part("note")]),
        "spent" => "the approval is taken".to_owned(),
        "moved" => format!("it goes on in {}", part("to")),
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
