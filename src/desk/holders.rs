//! Who somebody is at each tenant, and all that they hold there, for calls that name a person and no change.

use std::time::Duration;

use futures_util::future::join_all;

use super::aside;
use super::{Call, Desk};
use crate::access::{Access, Named};
use crate::cache::Cache;
use crate::failure::{Candidate, Failure, Kind};
use crate::outbound::{CALL, Deadline};
use crate::text::{self, Word};
use crate::tools::{Which, whose};
use crate::vendors::{ListPosition, Listing, Notes, Reach, Read, Tenant, VendorReader, Whom};

/// Somebody at one tenant.
pub(super) struct Holder {
    pub(super) who: Named,
    /// What they hold there, through groups too; each with its end, whoever keeps that.
    pub(super) rows: Vec<Access>,
    /// What of it could not be read.
    pub(super) troubles: Vec<Failure>,
    /// What is to be said of how their name became an id.
    pub(super) notes: Vec<String>,
}

/// A person as a call names them.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) argument: &'a str,
    pub(super) name: &'a str,
}

/// As many rows as one look may have.
const ROWS: usize = 500;
/// How long one tenant's list may take to its end, a vendor's rate included.
const PATIENCE: Duration = Duration::from_secs(4 * CALL.as_secs());
/// How long to wait before a list goes on that a rate has stopped.
const PAUSE: Duration = Duration::from_secs(2);

impl Desk {
    /// The tenants that a call without one is about.
    ///
    /// # Errors
    /// There is none of that vendor.
    pub(super) fn tenants_asked(&self, vendor: Option<Which>) -> Result<Vec<&Tenant>, Failure> {
        let Some(vendor) = vendor.map(Which::name) else {
            return Ok(self.config.tenants.iter().collect());
        };
        let tenants: Vec<_> = self.config.tenants_of(vendor).collect();
        if tenants.is_empty() {
            let hint = "`grantor doctor` says what each vendor needs";
            let trouble = format!("{vendor} is not configured here");
            return Err(Failure::invalid(trouble).of("vendor").hint(hint));
        }
        Ok(tenants)
    }

    /// Somebody at each of the tenants, which have a cache each; or why nothing is known of them there.
    ///
    /// # Errors
    /// They are nobody anywhere; or several may be meant, at one tenant or at different ones.
    pub(super) async fn holders(
        &self,
        tenants: &[(&Tenant, Cache<Read>)],
        person: Person<'_>,
        call: &Call,
    ) -> Result<Vec<Result<Holder, Failure>>, Failure> {
        let found = tenants.iter().map(|(tenant, cache)| self.holder(tenant, cache, person, call));
        let found = join_all(found).await;
        let told = || found.iter().zip(tenants.iter().map(|(tenant, _)| *tenant));
        let several = told().filter_map(|(one, tenant)| Some((one.as_ref().err()?, tenant)));
        let several: Vec<_> = several.filter(|(one, _)| one.kind == Kind::Ambiguous).collect();
        if !several.is_empty() {
            return Err(together(several.into_iter()));
        }
        let is_nobody = |one: &Result<Holder, Failure>| {
            one.as_ref().is_err_and(|failure| failure.kind == Kind::Invalid)
        };
        if found.iter().all(is_nobody) {
            return Err(together(
                told().filter_map(|(one, tenant)| Some((one.as_ref().err()?, tenant))),
            ));
        }
        let known = told().filter_map(|(one, tenant)| Some((&one.as_ref().ok()?.who, tenant)));
        let known: Vec<_> = known.collect();
        if known.len() > 1 && !joins(person.name) {
            return Err(not_joined(person, &known));
        }
        Ok(found)
    }

