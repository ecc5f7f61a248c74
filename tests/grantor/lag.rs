//! A vendor whose reads lag behind its writes: what is read just after a change is what was there
//! before. Access for a time goes all the same, or somebody is told, loudly, until it does.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use grantor::sandbox::{FaultKind, Modes};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::harness::{Ran, World, parsed, status, time_is_over};
use super::writes::{GRANTS, Grant};

/// Longer than reading back is patient, and than a few commands take on a machine that is busy.
const LAG: Duration = Duration::from_secs(15);
/// For how long what is granted for a time is granted.
const SECONDS: u64 = 3;
/// The same where its end is made to come.
const HOUR: u64 = 3_600;
const LONG: Duration = Duration::from_secs(600);
/// When a read-back says what it shows, whatever that is.
const MINUTE: Duration = Duration::from_secs(61);

async fn lagging(lag: Duration) -> World {
    // The end is Grantor's to bring about at every vendor.
    let modes = Modes { reads_lag: lag, outsystems_ends: false, ..Modes::default() };
    World::with(modes).await.without_guard()
}

async fn call(world: &World, tool: &str, arguments: &Value) -> Value {
    parsed(&world.run(&["call", tool, &arguments.to_string()]).await.stdout)
}

async fn of(world: &World, tool: &str, receipt: &Value) -> Value {
    call(world, tool, &json!({ "receipt": receipt })).await
}

async fn expire(world: &World) -> (i32, String) {
    let Ran { status, stdout, stderr } = world.run(&["expire"]).await;
    // That rules forbid nothing is said at each start.
    let of_rules = |line: &&str| !line.starts_with("grantor: policy: ");
    let stderr: String = stderr.split_inclusive('\n').filter(of_rules).collect();
    (status, stdout + &stderr)
}

fn timed(grant: &Grant, seconds: u64) -> Value {
    let mut arguments = parsed(grant.arguments);
    arguments["expires_in"] = json!(format!("PT{seconds}S"));
    arguments
}

/// Until the time of the first change is over.
async fn over(world: &World) {
    let end: Timestamp = text(&world.ledger()[0], "expires_at").parse().unwrap();
    while Timestamp::now() <= end {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Has the time of the first change be over.
async fn is_over(world: &World) {
    time_is_over(world, text(&world.ledger()[0], "receipt")).await;
}

async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to that");
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value:#}"))
}

/// What a change is called while it does not show, and what can be done with it then; and that it is
/// taken back as well as any other once it does.
#[tokio::test]
async fn what_does_not_show_yet_is_unconfirmed_and_is_looked_at_before_it_is_undone() {
    join_all(GRANTS.iter().map(unseen_then_undone)).await;
}

async fn unseen_then_undone(grant: &Grant) {
    let tool = grant.tool;
    let world = lagging(LONG).await;
    let granted = call(&world, tool, &parsed(grant.arguments)).await;
    assert_eq!(granted["outcome"], "unconfirmed", "{tool}: {granted:#}");
    let receipt = &granted["receipt"];
    assert!(text(&granted, "hint").contains(text(&granted, "receipt")), "{granted:#}");
    // Neither is the same sent twice, nor is what is on its way taken back.
    let again = call(&world, tool, &parsed(grant.arguments)).await;
    assert_eq!(again["outcome"], "unavailable", "{tool}: {again:#}");
    assert!(text(&again, "hint").contains(text(&granted, "receipt")), "{again:#}");
    let undone = of(&world, "undo_change", receipt).await;
    assert_eq!(undone["outcome"], "refused", "{tool}: {undone:#}");
    assert_eq!(world.writes().len(), 1, "{tool}");
    let shown = of(&world, "check_change", receipt).await;
    assert_eq!(shown["outcome"], "unconfirmed", "{tool}: {shown:#}");
    world.sandbox.catch_up();
    let undone = of(&world, "undo_change", receipt).await;
    assert_eq!(undone["outcome"], "unconfirmed", "{tool}: {undone:#}");
    let again = of(&world, "undo_change", receipt).await;
    assert_eq!(again["outcome"], "refused", "{tool}: {again:#}");
    assert!(text(&again, "summary").contains(text(&undone, "receipt")), "{again:#}");
    assert_eq!(world.writes().len(), 2, "{tool}");
    world.sandbox.catch_up();
    let shown = of(&world, "check_change", receipt).await;
    assert_eq!(shown["note"], "it was undone", "{tool}: {shown:#}");
    let shown = of(&world, "check_change", &undone["receipt"]).await;
    assert_eq!(shown["outcome"], "confirmed", "{tool}: {shown:#}");
}

/// A lag that is shorter than reading back is patient is not even seen.
#[tokio::test]
async fn a_lag_of_a_moment_is_waited_for() {
    let one = |grant: &'static Grant| async move {
        let world = lagging(Duration::from_millis(900)).await;
        let granted = call(&world, grant.tool, &parsed(grant.arguments)).await;
        assert_eq!(granted["outcome"], "confirmed", "{}: {granted:#}", grant.tool);
    };
    join_all(GRANTS.iter().map(one)).await;
}

