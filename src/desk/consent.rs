//! A person's consent: to the whole of a call, once.
//!
//! A question is a request in the ledger, bound to the digest of everything that would happen.
//! Who is there is asked; otherwise the request waits for somebody at a terminal. Whoever carries a
//! yes out takes it first: from then on it is gone, whatever becomes of it. It counts for the very
//! same digest, computed afresh under the turn of the access.

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::content;
use super::linked::Waits;
use super::prepare::{Next, Prepared};
use super::question::ConsentQuestion;
use super::rights::Counts;
use super::task::ChangeContext;
use super::zone::Zone;
use super::{Call, Desk, OriginalCall, unagreed};
use crate::access::Access;
use crate::approvers::{Proof, Statement};
use crate::failure::Failure;
use crate::guard::{Demand, Right, Verdict};
use crate::intent::Intent;
use crate::json::is_same_set;
use crate::ledger::{Answered, Asking, Channel, Content, Decision, Request, State};
use crate::requester::Requester;
use crate::tools::Term;
use crate::vendors::Tenant;

/// How a person can be asked.
pub enum Person {
    /// Nobody can be: a request is kept until somebody answers it at a terminal.
    Absent,
    /// While the call waits.
    Here(Box<dyn Consult>),
    /// Between two calls of the client, the second of which brings the answer.
    Between(Option<ClientAnswer>),
    /// Approved the request of this receipt before.
    Approved(String),
}

/// A way to a person.
pub trait Consult: Send + Sync {
    /// Asks, and waits for the answer.
    fn ask<'a>(&'a self, question: &'a ConsentQuestion) -> BoxFuture<'a, PersonReply>;
    /// By what means, for the ledger.
    fn means(&self) -> Channel;
}

impl Person {
    /// How somebody in the call can be asked, where one can.
    fn channel(&self) -> Option<Channel> {
        match self {
            Self::Here(consult) => Some(consult.means()),
            Self::Between(_) => Some(Channel::Elicitation),
            Self::Absent | Self::Approved(_) => None,
        }
    }
}

/// What a person said to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonReply {
    /// Yes, with what they typed.
    Yes(Option<String>),
    No,
    /// Neither: they closed the question.
    Closed,
    /// Nothing, for as long as the question could wait.
    Silence,
}

/// What a person said, with the state that went out with the question.
#[derive(Debug)]
pub struct ClientAnswer {
    pub state: String,
    pub reply: PersonReply,
}

/// A question on its way to a person between two calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub question: ConsentQuestion,
    pub state: String,
}

/// What a person is to be asked.
pub(super) struct Sought<'a> {
    pub(super) context: &'a ChangeContext,
    pub(super) question: &'a ConsentQuestion,
    pub(super) digest: &'a str,
    /// The tenants at which a yes may be for this call.
    pub(super) here: &'a [&'a Tenant],
}

/// How asking went.
pub(super) enum ConsentOutcome {
    Approved(Request),
    Refused(Failure),
    Waiting(Request, Waits),
}

/// How long a request waits for somebody.
const WAITS: SignedDuration = SignedDuration::from_hours(24);
/// How long a yes is good for.
pub(super) const GOOD: SignedDuration = SignedDuration::from_mins(10);
/// What is said of a slip of the hand.
const MISTYPED: &str = "what was typed is not what the question asks for";

impl Desk {
    /// What a client brings back: a yes is recorded only where it would be carried out, and left
    /// to others elsewhere. A no counts wherever it is said.
    pub(super) async fn client_answered(
        &self,
        here: &[&Tenant],
        told: &ClientAnswer,
        requester: &Requester,
    ) -> Result<Request, Failure> {
        let receipt = self.unseal(&told.state, requester).await?;
        let request = self.request(&receipt, State::Waiting).await?;
        if matches!(told.reply, PersonReply::Yes(_))
            && let Some(why) = self.is_elsewhere(here, &request).await
        {
            let why =
                format!("this yes to {receipt} is not for here: {why}; the request stays open");
            return Err(Failure::refused(why).hint(
                "the same answer counts with the call that it was given to, at a Grantor that is set \
                 up as the one that asked",
            ));
        }
        if ConsentQuestion::of(&request).is_mistyped(&told.reply) {
            return Err(Failure::refused(format!("{MISTYPED}; the request {receipt} stays open"))
                .hint("call again without requestState: the person is asked once more"));
        }
        match self.record_answer(&request, &told.reply, Channel::Elicitation, requester).await? {
            ConsentOutcome::Approved(request) => Ok(request),
            ConsentOutcome::Refused(failure) => Err(failure),
            ConsentOutcome::Waiting(..) => Err(Failure::refused("the person did not answer")
                .hint("call again without requestState: the person is asked anew")),
        }
    }

