//! Finding things in the ledger as it is now.

use std::io;

use jiff::Timestamp;

use crate::access::Access;
use crate::control::ledger::chain::Keys;
use crate::control::ledger::files::Segment;
use crate::control::ledger::head::Kept;
use crate::control::ledger::index::Index;
use crate::control::ledger::unless::{Objection, Question, Unless};
use crate::control::ledger::{Record, Request, State};

/// The ledger as it is now, for finding things in it.
pub(in crate::control::ledger) struct Reading<'a> {
    pub(super) index: &'a Index,
    pub(super) segments: &'a [Segment],
    pub(super) keys: &'a Keys,
    pub(super) head: &'a Kept,
}

impl Reading<'_> {
    pub(in crate::control::ledger) fn record(&self, receipt: &str) -> io::Result<Option<Record>> {
        self.index.record(self.segments, self.keys, receipt)
    }

    /// The rows that the last undo left which gave back what this change made.
    pub(in crate::control::ledger) fn given_back(&self, receipt: &str) -> io::Result<Vec<Access>> {
        self.index.given_back(self.segments, self.keys, receipt)
    }

    /// A request, read from every line since its question: what a yes is read from.
    pub(in crate::control::ledger) fn traced(&self, receipt: &str) -> io::Result<Option<Request>> {
        self.index.traced(self.segments, self.keys, self.head, receipt)
    }

    /// A request as its own lines tell it, wherever the index has them: nobody acts on that.
    pub(in crate::control::ledger) fn known_request(
        &self,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        self.index.request(self.segments, self.keys, receipt)
    }

    /// A request; one that somebody may act on is read from every line since its question.
    pub(in crate::control::ledger) fn request(&self, receipt: &str) -> io::Result<Option<Request>> {
        let request = self.known_request(receipt)?;
        match request.as_ref().map(|request| request.state) {
            Some(State::Waiting | State::Approved) => self.traced(receipt),
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
    pub(in crate::control::ledger) fn same(
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
        let live = self.index.live_requests(Timestamp::now())?;
        Ok(self.each(live, look)?.into_iter().next())
    }

    /// What `look` finds of each receipt, where it finds something.
    pub(in crate::control::ledger) fn each<T>(
        &self,
        receipts: impl IntoIterator<Item = String>,
        look: impl Fn(&Self, &str) -> io::Result<Option<T>>,
    ) -> io::Result<Vec<T>> {
        let found = receipts.into_iter().map(|receipt| look(self, &receipt));
        found.filter_map(Result::transpose).collect()
    }

    /// The same of so many at most, and how many were left out.
    pub(in crate::control::ledger) fn first<T>(
        &self,
        most: usize,
        mut receipts: Vec<String>,
        look: impl Fn(&Self, &str) -> io::Result<Option<T>>,
    ) -> io::Result<(Vec<T>, usize)> {
        let left = receipts.len().saturating_sub(most);
        receipts.truncate(most);
        Ok((self.each(receipts, look)?, left))
    }

    pub(in crate::control::ledger) fn index(&self) -> &Index {
        self.index
    }
}
