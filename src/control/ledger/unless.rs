//! What may stand against a line, told from what the ledger has of its receipt. Pure: where lines are
//! kept, and how they are found, is not known here.

use super::request::{Content, Decision, Request};
use super::{Record, State};
use crate::failure::Failure;

/// A line is written unless this is so; nobody else can write between.
#[derive(Debug)]
pub(super) enum Unless {
    /// The change of this receipt is found to be so.
    Change(String, OfChange),
    /// The request of this receipt is found to be so.
    Request(String, OfRequest),
    /// The same question by the same requester waits.
    Waits { digest: String, requester: String, content: Box<Content> },
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

impl Unless {
    /// Whether a request is the question that must not wait already.
    pub(super) fn is_waiting(&self, request: &Request) -> bool {
        match self {
            Self::Waits { digest, requester, content } => {
                request.state == State::Waiting
                    && request.digest == *digest
                    && request.requester == *requester
                    && request.content.is(content)
            }
            Self::Change(..) | Self::Request(..) => false,
        }
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
        let waits = |digest: &str, requester: &str, content: &Content| {
            let (digest, requester) = (digest.to_owned(), requester.to_owned());
            Unless::Waits { digest, requester, content: Box::new(content.clone()) }
        };
        let waiting = request(&[]);
        let same = waits("d", "alice", &waiting.content);
        assert!(same.is_waiting(&waiting));
        assert!(!same.is_waiting(&request(&[answered("approved")])), "it is answered");
        for other in [
            waits("e", "alice", &waiting.content),
            waits("d", "bob", &waiting.content),
            waits("d", "alice", &Content { question: "another?".to_owned(), ..Content::default() }),
        ] {
            assert!(!other.is_waiting(&waiting), "{other:?}");
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
