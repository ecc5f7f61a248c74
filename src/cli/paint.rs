//! Words on a terminal: colour where there is one, none in a pipe.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{changes, wrapped};
use crate::access::{Access, Named, Outcome};
use crate::desk::{
    Body, Changed, Checked, Item, LeftOut, Listed, Looked, Marks, Of, Problem, Shown,
};
use crate::failure::Candidate;
use crate::invocation;
use crate::text;
use crate::tools::TOOLS;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const WAITS: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// How far a line's continuation is set in, where the line itself is not.
const GOES_ON: usize = 4;
/// The same of a sentence by itself.
const GOES_ON_BRIEFLY: usize = 2;
/// What may stand behind a word.
const ENDS: [char; 5] = [' ', ',', ';', '.', ':'];

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
    raw(json_text(document).as_bytes())
}

/// The same as text.
pub(super) fn json_text(document: &str) -> String {
    format!("{}\n", text::escaped(document))
}

/// Styled lines to stdout, no wider than its terminal; a pipe gets them plain and whole.
pub(super) fn lines(lines: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    quiet(out.write_all(folded(lines).as_bytes()).and_then(|()| out.flush()))
}

/// Words in lines no wider than the terminal that stdout is.
pub(super) fn folded(words: &str) -> String {
    match wrapped::of_stdout() {
        Some(columns) => wrapped::within(columns, GOES_ON, words),
        None => words.to_owned(),
    }
}

/// A line for stderr, no wider than its terminal.
fn on_stderr(line: &str) {
    let line = match wrapped::of_stderr() {
        Some(columns) => wrapped::within(columns, GOES_ON_BRIEFLY, line),
        None => line.to_owned(),
    };
    let _ = anstream::stderr().write_all(line.as_bytes());
}

/// A time as a person reads it: by the clock on the wall here, to the second.
pub(super) fn time(time: Timestamp) -> String {
    super::time::told(time, &TimeZone::system())
}

/// So many of something.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Words for whoever calls tools: at a terminal they are called by a command, and one that is not for
/// the sandbox would not find what is in it.
fn at_a_terminal(words: &str, sandbox: bool) -> String {
    let is_tool = |word: &str| TOOLS.iter().any(|tool| tool.spec.name == word);
    let length = |text: &str| text.trim_end_matches(ENDS).len();
    let mut shown = String::new();
    let mut words = words.split_inclusive(' ').peekable();
    while let Some(word) = words.next() {
        let (bare, rest) = word.split_at(length(word));
        let is_command = shown.rsplit('`').next().is_some_and(|open| open.starts_with("grantor "));
        if !is_tool(bare) || is_command {
            shown.push_str(word);
            continue;
        }
        let receipt = words.next_if(|next| rest == " " && next.starts_with("gr-"));
        match receipt.map(|receipt| receipt.split_at(length(receipt))) {
            Some((receipt, rest)) => {
                let given = json!({ "receipt": receipt });
                shown.push_str(&format!("`grantor call {bare} '{given}'`{rest}"));
            }
            None => shown.push_str(&format!("`grantor call {bare}`{rest}")),
        }
    }
    let shown = shown.replace("the tool's inputSchema", "`grantor tools --json`");
    match sandbox {
        true => invocation::commands_in_sandbox(&shown),
        false => invocation::commands(&shown),
    }
}

/// A trouble, on stderr.
pub(super) fn complain(trouble: &str) {
    let trouble = invocation::commands(&text::clean(trouble));
    on_stderr(&format!("{}: {trouble}\n", with(BAD, "grantor")));
}

/// Something on the way, on stderr.
pub(super) fn note(what: &str) {
    let what = invocation::commands(&text::clean(what));
    on_stderr(&format!("{}\n", with(DIM, &format!("… {what}"))));
}

/// A reader that has gone, as `head` does, is no error. Any other trouble is that of writing.
fn quiet(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), unwritten(&error))),
        Ok(()) => Ok(()),
    }
}

fn unwritten(error: &io::Error) -> String {
    format!("the answer could not be written to stdout: {error}")
}

