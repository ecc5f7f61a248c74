//! A request, read from every line since its question. The index says where the question stands, and
//! nothing more.

use std::io::{self, BufReader, Seek as _, SeekFrom};

use rusqlite::OptionalExtension as _;

use super::told::is_known;
use super::{Index, trouble};
use crate::control::ledger::Request;
use crate::control::ledger::chain::{Kept, Keys, Link};
use crate::control::ledger::files::segment::{self, Segment};
use crate::control::ledger::trail::Trail;

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
        Ok(trail.and_then(|trail| trail.request(crate::clock::now())))
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
        Ok(trail.map_or_else(Link::start, Trail::last))
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
        let mut trail = Trail::begin(receipt, head, &self.names);
        for part in segments.iter().filter(|part| part.first >= segment) {
            let mut file = part.open()?;
            if part.first == segment {
                file.seek(SeekFrom::Start(offset))?;
            }
            segment::each_line(BufReader::new(file), |_, line| {
                trail.take(line, keys);
                Ok(true)
            })?;
        }
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
