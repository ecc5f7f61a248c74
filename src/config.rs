//! Flags, environment and one TOML file → vendors and limits; every mistake is named.
//!
//! Flags win over the environment, which wins over the file. A setting `VENDOR_SOME_NAME` is
//! `some_name` under `[vendor]` in the file.

mod connected;
mod declared;
mod file;
mod floor;
mod gather;
mod http;
mod notify;
mod own;
mod paths;
mod people;
mod policy;
mod store;
mod tenants;

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::approvers::Approvers;
use crate::guard::Declared;
use crate::input;
use crate::ledger::SharedStore;
use crate::notify::Endpoint;
use crate::observe::Format;
use crate::outbound::Pace;
use crate::requester::Requester;
use crate::secret::{Secret, Sought, holds};
use crate::settings::Settings;
use crate::vendors::{Tenant, VENDORS, Vendor};
pub use declared::{declared_by, zone_of};
use file::File;
pub use http::{Http, Limits as HttpLimits};
use paths::{expanded, of_environment};
pub use people::NamedPeople;
pub use policy::POLICY;

/// What a process is set up to do.
pub struct Config {
    /// The tenants that have all they need, in the order of [`VENDORS`].
    pub tenants: Vec<Tenant>,
    /// The tenants that lack something.
    pub unready: Vec<Unready>,
    pub read_only: bool,
    /// The file of the rules in force; without one the built-in rules are.
    pub policy: Option<PathBuf>,
    /// What is declared for rules to speak of.
    pub declared: Declared,
    /// Whether it is for requesters to choose where the ledger is, though others' rules bound them.
    pub ledger_is_chosen: bool,
    /// Who asks, at the faces of this process.
    pub requester: Requester,
    /// Where the ledger is.
    pub state_dir: PathBuf,
    /// What the ledger is sealed with, in place of a key beside it.
    pub ledger_key: Option<Secret>,
    /// The database that the ledger is in, where several machines share it.
    pub store: Option<SharedStore>,
    /// As whom the tables of that database are made.
    pub store_owner: Option<Secret>,
    /// Whose signature approves, where a signature is needed.
    pub approvers: Option<Approvers>,
    /// How long a question waits for a person while a call is open, in seconds.
    pub consent_wait: Option<u64>,
    pub log: Option<String>,
    pub log_format: Format,
    /// Every answer says so.
    pub sandbox: bool,
    /// What an administrator should mend although it works.
    pub warnings: Vec<String>,
    /// Whom it names: aliases at each tenant, and the requester's own address.
    pub people: NamedPeople,
    /// How it is reached over HTTP, where it serves so.
    pub http: Http,
    /// Whom it tells what has happened.
    pub notify: Vec<Endpoint>,
    /// Secrets that are given as they are: no setting that repeats one is shown.
    pub secrets: Vec<SecretString>,
}

/// A tenant that is not ready, and why.
pub struct Unready {
    pub vendor: &'static Vendor,
    /// The operator's name for it, where it has one beside the vendor's.
    pub name: Option<String>,
    /// Nothing at all is set for it: not a mistake.
    pub absent: bool,
    pub troubles: Vec<String>,
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub policy: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    pub read_only: bool,
    /// Names of vendors; empty is all.
    pub vendors: Vec<String>,
    /// Names of tenants; empty is all.
    pub tenants: Vec<String>,
}

/// Where settings come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub flags: &'a Flags,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// An administrator's file that bounds all others, where there is one.
    pub floor: Option<&'a Path>,
    /// Settings of a sandbox, which replace those of the vendors.
    pub sandbox: Option<&'a [(&'static str, String)]>,
}

/// A mistake in the configuration that nothing can start with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// The file of those whose signature approves.
const APPROVERS: &str = "GRANTOR_APPROVERS";

const VENDOR_NAMES: &str = "GRANTOR_VENDORS";
/// The file of a machine's administrator, a bound that flags and environment cannot loosen.
pub const FLOOR: &str = "/etc/grantor/config.toml";

/// Where a file is looked for that nothing names.
pub fn usual_file() -> Option<PathBuf> {
    let project = directories::ProjectDirs::from("", "", "grantor");
    project.map(|dirs| dirs.config_dir().join("config.toml"))
}

/// Who asks where nobody else is named: the user of the operating system.
pub fn requester() -> Requester {
    Requester::named(whoami::username().unwrap_or_else(|_| "unknown".to_owned()))
}

/// Where the state of Grantor lives, before `sandbox` is appended.
///
/// # Errors
/// The file cannot be read, or nothing says so and there is no home directory.
pub fn state_dir(sources: &Sources<'_>) -> Result<PathBuf, ConfigError> {
    state_dir_of(sources, &File::find(sources)?, &File::floor(sources.floor)?)
}

