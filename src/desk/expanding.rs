//! What one call comes to that names people and no changes: a wish for each access that is given or taken,
//! and what stands aside. It is found out anew as often as the road is taken.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::aside::{self, Aside};
use super::body::LeftOut;
use super::change::{MOST, SetTerms, Wish};
use super::holders::{Holder, Person};
use super::task::Expanded;
use super::{Call, Desk};
use crate::access::{Access, Named};
use crate::cache::Cache;
use crate::failure::Failure;
use crate::outbound::CALL;
use crate::tools::remove_all_access::RemoveAllAccess;
use crate::tools::{OneChange, Wholesale, parse, takes_from_list, taking};
use crate::vendors::{Read, Tenant};

/// The wishes of one call, as they are found.
pub(super) struct Expansion<'a> {
    reason: Option<String>,
    wishes: Vec<Wish<'a>>,
    aside: Aside,
    /// Rows that one thing stands against, tenant by tenant: they are told together.
    against: Vec<Against<'a>>,
}

struct Against<'a> {
    tenant: &'a Tenant,
    failure: Failure,
    rows: Vec<String>,
}

/// As many rows as are named that one thing stands against.
const MOST_NAMED: usize = 20;

impl Desk {
    /// The changes that a call comes to which names people alone.
    ///
    /// # Errors
    /// Nobody is meant, or several may be; or the ledger cannot be read.
    pub(super) async fn expand(
        &self,
        of: Wholesale,
        call: &Call,
    ) -> Result<(Vec<Wish<'_>>, SetTerms), Failure> {
        (call.progress)("reading what is held".to_owned());
        let (expansion, dry_run) = match of {
            Wholesale::Removed => self.removal(call).await?,
            Wholesale::Copied => self.copy(call).await?,
        };
        let (wishes, aside) = expansion.finish();
        Ok((wishes, SetTerms { dry_run, aside, expands: Some(of) }))
    }

    async fn removal(&self, call: &Call) -> Result<(Expansion<'_>, bool), Failure> {
        let arguments = parse(Value::Object(call.arguments.clone()))?;
        let RemoveAllAccess { principal, vendor, reason, dry_run } = arguments;
        let tenants = cached(self.tenants_asked(vendor)?);
        let person = Person { argument: "principal", name: principal.as_str() };
        let holders = self.holders(&tenants, person, call).await?;
        let mut expansion = Expansion::new(reason);
        for ((tenant, cache), holder) in tenants.iter().zip(holders) {
            match holder {
                Ok(holder) => self.take_all(&mut expansion, (tenant, cache), holder, call).await,
                Err(failure) => expansion.unknown(tenant, &failure),
            }
        }
        Ok((expansion, dry_run.unwrap_or(false)))
    }

    async fn take_all<'a>(
        &'a self,
        expansion: &mut Expansion<'a>,
        (tenant, cache): (&'a Tenant, &Cache<Read>),
        holder: Holder,
        call: &Call,
    ) {
        for trouble in &holder.troubles {
            expansion.unknown(tenant, trouble);
        }
        if holder.rows.is_empty() && holder.troubles.is_empty() {
            expansion.idle(tenant);
        }
        let mut lists: HashMap<String, Result<Vec<Access>, Failure>> = HashMap::new();
        for row in &holder.rows {
            if let Some(locked) = locked(tenant) {
                expansion.against(tenant, row, locked);
                continue;
            }
            if row.via.is_none()
                && takes_from_list(tenant.vendor)
                && !lists.contains_key(&row.resource.id)
            {
                let list = self.held_on((tenant, cache), &row.resource, call).await;
                lists.insert(row.resource.id.clone(), list);
            }
            let there = match lists.get(&row.resource.id) {
                Some(Ok(there)) => there.as_slice(),
                Some(Err(failure)) => {
                    expansion.against(tenant, row, failure.clone());
                    continue;
                }
                None => &[],
            };
            match taking(tenant.vendor, row, there) {
                Ok(change) => {
                    expansion.wish(tenant, change, Expanded::taking(row, &holder.notes), None);
                }
                Err(failure) => expansion.against(tenant, row, failure),
            }
        }
    }
}

