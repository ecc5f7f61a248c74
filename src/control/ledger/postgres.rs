//! Lines in a PostgreSQL database that several replicas share.
//!
//! ```text
//!  Postgres ──one transaction a line──► appending: chain row locked, lease checked, line, commit
//!      │──leases: turns, maintenance, notices; who lives
//!      └──copy: the lines since the last look ──► Files: this machine's copy and its index
//! ```
//!
//! The database has the lines and their order. What is found in them is found in a copy that each machine
//! keeps byte for byte in files of its own, by the index that a ledger of files has: whatever an index was
//! made by, another version of this program shares nothing of it. Each look asks first for the lines since
//! the last one, and the last line that was seen must still be there: a database that was set back, or is
//! another one, is noticed by whoever has seen more of it.

mod appending;
mod compared;
mod database;
mod import;
mod kept;
mod leases;
mod migrate;
mod parting;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::Record;
use super::chain::{self, Link};
use super::files::{Files, SetAside};
use super::locks::LockOn;
use super::trouble::Trouble as LedgerTrouble;
use crate::control::permit::InFlight;
use crate::control::requester::Requester;
use crate::failure::{Failure, Kind};
use crate::secret::Secret;
use database::{Connection, Database, Trouble};
pub use kept::Kept;
pub(super) use leases::Lease;
use leases::Leases;
pub use migrate::migrate;
pub use parting::parted;

/// A ledger in a database.
pub(super) struct Postgres {
    chain: String,
    database: Arc<Database>,
    files: Files,
    /// A ledger of this machine alone, which may have been there before.
    former: Files,
    /// The copy was held against the database: what is wrong with it then is wrong with both.
    is_compared: AtomicBool,
    leases: Arc<Leases>,
    /// One line of this process is under way at a time.
    writing: tokio::sync::Mutex<Option<Connection>>,
}

/// The database that a ledger is in, and which of the chains in it.
pub struct SharedStore {
    /// `postgres://USER:PASSWORD@HOST/DATABASE`, with the parameters of libpq.
    pub url: Secret,
    pub chain: String,
}

/// How many lines are copied at a time.
const LINES: usize = 1000;
const SINCE: &str =
    "SELECT seq, body FROM grantor.line WHERE chain = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
const END: &str = "SELECT seq, hash FROM grantor.chain WHERE name = $1";
const COPIED: &str = "the state directory has to be writable, and the database's owner to see to its lines; \
                      docs/replicas.md says what each loss means";
/// How often the end is looked at while others write.
const TRIES: usize = 5;
const NOT_SENT: &str = "nothing was sent; `grantor doctor` tries the database";
const WENT_BACK: &str = "the database was set back, or another one stands in its place: nothing is \
                         changed until somebody has looked; `grantor ledger accept` puts what this \
                         machine knows aside, and follows the database again";

impl Postgres {
    /// Makes no connection yet.
    pub(super) fn new(dir: &Path, store: SharedStore, key: Option<Secret>) -> Self {
        let SharedStore { url, chain } = store;
        let database = Arc::new(Database::new(url));
        let files = Files::copy_of(&chain, &dir.join(format!("copy-of-{chain}")), key);
        let former = Files::new(dir, None);
        let leases = Leases::new(database.clone(), &chain, files.process());
        Self {
            chain,
            database,
            files,
            former,
            is_compared: AtomicBool::new(false),
            leases: Arc::new(leases),
            writing: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn copied(&self) -> &Files {
        &self.files
    }

    /// The copy, with every line that the database had when this was asked.
    pub(super) async fn current(&self) -> Result<&Files, Failure> {
        loop {
            let last = self.files.last_copied().await?;
            let rows = self.since(&last).await?;
            let is_all = rows.len() < LINES;
            if self.take_in(&last, rows).await? && is_all {
                return Ok(&self.files);
            }
        }
    }

    async fn since(&self, last: &Link) -> Result<Vec<(i64, String)>, Failure> {
        let (from, most) = (number(last.seq).max(1), number(LINES as u64));
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&self.chain, Type::TEXT), (&from, Type::INT8), (&most, Type::INT8)];
        let rows = self.asked(SINCE, &parameters).await?;
        lines(&rows).map_err(|trouble| self.unread(&trouble))
    }

