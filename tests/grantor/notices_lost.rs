//! Notices where something goes wrong on the way: nothing is lost, nothing is new that comes twice, and nobody else
//! is reached.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use grantor::ledger::{Ledger, LockOn};
use grantor::notify::Notifier;
use grantor::requester::Requester;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::harness::World;
use super::issuer::{Issuer, Key, Team};
use super::notices::{self, Desk, Got, KEY, Receiver, pair, read, said, status};

/// A desk whose ledger somebody is told of from now on.
async fn begun(world: &World) -> Desk {
    assert_eq!(world.run(&["expire"]).await.status, 0);
    let desk = Desk::of(Ledger::new(&world.path("state"), None));
    desk.asks("the first line").await;
    assert_eq!(world.run(&["expire"]).await.status, 0);
    desk
}

/// The process is killed once a notice has come whole, before it is answered; and so at each of them.
#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_killed_in_mid_delivery_tells_it_again_under_the_same_id() {
    let receiver = Receiver::start().await;
    let world = notices::world(&receiver, "").await;
    let desk = begun(&world).await;
    let mut expected = Vec::new();
    for what in 0..4 {
        expected.push(pair("asked", &desk.asks(&format!("role {what}")).await));
    }
    receiver.take();
    let (mut ids, mut got) = (Vec::new(), Vec::<Got>::new());
    for at in 0..expected.len() {
        let process = Arc::new(Mutex::new(None::<u32>));
        let (killed, nth) = (process.clone(), AtomicUsize::new(0));
        // The one that was not answered comes first, and the next one is not answered either.
        let last = usize::from(at > 0);
        receiver.answers(move |_| {
            if nth.fetch_add(1, SeqCst) < last {
                return status(204);
            }
            let id = killed.lock().unwrap().unwrap().to_string();
            assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
            String::new()
        });
        let mut child = world.command(["expire"]).spawn().unwrap();
        *process.lock().unwrap() = child.id();
        let ended = tokio::time::timeout(super::harness::PATIENCE, child.wait()).await;
        assert!(!ended.expect("it is not killed").unwrap().success(), "round {at}");
        let came = receiver.take();
        assert_eq!(came.len(), last + 1, "round {at}");
        ids.extend(came.iter().map(Got::id));
        got.extend(came);
    }
    receiver.answers(|_| status(204));
    assert_eq!(world.run(&["expire"]).await.status, 0);
    let came = receiver.take();
    ids.extend(came.iter().map(Got::id));
    got.extend(came);
    let told: Vec<_> = expected.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
    assert_eq!(said(&got), told, "each came twice, in order");
    assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), expected.len(), "{ids:?}");
    assert!(got.iter().all(|one| one.is_signed_by(KEY)));
}

/// A proxy with an endpoint of its own behind it: what it was asked for, and what was told through it.
struct ConnectProxy {
    url: String,
    /// The certificate that vouches for what is behind it.
    pem: String,
    asked: Arc<Mutex<Vec<String>>>,
    told: Arc<Mutex<Vec<Got>>>,
    listening: AbortHandle,
}

