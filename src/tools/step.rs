//! One resolved change of one access, and what it says of what it meets: the desk takes it down the
//! one road.

use std::cmp::Ordering;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Inverse, Term};
use crate::access::{Access, Approval, Named, Outcome};
use crate::draft::Draft;
use crate::failure::Failure;
use crate::intent::{JudgedPart, Shift};
use crate::outbound::{Reply, refusal};
use crate::vendors::VendorReader;

/// What is said before Grantor's own identity loses access.
pub(super) const OWN_LOSS: &str = "as far as can be seen this takes access from the identity behind Grantor's own \
    credential: what Grantor can read and change here afterwards may be less";

/// One resolved change of one access.
///
/// The desk calls a step in this order, and may stop after any of it:
///
/// 1. [`set_term`](Self::set_term), once, before anything is read;
/// 2. [`current`](Self::current) → [`plan`](Self::plan): what there is, and what would be sent. A plan that
///    is `Already` ends the step, an error stops it;
/// 3. what the guard and a person are told of the intent: [`privileged`](Self::privileged),
///    [`contains`](Self::contains), [`is_self`](Self::is_self), [`rows`](Self::rows),
///    [`shift`](Self::shift);
/// 4. the draft is sent, at most once, and [`interpret`](Self::interpret) says what the answer means;
/// 5. [`current`](Self::current) → [`verify`](Self::verify), as often as a vendor that is slow to show a
///    write needs.
///
/// After a person was asked all of it begins again with another step, resolved anew. Only `current` and
/// `approval` reach the vendor; everything else is pure and gives the same for the same. Two steps of one
/// call may rest on each other: the desk reads the second again after the first was sent.
///
/// ```text
/// let before = step.current(&reader).await?;
/// match step.plan(&before)? {
///     Plan::Already { outcome, .. } => outcome,
///     Plan::Send { draft, after, .. } => {
///         let reply = step.interpret(&sent(draft).await);
///         match step.verify(&before, &step.current(&reader).await?) {
///             Verification::There => Outcome::Confirmed,
///             …
/// ```
pub trait Step: Send + Sync {
    /// The access that is wanted.
    fn wanted(&self) -> &Access;

    /// The change in words: "grant Developer on Orders to Ana Ruiz".
    fn summary(&self) -> String;

    /// What each gains or loses, in words, where a change is for several at once: who keeps what they
    /// have is left out. Pure.
    fn difference(&self, _before: &[Access], _after: &[Access]) -> Option<String> {
        None
    }

    /// This very change as arguments of its tool, by ids alone.
    fn arguments(&self) -> Value;

    /// Is told for how long the access is wanted; for vendors that end it themselves.
    fn set_term(&mut self, _: Term) {}

    /// What it is called when there is nothing left to do.
    fn already_outcome(&self) -> Outcome {
        Outcome::AlreadyPresent
    }

    /// Where the vendor's approvers are with a change it holds, from what it said of it then.
    fn approval<'a>(
        &'a self,
        _held: &'a Value,
        _reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Option<Approval>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Why the role is privileged, where it is.
    fn privileged(&self) -> Option<String> {
        None
    }

    /// What the role allows, where the vendor says.
    fn contains(&self) -> Vec<String> {
        Vec::new()
    }

