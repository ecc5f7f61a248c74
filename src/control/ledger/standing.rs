//! Where something that was asked for stands, in one word. Pure.

use jiff::Timestamp;

use super::{Record, Request, State};
use crate::access::Outcome;

/// Where something that was asked for stands. Each entry is in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A person has to answer.
    Waiting,
    /// A person said yes, and it is not sent yet.
    Approved,
    /// A person said no.
    Denied,
    /// Who asked took it back, or another question took its place.
    Withdrawn,
    /// It was not answered, or its yes was not used, while it was good.
    Lapsed,
    /// The rules, the vendor or something in the way said no: nothing changed.
    Refused,
    /// It was sent, and its end is not known: the vendor's approvers may hold it.
    Open,
    /// It was sent, and how it ended is known.
    Done,
    /// Its time is over, and it is about to be taken back.
    Due,
    /// Its time is over, and it could not be taken back.
    Overdue,
}

impl Standing {
    pub const ALL: [Self; 10] = [
        Self::Waiting,
        Self::Approved,
        Self::Denied,
        Self::Withdrawn,
        Self::Lapsed,
        Self::Refused,
        Self::Open,
        Self::Done,
        Self::Due,
        Self::Overdue,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::Done => "done",
            Self::Due => "due",
            Self::Overdue => "overdue",
        }
    }

    /// Whether somebody or something still has to do with it.
    pub(super) fn is_unfinished(self) -> bool {
        matches!(self, Self::Waiting | Self::Approved | Self::Open | Self::Due | Self::Overdue)
    }
}

/// Where a change stands, as far as is recorded.
pub(super) fn of_change(record: &Record, now: Timestamp) -> Standing {
    let Some(end) = &record.end else { return Standing::Open };
    let is_taken = record.undone_by.is_some() || record.ended_by.is_some() || record.over.is_some();
    if is_taken {
        return Standing::Done;
    }
    if record.has_left_something() && record.is_over(now) {
        let keeps = [&record.overdue, &record.held_by, &record.damage];
        return match keeps.iter().any(|kept| kept.is_some()) {
            true => Standing::Overdue,
            false => Standing::Due,
        };
    }
    match end.outcome {
        _ if end.unseen => Standing::Open,
        Outcome::Unknown | Outcome::Unconfirmed | Outcome::PendingVendorApproval => Standing::Open,
        outcome => standing_of(outcome),
    }
}

/// Where something stands whose end is known.
fn standing_of(outcome: Outcome) -> Standing {
    match outcome {
        Outcome::Refused | Outcome::Rejected | Outcome::Unavailable | Outcome::Invalid => {
            Standing::Refused
        }
        _ => Standing::Done,
    }
}

/// Where a question stands.
pub(super) fn of_request(request: &Request) -> Standing {
    let answered = request.answered.as_ref();
    let is_a_persons = answered.is_none_or(|answered| answered.how.is_a_persons());
    match request.state {
        State::Waiting => Standing::Waiting,
        State::Approved => Standing::Approved,
        // A signature that does not hold is nobody's no.
        State::Denied if !is_a_persons => Standing::Refused,
        State::Denied => Standing::Denied,
        State::Withdrawn | State::Moved => Standing::Withdrawn,
        State::Unasked | State::Lapsed | State::Broken => Standing::Lapsed,
        State::Spent => match &request.concluded {
            Some(concluded) if concluded.followed_by.is_some() => Standing::Withdrawn,
            Some(concluded) => standing_of(concluded.outcome),
            // A yes that was taken is gone, whatever came of it.
            None => Standing::Lapsed,
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A change that ended so, or is open.
    pub fn change(outcome: Option<&str>, more: &Value) -> Record {
        let named = json!({ "id": "x", "kind": "user" });
        let mut open = json!({ "event": "open", "receipt": "gr-1", "time": "2027-01-01T00:00:00Z",
            "requester": "ada", "process": "p", "vendor": "dfns", "tenant": "t", "tool": "t",
            "summary": "s", "arguments": {}, "before": [], "conclusive": true,
            "wanted": { "principal": named, "role": named, "resource": named, "scope": "s" } });
        crate::json::extend(&mut open, more.clone());
        let mut lines = vec![open];
        lines.extend(outcome.map(|outcome| {
            let unseen = outcome == "unseen";
            let outcome = if unseen { "unconfirmed" } else { outcome };
            json!({ "event": "close", "outcome": outcome, "after": [], "unseen": unseen })
        }));
        Record::of(&lines).unwrap()
    }

    #[test]
    fn a_change_stands_in_one_way() {
        let (ends, now) = ("2027-02-01T00:00:00Z", |text: &str| text.parse().unwrap());
        let (early, late) = (now("2027-01-15T00:00:00Z"), now("2027-02-02T00:00:00Z"));
        let timed = json!({ "expires_at": ends });
        type Edit = fn(&mut Record);
        let as_it_is: Edit = |_| ();
        let cases: [(Option<&str>, Edit, Standing, Standing); 14] = [
            (None, as_it_is, Standing::Open, Standing::Open),
            (Some("confirmed"), as_it_is, Standing::Done, Standing::Due),
            (Some("mismatch"), as_it_is, Standing::Done, Standing::Due),
            (Some("unknown"), as_it_is, Standing::Open, Standing::Due),
            (Some("unseen"), as_it_is, Standing::Open, Standing::Due),
            (Some("pending_vendor_approval"), as_it_is, Standing::Open, Standing::Due),
            (Some("rejected"), as_it_is, Standing::Refused, Standing::Refused),
            (Some("unavailable"), as_it_is, Standing::Refused, Standing::Refused),
            (
                Some("confirmed"),
                |record| record.overdue = Some("w".to_owned()),
                Standing::Done,
                Standing::Overdue,
            ),
            (
                Some("confirmed"),
                |record| record.held_by = Some("gr-2".to_owned()),
                Standing::Done,
                Standing::Overdue,
            ),
            (
                Some("confirmed"),
                |record| record.damage = Some("w".to_owned()),
                Standing::Done,
                Standing::Overdue,
            ),
            (
                Some("confirmed"),
                |record| record.ended_by = Some("gr-2".to_owned()),
                Standing::Done,
                Standing::Done,
            ),
            (
                Some("unknown"),
                |record| record.undone_by = Some("gr-2".to_owned()),
                Standing::Done,
                Standing::Done,
            ),
            (
                Some("confirmed"),
                |record| record.over = Some("gone".to_owned()),
                Standing::Done,
                Standing::Done,
            ),
        ];
        for (outcome, edit, before, after) in cases {
            let mut record = change(outcome, &timed);
            edit(&mut record);
            assert_eq!(of_change(&record, early), before, "{outcome:?} before its end");
            assert_eq!(of_change(&record, late), after, "{outcome:?} after its end");
        }
    }
}
