//! Who asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Who has a call made: the rules know them by this name, the ledger's lines bear it, and a question to a
/// person says it. At a terminal and over stdio it is the user of the operating system whom the process runs
/// as. A face that serves several people makes one for each call, of what it has checked of them: over HTTP,
/// the issuer and the subject of a token, and never what a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    name: String,
    caller: Option<Arc<Caller>>,
}

/// What an issuer says of somebody who calls over a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Who says so, byte for byte as its tokens do. No issuer has a `#` in it.
    pub issuer: String,
    /// Whom it means: unique at that issuer, and never given to somebody else.
    pub subject: String,
    pub kind: CallerKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The client that the token was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Groups::is_none")]
    pub groups: Groups,
}

/// The groups that an issuer says somebody is in, each as `ISSUER#NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Groups {
    Told(Vec<String>),
    /// There are more than a token holds: of no group is it known whether they are in it.
    Untold,
}

/// Whether somebody is behind a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    Person,
    /// A program that acts in its own name.
    Service,
}

impl Requester {
    /// The user of the operating system of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), caller: None }
    }

    /// Whoever an issuer says it is: `ISSUER#SUBJECT`, which no user of an operating system is called.
    pub fn calling(caller: Caller) -> Self {
        let name = format!("{}#{}", caller.issuer, caller.subject);
        Self { name, caller: Some(Arc::new(caller)) }
    }

    /// Whoever made an earlier request, by what was kept of them.
    pub fn known(name: &str, caller: Option<&Caller>) -> Self {
        Self { name: name.to_owned(), caller: caller.cloned().map(Arc::new) }
    }

    /// Whether a program asks in its own name.
    pub fn is_service(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.kind == CallerKind::Service)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What an issuer says of them, where one does.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// What is said of the groups they are in; an operating system's user is in none.
    pub fn groups(&self) -> &Groups {
        self.caller.as_ref().map_or(Groups::NONE, |caller| &caller.groups)
    }

    /// Whether they may see what somebody of this name asked for. Whoever is at the machine sees all that its
    /// ledger tells; a caller sees what is theirs.
    pub fn may_see(&self, asked_by: &str) -> bool {
        self.caller.is_none() || self.name == asked_by
    }
}

impl Groups {
    /// Nobody says of any.
    pub const NONE: &Self = &Self::Told(Vec::new());

    pub fn is_none(&self) -> bool {
        self == Self::NONE
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self::NONE.clone()
    }
}

impl CallerKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(issuer: &str, subject: &str) -> Requester {
        Requester::calling(Caller {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            kind: CallerKind::Person,
            email: None,
            client: None,
            groups: Groups::default(),
        })
    }

    #[test]
    fn a_caller_sees_what_is_theirs_and_whoever_is_at_the_machine_sees_all() {
        let ada = caller("https://id.example.com", "ada");
        assert_eq!(ada.name(), "https://id.example.com#ada");
        for (who, asked_by, sees) in [
            (&ada, "https://id.example.com#ada", true),
            (&ada, "https://other.example.com#ada", false),
            (&ada, "https://id.example.com#eve", false),
            (&ada, "ada", false),
            (&Requester::named("ada"), "https://id.example.com#ada", true),
            (&Requester::named("ada"), "eve", true),
        ] {
            assert_eq!(who.may_see(asked_by), sees, "{} and {asked_by}", who.name());
        }
    }
}
