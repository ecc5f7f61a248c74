//! Redox Platform API: organization and environment role assignments.
//!
//! <https://docs.redoxengine.com/api-reference/platform-api-reference/>

mod access;
pub mod roles;

use std::cmp::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::people::{Somebody, person_among};
use super::{Check, Find, Listing, NameOrId, Tabled, Variable, Vendor, VendorReader, pick};
use crate::access::{Access, Named, Principal, Resource};
use crate::draft::{Base, Endpoint, Source, Verb};
use crate::failure::{Failure, Kind};
use crate::outbound::auth::{Fetched, JwtAssertion};
use crate::outbound::{Account, Pace, Reply};
use crate::settings::{Settings, all};

pub const NAME: &str = "redox";

pub static VENDOR: Vendor = Vendor {
    name: NAME,
    title: "Redox",
    tells_permissions: false,
    named_permissions: &[],
    ids_are_addresses: false,
    variables: &[
        Variable::or("REDOX_API_URL", "https://api.redoxengine.com", "the API host"),
        Variable::optional("REDOX_TOKEN_URL", "default {REDOX_API_URL}/v2/auth/token"),
        Variable::optional("REDOX_TOKEN_AUDIENCE", "default the token URL"),
        Variable::required("REDOX_CLIENT_ID", "the user-level API key's client id"),
        Variable::required("REDOX_KEY_ID", "the `kid` of its registered public key"),
        Variable::required("REDOX_PRIVATE_KEY", "its RSA private key, PEM or JWK").secret(),
        Variable::optional(ORGANIZATION, "the organization where a call names none"),
    ],
    customers: super::Customers::Named { setting: Some(ORGANIZATION), claims: &[], in_path: false },
    tables: &[Tabled { name: roles::TABLE, check: |table| roles::configured(table).map(|_| ()) }],
    principal_kinds: &["user"],
    resource_kinds: &["organization", "environment"],
    connect,
    roles: |reader, find| Box::pin(roles::list(reader, find)) as BoxFuture<_>,
    principals: |reader, find| Box::pin(principals(reader, find)) as BoxFuture<_>,
    person: |reader, name| Box::pin(person_of(reader, name)) as BoxFuture<_>,
    resources: |reader, find| Box::pin(resources(reader, find)) as BoxFuture<_>,
    access: |reader, reach| Box::pin(access::list(reader, reach)) as BoxFuture<_>,
    checks: &[Check {
        permission: "organization members (organization owner or admin)",
        without: None,
        query: |tenant| {
            let organization = tenant.settings.get(ORGANIZATION).ok_or_else(|| {
                Failure::new(Kind::NotListable, format!("{ORGANIZATION} is not set"))
            })?;
            MEMBERS.ask(&[("organizationId", organization)])
        },
    }],
};

pub const ORGANIZATION: &str = "REDOX_ORGANIZATION_ID";
/// Environments whose members one call reads.
const ENVIRONMENTS_READ: usize = 60;
/// The organization role that may change the others.
const OWNER: &str = "owner";
/// The one that manages invitations, and everybody's role in every environment.
const ADMIN: &str = "admin";
/// The one that manages nobody.
const MEMBER: &str = "member";

/// What reading role assignments takes.
const READERS: &str = "organization owner or admin";
const MEMBERS: Source = Source {
    path: "/platform/v1/organizations/{organizationId}/role-assignment",
    needs: READERS,
    docs: "Get organization role assignments",
};

const ENVIRONMENTS: Source = Source {
    path: "/platform/v1/organizations/{organizationId}/environments",
    needs: "",
    docs: "Get environments",
};
const ENVIRONMENT_MEMBERS: Source = Source {
    path: "/platform/v1/environments/{environmentId}/role-assignment",
    needs: READERS,
    docs: "Get environment role assignments",
};

/// Replaces a member's organization role.
pub const ASSIGN: Endpoint = Endpoint {
    verb: Verb::Put,
    path: "/platform/v1/organizations/{organizationId}/role-assignment",
    docs: "Assign organization role",
};

