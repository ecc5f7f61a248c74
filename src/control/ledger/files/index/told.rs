//! The lines of a receipt, read from where the index says that they are.

use std::fs::File;
use std::io;

use rusqlite::Connection;

use super::{Index, trouble};
use crate::control::ledger::chain::{Keys, LinePosition};
use crate::control::ledger::files::segment::{self, Segment};
use crate::control::ledger::told::Told;

impl Index {
    /// The lines of a receipt, oldest first. An index that names others is not relied on again.
    pub(in crate::control::ledger) fn told(
        &self,
        segments: &[Segment],
        keys: &Keys,
        receipt: &str,
    ) -> io::Result<Told> {
        let (told, fits) = told(&self.database, segments, keys, receipt)?;
        if !fits {
            self.is_suspect.set(true);
        }
        Ok(told)
    }
}

/// The sealed lines of a receipt, oldest first, and whether the index fits them.
pub(super) fn told(
    database: &Connection,
    segments: &[Segment],
    keys: &Keys,
    receipt: &str,
) -> io::Result<(Told, bool)> {
    let query =
        "SELECT segment, offset, length FROM line WHERE receipt = ? ORDER BY segment, offset";
    let mut query = database.prepare_cached(query).map_err(trouble)?;
    let places = query.query_map([receipt], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let places: Vec<(u64, u64, u64)> = places.and_then(Iterator::collect).map_err(trouble)?;
    // What it knows to be a change or a request has lines.
    let mut fits = !places.is_empty() || !is_known(database, receipt)?;
    let (mut told, mut opened) = (Told::default(), None::<(u64, File)>);
    for (segment, offset, length) in places {
        let file = match &mut opened {
            Some((first, file)) if *first == segment => file,
            _ => {
                let Some(found) = segments.iter().find(|known| known.first == segment) else {
                    told.spoil("a file with lines of it is not here");
                    continue;
                };
                &mut opened.insert((segment, found.open()?)).1
            }
        };
        let line = segment::read_at(file, offset, length)?;
        match LinePosition::of(&line).filter(|_| keys.check(&line).is_ok()) {
            None => told.spoil("a line of it was changed"),
            Some(place) if place.receipt.as_deref() != Some(receipt) => {
                fits = false;
                told.spoil("a line that was found for it is another receipt's");
            }
            Some(place) => told.take(&place, &line),
        }
    }
    if let Some(damage) = &told.damage {
        tracing::warn!(receipt, damage, "a line of the ledger was changed, or is missing");
    }
    Ok((told, fits))
}

/// Whether the index knows a receipt otherwise than by its lines.
pub(super) fn is_known(database: &Connection, receipt: &str) -> io::Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM change WHERE receipt = ?1
        UNION ALL SELECT 1 FROM request WHERE receipt = ?1)";
    let known = database
        .prepare_cached(query)
        .and_then(|mut query| query.query_row([receipt], |row| row.get(0)));
    known.map_err(trouble)
}
