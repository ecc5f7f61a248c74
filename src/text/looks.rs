//! Names that are the same, and names that only look so.

use unicode_normalization::UnicodeNormalization as _;

use super::skeleton::skeleton;
use super::{folded_for_rules, strip};

/// Whether both are one name: however it is composed, and however wide its blanks are.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || spelled(one) == spelled(other)
}

/// Whether a reader may take one name for the other: what cannot be seen, letter case and accents are
/// left out, and letters of different alphabets that look the same are the same. Letters within ASCII
/// are told apart.
pub fn look_alike(one: &str, other: &str) -> bool {
    let same = |one: &str, other: &str| {
        one == other || is_foreign(one, other) && skeleton(one).eq(skeleton(other))
    };
    let (one, other) = (bare(one), bare(other));
    // Capitals look alike where small letters do not.
    same(&one, &other)
        || same(&folded_for_rules(&one), &folded_for_rules(&other))
        || same(&folded_for_rules(&plain(&one)), &folded_for_rules(&plain(&other)))
}

/// Letters of other alphabets as the ones they look like.
fn plain(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { skeleton(text).collect() }
}

/// A name and the address behind it, where a text is both: `Alex Kim <alex@example.com>`, or with the
/// address in parentheses.
pub fn with_address(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let apart = |open, close| {
        let (name, address) = text.strip_suffix(close)?.rsplit_once(open)?;
        let (name, address) = (name.trim(), address.trim());
        let name = name.trim_matches(['"', '“', '”', '\'']).trim();
        (!name.is_empty() && !address.is_empty() && !address.contains(' '))
            .then_some((name, address))
    };
    apart('<', '>').or_else(|| apart('(', ')'))
}

/// The part of a name by which whatever looks like it can be looked for at a vendor that compares
/// letters: its longest run of plain ones. None where it has none.
pub fn plain_part(text: &str) -> Option<&str> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    parts.rev().max_by_key(|part| part.len()).filter(|part| !part.is_empty())
}

/// A name as it is searched for: what nobody sees, the width of blanks and letter case aside.
pub fn folded(text: &str) -> String {
    folded_for_rules(&bare(text))
}

/// Whether a name contains what is searched for, both [`folded`]; or something that looks like it.
pub(crate) fn contains(name: &str, wanted: &str) -> bool {
    let alike = || {
        let [name, wanted] = [name, wanted].map(|text| skeleton(text).collect::<String>());
        name.contains(&wanted)
    };
    name.contains(wanted) || is_foreign(name, wanted) && alike()
}

/// How many letters are to be changed, swapped, put in or left out to make this name, folded as what was
/// written is; none where that is another word.
pub fn slips(written: &str, name: &str) -> Option<usize> {
    let [long, short] = [name, written].map(|text| text.chars().count());
    // More than a slip in three letters, and nobody meant it.
    let most = long / 3;
    if short == 0 || long.abs_diff(short) > most {
        return None;
    }
    Some(strsim::osa_distance(written, name)).filter(|slips| *slips <= most)
}

fn is_foreign(one: &str, other: &str) -> bool {
    !(one.is_ascii() && other.is_ascii())
}

/// Composed, with single blanks.
fn spelled(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same of what can be seen. Marks are looked at once they have found their letters.
fn bare(text: &str) -> String {
    if text.is_ascii() { spelled(&strip(text)) } else { spelled(&strip(&spelled(text))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_composed() {
        for (one, other, same, alike) in [
            ("José Díaz", "Jose\u{301} Di\u{301}az", true, true),
            ("Å", "\u{212b}", true, true),
            ("Å", "A\u{30a}", true, true),
            ("Sam Rivera", "Sam  Rivera", true, true),
            ("Sam Rivera", "Sam\u{a0}Rivera", true, true),
            ("Sam Rivera", "Sam\u{3000}Rivera ", true, true),
            ("Sam", "Ｓａｍ", true, true),
            ("Sam", "S\u{200b}am", false, true),
            ("Sam", "Sam\u{1d159}", false, true),
            ("Sam", "Sam\u{16fe4}\u{13441}", false, true),
            ("Sam", "Sаm", false, true),
            ("paypal", "раураl", false, true),
            ("Iris", "Ιris", false, true),
            ("Sam", "sam", false, true),
            ("SAM", "sаm", false, true),
            ("ÉMILE", "e\u{301}mile", false, true),
            ("Straße", "STRASSE", false, true),
            ("Omar", "ОМАR", false, true),
            ("Team 1", "Team l", false, false),
            ("Jose", "José", false, true),
            ("Sam", "Sam B", false, false),
        ] {
            assert_eq!(same_name(one, other), same, "{one:?} {other:?}");
            assert_eq!(same_name(other, one), same, "{other:?} {one:?}");
            assert_eq!(look_alike(one, other), alike, "{one:?} {other:?}");
            assert_eq!(look_alike(other, one), alike, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_name_with_its_address_is_both() {
        for (text, both) in [
            ("Alex Kim <a.kim@example.com>", Some(("Alex Kim", "a.kim@example.com"))),
            ("“Alex Kim” (a.kim@example.com)", Some(("Alex Kim", "a.kim@example.com"))),
            (r"Alex Kim (HARBOR\akim)", Some(("Alex Kim", r"HARBOR\akim"))),
            (" \"Kim, Alex\"  <k@x.org> ", Some(("Kim, Alex", "k@x.org"))),
            ("A (old) <a@x.org>", Some(("A (old)", "a@x.org"))),
            ("Portal (on hold)", None),
            ("<a@x.org>", None),
            ("Alex <>", None),
            ("a@x.org", None),
            ("Alex Kim", None),
        ] {
            assert_eq!(with_address(text), both, "{text}");
        }
    }

    #[test]
    fn the_plain_part_is_in_whatever_looks_like_the_name() {
        for (text, part) in [
            ("Sam Rivera", Some("Rivera")),
            ("José Díaz", Some("Jos")),
            ("Orders", Some("Orders")),
            ("Alex Kim", Some("Alex")),
            ("Zoë Łuk", Some("Zo")),
            ("生産", None),
            ("", None),
        ] {
            assert_eq!(plain_part(text), part, "{text}");
        }
    }

    /// Whoever looks for a name is shown those that look like it too.
    #[test]
    fn a_search_finds_what_looks_like_it() {
        for (name, wanted, found) in [
            ("Jose\u{301} Di\u{301}az", "josé", true),
            ("SAM  Rivera", "m riv", true),
            ("Sаm Rivera", "sam", true),
            ("Kim", "ir", false),
            ("Dana", "sam", false),
        ] {
            assert_eq!(contains(&folded(name), &folded(wanted)), found, "{name:?} {wanted:?}");
        }
    }
}
