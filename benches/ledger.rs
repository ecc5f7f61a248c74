//! What the ledger costs as it grows: `cargo bench --bench ledger`.
//!
//! A ledger of a million lines is written through the library, on a file system in memory where
//! there is one, so that no flush is waited for half a million times.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a benchmark prints, and fails loudly where it cannot run"
)]

#[path = "common/changes.rs"]
mod changes;

use std::path::Path;
use std::time::{Duration, Instant};

use changes::POLICY;
use grantor::guard::Guard;
use grantor::ledger::Ledger;
use grantor::requester::Requester;
use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Runtime;

const LINES: usize = 1_000_000;
/// Changes that are due, among half a million others.
const DUE: usize = 10;
const TIMES: usize = 200;

fn main() {
    // `cargo test --benches` only asks whether it starts.
    let lines = if std::env::args().any(|argument| argument == "--bench") { LINES } else { 1_000 };
    let runtime = Runtime::new().unwrap();
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let dir = dir.unwrap();
    let guard = Guard::compile("bench", POLICY, false).unwrap();
    runtime.block_on(async {
        appending(dir.path()).await;
        let state = dir.path().join("grown");
        let started = Instant::now();
        let (receipt, written) = grow(&state, &guard, lines).await;
        eprintln!("ledger/written              {written} lines in {:.1?}", started.elapsed());
        let ledger = Ledger::new(&state, None);
        let took = once(|| ledger.due(Timestamp::now())).await;
        eprintln!("ledger/index made anew      {took:.1?}");
        print("finding what is due, in a process that just started", &{
            let mut times = Vec::new();
            for _ in 0..TIMES {
                let ledger = Ledger::new(&state, None);
                let started = Instant::now();
                assert_eq!(ledger.due(Timestamp::now()).await.unwrap().len(), DUE);
                times.push(started.elapsed());
            }
            times
        });
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..TIMES {
            let [due, find, open] = &mut times;
            due.push(once(|| ledger.due(Timestamp::now())).await);
            find.push(once(|| ledger.find(&receipt)).await);
            open.push(once(|| ledger.orphans(Timestamp::now())).await);
        }
        let [due, find, open] = &times;
        print("finding what is due", due);
        print("finding a receipt", find);
        print("finding what is open", open);
        let started = Instant::now();
        let audit = ledger.audit(None).await.unwrap();
        assert!(audit.is_whole());
        eprintln!("ledger/verifying all lines  {:.1?}", started.elapsed());
    });
}

/// What one line costs, without waiting for the disk.
async fn appending(dir: &Path) {
    let ledger = Ledger::new(&dir.join("appended"), None);
    let requester = Requester::named("bench");
    let mut times = Vec::new();
    for number in 0..TIMES * 50 {
        let content = json!({ "summary": "Sam Rivera: Developer on Orders", "number": number,
            "note": "x".repeat(600) });
        let started = Instant::now();
        ledger.refuse_plainly(content, &requester).await;
        times.push(started.elapsed());
    }
    print("appending a line without the flush", &times);
}

/// Writes changes until there are so many lines; the receipt of one in the middle.
async fn grow(state: &Path, guard: &Guard, lines: usize) -> (String, usize) {
    let ledger = Ledger::new(state, None);
    let (requester, mut middle, mut written) = (Requester::named("bench"), String::new(), 0);
    for number in 0..lines / 2 {
        let receipt = changes::done(&ledger, guard, &requester, number, number < DUE).await;
        written += 2;
        if number == lines / 4 {
            middle = receipt;
        }
    }
    (middle, written)
}

async fn once<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(
    work: impl FnOnce() -> F,
) -> Duration {
    let started = Instant::now();
    work().await.unwrap();
    started.elapsed()
}

fn print(what: &str, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    eprintln!("ledger/{what}  p50 {:.0?}  p99 {:.0?}", at(50), at(99));
}
