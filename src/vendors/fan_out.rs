//! Many reads of one kind: a few at a time, and never more than a budget.

use futures_util::future::join_all;

use super::listing::{ListPosition, Listing, both};
use crate::failure::{Failure, Kind};

/// How many reads of one call are under way at once.
const AT_ONCE: usize = 8;

/// What many reads brought, and what is missing.
pub(super) struct FannedOut<T> {
    pub found: Vec<T>,
    /// Why some of it is missing.
    pub problem: Option<Failure>,
}

/// What was read of a part of a list's entries, and where the list goes on.
pub(super) struct Entries<T> {
    pub found: Vec<(ListPosition, T)>,
    /// Where the list goes on, and why not now, where the vendor has to be waited for.
    pub next: (Option<ListPosition>, Option<Failure>),
    /// Why some of it is missing.
    pub problem: Option<Failure>,
}

/// Reads each entry of a part of a list. Where the vendor's rate allows no more, the list goes on with
/// the first entry that was not read.
///
/// # Errors
/// Nothing was read: the first failure.
pub(super) async fn entries<I, T, F: Future<Output = Result<T, Failure>>>(
    what: &str,
    entries: Listing<I>,
    read: impl Fn(I) -> F,
) -> Result<Entries<T>, Failure> {
    let Listing { rows, places, mut next, problem, waits } = entries;
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    let mut left = places.into_iter().zip(rows);
    let mut slowed = None;
    while slowed.is_none() {
        let (at, batch): (Vec<_>, Vec<_>) =
            left.by_ref().take(AT_ONCE).map(|(at, entry)| (at, read(entry))).unzip();
        if batch.is_empty() {
            break;
        }
        for (at, answer) in at.into_iter().zip(join_all(batch).await) {
            match answer {
                // What follows one that has to wait is read again with it.
                _ if slowed.is_some() => {}
                Ok(one) => found.push((at, one)),
                Err(failure) if failure.kind == Kind::RateLimited => {
                    next = Some(at);
                    slowed = Some(failure);
                }
                Err(failure) => failed.push(failure),
            }
        }
    }
    if found.is_empty() {
        if let Some(failure) = slowed {
            return Err(failure);
        }
        if !failed.is_empty() {
            return Err(failed.swap_remove(0));
        }
    }
    let unread = (!failed.is_empty()).then(|| {
        let why = failed.first().map_or("", |failure| &failure.message);
        let message = format!("{} {what} could not be read ({why})", failed.len());
        Failure::new(Kind::Incomplete, message).hint("try again")
    });
    Ok(Entries { found, next: (next, slowed.or(waits)), problem: both(unread, problem) })
}

