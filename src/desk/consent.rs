//! A person's consent: to the whole of a call, once.
//!
//! A question is a request in the ledger, bound to the digest of everything that would happen.
//! Who is there is asked; otherwise the request waits for somebody at a terminal. A yes counts for
//! the very same digest, computed afresh under the turn of the access, and is spent by being used.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::question::Question;
use super::{Call, Called, Desk, Order, Prepared};
use crate::access::Access;
use crate::approvers::{Proof, Statement};
use crate::auth::Boxed;
use crate::failure::Failure;
use crate::guard::Verdict;
use crate::intent::Intent;
use crate::ledger::{Answered, Asking, Decision, Request, Spent, State};
use crate::tools::{Step, Term};

/// How a person can be asked.
pub enum Person {
    /// Nobody can be: a request is kept until somebody answers it at a terminal.
    Absent,
    /// While the call waits.
    Here(Box<dyn Consult>),
    /// Between two calls of the client, the second of which brings the answer.
    Between(Option<Told>),
    /// Approved the request of this receipt before.
    Approved(String),
}

/// A way to a person.
pub trait Consult: Send + Sync {
    /// Asks, and waits for the answer.
    fn ask<'a>(&'a self, question: &'a Question) -> Boxed<'a, Reply>;
    /// By what means, for the ledger.
    fn means(&self) -> &'static str;
}

/// What a person said to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Yes, with what they typed.
    Yes(Option<String>),
    No,
    /// Nothing, for as long as the question could wait.
    Silence,
}

/// What a person said, with the state that went out with the question.
#[derive(Debug)]
pub struct Told {
    pub state: String,
    pub reply: Reply,
}

/// A question on its way to a person between two calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub question: Question,
    pub state: String,
}

/// A consent that is being used: good for exactly these items.
pub(super) struct Given {
    spent: Spent,
    digests: Vec<String>,
}

/// How asking went.
pub(super) enum Sought {
    Approved(Request),
    Refused(String),
    /// The request waits; where the client brings the answer, with the question.
    Waiting(Request, Option<Pending>),
}

/// How long a request waits for somebody.
const WAITS: SignedDuration = SignedDuration::from_hours(24);
/// How long a yes is good for.
pub(super) const GOOD: SignedDuration = SignedDuration::from_mins(10);
/// How a person is asked through a client.
pub const ELICITATION: &str = "elicitation";
/// What the seal of a state is for.
const PURPOSE: &str = "request state";

impl Given {
    /// Makes sure that the consent is for this very item.
    pub(super) fn covers(&self, index: usize, digest: &str) -> Result<&Spent, Failure> {
        if self.digests.get(index).is_some_and(|known| known == digest) {
            return Ok(&self.spent);
        }
        Err(Failure::refused("the access changed since a person agreed")
            .hint("call again: the person is asked anew"))
    }

    /// The receipt of one change: the request's own where there is but one.
    pub(super) fn receipt(&self, index: usize, of: usize) -> String {
        let request = self.spent.receipt();
        if of == 1 { request.to_owned() } else { format!("{request}.{}", index + 1) }
    }
}

impl Desk {
    /// The request that the caller brings a person's answer to, where there is one.
    ///
    /// # Errors
    /// The answer is no, or it is not one to a question that waits.
    pub(super) async fn answered(&self, person: &mut Person) -> Result<Option<Request>, Failure> {
        match person {
            Person::Absent | Person::Here(_) => Ok(None),
            Person::Approved(receipt) => self.request(receipt, State::Approved).await.map(Some),
            Person::Between(told) => match told.take() {
                Some(told) => self.told(&told).await.map(Some),
                None => Ok(None),
            },
        }
    }

    async fn told(&self, told: &Told) -> Result<Request, Failure> {
        let receipt = self.unseal(&told.state).await?;
        let request = self.request(&receipt, State::Waiting).await?;
        match self.settle(&request, &told.reply, ELICITATION).await? {
            Sought::Approved(request) => Ok(request),
            Sought::Refused(why) => Err(Failure::refused(why)),
            Sought::Waiting(..) => Err(Failure::refused("the person did not answer")
                .hint("call again without requestState: the person is asked anew")),
        }
    }

    async fn request(&self, receipt: &str, state: State) -> Result<Request, Failure> {
        let request = self.ledger.request(receipt).await?;
        request.filter(|request| request.state == state).ok_or_else(|| {
            Failure::refused(format!("the request {receipt} is not open, or was used already"))
                .hint("call the tool again: the person is asked anew")
        })
    }

