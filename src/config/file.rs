//! The TOML file: read once, every key checked, every mistake with its line.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::declared::{self, Section};
use super::paths::expanded;
use super::{ConfigError, Sources, floor, http, named, notify, people, store, tenants};
use crate::settings::Variable;
use crate::vendors::{VENDORS, Vendor};

/// A configuration file, or nothing where there is none.
#[derive(Default)]
pub(super) struct File {
    path: PathBuf,
    tables: Table,
}

/// A key that does not belong where it is.
struct Mistake {
    section: String,
    /// Which of the sections of that name.
    nth: usize,
    key: Option<String>,
    text: String,
}

/// Keys of `[grantor]`.
const OWN: [&str; 10] = [
    "read_only",
    "state_dir",
    "vendors",
    "log",
    "log_format",
    "policy",
    "approvers",
    "ledger_key",
    "consent_wait",
    declared::TIME_ZONE,
];
/// Those that bound everybody where an administrator sets them.
const BOUNDS: [&str; 6] =
    ["read_only", "state_dir", "policy", "approvers", "ledger_key", declared::TIME_ZONE];
/// Those of all that are secrets.
const SECRET: [&str; 1] = ["ledger_key"];
const NAMED: &str = "give another --config (or GRANTOR_CONFIG), or leave it out for the usual file";
pub(super) const FORMS: &str =
    "text; a secret may also be { env = \"…\" }, { file = \"…\" } or { command = [\"…\"] }";

impl File {
    pub(super) fn find(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        if let Some(path) = named(sources, sources.flags.config.as_deref(), "GRANTOR_CONFIG")? {
            return Self::read(&path, NAMED);
        }
        match super::usual_file() {
            Some(path) if path.exists() => Self::read(&path, NAMED),
            _ => Ok(Self::default()),
        }
    }

