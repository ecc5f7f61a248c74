//! `grantor install`, in homes that nobody lives in.

use std::fs;
use std::path::{Path, PathBuf};

use grantor::clients::{CLIENTS, Client, Format};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::harness::{Ran, bare, parsed, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_grantor");

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.0.path());
        command.env_remove("GRANTOR_POLICY").env_remove("GRANTOR_STATE_DIR");
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments)).await
    }

    /// Runs it, and it must do so well.
    async fn does(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments).await;
        assert_eq!(ran.status, 0, "{arguments:?}: {ran:#?}");
        ran
    }

    /// The user's file of a client, with this text in it.
    fn with(&self, client: &str, text: &str) -> PathBuf {
        let path = self.file(client);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn file(&self, client: &str) -> PathBuf {
        let home = self.0.path().to_string_lossy().into_owned();
        let env = |name: &str| (name == "HOME").then(|| home.clone());
        Client::named(client).unwrap().user_file(&env).unwrap().unwrap()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder, with what it holds.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
    all.sort();
    all
}

/// What each client has to find in its own file, written out and not computed.
fn expected(client: &str) -> Value {
    let plain = json!({ "command": PROGRAM, "args": ["--sandbox"] });
    let typed = json!({ "type": "stdio", "command": PROGRAM, "args": ["--sandbox"] });
    match client {
        "claude-code" => json!({ "mcpServers": { "grantor": typed } }),
        "vscode" => json!({ "servers": { "grantor": typed } }),
        "opencode" => json!({ "mcp": { "grantor": {
            "type": "local", "enabled": true, "command": [PROGRAM, "--sandbox"] } } }),
        "zed" => json!({ "context_servers": { "grantor": {
            "source": "custom", "command": PROGRAM, "args": ["--sandbox"] } } }),
        "codex" => json!({ "mcp_servers": { "grantor": plain } }),
        "claude-desktop" | "cursor" | "gemini" | "windsurf" => {
            json!({ "mcpServers": { "grantor": plain } })
        }
        other => panic!("nothing is expected of {other}"),
    }
}

fn said(client: &Client, text: &str) -> Value {
    match client.format {
        Format::Toml => toml::from_str(text).unwrap(),
        _ => parsed(text),
    }
}

#[tokio::test]
async fn every_client_is_written_to_and_found_again() {
    let home = Home::new();
    for client in CLIENTS.iter().filter(|client| client.user.is_some()) {
        let ran = home.does(&["--sandbox", "install", client.name]).await;
        let file = home.file(client.name);
        assert_eq!(said(client, &read(&file)), expected(client.name), "{}", client.name);
        assert!(ran.stdout.contains(&*file.to_string_lossy()), "{ran:#?}");
        // Its folder was not there, which may mean that nobody has the client.
        assert_eq!(ran.stderr.contains("was not there"), client.name != "claude-code", "{ran:#?}");
    }
    let listed = parsed(&home.does(&["install", "--json"]).await.stdout);
    for row in listed.as_array().unwrap() {
        let client = Client::named(row["client"].as_str().unwrap()).unwrap();
        let servers = row["servers"].as_array().unwrap();
        assert_eq!(servers.len(), usize::from(client.user.is_some()), "{row}");
        assert!(servers.iter().all(|server| server["this_program"] == true), "{row}");
    }
}

/// Texts that a client's file may hold, each with comments that must stay.
const COMMENTED: [(&str, &str); 7] = [
    (
        "zed",
        "{\n  // first\n  \"theme\": \"One\", // at the end\n  \"context_servers\": {\n    // before\n    \
         \"other\": {\n      \"command\": \"o\" /* in */\n    } // behind\n    // last\n  },\n  \
         \"tab_size\": 4,\n}\n// tail",
    ),
    (
        "zed",
        "{\r\n\t\"context_servers\": {\r\n\t\t\"o\": {\"command\": \"o\"}, // why\r\n\t},\r\n}\r\n",
    ),
    ("vscode", "\u{feff}{\n  \"servers\": {\n    \"o\": { \"command\": \"o\" } // why\n  }\n}\n"),
    ("opencode", "// mine\n{\n  \"$schema\": \"x\",\n  \"mcp\": {}\n}\n"),
    (
        "codex",
        "# mine\nmodel = \"x\" # why\n\n[mcp_servers.other]\ncommand = \"o\" # what\nargs = [\n  \
         \"a\", # one\n]\n\n# of the next\n[tools]\nweb = true\n",
    ),
    ("codex", "# mine\r\n[mcp_servers.other]\r\ncommand = \"o\" # what\r\n"),
    ("codex", "mcp_servers.other.command = \"o\" # why\n"),
];

#[tokio::test]
async fn comments_and_order_stay_and_taking_it_out_leaves_the_rest_byte_for_byte() {
    for (client, text) in COMMENTED {
        let home = Home::new();
        let path = home.with(client, text);
        home.does(&["--sandbox", "install", client]).await;
        let installed = read(&path);
        let mut rest = installed.as_str();
        for part in text.split(['\n', '\r']).flat_map(|line| line.split("} ")) {
            let part = part.trim().trim_matches(',').trim_end_matches("{}");
            let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is gone: {installed}"));
            rest = &rest[at + part.len()..];
        }
        assert!(installed.contains(PROGRAM), "{installed}");
        let is_wide = |text: &str| text.matches("\r\n").count() == text.matches('\n').count();
        assert_eq!(is_wide(&installed), is_wide(text), "its line ends: {installed:?}");
        home.does(&["--sandbox", "install", client]).await;
        assert_eq!(read(&path), installed, "a second time changes nothing");
        home.does(&["install", client, "--remove"]).await;
        assert_eq!(read(&path), text, "{client}");
    }
}

/// What somebody wrote around it by hand stays, however tightly it stands there.
#[tokio::test]
async fn its_entry_alone_is_taken_out() {
    let own = r#""grantor": {"command": "/opt/grantor", "env": {"A": "b"}}"#;
    for (client, before, behind) in [
        ("cursor", r#"{"mcpServers": {"o": {"command": "o"}"#, "}}"),
        ("cursor", r#"{"mcpServers": {"#, "}, \"a\": [1,   2]}"),
        (
            "zed",
            "{ // one\n\"context_servers\": {\n  \"o\": {\"command\": \"o\"} // two\n",
            "\n} }",
        ),
    ] {
        let home = Home::new();
        let comma = if before.contains("\"o\"") { ", " } else { "" };
        let path = home.with(client, &format!("{before}{comma}{own}{behind}"));
        home.does(&["install", client, "--remove"]).await;
        let left: String = read(&path).split_whitespace().collect();
        let wanted: String = format!("{before}{behind}").split_whitespace().collect();
        assert_eq!(left, wanted);
        // What does not stand beside it is not even set otherwise.
        assert!(!before.contains("// one") || read(&path).starts_with("{ // one\n"));
        assert!(!behind.contains("1,   2") || read(&path).contains("[1,   2]"));
    }
    let home = Home::new();
    let text = "a = 1\n\n[mcp_servers.grantor]\ncommand = \"/opt/grantor\"\n\n[mcp_servers.grantor.env]\n\
                A = \"b\"\n\n# of the next\n[mcp_servers.o]\ncommand = \"o\"\n";
    let path = home.with("codex", text);
    home.does(&["install", "codex", "--remove"]).await;
    let rest = "a = 1\n\n# of the next\n[mcp_servers.o]\ncommand = \"o\"\n";
    assert_eq!(read(&path), rest);
    // And nothing is done where there is none.
    home.does(&["install", "codex", "--remove"]).await;
    assert_eq!(read(&path), rest);
}

/// An entry that is there is brought up to date; what its owner added stays.
#[tokio::test]
async fn what_somebody_added_to_an_entry_stays() {
    let home = Home::new();
    let path = home.with(
        "opencode",
        "{\n  \"mcp\": {\n    \"grantor\": {\n      \"type\": \"local\",\n      // off for now\n      \
         \"enabled\": false,\n      \"command\": [\"grantor\", \"--tenant\", \"old\"],\n      \
         \"environment\": { \"A\": \"b\" }\n    }\n  }\n}\n",
    );
    home.does(&["--sandbox", "install", "opencode"]).await;
    let text = read(&path);
    for part in
        ["// off for now", "\"enabled\": false", "\"environment\": { \"A\": \"b\" }", PROGRAM]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("old"), "{text}");
    let path = home.with(
        "codex",
        "[mcp_servers.grantor]\ncommand = \"grantor\" # mine\nstartup_timeout_sec = 60\n",
    );
    home.does(&["--sandbox", "install", "codex"]).await;
    let text = read(&path);
    assert!(text.contains("startup_timeout_sec = 60") && text.contains(PROGRAM), "{text}");
    assert!(text.contains("# mine"), "{text}");
}

#[tokio::test]
async fn a_file_that_does_not_parse_or_is_somebody_elses_is_left_alone() {
    for (client, text, says) in [
        ("cursor", "{\n  \"a\": 1,\n  oops\n}", "line 3, column 3"),
        ("claude-code", "{\n  // no comments here\n}", "line 2"),
        ("vscode", "{\n  \"servers\": {},\n  \"servers\": {}\n}", "servers is there twice"),
        ("zed", "[]", "no JSON object"),
        ("windsurf", "{\"mcpServers\": []}", "not an object of servers"),
        ("codex", "a = 1\nb = \n", "line 2"),
        ("codex", "a = 1\na = 2\n", "line 2"),
        ("codex", "[[mcp_servers]]\na = 1\n", "not an object of servers"),
        ("gemini", "{\"mcpServers\": {\"grantor\": {\"command\": \"/bin/cat\"}}}", "--name"),
        ("gemini", "{\"mcpServers\": {\"grantor\": {\"url\": \"https://x\"}}}", "--name"),
    ] {
        let home = Home::new();
        let path = home.with(client, text);
        let before = everything(home.0.path());
        let ran = home.run(&["--sandbox", "install", client]).await;
        assert!(ran.status == 1 && ran.stderr.contains(says), "{client}, {text}: {ran:#?}");
        assert!(ran.stderr.contains(&*path.to_string_lossy()), "{ran:#?}");
        assert!(ran.stderr.contains("nothing was written"), "{ran:#?}");
        assert_eq!(everything(home.0.path()), before, "{client}: {text}");
    }
    let home = Home::new();
    let path = home.with("gemini", "{\"mcpServers\": {\"grantor\": {\"command\": \"/bin/cat\"}}}");
    let ran = home.run(&["install", "gemini", "--remove"]).await;
    assert!(ran.status == 1 && read(&path).contains("/bin/cat"), "{ran:#?}");
    home.does(&["--sandbox", "install", "gemini", "--name", "access"]).await;
    assert!(read(&path).contains("/bin/cat") && read(&path).contains("\"access\""));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_stays_a_link_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let home = Home::new();
    let real = home.path("dotfiles/claude.json");
    fs::create_dir(home.path("dotfiles")).unwrap();
    fs::write(&real, "{\"a\": 1}").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let link = home.file("claude-code");
    symlink(&real, &link).unwrap();
    home.does(&["--sandbox", "install", "claude"]).await;
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(read(&real).contains(PROGRAM));
    let backup = home.path("dotfiles/claude.json.before-grantor");
    assert_eq!(read(&backup), "{\"a\": 1}");
    for path in [&real, &backup] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
    }
    assert_eq!(fs::read_dir(home.path("dotfiles")).unwrap().count(), 2, "nothing is left over");

    fs::remove_file(&real).unwrap();
    let ran = home.run(&["--sandbox", "install", "claude"]).await;
    assert!(ran.status == 1 && ran.stderr.contains("leads nowhere"), "{ran:#?}");
    assert!(!real.exists());

    let kept = home.with("cursor", "{}");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o444)).unwrap();
    let ran = home.run(&["--sandbox", "install", "cursor"]).await;
    assert!(ran.status == 1 && ran.stderr.contains("may not be written"), "{ran:#?}");
    assert_eq!(read(&kept), "{}");
}