    async fn holder(
        &self,
        tenant: &Tenant,
        cache: &Cache<Read>,
        person: Person<'_>,
        call: &Call,
    ) -> Result<Holder, Failure> {
        let notes = Notes::default();
        let renamed = |failure: Failure| failure.renamed(person.argument);
        let reach = Reach {
            principal: Some(Whom::Named(person.name.to_owned())),
            limit: ROWS,
            ..Reach::default()
        };
        let (rows, troubles) =
            self.to_the_end(tenant, cache, reach, &notes, call).await.map_err(renamed)?;
        let who = match rows.first() {
            Some(row) => row.principal.clone(),
            None => {
                let reader = self.reader(tenant, cache, &notes);
                (tenant.vendor.person)(&reader, person.name).await.map_err(renamed)?.named()
            }
        };
        let rows = self.with_ends(tenant, rows).await?;
        Ok(Holder { who, rows, troubles, notes: notes.into_all() })
    }

    /// All that is held on a resource, by whomever.
    ///
    /// # Errors
    /// Not all of it can be read.
    pub(super) async fn held_on(
        &self,
        (tenant, cache): (&Tenant, &Cache<Read>),
        resource: &Named,
        call: &Call,
    ) -> Result<Vec<Access>, Failure> {
        let reach = Reach { resource: Some(resource.id.clone()), limit: ROWS, ..Reach::default() };
        let (rows, troubles) =
            self.to_the_end(tenant, cache, reach, &Notes::default(), call).await?;
        match troubles.into_iter().next() {
            Some(trouble) => Err(trouble),
            None => Ok(rows),
        }
    }

    /// A list to its end, part by part; what stops it is told beside what was read.
    ///
    /// # Errors
    /// Nothing could be read.
    async fn to_the_end(
        &self,
        tenant: &Tenant,
        cache: &Cache<Read>,
        reach: Reach,
        notes: &Notes,
        call: &Call,
    ) -> Result<(Vec<Access>, Vec<Failure>), Failure> {
        let (mut rows, mut troubles, mut from) = (Vec::new(), Vec::new(), ListPosition::default());
        let patience = Deadline::after(PATIENCE);
        loop {
            let asked = Reach { from: from.clone(), ..reach.clone() };
            let reader = self.reader(tenant, cache, notes);
            let listing = match (tenant.vendor.access)(&reader, asked).await {
                Err(failure) if failure.kind == Kind::RateLimited => {
                    Listing { waits: Some(failure), ..Listing::whole(Vec::new()) }
                }
                Err(failure) if from == ListPosition::default() => return Err(failure),
                Err(failure) => {
                    add(&mut troubles, failure);
                    return Ok((rows, troubles));
                }
                Ok(listing) => listing,
            };
            let Listing { rows: part, next, problem, waits, .. } = listing;
            rows.extend(part);
            problem.into_iter().for_each(|problem| add(&mut troubles, problem));
            if let Some(waits) = waits {
                if patience.left().is_zero() || (call.withdrawn)() {
                    return match rows.is_empty() {
                        true => Err(waits),
                        false => {
                            add(&mut troubles, waits);
                            Ok((rows, troubles))
                        }
                    };
                }
                (call.progress)(format!("waiting for {}", tenant.id.word()));
                tokio::time::sleep(PAUSE.min(patience.left())).await;
                from = next.unwrap_or(from);
                continue;
            }
            match next {
                Some(next) if next != from && !patience.left().is_zero() => from = next,
                Some(_) => {
                    add(&mut troubles, unfinished());
                    return Ok((rows, troubles));
                }
                None => return Ok((rows, troubles)),
            }
        }
    }

