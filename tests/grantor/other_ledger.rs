//! A ledger that is not the one it was: moved away, or sealed under another key. Nothing that looks
//! says that all is well, a running server among them, and a person at a terminal is the way on.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::first_release::sample;
use super::harness::{Raw, World, parsed};
use super::terminal::Terminal;
use super::writes::GRANTS;

const KEY: &str = "5c1a3f0e9b7d42868e13a6f2c4d7905b5c1a3f0e9b7d42868e13a6f2c4d7905b";
const OTHER: &str = "another key for a ledger, which it was not sealed under";

/// Who wrote the ledger, and under what name its lines are then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    FirstRelease,
    Today,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// `GRANTOR_LEDGER_KEY` is another than before.
    OtherKey,
    /// It is set, where the key was beside the ledger.
    KeyGiven,
    /// It is not set any more.
    NoKey,
    /// The key was beside the ledger, and is gone.
    KeyGone,
    /// A rotation of logs has renamed the lines.
    Rotated,
}

const LOSSES: [Loss; 5] =
    [Loss::OtherKey, Loss::KeyGiven, Loss::NoKey, Loss::KeyGone, Loss::Rotated];

impl By {
    fn file(self) -> &'static str {
        if self == Self::FirstRelease { "ledger.jsonl" } else { "lines.jsonl" }
    }

    /// A world with a ledger in which something is due.
    async fn world(self, loss: Loss) -> World {
        let is_given = matches!(loss, Loss::OtherKey | Loss::NoKey);
        let key = match self {
            Self::FirstRelease => fs::read_to_string(sample("seal.key")).unwrap(),
            Self::Today => KEY.to_owned(),
        };
        let mut world = World::new().await;
        let state = world.path("state");
        fs::create_dir_all(&state).unwrap();
        if is_given {
            world = world.set("GRANTOR_LEDGER_KEY", key);
        } else {
            fs::write(state.join("seal.key"), key).unwrap();
        }
        match self {
            Self::FirstRelease => {
                fs::copy(sample("ledger.jsonl"), state.join("ledger.jsonl")).unwrap();
            }
            Self::Today => {
                let mut arguments = parsed(GRANTS[3].arguments);
                arguments["expires_in"] = "PT1S".into();
                let ran = world.run(&["call", GRANTS[3].tool, &arguments.to_string()]).await;
                assert_eq!(ran.status, 0, "{ran:#?}");
            }
        }
        // The index is there, as after any look.
        let ran = world.run(&["requests"]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        assert!(state.join("ledger.index").exists());
        world
    }

    fn lose(self, loss: Loss, world: World) -> World {
        let state = world.path("state");
        match loss {
            Loss::OtherKey | Loss::KeyGiven => world.set("GRANTOR_LEDGER_KEY", OTHER),
            Loss::NoKey => world.unset("GRANTOR_LEDGER_KEY"),
            Loss::KeyGone => {
                fs::remove_file(state.join("seal.key")).unwrap();
                world
            }
            Loss::Rotated => {
                let file = self.file();
                fs::rename(state.join(file), state.join(format!("{file}.1"))).unwrap();
                world
            }
        }
    }

    /// A receipt whose end the ledger names.
    fn due(self, world: &World, loss: Loss) -> String {
        let end = if loss == Loss::Rotated { ".1" } else { "" };
        let path = world.path("state").join(format!("{}{end}", self.file()));
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines().rev().map(parsed);
        let last = lines.find(|line| line["expires_at"].is_string());
        last.unwrap()["receipt"].as_str().unwrap().to_owned()
    }
}

const COMMANDS: [&[&str]; 5] =
    [&["expire"], &["requests"], &["reconcile"], &["ledger", "verify"], &["doctor"]];

