//! Whom the configuration names: accounts that are aliases for addresses, and the requester's address.

use std::collections::{BTreeMap, HashMap, HashSet};

use toml::{Table, Value};

use super::file::File;
use super::tenants::Declared;
use super::{ConfigError, Sources};
use crate::input;
use crate::secret::is_secret;
use crate::text;
use crate::vendors::People;

/// The section that people are in.
pub(super) const SECTION: &str = "people";
const ME: &str = "me";
const ME_VARIABLE: &str = "GRANTOR_ME";
/// The longest address that mail has.
const LONGEST_ADDRESS: usize = 254;
const LONGEST_ACCOUNT: usize = 500;

/// Whom the configuration names, at all tenants.
#[derive(Clone, Debug, Default)]
pub struct NamedPeople {
    /// The requester's own address, and where it is set.
    pub me: Option<(String, &'static str)>,
    /// How many have an alias somewhere.
    pub count: usize,
    aliases: Vec<Alias>,
}

#[derive(Clone, Debug)]
struct Alias {
    address: String,
    /// The word of the tenant.
    tenant: String,
    account: String,
}

/// A key of the section, and what is wrong with it; with the section that it is in.
pub(super) type Wrong = (String, Option<String>, String);

/// The section as it is checked when its file is read.
pub(super) fn check(content: &Value) -> Result<(), Wrong> {
    let whole = |text: &str| (SECTION.to_owned(), None, text.to_owned());
    let content = content.as_table().ok_or_else(|| whole("people must be a section, [people]"))?;
    for (name, value) in content {
        if name == ME {
            check_me(value).map_err(|text| (SECTION.to_owned(), Some(ME.to_owned()), text))?;
        } else {
            check_person(name, value)
                .map_err(|(key, text)| (format!("{SECTION}.\"{name}\""), key, text))?;
        }
    }
    let mut known = HashMap::new();
    for name in content.keys().filter(|name| *name != ME) {
        if let Some(other) = known.insert(key(name), name) {
            let text = format!("{name:?} is named twice in [people], also as {other:?}: keep one");
            return Err((format!("{SECTION}.\"{name}\""), None, text));
        }
    }
    Ok(())
}

fn check_me(value: &Value) -> Result<(), String> {
    let Some(me) = value.as_str() else {
        return Err("me in [people] must be text: your e-mail address".to_owned());
    };
    odd_address(me).map_or(Ok(()), |odd| Err(format!("me in [people] {odd}")))
}

fn check_person(address: &str, value: &Value) -> Result<(), (Option<String>, String)> {
    if let Some(odd) = odd_address(address) {
        let text = format!(
            "[people.{address:?}] {odd}: a person is named by an e-mail address, [people.\"user@example.com\"]"
        );
        return Err((None, text));
    }
    let Some(accounts) = value.as_table() else {
        let text = format!(
            "[people.{address:?}] must be a section of accounts by tenant, such as NAME = \"…\""
        );
        return Err((None, text));
    };
    for (tenant, account) in accounts {
        let wrong = |text: &str| {
            let text = format!("{tenant} in [people.{address:?}] {text}");
            Err((Some(tenant.clone()), text))
        };
        let Some(account) = account.as_str() else {
            return wrong("must be text: the account's id or exact name there");
        };
        if let Some(odd) = odd_account(account) {
            return wrong(&odd);
        }
    }
    Ok(())
}

/// Why a text is no address, in words that follow its name.
fn odd_address(text: &str) -> Option<&'static str> {
    if let Some(trouble) = input::unfit(text) {
        return Some(trouble);
    }
    let is_odd = |c: char| c.is_whitespace() || "<>()[],;:\\\"“”".contains(c);
    if !text::is_clean(text) || text.contains(is_odd) {
        return Some("holds characters that are in no address");
    }
    let parts = text.split_once('@');
    let is_whole = |(local, domain): (&str, &str)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    };
    let fits = parts.is_some_and(is_whole) && text.len() <= LONGEST_ADDRESS;
    (!fits).then_some("is not an e-mail address")
}

fn odd_account(text: &str) -> Option<String> {
    if let Some(trouble) = input::unfit(text) {
        return Some(trouble.to_owned());
    }
    if let Some(what) = is_secret(text) {
        return Some(format!("holds {what}: an account's id or exact name belongs there"));
    }
    if text::is_blank(text) {
        return Some("is blank: give the account's id or exact name there".to_owned());
    }
    if !text::is_clean(text) || text.len() > LONGEST_ACCOUNT {
        return Some("holds characters that nobody can see, or is too long".to_owned());
    }
    (text.trim() != text).then(|| "begins or ends with a blank: take it away".to_owned())
}

