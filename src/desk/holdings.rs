//! What the rules ask to be read beside the change: all that somebody holds at a vendor.

use super::Desk;
use super::task::{ChangeContext, Reads, Task};
use crate::access::{Access, Named};
use crate::cache::Cache;
use crate::intent::{Cause, Holdings, Intent, ReadForRules};
use crate::outbound::{CALL, Deadline};
use crate::tools::Effect;
use crate::vendors::{ListPosition, Reach, Tenant, VendorReader, Whom};

/// Those of one call whose access is read whole: of more, not all is known.
const MOST: usize = 5;
/// As many rows as one look may have, and as many looks for one of them.
const ROWS: usize = 500;
const PAGES: usize = 10;

impl Desk {
    /// Nothing yet, and what all of the call is to give, where a rule asks what somebody holds.
    pub(super) fn reads(&self, tasks: &[Task<'_>]) -> Reads {
        let gives = |task: &&Task<'_>| task.request.tool.spec.effect == Effect::Grant;
        let asked = self.asks_for_holdings();
        let wanted = tasks.iter().filter(|task| asked && gives(task));
        let wanted = wanted.map(|task| task.step.wanted().clone()).collect();
        Reads { wanted, ..Reads::default() }
    }

    /// What the rules ask for beside the change itself; nothing is read that no rule names.
    pub(super) async fn read_for_rules(
        &self,
        context: &ChangeContext,
        task: &Task<'_>,
        intent: &Intent,
    ) -> ReadForRules {
        // An end that takes away was agreed to: it does not wait for what is held elsewhere.
        let takes = intent.effect == Effect::Revoke && matches!(intent.cause, Cause::Expiry(_));
        let mut read = ReadForRules::default();
        if self.asks_for_holdings() && !takes {
            read.holds = Some(self.holdings(context, task.request.tenant, intent).await);
        }
        if self.guard.asks_for("history") {
            read.history = self.history_of_access(context, task, intent).await;
        }
        read
    }

    fn asks_for_holdings(&self) -> bool {
        self.guard.asks_for("holds") || self.guard.asks_for("holds_all")
    }

    /// What each holds whom the change is for.
    async fn holdings(
        &self,
        context: &ChangeContext,
        tenant: &Tenant,
        intent: &Intent,
    ) -> Holdings {
        let own = std::slice::from_ref(&intent.wanted);
        let parts = intent.rows.iter().map(|row| &row.wanted);
        let mut whom: Vec<&Named> = Vec::new();
        let all =
            if intent.rows.is_empty() { own.iter().chain(parts) } else { [].iter().chain(parts) };
        for named in all.map(|row| &row.principal) {
            if !whom.iter().any(|known| known.is(named)) {
                whom.push(named);
            }
        }
        let mut found = Holdings { rows: context.reads.wanted.clone(), all: whom.len() <= MOST };
        for named in whom.into_iter().take(MOST) {
            let key = (named.kind.clone(), named.id.clone());
            let mut held = context.reads.held.lock().await;
            if !held.contains_key(&key) {
                held.insert(key.clone(), self.held_by(tenant, named).await);
            }
            if let Some(Holdings { rows, all }) = held.get(&key) {
                found.rows.extend(rows.iter().cloned());
                found.all &= all;
            }
        }
        found
    }

    /// What one holds, through groups too: the one of this id and kind, whatever others are called.
    async fn held_by(&self, tenant: &Tenant, named: &Named) -> Holdings {
        let mut found = Holdings::default();
        let cache = Cache::lasting(CALL);
        let (wire, deadline, cache) = (&self.wire, Deadline::after(CALL), Some(&cache));
        let reader = VendorReader { tenant, wire, deadline, cache, earlier: &[], notes: None };
        let mut from = ListPosition::default();
        for _ in 0..PAGES {
            let principal = Some(Whom::Exactly(named.clone()));
            let reach = Reach { principal, from, limit: ROWS, ..Reach::default() };
            let Ok(listing) = (tenant.vendor.access)(&reader, reach).await else { return found };
            // What waits for the vendor's approvers is neither held nor not.
            let is_theirs = |row: &Access| row.principal.is(named) && !row.pending;
            let is_whole = listing.problem.is_none()
                && listing.waits.is_none()
                && listing.rows.iter().all(is_theirs);
            found.rows.extend(listing.rows.into_iter().filter(is_theirs));
            if !is_whole {
                return found;
            }
            match listing.next {
                Some(next) => from = next,
                None => {
                    found.all = true;
                    return found;
                }
            }
        }
        found
    }
}
