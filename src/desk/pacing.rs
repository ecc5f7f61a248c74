//! Rates and pauses of vendors' accounts, where several replicas keep them: beside the ledger that they share.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::Config;
use crate::failure::Failure;
use crate::ledger::{Kept, Ledger};
use crate::outbound::KeptByAll;
use crate::vendors::TenantId;

/// Where replicas keep the pace of one account.
struct AccountPace {
    kept: Kept,
    key: String,
}

const KIND: &str = "pace";

/// Has every account keep its pace together with those of other replicas, where there may be some. A sandbox is
/// each process's own.
pub(super) fn share(config: &mut Config, ledger: &Ledger) {
    let Some(kept) = ledger.kept_by_all().filter(|_| !config.sandbox) else { return };
    for tenant in &mut config.tenants {
        let (kept, key) = (kept.clone(), key(&tenant.id));
        tenant.account.pace.share(Box::new(AccountPace { kept, key }));
    }
}

/// The same on every replica, and nothing that says where somebody is a customer.
fn key(id: &TenantId) -> String {
    super::consent::sha256(id.key().as_bytes())
}

impl KeptByAll for AccountPace {
    fn get(&self) -> BoxFuture<'_, Result<Option<String>, Failure>> {
        Box::pin(self.kept.get(KIND, &self.key))
    }

    fn swap<'a>(
        &'a self,
        before: Option<&'a str>,
        value: &'a str,
        lasts: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(self.kept.swap((KIND, &self.key), (before, value), lasts))
    }
}
