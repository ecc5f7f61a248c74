//! What every look does: ask the vendors at once, go on where an earlier answer stopped, and never
//! let one vendor's trouble hide the others' rows.

mod arguments;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use arguments::{Token, Which, write_cursor};

use super::{LookContext, Problem, Rows};
use crate::argument::Limit;
use crate::cache::Cache;
use crate::config::Unready;
use crate::failure::{Failure, Kind};
use crate::json::{extend, put};
use crate::outbound::CALL;
use crate::text::{self, Word};
use crate::vendors::{ListPosition, Listing, Lookup, Tenant, VENDORS, Vendor, VendorReader};

/// Which vendors to ask, from where, for how much.
pub(super) struct LookQuery {
    vendor: Option<Which>,
    limit: usize,
    cursor: Option<Token>,
    /// Somebody is named, and every vendor has to say what it knows of them.
    of_somebody: bool,
    /// By what they are named, where those who know them have to say what they hold.
    holder: Option<String>,
    /// The kind that is looked for, and which kinds a vendor has.
    kind: Option<(String, Kinds)>,
}

/// Which kinds of what is looked for a vendor has.
pub(super) type Kinds = fn(&Vendor) -> &'static [&'static str];

/// Where each tenant's list goes on, by its name; one that is not named is done.
#[derive(Default, Serialize, Deserialize)]
struct Cursor(BTreeMap<String, ListPosition>);

/// What is shown of a part of a list: all of its rows, or some of them, with what else is known.
pub(super) trait Refine<T>: Sync {
    type Row: Serialize + Send;

    fn refine(
        &self,
        tenant: &Tenant,
        listing: Listing<T>,
    ) -> impl Future<Output = Listing<Self::Row>> + Send;
}

/// All rows, as the vendor has them.
pub(super) struct AsListed;

impl<T: Serialize + Send> Refine<T> for AsListed {
    type Row = T;

    async fn refine(&self, _: &Tenant, listing: Listing<T>) -> Listing<T> {
        listing
    }
}

/// One tenant's answer.
struct Answered<T> {
    from: Teller,
    /// Where in its list it was asked to begin.
    begun: ListPosition,
    listing: Result<Listing<T>, Failure>,
}

impl<T> Answered<T> {
    /// Whoever knows what was asked for, and lists nothing and says nothing of it.
    fn is_silent(&self) -> Option<&Teller> {
        let listing = self.listing.as_ref().ok()?;
        let is_whole = self.begun == ListPosition::default() && listing.next.is_none();
        let says = listing.problem.is_some() || listing.waits.is_some();
        (is_whole && listing.rows.is_empty() && !says).then_some(&self.from)
    }
}

/// Whose rows and problems they are.
#[derive(Clone)]
struct Teller {
    vendor: &'static str,
    /// The tenant's name.
    word: String,
    /// The same where others of its vendor are beside it.
    said: Option<String>,
}

const USUAL: usize = 50;
/// As much as one answer takes, or the rows of one: with its problems it stays below 20,000 tokens, of
/// which ids take one for two or three bytes.
pub const MOST_BYTES: usize = 46_000;
/// What is put to a row later, and what stands between two.
const MARKS: usize = 24;

