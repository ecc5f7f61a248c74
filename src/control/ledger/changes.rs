//! Which changes a ledger is asked for.

use jiff::Timestamp;

use super::whose::Whose;

/// Which changes are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    /// Those that may have left something behind, whose time has come by then, and that nothing has taken
    /// back; the earliest end first.
    Due(Timestamp),
    /// The same, and after them those that were opened before then and have no end.
    DueOrOpen(Timestamp),
    /// Those that were opened or extended since then, and those that are open or overdue whenever that was;
    /// the newest first.
    Recent(Timestamp),
    /// Those that may have left something behind, that nothing has taken back, and whose end is after the
    /// first and not after the second; the earliest end first.
    Ending(Timestamp, Timestamp),
    /// The last one of a tenant's `[principal, role, resource]`, by ids, that stands and has an end.
    Timed(Whose, [String; 3]),
    /// Those that were to undo or to end the change of this receipt, the oldest first.
    Takers(String),
    /// Those of what a principal of a tenant, by id, has access to, opened since then, that have not shown;
    /// the newest first.
    UnseenSince(Timestamp, Whose, String),
}

impl Changes {
    /// Whether what finds them has to be checked first: nobody would look at one that it leaves out.
    pub(super) fn are_looked_after(&self) -> bool {
        match self {
            Self::Due(_) | Self::DueOrOpen(_) => true,
            Self::Recent(_)
            | Self::Ending(..)
            | Self::Timed(..)
            | Self::Takers(_)
            | Self::UnseenSince(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_to_look_after_is_never_left_to_an_index() {
        let (now, receipt) = (Timestamp::UNIX_EPOCH, || "gr-1".to_owned());
        for (find, is) in [
            (Changes::Due(now), true),
            (Changes::DueOrOpen(now), true),
            (Changes::Recent(now), false),
            (Changes::Ending(now, now), false),
            (Changes::Timed(Whose::nobody(), [(); 3].map(|()| receipt())), false),
            (Changes::Takers(receipt()), false),
            (Changes::UnseenSince(now, Whose::nobody(), receipt()), false),
        ] {
            assert_eq!(find.are_looked_after(), is, "{find:?}");
        }
    }
}
