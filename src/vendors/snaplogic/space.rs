//! Project space paths, and permission lists as roles.

use std::collections::BTreeSet;

use super::LEVELS;
use crate::access::Named;
use crate::failure::Failure;

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
            Failure::invalid(format!("{field}: {trouble}"))
                .hint("give /org/space or /org/space/project")
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
    let (suffix, reach) = if inherit { (INHERIT, ", and all assets inside") } else { ("", "") };
    Named { id: format!("{joined}{suffix}"), name: Some(format!("{level}{reach}")), kind: None }
}

/// The letters and the reach of a role's id: the inverse of [`role`].
pub fn letters(role: &str) -> (Vec<&str>, bool) {
    let (letters, inherit) = match role.strip_suffix(INHERIT) {
        Some(letters) => (letters, true),
        None => (role, false),
    };
    (letters.split(',').filter(|letter| !letter.is_empty()).collect(), inherit)
}

const INHERIT: &str = "+inherit";

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

    #[test]
    fn a_path_has_two_or_three_names() {
        for bad in ["", "/", "/Org", "/Org//S", "/Org/../S", "/Org/S/.", "/O/S/P/Q"] {
            assert!(Path::parse("path", bad).is_err(), "{bad}");
        }
        let path = Path::parse("path", "Org/S/P").unwrap();
        assert_eq!((path.whole().as_str(), path.project), ("/Org/S", Some("P")));
    }
}
