//! The commands that messages name work as they stand, wherever they are typed.

use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use super::harness::{Ran, bare, parsed, run};
use super::terminal::Terminal;
use super::writes::GRANTS;

/// The commands in a text, in its order.
fn named(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let text = text.replace('\n', " ");
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("`grantor ") {
        let (command, after) = after.split_once('`').unwrap();
        commands.push(format!("grantor {command}"));
        rest = after;
    }
    commands
}

/// A command as somebody types it in another folder, in a shell that was told nothing.
fn typed(home: &Path, command: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_grantor")).parent().unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env_clear().env("HOME", home).env("PATH", program);
    shell.current_dir("/").stdin(std::process::Stdio::null()).kill_on_drop(true);
    shell
}

#[tokio::test]
async fn every_command_that_a_message_names_finds_what_it_is_about() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let state = home.join("kept here");
    let rules = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/default.cedar"),
    );
    std::fs::write(home.join("own.cedar"), format!("{}// ours\n", rules.unwrap())).unwrap();
    std::fs::write(home.join("own.toml"), "[grantor]\nconsent_wait = 60\n").unwrap();
    let own = async |arguments: &[&str]| -> Ran {
        let mut command = bare(home);
        command.env_remove("GRANTOR_POLICY").env_remove("GRANTOR_STATE_DIR").current_dir(home);
        command.args(["--sandbox", "--config", "own.toml", "--policy", "own.cedar"]);
        command.args(["--state-dir", "kept here"]).args(arguments);
        run(command).await
    };
    let grant = &GRANTS[3];
    let asked = own(&["call", grant.tool, grant.arguments]).await;
    let answer = parsed(&asked.stdout);
    let receipt = answer["receipt"].as_str().unwrap().to_owned();
    let approve = named(answer["hint"].as_str().unwrap()).remove(0);
    for part in ["--sandbox", "own.toml", "own.cedar", "kept here", &receipt] {
        assert!(approve.contains(part), "{part}: {approve}");
    }
    // Where nobody sits at a terminal it says so, and nothing else is wrong with it.
    let ran = run(typed(home, &approve)).await;
    assert!(ran.status == 2 && ran.stderr.contains("at a terminal"), "{approve}: {ran:#?}");
    let checked = json!({ "receipt": &receipt }).to_string();
    let mut texts = vec![
        ("the list", own(&["requests"]).await.stderr),
        ("no such request", own(&["requests", "deny", "gr-nobody"]).await.stderr),
        ("a request", own(&["call", "check_change", &checked]).await.stdout),
        ("a tool that is none", own(&["call", "grant"]).await.stderr),
        ("an undo", own(&["undo", &receipt]).await.stdout),
    ];
    let timed = grant.arguments.replacen('{', r#"{"expires_in": "PT2H", "#, 1);
    texts.push(("a preview", own(&["call", grant.tool, &timed, "--dry-run"]).await.stdout));
    for (what, text) in texts {
        let commands = named(&text);
        assert!(!commands.is_empty(), "{what}: {text}");
        for command in commands {
            for part in ["--sandbox", "own.toml", "own.cedar", "kept here"] {
                assert!(command.contains(part), "{what}, {part}: {command}");
            }
            // What decides is tried last; a listing has a word in place of the receipt.
            if command.contains("RECEIPT") || command.contains("requests deny") {
                continue;
            }
            let ran = run(typed(home, &command)).await;
            let is_usage = ran.stderr.contains("Usage:") || ran.stderr.contains("not found");
            assert!(!is_usage && ran.status != 101, "{what}: {command}: {ran:#?}");
            assert!(!ran.stderr.contains("no request"), "{what}: {command}: {ran:#?}");
        }
    }
    let mut terminal = Terminal::start(typed(home, &approve));
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    let (status, seen) = terminal.ends().await;
    assert_eq!(status, 0, "{approve}: {seen}");
    assert!(state.join("sandbox/lines.jsonl").exists());
    assert!(!home.join("state").exists(), "nothing was kept anywhere else");
}
