//! The vocabulary every vendor answers in: who has which role on what, and how a change ended.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl Named {
    pub fn new(id: impl Into<String>, name: Option<String>, kind: &str) -> Self {
        Self { id: id.into(), name, kind: Some(kind.to_owned()) }
    }

    /// As a sentence of ours says it: a name is the vendor's words, so it stands in quotes.
    pub fn said(&self) -> String {
        match &self.name {
            // What has no id is a phrase of ours.
            Some(phrase) if self.id.is_empty() => phrase.clone(),
            Some(name) => text::quoted(name),
            None => text::exact(&self.id),
        }
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
