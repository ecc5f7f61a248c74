//! OutSystems Developer Cloud: user and access management API v1.
//!
//! <https://success.outsystems.com/documentation/outsystems_developer_cloud/odc_rest_apis/>

mod access;
mod names;
mod privilege;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use access::row;
use names::{Names, alike};
use privilege::OrganizationRole;

use super::people::{Sought, person};
use super::{
    Check, Find, ListPosition, Listing, NameOrId, Page, Row, Variable, Vendor, VendorReader,
    paginate, pick,
};
use crate::access::{Principal, Resource, Role};
use crate::draft::{Endpoint, Query, Source, Verb};
use crate::failure::{Failure, Kind};
use crate::outbound::auth::{ClientCredentials, Fetched, TokenEndpoint};
use crate::outbound::{Account, Pace};
use crate::settings::{Settings, all};

pub const NAME: &str = "outsystems";

pub static VENDOR: Vendor = Vendor {
    name: NAME,
    title: "OutSystems ODC",
    variables: &[
        Variable::required("OUTSYSTEMS_PORTAL_URL", "the ODC portal, https://….outsystems.dev"),
        Variable::required("OUTSYSTEMS_CLIENT_ID", "the API client's id"),
        Variable::required("OUTSYSTEMS_CLIENT_SECRET", "the API client's secret").secret(),
        Variable::optional("OUTSYSTEMS_TOKEN_URL", "the token endpoint, instead of discovery"),
    ],
    customers: super::Customers::ByAddress,
    tells_permissions: true,
    named_permissions: &[],
    ids_are_addresses: false,
    tables: &[],
    principal_kinds: &["user"],
    resource_kinds: &["asset"],
    connect,
    roles: |reader, find| Box::pin(roles(reader, find)) as BoxFuture<_>,
    principals: |reader, find| Box::pin(principals(reader, find)) as BoxFuture<_>,
    person: |reader, name| Box::pin(user(reader, NameOrId::named(name))) as BoxFuture<_>,
    resources: |reader, find| Box::pin(resources(reader, find)) as BoxFuture<_>,
    access: |reader, reach| Box::pin(access::list(reader, reach)) as BoxFuture<_>,
    checks: &[
        Check {
            permission: "organization roles (any permission)",
            without: None,
            query: |_| Ok(ROLES.ask(&[])?.with("limit", 1)),
        },
        Check {
            permission: "users (User management > View members or Manage users)",
            without: None,
            query: |_| Ok(USERS.ask(&[])?.with("limit", 1)),
        },
        Check {
            permission: "assets",
            without: None,
            query: |_| Ok(ASSETS.ask(&[])?.with("limit", 1)),
        },
    ],
};

/// What reading users and their roles takes.
const MEMBERS: &str = "User management > View members, or Manage users";
const DISCOVERY: Source = Source {
    path: "/identity/.well-known/openid-configuration",
    needs: "",
    docs: "reference/apis/public-rest-apis/authentication/about-oidc-discovery-document",
};
const USERS: Source = Source { path: "/api/identity/v1/users", needs: MEMBERS, docs: IDENTITY };
const USER: Source =
    Source { path: "/api/identity/v1/users/{key}", needs: MEMBERS, docs: IDENTITY };
const ROLES: Source = Source {
    path: "/api/identity/v1/organization-roles",
    needs: "any permission of the API client",
    docs: IDENTITY,
};
const ROLE: Source = Source {
    path: "/api/identity/v1/organization-roles/{key}",
    needs: "any permission of the API client",
    docs: IDENTITY,
};
const ASSETS: Source =
    Source { path: "/api/asset-repository/v1/assets", needs: "", docs: REPOSITORY };
const ASSET: Source =
    Source { path: "/api/asset-repository/v1/assets/{assetKey}", needs: "", docs: REPOSITORY };
const ROLE_USERS: Source = Source {
    path: "/api/identity/v1/organization-roles/{key}/users",
    needs: MEMBERS,
    docs: IDENTITY,
};
const HELD: Source = Source {
    path: "/api/identity/v1/users/{key}/organization-roles",
    needs: MEMBERS,
    docs: IDENTITY,
};

/// Grants an organization role, for the assets in `assetKeys` or else for the organization.
pub const GRANT: Endpoint = Endpoint {
    verb: Verb::Post,
    path: "/api/identity/v1/users/{key}/organization-roles/{roleKey}",
    docs: "Manage asset permissions",
};

/// Takes an organization role away for the assets in `assetKeys`; the body must arrive.
pub const REVOKE: Endpoint = Endpoint {
    verb: Verb::Delete,
    path: "/api/identity/v1/users/{key}/organization-roles/{roleKey}",
    docs: IDENTITY,
};

