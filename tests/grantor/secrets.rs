use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use grantor::observe::{CallSummary, Format, Watch};
use grantor::sandbox::{FaultKind, Modes, Options, Sandbox, Seen};
use serde_json::{Value, json};

use super::ending::{answer_when, breaking};
use super::front::{Fronts, PROTOCOLS};
use super::harness::{Ran, World, parsed};
use super::person::{self, Client};
use super::writes::GRANTS;

/// A password with everything that an encoding would write in another way.
const PASSWORD: &str = "pa$$ w+rd/%&é\"\\'=?";

/// Where something was said, and all of it.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn ran(&mut self, place: &str, ran: &Ran) {
        self.add(format!("stdout of {place}"), &ran.stdout);
        self.add(format!("stderr of {place}"), &ran.stderr);
    }

    /// Everything below a directory.
    fn files(&mut self, folder: &std::path::Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                self.add(path.display().to_string(), String::from_utf8_lossy(&bytes));
            }
        }
    }

    fn hides(&self, secrets: &BTreeSet<String>) {
        for (place, text) in &self.0 {
            for secret in secrets {
                for form in forms(secret) {
                    assert!(!text.contains(&form), "{place} shows {form:?} of a secret");
                }
            }
        }
    }
}

/// Credentials from the environment, and every proof that was made of them.
fn secrets(world: &World) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for name in
        ["OUTSYSTEMS_CLIENT_SECRET", "DFNS_AUTH_TOKEN", "SNAPLOGIC_PASSWORD", "CENTRASITE_PASSWORD"]
    {
        secrets.insert(world.variable(name).to_owned());
    }
    for name in ["DFNS_PRIVATE_KEY", "REDOX_PRIVATE_KEY"] {
        let lines = world.variable(name).lines().filter(|line| !line.starts_with('-'));
        // The first line of a key is the same for every key of its kind, up to its last part.
        secrets.extend(lines.clone().skip(1).filter(|line| line.len() > 16).map(str::to_owned));
        secrets.extend(lines.take(1).map(|line| line[line.len().min(36)..].to_owned()));
    }
    world.sandbox.journal().iter().for_each(|seen| secrets.extend(proofs(seen)));
    secrets.retain(|secret| secret.len() >= 8);
    secrets
}

/// What a request proved itself with: tokens, user actions, signatures, assertions.
fn proofs(seen: &Seen) -> Vec<String> {
    let headers = seen.headers.iter().filter_map(|(name, value)| match name.as_str() {
        "authorization" => value.split(' ').nth(1),
        "x-dfns-useraction" => Some(value.as_str()),
        _ => None,
    });
    let mut found: Vec<String> = headers.map(str::to_owned).collect();
    let fields = url::form_urlencoded::parse(&seen.body);
    let secret = |name: &str| matches!(name, "client_assertion" | "client_secret");
    found.extend(fields.filter(|(name, _)| secret(name)).map(|(_, value)| value.into_owned()));
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let signature = body.pointer("/firstFactor/credentialAssertion/signature");
    found.extend(signature.and_then(Value::as_str).map(str::to_owned));
    found
}

/// A secret as it may show: plain, in JSON, URL-encoded in each way, and in base64 of either kind at
/// each place of three.
fn forms(secret: &str) -> BTreeSet<String> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let escaped = serde_json::to_string(secret).unwrap();
    let mut forms: BTreeSet<String> =
        [secret.to_owned(), form, percent, escaped.trim_matches('"').to_owned()].into();
    for before in 0..3 {
        let bytes = [&b"xx"[..before], secret.as_bytes()].concat();
        for all in [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)] {
            // What the neighbours have no share in.
            let end = all.len() - usize::from(bytes.len() % 3 != 0);
            forms.insert(all[[0, 2, 3][before]..end].to_owned());
        }
    }
    forms.retain(|form| form.len() >= 8);
    forms
}

