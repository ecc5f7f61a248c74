//! The bridge an operator runs beside CentraSite.
//!
//! Its HTTP contract is this project's own: CentraSite documents none. What it does to permissions is what the
//! vendor's pages "Set Instance and Profile Permissions", "Set Permissions" and "Propagation" say: merging, the
//! owner's Full, dependents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::Keys;
use super::message::{Ask, Reply, contains, ensure, set};
use super::modes::Modes;
use super::people::{self, PEOPLE};
use super::serve::Fake;
use super::state::World;

/// What each asset's list says, by asset id.
pub(super) type Books = BTreeMap<String, Sheet>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sheet {
    version: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    principal: Principal,
    permission: Level,
    profiles: Vec<Profile>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Principal {
    kind: Kind,
    id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    User,
    Group,
}

/// Each includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Level {
    View,
    Modify,
    Full,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    name: String,
    permission: Level,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Setting {
    user_group_asset_permission: Vec<Line>,
    remove_existing_permission: bool,
    propagate_permissions_to_dependent_objects: bool,
    propagate_profile_permissions: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    user: Option<String>,
    group: Option<String>,
    permission: Level,
    #[serde(default)]
    profile_permissions: Vec<Profile>,
}

struct Asset {
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    owner: &'static str,
    dependents: &'static [&'static str],
    /// Whether the caller may change it; a dependent that may not be changed is skipped.
    changeable: bool,
}

const ORDERS: &str = "uddi:3ad8132f-0e23-47c3-a546-4623b5847c5c";
const ORDERS_SCHEMA: &str = "uddi:e88edd50-5042-4947-984d-bd487b982ff1";
const PRICES: &str = "uddi:d688af4e-11a5-499c-a8b7-d9bbf9837120";
const ARCHIVE: &str = "uddi:6d49c9d8-a620-4e8e-acba-2b799e3b3748";
const BILLING: &str = "uddi:7856881e-0461-4f9d-8693-3030b63798fa";
const PORTAL: &str = "uddi:3e44bc05-fa21-4d55-947e-7e073ea5fdcb";
const REPORTS: &str = "uddi:895434b4-355d-4c65-84b0-15537408a2b5";
const REPORTS_TOO: &str = "uddi:d3dcf978-3c92-4d18-aac8-578d8ba84bc0";

const ASSETS: [Asset; 8] = [
    asset(ORDERS, "OrderService", "Service", &[ORDERS_SCHEMA, PRICES, ARCHIVE]),
    asset(ORDERS_SCHEMA, "OrderSchema", "XML Schema", &[]),
    asset(PRICES, "PriceService", "Service", &[]),
    Asset { changeable: false, ..asset(ARCHIVE, "OrderArchive", "Service", &[]) },
    asset(BILLING, "BillingService", "Service", &[]),
    asset(PORTAL, "CustomerPortalApi", "REST Service", &[]),
    asset(REPORTS, "Reports", "Service", &[]),
    asset(REPORTS_TOO, "Reports", "REST Service", &[]),
];

/// Id and name. The first three are built in, and anybody is in one of them.
const GROUPS: [(&str, &str); 4] = [
    ("group:users", "Users"),
    ("group:members", "Members"),
    ("group:everyone", "Everyone"),
    ("group:api-team", "API Team"),
];

const fn asset(
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    dependents: &'static [&'static str],
) -> Asset {
    Asset { id, name, kind, owner: people::PRIYA.centrasite, dependents, changeable: true }
}

pub(super) fn seed() -> Books {
    let entry = |kind, id: &str, permission, profiles: &[(&str, Level)]| Entry {
        principal: Principal { kind, id: id.into() },
        permission,
        profiles: profiles
            .iter()
            .map(|(name, permission)| Profile { name: (*name).into(), permission: *permission })
            .collect(),
    };
    let sheets = ASSETS.iter().map(|asset| {
        let mut entries = vec![
            entry(Kind::User, asset.owner, Level::Full, &[]),
            entry(Kind::Group, "group:users", Level::View, &[]),
        ];
        match asset.id {
            ORDERS => {
                let profiles = [("Technical Details", Level::Modify)];
                entries.push(entry(Kind::Group, "group:api-team", Level::Modify, &profiles));
                entries.push(entry(Kind::User, people::ALEX.centrasite, Level::Full, &[]));
            }
            BILLING => {
                entries.push(entry(Kind::User, people::MARTA.centrasite, Level::Modify, &[]));
            }
            _ => {}
        }
        (asset.id.to_owned(), Sheet { version: 1, entries })
    });
    sheets.collect()
}

