//! What one process has at a time, in a row of its own that others take when it is not renewed; and which
//! processes live.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

use super::database::{Database, Trouble};
use super::migrate::follow;
use crate::control::ledger::locks::LockOn;

/// The rows of one process, and that it lives.
pub(super) struct Leases {
    database: Arc<Database>,
    chain: String,
    holder: String,
    /// What this process has, by the token that it was given; none while it is being asked for.
    held: Mutex<HashMap<LockOn, Option<i64>>>,
    is_shown: AtomicBool,
    keeper: Mutex<Option<tokio::task::AbortHandle>>,
}

/// A lease, given back when it is dropped.
#[derive(Debug)]
pub(in crate::control::ledger) struct Lease {
    leases: Weak<Leases>,
    on: LockOn,
    token: i64,
}

/// How often leases are renewed: several times before they are over.
const RENEWED: Duration = Duration::from_secs(20);
// One that is further off than any is given was written by somebody else.
const TAKE: &str = "INSERT INTO grantor.lease (chain, name, token, holder, until) \
    VALUES ($1, $2, 1, $3, clock_timestamp() + interval '120 seconds') \
    ON CONFLICT (chain, name) DO UPDATE SET token = lease.token + 1, holder = $3, \
    until = clock_timestamp() + interval '120 seconds' \
    WHERE lease.until <= clock_timestamp() OR lease.holder = $3 \
    OR lease.until > clock_timestamp() + interval '10 minutes' RETURNING token";
const RENEW: &str = "UPDATE grantor.lease SET until = clock_timestamp() + interval '120 seconds' \
    WHERE chain = $1 AND holder = $2 AND name = ANY ($3) AND until > clock_timestamp()";
const GIVE_BACK: &str = "UPDATE grantor.lease SET until = clock_timestamp() \
    WHERE chain = $1 AND name = $2 AND token = $3";
/// Whose that are held for longer than a call takes; nobody takes one while this is looked at.
pub(super) const HELD: &str = "SELECT name, token FROM grantor.lease WHERE chain = $1 AND holder = $2 \
    AND until > clock_timestamp() + interval '60 seconds' FOR UPDATE";
const SHOW: &str = "INSERT INTO grantor.presence (chain, process, until) \
    VALUES ($1, $2, clock_timestamp() + interval '120 seconds') \
    ON CONFLICT (chain, process) DO UPDATE SET until = excluded.until";
const LIVING: &str =
    "SELECT process FROM grantor.presence WHERE chain = $1 AND until > clock_timestamp()";
const GONE: &str = "DELETE FROM grantor.presence WHERE chain = $1 AND process = $2";
const SWEEP: &str = "DELETE FROM grantor.presence WHERE chain = $1 \
    AND until < clock_timestamp() - interval '1 day'";