/// Asks the tenants `asked` names, all at the same time: `lookup` says which list of a vendor,
/// `question` what to ask of it, and `refine` what is shown of a part of it.
///
/// # Errors
/// The cursor is none of ours, no such vendor is configured, or a name means nothing anywhere.
pub(super) async fn ask<Q: Send, T, R: Refine<T>>(
    context: LookContext<'_>,
    asked: LookQuery,
    lookup: fn(&Vendor) -> Lookup<Q, T>,
    question: impl Fn(ListPosition, usize) -> Q + Sync,
    refine: &R,
) -> Result<Rows, Failure>
where
    T: Send,
{
    let (limit, of_somebody, holder) = (asked.limit, asked.of_somebody, asked.holder);
    let cursor = asked.cursor.map(|token| token.read()).transpose()?;
    let tenants = tenants(&context, asked.vendor, cursor.as_ref())?;
    let tenants = match &asked.kind {
        Some((kind, kinds)) => match of_kind(tenants, kind, *kinds)? {
            tenants if tenants.is_empty() => return Ok(none_of_kind(&context, kind, *kinds)),
            tenants => tenants,
        },
        None => tenants,
    };
    let (wire, deadline) = (context.wire, context.deadline);
    let answers = tenants.into_iter().map(|tenant| {
        let from = Teller::of(tenant);
        let begun = cursor.as_ref().and_then(|cursor| cursor.0.get(&from.word).cloned());
        let begun = begun.unwrap_or_default();
        let question = &question;
        async move {
            let cache = Cache::lasting(CALL);
            let cache = Some(&cache);
            let reader = &VendorReader { tenant, wire, deadline, cache, earlier: &[], notes: None };
            let vendor = Asking { reader, lookup: lookup(tenant.vendor), question, refine };
            let listing = vendor.to_the_limit(begun.clone(), limit).await;
            Answered { from, begun, listing }
        }
    });
    let answers = futures_util::future::join_all(answers).await;
    let silent = answers.iter().filter_map(Answered::is_silent).cloned().collect::<Vec<_>>();
    let mut rows = gather(answers, limit, of_somebody)?;
    rows.note = holder.filter(|_| !silent.is_empty()).map(|holder| none_held(&holder, &silent));
    Ok(rows)
}

/// What is said of those who know somebody that is named, and list nothing: silence is no answer.
fn none_held(holder: &str, silent: &[Teller]) -> String {
    let told: Vec<_> = silent.iter().map(|from| from.word.as_str()).collect();
    let holder = text::quote(Word::Caller, holder);
    format!("{holder} is known, and holds nothing that was asked for, at {}", told.join(", "))
}

/// Asks one vendor for one list.
struct Asking<'a, Q, T, F, R> {
    reader: &'a VendorReader<'a>,
    lookup: Lookup<Q, T>,
    question: &'a F,
    refine: &'a R,
}

impl<Q: Send, T: Send, F: Fn(ListPosition, usize) -> Q + Sync, R: Refine<T>>
    Asking<'_, Q, T, F, R>
{
    /// Asks for more until there are as many rows as are wanted, the list ends, or the time is over: a
    /// vendor's list may come in parts, of which some hold no row that fits.
    async fn to_the_limit(
        &self,
        from: ListPosition,
        limit: usize,
    ) -> Result<Listing<R::Row>, Failure> {
        let mut all = self.part(from, limit).await?;
        while all.rows.len() < limit
            && all.waits.is_none()
            && let Some(next) = all.next.take()
        {
            let part = self.part(next.clone(), limit - all.rows.len());
            let more = match tokio::time::timeout(self.reader.deadline.left(), part).await {
                Ok(Ok(more)) if more.next.as_ref() == Some(&next) => {
                    all.problem.get_or_insert_with(endless);
                    return Ok(all);
                }
                Ok(Ok(more)) => more,
                Ok(Err(failure)) => Listing::cut(next, failure),
                Err(_) => Listing::cut(next, out_of_time()),
            };
            all = all.and(more);
        }
        Ok(all)
    }

    async fn part(&self, from: ListPosition, limit: usize) -> Result<Listing<R::Row>, Failure> {
        let question = (self.question)(from, limit);
        let listing = (self.lookup)(self.reader, question).await?;
        Ok(self.refine.refine(self.reader.tenant, listing).await)
    }
}

/// What is said of a list that goes on where it went on before.
fn endless() -> Failure {
    Failure::new(Kind::Incomplete, "the vendor's list has no end")
        .hint("what is listed is right, and there may be more; try again")
}

/// What is said where a look ends before its list does, with fewer rows than were asked for.
fn out_of_time() -> Failure {
    Failure::new(Kind::Unavailable, "not all was looked at within the time of one call")
        .hint("call again with next_cursor: it goes on there")
}

