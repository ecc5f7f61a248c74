use serde_json::{Value, json};

use crate::cli::paint::{self, DIM, GOOD, with};
use crate::cli::{Ran, status};
use crate::ledger::{Audit, Break, Head, Ledger};
use crate::text;

#[derive(clap::Args)]
#[command(after_help = "Example: note the head that it prints somewhere else, and later:\n  \
    grantor ledger verify --head NUMBER:HASH")]
pub(super) struct Arguments {
    /// The head that an earlier run printed: it must still be part of the chain
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Option<Head>,
}

/// More files beside the ledger's are counted.
const MOST_NAMES: usize = 5;

/// What no chain can show, however whole it is.
const CANNOT: [&str; 4] = [
    "that the last lines were not cut off: note the head somewhere else, and give it as --head later",
    "that whoever has the key did not write all of it anew: keep the key where they cannot read it",
    "when things happened: the times are those of the machines that wrote the lines",
    "what was done at a vendor without Grantor",
];

pub(super) async fn run(ledger: &Ledger, arguments: Arguments, as_json: bool) -> Ran {
    let audit = ledger.audit(arguments.head).await?;
    if as_json {
        paint::json(&format!("{:#}", data(&audit)))?;
        return Ok(status::worst([u8::from(!audit.is_whole())]));
    }
    for found in &audit.breaks {
        let line = if found.line == 0 { String::new() } else { format!(":{}", found.line) };
        paint::complain(&format!("{}{line}: {}", found.file, found.what));
    }
    if audit.more > 0 {
        paint::complain(&format!("and {} more", audit.more));
    }
    paint::lines(&describe(&audit))?;
    Ok(status::worst([u8::from(!audit.is_whole())]))
}

/// What was found, as data.
fn data(audit: &Audit) -> Value {
    let one = |found: &Break| {
        json!({ "file": found.file, "line": found.line, "what": found.what,
        "hash": found.hash })
    };
    let mut told = json!({
        "whole": audit.is_whole(),
        "head": audit.head.as_ref().map(Head::to_string),
        "lines": audit.lines,
        "files": audit.files,
        "first": audit.first,
        "torn": audit.torn,
        "accepted": audit.known,
        "breaks": audit.breaks.iter().map(one).collect::<Vec<_>>(),
        "more_breaks": audit.more,
        "passed_over": audit.passed_over,
        "does_not_show": CANNOT,
    });
    text::clean_value(&mut told);
    told
}

fn describe(audit: &Audit) -> String {
    let Audit { files, lines, torn, .. } = audit;
    let passed_over = passed_over(&audit.passed_over);
    let Some(head) = &audit.head else {
        let word = if audit.is_whole() {
            "the ledger has no line yet"
        } else {
            "no line of the ledger holds its seal"
        };
        return format!("  {word}\n{passed_over}");
    };
    let mut told = String::new();
    if audit.is_whole() {
        let word = with(GOOD, "whole");
        told.push_str(&format!(
            "  {word}  {} in {}, one chain, each sealed\n",
            paint::counted(lines.saturating_sub(*torn as u64), "line"),
            paint::counted(*files as u64, "file")
        ));
    }
    if let Some(first) = audit.first.filter(|first| *first > 1) {
        told.push_str(&format!("  it begins with line {first}: what came before is not here\n"));
    }
    if audit.known > 0 {
        told.push_str(&format!(
            "  accepted by a person: {}\n",
            paint::counted(audit.known as u64, "break")
        ));
    }
    if *torn > 0 {
        told.push_str(&format!(
            "  {} beside the ledger's own, cut off while written or put in: nothing was built on \
             what they say\n",
            paint::counted(*torn as u64, "line")
        ));
    }
    told.push_str(&passed_over);
    told.push_str(&format!("  {}  {head}\n", with(DIM, "head")));
    told.push_str("  This does not show:\n");
    told.extend(CANNOT.iter().map(|what| format!("  - {what}\n")));
    told
}

/// One line for all files that lie beside the ledger's and were not read.
fn passed_over(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = names.iter().take(MOST_NAMES).map(|name| text::clean(name)).collect();
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let is = if names.len() == 1 { "is no file" } else { "are no files" };
    format!("  {}{more} {is} of this ledger: passed over\n", shown.join(", "))
}
