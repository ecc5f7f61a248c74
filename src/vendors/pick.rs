//! Names to ids: exactly one match, or the candidates.

use super::Row;
use crate::access::{Principal, Resource, Role};
use crate::failure::{Candidate, Failure, Kind};
use crate::text::{self, Word};

/// Something a vendor knows by id and people know by name.
pub trait Known {
    fn id(&self) -> &str;
    fn name(&self) -> Option<&str>;
    fn email(&self) -> Option<&str> {
        None
    }
    fn kind(&self) -> &str;
    fn told_type(&self) -> Option<&str> {
        None
    }
    /// By what a caller may name one of them.
    const BY: &'static str = "id or exact name";
}

impl<T: Known> Row for T {
    fn key(&self) -> Option<String> {
        Some(format!("{} {}", self.kind(), self.id()))
    }
}

/// What a text is known to be. What a receipt or a vendor's own list says is an id, and whoever is
/// called like it is somebody else; what a caller says may be either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOrId<'a> {
    Id(&'a str),
    Named(&'a str),
}

const MOST_CANDIDATES: usize = 10;

impl<'a> NameOrId<'a> {
    /// What a caller says: blanks around it come with what is pasted. An id keeps its own.
    pub fn named(text: &'a str) -> Self {
        Self::Named(text.trim())
    }

    pub fn as_str(self) -> &'a str {
        match self {
            Self::Id(text) | Self::Named(text) => text,
        }
    }

    /// What to look for in a vendor's list: of a name with its address, the address.
    pub fn sought(self) -> &'a str {
        match self {
            Self::Id(text) => text,
            Self::Named(text) => text::with_address(text).map_or(text, |(_, address)| address),
        }
    }
}

/// The one thing `wanted` means: its id, else, where it may be a name, its exact name or its e-mail
/// address (letter case aside), as long as no other name looks the same. `what` is the argument, for
/// the message.
///
/// # Errors
/// `Invalid` with the candidates, where nothing or several things match; `Refused` where an id is
/// gone, or the one that matches has an id that cannot be shown as it is.
pub fn pick<T: Known>(what: &str, wanted: NameOrId<'_>, among: Vec<T>) -> Result<T, Failure> {
    let text = wanted.as_str();
    let uuid = crate::argument::is_uuid(text);
    let is_id = |known: &T| known.id() == text || (uuid && known.id().eq_ignore_ascii_case(text));
    match wanted {
        NameOrId::Named(name) => pick_named(what, name, among, is_id),
        NameOrId::Id(id) => match among.into_iter().find(is_id) {
            Some(known) => shown_as_it_is(what, known),
            None => Err(gone(what, id)),
        },
    }
}