/// What is taken away and still shows is not given again, and what is given and does not show yet is
/// not called absent.
#[tokio::test]
async fn what_is_on_its_way_is_not_called_absent() {
    let world = lagging(LONG).await;
    let granted = call(&world, GRANTS[0].tool, &parsed(GRANTS[0].arguments)).await;
    assert_eq!(granted["outcome"], "unconfirmed", "{granted:#}");
    let revoked = call(&world, "revoke_asset_role", &parsed(GRANTS[0].arguments)).await;
    assert_eq!(revoked["outcome"], "unavailable", "{revoked:#}");
    let beside =
        r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Billing"]}"#;
    let beside = call(&world, GRANTS[0].tool, &parsed(beside)).await;
    assert_eq!(beside["outcome"], "unconfirmed", "another asset is another access: {beside:#}");
    world.sandbox.catch_up();
    let revoked = call(&world, "revoke_asset_role", &parsed(GRANTS[0].arguments)).await;
    assert_eq!(revoked["outcome"], "unconfirmed", "{revoked:#}");
}

/// What is not certain for a minute is then.
#[tokio::test]
async fn a_minute_settles_what_does_not_show() {
    tokio::join!(
        a_yes_that_nothing_comes_of_is_a_mismatch_after_a_minute(),
        an_end_that_nothing_comes_of_is_overdue_and_not_sent_again(),
        what_may_have_happened_is_not_called_undone_within_a_minute(),
    );
}

/// A yes that nothing comes of: unconfirmed for a minute, and then it is said that it is not so.
async fn a_yes_that_nothing_comes_of_is_a_mismatch_after_a_minute() {
    let (grant, world) = (&GRANTS[0], lagging(Duration::ZERO).await);
    let yes = || FaultKind::Status { status: 201, headers: Vec::new(), body: String::new() };
    world.inject(grant.vendor, grant.method, grant.path, yes());
    let granted = call(&world, grant.tool, &timed(grant, SECONDS)).await;
    assert_eq!(granted["outcome"], "unconfirmed", "{granted:#}");
    let sent = Instant::now();
    let receipt = &granted["receipt"];
    over(&world).await;
    let (status, said) = expire(&world).await;
    assert!(status == 1 && said.contains(text(&granted, "receipt")), "{status}: {said}");
    tokio::time::sleep(MINUTE.saturating_sub(sent.elapsed())).await;
    let shown = of(&world, "check_change", receipt).await;
    assert_eq!(shown["outcome"], "mismatch", "{shown:#}");
    let undone = of(&world, "undo_change", receipt).await;
    assert_eq!(undone["outcome"], "refused", "{undone:#}");
    let (status, said) = expire(&world).await;
    assert!(status == 0 && said.contains("gone"), "it never came: {status}: {said}");
    assert_eq!(expire(&world).await, (0, String::new()));
    assert_eq!(world.writes().len(), 1);
}

/// An end that the vendor says yes to, and that nothing comes of: looked at again for a minute, then
/// overdue for good, and never sent twice.
async fn an_end_that_nothing_comes_of_is_overdue_and_not_sent_again() {
    let (grant, world) = (&GRANTS[0], lagging(Duration::ZERO).await);
    let granted = call(&world, grant.tool, &timed(grant, HOUR)).await;
    assert_eq!(granted["outcome"], "confirmed", "{granted:#}");
    let yes = FaultKind::Status { status: 204, headers: Vec::new(), body: String::new() };
    world.inject(grant.vendor, "DELETE", grant.path, yes);
    is_over(&world).await;
    let receipt = text(&granted, "receipt");
    let (status, said) = expire(&world).await;
    assert!(status == 1 && said.contains(receipt), "{status}: {said}");
    // The minute counts from when the end was sent, which takes as long as a busy machine likes.
    let begun = Instant::now();
    let (status, said) = expire(&world).await;
    assert!(status == 1 && said.contains("still shows"), "{status}: {said}");
    assert_eq!(world.writes().len(), 2);
    tokio::time::sleep(MINUTE.saturating_sub(begun.elapsed()) + Duration::from_secs(3)).await;
    for _ in 0..2 {
        let (status, said) = expire(&world).await;
        assert!(status == 1 && said.contains("more than a minute"), "{status}: {said}");
        assert_eq!(world.writes().len(), 2, "it is not sent again");
    }
    let listed = world.run(&["requests", "--ids"]).await.stdout;
    assert!(listed.contains("overdue") && listed.contains(receipt), "{listed}");
    let ran = world.run(&["doctor"]).await;
    assert!(ran.status == 1 && ran.stdout.contains("1 change past its end"), "{ran:#?}");
}

