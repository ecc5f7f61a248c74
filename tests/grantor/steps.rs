use grantor::config::{Config, Flags, Sources};
use grantor::outbound::{CALL, Deadline, Wire};
use grantor::sandbox::{Options, Sandbox};
use grantor::tools::{Run, Step, TOOLS};
use grantor::vendors::VendorReader;
use serde_json::{Value, json};

/// The sandbox's vendors as a desk would have them configured.
struct Vendors {
    sandbox: Sandbox,
    config: Config,
    wire: Wire,
    _state: tempfile::TempDir,
}

impl Vendors {
    async fn start() -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let state = tempfile::tempdir().unwrap();
        let environment = sandbox.environment();
        let flags = Flags { state_dir: Some(state.path().into()), ..Flags::default() };
        let sources = Sources {
            flags: &flags,
            environment: &|_| None,
            floor: None,
            sandbox: Some(&environment),
        };
        let config = Config::load(&sources).unwrap();
        Self { sandbox, config, wire: Wire::default(), _state: state }
    }

    async fn step(&self, tool: &str, arguments: &Value) -> Box<dyn Step> {
        let tool = TOOLS.iter().find(|known| known.spec.name == tool).unwrap();
        let Run::Change { resolve, .. } = tool.run else { panic!("no change") };
        let tenant = self.config.tenants_of(tool.spec.vendor.unwrap()).next().unwrap();
        let deadline = Deadline::after(CALL);
        let reader = VendorReader {
            tenant,
            wire: &self.wire,
            deadline,
            cache: None,
            earlier: &[],
            notes: None,
        };
        let steps = resolve(arguments.clone(), &reader).await;
        steps.unwrap_or_else(|failure| panic!("{arguments}: {failure:?}")).remove(0)
    }
}

impl Vendors {
    /// What somebody else sets on an asset that nobody changed yet.
    #[expect(clippy::disallowed_methods, reason = "somebody else's client, not Grantor's")]
    async fn set_permissions(&self, asset: &str, body: &Value) {
        let environment = self.sandbox.environment();
        let of =
            |name: &str| environment.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        let url = format!("{}/assets/{asset}/permissions", of("CENTRASITE_BRIDGE_URL"));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(url).header("if-match", "\"1\"").body(body.to_string());
        let request = request.header("content-type", "application/json");
        let signed = request.basic_auth(of("CENTRASITE_USERNAME"), Some(of("CENTRASITE_PASSWORD")));
        signed.send().await.unwrap().error_for_status().unwrap();
    }
}

const ACCOUNT: &str = "us-7a9tg-iqhg9-jrsnvnq65qdf1rca";

/// Whoever Grantor itself acts as is known where the vendor tells users and credentials apart.
#[tokio::test]
async fn a_change_of_grantors_own_access_is_told_from_others() {
    let vendors = Vendors::start().await;
    let dfns =
        |identity: &str| json!({ "permissionId": "Treasury Viewer", "identityId": identity });
    let space = |kind: &str, grantee: &str| json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": kind, "grantee": grantee });
    let set_space = |grantee: &str| {
        let mut arguments = space("USER", grantee);
        arguments["permission_list"] = json!(["R"]);
        arguments
    };
    let asset =
        |entries: Value| json!({ "asset": "BillingService", "userGroupAssetPermission": entries });
    let view = |kind: &str, name: &str| json!({ kind: name, "permission": "View" });
    for (tool, arguments, own) in [
        ("assign_permission", dfns(ACCOUNT), true),
        ("assign_permission", dfns("Grantor Integration"), true),
        ("assign_permission", dfns("Nightly Export"), false),
        ("assign_permission", dfns("user@example.com"), false),
        ("revoke_permission", dfns(ACCOUNT), true),
        ("set_project_acl", set_space("grantor@example.com"), true),
        ("set_project_acl", set_space("user@example.com"), false),
        ("remove_project_acl", space("USER", "grantor@example.com"), true),
        ("remove_project_acl", space("GROUP", "admins"), false),
        ("set_asset_permissions", asset(json!([view("user", r"HARBOR\grantor")])), true),
        ("set_asset_permissions", asset(json!([view("user", "Grantor Integration")])), true),
        (
            "set_asset_permissions",
            asset(json!([view("group", "API Team"), view("user", "Grantor Integration")])),
            true,
        ),
        ("set_asset_permissions", asset(json!([view("user", "Sam Rivera")])), false),
        (
            "assign_organization_role",
            json!({ "role": { "name": "member" }, "user": { "name": "grantor@example.com" } }),
            false,
        ),
    ] {
        let step = vendors.step(tool, &arguments).await;
        assert_eq!(step.is_self(), own, "{tool} {arguments}");
    }
}

#[tokio::test]
async fn what_a_role_allows_is_what_the_vendor_says() {
    let vendors = Vendors::start().await;
    let asset =
        json!({ "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"] });
    let permission = json!({ "permissionId": "Treasury Viewer", "identityId": "user@example.com" });
    let space = json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["X", "R"] });
    let table = json!({ "asset": "BillingService", "userGroupAssetPermission": [
        { "group": "API Team", "permission": "Modify" }, { "group": "Users", "permission": "View" },
        { "user": "Sam Rivera", "permission": "View" },
    ] });
    let role = json!({ "role": { "name": "admin" }, "user": { "name": "user@example.com" } });
    let contains =
        async |tool: &str, arguments: &Value| vendors.step(tool, arguments).await.contains();
    for tool in ["assign_permission", "revoke_permission"] {
        let operations = contains(tool, &permission).await;
        assert!(operations.contains(&"Wallets:Read".to_owned()), "{tool}: {operations:?}");
    }
    for tool in ["grant_asset_role", "revoke_asset_role"] {
        assert!(!contains(tool, &asset).await.is_empty(), "{tool}");
    }
    assert_eq!(contains("set_project_acl", &space).await, ["R", "X"]);
    assert_eq!(contains("set_asset_permissions", &table).await, ["View", "Modify"]);
    assert!(contains("assign_organization_role", &role).await.is_empty());
}

/// A whole list that is set again grants nobody what they have.
#[tokio::test]
async fn what_is_held_already_is_neither_own_nor_privileged_when_a_list_is_replaced() {
    let vendors = Vendors::start().await;
    let entries = |level: &str| {
        json!([
            { "user": r"HARBOR\grantor", "permission": level },
            { "group": "Everyone", "permission": "Full" },
        ])
    };
    let set = |level: &str| {
        json!({
            "asset": "BillingService",
            "userGroupAssetPermission": entries(level),
            "removeExistingPermission": true,
        })
    };
    let judged = async |level: &str| {
        let step = vendors.step("set_asset_permissions", &set(level)).await;
        (step.is_self(), step.privileged().is_some())
    };
    assert_eq!(judged("View").await, (true, true));
    let there = json!({
        "userGroupAssetPermission": [
            { "user": r"HARBOR\grantor", "permission": "Modify" },
            { "group": "group:everyone", "permission": "Full" },
        ],
        "removeExistingPermission": false,
        "propagatePermissionsToDependentObjects": false,
        "propagateProfilePermissions": false,
    });
    vendors.set_permissions("uddi:7856881e-0461-4f9d-8693-3030b63798fa", &there).await;
    assert_eq!(judged("View").await, (false, false));
    assert_eq!(judged("Full").await, (true, false));
}
