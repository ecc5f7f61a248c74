//! Where a team keeps its ledger: `[store]`.

use secrecy::SecretString;
use toml::{Table, Value};

use super::file::{FORMS, File, fits};
use super::gather;
use super::http::Wrong;
use super::own::LEDGER_KEY;
use super::{Config, ConfigError};
use crate::ledger::{Ledger, SharedStore};
use crate::secret::{Secret, SecretSource};
use crate::settings::Settings;

/// The section that all of it is in.
pub(super) const SECTION: &str = "store";
const URL: &str = "url";
const OWNER: &str = "owner_url";
const CHAIN: &str = "chain";
const KEYS: [&str; 3] = [URL, OWNER, CHAIN];
const SECRETS: [&str; 2] = [URL, OWNER];
const USUAL_CHAIN: &str = "grantor";
/// A folder has the name as well.
const LONGEST_NAME: usize = 32;
/// What a sandbox does is in a chain of its own.
const SANDBOX: &str = "-sandbox";

/// The process environment.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where the ledger is kept, where that is a database.
#[derive(Default)]
pub(super) struct Store {
    pub shared: Option<SharedStore>,
    /// As whom its tables are made.
    pub owner: Option<Secret>,
}

/// The section as it is checked when its file is read.
pub(super) fn check(content: &Value) -> Result<(), Wrong> {
    let wrong =
        |key: Option<&str>, text: String| Err((SECTION.to_owned(), key.map(str::to_owned), text));
    let Some(content) = content.as_table() else {
        return wrong(None, format!("{SECTION} must be a section, [{SECTION}]"));
    };
    for (key, value) in content {
        let trouble = match key.as_str() {
            URL | OWNER => (!fits(value, true)).then(|| format!("must be {FORMS}")),
            CHAIN => value.as_str().map_or(Err(()), is_name).err().map(|()| NAMES.to_owned()),
            _ => Some(format!("is no setting there; there are {}", KEYS.join(", "))),
        };
        if let Some(trouble) = trouble {
            return wrong(Some(key), format!("{key} in [{SECTION}] {trouble}"));
        }
    }
    Ok(())
}

const NAMES: &str =
    "must be a name of small letters, digits and hyphens that begins with a letter, at most 32";

fn is_name(name: &str) -> Result<(), ()> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_plain);
    if fits { Ok(()) } else { Err(()) }
}

impl Config {
    /// The ledger that is set up here, which has its key and its database from now on.
    pub fn ledger(&mut self) -> Ledger {
        Ledger::kept(&self.state_dir, self.ledger_key.take(), self.store.take())
    }

    /// # Errors
    /// The ledger is in a database, and the key is not given that all machines seal with.
    pub fn has_key_for_store(&self) -> Result<(), ConfigError> {
        if self.store.is_none() || self.ledger_key.is_some() {
            return Ok(());
        }
        Err(ConfigError(format!(
            "{LEDGER_KEY} is needed where the ledger is in a database: every machine that writes to it \
             seals with the same key; `openssl rand -hex 32` makes one"
        )))
    }
}

impl Store {
    /// What the administrator's file says, or else the environment, or else the operator's file.
    ///
    /// # Errors
    /// It cannot be told where it is: no other place is taken in its stead.
    pub(super) fn of(
        file: &File,
        floor: &File,
        env: Environment<'_>,
        is_sandbox: bool,
    ) -> Result<Self, String> {
        let has_floor = floor.has_section(SECTION);
        let nobody: Environment<'_> = &|_| None;
        let (file, direct) = if has_floor { (floor, nobody) } else { (file, env) };
        let section = file.section(SECTION);
        let chain = direct("GRANTOR_STORE_CHAIN")
            .or_else(|| Some(section?.get(CHAIN)?.as_str()?.to_owned()))
            .unwrap_or_else(|| USUAL_CHAIN.to_owned());
        is_name(&chain).map_err(|()| format!("GRANTOR_STORE_CHAIN {NAMES}"))?;
        let chain = if is_sandbox { format!("{chain}{SANDBOX}") } else { chain };
        let secret = |key: &str| secret(key, section, file, (direct, env));
        let shared = secret(URL)?.map(|url| SharedStore { url, chain });
        Ok(Self { shared, owner: secret(OWNER)? })
    }
}

/// What the lines are sealed with, wherever they are.
pub(super) fn ledger_key(own: &Settings) -> Result<Option<Secret>, ConfigError> {
    own.has(LEDGER_KEY).then(|| own.secret(LEDGER_KEY).map_err(ConfigError)).transpose()
}

/// A secret of the section, which a variable or the file it names may hold as well.
fn secret(
    key: &str,
    section: Option<&Table>,
    file: &File,
    (direct, env): (Environment<'_>, Environment<'_>),
) -> Result<Option<Secret>, String> {
    let name = format!("GRANTOR_STORE_{}", key.to_uppercase());
    let of_file = super::paths::of_environment(&format!("{name}_FILE"), direct)?;
    match (direct(&name), of_file) {
        (Some(_), Some(_)) => Err(format!("{name} and {name}_FILE are both set: unset one")),
        (Some(text), None) => Ok(Some(Secret::new(name, SecretSource::Inline(text.into())))),
        (None, Some(path)) => Ok(Some(Secret::new(name, SecretSource::File(path)))),
        (None, None) => section
            .and_then(|table| table.get(key))
            .map(|value| gather::secret(&format!("{key} in [{SECTION}]"), value, env, file))
            .transpose(),
    }
}

/// Those that are written into the file as they are.
pub(super) fn inline(file: &File) -> impl Iterator<Item = SecretString> {
    let of = |key: &str| Some(file.section(SECTION)?.get(key)?.as_str()?.to_owned());
    SECRETS.into_iter().filter_map(of).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_without_what_is_secret() {
        let checked =
            |lines: &str| check(&Value::Table(lines.parse().unwrap())).map_err(|(_, _, text)| text);
        for lines in [
            "",
            "url = \"postgres://a:hunter2@db/c\"\nchain = \"acme-2\"",
            "url = { file = \"/run/secrets/store\" }\nowner_url = { env = \"OWNER\" }",
        ] {
            assert_eq!(checked(lines), Ok(()), "{lines}");
        }
        for (lines, told) in [
            ("url = 5", "url in [store] must be"),
            ("chain = \"../x\"", "small letters"),
            ("chain = \"\"", "small letters"),
            ("chain = \"2\"", "begins with a letter"),
            ("password = \"hunter2\"", "is no setting there; there are url, owner_url, chain"),
        ] {
            let text = checked(lines).unwrap_err();
            assert!(text.contains(told) && !text.contains("hunter2"), "{lines}: {text}");
        }
    }
}