#[tokio::test]
async fn nothing_says_that_all_is_well_until_a_person_accepts_it() {
    let cases =
        [By::FirstRelease, By::Today].into_iter().flat_map(|by| LOSSES.map(|loss| (by, loss)));
    for (by, loss) in cases {
        let what = format!("{by:?}, {loss:?}");
        let world = by.lose(loss, by.world(loss).await);
        let writes = world.writes().len();
        let key = || fs::read_to_string(world.path("state/seal.key")).ok();
        let kept = key();
        for command in COMMANDS {
            let ran = world.run(command).await;
            let said = if command[0] == "doctor" { &ran.stdout } else { &ran.stderr };
            assert_eq!(ran.status, 1, "{what} {command:?}: {ran:#?}");
            let names = said.contains("ledger") || said.contains("lines.jsonl");
            assert!(names, "{what} {command:?}: {ran:#?}");
            assert!(!said.contains("nothing is due"), "{what} {command:?}: {ran:#?}");
        }
        let ran = world.run(&["call", GRANTS[4].tool, GRANTS[4].arguments]).await;
        assert_eq!(parsed(&ran.stdout)["outcome"], "unavailable", "{what}: {ran:#?}");
        assert_eq!((key(), world.writes().len()), (kept, writes), "{what}");
        let due = by.due(&world, loss);
        let mut terminal = Terminal::start(world.command(["ledger", "accept"]));
        terminal.shows("type: set aside").await;
        terminal.types("set aside").await;
        let (status, seen) = terminal.ends().await;
        assert_eq!(status, 0, "{what}: {seen}");
        assert!(seen.contains(&due), "{what}: what was due is named: {seen}");
        for command in COMMANDS {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 0, "{what} {command:?}: {ran:#?}");
        }
        let ran = world.run(&["call", GRANTS[4].tool, GRANTS[4].arguments]).await;
        assert_eq!(ran.status, 0, "{what}: {ran:#?}");
        assert!(world.ledger()[0].to_string().contains(&due), "{what}");
    }
}

/// A server that has begun its maintenance.
async fn server(world: &World) -> Raw {
    let mut raw = world.serve_raw_logged();
    raw.hello("2025-11-25").await;
    let call = json!({ "name": "list_roles", "arguments": { "vendor": "redox" } });
    raw.ask(1, "tools/call", call).await;
    raw
}

async fn says(world: &World, text: &str) {
    let begun = Instant::now();
    while !world.stderr().contains(text) {
        assert!(begun.elapsed() < Duration::from_secs(40), "no {text:?}: {}", world.stderr());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Who reads a server's log learns of it there, once; and of what comes after it.
#[tokio::test]
async fn a_running_server_tells_what_is_wrong_with_the_ledger_once() {
    let worlds = [By::FirstRelease, By::Today].map(async |by| {
        let world = by.world(Loss::KeyGone).await;
        // So that the server has nothing to write meanwhile.
        world.run(&["expire"]).await;
        let raw = server(&world).await;
        let path = world.path("state").join(by.file());
        let path =
            if path.is_file() { path } else { world.path("state/ledger-000000000001.jsonl") };
        let text = fs::read_to_string(&path).unwrap();
        assert!(!world.stderr().contains("cannot be relied on"), "{}", world.stderr());
        // A line that is none of the ledger's; the server may be about to write its own.
        fs::write(&path, text.replacen("\"time\":\"2", "\"time\":\"3", 1)).unwrap();
        says(&world, "was changed, or written without the key").await;
        says(&world, "`grantor ledger accept` is the way on").await;
        tokio::time::sleep(Duration::from_secs(11)).await;
        let once = |text: &str| {
            assert_eq!(world.stderr().matches(text).count(), 1, "{text}: {}", world.stderr());
        };
        once("was changed, or written without the key");
        once("`grantor ledger accept` is the way on");
        raw.kill().await;
    });
    futures_util::future::join_all(worlds).await;
}

#[tokio::test]
async fn a_running_server_tells_that_its_ledger_is_another() {
    let cases = [Loss::OtherKey, Loss::KeyGone, Loss::Rotated].map(async |loss| {
        for read_only in [false, true] {
            let world = By::Today.lose(loss, By::Today.world(loss).await);
            let world = if read_only { world.argument("--read-only") } else { world };
            let raw = server(&world).await;
            says(&world, "the ledger cannot be relied on").await;
            tokio::time::sleep(Duration::from_secs(11)).await;
            let told = world.stderr();
            let lines = told.lines().filter(|line| line.contains("cannot be relied on")).count();
            // One for each file that is left of it.
            assert!(lines <= 3, "{loss:?}: {told}");
            assert_eq!(told.matches("is the way on").count(), 1, "{loss:?}: {told}");
            assert!(told.matches("maintenance was not done").count() <= 1, "{loss:?}: {told}");
            raw.kill().await;
        }
    });
    futures_util::future::join_all(cases).await;
}
