//! SnapLogic: access control lists of project spaces, users and groups.
//!
//! From the vendor's public API pages "Grant a user or group access to a project or project space", its GET and
//! DELETE, "User and group APIs" and "About public APIs"; the listings under `/api/1/rest/asset` are internal,
//! and known from the vendor's Robot library alone.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::{Keys, Secrets};
use super::message::{Ask, Reply, ensure, set};
use super::modes::{Idle, Modes, SnapLogicAcl, SnapLogicPost};
use super::people::{self, PEOPLE, Person};
use super::serve::Fake;
use super::state::World;

pub(super) const ORG: &str = "Harbor";

/// Project spaces and the projects in them, besides `shared`.
const SPACES: [(&str, &[&str]); 3] = [
    ("Integrations", &["Orders", "Customer Portal"]),
    ("Finance", &["Billing", "Reports"]),
    ("apim", &[]),
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Books {
    /// By path, as `/Harbor/Finance/Billing`.
    acls: BTreeMap<String, Vec<Entry>>,
    groups: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    subject_type: Kind,
    subject: String,
    perms: Vec<Perm>,
    inherit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    User,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Perm {
    R,
    W,
    X,
}

#[derive(Deserialize)]
struct Grant {
    grant_type: Kind,
    grantee: String,
    permission_list: Vec<Perm>,
    #[serde(default)]
    inherit: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    add_user: Option<String>,
    remove_user: Option<String>,
}

pub(super) fn seed() -> Books {
    let entry = |subject_type, subject: &str, perms: &[Perm]| Entry {
        subject_type,
        subject: subject.into(),
        perms: perms.into(),
        inherit: true,
    };
    let all = [Perm::R, Perm::W, Perm::X];
    let own = entry(Kind::User, people::GRANTOR.email, &all);
    let admins = entry(Kind::Group, "admins", &all);
    let mut acls = BTreeMap::new();
    for (space, projects) in SPACES {
        let mut acl = vec![own.clone(), admins.clone()];
        match space {
            "Integrations" => {
                acl.push(entry(Kind::Group, "integration-team", &[Perm::R, Perm::X]));
                acl.push(entry(Kind::User, people::ALEX.email, &all));
            }
            "Finance" => acl.push(entry(Kind::User, people::MARTA.email, &[Perm::R])),
            _ => {}
        }
        acls.insert(format!("/{ORG}/{space}"), acl.clone());
        acls.insert(format!("/{ORG}/{space}/shared"), acl);
        for project in projects {
            let acl = vec![own.clone(), admins.clone()];
            acls.insert(format!("/{ORG}/{space}/{project}"), acl);
        }
    }
    let emails = |people: &[Person]| people.iter().map(|person| person.email.into()).collect();
    let group = |name: &str, people: &[Person]| (name.to_owned(), emails(people));
    let groups = BTreeMap::from([
        group("admins", &[people::GRANTOR, people::PRIYA]),
        group("members", &PEOPLE),
        group("integration-team", &[people::JONAS, people::TOMAS]),
        group("finance-team", &[people::MARTA]),
    ]);
    Books { acls, groups }
}

/// A token of the customer's identity provider. Only its last part is a secret.
pub(super) fn token(secrets: &Secrets, modes: &Modes) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({ "alg": "RS256", "typ": "JWT" }));
    let mut claims = json!({
        "iss": "https://id.example.com",
        "aud": "https://elastic.snaplogic.com/api/1/rest/public",
        "org": ORG,
        "iat": 1_770_000_000,
        "exp": 1_893_456_000,
        "sub": people::GRANTOR.email,
    });
    if modes.snaplogic_username_claim {
        set(&mut claims, "sub", "9f2a6c1e");
        set(&mut claims, "snaplogic_username", people::GRANTOR.email);
    }
    format!("{head}.{}.{}", part(claims), secrets.snaplogic_bearer)
}

pub(super) struct SnapLogic {
    password: String,
    bearer: String,
    modes: Modes,
}

impl SnapLogic {
    pub fn new(keys: &Keys, modes: &Modes) -> SnapLogic {
        SnapLogic {
            password: keys.secrets.snaplogic.clone(),
            bearer: token(&keys.secrets, modes),
            modes: modes.clone(),
        }
    }

