use std::path::PathBuf;

use grantor::approvers::key::ApproverKey;
use grantor::approvers::{Proof, Statement};
use grantor::ledger::{Answered, Asking, Content, Ledger, Request};
use grantor::sandbox::{FaultKind, Modes};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::harness::{Era, Ran, World, approved, parsed, requester, time_is_over};
use super::person::{Client, Heard, yes as agrees};
use super::terminal::Terminal;
use super::writes::{GRANTS, Grant};

/// Read and execute on a space: a plain yes is enough.
const PLAIN: &Grant = &GRANTS[3];
/// A permission for the whole organization: the name has to be typed.
const WIDE: &Grant = &GRANTS[1];

/// Rules that ask nobody.
const FREE: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("change") permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("expire") permit (principal, action == Action::"expire", resource);
"#;

/// A world where nobody is asked.
async fn free() -> World {
    let world = World::new().await;
    let path = rules(&world);
    world.set("GRANTOR_POLICY", path.to_str().unwrap())
}

fn rules(world: &World) -> PathBuf {
    let path = world.path("free.cedar");
    std::fs::write(&path, FREE).unwrap();
    path
}

/// Calls a tool where nobody can be asked, and gives the receipt of the request.
async fn request(world: &World, grant: &Grant) -> String {
    let ran = world.run(&["call", grant.tool, grant.arguments]).await;
    let body = parsed(&ran.stdout);
    assert_eq!((ran.status, &body["outcome"]), (3, &json!("awaiting_consent")), "{body:#}");
    assert!(world.writes().is_empty(), "nothing was sent");
    body["receipt"].as_str().unwrap().to_owned()
}

/// Where somebody approves, or tries to.
fn approve(world: &World, receipt: &str, flags: &[&str]) -> Terminal {
    Terminal::start(world.command([&["requests", "approve", receipt], flags].concat()))
}

/// Says yes at a terminal; what it says afterwards, and how it ends.
async fn yes(world: &World, receipt: &str, flags: &[&str]) -> (i32, String) {
    let mut terminal = approve(world, receipt, flags);
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    terminal.ends().await
}

/// What is sent by somebody else meanwhile, whom no rule asks.
async fn meanwhile(world: &World, tool: &str, arguments: &str) {
    let mut command = world.command(["call", tool, arguments]);
    command.env("GRANTOR_POLICY", rules(world));
    let ran = super::harness::run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

fn ledger(world: &World) -> Ledger {
    Ledger::new(&world.path("state"), None)
}

async fn kept(world: &World, receipt: &str) -> Request {
    ledger(world).request(receipt).await.unwrap().unwrap()
}

async fn state(world: &World, receipt: &str) -> &'static str {
    kept(world, receipt).await.state.as_str()
}

/// What `requests --json` lists: receipts with their states, and those that are overdue.
async fn listed(world: &World) -> (Vec<(String, String)>, Vec<String>) {
    let ran = world.run(&["requests", "list", "--json"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let body = parsed(&ran.stdout);
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let requests = body["requests"].as_array().unwrap().iter();
    let overdue = body["overdue"].as_array().unwrap().iter();
    (
        requests.map(|row| (text(row, "receipt"), text(row, "state"))).collect(),
        overdue.map(|row| text(row, "receipt")).collect(),
    )
}

#[tokio::test]
async fn a_yes_at_a_terminal_has_the_change_carried_out() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    assert_eq!(listed(&world).await.0, [(receipt.clone(), "waiting".to_owned())]);
    let mut terminal = approve(&world, &receipt, &[]);
    terminal.shows("Type yes to agree").await;
    assert!(world.writes().is_empty(), "nothing is sent before the yes");
    terminal.types("yes").await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 0, "{seen}");
    for part in ["/Harbor/Integrations", "before: no such access", "confirmed", &receipt] {
        assert!(seen.contains(part), "{part} is not shown: {seen}");
    }
    assert_eq!(world.writes().len(), 1);
    let answered = kept(&world, &receipt).await.answered.unwrap();
    assert_eq!((answered.how.as_str(), answered.proof), ("terminal", None));
    let ran = world.run(&["ledger", "export", "--format", "ocsf"]).await;
    let event = parsed(ran.stdout.trim_end());
    let approval = &event["unmapped"]["approval"];
    assert_eq!((&approval["how"], &event["status"]), (&json!("terminal"), &json!("Success")));
    assert_eq!(approval["by"], event["actor"]["user"]["name"], "{event:#}");
    let ran = world.run(&["call", PLAIN.tool, PLAIN.arguments]).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "already_present");
    assert_eq!(listed(&world).await.0, []);
}

/// A slip of the hand decides nothing: the request waits, and the next try counts.
#[tokio::test]
async fn anything_but_a_yes_leaves_the_request_waiting() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    for line in ["", "no", "y", "yes please"] {
        let mut terminal = approve(&world, &receipt, &[]);
        terminal.shows("Type yes to agree").await;
        terminal.types(line).await;
        let (status, seen) = terminal.ends().await;
        assert_eq!(status, 1, "{line:?}: {seen}");
        assert!(seen.contains("not approved"), "{line:?}: {seen}");
    }
    assert!(world.writes().is_empty());
    assert_eq!(state(&world, &receipt).await, "waiting");
    assert_eq!(yes(&world, &receipt, &[]).await.0, 0);
}

