//! The vocabulary every vendor answers in: who has which role on what, and how a change ended.

use std::borrow::Cow;

use jiff::Timestamp;
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
    /// The same with the ids that tell two of one name apart, where the vendor gives them.
    #[serde(skip)]
    pub ingredients: Vec<String>,
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
    /// The vendor's own type of it, such as `REST Service`: what tells two of one name apart.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub told_type: Option<String>,
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
    /// What tells people of one name apart, where the vendor shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
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
        Self { id: String::new(), name: Some(phrase.to_owned()), kind: None, email: None }
    }

    pub fn new(id: impl Into<String>, name: Option<String>, kind: &str) -> Self {
        Self { id: id.into(), name, kind: Some(kind.to_owned()), email: None }
    }

    /// A name by itself, as a sentence of ours says it: it is the vendor's words, so it stands in
    /// quotes.
    pub fn said(&self) -> String {
        match &self.name {
            Some(phrase) if self.is_ours() => phrase.clone(),
            Some(name) if Some(name) != self.email.as_ref() => text::quote(Word::Vendor, name),
            Some(address) => text::quote(Word::Id, address),
            None => text::quote(Word::Id, &self.id),
        }
    }

    /// The one way of saying who or what something is: its name, and for those who get access what
    /// tells them from others of that name, which is their address, or else their id.
    ///
    /// “Alex Kim” (alex.kim@example.com), “Orders”, pm-1.
    pub fn label(&self) -> String {
        let Some(name) = self.name.as_ref().filter(|_| !self.is_ours()) else {
            return self.said();
        };
        let gets_access = self.kind.as_deref().is_some_and(PrincipalKind::is_one);
        let own = gets_access.then_some(&self.id).filter(|id| !id.is_empty());
        match self.email.as_ref().or(own).filter(|address| *address != name) {
            Some(address) => format!("{} ({})", self.said(), text::quote(Word::Id, address)),
            None => self.said(),
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
    pub fn bare(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

impl Access {
    /// A row as most vendors have it: without a name of its own, there now, and until it is taken away.
    pub fn of(
        principal: Named,
        role: Named,
        resource: Named,
        scope: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            id: None,
            principal,
            role,
            resource,
            scope: scope.into(),
            within: None,
            via: None,
            starts_at: None,
            expires_at: None,
            pending: false,
        }
    }

    /// Whether it would stand after then if only the vendor ended it.
    pub fn ends_after(&self, time: Timestamp) -> bool {
        let end = self.expires_at.as_deref().and_then(|end| end.parse::<Timestamp>().ok());
        end.is_none_or(|end| end > time)
    }

    /// Whether both rows say the same of the same: names and ends aside.
    pub fn is(&self, other: &Self) -> bool {
        self.principal.is(&other.principal)
            && self.role.id == other.role.id
            && self.resource.id == other.resource.id
            && self.pending == other.pending
    }

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
        asleep.then(|| format!("{} is not active", self.named().label())).into_iter().collect()
    }

    pub fn named(&self) -> Named {
        let name = self.name.clone().or_else(|| self.email.clone());
        let email = self.email.clone();
        Named { email, ..Named::new(&self.id, name, self.kind.as_str()) }
    }
}

impl PrincipalKind {
    /// Whether the word for a kind is that of one who gets access.
    fn is_one(word: &str) -> bool {
        [Self::User, Self::Group, Self::ServiceAccount, Self::Token]
            .iter()
            .any(|kind| kind.as_str() == word)
    }

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
        Named { id: self.id.clone(), name: self.name.clone(), kind: None, email: None }
    }
}

impl Resource {
    pub fn new(kind: &'static str, id: impl Into<String>, name: Option<String>) -> Self {
        Self { kind, id: id.into(), name, path: None, told_type: None }
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
    /// Of several changes asked for as one, some are done and some are not.
    PartlyDone,
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

    /// Whether a change that ended so may have left something behind.
    pub fn may_stand(self) -> bool {
        matches!(
            self,
            Self::Confirmed
                | Self::Unconfirmed
                | Self::PendingVendorApproval
                | Self::PartlyDone
                | Self::Mismatch
                | Self::Unknown
        )
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
            Self::PartlyDone => "partly_done",
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

    #[test]
    fn whoever_gets_access_is_told_from_others_of_that_name() {
        let of = |kind: &str, id: &str, name: Option<&str>, email: Option<&str>| Named {
            email: email.map(str::to_owned),
            ..Named::new(id, name.map(str::to_owned), kind)
        };
        let address = "alex.kim@example.com";
        for (named, label) in [
            (
                of("user", "17be", Some("Alex Kim"), Some(address)),
                "“Alex Kim” (alex.kim@example.com)",
            ),
            (of("user", "17be", Some(address), Some(address)), address),
            (of("user", address, Some("Alex Kim"), None), "“Alex Kim” (alex.kim@example.com)"),
            (of("user", r"HARBOR\akim", Some("Alex Kim"), None), r"“Alex Kim” (HARBOR\akim)"),
            (of("token", "to-1", Some("CI"), None), "“CI” (to-1)"),
            (of("group", "admins", Some("admins"), None), "“admins”"),
            (of("user", "17be", None, None), "17be"),
            (of("asset", "a111", Some("Orders"), None), "“Orders”"),
            (
                of("user", "1", Some("A <boss@x.com>"), Some("a@x.com")),
                "“A <boss@x.com>” (a@x.com)",
            ),
            (of("user", "1", Some("A"), Some("a@x.com) of “B")), "“A” (“a@x.com) of \\u{201c}B”)"),
            (Named::ours(ANY_ROLE), "any role"),
        ] {
            assert_eq!(named.label(), label);
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
