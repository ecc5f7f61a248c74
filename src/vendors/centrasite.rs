//! webMethods CentraSite, through the operator's bridge.
//!
//! No CentraSite HTTP endpoint that sets asset permissions is documented, so the bridge's contract
//! is Grantor's own (see the README). What the permissions mean is the vendor's: the policy action
//! "Set Instance and Profile Permissions".

mod access;
mod holding;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use holding::Holding;

use super::people::{Sought, person};
use super::{
    Check, Find, Known, ListPosition, Listing, NameOrId, Page, Variable, Vendor, VendorReader,
    paginate, pick,
};
use crate::access::{Named, Principal, PrincipalKind, Resource, Role};
use crate::draft::{Endpoint, Query, Source, Verb};
use crate::failure::{Failure, Kind};
use crate::outbound::auth::Basic;
use crate::outbound::{Account, Pace};
use crate::settings::{Settings, all};
use crate::text;

pub const NAME: &str = "centrasite";

pub static VENDOR: Vendor = Vendor {
    name: NAME,
    title: "webMethods CentraSite",
    tells_permissions: false,
    named_permissions: &["View", "Modify", "Full"],
    ids_are_addresses: false,
    variables: &[
        Variable::required("CENTRASITE_BRIDGE_URL", "the bridge you run beside CentraSite"),
        Variable::required(USERNAME, "a user of the bridge"),
        Variable::required("CENTRASITE_PASSWORD", "that user's password").secret(),
    ],
    customers: super::Customers::ByAddress,
    tables: &[],
    principal_kinds: &["user", "group"],
    resource_kinds: &["asset"],
    connect,
    roles: |_, find| Box::pin(std::future::ready(Ok(roles(&find)))) as BoxFuture<_>,
    principals: |reader, find| Box::pin(principals(reader, find)) as BoxFuture<_>,
    person: |reader, name| {
        Box::pin(principal(reader, PrincipalKind::User, NameOrId::named(name))) as BoxFuture<_>
    },
    resources: |reader, find| Box::pin(resources(reader, find)) as BoxFuture<_>,
    access: |reader, reach| Box::pin(access::list(reader, reach)) as BoxFuture<_>,
    checks: &[
        Check {
            permission: "assets",
            without: None,
            query: |_| Ok(ASSETS.ask(&[])?.with("limit", 1)),
        },
        Check {
            permission: "principals",
            without: None,
            query: |_| Ok(PRINCIPALS.ask(&[])?.with("limit", 1)),
        },
    ],
};

pub const USERNAME: &str = "CENTRASITE_USERNAME";
const BRIDGE: &str = "CentraSite bridge contract";
const ASSETS: Source = Source { path: "/assets", needs: "", docs: BRIDGE };
const PRINCIPALS: Source = Source { path: "/principals", needs: "", docs: BRIDGE };
const PERMISSIONS: Source = Source { path: "/assets/{id}/permissions", needs: "", docs: BRIDGE };

/// Sets or combines an asset's permissions.
pub const SET: Endpoint =
    Endpoint { verb: Verb::Post, path: "/assets/{id}/permissions", docs: BRIDGE };

/// Groups that hold everybody of an organization, of it and its children, and everybody at all.
pub const SYSTEM_GROUPS: [&str; 3] = ["Users", "Members", "Everyone"];
/// The one of them that everybody is in.
const EVERYONE: &str = "Everyone";
const PAGE: usize = 100;
/// As many as are read whole to see whether something looks like a name: less than a page.
const FEW: usize = 99;
/// Pages that are read for names alone.
const NAME_PAGES: usize = 5;

/// A permission on an asset; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    View,
    Modify,
    Full,
}

/// What is set on one asset, at one version.
#[derive(Clone, Debug, Deserialize)]
pub struct Permissions {
    version: Value,
    pub permissions: Vec<PermissionEntry>,
}

/// What one user or group holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PermissionEntry {
    pub principal: Holder,
    pub permission: Level,
    #[serde(default)]
    pub profiles: Vec<Profile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Holder {
    pub kind: PrincipalKind,
    pub id: String,
}

/// A permission on one profile of an asset: View or Modify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
    pub permission: Level,
}

#[derive(Deserialize)]
struct Assets {
    assets: Vec<Asset>,
    total: Option<usize>,
}

#[derive(Deserialize)]
struct Asset {
    id: String,
    name: Option<String>,
    #[serde(rename = "type")]
    told_type: Option<Value>,
}

#[derive(Deserialize)]
struct Principals {
    principals: Vec<Listed>,
    total: Option<usize>,
}

#[derive(Deserialize)]
struct Listed {
    kind: PrincipalKind,
    id: String,
    name: Option<String>,
    email: Option<String>,
}

/// A list as the bridge answers it: its rows, and how many there are in all.
trait Answer: DeserializeOwned {
    type Row: Known;
    fn rows(self) -> (Vec<Self::Row>, Option<usize>);
}

impl Answer for Assets {
    type Row = Resource;
    fn rows(self) -> (Vec<Resource>, Option<usize>) {
        (self.assets.into_iter().map(Asset::into_resource).collect(), self.total)
    }
}

