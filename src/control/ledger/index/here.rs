//! Whose doing an access is that stands now: a change's from here, or somebody else's.

use std::io;

use super::{Index, folded, trouble};
use crate::control::ledger::whose::{Mark, Whose};

/// What one change did to an access.
#[derive(Clone, Copy, Debug)]
struct Moved {
    /// It came; else it went.
    made: bool,
    /// The change took another one back: what came had been there before.
    takes_back: bool,
    /// What it left has not been found to be gone since.
    remains: bool,
}

impl Index {
    /// Whether this access, where it stands, is what a change from here left. Vendors do not write
    /// an id in the same letters everywhere.
    pub(in crate::control::ledger) fn is_from_here(
        &self,
        whose: &Whose,
        access: &str,
    ) -> io::Result<bool> {
        let query =
            "SELECT seq, made, change.undoes IS NOT NULL OR change.ends IS NOT NULL, remains, whose
            FROM moved JOIN change USING (receipt, seq) WHERE folded = ? ORDER BY seq, made";
        let mut query = self.database.prepare_cached(query).map_err(trouble)?;
        let rows = query.query_map([folded(access)], |row| {
            let moved = Moved { made: row.get(1)?, takes_back: row.get(2)?, remains: row.get(3)? };
            Ok((row.get(0)?, moved, Mark::read(&row.get::<_, String>(4)?)))
        });
        let rows: Vec<(u64, Moved, Mark)> = rows.and_then(Iterator::collect).map_err(trouble)?;
        let own = rows.into_iter().filter(|(.., mark)| whose.is(mark));
        let rows: Vec<(u64, Moved)> = own.map(|(seq, moved, _)| (seq, moved)).collect();
        // What one change took and gave in other letters did not move.
        let moved = rows.chunk_by(|one, other| one.0 == other.0).filter_map(|same| match same {
            [(_, moved)] => Some(*moved),
            _ => None,
        });
        Ok(is_from_here(moved))
    }
}

/// Whether what changes left, in their order, is theirs. Pure.
fn is_from_here(moved: impl Iterator<Item = Moved>) -> bool {
    // Whether what stands is, and whether what went last was.
    let (mut here, mut went) = (false, false);
    for Moved { made, takes_back, remains } in moved {
        match (made, takes_back) {
            (false, _) => (here, went) = (false, here),
            (true, false) => here = remains,
            (true, true) => here = here || went,
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
            ("", false),
            ("granted", true),
            ("granted, revoked", false),
            ("granted, undone", false),
            ("granted, revoked, given back", true),
            ("granted, undone, given back", true),
            // Others had given it.
            ("revoked, given back", false),
            ("granted, undone, revoked, given back", false),
            ("granted, gone", false),
            ("granted, gone, granted", true),
            // Two grants for a time lie on it, and the second end gives it back.
            ("granted, revoked, given back, revoked, given back", true),
            // A removal that could not be seen left no trace.
            ("granted, given back", true),
            ("given back", false),
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
                moved.push(Moved { made, takes_back, remains: true });
            }
            assert_eq!(is_from_here(moved.into_iter()), expected, "{told}");
        }
    }
}
