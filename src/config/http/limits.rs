//! How much callers may ask for over HTTP, where an administrator says otherwise than is usual.

use std::time::Duration;

use toml::{Table, Value};

/// How much is served at a time, and how long anybody is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one caller that are worked on at the same time.
    pub caller_concurrency: usize,
    /// Requests of all callers that are worked on at the same time.
    pub concurrency: usize,
    /// How many requests of one caller may come each second, in the long run.
    pub caller_rate: u32,
    /// How many may come at once.
    pub caller_burst: u32,
    /// The largest body that is read, in bytes.
    pub body_limit: usize,
    /// How long reading it may take.
    pub body_timeout: Duration,
    /// How long a connection may say nothing, or take to say what it wants.
    pub idle_timeout: Duration,
    /// Connections at a time.
    pub connections: usize,
}

struct Limit {
    key: &'static str,
    usual: u32,
    most: u32,
}

const fn limit(key: &'static str, usual: u32, most: u32) -> Limit {
    Limit { key, usual, most }
}

const CALLER_CONCURRENCY: Limit = limit("caller_concurrency", 16, 1_024);
const CONCURRENCY: Limit = limit("concurrency", 256, 4_096);
const CALLER_RATE: Limit = limit("caller_rate", 100, 100_000);
const CALLER_BURST: Limit = limit("caller_burst", 200, 100_000);
const BODY_LIMIT: Limit = limit("body_limit", 1024 * 1024, 8 * 1024 * 1024);
const BODY_TIMEOUT: Limit = limit("body_timeout", 10, 300);
const IDLE_TIMEOUT: Limit = limit("idle_timeout", 30, 3_600);
const CONNECTIONS: Limit = limit("connections", 2_048, 100_000);
const ALL: [Limit; 8] = [
    CALLER_CONCURRENCY,
    CONCURRENCY,
    CALLER_RATE,
    CALLER_BURST,
    BODY_LIMIT,
    BODY_TIMEOUT,
    IDLE_TIMEOUT,
    CONNECTIONS,
];

/// The keys of all of them.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|limit| limit.key)
}

/// What is wrong with a value, if this is the key of a limit at all.
pub(super) fn check(key: &str, value: &Value) -> Option<Result<(), String>> {
    let limit = ALL.iter().find(|limit| limit.key == key)?;
    let fits = value.as_integer().is_some_and(|given| (1..=i64::from(limit.most)).contains(&given));
    let wanted = || format!("must be a whole number from 1 to {}", limit.most);
    Some(if fits { Ok(()) } else { Err(wanted()) })
}

impl Limits {
    /// What a section that was checked says.
    pub(super) fn of(content: &Table) -> Self {
        let said = |limit: Limit| {
            let given = content.get(limit.key).and_then(Value::as_integer);
            given.and_then(|given| u32::try_from(given).ok()).unwrap_or(limit.usual)
        };
        let count = |limit| said(limit) as usize;
        let seconds = |limit| Duration::from_secs(said(limit).into());
        Self {
            caller_concurrency: count(CALLER_CONCURRENCY),
            concurrency: count(CONCURRENCY),
            caller_rate: said(CALLER_RATE),
            caller_burst: said(CALLER_BURST),
            body_limit: count(BODY_LIMIT),
            body_timeout: seconds(BODY_TIMEOUT),
            idle_timeout: seconds(IDLE_TIMEOUT),
            connections: count(CONNECTIONS),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(&Table::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_what_is_said_or_else_the_usual() {
        let content: Table = "caller_rate = 5\nidle_timeout = 7\n".parse().unwrap();
        let usual = Limits::default();
        assert_eq!(
            (usual.caller_rate, usual.idle_timeout.as_secs(), usual.connections),
            (100, 30, 2_048)
        );
        let said = Limits { caller_rate: 5, idle_timeout: Duration::from_secs(7), ..usual };
        assert_eq!(Limits::of(&content), said);
        for (value, fits) in [
            ("1", true),
            ("1024", true),
            ("0", false),
            ("-1", false),
            ("1025", false),
            ("\"2\"", false),
            ("1.5", false),
        ] {
            let value = format!("a = {value}").parse::<Table>().unwrap()["a"].clone();
            let checked = check("caller_concurrency", &value).unwrap();
            assert_eq!(checked.is_ok(), fits, "{value:?}: {checked:?}");
        }
        assert!(check("port", &Value::Integer(1)).is_none());
    }
}
