use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use grantor::sandbox::{FaultKind, KeyKind, Modes};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::front::{Fronts, PROTOCOLS};
use super::harness::{Ran, World, parsed, run_any};
use super::proxy::{Proxy, Then, pass, request};
use super::writes::{GRANTS, Grant};

const MARK: &str = "\u{feff}";
/// Where each vendor is.
const URLS: [&str; 5] = [
    "OUTSYSTEMS_PORTAL_URL",
    "DFNS_API_URL",
    "REDOX_API_URL",
    "SNAPLOGIC_URL",
    "CENTRASITE_BRIDGE_URL",
];
const SECRETS: [&str; 6] = [
    "OUTSYSTEMS_CLIENT_SECRET",
    "DFNS_AUTH_TOKEN",
    "DFNS_PRIVATE_KEY",
    "REDOX_PRIVATE_KEY",
    "SNAPLOGIC_PASSWORD",
    "CENTRASITE_PASSWORD",
];
const PLAIN: [&str; 8] = [
    "OUTSYSTEMS_CLIENT_ID",
    "DFNS_CREDENTIAL_ID",
    "REDOX_CLIENT_ID",
    "REDOX_KEY_ID",
    "SNAPLOGIC_USERNAME",
    "CENTRASITE_USERNAME",
    "DFNS_API_URL",
    "REDOX_API_URL",
];

