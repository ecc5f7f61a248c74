//! Finding things in the ledger as it is now.

use std::io;

use jiff::Timestamp;

use crate::access::Access;
use crate::control::ledger::chain::{Kept, Keys};
use crate::control::ledger::files::index::{Index, access as access_key};
use crate::control::ledger::files::segment::Segment;
use crate::control::ledger::noted::{Bookmark, NotedPage};
use crate::control::ledger::shelf::{ALL, Changes};
use crate::control::ledger::unless::{Objection, Question, Unless};
use crate::control::ledger::whose::Whose;
use crate::control::ledger::{Past, PastEntry, PastPage, Position, Record, Request, State};

/// How many receipts are found at a time.
const AT_A_TIME: usize = 100;

/// The ledger as it is now, for finding things in it.
pub(in crate::control::ledger::files) struct Reading<'a> {
    pub(super) index: &'a Index,
    pub(super) segments: &'a [Segment],
    pub(super) keys: &'a Keys,
    pub(super) head: &'a Kept,
}

impl Reading<'_> {
    pub(in crate::control::ledger::files) fn record(
        &self,
        receipt: &str,
    ) -> io::Result<Option<Record>> {
        self.index.record(self.segments, self.keys, receipt)
    }

    /// The rows that the last undo left which gave back what this change made.
    pub(in crate::control::ledger::files) fn given_back(
        &self,
        receipt: &str,
    ) -> io::Result<Vec<Access>> {
        self.index.given_back(self.segments, self.keys, receipt)
    }

    /// A request, read from every line since its question: what a yes is read from.
    pub(in crate::control::ledger::files) fn traced(
        &self,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        self.index.traced(self.segments, self.keys, self.head, receipt)
    }

    /// A request as its own lines tell it, wherever the index has them: nobody acts on that.
    pub(in crate::control::ledger::files) fn known_request(
        &self,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        self.index.request(self.segments, self.keys, receipt)
    }

    /// A request; one that somebody may act on is read from every line since its question.
    pub(in crate::control::ledger::files) fn request(
        &self,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        let request = self.known_request(receipt)?;
        match request.as_ref().map(|request| request.state) {
            Some(state) if state.is_live() => self.traced(receipt),
            _ => Ok(request),
        }
    }

    /// What stands against a line, as things are.
    pub(super) fn check(&self, unless: &Unless) -> io::Result<Result<(), Objection>> {
        Ok(match unless {
            Unless::Change(receipt, so) => so.check(self.record(receipt)?.as_ref()),
            Unless::Request(receipt, so) => so.check(receipt, self.traced(receipt)?.as_ref()),
            Unless::Waits(question) => match self.same(question, State::Waiting)? {
                Some(request) => Err(Objection::Waits(request.receipt)),
                None => Ok(()),
            },
        })
    }

    /// The request that is this question and stands so.
    pub(in crate::control::ledger::files) fn same(
        &self,
        question: &Question,
        state: State,
    ) -> io::Result<Option<Request>> {
        let is = |request: &Request| question.is(request, state);
        // Only one that looks the same is read from every line since its question.
        let look = |reading: &Self, receipt: &str| match reading.known_request(receipt)?.filter(is)
        {
            Some(_) => Ok(reading.request(receipt)?.filter(is)),
            None => Ok(None),
        };
        let live = self.index.live_requests(crate::clock::now())?;
        Ok(self.each(live, look)?.into_iter().next())
    }

    /// The changes that are looked for, at most so many, and how many were left out.
    pub(in crate::control::ledger::files) fn changes(
        &self,
        find: &Changes,
        most: usize,
    ) -> io::Result<(Vec<Record>, usize)> {
        let index = self.index;
        let receipts = match find {
            Changes::Due(now) => index.due(*now)?,
            Changes::DueOrOpen(now) => {
                let open = index.open_before(*now)?.into_iter().map(|(receipt, _)| receipt);
                index.due(*now)?.into_iter().chain(open).collect()
            }
            Changes::Recent(since) => index.recent(*since)?,
            Changes::Ending(after, until) => index.ending((*after, *until))?,
            Changes::Timed(whose, access) => {
                index.timed(whose, &at(whose, access))?.into_iter().collect()
            }
            Changes::Takers(receipt) => index.takers(receipt)?,
            Changes::UnseenSince(since, whose, principal) => {
                index.unseen_since(*since, whose, principal)?
            }
        };
        self.first(most, receipts, Self::record)
    }

    /// The requests that somebody may still act on, the oldest first.
    pub(in crate::control::ledger::files) fn live_requests(
        &self,
        now: Timestamp,
    ) -> io::Result<Vec<Request>> {
        let receipts = self.index.live_requests(now)?;
        self.first(ALL, receipts, Self::request).map(|(requests, _)| requests)
    }

    /// The entries that are looked for, at most so many.
    pub(in crate::control::ledger::files) fn past(
        &self,
        find: &Past,
        most: usize,
    ) -> io::Result<PastPage> {
        let (mut page, mut after) = (PastPage::default(), find.after);
        page.named = find.who.as_ref().map(|who| self.index.named(who)).transpose()?;
        loop {
            let found = self.index.past(find, after, AT_A_TIME)?;
            let is_last = found.len() < AT_A_TIME;
            for (receipt, at) in found {
                after = Some(at);
                match self.entry_at(&receipt, at)? {
                    None => page.unread.push(receipt),
                    Some(entry) if !entry.fits(find) => {}
                    Some(_) if page.entries.len() == most => {
                        page.more = true;
                        return Ok(page);
                    }
                    Some(entry) => page.entries.push(entry),
                }
            }
            if is_last {
                return Ok(page);
            }
        }
    }

    pub(in crate::control::ledger::files) fn entry(
        &self,
        receipt: &str,
    ) -> io::Result<Option<PastEntry>> {
        self.entry_at(receipt, Position(0, 0))
    }

    /// What the lines of a receipt tell; what a change rests on is read for what it says, and nobody acts
    /// on that.
    fn entry_at(&self, receipt: &str, at: Position) -> io::Result<Option<PastEntry>> {
        let told = self.index.told(self.segments, self.keys, receipt)?;
        let both = (self.record(receipt)?, self.request(receipt)?);
        let consent = both.0.as_ref().and_then(|record| record.consent.clone());
        let consent = match consent.filter(|consent| consent != receipt) {
            Some(consent) => self.known_request(&consent)?,
            None => None,
        };
        Ok(PastEntry::of(at, receipt, &told.lines, told.damage, both, consent))
    }

    /// The live requests, as their own lines tell them.
    pub(in crate::control::ledger::files) fn known_requests(
        &self,
        now: Timestamp,
    ) -> io::Result<Vec<Request>> {
        self.each(self.index.live_requests(now)?, Self::known_request)
    }

    /// Behind the last line.
    pub(in crate::control::ledger::files) fn end(&self) -> io::Result<Bookmark> {
        self.index.end()
    }

    /// What the lines behind a bookmark are to those who are told of it.
    pub(in crate::control::ledger::files) fn noted(
        &self,
        from: &Bookmark,
    ) -> io::Result<NotedPage> {
        self.index.noted(self.segments, self.keys, from)
    }

    /// The requests that lapsed within that, as their own lines tell them.
    pub(in crate::control::ledger::files) fn lapsed(
        &self,
        within: (Timestamp, Timestamp),
    ) -> io::Result<Vec<Request>> {
        self.each(self.index.lapsed(within)?, Self::known_request)
    }

    pub(in crate::control::ledger::files) fn granted_by(
        &self,
        accesses: &[(Whose, [String; 3])],
    ) -> io::Result<Vec<Option<String>>> {
        let granted = |(whose, access): &(Whose, [String; 3])| {
            self.index.granted_by(whose, &at(whose, access))
        };
        accesses.iter().map(granted).collect()
    }

    pub(in crate::control::ledger::files) fn was_taken_since(
        &self,
        receipt: &str,
    ) -> io::Result<bool> {
        self.index.was_taken_since(receipt)
    }

    pub(in crate::control::ledger::files) fn count_since(
        &self,
        requester: &str,
        since: Timestamp,
    ) -> io::Result<u32> {
        self.index.count_since(requester, since)
    }

    pub(in crate::control::ledger::files) fn broke_since(
        &self,
        since: Timestamp,
    ) -> io::Result<bool> {
        self.index.broke_since(since)
    }

    /// What `look` finds of each receipt, where it finds something.
    pub(super) fn each<T>(
        &self,
        receipts: impl IntoIterator<Item = String>,
        look: impl Fn(&Self, &str) -> io::Result<Option<T>>,
    ) -> io::Result<Vec<T>> {
        let found = receipts.into_iter().map(|receipt| look(self, &receipt));
        found.filter_map(Result::transpose).collect()
    }

    /// The same of so many at most, and how many were left out.
    fn first<T>(
        &self,
        most: usize,
        mut receipts: Vec<String>,
        look: impl Fn(&Self, &str) -> io::Result<Option<T>>,
    ) -> io::Result<(Vec<T>, usize)> {
        let left = receipts.len().saturating_sub(most);
        receipts.truncate(most);
        Ok((self.each(receipts, look)?, left))
    }
}

/// An access by ids, as the index knows it.
fn at(whose: &Whose, [principal, role, resource]: &[String; 3]) -> String {
    access_key(&[&whose.place, principal, role, resource])
}