/// An answer that repeats what it was sent, in every form, as a name and as a message.
fn echo(status: u16, proofs: &BTreeSet<String>) -> FaultKind {
    let echoes: Vec<_> = proofs.iter().flat_map(|proof| forms(proof)).collect();
    let message = format!("not {}", echoes.join(" or "));
    let body = json!({
        "error": { "message": message }, "message": message, "detail": message,
        "results": [{ "key": "k", "name": message }],
        "items": [{ "id": "pm-x", "name": message, "operations": [message] }],
        "payload": { "memberships": [{
            "role": { "id": "1", "name": message }, "user": { "id": "2", "fullname": message } }] },
        "groups": [message], "users": [{ "username": message }],
        "assets": [{ "id": "a", "name": message }], "principals": [],
    });
    FaultKind::Status { status, headers: Vec::new(), body: body.to_string() }
}

/// What one vendor was shown last, which it may repeat: reads show the same again.
fn own(world: &World, vendor: &str) -> BTreeSet<String> {
    let journal = world.sandbox.journal();
    let mut own: BTreeSet<_> = journal
        .iter()
        .rev()
        .filter(|seen| seen.vendor == vendor)
        .take(1)
        .flat_map(proofs)
        .collect();
    if vendor == "centrasite" {
        own.insert(PASSWORD.to_owned());
    }
    own
}

/// One run through everything that prints, at the most verbose log there is.
#[tokio::test]
async fn no_secret_is_shown_or_kept_anywhere() {
    let world = World::asking().await.set("GRANTOR_LOG", "trace");
    let world = world.set("CENTRASITE_PASSWORD", PASSWORD);
    let mut said = Said::default();
    let mut client = Client::start(&world, super::harness::Era::Legacy).await;
    for grant in &GRANTS[..5] {
        let arguments = parsed(grant.arguments);
        let (asked, answer) = client.call(grant.tool, &arguments, agree).await;
        said.add("a question", format!("{asked:?}"));
        said.add(format!("an answer of {}", grant.tool), answer.body.to_string());
        // The vendor repeats what it was sent: as a refusal, as a failure, and as a name.
        for status in [400, 403, 500, 200] {
            let echoed = own(&world, grant.vendor);
            assert!(!echoed.is_empty(), "{}", grant.vendor);
            world.inject(grant.vendor, "GET", "/", echo(status, &echoed));
            let looked =
                client.ask("list_roles", &json!({ "vendor": grant.vendor }), json!({})).await;
            said.add("list_roles", looked.answer().body.to_string());
            world.inject(grant.vendor, "GET", "/", echo(status, &echoed));
            let query = json!({ "vendor": grant.vendor, "query": "not" });
            said.add(
                "find",
                client.ask("find_principals", &query, json!({})).await.answer().body.to_string(),
            );
        }
    }
    let (_, rest) = client.raw.finish().await;
    said.add("the end of stdout", Value::from(rest).to_string());
    let explained = GRANTS[0].arguments;
    for command in [
        vec!["doctor"],
        vec!["requests", "list"],
        vec!["requests", "list", "--json"],
        vec!["call", GRANTS[0].tool, explained, "--dry-run"],
        vec!["call", GRANTS[1].tool, GRANTS[1].arguments],
        vec!["policy", "explain", GRANTS[0].tool, explained],
        vec!["policy", "check"],
        vec!["call", "check_change"],
        vec!["tools", "--json"],
        vec!["expire"],
        vec!["reconcile"],
        vec!["demo"],
    ] {
        said.ran(&command.join(" "), &world.run(&command).await);
    }
    // Failures told by doctor, where each process shows the vendor the same.
    for grant in [&GRANTS[1], &GRANTS[3], &GRANTS[4]] {
        let echoed = own(&world, grant.vendor);
        world.inject(grant.vendor, "GET", "/", echo(403, &echoed));
        world.inject(grant.vendor, "GET", "/", echo(500, &echoed));
    }
    said.ran("doctor", &world.run(&["doctor"]).await);
    let log = world.stderr();
    assert!(log.contains("vendor request"), "the log is on");
    said.add("the server's stderr", log);
    said.files(&world.path("state"));
    let secrets = secrets(&world);
    assert!(secrets.len() > 20, "{}", secrets.len());
    said.hides(&secrets);
}

