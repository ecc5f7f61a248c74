//! Names that may have been meant: written with other letters, in another order, or with a slip.

use std::collections::HashSet;

use super::skeleton::skeleton;
use super::{contains, folded, slips};

/// Letters that are written with others where a keyboard has none of them, and that no decomposition
/// takes apart.
const SPELLED: [(char, &str); 10] = [
    ('æ', "ae"),
    ('œ', "oe"),
    ('ø', "o"),
    ('ł', "l"),
    ('đ', "d"),
    ('ð', "d"),
    ('þ', "th"),
    ('ı', "i"),
    ('ħ', "h"),
    ('ŧ', "t"),
];
/// Two letters that stand for one with a mark.
const PAIRS: [(&str, &str); 4] = [("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a")];
/// A shorter text is a part of too much.
const SHORTEST: usize = 3;
/// Parts of a name by which a vendor is asked.
const MOST_PARTS: usize = 4;

/// How far a name is from what was asked for, where it may have been meant; 0 where only letters or
/// their order differ. Of an address only what stands before the @ is compared: the rest is everybody's.
pub fn near(name: &str, wanted: &str) -> Option<usize> {
    let both = [name, wanted].map(folded);
    let [folded_name, folded_wanted] = both.each_ref().map(String::as_str);
    let is_blank = folded_name.is_empty() || folded_wanted.is_empty();
    if !is_blank && (contains(folded_name, folded_wanted) || contains(folded_wanted, folded_name)) {
        return Some(0);
    }
    let [name, wanted] = [name, wanted].map(|text| words(local(text)));
    if is_part(&name, &wanted) || is_part(&wanted, &name) {
        return Some(0);
    }
    let sorted = |words: &[String]| {
        let mut words = words.to_vec();
        words.sort_unstable();
        words.join(" ")
    };
    let as_written = slips(local(folded_wanted), local(folded_name));
    let plain = slips(&wanted.join(" "), &name.join(" "));
    let in_order = slips(&sorted(&wanted), &sorted(&name));
    [as_written, plain, in_order].into_iter().flatten().min()
}

/// Whether a name is found by a query: it contains it, however either is spelled, or has the same words
/// in another order.
pub fn finds(name: &str, query: &str) -> bool {
    contains(&folded(name), &folded(query)) || is_part(&words(query), &words(name))
}