impl Leases {
    pub(super) fn new(database: Arc<Database>, chain: &str, holder: &str) -> Self {
        let (chain, holder) = (chain.to_owned(), holder.to_owned());
        let (held, is_shown, keeper) = (Mutex::default(), AtomicBool::new(false), Mutex::default());
        Self { database, chain, holder, held, is_shown, keeper }
    }

    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// A lease, unless this process or another has it.
    pub(super) async fn try_take(this: &Arc<Self>, on: LockOn) -> Result<Option<Lease>, Trouble> {
        if this.held().contains_key(&on) {
            return Ok(None);
        }
        this.held().insert(on, None);
        // Whatever happens to the caller meanwhile, the place is free again.
        let mut asking = Asking { leases: this, on, token: None };
        this.keep();
        let name = on.name();
        let rows = this
            .database
            .ask(
                TAKE,
                &[(&this.chain, Type::TEXT), (&name, Type::TEXT), (&this.holder, Type::TEXT)],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let token: i64 = row.try_get(0)?;
        asking.token = Some(token);
        this.held().insert(on, Some(token));
        Ok(Some(Lease { leases: Arc::downgrade(this), on, token }))
    }

    /// Whether every turn that this process has is among those, by name and token, that are its own for long
    /// enough.
    pub(super) fn are_held(&self, known: &[(String, i64)]) -> bool {
        let held = self.held();
        let mut turns = held.iter().filter(|(on, _)| matches!(on, LockOn::Turn(_)));
        turns.all(|(on, token)| token.is_none_or(|token| known.contains(&(on.name(), token))))
    }

    /// Makes known that this process lives, before it writes for the first time.
    pub(super) async fn show(self: &Arc<Self>) -> Result<(), Trouble> {
        if self.is_shown.load(Ordering::Acquire) {
            return Ok(());
        }
        let of = [(&self.chain as _, Type::TEXT), (&self.holder as _, Type::TEXT)];
        self.database.ask(SHOW, &of).await?;
        self.is_shown.store(true, Ordering::Release);
        self.keep();
        Ok(())
    }

    /// The processes that live.
    pub(super) async fn living(&self) -> Result<HashSet<String>, Trouble> {
        let chain = [(&self.chain as _, Type::TEXT)];
        let rows = self.database.ask(LIVING, &chain).await?;
        self.database.ask(SWEEP, &chain).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Renews what is held for as long as this process has a ledger.
    fn keep(self: &Arc<Self>) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.is_some() {
            return;
        }
        let leases = Arc::downgrade(self);
        let keep = async move {
            loop {
                tokio::time::sleep(RENEWED).await;
                let Some(leases) = leases.upgrade() else { return };
                if let Err(trouble) = leases.renew().await {
                    let said = trouble.said;
                    tracing::warn!(
                        said,
                        "what this process has at the ledger could not be renewed"
                    );
                }
            }
        };
        *keeper = Some(tokio::spawn(keep).abort_handle());
    }

    async fn renew(&self) -> Result<(), Trouble> {
        let begun = Instant::now();
        let clock = self.database.ask("SELECT clock_timestamp()", &[]).await?;
        if let Some(row) = clock.first() {
            follow(row.try_get(0)?, begun);
        }
        let of = [(&self.chain as _, Type::TEXT), (&self.holder as _, Type::TEXT)];
        let names: Vec<_> = self.held().keys().map(|on| on.name()).collect();
        if !names.is_empty() {
            let of = [&of[..], &[(&names as _, Type::TEXT_ARRAY)]].concat();
            self.database.ask(RENEW, &of).await?;
        }
        if self.is_shown.load(Ordering::Acquire) {
            self.database.ask(SHOW, &of).await?;
        }
        Ok(())
    }

    async fn give_back(&self, on: LockOn, token: i64) {
        let name = on.name();
        let of =
            [(&self.chain as _, Type::TEXT), (&name as _, Type::TEXT), (&token as _, Type::INT8)];
        if let Err(trouble) = self.database.ask(GIVE_BACK, &of).await {
            let said = trouble.said;
            tracing::warn!(
                said,
                "a right at the ledger could not be given back, and is over by itself"
            );
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<LockOn, Option<i64>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
        if *self.is_shown.get_mut() && tokio::runtime::Handle::try_current().is_ok() {
            let (database, chain) = (self.database.clone(), std::mem::take(&mut self.chain));
            let holder = std::mem::take(&mut self.holder);
            super::parting::GIVEN_BACK.spawn(async move {
                let of = [(&chain as _, Type::TEXT), (&holder as _, Type::TEXT)];
                // Others find out by themselves, later.
                let _ = database.ask(GONE, &of).await;
            });
        }
    }
}

/// A lease that is being asked for.
struct Asking<'l> {
    leases: &'l Arc<Leases>,
    on: LockOn,
    token: Option<i64>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.token.is_none() {
            self.leases.held().remove(&self.on);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(leases) = self.leases.upgrade() else { return };
        let (on, token) = (self.on, self.token);
        leases.held().remove(&on);
        // At the end of the process somebody waits for it, a little.
        if tokio::runtime::Handle::try_current().is_ok() {
            super::parting::GIVEN_BACK.spawn(async move { leases.give_back(on, token).await });
        }
    }
}
