use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::future::BoxFuture;
use grantor::config::{Config, Flags, Sources};
use grantor::desk::{Answer, Call, Desk, Person};

use grantor::outbound::auth::{AuthError, Authorize, Signed};
use grantor::outbound::{Account, Frozen, Wire};
use grantor::sandbox::{Options, Sandbox};
use grantor::vendors::Tenant;
use serde_json::{Value, json};

use super::harness::{Raw, World, example, parsed};
use super::ledger::holding;
use super::proxy::{Proxy, Then};
use super::stdio::{greeted, request};
use super::writes::{GRANTS, Grant};

const ERAS: [bool; 2] = [true, false];
/// A write at a vendor that keeps no version and takes no token.
const GRANT: &Grant = &GRANTS[3];

fn call(legacy: bool, id: u64) -> Value {
    let params = json!({ "name": GRANT.tool, "arguments": parsed(GRANT.arguments) });
    request(legacy, id, "tools/call", params)
}

fn outcome(answer: &Value) -> &Value {
    &answer["result"]["structuredContent"]["outcome"]
}

/// One write, recorded from its beginning to its end.
fn is_recorded(world: &World) {
    let ledger = world.ledger();
    let events: Vec<_> = ledger.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["open", "close"], "{ledger:?}");
    assert_eq!(ledger[1]["outcome"], "confirmed");
    assert_eq!(world.writes().len(), 1);
}

/// The client has said its last word, and still hears how its write ended: later than rmcp waits.
#[tokio::test]
async fn the_answer_to_a_write_in_flight_comes_after_the_end_of_input() {
    for legacy in ERAS {
        let (world, proxy) = holding(GRANT).await;
        let mut raw = greeted(&world, legacy).await;
        raw.send(&call(legacy, 1)).await;
        proxy.held.notified().await;
        let release = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            proxy.release.notify_one();
        };
        let ((status, rest), ()) = tokio::join!(raw.finish(), release);
        assert_eq!(status, 0);
        let [answer] = rest.as_slice() else { panic!("{rest:?}") };
        assert_eq!((outcome(answer), &answer["id"]), (&json!("confirmed"), &json!(1)));
        is_recorded(&world);
    }
}

/// Sends requests until one is refused because the server is ending.
#[cfg(unix)]
async fn until_refused(raw: &mut Raw, legacy: bool) {
    for id in 100.. {
        raw.send(&request(legacy, id, "tools/list", json!({}))).await;
        let answer = raw.next().await.expect("the server ended");
        assert_eq!(answer["id"], id, "{answer}");
        if answer["error"]["code"] == -32000 {
            return;
        }
        assert!(answer["result"]["tools"].is_array(), "{answer}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_lets_a_write_that_left_be_finished_and_refuses_what_is_new() {
    for (signal, legacy) in ["TERM", "INT", "HUP"].into_iter().flat_map(|s| ERAS.map(|e| (s, e))) {
        let (world, proxy) = holding(GRANT).await;
        let mut raw = greeted(&world, legacy).await;
        raw.send(&call(legacy, 1)).await;
        proxy.held.notified().await;
        raw.signal(signal).await;
        until_refused(&mut raw, legacy).await;
        raw.send(&call(legacy, 2)).await;
        let refused = raw.next().await.unwrap();
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32000), &json!(2)));
        proxy.release.notify_one();
        let (status, rest) = raw.ended().await;
        assert_eq!(status, 0, "{signal}");
        let [answer] = rest.as_slice() else { panic!("{signal}: {rest:?}") };
        assert_eq!((outcome(answer), &answer["id"]), (&json!("confirmed"), &json!(1)));
        is_recorded(&world);
    }
}

/// What is still being looked up when the signal comes is not sent any more, and says so; what
/// waited for a place is refused.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_keeps_back_what_has_not_left() {
    for legacy in ERAS {
        let world = World::new().await;
        let first = AtomicBool::new(true);
        let proxy = Proxy::start(Some(world.variable(GRANT.variable)), move |method, _| {
            let holds = method == "GET" && first.swap(false, SeqCst);
            if holds { Then::Hold } else { Then::Pass }
        });
        let proxy = proxy.await;
        let world = world.set(GRANT.variable, &proxy.url);
        let mut raw = greeted(&world, legacy).await;
        raw.send(&call(legacy, 1)).await;
        proxy.held.notified().await;
        raw.signal("TERM").await;
        until_refused(&mut raw, legacy).await;
        proxy.release.notify_one();
        let (status, rest) = raw.ended().await;
        assert_eq!(status, 0);
        let [answer] = rest.as_slice() else { panic!("{rest:?}") };
        assert_eq!(outcome(answer), "unavailable", "{answer}");
        assert!(world.writes().is_empty() && world.ledger().is_empty());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_an_idle_server() {
    for (signal, legacy) in ["TERM", "INT", "HUP"].into_iter().flat_map(|s| ERAS.map(|e| (s, e))) {
        let world = World::new().await;
        let mut raw = greeted(&world, legacy).await;
        raw.send(&request(legacy, 1, "tools/list", json!({}))).await;
        raw.next().await.unwrap();
        raw.signal(signal).await;
        assert_eq!(raw.ended().await, (0, vec![]), "{signal}");
    }
}

/// A write that left is finished and recorded though nobody wants its answer any more; its id is
/// in use until then.
#[tokio::test]
async fn a_cancelled_call_finishes_the_write_that_left_and_answers_nothing() {
    for legacy in ERAS {
        let (world, proxy) = holding(GRANT).await;
        let mut raw = greeted(&world, legacy).await;
        raw.send(&call(legacy, 1)).await;
        proxy.held.notified().await;
        let params = json!({ "requestId": 1 });
        let method = "notifications/cancelled";
        raw.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
        raw.send(&call(legacy, 1)).await;
        let refused = raw.next().await.unwrap();
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32600), &json!(1)));
        proxy.release.notify_one();
        assert_eq!(raw.finish().await, (0, vec![]));
        is_recorded(&world);
    }
}

