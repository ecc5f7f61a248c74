//! Whom an argument means at one tenant: who is called so there, whom the configuration gives an alias
//! for an address, or `me`.
//!
//! There is one way from an argument to a person, `person`: a look-up of people takes what it makes, a
//! [`Sought`], so that none can pass aliases and `me` over.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Find, ListPosition, Listing, NameOrId, VendorReader};
use crate::access::{Named, Principal, PrincipalKind};
use crate::failure::{Failure, Kind};
use crate::text::{self, Word};

/// What the configuration says of people at one tenant. It is a convenience of naming: whose access a
/// change is, rules and the ledger know by the account alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Addresses in small letters, each with the account that is theirs here.
    aliases: BTreeMap<String, String>,
    /// The requester's own address.
    me: Option<String>,
}

/// What is said of each alias that was used, for whoever is asked about the change.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Vec<String>>);

/// What is to be looked for among people.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    name: NameOrId<'a>,
    /// It is the account of an alias.
    is_alias: bool,
}

/// Somebody who was found.
pub(super) trait Somebody {
    fn named(&self) -> Named;
}

/// One reading of an argument: as it is given, or as the account that an alias gives for its address.
struct Reading<'a> {
    sought: NameOrId<'a>,
    alias: Option<Alias<'a>>,
}

#[derive(Clone, Copy)]
struct Alias<'a> {
    address: &'a str,
    account: &'a str,
    /// The name that was given with the address.
    name: Option<&'a str>,
}

/// Somebody who was found, and the address of which their account is the alias.
#[derive(Debug, Serialize)]
pub struct Found {
    #[serde(flatten)]
    principal: Principal,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_of: Option<String>,
}

/// The word for the requester.
const ME: &str = "me";

impl People {
    /// Forgets who the requester is, where there are several.
    pub fn forget_me(&mut self) {
        self.me = None;
    }

    pub fn new(aliases: impl IntoIterator<Item = (String, String)>, me: Option<String>) -> Self {
        let aliases = aliases.into_iter().map(|(address, account)| (key(&address), account));
        Self { aliases: aliases.collect(), me }
    }

    /// Each address that has an alias here.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.aliases.keys().map(String::as_str)
    }

    /// Whether a text is, or ends with, an address that has an alias here.
    pub fn has_alias(&self, text: &str) -> bool {
        self.alias(text.trim()).is_some()
    }

    /// Whether somebody is the account that an address has as its alias here.
    pub fn is_account_of(&self, address: &str, whom: &Named) -> bool {
        let account = self.aliases.get(&key(address));
        account.is_some_and(|account| {
            let names = [Some(&whom.id), whom.name.as_ref(), whom.email.as_ref()];
            // As loosely as a look-up takes it, and more so: it only ever keeps somebody from approving.
            names.into_iter().flatten().any(|name| text::folded(name) == text::folded(account))
        })
    }

    /// The alias for the address that a text is, or that it ends with.
    fn alias<'a>(&'a self, text: &'a str) -> Option<Alias<'a>> {
        if self.aliases.is_empty() {
            return None;
        }
        let (name, address) = match text::with_address(text) {
            Some((name, address)) => (Some(name), address),
            None => (None, text),
        };
        let account = self.aliases.get(&key(address))?;
        Some(Alias { address, account, name })
    }

    fn reading<'a>(&'a self, given: NameOrId<'a>) -> Reading<'a> {
        let alias = match given {
            NameOrId::Id(_) => None,
            NameOrId::Named(text) => self.alias(text),
        };
        let sought = alias.map_or(given, |alias| NameOrId::named(alias.account));
        Reading { sought, alias }
    }
}

/// How addresses are compared.
fn key(address: &str) -> String {
    address.to_lowercase()
}