/// What the vendor never got, from a process that was killed: told until it is known not to come.
#[tokio::test]
async fn a_killed_grant_whose_fate_is_not_known_is_named_everywhere() {
    let (grant, world) = (&GRANTS[3], lagging(Duration::ZERO).await);
    world.inject(grant.vendor, grant.method, grant.path, FaultKind::Stall(LONG));
    killed(&world, grant, HOUR, || true).await;
    let (status, said) = expire(&world).await;
    assert_eq!((status, said.as_str()), (0, ""), "it is not due");
    is_over(&world).await;
    let receipt = text(&world.ledger()[0], "receipt").to_owned();
    let (status, said) = expire(&world).await;
    assert!(status == 1 && said.contains(&receipt), "{status}: {said}");
    let ran = world.run(&["requests", "--ids"]).await;
    assert!(ran.stdout.contains("overdue") && ran.stdout.contains(&receipt), "{ran:#?}");
    let ran = world.run(&["doctor"]).await;
    assert!(ran.status == 1 && ran.stdout.contains("1 change past its end"), "{ran:#?}");
    assert_eq!(world.writes().len(), 1, "it is not sent again");
}

/// 408, 425 and 499 come from something that stopped waiting: the vendor may have done it.
#[tokio::test]
async fn a_timed_grant_that_was_applied_in_spite_of_a_timeout_is_taken_back() {
    let cases =
        [408, 425, 499].into_iter().flat_map(|code| GRANTS[..5].iter().map(move |g| (code, g)));
    let one = |(code, grant): (u16, &'static Grant)| async move {
        let world = lagging(Duration::ZERO).await;
        let applied = FaultKind::Alter { status: Some(code), headers: Vec::new(), body: None };
        world.inject(grant.vendor, grant.method, grant.path, applied);
        let granted = call(&world, grant.tool, &timed(grant, HOUR)).await;
        assert_eq!(granted["outcome"], "confirmed", "{code} {}: {granted:#}", grant.tool);
        is_over(&world).await;
        let (status, said) = expire(&world).await;
        assert!(status == 0 && said.contains("confirmed"), "{code} {}: {said}", grant.tool);
        assert_eq!(world.writes().len(), 2);
    };
    join_all(cases.map(one)).await;
}

/// What cannot be carried out is told once by each server, however often it is tried.
#[tokio::test]
async fn what_cannot_be_carried_out_is_warned_of_once() {
    let (grant, world) = (&GRANTS[3], lagging(Duration::ZERO).await);
    let granted = call(&world, grant.tool, &timed(grant, HOUR)).await;
    assert_eq!(granted["outcome"], "confirmed", "{granted:#}");
    let more = grant.arguments.replace(r#"["R", "X"]"#, r#"["R", "W", "X"]"#);
    let more = call(&world, grant.tool, &parsed(&more)).await;
    assert_eq!(more["outcome"], "confirmed", "{more:#}");
    is_over(&world).await;
    let server = world.serve().await;
    server.call("check_change", json!({})).await;
    tokio::time::sleep(Duration::from_secs(17)).await;
    server.stop().await;
    let log = world.stderr();
    assert_eq!(log.matches("not carried out").count(), 1, "{log}");
}

/// How a grant for a time began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its answer came.
    Confirmed,
    /// The vendor did it, and its answer was lost.
    AnswerLost,
    /// The vendor did it and held its answer, and whoever had asked was killed.
    Killed,
}

