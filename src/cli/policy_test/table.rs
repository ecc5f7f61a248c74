//! A file of decisions: what a policy is to say, case by case.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value};
use toml::Table;
use toml::de::DeTable;

use crate::catalogue::Supposed;
use crate::cli::somebody::Somebody;
use crate::config;
use crate::guard::{Declared, Right};
use crate::requester::Requester;
use crate::text;
use crate::tools::{Effect, TOOLS, meant};

/// The file, read and checked.
pub(super) struct Decisions {
    /// The policy that it is about; without one, the rules in force are.
    pub policy: Option<PathBuf>,
    /// What it declares for rules to speak of, where it declares anything.
    pub declared: Option<Declared>,
    pub warnings: Vec<String>,
    pub cases: Vec<Case>,
}

/// One line of the table.
pub(super) struct Case {
    pub line: usize,
    pub name: String,
    pub tool: &'static str,
    pub change: Change,
    pub requester: Option<Requester>,
    /// Who would see the request, or approve it, where that is the question.
    pub right: Option<(Right, Requester)>,
    pub client: Option<String>,
    pub now: Option<Timestamp>,
    pub verdict: &'static str,
    /// A rule that is to have decided.
    pub rule: Option<String>,
}

pub(super) enum Change {
    Supposed(Box<Supposed>),
    /// Arguments of a real call.
    Real(Map<String, Value>),
}

/// Everything that is wrong with a file, each with its line.
pub(super) type Mistakes = Vec<String>;

const WHOLE: [&str; 7] = ["policy", "now", "time_zone", "teams", "accounts", "labels", "case"];
const DECLARING: [&str; 4] = ["time_zone", "teams", "accounts", "labels"];
const OF_CASE: [&str; 11] = [
    "name",
    "tool",
    "change",
    "arguments",
    "requester",
    "viewer",
    "approver",
    "client",
    "now",
    "verdict",
    "rule",
];
const VERDICTS: [&str; 3] = ["allow", "ask", "deny"];

impl Decisions {
    pub(super) fn read(path: &Path) -> Result<Self, Mistakes> {
        let shown = path.display();
        let text = crate::input::read(path).and_then(|bytes| crate::input::source(&bytes));
        let text = text.map_err(|error| vec![format!("{shown}: {error}")])?;
        let tables: Table = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            vec![format!("{shown}:{line}: {}", error.message())]
        })?;
        let mut reading = Reading { shown: shown.to_string(), mistakes: Vec::new() };
        let decisions = reading.whole(path, &text, &tables);
        if reading.mistakes.is_empty() { Ok(decisions) } else { Err(reading.mistakes) }
    }
}

/// What was found on the way.
struct Reading {
    shown: String,
    mistakes: Mistakes,
}

impl Reading {
    fn say(&mut self, line: usize, told: &str) {
        self.mistakes.push(format!("{}:{line}: {told}", self.shown));
    }

    fn whole(&mut self, path: &Path, text: &str, tables: &Table) -> Decisions {
        for key in tables.keys().filter(|key| !WHOLE.contains(&key.as_str())) {
            self.say(line_of(text, key), &unknown(key, "here", &WHOLE));
        }
        let policy = match tables.get("policy").map(|value| value.as_str()) {
            Some(Some(policy)) if !text::is_blank(policy) => {
                Some(path.parent().unwrap_or(Path::new("")).join(policy))
            }
            Some(_) => {
                self.say(line_of(text, "policy"), "policy must be a path, from this file's folder");
                None
            }
            None => None,
        };
        let now = tables.get("now").and_then(|now| self.time(line_of(text, "now"), now));
        let cases = match tables.get("case").map(toml::Value::as_array) {
            Some(Some(cases)) if cases.iter().all(toml::Value::is_table) => cases.as_slice(),
            Some(_) => {
                self.say(line_of(text, "case"), "cases are written as [[case]], each by itself");
                &[]
            }
            None => {
                self.say(1, "there is no [[case]]: a table of decisions has at least one");
                &[]
            }
        };
        let lines = lines_of_cases(text);
        let cases: Vec<_> = cases
            .iter()
            .filter_map(toml::Value::as_table)
            .enumerate()
            .filter_map(|(nth, case)| self.case(*lines.get(nth).unwrap_or(&1), case, now))
            .collect();
        let (declared, warnings) = self.declared(path, text, tables, &cases);
        Decisions { policy, declared, warnings, cases }
    }