fn agree(form: &Value) -> Value {
    if form.pointer("/properties/grantee").is_some() {
        person::types(form)
    } else {
        person::yes(form)
    }
}

/// A signature or a token that a signing step repeats is no more shown than another.
#[tokio::test]
async fn the_steps_before_a_write_show_nothing_either() {
    let world = World::with(Modes::default()).await;
    let server = world.serve().await;
    let grant = &GRANTS[1];
    let body = server.call(grant.tool, parsed(grant.arguments)).await.body;
    let receipt = body["receipt"].as_str().unwrap().to_owned();
    server.call("undo_change", json!({ "receipt": receipt })).await;
    let proofs = secrets(&world);
    for step in ["/auth/action/init", "/auth/action"] {
        for status in [400, 403] {
            world.inject("dfns", "POST", step, echo(status, &own(&world, "dfns")));
            let answer = server.call(grant.tool, parsed(grant.arguments)).await;
            assert!(answer.is_error, "{:#}", answer.body);
            let mut said = Said::default();
            said.add(step, answer.body.to_string());
            said.hides(&proofs);
        }
    }
}

/// What is made of a secret and what is part of one: of every assertion its signature alone, what is
/// signed alone, and pieces of both; of a key each line, and its body in lines of another length.
fn parts(world: &World, vendor: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for seen in world.sandbox.journal().iter().filter(|seen| seen.vendor == vendor) {
        for proof in proofs(seen) {
            if let [header, claims, signature] = proof.split('.').collect::<Vec<_>>()[..] {
                let cut = |from: usize, to: usize| signature[from..to].to_owned();
                parts.extend([cut(0, 24), cut(7, 40), cut(signature.len() - 20, signature.len())]);
                parts.extend([format!("{header}.{claims}"), format!("{claims}.{signature}")]);
                parts.extend([claims, signature].map(str::to_owned));
            }
            parts.insert(proof);
        }
    }
    let key = world.variable(&format!("{}_PRIVATE_KEY", vendor.to_uppercase()));
    let lines: Vec<_> = key.lines().filter(|line| !line.starts_with('-')).collect();
    parts.extend(lines.iter().filter(|line| line.len() >= 20).map(|line| (*line).to_owned()));
    let body = lines.concat();
    parts.extend(body.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()));
    parts.insert(body.chars().skip(40).take(24).collect());
    parts.insert(body);
    parts.retain(|part| part.len() >= 20);
    parts
}

/// A vendor that has been shown several tokens repeats earlier ones, and parts of what it was shown.
#[tokio::test]
async fn a_part_of_a_secret_and_an_earlier_proof_are_no_more_shown() {
    for (vendor, grant) in [("dfns", &GRANTS[1]), ("redox", &GRANTS[2])] {
        let world = World::with(Modes::default()).await;
        let server = world.serve().await;
        let look = json!({ "vendor": vendor, "query": "not" });
        // Each refusal makes it prove itself anew.
        for _ in 0..3 {
            server.call("find_principals", look.clone()).await;
            let no = FaultKind::Status { status: 401, headers: Vec::new(), body: String::new() };
            world.inject(vendor, "GET", "/", no);
            server.call("list_access", json!({ "vendor": vendor })).await;
        }
        let body = server.call(grant.tool, parsed(grant.arguments)).await.body;
        server.call("undo_change", json!({ "receipt": body["receipt"] })).await;
        let parts = parts(&world, vendor);
        assert!(parts.len() > 10, "{vendor}: {}", parts.len());
        let mut said = Said::default();
        for part in &parts {
            for status in [400, 200] {
                let message = format!("no {part}!");
                let body = json!({
                    "error": { "message": message }, "message": message,
                    "items": [{ "userId": "us-x", "name": format!("not {message}") }],
                    "payload": { "memberships": [{ "role": { "id": "1", "name": message },
                        "user": { "id": "2", "fullname": format!("not {message}") } }] },
                });
                let body = body.to_string();
                let echo = FaultKind::Status { status, headers: Vec::new(), body };
                world.inject(vendor, "GET", "/", echo);
                let looked = server.call("find_principals", look.clone()).await;
                said.add(format!("{status} at {vendor}"), looked.body.to_string());
            }
        }
        server.stop().await;
        let shown = said.0.iter().filter(|(_, text)| text.contains("[REDACTED]")).count();
        assert!(shown * 2 > said.0.len(), "{vendor}: {shown} of {}", said.0.len());
        said.add("stderr", world.stderr());
        said.files(&world.path("state"));
        said.hides(&parts);
    }
}

