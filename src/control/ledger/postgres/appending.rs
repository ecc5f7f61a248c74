//! A line is added: one transaction, and no yes before its commit is one.
//!
//! ```text
//!  begin ─► the chain's row, locked ─► lines since the last look ─► what stands against it?
//!        ─► (open) the turn's lease: still ours? ─► line, new head ─► commit
//!                                                                       │ a warning, or no answer
//!                                                                       ▼
//!                        a new transaction: is the line there, and is this commit acknowledged?
//! ```
//!
//! A commit that comes back with a warning is on one machine alone, and one that does not come back may be
//! there or not. In both cases the line is looked for by a transaction that has to be acknowledged itself:
//! what the database kept before it is then kept as well.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::database::{Connection, Trouble, within, within_time};
use super::{LINES, NOT_SENT, Postgres, SINCE, lines, link, number};
use crate::control::ledger::chain::{self, FORMAT, Link};
use crate::control::ledger::entry::Entry;
use crate::control::ledger::meaning::ACCEPTED;
use crate::control::ledger::unless::{Objection, Unless};
use crate::failure::{Failure, Kind};

pub(super) const BEGIN: &str = include_str!("begin.sql");
const CHAIN: &str = "INSERT INTO grantor.chain (name, seq, hash, writer_min) VALUES ($1, 0, $2, $3) \
                     ON CONFLICT DO NOTHING";
const HEAD: &str = "SELECT seq, hash, writer_min, clock_timestamp() FROM grantor.chain \
                    WHERE name = $1 FOR UPDATE";
pub(super) const LINE: &str = "INSERT INTO grantor.line (chain, seq, body) VALUES ($1, $2, $3)";
const FORWARD: &str = "UPDATE grantor.chain SET seq = $2, hash = $3 WHERE name = $1";
const THERE: &str = "SELECT body FROM grantor.line WHERE chain = $1 AND seq = $2";
pub(super) const TOUCH: &str = "UPDATE grantor.chain SET hash = hash WHERE name = $1";
/// How long others may have the chain, whose transactions end after three seconds of standing still.
const FOR_THE_CHAIN: Duration = Duration::from_secs(10);
/// How many times others may be so far ahead that a transaction is begun anew.
const TRIES: usize = 20;
const WAY_ON: &str = "nothing was sent; `grantor ledger verify` says more, and `grantor ledger accept` sets it right";
/// The code of a row that is there already.
const THERE_ALREADY: &str = "(23505)";
const BY_HAND: &str = "there are lines behind the end of the chain, which somebody wrote into the table by hand: its \
    owner takes them out";

/// Where the chain ends, as long as its row is locked.
struct Locked {
    head: Link,
    now: Timestamp,
    /// The lines from the last one of the copy on.
    rows: Vec<(i64, String)>,
    /// Turns of this process that are its own for long enough.
    turns: Vec<(String, i64)>,
}

/// What became of a line.
enum Added {
    Yes,
    Objection(Objection),
    /// Others have written so much that the copy has to catch up first.
    Behind,
    /// The connection was gone before anything was asked of it.
    Gone(Trouble),
}

impl Postgres {
    /// Adds a line, even where nobody waits for it any more: a part of it would be no answer.
    pub(in crate::control::ledger) async fn append(
        self: Arc<Self>,
        entry: Entry,
        unless: Option<Unless>,
    ) -> Result<Result<(), Objection>, Failure> {
        let comes_after = entry.comes_after();
        let entry = Arc::new(entry.fitted()?);
        let added = tokio::spawn(async move { self.append_whole(entry, Arc::new(unless)).await });
        let added = added.await.unwrap_or_else(|error| Err(Trouble::own(error.to_string()).into()));
        added.map_err(|failure| match comes_after {
            true => failure.or_hint("`grantor doctor` tries the database"),
            false => failure.or_hint(NOT_SENT),
        })
    }

