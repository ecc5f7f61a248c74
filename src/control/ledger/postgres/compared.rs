//! Whether the database still has the lines of which this machine has a copy: it is somebody's to change, and
//! what was changed in it shows in no copy that was made before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Postgres;
use crate::control::ledger::audit::{Audit, Head};
use crate::control::ledger::chain::{self, Link};
use crate::control::ledger::trouble::Trouble;
use crate::failure::Failure;

/// More lines that differ have one cause, which the first ones show.
const MOST: usize = 100;

impl Postgres {
    /// Reads every line of the copy and checks what holds them together, and then each line of the database
    /// against it.
    pub(in crate::control::ledger) async fn audit(
        &self,
        noted: Option<Head>,
        take: impl FnMut(&str, bool) -> std::io::Result<()> + Send + 'static,
    ) -> Result<Audit, Failure> {
        let mut audit = self.current().await?.audit(noted, take).await?;
        if let Some(trouble) = self.unfit().await? {
            audit.beside(trouble);
        }
        self.different().await?.into_iter().for_each(|trouble| audit.beside(trouble));
        Ok(audit)
    }

    pub(super) async fn different(&self) -> Result<Vec<Trouble>, Failure> {
        let mut copied = self.hashes().await?;
        let Some((&last, _)) = copied.last_key_value() else { return Ok(Vec::new()) };
        let (mut found, mut next) = (Vec::new(), 1);
        while next <= last {
            let after = Link { seq: next, ..Link::start() };
            let rows = self.since(&after).await?;
            if rows.is_empty() {
                break;
            }
            for (seq, body) in rows {
                let seq = u64::try_from(seq).unwrap_or_default();
                next = seq + 1;
                let hash = chain::hash(&body);
                if copied.remove(&seq).is_some_and(|own| own != hash) {
                    found.push(differing(seq, "is another one in the database", hash));
                }
            }
        }
        found.extend(
            copied
                .into_iter()
                .map(|(seq, hash)| differing(seq, "is not in the database any more", hash)),
        );
        found.truncate(MOST);
        Ok(found)
    }

    /// The hash of each line of the copy, by its number.
    async fn hashes(&self) -> Result<BTreeMap<u64, String>, Failure> {
        let found = Arc::<Mutex<BTreeMap<u64, String>>>::default();
        let kept = found.clone();
        let walk = move |line: &str| {
            if let Some(link) = Link::of(line) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).insert(link.seq, link.hash);
            }
            Ok(true)
        };
        self.copied().walk(walk).await?;
        Ok(std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn differing(seq: u64, what: &str, hash: String) -> Trouble {
    Trouble { place: format!("line {seq} of this machine's copy"), what: what.to_owned(), hash }
}
