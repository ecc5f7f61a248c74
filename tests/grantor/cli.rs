use std::path::Path;
use std::process::Stdio;

use grantor::sandbox::story::SCENES;
use grantor::sandbox::{Modes, SnapLogicAcl};
use grantor::tools::TOOLS;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::harness::{Ran, World, bare, parsed, run, status};
use super::terminal::Terminal;
use super::writes::{GRANTS, NOBODY};

/// One command in a fresh world: how it ends, and what it says on which stream.
async fn check(world: World, arguments: &[&str], ends: i32) -> Ran {
    let ran = world.run(arguments).await;
    assert_eq!(ran.status, ends, "{arguments:?}: {ran:#?}");
    plain(&ran);
    ran
}

/// A pipe is no terminal.
fn plain(ran: &Ran) {
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:#?}");
}

#[tokio::test]
async fn a_call_ends_with_the_status_of_its_outcome() {
    let (tool, arguments) = (GRANTS[1].tool, GRANTS[1].arguments);
    let pending = r#"{"permissionId": "Payments Approver", "identityId": "user@example.com"}"#;
    let nobody = r#"{"permissionId": "Treasury Viewer", "identityId": "nobody"}"#;
    let privileged =
        r#"{"permissionId": "ManagedFullAdminAccess", "identityId": "user@example.com"}"#;
    let held =
        r#"{"permissionId": "Treasury Viewer", "identityId": "marta.lindqvist@example.com"}"#;
    for (arguments, flags, outcome, ends) in [
        (arguments, &[][..], "confirmed", 0),
        (arguments, &["--dry-run"], "preview", 0),
        (held, &[], "already_present", 0),
        (pending, &[], "pending_vendor_approval", 3),
        (nobody, &[], "invalid", 1),
        (privileged, &[], "refused", 1),
    ] {
        let world = World::new().await;
        let mut line = vec!["call", tool, arguments];
        line.extend(flags);
        let ran = check(world, &line, ends).await;
        assert_eq!(parsed(&ran.stdout)["outcome"], outcome, "{line:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_back_is_not_finished() {
    let modes = Modes { snaplogic_acl: SnapLogicAcl::CallerOnly, ..Modes::default() };
    let world = World::with(modes).await;
    let ran = check(world, &["call", GRANTS[3].tool, GRANTS[3].arguments], 3).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "unconfirmed");
}

#[tokio::test]
async fn what_is_unclear_or_out_of_reach_is_an_error() {
    let world = World::new().await;
    world.inject("snaplogic", "POST", "/acl/", status(500));
    let ran = check(world, &["call", GRANTS[3].tool, GRANTS[3].arguments], 1).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "unknown");
    let world = World::new().await.set("SNAPLOGIC_URL", NOBODY);
    let ran = check(world, &["call", GRANTS[3].tool, GRANTS[3].arguments], 1).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "unavailable");
}

