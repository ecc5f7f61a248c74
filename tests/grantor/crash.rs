use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use futures_util::StreamExt as _;
use grantor::sandbox::FaultKind;
use serde_json::{Value, json};

use super::harness::{Raw, World, parsed};
use super::proxy::{Proxy, Then};
use super::writes::{GRANTS, Grant};

/// Where a process is killed that carries out a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// It is about to record the change.
    BeforeTheOpenLine,
    /// The change is recorded, and the vendor has heard nothing of it, nor ever will.
    AfterTheOpenLine,
    /// The vendor gets the change when its sender is dead already.
    AfterTheWriteLeft,
    /// The vendor has applied it, and never answers.
    Applied,
    /// The vendor has answered, and the outcome is about to be recorded.
    BeforeTheClosingLine,
}

use Point::{
    AfterTheOpenLine, AfterTheWriteLeft, Applied, BeforeTheClosingLine, BeforeTheOpenLine,
};

const POINTS: [Point; 5] =
    [BeforeTheOpenLine, AfterTheOpenLine, AfterTheWriteLeft, Applied, BeforeTheClosingLine];
/// How often at each point and each of the five vendors.
const KILLS: usize = 4;
/// How old a change must be to be looked into.
const ORPHANED: Duration = Duration::from_secs(61);
const LONG: Duration = Duration::from_secs(600);

/// A change whose process was killed, and what it left.
struct Killed {
    grant: &'static Grant,
    point: Point,
    world: World,
    _proxy: Proxy,
}

/// Processes that die at every point of a change, at every vendor; then a start.
#[tokio::test]
async fn what_a_dead_process_left_is_found_out_and_never_sent_again() {
    let cases = (0..KILLS)
        .flat_map(|_| POINTS)
        .flat_map(|point| GRANTS[..5].iter().map(move |grant| (grant, point)));
    let kills = futures_util::stream::iter(cases.map(|(grant, point)| kill(grant, point)));
    let killed: Vec<Killed> = kills.buffer_unordered(4).collect().await;
    tokio::time::sleep(ORPHANED).await;
    let starts = futures_util::stream::iter(killed.iter().map(start));
    let ended: Vec<(Point, String)> = starts.buffer_unordered(4).collect().await;
    let mut table = BTreeMap::<(Point, String), usize>::new();
    for end in ended {
        *table.entry(end).or_default() += 1;
    }
    println!("killed at                outcome after a start    times");
    for ((point, outcome), times) in &table {
        println!("{:<24} {outcome:<24} {times}", format!("{point:?}"));
    }
    assert_eq!(table.values().sum::<usize>(), KILLS * POINTS.len() * 5);
    let wanted = |point| {
        if point == BeforeTheOpenLine {
            "nothing recorded"
        } else if point == AfterTheOpenLine {
            "unavailable"
        } else {
            "confirmed"
        }
    };
    for (point, outcome) in table.keys() {
        assert_eq!(outcome, wanted(*point), "{point:?}");
    }
}

