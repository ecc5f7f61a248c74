//! What is around the vendors: rules, ledger, network, clients, and what calls `grantor expire`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::report::{LEDGER, Level, Report};
use crate::cli::{install, paint};
use crate::config::Config;
use crate::ledger::{Ledger, LockOn, Trouble};
use crate::vendors::Tenant;
use crate::{invocation, outbound, settings, text};

/// Troubles of the ledger beyond these have the same cause.
const MOST: usize = 10;
/// How long a table of cron may take to be listed.
const PATIENCE: Duration = Duration::from_secs(3);
/// What a timer calls.
const EXPIRE: [&str; 2] = ["grantor", "expire"];
/// What whoever does maintenance holds.
const LOCK: &str = "tending.lock";
const TIMERS: &str = "timers.target.wants";

/// Whom the configuration names, where it names anybody.
pub(super) fn people(report: &mut Report, config: &Config) {
    let people = &config.people;
    let count = match people.count {
        0 if people.me.is_none() => return,
        0 => "nobody has an alias".to_owned(),
        1 => "1 person with an alias".to_owned(),
        count => format!("{count} people with an alias"),
    };
    let me = match &people.me {
        Some((me, from)) => format!("`me` is {me} ({from})"),
        None => "`me` is not set (GRANTOR_ME)".to_owned(),
    };
    report.add("people", Level::Note, format!("{count}; {me}"));
}

/// Which rules are in force, and whether they hold.
pub(super) fn policy(report: &mut Report, config: &Config) {
    let of = config.policy.as_ref().map(|path| path.display().to_string());
    let of = of.unwrap_or_else(|| "built in".to_owned());
    match config.guard() {
        Ok(guard) => {
            let rules = guard.rules().len();
            report.add("policy", Level::Note, format!("{of} ({rules} rules)"));
            for warning in guard.warnings() {
                report.add("mend", Level::Look, warning.to_string());
            }
        }
        Err(error) => report.add("policy", Level::Bad, text::clean(&error.to_string())),
    }
}

/// Where the ledger is, whether its key is one, and whether something stands past its end.
pub(super) async fn ledger(report: &mut Report, config: &Config, ledger: &Ledger) {
    let tried = async {
        ledger.try_out().await?;
        ledger.troubles().await
    };
    let tried = match tried.await {
        Ok(troubles) if troubles.is_empty() => {
            ledger.late(crate::clock::now()).await.map(|late| (troubles, late.len()))
        }
        tried => tried.map(|troubles| (troubles, 0)),
    };
    match tried {
        Ok((troubles, _)) if !troubles.is_empty() => {
            for Trouble { place, what, .. } in troubles.iter().take(MOST) {
                report.add("ledger", Level::Bad, text::clean(&format!("{place}: {what}")));
            }
            let hint =
                "`grantor ledger verify` says more, `grantor ledger accept` accepts it as it is";
            report.add("mend", Level::Look, invocation::commands(hint));
        }
        Ok((_, late)) => {
            let read_only = if config.read_only { " (read-only)" } else { "" };
            let shared = shared(report, ledger).await;
            let place = shared.unwrap_or_else(|| config.state_dir.display().to_string());
            report.add("ledger", Level::Note, format!("{place}{read_only}"));
            if late > 0 {
                let rest = invocation::commands("`grantor expire` takes back or says why");
                let whose = if late == 1 { "its" } else { "their" };
                let late = paint::counted(late as u64, "change");
                let text = format!("{late} past {whose} end: {rest}");
                report.add_within(LEDGER, "overdue", Level::Bad, text);
            }
        }
        Err(failure) => report.add("ledger", Level::Bad, failure.to_string()),
    }
}

/// The database that the ledger is in, where it is in one, and how safe a line is there.
async fn shared(report: &mut Report, ledger: &Ledger) -> Option<String> {
    match ledger.durability().await {
        Ok(durability) => {
            if let Some(warning) = durability?.warning() {
                report.add("mend", Level::Look, warning.to_owned());
            }
            let behind = crate::clock::behind();
            if behind.abs() > CLOCKS_APART {
                let text = format!(
                    "the database's clock is {} s from this machine's: the database's counts",
                    behind.as_secs()
                );
                report.add("clock", Level::Look, text);
            }
        }
        Err(failure) => report.add("ledger", Level::Bad, failure.to_string()),
    }
    Some(ledger.place().await)
}

