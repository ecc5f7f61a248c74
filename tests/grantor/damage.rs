//! A ledger that cannot be relied on is never read in silence, whoever reads it and wherever in it
//! the damage is.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use grantor::ledger::Ledger;
use serde_json::json;

use super::harness::{World, approved, parsed, requester};
use super::terminal::Terminal;
use super::writes::GRANTS;

const LIST_ACCESS: &[&str] =
    &["call", "list_access", r#"{"vendor": "snaplogic", "resource": "/Harbor/Integrations"}"#];

/// Every command that reads the ledger and carries nothing out.
const READERS: [&[&str]; 8] = [
    &["call", "check_change"],
    LIST_ACCESS,
    &["ledger", "export"],
    &["ledger", "export", "--format", "ocsf"],
    &["ledger", "tail"],
    &["ledger", "tail", "--json"],
    &["requests"],
    &["requests", "list", "--json"],
];

fn state(world: &World, name: &str) -> PathBuf {
    world.path("state").join(name)
}

fn edit(world: &World, edit: impl Fn(&mut Vec<String>)) {
    let path = state(world, "lines.jsonl");
    let mut lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    edit(&mut lines);
    fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

type Damage = (&'static str, fn(&World));

const DAMAGES: [Damage; 8] = [
    ("a line is changed", |world| {
        edit(world, |lines| lines[0] = lines[0].replace("\"time\":\"2", "\"time\":\"1"));
    }),
    ("the last lines are cut off", |world| edit(world, |lines| lines.truncate(2))),
    ("lines change places", |world| edit(world, |lines| lines.swap(1, 2))),
    ("the first lines are missing", |world| edit(world, |lines| drop(lines.drain(..2)))),
    ("a line is put in", |world| {
        edit(world, |lines| lines.insert(2, lines[1].replace("confirmed", "mismatch")));
    }),
    ("an entry is put in that has no seal", |world| {
        edit(world, |lines| {
            let mut line = parsed(&lines[1]);
            let fields = line.as_object_mut().unwrap();
            fields.retain(|name, _| !["key", "seal"].contains(&name.as_str()));
            lines.push(line.to_string());
        });
    }),
    ("the key is another", |world| {
        fs::write(state(world, "seal.key"), "another key of thirty-two letters\n").unwrap();
    }),
    ("the key is gone", |world| fs::remove_file(state(world, "seal.key")).unwrap()),
];

async fn written() -> World {
    let world = World::new().await;
    for grant in &GRANTS[2..5] {
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
    }
    world
}

#[tokio::test]
async fn whoever_reads_a_damaged_ledger_is_told() {
    for (what, damage) in DAMAGES {
        let world = written().await;
        for command in READERS {
            let ran = world.run(command).await;
            assert!(ran.status == 0 && !ran.stderr.contains("ledger"), "{command:?}: {ran:#?}");
        }
        let server = world.serve().await;
        damage(&world);
        for command in READERS {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 1, "{what}, {command:?}: {ran:#?}");
            let is_json =
                command == ["requests", "list", "--json"] && ran.stdout.contains("ledger");
            assert!(ran.stderr.contains("ledger") || is_json, "{what}, {command:?}: {ran:#?}");
            if command[0] == "call" {
                let warnings = parsed(&ran.stdout)["warnings"].to_string();
                assert!(warnings.contains("ledger"), "{what}, {command:?}: {ran:#?}");
            }
        }
        // A server that runs keeps its key: what was lost beside it is no loss to it.
        if !what.contains("key") {
            for (tool, arguments) in
                [("check_change", json!({})), ("list_access", parsed(LIST_ACCESS[2]))]
            {
                let answer = server.call(tool, arguments).await;
                assert!(answer.warnings().contains("grantor ledger verify"), "{what}: {answer:?}");
            }
        }
        server.stop().await;
    }
}

/// Whoever writes to a ledger that is damaged is told in the answer, and a person is still asked.
#[tokio::test]
async fn a_change_that_is_written_to_a_damaged_ledger_warns() {
    let damages = DAMAGES.iter().filter(|(what, _)| !what.contains("key"));
    let granted = damages.clone().map(|damage| (damage, "confirmed"));
    for ((what, damage), expected) in
        granted.chain(damages.take(1).map(|one| (one, "awaiting_consent")))
    {
        let asks = expected != "confirmed";
        let world = if asks { World::asking().await } else { World::new().await };
        for grant in &GRANTS[2..5] {
            let ran = world.run(&["call", grant.tool, grant.arguments]).await;
            assert_eq!(parsed(&ran.stdout)["outcome"], expected, "{ran:#?}");
            let warnings = parsed(&ran.stdout)["warnings"].to_string();
            assert!(!warnings.contains("ledger"), "{what}: {warnings}");
        }
        damage(&world);
        let grant = &GRANTS[0];
        let preview = world.run(&["call", grant.tool, grant.arguments, "--dry-run"]).await;
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        let answer = parsed(&ran.stdout);
        assert_eq!(answer["outcome"], expected, "{what}: {ran:#?}");
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("`grantor ledger verify`"), "{what}, {expected}: {answer:#}");
        assert_eq!(warnings.matches("is damaged").count(), 1, "{warnings}");
        // What would be sent, what is so already and what is refused rest on the same lines.
        let already = world.run(&["call", GRANTS[2].tool, GRANTS[2].arguments]).await;
        let unknown = world.run(&["undo", "gr-nobody"]).await;
        for ran in [preview, already, unknown] {
            let answer = parsed(&ran.stdout);
            let warnings = answer["warnings"].to_string();
            assert_eq!(warnings.matches("is damaged").count(), 1, "{what}: {answer:#}");
        }
    }
}

/// Lines that hold their seal are told as they are, and no other becomes an event.
#[tokio::test]
async fn a_line_that_does_not_hold_its_seal_is_no_event() {
    let world = World::new().await;
    for grant in &GRANTS[2..5] {
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
    }
    let export = ["ledger", "export", "--format", "ocsf"];
    let whole = world.run(&export).await;
    assert_eq!((whole.status, whole.stdout.lines().count()), (0, 3), "{whole:#?}");
    let other = |text: &str| {
        let mut line = parsed(text);
        line["receipt"] = json!("gr-putin00000000000");
        line["event"] = json!("refused");
        line["summary"] = json!("put in by somebody");
        line
    };
    edit(&world, |lines| {
        // The end of the last change is another; and two that nobody refused, one without a seal.
        lines[5] = lines[5].replace("\"confirmed\"", "\"rejected\"");
        let forged = other(&lines[4]);
        let mut bare = forged.clone();
        bare.as_object_mut().unwrap().retain(|name, _| !["key", "seal"].contains(&name.as_str()));
        lines.insert(2, forged.to_string());
        lines.push(bare.to_string());
    });
    let ran = world.run(&export).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    let events: Vec<_> = ran.stdout.lines().map(parsed).collect();
    let told: Vec<_> = events.iter().map(|event| event["status"].as_str().unwrap()).collect();
    assert_eq!(told, ["Success", "Success", "Unknown"], "{}", ran.stdout);
    assert!(!ran.stdout.contains("put in by somebody"), "{}", ran.stdout);
    for line in [3, 7, 8] {
        let place = format!("lines.jsonl:{line}");
        assert!(ran.stderr.contains(&place), "{place}: {}", ran.stderr);
    }
    let lines = world.run(&["ledger", "export"]).await;
    assert_eq!((lines.status, lines.stdout.lines().count()), (1, 8), "as they are: {lines:#?}");
    fs::remove_file(state(&world, "seal.key")).unwrap();
    let lost = world.run(&["ledger", "export"]).await;
    assert_eq!((lost.status, lost.stdout.lines().count()), (1, 8), "without a key: {lost:#?}");
    let lost = world.run(&export).await;
    assert_eq!((lost.status, lost.stdout.as_str()), (1, ""), "nothing holds: {lost:#?}");
}

/// Makes the newest file of the ledger full, with lines that are none of its own.
fn fill(world: &World) {
    let path = state(world, "lines.jsonl");
    let mut file = fs::File::options().append(true).open(path).unwrap();
    let line = format!("{}\n", "x".repeat(1024 * 1024));
    for _ in 0..64 {
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// The files that are full, oldest first.
fn full(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.path("state")).unwrap().map(|entry| entry.unwrap().path());
    let is_full =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("lines-");
    let mut files: Vec<_> = entries.filter(is_full).collect();
    files.sort();
    files
}

/// A rotation of logs that takes older files away is seen, the index being there or not.
#[tokio::test]
async fn a_full_file_that_is_moved_away_is_named() {
    let world = World::new().await;
    for grant in &GRANTS[2..5] {
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        if grant.tool != GRANTS[4].tool {
            fill(&world);
        }
    }
    let looks: [&[&str]; 3] = [&["requests"], &["expire"], &["call", "check_change"]];
    let look = async |status: i32, what: &str| {
        for command in looks {
            let ran = world.run(command).await;
            assert_eq!(ran.status, status, "{what}, {command:?}: {ran:#?}");
            let said = ran.stderr.lines().filter(|line| line.starts_with("grantor: ledger  "));
            let named = said.filter(|line| line.contains("missing")).count();
            assert_eq!(named > 0, status == 1, "{what}: {ran:#?}");
        }
    };
    look(0, "all there").await;
    let files = full(&world);
    assert_eq!(files.len(), 2);
    for file in &files {
        for end in [".1", ".gz", "-20270131", ".old"] {
            let moved = PathBuf::from(format!("{}{end}", file.display()));
            fs::rename(file, &moved).unwrap();
            look(1, &moved.display().to_string()).await;
            fs::rename(&moved, file).unwrap();
            look(0, "put back").await;
        }
    }
    // A copy was made and the file itself emptied.
    let copy = files[0].with_extension("copy");
    fs::copy(&files[0], &copy).unwrap();
    fs::write(&files[0], "").unwrap();
    look(1, "emptied").await;
    fs::rename(&copy, &files[0]).unwrap();
    look(0, "put back").await;
    fs::remove_file(&files[0]).unwrap();
    look(1, "deleted").await;
    let mut terminal = Terminal::start(world.command(["ledger", "accept"]));
    terminal.shows("type: accept").await;
    terminal.types("accept").await;
    assert_eq!(terminal.ends().await.0, 0);
    look(0, "accepted").await;
}

/// Changes one byte of the line of an event in the oldest full file; where nothing else changes.
fn damage_old(world: &World, event: &str) {
    let path = &full(world)[0];
    let text = fs::read_to_string(path).unwrap();
    let at = text.find(&format!("\"event\":\"{event}\"")).unwrap();
    let at = at + text[at..].find("\"time\":\"2").unwrap();
    let mut bytes = text.into_bytes();
    bytes[at + 8] = b'1';
    fs::write(path, bytes).unwrap();
}

/// The end of a grant whose lines are in an older file: nothing is done on damaged lines, and they
/// are named.
#[tokio::test]
async fn an_end_in_a_damaged_older_file_is_named() {
    for (event, index) in [("open", true), ("close", true), ("open", false), ("close", false)] {
        let world = World::new().await;
        let mut arguments = parsed(GRANTS[3].arguments);
        arguments["expires_in"] = "PT2S".into();
        let ran = world.run(&["call", GRANTS[3].tool, &arguments.to_string()]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        let receipt = world.ledger()[0]["receipt"].as_str().unwrap().to_owned();
        fill(&world);
        let ran = world.run(&["call", GRANTS[4].tool, GRANTS[4].arguments]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        assert_eq!(world.run(&["requests"]).await.stderr.matches("lines-").count(), 0);
        damage_old(&world, event);
        if !index {
            fs::remove_file(state(&world, "ledger.index")).unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        for command in [&["expire"][..], &["requests"], &["call", "check_change"]] {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 1, "{event}, {index}, {command:?}: {ran:#?}");
            let names = ran.stderr.contains(&receipt) || ran.stderr.contains("lines-");
            assert!(names, "{event}, {index}, {command:?}: {ran:#?}");
        }
        // The grant itself holds its seal: what is lost is how it ended, and that is looked into.
        let taken = usize::from(event == "close" && !index);
        assert_eq!(world.writes().len(), 2 + taken, "{event}, {index}");
    }
}

/// A change that is settled, in an older file: whoever reads its receipt learns that its lines do not
/// hold, and nothing is done on their word.
#[tokio::test]
async fn a_settled_change_in_a_damaged_older_file_is_told_of_by_its_receipt() {
    for (event, index) in [("open", true), ("close", true), ("open", false), ("close", false)] {
        let world = World::new().await;
        let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
        fill(&world);
        let ran = world.run(&["call", GRANTS[4].tool, GRANTS[4].arguments]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        let arguments = json!({ "receipt": receipt }).to_string();
        assert_eq!(world.run(&["call", "check_change", &arguments]).await.status, 0);
        damage_old(&world, event);
        if !index {
            fs::remove_file(state(&world, "ledger.index")).unwrap();
        }
        for command in [&["call", "check_change", &arguments][..], &["undo", &receipt]] {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 1, "{event}, {index}, {command:?}: {ran:#?}");
            let told = format!("{}{}", ran.stdout, ran.stderr);
            let names = told.contains("a line of it ") || told.contains("lines-");
            // Without the index nothing ties the lost end to it: it is open, and not undone.
            let is_open = told.contains("still open") && event == "close" && !index;
            assert!(
                names || is_open && command[0] == "undo",
                "{event}, {index}, {command:?}: {ran:#?}"
            );
        }
        assert_eq!(world.writes().len(), 2, "{event}, {index}: nothing is undone on its word");
    }
}

/// A yes to a question in an older file that was damaged since is none, and that is said.
#[tokio::test]
async fn a_yes_across_a_damaged_older_file_is_named_and_gives_nothing() {
    // Another line than its own, and its own.
    for (event, index) in [("open", true), ("asked", true), ("open", false), ("asked", false)] {
        let world = World::asking().await;
        let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        let receipt = parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned();
        let mut free = world.command(["call", GRANTS[4].tool, GRANTS[4].arguments]);
        free.env("GRANTOR_POLICY", super::harness::example("automation"));
        assert_eq!(super::harness::run(free).await.status, 0);
        fill(&world);
        let ledger = Ledger::new(&world.path("state"), None);
        ledger.answer(&receipt, &approved("root"), &requester()).await.unwrap();
        assert_eq!(world.run(&["requests"]).await.status, 0);
        damage_old(&world, event);
        if !index {
            fs::remove_file(state(&world, "ledger.index")).unwrap();
        }
        for command in [&["requests"][..], &["requests", "run"], &["call", "check_change"]] {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 1, "{event}, {index}, {command:?}: {ran:#?}");
            let names = ran.stderr.contains(&receipt) || ran.stderr.contains("lines-");
            assert!(names, "{event}, {index}, {command:?}: {ran:#?}");
        }
        assert_eq!(world.writes().len(), 1, "{event}, {index}: nothing was sent on it");
    }
}
