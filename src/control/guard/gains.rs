//! Who has more after a change than before, and whether nobody has.

use jiff::Timestamp;

use crate::access::{Access, Named};
use crate::intent::{Cause, Effect, Intent, replaced};

/// Everybody who has more afterwards, or has it for longer.
pub(super) fn gaining<'i>(intent: &'i Intent) -> Vec<&'i Named> {
    let mut all: Vec<&Named> = Vec::new();
    let mut add = |named: &'i Named| {
        if !all.iter().any(|known| known.id == named.id && known.kind == named.kind) {
            all.push(named);
        }
    };
    if intent.rows.is_empty() {
        if extends(intent) {
            add(&intent.wanted.principal);
        }
        intent.after.iter().filter(|row| is_more(intent, row)).for_each(|row| add(&row.principal));
        if !intent.upon.is_empty() {
            // The end of what is replaced is the ledger's to know: what comes may well outlast it.
            let pairs = replaced(&intent.before, &intent.after);
            pairs.into_iter().for_each(|(_, row)| add(&row.principal));
        }
    } else {
        let gains = intent.rows.iter().filter(|row| row.effect == Effect::Grant);
        gains.for_each(|row| add(&row.wanted.principal));
        let longer = intent.after.iter().filter(|row| stands(intent, row).is_some());
        longer.filter(|row| is_more(intent, row)).for_each(|row| add(&row.principal));
    }
    all
}

/// Whether nobody has more afterwards, as far as that can be known: not where what there was before was
/// not read whole.
pub(super) fn narrows(intent: &Intent) -> bool {
    let outlasts = !intent.upon.is_empty() && !replaced(&intent.before, &intent.after).is_empty();
    intent.conclusive && !extends(intent) && !outlasts && gaining(intent).is_empty()
}

/// Whether it is there for longer. An end that comes sooner gives nothing.
fn extends(intent: &Intent) -> bool {
    matches!(intent.cause, Cause::Extension(_)) && !intent.lowering
}

/// The row as it stood before.
fn stands<'i>(intent: &'i Intent, row: &Access) -> Option<&'i Access> {
    intent.before.iter().find(|was| row.is(was))
}

fn is_more(intent: &Intent, row: &Access) -> bool {
    match stands(intent, row) {
        Some(was) => {
            let places = was.scope != row.scope || was.within != row.within || was.via != row.via;
            places || ends_later(was, row) || begins_sooner(was, row)
        }
        // In whose place less came is what the step knows of its levels.
        None => {
            let pairs = replaced(&intent.before, &intent.after);
            intent.shift.gives || !pairs.iter().any(|(_, is)| std::ptr::eq(*is, row))
        }
    }
}

fn ends_later(was: &Access, is: &Access) -> bool {
    is_later(was.expires_at.as_deref(), is.expires_at.as_deref())
}

/// Access that has not begun is none yet.
fn begins_sooner(was: &Access, is: &Access) -> bool {
    match (&was.starts_at, &is.starts_at) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(was), Some(is)) => was != is && is_later(Some(is), Some(was)),
    }
}

