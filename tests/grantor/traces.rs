use std::path::{Path, PathBuf};

use super::harness::{World, parsed};

/// Looking, by every command and tool that does nothing else, leaves nothing where there is no
/// ledger yet.
#[tokio::test]
async fn a_look_leaves_no_trace() {
    let world = World::new().await;
    let before = tree(&world);
    for (command, ends) in [
        (&["doctor"][..], 0),
        (&["tools"], 0),
        (&["requests"], 0),
        (&["requests", "list", "--json"], 0),
        (&["ledger"], 0),
        (&["ledger", "verify"], 0),
        (&["ledger", "export"], 0),
        (&["ledger", "export", "--format", "ocsf"], 0),
        (&["policy", "check"], 0),
        (&["policy", "explain", TOOL, ARGUMENTS], 0),
        (&["call", "list_roles"], 0),
        (&["call", "find_principals", r#"{"query": "a"}"#], 0),
        (&["call", "list_access", r#"{"resource": "Orders"}"#], 0),
        (&["call", "check_change"], 0),
        (&["call", "check_change", r#"{"receipt": "gr-none"}"#], 1),
        (&["call", TOOL, ARGUMENTS, "--dry-run"], 0),
        (&["expire"], 0),
        (&["reconcile"], 0),
        (&["requests", "run"], 0),
    ] {
        let ran = world.run(command).await;
        assert_eq!(ran.status, ends, "{command:?}: {ran:#?}");
        assert_eq!(tree(&world), before, "{command:?}");
    }
}

const TOOL: &str = "grant_asset_role";
const ARGUMENTS: &str =
    r#"{"userKey": "user@example.com", "roleKey": "Developer", "assetKeys": ["Orders"]}"#;

#[tokio::test]
async fn a_server_that_is_asked_to_look_leaves_no_trace() {
    for world in [World::new().await, World::new().await.argument("--read-only")] {
        let server = world.serve().await;
        let before = tree(&world);
        for (tool, arguments) in [
            ("list_roles", "{}"),
            ("find_principals", r#"{"query": "a"}"#),
            ("find_resources", "{}"),
            ("list_access", r#"{"resource": "Orders"}"#),
            ("check_change", "{}"),
            ("check_change", r#"{"receipt": "gr-none"}"#),
        ] {
            server.call(tool, parsed(arguments)).await;
            assert_eq!(tree(&world), before, "{tool}");
        }
        server.stop().await;
        assert_eq!(tree(&world), before);
    }
}

/// Every file of a world, but for the log of its servers.
fn tree(world: &World) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![world.path("")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            folders.extend(path.is_dir().then(|| path.clone()));
            found.push(path);
        }
    }
    found.retain(|path| *path != world.path("stderr"));
    found.sort();
    found
}

/// No ledger and one that cannot be read are two things.
#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_not_an_empty_one() {
    for spoil in [
        |state: &Path| std::fs::write(state, "a file").unwrap(),
        |state: &Path| std::fs::create_dir_all(state.join("lines.jsonl")).unwrap(),
    ] {
        let world = World::new().await;
        spoil(&world.path("state"));
        for command in [
            &["requests"][..],
            &["ledger"],
            &["ledger", "verify"],
            &["call", "check_change"],
            &["doctor"],
        ] {
            let ran = world.run(command).await;
            assert_eq!(ran.status, 1, "{command:?}: {ran:#?}");
            let said = ran.stdout + &ran.stderr;
            assert!(said.contains("cannot be read"), "{command:?}: {said}");
        }
    }
}
