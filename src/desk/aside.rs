//! What is no part of a set although its call is about it: what cannot be done from here, and what is not
//! known. The word for the whole counts both.

use super::answer::phrase;
use super::body::{Changed, LeftOut, Of, Problem};
use super::step_result::StepResult;
use crate::access::Outcome;
use crate::failure::Failure;
use crate::text;
use crate::tools::Wholesale;
use crate::vendors::Tenant;

/// What stands beside the changes of a set.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    pub(super) left_out: Vec<LeftOut>,
    pub(super) not_known: Vec<Problem>,
    /// Where somebody is known, and there is nothing to do.
    pub(super) idle: Vec<Of>,
}

/// As many of either as a question tells.
const MOST_TOLD: usize = 20;

impl Aside {
    /// Puts a change aside that came to nothing before it was sent: whoever waits may have it yet, or a
    /// person must do something.
    pub(super) fn put(&mut self, of: Of, summary: String, failure: &Failure) {
        if failure.outcome() == Outcome::Unavailable {
            let told =
                Failure { message: format!("{summary}: {}", failure.message), ..failure.clone() };
            self.not_known.push(problem(of, &told));
            return;
        }
        let hint = Some(failure.next_step().to_owned());
        self.left_out.push(LeftOut { of, summary, why: failure.message.clone(), hint });
    }

    /// The same of a step that the road set aside.
    pub(super) fn put_step(&mut self, of: Of, item: StepResult) {
        let StepResult { outcome, summary, note, hint, .. } = item;
        let why = note.unwrap_or_default();
        if outcome == Outcome::Unavailable {
            let hint = hint.unwrap_or_else(|| "call again later".to_owned());
            let (kind, message) = ("unavailable".into(), format!("{summary}: {why}"));
            self.not_known.push(Problem { of, kind, message, hint, candidates: Vec::new() });
            return;
        }
        self.left_out.push(LeftOut { of, summary, why, hint });
    }

    /// What a person reads of it who is asked about the rest.
    pub(super) fn lines(&self) -> Vec<String> {
        let out = self.left_out.iter();
        let out =
            out.map(|one| format!("Left out: {} — {}: {}", one.summary, at(&one.of), one.why));
        let unknown = self.not_known.iter();
        let unknown = unknown.map(|one| format!("Not known: {}: {}", at(&one.of), one.message));
        told(out.collect(), "Left out").chain(told(unknown.collect(), "Not known")).collect()
    }

    /// Whether something could not be read that may be read later.
    fn is_unread(&self) -> bool {
        self.not_known.iter().any(|one| !matches!(&*one.kind, NOT_LISTABLE | NOT_FOUND))
    }

    /// Whether there may be something that nobody is shown.
    fn is_unseen(&self) -> bool {
        self.not_known.iter().any(|one| one.kind == NOT_LISTABLE || !one.is_certain())
    }

    /// The word for the whole, by that for what was done; none where nothing was to be done. Pure.
    fn outcome(&self, of: Wholesale, done: Option<Outcome>) -> Outcome {
        let removes = of == Wholesale::Removed;
        let is_left = !self.left_out.is_empty();
        match done {
            Some(done) if done.is_error() => done,
            Some(done @ (Outcome::AwaitingConsent | Outcome::Preview)) => done,
            Some(_) if self.is_unread() || removes && is_left => Outcome::PartlyDone,
            Some(done) if removes && self.is_unseen() => done.max(Outcome::Unconfirmed),
            Some(done) => done,
            None if self.is_unread() => Outcome::Unavailable,
            None if is_left => Outcome::Refused,
            None if removes && self.is_unseen() => Outcome::Unconfirmed,
            None if removes => Outcome::AlreadyAbsent,
            None => Outcome::AlreadyPresent,
        }
    }

    /// What stays or is not known, before anything else is said of a removal. Pure.
    fn first_sentences(&self) -> Vec<String> {
        let left = self.left_out.first().map(|one| {
            let more = self.left_out.len() - 1;
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            format!(
                "Access is left that cannot be taken here: {} at {}{more}",
                one.summary,
                at(&one.of)
            )
        });
        left.into_iter().chain(self.unknown("What is held at", "is not all known")).collect()
    }

