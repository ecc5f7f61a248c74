//! A server as a child, for the benchmarks that run one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A server that has answered `initialize`.
pub struct Server {
    pub child: Child,
    pub stdin: ChildStdin,
    pub stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts one by this command.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::with_capacity(1 << 16, child.stdout.take().unwrap());
        let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
        writeln!(stdin, "{hello}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("protocolVersion"), "{line}");
        Self { child, stdin, stdout }
    }

    /// A line of its entry in `/proc`.
    pub fn memory(&self, what: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(what));
        line.map_or_else(|| format!("{what} unknown"), str::to_owned)
    }

    /// Closes its stdin and waits for its end.
    pub fn finish(self) {
        let Self { mut child, stdin, stdout } = self;
        drop((stdin, stdout));
        child.wait().unwrap();
    }
}

/// A state directory as Grantor would make it: nobody else may look in.
pub fn state() -> TempDir {
    let mut folder = tempfile::Builder::new();
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    folder.tempdir().unwrap()
}

/// The built program with these variables and nothing of the caller's own.
pub fn command(state: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grantor"));
    command.env_clear().env("GRANTOR_STATE_DIR", state).env("HOME", state);
    command.envs(variables.iter().copied());
    command
}
