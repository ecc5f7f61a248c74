//! What the ledger costs as it grows: `cargo bench --bench ledger`.
//!
//! A ledger of a million lines is written through the library, on a file system in memory where
//! there is one, so that no flush is waited for half a million times.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a benchmark prints, and fails loudly where it cannot run"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use grantor::access::Outcome;
use grantor::catalogue::Supposed;
use grantor::guard::{Circumstances, Guard, Permitted, Verdict};
use grantor::ledger::{Closing, Ledger};
use grantor::requester::Requester;
use jiff::{SignedDuration, Timestamp};
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

const POLICY: &str = r#"
@id("all") permit (principal, action, resource);
"#;

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
        let permitted = permitted(guard, number, number < DUE);
        let opened = ledger.open(permitted, None, &requester).await.unwrap();
        let after = opened.intent().after.clone();
        let closing = Closing {
            outcome: Outcome::Confirmed,
            status: Some(201),
            request_id: None,
            after: &after,
            note: None,
            held: None,
            unseen: false,
        };
        ledger.close(opened.receipt(), &closing, &requester).await.unwrap();
        written += 2;
        if number == lines / 4 {
            opened.receipt().clone_into(&mut middle);
        }
    }
    (middle, written)
}

fn permitted(guard: &Guard, number: usize, is_due: bool) -> Box<Permitted> {
    let supposed = json!({
        "grantee": { "id": format!("user-{number}"), "name": "Sam Rivera", "kind": "user" },
        "role": { "id": "developer", "name": "Developer" },
        "resource": { "id": format!("asset-{}", number % 100), "name": "Orders", "kind": "asset" },
        "reason": "OPS-7: joins the team",
    });
    let now = Timestamp::now();
    let supposed: Supposed = serde_json::from_value(supposed).unwrap();
    let mut intent = supposed.intent("grant_asset_role", now).unwrap();
    intent.expires_at = is_due.then(|| now - SignedDuration::from_secs(1));
    let at = Circumstances { requester: &Requester::named("alice"), changes_this_hour: 0, now };
    match guard.judge(intent, &at) {
        Verdict::Allow(permitted) => permitted,
        other => unreachable!("{other:?}"),
    }
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
