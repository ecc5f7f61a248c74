//! Words on a terminal: colour where there is one, none in a pipe.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::access::Named;
use crate::invocation;
use crate::text;
use crate::tools::TOOLS;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const WAITS: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// What else an answer may say, and what it is called.
const MARKS: [(&str, &str); 11] = [
    ("note", "note"),
    ("expires_at", "ends"),
    ("overdue", "overdue"),
    ("ended_by", "ended by"),
    ("undone_by", "undone by"),
    ("until", "waits until"),
    ("approved_by", "approved by"),
    ("denied_by", "denied by"),
    ("follows", "follows"),
    ("hint", "hint"),
    ("receipt", "receipt"),
];

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

/// Styled lines to stdout; a pipe gets them plain.
pub(super) fn lines(lines: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    quiet(out.write_all(lines.as_bytes()).and_then(|()| out.flush()))
}

/// A time as a person reads it: to the second.
pub(super) fn time(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
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
    let line = format!("{}: {trouble}\n", with(BAD, "grantor"));
    let _ = anstream::stderr().write_all(line.as_bytes());
}

/// Something on the way, on stderr.
pub(super) fn note(what: &str) {
    let what = invocation::commands(&text::clean(what));
    let line = format!("{}\n", with(DIM, &format!("… {what}")));
    let _ = anstream::stderr().write_all(line.as_bytes());
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

/// What a command changed, to stdout; `what` says it in a few words where it cannot be written: then
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
pub(super) fn answer(body: &Value, is_error: bool) -> String {
    if body.get("outcome").is_none() {
        return rows(body, is_error);
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
    let titles = [("before", "before"), ("after", if unsent { "then" } else { "now" })];
    // What stayed as it was is said once.
    let stayed = !unsent && body.get("before") == body.get("after");
    for (key, title) in titles.into_iter().skip(usize::from(stayed)) {
        shown.push_str(&access_lines(body, key, title));
    }
    for warning in array(body, "warnings").iter().filter_map(Value::as_str) {
        shown.push_str(&format!("  {}  {warning}\n", with(WAITS, "note")));
    }
    shown.extend(array(body, "candidates").iter().map(candidate));
    let sandbox = flag(body, "sandbox") == Some(true);
    for (key, title) in MARKS {
        if let Some(words) = string(body, key) {
            let words = words.parse().map_or_else(|_| at_a_terminal(words, sandbox), time);
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

/// Something that a name may mean, with what tells it from others, and whose it is.
fn candidate(one: &Value) -> String {
    let [id, kind, vendor] =
        ["id", "kind", "vendor"].map(|key| string(one, key).unwrap_or_default());
    let vendor = if vendor.is_empty() { String::new() } else { format!("at {vendor}, ") };
    let about = with(DIM, &format!("{kind}, {vendor}{id}"));
    format!("  {}  {}  {about}\n", with(DIM, "candidate"), who(one))
}

fn rows(body: &Value, is_error: bool) -> String {
    let all = array(body, "rows");
    let mut shown: String = all.iter().map(|one| row(one, all)).collect();
    // Where nobody could be asked, nobody knows whether there is something.
    if all.is_empty() && array(body, "changes").is_empty() && !is_error {
        let told = match array(body, "problems") {
            [] => "nothing is found",
            _ => "nothing is found where it could be looked up",
        };
        shown.push_str(&format!("  {}\n", with(DIM, told)));
    }
    if let Some(note) = string(body, "note") {
        shown.push_str(&format!("  {}  {note}\n", with(DIM, "note")));
    }
    let sandbox = flag(body, "sandbox") == Some(true);
    for problem in array(body, "problems") {
        let [vendor, kind, message] =
            ["vendor", "kind", "message"].map(|key| string(problem, key).unwrap_or_default());
        shown.push_str(&format!("  {vendor:<11} {}  {message}\n", with(WAITS, kind)));
        shown.extend(array(problem, "candidates").iter().map(candidate));
        if let Some(hint) = string(problem, "hint") {
            shown.push_str(&format!(
                "  {:<11} {}  {}\n",
                "",
                with(DIM, "hint"),
                at_a_terminal(hint, sandbox)
            ));
        }
    }
    for change in array(body, "changes") {
        let [receipt, outcome, summary] =
            ["receipt", "outcome", "summary"].map(|key| string(change, key).unwrap_or_default());
        shown.push_str(&format!("  {}  {}  {summary}\n", with(DIM, receipt), with(BOLD, outcome)));
    }
    shown
}

/// A row of access, or of something that can be granted or be granted to. Its id is shown where its
/// name and address do not tell it from another row.
fn row(row: &Value, all: &[Value]) -> String {
    let vendor = string(row, "vendor").unwrap_or_default();
    if row.get("principal").is_some() {
        return format!("  {vendor:<11} {}\n", access(row));
    }
    let title = who(row);
    let twins = all.iter().filter(|one| string(one, "vendor") == Some(vendor) && who(one) == title);
    let id = string(row, "id").filter(|id| *id != title && twins.count() > 1).unwrap_or_default();
    let mut marks = Vec::new();
    marks.extend(string(row, "kind").filter(|kind| *kind != "user").map(|kind| with(DIM, kind)));
    marks.extend(string(row, "path").filter(|path| *path != title).map(|path| with(DIM, path)));
    marks.extend(Some(with(DIM, id)).filter(|_| !id.is_empty()));
    marks.extend((flag(row, "active") == Some(false)).then(|| with(WAITS, "not active")));
    marks.extend((flag(row, "privileged") == Some(true)).then(|| with(WAITS, "privileged")));
    let marks: String = marks.iter().map(|mark| format!("  {mark}")).collect();
    format!("  {vendor:<11} {}{marks}\n", with(BOLD, &title))
}

fn flag(body: &Value, key: &str) -> Option<bool> {
    body.get(key)?.as_bool()
}

/// Who or what something is, in one way everywhere. A plain name needs no quotes in a table.
fn who(named: &Value) -> String {
    let Ok(one) = Named::deserialize(named) else { return "?".to_owned() };
    let is_plain = |name: &String| !name.contains(['(', ')', '<', '>', '@', '“', '”', '"']);
    let label = one.label();
    match one.name.as_ref().filter(|name| is_plain(name)) {
        Some(name) => label.replacen(&one.said(), name, 1),
        None => label,
    }
}

fn access(row: &Value) -> String {
    let [principal, role, resource] = ["principal", "role", "resource"].map(|key| name(row, key));
    let waits = if row.get("pending").is_some() { " (waits for approval)" } else { "" };
    let until = string(row, "expires_at").map(|end| format!(" until {end}")).unwrap_or_default();
    let from = string(row, "starts_at").map(|start| format!(" from {start}")).unwrap_or_default();
    let via = row.get("via").map(|_| format!(" through {}", name(row, "via"))).unwrap_or_default();
    format!("{principal}: {role} on {resource}{via}{from}{until}{waits}")
}

fn name(row: &Value, key: &str) -> String {
    row.get(key).map_or_else(|| "?".to_owned(), who)
}

fn string<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key)?.as_str()
}

fn array<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(body: &Value) -> String {
        anstream::adapter::strip_str(&rows(body, false)).to_string()
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
        assert_eq!(told, "  v           Alex Kim (a@x.org)\n  v           Alex Kim (b@x.org)\n");
        let told = shown(&json!({ "rows": [person("17be", None), person("efc8", None)] }));
        assert_eq!(told, "  v           Alex Kim (17be)\n  v           Alex Kim (efc8)\n");
        let access = |person: &Value| {
            json!({ "vendor": "v", "principal": person, "role": { "id": "r", "name": "Dev" },
                "resource": { "id": "1", "name": "Orders", "kind": "asset" } })
        };
        let told = shown(&json!({ "rows": people.iter().map(access).collect::<Vec<_>>() }));
        assert!(told.contains("Alex Kim (a@x.org): Dev on Orders\n"), "{told}");
        assert!(told.contains("Alex Kim (b@x.org): Dev on Orders\n"), "{told}");
        let asset =
            |id: &str| json!({ "vendor": "v", "id": id, "name": "Reports", "kind": "asset" });
        let told = shown(&json!({ "rows": [asset("a1"), asset("a2")] }));
        assert_eq!(told, "  v           Reports  asset  a1\n  v           Reports  asset  a2\n");
    }

    /// What a vendor calls somebody is not taken for an address that we say.
    #[test]
    fn a_name_that_could_be_an_address_is_quoted() {
        let row =
            json!({ "id": "1", "name": "Boss (boss@x.org)", "email": "b@x.org", "kind": "user" });
        assert_eq!(who(&row), "“Boss (boss@x.org)” (b@x.org)");
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
        let row =
            json!({ "principal": { "id": "1" }, "role": { "id": "r" }, "resource": { "id": "a" } });
        let told = |outcome: &str, before: &Value, after: &Value| {
            let body =
                json!({ "outcome": outcome, "summary": "s", "before": before, "after": after });
            anstream::adapter::strip_str(&answer(&body, false)).to_string()
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
            "follows": "gr-a", "hint": "check_change gr-b says more", "sandbox": true });
        let told = anstream::adapter::strip_str(&answer(&body, true)).to_string();
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
        let down = answer(&json!({ "rows": [], "problems": [problem] }), true);
        assert!(!down.contains("nothing is found"), "nobody could be asked: {down}");
    }

    #[test]
    fn counts_and_times_are_read_by_people() {
        assert_eq!([1, 2, 0].map(|count| counted(count, "line")), ["1 line", "2 lines", "0 lines"]);
        let fine = "2027-01-31T18:00:00.123456789Z".parse().unwrap();
        assert_eq!(time(fine), "2027-01-31T18:00:00Z");
    }

    #[test]
    fn a_trouble_brings_its_candidates() {
        let one = json!({ "id": "17be", "name": "Alex Kim", "email": "a@x.org", "kind": "user" });
        let problem = json!({ "vendor": "v", "kind": "ambiguous", "message": "principal: 2 have",
            "candidates": [one] });
        let told = shown(&json!({ "rows": [], "problems": [problem] }));
        assert!(told.contains("ambiguous  principal: 2 have\n"), "{told}");
        assert!(told.contains("candidate  Alex Kim (a@x.org)  user, 17be\n"), "{told}");
    }
}
