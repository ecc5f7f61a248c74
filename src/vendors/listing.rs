//! Lists that come in pages: all of them are followed, and a page that is missing is said.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

/// Rows found, and where to go on.
#[derive(Debug)]
pub struct Listing<T> {
    pub rows: Vec<T>,
    /// Where each of the rows stands, so that a reader can stop before any of them.
    pub places: Vec<ListPosition>,
    pub next: Option<ListPosition>,
    /// Why rows are missing that no going on will bring.
    pub problem: Option<Failure>,
    /// Why the rest comes later, where the vendor has to be waited for.
    pub waits: Option<Failure>,
}

/// A place in a vendor's list: the page, in the vendor's own terms, and the entries to skip on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPosition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    #[serde(default)]
    pub skip: usize,
    /// What tells the entry there from others, where anything does: a list that has changed since is
    /// noticed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The rows of that entry to skip, where an entry is read by itself and has rows of its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub row: usize,
    /// How many rows it had: where it has others now, it is shown from its first one again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl ListPosition {
    /// Whether both are places in one entry, wherever it stands by now.
    fn is_in(&self, other: &Self) -> bool {
        let same = match (&self.key, &other.key) {
            (Some(one), Some(other)) => one == other,
            _ => self.skip == other.skip,
        };
        same && self.page == other.page
    }

    /// Where the entry stands among these keys of its page; and whether it stands there at all.
    fn among(&self, keys: &[Option<String>]) -> (usize, bool) {
        let Some(key) = &self.key else { return (self.skip, true) };
        let is_it = |known: &Option<String>| known.as_ref() == Some(key);
        if keys.get(self.skip).is_some_and(is_it) {
            return (self.skip, true);
        }
        match keys.iter().position(is_it) {
            Some(index) => (index, true),
            None => (self.skip, false),
        }
    }
}

/// Both problems in one, each said once.
pub(super) fn both(one: Option<Failure>, other: Option<Failure>) -> Option<Failure> {
    match (one, other) {
        (Some(one), Some(other)) if !one.message.contains(&other.message) => {
            let kind = if one.kind == Kind::NotListable { other.kind } else { one.kind };
            let message = format!("{}; {}", one.message, other.message);
            Some(Failure { hint: one.hint.or(other.hint), ..Failure::new(kind, message) })
        }
        (one, other) => one.or(other),
    }
}

/// What is said where the row that a cursor stands at is gone.
fn changed() -> Failure {
    Failure::new(Kind::Incomplete, "the list changed since the cursor was given")
        .hint("what is listed is right, and some may be missing; ask again without the cursor")
}

/// One page as a vendor sends it.
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
    /// How many rows the vendor says there are on all pages, where it does.
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// A page of a list that is read by offset. An empty one is its end, unless it says itself
    /// where the rest begins: that rest would be rows nobody has seen.
    ///
    /// # Errors
    /// `Incomplete`: it is empty, and says that there is more.
    pub fn at_offset(rows: Vec<T>, next: Option<u64>, total: Option<u64>) -> Result<Self, Failure> {
        if rows.is_empty() && next.is_some() {
            let message = "the vendor sends an empty page of a list, and says that there is more";
            return Err(Failure::new(Kind::Incomplete, message).hint("try again"));
        }
        Ok(Self { rows, next: next.map(|next| next.to_string()), total })
    }
}

/// A row as a vendor lists it.
pub trait Row {
    /// What tells it from other rows, where anything does.
    fn key(&self) -> Option<String>;
}

/// More pages than any tenant has: a vendor that keeps naming a next page is not followed for ever.
const MOST_PAGES: usize = 500;