fn pick_named<T: Known>(
    what: &str,
    wanted: &str,
    among: Vec<T>,
    is_id: impl Fn(&T) -> bool + Copy,
) -> Result<T, Failure> {
    let both = text::with_address(wanted);
    // A name that is given with an address is that of the address alone: both must be so.
    let is_both = |known: &T| {
        both.is_some_and(|(name, address)| {
            let addressed = |it: &str| it.eq_ignore_ascii_case(address);
            known.name().is_some_and(|it| text::same_name(it, name))
                && (known.email().is_some_and(addressed)
                    || known.id().eq_ignore_ascii_case(address))
        })
    };
    let is_named = |known: &T| {
        known.name().is_some_and(|name| text::same_name(name, wanted))
            || known.email().is_some_and(|email| email.eq_ignore_ascii_case(wanted))
            || is_both(known)
    };
    // What readers see of a name; two that look the same are told apart by id alone.
    let lower = text::folded(wanted);
    let looks_so = |known: &T| {
        is_both(known)
            || known.name().is_some_and(|name| text::look_alike(name, wanted))
            || known.email().is_some_and(|email| text::look_alike(&text::folded(email), &lower))
    };
    let exact = match among.iter().any(is_id) {
        true => 1,
        false if among.iter().any(is_named) => among.iter().filter(|known| looks_so(known)).count(),
        false => 0,
    };
    if exact == 1 {
        let place = among.iter().position(is_id).or_else(|| among.iter().position(is_named));
        return place
            .and_then(|place| among.into_iter().nth(place))
            .ok_or_else(|| none::<T>(what, wanted))
            .and_then(|known| shown_as_it_is(what, known));
    }
    let candidate = |known: &T| candidate(what, known);
    let mut failure =
        if exact == 0 { none::<T>(what, wanted) } else { several(what, wanted, exact) };
    failure.candidates = match exact {
        0 => near(what, wanted, &among),
        _ => among
            .iter()
            .filter(|known| looks_so(known))
            .take(MOST_CANDIDATES)
            .map(candidate)
            .collect(),
    };
    if exact == 0 && failure.candidates.is_empty() {
        failure.candidates = among.iter().take(MOST_CANDIDATES).map(candidate).collect();
        let hint = "names are matched exactly, and none that is listed is like it: ask whether one of \
                    the candidates is meant, and give its id";
        failure = failure.hint(hint);
    }
    if failure.candidates.is_empty() {
        let hint = "names are matched exactly, and the vendor lists nothing like it: look for it, or \
                    give the vendor's id";
        failure = failure.hint(hint);
    }
    Err(failure)
}

/// Those that may have been meant, the nearest first.
fn near<T: Known>(what: &str, wanted: &str, among: &[T]) -> Vec<Candidate> {
    let mut near: Vec<(usize, &T)> = Vec::new();
    for known in among {
        let names = [known.name(), known.email()].into_iter().flatten();
        let far = names.filter_map(|name| text::near(name, wanted)).min();
        near.extend(far.map(|far| (far, known)));
    }
    near.sort_by_key(|(far, _)| *far);
    near.iter().take(MOST_CANDIDATES).map(|(_, known)| candidate(what, *known)).collect()
}

/// The same failure with more who may have been meant, where it says that nothing has a name: they were
/// looked for by parts of it, so that none of them is taken.
pub fn offering<T: Known>(
    failure: Failure,
    what: &str,
    wanted: NameOrId<'_>,
    among: &[T],
) -> Failure {
    if failure.kind != Kind::Invalid || matches!(wanted, NameOrId::Id(_)) {
        return failure;
    }
    let candidates = near(what, wanted.as_str(), among);
    if candidates.is_empty() {
        return failure;
    }
    let none = none::<T>(what, wanted.as_str());
    Failure { candidates, hint: none.hint, ..failure }
}

/// A person agrees to the id they see, so it must be the one that is sent.
fn shown_as_it_is<T: Known>(what: &str, known: T) -> Result<T, Failure> {
    let id = known.id();
    if text::is_clean(id) && !id.trim().is_empty() {
        return Ok(known);
    }
    let id = text::quoted(&text::exact(id));
    Err(Failure::refused(format!("the vendor's id {id} is not one that can be shown"))
        .of(what)
        .hint("ids that are empty, very long or hold invisible characters are not sent anywhere"))
}

fn gone(what: &str, id: &str) -> Failure {
    let id = text::quoted(&text::exact(id));
    Failure::refused(format!("there is nothing with the id {id} any more"))
        .of(what)
        .hint("look at it with list_access, and set what should be so")
}

fn none<T: Known>(what: &str, wanted: &str) -> Failure {
    let wanted = text::quote(Word::Caller, wanted);
    Failure::invalid(format!("nothing here has the {} {wanted}", T::BY)).of(what).hint(
        "names are matched exactly: ask whether one of the candidates is meant, and give its id",
    )
}

fn several(what: &str, wanted: &str, count: usize) -> Failure {
    let wanted = text::quote(Word::Caller, wanted);
    Failure::new(Kind::Ambiguous, format!("{count} have, or seem to have, the name {wanted}"))
        .of(what)
        .hint("ask which of the candidates is meant, and give its id")
}