fn state_dir_of(sources: &Sources<'_>, file: &File, floor: &File) -> Result<PathBuf, ConfigError> {
    let project = directories::ProjectDirs::from("", "", "grantor");
    let usual = || {
        let dirs = project.as_ref()?;
        Some(dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned())
    };
    if let Some(path) = floor.path("state_dir", sources.environment)? {
        return Ok(path);
    }
    let named = named(sources, sources.flags.state_dir.as_deref(), "GRANTOR_STATE_DIR")?;
    let named = match named {
        Some(path) => Some(path),
        None => file.path("state_dir", sources.environment)?,
    };
    named
        .or_else(usual)
        .ok_or_else(|| ConfigError("there is no home directory: set GRANTOR_STATE_DIR".to_owned()))
}

/// A path that a flag names, which counts from where the command is given, or else a variable.
fn named(
    sources: &Sources<'_>,
    flag: Option<&Path>,
    variable: &str,
) -> Result<Option<PathBuf>, ConfigError> {
    let env = sources.environment;
    match flag {
        Some(path) => expanded(path, env)
            .map(Some)
            .map_err(|trouble| ConfigError(format!("{}: {trouble}", path.display()))),
        None => of_environment(variable, env).map_err(ConfigError),
    }
}

/// The floor's policy, or the one that flags, environment and file name.
fn policy_of(
    sources: &Sources<'_>,
    file: &File,
    floor: &File,
) -> Result<Option<PathBuf>, ConfigError> {
    let env = sources.environment;
    if let Some(path) = floor.path("policy", env)? {
        floor::check(&path)?;
        return Ok(Some(path));
    }
    match named(sources, sources.flags.policy.as_deref(), POLICY)? {
        Some(path) => Ok(Some(path)),
        None => file.path("policy", env),
    }
}

/// Who the floor's file names, or the one that environment and file name. Sandboxes too have them:
/// what counts there should be what counts elsewhere.
fn approvers_of(
    sources: &Sources<'_>,
    file: &File,
    floor: &File,
) -> Result<Option<Approvers>, ConfigError> {
    let env = sources.environment;
    let path = match floor.path("approvers", env)? {
        Some(path) => {
            floor::check(&path)?;
            Some(path)
        }
        None => match named(sources, None, APPROVERS)? {
            Some(path) => Some(path),
            None => file.path("approvers", env)?,
        },
    };
    let load = |path: PathBuf| Approvers::load(&path);
    path.map(load).transpose().map_err(|trouble| ConfigError(format!("{APPROVERS}: {trouble}")))
}

impl Config {
    /// # Errors
    /// A file that cannot be read or does not parse, an unknown key, section or vendor, or
    /// approvers that cannot be told; never a vendor that lacks something.
    pub fn load(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let env: &dyn Fn(&str) -> Option<String> =
            &|name| (sources.environment)(name).and_then(|text| input::filled(&text));
        let sources = &Sources { environment: env, ..*sources };
        let file = File::find(sources)?;
        let floor = File::floor(sources.floor)?;
        let read_only = sources.flags.read_only
            || truth(env("GRANTOR_READ_ONLY"), "GRANTOR_READ_ONLY")?
            || file.flag("read_only")?
            || floor.flag("read_only")?;
        let dir = state_dir_of(sources, &file, &floor)?;
        let own = own::own(sources, &file, &floor)?;
        let state_dir = if sources.sandbox.is_some() { dir.join("sandbox") } else { dir };
        let state = crate::owner_only::warnings(&state_dir);
        let (declared, odd) = declared::declared(&file, &floor)?;
        let store = store::Store::of(&file, &floor, env, sources.sandbox.is_some());
        let store = store.map_err(ConfigError)?;
        let mut config = Self {
            tenants: Vec::new(),
            unready: Vec::new(),
            read_only,
            policy: policy_of(sources, &file, &floor)?,
            declared,
            ledger_is_chosen: floor.is_there() && !floor.has("state_dir"),
            requester: requester(),
            state_dir,
            ledger_key: store::ledger_key(&own)?,
            store: store.shared,
            store_owner: store.owner,
            approvers: approvers_of(sources, &file, &floor)?,
            consent_wait: own::consent_wait(env, &file)?,
            log: env("GRANTOR_LOG").or_else(|| file.text("log").map(str::to_owned)),
            log_format: own::log_format(env, &file)?,
            sandbox: sources.sandbox.is_some(),
            warnings: [file.warnings(), floor.idle(), own.warnings(), state, odd].concat(),
            people: NamedPeople::default(),
            http: Http::of(&file, env),
            notify: Vec::new(),
            secrets: Vec::new(),
        };
        let vendors = wanted(sources, &file)?;
        let declared = tenants::declared(sources, &file, &floor)?;
        let (people, warnings) = NamedPeople::of(sources, &file, &floor, &declared)?;
        config.warnings.extend(warnings);
        let mut declared = tenants::chosen(sources, declared)?;
        declared.retain(|one| vendors.iter().any(|vendor| vendor.name == one.vendor.name));
        let settings: Vec<_> =
            declared.iter().map(|one| gather::of_tenant(one, sources, &file, &floor)).collect();
        let gathered: Vec<_> = declared.into_iter().zip(settings).collect();
        gathered
            .iter()
            .filter(|(one, _)| one.floor.is_some())
            .try_for_each(|(one, settings)| tenants::of_root(one, settings))?;
        let settings: Vec<_> =
            gathered.iter().map(|(_, settings)| settings).chain([&own]).collect();
        config.warnings.extend(misplaced(&settings));
        let secrets = settings.iter().flat_map(|settings| settings.secrets());
        config.secrets = secrets.map(|(_, secret)| secret.clone()).collect();
        config.secrets.extend(store::inline(&file).chain(store::inline(&floor)));
        for (declared, settings) in gathered {
            let people = people.at(&declared);
            config.add(declared, settings, people, floor.is_there());
        }
        config.people = people;
        config.tell(&file, env);
        config.tell_apart()?;
        if config.sandbox {
            // Nobody's rate is used up there, and whoever tries something out does not wait for one.
            config.tenants.iter_mut().for_each(|tenant| tenant.account.pace = Pace::default());
        }
        Ok(config)
    }