/// What a command changed, to stdout as it is; `what` says it in a few words where it cannot be written: then
/// nobody else knows of it. Whether it was written.
pub(super) fn told(shown: &str, what: &str) -> bool {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = &written {
        complain(&format!("{}; {what}", unwritten(error)));
    }
    written.is_ok()
}

/// An answer for a person: the outcome, who has access now, and what to know.
pub(super) fn answer(shown: &Shown) -> String {
    let Shown { body, is_error, sandbox } = shown;
    match body {
        Body::Changed(told) => changed(told, *is_error, *sandbox),
        Body::Unasked(told) => {
            let candidates = told.candidates.iter().map(candidate);
            ended(told.outcome, &told.summary, *is_error)
                + &noted(&told.warnings)
                + &candidates.collect::<String>()
                + &marks(&[("hint", Some(&told.hint))], *sandbox)
        }
        Body::Checked(told) => checked(told, *is_error, *sandbox),
        Body::Looked(found) => rows(found, *is_error, *sandbox),
        Body::Listed(told) => listed(told),
    }
}

/// The outcome, and in words what it is of.
fn ended(outcome: Outcome, summary: &str, is_error: bool) -> String {
    let style = match outcome {
        _ if is_error => BAD,
        Outcome::PendingVendorApproval | Outcome::Unconfirmed | Outcome::AwaitingConsent => WAITS,
        _ => GOOD,
    };
    format!("  {}  {summary}\n", with(style, outcome.as_str()))
}

fn noted(warnings: &[String]) -> String {
    warnings.iter().map(|warning| format!("  {}  {warning}\n", with(WAITS, "note"))).collect()
}

/// What else there is to say, by what it is called.
fn marks(marks: &[(&str, Option<&String>)], sandbox: bool) -> String {
    let told = marks.iter().filter_map(|(title, words)| Some((title, (*words)?)));
    let line = |(title, words): (&&str, &String)| {
        let words = words.parse().map_or_else(|_| at_a_terminal(words, sandbox), time);
        format!("  {}  {words}\n", with(DIM, title))
    };
    told.map(line).collect()
}

fn changed(told: &Changed, is_error: bool, sandbox: bool) -> String {
    let mut shown = ended(told.outcome, &told.summary, is_error);
    if let Some(request) = &told.request {
        let left = told.receipt.is_some();
        shown.push_str(&request_line(request, if left { "request" } else { "not sent" }));
    }
    let unsent = matches!(told.outcome, Outcome::Preview | Outcome::AwaitingConsent);
    // What stayed as it was is said once.
    if unsent || told.before != told.after {
        shown.push_str(&access_lines(told.before().as_deref(), "before"));
    }
    let after = if unsent { "then" } else { "now" };
    shown.push_str(&access_lines(told.after().as_deref(), after));
    shown.extend(told.items.iter().filter_map(|item| one_of_several(item, &told.items)));
    shown.push_str(&aside(told));
    shown.push_str(&noted(&told.warnings));
    shown.extend(told.candidates.iter().map(candidate));
    let more = [
        ("ends", told.expires_at.as_ref()),
        ("hint", told.hint.as_ref()),
        ("receipt", told.receipt.as_ref()),
    ];
    shown + &marks(&more, sandbox)
}

fn checked(told: &Checked, is_error: bool, sandbox: bool) -> String {
    let Marks { expires_at, overdue, ended_by, undone_by, .. } = &told.marks;
    let Marks { until, waits_for, approved_by, denied_by, follows, .. } = &told.marks;
    let more = [
        ("note", told.note.as_ref()),
        ("ends", expires_at.as_ref()),
        ("overdue", overdue.as_ref()),
        ("ended by", ended_by.as_ref()),
        ("undone by", undone_by.as_ref()),
        ("waits for", waits_for.as_ref()),
        ("waits until", until.as_ref()),
        ("approved by", approved_by.as_ref()),
        ("denied by", denied_by.as_ref()),
        ("follows", follows.as_ref()),
        ("hint", told.hint.as_ref()),
        ("receipt", Some(&told.receipt)),
    ];
    ended(told.outcome, &told.summary, is_error) + &noted(&told.warnings) + &marks(&more, sandbox)
}

