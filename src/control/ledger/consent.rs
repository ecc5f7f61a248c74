//! What becomes of a person's yes: one pure function, [`State::after`].
//!
//! ```text
//! Unasked ── asked ──▶ Waiting ── approved ──▶ Approved ── taken ──▶ Spent
//!                         │                       │
//!                         └── denied, withdrawn, moved, lapsed, or a break in the ledger ──▶ gone
//! ```
//!
//! A yes is taken before anything is looked at again, and from then on it is gone, whatever comes of
//! it. What restricts counts however it came about; what gives counts only where every line since
//! the question holds.

use super::Decision;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Nobody was asked under this receipt.
    Unasked,
    Waiting,
    Approved,
    Denied,
    Withdrawn,
    /// The access changed since it was asked.
    Moved,
    /// Its yes was taken: for one change, once, whatever became of it.
    Spent,
    /// Nobody answered in time, or the approval was not taken in time.
    Lapsed,
    /// The ledger was damaged after it was asked: it has to be asked anew.
    Broken,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    Asked,
    Answered(Decision),
    /// Somebody said yes, and it takes the yes of others too.
    AnsweredInPart,
    /// Several changes were begun as one about which nobody had to be asked.
    Begun,
    /// A process took the yes, to carry it out.
    Spent,
    Opened,
    Closed,
    Found,
    Lapsed,
    /// Whoever looks, with the yes or without it, finds the access as it is wanted.
    AlreadySo,
    PolicyDenied,
    AllowedUnasked,
    /// Whoever carries the yes finds that it was for something else.
    MovedSince,
    /// Another change of the same access was sent: the yes is taken as any other, and is good for
    /// a new question alone.
    Overtaken,
    /// A process that asks for another tenant, or judges by another policy, comes across it.
    OtherTenant,
    OtherPolicy,
    LineDamaged,
    LinesCut,
    LinesReordered,
    LineRepeated,
    IndexEdited,
    IndexGone,
    /// A process without the ledger's key comes across it.
    OtherKey,
    NoKey,
}

impl State {
    /// What becomes of a request. Pure.
    #[must_use]
    pub fn after(self, event: Event) -> Self {
        match (self, event) {
            (Self::Unasked, Event::Asked) => Self::Waiting,
            (Self::Unasked, Event::Begun) => Self::Spent,
            (Self::Unasked, _) => Self::Unasked,
            (Self::Waiting, Event::Answered(Decision::Approved)) => Self::Approved,
            (Self::Approved, Event::Spent) => Self::Spent,
            // What was not used yet can still be taken back.
            (Self::Waiting | Self::Approved, Event::Answered(Decision::Denied)) => Self::Denied,
            (Self::Waiting | Self::Approved, Event::Answered(Decision::Withdrawn)) => {
                Self::Withdrawn
            }
            (Self::Waiting | Self::Approved, Event::Answered(Decision::Moved)) => Self::Moved,
            (Self::Waiting | Self::Approved, Event::Lapsed) => Self::Lapsed,
            // What was sent without its yes being taken used it up all the same.
            (Self::Approved, Event::Opened | Event::Closed | Event::Found) => Self::Spent,
            // Lines that no program wrote in this order say that some are missing.
            (Self::Waiting, Event::Spent | Event::Opened | Event::Closed | Event::Found) => {
                Self::Broken
            }
            (Self::Waiting | Self::Approved, Event::Asked | Event::Begun) => Self::Broken,
            (Self::Approved, Event::Answered(Decision::Approved) | Event::AnsweredInPart) => {
                Self::Broken
            }
            (Self::Waiting | Self::Approved, event) if event.is_break() => Self::Broken,
            // Whoever cannot carry it leaves it to those who can, and an index decides nothing.
            (state, _) => state,
        }
    }

    /// Whether a decision may still be recorded. Nothing is approved twice.
    pub fn takes(self, decision: Decision) -> bool {
        match self {
            Self::Waiting => true,
            Self::Approved => decision != Decision::Approved,
            _ => false,
        }
    }

    /// Whether somebody may still act on it: it waits, or its yes was not taken.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Approved)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Moved => "moved",
            Self::Spent => "spent",
            Self::Lapsed => "lapsed",
            Self::Broken => "broken",
        }
    }

    /// After "the request".
    pub fn words(self) -> &'static str {
        match self {
            Self::Unasked => "was never asked",
            Self::Waiting => "still waits for an answer",
            Self::Approved => "is approved already",
            Self::Denied => "was denied",
            Self::Withdrawn => "was withdrawn",
            Self::Moved => "was overtaken: the access changed since it was asked",
            Self::Spent => "was approved, and its approval was taken already",
            Self::Lapsed => "has lapsed",
            Self::Broken => "cannot be relied on: the ledger was damaged after it was asked",
        }
    }
}