    fn idle_at(&self, of: Wholesale) -> Option<String> {
        let what = if of == Wholesale::Removed {
            "Nothing is held at"
        } else {
            "There is nothing to copy at"
        };
        let places: Vec<_> = self.idle.iter().map(at).collect();
        (!places.is_empty()).then(|| format!("{what} {}", places.join(", ")))
    }

    fn unknown(&self, before: &str, after: &str) -> Option<String> {
        let unknown = self.not_known.iter().filter(|one| !one.is_certain());
        let mut places: Vec<_> = unknown.map(|one| at(&one.of)).collect();
        places.dedup();
        (!places.is_empty()).then(|| format!("{before} {} {after}", places.join(", ")))
    }
}

impl Problem {
    /// Whether nobody is known there, and nobody either who may be meant.
    fn is_certain(&self) -> bool {
        self.kind == NOT_FOUND && self.candidates.is_empty()
    }
}

impl Changed {
    /// The answer to a set that a call came to without naming its changes.
    pub(super) fn beside(mut self, of: Wholesale, aside: Aside) -> Self {
        let done = (!self.items.is_empty()).then_some(self.outcome);
        let outcome = aside.outcome(of, done);
        let word = phrase(outcome);
        let sentence = match done {
            Some(done) => self.summary.replacen(phrase(done), word, 1),
            None if outcome == Outcome::Unconfirmed => UNSEEN.to_owned(),
            None => format!("{word}: {}", nothing(of, &aside)),
        };
        let mut sentences = match of {
            Wholesale::Removed => aside.first_sentences(),
            Wholesale::Copied => Vec::new(),
        };
        sentences.push(sentence);
        if of == Wholesale::Copied {
            let out = aside.left_out.len();
            sentences.extend((out > 0).then(|| format!("Left out, and told why: {out}")));
            sentences.extend(aside.unknown("What there is to copy at", "is not all known"));
        }
        sentences.extend(aside.idle_at(of));
        if outcome != self.outcome || done.is_none() {
            self.hint = next_step(outcome, &aside);
        }
        self.outcome = outcome;
        self.summary = sentences.join(". ");
        let Aside { left_out, not_known, .. } = aside;
        Self { left_out, not_known, ..self }
    }
}

/// What is said where nothing was to be done.
fn nothing(of: Wholesale, aside: &Aside) -> &'static str {
    match of {
        Wholesale::Removed if aside.is_unseen() => "nothing is seen that can be taken",
        Wholesale::Removed => "there is nothing that can be taken",
        Wholesale::Copied => "there is nothing to copy that is not there already",
    }
}

/// The same where something may be there that nobody is shown: that nothing is left is never said then.
const UNSEEN: &str = "Nothing is seen that can be taken";

/// What to do about a word that what stands aside has changed.
fn next_step(outcome: Outcome, aside: &Aside) -> Option<String> {
    let again =
        "call again when what not_known names can be read: what is done by then is not done again";
    let by_hand = "left_out says what a person must do, and where";
    match outcome {
        _ if aside.is_unread() => Some(again.to_owned()),
        Outcome::PartlyDone | Outcome::Refused => Some(by_hand.to_owned()),
        Outcome::Unconfirmed => Some("not_known says what this credential cannot see".to_owned()),
        _ => None,
    }
}

const NOT_LISTABLE: &str = "not_listable";
const NOT_FOUND: &str = "not_found";

fn told(mut lines: Vec<String>, what: &str) -> impl Iterator<Item = String> {
    let more = lines.len().saturating_sub(MOST_TOLD);
    lines.truncate(MOST_TOLD);
    lines.extend((more > 0).then(|| format!("{what}: {more} more, which the answer names")));
    lines.into_iter()
}

/// What a line calls a tenant.
fn at(of: &Of) -> String {
    match &of.tenant {
        Some(tenant) => text::exact(tenant),
        None => of.vendor.to_string(),
    }
}

/// A tenant as answers name it.
pub(super) fn of(tenant: &Tenant) -> Of {
    Of::new(tenant.vendor.name).at(tenant.said().map(str::to_owned))
}