const FATES: [Fate; 3] = [Fate::Confirmed, Fate::AnswerLost, Fate::Killed];
/// Longer than any lag here, and than the minute in which nothing is certain.
const GIVES_UP: Duration = Duration::from_secs(140);
/// How many processes start at a time: more of them keep each other from sending before their grant
/// is over, and OutSystems refuses such a grant.
const AT_ONCE: usize = 4;
/// For how long what is granted for a time is granted, in a cell that is tried so often.
const TRIES: [u64; 3] = [SECONDS, 12, 40];

/// What became of a cell of the matrix.
#[derive(Debug)]
enum Verdict {
    /// After so many seconds, and so many times that `expire` named it.
    Gone(u64, usize),
    Named(usize),
    CannotRun(String),
    /// The access stands and nobody is told, or it went otherwise than by one end.
    Wrong(String),
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = match self {
            Self::Gone(after, told) => format!("gone, {after} s, named {told}x"),
            Self::Named(told) => format!("named {told}x, exit 1"),
            Self::CannotRun(why) => format!("cannot run: {why}"),
            Self::Wrong(what) => format!("WRONG: {what}"),
        };
        f.pad(&shown)
    }
}

/// Starts a server, has it send a grant for a time, and kills it while the vendor holds its answer:
/// once it is applied, or is not going to be.
async fn killed(world: &World, grant: &Grant, seconds: u64, applied: impl Fn() -> bool) {
    let mut server = world.serve_raw_logged();
    server.hello("2025-11-25").await;
    let params = json!({ "name": grant.tool, "arguments": timed(grant, seconds) });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    server.send(&call).await;
    until(|| !world.writes().is_empty()).await;
    let came = Instant::now();
    until(|| applied() || came.elapsed() > Duration::from_secs(10)).await;
    server.kill().await;
}

/// What the vendor knows itself of who has what, whatever its reads show, in no order.
fn held(world: &World, grant: &Grant) -> Value {
    fn in_no_order(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                // How often a list was set says nothing of what is on it.
                fields.remove("version");
                fields.values_mut().for_each(in_no_order);
            }
            Value::Array(all) => {
                all.iter_mut().for_each(in_no_order);
                all.sort_by_cached_key(Value::to_string);
            }
            _ => {}
        }
    }
    let mut held = world.sandbox.now().unwrap()[grant.vendor].take();
    in_no_order(&mut held);
    held
}

/// What became of one grant for a time, by `grantor expire` alone.
async fn cell(grant: &'static Grant, lag: Duration, fate: Fate, turn: &Semaphore) -> Verdict {
    let mut verdict = Verdict::CannotRun("it was not tried".to_owned());
    for seconds in TRIES {
        verdict = cell_once(grant, lag, fate, seconds, turn).await;
        if !matches!(verdict, Verdict::CannotRun(_)) {
            break;
        }
    }
    verdict
}

async fn cell_once(
    grant: &'static Grant,
    lag: Duration,
    fate: Fate,
    seconds: u64,
    turn: &Semaphore,
) -> Verdict {
    let world = lagging(lag).await;
    let before = held(&world, grant);
    let fault = match fate {
        Fate::Confirmed => None,
        Fate::AnswerLost => Some(FaultKind::DropAfter),
        Fate::Killed => Some(FaultKind::StallAfter(LONG)),
    };
    if let Some(fault) = fault {
        world.inject(grant.vendor, grant.method, grant.path, fault);
    }
    let mine = turn.acquire().await.unwrap();
    if fate == Fate::Killed {
        killed(&world, grant, seconds, || held(&world, grant) != before).await;
    } else {
        call(&world, grant.tool, &timed(grant, seconds)).await;
    }
    drop(mine);
    if held(&world, grant) == before {
        let sent: Vec<_> = world.writes().iter().map(|seen| seen.status).collect();
        return Verdict::CannotRun(format!("it was not granted: {sent:?}"));
    }
    let receipt = text(&world.ledger()[0], "receipt").to_owned();
    over(&world).await;
    let (begun, mut told) = (Instant::now(), 0);
    while begun.elapsed() < GIVES_UP {
        let mine = turn.acquire().await.unwrap();
        let (status, said) = expire(&world).await;
        drop(mine);
        if status == 0 {
            let after = begun.elapsed().as_secs();
            let gone = held(&world, grant) == before;
            // Nothing gives it again once all of it shows.
            tokio::time::sleep(lag + Duration::from_millis(200)).await;
            let gone = gone && held(&world, grant) == before;
            return match world.writes().len() {
                _ if !gone => Verdict::Wrong(format!("silent, and it stands: {said}")),
                2 => Verdict::Gone(after, told),
                sent => Verdict::Wrong(format!("{sent} writes: {said}")),
            };
        }
        if !said.contains(&receipt) {
            return Verdict::Wrong(format!("exit {status} names another: {said}"));
        }
        told += 1;
        tokio::time::sleep(Duration::from_millis(1_900)).await;
    }
    Verdict::Named(told)
}