    fn declared(
        &mut self,
        path: &Path,
        text: &str,
        tables: &Table,
        cases: &[Case],
    ) -> (Option<Declared>, Vec<String>) {
        if !DECLARING.iter().any(|key| tables.contains_key(*key)) {
            return (None, Vec::new());
        }
        let tenants = cases.iter().filter_map(|case| match &case.change {
            Change::Supposed(supposed) => supposed.tenant_name.as_deref(),
            Change::Real(arguments) => arguments.get("tenant").and_then(Value::as_str),
        });
        match config::declared_by(path, text, tables, tenants) {
            Ok((declared, warnings)) => (Some(declared), warnings),
            Err(error) => {
                self.mistakes.push(error.to_string());
                (None, Vec::new())
            }
        }
    }

    fn case(&mut self, line: usize, case: &Table, now: Option<Timestamp>) -> Option<Case> {
        let before = self.mistakes.len();
        for key in case.keys().filter(|key| !OF_CASE.contains(&key.as_str())) {
            self.say(line, &unknown(key, "in [[case]]", &OF_CASE));
        }
        let mut text = |key: &str| match case.get(key).map(|value| value.as_str()) {
            Some(Some(said)) if !text::is_blank(said) => Some(said.to_owned()),
            Some(_) => {
                self.say(line, &format!("{key} in [[case]] must be text"));
                None
            }
            None => None,
        };
        let [name, tool, client, verdict, rule] =
            ["name", "tool", "client", "verdict", "rule"].map(&mut text);
        let [requester, viewer, approver] =
            ["requester", "viewer", "approver"].map(|key| self.somebody(line, key, case.get(key)));
        let right = match (viewer, approver) {
            (Some(_), Some(_)) => {
                self.say(line, "a case has a viewer or an approver: write one for each");
                None
            }
            (viewer, approver) => viewer
                .map(|who| (Right::See, who))
                .or_else(|| approver.map(|who| (Right::Approve, who))),
        };
        let own = case.get("now").and_then(|now| self.time(line, now));
        for (key, found) in [("name", &name), ("tool", &tool), ("verdict", &verdict)] {
            if found.is_none() && !case.contains_key(key) {
                self.say(line, &format!("[[case]] needs a {key}"));
            }
        }
        let tool = tool.and_then(|tool| self.tool(line, &tool));
        let verdict = verdict.and_then(|said| self.verdict(line, &said));
        let change = self.change(line, case);
        if right.is_some() && matches!(change, Some(Change::Real(_))) {
            self.say(line, "who may see or approve is tried with a change that is supposed");
        }
        if self.mistakes.len() > before {
            return None;
        }
        let (name, tool, verdict) = (name?, tool?, verdict?);
        let now = own.or(now);
        let change = change?;
        Some(Case { line, name, tool, change, requester, right, client, now, verdict, rule })
    }

    /// A user of the operating system by their name, or a caller `ISSUER#SUBJECT`, with what their issuer says of
    /// them in a table.
    fn somebody(
        &mut self,
        line: usize,
        key: &str,
        said: Option<&toml::Value>,
    ) -> Option<Requester> {
        let said = match json(said?) {
            Value::String(name) => Somebody::named(name),
            said => match serde_path_to_error::deserialize(said) {
                Ok(said) => said,
                Err(error) => {
                    self.say(line, &format!("{key} in [[case]]: {}", error.inner()));
                    return None;
                }
            },
        };
        let told = said.requester();
        if let Err(trouble) = &told {
            self.say(line, &format!("{key} in [[case]] {trouble}"));
        }
        told.ok()
    }