fn candidate<T: Known>(what: &str, known: &T) -> Candidate {
    let [name, email] = [known.name(), known.email()].map(|text| text.map(str::to_owned));
    let (id, kind) = (known.id().to_owned(), known.kind().to_owned());
    Candidate {
        id,
        name: name.or(email.clone()),
        email,
        kind,
        told_type: known.told_type().map(str::to_owned),
        argument: Some(what.to_owned()),
        vendor: None,
        tenant: None,
    }
}

impl Known for Principal {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
    fn kind(&self) -> &str {
        self.kind.as_str()
    }
    const BY: &'static str = "id, exact name or e-mail";
}

impl Known for Role {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    fn kind(&self) -> &str {
        "role"
    }
}

impl Known for Resource {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    fn kind(&self) -> &str {
        self.kind
    }
    fn told_type(&self) -> Option<&str> {
        self.told_type.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<Principal> {
        [
            ("1", "Alex Kim", "alex@example.com"),
            ("2", "Alex Kim", "akim@example.com"),
            ("3", "Dana", "dana@example.com"),
            ("4", "3", "three@example.com"),
        ]
        .map(|(id, name, email)| Principal::user(id, Some(name.into()), Some(email.into())))
        .into()
    }

    fn check(wanted: &str, found: Result<&str, &[&str]>) {
        match (pick("user", NameOrId::Named(wanted), people()), found) {
            (Ok(person), Ok(id)) => assert_eq!(person.id, id, "{wanted}"),
            (Err(failure), Err(ids)) => {
                let found: Vec<_> = failure.candidates.iter().map(|c| c.id.as_str()).collect();
                assert_eq!(found, ids, "{wanted}");
            }
            (got, _) => panic!("{wanted}: {got:?}"),
        }
    }

    #[test]
    fn exactly_one_match_or_the_candidates() {
        check("Dana", Ok("3"));
        check("AKIM@example.com", Ok("2"));
        check("3", Ok("3")); // An id wins over a name that looks like one.
        check("Alex Kim", Err(&["1", "2"]));
        check("dana", Err(&["3"])); // Near is not a match: it is offered, not taken.
        check("nobody", Err(&["1", "2", "3", "4"]));
    }

    /// What a question shows of somebody can be given back as it is.
    #[test]
    fn a_name_with_its_address_is_one_of_several() {
        check("Alex Kim <akim@example.com>", Ok("2"));
        check("“Alex Kim” (AKIM@example.com)", Ok("2"));
        check("Alex Kim (1)", Ok("1"));
        check("Dana <akim@example.com>", Err(&["2", "3"]));
        check("Alex Kim <dana@example.com>", Err(&["1", "2", "3"]));
    }

    #[test]
    fn an_id_is_never_taken_for_a_name() {
        assert_eq!(pick("user", NameOrId::Id("3"), people()).unwrap().id, "3");
        let without = || people().into_iter().filter(|person| person.id != "3").collect();
        assert_eq!(pick("user", NameOrId::Named("3"), without()).unwrap().id, "4");
        for id in ["3", "Dana", "dana@example.com", "DANA@example.com"] {
            let failure = pick("user", NameOrId::Id(id), without()).unwrap_err();
            assert_eq!((failure.kind, failure.candidates.len()), (Kind::Refused, 0), "{id}");
        }
        let key = "6fced11d-2bd8-41e6-847a-8387cdde8d51";
        let keyed = || vec![Principal::user(key.to_uppercase(), None, None)];
        assert_eq!(pick("user", NameOrId::Id(key), keyed()).unwrap().id, key.to_uppercase());
    }

    #[test]
    fn names_that_look_the_same_are_told_apart_by_id_alone() {
        let people = |ids: &[&str]| -> Vec<Principal> {
            let named = ["Sam Rivera", "Sam\u{200b} Rivera"].map(|name| Some(name.to_owned()));
            ids.iter().zip(named).map(|(id, name)| Principal::user(*id, name, None)).collect()
        };
        for name in ["Sam Rivera", "Sam\u{200b} Rivera"] {
            let named = NameOrId::Named(name);
            let failure = pick("user", named, people(&["1", "2"])).unwrap_err();
            assert_eq!((failure.kind, failure.candidates.len()), (Kind::Ambiguous, 2), "{name:?}");
        }
        assert_eq!(pick("user", NameOrId::Named("2"), people(&["1", "2"])).unwrap().id, "2");
        // As it was shown, it is a candidate: what was hidden may have been there on purpose.
        let hidden = people(&["1", "2"]).split_off(1);
        let failure = pick("user", NameOrId::Named("Sam Rivera"), hidden).unwrap_err();
        assert_eq!((failure.kind, failure.candidates.len()), (Kind::Invalid, 1));
    }

    /// What may have been a slip comes first, and nothing is picked for it.
    #[test]
    fn a_slip_brings_the_nearest_names() {
        let user = |id: &str, name: &str, email: &str| {
            Principal::user(id, Some(name.to_owned()), Some(email.to_owned()))
        };
        let all = || {
            vec![
                user("1", "Dana Wolf", "dana.wolf@example.com"),
                user("2", "José Díaz", "jose.diaz@example.com"),
                user("3", "Alexa King", "a.king@example.com"),
                user("4", "Alex Kim", "alex.kim@example.com"),
            ]
        };
        for (wanted, ids) in [
            ("Alex Kin", &["4", "3"][..]),
            ("Alxe Kim", &["4"]),
            ("alex.kin@example.org", &["4", "3"]),
            ("Jose Dias", &["2"]),
            ("kim", &["4"]),
            // Nobody is like these: all that there are.
            ("Xu", &["1", "2", "3", "4"]),
            ("nobody@example.com", &["1", "2", "3", "4"]),
        ] {
            let failure = pick("user", NameOrId::Named(wanted), all()).unwrap_err();
            let found: Vec<_> = failure.candidates.iter().map(|one| one.id.as_str()).collect();
            assert_eq!((failure.kind, found.as_slice()), (Kind::Invalid, ids), "{wanted}");
        }
    }

    /// Nobody is told that an asset has no such address, and nobody is told to take a stranger.
    #[test]
    fn a_name_that_nothing_has_is_told_by_what_could_have_had_it() {
        let role = |name: &str| Role {
            id: "r".to_owned(),
            name: Some(name.to_owned()),
            privileged: false,
            description: None,
            permissions: Vec::new(),
            ingredients: Vec::new(),
        };
        let failure = pick("roleKey", NameOrId::Named("Dev"), vec![role("Developer")]).unwrap_err();
        assert_eq!(failure.message, "roleKey: nothing here has the id or exact name “Dev”");
        assert!(!failure.hint.unwrap_or_default().contains("none that is listed"));
        let failure = pick("userKey", NameOrId::Named("nobody"), people()).unwrap_err();
        assert_eq!(
            failure.message,
            "userKey: nothing here has the id, exact name or e-mail “nobody”"
        );
        assert!(failure.hint.unwrap_or_default().contains("none that is listed is like it"));
    }

    #[test]
    fn blanks_around_what_a_caller_says_are_none_of_it() {
        for text in ["Dana ", " dana@example.com", "\u{a0}3\t"] {
            assert_eq!(pick("user", NameOrId::named(text), people()).unwrap().id, "3", "{text:?}");
        }
        let failure = pick("user", NameOrId::named("Eve"), Vec::<Principal>::new()).unwrap_err();
        assert!(!failure.hint.unwrap_or_default().contains("candidates"), "there are none");
    }

    /// Each pair is two people: whichever is asked for, both are shown.
    #[test]
    fn two_names_that_a_reader_takes_for_one_are_candidates() {
        for (one, other) in [
            ("José Díaz", "Jose\u{301} Di\u{301}az"),
            ("Å", "\u{212b}"),
            ("Sam Rivera", "Sam  Rivera"),
            ("Sam Rivera", "Sam\u{a0}Rivera"),
            ("Sam Rivera", "Sam Rivera\u{1d159}"),
            ("Sam Rivera", "Sam\u{16fe4} Rivera"),
            ("Sam Rivera", "Sam Rivera\u{13441}"),
            ("Sam Rivera", "Sаm Rivera"),
            ("Sam Rivera", "SAM RIVERA"),
            ("José Díaz", "JOSE DIAZ"),
            ("sam@example.com", "sаm@example.com"),
        ] {
            let people = || {
                [("1", one), ("2", other)].map(|(id, name)| {
                    let email = name.contains('@').then(|| name.to_owned());
                    let name = email.is_none().then(|| name.to_owned());
                    Principal::user(id, name, email)
                })
            };
            for wanted in [one, other] {
                let failure = pick("user", NameOrId::Named(wanted), people().into()).unwrap_err();
                let found = (failure.kind, failure.candidates.len());
                assert_eq!(found, (Kind::Ambiguous, 2), "{wanted:?} of {one:?} and {other:?}");
            }
        }
        let only = vec![Principal::user("1", Some("Jose\u{301}  Di\u{301}az".to_owned()), None)];
        assert_eq!(pick("user", NameOrId::Named("José Díaz"), only).unwrap().id, "1");
    }

    /// Umlauts and accents are letters of their own; how they are composed is not. A name that is near is
    /// offered, and one that is taken is taken as it stands.
    #[test]
    fn letters_with_marks_are_told_from_those_without() {
        let people = || {
            [("1", "Jürgen Groß"), ("2", "Zoë Ångström"), ("3", "Łukasz Nowak"), ("4", "Ana Peña")]
                .map(|(id, name)| Principal::user(id, Some(name.to_owned()), None))
                .into()
        };
        for (wanted, found) in [
            ("Jürgen Groß", Ok("1")),
            ("Ju\u{308}rgen Groß", Ok("1")),
            ("Jurgen Groß", Err(&["1"][..])),
            ("Juergen Groß", Err(&["1"])),
            ("JÜRGEN GROSS", Err(&["1"])),
            ("Zoë Ångström", Ok("2")),
            ("Zoe\u{308} A\u{30a}ngstro\u{308}m", Ok("2")),
            ("Zoe Angstrom", Err(&["2"])),
            ("Łukasz Nowak", Ok("3")),
            ("ana peña", Err(&["4"])),
            ("Ana  Peña", Ok("4")),
        ] {
            let picked = pick("user", NameOrId::Named(wanted), people());
            let picked = picked.map(|one: Principal| one.id).map_err(|failure| {
                failure.candidates.into_iter().map(|one| one.id).collect::<Vec<_>>()
            });
            let found = found.map(str::to_owned);
            assert_eq!(
                picked,
                found.map_err(|ids| ids.iter().map(|&id| id.to_owned()).collect()),
                "{wanted}"
            );
        }
    }

    #[test]
    fn an_id_that_cannot_be_shown_is_not_picked() {
        let long = "x".repeat(text::LONGEST + 1);
        let hidden = ["a\u{200b}", "a\u{a0}b", "a\u{1d159}", "a\u{16fe4}", "a\u{13441}", "\u{301}"];
        for id in hidden.into_iter().chain(["", " ", &long]) {
            let people = || vec![Principal::user(id, Some("Sam".to_owned()), None)];
            for wanted in ["Sam", id] {
                let picked = pick("user", NameOrId::Named(wanted), people());
                assert_eq!(picked.unwrap_err().kind, Kind::Refused, "{id:?}");
            }
        }
    }
}