#[tokio::test]
async fn a_wide_change_takes_the_name_of_who_gets_it() {
    let world = World::asking().await;
    let receipt = request(&world, WIDE).await;
    let name = kept(&world, &receipt).await.content.typed.unwrap();
    for line in ["yes", "", &name[1..]] {
        let mut terminal = approve(&world, &receipt, &[]);
        terminal.shows("Type it to agree").await;
        terminal.types(line).await;
        assert_eq!(terminal.ends().await.0, 1, "{line:?}");
        assert_eq!(state(&world, &receipt).await, "waiting");
    }
    let mut terminal = approve(&world, &receipt, &[]);
    terminal.shows("Type it to agree").await;
    terminal.types(&name).await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 0, "{seen}");
    assert_eq!(world.writes().len(), 1);
}

/// A request for several is as its worst item is, whatever was so before, and each item is told.
#[tokio::test]
async fn a_request_for_several_changes_says_how_each_ended() {
    let on = |assets: &[&str]| {
        json!({ "userKey": "user@example.com", "roleKey": "Developer",
        "assetKeys": assets })
    };
    for (fails, already, outcome, note) in [
        (false, false, "confirmed", "2 changes: 2 confirmed"),
        (true, false, "rejected", "2 changes: 1 confirmed, 1 rejected"),
        (false, true, "confirmed", "1 change: 1 confirmed"),
    ] {
        let world = World::asking().await;
        if already {
            meanwhile(&world, "grant_asset_role", &on(&["Orders"]).to_string()).await;
        }
        let arguments = on(&["Orders", "Billing"]).to_string();
        let ran = world.run(&["call", "grant_asset_role", &arguments]).await;
        let items = parsed(&ran.stdout)["items"].as_array().unwrap().clone();
        let receipt = items.iter().find_map(|item| item["receipt"].as_str()).unwrap().to_owned();
        if fails {
            // The second is met by the second of two: the first goes through as it is.
            let passed = FaultKind::Alter { status: None, headers: Vec::new(), body: None };
            for kind in [passed, super::harness::status(403)] {
                world.inject("outsystems", "POST", "/organization-roles/", kind);
            }
        }
        let (_, seen) = yes(&world, &receipt, &[]).await;
        let check = json!({ "receipt": receipt }).to_string();
        let shown = parsed(&world.run(&["call", "check_change", &check]).await.stdout);
        assert_eq!((&shown["outcome"], &shown["note"]), (&json!(outcome), &json!(note)), "{seen}");
        let changes = shown["changes"].as_array().unwrap();
        assert!(changes.iter().any(|change| change["outcome"] == outcome), "{shown:#}");
    }
}

/// Pipes on either side: a script, or a model's shell, is no person.
#[tokio::test]
async fn nobody_approves_without_a_terminal() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    let ran = world.run(&["requests", "approve", &receipt]).await;
    assert_eq!(ran.status, 2, "{ran:#?}");
    assert!(ran.stderr.contains("terminal"), "{}", ran.stderr);
    let command = world.command(["requests", "approve", &receipt]);
    let (pty, pts) = pty_process::open().unwrap();
    let mut half = pty_process::Command::from(command).stderr(std::process::Stdio::null());
    let ended = half.spawn_borrowed(&pts).unwrap().wait().await.unwrap();
    assert_eq!(ended.code(), Some(2), "a terminal on one side only is none");
    drop(pty);
    assert!(world.writes().is_empty());
    assert_eq!(state(&world, &receipt).await, "waiting");
}

#[tokio::test]
async fn a_request_is_approved_once() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    assert_eq!(yes(&world, &receipt, &[]).await.0, 0);
    let (status, seen) = approve(&world, &receipt, &[]).ends().await;
    assert!(
        status == 1 && seen.contains("was approved, and its approval was taken already"),
        "{status}: {seen}"
    );
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{ran:#?}");
    assert_eq!(world.writes().len(), 1);
    let (status, seen) = approve(&world, "gr-nobody", &[]).ends().await;
    assert!(status == 1 && seen.contains("no request gr-nobody"), "{status}: {seen}");
}

/// Somebody without the vendor's credential approves; somebody who has it carries it out.
#[tokio::test]
async fn who_approves_need_not_be_who_carries_out() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    let (status, seen) = yes(&world, &receipt, &["--vendor", "dfns"]).await;
    assert_eq!(status, 3, "{seen}");
    assert!(seen.contains("`requests run` there"), "{seen}");
    assert_eq!(listed(&world).await.0, [(receipt.clone(), "approved".to_owned())]);
    let ran = world.run(&["requests", "run", "--vendor", "dfns"]).await;
    assert_eq!(ran.status, 0, "it is not for this one: {ran:#?}");
    assert!(world.writes().is_empty());
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(ran.stdout.contains("confirmed") && ran.stdout.contains(&receipt), "{ran:#?}");
    assert_eq!(world.writes().len(), 1);
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
}