/// A link is named and not what it leads to: an upgrade moves it. It may have any name.
#[cfg(unix)]
#[tokio::test]
async fn a_program_under_another_name_is_itself() {
    let home = Home::new();
    let link = home.path("access");
    std::os::unix::fs::symlink(PROGRAM, &link).unwrap();
    let linked = async |arguments: &[&str]| {
        let mut command = Command::new(&link);
        command.env_clear().env("HOME", home.0.path()).args(arguments);
        command.stdin(std::process::Stdio::null());
        let ran = run(command).await;
        assert_eq!(ran.status, 0, "{arguments:?}: {ran:#?}");
        ran
    };
    linked(&["--sandbox", "install", "cursor"]).await;
    let path = home.file("cursor");
    assert_eq!(parsed(&read(&path))["mcpServers"]["grantor"]["command"], json!(link));
    linked(&["--sandbox", "install", "cursor"]).await;
    let checked = linked(&["install", "cursor", "--check"]).await;
    assert!(checked.stdout.contains("answers"), "{checked:#?}");
    linked(&["install", "cursor", "--remove"]).await;
    assert_eq!(parsed(&read(&path)), json!({ "mcpServers": {} }));
}

/// A client starts it without this shell: what was said here goes into the options, and no secret into a
/// file.
#[tokio::test]
async fn what_it_was_started_with_is_written_and_no_secret() {
    let home = Home::new();
    fs::write(home.path("c.toml"), "[grantor]\nlog = \"warn\"\n").unwrap();
    let flags = ["--config", "c.toml", "--vendor", "dfns", "install"];
    let mut command = home.command(&[&flags[..], &["cursor"]].concat());
    command.env("GRANTOR_READ_ONLY", "1").env("GRANTOR_STATE_DIR", home.path("kept"));
    command.env("DFNS_AUTH_TOKEN", "a-token-that-is-not-to-be-seen");
    let ran = run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(ran.stderr.contains("DFNS_AUTH_TOKEN"), "it says what is lost: {ran:#?}");
    let args = &parsed(&read(&home.file("cursor")))["mcpServers"]["grantor"]["args"];
    let config = home.path("c.toml");
    let wanted = json!([
        "--config",
        config,
        "--state-dir",
        home.path("kept"),
        "--read-only",
        "--vendor",
        "dfns"
    ]);
    assert_eq!(*args, wanted);

    let mut command = home.command(&["--vendor", "dfns", "install", "vscode"]);
    command.env("DFNS_AUTH_TOKEN", "a-token-that-is-not-to-be-seen");
    let ran = run(command).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let written = parsed(&read(&home.file("vscode")));
    let inputs = written["inputs"].as_array().unwrap();
    let token = inputs.iter().find(|input| input["id"] == "DFNS_AUTH_TOKEN").unwrap();
    assert_eq!(token["password"], true, "{token}");
    let env = &written["servers"]["grantor"]["env"];
    assert_eq!(env["DFNS_AUTH_TOKEN"], "${input:DFNS_AUTH_TOKEN}", "{env}");
    let all = everything(home.0.path());
    let tells = |text: &[u8]| String::from_utf8_lossy(text).contains("not-to-be-seen");
    assert!(all.iter().all(|(_, text)| !tells(text)));
    assert!(!ran.stdout.contains("not-to-be-seen") && !ran.stderr.contains("not-to-be-seen"));
}

