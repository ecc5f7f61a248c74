//! What a line of the ledger, or the passing of time, is to those who are told of it elsewhere. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answered, Content, Decision, End, Record, Request, State, UnsentConsent};
use crate::access::Outcome;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// Somebody has to answer.
    Asked,
    /// It was approved by all it takes, denied, or withdrawn.
    Decided,
    /// A change has ended, one way or another.
    CarriedOut,
    /// Nobody answered in time, or the yes was not used in time.
    Lapsed,
    /// Access is about to end.
    DueSoon,
    /// Access stands past its end.
    Overdue,
    /// How far the ledger reaches, so that whoever keeps it sees when lines are cut off.
    Head,
}

/// Something that has happened. It is the same whoever looks, and however often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    pub what: Happening,
    /// When it came about.
    pub time: Timestamp,
    /// Of a head there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The number of the line that says it; what time alone brings has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The operator's name for the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// How it was decided, or how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Until when an answer is taken, or when the access ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The receipt that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The hash of a head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// In words, with names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The longest that the change was ever to last, where its end was moved.
    #[serde(skip)]
    longest: Option<SignedDuration>,
}

/// How far somebody has read the lines. What is in it only the store knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) start: u64,
    pub(super) seq: u64,
    pub(super) hash: String,
}

/// What was read on from a bookmark.
#[derive(Debug, Default)]
pub struct NotedPage {
    pub noted: Vec<Noted>,
    /// How far that is.
    pub read: Bookmark,
    /// Whether there may be more.
    pub more: bool,
    /// The lines do not reach as far as the bookmark, or are others: it was read on from their end.
    pub is_lost: bool,
}