/// Gives a user their first role in an environment.
pub const ASSIGN_ENVIRONMENT: Endpoint = Endpoint {
    verb: Verb::Post,
    path: "/platform/v1/environments/{environmentId}/role-assignment",
    docs: "Assign environment role",
};

/// Replaces a user's role in an environment.
pub const UPDATE_ENVIRONMENT: Endpoint = Endpoint {
    verb: Verb::Put,
    path: "/platform/v1/environments/{environmentId}/role-assignment",
    docs: "Update environment role assignment",
};

/// Takes a user's role in an environment away; the user is named in the body.
pub const REMOVE_ENVIRONMENT: Endpoint = Endpoint {
    verb: Verb::Delete,
    path: "/platform/v1/environments/{environmentId}/role-assignment",
    docs: "Delete environment role assignment",
};

/// Something with an id.
pub trait Identified {
    fn id(&self) -> &str;
}

impl Identified for Listed {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Member {
    fn id(&self) -> &str {
        &self.id
    }
}

/// One member and the one role they hold.
#[derive(Clone, Debug, Deserialize)]
pub struct Membership {
    pub role: Listed,
    pub user: Member,
}

/// A role as Redox lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Listed {
    #[serde(deserialize_with = "string_or_number")]
    pub id: String,
    pub name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Member {
    #[serde(deserialize_with = "string_or_number")]
    pub id: String,
    pub fullname: Option<String>,
    #[serde(rename = "lowercaseEmail")]
    pub email: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    payload: T,
    meta: Option<Value>,
}

impl<T> Envelope<T> {
    /// All of a list. No document says that these come in pages; one that says of itself that it goes
    /// on is not taken for the whole.
    fn whole(self) -> Result<T, Failure> {
        let next = self.meta.as_ref().and_then(|meta| meta.pointer("/page/links/next"));
        if next.is_some_and(|next| !next.is_null()) {
            return Err(Failure::new(
                Kind::Incomplete,
                "a page of the list is missing: Redox says that it goes on, and not how",
            ));
        }
        Ok(self.payload)
    }
}

#[derive(Deserialize)]
struct Memberships {
    memberships: Vec<Membership>,
}

#[derive(Deserialize)]
struct Environments {
    environments: Vec<Listed>,
}

#[derive(Deserialize)]
struct Success {
    success: bool,
}

fn connect(settings: &Settings) -> Result<Account, Vec<String>> {
    let base = settings.url("REDOX_API_URL");
    let token_url = settings.url_maybe("REDOX_TOKEN_URL");
    let client_id = settings.text("REDOX_CLIENT_ID");
    let key_id = settings.text("REDOX_KEY_ID");
    let private_key = settings.secret("REDOX_PRIVATE_KEY");
    let audience = settings.get("REDOX_TOKEN_AUDIENCE").map(str::to_owned);
    let parts = (base, token_url, client_id, key_id, private_key);
    all(parts).map(|(base, token_url, client_id, key_id, private_key)| {
        let token_url = token_url.unwrap_or_else(|| base.below("/v2/auth/token"));
        let audience = audience.unwrap_or_else(|| Base::as_str(&token_url).to_owned());
        let authorize = JwtAssertion::new(token_url, audience, client_id, key_id, private_key);
        let authorize = Box::new(Fetched::new(authorize));
        // 7,500 in five minutes for each address.
        Account { base, authorize, pace: Pace::of(7_500, 5 * Duration::from_mins(1)) }
    })
}

/// Members of the configured organization whose name or address contains the query.
async fn principals(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Principal>, Failure> {
    let members = members(reader, configured_organization(reader)?).await?;
    let fits = |user: &Member| {
        let names =
            [user.fullname.as_deref(), user.email.as_deref()].map(Option::unwrap_or_default);
        find.wants("user") && find.fits(&names)
    };
    let users = members.into_iter().map(|member| member.user).filter(fits);
    let rows = users.map(|user| user.principal()).collect();
    Ok(Listing::part(rows, &find.from, find.limit, None))
}

/// The configured organization, and the environments that the credential's user belongs to.
async fn resources(reader: &VendorReader<'_>, find: Find) -> Result<Listing<Resource>, Failure> {
    let organization = configured_organization(reader)?;
    let mut rows = vec![Resource::new("organization", organization, None)];
    rows.extend(environments(reader, organization).await?);
    rows.retain(|row| {
        let names = [row.name.as_deref().unwrap_or_default(), row.id.as_str()];
        find.wants(row.kind) && find.fits(&names)
    });
    Ok(Listing::part(rows, &find.from, find.limit, None))
}

/// The environments that the credential's user belongs to: no others are listed.
///
/// # Errors
/// As any read.
pub async fn environments(
    reader: &VendorReader<'_>,
    organization: &str,
) -> Result<Vec<Resource>, Failure> {
    let query = ENVIRONMENTS.ask(&[("organizationId", organization)])?;
    let answer: Envelope<Environments> = reader.read(&query).await?;
    let resource = |listed: Listed| Resource::new("environment", listed.id, listed.name);
    Ok(answer.whole()?.environments.into_iter().map(resource).collect())
}

/// Everybody in an environment, with the role they hold there.
///
/// # Errors
/// As any read.
pub async fn environment_members(
    reader: &VendorReader<'_>,
    environment: &str,
) -> Result<Vec<Membership>, Failure> {
    let query = ENVIRONMENT_MEMBERS.ask(&[("environmentId", environment)])?;
    let answer: Envelope<Memberships> = reader.read(&query).await?;
    Ok(answer.whole()?.memberships)
}

/// The organization that calls mean where they name none.
///
/// # Errors
/// None is configured.
pub fn configured_organization<'a>(reader: &VendorReader<'a>) -> Result<&'a str, Failure> {
    reader.tenant.settings.get(ORGANIZATION).ok_or_else(|| {
        Failure::new(Kind::NotListable, format!("{ORGANIZATION} is not set"))
            .hint("set it to the organization's id")
    })
}