/// The yes was to another change than this would be now.
#[tokio::test]
async fn what_moved_after_the_yes_is_asked_again() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    assert_eq!(yes(&world, &receipt, &["--vendor", "dfns"]).await.0, 3);
    let other = PLAIN.arguments.replace(r#"["R", "X"]"#, r#"["R"]"#);
    meanwhile(&world, PLAIN.tool, &other).await;
    assert_eq!(world.writes().len(), 1);
    let ran = world.run(&["requests", "run"]).await;
    assert!(ran.stdout.contains("awaiting_consent"), "{ran:#?}");
    assert_eq!(world.writes().len(), 1, "nothing was sent on the old yes");
    let (waiting, _) = listed(&world).await;
    let [(anew, word)] = waiting.as_slice() else { panic!("{waiting:?}") };
    assert!(anew != &receipt && word == "waiting", "{waiting:?}");
    assert_eq!(yes(&world, anew, &[]).await.0, 0);
    assert_eq!(world.writes().len(), 2);
}

#[tokio::test]
async fn a_no_needs_no_terminal_and_stays() {
    let world = World::asking().await;
    for approved in [false, true] {
        let receipt = request(&world, PLAIN).await;
        if approved {
            assert_eq!(yes(&world, &receipt, &["--vendor", "dfns"]).await.0, 3);
        }
        let deny = ["requests", "deny", &receipt, "--reason", "the wrong Sam"];
        let ran = world.run(&deny).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        let answered = kept(&world, &receipt).await.answered.unwrap();
        assert_eq!(answered.reason.as_deref(), Some("the wrong Sam"));
        assert_eq!(world.run(&["requests", "run"]).await.status, 0);
        let (status, seen) = approve(&world, &receipt, &[]).ends().await;
        assert!(status == 1 && seen.contains("was denied"), "{status}: {seen}");
        assert_eq!(world.run(&deny).await.status, 1, "there is nothing to say no to");
    }
    assert!(world.writes().is_empty());
    assert_eq!(listed(&world).await.0, []);
}