fn tenants<'a>(
    context: &LookContext<'a>,
    wanted: Option<Which>,
    cursor: Option<&Cursor>,
) -> Result<Vec<&'a Tenant>, Failure> {
    let left = |tenant: &&Tenant| {
        wanted.is_none_or(|wanted| wanted.name() == tenant.vendor.name)
            && cursor.is_none_or(|cursor| cursor.0.contains_key(tenant.id.word()))
    };
    let tenants: Vec<_> = context.tenants.iter().copied().filter(left).collect();
    if !tenants.is_empty() {
        return Ok(tenants);
    }
    let ready: Vec<_> = context.tenants.iter().map(|tenant| tenant.id.word()).collect();
    let is_meant = |unready: &&Unready| wanted.is_some_and(|one| one.name() == unready.vendor.name);
    let half = context.unready.iter().find(is_meant).filter(|unready| !unready.absent);
    let wanted = wanted.map_or("a vendor of that cursor", Which::name);
    let why = half.map(|unready| format!(": {}", unready.troubles.join("; "))).unwrap_or_default();
    let hint =
        format!("configured are: {}; `grantor doctor` says what is missing", ready.join(", "));
    Err(Failure::invalid(format!("{wanted} is not configured here{why}")).of("vendor").hint(hint))
}

/// The tenants that have such: a kind that a vendor has not is no question to it.
///
/// # Errors
/// No vendor has such.
fn of_kind<'a>(
    tenants: Vec<&'a Tenant>,
    kind: &str,
    kinds: Kinds,
) -> Result<Vec<&'a Tenant>, Failure> {
    if VENDORS.iter().any(|vendor| kinds(vendor).contains(&kind)) {
        let has = |tenant: &&Tenant| kinds(tenant.vendor).contains(&kind);
        return Ok(tenants.into_iter().filter(has).collect());
    }
    let mut known: Vec<_> = VENDORS.iter().flat_map(|vendor| kinds(vendor)).copied().collect();
    known.sort_unstable();
    known.dedup();
    let kind = text::quote(Word::Caller, kind);
    Err(Failure::invalid(format!("there is no kind {kind}; there are {}", known.join(", ")))
        .of("kind"))
}

/// No rows, and why: who was asked for has no such.
fn none_of_kind(context: &LookContext<'_>, kind: &str, kinds: Kinds) -> Rows {
    let mut told: Vec<&Vendor> = context.tenants.iter().map(|tenant| tenant.vendor).collect();
    told.dedup_by_key(|vendor| vendor.name);
    let told = told.into_iter();
    let told: Vec<_> =
        told.map(|vendor| format!("{} has {}", vendor.name, kinds(vendor).join(", "))).collect();
    let note = format!("none of those asked has any of the kind {kind}; {}", told.join("; "));
    Rows { note: Some(note), ..Rows::default() }
}

/// One answer from all: rows in the vendors' order, as many as `limit` and the room there is allow,
/// and a cursor for the rest.
///
/// A name that means nothing at one vendor is no trouble where another was able to answer, unless
/// somebody is named: then each says that it knows nobody of that name, and silence is no answer.
fn gather<T: Serialize>(
    answers: Vec<Answered<T>>,
    limit: usize,
    of_somebody: bool,
) -> Result<Rows, Failure> {
    let mut all = Rows { asked: answers.len(), ..Rows::default() };
    let (mut cursor, mut nameless, mut answered) = (Cursor::default(), Vec::new(), false);
    let mut room = MOST_BYTES;
    for Answered { from, begun, listing } in answers {
        answered |= listing.is_ok();
        match listing {
            Err(failure) if failure.kind == Kind::Invalid => nameless.push((from, failure)),
            Err(failure) => {
                let goes_on = failure.kind == Kind::RateLimited;
                if goes_on {
                    cursor.0.insert(from.word.clone(), begun);
                }
                all.problems.push(Problem { goes_on, ..from.problem(failure, false) });
            }
            Ok(listing) => {
                let mut rows: Vec<_> = listing.rows.iter().map(|row| from.labelled(row)).collect();
                rows.truncate(limit.saturating_sub(all.rows.len()));
                rows.truncate(fitting(&rows, &mut room, all.rows.is_empty()));
                let is_put_off = rows.is_empty() && !listing.rows.is_empty();
                let Listing { next, problem, waits, .. } = listing.first(rows.len());
                all.rows.extend(rows);
                cursor.0.extend(next.map(|next| (from.word.clone(), next)));
                let problem = problem.filter(|_| !is_put_off);
                let problem = problem.map(|failure| from.problem(failure, true));
                let waits =
                    waits.map(|failure| Problem { goes_on: true, ..from.problem(failure, true) });
                all.problems.extend(waits);
                all.problems.extend(problem);
            }
        }
    }
    let several = |problem: &&Problem| problem.failure.kind == Kind::Ambiguous;
    let ambiguous: Vec<_> = all.problems.iter().filter(several).map(Problem::describe).collect();
    let certain =
        |problem: &Problem| matches!(problem.failure.kind, Kind::NotListable | Kind::Ambiguous);
    let certain = !answered && all.problems.iter().all(certain);
    if certain && ambiguous.is_empty() && !nameless.is_empty() && !of_somebody {
        return Err(meaningless(nameless));
    }
    if !answered || of_somebody {
        let failed = nameless.iter().cloned();
        all.problems.extend(failed.map(|(from, failure)| from.problem(failure, false)));
    }
    let unknown: Vec<_> = ambiguous.into_iter().chain(nameless).collect();
    all.unknown = (certain && !unknown.is_empty()).then(|| meaningless(unknown));
    all.next_cursor = (!cursor.0.is_empty()).then(|| cursor.write());
    Ok(all)
}