impl<'a> Expansion<'a> {
    pub(super) fn new(reason: Option<String>) -> Self {
        let aside = Aside::default();
        Self { reason, wishes: Vec::new(), aside, against: Vec::new() }
    }

    /// A change that is wished for, once.
    pub(super) fn wish(
        &mut self,
        tenant: &'a Tenant,
        change: OneChange,
        of: Expanded,
        end: Option<(&'static str, Value)>,
    ) {
        let OneChange { tool, arguments } = change;
        let mut arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        arguments.extend(self.reason.clone().map(|reason| ("reason".to_owned(), reason.into())));
        arguments.extend(end.map(|(name, end)| (name.to_owned(), end)));
        let is_there = |wish: &Wish<'_>| {
            std::ptr::eq(wish.tenant, tenant)
                && wish.tool.spec.name == tool.spec.name
                && wish.arguments == arguments
        };
        if !self.wishes.iter().any(is_there) {
            self.wishes.push(Wish { of: Some(Box::new(of)), ..Wish::new(tool, tenant, arguments) });
        }
    }

    /// A row that something stands against.
    pub(super) fn against(&mut self, tenant: &'a Tenant, row: &Access, failure: Failure) {
        let told = format!("{} on {}", row.role.said(), row.resource.label());
        let same = |one: &&mut Against<'_>| {
            std::ptr::eq(one.tenant, tenant)
                && (&one.failure.message, &one.failure.hint) == (&failure.message, &failure.hint)
        };
        match self.against.iter_mut().find(same) {
            Some(known) => known.rows.push(told),
            None => self.against.push(Against { tenant, failure, rows: vec![told] }),
        }
    }

    /// What could not be read at a tenant, or that nobody is known there.
    pub(super) fn unknown(&mut self, tenant: &Tenant, failure: &Failure) {
        self.aside.not_known.push(aside::problem(aside::of(tenant), failure));
    }

    /// That somebody is known at a tenant, and there is nothing to do.
    pub(super) fn idle(&mut self, tenant: &Tenant) {
        self.aside.idle.push(aside::of(tenant));
    }

    fn finish(self) -> (Vec<Wish<'a>>, Aside) {
        let Self { mut wishes, mut aside, against, .. } = self;
        for Against { tenant, failure, rows } in against {
            aside.put(aside::of(tenant), several(rows), &failure);
        }
        if wishes.len() > MOST {
            let rest = wishes.split_off(MOST);
            let mut counts: Vec<(&Tenant, usize)> = Vec::new();
            for wish in &rest {
                match counts.iter_mut().find(|(known, _)| std::ptr::eq(*known, wish.tenant)) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((wish.tenant, 1)),
                }
            }
            aside.left_out.extend(counts.into_iter().map(|(tenant, count)| LeftOut {
                of: aside::of(tenant),
                summary: format!("{count} more"),
                why: format!("one set changes at most {MOST} accesses"),
                hint: Some("call again when this is done".to_owned()),
            }));
        }
        (wishes, aside)
    }
}

/// Rows in one line, as many as a reader can use.
fn several(mut rows: Vec<String>) -> String {
    let more = rows.len().saturating_sub(MOST_NAMED);
    rows.truncate(MOST_NAMED);
    rows.extend((more > 0).then(|| format!("{more} more")));
    rows.join(", ")
}

/// Tenants, each with what is read of it for one expansion.
pub(super) fn cached(tenants: Vec<&Tenant>) -> Vec<(&Tenant, Cache<Read>)> {
    tenants.into_iter().map(|tenant| (tenant, Cache::lasting(CALL))).collect()
}

/// Why nothing is changed at a tenant, where nothing is.
pub(super) fn locked(tenant: &Tenant) -> Option<Failure> {
    tenant.read_only.then(|| {
        Failure::refused(format!("{} is read-only here", tenant.id.word()))
            .hint("an administrator opens it in its section of the configuration file")
    })
}

impl Expanded {
    fn taking(row: &Access, notes: &[String]) -> Self {
        Self { row: row.clone(), is_taken: true, notes: notes.to_vec() }
    }

    pub(super) fn giving(row: &Access, to: &Named, notes: Vec<String>) -> Self {
        Self { row: Access { principal: to.clone(), ..row.clone() }, is_taken: false, notes }
    }
}
