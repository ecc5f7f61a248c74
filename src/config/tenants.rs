//! Which tenants there are: those that are named as their vendor, and those that the operator names.

use toml::{Table, Value};

use super::file::{File, key_of};
use super::{ConfigError, Sources, floor};
use crate::settings::Settings;
use crate::vendors::{VENDORS, Vendor};

/// A tenant as it is declared, before its settings are read.
pub(super) struct Declared<'f> {
    pub vendor: &'static Vendor,
    /// None where it is named as its vendor.
    pub name: Option<String>,
    pub title: Option<String>,
    pub read_only: bool,
    pub formerly: Vec<String>,
    /// What the operator's file says of it.
    pub own: Option<&'f Table>,
    /// What the administrator's file says of it, which wins.
    pub floor: Option<&'f Table>,
    /// Why it is left out, whatever is set for it.
    pub barred: Option<String>,
}

/// The section that the operator's tenants are in.
pub(super) const SECTION: &str = "tenants";
const VENDOR: &str = "vendor";
const TITLE: &str = "title";
const READ_ONLY: &str = "read_only";
const FORMERLY: &str = "formerly";
/// What a tenant's section holds beside the settings of its vendor.
const OWN: [&str; 4] = [VENDOR, TITLE, READ_ONLY, FORMERLY];
const LONGEST: usize = 32;
/// What a title may be, for people.
const LONGEST_TITLE: usize = 100;
pub(super) const NAMES: &str = "GRANTOR_TENANTS";

impl Declared<'_> {
    pub(super) fn word(&self) -> &str {
        self.name.as_deref().unwrap_or(self.vendor.name)
    }

    /// Whether anything at all is set for it.
    pub(super) fn lives(&self, sources: &Sources<'_>) -> bool {
        let set = |variable: &crate::settings::Variable| {
            let file = format!("{}_FILE", variable.name);
            [variable.name, &file].iter().any(|name| (sources.environment)(name).is_some())
        };
        self.is_written() || (self.name.is_none() && self.vendor.variables.iter().any(set))
    }

    /// Whether somebody has written anything of it.
    fn is_written(&self) -> bool {
        self.own.is_some() || self.floor.is_some()
    }
}

/// The tenants of all vendors, each vendor's own first.
///
/// # Errors
/// What two sections say of a tenant does not go together.
pub(super) fn declared<'f>(
    sources: &Sources<'_>,
    file: &'f File,
    floor: &'f File,
) -> Result<Vec<Declared<'f>>, ConfigError> {
    let mut all = Vec::new();
    for &vendor in VENDORS {
        all.push(declare(vendor, None, file, floor)?);
        let of_vendor =
            |table: &Table| table.get(VENDOR).and_then(Value::as_str) == Some(vendor.name);
        let mut names: Vec<&str> = Vec::new();
        for (name, table) in floor.tenants().chain(file.tenants()) {
            if of_vendor(table) && name != vendor.name && !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names.into_iter().filter(|_| sources.sandbox.is_none()) {
            all.push(declare(vendor, Some(name), file, floor)?);
        }
    }
    if sources.sandbox.is_some() {
        for one in &mut all {
            (one.own, one.floor, one.barred) = (None, None, None);
            (one.title, one.read_only) = (None, false);
            one.formerly.clear();
        }
        return Ok(all);
    }
    check_former(&all, |one| one.lives(sources))?;
    Ok(all)
}

fn declare<'f>(
    vendor: &'static Vendor,
    name: Option<&str>,
    file: &'f File,
    floor: &'f File,
) -> Result<Declared<'f>, ConfigError> {
    let word = name.unwrap_or(vendor.name);
    let (mut own, bound) = (file.tenant(word), floor.tenant(word));
    let of = |table: &Table| table.get(VENDOR).and_then(Value::as_str).map(str::to_owned);
    if let (Some(own), Some(bound)) = (own.and_then(of), bound.and_then(of))
        && own != bound
    {
        return Err(ConfigError(format!(
            "[{SECTION}.{word}] is of {own}, and the administrator's file says that it is of {bound}"
        )));
    }
    if name.is_none() {
        if own.is_some() && file.vendor(word).is_some() {
            return Err(ConfigError(format!(
                "[{word}] and [{SECTION}.{word}] are one tenant: keep one of the two sections"
            )));
        }
        own = own.or(file.vendor(word));
    }
    let said = |key: &str| bound.and_then(|table| table.get(key)).or_else(|| own?.get(key));
    let is_read_only = |table: Option<&Table>| {
        table.and_then(|table| table.get(READ_ONLY)).and_then(Value::as_bool) == Some(true)
    };
    let formerly = said(FORMERLY).and_then(Value::as_array).into_iter().flatten();
    let named = floor.tenants().filter(|(_, table)| of(table).as_deref() == Some(vendor.name));
    let named: Vec<_> = named.map(|(name, _)| name).collect();
    let barred = (!named.is_empty() && bound.is_none()).then(|| {
        let named = named.join(", ");
        format!("an administrator says which tenants of {} there are: {named}", vendor.name)
    });
    Ok(Declared {
        vendor,
        name: name.map(str::to_owned),
        title: said(TITLE).and_then(Value::as_str).map(str::to_owned),
        read_only: is_read_only(own) || is_read_only(bound),
        formerly: formerly.filter_map(|old| Some(old.as_str()?.to_owned())).collect(),
        own,
        floor: bound,
        barred,
    })
}

