//! Where what was asked for, refused and done is, by when, of whom and by whom, and where it stood.

use std::io;

use jiff::Timestamp;
use rusqlite::types::Value as Cell;
use rusqlite::{Transaction, params, params_from_iter};
use serde_json::Value;

use super::{Index, at, trouble};
use crate::control::ledger::past::{Entry, Told, keys};
use crate::control::ledger::{Past, Position, Record, Request, Standing, State, Who};

/// Conditions, and what stands for the question marks in them.
#[derive(Default)]
struct Conditions {
    all: Vec<String>,
    cells: Vec<Cell>,
}

/// Changes whose time is over, and that nothing has taken back.
const DUE: &str = "SELECT receipt FROM change INDEXED BY change_due
    WHERE remains AND NOT taken AND expires IS NOT NULL AND expires <= ?";
/// What is recent, waits or is open.
const LATELY: &str = "SELECT receipt FROM entry INDEXED BY entry_last WHERE last >= ?
    UNION SELECT receipt FROM entry WHERE standing IN ('waiting', 'approved') AND until >= ?
    UNION SELECT receipt FROM entry INDEXED BY entry_standing WHERE standing = 'open'
    UNION SELECT receipt FROM change INDEXED BY change_open WHERE open";
/// The changes of a call for several, each under a receipt of its own.
const PARTS: &str = "SELECT 1 FROM entry AS part
    WHERE part.receipt > entry.receipt || '.' AND part.receipt < entry.receipt || '/'";

impl Index {
    /// Receipts that may be among those that are looked for, the newest first, with where they are: what
    /// their lines say decides.
    pub(in crate::control::ledger) fn past(
        &self,
        find: &Past,
        after: Option<Position>,
        most: usize,
    ) -> io::Result<Vec<(String, Position)>> {
        let (query, cells) = query(find, after, most);
        let mut query = self.database.prepare_cached(&query).map_err(trouble)?;
        let rows = query.query_map(params_from_iter(cells), |row| {
            Ok((row.get(0)?, Position(row.get(1)?, row.get(2)?)))
        });
        rows.and_then(Iterator::collect).map_err(trouble)
    }

    /// How many entries are of whoever may be meant.
    pub(in crate::control::ledger) fn named(&self, who: &Who) -> io::Result<usize> {
        let mut conditions = Conditions::default();
        conditions.who(who);
        let query = format!("SELECT count(*) FROM whom WHERE {}", conditions.all.join(" AND "));
        let counted = self.database.prepare_cached(&query).and_then(|mut query| {
            query.query_row(params_from_iter(conditions.cells), |row| row.get(0))
        });
        counted.map_err(trouble)
    }
}

/// What finds them.
fn query(find: &Past, after: Option<Position>, most: usize) -> (String, Vec<Cell>) {
    let mut conditions = Conditions::default();
    // A question whose answer was good for several changes is told by those.
    conditions.and(format!("NOT (entry.standing = 'lapsed' AND EXISTS ({PARTS}))"), []);
    if let Some(Position(first, seq)) = after {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        conditions.and("(entry.first, entry.seq) < (?, ?)", [first.into(), seq.into()]);
    }
    if let Some(until) = find.until {
        conditions.and("entry.first <= ?", [at(until).into()]);
    }
    conditions.since(find);
    if let Some(standing) = find.standing {
        conditions.standing(standing, at(find.now));
    }
    if let Some(requester) = &find.requester {
        conditions.and("entry.requester = ?", [requester.clone().into()]);
    }
    let from = match &find.who {
        Some(who) => {
            conditions.who(who);
            // The few that are somebody's come first, and not all that there is.
            "whom CROSS JOIN entry ON entry.receipt = whom.receipt"
        }
        None => "entry",
    };
    let query = format!(
        "SELECT DISTINCT entry.receipt, entry.first, entry.seq FROM {from} WHERE {}
         ORDER BY entry.first DESC, entry.seq DESC LIMIT {most}",
        conditions.all.join(" AND ")
    );
    (query, conditions.cells)
}

impl Conditions {
    fn and(&mut self, condition: impl Into<String>, cells: impl IntoIterator<Item = Cell>) {
        self.all.push(condition.into());
        self.cells.extend(cells);
    }

    fn since(&mut self, find: &Past) {
        let Some(since) = find.since else { return };
        let (since, now) = (Cell::from(at(since)), Cell::from(at(find.now)));
        if find.unfinished_too {
            let any = format!("entry.receipt IN ({LATELY} UNION {DUE})");
            self.and(any, [since, now.clone(), now]);
        } else {
            // What is older than the oldest of them is not looked through.
            self.and("entry.last >= ?", [since.clone()]);
            let oldest = "entry.first >= (SELECT min(first) FROM entry WHERE last >= ?)";
            self.and(oldest, [since]);
        }
    }