fn utf16(text: &str) -> Vec<u8> {
    let units = format!("{MARK}{text}");
    units.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A change at each vendor is carried out and seen.
async fn all_work(world: &World, case: &str) {
    let server = world.serve().await;
    for grant in &GRANTS[..5] {
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "confirmed", "{case}, {}: {:#}", grant.vendor, answer.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_byte_order_mark_before_a_line_is_none_of_it() {
    for first in ["", MARK] {
        let world = World::new().await;
        let mut raw = world.serve_raw();
        raw.send_bytes(first.as_bytes()).await;
        let hello = raw.hello("2025-11-25").await;
        assert!(hello["result"]["serverInfo"].is_object(), "{hello}");
        let marked = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" });
        raw.send_bytes(format!("{MARK}{marked}\n{MARK}\n").as_bytes()).await;
        assert_eq!(raw.next().await.unwrap()["id"], 7);
        raw.send_bytes(&utf16("{\"jsonrpc\": \"2.0\"}")).await;
        raw.send_bytes(b"\n").await;
        let told = raw.next().await.unwrap();
        assert!(told["error"]["message"].as_str().unwrap().contains("UTF-16"), "{told}");
        let (status, _) = raw.finish().await;
        assert_eq!(status, 0);
    }
}

#[tokio::test]
async fn arguments_on_stdin_may_begin_with_a_mark() {
    let world = World::new().await;
    let grant = &GRANTS[3];
    for (bytes, status, words) in [
        (format!("{MARK}{}\r\n", grant.arguments).into_bytes(), 0, ""),
        (utf16(grant.arguments), 2, "it is UTF-16 text"),
        (b"{\"a\": \"\xff\"}".to_vec(), 2, "not UTF-8"),
    ] {
        let mut command = world.command(["call", grant.tool, "-", "--dry-run"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bytes).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{told}");
        assert!(told.contains(words), "{words}: {told}");
    }
}

/// With a mark before and the line ends of another system behind, wherever a file holds something.
#[tokio::test]
async fn every_file_is_read_as_text() {
    let mut world = World::new().await;
    for name in SECRETS {
        let path = world.path(name);
        let text = world.variable(name).trim_end().replace('\n', "\r\n");
        std::fs::write(&path, format!("{MARK}{text}\r\n")).unwrap();
        world = world.unset(name).set(&format!("{name}_FILE"), path.to_str().unwrap());
    }
    let policy = std::fs::read_to_string(super::harness::example("automation")).unwrap();
    let files = [
        ("GRANTOR_POLICY", "p.cedar", policy.replace('\n', "\r\n")),
        ("GRANTOR_CONFIG", "c.toml", "[grantor]\r\nconsent_wait = 9\r\n".to_owned()),
        ("GRANTOR_LEDGER_KEY_FILE", "key", format!("{}\r\n", "k".repeat(40))),
    ];
    for (name, file, text) in &files {
        std::fs::write(world.path(file), format!("{MARK}{text}")).unwrap();
        let path = world.path(file).to_str().unwrap().to_owned();
        world = world.set(name, path);
    }
    all_work(&world, "files").await;
    // The key is the same without the mark.
    let world = world.unset("GRANTOR_LEDGER_KEY_FILE").set("GRANTOR_LEDGER_KEY", "k".repeat(40));
    let ran = world.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 0, "{ran:?}");
}

/// What is saved in two bytes a character is named with the file.
#[tokio::test]
async fn a_file_in_utf_16_is_named() {
    for name in [
        "DFNS_AUTH_TOKEN_FILE",
        "DFNS_PRIVATE_KEY_FILE",
        "SNAPLOGIC_PASSWORD_FILE",
        "GRANTOR_LEDGER_KEY_FILE",
        "GRANTOR_POLICY",
        "GRANTOR_APPROVERS",
        "GRANTOR_CONFIG",
    ] {
        let world = World::new().await.unset(name.trim_end_matches("_FILE"));
        let path = world.path("wide");
        std::fs::write(&path, utf16("[grantor]\n")).unwrap();
        let world = world.set(name, path.to_str().unwrap());
        let ran = world.run(&["doctor"]).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        let is_named = told.contains("wide") && told.contains("it is UTF-16 text");
        assert!(ran.status == 1 && is_named, "{name}: {told}");
    }
}

#[tokio::test]
async fn a_vendors_json_may_begin_with_a_mark() {
    let mut world = World::new().await.tokens_straight().await;
    let audience = world.variable("REDOX_TOKEN_URL").to_owned();
    world = world.set("REDOX_TOKEN_AUDIENCE", audience);
    let mut between = Vec::new();
    let mark = |body: &str| if body.is_empty() { String::new() } else { format!("{MARK}{body}") };
    for name in URLS.into_iter().chain(["OUTSYSTEMS_TOKEN_URL", "REDOX_TOKEN_URL"]) {
        let url = world.variable(name).to_owned();
        let at = url.match_indices('/').nth(2).map_or(url.len(), |(place, _)| place);
        let proxy = Proxy::start(Some(&url[..at]), move |_, _| Then::Change(Arc::new(mark))).await;
        world = world.set(name, format!("{}{}", proxy.url, &url[at..]));
        between.push(proxy);
    }
    all_work(&world, "marked answers").await;
    assert!(between.iter().all(|proxy| proxy.asked() > 0));
}

/// What a shell or an env file leaves behind a value is none of it.
#[tokio::test]
async fn line_ends_behind_a_setting_are_none_of_it() {
    for end in ["\n", "\r\n", "\n\n"] {
        let mut world = World::new().await;
        for name in SECRETS.into_iter().chain(PLAIN) {
            let value = world.variable(name).to_owned();
            world = world.set(name, format!("{value}{end}"));
        }
        all_work(&world, &format!("{end:?}")).await;
    }
}

/// A token that no header can carry is named, with what is wrong and nothing of it.
#[tokio::test]
async fn a_token_that_no_header_carries_is_named() {
    for (change, words) in [
        ("A\nB", "holds a line end"),
        ("A B", "holds a blank"),
        ("A\u{200b}B", "holds U+200B"),
        ("Bearer A", "begins with the word Bearer"),
        ("\"A\"", "is in quotes"),
    ] {
        let world = World::new().await;
        let world = world.set("DFNS_AUTH_TOKEN", change.replace('A', "hunter2hunter2"));
        let ran = world.run(&["doctor"]).await;
        let line = ran.stdout.lines().find(|line| line.contains("failed")).unwrap_or_default();
        assert!(line.contains("DFNS_AUTH_TOKEN: it") && line.contains(words), "{}", ran.stdout);
        assert!(ran.status == 1 && !ran.stdout.contains("hunter2"), "{}", ran.stdout);
        let answer = world.serve().await.call(GRANTS[1].tool, parsed(GRANTS[1].arguments)).await;
        assert!(answer.summary().contains("DFNS_AUTH_TOKEN"), "{:#}", answer.body);
        assert!(!answer.hint().contains("network"), "{}", answer.hint());
        assert!(world.sandbox.journal().iter().all(|seen| seen.vendor != "dfns"));
    }
}

/// A placeholder that a client handed on is none of a value.
#[tokio::test]
async fn a_placeholder_is_named_wherever_it_stands() {
    let forms = ["${user_config.x}", "{{x}}", "<your token>"];
    for name in SECRETS.into_iter().chain(PLAIN).chain(["REDOX_TOKEN_AUDIENCE"]) {
        for form in forms {
            let world = World::new().await.set(name, form);
            let ran = world.run(&["doctor"]).await;
            let line = format!("{name} looks like a placeholder");
            assert!(ran.status == 1 && ran.stdout.contains(&line), "{name}: {}", ran.stdout);
        }
    }
    for name in ["GRANTOR_STATE_DIR", "GRANTOR_POLICY", "GRANTOR_LEDGER_KEY", "GRANTOR_VENDORS"] {
        let ran = World::new().await.set(name, forms[0]).run(&["tools"]).await;
        let line = format!("{name} looks like a placeholder");
        assert!(ran.status == 1 && ran.stderr.contains(&line), "{name}: {}", ran.stderr);
    }
    let world = World::new().await.unset("DFNS_AUTH_TOKEN");
    std::fs::write(world.path("token"), "${TOKEN}\n").unwrap();
    let path = world.path("token").to_str().unwrap().to_owned();
    let ran = world.set("DFNS_AUTH_TOKEN_FILE", path).run(&["doctor"]).await;
    let told = ran.stdout.contains("DFNS_AUTH_TOKEN: what") && ran.stdout.contains("a placeholder");
    assert!(ran.status == 1 && told, "{}", ran.stdout);
}

/// Some passwords look like something else: they are used, and what is odd about them is said.
#[tokio::test]
async fn what_may_be_meant_is_used_and_said() {
    for odd in ["$PASSWORD", "%PASSWORD%", "\"quoted\"", " blank "] {
        let world = World::new().await.set("SNAPLOGIC_PASSWORD", odd);
        let ran = world.run(&["doctor"]).await;
        assert!(ran.stdout.contains("mend  SNAPLOGIC_PASSWORD "), "{odd}: {}", ran.stdout);
        let sent = world.sandbox.journal().into_iter().find_map(|seen| {
            let proof = seen.headers.iter().find(|(name, _)| name == "authorization")?.1.clone();
            (seen.vendor == "snaplogic").then_some(proof)
        });
        let pair = format!("{}:{odd}", world.variable("SNAPLOGIC_USERNAME"));
        assert_eq!(sent, Some(format!("Basic {}", BASE64_STANDARD.encode(pair))), "{odd}");
    }
}

/// What `openssl ecparam -genkey` writes, as one line.
#[tokio::test]
async fn a_key_signs_in_whatever_form_it_is_pasted() {
    let world = World::with(Modes { dfns_key: KeyKind::P256, ..Modes::default() }).await;
    let known = world.variable("DFNS_PRIVATE_KEY").to_owned();
    let body: String = known.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(body).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).unwrap();
    let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    let sec1 = BASE64_STANDARD.encode(sec1.as_ref());
    let openssl = format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
         -----BEGIN EC PRIVATE KEY-----\n{sec1}\n-----END EC PRIVATE KEY-----\n"
    );
    let mut world = world;
    let users = ["alex.kim@example.com", "hiro.tanaka@example.com", "sam.rivera@example.com"];
    let forms = [openssl.replace('\n', " "), known.replace('\n', "\\r\\n"), format!("\"{known}\"")];
    for (form, _) in forms.into_iter().zip(users) {
        world = world.set("DFNS_PRIVATE_KEY", form);
        let server = world.serve().await;
        let grant = &GRANTS[1];
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert!(["confirmed", "already_present"].contains(&answer.outcome()), "{:#}", answer.body);
        let receipt = answer.body["receipt"].clone();
        if !receipt.is_null() {
            let undone = server.call("undo_change", json!({ "receipt": receipt })).await;
            assert_eq!(undone.outcome(), "confirmed", "{:#}", undone.body);
        }
    }
}

fn redox() -> &'static Grant {
    GRANTS.iter().find(|grant| grant.vendor == "redox").unwrap()
}

