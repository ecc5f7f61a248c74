//! MCP clients: where each keeps the servers that it starts, what an entry looks like there, and how one
//! is put in, found and taken out while the rest of the file stays byte for byte.

mod entry;
mod file;
mod jsonc;
mod place;
mod table;
mod toml;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

pub use entry::{Entry, Started};
pub use file::{Kept, Replaced};
pub use table::CLIENTS;

/// A client, as the table has it.
#[derive(Debug)]
pub struct Client {
    /// The word for it on the command line.
    pub name: &'static str,
    /// Other words that are taken for it.
    pub aliases: &'static [&'static str],
    pub title: &'static str,
    /// The key whose object holds the servers.
    pub key: &'static str,
    pub format: Format,
    pub shape: Shape,
    /// Where its user's file is; without one an entry is pasted.
    pub user: Option<ConfigFolder>,
    /// Its file inside a project, where it reads one.
    pub project: Option<&'static str>,
    /// What a person does so that an entry counts.
    pub then: &'static str,
}

/// How a client's file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON alone.
    Json,
    /// JSON in which comments and commas at an end are taken.
    Jsonc,
    Toml,
    /// Nothing keeps its comments when it is edited: it is printed.
    Yaml,
}

/// What an entry has beside the command and its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Fields, with their values in JSON.
    pub also: &'static [(&'static str, &'static str)],
    /// The command and its arguments are one list.
    pub is_one_list: bool,
    /// Values that the client asks its person for, and keeps.
    pub asks: bool,
}

/// A file on each platform: from `~/`, from the folder of configurations (`$CONFIG/`), or from that of
/// applications (`$APPS/`).
#[derive(Clone, Copy, Debug)]
pub struct ConfigFolder {
    pub linux: &'static str,
    pub macos: &'static str,
    pub windows: &'static str,
    /// A variable that names another folder, and the file in it.
    pub moved: Option<(&'static str, &'static str)>,
    /// Another name that counts where there is such a file.
    pub or: Option<&'static str>,
}

/// Why a client's file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{}: {error}", path.display())]
    Unread { path: PathBuf, error: std::io::Error },
    #[error("{}, line {line}, column {column}: {what}; nothing was written", path.display())]
    Unparsed { path: PathBuf, line: usize, column: usize, what: String },
    #[error("{}: {what}; nothing was written", path.display())]
    Odd { path: PathBuf, what: String },
    #[error("there is no folder of {0}: neither HOME nor its variable says where it is")]
    Homeless(&'static str),
}

/// A client's file, as it is now.
#[derive(Debug)]
pub struct Listing {
    client: &'static Client,
    kept: Kept,
}

/// What is wrong with a text, before it is known which file's it is.
#[derive(Debug)]
enum Wrong {
    At(usize, usize, String),
    Odd(String),
}

impl Client {
    /// The client of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CLIENTS.iter().find(|client| client.name == name || client.aliases.contains(&name))
    }

    /// Where its user's file is; none where an entry is pasted.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn user_file(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<PathBuf>, Trouble> {
        let Some(user) = &self.user else { return Ok(None) };
        user.path(env).map(Some).ok_or(Trouble::Homeless(self.title))
    }

    /// Its file in a project.
    pub fn project_file(&self, project: &Path) -> Option<PathBuf> {
        let path = project.join(self.project?);
        let other = self.user.and_then(|user| user.or).map(|name| path.with_file_name(name));
        // The other name is another ending of the same one.
        let other = other.filter(|other| other.file_stem() == path.file_stem());
        Some(other.filter(|other| other.exists() && !path.exists()).unwrap_or(path))
    }

    /// What is to be pasted into its file: the entry, with all that stands around it.
    pub fn pasted(&self, entry: &Entry) -> String {
        match self.format {
            Format::Json | Format::Jsonc => {
                let mut whole = Map::new();
                if let Some(inputs) = entry.inputs(self) {
                    whole.insert("inputs".to_owned(), inputs);
                }
                let servers = Map::from_iter([(entry.name.clone(), entry.value(self))]);
                whole.insert(self.key.to_owned(), Value::Object(servers));
                format!("{:#}\n", Value::Object(whole))
            }
            Format::Toml => toml::table(self.key, entry, self),
            Format::Yaml => entry.yaml(self.key),
        }
    }
}

impl Listing {
    /// Reads a client's file; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read, or is no such file as the client reads.
    pub fn read(client: &'static Client, path: &Path) -> Result<Self, Trouble> {
        let kept = Kept::read(path).map_err(|error| unread(path, error))?;
        let listing = Self { client, kept };
        listing.servers()?;
        Ok(listing)
    }

    /// Whether there is a file.
    pub fn is_there(&self) -> bool {
        self.kept.is_there()
    }

    /// The file itself, past links.
    pub fn path(&self) -> &Path {
        self.kept.path()
    }

    /// Whether nobody but this user may have written it.
    pub fn is_own(&self) -> bool {
        self.kept.is_own()
    }

