//! Changes that whoever began them did not end.

use std::io;

use jiff::Timestamp;

use super::{Journal, Reading};
use crate::control::ledger::Record;
use crate::control::ledger::chain::Keys;
use crate::control::ledger::files::presence;
use crate::control::permit::InFlight;

impl Journal {
    /// Changes that were opened before then, have no end, and that nobody is carrying out.
    pub(in crate::control::ledger::files) fn orphans(
        &self,
        keys: &Keys,
        before: Timestamp,
        in_flight: &InFlight,
    ) -> io::Result<Vec<Record>> {
        let open = self.checked(keys, |reading| reading.index.open_before(before))?;
        let is_orphan = |(receipt, process): &(String, String)| match *process == self.process {
            true => !in_flight.holds(receipt),
            false => presence::is_gone(&self.dir, process),
        };
        let orphans: Vec<_> = open.into_iter().filter(is_orphan).collect();
        presence::sweep(&self.dir);
        let receipts: Vec<_> = orphans.into_iter().map(|(receipt, _)| receipt).collect();
        self.read(keys, |reading| reading.each(receipts.iter().cloned(), Reading::record))
    }
}
