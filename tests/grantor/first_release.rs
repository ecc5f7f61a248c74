//! A ledger of the first release, made by it: read whole, gone on with, and closed to it.
//!
//! `tests/fixtures/first_release/make` makes the sample anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{Ran, bare, parsed, run, run_any};
use super::terminal::Terminal;

/// What the changes of the sample are, in the order in which each began.
const KINDS: [&str; 20] = [
    "agreed",
    "agreed, one item",
    "agreed, another item",
    "undone",
    "its undo",
    "ended",
    "its end",
    "overdue",
    "an end that was refused",
    "for long",
    "refused",
    "killed and found out",
    "waiting",
    "denied",
    "approved",
    "due at Dfns",
    "due at Redox",
    "due at SnapLogic",
    "due at CentraSite",
    "killed",
];
const DUE: [&str; 4] = ["due at Dfns", "due at Redox", "due at SnapLogic", "due at CentraSite"];

pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/first_release").join(name)
}

/// A state directory as the first release left it, sandbox and all.
struct Upgraded {
    home: TempDir,
}

impl Upgraded {
    fn new() -> Self {
        Self::with(&fs::read_to_string(sample("ledger.jsonl")).unwrap())
    }

    fn with(lines: &str) -> Self {
        let upgraded = Self { home: tempfile::tempdir().unwrap() };
        fs::create_dir_all(upgraded.path("")).unwrap();
        fs::write(upgraded.path("ledger.jsonl"), lines).unwrap();
        for name in ["seal.key", "state.json"] {
            fs::copy(sample(name), upgraded.path(name)).unwrap();
        }
        for (name, mode) in [("", 0o700), ("ledger.jsonl", 0o600), ("seal.key", 0o600)] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(upgraded.path(name), mode).unwrap();
        }
        upgraded
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("state/sandbox").join(name)
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = bare(self.home.path());
        command.arg("--sandbox").args(arguments);
        run(command).await
    }

    /// The same under the rules that ask a person.
    fn asking(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = bare(self.home.path());
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/default.cedar");
        command.env("GRANTOR_POLICY", policy).arg("--sandbox").args(arguments);
        command
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        parsed(&self.run(&["call", tool, &arguments.to_string()]).await.stdout)
    }

    async fn check(&self, receipt: &str) -> Value {
        self.call("check_change", json!({ "receipt": receipt })).await
    }

    async fn roles(&self, vendor: &str, principal: &str, resource: &str) -> Vec<String> {
        let look = json!({ "vendor": vendor, "principal": principal, "resource": resource });
        let body = self.call("list_access", look).await;
        let rows = body["rows"].as_array().unwrap_or_else(|| panic!("{body:#}"));
        let name = |row: &Value| row["role"]["name"].as_str().unwrap().to_owned();
        rows.iter().map(name).collect()
    }
}