/// A clock that is a little ahead is within what the vendor tolerates; more of it is named.
#[tokio::test]
async fn a_clock_that_is_ahead_of_the_vendors_is_made_up_for_or_named() {
    for (behind, works) in [(0, true), (12, true), (18, true), (25, false), (90, false)] {
        let modes = Modes { redox_behind: Duration::from_secs(behind), ..Modes::default() };
        let world = World::with(modes).await;
        let answer = world.serve().await.call(redox().tool, parsed(redox().arguments)).await;
        if works {
            assert_eq!(answer.outcome(), "confirmed", "{behind}: {:#}", answer.body);
            continue;
        }
        let summary = answer.summary();
        assert!(
            summary.contains("this machine's clock is") && summary.contains("ahead of"),
            "{summary}"
        );
        assert!(answer.hint().contains("clock"), "{}", answer.hint());
    }
}

/// An error that says nothing is not quoted.
#[tokio::test]
async fn an_empty_message_is_none() {
    for body in [r#"{"error":"","error_description":""}"#, r#"{"error":{"message":" "}}"#, ""] {
        let world = World::new().await;
        let fault = || FaultKind::Status { status: 400, headers: vec![], body: body.to_owned() };
        (0..2).for_each(|_| world.inject("redox", "POST", "/v2/auth/token", fault()));
        let answer = world.serve().await.call(redox().tool, parsed(redox().arguments)).await;
        assert!(answer.summary().contains("answered 400"), "{}", answer.summary());
        assert!(!answer.summary().contains("“”") && !answer.summary().contains("“ ”"));
    }
}