    /// The same with the ids that tell two of one name apart.
    fn ingredients(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the principal is the identity behind Grantor's own credential, where that can be
    /// known.
    fn is_self(&self) -> bool {
        false
    }

    /// What this change, or the end of it, gives where these rows stand and those are left: what
    /// only lowers or takes gives nothing. Pure.
    fn given(&self, now: &[Access], left: &[Access]) -> Given {
        let stands = |row: &Access| now.iter().any(|other| other.is(row));
        let given = |row: &&Access| self.is_in_scope(row) && !stands(row);
        let rows: Vec<_> = left.iter().filter(given).cloned().collect();
        Given { own: self.is_self() && !rows.is_empty(), rows, ..Given::default() }
    }

    /// What each gains or loses between the two, where the change is for several at once or takes
    /// away too. `all` are meant where the access stays and its end moves.
    fn rows(&self, _before: &[Access], _after: &[Access], _all: bool) -> Vec<JudgedPart> {
        Vec::new()
    }

    /// Whether a reader of the answer needs this row: the ledger keeps all of them.
    fn is_relevant(&self, _: &Access) -> bool {
        true
    }

    /// Whether the row stands where this change writes: only such a row can show that somebody
    /// else was there.
    fn is_in_scope(&self, row: &Access) -> bool {
        self.is_relevant(row)
    }

    /// How each part of the change ended, where it is for several at once and the vendor takes
    /// them together.
    fn parts(&self, _outcome: Outcome, _before: &[Access], _after: &[Access]) -> Vec<Part> {
        Vec::new()
    }

    /// What access stays through something else where this change takes some away, in sentences;
    /// `rows` are those there are then.
    fn remaining(&self, _rows: &[Access]) -> Vec<String> {
        Vec::new()
    }

    /// How what somebody holds somewhere compares with what they held there before; none where one
    /// is not simply more than the other.
    fn against(&self, _was: &Access, _is: &Access) -> Option<Ordering> {
        None
    }

    /// What has to be taken first where this change would stand, and how that is given back. Pure.
    fn replacement(&self, _now: &Snapshot) -> Option<Replacement> {
        None
    }

    /// What goes with what they held there before, in words, where that can be told.
    fn goes(&self, _was: &Access, _is: &Access) -> Option<String> {
        None
    }

    /// Whether somebody has more with these rows than with those before, and somebody less.
    fn shift(&self, before: &[Access], after: &[Access]) -> Shift {
        Shift::between(before, after, |was, is| self.against(was, is))
    }

    /// The rows there would be, where something at the vendor stands in the way of this change: it
    /// is judged before that is told.
    fn meant(&self, now: &Snapshot) -> Vec<Access> {
        let others = now.rows.iter().filter(|row| !self.wanted().is(row)).cloned();
        match self.already_outcome() {
            Outcome::AlreadyAbsent => others.collect(),
            _ => others.chain([self.wanted().clone()]).collect(),
        }
    }

    /// Reads the access there is now, as far as it bears on this change. Rows that are not there count as
    /// absent only where the snapshot is [`conclusive`](Snapshot::conclusive).
    ///
    /// # Errors
    /// It cannot be read; nothing is sent then.
    fn current<'a>(
        &'a self,
        reader: &'a VendorReader<'a>,
    ) -> BoxFuture<'a, Result<Snapshot, Failure>>;

    /// Says what to send, or why there is nothing to send. Pure.
    ///
    /// # Errors
    /// Something at the vendor stands in the way. It is told only where the rules permit the change.
    fn plan(&self, now: &Snapshot) -> Result<Plan, Failure>;

    /// Says what the vendor's answer to the write means. Pure. Only statuses that say that nothing was done
    /// may be a no: what is unclear is read back, and never sent again.
    fn interpret(&self, reply: &Reply) -> WriteReply {
        WriteReply::by_status(reply)
    }

    /// Compares what reading back shows with what there was before and what is wanted. Pure. It says
    /// [`There`](Verification::There) only for what was seen.
    fn verify(&self, before: &Snapshot, now: &Snapshot) -> Verification;
}

/// How one part of a change ended that is for several at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub principal: Named,
    pub resource: Named,
    pub outcome: Outcome,
    pub before: Vec<Access>,
    pub after: Vec<Access>,
}

/// What stands where a change would, by ids.
#[derive(Debug)]
pub struct Replacement {
    /// The change that takes it.
    pub take: Inverse,
    /// The change that gives it back, with its own end.
    pub back: Inverse,
}

/// Rows that do not stand yet, and what the guard should know of them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub rows: Vec<Access>,
    /// Why one of them is privileged, where it is.
    pub privileged: Option<String>,
    /// One of them is of the identity behind Grantor's own credential.
    pub own: bool,
    pub contains: Vec<String>,
}

/// The access there is, and what a write may depend on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub rows: Vec<Access>,
    /// The rows that are not there are known not to be: absence is evidence.
    pub conclusive: bool,
    /// The vendor's version of this state, where it has one.
    pub version: Option<String>,
    /// What a reader should know of this state.
    pub notes: Vec<String>,
}

/// What a step would do.
#[derive(Debug)]
pub enum Plan {
    /// Nothing is sent: it is so, or it waits already.
    Already {
        outcome: Outcome,
        warnings: Vec<String>,
    },
    Send {
        draft: Draft,
        after: Vec<Access>,
        warnings: Vec<String>,
    },
}

impl Plan {
    /// The same, with more to say to whoever is asked or told.
    #[must_use]
    pub fn saying(mut self, more: &[String]) -> Self {
        let (Self::Already { warnings, .. } | Self::Send { warnings, .. }) = &mut self;
        warnings.extend_from_slice(more);
        self
    }
}