    async fn append_whole(
        &self,
        entry: Arc<Entry>,
        unless: Arc<Option<Unless>>,
    ) -> Result<Result<(), Objection>, Failure> {
        self.leases.show().await?;
        for _ in 0..TRIES {
            let mut writing = self.writing.lock().await;
            let open = writing.take().filter(|open| !open.client.is_closed());
            let is_used = open.is_some();
            let connection = match open {
                Some(open) => open,
                None => self.database.connect().await?,
            };
            match self.added(&connection, &entry, &unless).await {
                Ok(Added::Yes) => {
                    *writing = Some(connection);
                    return Ok(Ok(()));
                }
                Ok(Added::Objection(objection)) => {
                    rolled_back(&connection).await?;
                    *writing = Some(connection);
                    return Ok(Err(objection));
                }
                Ok(Added::Gone(_)) if is_used => {}
                Ok(Added::Gone(trouble)) => return Err(trouble.into()),
                Ok(Added::Behind) => {
                    drop((connection, writing));
                    self.current().await?;
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(Trouble::own("others write faster than this machine can follow").into())
    }

    async fn added(
        &self,
        connection: &Connection,
        entry: &Arc<Entry>,
        unless: &Arc<Option<Unless>>,
    ) -> Result<Added, Failure> {
        let copied = self.files.last_copied().await?;
        let locked = match self.locked(connection, &copied).await {
            Err(trouble) if !trouble.is_refusal => return Ok(Added::Gone(trouble)),
            locked => locked?,
        };
        if locked.rows.len() >= LINES {
            return Ok(Added::Behind);
        }
        if !self.take_in(&copied, locked.rows).await? {
            return Ok(Added::Behind);
        }
        let last = self.files.last_copied().await?;
        // Who accepts the ledger as it is goes on behind the last line that there is.
        if last != locked.head && entry.event != ACCEPTED {
            let said = super::wrong_end(&locked.head, &last).to_string();
            return Err(self.unread(&Trouble::own(said)).hint(WAY_ON));
        }
        if last.seq == 0
            && let Some(forgotten) = self.former.forgotten().await?
        {
            return Err(
                Failure::new(Kind::Unavailable, forgotten.to_string()).hint("nothing was sent")
            );
        }
        if entry.event == "open" && !self.leases.are_held(&locked.turns) {
            let said = "this process was away for so long that another one may be changing the same \
                        access";
            return Err(Failure::new(Kind::Unavailable, said).hint("nothing was sent; ask again"));
        }
        let composed = self.files.composed(entry, unless, (last.clone(), locked.now)).await?;
        let line = match composed {
            Ok(line) => line,
            Err(objection) => return Ok(Added::Objection(objection)),
        };
        self.committed(connection, &last, &line).await?;
        Ok(Added::Yes)
    }

    /// Begins, locks the chain's row and reads what came since the copy: one round trip.
    async fn locked(&self, connection: &Connection, copied: &Link) -> Result<Locked, Trouble> {
        let client = &connection.client;
        let (chain, start) = (&self.chain, Link::start());
        let (from, most) = (number(copied.seq).max(1), number(LINES as u64));
        let format = i32::try_from(FORMAT).unwrap_or(i32::MAX);
        let holder = self.leases.holder();
        connection.warnings();
        let parts = async {
            let begun = async { client.batch_execute(BEGIN).await };
            let chain_there = [
                (chain as _, Type::TEXT),
                (&start.hash as _, Type::TEXT),
                (&format as _, Type::INT4),
            ];
            let chain_there = client.query_typed(CHAIN, &chain_there);
            let head = [(chain as _, Type::TEXT)];
            let head = client.query_typed(HEAD, &head);
            let leases = [(chain as _, Type::TEXT), (&holder as _, Type::TEXT)];
            let leases = client.query_typed(super::leases::HELD, &leases);
            let since =
                [(chain as _, Type::TEXT), (&from as _, Type::INT8), (&most as _, Type::INT8)];
            let since = client.query_typed(SINCE, &since);
            let all = futures_util::try_join!(begun, chain_there, head, leases, since)?;
            Ok::<_, Trouble>((all.2, all.3, all.4))
        };
        let (head, leases, since) = within_time(FOR_THE_CHAIN, parts).await?;
        let row = head.first().ok_or_else(|| Trouble::refusal("has no such chain"))?;
        let (head, writer_min): (Link, i32) = (link(row)?, get(row, 2)?);
        if writer_min > format {
            let said = "a newer version of this program writes to this ledger, and one of this version \
                        may not any more";
            return Err(Trouble::refusal(said));
        }
        let turn = |row| Ok::<_, Trouble>((get(row, 0)?, get(row, 1)?));
        let turns = leases.iter().map(turn).collect::<Result<_, _>>()?;
        Ok(Locked { head, now: get(row, 3)?, rows: lines(&since)?, turns })
    }

    /// Writes the line and commits: one round trip, and another where the answer is none.
    async fn committed(
        &self,
        connection: &Connection,
        head: &Link,
        line: &str,
    ) -> Result<(), Failure> {
        let client = &connection.client;
        let (seq, hash) = (number(head.seq + 1), chain::hash(line));
        let parts = async {
            let added =
                [(&self.chain as _, Type::TEXT), (&seq as _, Type::INT8), (&line as _, Type::TEXT)];
            let added = client.query_typed(LINE, &added);
            let forward =
                [(&self.chain as _, Type::TEXT), (&seq as _, Type::INT8), (&hash as _, Type::TEXT)];
            let forward = client.query_typed(FORWARD, &forward);
            let committed = async { client.batch_execute("COMMIT").await };
            futures_util::try_join!(added, forward, committed)?;
            Ok::<_, Trouble>(())
        };
        let trouble = match within(parts).await {
            Ok(()) => match connection.warnings().pop() {
                None => return Ok(()),
                Some(warning) => Trouble::own(warning),
            },
            Err(trouble) => trouble,
        };
        let said = &trouble.said;
        tracing::warn!(said, "a line is looked for that may not be recorded");
        match self.is_there(seq, line).await {
            Ok(true) => Ok(()),
            Ok(false) if trouble.said.contains(THERE_ALREADY) => {
                Err(self.unread(&trouble).hint(BY_HAND))
            }
            Ok(false) => Err(self.unread(&trouble)),
            Err(again) => {
                let said = format!("{said}; and when the line was looked for: {}", again.said);
                Err(self.unread(&Trouble::own(said)))
            }
        }
    }

    /// Whether a line is there, by a transaction that is acknowledged as that of a line has to be.
    async fn is_there(&self, seq: i64, line: &str) -> Result<bool, Trouble> {
        let connection = self.database.connect().await?;
        let client = &connection.client;
        let asked = async {
            let begun = async { client.batch_execute(BEGIN).await };
            let touch = [(&self.chain as _, Type::TEXT)];
            let touch = client.query_typed(TOUCH, &touch);
            let there = [(&self.chain as _, Type::TEXT), (&seq as _, Type::INT8)];
            let there = client.query_typed(THERE, &there);
            let committed = async { client.batch_execute("COMMIT").await };
            let all = futures_util::try_join!(begun, touch, there, committed)?;
            Ok(all.2)
        };
        let rows = within(asked).await?;
        if let Some(warning) = connection.warnings().pop() {
            return Err(Trouble::own(warning));
        }
        let body: Option<String> = rows.first().map(|row| get(row, 0)).transpose()?;
        Ok(body.as_deref() == Some(line))
    }

    /// Whether lines can be written: locks the chain as for one, and writes none.
    pub(in crate::control::ledger) async fn try_writing(&self) -> Result<(), Failure> {
        let connection = self.database.connect().await?;
        let copied = self.current().await?.last_copied().await?;
        self.locked(&connection, &copied).await?;
        Ok(rolled_back(&connection).await?)
    }
}

async fn rolled_back(connection: &Connection) -> Result<(), Trouble> {
    within(async { Ok(connection.client.batch_execute("ROLLBACK").await?) }).await
}

fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r tokio_postgres::Row,
    at: usize,
) -> Result<T, Trouble> {
    Ok(row.try_get(at)?)
}