/// A proxy that cannot be read is no reason to go without one.
#[tokio::test]
async fn a_proxy_or_an_authority_that_is_none_is_named_and_nothing_is_sent() {
    for (name, value, words) in [
        ("HTTPS_PROXY", "\"http://127.0.0.1:9\"", "is in quotes"),
        ("https_proxy", "http://127.0.0.1:9 ", "a blank or a line end"),
        ("ALL_PROXY", "http//127.0.0.1:9", "is no proxy's URL"),
        ("all_proxy", "socks5://127.0.0.1:9", "is a SOCKS proxy"),
        ("HTTP_PROXY", "'127.0.0.1:9'", "is in quotes"),
        ("SSL_CERT_FILE", "/nowhere", "No such file"),
        ("SSL_CERT_FILE", "", "is set and empty"),
        ("SSL_CERT_FILE", "/tmp", "a folder"),
        ("SSL_CERT_DIR", "/nowhere", "No such file"),
    ] {
        let (fronts, world) = Fronts::start(World::new().await, "h2").await;
        let world = world.set(name, value);
        let ran = world.run(&["call", "list_roles", "{}"]).await;
        let problems = parsed(&ran.stdout)["problems"].as_array().cloned().unwrap_or_default();
        // What the other two offer is known without asking them.
        assert_eq!(problems.len(), 3, "{name}: {}", ran.stdout);
        for problem in problems {
            let told = problem["message"].as_str().unwrap();
            assert!(told.contains(name) && told.contains(words), "{name}={value}: {problem}");
            assert!(!problem["hint"].as_str().unwrap_or_default().contains("its certificate"));
        }
        assert!(fronts.seen().is_empty(), "{name}={value}: {:?}", fronts.seen());
        let grant = &GRANTS[1];
        let answer = world.serve().await.call(grant.tool, parsed(grant.arguments)).await;
        assert!(answer.is_error && answer.summary().contains(name), "{:#}", answer.body);
    }
}

/// A vendor whose connections are dead once they have been used, as after an idle time that is shorter
/// than ours.
struct Stale {
    url: String,
    listening: tokio::task::AbortHandle,
}

