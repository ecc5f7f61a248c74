//! What of the ledger a requester may see: whoever is at the machine all of it, a caller what is theirs and what
//! the rules let them see.

use super::Desk;
use super::check::unknown;
use crate::failure::Failure;
use crate::ledger::{Past, PastEntry, PastPage, Position, Record, Told};
use crate::requester::Requester;

/// Entries that somebody may see.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) page: PastPage,
    /// The entry behind which the list goes on, which need not be among them.
    pub(super) goes_on: Option<Position>,
}

/// What stands for a receipt that somebody may not see.
const ANOTHER: &str = "another change";
/// How many entries one call looks at for those that somebody may see; the next begins behind them.
const MOST_LOOKED_AT: usize = 2_000;

impl Desk {
    /// Whether somebody may see what stands under a receipt. What they may not see is answered as a receipt
    /// that there is not, in the same words.
    pub(super) async fn may_see(&self, receipt: &str, by: &Requester) -> Result<bool, Failure> {
        if by.caller().is_none() {
            return Ok(true);
        }
        let entry = self.ledger.entry(receipt).await?;
        Ok(entry.is_some_and(|entry| self.sees(&entry, by)))
    }

    /// What somebody may see of a list, and behind which entry it goes on.
    pub(super) async fn seen_of(
        &self,
        find: Past,
        limit: usize,
        by: &Requester,
    ) -> Result<Seen, Failure> {
        let whole = |page: PastPage| {
            let goes_on = page.entries.last().filter(|_| page.more).map(|last| last.at);
            Seen { page, goes_on }
        };
        if by.caller().is_none() {
            return Ok(whole(self.ledger.past(find, limit).await?));
        }
        if !self.shows_others() {
            let Some(find) = narrowed(find, by) else { return Ok(Seen::default()) };
            return Ok(whole(told_to_a_caller(self.ledger.past(find, limit).await?)));
        }
        let (mut find, mut seen, mut looked_at) = (find, Vec::new(), 0);
        loop {
            let page = self.ledger.past(find.clone(), limit).await?;
            let (last, more) = (page.entries.last().map(|last| last.at), page.more);
            looked_at += page.entries.len();
            let mut theirs = page.entries.into_iter().filter(|entry| self.sees(entry, by));
            let room = limit.saturating_sub(seen.len());
            seen.extend(theirs.by_ref().take(room));
            let left = theirs.next().is_some();
            // Whether there is one more that they may see: others' are no reason to go on.
            if left || !more || looked_at >= MOST_LOOKED_AT {
                let full = seen.last().map(|last| last.at).filter(|_| seen.len() >= limit);
                let goes_on = full.or(last).filter(|_| left || more);
                let page =
                    PastPage { entries: seen, more: goes_on.is_some(), ..PastPage::default() };
                return Ok(Seen { page, goes_on });
            }
            find.after = last;
        }
    }

    /// Takes the receipts of others out of a change that somebody may not see: that there was one they may know.
    pub(super) async fn hide(&self, record: &mut Record, by: &Requester) -> Result<(), Failure> {
        if by.caller().is_none() {
            return Ok(());
        }
        let receipts = [
            &mut record.undone_by,
            &mut record.ended_by,
            &mut record.superseded_by,
            &mut record.held_by,
            &mut record.undoes,
        ];
        for receipt in receipts {
            if let Some(known) = receipt
                && !self.may_see(known, by).await?
            {
                ANOTHER.clone_into(known);
            }
        }
        Ok(())
    }

    /// The same of an entry of a list.
    pub(super) async fn hide_in(
        &self,
        entry: &mut PastEntry,
        by: &Requester,
    ) -> Result<(), Failure> {
        match &mut entry.told {
            Told::Change(record, _) => self.hide(record, by).await,
            Told::Asked(_) | Told::Refused(_) => Ok(()),
        }
    }

    /// # Errors
    /// They may not see it.
    pub(super) async fn seen(&self, receipt: &str, by: &Requester) -> Result<(), Failure> {
        match self.may_see(receipt, by).await? {
            true => Ok(()),
            false => Err(unknown(receipt)),
        }
    }
}

/// Leaves of a list what is somebody's own; none, where they ask for what another asked for.
fn narrowed(find: Past, by: &Requester) -> Option<Past> {
    let asks_for_others = find.requester.as_ref().is_some_and(|asked_by| !by.may_see(asked_by));
    (!asks_for_others).then(|| Past { requester: Some(by.name().to_owned()), ..find })
}

/// Whose what is unread is, is not known; and how many there are of somebody is counted over all.
fn told_to_a_caller(page: PastPage) -> PastPage {
    PastPage { unread: Vec::new(), named: None, ..page }
}
