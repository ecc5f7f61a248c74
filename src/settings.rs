//! One vendor's settings, as they were gathered, and the process environment that some are from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use toml::Table;

use crate::draft::Base;
use crate::input;
use crate::secret::{Secret, SecretSource, expose, readable_by_others};

/// One setting of a vendor.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    pub secret: bool,
    pub need: Need,
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    Default(&'static str),
    Optional,
}

/// The process environment.
///
/// What is no text is given as far as it can be read: nothing that is set counts as unset.
#[expect(clippy::disallowed_methods, reason = "configuration is where the environment is read")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| input::filled(&value.to_string_lossy()))
}

/// The words that this process was started with, its own name first.
pub fn arguments() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::args_os()
}

/// This program, by the path that whoever started it used where that leads to it: past no link, so that a
/// link that an upgrade moves is what is named.
///
/// # Errors
/// It is gone, or nothing says where it is.
pub fn program() -> std::io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let real = exe.canonicalize()?;
    let called = PathBuf::from(arguments().next().unwrap_or_default());
    let places: Vec<PathBuf> = match called.components().count() {
        0 => Vec::new(),
        1 => {
            let path = environment("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|folder| folder.join(&called)).collect()
        }
        _ => vec![std::path::absolute(&called)?],
    };
    let is_it =
        |path: &PathBuf| path.is_absolute() && path.canonicalize().is_ok_and(|found| found == real);
    Ok(places.into_iter().find(is_it).unwrap_or(exe))
}

/// What is set for one vendor. Reading a setting that is missing or wrong gives the sentence that
/// says so; [`all`] gathers such sentences.
pub struct Settings {
    variables: &'static [Variable],
    found: BTreeMap<&'static str, Found>,
    table: Option<Table>,
    /// The name of the tenant whose they are, where it is another than its vendor's.
    tenant: Option<String>,
}

/// What a setting is called where it is asked for: the variable, or the key in its tenant's section.
pub fn called(tenant: Option<&str>, name: &str) -> String {
    let Some(tenant) = tenant else { return name.to_owned() };
    let key = name.split_once('_').map_or(name, |(_, key)| key).to_lowercase();
    format!("{key} in [tenants.{tenant}]")
}

/// Where a setting was found, and what it is.
pub(crate) enum Found {
    Text(String),
    Inline(SecretString),
    File(PathBuf),
    Command(Vec<String>),
    /// A variable the file names, which is not set.
    Unset(String),
    /// Set a second time, by this variable.
    Twice(String),
    /// Named by a path that cannot be told, or nothing that can have been meant.
    Wrong(String),
}

impl Settings {
    /// What was found of `variables`, and the vendor's section of the file.
    pub(crate) fn new(
        variables: &'static [Variable],
        found: BTreeMap<&'static str, Found>,
        table: Option<Table>,
    ) -> Self {
        Self { variables, found, table, tenant: None }
    }

    /// The same of a tenant that has a name of its own.
    pub(crate) fn of(self, tenant: Option<&str>) -> Self {
        Self { tenant: tenant.map(str::to_owned), ..self }
    }

    /// What a setting is called where it is asked for.
    pub fn called(&self, name: &str) -> String {
        called(self.tenant.as_deref(), name)
    }