    /// Whom a file names, to tell them. What a sandbox does is told to nobody.
    fn tell(&mut self, file: &File, env: &dyn Fn(&str) -> Option<String>) {
        if self.sandbox {
            return;
        }
        let notify::Notify { endpoints, troubles } = notify::Notify::of(file, env);
        self.warnings.extend(troubles);
        self.secrets.extend(notify::inline(file));
        self.notify = endpoints;
    }

    /// The tenants of this vendor that are ready.
    pub fn tenants_of(&self, vendor: &str) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter().filter(move |tenant| tenant.vendor.name == vendor)
    }

    /// What is missing or wrong for a vendor of which no tenant is ready; none where it was not wanted.
    pub fn troubles(&self, vendor: &str) -> Option<Vec<String>> {
        let own = |unready: &&Unready| unready.vendor.name == vendor;
        let unready: Vec<_> = self.unready.iter().filter(own).collect();
        let half = unready.iter().any(|unready| !unready.absent);
        let of = unready.iter().filter(|unready| !half || !unready.absent);
        let troubles = of.flat_map(|unready| unready.troubles.clone()).collect();
        (!unready.is_empty()).then_some(troubles)
    }

    /// How answers name a tenant of this vendor that was known by a name, or by none: not at all where
    /// it is the only one.
    pub fn said<'n>(&self, vendor: &'n str, name: Option<&'n str>) -> Option<&'n str> {
        let is_one = |tenant: &Tenant| !tenant.is_one_of_several && tenant.id.had(name);
        let mut tenants = self.tenants_of(vendor).peekable();
        let is_known = match tenants.peek() {
            None => name.is_none(),
            Some(_) => tenants.any(is_one),
        };
        (!is_known).then(|| name.unwrap_or(vendor))
    }

    /// Why no vendor can be asked, where none can.
    pub fn nobody(&self) -> Option<String> {
        let half = self.unready.iter().filter(|unready| !unready.absent);
        let half: Vec<_> = half
            .map(|unready| format!("{}: {}", unready.title(), unready.troubles.join("; ")))
            .collect();
        let why = match half.as_slice() {
            [] if VENDORS.iter().any(|vendor| !self.is_asked_for(vendor)) => {
                let asked = self.unready.iter().map(|unready| unready.vendor.name);
                let asked: Vec<_> = asked.collect();
                format!(
                    "none of the vendors that are asked for is configured ({})",
                    asked.join(", ")
                )
            }
            [] => "no vendor is configured".to_owned(),
            half => format!("no vendor is ready; {}", half.join("; ")),
        };
        self.tenants.is_empty().then_some(why)
    }

    fn is_asked_for(&self, vendor: &Vendor) -> bool {
        self.unready.iter().any(|unready| unready.vendor.name == vendor.name)
    }
}

/// What is said of a setting that would show a secret.
pub fn misplacement(name: &str, secret: &str) -> String {
    format!(
        "{name} holds the text of {secret}, so it is not shown: one of the two was put in the other's \
         place"
    )
}

/// The settings that would show a secret of any vendor's.
fn misplaced(settings: &[&Settings]) -> Vec<String> {
    let secrets = settings.iter().flat_map(|settings| settings.secrets());
    let secrets: Vec<_> = secrets.map(|(name, secret)| (name, Sought::whole(secret))).collect();
    let texts = settings.iter().flat_map(|settings| settings.texts());
    let told = |(name, text): (String, &str)| {
        let (secret, _) = secrets.iter().find(|(_, secret)| holds(text, secret))?;
        Some(misplacement(&name, secret))
    };
    texts.filter_map(told).collect()
}

