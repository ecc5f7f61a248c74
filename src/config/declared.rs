//! What is declared for rules to speak of: teams, accounts, labels and the time zone. Where the
//! administrator's file is there, it alone says so: who is bound by rules does not say what they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use toml::{Table, Value};

use super::ConfigError;
use super::file::File;
use crate::guard::{Accounts, Declared, Label, UNLABELLED};
use crate::text;

/// A section of the file that declares something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Teams,
    Accounts,
    Labels,
}

/// What is wrong with a section: where, the how-manieth of that name, the key where it is one's fault, and
/// what.
pub(super) struct Wrong {
    pub section: String,
    pub nth: usize,
    pub key: Option<String>,
    pub text: String,
}

pub(super) const TIME_ZONE: &str = "time_zone";
const MEMBERS: &str = "members";
const ADDRESSES: &str = "addresses";
/// What a label's table holds.
const OF_LABEL: [&str; 4] = ["label", "vendor", "tenant", "resource"];
const LONGEST: usize = 64;
/// Where systems keep their time zones. No variable is asked: it is whoever starts the program that sets it.
const ZONES: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

impl Section {
    pub(super) const ALL: [Self; 3] = [Self::Teams, Self::Accounts, Self::Labels];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.as_str() == name)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Accounts => "accounts",
            Self::Labels => "labels",
        }
    }

    pub(super) fn check(self, content: &Value) -> Result<(), Wrong> {
        match self {
            Self::Teams => self.check_tables(content, |key, value| match key {
                MEMBERS => texts(value).map(drop),
                _ => Err(format!("there is no setting {key:?} here; there is {MEMBERS}")),
            }),
            Self::Accounts => self.check_tables(content, |key, value| {
                let texts = texts(value)?;
                if key != ADDRESSES {
                    return Ok(());
                }
                let odd = |odd: String| format!("{odd:?} is no address, such as ada@example.com");
                Accounts::new(&texts, BTreeMap::new()).map(drop).map_err(odd)
            }),
            Self::Labels => check_labels(content),
        }
    }

    /// Tables by their names, each key of which is checked.
    fn check_tables(
        self,
        content: &Value,
        check: impl Fn(&str, &Value) -> Result<(), String>,
    ) -> Result<(), Wrong> {
        let section = self.as_str();
        let wrong = |section: String, key: Option<&String>, text| Wrong {
            section,
            nth: 0,
            key: key.cloned(),
            text,
        };
        let Some(tables) = content.as_table() else {
            let text = format!("{section} holds sections, [{section}.NAME]");
            return Err(wrong(section.to_owned(), None, text));
        };
        for (name, table) in tables {
            let place = format!("{section}.{name}");
            if text::is_blank(name) || !text::is_clean(name) {
                let text = format!("{name:?} in [{section}] is no name");
                return Err(wrong(place, None, text));
            }
            let Some(table) = table.as_table() else {
                let text = format!("{name} must be a section, [{place}]");
                return Err(wrong(section.to_owned(), Some(name), text));
            };
            for (key, value) in table {
                check(key, value)
                    .map_err(|text| format!("{key} in [{place}]: {text}"))
                    .map_err(|text| wrong(place.clone(), Some(key), text))?;
            }
        }
        Ok(())
    }
}

fn check_labels(content: &Value) -> Result<(), Wrong> {
    let wrong = |nth, key: Option<&str>, text: String| {
        let section = Section::Labels.as_str().to_owned();
        Err(Wrong { section, nth, key: key.map(str::to_owned), text })
    };
    let Some(labels) = content.as_array() else {
        return wrong(0, None, "labels are written as [[labels]], each by itself".to_owned());
    };
    for (nth, label) in labels.iter().enumerate() {
        let Some(table) = label.as_table() else {
            return wrong(nth, None, "labels are written as [[labels]], each by itself".to_owned());
        };
        let Some(word) = table.get("label") else {
            return wrong(nth, None, "[[labels]] needs a label".to_owned());
        };
        if let Some(trouble) = odd_label(word) {
            return wrong(nth, Some("label"), format!("label in [[labels]] {trouble}"));
        }
        for (key, value) in table {
            if !OF_LABEL.contains(&key.as_str()) {
                let known = OF_LABEL.join(", ");
                let text = format!("there is no setting {key:?} in [[labels]]; there are {known}");
                return wrong(nth, Some(key), text);
            }
            let Some(said) = value.as_str().filter(|said| !text::is_blank(said)) else {
                return wrong(nth, Some(key), format!("{key} in [[labels]] must be text"));
            };
            if key == "vendor" && crate::vendors::named(said).is_none() {
                let text = format!("vendor in [[labels]] must be one of {}", super::known());
                return wrong(nth, Some(key), text);
            }
        }
    }
    Ok(())
}

fn odd_label(word: &Value) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.:".contains(c);
    match word.as_str() {
        Some(UNLABELLED) => Some("is what has no label; call it otherwise"),
        Some(word) if !word.is_empty() && word.len() <= LONGEST && word.chars().all(fits) => None,
        _ => Some("must be at most 64 small letters, digits, -, _, . and :"),
    }
}