/// Clocks that are further apart confuse whoever reads times.
const CLOCKS_APART: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// Whether lines can be written: where they cannot, no change is sent. Who may only look needs none.
pub(super) async fn room(report: &mut Report, config: &Config, ledger: &Ledger) {
    match ledger.try_writing().await {
        Ok(()) => {
            if let Some(scarce) = ledger.scarce().filter(|_| !config.read_only) {
                report.add("ledger", Level::Look, scarce);
            }
        }
        Err(failure) => {
            let level = if config.read_only { Level::Look } else { Level::Bad };
            report.add("ledger", level, failure.to_string());
        }
    }
}

/// Whether somebody takes back what is due already: one process at a time does.
pub(super) async fn server(report: &mut Report, config: &Config, ledger: &Ledger) {
    // Where nobody ever did, asking would leave a file.
    if !config.state_dir.join(LOCK).exists() {
        return;
    }
    if let Ok(None) = ledger.locks().try_take(LockOn::Maintenance).await {
        report.add(
            "server",
            Level::Note,
            "another process is doing maintenance at this ledger now",
        );
    }
}

/// Whether the proxies and authorities that the environment names can be used. Plain http, which stays
/// on this machine, needs none.
pub(super) fn network(report: &mut Report, config: &Config) {
    let Err(trouble) = outbound::network() else { return };
    let is_plain = |tenant: &Tenant| tenant.account.base.as_str().starts_with("http://");
    let none_needed = !config.tenants.is_empty() && config.tenants.iter().all(is_plain);
    let level = if none_needed { Level::Look } else { Level::Bad };
    report.add("network", level, text::clean(&trouble));
}

/// Which clients start this program; whether any does.
pub(super) fn clients(report: &mut Report) -> bool {
    let Ok(program) = std::env::current_exe() else { return true };
    let mut any = false;
    for found in install::found() {
        let title = found.client.title;
        if let Some(trouble) = &found.trouble {
            report.add("client", Level::Look, format!("{title}: {}", text::clean(trouble)));
        }
        for (name, started) in &found.servers {
            any = true;
            let starts = text::clean(&install::typed(&started.command, &started.args));
            let told = format!("{title} starts {}: {starts}", text::clean(name));
            match started.fault(&program) {
                None => report.add("client", Level::Note, told),
                Some(fault) => report.add("client", Level::Look, format!("{told}; {fault}")),
            }
        }
    }
    if !any {
        let hint = invocation::commands("`grantor install` lists those it can");
        report.add(
            "client",
            Level::Note,
            format!("no client that is known here starts it; {hint}"),
        );
    }
    any
}

/// What calls `grantor expire` while no server runs; whether anything was found, or need not be.
pub(super) async fn timer(report: &mut Report) -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let found = match units(&folders()) {
        Unit::None => match crontab().await {
            Some(place) => Unit::Enabled(place),
            None => Unit::None,
        },
        found => found,
    };
    match found {
        Unit::Enabled(place) => {
            report.add("timer", Level::Note, format!("{place} calls `grantor expire`"));
            true
        }
        Unit::Idle(path) => {
            let text = format!(
                "{} is not switched on; README, “Access that ends”, says how",
                path.display()
            );
            report.add("timer", Level::Look, text);
            false
        }
        Unit::None => {
            let text = "nothing was found that calls `grantor expire`, so that access with an end is taken \
                        back only while a server runs; README, “Access that ends”, has a timer";
            report.add("timer", Level::Note, text);
            false
        }
    }
}

enum Unit {
    Enabled(String),
    /// There is one that nothing starts.
    Idle(PathBuf),
    None,
}

/// Where a machine has units: a package's user units are switched on in a user's folder, or for all of them.
const MACHINE: [&str; 4] = [
    "/etc/systemd/user",
    "/etc/systemd/system",
    "/usr/lib/systemd/user",
    "/usr/lib/systemd/system",
];

