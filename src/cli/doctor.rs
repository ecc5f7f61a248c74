use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::paint::{BAD, BOLD, DIM, GOOD, WAITS, with};
use super::{Global, Ran, paint, setup::Setup};
use crate::cache::Cache;
use crate::config::{self, Config, Unready};
use crate::failure::Kind;
use crate::invocation;
use crate::ledger::{Ledger, Trouble};
use crate::outbound::auth::Trial;
use crate::outbound::{self, Deadline, Wire};
use crate::secret;
use crate::text;
use crate::tools::{Spec, TOOLS};
use crate::vendors::{Check, Need, Tenant, VendorReader};

/// Troubles of the ledger beyond these have the same cause.
const MOST: usize = 10;
/// The longest one vendor's checks may take.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn run(global: &Global) -> Ran {
    let Setup { mut config, sandbox: _sandbox } = Setup::load(global).await?;
    let wire = Wire::default();
    let tenants = config.tenants.iter();
    let trials = tenants.clone().map(|tenant| tenant.account.authorize.trials());
    let trials = futures_util::future::join_all(trials).await;
    let settings = Shown::of(&config, trials.iter().flatten());
    let checks =
        tenants.zip(&trials).map(|(tenant, trials)| examine(tenant, &wire, trials, &settings));
    let examined = futures_util::future::join_all(checks).await;
    let mut shown = String::new();
    let mut healthy = true;
    for (report, sound) in &examined {
        shown.push_str(report);
        healthy &= sound;
    }
    for unready in &config.unready {
        healthy &= unready.absent;
        shown.push_str(&unready_report(unready));
    }
    for warning in &config.warnings {
        shown.push_str(&format!("{}  {}\n", with(WAITS, "mend"), text::strip(warning)));
    }
    shown.push_str(&people_report(&config));
    let (report, sound) = policy_report(&config);
    shown.push_str(&report);
    healthy &= sound;
    let ledger = Ledger::new(&config.state_dir, config.ledger_key.take());
    for (report, sound) in [ledger_report(&config, &ledger).await, room(&config, &ledger).await] {
        shown.push_str(&report);
        healthy &= sound;
    }
    let (report, sound) = network_report(&config);
    shown.push_str(&report);
    healthy &= sound;
    paint::lines(&shown)?;
    if let Some(why) = config.nobody() {
        let hint = match config.unready.iter().all(|unready| unready.absent) {
            true => "; `grantor demo` shows what it would be like",
            false => "",
        };
        paint::complain(&format!("{why}{hint}"));
        healthy = false;
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whom the configuration names, where it names anybody.
fn people_report(config: &Config) -> String {
    let people = &config.people;
    let count = match people.count {
        0 if people.me.is_none() => return String::new(),
        0 => "nobody has an alias".to_owned(),
        1 => "1 person with an alias".to_owned(),
        count => format!("{count} people with an alias"),
    };
    let me = match &people.me {
        Some((me, from)) => format!("`me` is {me} ({from})"),
        None => "`me` is not set (GRANTOR_ME)".to_owned(),
    };
    format!("{}  {count}; {me}\n", with(DIM, "people"))
}

/// Whether each alias of a tenant means somebody there, as far as that can be read.
async fn examine_aliases(reader: &VendorReader<'_>) -> Vec<(String, bool)> {
    let names = Cache::lasting(PATIENCE);
    let reader = &VendorReader { cache: Some(&names), ..*reader };
    let (mut lines, mut fitting, mut unread) = (Vec::new(), 0, None);
    for address in reader.tenant.people.addresses() {
        match (reader.tenant.vendor.person)(reader, address).await {
            Ok(_) => fitting += 1,
            Err(failure)
                if matches!(failure.kind, Kind::Invalid | Kind::Ambiguous | Kind::Refused) =>
            {
                lines.push((failed("mend", &failure.to_string()), false));
            }
            Err(failure) => unread = Some(failure),
        }
    }
    if let Some(failure) = unread {
        let line = format!("  {}  aliases: {}\n", with(WAITS, "unasked"), failure.message);
        lines.push((line, true));
    } else if fitting > 0 {
        lines.push((format!("  {}      aliases of people: {fitting}\n", with(GOOD, "ok")), true));
    }
    lines
}

/// Which rules are in force, and whether they hold.
fn policy_report(config: &Config) -> (String, bool) {
    let of = config.policy.as_ref().map(|path| path.display().to_string());
    let of = of.unwrap_or_else(|| "built in".to_owned());
    match config.guard() {
        Ok(guard) => {
            let rules = guard.rules().len();
            let mut report = format!("{}  {of} ({rules} rules)\n", with(DIM, "policy"));
            for warning in guard.warnings() {
                report.push_str(&format!("{}  {warning}\n", with(WAITS, "mend")));
            }
            (report, true)
        }
        Err(error) => {
            let error = text::clean(&error.to_string());
            (format!("{}  {error}\n", with(BAD, "policy")), false)
        }
    }
}

/// Where the ledger is, whether its key is one, and whether something stands past its end.
async fn ledger_report(config: &Config, ledger: &Ledger) -> (String, bool) {
    let tried = async {
        ledger.try_out().await?;
        ledger.troubles().await
    };
    let tried = match tried.await {
        Ok(troubles) if troubles.is_empty() => {
            ledger.late(Timestamp::now()).await.map(|late| (troubles, late.len()))
        }
        tried => tried.map(|troubles| (troubles, 0)),
    };
    match tried {
        Ok((troubles, _)) if !troubles.is_empty() => {
            let line = |trouble: &Trouble| {
                let what = text::clean(&format!("{}: {}", trouble.place, trouble.what));
                format!("{}  {what}\n", with(BAD, "ledger"))
            };
            let mut report: String = troubles.iter().take(MOST).map(line).collect();
            let hint =
                "`grantor ledger verify` says more, `grantor ledger accept` accepts it as it is";
            let hint = invocation::commands(hint);
            report.push_str(&format!("{}  {hint}\n", with(WAITS, "mend")));
            (report, false)
        }
        Ok((_, late)) => {
            let (place, read_only) = (config.state_dir.display(), config.read_only);
            let read_only = if read_only { " (read-only)" } else { "" };
            let mut report = format!("{}  {place}{read_only}\n", with(DIM, "ledger"));
            if late > 0 {
                let rest = invocation::commands("`grantor expire` takes back or says why");
                let word = with(BAD, "overdue");
                report.push_str(&format!("  {word}  {late} past their end: {rest}\n"));
            }
            (report, late == 0)
        }
        Err(failure) => (format!("{}  {failure}\n", with(BAD, "ledger")), false),
    }
}

/// Whether the proxies and authorities that the environment names can be used. Plain http, which stays
/// on this machine, needs none.
fn network_report(config: &Config) -> (String, bool) {
    let Err(trouble) = outbound::network() else { return (String::new(), true) };
    let is_plain = |tenant: &Tenant| tenant.account.base.as_str().starts_with("http://");
    let none_needed = !config.tenants.is_empty() && config.tenants.iter().all(is_plain);
    let word = with(if none_needed { WAITS } else { BAD }, "network");
    (format!("{word}  {}\n", text::clean(&trouble)), none_needed)
}

/// Whether lines can be written: where they cannot, no change is sent. Who may only look needs none.
async fn room(config: &Config, ledger: &Ledger) -> (String, bool) {
    match ledger.try_writing().await {
        Ok(()) => {
            let scarce = ledger.scarce().filter(|_| !config.read_only);
            let line = |scarce: String| format!("{}  {scarce}\n", with(WAITS, "ledger"));
            (scarce.map(line).unwrap_or_default(), true)
        }
        Err(failure) if config.read_only => {
            (format!("{}  {failure}\n", with(WAITS, "ledger")), true)
        }
        Err(failure) => (format!("{}  {failure}\n", with(BAD, "ledger")), false),
    }
}

/// Settings as they may be shown.
struct Shown<'a> {
    /// Those that could be read, by their names.
    named: Vec<(&'a str, SecretString)>,
    all: Vec<SecretString>,
    /// What was said of them as the settings were read.
    said: &'a [String],
}

impl<'a> Shown<'a> {
    fn of(config: &'a Config, trials: impl Iterator<Item = &'a Trial>) -> Self {
        let named = trials.filter_map(|trial| Some((&*trial.name, trial.value.clone()?)));
        let named: Vec<_> = named.collect();
        let read = named.iter().map(|(_, secret)| secret).cloned();
        let all = config.secrets.iter().cloned().chain(read).collect();
        Self { named, all, said: &config.warnings }
    }

    /// A line of the report: a vendor may repeat to it what another's setting holds.
    fn line(&self, line: &str) -> String {
        format!("{}\n", secret::hide(line.trim_end(), &self.all))
    }

    /// A setting without any secret, and what is wrong with it where that was not said yet.
    fn setting(&self, name: &str, text: &str) -> (String, Option<String>) {
        let misplaced = self.named.iter().find(|(_, secret)| secret::holds(text, secret));
        let misplaced = misplaced.map(|(secret, _)| config::misplacement(name, secret));
        (secret::hide(text, &self.all), misplaced.filter(|one| !self.said.contains(one)))
    }
}

/// One vendor: where it is, which credential is used, and what that credential may see.
async fn examine(
    tenant: &Tenant,
    wire: &Wire,
    trials: &[Trial],
    settings: &Shown<'_>,
) -> (String, bool) {
    let vendor = tenant.vendor;
    let (base, _) = settings.setting("", tenant.account.base.as_str());
    let read_only = if tenant.read_only { " (read-only)" } else { "" };
    let base = format!("{base}{read_only}");
    let mut report = format!("{} {}\n", with(BOLD, &title(tenant)), with(DIM, &base));
    for variable in vendor.variables {
        let value = if variable.secret {
            tenant.settings.origin(variable.name)
        } else {
            tenant.settings.get(variable.name).map(str::to_owned)
        };
        let Some(value) = value else { continue };
        let name = tenant.settings.called(variable.name);
        let (value, misplaced) = settings.setting(&name, &value);
        report.push_str(&format!("  {}  {}\n", with(DIM, &name), text::clean(&value)));
        if let Some(misplaced) = misplaced {
            report.push_str(&format!("  {}  {misplaced}\n", with(WAITS, "mend")));
        }
    }
    let deadline = Deadline::after(PATIENCE);
    let reader = VendorReader { tenant, wire, deadline, cache: None, earlier: &[], notes: None };
    let mut sound = true;
    for Trial { name, found, .. } in trials {
        let (line, ok) = match found {
            Ok(what) => (format!("  {}      {name} {what}\n", with(GOOD, "ok")), true),
            Err(error) => (failed("failed", &error.failure().by_doctor().to_string()), false),
        };
        report.push_str(&settings.line(&line));
        sound &= ok;
    }
    for check in vendor.checks {
        let (line, ok) = examine_one(&reader, check).await;
        report.push_str(&settings.line(&line));
        sound &= ok;
    }
    for (line, ok) in examine_aliases(&reader).await {
        report.push_str(&settings.line(&line));
        sound &= ok;
    }
    let of = |spec: &&Spec| spec.vendor == Some(vendor.name);
    for spec in TOOLS.iter().map(|tool| tool.spec).filter(of) {
        let (word, name, needs) = (with(DIM, "unseen"), spec.name, spec.needs);
        report.push_str(&format!("  {word}  {name} needs {needs}; only a change can show that\n"));
    }
    (report, sound)
}

/// What a tenant is called: its vendor, and the operator's name for it where there is one.
fn title(tenant: &Tenant) -> String {
    let vendor = tenant.vendor.title;
    let Some(name) = &tenant.id.name else { return vendor.to_owned() };
    let title = tenant.title.as_deref().map(|title| format!(", “{}”", text::clean(title)));
    format!("{vendor} ({name}{})", title.unwrap_or_default())
}

async fn examine_one(reader: &VendorReader<'_>, check: &Check) -> (String, bool) {
    let asked = match (check.query)(reader.tenant) {
        Ok(question) => reader.reply(&question).await.map(|_| ()),
        Err(failure) => Err(failure),
    };
    let what = check.permission;
    match asked {
        Ok(()) => (format!("  {}      {what}\n", with(GOOD, "ok")), true),
        Err(failure) if failure.kind == Kind::NotListable => {
            (format!("  {}  {what}: {}\n", with(WAITS, "unasked"), failure.message), true)
        }
        Err(failure) => {
            let absent = failure.kind == Kind::NotPermitted && failure.status == Some(403);
            let none = failure.kind == Kind::NotFound;
            if let Some(lost) = check.without.filter(|_| absent || none) {
                let why = if none { "there are none here".to_owned() } else { failure.to_string() };
                let lost = if none { String::new() } else { format!("; without it {lost}") };
                return (format!("  {}  {what}: {why}{lost}\n", with(WAITS, "absent")), true);
            }
            let word = if absent { "absent" } else { "failed" };
            (failed(word, &format!("{what}: {}", failure.by_doctor())), false)
        }
    }
}

fn failed(word: &str, why: &str) -> String {
    format!("  {}  {why}\n", with(BAD, word))
}

fn unready_report(unready: &Unready) -> String {
    let title = with(BOLD, &unready.title());
    if unready.absent {
        let needs =
            unready.vendor.variables.iter().filter(|variable| variable.need == Need::Required);
        let needs: Vec<_> = needs.map(|variable| variable.name).collect();
        return format!(
            "{title} {}\n",
            with(DIM, &format!("not configured; needs {}", needs.join(", ")))
        );
    }
    let mut report = format!("{title} {}\n", with(BAD, "half configured"));
    for trouble in &unready.troubles {
        report.push_str(&format!("  {}  {}\n", with(BAD, "mend"), text::clean(trouble)));
    }
    report
}
