//! What Harbor has at OutSystems and no request changes: users, roles, permissions, assets.

use serde_json::{Value, json};

use super::super::message::set;
use super::super::modes::{Area, Claims, Inherits, Modes, Told};
use super::super::people::PEOPLE;

pub(super) const PORTFOLIO: &str = "c498b6e7-3648-445e-9afa-3a387f006745";

pub(super) const ADMINISTRATOR: &str = "3ceaaf30-8142-48ea-91d9-3080f9b439fc";
pub(super) const DEVELOPER: &str = "9dfb369b-ab13-4fae-a276-55daa05f1119";
const RELEASE_MANAGER: &str = "6301bbfc-a0c5-454e-8ff9-bb510944fe0c";
pub(super) const TESTER: &str = "6fced11d-2bd8-41e6-847a-8387cdde8d51";
const AUDITOR: &str = "3a124c64-7e02-4f05-b7c1-dce27f7695f5";
const SUPPORT: &str = "66080f17-4c96-48e2-9cbd-0ba3a1a6bcde";

pub(super) const ORDERS: &str = "b120a366-f0bb-49cf-82f2-dc05873f9bd0";
pub(super) const BILLING: &str = "78b7d0ac-8477-4ce0-8e4c-da11b43c589b";
pub(super) const PORTAL: &str = "2330fcf1-562a-44b8-8866-8d77e827062c";
pub(super) const REPORTS: &str = "c1acc990-6424-450a-a36b-f9b3ddcb369d";
const REPORTS_TOO: &str = "9ad9b9a2-5e78-454d-b065-a1c284cc4549";
const CATALOGUE: &str = "99356597-6fba-4662-b6a7-30b7b12e9eed";

const SEE_ASSETS: &str = "Asset management > Open";
const CHANGE_ASSETS: &str = "Asset management > Change";
const DEPLOY: &str = "Release management > Deploy assets";
const SEE_STAGES: &str = "Stage > View stage";
const SEE_LOGS: &str = "Monitoring > View logs";
const SEE_MEMBERS: &str = "User management > View members";
const MANAGE_ACCESS: &str = "User management > Manage member access";
const MANAGE_ROLES: &str = "User management > Manage organization roles";
const MANAGE_USERS: &str = "User management > Manage users";
const MANAGE_CLIENTS: &str = "User management > Manage API clients";
const MANAGE_END_USERS: &str = "End-user management > Manage end-user access";
const HANDLE_CASES: &str = "Support > Handle cases";
const ESCALATE: &str = "Support > Escalate cases";
/// The area of the rights to manage users, as the OpenAPI document has it.
const USERS: &str = "User management";

/// Key, name, and whether a grant on an asset gives it a meaning.
const PERMISSIONS: [(&str, &str, bool); 13] = [
    ("8df08078-1e2d-4180-85c2-0a5f3977a601", SEE_ASSETS, true),
    ("f3194a3b-7c44-43e7-952c-1b6e473a1702", CHANGE_ASSETS, true),
    ("c498b6e7-92ab-445e-9afa-2c387f006703", DEPLOY, true),
    ("ab57f985-4332-43da-a75a-2e199b58ba8d", SEE_STAGES, false),
    ("c1b87f1a-7323-491b-99f9-cbef0f69a4d0", SEE_LOGS, true),
    ("2eb73728-2fea-475e-b536-5e1458294a90", SEE_MEMBERS, false),
    ("ac3e0b5b-c291-4709-8c1e-26038dabf68e", MANAGE_ACCESS, false),
    ("2f314fdb-43c4-4bc7-a4cc-dcf9ea5ee53c", MANAGE_ROLES, false),
    ("bafe9bd1-20c5-4152-9127-c47089bf36a2", MANAGE_USERS, false),
    ("0d1f5b0e-64c7-4c5b-8a55-3f6c2b7d1e04", MANAGE_CLIENTS, false),
    ("5e2a7c13-91d8-4b6f-a3e0-7c48d9f0b215", MANAGE_END_USERS, true),
    ("71c9e4d2-0b3a-4f87-9d61-e25a8b3c6f26", HANDLE_CASES, false),
    ("94b6d8f1-2e5c-4a70-b8c3-1f07a6e4d937", ESCALATE, false),
];

/// A permission that no list has.
const NOWHERE: &str = "c2f0a7b9-58d1-4e36-9f24-60b3d8e1a748";