    pub(super) async fn request(&self, receipt: &str, state: State) -> Result<Request, Failure> {
        let refused = |words: &str| {
            Failure::refused(format!("the request {receipt} {words}"))
                .hint("call the tool again: the person is asked anew")
        };
        match self.ledger.request(receipt).await? {
            Some(request) if request.state == state => Ok(request),
            Some(request) => Err(refused(&request.words_to_the_late())),
            None => Err(refused("is not in the ledger")),
        }
    }

    /// Asks whoever is there.
    pub(super) async fn obtain_consent(
        &self,
        sought: &Sought<'_>,
        prepared: &[Prepared<'_>],
        follows: Option<&str>,
        call: &Call,
    ) -> Result<ConsentOutcome, Failure> {
        let Sought { context, question, digest, here } = *sought;
        let content = Content {
            policy: Some(self.guard.hash().to_owned()),
            names_approvers: self.guard.rules_on(Right::Approve),
            follows: follows.map(str::to_owned),
            zone: self.zone().name().map(str::to_owned),
            ..content::asked(context, prepared, question)
        };
        let until = crate::clock::now() + WAITS;
        let asking = Asking { digest, until, content };
        if let Some(approved) = self.ledger.approved_already(&asking, &call.requester).await?
            && self.is_elsewhere(here, &approved).await.is_none()
            && self.vouched(&approved, &in_words_of(&approved, context, prepared)).is_ok()
        {
            // Somebody said yes to this very question, and nobody has carried it out yet.
            return Ok(ConsentOutcome::Approved(approved));
        }
        let (receipt, is_new) = self.ledger.ask(&asking, &call.requester).await?;
        let request = self.request(&receipt, State::Waiting).await?;
        let waits = Waits { pending: None, is_new };
        match &call.person {
            // Nobody in the call is asked whose yes would not count.
            person if !self.counts_in_call(person, &request, &call.requester) => {
                Ok(ConsentOutcome::Waiting(request, waits))
            }
            Person::Here(consult) => {
                let reply = self.consulted(consult.as_ref(), question, call).await;
                if (call.withdrawn)() {
                    if is_new {
                        let (how, by) = (consult.means(), &call.requester);
                        self.decide(&request, Decision::Withdrawn, how, None, by).await?;
                    }
                    return Ok(ConsentOutcome::Refused(Failure::refused("the call was withdrawn")));
                }
                if reply == PersonReply::Closed && !is_new {
                    // An earlier call asked for it too, and it waits for somebody's answer.
                    return Ok(ConsentOutcome::Waiting(request, waits));
                }
                self.record_answer(&request, &reply, consult.means(), &call.requester).await
            }
            Person::Between(_) => {
                let state = self.sealed(&receipt, &call.requester).await?;
                let question = question.clone();
                let pending = Some(Pending { question, state });
                Ok(ConsentOutcome::Waiting(request, Waits { pending, is_new }))
            }
            Person::Absent | Person::Approved(_) => Ok(ConsentOutcome::Waiting(request, waits)),
        }
    }

    /// Whether somebody in the call can be asked whose yes counts.
    fn counts_in_call(&self, person: &Person, request: &Request, who: &Requester) -> bool {
        person.channel().is_some_and(|how| self.may_approve(request, who, &how).is_ok())
    }

    /// Asks somebody who is there; what is typed wrongly is a slip, after which they are asked once
    /// more.
    async fn consulted(
        &self,
        consult: &dyn Consult,
        question: &ConsentQuestion,
        call: &Call,
    ) -> PersonReply {
        let reply = consult.ask(question).await;
        if !question.is_mistyped(&reply) || (call.withdrawn)() {
            return reply;
        }
        let text = format!("{MISTYPED}; please try once more.\n{}", question.text);
        let again = ConsentQuestion { text, ..question.clone() };
        match consult.ask(&again).await {
            reply if question.is_mistyped(&reply) => PersonReply::Silence,
            reply => reply,
        }
    }

    /// Records what a person said.
    async fn record_answer(
        &self,
        request: &Request,
        reply: &PersonReply,
        how: Channel,
        by: &Requester,
    ) -> Result<ConsentOutcome, Failure> {
        let (decision, refused) = match reply {
            PersonReply::Silence => {
                return Ok(ConsentOutcome::Waiting(request.clone(), Waits::default()));
            }
            slip if ConsentQuestion::of(request).is_mistyped(slip) => {
                return Ok(ConsentOutcome::Waiting(request.clone(), Waits::default()));
            }
            PersonReply::No => (Decision::Denied, unagreed::denied(&how)),
            // Nobody said no.
            PersonReply::Closed => (Decision::Withdrawn, unagreed::dismissed(&how)),
            PersonReply::Yes(_) => {
                self.decide(request, Decision::Approved, how, None, by).await?;
                return Ok(ConsentOutcome::Approved(request.clone()));
            }
        };
        self.decide(request, decision, how, None, by).await?;
        Ok(ConsentOutcome::Refused(refused))
    }

    /// Records a decision on a request; a yes only where it counts.
    ///
    /// # Errors
    /// It is not waiting any more, it is not theirs to approve, it takes a signature that is not there, or
    /// the ledger cannot be written.
    pub(super) async fn decide(
        &self,
        request: &Request,
        decision: Decision,
        how: Channel,
        proof: Option<(String, Value)>,
        requester: &Requester,
    ) -> Result<(), Failure> {
        let mut answered = Answered::new(decision, requester.name(), how);
        if decision == Decision::Approved {
            if self.approvers.is_some() && proof.is_none() {
                return Err(unsigned());
            }
            // A signature speaks for whom the approvers' file names.
            let signer = proof.as_ref().map(|(by, _)| Requester::named(by.as_str()));
            let who = signer.as_ref().unwrap_or(requester);
            let Counts { meets, .. } = self.may_approve(request, who, &answered.how)?;
            who.name().clone_into(&mut answered.by);
            answered.proof = proof.map(|(_, proof)| proof);
            answered.until = Some(crate::clock::now() + GOOD);
            answered.meets = meets;
        } else if !answered.how.admits(decision, self.approvers.is_some()) {
            return Err(unsigned());
        }
        self.ledger.answer(&request.receipt, &answered, requester).await
    }

    /// Records a person's no, and their reason. Whoever is at the machine may say it; a caller where they could
    /// approve.
    ///
    /// # Errors
    /// It is not theirs to decide, there is nothing to say no to any more, or the ledger cannot be written.
    pub async fn deny(
        &self,
        receipt: &str,
        how: Channel,
        reason: Option<String>,
        requester: &Requester,
    ) -> Result<(), Failure> {
        if requester.caller().is_some() {
            let request = self.request_for(receipt, requester).await?;
            self.has_right_to_approve(&request, requester)?;
        }
        self.reject(receipt, how, reason, requester).await
    }

    /// Records a no, whoever's it is: of an approval that does not hold it is nobody's.
    pub(super) async fn reject(
        &self,
        receipt: &str,
        how: Channel,
        reason: Option<String>,
        requester: &Requester,
    ) -> Result<(), Failure> {
        let answered =
            Answered { reason, ..Answered::new(Decision::Denied, requester.name(), how) };
        self.ledger.answer(receipt, &answered, requester).await
    }

    /// Makes sure that an approver signed this very question, where a signature is needed: what the
    /// ledger says of an approval is only what somebody wrote there.
    pub(super) fn vouched(&self, request: &Request, question: &str) -> Result<(), Failure> {
        let Some(approvers) = &self.approvers else { return Ok(()) };
        let now = crate::clock::now();
        let Some((last, earlier)) = request.yeses.split_last() else { return Err(unsigned()) };
        // The ten minutes count from the last; those before it last as long as the request.
        let since = now.duration_since(request.time);
        let ages = earlier.iter().map(|yes| (yes, since)).chain([(last, GOOD)]);
        for (yes, most) in ages {
            let proof = yes.proof.as_ref().and_then(|proof| Proof::deserialize(proof).ok());
            let Proof { time, signature, .. } = proof.ok_or_else(unsigned)?;
            if now.duration_since(time).abs() > most {
                return Err(Failure::refused("the approver's signature is too old")
                    .hint("call again: the approver is asked anew"));
            }
            let Request { receipt, digest, .. } = request;
            let statement = Statement { receipt, digest, question, time };
            approvers.verify(&statement, &yes.by, &signature)?;
        }
        Ok(())
    }

    /// The digests of all items: what consent is bound to.
    pub(super) fn digests(&self, prepared: &[Prepared<'_>]) -> Vec<String> {
        let siblings: Vec<_> = prepared.iter().map(|one| one.task.step.wanted()).collect();
        prepared.iter().map(|one| one.digest(&siblings, self.guard.hash())).collect()
    }
}

pub(super) fn unsigned() -> Failure {
    Failure::refused("only an approver's signature approves here")
        .hint(Channel::Signature.approves_later("RECEIPT").unwrap_or_default())
}

/// The term a request was for, where the same call comes back with a person's answer.
pub(super) fn term(request: &Request, called: &OriginalCall) -> Option<Term> {
    let Content { tool, arguments, term, .. } = &request.content;
    let same = *tool == called.tool && is_same_set(arguments, &called.arguments);
    term.filter(|_| same)
}

/// The digest of a call, from those of its items.
pub(super) fn whole(digests: &[String]) -> String {
    sha256(digests.join("\n").as_bytes())
}

impl Prepared<'_> {
    /// A digest of everything that would happen, and of what it rests on, beside what its siblings in
    /// the call want.
    pub(super) fn digest(&self, siblings: &[&Access], policy: &str) -> String {
        let (from, is_upon_others) = (self.task.request.term.from, self.is_upon_others);
        self.next.digest(siblings, policy, from, is_upon_others)
    }
}

impl Next {
    /// What is to be done, and the rules that let it, where the rules do not forbid it.
    pub(super) fn judged(&self) -> Option<(&Intent, &[String])> {
        match self {
            Self::Judged(Verdict::Allow(permitted)) => {
                Some((permitted.intent(), &permitted.policy().rules))
            }
            Self::Judged(Verdict::Ask(asked)) => Some((asked.intent(), &asked.policy().rules)),
            Self::Judged(Verdict::Deny(_)) | Self::Already(..) | Self::Conflict(..) => None,
        }
    }

