//! Where a change stands now, as reading the vendor shows, and what is learned from that.

use super::Desk;
use super::check::unknown;
use super::lag::{MAY_COME, NEVER, NOT_YET, may_lag};
use super::undo_precondition::shown_then;
use crate::access::{Access, Approval, Outcome};
use crate::catalogue::{self, Found};
use crate::failure::{Failure, Kind};
use crate::ledger::{Closing, Record, Whose};
use crate::outbound::{CALL, Deadline};
use crate::requester::Requester;
use crate::tools::{Run, Snapshot, Tool, Verification};
use crate::vendors::{Organization, Same, Tenant, VendorReader};

/// Where a change stands, as reading the vendor shows.
pub(super) struct ChangeStatus {
    pub outcome: Outcome,
    pub note: String,
    /// All rows there are now.
    pub rows: Vec<Access>,
    /// Those of them that bear on the change.
    pub shown: Vec<Access>,
    /// What was there before is shown, and may only be too old to show the change.
    pub early: bool,
    /// The vendor said yes, and what was meant is not to be seen.
    unseen: bool,
}

impl Desk {
    /// Keeps what became of a change that had not been settled.
    pub(super) async fn learn(&self, record: &Record, found: &ChangeStatus, by: &Requester) {
        if let Err(failure) = self.leave_over(record, found, by).await {
            tracing::warn!(%failure.message, "an end that is held could not be recorded");
            return;
        }
        let unsettled = matches!(
            record.outcome(),
            Some(Outcome::Unknown | Outcome::PendingVendorApproval | Outcome::Unconfirmed)
        );
        let unseen = record.is_unseen();
        let settled = matches!(found.outcome, Outcome::Confirmed | Outcome::Rejected);
        let never = found.unseen && !found.early && record.outcome() == Some(Outcome::Unconfirmed);
        if (unsettled || unseen)
            && (settled || never)
            && let Err(failure) =
                self.ledger.found(&record.receipt, &found.closing(), "check", by).await
        {
            tracing::warn!(%failure.message, "what was found could not be recorded");
        }
    }

    /// Asks the vendor whether the change still stands.
    pub(super) async fn status_of(&self, record: &Record) -> Result<ChangeStatus, Failure> {
        let (Found::On(tool) | Found::Off(tool, _)) = catalogue::find(&record.tool, &self.config)
        else {
            return Err(unknown_tool(&record.tool));
        };
        let (tenant, same) = self.tenant_of(record).await?;
        let Run::Change { resolve, .. } = tool.run else {
            return Err(Failure::invalid("this receipt is not of a change"));
        };
        let deadline = Deadline::after(CALL);
        let earlier = &shown_then(record);
        let reader =
            VendorReader { tenant, wire: &self.wire, deadline, cache: None, earlier, notes: None };
        let steps = resolve(record.arguments.clone(), &reader).await?;
        let step = steps.into_iter().next();
        let mut step = step.ok_or_else(|| Failure::invalid("this receipt has no step"))?;
        step.set_term(record.term());
        let now = step.current(&reader).await?;
        let before = Snapshot {
            rows: record.before.clone(),
            conclusive: record.conclusive,
            ..Snapshot::default()
        };
        let finding = match step.verify(&before, &now) {
            // What was found whole then took nothing along, and brought nothing along.
            Verification::Lost(_) | Verification::Wider(_)
                if record.outcome() == Some(Outcome::Confirmed) =>
            {
                Verification::There
            }
            finding => finding,
        };
        if same == Same::CannotTell && !matches!(finding, Verification::There | Verification::Held)
        {
            return Err(nobody_knows(record));
        }
        let held = record.end.as_ref().and_then(|end| end.held.as_ref());
        let approval = match held {
            Some(held) if finding != Verification::There => step.approval(held, &reader).await?,
            _ => None,
        };
        let as_before = before.is_unchanged(&now, step.as_ref());
        let young = may_lag(record, crate::clock::now());
        let found = status(record, finding, approval, as_before, young);
        let shown = now.rows.iter().filter(|row| step.is_relevant(row)).cloned().collect();
        let rows = match &record.end {
            Some(end) if found.unseen => end.after.clone(),
            _ => now.rows,
        };
        Ok(ChangeStatus { rows, shown, ..found })
    }