/// Key, name, permissions; the first two are built in and read-only.
const ROLES: [(&str, &str, &[&str]); 6] = [
    (
        ADMINISTRATOR,
        "Administrator",
        &[
            SEE_ASSETS,
            CHANGE_ASSETS,
            DEPLOY,
            SEE_STAGES,
            SEE_LOGS,
            SEE_MEMBERS,
            MANAGE_ACCESS,
            MANAGE_ROLES,
            MANAGE_USERS,
            MANAGE_CLIENTS,
            MANAGE_END_USERS,
        ],
    ),
    (DEVELOPER, "Developer", &[SEE_ASSETS, CHANGE_ASSETS, SEE_STAGES, SEE_LOGS]),
    (RELEASE_MANAGER, "Release Manager", &[SEE_ASSETS, DEPLOY, SEE_STAGES, MANAGE_ACCESS]),
    (TESTER, "Tester", &[SEE_ASSETS, SEE_LOGS]),
    (AUDITOR, "Auditor", &[SEE_ASSETS, SEE_LOGS, SEE_MEMBERS]),
    (
        SUPPORT,
        "Support Engineer",
        &[SEE_ASSETS, SEE_STAGES, SEE_LOGS, MANAGE_END_USERS, HANDLE_CASES],
    ),
];

/// Key, name, type, description. Two share a name.
const ASSETS: [(&str, &str, &str, &str); 6] = [
    (ORDERS, "Orders", "WebApplication", "Takes orders"),
    (BILLING, "Billing", "WebApplication", "Writes invoices"),
    (PORTAL, "Customer Portal", "WebApplication", "What customers see"),
    (REPORTS, "Reports", "WebApplication", "Sales reports"),
    (REPORTS_TOO, "Reports", "MobileApplication", "Reports for the road"),
    (CATALOGUE, "Catalogue", "Library", "Product data"),
];

const EXTRA: usize = 240;
const EXTRA_ASSETS: usize = 60;

pub(super) const CROWD: usize = 2_000;
const CROWD_ASSETS: usize = 300;

/// The key of one of those who are many.
pub(super) fn extra_user(number: usize) -> String {
    extra_key(1, number)
}

/// The key of an asset of a crowd, whatever the number.
pub(super) fn extra_asset(number: usize) -> String {
    extra_key(3, number % CROWD_ASSETS + 1)
}

pub(super) fn users(modes: &Modes) -> Vec<Value> {
    let extra = match (modes.crowd, modes.many_roles) {
        (true, _) => CROWD,
        (false, true) => EXTRA,
        (false, false) => 0,
    };
    let people = PEOPLE.iter().map(|person| {
        let status = if person.active { "Active" } else { "Inactive" };
        user(person.outsystems, person.name, person.email, status)
    });
    let extra = (1..=extra).map(|number| {
        let name = format!("Contractor {number:03}");
        let email = format!("contractor{number:03}@example.com");
        user(&extra_user(number), &name, &email, "Active")
    });
    people.chain(extra).collect()
}

pub(super) fn roles(modes: &Modes) -> Vec<Value> {
    let own = ROLES.iter().zip(0..).map(|((key, name, held), index)| {
        let held: Vec<Value> = held.iter().map(|name| held_permission(name, modes)).collect();
        let mut role = json!({ "key": key, "name": name, "isReadOnly": index < 2 });
        match modes.outsystems_told {
            Told::NoList => {}
            Told::NullList => set(&mut role, "permissions", Value::Null),
            _ => set(&mut role, "permissions", held),
        }
        role
    });
    let extra = (1..=if modes.many_roles { EXTRA } else { 0 }).map(|number| {
        json!({
            "key": extra_key(2, number),
            "name": format!("Project {number:03} Viewer"),
            "permissions": [held_permission(SEE_ASSETS, modes)],
            "isReadOnly": false,
        })
    });
    own.chain(extra).collect()
}

pub(super) fn permissions(modes: &Modes) -> Vec<Value> {
    let rows = PERMISSIONS.iter().map(|(key, name, on_assets)| {
        let scopes: &[&str] =
            if *on_assets { &["Organization", "Asset"] } else { &["Organization"] };
        json!({
            "key": key,
            "name": shown(name, modes),
            "category": full(name, modes).split(" > ").next(),
            "purpose": null,
            "visibility": "Public",
            "inherits": inherited(name, modes),
            "allowStages": *name == DEPLOY || *name == SEE_STAGES,
            "allowPortfolios": on_assets,
            "allowedScopes": scopes,
            "claimName": claim(name, modes),
            "remarks": null,
        })
    });
    rows.collect()
}