pub(super) struct CentraSite {
    password: String,
    text_versions: bool,
}

impl CentraSite {
    pub fn new(keys: &Keys, modes: &Modes) -> CentraSite {
        CentraSite {
            password: keys.secrets.centrasite.clone(),
            text_versions: modes.centrasite_text_versions,
        }
    }

    fn admit(&self, ask: &Ask) -> Result<(), Reply> {
        let known = ask.basic().is_some_and(|(user, password)| {
            user == people::GRANTOR.centrasite && password == self.password
        });
        ensure(known, || {
            refusal(401, "Authentication required")
                .with("www-authenticate", "Basic realm=\"CentraSite\"")
        })
    }

    fn shown(&self, asset: &Asset, sheet: &Sheet, warnings: Option<Vec<String>>) -> Reply {
        let version = if self.text_versions {
            json!(sheet.version.to_string())
        } else {
            json!(sheet.version)
        };
        let mut body = json!({
            "asset": asset.id,
            "version": version,
            "permissions": sheet.entries,
        });
        if let Some(warnings) = warnings {
            set(&mut body, "warnings", warnings);
        }
        Reply::json(200, &body).with("etag", format!("\"{}\"", sheet.version))
    }
}

impl Fake for CentraSite {
    fn look(&self, world: &World, ask: &Ask) -> Result<Reply, Reply> {
        self.admit(ask)?;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["assets"] => list_assets(ask),
            ["principals"] => list_principals(ask),
            ["assets", id, "permissions"] => {
                let asset = find(id)?;
                let sheet = world.centrasite.get(asset.id).ok_or_else(|| unknown(id))?;
                Ok(self.shown(asset, sheet, None))
            }
            _ => Err(refusal(404, "Not found")),
        }
    }

    fn change(&self, world: &mut World, ask: &Ask) -> Result<Reply, Reply> {
        self.admit(ask)?;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ("POST", ["assets", id, "permissions"]) = (ask.method.as_str(), path.as_slice()) else {
            return Err(refusal(404, "Not found"));
        };
        let asset = find(id)?;
        let books = &mut world.centrasite;
        let sheet = books.get(asset.id).ok_or_else(|| unknown(id))?;
        let expected =
            ask.header("if-match").ok_or_else(|| refusal(428, "If-Match is required"))?;
        if expected != format!("\"{}\"", sheet.version) {
            return Err(refusal(412, "The permissions were changed since"));
        }
        let setting: Setting =
            ask.json().map_err(|misread| refusal(misread.status, &misread.message))?;
        let wanted = setting.entries()?;
        if let Some(sheet) = books.get_mut(asset.id) {
            sheet.set(asset, &wanted, setting.remove_existing_permission);
        }
        let warnings = propagate(books, asset, &wanted, &setting);
        let sheet = books.get(asset.id).ok_or_else(|| unknown(id))?;
        Ok(self.shown(asset, sheet, Some(warnings)))
    }
}

impl Setting {
    /// One entry for each principal: several lines for one add up.
    fn entries(&self) -> Result<Vec<Entry>, Reply> {
        let mut entries: Vec<Entry> = Vec::new();
        for line in &self.user_group_asset_permission {
            let full = |profile: &Profile| profile.permission == Level::Full;
            if line.profile_permissions.iter().any(full) {
                return Err(refusal(400, "Full is not valid on a profile"));
            }
            let wanted = Entry {
                principal: line.principal()?,
                permission: line.permission,
                profiles: line.profile_permissions.clone(),
            };
            combine(&mut entries, &wanted);
        }
        Ok(entries)
    }
}

impl Line {
    fn principal(&self) -> Result<Principal, Reply> {
        let (kind, id) = match (&self.user, &self.group) {
            (Some(id), None) => (Kind::User, id.clone()),
            (None, Some(id)) => (Kind::Group, id.clone()),
            _ => return Err(refusal(400, "exactly one of user and group")),
        };
        let known = principals().any(|(other, known, _)| other == kind && known == id);
        if known { Ok(Principal { kind, id }) } else { Err(unknown(&id)) }
    }
}