    /// Adds lines to the copy; the first is the last one that the copy has, where it has one. Not where the copy's
    /// own end was damaged: then it begins anew.
    async fn take_in(&self, last: &Link, rows: Vec<(i64, String)>) -> Result<bool, Failure> {
        let mut rows = rows.into_iter();
        if last.seq > 0 {
            let is_same = |(seq, body): &(i64, String)| {
                *seq == number(last.seq) && chain::hash(body) == last.hash
            };
            if !rows.next().is_some_and(|row| is_same(&row)) {
                if self.files.unsealed_end().await?.is_some() {
                    tracing::warn!("the end of this machine's copy is damaged: it is made anew");
                    self.files.set_aside().await?;
                    return Ok(false);
                }
                let said = format!("has no line {} as this machine has seen it", last.seq);
                return Err(self.unread(&Trouble::own(said)).hint(WENT_BACK));
            }
        }
        let new: Vec<_> = rows.map(|(_, body)| body).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let copied = self.files.copy(new).await;
        copied.map(|()| true).map_err(|failure| failure.or_hint(COPIED))
    }

    /// One statement on the connection that lookers share; asked again where the connection was gone.
    async fn asked(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        self.database.ask(statement, parameters).await.map_err(|trouble| self.unread(&trouble))
    }

    pub(super) async fn orphans(
        &self,
        before: Timestamp,
        in_flight: &InFlight,
    ) -> Result<Vec<Record>, Failure> {
        // Who lives is asked first: whoever opens a change after that is younger than `before`.
        let living: HashSet<String> =
            self.leases.living().await.map_err(|trouble| self.unread(&trouble))?;
        self.current().await?.orphans_beside(living, before, in_flight).await
    }

    pub(super) async fn try_lock(&self, on: LockOn) -> Result<Option<Lease>, Failure> {
        let taken = Leases::try_take(&self.leases, on).await;
        taken.map_err(|trouble| self.unread(&trouble).or_hint(NOT_SENT))
    }

    /// Takes over a ledger of files, which has ended when this comes back.
    pub(super) async fn import(
        self: Arc<Self>,
        from: &Files,
        by: &Requester,
    ) -> Result<Link, Failure> {
        let to = self.place().await;
        let runtime = tokio::runtime::Handle::current();
        let take = move |lines: Vec<String>| {
            runtime
                .block_on(self.take_over(&lines))
                .map_err(|failure| io::Error::other(failure.message))
        };
        from.hand_over(to, by, take).await
    }

    /// What cannot be acted on. A copy that is damaged, and not as the database is, is made anew first: what was
    /// wrong with it alone is none of the ledger's.
    pub(super) async fn troubles(&self) -> Result<Vec<LedgerTrouble>, Failure> {
        let mut troubles = self.current().await?.troubles().await?;
        let is_first = !troubles.is_empty() && !self.is_compared.swap(true, Ordering::Relaxed);
        if is_first && !self.different().await?.is_empty() {
            tracing::warn!("the copy of the ledger's lines is damaged, and is made anew");
            self.files.set_aside().await?;
            troubles = self.current().await?.troubles().await?;
        }
        troubles.extend(self.unfit().await?);
        Ok(troubles)
    }

    /// Why no line can be added, as the chain's row and its last line show it.
    pub(super) async fn unfit(&self) -> Result<Option<LedgerTrouble>, Failure> {
        for _ in 0..TRIES {
            let said = self.end_of_chain().await?;
            let last = self.current().await?.last_copied().await?;
            if last.seq == 0 && said.seq == 0 {
                return self.former.forgotten().await;
            }
            if last == said {
                return self.files.unsealed_end().await;
            }
            // Others may have written between the two.
            if said == self.end_of_chain().await?
                && last == self.current().await?.last_copied().await?
            {
                return Ok(Some(wrong_end(&said, &last)));
            }
        }
        Ok(None)
    }