const IDENTITY: &str = "User and Access Management API v1";
const REPOSITORY: &str = "Asset repository API v1";
/// The page size every list of both APIs allows.
const PAGE: u64 = 100;
/// As many as are read whole to see whether something looks like a name: less than a page.
const FEW: usize = 99;

/// One organization role that a user holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldRole {
    pub key: String,
    pub name: Option<String>,
    pub grant_period: Option<GrantPeriod>,
    /// `None` is organization scope.
    pub asset_key: Option<String>,
    pub portfolio_key: Option<String>,
}

/// When a role starts and ends by itself, in UTC.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantPeriod {
    pub start_time: Option<String>,
    pub end_time: Option<String>,
}

/// Both may be null, whatever the list; an answer without `results` is none of the vendor's.
#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(bound(deserialize = "T: Deserialize<'de>"), deserialize_with = "nullable")]
    results: Option<Vec<T>>,
    page: Option<PageInfo>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    count: Option<u64>,
    next_page_offset: Option<u64>,
    total_results: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    key: String,
    name: Option<String>,
    email: Option<String>,
    is_active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    asset_key: String,
    name: Option<String>,
    /// For people alone: a list is whole whatever it is.
    asset_type: Option<Value>,
}

/// There, though it may be null.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Option::deserialize(deserializer)
}

fn connect(settings: &Settings) -> Result<Account, Vec<String>> {
    let base = settings.url("OUTSYSTEMS_PORTAL_URL");
    let token = settings.url_maybe("OUTSYSTEMS_TOKEN_URL");
    let secret = settings.secret("OUTSYSTEMS_CLIENT_SECRET");
    let client_id = settings.text("OUTSYSTEMS_CLIENT_ID");
    all((base, token, secret, client_id)).map(|(base, token, secret, client_id)| {
        let variable = "OUTSYSTEMS_TOKEN_URL";
        let endpoint = match token {
            Some(given) => TokenEndpoint::Given(given),
            None => TokenEndpoint::Discovered { base: base.clone(), source: &DISCOVERY, variable },
        };
        let authorize = ClientCredentials::new(endpoint, client_id, secret, None);
        let authorize = Box::new(Fetched::new(authorize));
        // 100 a minute for each organization and API domain.
        Account { base, authorize, pace: Pace::of(100, Duration::from_mins(1)) }
    })
}