/// How many of the rows there is room for; a first one has it whatever its length, so that an answer
/// goes on.
fn fitting(rows: &[Value], room: &mut usize, is_first: bool) -> usize {
    let mut count = 0;
    for row in rows {
        // As it is shown: what is too long is cut.
        let mut shown = row.clone();
        text::clean_value(&mut shown);
        let length = shown.to_string().len() + MARKS;
        if length > *room && !(is_first && count == 0) {
            // Nothing that follows goes before it.
            *room = 0;
            break;
        }
        *room = room.saturating_sub(length);
        count += 1;
    }
    count
}

/// A name that no vendor knows, or that several have, with what it may have meant at each.
fn meaningless(nameless: Vec<(Teller, Failure)>) -> Failure {
    let mut all = nameless.into_iter().map(|(from, mut failure)| {
        for one in &mut failure.candidates {
            (one.vendor, one.tenant) = (Some(from.vendor.into()), from.said.clone());
        }
        failure
    });
    let first = all.next().unwrap_or_else(|| Failure::invalid("nothing to look for"));
    all.fold(first, |mut first, other| {
        first.candidates.extend(other.candidates);
        first
    })
}

impl Teller {
    fn of(tenant: &Tenant) -> Self {
        let said = tenant.said().map(str::to_owned);
        Self { vendor: tenant.vendor.name, word: tenant.id.word().to_owned(), said }
    }

    fn labelled(&self, row: &impl Serialize) -> Value {
        let mut labelled = json!({ "vendor": self.vendor });
        if let Some(said) = &self.said {
            put(&mut labelled, "tenant", said.as_str());
        }
        extend(&mut labelled, json!(row));
        labelled
    }

    fn problem(&self, failure: Failure, partial: bool) -> Problem {
        let (vendor, tenant) = (self.vendor, self.said.clone());
        Problem { vendor, tenant, failure, partial, goes_on: false }
    }
}

impl Problem {
    fn describe(&self) -> (Teller, Failure) {
        let said = self.tenant.clone();
        let word = said.clone().unwrap_or_else(|| self.vendor.to_owned());
        (Teller { vendor: self.vendor, word, said }, self.failure.clone())
    }
}

impl LookQuery {
    pub(super) fn new(vendor: Option<Which>, limit: Option<Limit>, cursor: Option<Token>) -> Self {
        let limit = limit.map_or(USUAL, Limit::get);
        Self { vendor, limit, cursor, of_somebody: false, holder: None, kind: None }
    }

    /// The same where one kind alone is looked for.
    pub(super) fn of_kind(self, kind: Option<&str>, kinds: Kinds) -> Self {
        Self { kind: kind.map(|kind| (kind.to_owned(), kinds)), ..self }
    }

    /// The same where somebody is named: every vendor asked says something of them.
    pub(super) fn of_somebody(self, of_somebody: bool) -> Self {
        Self { of_somebody, ..self }
    }

    /// The same where it is what somebody holds that is looked for.
    pub(super) fn held_by(self, holder: Option<&str>) -> Self {
        Self { holder: holder.map(str::to_owned), ..self }
    }
}