    /// Whose yeses it takes, where a person is asked.
    pub(super) fn demands(&self) -> &[Demand] {
        match self {
            Self::Judged(Verdict::Ask(asked)) => asked.demands(),
            Self::Judged(Verdict::Allow(_) | Verdict::Deny(_))
            | Self::Already(..)
            | Self::Conflict(..) => &[],
        }
    }

    /// Whether a privileged or wide change has to be typed.
    fn typed(&self) -> bool {
        matches!(self, Self::Judged(Verdict::Ask(asked)) if asked.typed())
    }

    /// The items of one call change each other's surroundings: what they themselves want is left out
    /// of the others'.
    fn digest(
        &self,
        siblings: &[&Access],
        policy: &str,
        from: Timestamp,
        is_upon_others: bool,
    ) -> String {
        let Some((intent, rules)) = self.judged() else { return "already".to_owned() };
        let own = |row: &&Access| {
            intent.wanted.is(row) || !siblings.iter().any(|sibling| sibling.is(row))
        };
        let starts = intent.wanted.starts_at.as_ref().and_then(|at| at.parse().ok());
        let term = Term { starts, ..Term::new(from, intent.expires_at, intent.lasts) };
        let foreign = |rows: &[Access]| {
            let rows = rows.iter().filter(own).map(|row| term.bound(json!(row)).to_string());
            let mut rows: Vec<_> = rows.collect();
            rows.sort_unstable();
            rows
        };
        // A vendor may list what a role contains in any order.
        let [mut contains, mut ingredients] =
            [&intent.contains, &intent.ingredients].map(Vec::clone);
        contains.sort_unstable();
        ingredients.sort_unstable();
        let all = term.bound(json!({
            "tool": intent.tool,
            "vendor": intent.vendor,
            "tenant": intent.tenant,
            "tenant_name": intent.tenant_name,
            "tenant_told": intent.tenant_told,
            "organization": intent.organization,
            "policy": policy,
            "privileged": intent.privileged,
            "contains": contains,
            "ingredients": ingredients,
            "typed": self.typed(),
            "arguments": intent.arguments,
            "request": intent.request(is_upon_others),
            "before": foreign(&intent.before),
            "after": foreign(&intent.after),
            "expires_at": intent.expires_at.map(|end| end.to_string()),
            "undoes": intent.cause.undoes(),
            "extends": intent.cause.extends(),
            "reason": intent.reason,
            "warnings": intent.warnings,
            "rules": rules,
        }));
        sha256(all.to_string().as_bytes())
    }
}

/// The question as it is now, in the zone that an earlier one spoke in.
fn in_words_of(request: &Request, context: &ChangeContext, prepared: &[Prepared<'_>]) -> String {
    let zone = Zone::named(request.content.zone.as_deref());
    ConsentQuestion::about(context, prepared, &zone).text
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    crate::text::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Supposed;
    use crate::guard::{NeedsConsent, VerdictRecord};
    use crate::intent::Cause;

    /// A change that a person is asked about, to be made another one.
    struct Edited {
        intent: Intent,
        policy: VerdictRecord,
        typed: bool,
    }

    fn digest(edit: impl FnOnce(&mut Edited)) -> String {
        let supposed = json!({ "grantee": { "id": "u" }, "role": { "id": "r" } });
        let supposed = Supposed::deserialize(supposed).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let intent = supposed.intent("grant_asset_role", now).unwrap();
        let policy = VerdictRecord { verdict: "ask", rules: Vec::new() };
        let mut asked = Edited { intent, policy, typed: false };
        edit(&mut asked);
        let Edited { intent, policy, typed } = asked;
        let asked = Box::new(NeedsConsent::supposed(intent, policy, typed));
        Next::Judged(Verdict::Ask(asked)).digest(&[], "rules", now, false)
    }

    /// Each by itself is another question, though its words may be the same.
    #[test]
    fn whatever_a_person_agreed_to_is_in_the_digest() {
        type Edit = fn(&mut Edited);
        let edits: [(&str, Edit); 17] = [
            ("privileged", |asked| asked.intent.privileged = Some("it manages users".to_owned())),
            ("typed", |asked| asked.typed = true),
            ("contains", |asked| asked.intent.contains.push("deploy".to_owned())),
            ("ingredients", |asked| asked.intent.ingredients.push("deploy, k1".to_owned())),
            ("tenant", |asked| asked.intent.tenant.push('2')),
            ("name of the tenant", |asked| asked.intent.tenant_name = Some("b".to_owned())),
            ("name that rules know", |asked| asked.intent.tenant_told.push('2')),
            ("organization", |asked| asked.intent.organization = Some("or-2".to_owned())),
            ("reason", |asked| asked.intent.reason = Some("T-1".to_owned())),
            ("warnings", |asked| asked.intent.warnings.push("others too".to_owned())),
            ("rules", |asked| asked.policy.rules.push("asks".to_owned())),
            ("arguments", |asked| asked.intent.arguments = json!({ "userKey": "u" })),
            ("before", |asked| asked.intent.before.push(asked.intent.wanted.clone())),
            ("after", |asked| asked.intent.after.clear()),
            ("expires_at", |asked| asked.intent.expires_at = Some(Timestamp::MAX)),
            ("undoes", |asked| asked.intent.cause = Cause::Undo("gr-1".to_owned())),
            ("extends", |asked| asked.intent.cause = Cause::Extension("gr-1".to_owned())),
        ];
        let mut seen = vec![digest(|_| ())];
        assert_eq!(seen, [digest(|_| ())], "the same twice");
        let mut missing = Vec::new();
        for (what, edit) in edits {
            let made = digest(edit);
            if seen.contains(&made) {
                missing.push(what);
            }
            seen.push(made);
        }
        assert!(missing.is_empty(), "{missing:?}");
        let twice = |order: [&str; 2]| {
            digest(|asked| asked.intent.ingredients = order.map(str::to_owned).to_vec())
        };
        assert_eq!(twice(["a", "b"]), twice(["b", "a"]), "a vendor's order says nothing");
    }
}
