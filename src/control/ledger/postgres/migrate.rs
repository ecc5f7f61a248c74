//! The tables, made by the owner of the schema.

use jiff::Timestamp;

use super::database::{Connection, Database, Trouble, within};
use crate::failure::Failure;
use crate::secret::Secret;

const SCHEMA: &str = include_str!("schema.sql");
/// Raised with every change of the tables that an older program could not work with.
const VERSION: i32 = 1;
const SET: &str = "DELETE FROM grantor.version; INSERT INTO grantor.version (version) VALUES (1)";
const KNOWN: &str = "SELECT version, clock_timestamp() FROM grantor.version";
const NO_TABLE: [&str; 2] = ["(42P01)", "(3F000)"];

/// Goes by the database's clock, which was read between `begun` and now.
pub(super) fn follow(clock: Timestamp, begun: Timestamp) {
    let half = Timestamp::now().duration_since(begun) / 2;
    crate::clock::follow(clock, begun.saturating_add(half).unwrap_or(begun));
}

/// Makes the tables, or brings them up to date; as often as anybody likes.
///
/// # Errors
/// The database cannot be reached, or does not let whoever asks.
pub async fn migrate(owner: Secret) -> Result<(), Failure> {
    let connection = Database::new(owner).connect().await?;
    let client = &connection.client;
    let made = async {
        let all = format!("BEGIN; {SCHEMA}; {SET}; COMMIT");
        Ok::<_, Trouble>(client.batch_execute(&all).await?)
    };
    Ok(within(made).await?)
}

impl Connection {
    /// Whether the tables are as this program needs them.
    pub(super) async fn is_fit(&self) -> Result<(), Trouble> {
        let begun = Timestamp::now();
        let rows = within(async { Ok(self.client.query_typed(KNOWN, &[]).await?) });
        let rows = rows.await.map_err(|trouble| {
            if NO_TABLE.iter().any(|code| trouble.said.contains(code)) {
                return Trouble::own("has no tables of a ledger: run `grantor ledger migrate`");
            }
            trouble
        })?;
        let version = rows.first().map(|row| row.try_get::<_, i32>(0)).transpose()?;
        if let Some(row) = rows.first() {
            follow(row.try_get(1)?, begun);
        }
        match version {
            Some(VERSION) => Ok(()),
            Some(other) if other > VERSION => {
                Err(Trouble::own("has tables of a newer version: bring this program up to date"))
            }
            _ => Err(Trouble::own("has tables of an older version: run `grantor ledger migrate`")),
        }
    }
}