impl Answer for Principals {
    type Row = Principal;
    fn rows(self) -> (Vec<Principal>, Option<usize>) {
        (self.principals.into_iter().map(Listed::into_principal).collect(), self.total)
    }
}

fn connect(settings: &Settings) -> Result<Account, Vec<String>> {
    let base = settings.url("CENTRASITE_BRIDGE_URL");
    let username = settings.user(USERNAME);
    let password = settings.secret("CENTRASITE_PASSWORD");
    all((base, username, password)).map(|(base, username, password)| Account {
        base,
        authorize: Box::new(Basic { username, password }),
        pace: Pace::default(),
    })
}

fn roles(find: &Find) -> Listing<Role> {
    let levels = [
        (Level::View, "see the asset"),
        (Level::Modify, "see and change the asset"),
        (Level::Full, "see, change and delete the asset, and grant access to it"),
    ];
    let role = |(level, meaning): (Level, &str)| Role {
        description: Some(meaning.to_owned()),
        ..level.role()
    };
    let fitting = levels.into_iter().filter(|(level, _)| find.fits(&[level.as_str()]));
    Listing::part(fitting.map(role).collect(), &find.from, find.limit, None)
}

/// Users and groups that the bridge finds for the query.
async fn principals(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Principal>, Failure> {
    let query = PRINCIPALS.ask(&[])?.maybe("query", find.plain());
    let query = query.maybe("kind", find.kind.as_deref());
    let is_plain = find.plain() == find.asked();
    let fits = |found: &Principal| {
        let [name, email] =
            [&found.name, &found.email].map(|text| text.as_deref().unwrap_or_default());
        find.wants(found.kind.as_str()) && (is_plain || find.fits(&[name, email, &found.id]))
    };
    let rows = list::<Principals>(reader, &query, &fits).await?;
    Ok(Listing::part(rows, &find.from, find.limit, None))
}

/// Assets that the bridge finds for the query.
async fn resources(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Resource>, Failure> {
    let is_plain = find.plain() == find.asked();
    let mut rows = assets(reader, find.plain()).await?;
    rows.retain(|row| {
        let names = [row.name.as_deref().unwrap_or_default(), &row.id];
        find.wants(row.kind) && (is_plain || find.fits(&names))
    });
    Ok(Listing::part(rows, &find.from, find.limit, None))
}

async fn assets(reader: &VendorReader<'_>, query: Option<&str>) -> Result<Vec<Resource>, Failure> {
    list::<Assets>(reader, &ASSETS.ask(&[])?.maybe("query", query), &|_| true).await
}

/// The asset with this id or exact name.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn asset(reader: &VendorReader<'_>, wanted: NameOrId<'_>) -> Result<Resource, Failure> {
    find::<Assets>(reader, "asset", wanted, &ASSETS.ask(&[])?, |_| true).await
}

/// The user or group with this id or exact name.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn principal(
    reader: &VendorReader<'_>,
    kind: PrincipalKind,
    wanted: NameOrId<'_>,
) -> Result<Principal, Failure> {
    match kind {
        PrincipalKind::User => person(reader, wanted, |sought| user(reader, sought)).await,
        _ => of_kind(reader, kind, wanted).await,
    }
}

async fn user(reader: &VendorReader<'_>, sought: Sought<'_>) -> Result<Principal, Failure> {
    let wanted = sought.name();
    let found = of_kind(reader, PrincipalKind::User, wanted).await;
    found.map_err(|failure| by_address(wanted, failure))
}

/// What is said of an address that nobody has: the bridge need not show any.
fn by_address(wanted: NameOrId<'_>, failure: Failure) -> Failure {
    match failure.kind {
        Kind::Invalid if wanted.sought().contains('@') => failure.hint(
            "CentraSite may know nobody by an address: give the user's id, DOMAIN\\user, or give \
             the address an alias under [people] in the configuration",
        ),
        _ => failure,
    }
}

async fn of_kind(
    reader: &VendorReader<'_>,
    kind: PrincipalKind,
    wanted: NameOrId<'_>,
) -> Result<Principal, Failure> {
    let query = PRINCIPALS.ask(&[])?.with("kind", kind.as_str());
    find::<Principals>(reader, kind.as_str(), wanted, &query, |found| found.kind == kind).await
}

/// Among all there are where they are few. Otherwise narrowed by the bridge first, by what all that
/// looks like the name has in common; whether its `query` looks at ids is the operator's affair, so a
/// miss is looked up in the whole list.
async fn find<A: Answer>(
    reader: &VendorReader<'_>,
    what: &str,
    wanted: NameOrId<'_>,
    query: &Query,
    keep: impl Fn(&A::Row) -> bool,
) -> Result<A::Row, Failure> {
    let pages = |from| page::<A>(reader, query, from);
    let few = paginate(ListPosition::default(), FEW, |_| true, pages).await?;
    if few.next.is_none() {
        let mut few = few.complete()?;
        few.retain(&keep);
        return pick(what, wanted, few);
    }
    let part = text::plain_part(wanted.sought());
    let narrowed = list::<A>(reader, &query.clone().maybe("query", part), &keep).await?;
    match pick(what, wanted, narrowed) {
        // It may be an id, or the name that is meant may be spelled otherwise.
        Err(failure) if failure.kind == Kind::Invalid => {
            pick(what, wanted, list::<A>(reader, query, &keep).await?)
        }
        picked => picked,
    }
}