#[tokio::test]
async fn what_is_only_printed_writes_nothing() {
    for client in &CLIENTS {
        let home = Home::new();
        let ran = home.does(&["--sandbox", "install", client.name, "--print"]).await;
        assert_eq!(everything(home.0.path()), [], "{}", client.name);
        if client.format == Format::Yaml {
            let wanted = format!("    cmd: \"{PROGRAM}\"\n    args: [\"--sandbox\"]\n");
            assert!(ran.stdout.contains(&wanted), "{}", ran.stdout);
        } else {
            let said = said(client, &ran.stdout);
            let entry = &said[client.key]["grantor"];
            let words = entry["command"].as_array().map_or(&entry["args"], |_| &entry["command"]);
            assert!(words.as_array().unwrap().contains(&json!("--sandbox")), "{said}");
        }
        if client.user.is_none() {
            let plain = home.does(&["--sandbox", "install", client.name]).await;
            assert_eq!(plain.stdout, ran.stdout, "{}", client.name);
            assert_eq!(everything(home.0.path()), []);
        }
    }
}

#[tokio::test]
async fn a_project_has_a_file_of_its_own() {
    let home = Home::new();
    for client in CLIENTS.iter() {
        let ran = home.run(&["--sandbox", "install", client.name, "--project"]).await;
        let Some(project) = client.project else {
            assert!(ran.status == 1 && ran.stderr.contains("no file of a project"), "{ran:#?}");
            continue;
        };
        assert_eq!(ran.status, 0, "{ran:#?}");
        assert_eq!(said(client, &read(&home.path(project))), expected(client.name));
        let checked = home.run(&["install", client.name, "--project", "--check"]).await;
        assert!(checked.status == 1 && checked.stdout.contains("not started"), "{checked:#?}");
    }
}

