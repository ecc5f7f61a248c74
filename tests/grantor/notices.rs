//! Who is told what has happened: in order, once, signed, and nowhere that it must not go.

use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use grantor::ledger::{Answered, Asking, Channel, Content, Decision, Happening, Ledger, LockOn};
use grantor::notify::{Detail, Endpoint, Kind, Notifier};
use grantor::requester::Requester;
use grantor::secret::{Secret, SecretSource};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::harness::{World, parsed};

pub const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

thread_local! {
    /// How far this test's clock is ahead, in seconds.
    static AHEAD: Cell<i64> = const { Cell::new(0) };
}

fn clock() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(AHEAD.get())
}

fn wait(seconds: i64) {
    AHEAD.set(AHEAD.get() + seconds);
}

/// What came to a receiver.
#[derive(Clone, Debug)]
pub struct Got {
    pub head: String,
    pub body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(start.as_str())).unwrap_or_default()
    }

    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    pub fn json(&self) -> Value {
        parsed(&self.body)
    }

    /// What it says, and of which receipt.
    pub fn says(&self) -> (String, String) {
        let body = self.json();
        let text = |place: &str| {
            body.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        (text("/type"), text("/data/receipt"))
    }

    pub fn is_signed_by(&self, key: &str) -> bool {
        let bytes = BASE64_STANDARD.decode(key.trim_start_matches("whsec_")).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let signed = format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.body);
        let made = BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()).as_ref());
        self.header("webhook-signature").split(' ').any(|one| one == format!("v1,{made}"))
    }
}

type Answer = dyn Fn(&Got) -> String + Send + Sync;

/// Somebody who is told.
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    answer: Arc<Mutex<Arc<Answer>>>,
    listening: AbortHandle,
}

pub fn status(status: u16) -> String {
    format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/path-hunter2", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Arc<Answer>>> = Arc::new(Mutex::new(Arc::new(|_: &Got| status(200))));
        let (kept, by) = (got.clone(), answer.clone());
        let listening = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (kept, by) = (kept.clone(), by.clone());
                tokio::spawn(async move {
                    let Some(one) = read(&mut stream).await else { return };
                    let answer = by.lock().unwrap().clone();
                    let text = answer(&one);
                    kept.lock().unwrap().push(one);
                    let _ = stream.write_all(text.as_bytes()).await;
                });
            }
        });
        Self { url, got, answer, listening: listening.abort_handle() }
    }

    pub fn answers(&self, answer: impl Fn(&Got) -> String + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Got> {
    let mut text = Vec::new();
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let head = head.to_lowercase().replace("\r\n", "\n");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|text| text.parse().ok()).unwrap_or(0) {
                // Signatures are of letters as they are.
                let (head, _) = whole.split_once("\r\n\r\n").unwrap();
                return Some(Got { head: head.replace("\r\n", "\n"), body: body.to_owned() });
            }
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => text.extend_from_slice(&bytes[..read]),
        }
    }
}

/// A ledger of this process's own, and who is told of it.
pub struct Desk {
    dir: TempDir,
    pub ledger: Ledger,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path(), None);
        Self { dir, ledger }
    }

    /// One whose ledger is somewhere else.
    pub fn of(ledger: Ledger) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), ledger }
    }

    async fn ask(&self, what: &str, until: Timestamp) -> String {
        let content = Content {
            tool: "assign_permission".to_owned(),
            vendor: Some("dfns".to_owned()),
            summary: format!("Give ada@example.com {what}"),
            question: what.to_owned(),
            policy: Some("p".to_owned()),
            arguments: json!({ "what": what }).as_object().unwrap().clone(),
            ..Content::default()
        };
        let asking = Asking { digest: what, until, content };
        self.ledger.ask(&asking, &somebody()).await.unwrap().0
    }

    pub async fn asks(&self, what: &str) -> String {
        self.ask(what, Timestamp::now() + SignedDuration::from_hours(48)).await
    }

    async fn denies(&self, receipt: &str) {
        let no = Answered::new(Decision::Denied, "grace", Channel::Command);
        self.ledger.answer(receipt, &no, &somebody()).await.unwrap();
    }

    async fn tell(&self, notifier: &Notifier) -> Vec<String> {
        let link = |receipt: &str| Some(format!("https://g.example.com/inbox/{receipt}"));
        // A child that another test is just starting has every lock of this process for a moment: it is waited for.
        let lock = self.ledger.locks().take(LockOn::Notices).await.unwrap();
        let troubles = notifier.deliver_by(lock, &self.ledger, &link).await;
        troubles.into_iter().map(|one| one.why).collect()
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn somebody() -> Requester {
    Requester::named("root".to_owned())
}

fn inline(text: &str) -> Secret {
    Secret::new("a setting", SecretSource::Inline(text.into()))
}

pub fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        name: "hook".to_owned(),
        url: inline(url),
        kind: Kind::Webhook,
        secrets: vec![inline(KEY)],
        events: Happening::ALL.to_vec(),
        detail: Detail::Link,
        allow_private: true,
        through_proxy: false,
        ahead: SignedDuration::from_hours(24),
    }
}