/// How addresses and accounts are compared.
fn key(text: &str) -> String {
    text.to_lowercase()
}

impl NamedPeople {
    /// Those whom the administrator's file names, and those whom the operator's file names beside them.
    ///
    /// # Errors
    /// A tenant that there is not, or one account of two people.
    pub(super) fn of(
        sources: &Sources<'_>,
        file: &File,
        floor: &File,
        declared: &[Declared<'_>],
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut warnings = Vec::new();
        let mut people: BTreeMap<String, &Table> = BTreeMap::new();
        for (address, accounts) in floor.tables_in(SECTION) {
            people.insert(key(address), accounts);
        }
        let bound: HashSet<_> = people.keys().cloned().collect();
        for (address, accounts) in file.tables_in(SECTION) {
            let known = people.get(&key(address)).filter(|_| bound.contains(&key(address)));
            match known {
                Some(other) if *other != accounts => warnings.push(format!(
                    "{}: [people.{address:?}] has no effect: the administrator's file says who that is",
                    file.shown()
                )),
                Some(_) => {}
                None => {
                    people.insert(key(address), accounts);
                }
            }
        }
        let mut aliases = Vec::new();
        for (address, accounts) in &people {
            for (word, account) in accounts.iter() {
                let Some(tenant) = tenant(word, address, sources, file, floor, declared)? else {
                    continue;
                };
                let account = account.as_str().unwrap_or_default().to_owned();
                aliases.push(Alias { address: address.clone(), tenant, account });
            }
        }
        check_accounts(&aliases, &people)?;
        let me = me(sources, file, floor)?;
        let count = people.values().filter(|accounts| !accounts.is_empty()).count();
        Ok((Self { me, count, aliases }, warnings))
    }

    /// Whom it names at one tenant.
    pub(super) fn at(&self, tenant: &Declared<'_>) -> People {
        let own = self.aliases.iter().filter(|alias| alias.tenant == tenant.word());
        let own = own.map(|alias| (alias.address.clone(), alias.account.clone()));
        People::new(own, self.me.as_ref().map(|(me, _)| me.clone()))
    }
}

/// The requester's own address: the administrator's word for it, the variable, or the file.
fn me(
    sources: &Sources<'_>,
    file: &File,
    floor: &File,
) -> Result<Option<(String, &'static str)>, ConfigError> {
    if let Some(me) = floor.me() {
        return Ok(Some((me.to_owned(), "the administrator's file")));
    }
    let Some(me) = (sources.environment)(ME_VARIABLE) else {
        return Ok(file.me().map(|me| (me.to_owned(), "[people] of the configuration")));
    };
    let me = me.trim().to_owned();
    match odd_address(&me) {
        Some(odd) => {
            Err(ConfigError(format!("{ME_VARIABLE} {odd}: set it to your e-mail address")))
        }
        None => Ok(Some((me, ME_VARIABLE))),
    }
}

/// The tenant that a key names: by its own name, or by its vendor's where that leaves no choice. None
/// where there is such a tenant, and this process is a sandbox.
fn tenant(
    word: &str,
    address: &str,
    sources: &Sources<'_>,
    file: &File,
    floor: &File,
    declared: &[Declared<'_>],
) -> Result<Option<String>, ConfigError> {
    let wrong = |text: String| Err(ConfigError(format!("{word} in [people.{address:?}] {text}")));
    let own = declared.iter().find(|one| one.word() == word);
    let Some(own) = own else {
        let mut named = file.tenants().chain(floor.tenants());
        if sources.sandbox.is_some() && named.any(|(name, _)| name == word) {
            return Ok(None);
        }
        let known: Vec<_> = declared.iter().map(Declared::word).collect();
        return wrong(format!("names no tenant and no vendor; there are {}", known.join(", ")));
    };
    if own.name.is_some() || own.lives(sources) {
        return Ok(Some(word.to_owned()));
    }
    let others = declared.iter().filter(|one| one.vendor.name == word && one.name.is_some());
    let others: Vec<_> = others.map(Declared::word).collect();
    match others.as_slice() {
        [] => Ok(Some(word.to_owned())),
        [only] => Ok(Some((*only).to_owned())),
        several => wrong(format!(
            "names a vendor of which there are several tenants: name one of {}",
            several.join(", ")
        )),
    }
}

/// An account is one person's: whoever is named by it must be told from everybody else.
fn check_accounts(aliases: &[Alias], people: &BTreeMap<String, &Table>) -> Result<(), ConfigError> {
    let place = |one: &Alias| (one.tenant.clone(), one.address.clone());
    let all: HashSet<_> = aliases.iter().map(place).collect();
    let (mut by_account, mut by_address) = (HashMap::new(), HashMap::new());
    for (index, one) in aliases.iter().enumerate() {
        let Alias { address, tenant, account } = one;
        let account = key(account);
        let earlier = [
            by_account.insert((tenant, account.clone()), index),
            by_address.insert((tenant, address), index),
        ];
        let earlier = earlier.into_iter().flatten().min().and_then(|index| aliases.get(index));
        if let Some(other) = earlier {
            let (one, other) = (address, &other.address);
            let text = match one == other {
                true => format!("[people.{one:?}] names two accounts at {tenant}: keep one"),
                false => format!(
                    "[people.{other:?}] and [people.{one:?}] name one account at {tenant}: \
                     an account is one person's"
                ),
            };
            return Err(ConfigError(text));
        }
        // Whoever has no alias there is known by their address.
        if account != *address
            && people.contains_key(&account)
            && !all.contains(&(tenant.clone(), account.clone()))
        {
            return Err(ConfigError(format!(
                "[people.{address:?}] names the account of {account} at {tenant}, who is another person \
                 there: an account is one person's"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Flags};
    use super::*;

    const TENANTS: &str = "[tenants.odc-dev]\nvendor = \"outsystems\"\n\
                           [tenants.odc-prod]\nvendor = \"outsystems\"\n\
                           [tenants.cs]\nvendor = \"centrasite\"\n";

    /// The configuration of such files and variables; the first is the operator's.
    fn load(file: &str, floor: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let [path, bound] = ["config.toml", "floor.toml"].map(|name| dir.path().join(name));
        std::fs::write(&path, file).unwrap();
        std::fs::write(&bound, floor).unwrap();
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let flags =
            Flags { config: Some(path), state_dir: Some(dir.path().into()), ..Flags::default() };
        let floor = (!floor.is_empty()).then_some(bound.as_path());
        let sources = Sources { flags: &flags, environment: &environment, floor, sandbox: None };
        Config::load(&sources).map_err(|error| error.to_string())
    }

    fn aliases(config: &Config) -> Vec<String> {
        let said = |one: &Alias| format!("{} {} {}", one.tenant, one.address, one.account);
        config.people.aliases.iter().map(said).collect()
    }

    /// Each mistake is named, with its line where one key is at fault.
    #[test]
    fn mistakes_are_named() {
        for (people, told) in [
            ("people = 1", "people must be a section"),
            ("[people]\nme = 7", "line 6: me in [people] must be text"),
            ("[people]\nme = \"sam\"", "line 6: me in [people] is not an e-mail address"),
            ("[people]\nme = \"${ME}\"", "me in [people] looks like a placeholder"),
            ("[people.\"sam\"]\ncs = \"x\"", "line 5: [people.\"sam\"] is not an e-mail address"),
            ("[people.\"a@b@c\"]\ncs = \"x\"", "is not an e-mail address"),
            ("[people.\"Sam <a@b>\"]\ncs = \"x\"", "characters that are in no address"),
            ("[people.\"a\\u200b@b\"]\ncs = \"x\"", "characters that are in no address"),
            ("[people]\n\"a@b\" = \"x\"", "must be a section of accounts by tenant"),
            ("[people.\"a@b\"]\ncs = 7", "line 6: cs in [people.\"a@b\"] must be text"),
            ("[people.\"a@b\"]\ncs = \" \"", "cs in [people.\"a@b\"] is set and blank"),
            ("[people.\"a@b\"]\ncs = \"\"", "cs in [people.\"a@b\"] is blank"),
            ("[people.\"a@b\"]\ncs = \"x\\u0007\"", "characters that nobody can see"),
            ("[people.\"a@b\"]\ncs = \"x \"", "begins or ends with a blank"),
            ("[people.\"a@b\"]\ncs = \"{{x}}\"", "looks like a placeholder"),
            (
                "[people.\"a@b\"]\nsap = \"x\"",
                "sap in [people.\"a@b\"] names no tenant and no vendor",
            ),
            ("[people.\"a@b\"]\noutsystems = \"x\"", "name one of odc-dev, odc-prod"),
            (
                "[people.\"a@b\"]\ncs = \"x\"\n[people.\"c@d\"]\ncs = \"X\"",
                "[people.\"a@b\"] and [people.\"c@d\"] name one account at cs",
            ),
            // By its vendor's name it is the same tenant.
            (
                "[people.\"a@b\"]\ncs = \"x\"\n[people.\"c@d\"]\ncentrasite = \"x\"",
                "name one account at cs",
            ),
            ("[people.\"a@b\"]\ncs = \"x\"\ncentrasite = \"y\"", "names two accounts at cs"),
            ("[people.\"a@b\"]\ncs = \"x\"\n[people.\"A@b\"]\ncs = \"y\"", "is named twice"),
            (
                "[people.\"a@b\"]\ncs = \"c@d\"\n[people.\"c@d\"]\nodc-dev = \"y\"",
                "names the account of c@d at cs",
            ),
        ] {
            let tenants = if people.starts_with('[') { TENANTS_IN_FOUR_LINES } else { "" };
            let error = load(&format!("{tenants}{people}\n"), "", &[]).err();
            let error = error.unwrap_or_default();
            assert!(error.contains(told), "{people}: {error:?} does not say {told:?}");
        }
    }

    const TENANTS_IN_FOUR_LINES: &str = "[tenants]\nodc-dev = { vendor = \"outsystems\" }\nodc-prod = { vendor = \
                                       \"outsystems\" }\ncs = { vendor = \"centrasite\" }\n";

    #[test]
    fn an_alias_is_of_one_tenant() {
        for (people, found) in [
            ("", &[][..]),
            ("[people.\"A@b\"]\nCS = \"x\"", &[]),
            ("[people.\"A@b\"]\ncs = 'H\\x'", &["cs a@b H\\x"]),
            ("[people.\"a@b\"]\ncentrasite = \"x\"", &["cs a@b x"]),
            ("[people.\"a@b\"]\ndfns = \"x\"\nodc-dev = \"y\"", &["dfns a@b x", "odc-dev a@b y"]),
            // Two who have each other's accounts are told apart.
            (
                "[people.\"a@b\"]\ncs = \"c@d\"\n[people.\"c@d\"]\ncs = \"a@b\"",
                &["cs a@b c@d", "cs c@d a@b"],
            ),
        ] {
            let config = load(&format!("{TENANTS}{people}\n"), "", &[]);
            let told = config.as_ref().map(aliases).unwrap_or_default();
            assert_eq!(told, found, "{people}");
            assert_eq!(config.is_err(), people.contains("CS"), "{people}");
        }
    }

    #[test]
    fn me_is_the_variables_or_the_files_and_the_administrators_first() {
        const FILE: &str = "[people]\nme = \"file@example.com\"\n";
        for (file, variables, me) in [
            ("", &[][..], None),
            (FILE, &[], Some("file@example.com")),
            (FILE, &[("GRANTOR_ME", " me@example.com")], Some("me@example.com")),
        ] {
            let config = load(file, "", variables).unwrap();
            assert_eq!(config.people.me.as_ref().map(|(me, _)| me.as_str()), me, "{file}");
        }
        for odd in ["sam", "${ME}", "a b@c"] {
            let error = load("", "", &[("GRANTOR_ME", odd)]).err().unwrap_or_default();
            assert!(error.starts_with("GRANTOR_ME "), "{error:?}");
        }
    }

    /// What root's file says of a person is all that is said of them. Only root can write such a file.
    #[cfg(unix)]
    #[test]
    fn the_administrators_file_names_whom_nobody_names_otherwise() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        if std::fs::metadata(dir.path()).unwrap().uid() != 0 {
            return;
        }
        const FLOOR: &str = "[people]\nme = \"root@b\"\n[people.\"a@b\"]\ncentrasite = \"x\"\n";
        for (own, found, warned) in [
            ("", &["centrasite a@b x"][..], false),
            ("[people.\"a@b\"]\ncentrasite = \"x\"", &["centrasite a@b x"], false),
            ("[people.\"A@b\"]\ncentrasite = \"y\"", &["centrasite a@b x"], true),
            ("[people.\"a@b\"]\ndfns = \"y\"", &["centrasite a@b x"], true),
            ("[people.\"c@b\"]\ndfns = \"y\"", &["centrasite a@b x", "dfns c@b y"], false),
        ] {
            let config = load(own, FLOOR, &[("GRANTOR_ME", "me@b")]).unwrap();
            assert_eq!(aliases(&config), found, "{own}");
            assert_eq!(config.people.me.as_ref().map(|(me, _)| me.as_str()), Some("root@b"));
            let warnings = config.warnings.join(" ");
            assert_eq!(warnings.contains("has no effect"), warned, "{own}: {warnings}");
        }
        let error =
            load("[people.\"c@b\"]\ncentrasite = \"X\"", FLOOR, &[]).err().unwrap_or_default();
        assert!(error.contains("name one account at centrasite"), "{error}");
    }
}