/// What a vendor said to a write.
#[derive(Debug)]
pub enum WriteReply {
    Yes {
        warnings: Vec<String>,
    },
    /// The vendor holds it for its own approvers: what it said of that, for asking later.
    Held(Value),
    /// It says this is so already; reading back tells.
    Exists(Failure),
    No(Failure),
    /// A yes that cannot be read: as unclear as no answer.
    Garbled(String),
}

/// What reading back shows.
#[derive(Debug, PartialEq)]
pub enum Verification {
    There,
    /// It waits for the vendor's approvers.
    Held,
    /// Something else is there: what, in words.
    Elsewise(String),
    /// It is there, and these rows are gone.
    Lost(Vec<Access>),
    /// It is there, and these rows, which reach further, came with it.
    Wider(Vec<Access>),
    /// The vendor shows too little to tell.
    CannotTell,
}

impl WriteReply {
    /// What a status alone says: a plain yes is a yes, a refusal is a no, and anything else is
    /// unclear. A page of text where none or a JSON body is documented was written by something else
    /// than the vendor.
    pub fn by_status(reply: &Reply) -> Self {
        if reply.is_success() {
            let page = !reply.body.is_empty() && reply.json::<serde::de::IgnoredAny>().is_err();
            let garbled = "the answer is not the vendor's: it has a body that is not JSON";
            if page {
                Self::Garbled(garbled.to_owned())
            } else {
                Self::Yes { warnings: Vec::new() }
            }
        } else if reply.is_half_success() {
            let status = reply.status;
            Self::Garbled(format!("the vendor answered {status}, which it does not document here"))
        } else if reply.is_refusal() {
            Self::No(refusal(reply, "the vendor"))
        } else {
            Self::Garbled(reply.describe("the vendor"))
        }
    }

    /// What the answer to a removal says: a 404 may mean that somebody else was faster.
    pub(super) fn of_removal(reply: &Reply, host: &str) -> Self {
        match reply.status {
            404 => Self::Exists(refusal(reply, host)),
            _ => Self::by_status(reply),
        }
    }
}

impl Snapshot {
    /// Whether `now` shows exactly what `self` showed, where the step writes. A read may lag behind a
    /// write, and then shows just that; one of a newer version does not lag.
    pub fn is_unchanged(&self, now: &Self, step: &dyn Step) -> bool {
        if let (Some(then), Some(now)) = (&self.version, &now.version)
            && then != now
        {
            return false;
        }
        let written = |rows: &[Access]| -> Vec<Access> {
            rows.iter().filter(|row| step.is_in_scope(row)).cloned().collect()
        };
        let (then, now) = (written(&self.rows), written(&now.rows));
        then.len() == now.len()
            && then.iter().all(|row| now.iter().any(|other| row.is_still(other)))
            && now.iter().all(|row| then.iter().any(|other| row.is_still(other)))
    }

    /// The same with other rows.
    pub fn with(&self, rows: Vec<Access>) -> Self {
        Self { rows, ..self.clone() }
    }

