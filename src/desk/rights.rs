//! Whose yes to a request counts, and whether what another asked for is there for somebody.
//!
//! The rules decide where they name `approve` or `see`. Where they do not, whoever is at the machine approves as
//! its operating system lets them, and a caller over HTTP sees what is their own and approves nothing. No rule lets a service
//! approve, or anybody what gives access to themselves.

use std::collections::BTreeSet;

use super::Desk;
use super::consent::unsigned;
use crate::access::Named;
use crate::catalogue::{Recalled, recalled};
use crate::failure::Failure;
use crate::guard::{AskedFor, Demand, Right};
use crate::intent::Intent;
use crate::ledger::{Channel, Decision, PastEntry, Request, Told};
use crate::requester::Requester;
use crate::text;
use crate::vendors::Tenant;

/// A yes that counts.
pub struct Counts {
    /// Which of the request's demands it counts for.
    pub meets: Vec<usize>,
    /// Whether it gives access to the approver is not known: an account of theirs, or a group that they are in.
    pub is_own_gain_unknown: bool,
}

impl Desk {
    /// Whether somebody's yes to a request would count, and for what.
    ///
    /// # Errors
    /// Why it would not.
    pub fn may_approve(
        &self,
        request: &Request,
        who: &Requester,
        how: &Channel,
    ) -> Result<Counts, Failure> {
        if !how.admits(Decision::Approved, self.approvers.is_some()) {
            return Err(unsigned());
        }
        let is_own_gain_unknown = self.has_right_to_approve(request, who)?;
        if request.yeses.iter().any(|yes| yes.by == who.name() && yes.how == *how) {
            return Err(Failure::refused("you have said yes to it already")
                .hint("it waits for the yes of somebody else"));
        }
        let meets = self.meets(request, who, how)?;
        Ok(Counts { meets, is_own_gain_unknown })
    }

    /// Makes sure that somebody may approve, however they say so; whether it gives access to themselves is
    /// not known.
    pub(super) fn has_right_to_approve(
        &self,
        request: &Request,
        who: &Requester,
    ) -> Result<bool, Failure> {
        let (is_ruled, content) = (self.guard.rules_on(Right::Approve), &request.content);
        if (is_ruled || content.names_approvers)
            && content.policy.as_deref() != Some(self.guard.hash())
        {
            return Err(Failure::refused(
                "it was asked under other rules than those in force here, and rules say who approves",
            )
            .hint("approve it at a Grantor that is set up as the one that asked"));
        }
        if is_ruled {
            return self.approves(request, who);
        }
        match who.caller() {
            None => Ok(false),
            Some(_) => {
                Err(Failure::refused("no rule of the policy lets anybody approve over HTTP")
                    .hint("an administrator writes a permit for `approve`"))
            }
        }
    }

    /// Makes sure that the rules let somebody approve all that was asked for; whether any of it gives access to
    /// themselves is not known.
    fn approves(&self, request: &Request, who: &Requester) -> Result<bool, Failure> {
        let (by, at) = (request.requester(), self.circumstances(who, 0));
        let approvals = request.yeses.len();
        let mut is_unknown = false;
        for intent in &asked_about(request)? {
            let asked = AskedFor { intent, by: &by, approvals };
            let is_alias = |whom: &Named| self.is_alias_of(who, intent, whom);
            is_unknown |= self.guard.approves(asked, &at, is_alias)?;
        }
        Ok(is_unknown)
    }

    /// Whether the configuration calls an account somebody's, by the address that their issuer vouches for.
    fn is_alias_of(&self, who: &Requester, intent: &Intent, whom: &Named) -> bool {
        let email = who.caller().and_then(|caller| caller.email.as_deref());
        let at = |tenant: &&Tenant| {
            tenant.id.is(intent.vendor, &intent.tenant, intent.tenant_name.as_deref())
        };
        let tenant = self.config.tenants.iter().find(at);
        email.zip(tenant).is_some_and(|(email, tenant)| tenant.people.is_account_of(email, whom))
    }

