//! How a client is to start this program: which path, which options, and what it lacks then.

use std::path::Path;

use crate::cli::{Global, paint, setup};
use crate::clients::{Client, Entry};
use crate::config::{Config, Sources};
use crate::invocation;
use crate::settings::{self, Need};
use crate::vendors::{VENDORS, Vendor};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Variables of this program that no option stands for.
const UNSAID: [&str; 7] = [
    "GRANTOR_APPROVERS",
    "GRANTOR_CONSENT_WAIT",
    "GRANTOR_LEDGER_KEY",
    "GRANTOR_LEDGER_KEY_FILE",
    "GRANTOR_LOG",
    "GRANTOR_LOG_FORMAT",
    "GRANTOR_ME",
];

/// The absolute path of this very program.
///
/// # Errors
/// It is gone, or no text.
pub(super) fn program() -> Result<String, Error> {
    let path = settings::program().map_err(|error| {
        format!("where this program is cannot be told ({error}): start it anew, by its path")
    })?;
    let path =
        path.to_str().ok_or("the path of this program is no text that a client could hold")?;
    Ok(path.to_owned())
}

/// A command as somebody types it.
pub(in crate::cli) fn typed(command: &str, args: &[String]) -> String {
    let words = std::iter::once(command).chain(args.iter().map(String::as_str));
    words.map(invocation::quoted).collect::<Vec<_>>().join(" ")
}

/// The options that this process was started with, by flags or variables: a client hands on neither.
pub(super) fn options(global: &Global) -> Result<Vec<String>, Error> {
    let mut options = Vec::new();
    if global.sandbox {
        options.push("--sandbox".to_owned());
    }
    let paths = [
        ("--config", &global.config, "GRANTOR_CONFIG"),
        ("--policy", &global.policy, "GRANTOR_POLICY"),
        ("--state-dir", &global.state_dir, "GRANTOR_STATE_DIR"),
    ];
    for (option, flag, variable) in paths {
        let given = flag.as_ref().map(|path| path.to_str().map(str::to_owned));
        let given = given.or_else(|| settings::environment(variable).map(Some));
        let Some(given) = given else { continue };
        let given = given.ok_or_else(|| format!("{option} is no text that a client could hold"))?;
        options.extend([option.to_owned(), absolute(&given)?]);
    }
    let is_set =
        |text: String| !["0", "false", "no", "off"].contains(&&*text.trim().to_lowercase());
    if global.read_only || settings::environment("GRANTOR_READ_ONLY").is_some_and(is_set) {
        options.push("--read-only".to_owned());
    }
    for (option, names) in [("--vendor", vendors(global)), ("--tenant", tenants(global))] {
        if !names.is_empty() {
            options.extend([option.to_owned(), names.join(",")]);
        }
    }
    Ok(options)
}

/// A client may start it in any folder.
fn absolute(path: &str) -> Result<String, Error> {
    if path == "~" || path.starts_with("~/") {
        return Ok(path.to_owned());
    }
    Ok(std::path::absolute(Path::new(path))?.to_string_lossy().into_owned())
}

fn vendors(global: &Global) -> Vec<String> {
    names(&global.vendors, "GRANTOR_VENDORS")
}

fn tenants(global: &Global) -> Vec<String> {
    names(&global.tenants, "GRANTOR_TENANTS")
}

fn names(flags: &[String], variable: &str) -> Vec<String> {
    if !flags.is_empty() {
        return flags.to_vec();
    }
    let text = settings::environment(variable).unwrap_or_default();
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The entry with what a client that can is to ask for: the settings of the vendors that were named, where
/// nothing but a variable of this shell has them.
pub(super) fn asking(global: &Global, client: &Client, entry: Entry) -> Result<Entry, Error> {
    let named = vendors(global);
    if global.sandbox || !client.shape.asks || named.is_empty() {
        return Ok(entry);
    }
    let bare = as_started(global)?;
    let lacks = |vendor: &&&Vendor| {
        named.iter().any(|name| name == vendor.name)
            && bare.tenants_of(vendor.name).next().is_none()
    };
    let needed = VENDORS.iter().filter(lacks).flat_map(|vendor| vendor.variables);
    let needed = needed.filter(|variable| variable.need == Need::Required);
    let asked = needed.map(|variable| (variable.name, variable.secret)).collect();
    Ok(Entry { asked, ..entry })
}

/// The configuration that a client's process has: the file alone.
fn as_started(global: &Global) -> Result<Config, Error> {
    let flags = global.flags();
    let sources = setup::sources(&flags);
    let bare = |name: &str| settings::environment(name).filter(|_| !is_of_shell(name));
    Ok(Config::load(&Sources { environment: &bare, ..sources })?)
}

/// Whether a variable is one that no client hands on. Those that options stand for are handed on as such.
fn is_of_shell(name: &str) -> bool {
    UNSAID.contains(&name) || variables().any(|known| known == name)
}

/// Every variable that a vendor's setting may be in.
fn variables() -> impl Iterator<Item = String> {
    VENDORS.iter().flat_map(|vendor| variables_of(vendor))
}

fn variables_of(vendor: &Vendor) -> impl Iterator<Item = String> {
    vendor.variables.iter().flat_map(|one| [one.name.to_owned(), format!("{}_FILE", one.name)])
}

/// Says on stderr what the client's process will lack.
pub(super) fn warn(global: &Global, client: &Client, entry: &Entry, here: &Config) {
    let is_asked = |name: &String| {
        client.shape.asks && entry.asked.iter().any(|(asked, _)| name.starts_with(asked))
    };
    // Those that were left out by --vendor or --tenant are not missed.
    let is_wanted = |vendor: &Vendor| {
        let ready = here.tenants.iter().map(|tenant| tenant.vendor.name);
        let half = here.unready.iter().map(|unready| unready.vendor.name);
        !global.sandbox && ready.chain(half).any(|name| name == vendor.name)
    };
    let wanted =
        VENDORS.iter().filter(|vendor| is_wanted(vendor)).flat_map(|vendor| variables_of(vendor));
    let all = wanted.chain(UNSAID.map(str::to_owned));
    let lost: Vec<_> =
        all.filter(|name| settings::environment(name).is_some() && !is_asked(name)).collect();
    if !lost.is_empty() {
        paint::complain(&format!(
            "set in this shell alone, so that {} starts it without: {}; put them into the configuration \
             file",
            client.title,
            lost.join(", ")
        ));
    }
    if here.tenants.is_empty() && !global.sandbox && entry.asked.is_empty() {
        paint::note("no vendor is configured yet; `grantor doctor` says what one needs");
    }
    if !cfg!(target_os = "linux") {
        paint::note("where its file is on this system was read in its documents, and not tried");
    }
    if Path::new(&entry.command).components().any(|part| part.as_os_str() == "target") {
        paint::note(
            "it is in a folder of builds, which may be cleared: put it where it stays, and install that one",
        );
    }
}