#[tokio::test]
async fn a_look_fails_only_where_every_vendor_does() {
    let ran = check(World::new().await, &["call", "list_roles"], 0).await;
    assert!(parsed(&ran.stdout)["rows"].as_array().unwrap().len() > 10);
    let one_down = World::new().await;
    let one_down = one_down.set("OUTSYSTEMS_CLIENT_SECRET", "wrong");
    let ran = check(one_down, &["call", "list_roles"], 0).await;
    let body = parsed(&ran.stdout);
    let problems = body["problems"].as_array().unwrap();
    let own = problems.iter().find(|problem| problem["vendor"] == "outsystems").unwrap();
    assert_eq!(own["kind"], "not_permitted", "{own}");
    assert!(own["hint"].as_str().is_some_and(|hint| hint.contains("grantor doctor")), "{own}");
    assert!(body["rows"].as_array().unwrap().iter().any(|row| row["vendor"] == "dfns"));
    let all_down = World::new().await.set("OUTSYSTEMS_CLIENT_SECRET", "wrong");
    check(all_down, &["call", "list_roles", r#"{"vendor": "outsystems"}"#], 1).await;
}

const GIVE_JSON: &str =
    r#"give one such as '{"query": "Developer"}', in single quotes, or - to read stdin"#;

#[tokio::test]
async fn wrong_usage_is_told_apart_from_failure() {
    for (arguments, says) in [
        (&["call", "grant_everything"][..], "grant_everything"),
        (&["call", "list_roles", "{"], "JSON"),
        (&["call", "list_roles", "{vendor: dfns}"], GIVE_JSON),
        (&["policy", "explain", GRANTS[1].tool, "["], GIVE_JSON),
        (
            &["policy", "explain", "list_roles"],
            "no tool that grants or revokes; `grantor tools` lists them",
        ),
        (&["call", "list_roles", "[]"], "JSON object"),
        (&["call", "list_roles", "7"], "JSON object"),
        (&["call"], "TOOL"),
        (&["frobnicate"], "frobnicate"),
        (&["--force"], "--force"),
        (&["call", "list_roles", "--force"], "--force"),
        (&["tools", "--json", "--hash"], "--hash"),
        (&["completions", "cobol"], "cobol"),
        (&["--vendor", "dfns,acme", "tools"], "acme"),
    ] {
        let ran = check(World::new().await, arguments, 2).await;
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{arguments:?}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_right_stops_the_program_and_is_named() {
    for (name, value) in [
        ("GRANTOR_VENDORS", "acme"),
        ("GRANTOR_READ_ONLY", "maybe"),
        ("GRANTOR_CONFIG", "/nowhere.toml"),
    ] {
        let world = World::new().await.set(name, value);
        let ran = world.run(&["tools"]).await;
        assert!(ran.status != 0 && ran.stdout.is_empty(), "{name}: {ran:#?}");
        assert!(ran.stderr.contains(value), "{name}: {}", ran.stderr);
        plain(&ran);
    }
}

/// The same words wherever it is met, and what to do among them.
#[tokio::test]
async fn what_nothing_starts_with_is_told_with_what_to_do() {
    let world = World::new().await;
    let broken = world.path("broken.cedar");
    std::fs::write(&broken, "permit (principal, action, resource);").unwrap();
    let broken = broken.to_str().unwrap();
    for (name, value, says) in [
        ("GRANTOR_CONFIG", "/nowhere.toml", "leave it out for the usual file"),
        ("GRANTOR_POLICY", "/nowhere.cedar", "leave it out for the built-in rules"),
        ("GRANTOR_POLICY", broken, "@id"),
        ("GRANTOR_APPROVERS", "/nowhere", "`grantor requests key` prints it"),
        ("GRANTOR_LOG", "!!", "such as grantor=debug"),
        ("GRANTOR_LOG", "warning", "such as grantor=debug"),
    ] {
        let mut told = Vec::new();
        for arguments in [&["tools"][..], &["tools", "--hash"], &["call", "list_roles"], &["serve"]]
        {
            let mut command = world.command(arguments);
            command.env(name, value);
            let ran = run(command).await;
            assert_eq!(ran.status, 1, "{value} {arguments:?}: {ran:#?}");
            assert!(ran.stderr.contains(says) && ran.stdout.is_empty(), "{value}: {ran:#?}");
            plain(&ran);
            told.push(ran.stderr);
        }
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:#?}");
    }
}

/// Whether the directory is read-only or no directory at all: it is named, and what to do.
#[tokio::test]
async fn a_state_directory_that_cannot_be_written_is_named() {
    let world = World::new().await;
    let file = world.path("file");
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir_all(world.path("state/tending.lock")).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, names) in [
        (&["--sandbox", "--state-dir", file, "tools"][..], "file/sandbox: "),
        (&["sandbox", "--state-dir", file], "file/sandbox: "),
        (&["expire"], "state/tending.lock: "),
        (&["reconcile"], "state/tending.lock: "),
    ] {
        let ran = world.run(arguments).await;
        assert_eq!(ran.status, 1, "{arguments:?}: {ran:#?}");
        for says in [names, "make it writable, or set --state-dir"] {
            assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
        }
    }
}

/// Nothing is missing for it: it was not wanted.
#[tokio::test]
async fn a_vendor_that_is_left_out_is_not_called_incomplete() {
    for world in [
        World::new().await.argument("--vendor").argument("redox"),
        World::new().await.set("GRANTOR_VENDORS", "redox,snaplogic"),
    ] {
        let ran = check(world, &["call", GRANTS[1].tool, GRANTS[1].arguments], 1).await;
        let body = parsed(&ran.stdout);
        assert_eq!(body["outcome"], "invalid", "{body:#}");
        assert!(body["summary"].as_str().unwrap().contains("left out"), "{body:#}");
        let hint = body["hint"].as_str().unwrap();
        assert!(hint.contains("without --vendor and GRANTOR_VENDORS"), "{hint}");
        assert!(hint.contains("name dfns there") && !hint.contains("missing"), "{hint}");
    }
}

#[tokio::test]
async fn arguments_come_from_stdin_and_a_reason_from_a_flag() {
    use tokio::io::AsyncWriteExt as _;
    let world = World::new().await;
    let mut command = world.command(["call", GRANTS[3].tool, "-", "--reason", "on call"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(GRANTS[3].arguments.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    assert_eq!(world.ledger()[0]["reason"], "on call");
}

#[tokio::test]
async fn the_tools_are_printed_as_they_are_served() {
    let ran = check(World::new().await, &["tools", "--json"], 0).await;
    assert_eq!(parsed(&ran.stdout), Value::from(super::schemas::served().await));
    let ran = check(World::new().await, &["tools"], 0).await;
    for grant in &GRANTS {
        assert!(ran.stdout.contains(grant.tool), "{}", ran.stdout);
    }
    let read_only = check(World::new().await.argument("--read-only"), &["tools"], 0).await;
    let looks = TOOLS.iter().filter(|tool| !tool.spec.effect.writes());
    // The first line has the headings.
    assert_eq!(read_only.stdout.lines().count(), 1 + looks.count(), "{}", read_only.stdout);
    let one = check(World::new().await, &["tools", "--vendor", "dfns"], 0).await;
    assert!(one.stdout.contains("assign_permission") && !one.stdout.contains("set_project_acl"));
}

#[tokio::test]
async fn the_hash_changes_with_the_tools_alone() {
    let hash = |world: World| async move { check(world, &["tools", "--hash"], 0).await.stdout };
    let first = hash(World::new().await).await;
    let digits = first.trim();
    assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    assert_eq!(hash(World::new().await).await, first);
    assert_ne!(hash(World::new().await.argument("--read-only")).await, first);
}

#[tokio::test]
async fn help_and_version_are_plain_and_short() {
    let help = check(World::new().await, &["--help"], 0).await;
    for word in ["demo", "doctor", "call", "tools", "sandbox", "completions", "Exit status"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    assert!(help.stdout.lines().all(|line| line.chars().count() <= 100), "{}", help.stdout);
    for command in [
        &["call"][..],
        &["tools"],
        &["doctor"],
        &["undo"],
        &["requests", "approve"],
        &["requests", "deny"],
        &["requests", "key"],
        &["expire"],
        &["sandbox"],
        &["ledger", "verify"],
        &["ledger", "export"],
        &["policy", "check"],
        &["policy", "explain"],
        &["completions"],
    ] {
        let help = check(World::new().await, &[&["help"][..], command].concat(), 0).await.stdout;
        let (_, example) = help.split_once("Example").unwrap_or_else(|| panic!("{help}"));
        let line = command.join(" ");
        assert!(example.contains("grantor") && example.contains(&line), "{line}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
    let version = check(World::new().await, &["--version"], 0).await;
    assert_eq!(version.stdout, concat!("grantor ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn doctor_is_healthy_where_all_is_well_and_changes_nothing() {
    let world = World::new().await;
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    plain(&ran);
    for title in ["OutSystems", "Dfns", "Redox", "SnapLogic", "CentraSite"] {
        assert!(ran.stdout.contains(title), "{title}: {}", ran.stdout);
    }
    assert!(world.writes().is_empty() && world.ledger().is_empty());
    let home = tempfile::tempdir().unwrap();
    let mut command = bare(home.path());
    command.args(["--sandbox", "doctor"]);
    let ran = run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
}

/// Each credential that does not work: the vendor is named, and what to look at.
#[tokio::test]
async fn doctor_names_the_vendor_whose_credential_fails() {
    for (variable, title) in [
        ("OUTSYSTEMS_CLIENT_SECRET", "OutSystems"),
        ("DFNS_AUTH_TOKEN", "Dfns"),
        ("REDOX_KEY_ID", "Redox"),
        ("SNAPLOGIC_PASSWORD", "SnapLogic"),
        ("CENTRASITE_PASSWORD", "CentraSite"),
    ] {
        let world = World::new().await.set(variable, "wrong-on-purpose");
        let ran = check(world, &["doctor"], 1).await;
        let report = ran.stdout.split("\n").skip_while(|line| !line.contains(title));
        let report: Vec<&str> =
            report.take_while(|line| !line.contains("to change access")).collect();
        let report = report.join("\n");
        assert!(report.contains("failed") && report.contains("401"), "{title}: {}", ran.stdout);
        assert!(report.contains("credential"), "{title} is not told what to do: {report}");
        let failed = ran.stdout.matches("failed").count();
        let own = report.matches("failed").count();
        assert_eq!(failed, own, "the others are well: {}", ran.stdout);
        assert!(variable == "REDOX_KEY_ID" || !ran.stdout.contains("wrong-on-purpose"));
    }
}

#[tokio::test]
async fn doctor_names_what_is_missing() {
    for variable in [
        "OUTSYSTEMS_CLIENT_ID",
        "DFNS_AUTH_TOKEN",
        "REDOX_PRIVATE_KEY",
        "SNAPLOGIC_PASSWORD",
        "CENTRASITE_USERNAME",
    ] {
        let ran = check(World::new().await.unset(variable), &["doctor"], 1).await;
        assert!(ran.stdout.contains(variable), "{variable}: {}", ran.stdout);
        assert!(ran.stdout.contains("half configured"), "{}", ran.stdout);
    }
    let home = tempfile::tempdir().unwrap();
    let mut command = bare(home.path());
    command.arg("doctor");
    let ran = run(command).await;
    assert_eq!(ran.status, 1, "nothing is configured: {ran:#?}");
    assert!(ran.stdout.contains("SNAPLOGIC_URL") && ran.stderr.contains("grantor demo"));
}

/// A vendor that lacks something is left out, said so everywhere, and stops nobody else.
#[tokio::test]
async fn a_half_configured_vendor_is_left_out_and_named() {
    let world = World::new().await.unset("DFNS_AUTH_TOKEN");
    let ran = check(world, &["tools"], 0).await;
    assert!(!ran.stdout.contains("assign_permission") && ran.stdout.contains("set_project_acl"));
    assert!(ran.stderr.contains("DFNS_AUTH_TOKEN"), "{}", ran.stderr);
    let world = World::new().await.unset("DFNS_AUTH_TOKEN");
    let mut raw = world.serve_raw();
    let hello = raw.hello("2025-11-25").await;
    let instructions = hello["result"]["instructions"].as_str().unwrap();
    assert!(instructions.contains("DFNS_AUTH_TOKEN"), "{instructions}");
    let world = World::new().await.unset("DFNS_AUTH_TOKEN");
    let ran = check(world, &["call", GRANTS[1].tool, GRANTS[1].arguments], 1).await;
    let body = parsed(&ran.stdout);
    assert_eq!(body["outcome"], "invalid");
    assert!(body["summary"].as_str().unwrap().contains("DFNS_AUTH_TOKEN"), "{body:#}");
}

#[tokio::test]
async fn the_demo_ends_each_scene_as_the_story_says() {
    let world = World::new().await;
    let scratch = world.path("tmp");
    std::fs::create_dir(&scratch).unwrap();
    // A tester's own settings must not change what it shows.
    let world = world.set("TMPDIR", scratch.to_str().unwrap()).set("GRANTOR_READ_ONLY", "1");
    let ran = world.run(&["demo"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    plain(&ran);
    let mut rest = ran.stdout.as_str();
    for scene in &SCENES {
        let (_, after) = rest.split_once(scene.asks).unwrap_or_else(|| panic!("{}", scene.asks));
        let told = after.split("\n“").next().unwrap();
        // A look has no such word.
        let word = format!("  {}  ", scene.outcome);
        assert!(scene.outcome.is_empty() || told.contains(&word), "{}: {told}", scene.asks);
        assert!(!told.contains("$RECEIPT"), "{told}");
        rest = after;
    }
    assert!(rest.contains("mcpServers"), "it ends with how to go on");
    // A small terminal shows every line whole; only what has no blank to break at is longer.
    let wide = |line: &&str| line.chars().count() > 80 && line.trim_start().contains(", ");
    let (scenes, _) = ran.stdout.split_once("That was the demo").unwrap();
    assert_eq!(scenes.lines().find(wide), None);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "nothing is left behind");
    assert!(world.sandbox.journal().is_empty(), "it has vendors of its own");
    assert!(!world.path("state").exists(), "and a ledger of its own");
}

/// What an administrator enters where there is no bridge.
#[tokio::test]
async fn without_a_bridge_the_four_parameters_are_rendered() {
    let world = ["CENTRASITE_BRIDGE_URL", "CENTRASITE_USERNAME", "CENTRASITE_PASSWORD"]
        .iter()
        .fold(World::new().await, |world, name| world.unset(name));
    let arguments = json!({
        "asset": "OrderService",
        "userGroupAssetPermission": [
            { "group": "API Team", "permission": "Modify" },
            { "user": "Sam", "permission": "View", "profilePermissions": [{ "name": "Technical", "permission": "View" }] },
        ],
        "removeExistingPermission": true,
    });
    let ran =
        world.run(&["call", "set_asset_permissions", &arguments.to_string(), "--dry-run"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let body = parsed(&ran.stdout);
    assert_eq!(body["outcome"], "preview");
    let expected = json!({
        "User/Group Asset Permission": [
            { "permission": "Modify", "group": "API Team" },
            { "permission": "View", "user": "Sam", "profile permissions": [{ "name": "Technical", "permission": "View" }] },
        ],
        "Remove existing permission": true,
        "Propagate permissions to dependent objects": false,
        "Propagate profile permissions": false,
    });
    assert_eq!(body["request"]["parameters"], expected, "{body:#}");
    let summary = body["summary"].as_str().unwrap();
    assert!(summary.contains("by hand") && !summary.contains("Would be sent"), "{summary}");
    // Without --dry-run there is nothing that could be done.
    let ran = world.run(&["call", "set_asset_permissions", &arguments.to_string()]).await;
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("CENTRASITE_BRIDGE_URL"), "{}", ran.stdout);
    assert!(world.sandbox.journal().is_empty());
}

/// The same shape is checked where nothing can be sent.
#[tokio::test]
async fn without_a_bridge_wrong_parameters_are_not_rendered() {
    let world = World::new().await.unset("CENTRASITE_BRIDGE_URL");
    for arguments in [
        r#"{"asset": "OrderService", "userGroupAssetPermission": []}"#,
        r#"{"asset": "OrderService", "userGroupAssetPermission": [{"permission": "View"}]}"#,
        r#"{"asset": "OrderService", "userGroupAssetPermission": [{"user": "a", "group": "b", "permission": "View"}]}"#,
        r#"{"asset": "OrderService", "userGroupAssetPermission": [{"user": "a", "permission": "Own"}]}"#,
    ] {
        let ran = world.run(&["call", "set_asset_permissions", arguments, "--dry-run"]).await;
        let body = parsed(&ran.stdout);
        assert_eq!((ran.status, &body["outcome"]), (1, &json!("invalid")), "{arguments}: {body:#}");
    }
}

#[tokio::test]
async fn the_sandbox_prints_an_environment_that_another_process_can_use() {
    let home = tempfile::tempdir().unwrap();
    let mut command = bare(home.path());
    command.arg("sandbox").stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut variables = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(export) = line.strip_prefix("export ") {
            let (name, value) = export.split_once('=').unwrap();
            variables.push((name.to_owned(), value.trim_matches('\'').to_owned()));
            if name == "CENTRASITE_PASSWORD" {
                break;
            }
        }
    }
    assert!(variables.iter().all(|(_, value)| !value.contains(['\'', '\n'])), "{variables:?}");
    let other = tempfile::tempdir().unwrap();
    for arguments in [vec!["doctor"], vec!["call", GRANTS[1].tool, GRANTS[1].arguments]] {
        let mut command = bare(other.path());
        command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        let ran = run(command).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        assert!(!ran.stdout.contains(r#""sandbox": true"#), "it cannot know");
    }
    child.kill().await.unwrap();
}

/// Nobody takes a fake vendor's yes for a real one's.
#[tokio::test]
async fn every_answer_of_a_sandbox_says_so() {
    for arguments in [
        vec!["--sandbox", "call", "list_roles"],
        vec!["--sandbox", "call", "list_roles", r#"{"vendor": "acme"}"#],
        vec!["--sandbox", "call", GRANTS[1].tool, GRANTS[1].arguments],
        vec!["--sandbox", "call", GRANTS[1].tool, GRANTS[1].arguments, "--dry-run"],
        vec!["--sandbox", "call", GRANTS[1].tool, "{}"],
        vec!["--sandbox", "--read-only", "call", GRANTS[1].tool, GRANTS[1].arguments],
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut command = bare(home.path());
        command.args(&arguments);
        let ran = run(command).await;
        assert_eq!(parsed(&ran.stdout)["sandbox"], true, "{arguments:?}: {ran:#?}");
    }
}

/// What waits in a sandbox is approved by another process, whose fake vendors have other ports, by
/// the very command that the answer names.
#[tokio::test]
async fn what_a_sandbox_asks_is_approved_by_another_process() {
    let home = tempfile::tempdir().unwrap();
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/default.cedar");
    let command = |arguments: &[&str]| {
        let mut command = bare(home.path());
        command.env("GRANTOR_POLICY", &policy).args(arguments);
        command
    };
    let call = ["--sandbox", "call", GRANTS[3].tool, GRANTS[3].arguments];
    let asked = parsed(&run(command(&call)).await.stdout);
    assert_eq!(asked["outcome"], "awaiting_consent", "{asked:#}");
    let hint = asked["hint"].as_str().unwrap();
    let named = hint.split('`').nth(1).unwrap().strip_prefix("grantor ").unwrap();
    let named: Vec<&str> = named.split(' ').collect();
    let listed = run(command(&["--sandbox", "requests"])).await;
    assert!(listed.stderr.contains("`grantor --sandbox requests approve"), "{}", listed.stderr);
    let mut terminal = Terminal::start(command(&named));
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    let (status, seen) = terminal.ends().await;
    assert!(status == 0 && seen.contains("confirmed"), "{status}: {seen}");
    let check = json!({ "receipt": asked["receipt"] }).to_string();
    let ran = run(command(&["--sandbox", "call", "check_change", &check])).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "confirmed", "{}", ran.stdout);
}

/// The sandbox of `--sandbox` remembers, beside a ledger of its own.
#[tokio::test]
async fn a_sandbox_remembers_between_processes() {
    let home = tempfile::tempdir().unwrap();
    let call = || async {
        let mut command = bare(home.path());
        command.args(["--sandbox", "call", GRANTS[3].tool, GRANTS[3].arguments]);
        parsed(&run(command).await.stdout)["outcome"].clone()
    };
    assert_eq!(call().await, "confirmed");
    assert_eq!(call().await, "already_present");
    assert!(home.path().join("state/sandbox/lines.jsonl").exists());
    assert!(!home.path().join("state/lines.jsonl").exists());
}
