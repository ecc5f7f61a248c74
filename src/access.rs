//! The vocabulary every vendor answers in: who has which role on what, and how a change ended.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::text::{self, Word};

/// Who gets access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    pub kind: PrincipalKind,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the vendor lets the principal sign in; `None` where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// The kinds of principal that vendors know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PrincipalKind {
    User,
    Group,
    ServiceAccount,
    Token,
}

/// What a principal gets: an organization role, a permission, a permission list, a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Role {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Computed from what the role contains, never from its name alone.
    pub privileged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// What access is to: an asset, an organization, an environment, a project space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    pub kind: &'static str,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it lies, for vendors that keep resources in folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// One row: a principal holds a role on a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The vendor's own id of the row, where it has one: an assignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub principal: Named,
    pub role: Named,
    pub resource: Named,
    /// How far the row reaches in the vendor's own terms, for example `asset` or `organization`.
    pub scope: Cow<'static, str>,
    /// The container it counts in, where the vendor has such: a portfolio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// The group through which the principal holds it, where it is not their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Named>,
    /// When it begins, where that is still to come: not access yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// When the vendor ends it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The vendor holds it for its approvers: not access yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// Where a vendor's approvers are with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    Waiting,
    Approved,
    Denied,
    Expired,
}

/// An id with the name a person knows it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "short")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Roles that are none of the vendor's, in words of ours: they have no id.
pub const ANY_ROLE: &str = "any role";
pub const ALL_ACCESS: &str = "all access";
/// The most of a name that is kept: several that stand in one are longer than any single one.
const LONGEST_NAME: usize = 1_000;

fn short<S: Serializer>(name: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_ref().map(|name| text::short(name, LONGEST_NAME)).serialize(serializer)
}

impl Named {
    /// No role that a vendor has.
    pub fn ours(phrase: &'static str) -> Self {
        Self { id: String::new(), name: Some(phrase.to_owned()), kind: None }
    }

    pub fn new(id: impl Into<String>, name: Option<String>, kind: &str) -> Self {
        Self { id: id.into(), name, kind: Some(kind.to_owned()) }
    }

    /// As a sentence of ours says it: a name is the vendor's words, so it stands in quotes.
    pub fn said(&self) -> String {
        match &self.name {
            Some(phrase) if self.is_ours() => phrase.clone(),
            Some(name) => text::quote(Word::Vendor, name),
            None => text::quote(Word::Id, &self.id),
        }
    }

    /// Whether it says what we say; a vendor may well have something without an id.
    fn is_ours(&self) -> bool {
        let phrase = self.name.as_deref().unwrap_or_default();
        self.id.is_empty() && [ANY_ROLE, ALL_ACCESS].contains(&phrase)
    }

    /// Whether both are the same: a user and a group may have one id. Not every list says of what
    /// kind something is.
    pub fn is(&self, other: &Self) -> bool {
        let differ = matches!((&self.kind, &other.kind), (Some(one), Some(other)) if one != other);
        self.id == other.id && !differ
    }

    /// The name where there is one, else the id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

impl Access {
    /// Whether both rows say the same of the same: names and ends aside.
    pub fn is(&self, other: &Self) -> bool {
        self.principal.is(&other.principal)
            && self.role.id == other.role.id
            && self.resource.id == other.resource.id
            && self.pending == other.pending
    }
}

impl Access {
    /// Whether both rows are one and the same, as far as a vendor shows it: names aside.
    pub fn is_still(&self, other: &Self) -> bool {
        self.is(other)
            && self.id == other.id
            && self.principal.kind == other.principal.kind
            && self.within == other.within
            && self.starts_at == other.starts_at
            && self.expires_at == other.expires_at
    }
}

impl Principal {
    /// A user as most vendors describe one.
    pub fn user(id: impl Into<String>, name: Option<String>, email: Option<String>) -> Self {
        Self { kind: PrincipalKind::User, id: id.into(), name, email, active: None }
    }

    /// What a person should know about the principal before granting them anything.
    pub fn warnings(&self) -> Vec<String> {
        let asleep = self.active == Some(false);
        asleep.then(|| format!("{} is not active", self.named().said())).into_iter().collect()
    }

