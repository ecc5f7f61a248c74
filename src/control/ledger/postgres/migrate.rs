//! The tables, made by the owner of the schema.

use std::time::Instant;

use jiff::Timestamp;

use super::database::{Connection, Database, Trouble, within};
use crate::failure::Failure;
use crate::secret::Secret;

const SCHEMA: &str = include_str!("schema.sql");
/// Raised with every change of the tables that an older program could not work with.
const VERSION: i32 = 1;
const SET: &str = "DELETE FROM grantor.version; INSERT INTO grantor.version (version) VALUES (1)";
const KNOWN: &str = "SELECT version, clock_timestamp() FROM grantor.version";
const NOT_PERMITTED: &str = "(42501)";
const NO_TABLE: [&str; 2] = ["(42P01)", "(3F000)"];

/// Goes by the database's clock, which was read between `begun` and now.
pub(super) fn follow(clock: Timestamp, begun: Instant) {
    crate::clock::follow(clock, begun + begun.elapsed() / 2);
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
    within(made).await.map_err(|trouble| {
        let is_not_owner = trouble.said.contains(NOT_PERMITTED);
        let failure = Failure::from(trouble);
        match is_not_owner {
            true => failure.hint(
                "the owner of the tables makes them: name it as owner_url in [store], or in GRANTOR_STORE_OWNER_URL",
            ),
            false => failure,
        }
    })
}

impl Connection {
    /// Whether the tables are as this program needs them.
    pub(super) async fn is_fit(&self) -> Result<(), Trouble> {
        let begun = Instant::now();
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