/// Everybody in the organization, with the role they hold.
///
/// # Errors
/// As any read.
pub async fn members(
    reader: &VendorReader<'_>,
    organization: &str,
) -> Result<Vec<Membership>, Failure> {
    let query = MEMBERS.ask(&[("organizationId", organization)])?;
    let answer: Envelope<Memberships> = reader.read(&query).await?;
    Ok(answer.whole()?.memberships)
}

/// The environment with this id or exact name. One that is not listed, because the credential's
/// user does not belong to it, is taken by its id.
///
/// # Errors
/// None or several match.
pub async fn environment(
    reader: &VendorReader<'_>,
    wanted: NameOrId<'_>,
) -> Result<Resource, Failure> {
    let text = wanted.as_str();
    let unlisted = || Resource::new("environment", text, None);
    let Some(organization) = reader.tenant.settings.get(ORGANIZATION) else {
        return Ok(unlisted());
    };
    let listed = environments(reader, organization).await;
    if matches!(wanted, NameOrId::Named(_)) && !crate::argument::is_uuid(text) {
        return pick("environmentId", wanted, listed?);
    }
    // An id is enough: what the list adds is the name.
    let mut known = listed.unwrap_or_default().into_iter();
    let own = known.find(|place| place.id.eq_ignore_ascii_case(text));
    Ok(own.unwrap_or_else(unlisted))
}

/// Who may be given an environment role: those who have one there, and the organization's members;
/// where those cannot be asked for, whoever the vendor showed before.
///
/// # Errors
/// As any read.
pub async fn people(
    reader: &VendorReader<'_>,
    there: &[Membership],
) -> Result<Vec<Membership>, Failure> {
    let mut people = there.to_vec();
    match reader.tenant.settings.get(ORGANIZATION) {
        Some(organization) => people.extend(members(reader, organization).await?),
        None => people.extend(reader.earlier.iter().map(Membership::of)),
    }
    Ok(people)
}

/// The member with this id, e-mail address or exact name.
///
/// # Errors
/// None or several match.
pub fn member(
    reader: &VendorReader<'_>,
    wanted: NameOrId<'_>,
    members: &[Membership],
) -> Result<Member, Failure> {
    person_among(reader, wanted, |sought| member_of(sought.name(), members))
}

