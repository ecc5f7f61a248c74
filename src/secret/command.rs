//! The program that prints a secret: so much, for so long, and nothing of it is left behind.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

const LONGEST: Duration = Duration::from_secs(10);
/// The most that it may print: no secret is longer.
const MOST: u64 = 64 * 1024;

/// The program and all that it has started, which end with this.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

/// What the program prints on stdout; what it says on stderr is nobody's to keep.
pub(super) async fn output(program: &str, arguments: &[String]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(unix)]
    command.process_group(0);
    let mut child =
        command.kill_on_drop(true).spawn().map_err(|error| format!("{program}: {error}"))?;
    let group = Group::of(&child);
    let ended = tokio::time::timeout(LONGEST, printed(&mut child, &group)).await;
    drop(group);
    let (status, printed) = ended
        .map_err(|_| format!("{program} took longer than {LONGEST:?}"))?
        .map_err(|error| format!("{program}: {error}"))?;
    if !status.success() {
        return Err(format!("{program} ended with {status}"));
    }
    Ok(printed)
}

async fn printed(
    child: &mut Child,
    group: &Group,
) -> io::Result<(std::process::ExitStatus, Vec<u8>)> {
    let Some(stdout) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let reading = read(stdout);
    tokio::pin!(reading);
    tokio::select! {
        printed = &mut reading => {
            let printed = printed?;
            Ok((child.wait().await?, printed))
        }
        status = child.wait() => {
            // What it has started and left behind may hold the pipe open for ever.
            group.end();
            Ok((status?, reading.await?))
        }
    }
}

async fn read(stdout: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut printed = Vec::new();
    let length = stdout.take(MOST + 1).read_to_end(&mut printed).await?;
    if u64::try_from(length).is_ok_and(|length| length <= MOST) {
        return Ok(printed);
    }
    Err(io::Error::other(format!("it printed more than {MOST} bytes, which is no secret")))
}

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: leader.and_then(rustix::process::Pid::from_raw) }
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self {}
    }

    fn end(&self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // Where nothing is left of it there is nothing to end.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn run(script: &str) -> Result<String, String> {
        let arguments = ["-c", script].map(str::to_owned);
        let printed = output("sh", &arguments).await?;
        Ok(String::from_utf8(printed).unwrap())
    }

    /// Whether the process that a script noted is still there, a moment later.
    async fn lives(path: &std::path::Path) -> bool {
        let noted = std::fs::read_to_string(path).unwrap();
        let noted = rustix::process::Pid::from_raw(noted.trim().parse().unwrap()).unwrap();
        for _ in 0..50 {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", noted.as_raw_nonzero()));
            let gone = rustix::process::test_kill_process(noted).is_err();
            // Who is dead and waits for somebody to notice is dead.
            if gone || stat.is_ok_and(|stat| stat.contains(") Z ")) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    #[tokio::test]
    async fn what_is_printed_without_end_is_refused() {
        let started = Instant::now();
        for script in ["yes", "yes >&2 & yes", "head -c 65537 /dev/zero"] {
            let error = run(script).await.unwrap_err();
            assert!(error.contains("sh: it printed more than 65536 bytes"), "{script}: {error}");
        }
        assert!(started.elapsed() < LONGEST);
        assert_eq!(run("head -c 65536 /dev/zero").await.unwrap().len(), 65_536);
        // What it says beside it is not kept, however much it is.
        assert_eq!(run("head -c 9999999 /dev/zero >&2; echo x").await.unwrap(), "x\n");
    }

    #[tokio::test]
    async fn what_the_program_has_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let noted = folder.path().join("pid");
        let background = format!("sleep 300 & echo $! > {}; ", noted.display());
        let started = Instant::now();
        // It holds the pipe open, and outlives a program that is done, fails, or goes on for ever.
        assert_eq!(run(&format!("{background} echo secret")).await.unwrap(), "secret\n");
        assert!(started.elapsed() < LONGEST && !lives(&noted).await);
        assert!(run(&format!("{background} exit 3")).await.unwrap_err().contains("status: 3"));
        assert!(!lives(&noted).await);
        assert!(run(&format!("{background} yes")).await.unwrap_err().contains("printed more"));
        assert!(!lives(&noted).await);
        // Whoever waited for it has gone.
        let script = format!("{background} sleep 300");
        let gone = tokio::time::timeout(Duration::from_millis(500), run(&script)).await;
        assert!(gone.is_err() && !lives(&noted).await);
    }
}
