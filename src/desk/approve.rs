//! A person's yes, wherever they say it: which request it may be for, what is shown of it, and what is
//! done then.

use serde_json::{Map, Value, json};

use super::check::unknown;
use super::consent::PersonReply;
use super::status::unknown_tool;
use super::{Answer, Call, ConsentQuestion, Desk, Person};
use crate::catalogue;
use crate::failure::Failure;
use crate::ledger::{AskedAt, Channel, Content, Decision, Request, State};
use crate::requester::Requester;
use crate::text;
use crate::vendors::Tenant;

/// Somebody's yes to a request, as a face brings it.
pub struct Yes<'a> {
    pub receipt: &'a str,
    /// Of the question that they were shown.
    pub digest: &'a str,
    pub reply: PersonReply,
    pub who: &'a Requester,
    pub how: Channel,
    /// Whose key signed, and the signature, where one is needed.
    pub proof: Option<(String, Value)>,
}

/// What became of an approved request.
pub enum Carried {
    Here(Box<Answer>),
    /// It is approved, and somebody else carries it out: why this process does not.
    Elsewhere(String),
}

impl Desk {
    /// The request of this receipt, where it waits for an answer.
    ///
    /// # Errors
    /// There is none, or it was answered: in words that say what to do next.
    pub async fn waiting(&self, receipt: &str) -> Result<Request, Failure> {
        let hint = "`grantor requests` lists those that wait; for those of a sandbox add --sandbox";
        let request = self.ledger.request(receipt).await?.ok_or_else(|| {
            Failure::invalid(format!("the ledger has no request {receipt}")).hint(hint)
        })?;
        match request.state {
            State::Waiting => Ok(request),
            State::Approved => {
                Err(Failure::refused(format!("request {receipt} {}", request.words_to_the_late()))
                    .hint("a running server carries it out, or `grantor requests run`"))
            }
            State::Spent => {
                let check =
                    format!("`grantor call check_change '{}'`", json!({ "receipt": receipt }));
                Err(Failure::refused(format!("request {receipt} {}", request.words_to_the_late()))
                    .hint(format!("{check} says how it ended")))
            }
            _ => {
                let words = request.words_to_the_late();
                Err(Failure::refused(format!("request {receipt} {words}")).hint(hint))
            }
        }
    }

    /// The request of this receipt, where somebody may see it.
    ///
    /// # Errors
    /// There is none that they may see.
    pub async fn request_for(&self, receipt: &str, who: &Requester) -> Result<Request, Failure> {
        self.seen(receipt, who).await?;
        self.ledger.request(receipt).await?.ok_or_else(|| unknown(receipt))
    }