/// The vendors that flags, environment and file leave in.
fn wanted(sources: &Sources<'_>, file: &File) -> Result<Vec<&'static Vendor>, ConfigError> {
    let mut names = sources.flags.vendors.clone();
    if names.is_empty() {
        let text = (sources.environment)(VENDOR_NAMES);
        names = match text {
            Some(text) => of_variable(&text)?,
            None => file.list("vendors")?,
        };
    }
    if let Some(name) = names.iter().find(|name| crate::vendors::named(name).is_none()) {
        return Err(ConfigError(format!("there is no vendor {name:?}; there are {}", known())));
    }
    let chosen = |vendor: &&&Vendor| names.is_empty() || names.iter().any(|n| n == vendor.name);
    Ok(VENDORS.iter().filter(chosen).copied().collect())
}

/// The vendors that `GRANTOR_VENDORS` names. One that names nobody leaves nobody out by mistake.
fn of_variable(text: &str) -> Result<Vec<String>, ConfigError> {
    let wrong = |trouble: &str| {
        let known = known();
        ConfigError(format!("{VENDOR_NAMES} {trouble}; there are {known}; unset it for all"))
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(str::to_owned).collect();
    if let Some(trouble) = input::unfit(text) {
        return Err(wrong(trouble));
    }
    match names.iter().find(|name| crate::vendors::named(name).is_none()) {
        Some(name) => Err(wrong(&format!("names {name:?}, and there is no such vendor"))),
        None if names.is_empty() => Err(wrong("is set and names no vendor")),
        None => Ok(names),
    }
}

fn known() -> String {
    VENDORS.iter().map(|vendor| vendor.name).collect::<Vec<_>>().join(", ")
}

fn truth(value: Option<String>, name: &str) -> Result<bool, ConfigError> {
    match value.as_deref().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(other) => Err(ConfigError(format!("{name} must be 1 or 0, not {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn load(
        environment: &[(&str, &str)],
        file: Option<&str>,
        flags: Flags,
    ) -> Result<Config, String> {
        let values: HashMap<_, _> = environment.iter().copied().collect();
        let lookup = |name: &str| values.get(name).map(|&value| value.to_owned());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let mut flags = flags;
        if !values.contains_key("GRANTOR_STATE_DIR") {
            flags.state_dir = Some(dir.path().into());
        }
        std::fs::write(&path, file.unwrap_or_default()).unwrap();
        flags.config = Some(path);
        let sources = Sources { flags: &flags, environment: &lookup, floor: None, sandbox: None };
        Config::load(&sources).map_err(|error| error.to_string())
    }

    const BRIDGE: [(&str, &str); 3] = [
        ("CENTRASITE_BRIDGE_URL", "https://bridge.example.com/cs"),
        ("CENTRASITE_USERNAME", "svc"),
        ("CENTRASITE_PASSWORD", "hunter2"),
    ];

    #[test]
    fn a_vendor_is_ready_half_configured_or_absent() {
        let config = load(&BRIDGE, None, Flags::default()).unwrap();
        let ready: Vec<_> = config.tenants.iter().map(|tenant| tenant.vendor.name).collect();
        assert_eq!(ready, ["centrasite"]);
        assert!(config.unready.iter().all(|unready| unready.absent));
        let config = load(&BRIDGE[..2], None, Flags::default()).unwrap();
        let half = config.unready.iter().find(|unready| !unready.absent).unwrap();
        assert_eq!(half.troubles, ["CENTRASITE_PASSWORD is missing (that user's password)"]);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[centrasite]\nbridge_url = \"https://file.example.com\"\nusername = \"f\"\n\
                    password = { command = [\"cat\", \"x\"] }\n";
        let config = load(&BRIDGE[..1], Some(file), Flags::default()).unwrap();
        assert_eq!(config.tenants[0].account.base.host(), "bridge.example.com");
        let config = load(&[], Some(file), Flags::default()).unwrap();
        assert_eq!(config.tenants[0].account.base.host(), "file.example.com");
    }

    #[test]
    fn mistakes_name_the_variable_or_the_line() {
        let check = |environment: &[(&str, &str)], file: &str, part: &str| {
            let error = load(environment, Some(file), Flags::default()).err().unwrap_or_default();
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        };
        check(&[("GRANTOR_READ_ONLY", "maybe")], "", "GRANTOR_READ_ONLY");
        check(&[("GRANTOR_APPROVERS", "/nowhere")], "", "GRANTOR_APPROVERS: /nowhere");
        check(&[("GRANTOR_CONSENT_WAIT", "soon")], "", "GRANTOR_CONSENT_WAIT");
        check(&[("GRANTOR_CONSENT_WAIT", "0")], "", "from 1 to");
        check(&[], "[grantor]\nconsent_wait = \"60\"\n", "GRANTOR_CONSENT_WAIT");
        check(&[], "[grantor]\nconsent_wait = 3601\n", "to 3600");
        check(&[("GRANTOR_LOG_FORMAT", "xml")], "", "GRANTOR_LOG_FORMAT is human or json");
        check(&[("GRANTOR_LOG_FORMAT", "JSON")], "", "human or json, not \"JSON\"");
        check(&[], "[grantor]\nlog_format = 3\n", "human or json, not");
        check(&[("GRANTOR_VENDORS", "dfns,acme")], "", "acme");
        check(&[("GRANTOR_STATE_DIR", "state")], "", "GRANTOR_STATE_DIR must be an absolute path");
        check(&[("GRANTOR_POLICY", "p.cedar")], "", "GRANTOR_POLICY must be an absolute path");
        check(&[("GRANTOR_APPROVERS", "./who")], "", "GRANTOR_APPROVERS must be an absolute path");
        for (key, value, form) in [
            ("read_only", "\"yes\"", "true or false"),
            ("state_dir", "3", "a path"),
            ("state_dir", "\"\"", "a path"),
            ("policy", "[\"p\"]", "a path"),
            ("approvers", "1.5", "a path"),
            ("vendors", "\"dfns\"", "a list of names"),
            ("vendors", "[1]", "a list of names"),
            ("log", "true", "text"),
            ("log_format", "3", "text"),
            ("consent_wait", "\"60\"", "a number of seconds"),
            ("ledger_key", "7", "text; a secret may also be"),
        ] {
            let says = format!("line 2: {key} in [grantor] must be {form}");
            check(&[], &format!("[grantor]\n{key} = {value}\n"), &says);
        }
        check(&[], "[dfns]\nauth_token = 3\n", "line 2");
        check(&[], "[dfns]\n\nauth_tokne = \"x\"\n", "line 3");
        check(
            &[],
            "[grantor]\nread_onli = true\n",
            "in [grantor]; there are read_only, state_dir,",
        );
        check(
            &[],
            "[dfns]\nauth_tokne = \"x\"\n",
            "; there are api_url, auth_token, credential_id,",
        );
        check(&[], "[redox.role]\nx = 1\n", "organization_id, roles");
        let role = |role: &str| format!("[redox.roles]\na = {{ id = \"1\" }}\nb = {role}\n");
        check(&[], &role("{ scope = \"environment\" }"), "[redox.roles]: b: missing field `id`");
        check(&[], &role("{ id = \"2\", scop = \"environment\" }"), "`scop`, expected `id`");
        check(&[], &role("{ id = \"2\", scope = \"env\" }"), "b: unknown variant `env`, expected");
        check(&[], "[dfns.roles]\na = { id = \"1\" }\n", "no setting \"roles\" in [dfns]");
        check(&[], "[acme]\n", "line 1");
        check(&[], "read_only = \n", "line 1");
        check(&[], "[grantor]\napprovers = \"/nowhere\"\n", "GRANTOR_APPROVERS: /nowhere");
        check(&[], "[grantor]\napprovers = true\n", "approvers in [grantor] must be a path");
    }

    #[test]
    fn the_wait_for_a_person_is_the_environments_or_the_files() {
        let wait = |environment: &[(&str, &str)]| {
            let file = Some("[grantor]\nconsent_wait = 120\n");
            load(environment, file, Flags::default()).unwrap().consent_wait
        };
        assert_eq!(wait(&[]), Some(120));
        assert_eq!(wait(&[("GRANTOR_CONSENT_WAIT", "9")]), Some(9));
    }

    /// Each mistake in a tenant's section is told with its line or its name.
    #[test]
    fn mistakes_in_tenants_are_named() {
        let dfns = |name: &str, more: &str| {
            format!(
                "[tenants.{name}]\nvendor = \"dfns\"\ncredential_id = \"cr\"\nauth_token = \"{}\"\n\
                 private_key = \"k\"\n{more}\n",
                name.trim_matches('"')
            )
        };
        let check = |file: &str, part: &str| {
            let error = load(&[], Some(file), Flags::default()).err().unwrap_or_default();
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        };
        for name in ["A", "1a", "-a", "a_b", "\"a b\"", "\"\"", &"a".repeat(33)] {
            check(&dfns(name, ""), "is no name for a tenant");
        }
        check("tenants = 3\n", "tenants holds sections");
        check("[tenants]\na = 3\n", "a must be a section, [tenants.a]");
        check(
            "[tenants.a]\ntitle = \"x\"\n",
            "line 1: [tenants.a] needs a vendor; there are outsys",
        );
        check(
            "[tenants.a]\nvendor = \"acme\"\n",
            "line 2: vendor in [tenants.a] must be one of outsys",
        );
        check("[tenants.a]\nvendor = 3\n", "line 2: vendor in [tenants.a]");
        check(
            "[tenants.redox]\nvendor = \"dfns\"\n",
            "the name of a vendor is for a tenant of that",
        );
        check(&dfns("a", "title = 3"), "line 6: title in [tenants.a] must be text");
        check(&dfns("a", "title = \" \""), "title in [tenants.a] must be a line of text");
        check(&dfns("a", "read_only = \"yes\""), "read_only in [tenants.a] must be true or false");
        check(&dfns("a", "formerly = \"b\""), "formerly in [tenants.a] must be a list of names");
        check(&dfns("a", "formerly = [\"B\"]"), "that a tenant can have had");
        check(&dfns("a", "formerly = [\"a\"]"), "names its own name");
        check(
            &dfns("a", "auth_tokne = \"x\""),
            "\"auth_tokne\" in [tenants.a]; there are vendor, title,",
        );
        check(&dfns("a", "api_url = 3"), "line 6: api_url must be text");
        check(
            &(dfns("a", "") + &dfns("b", "formerly = [\"a\"]")),
            "there is a tenant of that name",
        );
        check(
            &(dfns("a", "formerly = [\"c\"]") + &dfns("b", "formerly = [\"c\"]")),
            "formerly names \"c\", and so does [tenants.a]",
        );
        check(&dfns("a", "formerly = [\"redox\"]"), "which is another vendor");
        check(&(dfns("a", "formerly = [\"dfns\"]") + "[dfns]\nauth_token = \"t\"\n"), "([dfns])");
        check(&(dfns("dfns", "") + "[dfns]\nauth_token = \"t\"\n"), "keep one of the two sections");
        check(
            &(dfns("a", "") + &dfns("b", "").replace("\"b\"", "\"a\"")),
            "a and b are one tenant of dfns",
        );
        let error = |environment: &[(&str, &str)]| {
            load(environment, Some(&dfns("a", "formerly = [\"dfns\"]")), Flags::default())
                .err()
                .unwrap_or_default()
        };
        assert!(error(&[("DFNS_AUTH_TOKEN", "t")]).contains("([dfns])"));
        assert_eq!(error(&[]), "");
        let chosen = |names: &str| error(&[("GRANTOR_TENANTS", names)]);
        assert!(
            chosen("a,acme").contains("GRANTOR_TENANTS names \"acme\""),
            "{}",
            chosen("a,acme")
        );
        assert!(chosen(",").contains("names no tenant") && chosen("a").is_empty());
    }

    #[test]
    fn tenants_of_a_vendor_stand_beside_each_other() {
        let bridge = |name: &str, more: &str| {
            format!(
                "[tenants.{name}]\nvendor = \"centrasite\"\nbridge_url = \"https://{name}.example.com\"\n\
                 username = \"u\"\n{more}\n"
            )
        };
        let password = "password = { env = \"OF_A\" }";
        let words = |config: &Config| {
            let word = |tenant: &Tenant| (tenant.id.word().to_owned(), tenant.is_one_of_several);
            config.tenants.iter().map(word).collect::<Vec<_>>()
        };
        let with = |file: &str, environment: &[(&str, &str)], tenants: &[&str]| {
            let tenants = tenants.iter().map(|&name| name.to_owned()).collect();
            load(environment, Some(file), Flags { tenants, ..Flags::default() }).unwrap()
        };
        let own = [BRIDGE, [("OF_A", "x"); 3]].concat();
        let word = |name: &str, several| (name.to_owned(), several);
        let file = bridge("a", password);
        assert_eq!(words(&with(&file, &own[3..], &[])), [word("a", false)]);
        let config = with(&file, &own, &[]);
        assert_eq!(words(&config), [word("centrasite", true), word("a", true)]);
        // The variables are of the tenant that is named as its vendor.
        assert_eq!(config.tenants[1].account.base.host(), "a.example.com");
        assert_eq!(words(&with(&file, &own, &["a"])), [word("a", false)]);
        assert_eq!(words(&with(&file, &own, &["centrasite"])), [word("centrasite", false)]);
        // One that lacks something is there too.
        let half = with(&bridge("a", ""), &own, &[]);
        assert_eq!(words(&half), [word("centrasite", true)]);
        let lacks = half.unready.iter().find(|one| one.word() == "a").unwrap();
        assert_eq!(lacks.troubles, ["password in [tenants.a] is missing (that user's password)"]);
        assert!(
            half.unready.iter().all(|one| one.vendor.name != "centrasite" || one.word() == "a")
        );
    }

    /// What the administrator's file says of a tenant holds, and where it names those of a vendor
    /// there are no others.
    #[cfg(unix)]
    #[test]
    fn the_floor_says_which_tenants_there_are() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (floor, config) = (dir.path().join("floor.toml"), dir.path().join("config.toml"));
        let bridge = |name: &str, host: &str, more: &str| {
            format!(
                "[tenants.{name}]\nvendor = \"centrasite\"\nbridge_url = \"https://{host}\"\n{more}\n"
            )
        };
        let user = "username = \"u\"\npassword = \"p\"";
        let load = |bound: &str, own: &str| {
            std::fs::write(&floor, bound).unwrap();
            std::fs::write(&config, own).unwrap();
            let flags = Flags {
                state_dir: Some(dir.path().into()),
                config: Some(config.clone()),
                ..Flags::default()
            };
            let floor = Some(floor.as_path());
            let sources = Sources { flags: &flags, environment: &|_| None, floor, sandbox: None };
            Config::load(&sources).map_err(|error| error.to_string())
        };
        let bound = bridge("live", "live.example.com", "read_only = true");
        let own = bridge("live", "evil.example.com", user);
        std::fs::write(&floor, "").unwrap();
        if std::fs::metadata(&floor).unwrap().uid() != 0 {
            return; // Nobody else's file is a floor.
        }
        let loaded = load(&bound, &own).unwrap();
        let live = &loaded.tenants[0];
        assert_eq!((live.account.base.host(), live.told.as_str()), ("live.example.com", "live"));
        assert!(live.read_only && loaded.warnings.iter().all(|one| !one.contains("no effect")));
        let loaded =
            load(&bound, &(own.clone() + &bridge("live2", "live.example.com", user))).unwrap();
        assert_eq!(loaded.tenants.len(), 1);
        let barred = loaded.unready.iter().find(|one| one.word() == "live2").unwrap();
        assert!(
            barred.troubles[0].contains("an administrator says which"),
            "{:?}",
            barred.troubles
        );
        let other = "[tenants.live]\nvendor = \"dfns\"\nauth_token = \"t\"\n";
        assert!(load(&bound, other).err().unwrap().contains("the administrator's file says"));
        // Where an administrator names none, nobody's name is a fact.
        let loaded = load("[grantor]\nread_only = false\n", &own).unwrap();
        assert_eq!(loaded.tenants[0].told, "centrasite");
    }

    /// What a file says counts from its folder, and `~/` from home, wherever a process starts.
    #[test]
    fn a_path_means_the_same_in_every_process() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        let home = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
        let at = |text: &str| {
            let file = format!(
                "[grantor]\nstate_dir = \"{text}\"\npolicy = \"{text}\"\n\
                 ledger_key = {{ file = \"{text}\" }}\n[dfns]\nauth_token = {{ file = \"{text}\" }}\n"
            );
            std::fs::write(&config, file).unwrap();
            let flags = Flags { config: Some(config.clone()), ..Flags::default() };
            let sources = Sources { flags: &flags, environment: &home, floor: None, sandbox: None };
            let loaded = Config::load(&sources).unwrap();
            let file = File::find(&sources).unwrap();
            let token = {
                let none = File::default();
                let mut all = tenants::declared(&sources, &file, &none).unwrap();
                all.retain(|one| one.vendor.name == "dfns");
                gather::of_tenant(&all[0], &sources, &file, &none)
            };
            let own = gather::own(own::OWN, &home, &file);
            let read = [&token, &own].map(|settings| settings.files().next().unwrap().to_owned());
            let [token, key] = read;
            [loaded.state_dir, loaded.policy.unwrap(), token, key]
        };
        for (text, path) in [
            ("below", folder.path().join("below")),
            ("~/below", "/home/ada/below".into()),
            ("/below", "/below".into()),
        ] {
            assert_eq!(at(text), [(); 4].map(|()| path.clone()), "{text}");
        }
        let named = |variable: &str, text: &str| {
            let env = |name: &str| match name {
                "HOME" => Some("/home/ada".to_owned()),
                name => (name == variable).then(|| text.to_owned()),
            };
            let flags = Flags::default();
            let sources = Sources { flags: &flags, environment: &env, floor: None, sandbox: None };
            state_dir(&sources).map_err(|error| error.to_string())
        };
        assert_eq!(named("GRANTOR_STATE_DIR", "~/x"), Ok("/home/ada/x".into()));
        assert!(named("GRANTOR_STATE_DIR", "x").unwrap_err().contains("GRANTOR_STATE_DIR"));
        assert!(named("GRANTOR_CONFIG", "x.toml").unwrap_err().contains("GRANTOR_CONFIG"));
    }

    /// A secret's file that is named by a relative path is that vendor's trouble, by name.
    #[test]
    fn a_secrets_file_is_one_place_too() {
        let variables = [BRIDGE[0], BRIDGE[1], ("CENTRASITE_PASSWORD_FILE", "password")];
        let config = load(&variables, None, Flags::default()).unwrap();
        let troubles = config.troubles("centrasite").unwrap();
        assert!(troubles[0].contains("CENTRASITE_PASSWORD_FILE must be"), "{troubles:?}");
    }

    /// Whatever the floor names belongs to root, or nothing starts.
    #[cfg(unix)]
    #[test]
    fn what_the_floor_names_is_roots() {
        use crate::approvers::key::ApproverKey;
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        if std::fs::metadata(dir.path()).unwrap().uid() != 0 {
            return; // Nobody else can make a file of another's.
        }
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(at("own")).unwrap();
        let key = ApproverKey::generate().unwrap().public();
        for (name, text) in [
            ("p.cedar", "permit(principal, action, resource);".to_owned()),
            ("who", format!("ada {key}\n")),
            ("key", "k".repeat(40)),
        ] {
            for place in [at(name), at("own").join(name)] {
                std::fs::write(&place, &text).unwrap();
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o644)).unwrap();
            }
            let link = format!("link-{name}");
            std::os::unix::fs::symlink(at("own").join(name), at(&link)).unwrap();
        }
        chown(at("own"), Some(1000), None).unwrap();
        let load = |line: &str| {
            std::fs::write(at("floor.toml"), format!("[grantor]\n{line}\n")).unwrap();
            let flags = Flags { state_dir: Some(dir.path().into()), ..Flags::default() };
            let floor = at("floor.toml");
            let floor = Some(floor.as_path());
            let sources = Sources { flags: &flags, environment: &|_| None, floor, sandbox: None };
            Config::load(&sources).map(|_| ()).map_err(|error| error.to_string())
        };
        for (key, form, name) in [
            ("policy", "\"NAME\"", "p.cedar"),
            ("approvers", "\"NAME\"", "who"),
            ("ledger_key", "{ file = \"NAME\" }", "key"),
        ] {
            let line = |name: &str| format!("{key} = {}", form.replace("NAME", name));
            let spoil = |owner, mode| {
                chown(at(name), Some(owner), None).unwrap();
                std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
            };
            load(&line(name)).unwrap();
            for (owner, mode) in [(1000, 0o644), (0, 0o666), (0, 0o664)] {
                spoil(owner, mode);
                let error = load(&line(name)).unwrap_err();
                assert!(error.contains(name), "{key} {owner} {mode:o}: {error}");
            }
            spoil(0, 0o644);
            for name in [format!("own/{name}"), format!("link-{name}")] {
                let error = load(&line(&name)).unwrap_err();
                assert!(error.contains("own") && error.contains("root"), "{key} {name}: {error}");
            }
        }
        let command =
            |program: &str| load(&format!("ledger_key = {{ command = [\"{program}\"] }}"));
        command(at("own/key").to_str().unwrap()).unwrap_err();
        command("cat").unwrap_err();
        assert!(load("state_dir = 3").unwrap_err().contains("must be a path"));
        assert!(load("state = \"x\"").unwrap_err().contains("no setting"));
    }

    /// Whom the administrator names, nobody can replace, and nobody can take away.
    #[test]
    fn the_floor_says_who_approves() {
        use crate::approvers::key::ApproverKey;
        let folder = tempfile::tempdir().unwrap();
        let listed = |name: &str| {
            let key = ApproverKey::generate().unwrap().public();
            std::fs::write(folder.path().join(name), format!("{name} {key}\n")).unwrap();
            key
        };
        let (ada, eve) = (listed("ada"), listed("eve"));
        let floor = folder.path().join("floor.toml");
        std::fs::write(&floor, "[grantor]\napprovers = \"ada\"\n").unwrap();
        let path = folder.path().join("eve").to_str().unwrap().to_owned();
        let approvers = |floor: Option<&Path>, named: Option<&str>| {
            let lookup = |name: &str| named.filter(|_| name == APPROVERS).map(str::to_owned);
            let flags = Flags { state_dir: Some(folder.path().into()), ..Flags::default() };
            let sources = Sources { flags: &flags, environment: &lookup, floor, sandbox: None };
            Config::load(&sources).unwrap().approvers
        };
        for (named, floored, one, other) in [
            (Some(&*path), true, &ada, &eve),
            (None, true, &ada, &eve),
            (Some(&path), false, &eve, &ada),
        ] {
            let found = approvers(floored.then_some(&*floor), named).unwrap();
            assert!(found.named(one).is_some() && found.named(other).is_none());
        }
        assert!(approvers(None, None).is_none());
    }

    /// As root, whose file it then is; anybody else's file bounds nobody and is not passed over.
    #[cfg(unix)]
    #[test]
    fn the_floor_wins_where_root_wrote_it() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, text) in
            [("floor.toml", "[grantor]\npolicy = \"p.cedar\"\nread_only = true\n"), ("p.cedar", "")]
        {
            std::fs::write(at(name), text).unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let flags = Flags {
            policy: Some("of-a-flag.cedar".into()),
            state_dir: Some(dir.path().into()),
            ..Flags::default()
        };
        let environment = |name: &str| (name == "GRANTOR_POLICY").then(|| "other.cedar".to_owned());
        let floor = at("floor.toml");
        let sources = Sources {
            flags: &flags,
            environment: &environment,
            floor: Some(&floor),
            sandbox: None,
        };
        let is_root = std::fs::metadata(&floor).unwrap().uid() == 0;
        match Config::load(&sources) {
            Ok(config) => {
                assert!(is_root && config.read_only);
                assert_eq!(config.policy, Some(at("p.cedar")));
            }
            Err(error) => assert!(!is_root && error.to_string().contains("root"), "{error}"),
        }
        std::fs::set_permissions(at("p.cedar"), std::fs::Permissions::from_mode(0o666)).unwrap();
        let error = Config::load(&sources).err().unwrap().to_string();
        assert!(error.contains(if is_root { "p.cedar" } else { "floor.toml" }), "{error}");
        let absent = at("absent.toml");
        let sources = Sources { floor: Some(&absent), ..sources };
        assert_eq!(Config::load(&sources).unwrap().policy, flags.policy);
    }

    #[test]
    fn read_only_is_on_wherever_it_is_said() {
        let on = |environment: &[(&str, &str)], file: Option<&str>, read_only| {
            load(environment, file, Flags { read_only, ..Flags::default() }).unwrap().read_only
        };
        assert!(!on(&[], None, false) && on(&[], None, true));
        assert!(on(&[("GRANTOR_READ_ONLY", "1")], None, false));
        assert!(on(&[("GRANTOR_READ_ONLY", "0")], Some("[grantor]\nread_only = true\n"), false));
    }
}
