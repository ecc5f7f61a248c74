//! Who is meant where a command is told of people: those who ask, see and approve.

use serde::Deserialize;

use crate::requester::{Caller, CallerKind, Groups, Requester};
use crate::text;

/// A user of the operating system by their name, or a caller `ISSUER#SUBJECT` with what their issuer says of them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Somebody {
    name: String,
    kind: Option<CallerKind>,
    groups: Vec<String>,
    email: Option<String>,
    client: Option<String>,
}

impl Somebody {
    /// Of whom no more is said.
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(super) fn requester(self) -> Result<Requester, &'static str> {
        if text::is_blank(&self.name) {
            return Err("must be a name, or a table with one");
        }
        let is_plain = self.kind.is_none()
            && self.groups.is_empty()
            && self.email.is_none()
            && self.client.is_none();
        match self.name.split_once('#').filter(|(issuer, _)| issuer.contains("://")) {
            None if is_plain => Ok(Requester::named(self.name)),
            None => Err(
                "has a name that is no caller's, ISSUER#SUBJECT: nothing else is said of others",
            ),
            Some((issuer, subject)) => Ok(Requester::calling(Caller {
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                kind: self.kind.unwrap_or(CallerKind::Person),
                email: self.email,
                client: self.client,
                groups: Groups::Told(self.groups),
            })),
        }
    }
}

/// Whom an option names: by a name alone, or in JSON as a table of cases says it.
///
/// # Errors
/// It names nobody, in words.
pub(super) fn option(given: &str) -> Result<Requester, String> {
    let said = match given.trim_start().starts_with('{') {
        true => serde_json::from_str(given).map_err(|error| error.to_string())?,
        false => Somebody::named(given),
    };
    said.requester().map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_names_a_user_or_a_caller_with_what_is_said_of_them() {
        let ada = option("ada").unwrap();
        assert_eq!((ada.name(), ada.caller()), ("ada", None));
        let bo = option("https://id.example.com#bo").unwrap();
        assert_eq!(bo.caller().map(|caller| caller.subject.as_str()), Some("bo"));
        let of_crew =
            r#"{"name": "https://id.example.com#bo", "groups": ["https://id.example.com#crew"]}"#;
        let groups = vec!["https://id.example.com#crew".to_owned()];
        assert_eq!(option(of_crew).unwrap().groups(), &Groups::Told(groups));
        for odd in ["", " ", "{}", "{", r#"{"nmae": "x"}"#, r#"{"name": "ada", "groups": ["g"]}"#] {
            assert!(option(odd).is_err(), "{odd}");
        }
    }
}