fn lines() -> Vec<String> {
    let text = fs::read_to_string(sample("ledger.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The receipt of each kind.
fn receipt(kind: &str) -> String {
    let mut receipts: Vec<String> = Vec::new();
    for line in lines() {
        let receipt = parsed(&line)["receipt"].as_str().unwrap().to_owned();
        if !receipts.contains(&receipt) {
            receipts.push(receipt);
        }
    }
    assert_eq!(receipts.len(), KINDS.len());
    receipts.swap_remove(KINDS.iter().position(|known| *known == kind).unwrap())
}

/// What it wrote is listed as anything else is; a question for several is told by its items.
#[tokio::test]
async fn what_was_done_under_it_is_listed() {
    let old = Upgraded::new();
    let ran = old.run(&["changes", "--all", "--since", "2000-01-01", "--json"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let rows = parsed(&ran.stdout)["changes"].as_array().unwrap().clone();
    assert_eq!(rows.len(), KINDS.len() - 1, "{rows:#?}");
    let row = |kind: &str| {
        let own = receipt(kind);
        rows.iter().find(|row| row["receipt"] == own).unwrap_or_else(|| panic!("{kind}: {rows:#?}"))
    };
    for (kind, states) in [
        ("agreed, one item", &["done"][..]),
        ("undone", &["done"]),
        ("its end", &["done"]),
        ("overdue", &["overdue"]),
        ("an end that was refused", &["refused"]),
        ("for long", &["done"]),
        ("refused", &["refused"]),
        // A day later nobody can answer any more.
        ("waiting", &["waiting", "lapsed"]),
        ("denied", &["denied"]),
        ("approved", &["lapsed"]),
        ("due at Dfns", &["due"]),
        ("due at CentraSite", &["due"]),
        ("killed", &["open"]),
    ] {
        let row = row(kind);
        assert!(states.contains(&row["state"].as_str().unwrap()), "{kind}: {row:#}");
    }
    assert_eq!(row("agreed, one item")["of"], receipt("agreed"));
    assert!(row("agreed, one item")["approved_by"].is_string());
    assert_eq!(row("undone")["undone_by"], receipt("its undo"));
    assert_eq!(row("refused")["rules"], json!(["privileged-role"]));
}

/// A list without any word is of the last day and of what is not finished; one that asks for all, or for a
/// place, begins at the first.
#[tokio::test]
async fn what_is_long_ago_is_listed_where_all_or_a_place_is_asked_for() {
    // All of it two days earlier, whenever the sample was made.
    let old = Upgraded::with(&dated(|line| {
        for field in ["time", "until"] {
            let time = line[field].as_str().and_then(|time| time.parse::<Timestamp>().ok());
            if let Some(time) = time {
                line[field] = (time - SignedDuration::from_hours(48)).to_string().into();
            }
        }
    }));
    let list = async |options: &[&str]| {
        let ran = old.run(&[&["changes", "--json"], options].concat()).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        parsed(&ran.stdout)["changes"].as_array().unwrap().clone()
    };
    let has = |rows: &[Value], kind: &str| {
        let own = receipt(kind);
        rows.iter().any(|row| row["receipt"] == own)
    };
    let plain = list(&[]).await;
    for (kind, unfinished) in [
        ("killed", true),
        ("due at Dfns", true),
        ("overdue", true),
        ("undone", false),
        ("refused", false),
        ("denied", false),
    ] {
        assert_eq!(has(&plain, kind), unfinished, "{kind}: {plain:#?}");
    }
    let open = ["open", "due", "overdue"];
    assert!(plain.iter().all(|row| open.contains(&row["state"].as_str().unwrap())), "{plain:#?}");
    let all = list(&["--all"]).await;
    assert_eq!(all.len(), KINDS.len() - 1, "{all:#?}");
    for vendor in ["dfns", "redox", "snaplogic", "centrasite", "outsystems"] {
        let of_vendor = list(&["--vendor", vendor]).await;
        let is_of = |row: &&Value| row["vendor"] == vendor;
        let wanted: Vec<_> = all.iter().filter(is_of).map(|row| &row["receipt"]).collect();
        let found: Vec<_> = of_vendor.iter().map(|row| &row["receipt"]).collect();
        assert!(!wanted.is_empty() && found == wanted, "{vendor}: {found:?} {wanted:?}");
    }
    // Sent, and nobody knows how it ended.
    let open = list(&["--state", "open"]).await;
    assert!(has(&open, "killed") && !has(&open, "undone") && !has(&open, "for long"), "{open:#?}");
}

#[tokio::test]
async fn it_is_read_whole() {
    let old = Upgraded::new();
    let ran = old.run(&["ledger", "verify"]).await;
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    let whole = format!("{} lines in 1 file, one chain, each sealed", lines().len());
    assert!(ran.stdout.contains(&whole), "{}", ran.stdout);
    let ran = old.run(&["requests", "--ids"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    for kind in DUE.into_iter().chain(["overdue"]) {
        assert!(ran.stdout.contains(&receipt(kind)), "{kind}: {}", ran.stdout);
    }
    for kind in ["ended", "undone", "for long", "killed"] {
        assert!(!ran.stdout.contains(&receipt(kind)), "{kind}: {}", ran.stdout);
    }
    for (kind, outcome, says) in [
        ("agreed", "confirmed", "2 changes: 2 confirmed"),
        ("agreed, one item", "confirmed", "consent"),
        ("undone", "confirmed", "it was undone"),
        ("its undo", "confirmed", "revoke"),
        ("ended", "confirmed", "its time was over, and it was taken back"),
        ("its end", "confirmed", "revoke"),
        ("overdue", "mismatch", "changed since"),
        ("for long", "confirmed", "2100-01-01"),
        ("killed and found out", "unavailable", "assign"),
        ("waiting", "refused", "lapsed"),
        ("denied", "refused", "denied"),
        ("due at Dfns", "confirmed", "expires_at"),
        ("due at CentraSite", "confirmed", "expires_at"),
    ] {
        let shown = old.check(&receipt(kind)).await;
        let is_live = shown["outcome"] == "awaiting_consent" && kind == "waiting";
        assert!(shown["outcome"] == outcome || is_live, "{kind}: {shown:#}");
        assert!(shown.to_string().contains(says) || is_live, "{kind}: {shown:#}");
    }
    assert!(old.path("ledger.jsonl").is_file(), "whoever looks leaves it where it is");
}

/// What is due is taken back, what somebody changed is named, and nothing is done twice.
#[tokio::test]
async fn what_is_due_in_it_is_taken_back() {
    let old = Upgraded::new();
    assert_eq!(old.roles("redox", "tomas.ferreira@example.com", "Staging").await, ["support"]);
    for round in 1..=2 {
        let ran = old.run(&["expire"]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains(&receipt("overdue")), "{}", ran.stderr);
        for kind in DUE {
            assert_eq!(ran.stdout.contains(&receipt(kind)), round == 1, "{kind}: {ran:#?}");
            assert!(!ran.stderr.contains(&receipt(kind)), "{kind}: {ran:#?}");
        }
    }
    for (vendor, principal, resource) in [
        ("redox", "tomas.ferreira@example.com", "Staging"),
        ("snaplogic", "user@example.com", "/Harbor/Finance"),
        ("centrasite", "API Team", "BillingService"),
    ] {
        assert!(old.roles(vendor, principal, resource).await.is_empty(), "{vendor}");
    }
    assert_eq!(old.roles("redox", "hiro.tanaka@example.com", "Staging").await, ["support"]);
    assert_eq!(old.check(&receipt("due at Dfns")).await["note"], ENDED);
    // Nobody has looked yet what became of the one that was killed: this has.
    let ran = old.run(&["reconcile"]).await;
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{ran:#?}");
    assert_eq!(old.check(&receipt("killed")).await["outcome"], "unavailable");
    assert_eq!(old.run(&["ledger", "verify"]).await.status, 0);
}

const ENDED: &str = "its time was over, and it was taken back";

#[tokio::test]
async fn an_old_change_is_undone_and_its_lines_stay_as_they_were() {
    let old = Upgraded::new();
    let before = fs::read_to_string(sample("ledger.jsonl")).unwrap();
    let ran = old.run(&["undo", &receipt("agreed, one item")]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let left = old.roles("outsystems", "user@example.com", "Billing").await;
    assert_eq!(left, ["Developer"], "the other item stands");
    assert!(old.roles("outsystems", "user@example.com", "Orders").await.is_empty());
    assert_eq!(old.run(&["undo", &receipt("agreed, one item")]).await.status, 1, "once");
    let first = fs::read_to_string(old.path("ledger-000000000001.jsonl")).unwrap();
    assert_eq!(first, before, "not a byte is changed");
    let ran = old.run(&["ledger", "export"]).await;
    assert!(ran.stdout.starts_with(&before) && ran.stdout.len() > before.len());
    for line in ran.stdout[before.len()..].lines() {
        assert_eq!(parsed(line)["format"], 2, "{line}");
    }
    let ran = old.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(ran.stdout.contains("in 2 files, one chain"), "{}", ran.stdout);
    // A receipt with lines of both.
    assert_eq!(old.check(&receipt("agreed, one item")).await["note"], "it was undone");
}

/// A yes of before is a yes to another question: it is taken, and somebody is asked anew.
#[tokio::test]
async fn an_old_approval_is_asked_for_anew() {
    let old = Upgraded::with(&asked_just_now());
    let world = fs::read(old.path("state.json")).unwrap();
    let mut command = old.asking(&["requests", "run"]);
    let ran = run_any(&mut command).await;
    assert!(ran.stdout.contains("awaiting_consent"), "{ran:#?}");
    let shown = old.check(&receipt("approved")).await;
    let anew = shown["followed_by"].as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned();
    // The one that waits: somebody who agrees to it is asked as it is asked today.
    let waiting = receipt("waiting");
    let mut terminal = Terminal::start(old.asking(&["requests", "approve", &waiting]));
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 3, "{seen}");
    assert!(seen.contains("awaiting_consent"), "{seen}");
    assert_eq!(fs::read(old.path("state.json")).unwrap(), world, "nothing is sent on either");
    assert_eq!(old.roles("redox", "alex.kim@example.com", "Staging").await, ["engineer"]);
    let listed = run_any(&mut old.asking(&["requests", "list", "--json"])).await;
    let listed = parsed(&listed.stdout);
    let own = |request: &&Value| request["receipt"] == anew.as_str();
    let request = listed["requests"].as_array().unwrap().iter().find(own).unwrap();
    assert_eq!(request["state"], "waiting", "{listed:#}");
    let asked = fs::read_to_string(old.path("lines.jsonl")).unwrap();
    let asked = asked.lines().map(parsed).find(|line| line["receipt"] == anew.as_str()).unwrap();
    assert_eq!(asked["content"]["follows"], receipt("approved").as_str(), "{asked:#}");
}

/// The sample, with what was asked and answered in it dated now.
fn asked_just_now() -> String {
    let now = Timestamp::now();
    dated(|line| {
        if ["asked", "answered"].iter().any(|event| line["event"] == *event) {
            line["time"] = now.to_string().into();
            if line["until"].is_string() {
                line["until"] = (now + SignedDuration::from_mins(9)).to_string().into();
            }
        }
    })
}

/// The sample with other times, and the chain made anew.
fn dated(date: impl Fn(&mut Value)) -> String {
    let (mut text, mut last) = (String::new(), "0".repeat(64));
    for line in lines() {
        let mut line = parsed(&line);
        date(&mut line);
        line["prev"] = last.into();
        line.as_object_mut().unwrap().shift_remove("seal");
        let sealed = line.to_string();
        let sealed = sealed.strip_suffix('}').unwrap();
        let key = fs::read_to_string(sample("seal.key")).unwrap();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.trim().as_bytes());
        let bytes = [b"ledger line\0", sealed.as_bytes()].concat();
        let seal = hex(aws_lc_rs::hmac::sign(&key, &bytes).as_ref());
        let line = format!("{sealed},\"seal\":\"{seal}\"}}");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, line.as_bytes());
        last = hex(digest.as_ref());
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line that does not hold is named; what it says is not acted on, and all else goes on.
#[tokio::test]
async fn an_old_line_that_was_changed_is_named_and_others_go_on() {
    let hurt = receipt("due at Redox");
    let place = lines().iter().position(|line| parsed(line)["receipt"] == hurt.as_str()).unwrap();
    for event in ["open", "close"] {
        let mut lines = lines();
        let place = place + usize::from(event == "close");
        assert_eq!(parsed(&lines[place])["event"], event);
        lines[place] = lines[place].replacen("\"time\":\"2", "\"time\":\"3", 1);
        let old = Upgraded::with(&format!("{}\n", lines.join("\n")));
        let ran = old.run(&["ledger", "verify"]).await;
        assert_eq!(ran.status, 1, "{event}: {ran:#?}");
        let said = format!("ledger.jsonl:{}: was changed", place + 1);
        assert!(ran.stderr.contains(&said), "{event}: {}", ran.stderr);
        for round in 1..=2 {
            // Before the first line of today's is written, and after it.
            let ran = old.run(&["expire"]).await;
            assert_eq!(ran.status, 1, "{event}: {ran:#?}");
            assert!(ran.stderr.contains("was changed"), "{event}, {round}: {}", ran.stderr);
            for kind in DUE.into_iter().filter(|kind| *kind != "due at Redox") {
                assert_eq!(ran.stdout.contains(&receipt(kind)), round == 1, "{event}: {ran:#?}");
            }
        }
        let ran = old.run(&["requests"]).await;
        assert!(ran.status == 1 && ran.stderr.contains("was changed"), "{event}: {ran:#?}");
        // What is left of the receipt says that it was to end: how it went is read at the vendor.
        let left = old.roles("redox", "tomas.ferreira@example.com", "Staging").await;
        let stays: &[&str] = if event == "open" { &["support"] } else { &[] };
        assert_eq!(left, stays, "{event}");
    }
}

/// A program of the first release that is still about adds nothing, and carries nothing out. With
/// `GRANTOR_FIRST_RELEASE` it is asked itself.
#[tokio::test]
async fn the_first_release_writes_nothing_behind_it() {
    let old = Upgraded::new();
    assert_eq!(old.run(&["undo", &receipt("agreed, one item")]).await.status, 0);
    let (world, exported) =
        (fs::read(old.path("state.json")).unwrap(), old.run(&["ledger", "export"]).await.stdout);
    // How it adds lines, and how it reads them.
    let path = old.path("ledger.jsonl");
    assert!(path.is_dir());
    assert!(File::options().append(true).create(true).open(&path).is_err());
    assert!(fs::read_to_string(&path).is_err());
    assert!(fs::remove_file(&path).is_err());
    #[expect(
        clippy::disallowed_methods,
        reason = "which binary to ask is no setting of the program"
    )]
    let binary = std::env::var_os("GRANTOR_FIRST_RELEASE");
    let Some(binary) = binary else { return };
    let automation = super::harness::example("automation");
    let grant = r#"{"permissionId": "Reports Reader", "identityId": "user@example.com"}"#;
    for arguments in [
        &["call", "assign_permission", grant][..],
        &["expire"],
        &["reconcile"],
        &["requests", "run"],
        &["undo", &receipt("agreed, another item")],
        &["requests", "deny", &receipt("waiting")],
    ] {
        let mut command = tokio::process::Command::new(&binary);
        command.env_clear().env("HOME", old.home.path()).env("GRANTOR_POLICY", &automation);
        command.env("GRANTOR_STATE_DIR", old.home.path().join("state")).arg("--sandbox");
        let ran = run_any(command.args(arguments)).await;
        println!("{arguments:?}: exit status {}\n{}{}", ran.status, ran.stdout, ran.stderr);
        assert_eq!(ran.status, 1, "{arguments:?}: {ran:#?}");
    }
    assert_eq!(fs::read(old.path("state.json")).unwrap(), world, "nothing was sent");
    assert_eq!(old.run(&["ledger", "export"]).await.stdout, exported);
    assert_eq!(old.run(&["ledger", "verify"]).await.status, 0);
}
