use std::time::Duration;

use pty_process::Pty;
use rustix::termios::{LocalModes, tcgetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::harness::PATIENCE;

/// How high a terminal is, where that is said at all.
const ROWS: u16 = 50;

/// A program at a terminal of its own, with somebody in front of it.
pub struct Terminal {
    pty: Pty,
    child: Child,
    /// What stands on the screen, typed lines among it.
    seen: String,
}

impl Terminal {
    pub fn start(command: Command) -> Self {
        Self::start_in(None, command)
    }

    /// The same in so many columns.
    pub fn sized(columns: u16, command: Command) -> Self {
        Self::start_in(Some(columns), command)
    }

    fn start_in(columns: Option<u16>, command: Command) -> Self {
        let (pty, pts) = pty_process::open().unwrap();
        if let Some(columns) = columns {
            pty.resize(pty_process::Size::new(ROWS, columns)).unwrap();
        }
        let mut command = pty_process::Command::from(command);
        let child = command.spawn_borrowed(&pts).unwrap();
        Self { pty, child, seen: String::new() }
    }

    /// Reads until the program says so.
    pub async fn shows(&mut self, text: &str) {
        assert!(self.comes_to(text).await, "it ends without {text:?}: {}", self.seen);
    }

    /// Reads until the program says so, or ends without it: then false.
    pub async fn comes_to(&mut self, text: &str) -> bool {
        while !self.seen.contains(text) {
            if !self.read().await {
                return false;
            }
        }
        true
    }

    /// Types a line and Enter.
    pub async fn types(&mut self, line: &str) {
        self.pty.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Presses Ctrl and a key.
    pub async fn presses(&mut self, control: u8) {
        self.pty.write_all(&[control]).await.unwrap();
    }

    /// The same once what is typed is no longer shown.
    pub async fn types_unseen(&mut self, prompt: &str, line: &str) {
        self.shows(prompt).await;
        let hidden = async {
            while tcgetattr(&self.pty).unwrap().local_modes.contains(LocalModes::ECHO) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, hidden).await.expect("what is typed stays visible");
        self.types(line).await;
    }

    /// How it ends, and all that it showed.
    pub async fn ends(mut self) -> (i32, String) {
        while self.read().await {}
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        (ended.expect("it does not end").unwrap().code().unwrap(), self.seen)
    }

    /// False at the end: a terminal that nobody holds any more cannot be read.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.pty.read(&mut bytes)).await;
        let read = read.unwrap_or_else(|_| panic!("it says no more: {}", self.seen)).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }
}