/// A vendor repeats what it was shown, all but a character of it, backwards, or in big letters: what is
/// left is as good as all of it.
#[tokio::test]
async fn a_secret_that_is_cut_short_is_no_more_shown() {
    for grant in &GRANTS[..5] {
        let world = World::new().await;
        let server = world.serve().await;
        let look = json!({ "vendor": grant.vendor, "query": "not" });
        server.call("find_principals", look.clone()).await;
        let mut whole: BTreeSet<_> = secrets(&world);
        whole.retain(|secret| {
            let seen = world.sandbox.journal();
            let mut of_vendor = seen.iter().filter(|seen| seen.vendor == grant.vendor);
            of_vendor.any(|seen| proofs(seen).contains(secret))
        });
        let password = format!("{}_PASSWORD", grant.vendor.to_uppercase());
        if ["snaplogic", "centrasite"].contains(&grant.vendor) {
            whole.insert(world.variable(&password).to_owned());
        }
        assert!(!whole.is_empty(), "{}", grant.vendor);
        let mut said = Said::default();
        let mut cuts = BTreeSet::new();
        // A token's claims say what it is for; that it is one, its signature says.
        for secret in whole.iter().map(|secret| secret.rsplit('.').next().unwrap()) {
            let last = secret.len() - 1;
            cuts.extend([&secret[..last], &secret[1..], &secret[1..last]].map(str::to_owned));
            cuts.insert(secret.chars().rev().collect());
            cuts.insert(secret[1..].to_uppercase());
        }
        for cut in &cuts {
            let message = format!("not {cut}!");
            let body = json!({ "error": { "message": message }, "message": message });
            let no = FaultKind::Status { status: 403, headers: Vec::new(), body: body.to_string() };
            world.inject(grant.vendor, grant.method, grant.path, no.clone());
            let answer = server.call(grant.tool, parsed(grant.arguments)).await;
            assert!(answer.is_error, "{}: {:#}", grant.vendor, answer.body);
            said.add(format!("a write at {}", grant.vendor), answer.body.to_string());
            world.inject(grant.vendor, "GET", "/", no);
            let looked = server.call("find_principals", look.clone()).await;
            said.add(format!("a look at {}", grant.vendor), looked.body.to_string());
        }
        server.stop().await;
        said.add("stderr", world.stderr());
        said.files(&world.path("state"));
        let shown = said.0.iter().filter(|(_, text)| text.contains("[REDACTED]")).count();
        assert!(shown >= cuts.len(), "{}: {shown} of {}", grant.vendor, said.0.len());
        said.hides(&cuts);
    }
}

/// A header of an answer is a text of the vendor's like any other.
#[tokio::test]
async fn the_name_of_an_exchange_holds_no_secret() {
    let world = World::new().await;
    let secret = world.variable("SNAPLOGIC_PASSWORD").to_owned();
    let server = world.serve().await;
    let grant = &GRANTS[3];
    let shown: Vec<_> = forms(&secret).into_iter().collect();
    for name in shown.iter().filter(|form| form.is_ascii()).chain([&"x".repeat(5_000)]) {
        let headers = vec![("x-request-id", format!("req {name}"))];
        let no = FaultKind::Status { status: 400, headers, body: String::new() };
        world.inject(grant.vendor, grant.method, grant.path, no);
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
    }
    let ledger = world.ledger();
    let names: Vec<_> =
        ledger.iter().filter_map(|line| line["vendor_request_id"].as_str()).collect();
    assert!(
        names.len() == shown.len() + 1 && names.iter().all(|name| name.chars().count() < 200),
        "{names:?}"
    );
    let mut said = Said::default();
    said.files(&world.path("state"));
    said.ran("export", &world.run(&["ledger", "export"]).await);
    said.hides(&[secret].into());
}

