//! What the index finds of one tenant, where several are behind one host.

use std::io;

use super::{Index, trouble};
use crate::control::ledger::whose::{Mark, Names, Whose};

impl Index {
    /// The last timed change of an access that still stands.
    pub(in crate::control::ledger) fn timed(
        &self,
        whose: &Whose,
        access: &str,
    ) -> io::Result<Option<String>> {
        let found = self.marked(
            "SELECT receipt, whose FROM change WHERE remains AND NOT taken AND expires IS NOT NULL
             AND access = ? ORDER BY seq DESC",
            [access],
        )?;
        Ok(found.into_iter().find(|(_, mark)| whose.is(mark)).map(|(receipt, _)| receipt))
    }

    /// The same with names that are known to be of one tenant each.
    pub(in crate::control::ledger) fn knowing(self, names: Option<&Names>) -> Self {
        Self { names: names.cloned().unwrap_or_default(), ..self }
    }

    /// Receipts that a query finds, each with whose it is.
    pub(super) fn marked(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
    ) -> io::Result<Vec<(String, Mark)>> {
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let rows = query
            .query_map(parameters, |row| Ok((row.get(0)?, Mark::read(&row.get::<_, String>(1)?))));
        rows.and_then(Iterator::collect).map_err(trouble)
    }

    /// Those of the receipts that a query finds which are of the same tenant as this one.
    pub(super) fn of_same_tenant(&self, receipt: &str, query: &str) -> io::Result<Vec<String>> {
        let own = self.marked("SELECT receipt, whose FROM change WHERE receipt = ?", [receipt])?;
        let Some((_, own)) = own.into_iter().next() else { return Ok(Vec::new()) };
        let found = self.marked(query, [receipt])?.into_iter();
        let same = found.filter(|(_, mark)| own.may_be(mark, &self.names));
        Ok(same.map(|(receipt, _)| receipt).collect())
    }
}