/// One of the changes of a set, where it has words of its own: how it ended, and at whom.
fn one_of_several(item: &Item, all: &[Item]) -> Option<String> {
    let summary = item.summary.as_ref()?;
    let place =
        |item: &Item| item.of.as_ref().map(|of| of.tenant.clone().unwrap_or(of.vendor.to_string()));
    let widest = |of: &dyn Fn(&Item) -> usize| all.iter().map(of).max().unwrap_or_default();
    let at = widest(&|item| place(item).unwrap_or_default().len());
    let word = widest(&|item| item.outcome.as_str().len());
    let place = place(item).unwrap_or_default();
    let outcome = with(
        if item.outcome.is_error() { BAD } else { GOOD },
        &format!("{:word$}", item.outcome.as_str()),
    );
    let note = item.note.as_ref().filter(|_| item.outcome.is_error());
    let note = note.map(|note| format!("\n  {}  {note}", with(DIM, "   why"))).unwrap_or_default();
    Some(format!("  {outcome}  {place:at$}  {summary}{note}\n"))
}

/// What is no part of a set, and what could not be read.
fn aside(told: &Changed) -> String {
    let mut shown = String::new();
    for LeftOut { of, summary, why, hint } in &told.left_out {
        let place = of.tenant.as_deref().unwrap_or(&of.vendor);
        shown.push_str(&format!("  {}  {place}: {summary}: {why}\n", with(WAITS, "left out")));
        let hint = hint.iter().map(|hint| format!("  {}  {hint}\n", with(DIM, "      do")));
        shown.extend(hint);
    }
    for Problem { of, message, .. } in &told.not_known {
        let place = of.tenant.as_deref().unwrap_or(&of.vendor);
        shown.push_str(&format!("  {}  {place}: {message}\n", with(WAITS, "not known")));
    }
    shown
}

/// A request as it was, or would be, sent.
#[derive(Deserialize)]
struct Sent {
    method: String,
    path: String,
    body: Option<Value>,
}

/// The vendor request, on one line.
fn request_line(request: &Value, title: &str) -> String {
    let Ok(Sent { method, path, body }) = Sent::deserialize(request) else {
        return format!("  {}  {request}\n", with(DIM, "by hand"));
    };
    let body = body.as_ref().map(Value::to_string).unwrap_or_default();
    let body = if body.is_empty() { body } else { format!(" {body}") };
    format!("  {}  {} {path}{body}\n", with(DIM, title), with(BOLD, &method))
}

fn access_lines(rows: Option<&[Access]>, title: &str) -> String {
    let title = with(DIM, &format!("{title:>7}"));
    let Some(rows) = rows else { return String::new() };
    if rows.is_empty() {
        return format!("  {title}  no access\n");
    }
    rows.iter().map(|row| format!("  {title}  {}\n", access(row))).collect()
}

/// Something that a name may mean, with what tells it from others, and whose it is.
fn candidate(one: &Candidate) -> String {
    let Candidate { id, name, email, kind, told_type, vendor, .. } = one;
    let at = vendor.as_ref().map(|vendor| format!("at {vendor}, ")).unwrap_or_default();
    let told_type = told_type.as_ref().map(|one| format!("{one}, ")).unwrap_or_default();
    let about = with(DIM, &format!("{kind}, {told_type}{at}{id}"));
    let (name, email) = (name.clone(), email.clone());
    let named = Named { email, ..Named::new(id, name, kind) };
    format!("  {}  {}  {about}\n", with(DIM, "candidate"), who(&named))
}