/// Parts of a name by which it is found at a vendor that compares letters, though it is spelled
/// otherwise there or one of its letters was a slip: how a word begins, how it ends, and what stands
/// around letters that may be written as one.
pub fn parts(name: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for word in local(name).split(|c: char| !c.is_ascii_alphanumeric()) {
        let begin = word.get(..SHORTEST).unwrap_or(word);
        let end = word.get(word.len().div_ceil(2)..).unwrap_or_default();
        let pair = PAIRS.iter().find_map(|(pair, _)| word.split_once(pair));
        let around = pair.map_or(["", ""], |(one, other)| [one, other]);
        parts.extend([begin, end].into_iter().chain(around).filter(|part| part.len() > 1));
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let mut seen = HashSet::new();
    parts.retain(|part| seen.insert(*part));
    parts.truncate(MOST_PARTS);
    parts
}

/// What stands before the @ of an address.
fn local(text: &str) -> &str {
    text.split_once('@').map_or(text, |(local, _)| local)
}

/// The words of a name with the letters that every keyboard has.
fn words(text: &str) -> Vec<String> {
    let mut plain: String = folded(&text.chars().map(latin).collect::<String>());
    for (letter, spelled) in SPELLED {
        plain = plain.replace(letter, spelled);
    }
    // Small letters of other alphabets look like others than their capitals do.
    plain = plain.chars().map(latin).collect();
    for (pair, letter) in PAIRS {
        plain = plain.replace(pair, letter);
    }
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// A letter as the one of ours that it looks like, where it looks like one.
fn latin(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let bytes = &mut [0; 4];
    let mut alike = skeleton(c.encode_utf8(bytes));
    match (alike.next(), alike.next()) {
        // What an I looks like is written as an l.
        (Some('l'), None) if c.is_uppercase() => 'I',
        (Some(one), None) if one.is_ascii_alphabetic() => one,
        _ => c,
    }
}

/// Whether the words of one are all of them, in any order, words of the other; or one text of the other.
fn is_part(words: &[String], of: &[String]) -> bool {
    let text = words.concat();
    text.chars().count() >= SHORTEST
        && (words.iter().all(|word| of.contains(word)) || of.join(" ").contains(&words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is offered for the other, and both ways round.
    #[test]
    fn a_name_is_near_however_it_is_written() {
        for (name, wanted, is_near) in [
            ("Jörg Müller", "Joerg Mueller", Some(0)),
            ("Jörg Müller", "Jorg Muller", Some(0)),
            ("Jörg Müller", "Mueller, Joerg", Some(0)),
            ("Tomás Ferreira", "Tomas Ferreira", Some(0)),
            ("Tomás Ferreira", "Ferreira Tomas", Some(0)),
            ("Straße", "strasse", Some(0)),
            ("Bjørn Åsen", "Bjoern Aasen", Some(0)),
            ("Bjørn Åsen", "Bjorn Asen", Some(0)),
            ("Łukasz Đorđević", "Lukasz Dordevic", Some(0)),
            ("Ægir Þórsson", "Aegir Thorsson", Some(0)),
            ("İpek Işık", "Ipek Isik", Some(0)),
            ("Alex Kim", "Kim Alex", Some(0)),
            ("Alex Kim", "Kim, Alex", Some(0)),
            ("Alex Kim", "Кim Аlех", Some(0)),
            ("Sam Rivera", "Ѕаm Rіvеrа", Some(0)),
            ("Οmar", "Omar", Some(0)),
            ("alex.kim@example.com", "Kim Alex", Some(0)),
            ("joerg.mueller@example.com", "jörg.müller@example.org", Some(0)),
            ("Priya Raman", "Prya Ramann", Some(2)),
            ("Billing", "Bilings", Some(2)),
            ("Jörg Müller", "Jeorg Mueler", Some(2)),
            ("Kim, Alxe", "Alex Kim", Some(1)),
            ("Alex Kim", "Dana Wolf", None),
            ("Developer", "Tester", None),
            ("Jörg Müller", "Hans Mueller", None),
            ("Xu", "Kim", None),
            ("生産", "生", Some(0)),
            ("", "kim", None),
        ] {
            assert_eq!(near(name, wanted), is_near, "{name} {wanted}");
            assert_eq!(near(wanted, name), is_near, "{wanted} {name}");
        }
    }

    #[test]
    fn a_search_finds_other_spellings_and_orders() {
        for (name, query, found) in [
            ("Jörg Müller", "mueller", true),
            ("Jörg Müller", "Mueller, Joerg", true),
            ("Joerg Mueller", "Müller", true),
            ("Alex Kim", "Kim, Alex", true),
            ("Alex Kim", "Kim Al", false),
            ("Alex Kim", "lex k", true),
            ("Alex Kim", "Alex Kin", false),
            ("Alex Kim", "Alex Kim Junior", false),
            ("HARBOR\\akim", "harbor\\akim", true),
        ] {
            assert_eq!(finds(name, query), found, "{name} {query}");
        }
    }

    /// Whoever is asked by these finds the name that is meant.
    #[test]
    fn a_part_of_what_was_written_is_in_the_name_that_is_meant() {
        for (wanted, name) in [
            ("Joerg Mueller", "Jörg Müller"),
            ("Tomas", "Tomás"),
            ("Tomas Ferreira", "Tomás Ferreira"),
            ("Prya Ramann", "Priya Raman"),
            ("Bilings", "Billing"),
            ("Develper", "Developer"),
            ("Goetz", "Götz"),
            ("Strasse", "Straße"),
            ("Jose", "José"),
            ("alex.kin@example.com", "alex.kim@example.com"),
            ("Müller", "Mueller"),
        ] {
            let parts = parts(wanted);
            assert!(parts.iter().any(|part| name.contains(part)), "{wanted}: {parts:?}");
            assert!(parts.len() <= MOST_PARTS);
        }
        assert!(parts("生産").is_empty() && parts("").is_empty());
    }
}