    /// The requests that wait for an answer which somebody may give.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn to_answer(&self, who: &Requester, how: &Channel) -> Result<Vec<Request>, Failure> {
        let mut all = self.ledger.requests().await?;
        all.retain(|request| {
            request.state == State::Waiting && self.may_approve(request, who, how).is_ok()
        });
        Ok(all)
    }

    /// Records somebody's yes to the question that they were shown; the request as it stands then, which may
    /// wait for somebody else's yes too.
    ///
    /// # Errors
    /// It does not wait for one, was shown otherwise, is not agreed to, or it is not theirs to approve.
    pub async fn approve(&self, yes: Yes<'_>) -> Result<Request, Failure> {
        let Yes { receipt, digest, reply, who, how, proof } = yes;
        let request = self.waiting(receipt).await?;
        if request.digest != digest {
            return Err(Failure::refused("the question is another one by now")
                .hint("read it again, and answer what it asks now"));
        }
        ConsentQuestion::of(&request).agreed(&reply).map_err(Failure::refused)?;
        self.decide(&request, Decision::Approved, how, proof, who).await?;
        self.ledger.request(receipt).await?.ok_or_else(|| unknown(receipt))
    }

    /// Takes a request back that its requester made.
    ///
    /// # Errors
    /// It is not theirs, or there is nothing to take back any more.
    pub async fn withdraw(
        &self,
        receipt: &str,
        how: Channel,
        who: &Requester,
    ) -> Result<(), Failure> {
        let request = self.request_for(receipt, who).await?;
        if request.requester != who.name() {
            return Err(Failure::refused("only whoever asked for it takes a request back"));
        }
        self.decide(&request, Decision::Withdrawn, how, None, who).await
    }

    /// Carries an approved request out where its vendor is configured, and says why not elsewhere.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn carry_out(
        &self,
        request: &Request,
        begun: impl FnOnce(),
        by: &Requester,
    ) -> Result<Carried, Failure> {
        let receipt = &request.receipt;
        let elsewhere = match self.elsewhere(request).await {
            _ if self.config.read_only => Some("this process is read-only".to_owned()),
            elsewhere => elsewhere,
        };
        if let Some(why) = elsewhere {
            return Ok(Carried::Elsewhere(why));
        }
        begun();
        // A server that is at it already has it in hand, and is waited for; where several machines share the
        // ledger, one that stands still would keep all others waiting, and a yes is taken once however it is.
        let _claim = match self.ledger.kept_by_all() {
            None => self.claimed().await?,
            Some(_) => None,
        };
        let now = self.ledger.request(receipt).await?;
        let answer = match now.filter(|request| request.state == State::Approved) {
            Some(request) => Box::pin(self.run_request(&request, by)).await,
            None => {
                let arguments = Map::from_iter([("receipt".to_owned(), receipt.as_str().into())]);
                let call = Call::alone(by, "check_change", arguments, None, Person::Absent);
                let answer = Box::pin(self.call(call)).await;
                answer.unwrap_or_else(|_| Answer::unasked(&unknown_tool("check_change")))
            }
        };
        Ok(Carried::Here(Box::new(answer)))
    }

    /// Why a request is not carried out here, where it is not: its tenant is not configured, or
    /// it was asked under another policy.
    pub async fn elsewhere(&self, request: &Request) -> Option<String> {
        let places = request.content.places();
        for AskedAt { vendor, .. } in &places {
            let vendor = vendor.as_deref().unwrap_or_default();
            if self.config.tenants_of(vendor).next().is_none() {
                return Some(format!("{vendor} is not configured here"));
            }
        }
        let locked = places.iter().filter_map(|at| self.tenant_at(at)).find(|one| one.read_only);
        if let Some(tenant) = locked {
            return Some(format!("{} is read-only here", tenant.id.word()));
        }
        let here: Vec<_> = self.config.tenants.iter().collect();
        self.is_elsewhere(&here, request).await
    }

    /// The tenant that was asked for, where it is configured here.
    fn tenant_at(&self, asked: &AskedAt) -> Option<&Tenant> {
        let AskedAt { vendor, place, name, .. } = asked;
        let vendor = vendor.as_deref()?;
        let is = |tenant: &&Tenant| tenant.id.is(vendor, place, name.as_deref());
        self.config.tenants.iter().find(is)
    }

    /// Carries out one approved request.
    pub async fn run_request(&self, request: &Request, by: &Requester) -> Answer {
        let Content { tool, mut arguments, client, .. } = request.content.clone();
        if catalogue::takes_tenant(&tool)
            && let [only] = request.content.places().as_slice()
            && let Some(tenant) = self.tenant_at(only)
        {
            arguments.insert(catalogue::TENANT.to_owned(), tenant.id.word().into());
        }
        let person = Person::Approved(request.receipt.clone());
        let call = Call::alone(by, &tool, arguments, client, person);
        let answer = Box::pin(self.call(call)).await;
        answer.unwrap_or_else(|_| Answer::unasked(&unknown_tool(&tool)))
    }
}

impl ConsentQuestion {
    /// The question as it was kept, cleaned once more: whoever can write the ledger could have put
    /// something else there.
    pub fn of(request: &Request) -> Self {
        let Content { summary, question, typed, .. } = &request.content;
        let lines = question.lines().map(text::strip).collect::<Vec<_>>();
        let typed = typed.as_deref().map(text::clean);
        Self { summary: text::clean(summary), text: lines.join("\n"), typed }
    }

    /// Whether a reply is a yes to this question. A slip of the hand can be tried again, so nothing
    /// but a yes is a decision.
    ///
    /// # Errors
    /// Why it is none.
    pub fn agreed(&self, reply: &PersonReply) -> Result<(), &'static str> {
        match (reply, &self.typed) {
            (PersonReply::Yes(None), None) => Ok(()),
            (PersonReply::Yes(Some(typed)), Some(name)) if Self::is_typed(name, typed) => Ok(()),
            (PersonReply::Yes(_), _) => Err("what you typed is not what the question asks for"),
            (PersonReply::No | PersonReply::Closed | PersonReply::Silence, _) => {
                Err("nobody said yes")
            }
        }
    }
}

impl Call {
    /// A call that no client makes and nobody listens to.
    pub(super) fn alone(
        requester: &Requester,
        tool: &str,
        arguments: Map<String, Value>,
        client: Option<String>,
        person: Person,
    ) -> Self {
        Self {
            requester: requester.clone(),
            tool: tool.to_owned(),
            arguments,
            client,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person,
        }
    }
}
