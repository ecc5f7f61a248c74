//! Every line from a question to the end of the ledger: what a yes is read from.
//!
//! The index says where the question stands, and nothing more: an answer, a withdrawal or a use that
//! it hides is found all the same, and one that it makes up is not.

use std::io::{self, BufReader, Seek as _, SeekFrom};

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use serde_json::Value;

use super::told::is_known;
use super::{Index, Told, meaning, trouble};
use crate::control::ledger::Request;
use crate::control::ledger::chain::{Keys, Link};
use crate::control::ledger::files::{self, Segment};
use crate::control::ledger::follow::{Follow, Seen};
use crate::control::ledger::head::Kept;
use crate::control::ledger::whose::{Mark, Names};

/// What was read from a question on.
struct Trail<'a> {
    receipt: &'a str,
    /// The names that are of one tenant each.
    names: &'a Names,
    told: Told,
    follow: Follow,
    is_broken: bool,
    /// Another change of the same access, sent after the answer.
    overtaken_by: Option<String>,
    /// What the head says that is kept beside the lines, until its line is met.
    head: Option<Link>,
    /// There must be a head: lines of the first release have none.
    wants_head: bool,
}

impl Index {
    /// A request, read from every line since its question.
    pub(in crate::control::ledger) fn traced(
        &self,
        segments: &[Segment],
        keys: &Keys,
        head: &Kept,
        receipt: &str,
    ) -> io::Result<Option<Request>> {
        let trail = self.followed(segments, keys, head, receipt)?;
        Ok(trail.and_then(Trail::request))
    }

    /// The last line of a request, which the next one of it names: an index that hides it would have
    /// the next one say that another is missing.
    pub(in crate::control::ledger) fn last_of(
        &self,
        segments: &[Segment],
        keys: &Keys,
        head: &Kept,
        receipt: &str,
    ) -> io::Result<Link> {
        let trail = self.followed(segments, keys, head, receipt)?;
        Ok(trail.map_or_else(Link::start, |trail| trail.told.last))
    }

    fn followed<'a>(
        &'a self,
        segments: &[Segment],
        keys: &Keys,
        head: &Kept,
        receipt: &'a str,
    ) -> io::Result<Option<Trail<'a>>> {
        let Some((segment, offset)) = self.first_line(receipt)? else {
            self.is_suspect.set(self.is_suspect.get() || is_known(&self.database, receipt)?);
            return Ok(None);
        };
        let is_kept = matches!(head, Kept::At(_));
        let mut trail = Trail {
            receipt,
            names: &self.names,
            told: Told::default(),
            follow: Follow::part(),
            is_broken: *head == Kept::Wrong,
            overtaken_by: None,
            head: if let Kept::At(link) = head { Some(link.clone()) } else { None },
            wants_head: false,
        };
        for part in segments.iter().filter(|part| part.first >= segment) {
            let mut file = part.open()?;
            if part.first == segment {
                file.seek(SeekFrom::Start(offset))?;
            }
            files::each_line(BufReader::new(file), |_, line| {
                trail.take(line, keys);
                Ok(true)
            })?;
        }
        trail.is_broken |= trail.wants_head && !is_kept;
        Ok(Some(trail))
    }

    fn first_line(&self, receipt: &str) -> io::Result<Option<(u64, u64)>> {
        let query = "SELECT segment, offset FROM line WHERE receipt = ?
            ORDER BY segment, offset LIMIT 1";
        let found = self.database.prepare_cached(query).and_then(|mut query| {
            query.query_row([receipt], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        });
        found.map_err(trouble)
    }
}

impl Trail<'_> {
    fn take(&mut self, line: &str, keys: &Keys) {
        let is_first = self.follow.last.is_none();
        let place = match self.follow.take(line, keys) {
            // Whether anything was built on it shows in the next line, or in the head.
            Seen::Unreadable => return,
            Seen::Unsealed(..) => {
                self.is_broken = true;
                return;
            }
            Seen::Sealed(place, follows) => {
                self.is_broken |= follows.is_err();
                place
            }
        };
        self.wants_head |= place.format > 1;
        let link = place.link(line);
        match &self.head {
            // The question itself came later.
            Some(head) if is_first && head.seq < link.seq => self.head = None,
            Some(head) if head.seq == link.seq => {
                self.is_broken |= head.hash != link.hash;
                self.head = None;
            }
            _ => {}
        }
        if place.receipt.as_deref() == Some(self.receipt) {
            self.told.take(&place, line);
        } else {
            match meaning::understood(line) {
                Ok(line) => {
                    self.is_broken |= is_break(&line);
                    self.look_at_other(&line);
                }
                Err(_) => self.is_broken = true,
            }
        }
    }

    /// Looks whether a line of another receipt changes the access that was agreed to.
    fn look_at_other(&mut self, line: &Value) {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        let own =
            text("receipt").strip_prefix(self.receipt).is_some_and(|end| end.starts_with('.'));
        if text("event") != "open" || own || self.overtaken_by.is_some() {
            return;
        }
        let is = |known: &Value, event: &str| known.get("event").is_some_and(|name| name == event);
        let is_answered = self.told.lines.iter().any(|known| is(known, "answered"));
        let asked = self.told.lines.iter().find(|known| is(known, "asked"));
        let intents = asked.and_then(|asked| asked.pointer("/content/intents")?.as_array());
        let mark = |of: &Value| {
            let text = |field: &str| of.get(field).and_then(Value::as_str);
            Mark::new(text("tenant_name"), text("organization"))
        };
        let same = |intent: &Value| {
            ["/tenant", "/wanted/principal/id", "/wanted/resource/id"]
                .iter()
                .all(|place| intent.pointer(place) == line.pointer(place))
                && mark(intent).may_be(&mark(line), self.names)
        };
        if is_answered && intents.is_some_and(|intents| intents.iter().any(same)) {
            self.overtaken_by = Some(text("receipt").to_owned());
        }
    }

    fn request(self) -> Option<Request> {
        let is_cut = self.head.is_some();
        let is_broken = self.is_broken || is_cut || self.told.damage.is_some();
        Request::of(&self.told.lines, is_broken, self.overtaken_by, Timestamp::now())
    }
}

/// Whether a line says that others were missing or changed before it.
fn is_break(line: &Value) -> bool {
    let event = line.get("event").and_then(Value::as_str);
    matches!(event, Some(meaning::BROKEN | meaning::ACCEPTED))
}
