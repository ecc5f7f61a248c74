//! Whose doing an access is that stands now: a change's from here, or somebody else's.

use std::io;

use super::{Index, folded, trouble};
use crate::control::ledger::whose::{Mark, Whose};

/// What one change did to an access.
#[derive(Clone, Debug)]
struct Moved {
    receipt: String,
    /// It came; else it went.
    made: bool,
    /// The change took another one back: what came had been there before.
    takes_back: bool,
    /// What it left has not been found to be gone since.
    remains: bool,
}

impl Index {
    /// The receipt of the change from here that left this access, where it stands and one did. Vendors do
    /// not write an id in the same letters everywhere.
    pub(in crate::control::ledger) fn granted_by(
        &self,
        whose: &Whose,
        access: &str,
    ) -> io::Result<Option<String>> {
        let query =
            "SELECT seq, made, change.undoes IS NOT NULL OR change.ends IS NOT NULL, remains,
            receipt, whose
            FROM moved JOIN change USING (receipt, seq) WHERE folded = ? ORDER BY seq, made";
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let rows = query.query_map([folded(access)], |row| {
            let (made, takes_back, remains) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let moved = Moved { receipt: row.get(4)?, made, takes_back, remains };
            Ok((row.get(0)?, moved, Mark::read(&row.get::<_, String>(5)?)))
        });
        let rows: Vec<(u64, Moved, Mark)> = rows.and_then(Iterator::collect).map_err(trouble)?;
        let own = rows.into_iter().filter(|(.., mark)| whose.is(mark));
        let rows: Vec<(u64, Moved)> = own.map(|(seq, moved, _)| (seq, moved)).collect();
        // What one change took and gave in other letters did not move.
        let moved = rows.chunk_by(|one, other| one.0 == other.0).filter_map(|same| match same {
            [(_, moved)] => Some(moved.clone()),
            _ => None,
        });
        Ok(granted_by(moved))
    }
}

/// Which of the changes, in their order, left what stands, where one of them did. Pure.
fn granted_by(moved: impl Iterator<Item = Moved>) -> Option<String> {
    // Who gave what stands, and who gave what went last.
    let (mut here, mut went) = (None, None);
    for Moved { receipt, made, takes_back, remains } in moved {
        match (made, takes_back) {
            (false, _) => (here, went) = (None, here),
            (true, false) => here = remains.then_some(receipt),
            (true, true) => here = here.or(went.clone()),
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_is_from_here_where_the_last_change_left_it() {
        for (told, expected) in [
            ("", None),
            ("granted", Some("gr-0")),
            ("granted, revoked", None),
            ("granted, undone", None),
            ("granted, revoked, given back", Some("gr-0")),
            ("granted, undone, given back", Some("gr-0")),
            // Others had given it.
            ("revoked, given back", None),
            ("granted, undone, revoked, given back", None),
            ("granted, gone", None),
            ("granted, gone, granted", Some("gr-1")),
            // Two grants for a time lie on it, and the second end gives it back.
            ("granted, revoked, given back, revoked, given back", Some("gr-0")),
            // A removal that could not be seen left no trace.
            ("granted, given back", Some("gr-0")),
            ("given back", None),
        ] {
            let mut moved: Vec<Moved> = Vec::new();
            for word in told.split(", ").filter(|word| !word.is_empty()) {
                let (made, takes_back) = match word {
                    "granted" => (true, false),
                    "revoked" => (false, false),
                    "undone" => (false, true),
                    "given back" => (true, true),
                    _ => {
                        moved.last_mut().unwrap().remains = false;
                        continue;
                    }
                };
                let receipt = format!("gr-{}", moved.len());
                moved.push(Moved { receipt, made, takes_back, remains: true });
            }
            assert_eq!(granted_by(moved.into_iter()).as_deref(), expected, "{told}");
        }
    }
}
