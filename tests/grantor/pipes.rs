//! Where a file is expected, a pipe, a folder or a socket is named, and waited for by nobody.

use std::io::Write as _;
use std::path::Path;

use super::harness::World;
use super::writes::GRANTS;

/// Puts what is no file there.
fn put(what: &str, path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        std::fs::remove_file(path).unwrap();
    }
    match what {
        "a pipe" => {
            let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }
        "a directory" => std::fs::create_dir(path).unwrap(),
        // The path stays when the listener goes.
        _ => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
    }
}

const KINDS: [&str; 3] = ["a pipe", "a directory", "a socket"];

#[tokio::test]
async fn what_stands_in_the_place_of_a_state_file_is_named() {
    let world = World::new().await;
    let state = world.path("state");
    for name in ["lines.jsonl", "ledger.head", "ledger.index", "seal.key", "ledger.lock"] {
        let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
        let path = state.join(name);
        assert!(path.is_file(), "{name}: {ran:?}");
        let kept = std::fs::read(&path).unwrap();
        for what in KINDS {
            put(what, &path);
            for command in [&["expire"][..], &["ledger", "verify"], &["requests"]].iter() {
                let ran = world.run(command).await;
                let named = format!("{name}: it is {what}, not a regular file");
                match name {
                    // It is made anew from the lines, or done without.
                    "ledger.index" => assert_eq!(ran.status, 0, "{what}, {command:?}: {ran:?}"),
                    // Looking takes no lock.
                    "ledger.lock" if command != &["expire"] => {}
                    _ => {
                        assert!(ran.stderr.contains(&named), "{command:?}: {ran:?}");
                        assert_eq!(ran.status, 1, "{command:?}: {ran:?}");
                    }
                }
            }
        }
        if path.is_dir() {
            std::fs::remove_dir(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, kept).unwrap();
    }
}

#[tokio::test]
async fn what_stands_in_the_place_of_a_file_that_is_named_is_told() {
    for variable in
        ["GRANTOR_CONFIG", "GRANTOR_POLICY", "GRANTOR_APPROVERS", "SNAPLOGIC_PASSWORD_FILE"]
    {
        for what in KINDS {
            let world = World::new().await;
            let path = world.path("odd");
            put(what, &path);
            let mut command = world.command(["doctor"]);
            if let Some(name) = variable.strip_suffix("_FILE") {
                command.env_remove(name);
            }
            let ran = super::harness::run(command_with(command, variable, &path)).await;
            assert_eq!(ran.status, 1, "{variable}: {ran:?}");
            let named = format!("it is {what}, not a regular file: name one");
            let said = ran.stdout + &ran.stderr;
            assert!(said.contains(&named), "{variable}: {said}");
        }
    }
}

fn command_with(
    mut command: tokio::process::Command,
    variable: &str,
    path: &Path,
) -> tokio::process::Command {
    command.env(variable, path);
    command
}

/// What a shell hands in as `<(…)` is a secret as any other.
#[tokio::test]
async fn a_secret_may_come_through_a_pipe_that_is_handed_in() {
    let world = World::new().await;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(world.variable("SNAPLOGIC_PASSWORD").as_bytes()).unwrap();
    drop(writer);
    let mut command = world.command(["call", "list_roles", r#"{"vendor": "snaplogic"}"#]);
    command.env_remove("SNAPLOGIC_PASSWORD");
    command.env("SNAPLOGIC_PASSWORD_FILE", "/dev/fd/0").stdin(reader);
    let ran = super::harness::run_any(&mut command).await;
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{ran:?}");
}
