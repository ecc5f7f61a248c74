//! What there was before of an access, where a rule asks: counted from the ledger.

use jiff::{SignedDuration, Timestamp};

use super::Desk;
use super::prepare::key;
use super::task::{ChangeContext, Task};
use crate::access::{Access, Named};
use crate::intent::{Cause, History, Intent, NEVER};
use crate::ledger::{MovedEnd, Record, Whose};
use crate::tools::{Effect, TOOLS};

/// What is counted, and up to when.
struct Count<'a> {
    whose: &'a Whose,
    access: [&'a str; 3],
    whom: &'a Named,
    requester: &'a str,
    /// Nothing older counts.
    since: Timestamp,
    /// When the day began.
    today: Timestamp,
    now: Timestamp,
}

/// How far back is looked.
const DAYS: i64 = 30;

impl Desk {
    /// What was before; none where the ledger is not to be relied on, or is the requester's to choose.
    pub(super) async fn history_of_access(
        &self,
        context: &ChangeContext,
        task: &Task<'_>,
        intent: &Intent,
    ) -> Option<History> {
        if self.config.ledger_is_chosen {
            return None;
        }
        let now = self.now();
        let since = now - SignedDuration::from_hours(24 * DAYS);
        let records = context.reads.told.get_or_init(|| self.told_since(since)).await.as_ref()?;
        let wanted = task.step.wanted();
        let (whose, access) = (task.request.whose(wanted), key(wanted));
        let timed = self.ledger.timed(&whose, access).await.ok()?;
        let older =
            timed.filter(|timed| records.iter().all(|known| known.receipt != timed.receipt));
        let undone = match &intent.cause {
            Cause::Undo(receipt) => Some(self.ledger.find(receipt).await.ok()??.opened()),
            Cause::Request | Cause::Expiry(_) | Cause::Extension(_) => None,
        };
        let zone = self.config.declared.zone();
        let today = now.to_zoned(zone).start_of_day().ok()?.timestamp();
        let count = Count {
            whose: &whose,
            access,
            whom: &wanted.principal,
            requester: context.requester.name(),
            since,
            today,
            now,
        };
        let all: Vec<&Record> = records.iter().chain(&older).collect();
        Some(History {
            extends: matches!(intent.cause, Cause::Extension(_)),
            undone_minutes: undone.map_or(NEVER, |then| minutes(then, now)),
            ..count.of(&all, intent.effect == Effect::Grant, intent.expires_at)
        })
    }

    async fn told_since(&self, since: Timestamp) -> Option<Vec<Record>> {
        let is_whole = self.ledger.watched().await.is_empty()
            && !self.ledger.broke_since(since).await.unwrap_or(true);
        let records = if is_whole { self.ledger.since(since).await.ok()? } else { return None };
        let holds = records.iter().all(|record| record.damage.is_none());
        holds.then_some(records)
    }
}

impl Count<'_> {
    fn of(&self, records: &[&Record], gives: bool, until: Option<Timestamp>) -> History {
        let given: Vec<_> = records.iter().copied().filter(|record| gave(record)).collect();
        let own = || given.iter().filter(|record| self.is_theirs(record));
        let of_access = || own().filter(|record| self.gave_it(record));
        let moved = |record: &Record, from: Timestamp| {
            let moved = record.extended.iter().filter(|moved| moved.at >= from && !moved.is_sooner);
            u32::try_from(moved.count()).unwrap_or(u32::MAX)
        };
        let first = of_access().map(|record| record.opened().max(self.since)).min();
        let total_minutes = match until {
            Some(until) => minutes(first.unwrap_or(self.now), until),
            None if gives => NEVER,
            None => first.map_or(0, |first| minutes(first, self.now)),
        };
        let once = |record: &Record| u32::from(record.opened() >= self.today);
        let mine = |record: &&Record| {
            let is_own = |moved: &&MovedEnd| {
                moved.at >= self.today && moved.by == self.requester && !moved.is_sooner
            };
            let moved = u32::try_from(record.extended.iter().filter(is_own).count());
            let opened = if record.requester == self.requester { once(record) } else { 0 };
            opened.saturating_add(moved.unwrap_or(u32::MAX))
        };
        let theirs = |record: &&&Record| made(record).any(|row| row.principal.is(self.whom));
        History {
            extensions: sum(of_access().map(|record| moved(record, self.since))),
            total_minutes,
            requester_today: sum(given.iter().map(mine)),
            grantee_today: sum(own()
                .filter(theirs)
                .map(|record| once(record).saturating_add(moved(record, self.today)))),
            ..History::default()
        }
    }

    fn is_theirs(&self, record: &Record) -> bool {
        record.tenant == self.whose.place
            && self.whose.has(record.tenant_name.as_deref(), record.organization.as_deref())
    }

    fn gave_it(&self, record: &Record) -> bool {
        made(record).any(|row| key(&row) == self.access && row.principal.is(self.whom))
    }
}

/// Whether a change gave something, or may have: whatever is still open counts.
fn gave(record: &Record) -> bool {
    let spec = TOOLS.iter().map(|tool| tool.spec).find(|spec| spec.name == record.tool);
    let is_nothing = record.outcome().is_some_and(crate::access::Outcome::is_nothing);
    record.ends.is_none() && !is_nothing && spec.is_some_and(|spec| spec.effect == Effect::Grant)
}

