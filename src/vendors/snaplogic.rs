//! SnapLogic public APIs: access to project spaces.
//!
//! <https://docs.snaplogic.com/public-apis/apis-asset.html>

mod access;
mod caller;
mod groups;
pub mod space;
mod users;

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

pub use caller::Caller;
pub use groups::{Memberships, memberships};
pub use users::user;
use users::{person_of, users};

use super::{
    Check, Find, ListPosition, Listing, NameOrId, Page, Row, Variable, Vendor, VendorReader,
    offering, paginate, pick,
};
use crate::access::{Named, Principal, PrincipalKind, Resource, Role};
use crate::draft::{Endpoint, Query, Source, Verb};
use crate::failure::{Failure, Kind};
use crate::outbound::auth::{Authorize, Basic, Bearer, ClientCredentials, Fetched, TokenEndpoint};
use crate::outbound::{Account, Pace, Reply, refusal};
use crate::settings::{Settings, all};

pub const NAME: &str = "snaplogic";

pub static VENDOR: Vendor = Vendor {
    name: NAME,
    title: "SnapLogic",
    tells_permissions: true,
    named_permissions: &["R", "W", "X"],
    ids_are_addresses: true,
    variables: &[
        Variable::required("SNAPLOGIC_URL", "the control plane, https://elastic.snaplogic.com"),
        Variable::optional(USERNAME, "a service account, for basic authentication"),
        Variable::optional("SNAPLOGIC_PASSWORD", "its password").secret(),
        Variable::optional(TOKEN, "a JWT, instead of a password").secret(),
        Variable::optional(TOKEN_URL, "the identity provider's token endpoint"),
        Variable::optional("SNAPLOGIC_CLIENT_ID", "the client id there"),
        Variable::optional("SNAPLOGIC_CLIENT_SECRET", "the client secret there").secret(),
        Variable::optional("SNAPLOGIC_SCOPE", "the scope to ask for there"),
        Variable::optional(ORG, "the environment (org) for look-ups"),
        Variable::optional(
            INTERNAL,
            "1 allows SnapLogic's undocumented listings, for reading only",
        ),
    ],
    customers: super::Customers::Named {
        setting: Some(ORG),
        claims: &["/org", "/snaplogic_org"],
        in_path: true,
    },
    tables: &[],
    principal_kinds: &["user", "group"],
    resource_kinds: &["project_space"],
    connect,
    roles: |_, find| Box::pin(std::future::ready(Ok(roles(&find)))) as BoxFuture<_>,
    principals: |reader, find| Box::pin(principals(reader, find)) as BoxFuture<_>,
    person: |reader, name| Box::pin(person_of(reader, name)) as BoxFuture<_>,
    resources: |reader, find| Box::pin(resources(reader, find)) as BoxFuture<_>,
    access: |reader, reach| Box::pin(access::list(reader, reach)) as BoxFuture<_>,
    checks: &[Check {
        permission: "users of the environment (environment admin)",
        without: None,
        query: |tenant| {
            let org = tenant
                .settings
                .get(ORG)
                .ok_or_else(|| Failure::new(Kind::NotListable, format!("{ORG} is not set")))?;
            Ok(SETTINGS.ask(&[])?.with("path", format!("/{org}")).with("limit", 1).typed())
        },
    }],
};

const USERNAME: &str = "SNAPLOGIC_USERNAME";
const TOKEN: &str = "SNAPLOGIC_TOKEN";
const TOKEN_URL: &str = "SNAPLOGIC_TOKEN_URL";
pub const ORG: &str = "SNAPLOGIC_ORG";
const INTERNAL: &str = "SNAPLOGIC_INTERNAL_READS";

/// What reading users, groups and access takes.
const ADMIN: &str = "Environment (Org) admin";
const SETTINGS: Source = Source {
    path: "/api/1/rest/public/assetapi/user/settings",
    needs: ADMIN,
    docs: "get-assetapi-user-settings",
};
const USER: Source =
    Source { path: "/api/1/rest/public/users/{email}", needs: ADMIN, docs: "get-users-email" };
const GROUPS: Source =
    Source { path: "/api/1/rest/public/groups/{org}", needs: ADMIN, docs: "get-groups-org" };
const ACL: Source = Source {
    path: "/api/1/rest/public/assetapi/acl/{+project_path}",
    needs: ADMIN,
    docs: "get-assetapi-acl-path",
};

const GROUP: Source = Source {
    path: "/api/1/rest/public/groups/{org}/{group}",
    needs: ADMIN,
    docs: "get-groups-org-group",
};
/// Undocumented, used by the vendor's own tooling: read on request only, and labelled.
const SPACES: Source =
    Source { path: "/api/1/rest/asset/list/{org}", needs: "", docs: "undocumented" };