/// Follows pages from `from` until `limit` rows that `keep` accepts are found, each once: a list
/// that grows while it is read shows a row at the end of one page again at the start of the next.
///
/// # Errors
/// The first page fails. A later page that fails is a `problem` beside the rows found so far.
pub async fn paginate<T: Row, Fetch, Fetched>(
    from: ListPosition,
    limit: usize,
    keep: impl Fn(&T) -> bool,
    mut fetch: Fetch,
) -> Result<Listing<T>, Failure>
where
    Fetch: FnMut(Option<String>) -> Fetched,
    Fetched: Future<Output = Result<Page<T>, Failure>>,
{
    let (mut rows, mut places, mut place) = (Vec::new(), Vec::new(), from);
    let (mut seen, mut total) = (HashSet::new(), None);
    let mut pages = HashSet::from([place.page.clone()]);
    let mut problem = None;
    for fetched in 0..MOST_PAGES {
        let page = match fetch(place.page.clone()).await {
            Ok(page) => page,
            Err(failure) if fetched == 0 => return Err(failure),
            Err(failure) if failure.kind == Kind::RateLimited => {
                let waits = Some(failure);
                return Ok(Listing { rows, places, next: Some(place), problem, waits });
            }
            Err(failure) => return Ok(broken_off((rows, places), &failure.message)),
        };
        let mut repeats = fetched > 0 && !page.rows.is_empty();
        let keys: Vec<_> = page.rows.iter().map(Row::key).collect();
        let (skip, is_there) = place.among(&keys);
        if !is_there {
            problem = Some(changed());
        }
        for (index, (row, key)) in page.rows.into_iter().zip(keys).enumerate().skip(skip) {
            if key.clone().is_some_and(|key| !seen.insert(key)) {
                continue;
            }
            repeats = false;
            let page = place.page.clone();
            let at = ListPosition { page, skip: index, key, ..ListPosition::default() };
            if rows.len() == limit {
                return Ok(Listing { rows, places, next: Some(at), problem, waits: None });
            }
            if keep(&row) {
                rows.push(row);
                places.push(at);
            }
        }
        if page.total.is_some_and(|now| total.is_some_and(|before| now < before)) {
            // What followed has moved up, some of it to pages that were read already.
            return Ok(broken_off((rows, places), "the list got shorter while it was read"));
        }
        total = page.total.or(total);
        match page.next {
            None => return Ok(Listing { rows, places, next: None, problem, waits: None }),
            // Another page of them would be no other either.
            Some(_) if repeats => {
                return Ok(broken_off((rows, places), "the vendor sends the same rows again"));
            }
            Some(next) if !pages.insert(Some(next.clone())) => {
                return Ok(broken_off(
                    (rows, places),
                    "the vendor names the same page as the next one",
                ));
            }
            Some(next) => place = ListPosition { page: Some(next), ..ListPosition::default() },
        }
    }
    Ok(broken_off((rows, places), "the list has no end"))
}

fn broken_off<T>((rows, places): (Vec<T>, Vec<ListPosition>), trouble: &str) -> Listing<T> {
    let problem =
        Failure::new(Kind::Incomplete, format!("a page of the list is missing: {trouble}"))
            .hint("what is listed is right, and there may be more; try again");
    Listing { rows, places, next: None, problem: Some(problem), waits: None }
}

impl<T> Listing<T> {
    pub fn whole(rows: Vec<T>) -> Self {
        Self::part(rows, &ListPosition::default(), usize::MAX, None)
    }

    /// The part of rows that were all read at once.
    pub fn part(rows: Vec<T>, from: &ListPosition, limit: usize, problem: Option<Failure>) -> Self {
        let end = from.skip.saturating_add(limit);
        let at = |skip| ListPosition { skip, ..ListPosition::default() };
        let next = (rows.len() > end).then(|| at(end));
        let rows: Vec<T> = rows.into_iter().skip(from.skip).take(limit).collect();
        let places = (from.skip..).take(rows.len()).map(at);
        Self { places: places.collect(), rows, next, problem, waits: None }
    }

    /// The part of entries that were all read at once, each to be read by itself; `key` tells them apart.
    pub fn entries(
        entries: Vec<T>,
        from: &ListPosition,
        limit: usize,
        key: impl Fn(&T) -> &str,
    ) -> Self {
        let keys: Vec<_> = entries.iter().map(|entry| Some(key(entry).to_owned())).collect();
        let (skip, is_there) = from.among(&keys);
        let at = |(skip, key)| ListPosition { skip, key, ..ListPosition::default() };
        let mut places: Vec<_> = keys.into_iter().enumerate().skip(skip).map(at).collect();
        let next = places.get(limit).cloned();
        places.truncate(limit);
        let rows = entries.into_iter().skip(skip).take(limit).collect();
        Self { rows, places, next, problem: (!is_there).then(changed), waits: None }
    }

