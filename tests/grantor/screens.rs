use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;
use futures_util::StreamExt as _;
use grantor::cli::Cli;
use serde_json::Value;
use tokio::process::Command;

use super::golden;
use super::harness::{World, example, parsed, requester, run, time_is_over};
use super::terminal::Terminal;
use super::writes::{GRANTS, Grant};

/// Every screen of one subcommand.
struct Screen {
    /// The words of the subcommand; none for the program by itself.
    command: &'static str,
    /// What is typed to see it at work.
    shown: &'static [&'static str],
    before: Before,
    hands: Hands,
    /// What is typed wrongly.
    slips: &'static [&'static str],
}

/// What was there before it is looked at; GRANT and RECEIPT stand for it.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// What a ledger has after a day's work.
    Story,
    /// A request that waits.
    Waiting,
    /// A change that was done.
    Done,
    /// A change whose time is over.
    Due,
    /// A change that was approved elsewhere, and not sent.
    Approved,
    /// A file of a client that starts it.
    Installed,
    /// A ledger with a line that nobody wrote.
    Broken,
    /// An export, and a change after it.
    Exported,
}

/// What somebody at the terminal does.
#[derive(Clone, Copy)]
enum Hands {
    /// Looks on; its data and what a pipe gets are looked at as well.
    None,
    /// Looks on, and data would be none.
    NoData,
    /// Answers, where somebody is asked this.
    Types(&'static str, &'static str),
    /// The same where what is typed is not shown.
    TypesUnseen(&'static str, &'static str),
    /// Ends it with a key, once this is shown.
    Ends(&'static str, u8),
    /// It prints a script, which another program's test reads.
    Script,
}

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const ASKED: &str = "Type yes to agree, or press Enter to leave it:";

/// One that only shows something.
const fn plain(
    command: &'static str,
    shown: &'static [&'static str],
    before: Before,
    slips: &'static [&'static str],
) -> Screen {
    Screen { command, shown, before, hands: Hands::None, slips }
}

