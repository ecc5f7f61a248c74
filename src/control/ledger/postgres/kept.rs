//! Small things that all replicas share, beside the lines: what is under way at a page, what an endpoint was
//! told, when a vendor may be asked again. None of it vouches for anything, and what is lost is made anew.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::{Postgres, Trouble};
use crate::failure::Failure;

/// Where they are; a copy is the same.
#[derive(Clone)]
pub struct Kept(Arc<Postgres>);

const GET: &str = "SELECT value FROM grantor.kept WHERE chain = $1 AND kind = $2 AND key = $3 \
    AND until > clock_timestamp()";
const LIST: &str = "SELECT key, value FROM grantor.kept WHERE chain = $1 AND kind = $2 \
    AND starts_with(key, $3) AND until > clock_timestamp() ORDER BY key";
const PUT: &str = "INSERT INTO grantor.kept (chain, kind, key, value, until) \
    VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 second') \
    ON CONFLICT (chain, kind, key) DO UPDATE SET value = excluded.value, until = excluded.until";
const SWAP: &str = "UPDATE grantor.kept SET value = $4, \
    until = clock_timestamp() + $5 * interval '1 second' \
    WHERE chain = $1 AND kind = $2 AND key = $3 AND value = $6 AND until > clock_timestamp() \
    RETURNING 1";
const FIRST: &str = "INSERT INTO grantor.kept (chain, kind, key, value, until) \
    VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 second') \
    ON CONFLICT (chain, kind, key) DO UPDATE SET value = excluded.value, until = excluded.until \
    WHERE kept.until <= clock_timestamp() RETURNING 1";
const TAKE: &str = "DELETE FROM grantor.kept WHERE chain = $1 AND kind = $2 AND key = $3 \
    RETURNING value, until > clock_timestamp()";
const SWEEP: &str = "DELETE FROM grantor.kept WHERE chain = $1 AND until <= clock_timestamp()";

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.0.chain)
    }
}

impl Kept {
    pub(in crate::control::ledger) fn of(database: Arc<Postgres>) -> Self {
        Self(database)
    }

    /// What is kept there, as long as its time is not over.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn get(&self, kind: &str, key: &str) -> Result<Option<String>, Failure> {
        let chain = &self.0.chain;
        let of = [(chain as _, Type::TEXT), (&kind as _, Type::TEXT), (&key as _, Type::TEXT)];
        let rows = self.0.asked(GET, &of).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose().map_err(Trouble::from)?)
    }

    /// All of a kind whose keys begin so, by their keys.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn list(&self, kind: &str, begin: &str) -> Result<Vec<(String, String)>, Failure> {
        let chain = &self.0.chain;
        let of = [(chain as _, Type::TEXT), (&kind as _, Type::TEXT), (&begin as _, Type::TEXT)];
        let rows = self.0.asked(LIST, &of).await?;
        let rows: Result<_, tokio_postgres::Error> =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
        Ok(rows.map_err(Trouble::from)?)
    }

    /// Keeps something that long, in place of what was there.
    ///
    /// # Errors
    /// The database cannot be asked: it may be kept or not.
    pub async fn put(
        &self,
        (kind, key): (&str, &str),
        value: &str,
        lasts: Duration,
    ) -> Result<(), Failure> {
        self.set(PUT, (kind, key), (value, None), lasts).await.map(drop)
    }

    /// Keeps something that long where `before` is kept now, or where nothing is, for none; whether it was so.
    ///
    /// # Errors
    /// The database cannot be asked: it may be kept or not.
    pub async fn swap(
        &self,
        of: (&str, &str),
        (before, value): (Option<&str>, &str),
        lasts: Duration,
    ) -> Result<bool, Failure> {
        let statement = if before.is_some() { SWAP } else { FIRST };
        self.set(statement, of, (value, before), lasts).await
    }

    async fn set(
        &self,
        statement: &str,
        (kind, key): (&str, &str),
        (value, before): (&str, Option<&str>),
        lasts: Duration,
    ) -> Result<bool, Failure> {
        let lasts = lasts.as_secs_f64();
        let mut of = vec![
            (&self.0.chain as _, Type::TEXT),
            (&kind as _, Type::TEXT),
            (&key as _, Type::TEXT),
            (&value as _, Type::TEXT),
            (&lasts as _, Type::FLOAT8),
        ];
        if let Some(before) = &before {
            of.push((before as _, Type::TEXT));
        }
        Ok(!self.0.asked(statement, &of).await?.is_empty())
    }

    /// Takes something out: nobody else gets it.
    ///
    /// # Errors
    /// The database cannot be asked: it may be gone or not.
    pub async fn take(&self, kind: &str, key: &str) -> Result<Option<String>, Failure> {
        let chain = &self.0.chain;
        let of = [(chain as _, Type::TEXT), (&kind as _, Type::TEXT), (&key as _, Type::TEXT)];
        let rows = self.0.asked(TAKE, &of).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let value: String = row.try_get(0).map_err(Trouble::from)?;
        let is_in_time: bool = row.try_get(1).map_err(Trouble::from)?;
        Ok(is_in_time.then_some(value))
    }

    /// Takes out whatever is over.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn sweep(&self) -> Result<(), Failure> {
        self.0.asked(SWEEP, &[(&self.0.chain as _, Type::TEXT)]).await.map(drop)
    }
}