    /// Where the chain's row says that it ends.
    async fn end_of_chain(&self) -> Result<Link, Failure> {
        let rows = self.asked(END, &[(&self.chain as _, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(Link::start()) };
        link(row).map_err(|trouble| self.unread(&trouble))
    }

    /// Puts this machine's copy aside; from then on it is that of the database as it is.
    pub(super) async fn set_aside(&self) -> Result<SetAside, Failure> {
        // Where the database does not answer, what is known here is all there is.
        self.since(&Link::start()).await?;
        let mut aside = self.files.set_aside().await?;
        let current = self.current().await?;
        let mut lost = Vec::new();
        for due in std::mem::take(&mut aside.due) {
            // What the database has still ends by itself.
            let receipt = due.get("receipt").and_then(serde_json::Value::as_str);
            if current.record(receipt.unwrap_or_default()).await?.is_none() {
                lost.push(due);
            }
        }
        aside.due = lost;
        Ok(aside)
    }

    /// What there is to know of how safe a line is that was committed.
    pub(super) async fn durability(&self) -> Result<Durability, Failure> {
        let rows = self
            .asked(
                "SELECT current_setting('synchronous_standby_names') <> '' AS named,
                    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
                        AS kept,
                    has_table_privilege('grantor.line', 'UPDATE')
                        OR has_table_privilege('grantor.line', 'DELETE') AS may_change,
                    (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))
                        AS standbys",
                &[],
            )
            .await?;
        let row = rows.first().ok_or_else(|| self.unread(&Trouble::own("gave no answer")))?;
        let read = || -> Result<Durability, tokio_postgres::Error> {
            Ok(Durability {
                is_kept: row.try_get("kept")?,
                may_change: row.try_get("may_change")?,
                waits_for_standby: row.try_get("named")?,
                standbys: row.try_get("standbys")?,
            })
        };
        read().map_err(|error| self.unread(&error.into()))
    }

    pub(super) async fn place(&self) -> String {
        format!("{}, chain {}", self.database.place().await, self.chain)
    }

    fn unread(&self, trouble: &Trouble) -> Failure {
        let said = &trouble.said;
        Failure::new(Kind::Unavailable, format!("the ledger's database: {said}")).hint(NOT_SENT)
    }
}

/// How safe a line is that the database says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    /// The database waits for its disk.
    pub is_kept: bool,
    /// The role of this program could change lines, and not only add them.
    pub may_change: bool,
    /// A commit waits for another machine to have it too.
    pub waits_for_standby: bool,
    /// How many such machines are there; what is there may not be told to everybody.
    pub standbys: i64,
}

impl Durability {
    /// What is to be said of it, where a line could be lost.
    pub fn warning(&self) -> Option<&'static str> {
        match self {
            Self { is_kept: false, .. } => Some(
                "the database does not wait for its disk (fsync or full_page_writes is off): what it \
                 says is recorded can be gone after a crash; switch them on",
            ),
            Self { may_change: true, .. } => Some(
                "the role that logs in may change lines of the ledger: log in as a member of grantor_app, which \
                 may add lines and no more",
            ),
            Self { waits_for_standby: false, .. } => Some(
                "no standby is waited for (synchronous_standby_names is empty): where the database's \
                 machine is lost, the newest lines are, and with them what was granted; name a \
                 synchronous standby",
            ),
            _ => None,
        }
    }
}

/// That the chain's row is not what its last line is, as something that can be accepted.
fn wrong_end(said: &Link, last: &Link) -> LedgerTrouble {
    let what = format!(
        "says that the chain ends at line {} ({}), and its last line is number {} ({}): somebody changed one of the \
         two by hand",
        said.seq,
        short(&said.hash),
        last.seq,
        short(&last.hash)
    );
    LedgerTrouble::of_file("the database's row of the chain", &what)
}

fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

/// The number and the hash that a row of the chain begins with.
fn link(row: &Row) -> Result<Link, Trouble> {
    let seq: i64 = row.try_get(0)?;
    Ok(Link { seq: u64::try_from(seq).unwrap_or_default(), hash: row.try_get(1)? })
}

fn lines(rows: &[Row]) -> Result<Vec<(i64, String)>, Trouble> {
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// As the database counts.
fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
