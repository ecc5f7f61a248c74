//! A PostgreSQL server of a test's own, where this machine has the program.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::harness::{PATIENCE, World};

pub struct Database {
    bin: PathBuf,
    host: String,
    _server: Child,
    _dir: TempDir,
}

/// Where Debian has it.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// As whom it runs where the test is root's: it does not run as root.
const USER: &str = "postgres";
const LEDGER_KEY: &str = "0123456789abcdef0123456789abcdef";

impl Database {
    /// A server with a database for one ledger; none where this machine has no PostgreSQL, which is said.
    pub async fn start() -> Option<Self> {
        let found =
            fs::read_dir(PROGRAMS).ok()?.filter_map(Result::ok).map(|one| one.path().join("bin"));
        let Some(bin) = found.filter(|bin| bin.join("initdb").exists()).max() else {
            println!("skipped: there is no PostgreSQL below {PROGRAMS}");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        if let Some((user, group)) = other() {
            chown(dir.path(), Some(user), Some(group)).unwrap();
        }
        let data = dir.path().join("data");
        let mut made = as_other(&bin.join("initdb"));
        made.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--username=postgres", "-D"]);
        assert!(made.arg(&data).stdout(Stdio::null()).status().await.unwrap().success());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = as_other(&bin.join("postgres"));
        server.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""]).arg("-D").arg(&data);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let server = server.stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().unwrap();
        let database = Self { bin, host: format!("127.0.0.1:{port}"), _server: server, _dir: dir };
        let answers = async {
            while database.try_ask("SELECT 1").await.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, answers).await.expect("the database does not start");
        Some(database)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres?sslmode=disable", self.host)
    }

    /// A world whose ledger is in it.
    pub async fn keeps(&self, world: World) -> World {
        let world =
            world.set("GRANTOR_STORE_URL", self.url()).set("GRANTOR_LEDGER_KEY", LEDGER_KEY);
        let ran = world.run(&["ledger", "migrate"]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        world
    }

    /// What it answers, a row a line.
    pub async fn ask(&self, sql: &str) -> String {
        self.try_ask(sql).await.unwrap_or_else(|| panic!("no answer: {sql}"))
    }

    async fn try_ask(&self, sql: &str) -> Option<String> {
        let mut asked = Command::new(self.bin.join("psql"));
        asked
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url()])
            .stderr(Stdio::null());
        let output = asked.output().await.unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

/// The program as somebody who is not root, and under the same number as a process.
fn as_other(program: &Path) -> Command {
    match other() {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
            command.args(["--clear-groups", "--"]).arg(program);
            command
        }
    }
}

/// The user and group of [`USER`], where the test is root's.
fn other() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.split(':').next() == Some(USER)).unwrap();
    let parts: Vec<_> = line.split(':').collect();
    Some((parts[2].parse().unwrap(), parts[3].parse().unwrap()))
}