impl Cursor {
    fn write(&self) -> String {
        write_cursor(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::config::{Config, Flags, Sources};
    use crate::outbound::{Deadline, Wire};

    fn teller(vendor: &'static str) -> Teller {
        Teller { vendor, word: vendor.to_owned(), said: None }
    }

    fn listed(vendor: &'static str, rows: &[&str]) -> Answered<Value> {
        let rows = rows.iter().map(|name| json!({ "name": name })).collect();
        Answered {
            from: teller(vendor),
            begun: ListPosition::default(),
            listing: Ok(Listing::whole(rows)),
        }
    }

    fn names(rows: &Rows) -> Vec<&str> {
        rows.rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
    }

    fn places(rows: &Rows) -> Vec<(String, usize)> {
        let Some(cursor) = &rows.next_cursor else { return Vec::new() };
        let token: Token = serde_json::from_value(json!(cursor)).unwrap();
        let cursor: Cursor = token.read().unwrap();
        cursor.0.into_iter().map(|(name, at)| (name, at.skip)).collect()
    }

    #[test]
    fn an_answer_goes_on_with_the_row_behind_its_last() {
        let answer = |limit| {
            gather(vec![listed("one", &["a", "b"]), listed("two", &["c", "d"])], limit, false)
        };
        for (limit, found, left) in [
            (4, &["a", "b", "c", "d"][..], vec![]),
            (3, &["a", "b", "c"], vec![("two".to_owned(), 1)]),
            (2, &["a", "b"], vec![("two".to_owned(), 0)]),
            (1, &["a"], vec![("one".to_owned(), 1), ("two".to_owned(), 0)]),
        ] {
            let rows = answer(limit).unwrap();
            assert_eq!((names(&rows).as_slice(), places(&rows)), (found, left), "{limit}");
        }
    }

    /// However long the rows are, each is in an answer, and none is in an answer that is too long.
    #[test]
    fn an_answer_is_never_longer_than_there_is_room() {
        let long = |(number, length): (usize, usize)| json!({ "name": number.to_string(), "permissions": vec!["x".repeat(97); length / 100] });
        let lengths = [100, MOST_BYTES / 2, MOST_BYTES / 2, 7, MOST_BYTES * 2, 9, MOST_BYTES - 99];
        let all: Vec<Value> = lengths.into_iter().enumerate().map(long).collect();
        let (mut skip, mut seen) = (0, Vec::new());
        loop {
            let rows = all.clone();
            let from = ListPosition { skip, ..ListPosition::default() };
            let listing = Ok(Listing::part(rows, &from, 500, None));
            let begun = ListPosition::default();
            let answered = Answered { from: teller("one"), begun, listing };
            let rows = gather(vec![answered], 500, false).unwrap();
            let found: Vec<_> = names(&rows).iter().map(|name| (*name).to_owned()).collect();
            assert!(found.len() == 1 || json!(rows.rows).to_string().len() <= MOST_BYTES);
            seen.extend(found);
            match places(&rows).as_slice() {
                [] => break,
                [(_, next)] => skip = *next,
                more => panic!("{more:?}"),
            }
        }
        assert_eq!(seen, all.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>());
    }

    /// Two tenants of one vendor are two, in rows, cursors and problems.
    #[test]
    fn an_answer_names_the_tenant_where_there_are_several() {
        let of = |word: &str, said: Option<&str>, failure| {
            let listed = listed("dfns", &["a", "b"]).listing;
            let listing =
                if failure { Err(Failure::new(Kind::Unavailable, "down")) } else { listed };
            let said = said.map(str::to_owned);
            let from = Teller { vendor: "dfns", word: word.to_owned(), said };
            Answered { from, begun: ListPosition::default(), listing }
        };
        let rows =
            gather(vec![of("one", Some("one"), false), of("two", Some("two"), false)], 3, false);
        let rows = rows.unwrap();
        let named: Vec<_> = rows.rows.iter().map(|row| row["tenant"].as_str().unwrap()).collect();
        assert_eq!(named, ["one", "one", "two"]);
        assert_eq!(places(&rows), [("two".to_owned(), 1)]);
        let rows =
            gather(vec![of("one", Some("one"), true), of("two", Some("two"), false)], 3, false);
        assert_eq!(rows.unwrap().problems[0].tenant.as_deref(), Some("one"));
        let alone = gather(vec![of("one", None, false)], 3, false).unwrap();
        assert!(alone.rows.iter().all(|row| row.get("tenant").is_none()));
    }

    /// Several of a name are told as that, whatever others say; and all at once where nobody knows one.
    #[test]
    fn a_name_of_several_is_ambiguous() {
        let several = || Failure::new(Kind::Ambiguous, "2 have the name").of("principal");
        let wrong = |failure| Answered::<Value> {
            from: teller("two"),
            begun: ListPosition::default(),
            listing: Err(failure),
        };
        let rows = gather(vec![listed("one", &["a"]), wrong(several())], 9, true).unwrap();
        assert_eq!((rows.rows.len(), rows.problems[0].failure.problem()), (1, "ambiguous"));
        assert!(rows.unknown.is_none());
        let none = Failure::invalid("nothing here").of("principal");
        let rows = gather(vec![wrong(none), wrong(several())], 9, false).unwrap();
        assert_eq!(rows.unknown.unwrap().kind, Kind::Ambiguous);
        let kinds: Vec<_> = rows.problems.iter().map(|one| one.failure.problem()).collect();
        assert_eq!(kinds, ["ambiguous", "not_found"]);
    }

    /// One row, then what the second part comes to; each look is counted.
    fn in_two_parts<'a>(
        _: &'a VendorReader<'a>,
        (from, kind): (ListPosition, Option<Kind>),
    ) -> BoxFuture<'a, Result<Listing<Value>, Failure>> {
        Box::pin(async move {
            LOOKS.fetch_add(1, SeqCst);
            let next = ListPosition { skip: from.skip + 1, ..ListPosition::default() };
            let row = json!({ "name": from.skip });
            match (from.skip, kind) {
                (0, _) => Ok(Listing { next: Some(next), ..Listing::whole(vec![row]) }),
                (_, Some(kind)) => Err(Failure::new(kind, "no")),
                // A list that never goes on.
                (_, None) => Ok(Listing { next: Some(from), ..Listing::whole(Vec::new()) }),
            }
        })
    }

