//! A request for consent, as its lines tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// Of everything a consent is bound to.
    pub digest: &'a str,
    /// When the question lapses.
    pub until: Timestamp,
    /// The question, as the asker wants it back.
    pub content: Value,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approved,
    Denied,
    /// Who asked does not want it any more.
    Withdrawn,
    /// The access changed since it was asked.
    Moved,
}

/// Who answered, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    pub decision: Decision,
    pub by: String,
    /// `elicitation`, `terminal`, `signature` or, for a no, `command`.
    pub how: String,
    /// Why not, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When an approval lapses.
    pub until: Option<Timestamp>,
    /// What shows that it was them, where something does.
    pub proof: Option<Value>,
}

/// A request for consent.
#[derive(Clone, Debug)]
pub struct Request {
    pub receipt: String,
    pub time: Timestamp,
    pub requester: String,
    pub digest: String,
    pub until: Timestamp,
    pub content: Value,
    pub state: State,
    pub answered: Option<Answered>,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Approved,
    Denied,
    Withdrawn,
    Moved,
    /// Its consent was used: for one change, once.
    Spent,
    /// Nobody answered in time, or the approval was not used in time.
    Lapsed,
}

/// The line that asks.
#[derive(Deserialize)]
struct Asked {
    receipt: String,
    time: Timestamp,
    requester: String,
    digest: String,
    until: Timestamp,
    content: Value,
}

impl Request {
    /// The request that a receipt's lines tell of, oldest first; none if nothing was asked.
    pub(super) fn of(lines: &[Value], now: Timestamp) -> Option<Self> {
        let event = |line: &Value| line.get("event").and_then(Value::as_str).map(str::to_owned);
        let named =
            |name: &str| lines.iter().rev().find(|line| event(line).as_deref() == Some(name));
        let Asked { receipt, time, requester, digest, until, content } =
            Asked::deserialize(named("asked")?).ok()?;
        let answered = named("answered").and_then(|line| Answered::deserialize(line).ok());
        let spent = named("spent").is_some();
        let state = State::of(until, answered.as_ref(), spent, now);
        Some(Self { receipt, time, requester, digest, until, content, state, answered })
    }

    /// # Errors
    /// It is not in a state that lets it be answered so.
    pub(super) fn may_be(&self, decision: Decision) -> Result<(), Failure> {
        match (self.state, decision) {
            (State::Waiting, _) => Ok(()),
            // What was not used yet can still be taken back, and never approved twice.
            (State::Approved, Decision::Denied | Decision::Withdrawn | Decision::Moved) => Ok(()),
            (state, _) => Err(self.not(state)),
        }
    }

    /// # Errors
    /// There is no consent to use.
    pub(super) fn may_be_spent(&self) -> Result<(), Failure> {
        match self.state {
            State::Approved => Ok(()),
            state => Err(self.not(state)),
        }
    }

    fn not(&self, state: State) -> Failure {
        let receipt = &self.receipt;
        Failure::refused(format!("request {receipt} {}", state.words()))
            .hint("ask for the change again")
    }
}

impl State {
    fn of(until: Timestamp, answered: Option<&Answered>, spent: bool, now: Timestamp) -> Self {
        match answered {
            _ if spent => Self::Spent,
            None if until < now => Self::Lapsed,
            None => Self::Waiting,
            Some(answered) => match answered.decision {
                Decision::Approved if answered.until.is_some_and(|until| until < now) => {
                    Self::Lapsed
                }
                Decision::Approved => Self::Approved,
                Decision::Denied => Self::Denied,
                Decision::Withdrawn => Self::Withdrawn,
                Decision::Moved => Self::Moved,
            },
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Moved => "moved",
            Self::Spent => "spent",
            Self::Lapsed => "lapsed",
        }
    }

    /// After "the request".
    pub fn words(self) -> &'static str {
        match self {
            Self::Waiting => "still waits for an answer",
            Self::Approved => "is approved already",
            Self::Denied => "was denied",
            Self::Withdrawn => "was withdrawn",
            Self::Moved => "was overtaken: the access changed since it was asked",
            Self::Spent => "was approved and carried out already",
            Self::Lapsed => "has lapsed",
        }
    }
}
