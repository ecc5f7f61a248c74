//! How a command ends: 0 done, 3 not finished, 1 failed or left undone.

use std::process::ExitCode;

use super::paint;
use crate::desk::MaintenanceReport;
use crate::ledger::{Trouble, describe};

/// The status of a command that did several things: what failed outweighs what is not finished, and
/// that what is done.
pub(super) fn worst(statuses: impl IntoIterator<Item = u8>) -> ExitCode {
    let weight = |status: &u8| match status {
        0 => 0,
        3 => 1,
        _ => 2,
    };
    ExitCode::from(statuses.into_iter().max_by_key(weight).unwrap_or_default())
}

/// The status where this much of the ledger cannot be acted on.
pub(super) fn of(troubles: &[Trouble]) -> u8 {
    u8::from(!troubles.is_empty())
}

/// The status of a command that did this maintenance, and could tell of it or not.
pub(super) fn reports(
    reports: &[MaintenanceReport],
    troubles: &[Trouble],
    is_told: bool,
) -> ExitCode {
    worst(
        reports
            .iter()
            .map(MaintenanceReport::exit_status)
            .chain([of(troubles), u8::from(!is_told)]),
    )
}

/// Says what in the ledger cannot be acted on, and what to do about it.
pub(super) fn tell(troubles: &[Trouble]) {
    for sentence in describe(troubles) {
        paint::complain(&format!("ledger  {sentence}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_outweighs_what_is_not_finished() {
        for (statuses, expected) in
            [(&[][..], 0), (&[0, 0], 0), (&[0, 3, 0], 3), (&[3, 1], 1), (&[1, 3, 0], 1)]
        {
            let worst = worst(statuses.iter().copied());
            assert_eq!(worst, ExitCode::from(expected), "{statuses:?}");
        }
    }
}
