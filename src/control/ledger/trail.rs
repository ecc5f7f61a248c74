//! Every line from a question to the end of the ledger: what a yes is read from. Pure.
//!
//! Where the question stands may be found in any way; from there on nothing is left out, so that an
//! answer, a withdrawal or a use that an index hides is found all the same, and one that it makes up
//! is not.

use jiff::Timestamp;
use serde_json::Value;

use super::chain::{Kept, Keys, Link};
use super::follow::{Follow, Seen};
use super::told::Told;
use super::whose::{Mark, Names};
use super::{Request, meaning};

/// What was read from a question on.
pub(super) struct Trail<'a> {
    receipt: &'a str,
    /// The names that are of one tenant each.
    names: &'a Names,
    told: Told,
    follow: Follow,
    is_broken: bool,
    /// Another change of the same access, sent after the answer.
    overtaken_by: Option<String>,
    /// What the head says that is kept beside the lines, until its line is met.
    head: Option<Link>,
    has_head: bool,
    /// There must be a head: lines of the first release have none.
    wants_head: bool,
}

impl<'a> Trail<'a> {
    /// From the question of this receipt on; `head` is what is kept beside the lines.
    pub(super) fn begin(receipt: &'a str, head: &Kept, names: &'a Names) -> Self {
        Self {
            receipt,
            names,
            told: Told::default(),
            follow: Follow::part(),
            is_broken: *head == Kept::Wrong,
            overtaken_by: None,
            head: if let Kept::At(link) = head { Some(link.clone()) } else { None },
            has_head: matches!(head, Kept::At(_)),
            wants_head: false,
        }
    }

    /// Takes the next line of the ledger, given without its end.
    pub(super) fn take(&mut self, line: &str, keys: &Keys) {
        let is_first = self.follow.last.is_none();
        let place = match self.follow.take(line, keys) {
            // Whether anything was built on it shows in the next line, or in the head.
            Seen::Unreadable => return,
            Seen::Unsealed(..) => {
                self.is_broken = true;
                return;
            }
            Seen::Sealed(place, follows) => {
                self.is_broken |= follows.is_err();
                place
            }
        };
        self.wants_head |= place.format > 1;
        let link = place.link(line);
        match &self.head {
            // The question itself came later.
            Some(head) if is_first && head.seq < link.seq => self.head = None,
            Some(head) if head.seq == link.seq => {
                self.is_broken |= head.hash != link.hash;
                self.head = None;
            }
            _ => {}
        }
        if place.receipt.as_deref() == Some(self.receipt) {
            self.told.take(&place, line);
        } else {
            match meaning::understood(line) {
                Ok(line) => {
                    self.is_broken |= is_break(&line);
                    self.look_at_other(&line);
                }
                Err(_) => self.is_broken = true,
            }
        }
    }

    /// Looks whether a line of another receipt changes the access that was agreed to.
    fn look_at_other(&mut self, line: &Value) {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        let own =
            text("receipt").strip_prefix(self.receipt).is_some_and(|end| end.starts_with('.'));
        if text("event") != "open" || own || self.overtaken_by.is_some() {
            return;
        }
        let is = |known: &Value, event: &str| known.get("event").is_some_and(|name| name == event);
        let is_answered = self.told.lines.iter().any(|known| is(known, "answered"));
        let asked = self.told.lines.iter().find(|known| is(known, "asked"));
        let intents = asked.and_then(|asked| asked.pointer("/content/intents")?.as_array());
        let mark = |of: &Value| {
            let text = |field: &str| of.get(field).and_then(Value::as_str);
            Mark::new(text("tenant_name"), text("organization"))
        };
        let same = |intent: &Value| {
            ["/tenant", "/wanted/principal/id", "/wanted/resource/id"]
                .iter()
                .all(|place| intent.pointer(place) == line.pointer(place))
                && mark(intent).may_be(&mark(line), self.names)
        };
        if is_answered && intents.is_some_and(|intents| intents.iter().any(same)) {
            self.overtaken_by = Some(text("receipt").to_owned());
        }
    }

    /// The last line of the receipt, as the next one of it names it.
    pub(super) fn last(self) -> Link {
        self.told.last
    }

    /// The request, once every line was taken.
    pub(super) fn request(self, now: Timestamp) -> Option<Request> {
        let is_cut = self.head.is_some() || self.wants_head && !self.has_head;
        let is_broken = self.is_broken || is_cut || self.told.damage.is_some();
        Request::of(&self.told.lines, is_broken, self.overtaken_by, now)
    }
}