async fn list<A: Answer>(
    reader: &VendorReader<'_>,
    query: &Query,
    keep: &impl Fn(&A::Row) -> bool,
) -> Result<Vec<A::Row>, Failure> {
    let all =
        paginate(ListPosition::default(), usize::MAX, keep, |from| page::<A>(reader, query, from));
    all.await?.complete()
}

async fn page<A: Answer>(
    reader: &VendorReader<'_>,
    query: &Query,
    from: Option<String>,
) -> Result<Page<A::Row>, Failure> {
    let offset = offset(from.as_deref());
    let query = query.clone().with("limit", PAGE).with("offset", offset);
    let (rows, total) = reader.read::<A>(&query).await?.rows();
    let next = next(offset, rows.len(), total);
    Page::at_offset(rows, next, total.map(|total| total as u64))
}

fn offset(from: Option<&str>) -> usize {
    from.and_then(|from| from.parse().ok()).unwrap_or(0)
}

/// Names users and groups that are known by id, as far as the first pages of the list know them:
/// names are a courtesy, and their lack is no failure.
pub async fn name(reader: &VendorReader<'_>, nameless: Vec<&mut Named>) {
    let Ok(query) = PRINCIPALS.ask(&[]) else { return };
    if nameless.is_empty() {
        return;
    }
    let among = |found: &Principal| nameless.iter().any(|named| is(named, found));
    let few = |from: Option<String>| async {
        let last = offset(from.as_deref()) >= (NAME_PAGES - 1) * PAGE;
        let page = page::<Principals>(reader, &query, from).await?;
        Ok(if last { Page { next: None, ..page } } else { page })
    };
    let Ok(found) = paginate(ListPosition::default(), usize::MAX, among, few).await else { return };
    for named in nameless {
        let known = found.rows.iter().find(|found| is(named, found));
        if let Some(known) = known {
            *named = known.named();
        }
    }
}

/// Whether it is the group that everybody is in.
pub fn is_everyone(group: &Named) -> bool {
    let names = [Some(group.id.as_str()), group.name.as_deref()];
    let is = |name: &str| text::look_alike(name, EVERYONE);
    group.kind.as_deref() == Some("group") && names.into_iter().flatten().any(is)
}

fn is(named: &Named, found: &Principal) -> bool {
    named.id == found.id && named.kind.as_deref() == Some(found.kind.as_str())
}

/// What is set on an asset now.
///
/// # Errors
/// As any read.
pub async fn permissions(reader: &VendorReader<'_>, asset: &str) -> Result<Permissions, Failure> {
    reader.read(&PERMISSIONS.ask(&[("id", asset)])?).await
}

/// Without a total only an empty page is the end: a bridge may send fewer rows than were asked for.
fn next(offset: usize, count: usize, total: Option<usize>) -> Option<u64> {
    let after = offset + count;
    let more = total.map_or(count > 0, |total| after < total);
    more.then_some(after as u64)
}

impl Asset {
    fn into_resource(self) -> Resource {
        let told_type = self.told_type.as_ref().and_then(Value::as_str).map(str::to_owned);
        Resource { told_type, ..Resource::new("asset", self.id, self.name) }
    }
}

impl Listed {
    fn into_principal(self) -> Principal {
        Principal { kind: self.kind, ..Principal::user(self.id, self.name, self.email) }
    }
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "View",
            Self::Modify => "Modify",
            Self::Full => "Full",
        }
    }

    pub fn role(self) -> Role {
        let name = Some(self.as_str().to_owned());
        let id = self.as_str().to_owned();
        let (permissions, ingredients) = (Vec::new(), Vec::new());
        Role { id, name, privileged: false, description: None, permissions, ingredients }
    }
}

impl Permissions {
    /// The version as text: the bridge may give a string or an integer.
    pub fn version(&self) -> Option<String> {
        match &self.version {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_text_or_a_number_and_anything_else_is_none() {
        for (version, text) in [
            (Value::from("W/7"), Some("W/7")),
            (Value::from(7), Some("7")),
            (Value::Null, None),
            (Value::from(true), None),
        ] {
            let permissions = Permissions { version: version.clone(), permissions: Vec::new() };
            assert_eq!(permissions.version().as_deref(), text, "{version}");
        }
        assert!(Level::Full > Level::Modify && Level::Modify > Level::View);
    }

    #[test]
    fn a_list_ends_at_its_total_or_with_an_empty_page() {
        for (offset, count, total, expected) in [
            (0, 100, Some(240), Some(100)),
            (200, 40, Some(240), None),
            (0, 0, Some(10), Some(0)),
            (0, 0, None, None),
            (0, 25, None, Some(25)),
            (25, 100, None, Some(125)),
            (125, 0, None, None),
        ] {
            assert_eq!(next(offset, count, total), expected, "{offset} {count} {total:?}");
        }
    }
}
