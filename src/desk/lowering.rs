//! What a tool that sets access takes away by it, in words.

use std::cmp::Ordering;

use crate::access::Access;
use crate::intent::{Shift, replaced};
use crate::tools::Step;

/// A sentence for each who has less, or something else, where they had something.
pub(super) fn of(step: &dyn Step, before: &[Access], after: &[Access]) -> Vec<String> {
    let lowered = replaced(before, after).into_iter().filter_map(|(was, is)| {
        let lost = step.goes(was, is);
        let what = match (step.against(was, is), &lost) {
            (Some(Ordering::Less), _) => "access is lowered",
            (None, Some(_)) => "some of the access is taken away",
            (None, None) | (Some(Ordering::Equal | Ordering::Greater), _) => return None,
        };
        let lost = lost.map(|lost| format!("; lost is {lost}")).unwrap_or_default();
        Some(format!("{what}: {}{lost}", from_to(was, is)))
    });
    lowered.collect()
}

/// The change as what it does.
pub(super) fn summary(
    step: &dyn Step,
    shift: Shift,
    before: &[Access],
    after: &[Access],
) -> String {
    let set = step.difference(before, after).unwrap_or_else(|| step.summary());
    match (shift, replaced(before, after).as_slice()) {
        (Shift { gives: false, takes: true }, [(was, is)]) if after.len() == before.len() => {
            format!("lower access: {}", from_to(was, is))
        }
        (Shift { gives: false, takes: true }, _) => format!("lower access: {set}"),
        (Shift { gives: true, takes: true }, pairs)
            if pairs.iter().any(|(was, is)| step.goes(was, is).is_some()) =>
        {
            format!("{set}, and take some of the access away")
        }
        _ => set,
    }
}

fn from_to(was: &Access, is: &Access) -> String {
    let (who, place) = (was.principal.label(), was.resource.label());
    format!("{who} on {place}: {} → {}", was.role.said(), is.role.said())
}