const SCREENS: [Screen; 35] = [
    Screen {
        hands: Hands::NoData,
        ..plain("", &["--version"], Before::Nothing, &["docter", "list_access", "--vendor dnfs"])
    },
    Screen {
        hands: Hands::Ends("Ctrl-D ends it", CTRL_D),
        ..plain("serve", &["serve"], Before::Nothing, &["serve --http here", "serve --json"])
    },
    Screen {
        hands: Hands::NoData,
        ..plain("demo", &["demo"], Before::Nothing, &["demo --json", "demo all"])
    },
    plain(
        "call",
        &[
            "call list_roles vendor=snaplogic",
            "call find_principals query=alex",
            "call list_access vendor=redox resource=Staging",
            "call GRANT --dry-run",
            "call check_change",
        ],
        Before::Story,
        &[
            "call",
            "call grant_asset_rol",
            "call list_roles dfns",
            "call grant_asset_role userKey user@example.com",
            "call grant_asset_role userKey=a roleKey=b assetKeys=Orders,Billing",
            "call list_roles query=a query=b",
            "call find_principals query=alex limit=many",
        ],
    ),
    plain("tools", &["tools", "tools set_project_acl"], Before::Nothing, &["tools list_role"]),
    plain("doctor", &["doctor"], Before::Story, &["doctor dfns"]),
    plain(
        "install",
        &[
            "install",
            "install cursor --print",
            "install cursor",
            "install cursor --check",
            "install cursor --remove",
            "install goose",
        ],
        Before::Installed,
        &["install claude-cod", "install cursor --print --check", "install zed --check"],
    ),
    Screen {
        hands: Hands::Types(ASKED, "yes"),
        ..plain("undo", &["undo RECEIPT"], Before::Done, &["undo", "undo gr-nobody"])
    },
    plain(
        "requests",
        &["requests", "requests --ids"],
        Before::Story,
        &["request", "requests aprove"],
    ),
    plain("requests list", &["requests list"], Before::Nothing, &["requests list all"]),
    Screen {
        hands: Hands::Types(ASKED, "yes"),
        ..plain(
            "requests approve",
            &["requests approve RECEIPT"],
            Before::Waiting,
            &["requests approve", "requests approve gr-nobody"],
        )
    },
    plain(
        "requests deny",
        &["requests deny RECEIPT"],
        Before::Waiting,
        &["requests deny", "requests deny gr-nobody"],
    ),
    plain("requests run", &["requests run"], Before::Approved, &["requests run --read-only"]),
    Screen {
        hands: Hands::TypesUnseen("A passphrase for the key: ", "too short"),
        ..plain(
            "requests key",
            &["requests key ada"],
            Before::Nothing,
            &["requests key", "requests key a/b"],
        )
    },
    plain("expire", &["expire"], Before::Due, &["expire now", "expire --read-only"]),
    plain("reconcile", &["reconcile"], Before::Nothing, &["reconcile all"]),
    Screen {
        hands: Hands::Ends("CENTRASITE_PASSWORD", CTRL_C),
        ..plain("sandbox", &["sandbox"], Before::Nothing, &["sandbox --port many"])
    },
    plain("ledger", &["ledger"], Before::Story, &["ledger tial"]),
    plain(
        "ledger tail",
        &["ledger tail --ids -n 4", "ledger tail --event close", "ledger tail --since 2999-01-01"],
        Before::Story,
        &["ledger tail --since soon"],
    ),
    plain("ledger verify", &["ledger verify"], Before::Story, &["ledger verify --head 9"]),
    Screen {
        hands: Hands::Types("type: accept", "accept"),
        ..plain("ledger accept", &["ledger accept"], Before::Broken, &["ledger accept all"])
    },
    Screen {
        hands: Hands::NoData,
        ..plain(
            "ledger export",
            &["ledger export --format ocsf", "ledger export --since 2999-01-01"],
            Before::Story,
            &["ledger export --format xml", "ledger export --since soon"],
        )
    },
    // What they do with a database is shown where there is one.
    plain("ledger migrate", &[], Before::Nothing, &["ledger migrate"]),
    plain("ledger import", &[], Before::Nothing, &["ledger import"]),
    Screen {
        hands: Hands::NoData,
        ..plain("ledger reindex", &["ledger reindex"], Before::Story, &["ledger reindx"])
    },
    plain("policy", &["policy check"], Before::Nothing, &["policy", "policy chek"]),
    plain("policy check", &["policy check"], Before::Nothing, &["policy check nowhere.cedar"]),
    plain(
        "policy explain",
        &[
            "policy explain assign_permission --offline --now 2031-12-24T18:00:00Z \
             grantee.name=Sam role.name=Viewer",
            "policy explain undo_change gr-nobody",
        ],
        Before::Nothing,
        &[
            "policy explain",
            "policy explain list_role",
            "policy explain assign_permission --offline own=maybe",
            "policy explain assign_permission --offline who=sam",
        ],
    ),
    plain(
        "policy test",
        &["policy test POLICIES/freeze.test.toml"],
        Before::Nothing,
        &["policy test", "policy test nowhere.toml"],
    ),
    plain(
        "changes",
        &["changes", "changes --ids --state done", "changes --person nobody@example.com"],
        Before::Story,
        &["changes --state gone", "changes --since soon", "changes --limit 5 --all"],
    ),
    plain("access", &["access diff OLD"], Before::Exported, &["access", "access dif"]),
    Screen {
        hands: Hands::NoData,
        ..plain(
            "access export",
            &["access export --vendor outsystems -o OUT"],
            Before::Nothing,
            &["access export --format xml", "access export -o /nowhere/at/all.csv"],
        )
    },
    plain(
        "access diff",
        &["access diff OLD --ids", "access diff OLD OLD"],
        Before::Exported,
        &["access diff", "access diff nowhere.json"],
    ),
    Screen {
        hands: Hands::Script,
        ..plain("completions", &["completions bash"], Before::Nothing, &["completions cobol"])
    },
    plain("help", &[], Before::Nothing, &["help docter"]),
];

/// So many at once keep two processors busy.
const AT_ONCE: usize = 3;
const FOLDER: &str = "tests/golden/screens";

/// A subcommand without screens, or screens of a subcommand that is gone, fail.
#[tokio::test]
async fn every_subcommand_looks_as_it_did() {
    let mut command = Cli::command();
    command.build();
    let mut there = BTreeSet::from([String::new()]);
    gather(&command, "", &mut there);
    let known: BTreeSet<_> = SCREENS.iter().map(|one| one.command.to_owned()).collect();
    assert_eq!(there, known, "each subcommand has a row of SCREENS");
    let files = futures_util::stream::iter(&SCREENS).map(Screen::file).buffer_unordered(AT_ONCE);
    let files: BTreeMap<_, _> = files.collect().await;
    let home = tempfile::tempdir().unwrap();
    if has_layout(home.path().to_str().unwrap()) {
        golden::check(FOLDER, "every_subcommand_looks_as_it_did", &files);
    } else {
        assert!(!golden::updating(), "rewrite them as root, with folders in /tmp");
        compare_words(&files);
    }
}

