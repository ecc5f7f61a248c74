//! Starting what a client would start, as far as a handshake.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use super::{Destination, typed};
use crate::cli::paint::{self, BAD, DIM, GOOD, WAITS, with};
use crate::cli::{Cli, Command as Subcommand, Ran, status};
use crate::clients::Started;
use crate::{invocation, settings, text};

/// What clients hand on of their own environment.
const HANDED_ON: [&str; 12] = [
    "APPDATA",
    "HOME",
    "LANG",
    "LOGNAME",
    "PATH",
    "SYSTEMROOT",
    "TMPDIR",
    "TZ",
    "USER",
    "USERPROFILE",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
];
/// Shorter than a server waits before it does anything unasked.
const PATIENCE: Duration = Duration::from_secs(8);
/// As much of what it says as is shown.
const MOST: u64 = 4_000;

/// What became of one server.
struct Seen {
    name: String,
    starts: String,
    /// What it answered, or why it was not started.
    ended: Result<Hello, String>,
    /// Whether it was started.
    is_started: bool,
}

struct Hello {
    version: String,
    tools: usize,
}

pub(super) async fn run(place: &Destination<'_>) -> Ran {
    let listing = place.listing()?;
    let servers = listing.servers()?;
    let own: Vec<_> = servers.into_iter().filter(|(_, started)| started.is_grantor()).collect();
    if own.is_empty() {
        let (title, file) = (place.client.title, listing.path().display());
        paint::complain(&format!(
            "{title} starts nothing of it: {file}; `grantor install` with its name has it start this program"
        ));
        return Ok(ExitCode::FAILURE);
    }
    let program = std::env::current_exe()?;
    let mut all = Vec::new();
    for (name, started) in own {
        let starts = typed(&started.command, &started.args);
        let why = why_not(place, listing.is_own(), &started, &program);
        let is_started = why.is_none();
        let ended = match why {
            Some(why) => Err(why),
            None => shake_hands(&program, &started).await,
        };
        all.push(Seen { name, starts, ended, is_started });
    }
    if place.global.as_json {
        let body: Vec<_> = all.iter().map(Seen::json).collect();
        paint::json(&format!("{:#}", Value::Array(body)))?;
    } else {
        let next = format!("  {}  {}\n", with(DIM, "next"), next(place, &all));
        let lines = all.iter().map(Seen::line).chain([next]);
        paint::lines(&lines.collect::<String>())?;
    }
    Ok(status::worst(all.iter().map(|seen| u8::from(seen.ended.is_err()))))
}

/// What to do once it was looked at.
fn next(place: &Destination<'_>, all: &[Seen]) -> String {
    let Destination { client, .. } = place;
    let told = match all.iter().find(|seen| seen.ended.is_err()) {
        None if all.iter().any(|seen| seen.ended.as_ref().is_ok_and(|hello| hello.tools == 0)) => {
            "put a vendor's settings into the configuration file: without one no tool is served; `grantor \
             doctor` says what is lacking"
                .to_owned()
        }
        None => client.then.to_owned(),
        Some(seen) if seen.is_started => {
            "`grantor doctor` says what is well and what is not".to_owned()
        }
        Some(_) => "look at what it starts yourself; `grantor install` with the client's name writes an \
                    entry of your own for this program"
            .to_owned(),
    };
    invocation::commands(&told)
}

/// Why an entry is printed and not started. A file that others write could have anything started.
fn why_not(
    place: &Destination<'_>,
    is_own: bool,
    started: &Started,
    program: &Path,
) -> Option<String> {
    if place.is_project {
        return Some("a project's file may be anybody's".to_owned());
    }
    if !is_own {
        return Some("others than you may write the file".to_owned());
    }
    if !started.is_program(program) {
        return Some("it is another program than this one".to_owned());
    }
    let words = std::iter::once(&started.command).chain(&started.args);
    let is_server = Cli::try_parse_from(words).is_ok_and(|cli| match cli.command {
        None => true,
        Some(Subcommand::Serve(arguments)) => arguments.is_over_stdio(),
        Some(_) => false,
    });
    if !is_server {
        return Some("its arguments are not those of a server".to_owned());
    }
    let odd = started.env.iter().find(|(name, value)| {
        ["LD_", "DYLD_"].iter().any(|start| name.starts_with(start)) || value.contains("${")
    });
    odd.map(|(name, _)| format!("{name} is something that only the client can fill in or should"))
}

/// Starts it as a client does, and ends it when it has said who it is and which tools it has.
async fn shake_hands(program: &Path, started: &Started) -> Result<Hello, String> {
    let mut command = Command::new(program);
    command.args(&started.args).env_clear();
    for name in HANDED_ON {
        if let Some(value) = settings::environment(name) {
            command.env(name, value);
        }
    }
    command.envs(started.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let stderr = child.stderr.take();
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err("it has no pipes".to_owned());
    };
    let mut said = String::new();
    let talk =
        async {
            let mut lines = BufReader::new(stdout).lines();
            let hello = ask(&mut stdin, &mut lines, 1, "initialize", json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "grantor-install", "version": env!("CARGO_PKG_VERSION") },
        })).await?;
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            stdin.write_all(format!("{ready}\n").as_bytes()).await.ok()?;
            let tools = ask(&mut stdin, &mut lines, 2, "tools/list", json!({})).await?;
            let version = hello.pointer("/serverInfo/version")?.as_str()?.to_owned();
            Some(Hello { version, tools: tools.get("tools")?.as_array()?.len() })
        };
    let mut told = stderr.take(MOST);
    let talked = tokio::time::timeout(PATIENCE, async {
        let hello = talk.await;
        if hello.is_none() {
            let _ = told.read_to_string(&mut said).await;
        }
        hello
    });
    let hello = talked.await.ok().flatten();
    let _ = child.start_kill();
    hello.ok_or_else(|| match said.trim() {
        "" => format!("it does not answer within {} s", PATIENCE.as_secs()),
        said => format!("it does not answer: {}", text::clean(said)),
    })
}

/// A request and its result; none where it ends, or says no.
async fn ask(
    stdin: &mut tokio::process::ChildStdin,
    lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    id: u64,
    method: &str,
    params: Value,
) -> Option<Value> {
    let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    stdin.write_all(format!("{request}\n").as_bytes()).await.ok()?;
    while let Some(line) = lines.next_line().await.ok()? {
        let mut answer: Value = serde_json::from_str(&line).ok()?;
        if answer.get("id") == Some(&json!(id)) {
            return answer.get_mut("result").map(Value::take);
        }
    }
    None
}

impl Seen {
    fn line(&self) -> String {
        let (word, told) = match &self.ended {
            Ok(Hello { version, tools }) => (
                with(GOOD, "answers"),
                format!("version {version}, {}", paint::counted(*tools as u64, "tool")),
            ),
            Err(why) if self.is_started => (with(BAD, "failed"), why.clone()),
            Err(why) => (with(WAITS, "not started"), why.clone()),
        };
        let [name, starts] = [&self.name, &self.starts].map(|text| text::clean(text));
        format!("  {word}  {name}: {told}\n  {}  {starts}\n", with(DIM, "starts"))
    }

    fn json(&self) -> Value {
        let mut body =
            json!({ "name": self.name, "starts": self.starts, "started": self.is_started });
        match &self.ended {
            Ok(Hello { version, tools }) => {
                crate::json::put(&mut body, "version", version.clone());
                crate::json::put(&mut body, "tools", *tools);
            }
            Err(why) => crate::json::put(&mut body, "why", text::clean(why)),
        }
        body
    }
}