    pub fn named(&self) -> Named {
        let name = self.name.clone().or_else(|| self.email.clone());
        Named::new(&self.id, name, self.kind.as_str())
    }
}

impl PrincipalKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::ServiceAccount => "service_account",
            Self::Token => "token",
        }
    }
}

impl Role {
    pub fn named(&self) -> Named {
        Named { id: self.id.clone(), name: self.name.clone(), kind: None }
    }
}

impl Resource {
    pub fn new(kind: &'static str, id: impl Into<String>, name: Option<String>) -> Self {
        Self { kind, id: id.into(), name, path: None }
    }

    pub fn named(&self) -> Named {
        Named::new(&self.id, self.name.clone(), self.kind)
    }
}

/// The closed word for how a change ended.
///
/// The order is the order of severity: the word for several items is the greatest of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Dry run: exactly what would be sent.
    Preview,
    /// It was so before; nothing changed.
    AlreadyPresent,
    /// It was so before; nothing changed.
    AlreadyAbsent,
    /// Sent, and read back.
    Confirmed,
    /// The vendor said yes, and offers no way to read it back.
    Unconfirmed,
    /// The vendor holds it for its own approvers.
    PendingVendorApproval,
    /// A person must approve it first; nothing was sent.
    AwaitingConsent,
    /// Not done, can be tried again.
    Unavailable,
    /// Policy or a person said no; nothing was sent.
    Refused,
    /// Arguments or names do not resolve; nothing was sent.
    Invalid,
    /// The vendor said no.
    Rejected,
    /// The vendor said yes, and reading back shows otherwise.
    Mismatch,
    /// It may have happened; it is not sent again.
    Unknown,
}

impl Outcome {
    /// Whether a client should treat the answer as an error.
    pub fn is_error(self) -> bool {
        self >= Self::Unavailable
    }

    /// Whether a change that ended so is known not to stand.
    pub fn is_nothing(self) -> bool {
        matches!(self, Self::Unavailable | Self::Refused | Self::Invalid | Self::Rejected)
    }

    /// The exit status of a command that ended so: 0 done, 3 not finished, 1 failed.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Unconfirmed | Self::PendingVendorApproval | Self::AwaitingConsent => 3,
            other => u8::from(other.is_error()),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::AlreadyPresent => "already_present",
            Self::AlreadyAbsent => "already_absent",
            Self::Confirmed => "confirmed",
            Self::Unconfirmed => "unconfirmed",
            Self::PendingVendorApproval => "pending_vendor_approval",
            Self::AwaitingConsent => "awaiting_consent",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_said_in_quotes_unless_it_is_a_phrase_of_ours() {
        let named = |id: &str, name: Option<&str>| Named::new(id, name.map(str::to_owned), "role");
        for (named, said) in [
            (named("1", Some("Owner")), "“Owner”"),
            (named("", Some("Owner; ends today")), "“Owner; ends today”"),
            (Named::ours(ANY_ROLE), "any role"),
            (named("a-1", None), "a-1"),
            (named("a 1; ends today", None), "“a 1; ends today”"),
            (named("", None), "“”"),
        ] {
            assert_eq!(named.said(), said);
        }
    }

    /// Nothing that a vendor calls itself makes a line of the ledger long.
    #[test]
    fn a_name_is_kept_short_and_an_id_whole() {
        let long = "x".repeat(7_000_000);
        let kept = serde_json::to_value(Named::new(&long[..300], Some(long.clone()), "user"));
        let kept = kept.unwrap();
        assert_eq!(kept["id"], long[..300]);
        assert_eq!(kept["name"].as_str().unwrap().chars().count(), LONGEST_NAME + 1);
    }

    #[test]
    fn the_word_for_several_is_the_worst() {
        use Outcome::*;
        // Worst first, as users are promised; preview and already_* never outrank a change that was made.
        let worst_first = [
            Unknown,
            Mismatch,
            Rejected,
            Unavailable,
            PendingVendorApproval,
            Unconfirmed,
            Confirmed,
        ];
        for pair in worst_first.windows(2) {
            assert!(pair[0] > pair[1], "{pair:?}");
        }
        assert!([AlreadyPresent, AlreadyAbsent].into_iter().all(|already| already < Confirmed));
    }

    #[test]
    fn the_wire_word_is_the_serde_word() {
        use Outcome::*;
        for outcome in [Preview, AlreadyPresent, PendingVendorApproval, Unknown] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