fn notifier(desk: &Desk, endpoint: Endpoint) -> Notifier {
    Notifier::new(vec![endpoint], desk.path()).by(clock)
}

pub fn said(got: &[Got]) -> Vec<(String, String)> {
    got.iter().map(Got::says).collect()
}

pub fn pair(what: &str, receipt: &str) -> (String, String) {
    (what.to_owned(), receipt.to_owned())
}

#[tokio::test]
async fn what_happens_is_told_in_order_once_and_signed() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let before = desk.asks("what was before").await;
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    let first = desk.asks("admin").await;
    let second = desk.asks("viewer").await;
    desk.denies(&first).await;
    desk.denies(&before).await;
    assert_eq!(desk.tell(&notifier).await, Vec::<String>::new());
    let got = receiver.take();
    let expected = [
        pair("asked", &first),
        pair("asked", &second),
        pair("decided", &first),
        // What was asked before is history, and what happens now is not.
        pair("decided", &before),
    ];
    assert_eq!(said(&got), expected);
    assert!(got.iter().all(|one| one.is_signed_by(KEY) && !one.is_signed_by(OTHER)));
    let body = got[2].json();
    assert_eq!(body["data"]["decision"], "denied");
    assert_eq!(body["data"]["link"], format!("https://g.example.com/inbox/{first}"));
    assert!(!got[0].body.contains("ada"), "no name without `summary`: {}", got[0].body);
    desk.tell(&notifier).await;
    assert!(receiver.got().is_empty(), "nothing is told twice");
}

#[tokio::test]
async fn a_failing_endpoint_is_tried_again_in_order_under_the_same_id() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    receiver.answers(|_| status(500));
    let first = desk.asks("admin").await;
    assert_eq!(desk.tell(&notifier).await, ["it answered 500"]);
    let second = desk.asks("viewer").await;
    desk.tell(&notifier).await;
    assert_eq!(receiver.got().len(), 1, "it is not tried again at once");
    wait(6);
    desk.tell(&notifier).await;
    assert_eq!(receiver.got().len(), 2);
    receiver.answers(|_| status(204));
    wait(11);
    assert_eq!(desk.tell(&notifier).await, Vec::<String>::new());
    let got = receiver.take();
    let (asked, other) = (pair("asked", &first), pair("asked", &second));
    assert_eq!(said(&got), [asked.clone(), asked.clone(), asked, other]);
    assert!(got[0].id() == got[1].id() && got[1].id() == got[2].id() && got[2].id() != got[3].id());
    let stamp = |one: &Got| one.header("webhook-timestamp").parse::<i64>().unwrap();
    assert!(stamp(&got[2]) >= stamp(&got[0]) + 17, "each try is signed with its own time");
    assert!(got.iter().all(|one| one.is_signed_by(KEY)));
}