async fn person_of(reader: &VendorReader<'_>, name: &str) -> Result<Principal, Failure> {
    let members = members(reader, configured_organization(reader)?).await?;
    Ok(member(reader, NameOrId::named(name), &members)?.principal())
}

fn member_of(wanted: NameOrId<'_>, members: &[Membership]) -> Result<Member, Failure> {
    let mut people: Vec<Principal> = Vec::new();
    for Membership { user, .. } in members {
        if !people.iter().any(|known| known.id == user.id) {
            people.push(user.principal());
        }
    }
    let picked = pick("user", wanted, people)
        .map_err(|failure| failure.or_hint("people are invited in the Redox dashboard first"))?;
    Ok(Member { id: picked.id, fullname: picked.name, email: picked.email })
}

/// What a write's answer says: 200 with `success: false` is a no.
///
/// # Errors
/// The answer has another shape than documented.
pub fn succeeded(reply: &Reply) -> Result<bool, Failure> {
    reply.json::<Envelope<Success>>().map(|answer| answer.payload.success)
}

impl Membership {
    /// As the ledger keeps it.
    fn of(row: &Access) -> Self {
        let Access { principal, role, .. } = row.clone();
        Self {
            role: Listed { id: role.id, name: role.name },
            user: Member { id: principal.id, fullname: principal.name, email: principal.email },
        }
    }
}

impl Listed {
    pub fn named(&self) -> Named {
        Named { id: self.id.clone(), name: self.name.clone(), kind: None, email: None }
    }

    /// What its holder may do to others' access in an organization; nothing but its name tells.
    pub fn rank(&self) -> Rank {
        Rank::of(self.name.as_deref())
    }

    pub fn is_owner(&self) -> bool {
        self.rank() == Rank::Owner
    }
}

/// What an organization role lets its holder do to others' access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    Owner,
    Admin,
    /// It manages nobody, as far as the documents say.
    Member,
    /// A role of another name.
    Other,
    /// It has no name that could be read.
    Unnamed,
}

impl Rank {
    pub fn of(name: Option<&str>) -> Self {
        let letters = |c: &char| c.is_alphanumeric();
        let name: String =
            name.unwrap_or_default().chars().filter(letters).flat_map(char::to_lowercase).collect();
        let bare = ["organization", "org"].iter().find_map(|of| name.strip_prefix(of));
        match bare.unwrap_or(&name) {
            "" => Self::Unnamed,
            OWNER => Self::Owner,
            ADMIN | "administrator" => Self::Admin,
            MEMBER => Self::Member,
            _ => Self::Other,
        }
    }

    /// Why a grant of such a role is one of privilege, where it is.
    pub fn privilege(self) -> Option<&'static str> {
        match self {
            Self::Owner => Some("an owner may change everybody's role"),
            Self::Admin => {
                Some("an admin invites people, and manages everybody's environment roles")
            }
            Self::Unnamed => {
                Some("the role has no name, so it may be the owner's, and counts as privileged")
            }
            Self::Member | Self::Other => None,
        }
    }

    /// Which of two lets its holder do more, where the documents say.
    pub fn against(self, other: Self) -> Option<Ordering> {
        let place = |rank| match rank {
            Self::Owner => Some(2),
            Self::Admin => Some(1),
            Self::Member => Some(0),
            Self::Other | Self::Unnamed => None,
        };
        Some(place(self)?.cmp(&place(other)?))
    }
}

impl Somebody for Member {
    fn named(&self) -> Named {
        self.principal().named()
    }
}

impl Member {
    pub fn principal(&self) -> Principal {
        Principal::user(&self.id, self.fullname.clone(), self.email.clone())
    }
}

