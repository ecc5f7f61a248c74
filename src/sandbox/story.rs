//! What somebody at Harbor might ask an assistant for, and the calls that serve it: the demo's
//! script.

/// One request and the call that serves it.
pub struct Scene {
    /// The request, in a person's words.
    pub asks: &'static str,
    pub tool: &'static str,
    /// The tool's arguments, as JSON; [`RECEIPT`] stands for the receipt of the scene before.
    pub arguments: &'static str,
    /// How it is to end; empty for a look.
    pub outcome: &'static str,
}

/// Stands for the receipt of the change in the scene before.
pub const RECEIPT: &str = "$RECEIPT";

/// A grant at each vendor, three that are stopped, a revocation and its undoing.
pub const SCENES: [Scene; 14] = [
    Scene {
        asks: "Sam starts on the Orders app today. Make Sam a developer there.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"], "reason": "Sam joins the Orders team"}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "Sam also needs to look at our wallets.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "Let Sam approve payments.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Payments Approver", "identityId": "user@example.com"}"#,
        outcome: "pending_vendor_approval",
    },
    Scene {
        asks: "Make Sam an admin of our Redox organization.",
        tool: "assign_organization_role",
        arguments: r#"{"role": {"name": "admin"}, "user": {"name": "user@example.com"}}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "Give Sam read and execute on the Orders project in SnapLogic.",
        tool: "set_project_acl",
        arguments: r#"{"project_or_space_path": "/Harbor/Integrations/Orders", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "X"], "inherit": true}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "Let the API team change the billing service in CentraSite.",
        tool: "set_asset_permissions",
        arguments: r#"{"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Modify"}]}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "And Sam looks after the staging environment from today.",
        tool: "assign_environment_role",
        arguments: r#"{"environmentId": "Staging", "role": {"name": "support"}, "user": {"name": "user@example.com"}}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "What can Sam reach now?",
        tool: "list_access",
        arguments: r#"{"principal": "user@example.com"}"#,
        outcome: "",
    },
    Scene {
        asks: "Alex has left the Orders team. Who is on it?",
        tool: "list_access",
        arguments: r#"{"vendor": "outsystems", "resource": "Orders"}"#,
        outcome: "",
    },
    Scene {
        asks: "Take Alex off it.",
        tool: "revoke_asset_role",
        arguments: r#"{"userKey": "alex.kim@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "Oh. It was the other Alex. Undo that.",
        tool: "undo_change",
        arguments: r#"{"receipt": "$RECEIPT", "reason": "the wrong Alex"}"#,
        outcome: "confirmed",
    },
    Scene {
        asks: "Give Alex Kim the Tester role on Billing.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "Alex Kim", "roleKey": "Tester", "assetKeys": ["Billing"]}"#,
        outcome: "invalid",
    },
    Scene {
        asks: "Just make Sam an administrator everywhere.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "ManagedFullAdminAccess", "identityId": "user@example.com"}"#,
        outcome: "refused",
    },
    Scene {
        asks: "Sam should be a developer on every app.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": []}"#,
        outcome: "refused",
    },
];