    fn reader<'r>(
        &'r self,
        tenant: &'r Tenant,
        cache: &'r Cache<Read>,
        notes: &'r Notes,
    ) -> VendorReader<'r> {
        let (wire, deadline) = (&self.wire, Deadline::after(CALL));
        VendorReader {
            tenant,
            wire,
            deadline,
            cache: Some(cache),
            earlier: &[],
            notes: Some(notes),
        }
    }

    /// The rows with the ends that Grantor keeps, where those come before the vendor's own.
    ///
    /// # Errors
    /// The ledger cannot be read: an access that ends would be copied without its end.
    async fn with_ends(
        &self,
        tenant: &Tenant,
        mut rows: Vec<Access>,
    ) -> Result<Vec<Access>, Failure> {
        let organization = tenant.organization(&self.wire).await;
        for row in rows.iter_mut().filter(|row| row.via.is_none()) {
            let whose = whose(tenant, &row.resource.id, &organization);
            let timed = self.ledger.timed(&whose, super::prepare::key(row)).await?;
            let Some(end) = timed.and_then(|record| record.expires_at) else { continue };
            let own = row.expires_at.as_deref().map(str::parse::<jiff::Timestamp>);
            let is_sooner = match own {
                None => true,
                Some(Ok(own)) => end < own,
                // An end that nobody can read stays what it is.
                Some(Err(_)) => false,
            };
            if is_sooner {
                row.expires_at = Some(end.to_string());
            }
        }
        Ok(rows)
    }
}

fn add(troubles: &mut Vec<Failure>, trouble: Failure) {
    if !troubles.iter().any(|known| known.message == trouble.message) {
        troubles.push(trouble);
    }
}

fn unfinished() -> Failure {
    Failure::new(Kind::Incomplete, "the vendor's list did not come to an end")
        .hint("what is named is right, and there may be more; call again for the rest")
}

/// Whether a name is the same person's wherever it is known: an address is, and the requester's own.
fn joins(name: &str) -> bool {
    let name = name.trim();
    let is_address = |text: &str| text.contains('@') && !text.contains(char::is_whitespace);
    name == "me"
        || is_address(name)
        || text::with_address(name).is_some_and(|(_, one)| is_address(one))
}

/// A name that is somebody's at several tenants, and no address: they may be several people.
fn not_joined(person: Person<'_>, known: &[(&Named, &Tenant)]) -> Failure {
    let name = text::quote(Word::Caller, person.name);
    let places: Vec<_> = known.iter().map(|(_, tenant)| tenant.id.word()).collect();
    let trouble = format!("{name} is somebody at {}, who may not be one person", places.join(", "));
    let mut failure = Failure::new(Kind::Ambiguous, trouble);
    failure.candidates = known.iter().map(|(who, tenant)| candidate(who, tenant)).collect();
    failure
        .of(person.argument)
        .hint("give the address, which is one person's everywhere; or vendor too")
}

fn candidate(who: &Named, tenant: &Tenant) -> Candidate {
    let of = aside::of(tenant);
    Candidate {
        id: who.id.clone(),
        name: who.name.clone(),
        email: who.email.clone(),
        kind: who.kind.clone().unwrap_or_default(),
        told_type: None,
        argument: None,
        vendor: Some(of.vendor),
        tenant: of.tenant,
    }
}

/// What tenants say of a name, as one: whom each may mean.
fn together<'f>(told: impl Iterator<Item = (&'f Failure, &'f Tenant)>) -> Failure {
    let labelled = told.map(|(failure, tenant)| {
        let of = aside::of(tenant);
        let mut failure = failure.clone();
        for one in &mut failure.candidates {
            (one.vendor, one.tenant) = (Some(of.vendor.clone()), of.tenant.clone());
        }
        failure
    });
    let labelled: Vec<_> = labelled.collect();
    let argument = labelled.first().and_then(|failure| failure.argument.clone());
    Failure { argument, ..Failure::together(labelled) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_persons_everywhere_and_a_name_is_not() {
        for (name, is) in [
            ("sam@example.com", true),
            ("Sam Rivera <sam@example.com>", true),
            ("me", true),
            ("Sam Rivera", false),
            ("Sam (Harbor)", false),
            ("us-1", false),
            (r"HARBOR\sam", false),
            ("Sam @ Harbor", false),
        ] {
            assert_eq!(joins(name), is, "{name}");
        }
    }
}