    static LOOKS: AtomicUsize = AtomicUsize::new(0);

    /// A part that fails is asked for once: it is said, and the list goes on at it only where that may help.
    #[tokio::test]
    async fn a_part_that_fails_is_asked_for_once() {
        let set =
            [("DFNS_AUTH_TOKEN", "t"), ("DFNS_CREDENTIAL_ID", "c"), ("DFNS_PRIVATE_KEY", "k")];
        let environment = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let flags = Flags { state_dir: Some("unused".into()), ..Flags::default() };
        let sources =
            Sources { flags: &flags, environment: &environment, floor: None, sandbox: None };
        let config = Config::load(&sources).unwrap();
        let (tenant, wire) = (&config.tenants[0], Wire::default());
        let deadline = Deadline::after(CALL);
        let reader =
            &VendorReader { tenant, wire: &wire, deadline, cache: None, earlier: &[], notes: None };
        for (kind, goes_on, is_said) in [
            (Some(Kind::RateLimited), true, false),
            (Some(Kind::Unavailable), true, false),
            (Some(Kind::NotPermitted), false, true),
            (Some(Kind::Invalid), false, true),
            (None, false, true),
        ] {
            let question = |from, _| (from, kind);
            let asking = Asking {
                reader,
                lookup: in_two_parts as Lookup<_, _>,
                question: &question,
                refine: &AsListed,
            };
            LOOKS.store(0, SeqCst);
            let listing = asking.to_the_limit(ListPosition::default(), 50).await.unwrap();
            assert_eq!(LOOKS.load(SeqCst), 2, "{kind:?}");
            assert_eq!(listing.rows.len(), 1);
            assert_eq!(
                (listing.next.is_some(), listing.problem.is_some()),
                (goes_on, is_said),
                "{kind:?}"
            );
            assert_eq!(listing.waits.is_some(), goes_on, "{kind:?}");
        }
    }
}
