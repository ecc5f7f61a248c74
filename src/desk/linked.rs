//! Answers that lead to a page: where somebody can follow, answer or withdraw what waits. The link is all that
//! is told of it.

use serde_json::{Map, Value};

use super::body::{Body, Changed};
use super::{Answer, Call, Desk, Person};
use crate::access::Outcome;
use crate::ledger::State;
use crate::requester::Requester;

impl Answer {
    /// The receipt of the request that a person has to approve, where the call waits for that.
    pub fn waits_for(&self) -> Option<&str> {
        let waits = self.outcome() == Some(Outcome::AwaitingConsent);
        self.receipt().filter(|_| waits)
    }

    /// The same, where a request that waits is answered on a page.
    #[must_use]
    pub fn linked(mut self, at: impl Fn(&str) -> String) -> Self {
        let Some(link) = self.waits_for().map(at) else { return self };
        let hint = format!(
            "a person who may approve it does so at {link} within 24 hours: give the requester this link; \
             check_change then says how it ended"
        );
        if let Body::Changed(changed) = &mut self.body {
            changed.hint = Some(hint);
            changed.items.iter_mut().for_each(|item| item.hint = None);
        }
        self
    }
}

impl Desk {
    /// What a client brings back to say whose page it led its person to.
    pub async fn led_to(&self, answer: &Answer, who: &Requester) -> Option<String> {
        self.sealed(answer.waits_for()?, who).await.ok()
    }

    /// What became of a request to whose page a client has led its person, where that is decided. Whether the
    /// person went there, or said that they would not, decides nothing.
    pub async fn since_led(&self, state: &str, who: &Requester) -> Option<Answer> {
        let receipt = self.unseal(state, who).await.ok()?;
        let request = self.request_for(&receipt, who).await.ok()?;
        if matches!(request.state, State::Waiting | State::Approved) {
            return None;
        }
        let arguments = Map::from_iter([("receipt".to_owned(), Value::from(receipt))]);
        let call = Call::alone(who, "check_change", arguments, None, Person::Absent);
        let mut answer = self.call(call).await.ok()?;
        if let Body::Checked(checked) = &answer.body {
            // In the form of what was called.
            let changed = Changed::new(checked.outcome, checked.summary.clone());
            answer.body = Body::Changed(Box::new(Changed {
                receipt: Some(checked.receipt.clone()),
                of: checked.of.clone(),
                approved_by: checked.marks.approved_by.clone(),
                expires_at: checked.marks.expires_at.clone(),
                warnings: checked.warnings.clone(),
                hint: checked.hint.clone().or(checked.note.clone()),
                ..changed
            }));
        }
        Some(answer)
    }
}