    /// Asks whoever is there.
    pub(super) async fn seek(
        &self,
        order: &Order<'_>,
        steps: &[Box<dyn Step>],
        prepared: &[Prepared],
        digest: &str,
        call: &Call,
    ) -> Result<Sought, Failure> {
        let question = Question::about(order, steps, prepared);
        let content = content(order, prepared, &question);
        let until = Timestamp::now() + WAITS;
        let asking = Asking { digest, until, content };
        let receipt = self.ledger.ask(&asking).await?;
        let request = self.request(&receipt, State::Waiting).await?;
        match &call.person {
            // An approver's signature is what counts here: nobody else is asked.
            _ if self.approvers.is_some() => Ok(Sought::Waiting(request, None)),
            Person::Here(consult) => {
                let reply = consult.ask(&question).await;
                if (call.withdrawn)() {
                    self.decide(&receipt, Decision::Withdrawn, consult.means(), None).await?;
                    return Ok(Sought::Refused("the call was withdrawn".to_owned()));
                }
                self.settle(&request, &reply, consult.means()).await
            }
            Person::Between(_) => {
                let state = self.sealed(&receipt).await?;
                Ok(Sought::Waiting(request, Some(Pending { question, state })))
            }
            Person::Absent | Person::Approved(_) => Ok(Sought::Waiting(request, None)),
        }
    }

    /// Records what a person said.
    async fn settle(
        &self,
        request: &Request,
        reply: &Reply,
        how: &'static str,
    ) -> Result<Sought, Failure> {
        let wanted = request.content.get("typed").and_then(Value::as_str);
        let (decision, why) = match reply {
            Reply::Silence => return Ok(Sought::Waiting(request.clone(), None)),
            Reply::No => (Decision::Denied, "the person said no"),
            Reply::Yes(typed)
                if wanted.is_some_and(|name| typed.as_deref().map(str::trim) != Some(name)) =>
            {
                (Decision::Denied, "what the person typed is not the name of who gets the access")
            }
            Reply::Yes(_) => (Decision::Approved, ""),
        };
        self.decide(&request.receipt, decision, how, None).await?;
        Ok(match decision {
            Decision::Approved => Sought::Approved(request.clone()),
            _ => Sought::Refused(why.to_owned()),
        })
    }

    /// Records a decision on a request.
    ///
    /// # Errors
    /// It is not waiting any more, it takes a signature that is not there, or the ledger cannot be
    /// written.
    pub async fn decide(
        &self,
        receipt: &str,
        decision: Decision,
        how: &str,
        proof: Option<(String, Value)>,
    ) -> Result<(), Failure> {
        if self.approvers.is_some() && decision == Decision::Approved && proof.is_none() {
            return Err(unsigned());
        }
        let (by, proof) = match proof {
            Some((by, proof)) => (by, Some(proof)),
            None => (self.ledger.requester().to_owned(), None),
        };
        let until = (decision == Decision::Approved).then(|| Timestamp::now() + GOOD);
        let answered = Answered { decision, by, how: how.to_owned(), reason: None, until, proof };
        self.ledger.answer(receipt, &answered).await
    }

    /// Records a person's no, and their reason.
    ///
    /// # Errors
    /// There is nothing to say no to any more, or the ledger cannot be written.
    pub async fn deny(&self, receipt: &str, reason: Option<String>) -> Result<(), Failure> {
        let by = self.ledger.requester().to_owned();
        let decision = Decision::Denied;
        let how = "command".to_owned();
        let answered = Answered { decision, by, how, reason, until: None, proof: None };
        self.ledger.answer(receipt, &answered).await
    }

    /// Uses an approved request up; the consent is good where everything is as it was asked.
    pub(super) async fn spend(
        &self,
        request: &Request,
        digests: Vec<String>,
        question: &Question,
    ) -> Result<Option<Given>, Failure> {
        let same = request.digest == whole(&digests);
        if same && let Err(failure) = self.vouched(request, &question.text) {
            // Nothing will make it good: it is not tried again.
            self.decide(&request.receipt, Decision::Denied, "signature", None).await?;
            return Err(failure);
        }
        let spent = self.ledger.spend(&request.receipt).await?;
        Ok(same.then_some(Given { spent, digests }))
    }

    /// Makes sure that an approver signed this very question, where a signature is needed: what the
    /// ledger says of an approval is only what somebody wrote there.
    fn vouched(&self, request: &Request, question: &str) -> Result<(), Failure> {
        let Some(approvers) = &self.approvers else { return Ok(()) };
        let answered = request.answered.as_ref().ok_or_else(unsigned)?;
        let proof = answered.proof.as_ref().and_then(|proof| Proof::deserialize(proof).ok());
        let Proof { time, signature, .. } = proof.ok_or_else(unsigned)?;
        if Timestamp::now().duration_since(time).abs() > GOOD {
            return Err(Failure::refused("the approver's signature is too old")
                .hint("call again: the approver is asked anew"));
        }
        let Request { receipt, digest, .. } = request;
        let statement = Statement { receipt, digest, question, time };
        approvers.verify(&statement, &answered.by, &signature)
    }

    /// A receipt for the way through a client and back.
    async fn sealed(&self, receipt: &str) -> Result<String, Failure> {
        let end = (Timestamp::now() + GOOD).as_second();
        let seal = self.ledger.seal(PURPOSE, self.bound(receipt, end).as_bytes()).await?;
        Ok(format!("{receipt}.{end}.{}", crate::text::hex(&seal)))
    }

