//! Lines one after the other, and whether each holds.

use super::chain::{Keys, LinePosition, Link, Unsealed};

/// Follows the chain from line to line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Follow {
    /// The last line that held its seal: nothing is built on any other.
    pub last: Option<Link>,
    /// It begins in the middle of a ledger.
    is_part: bool,
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Seen {
    /// No whole entry: a writer died over it.
    Unreadable,
    /// Not the ledger's own, and the place that it says it has.
    Unsealed(Option<LinePosition>, Unsealed),
    /// One of the ledger's own; whether it comes right after the one before it.
    Sealed(LinePosition, Result<(), Gap>),
}

/// How a line does not follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    after: u64,
    seq: u64,
}

impl Follow {
    pub(super) fn after(last: Link) -> Self {
        Self { last: Some(last), is_part: false }
    }

    /// From a line in the middle on.
    pub(super) fn part() -> Self {
        Self { last: None, is_part: true }
    }

    /// Looks at the next line, given without its end.
    pub(super) fn take(&mut self, line: &str, keys: &Keys) -> Seen {
        let Some(place) = LinePosition::of(line) else {
            // Whoever dies over a line leaves a part of it.
            let is_whole = serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
            return if is_whole { Seen::Unsealed(None, Unsealed::PutIn) } else { Seen::Unreadable };
        };
        if let Err(why) = keys.check(line) {
            return Seen::Unsealed(Some(place), why);
        }
        let follows = match &self.last {
            Some(last) => place.follows(last),
            None => self.is_part || place.follows(&Link::start()),
        };
        let after = self.last.as_ref().map_or(0, |last| last.seq);
        self.last = Some(place.link(line));
        let gap = Gap { after, seq: place.seq };
        Seen::Sealed(place, if follows { Ok(()) } else { Err(gap) })
    }
}

impl Gap {
    pub(super) fn words(self) -> String {
        let Self { after, seq } = self;
        if after == 0 && seq > 1 {
            format!("is number {seq}, and the first that is here: what came before it is missing")
        } else if seq > after + 1 {
            format!("is number {seq} after {after}: lines are missing")
        } else if seq <= after {
            format!("is number {seq} after {after}: it was put in or moved")
        } else {
            "does not follow the line before it: that one was changed, or this one put in its place"
                .to_owned()
        }
    }
}

impl Unsealed {
    pub(super) fn words(&self) -> String {
        match self {
            Self::UnknownKey(key) => {
                let key = crate::text::clean(key);
                format!("is sealed under key {key}, which is not among those given")
            }
            Self::PutIn => "is no line of a ledger, and was put in".to_owned(),
            Self::Unreadable => "has no seal".to_owned(),
            Self::Forged => {
                "was changed, or written without the key: it does not hold its seal".to_owned()
            }
        }
    }
}