/// Grants a user or group access to a project space and its shared folder.
pub const GRANT: Endpoint = Endpoint {
    verb: Verb::Post,
    path: "/api/1/rest/public/assetapi/acl/{+project_or_space_path}",
    docs: "Grant a user or group access to a project or project space",
};

/// Takes all access of a user or group to a project space and its shared folder away.
pub const REVOKE: Endpoint = Endpoint {
    verb: Verb::Delete,
    path: "/api/1/rest/public/assetapi/acl/{+project_path}",
    docs: "delete-assetapi-acl-path",
};

/// The combinations that the vendor's Manager names.
const LEVELS: [(&str, &[&str]); 4] = [
    ("Full Access", &["R", "W", "X"]),
    ("Read & Write", &["R", "W"]),
    ("Read & Execute", &["R", "X"]),
    ("Read Only", &["R"]),
];
/// Groups whose members administer, or are, the whole environment.
pub const SYSTEM_GROUPS: [&str; 2] = ["admins", "members"];
const PAGE: usize = 100;

/// One entry of a space's access control list.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub subject_type: String,
    pub subject: String,
    #[serde(default)]
    pub perms: BTreeSet<String>,
    #[serde(default)]
    pub inherit: bool,
}

impl Entry {
    /// `user` or `group`.
    pub fn kind(&self) -> &'static str {
        if self.subject_type.eq_ignore_ascii_case("group") { "group" } else { "user" }
    }

    /// Whether this is the entry of that user or group. A user is an address, whose letter case says
    /// nothing; a group is a name.
    pub fn is_of(&self, principal: &Named) -> bool {
        match (self.kind(), principal.kind.as_deref() == Some("group")) {
            ("group", true) => self.subject == principal.id,
            ("user", false) => is_same_user(&self.subject, &principal.id),
            _ => false,
        }
    }
}

/// User names are addresses, and nothing says that their letter case counts.
pub fn is_same_user(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[derive(Deserialize)]
struct Acl {
    acl: Vec<Entry>,
}

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(alias = "email")]
    username: String,
    first_name: Option<String>,
    last_name: Option<String>,
}

#[derive(Deserialize)]
struct Entries {
    entries: Vec<Space>,
}

#[derive(Deserialize)]
struct Space {
    name: String,
}

#[derive(Deserialize)]
struct Group {
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<String>,
}

fn connect(settings: &Settings) -> Result<Account, Vec<String>> {
    let base = settings.url("SNAPLOGIC_URL");
    let authorize = authorize(settings);
    all((base, authorize)).map(|(base, authorize)| Account {
        base,
        authorize,
        pace: Pace::default(),
    })
}

/// Whichever credential is there; a complete one of any kind will do.
fn authorize(settings: &Settings) -> Result<Box<dyn Authorize>, String> {
    if settings.has(TOKEN) {
        return Ok(Box::new(Bearer { token: settings.secret(TOKEN)? }));
    }
    if settings.has(TOKEN_URL) {
        let endpoint = TokenEndpoint::Given(settings.url(TOKEN_URL)?);
        let client_id = settings.text("SNAPLOGIC_CLIENT_ID")?;
        let secret = settings.secret("SNAPLOGIC_CLIENT_SECRET")?;
        let scope = settings.get("SNAPLOGIC_SCOPE").map(str::to_owned);
        let issuer = ClientCredentials::new(endpoint, client_id, secret, scope);
        return Ok(Box::new(Fetched::new(issuer)));
    }
    let missing = |trouble: String| match settings.has(USERNAME) {
        true => trouble,
        false => format!(
            "set {USERNAME} and SNAPLOGIC_PASSWORD, or SNAPLOGIC_TOKEN, or SNAPLOGIC_TOKEN_URL \
                 with SNAPLOGIC_CLIENT_ID and SNAPLOGIC_CLIENT_SECRET"
        ),
    };
    let username = settings.user(USERNAME).map_err(missing)?;
    Ok(Box::new(Basic { username, password: settings.secret("SNAPLOGIC_PASSWORD")? }))
}

fn roles(find: &Find) -> Listing<Role> {
    let role = |(name, letters): &(&str, &[&str])| Role {
        id: letters.join(","),
        name: Some((*name).to_owned()),
        privileged: false,
        description: Some("a permission_list on a project space".to_owned()),
        permissions: letters.iter().map(|&letter| letter.to_owned()).collect(),
        ingredients: Vec::new(),
    };
    let fitting = LEVELS.iter().filter(|(name, _)| find.fits(&[name]));
    Listing::part(fitting.map(role).collect(), &find.from, find.limit, None)
}