/// Every cell is gone or named; one that cannot run proves nothing, and is told as that.
async fn matrix(lags: &[u64]) {
    let rows: Vec<_> =
        GRANTS[..5].iter().flat_map(|grant| lags.iter().map(move |lag| (grant, *lag))).collect();
    let turn = Semaphore::new(AT_ONCE);
    let turn = &turn;
    let run = |(grant, lag): &(&'static Grant, u64)| {
        let (grant, lag) = (*grant, Duration::from_secs(*lag));
        join_all(FATES.map(|fate| cell(grant, lag, fate, turn)))
    };
    let ran = join_all(rows.iter().map(run)).await;
    println!(
        "{:12} {:>5}  {:26} {:26} {:26}",
        "vendor", "lag", "confirmed", "answer lost", "killed"
    );
    for ((grant, lag), cells) in rows.iter().zip(&ran) {
        let [one, two, three] = &cells[..] else { panic!("{cells:?}") };
        println!("{:12} {lag:>3} s  {one:26} {two:26} {three:26}", grant.vendor);
    }
    let bad = |cell: &&Verdict| !matches!(cell, Verdict::Gone(..) | Verdict::Named(_));
    let bad: Vec<_> = ran.iter().flatten().filter(bad).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Five vendors, three fates: the access is gone in the end, and until then `expire` names it.
#[tokio::test]
async fn access_for_a_time_goes_however_late_it_shows() {
    // A shorter lag is over before a machine that is busy has looked once.
    matrix(&[0, LAG.as_secs()]).await;
}

/// The same with more lags; it takes some minutes of much work.
#[tokio::test]
#[ignore = "sixty cells for minutes"]
async fn access_for_a_time_goes_at_every_lag() {
    matrix(&[0, 2, 5, 20]).await;
}

/// The end was done and nobody heard so: it is looked for, and not sent a second time.
#[tokio::test]
async fn an_end_whose_answer_is_lost_is_looked_at_and_not_sent_twice() {
    let one = |grant: &'static Grant| async move {
        let lag = Duration::from_secs(5);
        let world = lagging(lag).await;
        call(&world, grant.tool, &timed(grant, SECONDS)).await;
        over(&world).await;
        tokio::time::sleep(lag).await;
        // Whatever the end is sent as.
        for method in ["DELETE", "PUT", "POST"] {
            world.inject(grant.vendor, method, grant.path, FaultKind::DropAfter);
        }
        let receipt = text(&world.ledger()[0], "receipt").to_owned();
        let mut told = 0;
        loop {
            let (status, said) = expire(&world).await;
            if status == 0 {
                break;
            }
            assert!(said.contains(&receipt), "{}: {said}", grant.tool);
            told += 1;
            assert!(told < 20, "{}: {said}", grant.tool);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(told > 0, "{}", grant.tool);
        assert_eq!(world.writes().len(), 2, "{}", grant.tool);
        let shown = of(&world, "check_change", &json!(receipt)).await;
        assert!(shown["ended_by"].is_string(), "{}: {shown:#}", grant.tool);
    };
    join_all(GRANTS[..5].iter().map(one)).await;
}

/// What is unclear is found out once it shows, and is not called undone before that.
async fn what_may_have_happened_is_not_called_undone_within_a_minute() {
    let (grant, world) = (&GRANTS[3], lagging(Duration::ZERO).await);
    world.inject(grant.vendor, grant.method, grant.path, status(500));
    let unclear = call(&world, grant.tool, &parsed(grant.arguments)).await;
    assert_eq!(unclear["outcome"], "unknown", "{unclear:#}");
    let sent = Instant::now();
    let shown = of(&world, "check_change", &unclear["receipt"]).await;
    assert_eq!(shown["outcome"], "unknown", "{shown:#}");
    tokio::time::sleep(MINUTE.saturating_sub(sent.elapsed())).await;
    let shown = of(&world, "check_change", &unclear["receipt"]).await;
    assert_eq!(shown["outcome"], "unavailable", "{shown:#}");
}
