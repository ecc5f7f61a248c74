//! A yes that was written, and may not be kept.

use std::fs::File;
use std::io::{self, Write as _};

use serde_json::json;

use super::Journal;
use crate::control::ledger::Decision;
use crate::control::ledger::chain::{Keys, Link};
use crate::control::ledger::entry::Entry;

impl Journal {
    /// Withdraws a yes whose line may not be kept: it stands in the file, and whoever reads it there
    /// would act on it.
    pub(super) fn take_back(
        &self,
        keys: &Keys,
        file: &mut File,
        entry: &Entry,
        [last, own]: [&Link; 2],
    ) -> io::Result<()> {
        let mut content = entry.content.clone();
        crate::json::put(&mut content, "decision", json!(Decision::Withdrawn));
        let withdrawn = Entry::next("answered", &entry.receipt, content, &entry.requester);
        let line = keys.line(self.content(&withdrawn), last, own)?;
        file.write_all(line.as_bytes()).map_err(|error| {
            let receipt = &entry.receipt;
            io::Error::other(format!(
                "{error}; the yes to {receipt} could not be taken back: deny it"
            ))
        })
    }
}