/// # Errors
/// It is no list of texts that somebody can read.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let is_read = |text: &&str| !text::is_blank(text) && text::is_clean(text);
    let text = |value: &Value| value.as_str().filter(is_read).map(str::to_owned);
    let all = value.as_array().and_then(|all| all.iter().map(text).collect::<Option<Vec<_>>>());
    all.ok_or_else(|| "it must be a list of texts".to_owned())
}

/// What is declared, and what is to be known of it.
///
/// # Errors
/// There is no such time zone.
pub(super) fn declared(file: &File, floor: &File) -> Result<(Declared, Vec<String>), ConfigError> {
    let of = if floor.is_there() { floor } else { file };
    let mut warnings = if floor.is_there() { passed_over(file) } else { Vec::new() };
    // Rules are told no name that the requester gives.
    let tenants: BTreeSet<_> = of.tenants().map(|(name, _)| name).collect();
    let is_known = |name: &str| crate::vendors::named(name).is_some() || tenants.contains(name);
    let mut declared = Declared { time_zone: time_zone(of)?, ..Declared::default() };
    for (name, table) in of.tables_in(Section::Teams.as_str()) {
        let members = table.get(MEMBERS).and_then(|members| texts(members).ok());
        declared.teams.insert(name.to_owned(), members.into_iter().flatten().collect());
    }
    for (name, table) in of.tables_in(Section::Accounts.as_str()) {
        let unknown = table.keys().filter(|key| *key != ADDRESSES && !is_known(key));
        warnings.extend(unknown.map(|key| {
            format!("{key} in [accounts.{name}] is no vendor and no tenant: it says nothing")
        }));
        declared.accounts.insert(name.to_owned(), accounts(table));
    }
    for label in of.labels() {
        let text = |key: &str| label.get(key).and_then(Value::as_str).map(str::to_owned);
        let (word, tenant) = (text("label").unwrap_or_default(), text("tenant"));
        if let Some(tenant) = tenant.as_deref().filter(|tenant| !is_known(tenant)) {
            warnings.push(format!("label {word:?}: there is no tenant {tenant:?}"));
        }
        let resource = text("resource");
        declared.labels.push(Label::new(word, text("vendor"), tenant, resource.as_deref()));
    }
    Ok((declared, warnings))
}

/// What another file declares, such as a table of decisions, in the sections of a configuration file and
/// in a time zone, and what is to be known of it. `tenants` are the names that tenants have there.
///
/// # Errors
/// A section does not hold, or there is no such time zone.
pub fn declared_by<'n>(
    path: &Path,
    text: &str,
    all: &Table,
    tenants: impl Iterator<Item = &'n str>,
) -> Result<(Declared, Vec<String>), ConfigError> {
    let sections = Section::ALL.into_iter().map(Section::as_str);
    let mut tables: Table = sections
        .filter_map(|section| Some((section.to_owned(), all.get(section)?.clone())))
        .collect();
    if let Some(zone) = all.get(TIME_ZONE) {
        let own = Table::from_iter([(TIME_ZONE.to_owned(), zone.clone())]);
        tables.insert("grantor".to_owned(), Value::Table(own));
    }
    let file = File::declaring(path, text, tables, tenants)?;
    declared(&file, &File::default())
}

fn accounts(table: &Table) -> Accounts {
    let read = |value: &Value| texts(value).unwrap_or_default();
    let addresses = table.get(ADDRESSES).map(read).unwrap_or_default();
    let at = table.iter().filter(|(key, _)| *key != ADDRESSES);
    let at = at.map(|(key, value)| (key.clone(), read(value).into_iter().collect())).collect();
    // What is no address did not pass the check of the file.
    Accounts::new(&addresses, at).unwrap_or_default()
}

/// What a file says that the administrator's alone may say.
fn passed_over(file: &File) -> Vec<String> {
    let sections = Section::ALL.into_iter().map(Section::as_str);
    let mut over: Vec<_> = sections
        .filter(|section| file.has_section(section))
        .map(|section| format!("[{section}]"))
        .collect();
    over.extend(file.has(TIME_ZONE).then(|| TIME_ZONE.to_owned()));
    let told = |what: String| {
        format!(
            "{what} of your file has no effect: an administrator's file is there, and says such things"
        )
    };
    over.into_iter().map(told).collect()
}

/// The zone of this name, such as `Europe/Berlin`, as this system has it.
pub fn zone_of(name: &str) -> Option<TimeZone> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/_+-".contains(letter);
    if name == "UTC" || !name.contains('/') || !name.chars().all(is_plain) {
        return (name == "UTC").then_some(TimeZone::UTC);
    }
    let places = ZONES.iter().map(Path::new);
    let mut databases = places.filter_map(|place| TimeZoneDatabase::from_dir(place).ok());
    databases.find_map(|database| database.get(name).ok())
}

fn time_zone(of: &File) -> Result<Option<(String, TimeZone)>, ConfigError> {
    let Some(name) = of.text(TIME_ZONE) else { return Ok(None) };
    match zone_of(name) {
        Some(zone) => Ok(Some((name.to_owned(), zone))),
        None => Err(ConfigError(format!(
            "{TIME_ZONE} {name:?}: this system knows no such time zone; give one such as \
             \"Europe/Berlin\", or install its time zones"
        ))),
    }
}
