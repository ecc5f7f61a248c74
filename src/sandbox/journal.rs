//! Every request the fakes received, for tests to read.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::message::Ask;

/// A request a fake received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub vendor: &'static str,
    pub method: String,
    /// As it came, still percent-encoded.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What was answered; 0 while there is no answer, and for ever when a fault withheld it.
    pub status: u16,
}

/// What a sandbox left running would otherwise keep for ever.
const KEPT: usize = 10_000;

#[derive(Default)]
pub(super) struct Journal {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    seen: VecDeque<Seen>,
    forgotten: usize,
}

/// Where a request stands in the journal, to add its status later.
#[derive(Clone, Copy)]
pub(super) struct Entry(usize);

impl Journal {
    pub fn open(&self, vendor: &'static str, ask: &Ask) -> Entry {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.seen.len() == KEPT {
            pages.seen.pop_front();
            pages.forgotten += 1;
        }
        pages.seen.push_back(Seen {
            vendor,
            method: ask.method.clone(),
            path: ask.path.clone(),
            query: ask.query.clone(),
            headers: ask.headers.clone(),
            body: ask.body.clone(),
            status: 0,
        });
        Entry(pages.forgotten + pages.seen.len() - 1)
    }

    pub fn close(&self, Entry(number): Entry, status: u16) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let index = number.checked_sub(pages.forgotten);
        if let Some(seen) = index.and_then(|index| pages.seen.get_mut(index)) {
            seen.status = status;
        }
    }

    /// How many requests there were, those that are no longer kept among them.
    pub fn received(&self) -> usize {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.forgotten + pages.seen.len()
    }

    pub fn read(&self) -> Vec<Seen> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.seen.iter().cloned().collect()
    }
}
