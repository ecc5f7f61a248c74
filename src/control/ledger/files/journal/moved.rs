//! The end of a ledger of files that goes on in a database: its last line says so, and none comes after it.

use std::io;

use serde_json::json;

use super::Journal;
use crate::control::ledger::Trouble;
use crate::control::ledger::audit::Audit;
use crate::control::ledger::chain::{Keys, Link};
use crate::control::ledger::entry::Entry;
use crate::control::ledger::files::{presence, segment};
use crate::control::ledger::meaning::MOVED;
use crate::control::requester::Requester;

/// What is said of a ledger that has ended so.
const ENDED: &str = "this ledger was moved into a database and takes nothing more: set GRANTOR_STORE_URL, or \
                     url in [store], as it was for `grantor ledger import`";

const NOT_IMPORTED: &str = "has lines, and the database's chain has none: what is due in them would be forgotten; \
    run `grantor ledger import`, or set another GRANTOR_STATE_DIR";
const ELSEWHERE: &str = "was moved into a database, and this chain has no line: see that GRANTOR_STORE_URL and \
    GRANTOR_STORE_CHAIN are as they were for `grantor ledger import`, or set another GRANTOR_STATE_DIR";

impl Journal {
    /// Gives every line to whoever takes them over, and then ends. Nobody adds a line meanwhile.
    ///
    /// # Errors
    /// A process lives that writes here, a line does not hold, or they are not taken over.
    pub(in crate::control::ledger) fn hand_over(
        &self,
        keys: &Keys,
        (to, by): (&str, &Requester),
        take: impl FnOnce(Vec<String>) -> io::Result<Link>,
    ) -> io::Result<Link> {
        let _lock = self.lock()?;
        if let Some(process) = presence::living(&self.dir)?.into_iter().next() {
            return Err(io::Error::other(format!(
                "a process has it open and may write ({process}): end every `grantor serve` on this \
                 machine first"
            )));
        }
        let (lines, link) = self.whole(keys)?;
        if self.is_ended()? {
            return Err(io::Error::other(ENDED));
        }
        take(lines)?;
        let content = json!({ "to": to, "seq": link.seq, "hash": link.hash });
        let entry = Entry::first(MOVED, &crate::control::ledger::new_receipt(), content, by);
        let line = keys.line(self.content(&entry), &link, &Link::start())?;
        let (mut file, _) = self.open_for_adding()?;
        io::Write::write_all(&mut file, line.as_bytes())?;
        file.sync_data()?;
        Ok(link)
    }

    /// Every line, where all of them hold: what is taken over is believed from then on.
    fn whole(&self, keys: &Keys) -> io::Result<(Vec<String>, Link)> {
        let (mut audit, mut lines) = (Audit::default(), Vec::new());
        for segment in segment::segments(&self.dir)? {
            audit.begin(&segment.path);
            let file = io::BufReader::new(segment.open()?);
            segment::each_line(file, |_, line| {
                lines.push(line.to_owned());
                audit.line(line, keys, None);
                Ok(true)
            })?;
        }
        let audit = audit.end(None);
        if !audit.is_whole() || audit.torn > 0 || audit.known > 0 {
            return Err(io::Error::other(
                "not every line of it holds: `grantor ledger verify` names them, and nothing is taken over",
            ));
        }
        let head = audit.head.ok_or_else(|| io::Error::other("it has no line"))?;
        Ok((lines, Link { seq: head.seq, hash: head.hash }))
    }

    /// Whether its last line says that it goes on elsewhere.
    pub(super) fn is_ended(&self) -> io::Result<bool> {
        let mut is_ended = false;
        if let Some(last) = segment::segments(&self.dir)?.last() {
            segment::each_line_back(&mut last.open()?, |line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                is_ended = line.get("event").is_some_and(|event| event == MOVED);
                line.is_null()
            })?;
        }
        Ok(is_ended)
    }

    /// # Errors
    /// It has ended.
    pub(super) fn goes_on(&self) -> io::Result<()> {
        if self.is_ended()? { Err(io::Error::other(ENDED)) } else { Ok(()) }
    }

    /// What is to be known of lines here where they are to be looked for in a database that has none.
    pub(in crate::control::ledger) fn forgotten(&self) -> io::Result<Option<Trouble>> {
        if segment::segments(&self.dir)?.is_empty() {
            return Ok(None);
        }
        let what = if self.is_ended()? { ELSEWHERE } else { NOT_IMPORTED };
        let (place, hash) = (self.path().display().to_string(), String::new());
        Ok(Some(Trouble { place, what: what.to_owned(), hash }))
    }

    /// What is to be known of a ledger that has ended.
    pub(super) fn ended(&self) -> io::Result<Option<Trouble>> {
        // Nobody can accept that: it has no hash.
        let ended = || Trouble {
            place: segment::CURRENT.to_owned(),
            what: ENDED.to_owned(),
            hash: String::new(),
        };
        Ok(self.is_ended()?.then(ended))
    }
}
