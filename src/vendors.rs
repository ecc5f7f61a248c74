//! The vendors: one folder entry each, told apart only by the data they register here.
//!
//! A [`Vendor`] says how it is configured, how to look things up and what its permissions are
//! called; it knows nothing of MCP and nothing of the road a change takes. Adding one is one file
//! and one line in [`VENDORS`].

pub mod centrasite;
pub mod dfns;
mod fan_out;
mod listing;
pub mod organization;
pub mod outsystems;
pub mod people;
mod pick;
pub mod redox;
mod role_filter;
pub mod snaplogic;
mod tenant;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;

pub use listing::{ListPosition, Listing, Page, Row, paginate};
pub use organization::{Customers, Organization, Same};
pub use people::{Notes, People};
pub use pick::{Known, NameOrId, offering, pick};
pub use role_filter::{RoleFilter, access, roles};
pub use tenant::{Tenant, TenantId};

use crate::access::{Access, Named, Principal, PrincipalKind, Resource, Role};
use crate::cache::{Cache, Shared};
use crate::draft::Query;
use crate::failure::{Failure, Kind};
use crate::outbound::{Account, Deadline, Reply, Wire};
use crate::settings::Settings;
pub use crate::settings::{Need, Variable};
use crate::text;

/// What is said of a role that is privileged because nobody can tell that it is not.
const UNSHOWN: &str = "its permissions are not shown, so it counts as privileged";

/// Every vendor, in the order users see them.
pub const VENDORS: &[&Vendor] =
    &[&outsystems::VENDOR, &dfns::VENDOR, &redox::VENDOR, &snaplogic::VENDOR, &centrasite::VENDOR];

/// What is true of a vendor before anyone configures it.
///
/// `connect` is called once for each tenant, reads settings and sends nothing. The look-ups are called from
/// several tasks at once, with a [`VendorReader`] that belongs to one call: they page to the end or say that
/// they did not (a [`Listing`]'s `problem`), and leave out no row that they cannot read. `access` gives rows only for
/// what it read: a person whose access is not listed has none that was seen.
pub struct Vendor {
    /// The word for it in arguments, configuration and answers.
    pub name: &'static str,
    pub title: &'static str,
    pub variables: &'static [Variable],
    /// How its customers are told apart.
    pub customers: Customers,
    /// Whether it says of a role which permissions it contains.
    pub tells_permissions: bool,
    /// Those that a call names itself, in place of a role: rules are told them, and no others.
    pub named_permissions: &'static [&'static str],
    /// Whether the ids of people are their addresses.
    pub ids_are_addresses: bool,
    /// Tables of its section of the configuration file, beside its settings.
    pub tables: &'static [Tabled],
    /// The kinds of principal, and of resource, that it has.
    pub principal_kinds: &'static [&'static str],
    pub resource_kinds: &'static [&'static str],
    /// Base URL and credential from the settings, or what is wrong with them.
    pub connect: fn(&Settings) -> Result<Account, Vec<String>>,
    pub roles: Lookup<Find, Role>,
    pub principals: Lookup<Find, Principal>,
    /// Who somebody is whom a look names.
    pub person:
        for<'a> fn(&'a VendorReader<'a>, &'a str) -> BoxFuture<'a, Result<Principal, Failure>>,
    pub resources: Lookup<Find, Resource>,
    pub access: Lookup<Reach, Access>,
    /// Questions that `grantor doctor` asks, each with the permission it needs.
    pub checks: &'static [Check],
}

/// A question to a vendor, with its type erased.
pub type Lookup<Q, T> =
    for<'a> fn(&'a VendorReader<'a>, Q) -> BoxFuture<'a, Result<Listing<T>, Failure>>;

/// A table of a vendor's section, and what is wrong with one.
pub struct Tabled {
    pub name: &'static str,
    pub check: fn(&toml::Table) -> Result<(), String>,
}

/// A read that shows whether the credential may do something.
pub struct Check {
    /// What is looked at, and the permission it takes in the vendor's words.
    pub permission: &'static str,
    /// What is lost where the credential may not do it and all else works; `None` where it must.
    pub without: Option<&'static str>,
    pub query: fn(&Tenant) -> Result<Query, Failure>,
}

/// How a question ended.
pub type Read = Result<Arc<Reply>, Failure>;

/// A longer reply is not kept for others.
const LONGEST: usize = 64 * 1024;

/// Asks one tenant questions on behalf of one call.
pub struct VendorReader<'a> {
    pub tenant: &'a Tenant,
    pub wire: &'a Wire,
    pub deadline: Deadline,
    /// Answers that need not be read again.
    pub cache: Option<&'a Cache<Read>>,
    /// Rows that the vendor showed before a change, where that change is looked at again: what it
    /// listed then counts as listed, though nobody may hold it any more.
    pub earlier: &'a [Access],
    /// What is said of aliases that were used, where somebody is to hear of it.
    pub notes: Option<&'a Notes>,
}

/// What to look for in a list.
#[derive(Clone, Debug)]
pub struct Find {
    /// Part of a name or an address, letter case aside.
    pub query: Option<String>,
    /// The vendor's word for a kind of principal or resource.
    pub kind: Option<String>,
    pub from: ListPosition,
    pub limit: usize,
}