fn rows(found: &Looked, is_error: bool, sandbox: bool) -> String {
    let all: Vec<_> = found.rows.iter().filter_map(Row::read).collect();
    let mut shown = all.first().map(heads).unwrap_or_default();
    shown.extend(all.iter().map(|one| row(one, &all)));
    // Where nobody could be asked, nobody knows whether there is something.
    if all.is_empty() && !is_error {
        let told = match found.problems.as_slice() {
            [] => "nothing is found",
            _ => "nothing is found where it could be looked up",
        };
        shown.push_str(&format!("  {}\n", with(DIM, told)));
    }
    shown.push_str(&note_line(found.note.as_ref()));
    for problem in &found.problems {
        let Problem { of, kind, message, hint, candidates } = problem;
        shown.push_str(&format!("  {:<11} {}  {message}\n", of.vendor, with(WAITS, kind)));
        shown.extend(candidates.iter().map(candidate));
        let hint = at_a_terminal(hint, sandbox);
        shown.push_str(&format!("  {:<11} {}  {hint}\n", "", with(DIM, "hint")));
    }
    shown
}

fn note_line(note: Option<&String>) -> String {
    note.map(|note| format!("  {}  {note}\n", with(DIM, "note"))).unwrap_or_default()
}

fn listed(told: &Listed) -> String {
    // Whoever looks for a change here needs its receipt.
    let shown = changes::table::table(told, true, &TimeZone::system());
    shown + &note_line(told.note.as_ref())
}

/// A row of a look: access, or something that can be granted or be granted to.
struct Row {
    of: Of,
    what: What,
}

enum What {
    Access(Box<Access>),
    One(One, Named),
}

#[derive(Deserialize)]
struct One {
    path: Option<String>,
    active: Option<bool>,
    #[serde(default)]
    privileged: bool,
}

impl Row {
    fn read(row: &Value) -> Option<Self> {
        let access = Access::deserialize(row).map(|row| What::Access(Box::new(row)));
        let one = || Some(What::One(One::deserialize(row).ok()?, Named::deserialize(row).ok()?));
        Some(Self { of: Of::deserialize(row).ok()?, what: access.ok().or_else(one)? })
    }

    /// What it is called, where it is no access.
    fn title(&self) -> Option<String> {
        match &self.what {
            What::Access(_) => None,
            What::One(_, named) => Some(who(named)),
        }
    }
}

/// What stands in the columns of rows such as this one.
fn heads(row: &Row) -> String {
    let what = match &row.what {
        What::Access(_) => "WHO: ROLE on WHAT",
        What::One(..) => "NAME",
    };
    format!("  {}\n", with(DIM, &format!("{:<11} {what}", "VENDOR")))
}

/// The id of a row is shown where its name and address do not tell it from another row.
fn row(row: &Row, all: &[Row]) -> String {
    let vendor = &row.of.vendor;
    let (one, named) = match &row.what {
        What::Access(row) => return format!("  {vendor:<11} {}\n", access(row)),
        What::One(one, named) => (one, named),
    };
    let title = who(named);
    let is_twin = |one: &&Row| one.of == row.of && one.title().as_ref() == Some(&title);
    let is_one_of_several = all.iter().filter(is_twin).count() > 1;
    let id = Some(&named.id).filter(|id| **id != title && is_one_of_several);
    let mut marks = Vec::new();
    marks.extend(named.kind.as_ref().filter(|kind| *kind != "user").map(|kind| with(DIM, kind)));
    marks.extend(one.path.as_ref().filter(|path| **path != title).map(|path| with(DIM, path)));
    marks.extend(id.map(|id| with(DIM, id)));
    marks.extend((one.active == Some(false)).then(|| with(WAITS, "not active")));
    marks.extend(one.privileged.then(|| with(WAITS, "privileged")));
    let marks: String = marks.iter().map(|mark| format!("  {mark}")).collect();
    format!("  {vendor:<11} {}{marks}\n", with(BOLD, &title))
}

/// Who or what something is, in one way everywhere. A plain name needs no quotes in a table.
fn who(one: &Named) -> String {
    let is_plain = |name: &String| !name.contains(['(', ')', '<', '>', '@', '“', '”', '"']);
    let label = one.label();
    match one.name.as_ref().filter(|name| is_plain(name)) {
        Some(name) => label.replacen(&one.said(), name, 1),
        None => label,
    }
}

