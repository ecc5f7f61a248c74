//! Which operations let their holder change who may do what, or act as somebody else.

/// What an operation's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Its holder can change what anybody may do, themselves among them.
    Access,
    Other,
    /// No name that the vendor documents looks like it, so nobody can tell.
    Unclear,
}

/// Where anything but reading is privileged: the first part of an operation's name.
const AREAS: [&str; 7] =
    ["permissions", "permissionassignments", "policies", "auth", "orgs", "tenant", "internal"];

/// Documented are names of letters in parts that colons divide; letter case and blanks tell no two
/// of them apart.
pub(super) fn reach(operation: &str) -> Reach {
    let name: String = operation.chars().filter(|c| !c.is_whitespace()).collect();
    let name = name.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '*');
    if !name.chars().all(plain) {
        return Reach::Unclear;
    }
    if let Some((stem, _)) = name.split_once('*') {
        // Nothing documents wildcards; one could reach whatever starts like it.
        let meets = |area: &&str| {
            let area = format!("{area}:");
            area.starts_with(stem) || stem.starts_with(&area)
        };
        return if AREAS.iter().any(meets) { Reach::Access } else { Reach::Other };
    }
    let mut parts = name.split(':').filter(|part| !part.is_empty());
    let Some(area) = parts.next() else { return Reach::Unclear };
    // An area by itself may be all that is in it.
    let reads = parts.next_back() == Some("read");
    if AREAS.contains(&area) && !reads { Reach::Access } else { Reach::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_more_than_reading_where_access_is_kept_is_privileged() {
        for operation in [
            "Permissions:Create",
            "Permissions:Update",
            "Permissions:Delete",
            "Permissions:Archive",
            "Permissions:Assign",
            "Permissions:Revoke",
            "PermissionAssignments:Create",
            "PermissionAssignments:Revoke",
            "Policies:Create",
            "Policies:Update",
            "Policies:Delete",
            "Policies:Evaluations:Vote",
            "Policies:Approvals:Approve",
            "Auth:Users:Create",
            "Auth:Users:Activate",
            "Auth:ServiceAccounts:Update",
            "Auth:UserGroups:Create",
            "Auth:UserGroups:Members:Add",
            "Auth:UserGroups:Members:Remove",
            "Auth:Pats:Create",
            "Auth:Creds:Create",
            "Auth:Apps:Create",
            "Auth:Register:Delegated",
            "Auth:Login:Delegated",
            "Auth:Recover:Delegated",
            "Auth:Delegated:Recover",
            "Auth:Action:Sign",
            "Orgs:Update",
            "Tenant:Users:Create",
            "Tenant:Permissions:Assign",
            "Internal:Anything",
        ] {
            assert_eq!(reach(operation), Reach::Access, "{operation}");
        }
    }

    #[test]
    fn reading_and_what_is_done_elsewhere_is_not() {
        for operation in [
            "Permissions:Read",
            "Permissions:Assignments:Read",
            "PermissionAssignments:Read",
            "Policies:Read",
            "Policies:Evaluations:Read",
            "Auth:Logs:Read",
            "Auth:Users:Read",
            "Auth:ServiceAccounts:Read",
            "Auth:UserGroups:Read",
            "Auth:UserGroups:Members:Read",
            "Orgs:Read",
            "Tenant:Users:Read",
            "auth:users:read",
            " Auth:Users:Read ",
            "Wallets:Create",
            "Wallets:Transfers:Create",
            "Keys:Import",
            "Vaults:Create",
            "Activities:Read",
            "Billing:Manage",
            "Agreements:Accept",
            "Authorizers:Create",
            "Organisms:Update",
        ] {
            assert_eq!(reach(operation), Reach::Other, "{operation}");
        }
    }

    /// However it is spelt: what it could mean counts.
    #[test]
    fn odd_spellings_do_not_slip_by() {
        for (operation, found) in [
            ("permissions:assign", Reach::Access),
            ("AUTH:USERS:CREATE", Reach::Access),
            (" Auth:Pats:Create\n", Reach::Access),
            ("Auth : Users : Create", Reach::Access),
            ("Auth:\u{a0}Users:Create", Reach::Access),
            (":Auth:Users:Create", Reach::Access),
            ("Auth::Users::Create", Reach::Access),
            ("Auth:Users:Create:", Reach::Access),
            ("Auth", Reach::Access),
            ("Permissions", Reach::Access),
            ("Auth:", Reach::Access),
            ("Auth:Read:Delegated", Reach::Access),
            ("Auth:Users:ReadWrite", Reach::Access),
            ("Auth:Users:Unread", Reach::Access),
            ("Auth:Users:Re ad", Reach::Other),
            ("*", Reach::Access),
            ("**", Reach::Access),
            ("*:*", Reach::Access),
            ("A*", Reach::Access),
            ("Auth:*", Reach::Access),
            ("auth:users:*", Reach::Access),
            ("Auth*", Reach::Access),
            ("Perm*:Assign", Reach::Access),
            ("Auth:*:Read", Reach::Access),
            ("Tenant:*", Reach::Access),
            ("Wallets:*", Reach::Other),
            ("", Reach::Unclear),
            (" ", Reach::Unclear),
            (":", Reach::Unclear),
            ("Auth\u{200b}:Users:Create", Reach::Unclear),
            ("Wallets:Read\u{200b}", Reach::Unclear),
            ("Ａuth:Users:Create", Reach::Unclear),
            ("Аuth:Users:Create", Reach::Unclear),
            ("Auth：Users：Create", Reach::Unclear),
            ("Auth.Users.Create", Reach::Unclear),
            ("Auth/Users/Create", Reach::Unclear),
            ("Auth:Users:?", Reach::Unclear),
            ("/auth:.+/", Reach::Unclear),
            ("!Wallets:Read", Reach::Unclear),
        ] {
            assert_eq!(reach(operation), found, "{operation:?}");
        }
    }
}
