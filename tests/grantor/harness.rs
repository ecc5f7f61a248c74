use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use grantor::ledger::{Answered, Channel, Decision, Ledger};
use grantor::requester::Requester;
use grantor::sandbox::{Fault, FaultKind, Modes, Options, Sandbox, Seen};
use jiff::{SignedDuration, Timestamp};
use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion, Tool};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, ServiceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::proxy::{Proxy, Then};

/// Longer than any call may take; only a hang gets there.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Five fake vendors, and everything a child process needs to use them.
pub struct World {
    pub sandbox: Sandbox,
    dir: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

/// A server as a child, and rmcp's own client in front of it.
pub struct Server {
    client: RunningService<RoleClient, ()>,
}

/// A server as a child, spoken to line by line.
pub struct Raw {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

#[derive(Clone, Copy, Debug)]
pub enum Era {
    /// `initialize`, then a session.
    Legacy,
    /// `server/discover`, and every request on its own.
    Modern,
}

/// What a tool call answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Value,
    pub is_error: bool,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Modes::default()).await
    }

    /// With the rules that are built in: a person is asked for every change.
    pub async fn asking() -> Self {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/default.cedar");
        Self::new().await.set("GRANTOR_POLICY", policy.to_str().unwrap())
    }

    /// With rules that forbid nothing: for what only a privileged grant gives back.
    pub async fn unguarded() -> Self {
        Self::new().await.without_guard()
    }

    /// With rules that forbid nothing.
    pub fn without_guard(self) -> Self {
        let rules = self.path("unguarded.cedar");
        std::fs::write(&rules, "@id(\"all\") permit (principal, action, resource);\n").unwrap();
        self.set("GRANTOR_POLICY", rules.to_str().unwrap())
    }

    pub async fn with(modes: Modes) -> Self {
        let sandbox = Sandbox::start(Options { modes, ..Options::default() }).await.unwrap();
        let environment = sandbox.environment();
        let environment =
            environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { sandbox, dir: tempfile::tempdir().unwrap(), environment, arguments: Vec::new() }
    }

    /// Sets a variable for the children, in place of the sandbox's value if there is one.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    pub fn unset(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// An argument that every child gets before its own.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn variable(&self, name: &str) -> &str {
        self.lookup(name).unwrap_or_else(|| panic!("{name} is not set"))
    }

    /// What the children are given, for a desk in this process.
    pub fn lookup(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Tokens come straight from the vendors, whatever is put between for everything else.
    pub async fn tokens_straight(self) -> Self {
        let redox = format!("{}/v2/auth/token", self.variable("REDOX_API_URL"));
        let document = format!(
            "{}/identity/.well-known/openid-configuration",
            self.variable("OUTSYSTEMS_PORTAL_URL")
        );
        let document = super::proxy::get(&document, "").await;
        let outsystems = parsed(&document)["token_endpoint"].as_str().unwrap().to_owned();
        self.set("REDOX_TOKEN_URL", redox).set("OUTSYSTEMS_TOKEN_URL", outsystems)
    }

    /// With other pages of a user's roles than OutSystems has: `change` is told as well whether
    /// something was granted through the proxy. Tokens must come straight.
    pub async fn with_role_pages(
        self,
        change: impl Fn(&mut Value, bool) + Send + Sync + 'static,
    ) -> (Self, Proxy) {
        let (granted, change) = (AtomicBool::new(false), Arc::new(change));
        let upstream = self.variable("OUTSYSTEMS_PORTAL_URL").to_owned();
        let proxy = Proxy::start(Some(&upstream), move |method, path| {
            if method == "POST" {
                granted.store(true, SeqCst);
            }
            let (change, granted) = (change.clone(), granted.load(SeqCst));
            if method == "GET" && path.contains("/users/") && path.ends_with("/organization-roles")
            {
                return Then::Change(Arc::new(move |body| {
                    let mut page = parsed(body);
                    change(&mut page, granted);
                    page.to_string()
                }));
            }
            Then::Pass
        });
        let proxy = proxy.await;
        (self.set("OUTSYSTEMS_PORTAL_URL", proxy.url.clone()), proxy)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The built program with this world's environment and nothing of the tester's own.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = bare(self.dir.path());
        command.args(&self.arguments).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments)).await
    }

    pub async fn serve(&self) -> Server {
        self.serve_in(Era::Legacy).await
    }

    /// A server with some variables of its own.
    pub async fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(["serve"]);
        command.envs(variables.iter().copied());
        self.connect(command, Era::Legacy).await
    }

    pub async fn serve_in(&self, era: Era) -> Server {
        self.connect(self.command(["serve"]), era).await
    }

    async fn connect(&self, command: Command, era: Era) -> Server {
        // A file, so that no pipe fills up; a failing test finds the server's last words there.
        let log = File::options().create(true).append(true).open(self.path("stderr")).unwrap();
        let child = TokioChildProcess::builder(command);
        let (child, _) = child.stderr(Stdio::from(log)).spawn().unwrap();
        Server::connect(child, era).await
    }

    pub fn serve_raw(&self) -> Raw {
        Raw::start(self.command(["serve"]))
    }

    /// The same, with its log where [`Self::stderr`] finds it.
    pub fn serve_raw_logged(&self) -> Raw {
        let log = File::options().create(true).append(true).open(self.path("stderr")).unwrap();
        let mut command = self.command(["serve"]);
        command.stderr(log);
        Raw::start(command)
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Every line of the ledger. One that has no end is still being written.
    pub fn ledger(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("state/lines.jsonl")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What was sent to change somebody's access, at any vendor.
    pub fn writes(&self) -> Vec<Seen> {
        self.sandbox.journal().into_iter().filter(is_write).collect()
    }

    /// How many requests went to paths that contain `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let journal = self.sandbox.journal();
        journal.iter().filter(|seen| seen.method == method && seen.path.contains(part)).count()
    }

    pub fn inject(&self, vendor: &'static str, method: &'static str, part: &str, kind: FaultKind) {
        self.sandbox.inject(Fault { vendor, method, path_contains: part.to_owned(), kind });
    }
}