pub(super) fn assets(modes: &Modes) -> Vec<Value> {
    let extra = match (modes.crowd, modes.many_assets) {
        (true, _) => CROWD_ASSETS,
        (false, true) => EXTRA_ASSETS,
        (false, false) => 0,
    };
    let own =
        ASSETS.iter().map(|(key, name, kind, description)| asset(key, name, kind, description));
    let extra = (1..=extra).map(|number| {
        let name = format!("App {number:03}");
        asset(&extra_key(3, number), &name, "WebApplication", "One of many")
    });
    own.chain(extra).collect()
}

fn asset(key: &str, name: &str, kind: &str, description: &str) -> Value {
    json!({
        "assetKey": key,
        "name": name,
        "portfolioKey": PORTFOLIO,
        "revision": 1,
        "assetType": kind,
        "description": description,
        "isExternal": false,
        "tag": null,
        "createdBy": null,
        "createdAt": "2026-02-03T09:30:00Z",
    })
}

fn user(key: &str, name: &str, email: &str, status: &str) -> Value {
    json!({
        "key": key,
        "name": name,
        "email": email,
        "status": status,
        "access": { "hasOrganizationRoles": false, "hasApplicationRoles": false },
        "lastLoginAt": null,
        "isActive": status == "Active",
        "photoUrl": null,
        "isEmailVerified": true,
        "isTermsAndConditionsAccepted": true,
    })
}

fn held_permission(name: &str, modes: &Modes) -> Value {
    let mut permissions = PERMISSIONS.iter();
    let key = permissions.find(|(_, other, _)| *other == name);
    let mut held = json!({ "environmentKeys": [], "portfolioKeys": [] });
    let told = modes.outsystems_told;
    if told != Told::ClaimsAlone {
        set(&mut held, "permissionKey", key.map(|(key, ..)| *key));
    }
    match told {
        Told::EmptyNames => set(&mut held, "name", ""),
        Told::NullNames => set(&mut held, "name", Value::Null),
        Told::KeysAlone => {}
        Told::ClaimsAlone => set(&mut held, "claimName", claim(name, modes)),
        _ => {
            set(&mut held, "claimName", claim(name, modes));
            set(&mut held, "name", shown(name, modes));
        }
    }
    held
}

fn full(name: &str, modes: &Modes) -> String {
    let Some((area, right)) = name.split_once(" > ") else { return name.to_owned() };
    let area = match modes.outsystems_area {
        Area::UserAndAccessManagement if area == USERS => "User and access management",
        _ => area,
    };
    let right = if name == MANAGE_ACCESS { modes.outsystems_manage_access } else { right };
    format!("{area} > {right}")
}

/// What comes with a permission: by keys, whose permissions the list describes.
fn inherited(name: &str, modes: &Modes) -> Value {
    let next = match (name, modes.outsystems_inherits) {
        (HANDLE_CASES, Inherits::Nothing) => return json!([]),
        (HANDLE_CASES, _) => key_of(ESCALATE),
        (ESCALATE, Inherits::Managing) => key_of(MANAGE_USERS),
        (ESCALATE, Inherits::Circle) => key_of(HANDLE_CASES),
        (ESCALATE, Inherits::Unknown) => NOWHERE,
        _ => return json!([]),
    };
    json!([{ "key": next, "realmStages": ["SAME_STAGE"], "realmPortfolio": null }])
}

fn key_of(name: &str) -> &'static str {
    let found = PERMISSIONS.iter().find(|(_, other, _)| *other == name);
    found.map(|(key, ..)| *key).unwrap_or_default()
}

fn shown(name: &str, modes: &Modes) -> String {
    let full = full(name, modes);
    match full.split_once(" > ") {
        Some((_, short)) if modes.outsystems_told == Told::ShortNames => short.to_owned(),
        _ => full,
    }
}

/// How claims are written is not documented: in words, or in none that mean anything.
fn claim(name: &str, modes: &Modes) -> String {
    if modes.outsystems_claims == Claims::Opaque {
        let place = PERMISSIONS.iter().position(|(_, other, _)| *other == name);
        return format!("p{:03}", place.unwrap_or_default());
    }
    let name = full(name, modes);
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_lowercase()
}

fn extra_key(series: usize, number: usize) -> String {
    format!("00000000-0000-4000-8000-{series:04}{number:08}")
}