/// Where systemd looks for units, the user's own before the machine's.
fn folders() -> Vec<PathBuf> {
    let home = settings::environment("HOME").map(PathBuf::from);
    let config = settings::environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(home?.join(".config")));
    let own = config.map(|config| config.join("systemd/user"));
    own.into_iter().chain(MACHINE.map(PathBuf::from)).collect()
}

/// A unit of systemd's that takes back what is due, in the first folder that has one.
fn units(folders: &[PathBuf]) -> Unit {
    let mut idle = None;
    for service in folders.iter().flat_map(|folder| calling(folder, "service")) {
        let timer = service.with_extension("timer");
        let name = timer.file_name().unwrap_or_default();
        let wanted = |folder: &PathBuf| folder.join(TIMERS).join(name).is_file();
        if timer.is_file() && folders.iter().any(wanted) {
            return Unit::Enabled(timer.display().to_string());
        }
        idle.get_or_insert(timer);
    }
    idle.map_or(Unit::None, Unit::Idle)
}

/// The files of a folder with this ending that call it.
fn calling(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let fits =
        |path: &PathBuf| ending.is_empty() || path.extension().is_some_and(|one| one == ending);
    let files = entries.map(|entry| entry.path()).filter(fits).filter(|path| path.is_file());
    let mut files: Vec<_> =
        files.filter(|path| crate::input::file(path).is_ok_and(|text| calls(&text))).collect();
    files.sort();
    files
}

/// A line of cron's that calls it.
async fn crontab() -> Option<String> {
    let table = Path::new("/etc/crontab");
    if crate::input::file(table).is_ok_and(|text| calls(&text)) {
        return Some(table.display().to_string());
    }
    if let Some(file) = calling(Path::new("/etc/cron.d"), "").first() {
        return Some(file.display().to_string());
    }
    let mut list = Command::new("crontab");
    list.arg("-l").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let listed = tokio::time::timeout(PATIENCE, list.output()).await.ok()?.ok()?;
    calls(&String::from_utf8_lossy(&listed.stdout)).then(|| "cron".to_owned())
}

/// Whether a line that is no comment calls it.
fn calls(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let calls = |line: &str| {
        let words = line.split_whitespace().collect::<Vec<_>>();
        let [program, command] = EXPIRE;
        let at = words.iter().position(|word| {
            word.trim_matches(['"', '\'']).rsplit(['/', '=']).next() == Some(program)
        });
        at.is_some_and(|at| words.iter().skip(at).any(|word| *word == command))
    };
    lines.into_iter().any(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_calls_it_is_no_comment_and_no_other_command() {
        for (text, is_it) in [
            ("*/5 * * * *  $HOME/.cargo/bin/grantor expire", true),
            ("ExecStart=%h/.cargo/bin/grantor --config /c.toml expire", true),
            ("ExecStart=/usr/bin/env grantor expire", true),
            ("ExecStart=\"/opt/my grantor/grantor\" expire", true),
            ("# */5 * * * * grantor expire", false),
            ("ExecStart=/usr/bin/grantor serve", false),
            ("Description=expire what grantor granted", false),
            ("", false),
        ] {
            assert_eq!(calls(text), is_it, "{text}");
        }
    }

    #[test]
    fn a_unit_of_a_package_is_switched_on_in_the_users_folder() {
        let dir = tempfile::tempdir().unwrap();
        let [own, packaged] = ["own", "packaged"].map(|name| dir.path().join(name));
        std::fs::create_dir_all(own.join(TIMERS)).unwrap();
        std::fs::create_dir_all(&packaged).unwrap();
        let service = "[Service]\nExecStart=/usr/bin/grantor expire\n";
        std::fs::write(packaged.join("grantor-expire.service"), service).unwrap();
        let timer = packaged.join("grantor-expire.timer");
        let folders = [own.clone(), packaged];
        assert!(matches!(units(&folders), Unit::Idle(path) if path == timer));
        let wanted = own.join(TIMERS).join("grantor-expire.timer");
        std::fs::write(&wanted, "").unwrap();
        assert!(matches!(units(&folders), Unit::Idle(_)), "there is nothing to start");
        std::fs::write(&timer, "").unwrap();
        assert!(matches!(units(&folders), Unit::Enabled(path) if path == timer.to_string_lossy()));
        assert!(matches!(units(&folders[..1]), Unit::None));
    }
}