/// The built program in a home of its own.
pub fn bare(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grantor"));
    command.env_clear().env("HOME", home).env("GRANTOR_STATE_DIR", home.join("state"));
    // Nobody sits at the terminal of a test.
    command.env("GRANTOR_POLICY", example("automation"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// One of the policies that are handed out as examples.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("policies/examples/{name}.cedar"))
}

pub async fn run(mut command: Command) -> Ran {
    run_any(&mut command).await
}

pub async fn run_any(command: &mut Command) -> Ran {
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("the command hangs").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        status: output.status.code().expect("the command was killed"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Whether a request changes access: tokens and signatures are asked for with POST too.
pub fn is_write(seen: &Seen) -> bool {
    seen.method != "GET" && !seen.path.ends_with("/token") && !seen.path.starts_with("/auth/action")
}

/// No answer for a moment, then the connection ends: a read is asked again.
pub fn slow() -> FaultKind {
    FaultKind::Stall(Duration::from_millis(300))
}

pub fn status(status: u16) -> FaultKind {
    FaultKind::Status { status, headers: Vec::new(), body: r#"{"message": "on purpose"}"#.into() }
}

pub fn status_after(status: u16, retry_after: &str) -> FaultKind {
    let headers = vec![("retry-after", retry_after.to_owned())];
    FaultKind::Status { status, headers, body: String::new() }
}

impl Server {
    pub async fn connect(child: TokioChildProcess, era: Era) -> Self {
        let client = match era {
            Era::Legacy => ().serve(child).await,
            Era::Modern => {
                let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
                let lifecycle = ClientLifecycleMode::Discover { preferred_versions };
                ().serve_with_lifecycle(child, lifecycle).await
            }
        };
        Self { client: client.unwrap() }
    }

    /// Calls a tool. Every answer holds the same JSON twice, for clients of either kind.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let result = self.try_call(tool, arguments).await.unwrap();
        let body = result.structured_content.expect("structured content");
        let text = &result.content[0].as_text().expect("text content").text;
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), body);
        Answer { body, is_error: result.is_error.expect("isError") }
    }

    pub async fn try_call(
        &self,
        tool: &str,
        arguments: Value,
    ) -> Result<CallToolResult, ServiceError> {
        let result = tokio::time::timeout(PATIENCE, self.ask(tool, arguments)).await;
        result.expect("the call hangs")
    }

    /// Calls a tool and waits for ever.
    pub async fn ask(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else { panic!("{arguments} is no object") };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.client.call_tool(request).await
    }

    pub async fn tools(&self) -> Vec<Tool> {
        self.client.list_all_tools().await.unwrap()
    }

    pub async fn stop(self) {
        self.client.cancel().await.unwrap();
    }
}

impl Raw {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let stdin = Some(stdin);
        Self { child, stdin, stdout: BufReader::new(stdout).lines() }
    }

    /// The process, for what the operating system knows of it.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_bytes(format!("{message}\n").as_bytes()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(bytes).await.unwrap();
    }

    /// Sends while the caller reads: a pipe holds only so much of either. Its stdin comes back, and
    /// is closed by whoever lets go of it.
    pub fn send_bytes_meanwhile(&mut self, bytes: Vec<u8>) -> tokio::task::JoinHandle<ChildStdin> {
        let mut stdin = self.stdin.take().expect("stdin is open");
        tokio::spawn(async move {
            stdin.write_all(&bytes).await.unwrap();
            stdin
        })
    }

    /// Closes our end of its stdout, sends once more, and says how it ends.
    pub async fn stop_reading(self, bytes: &[u8]) -> i32 {
        let Self { mut child, stdin, stdout } = self;
        drop(stdout);
        // The answer finds the pipe closed; stdin stays open.
        let mut stdin = stdin.expect("stdin is open");
        stdin.write_all(bytes).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        ended.expect("the server does not end").unwrap().code().unwrap()
    }

    /// Sends a signal, by its name.
    #[cfg(unix)]
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("the server runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// A line of the server's entry in `/proc`, in kB.
    #[cfg(target_os = "linux")]
    pub fn memory(&self, name: &str) -> u64 {
        let id = self.child.id().expect("the server runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).expect(name);
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The next line on stdout, as it is.
    pub async fn next_line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(PATIENCE, self.stdout.next_line()).await;
        line.expect("no line comes").unwrap()
    }

    /// How the server ends of its own, with stdin open, and the rest of its output.
    pub async fn ended(mut self) -> (i32, Vec<Value>) {
        let stdin = self.stdin.take();
        let ended = self.finish().await;
        drop(stdin);
        ended
    }

    /// The next line on stdout; `None` at its end.
    pub async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.stdout.next_line()).await;
        let line = line.expect("no line comes").unwrap();
        line.map(|line| serde_json::from_str(&line).expect("stdout carries JSON alone"))
    }

    /// Sends a request and returns the response to it, past any notification.
    pub async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&request).await;
        loop {
            let response = self.next().await.expect("the server ended");
            if response["id"] == id {
                return response;
            }
        }
    }

    /// `initialize` as a client of that revision says it.
    pub async fn hello(&mut self, version: &str) -> Value {
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "raw", "version": "1" },
        });
        let hello = self.ask(0, "initialize", params).await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        hello
    }

    /// Ends the process as a crash would.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Closes stdin; how the server ends then, and the rest of its output.
    pub async fn finish(self) -> (i32, Vec<Value>) {
        let Self { mut child, stdin, stdout } = self;
        drop(stdin);
        let mut rest = Vec::new();
        let mut stdout = stdout;
        while let Some(line) = stdout.next_line().await.unwrap() {
            rest.push(serde_json::from_str(&line).expect("stdout carries JSON alone"));
        }
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        (ended.expect("the server does not end").unwrap().code().unwrap(), rest)
    }
}