impl Stale {
    async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream: Arc<str> = upstream.trim_start_matches("http://").into();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(Self::connection(stream, upstream.clone()));
            }
        });
        Self { url, listening: serving.abort_handle() }
    }

    async fn connection(mut client: TcpStream, upstream: Arc<str>) {
        let mut is_used = false;
        while let Some((head, body)) = request(&mut client).await {
            if is_used && !head.starts_with("GET ") {
                return;
            }
            is_used = true;
            let answer = pass(&upstream, &head, &body).await;
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let kept = String::from_utf8(answer[..end].to_vec()).unwrap();
            let kept =
                kept.replace("connection: close\r\n", "").replace("\r\nconnection: close", "");
            let whole = [kept.as_bytes(), &answer[end..]].concat();
            if client.write_all(&whole).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Stale {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[tokio::test]
async fn a_write_is_not_lost_on_a_connection_that_was_used() {
    let mut world = World::new().await.tokens_straight().await;
    let audience = world.variable("REDOX_TOKEN_URL").to_owned();
    world = world.set("REDOX_TOKEN_AUDIENCE", audience);
    let mut between = Vec::new();
    for name in URLS {
        let stale = Stale::start(world.variable(name)).await;
        world = world.set(name, stale.url.clone());
        between.push(stale);
    }
    all_work(&world, "HTTP/1.1").await;
    assert_eq!(world.writes().len(), 5);
}

#[tokio::test]
async fn nor_over_tls() {
    for protocol in PROTOCOLS {
        let (fronts, world) = Fronts::start(World::new().await, protocol).await;
        fronts.fresh_for_writes();
        all_work(&world, protocol).await;
        assert_eq!(world.writes().len(), 5);
    }
}

#[tokio::test]
async fn a_list_of_vendors_names_some() {
    for text in [",", " , ", " ", "dfns,acme", "${user_config.vendors}"] {
        let ran = World::new().await.set("GRANTOR_VENDORS", text).run(&["tools"]).await;
        let told =
            ran.stderr.contains("GRANTOR_VENDORS") && ran.stderr.contains("there are outsystems");
        assert!(ran.status == 1 && told, "{text:?}: {}", ran.stderr);
    }
    for text in ["dfns", "dfns,", " dfns , ", "dfns\n"] {
        let ran = World::new().await.set("GRANTOR_VENDORS", text).run(&["tools"]).await;
        assert!(
            ran.status == 0 && !ran.stdout.contains("grant_asset_role"),
            "{text:?}: {}",
            ran.stdout
        );
    }
}

#[tokio::test]
async fn a_blank_around_an_address_and_a_time_of_another_clock_are_understood() {
    let world = World::new().await;
    let server = world.serve().await;
    for grant in &GRANTS[..3] {
        let mut arguments = parsed(grant.arguments);
        for field in ["userKey", "identityId", "permissionId", "roleKey"] {
            if let Some(text) = arguments[field].as_str() {
                arguments[field] = json!(format!(" {text} "));
            }
        }
        arguments.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let answer = server.call(grant.tool, arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
    }
    let looked = server.call("list_access", json!({ "principal": "alex.kim@example.com " })).await;
    assert!(!looked.body["rows"].as_array().unwrap().is_empty(), "{:#}", looked.body);
    for (time, words) in [
        ("9999-12-31T23:59:59Z", "later than any time that can be kept"),
        ("2027-02-29T12:00:00Z", "no calendar has the day"),
        ("2030-12-24T18:00:00+02:00[Europe/Berlin]", "names a zone that is +01"),
    ] {
        let mut arguments = parsed(GRANTS[3].arguments);
        arguments["expires_at"] = json!(time);
        let answer = server.call(GRANTS[3].tool, arguments).await;
        let told = answer.summary();
        assert!(answer.outcome() == "invalid" && told.contains("expires_at"), "{told}");
        assert!(told.contains(words), "{time}: {told}");
    }
}

/// A copy beside the ledger is none of it, and leaves no trace when it is gone.
#[tokio::test]
async fn a_dated_copy_of_the_ledger_is_none_of_it() {
    let world = World::new().await;
    let server = world.serve().await;
    server.call(GRANTS[3].tool, parsed(GRANTS[3].arguments)).await;
    server.stop().await;
    let lines = world.path("state/lines.jsonl");
    let names = [
        "ledger-2026-11-26.jsonl",
        "ledger-20261126.jsonl",
        "lines-20261126.jsonl",
        "lines-202611261200.jsonl",
        "ledger-20261126120000.jsonl",
        "lines-1.jsonl",
        "lines.jsonl.1",
        "lines.jsonl.bak",
        "lines (copy).jsonl",
    ];
    let verify = async |case: &str| {
        for command in [&["ledger", "verify"][..], &["expire"], &["requests"], &["doctor"]] {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 0, "{case}, {command:?}: {ran:?}");
        }
    };
    verify("before").await;
    let told = async || world.run(&["ledger", "verify"]).await.stdout;
    assert!(!told().await.contains("passed over"));
    for (name, count) in names.into_iter().zip(1..) {
        std::fs::copy(&lines, world.path("state").join(name)).unwrap();
        verify(name).await;
        // One line, whatever there is of them.
        let told = told().await;
        let lines = told.lines().filter(|line| line.contains("of this ledger: passed over"));
        let [line] = lines.collect::<Vec<_>>()[..] else { panic!("{name}: {told}") };
        let more = line.contains(&format!(" and {} more are no files", count - 5));
        assert!(if count > 5 { more } else { line.contains(name) }, "{name}: {line}");
    }
    for name in names {
        std::fs::remove_file(world.path("state").join(name)).unwrap();
    }
    verify("after").await;
}

/// Runs a command where `before` was done to the state directory, `$1`, for it alone; none where
/// this machine has no such rooms.
#[cfg(target_os = "linux")]
async fn in_a_room(world: &World, before: &str, arguments: &[&str]) -> Option<Ran> {
    let room = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command
    };
    let can = room().arg("mount -t tmpfs tmpfs /mnt").output().await;
    if !can.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let plain = world.command(arguments);
    let plain = plain.as_std();
    let mut command = room();
    let state = world.path("state");
    let script = format!("{before}\nshift\nexec \"$@\"");
    command.arg(script).arg("sh").arg(&state).arg(plain.get_program()).args(plain.get_args());
    let set = plain.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(set).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null());
    Some(run_any(&mut command).await)
}

#[cfg(target_os = "linux")]
const READ_ONLY: &str = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 99";
#[cfg(target_os = "linux")]
const FULL: &str = "mount -t tmpfs -o size=64k tmpfs \"$1\" || exit 99";
#[cfg(target_os = "linux")]
const SMALL: &str = "mount -t tmpfs -o size=8m tmpfs \"$1\" || exit 99";

/// Before it is full: nothing is wrong yet, and it is said.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_doctor_says_where_room_is_little() {
    let world = World::new().await;
    std::fs::create_dir_all(world.path("state")).unwrap();
    let Some(ran) = in_a_room(&world, SMALL, &["doctor"]).await else { return };
    let line = format!("{}: only 8 MB are free", world.path("state").display());
    assert!(ran.status == 0 && ran.stdout.contains(&line), "{ran:?}");
    let ran = in_a_room(&world, SMALL, &["doctor", "--read-only"]).await.unwrap();
    assert!(ran.status == 0 && !ran.stdout.contains("are free"), "{ran:?}");
}