/// A trouble at a tenant, as answers tell it.
pub(super) fn problem(of: Of, failure: &Failure) -> Problem {
    Problem {
        of,
        kind: failure.problem().into(),
        message: failure.message.clone(),
        hint: failure.next_step().to_owned(),
        candidates: failure.candidates.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    fn aside(left_out: usize, troubles: &[Kind]) -> Aside {
        let mut aside = Aside::default();
        for _ in 0..left_out {
            let failure = Failure::refused("nobody can").hint("do it there");
            aside.put(Of::new("redox"), "member on 4271".to_owned(), &failure);
        }
        for kind in troubles {
            aside.not_known.push(problem(Of::new("dfns"), &Failure::new(*kind, "no")));
        }
        aside
    }

    /// A removal is done where nothing is left, and where that is known.
    #[test]
    fn the_word_counts_what_is_left_and_what_is_not_known() {
        use Kind::{Invalid, NotListable, NotPermitted, Unavailable};
        use Outcome::{
            AlreadyAbsent, AlreadyPresent, AwaitingConsent, Confirmed, PartlyDone, Refused,
            Unconfirmed,
        };
        const DOWN: Outcome = Outcome::Unavailable;
        for (left, troubles, done, copied, removed) in [
            (0, &[][..], Some(Confirmed), Confirmed, Confirmed),
            (1, &[], Some(Confirmed), Confirmed, PartlyDone),
            (0, &[Invalid], Some(Confirmed), Confirmed, Confirmed),
            (0, &[NotListable], Some(Confirmed), Confirmed, Unconfirmed),
            (0, &[Unavailable], Some(Confirmed), PartlyDone, PartlyDone),
            (0, &[NotPermitted], Some(Confirmed), PartlyDone, PartlyDone),
            (1, &[Unavailable], Some(AwaitingConsent), AwaitingConsent, AwaitingConsent),
            (1, &[NotListable], Some(Refused), Refused, Refused),
            (0, &[], None, AlreadyPresent, AlreadyAbsent),
            (0, &[Invalid], None, AlreadyPresent, AlreadyAbsent),
            (0, &[NotListable], None, AlreadyPresent, Unconfirmed),
            (1, &[NotListable], None, Refused, Refused),
            (1, &[Unavailable], None, DOWN, DOWN),
        ] {
            let aside = aside(left, troubles);
            assert_eq!(
                aside.outcome(Wholesale::Copied, done),
                copied,
                "copied {left} {troubles:?} {done:?}"
            );
            assert_eq!(
                aside.outcome(Wholesale::Removed, done),
                removed,
                "removed {left} {troubles:?} {done:?}"
            );
        }
    }

    /// Whatever cannot be read is said first, and that nothing is left is never said beside it.
    #[test]
    fn a_removal_says_first_what_is_left_and_what_is_not_known() {
        for (left, troubles, told) in [
            (0, &[][..], "Already gone, nothing changed: there is nothing that can be taken"),
            (
                0,
                &[Kind::NotListable],
                "What is held at dfns is not all known. Nothing is seen that can be taken",
            ),
            (
                2,
                &[Kind::Unavailable],
                "Access is left that cannot be taken here: member on 4271 at redox, and 1 more. What is held \
                 at dfns is not all known. Not done, can be tried again: nothing is seen that can be taken",
            ),
        ] {
            let empty = Changed::new(Outcome::AlreadyPresent, String::new());
            let changed = empty.beside(Wholesale::Removed, aside(left, troubles));
            assert_eq!(changed.summary, told);
        }
    }

    #[test]
    fn a_question_tells_so_many_and_counts_the_rest() {
        let lines = aside(MOST_TOLD + 3, &[Kind::Unavailable]).lines();
        assert_eq!(lines.len(), MOST_TOLD + 2);
        assert_eq!(lines[0], "Left out: member on 4271 — redox: nobody can");
        assert_eq!(lines[MOST_TOLD], "Left out: 3 more, which the answer names");
        assert_eq!(lines[MOST_TOLD + 1], "Not known: dfns: no");
    }
}
