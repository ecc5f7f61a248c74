//! `grantor changes`: the history, as a table, or as data.

pub(super) mod table;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::setup::Setup;
use super::{Global, Ran, paint, status};
use crate::access::Outcome;
use crate::desk::{Answer, Body, Desk, HistoryRow, Listed};
use crate::ledger::Standing;
use crate::requester::Requester;
use crate::text;

pub(super) const AFTER: &str = "\
Without options: the last 24 hours, and whatever is not finished. A PERSON is an id, an exact name, an \
address, or 'Name <address>', as it was recorded. A TIME is RFC 3339, a day (from its first minute here), or \
how long ago, such as P1M or PT8H. --vendor and --tenant list only what was asked for there.

Examples:
  grantor changes --person alex.kim@example.com --since P1M   # what Alex got, and who approved it
  grantor changes --since 2026-11-27 --state done             # what was done since that day began
  grantor changes --state waiting                             # what waits, and for whom
  grantor changes --state refused --requester ada             # what Ada was refused, and by which rule
  grantor changes --since P3M --all --format csv > quarter.csv

waiting: a person has to answer. approved: a person said yes, and it is not sent yet. denied: a person said \
no. withdrawn: who asked took it back, or asked anew. lapsed: it was not answered, or its yes was not used, \
in time. refused: the rules, the vendor or something in the way said no, and nothing changed. open: it was \
sent, and its end is not known. done: it was sent, and how it ended is known. due: its time is over, and it \
is about to be taken back. overdue: its time is over, and it could not be taken back.

Exit status: 0 it is listed, 1 something of the record cannot be read or relied on: see stderr, 2 wrong \
usage.";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only for this person, group or account
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// Only what this one asked for
    #[arg(long, value_name = "NAME")]
    requester: Option<String>,
    /// Only what stands so; the words are explained below
    #[arg(long, value_name = "STATE",
        value_parser = PossibleValuesParser::new(Standing::ALL.map(Standing::as_str)))]
    state: Option<String>,
    /// Only what was asked for or sent from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was asked for before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = USUAL, conflicts_with = "all")]
    limit: usize,
    /// All there are
    #[arg(long)]
    all: bool,
    /// The form [default: a table on a terminal, JSON elsewhere]
    #[arg(long, value_enum, conflicts_with = "as_json")]
    format: Option<Format>,
    /// Show receipts and ids in the table
    #[arg(long)]
    ids: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

const USUAL: usize = 50;
/// As many as one answer may have.
const MOST: usize = 500;

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
    let desk = Desk::new(config)?;
    let most = if arguments.all { usize::MAX } else { arguments.limit };
    let listing = Listing { desk: &desk, requester: desk.requester(), global };
    let (told, answer) = listing.all(&arguments, most).await;
    let Some(told) = told else {
        let shown = answer.shown();
        if let Body::Unasked(told) = &shown.body {
            paint::complain(&format!("{}; {}", told.summary, told.hint));
        }
        let is_usage = answer.outcome() == Some(Outcome::Invalid);
        return Ok(if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE });
    };
    let format = match (global.as_json, arguments.format) {
        (true, _) => Format::Json,
        (false, Some(format)) => format,
        (false, None) if io::stdout().is_terminal() => Format::Table,
        (false, None) => Format::Json,
    };
    match format {
        Format::Table => {
            paint::lines(&table::table(&told, arguments.ids, &TimeZone::system()))?;
            tell(&told, arguments.ids);
        }
        Format::Json => {
            let mut shown = json!(told);
            if desk.config().sandbox {
                crate::json::put(&mut shown, "sandbox", true);
            }
            paint::json(&format!("{shown:#}"))?;
        }
        Format::Csv => {
            let written = table::csv(&told.changes)?;
            let mut out = io::stdout().lock();
            out.write_all(&written).and_then(|()| out.flush())?;
            tell(&told, true);
        }
    }
    for warning in &told.warnings {
        paint::complain(&format!("ledger  {warning}"));
    }
    let is_whole = told.warnings.is_empty();
    Ok(status::worst([status::of(answer.troubles()), u8::from(!is_whole)]))
}

/// What is to be known beside the rows.
fn tell(told: &Listed, ids: bool) {
    if let Some(note) = &told.note {
        paint::note(note);
    }
    if told.next_cursor.is_some() {
        paint::note("there are more: --limit N or --all lists them");
    }
    if !ids && !told.changes.is_empty() {
        paint::note("--ids shows receipts, which `grantor undo` takes");
    }
}

struct Listing<'a> {
    desk: &'a Desk,
    requester: &'a Requester,
    global: &'a Global,
}

impl Listing<'_> {
    /// So many at most, however many answers they take; none where there is no list, and why.
    async fn all(&self, arguments: &Arguments, most: usize) -> (Option<Listed>, Answer) {
        let mut all: Option<Listed> = None;
        loop {
            let listed = all.as_ref().map_or(0, |all| all.changes.len());
            let cursor = all.as_ref().and_then(|all| all.next_cursor.clone());
            let wanted = most.saturating_sub(listed).min(MOST);
            let asked = asked(arguments, wanted, cursor);
            let Global { vendors, tenants, .. } = self.global;
            let answer = self.desk.past_changes(self.requester, asked, vendors, tenants).await;
            let Body::Listed(page) = answer.shown().body else { return (None, answer) };
            let is_last = page.next_cursor.is_none();
            let all = match &mut all {
                Some(all) => {
                    all.next_cursor = page.next_cursor;
                    all.changes.extend(page.changes);
                    let new = page.warnings.into_iter();
                    let new: Vec<_> = new.filter(|one| !all.warnings.contains(one)).collect();
                    all.warnings.extend(new);
                    all
                }
                none => none.insert(page),
            };
            if is_last || all.changes.len() >= most {
                return (Some(all.clone()), answer);
            }
        }
    }
}

/// The arguments of the tool that lists the same.
fn asked(arguments: &Arguments, limit: usize, cursor: Option<String>) -> Map<String, Value> {
    let Arguments { person, requester, state, since, until, .. } = arguments;
    let times = [since, until].map(|time| time.as_deref().map(time_of));
    let [since, until] = times;
    let since = since.or_else(|| arguments.all.then(|| Timestamp::UNIX_EPOCH.to_string()));
    let texts = [
        ("principal", person.clone()),
        ("requester", requester.clone()),
        ("state", state.clone()),
        ("since", since),
        ("until", until),
        ("cursor", cursor),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::String(text?))));
    let limit = [("limit", json!(limit))];
    texts.chain(limit).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A time as the tool takes it: a day is its first moment, where this machine is.
fn time_of(text: &str) -> String {
    let day = text.trim().parse::<Date>().ok().filter(|_| text.trim().len() == 10);
    let begins = day.and_then(|day| day.to_zoned(TimeZone::system()).ok());
    begins.map_or_else(|| text.to_owned(), |begins| begins.timestamp().to_string())
}

/// A row in words that a person reads: who answered it, and how.
fn answered(row: &HistoryRow) -> String {
    let marks = &row.marks;
    match (&marks.approved_by, &marks.denied_by) {
        (_, Some(by)) => format!("no: {}", text::clean(by)),
        (Some(by), None) => format!("yes: {}", text::clean(by)),
        (None, None) => String::new(),
    }
}
