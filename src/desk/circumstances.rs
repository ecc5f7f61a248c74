//! What a policy is told beside the change: who asks, when, and how much there was before.

use jiff::SignedDuration;

use super::Desk;
use crate::failure::Failure;
use crate::guard::Circumstances;
use crate::requester::Requester;
use crate::tools::{Effect, Spec, TOOLS};

/// The tool that looks at what access there is.
const LOOKS: &str = "list_access";

impl Desk {
    /// How many changes of the requester have left in the hour before, where a rule asks: counted
    /// once a call, so that its own items do not count against each other.
    pub(super) async fn changes_this_hour(&self, requester: &Requester) -> u32 {
        if !self.guard.counts_changes() {
            return 0;
        }
        let since = crate::clock::now() - SignedDuration::from_hours(1);
        // What cannot be counted is too many.
        self.ledger.changes_since(requester, since).await.unwrap_or(u32::MAX)
    }

    /// Makes sure that somebody may look at the access that there is, before they say at whose.
    ///
    /// # Errors
    /// The policy does not let them.
    pub fn may_look_at_access(&self, who: &Requester) -> Result<(), Failure> {
        let tool = TOOLS.iter().find(|tool| tool.spec.name == LOOKS);
        tool.map_or(Ok(()), |tool| self.may_look(tool.spec, who, None))
    }

    /// # Errors
    /// The policy does not let the requester look.
    pub(super) fn may_look(
        &self,
        spec: &Spec,
        requester: &Requester,
        client: Option<&str>,
    ) -> Result<(), Failure> {
        match spec.effect {
            Effect::Look => self.guard.look(spec.name, client, &self.circumstances(requester, 0)),
            Effect::Grant | Effect::Revoke | Effect::Undo | Effect::Set => Ok(()),
        }
    }

    pub(super) fn circumstances<'a>(
        &self,
        requester: &'a Requester,
        changes_this_hour: u32,
    ) -> Circumstances<'a> {
        Circumstances { requester, changes_this_hour, now: self.now() }
    }
}