async fn kill(grant: &'static Grant, point: Point) -> Killed {
    let world = World::new().await.tokens_straight().await;
    let upstream = world.variable(grant.variable).to_owned();
    let (method, path) = (grant.method, grant.path);
    let proxy = Proxy::start(Some(&upstream), move |asked, asked_path| {
        let write = asked == method && asked_path.contains(path);
        let is_held = match point {
            // At Dfns a change is signed, after it was recorded, with a request of its own.
            AfterTheOpenLine => write || asked_path.ends_with("/auth/action/init"),
            AfterTheWriteLeft | BeforeTheClosingLine => write,
            BeforeTheOpenLine | Applied => false,
        };
        if is_held { Then::Hold } else { Then::Pass }
    })
    .await;
    let world = world.set(grant.variable, &proxy.url);
    if point == Applied {
        world.inject(grant.vendor, grant.method, grant.path, FaultKind::StallAfter(LONG));
    }
    let state = world.path("state");
    std::fs::create_dir_all(&state).unwrap();
    let lock = || {
        let lock = File::options().create(true).append(true).open(state.join("ledger.lock"));
        let lock = lock.unwrap();
        lock.lock().unwrap();
        lock
    };
    let before = (point == BeforeTheOpenLine).then(lock);
    let mut server = world.serve_raw_logged();
    let pid = server.id();
    server.hello("2025-11-25").await;
    server
        .send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": grant.tool, "arguments": parsed(grant.arguments) } }))
        .await;
    let mut held = None;
    match point {
        BeforeTheOpenLine => waits_for_the_lock(pid).await,
        AfterTheOpenLine | AfterTheWriteLeft => proxy.held.notified().await,
        Applied => until(|| !world.writes().is_empty()).await,
        BeforeTheClosingLine => {
            proxy.held.notified().await;
            held = Some(lock());
            proxy.release.notify_one();
            waits_for_the_lock(pid).await;
        }
    }
    server.kill().await;
    drop((before, held));
    if point == AfterTheWriteLeft {
        proxy.release.notify_one();
        until(|| !world.writes().is_empty()).await;
    }
    let reached = usize::from(!matches!(point, BeforeTheOpenLine | AfterTheOpenLine));
    assert_eq!(world.writes().len(), reached, "{point:?} at {}", grant.vendor);
    let ledger = world.ledger();
    let events: Vec<_> = ledger.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let recorded: &[&str] = if point == BeforeTheOpenLine { &[] } else { &["open"] };
    assert_eq!(events, recorded, "{point:?} at {}", grant.vendor);
    Killed { grant, point, world, _proxy: proxy }
}

/// Starts a server after the crash, and waits until it has settled what was left.
async fn start(killed: &Killed) -> (Point, String) {
    let Killed { grant, point, world, .. } = killed;
    let sent = world.writes().len();
    let mut server = world.serve_raw_logged();
    server.hello("2025-11-25").await;
    let check = json!({ "name": "check_change", "arguments": {} });
    server.ask(1, "tools/call", check).await;
    let found = || world.ledger().into_iter().find(|line| line["event"] == "found");
    let outcome = if *point == BeforeTheOpenLine {
        // Nothing tells of it, and nothing was sent.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(found(), None);
        "nothing recorded".to_owned()
    } else {
        until(|| found().is_some()).await;
        found().unwrap()["outcome"].as_str().unwrap().to_owned()
    };
    let (status, _) = server.finish().await;
    assert_eq!(status, 0);
    assert_eq!(world.writes().len(), sent, "{point:?} at {}: nothing is sent again", grant.vendor);
    let ledger: Vec<Value> = world.ledger();
    let ends = ledger.iter().filter(|line| line["event"] == "found").count();
    assert_eq!(ends, usize::from(*point != BeforeTheOpenLine), "{ledger:#?}");
    (*point, outcome)
}

/// Minutes are for a machine that has much else to do.
async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..18_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to that");
}

/// Until a process stands in front of a file lock that somebody else has.
async fn waits_for_the_lock(pid: u32) {
    until(|| {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let waits = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.get(1) == Some(&"->") && words.get(5) == Some(&pid.to_string().as_str())
        };
        locks.lines().any(waits)
    })
    .await;
}

/// A process that is alive has not lost what it is at, however long that takes.
#[tokio::test]
async fn what_a_live_process_is_at_is_left_alone() {
    let grant = &GRANTS[3];
    let world = World::new().await;
    let url = world.variable(grant.variable).to_owned();
    let (method, path) = (grant.method, grant.path);
    let proxy = Proxy::start(Some(&url), move |asked, asked_path| {
        if asked == method && asked_path.contains(path) { Then::Hold } else { Then::Pass }
    })
    .await;
    let world = world.set(grant.variable, &proxy.url);
    let mut server: Raw = world.serve_raw_logged();
    server.hello("2025-11-25").await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": grant.tool, "arguments": parsed(grant.arguments) } });
    server.send(&call).await;
    proxy.held.notified().await;
    // A minute later, by its own line, it would be an orphan if nobody held it.
    let ledger = grantor::ledger::Ledger::new(&world.path("state"), None);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(2);
    assert!(ledger.orphans(later).await.unwrap().is_empty());
    server.kill().await;
    assert_eq!(ledger.orphans(later).await.unwrap().len(), 1, "its end makes it one");
}
