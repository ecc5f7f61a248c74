//! Changes that whoever began them did not end.

use std::io;

use jiff::Timestamp;

use super::{Journal, Reading};
use crate::control::ledger::Record;
use crate::control::ledger::chain::Keys;
use crate::control::ledger::files::presence;
use crate::control::permit::InFlight;

impl Journal {
    /// Whether a process that has these files open is gone.
    pub(in crate::control::ledger::files) fn is_gone(&self, process: &str) -> bool {
        presence::is_gone(&self.dir, process)
    }

    /// Takes away what long gone processes have left.
    pub(in crate::control::ledger::files) fn sweep(&self) {
        presence::sweep(&self.dir);
    }

    /// Changes that were opened before then, have no end, and that nobody is carrying out.
    pub(in crate::control::ledger::files) fn orphans(
        &self,
        keys: &Keys,
        before: Timestamp,
        in_flight: &InFlight,
        is_gone: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<Record>> {
        let open = self.checked(keys, |reading| reading.index.open_before(before))?;
        let is_orphan = |(receipt, process): &(String, String)| match *process == self.process {
            true => !in_flight.holds(receipt),
            false => is_gone(process),
        };
        let orphans: Vec<_> = open.into_iter().filter(is_orphan).collect();
        let receipts: Vec<_> = orphans.into_iter().map(|(receipt, _)| receipt).collect();
        self.read(keys, |reading| reading.each(receipts.iter().cloned(), Reading::record))
    }
}