    /// The administrator's file, where there is one: nobody else may have written it.
    pub(super) fn floor(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        // A link that leads nowhere is not no file: whoever removed what it leads to is nobody's floor.
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            _ => {
                floor::check(path)?;
                Self::read(path, "an administrator makes it readable for everybody")
            }
        }
    }

    /// `advice` is what to do about a file that cannot be read.
    fn read(path: &Path, advice: &str) -> Result<Self, ConfigError> {
        let shown = path.display();
        let text = crate::input::read(path)
            .and_then(|bytes| crate::input::source(&bytes))
            .map_err(|error| ConfigError(format!("{shown}: {error}; {advice}")))?;
        let at = |line: usize, text: &str| ConfigError(format!("{shown}, line {line}: {text}"));
        // Only the message of a syntax error: the line it quotes may hold a secret.
        let tables: Table = toml::from_str(&text).map_err(|error| {
            at(error.span().map_or(1, |span| line_at(&text, span.start)), error.message())
        })?;
        check(&tables).map_err(|mistake| {
            let Mistake { section, nth, key, text: told } = mistake;
            at(line_of(&text, &section, nth, key.as_deref()), &told)
        })?;
        Ok(Self { path: path.to_owned(), tables })
    }

    /// The sections of another file that declare something, where tenants have these names.
    ///
    /// # Errors
    /// One of them does not hold.
    pub(super) fn declaring<'n>(
        path: &Path,
        text: &str,
        mut tables: Table,
        tenants: impl Iterator<Item = &'n str>,
    ) -> Result<Self, ConfigError> {
        check(&tables).map_err(|Mistake { section, nth, key, text: told }| {
            let line = line_of(text, &section, nth, key.as_deref());
            ConfigError(format!("{}, line {line}: {told}", path.display()))
        })?;
        let named = tenants.map(|name| (name.to_owned(), Value::Table(Table::new()))).collect();
        tables.insert(tenants::SECTION.to_owned(), Value::Table(named));
        Ok(Self { path: path.to_owned(), tables })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.own(key).is_some()
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.own(key)?.as_str()
    }

    /// A path; one that is relative counts from the file's own folder.
    ///
    /// # Errors
    /// It is below a home directory that there is not.
    pub(super) fn path(
        &self,
        key: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let Some(path) = self.text(key) else { return Ok(None) };
        let trouble = |text| ConfigError(format!("{}: {key}: {text}", self.path.display()));
        if let Some(odd) = crate::input::odd_path(path) {
            return Err(ConfigError(format!("{}: {key} {odd}", self.path.display())));
        }
        self.below(Path::new(path), env).map(Some).map_err(trouble)
    }

    /// A path that the file names.
    ///
    /// # Errors
    /// It is below a home directory that there is not.
    pub(super) fn below(
        &self,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<PathBuf, String> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        Ok(folder.join(expanded(path, env)?))
    }

    /// What an administrator's file says that bounds nobody.
    pub(super) fn idle(&self) -> Vec<String> {
        let all = self.tables.iter().flat_map(|(section, content)| {
            let keys = content.as_table().into_iter().flat_map(Table::keys);
            keys.map(move |key| (section.as_str(), key.as_str()))
        });
        let bounds = |section: &str, key: &str| match section {
            "grantor" => BOUNDS.contains(&key),
            section => {
                section == tenants::SECTION
                    || section == people::SECTION
                    || section == store::SECTION
                    || Section::named(section).is_some()
            }
        };
        let idle = all.filter(|(section, key)| !bounds(section, key));
        let (path, bounds) = (self.path.display(), BOUNDS.join(", "));
        idle.map(|(section, key)| {
            format!(
                "{path}: {key} in [{section}] bounds nobody and has no effect there; {bounds} do"
            )
        })
        .collect()
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        match self.own(key) {
            None => Ok(false),
            Some(Value::Boolean(value)) => Ok(*value),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.own(key) else { return Ok(Vec::new()) };
        value.clone().try_into().map_err(|_| self.wrong(key, "a list of names"))
    }

    pub(super) fn vendor(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)?.as_table()
    }

    /// The sections of the tenants that are named there.
    pub(super) fn tenants(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.tables_in(tenants::SECTION)
    }

    pub(super) fn section(&self, section: &str) -> Option<&Table> {
        self.tables.get(section)?.as_table()
    }

    pub(super) fn has_section(&self, section: &str) -> bool {
        self.tables.contains_key(section)
    }

    /// The sections of `[section.NAME]`.
    pub(super) fn tables_in(&self, section: &str) -> impl Iterator<Item = (&str, &Table)> {
        let all = self.tables.get(section).and_then(Value::as_table).into_iter().flatten();
        all.filter_map(|(name, table)| Some((name.as_str(), table.as_table()?)))
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &Table> {
        let all = self.tables.get(Section::Labels.as_str()).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_table)
    }

    pub(super) fn tenant(&self, name: &str) -> Option<&Table> {
        self.tables.get(tenants::SECTION)?.get(name)?.as_table()
    }

    /// The requester's address, as it names it.
    pub(super) fn me(&self) -> Option<&str> {
        self.tables.get(people::SECTION)?.get("me")?.as_str()
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether there is such a file.
    pub(super) fn is_there(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// A file with a secret written into it should be its owner's alone.
    pub(super) fn warnings(&self) -> Vec<String> {
        let tenants = self.tenants().filter_map(|(_, table)| {
            let vendor = table.get("vendor")?.as_str()?;
            Some((crate::vendors::named(vendor)?, table))
        });
        let own = VENDORS.iter().filter_map(|vendor| Some((*vendor, self.vendor(vendor.name)?)));
        let inline = own.chain(tenants).any(|(vendor, table)| {
            let mut secrets = vendor.variables.iter().filter(|variable| variable.secret);
            let key = |variable: &Variable| key_of(vendor.name, variable.name);
            secrets.any(|variable| table.get(&key(variable)).is_some_and(Value::is_str))
        });
        let inline = inline || notify::inline(self).chain(store::inline(self)).next().is_some();
        let inline = inline || SECRET.iter().any(|key| self.own(key).is_some_and(Value::is_str));
        if !inline || !crate::secret::readable_by_others(&self.path) {
            return Vec::new();
        }
        let (path, mend) = (self.path.display(), crate::owner_only::mend("600", &self.path));
        vec![format!("{path} holds a secret and can be read by others; run: {mend}")]
    }

    pub(super) fn own(&self, key: &str) -> Option<&Value> {
        self.tables.get("grantor")?.get(key)
    }

    fn wrong(&self, key: &str, form: &str) -> ConfigError {
        ConfigError(format!("{}: {key} in [grantor] must be {form}", self.path.display()))
    }
}

/// The key of a vendor's variable in its section: `VENDOR_SOME_NAME` is `some_name`.
pub(super) fn key_of(vendor: &str, variable: &str) -> String {
    let variable = variable.to_lowercase();
    variable.get(vendor.len() + 1..).unwrap_or_default().to_owned()
}

fn check(tables: &Table) -> Result<(), Mistake> {
    for (section, content) in tables {
        let mistake = |key: Option<&String>, text| {
            Err(Mistake { section: section.clone(), nth: 0, key: key.cloned(), text })
        };
        let misread = |(section, key, text)| Mistake { section, nth: 0, key, text };
        if section == tenants::SECTION {
            check_tenants(content)?;
            continue;
        }
        if section == people::SECTION {
            people::check(content).map_err(misread)?;
            continue;
        }
        if section == http::SECTION {
            http::check(content).map_err(misread)?;
            continue;
        }
        if section == notify::SECTION {
            notify::check(content).map_err(misread)?;
            continue;
        }
        if section == store::SECTION {
            store::check(content).map_err(misread)?;
            continue;
        }
        if let Some(declared) = Section::named(section) {
            declared.check(content).map_err(|declared::Wrong { section, nth, key, text }| {
                Mistake { section, nth, key, text }
            })?;
            continue;
        }
        let vendor = crate::vendors::named(section);
        if vendor.is_none() && section != "grantor" {
            let known: Vec<_> = VENDORS.iter().map(|vendor| vendor.name).collect();
            let known = known.join(", ");
            return mistake(
                None,
                format!(
                    "there is no section {section:?}; there are grantor, {known}, tenants, people, \
                     teams, accounts, labels, http, notify, store"
                ),
            );
        }
        let Some(content) = content.as_table() else {
            return mistake(None, format!("{section} must be a section, [{section}]"));
        };
        for (key, value) in content {
            let checked = match vendor {
                Some(vendor) => check_setting(vendor, key, value),
                None => check_own(key, value),
            };
            if let Err(text) = checked {
                return mistake(Some(key), text);
            }
        }
    }
    Ok(())
}

fn check_tenants(content: &Value) -> Result<(), Mistake> {
    let Some(content) = content.as_table() else {
        let (section, text) = (tenants::SECTION, "tenants holds sections, [tenants.NAME]");
        let (section, text) = (section.to_owned(), text.to_owned());
        return Err(Mistake { section, nth: 0, key: None, text });
    };
    content.iter().try_for_each(|(name, table)| {
        let checked = tenants::check(name, table, check_setting);
        let section = format!("{}.{name}", tenants::SECTION);
        checked.map_err(|(key, text)| Mistake { section, nth: 0, key, text })
    })
}

fn check_own(key: &str, value: &Value) -> Result<(), String> {
    if !OWN.contains(&key) {
        return Err(unknown(key, "grantor", &OWN.join(", ")));
    }
    let is_text = value.as_str().is_some_and(|text| !text.is_empty());
    let names = |value: &Value| {
        value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_str))
    };
    let (fits, form) = match key {
        _ if SECRET.contains(&key) => (fits(value, true), FORMS),
        "read_only" => (value.is_bool(), "true or false"),
        "state_dir" | "policy" | "approvers" => (is_text, "a path"),
        declared::TIME_ZONE => (is_text, "a name such as \"Europe/Berlin\""),
        "vendors" => (names(value), "a list of names, or left out for all"),
        "consent_wait" => (value.is_integer(), "a number of seconds, as GRANTOR_CONSENT_WAIT"),
        "log_format" => (value.is_str(), "text: human or json, not a value of another kind"),
        _ => (value.is_str(), "text"),
    };
    // What is passed over would be a protection that is not given.
    if fits { Ok(()) } else { Err(format!("{key} in [grantor] must be {form}")) }
}

