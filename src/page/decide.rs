//! A decision, from the form that somebody was shown.

use std::time::Duration;

use hyper::StatusCode;

use super::form::Fields;
use super::reply::Reply;
use super::request::Notice;
use super::sessions::Session;
use super::{Page, Visit};
use crate::desk::{ConsentQuestion, PersonReply, Yes};
use crate::failure::Failure;
use crate::ledger::{Channel, Request, State};

/// As long as a reason may be.
const LONGEST_REASON: usize = 1_000;
/// How long somebody who said yes waits for what comes of it; it goes on however long it takes.
const WATCHES: Duration = Duration::from_secs(10);

impl Page {
    /// Takes what somebody decided, and shows what is so then.
    pub(super) async fn decide(
        &self,
        visit: &Visit,
        session: &Session,
        receipt: &str,
        fields: &Fields,
    ) -> Reply {
        let decided = match fields.get("decision") {
            Some("approve") => self.approve(session, receipt, fields).await,
            Some("deny") => self.deny(session, receipt, fields).await,
            Some("withdraw") => self.desk.withdraw(receipt, Channel::Page, &session.who).await,
            _ => Err(Failure::invalid("the form says no decision")),
        };
        match decided {
            Ok(()) => Reply::lead(self.place.path(receipt)),
            Err(failure) => {
                let notice = Notice {
                    status: StatusCode::CONFLICT,
                    says: format!("Not recorded: {}.", failure.message),
                    hint: failure.hint,
                };
                let shown = self.request(visit, session, receipt, Some(notice)).await;
                shown.unwrap_or_else(|failure| self.failed(visit, &failure))
            }
        }
    }

    async fn approve(
        &self,
        session: &Session,
        receipt: &str,
        fields: &Fields,
    ) -> Result<(), Failure> {
        let request = self.desk.request_for(receipt, &session.who).await?;
        let question = ConsentQuestion::of(&request);
        if question.typed.is_some() && !session.is_fresh(crate::clock::now().as_second()) {
            return Err(Failure::refused("it takes a log-in of the last five minutes")
                .hint("log in once more, and read the question again"));
        }
        let typed = question.typed.as_ref().and_then(|_| fields.get("typed"));
        let yes = Yes {
            receipt,
            digest: fields.get("digest").unwrap_or_default(),
            reply: PersonReply::Yes(typed.map(str::to_owned)),
            who: &session.who,
            how: Channel::Page,
            proof: None,
        };
        let request = self.desk.approve(yes).await?;
        if request.state == State::Approved {
            self.carry_out(request, session).await;
        }
        Ok(())
    }

    /// Carries out what is approved, and waits a while for what comes of it. Whoever said yes is told then; it is
    /// done whether their browser waits or not.
    async fn carry_out(&self, request: Request, session: &Session) {
        let (desk, who) = (self.desk.clone(), session.who.clone());
        let work = self.works.spawn(async move {
            let carried = Box::pin(desk.carry_out(&request, || (), &who));
            if let Err(failure) = carried.await {
                let (receipt, why) = (request.receipt, failure.message);
                tracing::warn!(target: "grantor", receipt, why, "an approved request is left to maintenance");
            }
        });
        let _ = tokio::time::timeout(WATCHES, work).await;
    }

    async fn deny(&self, session: &Session, receipt: &str, fields: &Fields) -> Result<(), Failure> {
        let reason = fields.filled("reason").map(str::to_owned);
        let is_long = |reason: &String| reason.chars().count() > LONGEST_REASON;
        if fields.is_odd("reason") || reason.as_ref().is_some_and(is_long) {
            let why = format!("a reason has at most {LONGEST_REASON} characters");
            return Err(Failure::invalid(why));
        }
        self.desk.deny(receipt, Channel::Page, reason, &session.who).await
    }
}
