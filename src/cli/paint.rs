//! Words on a terminal: colour where there is one, none in a pipe.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::text;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const WAITS: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// What else an answer may say, and what it is called.
const MARKS: [(&str, &str); 8] = [
    ("note", "note"),
    ("expires_at", "ends"),
    ("overdue", "overdue"),
    ("ended_by", "ended by"),
    ("undone_by", "undone by"),
    ("until", "waits until"),
    ("hint", "hint"),
    ("receipt", "receipt"),
];

/// One styled word or phrase.
pub(super) fn with(style: Style, words: &str) -> String {
    format!("{style}{words}{style:#}")
}

/// Bytes as they are, to stdout.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    quiet(out.write_all(bytes).and_then(|()| out.flush()))
}

/// A JSON document to stdout, in which nothing commands a terminal or hides.
pub(super) fn json(document: &str) -> io::Result<()> {
    raw(format!("{}\n", text::escaped(document)).as_bytes())
}

/// Styled lines to stdout; a pipe gets them plain.
pub(super) fn lines(lines: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    quiet(out.write_all(lines.as_bytes()).and_then(|()| out.flush()))
}

/// A trouble, on stderr.
pub(super) fn complain(trouble: &str) {
    let line = format!("{}: {}\n", with(BAD, "grantor"), text::clean(trouble));
    let _ = anstream::stderr().write_all(line.as_bytes());
}

/// Something on the way, on stderr.
pub(super) fn note(what: &str) {
    let line = format!("{}\n", with(DIM, &format!("… {}", text::clean(what))));
    let _ = anstream::stderr().write_all(line.as_bytes());
}

/// A reader that has gone, as `head` does, is no error.
fn quiet(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// An answer for a person: the outcome, who has access now, and what to know.
pub(super) fn answer(body: &Value, is_error: bool) -> String {
    if body.get("outcome").is_none() {
        return rows(body);
    }
    let mut shown = String::new();
    let word = string(body, "outcome").unwrap_or_default();
    let style = match word {
        _ if is_error => BAD,
        "pending_vendor_approval" | "unconfirmed" | "awaiting_consent" => WAITS,
        _ => GOOD,
    };
    let summary = string(body, "summary").unwrap_or_default();
    shown.push_str(&format!("  {}  {summary}\n", with(style, word)));
    if let Some(request) = body.get("request") {
        let left = body.get("receipt").is_some();
        shown.push_str(&request_line(request, if left { "request" } else { "not sent" }));
    }
    let unsent = matches!(word, "preview" | "awaiting_consent");
    for (key, title) in [("before", "before"), ("after", if unsent { "then" } else { "now" })] {
        shown.push_str(&access_lines(body, key, title));
    }
    for warning in array(body, "warnings").iter().filter_map(Value::as_str) {
        shown.push_str(&format!("  {}  {warning}\n", with(WAITS, "note")));
    }
    for candidate in array(body, "candidates") {
        let [id, name, kind] =
            ["id", "name", "kind"].map(|key| string(candidate, key).unwrap_or_default());
        shown.push_str(&format!("  {}  {name} ({kind}, {id})\n", with(DIM, "candidate")));
    }
    for (key, title) in MARKS {
        if let Some(words) = string(body, key) {
            shown.push_str(&format!("  {}  {words}\n", with(DIM, title)));
        }
    }
    shown
}

/// The vendor request, on one line.
fn request_line(request: &Value, title: &str) -> String {
    let Some(method) = string(request, "method") else {
        return format!("  {}  {request}\n", with(DIM, "by hand"));
    };
    let path = string(request, "path").unwrap_or_default();
    let body = request.get("body").map(Value::to_string).unwrap_or_default();
    format!("  {}  {} {path} {body}\n", with(DIM, title), with(BOLD, method))
}

fn access_lines(body: &Value, key: &str, title: &str) -> String {
    let title = with(DIM, &format!("{title:>7}"));
    let Some(rows) = body.get(key).and_then(Value::as_array) else { return String::new() };
    if rows.is_empty() {
        return format!("  {title}  no access\n");
    }
    rows.iter().map(|row| format!("  {title}  {}\n", access(row))).collect()
}

fn rows(body: &Value) -> String {
    let mut shown: String = array(body, "rows").iter().map(row).collect();
    for problem in array(body, "problems") {
        let [vendor, kind, message] =
            ["vendor", "kind", "message"].map(|key| string(problem, key).unwrap_or_default());
        shown.push_str(&format!("  {vendor:<11} {}  {message}\n", with(WAITS, kind)));
    }
    for change in array(body, "changes") {
        let [receipt, outcome, summary] =
            ["receipt", "outcome", "summary"].map(|key| string(change, key).unwrap_or_default());
        shown.push_str(&format!("  {}  {}  {summary}\n", with(DIM, receipt), with(BOLD, outcome)));
    }
    shown
}

/// A row of access, or of something that can be granted or be granted to.
fn row(row: &Value) -> String {
    let vendor = string(row, "vendor").unwrap_or_default();
    if row.get("principal").is_some() {
        return format!("  {vendor:<11} {}\n", access(row));
    }
    let [title, id] = ["name", "id"].map(|key| string(row, key).unwrap_or_default());
    let privileged = row.get("privileged").and_then(Value::as_bool).unwrap_or(false);
    let mark = if privileged { with(WAITS, " privileged") } else { String::new() };
    format!("  {vendor:<11} {} {}{mark}\n", with(BOLD, title), with(DIM, id))
}

fn access(row: &Value) -> String {
    let [principal, role, resource] = ["principal", "role", "resource"].map(|key| name(row, key));
    let waits = if row.get("pending").is_some() { " (waits for approval)" } else { "" };
    let until = string(row, "expires_at").map(|end| format!(" until {end}")).unwrap_or_default();
    let from = string(row, "starts_at").map(|start| format!(" from {start}")).unwrap_or_default();
    let via = row.get("via").map(|_| format!(" through {}", name(row, "via"))).unwrap_or_default();
    format!("{principal}: {role} on {resource}{via}{from}{until}{waits}")
}

fn name<'a>(row: &'a Value, key: &str) -> &'a str {
    let named = row.get(key);
    let part = |part| named.and_then(|named| named.get(part)).and_then(Value::as_str);
    part("name").or_else(|| part("id")).unwrap_or("?")
}

fn string<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key)?.as_str()
}

fn array<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
