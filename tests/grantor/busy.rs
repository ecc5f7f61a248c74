//! A server with more to do than the vendor's rate allows: taking access back goes first, a change
//! before looks, and the end of input waits for nothing but what is on its way.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures_util::join;
use grantor::sandbox::{Modes, Seen};
use serde_json::{Value, json};

use super::harness::{PATIENCE, Raw, World, is_write, parsed};
use super::proxy::{Proxy, Then};
use super::stdio::{greeted, request};
use super::writes::{GRANTS, Grant};

/// At the vendor with the lowest documented rate: sixty requests at once, then one in 1.5 seconds.
const GRANT: &Grant = &GRANTS[0];
const REVOKE: &Grant = &GRANTS[5];
/// What every look of a flood asks for, and nothing else does.
const MARK: &str = "nobody-by-this-name";
/// So many requests of the looks are answered where the vendor then falls silent.
const ANSWERED: usize = 20;

fn call(id: u64, grant: &Grant, more: &Value) -> Value {
    let mut arguments = parsed(grant.arguments);
    for (key, value) in more.as_object().unwrap() {
        arguments[key] = value.clone();
    }
    request(true, id, "tools/call", json!({ "name": grant.tool, "arguments": arguments }))
}

/// Looks that ask for other people each, and take minutes at the vendor's rate.
async fn flood(raw: &mut Raw) {
    for id in 1_000..1_200 {
        let arguments = json!({ "vendor": "outsystems", "query": format!("{MARK}-{id}") });
        let params = json!({ "name": "find_principals", "arguments": arguments });
        raw.send(&request(true, id, "tools/call", params)).await;
    }
}

async fn until_the_rate_is_used_up(world: &World) {
    for _ in 0..600 {
        if world.sandbox.journal().len() >= 60 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the looks do not come");
}

fn is_look(seen: &Seen) -> bool {
    seen.query.contains(MARK)
}

/// Once so many writes have come: the requests since the first look of the flood, up to the last write.
async fn until_written(world: &World, writes: usize) -> Vec<Seen> {
    for _ in 0..600 {
        if world.writes().len() >= writes {
            let mut seen = world.sandbox.journal();
            seen.retain(|one| one.vendor == GRANT.vendor);
            let last = seen.iter().rposition(is_write).unwrap();
            let first = seen.iter().position(is_look).unwrap();
            return seen.drain(first..=last).collect();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is not written within a minute");
}

/// Between the first request of what is urgent and its write, a look gets a turn only while nothing
/// urgent waits for one.
fn goes_first(seen: &[Seen]) {
    let first = seen.iter().position(|one| !is_look(one)).unwrap();
    let looks = seen[first..].iter().filter(|one| is_look(one)).count();
    let own = seen.len() - first - looks;
    println!("{own} requests of its own, and {looks} looks among them");
    assert!(looks <= own, "{looks} looks come before {own} requests that are more urgent");
}

#[tokio::test]
async fn taking_access_back_goes_before_a_flood_of_looks() {
    let modes = Modes { outsystems_ends: false, ..Modes::default() };
    let world = World::with(modes).await;
    let mut raw = greeted(&world, true).await;
    raw.send(&call(1, GRANT, &json!({ "expires_in": "PT3S" }))).await;
    let granted = raw.next().await.unwrap();
    assert_eq!(granted["result"]["structuredContent"]["outcome"], "confirmed", "{granted}");
    flood(&mut raw).await;
    goes_first(&until_written(&world, 2).await);
    raw.kill().await;
}

/// It needs no place that looks have, and no turn that looks wait for.
#[tokio::test]
async fn a_persons_change_goes_before_a_flood_of_looks() {
    let world = World::new().await;
    let mut raw = greeted(&world, true).await;
    flood(&mut raw).await;
    until_the_rate_is_used_up(&world).await;
    raw.send(&call(1, REVOKE, &json!({}))).await;
    let seen = until_written(&world, 1).await;
    goes_first(&seen);
    let looks = seen.iter().filter(|one| is_look(one)).count();
    assert!(looks < 100, "{looks} looks were made before it");
    raw.kill().await;
}

/// How the server ends once its input does or a signal comes, and how long that takes.
async fn ends(raw: Raw, signal: Option<&str>) -> Vec<Value> {
    let (status, rest) = match signal {
        Some(signal) => {
            raw.signal(signal).await;
            raw.ended().await
        }
        None => raw.finish().await,
    };
    assert_eq!(status, 0);
    rest
}

/// Looks, and a change that has sent nothing, keep no server alive; each is answered.
#[tokio::test]
async fn what_nobody_waits_for_does_not_keep_a_server_alive() {
    let one = async |signal: Option<&str>| {
        let world = World::new().await;
        let asked = AtomicUsize::new(0);
        let proxy = Proxy::start(Some(world.variable(GRANT.variable)), move |_, _| {
            if asked.fetch_add(1, SeqCst) < ANSWERED { Then::Pass } else { Then::Hold }
        });
        let proxy = proxy.await;
        let world = world.tokens_straight().await.set(GRANT.variable, &proxy.url);
        let mut raw = greeted(&world, true).await;
        flood(&mut raw).await;
        tokio::time::timeout(PATIENCE, proxy.held.notified()).await.expect("no look is held");
        raw.send(&call(1, REVOKE, &json!({}))).await;
        let answers = ends(raw, signal).await;
        let broken = answers.iter().filter(|answer| answer["error"]["code"] == -32000).count();
        assert!(broken >= 200 - ANSWERED, "{signal:?}: {broken} of {}", answers.len());
        let mut ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1].into_iter().chain(1_000..1_200).collect::<Vec<_>>(), "{signal:?}");
        let own = answers.iter().find(|answer| answer["id"] == 1).unwrap();
        assert_eq!(own["error"]["code"], -32000, "{signal:?}: {own}");
        // It was begun, or had not come so far yet.
        let said = own["error"]["message"].as_str().unwrap();
        assert!(said.contains("changed nothing") || said.contains("nothing was done"), "{own}");
        assert!(world.writes().is_empty() && world.ledger().is_empty(), "{signal:?}");
    };
    join!(one(None), one(Some("TERM")));
}

/// Of a change in two parts the one that is on its way is finished and recorded, and the other is
/// not begun.
#[tokio::test]
async fn what_is_on_its_way_is_finished_and_nothing_follows_it() {
    let world = World::new().await;
    let proxy = Proxy::start(Some(world.variable(GRANT.variable)), |method, path| {
        if method == "POST" && path.contains(GRANT.path) { Then::Hold } else { Then::Pass }
    });
    let proxy = proxy.await;
    let world = world.tokens_straight().await.set(GRANT.variable, &proxy.url);
    let mut raw = greeted(&world, true).await;
    raw.send(&call(1, GRANT, &json!({ "assetKeys": ["Orders", "Billing"] }))).await;
    tokio::time::timeout(PATIENCE, proxy.held.notified()).await.expect("nothing is sent");
    let release = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        proxy.release.notify_one();
    };
    let (answers, ()) = join!(ends(raw, None), release);
    let [answer] = answers.as_slice() else { panic!("{answers:?}") };
    let items = answer["result"]["structuredContent"]["items"].as_array().expect("two items");
    let outcomes: Vec<_> = items.iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["confirmed", "unavailable"], "{answer:#}");
    let ledger = world.ledger();
    let events: Vec<_> = ledger.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["open", "close"], "{ledger:?}");
    assert_eq!(world.writes().len(), 1);
}
