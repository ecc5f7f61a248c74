//! The last stop of every answer: vendors' text is cleaned, commands are completed, what there is no room
//! for is left out, and a sandbox says that it is one. No face comes by what an answer tells otherwise.

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{Body, Changed};
use super::fitting::fit;
use crate::access::Outcome;
use crate::{invocation, json, text};

/// An answer for a person: what programs get as JSON, and in full, as data.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub body: Body,
    pub is_error: bool,
    pub sandbox: bool,
}

/// What of an answer is our own words, with what it quotes.
const WORDS: [&str; 6] = ["hint", "summary", "warnings", "note", "message", "overdue"];

impl Answer {
    /// The JSON that programs get.
    pub fn write(&self) -> Value {
        let short = fitted(self.body.clone().short(), self.sandbox);
        let mut written = clean(&short, self.sandbox);
        if self.sandbox {
            json::put(&mut written, "sandbox", true);
        }
        written
    }

    /// The same for a person, with all that it says.
    pub fn shown(&self) -> Shown {
        let written = clean(&fitted(self.body.clone(), self.sandbox), self.sandbox);
        Shown::read(written, self.is_error(), self.sandbox)
    }
}

/// As much of it as there is room for.
fn fitted(mut body: Body, sandbox: bool) -> Body {
    fit(&mut body, sandbox);
    body
}

impl Shown {
    /// What a program was given, for a person.
    pub fn read(written: Value, is_error: bool, sandbox: bool) -> Self {
        let body = serde_json::from_value(written).unwrap_or_else(|_| {
            let summary = "this answer cannot be shown: ask for it as JSON".to_owned();
            Body::Changed(Box::new(Changed::new(Outcome::Unknown, summary)))
        });
        Self { body, is_error, sandbox }
    }
}

/// A part of an answer as it leaves.
pub(super) fn clean(part: &impl Serialize, sandbox: bool) -> Value {
    let mut written = json!(part);
    text::clean_value(&mut written);
    complete_commands(&mut written, false, sandbox);
    written
}

/// Words with the commands in them as this process's caller has to type them.
fn complete_commands(body: &mut Value, is_ours: bool, sandbox: bool) {
    match body {
        Value::Object(fields) => {
            // What is sent is shown as it is.
            for (name, value) in fields.iter_mut().filter(|(name, _)| *name != "request") {
                complete_commands(value, WORDS.contains(&name.as_str()), sandbox);
            }
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| complete_commands(value, is_ours, sandbox));
        }
        Value::String(words) if is_ours => {
            *words = match sandbox {
                true => invocation::commands_in_sandbox(words),
                false => invocation::commands(words),
            };
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that commands a terminal, where a vendor can put one.
    const NAME: &str = "Ada\u{1b}[2J\u{202e}";

    fn answers() -> Vec<(&'static str, Answer)> {
        let named = json!({ "id": "u\u{202e}1", "name": NAME, "kind": "user" });
        let row = json!({ "principal": named, "role": named, "resource": named, "scope": "asset" });
        let problem =
            json!({ "vendor": "dfns", "kind": "not_found", "message": NAME, "hint": NAME });
        let changed = json!({ "outcome": "confirmed", "vendor": "dfns", "summary": NAME,
            "principal": named, "before": [], "after": [row], "warnings": [NAME],
            "items": [{ "resource": named, "outcome": "rejected", "note": NAME }] });
        let checked = json!({ "receipt": "gr-1", "outcome": "unknown", "time": "now",
            "requester": NAME, "vendor": "dfns", "tool": "t", "summary": NAME, "now": [row] });
        let unasked = json!({ "outcome": "invalid", "summary": NAME, "rows": [],
            "problems": [problem], "hint": "`grantor doctor` says more" });
        let looked = json!({ "rows": [row, named], "problems": [problem], "note": NAME });
        let entry = json!({ "receipt": "gr-1", "at": "now", "state": "done", "outcome": "confirmed",
            "vendor": "dfns", "tool": "t", "summary": NAME, "requester": NAME, "reason": NAME,
            "principal": named, "rules": [NAME] });
        let listed = json!({ "changes": [entry], "note": NAME });
        let of = |kind, body: Value| (kind, serde_json::from_value(body).unwrap());
        let bodies: [(&str, Body); 5] = [
            of("changed", changed),
            of("checked", checked),
            of("unasked", unasked),
            of("looked", looked),
            of("listed", listed),
        ];
        bodies.map(|(kind, body)| (kind, Answer::of(body))).into()
    }

    /// Whatever leaves is clean, as JSON and as data, and both are the same.
    #[test]
    fn nothing_leaves_that_a_vendor_could_hide_something_in() {
        for (kind, answer) in answers() {
            let (written, shown) = (answer.write(), answer.shown());
            let hides = |text: &str| text.contains(['\u{1b}', '\u{202e}']);
            assert!(!hides(&written.to_string()), "{written}");
            assert!(!hides(&json!(shown.body).to_string()), "{shown:?}");
            let same = match &shown.body {
                Body::Changed(_) => "changed",
                Body::Checked(_) => "checked",
                Body::Unasked(_) => "unasked",
                Body::Looked(_) => "looked",
                Body::Listed(_) => "listed",
            };
            assert_eq!(same, kind, "it is shown as what it is");
            let read = Shown::read(written, answer.is_error(), false).body;
            assert_eq!(read, shown.body.short(), "programs get the same, short");
        }
    }

    /// Our own words name commands as they are typed here, and what a vendor calls something does not.
    #[test]
    fn commands_in_our_own_words_are_completed() {
        let body = json!({ "outcome": "refused", "summary": "`grantor doctor` says more",
            "request": { "message": "`grantor doctor`" } });
        let answer = Answer::of(serde_json::from_value(body).unwrap()).finish(true);
        let written = answer.write();
        assert_eq!(written["summary"], "`grantor --sandbox doctor` says more");
        assert_eq!(written["request"]["message"], "`grantor doctor`");
        assert_eq!(written["sandbox"], true);
    }
}
