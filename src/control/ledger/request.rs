//! A request for consent, as its lines tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::consent::{Event, State};
use crate::access::Outcome;
use crate::failure::Failure;
use crate::intent::Term;
use crate::json::is_same_set;

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// Of everything a consent is bound to.
    pub digest: &'a str,
    /// When the question lapses.
    pub until: Timestamp,
    pub content: Content,
}

/// What was asked for, and in which words: whoever carries a yes out compares all of it with what is so
/// then. The first release kept less.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    pub tool: String,
    /// As the client gave them.
    pub arguments: Map<String, Value>,
    pub vendor: Option<String>,
    pub tenant: Option<String>,
    pub organization: Option<String>,
    pub term: Option<Term>,
    /// The client's own claim of what it is.
    pub client: Option<String>,
    pub summary: String,
    /// The question in words, as a person is shown it.
    pub question: String,
    /// What the person has to type.
    pub typed: Option<String>,
    /// The rules that asked.
    pub rules: Vec<String>,
    /// Each change, as the ledger keeps it.
    pub intents: Vec<Value>,
    /// The hash of the rules in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The request in whose place it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    pub content: Content,
    pub state: State,
    pub answered: Option<Answered>,
    /// What came of its yes, where nothing was sent on it.
    pub concluded: Option<Concluded>,
    /// Another change of the same access that was sent after the answer, where that was looked for.
    pub overtaken_by: Option<String>,
    /// Whether lines since the question are missing or do not hold.
    is_broken: bool,
}

/// What came of a yes on which nothing was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Concluded {
    pub outcome: Outcome,
    pub note: String,
    /// The request that was made instead, because something had changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<String>,
}

/// The line that asks.
#[derive(Deserialize)]
struct Asked {
    receipt: String,
    time: Timestamp,
    requester: String,
    digest: String,
    until: Timestamp,
    content: Content,
}

/// Whether a line that asks can be read.
pub(super) fn readable(line: &Value) -> Result<(), serde_json::Error> {
    Asked::deserialize(line).map(|_| ())
}

impl Content {
    /// The first release kept neither the policy nor the tenant of the whole.
    pub fn is_of_first_release(&self) -> bool {
        self.policy.is_none()
    }

    /// The tenant that it was asked for, where that was kept.
    pub fn asked_at(&self) -> Option<&str> {
        match self.is_of_first_release() {
            true => self.intents.first()?.get("tenant")?.as_str(),
            false => self.tenant.as_deref(),
        }
    }

    /// Whether both ask for the same, in the same words.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.question == other.question
            && self.follows == other.follows
            && is_same_set(&self.arguments, &other.arguments)
    }
}

impl Request {
    /// The request that a receipt's lines tell of, oldest first; none if nothing was asked.
    /// `is_broken`: whether the ledger has a break after the question; `overtaken_by`: another
    /// change of the same access that was sent after the answer.
    pub(super) fn of(
        lines: &[Value],
        is_broken: bool,
        overtaken_by: Option<String>,
        now: Timestamp,
    ) -> Option<Self> {
        let mut state = State::Unasked;
        let (mut asked, mut answered) = (None::<Asked>, None::<Answered>);
        let mut concluded = None;
        for line in lines {
            let event = match line.get("event").and_then(Value::as_str) {
                Some("asked") => {
                    let read = Asked::deserialize(line).ok();
                    asked = asked.or(read);
                    Event::Asked
                }
                Some("answered") => match Answered::deserialize(line) {
                    Ok(read) => {
                        let decision = read.decision;
                        if state.takes(decision) {
                            answered = Some(read);
                        }
                        Event::Answered(decision)
                    }
                    Err(_) => Event::LineDamaged,
                },
                Some("spent") => Event::Spent,
                Some("concluded") => {
                    concluded = Concluded::deserialize(line).ok();
                    continue;
                }
                Some("open") => Event::Opened,
                Some("close") => Event::Closed,
                Some("found") => Event::Found,
                _ => continue,
            };
            state = state.after(event);
        }
        let Asked { receipt, time, requester, digest, until, content } = asked?;
        if is_broken {
            state = state.after(Event::LineDamaged);
        }
        if overtaken_by.is_some() {
            state = state.after(Event::Overtaken);
        }
        let end = match state {
            State::Approved => answered.as_ref().and_then(|answered| answered.until),
            _ => Some(until),
        };
        if end.is_none_or(|end| end < now) {
            state = state.after(Event::Lapsed);
        }
        Some(Self {
            receipt,
            time,
            requester,
            digest,
            until,
            content,
            state,
            answered,
            concluded,
            overtaken_by,
            is_broken,
        })
    }

    /// # Errors
    /// It is not in a state that lets it be answered so.
    pub(super) fn may_be(&self, decision: Decision) -> Result<(), Failure> {
        if self.state.takes(decision) { Ok(()) } else { Err(self.not(self.state)) }
    }

    /// # Errors
    /// There is no consent to use.
    pub(super) fn may_be_spent(&self) -> Result<(), Failure> {
        match self.state {
            State::Approved => Ok(()),
            state => Err(self.not(state)),
        }
    }

    /// # Errors
    /// Its yes was not taken, or another change of the same access came between.
    pub(super) fn may_be_opened(&self) -> Result<(), Failure> {
        let refused = |why: String| {
            Err(Failure::refused(why).hint("call again: the person is asked about what is so now"))
        };
        match (&self.overtaken_by, self.state) {
            _ if self.is_broken => {
                refused("the ledger was damaged since a person agreed".to_owned())
            }
            (Some(by), _) => {
                refused(format!("the access was changed by {by} since a person agreed"))
            }
            (None, State::Spent) => Ok(()),
            (None, state) => Err(self.not(state)),
        }
    }

    fn not(&self, state: State) -> Failure {
        let receipt = &self.receipt;
        Failure::refused(format!("request {receipt} {}", state.words()))
            .hint("ask for the change again")
    }
}