    /// Basic or a JWT; a JWT is for the public API only. The vendor gives no details.
    fn admit(&self, ask: &Ask, books: &Books) -> Result<(), Reply> {
        if self.modes.snaplogic_wants_type && !ask.has_type("application/json") {
            return Err(refusal(415, "Content-Type must be application/json"));
        }
        let basic = ask.basic().is_some_and(|(user, password)| {
            user == people::GRANTOR.email && password == self.password
        });
        let public = ask.path.starts_with("/api/1/rest/public/");
        let bearer = public && ask.bearer() == Some(&self.bearer);
        if !basic && !bearer {
            return Err(refusal(401, "Authentication required"));
        }
        let admins = books.groups.get("admins");
        let own = people::GRANTOR.email;
        ensure(admins.is_some_and(|members| members.iter().any(|member| member == own)), || {
            refusal(403, "Environment admin permission is required")
        })
    }
}

impl Fake for SnapLogic {
    fn look(&self, world: &World, ask: &Ask) -> Result<Reply, Reply> {
        let books = &world.snaplogic;
        self.admit(ask, books)?;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["api", "1", "rest", "public", rest @ ..] => match rest {
                ["assetapi", "acl", node @ ..] => self.read_acl(books, node),
                ["assetapi", "user", "settings"] => list_users(ask, self.modes.snaplogic_page),
                ["groups", org] => {
                    in_org(org)?;
                    let names: Vec<&String> = books.groups.keys().collect();
                    Ok(Reply::json(200, &json!({ "groups": names })))
                }
                ["groups", org, name] => {
                    in_org(org)?;
                    let members = books.groups.get(*name).ok_or_else(|| no_group(name))?;
                    Ok(Reply::json(200, &json!({ "name": name, "members": members })))
                }
                ["users", email] => one_user(books, email),
                _ => Err(refusal(404, "Not found")),
            },
            ["api", "1", "rest", "asset", "list", node @ ..] => list_children(books, node, ask),
            _ => Err(refusal(404, "Not found")),
        }
    }

    fn change(&self, world: &mut World, ask: &Ask) -> Result<Reply, Reply> {
        let books = &mut world.snaplogic;
        self.admit(ask, books)?;
        let segments = ask.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["api", "1", "rest", "public", rest @ ..] = path.as_slice() else {
            return Err(refusal(404, "Not found"));
        };
        match (ask.method.as_str(), rest) {
            ("POST", ["assetapi", "acl", node @ ..]) => self.grant(books, &space(node)?, ask),
            ("DELETE", ["assetapi", "acl", node @ ..]) => self.revoke(books, &space(node)?, ask),
            ("PATCH", ["groups", org, name]) => {
                in_org(org)?;
                patch_group(books, name, ask)
            }
            _ => Err(refusal(404, "Not found")),
        }
    }
}

/// "Grant" and "Get ... access to a project or project space".
impl SnapLogic {
    /// Exactly the node asked for: this page has no note on normalising.
    fn read_acl(&self, books: &Books, node: &[&str]) -> Result<Reply, Reply> {
        let path = format!("/{}", node.join("/"));
        let acl = books.acls.get(&path);
        let acl = acl.ok_or_else(|| refusal(404, &format!("{path} does not exist")))?;
        let caller_only = self.modes.snaplogic_acl == SnapLogicAcl::CallerOnly;
        let own = |entry: &&Entry| {
            entry.subject_type == Kind::User && entry.subject == people::GRANTOR.email
        };
        let shown: Vec<&Entry> = acl.iter().filter(|row| !caller_only || own(row)).collect();
        Ok(Reply::json(200, &json!({ "success": { "acl": shown } })))
    }