impl Event {
    /// Whether lines that followed the question may be missing or made up.
    pub fn is_break(self) -> bool {
        matches!(
            self,
            Self::LineDamaged | Self::LinesCut | Self::LinesReordered | Self::LineRepeated
        )
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 9] = [
        State::Unasked,
        State::Waiting,
        State::Approved,
        State::Denied,
        State::Withdrawn,
        State::Moved,
        State::Spent,
        State::Lapsed,
        State::Broken,
    ];

    /// The letters stand for the states, in their order; a dot for one that stays as it is.
    const TABLE: [(&str, Event, &str); 26] = [
        ("asked", Event::Asked, "WBB......"),
        ("answered: approved", Event::Answered(Decision::Approved), ".AB......"),
        ("answered: approved by one of several", Event::AnsweredInPart, "..B......"),
        ("answered: denied", Event::Answered(Decision::Denied), ".DD......"),
        ("withdrawn", Event::Answered(Decision::Withdrawn), ".XX......"),
        ("overtaken", Event::Answered(Decision::Moved), ".MM......"),
        ("spent", Event::Spent, ".BS......"),
        ("opened", Event::Opened, ".BS......"),
        ("closed", Event::Closed, ".BS......"),
        ("found", Event::Found, ".BS......"),
        ("lapsed", Event::Lapsed, ".LL......"),
        ("already so", Event::AlreadySo, "........."),
        ("denied by a policy", Event::PolicyDenied, "........."),
        ("allowed without asking", Event::AllowedUnasked, "........."),
        ("moved", Event::MovedSince, "........."),
        ("another change of the same access", Event::Overtaken, "........."),
        ("another tenant", Event::OtherTenant, "........."),
        ("another policy", Event::OtherPolicy, "........."),
        ("a line damaged", Event::LineDamaged, ".BB......"),
        ("lines cut", Event::LinesCut, ".BB......"),
        ("lines reordered", Event::LinesReordered, ".BB......"),
        ("a line repeated", Event::LineRepeated, ".BB......"),
        ("the index edited", Event::IndexEdited, "........."),
        ("the index gone", Event::IndexGone, "........."),
        ("another key", Event::OtherKey, "........."),
        ("no key", Event::NoKey, "........."),
    ];

    fn letter(state: State) -> char {
        match state {
            State::Unasked => 'U',
            State::Waiting => 'W',
            State::Approved => 'A',
            State::Denied => 'D',
            State::Withdrawn => 'X',
            State::Moved => 'M',
            State::Spent => 'S',
            State::Lapsed => 'L',
            State::Broken => 'B',
        }
    }

    #[test]
    fn what_somebody_may_still_act_on_is_what_can_still_be_said_no_to() {
        for state in STATES {
            let expected = [State::Waiting, State::Approved].contains(&state);
            assert_eq!(state.is_live(), expected, "{state:?}");
            assert_eq!(state.takes(Decision::Denied), expected, "{state:?}");
        }
    }

    #[test]
    fn every_state_after_every_event() {
        for (what, event, row) in TABLE {
            for (state, cell) in STATES.into_iter().zip(row.chars()) {
                let expected = if cell == '.' { letter(state) } else { cell };
                let is = letter(state.after(event));
                assert_eq!(is, expected, "{} after {what}", state.as_str());
            }
        }
    }

    #[test]
    fn what_is_gone_never_comes_back() {
        let live = [State::Unasked, State::Waiting, State::Approved];
        for state in STATES.into_iter().filter(|state| !live.contains(state)) {
            for (what, event, _) in TABLE {
                assert_eq!(state.after(event), state, "{} after {what}", state.as_str());
            }
            let all = [Decision::Approved, Decision::Denied, Decision::Withdrawn, Decision::Moved];
            assert!(!all.into_iter().any(|decision| state.takes(decision)), "{state:?}");
        }
    }

    #[test]
    fn one_way_leads_to_a_yes() {
        for state in STATES {
            for (what, event, _) in TABLE {
                let gives = state != State::Approved && state.after(event) == State::Approved;
                let is_yes = event == Event::Answered(Decision::Approved);
                assert_eq!(gives, state == State::Waiting && is_yes, "{state:?} after {what}");
            }
        }
    }

    /// The page for people says of every cell what the function does.
    #[test]
    fn the_table_in_the_security_page_is_this_one() {
        let page = include_str!("../../../SECURITY.md");
        for (what, _, row) in TABLE {
            let cells: Vec<_> = STATES
                .into_iter()
                .zip(row.chars())
                .skip(1)
                .map(|(state, cell)| {
                    let to = STATES.into_iter().find(|to| letter(*to) == cell).unwrap_or(state);
                    if to == state { "·".to_owned() } else { to.as_str().to_owned() }
                })
                .collect();
            let line = format!("| {what} | {} |", cells.join(" | "));
            assert!(page.contains(&line), "SECURITY.md lacks: {line}");
        }
    }
}
