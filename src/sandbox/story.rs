//! What somebody at Harbor might ask an assistant for, and the calls that serve it: the demo's
//! script.

/// One request and the call that serves it.
pub struct Scene {
    /// The request, in a person's words.
    pub asks: &'static str,
    pub tool: &'static str,
    /// The tool's arguments, as JSON.
    pub arguments: &'static str,
    /// How it is to end.
    pub outcome: &'static str,
}

/// A grant at each vendor, and three that are stopped.
pub const SCENES: [Scene; 9] = [
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