    fn grant(&self, books: &mut Books, space: &str, ask: &Ask) -> Result<Reply, Reply> {
        let mut wanted: Grant =
            ask.json().map_err(|misread| refusal(misread.status, &misread.message))?;
        if wanted.permission_list.is_empty() {
            return Err(refusal(400, "permission_list must not be empty"));
        }
        let known = match wanted.grant_type {
            Kind::User => everybody().any(|person| person.email == wanted.grantee),
            Kind::Group => books.groups.contains_key(&wanted.grantee),
        };
        if !known {
            return Err(refusal(400, &format!("{} is unknown", wanted.grantee)));
        }
        wanted.permission_list.sort();
        wanted.permission_list.dedup();
        for acl in books.space_and_shared(space)? {
            let mut rows = acl.iter_mut();
            let existing = rows.find(|entry| {
                entry.subject_type == wanted.grant_type && entry.subject == wanted.grantee
            });
            match existing {
                Some(entry) => {
                    let mut perms = wanted.permission_list.clone();
                    if self.modes.snaplogic_post == SnapLogicPost::Merge {
                        perms.extend(&entry.perms);
                        perms.sort();
                        perms.dedup();
                    }
                    entry.perms = perms;
                    entry.inherit = wanted.inherit;
                }
                None => acl.push(Entry {
                    subject_type: wanted.grant_type,
                    subject: wanted.grantee.clone(),
                    perms: wanted.permission_list.clone(),
                    inherit: wanted.inherit,
                }),
            }
        }
        Ok(Reply::empty(self.modes.snaplogic_done))
    }

    /// "Revoke ... access": parameters in the query, no body.
    fn revoke(&self, books: &mut Books, space: &str, ask: &Ask) -> Result<Reply, Reply> {
        let kind = match ask.param("grant_type").as_deref() {
            Some("USER") => Kind::User,
            Some("GROUP") => Kind::Group,
            _ => return Err(refusal(400, "grant_type must be USER or GROUP")),
        };
        let grantee = ask.param("grantee").filter(|grantee| !grantee.is_empty());
        let grantee = grantee.ok_or_else(|| refusal(400, "grantee is required"))?;
        let mut found = false;
        for acl in books.space_and_shared(space)? {
            let before = acl.len();
            acl.retain(|entry| entry.subject_type != kind || entry.subject != grantee);
            found |= acl.len() < before;
        }
        if !found && self.modes.idle == Idle::Refused {
            return Err(refusal(404, &format!("{grantee} has no access")));
        }
        Ok(Reply::empty(self.modes.snaplogic_done))
    }
}

impl Books {
    fn space_and_shared(
        &mut self,
        space: &str,
    ) -> Result<impl Iterator<Item = &mut Vec<Entry>>, Reply> {
        if !self.acls.contains_key(space) {
            return Err(refusal(404, &format!("{space} does not exist")));
        }
        let shared = format!("{space}/shared");
        let acls = self.acls.iter_mut();
        let both = acls.filter(move |(path, _)| **path == *space || **path == shared);
        Ok(both.map(|(_, acl)| acl))
    }
}

/// The project space of a path, whether it ends there, in `/shared` or in a project: POST and DELETE
/// never reach further, and do not look whether the project exists.
fn space(node: &[&str]) -> Result<String, Reply> {
    match node {
        [_, "apim", ..] => Err(refusal(403, "The apim space cannot be altered by public APIs")),
        [org, space] | [org, space, _] => Ok(format!("/{org}/{space}")),
        _ => Err(refusal(400, "The path must be /org/space or /org/space/project")),
    }
}

/// "Get user settings"
fn list_users(ask: &Ask, most: usize) -> Result<Reply, Reply> {
    let path = ask.param("path");
    let path = path.ok_or_else(|| refusal(400, "path is required"))?;
    in_org(path.strip_prefix('/').unwrap_or_default())?;
    let refuse = |why: String| refusal(400, &why);
    let limit = ask.number("limit", 1..=100_000, 100).map_err(refuse)?;
    let offset = ask.number("offset", 0..=usize::MAX, 0).map_err(refuse)?;
    let mut people: Vec<Person> = everybody().collect();
    let order = ask.param("order_by").unwrap_or_else(|| "+username".into());
    // An unencoded plus arrives as a space.
    match order.trim_start_matches(['+', '-', ' ']) {
        "username" => people.sort_by_key(|person| person.email),
        "first_name" | "last_name" | "last_updated" | "created" | "utility" | "ui_access"
        | "disallowed_auth" => people.sort_by_key(|person| person.name),
        _ => return Err(refusal(400, "order_by is unknown")),
    }
    if order.starts_with('-') {
        people.reverse();
    }
    let users = people.iter().skip(offset).take(limit.min(most)).map(|person| {
        let (first, last) = names(person);
        json!({
            "username": person.email,
            "first_name": first,
            "last_name": last,
            "last_updated": "2026-10-30T07:12:00.000000+00:00",
            "created": "2026-02-03T09:30:00.000000+00:00",
            "ui_access": true,
            "user_setting": { "app_access": { ORG: {} } },
            "disallowed_auth": [],
            "utility": false,
        })
    });
    Ok(Reply::json(200, &json!({ "users": users.collect::<Vec<_>>() })))
}