    /// No rows, and why: the list goes on there where that is for now, and ends where it is not.
    pub fn cut(next: ListPosition, failure: Failure) -> Self {
        let none = Self::whole(Vec::new());
        match failure.kind {
            Kind::RateLimited | Kind::Unavailable => {
                Self { next: Some(next), waits: Some(failure), ..none }
            }
            _ => Self { problem: Some(failure), ..none },
        }
    }

    /// Rows of entries, each entry with its place: as many as `limit` allows, from `from` on.
    pub fn of_entries(
        entries: Vec<(ListPosition, Vec<T>)>,
        from: &ListPosition,
        limit: usize,
        (next, waits): (Option<ListPosition>, Option<Failure>),
        problem: Option<Failure>,
    ) -> Self {
        let mut listing = Self { next, problem, waits, ..Self::whole(Vec::new()) };
        for (place, rows) in entries {
            let goes_on = place.is_in(from) && (from.rows == 0 || from.rows == rows.len());
            let (skip, count) = (if goes_on { from.row } else { 0 }, rows.len());
            for (row, one) in rows.into_iter().enumerate().skip(skip) {
                let at = ListPosition { row, rows: count, ..place.clone() };
                if listing.rows.len() == limit {
                    return Self { next: Some(at), waits: None, ..listing };
                }
                listing.rows.push(one);
                listing.places.push(at);
            }
        }
        listing
    }