/// Organization roles whose name contains the query.
async fn roles(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Role>, Failure> {
    let query = ROLES.ask(&[])?.maybe("nameContains", find.plain());
    let keep = |role: &OrganizationRole| find.fits(&[role.name.as_deref().unwrap_or_default()]);
    let listing = list(reader, query, find.from.clone(), find.limit, keep).await?;
    let Listing { rows, places, next, problem, waits } = listing;
    let rows = privilege::judged(reader, rows).await;
    Ok(Listing { rows, places, next, problem, waits })
}

/// Users whose name or e-mail address contains the query.
async fn principals(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Principal>, Failure> {
    if !find.wants("user") {
        return Ok(Listing::whole(Vec::new()));
    }
    let query = USERS.ask(&[])?.maybe("nameOrEmailContains", find.plain());
    let fits = |user: &User| {
        let names = [user.name.as_deref(), user.email.as_deref()].map(Option::unwrap_or_default);
        find.fits(&names)
    };
    let listing = list(reader, query, find.from.clone(), find.limit, fits).await?;
    Ok(listing.map(User::into_principal))
}

/// Assets whose name contains the query.
async fn resources(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Resource>, Failure> {
    if !find.wants("asset") {
        return Ok(Listing::whole(Vec::new()));
    }
    let query = ASSETS.ask(&[])?.maybe("nameContains", find.plain());
    let fits = |asset: &Asset| find.fits(&[asset.name.as_deref().unwrap_or_default()]);
    let listing = list(reader, query, find.from.clone(), find.limit, fits).await?;
    Ok(listing.map(Asset::into_resource))
}

/// The organization role with this key or exact name.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn role(reader: &VendorReader<'_>, wanted: NameOrId<'_>) -> Result<Role, Failure> {
    let text = wanted.as_str();
    let among: Vec<OrganizationRole> = if is_key(text) {
        reader.read_maybe(&ROLE.ask(&[("key", text)])?).await?.into_iter().collect()
    } else {
        alike(reader, ROLES.ask(&[])?, "nameContains", text).await?
    };
    let picked = match pick("roleKey", wanted, among) {
        Err(failure) => {
            let names = Names { query: ROLES.ask(&[])?, filter: "nameContains" };
            return Err(names
                .offered(reader, failure, ("roleKey", wanted), |it: OrganizationRole| it)
                .await);
        }
        Ok(picked) => picked,
    };
    let judged = privilege::judged(reader, vec![picked]).await.pop();
    judged.ok_or_else(|| Failure::invalid("there is no such role").of("roleKey"))
}

/// The user with this key, e-mail address or exact name.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn user(reader: &VendorReader<'_>, wanted: NameOrId<'_>) -> Result<Principal, Failure> {
    person(reader, wanted, |sought| user_of(reader, sought)).await
}

async fn user_of(reader: &VendorReader<'_>, sought: Sought<'_>) -> Result<Principal, Failure> {
    let wanted = sought.name();
    let text = wanted.as_str();
    let among = if is_key(text) {
        let found: Option<User> = reader.read_maybe(&USER.ask(&[("key", text)])?).await?;
        found.into_iter().collect()
    } else if wanted.sought().contains('@') && wanted.sought().is_ascii() {
        // There is no exact filter: the vendor narrows, `pick` decides.
        let query = USERS.ask(&[])?.with("nameOrEmailContains", wanted.sought());
        list(reader, query, ListPosition::default(), usize::MAX, |_| true).await?.complete()?
    } else {
        alike(reader, USERS.ask(&[])?, "nameOrEmailContains", text).await?
    };
    match pick("userKey", wanted, among.into_iter().map(User::into_principal).collect()) {
        Err(failure) => {
            let names = Names { query: USERS.ask(&[])?, filter: "nameOrEmailContains" };
            let what = ("userKey", wanted);
            Err(names.offered(reader, failure, what, User::into_principal).await)
        }
        picked => picked,
    }
}

/// The asset with this key or exact name.
///
/// # Errors
/// None or several match, or the list cannot be read whole.
pub async fn asset(reader: &VendorReader<'_>, wanted: NameOrId<'_>) -> Result<Resource, Failure> {
    let text = wanted.as_str();
    let among: Vec<Asset> = if is_key(text) {
        let found = reader.read_maybe(&ASSET.ask(&[("assetKey", text)])?).await?;
        found.into_iter().collect()
    } else {
        alike(reader, ASSETS.ask(&[])?, "nameContains", text).await?
    };
    match pick("assetKeys", wanted, among.into_iter().map(Asset::into_resource).collect()) {
        Err(failure) => {
            let names = Names { query: ASSETS.ask(&[])?, filter: "nameContains" };
            let what = ("assetKeys", wanted);
            Err(names.offered(reader, failure, what, Asset::into_resource).await)
        }
        picked => picked,
    }
}

/// The assets with these keys or exact names, each once.
///
/// # Errors
/// None or several match one of them, or a list cannot be read whole.
pub async fn assets(
    reader: &VendorReader<'_>,
    wanted: &[NameOrId<'_>],
) -> Result<Vec<Resource>, Failure> {
    let mut found = Vec::new();
    for (index, one) in wanted.iter().enumerate() {
        let several = wanted.len() > 1;
        let named = |failure: Failure| match several {
            true => failure.renamed(&format!("assetKeys[{index}]")),
            false => failure,
        };
        found.push(asset(reader, *one).await.map_err(named));
    }
    let mut assets: Vec<Resource> = Vec::new();
    for found in Failure::every(found)? {
        if assets.iter().all(|known| known.id != found.id) {
            assets.push(found);
        }
    }
    Ok(assets)
}

/// Every organization role the user holds, of either scope.
///
/// # Errors
/// The list cannot be read whole.
pub async fn roles_of(reader: &VendorReader<'_>, user_key: &str) -> Result<Vec<HeldRole>, Failure> {
    let query = HELD.ask(&[("key", user_key)])?;
    list(reader, query, ListPosition::default(), usize::MAX, |_| true).await?.complete()
}

async fn list<T: Row + serde::de::DeserializeOwned>(
    reader: &VendorReader<'_>,
    query: Query,
    from: ListPosition,
    limit: usize,
    keep: impl Fn(&T) -> bool,
) -> Result<Listing<T>, Failure> {
    paginate(from, limit, keep, async |page: Option<String>| {
        let offset: u64 =
            page.as_deref().unwrap_or("0").parse().map_err(|_| {
                Failure::invalid("cursor: this is not a cursor of an earlier answer")
            })?;
        let query = query.clone().with("limit", PAGE).with("offset", offset);
        let Envelope { results, page } = reader.read::<Envelope<T>>(&query).await?;
        let page = page.unwrap_or_default();
        let results = match results {
            Some(results) => results,
            None if page.says_none(offset) => Vec::new(),
            None => return Err(no_rows()),
        };
        let next = next_offset(offset, results.len() as u64, &page);
        Page::at_offset(results, next, page.total_results)
    })
    .await
}

/// Where a list goes on behind `count` rows. `nextPageOffset` is optional, so its absence does not
/// prove the end, and a page may hold fewer rows than were asked for: the end is where the total
/// says, or else an empty page. A next page behind rows that nobody has seen is not taken.
fn next_offset(offset: u64, count: u64, page: &PageInfo) -> Option<u64> {
    let after = offset.saturating_add(count);
    match (page.next_page_offset, page.total_results) {
        (_, Some(total)) if after >= total => None,
        (_, None) if count == 0 => None,
        (Some(next), _) => Some(if count == 0 { next } else { next.min(after) }),
        (None, _) => Some(after),
    }
}

/// No list of rows, and no word that there are none.
fn no_rows() -> Failure {
    Failure::new(
        Kind::Incomplete,
        "OutSystems gives no list of rows, and does not say that it is empty",
    )
    .hint("try again; an empty list says so itself")
}

impl PageInfo {
    /// Whether there are no rows from there on.
    fn says_none(&self, offset: u64) -> bool {
        self.total_results.is_some_and(|total| total <= offset)
            || self.total_results.is_none()
                && self.next_page_offset.is_none()
                && self.count == Some(0)
    }
}

/// Keys are UUIDs, whose letters mean the same in either case.
pub fn same_key(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn is_key(text: &str) -> bool {
    crate::argument::is_uuid(text)
}

impl User {
    fn into_principal(self) -> Principal {
        Principal { active: self.is_active, ..Principal::user(self.key, self.name, self.email) }
    }
}

impl Asset {
    fn into_resource(self) -> Resource {
        let told_type = self.asset_type.as_ref().and_then(Value::as_str).map(str::to_owned);
        Resource { told_type, ..Resource::new("asset", self.asset_key, self.name) }
    }
}

impl Row for User {
    fn key(&self) -> Option<String> {
        Some(self.key.clone())
    }
}

impl Row for Asset {
    fn key(&self) -> Option<String> {
        Some(self.asset_key.clone())
    }
}

/// No assignment has an id: it is a role on an asset, or in the organization, in a portfolio.
impl Row for HeldRole {
    fn key(&self) -> Option<String> {
        let Self { key, asset_key, portfolio_key, .. } = self;
        Some(format!("{key} {asset_key:?} {portfolio_key:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(count: Option<u64>, next: Option<u64>, total: Option<u64>) -> PageInfo {
        PageInfo { count, next_page_offset: next, total_results: total }
    }

    #[test]
    fn the_end_of_a_list_is_found_with_and_without_the_optional_fields() {
        for (offset, count, told, total, next) in [
            (0, 100, Some(100), Some(240), Some(100)),
            (200, 40, None, Some(240), None),
            (0, 100, None, Some(240), Some(100)),
            (0, 100, Some(100), Some(100), None),
            (0, 0, Some(100), None, None),
            (0, 0, None, Some(1), Some(0)),
            (0, 0, None, Some(0), None),
            (0, 0, None, None, None),
            // A page may be shorter than what was asked for: only an empty one is the end.
            (0, 100, None, None, Some(100)),
            (0, 99, None, None, Some(99)),
            (0, 50, None, None, Some(50)),
            (50, 50, None, None, Some(100)),
            (50, 0, None, None, None),
            (0, 50, None, Some(242), Some(50)),
            // The next page is counted in what was asked for, and the page holds fewer.
            (0, 50, Some(100), None, Some(50)),
            (0, 50, Some(100), Some(242), Some(50)),
            (0, 50, Some(50), None, Some(50)),
        ] {
            let page = page(None, told, total);
            assert_eq!(next_offset(offset, count, &page), next, "{offset} {count} {total:?}");
        }
    }

    /// `results: null` is no list; whether it means that there are no rows, the page has to say.
    #[test]
    fn no_list_is_an_empty_one_where_the_page_says_so() {
        for (page, offset, none) in [
            (page(None, None, None), 0, false),
            (page(Some(0), None, None), 0, true),
            (page(Some(0), None, None), 100, true),
            (page(Some(0), Some(100), None), 0, false),
            (page(None, None, Some(0)), 0, true),
            (page(Some(0), None, Some(7)), 0, false),
            (page(Some(0), None, Some(7)), 7, true),
            (page(Some(3), None, None), 0, false),
        ] {
            assert_eq!(page.says_none(offset), none, "{offset}");
        }
        let nothing: Envelope<User> =
            serde_json::from_str(r#"{"results": null, "page": null}"#).unwrap();
        assert!(nothing.results.is_none() && nothing.page.is_none());
        assert!(serde_json::from_str::<Envelope<User>>(r#"{"page": null}"#).is_err());
    }
}