/// "Get user"
fn one_user(books: &Books, email: &str) -> Result<Reply, Reply> {
    let person = everybody().find(|person| person.email == email);
    let person = person.ok_or_else(|| refusal(404, &format!("{email} does not exist")))?;
    let admins = books.groups.get("admins");
    let administrator =
        admins.is_some_and(|members| members.iter().any(|member| member == person.email));
    let (first, last) = names(&person);
    let body = json!({
        "email": person.email,
        "first_name": first,
        "last_name": last,
        "organizations": [{
            "id": "5f3c1d2e8b7a",
            "name": ORG,
            "administrator": administrator,
        }],
        "ui_access": true,
        "user_locked_out": !person.active,
        "service_account": person.email == people::GRANTOR.email,
        "password_expired": false,
        "allow_password_login": true,
        "failed_logins": 0,
        "basic_access": true,
    });
    Ok(Reply::json(200, &body))
}

/// "Update group": exactly one member, added or removed.
fn patch_group(books: &mut Books, name: &str, ask: &Ask) -> Result<Reply, Reply> {
    let patch: Patch = ask.json().map_err(|misread| refusal(misread.status, &misread.message))?;
    let members = books.groups.get_mut(name).ok_or_else(|| no_group(name))?;
    match (patch.add_user, patch.remove_user) {
        (Some(user), None) if everybody().any(|person| person.email == user) => {
            if !members.contains(&user) {
                members.push(user);
            }
        }
        (None, Some(user)) => members.retain(|member| *member != user),
        _ => {
            return Err(refusal(400, "exactly one of add_user and remove_user, a known user"));
        }
    }
    Ok(Reply::empty(200))
}

/// Internal: the spaces of an organization, or the projects of a space.
fn list_children(books: &Books, node: &[&str], ask: &Ask) -> Result<Reply, Reply> {
    let parent = match node {
        [org] => {
            in_org(org)?;
            format!("/{org}")
        }
        [org, space] => format!("/{org}/{space}"),
        _ => return Err(refusal(404, "Not found")),
    };
    if node.len() == 2 && !books.acls.contains_key(&parent) {
        return Err(refusal(404, &format!("{parent} does not exist")));
    }
    let refuse = |why: String| refusal(400, &why);
    let limit = ask.number("limit", 1..=100_000, 100_000).map_err(refuse)?;
    let offset = ask.number("offset", 0..=usize::MAX, 0).map_err(refuse)?;
    let children = books.acls.iter().filter_map(|(path, acl)| {
        let name = path.strip_prefix(&parent)?.strip_prefix('/')?;
        let direct = !name.is_empty() && !name.contains('/');
        direct.then(|| {
            json!({
                "name": name,
                "asset_type": "Dir",
                "path": path,
                "snode_id": format!("{:024x}", path.len()),
                "owner": people::PRIYA.email,
                "acl": acl,
                "perms": ["R", "W", "X"],
                "metadata": {},
                "time_updated": "2026-10-30T07:12:00.000000+00:00",
            })
        })
    });
    let entries: Vec<Value> = children.skip(offset).take(limit).collect();
    let body = json!({ "response_map": { "entries": entries }, "http_status_code": 200 });
    Ok(Reply::json(200, &body))
}

fn names(person: &Person) -> (&str, &str) {
    person.name.split_once(' ').unwrap_or((person.name, ""))
}

fn everybody() -> impl Iterator<Item = Person> {
    PEOPLE.into_iter().chain([people::GRANTOR])
}

fn in_org(org: &str) -> Result<(), Reply> {
    ensure(org == ORG, || refusal(404, &format!("/{org} does not exist")))
}

fn no_group(name: &str) -> Reply {
    refusal(404, &format!("the group {name} does not exist"))
}

fn refusal(status: u16, message: &str) -> Reply {
    let body = json!({
        "response_map": { "error_list": [{ "message": message }] },
        "http_status_code": status,
    });
    Reply::json(status, &body)
}

#[cfg(test)]
mod tests {
    use super::super::client::{Answer, Client, Request, start};
    use super::*;

    const PUBLIC: &str = "/api/1/rest/public";

