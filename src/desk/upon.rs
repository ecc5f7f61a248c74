//! What a change of a set meets that others of the set come before: the access as those are to leave it.

use super::prepare::{Next, Prepared};
use super::task::Task;
use crate::access::Access;
use crate::failure::Failure;
use crate::tools::Snapshot;

/// A task that rests on one that is left out, as one that is left out too.
pub(super) fn left_out<'t>(task: &'t Task<'t>, earlier: &[&Prepared<'_>]) -> Option<Prepared<'t>> {
    let is_under =
        |one: &&&Prepared<'_>| one.conflict().is_some() && task.meets(one.task.step.wanted());
    let under = earlier.iter().find(is_under)?.task.step.summary();
    let failure = Failure::refused(format!("it rests on a change that is left out: {under}"))
        .hint("ask for it again when that is settled");
    Some(Prepared::stands_against(task, failure))
}

impl Task<'_> {
    /// Whether it is made with the other done: what is made in another's place is not, nor after what is
    /// not to be made.
    pub(super) fn comes_after(&self, other: &Self) -> bool {
        let is_in_its_place = self.request.is_fallback && other.item + 1 == self.item;
        !other.request.is_fallback && !is_in_its_place
    }

    /// What there will be where this one writes, once the earlier ones of its set are done; and whether
    /// they have a part in it.
    pub(super) fn upon(&self, mut now: Snapshot, earlier: &[&Prepared<'_>]) -> (Snapshot, bool) {
        let mut is_upon_others = false;
        for intent in earlier.iter().filter_map(|one| one.next.intent()) {
            let differs = |rows: &[Access], others: &[Access]| -> Vec<Access> {
                let own = |row: &&Access| {
                    self.meets(row) && !others.iter().any(|other| other.is_still(row))
                };
                rows.iter().filter(own).cloned().collect()
            };
            let gone = differs(&intent.before, &intent.after);
            let come = differs(&intent.after, &intent.before);
            is_upon_others |= !gone.is_empty() || !come.is_empty();
            now.rows.retain(|row| !gone.iter().any(|gone| gone.is(row)));
            now.rows.extend(come);
        }
        (now, is_upon_others)
    }
}

impl<'t> Prepared<'t> {
    /// A task that something stands against; what there is was not kept.
    pub(super) fn stands_against(task: &'t Task<'t>, failure: Failure) -> Self {
        let (before, next) = (Snapshot::default(), Next::Conflict(failure));
        Self { task, before, next, is_upon_others: false, denied: None }
    }
}