/// Whether a line says that others were missing or changed before it.
fn is_break(line: &Value) -> bool {
    let event = line.get("event").and_then(Value::as_str);
    matches!(event, Some(meaning::BROKEN | meaning::ACCEPTED))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::control::ledger::State;
    use crate::control::ledger::chain::LinePosition;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn keys() -> Keys {
        Keys::parse("0123456789abcdef0123456789abcdef").unwrap()
    }

    /// What a line says, by its kind and its receipt.
    fn said(event: &str, receipt: &str) -> Value {
        let (now, later) = (NOW.to_string(), (NOW + SignedDuration::from_hours(1)).to_string());
        let row = json!({ "principal": { "id": "u" }, "role": { "id": "r" },
            "resource": { "id": "o" }, "scope": "asset" });
        let more = match event {
            "asked" => json!({ "digest": "d", "until": later, "content": { "policy": "rules",
                "intents": [{ "tenant": "t", "wanted": row }] } }),
            "approved" | "denied" => json!({ "event": "answered", "decision": event, "by": "bob",
                "how": "terminal", "until": later }),
            "open" => json!({ "process": "p", "vendor": "dfns", "tenant": "t",
                "tool": "assign_permission", "effect": "grant", "summary": "", "before": [],
                "conclusive": true, "arguments": {}, "wanted": row }),
            "broken" => json!({ "found": [] }),
            _ => json!({}),
        };
        let mut line =
            json!({ "event": event, "receipt": receipt, "time": now, "requester": "ada" });
        crate::json::extend(&mut line, more);
        line
    }

    /// A ledger that says this, line by line, without their ends.
    fn ledger(words: &str) -> Vec<String> {
        let (mut last, mut own) = (Link::start(), std::collections::BTreeMap::new());
        let line = |word: &str| {
            let (event, receipt) = word.split_once(' ').unwrap();
            let known = own.entry(receipt.to_owned()).or_insert_with(Link::start);
            let line = keys().line(said(event, receipt), &last, known).unwrap();
            let line = line.trim_end().to_owned();
            *known = LinePosition::of(&line).unwrap().own_link(&line, known);
            last = Link::of(&line).unwrap();
            line
        };
        words.split(", ").map(line).collect()
    }

    fn read(lines: &[String], head: &Kept) -> Request {
        let names = Names::new();
        let mut trail = Trail::begin("gr-1", head, &names);
        lines.iter().for_each(|line| trail.take(line, &keys()));
        trail.request(NOW).unwrap()
    }

    /// The head as it is kept when the last line is written.
    fn head(lines: &[String]) -> Kept {
        Kept::At(Link::of(lines.last().unwrap()).unwrap())
    }

    #[test]
    fn what_came_since_the_question_says_what_a_yes_is_good_for() {
        use State::{Approved, Broken, Denied, Spent, Waiting};
        for (words, state, overtaken_by) in [
            ("asked gr-1", Waiting, None),
            ("asked gr-1, asked gr-2, denied gr-2", Waiting, None),
            ("asked gr-1, approved gr-1", Approved, None),
            ("asked gr-1, approved gr-1, denied gr-1", Denied, None),
            ("asked gr-1, approved gr-1, spent gr-1", Spent, None),
            ("asked gr-1, approved gr-1, open gr-2", Approved, Some("gr-2")),
            ("asked gr-1, approved gr-1, open gr-2, open gr-3", Approved, Some("gr-2")),
            // Before the answer, and of its own, is no other's doing since.
            ("asked gr-1, open gr-2, approved gr-1", Approved, None),
            ("asked gr-1, approved gr-1, spent gr-1, open gr-1.1", Spent, None),
            ("asked gr-1, approved gr-1, broken gr-2", Broken, None),
            ("asked gr-1, approved gr-1, unheard-of gr-2", Broken, None),
        ] {
            let lines = ledger(words);
            let request = read(&lines, &head(&lines));
            assert_eq!(
                (request.state, request.overtaken_by.as_deref()),
                (state, overtaken_by),
                "{words}"
            );
        }
    }

    #[test]
    fn a_yes_counts_only_where_every_line_since_its_question_is_there_and_holds() {
        let whole = || ledger("asked gr-1, asked gr-2, approved gr-1, asked gr-3");
        let (all, other) = (whole(), ledger("asked gr-9"));
        type Edit = fn(&mut Vec<String>);
        let cases: [(&str, Edit, State); 6] = [
            ("nothing", |_| (), State::Approved),
            ("one is missing", |lines| drop(lines.remove(1)), State::Broken),
            ("one is changed", |lines| lines[1] = lines[1].replace("ada", "eve"), State::Broken),
            ("two are exchanged", |lines| lines.swap(1, 2), State::Broken),
            ("one is there twice", |lines| lines.insert(1, lines[1].clone()), State::Broken),
            ("one is half written", |lines| lines.push("{\"event\"".to_owned()), State::Approved),
        ];
        for (what, edit, state) in cases {
            let mut lines = whole();
            edit(&mut lines);
            assert_eq!(read(&lines, &head(&all)).state, state, "{what}");
        }
        for (what, kept, state) in [
            ("the last line", head(&all), State::Approved),
            ("a line before it", head(&all[..2]), State::Approved),
            (
                "a line that is not here",
                head(&ledger(&["asked gr-4"; 9].join(", "))),
                State::Broken,
            ),
            ("another line of that number", head(&other), State::Broken),
            ("nothing that holds", Kept::Wrong, State::Broken),
            ("nothing, where there must be one", Kept::Missing, State::Broken),
        ] {
            assert_eq!(read(&all, &kept).state, state, "the head names {what}");
        }
    }
}