/// All rows of a list that is read by offset. It tells no total, and the server may send fewer rows
/// than were asked for: only an empty page is its end.
async fn pages<A: serde::de::DeserializeOwned, T: Row>(
    reader: &VendorReader<'_>,
    query: &Query,
    rows: impl Fn(A) -> Vec<T> + Copy,
) -> Result<Vec<T>, Failure> {
    let page = |page: Option<String>| async move {
        let offset: usize = page.and_then(|page| page.parse().ok()).unwrap_or(0);
        let query = query.clone().with("offset", offset).with("limit", PAGE);
        let rows = rows(read(reader, &query).await?);
        let next = (!rows.is_empty()).then(|| (offset + rows.len()).to_string());
        Ok(Page { rows, next, total: None })
    };
    paginate(ListPosition::default(), usize::MAX, |_| true, page).await?.complete()
}

/// Users and groups whose name contains the query.
async fn principals(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Principal>, Failure> {
    let org = configured_org(reader)?;
    let mut rows = Vec::new();
    if find.wants("user") {
        rows.extend(users(reader, org).await?);
    }
    if find.wants("group") {
        rows.extend(groups(reader, org).await?);
    }
    rows.retain(|row| {
        find.fits(&[
            row.name.as_deref().unwrap_or_default(),
            row.email.as_deref().unwrap_or_default(),
        ])
    });
    Ok(Listing::part(rows, &find.from, find.limit, None))
}

/// Project spaces, which only the undocumented listing knows.
async fn resources(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Resource>, Failure> {
    let mut rows = spaces(reader).await?;
    rows.retain(|row| {
        find.wants(row.kind) && find.fits(&[row.name.as_deref().unwrap_or_default()])
    });
    Ok(Listing::part(rows, &find.from, find.limit, Some(undocumented())))
}

/// # Errors
/// The undocumented listing is not allowed, or cannot be read.
async fn spaces(reader: &VendorReader<'_>) -> Result<Vec<Resource>, Failure> {
    if !matches!(reader.tenant.settings.get(INTERNAL), Some("1" | "true")) {
        return Err(Failure::new(
            Kind::NotListable,
            "SnapLogic documents no list of project spaces",
        )
        .hint(format!(
            "give the path, /org/space; or set {INTERNAL}=1 to read an undocumented one"
        )));
    }
    let org = configured_org(reader)?;
    let query = SPACES.ask(&[("org", org)])?;
    let entries = pages(reader, &query, |Entries { entries }| entries).await?;
    let space = |entry: Space| {
        let path = format!("/{org}/{}", entry.name);
        Resource {
            path: Some(path.clone()),
            ..Resource::new("project_space", path, Some(entry.name))
        }
    };
    Ok(entries.into_iter().map(space).collect())
}

/// The same failure with the spaces whose names are near, where they may be listed.
pub async fn offering_spaces(
    reader: &VendorReader<'_>,
    failure: Failure,
    what: &str,
    path: &str,
) -> Failure {
    let name = path.rsplit('/').next().unwrap_or(path);
    let spaces = spaces(reader).await.unwrap_or_default();
    offering(failure, what, NameOrId::named(name), &spaces)
}

fn undocumented() -> Failure {
    Failure::new(Kind::NotListable, "from SnapLogic's undocumented listing, which may change")
}

fn configured_org<'a>(reader: &VendorReader<'a>) -> Result<&'a str, Failure> {
    reader.tenant.settings.get(ORG).ok_or_else(|| {
        Failure::new(Kind::NotListable, format!("{ORG} is not set"))
            .hint("set it to the environment's name")
    })
}

/// The group with exactly this name.
///
/// # Errors
/// None matches, or the list cannot be read.
pub async fn group(
    reader: &VendorReader<'_>,
    org: &str,
    wanted: NameOrId<'_>,
) -> Result<Principal, Failure> {
    pick("grantee", wanted, groups(reader, org).await?)
}

async fn groups(reader: &VendorReader<'_>, org: &str) -> Result<Vec<Principal>, Failure> {
    let Groups { groups } = read(reader, &GROUPS.ask(&[("org", org)])?).await?;
    let principal = |name: String| Principal {
        kind: PrincipalKind::Group,
        name: Some(name.clone()),
        ..Principal::user(name, None, None)
    };
    Ok(groups.into_iter().map(principal).collect())
}

/// The user names of a group's members.
async fn group_members(
    reader: &VendorReader<'_>,
    org: &str,
    group: &str,
) -> Result<Vec<String>, Failure> {
    let Group { members } = read(reader, &GROUP.ask(&[("org", org), ("group", group)])?).await?;
    Ok(members)
}

/// The access control list of a project space, as far as the vendor shows it.
///
/// # Errors
/// As any read; a space that does not exist is `NotFound`.
pub async fn acl(reader: &VendorReader<'_>, space: &str) -> Result<Vec<Entry>, Failure> {
    let Acl { acl } = read(reader, &ACL.ask(&[("project_path", space)])?).await?;
    Ok(acl)
}

