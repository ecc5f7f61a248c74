//! What a ledger in PostgreSQL costs: `GRANTOR_BENCH_STORE=postgres://OWNER@HOST/DATABASE cargo bench --bench
//! store`. Changes a second of several replicas on one chain and on many, beside the bare commits of the same
//! database in the same run; and a chain of a million lines.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark prints, reads its own variable, and fails loudly where it cannot run"
)]

#[path = "common/changes.rs"]
mod changes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use changes::POLICY;
use futures_util::future::join_all;
use grantor::guard::Guard;
use grantor::ledger::{Ledger, SharedStore, migrate};
use grantor::requester::Requester;
use grantor::secret::{Secret, SecretSource};
use jiff::Timestamp;
use tokio::runtime::Runtime;

const VARIABLE: &str = "GRANTOR_BENCH_STORE";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const REPLICAS: usize = 8;
const CHAINS: usize = 16;
const LASTS: Duration = Duration::from_secs(10);
const LINES: usize = 1_000_000;
const TIMES: usize = 100;
/// What a consented change writes: asked, answered, spent, open, close.
const OF_A_CHANGE: f64 = 5.0;

fn main() {
    let Ok(url) = std::env::var(VARIABLE) else {
        eprintln!("store: skipped, {VARIABLE} names no database");
        return;
    };
    let runtime = Runtime::new().unwrap();
    let lines = if std::env::args().any(|argument| argument == "--bench") { LINES } else { 1_000 };
    runtime.block_on(async {
        migrate(secret(&url)).await.unwrap();
        for chains in [1, CHAINS] {
            let bare = bare(&url, chains).await;
            let ours = lines_a_second(&url, chains).await;
            eprintln!(
                "store/{chains} chains, {REPLICAS} writers  bare {bare:.0} commits a second, {ours:.0} lines \
                 a second ({:.2} of bare): {:.0} consented changes a second",
                ours / bare,
                ours / OF_A_CHANGE
            );
        }
        grown(&url, lines).await;
        parted().await;
    });
}

async fn parted() {
    grantor::ledger::parted().await;
}

fn secret(url: &str) -> Secret {
    Secret::new(VARIABLE, SecretSource::Inline(url.into()))
}

fn ledger(dir: &Path, url: &str, chain: &str) -> Ledger {
    let key = Secret::new("key", SecretSource::Inline(KEY.into()));
    let store = SharedStore { url: secret(url), chain: chain.to_owned() };
    Ledger::kept(dir, Some(key), Some(store))
}

/// A chain that nobody has written to.
fn fresh(what: &str) -> String {
    format!("bench-{what}-{}", Timestamp::now().as_millisecond())
}

/// A row that is locked, a line that is added, a commit: as often as the database does it.
async fn bare(url: &str, chains: usize) -> f64 {
    let name = fresh("bare");
    let started = Instant::now();
    let work = (0..REPLICAS.max(chains)).map(|number| {
        let (url, chain) = (url.to_owned(), format!("{name}-{}", number % chains));
        tokio::spawn(async move {
            let (client, driver) =
                tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            let driver = tokio::spawn(driver);
            let begin = format!(
                "INSERT INTO grantor.chain (name, seq, hash, writer_min) VALUES ('{chain}', 0, '', 2) \
                 ON CONFLICT DO NOTHING"
            );
            client.batch_execute(&begin).await.unwrap();
            let body = "x".repeat(700);
            let line = format!(
                "BEGIN; SELECT seq FROM grantor.chain WHERE name = '{chain}' FOR UPDATE; \
                 UPDATE grantor.chain SET seq = seq + 1 WHERE name = '{chain}'; \
                 INSERT INTO grantor.line SELECT name, seq, '{body}' FROM grantor.chain \
                 WHERE name = '{chain}'; COMMIT"
            );
            let mut count = 0_u32;
            while started.elapsed() < LASTS {
                client.batch_execute(&line).await.unwrap();
                count += 1;
            }
            driver.abort();
            count
        })
    });
    let counts: u32 = join_all(work).await.into_iter().map(Result::unwrap).sum();
    f64::from(counts) / started.elapsed().as_secs_f64()
}

async fn lines_a_second(url: &str, chains: usize) -> f64 {
    let (name, dir) = (fresh("lines"), tempfile::tempdir().unwrap());
    let guard = Arc::new(Guard::compile("bench", POLICY, false).unwrap());
    let started = Instant::now();
    let work = (0..REPLICAS.max(chains)).map(|number| {
        let chain = format!("{name}-{}", number % chains);
        let ledger = ledger(&dir.path().join(number.to_string()), url, &chain);
        let guard = guard.clone();
        tokio::spawn(async move {
            let (requester, mut count) = (Requester::named("bench"), 0_u32);
            while started.elapsed() < LASTS {
                changes::done(&ledger, &guard, &requester, count as usize, false).await;
                count += 2;
            }
            count
        })
    });
    let counts: u32 = join_all(work).await.into_iter().map(Result::unwrap).sum();
    f64::from(counts) / started.elapsed().as_secs_f64()
}

/// A ledger of files that is taken over, and what it costs whoever comes new and whoever is there.
async fn grown(url: &str, lines: usize) {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let (dir, chain) = (dir.unwrap(), fresh("grown"));
    let guard = Guard::compile("bench", POLICY, false).unwrap();
    let key = || Some(Secret::new("key", SecretSource::Inline(KEY.into())));
    let (files, requester) = (dir.path().join("files"), Requester::named("bench"));
    let mut receipt = String::new();
    {
        let ledger = Ledger::new(&files, key());
        for number in 0..lines / 2 {
            receipt = changes::done(&ledger, &guard, &requester, number, false).await;
        }
    }
    let started = Instant::now();
    let store = SharedStore { url: secret(url), chain: chain.clone() };
    Ledger::import((&files, key()), store, &requester).await.unwrap();
    eprintln!("store/{lines} lines taken over           {:.1?}", started.elapsed());
    let new = ledger(&dir.path().join("new"), url, &chain);
    let started = Instant::now();
    assert!(new.find(&receipt).await.unwrap().is_some());
    eprintln!("store/copied and indexed by a new replica  {:.1?}", started.elapsed());
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for number in 0..TIMES {
        let [find, due, change] = &mut times;
        let started = Instant::now();
        new.find(&receipt).await.unwrap();
        find.push(started.elapsed());
        let started = Instant::now();
        new.due(Timestamp::now()).await.unwrap();
        due.push(started.elapsed());
        let started = Instant::now();
        changes::done(&new, &guard, &requester, number, false).await;
        change.push(started.elapsed());
    }
    for (what, mut times) in ["finding a receipt", "what is due", "a change"].into_iter().zip(times)
    {
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        eprintln!("store/{what}, {lines} lines  p50 {:.1?}  p99 {:.1?}", at(50), at(99));
    }
}