    /// A tool by its name, where it is on.
    pub(super) fn known_tool(&self, name: &str) -> Result<&'static Tool, Failure> {
        match catalogue::find(name, &self.config) {
            Found::On(tool) => Ok(tool),
            Found::Off(_, failure) => Err(failure),
            Found::Unknown => Err(unknown_tool(name)),
        }
    }

    /// The tenant that a change was made at, and whether the credential is known to be the same
    /// customer's: another one says nothing of it.
    pub(super) async fn tenant_of(&self, record: &Record) -> Result<(&Tenant, Same), Failure> {
        let Record { receipt, vendor, tenant: place, tenant_name, .. } = record;
        let elsewhere = |then: &str, now: &str| {
            Failure::refused(format!("{receipt} was made at {then}, and this is {now}"))
                .hint(format!("configure {vendor} as it was then"))
        };
        let name = tenant_name.as_deref();
        let is = |tenant: &&Tenant| tenant.id.is(vendor, place, name);
        let Some(tenant) = self.config.tenants.iter().find(is) else {
            let ids = self.config.tenants_of(vendor).map(|tenant| &tenant.id);
            let here: Vec<_> = ids.map(|id| called(&id.place, id.name.as_deref())).collect();
            if here.is_empty() {
                let trouble = format!("{vendor} is not configured here");
                return Err(Failure::new(Kind::Unavailable, trouble)
                    .hint("`grantor doctor` says what is missing"));
            }
            let was = name.unwrap_or(vendor);
            let here = here.join(" or ");
            return Err(match self.config.tenants_of(vendor).all(|one| one.id.name.is_none()) {
                true => elsewhere(&called(place, name), &here),
                false => elsewhere(&called(place, Some(was)), &here).hint(format!(
                    "configure {was} as it was then; a tenant at the same place that was renamed \
                     names it in `formerly`"
                )),
            });
        };
        let own = tenant.organization(&self.wire).await;
        let kept = record.organization.as_deref();
        match (own.is(kept), kept, own) {
            (Same::No, Some(kept), Organization::Known(own)) => Err(elsewhere(kept, &own)),
            (same, ..) => Ok((tenant, same)),
        }
    }

    /// Whose changes are those of a record's tenant.
    pub(super) fn whose(&self, record: &Record) -> Whose {
        let Record { vendor, tenant, tenant_name, organization, .. } = record;
        let is = |one: &&Tenant| one.id.is(vendor, tenant, tenant_name.as_deref());
        let names = self.config.tenants.iter().find(is).map(|tenant| tenant.id.names());
        Whose {
            place: tenant.clone(),
            names: names.unwrap_or_else(|| vec![tenant_name.clone()]),
            organization: organization.clone(),
        }
    }

    /// Whether two changes were made at one tenant.
    pub(super) fn is_same_tenant(&self, one: &Record, other: &Record) -> bool {
        let (name, organization) = (other.tenant_name.as_deref(), other.organization.as_deref());
        one.vendor == other.vendor
            && one.tenant == other.tenant
            && self.whose(one).has(name, organization)
    }

    /// Where an end that the vendor held has not come, its grant is overdue.
    pub(super) async fn leave_over(
        &self,
        record: &Record,
        found: &ChangeStatus,
        by: &Requester,
    ) -> Result<(), Failure> {
        let Some(timed) = record.ends.as_ref().filter(|_| record.is_held()) else { return Ok(()) };
        let receipt = &record.receipt;
        let why = match found.outcome {
            Outcome::Confirmed => return Ok(()),
            Outcome::PendingVendorApproval => holds(receipt, true),
            _ => format!("{receipt} was to end it: {}", found.note),
        };
        self.ledger.overdue(timed, &why, by).await
    }

    /// Finds out what became of the change that is to take a record back and that the vendor
    /// holds, and gives its receipt.
    pub(super) async fn follow_up(
        &self,
        record: &Record,
        requester: &Requester,
    ) -> Result<String, Failure> {
        let by = record.held_by.as_deref().unwrap_or_default();
        let holder = self.ledger.find(by).await?.ok_or_else(|| unknown(by))?;
        let found = self.status_of(&holder).await?;
        self.learn(&holder, &found, requester).await;
        Ok(holder.receipt)
    }

    /// The same record, after what is not settled of taking it back was looked at.
    pub(super) async fn followed_up(
        &self,
        record: Record,
        by: &Requester,
    ) -> Result<Record, Failure> {
        if record.held_by.is_some() {
            self.follow_up(&record, by).await?;
        } else if let Some(taker) = self.taker(&record).await?.filter(|taker| taker.end.is_some()) {
            self.look_and_learn(&taker, by).await?;
        } else {
            return self.as_shown_to(record, by).await;
        }
        let now = self.ledger.find(&record.receipt).await?.unwrap_or(record);
        self.as_shown_to(now, by).await
    }

    async fn as_shown_to(&self, mut record: Record, by: &Requester) -> Result<Record, Failure> {
        self.hide(&mut record, by).await?;
        Ok(record)
    }
}