pub(super) fn access(row: &Access) -> String {
    let [principal, role, resource] = [&row.principal, &row.role, &row.resource].map(who);
    let waits = if row.pending { " (waits for approval)" } else { "" };
    let when = |word: &str, time: Option<&String>| {
        let told = time.map(|text| text.parse().map_or_else(|_| text.clone(), self::time));
        told.map(|time| format!(" {word} {time}")).unwrap_or_default()
    };
    let (until, from) =
        (when("until", row.expires_at.as_ref()), when("from", row.starts_at.as_ref()));
    let via = row.via.as_ref().map(|via| format!(" through {}", who(via))).unwrap_or_default();
    format!("{principal}: {role} on {resource}{via}{from}{until}{waits}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(shown: &str) -> String {
        anstream::adapter::strip_str(shown).to_string()
    }

    fn painted(body: &Value, is_error: bool, sandbox: bool) -> String {
        plain(&answer(&Shown::read(body.clone(), is_error, sandbox)))
    }

    fn shown(rows: &Value) -> String {
        let mut rows = rows.clone();
        if rows.get("problems").is_none() {
            crate::json::put(&mut rows, "problems", json!([]));
        }
        painted(&rows, false, false)
    }

    /// Two people of one name are told apart wherever they are listed.
    #[test]
    fn twins_are_told_apart_by_address_or_else_by_id() {
        let person = |id: &str, email: Option<&str>| {
            let mut row = json!({ "vendor": "v", "id": id, "name": "Alex Kim", "kind": "user" });
            if let Some(email) = email {
                crate::json::put(&mut row, "email", email);
            }
            row
        };
        let people = [person("17be", Some("a@x.org")), person("efc8", Some("b@x.org"))];
        let told = shown(&json!({ "rows": people }));
        assert!(told.starts_with("  VENDOR      NAME\n"), "{told}");
        assert!(
            told.ends_with("  v           Alex Kim (a@x.org)\n  v           Alex Kim (b@x.org)\n")
        );
        let told = shown(&json!({ "rows": [person("17be", None), person("efc8", None)] }));
        assert!(told.ends_with("  v           Alex Kim (17be)\n  v           Alex Kim (efc8)\n"));
        let access = |person: &Value| {
            json!({ "vendor": "v", "principal": person, "role": { "id": "r", "name": "Dev" },
                "resource": { "id": "1", "name": "Orders", "kind": "asset" }, "scope": "asset" })
        };
        let told = shown(&json!({ "rows": people.iter().map(access).collect::<Vec<_>>() }));
        assert!(told.contains("Alex Kim (a@x.org): Dev on Orders\n"), "{told}");
        assert!(told.contains("Alex Kim (b@x.org): Dev on Orders\n"), "{told}");
        let asset =
            |id: &str| json!({ "vendor": "v", "id": id, "name": "Reports", "kind": "asset" });
        let told = shown(&json!({ "rows": [asset("a1"), asset("a2")] }));
        assert!(
            told.ends_with("  v           Reports  asset  a1\n  v           Reports  asset  a2\n")
        );
    }

    /// What a vendor calls somebody is not taken for an address that we say.
    #[test]
    fn a_name_that_could_be_an_address_is_quoted() {
        let row =
            json!({ "id": "1", "name": "Boss (boss@x.org)", "email": "b@x.org", "kind": "user" });
        assert_eq!(who(&Named::deserialize(row).unwrap()), "“Boss (boss@x.org)” (b@x.org)");
    }

    /// What is written for whoever calls tools is a command for somebody at a terminal.
    #[test]
    fn a_tool_is_called_by_a_command_at_a_terminal() {
        for (words, shown) in [
            (
                "check_change says where it stands",
                "`grantor call check_change` says where it stands",
            ),
            (
                "look at it with list_access, and go on",
                "look at it with `grantor call list_access`, and go on",
            ),
            ("`grantor call check_change` says more", "`grantor call check_change` says more"),
            ("nothing is checked", "nothing is checked"),
            (
                "check_change gr-a.1 says more",
                "`grantor call check_change '{\"receipt\":\"gr-a.1\"}'` says more",
            ),
            (
                "look with check_change gr-a; then go on",
                "look with `grantor call check_change '{\"receipt\":\"gr-a\"}'`; then go on",
            ),
            (
                "the tool's inputSchema lists its arguments",
                "`grantor tools --json` lists its arguments",
            ),
        ] {
            assert_eq!(at_a_terminal(words, false), shown);
        }
        for words in ["`grantor doctor` says more", "`grantor --sandbox doctor` says more"] {
            assert_eq!(at_a_terminal(words, true), "`grantor --sandbox doctor` says more");
        }
    }

    #[test]
    fn what_stayed_as_it_was_is_said_once() {
        let row = json!({ "principal": { "id": "1" }, "role": { "id": "r" },
            "resource": { "id": "a" }, "scope": "asset" });
        let told = |outcome: &str, before: &Value, after: &Value| {
            let body =
                json!({ "outcome": outcome, "summary": "s", "before": before, "after": after });
            painted(&body, false, false)
        };
        let (none, one) = (json!([]), json!([row]));
        let same = told("already_present", &one, &one);
        assert_eq!(same.matches("r on a").count(), 1, "{same}");
        assert!(same.contains("    now  "), "{same}");
        let moved = told("confirmed", &none, &one);
        assert!(moved.contains(" before  no access") && moved.contains("    now  "), "{moved}");
        let preview = told("preview", &one, &one);
        assert!(preview.contains(" before  ") && preview.contains("   then  "), "{preview}");
    }

    /// Who decided, and what a request takes the place of, are told where it is looked at.
    #[test]
    fn who_decided_is_told() {
        let body = json!({ "outcome": "refused", "summary": "s", "denied_by": "ada",
            "follows": "gr-a", "hint": "check_change gr-b says more", "receipt": "gr-c",
            "time": "now", "requester": "bo", "tool": "t" });
        let told = painted(&body, true, true);
        for line in
            ["denied by  ada", "follows  gr-a", "hint  `grantor --sandbox call check_change"]
        {
            assert!(told.contains(&format!("  {line}")), "{told}");
        }
    }

    /// Nobody takes a list that could not be read for one that is empty, nor a blank for an answer.
    #[test]
    fn a_trouble_brings_its_next_step_and_an_empty_list_says_so() {
        let problem = json!({ "vendor": "v", "kind": "unavailable", "message": "is down",
            "hint": "ask check_change again" });
        let told = shown(&json!({ "rows": [], "problems": [&problem] }));
        assert!(told.starts_with("  nothing is found where it could be looked up\n"), "{told}");
        assert!(told.contains("unavailable  is down\n"), "{told}");
        assert!(told.contains("hint  ask `grantor call check_change` again\n"), "{told}");
        assert_eq!(shown(&json!({ "rows": [], "problems": [] })), "  nothing is found\n");
        let down = painted(&json!({ "rows": [], "problems": [problem] }), true, false);
        assert!(!down.contains("nothing is found"), "nobody could be asked: {down}");
    }

    #[test]
    fn counts_are_read_by_people() {
        assert_eq!([1, 2, 0].map(|count| counted(count, "line")), ["1 line", "2 lines", "0 lines"]);
    }

    #[test]
    fn a_trouble_brings_its_candidates() {
        let one = json!({ "id": "17be", "name": "Alex Kim", "email": "a@x.org", "kind": "user" });
        let problem = json!({ "vendor": "v", "kind": "ambiguous", "message": "principal: 2 have",
            "hint": "pass an id", "candidates": [one] });
        let told = shown(&json!({ "rows": [], "problems": [problem] }));
        assert!(told.contains("ambiguous  principal: 2 have\n"), "{told}");
        assert!(told.contains("candidate  Alex Kim (a@x.org)  user, 17be\n"), "{told}");
    }
}