#[tokio::test]
async fn a_read_only_process_records_a_yes_and_carries_nothing_out() {
    let world = World::asking().await;
    let receipt = request(&world, PLAIN).await;
    let (status, seen) = yes(&world, &receipt, &["--read-only"]).await;
    assert!(status == 3 && seen.contains("read-only"), "{status}: {seen}");
    for command in [&["requests", "run", "--read-only"][..], &["expire", "--read-only"]] {
        let ran = world.run(command).await;
        assert!(ran.status == 1 && ran.stderr.contains("read-only"), "{command:?}: {ran:#?}");
    }
    assert!(world.writes().is_empty());
    assert_eq!(state(&world, &receipt).await, "approved");
    let ran = world.run(&["reconcile", "--read-only"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "it writes to no vendor: {ran:#?}");
}

/// What waits is shown to people and to scripts, without what a vendor may have put into a name.
#[tokio::test]
async fn the_list_says_what_a_person_needs() {
    let world = World::asking().await;
    let ran = world.run(&["requests"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{ran:#?}");
    let receipt = request(&world, PLAIN).await;
    let plain = world.run(&["requests"]).await;
    assert_eq!(plain.status, 0);
    let request = kept(&world, &receipt).await;
    let until = request.until.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    for part in ["waiting", &receipt, &until, &request.requester, "/Harbor/Integrations"] {
        assert!(plain.stdout.contains(part), "{part}: {}", plain.stdout);
    }
    let body = parsed(&world.run(&["requests", "list", "--json"]).await.stdout);
    let question = body["requests"][0]["question"].as_array().unwrap();
    assert!(question.len() > 3, "{question:?}");
    let asked = Asking {
        digest: "none",
        until: request.until,
        content: Content {
            summary: "one\u{1b}[2Jtwo".into(),
            question: "a\u{202e}b\nc".into(),
            ..Content::default()
        },
    };
    ledger(&world).ask(&asked, &requester()).await.unwrap();
    for command in [&["requests"][..], &["requests", "list", "--json"]] {
        let Ran { stdout, .. } = world.run(command).await;
        let hidden = stdout.contains(['\u{1b}', '\u{202e}']) || stdout.contains("\\u001b");
        assert!(stdout.contains("one[2Jtwo") && !hidden, "{stdout}");
    }
}

/// An approver with a key, listed or not.
struct Approver {
    name: &'static str,
    key: ApproverKey,
    file: PathBuf,
}

const PASSPHRASE: &str = "correct horse battery";

impl Approver {
    fn new(world: &World, name: &'static str) -> Self {
        let key = ApproverKey::generate().unwrap();
        let file = world.path(&format!("{name}.pem"));
        std::fs::write(&file, key.sealed(&PASSPHRASE.into()).unwrap()).unwrap();
        Self { name, key, file }
    }

    /// What `requests approve` records, with anything wrong that a forger can make wrong.
    fn answer(&self, statement: &Statement<'_>, by: &str) -> Answered {
        let signature = self.key.sign(statement).unwrap();
        let proof = Proof { key: self.key.public(), time: statement.time, signature };
        Answered { proof: Some(json!(proof)), how: "signature".into(), ..approved(by) }
    }
}

fn statement(request: &Request) -> Statement<'_> {
    Statement {
        receipt: &request.receipt,
        digest: &request.digest,
        question: &request.content.question,
        time: Timestamp::now(),
    }
}

/// A world where Ada's signature approves, and nothing else.
async fn signed() -> (World, Approver) {
    let world = World::asking().await;
    let ada = Approver::new(&world, "ada");
    let path = world.path("approvers");
    std::fs::write(&path, format!("# on call\n{} {}\n", ada.name, ada.key.public())).unwrap();
    (world.set("GRANTOR_APPROVERS", path.to_str().unwrap()), ada)
}

#[tokio::test]
async fn an_approver_signs_with_a_key_under_a_passphrase() {
    let (world, ada) = signed().await;
    let receipt = request(&world, PLAIN).await;
    let key = ["--key", ada.file.to_str().unwrap()];
    let mut terminal = approve(&world, &receipt, &key);
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    terminal.types_unseen("Passphrase", PASSPHRASE).await;
    let (status, seen) = terminal.ends().await;
    assert!(status == 0 && seen.contains("confirmed"), "{status}: {seen}");
    assert!(!seen.contains(PASSPHRASE), "{seen}");
    assert_eq!(world.writes().len(), 1);
    let answered = kept(&world, &receipt).await.answered.unwrap();
    assert_eq!((answered.how.as_str(), answered.by.as_str()), ("signature", "ada"));
    assert_eq!(answered.proof.unwrap()["key"], ada.key.public());
}

#[tokio::test]
async fn without_a_listed_key_nothing_is_approved() {
    let (world, ada) = signed().await;
    let receipt = request(&world, PLAIN).await;
    let (status, seen) = approve(&world, &receipt, &[]).ends().await;
    assert!(status == 2 && seen.contains("--key"), "{status}: {seen}");
    let eve = Approver::new(&world, "eve");
    for (approver, passphrase, says) in [
        (&eve, PASSPHRASE, "not one of the approvers"),
        (&ada, "incorrect horse battery", "cannot be opened"),
    ] {
        let key = ["--key", approver.file.to_str().unwrap()];
        let mut terminal = approve(&world, &receipt, &key);
        terminal.shows("Type yes to agree").await;
        terminal.types("yes").await;
        terminal.types_unseen("Passphrase", passphrase).await;
        let (status, seen) = terminal.ends().await;
        assert!(status == 1 && seen.contains(says), "{status}: {seen}");
        assert_eq!(state(&world, &receipt).await, "waiting");
    }
    assert!(world.writes().is_empty());
    let unset = world.set("GRANTOR_APPROVERS", "");
    let key = ["--key", ada.file.to_str().unwrap()];
    let (status, seen) = approve(&unset, &receipt, &key).ends().await;
    assert!(status == 2 && seen.contains("GRANTOR_APPROVERS"), "{status}: {seen}");
}

/// Where a signature is what counts, nobody who is there is asked instead.
#[tokio::test]
async fn a_terminal_at_a_call_is_not_asked_where_approvers_are() {
    let (world, _) = signed().await;
    let terminal = Terminal::start(world.command(["call", PLAIN.tool, PLAIN.arguments]));
    let (status, seen) = terminal.ends().await;
    assert!(status == 3 && seen.contains("awaiting_consent"), "{status}: {seen}");
    assert!(!seen.contains("Type yes"), "{seen}");
    assert!(world.writes().is_empty());
}

/// Not even an answer to a question that another process asked its client before.
#[tokio::test]
async fn a_yes_through_a_client_is_no_signature() {
    for era in [Era::Legacy, Era::Modern] {
        let (world, _) = signed().await;
        let mut client = Client::start(&world, era).await;
        let heard = client.ask(PLAIN.tool, &parsed(PLAIN.arguments), json!({})).await;
        let Heard::Answer(answer) = heard else { panic!("{era:?}: the client is asked") };
        assert_eq!(answer.outcome(), "awaiting_consent", "{era:?}");
        assert!(world.writes().is_empty());
    }
    let (world, _) = signed().await;
    let (path, arguments) =
        (world.variable("GRANTOR_APPROVERS").to_owned(), parsed(PLAIN.arguments));
    let world = world.unset("GRANTOR_APPROVERS");
    let mut unsigned = Client::start(&world, Era::Modern).await;
    let asked = unsigned.question(PLAIN.tool, &arguments).await;
    let world = world.set("GRANTOR_APPROVERS", path);
    let mut client = Client::start(&world, Era::Modern).await;
    let answer = client.reply(PLAIN.tool, &arguments, &asked, agrees(&asked.form)).await.answer();
    assert_eq!(answer.outcome(), "refused", "{:#}", answer.body);
    assert!(answer.summary().contains("signature"), "{:#}", answer.body);
    let (waiting, _) = listed(&world).await;
    assert!(matches!(waiting.as_slice(), [(_, word)] if word == "waiting"), "{waiting:?}");
    assert!(world.writes().is_empty());
}

/// Whoever can write the ledger writes what they like into it: what counts is checked again by the
/// one that sends.
#[tokio::test]
async fn a_forged_approval_is_refused_where_it_is_used() {
    let (world, ada) = signed().await;
    let eve = Approver::new(&world, "eve");
    let other = kept(&world, &request(&world, WIDE).await).await;
    let old = Timestamp::now() - SignedDuration::from_mins(11);
    for case in [
        "no proof",
        "unlisted",
        "unlisted by its name",
        "receipt",
        "digest",
        "question",
        "old",
        "asked again",
        "none",
    ] {
        let mut request = kept(&world, &request(&world, PLAIN).await).await;
        if case == "asked again" {
            // The same change under a question that reads better.
            let mut content = request.content.clone();
            content.question = "May Sam read the cafeteria's menu?".into();
            let asking = Asking { digest: &request.digest, until: request.until, content };
            let (receipt, _) = ledger(&world).ask(&asking, &requester()).await.unwrap();
            request = kept(&world, &receipt).await;
        }
        let right = statement(&request);
        let answered = match case {
            "no proof" => approved("ada"),
            "unlisted" => eve.answer(&right, "ada"),
            "unlisted by its name" => eve.answer(&right, "eve"),
            "receipt" => ada.answer(&Statement { receipt: &other.receipt, ..right }, "ada"),
            "digest" => ada.answer(&Statement { digest: &other.digest, ..right }, "ada"),
            "question" => {
                let question = &*other.content.question;
                ada.answer(&Statement { question, ..right }, "ada")
            }
            "old" => ada.answer(&Statement { time: old, ..right }, "ada"),
            _ => ada.answer(&right, "ada"),
        };
        ledger(&world).answer(&request.receipt, &answered, &requester()).await.unwrap();
        let ran = world.run(&["requests", "run"]).await;
        if case == "none" {
            assert_eq!((ran.status, world.writes().len()), (0, 1), "the right one: {ran:#?}");
            continue;
        }
        if case.starts_with("unlisted") {
            // Whoever it is, their signature holds: for those who go by it, and for nobody here.
            assert_eq!((ran.status, world.writes().len()), (0, 0), "{case}: {ran:#?}");
            assert!(ran.stderr.contains("not for here"), "{case}: {}", ran.stderr);
            assert_eq!(state(&world, &request.receipt).await, "approved", "{case}");
            continue;
        }
        assert_eq!(ran.status, 1, "{case}: {ran:#?}");
        assert!(ran.stderr.contains("refused"), "{case}: {}", ran.stderr);
        assert!(world.writes().is_empty(), "{case}");
        // What was signed shows to be something else only once it is looked at, and is taken then.
        let gone = if case == "asked again" { "spent" } else { "denied" };
        let is = state(&world, &request.receipt).await;
        assert_eq!(is, gone, "{case}: it is not tried again");
        if is == "denied" {
            let receipt = json!({ "receipt": request.receipt }).to_string();
            let said = parsed(&world.run(&["call", "check_change", &receipt]).await.stdout);
            assert!(said.get("denied_by").is_none(), "{case}: nobody said no: {said:#}");
            assert!(said["denial_reason"].is_string(), "{case}: {said:#}");
        }
    }
}

/// Whoever goes by other approvers, or by none, has nothing to say of a signature.
#[tokio::test]
async fn a_signature_is_left_to_those_who_go_by_it() {
    let (world, ada) = signed().await;
    let receipt = request(&world, PLAIN).await;
    let key = ["--key", ada.file.to_str().unwrap(), "--vendor", "dfns"];
    let mut terminal = approve(&world, &receipt, &key);
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    terminal.types_unseen("Passphrase", PASSPHRASE).await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 3, "{seen}");
    let own = world.variable("GRANTOR_APPROVERS").to_owned();
    let others = world.path("others");
    let eve = Approver::new(&world, "eve");
    let (mut world, lines) = (world, 2);
    for (listed, says) in [
        (Some(format!("eve {}\n", eve.key.public())), "ada, whom this configuration does not name"),
        (Some(format!("ada {}\n", eve.key.public())), "ada with a key that"),
        (Some(format!("ada.l {}\n", ada.key.public())), "ada, whom this configuration does not"),
        (None, "ada, and this configuration names no approvers"),
    ] {
        world = match &listed {
            Some(listed) => {
                std::fs::write(&others, listed).unwrap();
                world.set("GRANTOR_APPROVERS", others.to_str().unwrap())
            }
            None => world.unset("GRANTOR_APPROVERS"),
        };
        let ran = world.run(&["requests", "run"]).await;
        assert_eq!((ran.status, world.writes().len()), (0, 0), "{says}: {ran:#?}");
        assert!(ran.stderr.contains(&format!("signed by {says}")), "{says}: {}", ran.stderr);
        assert!(ran.stderr.contains("left for those that do"), "{says}: {}", ran.stderr);
        assert_eq!(world.ledger().len(), lines, "{says}: {:#?}", world.ledger());
        assert_eq!(state(&world, &receipt).await, "approved", "{says}");
    }
    let world = world.set("GRANTOR_APPROVERS", own);
    let ran = world.run(&["requests", "run"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 1), "{ran:#?}");
}

#[tokio::test]
async fn a_new_key_is_its_owners_alone_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let file = world.path("ada.pem");
    let out = file.to_str().unwrap();
    let make = |passphrases: [&'static str; 2]| {
        let mut terminal = Terminal::start(world.command(["requests", "key", "ada", "--out", out]));
        async move {
            terminal.types_unseen("A passphrase", passphrases[0]).await;
            if passphrases[0].len() >= 12 {
                terminal.types_unseen("again", passphrases[1]).await;
            }
            terminal.ends().await
        }
    };
    for (passphrases, says) in [
        (["short", "short"], "at least 12"),
        ([PASSPHRASE, "correct horse battery!"], "not the same"),
    ] {
        let (status, seen) = make(passphrases).await;
        assert!(status == 1 && seen.contains(says) && !file.exists(), "{status}: {seen}");
    }
    let (status, seen) = make([PASSPHRASE, PASSPHRASE]).await;
    assert_eq!(status, 0, "{seen}");
    assert!(!seen.contains(PASSPHRASE), "{seen}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let pem = std::fs::read_to_string(&file).unwrap();
    let key = ApproverKey::open(&pem, &PASSPHRASE.into()).unwrap();
    assert!(seen.contains(&format!("ada {}", key.public())), "{seen}");
    let (status, seen) =
        Terminal::start(world.command(["requests", "key", "ada", "--out", out])).ends().await;
    assert!(status == 2 && seen.contains("never written over"), "{status}: {seen}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), pem);
    for (arguments, says) in [(["key", "../ada"], "is no name"), (["key", "bob"], "terminal")] {
        let ran = world.run(&["requests", arguments[0], arguments[1]]).await;
        assert!(ran.status == 2 && ran.stderr.contains(says), "{ran:#?}");
    }
}

/// A grant whose time is over.
async fn timed(world: &World) -> String {
    let mut arguments = parsed(PLAIN.arguments);
    arguments["expires_in"] = "PT1H".into();
    let ran = world.run(&["call", PLAIN.tool, &arguments.to_string()]).await;
    let body = parsed(&ran.stdout);
    assert_eq!(body["outcome"], "confirmed", "{body:#}");
    let receipt = body["receipt"].as_str().unwrap().to_owned();
    time_is_over(world, &receipt).await;
    receipt
}

#[tokio::test]
async fn what_is_over_is_taken_back_once() {
    let world = free().await;
    let ran = world.run(&["expire"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "nothing is due: {ran:#?}");
    let receipt = timed(&world).await;
    let (one, other) = tokio::join!(world.run(&["expire"]), world.run(&["expire"]));
    assert_eq!((one.status, other.status), (0, 0), "{one:#?} {other:#?}");
    let said = one.stdout + &other.stdout;
    assert!(said.contains("confirmed") && said.matches(&receipt).count() == 1, "{said}");
    assert_eq!(world.writes().len(), 2);
    let ran = world.run(&["expire"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{ran:#?}");
    assert_eq!(world.writes().len(), 2);
}

/// Somebody changed the access since: nothing is taken away, and somebody has to look.
#[tokio::test]
async fn what_cannot_be_taken_back_is_overdue_everywhere() {
    let world = free().await;
    let receipt = timed(&world).await;
    let more = PLAIN.arguments.replace(r#"["R", "X"]"#, r#"["R", "W", "X"]"#);
    meanwhile(&world, PLAIN.tool, &more).await;
    for _ in 0..2 {
        let ran = world.run(&["expire"]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains(&receipt) && ran.stdout.is_empty(), "{ran:#?}");
        assert_eq!(world.writes().len(), 2, "nothing was taken back");
    }
    assert_eq!(listed(&world).await.1, [receipt.as_str()]);
    let shown = world.run(&["requests"]).await.stdout;
    assert!(shown.contains("overdue") && shown.contains(&receipt), "{shown}");
}

/// What is due, and what was approved, stays where it is in a process that is read-only; the same
/// two are carried out as soon as one is not.
#[tokio::test]
async fn a_read_only_process_ends_nothing_and_sends_nothing_that_was_approved() {
    let world = World::asking().await;
    let receipt = request(&world, &GRANTS[4]).await;
    let mut arguments = parsed(PLAIN.arguments);
    arguments["expires_in"] = "PT1S".into();
    meanwhile(&world, PLAIN.tool, &arguments.to_string()).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    // Approved so long ago that whoever took the approval has left it to others.
    let until = Timestamp::now() + SignedDuration::from_mins(9);
    let answered = Answered { until: Some(until), ..approved("ada") };
    ledger(&world).answer(&receipt, &answered, &requester()).await.unwrap();
    let look = json!({ "vendor": "snaplogic" });
    for command in [&["expire"][..], &["requests", "run"]] {
        let ran = world.run(&[&["--read-only"], command].concat()).await;
        assert!(ran.status == 1 && ran.stderr.contains("read-only"), "{ran:#?}");
    }
    let server = world.serve_with(&[("GRANTOR_READ_ONLY", "1")]).await;
    server.call("list_roles", look.clone()).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    server.stop().await;
    assert_eq!(world.writes().len(), 1, "only the grant itself was ever sent");
    let server = world.serve().await;
    server.call("list_roles", look).await;
    for _ in 0..100 {
        if world.writes().len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(world.writes().len(), 3, "{:#?}", world.ledger());
    server.stop().await;
}

/// A change from a Grantor that this one's ledger knows nothing of.
async fn elsewhere(world: &World, tool: &str, arguments: &Value) {
    let mut command = world.command(["call", tool, &arguments.to_string()]);
    command.env("GRANTOR_STATE_DIR", world.path("elsewhere"));
    let ran = super::harness::run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

async fn call(world: &World, tool: &str, arguments: &Value) -> Value {
    let ran = world.run(&["call", tool, &arguments.to_string()]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    parsed(&ran.stdout)
}

/// A timed change and what came after it; whether its end is still due.
#[tokio::test]
async fn an_end_is_for_the_grant_it_was_agreed_for() {
    let reader = json!({ "project_or_space_path": "/Harbor/Integrations", "grant_type": "USER",
        "grantee": "user@example.com" });
    let mut grant = reader.clone();
    grant["permission_list"] = json!(["R", "X"]);
    // It was taken away: there is nothing left to end.
    let world = free().await;
    timed(&world).await;
    call(&world, "remove_project_acl", &reader).await;
    let ran = world.run(&["expire"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 2), "{ran:#?}");
    // It was taken away and given anew, for good: somebody has to look.
    let world = free().await;
    timed(&world).await;
    call(&world, "remove_project_acl", &reader).await;
    call(&world, "set_project_acl", &grant).await;
    let ran = world.run(&["expire"]).await;
    assert_eq!((ran.status, world.writes().len()), (1, 3), "{ran:#?}");
    // Its removal was undone in time: what is there again is what was to end.
    let world = free().await;
    let mut in_time = grant.clone();
    in_time["expires_in"] = json!("PT1H");
    let receipt = call(&world, "set_project_acl", &in_time).await["receipt"].clone();
    let removed = call(&world, "remove_project_acl", &reader).await;
    let undo = json!({ "receipt": removed["receipt"] });
    let undone = call(&world, "undo_change", &undo).await;
    for timed in [&receipt, &undone["receipt"]] {
        time_is_over(&world, timed.as_str().unwrap()).await;
    }
    let ran = world.run(&["expire"]).await;
    assert_eq!((ran.status, world.writes().len()), (0, 4), "{ran:#?}");
    assert!(ran.stdout.contains(receipt.as_str().unwrap()), "{}", ran.stdout);
}

/// The same row, and somebody else's: given by others since, or with another end.
#[tokio::test]
async fn what_others_gave_since_is_not_taken_back() {
    let orders = json!({ "userKey": "user@example.com", "roleKey": "Developer",
        "assetKeys": ["Orders"] });
    for (tool, back, arguments) in [
        ("grant_asset_role", "revoke_asset_role", orders),
        ("assign_permission", "revoke_permission", parsed(WIDE.arguments)),
    ] {
        let modes = Modes { outsystems_ends: false, ..Modes::default() };
        let world = World::with(modes).await;
        let path = rules(&world);
        let world = world.set("GRANTOR_POLICY", path.to_str().unwrap());
        let mut arguments = arguments;
        arguments["expires_in"] = "PT1H".into();
        let receipt = call(&world, tool, &arguments).await["receipt"].clone();
        arguments.as_object_mut().unwrap().remove("expires_in");
        elsewhere(&world, back, &arguments).await;
        elsewhere(&world, tool, &arguments).await;
        time_is_over(&world, receipt.as_str().unwrap()).await;
        let ran = world.run(&["expire"]).await;
        assert_eq!((ran.status, world.writes().len()), (1, 3), "{tool}: {ran:#?}");
        assert!(ran.stderr.contains("changed since"), "{}", ran.stderr);
        let undo = world.run(&["undo", receipt.as_str().unwrap()]).await;
        assert_eq!((undo.status, world.writes().len()), (1, 3), "{tool}: {undo:#?}");
    }
}

/// Each end is of one access: what is granted beside it, in the same call or later, has its own.
#[tokio::test]
async fn what_is_granted_beside_it_does_not_keep_an_end_from_coming() {
    for (due, beside) in [
        (json!(["Orders"]), json!(["Billing"])),
        (json!(["Orders", "Billing"]), json!(["Customer Portal"])),
    ] {
        let modes = Modes { outsystems_ends: false, ..Modes::default() };
        let world = World::with(modes).await;
        let path = rules(&world);
        let world = world.set("GRANTOR_POLICY", path.to_str().unwrap());
        let mut arguments = json!({ "userKey": "user@example.com", "roleKey": "Developer",
            "assetKeys": due, "expires_in": "PT1H" });
        let granted = call(&world, "grant_asset_role", &arguments).await;
        let receipts = match granted["items"].as_array() {
            Some(items) => items.iter().map(|item| item["receipt"].clone()).collect(),
            None => vec![granted["receipt"].clone()],
        };
        arguments.as_object_mut().unwrap().remove("expires_in");
        arguments["assetKeys"] = beside;
        call(&world, "grant_asset_role", &arguments).await;
        for receipt in receipts {
            time_is_over(&world, receipt.as_str().unwrap()).await;
        }
        let ran = world.run(&["expire"]).await;
        assert_eq!(ran.status, 0, "{due}: {ran:#?}");
        let taken = world.writes().iter().filter(|seen| seen.method == "DELETE").count();
        assert_eq!(taken, due.as_array().unwrap().len(), "{ran:#?}");
    }
}

/// Timed access that was revoked and given back by undoing that ends when it was to end, whatever id
/// the vendor gives it the second time; given by hand in between, it is not ours to take.
#[tokio::test]
async fn what_an_undo_gave_back_still_ends() {
    for by_hand in [false, true] {
        let world = World::new().await;
        let path = rules(&world);
        let world = world.set("GRANTOR_POLICY", path.to_str().unwrap());
        let mut arguments = json!({ "permissionId": "Wallet Operator",
            "identityId": "user@example.com", "expires_in": "PT1H" });
        let granted = call(&world, "assign_permission", &arguments).await;
        let mut timed = vec![granted["receipt"].clone()];
        arguments.as_object_mut().unwrap().remove("expires_in");
        let revoked = call(&world, "revoke_permission", &arguments).await;
        if by_hand {
            let elsewhere = world.path("elsewhere");
            let dir = elsewhere.to_str().unwrap();
            let server = world.serve_with(&[("GRANTOR_STATE_DIR", dir)]).await;
            let answer = server.call("assign_permission", arguments).await;
            assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        } else {
            let receipt = json!({ "receipt": revoked["receipt"] });
            let undone = call(&world, "undo_change", &receipt).await;
            assert_eq!(undone["outcome"], "confirmed", "{undone:#}");
            timed.push(undone["receipt"].clone());
        }
        for timed in timed {
            time_is_over(&world, timed.as_str().unwrap()).await;
        }
        let before = world.writes().len();
        let ran = world.run(&["expire"]).await;
        let taken = world.writes()[before..].iter().filter(|seen| seen.method == "DELETE").count();
        assert_eq!(taken, usize::from(!by_hand), "{ran:#?}");
    }
}

/// A receipt is of one tenant: at another one, the same ids mean other things.
#[tokio::test]
async fn nothing_is_taken_back_at_another_tenant() {
    let world = free().await;
    let receipt = timed(&world).await;
    let url = world.variable(PLAIN.variable).replace("127.0.0.1", "localhost");
    let world = world.set(PLAIN.variable, url);
    let check = json!({ "receipt": receipt }).to_string();
    for command in [&["undo", &receipt][..], &["expire"], &["call", "check_change", &check]] {
        let ran = world.run(command).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!((ran.stdout + &ran.stderr).contains("was made at http://127.0.0.1"), "{command:?}");
    }
    let look = json!({ "vendor": "snaplogic", "resource": "/Harbor/Integrations" });
    let rows = call(&world, "list_access", &look).await;
    assert!(!rows.to_string().contains("granted_here"), "{rows:#}");
    assert_eq!(world.writes().len(), 1);
}

/// Where approvers sign, an end takes access away and gives none: the ledger's word is not enough.
#[tokio::test]
async fn an_end_gives_nothing_that_no_approver_signed() {
    let (world, _) = signed().await;
    let marta = "marta.lindqvist@example.com";
    let member = json!({ "role": { "name": "member" }, "user": { "name": marta },
        "expires_in": "PT1H" });
    let ran = world.run(&["call", "assign_organization_role", &member.to_string()]).await;
    assert!(ran.status == 1 && ran.stdout.contains("signed by an approver"), "{ran:#?}");
    // As if somebody had written into the ledger that it was granted, for a time.
    let mut command = world.command(["call", "assign_organization_role", &member.to_string()]);
    command.env_remove("GRANTOR_APPROVERS").env("GRANTOR_POLICY", rules(&world));
    let ran = super::harness::run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    time_is_over(&world, parsed(&ran.stdout)["receipt"].as_str().unwrap()).await;
    let mut command = world.command(["expire"]);
    command.env("GRANTOR_POLICY", rules(&world));
    let ran = super::harness::run(command).await;
    assert!(ran.status == 1 && ran.stderr.contains("signed by an approver"), "{ran:#?}");
    assert_eq!(world.writes().len(), 1, "the earlier role is not given back");
}