impl Notes {
    fn add(&self, note: String) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub fn into_all(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is meant, where asking the vendor finds them: `find` is told what to look for, once or, where
/// nobody is called `me`, twice.
///
/// # Errors
/// As `find`; where an alias is used, as about that.
pub(super) async fn person<'a, T: Somebody, Finding: Future<Output = Result<T, Failure>>>(
    reader: &'a VendorReader<'_>,
    given: NameOrId<'a>,
    find: impl Fn(Sought<'a>) -> Finding,
) -> Result<T, Failure> {
    let people = &reader.tenant.people;
    let reading = people.reading(given);
    // On the heap: two of what a look-up holds would be much for a stack.
    let found = Box::pin(find(reading.sought())).await;
    let me = match is_me(given, &found) {
        None => return reading.told(reader, found),
        Some(failure) => people.me.as_deref().ok_or_else(|| nobodys(failure))?,
    };
    let reading = people.reading(NameOrId::Named(me));
    let found = Box::pin(find(reading.sought())).await;
    reading.told(reader, found)
}

/// The same among those who were read already.
///
/// # Errors
/// As [`person`].
pub(super) fn person_among<'a, T: Somebody>(
    reader: &'a VendorReader<'_>,
    given: NameOrId<'a>,
    find: impl Fn(Sought<'a>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let people = &reader.tenant.people;
    let reading = people.reading(given);
    let found = find(reading.sought());
    let me = match is_me(given, &found) {
        None => return reading.told(reader, found),
        Some(failure) => people.me.as_deref().ok_or_else(|| nobodys(failure))?,
    };
    let reading = people.reading(NameOrId::Named(me));
    reading.told(reader, find(reading.sought()))
}

/// That nobody is called so, where the argument is the word for the requester.
fn is_me<'f, T>(given: NameOrId<'_>, found: &'f Result<T, Failure>) -> Option<&'f Failure> {
    let nobody = found.as_ref().err().filter(|failure| failure.kind == Kind::Invalid);
    nobody.filter(|_| given == NameOrId::Named(ME))
}

/// What is said where the requester's address is not set.
fn nobodys(failure: &Failure) -> Failure {
    let told = Failure::invalid("“me” is the requester, whose address is not set").hint(
        "set GRANTOR_ME to your address, or me under [people] in the configuration; or give the address",
    );
    match &failure.argument {
        Some(argument) => told.of(argument),
        None => told,
    }
}

impl<'a> Sought<'a> {
    pub(super) fn name(self) -> NameOrId<'a> {
        self.name
    }

    /// Whether it is the account of an alias, and so a person's.
    pub(super) fn is_alias(self) -> bool {
        self.is_alias
    }
}

impl<'a> Reading<'a> {
    fn sought(&self) -> Sought<'a> {
        Sought { name: self.sought, is_alias: self.alias.is_some() }
    }

    /// What was found, with what is to be said of an alias.
    fn told<T: Somebody>(
        &self,
        reader: &VendorReader<'_>,
        found: Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(alias) = self.alias else { return found };
        let found = found.map_err(|failure| alias.unfit(reader, failure))?;
        let who = found.named();
        if let Some(why) = alias.wrong(&who) {
            return Err(alias.unfit(reader, Failure::invalid(why)));
        }
        if let Some(notes) = reader.notes {
            let (address, who) = (text::quote(Word::Id, alias.address), who.label());
            notes.add(format!("{address} is {who} here: an alias that the configuration gives"));
        }
        Ok(found)
    }
}

impl Alias<'_> {
    /// Why who was found is not who was asked for.
    fn wrong(&self, who: &Named) -> Option<String> {
        if who.kind.as_deref() == Some(PrincipalKind::Group.as_str()) {
            return Some(format!("{} is a group, and an alias is one person's", who.label()));
        }
        let named = self.name?;
        let fits = who.name.as_deref().is_some_and(|name| text::same_name(name, named));
        let named = text::quote(Word::Caller, named);
        (!fits).then(|| format!("that is {}, and not {named}", who.label()))
    }

    /// The same trouble as one of the alias: who configures can mend it.
    fn unfit(&self, reader: &VendorReader<'_>, failure: Failure) -> Failure {
        if !matches!(failure.kind, Kind::Invalid | Kind::Ambiguous | Kind::Refused) {
            return failure;
        }
        let argument = failure.argument.clone();
        let before = argument.as_deref().map(|argument| format!("{argument}: "));
        let why = before.and_then(|before| failure.message.strip_prefix(&before));
        let why = why.unwrap_or(&failure.message);
        let [address, account] = [self.address, self.account].map(|id| text::quote(Word::Id, id));
        let message = format!("{address} has the alias {account} here, and {why}");
        let word = reader.tenant.id.word();
        let told = Failure { argument: None, message: text::clean(&message), ..failure }.hint(format!(
            "mend {word} of {address} under [people] in the configuration, or give the account's id"
        ));
        match argument {
            Some(argument) => told.of(&argument),
            None => told,
        }
    }
}

/// The people that [`Find`] asks for: the vendor's, or the account that is an address's alias.
pub fn principals<'a>(
    reader: &'a VendorReader<'a>,
    find: Find,
) -> BoxFuture<'a, Result<Listing<Found>, Failure>> {
    Box::pin(async move {
        let vendor = reader.tenant.vendor;
        let asked = find.asked().unwrap_or_default();
        let Some(alias) = reader.tenant.people.alias(asked) else {
            let listing = (vendor.principals)(reader, find).await?;
            return Ok(listing.map(|principal| Found { principal, alias_of: None }));
        };
        let principal = (vendor.person)(reader, asked).await?;
        let alias_of = Some(alias.address.to_owned());
        let is_wanted = find.from == ListPosition::default() && find.wants(principal.kind.as_str());
        let found = is_wanted.then_some(Found { principal, alias_of });
        Ok(Listing::whole(found.into_iter().collect()))
    })
}

impl Somebody for Principal {
    fn named(&self) -> Named {
        self.named()
    }
}
