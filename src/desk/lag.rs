//! A read may lag behind a write: what shows just after it may still be what was there before.

use jiff::{SignedDuration, Timestamp};

use super::Desk;
use super::status::ChangeStatus;
use super::task::ChangeRequest;
use crate::access::Outcome;
use crate::failure::{Failure, Kind};
use crate::ledger::Record;
use crate::outbound::{CALL, READ_BACK};
use crate::requester::Requester;
use crate::tools::Step;

/// For how long after it was sent a change need not show.
pub(super) const LAG: SignedDuration = SignedDuration::from_secs(60);
/// How long after its opening line a change leaves at the latest.
const LEAVES: std::time::Duration = CALL.saturating_sub(READ_BACK);

pub(super) const NOT_YET: &str = "the vendor said yes and still shows what was there before, which \
    may take it a minute";
pub(super) const NEVER: &str = "the vendor said yes, and more than a minute later it still shows \
    what was there before";
pub(super) const MAY_COME: &str = "it may have happened: the vendor shows what was there before, \
    and a write may take a minute to show";
pub(super) const GONE_PERHAPS: &str = "the access does not show, and was granted less than a minute \
    ago: it is looked at again";

/// Whether a vendor may still show what was there before this change. One whose sender did not
/// record how it ended left at the latest when its call had to be over.
pub(super) fn may_lag(record: &Record, now: Timestamp) -> bool {
    let opened = record.time.parse::<Timestamp>().ok().and_then(|time| {
        let leaves = SignedDuration::try_from(LEAVES).ok()?;
        time.checked_add(leaves).ok()
    });
    let sent = record.closed.or(opened);
    sent.and_then(|sent| sent.checked_add(LAG).ok()).is_some_and(|end| now < end)
}

/// How to find out what became of it.
pub(super) fn look_again(receipt: &str) -> String {
    format!("check_change {receipt} says in a minute whether it is so; do not ask for it again")
}

impl Desk {
    /// The last change that was to take this one back, where it is not known what became of it.
    pub(super) async fn taker(&self, record: &Record) -> Result<Option<Record>, Failure> {
        let last = self.ledger.takers(&record.receipt).await?.pop();
        Ok(last.filter(Record::is_unsettled))
    }

    /// Looks at a change whose end is not settled, and keeps what is found.
    pub(super) async fn look_and_learn(
        &self,
        record: &Record,
        by: &Requester,
    ) -> Result<ChangeStatus, Failure> {
        let found = self.status_of(record).await?;
        self.learn(record, &found, by).await;
        let takes_back = record.undoes.is_some() || record.ends.is_some();
        if takes_back
            && record.outcome() == Some(Outcome::Unknown)
            && found.outcome == Outcome::Unavailable
        {
            // It can be done again, now that it is known not to have been done.
            self.ledger.found(&record.receipt, &found.closing(), "check", by).await?;
        }
        Ok(found)
    }

    /// What was sent a moment ago and does not show yet makes what is read now worthless: the same
    /// would be sent twice, or called gone before it comes.
    ///
    /// # Errors
    /// There is such a change, or it cannot be looked at.
    pub(super) async fn nothing_unseen(
        &self,
        request: &ChangeRequest<'_>,
        step: &dyn Step,
        by: &Requester,
    ) -> Result<(), Failure> {
        let (now, wanted) = (crate::clock::now(), step.wanted());
        let (whose, principal) = (request.whose(wanted), &wanted.principal.id);
        let unseen = self.ledger.unseen_since(now - LAG - LAG, &whose, principal).await?;
        let is_same = |record: &&Record| {
            let other = record.wanted();
            let same = other.resource.id == wanted.resource.id
                && (other.role.id == wanted.role.id || step.is_in_scope(&other));
            same && may_lag(record, now)
        };
        for earlier in unseen.iter().filter(is_same) {
            if self.look_and_learn(earlier, by).await?.early {
                let receipt = &earlier.receipt;
                let trouble = format!("{receipt} was sent a moment ago and does not show yet");
                return Err(Failure::new(Kind::Unavailable, trouble).hint(look_again(receipt)));
            }
        }
        Ok(())
    }
}
