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
    /// What the person at the client says, where they are asked.
    pub agrees: bool,
    /// The field of the answer that the scene waits for, asking again until it is there.
    pub until: Option<&'static str>,
}

/// What scenes have in common.
const SCENE: Scene =
    Scene { asks: "", tool: "", arguments: "{}", outcome: "", agrees: true, until: None };

/// Stands for the receipt of the change in the scene before.
pub const RECEIPT: &str = "$RECEIPT";

/// A grant at each vendor, five that are stopped, a revocation and its undoing, one that ends by itself; then
/// several as one: somebody starts as a colleague did, a role takes another's place, somebody leaves, and all
/// of that is taken back.
pub const SCENES: [Scene; 21] = [
    Scene {
        asks: "Sam starts on the Orders app today. Make Sam a developer there.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"], "reason": "Sam joins the Orders team"}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Sam also needs to look at our wallets.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Let Sam approve payments.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Payments Approver", "identityId": "user@example.com"}"#,
        outcome: "pending_vendor_approval",
        ..SCENE
    },
    Scene {
        asks: "Make Sam an admin of our Redox organization.",
        tool: "assign_organization_role",
        arguments: r#"{"role": {"name": "admin"}, "user": {"name": "user@example.com"}}"#,
        outcome: "refused",
        ..SCENE
    },
    Scene {
        asks: "Give Sam read and execute on the Orders project in SnapLogic.",
        tool: "set_project_acl",
        arguments: r#"{"project_or_space_path": "/Harbor/Integrations/Orders", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "X"], "inherit": true}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Let the API team change the billing service in CentraSite.",
        tool: "set_asset_permissions",
        arguments: r#"{"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Modify"}]}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "And Sam looks after the staging environment from today.",
        tool: "assign_environment_role",
        arguments: r#"{"environmentId": "Staging", "role": {"name": "support"}, "user": {"name": "user@example.com"}}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "What can Sam reach now?",
        tool: "list_access",
        arguments: r#"{"principal": "user@example.com"}"#,
        outcome: "",
        ..SCENE
    },
    Scene {
        asks: "Alex has left the Orders team. Who is on it?",
        tool: "list_access",
        arguments: r#"{"vendor": "outsystems", "resource": "Orders"}"#,
        outcome: "",
        ..SCENE
    },
    Scene {
        asks: "Take Alex off it.",
        tool: "revoke_asset_role",
        arguments: r#"{"userKey": "alex.kim@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Oh. It was the other Alex. Undo that.",
        tool: "undo_change",
        arguments: r#"{"receipt": "$RECEIPT", "reason": "the wrong Alex"}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Hiro needs to look at the treasury, just for three seconds.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "Treasury Viewer", "identityId": "hiro.tanaka@example.com", "expires_in": "PT3S", "reason": "month end"}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Is that over?",
        tool: "check_change",
        arguments: r#"{"receipt": "$RECEIPT"}"#,
        outcome: "confirmed",
        until: Some("ended_by"),
        ..SCENE
    },
    Scene {
        asks: "Let Grace test the billing app, too.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "grace.okafor@example.com", "roleKey": "Tester", "assetKeys": ["Billing"], "reason": "she asked me to"}"#,
        outcome: "refused",
        agrees: false,
        ..SCENE
    },
    Scene {
        asks: "Give Alex Kim the Tester role on Billing.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "Alex Kim", "roleKey": "Tester", "assetKeys": ["Billing"]}"#,
        outcome: "invalid",
        ..SCENE
    },
    Scene {
        asks: "Just make Sam an administrator everywhere.",
        tool: "assign_permission",
        arguments: r#"{"permissionId": "ManagedFullAdminAccess", "identityId": "user@example.com"}"#,
        outcome: "refused",
        ..SCENE
    },
    Scene {
        asks: "Sam should be a developer on every app.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": []}"#,
        outcome: "refused",
        ..SCENE
    },
    Scene {
        asks: "Grace becomes a developer on Orders, in place of what she has there.",
        tool: "grant_asset_role",
        arguments: r#"{"userKey": "grace.okafor@example.com", "roleKey": "Developer", "assetKeys": ["Orders"], "replace": true}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "Jonas leaves today. Take everything away.",
        tool: "remove_all_access",
        arguments: r#"{"principal": "jonas.weber@example.com", "reason": "leaves the company"}"#,
        // What cannot be taken from here is named, with what a person does about it.
        outcome: "partly_done",
        ..SCENE
    },
    Scene {
        asks: "Onboard Hiro like Alex, the one of alex.kim@.",
        tool: "copy_access",
        arguments: r#"{"from": "alex.kim@example.com", "to": "hiro.tanaka@example.com", "vendor": "outsystems", "reason": "joins Orders"}"#,
        outcome: "confirmed",
        ..SCENE
    },
    Scene {
        asks: "He starts next week only. Undo all of that.",
        tool: "undo_change",
        arguments: r#"{"receipt": "$RECEIPT", "reason": "starts next week"}"#,
        outcome: "confirmed",
        ..SCENE
    },
];