/// Whatever a command shows in words leaves no terminal, except what has no blank to break it at.
#[test]
fn no_screen_is_wider_than_its_terminal() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut wide = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let mut columns = None;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            if let Some(head) = line.strip_prefix(HEAD) {
                columns =
                    head.split_once(", ").and_then(|(_, way)| way.split(' ').next()?.parse().ok());
                continue;
            }
            let Some(columns) = columns else { continue };
            let line = line.trim_end();
            let count = line.chars().count();
            let word = line.trim_start().split(' ').map(|word| word.chars().count()).max();
            let room: usize = columns;
            let is_whole =
                ["`grantor ", "export ", " WARN "].iter().any(|part| line.contains(part));
            if count > room && word.unwrap_or_default() + 12 < room && !is_whole {
                wide.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

fn gather(command: &clap::Command, at: &str, there: &mut BTreeSet<String>) {
    for one in command.get_subcommands() {
        let name = format!("{at} {}", one.get_name()).trim().to_owned();
        // The help of each has the same words by another way.
        if name.split(' ').count() > 1 && name.split(' ').any(|word| word == "help") {
            continue;
        }
        there.insert(name.clone());
        if name != "help" {
            gather(one, &name, there);
        }
    }
}

/// What begins the heading of a screen.
const HEAD: &str = "════ ";

impl Screen {
    async fn file(&self) -> (String, String) {
        let stage = Stage::new(self.before).await;
        let mut told = String::new();
        let help = format!("{} --help", self.command);
        stage.show(&mut told, help.trim(), Way::Terminal(80), Hands::None).await;
        for line in self.shown {
            for way in self.ways(line) {
                stage.show(&mut told, line, way, self.hands).await;
            }
        }
        for slip in self.slips {
            stage.show(&mut told, slip, Way::Pipe, Hands::NoData).await;
        }
        let name = if self.command.is_empty() { "grantor" } else { self.command };
        (format!("{}.txt", name.replace(' ', "-")), stage.same_everywhere(&told))
    }

    fn ways(&self, line: &str) -> Vec<Way> {
        let words = vec![Way::Terminal(80), Way::Terminal(60), Way::Pipe];
        match self.hands {
            Hands::None if line.contains("--print") || line.ends_with("goose") => vec![Way::Pipe],
            // All of it is in tool-schemas/.
            Hands::None if line == "tools" => words,
            // Whole lines of the ledger are for programs, and those of an end are short.
            Hands::None if line.starts_with("ledger tail --ids") || line == "ledger" => words,
            Hands::None => [words, vec![Way::Data]].concat(),
            Hands::NoData if self.command == "demo" => vec![Way::Terminal(80)],
            Hands::Types(..) if self.command == "undo" => [words, vec![Way::Data]].concat(),
            Hands::NoData | Hands::Types(..) | Hands::TypesUnseen(..) => words,
            Hands::Ends(..) => vec![Way::Terminal(80)],
            Hands::Script => Vec::new(),
        }
    }
}

/// How it is looked at.
#[derive(Clone, Copy)]
enum Way {
    Terminal(u16),
    Pipe,
    Data,
}

/// A world of its own. This program and the policies are at paths that are as long wherever the
/// checkout is: lines break where they did.
struct Stage {
    world: World,
    before: Before,
    /// Which of the grants is next: a request is made once for each way of looking at it.
    next: std::cell::Cell<usize>,
}

impl Stage {
    async fn new(before: Before) -> Self {
        let world = World::new().await.set("TZ", "UTC");
        std::fs::create_dir_all(world.path("bin")).unwrap();
        let world = own_policies(world);
        let (built, own) = (env!("CARGO_BIN_EXE_grantor"), world.path("bin/grantor"));
        if std::fs::hard_link(built, &own).is_err() {
            std::fs::copy(built, &own).unwrap();
        }
        let stage = Self { world, before, next: std::cell::Cell::new(0) };
        match before {
            Before::Story => stage.story().await,
            Before::Broken => stage.broken().await,
            Before::Exported => stage.exported().await,
            _ => {}
        }
        stage
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let built = self.world.command(arguments);
        let mut command = Command::new(self.world.path("bin/grantor"));
        command.env_clear().current_dir(self.world.path("")).kill_on_drop(true);
        for (name, value) in built.as_std().get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.args(built.as_std().get_args()).stdin(std::process::Stdio::null());
        command
    }

    /// What nobody is asked about.
    async fn meanwhile(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(arguments);
        command.env("GRANTOR_POLICY", example("automation"));
        let ran = run(command).await;
        assert_eq!(ran.status, 0, "{arguments:?}: {ran:#?}");
        parsed(&ran.stdout)
    }

    async fn done(&self, grant: &Grant, flags: &[&str]) -> String {
        let body =
            self.meanwhile(&[&["call", grant.tool, grant.arguments][..], flags].concat()).await;
        body["receipt"].as_str().unwrap().to_owned()
    }

    async fn waiting(&self, grant: &Grant) -> String {
        let ran = run(self.command(&["call", grant.tool, grant.arguments])).await;
        assert_eq!(ran.status, 3, "{ran:#?}");
        parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned()
    }

    async fn due(&self, grant: &Grant) -> String {
        let mut fields = parsed(grant.arguments);
        fields["expires_in"] = "PT1H".into();
        let body = self.meanwhile(&["call", grant.tool, &fields.to_string()]).await;
        let receipt = body["receipt"].as_str().unwrap().to_owned();
        time_is_over(&self.world, &receipt).await;
        receipt
    }

    /// Something done, something that waits, a no, and an end that has come.
    async fn story(&self) {
        self.done(&GRANTS[3], &["--reason", "INC-7, see the channel"]).await;
        let denied = self.waiting(&GRANTS[0]).await;
        let no = ["requests", "deny", &denied, "--reason", "the wrong Sam"];
        assert_eq!(run(self.command(&no)).await.status, 0);
        self.waiting(&GRANTS[1]).await;
        self.due(&GRANTS[4]).await;
    }

    async fn broken(&self) {
        self.done(&GRANTS[3], &[]).await;
        let lines = self.world.path("state/lines.jsonl");
        let text = std::fs::read_to_string(&lines).unwrap();
        std::fs::write(&lines, text.replacen("Sam Rivera", "Sam Riviera", 1)).unwrap();
    }

    async fn exported(&self) {
        let vendor = ["--vendor", "outsystems"];
        let export = ["access", "export", "--format", "json"];
        let ran = run(self.command(&[&vendor[..], &export].concat())).await;
        std::fs::write(self.world.path("monday.json"), ran.stdout).unwrap();
        self.done(&GRANTS[0], &[]).await;
        self.meanwhile(&["call", GRANTS[5].tool, GRANTS[5].arguments]).await;
    }

    /// What RECEIPT stands for, this time.
    async fn receipt(&self) -> Option<String> {
        let next = self.next.get();
        self.next.set(next + 1);
        // Those of which each is a change by itself.
        let grant = &GRANTS[[0, 3, 4, 1, 2, 5][next % 6]];
        match self.before {
            Before::Waiting => Some(self.waiting(grant).await),
            Before::Done => Some(self.done(grant, &[]).await),
            Before::Due => Some(self.due(grant).await),
            Before::Approved => Some(self.approved(grant).await),
            _ => None,
        }
    }

    /// Approved where nothing can be sent.
    async fn approved(&self, grant: &Grant) -> String {
        let receipt = self.waiting(grant).await;
        let elsewhere = if grant.vendor == "redox" { "dfns" } else { "redox" };
        let approve = ["requests", "approve", &receipt, "--vendor", elsewhere];
        let mut terminal = Terminal::start(self.command(&approve));
        terminal.shows("to agree").await;
        let name = if grant.vendor == "dfns" { "Sam Rivera" } else { "yes" };
        terminal.types(name).await;
        assert_eq!(terminal.ends().await.0, 3);
        receipt
    }

    async fn show(&self, told: &mut String, line: &str, way: Way, hands: Hands) {
        let needs = line.contains("RECEIPT")
            || matches!(self.before, Before::Due | Before::Approved)
                && (line == "expire" || line == "requests run");
        let receipt = if needs { self.receipt().await } else { None };
        let arguments = self.words(line, receipt.as_deref(), way);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let command = self.command(&arguments);
        let (how, status, shown) = match way {
            Way::Terminal(columns) => {
                // Help asks nothing.
                let hands = if line.ends_with("--help") { Hands::NoData } else { hands };
                let (status, shown) = at_terminal(columns, command, hands).await;
                (format!("{columns} columns"), status, shown)
            }
            Way::Pipe | Way::Data => {
                let ran = run(command).await;
                let gap = if ran.stdout.is_empty() || ran.stderr.is_empty() { "" } else { STDERR };
                ("in a pipe".to_owned(), ran.status, format!("{}{gap}{}", ran.stdout, ran.stderr))
            }
        };
        let data = if matches!(way, Way::Data) { " --json" } else { "" };
        let shown = shown.trim_end();
        told.push_str(&format!("{HEAD}grantor {line}{data}, {how}\n"));
        told.push_str(&format!("{shown}\n════ exit status {status}\n\n"));
    }

    /// The words of a line, with what stands for something put in.
    fn words(&self, line: &str, receipt: Option<&str>, way: Way) -> Vec<String> {
        let file = |name: &str| self.world.path(name).to_str().unwrap().to_owned();
        let policies = file("policies/examples");
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            match word {
                "GRANT" => {
                    words.extend([GRANTS[0].tool.to_owned(), GRANTS[0].arguments.to_owned()]);
                }
                "RECEIPT" => words.push(receipt.unwrap().to_owned()),
                "OLD" => words.push(file("monday.json")),
                "OUT" => words.push(file("out.csv")),
                word => words.push(word.replace("POLICIES", &policies)),
            }
        }
        if self.before == Before::Exported && line.starts_with("access diff OLD") {
            words.extend(["--vendor".to_owned(), "outsystems".to_owned()]);
        }
        if matches!(way, Way::Data) {
            words.push("--json".to_owned());
        }
        words
    }

    /// A text without what is another at each run and on each machine.
    fn same_everywhere(&self, told: &str) -> String {
        let home = self.world.path("");
        let home = home.to_str().unwrap().trim_end_matches('/');
        let told = told.replace(home, &fixed(home));
        let told = told.replace(env!("CARGO_PKG_VERSION"), "0.0.0");
        let told = told.replace(requester().name(), "root");
        steady(&told.lines().map(without_value).collect::<Vec<_>>().join("\n")) + "\n"
    }
}