/// Nobody can answer a question after the end of input: the request waits for a terminal.
#[tokio::test]
async fn a_question_is_not_waited_for_when_nobody_can_answer() {
    let world = World::asking().await;
    let mut raw = world.serve_raw();
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "raw", "version": "1" },
    });
    raw.ask(0, "initialize", params).await;
    raw.send(&call(true, 1)).await;
    assert_eq!(raw.next().await.unwrap()["method"], "elicitation/create");
    let (status, rest) = raw.finish().await;
    assert_eq!(status, 0);
    let [answer] = rest.as_slice() else { panic!("{rest:?}") };
    assert_eq!(outcome(answer), "awaiting_consent", "{answer}");
    assert!(world.writes().is_empty());
}

/// Signs as another does, until it is armed.
struct Breaks {
    inner: Box<dyn Authorize>,
    armed: Arc<AtomicBool>,
    words: String,
}

impl Authorize for Breaks {
    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        wire: &'a Wire,
    ) -> BoxFuture<'a, Result<Signed, AuthError>> {
        assert!(!self.armed.swap(false, SeqCst), "{}", self.words);
        self.inner.sign(request, wire)
    }

    fn forget(&self, generation: u64) -> BoxFuture<'_, ()> {
        self.inner.forget(generation)
    }
}

/// A desk whose signing breaks once, for the first write, with these words.
pub async fn breaking(sandbox: &Sandbox, home: &Path, words: &str) -> (Desk, Arc<AtomicBool>) {
    let environment = sandbox.environment();
    let policy = Some(example("automation"));
    let flags = Flags { state_dir: Some(home.into()), policy, ..Flags::default() };
    let (environment, sandbox) = (&|_: &str| None, Some(environment.as_slice()));
    let sources = Sources { flags: &flags, environment, floor: None, sandbox };
    let mut config = Config::load(&sources).unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let breaks = |inner| Box::new(Breaks { inner, armed: armed.clone(), words: words.to_owned() });
    let tenants = std::mem::take(&mut config.tenants).into_iter().map(|tenant| {
        let authorize = breaks(tenant.account.authorize);
        Tenant { account: Account { authorize, ..tenant.account }, ..tenant }
    });
    config.tenants = tenants.collect();
    (Desk::new(config).unwrap(), armed)
}

/// What a desk answers to a write, just before which it is armed to break or not.
pub async fn answer_when(breaks: bool, desk: &Desk, armed: &Arc<AtomicBool>) -> Answer {
    let armed = armed.clone();
    let arm = move |told: String| armed.store(breaks && told.contains("(1 of 1)"), SeqCst);
    let call = Call {
        requester: desk.requester().clone(),
        tool: GRANT.tool.to_owned(),
        arguments: parsed(GRANT.arguments).as_object().unwrap().clone(),
        client: None,
        asked: None,
        progress: Box::new(arm),
        withdrawn: Box::new(|| false),
        person: Person::Absent,
    };
    desk.call(call).await.unwrap()
}

/// Grantor's own mistake, after the change was recorded: it is said, and recorded as unknown.
#[tokio::test]
async fn a_panic_in_a_write_is_unknown_in_the_answer_and_in_the_ledger() {
    let home = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let (desk, armed) = breaking(&sandbox, home.path(), "on purpose").await;
    for (breaks, wanted) in [(true, "unknown"), (false, "confirmed")] {
        let answer = answer_when(breaks, &desk, &armed).await;
        let told = answer.write();
        assert_eq!((&told["outcome"], answer.is_error()), (&json!(wanted), breaks));
        let receipt = told["receipt"].as_str().unwrap();
        let record = desk.ledger().find(receipt).await.unwrap().unwrap();
        assert_eq!(json!(record.outcome().expect("an end")), wanted);
    }
}
