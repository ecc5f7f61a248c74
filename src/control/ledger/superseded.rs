//! A question that takes the place of earlier ones: those end with it, so that what a person says to it is
//! said to all of them.

use serde_json::json;

use super::request::FOLLOWED_BY;
use super::unless::Question;
use super::{Answered, Asking, Channel, Content, Decision, Ledger, Request, State};
use crate::control::requester::Requester;
use crate::failure::Failure;
use crate::json::put;

impl Ledger {
    /// The receipts of what this requester asked for the same and that may still be carried out,
    /// oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) async fn live_for_the_same(
        &self,
        content: &Content,
        requester: &Requester,
    ) -> Result<Vec<String>, Failure> {
        // What restricts counts, however damaged the rest is.
        let live = self.shelf.known_requests(crate::clock::now()).await?.into_iter();
        let same = live.filter(|request| request.is_for_the_same(requester.name(), content));
        Ok(same.map(|request| request.receipt).collect())
    }

    /// The very same question by this requester, where its yes is not taken yet.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn approved_already(
        &self,
        asking: &Asking<'_>,
        requester: &Requester,
    ) -> Result<Option<Request>, Failure> {
        let question = Question::of(asking, requester);
        self.shelf.same(question, State::Approved).await
    }

    /// Ends what was asked for the same before this request, which is on disk; whether there was any.
    /// Of two that are asked at the same moment the later one stays.
    ///
    /// # Errors
    /// A line cannot be written and flushed.
    pub(super) async fn supersede(
        &self,
        receipt: &str,
        content: &Content,
        requester: &Requester,
    ) -> Result<bool, Failure> {
        let live = self.live_for_the_same(content, requester).await?;
        let mut any = false;
        // One that has ended meanwhile takes nobody's place.
        let own = live.iter().position(|one| one == receipt).unwrap_or_default();
        for earlier in live.iter().take(own) {
            let (decision, how) = (Decision::Withdrawn, Channel::AskedAnew);
            let mut line = json!(Answered::new(decision, requester.name(), how));
            put(&mut line, FOLLOWED_BY, receipt);
            // One that was carried out or answered meanwhile needs no end.
            any |= self.write_answer(earlier, decision, line, requester).await?.is_ok();
        }
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two that are asked at once the one that has ended already takes nobody's place.
    #[tokio::test]
    async fn what_has_ended_ends_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, ada) = (Ledger::new(dir.path(), None), Requester::named("ada"));
        let ask = async |question: &str| {
            let content = Content {
                tool: "grant_asset_role".to_owned(),
                question: question.to_owned(),
                policy: Some("rules".to_owned()),
                ..Content::default()
            };
            let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
            let asking = Asking { digest: question, until, content };
            let (receipt, _) = ledger.ask_plainly(&asking, None, &ada).await.unwrap();
            (receipt, asking.content)
        };
        let (first, content) = ask("first").await;
        let (second, _) = ask("second").await;
        let state = async |receipt: &str| ledger.request(receipt).await.unwrap().unwrap().state;
        assert!(ledger.supersede(&second, &content, &ada).await.unwrap());
        assert_eq!((state(&first).await, state(&second).await), (State::Withdrawn, State::Waiting));
        assert!(!ledger.supersede(&first, &content, &ada).await.unwrap());
        assert_eq!(state(&second).await, State::Waiting);
    }
}
