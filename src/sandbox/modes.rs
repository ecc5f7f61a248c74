//! How the fakes behave where the vendors' documents leave it open.

use std::time::Duration;

use super::keys::KeyKind;

/// The default is the commonest reading of the documents.
#[derive(Clone, Debug)]
pub struct Modes {
    /// How long it takes until a read shows what was written, at every vendor: a read shows the state of
    /// so long ago.
    pub reads_lag: Duration,
    /// What an error says besides its status, at every vendor.
    pub errors: Errors,
    /// What becomes of a change that changes nothing, at every vendor that does not say: a grant of
    /// what is there, a removal of what is not.
    pub idle: Idle,
    /// A POST of another asset for a user who already holds this role on one.
    pub second_grant: SecondGrant,
    /// A POST of a role on an asset where the user already holds another role.
    pub other_role: OtherRole,
    /// `expires_in` of an OutSystems token.
    pub outsystems_token_seconds: u32,
    /// Requests a minute before OutSystems answers 429, counted for each API domain.
    pub outsystems_per_minute: Option<u32>,
    /// Whether OutSystems takes a role away when its period is over.
    pub outsystems_ends: bool,
    /// How a role's list tells its permissions.
    pub outsystems_told: Told,
    /// The name of the permission to grant roles, which has changed over time.
    pub outsystems_manage_access: &'static str,
    /// How the area of the rights to manage users is called.
    pub outsystems_area: Area,
    /// Whether a claim says what it is.
    pub outsystems_claims: Claims,
    /// What comes with a permission that the Support Engineer holds.
    pub outsystems_inherits: Inherits,
    /// How a list comes in pages.
    pub outsystems_pages: Pages,
    /// 240 more roles and 240 more users, three pages each.
    pub many_roles: bool,
    /// 60 more assets at OutSystems.
    pub many_assets: bool,
    /// 2,000 more users and 300 more assets at OutSystems, and what those users hold.
    pub crowd: bool,
    /// How long a minute of a rate lasts.
    pub minute: Duration,
    /// The kind of key made for Dfns; one already in the state directory stays.
    pub dfns_key: KeyKind,
    /// Whether a permission tells its operations.
    pub dfns_tells_operations: bool,
    /// Whether an assignment that still waits for approval is listed.
    pub dfns_lists_pending: bool,
    /// Whether a 202 says which approval it waits for.
    pub dfns_approval_id: bool,
    /// Whether an approved change fails when it is carried out.
    pub dfns_approved_fails: bool,
    /// 204 for a revoked assignment, as older documents have it, instead of 200.
    pub dfns_revoke_no_content: bool,
    /// What Dfns tells beside what it always does.
    pub dfns_fields: DfnsFields,
    /// The status of what a policy blocks.
    pub dfns_blocked: u16,
    /// Whether the list of users has the service accounts too.
    pub dfns_lists_accounts_as_users: bool,
    /// What of user groups the credential may read.
    pub dfns_groups: DfnsGroups,
    /// Whether a user's own record shows what is held through groups.
    pub dfns_shows_group_permissions: bool,
    /// Lifetime of a Redox token.
    pub redox_token_seconds: u32,
    /// How far the clock of Redox' token endpoint is behind this machine's.
    pub redox_behind: Duration,
    /// Whether Redox refuses a change by a status, not by `success: false` under 200.
    pub redox_refuses_by_status: bool,
    /// Whether Redox' users and roles have numbers for ids.
    pub redox_numbers: bool,
    /// Whether a SnapLogic token's user is in `snaplogic_username`, its `sub` being the identity
    /// provider's own, or in `sub`.
    pub snaplogic_username_claim: bool,
    /// At most this many users on a page of SnapLogic's list, whatever was asked for.
    pub snaplogic_page: usize,
    /// What a SnapLogic POST does to a subject already on the list.
    pub snaplogic_post: SnapLogicPost,
    /// Whether SnapLogic takes no request without the type of a body, as its pages have it on each.
    pub snaplogic_wants_type: bool,
    /// The status of a SnapLogic change that is done: its pages have none.
    pub snaplogic_done: u16,
    /// Whose entries a SnapLogic GET shows.
    pub snaplogic_acl: SnapLogicAcl,
    /// `"7"` for `7` as the version of a CentraSite asset.
    pub centrasite_text_versions: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// In the fields that a document or a client has, in the sandbox's own words.
    Told,
    /// In the same fields, in words that say nothing, without those that may be left out.
    Otherwise,
    /// The name of its status alone, as a client of Dfns has it.
    Bare,
    /// Nothing.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// As it is read most easily in each document.
    Usual,
    Done,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondGrant {
    Add,
    Replace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherRole {
    Replace,
    Reject,
}

/// Every field of a permission in a role is optional, and so is the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// `User management > Manage member access`
    Names,
    /// `Manage member access`
    ShortNames,
    EmptyNames,
    NullNames,
    KeysAlone,
    ClaimsAlone,
    NullList,
    NoList,
}

/// The vendor's own pages have both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    UserManagement,
    UserAndAccessManagement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    Telling,
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherits {
    Nothing,
    /// Through another, a right to manage users.
    Managing,
    /// Another, which inherits it in turn.
    Circle,
    /// Through another, one that no list has.
    Unknown,
}

/// Of what a page says of itself, only its own size and place are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// As many rows as asked for, with the next page and the total.
    Told,
    /// At most this many rows, whatever was asked for, and neither next page nor total.
    Capped(usize),
}

/// The vendor's SDKs differ over which fields of an answer may be absent, and older samples have fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DfnsFields {
    /// Only what every document has; assignments shown with an identity have no id.
    Fewest,
    Usual,
    /// All that may be there.
    Every,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DfnsGroups {
    Open,
    /// Who is in a group is not told.
    MembersClosed,
    Closed,
    /// A deployment without groups: 404.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapLogicPost {
    Set,
    Merge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapLogicAcl {
    Everyone,
    CallerOnly,
}

impl Default for Modes {
    fn default() -> Modes {
        Modes {
            reads_lag: Duration::ZERO,
            errors: Errors::Told,
            idle: Idle::Usual,
            second_grant: SecondGrant::Add,
            other_role: OtherRole::Replace,
            outsystems_token_seconds: 43_200,
            outsystems_per_minute: None,
            outsystems_ends: true,
            outsystems_told: Told::Names,
            outsystems_manage_access: "Manage member access",
            outsystems_area: Area::UserManagement,
            outsystems_claims: Claims::Opaque,
            outsystems_inherits: Inherits::Nothing,
            outsystems_pages: Pages::Told,
            many_roles: false,
            many_assets: false,
            crowd: false,
            minute: Duration::from_mins(1),
            dfns_key: KeyKind::Ed25519,
            dfns_tells_operations: true,
            dfns_lists_pending: true,
            dfns_approval_id: true,
            dfns_approved_fails: false,
            dfns_revoke_no_content: false,
            dfns_fields: DfnsFields::Usual,
            dfns_blocked: 403,
            dfns_lists_accounts_as_users: false,
            dfns_groups: DfnsGroups::Open,
            dfns_shows_group_permissions: false,
            redox_token_seconds: 300,
            redox_behind: Duration::ZERO,
            redox_refuses_by_status: false,
            redox_numbers: false,
            snaplogic_username_claim: false,
            snaplogic_page: usize::MAX,
            snaplogic_wants_type: false,
            snaplogic_done: 200,
            snaplogic_post: SnapLogicPost::Set,
            snaplogic_acl: SnapLogicAcl::Everyone,
            centrasite_text_versions: false,
        }
    }
}
