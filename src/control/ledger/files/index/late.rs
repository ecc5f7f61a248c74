//! Where the changes are that bear on an end that is to come.

use std::io;

use jiff::Timestamp;
use rusqlite::params;

use super::{Index, at};
use crate::control::ledger::whose::Whose;

impl Index {
    /// Whether a later change from here is known to have taken the access away that this one was for.
    pub(in crate::control::ledger) fn was_taken_since(&self, receipt: &str) -> io::Result<bool> {
        let taken = self.of_same_tenant(
            receipt,
            "SELECT later.receipt, later.whose FROM change, moved JOIN change AS later
             ON later.receipt = moved.receipt WHERE change.receipt = ?
             AND moved.access = change.access AND moved.seq > change.seq AND NOT moved.made",
        )?;
        Ok(!taken.is_empty())
    }

    /// Changes that were to undo or to end this one, oldest first.
    pub(in crate::control::ledger) fn takers(&self, receipt: &str) -> io::Result<Vec<String>> {
        self.receipts(
            "SELECT receipt FROM (SELECT receipt, seq FROM change WHERE undoes = ?1
                UNION SELECT receipt, seq FROM change WHERE ends = ?1) ORDER BY seq",
            [receipt],
        )
    }

    /// Changes of a principal's access that were opened since then and have not shown; newest first.
    pub(in crate::control::ledger) fn unseen_since(
        &self,
        since: Timestamp,
        whose: &Whose,
        principal: &str,
    ) -> io::Result<Vec<String>> {
        let begin = serde_json::json!([whose.place, principal]).to_string();
        // What an access begins with that is a list of more.
        let begin = format!("{},", begin.trim_end_matches(']'));
        let found = self.marked(
            "SELECT receipt, whose FROM change WHERE unseen AND opened >= ?1
             AND substr(access, 1, length(?2)) = ?2 ORDER BY seq DESC",
            params![at(since), begin],
        )?;
        let own = found.into_iter().filter(|(_, mark)| whose.is(mark));
        Ok(own.map(|(receipt, _)| receipt).collect())
    }
}