/// An answer without its wrapping. The pages of the vendor's APIs have the type of a body on each
/// request, one without a body too. A status inside counts as if it were the answer's own.
async fn read<T: serde::de::DeserializeOwned>(
    reader: &VendorReader<'_>,
    query: &Query,
) -> Result<T, Failure> {
    let reply = reader.reply(&query.clone().typed()).await?;
    match inner_status(&reply) {
        Some(status @ 300..) => {
            Err(refusal(&reply.with_status(status), reader.tenant.account.base.host()))
        }
        _ => parse(unwrapped(reply.json()?)),
    }
}

/// What a reply says in its body beside its status: `http_status_code` may contradict it.
pub fn inner_status(reply: &Reply) -> Option<u16> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    body.get("http_status_code")?.as_u64()?.try_into().ok()
}

/// Bodies come bare, under `response_map` or under `success`.
fn unwrapped(body: Value) -> Value {
    let Value::Object(mut fields) = body else { return body };
    for wrapper in ["response_map", "success"] {
        if let Some(inner @ Value::Object(_)) = fields.get_mut(wrapper) {
            return inner.take();
        }
    }
    Value::Object(fields)
}

fn parse<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, Failure> {
    serde_json::from_value(body).map_err(|_| {
        Failure::garbled("the vendor's answer is not what it documents")
            .hint("the vendor may have changed its API, or a proxy answered in its place")
    })
}

impl Row for Space {
    fn key(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Row for User {
    fn key(&self) -> Option<String> {
        Some(self.username.clone())
    }
}

impl User {
    fn into_principal(self) -> Principal {
        let parts = [self.first_name, self.last_name].into_iter().flatten();
        let name = parts.collect::<Vec<_>>().join(" ");
        let name = Some(name).filter(|name| !name.trim().is_empty());
        Principal::user(&self.username, name, Some(self.username.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_inside_a_body_is_found_where_it_is_a_number() {
        for (body, status) in [
            (r#"{"response_map":{},"http_status_code":200}"#, Some(200)),
            (r#"{"http_status_code":404}"#, Some(404)),
            (r#"{"http_status_code":"404"}"#, None),
            (r#"{"http_status_code":70000}"#, None),
            (r#"{"groups":[]}"#, None),
            ("", None),
            ("<html>", None),
        ] {
            assert_eq!(inner_status(&Reply::made(200, body.into())), status, "{body}");
        }
    }

    /// A user is an address, a group a name; either may be called like the other.
    #[test]
    fn an_entry_is_of_one_user_or_one_group() {
        for (kind, subject, of, id, is) in [
            ("USER", "ada@example.com", "user", "ada@example.com", true),
            ("user", "Ada@Example.com", "user", "ada@example.com", true),
            ("USER", "devs", "group", "devs", false),
            ("GROUP", "devs", "group", "devs", true),
            ("Group", "devs", "group", "devs", true),
            ("GROUP", "Devs", "group", "devs", false),
            ("GROUP", "ada@example.com", "user", "ada@example.com", false),
        ] {
            let entry = json!({ "subject_type": kind, "subject": subject });
            let entry: Entry = serde_json::from_value(entry).unwrap();
            assert_eq!(entry.is_of(&Named::new(id, None, of)), is, "{kind} {subject} {of} {id}");
            assert!(entry.perms.is_empty() && !entry.inherit, "what is not said is not there");
        }
    }

    #[test]
    fn a_user_is_called_by_their_names_and_known_by_their_address() {
        for (user, name) in [
            (
                json!({ "username": "a@x.com", "first_name": "Ada", "last_name": "L" }),
                Some("Ada L"),
            ),
            (json!({ "username": "a@x.com", "first_name": null, "last_name": "L" }), Some("L")),
            (json!({ "username": "a@x.com", "first_name": " ", "last_name": "" }), None),
            (json!({ "email": "a@x.com" }), None),
        ] {
            let user: User = serde_json::from_value(user).unwrap();
            let found = user.into_principal();
            assert_eq!((found.id.as_str(), found.name.as_deref()), ("a@x.com", name));
            assert_eq!(found.email.as_deref(), Some("a@x.com"));
        }
    }

    #[test]
    fn a_body_is_unwrapped_from_each_documented_shape() {
        for body in [
            json!({"groups": ["a"]}),
            json!({"success": {"groups": ["a"]}}),
            json!({"response_map": {"groups": ["a"]}, "http_status_code": 200}),
        ] {
            assert_eq!(parse::<Groups>(unwrapped(body)).unwrap().groups, ["a"]);
        }
    }
}
