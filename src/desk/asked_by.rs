//! Whoever is meant by who asked: lines have `ISSUER#SUBJECT` of a caller, and people say less.

use std::collections::BTreeMap;

use super::Desk;
use super::visible::Seen;
use crate::failure::{Candidate, Failure, Kind};
use crate::ledger::{Past, PastEntry, Told};
use crate::requester::Requester;
use crate::text::{self, Word};

/// How many entries are asked for at once, and how many at most are looked through for who asked.
const PAGE: usize = 500;
const MOST: usize = 4_000;

/// Whom a name for who asked means.
pub(super) enum Meant {
    /// Whom lines have under just this name, or nobody.
    AsSaid,
    /// The only one whom it fits.
    Only(String),
}

impl Meant {
    /// What is said of it beside a list.
    pub(super) fn told(&self, find: &Past) -> Option<String> {
        let said = find.requester.as_ref()?;
        match self {
            Self::AsSaid => None,
            Self::Only(name) => Some(format!(
                "asked by {name}: of those who asked, {} fits no other",
                text::quote(Word::Caller, said)
            )),
        }
    }
}

impl Desk {
    /// Whom a name for who asked means among those whose requests somebody may see. A name that lines have is
    /// that one's; another is the only one's whom it fits.
    ///
    /// # Errors
    /// It fits several, or the ledger cannot be read.
    pub(super) async fn meant_by(&self, find: &Past, by: &Requester) -> Result<Meant, Failure> {
        let Some(name) = &find.requester else { return Ok(Meant::AsSaid) };
        let exact = Past { requester: Some(name.clone()), ..Past::all(find.now) };
        if !self.seen_of(exact, 1, by).await?.page.entries.is_empty() {
            return Ok(Meant::AsSaid);
        }
        let known = self.who_asked(find, by).await?;
        let mut fitting = known.into_iter().filter(|(known, address)| {
            text::folded(subject(known)) == text::folded(name)
                || address.as_ref().is_some_and(|address| address.eq_ignore_ascii_case(name))
        });
        match (fitting.next(), fitting.next()) {
            (None, _) => Ok(Meant::AsSaid),
            (Some((only, _)), None) => Ok(Meant::Only(only)),
            (Some(one), Some(other)) => {
                let all = [one, other].into_iter().chain(fitting);
                let said = format!("{} fits several who asked", text::quote(Word::Caller, name));
                let mut failure =
                    Failure::new(Kind::Ambiguous, said).hint(Kind::Ambiguous.next_step());
                failure.candidates = all.map(candidate).collect();
                Err(failure.of("requester"))
            }
        }
    }

    /// All whose requests somebody may see, with the addresses that their issuers vouch for.
    async fn who_asked(
        &self,
        find: &Past,
        by: &Requester,
    ) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let (mut known, mut looked_at) = (BTreeMap::new(), 0);
        let mut all = Past::all(find.now);
        loop {
            let Seen { page, goes_on } = self.seen_of(all.clone(), PAGE, by).await?;
            looked_at += page.entries.len().max(1);
            for entry in &page.entries {
                let known = known.entry(entry.requester().to_owned()).or_insert(None);
                *known = known.take().or_else(|| address(entry));
            }
            if goes_on.is_none() || looked_at >= MOST {
                return Ok(known);
            }
            all.after = goes_on;
        }
    }
}

/// What a caller is called at their issuer; a user of the operating system has the one name.
fn subject(name: &str) -> &str {
    name.split_once('#').map_or(name, |(_, subject)| subject)
}

fn address(entry: &PastEntry) -> Option<String> {
    let (Told::Asked(request) | Told::Change(_, Some(request))) = &entry.told else { return None };
    request.content.caller.as_ref()?.email.clone()
}

fn candidate((name, address): (String, Option<String>)) -> Candidate {
    Candidate {
        id: name,
        name: None,
        email: address,
        kind: "requester".to_owned(),
        told_type: None,
        argument: None,
        vendor: None,
        tenant: None,
    }
}