impl Sheet {
    fn set(&mut self, asset: &Asset, wanted: &[Entry], replace: bool) {
        if replace {
            self.entries.clear();
        }
        for entry in wanted {
            combine(&mut self.entries, entry);
        }
        self.keep_owner(asset);
        self.version += 1;
    }

    /// The owner's Full cannot be taken away.
    fn keep_owner(&mut self, asset: &Asset) {
        let owner = Entry {
            principal: Principal { kind: Kind::User, id: asset.owner.into() },
            permission: Level::Full,
            profiles: Vec::new(),
        };
        combine(&mut self.entries, &owner);
    }
}

/// The highest wins, so that nothing is ever lowered.
fn combine(entries: &mut Vec<Entry>, wanted: &Entry) {
    let mut existing = entries.iter_mut();
    let Some(entry) = existing.find(|entry| entry.principal == wanted.principal) else {
        let mut fresh = Entry { profiles: Vec::new(), ..wanted.clone() };
        combine_profiles(&mut fresh, wanted);
        entries.push(fresh);
        return;
    };
    entry.permission = entry.permission.max(wanted.permission);
    combine_profiles(entry, wanted);
}

fn combine_profiles(entry: &mut Entry, wanted: &Entry) {
    for profile in &wanted.profiles {
        let mut profiles = entry.profiles.iter_mut();
        match profiles.find(|other| other.name == profile.name) {
            Some(other) => other.permission = other.permission.max(profile.permission),
            None => entry.profiles.push(profile.clone()),
        }
    }
}

/// To every dependent the caller may change; profiles to those of the same type alone.
fn propagate(books: &mut Books, from: &Asset, wanted: &[Entry], setting: &Setting) -> Vec<String> {
    let mut warnings = Vec::new();
    if !setting.propagate_permissions_to_dependent_objects {
        return warnings;
    }
    let dependents = ASSETS.iter().filter(|asset| from.dependents.contains(&asset.id));
    for dependent in dependents {
        if !dependent.changeable {
            warnings.push(format!("{} was skipped: it may not be changed", dependent.name));
            continue;
        }
        let profiles = setting.propagate_profile_permissions && dependent.kind == from.kind;
        let wanted: Vec<Entry> = wanted
            .iter()
            .map(|entry| Entry {
                profiles: if profiles { entry.profiles.clone() } else { Vec::new() },
                ..entry.clone()
            })
            .collect();
        if let Some(sheet) = books.get_mut(dependent.id) {
            sheet.set(dependent, &wanted, setting.remove_existing_permission);
        }
    }
    warnings
}

fn list_assets(ask: &Ask) -> Result<Reply, Reply> {
    let query = ask.param("query").unwrap_or_default();
    let found = ASSETS
        .iter()
        .filter(|asset| contains(asset.name, &query) || contains(asset.id, &query))
        .map(|asset| json!({ "id": asset.id, "name": asset.name, "type": asset.kind }));
    page("assets", found.collect(), ask)
}

fn list_principals(ask: &Ask) -> Result<Reply, Reply> {
    let query = ask.param("query").unwrap_or_default();
    let kind = match ask.param("kind").as_deref() {
        None => None,
        Some("user") => Some(Kind::User),
        Some("group") => Some(Kind::Group),
        Some(_) => return Err(refusal(400, "kind must be user or group")),
    };
    let found = principals()
        .filter(|(other, ..)| kind.is_none_or(|kind| kind == *other))
        .filter(|(_, id, name)| contains(name, &query) || contains(id, &query))
        .map(|(kind, id, name)| json!({ "kind": kind, "id": id, "name": name }));
    page("principals", found.collect(), ask)
}

fn page(name: &str, rows: Vec<Value>, ask: &Ask) -> Result<Reply, Reply> {
    let refuse = |why: String| refusal(400, &why);
    let limit = ask.number("limit", 1..=1000, 100).map_err(refuse)?;
    let offset = ask.number("offset", 0..=usize::MAX, 0).map_err(refuse)?;
    let total = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    Ok(Reply::json(200, &json!({ name: rows, "total": total })))
}