/// The examples show ids as strings in some places and as numbers in others.
fn string_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("an id that is neither text nor a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_manages_others_is_told_by_the_name_of_the_role() {
        for (name, rank, privileged) in [
            (Some("owner"), Rank::Owner, true),
            (Some(" Owner "), Rank::Owner, true),
            (Some("admin"), Rank::Admin, true),
            (Some("ADMIN"), Rank::Admin, true),
            (Some("Ad min\u{200b}"), Rank::Admin, true),
            (Some("Administrator"), Rank::Admin, true),
            (Some("Organization Owner"), Rank::Owner, true),
            (Some("org-admin"), Rank::Admin, true),
            (Some("owner's assistant"), Rank::Other, false),
            (Some("member"), Rank::Member, false),
            (Some("auditor"), Rank::Other, false),
            (Some(" \u{200b}"), Rank::Unnamed, true),
            (Some(""), Rank::Unnamed, true),
            (None, Rank::Unnamed, true),
        ] {
            assert_eq!(Rank::of(name), rank, "{name:?}");
            assert_eq!(rank.privilege().is_some(), privileged, "{name:?}");
        }
    }

    #[test]
    fn ranks_are_compared_where_the_documents_say_what_they_are() {
        use Ordering::{Equal, Greater, Less};
        for (one, other, ordering) in [
            (Rank::Owner, Rank::Admin, Some(Greater)),
            (Rank::Member, Rank::Admin, Some(Less)),
            (Rank::Admin, Rank::Admin, Some(Equal)),
            (Rank::Other, Rank::Member, None),
            (Rank::Owner, Rank::Unnamed, None),
        ] {
            assert_eq!(one.against(other), ordering);
        }
    }

    /// Each holder brings their role once more, and each place its holders.
    #[test]
    fn a_member_is_one_however_often_they_are_listed() {
        let membership = |id: Value, name: &str, email: Value| -> Membership {
            serde_json::from_value(serde_json::json!({
                "role": { "id": "r-1", "name": "member" },
                "user": { "id": id, "fullname": name, "lowercaseEmail": email },
            }))
            .unwrap()
        };
        let all = [
            membership(7.into(), "Marta Lindqvist", "marta@example.com".into()),
            membership("7".into(), "Marta Lindqvist", "marta@example.com".into()),
            membership("8".into(), "Olga", Value::Null),
            membership("9".into(), "Olga", "olga@example.com".into()),
        ];
        for (wanted, found) in [
            ("Marta Lindqvist", Ok("7")),
            ("MARTA@example.com", Ok("7")),
            ("7", Ok("7")),
            ("olga@example.com", Ok("9")),
            ("Olga", Err((Kind::Ambiguous, 2))),
            ("Marta", Err((Kind::Invalid, 1))),
            ("Tomas", Err((Kind::Invalid, 3))),
        ] {
            let picked = member_of(NameOrId::Named(wanted), &all);
            let picked = picked.as_ref().map(|one| one.id.as_str());
            assert_eq!(
                picked.map_err(|failure| (failure.kind, failure.candidates.len())),
                found,
                "{wanted}"
            );
        }
        let roles: Vec<_> = all.iter().map(|one| one.role.clone()).collect();
        assert_eq!(roles::pick_listed(NameOrId::Named("member"), &roles).unwrap().id, "r-1");
        let failure = roles::pick_listed(NameOrId::Named("owner"), &roles).unwrap_err();
        assert!(failure.hint.unwrap().contains("[redox.roles]"));
    }

    #[test]
    fn a_list_that_says_that_it_goes_on_is_not_taken_for_the_whole() {
        for (meta, whole) in [
            (r#"{"version":"1.0.0"}"#, true),
            ("null", true),
            (r#"{"page":{"links":{"next":null}}}"#, true),
            (r#"{"page":{"links":{"next":"/v1?_page=2"}}}"#, false),
        ] {
            let answer = format!(r#"{{"meta":{meta},"payload":{{"memberships":[]}}}}"#);
            let answer: Envelope<Memberships> = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer.whole().is_ok(), whole, "{meta}");
        }
    }

    #[test]
    fn ids_come_as_text_or_as_numbers() {
        for (json, id) in [(r#"{"id":"7","name":"x"}"#, "7"), (r#"{"id":7,"name":null}"#, "7")] {
            assert_eq!(serde_json::from_str::<Listed>(json).unwrap().id, id);
        }
        assert!(serde_json::from_str::<Listed>(r#"{"id":null,"name":"x"}"#).is_err());
    }
}
