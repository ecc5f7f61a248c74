//! A ledger of files goes on in a database: every line as it is, and the file takes no more.

use futures_util::future::try_join_all;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::appending::{BEGIN, LINE, TOUCH};
use super::database::{Connection, Trouble, within};
use super::{END, Postgres, link, number};
use crate::control::ledger::chain::{FORMAT, LinePosition, Link};
use crate::failure::Failure;

/// How many lines leave at a time.
const LINES: usize = 500;
const CHAIN: &str = "INSERT INTO grantor.chain (name, seq, hash, writer_min) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (name) DO UPDATE SET seq = $2, hash = $3 WHERE chain.seq = 0";

impl Postgres {
    /// Takes lines over, in one transaction: all of them, or none.
    ///
    /// # Errors
    /// The chain has lines already, or it cannot be written.
    pub(in crate::control::ledger) async fn take_over(
        &self,
        lines: &[String],
    ) -> Result<Link, Failure> {
        let last = lines.last().and_then(|line| Link::of(line));
        let last = last.ok_or_else(|| Trouble::own("there is no line to take over"))?;
        let connection = self.database.connect().await?;
        let client = &connection.client;
        let is_empty = within(async {
            client.batch_execute(BEGIN).await?;
            let format = i32::try_from(FORMAT).unwrap_or(i32::MAX);
            let seq = number(last.seq);
            let chain = [
                (&self.chain as _, Type::TEXT),
                (&seq as _, Type::INT8),
                (&last.hash as _, Type::TEXT),
                (&format as _, Type::INT4),
            ];
            client.query_typed(CHAIN, &chain).await?;
            let there = [(&self.chain as _, Type::TEXT)];
            let there = client
                .query_typed("SELECT 1 FROM grantor.line WHERE chain = $1 LIMIT 1", &there)
                .await?;
            Ok(there.is_empty())
        });
        if !is_empty.await? {
            // Whoever took it over died before the file could say so.
            return match self.ends_at(client, &last).await? {
                true => acknowledged(&connection).map(|()| last),
                false => {
                    let said = "has lines already: a ledger is taken over by an empty chain alone";
                    Err(Trouble::own(said).into())
                }
            };
        }
        for some in lines.chunks(LINES) {
            let chain = &self.chain;
            let added = some.iter().map(|line| async move {
                let seq = LinePosition::of(line).map_or(0, |place| number(place.seq));
                let line =
                    [(chain as _, Type::TEXT), (&seq as _, Type::INT8), (line as _, Type::TEXT)];
                client.query_typed(LINE, &line).await
            });
            within(async { Ok(try_join_all(added).await?) }).await?;
        }
        within(async { Ok(client.batch_execute("COMMIT").await?) }).await?;
        acknowledged(&connection).map(|()| last)
    }

    async fn ends_at(&self, client: &Client, last: &Link) -> Result<bool, Trouble> {
        within(async {
            client.batch_execute("ROLLBACK").await?;
            client.batch_execute(BEGIN).await?;
            let chain = [(&self.chain as _, Type::TEXT)];
            client.query_typed(TOUCH, &chain).await?;
            let rows = client.query_typed(END, &chain).await?;
            client.batch_execute("COMMIT").await?;
            let Some(row) = rows.first() else { return Ok(false) };
            Ok(link(row)? == *last)
        })
        .await
    }
}

/// Whether the commit was acknowledged by all who should have what was committed.
fn acknowledged(connection: &Connection) -> Result<(), Failure> {
    connection.warnings().pop().map_or(Ok(()), |warning| Err(Trouble::own(warning).into()))
}