/// Whose access is looked for.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Whom a caller means: an id, an exact name, an address.
    Named(String),
    /// Who has this id and kind, and nobody else: no name, alias or namesake stands for them.
    Exactly(Named),
}

impl Whom {
    fn name(&self) -> NameOrId<'_> {
        match self {
            Self::Named(text) => NameOrId::named(text),
            Self::Exactly(one) => NameOrId::Id(&one.id),
        }
    }

    /// Whether somebody of this kind may be meant.
    fn may_be(&self, kind: PrincipalKind) -> bool {
        match self {
            Self::Named(_) => true,
            Self::Exactly(one) => one.kind.as_deref().is_none_or(|own| own == kind.as_str()),
        }
    }
}

/// Whose access to look for, each an id or an exact name; all there is, where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    pub principal: Option<Whom>,
    pub role: Option<String>,
    pub resource: Option<String>,
    pub roles: RoleFilter,
    pub from: ListPosition,
    pub limit: usize,
}

impl Variable {
    pub const fn required(name: &'static str, help: &'static str) -> Self {
        Self { name, secret: false, need: Need::Required, help }
    }

    pub const fn optional(name: &'static str, help: &'static str) -> Self {
        Self { name, secret: false, need: Need::Optional, help }
    }

    pub const fn or(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, secret: false, need: Need::Default(default), help }
    }

    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

impl Shared for Read {
    fn lasts(&self) -> bool {
        self.as_ref().is_ok_and(|reply| reply.body.len() <= LONGEST)
    }
}

impl VendorReader<'_> {
    /// What an argument is known to be: a change that is looked at again is told in ids alone.
    pub fn reference<'n>(&self, text: &'n str) -> NameOrId<'n> {
        if self.earlier.is_empty() { NameOrId::named(text) } else { NameOrId::Id(text) }
    }

    /// # Errors
    /// Every way a read can fail, with the vendor's permission named where that is the trouble.
    pub async fn reply(&self, query: &Query) -> Read {
        let Some(cache) = self.cache else { return self.fresh(query).await.map(Arc::new) };
        let key = format!("{} {}", self.tenant.id.key(), query.shown());
        let fresh = async { self.fresh(query).await.map(Arc::new) };
        cache.answer(key, fresh).await
    }

    async fn fresh(&self, query: &Query) -> Result<Reply, Failure> {
        let (account, wire) = (&self.tenant.account, self.wire);
        let reply = crate::outbound::read(account, wire, query, self.deadline).await;
        reply.map_err(|failure| match query.needs() {
            Some(needs) if failure.status == Some(403) => {
                failure.hint(format!("the credential needs {needs}"))
            }
            _ => failure,
        })
    }

    /// # Errors
    /// As [`Self::reply`], and an answer of another shape than documented.
    pub async fn read<T: DeserializeOwned>(&self, query: &Query) -> Result<T, Failure> {
        self.reply(query).await?.json()
    }

    /// The answer, or `None` where the vendor says it knows no such thing.
    ///
    /// # Errors
    /// As [`Self::read`], `NotFound` excepted.
    pub async fn read_maybe<T: DeserializeOwned>(
        &self,
        query: &Query,
    ) -> Result<Option<T>, Failure> {
        match self.read(query).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.kind == Kind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

impl Find {
    /// Everything there is.
    pub fn all() -> Self {
        Self { query: None, kind: None, from: ListPosition::default(), limit: usize::MAX }
    }

    /// Everything whose name contains `query`.
    pub fn matching(query: &str) -> Self {
        Self { query: Some(query.to_owned()), ..Self::all() }
    }

    /// What a vendor is asked for: blanks around it come with what is pasted.
    pub fn asked(&self) -> Option<&str> {
        self.query.as_deref().map(str::trim)
    }

    /// The query for a vendor that compares letters: what may be written in several ways is looked for
    /// by its plain part, and is to be compared here.
    pub fn plain(&self) -> Option<&str> {
        let query = self.asked()?;
        let is_one = query.is_ascii() && !query.contains(char::is_whitespace);
        if is_one { Some(query) } else { text::plain_part(query) }
    }

    /// Whether a name contains the query, or what looks like it, letter case aside.
    pub fn fits(&self, names: &[&str]) -> bool {
        let Some(query) = &self.query else { return true };
        names.iter().any(|name| text::finds(name, query.trim()))
    }

    /// Whether this kind is looked for.
    pub fn wants(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|wanted| wanted == kind)
    }
}

/// What a name given to a look means, where one is given; a trouble is told by that look's name for it.
async fn maybe<'w, T, Found: Future<Output = Result<T, Failure>>>(
    wanted: &'w Option<String>,
    argument: &str,
    find: impl FnOnce(NameOrId<'w>) -> Found,
) -> Result<Option<T>, Failure> {
    match wanted {
        Some(wanted) => match find(NameOrId::named(wanted)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) => Err(failure.renamed(argument)),
        },
        None => Ok(None),
    }
}

/// Who is meant, where somebody is.
async fn maybe_whom<'w, T, Found: Future<Output = Result<T, Failure>>>(
    wanted: &'w Option<Whom>,
    find: impl FnOnce(NameOrId<'w>) -> Found,
) -> Result<Option<T>, Failure> {
    let Some(wanted) = wanted else { return Ok(None) };
    let found = find(wanted.name()).await;
    found.map(Some).map_err(|failure| failure.renamed("principal"))
}

pub fn named(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name).copied()
}