    /// The servers that the client starts by a command.
    ///
    /// # Errors
    /// The file does not parse.
    pub fn servers(&self) -> Result<Vec<(String, Started)>, Trouble> {
        let whole = self.whole(self.kept.text())?;
        let servers = whole.get(self.client.key).and_then(Value::as_object);
        let started = |(name, entry): (&String, &Value)| {
            Some((name.clone(), Started::read(self.client, entry)?))
        };
        Ok(servers.into_iter().flatten().filter_map(started).collect())
    }

    /// The file with this entry in it, or none where it says so already.
    ///
    /// # Errors
    /// It does not parse, another program has that name in it, or it is laid out so that an entry cannot
    /// be put in without touching something else.
    pub fn with(&self, entry: &Entry) -> Result<Option<String>, Trouble> {
        let before = self.whole(self.kept.text())?;
        self.may_replace(&before, &entry.name)?;
        let made = match self.client.format {
            Format::Toml => toml::put(self.kept.text(), self.client, entry),
            _ => jsonc::put(self.kept.text(), self.client, entry),
        };
        let made = made.map_err(|wrong| self.trouble(wrong))?;
        if made == self.kept.text() {
            return Ok(None);
        }
        let mut wanted = before;
        entry.put(&mut wanted, self.client);
        self.checked(made, &wanted)
    }

    /// The file without the entry of this name, or none where it has none.
    ///
    /// # Errors
    /// As [`Self::with`].
    pub fn without(&self, name: &str) -> Result<Option<String>, Trouble> {
        let mut wanted = self.whole(self.kept.text())?;
        let servers = wanted.get_mut(self.client.key).and_then(Value::as_object_mut);
        let Some(servers) = servers.filter(|servers| servers.contains_key(name)) else {
            return Ok(None);
        };
        servers.shift_remove(name);
        let before = self.whole(self.kept.text())?;
        self.may_replace(&before, name)?;
        let made = match self.client.format {
            Format::Toml => toml::take(self.kept.text(), self.client, name),
            _ => jsonc::take(self.kept.text(), self.client, name),
        };
        let made = made.map_err(|wrong| self.trouble(wrong))?;
        self.checked(made, &wanted)
    }

    /// Puts this text in the file's place, at once and whole; what was there is kept beside it.
    ///
    /// # Errors
    /// It cannot be written, or somebody else wrote it meanwhile.
    pub fn replace(&self, text: &str) -> Result<Replaced, Trouble> {
        self.kept.replace(text).map_err(|error| unread(self.kept.path(), error))
    }

    /// What the file says. An empty one says nothing.
    fn whole(&self, text: &str) -> Result<Value, Trouble> {
        let read = match self.client.format {
            Format::Toml => toml::read(text),
            format => jsonc::read(text, format),
        };
        read.map_err(|wrong| self.trouble(wrong))
    }

    /// Whether an entry of this name may be changed: a stranger's is left alone.
    fn may_replace(&self, whole: &Value, name: &str) -> Result<(), Trouble> {
        let servers = whole.get(self.client.key);
        let odd = |what: String| Err(self.trouble(Wrong::Odd(what)));
        if servers.is_some_and(|servers| !servers.is_object()) {
            return odd(format!("{:?} is not an object of servers", self.client.key));
        }
        let Some(entry) = servers.and_then(|servers| servers.get(name)) else { return Ok(()) };
        match Started::read(self.client, entry) {
            Some(started) if started.is_grantor() => Ok(()),
            _ => odd(format!(
                "another server is called {name:?} there; choose a name with --name, or change it by hand"
            )),
        }
    }

    /// A text that was made, if it says what is wanted and nothing else.
    fn checked(&self, made: String, wanted: &Value) -> Result<Option<String>, Trouble> {
        match self.whole(&made) {
            Ok(said) if self.is_same(&said, wanted) => Ok(Some(made)),
            _ => {
                let what = "it is laid out so that nothing can be changed without touching the rest; \
                            change it by hand, as --print says";
                Err(self.trouble(Wrong::Odd(what.to_owned())))
            }
        }
    }

    /// Whether both say the same; no servers at all are as good as an empty list of them.
    fn is_same(&self, said: &Value, wanted: &Value) -> bool {
        let plain = |whole: &Value| {
            let mut whole = whole.clone();
            if let Some(fields) = whole.as_object_mut() {
                fields.retain(|key, value| key != self.client.key || *value != json!({}));
            }
            whole
        };
        plain(said) == plain(wanted)
    }

    fn trouble(&self, wrong: Wrong) -> Trouble {
        let path = self.kept.path().to_owned();
        match wrong {
            Wrong::At(line, column, what) => Trouble::Unparsed { path, line, column, what },
            Wrong::Odd(what) => Trouble::Odd { path, what },
        }
    }
}

fn unread(path: &Path, error: std::io::Error) -> Trouble {
    Trouble::Unread { path: path.to_owned(), error }
}

/// The line and the column of a place in a text, from 1.
fn place_in(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