#[tokio::test]
async fn what_is_checked_is_started_only_where_it_is_this_program_as_a_server() {
    let home = Home::new();
    let none = home.run(&["install", "cursor", "--check"]).await;
    assert!(none.status == 1 && none.stderr.contains("starts nothing"), "{none:#?}");
    home.does(&["--sandbox", "install", "cursor"]).await;
    let ran = home.does(&["install", "cursor", "--check", "--json"]).await;
    let seen = parsed(&ran.stdout)[0].clone();
    assert_eq!(seen["version"], env!("CARGO_PKG_VERSION"), "{seen}");
    assert_eq!(seen["tools"], grantor::tools::TOOLS.len(), "{seen}");
    let touch = home.path("touched");
    let other = home.path("grantor");
    fs::write(&other, format!("#!/bin/sh\ntouch '{}'\n", touch.display())).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (entry, says) in [
        (json!({ "command": other, "args": [] }), "another program"),
        (json!({ "command": "grantor", "args": ["--sandbox"] }), "another program"),
        (json!({ "command": PROGRAM, "args": ["--sandbox", "ledger"] }), "not those of a server"),
        (json!({ "command": PROGRAM, "args": ["--nonsense"] }), "not those of a server"),
        (json!({ "command": PROGRAM, "env": { "LD_PRELOAD": "/x.so" } }), "LD_PRELOAD"),
        (json!({ "command": PROGRAM, "env": { "DFNS_AUTH_TOKEN": "${input:a}" } }), "fill in"),
    ] {
        let text = json!({ "mcpServers": { "grantor": entry } }).to_string();
        home.with("cursor", &text);
        let ran = home.run(&["install", "cursor", "--check"]).await;
        assert!(ran.status == 1 && ran.stdout.contains("not started"), "{entry}: {ran:#?}");
        assert!(ran.stdout.contains(says), "{entry}: {ran:#?}");
        assert!(!touch.exists(), "{entry}");
    }
    // One that cannot start says why.
    let args = ["--config", "/nowhere.toml"];
    let entry = json!({ "mcpServers": { "grantor": { "command": PROGRAM, "args": args } } });
    home.with("cursor", &entry.to_string());
    let ran = home.run(&["install", "cursor", "--check"]).await;
    assert!(ran.status == 1 && ran.stdout.contains("/nowhere.toml"), "{ran:#?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        home.does(&["--sandbox", "install", "zed"]).await;
        let open = fs::Permissions::from_mode(0o666);
        fs::set_permissions(home.file("zed"), open).unwrap();
        let ran = home.run(&["install", "zed", "--check"]).await;
        assert!(ran.status == 1 && ran.stdout.contains("others than you"), "{ran:#?}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_wrong_usage() {
    let home = Home::new();
    for (arguments, says) in [
        (&["install", "claude-cod"][..], "claude-code"),
        (&["install", "cursor", "--print", "--remove"], "cannot be used with"),
        (&["install", "--remove"], "CLIENT"),
        (&["install", "cursor", "--name", "a b"], "letters"),
        (&["install", "cursor", "--name", "../x"], "letters"),
    ] {
        let ran = home.run(arguments).await;
        assert!(ran.status == 2 && ran.stderr.contains(says), "{arguments:?}: {ran:#?}");
    }
    let ran = home.run(&["--config", "/nowhere.toml", "install", "cursor"]).await;
    assert!(ran.status == 1 && !home.file("cursor").exists(), "{ran:#?}");
}