impl Happening {
    pub const ALL: [Self; 7] = [
        Self::Asked,
        Self::Decided,
        Self::CarriedOut,
        Self::Lapsed,
        Self::DueSoon,
        Self::Overdue,
        Self::Head,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Decided => "decided",
            Self::CarriedOut => "carried_out",
            Self::Lapsed => "lapsed",
            Self::DueSoon => "due_soon",
            Self::Overdue => "overdue",
            Self::Head => "head",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

impl Bookmark {
    /// How many lines there are up to it, and the hash of the last; none before the first.
    pub fn head(&self) -> Option<(u64, &str)> {
        (self.seq > 0).then_some((self.seq, self.hash.as_str()))
    }
}

impl Noted {
    /// What the last of these lines is, which are all of its receipt up to it, the oldest first.
    pub(super) fn of(lines: &[Value]) -> Option<Self> {
        let (line, before) = lines.split_last()?;
        let noted = |what, how: Option<String>| {
            let mut noted = Self::about(what, lines)?;
            noted.line = line.get("seq").and_then(Value::as_u64);
            noted.time = time(line)?;
            noted.how = how;
            Some(noted)
        };
        match event(line)? {
            "asked" => noted(Happening::Asked, None),
            "answered" => {
                let decided = decided(line, before, lines)?;
                let mut noted = noted(Happening::Decided, Some(word(decided.decision).to_owned()))?;
                (noted.by, noted.until) = (Some(decided.by), decided.until);
                Some(noted)
            }
            "close" | "found" => {
                let outcome = End::deserialize(line).ok()?.outcome;
                let known = before.iter().rev().find_map(ended);
                (known != Some(outcome))
                    .then(|| noted(Happening::CarriedOut, Some(outcome.as_str().to_owned())))?
            }
            "concluded" => {
                let outcome = UnsentConsent::deserialize(line).ok()?.outcome;
                noted(Happening::CarriedOut, Some(outcome.as_str().to_owned()))
            }
            "extended" => {
                let how = Some(Outcome::Confirmed.as_str().to_owned());
                let moved = noted(Happening::CarriedOut, how)?;
                Some(Self { longest: longest(lines), ..moved })
            }
            "overdue" => noted(Happening::Overdue, None),
            _ => None,
        }
    }

    /// That nobody answered a request in time, or that its yes was not used in time.
    pub(super) fn lapsed(request: &Request) -> Option<Self> {
        let approved = request.answered.as_ref().and_then(|answered| answered.until);
        let until = approved.unwrap_or(request.until);
        let is_so = request.state == State::Lapsed;
        is_so.then(|| Self { until: Some(until), ..Self::asked(Happening::Lapsed, until, request) })
    }

    /// That the end of a change has come near. Of one that lasts no longer than that from its beginning, nobody
    /// need be told; of one that was moved to where it is near already, [`Self::moved_near`] tells.
    pub(super) fn due_soon(record: &Record, ahead: SignedDuration, now: Timestamp) -> Option<Self> {
        let end = record.expires_at?;
        let time = end.checked_sub(ahead).ok()?;
        let since = record.extended.last().map_or(record.opened(), |moved| moved.at);
        (time > since && end > now && record.overdue.is_none())
            .then(|| Self { time, ..Self::changed(Happening::DueSoon, record) })
    }

    /// That this line moved an end to where it is near at once: no time comes then that would tell of it. Of what
    /// was never to last longer than that, nobody need be told.
    pub fn moved_near(&self, ahead: SignedDuration, now: Timestamp) -> Option<Self> {
        let (end, longest) = (self.until?, self.longest?);
        let is_near = end.checked_sub(ahead).is_ok_and(|time| time <= self.time);
        let soon = || Self { what: Happening::DueSoon, how: None, longest: None, ..self.clone() };
        (is_near && longest > ahead && end > now).then(soon)
    }

    /// How far the ledger reaches at a time.
    pub fn head(read: &Bookmark, time: Timestamp) -> Option<Self> {
        let (line, hash) = read.head()?;
        let (line, hash) = (Some(line), Some(hash.to_owned()));
        Some(Self { line, hash, ..Self::bare(Happening::Head, time) })
    }

    fn about(what: Happening, lines: &[Value]) -> Option<Self> {
        if let Some(record) = Record::of(lines) {
            return Some(Self::changed(what, &record));
        }
        let asked = Request::of(lines, false, None, Timestamp::MIN)?;
        let until = (what == Happening::Asked).then_some(asked.until);
        Some(Self { until, ..Self::asked(what, asked.time, &asked) })
    }

    fn asked(what: Happening, time: Timestamp, request: &Request) -> Self {
        let content = &request.content;
        Self {
            receipt: Some(request.receipt.clone()),
            vendor: vendor(content),
            tenant: content.tenant_name.clone(),
            summary: Some(content.summary.clone()),
            requester: Some(request.requester.clone()),
            ..Self::bare(what, time)
        }
    }

    fn changed(what: Happening, record: &Record) -> Self {
        Self {
            receipt: Some(record.receipt.clone()),
            vendor: Some(record.vendor.clone()),
            tenant: record.tenant_name.clone(),
            until: record.expires_at,
            undoes: record.ends.clone().or_else(|| record.undoes.clone()),
            summary: Some(record.summary.clone()),
            requester: Some(record.requester.clone()),
            ..Self::bare(what, record.opened())
        }
    }

    fn bare(what: Happening, time: Timestamp) -> Self {
        Self {
            what,
            time,
            receipt: None,
            line: None,
            vendor: None,
            tenant: None,
            how: None,
            until: None,
            undoes: None,
            hash: None,
            summary: None,
            requester: None,
            by: None,
            longest: None,
        }
    }
}

/// Whether a line can be one that somebody is told of: cheap, for all that are not.
pub(super) fn may_be_noted(event: &str) -> bool {
    ["asked", "answered", "close", "found", "concluded", "extended", "overdue"].contains(&event)
}

pub(super) fn event(line: &Value) -> Option<&str> {
    line.get("event")?.as_str()
}

fn time(line: &Value) -> Option<Timestamp> {
    line.get("time")?.as_str()?.parse().ok()
}

/// The longest that a change was ever to last, from its beginning.
fn longest(lines: &[Value]) -> Option<SignedDuration> {
    let opened = time(lines.iter().find(|line| event(line) == Some("open"))?)?;
    let ends = lines.iter().filter(|line| matches!(event(line), Some("open" | "extended")));
    let lasts = |line: &Value| {
        let end = line.get("expires_at").and_then(Value::as_str)?.parse::<Timestamp>().ok()?;
        Some(end.duration_since(opened))
    };
    ends.map(|line| lasts(line).unwrap_or(SignedDuration::MAX)).max()
}

fn ended(line: &Value) -> Option<Outcome> {
    let ends = matches!(event(line), Some("close" | "found"));
    ends.then(|| End::deserialize(line).ok().map(|end| end.outcome))?
}

/// The answer that a line made final: none where the yeses of others are still missing, or where nothing
/// waited for it.
fn decided(line: &Value, before: &[Value], all: &[Value]) -> Option<Answered> {
    let of = |lines| Request::of(lines, false, None, Timestamp::MIN);
    let (was, is) = (of(before)?.state, of(all)?);
    let own = Answered::deserialize(line).ok()?;
    let answer = match own.decision {
        Decision::Approved => is.answered?,
        _ => own,
    };
    (was != is.state && was.is_live()).then_some(answer)
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Approved => "approved",
        Decision::Denied => "denied",
        Decision::Withdrawn => "withdrawn",
        Decision::Moved => "moved",
    }
}

/// The vendor that was asked for; none where a set is for several.
fn vendor(content: &Content) -> Option<String> {
    if content.vendor.is_some() {
        return content.vendor.clone();
    }
    let mut all = content.places.iter().map(|place| &place.vendor);
    let first = all.next()?;
    if all.all(|one| one == first) { first.clone() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(event: &str, seq: u64, more: Value) -> Value {
        let mut line = json!({ "event": event, "receipt": "gr-1", "seq": seq,
            "time": "2027-01-31T18:00:00Z", "requester": "ada" });
        crate::json::extend(&mut line, more);
        line
    }

    fn asked(demands: Value) -> Value {
        let content = json!({ "tool": "t", "vendor": "v", "tenant_name": "live", "summary": "s",
            "demands": demands });
        line(
            "asked",
            1,
            json!({ "digest": "d", "until": "2027-02-01T18:00:00Z", "content": content }),
        )
    }

    fn answered(seq: u64, decision: &str, by: &str, meets: &[usize]) -> Value {
        line(
            "answered",
            seq,
            json!({ "decision": decision, "by": by, "how": "terminal",
            "until": "2027-01-31T18:10:00Z", "meets": meets, "proof": null }),
        )
    }

    fn opened(seq: u64) -> Value {
        let named = json!({ "id": "x", "kind": "user" });
        line(
            "open",
            seq,
            json!({ "process": "p", "vendor": "v", "tenant": "t", "tool": "t",
            "summary": "s", "arguments": {}, "before": [], "conclusive": true, "ends": "gr-0",
            "wanted": { "principal": named, "role": named, "resource": named, "scope": "s" } }),
        )
    }

    fn ended(event: &str, seq: u64, outcome: &str) -> Value {
        line(event, seq, json!({ "outcome": outcome, "after": [] }))
    }

    /// What each line of a receipt is, in its turn.
    fn told(lines: &[Value]) -> Vec<String> {
        let of = |count| Noted::of(&lines[..count]);
        let shown = |noted: Noted| {
            let how = noted.how.unwrap_or_default();
            format!("{} {how}", noted.what.as_str()).trim_end().to_owned()
        };
        (1..=lines.len()).map(|count| of(count).map(shown).unwrap_or_default()).collect()
    }

    #[test]
    fn a_line_is_what_it_is_after_those_before_it() {
        let two = json!([{ "people": 2, "groups": [] }]);
        for (lines, expected) in [
            (
                vec![asked(json!([])), answered(2, "denied", "g", &[])],
                vec!["asked", "decided denied"],
            ),
            (
                vec![
                    asked(json!([])),
                    answered(2, "approved", "g", &[]),
                    line("spent", 3, json!({})),
                    opened(4),
                    ended("close", 5, "unknown"),
                    ended("found", 6, "unknown"),
                    ended("found", 7, "confirmed"),
                    line("over", 8, json!({ "note": "n" })),
                ],
                vec![
                    "asked",
                    "decided approved",
                    "",
                    "",
                    "carried_out unknown",
                    "",
                    "carried_out confirmed",
                    "",
                ],
            ),
            (
                vec![
                    asked(two.clone()),
                    answered(2, "approved", "g", &[0]),
                    answered(3, "approved", "h", &[0]),
                    answered(4, "withdrawn", "ada", &[]),
                    answered(5, "denied", "g", &[]),
                ],
                vec!["asked", "", "decided approved", "decided withdrawn", ""],
            ),
            (
                vec![
                    asked(two),
                    answered(2, "approved", "g", &[0]),
                    answered(3, "denied", "h", &[]),
                ],
                vec!["asked", "", "decided denied"],
            ),
            (
                vec![
                    asked(json!([])),
                    answered(2, "approved", "g", &[]),
                    line("spent", 3, json!({})),
                    line("concluded", 4, json!({ "outcome": "already_present", "note": "" })),
                ],
                vec!["asked", "decided approved", "", "carried_out already_present"],
            ),
            (
                vec![
                    opened(1),
                    ended("close", 2, "confirmed"),
                    line("extended", 3, json!({ "expires_at": null })),
                    line("overdue", 4, json!({ "why": "w" })),
                ],
                vec!["", "carried_out confirmed", "carried_out confirmed", "overdue"],
            ),
            (vec![line("refused", 1, json!({})), line("accepted", 2, json!({}))], vec!["", ""]),
        ] {
            assert_eq!(told(&lines), expected, "{lines:?}");
        }
        let noted = Noted::of(&[asked(json!([]))]).unwrap();
        assert_eq!((noted.line, noted.vendor.as_deref()), (Some(1), Some("v")));
        assert_eq!(
            (noted.tenant.as_deref(), noted.requester.as_deref()),
            (Some("live"), Some("ada"))
        );
        let end = Noted::of(&[opened(1), ended("close", 2, "confirmed")]).unwrap();
        assert_eq!(end.undoes.as_deref(), Some("gr-0"));
    }

    /// Hours from its beginning: when a change was to end, when that was moved, and to when.
    #[test]
    fn an_end_that_is_moved_near_is_told_of_once_by_the_line_or_by_time() {
        let begun: Timestamp = "2027-01-31T18:00:00Z".parse().unwrap();
        let at = |hours: i64| begun + SignedDuration::from_hours(hours);
        let ahead = SignedDuration::from_hours(24);
        for (end, moved, to, by_line, by_time) in [
            (Some(48), 30, Some(40), Some(30), None),
            (Some(48), 1, Some(20), Some(1), None),
            (Some(48), 1, Some(30), None, Some(6)),
            (Some(48), 1, Some(25), Some(1), None),
            (Some(20), 15, Some(30), Some(15), None),
            (Some(2), 1, Some(48), None, Some(24)),
            (None, 50, Some(60), Some(50), None),
            // Never to last longer than that.
            (Some(2), 1, Some(3), None, None),
            (Some(48), 1, None, None, None),
        ] {
            let text = |end: Option<i64>| end.map(|end| at(end).to_string());
            let mut open = opened(1);
            open["expires_at"] = json!(text(end));
            let mut line = line("extended", 3, json!({ "expires_at": text(to) }));
            line["time"] = json!(at(moved).to_string());
            let lines = [open, ended("close", 2, "confirmed"), line];
            let shown = format!("{end:?}, at {moved} to {to:?}");
            let told = Noted::of(&lines).unwrap();
            let near = told.moved_near(ahead, at(moved));
            assert_eq!(near.as_ref().map(|near| near.time), by_line.map(at), "{shown}");
            if let Some(near) = near {
                let expected = (Happening::DueSoon, to.map(at), Some(3), None);
                assert_eq!((near.what, near.until, near.line, near.how), expected, "{shown}");
                assert_eq!(
                    told.moved_near(ahead, to.map(at).unwrap()),
                    None,
                    "it has ended: {shown}"
                );
            }
            let soon = Noted::due_soon(&Record::of(&lines).unwrap(), ahead, at(moved));
            assert_eq!(soon.map(|soon| soon.time), by_time.map(at), "{shown}");
        }
    }
}
