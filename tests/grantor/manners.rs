//! What somebody at a terminal expects of any command: words, data, help, completions, slips.

use std::collections::BTreeMap;

use clap::CommandFactory as _;
use grantor::cli::Cli;
use grantor::tools::TOOLS;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::golden;
use super::harness::{PATIENCE, Ran, World, bare, parsed, run};
use super::terminal::Terminal;
use super::writes::GRANTS;

/// Every argument of every tool is explained, whichever tools there are.
#[tokio::test]
async fn a_tools_arguments_are_told_in_words() {
    let world = World::new().await;
    for tool in &TOOLS {
        let name = tool.spec.name;
        let told = world.run(&["tools", name]).await;
        assert_eq!(told.status, 0, "{told:#?}");
        let helped = world.run(&["call", name, "--help"]).await;
        assert_eq!((helped.status, &helped.stdout), (0, &told.stdout), "{name}");
        let schema = &*tool.schema;
        for (key, argument) in schema["properties"].as_object().unwrap() {
            let line = told.stdout.lines().find(|line| line.trim_start().starts_with(key.as_str()));
            assert!(line.is_some(), "{name} does not tell of {key}: {}", told.stdout);
            for inner in argument["properties"].as_object().into_iter().flatten() {
                let dotted = format!("{key}.{}", inner.0);
                let mut lines = told.stdout.lines().map(str::trim_start);
                let is_told = lines.any(|line| line.starts_with(&dotted));
                assert!(is_told, "{name}: {dotted}: {}", told.stdout);
            }
        }
        assert!(told.stdout.lines().all(|line| line.chars().count() <= 80), "{}", told.stdout);
        let data = parsed(&world.run(&["tools", name, "--json"]).await.stdout);
        assert_eq!(data["name"], name);
    }
    // Help does not wait for a configuration that is right.
    let home = tempfile::tempdir().unwrap();
    let mut command = bare(home.path());
    command.args(["--config", "/nowhere.toml", "call", "list_roles", "-h"]);
    let ran = run(command).await;
    assert!(ran.status == 0 && ran.stdout.contains("query"), "{ran:#?}");
    let own = world.run(&["call", "--help"]).await;
    assert!(own.status == 0 && own.stdout.contains("Usage: grantor call"), "{own:#?}");
}

