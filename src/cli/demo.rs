//! The main job, watched: the real server as a child, an MCP client here, a transcript between.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Ran;
use super::paint::{self, BAD, BOLD, DIM, GOOD, WAITS, with};
use super::question::laid_out;
use super::wrapped::wrapped;
use crate::access::Outcome;
use crate::desk::Shown;
use crate::sandbox::story::{RECEIPT, SCENES, Scene};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A client that speaks just enough MCP to call tools.
struct Client {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    last: u64,
}

/// A state directory that goes when the demo ends.
struct Scratch(PathBuf);

/// What a person may have set for their own tenants.
const SETTINGS: [&str; 8] = [
    "GRANTOR_READ_ONLY",
    "GRANTOR_VENDORS",
    "GRANTOR_CONFIG",
    "GRANTOR_STATE_DIR",
    "GRANTOR_POLICY",
    "GRANTOR_APPROVERS",
    "GRANTOR_LEDGER_KEY",
    "GRANTOR_CONSENT_WAIT",
];
/// Where a form says what is to be typed.
const TYPED: &str = "/params/requestedSchema/properties/grantee/description";
/// How wide a question is behind its bar.
const INSIDE: usize = 75;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run() -> Ran {
    let scratch = Scratch::new()?;
    let mut client = Client::start(&scratch.0).await?;
    paint::lines(&wrapped(&opening(&client.hello().await?)))?;
    let (mut surprises, mut receipt) = (0, String::new());
    for scene in &SCENES {
        let arguments = scene.arguments.replace(RECEIPT, &receipt);
        paint::lines(&wrapped(&utterance(scene, &arguments)))?;
        let answer = client.play(scene, &arguments).await?;
        let is_error = answer.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let body = answer.get("structuredContent").cloned().unwrap_or_default();
        let shown = Shown::read(body, is_error, true);
        paint::lines(&wrapped(&paint::answer(&shown)))?;
        let word = shown.body.ended().map_or("", Outcome::as_str);
        shown.body.receipt().unwrap_or_default().clone_into(&mut receipt);
        if word != scene.outcome {
            surprises += 1;
            paint::complain(&format!("expected {}", scene.outcome));
        }
    }
    client.stop().await?;
    paint::lines(&closing()?)?;
    Ok(if surprises == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn opening(server: &Value) -> String {
    let name = |key| server.pointer(key).and_then(Value::as_str).unwrap_or("?");
    format!(
        "{}\n{}\n",
        with(BOLD, "Grantor: an assistant asks, access is granted, and you see what happened."),
        with(
            DIM,
            &format!(
                "A real server ({} {}, MCP {}) runs as a child of this process. Its five vendors are \
             fakes on this machine; nothing leaves it.",
                name("/serverInfo/name"),
                name("/serverInfo/version"),
                name("/protocolVersion"),
            )
        ),
    )
}

fn utterance(scene: &Scene, arguments: &str) -> String {
    let person = with(BOLD, &format!("“{}”", scene.asks));
    format!("\n{person}\n  {}  {} {}\n", with(DIM, "calls"), scene.tool, arguments)
}

/// The name that a form wants typed.
fn asked_for(about: &str) -> Option<&str> {
    about.strip_prefix("Type “")?.strip_suffix("” to agree")
}

/// What a client shows its person, and what this one says.
fn question(message: &Value, agrees: bool, name: Option<&str>) -> String {
    let text = message.pointer("/params/message").and_then(Value::as_str).unwrap_or("?");
    let text = laid_out(text, INSIDE);
    let shown: String =
        text.lines().map(|line| format!("  {}  {line}\n", with(WAITS, "│"))).collect();
    let says = match name {
        _ if !agrees => format!("says {}", with(BAD, "no")),
        Some(name) => format!("types {}", with(GOOD, name)),
        None => format!("says {}", with(GOOD, "yes")),
    };
    format!("{shown}  {}  the person {says}\n", with(WAITS, "│"))
}

fn closing() -> Result<String, Error> {
    let command = std::env::current_exe()?;
    let shown = command.display();
    let config = json!({
        "mcpServers": { "grantor": { "command": command, "args": ["--sandbox"] } }
    });
    let told = format!(
        "\n{} {}\n",
        with(GOOD, "That was the demo."),
        "To try it from your own client, run the first line for Claude Code, or with another client's \
         name; any other client takes what is below. Without --sandbox it uses the vendors that are \
         configured (see the README).",
    );
    let install = with(BOLD, &format!("{shown} --sandbox install claude-code"));
    Ok(format!("{}\n  {install}\n\n{config:#}\n", wrapped(&told)))
}

impl Client {
    async fn start(state: &Path) -> Result<Self, Error> {
        let config = state.join("config.toml");
        tokio::fs::write(&config, "").await?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--sandbox", "--state-dir"]).arg(state).arg("--config").arg(config);
        // It must not change what the demo shows.
        for name in SETTINGS {
            command.env_remove(name);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().ok_or("the server has no stdin")?;
        let stdout = child.stdout.take().ok_or("the server has no stdout")?;
        Ok(Self { child, stdin, lines: BufReader::new(stdout).lines(), last: 0 })
    }

    async fn hello(&mut self) -> Result<Value, Error> {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "grantor-demo", "version": env!("CARGO_PKG_VERSION") },
        });
        let hello = self.ask("initialize", params, false).await?;
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.send(&ready).await?;
        Ok(hello)
    }

    /// Calls the tool of a scene, more than once where the scene waits for something.
    async fn play(&mut self, scene: &Scene, arguments: &str) -> Result<Value, Error> {
        let arguments: Value = serde_json::from_str(arguments)?;
        let params = json!({ "name": scene.tool, "arguments": arguments });
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("tools/call", params.clone(), scene.agrees).await?;
            let there = |key| answer.pointer("/structuredContent").and_then(|body| body.get(key));
            if scene.until.is_none_or(|key| there(key).is_some()) {
                return Ok(answer);
            }
            if tokio::time::Instant::now() > deadline {
                return Err("the scene waited for too long".into());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Sends a request and waits for its result, past whatever else the server has to say. Where
    /// it asks the person, the person answers as the story has it.
    async fn ask(&mut self, method: &str, params: Value, agrees: bool) -> Result<Value, Error> {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await??;
            let line = line.ok_or("the server ended")?;
            let mut message: Value = serde_json::from_str(&line)?;
            if message.get("method").is_some_and(|method| method == "elicitation/create") {
                let name = message.pointer(TYPED).and_then(Value::as_str).and_then(asked_for);
                paint::lines(&question(&message, agrees, name))?;
                let reply = match name {
                    _ if !agrees => json!({ "action": "decline" }),
                    Some(name) => json!({ "action": "accept", "content": { "grantee": name } }),
                    None => json!({ "action": "accept", "content": {} }),
                };
                self.send(&json!({ "jsonrpc": "2.0", "id": message.get("id"), "result": reply }))
                    .await?;
                continue;
            }
            if message.get("id") != Some(&json!(id)) {
                continue;
            }
            return match message.get_mut("result") {
                Some(result) => Ok(result.take()),
                None => Err(format!("{method}: {message}").into()),
            };
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), Error> {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    async fn stop(mut self) -> Result<(), Error> {
        drop(self.stdin);
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}").into())
        }
    }
}

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("grantor-demo-{}", crate::random::id()));
        crate::owner_only::directory(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            paint::complain(&format!("{} is left behind: {error}", self.0.display()));
        }
    }
}