fn principals() -> impl Iterator<Item = (Kind, &'static str, &'static str)> {
    let people = PEOPLE.into_iter().chain([people::GRANTOR]);
    let users = people.map(|person| (Kind::User, person.centrasite, person.name));
    let groups = GROUPS.into_iter();
    users.chain(groups.map(|(id, name)| (Kind::Group, id, name)))
}

fn find(id: &str) -> Result<&'static Asset, Reply> {
    static ALL: [Asset; 8] = ASSETS;
    let mut assets = ALL.iter();
    assets.find(|asset| asset.id == id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Reply {
    refusal(404, &format!("{id} is unknown"))
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "message": message }))
}

#[cfg(test)]
mod tests {
    use super::super::client::{Answer, Client, Request, start};
    use super::*;

    fn own<'a>(client: &'a Client, method: &str, path: &str) -> Request<'a> {
        client.request("centrasite", method, path).own_basic("CENTRASITE")
    }

    fn path(asset: &str) -> String {
        format!("/assets/{asset}/permissions")
    }

    /// A body with these lines and nothing replaced or propagated.
    fn setting(lines: Value) -> Value {
        json!({
            "userGroupAssetPermission": lines,
            "removeExistingPermission": false,
            "propagatePermissionsToDependentObjects": false,
            "propagateProfilePermissions": false,
        })
    }

    fn but(mut setting: Value, flags: &[&str]) -> Value {
        for flag in flags {
            set(&mut setting, flag, true);
        }
        setting
    }

    async fn get(client: &Client, asset: &str) -> Answer {
        own(client, "GET", &path(asset)).send().await
    }

    /// With the version there is.
    async fn post(client: &Client, asset: &str, body: &Value) -> Answer {
        let now = get(client, asset).await;
        let request = own(client, "POST", &path(asset));
        let version = now.headers.get("etag").unwrap();
        request.header("If-Match", version).json(body).send().await
    }

    /// What this principal has in a reply.
    fn level(answer: &Answer, id: &str) -> Value {
        let ids = answer.each("/permissions", "/principal/id");
        let levels = answer.each("/permissions", "/permission");
        let mut rows = ids.into_iter().zip(levels);
        let row = rows.find(|(found, _)| found == id);
        row.map(|(_, level)| level).unwrap_or_default()
    }

    #[tokio::test]
    async fn combining_never_lowers() {
        let (_sandbox, client) = start(Modes::default()).await;
        let lines = json!([
            { "user": people::ALEX.centrasite, "permission": "View" },
            { "group": "group:users", "permission": "Modify" },
            { "user": people::SAM.centrasite, "permission": "Modify" },
        ]);
        let answer = post(&client, ORDERS, &setting(lines)).await;
        assert_eq!(answer.at("/warnings"), json!([]));
        for (id, expected) in [
            (people::PRIYA.centrasite, json!("Full")),
            (people::ALEX.centrasite, json!("Full")),
            ("group:users", json!("Modify")),
            ("group:api-team", json!("Modify")),
            (people::SAM.centrasite, json!("Modify")),
        ] {
            assert_eq!(level(&answer, id), expected, "{id}");
        }
    }

    #[tokio::test]
    async fn replacing_leaves_the_list_and_the_owner() {
        let (_sandbox, client) = start(Modes::default()).await;
        let lines = json!([
            { "user": people::ALEX.centrasite, "permission": "View" },
            { "user": people::PRIYA.centrasite, "permission": "View" },
        ]);
        let body = but(setting(lines), &["removeExistingPermission"]);
        let answer = post(&client, ORDERS, &body).await;
        assert_eq!(answer.each("/permissions", "/principal/id").len(), 2);
        assert_eq!(level(&answer, people::ALEX.centrasite), "View");
        assert_eq!(level(&answer, people::PRIYA.centrasite), "Full");
    }

    #[tokio::test]
    async fn profiles_combine_too() {
        let (_sandbox, client) = start(Modes::default()).await;
        let profiles = json!([
            { "name": "Technical Details", "permission": "View" },
            { "name": "Specification", "permission": "View" },
        ]);
        let line = json!([
            { "group": "group:api-team", "permission": "View", "profilePermissions": profiles },
        ]);
        let answer = post(&client, ORDERS, &setting(line)).await;
        let expected = json!([
            { "name": "Technical Details", "permission": "Modify" },
            { "name": "Specification", "permission": "View" },
        ]);
        assert_eq!(answer.at("/permissions/2/profiles"), expected);
    }

    #[tokio::test]
    async fn propagation_skips_what_may_not_be_changed() {
        let (_sandbox, client) = start(Modes::default()).await;
        let sam = people::SAM.centrasite;
        let profiles = json!([{ "name": "Specification", "permission": "View" }]);
        let line = json!([{ "user": sam, "permission": "View", "profilePermissions": profiles }]);
        let both = ["propagatePermissionsToDependentObjects", "propagateProfilePermissions"];
        let answer = post(&client, ORDERS, &but(setting(line), &both)).await;
        let warnings = answer.at("/warnings");
        assert_eq!(warnings, json!(["OrderArchive was skipped: it may not be changed"]));
        for (asset, expected, profiles) in [
            (ORDERS_SCHEMA, json!("View"), json!([])),
            (PRICES, json!("View"), profiles),
            (ARCHIVE, Value::Null, Value::Null),
        ] {
            let dependent = get(&client, asset).await;
            assert_eq!(level(&dependent, sam), expected, "{asset}");
            assert_eq!(dependent.at("/permissions/2/profiles"), profiles, "{asset}");
        }
    }

    #[tokio::test]
    async fn settings_are_checked() {
        let (_sandbox, client) = start(Modes::default()).await;
        let sam = people::SAM.centrasite;
        let full = json!([{ "name": "Specification", "permission": "Full" }]);
        let mut missing = setting(json!([]));
        missing.as_object_mut().unwrap().remove("removeExistingPermission");
        for (body, status) in [
            (setting(json!([{ "permission": "View" }])), 400),
            (setting(json!([{ "user": sam, "group": "group:users", "permission": "View" }])), 400),
            (setting(json!([{ "user": sam, "permission": "Owner" }])), 400),
            (
                setting(json!([{ "user": sam, "permission": "View", "profilePermissions": full }])),
                400,
            ),
            (setting(json!([{ "user": "Sam Rivera", "permission": "View" }])), 404),
            (setting(json!([{ "user": "group:users", "permission": "View" }])), 404),
            (missing, 400),
            (but(setting(json!([])), &["force"]), 400),
        ] {
            let answer = post(&client, ORDERS, &body).await;
            assert_eq!(answer.status, status, "{body}");
            assert!(answer.at("/message").is_string());
        }
        assert_eq!(get(&client, ORDERS).await.at("/version"), 1);
        assert_eq!(get(&client, "OrderService").await.status, 404);
        let stranger = client.request("centrasite", "GET", "/assets");
        assert_eq!(stranger.basic("x", "y").send().await.status, 401);
    }

    #[tokio::test]
    async fn the_version_must_be_the_one_there_is() {
        for text in [false, true] {
            let modes = Modes { centrasite_text_versions: text, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let version = get(&client, ORDERS).await.at("/version");
            assert_eq!(version.is_string(), text);
            for (expected, status) in [
                (None, 428),
                (Some("1"), 412),
                (Some("\"2\""), 412),
                (Some("\"1\""), 200),
                (Some("\"1\""), 412),
            ] {
                let mut request = own(&client, "POST", &path(ORDERS));
                if let Some(version) = expected {
                    request = request.header("If-Match", version);
                }
                let answer = request.json(&setting(json!([]))).send().await;
                assert_eq!(answer.status, status, "{expected:?}");
            }
        }
    }

    #[tokio::test]
    async fn lists_are_searched_and_paged() {
        let (_sandbox, client) = start(Modes::default()).await;
        for (path, rows, expected, total) in [
            ("/assets?query=report", "/assets", 2, 2),
            ("/assets?limit=3&offset=6", "/assets", 2, 8),
            ("/principals?query=alex", "/principals", 2, 2),
            ("/principals?kind=group", "/principals", 4, 4),
            ("/principals?query=harbor%5Ca&kind=user", "/principals", 2, 2),
        ] {
            let answer = own(&client, "GET", path).send().await;
            assert_eq!(answer.each(rows, "").len(), expected, "{path}");
            assert_eq!(answer.at("/total"), total, "{path}");
        }
        for path in ["/assets?limit=0", "/principals?kind=robot"] {
            assert_eq!(own(&client, "GET", path).send().await.status, 400);
        }
    }
}