    async fn unseal(&self, state: &str) -> Result<String, Failure> {
        let wrong = || {
            Failure::refused("requestState is not one that was given out here, or it is too old")
                .hint("call the tool again without it: the person is asked anew")
        };
        let [receipt, end, seal] =
            <[&str; 3]>::try_from(state.split('.').collect::<Vec<_>>()).map_err(|_| wrong())?;
        let is_as_given = |number: &i64| number.to_string() == end;
        let end: i64 = end.parse().ok().filter(is_as_given).ok_or_else(wrong)?;
        let made = self.ledger.seal(PURPOSE, self.bound(receipt, end).as_bytes()).await?;
        let made = crate::text::hex(&made);
        let same =
            aws_lc_rs::constant_time::verify_slices_are_equal(made.as_bytes(), seal.as_bytes());
        if same.is_err() || end < Timestamp::now().as_second() {
            return Err(wrong());
        }
        Ok(receipt.to_owned())
    }

    /// What a state is bound to.
    fn bound(&self, receipt: &str, end: i64) -> String {
        format!("{receipt} {end} {}", self.ledger.requester())
    }
}

fn unsigned() -> Failure {
    Failure::refused("only an approver's signature approves here")
        .hint("an approver runs `grantor requests approve RECEIPT --key FILE`")
}

/// The digests of all items, where one of them needs a person: what consent is bound to.
pub(super) fn digests(
    order: &Order<'_>,
    steps: &[Box<dyn Step>],
    prepared: &[Prepared],
) -> Option<Vec<String>> {
    let asks = |one: &Prepared| matches!(one, Prepared::Judged(Verdict::Ask(_), _));
    let digest = |one: &Prepared| one.digest(steps, order.term.from);
    prepared.iter().any(asks).then(|| prepared.iter().map(digest).collect())
}

/// The term a request was for, where the same call comes back with a person's answer.
pub(super) fn term(request: &Request, called: &Called) -> Option<Term> {
    let content = &request.content;
    let same = content.get("tool").and_then(Value::as_str) == Some(called.tool.as_str())
        && content.get("arguments").and_then(Value::as_object) == Some(&called.arguments);
    let term = content.get("term").cloned().filter(|_| same)?;
    serde_json::from_value(term).ok()
}

/// The digest of a call, from those of its items.
pub(super) fn whole(digests: &[String]) -> String {
    sha256(digests.join("\n").as_bytes())
}

impl Prepared {
    fn judged(&self) -> Option<(&Intent, &[String])> {
        match self {
            Self::Judged(Verdict::Allow(permitted), _) => {
                Some((permitted.intent(), &permitted.policy().rules))
            }
            Self::Judged(Verdict::Ask(asked), _) => Some((&asked.intent, &asked.policy.rules)),
            Self::Judged(Verdict::Deny(_), _) | Self::Already(..) => None,
        }
    }

    /// A digest of everything that would happen, and of what it rests on. The items of one call
    /// change each other's surroundings: what they themselves want is left out of the others'.
    pub(super) fn digest(&self, siblings: &[Box<dyn Step>], from: Timestamp) -> String {
        let Some((intent, rules)) = self.judged() else { return "already".to_owned() };
        let own = |row: &&Access| {
            intent.wanted.is(row) || !siblings.iter().any(|sibling| sibling.wanted().is(row))
        };
        let term = Term { from, until: intent.expires_at, lasts: intent.lasts };
        let foreign = |rows: &[Access]| {
            let rows = rows.iter().filter(own).map(|row| term.bound(json!(row)).to_string());
            let mut rows: Vec<_> = rows.collect();
            rows.sort_unstable();
            rows
        };
        let all = term.bound(json!({
            "tool": intent.tool,
            "vendor": intent.vendor,
            "base": intent.base,
            "arguments": intent.arguments,
            "request": intent.request(),
            "before": foreign(&intent.before),
            "after": foreign(&intent.after),
            "expires_at": intent.expires_at.map(|end| end.to_string()),
            "undoes": intent.cause.undoes(),
            "reason": intent.reason,
            "warnings": intent.warnings,
            "rules": rules,
        }));
        sha256(all.to_string().as_bytes())
    }
}

fn content(order: &Order<'_>, prepared: &[Prepared], question: &Question) -> Value {
    let intents: Vec<_> = prepared.iter().filter_map(Prepared::judged).collect();
    json!({
        "tool": order.called.tool,
        "arguments": order.called.arguments,
        "vendor": order.tool.spec.vendor,
        "term": order.term,
        "client": order.client,
        "summary": question.summary,
        "question": question.text,
        "typed": question.typed,
        "rules": intents.iter().flat_map(|(_, rules)| rules.iter()).collect::<Vec<_>>(),
        "intents": intents.iter().map(|(intent, _)| intent.recorded()).collect::<Vec<_>>(),
    })
}

fn sha256(bytes: &[u8]) -> String {
    crate::text::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}