    fn standing(&mut self, standing: Standing, now: i64) {
        match standing {
            Standing::Waiting | Standing::Approved => {
                let word = standing.as_str().to_owned();
                self.and("entry.standing = ? AND entry.until >= ?", [word.into(), now.into()]);
            }
            // Time alone, or damage since, makes one of these of what waits.
            Standing::Lapsed => {
                self.and("entry.standing IN ('lapsed', 'waiting', 'approved')", []);
            }
            Standing::Due | Standing::Overdue => {
                self.and(format!("entry.receipt IN ({DUE})"), [now.into()]);
            }
            // What was open may have been taken back since.
            Standing::Done => self.and("entry.standing IN ('done', 'open')", []),
            Standing::Denied | Standing::Withdrawn | Standing::Refused | Standing::Open => {
                self.and("entry.standing = ?", [standing.as_str().to_owned().into()]);
            }
        }
    }

    fn who(&mut self, who: &Who) {
        let keys = who.keys();
        let marks = vec!["?"; keys.len()].join(", ");
        self.and(format!("whom.word IN ({marks})"), keys.into_iter().map(Cell::from));
    }
}

/// Keeps what a receipt's lines tell, where they tell something.
pub(super) fn keep(
    change: &Transaction<'_>,
    receipt: &str,
    lines: &[Value],
    both: (Option<Record>, Option<Request>),
) -> io::Result<()> {
    change
        .prepare_cached("DELETE FROM whom WHERE receipt = ?")
        .and_then(|mut forget| forget.execute([receipt]))
        .map_err(trouble)?;
    let Some(entry) = Entry::of(Position(0, 0), receipt, lines, None, both, None) else {
        return Ok(());
    };
    let first = at(entry.time);
    let keep = "INSERT OR REPLACE INTO entry VALUES
        (?1, ?2, (SELECT min(seq) FROM line WHERE receipt = ?1), ?3, ?4, ?5, ?6)";
    let values = params![
        receipt,
        first,
        entry.sent().map_or(first, at).max(first),
        // What time alone makes of it is not kept.
        entry.standing(Timestamp::MIN).as_str(),
        good_until(&entry).map(at),
        requester(change, &entry)?,
    ];
    let mut kept = change.prepare_cached(keep).map_err(trouble)?;
    kept.execute(values).map_err(trouble)?;
    let keep = "INSERT OR IGNORE INTO whom VALUES
        (?1, ?2, (SELECT seq FROM entry WHERE receipt = ?3), ?3)";
    let mut keep = change.prepare_cached(keep).map_err(trouble)?;
    for word in entry.principals().iter().flat_map(keys) {
        keep.execute(params![word, first, receipt]).map_err(trouble)?;
    }
    Ok(())
}

/// Until when a question can be answered, or its answer is good.
fn good_until(entry: &Entry) -> Option<Timestamp> {
    let Told::Asked(request) = &entry.told else { return None };
    let approved = request.answered.as_ref().filter(|_| request.state == State::Approved);
    Some(approved.and_then(|answered| answered.until).unwrap_or(request.until))
}

/// Who asked. Of one of several that rests on the question for all of them.
fn requester(change: &Transaction<'_>, entry: &Entry) -> io::Result<String> {
    let own = entry.requester().to_owned();
    let Told::Change(record, None) = &entry.told else { return Ok(own) };
    let Some(consent) = &record.consent else { return Ok(own) };
    let asked = change.prepare_cached("SELECT requester FROM entry WHERE receipt = ?");
    let asked = asked.and_then(|mut asked| {
        let rows = asked.query_map([consent], |row| row.get(0));
        rows.and_then(Iterator::collect::<Result<Vec<String>, _>>)
    });
    Ok(asked.map_err(trouble)?.pop().unwrap_or(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ledger::chain::Keys;

    /// However long the record is, a page of it is found by an index, in its order.
    #[test]
    fn no_page_is_found_by_looking_at_all_there_is() {
        let keys = Keys::parse("0123456789abcdef0123456789abcdef").unwrap();
        let index = Index::in_memory(&keys).unwrap();
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let all = || Past::all(now);
        let after = Some(Position(at(now), 7));
        let of = |standing| Past { standing: Some(standing), ..all() };
        let mut finds = vec![
            ("all", all()),
            ("since", Past { since: Some(now), ..all() }),
            ("until", Past { until: Some(now), ..all() }),
            ("lately", Past { since: Some(now), unfinished_too: true, ..all() }),
            ("of somebody", Past { who: Some(Who::new("Ada <ada@x.org>")), ..all() }),
            ("by somebody", Past { requester: Some("ada".to_owned()), ..all() }),
        ];
        finds.extend(Standing::ALL.map(|standing| (standing.as_str(), of(standing))));
        for (what, find) in finds {
            for after in [None, after] {
                let (query, cells) = query(&find, after, 50);
                let explain = format!("EXPLAIN QUERY PLAN {query}");
                let mut explain = index.database.prepare(&explain).unwrap();
                let rows = explain.query_map(params_from_iter(cells), |row| row.get(3));
                let plan: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
                let is_bare =
                    |step: &&String| step.starts_with("SCAN ") && !step.contains(" USING ");
                let bare: Vec<_> = plan.iter().filter(is_bare).collect();
                assert!(bare.iter().all(|step| *step == "SCAN CONSTANT ROW"), "{what}: {plan:#?}");
            }
        }
    }
}