/// Whether the second end is the later one; what is no time cannot be told to be sooner.
fn is_later(was: Option<&str>, is: Option<&str>) -> bool {
    match (was, is) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(was), Some(is)) if was == is => false,
        (Some(was), Some(is)) => match (was.parse::<Timestamp>(), is.parse::<Timestamp>()) {
            (Ok(was), Ok(is)) => is > was,
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Supposed;
    use crate::intent::{JudgedPart, Shift};

    /// "WHO WHAT END", "-" where there is none; "~" before it where it is elsewhere than usual.
    fn row(text: &str) -> Access {
        let (text, scope) = text.strip_prefix('~').map_or((text, "asset"), |text| (text, "all"));
        let mut words = text.split(' ');
        let mut next = || words.next().unwrap_or("-");
        let [who, what, end] = [next(), next(), next()];
        let named = |id: &str| Named::new(id, None, "user");
        let end =
            Some(end).filter(|end| *end != "-").map(|hour| format!("2026-07-04T{hour}:00:00Z"));
        Access { expires_at: end, ..Access::of(named(who), named(what), named("it"), scope) }
    }

    struct Change {
        before: &'static [&'static str],
        after: &'static [&'static str],
        gives: bool,
        conclusive: bool,
        upon: bool,
        cause: Cause,
    }

    const PLAIN: Change = Change {
        before: &[],
        after: &[],
        gives: false,
        conclusive: true,
        upon: false,
        cause: Cause::Request,
    };

    fn intent(change: &Change) -> Intent {
        let now = "2026-07-04T00:00:00Z".parse().unwrap();
        let rows = |rows: &[&str]| rows.iter().map(|text| row(text)).collect();
        Intent {
            before: rows(change.before),
            after: rows(change.after),
            wanted: row("ana wanted"),
            shift: Shift { gives: change.gives, takes: true },
            conclusive: change.conclusive,
            upon: change.upon.then(|| "gr-1".to_owned()).into_iter().collect(),
            cause: change.cause.clone(),
            ..Supposed::default().intent("set_project_acl", now).unwrap()
        }
    }

    #[test]
    fn who_has_more_afterwards_is_told_by_ids_scope_and_end() {
        let extension = || Cause::Extension("gr-1".to_owned());
        for (change, gaining, narrows) in [
            (Change { after: &["ana r"], gives: true, ..PLAIN }, "ana", false),
            (Change { before: &["ana r"], ..PLAIN }, "", true),
            (Change { before: &["ana r"], conclusive: false, ..PLAIN }, "", false),
            (Change { before: &["ana r", "bo r"], after: &["bo r"], ..PLAIN }, "", true),
            (Change { before: &["ana r"], after: &["ana s"], gives: true, ..PLAIN }, "ana", false),
            // The step says that what comes in its place is less.
            (Change { before: &["ana r"], after: &["ana s"], ..PLAIN }, "", true),
            (Change { before: &["ana r"], after: &["ana s"], upon: true, ..PLAIN }, "ana", false),
            (Change { before: &["ana r"], upon: true, ..PLAIN }, "", true),
            (Change { before: &["ana r 10"], after: &["ana r 12"], ..PLAIN }, "ana", false),
            (Change { before: &["ana r 10"], after: &["ana r"], ..PLAIN }, "ana", false),
            (Change { before: &["ana r 12"], after: &["ana r 10"], ..PLAIN }, "", true),
            (Change { before: &["ana r"], after: &["ana r 10"], ..PLAIN }, "", true),
            (Change { before: &["ana r"], after: &["~ana r"], ..PLAIN }, "ana", false),
            (
                Change { before: &["ana r"], after: &["ana r"], cause: extension(), ..PLAIN },
                "ana",
                false,
            ),
            (
                Change {
                    before: &["ana r", "bo r"],
                    after: &["bo r", "cy r"],
                    gives: true,
                    ..PLAIN
                },
                "cy",
                false,
            ),
        ] {
            let intent = intent(&change);
            let found: Vec<_> =
                super::gaining(&intent).iter().map(|named| named.id.as_str()).collect();
            assert_eq!(found.join(" "), gaining, "{:?} {:?}", change.before, change.after);
            assert_eq!(super::narrows(&intent), narrows, "{:?} {:?}", change.before, change.after);
        }
    }

    #[test]
    fn of_several_each_gains_or_loses_by_their_own_row() {
        let part = |who: &str, effect| JudgedPart {
            effect,
            wanted: row(who),
            privileged: None,
            contains: Vec::new(),
            own: false,
        };
        let gains = |parts: &[(&str, Effect)]| {
            let rows = parts.iter().map(|(who, effect)| part(who, *effect)).collect();
            let intent = Intent { rows, ..intent(&PLAIN) };
            let found: Vec<_> =
                gaining(&intent).into_iter().map(|named| named.id.clone()).collect();
            (found.join(" "), narrows(&intent))
        };
        let (give, take) = (Effect::Grant, Effect::Revoke);
        assert_eq!(gains(&[("ana r", give), ("bo r", take)]), ("ana".to_owned(), false));
        assert_eq!(gains(&[("ana r", take), ("bo r", take)]), (String::new(), true));
        assert_eq!(gains(&[("ana r", give), ("ana s", give)]), ("ana".to_owned(), false));
    }
}