    /// Which of a request's demands a yes counts for.
    ///
    /// # Errors
    /// It counts for none, or only beside yeses that come in another way.
    fn meets(
        &self,
        request: &Request,
        who: &Requester,
        how: &Channel,
    ) -> Result<Vec<usize>, Failure> {
        let demands = &request.content.demands;
        if demands.is_empty() {
            return Ok(Vec::new());
        }
        let takes = takes(demands).unwrap_or_default();
        if demands.iter().any(|demand| demand.people > 1) && !how.counts_together() {
            return Err(Failure::refused(format!("it takes the yes of {takes}")).hint(
                "several people approve on the page, or each with a signature of their own",
            ));
        }
        let meets = demands.iter().enumerate().filter(|(_, demand)| self.is_wanted(demand, who));
        let meets: Vec<_> = meets.map(|(index, _)| index).collect();
        match meets.is_empty() {
            true => Err(Failure::refused(format!(
                "it takes the yes of {takes}, and {} is not among them",
                text::quoted(who.name())
            ))),
            false => Ok(meets),
        }
    }

    /// Whether a demand is for the yes of somebody like this.
    fn is_wanted(&self, demand: &Demand, who: &Requester) -> bool {
        demand.of.as_ref().is_none_or(|group| self.guard.is_of(group, who))
    }

    /// Makes sure, where signatures approve, that those who signed may, and that they are all whose yes it takes:
    /// what the ledger says of that is only what somebody wrote there.
    pub(super) fn have_signed(&self, request: &Request) -> Result<(), Failure> {
        if self.approvers.is_none() {
            return Ok(());
        }
        let names: BTreeSet<&str> = request.yeses.iter().map(|yes| yes.by.as_str()).collect();
        let signers: Vec<_> = names.into_iter().map(Requester::named).collect();
        for signer in &signers {
            self.has_right_to_approve(request, signer)?;
        }
        let has = |demand: &Demand| {
            signers.iter().filter(|one| self.is_wanted(demand, one)).count() >= demand.people
        };
        match request.content.demands.iter().all(has) {
            true => Ok(()),
            false => Err(Failure::refused("not all have signed whose yes it takes")
                .hint("call again: the approvers are asked anew")),
        }
    }

    /// Whether somebody may see an entry of the ledger: what they asked for, what the rules let them see, and
    /// what the rules let them approve.
    pub(super) fn sees(&self, entry: &PastEntry, who: &Requester) -> bool {
        if who.may_see(entry.requester()) {
            return true;
        }
        match &entry.told {
            Told::Asked(request) | Told::Change(_, Some(request)) => {
                let Ok(intents) = asked_about(request) else { return false };
                self.are_shown(&intents, &request.requester(), who)
            }
            Told::Change(record, None) => {
                let Some(Recalled { intent, .. }) = recalled(&record.recorded()) else {
                    return false;
                };
                let Some(by) = record.known_requester() else { return false };
                self.are_shown(&[intent], &by, who)
            }
            // What was refused before anybody was asked is its requester's to know.
            Told::Refused(_) => false,
        }
    }

    fn are_shown(&self, intents: &[Intent], by: &Requester, who: &Requester) -> bool {
        let at = self.circumstances(who, 0);
        let has = |right| {
            let shows =
                |intent| self.guard.shows(right, AskedFor { intent, by, approvals: 0 }, &at);
            self.guard.rules_on(right) && intents.iter().all(shows)
        };
        Right::ALL.into_iter().any(has)
    }

    /// Whether the rules may let a caller see more than what is their own.
    pub(super) fn shows_others(&self) -> bool {
        Right::ALL.into_iter().any(|right| self.guard.rules_on(right))
    }
}

/// Whose yeses a change takes, after "the yes of"; nothing where one is enough.
pub fn takes(demands: &[Demand]) -> Option<String> {
    let words: Vec<_> = demands.iter().map(Demand::words).collect();
    (!words.is_empty()).then(|| words.join(", and of "))
}

/// What a request is for, as the rules were told it.
///
/// # Errors
/// An older release asked, which did not keep it.
fn asked_about(request: &Request) -> Result<Vec<Intent>, Failure> {
    let recall = |line| recalled(line).filter(|recalled| recalled.is_whole);
    // How long it lasts counts from when it was asked for, as it did then.
    let asked = |intent: Intent| Intent { since: intent.since.or(Some(request.time)), ..intent };
    let intents: Option<Vec<_>> =
        request.content.intents.iter().map(|line| Some(asked(recall(line)?.intent))).collect();
    intents.filter(|intents| !intents.is_empty()).ok_or_else(|| {
        Failure::refused("what it asks for was not kept whole: an older release asked")
            .hint("ask for the change again")
    })
}