/// Backups and auditors look at what they cannot write.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_read() {
    let world = World::asking().await;
    let server = world.serve().await;
    server.call(GRANTS[3].tool, parsed(GRANTS[3].arguments)).await;
    let waiting = server.call(GRANTS[1].tool, parsed(GRANTS[1].arguments)).await;
    let receipt = waiting.body["receipt"].as_str().unwrap().to_owned();
    server.stop().await;
    let lines = world.ledger().len();
    for (arguments, shows) in [
        (&["ledger", "verify"][..], "whole"),
        (&["requests"], &*receipt),
        (&["ledger", "export"], &receipt),
        (&["ledger", "tail", "--ids"], &receipt),
        (&["call", "check_change", &format!("{{\"receipt\": \"{receipt}\"}}")], &receipt),
    ] {
        let Some(ran) = in_a_room(&world, READ_ONLY, arguments).await else { return };
        assert!(ran.stdout.contains(shows), "{arguments:?}: {ran:?}");
        assert!(ran.status == 0 || arguments[0] == "call", "{arguments:?}: {ran:?}");
        // Whatever the index is.
        std::fs::remove_file(world.path("state/ledger.index")).ok();
    }
    assert_eq!(world.ledger().len(), lines);
    let Some(ran) = in_a_room(&world, READ_ONLY, &["doctor"]).await else { return };
    assert!(ran.status == 1 && ran.stdout.contains("no line could be written"), "{ran:?}");
    let ran = in_a_room(&world, READ_ONLY, &["doctor", "--read-only"]).await.unwrap();
    assert!(ran.status == 0 && ran.stdout.contains("no line could be written"), "{ran:?}");
}