    /// The rows of `self` that `now` no longer has.
    pub fn lost(&self, now: &Self) -> Vec<Access> {
        let gone = |row: &&Access| !now.rows.iter().any(|other| row.is(other));
        self.rows.iter().filter(gone).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Named;

    /// What a status without a body means, for a change and for a removal.
    #[test]
    fn a_status_is_a_yes_a_no_or_nothing() {
        let word = |heard: WriteReply| match heard {
            WriteReply::Yes { .. } => "yes",
            WriteReply::Held(_) => "held",
            WriteReply::Exists(_) => "exists",
            WriteReply::No(_) => "no",
            WriteReply::Garbled(_) => "nothing",
        };
        for (status, change, removal) in [
            (200, "yes", "yes"),
            (204, "yes", "yes"),
            (202, "nothing", "nothing"),
            (303, "nothing", "nothing"),
            (307, "no", "no"),
            (400, "no", "no"),
            (404, "no", "exists"),
            (406, "nothing", "nothing"),
            (408, "nothing", "nothing"),
            (409, "no", "no"),
            (412, "no", "no"),
            (425, "nothing", "nothing"),
            (429, "no", "no"),
            (444, "nothing", "nothing"),
            (499, "nothing", "nothing"),
            (503, "nothing", "nothing"),
        ] {
            let reply = Reply::made(status, Vec::new());
            assert_eq!(word(WriteReply::by_status(&reply)), change, "{status}");
            assert_eq!(word(WriteReply::of_removal(&reply, "it")), removal, "{status}");
        }
        // A page of text was written by something else than the vendor.
        for (status, body, change) in [
            (200, "{}", "yes"),
            (201, " ", "nothing"),
            (200, "<html>Sign in</html>", "nothing"),
            (400, "<html>", "no"),
        ] {
            let reply = Reply::made(status, body.into());
            assert_eq!(word(WriteReply::by_status(&reply)), change, "{status} {body}");
        }
    }

    struct Anything(Access);

    impl Step for Anything {
        fn wanted(&self) -> &Access {
            &self.0
        }
        fn summary(&self) -> String {
            String::new()
        }
        fn arguments(&self) -> Value {
            Value::Null
        }
        fn is_in_scope(&self, row: &Access) -> bool {
            row.resource.id == self.0.resource.id
        }
        fn current<'a>(
            &'a self,
            _: &'a VendorReader<'a>,
        ) -> BoxFuture<'a, Result<Snapshot, Failure>> {
            Box::pin(std::future::ready(Ok(Snapshot::default())))
        }
        fn plan(&self, _: &Snapshot) -> Result<Plan, Failure> {
            Err(Failure::refused("nothing is planned"))
        }
        fn verify(&self, _: &Snapshot, _: &Snapshot) -> Verification {
            Verification::CannotTell
        }
    }

    /// A row of "WHO ROLE", and the id of an assignment behind it.
    fn row(text: &str) -> Access {
        let mut words = text.split(' ');
        let mut next = || words.next().map(str::to_owned);
        let [who, role] = [next(), next()].map(|word| Named::new(word.unwrap(), None, "user"));
        Access { id: next(), ..Access::of(who, role, Named::new("it", None, "asset"), "asset") }
    }

    fn snapshot(version: &str, rows: &[&str]) -> Snapshot {
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        let rows = rows.iter().map(|text| row(text)).collect();
        Snapshot { rows, conclusive: true, version, notes: Vec::new() }
    }

    /// What a read that lags behind a write shows is exactly what was before.
    #[test]
    fn a_reading_lags_where_it_shows_what_was_before_and_no_newer_version() {
        let step = Anything(row("ana dev"));
        for (then, now, same) in [
            (snapshot("", &[]), snapshot("", &[]), true),
            (snapshot("", &["ana dev", "bo dev"]), snapshot("", &["bo dev", "ana dev"]), true),
            (snapshot("", &["ana dev"]), snapshot("", &["ana ops"]), false),
            (snapshot("", &["ana dev"]), snapshot("", &[]), false),
            (snapshot("", &["ana dev as-1"]), snapshot("", &["ana dev as-2"]), false),
            (snapshot("7", &["ana dev"]), snapshot("7", &["ana dev"]), true),
            (snapshot("7", &["ana dev"]), snapshot("8", &["ana dev"]), false),
            (snapshot("7", &["ana dev"]), snapshot("", &["ana dev"]), true),
        ] {
            assert_eq!(then.is_unchanged(&now, &step), same, "{then:?} {now:?}");
        }
        let (then, now) = (snapshot("", &["ana dev", "bo dev"]), snapshot("", &["bo dev as-9"]));
        assert_eq!(then.lost(&now), [row("ana dev")]);
    }

    /// What stands already is not given, and nothing is given to nobody.
    #[test]
    fn what_an_end_gives_is_what_does_not_stand() {
        let step = Anything(row("ana dev"));
        for (now, left, given) in [
            (&[][..], &["ana dev"][..], &["ana dev"][..]),
            (&["ana dev"], &["ana dev"], &[]),
            (&["ana dev"], &["ana ops"], &["ana ops"]),
            (&["ana dev"], &[], &[]),
        ] {
            let [now, left, given] = [now, left, given]
                .map(|rows| rows.iter().map(|text| row(text)).collect::<Vec<_>>());
            assert_eq!(step.given(&now, &left).rows, given, "{now:?} {left:?}");
        }
        let elsewhere = Access { resource: Named::new("other", None, "asset"), ..row("ana ops") };
        assert_eq!(step.given(&[], &[elsewhere]).rows, [], "it is none of this change's");
        let meant: Vec<_> = step.meant(&snapshot("", &["ana dev", "bo dev"])).into_iter().collect();
        assert_eq!(meant, [row("bo dev"), row("ana dev")]);
    }
}