#[tokio::test]
async fn whoever_asks_to_wait_is_left_alone_that_long() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    receiver.answers(|_| {
        "HTTP/1.1 429 -\r\nretry-after: 600\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_owned()
    });
    desk.asks("admin").await;
    desk.tell(&notifier).await;
    wait(590);
    desk.tell(&notifier).await;
    assert_eq!(receiver.got().len(), 1);
    receiver.answers(|_| status(200));
    wait(15);
    desk.tell(&notifier).await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn whoever_is_gone_is_told_nothing_until_it_is_set_up_otherwise() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let one = notifier(&desk, endpoint(&receiver.url));
    one.begin(&desk.ledger).await.unwrap();
    receiver.answers(|_| status(410));
    let first = desk.asks("admin").await;
    assert!(desk.tell(&one).await[0].contains("410"));
    receiver.answers(|_| status(200));
    wait(100_000);
    let second = desk.asks("viewer").await;
    // By this process, and by one that begins anew with the same settings.
    for same in [&one, &notifier(&desk, endpoint(&receiver.url))] {
        assert!(desk.tell(same).await[0].contains("410"));
    }
    assert_eq!(receiver.take().len(), 1);
    let mut changed = endpoint(&receiver.url);
    changed.events.retain(|what| *what != Happening::Overdue && *what != Happening::Head);
    assert_eq!(desk.tell(&notifier(&desk, changed)).await, Vec::<String>::new());
    assert_eq!(said(&receiver.got()), [pair("asked", &first), pair("asked", &second)]);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (desk, receiver, elsewhere) =
        (Desk::new(), Receiver::start().await, Receiver::start().await);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    let to = elsewhere.url.clone();
    receiver.answers(move |_| {
        format!(
            "HTTP/1.1 307 -\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    });
    desk.asks("admin").await;
    assert!(desk.tell(&notifier).await[0].contains("not followed"));
    assert_eq!((receiver.got().len(), elsewhere.got().len()), (1, 0));
}

/// The file is put back as it was before the answer: as if the process had died between the two.
#[tokio::test]
async fn a_process_that_dies_after_the_answer_tells_it_again_under_the_same_id() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let one = notifier(&desk, endpoint(&receiver.url));
    one.begin(&desk.ledger).await.unwrap();
    let kept = desk.path().join("notices/hook.json");
    let receipts = [desk.asks("a").await, desk.asks("b").await, desk.asks("c").await];
    let before = Arc::new(Mutex::new(Vec::new()));
    let (path, copy) = (kept.clone(), before.clone());
    receiver.answers(move |_| {
        copy.lock().unwrap().push(std::fs::read(&path).unwrap());
        status(200)
    });
    desk.tell(&one).await;
    drop(one);
    let ids: Vec<_> = receiver.take().iter().map(Got::id).collect();
    let as_it_was = before.lock().unwrap()[1].clone();
    std::fs::write(&kept, as_it_was).unwrap();
    desk.tell(&notifier(&desk, endpoint(&receiver.url))).await;
    let got = receiver.take();
    assert_eq!(got.iter().map(Got::id).collect::<Vec<_>>(), ids[1..]);
    assert_eq!(said(&got), [pair("asked", &receipts[1]), pair("asked", &receipts[2])]);
}

#[tokio::test]
async fn after_a_days_outage_all_come_in_order_none_lost_and_none_doubled() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    receiver.answers(|_| status(503));
    let mut expected = Vec::new();
    for hour in 0..24 {
        let receipt = desk.asks(&format!("role {hour}")).await;
        expected.push(pair("asked", &receipt));
        if hour % 3 == 0 {
            desk.denies(&receipt).await;
            expected.push(pair("decided", &receipt));
        }
        desk.tell(&notifier).await;
        wait(3600);
    }
    let tried = receiver.take();
    assert!(tried.len() > 20 && tried.iter().all(|one| one.says() == expected[0]));
    receiver.answers(|_| status(200));
    desk.tell(&notifier).await;
    let got = receiver.take();
    let of_lines = got.iter().map(Got::says).filter(|(what, _)| what != "head");
    assert_eq!(of_lines.collect::<Vec<_>>(), expected);
    let mut ids: Vec<_> = got.iter().map(Got::id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), got.len());
}