    /// Whether all that is set is the same, as far as that can be seen.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.found.len() == other.found.len()
            && self
                .found
                .iter()
                .all(|(name, one)| other.found.get(name).is_some_and(|other| one.is_same(other)))
    }

    /// Whether nothing at all is set.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// The text of a setting that is not secret, or its default.
    pub fn get(&self, name: &str) -> Option<&str> {
        match (self.found.get(name), self.variable(name)?.need) {
            (Some(Found::Text(text)), _) => Some(text),
            (None, Need::Default(text)) => Some(text),
            _ => None,
        }
    }

    /// # Errors
    /// It is missing, or a placeholder.
    pub fn text(&self, name: &str) -> Result<String, String> {
        match self.found.get(name) {
            Some(Found::Wrong(trouble)) => Err(trouble.clone()),
            _ => self.get(name).map(str::to_owned).ok_or_else(|| self.missing(name)),
        }
    }

    /// A user name as HTTP Basic carries it.
    ///
    /// # Errors
    /// It is missing, a placeholder, or holds a colon.
    pub fn user(&self, name: &str) -> Result<String, String> {
        let user = self.text(name)?;
        if user.contains(':') {
            let name = self.called(name);
            return Err(format!(
                "{name} holds a colon, where HTTP Basic ends a user name: give the name alone"
            ));
        }
        Ok(user)
    }

    /// # Errors
    /// It is missing, or not a URL that credentials may be sent to.
    pub fn url(&self, name: &str) -> Result<Base, String> {
        let text = self.text(name)?;
        let told = |trouble: &str| format!("{} {trouble}", self.called(name));
        input::odd_url(&text).map_or(Ok(()), |trouble| Err(told(trouble)))?;
        Base::parse(&text).map_err(told)
    }

    /// # Errors
    /// It is set, and not a URL that credentials may be sent to.
    pub fn url_maybe(&self, name: &str) -> Result<Option<Base>, String> {
        if self.has(name) { self.url(name).map(Some) } else { Ok(None) }
    }

    /// # Errors
    /// It is missing, set twice, or refers to a variable that is not set.
    pub fn secret(&self, name: &str) -> Result<Secret, String> {
        let origin = match self.found.get(name) {
            Some(Found::Inline(value)) => SecretSource::Inline(value.clone()),
            Some(Found::File(path)) => SecretSource::File(path.clone()),
            Some(Found::Command(line)) => SecretSource::Command(line.clone()),
            Some(Found::Unset(other)) => {
                let name = self.called(name);
                return Err(format!("{name} refers to {other}, which is not set"));
            }
            Some(Found::Twice(other)) => {
                let name = self.called(name);
                return Err(format!("{name} and {other} are both set: keep one"));
            }
            Some(Found::Wrong(trouble)) => return Err(trouble.clone()),
            Some(Found::Text(_)) | None => return Err(self.missing(name)),
        };
        Ok(Secret::new(self.called(name), origin))
    }

    /// Where a secret comes from, in words; nothing of the secret itself.
    pub fn origin(&self, name: &str) -> Option<String> {
        match self.found.get(name)? {
            Found::Inline(_) => Some("set".to_owned()),
            Found::File(path) => Some(format!("from {}", path.display())),
            Found::Command(line) => Some(format!("from the command {}", line.first()?)),
            Found::Text(_) | Found::Unset(_) | Found::Twice(_) | Found::Wrong(_) => None,
        }
    }

    /// The files that secrets are read from, and the programs that print them.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files_of(|_| true)
    }

    /// The same of the settings whose name fits.
    pub(crate) fn files_of(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = &Path> {
        let fitting = self.found.iter().filter(move |(name, _)| fits(name));
        fitting.filter_map(|(_, found)| match found {
            Found::File(path) => Some(path.as_path()),
            Found::Command(line) => line.first().map(Path::new),
            _ => None,
        })
    }

    /// A table of the vendor's section in the file.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.table.as_ref()?.get(name)?.as_table()
    }

    /// The settings that are shown.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        self.found.iter().filter_map(|(name, found)| match found {
            Found::Text(text) => Some((self.called(name), text.as_str())),
            _ => None,
        })
    }

    /// The secrets that are given as they are.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (String, &SecretString)> {
        self.found.iter().filter_map(|(name, found)| match found {
            Found::Inline(secret) => Some((self.called(name), secret)),
            _ => None,
        })
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let odd =
            |name: &str, text: &str| Some(format!("{} {}", self.called(name), input::odd(text)?));
        let warning = |(name, found): (&&str, &Found)| match found {
            Found::File(path) if readable_by_others(path) => {
                let (shown, mend) = (path.display(), crate::owner_only::mend("600", path));
                let name = self.called(name);
                Some(format!("{name}: {shown} can be read by others; run: {mend}"))
            }
            Found::Text(text) => odd(name, text),
            Found::Inline(text) => odd(name, expose(text)),
            _ => None,
        };
        self.found.iter().filter_map(warning).collect()
    }

    /// What is wrong with settings, whether anything asks for them or not.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let wrong = |found: &Found| match found {
            Found::Wrong(trouble) => Some(trouble.clone()),
            _ => None,
        };
        self.found.values().filter_map(wrong).collect()
    }

    fn variable(&self, name: &str) -> Option<&'static Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    fn missing(&self, name: &str) -> String {
        let help = self.variable(name).map_or("", |variable| variable.help);
        format!("{} is missing ({help})", self.called(name))
    }
}

impl Found {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Inline(one), Self::Inline(other)) => expose(one) == expose(other),
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Command(one), Self::Command(other)) => one == other,
            _ => false,
        }
    }
}

/// All parts, or every part's trouble.
///
/// # Errors
/// The troubles of the parts.
pub fn all<P: Parts>(parts: P) -> Result<P::Whole, Vec<String>> {
    parts.whole()
}

/// Parts that were read one by one, each of which may be in trouble.
pub trait Parts {
    type Whole;
    /// # Errors
    /// Every part's trouble.
    fn whole(self) -> Result<Self::Whole, Vec<String>>;
}

macro_rules! parts {
    ($($name:ident),+) => {
        impl<$($name),+> Parts for ($(Result<$name, String>,)+) {
            type Whole = ($($name,)+);
            #[expect(non_snake_case, reason = "one name for a part and its type")]
            fn whole(self) -> Result<Self::Whole, Vec<String>> {
                match self {
                    ($(Ok($name),)+) => Ok(($($name,)+)),
                    ($($name,)+) => Err([$($name.err()),+].into_iter().flatten().collect()),
                }
            }
        }
    };
}

parts!(A, B);
parts!(A, B, C);
parts!(A, B, C, D);
parts!(A, B, C, D, E);