/// Whether the names that tenants had before are nobody else's.
fn check_former(
    all: &[Declared<'_>],
    lives: impl Fn(&Declared<'_>) -> bool,
) -> Result<(), ConfigError> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for one in all {
        for old in &one.formerly {
            let word = one.word();
            let wrong = |why: String| {
                Err(ConfigError(format!("[{SECTION}.{word}]: formerly names {old:?}, {why}")))
            };
            let other = all.iter().find(|other| other.word() == old);
            if old == word {
                return wrong("which is its name".to_owned());
            }
            if other.is_some_and(|other| other.name.is_some() || lives(other)) {
                return wrong(format!("and there is a tenant of that name ([{old}])"));
            }
            if other.is_some_and(|other| other.vendor.name != one.vendor.name) {
                return wrong("which is another vendor".to_owned());
            }
            if let Some((_, other)) = known.iter().find(|(name, _)| name == old) {
                return wrong(format!("and so does [{SECTION}.{other}]"));
            }
            known.push((old, word));
        }
    }
    Ok(())
}

/// Whether the files are root's that a tenant's secrets are in, where the administrator's file says so.
///
/// # Errors
/// Somebody else can write one.
pub(super) fn of_root(tenant: &Declared<'_>, settings: &Settings) -> Result<(), ConfigError> {
    let bound = |name: &str| {
        let key = key_of(tenant.vendor.name, name);
        tenant.floor.is_some_and(|table| table.contains_key(&key))
    };
    settings.files_of(bound).try_for_each(floor::check)
}

/// Those that flags or environment leave in.
///
/// # Errors
/// One that is named is not there.
pub(super) fn chosen<'d>(
    sources: &Sources<'_>,
    all: Vec<Declared<'d>>,
) -> Result<Vec<Declared<'d>>, ConfigError> {
    let words: Vec<_> = all.iter().map(|one| one.word().to_owned()).collect();
    let known = words.join(", ");
    let mut names = sources.flags.tenants.clone();
    let mut by = "--tenant";
    if names.is_empty() {
        let Some(text) = (sources.environment)(NAMES) else { return Ok(all) };
        by = NAMES;
        let given = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names = given.map(str::to_owned).collect();
        if names.is_empty() {
            return Err(ConfigError(format!(
                "{NAMES} is set and names no tenant; there are {known}; unset it for all"
            )));
        }
    }
    if let Some(name) = names.iter().find(|name| !words.contains(name)) {
        let near = words.iter().filter_map(|word| Some((crate::text::slips(name, word)?, word)));
        let near = near.min().map(|(_, word)| format!(" (did you mean {word}?)"));
        let near = near.unwrap_or_default();
        return Err(ConfigError(format!(
            "{by} names {name:?}, and there is no such tenant{near}; there are {known}"
        )));
    }
    Ok(all.into_iter().filter(|one| names.iter().any(|name| name == one.word())).collect())
}

/// What is wrong with a tenant's section: with the key where it is one's fault.
pub(super) fn check(
    name: &str,
    table: &Value,
    setting: impl Fn(&Vendor, &str, &Value) -> Result<(), String>,
) -> Result<(), (Option<String>, String)> {
    let whole = |text: String| Err((None, text));
    if let Some(trouble) = odd_name(name) {
        return whole(format!("{name:?} {trouble}"));
    }
    let Some(table) = table.as_table() else {
        return whole(format!("{name} must be a section, [{SECTION}.{name}]"));
    };
    let known: Vec<_> = VENDORS.iter().map(|vendor| vendor.name).collect();
    let known = known.join(", ");
    let Some(vendor) = table.get(VENDOR) else {
        return whole(format!("[{SECTION}.{name}] needs a vendor; there are {known}"));
    };
    let Some(vendor) = vendor.as_str().and_then(crate::vendors::named) else {
        let text = format!("vendor in [{SECTION}.{name}] must be one of {known}");
        return Err((Some(VENDOR.to_owned()), text));
    };
    if crate::vendors::named(name).is_some_and(|of| of.name != vendor.name) {
        return whole(format!(
            "[{SECTION}.{name}] is a tenant of {}: the name of a vendor is for a tenant of that vendor",
            vendor.name
        ));
    }
    for (key, value) in table {
        let checked = match key.as_str() {
            VENDOR => Ok(()),
            TITLE => value
                .as_str()
                .and_then(odd_title)
                .map_or(if value.is_str() { Ok(()) } else { Err("must be text") }, Err),
            READ_ONLY => value.as_bool().map(|_| ()).ok_or("must be true or false"),
            FORMERLY => former(name, value),
            key => {
                let text = setting(vendor, key, value);
                if let Err(text) = text {
                    let text = text.replace(
                        &format!("[{}]; there are ", vendor.name),
                        &format!("[{SECTION}.{name}]; there are {}, ", OWN.join(", ")),
                    );
                    return Err((Some(key.to_owned()), text));
                }
                Ok(())
            }
        };
        if let Err(trouble) = checked {
            return Err((Some(key.clone()), format!("{key} in [{SECTION}.{name}] {trouble}")));
        }
    }
    Ok(())
}

fn former(name: &str, value: &Value) -> Result<(), &'static str> {
    let names = value.as_array().ok_or("must be a list of names")?;
    for old in names {
        let old = old.as_str().ok_or("must be a list of names")?;
        if odd_name(old).is_some() {
            return Err("must be a list of names that a tenant can have had");
        }
        if old == name {
            return Err("names its own name");
        }
    }
    Ok(())
}

fn odd_name(name: &str) -> Option<&'static str> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let fits = begins && name.len() <= LONGEST && name.chars().all(fits);
    (!fits).then_some(
        "is no name for a tenant: it begins with a small letter and has at most 32 small letters, \
         digits and hyphens",
    )
}

fn odd_title(title: &str) -> Option<&'static str> {
    let odd = crate::text::is_blank(title)
        || title.chars().count() > LONGEST_TITLE
        || title.chars().any(char::is_control);
    odd.then_some("must be a line of text, of at most 100 characters")
}