    /// The first rows alone; the list goes on behind them.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        if let Some(next) = self.places.get(count) {
            (self.next, self.waits) = (Some(next.clone()), None);
            self.rows.truncate(count);
            self.places.truncate(count);
        }
        self
    }

    /// All rows, for resolving a name: a list with a missing page cannot say "no match".
    ///
    /// # Errors
    /// The list is incomplete.
    pub fn complete(self) -> Result<Vec<T>, Failure> {
        match self.problem.or(self.waits) {
            Some(problem) => Err(problem.hint("try again")),
            None => Ok(self.rows),
        }
    }

    /// Leaves out the rows that do not fit; the list goes on where it did.
    pub fn retain(&mut self, fits: impl Fn(&T) -> bool) {
        let fits: Vec<_> = self.rows.iter().map(fits).collect();
        let mut kept = fits.iter();
        self.rows.retain(|_| kept.next().copied().unwrap_or_default());
        let mut kept = fits.iter();
        self.places.retain(|_| kept.next().copied().unwrap_or_default());
    }

    /// More of the same list behind these rows, and what is said of both.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.rows.extend(more.rows);
        self.places.extend(more.places);
        let problem = both(self.problem, more.problem);
        Self { next: more.next, problem, waits: more.waits, ..self }
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listing<U> {
        let Self { rows, places, next, problem, waits } = self;
        Listing { rows: rows.into_iter().map(change).collect(), places, next, problem, waits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for u32 {
        fn key(&self) -> Option<String> {
            Some(self.to_string())
        }
    }

    /// Seven rows in pages of three; page 2 can be made to fail.
    async fn fetch(page: Option<String>, broken: bool) -> Result<Page<u32>, Failure> {
        let start: u32 = page.map_or(0, |page| page.parse().unwrap());
        if broken && start == 3 {
            return Err(Failure::new(Kind::Unavailable, "down"));
        }
        let end = (start + 3).min(7);
        Ok(Page {
            rows: (start..end).collect(),
            next: (end < 7).then(|| end.to_string()),
            total: None,
        })
    }

    #[tokio::test]
    async fn all_pages_are_followed_and_a_place_goes_on_where_it_stopped() {
        let (mut seen, mut from) = (Vec::new(), ListPosition::default());
        loop {
            let listing =
                paginate(from, 2, |row| row % 2 == 0, |page| fetch(page, false)).await.unwrap();
            seen.extend(listing.rows);
            let Some(next) = listing.next else { break };
            from = next;
        }
        assert_eq!(seen, [0, 2, 4, 6]);
    }

    /// Wherever a reader stops, the list goes on with the next row.
    #[tokio::test]
    async fn a_list_goes_on_behind_the_row_where_it_was_cut() {
        let all = |from| paginate(from, 9, |row| row % 2 == 0, |page| fetch(page, false));
        let whole = |from: ListPosition| Listing::part(vec![0, 2, 4, 6], &from, 9, None);
        for count in 0..4 {
            let first = all(ListPosition::default()).await.unwrap().first(count);
            let rest = all(first.next.unwrap()).await.unwrap();
            assert_eq!([first.rows, rest.rows].concat(), [0, 2, 4, 6], "{count}");
            let first = whole(ListPosition::default()).first(count);
            let rest = whole(first.next.unwrap());
            assert_eq!([first.rows, rest.rows].concat(), [0, 2, 4, 6], "{count}");
        }
        assert_eq!(all(ListPosition::default()).await.unwrap().first(4).next, None);
    }

    #[tokio::test]
    async fn a_row_that_two_pages_show_is_one_row() {
        let pages = async |page: Option<String>| {
            let (rows, next) = match page.as_deref() {
                None => (vec![0, 1, 2], Some("1".to_owned())),
                _ => (vec![2, 3, 4], None),
            };
            Ok(Page { rows, next, total: None })
        };
        let listing = paginate(ListPosition::default(), 4, |_| true, pages).await.unwrap();
        assert_eq!(listing.rows, [0, 1, 2, 3]);
        assert_eq!(
            listing.next,
            Some(ListPosition {
                page: Some("1".to_owned()),
                skip: 2,
                key: Some("4".to_owned()),
                ..ListPosition::default()
            })
        );
    }

    #[tokio::test]
    async fn a_missing_page_is_said() {
        let listing =
            paginate(ListPosition::default(), 9, |_| true, |page| fetch(page, true)).await.unwrap();
        assert_eq!(listing.rows, [0, 1, 2]);
        assert!(listing.problem.as_ref().unwrap().hint.as_ref().unwrap().contains("is listed"));
        let failure = listing.complete().unwrap_err();
        assert_eq!((failure.kind, failure.hint.as_deref()), (Kind::Incomplete, Some("try again")));
    }

    /// By its own words: an empty page that names a rest, a total that shrinks.
    #[tokio::test]
    async fn a_list_that_contradicts_itself_is_incomplete() {
        for (second, whole) in [
            ((vec![3], None, Some(4)), true),
            ((vec![3], None, Some(5)), true),
            ((vec![], None, None), true),
            ((vec![], Some(6), Some(4)), false),
            ((vec![3], None, Some(3)), false),
            ((vec![], None, Some(0)), false),
        ] {
            let pages = async |page: Option<String>| {
                let (rows, next, total) = match page {
                    None => (vec![0, 1, 2], Some(3), Some(4)),
                    Some(_) => second.clone(),
                };
                Page::at_offset(rows, next, total)
            };
            let listing = paginate(ListPosition::default(), 9, |_| true, pages).await.unwrap();
            assert!(listing.rows.starts_with(&[0, 1, 2]), "{second:?}");
            assert_eq!(listing.complete().is_ok(), whole, "{second:?}");
        }
        let first = Page::<u32>::at_offset(Vec::new(), Some(100), None);
        assert_eq!(first.err().unwrap().kind, Kind::Incomplete);
    }

    /// Neither one that names the same page again, at once or in a round, nor one that always names
    /// another, nor one that sends the same rows whatever the page.
    #[tokio::test]
    async fn a_list_without_an_end_is_not_followed_for_ever() {
        for (round, row, most) in
            [(1, None, 2), (3, None, 4), (usize::MAX, None, MOST_PAGES), (usize::MAX, Some(7), 2)]
        {
            let asked = std::cell::Cell::new(0);
            let endless = |_| {
                let next = Some((asked.get() % round).to_string());
                asked.set(asked.get() + 1);
                let rows: Vec<u32> = row.into_iter().collect();
                async move { Ok(Page { rows, next, total: None }) }
            };
            let listing = paginate(ListPosition::default(), 9, |_| true, endless).await.unwrap();
            assert_eq!(asked.get(), most);
            assert_eq!(listing.complete().unwrap_err().kind, Kind::Incomplete);
        }
    }
}