#[tokio::test]
async fn what_is_refused_for_three_days_is_given_up_and_the_next_goes_on() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    let bad = desk.asks("bad").await;
    let refused = bad.clone();
    receiver.answers(move |got| status(if got.body.contains(&refused) { 400 } else { 200 }));
    for hour in 0..73 {
        assert_eq!(desk.tell(&notifier).await, ["it answered 400"], "hour {hour}");
        wait(3600);
    }
    let good = desk.asks("good").await;
    wait(3600);
    assert_eq!(desk.tell(&notifier).await, Vec::<String>::new());
    let got = receiver.take();
    assert!(said(&got).contains(&pair("asked", &good)), "{:?}", said(&got));
    let standing = notifier.standings(&desk.ledger).await.pop().unwrap().1.unwrap();
    let backlog = standing.backlog.unwrap();
    assert_eq!((backlog.given_up, backlog.waits, standing.is_gone), (1, 0, false));
}

#[tokio::test]
async fn what_time_brings_is_told_once_and_the_head_once_a_day() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    AHEAD.set(-3600);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    let lapsed = desk.ask("late", Timestamp::now() - SignedDuration::from_secs(60)).await;
    let waits = desk.asks("waits").await;
    AHEAD.set(0);
    desk.tell(&notifier).await;
    desk.tell(&notifier).await;
    let timed = |got: Vec<Got>| {
        let all = said(&got).into_iter().filter(|(what, _)| what != "head");
        all.collect::<Vec<_>>()
    };
    let expected = [pair("asked", &lapsed), pair("asked", &waits), pair("lapsed", &lapsed)];
    assert_eq!(timed(receiver.take()), expected);
    wait(86_400);
    desk.tell(&notifier).await;
    desk.tell(&notifier).await;
    let got = receiver.take();
    let heads: Vec<_> = got.iter().filter(|one| one.says().0 == "head").collect();
    assert_eq!(heads.len(), 1, "{got:?}");
    let lines = std::fs::read_to_string(desk.path().join("lines.jsonl")).unwrap();
    let last = parsed(lines.lines().last().unwrap());
    assert_eq!(heads[0].json()["data"]["line"], last["seq"]);
    assert_eq!(heads[0].json()["data"]["hash"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn two_secrets_sign_while_one_takes_the_others_place() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let file = desk.path().join("secret");
    std::fs::write(&file, KEY).unwrap();
    let of_file = || Secret::new("secret", SecretSource::File(file.clone()));
    let both = Endpoint { secrets: vec![inline(OTHER), of_file()], ..endpoint(&receiver.url) };
    let notifier = notifier(&desk, both);
    notifier.begin(&desk.ledger).await.unwrap();
    desk.asks("a").await;
    desk.tell(&notifier).await;
    let got = receiver.take().remove(0);
    assert!(got.is_signed_by(KEY) && got.is_signed_by(OTHER));
    // One that was replaced in its file is read again when it is refused.
    const THIRD: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    std::fs::write(&file, THIRD).unwrap();
    receiver.answers(|got| status(if got.is_signed_by(THIRD) { 200 } else { 401 }));
    desk.asks("b").await;
    assert_eq!(desk.tell(&notifier).await, ["it answered 401"]);
    wait(6);
    assert_eq!(desk.tell(&notifier).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_reached_unless_that_is_allowed() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let port = receiver.url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    for (index, host) in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"].into_iter().enumerate() {
        let closed = Endpoint {
            name: format!("e{index}"),
            allow_private: false,
            ..endpoint(&format!("https://{host}:{port}/"))
        };
        let notifier = notifier(&desk, closed);
        notifier.begin(&desk.ledger).await.unwrap();
        desk.asks(host).await;
        let why = desk.tell(&notifier).await;
        assert!(why[0].contains("allow_private"), "{host}: {why:?}");
    }
    assert!(receiver.got().is_empty());
    let open =
        Endpoint { name: "open".to_owned(), ..endpoint(&format!("http://localhost:{port}/")) };
    let notifier = notifier(&desk, open);
    notifier.begin(&desk.ledger).await.unwrap();
    desk.asks("open").await;
    desk.tell(&notifier).await;
    assert_eq!(receiver.got().len(), 1, "where it is allowed, it is reached");
}

#[tokio::test]
async fn whoever_has_the_lock_tells_and_nobody_else() {
    let (desk, receiver) = (Desk::new(), Receiver::start().await);
    let notifier = notifier(&desk, endpoint(&receiver.url));
    notifier.begin(&desk.ledger).await.unwrap();
    desk.asks("a").await;
    let other = Ledger::new(desk.path(), None);
    let lock = other.locks().try_take(LockOn::Notices).await.unwrap().unwrap();
    notifier.deliver(&desk.ledger, &|_| None).await;
    assert!(receiver.got().is_empty());
    drop(lock);
    desk.tell(&notifier).await;
    assert_eq!(receiver.got().len(), 1);
}

/// The whole program: a world whose configuration tells a receiver.
pub async fn world(receiver: &Receiver, more: &str) -> World {
    let world = World::asking().await;
    let config = world.path("config.toml");
    let text = format!(
        "[notify.hook]\nurl = \"{}\"\nsecret = \"{KEY}\"\nallow_private = true\n{more}\n",
        receiver.url
    );
    std::fs::write(&config, text).unwrap();
    world.set("GRANTOR_CONFIG", config.to_str().unwrap())
}

pub fn permission(name: &str) -> Value {
    json!({ "permissionId": name, "identityId": "user@example.com" })
}

async fn until_got(receiver: &Receiver, count: usize) -> Vec<Got> {
    let waiting = async {
        while receiver.got().len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(super::harness::PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{count} were to come: {:?}", receiver.got());
    receiver.got()
}

#[tokio::test]
async fn a_server_tells_what_its_client_asks_for_and_nothing_secret_is_said() {
    let receiver = Receiver::start().await;
    let page = "[http]\npublic_url = \"https://grantor.example.com/mcp\"\n[http.issuers.a]\n\
                issuer = \"https://id.example.com\"\nclient_id = \"inbox\"";
    let world = world(&receiver, page).await.set("GRANTOR_LOG", "debug");
    let server = world.serve().await;
    let answer = server.call("assign_permission", permission("Treasury Viewer")).await;
    let receipt = answer.body["receipt"].as_str().unwrap().to_owned();
    let got = until_got(&receiver, 1).await;
    assert_eq!(said(&got), [pair("asked", &receipt)]);
    let link = format!("https://grantor.example.com/inbox/{receipt}");
    assert_eq!(got[0].json()["data"]["link"], link);
    let denied = world.run(&["requests", "deny", &receipt]).await;
    assert_eq!(denied.status, 0, "{denied:?}");
    let got = until_got(&receiver, 2).await;
    assert_eq!(got[1].says(), pair("decided", &receipt));
    assert!(got.iter().all(|one| one.is_signed_by(KEY)));
    receiver.answers(|_| status(500));
    server.call("assign_permission", permission("Payments Approver")).await;
    until_got(&receiver, 3).await;
    let doctor = world.run(&["doctor"]).await;
    drop(server);
    let kept = std::fs::read_to_string(world.path("state/notices/hook.json")).unwrap();
    let shown = [world.stderr(), doctor.stdout.clone(), doctor.stderr, kept].concat();
    assert!(doctor.stdout.contains("hook (webhook, 127.0.0.1)"), "{}", doctor.stdout);
    for secret in ["hunter2", KEY, KEY.trim_start_matches("whsec_")] {
        assert!(!shown.contains(secret), "{secret} is in what was said");
    }
    assert!(world.stderr().contains("a notice was sent"));
}

#[tokio::test]
async fn two_processes_at_once_tell_each_thing_once() {
    let receiver = Receiver::start().await;
    let world = world(&receiver, "").await;
    assert_eq!(world.run(&["expire"]).await.status, 0);
    let ledger = Ledger::new(&world.path("state"), None);
    let desk = Desk::of(ledger);
    let first = desk.asks("the first line").await;
    world.run(&["expire"]).await;
    let mut expected = vec![];
    for what in 0..20 {
        expected.push(pair("asked", &desk.asks(&format!("role {what}")).await));
    }
    receiver.take();
    let expire = || world.run(&["expire"]);
    tokio::join!(expire(), expire(), expire());
    expire().await;
    assert_eq!(said(&receiver.got()), expected, "{first}");
}

/// A server whose client asks for the list of tools and leaves.
async fn visited(world: &World, flags: &[&str]) {
    const MESSAGE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let mut command = world.command(flags.iter().copied().chain(["serve"]));
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{MESSAGE}\n").as_bytes()).await.unwrap();
    let came = child.wait_with_output().await.unwrap();
    assert!(String::from_utf8_lossy(&came.stdout).contains("list_roles"), "{came:?}");
}

#[tokio::test]
async fn a_sandbox_and_who_may_only_look_tell_nobody() {
    let receiver = Receiver::start().await;
    let world = world(&receiver, "").await;
    visited(&world, &[]).await;
    let ledger = Ledger::new(&world.path("state"), None);
    Desk::of(ledger).asks("a").await;
    for flag in ["--read-only", "--sandbox"] {
        visited(&world, &[flag]).await;
        assert!(receiver.got().is_empty(), "{flag}");
    }
    // And who may do more does, when its client has gone.
    visited(&world, &[]).await;
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn what_was_carried_out_is_told_and_that_it_ends_soon() {
    let (world, receiver) = (World::unguarded().await, Receiver::start().await);
    let ledger = Ledger::new(&world.path("state"), None);
    let desk = Desk::of(ledger);
    let one = Endpoint { detail: Detail::Summary, ..endpoint(&receiver.url) };
    let notifier = Notifier::new(vec![one], &world.path("state")).by(clock);
    notifier.begin(&desk.ledger).await.unwrap();
    let arguments = |end: &str| {
        json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER",
            "grantee": "user@example.com", "permission_list": ["R"], "expires_in": end })
    };
    let ran = world.run(&["call", "set_project_acl", &arguments("PT48H").to_string()]).await;
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    desk.tell(&notifier).await;
    let got = receiver.take();
    assert_eq!(said(&got), [pair("carried_out", &receipt)], "{ran:?}");
    let data = &got[0].json()["data"];
    assert_eq!((&data["outcome"], &data["vendor"]), (&json!("confirmed"), &json!("snaplogic")));
    assert!(data["summary"].as_str().unwrap().contains("user@example.com"), "{data}");
    let told_in = async |hours: i64| {
        wait(hours * 3600);
        desk.tell(&notifier).await;
        let got = receiver.take();
        got.into_iter().filter(|one| one.says().0 != "head").collect::<Vec<_>>()
    };
    assert!(told_in(23).await.is_empty(), "its end is not near yet");
    let soon = told_in(2).await;
    assert_eq!(said(&soon), [pair("due_soon", &receipt)]);
    assert_eq!(soon[0].json()["data"]["until"], data["until"]);
    assert!(told_in(24).await.is_empty(), "nobody is told twice");
}

#[tokio::test]
async fn an_end_that_is_moved_near_is_told_at_once() {
    let (world, receiver) = (World::unguarded().await, Receiver::start().await);
    let ledger = Ledger::new(&world.path("state"), None);
    let desk = Desk::of(ledger);
    let notifier = Notifier::new(vec![endpoint(&receiver.url)], &world.path("state")).by(clock);
    notifier.begin(&desk.ledger).await.unwrap();
    let grant = json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER",
        "grantee": "user@example.com", "permission_list": ["R"], "expires_in": "PT48H" });
    let ran = world.run(&["call", "set_project_acl", &grant.to_string()]).await;
    let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
    let moved_to = async |end: &str| {
        let moved = json!({ "receipt": receipt, "expires_in": end }).to_string();
        let ran = world.run(&["call", "set_expiry", &moved]).await;
        assert_eq!(ran.status, 0, "{ran:?}");
        desk.tell(&notifier).await;
        receiver.take()
    };
    let (moved, soon) = (pair("carried_out", &receipt), pair("due_soon", &receipt));
    assert_eq!(said(&moved_to("PT30H").await), [moved.clone(), moved.clone()], "not near yet");
    let got = moved_to("PT5H").await;
    assert_eq!(said(&got), [moved.clone(), soon.clone()]);
    assert_eq!(got[1].json()["data"]["until"], got[0].json()["data"]["until"]);
    assert_ne!(got[0].id(), got[1].id());
    // Each end that is near is told of, and no time tells of it again.
    assert_eq!(said(&moved_to("PT6H").await), [moved, soon]);
    wait(3600);
    desk.tell(&notifier).await;
    assert_eq!(said(&receiver.take()), []);
}