/// The rules that are built in, from a file, and the examples, all in the world's folder.
fn own_policies(world: World) -> World {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for folder in ["policies", "policies/examples"] {
        std::fs::create_dir_all(world.path(folder)).unwrap();
    }
    for folder in ["", "examples"] {
        for entry in std::fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&from).unwrap();
                std::fs::copy(&path, world.path("policies").join(name)).unwrap();
            }
        }
    }
    let policy = world.path("policies/default.cedar");
    world.set("GRANTOR_POLICY", policy.to_str().unwrap())
}

/// What stands between stdout and stderr.
const STDERR: &str = "──── on stderr:\n";

async fn at_terminal(columns: u16, command: Command, hands: Hands) -> (i32, String) {
    let mut terminal = Terminal::sized(columns, command);
    match hands {
        Hands::Types(question, line) if terminal.comes_to(question).await => {
            terminal.types(line).await;
        }
        Hands::TypesUnseen(question, line) => terminal.types_unseen(question, line).await,
        Hands::Ends(shown, key) if terminal.comes_to(shown).await => terminal.presses(key).await,
        _ => {}
    }
    let (status, shown) = terminal.ends().await;
    (status, anstream::adapter::strip_str(&shown.replace('\r', "")).to_string())
}

/// A line of a shell's without the value that it sets: it may be made anew each time.
fn without_value(line: &str) -> String {
    match line.split_once('=').filter(|(name, _)| name.starts_with("export ")) {
        Some((name, _)) => format!("{name}='…'"),
        None => line.to_owned(),
    }
}