    fn tool(&mut self, line: usize, tool: &str) -> Option<&'static str> {
        let changes = |effect| matches!(effect, Effect::Grant | Effect::Revoke);
        let specs = TOOLS.iter().map(|known| known.spec).filter(|spec| changes(spec.effect));
        let names: Vec<_> = specs.map(|spec| spec.name).collect();
        let found = names.iter().find(|name| **name == tool).copied();
        if found.is_none() {
            let near = meant(tool, &names);
            self.say(
                line,
                &format!(
                    "{tool:?} is no tool that grants or revokes{near}; `grantor tools` lists them. Of an \
                     undo, name the tool that would undo it, and undoes = \"RECEIPT\" in change"
                ),
            );
        }
        found
    }

    fn verdict(&mut self, line: usize, said: &str) -> Option<&'static str> {
        let found = VERDICTS.into_iter().find(|verdict| *verdict == said);
        if found.is_none() {
            self.say(line, &format!("verdict must be allow, ask or deny, not {said:?}"));
        }
        found
    }

    fn change(&mut self, line: usize, case: &Table) -> Option<Change> {
        match (case.get("change"), case.get("arguments")) {
            (Some(_), Some(_)) => {
                self.say(
                    line,
                    "a case has a change, which is supposed, or the arguments of a call",
                );
                None
            }
            (None, Some(arguments)) => match json(arguments) {
                Value::Object(arguments) => Some(Change::Real(arguments)),
                _ => {
                    self.say(line, "arguments in [[case]] must be a table");
                    None
                }
            },
            (change, None) => {
                let change = change.map_or_else(|| Value::Object(Map::new()), json);
                self.supposed(line, change).map(|change| Change::Supposed(Box::new(change)))
            }
        }
    }

    fn supposed(&mut self, line: usize, change: Value) -> Option<Supposed> {
        let Some(fields) = change.as_object() else {
            self.say(line, "change in [[case]] must be a table");
            return None;
        };
        let before = self.mistakes.len();
        for key in
            ["requester", "client", "now"].into_iter().filter(|key| fields.contains_key(*key))
        {
            self.say(line, &format!("{key} stands in [[case]] itself, not in its change"));
        }
        self.fields(line, "change", fields, &Supposed::FIELDS);
        if self.mistakes.len() > before {
            return None;
        }
        serde_path_to_error::deserialize(change)
            .map_err(|error| {
                self.say(line, &format!("{} in change: {}", error.path(), error.inner()));
            })
            .ok()
    }

    /// Fields that a change does not have, in it and in its parts.
    fn fields(&mut self, line: usize, of: &str, fields: &Map<String, Value>, known: &[&str]) {
        for (key, value) in fields {
            if !known.contains(&key.as_str()) {
                self.say(line, &unknown(key, &format!("in {of}"), known));
                continue;
            }
            let Some(parts) = Supposed::fields_of(key) else { continue };
            let all = match value {
                Value::Array(all) => all.as_slice(),
                one => std::slice::from_ref(one),
            };
            // What is held is a role on a resource, each by its name alone.
            let words = all.iter().filter_map(Value::as_object);
            words.for_each(|part| self.fields(line, key, part, parts));
        }
    }

    /// A time as TOML writes it, or as text.
    fn time(&mut self, line: usize, said: &toml::Value) -> Option<Timestamp> {
        let text = json(said);
        let read = text.as_str().and_then(|text| text.parse().ok());
        if read.is_none() {
            self.say(line, "now must be a time with its offset, such as 2026-12-24T18:00:00Z");
        }
        read
    }
}

fn unknown(key: &str, place: &str, known: &[&str]) -> String {
    let near = meant(key, known);
    format!("there is no {key:?} {place}{near}; there are {}", known.join(", "))
}

/// The same as JSON; times are text.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(is) => Value::Bool(*is),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(all) => all.iter().map(json).collect(),
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), json(value))).collect()
        }
    }
}

/// Where each case begins.
fn lines_of_cases(text: &str) -> Vec<usize> {
    let Ok(spanned) = DeTable::parse(text) else { return Vec::new() };
    let cases = spanned.get_ref().get("case").and_then(|cases| cases.get_ref().as_array());
    let starts = cases.into_iter().flat_map(|cases| cases.iter()).map(|case| case.span().start);
    starts.map(|start| line_at(text, start)).collect()
}

/// The line of a key of the whole file.
fn line_of(text: &str, key: &str) -> usize {
    let Ok(spanned) = DeTable::parse(text) else { return 1 };
    let found = spanned.get_ref().iter().find(|(known, _)| known.get_ref() == key);
    found.map_or(1, |(known, _)| line_at(text, known.span().start))
}

fn line_at(text: &str, end: usize) -> usize {
    1 + text.bytes().take(end).filter(|&byte| byte == b'\n').count()
}
