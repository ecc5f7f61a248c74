//! A yes is taken before anything is looked at again, by whom it is for; from then on it is gone.

use jiff::Timestamp;
use serde::Deserialize as _;

use super::consent::{Person, whole};
use super::question::ConsentQuestion;
use super::status::called;
use super::{Answer, Call, Desk};
use crate::access::Outcome;
use crate::approvers::{Proof, Statement};
use crate::failure::Failure;
use crate::guard::Demand;
use crate::ledger::{Answered, AskedAt, Channel, Decision, Request, Spent, State, UnsentConsent};
use crate::requester::Requester;
use crate::text::{self, Word};
use crate::vendors::{Same, Tenant};

/// A yes that was taken, for this call alone.
pub(super) struct Taken {
    pub request: Request,
    spent: Spent,
}

/// The yes that a call has in hand, and the receipts of all that were taken for it, oldest first.
#[derive(Default)]
pub(super) struct InHand {
    pub now: Option<Taken>,
    receipts: Vec<String>,
}

/// A yes that was taken, and is good for exactly these items.
pub(super) struct ConsentGrant {
    spent: Spent,
    by: Option<String>,
    /// When it is no longer good for what was not begun.
    until: Option<Timestamp>,
    digests: Vec<String>,
}

/// Whether a yes that was taken is for what would be done now.
pub(super) enum ConsentMatch {
    Matched(ConsentGrant),
    /// It was for something else: the receipt of that question.
    AskAgain {
        receipt: String,
    },
}

impl ConsentGrant {
    /// Makes sure that the consent is for this very item, and not over: what was taken under it is given back
    /// under it, however long the rest took.
    pub(super) fn covers(
        &self,
        index: usize,
        digest: &str,
        in_time: bool,
    ) -> Result<&Spent, Failure> {
        if in_time && self.until.is_some_and(|until| until < crate::clock::now()) {
            return Err(Failure::refused(
                "the person's yes was good for ten minutes, which are over",
            )
            .hint("call again with what was not done: the person is asked anew"));
        }
        if self.digests.get(index).is_some_and(|known| known == digest) {
            return Ok(&self.spent);
        }
        Err(Failure::refused("the access changed since a person agreed")
            .hint("call again: the person is asked anew"))
    }

    /// The request that it answers.
    pub(super) fn of(&self) -> &str {
        self.spent.receipt()
    }

    /// Who said it.
    pub(super) fn by(&self) -> Option<String> {
        self.by.clone()
    }

    /// The receipt of one change: the request's own where there is but one.
    pub(super) fn receipt(&self, index: usize, of: usize) -> String {
        let request = self.spent.receipt();
        if of == 1 { request.to_owned() } else { format!("{request}.{}", index + 1) }
    }
}

impl InHand {
    pub(super) fn hold(&mut self, taken: Taken) {
        self.receipts.push(taken.request.receipt.clone());
        self.now = Some(taken);
    }
}

impl Desk {
    /// The yes that the caller brings, taken for this call; none where it brings none.
    ///
    /// # Errors
    /// The answer is no, it is not one to a question that waits, or it is for another tenant.
    pub(super) async fn taken(
        &self,
        here: &[&Tenant],
        call: &mut Call,
    ) -> Result<Option<Taken>, Failure> {
        let requester = &call.requester;
        let request = match &mut call.person {
            Person::Absent | Person::Here(_) => return Ok(None),
            Person::Approved(receipt) => self.request(receipt, State::Approved).await?,
            Person::Between(told) => {
                let Some(told) = told.take() else { return Ok(None) };
                self.client_answered(here, &told, requester).await?
            }
        };
        self.take(here, request, requester).await.map(Some)
    }

    /// Takes a yes, after comparing what it is for with where it would be carried out.
    ///
    /// # Errors
    /// It is for another tenant, or was asked under other rules, and is left to those; or it does
    /// not hold, was taken, or has lapsed.
    pub(super) async fn take(
        &self,
        here: &[&Tenant],
        request: Request,
        by: &Requester,
    ) -> Result<Taken, Failure> {
        if let Some(why) = self.is_elsewhere(here, &request).await {
            let receipt = &request.receipt;
            return Err(Failure::refused(format!("request {receipt} is not for here: {why}"))
                .hint("it is carried out by a Grantor that is set up as when it was asked"));
        }
        // What was said through a client is read back, with everything since.
        let receipt = &request.receipt;
        let request = self.ledger.request(receipt).await?.unwrap_or_else(|| request.clone());
        if let Err(failure) = self.vouched(&request, &request.content.question) {
            // Nothing will make it good: it is not tried again.
            self.reject(&request.receipt, Channel::Signature, Some(failure.message.clone()), by)
                .await?;
            return Err(failure);
        }
        let spent = self.ledger.spend(&request.receipt, by).await?;
        Ok(Taken { request, spent })
    }

    /// Why a request is not for this process to carry out, where it is not: `here` are the tenants that it
    /// may be for.
    pub(super) async fn is_elsewhere(&self, here: &[&Tenant], request: &Request) -> Option<String> {
        let content = &request.content;
        let places = content.places();
        if places.is_empty() {
            let here = told(here.iter().copied());
            return Some(format!(
                "it was asked for a tenant that was not recorded, and this is {here}"
            ));
        }
        for place in &places {
            if let Some(why) = self.is_another(here, place).await {
                return Some(why);
            }
        }
        // None of the first release's questions is one of today's: a yes to it is taken where it was
        // asked, and is asked for anew.
        if content.policy.as_ref().is_some_and(|policy| policy != self.guard.hash()) {
            return Some("it was asked under another policy than the one in force here".to_owned());
        }
        self.signed_for_others(request)
    }

