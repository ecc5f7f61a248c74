//! Project space paths, and permission lists as roles.

use std::collections::BTreeSet;

use super::LEVELS;
use crate::access::Named;
use crate::failure::Failure;
use crate::text::{self, Word};

/// A path as a caller gives it: /org/space, or /org/space/project.
#[derive(Debug)]
pub struct Path<'a> {
    pub org: &'a str,
    pub space: &'a str,
    pub project: Option<&'a str>,
}

impl<'a> Path<'a> {
    /// # Errors
    /// Not two or three segments, or a segment that is no name. `field` is the argument.
    pub fn parse(field: &str, path: &'a str) -> Result<Self, Failure> {
        let wrong = |trouble| {
            Failure::invalid(trouble).of(field).hint("give /org/space or /org/space/project")
        };
        let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(wrong("holds an empty, `.` or `..` segment"));
        }
        match *parts.as_slice() {
            [org, space] => Ok(Self { org, space, project: None }),
            [org, space, project] => Ok(Self { org, space, project: Some(project) }),
            _ => Err(wrong("must have two or three segments")),
        }
    }

    /// The space, which is what the vendor changes whatever the path.
    ///
    /// # Errors
    /// `Refused` for the space that public APIs cannot change.
    pub fn changeable(&self) -> Result<String, Failure> {
        if self.space.eq_ignore_ascii_case("apim") {
            return Err(Failure::refused(
                "the space apim cannot be changed by SnapLogic's public APIs",
            )
            .hint("change it in API Management"));
        }
        Ok(self.whole())
    }

    /// The path of the space.
    pub fn whole(&self) -> String {
        format!("/{}/{}", self.org, self.space)
    }
}

/// A permission list as a role: its letters, and whether it reaches the assets inside.
pub fn role(letters: &BTreeSet<String>, inherit: bool) -> Named {
    let joined = letters.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let level = level(letters).unwrap_or_else(|| joined.clone());
    let (suffix, reach) = if inherit { (INHERIT, INSIDE) } else { ("", "") };
    let (id, name) = (format!("{joined}{suffix}"), Some(format!("{level}{reach}")));
    Named { id, name, kind: None, email: None }
}

/// The letters and the reach of a role's id: the inverse of [`role`].
pub fn letters(role: &str) -> (Vec<&str>, bool) {
    let (letters, inherit) = match role.strip_suffix(INHERIT) {
        Some(letters) => (letters, true),
        None => (role, false),
    };
    (letters.split(',').filter(|letter| !letter.is_empty()).collect(), inherit)
}

/// A role by which a list is narrowed: these letters and no others.
pub struct WantedRole {
    letters: BTreeSet<String>,
    /// Only those that reach the assets inside; otherwise those too.
    inherit: bool,
}

impl WantedRole {
    /// A role as it is listed, by id or by name.
    ///
    /// # Errors
    /// There is no such permission list.
    pub fn parse(wanted: &str) -> Result<Self, Failure> {
        let (bare, inherit) = match (wanted.strip_suffix(INHERIT), wanted.strip_suffix(INSIDE)) {
            (Some(bare), _) | (None, Some(bare)) => (bare, true),
            (None, None) => (wanted, false),
        };
        let named = LEVELS.iter().find(|(name, _)| text::same_name(name, bare));
        let letters: BTreeSet<String> = match named {
            Some((_, letters)) => letters.iter().map(|&letter| letter.to_owned()).collect(),
            None => bare.split(',').map(|letter| letter.trim().to_owned()).collect(),
        };
        let known = |letter: &String| ["R", "W", "X"].contains(&letter.as_str());
        if letters.iter().all(known) {
            return Ok(Self { letters, inherit });
        }
        let named = LEVELS.iter().map(|(name, letters)| format!("{} ({name})", letters.join(",")));
        let named = named.collect::<Vec<_>>().join(", ");
        let wanted = text::quote(Word::Caller, wanted);
        Err(Failure::invalid(format!("{wanted} is no permission list"))
            .of("role")
            .hint(format!("SnapLogic's are R, W and X, such as {named}")))
    }

    pub fn is(&self, role: &Named) -> bool {
        let (letters, inherit) = letters(&role.id);
        self.letters.iter().map(String::as_str).eq(letters) && (inherit || !self.inherit)
    }
}

const INHERIT: &str = "+inherit";
/// The same in words.
const INSIDE: &str = ", and all assets inside";

/// The Manager's name for a set of permissions, where it has one.
fn level(letters: &BTreeSet<String>) -> Option<String> {
    let same = |wanted: &[&str]| wanted.iter().copied().eq(letters.iter().map(String::as_str));
    LEVELS.iter().find(|(_, wanted)| same(wanted)).map(|(name, _)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_named_as_in_the_manager() {
        let role = |letters: &[&str]| role(&letters.iter().map(|&l| l.to_owned()).collect(), true);
        assert_eq!(
            role(&["X", "R"]).name.as_deref(),
            Some("Read & Execute, and all assets inside")
        );
        assert_eq!(role(&["W"]).name.as_deref(), Some("W, and all assets inside"));
        assert_eq!(letters(&role(&["X", "R"]).id), (vec!["R", "X"], true));
    }

    /// A filter finds what is listed so, and nothing that is merely called alike.
    #[test]
    fn a_role_is_found_as_it_is_listed() {
        let listed =
            |text: &str, inherit| role(&text.split(',').map(str::to_owned).collect(), inherit);
        let all = [
            ("R", false),
            ("R", true),
            ("R,W", false),
            ("R,W", true),
            ("W", false),
            ("R,X", false),
        ];
        for (wanted, found) in [
            ("R", &[0, 1][..]),
            ("Read Only", &[0, 1]),
            ("R+inherit", &[1]),
            ("R,W", &[2, 3]),
            ("W,R", &[2, 3]),
            ("Read & Write", &[2, 3]),
            ("Read & Write, and all assets inside", &[3]),
            ("W", &[4]),
            ("R,W,X", &[]),
        ] {
            let role = WantedRole::parse(wanted).unwrap();
            let fits = |place: &usize| role.is(&listed(all[*place].0, all[*place].1));
            assert_eq!((0..all.len()).filter(fits).collect::<Vec<_>>(), found, "{wanted}");
        }
        for wrong in ["Read", "r", "RW", "Developer", "", "R,Q"] {
            let failure = WantedRole::parse(wrong).err().unwrap();
            assert_eq!(failure.argument.as_deref(), Some("role"), "{wrong}");
        }
    }

    #[test]
    fn a_path_has_two_or_three_names() {
        for bad in ["", "/", "/Org", "/Org//S", "/Org/../S", "/Org/S/.", "/O/S/P/Q"] {
            assert!(Path::parse("path", bad).is_err(), "{bad}");
        }
        for (path, whole, project, changeable) in [
            ("/Org/S", "/Org/S", None, true),
            ("Org/S/P", "/Org/S", Some("P"), true),
            ("/Org/S/shared", "/Org/S", Some("shared"), true),
            ("/Org/apim", "/Org/apim", None, false),
            ("/Org/APIM/P", "/Org/APIM", Some("P"), false),
            ("/apim/S", "/apim/S", None, true),
        ] {
            let path = Path::parse("path", path).unwrap();
            assert_eq!((path.whole().as_str(), path.project), (whole, project));
            assert_eq!(path.changeable().is_ok(), changeable, "{whole}");
        }
    }
}