impl ConnectProxy {
    /// What is behind it calls itself that, and answers so.
    async fn start(host: &str, answer: String) -> Self {
        let own = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let der = BASE64_STANDARD.encode(own.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, told) = (Arc::default(), Arc::default());
        let (heard, kept) = (Arc::clone(&asked), Arc::clone(&told));
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (heard, kept) = (Arc::clone(&heard), Arc::clone(&kept));
                tokio::spawn(tunnel(stream, acceptor.clone(), answer.clone(), heard, kept));
            }
        });
        Self { url, pem, asked, told, listening: listening.abort_handle() }
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn tunnel(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    answer: String,
    heard: Arc<Mutex<Vec<String>>>,
    kept: Arc<Mutex<Vec<Got>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    heard.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    stream.write_all(b"HTTP/1.1 200 -\r\n\r\n").await.unwrap();
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let Some(got) = read(&mut stream).await else { return };
    kept.lock().unwrap().push(got);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

const HOST: &str = "hooks.example.com";

/// A world that tells an endpoint which only a proxy finds.
async fn behind(proxy: &ConnectProxy, more: &str) -> World {
    let world = World::asking().await;
    let (config, pem) = (world.path("config.toml"), world.path("authority.pem"));
    let text =
        format!("[notify.hook]\nurl = \"https://{HOST}/hook\"\nsecret = \"{KEY}\"\n{more}\n");
    std::fs::write(&config, text).unwrap();
    std::fs::write(&pem, &proxy.pem).unwrap();
    // Vendors are on this machine, where no proxy finds them; what is told goes through it all the same.
    world
        .set("GRANTOR_CONFIG", config.to_str().unwrap())
        .set("SSL_CERT_FILE", pem.to_str().unwrap())
        .set("HTTPS_PROXY", proxy.url.clone())
        .set("NO_PROXY", "*")
}

#[tokio::test]
async fn through_a_proxy_the_host_that_the_configuration_names_is_asked_for_and_no_other() {
    let to = "HTTP/1.1 307 -\r\nlocation: https://other.example.com/\r\ncontent-length: 0\r\n\r\n";
    for (answer, left) in [(status(204), 0), (to.to_owned(), 1)] {
        let proxy = ConnectProxy::start(HOST, answer).await;
        let world = behind(&proxy, "proxy = true").await;
        let desk = begun(&world).await;
        let receipt = desk.asks("admin").await;
        assert_eq!(world.run(&["expire"]).await.status, 0);
        let told = proxy.told.lock().unwrap().clone();
        assert_eq!(said(&told), [pair("asked", &receipt)]);
        assert!(told[0].is_signed_by(KEY));
        assert_eq!(*proxy.asked.lock().unwrap(), [format!("CONNECT {HOST}:443 HTTP/1.1")]);
        let notifier =
            Notifier::new(vec![notices::endpoint("https://x.example/")], &world.path("state"));
        let backlogs = notifier.backlogs(&desk.ledger).await;
        assert_eq!(
            (backlogs[0].1.waits, backlogs[0].1.failed),
            (left, u64::try_from(left).unwrap())
        );
    }
}

#[tokio::test]
async fn without_leave_no_proxy_is_asked_and_a_certificate_of_another_tells_nobody() {
    for (host, more, asked) in [(HOST, "", 0), ("other.example.com", "proxy = true", 1)] {
        let proxy = ConnectProxy::start(host, status(204)).await;
        let world = behind(&proxy, more).await.unset("NO_PROXY");
        begun(&world).await.asks("admin").await;
        assert_eq!(world.run(&["expire"]).await.status, 0);
        assert_eq!(proxy.asked.lock().unwrap().len(), asked, "{host}");
        assert!(proxy.told.lock().unwrap().is_empty(), "{host}");
        let kept = std::fs::read_to_string(world.path("state/notices/hook.json")).unwrap();
        assert!(kept.contains("\"failing\":{"), "{kept}");
    }
}

#[tokio::test]
async fn whoever_watches_a_server_sees_what_waits_and_what_failed() {
    let (world, receiver, key) = (World::asking().await, Receiver::start().await, Key::new("a"));
    let issuer = Issuer::start(&key).await;
    let config = format!(
        "[notify.hook]\nurl = \"{}\"\nsecret = \"{KEY}\"\nallow_private = true\n",
        receiver.url
    );
    let team = Team::start(&world, &issuer, &config).await.ready().await;
    let count = async |name: &str| {
        let text = team.get("/metrics").await.body;
        let start = format!("{name}{{endpoint=\"hook\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(start.as_str()));
        line.map(|count| count.parse::<u64>().unwrap())
    };
    let comes = async |name: &str, most: u64| {
        let waiting = async {
            while count(name).await < Some(most) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::harness::PATIENCE, waiting).await.expect(name);
    };
    comes("grantor_notices_waiting", 0).await;
    assert_eq!(count("grantor_notices_oldest_seconds").await, Some(0));
    receiver.answers(|_| status(500));
    let desk = Desk::of(Ledger::new(&world.path("state"), None));
    desk.asks("admin").await;
    desk.asks("viewer").await;
    comes("grantor_notices_failed_total", 1).await;
    assert_eq!(count("grantor_notices_waiting").await, Some(2));
    // It is told of in seconds; the next is known to come.
    comes("grantor_notices_oldest_seconds", 1).await;
    receiver.answers(|_| status(200));
    comes("grantor_notices_told_total", 2).await;
    assert_eq!(count("grantor_notices_waiting").await, Some(0));
    assert_eq!(count("grantor_notices_oldest_seconds").await, Some(0));
    assert_eq!(count("grantor_notices_given_up_total").await, Some(0));
    let text = team.get("/metrics").await.body;
    assert!(!text.contains("hunter2") && !text.contains("127.0.0.1"), "{text}");
}

/// What was read by this process so far, in bytes.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// Alone in its process: what others read would count as well.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "writes a million lines"]
async fn what_a_notice_costs_does_not_grow_with_a_million_lines() {
    const FEW: usize = 2_000;
    const MANY: usize = 1_000_000;
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let (dir, receiver) = (dir.unwrap(), Receiver::start().await);
    let desk = Desk::of(Ledger::new(dir.path(), None));
    let notifier = Notifier::new(vec![notices::endpoint(&receiver.url)], dir.path());
    notifier.begin(&desk.ledger).await.unwrap();
    let somebody = Requester::named("bulk");
    let (mut written, mut costs) = (0, Vec::new());
    for lines in [FEW, MANY] {
        while written < lines {
            let content =
                json!({ "summary": "Sam Rivera: Developer on Orders", "number": written });
            desk.ledger.refuse_plainly(content, &somebody).await;
            written += 1;
        }
        // What was written before is read on from once, whatever is told.
        tell(&desk, &notifier, lines / 500 + 10).await;
        receiver.take();
        let mut all = Vec::new();
        for what in 0..10 {
            let receipt = desk.asks(&format!("role {what} of {lines}")).await;
            let before = bytes_read();
            tell(&desk, &notifier, 1).await;
            all.push(bytes_read() - before);
            assert_eq!(said(&receiver.take()), [pair("asked", &receipt)]);
        }
        all.sort_unstable();
        println!("behind {lines} lines a notice reads {} bytes, at most {}", all[5], all[9]);
        costs.push(all[5]);
    }
    assert!(costs[1] < costs[0] * 2, "{costs:?}");
}

#[cfg(target_os = "linux")]
async fn tell(desk: &Desk, notifier: &Notifier, times: usize) {
    for _ in 0..times {
        let lock = desk.ledger.locks().take(LockOn::Notices).await.unwrap();
        let troubles = notifier.deliver_by(lock, &desk.ledger, &|_| None).await;
        assert!(troubles.is_empty(), "{troubles:?}");
    }
}