    /// Why none of these tenants is the one that a request was asked for.
    async fn is_another(&self, here: &[&Tenant], asked: &AskedAt) -> Option<String> {
        let AskedAt { vendor, place, name, organization } = asked;
        let is = |tenant: &&&Tenant| {
            let vendor = vendor.as_deref().unwrap_or(tenant.id.vendor);
            tenant.id.is(vendor, place, name.as_deref())
        };
        let Some(tenant) = here.iter().find(is) else {
            let of_vendor =
                |tenant: &&Tenant| vendor.as_ref().is_none_or(|it| tenant.id.vendor == it);
            let here = told(here.iter().copied().filter(of_vendor));
            let asked = called(place, name.as_deref());
            return Some(format!("it was asked for {asked}, and this is {here}"));
        };
        let own = tenant.organization(&self.wire).await;
        (own.is(organization.as_deref()) == Same::No).then(|| {
            let asked_for = organization.as_deref().unwrap_or_default();
            format!("it was asked for {asked_for}, and the credential is another's")
        })
    }

    /// Whose signature approved a request, where this configuration does not go by it. Where it goes
    /// by others', one that does not hold under its own key is nobody's, and is left to nobody.
    fn signed_for_others(&self, request: &Request) -> Option<String> {
        request.answered.as_ref().filter(|one| one.decision == Decision::Approved)?;
        request.yeses.iter().find_map(|yes| self.is_signed_for_others(request, yes))
    }

    fn is_signed_for_others(&self, request: &Request, answered: &Answered) -> Option<String> {
        let proof = Proof::deserialize(answered.proof.as_ref()?).ok()?;
        let by = text::quote(Word::Id, &answered.by);
        let left = "left for those that do";
        let Some(approvers) = &self.approvers else {
            return Some(format!(
                "it is signed by {by}, and this configuration names no approvers: {left}"
            ));
        };
        let Request { receipt, digest, content, .. } = request;
        let (question, time) = (content.question.as_str(), proof.time);
        let is_ours = approvers.named(&proof.key) == Some(answered.by.as_str());
        if is_ours || !proof.holds(&Statement { receipt, digest, question, time }) {
            return None;
        }
        Some(match approvers.names(&answered.by) {
            true => format!(
                "it is signed by {by} with a key that this configuration does not name: {left}"
            ),
            false => format!(
                "it is signed by {by}, whom this configuration does not name as an approver: {left}"
            ),
        })
    }

    /// Compares a yes that was taken with what would be done now: it is good for exactly what was
    /// asked, or else for nothing.
    ///
    /// # Errors
    /// An approver signed another question.
    pub(super) fn match_consent(
        &self,
        taken: Taken,
        digests: Vec<String>,
        question: &ConsentQuestion,
        demands: &[Demand],
    ) -> Result<ConsentMatch, Failure> {
        let Taken { request, spent } = taken;
        if request.content.is_of_first_release()
            || request.digest != whole(&digests)
            || request.content.demands != demands
            || request.overtaken_by.is_some()
        {
            return Ok(ConsentMatch::AskAgain { receipt: request.receipt });
        }
        self.vouched(&request, &question.text)?;
        self.have_signed(&request)?;
        let until = request.answered.as_ref().and_then(|answered| answered.until);
        let by = request.answered.map(|answered| answered.by);
        Ok(ConsentMatch::Matched(ConsentGrant { spent, by, until, digests }))
    }

    /// Records what came of each yes that a call took, where nothing was sent on it.
    pub(super) async fn conclude_all(&self, in_hand: &InHand, answer: &Answer, by: &Requester) {
        let nexts = in_hand.receipts.iter().skip(1).map(Some).chain([None]);
        for (receipt, next) in in_hand.receipts.iter().zip(nexts) {
            match next {
                // Its person was asked anew within the call, and agreed again.
                Some(next) => {
                    let note = moved().message;
                    let followed_by = Some(next.clone());
                    let concluded = UnsentConsent { outcome: Outcome::Refused, note, followed_by };
                    self.ledger.conclude(receipt, &concluded, by).await;
                }
                None => self.conclude(receipt, answer, by).await,
            }
        }
    }

    /// Records what came of a yes that was taken, where nothing was sent on it.
    async fn conclude(&self, receipt: &str, answer: &Answer, by: &Requester) {
        let outcome = answer.outcome().unwrap_or(Outcome::Unknown);
        let waits = outcome == Outcome::AwaitingConsent;
        // A set has its receipt whatever became of it: its items say whether anything was sent.
        let is_sent = match answer.body.items() {
            [] => answer.receipt() == Some(receipt),
            items => items.iter().any(|item| item.receipt.is_some()),
        };
        if is_sent && !waits {
            return;
        }
        let note = answer.body.summary();
        let followed_by = answer.receipt().filter(|_| waits).map(str::to_owned);
        let concluded = UnsentConsent { outcome, note: note.to_owned(), followed_by };
        self.ledger.conclude(receipt, &concluded, by).await;
    }
}

/// Tenants in words.
fn told<'t>(tenants: impl Iterator<Item = &'t Tenant>) -> String {
    let told = tenants.map(|tenant| called(&tenant.id.place, tenant.id.name.as_deref()));
    let told = told.collect::<Vec<_>>().join(" or ");
    if told.is_empty() { "none of its vendor".to_owned() } else { told }
}

/// What is said of a yes to something else.
pub(super) fn moved() -> Failure {
    Failure::refused("the access changed since a person agreed, and their yes was for that alone")
        .hint("call again: it is judged by what is so now")
}