fn check_setting(vendor: &Vendor, key: &str, value: &Value) -> Result<(), String> {
    let mut variables = vendor.variables.iter();
    if let Some(variable) = variables.find(|known| key_of(vendor.name, known.name) == key) {
        let fits = fits(value, variable.secret);
        return if fits { Ok(()) } else { Err(format!("{key} must be {FORMS}")) };
    }
    // A table is offered where one was meant.
    let tables = vendor.tables.iter().filter(|_| value.is_table());
    let named = tables.clone().find(|table| table.name == key);
    if let (Some(named), Some(table)) = (named, value.as_table()) {
        return (named.check)(table).map_err(|text| format!("[{}.{key}]: {text}", vendor.name));
    }
    let keys = vendor.variables.iter().map(|variable| key_of(vendor.name, variable.name));
    let known: Vec<_> = keys.chain(tables.map(|table| table.name.to_owned())).collect();
    Err(unknown(key, vendor.name, &known.join(", ")))
}

fn unknown(key: &str, section: &str, known: &str) -> String {
    format!("there is no setting {key:?} in [{section}]; there are {known}")
}

pub(super) fn fits(value: &Value, secret: bool) -> bool {
    match value {
        Value::String(_) => true,
        Value::Table(table) if secret && table.len() == 1 => {
            let named = table.get("env").or_else(|| table.get("file")).and_then(Value::as_str);
            named.is_some_and(|name| !name.is_empty())
                || table
                    .get("command")
                    .and_then(Value::as_array)
                    .is_some_and(|line| !line.is_empty() && line.iter().all(Value::is_str))
        }
        _ => false,
    }
}

fn line_at(text: &str, end: usize) -> usize {
    1 + text.bytes().take(end).filter(|&byte| byte == b'\n').count()
}

/// The line of a key, for messages: the parsed tables no longer know it.
fn line_of(text: &str, section: &str, nth: usize, key: Option<&str>) -> usize {
    let (mut inside, mut before) = (false, nth);
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            let name = header.trim_start_matches('[').split(']').next();
            let is_named = name.map(str::trim) == Some(section);
            inside = is_named && before == 0;
            before = before.saturating_sub(usize::from(is_named));
            if inside && key.is_none() {
                return index + 1;
            }
        }
        let name = line.split('=').next().map(|name| name.trim().trim_matches('"'));
        if name == Some(key.unwrap_or(section)) && (inside || key.is_none()) {
            return index + 1;
        }
    }
    1
}