/// What a change was to give, and what came with it.
fn made(record: &Record) -> impl Iterator<Item = Access> {
    let after = record.end.as_ref().map(|end| end.after.clone()).unwrap_or_default();
    let before = record.before.clone();
    let came = after.into_iter().filter(move |row| !before.iter().any(|other| other.is(row)));
    std::iter::once(record.wanted()).chain(came)
}

fn sum(counts: impl Iterator<Item = u32>) -> u32 {
    counts.fold(0, u32::saturating_add)
}

/// Whole minutes, rounded up; none where the end comes first.
fn minutes(from: Timestamp, to: Timestamp) -> i64 {
    crate::guard::minutes(from, to).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: &str = "2026-07-04T12:00:00Z";

    /// "TIME REQUESTER TOOL WHO OUTCOME MOVED,…": what a change was, and who had its end moved when.
    fn record(text: &str) -> Record {
        let words: Vec<_> = text.split(' ').collect();
        let [time, requester, tool, who, outcome, moved] = words[..] else { panic!("{text}") };
        let named = |id: &str| json!({ "id": id, "kind": "user" });
        let wanted = json!({ "principal": named(who), "role": named("r"), "resource": named("a"),
            "scope": "asset" });
        let mut record: Record = serde_json::from_value(json!({
            "receipt": text, "time": time, "requester": requester, "process": "", "vendor": "v",
            "tenant": "place", "tool": tool, "summary": "", "wanted": wanted, "arguments": {},
            "before": [], "conclusive": true,
        }))
        .unwrap();
        let end = json!({ "outcome": outcome, "after": [wanted] });
        record.end = (outcome != "-").then(|| serde_json::from_value(end).unwrap());
        let moved = moved.split(',').filter_map(|moved| moved.split_once('@'));
        record.extended = moved
            .map(|(by, at)| MovedEnd {
                at: at.parse().unwrap(),
                by: by.to_owned(),
                is_sooner: false,
                item: None,
            })
            .collect();
        record
    }

    fn count(records: &[&str], gives: bool, until: Option<&str>) -> [i64; 4] {
        let records: Vec<_> = records.iter().map(|text| record(text)).collect();
        let whose = Whose { place: "place".to_owned(), names: vec![None], organization: None };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let count = Count {
            whose: &whose,
            access: ["ana", "r", "a"],
            whom: &Named::new("ana", None, "user"),
            requester: "ada",
            since: at("2026-06-04T12:00:00Z"),
            today: at("2026-07-04T00:00:00Z"),
            now: at(NOW),
        };
        let all: Vec<_> = records.iter().collect();
        let found = count.of(&all, gives, until.map(at));
        let History { extensions, total_minutes, requester_today, grantee_today, .. } = found;
        [extensions.into(), total_minutes, requester_today.into(), grantee_today.into()]
    }

    #[test]
    fn what_was_before_is_counted_by_access_day_and_person() {
        let end = Some("2026-07-04T13:00:00Z");
        let grant = |day: &str, who: &str, whom: &str| {
            format!("2026-{day}T11:00:00Z {who} grant_asset_role {whom} confirmed -")
        };
        let today = grant("07-04", "ada", "ana");
        let yesterday = grant("07-03", "ada", "ana");
        let moved = "2026-07-03T11:00:00Z ada grant_asset_role ana confirmed ben@2026-07-03T12:00:00Z,ada@2026-07-04T01:00:00Z";
        let old = "2026-05-01T11:00:00Z ada grant_asset_role ana confirmed ada@2026-05-02T12:00:00Z,ada@2026-07-04T01:00:00Z";
        for (records, gives, until, counts) in [
            (vec![], true, end, [0, 60, 0, 0]),
            (vec![], true, None, [0, NEVER, 0, 0]),
            (vec![], false, None, [0, 0, 0, 0]),
            (vec![&*today], true, end, [0, 120, 1, 1]),
            (vec![&*today], false, None, [0, 60, 1, 1]),
            // A gap between two grants counts too.
            (vec![&*yesterday, &*today], true, end, [0, 26 * 60, 1, 1]),
            (vec![moved], true, end, [2, 26 * 60, 1, 1]),
            (vec![old], true, end, [1, 30 * 24 * 60 + 60, 1, 1]),
            (vec![&*grant("07-04", "ben", "ana")], true, end, [0, 120, 0, 1]),
            (vec![&*grant("07-04", "ada", "bo")], true, end, [0, 60, 1, 0]),
            (
                vec!["2026-07-04T11:00:00Z ada grant_asset_role ana refused -"],
                true,
                end,
                [0, 60, 0, 0],
            ),
            (vec!["2026-07-04T11:00:00Z ada grant_asset_role ana - -"], true, end, [0, 120, 1, 1]),
            (
                vec!["2026-07-04T11:00:00Z ada revoke_asset_role ana confirmed -"],
                true,
                end,
                [0, 60, 0, 0],
            ),
        ] {
            assert_eq!(count(&records, gives, until), counts, "{records:?} {gives} {until:?}");
        }
    }
}