/// What is due there is named, each with why it is left; so it is before anybody has tried.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_due_in_a_ledger_that_cannot_be_written_is_named() {
    let world = World::new().await;
    let mut receipts = Vec::new();
    for grant in &GRANTS[3..5] {
        let mut arguments = parsed(grant.arguments);
        arguments["expires_in"] = "PT1S".into();
        let ran = world.run(&["call", grant.tool, &arguments.to_string()]).await;
        receipts.push(parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let listed = world.run(&["requests"]).await;
    assert_eq!(listed.stdout.matches("nothing is recorded of an end").count(), 2, "{listed:?}");
    let names_all = |ran: &Ran| {
        for receipt in &receipts {
            let mut lines = ran.stderr.lines().filter(|line| line.contains(receipt));
            let line = lines.next().unwrap_or_else(|| panic!("{receipt}: {ran:?}"));
            assert!(line.contains("left") && line.contains("was to end"), "{line}");
        }
        assert_eq!(ran.status, 1, "{ran:?}");
    };
    if let Some(ran) = in_a_room(&world, READ_ONLY, &["expire"]).await {
        names_all(&ran);
        assert!(ran.stderr.contains("Read-only file system"), "{ran:?}");
    }
    // The same where the right to do maintenance cannot be had for another reason.
    let lock = world.path("state/tending.lock");
    std::fs::remove_file(&lock).ok();
    std::fs::create_dir(&lock).unwrap();
    names_all(&world.run(&["expire"]).await);
    assert_eq!(world.writes().len(), 2);
    std::fs::remove_dir(&lock).unwrap();
    assert_eq!(world.run(&["expire"]).await.status, 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_doctor_says_where_no_line_could_be_written() {
    let world = World::new().await;
    std::fs::create_dir(world.path("state")).unwrap();
    for (before, words) in [(READ_ONLY, "Read-only file system"), (FULL, "make room there")] {
        let Some(ran) = in_a_room(&world, before, &["doctor"]).await else { return };
        assert!(ran.status == 1 && ran.stdout.contains(words), "{before}: {ran:?}");
    }
    assert_eq!(world.run(&["doctor"]).await.status, 0);
    assert_eq!(std::fs::read_dir(world.path("state")).unwrap().count(), 0, "nothing is left");
}

/// Nobody means nothing: a setting that is blank is named, and one that is empty is not set.
#[tokio::test]
async fn a_setting_that_is_blank_is_named() {
    for name in SECRETS.into_iter().chain(PLAIN).chain(["REDOX_TOKEN_AUDIENCE"]) {
        for blank in [" ", "\t", "\u{a0}\u{200b}"] {
            let world = World::new().await.set(name, blank);
            let ran = world.run(&["doctor"]).await;
            let line = format!("mend  {name} is set and blank");
            assert!(ran.status == 1 && ran.stdout.contains(&line), "{name}: {}", ran.stdout);
        }
    }
    for name in ["GRANTOR_STATE_DIR", "GRANTOR_POLICY", "GRANTOR_LEDGER_KEY", "GRANTOR_VENDORS"] {
        let ran = World::new().await.set(name, " ".repeat(40)).run(&["tools"]).await;
        let line = format!("{name} is set and blank");
        assert!(ran.status == 1 && ran.stderr.contains(&line), "{name}: {}", ran.stderr);
    }
    let world = World::new().await.unset("DFNS_AUTH_TOKEN");
    std::fs::write(world.path("token"), " \n").unwrap();
    let path = world.path("token").to_str().unwrap().to_owned();
    let ran = world.set("DFNS_AUTH_TOKEN_FILE", path).run(&["doctor"]).await;
    assert!(ran.status == 1 && ran.stdout.contains("failed  DFNS_AUTH_TOKEN: "), "{}", ran.stdout);
    // Words and numbers of Grantor's own are the same with a blank behind them.
    let world =
        World::new().await.set("GRANTOR_LOG_FORMAT", "json ").set("GRANTOR_READ_ONLY", " 1");
    let ran = world.set("GRANTOR_CONSENT_WAIT", " 60\t").run(&["doctor"]).await;
    assert!(ran.status == 0 && ran.stdout.contains("(read-only)"), "{ran:?}");
}

/// A path with quotes or a blank around it is another place, where an end would be kept that nobody
/// finds.
#[tokio::test]
async fn a_path_is_named_that_cannot_be_meant() {
    let here = tempfile::tempdir().unwrap();
    let real = here.path().join("there");
    std::fs::write(&real, "x").unwrap();
    let real = real.to_str().unwrap();
    let forms = [
        (format!("\"{real}\""), "is in quotes"),
        (format!("'{real}'"), "is in quotes"),
        (format!("{real} "), "begins or ends with a blank"),
        (format!(" {real}"), "begins or ends with a blank"),
        (format!("file://{real}"), "is a URL"),
    ];
    for (form, words) in &forms {
        for name in ["GRANTOR_STATE_DIR", "GRANTOR_POLICY", "GRANTOR_APPROVERS", "GRANTOR_CONFIG"] {
            let ran = World::new().await.set(name, form).run(&["tools"]).await;
            let line = format!("{name} {words}");
            assert!(ran.status == 1 && ran.stderr.contains(&line), "{line}: {}", ran.stderr);
        }
        for name in SECRETS {
            let world = World::new().await.unset(name).set(&format!("{name}_FILE"), form);
            let ran = world.run(&["doctor"]).await;
            let line = format!("mend  {name}_FILE {words}");
            assert!(ran.status == 1 && ran.stdout.contains(&line), "{line}: {}", ran.stdout);
        }
        let form = form.replace('"', "\\\"");
        for (text, line) in [
            (format!("[grantor]\nstate_dir = \"{form}\"\n"), format!("state_dir {words}")),
            (
                format!("[dfns]\nauth_token = {{ file = \"{form}\" }}\n"),
                format!("DFNS_AUTH_TOKEN: its file {words}"),
            ),
        ] {
            let world = World::new().await.unset("DFNS_AUTH_TOKEN");
            std::fs::write(world.path("c.toml"), text).unwrap();
            let path = world.path("c.toml").to_str().unwrap().to_owned();
            let world = world.set("GRANTOR_CONFIG", path);
            let mut command = world.command(["doctor"]);
            let ran = run_any(command.env_remove("GRANTOR_STATE_DIR")).await;
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(ran.status == 1 && told.contains(&line), "{line}: {told}");
        }
    }
}

/// An address with a hole in it is none, whatever would become of it.
#[tokio::test]
async fn an_address_that_nobody_filled_in_is_named() {
    for (form, words) in [
        ("https://<tenant>.example.com", "holds a placeholder"),
        ("https://${HOST}", "holds a placeholder"),
        ("https://$HOST/api", "holds a placeholder"),
        ("https://%HOST%", "holds a placeholder"),
        ("https://{tenant}.example.com", "holds a placeholder"),
        ("\"https://a.example.com\"", "is in quotes"),
        ("'https://a.example.com'", "is in quotes"),
    ] {
        for name in URLS.into_iter().chain(["OUTSYSTEMS_TOKEN_URL", "REDOX_TOKEN_URL"]) {
            let ran = World::new().await.set(name, form).run(&["doctor"]).await;
            let line = format!("mend  {name} {words}");
            assert!(ran.status == 1 && ran.stdout.contains(&line), "{line}: {}", ran.stdout);
        }
    }
}

/// A private key as the vendor's pages show key sets signs as the one in PEM.
#[tokio::test]
async fn a_jwk_is_a_private_key() {
    let world = World::new().await;
    let pem = world.variable("REDOX_PRIVATE_KEY").to_owned();
    let script = "process.stdout.write(JSON.stringify(crypto.createPrivateKey(process.env.PEM)\
                  .export({format: 'jwk'})))";
    let mut node = Command::new("node");
    let made = node.args(["-e", script]).env("PEM", &pem).output().await;
    let Some(jwk) = made.ok().filter(|made| made.status.success()) else { return };
    let jwk = String::from_utf8(jwk.stdout).unwrap();
    let world = world.set("REDOX_PRIVATE_KEY", &jwk);
    let ran = world.run(&["doctor"]).await;
    assert!(ran.stdout.contains("ok      REDOX_PRIVATE_KEY signs"), "{}", ran.stdout);
    let answer = world.serve().await.call(redox().tool, parsed(redox().arguments)).await;
    assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
}

/// A rule, a setting or an approver behind a comment counts, or the file is not read: what only looks like
/// the end of a comment hides nothing.
#[tokio::test]
async fn what_only_looks_like_a_line_end_hides_nothing() {
    let files = [
        (
            "GRANTOR_POLICY",
            "@id(\"all\") permit(principal, action, resource);\n// nobody|@id(\"no\") forbid(principal, action, resource);\n",
        ),
        ("GRANTOR_CONFIG", "[grantor]\n# look only|read_only = true\n"),
        ("GRANTOR_APPROVERS", "# who may|ada AAAA\n"),
    ];
    for (name, text) in files {
        for end in ["\u{2028}", "\u{2029}", "\u{85}", "\u{b}"] {
            let world = World::new().await;
            std::fs::write(world.path("file"), text.replace('|', end)).unwrap();
            let path = world.path("file").to_str().unwrap().to_owned();
            let world = world.set(name, path);
            let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
            let told = ran.stderr.contains("which is shown as a line end and read as none");
            assert!(ran.status == 1 && told, "{name} {end:?}: {ran:?}");
            assert!(world.writes().is_empty());
        }
    }
}

/// A user name with a colon would be cut there, and the rest taken for the password.
#[tokio::test]
async fn a_user_name_with_a_colon_is_named() {
    for name in ["SNAPLOGIC_USERNAME", "CENTRASITE_USERNAME"] {
        let ran = World::new().await.set(name, "user:hunter2").run(&["doctor"]).await;
        let line = format!("mend  {name} holds a colon");
        assert!(ran.status == 1 && ran.stdout.contains(&line), "{}", ran.stdout);
        assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{ran:?}");
    }
}