impl Answer {
    pub fn outcome(&self) -> &str {
        self.body["outcome"].as_str().unwrap_or_else(|| panic!("no outcome: {:#}", self.body))
    }

    pub fn hint(&self) -> &str {
        self.body["hint"].as_str().unwrap_or_default()
    }

    pub fn summary(&self) -> &str {
        self.body["summary"].as_str().unwrap_or_default()
    }

    /// All warnings, one a line.
    pub fn warnings(&self) -> String {
        let warnings = self.body["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// The rows of `before` or `after`, each as "role on resource".
    pub fn rows(&self, key: &str) -> Vec<String> {
        let rows = self.body[key].as_array().cloned().unwrap_or_default();
        let label = |named: &Value| {
            named["name"].as_str().or(named["id"].as_str()).unwrap_or("?").to_owned()
        };
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| {
                // What a row leaves out is the answer's own.
                let resource = row.get("resource").unwrap_or(&self.body["resource"]);
                format!("{} on {}", label(&row["role"]), label(resource))
            })
            .collect();
        rows.sort();
        rows
    }
}

/// JSON from text, for tables of cases.
pub fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A file below `src`, without the tests at its foot.
pub struct Source {
    /// With `/` between its parts.
    pub path: String,
    pub text: String,
}

pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text: without_tests(&text) });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let foot = lines.windows(2).position(|two| {
        two[0] == "#[cfg(test)]" && two[1].contains("mod ") && two[1].ends_with('{')
    });
    lines[..foot.unwrap_or(lines.len())].join("\n")
}

/// Who asks at the faces of every process here.
pub fn requester() -> Requester {
    grantor::config::requester()
}

/// Has the end of a timed change come: by the ledger's own line of a moved end, since nobody waits an
/// hour, and what is to happen before an end takes as long as a busy machine likes.
pub async fn time_is_over(world: &World, receipt: &str) {
    let ledger = Ledger::new(&world.path("state"), None);
    let end = Timestamp::now();
    ledger.extend(receipt, Some(end), json!({}), &requester()).await.unwrap();
    while Timestamp::now() <= end + SignedDuration::from_millis(2) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A yes as a terminal records it.
pub fn approved(by: &str) -> Answered {
    Answered {
        until: Some(Timestamp::now() + SignedDuration::from_mins(10)),
        ..Answered::new(Decision::Approved, by, Channel::Terminal)
    }
}
