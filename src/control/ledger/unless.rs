//! What may stand against a line, told from what the ledger has of its receipt. Pure: where lines are
//! kept, and how they are found, is not known here.

use super::request::{Asking, Content, Decision, Request};
use super::{Record, State};
use crate::control::requester::Requester;
use crate::failure::Failure;

/// A line is written unless this is so; nobody else can write between.
#[derive(Debug)]
pub(super) enum Unless {
    /// The change of this receipt is found to be so.
    Change(String, OfChange),
    /// The request of this receipt is found to be so.
    Request(String, OfRequest),
    /// This question waits already.
    Waits(Box<Question>),
}

/// What somebody is asked, as the same requester would ask it again.
#[derive(Clone, Debug)]
pub(super) struct Question {
    digest: String,
    requester: String,
    content: Content,
}

#[derive(Debug)]
pub(super) enum OfChange {
    /// Its end is recorded.
    Ended,
    /// Its own end is known to be overdue, for this reason.
    OverdueKnown(String),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum OfRequest {
    /// It takes no such answer any more.
    Unanswerable(Decision),
    /// Its yes may not be taken.
    Unspendable,
    /// Between its yes and now somebody else changed the same access.
    Unopenable,
}

/// What stands against a line.
#[derive(Debug)]
pub(super) enum Objection {
    Failed(Box<Failure>),
    /// The request of this receipt asks for it already.
    Waits(String),
}

impl OfChange {
    pub(super) fn check(&self, record: Option<&Record>) -> Result<(), Objection> {
        let is_so = match self {
            Self::Ended => record.is_some_and(|record| record.end.is_some()),
            Self::OverdueKnown(why) => {
                record.and_then(|record| record.overdue.as_ref()) == Some(why)
            }
        };
        if is_so { Err(Failure::refused("it is recorded already").into()) } else { Ok(()) }
    }
}

impl OfRequest {
    pub(super) fn check(self, receipt: &str, request: Option<&Request>) -> Result<(), Objection> {
        let request = request.ok_or_else(|| {
            Failure::invalid(format!("receipt: the ledger has no request {receipt}"))
                .hint("`grantor requests` lists those that wait")
        })?;
        match self {
            Self::Unanswerable(decision) => request.may_be(decision)?,
            Self::Unspendable => request.may_be_spent()?,
            Self::Unopenable => request.may_be_opened()?,
        }
        Ok(())
    }
}

impl Question {
    pub(super) fn of(asking: &Asking<'_>, requester: &Requester) -> Self {
        let (digest, requester) = (asking.digest.to_owned(), requester.name().to_owned());
        Self { digest, requester, content: asking.content.clone() }
    }

    /// Whether a request is this question, and stands so.
    pub(super) fn is(&self, request: &Request, state: State) -> bool {
        request.state == state
            && request.digest == self.digest
            && request.requester == self.requester
            && request.content.is(&self.content)
    }
}

impl From<Failure> for Objection {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<Objection> for Failure {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::Failed(failure) => *failure,
            Objection::Waits(receipt) => Self::refused(format!("{receipt} asks for it already")),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn request(more: &[Value]) -> Request {
        let until = (NOW + SignedDuration::from_hours(1)).to_string();
        let asked = json!({ "event": "asked", "receipt": "gr-1", "time": NOW.to_string(),
            "requester": "alice", "digest": "d", "until": until,
            "content": { "tool": "grant_asset_role", "policy": "rules" } });
        let lines: Vec<_> = [asked].into_iter().chain(more.iter().cloned()).collect();
        Request::of(&lines, false, None, NOW).unwrap()
    }

    fn answered(decision: &str) -> Value {
        let until = (NOW + SignedDuration::from_mins(10)).to_string();
        json!({ "event": "answered", "decision": decision, "by": "bob", "how": "terminal",
            "until": until })
    }

    #[test]
    fn what_a_request_takes_hangs_on_what_it_is() {
        use OfRequest::*;
        let spent = || json!({ "event": "spent" });
        let all = [
            Unanswerable(Decision::Approved),
            Unanswerable(Decision::Denied),
            Unspendable,
            Unopenable,
        ];
        for (lines, may) in [
            (vec![], [true, true, false, false]),
            (vec![answered("approved")], [false, true, true, false]),
            (vec![answered("denied")], [false; 4]),
            (vec![answered("withdrawn")], [false; 4]),
            (vec![answered("approved"), spent()], [false, false, false, true]),
            (vec![answered("approved"), answered("denied")], [false; 4]),
        ] {
            let request = request(&lines);
            let found = all.map(|so| so.check("gr-1", Some(&request)).is_ok());
            assert_eq!(found, may, "{lines:?}");
        }
        assert!(all.iter().all(|so| so.check("gr-1", None).is_err()), "none is in the ledger");
    }

    #[test]
    fn the_same_question_is_the_same_requesters_and_waits() {
        let question = |digest: &str, requester: &str, content: &Content| {
            Question::of(
                &Asking { digest, until: NOW, content: content.clone() },
                &Requester::named(requester),
            )
        };
        let (waiting, approved) = (request(&[]), request(&[answered("approved")]));
        let same = question("d", "alice", &waiting.content);
        assert!(same.is(&waiting, State::Waiting) && same.is(&approved, State::Approved));
        assert!(!same.is(&approved, State::Waiting), "it is answered");
        assert!(!same.is(&waiting, State::Approved), "nobody has said yes");
        for other in [
            question("e", "alice", &waiting.content),
            question("d", "bob", &waiting.content),
            question(
                "d",
                "alice",
                &Content { question: "another?".to_owned(), ..Content::default() },
            ),
        ] {
            assert!(!other.is(&waiting, State::Waiting), "{other:?}");
        }
    }

    #[test]
    fn an_end_is_recorded_once_and_why_it_is_overdue_once_a_reason() {
        let record = |more: Value| {
            let mut line = json!({ "receipt": "gr-1", "time": "", "requester": "", "process": "",
                "vendor": "dfns", "tenant": "t", "tool": "assign_permission", "effect": "grant",
                "summary": "", "before": [], "conclusive": true, "arguments": {},
                "wanted": { "principal": { "id": "u" }, "role": { "id": "r" },
                    "resource": { "id": "o" }, "scope": "asset" } });
            crate::json::extend(&mut line, more);
            <Record as serde::Deserialize>::deserialize(&line).unwrap()
        };
        let mut ended = record(json!({}));
        ended.apply(&json!({ "event": "close", "outcome": "confirmed", "after": [] }));
        let mut overdue = record(json!({}));
        overdue.apply(&json!({ "event": "overdue", "why": "no key" }));
        let known = |why: &str| OfChange::OverdueKnown(why.to_owned());
        for (so, record, may) in [
            (OfChange::Ended, None, true),
            (OfChange::Ended, Some(&overdue), true),
            (OfChange::Ended, Some(&ended), false),
            (known("no key"), Some(&overdue), false),
            (known("no network"), Some(&overdue), true),
            (known("no key"), Some(&ended), true),
            (known("no key"), None, true),
        ] {
            assert_eq!(so.check(record).is_ok(), may, "{so:?} {record:?}");
        }
    }
}