/// A client secret goes to the token endpoint alone, and whoever else repeats it is not repeated.
#[tokio::test]
async fn a_client_secret_is_not_shown_whoever_says_it() {
    let world = World::new().await;
    let secret = world.variable("OUTSYSTEMS_CLIENT_SECRET").to_owned();
    let server = world.serve().await;
    let body = json!({ "title": format!("client {secret} may not") }).to_string();
    let no = FaultKind::Status { status: 400, headers: Vec::new(), body };
    world.inject("outsystems", "POST", "/", no.clone());
    world.inject("outsystems", "POST", "/organization-roles/", no);
    let grant = &GRANTS[0];
    let mut said = Said::default();
    for _ in 0..2 {
        let answer = server.call(grant.tool, parsed(grant.arguments)).await;
        assert_eq!(answer.outcome(), "rejected", "{:#}", answer.body);
        assert!(answer.summary().contains("[REDACTED]"), "{}", answer.summary());
        said.add(grant.tool, answer.body.to_string());
    }
    server.stop().await;
    said.files(&world.path("state"));
    said.hides(&[secret].into());
}

/// Whoever asks other crates for all they have to tell is told no secret of them either.
#[tokio::test]
async fn no_layer_of_http_2_or_tls_logs_a_secret() {
    const LAYERS: &str = "trace,grantor=trace,h2=trace,hyper=trace,hyper_util=trace,hyper_rustls=trace,\
        reqwest=trace,rustls=trace,rustls_platform_verifier=trace,tokio=trace,mio=trace,tower=trace";
    for protocol in PROTOCOLS {
        let world = World::new().await.set("GRANTOR_LOG", LAYERS);
        let (fronts, world) = Fronts::start(world, protocol).await;
        let mut said = Said::default();
        let server = world.serve().await;
        for grant in &GRANTS[..5] {
            let answer = server.call(grant.tool, parsed(grant.arguments)).await;
            assert_eq!(answer.outcome(), "confirmed", "{protocol}: {:#}", answer.body);
            said.add(grant.tool, answer.body.to_string());
            for status in [403, 500, 200] {
                world.inject(grant.vendor, "GET", "/", echo(status, &own(&world, grant.vendor)));
                let query = json!({ "vendor": grant.vendor, "query": "not" });
                let looked = server.call("find_principals", query).await;
                said.add("find_principals", looked.body.to_string());
            }
        }
        server.stop().await;
        for command in [["doctor"].as_slice(), &["call", "list_roles"]] {
            said.ran(&command.join(" "), &world.run(command).await);
        }
        let log = world.stderr();
        assert_eq!(log.contains(" h2::"), protocol == "h2", "what HTTP/2 does is in the log");
        said.add("stderr", log);
        said.files(&world.path("state"));
        assert!(fronts.seen().keys().all(|(spoken, _)| spoken == protocol));
        let secrets = secrets(&world);
        assert!(secrets.len() > 15, "{}", secrets.len());
        said.hides(&secrets);
    }
}

/// Where the child below is told to keep its things.
const CHILD: &str = "GRANTOR_TEST_OF_A_PANIC";

