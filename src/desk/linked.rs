//! Answers that lead to a page: where somebody can follow, answer or withdraw what waits. The link is all that
//! is told of it.

use serde_json::{Map, Value};

use super::body::{Body, Changed};
use super::{Answer, Call, Desk, Pending, Person};
use crate::access::Outcome;
use crate::catalogue::{self, Found};
use crate::guard::Right;
use crate::json::is_same_set;
use crate::ledger::{Request, State};
use crate::requester::Requester;

/// How a question waits that nobody has answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Waits {
    /// What the client is to ask a person before it calls again.
    pub(super) pending: Option<Pending>,
    /// Whether it is this call that asks: no earlier one has.
    pub(super) is_new: bool,
}

impl Answer {
    /// The receipt of the request that a person has to approve, where the call waits for that.
    pub fn waits_for(&self) -> Option<&str> {
        let waits = self.outcome() == Some(Outcome::AwaitingConsent);
        self.receipt().filter(|_| waits)
    }

    /// The same for a caller over a network: who answers a request that waits, and where it can be seen. No
    /// command is named, which nobody there can run.
    #[must_use]
    pub fn linked(mut self, who: &str, at: impl Fn(&str) -> Option<String>) -> Self {
        let Some(link) = self.waits_for().map(at) else { return self };
        let hint = match link {
            Some(link) => format!(
                "{who}; how it stands is seen at {link}: give the requester this link; check_change says how \
                 it ended"
            ),
            None => format!("{who}; check_change says how it ended"),
        };
        if let Body::Changed(changed) = &mut self.body {
            changed.hint = Some(hint);
            changed.items.iter_mut().for_each(|item| item.hint = None);
        }
        self
    }
}

impl Desk {
    /// Who answers a request that a caller over a network makes, as far as the rules and keys say.
    pub fn who_answers(&self) -> &'static str {
        match (&self.approvers, self.guard.rules_on(Right::Approve)) {
            (Some(_), _) => "an approver signs it at the machine that Grantor runs on",
            (None, true) => {
                "whom the rules let approve it finds it in their list on this server’s page"
            }
            (None, false) => "somebody at the machine that Grantor runs on approves it",
        }
    }

    /// What a client brings back to say whose page it led its person to.
    pub async fn led_to(&self, answer: &Answer, who: &Requester) -> Option<String> {
        self.sealed(answer.waits_for()?, who).await.ok()
    }

    /// What became of a request to whose page a client has led its person, where that is decided. Whether the
    /// person went there, or said that they would not, decides nothing.
    pub async fn since_led(
        &self,
        state: &str,
        (tool, arguments): (&str, Map<String, Value>),
        who: &Requester,
    ) -> Option<Answer> {
        let receipt = self.unseal(state, who).await.ok()?;
        let request = self.request_for(&receipt, who).await.ok()?;
        let is_decided = !matches!(request.state, State::Waiting | State::Approved);
        if !is_decided || !self.is_asked_by(&request, tool, arguments) {
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

    /// Whether a call is the one that made a request: another call has an answer of its own.
    fn is_asked_by(&self, request: &Request, tool: &str, arguments: Map<String, Value>) -> bool {
        let Found::On(known) = catalogue::find(tool, &self.config) else { return false };
        let Ok((arguments, tenant)) = catalogue::fit(known, &self.config, "", arguments) else {
            return false;
        };
        let content = &request.content;
        let own = [&content.tenant_name, &content.vendor];
        content.tool == tool
            && is_same_set(&content.arguments, &arguments)
            && tenant.is_none_or(|named| own.iter().any(|own| own.as_deref() == Some(&*named)))
    }
}