impl ChangeStatus {
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing {
            outcome: self.outcome,
            status: None,
            request_id: None,
            after: &self.rows,
            note: Some(&self.note),
            held: None,
            unseen: self.unseen,
        }
    }
}

/// A tenant in words: its name where the operator gave it one, and where it is.
pub(super) fn called(place: &str, name: Option<&str>) -> String {
    name.map_or_else(|| place.to_owned(), |name| format!("{name}, {place}"))
}

/// What is said where an absence may be another customer's.
pub(super) fn nobody_knows(record: &Record) -> Failure {
    let Record { receipt, vendor, .. } = record;
    Failure::new(
        Kind::Unavailable,
        format!(
            "{receipt} does not show here, and this credential does not say which customer of \
             {vendor} it belongs to: that is not taken for gone"
        ),
    )
    .hint("name the organization in the settings, or look with the credential that granted it")
}

/// What a change is called now; rows aside. Where what was before is shown, and the change is
/// `young`, that says nothing yet. Pure.
fn status(
    record: &Record,
    finding: Verification,
    approval: Option<Approval>,
    as_before: bool,
    young: bool,
) -> ChangeStatus {
    let mut found = ChangeStatus {
        outcome: Outcome::Unknown,
        note: String::new(),
        rows: Vec::new(),
        shown: Vec::new(),
        early: false,
        unseen: false,
    };
    let yes = record.is_unseen();
    let settled = matches!(record.outcome(), Some(Outcome::Confirmed | Outcome::Mismatch)) && !yes;
    let (outcome, note) = match (finding, approval) {
        (Verification::There, _) => (Outcome::Confirmed, "it stands: the vendor shows it so now"),
        (_, Some(Approval::Denied)) => (Outcome::Rejected, "an approver denied it"),
        (_, Some(Approval::Expired)) => (Outcome::Rejected, "nobody approved it in time"),
        (Verification::Held, _) | (_, Some(Approval::Waiting)) => {
            (Outcome::PendingVendorApproval, "it waits for the vendor's approvers")
        }
        (_, Some(Approval::Approved)) => {
            (Outcome::Unknown, "an approver approved it, and the vendor has not applied it")
        }
        (Verification::CannotTell, None) => {
            (Outcome::Unconfirmed, "the vendor shows this credential too little to tell")
        }
        (Verification::Lost(_), None) => (Outcome::Mismatch, "other access was lost with it"),
        (Verification::Wider(_), None) => (Outcome::Mismatch, "it reaches further than was asked"),
        (Verification::Elsewise(_), None) if as_before && !settled => {
            (found.early, found.unseen) = (young && !record.is_held(), yes);
            match (yes, found.early) {
                (true, true) => (Outcome::Unconfirmed, NOT_YET),
                (true, false) => (Outcome::Mismatch, NEVER),
                (false, true) => (Outcome::Unknown, MAY_COME),
                (false, false) => {
                    (Outcome::Unavailable, "it did not happen: the access is as before")
                }
            }
        }
        (Verification::Elsewise(what), None) => {
            found.outcome = Outcome::Mismatch;
            found.note = format!("it is not so now: {what}");
            return found;
        }
    };
    (found.outcome, found.note) = (outcome, note.to_owned());
    found
}

/// What to say of a change that another is to take back which the vendor holds.
pub(super) fn holds(by: &str, is_over: bool) -> String {
    let when = if is_over { "its time is over, and " } else { "" };
    format!(
        "{when}the vendor's approvers hold {by}, which is to take it back: until they agree, the \
         access is there"
    )
}

pub(super) fn unknown_tool(tool: &str) -> Failure {
    Failure::invalid(format!("{tool} is not a tool of this version"))
        .hint("use the version of Grantor that made the change, or a later one")
}
