//! What went wrong, whose problem it is, and what to do next.
//!
//! Everything that can stop a call before or beside a write is a [`Failure`]: a kind for the
//! program, a message for the reader, a hint for the hand. What becomes of a write that has left
//! is not a failure but an [`Outcome`]; the two meet in [`Failure::outcome`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::access::Outcome;
use crate::text;

#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
    /// What a name could have meant.
    pub candidates: Vec<Candidate>,
    /// The status the vendor answered with, where it answered.
    pub status: Option<u16>,
    /// The argument it is about, by the caller's name for it: the message begins with it.
    pub argument: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Arguments do not fit, or a name means nothing here.
    Invalid,
    /// A name means several things: the candidates.
    Ambiguous,
    /// Grantor will not do this, whoever asks.
    Refused,
    /// The vendor refuses the credential or its permissions.
    NotPermitted,
    /// The vendor does not know the thing asked for.
    NotFound,
    /// The vendor said no for another reason.
    Rejected,
    /// The vendor cannot be reached or has failed.
    Unavailable,
    /// The vendor asks to slow down.
    RateLimited,
    /// The vendor's answer cannot be read.
    Garbled,
    /// A list came without all of its pages.
    Incomplete,
    /// The vendor has no way to list this.
    NotListable,
}

/// More things than a reader chooses from.
const MOST_CANDIDATES: usize = 40;
const DOCTOR: &str = "; `grantor doctor` tries every credential";

/// One thing a name could have meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What tells people of one name apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub kind: String,
    /// The vendor's own type of it, which tells things of one name apart.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub told_type: Option<String>,
    /// The argument that may mean it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// Who knows it, where several were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl Kind {
    /// What helps against troubles of this kind.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Invalid => "mend what is named, and call again",
            Self::Ambiguous => "ask which of the candidates is meant, and give its id",
            Self::Refused => "tell the requester why; asking again changes nothing",
            Self::NotPermitted => "`grantor doctor` shows what the credential may do",
            Self::NotFound => "check the names and ids that it is about",
            Self::Rejected => "the vendor's words say why: whoever administers it there can help",
            Self::Unavailable => "try again later",
            Self::RateLimited => "try again in a minute",
            Self::Garbled => {
                "the vendor may have changed its API, or a proxy answered in its place"
            }
            Self::Incomplete => "what is listed is right, and there may be more",
            Self::NotListable => "look for it at the vendor",
        }
    }
}