    fn own<'a>(client: &'a Client, method: &str, path: &str) -> Request<'a> {
        client.request("snaplogic", method, path).own_basic("SNAPLOGIC")
    }

    fn acl(node: &str) -> String {
        format!("{PUBLIC}/assetapi/acl{node}")
    }

    fn grant(subject: &str, perms: &[&str]) -> Value {
        json!({
            "grant_type": "USER",
            "grantee": subject,
            "permission_list": perms,
            "inherit": true,
        })
    }

    async fn post(client: &Client, node: &str, body: &Value) -> Answer {
        own(client, "POST", &acl(node)).json(body).send().await
    }

    /// What this subject may do at a node.
    async fn perms(client: &Client, node: &str, subject: &str) -> Value {
        let answer = own(client, "GET", &acl(node)).send().await;
        let subjects = answer.each("/success/acl", "/subject");
        let perms = answer.each("/success/acl", "/perms");
        let mut rows = subjects.into_iter().zip(perms);
        let row = rows.find(|(found, _)| found == subject);
        row.map(|(_, perms)| perms).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_project_widens_to_its_space_and_shared() {
        let (_sandbox, client) = start(Modes::default()).await;
        let sam = people::SAM.email;
        for given in ["/Harbor/Finance/Billing", "/Harbor/Finance/shared", "/Harbor/Finance"] {
            let answer = post(&client, given, &grant(sam, &["W", "R"])).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{given}");
            for (node, expected) in [
                ("/Harbor/Finance", json!(["R", "W"])),
                ("/Harbor/Finance/shared", json!(["R", "W"])),
                ("/Harbor/Finance/Billing", Value::Null),
                ("/Harbor/Integrations", Value::Null),
            ] {
                assert_eq!(perms(&client, node, sam).await, expected, "{given} {node}");
            }
            let gone = format!("{}?grant_type=USER&grantee={sam}", acl(given));
            for _ in 0..2 {
                assert_eq!(own(&client, "DELETE", &gone).send().await.status, 200);
            }
            assert_eq!(perms(&client, "/Harbor/Finance", sam).await, Value::Null);
        }
    }

    #[tokio::test]
    async fn a_second_post_sets_or_merges() {
        for (snaplogic_post, expected) in
            [(SnapLogicPost::Set, json!(["R"])), (SnapLogicPost::Merge, json!(["R", "W", "X"]))]
        {
            let modes = Modes { snaplogic_post, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let alex = people::ALEX.email;
            post(&client, "/Harbor/Integrations", &grant(alex, &["R"])).await;
            assert_eq!(perms(&client, "/Harbor/Integrations", alex).await, expected);
        }
    }

    #[tokio::test]
    async fn an_acl_may_show_the_caller_alone() {
        for (snaplogic_acl, rows) in [(SnapLogicAcl::Everyone, 4), (SnapLogicAcl::CallerOnly, 1)] {
            let modes = Modes { snaplogic_acl, ..Modes::default() };
            let (_sandbox, client) = start(modes).await;
            let path = acl("/Harbor/Integrations");
            let answer = own(&client, "GET", &path).send().await;
            assert_eq!(answer.each("/success/acl", "/subject").len(), rows);
            assert_eq!(answer.at("/success/acl/0/subject"), people::GRANTOR.email);
        }
    }

    #[tokio::test]
    async fn grants_are_checked() {
        let (_sandbox, client) = start(Modes::default()).await;
        let (sam, space) = (people::SAM.email, "/Harbor/Finance");
        for (node, body, status) in [
            ("/Harbor/finance", grant(sam, &["R"]), 404),
            ("/harbor/Finance", grant(sam, &["R"]), 404),
            ("/Harbor/apim", grant(sam, &["R"]), 403),
            ("/Harbor/apim/x", grant(sam, &["R"]), 403),
            ("/Harbor", grant(sam, &["R"]), 400),
            ("/Harbor/Finance/Billing/x", grant(sam, &["R"]), 400),
            (space, grant("nobody@example.com", &["R"]), 400),
            (space, grant("admins", &["R"]), 400),
            (space, grant(sam, &[]), 400),
            (space, grant(sam, &["r"]), 400),
            (space, json!({ "grantee": sam, "permission_list": ["R"] }), 400),
        ] {
            let answer = post(&client, node, &body).await;
            assert_eq!(answer.status, status, "{node} {body}");
            assert!(answer.at("/response_map/error_list/0/message").is_string());
            assert_eq!(answer.at("/http_status_code"), status);
        }
        let text = own(&client, "POST", &acl(space)).text("text/plain", "{}");
        assert_eq!(text.send().await.status, 415);
        for query in ["", "?grant_type=USER", "?grant_type=user&grantee=x"] {
            let path = acl(&format!("{space}{query}"));
            assert_eq!(own(&client, "DELETE", &path).send().await.status, 400);
        }
    }

    #[tokio::test]
    async fn a_jwt_is_for_the_public_api_alone() {
        let (sandbox, client) = start(Modes::default()).await;
        let token = sandbox.snaplogic_token();
        let internal = "/api/1/rest/asset/list/Harbor";
        let groups = format!("{PUBLIC}/groups/Harbor");
        for (path, bearer, status) in [
            (groups.as_str(), true, 200),
            (internal, true, 401),
            (groups.as_str(), false, 200),
            (internal, false, 200),
        ] {
            let request = if bearer {
                client.request("snaplogic", "GET", path).bearer(&token)
            } else {
                own(&client, "GET", path)
            };
            assert_eq!(request.send().await.status, status, "{path} {bearer}");
        }
        let wrong = client.request("snaplogic", "GET", &groups);
        let wrong = wrong.basic(people::GRANTOR.email, "x").send().await;
        assert_eq!(wrong.status, 401);
    }

    #[tokio::test]
    async fn people_and_groups_are_listed() {
        let (_sandbox, client) = start(Modes::default()).await;
        let settings = format!("{PUBLIC}/assetapi/user/settings");
        for (query, status, users) in [
            ("?path=/Harbor", 200, 11),
            ("?path=/Harbor&order_by=+username&offset=9&limit=5", 200, 2),
            ("?path=/Harbor&order_by=%2Busername&limit=4", 200, 4),
            ("?path=/Harbor&limit=0", 400, 0),
            ("?path=/harbor", 404, 0),
            ("", 400, 0),
        ] {
            let answer = own(&client, "GET", &format!("{settings}{query}")).send().await;
            assert_eq!(answer.status, status, "{query}");
            assert_eq!(answer.each("/users", "/username").len(), users, "{query}");
        }
        let user = format!("{PUBLIC}/users/{}", people::GRANTOR.email);
        let user = own(&client, "GET", &user).send().await;
        assert_eq!(user.at("/organizations/0/administrator"), true);
        assert_eq!(user.at("/service_account"), true);
        let unknown = format!("{PUBLIC}/users/nobody@example.com");
        assert_eq!(own(&client, "GET", &unknown).send().await.status, 404);
        let spaces = own(&client, "GET", "/api/1/rest/asset/list/Harbor").send().await;
        let names = spaces.each("/response_map/entries", "/name");
        assert_eq!(names, ["Finance", "Integrations", "apim"]);
    }

    #[tokio::test]
    async fn a_group_takes_one_member_at_a_time() {
        let (_sandbox, client) = start(Modes::default()).await;
        let group = format!("{PUBLIC}/groups/Harbor/integration-team");
        let sam = people::SAM.email;
        for (body, status, members) in [
            (json!({ "add_user": sam }), 200, 3),
            (json!({ "add_user": sam }), 200, 3),
            (json!({ "add_user": "nobody@example.com" }), 400, 3),
            (json!({ "add_user": sam, "remove_user": sam }), 400, 3),
            (json!({}), 400, 3),
            (json!({ "remove_user": sam }), 200, 2),
        ] {
            let answer = own(&client, "PATCH", &group).json(&body).send().await;
            assert_eq!(answer.status, status, "{body}");
            let listed = own(&client, "GET", &group).send().await;
            assert_eq!(listed.each("/members", "").len(), members, "{body}");
        }
    }

    #[tokio::test]
    async fn only_an_admin_is_served() {
        let (_sandbox, client) = start(Modes::default()).await;
        let admins = format!("{PUBLIC}/groups/Harbor/admins");
        let body = json!({ "remove_user": people::GRANTOR.email });
        assert_eq!(own(&client, "PATCH", &admins).json(&body).send().await.status, 200);
        assert_eq!(own(&client, "GET", &admins).send().await.status, 403);
    }
}