/// A panic may say what the program had in hand; nobody is told that.
#[tokio::test]
async fn a_panic_shows_its_place_and_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "secrets::a_child_panics_with_a_secret_in_hand", "--ignored"]);
    let ran = super::harness::run_any(child.arg("--nocapture").env(CHILD, home.path())).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let secret = std::fs::read_to_string(home.path().join("secret")).unwrap();
    let mut said = Said::default();
    said.ran("the child", &ran);
    said.files(&home.path().join("state"));
    said.hides(&[secret].into());
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.contains("failed inside")).collect();
    let [write, look] = told[..] else { panic!("{}", ran.stderr) };
    assert!(write.contains("ending.rs:") && look.contains("secrets.rs:"), "{told:?}");
    assert!(!ran.stderr.contains("on purpose"), "{told:?}");
    assert!(ran.stdout.contains(r#""outcome":"unknown""#), "{}", ran.stdout);
    let end = "call tool=list_roles vendor=dfns outcome=unknown took_ms=";
    assert!(ran.stderr.contains(end), "a call that broke has its line: {}", ran.stderr);
}

#[tokio::test]
#[ignore = "it is the child of the test above, which reads its stderr"]
#[expect(clippy::disallowed_methods, reason = "a variable of the tests, not of the product")]
async fn a_child_panics_with_a_secret_in_hand() {
    let home = std::path::PathBuf::from(std::env::var_os(CHILD).expect("a parent"));
    grantor::observe::hush_panics();
    grantor::observe::start(Some("trace"), Format::Human).unwrap();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let environment = sandbox.environment();
    let secret = &environment.iter().find(|(name, _)| *name == "SNAPLOGIC_PASSWORD").unwrap().1;
    std::fs::write(home.join("secret"), secret).unwrap();
    let words = format!("on purpose: {secret}");
    let (desk, armed) = breaking(&sandbox, &home.join("state"), &words).await;
    let answer = answer_when(true, &desk, &armed).await;
    println!("{}", answer.write());
    let watch = Watch::start(Some("list_roles"), Some("dfns"), None);
    let look = async move { assert!(words.is_empty(), "{words}") };
    assert!(tokio::spawn(watch.over(look, |()| CallSummary::default())).await.is_err());
}

#[cfg(unix)]
mod files {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn state_is_its_owners_alone() {
        let world = World::asking().await;
        let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        assert_eq!(parsed(&ran.stdout)["outcome"], "awaiting_consent", "{ran:#?}");
        world.run(&["expire"]).await;
        let state = world.path("state");
        assert_eq!(mode(&state), 0o700);
        let files: Vec<_> =
            std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        let wanted = |path: &Path| if path.is_dir() { 0o700 } else { 0o600 };
        files.iter().for_each(|file| assert_eq!(mode(file), wanted(file), "{file:?}"));
    }

    /// The command that is printed mends it: it is run as it stands.
    #[tokio::test]
    async fn what_others_can_read_is_said_with_the_command_that_mends_it() {
        let world = World::new().await;
        world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        let secret = world.path("it's a password");
        std::fs::write(&secret, world.variable("SNAPLOGIC_PASSWORD")).unwrap();
        let config = world.path("config.toml");
        let written = "[dfns]\nauth_token = \"hunter2hunter2\"\n";
        std::fs::write(&config, written).unwrap();
        let world =
            world.unset("SNAPLOGIC_PASSWORD").set("GRANTOR_CONFIG", config.to_str().unwrap());
        let world = world.set("SNAPLOGIC_PASSWORD_FILE", secret.to_str().unwrap());
        let (state, ledger) = (world.path("state"), world.path("state/lines.jsonl"));
        for (path, open, closed) in [
            (&secret, 0o640, 0o600),
            (&secret, 0o604, 0o600),
            (&config, 0o644, 0o600),
            (&ledger, 0o640, 0o600),
            (&state, 0o755, 0o700),
        ] {
            [&secret, &config, &ledger].iter().for_each(|path| set(path, 0o600));
            set(&state, 0o700);
            let told = |text: &str| text.matches("chmod").count();
            let doctor = world.run(&["doctor"]).await;
            assert_eq!(told(&doctor.stdout), 0, "{}", doctor.stdout);
            set(path, open);
            let doctor = world.run(&["doctor"]).await.stdout;
            let call = world.run(&["call", "list_roles"]).await.stderr;
            for said in [&doctor, &call] {
                assert_eq!(told(said), 1, "{path:?} {open:o}: {said}");
                assert!(!said.contains("hunter2"), "{said}");
            }
            let command = &call[call.find("chmod").unwrap()..].lines().next().unwrap().to_owned();
            assert!(doctor.contains(command), "{doctor}: {command}");
            let ran = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
            assert!(ran.success(), "{command}");
            assert_eq!(mode(path), closed, "{command}");
        }
    }
}