#[tokio::test]
async fn arguments_may_be_pairs_and_are_what_the_schema_says() {
    let world = World::new().await;
    let preview = async |arguments: &[&str]| {
        let ran = world.run(&[&["call"][..], arguments, &["--dry-run"]].concat()).await;
        assert_eq!(ran.status, 0, "{arguments:?}: {ran:#?}");
        parsed(&ran.stdout)
    };
    let pairs = ["userKey=user@example.com", "roleKey=Developer", "assetKeys=Orders"];
    let typed = preview(&[&[GRANTS[0].tool][..], &pairs].concat()).await;
    let json = preview(&[GRANTS[0].tool, GRANTS[0].arguments]).await;
    assert_eq!(typed["request"], json["request"]);
    let list = r#"assetKeys=["Orders","Billing"]"#;
    let two = preview(&[GRANTS[0].tool, pairs[0], pairs[1], list]).await;
    assert_eq!(two["items"].as_array().map(Vec::len), Some(2));
    let dotted = ["role.name=member", "user.name=marta.lindqvist@example.com"];
    let typed = preview(&[&[GRANTS[2].tool][..], &dotted].concat()).await;
    let json = preview(&[GRANTS[2].tool, GRANTS[2].arguments]).await;
    assert_eq!(typed["request"], json["request"]);
    let ran = world.run(&["call", "list_roles", "vendor=dfns", "limit=1"]).await;
    assert_eq!(parsed(&ran.stdout)["rows"].as_array().map(Vec::len), Some(1), "{ran:#?}");
    for (arguments, status, says) in [
        (&["list_roles", "query=a", "query=b"][..], 2, "given twice: query"),
        (&["list_roles", r#"{"query": "a"}"#, "query=b"], 2, "given twice: query"),
        (&["list_roles", "dfns"], 2, "KEY=VALUE"),
        (&["list_roles", "limit=many"], 1, "limit"),
        (&["list_roles", "qery=a"], 1, "did you mean query?"),
    ] {
        let ran = world.run(&[&["call"][..], arguments].concat()).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.status == status && told.contains(says), "{arguments:?}: {ran:#?}");
    }
    assert!(world.writes().is_empty());
}

/// One rule for data: `--json` is understood everywhere, and what it prints is JSON.
#[tokio::test]
async fn every_command_has_its_data() {
    let world = World::new().await;
    let done = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
    let receipt = parsed(&done.stdout)["receipt"].as_str().unwrap().to_owned();
    let old = world.path("old.json");
    let old = old.to_str().unwrap();
    let export = world.run(&["access", "export", "--vendor", "redox", "--json"]).await;
    std::fs::write(old, &export.stdout).unwrap();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/examples/freeze.test.toml");
    let call = r#"{"permissionId": "Treasury Viewer", "identityId": "user@example.com"}"#;
    for arguments in [
        &["access", "export", "--vendor", "redox"][..],
        &["access", "diff", old, old],
        &["call", "list_roles"],
        &["changes"],
        &["doctor"],
        &["expire"],
        &["install"],
        &["install", "cursor", "--print"],
        &["install", "cursor"],
        &["install", "cursor", "--remove"],
        &["ledger", "verify"],
        &["policy", "check"],
        &["policy", "explain", "assign_permission", call],
        &["policy", "test", table],
        &["reconcile"],
        &["requests"],
        &["requests", "list"],
        &["requests", "run"],
        &["tools"],
        &["tools", "list_roles"],
        &["undo", &receipt],
    ] {
        let ran = world.run(&[arguments, &["--json"]].concat()).await;
        let read = serde_json::from_str::<Value>(&ran.stdout);
        assert!(read.is_ok() && ran.status == 0, "{arguments:?}: {ran:#?}");
    }
    let lines = world.run(&["ledger", "tail", "--json"]).await;
    assert!(lines.stdout.lines().count() > 1, "{lines:#?}");
    for line in lines.stdout.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    for arguments in [&["serve"][..], &[], &["demo"], &["completions", "bash"]] {
        let ran = world.run(&[arguments, &["--json"]].concat()).await;
        assert!(ran.status == 2 && ran.stderr.contains("--json"), "{arguments:?}: {ran:#?}");
    }
}

#[tokio::test]
async fn the_ledger_is_filtered_and_followed() {
    let world = World::new().await;
    let mut receipts = Vec::new();
    for grant in [&GRANTS[1], &GRANTS[3]] {
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        receipts.push(parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned());
    }
    let tail = async |arguments: &[&str]| -> Vec<Value> {
        let ran = world.run(&[&["ledger", "tail", "--json"][..], arguments].concat()).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = tail(&[]).await;
    let own = tail(&["--receipt", &receipts[0]]).await;
    assert!(!own.is_empty() && own.len() < all.len(), "{own:#?}");
    assert!(own.iter().all(|line| line["receipt"] == receipts[0]), "{own:#?}");
    let closed = tail(&["--event", "close"]).await;
    assert!(closed.len() == 2 && closed.iter().all(|line| line["event"] == "close"));
    let sams = tail(&["--person", "User@Example.com"]).await;
    assert!(!sams.is_empty() && tail(&["--person", "user@example"]).await.is_empty());
    assert_eq!(tail(&["--since", "P1D"]).await, all);
    assert!(tail(&["--since", "2999-01-01"]).await.is_empty());
    let wrong = world.run(&["ledger", "tail", "--since", "soon"]).await;
    assert!(wrong.status == 2 && wrong.stderr.contains("--since"), "{wrong:#?}");
    let words = world.run(&["ledger", "tail"]).await.stdout;
    assert!(words.contains("WHEN") && !words.contains(&receipts[0]), "{words}");
    assert!(world.run(&["ledger", "tail", "--ids"]).await.stdout.contains(&receipts[0]));

    let mut command = world.command(["ledger", "tail", "--json", "--follow", "--event", "close"]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        parsed(&line.expect("nothing is followed").unwrap().unwrap())
    };
    assert_eq!([next().await, next().await].map(|line| line["event"].clone()), ["close", "close"]);
    let ran = world.run(&["undo", &receipts[0]]).await;
    let undone = parsed(&ran.stdout)["receipt"].clone();
    assert_eq!(next().await["receipt"], undone, "{ran:#?}");
}

/// What a shell is offered for the last of these words.
async fn offered(world: &World, words: &[&str]) -> String {
    let mut command = world.command(["--", "grantor"]);
    command.args(words).env("GRANTOR_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    let ran = run(command).await;
    assert_eq!(ran.status, 0, "{words:?}: {ran:#?}");
    ran.stdout
}

#[tokio::test]
async fn a_shell_is_offered_what_there_is() {
    let world = World::new().await;
    let done = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
    let receipt = parsed(&done.stdout)["receipt"].as_str().unwrap().to_owned();
    let asked = world.sandbox.journal().len();
    let config = world.path("c.toml");
    std::fs::write(
        &config,
        "[tenants.odc-dev]\nvendor = \"outsystems\"\nportal_url = \"https://x.example.org\"\n\
         client_id = \"a\"\nclient_secret = \"bbbbbbbb\"\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    for (words, has) in [
        (&["doc"][..], "doctor"),
        (&["call", "grant_as"], "grant_asset_role"),
        (&["tools", "list_"], "list_roles"),
        (&["undo", "gr-"], &receipt),
        (&["policy", "explain", "assign_p"], "assign_permission"),
        (&["call", "set_project_acl", "grant_t"], "grant_type="),
        (&["call", "set_project_acl", "grant_type=G"], "grant_type=GROUP"),
        (&["call", "list_access", "vendor=df"], "vendor=dfns"),
        // As bash has it.
        (&["call", "list_access", "vendor", "=", "df"], "dfns"),
        (&["call", "list_access", "privileged="], "privileged=true"),
        (&["call", "check_change", "receipt=gr-"], &format!("receipt={receipt}")),
        (&["policy", "explain", "assign_permission", "identity"], "identityId="),
        (&["--config", config, "call", "list_access", "tenant=odc"], "tenant=odc-dev"),
        (&["install", "claude-"], "claude-desktop"),
        (&["--config", config, "--tenant", "odc"], "odc-dev"),
        (&["--vendor", "df"], "dfns"),
    ] {
        let told = offered(&world, words).await;
        assert!(told.lines().any(|line| line == has), "{words:?}: {told}");
    }
    // What is there already is given once, and what only a vendor knows is not guessed.
    for words in [
        &["call", "list_access", "vendor=dfns", "vend"][..],
        &["call", "list_access", "principal=a"],
        &["call", "nobody", "vend"],
    ] {
        assert_eq!(offered(&world, words).await.trim(), "", "{words:?}");
    }
    assert_eq!(world.sandbox.journal().len(), asked, "a vendor was asked");
    // What cannot be read is not offered, and nothing else is said.
    assert_eq!(offered(&world, &["--config", "/nowhere.toml", "undo", "gr-"]).await, "");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = world.run(&["completions", shell]).await;
        let asks = ran.stdout.contains("GRANTOR_COMPLETE") && ran.stdout.contains("grantor");
        assert!(ran.status == 0 && asks, "{shell}: {ran:#?}");
    }
}

/// A client may have a variable of a like name for itself.
#[tokio::test]
async fn a_variable_for_other_programs_completes_nothing() {
    let world = World::new().await;
    let mut command = world.command(["tools"]);
    command.env("COMPLETE", "bash");
    let ran = run(command).await;
    assert!(ran.status == 0 && ran.stdout.contains("list_roles"), "{ran:#?}");
}

#[tokio::test]
async fn a_server_that_somebody_starts_by_hand_says_so() {
    let world = World::new().await;
    let mut terminal = Terminal::start(world.command(["serve"]));
    terminal.shows("serving MCP on stdin and stdout").await;
}

/// Help that a narrow screen breaks in the middle of a table cannot be read.
#[test]
fn help_fits_eighty_columns() {
    fn look(command: &clap::Command, wide: &mut Vec<String>) {
        let help = command.clone().term_width(80).render_long_help().to_string();
        let long = help.lines().filter(|line| line.chars().count() > 80);
        wide.extend(long.map(|line| format!("{}: {line}", command.get_name())));
        command.get_subcommands().for_each(|one| look(one, wide));
    }
    let mut command = Cli::command().term_width(80);
    command.build();
    let mut wide = Vec::new();
    look(&command, &mut wide);
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

/// What each slip is told, in a pipe.
#[tokio::test]
async fn a_slip_is_told_what_was_meant() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("c.toml");
    std::fs::write(&config, "[tenants.odc-dev]\nvendor = \"outsystems\"\n").unwrap();
    let mut told = String::new();
    for line in [
        "docter",
        "request",
        "call grant_asset_rol",
        "tools list_role",
        "call",
        "call list_roles dfns",
        "call list_roles query=a query=b",
        "install claude-cod",
        "install cursor --print --check",
        "--vendor dnfs tools",
        "--config c.toml --tenant odc-dve tools",
        "ledger tial",
        "ledger tail --since soon",
        "policy explain list_role",
        "undo",
        "completions cobol",
        "serve --json",
        "tools --hash --json",
    ] {
        let mut command = bare(home.path());
        command.current_dir(home.path()).args(line.split(' '));
        let Ran { status, stdout, stderr } = run(command).await;
        assert!(status != 0 && stdout.is_empty(), "{line}: {stdout}");
        assert!(!stderr.contains('\u{1b}'), "{line}: {stderr}");
        told.push_str(&format!(
            "$ grantor {line}\n{}\nexit status {status}\n\n",
            stderr.trim_end()
        ));
    }
    let told = told.replace(&*home.path().to_string_lossy(), "~");
    let files = BTreeMap::from([("slips.txt".to_owned(), told)]);
    golden::check("tests/golden/slips", "a_slip_is_told_what_was_meant", &files);
}

/// What doctor says at the end: how many of each, and the one thing to do first.
#[tokio::test]
async fn doctor_says_what_to_do_first() {
    let doctor = async |world: &World| parsed(&world.run(&["doctor", "--json"]).await.stdout);
    let world = World::new().await;
    let well = doctor(&world).await;
    assert_eq!(well["ok"], true, "{well}");
    assert!(well["next"].as_str().unwrap().contains("grantor install"), "{well}");
    world.run(&["install", "cursor"]).await;
    let told = world.run(&["doctor"]).await.stdout;
    assert!(told.contains("Cursor starts grantor: "), "{told}");
    let timer = doctor(&world).await;
    assert!(timer["next"].as_str().unwrap().contains("grantor expire"), "{timer}");
    let units = world.path(".config/systemd/user");
    std::fs::create_dir_all(units.join("timers.target.wants")).unwrap();
    let unit = "[Service]\nExecStart=/usr/bin/grantor expire\n";
    std::fs::write(units.join("own.service"), unit).unwrap();
    let idle = doctor(&world).await;
    assert!(idle["next"].as_str().unwrap().contains("the timer"), "{idle}");
    std::fs::write(units.join("own.timer"), "").unwrap();
    std::fs::write(units.join("timers.target.wants/own.timer"), "").unwrap();
    let all = doctor(&world).await;
    assert!(all["next"].as_str().unwrap().starts_with("nothing"), "{all}");

    let world = World::new().await.set("DFNS_AUTH_TOKEN", "${user_config.dfns_auth_token}");
    let half = doctor(&world).await;
    assert_eq!(half["ok"], false);
    assert!(half["next"].as_str().unwrap().contains("Dfns"), "{half}");
    let is_told = |one: &Value| one["text"].as_str().unwrap().contains("placeholder");
    assert!(half["findings"].as_array().unwrap().iter().any(is_told), "{half}");

    let home = tempfile::tempdir().unwrap();
    let mut command = bare(home.path());
    command.args(["doctor", "--json"]);
    let none = run(command).await;
    let body = parsed(&none.stdout);
    assert!(none.status == 1 && body["ok"] == json!(false), "{none:#?}");
    assert!(body["next"].as_str().unwrap().contains(".config/grantor/config.toml"), "{body}");
}

/// What is approved or denied is offered where it still can be.
#[tokio::test]
async fn a_shell_is_offered_the_requests_that_wait() {
    let world = World::asking().await;
    let request = async |grant: &super::writes::Grant| {
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        parsed(&ran.stdout)["receipt"].as_str().unwrap().to_owned()
    };
    let (denied, waits) = (request(&GRANTS[0]).await, request(&GRANTS[3]).await);
    assert_eq!(world.run(&["requests", "deny", &denied]).await.status, 0);
    // Approved where its vendor is not configured: a no still counts, and a second yes says nothing.
    let agreed = request(&GRANTS[4]).await;
    let approve = ["requests", "approve", &agreed, "--vendor", "dfns"];
    let mut terminal = Terminal::start(world.command(approve));
    terminal.shows("Type yes to agree").await;
    terminal.types("yes").await;
    assert_eq!(terminal.ends().await.0, 3);
    for (command, wanted) in [("approve", vec![&waits]), ("deny", vec![&waits, &agreed])] {
        let told = offered(&world, &["requests", command, "gr-"]).await;
        let mut told: Vec<_> = told.lines().collect();
        let mut wanted: Vec<_> = wanted.iter().map(|one| one.as_str()).collect();
        told.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(told, wanted, "{command}");
    }
}

/// A credential that can be read is not well for that: it may be what a document has in its place.
#[tokio::test]
async fn a_placeholder_is_not_well() {
    let told = async |world: &World| parsed(&world.run(&["doctor", "--json"]).await.stdout);
    let is_of = |one: &&Value, name: &str| one["text"].as_str().unwrap().starts_with(name);
    let file = async |name: &str, text: &str| {
        let world = World::new().await.unset(name);
        let path = world.path("secret");
        std::fs::write(&path, text).unwrap();
        world.set(&format!("{name}_FILE"), path.to_str().unwrap())
    };
    for name in ["DFNS_AUTH_TOKEN", "SNAPLOGIC_PASSWORD", "OUTSYSTEMS_CLIENT_SECRET"] {
        for world in [file(name, "changeme\n").await, World::new().await.set(name, "changeme")] {
            let body = told(&world).await;
            let findings = body["findings"].as_array().unwrap();
            let of: Vec<_> = findings.iter().filter(|one| is_of(one, name)).collect();
            let odd: Vec<_> = of
                .iter()
                .filter(|one| is_of(one, &format!("{name} looks like a placeholder")))
                .collect();
            assert_eq!(odd.len(), 1, "{name}: {body:#}");
            assert_eq!((&odd[0]["word"], &odd[0]["level"]), (&json!("mend"), &json!("look")));
            assert!(of.iter().all(|one| one["word"] != "ok"), "{name}: {body:#}");
        }
    }
}

/// What was left out on purpose is not missed.
#[tokio::test]
async fn install_warns_of_what_was_asked_for() {
    let world = World::new().await;
    let ran = world.run(&["--vendor", "dfns", "install", "cursor", "--print"]).await;
    assert!(ran.stderr.contains("DFNS_AUTH_TOKEN"), "{ran:#?}");
    assert!(!ran.stderr.contains("REDOX") && !ran.stderr.contains("SNAPLOGIC"), "{ran:#?}");
    let all = world.run(&["install", "cursor", "--print"]).await;
    assert!(all.stderr.contains("REDOX_CLIENT_ID"), "{all:#?}");
}

/// Whoever said no here is not told of an assistant.
#[tokio::test]
async fn a_no_at_ones_own_terminal_is_ones_own() {
    let world = World::asking().await;
    let call = ["call", GRANTS[3].tool, GRANTS[3].arguments];
    let mut terminal = Terminal::start(world.command(call));
    terminal.shows("Type yes to agree").await;
    terminal.types("no").await;
    let (status, seen) = terminal.ends().await;
    assert!(status == 1 && seen.contains("you said no"), "{seen}");
    assert!(seen.contains("the same command asks you again"), "{seen}");
    assert!(!seen.contains("the requester") && !seen.contains("call again"), "{seen}");
}

/// `--check` ends with what to do then.
#[tokio::test]
async fn a_check_says_what_is_next() {
    let world = World::new().await.argument("--sandbox");
    assert_eq!(world.run(&["install", "cursor"]).await.status, 0);
    let ran = world.run(&["install", "cursor", "--check"]).await;
    assert!(ran.status == 0 && ran.stdout.contains("next  switch it on"), "{ran:#?}");
    let file = world.path(".cursor/mcp.json");
    let other = std::fs::read_to_string(&file).unwrap().replace("--sandbox", "expire");
    std::fs::write(&file, other).unwrap();
    let ran = world.run(&["install", "cursor", "--check"]).await;
    assert!(ran.status == 1 && ran.stdout.contains("next  look at what it starts"), "{ran:#?}");
}

/// Pairs say what a change is supposed to be, as JSON does.
#[tokio::test]
async fn a_policy_is_explained_from_pairs() {
    let world = World::new().await;
    let explain = async |arguments: &[&str]| {
        let whole = [&["policy", "explain", "assign_permission", "--offline"][..], arguments];
        let ran = world.run(&whole.concat()).await;
        (ran.status, serde_json::from_str::<Value>(&ran.stdout).unwrap_or(Value::Null), ran.stderr)
    };
    let now = ["--now", "2031-12-24T18:00:00Z"];
    let json = r#"{"grantee": {"name": "7"}, "own": true, "width": 3, "permissions": ["R"]}"#;
    let pairs = ["grantee.name=7", "own=true", "width=3", "permissions=R"];
    let (as_json, as_pairs) =
        (explain(&[&[json][..], &now].concat()).await, explain(&[&pairs[..], &now].concat()).await);
    assert_eq!(as_json, as_pairs);
    assert_eq!(as_json.1["judged"][0]["facts"]["context"]["width"], 3, "{as_json:?}");
    let (status, _, told) = explain(&["reazon=x"]).await;
    assert!(status == 2 && told.contains("did you mean reason?"), "{told}");
    let call = ["policy", "explain", GRANTS[1].tool];
    let real = world.run(&[&call[..], &[GRANTS[1].arguments]].concat()).await;
    let typed = ["permissionId=Treasury Viewer", "identityId=user@example.com"];
    let typed = world.run(&[&call[..], &typed].concat()).await;
    let rules = |ran: &Ran| parsed(&ran.stdout)["judged"][0]["rules"].clone();
    assert_eq!((real.status, rules(&real)), (typed.status, rules(&typed)));
}