/// Times that a text has for an example: they stay.
const EXAMPLES: [&str; 2] = ["2027-01-31T18:00:00Z", "2031-12-24T18:00:00Z"];

/// Receipts, times, ports and hashes as they are in every run, each as long as it was.
fn steady(text: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let (kept, used) = match met(rest) {
            Some(found) => found,
            None => (first.to_string(), first.len_utf8()),
        };
        told.push_str(&kept);
        rest = &rest[used..];
    }
    told
}

/// What stands for the beginning of a text, and how much of it that is.
fn met(rest: &str) -> Option<(String, usize)> {
    if let Some(example) = EXAMPLES.iter().find(|one| rest.starts_with(**one)) {
        return Some(((*example).to_owned(), example.len()));
    }
    let receipt = |c: char| c.is_ascii_lowercase() || ('2'..='7').contains(&c);
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let digit = |c: char| c.is_ascii_digit();
    if let Some(after) = rest.strip_prefix("gr-").filter(|after| run_of(after, receipt) == 26) {
        return Some((format!("gr-{}", "a".repeat(26)), rest.len() - after.len() + 26));
    }
    if let Some(after) =
        rest.strip_prefix("grantor-demo-").filter(|after| run_of(after, receipt) == 26)
    {
        return Some((format!("grantor-demo-{}", "a".repeat(26)), rest.len() - after.len() + 26));
    }
    // Of which process a line of the ledger is, and under which key.
    for (name, length) in [("\"process\":\"", 26), ("\"key\":\"", 8)] {
        let is_it = |after: &&str| run_of(after, |c| c.is_ascii_alphanumeric()) == length;
        if let Some(after) = rest.strip_prefix(name).filter(is_it) {
            return Some((
                format!("{name}{}", "a".repeat(length)),
                rest.len() - after.len() + length,
            ));
        }
    }
    if let Some(after) = rest.strip_prefix("127.0.0.1:") {
        let digits = run_of(after, digit);
        return (digits == 5).then(|| ("127.0.0.1:40000".to_owned(), rest.len() - after.len() + 5));
    }
    if let Some(after) = rest.strip_prefix("asked ").filter(|after| after.starts_with(digit)) {
        let digits = run_of(after, digit);
        let is_age = after[digits..].starts_with(" s ago");
        return is_age.then(|| ("asked 0".to_owned(), rest.len() - after.len() + digits));
    }
    match run_of(rest, hex) {
        64 => return Some(("a".repeat(64), 64)),
        // The beginning of a hash, and a time in milliseconds.
        16 => return Some(("a".repeat(16), 16)),
        13 if run_of(rest, digit) == 13 => return Some(("1700000000000".to_owned(), 13)),
        long if long > 8 => return Some((rest[..long].to_owned(), long)),
        _ => {}
    }
    for (shape, fixed) in [
        ("as-wwwww-wwwww-wwwwwwwwwwwwwwww", "as-aaaaa-aaaaa-aaaaaaaaaaaaaaaa"),
        ("dddd-dd-ddTdd:dd:dd", "2026-11-28T12:00:00"),
        ("dddd-dd-dd dd:dd:dd", "2026-11-28 12:00:00"),
        ("dddd-dd-dd dd:dd", "2026-11-28 12:00"),
    ] {
        if !has_shape(rest, shape) {
            continue;
        }
        let after = &rest[shape.len()..];
        let fraction = after.strip_prefix('.').map_or(0, |after| run_of(after, digit) + 1);
        return Some((fixed.to_owned(), shape.len() + fraction));
    }
    None
}

fn run_of(text: &str, is_one: impl Fn(char) -> bool) -> usize {
    text.chars().take_while(|&c| is_one(c)).count()
}

fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(c, wanted): (char, char)| match wanted {
        'd' => c.is_ascii_digit(),
        'w' => c.is_ascii_lowercase() || c.is_ascii_digit(),
        wanted => c == wanted,
    };
    text.len() >= shape.len() && text.chars().zip(shape.chars()).all(fits)
}

/// A folder of a test, by a name that is as long.
const HOME: &str = "/tmp/.tmpAAAAAA";

fn fixed(home: &str) -> String {
    if has_layout(home) { HOME.to_owned() } else { "HOME".to_owned() }
}

/// Whether lines break where they did: names of people and folders are as long.
fn has_layout(home: &str) -> bool {
    home.len() == HOME.len() && requester().name().len() == "root".len()
}

/// Where lines break elsewhere, the words alone are compared.
fn compare_words(files: &BTreeMap<String, String>) {
    let words = |text: &str| {
        let all = text.replace(HOME, "HOME");
        all.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, text) in files {
        let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(name);
        let kept = std::fs::read_to_string(kept).unwrap_or_default();
        assert_eq!(words(&kept), words(text), "{name}");
    }
}