impl Failure {
    /// Whatever a vendor said in it is clean from here on: a failure also ends up in logs.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = text::clean(&message.into());
        Self { kind, message, hint: None, candidates: Vec::new(), status: None, argument: None }
    }

    /// The same as about this argument, whatever another caller calls it.
    #[must_use]
    pub fn of(mut self, argument: &str) -> Self {
        let before = self.argument.take().map(|before| format!("{before}: "));
        let what = before.and_then(|before| self.message.strip_prefix(&before).map(str::to_owned));
        self.message = format!("{argument}: {}", what.unwrap_or(self.message));
        for candidate in &mut self.candidates {
            candidate.argument = Some(argument.to_owned());
        }
        self.argument = Some(argument.to_owned());
        self
    }

    /// The same inside something that a caller names, whose arguments stand under `below` there.
    #[must_use]
    pub fn within(mut self, name: &str, below: &str) -> Self {
        let path = |argument: &str| format!("{name}.{below}.{argument}");
        if let Some(argument) = self.argument.clone() {
            return self.of(&path(&argument));
        }
        self.message = format!("{name}: {}", self.message);
        for argument in self.candidates.iter_mut().filter_map(|one| one.argument.as_mut()) {
            *argument = path(argument);
        }
        self
    }

    /// The same by the name that its argument has for another caller, where it is about one.
    #[must_use]
    pub fn renamed(self, argument: &str) -> Self {
        if self.argument.is_some() { self.of(argument) } else { self }
    }

    /// The same as about this argument, where it says that nobody knows what that names.
    #[must_use]
    pub fn of_unknown(self, argument: &str) -> Self {
        if self.kind == Kind::NotFound { self.of(argument) } else { self }
    }

    /// Both, or all that is wrong with either.
    ///
    /// # Errors
    /// One of them, or both.
    pub fn both<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (one, other) => {
                Err(Self::together([one.err(), other.err()].into_iter().flatten().collect()))
            }
        }
    }

    /// All, or all that is wrong with any.
    ///
    /// # Errors
    /// Some of them.
    pub fn every<T>(all: impl IntoIterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for one in all {
            match one {
                Ok(one) => found.push(one),
                Err(failure) => wrong.push(failure),
            }
        }
        if wrong.is_empty() { Ok(found) } else { Err(Self::together(wrong)) }
    }

    /// Several as one, each said: what a caller can mend outweighs what only waiting can.
    pub fn together(troubles: Vec<Self>) -> Self {
        let is_arguments = |one: &&Self| matches!(one.kind, Kind::Invalid | Kind::Ambiguous);
        let gravest = troubles.iter().find(is_arguments).or(troubles.first());
        let Some(Self { kind, status, argument, .. }) = gravest.cloned() else {
            return Self::invalid("something does not fit");
        };
        let mut all = Self { kind, status, argument, ..Self::invalid("") };
        let (mut messages, mut hints) = (Vec::new(), Vec::new());
        for trouble in troubles {
            all.candidates.extend(trouble.candidates);
            for (text, all) in [(Some(trouble.message), &mut messages), (trouble.hint, &mut hints)]
            {
                all.extend(text.filter(|text| !all.contains(text)));
            }
        }
        if messages.len() > 1 {
            all.argument = None;
        }
        all.candidates.truncate(MOST_CANDIDATES);
        Self { message: text::clean(&messages.join("; ")), hint: Some(hints.join("; ")), ..all }
            .without_empty_hint()
    }

    fn without_empty_hint(mut self) -> Self {
        self.hint = self.hint.filter(|hint| !hint.is_empty());
        self
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    pub fn garbled(message: impl Into<String>) -> Self {
        Self::new(Kind::Garbled, message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(text::clean(&hint.into()));
        self
    }

    /// Says at the end of the hint where more can be found out.
    pub fn for_doctor(mut self) -> Self {
        self.hint = self.hint.map(|hint| hint + DOCTOR);
        self
    }

    /// The same for somebody who is running the doctor already.
    pub fn by_doctor(mut self) -> Self {
        self.hint = self.hint.map(|hint| hint.strip_suffix(DOCTOR).unwrap_or(&hint).to_owned());
        self
    }

    /// Adds a hint where none has been given closer to the cause.
    pub fn or_hint(mut self, hint: &str) -> Self {
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }

    /// The hint, or what helps against troubles of this kind where nobody nearer to it gave one.
    pub fn next_step(&self) -> &str {
        self.hint.as_deref().unwrap_or(self.kind.next_step())
    }

    /// How a change ends that is stopped by this before anything was sent.
    pub fn outcome(&self) -> Outcome {
        match self.kind {
            Kind::Invalid | Kind::Ambiguous | Kind::NotFound => Outcome::Invalid,
            Kind::Refused => Outcome::Refused,
            Kind::NotPermitted | Kind::Rejected => Outcome::Rejected,
            Kind::Unavailable
            | Kind::RateLimited
            | Kind::Garbled
            | Kind::Incomplete
            | Kind::NotListable => Outcome::Unavailable,
        }
    }

    /// The word a look uses for the same trouble.
    pub fn problem(&self) -> &'static str {
        match self.kind {
            Kind::NotPermitted => "not_permitted",
            Kind::RateLimited => "rate_limited",
            Kind::Garbled => "garbled",
            Kind::Incomplete => "incomplete",
            Kind::NotFound | Kind::Invalid => "not_found",
            Kind::Ambiguous => "ambiguous",
            Kind::NotListable | Kind::Refused => "not_listable",
            Kind::Rejected | Kind::Unavailable => "unavailable",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.next_step())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_by_the_callers_name() {
        let own = Failure::invalid("nothing here: at all").of("userKey");
        let renamed = own.clone().renamed("principal");
        assert_eq!(renamed.message, "principal: nothing here: at all");
        assert_eq!(renamed.of("assetKeys[1]").message, "assetKeys[1]: nothing here: at all");
        let bare = Failure::invalid("the vendor said: no").renamed("principal");
        assert_eq!(bare.message, "the vendor said: no");
    }

    /// Whoever reads of a trouble reads what to do about it.
    #[test]
    fn every_trouble_has_a_next_step() {
        use Kind::*;
        for kind in [
            Invalid,
            Ambiguous,
            Refused,
            NotPermitted,
            NotFound,
            Rejected,
            Unavailable,
            RateLimited,
            Garbled,
            Incomplete,
            NotListable,
        ] {
            let bare = Failure::new(kind, "trouble");
            assert!(bare.next_step().len() > 10, "{kind:?}");
            assert_eq!(bare.to_string(), format!("trouble ({})", bare.next_step()));
            assert_eq!(bare.hint("this").to_string(), "trouble (this)");
        }
    }

    #[test]
    fn several_are_told_together_and_what_can_be_mended_counts() {
        let [who, what] =
            ["userKey", "roleKey"].map(|name| Failure::invalid("is not there").of(name));
        let down = Failure::new(Kind::Unavailable, "no answer").hint("try again");
        let all =
            Failure::together(vec![down.clone(), who.hint("look"), what.clone().hint("look")]);
        let told = "no answer; userKey: is not there; roleKey: is not there";
        assert_eq!((all.kind, all.message.as_str()), (Kind::Invalid, told));
        assert_eq!((all.hint.as_deref(), &all.argument), (Some("try again; look"), &None));
        assert_eq!(Failure::together(vec![what]).argument.as_deref(), Some("roleKey"));
        assert!(Failure::every([Ok(1), Err(down.clone()), Ok(2)]).is_err());
        assert_eq!(Failure::every([Ok(1), Ok(2)]).unwrap(), [1, 2]);
        assert!(Failure::both(Ok(1), Err::<u8, _>(down)).is_err());
    }
}