/// Reads for each of `items`, at most `budget` of them.
///
/// # Errors
/// Every read failed: the first failure.
pub(super) async fn each<I, T, F: Future<Output = Result<T, Failure>>>(
    what: &str,
    items: Vec<I>,
    budget: usize,
    read: impl Fn(I) -> F,
) -> Result<FannedOut<T>, Failure> {
    let left_out = items.len().saturating_sub(budget);
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    let mut items = items.into_iter().take(budget);
    loop {
        let batch: Vec<_> = items.by_ref().take(AT_ONCE).map(&read).collect();
        if batch.is_empty() {
            break;
        }
        for answer in join_all(batch).await {
            match answer {
                Ok(one) => found.push(one),
                Err(failure) => failed.push(failure),
            }
        }
    }
    if found.is_empty() && !failed.is_empty() {
        return Err(failed.swap_remove(0));
    }
    let problem = (left_out + failed.len() > 0).then(|| {
        let why = failed.first().map(|failure| format!(" ({})", failure.message));
        let failed = failed.len();
        Failure::new(
            Kind::Incomplete,
            format!(
                "{left_out} {what} were not looked at and {failed} could not be read{}",
                why.unwrap_or_default()
            ),
        )
        .hint("narrow the question down, for example to one resource")
    });
    Ok(FannedOut { found, problem })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ENTRIES: usize = 30;

    /// Entries of `0..30`, each with as many rows as its number has tens, and how the reads of some end.
    async fn read(
        from: &ListPosition,
        most: usize,
        limit: usize,
        fails: &[(usize, Kind)],
    ) -> Result<Listing<String>, Failure> {
        let all: Vec<String> = (0..ENTRIES).map(|number| format!("{number:02}")).collect();
        let listed = Listing::entries(all, from, most, |entry: &String| entry);
        let one = async |entry: String| match fails
            .iter()
            .find(|(number, _)| format!("{number:02}") == *entry)
        {
            Some((_, kind)) => Err(Failure::new(*kind, "no")),
            None => Ok(entry),
        };
        let Entries { found, next, problem } = entries("things", listed, one).await?;
        let rows = |entry: String| {
            let count = entry.parse::<usize>().unwrap() / 10 + 1;
            (0..count).map(|row| format!("{entry}.{row}")).collect()
        };
        let found = found.into_iter().map(|(place, entry)| (place, rows(entry))).collect();
        Ok(Listing::of_entries(found, from, limit, next, problem))
    }

    /// Whatever the part that is read at a time, and the rows that are taken of it.
    #[tokio::test]
    async fn every_row_comes_once_however_the_list_is_cut() {
        for (most, limit) in [(40, 100), (40, 1), (7, 2), (1, 100), (8, 3), (30, 59), (30, 60)] {
            let (mut all, mut from) = (Vec::new(), ListPosition::default());
            loop {
                let listing = read(&from, most, limit, &[]).await.unwrap();
                assert!(listing.problem.is_none() && listing.rows.len() <= limit);
                all.extend(listing.rows);
                let Some(next) = listing.next else { break };
                from = next;
            }
            let distinct: BTreeSet<_> = all.iter().cloned().collect();
            assert_eq!((all.len(), distinct.len()), (60, 60), "{most} {limit}");
        }
    }

    /// An entry that has to wait is where the list goes on; one that fails otherwise is counted.
    #[tokio::test]
    async fn what_has_to_wait_is_read_again_and_what_fails_is_said() {
        let start = ListPosition::default();
        let slow = [(11, Kind::RateLimited)];
        let first = read(&start, 40, 100, &slow).await.unwrap();
        assert_eq!(first.waits.as_ref().unwrap().kind, Kind::RateLimited);
        assert!(first.problem.is_none());
        assert_eq!(first.rows.last().unwrap(), "10.1");
        let rest = read(&first.next.unwrap(), 40, 100, &[]).await.unwrap();
        assert_eq!((rest.rows[0].as_str(), first.rows.len() + rest.rows.len()), ("11.0", 60));
        let mixed = [(3, Kind::Unavailable), (11, Kind::RateLimited)];
        let listing = read(&start, 40, 100, &mixed).await.unwrap();
        assert_eq!(listing.waits.unwrap().kind, Kind::RateLimited);
        assert_eq!(listing.problem.unwrap().message, "1 things could not be read (no)");
        let broken = [(3, Kind::Unavailable), (29, Kind::NotPermitted)];
        let listing = read(&start, 40, 100, &broken).await.unwrap();
        let problem = listing.problem.unwrap();
        assert_eq!((problem.kind, listing.rows.len()), (Kind::Incomplete, 56));
        assert_eq!(problem.message, "2 things could not be read (no)");
        let all: Vec<_> = (0..ENTRIES).map(|number| (number, Kind::Unavailable)).collect();
        assert_eq!(read(&start, 40, 100, &all).await.unwrap_err().kind, Kind::Unavailable);
        let all = [(0, Kind::RateLimited)];
        assert_eq!(read(&start, 40, 100, &all).await.unwrap_err().kind, Kind::RateLimited);
    }

    /// A list from which entries before the cursor have gone goes on with the right one; where the one it
    /// stands at has gone, that is said.
    #[test]
    fn a_list_that_changed_is_noticed() {
        let at = |entries: &[&str], key: &str| {
            let key = Some(key.to_owned());
            let from = ListPosition { skip: 2, key, ..ListPosition::default() };
            let entries = entries.iter().map(|&entry| entry.to_owned()).collect();
            let listing = Listing::entries(entries, &from, 9, |entry: &String| entry);
            (listing.rows.join(""), listing.problem.is_some())
        };
        for (entries, rows, is_said) in [
            (&["a", "b", "c", "d"][..], "cd", false),
            (&["b", "c", "d"], "cd", false),
            (&["x", "a", "b", "c", "d"], "cd", false),
            (&["a", "b", "d"], "d", true),
            (&["a"], "", true),
        ] {
            assert_eq!(at(entries, "c"), (rows.to_owned(), is_said), "{entries:?}");
        }
    }
}
